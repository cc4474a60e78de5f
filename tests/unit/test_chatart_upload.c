/*
 * Files of the chatart adapter: the signature against its vector, the sum over a file, and an
 * upload with a temporary credential that stays in memory.
 */
#include "base/crc64.h"
#include "unit/chatart_rig.h"

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
    assert_string_equal(
        oss_canonical_uri(&arena, &vector),
        "/files-chat-ai-figcube-com/chat-skill-upload/20260105/a1b2c3d4_cat%20pic.png");
    assert_int_equal(oss_sign(&arena, &vector, request, signature), 0);
    assert_string_equal(request,
                        "d603096ddd23a85fc58eb7a3852719e9edcc5152b93042c4a062f8d5e7cc6aba");
    assert_string_equal(signature,
                        "601b642a3724ad16f6cde73ffeb43d5fa79ccc521539648990b6a6592b86e3f7");
    assert_string_equal(oss_authorization(&arena, &vector),
                        "OSS4-HMAC-SHA256 Credential=STS.NExampleKeyId/20260105/us-west-1/oss/"
                        "aliyun_v4_request,Signature="
                        "601b642a3724ad16f6cde73ffeb43d5fa79ccc521539648990b6a6592b86e3f7");
    oss_time(CHAT_NOW_MS, time);
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
    const char *a =
        oss_object(&arena, "chat-skill-upload", "/w/my pic 图.png", "job_a", CHAT_NOW_MS);
    const char *b =
        oss_object(&arena, "chat-skill-upload", "/v/my pic 图.png", "job_a", CHAT_NOW_MS);
    const char *c =
        oss_object(&arena, "chat-skill-upload", "/w/my pic 图.png", "job_b", CHAT_NOW_MS);
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

static void edit_begin(struct talk *talk, const char *more)
{
    char text[600];

    snprintf(text, sizeof(text),
             "{\"prompt\":\"a\",\"model\":\"Nano Banana 2\",\"image\":{\"path\":\"/w/cat pic.png\","
             "\"mime\":\"image/png\",\"bytes\":9,\"key\":\"k1\"}%s}",
             more);
    chat_begin(talk, "edit_image", text);
}

static void put_ok(struct talk *talk, enum http_crc64 crc64)
{
    struct http_reply reply = golden_reply("", 0);

    reply.crc64 = crc64;
    talk_turn(talk, &reply, 0);
}

static void upload_uses_one_credential(void **state)
{
    struct talk talk;
    const struct http_request *request = &talk.step.request;

    (void)state;
    edit_begin(
        &talk,
        ",\"reference_images\":[{\"path\":\"/w/b.png\",\"mime\":\"image/png\",\"key\":\"k2\"}]");
    assert_string_equal(request->url, "https://api.chatartpro.com/web/file/get-upload-policy");
    assert_int_equal(talk.step.phase, PHASE_UPLOAD);
    assert_null(request->body);
    talk_hear(&talk, 200, policy("2026-01-05T09:09:10Z", "files-chat-ai-figcube-com"));
    assert_int_equal(talk.step.kind, STEP_SEND);
    assert_string_equal(request->method, "PUT");
    assert_int_equal(request->effect, HTTP_WRITES);
    assert_string_equal(request->body_path, "/w/cat pic.png");
    assert_string_equal(request->crc64_header, "x-oss-hash-crc64ecma");
    assert_non_null(strstr(request->url,
                           "https://files-chat-ai-figcube-com.oss-us-west-1.aliyuncs.com/"
                           "chat-skill-upload/20260105/"));
    assert_string_equal(golden_header(request, "x-oss-date"), "20260105T080910Z");
    assert_string_equal(golden_header(request, "x-oss-security-token"), "Token1==");
    assert_string_equal(golden_header(request, "Content-Type"), "image/png");
    assert_null(golden_header(request, "Xskill-Authorization"));
    put_ok(&talk, HTTP_CRC64_SAME);
    assert_string_equal(talk.step.uploaded_key, "k1");
    assert_non_null(
        strstr(talk.step.uploaded_url, "https://files.chatartpro.com/chat-skill-upload/"));
    assert_true(talk.step.uploaded_keep_ms > 0);
    assert_string_equal(request->body_path, "/w/b.png"); /* no second credential */
    put_ok(&talk, HTTP_CRC64_UNTOLD);
    assert_int_equal(talk.step.phase, PHASE_SUBMIT);
    talk_close(&talk);
}

static void upload_after_a_restart_asks_anew(void **state)
{
    struct talk talk;

    (void)state;
    edit_begin(&talk, "");
    talk_hear(&talk, 200, policy("2026-01-05T09:09:10Z", "b"));
    assert_string_equal(talk.step.request.method, "PUT");
    json_object_clear(talk.secrets);
    talk_wake(&talk);
    assert_non_null(strstr(talk.step.request.url, "/web/file/get-upload-policy"));
    talk_close(&talk);
}

static void upload_trouble_is_tried_again(void **state)
{
    static const struct {
        int status;
        const char *code;
        int retry, keeps;
    } cases[] = {{503, "ServiceUnavailable", 1, 1},   {408, "", 1, 1},
                 {403, "RequestTimeTooSkewed", 1, 1}, {403, "SecurityTokenExpired", 1, 0},
                 {400, "BadRequest", 1, 1},           {403, "SignatureDoesNotMatch", 0, 1}};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct talk talk;

        edit_begin(&talk, "");
        talk_hear(&talk, 200, policy("2026-01-05T09:09:10Z", "b"));
        snprintf(text, sizeof(text),
                 "<Error><Code>%s</Code><ServerTime>2026-01-05T10:09:10.000Z"
                 "</ServerTime></Error>",
                 cases[i].code);
        talk_hear(&talk, cases[i].status, text);
        assert_int_equal(talk.step.kind, STEP_FAIL);
        assert_int_equal(talk.step.retry, cases[i].retry);
        assert_int_equal(json_object_get(talk.secrets, "policy") != NULL, cases[i].keeps);
        if (strcmp(cases[i].code, "RequestTimeTooSkewed") == 0) {
            talk_wake(&talk);
            assert_string_equal(golden_header(&talk.step.request, "x-oss-date"),
                                "20260105T100910Z");
        }
        talk_close(&talk);
    }
}

static void upload_that_arrived_damaged_is_repeated(void **state)
{
    struct talk talk;

    (void)state;
    edit_begin(&talk, "");
    talk_hear(&talk, 200, policy("2026-01-05T09:09:10Z", "b"));
    put_ok(&talk, HTTP_CRC64_DIFFERS);
    assert_int_equal(talk.step.kind, STEP_FAIL);
    assert_true(talk.step.retry);
    assert_null(talk.step.uploaded_key);
    talk_wake(&talk);
    assert_string_equal(talk.step.request.method, "PUT");
    talk_close(&talk);
}

static void odd_permissions_to_upload_are_refused(void **state)
{
    const char *const bodies[] = {
        "{\"code\":200,\"data\":null}", "{\"code\":200,\"data\":{\"Credentials\":{}}}",
        "{\"code\":401,\"message\":\"no\"}", "[]", policy("2026-01-05T09:09:10Z", "evil.example/")};

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        struct talk talk;

        edit_begin(&talk, "");
        talk_hear(&talk, 200, bodies[i]);
        assert_int_equal(talk.step.kind, STEP_FAIL);
        if (i < 4)
            assert_false(talk.step.retry);
        talk_close(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_keeps_its_vector),
        cmocka_unit_test(crc64_keeps_its_vector),
        cmocka_unit_test(object_names_are_plain_and_random),
        cmocka_unit_test(upload_uses_one_credential),
        cmocka_unit_test(upload_after_a_restart_asks_anew),
        cmocka_unit_test(upload_trouble_is_tried_again),
        cmocka_unit_test(upload_that_arrived_damaged_is_repeated),
        cmocka_unit_test(odd_permissions_to_upload_are_refused),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
