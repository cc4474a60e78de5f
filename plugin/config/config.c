/*
 * config.c - see config.h. This file: where things are, the file's life, and choosing; what an entry
 * of models.providers means is in providers.c.
 */
#include "config/config.h"

#include "config/config_private.h"
#include "config/json5.h"
#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *text_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

/* Joins and makes absolute; "~/" is the home folder. NULL without memory. */
static char *path_from(const char *base, const char *path)
{
    const char *home = text_or_null(getenv("HOME"));

    if (path[0] == '~' && (path[1] == '/' || !path[1]))
        return mem_format("%s%s", home ? home : "", path + 1);
    if (path[0] == '/' || !base)
        return mem_text(path);
    return mem_format("%s/%s", base, path);
}

/* Takes one text member of the create text, or the fallback. */
static int take_path(char **ret_path, const json_t *given, const char *name, const char *fallback,
                     struct err *err)
{
    const json_t *value = json_object_get(given, name);
    char cwd[PATH_MAX];

    if (value && (!json_is_string(value) || !json_string_length(value)))
        return err_field(err, name, "%s must be a path as text", name);
    if (value)
        fallback = json_string_value(value);
    if (!getcwd(cwd, sizeof(cwd)))
        return err_set(err, ERR_IO, "the current folder cannot be read: %s", strerror(errno));
    *ret_path = path_from(cwd, fallback);
    return *ret_path ? 0 : err_nomem(err);
}

static int known_members(const json_t *given, struct err *err)
{
    static const char *const known[] = {"config_file", "state_dir", "workspace",
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
                             "are config_file, state_dir, workspace, locale, resume, settings",
                             key);
    }
    return 0;
}

/* OPENCLAW_CONFIG is the skills' name for it, OPENCLAW_CONFIG_PATH the host's. */
static int find_places(struct config *config, const json_t *given, struct err *err)
{
    const char *file = text_or_null(getenv("OPENCLAW_CONFIG_PATH"));
    const char *state = text_or_null(getenv("OPENCLAW_STATE_DIR"));
    const char *output = text_or_null(getenv("MEDIA_GENERATION_OUTPUT_ROOT"));
    const json_t *locale = json_object_get(given, "locale");
    char *host_state = path_from(NULL, state ? state : "~/.openclaw");
    char *fallback_file = host_state ? mem_format("%s/openclaw.json", host_state) : NULL;
    char *fallback_state = host_state ? mem_format("%s/clawmedia", host_state) : NULL;
    int rc = -1;

    if (!file)
        file = text_or_null(getenv("OPENCLAW_CONFIG"));
    if (!fallback_file || !fallback_state) {
        err_nomem(err);
        goto out;
    }
    if (take_path(&config->file, given, "config_file", file ? file : fallback_file, err) ||
        take_path(&config->state_dir, given, "state_dir", fallback_state, err) ||
        take_path(&config->workspace, given, "workspace", ".", err))
        goto out;
    if (locale && !json_is_string(locale)) {
        err_field(err, "locale", "locale must be a text such as \"en\" or \"zh-CN\"");
        goto out;
    }
    config->locale = mem_text(json_string_value(locale));
    config->output_root = path_from(config->workspace, output ? output : "tmp");
    if (config->output_root) {
        config->images_dir = mem_format("%s/images", config->output_root);
        config->videos_dir = mem_format("%s/videos", config->output_root);
    }
    config->media_dir = mem_format("%s/media", host_state);
    if (!config->images_dir || !config->videos_dir || !config->media_dir) {
        err_nomem(err);
        goto out;
    }
    rc = 0;
out:
    mem_free(host_state);
    mem_free(fallback_file);
    mem_free(fallback_state);
    return rc;
}

static int fill_roots(struct config *config, struct err *err)
{
    const json_t *extra = config_setting(config, "input_dirs");
    const json_t *value;
    size_t index;

    config->roots_count = 0;
    config->roots[config->roots_count++] = config->workspace;
    config->roots[config->roots_count++] = config->output_root;
    config->roots[config->roots_count++] = config->media_dir;
    json_array_foreach((json_t *)extra, index, value) {
        if (!json_is_string(value) || json_string_value(value)[0] != '/')
            return err_set(err, ERR_CONFIG,
                           "%s: plugins.entries.clawmedia.config.input_dirs must hold absolute paths",
                           config->file);
        if (config->roots_count == CONFIG_ROOTS_MAX)
            return err_set(err, ERR_CONFIG, "%s: input_dirs has more than %d folders",
                           config->file, CONFIG_ROOTS_MAX - 3);
        config->roots[config->roots_count++] = json_string_value(value);
    }
    return 0;
}

int config_open(struct env *env, const ahp_text *text, struct config **ret_config,
                struct err *err)
{
    struct config *config = mem_alloc(sizeof(*config));
    json_error_t broken;

    if (!config)
        return err_nomem(err);
    config->env = env;
    if (text && text->len)
        config->given = json_loadb(text->ptr, text->len, 0, &broken);
    else
        config->given = json_object();
    if (!json_is_object(config->given)) {
        err_set(err, ERR_INVALID, "the plugin's configuration must be a JSON object: %s",
                config->given ? "it is not one" : broken.text);
        goto fail;
    }
    if (known_members(config->given, err) || find_places(config, config->given, err))
        goto fail;
    if (json_object_get(config->given, "resume") &&
        !json_is_boolean(json_object_get(config->given, "resume"))) {
        err_field(err, "resume", "resume must be true or false");
        goto fail;
    }
    if (json_object_get(config->given, "settings") &&
        !json_is_object(json_object_get(config->given, "settings"))) {
        err_field(err, "settings", "settings must be a JSON object");
        goto fail;
    }
    if (fill_roots(config, err))
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
    config_providers_done(config);
    json_decref(config->given);
    json_decref(config->root);
    mem_free(config->file);
    mem_free(config->state_dir);
    mem_free(config->workspace);
    mem_free(config->locale);
    mem_free(config->output_root);
    mem_free(config->images_dir);
    mem_free(config->videos_dir);
    mem_free(config->media_dir);
    mem_free(config);
}

/* The whole file, at most LIMIT_CONFIG_BYTES. 1: there is none. */
static int read_file(const char *path, struct stat *ret_stat, struct buf *ret_text, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char chunk[16384];
    ssize_t n;

    if (fd < 0 && errno == ENOENT)
        return 1;
    if (fd < 0 || fstat(fd, ret_stat)) {
        err_set(err, ERR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
        goto fail;
    }
    if (!S_ISREG(ret_stat->st_mode)) {
        err_set(err, ERR_CONFIG, "%s is not a file", path);
        goto fail;
    }
    while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
        if (buf_add(ret_text, chunk, (size_t)n)) {
            err_set(err, ERR_CONFIG, "%s is larger than %u MiB", path, LIMIT_CONFIG_BYTES >> 20);
            goto fail;
        }
    }
    if (n < 0) {
        err_set(err, ERR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
        goto fail;
    }
    close(fd);
    return 0;
fail:
    if (fd >= 0)
        close(fd);
    return -1;
}

static int same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Puts a newly read root in place, or leaves everything as it was. */
static int adopt(struct config *config, json_t *root, struct err *err)
{
    json_t *old = config->root;

    config->root = root;
    if (config_providers_load(config, err) || fill_roots(config, err)) {
        struct err ignored;

        config->root = old;
        if (fill_roots(config, &ignored))
            config->roots_count = 3;
        return -1;
    }
    json_decref(old);
    return 0;
}

int config_refresh(struct config *config, struct err *err)
{
    struct json5_error where;
    struct buf text;
    struct stat now;
    json_t *root = NULL;
    int rc;

    memset(&now, 0, sizeof(now));
    if (config->loaded && stat(config->file, &now) == 0 && same_file(&now, &config->seen)) {
        if (config->broken.kind == ERR_NONE)
            return 0;
        *err = config->broken;
        return -1;
    }
    buf_init(&text, LIMIT_CONFIG_BYTES);
    rc = read_file(config->file, &now, &text, &config->broken);
    if (rc == 1) {
        memset(&now, 0, sizeof(now));
        root = json_object();
        rc = root ? 0 : err_nomem(&config->broken);
    } else if (rc == 0 && json5_parse(text.data ? text.data : "", text.len, &root, &where)) {
        rc = err_set(&config->broken, ERR_CONFIG, "%s, line %zu, column %zu: %s", config->file,
                     where.line, where.column, where.text);
    } else if (rc == 0 && !json_is_object(root)) {
        rc = err_set(&config->broken, ERR_CONFIG, "%s must hold an object", config->file);
    }
    buf_done(&text);
    config->loaded = 1;
    config->seen = now;
    if (rc == 0)
        rc = adopt(config, root, &config->broken);
    if (rc) {
        json_decref(root);
        env_log(config->env, AHP_LOG_WARN, LOG_CONFIG, "%s", config->broken.text);
        *err = config->broken;
        return -1;
    }
    memset(&config->broken, 0, sizeof(config->broken));
    return 0;
}

const char *config_file(const struct config *config)
{
    return config->file;
}

const char *config_state_dir(const struct config *config)
{
    return config->state_dir;
}

const char *config_images_dir(const struct config *config)
{
    return config->images_dir;
}

const char *config_videos_dir(const struct config *config)
{
    return config->videos_dir;
}

const char *config_locale(const struct config *config)
{
    return config->locale;
}

int config_resume(const struct config *config)
{
    return !json_is_false(json_object_get(config->given, "resume"));
}

const char *const *config_roots(const struct config *config, size_t *ret_count)
{
    *ret_count = config->roots_count;
    return config->roots;
}

/* What the host passed wins over the file: it may have resolved references that we cannot. */
const json_t *config_setting(const struct config *config, const char *name)
{
    const json_t *value = json_object_get(json_object_get(config->given, "settings"), name);
    const json_t *entry = json_object_get(
        json_object_get(json_object_get(config->root, "plugins"), "entries"), "clawmedia");

    return value ? value : json_object_get(json_object_get(entry, "config"), name);
}

const char *config_model(const struct config *config, enum config_model which)
{
    static const char *const names[] = {
        [CONFIG_MODEL_IMAGE] = "OPENCLAW_MEDIA_IMAGE_MODEL",
        [CONFIG_MODEL_EDIT] = "OPENCLAW_MEDIA_EDIT_MODEL",
        [CONFIG_MODEL_VIDEO] = "OPENCLAW_MEDIA_VIDEO_MODEL",
    };

    (void)config;
    return text_or_null(getenv(names[which]));
}

/* Both spellings are in use; for http only the small one is safe from CGI-style headers. */
void config_net_options(const struct config *config, struct net_options *ret_options)
{
    const char *all = text_or_null(getenv("all_proxy"));
    const char *https = text_or_null(getenv("https_proxy"));
    const char *http = text_or_null(getenv("http_proxy"));
    const char *none = text_or_null(getenv("no_proxy"));

    (void)config;
    if (!all)
        all = text_or_null(getenv("ALL_PROXY"));
    if (!https)
        https = text_or_null(getenv("HTTPS_PROXY"));
    if (!none)
        none = text_or_null(getenv("NO_PROXY"));
    ret_options->http_proxy = http ? http : all;
    ret_options->https_proxy = https ? https : all;
    ret_options->no_proxy = none;
    ret_options->ca_file = text_or_null(getenv("SSL_CERT_FILE"));
}
