/*
 * account.c - questions about the account: is it accepted, how many credits are left, what was
 * made. None of them costs anything.
 */
#include "providers/chatart/chatart.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 60000
#define ROWS_MAX 100

static const char *path_of(const json_t *catalog, const char *part, const char *name)
{
    const json_t *wire = json_object_get(catalog, "wire");

    return json_text(part ? json_object_get(wire, part) : wire, name);
}

int chatart_check(const struct provider_account *account, struct arena *arena,
                  struct http_request *ret_request)
{
    return chatart_ask(account, "credits", NULL, arena, ret_request, NULL);
}

static enum chatart_answer read_reply(const struct http_reply *reply, struct arena *arena,
                                      json_t **ret_json, struct err *ret_err)
{
    json_t *catalog = chatart_catalog(ret_err);
    enum chatart_answer answer = ANSWER_TROUBLE;
    int64_t pause_ms;

    *ret_json = NULL;
    if (catalog)
        answer = chatart_answer_read(reply, catalog, arena, ret_json, &pause_ms, ret_err);
    json_decref(catalog);
    return answer;
}

void chatart_checked(const struct http_reply *reply, struct provider_check *ret_check)
{
    struct arena arena = {0};
    json_t *json;
    enum chatart_answer answer;
    int64_t left;

    memset(ret_check, 0, sizeof(*ret_check));
    ret_check->models = -1;
    answer = read_reply(reply, &arena, &json, &ret_check->error);
    if (answer == ANSWER_DATA) {
        left = chatart_number(json_object_get(chatart_payload(json), "diamond"));
        ret_check->verdict = KEY_ACCEPTED;
        if (left >= 0)
            ret_check->facts = json_pack("{s:I}", "credits", (json_int_t)left);
    } else if (ret_check->error.kind == ERR_AUTH) {
        ret_check->verdict = KEY_REFUSED;
    } else {
        ret_check->verdict = KEY_UNAVAILABLE;
    }
    json_decref(json);
    arena_done(&arena);
}

static json_t *history_body(const json_t *args)
{
    json_t *body = json_pack("{s:o, s:s}", "page",
                             json_sprintf("%lld", (long long)json_int(args, "page", 1)), "per_page",
                             "20");
    int failed = !body;

    if (*json_text(args, "from"))
        failed |= json_object_set_new(body, "start_time", json_string(json_text(args, "from")));
    if (*json_text(args, "to"))
        failed |= json_object_set_new(body, "end_time", json_string(json_text(args, "to")));
    if (!failed)
        return body;
    json_decref(body);
    return NULL;
}

int chatart_ask(const struct provider_account *account, const char *action, const json_t *args,
                struct arena *arena, struct http_request *ret_request, struct err *err)
{
    json_t *catalog = chatart_catalog(err);
    int usage = strcmp(action, "usage") == 0;
    const char *kind = strcmp(json_text(args, "kind"), "video") == 0 ? "video" : "image";
    json_t *body = NULL;
    int rc = -1;

    if (!catalog)
        return -1;
    if (strcmp(action, "unbind") == 0)
        rc = chatart_request_call(account, arena, HTTP_WRITES, "POST",
                                  path_of(catalog, NULL, "unbind"), NULL, TIMEOUT_MS, ret_request);
    else if (!usage)
        rc = chatart_request_call(account, arena, HTTP_READS, "POST",
                                  path_of(catalog, NULL, "credits"), NULL, TIMEOUT_MS, ret_request);
    else if ((body = history_body(args)))
        rc = chatart_request_call(account, arena, HTTP_READS, "GET",
                                  path_of(catalog, kind, "history"), body, TIMEOUT_MS, ret_request);
    if (rc)
        err_nomem(err);
    json_decref(body);
    json_decref(catalog);
    return rc;
}

/* History has codes of its own: 1 is done only with a file that is. */
static const char *state_of(const json_t *row, const json_t *file)
{
    int64_t state = chatart_number(json_object_get(
        row, json_object_get(row, "is_drawing") ? "is_drawing" : "status"));

    if (state == 2)
        return "failed";
    if (state == 1)
        return chatart_number(json_object_get(file, "status")) == 1 ? "completed" : "working";
    return "pending";
}

static json_t *usage_row(const json_t *row)
{
    const json_t *files = json_object_get(row, "file");
    const json_t *file;
    const char *url;
    json_t *out;

    if (!files)
        files = json_object_get(row, "pic_url");
    file = json_array_get(files, 0);
    url = json_text(file, "url");
    out = json_pack("{s:O?, s:s, s:I}", "id", json_object_get(row, "id"), "state",
                    state_of(row, file), "created",
                    (json_int_t)json_int(row, "create_at", json_int(row, "created_at", 0)));
    if (out && *url)
        json_object_set_new(out, "url", json_string(url));
    if (out && *json_text(row, "error_message"))
        json_object_set_new(out, "error", json_string(json_text(row, "error_message")));
    return out;
}

/* A paginator, or a bare list. */
static json_t *usage_facts(const json_t *data)
{
    const json_t *list = json_is_array(data) ? data : json_object_get(data, "data");
    json_t *rows = json_array();
    json_t *facts;
    size_t index;
    json_t *row;

    json_array_foreach((json_t *)list, index, row)
        if (index < ROWS_MAX)
            json_array_append_new(rows, usage_row(row));
    facts = json_pack("{s:o}", "usage", rows);
    if (facts && chatart_number(json_object_get(data, "total")) >= 0)
        json_object_set_new(facts, "total",
                            json_integer(chatart_number(json_object_get(data, "total"))));
    if (facts && chatart_number(json_object_get(data, "current_page")) >= 0)
        json_object_set_new(facts, "page",
                            json_integer(chatart_number(json_object_get(data, "current_page"))));
    return facts;
}

/* Unbound, or unbound already: both are what was wanted. */
static int is_unbound(const struct http_reply *reply, const json_t *json)
{
    json_t *own = json ? NULL : json_read(reply->text, reply->text_len, NULL);
    int yes = json_is_true(json_object_get(json, "data")) ||
              chatart_number(json_object_get(own, "code")) == 1053;

    json_decref(own);
    return yes;
}

void chatart_told(const struct provider_account *account, const char *action, const json_t *args,
                  const struct http_reply *reply, json_t **ret_facts, struct err *ret_err)
{
    struct arena arena = {0};
    json_t *json;
    enum chatart_answer answer = read_reply(reply, &arena, &json, ret_err);
    const json_t *data = chatart_payload(json);

    (void)account;
    (void)args;
    *ret_facts = NULL;
    if (strcmp(action, "unbind") == 0 && reply->outcome == HTTP_ANSWERED) {
        if (is_unbound(reply, json))
            *ret_facts = json_object();
        else if (answer == ANSWER_DATA)
            err_set(ret_err, ERR_ANSWER, "ChatArt did not say that the device is unbound");
    } else if (answer == ANSWER_DATA && strcmp(action, "usage") == 0) {
        *ret_facts = usage_facts(data);
    } else if (answer == ANSWER_DATA) {
        if (chatart_number(json_object_get(data, "diamond")) >= 0)
            *ret_facts = json_pack("{s:I, s:s}", "credits",
                                   (json_int_t)chatart_number(json_object_get(data, "diamond")),
                                   "currency", "credits");
        else
            err_set(ret_err, ERR_ANSWER, "ChatArt did not tell the credits");
    }
    if (!*ret_facts && ret_err->kind == ERR_NONE)
        err_nomem(ret_err);
    json_decref(json);
    arena_done(&arena);
}
