/*
 * check.h - "ahp.check/1", optional: questions that assertions ask. Costs little enough to be
 * offered always.
 */
#ifndef AHP_CHECK_H
#define AHP_CHECK_H

#include "ahp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AHP_CHECK_1 "ahp.check/1"

/* Host side; a plugin gets it from ahp_host.ext(ctx, AHP_CHECK_1). */
typedef struct ahp_check {
    uint32_t size;
    uint32_t reserved; /* 0 */

    /* 1 on the loop's thread, else 0. Legal from create until destroy returns. [any] */
    int32_t (*on_loop)(void *ctx);
} ahp_check;

#ifdef __cplusplus
}
#endif

#endif
