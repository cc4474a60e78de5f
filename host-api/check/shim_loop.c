/*
 * shim_loop.c - "ahp.loop/1" with the shim in between: every handle is wrapped, every callback
 * comes through here.
 */
#include "shim.h"

#define EVENTS_ALL (AHP_IO_IN | AHP_IO_OUT | AHP_IO_ERR)

static int64_t now_ms(void *ctx)
{
    struct shim *shim = ctx;
    int64_t now = shim->last_now_ms;
    int before;

    if (shim_host_begin(shim, AHP_FN_NOW_MS, &before) != AHP_OK)
        return now;
    now = shim_now_ms(shim);
    shim_host_end(shim, before);
    return now;
}

static int64_t wall_ms(void *ctx)
{
    struct shim *shim = ctx;
    int64_t now;
    int before;

    if (shim_host_begin(shim, AHP_FN_WALL_MS, &before) != AHP_OK)
        return 0;
    now = shim->loop->wall_ms(shim->host->ctx);
    shim_host_end(shim, before);
    return now;
}

/* --- watches ---------------------------------------------------------------------------------- */

static void on_watch(void *ud, uint32_t events)
{
    struct shim_handle *handle = ud;
    struct shim *shim = handle->shim;

    if (!handle->live) {
        shim_accuse(shim, AHP_SHIM_HOST_AFTER_FREE,
                    "the callback of a watch that was freed (fd %d)", (int)handle->fd);
        return;
    }
    if ((events & ~EVENTS_ALL) != 0)
        shim_accuse(shim, AHP_SHIM_HOST_EVENTS, "reported events 0x%x, there are 0x%x",
                    (unsigned)events, (unsigned)EVENTS_ALL);
    if (shim_enter(shim, AHP_FN_WATCH_FN) != AHP_OK)
        return;
    handle->fn.watch(handle->ud, events); /* may free the handle */
    shim_leave(shim);
}

static int32_t watch_new(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                         ahp_watch_fn *cb, void *ud)
{
    struct shim *shim = ctx;
    struct shim_subject about = {shim, AHP_FN_WATCH_NEW, AHP_SIDE_PLUGIN};
    struct shim_handle *handle;
    struct shim_handle *other = NULL;
    ahp_watch *inner = SHIM_UNTOUCHED;
    int32_t rc;
    int before;

    rc = shim_host_begin(shim, AHP_FN_WATCH_NEW, &before);
    if (rc != AHP_OK)
        return rc;
    rc = AHP_E_INVALID;
    shim_check_argument(&about, fd >= 0 && (events & ~EVENTS_ALL) == 0, "fd or events");
    shim_check_argument(&about, ret_watch != NULL && cb != NULL, "ret_watch or cb is NULL");
    if (fd < 0 || ret_watch == NULL || cb == NULL)
        goto out;
    HASH_FIND_INT(shim->watch_by_fd, &fd, other);
    if (other != NULL)
        shim_accuse(shim, AHP_SHIM_PLUGIN_WATCH_TWICE, "watch_new: fd %d is watched already",
                    (int)fd);
    rc = AHP_E_NOMEM;
    handle = shim_handle_new(shim, SHIM_WATCH, ud);
    if (handle == NULL)
        goto out;
    handle->fn.watch = cb;
    handle->fd = fd;
    rc = shim_result(shim, AHP_FN_WATCH_NEW,
                     shim->loop->watch_new(shim->host->ctx, fd, events, &inner, on_watch, handle));
    if (other != NULL && rc != AHP_E_EXISTS)
        shim_accuse(shim, AHP_SHIM_HOST_WATCH_TWICE,
                    "watch_new: answered %d for an fd that is watched already", (int)rc);
    rc = shim_handle_made(handle, AHP_FN_WATCH_NEW, rc, inner);
    if (rc != AHP_OK)
        goto out;
    if (other == NULL)
        HASH_ADD_INT(shim->watch_by_fd, fd, handle);
    *ret_watch = (ahp_watch *)(void *)handle;
out:
    shim_host_end(shim, before);
    return rc;
}

static int32_t watch_mod(ahp_watch *watch, uint32_t events)
{
    struct shim_handle *handle = shim_handle_use(watch, SHIM_WATCH, AHP_FN_WATCH_MOD);
    int32_t rc;
    int before;

    if (handle == NULL)
        return AHP_E_INVALID;
    if ((events & ~EVENTS_ALL) != 0) {
        shim_accuse(handle->shim, AHP_SHIM_PLUGIN_ARGUMENT, "watch_mod: events 0x%x",
                    (unsigned)events);
        return AHP_E_INVALID;
    }
    rc = shim_host_begin(handle->shim, AHP_FN_WATCH_MOD, &before);
    if (rc != AHP_OK)
        return rc;
    rc = shim_result(handle->shim, AHP_FN_WATCH_MOD,
                     handle->shim->loop->watch_mod(handle->inner, events));
    shim_host_end(handle->shim, before);
    return rc;
}

static void watch_free(ahp_watch *watch)
{
    int before;
    struct shim_handle *handle = shim_handle_free(watch, SHIM_WATCH, AHP_FN_WATCH_FREE, &before);

    if (handle == NULL)
        return;
    handle->shim->loop->watch_free(handle->inner);
    shim_host_end(handle->shim, before);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void on_timer(void *ud)
{
    struct shim_handle *handle = ud;
    struct shim *shim = handle->shim;
    int64_t now;

    if (!handle->live) {
        shim_accuse(shim, AHP_SHIM_HOST_AFTER_FREE, "the callback of a timer that was freed");
        return;
    }
    if (!handle->armed) {
        shim_accuse(shim, AHP_SHIM_HOST_TIMER_UNARMED, "a timer ran that was not armed");
        return;
    }
    now = shim_on_loop(shim) ? shim_now_ms(shim) : INT64_MAX;
    if (now < handle->deadline_ms)
        shim_accuse(shim, AHP_SHIM_HOST_TIMER_EARLY, "a timer for %lld ran at %lld",
                    (long long)handle->deadline_ms, (long long)now);
    if (shim_enter(shim, AHP_FN_TIMER_FN) != AHP_OK)
        return;
    handle->armed = 0;
    handle->fn.timer(handle->ud); /* may free the handle */
    shim_leave(shim);
}

static int32_t timer_new(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    struct shim *shim = ctx;
    struct shim_handle *handle;
    ahp_timer *inner = SHIM_UNTOUCHED;
    int32_t rc;
    int before;

    rc = shim_host_begin(shim, AHP_FN_TIMER_NEW, &before);
    if (rc != AHP_OK)
        return rc;
    handle = shim_handle_begin(shim, AHP_FN_TIMER_NEW, SHIM_TIMER, ret_timer != NULL && cb != NULL,
                               ud, &rc);
    if (handle == NULL)
        goto out;
    handle->fn.timer = cb;
    rc = shim_result(shim, AHP_FN_TIMER_NEW,
                     shim->loop->timer_new(shim->host->ctx, &inner, on_timer, handle));
    rc = shim_handle_made(handle, AHP_FN_TIMER_NEW, rc, inner);
    if (rc != AHP_OK)
        goto out;
    *ret_timer = (ahp_timer *)(void *)handle;
out:
    shim_host_end(shim, before);
    return rc;
}

static int32_t timer_at(ahp_timer *timer, int64_t deadline_ms)
{
    struct shim_handle *handle = shim_handle_use(timer, SHIM_TIMER, AHP_FN_TIMER_AT);
    uint32_t armed_before;
    int64_t deadline_before;
    int32_t rc;
    int before;

    if (handle == NULL)
        return AHP_E_INVALID;
    rc = shim_host_begin(handle->shim, AHP_FN_TIMER_AT, &before);
    if (rc != AHP_OK)
        return rc;
    armed_before = handle->armed;
    deadline_before = handle->deadline_ms;
    handle->armed = 1;
    handle->deadline_ms = deadline_ms;
    rc = shim_result(handle->shim, AHP_FN_TIMER_AT,
                     handle->shim->loop->timer_at(handle->inner, deadline_ms));
    if (rc != AHP_OK && handle->live) {
        handle->armed = armed_before;
        handle->deadline_ms = deadline_before;
    }
    shim_host_end(handle->shim, before);
    return rc;
}

static void timer_off(ahp_timer *timer)
{
    struct shim_handle *handle = shim_handle_use(timer, SHIM_TIMER, AHP_FN_TIMER_OFF);
    int before;

    if (handle == NULL || shim_host_begin(handle->shim, AHP_FN_TIMER_OFF, &before) != AHP_OK)
        return;
    handle->armed = 0;
    handle->shim->loop->timer_off(handle->inner);
    shim_host_end(handle->shim, before);
}

static void timer_free(ahp_timer *timer)
{
    int before;
    struct shim_handle *handle = shim_handle_free(timer, SHIM_TIMER, AHP_FN_TIMER_FREE, &before);

    if (handle == NULL)
        return;
    handle->shim->loop->timer_free(handle->inner);
    shim_host_end(handle->shim, before);
}

/* --- deferred calls --------------------------------------------------------------------------- */

static void on_deferred(void *ud)
{
    struct shim_handle *handle = ud;
    struct shim *shim = handle->shim;

    if (shim_handle_is_late(handle, AHP_SHIM_HOST_DEFER_TWICE, "a deferred call ran") ||
        shim_enter(shim, AHP_FN_DEFER_FN) != AHP_OK)
        return;
    atomic_store(&handle->ran, 1u);
    shim_handle_end(handle);
    handle->fn.timer(handle->ud);
    shim_leave(shim);
}

static int32_t defer(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    struct shim *shim = ctx;
    struct shim_handle *handle;
    ahp_deferred *inner = SHIM_UNTOUCHED;
    int32_t rc;
    int before;

    rc = shim_host_begin(shim, AHP_FN_DEFER, &before);
    if (rc != AHP_OK)
        return rc;
    handle = shim_handle_begin(shim, AHP_FN_DEFER, SHIM_DEFERRED,
                               ret_deferred != NULL && cb != NULL, ud, &rc);
    if (handle == NULL)
        goto out;
    handle->fn.timer = cb;
    rc = shim_result(shim, AHP_FN_DEFER,
                     shim->loop->defer(shim->host->ctx, &inner, on_deferred, handle));
    rc = shim_handle_made(handle, AHP_FN_DEFER, rc, inner);
    if (rc != AHP_OK)
        goto out;
    *ret_deferred = (ahp_deferred *)(void *)handle;
out:
    shim_host_end(shim, before);
    return rc;
}

static void defer_free(ahp_deferred *deferred)
{
    int before;
    struct shim_handle *handle =
        shim_handle_free(deferred, SHIM_DEFERRED, AHP_FN_DEFER_FREE, &before);

    if (handle == NULL)
        return;
    handle->shim->loop->defer_free(handle->inner);
    shim_host_end(handle->shim, before);
}

const ahp_loop shim_loop_table = {
    .size = sizeof(ahp_loop),
    .now_ms = now_ms,
    .wall_ms = wall_ms,
    .watch_new = watch_new,
    .watch_mod = watch_mod,
    .watch_free = watch_free,
    .timer_new = timer_new,
    .timer_at = timer_at,
    .timer_off = timer_off,
    .timer_free = timer_free,
    .defer = defer,
    .defer_free = defer_free,
};
