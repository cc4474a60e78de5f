/*
 * What the LibTV adapter makes of the messages of a turn: which addresses are results and whose,
 * when a turn is over, what a failure is, which troubles pass and which end it.
 */
#include "unit/libtv_rig.h"

/* ---- results (L15 - L18) ---- */

struct heard {
    const char *name;
    const char *messages;
    const char *urls[3];
    enum provider_step_kind kind;
};

static void results_are_found(void **state)
{
    static const struct heard cases[] = {
        {"nothing yet", "", {NULL}, STEP_WAIT},
        {"at work", CALL("2"), {NULL}, STEP_WAIT},
        {"done",
         CALLED(VIDEO(MEDIA "a.mp4")) "," SAYS("4", "Done: " MEDIA "a.mp4 (6 s)"),
         {MEDIA "a.mp4"},
         STEP_DONE},
        {"agent only", SAYS("2", "看这里：" MEDIA "a.mp4。好了"), {MEDIA "a.mp4"}, STEP_DONE},
        {"punctuation",
         SAYS("2", "(" MEDIA "a.mp4). And `" MEDIA "b.png`, [" MEDIA "c.webm]"),
         {MEDIA "a.mp4", MEDIA "b.png", MEDIA "c.webm"},
         STEP_DONE},
        {"twice",
         CALLED(VIDEO(MEDIA "a.mp4")) "," SAYS("4", MEDIA "b.png " MEDIA "a.mp4"),
         {MEDIA "a.mp4", MEDIA "b.png"},
         STEP_DONE},
        {"other host",
         SAYS("2", "https://medeo-res.liblib.art/sd-gen-save-img/a.mp4"),
         {NULL},
         STEP_WAIT},
        {"other host of a tool",
         CALLED(VIDEO("https://evil.example/sd-gen-save-img/a.mp4")) "," SAYS("4", "ok"),
         {NULL},
         STEP_WAIT},
        {"other folder", SAYS("2", "https://libtv-res.liblib.art/other/a.mp4"), {NULL}, STEP_WAIT},
        {"plain HTTP", SAYS("2", "http://libtv-res.liblib.art/claw/a.mp4"), {NULL}, STEP_WAIT},
        {"a port", SAYS("2", "https://libtv-res.liblib.art:8443/claw/a.mp4"), {NULL}, STEP_WAIT},
        {"a user",
         SAYS("2", "https://libtv-res.liblib.art@evil.example/claw/a.mp4"),
         {NULL},
         STEP_WAIT},
        {"dots", SAYS("2", "https://libtv-res.liblib.art/claw/../other/a.mp4"), {NULL}, STEP_WAIT},
        {"hidden dots",
         SAYS("2", "https://libtv-res.liblib.art/claw/%2e%2e/a.mp4"),
         {NULL},
         STEP_WAIT},
        {"a look-alike",
         SAYS("2", "https://libtv-res.liblib.art.evil.example/claw/a.mp4"),
         {NULL},
         STEP_WAIT},
        {"a user's message",
         "{\"seq\":2,\"role\":\"user\",\"content\":\"" MEDIA "a.mp4\"}",
         {NULL},
         STEP_WAIT},
        {"odd shapes",
         "null,7,\"x\",{\"seq\":2,\"role\":\"tool\",\"content\":null},"
         "{\"seq\":3,\"role\":\"tool\",\"content\":\"[1]\"},"
         "{\"seq\":4,\"role\":\"tool\",\"content\":\"{\\\"task_result\\\":{\\\"images\\\":null,"
         "\\\"videos\\\":[7,{}]}}\"},"
         "{\"seq\":5,\"role\":5,\"content\":{}}",
         {NULL},
         STEP_WAIT},
    };

    (void)state;
    for (size_t door = 0; door < 2; door++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
            struct talk talk;
            size_t count = 0;

            door_to_poll(&talk, doors[door]);
            door_hear(&talk, cases[i].messages);
            if (talk.step.kind != cases[i].kind)
                fail_msg("%s: step %d: %s", cases[i].name, talk.step.kind, talk.step.error.text);
            while (count < 3 && cases[i].urls[count])
                count++;
            assert_int_equal(talk.step.results_count, count);
            for (size_t n = 0; n < count; n++)
                assert_string_equal(talk.step.results[n].url, cases[i].urls[n]);
            if (talk.step.kind == STEP_DONE) {
                talk_wake(&talk); /* as after a crash while fetching */
                assert_int_equal(talk.step.results_count, count);
            }
            talk_close(&talk);
        }
}

static void an_upload_is_no_result(void **state)
{
    struct talk talk;

    (void)state;
    door_open(&talk, "nexu", "generate_video", door_from_file);
    talk_wake(&talk);
    talk_hear(&talk, 200, door_uses);
    talk_hear(&talk, 200, "{\"url\":\"" CLAW "up.png\"}");
    talk_hear(&talk, 200, door_begun);
    talk_wake(&talk);
    talk_hear(&talk, 200, "{\"messages\":[" SAYS("2", "I use " CLAW "up.png now.") "]}");
    assert_int_equal(talk.step.kind, STEP_WAIT);
    talk_wake(&talk);
    talk_hear(&talk, 200,
              "{\"messages\":[" SAYS("2", "I use " CLAW "up.png now.") ","
              SAYS("3", "Done: " CLAW "film.mp4") "]}");
    assert_int_equal(talk.step.kind, STEP_DONE);
    assert_int_equal(talk.step.results_count, 1);
    assert_string_equal(talk.step.results[0].url, CLAW "film.mp4");
    talk_close(&talk);
}

/* Only where the account's base was put elsewhere, there. */
static void results_of_another_base(void **state)
{
    struct provider_account account = door_account("libtv", NULL);
    json_t *catalog = libtv_catalog(NULL);

    (void)state;
    account.base_url = "http://im.example.test:8080";
    account.result_hosts_count = 2;
    assert_true(libtv_url_is_result(&account, catalog, "http://im.example.test:8080/claw/a.mp4"));
    assert_false(libtv_url_is_result(&account, catalog, "http://im.example.test:8081/claw/a.mp4"));
    assert_false(libtv_url_is_result(&account, catalog, "http://im.example.test/claw/a.mp4"));
    assert_true(libtv_url_is_result(&account, catalog, CLAW "a.mp4"));
    assert_false(libtv_url_is_result(&account, catalog, CLAW));
    json_decref(catalog);
}

/* ---- when a turn is over ---- */

static void clips_come_before_the_film(void **state)
{
    static const char *const clip = CALLED(VIDEO(MEDIA "clip.mp4"));
    static const char *const calls = CALLED(VIDEO(MEDIA "clip.mp4")) "," CALL("4");
    static const char *const film = CALLED(VIDEO(MEDIA "clip.mp4")) "," CALL("4") ","
        TOOL("5", "c4", VIDEO(MEDIA "film.mp4")) "," SAYS("6", "Finished.");
    struct talk talk;

    (void)state;
    /* The tool has answered and nobody says more: over when nothing came for two questions. */
    door_to_poll(&talk, "nexu");
    for (int i = 0; i < 2; i++) {
        door_hear(&talk, clip);
        assert_int_equal(talk.step.kind, STEP_WAIT);
        talk_wake(&talk);
    }
    door_hear(&talk, clip);
    assert_int_equal(talk.step.kind, STEP_DONE);
    talk_close(&talk);
    /* A second tool is at work: much longer. */
    door_to_poll(&talk, "libtv");
    for (int i = 0; i < 6; i++) {
        door_hear(&talk, calls);
        assert_int_equal(talk.step.kind, STEP_WAIT);
        talk_wake(&talk);
    }
    door_hear(&talk, film);
    assert_int_equal(talk.step.kind, STEP_DONE);
    assert_int_equal(talk.step.results_count, 2);
    talk_close(&talk);
}

/* L24, and other people's turns in the same session. */
static void other_turns_are_not_ours(void **state)
{
    static const char *const args = "{\"prompt\":\"make it rain 1:1\",\"session\":\"s-9\"}";
    static const char *const before =
        "{\"code\":0,\"data\":{\"messages\":["
        "{\"seq\":1,\"role\":\"user\",\"content\":\"make it rain 1:1\"},"
        SAYS("2", "Old: " MEDIA "old.mp4") "]}}";
    static const char *const after =
        "{\"code\":0,\"data\":{\"messages\":["
        "{\"seq\":3,\"role\":\"user\",\"content\":\"another\"}," CALL("4") ","
        "{\"seq\":5,\"role\":\"user\",\"content\":\"make it rain 1:1\"}," CALL("6") ","
        "{\"seq\":7,\"role\":\"user\",\"content\":\"a third\"},"
        TOOL("8", "c4", VIDEO(MEDIA "theirs.mp4")) "," TOOL("9", "c6", VIDEO(MEDIA "ours.mp4")) ","
        SAYS("10", "All: " MEDIA "third.mp4") "]}}";
    struct talk talk;

    (void)state;
    door_open(&talk, "libtv", "generate_video", args);
    talk_wake(&talk);
    door_sends(&talk, "GET", "/openapi/session/s-9", HTTP_READS);
    talk_hear(&talk, 200, before);
    door_sends(&talk, "POST", "/openapi/session", HTTP_SPENDS);
    assert_non_null(strstr(talk.step.request.body, "\"sessionId\":\"s-9\""));
    talk_hear(&talk, 200, "{\"code\":0,\"data\":{\"sessionId\":\"s-9\",\"projectUuid\":\"p\"}}");
    talk_wake(&talk);
    door_sends(&talk, "GET", "/openapi/session/s-9?afterSeq=2", HTTP_READS);
    /* A server that does not know afterSeq answers with everything. */
    talk_hear(&talk, 200, before);
    assert_int_equal(talk.step.kind, STEP_WAIT);
    talk_wake(&talk);
    talk_hear(&talk, 200, after);
    for (int i = 0; i < 3 && talk.step.kind == STEP_WAIT; i++) {
        talk_wake(&talk);
        talk_hear(&talk, 200, after);
    }
    assert_int_equal(talk.step.kind, STEP_DONE);
    assert_int_equal(talk.step.results_count, 1);
    assert_string_equal(talk.step.results[0].url, MEDIA "ours.mp4");
    talk_close(&talk);
}

static void a_new_project_first(void **state)
{
    struct talk talk;

    (void)state;
    door_open(&talk, "libtv", "generate_video", "{\"prompt\":\"a\",\"session\":\"new_project\"}");
    talk_wake(&talk);
    door_sends(&talk, "POST", "/openapi/session/change-project", HTTP_WRITES);
    assert_string_equal(talk.step.request.body, "{}");
    talk_hear(&talk, 200, "{\"code\":0,\"data\":{\"projectUuid\":\"p-2\"}}");
    door_sends(&talk, "POST", "/openapi/session", HTTP_WRITES);
    talk_close(&talk);
    door_open(&talk, "nexu", "generate_video", "{\"prompt\":\"a\",\"session\":\"new_project\"}");
    talk_wake(&talk);
    talk_hear(&talk, 200, door_uses);
    door_sends(&talk, "POST", "/libtv/v1/session/change-project", HTTP_WRITES);
    talk_hear(&talk, 200, "{}");
    assert_int_equal(talk.step.kind, STEP_FAIL);
    assert_non_null(strstr(talk.step.error.text, "projectUuid"));
    talk_close(&talk);
}

/* ---- failures (L30, L29, L23, L22) ---- */

static void failures_are_recognised(void **state)
{
    static const struct {
        const char *messages;
        enum err_kind kind;
        const char *has;
    } cases[] = {
        {CALLED("{\\\"error\\\":\\\"model busy\\\"}") "," SAYS("4", "Sorry."), ERR_UNAVAILABLE,
         "model busy"},
        {CALLED("{\\\"isError\\\":true,\\\"content\\\":[{\\\"type\\\":\\\"text\\\",\\\"text\\\":"
                "\\\"insufficient membership\\\"}]}") "," SAYS("4", "Sorry."),
         ERR_CREDITS, "insufficient membership"},
        {CALLED("{\\\"task_result\\\":{\\\"status\\\":\\\"failed\\\",\\\"error\\\":"
                "\\\"content rejected\\\",\\\"videos\\\":null}}") "," SAYS("4", "Sorry."),
         ERR_MODERATED, "content rejected"},
        {SAYS("2", "抱歉，视频生成失败，请重试"), ERR_UNAVAILABLE, "生成失败"},
        {CALLED("{\\\"isError\\\":true}") "," SAYS("4", "Sorry."), ERR_UNAVAILABLE, "no reason"},
    };

    (void)state;
    for (size_t door = 0; door < 2; door++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
            struct talk talk;

            door_to_poll(&talk, doors[door]);
            door_hear(&talk, cases[i].messages);
            assert_int_equal(talk.step.kind, STEP_FAIL);
            assert_int_equal(talk.step.retry, 0);
            assert_int_equal(talk.step.error.kind, cases[i].kind);
            assert_non_null(strstr(talk.step.error.text, cases[i].has));
            talk_wake(&talk);
            assert_int_equal(talk.step.kind, STEP_FAIL);
            assert_int_equal(talk.step.error.kind, cases[i].kind);
            talk_close(&talk);
        }
}

/* A tool that failed may be called again; a turn with a result has not failed. */
static void a_second_try_counts(void **state)
{
    static const char *const failed = CALLED("{\\\"error\\\":\\\"busy\\\"}");
    static const char *const then = CALLED("{\\\"error\\\":\\\"busy\\\"}") "," CALL("4") ","
        TOOL("5", "c4", VIDEO(MEDIA "a.mp4")) "," SAYS("6", "Done.");
    struct talk talk;

    (void)state;
    door_to_poll(&talk, "libtv");
    for (int i = 0; i < 3; i++) {
        door_hear(&talk, failed);
        assert_int_equal(talk.step.kind, STEP_WAIT);
        talk_wake(&talk);
    }
    door_hear(&talk, then);
    assert_int_equal(talk.step.kind, STEP_DONE);
    talk_close(&talk);
}

static void troubles_pass(void **state)
{
    (void)state;
    for (size_t door = 0; door < 2; door++) {
        static const struct {
            int status;
            const char *text;
        } passing[] = {{503, "{\"error\":{\"user_message\":\"Service temporarily unavailable\"}}"},
                       {503, "<h1>Gone</h1>"},
                       {500, ""},
                       {429, "{}"},
                       {408, ""},
                       {200, "not json"},
                       {200, ""},
                       {200, "{\"messages\":7}"},
                       {200, "{\"code\":0,\"data\":{}}"},
                       {200, "[]"}};
        struct talk talk;

        door_to_poll(&talk, doors[door]);
        for (size_t i = 0; i < sizeof(passing) / sizeof(*passing); i++) {
            talk_hear(&talk, passing[i].status, passing[i].text);
            if (talk.step.kind != STEP_FAIL || !talk.step.retry)
                fail_msg("%d %s: %d", passing[i].status, passing[i].text, talk.step.kind);
            if (strlen(talk.step.error.text) < 4)
                fail_msg("%d %s: %s", passing[i].status, passing[i].text, talk.step.error.text);
            talk_wake(&talk);
        }
        for (int outcome = HTTP_NOT_SENT; outcome <= HTTP_TRUNCATED; outcome++) {
            talk_lose(&talk, (enum http_outcome)outcome);
            assert_true(talk.step.kind == STEP_FAIL && talk.step.retry);
            talk_wake(&talk);
        }
        door_hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_DONE);
        talk_close(&talk);
    }
}

static void refusals_end_it(void **state)
{
    static const struct {
        const char *door;
        int status;
        const char *text;
        enum err_kind kind;
        const char *has;
    } cases[] = {
        {"nexu", 401, "{\"error\":{\"code\":\"invalid_key\",\"user_message\":\"Invalid API Key\"}}",
         ERR_AUTH, "Invalid API Key"},
        {"nexu", 403,
         "{\"error\":{\"code\":\"quota_exceeded\",\"user_message\":\"Free trial uses exhausted\"}}",
         ERR_CREDITS, "exhausted"},
        {"nexu", 403, "{\"error\":{\"user_message\":\"Key expired\"}}", ERR_AUTH, "Key expired"},
        {"nexu", 404, "{\"error\":\"not found\"}", ERR_NOT_FOUND, "not found"},
        {"nexu", 404, "{\"error\":null}", ERR_NOT_FOUND, "404"},
        {"nexu", 401, "[1]", ERR_AUTH, "401"},
        {"nexu", 403, "<html><b>Denied</b></html>", ERR_AUTH, "Denied"},
        {"libtv", 401, "{\"code\":401,\"message\":\"accessKey 不存在或无效\",\"data\":null}",
         ERR_AUTH, "accessKey"},
        {"libtv", 404, "{\"code\":404,\"message\":\"会话不存在或无效\"}", ERR_NOT_FOUND, "会话"},
        {"libtv", 200, "{\"code\":401,\"message\":\"accessKey 不存在或无效\",\"data\":null}",
         ERR_AUTH, "accessKey"},
        {"libtv", 403, "", ERR_AUTH, "403"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct talk talk;

        door_to_poll(&talk, cases[i].door);
        talk_hear(&talk, cases[i].status, cases[i].text);
        if (talk.step.kind != STEP_FAIL || talk.step.retry || talk.step.error.kind != cases[i].kind)
            fail_msg("%s: %d, %s: %s", cases[i].text, talk.step.retry,
                     err_kind_name(talk.step.error.kind), talk.step.error.text);
        if (!strstr(talk.step.error.text, cases[i].has))
            fail_msg("%s: %s", cases[i].text, talk.step.error.text);
        assert_null(strpbrk(talk.step.error.text, "<>\n"));
        talk_close(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_found),
        cmocka_unit_test(an_upload_is_no_result),
        cmocka_unit_test(results_of_another_base),
        cmocka_unit_test(clips_come_before_the_film),
        cmocka_unit_test(other_turns_are_not_ours),
        cmocka_unit_test(a_new_project_first),
        cmocka_unit_test(failures_are_recognised),
        cmocka_unit_test(a_second_try_counts),
        cmocka_unit_test(troubles_pass),
        cmocka_unit_test(refusals_end_it),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
