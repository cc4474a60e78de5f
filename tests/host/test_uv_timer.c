/*
 * test_uv_timer.c - the timers and deferred calls of ahp.loop/1 on libuv, seen from the plugin:
 * time that has passed, what may be freed where, and that nobody starves another.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

/* ---- timers ---- */

#define TIMERS 3

struct clock {
    struct probe *p;
    ahp_timer *timer;
    int calls;
    int done;
    int64_t at_ms;
};

static struct clock clocks[TIMERS];
static void (*in_timer)(struct clock *c);

static void on_clock(void *ud)
{
    struct clock *c = ud;

    assert_true(c->p->loop->now_ms(c->p->host->ctx) >= c->at_ms);
    c->calls++;
    c->done = 1;
    if (in_timer != NULL)
        in_timer(c);
}

static void set(struct clock *c, int64_t in_ms)
{
    c->at_ms = c->p->loop->now_ms(c->p->host->ctx) + in_ms;
    assert_int_equal(c->p->loop->timer_at(c->timer, c->at_ms), AHP_OK);
}

static struct probe *open_clocks(struct bench *b)
{
    struct probe *p = probe_add(b, AHP_UV_CHECK);
    int i;

    probe_start(p);
    in_timer = NULL;
    memset(clocks, 0, sizeof(clocks));
    for (i = 0; i < TIMERS; i++) {
        clocks[i].p = p;
        assert_int_equal(p->loop->timer_new(p->host->ctx, &clocks[i].timer, on_clock, &clocks[i]),
                         AHP_OK);
    }
    return p;
}

static void free_clock(struct clock *c)
{
    c->p->loop->timer_free(c->timer);
    c->timer = NULL;
}

static void close_clocks(void)
{
    int i;

    for (i = 0; i < TIMERS; i++)
        free_clock(&clocks[i]);
}

static void test_timer_in_the_past(void **state)
{
    struct probe *p = open_clocks(*state);

    set(&clocks[0], -1000);
    assert_int_equal(clocks[0].calls, 0); /* never inline */
    bench_turns(*state, 1);
    assert_int_equal(clocks[0].calls, 1);
    bench_turns(*state, 2);
    assert_int_equal(clocks[0].calls, 1); /* one shot */
    close_clocks();
    probe_finish(p);
}

static void on_readable(void *ud, uint32_t events)
{
    assert_true(events & AHP_IO_IN);
    ++*(int *)ud;
}

static void set_again(struct clock *c)
{
    if (c->calls < 50)
        set(c, 0);
}

/* libuv itself would serve a timer that is always due for ever, without a look at the fds. */
static void test_timer_always_due_starves_nobody(void **state)
{
    struct probe *p = open_clocks(*state);
    ahp_watch *watch;
    int fds[2];
    int reads = 0;

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(
        p->loop->watch_new(p->host->ctx, fds[0], AHP_IO_IN, &watch, on_readable, &reads), AHP_OK);
    in_timer = set_again;
    set(&clocks[0], 0);
    bench_turns(*state, 10);
    assert_int_equal(clocks[0].calls, 10); /* once a turn */
    assert_int_equal(reads, 10);
    p->loop->watch_free(watch);
    close(fds[0]);
    close(fds[1]);
    close_clocks();
    probe_finish(p);
}

static void free_all_clocks(struct clock *c)
{
    (void)c;
    close_clocks();
}

static void test_timer_frees_itself_and_siblings(void **state)
{
    struct probe *p = open_clocks(*state);
    int i;

    in_timer = free_all_clocks;
    for (i = 0; i < TIMERS; i++)
        set(&clocks[i], 0); /* all due in the same turn */
    bench_turns(*state, 3);
    assert_int_equal(clocks[0].calls + clocks[1].calls + clocks[2].calls, 1);
    probe_finish(p);
}

static void test_timer_frees_siblings_in_libuvs_pass(void **state)
{
    struct probe *p = open_clocks(*state);
    int i;
    int fired = 0;

    in_timer = free_all_clocks;
    for (i = 0; i < TIMERS; i++)
        set(&clocks[i], 5); /* through libuv's heap, same deadline */
    while (!fired) {
        uv_run(&((struct bench *)*state)->loop, UV_RUN_ONCE);
        fired = clocks[0].done + clocks[1].done + clocks[2].done;
    }
    bench_turns(*state, 3);
    assert_int_equal(clocks[0].calls + clocks[1].calls + clocks[2].calls, 1);
    probe_finish(p);
}

static void test_timer_off_and_moved(void **state)
{
    struct probe *p = open_clocks(*state);

    set(&clocks[0], -1);
    p->loop->timer_off(clocks[0].timer);
    set(&clocks[1], -1);
    set(&clocks[1], 100000);
    set(&clocks[2], 20);
    bench_until(*state, &clocks[2].done); /* checks that it did not fire early */
    assert_int_equal(clocks[0].calls, 0);
    assert_int_equal(clocks[1].calls, 0);
    close_clocks();
    probe_finish(p);
}

/* ---- deferred calls ---- */

struct deferral {
    struct probe *p;
    ahp_deferred *handle;
    int number;
};

static struct deferral deferrals[4];
static int ran[8];
static int ran_count;
static int cancel_number; /* the first to run cancels this one */
static int chain;         /* each one defers itself again, so often */

static void on_deferred(void *ud)
{
    struct deferral *d = ud;

    d->handle = NULL;
    if (ran_count < 8)
        ran[ran_count] = d->number;
    ran_count++;
    if (cancel_number >= 0 && deferrals[cancel_number].handle != NULL) {
        d->p->loop->defer_free(deferrals[cancel_number].handle);
        deferrals[cancel_number].handle = NULL;
    }
    if (chain > 0) {
        chain--;
        assert_int_equal(d->p->loop->defer(d->p->host->ctx, &d->handle, on_deferred, d), AHP_OK);
    }
}

static struct probe *open_deferrals(struct bench *b, int count)
{
    struct probe *p = probe_add(b, AHP_UV_CHECK);
    int i;

    probe_start(p);
    ran_count = 0;
    cancel_number = -1;
    chain = 0;
    memset(deferrals, 0, sizeof(deferrals));
    for (i = 0; i < count; i++) {
        deferrals[i].p = p;
        deferrals[i].number = i;
        assert_int_equal(
            p->loop->defer(p->host->ctx, &deferrals[i].handle, on_deferred, &deferrals[i]), AHP_OK);
    }
    assert_int_equal(ran_count, 0);
    return p;
}

static void test_defer_in_order(void **state)
{
    struct probe *p = open_deferrals(*state, 4);
    int i;

    bench_turns(*state, 1);
    assert_int_equal(ran_count, 4);
    for (i = 0; i < 4; i++)
        assert_int_equal(ran[i], i);
    probe_finish(p);
}

static void test_defer_cancelled_by_sibling(void **state)
{
    struct probe *p = open_deferrals(*state, 4);

    cancel_number = 1; /* the next one */
    p->loop->defer_free(deferrals[3].handle);
    bench_turns(*state, 2);
    assert_int_equal(ran_count, 2);
    assert_int_equal(ran[0], 0);
    assert_int_equal(ran[1], 2);
    probe_finish(p);
}

static void test_defer_in_defer_waits_a_turn(void **state)
{
    struct probe *p = open_deferrals(*state, 1);
    int i;

    chain = 5;
    for (i = 1; i <= 6; i++) {
        bench_turns(*state, 1);
        assert_int_equal(ran_count, i);
    }
    probe_finish(p);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        CASE(test_timer_in_the_past),
        CASE(test_timer_always_due_starves_nobody),
        CASE(test_timer_frees_itself_and_siblings),
        CASE(test_timer_frees_siblings_in_libuvs_pass),
        CASE(test_timer_off_and_moved),
        CASE(test_defer_in_order),
        CASE(test_defer_cancelled_by_sibling),
        CASE(test_defer_in_defer_waits_a_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
