/*
 * test_uv_loop.c - ahp.loop/1 on libuv, seen from the plugin: what may be freed where, what is in
 * the batch in hand, fds that come back, time that has passed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"

#define PIPES 4

/* A readable thing with a watch, and what happened to it. */
struct source {
    struct probe *p;
    int fds[2];
    ahp_watch *watch;
    int calls;
    uint32_t seen;
};

static struct source sources[PIPES];
static int order[PIPES];
static int order_count;
static void (*in_first)(struct source *first); /* what the first callback of a batch does */

static void nonblocking_pipe(int fds[2])
{
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void on_source(void *ud, uint32_t events)
{
    struct source *s = ud;

    s->calls++;
    s->seen |= events;
    if (order_count < PIPES)
        order[order_count] = (int)(s - sources);
    if (order_count++ == 0 && in_first != NULL)
        in_first(s);
}

static struct probe *open_sources(struct bench *b)
{
    struct probe *p = probe_add(b, AHP_UV_CHECK);
    int i;

    probe_start(p);
    order_count = 0;
    in_first = NULL;
    memset(sources, 0, sizeof(sources));
    for (i = 0; i < PIPES; i++) {
        sources[i].p = p;
        nonblocking_pipe(sources[i].fds);
        assert_int_equal(write(sources[i].fds[1], "x", 1), 1);
        assert_int_equal(p->loop->watch_new(p->host->ctx, sources[i].fds[0], AHP_IO_IN,
                                            &sources[i].watch, on_source, &sources[i]),
                         AHP_OK);
    }
    return p;
}

static void close_sources(struct probe *p)
{
    int i;

    for (i = 0; i < PIPES; i++) {
        p->loop->watch_free(sources[i].watch);
        close(sources[i].fds[0]);
        close(sources[i].fds[1]);
    }
}

static void finish(struct probe *p)
{
    probe_close(p, 1000);
    assert_int_equal(p->breaches, 0);
    assert_int_equal(p->end.watches_live + p->end.timers_live + p->end.deferred_live, 0);
    assert_int_equal(p->end.stop_late, 0);
}

static void drop(struct source *s)
{
    s->p->loop->watch_free(s->watch);
    s->watch = NULL;
}

/* ---- watches ---- */

static void free_self(struct source *first)
{
    drop(first);
}

static void test_watch_frees_itself(void **state)
{
    struct probe *p = open_sources(*state);
    int first;

    in_first = free_self;
    bench_turns(*state, 1);
    first = order[0];
    assert_int_equal(order_count, PIPES); /* the siblings of the batch are served */
    bench_turns(*state, 1);
    assert_int_equal(sources[first].calls, 1);
    assert_int_equal(order_count, 2 * PIPES - 1); /* level-triggered: the others again */
    close_sources(p);
    finish(p);
}

static void free_others(struct source *first)
{
    int i;

    for (i = 0; i < PIPES; i++)
        if (&sources[i] != first)
            drop(&sources[i]);
}

static void test_watch_frees_siblings(void **state)
{
    struct probe *p = open_sources(*state);

    in_first = free_others;
    bench_turns(*state, 1);
    assert_int_equal(order_count, 1); /* nothing from the batch in hand */
    close_sources(p);
    finish(p);
}

static void free_all_closed_before(struct source *first)
{
    int i;

    (void)first;
    for (i = 0; i < PIPES; i++) {
        close(sources[i].fds[0]);
        sources[i].fds[0] = -1;
        drop(&sources[i]);
    }
}

static void test_watch_closed_before_free(void **state)
{
    struct probe *p = open_sources(*state);

    in_first = free_all_closed_before;
    bench_turns(*state, 3);
    assert_int_equal(order_count, 1);
    close_sources(p);
    finish(p);
}

static int reused_fd;

/* Every other watch is freed, its fd closed, and the number given to an empty pipe, watched anew.
 */
static void reuse_numbers(struct source *first)
{
    int i;

    for (i = 0; i < PIPES; i++) {
        struct source *s = &sources[i];
        int number = s->fds[0];

        if (s == first)
            continue;
        drop(s);
        close(s->fds[0]);
        close(s->fds[1]);
        nonblocking_pipe(s->fds);
        if (s->fds[0] != number) {
            assert_int_equal(dup3(s->fds[0], number, O_CLOEXEC), number);
            close(s->fds[0]);
            s->fds[0] = number;
        }
        reused_fd = number;
        assert_int_equal(
            s->p->loop->watch_new(s->p->host->ctx, number, AHP_IO_IN, &s->watch, on_source, s),
            AHP_OK);
    }
}

static void test_fd_number_reused_in_batch(void **state)
{
    struct probe *p = open_sources(*state);
    int i;

    in_first = reuse_numbers;
    bench_turns(*state, 1);
    assert_int_equal(order_count, 1); /* the old events must not reach the new watches */
    assert_int_equal(sources[order[0]].calls, 1);
    drop(&sources[order[0]]);
    for (i = 0; i < PIPES; i++)
        if (i != order[0])
            assert_int_equal(write(sources[i].fds[1], "y", 1), 1);
    bench_turns(*state, 1);
    for (i = 0; i < PIPES; i++)
        assert_int_equal(sources[i].calls, 1);
    close_sources(p);
    finish(p);
}

static void narrow_others(struct source *first)
{
    int i;

    for (i = 0; i < PIPES; i++)
        if (&sources[i] != first)
            assert_int_equal(first->p->loop->watch_mod(sources[i].watch, 0), AHP_OK);
}

static void test_watch_paused_in_batch(void **state)
{
    struct probe *p = open_sources(*state);
    int i;

    in_first = narrow_others;
    bench_turns(*state, 3);
    assert_int_equal(order_count, 3); /* only the first one, three times */
    for (i = 0; i < PIPES; i++)
        assert_int_equal(p->loop->watch_mod(sources[i].watch, AHP_IO_IN), AHP_OK);
    bench_turns(*state, 1);
    assert_int_equal(order_count, 3 + PIPES);
    close_sources(p);
    finish(p);
}

static void only_out(struct source *first)
{
    int i;

    for (i = 0; i < PIPES; i++) {
        sources[i].seen = 0;
        assert_int_equal(first->p->loop->watch_mod(sources[i].watch, AHP_IO_OUT), AHP_OK);
    }
}

/* What was harvested before a watch was narrowed must not come through. */
static void test_watch_narrowed_in_batch(void **state)
{
    struct probe *p = open_sources(*state);
    int i;

    close_sources(p);
    for (i = 0; i < PIPES; i++) {
        struct source *s = &sources[i];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->fds),
                         0);
        assert_int_equal(write(s->fds[1], "x", 1), 1);
        assert_int_equal(p->loop->watch_new(p->host->ctx, s->fds[0], AHP_IO_IN | AHP_IO_OUT,
                                            &s->watch, on_source, s),
                         AHP_OK);
    }
    in_first = only_out;
    bench_turns(*state, 2);
    assert_int_equal(order_count, 2 * PIPES);
    for (i = 0; i < PIPES; i++)
        assert_int_equal(sources[i].seen, AHP_IO_OUT);
    close_sources(p);
    finish(p);
}

static void test_watch_error_is_level_triggered(void **state)
{
    struct probe *p = open_sources(*state);
    struct source *s = &sources[0];

    close_sources(p);
    nonblocking_pipe(s->fds);
    s->calls = 0;
    s->seen = 0;
    assert_int_equal(
        p->loop->watch_new(p->host->ctx, s->fds[1], AHP_IO_OUT, &s->watch, on_source, s), AHP_OK);
    close(s->fds[0]); /* a pipe without a reader: EPOLLERR */
    bench_turns(*state, 3);
    assert_true(s->seen & AHP_IO_ERR);
    assert_int_equal(s->calls, 3);
    drop(s);
    close(s->fds[1]);
    finish(p);
}

static void test_watch_errors_only(void **state)
{
    struct probe *p = open_sources(*state);
    struct source *s = &sources[0];

    close_sources(p);
    nonblocking_pipe(s->fds);
    s->calls = 0;
    s->seen = 0;
    assert_int_equal(
        p->loop->watch_new(p->host->ctx, s->fds[1], AHP_IO_ERR, &s->watch, on_source, s), AHP_OK);
    bench_turns(*state, 2);
    assert_int_equal(s->calls, 0);
    close(s->fds[0]);
    bench_turns(*state, 2);
    assert_int_equal(s->seen, AHP_IO_ERR);
    drop(s);
    close(s->fds[1]);
    finish(p);
}

static void test_watch_refusals(void **state)
{
    struct probe *p = open_sources(*state);
    ahp_watch *watch = NULL;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int closed = dup(file);

    close(closed);
    /* The shim calls a second watch, a plain file and a closed fd the plugin's mistakes as well */
    assert_int_equal(p->loop->watch_new(p->host->ctx, sources[0].fds[0], AHP_IO_IN, &watch,
                                        on_source, &sources[0]),
                     AHP_E_EXISTS);
    assert_int_equal(p->loop->watch_new(p->host->ctx, file, AHP_IO_IN, &watch, on_source, NULL),
                     AHP_E_INVALID);
    assert_int_equal(p->loop->watch_new(p->host->ctx, closed, AHP_IO_IN, &watch, on_source, NULL),
                     AHP_E_INVALID);
    assert_null(watch);
    close(file);
    close_sources(p);
    probe_close(p, 1000);
}

/* libuv would abort the process; a plugin's mistake must not take the host down. */
static void test_watched_fd_closed_and_forgotten(void **state)
{
    struct probe *p = open_sources(*state);
    int file;

    close(sources[0].fds[0]); /* closed before the first turn */
    bench_turns(*state, 1);
    assert_int_equal(sources[0].calls, 0);
    assert_int_equal(p->items[AHP_UV_ITEM_DEAD_FD], 1);
    /* its number becomes a plain file, and the old watch is changed */
    file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    if (file != sources[0].fds[0]) {
        assert_int_equal(dup3(file, sources[0].fds[0], O_CLOEXEC), sources[0].fds[0]);
        close(file);
    }
    assert_int_equal(p->loop->watch_mod(sources[0].watch, AHP_IO_OUT), AHP_OK);
    bench_turns(*state, 1);
    assert_int_equal(p->items[AHP_UV_ITEM_DEAD_FD], 2);
    assert_int_equal(sources[1].calls, 2);
    close_sources(p);
    finish(p);
}

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
    finish(p);
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
    struct source *s = &sources[0];
    int before;

    memset(s, 0, sizeof(*s));
    order_count = 0;
    in_first = NULL;
    nonblocking_pipe(s->fds);
    s->p = p;
    assert_int_equal(write(s->fds[1], "x", 1), 1);
    assert_int_equal(
        p->loop->watch_new(p->host->ctx, s->fds[0], AHP_IO_IN, &s->watch, on_source, s), AHP_OK);
    in_timer = set_again;
    set(&clocks[0], 0);
    before = clocks[0].calls;
    bench_turns(*state, 10);
    assert_int_equal(clocks[0].calls - before, 10); /* once a turn */
    assert_int_equal(s->calls, 10);
    drop(s);
    close(s->fds[0]);
    close(s->fds[1]);
    close_clocks();
    finish(p);
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
    finish(p);
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
    finish(p);
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
    finish(p);
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
    finish(p);
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
    finish(p);
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
    finish(p);
}

/* ---- several instances ---- */

static void test_two_instances_on_one_loop(void **state)
{
    struct bench *b = *state;
    struct probe *p = open_sources(b);
    struct probe *q = probe_add(b, AHP_UV_CHECK);
    struct clock c = {.p = q};

    probe_start(q);
    in_timer = NULL;
    assert_int_equal(q->loop->timer_new(q->host->ctx, &c.timer, on_clock, &c), AHP_OK);
    set(&c, 10);
    bench_turns(b, 1);
    assert_int_equal(order_count, PIPES);
    close_sources(p);
    finish(p); /* one goes, the other stays */
    bench_until(b, &c.done);
    free_clock(&c);
    finish(q);
}

/* ---- what is left behind ---- */

static void test_destroy_leaves_things_behind(void **state)
{
    struct probe *p = probe_add(*state, 0); /* without the shim: the host must see it by itself */
    ahp_watch *watch;
    ahp_timer *timer;
    ahp_deferred *deferred;
    int fds[2];

    probe_start(p);
    nonblocking_pipe(fds);
    assert_int_equal(write(fds[1], "x", 1), 1);
    ran_count = 0;
    order_count = 0;
    in_first = NULL;
    memset(sources, 0, sizeof(sources));
    assert_int_equal(
        p->loop->watch_new(p->host->ctx, fds[0], AHP_IO_OUT, &watch, on_source, &sources[0]),
        AHP_OK);
    assert_int_equal(p->loop->timer_new(p->host->ctx, &timer, on_clock, &clocks[0]), AHP_OK);
    assert_int_equal(p->loop->timer_at(timer, p->loop->now_ms(p->host->ctx) + 1000000), AHP_OK);
    assert_int_equal(ahp_uv_close(p->h, 1000, (ahp_uv_closed_fn *)NULL, NULL), AHP_E_INVALID);
    probe_close(p, 1000);
    assert_int_equal(p->end.watches_live, 1);
    assert_int_equal(p->end.timers_live, 1);
    assert_true(p->items[AHP_UV_ITEM_LEAK] >= 2);
    (void)deferred;
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        CASE(test_watch_frees_itself),
        CASE(test_watch_frees_siblings),
        CASE(test_watch_closed_before_free),
        CASE(test_fd_number_reused_in_batch),
        CASE(test_watch_paused_in_batch),
        CASE(test_watch_narrowed_in_batch),
        CASE(test_watch_error_is_level_triggered),
        CASE(test_watch_errors_only),
        CASE(test_watch_refusals),
        CASE(test_watched_fd_closed_and_forgotten),
        CASE(test_timer_in_the_past),
        CASE(test_timer_always_due_starves_nobody),
        CASE(test_timer_frees_itself_and_siblings),
        CASE(test_timer_frees_siblings_in_libuvs_pass),
        CASE(test_timer_off_and_moved),
        CASE(test_defer_in_order),
        CASE(test_defer_cancelled_by_sibling),
        CASE(test_defer_in_defer_waits_a_turn),
        CASE(test_two_instances_on_one_loop),
        CASE(test_destroy_leaves_things_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
