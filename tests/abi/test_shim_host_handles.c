/*
 * test_shim_host_handles.c - the second half of test_shim_host.c: handles, clocks, deliveries,
 * work; and the slots that both halves hang into the fake host.
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

int pipe_fds[2];

/* What a replaced slot was given, for a later misuse. */
void *kept_ud;
ahp_watch_fn *kept_watch_fn;
ahp_timer_fn *kept_timer_fn;
ahp_work_fn *kept_fn;
ahp_work_done_fn *kept_done;
ahp_loop good; /* the slots before they were replaced */

int host_setup(void **state)
{
    int rc = puppet_setup(state);

    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    good = fake->loop;
    return rc;
}

int host_teardown(void **state)
{
    int rc = puppet_teardown(state);

    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    return rc;
}

ahp_call call_made(void)
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
void inside(void (*hook)(void))
{
    ahp_call call = call_made();

    inside_hook = hook;
    puppet.in_call = call_runs_hook;
    assert_int_equal(inst->call(inst->self, &call), AHP_E_LIMIT);
    puppet.in_call = NULL;
}

/* --- keeping what the shim gives to the host -------------------------------------------------- */

int32_t watch_new_kept(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                              ahp_watch_fn *cb, void *ud)
{
    kept_watch_fn = cb;
    kept_ud = ud;
    return good.watch_new(ctx, fd, events, ret_watch, cb, ud);
}

int32_t timer_new_kept(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    kept_timer_fn = cb;
    kept_ud = ud;
    return good.timer_new(ctx, ret_timer, cb, ud);
}

int32_t defer_kept(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    kept_timer_fn = cb;
    kept_ud = ud;
    return good.defer(ctx, ret_deferred, cb, ud);
}

int32_t run_kept(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    (void)ctx;
    kept_ud = item;
    kept_fn = fn;
    kept_done = done;
    return AHP_OK;
}

void arm_now(void)
{
    assert_int_equal(puppet.loop->timer_at(puppet.timer, fake->now_ms), AHP_OK);
}

void defer_now(void)
{
    assert_int_equal(
        puppet.loop->defer(puppet.host->ctx, &puppet.deferred, puppet_on_timer, &puppet), AHP_OK);
}

void run_now(void)
{
    assert_int_equal(
        puppet.work->run(puppet.host->ctx, &puppet, puppet_on_fn, puppet_on_done), AHP_OK);
}

void offer_now(void)
{
    ahp_delivery offered = delivery("k:1");

    (void)puppet.deliver->offer(puppet.host->ctx, &offered);
}

/* --- handles ---------------------------------------------------------------------------------- */

void watch_after_free(void **state)
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

void timer_after_free(void **state)
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

void timer_early_and_unarmed(void **state)
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

void deferred_twice(void **state)
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

void watch_twice(void **state)
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

void bad_events(void **state)
{
    (void)state;
    fake->loop.watch_new = watch_new_kept;
    puppet_running();
    puppet_watch_new(pipe_fds[0]);
    kept_watch_fn(kept_ud, 64u);
    expect(AHP_SHIM_HOST_EVENTS);
    puppet.loop->watch_free(puppet.watch);
}

void clock_backwards(void **state)
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

void ext_changes(void **state)
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

/* --- deliveries and work ---------------------------------------------------------------------- */

void offers_and_receipts(void **state)
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

void lost_is_final(void **state)
{
    ahp_receipt given = receipt("k:1", AHP_RECEIPT_LOST);

    (void)state;
    puppet_running();
    offer_now();
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    expect_nothing();
    given = receipt("k:1", AHP_RECEIPT_DELIVERED);
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    expect(AHP_SHIM_HOST_RECEIPT_CHANGED);
    given = receipt("k:1", AHP_RECEIPT_LOST + 1);
    (void)inst->receipt(inst->self, &given);
    expect(AHP_SHIM_HOST_ARGUMENT);
}

static int32_t receipt_stale(const ahp_receipt *given)
{
    (void)given;
    return AHP_E_STALE;
}

void receipt_of_unknown_key(void **state)
{
    ahp_receipt given = receipt("old:1", AHP_RECEIPT_DELIVERED);

    (void)state;
    puppet_running();
    /* A key from before a restart: the plugin's store knows it, so nobody is to blame. */
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    expect_nothing();
    puppet.in_receipt = receipt_stale;
    assert_int_equal(inst->receipt(inst->self, &given), AHP_E_STALE);
    expect_nothing(); /* that is how the host learns that it may forget the key */
    given = receipt("not a key", AHP_RECEIPT_DELIVERED);
    assert_int_equal(inst->receipt(inst->self, &given), AHP_E_INVALID);
    expect(AHP_SHIM_HOST_RECEIPT_KEY);
}

static int32_t offer_ok(void *ctx, const ahp_delivery *offered)
{
    (void)ctx;
    (void)offered;
    return AHP_OK;
}

void accepts_without_ready(void **state)
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

void work_twice(void **state)
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

void work_cancelled(void **state)
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

void work_missing(void **state)
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
