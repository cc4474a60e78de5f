/*
 * test_uv_end.c - work and the end on libuv: an instance goes in order even when it does not help,
 * not before its work has ended, and nothing comes after a start that failed.
 */
#include <unistd.h>

#include <ahp/check.h>
#include <uv.h>

#include "calls_rig.h"

/* ---- work ---- */

struct job {
    struct probe *p;
    const ahp_check *check;
    uv_sem_t go;
    int gated;
    int ran;
    int on_loop;
    int done;
    int cancelled;
};

static void job_run(void *item)
{
    struct job *j = item;

    if (j->gated)
        uv_sem_wait(&j->go);
    if (j->check != NULL)
        j->on_loop = j->check->on_loop(j->p->host->ctx);
    j->ran = 1;
}

static void job_done(void *item, int32_t cancelled)
{
    struct job *j = item;

    j->cancelled = cancelled;
    j->done = 1;
}

static void test_work(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK | AHP_UV_WORK);
    struct job j = {.p = p, .on_loop = 1};

    assert_non_null(p->work);
    j.check = p->host->ext(p->host->ctx, AHP_CHECK_1);
    assert_int_equal(j.check->on_loop(p->host->ctx), 1);
    assert_int_equal(p->work->run(p->host->ctx, &j, job_run, job_done), AHP_OK);
    assert_int_equal(j.done, 0);
    bench_until(*state, &j.done);
    assert_int_equal(j.ran, 1);
    assert_int_equal(j.on_loop, 0);
    assert_int_equal(j.cancelled, 0);
    probe_finish(p);
}

static void test_no_work_unless_offered(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);

    assert_null(p->work);
    probe_finish(p);
}

static struct job *gated_job;

static void open_gate(uv_timer_t *timer)
{
    assert_int_equal(((struct probe *)timer->data)->destroyed, 0);
    uv_sem_post(&gated_job->go);
    uv_close((uv_handle_t *)timer, NULL);
}

/* A plugin that does not stop is destroyed after its deadline, but not before its work has ended.
 */
static void test_destroy_waits_for_running_work(void **state)
{
    struct bench *b = *state;
    struct probe *p = call_probe(b, AHP_UV_WORK);
    struct job j = {.p = p, .gated = 1};
    uv_timer_t timer;

    gated_job = &j;
    p->on_stop = stop_never;
    assert_int_equal(uv_sem_init(&j.go, 0), 0);
    assert_int_equal(p->work->run(p->host->ctx, &j, job_run, job_done), AHP_OK);
    assert_int_equal(uv_timer_init(&b->loop, &timer), 0);
    timer.data = p;
    assert_int_equal(uv_timer_start(&timer, open_gate, 10 + AHP_UV_STOP_GRACE_MS + 100, 0), 0);
    probe_close(p, 10);
    assert_int_equal(j.done, 1);
    assert_int_equal(p->end.stop_late, 1);
    assert_int_equal(p->items[AHP_UV_ITEM_LATE_STOP], 1);
    uv_sem_destroy(&j.go);
}

/* ---- the end ---- */

static void test_stop_deadline_ends_open_calls(void **state)
{
    struct probe *p = call_probe(*state, 0);
    struct seen s = {0};
    uint64_t begun = uv_hrtime();

    p->on_call = call_keep;
    p->on_stop = stop_never;
    assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
    probe_close(p, 50);
    assert_true((uv_hrtime() - begun) / 1000000 >= 50);
    assert_int_equal(p->end.stop_late, 1);
    assert_int_equal(p->end.calls_open, 1);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.status, AHP_RESULT_SHUTDOWN);
}

static void complete_and_stop(struct probe *p)
{
    call_end(p, open_ids[0], AHP_RESULT_SHUTDOWN, "{\"job\":\"j\"}");
    p->host->stopped(p->host->ctx);
}

static void test_results_arrive_before_the_end(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};

    p->on_call = call_keep;
    p->on_stop = complete_and_stop;
    assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
    probe_finish(p);
    assert_int_equal(s.count, 1);
    assert_string_equal(s.json, "{\"job\":\"j\"}");
}

static void on_closed_only(void *ud, const struct ahp_uv_end *end)
{
    (void)end;
    *(int *)ud = 1;
}

static void on_log(void *ud, int32_t level, uint32_t item, const char *text, size_t len)
{
    (void)ud;
    (void)level;
    (void)item;
    (void)text;
    (void)len;
}

static void test_close_without_an_instance(void **state)
{
    struct bench *b = *state;
    struct ahp_uv_owner owner = {.name = "test", .log = on_log};
    struct ahp_uv *h;
    int closed = 0;

    assert_int_equal(ahp_uv_open(&b->loop, &owner, &h), AHP_OK);
    assert_int_equal(ahp_uv_close(h, 0, on_closed_only, &closed), AHP_OK);
    assert_int_equal(ahp_uv_close(h, 0, on_closed_only, &closed), AHP_E_STATE);
    bench_until(b, &closed);
}

static void test_close_without_start(void **state)
{
    struct probe *p = probe_add(*state, AHP_UV_CHECK);

    p->on_stop = stop_never; /* would be late, if it were asked */
    probe_finish(p);
    assert_int_equal(p->end.stop_late, 0);
}

static void on_timer_unused(void *ud)
{
    (void)ud;
}

/* As in Node: what the plugin waits for does not keep the loop alive, but the end still comes. */
static void test_unref_lets_the_loop_end(void **state)
{
    struct bench *b = *state;
    struct probe *p = call_probe(b, AHP_UV_CHECK | AHP_UV_UNREF);
    ahp_timer *timer;

    assert_int_equal(p->loop->timer_new(p->host->ctx, &timer, on_timer_unused, p), AHP_OK);
    assert_int_equal(p->loop->timer_at(timer, p->loop->now_ms(p->host->ctx) + 1000000), AHP_OK);
    assert_int_equal(uv_run(&b->loop, UV_RUN_DEFAULT), 0); /* returns: nothing holds it */
    p->loop->timer_free(timer);
    probe_close(p, 1000);
    assert_int_equal(p->breaches, 0);
}

static int32_t fail_start(struct probe *p)
{
    (void)p;
    return AHP_E_FAILED;
}

static void test_failed_start_can_only_be_closed(void **state)
{
    struct probe *p = probe_add(*state, 0);
    struct seen s = {0};
    ahp_err err = {.size = sizeof(err)};

    p->on_start = fail_start;
    assert_int_equal(ahp_uv_start(p->h, &err), AHP_E_FAILED);
    assert_int_equal(ahp_uv_start(p->h, &err), AHP_E_STATE);
    assert_int_equal(call_begin(p, &s, NULL), AHP_E_STATE);
    probe_close(p, 1000);
}

static int broken_callbacks;
static ahp_watch *broken_watch;
static ahp_timer *broken_timers[2];
static ahp_deferred *broken_deferred;

static void on_broken(void *ud)
{
    (void)ud;
    broken_callbacks++;
}

static void on_broken_watch(void *ud, uint32_t events)
{
    (void)ud;
    (void)events;
    broken_callbacks++;
}

/* Leaves something of every kind behind, all of it due. */
static int32_t start_and_fail(struct probe *p)
{
    const int *fds = p->ud;
    void *ctx = p->host->ctx;
    int i;

    assert_int_equal(p->loop->watch_new(ctx, fds[1], AHP_IO_OUT, &broken_watch, on_broken_watch, p),
                     AHP_OK);
    for (i = 0; i < 2; i++)
        assert_int_equal(p->loop->timer_new(ctx, &broken_timers[i], on_broken, p), AHP_OK);
    assert_int_equal(p->loop->timer_at(broken_timers[0], 0), AHP_OK);
    assert_int_equal(p->loop->timer_at(broken_timers[1], p->loop->now_ms(ctx) + 1), AHP_OK);
    assert_int_equal(p->loop->defer(ctx, &broken_deferred, on_broken, p), AHP_OK);
    return AHP_E_FAILED;
}

static void free_broken(struct probe *p)
{
    int i;

    p->loop->watch_free(broken_watch);
    for (i = 0; i < 2; i++)
        p->loop->timer_free(broken_timers[i]);
    p->loop->defer_free(broken_deferred);
}

static void on_past(uv_timer_t *timer)
{
    *(int *)timer->data = 1;
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_no_callback_after_a_failed_start(void **state)
{
    struct bench *b = *state;
    struct probe *p = probe_add(b, 0);
    ahp_err err = {.size = sizeof(err)};
    const ahp_tool *const *tools;
    uv_timer_t timer;
    uint32_t count;
    int past = 0;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    broken_callbacks = 0;
    p->ud = fds;
    p->on_start = start_and_fail;
    p->on_destroy = free_broken;
    assert_int_equal(ahp_uv_start(p->h, &err), AHP_E_FAILED);
    assert_int_equal(ahp_uv_tools(p->h, &tools, &count), AHP_E_STATE);
    assert_int_equal(uv_timer_init(&b->loop, &timer), 0);
    timer.data = &past;
    assert_int_equal(uv_timer_start(&timer, on_past, 20, 0), 0);
    bench_until(b, &past);
    assert_int_equal(broken_callbacks, 0);
    probe_close(p, 1000);
    assert_int_equal(broken_callbacks, 0);
    assert_int_equal(p->end.deferred_live + p->end.timers_live + p->end.watches_live, 0);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        CASE(test_work),
        CASE(test_no_work_unless_offered),
        CASE(test_destroy_waits_for_running_work),
        CASE(test_stop_deadline_ends_open_calls),
        CASE(test_results_arrive_before_the_end),
        CASE(test_close_without_an_instance),
        CASE(test_close_without_start),
        CASE(test_unref_lets_the_loop_end),
        CASE(test_failed_start_can_only_be_closed),
        CASE(test_no_callback_after_a_failed_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
