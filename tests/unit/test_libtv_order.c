/*
 * What the LibTV adapter sends at either door before and with an order, by the guard checklist of
 * the services' facts: what is added to the words, which files go first, what is refused before
 * anything is sent, and what a key and a plan are told of.
 */
#include "base/mem.h"
#include "base/words.h"
#include "unit/libtv_rig.h"

/* ---- words (L08, L09, L10) ---- */

/* The message of the submit that is being sent; to be freed. */
static char *message_of(const struct talk *talk)
{
    json_t *body = json_own(talk->step.request.body);
    char *text = mem_text(json_text(body, "message"));

    assert_int_equal(talk->step.request.effect, HTTP_SPENDS);
    json_decref(body);
    return text;
}

static void check_message(const char *id, const char *args, const char *settings, const char *want)
{
    json_t *own = settings ? json_own(settings) : NULL;
    json_t *json = json_own(args);
    struct provider_account account = door_account(id, own);
    struct talk talk;
    struct err err;
    char *text;

    if (talk_open(&talk, &provider_libtv, &account, "generate_video", json, &err))
        fail_msg("%s: %s", args, err.text);
    door_to_submit(&talk);
    text = message_of(&talk);
    assert_string_equal(text, want);
    mem_free(text);
    talk_close(&talk);
    json_decref(json);
    json_decref(own);
}

static void words_are_relayed(void **state)
{
    static const struct {
        const char *args, *settings, *want;
    } cases[] = {
        {"{\"prompt\":\"a boat\"}", NULL, "a boat, video ratio 16:9"},
        {"{\"prompt\":\" a  boat\\n\"}", NULL, " a  boat\n, video ratio 16:9"},
        {"{\"prompt\":\"a boat in 9:16 please\"}", NULL, "a boat in 9:16 please"},
        {"{\"prompt\":\"来一张16:9的图\"}", NULL, "来一张16:9的图"},
        {"{\"prompt\":\"比例9：16\"}", NULL, "比例9：16"},
        {"{\"prompt\":\"a clock showing 10:30\"}", NULL, "a clock showing 10:30, video ratio 16:9"},
        {"{\"prompt\":\"1920:1080\"}", NULL, "1920:1080, video ratio 16:9"},
        {"{\"prompt\":\"at 12:16:9\"}", NULL, "at 12:16:9, video ratio 16:9"},
        {"{\"prompt\":\"a\",\"aspect_ratio\":\"9:16\"}", NULL, "a, video ratio 9:16"},
        {"{\"prompt\":\"a 1:1\",\"aspect_ratio\":\"9:16\"}", NULL, "a 1:1"},
        {"{\"prompt\":\"a\"}", "{\"video_ratio\":[\"9:16\",\"4:3\"]}", "a, video ratio 9:16"},
        {"{\"prompt\":\"a\"}", "{\"video_ratio\":[\"wide\",\"160:9\",\"4:3\"]}",
         "a, video ratio 4:3"},
        {"{\"prompt\":\"a\"}", "{\"video_ratio\":[\"16:9 \"]}", "a, video ratio 16:9"},
        {"{\"prompt\":\"a\",\"aspect_ratio\":\"auto\"}", NULL, "a, video ratio 16:9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (size_t door = 0; door < 2; door++)
            check_message(doors[door], cases[i].args, cases[i].settings, cases[i].want);
}

static void model_is_hinted_at_the_gateway_only(void **state)
{
    static const char *const on = "{\"model_hint\":true}";
    static const char *const hint = ", video ratio 16:9, please use Seedance 2.0";
    static const char *const named[] = {"use Kling 3.0", "Wan2.6 boat", "用可灵做", "seedream",
                                        "a WAN film"};
    char args[200];
    char want[300];

    (void)state;
    check_message("nexu", "{\"prompt\":\"a boat\"}", NULL, "a boat, video ratio 16:9");
    snprintf(want, sizeof(want), "a boat%s", hint);
    check_message("nexu", "{\"prompt\":\"a boat\"}", on, want);
    check_message("libtv", "{\"prompt\":\"a boat\"}", on, "a boat, video ratio 16:9");
    snprintf(want, sizeof(want), "a swan lake%s", hint);
    check_message("nexu", "{\"prompt\":\"a swan lake\"}", on, want);
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
        snprintf(args, sizeof(args), "{\"prompt\":\"%s\"}", named[i]);
        snprintf(want, sizeof(want), "%s, video ratio 16:9", named[i]);
        check_message("nexu", args, on, want);
    }
}

/* ---- files (L26) ---- */

static void files_go_first(void **state)
{
    static const char *const answer = "{\"code\":0,\"data\":{\"url\":\"" CLAW "x/a.png\"}}";

    (void)state;
    for (size_t door = 0; door < 2; door++) {
        struct talk talk;
        char *text;
        int is_gate = door == 1;

        door_open(&talk, doors[door], "generate_video", door_from_file);
        assert_int_equal(json_array_size(talk.plan.uploads), 1);
        talk_wake(&talk);
        if (is_gate)
            talk_hear(&talk, 200, door_uses);
        door_sends(&talk, "POST", is_gate ? "/libtv/v1/upload" : "/openapi/file/upload",
                   HTTP_WRITES);
        assert_int_equal(talk.step.phase, PHASE_UPLOAD);
        assert_int_equal(talk.step.request.parts_count, 1);
        assert_string_equal(talk.step.request.parts[0].name, "file");
        assert_string_equal(talk.step.request.parts[0].path, "/w/a.png");
        if (!is_gate) {
            /* The other path, once, with the key in the form; and it is remembered. */
            talk_hear(&talk, 404, "<h1>Not Found</h1>");
            door_sends(&talk, "POST", "/openapi/upload", HTTP_WRITES);
            assert_int_equal(talk.step.request.parts_count, 2);
            assert_string_equal(talk.step.request.parts[0].name, "accessKey");
            assert_string_equal(talk.step.request.parts[0].text, "{{key}}");
            assert_int_equal(talk.step.request.parts[0].secret, 1);
            assert_int_equal(talk.step.request.parts[1].secret, 0);
        }
        talk_hear(&talk, 200, is_gate ? "{\"url\":\"" CLAW "x/a.png\"}" : answer);
        assert_string_equal(talk.step.uploaded_key, "k-a");
        assert_string_equal(talk.step.uploaded_url, CLAW "x/a.png");
        assert_true(talk.step.uploaded_keep_ms > 0);
        if (!is_gate) {
            talk_hear(&talk, 200, door_bound);
            talk_hear(&talk, 200, "{\"code\":0,\"data\":{\"messages\":null}}");
        }
        text = message_of(&talk);
        assert_string_equal(text, "move, first frame: " CLAW "x/a.png, video ratio 16:9");
        mem_free(text);
        talk_close(&talk);
    }
}

static void uploads_may_fail(void **state)
{
    static const char *const empty[] = {"{\"code\":0,\"data\":{}}", "{\"url\":\"\"}", "{\"url\":7}",
                                        "{\"url\":\"" CLAW "a b\"}"};
    struct talk talk;

    (void)state;
    for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
        door_open(&talk, "libtv", "generate_video", door_from_file);
        talk_wake(&talk);
        talk_hear(&talk, 200, empty[i]);
        assert_int_equal(talk.step.kind, STEP_FAIL);
        assert_int_equal(talk.step.retry, 0);
        talk_close(&talk);
    }
    /* Both paths are not there; a broken connection and a 502 are tried again. */
    door_open(&talk, "libtv", "generate_video", door_from_file);
    talk_wake(&talk);
    talk_lose(&talk, HTTP_LOST);
    assert_true(talk.step.kind == STEP_FAIL && talk.step.retry);
    talk_wake(&talk);
    talk_hear(&talk, 502, "bad");
    assert_true(talk.step.kind == STEP_FAIL && talk.step.retry);
    talk_wake(&talk);
    talk_hear(&talk, 405, "");
    door_sends(&talk, "POST", "/openapi/upload", HTTP_WRITES);
    talk_hear(&talk, 404, "");
    assert_true(talk.step.kind == STEP_FAIL && !talk.step.retry);
    talk_close(&talk);
}

static void refused_before_anything_is_sent(void **state)
{
    static const struct {
        const char *tool, *args, *field, *has;
    } cases[] = {
        {"generate_video",
         "{\"prompt\":\"a\",\"first_frame\":{\"path\":\"/a\",\"mime\":\"text/plain\",\"bytes\":1,"
         "\"key\":\"k\"}}",
         "first_frame", "Unsupported file type"},
        {"generate_video",
         "{\"prompt\":\"a\",\"video\":{\"path\":\"/a\",\"mime\":\"video/mp4\",\"bytes\":209715201,"
         "\"key\":\"k\"}}",
         "video", "File too large"},
        {"generate_video", "{\"prompt\":\"a\",\"aspect_ratio\":\"wide\"}", "aspect_ratio", "16:9"},
        {"generate_video", "{\"prompt\":\"\"}", "prompt", "prompt"},
        {"generate_video", "{\"prompt\":\"a\",\"mode\":\"lip_sync\"}", "mode", "lip_sync"},
        {"edit_image", "{\"prompt\":\"a\",\"operation\":\"inpaint\"}", "operation", "inpaint"},
        {"generate_video", "{\"prompt\":\"a\",\"session\":\"../s\"}", "session", "session"},
        {"generate_video", "{\"prompt\":\"a\",\"session\":{\"id\":\"s\",\"provider\":\"libtv\"}}",
         "session", "never sent"},
    };
    struct provider_account account = door_account("nexu", NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *args = json_own(cases[i].args);
        struct talk talk;
        struct err err = {0};

        if (talk_open(&talk, &provider_libtv, &account, cases[i].tool, args, &err) == 0)
            fail_msg("%s was planned", cases[i].args);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_string_equal(err.field, cases[i].field);
        if (!strstr(err.text, cases[i].has))
            fail_msg("%s: %s", cases[i].args, err.text);
        json_decref(args);
    }
}

/* ---- the key, the plan, the catalogue ---- */

static void a_used_up_key_sends_nothing(void **state)
{
    static const char *const answers[] = {
        "{\"remaining_uses\":0,\"max_uses\":2}", "{\"remaining_uses\":-1,\"max_uses\":2}",
        "{\"max_uses\":2}", "{\"remaining_uses\":\"2\",\"max_uses\":2}"};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        struct talk talk;

        door_open(&talk, "nexu", "generate_video", "{\"prompt\":\"a\"}");
        talk_wake(&talk);
        talk_hear(&talk, 200, answers[i]);
        assert_true(talk.step.kind == STEP_FAIL && !talk.step.retry);
        assert_int_equal(talk.step.error.kind, i < 2 ? ERR_CREDITS : ERR_ANSWER);
        talk_close(&talk);
    }
}

static void plans_are_told(void **state)
{
    struct talk talk;

    (void)state;
    door_open(&talk, "nexu", "generate_video",
              "{\"prompt\":\"a\",\"seconds\":10,\"model\":\"Kling\"}");
    assert_int_equal(json_array_size(talk.plan.changed), 2);
    assert_true(talk.plan.cost == 1);
    assert_string_equal(talk.plan.currency, "use");
    assert_string_equal(talk.plan.kind, "video");
    assert_true(talk.plan.times.deadline_ms >= 3600000);
    talk_close(&talk);
    door_open(&talk, "libtv", "generate_image", "{\"prompt\":\"a\",\"aspect_ratio\":\"1:1\"}");
    assert_true(talk.plan.cost < 0);
    assert_string_equal(talk.plan.kind, "image");
    door_to_submit(&talk);
    assert_non_null(strstr(talk.step.request.body, "\"a, image ratio 1:1\""));
    talk_close(&talk);
}

static void key_is_checked(void **state)
{
    static const struct {
        const char *door;
        int status;
        const char *text;
        enum provider_verdict verdict;
        int facts;
    } cases[] = {
        {"nexu", 200,
         "{\"remaining_uses\":1,\"max_uses\":2,\"expires_at\":\"2026-05-31T00:00:00Z\"}",
         KEY_ACCEPTED, 3},
        {"nexu", 200, "{\"remaining_uses\":0,\"max_uses\":2}", KEY_REFUSED, 2},
        {"nexu", 200, "{\"max_uses\":2}", KEY_UNTOLD, 0},
        {"nexu", 401, "{\"error\":{\"user_message\":\"Invalid API Key\"}}", KEY_REFUSED, 0},
        {"nexu", 403, "{\"error\":{\"user_message\":\"Key expired\"}}", KEY_REFUSED, 0},
        {"nexu", 503, "", KEY_UNAVAILABLE, 0},
        {"libtv", 404, "{\"code\":404,\"message\":\"会话不存在或无效\"}", KEY_ACCEPTED, 0},
        {"libtv", 200, "{\"code\":404,\"message\":\"会话不存在或无效\"}", KEY_ACCEPTED, 0},
        {"libtv", 401, "{\"code\":401,\"message\":\"accessKey 不存在或无效\"}", KEY_REFUSED, 0},
        {"libtv", 200, "{\"code\":401,\"message\":\"accessKey 不存在或无效\"}", KEY_REFUSED, 0},
        {"libtv", 404, "<h1>Not Found</h1>", KEY_UNTOLD, 0},
        {"libtv", 502, "x", KEY_UNAVAILABLE, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct talk talk = {.account = door_account(cases[i].door, NULL)};
        struct http_reply reply = golden_reply(cases[i].text, strlen(cases[i].text));
        struct provider_check check;

        assert_int_equal(provider_libtv.check(&talk.account, &talk.arena, &talk.step.request), 0);
        assert_int_equal(talk.step.request.effect, HTTP_READS);
        door_check(&talk);
        reply.status = cases[i].status;
        provider_libtv.checked(&reply, &check);
        if (check.verdict != cases[i].verdict)
            fail_msg("%s: verdict %d: %s", cases[i].text, check.verdict, check.error.text);
        assert_int_equal(json_object_size(check.facts), cases[i].facts);
        json_decref(check.facts);
        arena_done(&talk.arena);
    }
}

static void models_are_listed(void **state)
{
    struct provider_account account = door_account("nexu", NULL);
    json_t *rows = provider_libtv.models(&account);

    (void)state;
    assert_int_equal(json_array_size(rows), 2);
    assert_true(provider_libtv.can(&account, "generate_video/image"));
    assert_false(provider_libtv.can(&account, "edit_image/remove_background"));
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_relayed),
        cmocka_unit_test(model_is_hinted_at_the_gateway_only),
        cmocka_unit_test(files_go_first),
        cmocka_unit_test(uploads_may_fail),
        cmocka_unit_test(refused_before_anything_is_sent),
        cmocka_unit_test(a_used_up_key_sends_nothing),
        cmocka_unit_test(plans_are_told),
        cmocka_unit_test(key_is_checked),
        cmocka_unit_test(models_are_listed),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
