/*
 * work.h - "ahp.work/1", optional: the host runs a function off the loop's thread. A plugin whose
 * host has it not does the same work in slices; correctness never depends on it.
 */
#ifndef AHP_WORK_H
#define AHP_WORK_H

#include "ahp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AHP_WORK_1 "ahp.work/1"

/* Runs on some thread of the host; may call only functions marked [any]. `item` is its alone. */
typedef void ahp_work_fn(void *item);

/* [loop] `cancelled` is 1 when ahp_work_fn never ran. */
typedef void ahp_work_done_fn(void *item, int32_t cancelled);

/* Host side; a plugin gets it from ahp_host.ext(ctx, AHP_WORK_1). */
typedef struct ahp_work {
    uint32_t size;
    uint32_t reserved; /* 0 */

    /*
     * Queues fn(item). done(item, cancelled) always follows, on the loop, never before run has
     * returned, and before destroy is called: the host waits for a running fn. Items may run side
     * by side and in any order. `item` stays the plugin's, who frees it in done or later. [loop],
     * legal from start until stopped(). AHP_E_NOMEM, AHP_E_LIMIT.
     */
    int32_t (*run)(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done);
} ahp_work;

#ifdef __cplusplus
}
#endif

#endif
