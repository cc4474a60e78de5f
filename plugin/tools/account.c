/*
 * account.c - the tool `account`: which action, set_default, and what is said instead of taking a
 * key. Keys never pass through here: not in an argument, not in an answer. The accounts of this
 * build are entries of the host's configuration, which is the user's to write, so set_key and
 * remove_key explain where the key goes, unless the service has a file of its own for it
 * (account_key.c).
 */
#include "tools/account.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static const char *arg(const struct call *call, const char *name)
{
    return json_string_value(json_object_get(call->args, name));
}

/* Fails with a sentence of manifests/messages. values is taken. */
static void fail_words(struct call *call, enum err_kind kind, const char *field, const char *key,
                       json_t *values_take)
{
    char *text = words_text(call->language, key, values_take);
    struct err err;
    json_t *json;

    err_set(&err, kind, "%s", text ? text : key);
    snprintf(err.field, sizeof(err.field), "%s", field);
    mem_free(text);
    json_decref(values_take);
    json = result_of_error(call, &err);
    /* The sentence is the advice. */
    if (json)
        json_object_del(json_object_get(json, "error"), "advice");
    call_answer_take(call, AHP_RESULT_ERROR, json, NULL);
}

/* "setup", or the service's own where one was named that has its own place for a key. */
static const char *setup_key(const struct call *call, char *ret_key, size_t size)
{
    const char *provider = arg(call, "provider");

    if (!provider || !config_provider_is_builtin(provider))
        return "setup";
    snprintf(ret_key, size, "setup.%.60s", provider);
    return words_has(call->language, ret_key) ? ret_key : "setup";
}

void account_setup(struct call *call, int32_t status)
{
    char key[80];
    json_t *json = json_pack("{s:s, s:[], s:{s:s, s:s}}", "status",
                             status == AHP_RESULT_OK ? "ok" : "error", "providers", "config",
                             "file", config_file(call_config(call)), "state", "empty");

    if (json)
        result_note(json, call, setup_key(call, key, sizeof(key)),
                    json_pack("{s:s}", "file", config_file(call_config(call))));
    call_answer_take(call, json ? status : AHP_RESULT_ERROR, json, NULL);
}

/* ---- set_default ---- */

static const char *message_of(const struct call *call)
{
    const char *provider = arg(call, "provider");

    if (provider && !*provider)
        return arg(call, "kind") ? "account.default.cleared.kind" : "account.default.cleared";
    if (!arg(call, "model"))
        return arg(call, "kind") ? "account.default.provider.kind" : "account.default.provider";
    return provider ? "account.default.both" : "account.default.model";
}

/* What goes before the stored choice and so hides it, or NULL. */
static const char *hidden_by(const struct call *call, const json_t *defaults)
{
    const char *kind = arg(call, "kind");
    const json_t *now = json_object_get(defaults, kind ? kind : "image");
    const char *provider = arg(call, "provider");
    const char *why = json_string_value(json_object_get(now, "why"));
    const char *from = json_string_value(json_object_get(now, "model_from"));

    if (provider && *provider && why && strcmp(why, "environment") == 0)
        return "OPENCLAW_MEDIA_PROVIDER";
    if (arg(call, "model") && from && strcmp(from, "environment") == 0)
        return strcmp(kind, "video") == 0 ? "OPENCLAW_MEDIA_VIDEO_MODEL"
                                          : "OPENCLAW_MEDIA_IMAGE_MODEL, OPENCLAW_MEDIA_EDIT_MODEL";
    return NULL;
}

static json_t *values_of(const struct call *call, const char *model_provider)
{
    const char *kind = arg(call, "kind");
    const char *provider = arg(call, "provider");
    json_t *values = json_pack("{s:s, s:s}", "provider",
                               provider && *provider ? provider : model_provider, "model",
                               arg(call, "model") ? arg(call, "model") : "");
    char key[32];
    char *word;

    snprintf(key, sizeof(key), "kind.%s", kind ? kind : "image");
    word = words_text(call->language, key, NULL);
    json_object_set_new(values, "kind", json_string(word ? word : key));
    mem_free(word);
    return values;
}

static void stored(void *ud, int changed, const struct err *err)
{
    struct call *call = ud;
    struct err ignored;
    json_t *json, *defaults;
    const char *hider;

    (void)changed;
    if (call_back(call))
        return;
    if (err) {
        call_fail(call, err);
        return;
    }
    config_refresh(call_config(call), &ignored);
    defaults = account_defaults(call_config(call));
    json = json_pack("{s:s, s:O?}", "status", "ok", "defaults", defaults);
    if (json) {
        char *warning;

        result_note(json, call, message_of(call), values_of(call, call->told));
        hider = hidden_by(call, defaults);
        if (hider) {
            json_t *values = json_pack("{s:s}", "name", hider);

            warning = words_text(call->language, "account.default.hidden", values);
            json_object_set_new(json, "warning", json_string(warning ? warning : hider));
            mem_free(warning);
            json_decref(values);
        }
    }
    json_decref(defaults);
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}

/* The kind by its name; the schema knows no other. */
static enum config_model kind_of(const char *name)
{
    for (int i = CONFIG_MODEL_IMAGE; i <= CONFIG_MODEL_VIDEO; i++)
        if (strcmp(name, config_kind_name((enum config_model)i)) == 0)
            return (enum config_model)i;
    return CONFIG_MODEL_IMAGE;
}

/* What is to be stored; -1 with err for what makes no sense. */
static int plan_change(struct call *call, struct config_default_change *ret_change,
                       struct err *err)
{
    const struct config *config = call_config(call);
    const char *provider = arg(call, "provider");
    const char *model = arg(call, "model");
    const char *kind = arg(call, "kind");
    const struct config_provider *found = NULL;
    const char *how;

    if (config_defaults_broken(config)) {
        *err = *config_defaults_broken(config);
        return -1;
    }
    if (!provider && !model)
        return err_field(err, "provider", "set_default needs a provider, a model, or both");
    if (model && !*model)
        return err_field(err, "model", "model is empty; leave it out, or name one of list_models");
    if (model && !kind)
        return err_field(err, "kind", "kind is missing: is the model for image, edit or video?");
    if (provider && !*provider && model)
        return err_field(err, "model", "provider \"\" forgets defaults; it takes no model");
    memset(ret_change, 0, sizeof(*ret_change));
    ret_change->clear = provider && !*provider;
    ret_change->kind = kind;
    if (ret_change->clear)
        return 0;
    if (provider)
        found = config_provider_choose(config, provider, &how, err);
    else
        found = config_provider_choose_for(config, kind_of(kind), NULL, &how, err);
    if (!found)
        return -1;
    ret_change->provider = provider;
    ret_change->model = model;
    ret_change->model_provider = model ? found->account.id : NULL;
    return 0;
}

static void set_default(struct call *call)
{
    struct config_default_change change;
    struct err err;

    config_refresh(call_config(call), &err);
    if (plan_change(call, &change, &err)) {
        size_t line, column;
        const struct err *broken = config_broken(call_config(call), &line, &column);

        call_fail(call, broken && err.kind == ERR_CONFIG ? broken : &err);
        return;
    }
    /* No progress is told here: the place keeps the model's provider for the last sentence. */
    snprintf(call->told, sizeof(call->told), "%s",
             change.model_provider ? change.model_provider : "");
    if (config_defaults_save(call_config(call), &change, stored, call, &err))
        call_fail(call, &err);
    else
        call_begin(call);
}

/* ---- keys ---- */

/* "models.providers.<id>.apiKey" and where it comes from now. */
static const char *key_source_of(const struct config *config, const char *id)
{
    const struct config_provider *provider = config_provider_by_id(config, id);
    const struct config_problem *problem;

    if (provider)
        return provider->key_source;
    for (size_t i = 0; (problem = config_problem_at(config, i)); i++)
        if (strcmp(problem->id, id) == 0)
            return problem->key_source;
    return NULL;
}

/* As the host puts them into its configuration: capitals only. */
static int is_variable_name(const char *name)
{
    return *name && !(*name >= '0' && *name <= '9') &&
           !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")];
}

static void explain_key(struct call *call, int removes)
{
    const struct config *config = call_config(call);
    const char *provider = arg(call, "provider");
    const char *name = arg(call, "key_env");
    const char *source;
    char reference[160];
    char key[80];
    const char *words = setup_key(call, key, sizeof(key));
    struct err err;

    if (name && !is_variable_name(name)) {
        fail_words(call, ERR_INVALID, "key_env", "account.key.bad_env", NULL);
        return;
    }
    config_refresh(call_config(call), &err);
    source = provider ? key_source_of(config, provider) : NULL;
    snprintf(reference, sizeof(reference), "${%s}", name ? name : "MY_KEY");
    fail_words(call, ERR_INVALID, "action",
               !removes ? (strcmp(words, "setup") == 0 ? "account.key.set" : words)
               : source ? "account.key.remove.from"
                        : "account.key.remove",
               json_pack("{s:s, s:s, s:s, s:s}", "provider",
                         provider && *provider ? provider : "<id>", "file", config_file(config),
                         "reference", reference, "source", source ? source : ""));
}

/* 1 when an argument looked like a key, and the call has ended. */
static int refuse_keys(struct call *call)
{
    const char *name;
    json_t *value;

    json_object_foreach(call->args, name, value) {
        const char *text = json_string_value(value);
        char *copy;
        int is_known;

        if (!text)
            continue;
        /* A key of the configuration is one, whatever it looks like. */
        copy = mem_text(text);
        if (copy)
            env_scrub(call_env(call), copy);
        is_known = !copy || strcmp(copy, text) != 0;
        mem_free_secret(copy);
        /* Names of mounted secrets may be anything. */
        if (!is_known && (!text_looks_like_key(text) ||
                          (strcmp(name, "key_file") == 0 && strchr(text, '/'))))
            continue;
        fail_words(call, ERR_INVALID, name, "account.key.in_call",
                   json_pack("{s:s}", "field", name));
        return 1;
    }
    return 0;
}

static void run(struct call *call)
{
    const char *action = arg(call, "action");

    if (refuse_keys(call))
        return;
    if (!action || strcmp(action, "status") == 0)
        account_status(call);
    else if (strcmp(action, "check") == 0)
        account_check(call);
    else if (strcmp(action, "set_default") == 0 && arg(call, "aspect_ratio"))
        account_ratio(call);
    else if (strcmp(action, "set_default") == 0)
        set_default(call);
    else if (strcmp(action, "credits") == 0 || strcmp(action, "usage") == 0)
        account_ask(call, action);
    else if (strcmp(action, "login") == 0)
        account_login(call);
    else if (strcmp(action, "finish_login") == 0)
        account_finish_login(call);
    else if (strcmp(action, "logout") == 0 || strcmp(action, "switch") == 0)
        account_logout(call, *action == 's');
    else if (account_key(call, strcmp(action, "remove_key") == 0))
        explain_key(call, strcmp(action, "remove_key") == 0);
}

const struct tool tool_account = {"account", run};
