/*
 * choose.c - which provider and which model a request means when it does not say. The order is
 * always argument, the skills' variables, what set_default chose, our settings, the host's own
 * defaults, the first in the alphabet.
 */
#include "config/config.h"

#include "base/mem.h"
#include "base/near.h"
#include "config/config_private.h"

#include <stdio.h>
#include <string.h>

#define SKILL "media-generation" /* whose variables these are */

const struct config_provider *config_provider_at(const struct config *config, size_t index)
{
    return index < config->load->entries_count ? &config->load->entries[index]->provider : NULL;
}

const struct config_provider *config_login_at(const struct config *config, size_t index)
{
    return index < config->load->logins_count ? &config->load->logins[index]->provider : NULL;
}

const struct config_provider *config_provider_by_id(const struct config *config, const char *id)
{
    for (size_t i = 0; i < config->load->entries_count; i++)
        if (strcmp(config->load->entries[i]->provider.account.id, id) == 0)
            return &config->load->entries[i]->provider;
    for (size_t i = 0; i < config->load->logins_count; i++)
        if (strcmp(config->load->logins[i]->provider.account.id, id) == 0)
            return &config->load->logins[i]->provider;
    return strcmp(id, config->load->web.account.id) == 0 ? &config->load->web : NULL;
}

const struct config_problem *config_problem_at(const struct config *config, size_t index)
{
    return index < config->load->problems_count ? &config->load->problems[index] : NULL;
}

static const struct config_problem *problem_by_id(const struct config *config, const char *id)
{
    for (size_t i = 0; i < config->load->problems_count; i++)
        if (strcmp(config->load->problems[i].id, id) == 0)
            return &config->load->problems[i];
    return NULL;
}

/* "a, b, c" of what is configured, for messages. */
static void list_ids(const struct config *config, char *ret_text, size_t size)
{
    size_t len = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < config->load->entries_count && len < size; i++)
        len += (size_t)snprintf(ret_text + len, size - len, "%s%s", i ? ", " : "",
                                config->load->entries[i]->provider.account.id);
}

/* Nothing usable: the one that is broken, rather than incomplete, is what the user wants to hear
 * of. */
static void tell_none(const struct config *config, struct err *err)
{
    const struct config_problem *worst = NULL;

    for (size_t i = 0; i < config->load->problems_count; i++)
        if (!worst || (worst->is_incomplete && !config->load->problems[i].is_incomplete))
            worst = &config->load->problems[i];
    if (worst && !worst->is_incomplete)
        err_set(err, ERR_CONFIG, "no media provider can be used; provider \"%s\": %s", worst->id,
                worst->reason);
    else
        err_set(err, ERR_CONFIG,
                "no media provider is configured: models.providers in %s has no entry with a "
                "baseUrl and an apiKey",
                config->file);
}

static void tell_unknown(const struct config *config, const char *wanted, const char *how,
                         struct err *err)
{
    const struct config_problem *problem = problem_by_id(config, wanted);
    const char *nearest = NULL;
    size_t best = NEAR_BYTES_MAX;
    char ids[256];

    for (size_t i = 0; i < config->load->entries_count; i++)
        if (near_word(wanted, config->load->entries[i]->provider.account.id, &best))
            nearest = config->load->entries[i]->provider.account.id;
    list_ids(config, ids, sizeof(ids));
    if (problem)
        err_field(err, "provider", "provider \"%s\" (%s) cannot be used: %s; usable: %s", wanted,
                  how, problem->reason, ids);
    else
        err_field(err, "provider", "provider \"%s\" (%s) is not configured%s%s%s; configured: %s",
                  wanted, how, nearest ? " (nearest: " : "", nearest ? nearest : "",
                  nearest ? ")" : "", ids);
}

/* The host's "provider/model" for pictures or videos; its provider as one of ours, or NULL. */
static const struct config_provider *host_default(const struct config *config,
                                                  enum config_model which, const char **ret_model)
{
    const json_t *agents = json_object_get(config->load->root, "agents");
    const json_t *media =
        json_object_get(json_object_get(agents, "defaults"), "mediaModels");
    const json_t *value =
        json_object_get(media, which == CONFIG_MODEL_VIDEO ? "video" : "image");
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "primary")
                                                               : value);
    const char *slash = text ? strchr(text, '/') : NULL;

    for (size_t i = 0; slash && slash[1] && i < config->load->entries_count; i++) {
        const struct config_provider *provider = &config->load->entries[i]->provider;

        if (strlen(provider->account.id) == (size_t)(slash - text) &&
            memcmp(provider->account.id, text, (size_t)(slash - text)) == 0) {
            *ret_model = slash + 1;
            return provider;
        }
    }
    return NULL;
}

/* One that needs a login first is nobody's default unless there is nothing else. */
static const struct config_provider *first_usable(const struct config *config)
{
    for (size_t i = 0; i < config->load->entries_count; i++)
        if (config->load->entries[i]->provider.account.signed_in)
            return &config->load->entries[i]->provider;
    return &config->load->entries[0]->provider;
}

/* which NULL: for no kind in particular. */
static const struct config_provider *choose(const struct config *config,
                                            const enum config_model *which, const char *wanted,
                                            const struct config_provider *fallback,
                                            const char **ret_how, struct err *err)
{
    const char *chosen = config_default_provider(config->load, which);
    const char *env = config_skill_variable(config, SKILL, "OPENCLAW_MEDIA_PROVIDER", NULL);
    const char *setting = json_string_value(config_setting(config, "default_provider"));
    const struct config_provider *found = NULL;
    const char *how = "first";

    if (wanted && *wanted) {
        how = "argument";
    } else if (env) {
        wanted = env;
        how = "environment";
    } else if (chosen) {
        wanted = chosen;
        how = "set_default";
    } else if (setting && *setting) {
        wanted = setting;
        how = "setting";
    } else {
        wanted = NULL;
    }
    if (!config->load->entries_count && !(wanted && (problem_by_id(config, wanted) ||
                                                     config_provider_by_id(config, wanted)))) {
        tell_none(config, err);
        return NULL;
    }
    if (config->load->defaults_broken.kind != ERR_NONE) {
        *err = config->load->defaults_broken; /* what the user wants is not known */
        return NULL;
    }
    if (wanted) {
        found = config_provider_by_id(config, wanted);
        if (!found) {
            tell_unknown(config, wanted, how, err);
            return NULL;
        }
    } else if (fallback) {
        found = fallback;
        how = "host";
    } else {
        found = first_usable(config);
    }
    *ret_how = how;
    return found;
}

const struct config_provider *config_provider_choose(const struct config *config,
                                                     const char *wanted, const char **ret_how,
                                                     struct err *err)
{
    return choose(config, NULL, wanted, NULL, ret_how, err);
}

const struct config_provider *config_provider_choose_for(const struct config *config,
                                                         enum config_model which,
                                                         const char *wanted, const char **ret_how,
                                                         struct err *err)
{
    const char *model;

    return choose(config, &which, wanted, host_default(config, which, &model), ret_how, err);
}

const char *config_model(const struct config *config, enum config_model which)
{
    static const char *const names[] = {
        [CONFIG_MODEL_IMAGE] = "OPENCLAW_MEDIA_IMAGE_MODEL",
        [CONFIG_MODEL_EDIT] = "OPENCLAW_MEDIA_EDIT_MODEL",
        [CONFIG_MODEL_VIDEO] = "OPENCLAW_MEDIA_VIDEO_MODEL",
    };

    return config_skill_variable(config, SKILL, names[which], NULL);
}

/* 1 when our own settings name a model for it: the adapter then takes that one. */
static int has_setting(const struct config_provider *provider, enum config_model which)
{
    const json_t *settings = provider->account.settings;

    if (which == CONFIG_MODEL_VIDEO)
        return json_is_string(json_object_get(settings, "video_model"));
    return json_is_string(json_object_get(settings, "image_model")) ||
           (which == CONFIG_MODEL_EDIT && json_is_string(json_object_get(settings, "edit_model")));
}

const char *config_model_choose(const struct config *config, enum config_model which,
                                const struct config_provider *provider, const char **ret_how)
{
    const char *model = config_model(config, which);

    if (!model && which == CONFIG_MODEL_EDIT)
        model = config_model(config, CONFIG_MODEL_IMAGE);
    *ret_how = "environment";
    if (model)
        return model;
    model = config_default_model(config->load, which, provider->account.id);
    *ret_how = "set_default";
    if (model)
        return model;
    *ret_how = "setting";
    if (has_setting(provider, which))
        return NULL;
    *ret_how = "host";
    if (host_default(config, which, &model) == provider)
        return model;
    *ret_how = "provider";
    return NULL;
}

const char *config_model_for(const struct config *config, enum config_model which,
                             const struct config_provider *provider)
{
    const char *how;

    return config_model_choose(config, which, provider, &how);
}
