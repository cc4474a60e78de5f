/*
 * account_status.c - the table of what is configured: every entry of models.providers, usable or
 * not and then why, where its key comes from, and what would be used when a request does not say.
 * What is told as the default is found by the same functions that generate_image and generate_video
 * use.
 */
#include "tools/account.h"

#include "base/mem.h"
#include "base/near.h"

#include <stdio.h>
#include <string.h>

#define BAD_MAX 320 /* of the message: which cannot be used, and why */

/* ---- defaults ---- */

/* The model that an order of that kind would get: asked of the adapter, which has the last word. */
static void add_model(const struct config *config, const struct config_provider *provider,
                      enum config_model which, json_t *row)
{
    const char *how;
    const char *model = config_model_choose(config, which, provider, &how);
    struct provider_plan plan = {0};
    json_t *args = json_pack("{s:s}", "prompt", "x");
    struct err err;

    if (args && model)
        json_object_set_new(args, "model", json_string(model));
    if (args && which == CONFIG_MODEL_EDIT)
        json_object_set_new(args, "reference_images",
                            json_pack("[{s:s, s:s, s:i, s:i, s:i}]", "path", "/x.png", "mime",
                                      "image/png", "width", 64, "height", 64, "bytes", 100));
    if (args && provider->adapter->plan(&provider->account,
                                        which == CONFIG_MODEL_VIDEO ? "generate_video"
                                                                    : "generate_image",
                                        args, &plan, &err) == 0)
        json_object_set_new(row, "model", json_string(plan.model));
    else if (model)
        json_object_set_new(row, "model", json_string(model));
    if (json_object_get(row, "model"))
        json_object_set_new(row, "model_from", json_string(how));
    provider_plan_done(&plan);
    json_decref(args);
}

json_t *account_defaults(const struct config *config)
{
    json_t *all = json_object();

    for (int i = CONFIG_MODEL_IMAGE; all && i <= CONFIG_MODEL_VIDEO; i++) {
        enum config_model which = (enum config_model)i;
        const char *how;
        struct err err;
        const struct config_provider *provider =
            config_provider_choose_for(config, which, NULL, &how, &err);
        json_t *row;

        if (provider) {
            row = json_pack("{s:s, s:s}", "provider", provider->account.id, "why", how);
            if (row)
                add_model(config, provider, which, row);
        } else {
            row = json_pack("{s:s}", "error", err.text);
        }
        json_object_set_new(all, config_kind_name(which), row);
    }
    return all;
}

/* ---- rows ---- */

static json_t *models_of(const struct config *config, const struct config_provider *provider)
{
    json_t *models = json_object();

    for (int i = CONFIG_MODEL_IMAGE; models && i <= CONFIG_MODEL_VIDEO; i++) {
        json_t *row = json_object();
        json_t *model, *from;

        add_model(config, provider, (enum config_model)i, row);
        model = json_object_get(row, "model");
        from = json_object_get(row, "model_from");
        if (model)
            json_object_set_new(models, config_kind_name((enum config_model)i),
                                json_pack("{s:O, s:O}", "model", model, "from", from));
        json_decref(row);
    }
    return models;
}

static json_t *usable_row(const struct config *config, const struct config_provider *provider,
                          const json_t *defaults)
{
    json_t *default_for = json_array();
    const char *kind;
    json_t *one, *row;
    char key[16];

    json_object_foreach((json_t *)defaults, kind, one) {
        const char *id = json_string_value(json_object_get(one, "provider"));

        if (id && strcmp(id, provider->account.id) == 0)
            json_array_append_new(default_for, json_string(kind));
    }
    row = json_pack("{s:s, s:b, s:s, s:s, s:s, s:o}", "id", provider->account.id, "configured", 1,
                    "base_url", provider->account.base_url, "adapter", provider->adapter->name,
                    "key_source", provider->key_source, "models", models_of(config, provider));
    if (row && !provider->account.signed_in)
        json_object_set_new(row, "needs_login", json_true());
    if (row && *provider->key_tail) {
        snprintf(key, sizeof(key), "\xE2\x80\xA6%s", provider->key_tail);
        json_object_set_new(row, "key", json_string(key));
    }
    if (row && json_array_size(default_for))
        json_object_set(row, "default_for", default_for);
    json_decref(default_for);
    return row;
}

static json_t *problem_row(const struct config *config, const struct config_problem *problem)
{
    char place[160];

    snprintf(place, sizeof(place), "models.providers.%.128s", problem->id);
    return json_pack("{s:s, s:b, s:s, s:s*, s:s*, s:s, s:s}", "id", problem->id, "configured", 0,
                     "reason", problem->reason, "base_url", problem->base_url, "key_source",
                     problem->key_source, "file", config_file(config), "place", place);
}

/* Both lists are in alphabetical order already; so is what becomes of them. */
static json_t *all_rows(const struct config *config, const char *only, const json_t *defaults,
                        size_t *ret_usable)
{
    const struct config_provider *provider = config_provider_at(config, 0);
    const struct config_problem *problem = config_problem_at(config, 0);
    size_t i = 0, j = 0;
    json_t *rows = json_array();

    while (provider || problem) {
        int is_usable =
            provider && (!problem || strcmp(provider->account.id, problem->id) < 0);
        const char *id = is_usable ? provider->account.id : problem->id;

        if (!only || strcmp(only, id) == 0) {
            json_array_append_new(rows, is_usable ? usable_row(config, provider, defaults)
                                                  : problem_row(config, problem));
            *ret_usable += is_usable && provider->account.signed_in;
        }
        if (is_usable)
            provider = config_provider_at(config, ++i);
        else
            problem = config_problem_at(config, ++j);
    }
    return rows;
}

int account_wanted(struct call *call, const char **ret_id, struct err *err)
{
    const struct config *config = call_config(call);
    const char *id = json_string_value(json_object_get(call->args, "provider"));
    const struct config_problem *problem;
    const char *how;

    *ret_id = NULL;
    if (!id || !*id)
        return 0;
    *ret_id = id;
    if (config_provider_by_id(config, id))
        return 0;
    for (size_t i = 0; (problem = config_problem_at(config, i)); i++)
        if (strcmp(problem->id, id) == 0)
            return 0;
    /* It says what there is. */
    if (config_provider_choose(config, id, &how, err))
        return 0;
    call_tell_setup(call, id, NULL, err);
    return -1;
}

/* ---- the answer ---- */

static json_t *config_row(const struct config *config)
{
    size_t line = 0, column = 0;
    const struct err *broken = config_broken(config, &line, &column);
    const char *state = !broken               ? "ok"
                        : config_root(config) ? "broken, the last good one is in use"
                                              : "broken";
    json_t *row = json_pack("{s:s, s:s}", "file", config_file(config), "state", state);

    if (!row || !broken)
        return row;
    json_object_set_new(row, "error", json_string(broken->text));
    if (line) {
        json_object_set_new(row, "line", json_integer((json_int_t)line));
        json_object_set_new(row, "column", json_integer((json_int_t)column));
    }
    return row;
}

/* "beta: it has no apiKey; gamma: ..." */
static void list_bad(const json_t *rows, char ret_text[BAD_MAX])
{
    const json_t *row;
    size_t index, len = 0;

    ret_text[0] = '\0';
    json_array_foreach((json_t *)rows, index, row) {
        const char *reason = json_string_value(json_object_get(row, "reason"));

        if (reason && len < BAD_MAX - 1)
            len += (size_t)snprintf(ret_text + len, BAD_MAX - len, "%s%s: %.200s", len ? "; " : "",
                                    json_string_value(json_object_get(row, "id")), reason);
    }
    if (len >= BAD_MAX)
        memcpy(ret_text + BAD_MAX - 4, "...", 4);
}

/* "a", or "a (image), b (video)" when they differ. */
static void list_defaults(const json_t *defaults, char ret_text[BAD_MAX])
{
    const char *first =
        json_string_value(json_object_get(json_object_get(defaults, "image"), "provider"));
    int differ = 0;
    size_t len = 0;
    const char *kind;
    json_t *row;

    json_object_foreach((json_t *)defaults, kind, row) {
        const char *id = json_string_value(json_object_get(row, "provider"));

        differ |= !id || !first || strcmp(id, first) != 0;
    }
    snprintf(ret_text, BAD_MAX, "%s", first ? first : "?");
    if (!differ)
        return;
    json_object_foreach((json_t *)defaults, kind, row) {
        const char *id = json_string_value(json_object_get(row, "provider"));

        if (len < BAD_MAX - 1)
            len += (size_t)snprintf(ret_text + len, BAD_MAX - len, "%s%.100s (%s)",
                                    len ? ", " : "", id ? id : "?", kind);
    }
}

static void add_message(struct call *call, json_t *json, const json_t *rows,
                        const json_t *defaults, size_t usable)
{
    const struct config *config = call_config(call);
    size_t line, column;
    const struct err *broken = config_broken(config, &line, &column);
    char bad[BAD_MAX], names[BAD_MAX];
    const json_t *unknown = json_object_get(json_object_get(defaults, "image"), "error");
    const char *key;

    list_bad(rows, bad);
    list_defaults(defaults, names);
    if (broken)
        key = "account.status.old";
    else if (!usable)
        key = "account.status.none";
    else if (unknown)
        key = "account.status.unknown";
    else
        key = *bad ? "account.status.bad" : "account.status";
    result_note(json, call, key,
                json_pack("{s:I, s:I, s:s, s:s, s:s}", "usable", (json_int_t)usable, "count",
                          (json_int_t)json_array_size(rows), "default", names, "bad", bad, "error",
                          broken    ? broken->text
                          : unknown ? json_string_value(unknown)
                                    : ""));
}

/* Entries there are, but none of any use: how one looks that is. */
static void add_setup(struct call *call, json_t *json)
{
    json_t *values = json_pack("{s:s}", "file", config_file(call_config(call)));
    char *text = words_text(call->language, "setup", values);

    if (text)
        json_object_set_new(json, "setup", json_string(text));
    mem_free(text);
    json_decref(values);
}

void account_status(struct call *call)
{
    const struct config *config = call_config(call);
    json_t *json, *rows, *defaults, *file;
    const char *only;
    size_t usable = 0;
    struct err err;
    int is_broken = config_refresh(call_config(call), &err) != 0;

    if (is_broken && !config_root(config)) {
        json = result_of_error(call, &err);
        file = config_row(config);
        if (json)
            json_object_set_new(json, "config", file);
        call_answer_take(call, AHP_RESULT_ERROR, json, NULL);
        return;
    }
    if (!config_provider_at(config, 0) && !config_problem_at(config, 0)) {
        account_setup(call, AHP_RESULT_OK);
        return;
    }
    if (account_wanted(call, &only, &err)) {
        call_fail(call, &err);
        return;
    }
    defaults = account_defaults(config);
    rows = all_rows(config, only, defaults, &usable);
    file = config_row(config);
    json = json_pack("{s:s, s:O?, s:o?}", "status", "ok", "providers", rows, "config", file);
    if (json && config_provider_at(config, 0))
        json_object_set(json, "defaults", defaults);
    if (json && config_defaults_broken(config))
        json_object_set_new(json, "warning", json_string(config_defaults_broken(config)->text));
    if (json)
        add_message(call, json, rows, defaults, usable);
    if (json && !config_provider_at(config, 0))
        add_setup(call, json);
    json_decref(rows);
    json_decref(defaults);
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}
