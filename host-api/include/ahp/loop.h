/*
 * loop.h - "ahp.loop/1": the host lends its event loop. Host side; a plugin gets it from
 * ahp_host.ext(ctx, AHP_LOOP_1). All functions are [loop]. The clocks are legal from create until
 * destroy returns, the free functions and timer_off from start until destroy returns, the others
 * from start until stopped. None of them calls back before it returns (R1). Handles are owned by
 * the host and end with the matching *_free.
 */
#ifndef AHP_LOOP_H
#define AHP_LOOP_H

#include "ahp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AHP_LOOP_1 "ahp.loop/1"

typedef struct ahp_watch ahp_watch;
typedef struct ahp_timer ahp_timer;
typedef struct ahp_deferred ahp_deferred;

/* What to watch for, and what was seen. ERR is always reported and need not be asked for. */
#define AHP_IO_IN 1u
#define AHP_IO_OUT 2u
#define AHP_IO_ERR 4u

/* May be called although nothing is ready: reads and writes must be non-blocking. */
typedef void ahp_watch_fn(void *ud, uint32_t events);
typedef void ahp_timer_fn(void *ud);

typedef struct ahp_loop {
    uint32_t size;
    uint32_t reserved; /* 0 */

    /* The host's monotonic clock in ms; never runs backwards. Deadlines of this ABI are on it. */
    int64_t (*now_ms)(void *ctx);

    /*
     * Milliseconds since 1970-01-01 UTC, for what outlives the process. May jump when somebody sets
     * the clock. now_ms and wall_ms are the only clocks a plugin uses, so a test host owns time.
     */
    int64_t (*wall_ms)(void *ctx);

    /*
     * Watches fd, level-triggered: the callback repeats while the condition lasts. The fd stays the
     * plugin's: it closes it, after watch_free; the host neither closes nor reads it. One watch per
     * fd: AHP_E_EXISTS. AHP_E_NOMEM, AHP_E_LIMIT, AHP_E_INVALID (fd cannot be watched).
     */
    int32_t (*watch_new)(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                         ahp_watch_fn *cb, void *ud);

    /*
     * Changes what is watched for; 0 pauses everything, ERR included. AHP_E_INVALID: no such watch,
     * where the host can tell.
     */
    int32_t (*watch_mod)(ahp_watch *watch, uint32_t events);

    /*
     * Final on return: no callback of this watch follows, not even from events already harvested.
     * Legal in any callback, its own included. The fd may be closed already. NULL is ignored.
     */
    void (*watch_free)(ahp_watch *watch);

    /* A one-shot timer, not armed yet. AHP_E_NOMEM, AHP_E_LIMIT. */
    int32_t (*timer_new)(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud);

    /*
     * Arms or re-arms the timer for an absolute time on now_ms: it fires once, when now_ms has
     * reached it. A time that has passed fires on the next turn of the loop, never at once. Legal
     * in its own callback. AHP_E_INVALID: no such timer, where the host can tell.
     */
    int32_t (*timer_at)(ahp_timer *timer, int64_t deadline_ms);

    /* Disarms: no callback until the next timer_at. */
    void (*timer_off)(ahp_timer *timer);

    /* Final on return, as watch_free. NULL is ignored. */
    void (*timer_free)(ahp_timer *timer);

    /*
     * Calls cb once on a later turn, after the input and output of this one: the way off this
     * stack. The handle ends by itself just before the callback; until then defer_free cancels it.
     * AHP_E_NOMEM, AHP_E_LIMIT.
     */
    int32_t (*defer)(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud);

    /*
     * Cancels a deferred call that has not run. Using a handle whose call has run is misuse. NULL
     * is ignored.
     */
    void (*defer_free)(ahp_deferred *deferred);
} ahp_loop;

#ifdef __cplusplus
}
#endif

#endif
