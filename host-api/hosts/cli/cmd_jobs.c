/*
 * cmd_jobs.c - "jobs": asks the plugin's "poll" tool for its list, as the host's operator, and
 * makes a table of the result's "jobs" array: objects with job, state, kind, model, age (seconds or
 * text) and detail, all optional but the first two.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "app.h"
#include "common.h"
#include "result.h"
#include "table.h"
#include "text.h"

#define ANSWER_MS 30000
#define COLUMNS   6

/* Ended, and nobody has to do anything about it. */
static int is_over(const char *state)
{
    static const char *const over[] = {"delivered", "done", "failed", "cancelled", "expired"};
    size_t i;

    for (i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        if (strcmp(state, over[i]) == 0)
            return 1;
    return 0;
}

static const char *member(const json_t *job, const char *name)
{
    const char *text = json_string_value(json_object_get(job, name));

    return text != NULL ? text : "";
}

static void age_of(const json_t *job, char *ret_text, size_t size)
{
    const json_t *age = json_object_get(job, "age");

    if (age == NULL)
        age = json_object_get(job, "age_seconds");
    if (json_is_number(age))
        text_age((int64_t)json_number_value(age), ret_text, size);
    else
        snprintf(ret_text, size, "%s", json_is_string(age) ? json_string_value(age) : "");
}

static void print_jobs(struct app *app, const json_t *jobs)
{
    const char *head[COLUMNS] = {"JOB", "STATE", "KIND", "MODEL", "AGE", "DETAIL"};
    struct table *t = table_new(COLUMNS);
    size_t shown = 0;
    size_t hidden = 0;
    size_t i;
    const json_t *job;

    if (t == NULL)
        return;
    table_add(t, head);
    json_array_foreach(jobs, i, job)
    {
        char age[64];
        const char *row[COLUMNS];

        if (!app->options->all && is_over(member(job, "state"))) {
            hidden++;
            continue;
        }
        age_of(job, age, sizeof(age));
        row[0] = member(job, "job");
        row[1] = member(job, "state");
        row[2] = member(job, "kind");
        row[3] = member(job, "model");
        row[4] = age;
        row[5] = member(job, "detail");
        table_add(t, row);
        shown++;
    }
    if (shown > 0)
        table_print(t, stdout, table_width(stdout));
    else
        puts(hidden > 0 ? "no unfinished jobs" : "no jobs");
    table_free(t);
    fflush(stdout);
    if (hidden > 0)
        term_say(app->term, "%zu that ended are not shown; --all shows them", hidden);
}

static int show(struct app *app, const ahp_result *result)
{
    json_t *value;
    int rc = CLI_EXIT_DONE;

    if (result->status != AHP_RESULT_OK) {
        char *words = result_words(result);

        app_fail(app, "the jobs could not be listed: %s",
                 words != NULL ? words : "no reason given");
        free(words);
        return CLI_EXIT_TOOL;
    }
    if (app->options->json) {
        if (result_print(result) == 0)
            return CLI_EXIT_DONE;
        app_fail(app, "the result could not be printed");
        return CLI_EXIT_HOST;
    }
    value = json_loadb(result->json.ptr != NULL ? result->json.ptr : "", result->json.len, 0, NULL);
    if (json_is_array(json_object_get(value, "jobs"))) {
        print_jobs(app, json_object_get(value, "jobs"));
        if (ferror(stdout)) {
            app_fail(app, "standard output: %s", strerror(errno));
            rc = CLI_EXIT_HOST;
        }
    } else {
        app_fail(app, "the plugin's answer holds no list of jobs");
        rc = CLI_EXIT_HOST;
    }
    json_decref(value);
    return rc;
}

static void on_result(void *ud, uint64_t call_id, const ahp_result *result)
{
    struct app *app = ud;

    (void)call_id;
    app_end(app, show(app, result));
}

static int jobs_begin(struct app *app)
{
    static const char tool[] = "poll";
    static const char args[] = "{\"action\": \"list\"}";
    ahp_call call = {.size = sizeof(call),
                     .flags = AHP_CALL_ONE_SHOT | AHP_CALL_NO_LATE_DELIVERY | AHP_CALL_OPERATOR};
    int64_t limit_ms = app->options->timeout_ms > 0 ? app->options->timeout_ms : (int64_t)ANSWER_MS;
    int32_t rc;

    call.tool.ptr = tool;
    call.tool.len = strlen(tool);
    call.args.ptr = args;
    call.args.len = strlen(args);
    call.conversation.ptr = app->options->conversation;
    call.conversation.len = strlen(app->options->conversation);
    call.deadline_ms = ahp_uv_now_ms(app->host) + limit_ms;
    app_limit_start(app, limit_ms);
    rc = ahp_uv_call(app->host, &call, NULL, on_result, NULL, app);
    if (rc == AHP_OK)
        return 0;
    app_fail(app, rc == AHP_E_NOT_FOUND ? "this plugin has no tool 'poll', which lists jobs"
                                        : "the plugin did not take the call");
    return CLI_EXIT_HOST + 1;
}

static void jobs_limit(struct app *app)
{
    app_fail(app, "the plugin gave no answer in time");
    app_end(app, CLI_EXIT_HOST);
}

const struct command_ops command_jobs = {
    .needs_start = 1,
    .begin = jobs_begin,
    .on_limit = jobs_limit,
};
