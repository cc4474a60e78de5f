/*
 * watch.c - tells tools how a job is doing: at every change, and each second while it works. A job
 * that another process holds is read from the ledger each second.
 */
#include "engine/engine_private.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#define WATCH_MS 1000

struct engine_watch {
    struct engine_watch *prev;
    struct engine_watch *next;
    struct engine *engine;
    char id[LIMIT_ID];
    engine_watch_fn *seen; /* NULL: not wanted any more */
    void *ud;
    int due;
    int finding; /* a look-up is under way and will come back to this */
};

static void pass(void *ud);

static void remove_watch(struct engine_watch *watch)
{
    DL_DELETE(watch->engine->watches, watch);
    mem_free(watch);
}

static void pass_soon(struct engine *engine)
{
    if (!engine->watch_pass && !engine->closing &&
        env_defer(engine->env, &engine->watch_pass, pass, engine))
        env_log(engine->env, AHP_LOG_ERROR, LOG_INTERNAL, "no memory to tell of a change");
}

static void found(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                  size_t jobs_count, const struct err *err)
{
    struct engine_watch *watch = ud;
    struct engine_sight sight = {0};

    watch->finding = 0;
    if (!watch->seen) {
        remove_watch(watch);
        return;
    }
    if (result == LEDGER_OK && jobs_count) {
        sight.job = jobs[0];
        watch->seen(watch->ud, &sight, NULL);
    } else {
        watch->seen(watch->ud, &sight, result == LEDGER_OK ? NULL : err);
    }
}

static void show(struct engine_watch *watch)
{
    struct job *job = job_by_id(watch->engine, watch->id);
    struct engine_sight sight = {0};
    struct ledger_query query = {.id = watch->id, .limit = 1};

    if (job) {
        /* An end is told when it is durable; that record marks the watch again. */
        if ((job->busy == BUSY_RECORD || job->unrecorded) && job->row->state >= JOB_READY)
            return;
        sight.job = job->row;
        sight.is_here = 1;
        sight.rechecking = job->rechecks;
        if (job->call)
            net_progress(job->call, &sight.bytes, &sight.bytes_total);
        watch->seen(watch->ud, &sight, NULL);
        return;
    }
    if (watch->finding)
        return;
    watch->finding = 1;
    if (ledger_find(watch->engine->ledger, &query, found, watch))
        watch->finding = 0;
}

static void pass(void *ud)
{
    struct engine *engine = ud;
    struct engine_watch *watch;
    struct engine_watch *next;

    engine->watch_pass = NULL;
    engine->watch_passing = 1;
    DL_FOREACH(engine->watches, watch) {
        if (watch->due && watch->seen) {
            watch->due = 0;
            show(watch);
        }
    }
    engine->watch_passing = 0;
    DL_FOREACH_SAFE(engine->watches, watch, next)
        if (!watch->seen && !watch->finding)
            remove_watch(watch);
}

static void tick(void *ud)
{
    struct engine *engine = ud;
    struct engine_watch *watch;

    if (!engine->watches)
        return;
    DL_FOREACH(engine->watches, watch)
        watch->due = 1;
    pass_soon(engine);
    engine->env->loop->timer_at(engine->watch_timer, env_now_ms(engine->env) + WATCH_MS);
}

void watch_changed(struct engine *engine, const struct job *job)
{
    struct engine_watch *watch;
    int any = 0;

    DL_FOREACH(engine->watches, watch) {
        if (strcmp(watch->id, job->row->id) == 0) {
            watch->due = 1;
            any = 1;
        }
    }
    if (any)
        pass_soon(engine);
}

int engine_watch(struct engine *engine, const char *id, engine_watch_fn *seen, void *ud,
                 struct engine_watch **ret_watch)
{
    struct engine_watch *watch = mem_alloc(sizeof(*watch));

    if (!watch)
        return -1;
    if (!engine->watch_timer &&
        engine->env->loop->timer_new(engine->env->host->ctx, &engine->watch_timer, tick, engine)) {
        mem_free(watch);
        return -1;
    }
    watch->engine = engine;
    watch->seen = seen;
    watch->ud = ud;
    watch->due = 1;
    snprintf(watch->id, sizeof(watch->id), "%s", id);
    if (!engine->watches)
        engine->env->loop->timer_at(engine->watch_timer, env_now_ms(engine->env) + WATCH_MS);
    DL_APPEND(engine->watches, watch);
    pass_soon(engine);
    *ret_watch = watch;
    return 0;
}

void engine_unwatch(struct engine_watch *watch)
{
    if (!watch)
        return;
    watch->seen = NULL;
    if (!watch->engine->watch_passing && !watch->finding)
        remove_watch(watch);
}

void watch_done(struct engine *engine)
{
    struct engine_watch *watch;

    while ((watch = engine->watches))
        remove_watch(watch);
    if (engine->watch_pass)
        engine->env->loop->defer_free(engine->watch_pass);
    engine->env->loop->timer_free(engine->watch_timer);
    engine->watch_pass = NULL;
    engine->watch_timer = NULL;
}
