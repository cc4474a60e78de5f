/*
 * calls.c - calls of the plugin for a client: arguments in, progress meanwhile, one result.
 *
 * Many clients give up on a request after a minute, so a call gets a deadline before that, by which
 * the plugin answers with a job's handle at the latest, unless its arguments say themselves how
 * long to wait. Cancelling a request ends the call, never the job that it has begun.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "common.h"
#include "server.h"

static int is_busy(const struct request *r)
{
    return r->call_id != 0 && !r->is_cancelled;
}

/* ---- progress ---- */

/* Each is higher than the last, as the protocol wants it, also where the plugin cannot say how much
 * is done: then by next to nothing, and without a total. */
static void tell_progress(struct request *r, int32_t permille)
{
    struct server *s = r->server;
    double percent = (double)permille / 10.0;
    int is_known = percent > r->progress;
    json_t *params;

    if (wire_waiting(s->wire) >= WIRE_WAITING_LOW)
        return; /* a slow client gets what matters */
    r->progress = is_known ? percent : r->progress + 0.001;
    r->told_ms = uv_now(&s->loop);
    params = json_pack("{s:O, s:f}", "progressToken", r->token, "progress", r->progress);
    if (is_known || permille >= 0)
        json_object_set_new(params, "total", json_integer(100));
    if (r->words[0] != '\0' && r->revision >= REVISION_2025_03_26)
        json_object_set_new(params, "message", json_string(r->words));
    send_notification_take(s, "notifications/progress", params);
}

static void on_progress(void *ud, uint64_t call_id, int32_t permille, const char *text)
{
    struct request *r = ud;

    (void)call_id;
    if (!is_busy(r) || r->token == NULL || r->server->is_ending)
        return;
    memcpy(r->words, text, strlen(text) + 1);
    tell_progress(r, permille);
}

void calls_beat(uv_timer_t *timer)
{
    struct server *s = timer->data;
    struct request *r;
    int left = 0;

    DL_FOREACH(s->requests, r) {
        if (!is_busy(r) || r->token == NULL)
            continue;
        left = 1;
        if (uv_now(&s->loop) - r->told_ms >= BEAT_MS - BEAT_MS / 10)
            tell_progress(r, -1);
    }
    if (!left)
        uv_timer_stop(timer);
}

/* ---- a call ---- */

static void on_result(void *ud, uint64_t call_id, const ahp_result *result)
{
    struct request *r = ud;

    (void)call_id;
    r->call_id = 0;
    if (r->is_cancelled)
        request_drop(r);
    else
        r->on_result(r, result);
}

static void refused(struct request *r, const char *tool, int32_t rc)
{
    switch (rc) {
    case AHP_E_NOT_FOUND:
        request_fail(r, CODE_PARAMS, "Unknown tool: %.64s", tool);
        break;
    case AHP_E_INVALID:
        request_fail(r, CODE_PARAMS, "%.64s: the plugin refuses the call as malformed", tool);
        break;
    case AHP_E_LIMIT:
        request_fail(r, CODE_INTERNAL, "%.64s: no more calls at the moment", tool);
        break;
    default:
        request_fail(r, CODE_INTERNAL, "%.64s: the plugin did not take the call (%d)", tool,
                     (int)rc);
        break;
    }
}

void calls_begin_take(struct request *r, const char *tool, json_t *args, uint32_t flags,
                      int64_t wait_ms, request_result_fn *fn)
{
    struct server *s = r->server;
    const struct options *o = s->options;
    ahp_call call = {.size = sizeof(call), .flags = flags | AHP_CALL_NO_LATE_DELIVERY};
    char *text = json_dumps(args, DUMP_FLAGS);
    char *folders = roots_folders(r);
    const char *workspace = roots_workspace(r);
    char output[AHP_FOLDER_BYTES_MAX + 1];
    int32_t rc = AHP_E_NOMEM;

    json_decref(args);
    if (o->everybody)
        call.flags |= AHP_CALL_OPERATOR;
    call.tool = text_of(tool);
    call.args = text_of(text);
    call.conversation = text_of(o->conversation);
    call.caller = text_of("mcp");
    call.locale = text_of(o->locale);
    call.folders = text_of(folders);
    call.workspace = text_of(workspace);
    if (workspace != NULL) {
        snprintf(output, sizeof(output), "%s/tmp", workspace);
        call.output_dir = text_of(output);
    }
    if (wait_ms > 0)
        call.deadline_ms = ahp_uv_now_ms(s->host) + wait_ms;
    r->on_result = fn;
    r->told_ms = uv_now(&s->loop);
    if (text != NULL)
        rc = ahp_uv_call(s->host, &call, &r->call_id, on_result, on_progress, r);
    free(text);
    free(folders);
    if (rc != AHP_OK)
        refused(r, tool, rc);
    else if (r->token != NULL && !uv_is_active((uv_handle_t *)&s->beat))
        uv_timer_start(&s->beat, calls_beat, BEAT_MS, BEAT_MS);
}

void calls_jobs_take(struct request *r, json_t *args, request_result_fn *fn)
{
    const struct tool *jobs = tools_of_jobs(r->server);

    if (jobs != NULL) {
        calls_begin_take(r, jobs->name, args, 0, 0, fn);
    } else {
        json_decref(args);
        request_fail(r, CODE_METHOD, "this plugin has no jobs");
    }
}

void calls_cancel(struct server *s, const json_t *id)
{
    struct request *r = id != NULL ? request_by_id(s, id) : NULL;

    if (r == NULL)
        return; /* answered already, or never was */
    r->is_cancelled = 1;
    s->requests_count--; /* its id, too, is free again */
    if (r->call_id == 0)
        request_drop(r);
    else
        (void)ahp_uv_cancel(s->host, r->call_id); /* its result comes, in any case */
}

/* ---- tools/call ---- */

static void tool_ended(struct request *r, const ahp_result *result)
{
    if (r->is_task && result->status == AHP_RESULT_PENDING_JOB && result->job_id.len > 0)
        tasks_create(r, result);
    else
        request_answer_take(r, content_of_result(r, result));
}

/* 1 when a job may become a task; -1 when the request was ended. */
static int settle_task(struct request *r, const struct tool *tool)
{
    int can = (tool->flags & AHP_TOOL_LONG_RUNNING) != 0 && tools_of_jobs(r->server) != NULL;

    if (r->revision > REVISION_HANDSHAKE_LAST)
        return can && r->has_tasks;
    if (r->revision != REVISION_2025_11_25 || !json_is_object(json_object_get(r->params, "task")))
        return 0;
    if (can)
        return 1;
    request_fail(r, CODE_METHOD, "%.64s cannot become a task", tool->name);
    return -1;
}

static json_t *own_args(struct request *r, const struct tool *tool, const json_t *given)
{
    json_t *args = given != NULL ? json_copy((json_t *)given) : json_object();

    if (tool->takes_preview) {
        r->wants_preview = json_is_true(json_object_get(args, "preview"));
        json_object_del(args, "preview");
    }
    return args;
}

void calls_tool(struct request *r)
{
    const char *name = json_string_value(json_object_get(r->params, "name"));
    const json_t *given = json_object_get(r->params, "arguments");
    const json_t *token =
        json_object_get(json_object_get(r->params, "_meta"), "progressToken");
    const struct tool *tool = tools_find(r->server, name);
    int64_t wait_ms = r->server->options->wait_ms;
    int task;

    if (name == NULL) {
        request_fail(r, CODE_PARAMS, "name must be a text");
        return;
    }
    if (tool == NULL) {
        request_fail(r, CODE_PARAMS, "Unknown tool: %.64s", name);
        return;
    }
    if (given != NULL && !json_is_object(given)) {
        request_fail(r, CODE_PARAMS, "arguments must be an object");
        return;
    }
    task = settle_task(r, tool);
    if (task < 0 || roots_settle(r, tool, given))
        return;
    r->is_task = task;
    if (json_is_string(token) || json_is_number(token))
        r->token = json_incref((json_t *)token);
    if (tool->takes_wait && json_object_get(given, "wait_seconds") != NULL)
        wait_ms = 0;
    calls_begin_take(r, tool->name, own_args(r, tool, given), task ? AHP_CALL_DETACH : 0, wait_ms,
                     tool_ended);
}
