/*
 * recover.c - poll with action recover: the provider is asked once more about every job of the
 * conversation that is unfinished, expired or of unknown fate; of an operator's, about all jobs.
 * Each by itself: what goes wrong with one is in its row. The call waits until every question is
 * answered and what was found is here, or until its time is over; the jobs go on without it.
 */
#include "tools/tool.h"

#include "base/mem.h"

#include <string.h>

#define WAIT_S    60
#define MARGIN_MS 500 /* answer a little before the host gives up on the call */

struct recovery {
    struct recovering *all;
    char id[LIMIT_ID];
    struct engine_watch *watch;
    enum job_state state;
    json_t *row;
    int is_over;
};

/* Lives with its call: see recovering_drop. */
struct recovering {
    struct call *call;
    size_t count, waiting;
    struct recovery jobs[];
};

void recovering_drop(struct call *call)
{
    struct recovering *it = call->recovering;

    if (!it)
        return;
    for (size_t i = 0; i < it->count; i++) {
        engine_unwatch(it->jobs[i].watch);
        json_decref(it->jobs[i].row);
    }
    mem_free(it);
    call->recovering = NULL;
}

static void keep_row(struct recovery *job, const struct ledger_job *row)
{
    json_t *json = result_row(row, env_wall_ms(call_env(job->all->call)));

    if (json && row->error_text && engine_state_ended(row->state))
        json_object_set_new(json, "error", json_string(row->error_text));
    json_decref(job->row);
    job->row = json;
    job->state = row->state;
}

/* The call may be gone afterwards. */
static void finish(struct recovering *it)
{
    struct call *call = it->call;
    json_t *rows = json_array();
    json_t *json = json_pack("{s:s, s:o}", "status", "ok", "jobs", rows);
    json_int_t done = 0, open = 0;

    for (size_t i = 0; i < it->count; i++) {
        enum job_state state = it->jobs[i].state;

        done += (state >= JOB_READY && state <= JOB_DONE) || state == JOB_UNDELIVERABLE;
        open += state < JOB_READY;
        json_array_append(rows, it->jobs[i].row);
    }
    if (json)
        result_note(json, call, it->count ? "recovered" : "recovered.none",
                    json_pack("{s:I, s:I, s:I, s:I}", "count", (json_int_t)it->count, "done", done,
                              "open", open, "failed", (json_int_t)it->count - done - open));
    call_answer_take(call, AHP_RESULT_OK, json, NULL);
}

static void over(struct recovery *job)
{
    struct recovering *it = job->all;

    if (job->is_over)
        return;
    job->is_over = 1;
    if (--it->waiting == 0 && !it->call->ended)
        finish(it);
}

static void time_over(void *ud)
{
    struct call *call = ud;

    if (!call->ended && call->recovering)
        finish(call->recovering);
}

/* Is its message on its way to the chat just now? */
static int is_being_delivered(const struct ledger_job *row)
{
    const struct ledger_delivery *last =
        row->deliveries_count ? &row->deliveries[row->deliveries_count - 1] : NULL;

    return !last || last->state == DELIVERY_PENDING || last->state == DELIVERY_OFFERED;
}

/*
 * Over when nothing more is to be heard soon: the question was answered, what was found is fetched
 * and brought to the chat, if this process can do that.
 */
static void seen(void *ud, const struct engine_sight *sight, const struct err *err)
{
    struct recovery *job = ud;

    (void)err;
    if (!sight->job || job->is_over || job->all->call->ended)
        return;
    keep_row(job, sight->job);
    if (engine_state_ended(job->state) || (!sight->rechecking && job->state < JOB_FETCHING) ||
        (job->state >= JOB_READY && (!sight->is_here || !is_being_delivered(sight->job))))
        over(job);
}

static void rechecked(void *ud, const struct ledger_job *row, const struct err *err)
{
    struct recovery *job = ud;
    struct call *call = job->all->call;

    if (call_back(call))
        return;
    if (row)
        keep_row(job, row);
    if (err && job->row)
        json_object_set_new(job->row, "error", json_string(err->text));
    if (err || engine_watch(call_engine(call), job->id, seen, job, &job->watch))
        over(job);
}

static int begin(struct call *call, const struct ledger_job *const *jobs, size_t count)
{
    struct env *env = call_env(call);
    const json_t *seconds = json_object_get(call->args, "wait_seconds");
    int64_t until = env_now_ms(env) + 1000 * (seconds ? json_integer_value(seconds) : WAIT_S);
    struct recovering *it = mem_alloc(sizeof(*it) + count * sizeof(it->jobs[0]));

    if (!it)
        return -1;
    call->recovering = it;
    it->call = call;
    it->count = count;
    it->waiting = count;
    for (size_t i = 0; i < count; i++) {
        it->jobs[i].all = it;
        memcpy(it->jobs[i].id, jobs[i]->id, strlen(jobs[i]->id) + 1);
        keep_row(&it->jobs[i], jobs[i]);
    }
    if (call->deadline_ms && call->deadline_ms - MARGIN_MS < until)
        until = call->deadline_ms - MARGIN_MS;
    if (env->loop->timer_new(env->host->ctx, &call->timer, time_over, call))
        return -1;
    env->loop->timer_at(call->timer, until);
    return 0;
}

static void found(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                  size_t jobs_count, const struct err *err)
{
    struct call *call = ud;
    struct err why;

    if (call_back(call))
        return;
    if (result != LEDGER_OK) {
        call_fail(call, err);
        return;
    }
    if (jobs_count)
        call_speak_as(call, jobs[0]);
    if (begin(call, jobs, jobs_count)) {
        err_nomem(&why);
        call_fail(call, &why);
        return;
    }
    call_begin(call); /* so that it is here until the last line */
    if (!jobs_count)
        finish(call->recovering);
    for (size_t i = 0; i < jobs_count; i++) {
        struct recovery *job = &call->recovering->jobs[i];

        if (engine_recheck(call_engine(call), job->id, rechecked, job) == 0)
            call_begin(call);
        else
            over(job);
    }
    call_back(call);
}

void poll_recover(struct call *call)
{
    struct ledger_query query = {.limit = LIMIT_LIST, .only_unsettled = 1, .no_items = 1};
    struct err err;

    if (!(call->flags & AHP_CALL_OPERATOR))
        query.conversation = call->conversation ? call->conversation : "";
    if (engine_find(call_engine(call), &query, found, call)) {
        err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    call_begin(call);
}
