/*
 * config.c - see config.h. This file: the life of what was read, and the answers out of it. Where
 * things are is in places.c, one reading in load.c, what an entry of models.providers means in
 * providers.c, choosing in choose.c.
 */
#include "config/config.h"

#include "base/mem.h"
#include "config/config_private.h"

#include <stdio.h>
#include <string.h>

static int known_members(const json_t *given, struct err *err)
{
    static const char *const known[] = {"config_file", "state_dir", "workspace", "output_dir",
                                        "locale",      "resume",    "settings"};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)given, key, value) {
        size_t i = 0;

        while (i < sizeof(known) / sizeof(*known) && strcmp(key, known[i]) != 0)
            i++;
        if (i == sizeof(known) / sizeof(*known))
            return err_field(err, key,
                             "the plugin's configuration has an unknown member \"%s\"; allowed "
                             "are config_file, state_dir, workspace, output_dir, locale, resume, settings",
                             key);
    }
    return 0;
}

static int take_given(struct config *config, const ahp_text *text, struct err *err)
{
    const json_t *locale, *settings;
    json_error_t broken;
    struct err why;

    if (text && text->len)
        config->given = json_loadb(text->ptr, text->len, 0, &broken);
    else
        config->given = json_object();
    if (!json_is_object(config->given))
        return err_set(err, ERR_INVALID, "the plugin's configuration must be a JSON object: %s",
                       config->given ? "it is not one" : broken.text);
    if (known_members(config->given, err))
        return -1;
    locale = json_object_get(config->given, "locale");
    if (locale && !json_is_string(locale))
        return err_field(err, "locale", "locale must be a text such as \"en\" or \"zh-CN\"");
    config->locale = mem_text(json_string_value(locale));
    if (locale && !config->locale)
        return err_nomem(err);
    if (json_object_get(config->given, "resume") &&
        !json_is_boolean(json_object_get(config->given, "resume")))
        return err_field(err, "resume", "resume must be true or false");
    settings = json_object_get(config->given, "settings");
    if (settings && !json_is_object(settings))
        return err_field(err, "settings", "settings must be a JSON object");
    if (settings && config_settings_check(settings, "settings", &why))
        return why.kind == ERR_NOMEM ? err_nomem(err) : err_field(err, "settings", "%s", why.text);
    return 0;
}

int config_open(struct env *env, const ahp_text *text, struct config **ret_config,
                struct err *err)
{
    struct config *config = mem_alloc(sizeof(*config));

    if (!config)
        return err_nomem(err);
    config->env = env;
    config_watch_fs(config);
    if (take_given(config, text, err) || config_places_find(config, config->given, err))
        goto fail;
    config->load = config_load_empty(config, err);
    if (!config->load)
        goto fail;
    *ret_config = config;
    return 0;
fail:
    config_close(config);
    return -1;
}

void config_close(struct config *config)
{
    if (!config)
        return;
    config_load_free(config->load);
    config_watch_done(&config->watch);
    json_decref(config->given);
    mem_free(config->home);
    mem_free(config->host_state);
    mem_free(config->file);
    mem_free(config->dotenv);
    mem_free(config->gateway);
    mem_free(config->state_dir);
    mem_free(config->workspace);
    mem_free(config->locale);
    mem_free(config->output_root);
    mem_free(config->media_dir);
    mem_free(config);
}

int config_refresh(struct config *config, struct err *err)
{
    struct config_load *fresh = NULL;
    struct err broken = {.kind = ERR_NONE};

    if (config->loaded && !config_watch_changed(&config->watch)) {
        if (config->broken.kind == ERR_NONE)
            return 0;
        *err = config->broken;
        return -1;
    }
    config_watch_done(&config->watch);
    config->broken_line = config->broken_column = 0;
    /* A shortage of memory says nothing about the files: they are read again next time. */
    config->loaded = config_load_read(config, &fresh, &broken) == 0 || broken.kind != ERR_NOMEM;
    if (!fresh) {
        config->broken = broken;
        env_scrub(config->env, config->broken.text);
        env_log(config->env, AHP_LOG_WARN, LOG_CONFIG, "%s%s", config->broken.text,
                config->load->root ? " (what was read before stays in use)" : "");
        *err = config->broken;
        return -1;
    }
    config_load_free(config->load);
    config->load = fresh;
    config->broken.kind = ERR_NONE;
    return 0;
}

const struct err *config_broken(const struct config *config, size_t *ret_line, size_t *ret_column)
{
    if (config->broken.kind == ERR_NONE)
        return NULL;
    *ret_line = config->broken_line;
    *ret_column = config->broken_column;
    return &config->broken;
}

const char *config_file(const struct config *config)
{
    return config->file;
}

const char *config_state_dir(const struct config *config)
{
    return config->state_dir;
}

static const char *output_root(const struct config *config, const char *given)
{
    return given && !config->output_is_fixed ? given : config->output_root;
}

char *config_output_dir(const struct config *config, const char *given, const char *kind)
{
    return mem_format("%s/%s", output_root(config, given),
                      strcmp(kind, "video") == 0 ? "videos" : "images");
}

const char *config_media_dir(const struct config *config)
{
    return config->media_dir;
}

const char *config_locale(const struct config *config)
{
    return config->locale;
}

int config_resume(const struct config *config)
{
    return !json_is_false(json_object_get(config->given, "resume"));
}

size_t config_roots(const struct config *config, const char *workspace, const char *output_dir,
                    const char *ret_roots[CONFIG_ROOTS_MAX])
{
    const struct config_load *load = config->load;

    memcpy(ret_roots, load->roots, load->roots_count * sizeof(*ret_roots));
    if (workspace)
        ret_roots[CONFIG_ROOT_WORKSPACE] = workspace;
    ret_roots[CONFIG_ROOT_OUTPUT] = output_root(config, output_dir);
    return load->roots_count;
}

const json_t *config_root(const struct config *config)
{
    return config->load->root;
}

/* What the host passed wins over the file: it may have resolved references that we cannot. */
const json_t *config_setting(const struct config *config, const char *name)
{
    const json_t *value = json_object_get(json_object_get(config->given, "settings"), name);

    return value ? value : json_object_get(config_load_settings(config->load), name);
}

const char *config_variable(const struct config *config, const char *name, const char **ret_source)
{
    const char *value = openclaw_env_get(&config->load->vars, name, ret_source);

    return value && *value ? value : NULL;
}

/* ---- skills ---- */

static const json_t *skill_entry(const struct config_load *load, const char *skill)
{
    const json_t *skills = json_object_get(load->root, "skills");

    return json_object_get(json_object_get(skills, "entries"), skill);
}

/* The host puts a skill's env into the process for a run, where nothing is set yet. */
const char *config_load_variable(const struct config_load *load, const char *skill,
                                 const char *name, const char **ret_source)
{
    const json_t *entry = skill_entry(load, skill);
    const char *value = openclaw_env_get(&load->vars, name, ret_source);

    if (value)
        return *value ? value : NULL;
    if (json_is_false(json_object_get(entry, "enabled")))
        return NULL;
    value = json_string_value(json_object_get(json_object_get(entry, "env"), name));
    if (!value || !*value)
        return NULL;
    if (ret_source)
        *ret_source = "skills.entries";
    return value;
}

const char *config_skill_variable(const struct config *config, const char *skill, const char *name,
                                  const char **ret_source)
{
    return config_load_variable(config->load, skill, name, ret_source);
}

/* ---- proxies ---- */

static const char *variable(const struct config *config, const char *name, const char *other)
{
    const char *value = config_variable(config, name, NULL);

    return value || !other ? value : config_variable(config, other, NULL);
}

/*
 * Both spellings are in use; for http only the small one is safe from CGI-style headers. A proxy
 * that the host manages goes before them, as it does there.
 */
void config_net_options(const struct config *config, struct net_options *ret_options)
{
    const json_t *managed = json_object_get(config->load->root, "proxy");
    const char *all = variable(config, "all_proxy", "ALL_PROXY");
    const char *https = variable(config, "https_proxy", "HTTPS_PROXY");
    const char *http = variable(config, "http_proxy", NULL);
    const char *url = json_string_value(json_object_get(managed, "proxyUrl"));

    if (!url || !*url)
        url = config_variable(config, "OPENCLAW_PROXY_URL", NULL);
    if (json_is_false(json_object_get(managed, "enabled")))
        url = NULL;
    ret_options->http_proxy = url ? url : http ? http : all;
    ret_options->https_proxy = url ? url : https ? https : all;
    ret_options->no_proxy = variable(config, "no_proxy", "NO_PROXY");
    ret_options->ca_file = config_variable(config, "SSL_CERT_FILE", NULL);
}
