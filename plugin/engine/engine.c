/*
 * engine.c - see engine.h: the life of the engine itself, taking up jobs, and stopping.
 */
#include "engine/engine_private.h"

#include "base/mem.h"

#include <string.h>

#define SCAN_SOON_MS 20
#define SCAN_JOBS LIMIT_LEDGER_SCAN
#define STOP_MARGIN_MS 100 /* letting go takes a moment, and the deadline is the host's */
#define STOP_LOOK_MS 50

static void scan_tick(void *ud);
static void stop_tick(void *ud);

int engine_open(struct env *env, struct config *config, struct ledger *ledger, struct net *net,
                struct engine **ret_engine, struct err *err)
{
    struct engine *engine = mem_alloc(sizeof(*engine));

    if (!engine)
        return err_nomem(err);
    engine->env = env;
    engine->config = config;
    engine->ledger = ledger;
    engine->net = net;
    engine->unfinished = -1;
    *ret_engine = engine;
    return 0;
}

int engine_start(struct engine *engine, struct err *err)
{
    const ahp_loop *loop = engine->env->loop;
    void *ctx = engine->env->host->ctx;

    if (loop->timer_new(ctx, &engine->due_timer, schedule_tick, engine) ||
        loop->timer_new(ctx, &engine->scan_timer, scan_tick, engine) ||
        loop->timer_new(ctx, &engine->stop_timer, stop_tick, engine))
        return err_set(err, ERR_NOMEM, "the host gave no timer");
    loop->timer_at(engine->scan_timer, env_now_ms(engine->env));
    return 0;
}

static void given_back(void *ud, enum ledger_result result, uint32_t flags, const struct err *err)
{
    struct engine *engine = ud;

    (void)flags;
    (void)err;
    if (result == LEDGER_OK)
        engine_scan_soon(engine);
}

struct job *engine_take_up(struct engine *engine, const struct ledger_job *row)
{
    struct job *job = job_by_id(engine, row->id);
    int64_t wait;

    if (job)
        return job;
    job = job_new(engine, row);
    if (!job) {
        env_log(engine->env, AHP_LOG_ERROR, LOG_INTERNAL, "no memory to take up %s", row->id);
        /* Held by us but not here, nobody would ever touch it. */
        if (ledger_record(engine->ledger, row, 1, given_back, engine))
            env_log(engine->env, AHP_LOG_ERROR, LOG_INTERNAL, "%s waits for a restart", row->id);
        return NULL;
    }
    job->taken_up = 1;
    env_log(engine->env, AHP_LOG_INFO, LOG_JOB_TAKEN, "%s taken up as %s", row->id,
            job_state_name(row->state));
    wait = row->due_ms ? row->due_ms - env_wall_ms(engine->env) : 0;
    /* A clock that was set back must not put a job to sleep for long. */
    if (wait > 15 * 60 * 1000 || (row->flags & JOB_SENT) || row->state == JOB_FETCHING)
        wait = 0;
    schedule_in(job, wait);
    return job;
}

static void scanned(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                    size_t jobs_count, int64_t unfinished, const struct err *err)
{
    struct engine *engine = ud;

    engine->scanning = 0;
    if (engine->stopping) {
        engine_idle_check(engine);
        return;
    }
    if (result != LEDGER_OK) {
        env_log(engine->env, AHP_LOG_WARN, LOG_LEDGER, "looking for jobs failed: %s", err->text);
    } else {
        for (size_t i = 0; i < jobs_count; i++)
            engine_take_up(engine, jobs[i]);
        engine->unfinished = unfinished;
    }
    engine->env->loop->timer_at(engine->scan_timer,
                                env_now_ms(engine->env) +
                                    (engine->scan_again || jobs_count == SCAN_JOBS ? SCAN_SOON_MS
                                                                                  : LEASE_SCAN_MS));
    engine->scan_again = 0;
}

static void scan_tick(void *ud)
{
    struct engine *engine = ud;
    size_t held = job_count(engine);
    struct ledger_scan scan = {
        .host = engine->env->host->name,
        .can_deliver = (engine->env->deliver->flags & AHP_DELIVER_READY) != 0,
        .now_ms = env_wall_ms(engine->env),
        .jobs_max = held >= LIMIT_JOBS || !config_resume(engine->config) ? 0 : SCAN_JOBS,
    };

    if (engine->scanning || engine->stopping)
        return;
    receipts_again(engine);
    engine->scanning = 1;
    if (ledger_scan(engine->ledger, &scan, scanned, engine)) {
        engine->scanning = 0;
        engine->env->loop->timer_at(engine->scan_timer, env_now_ms(engine->env) + LEASE_SCAN_MS);
    }
}

void engine_scan_soon(struct engine *engine)
{
    if (engine->scanning)
        engine->scan_again = 1;
    else if (!engine->stopping && !engine->closing)
        engine->env->loop->timer_at(engine->scan_timer, env_now_ms(engine->env) + SCAN_SOON_MS);
}

int64_t engine_unfinished(const struct engine *engine)
{
    return engine->unfinished;
}

int engine_find(struct engine *engine, const struct ledger_query *query, ledger_find_fn *done,
                void *ud)
{
    return ledger_find(engine->ledger, query, done, ud);
}

int engine_afford(struct engine *engine, const struct ledger_budget *budget,
                  const char *conversation, const struct provider_plan *plan,
                  ledger_afford_fn *done, void *ud)
{
    return ledger_afford(engine->ledger, budget, conversation, plan->cost, plan->currency,
                         env_wall_ms(engine->env), done, ud);
}

/* What is worth waiting for at the end: an answer that was paid for, and what is being stored. */
static int worth_waiting(const struct engine *engine)
{
    const struct job *job;
    const struct job *next;

    HASH_ITER(hh, engine->jobs, job, next)
        if ((job->spending && !engine->late) || job->busy == BUSY_RECORD || job->busy == BUSY_FILE)
            return 1;
    return engine->scanning || ledger_is_busy(engine->ledger) || config_is_saving(engine->config);
}

static void stop_done(void *ud)
{
    struct engine *engine = ud;
    engine_stopped_fn *stopped = engine->stopped;

    engine->stop_deferred = NULL;
    if (worth_waiting(engine)) { /* begun since it was asked for */
        engine->env->loop->timer_at(engine->stop_timer, env_now_ms(engine->env) + STOP_LOOK_MS);
        return;
    }
    engine->stopped = NULL;
    if (stopped)
        stopped(engine->stopped_ud);
}

void engine_idle_check(struct engine *engine)
{
    if (!engine->stopping || engine->closing || !engine->stopped || engine->stop_deferred ||
        worth_waiting(engine))
        return;
    if (env_defer(engine->env, &engine->stop_deferred, stop_done, engine))
        engine->env->loop->timer_at(engine->stop_timer, env_now_ms(engine->env));
}

static void stop_tick(void *ud)
{
    struct engine *engine = ud;
    int64_t now = env_now_ms(engine->env);

    engine_idle_check(engine);
    if (engine->stop_deferred || !engine->stopped)
        return;
    if (now >= engine->stop_by_ms && !engine->late) {
        /* Answers that are still out will be asked for by the next process. What is being written
           to disk is waited for all the same: it uses the host's threads. */
        engine->late = 1;
        engine_idle_check(engine);
    }
    engine->env->loop->timer_at(engine->stop_timer, now + STOP_LOOK_MS);
}

void engine_stop(struct engine *engine, int64_t deadline_ms, engine_stopped_fn *done, void *ud)
{
    struct job *job;
    struct job *next;

    engine->stopping = 1;
    engine->stop_by_ms = deadline_ms - STOP_MARGIN_MS;
    engine->stopped = done;
    engine->stopped_ud = ud;
    engine->env->loop->timer_off(engine->scan_timer);
    ask_stop(engine);
    HASH_ITER(hh, engine->jobs, job, next) {
        if (job->spending || job->busy == BUSY_RECORD || job->busy == BUSY_FILE)
            continue;
        job_free(job);
    }
    engine->env->loop->timer_at(engine->stop_timer, env_now_ms(engine->env));
}

void engine_halt(struct engine *engine)
{
    if (!engine)
        return;
    engine->closing = 1;
    engine->stopping = 1;
}

void engine_close(struct engine *engine)
{
    const ahp_loop *loop;
    struct job *job;
    struct job *next;

    if (!engine)
        return;
    loop = engine->env->loop;
    engine_halt(engine);
    watch_done(engine);
    act_done(engine);
    order_done(engine);
    receipt_done(engine);
    HASH_ITER(hh, engine->jobs, job, next)
        job_free(job);
    schedule_done(engine);
    if (engine->stop_deferred)
        loop->defer_free(engine->stop_deferred);
    loop->timer_free(engine->due_timer);
    loop->timer_free(engine->scan_timer);
    loop->timer_free(engine->stop_timer);
    mem_free(engine);
}
