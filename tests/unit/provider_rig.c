/*
 * provider_rig.c - see provider_rig.h.
 */
#include "provider_rig.h"

#include "base/mem.h"
#include "base/words.h"

#define NOW_MS 1790000000000 /* 2026-09-21T14:13:20Z */

/* ---- golden files and JSON ---- */

json_t *golden_load(const char *name)
{
    char path[LIMIT_PATH];
    json_error_t error;
    json_t *json;

    snprintf(path, sizeof(path), "%s/%s", CM_SOURCE_DIR, name);
    json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s line %d: %s", path, error.line, error.text);
    return json;
}

void golden_rows(const char *file, size_t rows_min,
                 void (*check)(const char *name, const json_t *row))
{
    json_t *rows = golden_load(file);
    size_t index;
    json_t *row;

    json_array_foreach(rows, index, row)
        check(golden_text(row, "name", "?"), row);
    assert_true(json_array_size(rows) >= rows_min);
    json_decref(rows);
}

void golden_walk(const char *file, int (*one)(const json_t *row, long n, int for_good))
{
    json_t *rows = golden_load(file);
    long walked = 0;
    size_t index;
    json_t *row;

    json_array_foreach(rows, index, row)
        for (int for_good = 0; for_good < 2; for_good++)
            for (long n = 1; !one(row, n, for_good); n++)
                walked++;
    assert_true(walked > 1000);
    json_decref(rows);
}

const char *golden_text(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : otherwise;
}

void golden_same(const char *name, const json_t *got, const json_t *want)
{
    char *a;
    char *b;

    if (got == want || json_equal(got, want))
        return;
    a = json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    b = json_dumps(want, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    fail_msg("%s:\n got %s\nwant %s", name, a ? a : "nothing", b ? b : "nothing");
}

void golden_check_changed(const char *name, const json_t *changed, const json_t *want)
{
    json_t *fields = json_array();
    json_t *none = json_array();
    size_t index;
    json_t *row;

    json_array_foreach((json_t *)changed, index, row) {
        json_array_append(fields, json_object_get(row, "field"));
        assert_non_null(json_object_get(row, "asked"));
        assert_non_null(json_object_get(row, "used"));
        assert_true(json_string_length(json_object_get(row, "why")) > 5);
    }
    golden_same(name, fields, want ? want : none);
    json_decref(fields);
    json_decref(none);
}

void golden_check_error(const char *name, const struct err *err, const json_t *want)
{
    char key[80];

    if (json_object_get(want, "kind") &&
        strcmp(err_kind_name(err->kind), golden_text(want, "kind", "")) != 0)
        fail_msg("%s: error %s: %s", name, err_kind_name(err->kind), err->text);
    assert_true(err->kind != ERR_NONE && strlen(err->text) > 3);
    assert_null(strpbrk(err->text, "\r\n\t"));
    if (!strstr(err->text, golden_text(want, "has", "")))
        fail_msg("%s: %s", name, err->text);
    if (json_object_get(want, "hasnt"))
        assert_null(strstr(err->text, golden_text(want, "hasnt", "")));
    if (strcmp(err->field, golden_text(want, "field", "")) != 0)
        fail_msg("%s: field %s: %s", name, err->field, err->text);
    if (json_object_get(want, "advice")) {
        assert_string_equal(err->advice ? err->advice : "", golden_text(want, "advice", ""));
        snprintf(key, sizeof(key), "advice.%s", err->advice);
        assert_true(words_has(WORDS_EN, key) && words_has(WORDS_ZH, key));
    }
}

int golden_refused(const char *name, int rc, const struct err *err, const json_t *row)
{
    const json_t *error = json_object_get(row, "error");

    if (!error) {
        if (rc)
            fail_msg("%s: %s: %s", name, err->field, err->text);
        return 0;
    }
    if (rc == 0)
        fail_msg("%s: no error", name);
    assert_string_equal(err_kind_name(err->kind), golden_text(error, "kind", "invalid"));
    golden_check_error(name, err, error);
    return 1;
}

struct http_reply golden_reply(const char *text, size_t len)
{
    return (struct http_reply){
        .outcome = HTTP_ANSWERED,
        .status = 200,
        .content_type = "",
        .request_id = "",
        .retry_after_ms = -1,
        .length = -1,
        .text = text,
        .text_len = len,
        .sent = 1,
        .error = "the connection broke",
    };
}

static enum http_outcome outcome_of(const char *name)
{
    static const char *const names[] = {"answered",  "not_sent", "lost", "truncated", "refused",
                                        "too_large", "sink",     "cancelled"};

    for (int i = 0; i < 8; i++)
        if (strcmp(names[i], name) == 0)
            return (enum http_outcome)i;
    fail_msg("outcome %s", name);
    return HTTP_ANSWERED;
}

struct http_reply golden_reply_of(const json_t *row, char **ret_text)
{
    const json_t *reply = json_object_get(row, "reply");
    const json_t *body = json_object_get(reply, "body");
    const json_t *pause = json_object_get(reply, "retry_after_ms");
    struct http_reply out;

    *ret_text = body ? json_dumps(body, JSON_COMPACT) : mem_text(golden_text(reply, "text", ""));
    assert_non_null(*ret_text);
    out = golden_reply(*ret_text, strlen(*ret_text));
    out.outcome = outcome_of(golden_text(reply, "outcome", "answered"));
    out.status = (int)json_integer_value(json_object_get(reply, "status"));
    if (pause)
        out.retry_after_ms = json_integer_value(pause);
    return out;
}

const char *golden_step_name(enum provider_step_kind kind)
{
    static const char *const names[] = {"send", "wait", "done", "fail", "unknown"};

    return names[kind];
}

const char *golden_header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers_count; i++)
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

/*
 * jansson's memory. Its reader of texts (2.14) does not look whether its buffer could grow, and
 * goes on with a letter missing; nobody can see that from outside. The buffer's sizes are 16 times
 * a power of two, so these never fail here; everything else does.
 */
static void *golden_alloc(size_t size)
{
    return size >= 32 && (size & (size - 1)) == 0 ? calloc(1, size) : mem_alloc(size);
}

int golden_setup(void **state)
{
    (void)state;
    json_object_seed(1);
    json_set_alloc_funcs(golden_alloc, mem_free);
    return 0;
}

/* ---- one conversation ---- */

int talk_open(struct talk *talk, const struct provider *provider,
              const struct provider_account *account, const char *tool, const json_t *args,
              struct err *err)
{
    memset(talk, 0, sizeof(*talk));
    talk->provider = provider;
    talk->account = *account;
    talk->now_ms = NOW_MS;
    if (provider->plan(&talk->account, tool, args, &talk->plan, err))
        return -1;
    talk->secrets = json_object();
    talk->flow = talk->secrets ? json_pack("{s:{}}", "uploads") : NULL;
    return 0;
}

/* The flow as the ledger would keep it; nothing in it is a key, or a storage's credential. */
static char *flow_text(const struct talk *talk)
{
    static const char *const hidden[] = {"Bearer", "ecret", "ecurityToken", "sk-ca-"};
    char *text = json_dumps(talk->flow, JSON_COMPACT);

    assert_non_null(text);
    assert_true(strlen(text) < LIMIT_FLOW_BYTES);
    for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
        if (strstr(text, hidden[i]))
            fail_msg("%s is in the flow: %s", hidden[i], text);
    return text;
}

void talk_close(struct talk *talk)
{
    if (talk->flow)
        mem_free(flow_text(talk));
    provider_plan_done(&talk->plan);
    json_decref(talk->flow);
    json_decref(talk->secrets);
    json_decref(talk->step.credential);
    arena_done(&talk->arena);
}

int talk_starved(struct talk *talk,
                 int (*open)(struct talk *talk, const json_t *row, struct err *err),
                 const json_t *row, long n, int for_good)
{
    struct err err = {0};
    long before = mem_count();
    int over, rc;

    mem_fail_after(n, for_good);
    rc = open(talk, row, &err);
    if (rc == 0 && talk->flow)
        talk_next(talk, NULL, 0);
    over = mem_count() < before + n;
    mem_fail_after(0, 0);
    if (rc && !over && err.kind != ERR_NOMEM && !json_object_get(row, "error"))
        fail_msg("%s, allocation %ld: %s", golden_text(row, "name", "?"), n, err.text);
    if (rc == 0 && !talk->flow)
        talk_close(talk);
    if (rc)
        talk->flow = NULL;
    return over;
}

void talk_next(struct talk *talk, const struct http_reply *reply, int resumed)
{
    struct provider_turn turn = {
        .account = &talk->account,
        .request = talk->plan.request,
        .flow = talk->flow,
        .secrets = talk->secrets,
        .reply = reply,
        .job_id = "job_test",
        .now_ms = talk->now_ms,
        .recheck = talk->recheck,
        .cancelled = talk->cancelled,
        .resumed = resumed,
        .arena = &talk->arena,
    };

    arena_done(&talk->arena);
    json_decref(talk->step.credential);
    talk->provider->next(&turn, &talk->step);
}

void talk_turn(struct talk *talk, const struct http_reply *reply, int resumed)
{
    char *text = flow_text(talk);

    json_decref(talk->flow);
    talk->flow = json_loads(text, 0, NULL);
    assert_non_null(talk->flow);
    mem_free(text);
    talk_next(talk, reply, resumed);
}

void talk_hear(struct talk *talk, int status, const char *text)
{
    struct http_reply reply = golden_reply(text, strlen(text));

    assert_int_equal(talk->step.kind, STEP_SEND);
    reply.status = status;
    talk_turn(talk, &reply, 0);
}

void talk_lose(struct talk *talk, enum http_outcome outcome)
{
    struct http_reply reply = golden_reply("", 0);

    assert_int_equal(talk->step.kind, STEP_SEND);
    reply.outcome = outcome;
    reply.sent = outcome == HTTP_LOST || outcome == HTTP_TRUNCATED;
    reply.status = 0;
    talk_turn(talk, &reply, 0);
}

void talk_wake(struct talk *talk)
{
    talk_turn(talk, NULL, 0);
}
