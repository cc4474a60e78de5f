/* fuzz_provider.c - see fuzz_provider.h. */
#include "fuzz_provider.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define NOW_MS 1767600550000 /* 2026-01-05T08:09:10Z */

void fuzz_begin(struct fuzz_job *job, const struct provider *provider,
                const struct provider_account *account, const char *tool, json_t *args)
{
    memset(job, 0, sizeof(*job));
    job->provider = provider;
    job->account = account;
    job->flow = json_object();
    job->secrets = json_object();
    FUZZ_CHECK(provider->plan(account, tool, args, &job->plan, NULL) == 0);
    json_decref(args);
    fuzz_turn(job, NULL);
}

void fuzz_turn(struct fuzz_job *job, const struct http_reply *reply)
{
    struct provider_turn turn = {
        .account = job->account,
        .request = job->plan.request,
        .flow = job->flow,
        .secrets = job->secrets,
        .reply = reply,
        .job_id = "j",
        .now_ms = NOW_MS,
        .arena = &job->arena,
    };

    json_decref(job->step.credential);
    job->provider->next(&turn, &job->step);
}

void fuzz_hear(struct fuzz_job *job, const char *text)
{
    struct http_reply reply = {.status = 200, .content_type = "", .retry_after_ms = -1, .sent = 1,
                               .text = text,  .text_len = strlen(text)};

    fuzz_turn(job, &reply);
}

struct http_reply fuzz_reply(const uint8_t *data, size_t size)
{
    size_t len = size ? size - 1 : 0;
    /* A block of its own, so that a sanitizer sees a read past the answer. */
    char *text = mem_text_n(size ? (const char *)data + 1 : "", len);

    FUZZ_CHECK(text);
    return (struct http_reply){.content_type = "", .retry_after_ms = -1, .sent = 1, .error = "e",
                               .text = text,       .text_len = len};
}

void fuzz_answer(struct fuzz_job *job, struct http_reply *reply,
                 void (*check)(const struct fuzz_job *job, const struct http_reply *reply, int at),
                 int at)
{
    const struct provider_step *step = &job->step;
    char *flow;

    FUZZ_CHECK(step->kind == STEP_SEND);
    fuzz_turn(job, reply);
    if (step->kind == STEP_FAIL || step->kind == STEP_UNKNOWN)
        FUZZ_CHECK(step->error.kind != ERR_NONE && step->error.text[0]);
    FUZZ_CHECK(step->results_count <= LIMIT_FILES);
    flow = json_dumps(job->flow, 0);
    FUZZ_CHECK(flow && strlen(flow) < LIMIT_FLOW_BYTES);
    free(flow);
    check(job, reply, at);
    mem_free((void *)(uintptr_t)reply->text);
    reply->text = NULL;
}

void fuzz_end(struct fuzz_job *job)
{
    size_t count = job->step.results_count;

    if (job->step.kind == STEP_DONE) {
        fuzz_turn(job, NULL);
        FUZZ_CHECK(job->step.kind == STEP_DONE && job->step.results_count == count);
    }
    json_decref(job->step.credential);
    arena_done(&job->arena);
    json_decref(job->flow);
    json_decref(job->secrets);
    provider_plan_done(&job->plan);
}
