/*
 * generate.c - the tools that make something: arguments to an order. What differs between them is
 * which arguments name files, which default model is meant, and what is asked of a provider.
 */
#include "tools/tool.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const image_files[] = {"reference_images", NULL};
static const char *const edit_files[] = {"image", "mask", "reference_images", NULL};
static const char *const video_files[] = {"first_frame", "last_frame", "reference_images", "video",
                                          "audio", "session", NULL};
static const char *const replace_files[] = {"character_image", "motion_video", NULL};

static int has(const struct call *call, const char *name)
{
    const json_t *value = json_object_get(call->args, name);

    return json_is_array(value) ? json_array_size(value) > 0 : value != NULL;
}

static const char *word_of(const struct call *call, const char *name, const char *otherwise)
{
    const char *word = json_string_value(json_object_get(call->args, name));

    return word ? word : otherwise;
}

/* What "auto" comes to, by what is given. */
static const char *video_mode(const struct call *call)
{
    const char *mode = word_of(call, "mode", "auto");

    if (strcmp(mode, "auto") != 0)
        return mode;
    if (has(call, "audio"))
        return "lip_sync";
    if (has(call, "video"))
        return has(call, "first_frame") ? "animate" : "extend";
    if (has(call, "first_frame") || has(call, "last_frame"))
        return "image";
    return has(call, "reference_images") ? "reference" : "text";
}

/* What a provider must be able to do for this call, in the words of provider.can. */
static void needed(const struct call *call, char *ret_what, size_t size)
{
    const char *detail = NULL;

    if (call->tool == &tool_generate_image)
        detail = has(call, "reference_images") ? "reference" : NULL;
    else if (call->tool == &tool_generate_video)
        detail = video_mode(call);
    else if (call->tool == &tool_edit_image)
        detail = word_of(call, "operation", "edit");
    else
        detail = word_of(call, "mode", "full_scene");
    snprintf(ret_what, size, "%s%s%s", call->tool->name, detail ? "/" : "", detail ? detail : "");
}

/* Which of the configured models a call is about. */
static enum config_model kind_of(const struct call *call)
{
    if (call->tool == &tool_generate_video || call->tool == &tool_character_replace)
        return CONFIG_MODEL_VIDEO;
    return call->tool == &tool_edit_image || has(call, "reference_images") ? CONFIG_MODEL_EDIT
                                                                           : CONFIG_MODEL_IMAGE;
}

/* What the user should know about how the provider was found. */
static void note_choice(struct call *call, const struct config_provider *provider, const char *how,
                        const struct err *broken)
{
    char *text;

    if ((strcmp(how, "first") == 0 && config_provider_at(call_config(call), 1)) ||
        strcmp(how, "able") == 0) {
        text = words_text(call->language,
                          strcmp(how, "first") == 0 ? "first_provider" : "able_provider", NULL);
        json_array_append_new(call->notes,
                              json_pack("{s:s, s:n, s:s, s:s}", "field", "provider", "asked",
                                        "used", provider->account.id, "why", text ? text : how));
        mem_free(text);
    }
    if (broken)
        json_array_append_new(call->notes, json_pack("{s:s, s:n, s:s, s:s}", "field",
                                                     "configuration", "asked", "used",
                                                     "the last good one", "why", broken->text));
}

/* 1 when there is not even a mistake to tell of. */
static int nothing_is_configured(const struct config *config)
{
    const struct config_problem *problem;

    for (size_t i = 0; (problem = config_problem_at(config, i)); i++)
        if (!problem->is_incomplete)
            return 0;
    return !config_provider_at(config, 0);
}

/* How to set a service up, in the user's language; err stays as it is without memory. */
static void tell_setup(const struct call *call, const char *key, struct err *err)
{
    json_t *values = json_pack("{s:s}", "file", config_file(call_config(call)));
    char *text = words_text(call->language, key, values);

    json_decref(values);
    if (text)
        err_set(err, ERR_CONFIG, "%s", text);
    mem_free(text);
}

/* The first that makes such things at all, those that are signed in before the others. */
static const struct config_provider *first_able(const struct call *call, const char *what)
{
    const struct config_provider *provider;

    for (int signed_in = 1; signed_in >= 0; signed_in--)
        for (size_t i = 0; (provider = config_provider_at(call_config(call), i)); i++)
            if (provider->account.signed_in == signed_in &&
                provider->adapter->can(&provider->account, what))
                return provider;
    return NULL;
}

void call_tell_setup(const struct call *call, const char *wanted, const struct err *broken,
                     struct err *err)
{
    char key[80];

    snprintf(key, sizeof(key), "setup.%.60s", wanted ? wanted : "");
    if (broken)
        *err = *broken;
    else if (wanted && config_provider_is_builtin(wanted))
        tell_setup(call, key, err);
    else if (err->kind == ERR_CONFIG && nothing_is_configured(call_config(call)))
        tell_setup(call, "setup", err);
}

/* Who has the session that the call goes on with decides, unless the call names somebody. */
static const struct config_provider *choose(struct call *call, const json_t *args, struct err *err)
{
    struct config *config = call_config(call);
    const char *named = json_string_value(json_object_get(args, "provider"));
    const char *owner =
        json_string_value(json_object_get(json_object_get(args, "session"), "provider"));
    const char *wanted = named ? named : owner;
    const struct config_provider *provider;
    const struct config_provider *able = NULL;
    const char *how;
    struct err broken;
    int is_broken = config_refresh(config, &broken) != 0;
    char what[64];

    needed(call, what, sizeof(what));
    provider = config_provider_choose_for(config, kind_of(call), wanted, &how, err);
    if (!provider) {
        call_tell_setup(call, wanted, is_broken ? &broken : NULL, err);
        return NULL;
    }
    /* Who was named in the call answers for itself; a mere default gives way. */
    if (strcmp(how, "argument") != 0 && !provider->adapter->can(&provider->account, what))
        able = first_able(call, what);
    if (able) {
        provider = able;
        how = "able";
    }
    note_choice(call, provider, how, is_broken ? &broken : NULL);
    return provider;
}

/* The ids of those that can, at most a few. */
static void list_able(const struct call *call, const char *what, char *ret_text, size_t size)
{
    const struct config_provider *provider;
    size_t len = 0;

    *ret_text = '\0';
    for (size_t i = 0; (provider = config_provider_at(call_config(call), i)); i++)
        if (provider->adapter->can(&provider->account, what) &&
            len + strlen(provider->account.id) + 3 < size)
            len += (size_t)snprintf(ret_text + len, size - len, "%s%s", len ? ", " : "",
                                    provider->account.id);
}

/* Of a plan that failed: if the provider makes no such thing at all, that is what is wrong. */
static void tell_cannot(const struct call *call, const struct config_provider *provider,
                        struct err *err)
{
    char what[64];
    char able[160];
    const char *detail;

    needed(call, what, sizeof(what));
    if (err->kind != ERR_INVALID || provider->adapter->can(&provider->account, what))
        return;
    list_able(call, what, able, sizeof(able));
    detail = strchr(what, '/');
    err_field(err,
              has(call, "operation") ? "operation"
              : has(call, "mode")    ? "mode"
                                     : "provider",
              "%s does not do %.*s%s%s; %s%s", provider->account.id,
              (int)strcspn(what, "/"), what, detail ? " with " : "", detail ? detail + 1 : "",
              *able ? "configured here that can: " : "no configured provider can", able);
    err_advise(err, "cannot");
}

/* Nothing is begun for a picture or a call without words: whoever made it asks first. */
static int check_words(const struct call *call, struct err *err)
{
    const char *prompt = word_of(call, "prompt", "");
    const char *operation = word_of(call, "operation", "edit");

    if (prompt[strspn(prompt, " \t\r\n")] || call->tool == &tool_character_replace ||
        (call->tool == &tool_edit_image && strncmp(operation, "remove_", 7) == 0))
        return 0;
    err_field(err, "prompt", "prompt is missing: it says what is wanted");
    err_advise(err, "words");
    return -1;
}

/* `extra` travels as text, so that every model's tool calling can express it. */
static int parse_extra(json_t *args, struct err *err)
{
    const char *text = json_string_value(json_object_get(args, "extra"));
    json_error_t broken;
    json_t *extra;

    if (!text)
        return 0;
    extra = json_loads(text, 0, &broken);
    if (!extra)
        return err_field(err, "extra", "extra must be a JSON object as text: %.*s",
                         json_reason_len(broken.text), broken.text);
    if (!json_is_object(extra)) {
        json_decref(extra);
        return err_field(err, "extra", "extra must be a JSON object as text: it is no object");
    }
    return json_object_set_new(args, "extra", extra) ? err_nomem(err) : 0;
}

/* Argument, then configuration; the adapter knows the rest. */
static int default_model(struct call *call, const struct config_provider *provider, json_t *args,
                         struct err *err)
{
    const char *model = config_model_for(call_config(call), kind_of(call), provider);

    if (json_object_get(args, "model") || !model)
        return 0;
    return json_object_set_new(args, "model", json_string(model)) ? err_nomem(err) : 0;
}

static void answer_plan(struct call *call, const struct config_provider *provider,
                        const struct provider_plan *plan)
{
    json_t *json = confirm_plan(call, provider, plan, "plan");

    if (json)
        edit_show(call, json);
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}

/* How long this call waits by itself; < 0: until the job ends. */
static int64_t wait_ms(const struct call *call)
{
    const json_t *seconds = json_object_get(call->args, "wait_seconds");

    return seconds ? json_integer_value(seconds) * 1000 : -1;
}

/* The words of a job that was there already, and that nothing new was begun. */
static void note_same(json_t *result, const struct call *call, const struct ledger_job *job)
{
    json_t *values = json_pack("{s:s}", "job", job->id);
    const char *now = json_string_value(json_object_get(result, "message"));
    int is_over = engine_state_ended(job->state);
    char *same =
        values ? words_text(call->language, is_over ? "same.ended" : "same", values) : NULL;
    char *both = is_over && now && same ? mem_format("%s %s", now, same) : NULL;

    /* How one has ended that came to nothing is all that has to be told. */
    if (same && (!is_over || result_status(job) == AHP_RESULT_OK))
        json_object_set_new(result, "message", json_string(both ? both : same));
    if (is_over && result_status(job) == AHP_RESULT_OK)
        json_object_set_new(result, "next",
                            json_string("if one more is wanted: the same call with again: true"));
    mem_free(both);
    mem_free(same);
    json_decref(values);
}

static void ordered(void *ud, const struct ledger_job *job, int created, const struct err *err)
{
    struct call *call = ud;
    int is_over = job && !created && engine_state_ended(job->state);
    json_t *json;

    if (call_ordered(call, job, created, err))
        return;
    if (!call->reply_to && !(call->flags & AHP_CALL_DETACH) && !is_over) {
        if (!created)
            engine_take(call_engine(call), job->id); /* unless somebody works on it */
        call_wait(call, wait_ms(call));
        return;
    }
    json = result_of_job(call, job);
    if (json && !created)
        note_same(json, call, job);
    else if (json && created && (call->flags & AHP_CALL_ONE_SHOT))
        result_note(json, call, "held", json_pack("{s:s}", "job", job->id));
    call_answer_take(call, created ? AHP_RESULT_PENDING_JOB : result_status(job), json, job);
}

/*
 * What tells this request from others where the host has no key for it. An item of a batch is told
 * by its words alone: a list is resumed after weeks, and from a copy of its folder.
 */
static char *dedup_text_of(const struct call *call)
{
    char *canonical = call_canonical(call);
    char *text;

    if (!canonical || !call->input_keys || call->dedup_key || call->batch_index)
        return canonical;
    text = mem_format("%s%s", canonical, call->input_keys);
    mem_free(canonical);
    return text;
}

static void place_order(struct call *call, const struct config_provider *provider,
                        const struct provider_plan *plan, const char *once)
{
    char *canonical = dedup_text_of(call);
    struct ledger_budget budget;
    struct engine_order order = {
        .tool = call->tool->name,
        .provider = provider,
        .plan = plan,
        .conversation = call->conversation,
        .caller = call->caller,
        .locale = call_locale(call),
        .reply_to = call->reply_to,
        .reply_to_len = call->reply_to_len,
        .dedup_key = once ? once : call->dedup_key,
        .output_dir = call->output_dir,
        .dedup_text = canonical,
        .label = json_string_value(json_object_get(call->args, "prompt")),
        .again = !once && json_is_true(json_object_get(call->args, "again")),
        .budget = confirm_budget(call, &budget),
        .restore = edit_restore(call),
    };
    struct err err;
    int rc = canonical ? 0 : err_nomem(&err);

    /* A process that ends with its answer must not begin what it cannot see through. */
    order.hold = (call->flags & AHP_CALL_ONE_SHOT) &&
                 (call->reply_to || (call->flags & AHP_CALL_DETACH));
    if (rc == 0)
        rc = batch_of_order(call, &order, &err);
    if (rc == 0)
        rc = engine_order(call_engine(call), &order, ordered, call, &err);
    if (rc == 0)
        call_begin(call);
    else
        call_fail(call, &err);
    mem_free(canonical);
}

static void plan_again(struct call *call, json_t *args);

static void inputs_ready(struct call *call, json_t *args, const struct err *input_err)
{
    struct provider_plan plan = {0};
    const struct config_provider *provider;
    const char *once;
    struct err err;

    if (!args) {
        call_fail(call, input_err);
        return;
    }
    json_decref(call->notes);
    call->notes = json_array();
    provider = choose(call, args, &err);
    if (!provider || check_words(call, &err) || parse_extra(args, &err) ||
        default_model(call, provider, args, &err)) {
        json_decref(args);
        call_fail(call, &err);
        return;
    }
    if (provider->adapter->plan(&provider->account, call->tool->name, args, &plan, &err)) {
        tell_cannot(call, provider, &err);
        json_decref(args);
        call_fail(call, &err);
        return;
    }
    json_array_extend(plan.changed, call->notes);
    json_decref(call->changed);
    call->changed = json_incref(plan.changed);
    if (json_is_true(json_object_get(args, "dry_run")))
        answer_plan(call, provider, &plan);
    else if (!provider->account.signed_in)
        login_begin(call, provider, 1);
    else if (confirm_pass(call, provider, &plan, args, plan_again, &once))
        place_order(call, provider, &plan, once);
    provider_plan_done(&plan);
    json_decref(args);
}

static void plan_again(struct call *call, json_t *args)
{
    inputs_ready(call, args, NULL);
}

static void run_image(struct call *call)
{
    inputs_resolve(call, image_files, inputs_ready);
}

static void edit_inputs_ready(struct call *call, json_t *args, const struct err *err)
{
    if (!args || !edit_prepare(call, args, inputs_ready))
        inputs_ready(call, args, err);
}

static void run_edit(struct call *call)
{
    inputs_resolve(call, edit_files, edit_inputs_ready);
}

static void run_video(struct call *call)
{
    inputs_resolve(call, video_files, inputs_ready);
}

static void run_replace(struct call *call)
{
    inputs_resolve(call, replace_files, inputs_ready);
}

const struct tool tool_generate_image = {"generate_image", run_image};
const struct tool tool_edit_image = {"edit_image", run_edit};
const struct tool tool_generate_video = {"generate_video", run_video};
const struct tool tool_character_replace = {"character_replace", run_replace};
