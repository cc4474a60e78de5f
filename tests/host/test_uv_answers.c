/*
 * test_uv_answers.c - what the owner answers on libuv: receipts of deliveries and questions to
 * people. The plugin hears of either once, never inline, and until it has taken it.
 */
#include <stdio.h>
#include <string.h>

#include "calls_rig.h"

/* ---- receipts ---- */

static int receipts;
static int32_t receipt_outcome;
static char receipt_key[32];

static int32_t on_receipt(struct probe *p, const ahp_receipt *receipt)
{
    (void)p;
    receipts++;
    receipt_outcome = receipt->outcome;
    snprintf(receipt_key, sizeof(receipt_key), "%.*s", (int)receipt->key.len, receipt->key.ptr);
    return AHP_OK;
}

static int32_t answer_at_once(struct probe *p, const ahp_delivery *delivery)
{
    ahp_receipt receipt = {.size = sizeof(receipt), .outcome = AHP_RECEIPT_DELIVERED};

    receipt.key = delivery->key;
    assert_int_equal(ahp_uv_receipt(p->h, &receipt), AHP_OK);
    assert_int_equal(receipts, 0);
    return AHP_OK;
}

static void test_receipt_never_inline(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};

    receipts = 0;
    p->on_offer = answer_at_once;
    p->on_call = call_offers;
    p->on_receipt = on_receipt;
    assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
    assert_int_equal(receipts, 0);
    bench_turns(*state, 1);
    assert_int_equal(receipts, 1);
    assert_int_equal(receipt_outcome, AHP_RECEIPT_DELIVERED);
    assert_string_equal(receipt_key, "k:1");
    probe_finish(p);
}

static int receipts_refused; /* how many times to answer with receipt_code */
static int32_t receipt_code;
static int taken;
static int32_t taken_code;

static int32_t refuse_receipt(struct probe *p, const ahp_receipt *receipt)
{
    on_receipt(p, receipt);
    return receipts <= receipts_refused ? receipt_code : AHP_OK;
}

static void on_taken(struct probe *p, int32_t code)
{
    (void)p;
    taken++;
    taken_code = code;
}

static struct probe *offer_refused(struct bench *b, int count, int32_t code)
{
    struct probe *p = call_probe(b, AHP_UV_CHECK);
    static struct seen s;

    receipts = taken = 0;
    receipts_refused = count;
    receipt_code = code;
    p->on_offer = answer_at_once;
    p->on_call = call_offers;
    p->on_receipt = refuse_receipt;
    p->on_receipt_taken = on_taken;
    assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
    return p;
}

static void test_receipt_is_repeated_until_taken(void **state)
{
    struct probe *p = offer_refused(*state, 2, AHP_E_NOMEM);

    bench_until(*state, &taken);
    assert_int_equal(receipts, 3);
    assert_int_equal(taken_code, AHP_OK);
    assert_int_equal(receipt_outcome, AHP_RECEIPT_DELIVERED);
    assert_string_equal(receipt_key, "k:1");
    probe_finish(p);
    assert_int_equal(taken, 1);
}

static void test_receipt_not_taken_is_dropped_at_the_end(void **state)
{
    struct probe *p = offer_refused(*state, 1000, AHP_E_FAILED);

    bench_turns(*state, 2);
    assert_true(receipts >= 1);
    probe_finish(p);
    assert_int_equal(taken, 0);
}

static int32_t look_at_ready(struct probe *p, const ahp_call *call)
{
    *(uint32_t *)p->ud = p->deliver->flags & AHP_DELIVER_READY;
    call_end(p, call->id, AHP_RESULT_OK, "{}");
    return AHP_OK;
}

static void test_ready_may_change(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    uint32_t seen_flags = 0;
    uint32_t flags[] = {AHP_DELIVER_READY, 0, AHP_DELIVER_READY};
    size_t i;

    p->ud = &seen_flags;
    p->on_call = look_at_ready;
    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        struct seen s = {0};

        ahp_uv_deliver_set(p->h, flags[i]);
        assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
        bench_until(*state, &s.done);
        assert_int_equal(seen_flags, flags[i]);
    }
    probe_finish(p);
}

/* ---- questions ---- */

static ahp_asked *asked;
static uint64_t question_id;
static int32_t answers[4];
static int answers_count;
static int answered_inside; /* the host's answer is posted while it is asked */

static void on_answer(void *ud, int32_t answer)
{
    (void)ud;
    answers[answers_count++ % 4] = answer;
}

static int32_t host_asks(struct probe *p, uint64_t id, const ahp_question *question)
{
    assert_int_equal(question->amount.len, 4);
    assert_memory_equal(question->amount.ptr, "0.25", 4);
    question_id = id;
    if (answered_inside)
        assert_int_equal(ahp_uv_answer(p->h, id, AHP_APPROVAL_ALLOWED), AHP_OK);
    return AHP_OK;
}

static int32_t ask_in_call(struct probe *p, const ahp_call *call)
{
    ahp_question q = {.size = sizeof(q), .call_id = call->id};

    q.title = call->tool;
    q.amount.ptr = "0.25";
    q.amount.len = 4;
    asked = NULL;
    answers_count = 0;
    open_ids[0] = call->id;
    return p->approval->ask(p->host->ctx, &q, &asked, on_answer, p);
}

static struct probe *asking_probe(struct bench *b, struct seen *s, int inside)
{
    struct probe *p = call_probe(b, AHP_UV_CHECK);

    answered_inside = inside;
    p->on_call = ask_in_call;
    p->on_ask = host_asks;
    assert_int_equal(call_begin(p, s, NULL), AHP_OK);
    assert_int_equal(answers_count, 0);
    return p;
}

static void test_questions_are_answered_once(void **state)
{
    struct seen s = {0};
    struct probe *p = asking_probe(*state, &s, 0);

    bench_turns(*state, 3);
    assert_int_equal(answers_count, 0);
    assert_int_equal(ahp_uv_answer(p->h, question_id + 1, AHP_APPROVAL_ALLOWED), AHP_E_STALE);
    assert_int_equal(ahp_uv_answer(p->h, question_id, AHP_APPROVAL_DENIED), AHP_OK);
    assert_int_equal(ahp_uv_answer(p->h, question_id, AHP_APPROVAL_ALLOWED), AHP_E_STALE);
    assert_int_equal(answers_count, 0);
    bench_turns(*state, 3);
    assert_int_equal(answers_count, 1);
    assert_int_equal(answers[0], AHP_APPROVAL_DENIED);
    assert_int_equal(ahp_uv_answer(p->h, question_id, AHP_APPROVAL_ALLOWED), AHP_E_STALE);
    call_end(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    assert_int_equal(p->asks_over, 0);
    probe_finish(p);
}

static void test_answer_inside_the_question(void **state)
{
    struct seen s = {0};
    struct probe *p = asking_probe(*state, &s, 1);

    bench_turns(*state, 3);
    assert_int_equal(answers_count, 1);
    assert_int_equal(answers[0], AHP_APPROVAL_ALLOWED);
    call_end(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    probe_finish(p);
}

static void test_questions_taken_back(void **state)
{
    struct seen s = {0};
    struct probe *p = asking_probe(*state, &s, 0);

    p->approval->ask_free(asked);
    assert_int_equal(p->asks_over, 1);
    assert_int_equal(ahp_uv_answer(p->h, question_id, AHP_APPROVAL_ALLOWED), AHP_E_STALE);
    call_end(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    /* One whose answer is on its way: nothing comes any more, and the host knows already. */
    memset(&s, 0, sizeof(s));
    answered_inside = 1;
    {

        assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
    }
    p->approval->ask_free(asked);
    bench_turns(*state, 3);
    assert_int_equal(answers_count, 0);
    assert_int_equal(p->asks_over, 1);
    call_end(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    probe_finish(p);
}

static void free_question(struct probe *p)
{
    p->approval->ask_free(asked);
}

static void test_question_open_at_the_end(void **state)
{
    struct seen s = {0};
    struct probe *p = asking_probe(*state, &s, 0);

    p->on_stop = NULL;
    p->on_destroy = free_question;
    probe_close(p, 20);
    assert_int_equal(p->end.questions_live, 0);
    assert_int_equal(p->asks_over, 1);
    assert_int_equal(s.status, AHP_RESULT_SHUTDOWN);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        CASE(test_receipt_never_inline),
        CASE(test_receipt_is_repeated_until_taken),
        CASE(test_receipt_not_taken_is_dropped_at_the_end),
        CASE(test_ready_may_change),
        CASE(test_questions_are_answered_once),
        CASE(test_answer_inside_the_question),
        CASE(test_questions_taken_back),
        CASE(test_question_open_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
