/*
 * test_shim_host.c - a host that misbehaves, in each way there is a number for: slots of the fake
 * host are replaced by ones that break a rule.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_shim_host.h"

/* --- R1 --------------------------------------------------------------------------------------- */

static int32_t timer_at_inline(ahp_timer *timer, int64_t deadline_ms)
{
    (void)timer;
    (void)deadline_ms;
    kept_timer_fn(kept_ud);
    return AHP_OK;
}

static void timer_inline(void **state)
{
    (void)state;
    fake->loop.timer_new = timer_new_kept;
    fake->loop.timer_at = timer_at_inline;
    puppet_running();
    puppet_timer_new();
    inside(arm_now);
    expect(AHP_SHIM_HOST_TIMER_INLINE);
    puppet.loop->timer_free(puppet.timer);
}

static int32_t defer_inline(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    (void)ctx;
    cb(ud);
    *ret_deferred = (ahp_deferred *)ud;
    return AHP_OK;
}

static void deferred_inline(void **state)
{
    (void)state;
    fake->loop.defer = defer_inline;
    puppet_running();
    inside(defer_now);
    expect(AHP_SHIM_HOST_DEFER_INLINE);
    assert_int_equal(puppet.callbacks, 1);
}

static int32_t run_inline(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    (void)ctx;
    fn(item);
    done(item, 0);
    return AHP_OK;
}

static void work_inline(void **state)
{
    (void)state;
    fake->work.run = run_inline;
    puppet_running();
    inside(run_now);
    expect_two(AHP_SHIM_HOST_WORK_INLINE, AHP_SHIM_HOST_WORK_INLINE);
}

static int32_t offer_inline(void *ctx, const ahp_delivery *offered)
{
    ahp_receipt given = {.size = sizeof(given), .outcome = AHP_RECEIPT_DELIVERED};

    (void)ctx;
    given.key = offered->key;
    assert_int_equal(inst->receipt(inst->self, &given), AHP_E_STATE);
    return AHP_OK;
}

static void receipt_inline(void **state)
{
    (void)state;
    fake->deliver.offer = offer_inline;
    puppet_running();
    inside(offer_now);
    expect(AHP_SHIM_HOST_RECEIPT_INLINE);
}

static int32_t complete_reenters(void *ctx, uint64_t call_id, const ahp_result *made)
{
    ahp_call call = call_made();

    (void)ctx;
    (void)call_id;
    (void)made;
    assert_int_equal(inst->call(inst->self, &call), AHP_E_STATE);
    inst->destroy(inst->self); /* under its own stack: not passed on */
    return AHP_OK;
}

static int32_t complete_at_once(const ahp_call *call)
{
    ahp_result made = result(AHP_RESULT_OK);

    (void)puppet.calls->complete(puppet.host->ctx, call->id, &made);
    return AHP_OK;
}

static void reentered(void **state)
{
    ahp_call call;

    (void)state;
    fake->calls.complete = complete_reenters;
    puppet_running();
    puppet.in_call = complete_at_once;
    call = call_made();
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    expect_two(AHP_SHIM_HOST_REENTERED, AHP_SHIM_HOST_REENTERED);
    assert_true(reported("inside complete"));
}

/* --- R2 and phases ---------------------------------------------------------------------------- */

static void *from_elsewhere(void *arg)
{
    ahp_call call = call_made();

    (void)arg;
    assert_int_equal(inst->call(inst->self, &call), AHP_E_INVALID);
    assert_int_equal(inst->cancel(inst->self, 1), AHP_E_INVALID);
    return NULL;
}

static void wrong_thread(void **state)
{
    pthread_t thread;

    (void)state;
    puppet_running();
    assert_int_equal(pthread_create(&thread, NULL, from_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    expect_two(AHP_SHIM_HOST_WRONG_THREAD, AHP_SHIM_HOST_WRONG_THREAD);
}

static void wrong_phase(void **state)
{
    ahp_err err = {.size = sizeof(err)};

    (void)state;
    assert_int_equal(puppet_create(), AHP_OK);
    inst->stop(inst->self, 0);
    expect(AHP_SHIM_HOST_PHASE);
    assert_int_equal(inst->start(inst->self, &err), AHP_OK);
    assert_int_equal(inst->start(inst->self, &err), AHP_E_STATE);
    assert_string_equal(err.text, "start: not allowed in this phase");
    expect(AHP_SHIM_HOST_PHASE);
    inst->stop(inst->self, fake->now_ms + 5);
    inst->stop(inst->self, fake->now_ms + 5);
    expect(AHP_SHIM_HOST_PHASE);
}

static int32_t start_fails(ahp_err *ret_err)
{
    ret_err->code = AHP_E_FAILED;
    memcpy(ret_err->text, "no", 3);
    return AHP_E_FAILED;
}

static void used_after_failed_start(void **state)
{
    ahp_call call = call_made();

    (void)state;
    assert_int_equal(puppet_create(), AHP_OK);
    puppet.in_start = start_fails;
    assert_int_equal(inst->start(inst->self, NULL), AHP_E_FAILED);
    assert_int_equal(inst->call(inst->self, &call), AHP_E_STATE);
    expect(AHP_SHIM_HOST_PHASE);
}

/* --- R3 --------------------------------------------------------------------------------------- */

static void call_ids(void **state)
{
    ahp_call call = call_made();

    (void)state;
    puppet_running();
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    assert_int_equal(inst->call(inst->self, &call), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_CALL_ID);
    call.id = 0;
    assert_int_equal(inst->call(inst->self, &call), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_CALL_ID);
}

static int32_t complete_stale(void *ctx, uint64_t call_id, const ahp_result *made)
{
    (void)ctx;
    (void)call_id;
    (void)made;
    return AHP_E_STALE;
}

static int32_t complete_ok(void *ctx, uint64_t call_id, const ahp_result *made)
{
    (void)ctx;
    (void)call_id;
    (void)made;
    return AHP_OK;
}

static void refuses_an_end(void **state)
{
    ahp_call call = call_made();
    ahp_result made = result(AHP_RESULT_OK);

    (void)state;
    fake->calls.complete = complete_stale;
    puppet_running();
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    (void)puppet.calls->complete(puppet.host->ctx, call.id, &made);
    expect(AHP_SHIM_HOST_COMPLETE_REFUSED);
}

static void takes_a_second_end(void **state)
{
    ahp_call call = call_made();
    ahp_result made = result(AHP_RESULT_OK);

    (void)state;
    fake->calls.complete = complete_ok;
    puppet_running();
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    (void)puppet.calls->complete(puppet.host->ctx, call.id, &made);
    expect_nothing();
    (void)puppet.calls->complete(puppet.host->ctx, call.id, &made);
    expect_two(AHP_SHIM_PLUGIN_COMPLETE_TWICE, AHP_SHIM_HOST_COMPLETE_STALE);
}

/* --- R4, slots, arguments --------------------------------------------------------------------- */

static void short_structs(void **state)
{
    ahp_call call = call_made();
    ahp_receipt given = receipt("k", AHP_RECEIPT_DELIVERED);

    (void)state;
    fake->work.size = 8; /* an optional extension that is too short is no extension */
    assert_int_equal(puppet_create(), AHP_OK);
    expect(AHP_SHIM_HOST_STRUCT);
    assert_null(puppet.work);
    assert_int_equal(inst->start(inst->self, NULL), AHP_OK);
    call.size = 0;
    assert_int_equal(inst->call(inst->self, &call), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_STRUCT);
    call.size = 0x20202020; /* not a size at all */
    assert_int_equal(inst->call(inst->self, &call), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_STRUCT);
    given.size = 8;
    assert_int_equal(inst->receipt(inst->self, &given), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_STRUCT);
}

static void missing_slots(void **state)
{
    (void)state;
    fake->loop.watch_mod = NULL;
    assert_int_equal(puppet_create(), AHP_E_UNSUPPORTED); /* it is needed, and not usable */
    expect(AHP_SHIM_HOST_SLOT);
    fake->loop = good;
    fake->host.log_on = NULL;
    assert_int_equal(puppet_create(), AHP_E_VERSION);
    expect(AHP_SHIM_HOST_SLOT);
}

static void missing_needs(void **state)
{
    (void)state;
    fake->has_loop = 0;
    assert_int_equal(puppet_create(), AHP_E_VERSION);
    assert_non_null(strstr(create_err.text, AHP_LOOP_1));
    assert_non_null(strstr(create_err.text, "fake-host"));
    expect(AHP_SHIM_HOST_NEEDS);
    fake->has_loop = 1;
    puppet.entry.minor_needed = 7;
    assert_int_equal(puppet_create(), AHP_E_VERSION);
    assert_non_null(strstr(create_err.text, "1.7"));
    assert_non_null(strstr(create_err.text, "1.0"));
    expect(AHP_SHIM_HOST_NEEDS);
}

static void bad_texts(void **state)
{
    static char key[AHP_KEY_BYTES_MAX + 1];
    ahp_call call = call_made();

    (void)state;
    puppet_running();
    memset(key, 'k', sizeof(key));
    call.dedup_key.ptr = key;
    call.dedup_key.len = sizeof(key);
    assert_int_equal(inst->call(inst->self, &call), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_TEXT);
    call = call_made();
    call.args = text("not an object");
    assert_int_equal(inst->call(inst->self, &call), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_TEXT);
    call = call_made();
    call.locale.len = 5;
    assert_int_equal(inst->call(inst->self, &call), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_TEXT);
}

static ahp_text text_of(const char *text)
{
    ahp_text it = {text, strlen(text)};

    return it;
}

static void bad_arguments(void **state)
{
    ahp_call call = call_made();
    uint32_t count = 0;

    (void)state;
    puppet_running();
    call.deadline_ms = -1;
    (void)inst->call(inst->self, &call);
    expect(AHP_SHIM_HOST_ARGUMENT);
    call = call_made();
    call.workspace = text_of("/agent");
    call.output_dir = text_of("out");
    (void)inst->call(inst->self, &call);
    expect(AHP_SHIM_HOST_ARGUMENT);
    /* From headers that end before them: not read. */
    call = call_made();
    call.workspace = text_of("out");
    call.size = offsetof(ahp_call, workspace);
    (void)inst->call(inst->self, &call);
    expect_nothing();
    assert_int_equal(inst->tools(inst->self, NULL, &count), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_ARGUMENT);
    assert_null(inst->ext(inst->self, NULL));
    expect(AHP_SHIM_HOST_ARGUMENT);
}

static void forgets_too_soon(void **state)
{
    (void)state;
    fake->deliver.repeat_window_ms = 1000;
    assert_int_equal(puppet_create(), AHP_OK);
    expect(AHP_SHIM_HOST_ARGUMENT);
}

static int32_t timer_new_seven(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    (void)ctx;
    (void)ret_timer;
    (void)cb;
    (void)ud;
    return 7;
}

static int32_t timer_new_touches(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    (void)ctx;
    (void)cb;
    (void)ud;
    *ret_timer = NULL;
    return AHP_E_NOMEM;
}

static int32_t timer_new_forgets(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    (void)ctx;
    (void)ret_timer;
    (void)cb;
    (void)ud;
    return AHP_OK;
}

static int32_t timer_new_tried(void)
{
    ahp_timer *const untouched = (ahp_timer *)(void *)&good;
    ahp_timer *timer = untouched;
    int32_t rc = puppet.loop->timer_new(puppet.host->ctx, &timer, puppet_on_timer, &puppet);

    assert_ptr_equal(timer, untouched); /* the shim keeps the promise for the host */
    return rc;
}

static void outputs_and_results(void **state)
{
    (void)state;
    puppet_running();
    fake->loop.timer_new = timer_new_seven;
    assert_int_equal(timer_new_tried(), AHP_E_FAILED);
    expect(AHP_SHIM_HOST_RESULT);
    fake->loop.timer_new = timer_new_touches;
    assert_int_equal(timer_new_tried(), AHP_E_NOMEM);
    expect(AHP_SHIM_HOST_OUTPUT_TOUCHED);
    fake->loop.timer_new = timer_new_forgets;
    assert_int_equal(timer_new_tried(), AHP_E_FAILED);
    expect(AHP_SHIM_HOST_OUTPUT_MISSING);
}

static void all_seen(void **state)
{
    (void)state;
    expect_all_seen(AHP_SHIM_HOST_REENTERED, AHP_SHIM_HOST_WORK_MISSING);
}

#define WITH_HOST(test) cmocka_unit_test_setup_teardown(test, host_setup, host_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOST(timer_inline),
        WITH_HOST(deferred_inline),
        WITH_HOST(work_inline),
        WITH_HOST(receipt_inline),
        WITH_HOST(reentered),
        WITH_HOST(wrong_thread),
        WITH_HOST(wrong_phase),
        WITH_HOST(used_after_failed_start),
        WITH_HOST(call_ids),
        WITH_HOST(refuses_an_end),
        WITH_HOST(takes_a_second_end),
        WITH_HOST(short_structs),
        WITH_HOST(missing_slots),
        WITH_HOST(missing_needs),
        WITH_HOST(bad_texts),
        WITH_HOST(bad_arguments),
        WITH_HOST(forgets_too_soon),
        WITH_HOST(outputs_and_results),
        WITH_HOST(watch_after_free),
        WITH_HOST(timer_after_free),
        WITH_HOST(timer_early_and_unarmed),
        WITH_HOST(deferred_twice),
        WITH_HOST(watch_twice),
        WITH_HOST(bad_events),
        WITH_HOST(clock_backwards),
        WITH_HOST(ext_changes),
        WITH_HOST(offers_and_receipts),
        WITH_HOST(lost_is_final),
        WITH_HOST(receipt_of_unknown_key),
        WITH_HOST(accepts_without_ready),
        WITH_HOST(work_twice),
        WITH_HOST(work_cancelled),
        WITH_HOST(work_missing),
        cmocka_unit_test(all_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
