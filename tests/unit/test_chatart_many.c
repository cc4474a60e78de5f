/*
 * Several pictures in one job of the chatart adapter: one task after the other, and what is made
 * when one of them is not.
 */
#include "unit/chatart_rig.h"

#define MADE(name, credits)                                                                        \
    "{\"code\":200,\"data\":{\"status\":1,\"cost_credit\":" #credits                               \
    ",\"message\":[{\"url\":\"https://files.chatartpro.com/" name ".png\"}]}}"
#define REFUSED "{\"code\":200,\"data\":{\"status\":2,\"error\":\"Content policy violation\"}}"

static void take(struct talk *talk, const char *id)
{
    char text[80];

    assert_int_equal(talk->step.kind, STEP_SEND);
    assert_int_equal(talk->step.phase, PHASE_SUBMIT);
    assert_int_equal(talk->step.request.effect, HTTP_SPENDS);
    snprintf(text, sizeof(text), "{\"code\":200,\"data\":{\"question_id\":\"%s\"}}", id);
    talk_hear(talk, 200, text);
    assert_int_equal(talk->step.kind, STEP_WAIT);
    assert_string_equal(talk->step.provider_job, id);
    talk_wake(talk);
    assert_int_equal(talk->step.kind, STEP_SEND);
    assert_non_null(strstr(talk->step.request.url, id));
}

/* Three are wanted, and one is made: the next is being asked for. */
static void one_of_three(struct talk *talk)
{
    chat_begin(talk, "generate_image",
               "{\"prompt\":\"a\",\"model\":\"Nano Banana 2\",\"count\":3}");
    assert_int_equal(talk->plan.files, 3);
    assert_int_equal(talk->plan.times.rounds, 3);
    take(talk, "q_1");
    talk_hear(talk, 200, MADE("one", 6));
    assert_int_equal(talk->step.results_count, 0);
}

/* The end, and the same end for a later process. */
static void expect_done(struct talk *talk, size_t count, double cost, enum err_kind kind)
{
    for (int round = 0; round < 2; round++) {
        assert_int_equal(talk->step.kind, STEP_DONE);
        assert_int_equal(talk->step.results_count, count);
        assert_string_equal(talk->step.results[0].url, "https://files.chatartpro.com/one.png");
        assert_true(talk->step.cost == cost);
        assert_int_equal(talk->step.error.kind, kind);
        assert_int_equal(*talk->step.error.text != '\0', kind != ERR_NONE);
        talk_wake(talk);
    }
}

static void all_are_made_in_turn(void **state)
{
    struct talk talk;

    (void)state;
    one_of_three(&talk);
    take(&talk, "q_2");
    assert_int_equal(talk.step.progress, 333);
    talk_hear(&talk, 200, "{\"code\":200,\"data\":{\"status\":0}}");
    assert_int_equal(talk.step.kind, STEP_WAIT);
    talk_wake(&talk);
    /* Done, but without a result at first: what was made before is not taken for it. */
    talk_hear(&talk, 200,
              "{\"code\":200,\"data\":{\"status\":1,\"cost_credit\":6,\"message\":[]}}");
    assert_int_equal(talk.step.kind, STEP_WAIT);
    assert_int_equal(talk.step.results_count, 0);
    talk_wake(&talk);
    talk_hear(&talk, 200, MADE("two", 6));
    take(&talk, "q_3");
    talk_hear(&talk, 200, MADE("three", 8));
    assert_string_equal(talk.step.results[2].url, "https://files.chatartpro.com/three.png");
    expect_done(&talk, 3, 20, ERR_NONE);
    talk_close(&talk);
}

static void what_is_made_stays_made(void **state)
{
    struct talk talk;

    (void)state;
    one_of_three(&talk); /* the second is refused */
    talk_hear(&talk, 200, "{\"code\":10058,\"message\":\"x\"}");
    expect_done(&talk, 1, 6, ERR_CREDITS);
    talk_close(&talk);
    one_of_three(&talk); /* or fails */
    take(&talk, "q_2");
    talk_hear(&talk, 200, REFUSED);
    expect_done(&talk, 1, 6, ERR_MODERATED);
    talk_close(&talk);
    one_of_three(&talk); /* or its answer is lost */
    talk_lose(&talk, HTTP_LOST);
    expect_done(&talk, 1, 6, ERR_LOST);
    talk_close(&talk);
    one_of_three(&talk); /* or the process ends while it is asked for */
    talk_turn(&talk, NULL, 1);
    expect_done(&talk, 1, 6, ERR_LOST);
    talk_close(&talk);
}

/* Refused for now: again, but not until the engine gives up all of the job. */
static void a_busy_service_is_not_asked_for_ever(void **state)
{
    struct talk talk;
    int tries = 0;

    (void)state;
    one_of_three(&talk);
    while (talk.step.kind == STEP_SEND) {
        assert_true(++tries <= LIMIT_SUBMITS);
        talk_hear(&talk, 200, "{\"code\":4007}");
        if (talk.step.kind == STEP_FAIL) {
            assert_true(talk.step.retry);
            talk_wake(&talk);
        }
    }
    assert_true(tries > 1);
    expect_done(&talk, 1, 6, ERR_BUSY);
    talk_close(&talk);
}

/* A person wanted to know what became of it: that orders no more. */
static void a_look_spends_nothing(void **state)
{
    struct talk talk;

    (void)state;
    one_of_three(&talk);
    take(&talk, "q_2");
    talk.recheck = 1;
    talk_hear(&talk, 200, MADE("two", 6));
    expect_done(&talk, 2, 12, ERR_EXPIRED);
    talk_close(&talk);
}

/* What is ordered is waited for and nothing more is; without anything made, the engine ends it. */
static void a_cancel_orders_no_more(void **state)
{
    struct talk talk;

    (void)state;
    one_of_three(&talk); /* while the second is made */
    take(&talk, "q_2");
    talk.cancelled = 1;
    talk_hear(&talk, 200, "{\"code\":200,\"data\":{\"status\":0}}");
    assert_int_equal(talk.step.kind, STEP_WAIT);
    assert_int_equal(json_int(talk.flow, "made", 0), 1); /* the engine's sign that it is not over */
    talk_wake(&talk);
    assert_int_equal(talk.step.request.effect, HTTP_READS);
    talk_hear(&talk, 200, MADE("two", 6));
    assert_non_null(strstr(talk.step.error.text, "2 of 3"));
    expect_done(&talk, 2, 12, ERR_CANCELLED);
    talk_close(&talk);
    one_of_three(&talk); /* before the second was sent */
    talk.cancelled = 1;
    talk_wake(&talk);
    expect_done(&talk, 1, 6, ERR_CANCELLED);
    talk_close(&talk);
    one_of_three(&talk); /* and when the service would take it only later */
    talk.cancelled = 1;
    talk_hear(&talk, 200, "{\"code\":4007}");
    expect_done(&talk, 1, 6, ERR_CANCELLED);
    talk_close(&talk);
    one_of_three(&talk); /* what is made of all is all */
    take(&talk, "q_2");
    talk_hear(&talk, 200, MADE("two", 6));
    take(&talk, "q_3");
    talk.cancelled = 1;
    talk_hear(&talk, 200, MADE("three", 6));
    expect_done(&talk, 3, 18, ERR_NONE);
    talk_close(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_made_in_turn),
        cmocka_unit_test(what_is_made_stays_made),
        cmocka_unit_test(a_busy_service_is_not_asked_for_ever),
        cmocka_unit_test(a_look_spends_nothing),
        cmocka_unit_test(a_cancel_orders_no_more),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
