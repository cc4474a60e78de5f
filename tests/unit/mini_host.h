/*
 * mini_host.h - the least host that struct env accepts, turned by hand: deferred calls and work
 * wait in a queue until mini_turn. Anything else that a plugin could ask of it fails the test.
 */
#ifndef TESTS_MINI_HOST_H
#define TESTS_MINI_HOST_H

#include "base/env.h"

#include <stdlib.h>
#include <string.h>

#define MINI_QUEUE 64

struct mini_item {
    int used;
    int is_work;
    void *ud;
    ahp_timer_fn *cb;
    ahp_work_fn *fn;
    ahp_work_done_fn *done;
};

struct mini_host {
    ahp_host host;
    ahp_loop loop;
    ahp_calls calls;
    ahp_deliver deliver;
    ahp_work work;
    int has_work;
    int fail_defer;
    int fail_work;
    unsigned works; /* that were queued */
    struct mini_item queue[MINI_QUEUE];
    struct env env;
};

static inline const void *mini_ext(void *ctx, const char *id)
{
    struct mini_host *mini = ctx;

    if (strcmp(id, AHP_LOOP_1) == 0)
        return &mini->loop;
    if (strcmp(id, AHP_CALLS_1) == 0)
        return &mini->calls;
    if (strcmp(id, AHP_DELIVER_1) == 0)
        return &mini->deliver;
    return mini->has_work && strcmp(id, AHP_WORK_1) == 0 ? &mini->work : NULL;
}

static inline void mini_log(void *ctx, int32_t level, uint32_t item, const char *text, size_t len)
{
    (void)ctx;
    (void)level;
    (void)item;
    (void)text;
    (void)len;
}

static inline int32_t mini_log_on(void *ctx, int32_t level)
{
    (void)ctx;
    (void)level;
    return 0;
}

static inline struct mini_item *mini_slot(struct mini_host *mini)
{
    for (int i = 0; i < MINI_QUEUE; i++)
        if (!mini->queue[i].used)
            return &mini->queue[i];
    return NULL;
}

static inline int32_t mini_defer(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    struct mini_host *mini = ctx;
    struct mini_item *item = mini->fail_defer ? NULL : mini_slot(mini);

    if (!item)
        return AHP_E_NOMEM;
    *item = (struct mini_item){.used = 1, .ud = ud, .cb = cb};
    *ret_deferred = (ahp_deferred *)(void *)item;
    return 0;
}

static inline void mini_defer_free(ahp_deferred *deferred)
{
    if (deferred)
        ((struct mini_item *)(void *)deferred)->used = 0;
}

static inline int32_t mini_run(void *ctx, void *data, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    struct mini_host *mini = ctx;
    struct mini_item *item = mini->fail_work ? NULL : mini_slot(mini);

    if (!item)
        return AHP_E_LIMIT;
    *item = (struct mini_item){.used = 1, .is_work = 1, .ud = data, .fn = fn, .done = done};
    mini->works++;
    return 0;
}

static inline int64_t mini_now(void *ctx)
{
    (void)ctx;
    return 1000;
}

static inline void mini_rescan(void *ctx)
{
    (void)ctx;
}

static inline int32_t mini_offer(void *ctx, const ahp_delivery *delivery)
{
    (void)ctx;
    (void)delivery;
    return AHP_E_UNSUPPORTED;
}

/* 0, or -1: env_init refused it. */
static inline int mini_init(struct mini_host *mini, int has_work)
{
    memset(mini, 0, sizeof(*mini));
    mini->has_work = has_work;
    mini->loop = (ahp_loop){.size = sizeof(ahp_loop),
                            .now_ms = mini_now,
                            .wall_ms = mini_now,
                            .defer = mini_defer,
                            .defer_free = mini_defer_free};
    mini->calls = (ahp_calls){.size = sizeof(ahp_calls), .rescan = mini_rescan};
    mini->deliver = (ahp_deliver){.size = sizeof(ahp_deliver), .offer = mini_offer};
    mini->work = (ahp_work){.size = sizeof(ahp_work), .run = mini_run};
    mini->host = (ahp_host){.size = sizeof(ahp_host),
                            .ctx = mini,
                            .name = "mini",
                            .version = "1",
                            .ext = mini_ext,
                            .log = mini_log,
                            .log_on = mini_log_on};
    return env_init(&mini->env, &mini->host);
}

/* Runs what is queued now; returns how many. What they queue waits for the next turn. */
static inline int mini_turn(struct mini_host *mini)
{
    struct mini_item now[MINI_QUEUE];
    int count = 0;

    memcpy(now, mini->queue, sizeof(now));
    for (int i = 0; i < MINI_QUEUE; i++)
        if (now[i].used && mini->queue[i].used)
            mini->queue[i].used = 0;
    for (int i = 0; i < MINI_QUEUE; i++) {
        if (!now[i].used)
            continue;
        count++;
        if (now[i].is_work) {
            now[i].fn(now[i].ud);
            now[i].done(now[i].ud, 0);
        } else {
            now[i].cb(now[i].ud);
        }
    }
    return count;
}

#endif
