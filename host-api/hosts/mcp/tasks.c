/*
 * tasks.c - jobs as tasks: the extension io.modelcontextprotocol/tasks of revision 2026-07-28, and
 * the experimental tasks of 2025-11-25. The plugin's job is the task and its handle the task's id,
 * so nothing is kept here, and a task outlives the server.
 *
 * How a job is comes from the tool of jobs, asked to wait for no time at all (jobs.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server.h"

/* How often a client should ask. */
#define POLL_MS 2000

/* One wait of tasks/result; then the next. */
#define RESULT_WAIT_S 600

/* How long a cancelled job may take to be so in the answer. */
#define CANCEL_WAIT_S 5

static int is_modern(const struct request *r)
{
    return r->revision > REVISION_HANDSHAKE_LAST;
}

json_t *tasks_capability(const struct server *s, enum revision revision)
{
    if (revision < REVISION_2025_11_25 || tools_of_jobs(s) == NULL)
        return NULL;
    if (revision > REVISION_HANDSHAKE_LAST)
        return json_object();
    return json_pack("{s:{}, s:{}, s:{s:{s:{}}}}", "list", "cancel", "requests", "tools", "call");
}

/* ---- a task's words ---- */

static const char *status_of(const struct request *r, int32_t status)
{
    switch (status) {
    case AHP_RESULT_OK:
        return "completed";
    case AHP_RESULT_CANCELLED:
        return "cancelled";
    case AHP_RESULT_PENDING_JOB:
    case AHP_RESULT_SHUTDOWN:
        return "working";
    default: /* the extension: what a tool failed with is a result */
        return is_modern(r) ? "completed" : "failed";
    }
}

static json_t *date_of(time_t at)
{
    char text[32] = "";
    struct tm tm;

    if (gmtime_r(&at, &tm) != NULL)
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

static json_t *date_in(const json_t *value, const char *name)
{
    json_t *date = json_object_get(value, name);

    return json_is_string(date) ? json_incref(date) : date_of(time(NULL));
}

static json_t *task_new(const struct request *r, const char *id, const char *status)
{
    return json_pack("{s:s, s:s, s:n, s:i}", "taskId", id, "status", status,
                     is_modern(r) ? "ttlMs" : "ttl",
                     is_modern(r) ? "pollIntervalMs" : "pollInterval", POLL_MS);
}

static json_t *task_of(const struct request *r, const ahp_result *result)
{
    json_t *value = json_loadb(result->json.ptr != NULL ? result->json.ptr : "", result->json.len,
                               0, NULL);
    json_t *task = task_new(r, result->job_id.ptr, status_of(r, result->status));
    json_t *words = json_object_get(value, "message");

    if (json_is_string(words))
        json_object_set(task, "statusMessage", words);
    json_object_set_new(task, "createdAt", date_in(value, "created_at"));
    json_object_set_new(task, "lastUpdatedAt", date_in(value, "updated_at"));
    json_decref(value);
    return task;
}

/* ---- asking ---- */

/* The id, if the client may ask at all; else the request has been ended. */
static const char *id_of(struct request *r)
{
    const char *id = json_string_value(json_object_get(r->params, "taskId"));

    if (is_modern(r) && !r->has_tasks) {
        request_fail_data_take(r, CODE_CAPABILITY_MISSING, "Missing required client capability",
                               json_pack("{s:{s:{s:{}}}}", "requiredCapabilities", "extensions",
                                         EXTENSION_TASKS));
        return NULL;
    }
    if (id == NULL)
        request_fail(r, CODE_PARAMS, "taskId must be a text");
    return id;
}

static void ask(struct request *r, const char *id, const char *action, int wait_s,
                request_result_fn *fn)
{
    json_t *args = json_pack("{s:s, s:s}", "job", id, "action", action);

    if (wait_s >= 0)
        json_object_set_new(args, "wait_seconds", json_integer(wait_s));
    calls_jobs_take(r, args, fn);
}

/* 0: the answer is about the task that was asked for. Else the request has been ended. */
static int check_known(struct request *r, const ahp_result *result)
{
    const char *id = json_string_value(json_object_get(r->params, "taskId"));

    if (result->job_id.len == strlen(id) && memcmp(result->job_id.ptr, id, result->job_id.len) == 0)
        return 0;
    request_fail(r, CODE_PARAMS, "Task not found");
    return -1;
}

static void got(struct request *r, const ahp_result *result)
{
    json_t *task, *payload;

    if (check_known(r, result) != 0)
        return;
    task = task_of(r, result);
    if (is_modern(r) && strcmp(status_of(r, result->status), "completed") == 0) {
        payload = content_of_result(r, result);
        json_object_set_new(payload, "resultType", json_string("complete"));
        json_object_set_new(task, "result", payload);
    }
    request_answer_take(r, task);
}

void tasks_get(struct request *r)
{
    const char *id = id_of(r);

    if (id != NULL)
        ask(r, id, "wait", 0, got);
}

/* ---- a call that becomes a task ---- */

static void created(struct request *r, const ahp_result *result)
{
    json_t *task;

    if (result->job_id.len == 0) { /* it is gone already: say why */
        request_answer_take(r, content_of_result(r, result));
        return;
    }
    task = task_of(r, result);
    if (is_modern(r))
        json_object_set_new(task, "resultType", json_string("task"));
    else
        task = json_pack("{s:o}", "task", task);
    request_answer_take(r, task);
}

void tasks_create(struct request *r, const ahp_result *result)
{
    json_decref(r->token); /* tasks have no progress */
    r->token = NULL;
    ask(r, result->job_id.ptr, "wait", 0, created);
}

/* ---- ending one ---- */

static void cancelled(struct request *r, const ahp_result *result)
{
    if (check_known(r, result) != 0)
        return;
    if (is_modern(r))
        request_answer_take(r, json_object()); /* a wish, taken note of */
    else if (result->status == AHP_RESULT_ERROR)
        request_fail(r, CODE_PARAMS, "Cannot cancel task: it has ended already");
    else
        ask(r, result->job_id.ptr, "wait", CANCEL_WAIT_S, got);
}

void tasks_cancel(struct request *r)
{
    const char *id = id_of(r);

    if (id != NULL)
        ask(r, id, "cancel", -1, cancelled);
}

/* Nothing is ever asked of a client here, so whatever it answers is to no question. */
static void updated(struct request *r, const ahp_result *result)
{
    if (check_known(r, result) == 0)
        request_answer_take(r, json_object());
}

void tasks_update(struct request *r)
{
    const char *id = id_of(r);

    if (id == NULL)
        return;
    if (!json_is_object(json_object_get(r->params, "inputResponses")))
        request_fail(r, CODE_PARAMS, "inputResponses must be an object");
    else
        ask(r, id, "wait", 0, updated);
}

/* ---- only in revision 2025-11-25 ---- */

static void waited(struct request *r, const ahp_result *result)
{
    json_t *payload;

    if (check_known(r, result) != 0)
        return;
    if (result->status == AHP_RESULT_PENDING_JOB) {
        ask(r, result->job_id.ptr, "wait", RESULT_WAIT_S, waited);
        return;
    }
    payload = content_of_result(r, result);
    json_object_set_new(payload, "_meta",
                        json_pack("{s:{s:s}}", META_TASK, "taskId", result->job_id.ptr));
    request_answer_take(r, payload);
}

void tasks_result(struct request *r)
{
    const char *id = id_of(r);

    if (id != NULL)
        ask(r, id, "wait", RESULT_WAIT_S, waited);
}

/* A row's state as a task's; the words are those of jobs.h. */
static const char *status_of_row(const char *state)
{
    static const struct {
        const char *state;
        const char *status;
    } words[] = {
        {"done", "completed"},   {"delivered", "completed"}, {"undeliverable", "completed"},
        {"failed", "failed"},    {"expired", "failed"},      {"unknown", "failed"},
        {"cancelled", "cancelled"},
    };
    size_t i;

    for (i = 0; state != NULL && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].state, state) == 0)
            return words[i].status;
    return "working";
}

static void listed(struct request *r, const ahp_result *result)
{
    json_t *root = json_loadb(result->json.ptr != NULL ? result->json.ptr : "", result->json.len,
                              0, NULL);
    json_t *tasks = json_array();
    json_t *row, *task;
    size_t i;

    json_array_foreach(json_object_get(root, "jobs"), i, row) {
        const char *id = json_string_value(json_object_get(row, "job"));
        const char *state = json_string_value(json_object_get(row, "state"));
        json_int_t age = json_integer_value(json_object_get(row, "age_seconds"));

        if (id == NULL)
            continue;
        task = task_new(r, id, status_of_row(state));
        json_object_set_new(task, "createdAt", date_of(time(NULL) - (time_t)age));
        json_object_set_new(task, "lastUpdatedAt", date_of(time(NULL)));
        json_array_append_new(tasks, task);
    }
    json_decref(root);
    request_answer_take(r, json_pack("{s:o}", "tasks", tasks));
}

void tasks_list(struct request *r)
{
    calls_jobs_take(r, json_pack("{s:s}", "action", "list"), listed);
}
