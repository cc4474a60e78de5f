/*
 * host.c - the ahp_uv itself: what the instance sees as its ahp_host, and the way from open to
 * start. close.c has the way back.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ahp_load.h>
#include <ahp_shim.h>

#include "internal.h"

#define LOG_LINE_BYTES_MAX 512

static struct ahp_uv *from_host(void *ctx)
{
    return ctx;
}

static int32_t check_on_loop(void *ctx)
{
    uv_thread_t self = uv_thread_self();

    return uv_thread_equal(&self, &from_host(ctx)->thread) != 0;
}

const ahp_check ahp_uv_check_vtable = {
    .size = sizeof(ahp_check),
    .on_loop = check_on_loop,
};

static const void *host_ext(void *ctx, const char *id)
{
    struct ahp_uv *h = from_host(ctx);

    if (strcmp(id, AHP_LOOP_1) == 0)
        return &ahp_uv_loop_vtable;
    if (strcmp(id, AHP_CALLS_1) == 0)
        return &ahp_uv_calls_vtable;
    if (strcmp(id, AHP_DELIVER_1) == 0)
        return &h->deliver;
    if (strcmp(id, AHP_CHECK_1) == 0)
        return &ahp_uv_check_vtable;
    if (strcmp(id, AHP_WORK_1) == 0 && (h->owner.flags & AHP_UV_WORK))
        return &ahp_uv_work_vtable;
    if (strcmp(id, AHP_APPROVAL_1) == 0 && h->owner.ask != NULL)
        return &ahp_uv_approval_vtable;
    return NULL;
}

static void host_log(void *ctx, int32_t level, uint32_t item, const char *text, size_t len)
{
    struct ahp_uv *h = from_host(ctx);

    h->owner.log(h->owner.ud, level, item, text, len);
}

static int32_t host_log_on(void *ctx, int32_t level)
{
    struct ahp_uv *h = from_host(ctx);

    return h->owner.log_on == NULL || h->owner.log_on(h->owner.ud, level);
}

void ahp_uv_log(struct ahp_uv *h, int32_t level, uint32_t item, const char *fmt, ...)
{
    char line[LOG_LINE_BYTES_MAX];
    size_t len = 0;
    va_list ap;
    int n;

    if (level == AHP_LOG_PLUGIN_MISBEHAVES) /* as the shim words it */
        len = (size_t)snprintf(line, sizeof(line), "the plugin misbehaves: ");
    va_start(ap, fmt);
    n = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    len += (size_t)n;
    h->owner.log(h->owner.ud, level, item, line, len < sizeof(line) ? len : sizeof(line) - 1);
}

void ahp_uv_handle_added(struct ahp_uv *h, uv_handle_t *handle)
{
    h->handles++;
    if (h->owner.flags & AHP_UV_UNREF)
        uv_unref(handle);
}

int ahp_uv_may_call_back(const struct ahp_uv *h)
{
    return h->phase == PHASE_STARTED || (h->phase == PHASE_STOPPING && !h->stopped);
}

static void on_open_failed(uv_handle_t *handle)
{
    struct ahp_uv *h = handle->data;

    if (--h->handles == 0)
        free(h);
}

int32_t ahp_uv_open(uv_loop_t *loop, const struct ahp_uv_owner *owner, struct ahp_uv **ret_host)
{
    struct ahp_uv *h;

    if (loop == NULL || owner == NULL || ret_host == NULL || owner->name == NULL ||
        owner->log == NULL)
        return AHP_E_INVALID;
    h = calloc(1, sizeof(*h));
    if (h == NULL)
        return AHP_E_NOMEM;
    h->loop = loop;
    h->owner = *owner;
    h->thread = uv_thread_self();
    h->rescan_item.kind = ITEM_RESCAN;
    h->close_item.kind = ITEM_CLOSE;
    h->deliver.size = sizeof(h->deliver);
    h->deliver.flags = owner->offer != NULL ? owner->deliver_flags : 0;
    h->deliver.repeat_window_ms = owner->repeat_window_ms;
    h->deliver.file_bytes_max = owner->file_bytes_max;
    h->deliver.offer = ahp_uv_offer;
    h->host.size = sizeof(h->host);
    h->host.minor = AHP_MINOR;
    h->host.ctx = h;
    h->host.name = owner->name;
    h->host.version = owner->version != NULL ? owner->version : "";
    h->host.ext = host_ext;
    h->host.log = host_log;
    h->host.log_on = host_log_on;
    h->host.stopped = ahp_uv_stopped;
    /* libuv's init functions of these kinds only link the handle in: they do not fail */
    if (uv_timer_init(loop, &h->stop_timer) != 0) {
        free(h);
        return AHP_E_FAILED;
    }
    h->stop_timer.data = h;
    ahp_uv_handle_added(h, (uv_handle_t *)&h->stop_timer);
    if (ahp_uv_loop_init(h) != AHP_OK || ahp_uv_queue_init(h) != AHP_OK ||
        ahp_uv_deliver_init(h) != AHP_OK) {
        uv_close((uv_handle_t *)&h->stop_timer, on_open_failed);
        return AHP_E_FAILED;
    }
    *ret_host = h;
    return AHP_OK;
}

static void on_shim_report(void *ud, int32_t level, uint32_t item, const char *text)
{
    struct ahp_uv *h = ud;

    if (h->owner.breach != NULL)
        h->owner.breach(h->owner.ud, level, item, text);
}

int32_t ahp_uv_create(struct ahp_uv *h, const ahp_entry *entry, const ahp_text *config,
                      ahp_err *ret_err)
{
    ahp_inst *inst = NULL;
    int32_t rc;
    uint64_t t;

    if (h->phase != PHASE_EMPTY || h->depth != 0 || h->closed_fn != NULL)
        return AHP_E_STATE;
    rc = ahp_entry_check(entry, &h->host, ret_err);
    if (rc != AHP_OK)
        return rc;
    t = ahp_uv_enter(h);
    if (h->owner.flags & AHP_UV_CHECK)
        rc = ahp_shim_create(entry, &h->host, config, &inst, ret_err, on_shim_report, h);
    else
        rc = entry->create(&h->host, config, &inst, ret_err);
    ahp_uv_leave(h, AHP_UV_KIND_CREATE, t);
    if (rc < 0)
        return rc;
    rc = ahp_inst_check(inst, ret_err);
    if (rc != AHP_OK)
        return rc;
    h->inst = inst;
    h->phase = PHASE_CREATED;
    t = ahp_uv_enter(h); /* counted with create */
    h->jobs = inst->ext(inst->self, AHP_JOBS_1);
    ahp_uv_leave(h, AHP_UV_KIND_CREATE, t);
    return AHP_OK;
}

int32_t ahp_uv_start(struct ahp_uv *h, ahp_err *ret_err)
{
    int32_t rc;
    uint64_t t;

    if (h->phase != PHASE_CREATED || h->depth != 0 || h->closed_fn != NULL)
        return AHP_E_STATE;
    t = ahp_uv_enter(h);
    rc = h->inst->start(h->inst->self, ret_err);
    ahp_uv_leave(h, AHP_UV_KIND_START, t);
    h->phase = rc < 0 ? PHASE_BROKEN : PHASE_STARTED;
    return rc < 0 ? rc : AHP_OK;
}

int32_t ahp_uv_tools(struct ahp_uv *h, const ahp_tool *const **ret_tools, uint32_t *ret_count)
{
    int32_t rc;
    uint64_t t;

    if ((h->phase != PHASE_CREATED && !ahp_uv_may_call_back(h)) || h->depth != 0)
        return AHP_E_STATE;
    t = ahp_uv_enter(h);
    rc = h->inst->tools(h->inst->self, ret_tools, ret_count);
    ahp_uv_leave(h, AHP_UV_KIND_TOOLS, t);
    return rc;
}

int64_t ahp_uv_unfinished(struct ahp_uv *h)
{
    int64_t n;
    uint64_t t;

    if (h->jobs == NULL || !AHP_HAS(h->jobs, unfinished))
        return AHP_E_UNSUPPORTED;
    if (h->phase != PHASE_STARTED || h->depth != 0)
        return -1;
    t = ahp_uv_enter(h);
    n = h->jobs->unfinished(h->inst->self);
    ahp_uv_leave(h, AHP_UV_KIND_UNFINISHED, t);
    return n < 0 ? -1 : n;
}

int ahp_uv_quiet(const struct ahp_uv *h)
{
    return h->queue == NULL;
}
