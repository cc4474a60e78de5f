/*
 * test_tools_confirm_host.c - money is spent after a yes, and the host asks for it: every answer,
 * no answer, a change meanwhile, and no memory.
 */
#include "confirm_rig.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void the_host_is_asked(void **state)
{
    struct rig *rig = *state;
    const struct fake_question *question;
    const struct fake_end *end;
    json_t *json;
    uint64_t id;

    rig->a.fake->has_approval = 1;
    confirm_begin(state, "confirm: 'always'");
    json = side_ask(&rig->a, "generate_image",
                    "{\"prompt\":\"a boat\",\"model\":\"cheap\",\"dry_run\":true}", "to", "c");
    assert_null(json_object_get(json, "confirm")); /* the yes is not the model's */
    json_decref(json);

    id = confirm_question(rig, BOAT, 1);
    question = rig->a.fake->questions[0];
    assert_true(question->call_id == id);
    assert_string_equal(question->title, "Make pictures with cheap at sim for about 0.25 USD");
    assert_string_equal(question->amount, "0.25");
    assert_string_equal(question->currency, "USD");
    assert_string_equal(question->target, "sim / cheap");
    assert_string_equal(question->conversation, "c");
    assert_non_null(strstr(question->text, "pictures (1)"));
    fake_host_answer(rig->a.fake, 0, AHP_APPROVAL_DENIED);
    end = side_end_of(&rig->a, id);
    assert_int_equal(end->status, AHP_RESULT_ERROR);
    assert_non_null(strstr(end->json, "\"denied\""));
    assert_non_null(strstr(end->json, "not approved"));

    id = confirm_question(rig, BOAT, 2);
    fake_host_answer(rig->a.fake, 1, AHP_APPROVAL_TIMED_OUT);
    assert_non_null(strstr(side_end_of(&rig->a, id)->json, "in time"));
    id = confirm_question(rig, BOAT, 3);
    fake_host_answer(rig->a.fake, 2, 77); /* what one does not know is a no */
    assert_non_null(strstr(side_end_of(&rig->a, id)->json, "not approved"));
    assert_int_equal(rig->a.breaches, 1);
    rig->a.breaches = 0;
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");

    id = confirm_question(rig, "{\"prompt\":\"a boat\",\"extra\":\"{\\\"x\\\":1}\"}", 4);
    assert_string_equal(rig->a.fake->questions[3]->amount, "");
    assert_string_equal(rig->a.fake->questions[3]->currency, "");
    fake_host_answer(rig->a.fake, 3, AHP_APPROVAL_ALLOWED);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_PENDING_JOB);
    rig_until_spends(rig, 1);
    assert_non_null(strstr(rig->last_spend_body, "\"x\":1"));
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->questions_count, 4);
}

static void a_question_ends_with_its_call(void **state)
{
    struct rig *rig = *state;
    ahp_call call;
    uint64_t id;

    rig->a.fake->has_approval = 1;
    confirm_begin(state, "confirm: 'always'");
    id = confirm_question(rig, BOAT, 1);
    assert_int_equal(rig->a.inst->cancel(rig->a.inst->self, id), AHP_OK);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_CANCELLED);
    assert_true(rig->a.fake->questions[0]->taken_back);
    /* It does not outlast the call's deadline. */
    call = fake_host_call(rig->a.fake, "generate_image", BOAT, "to", "c");
    call.deadline_ms = rig->a.fake->now_ms + 30000;
    assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_OK);
    rig_spin(rig, 20);
    assert_true(rig->a.fake->questions[1]->deadline_ms < call.deadline_ms);
    fake_host_answer(rig->a.fake, 1, AHP_APPROVAL_TIMED_OUT);
    /* Nor the instance; what was asked has left no trace. */
    id = confirm_question(rig, BOAT, 3);
    side_stop(&rig->a);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_SHUTDOWN);
    assert_true(rig->a.fake->questions[2]->taken_back);
    side_destroy(&rig->a);
    rig->a.fake = fake_host_new();
    rig->a.fake->has_approval = 1;
    side_open(&rig->a, "s");
    confirm_question(rig, BOAT, 1);
    side_destroy(&rig->a); /* the shim looks for questions that are left */
    side_open(&rig->a, "s");
    rig_pass(rig, 5000);
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");
    assert_int_equal(rig->spends, 0);
}

static void a_change_meanwhile_is_asked_again(void **state)
{
    struct rig *rig = *state;
    uint64_t id;

    rig->a.fake->has_approval = 1;
    confirm_begin(state, "confirm: { above: 1, currency: 'USD' }");
    id = confirm_question(rig, "{\"prompt\":\"a boat\",\"model\":\"dear\"}", 1);
    confirm_configure(rig, "confirm: { above: 1, currency: 'USD' }, default_provider: 'sim'");
    fake_host_answer(rig->a.fake, 0, AHP_APPROVAL_ALLOWED);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_PENDING_JOB);
    rig_until_spends(rig, 1);
    rig->spends = 0;
    id = confirm_question(rig, "{\"prompt\":\"two\",\"model\":\"yuan\"}", 2);
    confirm_move(rig, "yuan: { each: 50, currency: 'CNY' }");
    fake_host_answer(rig->a.fake, 1, AHP_APPROVAL_ALLOWED);
    rig_spin(rig, 20);
    assert_int_equal(rig->a.fake->questions_count, 3);
    assert_string_equal(rig->a.fake->questions[2]->amount, "50");
    fake_host_answer(rig->a.fake, 2, AHP_APPROVAL_DENIED);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_ERROR);
    assert_int_equal(rig->spends, 0);
}

static void a_host_that_cannot_ask_now(void **state)
{
    struct rig *rig = *state;
    char token[64];
    char job[40];
    json_t *json;

    rig->a.fake->has_approval = 1;
    rig->a.fake->ask_result = AHP_E_UNSUPPORTED;
    confirm_begin(state, "confirm: 'always'");
    confirm_token(rig, "generate_image", BOAT, token);
    side_job(&rig->a, "generate_image", confirm_with(BOAT, token), "to", "c", job);
    rig_until_spends(rig, 1);
    /* Being busy is no way around a person. */
    rig->a.fake->ask_result = AHP_E_LIMIT;
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"b\"}", "to", "c");
    assert_string_equal(text_at(json, "error.kind"), "busy");
    assert_null(json_object_get(json, "confirm"));
    json_decref(json);
    assert_int_equal(rig->spends, 1);
}

/* One call with the nth allocation failing, and its question's answer as well. 1: it ended well. */
static int ask_without_memory(struct rig *rig, long nth, int *ret_over)
{
    uint32_t before = rig->a.fake->questions_count;
    int asked;
    uint64_t id;

    *ret_over = side_call_starved(&rig->a, "generate_image", BOAT, "to", nth, 0, &id);
    if (!id)
        return 0;
    rig_spin(rig, 5);
    asked = rig->a.fake->questions_count > before;
    if (asked) {
        mem_fail_after(nth % 20 + 1, 0);
        fake_host_answer(rig->a.fake, before, AHP_APPROVAL_DENIED);
        mem_fail_after(0, 0);
    }
    return strstr(side_end_of(&rig->a, id)->json, "needs_confirmation") != NULL || asked;
}

/* Wherever memory ends, nothing is sent without a yes. */
static void memory_may_run_out_anywhere(void **state)
{
    struct rig *rig = *state;

    for (int asks = 0; asks < 2; asks++) {
        int ended_well = 0;
        int over = 0;
        long nth;

        rig->a.fake->has_approval = asks;
        confirm_begin(state, "confirm: 'always'");
        for (nth = 1; !over; nth++)
            ended_well = ask_without_memory(rig, nth, &over);
        assert_true(ended_well && nth > 20);
        assert_int_equal(rig->spends, 0);
        assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");
        if (!asks) {
            side_destroy(&rig->a);
            rig->a.fake = fake_host_new();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIRM_TEST(the_host_is_asked),
        CONFIRM_TEST(a_question_ends_with_its_call),
        CONFIRM_TEST(a_change_meanwhile_is_asked_again),
        CONFIRM_TEST(a_host_that_cannot_ask_now),
        CONFIRM_TEST(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
