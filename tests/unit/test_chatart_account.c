/*
 * The account of the chatart adapter: the login of a device, and what it asks and tells of credits,
 * usage and the end of the login.
 */
#include "unit/chatart_rig.h"

/* ---- login ---- */

#define DEVICE "pro-chatart-skill-3fe630a13cfb7e80"
#define LOGIN  "{\"device\":\"" DEVICE "\"}"
#define INIT                                                                                       \
    "{\"code\":200,\"data\":{\"identity_id\":\"" DEVICE "\",\"verification_uri\":\"https://a/\","  \
    "\"verification_uri_complete\":\"https://a/?code=1\",\"token_endpoint\":\"https://b/token\","  \
    "\"interval\":2,\"expires_in\":600}}"
#define APPROVED(more)                                                                             \
    "{\"code\":200,\"data\":{\"member_id\":348812,\"email\":\"lin@example.com\",\"name\":\"Lin\"," \
    "\"remain_credit\":1240" more "}}"

static void login_begin(struct talk *talk)
{
    json_t *args = json_own(LOGIN);
    struct err err;

    assert_int_equal(chat_open(talk, "account", args, &err), 0);
    json_decref(args);
    talk->account.signed_in = 0;
    assert_string_equal(talk->plan.kind, "login");
    talk_wake(talk);
    assert_string_equal(talk->step.request.url, "https://api.chatartpro.com/web/xskill/init");
    assert_string_equal(talk->step.request.body, "{\"identity_id\":\"" DEVICE "\"}");
    assert_int_equal(talk->step.request.headers_count, 1); /* there is no account yet */
    assert_int_equal(talk->step.request.effect, HTTP_READS);
    talk_hear(talk, 200, INIT);
    assert_int_equal(talk->step.kind, STEP_WAIT);
    assert_int_equal(talk->step.not_before_ms, 2000);
    assert_string_equal(json_text(talk->flow, "link"), "https://a/?code=1");
    talk_wake(talk);
    assert_string_equal(talk->step.request.url, "https://b/token");
    assert_string_equal(talk->step.request.body, "{\"identity_id\":\"" DEVICE "\"}");
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
        struct talk talk;

        login_begin(&talk);
        talk_hear(&talk, cases[i].status, cases[i].body);
        if ((int)talk.step.kind != cases[i].step || talk.step.error.kind != cases[i].kind)
            fail_msg("%d %s: %d %s", cases[i].status, cases[i].body, talk.step.kind,
                     talk.step.error.text);
        assert_null(talk.step.credential);
        talk_close(&talk);
    }
}

static void login_brings_the_credential(void **state)
{
    struct talk talk;
    json_t *want = json_own(
        "{\"uid\":348812,\"api_key\":\"sk-ca-1\",\"email\":\"lin@example.com\",\"name\":\"Lin\","
        "\"team_id\":\"\",\"role\":\"\",\"charge_type\":\"\",\"remain_credit\":1240,"
        "\"created_at\":\"2026-01-05T08:09:10.000000+00:00\",\"token\":\"\",\"identity_id\":"
        "\"" DEVICE "\"}");

    (void)state;
    login_begin(&talk);
    talk_hear(&talk, 200, APPROVED(",\"api_key\":\"sk-ca-1\",\"identity_id\":\"" DEVICE "\""));
    assert_int_equal(talk.step.kind, STEP_DONE);
    assert_int_equal(talk.step.results_count, 0);
    golden_same("credential", talk.step.credential, want);
    talk_wake(&talk);
    assert_int_equal(talk.step.kind, STEP_DONE);
    talk_close(&talk);
    json_decref(want);
}

static void login_stored_before_a_crash_is_done(void **state)
{
    struct talk talk;

    (void)state;
    login_begin(&talk);
    talk.account.signed_in = 1;
    talk_hear(&talk, 404, "");
    assert_int_equal(talk.step.kind, STEP_DONE);
    talk_close(&talk);
}

static void login_without_link_fails(void **state)
{
    struct talk talk;

    (void)state;
    chat_begin(&talk, "account", LOGIN);
    talk_hear(&talk, 200, "{\"code\":200,\"data\":{\"identity_id\":\"x\"}}");
    assert_int_equal(talk.step.kind, STEP_FAIL);
    assert_false(talk.step.retry);
    talk_close(&talk);
    chat_begin(&talk, "account", LOGIN);
    talk_lose(&talk, HTTP_LOST);
    assert_true(talk.step.retry);
    talk_close(&talk);
}

/* ---- the account ---- */

static void account_questions(void **state)
{
    struct provider_account account = chat_account();
    json_t *args = json_own("{\"kind\":\"video\",\"page\":2,\"from\":\"2026-01-01\"}");
    struct arena arena = {0};
    struct http_request request;
    struct err err = {0};

    (void)state;
    account.base_url = "https://h";
    assert_int_equal(chatart_ask(&account, "credits", NULL, &arena, &request, &err), 0);
    assert_string_equal(request.url, "https://h/web/member/user-diamond");
    assert_string_equal(request.method, "POST");
    assert_int_equal(chatart_ask(&account, "usage", args, &arena, &request, &err), 0);
    assert_string_equal(request.url, "https://h/web/video/history");
    assert_string_equal(request.method, "GET");
    assert_string_equal(request.body,
                        "{\"page\":\"2\",\"per_page\":\"20\",\"start_time\":\"2026-01-01\"}");
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
    json_t *want = json_own(
        "{\"usage\":[{\"id\":7731,\"state\":\"completed\",\"created\":5,\"url\":\"u\"},"
        "{\"id\":7730,\"state\":\"failed\",\"created\":4,\"error\":\"no\"},"
        "{\"id\":7729,\"state\":\"working\",\"created\":3},"
        "{\"id\":7728,\"state\":\"pending\",\"created\":2}],\"total\":4,\"page\":1}");
    json_t *facts = told("credits", "{\"code\":200,\"data\":{\"diamond\":980}}", &err);

    (void)state;
    assert_int_equal(json_int(facts, "credits", -1), 980);
    json_decref(facts);
    facts =
        told("usage",
             "{\"code\":200,\"data\":{\"current_page\":1,\"total\":4,\"data\":["
             "{\"id\":7731,\"create_at\":5,\"status\":1,\"file\":[{\"status\":1,\"url\":\"u\"}]},"
             "{\"id\":7730,\"create_at\":4,\"status\":2,\"file\":[],\"error_message\":\"no\"},"
             "{\"id\":7729,\"create_at\":3,\"is_drawing\":1,\"pic_url\":[{\"status\":0}]},"
             "{\"id\":7728,\"create_at\":2,\"status\":0}]}}",
             &err);
    golden_same("usage", facts, want);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_answers),
        cmocka_unit_test(login_brings_the_credential),
        cmocka_unit_test(login_stored_before_a_crash_is_done),
        cmocka_unit_test(login_without_link_fails),
        cmocka_unit_test(account_questions),
        cmocka_unit_test(account_answers),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
