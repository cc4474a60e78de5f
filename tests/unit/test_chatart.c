/*
 * What the chatart adapter sends and makes of answers. Each case of chatart/requests.json is a tool's
 * arguments and the exact submit, or the field of the error. Then the signature against its vector,
 * the machine's turns, one test for each mistake that the published client makes, and the login.
 */
#include "base/crc64.h"
#include "base/mem.h"
#include "providers/chatart/chatart.h"
#include "unit/json_schema.h"
#include "unit/openai/golden.h"

#define NOW_MS 1767600550000 /* 2026-01-05T08:09:10Z */

static const struct http_header headers[] = {
    {"Xskill-Authorization", "Bearer {{key}}"}, {"Identity-Id", "{{identity}}"},
    {"Content-Type", "application/json"},       {"Language", "EN"},
    {"Skill", "1"},                             {"App-Type", "2"},
};

/* One job: the flow goes through text after every turn, as in the ledger; secrets do not. */
struct chat {
    struct provider_account account;
    struct provider_plan plan;
    json_t *flow;
    json_t *secrets;
    struct arena arena;
    struct provider_step step;
};

static int chat_open(struct chat *chat, const char *tool, json_t *args, struct err *err)
{
    memset(chat, 0, sizeof(*chat));
    chat->account = (struct provider_account){
        .id = "chatart",
        .base_url = "https://api.chatartpro.com",
        .headers = headers,
        .headers_count = sizeof(headers) / sizeof(*headers),
        .signed_in = 1,
    };
    chat->flow = json_object();
    chat->secrets = json_object();
    return provider_chatart.plan(&chat->account, tool, args, &chat->plan, err);
}

static void chat_close(struct chat *chat)
{
    provider_plan_done(&chat->plan);
    json_decref(chat->flow);
    json_decref(chat->secrets);
    json_decref(chat->step.credential);
    arena_done(&chat->arena);
}

static void chat_turn(struct chat *chat, const struct http_reply *reply, int resumed)
{
    struct provider_turn turn = {
        .account = &chat->account,
        .request = chat->plan.request,
        .flow = chat->flow,
        .secrets = chat->secrets,
        .reply = reply,
        .job_id = "job_test",
        .now_ms = NOW_MS,
        .resumed = resumed,
        .arena = &chat->arena,
    };
    char *text;

    arena_done(&chat->arena);
    json_decref(chat->step.credential);
    provider_chatart.next(&turn, &chat->step);
    text = json_dumps(chat->flow, JSON_COMPACT);
    assert_non_null(text);
    assert_null(strstr(text, "ecret"));
    assert_null(strstr(text, "ecurityToken"));
    assert_null(strstr(text, "sk-ca-"));
    json_decref(chat->flow);
    chat->flow = json_loads(text, 0, NULL);
    mem_free(text);
}

static void chat_hear(struct chat *chat, int status, const char *text)
{
    struct http_reply reply = golden_reply(text, strlen(text));

    reply.status = status;
    reply.sent = 1;
    chat_turn(chat, &reply, 0);
}

static void chat_lose(struct chat *chat, enum http_outcome outcome, int sent)
{
    struct http_reply reply = golden_reply("", 0);

    reply.outcome = outcome;
    reply.sent = sent;
    reply.status = 0;
    chat_turn(chat, &reply, 0);
}

static const char *header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers_count; i++)
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return "";
}

static void same_json(const char *name, const json_t *got, const json_t *want)
{
    char *a, *b;

    if (json_equal(got, want))
        return;
    a = json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    b = json_dumps(want, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    fail_msg("%s:\n got %s\nwant %s", name, a ? a : "nothing", b ? b : "nothing");
}

static json_t *args_of(const char *text)
{
    json_t *args = json_loads(text, 0, NULL);

    assert_non_null(args);
    return args;
}

/* A picture of words, submitted and accepted. */
static void chat_waiting(struct chat *chat)
{
    json_t *args = args_of("{\"prompt\":\"a\",\"model\":\"Nano Banana 2\"}");
    struct err err = {0};

    assert_int_equal(chat_open(chat, "generate_image", args, &err), 0);
    json_decref(args);
    chat_turn(chat, NULL, 0);
    assert_int_equal(chat->step.kind, STEP_SEND);
    chat_hear(chat, 200, "{\"code\":200,\"data\":{\"question_id\":\"q_1\"}}");
    assert_int_equal(chat->step.kind, STEP_WAIT);
    assert_string_equal(chat->step.provider_job, "q_1");
    chat_turn(chat, NULL, 0);
    assert_int_equal(chat->step.kind, STEP_SEND);
    assert_int_equal(chat->step.phase, PHASE_POLL);
}

/* ---- requests ---- */

static void check_changed(const char *name, const json_t *changed, const json_t *want)
{
    json_t *fields = json_array();
    size_t index;
    json_t *row;

    json_array_foreach((json_t *)changed, index, row)
        json_array_append(fields, json_object_get(row, "field"));
    same_json(name, fields, want);
    json_decref(fields);
}

static void check_submit(struct chat *chat, const char *name, const json_t *row)
{
    json_t *uploads = json_object();
    const char *wire = json_text(chat->plan.request, "wire");
    size_t index;
    json_t *key;
    json_t *body;
    char url[256];

    json_array_foreach(chat->plan.uploads, index, key) {
        snprintf(url, sizeof(url), "https://files.chatartpro.com/u/%s",
                 json_string_value(key) + 2);
        json_object_set_new(uploads, json_string_value(key), json_string(url));
    }
    json_object_set_new(chat->flow, "uploads", uploads);
    chat_turn(chat, NULL, 0);
    if (chat->step.kind != STEP_SEND)
        fail_msg("%s: %s", name, chat->step.error.text);
    assert_int_equal(chat->step.phase, PHASE_SUBMIT);
    assert_int_equal(chat->step.request.effect, HTTP_SPENDS);
    assert_string_equal(chat->step.request.method, "POST");
    assert_string_equal(chat->step.request.url,
                        strcmp(wire, "image") == 0
                            ? "https://api.chatartpro.com/web/art/create"
                            : "https://api.chatartpro.com/web/video/generate-video");
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        assert_string_equal(header(&chat->step.request, headers[i].name), headers[i].value);
    body = json_loads(chat->step.request.body, 0, NULL);
    same_json(name, body, json_object_get(row, "body"));
    json_decref(body);
}

static void requests_are_golden(void **state)
{
    json_t *rows = golden_load("tests/unit/chatart/requests.json");
    size_t index;
    json_t *row;

    (void)state;
    json_array_foreach(rows, index, row) {
        const char *name = golden_text(row, "name", "?");
        const char *field = golden_text(row, "error", NULL);
        struct chat chat;
        struct err err = {0};
        int rc = chat_open(&chat, golden_text(row, "tool", ""), json_object_get(row, "args"), &err);

        if (field) {
            if (rc == 0)
                fail_msg("%s: was taken", name);
            assert_int_equal(err.kind, ERR_INVALID);
            if (strcmp(err.field, field) != 0 || !strstr(err.text, golden_text(row, "says", "?")))
                fail_msg("%s: %s: %s", name, err.field, err.text);
            chat_close(&chat);
            continue;
        }
        if (rc)
            fail_msg("%s: %s", name, err.text);
        check_changed(name, chat.plan.changed, json_object_get(row, "changed"));
        if (chat.plan.cost != json_number_value(json_object_get(row, "cost")))
            fail_msg("%s: costs %g", name, chat.plan.cost);
        assert_string_equal(chat.plan.currency, "credits");
        assert_string_equal(chat.plan.model, golden_text(row, "model", chat.plan.model));
        assert_string_equal(chat.plan.prefix, golden_text(row, "prefix", chat.plan.prefix));
        check_submit(&chat, name, row);
        chat_close(&chat);
    }
    json_decref(rows);
}

/* ---- the signature ---- */

static const struct oss_put vector = {
    .key_id = "STS.NExampleKeyId",
    .secret = "ExampleSecret0001",
    .token = "ExampleSecurityToken==",
    .bucket = "files-chat-ai-figcube-com",
    .region = "us-west-1",
    .object = "chat-skill-upload/20260105/a1b2c3d4_cat pic.png",
    .mime = "image/png",
    .time = "20260105T080910Z",
};

static void signature_keeps_its_vector(void **state)
{
    struct arena arena = {0};
    char request[OSS_SIGNATURE_BYTES];
    char signature[OSS_SIGNATURE_BYTES];
    char time[20];

    (void)state;
    assert_string_equal(oss_canonical_uri(&arena, &vector),
                        "/files-chat-ai-figcube-com/chat-skill-upload/20260105/a1b2c3d4_cat%20pic.png");
    assert_int_equal(oss_sign(&arena, &vector, request, signature), 0);
    assert_string_equal(request, "d603096ddd23a85fc58eb7a3852719e9edcc5152b93042c4a062f8d5e7cc6aba");
    assert_string_equal(signature, "601b642a3724ad16f6cde73ffeb43d5fa79ccc521539648990b6a6592b86e3f7");
    assert_string_equal(oss_authorization(&arena, &vector),
                        "OSS4-HMAC-SHA256 Credential=STS.NExampleKeyId/20260105/us-west-1/oss/"
                        "aliyun_v4_request,Signature="
                        "601b642a3724ad16f6cde73ffeb43d5fa79ccc521539648990b6a6592b86e3f7");
    oss_time(NOW_MS, time);
    assert_string_equal(time, "20260105T080910Z");
    arena_done(&arena);
}

static void crc64_keeps_its_vector(void **state)
{
    uint64_t crc = crc64_add(crc64_add(0, "12345", 5), "6789", 4);

    (void)state;
    assert_true(crc == UINT64_C(11051210869376104954));
    assert_true(crc64_add(0, "", 0) == 0);
}

static void object_names_are_plain_and_random(void **state)
{
    struct arena arena = {0};
    const char *a = oss_object(&arena, "chat-skill-upload", "/w/my pic 图.png", "job_a", NOW_MS);
    const char *b = oss_object(&arena, "chat-skill-upload", "/v/my pic 图.png", "job_a", NOW_MS);
    const char *c = oss_object(&arena, "chat-skill-upload", "/w/my pic 图.png", "job_b", NOW_MS);
    static const char start[] = "chat-skill-upload/20260105/";

    (void)state;
    assert_memory_equal(a, start, sizeof(start) - 1);
    assert_string_equal(a + sizeof(start) - 1 + 16, "_my_pic____.png");
    assert_string_not_equal(a, b);
    assert_string_not_equal(a, c);
    arena_done(&arena);
}

/* ---- uploads ---- */

#define POLICY                                                                                     \
    "{\"code\":200,\"data\":{\"Credentials\":{\"AccessKeyId\":\"STS.Na\",\"AccessKeySecret\":"     \
    "\"Secret1\",\"SecurityToken\":\"Token1==\",\"Expiration\":\"%s\",\"region\":"                 \
    "\"oss-us-west-1\",\"bucket\":\"%s\"}}}"

static const char *policy(const char *until, const char *bucket)
{
    static char text[400];

    snprintf(text, sizeof(text), POLICY, until, bucket);
    return text;
}

static void chat_edit(struct chat *chat, const char *more)
{
    char text[600];
    struct err err = {0};
    json_t *args;

    snprintf(text, sizeof(text),
             "{\"prompt\":\"a\",\"model\":\"Nano Banana 2\",\"image\":{\"path\":\"/w/cat pic.png\","
             "\"mime\":\"image/png\",\"bytes\":9,\"key\":\"k1\"}%s}",
             more);
    args = args_of(text);
    assert_int_equal(chat_open(chat, "edit_image", args, &err), 0);
    json_decref(args);
    chat_turn(chat, NULL, 0);
}

static void put_ok(struct chat *chat, enum http_crc64 crc64)
{
    struct http_reply reply = golden_reply("", 0);

    reply.crc64 = crc64;
    chat_turn(chat, &reply, 0);
}

static void upload_uses_one_credential(void **state)
{
    struct chat chat;
    const struct http_request *request = &chat.step.request;

    (void)state;
    chat_edit(&chat, ",\"reference_images\":[{\"path\":\"/w/b.png\",\"mime\":\"image/png\",\"key\":\"k2\"}]");
    assert_string_equal(request->url, "https://api.chatartpro.com/web/file/get-upload-policy");
    assert_int_equal(chat.step.phase, PHASE_UPLOAD);
    assert_null(request->body);
    chat_hear(&chat, 200, policy("2026-01-05T09:09:10Z", "files-chat-ai-figcube-com"));
    assert_int_equal(chat.step.kind, STEP_SEND);
    assert_string_equal(request->method, "PUT");
    assert_int_equal(request->effect, HTTP_WRITES);
    assert_string_equal(request->body_path, "/w/cat pic.png");
    assert_string_equal(request->crc64_header, "x-oss-hash-crc64ecma");
    assert_non_null(strstr(request->url, "https://files-chat-ai-figcube-com.oss-us-west-1.aliyuncs.com/"
                                         "chat-skill-upload/20260105/"));
    assert_string_equal(header(request, "x-oss-date"), "20260105T080910Z");
    assert_string_equal(header(request, "x-oss-security-token"), "Token1==");
    assert_string_equal(header(request, "Content-Type"), "image/png");
    assert_string_equal(header(request, "Xskill-Authorization"), "");
    put_ok(&chat, HTTP_CRC64_SAME);
    assert_string_equal(chat.step.uploaded_key, "k1");
    assert_non_null(strstr(chat.step.uploaded_url, "https://files.chatartpro.com/chat-skill-upload/"));
    assert_true(chat.step.uploaded_keep_ms > 0);
    assert_string_equal(request->body_path, "/w/b.png"); /* no second credential */
    put_ok(&chat, HTTP_CRC64_UNTOLD);
    assert_int_equal(chat.step.phase, PHASE_SUBMIT);
    chat_close(&chat);
}

static void upload_after_a_restart_asks_anew(void **state)
{
    struct chat chat;

    (void)state;
    chat_edit(&chat, "");
    chat_hear(&chat, 200, policy("2026-01-05T09:09:10Z", "b"));
    assert_string_equal(chat.step.request.method, "PUT");
    json_object_clear(chat.secrets);
    chat_turn(&chat, NULL, 0);
    assert_non_null(strstr(chat.step.request.url, "/web/file/get-upload-policy"));
    chat_close(&chat);
}

static void upload_trouble_is_tried_again(void **state)
{
    static const struct {
        int status;
        const char *code;
        int retry, keeps;
    } cases[] = {{503, "ServiceUnavailable", 1, 1},  {408, "", 1, 1},
                 {403, "RequestTimeTooSkewed", 1, 1}, {403, "SecurityTokenExpired", 1, 0},
                 {400, "BadRequest", 1, 1},           {403, "SignatureDoesNotMatch", 0, 1}};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct chat chat;

        chat_edit(&chat, "");
        chat_hear(&chat, 200, policy("2026-01-05T09:09:10Z", "b"));
        snprintf(text, sizeof(text), "<Error><Code>%s</Code><ServerTime>2026-01-05T10:09:10.000Z"
                                     "</ServerTime></Error>", cases[i].code);
        chat_hear(&chat, cases[i].status, text);
        assert_int_equal(chat.step.kind, STEP_FAIL);
        assert_int_equal(chat.step.retry, cases[i].retry);
        assert_int_equal(json_object_get(chat.secrets, "policy") != NULL, cases[i].keeps);
        if (strcmp(cases[i].code, "RequestTimeTooSkewed") == 0) {
            chat_turn(&chat, NULL, 0);
            assert_string_equal(header(&chat.step.request, "x-oss-date"), "20260105T100910Z");
        }
        chat_close(&chat);
    }
}

static void upload_that_arrived_damaged_is_repeated(void **state)
{
    struct chat chat;

    (void)state;
    chat_edit(&chat, "");
    chat_hear(&chat, 200, policy("2026-01-05T09:09:10Z", "b"));
    put_ok(&chat, HTTP_CRC64_DIFFERS);
    assert_int_equal(chat.step.kind, STEP_FAIL);
    assert_true(chat.step.retry);
    assert_null(chat.step.uploaded_key);
    chat_turn(&chat, NULL, 0);
    assert_string_equal(chat.step.request.method, "PUT");
    chat_close(&chat);
}

static void odd_permissions_to_upload_are_refused(void **state)
{
    static const char *const bodies[] = {
        "{\"code\":200,\"data\":null}", "{\"code\":200,\"data\":{\"Credentials\":{}}}",
        "{\"code\":401,\"message\":\"no\"}", "[]"};

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        struct chat chat;

        chat_edit(&chat, "");
        chat_hear(&chat, 200, bodies[i]);
        assert_int_equal(chat.step.kind, STEP_FAIL);
        assert_false(chat.step.retry);
        chat_close(&chat);
    }
    struct chat chat;

    chat_edit(&chat, "");
    chat_hear(&chat, 200, policy("2026-01-05T09:09:10Z", "evil.example/"));
    assert_int_equal(chat.step.kind, STEP_FAIL);
    chat_close(&chat);
}

/* ---- submit ---- */

static void submit_lost_is_unknown(void **state)
{
    static const struct {
        enum http_outcome outcome;
        int sent, kind;
    } cases[] = {{HTTP_NOT_SENT, 0, STEP_FAIL},
                 {HTTP_LOST, 1, STEP_UNKNOWN},
                 {HTTP_TRUNCATED, 1, STEP_UNKNOWN},
                 {HTTP_CANCELLED, 0, STEP_FAIL}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *args = args_of("{\"prompt\":\"a\"}");
        struct chat chat;
        struct err err;

        assert_int_equal(chat_open(&chat, "generate_image", args, &err), 0);
        json_decref(args);
        chat_turn(&chat, NULL, 0);
        chat_lose(&chat, cases[i].outcome, cases[i].sent);
        assert_int_equal(chat.step.kind, cases[i].kind);
        assert_int_equal(chat.step.retry, cases[i].kind == STEP_FAIL);
        chat_turn(&chat, NULL, 0);
        assert_int_equal(chat.step.kind, cases[i].kind == STEP_FAIL ? STEP_SEND : STEP_UNKNOWN);
        chat_close(&chat);
    }
}

/* The connection ended before the transfer did, but after the answer. */
static void submit_whole_in_a_cut_transfer(void **state)
{
    static const struct {
        const char *text;
        int kind;
    } cases[] = {{"{\"code\":200,\"data\":{\"question_id\":\"q_1\"}}", STEP_WAIT},
                 {"{\"code\":200,\"data\":{\"question_id\":\"q_", STEP_UNKNOWN},
                 {"{\"code\":200", STEP_UNKNOWN}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *args = args_of("{\"prompt\":\"a\"}");
        struct http_reply reply = golden_reply(cases[i].text, strlen(cases[i].text));
        struct chat chat;
        struct err err;

        assert_int_equal(chat_open(&chat, "generate_image", args, &err), 0);
        json_decref(args);
        chat_turn(&chat, NULL, 0);
        reply.status = 200;
        reply.sent = 1;
        reply.outcome = HTTP_TRUNCATED;
        reply.error = "the answer ended early";
        chat_turn(&chat, &reply, 0);
        assert_int_equal(chat.step.kind, cases[i].kind);
        chat_close(&chat);
    }
}

static void submit_across_a_crash_is_unknown(void **state)
{
    json_t *args = args_of("{\"prompt\":\"a\"}");
    struct chat chat;
    struct err err;

    (void)state;
    assert_int_equal(chat_open(&chat, "generate_image", args, &err), 0);
    json_decref(args);
    chat_turn(&chat, NULL, 0);
    chat_turn(&chat, NULL, 1);
    assert_int_equal(chat.step.kind, STEP_UNKNOWN);
    chat_close(&chat);
}

static void codes_have_their_meaning(void **state)
{
    static const struct {
        int status;
        const char *body;
        int step, retry;
        enum err_kind kind;
        const char *advice;
    } cases[] = {
        {200, "{\"code\":10058,\"message\":\"x\"}", STEP_FAIL, 0, ERR_CREDITS, "chatart.credits"},
        {200, "{\"code\":\"10058\",\"message\":\"x\"}", STEP_FAIL, 0, ERR_CREDITS, "chatart.credits"},
        {200, "{\"code\":4100}", STEP_FAIL, 0, ERR_CREDITS, "chatart.credits"},
        {200, "{\"code\":30027}", STEP_FAIL, 0, ERR_CREDITS, "chatart.plan"},
        {200, "{\"code\":4007}", STEP_FAIL, 1, ERR_BUSY, "chatart.busy"},
        {200, "{\"code\":5003}", STEP_FAIL, 1, ERR_RATE_LIMITED, "chatart.later"},
        {200, "{\"code\":6001,\"message\":\"badword\"}", STEP_FAIL, 0, ERR_MODERATED, "chatart.words"},
        {200, "{\"code\":10061,\"message\":\"badword\"}", STEP_FAIL, 0, ERR_MODERATED, "chatart.words"},
        {200, "{\"code\":5000}", STEP_FAIL, 0, ERR_UNAVAILABLE, "chatart.trouble"},
        {200, "{\"code\":4000}", STEP_FAIL, 0, ERR_INVALID, NULL},
        {200, "{\"code\":401}", STEP_FAIL, 0, ERR_AUTH, "chatart.login"},
        {200, "{\"code\":77777,\"message\":\"x\"}", STEP_FAIL, 0, ERR_ANSWER, NULL},
        {401, "", STEP_FAIL, 0, ERR_AUTH, "chatart.login"},
        {500, "", STEP_UNKNOWN, 0, ERR_ANSWER, NULL},
        {504, "", STEP_UNKNOWN, 0, ERR_ANSWER, NULL},
        {200, "<html>", STEP_UNKNOWN, 0, ERR_ANSWER, NULL},
        {200, "{\"code\":200,\"data\":null}", STEP_UNKNOWN, 0, ERR_ANSWER, NULL},
        {200, "{\"code\":200,\"data\":{\"question_id\":8812731}}", STEP_WAIT, 0, ERR_NONE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *args = args_of("{\"prompt\":\"a\"}");
        struct chat chat;
        struct err err;

        assert_int_equal(chat_open(&chat, "generate_image", args, &err), 0);
        json_decref(args);
        chat_turn(&chat, NULL, 0);
        chat_hear(&chat, cases[i].status, cases[i].body);
        if ((int)chat.step.kind != cases[i].step || chat.step.error.kind != cases[i].kind ||
            chat.step.retry != cases[i].retry)
            fail_msg("%d %s: step %d, %s", cases[i].status, cases[i].body, chat.step.kind,
                     chat.step.error.text);
        assert_null(strstr(chat.step.error.text, "badword"));
        if (cases[i].advice)
            assert_string_equal(chat.step.error.advice, cases[i].advice);
        else
            assert_null(chat.step.error.advice);
        chat_close(&chat);
    }
}

/* ---- states ---- */

static void poll_asks_in_query_and_body(void **state)
{
    struct chat chat;

    (void)state;
    chat_waiting(&chat);
    assert_string_equal(chat.step.request.method, "GET");
    assert_string_equal(chat.step.request.url,
                        "https://api.chatartpro.com/web/art/get-draw-task?question_id=q_1");
    assert_string_equal(chat.step.request.body, "{\"question_id\":\"q_1\"}");
    /* After a time-out, the very same: the id is never lost. */
    chat_lose(&chat, HTTP_LOST, 1);
    assert_true(chat.step.retry);
    chat_turn(&chat, NULL, 1);
    assert_string_equal(chat.step.request.body, "{\"question_id\":\"q_1\"}");
    chat_close(&chat);
}

static void states_may_be_texts_and_odd(void **state)
{
    static const struct {
        const char *data;
        int step;
        const char *word;
    } cases[] = {
        {"{\"status\":0,\"message\":[]}", STEP_WAIT, NULL},
        {"{\"status\":\"0\",\"message\":null}", STEP_WAIT, NULL},
        {"{\"status\":\"init\"}", STEP_WAIT, NULL},
        {"{\"status\":3}", STEP_WAIT, "3"},
        {"{}", STEP_WAIT, "(none)"},
        {"{\"status\":1,\"message\":[{\"url\":\"https://files.chatartpro.com/a.png\"}]}", STEP_DONE, NULL},
        {"{\"status\":\"1\",\"message\":{\"url\":\"https://files.chatartpro.com/a.mp4\"}}", STEP_DONE, NULL},
        {"{\"status\":1,\"message\":{}}", STEP_WAIT, NULL},
        {"{\"status\":2,\"error\":\"\",\"real_error\":\"out of luck\"}", STEP_FAIL, NULL},
        {"{\"status\":\"2\",\"error\":\"Content policy violation\"}", STEP_FAIL, NULL},
    };
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct chat chat;

        chat_waiting(&chat);
        snprintf(text, sizeof(text), "{\"code\":\"200\",\"data\":%s}", cases[i].data);
        chat_hear(&chat, 200, text);
        if ((int)chat.step.kind != cases[i].step)
            fail_msg("%s: step %d", cases[i].data, chat.step.kind);
        if (cases[i].word)
            assert_string_equal(chat.step.unknown_word, cases[i].word);
        else
            assert_null(chat.step.unknown_word);
        if (chat.step.kind == STEP_DONE) {
            assert_int_equal(chat.step.results_count, 1);
            chat_turn(&chat, NULL, 0);
            assert_int_equal(chat.step.kind, STEP_DONE); /* said again */
            assert_int_equal(chat.step.results_count, 1);
        }
        chat_close(&chat);
    }
}

static void failures_say_why(void **state)
{
    struct chat chat;

    (void)state;
    chat_waiting(&chat);
    chat_hear(&chat, 200, "{\"code\":200,\"data\":{\"status\":2,\"error\":\"Content policy violation\"}}");
    assert_int_equal(chat.step.error.kind, ERR_MODERATED);
    chat_turn(&chat, NULL, 0);
    assert_int_equal(chat.step.error.kind, ERR_MODERATED);
    chat_close(&chat);
    chat_waiting(&chat);
    chat_hear(&chat, 200, "{\"code\":200,\"data\":{\"status\":2,\"output_message\":\"no luck\"}}");
    assert_int_equal(chat.step.error.kind, ERR_UNAVAILABLE);
    assert_non_null(strstr(chat.step.error.text, "no luck"));
    chat_close(&chat);
}

static void the_real_cost_is_told(void **state)
{
    struct chat chat;

    (void)state;
    chat_waiting(&chat);
    chat_hear(&chat, 200, "{\"code\":200,\"data\":{\"status\":1,\"cost_credit\":\"6\",\"message\":"
                          "[{\"url\":\"https://files.chatartpro.com/a.png\"}]}}");
    assert_true(chat.step.cost == 6);
    assert_string_equal(chat.step.currency, "credits");
    chat_close(&chat);
}

static void finished_without_a_result_ends(void **state)
{
    struct chat chat;
    int turns = 0;

    (void)state;
    chat_waiting(&chat);
    do {
        chat_hear(&chat, 200, "{\"code\":200,\"data\":{\"status\":1,\"message\":[]}}");
    } while (chat.step.kind == STEP_WAIT && ++turns < 20);
    assert_int_equal(chat.step.kind, STEP_FAIL);
    assert_int_equal(chat.step.error.kind, ERR_ANSWER);
    chat_close(&chat);
}

static void poll_trouble_is_tried_again(void **state)
{
    static const struct {
        int status;
        const char *body;
        int retry;
    } cases[] = {{500, "", 1},
                 {429, "", 1},
                 {200, "{\"code\":200,\"dat", 1},
                 {200, "{\"code\":5003}", 1},
                 {200, "{\"code\":200,\"data\":null}", 1},
                 {200, "{\"code\":401}", 1}, /* paid for: who logs in again gets it */
                 {200, "{\"code\":4004}", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct chat chat;

        chat_waiting(&chat);
        chat_hear(&chat, cases[i].status, cases[i].body);
        assert_int_equal(chat.step.kind, STEP_FAIL);
        if (chat.step.retry != cases[i].retry)
            fail_msg("%d %s", cases[i].status, cases[i].body);
        chat_turn(&chat, NULL, 0);
        assert_int_equal(chat.step.kind, cases[i].retry ? STEP_SEND : STEP_FAIL);
        chat_close(&chat);
    }
}

static void without_login_nothing_is_sent(void **state)
{
    json_t *args = args_of("{\"prompt\":\"a\"}");
    struct chat chat;
    struct err err;

    (void)state;
    assert_int_equal(chat_open(&chat, "generate_image", args, &err), 0);
    json_decref(args);
    chat.account.signed_in = 0;
    chat_turn(&chat, NULL, 0);
    assert_int_equal(chat.step.kind, STEP_FAIL);
    assert_int_equal(chat.step.error.kind, ERR_AUTH);
    assert_string_equal(chat.step.error.advice, "chatart.login");
    chat_close(&chat);
}

/* ---- login ---- */

#define DEVICE "pro-chatart-skill-3fe630a13cfb7e80"
#define INIT                                                                                       \
    "{\"code\":200,\"data\":{\"identity_id\":\"" DEVICE "\",\"verification_uri\":\"https://a/\","  \
    "\"verification_uri_complete\":\"https://a/?code=1\",\"token_endpoint\":\"https://b/token\","  \
    "\"interval\":2,\"expires_in\":600}}"
#define APPROVED(more)                                                                             \
    "{\"code\":200,\"data\":{\"member_id\":348812,\"email\":\"lin@example.com\",\"name\":\"Lin\","  \
    "\"remain_credit\":1240" more "}}"

static void login_begin(struct chat *chat)
{
    json_t *args = args_of("{\"device\":\"" DEVICE "\"}");
    struct err err;

    assert_int_equal(chat_open(chat, "account", args, &err), 0);
    json_decref(args);
    chat->account.signed_in = 0;
    assert_string_equal(chat->plan.kind, "login");
    chat_turn(chat, NULL, 0);
    assert_string_equal(chat->step.request.url, "https://api.chatartpro.com/web/xskill/init");
    assert_string_equal(chat->step.request.body, "{\"identity_id\":\"" DEVICE "\"}");
    assert_int_equal(chat->step.request.headers_count, 1); /* there is no account yet */
    assert_int_equal(chat->step.request.effect, HTTP_READS);
    chat_hear(chat, 200, INIT);
    assert_int_equal(chat->step.kind, STEP_WAIT);
    assert_int_equal(chat->step.not_before_ms, 2000);
    assert_string_equal(json_text(chat->flow, "link"), "https://a/?code=1");
    chat_turn(chat, NULL, 0);
    assert_string_equal(chat->step.request.url, "https://b/token");
    assert_string_equal(chat->step.request.body, "{\"identity_id\":\"" DEVICE "\"}");
}

static void login_answers(void **state)
{
    static const struct {
        int status;
        const char *body;
        int step;
        enum err_kind kind;
    } cases[] = {
        {202, "{}", STEP_WAIT, ERR_NONE},
        {204, "", STEP_WAIT, ERR_NONE},
        {400, "", STEP_WAIT, ERR_NONE},
        {428, "", STEP_WAIT, ERR_NONE},
        {500, "", STEP_WAIT, ERR_NONE},
        {200, "{\"code\":10099,\"message\":\"waiting\"}", STEP_WAIT, ERR_NONE},
        {200, APPROVED(""), STEP_WAIT, ERR_NONE},
        {200, APPROVED(",\"api_key\":\"\",\"identity_id\":\"" DEVICE "\""), STEP_WAIT, ERR_NONE},
        {200, APPROVED(",\"api_key\":\"sk-ca-1\""), STEP_WAIT, ERR_NONE},
        {200, "{\"code\":10007,\"message\":\"x\"}", STEP_FAIL, ERR_EXPIRED},
        {200, "{\"code\":\"10048\",\"message\":\"x\"}", STEP_FAIL, ERR_EXPIRED},
        {403, "", STEP_FAIL, ERR_AUTH},
        {404, "", STEP_FAIL, ERR_EXPIRED},
        {410, "", STEP_FAIL, ERR_EXPIRED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct chat chat;

        login_begin(&chat);
        chat_hear(&chat, cases[i].status, cases[i].body);
        if ((int)chat.step.kind != cases[i].step || chat.step.error.kind != cases[i].kind)
            fail_msg("%d %s: %d %s", cases[i].status, cases[i].body, chat.step.kind,
                     chat.step.error.text);
        assert_null(chat.step.credential);
        chat_close(&chat);
    }
}

static void login_brings_the_credential(void **state)
{
    struct chat chat;
    json_t *want = args_of(
        "{\"uid\":348812,\"api_key\":\"sk-ca-1\",\"email\":\"lin@example.com\",\"name\":\"Lin\","
        "\"team_id\":\"\",\"role\":\"\",\"charge_type\":\"\",\"remain_credit\":1240,"
        "\"created_at\":\"2026-01-05T08:09:10.000000+00:00\",\"token\":\"\",\"identity_id\":\"" DEVICE
        "\"}");

    (void)state;
    login_begin(&chat);
    chat_hear(&chat, 200,
              APPROVED(",\"api_key\":\"sk-ca-1\",\"identity_id\":\"" DEVICE "\""));
    assert_int_equal(chat.step.kind, STEP_DONE);
    assert_int_equal(chat.step.results_count, 0);
    same_json("credential", chat.step.credential, want);
    chat_turn(&chat, NULL, 0);
    assert_int_equal(chat.step.kind, STEP_DONE);
    chat_close(&chat);
    json_decref(want);
}

static void login_stored_before_a_crash_is_done(void **state)
{
    struct chat chat;

    (void)state;
    login_begin(&chat);
    chat.account.signed_in = 1;
    chat_hear(&chat, 404, "");
    assert_int_equal(chat.step.kind, STEP_DONE);
    chat_close(&chat);
}

static void login_without_link_fails(void **state)
{
    json_t *args = args_of("{\"device\":\"" DEVICE "\"}");
    struct chat chat;
    struct err err;

    (void)state;
    assert_int_equal(chat_open(&chat, "account", args, &err), 0);
    json_decref(args);
    chat_turn(&chat, NULL, 0);
    chat_hear(&chat, 200, "{\"code\":200,\"data\":{\"identity_id\":\"x\"}}");
    assert_int_equal(chat.step.kind, STEP_FAIL);
    assert_false(chat.step.retry);
    chat_close(&chat);
    args = args_of("{\"device\":\"" DEVICE "\"}");
    assert_int_equal(chat_open(&chat, "account", args, &err), 0);
    json_decref(args);
    chat_turn(&chat, NULL, 0);
    chat_lose(&chat, HTTP_LOST, 1);
    assert_true(chat.step.retry);
    chat_close(&chat);
}

/* ---- the account ---- */

static void account_questions(void **state)
{
    struct provider_account account = {.base_url = "https://h", .headers = headers, .headers_count = 6};
    json_t *args = args_of("{\"kind\":\"video\",\"page\":2,\"from\":\"2026-01-01\"}");
    struct arena arena = {0};
    struct http_request request;
    struct err err = {0};

    (void)state;
    assert_int_equal(chatart_ask(&account, "credits", NULL, &arena, &request, &err), 0);
    assert_string_equal(request.url, "https://h/web/member/user-diamond");
    assert_string_equal(request.method, "POST");
    assert_int_equal(chatart_ask(&account, "usage", args, &arena, &request, &err), 0);
    assert_string_equal(request.url, "https://h/web/video/history");
    assert_string_equal(request.method, "GET");
    assert_string_equal(request.body, "{\"page\":\"2\",\"per_page\":\"20\",\"start_time\":\"2026-01-01\"}");
    assert_int_equal(chatart_ask(&account, "unbind", NULL, &arena, &request, &err), 0);
    assert_string_equal(request.url, "https://h/user/get-unbind-device");
    json_decref(args);
    arena_done(&arena);
}

static json_t *told(const char *action, const char *body, struct err *err)
{
    struct http_reply reply = golden_reply(body, strlen(body));
    json_t *facts;

    memset(err, 0, sizeof(*err));
    chatart_told(NULL, action, NULL, &reply, &facts, err);
    return facts;
}

static void account_answers(void **state)
{
    struct err err;
    json_t *want = args_of("{\"usage\":[{\"id\":7731,\"state\":\"completed\",\"created\":5,\"url\":\"u\"},"
                           "{\"id\":7730,\"state\":\"failed\",\"created\":4,\"error\":\"no\"},"
                           "{\"id\":7729,\"state\":\"working\",\"created\":3},"
                           "{\"id\":7728,\"state\":\"pending\",\"created\":2}],\"total\":4,\"page\":1}");
    json_t *facts = told("credits", "{\"code\":200,\"data\":{\"diamond\":980}}", &err);

    (void)state;
    assert_int_equal(json_int(facts, "credits", -1), 980);
    json_decref(facts);
    facts = told("usage",
                 "{\"code\":200,\"data\":{\"current_page\":1,\"total\":4,\"data\":["
                 "{\"id\":7731,\"create_at\":5,\"status\":1,\"file\":[{\"status\":1,\"url\":\"u\"}]},"
                 "{\"id\":7730,\"create_at\":4,\"status\":2,\"file\":[],\"error_message\":\"no\"},"
                 "{\"id\":7729,\"create_at\":3,\"is_drawing\":1,\"pic_url\":[{\"status\":0}]},"
                 "{\"id\":7728,\"create_at\":2,\"status\":0}]}}", &err);
    same_json("usage", facts, want);
    json_decref(facts);
    json_decref(want);
    assert_null(told("credits", "{\"code\":401}", &err));
    assert_int_equal(err.kind, ERR_AUTH);
    facts = told("unbind", "{\"code\":200,\"data\":true}", &err);
    assert_non_null(facts);
    json_decref(facts);
    facts = told("unbind", "{\"code\":1053,\"msg\":\"not bound\"}", &err);
    assert_non_null(facts);
    json_decref(facts);
    assert_null(told("unbind", "{\"code\":200,\"data\":false}", &err));
    assert_int_not_equal(err.kind, ERR_NONE);
}

/* ---- the catalogue ---- */

static void catalogue_is_whole(void **state)
{
    json_t *catalog = golden_load("manifests/providers/chatart.json");
    json_t *wire = json_object_get(catalog, "wire");
    const char *name;
    size_t index;
    json_t *model;
    json_t *mode;

    (void)state;
    json_array_foreach(json_object_get(catalog, "models"), index, model) {
        const char *kind = golden_text(model, "kind", "");
        json_t *prices = json_object_get(model, "prices");
        size_t n;
        json_t *text;

        assert_true(*golden_text(model, "code", ""));
        assert_true(json_int(model, "typical_ms", 0) > 0);
        json_array_foreach(json_object_get(model, "ratios"), n, text)
            assert_true(json_int(json_object_get(wire, "picture_scales"), json_string_value(text), 0) > 0);
        json_array_foreach(json_object_get(model, "resolutions"), n, text) {
            assert_true(json_int(json_object_get(wire, "image_definitions"), json_string_value(text), 0) > 0);
            if (!json_object_get(model, "qualities"))
                assert_true(json_int(prices, json_string_value(text), 0) > 0);
        }
        json_object_foreach(json_object_get(model, "modes"), name, mode)
            json_array_foreach(json_object_get(mode, "resolutions"), n, text)
                assert_true(json_int(prices, json_string_value(text), 0) > 0);
        json_array_foreach(json_object_get(model, "aliases"), n, text)
            assert_ptr_equal(chatart_model(catalog, kind, json_string_value(text)), model);
    }
    json_decref(catalog);
}

static void catalogue_keeps_its_schema(void **state)
{
    json_t *schema = golden_load("manifests/schema/chatart.schema.json");
    json_t *catalog = golden_load("manifests/providers/chatart.json");
    const char *code;
    json_t *rule;

    (void)state;
    schema_validate(schema, catalog, "");
    json_object_foreach(json_object_get(catalog, "codes"), code, rule)
        assert_string_equal(err_kind_name(err_kind_by_name(golden_text(rule, "kind", ""))),
                            golden_text(rule, "kind", ""));
    json_decref(schema);
    json_decref(catalog);
}

static void models_are_listed(void **state)
{
    struct provider_account account = {.base_url = "https://h"};
    json_t *rows = provider_chatart.models(&account);

    (void)state;
    assert_int_equal(json_array_size(rows), 13);
    json_decref(rows);
}

/* ---- memory ---- */

/* Every allocation in turn fails, those of jansson too: a clear error, or the very same request. */
static void plan_and_submit_survive_without_memory(void **state)
{
    json_t *rows = golden_load("tests/unit/chatart/requests.json");
    long walked = 0;
    size_t index;
    json_t *row;

    (void)state;
    json_array_foreach(rows, index, row) {
        if (json_object_get(row, "error") || json_object_get(row, "changed") == NULL)
            continue;
        for (long n = 1;; n++) {
            struct chat chat;
            struct err err = {0};
            struct provider_turn turn = {.reply = NULL};
            long before = mem_count();
            int over, rc;

            mem_fail_after(n, 1);
            rc = chat_open(&chat, golden_text(row, "tool", ""), json_object_get(row, "args"), &err);
            over = mem_count() < before + n;
            if (rc == 0 && chat.flow && chat.secrets) {
                turn.account = &chat.account;
                turn.request = chat.plan.request;
                turn.flow = chat.flow;
                turn.secrets = chat.secrets;
                turn.job_id = "job_test";
                turn.now_ms = NOW_MS;
                turn.arena = &chat.arena;
                provider_chatart.next(&turn, &chat.step);
                over = mem_count() < before + n;
            }
            mem_fail_after(0, 0);
            if (rc && !over && err.kind != ERR_NOMEM)
                fail_msg("%s, allocation %ld: %s", golden_text(row, "name", "?"), n, err.text);
            if (rc == 0 && turn.arena && chat.step.kind != STEP_SEND) {
                assert_int_equal(chat.step.kind, STEP_FAIL);
                assert_true(chat.step.retry);
            }
            chat_close(&chat);
            walked++;
            if (over)
                break;
        }
    }
    assert_true(walked > 1000);
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_golden),
        cmocka_unit_test(signature_keeps_its_vector),
        cmocka_unit_test(crc64_keeps_its_vector),
        cmocka_unit_test(object_names_are_plain_and_random),
        cmocka_unit_test(upload_uses_one_credential),
        cmocka_unit_test(upload_after_a_restart_asks_anew),
        cmocka_unit_test(upload_trouble_is_tried_again),
        cmocka_unit_test(upload_that_arrived_damaged_is_repeated),
        cmocka_unit_test(odd_permissions_to_upload_are_refused),
        cmocka_unit_test(submit_lost_is_unknown),
        cmocka_unit_test(submit_whole_in_a_cut_transfer),
        cmocka_unit_test(submit_across_a_crash_is_unknown),
        cmocka_unit_test(codes_have_their_meaning),
        cmocka_unit_test(poll_asks_in_query_and_body),
        cmocka_unit_test(states_may_be_texts_and_odd),
        cmocka_unit_test(failures_say_why),
        cmocka_unit_test(the_real_cost_is_told),
        cmocka_unit_test(finished_without_a_result_ends),
        cmocka_unit_test(poll_trouble_is_tried_again),
        cmocka_unit_test(without_login_nothing_is_sent),
        cmocka_unit_test(login_answers),
        cmocka_unit_test(login_brings_the_credential),
        cmocka_unit_test(login_stored_before_a_crash_is_done),
        cmocka_unit_test(login_without_link_fails),
        cmocka_unit_test(account_questions),
        cmocka_unit_test(account_answers),
        cmocka_unit_test(catalogue_is_whole),
        cmocka_unit_test(catalogue_keeps_its_schema),
        cmocka_unit_test(models_are_listed),
        cmocka_unit_test(plan_and_submit_survive_without_memory),
    };

    json_object_seed(1);
    json_set_alloc_funcs(golden_alloc, mem_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
