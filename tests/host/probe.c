/*
 * probe.c - see probe.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

static struct probe *creating; /* create() has no other way to know whose instance it makes */

static int32_t inst_tools(void *self, const ahp_tool *const **ret_tools, uint32_t *ret_count)
{
    static const ahp_tool tool = {
        .size = sizeof(tool),
        .name = "probe",
        .title = "Probe",
        .summary = "Runs what the test says.",
        .input_schema = "{\"type\":\"object\"}",
    };
    static const ahp_tool *const list[] = {&tool};

    (void)self;
    *ret_tools = list;
    *ret_count = 1;
    return AHP_OK;
}

static int32_t inst_start(void *self, ahp_err *ret_err)
{
    struct probe *p = self;

    (void)ret_err;
    return p->on_start != NULL ? p->on_start(p) : AHP_OK;
}

static int32_t inst_call(void *self, const ahp_call *call)
{
    struct probe *p = self;
    ahp_result result = {.size = sizeof(result)};

    if (p->on_call != NULL)
        return p->on_call(p, call);
    result.json.ptr = "{}";
    result.json.len = 2;
    assert_int_equal(p->calls->complete(p->host->ctx, call->id, &result), AHP_OK);
    return AHP_OK;
}

static int32_t inst_cancel(void *self, uint64_t id)
{
    struct probe *p = self;

    return p->on_cancel != NULL ? p->on_cancel(p, id) : AHP_OK;
}

static int32_t inst_receipt(void *self, const ahp_receipt *receipt)
{
    struct probe *p = self;

    return p->on_receipt != NULL ? p->on_receipt(p, receipt) : AHP_OK;
}

static void inst_stop(void *self, int64_t deadline_ms)
{
    struct probe *p = self;

    (void)deadline_ms;
    if (p->on_stop != NULL)
        p->on_stop(p);
    else
        p->host->stopped(p->host->ctx);
}

static void inst_destroy(void *self)
{
    struct probe *p = self;

    if (p->on_destroy != NULL)
        p->on_destroy(p);
    p->destroyed = 1;
}

static const void *inst_ext(void *self, const char *id)
{
    (void)self;
    (void)id;
    return NULL;
}

static int32_t entry_create(const ahp_host *host, const ahp_text *config, ahp_inst **ret_inst,
                            ahp_err *ret_err)
{
    struct probe *p = creating;

    (void)config;
    (void)ret_err;
    p->host = host;
    p->loop = host->ext(host->ctx, AHP_LOOP_1);
    p->calls = host->ext(host->ctx, AHP_CALLS_1);
    p->deliver = host->ext(host->ctx, AHP_DELIVER_1);
    p->work = host->ext(host->ctx, AHP_WORK_1);
    p->approval = host->ext(host->ctx, AHP_APPROVAL_1);
    p->inst.size = sizeof(p->inst);
    p->inst.self = p;
    p->inst.tools = inst_tools;
    p->inst.start = inst_start;
    p->inst.call = inst_call;
    p->inst.cancel = inst_cancel;
    p->inst.receipt = inst_receipt;
    p->inst.stop = inst_stop;
    p->inst.destroy = inst_destroy;
    p->inst.ext = inst_ext;
    *ret_inst = &p->inst;
    return AHP_OK;
}

static const char *const needs[] = {AHP_LOOP_1, AHP_CALLS_1, AHP_DELIVER_1, NULL};
static const char *const wants[] = {AHP_WORK_1, NULL};

static const ahp_entry entry = {
    .size = sizeof(entry),
    .major = AHP_MAJOR,
    .minor = AHP_MINOR,
    .id = "probe",
    .version = "1",
    .needs = needs,
    .wants = wants,
    .create = entry_create,
};

/* ---- the host's side ---- */

static void on_log(void *ud, int32_t level, uint32_t item, const char *text, size_t len)
{
    struct probe *p = ud;

    if (item < sizeof(p->items) / sizeof(p->items[0]))
        p->items[item]++;
    if (getenv("PROBE_LOG") != NULL)
        fprintf(stderr, "log %d item %u: %.*s\n", (int)level, (unsigned)item, (int)len, text);
}

static void on_breach(void *ud, int32_t level, uint32_t item, const char *text)
{
    struct probe *p = ud;

    (void)level;
    (void)item;
    (void)text;
    p->breaches++;
}

static int32_t on_offer(void *ud, const ahp_delivery *delivery)
{
    struct probe *p = ud;

    return p->on_offer != NULL ? p->on_offer(p, delivery) : AHP_E_UNSUPPORTED;
}

static void on_closed(void *ud, const struct ahp_uv_end *end)
{
    struct probe *p = ud;

    p->end = *end;
    p->h = NULL;
    p->closed = 1;
}

int bench_open(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    if (b == NULL || uv_loop_init(&b->loop) != 0)
        return -1;
    *state = b;
    return 0;
}

int bench_close(void **state)
{
    struct bench *b = *state;
    int i;
    int rc;

    for (i = 0; i < b->count; i++)
        if (b->probes[i].h != NULL)
            probe_close(&b->probes[i], 1000);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&b->loop); /* UV_EBUSY: a handle was left */
    free(b);
    return rc;
}

static void on_receipt_taken(void *ud, const ahp_receipt *receipt, int32_t code)
{
    struct probe *p = ud;

    assert_true(receipt->key.len > 0);
    assert_int_equal(p->inside, 0);
    if (p->on_receipt_taken != NULL)
        p->on_receipt_taken(p, code);
}

static int32_t on_ask(void *ud, uint64_t id, const ahp_question *question)
{
    struct probe *p = ud;

    return p->on_ask == NULL ? AHP_E_UNSUPPORTED : p->on_ask(p, id, question);
}

static void on_ask_over(void *ud, uint64_t id)
{
    struct probe *p = ud;

    (void)id;
    p->asks_over++;
}

struct probe *probe_add(struct bench *b, uint32_t flags)
{
    struct probe *p = &b->probes[b->count];
    struct ahp_uv_owner owner = {
        .name = "test",
        .version = "1",
        .flags = flags,
        .deliver_flags = AHP_DELIVER_READY,
        .ud = p,
        .log = on_log,
        .offer = on_offer,
        .receipt_taken = on_receipt_taken,
        .ask = on_ask,
        .ask_over = on_ask_over,
        .breach = on_breach,
    };
    ahp_err err = {.size = sizeof(err)};

    assert_true(b->count < PROBES_MAX);
    b->count++;
    p->bench = b;
    assert_int_equal(ahp_uv_open(&b->loop, &owner, &p->h), AHP_OK);
    creating = p;
    assert_int_equal(ahp_uv_create(p->h, &entry, NULL, &err), AHP_OK);
    return p;
}

void probe_start(struct probe *p)
{
    ahp_err err = {.size = sizeof(err)};

    assert_int_equal(ahp_uv_start(p->h, &err), AHP_OK);
}

void probe_close(struct probe *p, int64_t timeout_ms)
{
    assert_int_equal(ahp_uv_close(p->h, timeout_ms, on_closed, p), AHP_OK);
    assert_int_equal(p->closed, 0);
    bench_until(p->bench, &p->closed);
    assert_int_equal(p->destroyed, 1);
}

void probe_finish(struct probe *p)
{
    probe_close(p, 1000);
    assert_int_equal(p->breaches, 0);
    assert_int_equal(p->end.calls_open, 0);
    assert_int_equal(p->end.watches_live + p->end.timers_live + p->end.deferred_live, 0);
    assert_int_equal(p->end.questions_live, 0);
    assert_int_equal(p->end.stop_late, 0);
}

static void on_guard(uv_timer_t *timer)
{
    *(int *)timer->data = 1;
}

static void on_guard_closed(uv_handle_t *handle)
{
    free(handle);
}

void bench_until(struct bench *b, const int *flag)
{
    uv_timer_t *guard = calloc(1, sizeof(*guard));
    int late = 0;

    assert_non_null(guard);
    assert_int_equal(uv_timer_init(&b->loop, guard), 0);
    guard->data = &late;
    uv_update_time(&b->loop);
    assert_int_equal(uv_timer_start(guard, on_guard, PROBE_TURNS_MS_MAX, 0), 0);
    while (!*flag && !late)
        uv_run(&b->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)guard, on_guard_closed);
    uv_run(&b->loop, UV_RUN_NOWAIT);
    assert_int_equal(late, 0);
}

void bench_turns(struct bench *b, int n)
{
    while (n-- > 0)
        uv_run(&b->loop, UV_RUN_NOWAIT);
}
