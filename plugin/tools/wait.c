/*
 * wait.c - a call that stays open until its job ends, or until its time is over. The job does not
 * depend on it: a call that ends early leaves the job working.
 */
#include "tools/tool.h"

#include "base/mem.h"
#include "base/words.h"

#include <stdio.h>
#include <string.h>

/* Answer a little before the host gives up on us. */
#define DEADLINE_MARGIN_MS 500

static void time_over(void *ud)
{
    struct call *call = ud;
    json_t *json = json_pack("{s:s, s:s, s:s}", "status", "working", "job", call->job, "next",
                             "poll with action wait");

    if (call->ended)
        return;
    if (call->last_json) {
        json_decref(json);
        json = json_incref(call->last_json);
    }
    call_answer_take(call, AHP_RESULT_PENDING_JOB, json, NULL);
}

/* Of a batch: how many of its items have ended. 0 if it is none, or is not at that yet. */
static int batch_progress(const struct call *call, const struct engine_sight *sight, char *ret_text,
                          size_t size)
{
    const json_t *batch = json_object_get(call->last_json, "batch");
    json_int_t failed;
    char *text;

    if (!batch || sight->job->state != JOB_WORKING)
        return 0;
    failed = json_integer_value(json_object_get(batch, "failed"));
    text = words_text(call->language, failed ? "progress.batch.failed" : "progress.batch", batch);
    snprintf(ret_text, size, "%s", text ? text : "");
    mem_free(text);
    return text != NULL;
}

static void tell_progress(struct call *call, const struct engine_sight *sight)
{
    struct env *env = call_env(call);
    char text[sizeof(call->told)];
    double mib = 1024.0 * 1024.0;

    if (batch_progress(call, sight, text, sizeof(text)))
        ; /* its files are its own summary, not what is made */
    else if ((double)sight->bytes_total > mib / 10)
        snprintf(text, sizeof(text), "%s, %.1f of %.1f MiB", job_state_name(sight->job->state),
                 (double)sight->bytes / mib, (double)sight->bytes_total / mib);
    else if (sight->bytes > 1024 * 1024)
        snprintf(text, sizeof(text), "%s, %.1f MiB", job_state_name(sight->job->state),
                 (double)sight->bytes / mib);
    else
        snprintf(text, sizeof(text), "%s", job_state_name(sight->job->state));
    if (strcmp(text, call->told) == 0 && sight->job->progress == call->told_permille)
        return;
    memcpy(call->told, text, sizeof(text));
    call->told_permille = sight->job->progress;
    env->calls->progress(env->host->ctx, call->id, sight->job->progress, text, strlen(text));
}

static void seen(void *ud, const struct engine_sight *sight, const struct err *err)
{
    struct call *call = ud;
    struct err gone;

    if (!sight->job) {
        if (err)
            return; /* the ledger is busy or the disk full: it may pass, the bound still holds */
        err_set(&gone, ERR_NOT_FOUND, "there is no job %s any more", call->job);
        call_fail(call, &gone);
        return;
    }
    /* READY with nothing to deliver to is about to be DONE; what is being delivered is finished. */
    if (engine_state_ended(sight->job->state) || sight->job->state == JOB_DELIVERING) {
        call_answer_take(call, result_status(sight->job) == AHP_RESULT_PENDING_JOB
                                   ? AHP_RESULT_OK
                                   : result_status(sight->job),
                         result_of_job(call, sight->job), sight->job);
        return;
    }
    json_decref(call->last_json);
    call->last_json = result_of_job(call, sight->job);
    tell_progress(call, sight);
}

void call_wait(struct call *call, int64_t wait_ms)
{
    struct env *env = call_env(call);
    int64_t now = env_now_ms(env);
    int64_t until = wait_ms >= 0 ? now + wait_ms : 0;
    struct err err;

    if (call->deadline_ms && (!until || call->deadline_ms - DEADLINE_MARGIN_MS < until))
        until = call->deadline_ms - DEADLINE_MARGIN_MS;
    if (engine_watch(call_engine(call), call->job, seen, call, &call->watch)) {
        err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    if (!until)
        return;
    if (env->loop->timer_new(env->host->ctx, &call->timer, time_over, call)) {
        err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    env->loop->timer_at(call->timer, until);
}
