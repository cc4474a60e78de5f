/*
 * cmd_jobs.c - "jobs": asks the plugin's "poll" tool for its list, as the host's operator, and
 * makes a table of the result's "jobs" array: objects with job, state, kind, provider, model, age
 * (seconds or text), progress (0 to 1), label, detail and files, all optional but the first two.
 * The last column says what was asked for, and then what went wrong, or else what was made.
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

#define ANSWER_MS      30000
#define COLUMNS        6
#define COLUMN_MODEL   3
#define CELL_BYTES_MAX 512
#define LABEL_COLUMNS  16 /* where something follows it */

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

/* "working 40%": progress is told while there is some. */
static void state_of(const json_t *job, char *ret_text, size_t size)
{
    double progress = json_number_value(json_object_get(job, "progress"));
    int percent = progress > 0 && progress < 1 ? (int)(progress * 100.0) : 0;

    if (percent > 0)
        snprintf(ret_text, size, "%.64s %d%%", member(job, "state"), percent);
    else
        snprintf(ret_text, size, "%.64s", member(job, "state"));
}

static int has_several_providers(const json_t *jobs)
{
    const char *first = "";
    const json_t *job;
    size_t i;

    json_array_foreach(jobs, i, job)
    {
        const char *provider = member(job, "provider");

        if (first[0] == '\0')
            first = provider;
        else if (provider[0] != '\0' && strcmp(provider, first) != 0)
            return 1;
    }
    return 0;
}

static void model_of(const json_t *job, int with_provider, char *ret_text, size_t size)
{
    const char *provider = with_provider ? member(job, "provider") : "";

    snprintf(ret_text, size, "%.200s%s%.200s", provider, provider[0] != '\0' ? "/" : "",
             member(job, "model"));
}

/* Without their folders, which would not leave room for the names. */
static void detail_of(const json_t *job, char *ret_text, size_t size)
{
    const json_t *files = json_object_get(job, "files");
    const char *path = member(json_array_get(files, 0), "path");
    const char *slash = strrchr(path, '/');
    char label[128];
    char what[CELL_BYTES_MAX - 160];
    size_t more = json_array_size(files) > 1 ? json_array_size(files) - 1 : 0;

    if (slash != NULL)
        path = slash + 1;
    if (member(job, "detail")[0] != '\0')
        snprintf(what, sizeof(what), "%s", member(job, "detail"));
    else if (more > 0)
        snprintf(what, sizeof(what), "%.255s and %zu more", path, more);
    else
        snprintf(what, sizeof(what), "%.255s", path);
    text_clean(member(job, "label"), strlen(member(job, "label")), label, sizeof(label));
    if (what[0] != '\0')
        text_cut(label, sizeof(label), LABEL_COLUMNS);
    snprintf(ret_text, size, "%s%s%s", label, label[0] != '\0' && what[0] != '\0' ? ": " : "",
             what);
}

static void print_jobs(struct app *app, const json_t *jobs)
{
    const char *head[COLUMNS] = {"JOB", "STATE", "KIND", "MODEL", "AGE", "DETAIL"};
    struct table *t = table_new(COLUMNS, COLUMN_MODEL);
    int with_provider = has_several_providers(jobs);
    size_t shown = 0;
    size_t hidden = 0;
    size_t i;
    const json_t *job;

    if (t == NULL)
        return;
    table_add(t, head);
    json_array_foreach(jobs, i, job)
    {
        char state[80], model[CELL_BYTES_MAX], age[64], detail[CELL_BYTES_MAX];
        const char *row[COLUMNS] = {member(job, "job"), state, member(job, "kind"),
                                    model,              age,   detail};

        if (!app->options->all && is_over(member(job, "state"))) {
            hidden++;
            continue;
        }
        state_of(job, state, sizeof(state));
        model_of(job, with_provider, model, sizeof(model));
        age_of(job, age, sizeof(age));
        detail_of(job, detail, sizeof(detail));
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
