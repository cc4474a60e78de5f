/*
 * toolbox.c - the tools of one instance and the calls that are open: from the host's bytes to
 * checked arguments, and to exactly one completion.
 */
#include "tools/tool.h"

#include "base/embed.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static const struct tool *const all_tools[] = {
    &tool_generate_image,
    &tool_edit_image,
    &tool_generate_video,
    &tool_character_replace,
    &tool_fetch_media,
    &tool_run_batch,
    &tool_poll,
    &tool_list_models,
    &tool_account,
};

#define TOOLS (sizeof(all_tools) / sizeof(*all_tools))

/* What the host is told of a tool, besides its schemas. */
enum about {
    ABOUT_TITLE,
    ABOUT_SUMMARY,
    ABOUT_FLAGS,
    ABOUT_COUNT
};

struct toolbox {
    struct env *env;
    struct config *config;
    struct engine *engine;
    json_t *about[TOOLS][ABOUT_COUNT];
    char *schemas[TOOLS]; /* as text, for the host */
    char *outputs[TOOLS];
    json_t *checks[TOOLS]; /* the same with the checks joined in, since the first call of each */
    ahp_tool tools[TOOLS];
    const ahp_tool *list[TOOLS];
    struct token_key token_key;
    struct call *calls;
    size_t calls_count;
    int stopping;
};

struct env *call_env(const struct call *call)
{
    return call->box->env;
}

struct config *call_config(const struct call *call)
{
    return call->box->config;
}

struct engine *call_engine(const struct call *call)
{
    return call->box->engine;
}

struct token_key *call_token_key(const struct call *call)
{
    return &call->box->token_key;
}

static uint32_t flag_bits(const json_t *flags)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } words[] = {
        {"read_only", AHP_TOOL_READ_ONLY},         {"idempotent", AHP_TOOL_IDEMPOTENT},
        {"long_running", AHP_TOOL_LONG_RUNNING},   {"delivers_later", AHP_TOOL_DELIVERS_LATER},
        {"open_world", AHP_TOOL_OPEN_WORLD},       {"destructive", AHP_TOOL_DESTRUCTIVE},
        {"jobs", AHP_TOOL_JOBS},
    };
    const json_t *flag;
    uint32_t bits = 0;
    size_t index;

    json_array_foreach((json_t *)flags, index, flag)
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
            if (strcmp(json_string_value(flag), words[i].word) == 0)
                bits |= words[i].bit;
    return bits;
}

static void manifest_name(size_t index, char *ret_name, size_t size)
{
    snprintf(ret_name, size, "tools/%s.json", all_tools[index]->name);
}

static int load_tool(struct toolbox *box, size_t index, struct err *err)
{
    static const char *const keys[ABOUT_COUNT] = {"title", "summary", "flags"};
    ahp_tool *tool = &box->tools[index];
    json_t **about = box->about[index];
    char name[64];

    manifest_name(index, name, sizeof(name));
    for (size_t i = 0; i < ABOUT_COUNT; i++)
        if (embed_member(name, keys[i], &about[i]))
            return err_nomem(err);
    if (embed_member_text(name, "input_schema", &box->schemas[index]) ||
        embed_member_text(name, "output_schema", &box->outputs[index]))
        return err_nomem(err);
    if (!box->schemas[index])
        return err_set(err, ERR_INTERNAL, "manifests/%s is missing or has no schema", name);
    tool->size = sizeof(*tool);
    tool->name = all_tools[index]->name;
    tool->title = json_string_value(about[ABOUT_TITLE]);
    tool->summary = json_string_value(about[ABOUT_SUMMARY]);
    tool->input_schema = box->schemas[index];
    tool->output_schema = box->outputs[index];
    tool->flags = flag_bits(about[ABOUT_FLAGS]);
    tool->timeout_ms_default = tool->flags & AHP_TOOL_LONG_RUNNING ? 20 * 60 * 1000 : 30 * 1000;
    box->list[index] = tool;
    return 0;
}

int toolbox_open(struct env *env, struct config *config, struct toolbox **ret_box,
                 struct err *err)
{
    struct toolbox *box = mem_alloc(sizeof(*box));

    if (!box)
        return err_nomem(err);
    box->env = env;
    box->config = config;
    for (size_t i = 0; i < TOOLS; i++) {
        if (load_tool(box, i, err)) {
            toolbox_close(box);
            return -1;
        }
    }
    *ret_box = box;
    return 0;
}

void toolbox_bind(struct toolbox *box, struct engine *engine)
{
    box->engine = engine;
}

const ahp_tool *const *toolbox_list(const struct toolbox *box, uint32_t *ret_count)
{
    *ret_count = TOOLS;
    return box->list;
}

static void call_free(struct call *call)
{
    DL_DELETE(call->box->calls, call);
    call->box->calls_count--;
    engine_unwatch(call->watch);
    inputs_drop(call);
    edit_drop(call);
    checking_drop(call);
    recovering_drop(call);
    batch_close(call);
    confirm_drop(call);
    call->box->env->loop->timer_free(call->timer);
    json_decref(call->args);
    json_decref(call->folders);
    json_decref(call->notes);
    json_decref(call->changed);
    json_decref(call->last_json);
    mem_free(call->parts);
    mem_free(call->conversation);
    mem_free(call->caller);
    mem_free(call->reply_to);
    mem_free(call->dedup_key);
    mem_free(call->workspace);
    mem_free(call->output_dir);
    mem_free(call->input_keys);
    mem_free(call);
}

void call_begin(struct call *call)
{
    call->pending++;
}

int call_back(struct call *call)
{
    call->pending--;
    if (!call->ended)
        return 0;
    if (!call->pending)
        call_free(call);
    return 1;
}

int call_ordered(struct call *call, const struct ledger_job *job, int created,
                 const struct err *err)
{
    if (call_back(call))
        return 1;
    if (!job) {
        call_fail(call, err);
        return 1;
    }
    snprintf(call->job, sizeof(call->job), "%s", job->id);
    call->created = created;
    return 0;
}

static void attach_files(ahp_result *result, const struct ledger_job *job, ahp_file *files,
                         const ahp_file **pointers)
{
    for (size_t i = 0; job && i < job->files_count && i < LIMIT_FILES; i++) {
        const char *slash = strrchr(job->files[i].path, '/');

        memset(&files[i], 0, sizeof(files[i]));
        files[i].size = sizeof(files[i]);
        files[i].path = job->files[i].path;
        files[i].name = slash ? slash + 1 : job->files[i].path;
        files[i].mime = job->files[i].mime;
        files[i].handle = job->files[i].handle;
        files[i].bytes = job->files[i].bytes;
        pointers[i] = &files[i];
        result->files_count = (uint32_t)i + 1;
    }
    result->files = pointers;
}

/* An ended call lets go of what it has; it goes itself when nothing can call back any more. */
static void end_here(struct call *call)
{
    engine_unwatch(call->watch);
    call->watch = NULL;
    call->box->env->loop->timer_free(call->timer);
    call->timer = NULL;
    if (!call->pending)
        call_free(call);
}

void call_answer_take(struct call *call, int32_t status, json_t *json,
                      const struct ledger_job *job)
{
    static const char no_memory[] =
        "{\"status\":\"error\",\"error\":{\"kind\":\"nomem\",\"text\":\"out of memory\"}}";
    struct env *env = call->box->env;
    ahp_file files[LIMIT_FILES];
    const ahp_file *pointers[LIMIT_FILES];
    ahp_result result = {.size = sizeof(result), .status = status};
    char *text = NULL;

    if (call->batch_index) {
        call->ended = 1;
        batch_answer_take(call, status, json);
        end_here(call);
        return;
    }
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text)
        env_scrub(env, text);
    else
        result.status = AHP_RESULT_ERROR;
    result.json.ptr = text ? text : no_memory;
    result.json.len = strlen(result.json.ptr);
    result.job_id.ptr = call->job[0] ? call->job : NULL;
    result.job_id.len = strlen(call->job);
    attach_files(&result, job, files, pointers);
    confirm_drop(call); /* a question ends before its call */
    env->calls->complete(env->host->ctx, call->id, &result);
    free(text);
    call->ended = 1;
    batch_close(call);
    end_here(call);
}

void call_fail(struct call *call, const struct err *err)
{
    call_answer_take(call, AHP_RESULT_ERROR, result_of_error(call, err), NULL);
}

int call_may_see(const struct call *call, const struct ledger_job *job)
{
    if (call->flags & AHP_CALL_OPERATOR)
        return 1;
    return strcmp(call->conversation ? call->conversation : "",
                  job->conversation ? job->conversation : "") == 0;
}

void call_speak_as(struct call *call, const struct ledger_job *job)
{
    if (!call->language_told && job->locale)
        call->language = words_choose(job->locale, NULL);
}

const char *call_locale(const struct call *call)
{
    return call->language_told ? words_tag(call->language) : NULL;
}

char *call_canonical(const struct call *call)
{
    static const char *const aside[] = {"dry_run", "again", "wait_seconds", "confirm"};
    json_t *args = json_copy(call->args);
    char *text;
    char *copy;

    for (size_t i = 0; i < sizeof(aside) / sizeof(*aside); i++)
        json_object_del(args, aside[i]);
    text = args ? json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    copy = mem_text(text);
    free(text);
    json_decref(args);
    return copy;
}

static char *keep(const ahp_text *text, int *failed)
{
    char *copy = text->ptr && text->len ? mem_text_n(text->ptr, text->len) : NULL;

    if (text->ptr && text->len && !copy)
        *failed = 1;
    return copy;
}

/* None, or an absolute path. */
static int is_folder(const ahp_text *text)
{
    return !text->len || (text->ptr && text->len <= AHP_FOLDER_BYTES_MAX && text->ptr[0] == '/' &&
                          !memchr(text->ptr, '\0', text->len));
}

static struct call *call_new(struct toolbox *box, const struct tool *tool, const ahp_call *from)
{
    struct call *call = mem_alloc(sizeof(*call));
    ahp_text locale = AHP_IN(from, locale) ? from->locale : (ahp_text){NULL, 0};
    const char *told, *prompt;
    int failed = 0;
    char *tag;

    if (!call)
        return NULL;
    call->box = box;
    call->tool = tool;
    call->id = from->id;
    call->flags = from->flags;
    call->deadline_ms = AHP_IN(from, deadline_ms) ? from->deadline_ms : 0;
    call->told_permille = -2;
    if (AHP_IN(from, dedup_key))
        call->dedup_key = keep(&from->dedup_key, &failed);
    if (AHP_IN(from, reply_to) && !(from->flags & AHP_CALL_NO_LATE_DELIVERY)) {
        call->reply_to = keep(&from->reply_to, &failed);
        call->reply_to_len = call->reply_to ? from->reply_to.len : 0;
    }
    if (AHP_IN(from, conversation))
        call->conversation = keep(&from->conversation, &failed);
    /* Callers without one share one: the ledger looks for texts, and "none" would equal nothing. */
    if (!call->conversation && !(call->conversation = mem_text("")))
        failed = 1;
    if (AHP_IN(from, caller))
        call->caller = keep(&from->caller, &failed);
    if (AHP_IN(from, workspace))
        call->workspace = keep(&from->workspace, &failed);
    if (AHP_IN(from, output_dir))
        call->output_dir = keep(&from->output_dir, &failed);
    DL_APPEND(box->calls, call);
    box->calls_count++;
    call->args = from->args.ptr && from->args.len
                     ? json_read_own(from->args.ptr, from->args.len)
                     : json_object();
    if (AHP_IN(from, folders) && from->folders.len)
        call->folders = json_loadb(from->folders.ptr, from->folders.len, 0, NULL);
    tag = keep(&locale, &failed);
    told = tag ? tag : config_locale(box->config);
    prompt = json_string_value(json_object_get(call->args, "prompt"));
    call->language = words_choose(told, prompt);
    call->language_told = (told && *told) || (prompt && *prompt);
    mem_free(tag);
    if (failed) {
        call_free(call);
        return NULL;
    }
    return call;
}

/* The arguments against the tool's schema, which is read when it is first needed. */
static int check_schema(const struct call *call, size_t index, struct err *err)
{
    json_t **schema = &call->box->checks[index];
    json_t *read = NULL;
    json_t *more = NULL;
    char name[64];
    int failed;

    if (!*schema) {
        manifest_name(index, name, sizeof(name));
        failed = embed_member(name, "input_schema", &read) ||
                 embed_member(name, "input_checks", &more) || schema_join(read, more);
        json_decref(more);
        if (failed) {
            json_decref(read);
            return err_nomem(err);
        }
        *schema = read;
    }
    return schema_check(*schema, call->args, err);
}

/* Arguments that are no JSON get an answer, not a refusal: a model can mend them. */
static int check_args(struct call *call, const ahp_call *from, size_t index, struct err *err)
{
    json_error_t broken;
    json_t *again;

    if (!call->args) {
        again = json_loadb(from->args.ptr, from->args.len, 0, &broken);
        json_decref(again);
        return err_set(err, ERR_INVALID,
                       "the arguments are no JSON object: line %d, column %d: %.*s", broken.line,
                       broken.column, json_reason_len(broken.text), broken.text);
    }
    if (!json_is_object(call->args))
        return err_set(err, ERR_INVALID, "the arguments must be a JSON object");
    return check_schema(call, index, err);
}

struct call *call_inner(struct call *call, const char *tool, json_t *args_take)
{
    struct call *inner = mem_alloc(sizeof(*inner));
    int failed = 0;

    if (!inner) {
        json_decref(args_take);
        return NULL;
    }
    inner->box = call->box;
    for (size_t i = 0; i < TOOLS; i++)
        if (strcmp(all_tools[i]->name, tool) == 0)
            inner->tool = all_tools[i];
    inner->flags = (call->flags & ~AHP_CALL_NO_LATE_DELIVERY) | AHP_CALL_DETACH;
    inner->language = call->language;
    inner->language_told = call->language_told;
    inner->told_permille = -2;
    inner->args = args_take;
    inner->conversation = mem_text(call->conversation);
    failed = !inner->conversation || (call->caller && !(inner->caller = mem_text(call->caller))) ||
             (call->folders && !(inner->folders = json_incref(call->folders))) ||
             (call->workspace && !(inner->workspace = mem_text(call->workspace))) ||
             (call->output_dir && !(inner->output_dir = mem_text(call->output_dir)));
    DL_APPEND(call->box->calls, inner);
    call->box->calls_count++;
    if (failed || !inner->tool) {
        call_free(inner);
        return NULL;
    }
    return inner;
}

void call_start(struct call *call)
{
    struct err err;
    size_t index = 0;

    while (all_tools[index] != call->tool)
        index++;
    if (check_schema(call, index, &err))
        call_fail(call, &err);
    else
        call->tool->run(call);
}

int32_t toolbox_call(struct toolbox *box, const ahp_call *from)
{
    struct call *call;
    struct err err;
    size_t index = 0;

    while (index < TOOLS && (strlen(all_tools[index]->name) != from->tool.len ||
                             memcmp(all_tools[index]->name, from->tool.ptr, from->tool.len) != 0))
        index++;
    if (index == TOOLS)
        return AHP_E_NOT_FOUND;
    if (box->stopping)
        return AHP_E_STATE;
    if ((AHP_IN(from, workspace) && !is_folder(&from->workspace)) ||
        (AHP_IN(from, output_dir) && !is_folder(&from->output_dir)))
        return AHP_E_INVALID;
    if (box->calls_count >= LIMIT_CALLS || from->args.len > LIMIT_ARGS_BYTES ||
        (AHP_IN(from, reply_to) && from->reply_to.len > AHP_REPLY_TO_BYTES_MAX) ||
        (AHP_IN(from, dedup_key) && from->dedup_key.len > AHP_KEY_BYTES_MAX))
        return AHP_E_LIMIT;
    call = call_new(box, all_tools[index], from);
    if (!call)
        return AHP_E_NOMEM;
    if (check_args(call, from, index, &err))
        call_fail(call, &err);
    else
        call->tool->run(call);
    return AHP_OK;
}

static json_t *end_early(const struct call *call, const char *status)
{
    json_t *json = json_pack("{s:s}", "status", status);

    if (json && call->job[0]) {
        json_object_set_new(json, "job", json_string(call->job));
        json_object_set_new(json, "next", json_string("poll with action wait"));
    }
    return json;
}

int32_t toolbox_cancel(struct toolbox *box, uint64_t call_id)
{
    struct call *call;

    DL_FOREACH(box->calls, call) {
        if (call->id == call_id && !call->ended && !call->batch_index) {
            call_answer_take(call, AHP_RESULT_CANCELLED, end_early(call, "cancelled"), NULL);
            return AHP_OK;
        }
    }
    return AHP_E_STALE;
}

void toolbox_stop(struct toolbox *box)
{
    struct call *call;
    struct call *next;

    box->stopping = 1;
    DL_FOREACH_SAFE(box->calls, call, next)
        if (!call->ended)
            call_answer_take(call, AHP_RESULT_SHUTDOWN, end_early(call, "shutdown"), NULL);
}

void toolbox_close(struct toolbox *box)
{
    if (!box)
        return;
    while (box->calls)
        call_free(box->calls);
    for (size_t i = 0; i < TOOLS; i++) {
        for (size_t j = 0; j < ABOUT_COUNT; j++)
            json_decref(box->about[i][j]);
        mem_free(box->schemas[i]);
        mem_free(box->outputs[i]);
        json_decref(box->checks[i]);
    }
    mem_free(box);
}
