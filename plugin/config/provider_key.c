/*
 * provider_key.c - secrets of the configuration and where they came from. For people the source is
 * told as the user wrote it: a variable that was put in by "${NAME}" is that variable, not the
 * file.
 */
#include "config/config_private.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The name in a text that is nothing but "${NAME}", or NULL. The caller frees. */
static char *only_variable(const json_t *authored)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const char *text = json_string_value(authored);
    size_t len;

    if (!text || strncmp(text, "${", 2) != 0)
        return NULL;
    len = strspn(text + 2, letters);
    return len && strcmp(text + 2 + len, "}") == 0 ? mem_text_n(text + 2, len) : NULL;
}

/* What the file refers to, whether or not it leads anywhere. */
static void describe(const struct config *config, const json_t *value, const json_t *authored,
                     const char *place, char *ret_source, size_t size)
{
    const char *source = json_string_value(json_object_get(value, "source"));
    const char *id = json_string_value(json_object_get(value, "id"));
    char *name = only_variable(authored);

    if (name)
        snprintf(ret_source, size, "variable %s", name);
    else if (source && id && strcmp(source, "env") == 0)
        snprintf(ret_source, size, "variable %s", id);
    else if (source && id)
        snprintf(ret_source, size, "secret reference %s:%s", source, id);
    else
        snprintf(ret_source, size, "%s in %s", place, config->file);
    mem_free(name);
}

/* After success: origin is openclaw_secret_get's. */
static void tell_source(const struct config *config, const struct config_load *load,
                        const json_t *value, const json_t *authored, const char *place,
                        const char *origin, char *ret_source, size_t size)
{
    char *name = only_variable(authored);
    const char *source;

    if (name && openclaw_env_get(&load->vars, name, &source))
        snprintf(ret_source, size, "variable %s (%s)", name, source);
    else if (strncmp(origin, "file ", 5) == 0)
        snprintf(ret_source, size, "%s (%s)", origin,
                 json_string_value(json_object_get(value, "id")));
    else if (strcmp(origin, "text") != 0)
        snprintf(ret_source, size, "%s", origin);
    else
        snprintf(ret_source, size, "%s in %s", place, config->file);
    mem_free(name);
}

/*
 * What a variable or an escape has put in is text, whatever it looks like: only what the user wrote
 * can be a reference. 1 when that is so.
 */
static int is_put_in(const json_t *value, const json_t *authored)
{
    return json_is_string(value) && json_is_string(authored) && !json_equal(value, authored);
}

static int take_text(const json_t *value, char **ret_secret, char *ret_origin,
                     struct openclaw_error *error)
{
    static const char space[] = " \t\n\v\f\r";
    const char *text = json_string_value(value) + strspn(json_string_value(value), space);
    size_t len = strlen(text);

    while (len && strchr(space, text[len - 1]))
        len--;
    if (!len) {
        *error = (struct openclaw_error){.text = "nothing is configured"};
        return OPENCLAW_E_MISSING;
    }
    *ret_secret = mem_text_n(text, len);
    snprintf(ret_origin, OPENCLAW_SECRET_ORIGIN_MAX, "text");
    return *ret_secret ? 0 : OPENCLAW_E_MEMORY;
}

int config_secret_find(struct config *config, const struct config_load *load, const json_t *value,
                       const json_t *authored, const char *place, char **ret_value,
                       char *ret_source, size_t source_size, struct err *err)
{
    struct openclaw_secrets with = {load->root, &load->vars, &config->fs, config->home};
    struct openclaw_error *what = mem_alloc(sizeof(*what));
    char origin[OPENCLAW_SECRET_ORIGIN_MAX] = "";
    char *secret = NULL;
    int rc;

    if (!what)
        return err_nomem(err);
    describe(config, value, authored, place, ret_source, source_size);
    rc = is_put_in(value, authored) ? take_text(value, &secret, origin, what)
                                    : openclaw_secret_get(&with, value, &secret, origin, what);
    if (rc == 0 && env_secret_add(config->env, secret))
        rc = OPENCLAW_E_MEMORY;
    if (rc == OPENCLAW_E_MEMORY) {
        rc = err_nomem(err);
    } else if (rc < 0) {
        err_set(err, ERR_CONFIG, "%s: %s%s%s", place, what->path, *what->path ? " " : "",
                what->text);
        rc = rc == OPENCLAW_E_MISSING ? CONFIG_SECRET_NONE : CONFIG_SECRET_BROKEN;
    } else if (secret[strcspn(secret, "\r\n")]) {
        err_set(err, ERR_CONFIG, "%s: the secret holds a line end, which nothing can be sent with",
                place);
        rc = CONFIG_SECRET_BROKEN;
    } else {
        tell_source(config, load, value, authored, place, origin, ret_source, source_size);
        *ret_value = secret;
        secret = NULL;
    }
    mem_free_secret(secret);
    mem_free(what);
    return rc;
}

/* The member of an object whose name is that of a header; *ret_name as written. */
static const json_t *header_member(const json_t *headers, const char *name, const char **ret_name)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)headers, key, value) {
        if (strcasecmp(key, name) == 0) {
            *ret_name = key;
            return value;
        }
    }
    return NULL;
}

/* The field that holds the key, as a path of at most three names below the entry. */
struct field {
    const char *names[3];
};

static const json_t *follow(const json_t *entry, const struct field *field)
{
    for (size_t i = 0; i < 3 && field->names[i]; i++)
        entry = json_object_get(entry, field->names[i]);
    return entry;
}

/*
 * request.auth goes before everything, a header Authorization before apiKey: the host merges them
 * in this order.
 */
static int choose_field(const json_t *entry, struct field *ret_field, struct config_key *ret_key,
                        struct err *err)
{
    const json_t *auth = json_object_get(json_object_get(entry, "request"), "auth");
    const char *mode = json_string_value(json_object_get(auth, "mode"));
    const char *name = "Authorization";

    ret_key->header = "Authorization";
    ret_key->format = "Bearer {{%s}}";
    if (mode && strcmp(mode, "authorization-bearer") == 0) {
        *ret_field = (struct field){{"request", "auth", "token"}};
    } else if (mode && strcmp(mode, "header") == 0) {
        ret_key->header = json_string_value(json_object_get(auth, "headerName"));
        ret_key->format = "{{%s}}";
        *ret_field = (struct field){{"request", "auth", "value"}};
        if (!ret_key->header || !*ret_key->header || json_object_get(auth, "prefix"))
            return err_set(err, ERR_CONFIG,
                           "request.auth needs a headerName, and may not have a prefix here");
    } else if (header_member(json_object_get(json_object_get(entry, "request"), "headers"), name,
                             &name)) {
        ret_key->format = "{{%s}}";
        *ret_field = (struct field){{"request", "headers", name}};
    } else if (header_member(json_object_get(entry, "headers"), name, &name)) {
        ret_key->format = "{{%s}}";
        *ret_field = (struct field){{"headers", name}};
    } else {
        *ret_field = (struct field){{"apiKey"}};
    }
    return 0;
}

int config_key_find(struct config *config, const struct config_load *load, const char *id,
                    struct config_key *ret_key, struct err *err)
{
    const json_t *models = json_object_get(load->root, "models");
    const json_t *entry = json_object_get(json_object_get(models, "providers"), id);
    const json_t *authored = json_object_get(
        json_object_get(json_object_get(load->authored, "models"), "providers"), id);
    struct field field;
    char place[320];

    if (choose_field(entry, &field, ret_key, err))
        return CONFIG_SECRET_BROKEN;
    snprintf(place, sizeof(place), "models.providers.%.128s.%s%s%s%s%s", id, field.names[0],
             field.names[1] ? "." : "", field.names[1] ? field.names[1] : "",
             field.names[1] && field.names[2] ? "." : "",
             field.names[1] && field.names[2] ? field.names[2] : "");
    return config_secret_find(config, load, follow(entry, &field), follow(authored, &field), place,
                              &ret_key->value, ret_key->source, sizeof(ret_key->source), err);
}
