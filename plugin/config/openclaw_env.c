/* See openclaw_env.h. Expansion follows OpenClaw's env-substitution: names are
 * [A-Z_][A-Z0-9_]*, the text put in is not looked at again, whatever is no reference stays. */
#include "config/openclaw_env.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/openclaw_names.h"

#define NAME_MAX_BYTES 256 /* longer names exist in no environment that a shell could set */

struct expansion {
    const struct openclaw_env *env;
    openclaw_missing_fn *missing;
    void *ud;
    char where[OPENCLAW_ENV_WHERE_MAX];
    size_t where_len;
};

struct text {
    char *bytes;
    size_t used, room;
};

/* ---- sources ---- */

void openclaw_env_init(struct openclaw_env *env, openclaw_lookup_fn *get, void *ud)
{
    *env = (struct openclaw_env){.get = get, .ud = ud};
}

void openclaw_env_done(struct openclaw_env *env)
{
    for (size_t i = 0; i < env->layers_count; i++)
        json_decref(env->layers[i].values);
    env->layers_count = 0;
}

static int add_layer(struct openclaw_env *env, const char *source, json_t *values, int fills_blanks)
{
    if (env->layers_count == OPENCLAW_ENV_LAYERS_MAX || !json_is_object(values))
        return -1;
    env->layers[env->layers_count].values = values;
    env->layers[env->layers_count].source = source;
    env->layers[env->layers_count].fills_blanks = fills_blanks;
    env->layers_count++;
    return 0;
}

int openclaw_env_add_take(struct openclaw_env *env, const char *source, json_t *values)
{
    return add_layer(env, source, values, 0);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\n\v\f\r")] == '\0';
}

const char *openclaw_env_get(const struct openclaw_env *env, const char *name,
                             const char **ret_source)
{
    const char *value = env->get ? env->get(env->ud, name) : NULL, *source = "environment";

    for (size_t i = 0; i < env->layers_count; i++) {
        const char *next;

        if (value && !(env->layers[i].fills_blanks && is_blank(value)))
            continue;
        next = json_string_value(json_object_get(env->layers[i].values, name));
        if (!next)
            continue;
        value = next;
        source = env->layers[i].source;
    }
    if (value && ret_source)
        *ret_source = source;
    return value;
}

/* ---- references ---- */

enum token { PLAIN, ESCAPED, REFERENCE };

/* What stands at text[0], which is a '$'; the name in the braces, and the bytes it all takes. */
static enum token token_at(const char *text, size_t len, const char **ret_name,
                           size_t *ret_name_len, size_t *ret_len)
{
    size_t start = len > 2 && text[1] == '$' && text[2] == '{' ? 3 : 2, end = start;

    if (start == 2 && (len < 3 || text[1] != '{'))
        return PLAIN;
    while (end < len && ((text[end] >= 'A' && text[end] <= 'Z') || text[end] == '_' ||
                         (end > start && text[end] >= '0' && text[end] <= '9')))
        end++;
    if (end == start || end == len || text[end] != '}')
        return PLAIN;
    *ret_name = text + start;
    *ret_name_len = end - start;
    *ret_len = end + 1;
    return start == 3 ? ESCAPED : REFERENCE;
}

static bool has_reference(const char *text, size_t len)
{
    const char *name;
    size_t name_len, token_len;

    for (size_t i = 0; i < len; i++) {
        if (text[i] != '$')
            continue;
        switch (token_at(text + i, len - i, &name, &name_len, &token_len)) {
        case REFERENCE:
            return true;
        case ESCAPED:
            i += token_len - 1;
            break;
        case PLAIN:
            break;
        }
    }
    return false;
}

static int put(struct text *t, const char *bytes, size_t len)
{
    if (len > OPENCLAW_ENV_STRING_MAX - t->used)
        return -1;
    if (t->room - t->used < len) {
        size_t room = t->room ? t->room : 64;
        char *grown;

        while (room - t->used < len)
            room *= 2;
        grown = mem_grow(t->bytes, room);
        if (!grown)
            return -1;
        t->bytes = grown;
        t->room = room;
    }
    if (len > 0)
        memcpy(t->bytes + t->used, bytes, len);
    t->used += len;
    return 0;
}

/* The variable's value, or the reference as written. */
static int put_reference(struct expansion *x, struct text *out, const char *written,
                         size_t written_len, const char *name, size_t name_len)
{
    char buffer[NAME_MAX_BYTES];
    const char *value = NULL;

    if (name_len < sizeof(buffer)) {
        memcpy(buffer, name, name_len);
        buffer[name_len] = '\0';
        value = openclaw_env_get(x->env, buffer, NULL);
        if ((!value || !*value) && x->missing)
            x->missing(x->ud, buffer, x->where);
    }
    return value && *value ? put(out, value, strlen(value)) : put(out, written, written_len);
}

static json_t *expand_string(struct expansion *x, json_t *value)
{
    const char *text = json_string_value(value), *name = NULL;
    size_t len = json_string_length(value), name_len = 0, token_len = 1;
    struct text out = {0};
    json_t *result = NULL;
    int rc = 0;

    if (!memchr(text, '$', len))
        return json_incref(value);
    for (size_t i = 0; i < len && rc == 0; i += token_len) {
        enum token token = PLAIN;

        token_len = 1;
        if (text[i] == '$')
            token = token_at(text + i, len - i, &name, &name_len, &token_len);
        if (token == REFERENCE)
            rc = put_reference(x, &out, text + i, token_len, name, name_len);
        else if (token == ESCAPED)
            rc = put(&out, text + i + 1, token_len - 1);
        else
            rc = put(&out, text + i, 1);
    }
    if (rc == 0)
        result = json_stringn(out.used ? out.bytes : "", out.used);
    mem_free(out.bytes);
    return result;
}

/* ---- values ---- */

static json_t *expand(struct expansion *x, json_t *value);

static bool is_plain_segment(const char *key, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = key[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '$';

        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == ':' || c == '-')))
            return false;
    }
    return len > 0;
}

/* Appends to where; what does not fit is cut off, it is for people only. */
static void enter(struct expansion *x, const char *before, const char *text, const char *after)
{
    size_t room = sizeof(x->where) - x->where_len;
    int n = snprintf(x->where + x->where_len, room, "%s%s%s", before, text, after);

    x->where_len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static void leave(struct expansion *x, size_t len)
{
    x->where_len = len;
    x->where[len] = '\0';
}

static json_t *expand_object(struct expansion *x, json_t *object)
{
    json_t *result = json_object(), *value;
    size_t before = x->where_len, len;
    const char *key;

    json_object_keylen_foreach(object, key, len, value)
    {
        if (!result)
            break;
        if (len == 9 && memcmp(key, "__proto__", 9) == 0) /* sets a prototype there, no member */
            continue;
        if (is_plain_segment(key, len))
            enter(x, before ? "." : "", key, "");
        else
            enter(x, "[\"", key, "\"]");
        if (json_object_setn_new_nocheck(result, key, len, expand(x, value)) < 0) {
            json_decref(result);
            result = NULL;
        }
        leave(x, before);
    }
    return result;
}

static json_t *expand_array(struct expansion *x, json_t *array)
{
    json_t *result = json_array(), *value;
    size_t before = x->where_len, i;
    char index[24];

    json_array_foreach(array, i, value)
    {
        if (!result)
            break;
        snprintf(index, sizeof(index), "%zu", i);
        enter(x, "[", index, "]");
        if (json_array_append_new(result, expand(x, value)) < 0) {
            json_decref(result);
            result = NULL;
        }
        leave(x, before);
    }
    return result;
}

static json_t *expand(struct expansion *x, json_t *value)
{
    if (json_is_string(value))
        return expand_string(x, value);
    if (json_is_object(value))
        return expand_object(x, value);
    if (json_is_array(value))
        return expand_array(x, value);
    return json_incref(value);
}

json_t *openclaw_env_expand(json_t *value, const struct openclaw_env *env,
                            openclaw_missing_fn *missing, void *ud)
{
    struct expansion x = {.env = env, .missing = missing, .ud = ud};

    return expand(&x, value);
}

/* ---- env.vars ---- */

static bool is_portable(const char *name)
{
    for (size_t i = 0; name[i]; i++) {
        char c = name[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';

        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name[0] != '\0';
}

int openclaw_env_from_config(struct openclaw_env *env, const json_t *config)
{
    json_t *vars = json_object_get(json_object_get(config, "env"), "vars"), *value;
    json_t *values = json_object();
    const char *name;

    if (!values)
        return -1;
    json_object_foreach(vars, name, value)
    {
        const char *text = json_string_value(value);

        if (!text || is_blank(text) || !is_portable(name) || openclaw_name_is_dangerous(name) ||
            has_reference(text, json_string_length(value)))
            continue;
        if (json_object_set(values, name, value) < 0) {
            json_decref(values);
            return -1;
        }
    }
    if (add_layer(env, "env.vars", values, 1) < 0) {
        json_decref(values);
        return -1;
    }
    return 0;
}
