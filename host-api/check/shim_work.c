/*
 * shim_work.c - "ahp.work/1": fn runs on a thread of the host, done on the loop. The wrapper is the
 * host's item; while fn may run, only the atomics and what never changes are touched.
 */
#include <stdlib.h>

#include "shim.h"

/* On some thread of the host. */
static void on_fn(void *item)
{
    struct shim_handle *handle = item;
    struct shim *shim = handle->shim;

    if (atomic_load(&handle->orphan) != 0)
        return; /* the instance, and the plugin's item with it, is gone */
    if (atomic_exchange(&handle->ran, 1u) != 0) {
        shim_accuse(shim, AHP_SHIM_HOST_WORK_TWICE, "an ahp_work_fn ran twice");
        return;
    }
    if (!shim_on_loop(shim)) {
        handle->fn.work(handle->ud);
        return;
    }
    if (shim->depth > 0)
        shim_accuse(shim, AHP_SHIM_HOST_WORK_INLINE, "an ahp_work_fn ran inside %s (R1)",
                    shim->host_fn == AHP_FN_COUNT ? "the plugin"
                                                  : ahp_fn_table[shim->host_fn].name);
    shim->in_work++;
    handle->fn.work(handle->ud);
    shim->in_work--;
}

static void on_done(void *item, int32_t cancelled)
{
    struct shim_handle *handle = item;
    struct shim *shim = handle->shim;
    ahp_work_done_fn *done = handle->done;
    int ran = atomic_load(&handle->ran) != 0;

    if (atomic_load(&handle->orphan) != 0) {
        free(handle); /* shim_handles_done could not: it was still here */
        return;
    }
    if (!handle->live) {
        shim_accuse(shim, AHP_SHIM_HOST_WORK_TWICE, "an ahp_work_done_fn ran twice");
        return;
    }
    if ((cancelled != 0) == ran)
        shim_accuse(shim, AHP_SHIM_HOST_WORK_CANCELLED, "done: cancelled is %d, but fn %s",
                    (int)cancelled, ran ? "ran" : "did not run");
    if (shim_enter(shim, AHP_FN_WORK_DONE_FN) != AHP_OK)
        return;
    shim_handle_end(handle);
    done(handle->ud, cancelled);
    shim_leave(shim);
}

static int32_t run(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    struct shim *shim = ctx;
    struct shim_handle *handle;
    int32_t rc;
    int before;

    rc = shim_host_begin(shim, AHP_FN_RUN, &before);
    if (rc != AHP_OK)
        return rc;
    handle = shim_handle_begin(shim, AHP_FN_RUN, SHIM_WORK, fn != NULL && done != NULL, item, &rc);
    if (handle == NULL)
        goto out;
    handle->fn.work = fn;
    handle->done = done;
    rc = shim_result(shim, AHP_FN_RUN, shim->work->run(shim->host->ctx, handle, on_fn, on_done));
    if (rc != AHP_OK && handle->live)
        shim_handle_end(handle);
out:
    shim_host_end(shim, before);
    return rc;
}

const ahp_work shim_work_table = {.size = sizeof(ahp_work), .run = run};
