/*
 * dispatch.c - from a line to the method that it asks for, and from a method's end to the line that
 * answers it. See server.h for the life of a request.
 *
 * Whatever comes in is answered as JSON-RPC wants it, and the next line is read. An error answer to
 * something whose id could not be read has none: revision 2025-11-25 and later say so, and the
 * earlier ones have no form for it that their clients would take.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "common.h"
#include "server.h"

/* Answers that go out together. */
struct batch {
    json_t *answers;
    size_t open; /* answers still to come, and 1 while it is being read */
};

/* ---- sending ---- */

void send_take(struct server *s, json_t *message)
{
    char *text = message != NULL ? json_dumps(message, DUMP_FLAGS) : NULL;

    json_decref(message);
    if (text != NULL)
        wire_send_take(s->wire, text);
    else
        server_say(s, AHP_LOG_ERROR, "no memory for a message");
}

void send_notification_take(struct server *s, const char *method, json_t *params)
{
    json_t *message = json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", method);

    if (params != NULL)
        json_object_set_new(message, "params", params);
    send_take(s, message);
}

static void batch_step(struct server *s, struct batch *b)
{
    if (--b->open > 0)
        return;
    if (json_array_size(b->answers) > 0)
        send_take(s, b->answers);
    else
        json_decref(b->answers);
    free(b);
}

static void send_answer(struct server *s, struct batch *b, json_t *message)
{
    if (b != NULL)
        json_array_append_new(b->answers, message);
    else
        send_take(s, message);
}

static void send_error(struct server *s, struct batch *b, json_t *id, int code, const char *why,
                       json_t *data)
{
    json_t *message = json_pack("{s:s, s:{s:i, s:s}}", "jsonrpc", "2.0", "error", "code", code,
                                "message", why);

    if (id != NULL)
        json_object_set(message, "id", id);
    if (data != NULL)
        json_object_set_new(json_object_get(message, "error"), "data", data);
    send_answer(s, b, message);
}

/* ---- requests ---- */

struct request *request_by_id(struct server *s, const json_t *id)
{
    struct request *r;

    DL_FOREACH(s->requests, r)
        if (!r->is_cancelled && json_equal(r->id, id))
            return r;
    return NULL;
}

static struct request *request_new(struct server *s, const struct message *m, struct batch *b)
{
    struct request *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->server = s;
    r->id = json_incref(m->id);
    r->params = json_incref(m->params);
    r->revision = s->revision;
    r->batch = b;
    if (b != NULL)
        b->open++;
    DL_APPEND(s->requests, r);
    s->requests_count++;
    return r;
}

void request_drop(struct request *r)
{
    struct server *s = r->server;
    struct batch *b = r->batch;

    DL_DELETE(s->requests, r);
    s->requests_count -= !r->is_cancelled;
    json_decref(r->id);
    json_decref(r->params);
    json_decref(r->token);
    json_decref(r->roots);
    free(r);
    if (b != NULL)
        batch_step(s, b);
}

json_t *server_info(const struct server *s)
{
    return json_pack("{s:s, s:s}", "name", s->entry->id, "version", s->entry->version);
}

void request_answer_take(struct request *r, json_t *result)
{
    struct server *s = r->server;
    json_t *meta;

    if (result == NULL) {
        request_fail(r, CODE_INTERNAL, "no memory");
        return;
    }
    if (r->revision > REVISION_HANDSHAKE_LAST) {
        meta = json_object_get(result, "_meta");
        if (meta == NULL) {
            meta = json_object();
            json_object_set_new(result, "_meta", meta);
        }
        json_object_set_new(meta, META_SERVER, server_info(s));
        if (json_object_get(result, "resultType") == NULL)
            json_object_set_new(result, "resultType", json_string("complete"));
    }
    if (!r->is_cancelled)
        send_answer(s, r->batch,
                    json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", r->id, "result", result));
    json_decref(result);
    request_drop(r);
}

void request_answer_list_take(struct request *r, json_t *result)
{
    if (r->revision > REVISION_HANDSHAKE_LAST) {
        json_object_set_new(result, "ttlMs", json_integer(LIST_TTL_MS));
        json_object_set_new(result, "cacheScope", json_string("private"));
    }
    request_answer_take(r, result);
}

void request_fail_data_take(struct request *r, int code, const char *why, json_t *data)
{
    if (r->is_cancelled)
        json_decref(data);
    else
        send_error(r->server, r->batch, r->id, code, why, data);
    request_drop(r);
}

void request_fail(struct request *r, int code, const char *fmt, ...)
{
    char why[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    request_fail_data_take(r, code, why, NULL);
}

/* ---- methods that need nothing else ---- */

/* What a client should know of all the tools at once, or NULL. */
static json_t *instructions(const struct server *s)
{
    const struct tool *jobs = tools_of_jobs(s);

    if (jobs == NULL || s->options->wait_ms == 0)
        return NULL;
    return json_sprintf("A call that takes longer than %g s is answered with the handle of a job, "
                        "which goes on by itself: do not repeat the call, use the tool %s with "
                        "that handle.",
                        (double)s->options->wait_ms / 1000.0, jobs->name);
}

static json_t *capabilities(const struct server *s, enum revision revision)
{
    json_t *c = json_pack("{s:{s:b}}", "tools", "listChanged", 1);
    json_t *tasks = tasks_capability(s, revision);

    if (tools_of_jobs(s) != NULL)
        json_object_set_new(c, "resources", json_object());
    if (tasks != NULL && revision > REVISION_HANDSHAKE_LAST)
        json_object_set_new(c, "extensions", json_pack("{s:o}", EXTENSION_TASKS, tasks));
    else if (tasks != NULL)
        json_object_set_new(c, "tasks", tasks);
    return c;
}

static void initialize(struct request *r)
{
    struct server *s = r->server;
    const json_t *client = json_object_get(r->params, "capabilities");
    const char *wanted = json_string_value(json_object_get(r->params, "protocolVersion"));
    enum revision revision = revision_of(wanted);
    json_t *words = instructions(s);
    json_t *result;

    if (s->revision != REVISION_NONE || wanted == NULL) {
        json_decref(words);
        request_fail(r, wanted == NULL ? CODE_PARAMS : CODE_REQUEST, "%s",
                     wanted == NULL ? "protocolVersion must be a text"
                                    : "this connection is initialized already");
        return;
    }
    if (revision == REVISION_NONE || revision > REVISION_HANDSHAKE_LAST)
        revision = REVISION_HANDSHAKE_LAST;
    s->revision = revision;
    s->has_roots = json_is_object(json_object_get(client, "roots"));
    result = json_pack("{s:s, s:o, s:o}", "protocolVersion", revision_name(revision),
                       "capabilities", capabilities(s, revision), "serverInfo", server_info(s));
    if (words != NULL)
        json_object_set_new(result, "instructions", words);
    request_answer_take(r, result);
}

static void ping(struct request *r)
{
    request_answer_take(r, json_object());
}

static void discover(struct request *r)
{
    json_t *words = instructions(r->server);
    json_t *result = json_pack("{s:o, s:o}", "supportedVersions", revision_names(),
                               "capabilities", capabilities(r->server, r->revision));

    if (words != NULL)
        json_object_set_new(result, "instructions", words);
    request_answer_list_take(r, result);
}

/* Stays open until it is cancelled or the server ends. */
static void listen_for(struct request *r)
{
    const json_t *wanted = json_object_get(r->params, "notifications");
    json_t *agreed = json_object();

    if (!json_is_object(wanted)) {
        json_decref(agreed);
        request_fail(r, CODE_PARAMS, "notifications must be an object");
        return;
    }
    if (json_object_get(wanted, "taskIds") != NULL && !r->has_tasks) {
        json_decref(agreed);
        request_fail_data_take(r, CODE_CAPABILITY_MISSING, "Missing required client capability",
                               json_pack("{s:{s:{s:{}}}}", "requiredCapabilities", "extensions",
                                         EXTENSION_TASKS));
        return;
    }
    r->is_listening = 1;
    r->wants_tools_changed = json_is_true(json_object_get(wanted, "toolsListChanged"));
    if (r->wants_tools_changed)
        json_object_set_new(agreed, "toolsListChanged", json_true());
    send_notification_take(r->server, "notifications/subscriptions/acknowledged",
                           json_pack("{s:{s:O}, s:o}", "_meta", META_LISTEN, r->id,
                                     "notifications", agreed));
}

/* ---- dispatch ---- */

static const struct method {
    const char *name;
    enum revision from;
    enum revision to;
    void (*run)(struct request *r);
} methods[] = {
    {"ping", REVISION_NONE, REVISION_HANDSHAKE_LAST, ping},
    {"initialize", REVISION_NONE, REVISION_HANDSHAKE_LAST, initialize},
    {"server/discover", REVISION_2026_07_28, REVISION_2026_07_28, discover},
    {"subscriptions/listen", REVISION_2026_07_28, REVISION_2026_07_28, listen_for},
    {"tools/list", REVISION_2024_11_05, REVISION_2026_07_28, tools_list},
    {"tools/call", REVISION_2024_11_05, REVISION_2026_07_28, calls_tool},
    {"resources/list", REVISION_2024_11_05, REVISION_2026_07_28, resources_list},
    {"resources/templates/list", REVISION_2024_11_05, REVISION_2026_07_28, resources_templates},
    {"resources/read", REVISION_2024_11_05, REVISION_2026_07_28, resources_read},
    {"tasks/get", REVISION_2025_11_25, REVISION_2026_07_28, tasks_get},
    {"tasks/cancel", REVISION_2025_11_25, REVISION_2026_07_28, tasks_cancel},
    {"tasks/update", REVISION_2026_07_28, REVISION_2026_07_28, tasks_update},
    {"tasks/result", REVISION_2025_11_25, REVISION_2025_11_25, tasks_result},
    {"tasks/list", REVISION_2025_11_25, REVISION_2025_11_25, tasks_list},
};

static const struct method *method_of(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

/* Whose era this is, and what the client can do. 0, or the request has been ended. */
static int settle_era(struct request *r, const struct message *m, const struct method *method)
{
    const json_t *client = json_object_get(message_meta(m), META_CLIENT);
    enum revision revision = REVISION_NONE;
    const char *why = NULL;
    int code = message_revision(m, &revision, &why);

    if (code == CODE_REVISION) {
        request_fail_data_take(r, code, why,
                               json_pack("{s:o, s:O}", "supported", revision_names(), "requested",
                                         json_object_get(message_meta(m), META_REVISION)));
        return -1;
    }
    if (code != 0) {
        request_fail(r, code, "%s", why);
        return -1;
    }
    if (revision != REVISION_NONE) {
        r->revision = revision;
        r->has_roots = json_is_object(json_object_get(client, "roots"));
        r->has_tasks = json_is_object(
            json_object_get(json_object_get(client, "extensions"), EXTENSION_TASKS));
        return 0;
    }
    if (r->revision == REVISION_NONE && (method == NULL || method->from != REVISION_NONE)) {
        request_fail(r, CODE_PARAMS,
                     "no " META_REVISION " in _meta (since %s), and no initialize before (%s to "
                     "%s)",
                     revision_name(REVISION_2026_07_28), revision_name(REVISION_2024_11_05),
                     revision_name(REVISION_HANDSHAKE_LAST));
        return -1;
    }
    return 0;
}

static void on_request(struct server *s, const struct message *m, struct batch *b)
{
    const struct method *method = method_of(m->method);
    struct request *r;

    if (s->requests_count >= REQUESTS_MAX) {
        send_error(s, b, m->id, CODE_INTERNAL, "too many requests at once", NULL);
        return;
    }
    if (request_by_id(s, m->id) != NULL) {
        send_error(s, b, m->id, CODE_REQUEST, "a request with this id is open", NULL);
        return;
    }
    r = request_new(s, m, b);
    if (r == NULL) {
        send_error(s, b, m->id, CODE_INTERNAL, "no memory", NULL);
        return;
    }
    if (settle_era(r, m, method) != 0)
        return;
    if (json_object_get(r->params, "cursor") != NULL) { /* no list here has a second page */
        request_fail(r, CODE_PARAMS, "Invalid cursor");
        return;
    }
    if (method == NULL || r->revision < method->from || r->revision > method->to)
        request_fail(r, CODE_METHOD, "Method not found: %.100s", m->method);
    else
        method->run(r);
}

static void on_notification(struct server *s, const struct message *m)
{
    if (strcmp(m->method, "notifications/cancelled") == 0)
        calls_cancel(s, json_object_get(m->params, "requestId"));
    else if (s->has_roots && (strcmp(m->method, "notifications/initialized") == 0 ||
                              strcmp(m->method, "notifications/roots/list_changed") == 0))
        roots_ask(s);
}

static void on_message(struct server *s, json_t *value, struct batch *b)
{
    struct message m;

    message_read(value, &m);
    switch (m.kind) {
    case MESSAGE_BROKEN:
        send_error(s, b, m.id, m.code, m.why, NULL);
        break;
    case MESSAGE_REQUEST:
        on_request(s, &m, b);
        break;
    case MESSAGE_NOTIFICATION:
        on_notification(s, &m);
        break;
    case MESSAGE_RESPONSE:
        if (roots_is_answer(s, &m))
            roots_answered(s, &m);
        break;
    }
}

static void on_batch(struct server *s, json_t *list)
{
    struct batch *b;
    json_t *value;
    size_t i;

    if (json_array_size(list) == 0 || json_array_size(list) > BATCH_MAX) {
        send_error(s, NULL, NULL, CODE_REQUEST, "a batch holds 1 to 64 messages", NULL);
        return;
    }
    b = calloc(1, sizeof(*b));
    if (b == NULL) {
        send_error(s, NULL, NULL, CODE_INTERNAL, "no memory", NULL);
        return;
    }
    b->answers = json_array();
    b->open = 1;
    json_array_foreach(list, i, value)
        on_message(s, value, b);
    batch_step(s, b);
}

void dispatch_line(void *ud, const char *text, size_t len)
{
    struct server *s = ud;
    json_t *value = NULL;

    if (s->is_ending)
        return;
    if (text == NULL) {
        send_error(s, NULL, NULL, CODE_REQUEST, "the message is too long", NULL);
        return;
    }
    if (message_parse(text, len, &value) != 0)
        return;
    if (json_is_array(value) && s->revision == REVISION_2025_03_26)
        on_batch(s, value);
    else
        on_message(s, value, NULL);
    json_decref(value);
}

/* ---- the end ---- */

void dispatch_end(struct server *s)
{
    struct request *r, *next;

    for (r = s->requests; r != NULL; r = next) {
        next = r->next;
        if (r->is_listening)
            request_answer_take(r, json_pack("{s:{s:O}}", "_meta", META_LISTEN, r->id));
        else if (r->waits_for_roots)
            request_fail(r, CODE_INTERNAL, "the server is ending");
    }
}

void dispatch_free(struct server *s)
{
    while (s->requests != NULL)
        request_drop(s->requests);
}
