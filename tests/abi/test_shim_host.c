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

#include "puppet.h"

static int pipe_fds[2];

/* What a replaced slot was given, for a later misuse. */
static void *kept_ud;
static ahp_watch_fn *kept_watch_fn;
static ahp_timer_fn *kept_timer_fn;
static ahp_work_fn *kept_fn;
static ahp_work_done_fn *kept_done;
static ahp_loop good; /* the slots before they were replaced */

static int host_setup(void **state)
{
    int rc = puppet_setup(state);

    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    good = fake->loop;
    return rc;
}

static int host_teardown(void **state)
{
    int rc = puppet_teardown(state);

    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    return rc;
}

static ahp_call call_made(void)
{
    return fake_host_call(fake, "pull", "{}", "chat", "room");
}

static void (*inside_hook)(void);

static int32_t call_runs_hook(const ahp_call *call)
{
    (void)call;
    inside_hook();
    return AHP_E_LIMIT;
}

/* Runs `hook` while the plugin is on the stack. */
static void inside(void (*hook)(void))
{
    ahp_call call = call_made();

    inside_hook = hook;
    puppet.in_call = call_runs_hook;
    assert_int_equal(inst->call(inst->self, &call), AHP_E_LIMIT);
    puppet.in_call = NULL;
}

/* --- keeping what the shim gives to the host ---------------------------------------------------- */

static int32_t watch_new_kept(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                              ahp_watch_fn *cb, void *ud)
{
    kept_watch_fn = cb;
    kept_ud = ud;
    return good.watch_new(ctx, fd, events, ret_watch, cb, ud);
}

static int32_t timer_new_kept(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    kept_timer_fn = cb;
    kept_ud = ud;
    return good.timer_new(ctx, ret_timer, cb, ud);
}

static int32_t defer_kept(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    kept_timer_fn = cb;
    kept_ud = ud;
    return good.defer(ctx, ret_deferred, cb, ud);
}

static int32_t run_kept(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    (void)ctx;
    kept_ud = item;
    kept_fn = fn;
    kept_done = done;
    return AHP_OK;
}

static void arm_now(void)
{
    assert_int_equal(puppet.loop->timer_at(puppet.timer, fake->now_ms), AHP_OK);
}

static void defer_now(void)
{
    assert_int_equal(
        puppet.loop->defer(puppet.host->ctx, &puppet.deferred, puppet_on_timer, &puppet), AHP_OK);
}

static void run_now(void)
{
    assert_int_equal(
        puppet.work->run(puppet.host->ctx, &puppet, puppet_on_fn, puppet_on_done), AHP_OK);
}

/* --- R1 ----------------------------------------------------------------------------------------- */

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

static void offer_now(void)
{
    ahp_delivery offered = delivery("k:1");

    (void)puppet.deliver->offer(puppet.host->ctx, &offered);
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

/* --- R2 and phases ------------------------------------------------------------------------------ */

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

/* --- R3 ----------------------------------------------------------------------------------------- */

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

/* --- R4, slots, arguments ----------------------------------------------------------------------- */

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

static void bad_arguments(void **state)
{
    ahp_call call = call_made();
    uint32_t count = 0;

    (void)state;
    puppet_running();
    call.deadline_ms = -1;
    (void)inst->call(inst->self, &call);
    expect(AHP_SHIM_HOST_ARGUMENT);
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

/* --- handles ------------------------------------------------------------------------------------ */

static void watch_after_free(void **state)
{
    (void)state;
    fake->loop.watch_new = watch_new_kept;
    puppet_running();
    puppet_watch_new(pipe_fds[0]);
    puppet.loop->watch_free(puppet.watch);
    kept_watch_fn(kept_ud, AHP_IO_IN);
    expect(AHP_SHIM_HOST_AFTER_FREE);
    assert_int_equal(puppet.callbacks, 0);
}

static void timer_after_free(void **state)
{
    (void)state;
    fake->loop.timer_new = timer_new_kept;
    puppet_running();
    puppet_timer_new();
    puppet.loop->timer_free(puppet.timer);
    kept_timer_fn(kept_ud);
    expect(AHP_SHIM_HOST_AFTER_FREE);
    assert_int_equal(puppet.callbacks, 0);
}

static void timer_early_and_unarmed(void **state)
{
    (void)state;
    fake->loop.timer_new = timer_new_kept;
    puppet_running();
    puppet_timer_new();
    kept_timer_fn(kept_ud);
    expect(AHP_SHIM_HOST_TIMER_UNARMED);
    assert_int_equal(puppet.loop->timer_at(puppet.timer, fake->now_ms + 5), AHP_OK);
    kept_timer_fn(kept_ud);
    expect(AHP_SHIM_HOST_TIMER_EARLY);
    kept_timer_fn(kept_ud); /* once is enough */
    expect(AHP_SHIM_HOST_TIMER_UNARMED);
    assert_int_equal(puppet.loop->timer_at(puppet.timer, fake->now_ms), AHP_OK);
    puppet.loop->timer_off(puppet.timer);
    kept_timer_fn(kept_ud);
    expect(AHP_SHIM_HOST_TIMER_UNARMED);
    assert_int_equal(puppet.callbacks, 1);
    puppet.loop->timer_free(puppet.timer);
}

static void deferred_twice(void **state)
{
    (void)state;
    fake->loop.defer = defer_kept;
    puppet_running();
    defer_now();
    (void)fake_host_turn(fake, 0);
    kept_timer_fn(kept_ud);
    expect(AHP_SHIM_HOST_DEFER_TWICE);
    defer_now();
    puppet.loop->defer_free(puppet.deferred);
    kept_timer_fn(kept_ud);
    expect(AHP_SHIM_HOST_AFTER_FREE);
    assert_int_equal(puppet.callbacks, 1);
}

static int32_t watch_new_any(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                             ahp_watch_fn *cb, void *ud)
{
    int other = fd == pipe_fds[0] && fake->watches_live > 0 ? pipe_fds[1] : fd;

    return good.watch_new(ctx, other, events, ret_watch, cb, ud);
}

static void watch_twice(void **state)
{
    ahp_watch *second = NULL;

    (void)state;
    fake->loop.watch_new = watch_new_any;
    puppet_running();
    puppet_watch_new(pipe_fds[0]);
    assert_int_equal(puppet.loop->watch_new(puppet.host->ctx, pipe_fds[0], AHP_IO_IN, &second,
                                            puppet_on_watch, &puppet),
                     AHP_OK);
    expect_two(AHP_SHIM_PLUGIN_WATCH_TWICE, AHP_SHIM_HOST_WATCH_TWICE);
    puppet.loop->watch_free(puppet.watch);
    puppet.loop->watch_free(second);
}

static void bad_events(void **state)
{
    (void)state;
    fake->loop.watch_new = watch_new_kept;
    puppet_running();
    puppet_watch_new(pipe_fds[0]);
    kept_watch_fn(kept_ud, 64u);
    expect(AHP_SHIM_HOST_EVENTS);
    puppet.loop->watch_free(puppet.watch);
}

static void clock_backwards(void **state)
{
    int64_t first;

    (void)state;
    puppet_running();
    first = puppet.loop->now_ms(puppet.host->ctx);
    fake->now_ms -= 1;
    (void)puppet.loop->now_ms(puppet.host->ctx);
    expect(AHP_SHIM_HOST_CLOCK);
    fake->now_ms = first;
}

static void ext_changes(void **state)
{
    (void)state;
    puppet_running();
    assert_ptr_equal(puppet.host->ext(puppet.host->ctx, AHP_CHECK_1), puppet.check);
    expect_nothing();
    fake->has_check = 0;
    (void)puppet.host->ext(puppet.host->ctx, AHP_CHECK_1);
    expect(AHP_SHIM_HOST_EXT_CHANGED);
    assert_null(puppet.host->ext(puppet.host->ctx, "org.example.other/1"));
}

/* --- deliveries and work ------------------------------------------------------------------------ */

static void offers_and_receipts(void **state)
{
    ahp_receipt given = receipt("k:1", AHP_RECEIPT_DELIVERED);

    (void)state;
    puppet_running();
    offer_now();
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    given = receipt("k:1", AHP_RECEIPT_REFUSED);
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    expect(AHP_SHIM_HOST_RECEIPT_CHANGED);
}

static int32_t receipt_stale(const ahp_receipt *given)
{
    (void)given;
    return AHP_E_STALE;
}

static void receipt_of_unknown_key(void **state)
{
    ahp_receipt given = receipt("old:1", AHP_RECEIPT_DELIVERED);

    (void)state;
    puppet_running();
    /* A key from before a restart: the plugin's store knows it, so nobody is to blame. */
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    expect_nothing();
    puppet.in_receipt = receipt_stale;
    assert_int_equal(inst->receipt(inst->self, &given), AHP_E_STALE);
    expect(AHP_SHIM_HOST_RECEIPT_KEY);
}

static int32_t offer_ok(void *ctx, const ahp_delivery *offered)
{
    (void)ctx;
    (void)offered;
    return AHP_OK;
}

static void accepts_without_ready(void **state)
{
    (void)state;
    fake->deliver.offer = offer_ok;
    fake->deliver.flags = 0;
    puppet_running();
    offer_now();
    expect(AHP_SHIM_HOST_NOT_READY);
}

static void *call_fn(void *arg)
{
    (void)arg;
    kept_fn(kept_ud);
    return NULL;
}

static void fn_elsewhere(void)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, call_fn, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void work_twice(void **state)
{
    (void)state;
    fake->work.run = run_kept;
    puppet_running();
    run_now();
    fn_elsewhere();
    fn_elsewhere();
    expect(AHP_SHIM_HOST_WORK_TWICE);
    kept_done(kept_ud, 0);
    expect_nothing();
    kept_done(kept_ud, 0);
    expect(AHP_SHIM_HOST_WORK_TWICE);
    assert_int_equal(puppet.callbacks, 1);
}

static void work_cancelled(void **state)
{
    (void)state;
    fake->work.run = run_kept;
    puppet_running();
    run_now();
    kept_done(kept_ud, 0); /* fn never ran */
    expect(AHP_SHIM_HOST_WORK_CANCELLED);
    run_now();
    kept_done(kept_ud, 1);
    expect_nothing();
}

static uint32_t fn_runs;

static void count_fn(void)
{
    fn_runs++;
}

static void work_missing(void **state)
{
    (void)state;
    fn_runs = 0;
    fake->work.run = run_kept;
    puppet_running();
    puppet.in_work = count_fn;
    run_now();
    puppet_destroy();
    expect(AHP_SHIM_HOST_WORK_MISSING);
    fn_elsewhere(); /* too late: not passed on */
    kept_done(kept_ud, 0);
    assert_int_equal(puppet.callbacks, 0);
    assert_int_equal(fn_runs, 0);
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
        WITH_HOST(receipt_of_unknown_key),
        WITH_HOST(accepts_without_ready),
        WITH_HOST(work_twice),
        WITH_HOST(work_cancelled),
        WITH_HOST(work_missing),
        cmocka_unit_test(all_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
