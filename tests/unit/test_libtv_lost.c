/*
 * The LibTV adapter's submit, which costs money: answers that lack something, answers that are
 * lost, a process that ends meanwhile, refusals; and the same without memory. It is never sent
 * twice.
 */
#include "base/mem.h"
#include "unit/libtv_rig.h"

static void an_answer_lacks_something(void **state)
{
    struct talk talk;

    (void)state;
    /* Nothing is paid yet: told at once. */
    door_open(&talk, "libtv", "generate_video", "{\"prompt\":\"a\"}");
    talk_wake(&talk);
    talk_hear(&talk, 200, "{\"code\":0,\"data\":{\"sessionId\":\"s-1\"}}");
    assert_int_equal(talk.step.kind, STEP_FAIL);
    assert_non_null(strstr(talk.step.error.text, "projectUuid"));
    talk_close(&talk);
    door_open(&talk, "libtv", "generate_video", "{\"prompt\":\"a\"}");
    talk_wake(&talk);
    talk_hear(&talk, 200, "{\"code\":0,\"data\":{}}");
    assert_non_null(strstr(talk.step.error.text, "sessionId, projectUuid"));
    talk_close(&talk);
    /* Maybe paid, and no session: looked for, and never sent again. */
    door_open(&talk, "nexu", "generate_video", "{\"prompt\":\"a\"}");
    door_to_submit(&talk);
    talk_hear(&talk, 200, "{\"projectUuid\":\"p\"}");
    door_sends(&talk, "GET", "/api/v1/tasks", HTTP_READS);
    talk_close(&talk);
    /* Another session than asked for is not taken for ours. */
    door_open(&talk, "libtv", "generate_video", "{\"prompt\":\"a\"}");
    door_to_submit(&talk);
    talk_hear(&talk, 200, "{\"code\":0,\"data\":{\"sessionId\":\"s-2\",\"projectUuid\":\"p\"}}");
    door_sends(&talk, "GET", "/openapi/session/s-1", HTTP_READS);
    talk_close(&talk);
}

static void lose(struct talk *talk, int how)
{
    switch (how) {
    case 0:
        talk_lose(talk, HTTP_LOST);
        break;
    case 1:
        talk_lose(talk, HTTP_TRUNCATED);
        break;
    case 2:
        talk_hear(talk, 502, "<h1>Bad gateway</h1>");
        break;
    case 3:
        talk_hear(talk, 200, "");
        break;
    default: /* the process ended */
        talk_turn(talk, NULL, 1);
        break;
    }
}

static void a_lost_answer_is_found_in_the_session(void **state)
{
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct talk talk;

        door_order(&talk, "libtv");
        lose(&talk, how);
        door_hear(&talk, "");
        assert_int_equal(talk.step.kind, STEP_WAIT);
        talk_wake(&talk);
        door_hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_DONE);
        talk_close(&talk);
    }
}

static void a_lost_answer_stays_lost(void **state)
{
    static const char *const none = "{\"code\":0,\"data\":{\"messages\":[]}}";

    (void)state;
    for (int how = 0; how < 5; how++) {
        struct talk talk;

        door_order(&talk, "libtv");
        lose(&talk, how);
        talk_hear(&talk, 200, none);
        assert_int_equal(talk.step.kind, STEP_WAIT);
        talk_wake(&talk);
        talk_hear(&talk, 200, none);
        assert_int_equal(talk.step.kind, STEP_UNKNOWN);
        talk_wake(&talk);
        assert_int_equal(talk.step.kind, STEP_UNKNOWN);
        /* Somebody wants to know again, and it is there. */
        talk.recheck = 1;
        talk_wake(&talk);
        talk.recheck = 0;
        door_hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_WAIT);
        talk_wake(&talk);
        door_hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_DONE);
        talk_close(&talk);
    }
}

static void a_lost_answer_is_found_among_the_tasks(void **state)
{
    static const char *const tasks =
        "{\"tasks\":[{\"id\":\"old\",\"created_at\":\"2026-01-01T00:00:00Z\"},{\"id\":\"../x\"},7,"
        "{\"id\":\"other\",\"created_at\":\"2026-09-21T14:13:30Z\"},"
        "{\"id\":\"s-1\",\"created_at\":\"2026-09-21T14:13:21Z\"}]}";

    (void)state;
    for (int how = 0; how < 5; how++) {
        struct talk talk;

        door_order(&talk, "nexu");
        lose(&talk, how);
        door_sends(&talk, "GET", "/api/v1/tasks", HTTP_READS);
        talk_hear(&talk, 200, tasks);
        door_sends(&talk, "GET", "/libtv/v1/session/other", HTTP_READS);
        talk_hear(&talk, 200,
                  "{\"messages\":[{\"seq\":1,\"role\":\"user\",\"content\":\"a cat\"}]}");
        door_hear(&talk, "");
        assert_int_equal(talk.step.kind, STEP_WAIT);
        assert_string_equal(talk.step.provider_job, "s-1");
        talk_wake(&talk);
        door_hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_DONE);
        talk_close(&talk);
        /* And when no task is ours. */
        door_order(&talk, "nexu");
        lose(&talk, how);
        talk_hear(&talk, 500, "x");
        assert_int_equal(talk.step.kind, STEP_WAIT);
        talk_wake(&talk);
        talk_hear(&talk, 200, "{\"tasks\":[]}");
        assert_int_equal(talk.step.kind, STEP_UNKNOWN);
        assert_int_equal(talk.step.error.kind, ERR_LOST);
        talk_close(&talk);
    }
}

static void a_refused_submit(void **state)
{
    static const struct {
        int status;
        const char *text;
        int retry;
        enum err_kind kind;
    } cases[] = {
        {503, "{\"error\":{\"user_message\":\"Service temporarily unavailable\"}}", 1,
         ERR_UNAVAILABLE},
        {429, "{}", 1, ERR_RATE_LIMITED},
        {403, "{\"error\":{\"user_message\":\"Free trial uses exhausted\"}}", 0, ERR_CREDITS},
        {400, "{\"error\":{\"user_message\":\"prompt rejected\"}}", 0, ERR_MODERATED},
        {401, "{\"error\":{\"user_message\":\"Invalid API Key\"}}", 0, ERR_AUTH},
        {200, "{\"error\":{\"code\":\"quota_exceeded\",\"user_message\":\"no\"}}", 0, ERR_CREDITS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct talk talk;

        door_open(&talk, "nexu", "generate_video", "{\"prompt\":\"a\"}");
        door_to_submit(&talk);
        talk_hear(&talk, cases[i].status, cases[i].text);
        assert_int_equal(talk.step.kind, STEP_FAIL);
        assert_int_equal(talk.step.retry, cases[i].retry);
        assert_int_equal(talk.step.error.kind, cases[i].kind);
        talk_wake(&talk);
        if (cases[i].retry)
            door_sends(&talk, "POST", "/libtv/v1/session", HTTP_SPENDS);
        talk_close(&talk);
    }
}

/* ---- without memory ---- */

/* One job; while answer `which` is read memory ends. 1 when the nth allocation was not reached. */
static int step_without_memory(long n, int for_good, int which)
{
    static const char *const answers[] = {
        "{\"code\":0,\"data\":{\"url\":\"" CLAW "x/a.png\"}}", NULL,
        "{\"code\":0,\"data\":{\"messages\":[]}}", NULL,
        "{\"code\":0,\"data\":{\"messages\":[{\"seq\":1,\"role\":\"user\",\"content\":\"move, "
        "first frame: " CLAW "x/a.png, video ratio 16:9\"}," SAYS("2", MEDIA "a.mp4") "]}}"};
    struct talk talk;
    int spent = 0;
    int over = 0;
    int paid;

    door_open(&talk, "libtv", "generate_video", door_from_file);
    talk_wake(&talk);
    for (int i = 0; i < 5; i++) {
        const char *text = answers[i] ? answers[i] : door_bound;
        struct http_reply reply = golden_reply(text, strlen(text));
        long before;

        if (talk.step.kind == STEP_WAIT)
            talk_wake(&talk);
        assert_int_equal(talk.step.kind, STEP_SEND);
        before = mem_count();
        paid = talk.step.request.effect == HTTP_SPENDS;
        spent += paid;
        if (i == which)
            mem_fail_after(n, for_good);
        talk_next(&talk, &reply, 0);
        mem_fail_after(0, 0);
        if (i != which)
            continue;
        over = mem_count() < before + n;
        if (talk.arena.failed || (talk.step.kind == STEP_FAIL && talk.step.retry)) {
            /* The engine comes again with the flow it has; a submit was announced. */
            talk_next(&talk, paid ? &reply : NULL, 0);
            if (paid && talk.step.kind == STEP_SEND)
                assert_int_not_equal(talk.step.request.effect, HTTP_SPENDS);
        }
        break;
    }
    assert_true(spent <= 1);
    talk_close(&talk);
    return over;
}

static void nothing_is_lost_without_memory(void **state)
{
    long walked = 0;

    (void)state;
    for (int which = 0; which < 5; which++)
        for (int for_good = 0; for_good < 2; for_good++)
            for (long n = 1; !step_without_memory(n, for_good, which); n++)
                walked++;
    assert_true(walked > 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_lacks_something),
        cmocka_unit_test(a_lost_answer_is_found_in_the_session),
        cmocka_unit_test(a_lost_answer_stays_lost),
        cmocka_unit_test(a_lost_answer_is_found_among_the_tasks),
        cmocka_unit_test(a_refused_submit),
        cmocka_unit_test(nothing_is_lost_without_memory),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
