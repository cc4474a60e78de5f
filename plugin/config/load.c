/*
 * load.c - one reading of the host's files, in the host's order: .env files, the configuration with
 * its parts, env.vars, variables in strings; then what we make of it. A load is built beside the
 * one in use and replaces it only when it is complete.
 */
#include "config/config_private.h"

#include "base/json.h"
#include "base/mem.h"
#include "config/openclaw_dotenv.h"
#include "config/openclaw_names.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unistr.h>

#define MISSING_MAX 16 /* variables that are not set, logged per reading */

/* ---- the end of a load ---- */

/* The texts that may be secrets; the others may still be in use by those who were given them. */
static void wipe_secrets(json_t *root)
{
    static const char *const fields[] = {"apiKey", "headers", "env"};
    json_t *providers = json_object_get(json_object_get(root, "models"), "providers");
    json_t *skills = json_object_get(json_object_get(root, "skills"), "entries");
    json_t *member;
    const char *key;

    json_wipe(json_object_get(json_object_get(root, "env"), "vars"));
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        json_object_foreach(providers, key, member)
            json_wipe(json_object_get(member, fields[i]));
        json_object_foreach(skills, key, member)
            json_wipe(json_object_get(member, fields[i]));
    }
    json_object_foreach(providers, key, member) {
        json_wipe(json_object_get(json_object_get(member, "request"), "auth"));
        json_wipe(json_object_get(json_object_get(member, "request"), "headers"));
    }
}

void config_load_free(struct config_load *load)
{
    if (!load)
        return;
    config_providers_done(load);
    arena_done(&load->arena);
    for (size_t i = 0; i < load->vars.layers_count; i++)
        json_wipe(load->vars.layers[i].values);
    openclaw_env_done(&load->vars);
    wipe_secrets(load->root);
    wipe_secrets(load->authored);
    json_decref(load->root);
    json_decref(load->authored);
    json_decref(load->defaults);
    for (size_t i = 0; i < CONFIG_DOTENVS; i++)
        mem_free(load->dotenvs[i]);
    mem_free(load);
}

/* ---- .env files ---- */

/* What a folder's contents may not decide; 0 or -1. */
static void drop_protected(json_t *values)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(values, next, name, value)
        if (openclaw_name_is_protected(name))
            json_object_del(values, name);
}

/* One that cannot be used is passed over with a line in the log, as the host does. */
static int add_dotenv(struct config *config, struct config_load *load, size_t slot,
                      const char *path, int is_protected, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    json_t *values = NULL;
    int rc = config->fs.read(config->fs.ud, path, OPENCLAW_DOTENV_BYTES_MAX, 0, &text, &len);

    if (rc == -ENOMEM)
        return err_nomem(err);
    if (rc == -ENOENT || rc == -ENOTDIR)
        return 0;
    if (rc < 0 || memchr(text, '\0', len) || u8_check((const uint8_t *)text, len)) {
        env_log(config->env, AHP_LOG_WARN, LOG_CONFIG, "%s is not used: %s", path,
                rc == -EFBIG    ? "it is larger than 1 MiB"
                : rc == -EINVAL ? "it is not a regular file"
                : rc < 0        ? strerror(-rc)
                                : "it is not UTF-8 text");
        rc = 0;
        goto out;
    }
    values = openclaw_dotenv_parse(text, len);
    load->dotenvs[slot] = mem_text(path);
    if (!values || !load->dotenvs[slot]) {
        rc = err_nomem(err);
        goto out;
    }
    if (is_protected)
        drop_protected(values);
    rc = openclaw_env_add_take(&load->vars, load->dotenvs[slot], values);
    if (rc == 0)
        values = NULL;
    else
        rc = err_nomem(err);
out:
    json_decref(values);
    if (text)
        explicit_bzero(text, len);
    mem_free(text);
    return rc;
}

static int add_dotenvs(struct config *config, struct config_load *load, struct err *err)
{
    char cwd[PATH_MAX], path[OPENCLAW_PATH_MAX];

    if (getcwd(cwd, sizeof(cwd)) && openclaw_path_join(cwd, ".env", path) == 0 &&
        strcmp(path, config->dotenv) != 0 && add_dotenv(config, load, 0, path, 1, err))
        return -1;
    if (add_dotenv(config, load, 1, config->dotenv, 0, err))
        return -1;
    return config->gateway ? add_dotenv(config, load, 2, config->gateway, 0, err) : 0;
}

/* ---- the file ---- */

static const char *process_variable(void *ud, const char *name)
{
    struct config *config = ud;

    config_watch_name(&config->watch, name);
    return getenv(name);
}

static void log_missing(struct config *config, json_t *missing)
{
    const char *place;
    json_t *name;

    json_object_foreach(missing, place, name)
        env_log(config->env, AHP_LOG_WARN, LOG_CONFIG,
                "%s: %s refers to the variable %s, which is not set", config->file, place,
                json_string_value(name));
}

static void note_missing(void *ud, const char *name, const char *where)
{
    json_t *missing = ud;

    if (json_object_size(missing) < MISSING_MAX)
        json_object_set_new(missing, where, json_string(name));
}

/* OPENCLAW_INCLUDE_ROOTS; the texts are freed by the caller. */
static size_t include_roots(const struct config *config, const struct config_load *load,
                            char *roots[CONFIG_INCLUDE_ROOTS_MAX])
{
    const char *list = openclaw_env_get(&load->vars, "OPENCLAW_INCLUDE_ROOTS", NULL);
    size_t count = 0;

    while (list && *list && count < CONFIG_INCLUDE_ROOTS_MAX) {
        size_t len = strcspn(list, ":");
        char *entry = mem_text_n(list, len);

        roots[count] = entry ? config_place(config, entry) : NULL;
        if (roots[count])
            count++;
        mem_free(entry);
        list += len + (list[len] == ':');
    }
    return count;
}

static int tell_file(struct err *err, const struct openclaw_error *what)
{
    const char *path = what->path;

    if (what->line)
        return err_set(err, ERR_CONFIG, "%s, line %zu, column %zu: %s", path, what->line,
                       what->column, what->text);
    return err_set(err, ERR_CONFIG, "%s%s%s", path, *path ? " " : "", what->text);
}

/* A file that is not there is an empty one. */
static int read_file(struct config *config, struct config_load *load, struct err *err)
{
    char *roots[CONFIG_INCLUDE_ROOTS_MAX];
    size_t count = include_roots(config, load, roots);
    struct openclaw_error *what = mem_alloc(sizeof(*what));
    int rc = -1;

    if (!what) {
        err_nomem(err);
        goto out;
    }
    rc = openclaw_file_load(&config->fs, config->file, (const char *const *)roots, count,
                            &load->authored, what);
    if (rc == OPENCLAW_E_MISSING) {
        load->authored = json_object();
        rc = load->authored ? 0 : err_nomem(err);
    } else if (rc == OPENCLAW_E_MEMORY) {
        rc = err_nomem(err);
    } else if (rc < 0) {
        config->broken_line = what->line;
        config->broken_column = what->column;
        rc = tell_file(err, what);
    } else if (!json_is_object(load->authored)) {
        rc = err_set(err, ERR_CONFIG, "%s must hold an object", config->file);
    }
out:
    mem_free(what);
    while (count)
        mem_free(roots[--count]);
    return rc;
}

static int expand(struct config *config, struct config_load *load, struct err *err)
{
    json_t *missing = json_object();

    if (missing && openclaw_env_from_config(&load->vars, load->authored) == 0)
        load->root = openclaw_env_expand(load->authored, &load->vars, note_missing, missing);
    if (!load->root) {
        json_decref(missing);
        return err_nomem(err);
    }
    log_missing(config, missing);
    json_decref(missing);
    return 0;
}

/* ---- what we make of it ---- */

static int add_root(struct config_load *load, const char *path)
{
    if (load->roots_count == CONFIG_ROOTS_MAX)
        return -1;
    load->roots[load->roots_count++] = path;
    return 0;
}

/* input_dirs of create's settings, else of the file. */
static int fill_roots(const struct config *config, struct config_load *load, struct err *err)
{
    const json_t *extra = json_object_get(json_object_get(config->given, "settings"), "input_dirs");
    const json_t *value;
    size_t index;

    if (!extra)
        extra = json_object_get(config_load_settings(load), "input_dirs");
    add_root(load, config->workspace);   /* CONFIG_ROOT_WORKSPACE */
    add_root(load, config->output_root); /* CONFIG_ROOT_OUTPUT */
    add_root(load, config->media_dir);
    json_array_foreach((json_t *)extra, index, value) {
        if (!json_is_string(value) || json_string_value(value)[0] != '/')
            return err_set(err, ERR_CONFIG,
                           "%s: plugins.entries.clawmedia.config.input_dirs must hold absolute "
                           "paths",
                           config->file);
        if (add_root(load, json_string_value(value)))
            return err_set(err, ERR_CONFIG, "%s: input_dirs has more than %d folders",
                           config->file, CONFIG_ROOTS_MAX - 3);
    }
    return 0;
}

const json_t *config_load_settings(const struct config_load *load)
{
    const json_t *entries = json_object_get(json_object_get(load->root, "plugins"), "entries");

    return json_object_get(json_object_get(entries, "clawmedia"), "config");
}

static int check_settings(const struct config *config, const struct config_load *load,
                          struct err *err)
{
    static const char place[] = "plugins.entries.clawmedia.config";
    const json_t *settings = config_load_settings(load);
    struct err why;

    if (!settings || config_settings_check(settings, place, &why) == 0)
        return 0;
    if (why.kind == ERR_NOMEM)
        return err_nomem(err);
    return err_set(err, ERR_CONFIG, "%s: %s", config->file, why.text);
}

static struct config_load *new_load(struct config *config)
{
    struct config_load *load = mem_alloc(sizeof(*load));

    if (!load)
        return NULL;
    openclaw_env_init(&load->vars, process_variable, config);
    load->web.adapter = &provider_web;
    load->web.account.id = "web";
    load->web.account.base_url = "https://web.invalid"; /* nothing is ever asked of it */
    load->web.account.signed_in = 1;
    load->web.key_tail = load->web.key_source = "";
    memcpy(load->web.fingerprint, "web", 4);
    return load;
}

static void allow(const struct config_load *load, struct net_peer *peer)
{
    peer->allowed_hosts = load->allowed_hosts;
    peer->allowed_hosts_count = load->allowed_hosts_count;
}

/* Hosts that may be private, for every exchange of ours. Their texts live in what was loaded. */
static void fill_allowed_hosts(const struct config *config, struct config_load *load)
{
    const json_t *list =
        json_object_get(json_object_get(config->given, "settings"), "allowed_hosts");
    const json_t *host;
    size_t index;

    if (!list)
        list = json_object_get(config_load_settings(load), "allowed_hosts");
    json_array_foreach((json_t *)list, index, host)
        if (index < CONFIG_ALLOWED_HOSTS_MAX)
            load->allowed_hosts[load->allowed_hosts_count++] = json_string_value(host);
    for (size_t i = 0; i < load->entries_count; i++)
        allow(load, &load->entries[i]->provider.peer);
    for (size_t i = 0; i < load->logins_count; i++)
        allow(load, &load->logins[i]->provider.peer);
    allow(load, &load->web.peer);
}

struct config_load *config_load_empty(struct config *config, struct err *err)
{
    struct config_load *load = new_load(config);

    if (!load) {
        err_nomem(err);
        return NULL;
    }
    if (fill_roots(config, load, err)) {
        config_load_free(load);
        return NULL;
    }
    return load;
}

int config_load_read(struct config *config, struct config_load **ret_load, struct err *err)
{
    struct config_load *load = new_load(config);

    if (!load)
        return err_nomem(err);
    if (add_dotenvs(config, load, err) || read_file(config, load, err) ||
        expand(config, load, err) || check_settings(config, load, err) ||
        config_providers_load(config, load, err) || fill_roots(config, load, err) ||
        config_defaults_load(config, load, err)) {
        config_load_free(load);
        return -1;
    }
    fill_allowed_hosts(config, load);
    *ret_load = load;
    return 0;
}
