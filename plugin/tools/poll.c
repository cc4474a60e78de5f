/*
 * poll.c - jobs of a conversation: how they are, and what a person may do about them.
 */
#include "tools/tool.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define LIST_DEFAULT 20
#define WAIT_DEFAULT_S 300

static const char *action_of(const struct call *call)
{
    const char *action = json_string_value(json_object_get(call->args, "action"));

    return action ? action : "status";
}

/* The host's owner has a table before their eyes, and tells jobs by what was asked for. */
static void add_label(json_t *row, const struct ledger_job *job)
{
    json_t *plan = json_loads(job->plan ? job->plan : "{}", 0, NULL);
    const char *label = json_text(plan, "label");

    if (row && *label)
        json_object_set_new(row, "label", json_string(label));
    json_decref(plan);
}

static void list_found(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                       size_t jobs_count, const struct err *err)
{
    struct call *call = ud;
    json_t *rows = json_array();
    json_t *json;

    if (call_back(call)) {
        json_decref(rows);
        return;
    }
    if (result != LEDGER_OK) {
        json_decref(rows);
        call_fail(call, err);
        return;
    }
    if (jobs_count)
        call_speak_as(call, jobs[0]);
    for (size_t i = 0; i < jobs_count; i++) {
        json_t *row = result_row(jobs[i], env_wall_ms(call_env(call)));

        if (call->flags & AHP_CALL_OPERATOR)
            add_label(row, jobs[i]);
        json_array_append_new(rows, row);
    }
    json = json_pack("{s:s, s:o}", "status", "ok", "jobs", rows);
    if (json)
        result_note(json, call, jobs_count ? "list" : "list.none",
                    json_pack("{s:I}", "count", (json_int_t)jobs_count));
    call_answer_take(call, AHP_RESULT_OK, json, NULL);
}

static void acted(void *ud, const struct ledger_job *job, const struct err *err)
{
    struct call *call = ud;
    json_t *json;

    if (call_back(call))
        return;
    if (err) {
        call_fail(call, err);
        return;
    }
    json = result_of_job(call, job);
    if (json && strcmp(action_of(call), "redeliver") == 0)
        result_note(json, call, "redelivering", json_pack("{s:s}", "job", job->id));
    else if (json && !engine_state_ended(job->state))
        result_note(json, call, "cancel.later", json_pack("{s:s}", "job", job->id));
    call_answer_take(call, AHP_RESULT_OK, json, job);
}

static void reordered(void *ud, const struct ledger_job *job, int created, const struct err *err)
{
    struct call *call = ud;
    json_t *json;

    if (call_ordered(call, job, created, err))
        return;
    json = result_of_job(call, job);
    if (json && !created)
        result_note(json, call, "repeat", json_pack("{s:s}", "job", job->id));
    call_answer_take(call, created ? AHP_RESULT_PENDING_JOB : result_status(job), json, job);
}

static int64_t time_of(const json_t *plan, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(plan, "times"), name));
}

static void run(struct call *call);

static void run_again(struct call *call, json_t *args)
{
    json_decref(args);
    run(call);
}

/* What such a job makes, for those that can be made once more; NULL: why not is in err. */
static const char *kind_again(const struct ledger_job *old, struct err *err)
{
    static const char *const kinds[] = {"image", "video", "media"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(old->kind, kinds[i]) == 0)
            return kinds[i];
    err_set(err, ERR_INVALID,
            strcmp(old->kind, "batch") == 0
                ? "%s is a batch: run_batch with the same list goes on where it stopped"
                : "%s is a login: account with action login begins another",
            old->id);
    return NULL;
}

/*
 * The same request once more, as a job of its own that remembers which one it repeats. 0:
 * `reordered` follows; 1: a person is asked first, or the call was answered.
 */
static int resubmit(struct call *call, const struct ledger_job *old, struct err *err)
{
    struct provider_plan plan = {.kind = kind_again(old, err)};
    json_t *stored = json_loads(old->plan ? old->plan : "{}", 0, NULL);
    const char *prefix = json_string_value(json_object_get(stored, "prefix"));
    struct ledger_budget budget;
    struct engine_order order = {
        .tool = old->tool, .plan = &plan, .again = 1, .budget = confirm_budget(call, &budget)};
    struct err broken;
    int rc;

    if (!plan.kind) {
        json_decref(stored);
        return -1;
    }
    if (old->state != JOB_UNKNOWN && old->state != JOB_FAILED && old->state != JOB_EXPIRED &&
        old->state != JOB_CANCELLED) {
        json_decref(stored);
        return err_set(err, ERR_INVALID, "%s is %s: only a job that is unknown, failed, expired or "
                       "cancelled can be sent again", old->id, job_state_name(old->state));
    }
    if (config_refresh(call_config(call), &broken))
        env_log(call_env(call), AHP_LOG_DEBUG, LOG_CONFIG, "%s", broken.text);
    order.provider = config_provider_by_id(call_config(call), old->provider);
    plan.request = json_loads(old->request, 0, NULL);
    plan.changed = json_incref(json_object_get(stored, "changed"));
    snprintf(plan.model, sizeof(plan.model), "%s", old->model ? old->model : "");
    snprintf(plan.prefix, sizeof(plan.prefix), "%s", prefix ? prefix : old->kind);
    snprintf(plan.currency, sizeof(plan.currency), "%s", old->currency ? old->currency : "");
    plan.cost = old->cost_estimate;
    plan.files = (unsigned)json_integer_value(json_object_get(stored, "files"));
    plan.times.shortest_ms = time_of(stored, "shortest_ms");
    plan.times.typical_ms = time_of(stored, "typical_ms");
    plan.times.floor_ms = time_of(stored, "floor_ms");
    plan.times.ceiling_ms = time_of(stored, "ceiling_ms");
    plan.times.deadline_ms = time_of(stored, "deadline_ms");
    plan.times.rounds = (unsigned)time_of(stored, "rounds");
    order.conversation = old->conversation;
    order.label = json_string_value(json_object_get(stored, "label"));
    order.output_dir = json_string_value(json_object_get(stored, "output_dir"));
    order.caller = call->caller;
    order.locale = old->locale;
    order.reply_to = call->reply_to ? call->reply_to : old->reply_to;
    order.reply_to_len = call->reply_to ? call->reply_to_len : old->reply_to_len;
    order.resubmit_of = old->id;
    order.restore = json_object_get(stored, "restore");
    order.hold = (call->flags & AHP_CALL_ONE_SHOT) != 0;
    if (!order.provider)
        rc = err_set(err, ERR_CONFIG, "provider \"%s\" is not configured any more", old->provider);
    else if (!plan.request)
        rc = err_nomem(err);
    else if (json_is_true(json_object_get(call->args, "dry_run"))) {
        call_answer_take(call, AHP_RESULT_OK, confirm_plan(call, order.provider, &plan, "plan"),
                         NULL);
        rc = 1;
    } else if (!confirm_pass(call, order.provider, &plan, NULL, run_again, &order.dedup_key))
        rc = 1;
    else {
        order.dedup_text = old->id;
        order.again = order.dedup_key == NULL;
        rc = engine_order(call_engine(call), &order, reordered, call, err);
    }
    json_decref(stored);
    provider_plan_done(&plan);
    return rc;
}

/* To wait for no time is to look once: answered from what was just read, by how the job is. */
static void wait_for(struct call *call, const struct ledger_job *job)
{
    const json_t *seconds = json_object_get(call->args, "wait_seconds");

    if (seconds && json_integer_value(seconds) == 0) {
        call_answer_take(call, job->state == JOB_DELIVERING ? AHP_RESULT_OK : result_status(job),
                         result_of_job(call, job), job);
        return;
    }
    if (!engine_state_ended(job->state))
        engine_take(call_engine(call), job->id);
    call_wait(call, 1000 * (seconds ? json_integer_value(seconds) : WAIT_DEFAULT_S));
}

static void act_on(struct call *call, const struct ledger_job *job)
{
    const char *action = action_of(call);
    struct err err;
    int rc;

    snprintf(call->job, sizeof(call->job), "%s", job->id);
    if (strcmp(action, "wait") == 0) {
        wait_for(call, job);
        return;
    }
    if (strcmp(action, "status") == 0) {
        call_answer_take(call, AHP_RESULT_OK, result_of_job(call, job), job);
        return;
    }
    if (strcmp(action, "resubmit") == 0) {
        rc = resubmit(call, job, &err);
    } else {
        rc = strcmp(action, "cancel") == 0
                 ? engine_cancel(call_engine(call), job->id, acted, call)
                 : engine_redeliver(call_engine(call), job->id, acted, call);
        if (rc)
            err_nomem(&err);
    }
    if (rc == 0)
        call_begin(call);
    else if (rc < 0)
        call_fail(call, &err);
}

static void job_found(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                      size_t jobs_count, const struct err *err)
{
    struct call *call = ud;
    const char *wanted = json_string_value(json_object_get(call->args, "job"));
    struct err gone;

    if (call_back(call))
        return;
    if (result != LEDGER_OK) {
        call_fail(call, err);
        return;
    }
    /* Another conversation's job is answered like one that does not exist. */
    if (!jobs_count || !call_may_see(call, jobs[0])) {
        if (wanted)
            err_field(&gone, "job", "there is no job \"%.40s\" in this conversation", wanted);
        else
            err_set(&gone, ERR_NOT_FOUND, "there are no jobs in this conversation");
        call_fail(call, &gone);
        return;
    }
    call_speak_as(call, jobs[0]);
    act_on(call, jobs[0]);
}

static void run(struct call *call)
{
    const char *job = json_string_value(json_object_get(call->args, "job"));
    const json_t *limit = json_object_get(call->args, "limit");
    int list = strcmp(action_of(call), "list") == 0;
    int files = list && json_is_true(json_object_get(call->args, "files"));
    struct ledger_query query = {.limit = 1, .no_items = !job && !files, .with_files = files};
    struct err err;

    if (strcmp(action_of(call), "recover") == 0) {
        poll_recover(call);
        return;
    }
    if (!list && job && strncmp(job, "job_", 4) == 0)
        query.id = job;
    else if (!list && job)
        query.file = job;
    else if (!(call->flags & AHP_CALL_OPERATOR))
        query.conversation = call->conversation ? call->conversation : "";
    if (list)
        query.limit = limit ? (size_t)json_integer_value(limit) : LIST_DEFAULT;
    if (engine_find(call_engine(call), &query, list ? list_found : job_found, call)) {
        err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    call_begin(call);
}

const struct tool tool_poll = {"poll", run};
