/*
 * queue.c - what waits for the loop's top level (see internal.h), and deferred calls.
 *
 * While the queue holds something, an idle handle keeps libuv from sleeping in poll and a check
 * handle drains it. An item may be removed at any time, also by a callback that runs during the
 * drain: the drain always looks at the head again.
 */
#include <stdlib.h>

#include "internal.h"

struct ahp_deferred {
    struct item item;
    struct ahp_uv *h;
    ahp_timer_fn *cb;
    void *ud;
};

static void run_deferred(ahp_deferred *deferred)
{
    struct ahp_uv *h = deferred->h;
    ahp_timer_fn *cb = deferred->cb;
    void *ud = deferred->ud;
    uint64_t t;

    h->deferred_count--;
    free(deferred); /* the handle ends before the callback */
    t = ahp_uv_enter(h);
    cb(ud);
    ahp_uv_leave(h, AHP_UV_KIND_DEFER, t);
}

static void run_item(struct ahp_uv *h, struct item *item)
{
    switch (item->kind) {
    case ITEM_DEFER:
        run_deferred(item->owner);
        break;
    case ITEM_TIMER:
        ahp_uv_timer_run(item->owner);
        break;
    case ITEM_RESULT:
        ahp_uv_result_run(item->owner);
        break;
    case ITEM_PROGRESS:
        ahp_uv_progress_run(item->owner);
        break;
    case ITEM_RECEIPT:
        ahp_uv_receipt_run(item->owner, 0);
        break;
    case ITEM_ANSWER:
        ahp_uv_answer_run(item->owner);
        break;
    case ITEM_RESCAN:
        if (h->owner.rescan != NULL)
            h->owner.rescan(h->owner.ud);
        break;
    case ITEM_CLOSE:
        ahp_uv_close_step(h);
        break;
    }
}

/*
 * The first item that may run now. Deferred calls and answers of an instance that does not run any
 * more stay queued for destroy, which frees them.
 */
static struct item *first_runnable(const struct ahp_uv *h)
{
    struct item *item = h->queue;

    while (item != NULL && (item->kind == ITEM_DEFER || item->kind == ITEM_ANSWER) &&
           !ahp_uv_may_call_back(h))
        item = item->next;
    return item;
}

static void on_check(uv_check_t *check)
{
    struct ahp_uv *h = check->data;
    uint64_t limit = h->seq;
    struct item *item;

    while ((item = first_runnable(h)) != NULL && item->seq <= limit) {
        ahp_uv_queue_remove(h, item);
        run_item(h, item);
    }
    if (item == NULL)
        uv_idle_stop(&h->idle); /* nothing to do until the next item is added */
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active is all that is wanted */
}

int32_t ahp_uv_queue_init(struct ahp_uv *h)
{
    /* libuv documents that these three never fail */
    if (uv_check_init(h->loop, &h->check) != 0 || uv_idle_init(h->loop, &h->idle) != 0)
        return AHP_E_FAILED;
    h->check.data = h;
    h->idle.data = h;
    ahp_uv_handle_added(h, (uv_handle_t *)&h->check);
    ahp_uv_handle_added(h, (uv_handle_t *)&h->idle);
    return AHP_OK;
}

void ahp_uv_queue_add(struct ahp_uv *h, struct item *item)
{
    if (item->queued)
        return;
    item->queued = 1;
    item->seq = ++h->seq;
    DL_APPEND(h->queue, item);
    uv_check_start(&h->check, on_check);
    uv_idle_start(&h->idle, on_idle);
}

void ahp_uv_queue_remove(struct ahp_uv *h, struct item *item)
{
    if (!item->queued)
        return;
    item->queued = 0;
    DL_DELETE(h->queue, item);
    if (h->queue == NULL) {
        uv_idle_stop(&h->idle);
        uv_check_stop(&h->check);
    }
}

int32_t ahp_uv_defer(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    struct ahp_uv *h = ctx;
    ahp_deferred *deferred;

    if (ret_deferred == NULL || cb == NULL)
        return AHP_E_INVALID;
    if (h->phase == PHASE_GONE)
        return AHP_E_STATE;
    if (h->deferred_count >= AHP_UV_DEFERRED_MAX)
        return AHP_E_LIMIT;
    deferred = calloc(1, sizeof(*deferred));
    if (deferred == NULL)
        return AHP_E_NOMEM;
    deferred->item.kind = ITEM_DEFER;
    deferred->item.owner = deferred;
    deferred->h = h;
    deferred->cb = cb;
    deferred->ud = ud;
    h->deferred_count++;
    ahp_uv_queue_add(h, &deferred->item);
    *ret_deferred = deferred;
    return AHP_OK;
}

void ahp_uv_defer_free(ahp_deferred *deferred)
{
    if (deferred == NULL)
        return;
    ahp_uv_queue_remove(deferred->h, &deferred->item);
    deferred->h->deferred_count--;
    free(deferred);
}

void ahp_uv_queue_close(struct ahp_uv *h)
{
    while (h->queue != NULL) {
        struct item *item = h->queue;

        ahp_uv_queue_remove(h, item);
        switch (item->kind) {
        case ITEM_RESULT:
            ahp_uv_result_run(item->owner);
            break;
        case ITEM_RECEIPT: /* the plugin offers again after its restart */
            ahp_uv_receipt_run(item->owner, 1);
            break;
        case ITEM_DEFER:
            h->end.deferred_live++;
            h->deferred_count--;
            free(item->owner);
            break;
        case ITEM_TIMER: /* swept with the timers */
        case ITEM_ANSWER: /* and with the questions */
        case ITEM_PROGRESS:
        case ITEM_RESCAN:
        case ITEM_CLOSE:
            break;
        }
    }
}
