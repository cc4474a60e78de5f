/*
 * close.c - takes an instance down: stop, the end of work, destroy, sweep, close of our handles.
 * Each step runs from the top-level queue, so the plugin is never destroyed under its own feet, and
 * the last step, freeing the ahp_uv, happens in the close callback of its last uv handle.
 */
#include <stdlib.h>

#include "internal.h"

static void on_handle_closed(uv_handle_t *handle)
{
    ahp_uv_handle_closed(handle->data);
}

void ahp_uv_handle_closed(struct ahp_uv *h)
{
    if (--h->handles > 0 || h->phase != PHASE_GONE)
        return;
    h->closed_fn(h->closed_ud, &h->end);
    free(h);
}

void ahp_uv_stopped(void *ctx)
{
    struct ahp_uv *h = ctx;

    if (h->phase != PHASE_STOPPING || h->stopped) {
        ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_STOPPED,
                   h->late ? "stopped() came after its deadline had passed"
                           : "stopped() was called without a stop() to answer");
        return;
    }
    h->stopped = 1;
    ahp_uv_queue_add(h, &h->close_item);
}

static void on_stop_timer(uv_timer_t *timer)
{
    struct ahp_uv *h = timer->data;

    if (h->stopped)
        return;
    h->late = 1;
    h->end.stop_late = 1;
    ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_LATE_STOP,
               "stop() was not answered within %lld ms", (long long)h->stop_timeout_ms);
    ahp_uv_queue_add(h, &h->close_item);
}

static void step_stop(struct ahp_uv *h)
{
    int64_t deadline_ms = ahp_uv_now_ms(h) + h->stop_timeout_ms;
    uint64_t t;

    h->phase = PHASE_STOPPING;
    uv_update_time(h->loop);
    uv_timer_start(&h->stop_timer, on_stop_timer,
                   (uint64_t)h->stop_timeout_ms + AHP_UV_STOP_GRACE_MS, 0);
    uv_ref((uv_handle_t *)&h->stop_timer);
    t = ahp_uv_enter(h);
    h->inst->stop(h->inst->self, deadline_ms);
    ahp_uv_leave(h, AHP_UV_KIND_STOP, t);
}

static void step_destroy(struct ahp_uv *h)
{
    uint64_t t;

    if (h->inst != NULL) {
        t = ahp_uv_enter(h);
        h->inst->destroy(h->inst->self);
        ahp_uv_leave(h, AHP_UV_KIND_DESTROY, t);
    }
    h->phase = PHASE_GONE;
    h->inst = NULL;
    h->jobs = NULL;
    ahp_uv_queue_close(h);
    ahp_uv_calls_end(h);
    ahp_uv_queue_close(h); /* what the owner queued when it heard of the ends */
    ahp_uv_deliver_close(h);
    ahp_uv_loop_sweep(h);
    ahp_uv_ask_sweep(h);
    if (h->end.deferred_live > 0)
        ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_LEAK,
                   "destroy() left %u deferred calls behind", (unsigned)h->end.deferred_live);
    ahp_uv_calls_free(h);
    ahp_uv_stats_get(h, &h->end.stats);
    uv_close((uv_handle_t *)&h->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&h->check, on_handle_closed);
    uv_close((uv_handle_t *)&h->idle, on_handle_closed);
    uv_close((uv_handle_t *)&h->stop_timer, on_handle_closed);
    uv_close((uv_handle_t *)&h->receipts_timer, on_handle_closed);
}

void ahp_uv_close_step(struct ahp_uv *h)
{
    if (h->phase == PHASE_STARTED) {
        step_stop(h);
        return; /* stopped() or the timer goes on */
    }
    if (h->phase == PHASE_STOPPING && !h->stopped && !h->late)
        return;
    if (h->phase != PHASE_WORK && h->phase != PHASE_GONE) {
        uv_timer_stop(&h->stop_timer);
        h->phase = h->inst == NULL ? PHASE_EMPTY : PHASE_WORK;
        ahp_uv_work_cancel(h);
    }
    if (h->work_count == 0 && h->phase != PHASE_GONE)
        step_destroy(h);
}

int32_t ahp_uv_close(struct ahp_uv *h, int64_t timeout_ms, ahp_uv_closed_fn *cb, void *ud)
{
    if (h->closed_fn != NULL)
        return AHP_E_STATE;
    if (cb == NULL || timeout_ms < 0)
        return AHP_E_INVALID;
    h->closed_fn = cb;
    h->closed_ud = ud;
    h->stop_timeout_ms = timeout_ms;
    ahp_uv_queue_add(h, &h->close_item);
    uv_ref((uv_handle_t *)&h->idle); /* closing goes on even where nothing else keeps the loop */
    return AHP_OK;
}
