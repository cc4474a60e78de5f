/*
 * What the chatart adapter makes of the answers to a submit and to questions about the job: lost
 * ones, codes, states, and why it failed. One test for each mistake that the published client
 * makes.
 */
#include "unit/chatart_rig.h"

/* ---- the submit ---- */

static void submit_lost_is_unknown(void **state)
{
    static const struct {
        enum http_outcome outcome;
        int kind;
    } cases[] = {{HTTP_NOT_SENT, STEP_FAIL},
                 {HTTP_LOST, STEP_UNKNOWN},
                 {HTTP_TRUNCATED, STEP_UNKNOWN},
                 {HTTP_CANCELLED, STEP_FAIL}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct talk talk;

        chat_submit(&talk);
        talk_lose(&talk, cases[i].outcome);
        assert_int_equal(talk.step.kind, cases[i].kind);
        assert_int_equal(talk.step.retry, cases[i].kind == STEP_FAIL);
        talk_wake(&talk);
        assert_int_equal(talk.step.kind, cases[i].kind == STEP_FAIL ? STEP_SEND : STEP_UNKNOWN);
        talk_close(&talk);
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
        struct http_reply reply = golden_reply(cases[i].text, strlen(cases[i].text));
        struct talk talk;

        chat_submit(&talk);
        reply.status = 200;
        reply.sent = 1;
        reply.outcome = HTTP_TRUNCATED;
        reply.error = "the answer ended early";
        talk_turn(&talk, &reply, 0);
        assert_int_equal(talk.step.kind, cases[i].kind);
        talk_close(&talk);
    }
}

static void submit_across_a_crash_is_unknown(void **state)
{
    struct talk talk;

    (void)state;
    chat_submit(&talk);
    talk_turn(&talk, NULL, 1);
    assert_int_equal(talk.step.kind, STEP_UNKNOWN);
    talk_close(&talk);
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
        {200, "{\"code\":\"10058\",\"message\":\"x\"}", STEP_FAIL, 0, ERR_CREDITS,
         "chatart.credits"},
        {200, "{\"code\":4100}", STEP_FAIL, 0, ERR_CREDITS, "chatart.credits"},
        {200, "{\"code\":30027}", STEP_FAIL, 0, ERR_CREDITS, "chatart.plan"},
        {200, "{\"code\":4007}", STEP_FAIL, 1, ERR_BUSY, "chatart.busy"},
        {200, "{\"code\":5003}", STEP_FAIL, 1, ERR_RATE_LIMITED, "chatart.later"},
        {200, "{\"code\":6001,\"message\":\"badword\"}", STEP_FAIL, 0, ERR_MODERATED,
         "chatart.words"},
        {200, "{\"code\":10061,\"message\":\"badword\"}", STEP_FAIL, 0, ERR_MODERATED,
         "chatart.words"},
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
        struct talk talk;

        chat_submit(&talk);
        talk_hear(&talk, cases[i].status, cases[i].body);
        if ((int)talk.step.kind != cases[i].step || talk.step.error.kind != cases[i].kind ||
            talk.step.retry != cases[i].retry)
            fail_msg("%d %s: step %d, %s", cases[i].status, cases[i].body, talk.step.kind,
                     talk.step.error.text);
        assert_null(strstr(talk.step.error.text, "badword"));
        if (cases[i].advice)
            assert_string_equal(talk.step.error.advice, cases[i].advice);
        else
            assert_null(talk.step.error.advice);
        talk_close(&talk);
    }
}

/* ---- states ---- */

static void poll_asks_in_query_and_body(void **state)
{
    struct talk talk;

    (void)state;
    chat_to_poll(&talk);
    assert_string_equal(talk.step.request.method, "GET");
    assert_string_equal(talk.step.request.url,
                        "https://api.chatartpro.com/web/art/get-draw-task?question_id=q_1");
    assert_string_equal(talk.step.request.body, "{\"question_id\":\"q_1\"}");
    /* After a time-out, the very same: the id is never lost. */
    talk_lose(&talk, HTTP_LOST);
    assert_true(talk.step.retry);
    talk_turn(&talk, NULL, 1);
    assert_string_equal(talk.step.request.body, "{\"question_id\":\"q_1\"}");
    talk_close(&talk);
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
        {"{\"status\":1,\"message\":[{\"url\":\"https://files.chatartpro.com/a.png\"}]}", STEP_DONE,
         NULL},
        {"{\"status\":\"1\",\"message\":{\"url\":\"https://files.chatartpro.com/a.mp4\"}}",
         STEP_DONE, NULL},
        {"{\"status\":1,\"message\":{}}", STEP_WAIT, NULL},
        {"{\"status\":2,\"error\":\"\",\"real_error\":\"out of luck\"}", STEP_FAIL, NULL},
        {"{\"status\":\"2\",\"error\":\"Content policy violation\"}", STEP_FAIL, NULL},
    };
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct talk talk;

        chat_to_poll(&talk);
        snprintf(text, sizeof(text), "{\"code\":\"200\",\"data\":%s}", cases[i].data);
        talk_hear(&talk, 200, text);
        if ((int)talk.step.kind != cases[i].step)
            fail_msg("%s: step %d", cases[i].data, talk.step.kind);
        if (cases[i].word)
            assert_string_equal(talk.step.unknown_word, cases[i].word);
        else
            assert_null(talk.step.unknown_word);
        if (talk.step.kind == STEP_DONE) {
            assert_int_equal(talk.step.results_count, 1);
            talk_wake(&talk);
            assert_int_equal(talk.step.kind, STEP_DONE); /* said again */
            assert_int_equal(talk.step.results_count, 1);
        }
        talk_close(&talk);
    }
}

static void failures_say_why(void **state)
{
    struct talk talk;

    (void)state;
    chat_to_poll(&talk);
    talk_hear(&talk, 200,
              "{\"code\":200,\"data\":{\"status\":2,\"error\":\"Content policy violation\"}}");
    assert_int_equal(talk.step.error.kind, ERR_MODERATED);
    talk_wake(&talk);
    assert_int_equal(talk.step.error.kind, ERR_MODERATED);
    talk_close(&talk);
    chat_to_poll(&talk);
    talk_hear(&talk, 200, "{\"code\":200,\"data\":{\"status\":2,\"output_message\":\"no luck\"}}");
    assert_int_equal(talk.step.error.kind, ERR_UNAVAILABLE);
    assert_non_null(strstr(talk.step.error.text, "no luck"));
    talk_close(&talk);
}

static void the_real_cost_is_told(void **state)
{
    struct talk talk;

    (void)state;
    chat_to_poll(&talk);
    talk_hear(&talk, 200,
              "{\"code\":200,\"data\":{\"status\":1,\"cost_credit\":\"6\",\"message\":"
              "[{\"url\":\"https://files.chatartpro.com/a.png\"}]}}");
    assert_true(talk.step.cost == 6);
    assert_string_equal(talk.step.currency, "credits");
    talk_close(&talk);
}

static void finished_without_a_result_ends(void **state)
{
    struct talk talk;
    int turns = 0;

    (void)state;
    chat_to_poll(&talk);
    do {
        talk_hear(&talk, 200, "{\"code\":200,\"data\":{\"status\":1,\"message\":[]}}");
        if (talk.step.kind == STEP_WAIT)
            talk_wake(&talk);
    } while (talk.step.kind == STEP_SEND && ++turns < 20);
    assert_int_equal(talk.step.kind, STEP_FAIL);
    assert_int_equal(talk.step.error.kind, ERR_ANSWER);
    talk_close(&talk);
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
        struct talk talk;

        chat_to_poll(&talk);
        talk_hear(&talk, cases[i].status, cases[i].body);
        assert_int_equal(talk.step.kind, STEP_FAIL);
        if (talk.step.retry != cases[i].retry)
            fail_msg("%d %s", cases[i].status, cases[i].body);
        talk_wake(&talk);
        assert_int_equal(talk.step.kind, cases[i].retry ? STEP_SEND : STEP_FAIL);
        talk_close(&talk);
    }
}

static void without_login_nothing_is_sent(void **state)
{
    json_t *args = json_own("{\"prompt\":\"a\"}");
    struct talk talk;
    struct err err;

    (void)state;
    assert_int_equal(chat_open(&talk, "generate_image", args, &err), 0);
    json_decref(args);
    talk.account.signed_in = 0;
    talk_wake(&talk);
    assert_int_equal(talk.step.kind, STEP_FAIL);
    assert_int_equal(talk.step.error.kind, ERR_AUTH);
    assert_string_equal(talk.step.error.advice, "chatart.login");
    talk_close(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
