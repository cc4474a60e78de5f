/*
 * test_shim_approval.c - ahp.approval/1 under the shim: what is asked and answered passes through,
 * and each way in which either side breaks its rules is reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "puppet.h"

static const ahp_approval *approval;
static ahp_asked *asked;
static int32_t last_answer;
static ahp_answer_fn *kept_cb;
static void *kept_ud;

static void on_answer(void *ud, int32_t answer)
{
    assert_ptr_equal(ud, &puppet);
    puppet.callbacks++;
    last_answer = answer;
}

static ahp_question question(uint64_t call_id)
{
    ahp_question made = {.size = sizeof(made), .call_id = call_id, .deadline_ms = 1};

    made.title = text("Spend");
    made.amount = text("0.25");
    made.currency = text("USD");
    return made;
}

/* A running puppet with an open call; its id. */
static uint64_t begun(void)
{
    ahp_call call = fake_host_call(fake, "pull", "{}", NULL, NULL);

    fake->has_approval = 1;
    puppet_running();
    approval = puppet.host->ext(puppet.host->ctx, AHP_APPROVAL_1);
    assert_non_null(approval);
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    return call.id;
}

static int32_t ask(const ahp_question *asked_for)
{
    return approval->ask(puppet.host->ctx, asked_for, &asked, on_answer, &puppet);
}

static void passes_through(void **state)
{
    ahp_question q = question(begun());

    (void)state;
    assert_int_equal(ask(&q), AHP_OK);
    assert_int_equal(puppet.callbacks, 0);
    assert_string_equal(fake->questions[0]->title, "Spend");
    assert_string_equal(fake->questions[0]->amount, "0.25");
    fake_host_answer(fake, 0, AHP_APPROVAL_TIMED_OUT);
    assert_int_equal(puppet.callbacks, 1);
    assert_int_equal(last_answer, AHP_APPROVAL_TIMED_OUT);
    assert_int_equal(ask(&q), AHP_OK);
    approval->ask_free(asked);
    assert_true(fake->questions[1]->taken_back);
    approval->ask_free(NULL);
    fake->ask_result = AHP_E_UNSUPPORTED;
    assert_int_equal(ask(&q), AHP_E_UNSUPPORTED);
    expect_nothing();
}

static void is_not_there(void **state)
{
    (void)state;
    puppet_running();
    assert_null(puppet.host->ext(puppet.host->ctx, AHP_APPROVAL_1));
}

static void unsound_questions(void **state)
{
    uint64_t id = begun();
    ahp_question q = question(id + 7);

    (void)state;
    assert_int_equal(ask(&q), AHP_OK); /* said, and passed on: the host can bear it */
    expect(AHP_SHIM_PLUGIN_ARGUMENT);
    approval->ask_free(asked);
    q = question(id);
    q.title = text(NULL);
    assert_int_equal(ask(&q), AHP_OK);
    expect(AHP_SHIM_PLUGIN_ARGUMENT);
    approval->ask_free(asked);
    q = question(id);
    q.text.len = 3; /* of NULL */
    assert_int_equal(ask(&q), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_TEXT);
    q = question(id);
    q.size = 24;
    assert_int_equal(ask(&q), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_STRUCT);
    assert_int_equal(ask(NULL), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_ARGUMENT);
}

static void used_after_its_end(void **state)
{
    ahp_question q = question(begun());

    (void)state;
    assert_int_equal(ask(&q), AHP_OK);
    fake_host_answer(fake, 0, AHP_APPROVAL_ALLOWED);
    approval->ask_free(asked);
    expect(AHP_SHIM_PLUGIN_AFTER_FREE);
}

static void completed_while_asked(void **state)
{
    uint64_t id = begun();
    ahp_question q = question(id);
    ahp_result made = result(AHP_RESULT_OK);

    (void)state;
    assert_int_equal(ask(&q), AHP_OK);
    assert_int_equal(puppet.calls->complete(puppet.host->ctx, id, &made), AHP_OK);
    expect(AHP_SHIM_PLUGIN_QUESTION_OPEN);
    approval->ask_free(asked);
}

static void left_behind(void **state)
{
    ahp_question q = question(begun());

    (void)state;
    assert_int_equal(ask(&q), AHP_OK);
    inst->stop(inst->self, fake->now_ms + 1000);
    expect_two(AHP_SHIM_PLUGIN_STOPPED_OPEN, AHP_SHIM_PLUGIN_STOPPED_HOLDS);
    puppet_destroy();
    expect(AHP_SHIM_PLUGIN_LEAK_QUESTIONS);
    assert_true(fake->questions[0]->taken_back);
}

static void asked_too_late(void **state)
{
    uint64_t id = begun();
    ahp_question q = question(id);
    ahp_result made = result(AHP_RESULT_OK);

    (void)state;
    assert_int_equal(puppet.calls->complete(puppet.host->ctx, id, &made), AHP_OK);
    inst->stop(inst->self, fake->now_ms + 1000);
    assert_int_equal(ask(&q), AHP_E_STATE);
    expect(AHP_SHIM_PLUGIN_PHASE);
}

/* ---- the host ---- */

static int32_t ask_inline(void *ctx, const ahp_question *q, ahp_asked **ret_asked,
                          ahp_answer_fn *cb, void *ud)
{
    (void)ctx;
    (void)q;
    cb(ud, AHP_APPROVAL_ALLOWED);
    *ret_asked = (ahp_asked *)ud;
    return AHP_OK;
}

static int32_t ask_kept(void *ctx, const ahp_question *q, ahp_asked **ret_asked, ahp_answer_fn *cb,
                        void *ud)
{
    (void)ctx;
    (void)q;
    kept_cb = cb;
    kept_ud = ud;
    *ret_asked = (ahp_asked *)ud;
    return AHP_OK;
}

static void free_kept(ahp_asked *handle)
{
    (void)handle;
}

static int32_t in_call_asks(const ahp_call *call)
{
    ahp_question q = question(call->id);

    approval = puppet.host->ext(puppet.host->ctx, AHP_APPROVAL_1);
    return ask(&q);
}

static void answers_inline(void **state)
{
    ahp_call call;

    (void)state;
    fake->has_approval = 1;
    fake->approval.ask = ask_inline;
    puppet_running();
    puppet.in_call = in_call_asks;
    call = fake_host_call(fake, "pull", "{}", NULL, NULL);
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    expect(AHP_SHIM_HOST_ANSWER_INLINE);
}

static void answers_twice_or_late(void **state)
{
    ahp_question q;

    (void)state;
    fake->approval.ask = ask_kept;
    fake->approval.ask_free = free_kept;
    q = question(begun());
    assert_int_equal(ask(&q), AHP_OK);
    kept_cb(kept_ud, AHP_APPROVAL_DENIED);
    kept_cb(kept_ud, AHP_APPROVAL_DENIED);
    expect(AHP_SHIM_HOST_ANSWER_TWICE);
    assert_int_equal(ask(&q), AHP_OK);
    approval->ask_free(asked);
    kept_cb(kept_ud, AHP_APPROVAL_ALLOWED);
    expect(AHP_SHIM_HOST_AFTER_FREE);
    assert_int_equal(ask(&q), AHP_OK);
    kept_cb(kept_ud, 9);
    expect(AHP_SHIM_HOST_ARGUMENT);
    assert_int_equal(last_answer, 9);
}

static void lacks_a_slot(void **state)
{
    (void)state;
    fake->has_approval = 1;
    fake->approval.ask_free = NULL;
    puppet_running();
    expect(AHP_SHIM_HOST_SLOT);
    assert_null(puppet.host->ext(puppet.host->ctx, AHP_APPROVAL_1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, puppet_setup, puppet_teardown)
    const struct CMUnitTest tests[] = {
        TEST(passes_through),
        TEST(is_not_there),
        TEST(unsound_questions),
        TEST(used_after_its_end),
        TEST(completed_while_asked),
        TEST(left_behind),
        TEST(asked_too_late),
        TEST(answers_inline),
        TEST(answers_twice_or_late),
        TEST(lacks_a_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
