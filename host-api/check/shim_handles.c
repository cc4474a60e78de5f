/*
 * shim_handles.c - the handles a plugin gets: one wrapper each, alive until its end, then
 * remembered for a while so that a later use by either side can be told from a first.
 */
#include <stdlib.h>
#include <string.h>

#include "shim.h"

#define MAGIC 0x61687077u

static const char *const kind_names[SHIM_KIND_COUNT] = {"watch", "timer", "deferred call", "work",
                                                        "question"};

struct shim_handle *shim_handle_new(struct shim *shim, enum shim_kind kind, void *ud)
{
    struct shim_handle *handle = calloc(1, sizeof(*handle));

    if (handle == NULL)
        return NULL;
    handle->magic = MAGIC;
    handle->kind = kind;
    handle->live = 1;
    handle->fd = -1;
    handle->shim = shim;
    handle->ud = ud;
    DL_APPEND(shim->handles, handle);
    shim->live_count[kind]++;
    return handle;
}

struct shim_handle *shim_handle_begin(struct shim *shim, enum ahp_fn fn, enum shim_kind kind,
                                      int is_complete, void *ud, int32_t *ret_rc)
{
    if (!is_complete) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_ARGUMENT, "%s: an output or a function is NULL",
                    ahp_fn_table[fn].name);
        *ret_rc = AHP_E_INVALID;
        return NULL;
    }
    *ret_rc = AHP_E_NOMEM;
    return shim_handle_new(shim, kind, ud);
}

static void handle_free(struct shim_handle *handle)
{
    handle->magic = 0;
    free(handle);
}

static void handle_detach(struct shim_handle *handle)
{
    struct shim *shim = handle->shim;

    if (handle->kind == SHIM_WATCH && handle->hh.tbl != NULL)
        HASH_DEL(shim->watch_by_fd, handle);
    DL_DELETE(shim->handles, handle);
    shim->live_count[handle->kind]--;
    handle->live = 0;
    handle->armed = 0;
}

void shim_handle_end(struct shim_handle *handle)
{
    struct shim *shim = handle->shim;

    handle_detach(handle);
    DL_APPEND(shim->ended, handle);
    if (++shim->ended_count > SHIM_ENDED_HANDLES_MAX) {
        struct shim_handle *oldest = shim->ended;

        DL_DELETE(shim->ended, oldest);
        shim->ended_count--;
        handle_free(oldest);
    }
}

const char shim_untouched_mark;

int32_t shim_handle_made(struct shim_handle *handle, enum ahp_fn fn, int32_t rc, void *inner)
{
    const struct shim *shim = handle->shim;
    const char *name = ahp_fn_table[fn].name;

    if (rc != AHP_OK && inner != SHIM_UNTOUCHED)
        shim_accuse(shim, AHP_SHIM_HOST_OUTPUT_TOUCHED, "%s: failed, but wrote its output", name);
    if (rc == AHP_OK && (inner == SHIM_UNTOUCHED || inner == NULL)) {
        shim_accuse(shim, AHP_SHIM_HOST_OUTPUT_MISSING, "%s: success without a handle", name);
        rc = AHP_E_FAILED;
    }
    if (rc == AHP_OK)
        handle->inner = inner;
    else if (handle->live)
        shim_handle_end(handle);
    return rc;
}

struct shim_handle *shim_handle_use(void *pointer, enum shim_kind kind, enum ahp_fn fn)
{
    struct shim_handle *handle = pointer;

    /* Not ours, or forgotten long ago: there is no shim to report to. */
    if (handle == NULL || handle->magic != MAGIC)
        return NULL;
    if (handle->kind != (uint32_t)kind) {
        shim_accuse(handle->shim, AHP_SHIM_PLUGIN_ARGUMENT, "%s: was given a %s",
                    ahp_fn_table[fn].name, kind_names[handle->kind]);
        return NULL;
    }
    if (!handle->live) {
        shim_accuse(handle->shim, AHP_SHIM_PLUGIN_AFTER_FREE, "%s: that %s has ended",
                    ahp_fn_table[fn].name, kind_names[kind]);
        return NULL;
    }
    return handle;
}

struct shim_handle *shim_handle_free(void *pointer, enum shim_kind kind, enum ahp_fn fn,
                                     int *ret_before)
{
    struct shim_handle *handle = shim_handle_use(pointer, kind, fn);

    if (handle == NULL || shim_host_begin(handle->shim, fn, ret_before) != AHP_OK)
        return NULL;
    /* Ended first: a callback that the host makes from in here is one after the end. */
    shim_handle_end(handle);
    return handle;
}

int shim_handle_is_late(const struct shim_handle *handle, uint32_t item_twice, const char *what)
{
    int ran = atomic_load(&handle->ran) != 0;

    if (handle->live)
        return 0;
    shim_accuse(handle->shim, ran ? item_twice : (uint32_t)AHP_SHIM_HOST_AFTER_FREE,
                ran ? "%s twice" : "%s after it was freed", what);
    return 1;
}

static void report_leaks(const struct shim *shim)
{
    static const uint32_t items[SHIM_KIND_COUNT] = {
        AHP_SHIM_PLUGIN_LEAK_WATCHES, AHP_SHIM_PLUGIN_LEAK_TIMERS, AHP_SHIM_PLUGIN_LEAK_DEFERRED,
        0, /* the host's fault, reported before destroy */
        AHP_SHIM_PLUGIN_LEAK_QUESTIONS,
    };

    for (int kind = 0; kind < (int)SHIM_KIND_COUNT; kind++) {
        if (shim->live_count[kind] > 0 && items[kind] != 0)
            shim_accuse(shim, items[kind], "destroy left %u %s%s behind",
                        (unsigned)shim->live_count[kind], kind_names[kind],
                        shim->live_count[kind] == 1 ? "" : "s");
    }
}

void shim_handles_done(struct shim *shim)
{
    report_leaks(shim);
    while (shim->handles != NULL) {
        struct shim_handle *handle = shim->handles;

        handle_detach(handle);
        switch (handle->kind) {
        case SHIM_WATCH:
            shim->loop->watch_free(handle->inner);
            break;
        case SHIM_TIMER:
            shim->loop->timer_free(handle->inner);
            break;
        case SHIM_DEFERRED:
            shim->loop->defer_free(handle->inner);
            break;
        case SHIM_QUESTION:
            shim->approval->ask_free(handle->inner);
            break;
        default: /* a thread may be in it: it is freed when done comes (shim_work.c) */
            atomic_store(&handle->orphan, 1u);
            continue;
        }
        handle_free(handle);
    }
    while (shim->ended != NULL) {
        struct shim_handle *handle = shim->ended;

        DL_DELETE(shim->ended, handle);
        handle_free(handle);
    }
}
