/* ledger_host.c - see ledger_host.h. */
#include "ledger_host.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <ftw.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

struct ahp_timer {
    struct ahp_timer *prev, *next;
    struct ledger_host *host;
    int64_t at_ms;
    int armed;
    ahp_timer_fn *cb;
    void *ud;
};

struct ahp_deferred {
    struct ahp_deferred *prev, *next;
    struct ledger_host *host;
    ahp_timer_fn *cb;
    void *ud;
};

struct host_work {
    struct host_work *prev, *next;
    void *item;
    ahp_work_fn *fn;
    ahp_work_done_fn *done;
};

static int64_t now_ms(void *ctx)
{
    return ((struct ledger_host *)ctx)->now_ms;
}

static int64_t wall_ms(void *ctx)
{
    return ((struct ledger_host *)ctx)->wall_ms;
}

static int32_t timer_new(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    struct ledger_host *host = ctx;
    struct ahp_timer *timer = calloc(1, sizeof(*timer));

    assert_non_null(timer);
    timer->host = host;
    timer->cb = cb;
    timer->ud = ud;
    DL_APPEND(host->timers, timer);
    *ret_timer = timer;
    return 0;
}

static int32_t timer_at(ahp_timer *timer, int64_t at_ms)
{
    timer->at_ms = at_ms;
    timer->armed = 1;
    return 0;
}

static void timer_off(ahp_timer *timer)
{
    timer->armed = 0;
}

static void timer_free(ahp_timer *timer)
{
    if (!timer)
        return;
    DL_DELETE(timer->host->timers, timer);
    free(timer);
}

static int32_t defer(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    struct ledger_host *host = ctx;
    struct ahp_deferred *deferred = calloc(1, sizeof(*deferred));

    assert_non_null(deferred);
    deferred->host = host;
    deferred->cb = cb;
    deferred->ud = ud;
    DL_APPEND(host->deferred, deferred);
    *ret_deferred = deferred;
    return 0;
}

static void defer_free(ahp_deferred *deferred)
{
    if (!deferred)
        return;
    DL_DELETE(deferred->host->deferred, deferred);
    free(deferred);
}

static int32_t work_run(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    struct ledger_host *host = ctx;
    struct host_work *work;

    if (host->refuses_work)
        return AHP_E_LIMIT;
    work = calloc(1, sizeof(*work));
    assert_non_null(work);
    work->item = item;
    work->fn = fn;
    work->done = done;
    DL_APPEND(host->works, work);
    return 0;
}

static int32_t complete(void *ctx, uint64_t id, const ahp_result *result)
{
    (void)ctx;
    (void)id;
    (void)result;
    return 0;
}

static void rescan(void *ctx)
{
    (void)ctx;
}

static int32_t offer(void *ctx, const ahp_delivery *delivery)
{
    (void)ctx;
    (void)delivery;
    return 0;
}

static void log_line(void *ctx, int32_t level, uint32_t item, const char *text, size_t len)
{
    struct ledger_host *host = ctx;

    (void)item;
    if (level < AHP_LOG_WARN)
        return;
    host->warnings++;
    snprintf(host->last_warning, sizeof(host->last_warning), "%.*s", (int)len, text);
}

static int32_t log_on(void *ctx, int32_t level)
{
    (void)ctx;
    (void)level;
    return 1;
}

static const void *ext(void *ctx, const char *id)
{
    struct ledger_host *host = ctx;

    if (strcmp(id, AHP_LOOP_1) == 0)
        return &host->loop;
    if (strcmp(id, AHP_CALLS_1) == 0)
        return &host->calls;
    if (strcmp(id, AHP_DELIVER_1) == 0)
        return &host->deliver;
    return strcmp(id, AHP_WORK_1) == 0 && host->has_work ? &host->work : NULL;
}

void host_init(struct ledger_host *host, const char *name, int has_work)
{
    memset(host, 0, sizeof(*host));
    host->now_ms = 1000;
    host->wall_ms = 1700000000000;
    host->has_work = has_work;
    host->host = (ahp_host){.size = sizeof(ahp_host),
                            .ctx = host,
                            .name = name,
                            .version = "0",
                            .ext = ext,
                            .log = log_line,
                            .log_on = log_on};
    host->loop = (ahp_loop){.size = sizeof(ahp_loop),
                            .now_ms = now_ms,
                            .wall_ms = wall_ms,
                            .timer_new = timer_new,
                            .timer_at = timer_at,
                            .timer_off = timer_off,
                            .timer_free = timer_free,
                            .defer = defer,
                            .defer_free = defer_free};
    host->calls = (ahp_calls){.size = sizeof(ahp_calls), .complete = complete, .rescan = rescan};
    host->deliver = (ahp_deliver){.size = sizeof(ahp_deliver), .offer = offer};
    host->work = (ahp_work){.size = sizeof(ahp_work), .run = work_run};
    assert_int_equal(env_init(&host->env, &host->host), 0);
}

void host_done(struct ledger_host *host)
{
    env_done(&host->env);
    assert_null(host->timers);
    assert_null(host->deferred);
    assert_null(host->works);
}

static void *work_thread(void *ud)
{
    struct host_work *work = ud;

    work->fn(work->item);
    return NULL;
}

static void run_work(struct ledger_host *host, struct host_work *work)
{
    pthread_t thread;

    if (!host->cancels_work) {
        assert_int_equal(pthread_create(&thread, NULL, work_thread, work), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    work->done(work->item, host->cancels_work);
    free(work);
}

static double real_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int host_turn(struct ledger_host *host)
{
    double from = real_us();
    struct ahp_deferred *deferred = host->deferred;
    struct ahp_timer *timer;
    struct ahp_timer *next;
    struct host_work *works = host->works;
    struct host_work *work;
    int count = 0;

    /* What comes up in this turn belongs to the next. */
    host->deferred = NULL;
    host->works = NULL;
    DL_FOREACH_SAFE(host->timers, timer, next) {
        if (!timer->armed || timer->at_ms > host->now_ms)
            continue;
        timer->armed = 0;
        count++;
        timer->cb(timer->ud);
    }
    while (deferred) {
        struct ahp_deferred *now = deferred;
        ahp_timer_fn *cb = now->cb;
        void *ud = now->ud;

        DL_DELETE(deferred, now);
        free(now);
        count++;
        cb(ud);
    }
    while ((work = works)) {
        DL_DELETE(works, work);
        count++;
        run_work(host, work);
    }
    if (real_us() - from > host->longest_us)
        host->longest_us = real_us() - from;
    return count;
}

void host_advance(struct ledger_host *host, int64_t ms)
{
    host->now_ms += ms;
    host->wall_ms += ms;
    host_turn(host);
}

/* Turns; when nothing happens, time goes on to the next timer. */
void answer_wait(struct ledger_host *host, struct answer *answer)
{
    for (int turns = 0; !answer->called && turns < 20000; turns++) {
        struct ahp_timer *timer;
        int64_t at_ms = INT64_MAX;

        if (host_turn(host) || answer->called)
            continue;
        DL_FOREACH(host->timers, timer)
        if (timer->armed && timer->at_ms < at_ms)
            at_ms = timer->at_ms;
        if (at_ms == INT64_MAX)
            break;
        if (at_ms > host->now_ms) {
            host->wall_ms += at_ms - host->now_ms;
            host->now_ms = at_ms;
        }
    }
    assert_int_equal(answer->called, 1);
}

static int orders;

static void take_answer(struct answer *answer, enum ledger_result result, const struct err *err)
{
    answer->called++;
    answer->order = ++orders;
    answer->result = result;
    assert_int_equal(err != NULL, result == LEDGER_FAILED);
    if (err)
        answer->err = *err;
}

static void take_job(struct answer *answer, const struct ledger_job *job)
{
    if (job && answer->jobs_count < sizeof(answer->jobs) / sizeof(answer->jobs[0]))
        assert_int_equal(ledger_job_copy(job, &answer->jobs[answer->jobs_count++]), 0);
}

void on_accept(void *ud, enum ledger_result result, const struct ledger_job *job, int created,
               const struct ledger_history *history, const struct err *err)
{
    struct answer *answer = ud;

    take_answer(answer, result, err);
    take_job(answer, job);
    answer->created = created;
    answer->history = *history;
}

void on_record(void *ud, enum ledger_result result, uint32_t flags, const struct err *err)
{
    struct answer *answer = ud;

    take_answer(answer, result, err);
    answer->flags = flags;
}

void on_scan(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
             size_t jobs_count, int64_t unfinished, const struct err *err)
{
    struct answer *answer = ud;

    take_answer(answer, result, err);
    for (size_t i = 0; i < jobs_count; i++)
        take_job(answer, jobs[i]);
    answer->unfinished = unfinished;
}

void on_claim(void *ud, enum ledger_result result, const struct ledger_job *job,
              const struct err *err)
{
    struct answer *answer = ud;

    take_answer(answer, result, err);
    take_job(answer, job);
}

void on_find(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
             size_t jobs_count, const struct err *err)
{
    on_scan(ud, result, jobs, jobs_count, 0, err);
}

void answer_done(struct answer *answer)
{
    for (size_t i = 0; i < answer->jobs_count; i++)
        ledger_job_free(answer->jobs[i]);
    memset(answer, 0, sizeof(*answer));
}

char *folder_make(void)
{
    const char *base = getenv("TMPDIR");
    char *folder;

    assert_true(asprintf(&folder, "%s/ledger-XXXXXX", base ? base : "/tmp") > 0);
    assert_non_null(mkdtemp(folder));
    return folder;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void folder_remove(char *folder)
{
    assert_int_equal(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(folder);
}

char *folder_file(const char *folder, const char *name)
{
    char *path;

    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

struct ledger_job job_make(const char *id)
{
    struct ledger_job job = {
        .state = JOB_PLANNED,
        .flags = LEDGER_JOB_DELIVERS,
        .open = 1,
        .progress = -1,
        .created_ms = 1700000000000,
        .tool = (char *)"generate_image",
        .kind = (char *)"image",
        .provider = (char *)"openai",
        .model = (char *)"gpt-image-1",
        .conversation = (char *)"c1",
        .host = (char *)"gateway",
        .reply_to = (char *)"a\0b",
        .reply_to_len = 3,
        .request = (char *)"{\"prompt\":\"a boat\"}",
        .cost_estimate = 0.25,
        .cost = -1,
    };

    assert_true(strlen(id) < sizeof(job.id));
    memcpy(job.id, id, strlen(id) + 1);
    return job;
}

struct ledger *open_started(struct ledger_host *host, const char *folder)
{
    struct ledger *ledger = NULL;
    struct err err = {0};

    if (ledger_open(&host->env, folder, &ledger, &err) || ledger_start(ledger, &err))
        fail_msg("%s", err.text);
    return ledger;
}

enum ledger_result do_accept(struct ledger_host *host, struct ledger *ledger,
                             const struct ledger_job *job, int take, struct answer *answer)
{
    struct ledger_accept accept = {.job = job, .take = take, .now_ms = host->wall_ms};
    struct answer own = {0};
    enum ledger_result result;

    answer = answer ? answer : &own;
    assert_int_equal(ledger_accept(ledger, &accept, on_accept, answer), 0);
    answer_wait(host, answer);
    result = answer->result;
    answer_done(&own);
    return result;
}

enum ledger_result do_record(struct ledger_host *host, struct ledger *ledger,
                             const struct ledger_job *job, int release, struct answer *answer)
{
    struct answer own = {0};

    answer = answer ? answer : &own;
    assert_int_equal(ledger_record(ledger, job, release, on_record, answer), 0);
    answer_wait(host, answer);
    return answer->result;
}

enum ledger_result do_scan(struct ledger_host *host, struct ledger *ledger, const char *name,
                           int can_deliver, size_t max, struct answer *answer)
{
    struct ledger_scan scan = {
        .host = name, .can_deliver = can_deliver, .now_ms = host->wall_ms, .jobs_max = max};

    assert_int_equal(ledger_scan(ledger, &scan, on_scan, answer), 0);
    answer_wait(host, answer);
    return answer->result;
}

enum ledger_result do_claim(struct ledger_host *host, struct ledger *ledger, const char *id,
                            const char *key, struct answer *answer)
{
    struct answer own = {0};
    enum ledger_result result;

    answer = answer ? answer : &own;
    assert_int_equal(ledger_claim(ledger, id, key, on_claim, answer), 0);
    answer_wait(host, answer);
    result = answer->result;
    answer_done(&own);
    return result;
}

int ledger_set_up(void **state)
{
    struct ledger_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->folder = folder_make();
    f->path = folder_file(f->folder, "clawmedia.db");
    host_init(&f->host, "gateway", 1);
    f->ledger = open_started(&f->host, f->folder);
    *state = f;
    return 0;
}

int ledger_tear_down(void **state)
{
    struct ledger_fixture *f = *state;

    ledger_close(f->ledger);
    host_done(&f->host);
    folder_remove(f->folder);
    free(f->path);
    free(f);
    return 0;
}
