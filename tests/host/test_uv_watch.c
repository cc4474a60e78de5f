/*
 * test_uv_watch.c - the watches of ahp.loop/1 on libuv, seen from the plugin: what may be freed
 * where, what is in the batch in hand, fds that come back. And what an instance may leave behind,
 * to another one or at all.
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
    probe_finish(p);
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
    probe_finish(p);
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
    probe_finish(p);
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
    probe_finish(p);
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
    probe_finish(p);
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
    probe_finish(p);
}

/* The first source alone, anew: the writing end of a pipe that nobody has written to. */
static struct source *open_writer(struct probe *p, uint32_t events)
{
    struct source *s = &sources[0];

    close_sources(p);
    nonblocking_pipe(s->fds);
    s->calls = 0;
    s->seen = 0;
    assert_int_equal(p->loop->watch_new(p->host->ctx, s->fds[1], events, &s->watch, on_source, s),
                     AHP_OK);
    return s;
}

static void test_watch_error_is_level_triggered(void **state)
{
    struct probe *p = open_sources(*state);
    struct source *s = open_writer(p, AHP_IO_OUT);

    close(s->fds[0]); /* a pipe without a reader: EPOLLERR */
    bench_turns(*state, 3);
    assert_true(s->seen & AHP_IO_ERR);
    assert_int_equal(s->calls, 3);
    drop(s);
    close(s->fds[1]);
    probe_finish(p);
}

static void test_watch_errors_only(void **state)
{
    struct probe *p = open_sources(*state);
    struct source *s = open_writer(p, AHP_IO_ERR);

    bench_turns(*state, 2);
    assert_int_equal(s->calls, 0);
    close(s->fds[0]);
    bench_turns(*state, 2);
    assert_int_equal(s->seen, AHP_IO_ERR);
    drop(s);
    close(s->fds[1]);
    probe_finish(p);
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
    probe_finish(p);
}

/* ---- several instances ---- */

static void on_timer(void *ud)
{
    ++*(int *)ud;
}

static void test_two_instances_on_one_loop(void **state)
{
    struct bench *b = *state;
    struct probe *p = open_sources(b);
    struct probe *q = probe_add(b, AHP_UV_CHECK);
    ahp_timer *timer;
    int fired = 0;

    probe_start(q);
    assert_int_equal(q->loop->timer_new(q->host->ctx, &timer, on_timer, &fired), AHP_OK);
    assert_int_equal(q->loop->timer_at(timer, q->loop->now_ms(q->host->ctx) + 10), AHP_OK);
    bench_turns(b, 1);
    assert_int_equal(order_count, PIPES);
    close_sources(p);
    probe_finish(p); /* one goes, the other stays */
    bench_until(b, &fired);
    q->loop->timer_free(timer);
    probe_finish(q);
}

/* ---- what is left behind ---- */

static void test_destroy_leaves_things_behind(void **state)
{
    struct probe *p = probe_add(*state, 0); /* without the shim: the host must see it by itself */
    ahp_watch *watch;
    ahp_timer *timer;
    int fds[2];
    int fired = 0;

    probe_start(p);
    nonblocking_pipe(fds);
    assert_int_equal(write(fds[1], "x", 1), 1);
    order_count = 0;
    in_first = NULL;
    memset(sources, 0, sizeof(sources));
    assert_int_equal(
        p->loop->watch_new(p->host->ctx, fds[0], AHP_IO_OUT, &watch, on_source, &sources[0]),
        AHP_OK);
    assert_int_equal(p->loop->timer_new(p->host->ctx, &timer, on_timer, &fired), AHP_OK);
    assert_int_equal(p->loop->timer_at(timer, p->loop->now_ms(p->host->ctx) + 1000000), AHP_OK);
    assert_int_equal(ahp_uv_close(p->h, 1000, (ahp_uv_closed_fn *)NULL, NULL), AHP_E_INVALID);
    probe_close(p, 1000);
    assert_int_equal(p->end.watches_live, 1);
    assert_int_equal(p->end.timers_live, 1);
    assert_true(p->items[AHP_UV_ITEM_LEAK] >= 2);
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
        CASE(test_two_instances_on_one_loop),
        CASE(test_destroy_leaves_things_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
