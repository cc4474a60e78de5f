/*
 * work.c - ahp.work/1 on libuv's thread pool. done() comes from libuv's own top level, never before
 * run has returned. A uv_work_t cannot be freed while its function runs, so the last step of
 * closing waits for all of them.
 */
#include <stdlib.h>

#include "internal.h"

struct work_item {
    uv_work_t req;
    struct ahp_uv *h;
    void *item;
    ahp_work_fn *fn;
    ahp_work_done_fn *done;
    struct work_item *prev;
    struct work_item *next;
};

static void on_work(uv_work_t *req)
{
    struct work_item *work = req->data;

    work->fn(work->item);
}

static void on_work_done(uv_work_t *req, int status)
{
    struct work_item *work = req->data;
    struct ahp_uv *h = work->h;
    ahp_work_done_fn *done = work->done;
    void *item = work->item;
    uint64_t t;

    DL_DELETE(h->work, work);
    h->work_count--;
    free(work);
    t = ahp_uv_enter(h);
    done(item, status == UV_ECANCELED);
    ahp_uv_leave(h, AHP_UV_KIND_WORK_DONE, t);
    if (h->phase == PHASE_WORK && h->work_count == 0)
        ahp_uv_queue_add(h, &h->close_item);
}

static int32_t work_run(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    struct ahp_uv *h = ctx;
    struct work_item *work;

    if (fn == NULL || done == NULL)
        return AHP_E_INVALID;
    if (h->phase == PHASE_GONE)
        return AHP_E_STATE;
    if (h->work_count >= AHP_UV_WORK_MAX)
        return AHP_E_LIMIT;
    work = calloc(1, sizeof(*work));
    if (work == NULL)
        return AHP_E_NOMEM;
    work->req.data = work;
    work->h = h;
    work->item = item;
    work->fn = fn;
    work->done = done;
    if (uv_queue_work(h->loop, &work->req, on_work, on_work_done) != 0) {
        free(work);
        return AHP_E_FAILED;
    }
    DL_APPEND(h->work, work);
    h->work_count++;
    h->end.stats.work_run++;
    return AHP_OK;
}

void ahp_uv_work_cancel(struct ahp_uv *h)
{
    struct work_item *work;

    DL_FOREACH(h->work, work)
    uv_cancel((uv_req_t *)&work->req); /* fails for what runs already: then it is waited for */
}

const ahp_work ahp_uv_work_vtable = {
    .size = sizeof(ahp_work),
    .run = work_run,
};
