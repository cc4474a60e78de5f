/*
 * calls_rig.c - see calls_rig.h.
 */
#include <stdio.h>
#include <string.h>

#include "calls_rig.h"

uint64_t open_ids[CALLS_MAX];
int open_count;

ahp_call call_make(void)
{
    static const char tool[] = "probe";
    ahp_call call = {.size = sizeof(call)};

    call.tool.ptr = tool;
    call.tool.len = strlen(tool);
    call.conversation = call.tool;
    return call;
}

void call_on_result(void *ud, uint64_t id, const ahp_result *result)
{
    struct seen *s = ud;

    s->count++;
    s->done = 1;
    s->id = id;
    s->status = result->status;
    s->files = result->files_count;
    snprintf(s->json, sizeof(s->json), "%s", result->json.ptr != NULL ? result->json.ptr : "");
    snprintf(s->job, sizeof(s->job), "%s", result->job_id.ptr != NULL ? result->job_id.ptr : "");
    if (result->files_count > 0)
        snprintf(s->path, sizeof(s->path), "%s", result->files[0]->path);
}

void call_on_progress(void *ud, uint64_t id, int32_t permille, const char *text)
{
    struct seen *s = ud;

    (void)id;
    s->progress++;
    s->permille = permille;
    snprintf(s->text, sizeof(s->text), "%s", text);
}

int32_t call_begin(struct probe *p, struct seen *s, uint64_t *ret_id)
{
    ahp_call call = call_make();

    return ahp_uv_call(p->h, &call, ret_id, call_on_result, call_on_progress, s);
}

void call_end(struct probe *p, uint64_t id, int32_t status, const char *json)
{
    ahp_result result = {.size = sizeof(result), .status = status};

    result.json.ptr = json;
    result.json.len = strlen(json);
    assert_int_equal(p->calls->complete(p->host->ctx, id, &result), AHP_OK);
}

int32_t call_keep(struct probe *p, const ahp_call *call)
{
    (void)p;
    assert_true(open_count < CALLS_MAX);
    open_ids[open_count++] = call->id;
    return AHP_OK;
}

int32_t call_offers(struct probe *p, const ahp_call *call)
{
    ahp_delivery delivery = {.size = sizeof(delivery), .attempt = 1};

    delivery.key.ptr = "k:1";
    delivery.key.len = 3;
    p->deliver->offer(p->host->ctx, &delivery);
    call_end(p, call->id, AHP_RESULT_OK, "{}");
    return AHP_OK;
}

struct probe *call_probe(struct bench *b, uint32_t flags)
{
    struct probe *p = probe_add(b, flags);

    open_count = 0;
    memset(open_ids, 0, sizeof(open_ids));
    probe_start(p);
    return p;
}

void stop_never(struct probe *p)
{
    (void)p;
}
