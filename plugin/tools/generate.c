/*
 * generate.c - generate_image and generate_video: arguments to an order. What differs between the two
 * is which arguments name files, and which model is the default.
 */
#include "tools/tool.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const image_files[] = {"reference_images", NULL};
static const char *const video_files[] = {"first_frame", "last_frame", "reference_images", NULL};

static int is_video(const struct call *call)
{
    return call->tool == &tool_generate_video;
}

/* Which of the configured models a call is about. */
static enum config_model kind_of(const struct call *call)
{
    if (is_video(call))
        return CONFIG_MODEL_VIDEO;
    return json_array_size(json_object_get(call->args, "reference_images")) ? CONFIG_MODEL_EDIT
                                                                            : CONFIG_MODEL_IMAGE;
}

/* What the user should know about how the provider was found. */
static void note_choice(struct call *call, const struct config_provider *provider, const char *how,
                        const struct err *broken)
{
    char *text;

    if (strcmp(how, "first") == 0 && config_provider_at(call_config(call), 1)) {
        text = words_text(call->language, "first_provider", NULL);
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

static const struct config_provider *choose(struct call *call, struct err *err)
{
    struct config *config = call_config(call);
    const struct config_provider *provider;
    const char *how;
    struct err broken;
    int is_broken = config_refresh(config, &broken) != 0;
    char *text;
    json_t *values;

    provider = config_provider_choose_for(
        config, kind_of(call), json_string_value(json_object_get(call->args, "provider")), &how,
        err);
    if (provider) {
        note_choice(call, provider, how, is_broken ? &broken : NULL);
        return provider;
    }
    if (is_broken) {
        *err = broken;
        return NULL;
    }
    if (err->kind == ERR_CONFIG && nothing_is_configured(config)) {
        /* Nothing is configured: say how to, in the user's language. */
        values = json_pack("{s:s}", "file", config_file(config));
        text = words_text(call->language, "setup", values);
        json_decref(values);
        if (text)
            err_set(err, ERR_CONFIG, "%s", text);
        mem_free(text);
    }
    return NULL;
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
    if (!json_is_object(extra)) {
        json_decref(extra);
        return err_field(err, "extra", "extra must be a JSON object as text: %s",
                         extra ? "it is no object" : broken.text);
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

    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}

/* How long this call waits by itself; < 0: until the job ends. */
static int64_t wait_ms(const struct call *call)
{
    const json_t *seconds = json_object_get(call->args, "wait_seconds");

    return seconds ? json_integer_value(seconds) * 1000 : -1;
}

static void ordered(void *ud, const struct ledger_job *job, int created, const struct err *err)
{
    struct call *call = ud;
    json_t *json;

    if (call_back(call))
        return;
    if (!job) {
        call_fail(call, err);
        return;
    }
    snprintf(call->job, sizeof(call->job), "%s", job->id);
    call->created = created;
    if (!call->reply_to && !(call->flags & AHP_CALL_DETACH)) {
        if (!created && !engine_state_ended(job->state))
            engine_take(call_engine(call), job->id); /* unless somebody works on it */
        call_wait(call, wait_ms(call));
        return;
    }
    json = result_of_job(call, job);
    if (json && !created)
        result_note(json, call, "same", json_pack("{s:s}", "job", job->id));
    else if (json && (call->flags & AHP_CALL_ONE_SHOT))
        result_note(json, call, "held", json_pack("{s:s}", "job", job->id));
    call_answer_take(call, created ? AHP_RESULT_PENDING_JOB : result_status(job), json, job);
}

static void place_order(struct call *call, const struct config_provider *provider,
                        const struct provider_plan *plan, const char *once)
{
    char *canonical = call_canonical(call);
    struct engine_order order = {
        .tool = call->tool->name,
        .provider = provider,
        .plan = plan,
        .conversation = call->conversation,
        .caller = call->caller,
        .locale = words_tag(call->language),
        .reply_to = call->reply_to,
        .reply_to_len = call->reply_to_len,
        .dedup_key = once ? once : call->dedup_key,
        .dedup_text = canonical,
        .again = !once && json_is_true(json_object_get(call->args, "again")),
    };
    struct err err;
    int rc = canonical ? 0 : err_nomem(&err);

    /* A process that ends with its answer must not begin what it cannot see through. */
    order.hold = (call->flags & AHP_CALL_ONE_SHOT) &&
                 (call->reply_to || (call->flags & AHP_CALL_DETACH));
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
    provider = choose(call, &err);
    if (!provider || parse_extra(args, &err) || default_model(call, provider, args, &err) ||
        provider->adapter->plan(&provider->account, call->tool->name, args, &plan, &err)) {
        json_decref(args);
        call_fail(call, &err);
        return;
    }
    json_array_extend(plan.changed, call->notes);
    json_decref(call->changed);
    call->changed = json_incref(plan.changed);
    if (json_is_true(json_object_get(args, "dry_run")))
        answer_plan(call, provider, &plan);
    else if (confirm_pass(call, provider, &plan, args, plan_again, &once))
        place_order(call, provider, &plan, once);
    provider_plan_done(&plan);
    json_decref(args);
}

static void plan_again(struct call *call, json_t *args)
{
    inputs_ready(call, args, NULL);
}

static void run(struct call *call)
{
    inputs_resolve(call, is_video(call) ? video_files : image_files, inputs_ready);
}

const struct tool tool_generate_image = {"generate_image", run};
const struct tool tool_generate_video = {"generate_video", run};
