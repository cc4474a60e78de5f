/* list_models.c - what is configured here and what it can do, as the adapters tell it. */
#include "tools/tool.h"

#include "base/mem.h"

#include <string.h>

static void add_models(json_t *all, const struct config_provider *provider, const char *kind)
{
    json_t *models = provider->adapter->models(&provider->account);
    json_t *model;
    size_t index;

    json_array_foreach(models, index, model) {
        const char *its = json_string_value(json_object_get(model, "kind"));

        /* Models that replace a character make videos. */
        if (!kind || (its && (strcmp(kind, its) == 0 || (strcmp(kind, "video") == 0 &&
                                                         strcmp(its, "character") == 0))))
            json_array_append(all, model);
    }
    json_decref(models);
}

static size_t add_provider(json_t *providers, const struct config_provider *provider,
                           const char *kind)
{
    json_t *list = json_array();
    size_t count;

    add_models(list, provider, kind);
    count = json_array_size(list);
    json_array_append_new(providers, json_pack("{s:s, s:s, s:o}", "provider", provider->account.id,
                                               "base_url", provider->account.base_url, "models",
                                               list));
    return count;
}

static void run(struct call *call)
{
    const char *wanted = json_string_value(json_object_get(call->args, "provider"));
    const char *kind = json_string_value(json_object_get(call->args, "kind"));
    const struct config_provider *provider;
    const char *how;
    struct err broken = {.kind = ERR_NONE};
    struct err err;
    json_t *providers = json_array();
    json_t *json;
    size_t models = 0;

    config_refresh(call_config(call), &broken);
    if (!config_provider_choose(call_config(call), wanted, &how, &err)) {
        json_decref(providers);
        call_tell_setup(call, wanted, broken.kind != ERR_NONE ? &broken : NULL, &err);
        call_fail(call, &err);
        return;
    }
    for (size_t i = 0; !wanted && (provider = config_provider_at(call_config(call), i)); i++)
        models += add_provider(providers, provider, kind);
    /* By its name also one that nobody has logged in to. */
    if (wanted && (provider = config_provider_by_id(call_config(call), wanted)))
        models += add_provider(providers, provider, kind);
    json = json_pack("{s:s, s:O}", "status", "ok", "providers", providers);
    if (json && broken.kind != ERR_NONE)
        json_object_set_new(json, "warning", json_string(broken.text));
    if (json)
        result_note(json, call, "models",
                    json_pack("{s:I, s:I}", "count", (json_int_t)models, "providers",
                              (json_int_t)json_array_size(providers)));
    json_decref(providers);
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}

const struct tool tool_list_models = {"list_models", run};
