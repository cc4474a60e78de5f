/*
 * cmd_call.c - "call": one tool call, its progress on standard error, its result as one line of
 * JSON on standard output.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "app.h"
#include "common.h"
#include "result.h"
#include "text.h"

/* How long after its deadline a call may still be answered. */
#define ANSWER_GRACE_MS 5000

static void say_outcome(struct app *app, const ahp_result *result)
{
    char elapsed[32];
    const char *job = result->job_id.len > 0 ? result->job_id.ptr : NULL;
    char *words = result_words(result);

    text_elapsed(term_live_ms(app->term), elapsed, sizeof(elapsed));
    switch (result->status) {
    case AHP_RESULT_OK:
        if (term_is_live(app->term))
            term_say(app->term, "%s: done in %s", app->options->tool, elapsed);
        break;
    case AHP_RESULT_PENDING_JOB:
        term_say(app->term, "%s: %s goes on", app->options->tool, job != NULL ? job : "the job");
        app_say_resume(app, job);
        break;
    case AHP_RESULT_SHUTDOWN:
        if (job != NULL) {
            term_say(app->term, "%s: interrupted after %s; %s is kept", app->options->tool, elapsed,
                     job);
            app_say_resume(app, job);
        } else {
            term_say(app->term, "%s: interrupted after %s", app->options->tool, elapsed);
        }
        break;
    case AHP_RESULT_CANCELLED:
        term_say(app->term, "%s: cancelled", app->options->tool);
        break;
    case AHP_RESULT_UNKNOWN:
        app_fail(app, "%s: the outcome is not known: %s", app->options->tool,
                 words != NULL ? words : "no details");
        break;
    default:
        app_fail(app, "%s: %s", app->options->tool, words != NULL ? words : "failed");
        break;
    }
    free(words);
}

/* The first picture that the result names. */
static void show_picture(struct app *app, const ahp_result *result)
{
    size_t i;

    for (i = 0; i < result->files_count; i++)
        if (result->files[i]->mime != NULL && strncmp(result->files[i]->mime, "image/", 6) == 0) {
            preview_show(app->preview, app->term, result->files[i]->path, NULL);
            return;
        }
}

static int exit_code_of(const struct app *app, const ahp_result *result)
{
    switch (result->status) {
    case AHP_RESULT_OK:
    case AHP_RESULT_PENDING_JOB:
        return CLI_EXIT_DONE;
    case AHP_RESULT_SHUTDOWN:
        if (result->job_id.len > 0)
            return CLI_EXIT_DONE;
        return app->signal != 0 ? 128 + app->signal : CLI_EXIT_HOST;
    default:
        return CLI_EXIT_TOOL;
    }
}

static void on_result(void *ud, uint64_t call_id, const ahp_result *result)
{
    struct app *app = ud;
    int code = exit_code_of(app, result);

    (void)call_id;
    app->call_id = 0;
    term_live_end(app->term);
    /* a call that the host itself broke off: why has been said, and there is nothing to show */
    if (result->status == AHP_RESULT_SHUTDOWN && app->signal == 0 && result->json.len == 0 &&
        result->job_id.len == 0) {
        app_end(app, code);
        return;
    }
    say_outcome(app, result);
    switch (result_print(result)) {
    case 0:
        if (result->status == AHP_RESULT_OK)
            show_picture(app, result);
        break;
    case RESULT_NOT_JSON:
        app_fail(app, "the plugin's result is not a JSON object");
        code = CLI_EXIT_HOST;
        break;
    default:
        app_fail(app, "standard output: %s", strerror(errno));
        code = CLI_EXIT_HOST;
        break;
    }
    if (app->signal != 0) /* what the answer says is better than "interrupted" */
        app->exit_code = code;
    app_end(app, code);
}

static void on_progress(void *ud, uint64_t call_id, int32_t permille, const char *text)
{
    struct app *app = ud;

    (void)call_id;
    if (app->call_id != 0)
        term_live_set(app->term, permille, text);
}

static const char *refusal(int32_t rc)
{
    switch (rc) {
    case AHP_E_INVALID:
        return "the plugin refuses the call as malformed";
    case AHP_E_LIMIT:
        return "the plugin takes no more calls at the moment";
    case AHP_E_DEAD:
        return "the plugin found itself broken";
    default:
        return "the plugin did not take the call";
    }
}

static int begin_call(struct app *app, const char *args)
{
    const struct options *o = app->options;
    ahp_call call = {.size = sizeof(call), .flags = AHP_CALL_ONE_SHOT};
    const char *reply_to = o->reply_to;
    int32_t rc;

    if (reply_to == NULL && o->outbox != NULL && o->background)
        reply_to = o->conversation;
    if (reply_to == NULL)
        call.flags |= AHP_CALL_NO_LATE_DELIVERY;
    if (o->background)
        call.flags |= AHP_CALL_DETACH;
    call.tool = text_of(o->tool);
    call.args = text_of(args);
    call.reply_to = text_of(reply_to);
    call.conversation = text_of(o->conversation);
    call.caller = text_of("cli");
    call.locale = text_of(o->locale);
    if (o->timeout_ms > 0) {
        call.deadline_ms = ahp_uv_now_ms(app->host) + o->timeout_ms;
        app_limit_start(app, o->timeout_ms + ANSWER_GRACE_MS);
    }
    term_live_begin(app->term, o->tool);
    rc = ahp_uv_call(app->host, &call, &app->call_id, on_result, on_progress, app);
    if (rc == AHP_OK)
        return 0;
    term_live_end(app->term);
    if (rc == AHP_E_NOT_FOUND) {
        app_fail(app, "there is no tool '%s'; see 'agent-host tools'", o->tool);
        return CLI_EXIT_USAGE + 1;
    }
    app_fail(app, "%s: %s (%d)", o->tool, refusal(rc), (int)rc);
    return CLI_EXIT_HOST + 1;
}

static int call_begin(struct app *app)
{
    char error[512];
    char *args = args_read(app->options->args, error, sizeof(error));
    int rc;

    if (args == NULL) {
        app_fail(app, "%s", error);
        return CLI_EXIT_USAGE + 1;
    }
    rc = begin_call(app, args);
    free(args);
    return rc;
}

static void call_limit(struct app *app)
{
    app_fail(app, "%s: the plugin gave no answer in time", app->options->tool);
    app_end(app, CLI_EXIT_HOST);
}

static void call_signal(struct app *app)
{
    term_live_set(app->term, -1, "stopping; the job is kept");
}

const struct command_ops command_call = {
    .needs_start = 1,
    .begin = call_begin,
    .on_limit = call_limit,
    .on_signal = call_signal,
};
