/*
 * probe_plugin.c - a plugin that drives agent-host in the tests. Its tools do at once and in small
 * what real ones do over minutes:
 *
 *   echo        answers what the call said: arguments, conversation, reply address, flags
 *   sleep       {ms, steps, job}: reports progress; stop ends it, with a job's handle if `job`
 *   fail        {status}: ends with that AHP_RESULT_ number, or {refuse}: returns that code
 *   deliver     {text, bytes, repeat}: a job with a file whose result is offered; the answer is the
 *               job's handle. `repeat` offers the same key again after its final receipt
 *   poll        lists two jobs
 *   misbehave   {how}: twice (two ends), never (no end), leak (a timer after destroy), slow,
 *               text (a result that is not JSON), silent (no JSON at all)
 *   tasks       how many tasks the process has
 *
 * Files in the state folder change its ways: with slow-destroy, destroy takes 2 s; with
 * no-receipts, final receipts are answered with AHP_E_FAILED.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe_plugin.h"

#define SLOW_DESTROY_MS 2000

struct sleeper {
    struct plugin *p;
    uint64_t call_id;
    ahp_timer *timer;
    int64_t step_ms;
    int steps;
    int at;
    int has_job;
    struct sleeper *next;
};

ahp_text probe_text(const char *text)
{
    ahp_text t = {text, strlen(text)};

    return t;
}

void probe_complete(struct plugin *p, uint64_t id, int32_t status, const char *json,
                    const char *job)
{
    ahp_result result = {.size = sizeof(result), .status = status};

    if (json != NULL)
        result.json = probe_text(json);
    if (job != NULL)
        result.job_id = probe_text(job);
    p->calls->complete(p->host->ctx, id, &result);
}

int64_t probe_number(const json_t *args, const char *name, int64_t or_else)
{
    const json_t *value = json_object_get(args, name);

    return json_is_integer(value) ? (int64_t)json_integer_value(value) : or_else;
}

int probe_is_told(const struct plugin *p, const char *what)
{
    char path[PATH_BYTES_MAX];

    snprintf(path, sizeof(path), "%.4000s/%s", p->state_dir, what);
    return access(path, F_OK) == 0;
}

/* ---- echo, tasks, fail, poll, misbehave ---- */

static int32_t tool_echo(struct plugin *p, const ahp_call *call, json_t *args)
{
    json_t *o =
        json_pack("{s:s, s:O, s:s%, s:I, s:b, s:b}", "status", "done", "args", args, "conversation",
                  call->conversation.ptr, call->conversation.len, "flags", (json_int_t)call->flags,
                  "reply", call->reply_to.len > 0, "deadline", call->deadline_ms > 0);
    char *text;

    if (call->reply_to.len > 0)
        json_object_set_new(o, "reply_to", json_stringn(call->reply_to.ptr, call->reply_to.len));
    if (call->locale.len > 0)
        json_object_set_new(o, "locale", json_stringn(call->locale.ptr, call->locale.len));
    text = json_dumps(o, JSON_INDENT(2)); /* with line breaks: the host makes it one line */
    probe_complete(p, call->id, AHP_RESULT_OK, text, NULL);
    free(text);
    json_decref(o);
    return AHP_OK;
}

static int32_t tool_tasks(struct plugin *p, const ahp_call *call, json_t *args)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *d;
    char text[64];
    int count = 0;

    (void)args;
    while (dir != NULL && (d = readdir(dir)) != NULL)
        count += d->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    snprintf(text, sizeof(text), "{\"tasks\":%d}", count);
    probe_complete(p, call->id, AHP_RESULT_OK, text, NULL);
    return AHP_OK;
}

static int32_t tool_fail(struct plugin *p, const ahp_call *call, json_t *args)
{
    if (json_object_get(args, "refuse") != NULL)
        return (int32_t)probe_number(args, "refuse", AHP_E_FAILED);
    probe_complete(p, call->id, (int32_t)probe_number(args, "status", AHP_RESULT_ERROR),
             "{\"status\":\"failed\",\"error\":{\"kind\":\"test\",\"message\":\"as asked\"}}",
             NULL);
    return AHP_OK;
}

static int32_t tool_poll(struct plugin *p, const ahp_call *call, json_t *args)
{
    const char *action = json_string_value(json_object_get(args, "action"));

    if (action == NULL || strcmp(action, "list") != 0 || !(call->flags & AHP_CALL_OPERATOR))
        return AHP_E_INVALID;
    probe_complete(
        p, call->id, AHP_RESULT_OK,
        "{\"jobs\":[{\"job\":\"job_a\",\"state\":\"working\",\"kind\":\"video\",\"model\":\"m\","
        "\"age\":754,\"detail\":\"\\u4e00\\u53ea\\u7ea2\\u8239 \\u001b[31m\"},"
        "{\"job\":\"job_b\",\"state\":\"delivered\",\"age\":\"1 d\"},"
        "{\"job\":\"job_c\",\"state\":\"working\",\"kind\":\"image\",\"provider\":\"p\","
        "\"model\":\"n\",\"age\":7,\"progress\":0.4,\"label\":\"a boat on a lake\\u001b\","
        "\"files\":[{\"path\":\"/a/b/one.png\"},"
        "{\"path\":\"/a/b/two.png\"}]}]}",
        NULL);
    return AHP_OK;
}

static void on_never(void *ud)
{
    (void)ud;
}

static int32_t tool_misbehave(struct plugin *p, const ahp_call *call, json_t *args)
{
    const char *how = json_string_value(json_object_get(args, "how"));
    int64_t until;

    if (how == NULL)
        return AHP_E_INVALID;
    if (strcmp(how, "never") == 0)
        return AHP_OK;
    if (strcmp(how, "text") == 0) {
        probe_complete(p, call->id, AHP_RESULT_OK, "not JSON", NULL);
        return AHP_OK;
    }
    if (strcmp(how, "silent") == 0) {
        probe_complete(p, call->id, AHP_RESULT_OK, NULL, "job_s");
        return AHP_OK;
    }
    if (strcmp(how, "slow") == 0) {
        until = p->loop->now_ms(p->host->ctx) + 30;
        while (p->loop->now_ms(p->host->ctx) < until)
            ;
    }
    if (strcmp(how, "leak") == 0)
        p->loop->timer_new(p->host->ctx, &p->leaked, on_never, p);
    probe_complete(p, call->id, AHP_RESULT_OK, "{}", NULL);
    if (strcmp(how, "twice") == 0)
        probe_complete(p, call->id, AHP_RESULT_OK, "{}", NULL);
    return AHP_OK;
}

/* ---- sleep ---- */

static void sleeper_end(struct sleeper *s, int32_t status)
{
    struct sleeper **at = &s->p->sleepers;

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->p->loop->timer_free(s->timer);
    probe_complete(s->p, s->call_id, status,
             s->has_job ? "{\"status\":\"working\",\"job\":\"job_z\"}" : "{\"status\":\"done\"}",
             s->has_job && status != AHP_RESULT_OK ? "job_z" : NULL);
    free(s);
}

static void on_sleeper(void *ud)
{
    struct sleeper *s = ud;
    char text[64];
    int n;

    if (++s->at > s->steps) {
        sleeper_end(s, AHP_RESULT_OK);
        return;
    }
    n = snprintf(text, sizeof(text), "step %d of %d", s->at, s->steps);
    s->p->calls->progress(s->p->host->ctx, s->call_id, s->at * 1000 / (s->steps + 1), text,
                          (size_t)n);
    s->p->loop->timer_at(s->timer, s->p->loop->now_ms(s->p->host->ctx) + s->step_ms);
}

static int32_t tool_sleep(struct plugin *p, const ahp_call *call, json_t *args)
{
    struct sleeper *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return AHP_E_NOMEM;
    if (p->loop->timer_new(p->host->ctx, &s->timer, on_sleeper, s) != AHP_OK) {
        free(s);
        return AHP_E_NOMEM;
    }
    s->p = p;
    s->call_id = call->id;
    s->steps = (int)probe_number(args, "steps", 1);
    s->step_ms = probe_number(args, "ms", 100) / (s->steps + 1);
    s->has_job = json_is_true(json_object_get(args, "job"));
    s->next = p->sleepers;
    p->sleepers = s;
    p->loop->timer_at(s->timer, p->loop->now_ms(p->host->ctx));
    return AHP_OK;
}

/* ---- the instance ---- */

static const struct {
    const char *name;
    int32_t (*run)(struct plugin *p, const ahp_call *call, json_t *args);
    ahp_tool tool;
} tools[] = {
#define TOOL(word, summary_text)                                                                   \
    {                                                                                              \
#word, tool_##word,                                                                        \
        {                                                                                          \
            .size = sizeof(ahp_tool), .name = #word, .title = #word, .summary = summary_text,      \
            .input_schema = "{\"type\":\"object\"}"                                                \
        }                                                                                          \
    }
    TOOL(echo, "Answers what the call said. Nothing else."),
    TOOL(sleep, "Takes its time and reports progress."),
    TOOL(fail, "Ends as it is told."),
    TOOL(deliver, "Makes a job whose result is delivered."),
    TOOL(poll, "Lists jobs."),
    TOOL(misbehave, "Breaks a rule."),
    TOOL(tasks, "Counts the tasks of the process."),
};

#define TOOLS_COUNT (sizeof(tools) / sizeof(tools[0]))

static int32_t inst_tools(void *self, const ahp_tool *const **ret_tools, uint32_t *ret_count)
{
    static const ahp_tool *list[TOOLS_COUNT];
    size_t i;

    (void)self;
    for (i = 0; i < TOOLS_COUNT; i++)
        list[i] = &tools[i].tool;
    *ret_tools = list;
    *ret_count = TOOLS_COUNT;
    return AHP_OK;
}

static int32_t inst_start(void *self, ahp_err *ret_err)
{
    struct plugin *p = self;

    (void)ret_err;
    jobs_load(p);
    p->host->log(p->host->ctx, AHP_LOG_INFO, 2, "probe started", 13);
    return AHP_OK;
}

static int32_t inst_call(void *self, const ahp_call *call)
{
    struct plugin *p = self;
    int32_t rc = AHP_E_NOT_FOUND;
    json_t *args;
    size_t i;

    if (p->is_stopping)
        return AHP_E_STATE;
    args = json_loadb(call->args.ptr, call->args.len, 0, NULL);
    for (i = 0; args != NULL && i < TOOLS_COUNT; i++)
        if (strlen(tools[i].name) == call->tool.len &&
            memcmp(tools[i].name, call->tool.ptr, call->tool.len) == 0)
            rc = tools[i].run(p, call, args);
    json_decref(args);
    return rc;
}

static int32_t inst_receipt(void *self, const ahp_receipt *receipt)
{
    return jobs_receipt(self, receipt);
}

static int32_t inst_cancel(void *self, uint64_t id)
{
    (void)self;
    (void)id;
    return AHP_E_STALE;
}

static void inst_stop(void *self, int64_t deadline_ms)
{
    struct plugin *p = self;

    (void)deadline_ms;
    p->is_stopping = 1;
    while (p->sleepers != NULL)
        sleeper_end(p->sleepers, AHP_RESULT_SHUTDOWN);
    jobs_release(p);
    p->host->stopped(p->host->ctx);
}

static void inst_destroy(void *self)
{
    struct plugin *p = self;
    int64_t until = p->loop->now_ms(p->host->ctx) + SLOW_DESTROY_MS;

    while (probe_is_told(p, "slow-destroy") && p->loop->now_ms(p->host->ctx) < until)
        ;
    while (p->sleepers != NULL) {
        struct sleeper *s = p->sleepers;

        p->sleepers = s->next;
        p->loop->timer_free(s->timer);
        free(s);
    }
    jobs_release(p);
    free(p);
}

static int64_t jobs_unfinished(void *self)
{
    struct plugin *p = self;

    return p->deliver->flags & AHP_DELIVER_READY ? p->jobs_count : 0;
}

static const void *inst_ext(void *self, const char *id)
{
    struct plugin *p = self;

    return strcmp(id, AHP_JOBS_1) == 0 ? &p->jobs_ext : NULL;
}

static int32_t create(const ahp_host *host, const ahp_text *config, ahp_inst **ret_inst,
                      ahp_err *ret_err)
{
    struct plugin *p = calloc(1, sizeof(*p));
    json_t *o = json_loadb(config->ptr, config->len, 0, NULL);
    const char *dir = json_string_value(json_object_get(o, "state_dir"));

    if (p == NULL || o == NULL || json_object_get(o, "config_file") != NULL) {
        if (ret_err != NULL) {
            ret_err->code = AHP_E_INVALID;
            snprintf(ret_err->text, sizeof(ret_err->text), "probe refuses its configuration");
        }
        json_decref(o);
        free(p);
        return AHP_E_INVALID;
    }
    if (dir != NULL)
        snprintf(p->state_dir, sizeof(p->state_dir), "%s", dir);
    json_decref(o);
    p->host = host;
    p->loop = host->ext(host->ctx, AHP_LOOP_1);
    p->calls = host->ext(host->ctx, AHP_CALLS_1);
    p->deliver = host->ext(host->ctx, AHP_DELIVER_1);
    p->jobs_ext.size = sizeof(p->jobs_ext);
    p->jobs_ext.unfinished = jobs_unfinished;
    p->inst.size = sizeof(p->inst);
    p->inst.self = p;
    p->inst.tools = inst_tools;
    p->inst.start = inst_start;
    p->inst.call = inst_call;
    p->inst.cancel = inst_cancel;
    p->inst.receipt = inst_receipt;
    p->inst.stop = inst_stop;
    p->inst.destroy = inst_destroy;
    p->inst.ext = inst_ext;
    *ret_inst = &p->inst;
    return AHP_OK;
}

const ahp_entry *ahp_entry_1(void)
{
    static const char *const needs[] = {AHP_LOOP_1, AHP_CALLS_1, AHP_DELIVER_1, NULL};
    static const char *const wants[] = {NULL};
    static const ahp_entry entry = {
        .size = sizeof(entry),
        .major = AHP_MAJOR,
        .minor = AHP_MINOR,
        .id = "probe",
        .version = "1",
        .needs = needs,
        .wants = wants,
        .create = create,
    };

    return &entry;
}
