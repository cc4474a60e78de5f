/* See openclaw_secret.h. The rules are those of OpenClaw 2026.9.6 (ref-contract, types.secrets,
 * resolve). A secret file's text is wiped before it is freed; of what jansson made of it only the
 * memory is given back. */
#include "config/openclaw_secret.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ENV_NAME_BYTES_MAX 128
#define PROVIDER_BYTES_MAX 64
#define POINTER_BYTES_MAX  4096
#define SPACE              " \t\n\v\f\r"

struct ref {
    const char *source, *provider, *id;
};

/* what, with a name in front and one behind; names that are too long are cut off. */
static int fail(struct openclaw_error *error, const char *before, const char *what,
                const char *behind)
{
    int n = snprintf(error->text, sizeof(error->text), "%s%s%s", before, what, behind);

    if (n < 0)
        error->text[0] = '\0';
    error->line = error->column = 0;
    error->path[0] = '\0';
    return OPENCLAW_E_INVALID;
}

static int fail_memory(struct openclaw_error *error)
{
    fail(error, "out of memory", "", "");
    return OPENCLAW_E_MEMORY;
}

static void wipe_free(char *text, size_t len)
{
    if (text)
        explicit_bzero(text, len);
    mem_free(text);
}

static const char *text_member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool is_blank(const char *text)
{
    return text[strspn(text, SPACE)] == '\0';
}

static bool is_env_name(const char *text, size_t len)
{
    if (len == 0 || len > ENV_NAME_BYTES_MAX || text[0] < 'A' || text[0] > 'Z')
        return false;
    for (size_t i = 1; i < len; i++)
        if (!((text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= '0' && text[i] <= '9') ||
              text[i] == '_'))
            return false;
    return true;
}

static bool is_provider_name(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > PROVIDER_BYTES_MAX || text[0] < 'a' || text[0] > 'z')
        return false;
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

/* The configured alias for a source, or "default". */
static const char *default_provider(const json_t *config, const char *source)
{
    const json_t *defaults = json_object_get(json_object_get(config, "secrets"), "defaults");
    const char *name = text_member(defaults, source);

    return name && !is_blank(name) ? name : "default";
}

/* "$NAME" or "${NAME}" without the space around it: the name in *ret_name. */
static bool is_template(const char *text, size_t len, char *ret_name)
{
    if (len < 2 || text[0] != '$')
        return false;
    if (text[1] == '{' && text[len - 1] == '}') {
        text += 2;
        len -= 3;
    } else {
        text++;
        len--;
    }
    if (!is_env_name(text, len))
        return false;
    memcpy(ret_name, text, len);
    ret_name[len] = '\0';
    return true;
}

static bool is_source(const char *text)
{
    return strcmp(text, "env") == 0 || strcmp(text, "file") == 0 || strcmp(text, "exec") == 0 ||
           strcmp(text, "store") == 0;
}

/* Three members, or the older form without a provider. */
static bool is_reference(const json_t *config, const json_t *input, struct ref *ret_ref)
{
    const char *source = text_member(input, "source"), *id = text_member(input, "id");
    const json_t *provider = json_object_get(input, "provider");

    if (!source || !id || !is_source(source) || is_blank(id))
        return false;
    if (provider && (json_object_size(input) != 3 || !json_is_string(provider) ||
                     is_blank(json_string_value(provider))))
        return false;
    ret_ref->source = source;
    ret_ref->id = id;
    ret_ref->provider = provider ? json_string_value(provider) : default_provider(config, source);
    return true;
}

/* The provider's entry in *ret_entry, or NULL for the built-in one of env. */
static int find_provider(const json_t *config, const struct ref *ref, const json_t **ret_entry,
                         struct openclaw_error *error)
{
    const json_t *providers = json_object_get(json_object_get(config, "secrets"), "providers");
    const json_t *entry = json_object_get(providers, ref->provider);
    const char *source = text_member(entry, "source");

    if (!is_provider_name(ref->provider))
        return fail(error,
                    "the secret provider's name must be a lower-case letter and up to 63 "
                    "of a-z, 0-9, '_' and '-'",
                    "", "");
    if (source && strcmp(source, ref->source) == 0) {
        *ret_entry = entry;
        return 0;
    }
    if (strcmp(ref->source, "env") == 0 &&
        strcmp(ref->provider, default_provider(config, "env")) == 0) {
        *ret_entry = NULL;
        return 0;
    }
    if (!entry)
        return fail(error, ref->provider, " is no secret provider in secrets.providers", "");
    return fail(error, ref->provider, " has another source in secrets.providers than the reference",
                "");
}

/* ---- env ---- */

static bool is_listed(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *entry = json_string_value(json_array_get(list, i));

        if (entry && strcmp(entry, name) == 0)
            return true;
    }
    return false;
}

static int get_env(const struct openclaw_secrets *with, const struct ref *ref, const json_t *entry,
                   char **ret_secret, char *ret_origin, struct openclaw_error *error)
{
    const json_t *allowlist = json_object_get(entry, "allowlist");
    const char *source = "", *value;
    char *copy;

    if (!is_env_name(ref->id, strlen(ref->id)))
        return fail(error,
                    "the id of an env reference must be a capital letter and up to 127 of "
                    "A-Z, 0-9 and '_'",
                    "", "");
    if (json_is_array(allowlist) && !is_listed(allowlist, ref->id))
        return fail(error, ref->id, " is not in the allowlist of its secret provider", "");
    value = openclaw_env_get(with->env, ref->id, &source);
    if (!value || is_blank(value))
        return fail(error, ref->id, " is not set in the environment, or is empty", "");
    copy = mem_text(value);
    if (!copy)
        return fail_memory(error);
    snprintf(ret_origin, OPENCLAW_SECRET_ORIGIN_MAX, "variable %s (%s)", ref->id, source);
    *ret_secret = copy;
    return 0;
}

/* ---- file ---- */

/* The next part of an RFC 6901 pointer, unescaped; 0, or -1 for a "~" that escapes nothing. */
static int next_segment(const char **pointer, char *ret_text, size_t *ret_len)
{
    const char *p = *pointer + 1; /* the slash */
    size_t len = 0;

    for (; *p && *p != '/'; p++) {
        if (*p != '~') {
            ret_text[len++] = *p;
        } else if (p[1] == '0' || p[1] == '1') {
            ret_text[len++] = p[1] == '0' ? '~' : '/';
            p++;
        } else {
            return -1;
        }
    }
    *pointer = p;
    *ret_len = len;
    return 0;
}

static json_t *array_member(json_t *array, const char *text, size_t len)
{
    size_t index = 0;

    if (len == 0 || len > 9 || (text[0] == '0' && len > 1))
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(text[i] - '0');
    }
    return json_array_get(array, index);
}

static json_t *follow_pointer(json_t *root, const char *pointer)
{
    char segment[POINTER_BYTES_MAX];
    size_t len;

    if (pointer[0] != '/' || strlen(pointer) >= sizeof(segment))
        return NULL;
    while (*pointer && root) {
        if (next_segment(&pointer, segment, &len) < 0)
            return NULL;
        root = json_is_array(root) ? array_member(root, segment, len)
                                   : json_object_getn(root, segment, len);
    }
    return root;
}

static int pick_from_json(const char *text, size_t len, const char *pointer, char **ret_secret,
                          struct openclaw_error *error)
{
    json_error_t where;
    json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, &where), *value;
    int rc = 0;

    if (!json_is_object(root)) {
        /* jansson's own text may quote what the file holds, so only the place is passed on */
        fail(error, root ? "does not hold a JSON object" : "is not valid JSON", "", "");
        error->line = root || where.line < 0 ? 0 : (size_t)where.line;
        error->column = root || where.column < 0 ? 0 : (size_t)where.column;
        rc = OPENCLAW_E_INVALID;
        goto out;
    }
    value = follow_pointer(root, pointer);
    if (!json_is_string(value) || is_blank(json_string_value(value)) ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        rc = fail(error, "", "has no text at ", pointer);
        goto out;
    }
    *ret_secret = mem_text(json_string_value(value));
    if (!*ret_secret)
        rc = fail_memory(error);
out:
    json_decref(root);
    return rc;
}

static int pick_whole(const char *text, size_t len, const char *id, char **ret_secret,
                      struct openclaw_error *error)
{
    if (strcmp(id, "value") != 0)
        return fail(error, "of mode singleValue needs the id \"value\"", "", "");
    if (len > 0 && text[len - 1] == '\n')
        len -= len > 1 && text[len - 2] == '\r' ? 2 : 1;
    if (memchr(text, '\0', len))
        return fail(error, "holds a NUL", "", "");
    *ret_secret = mem_text_n(text, len);
    if (!*ret_secret)
        return fail_memory(error);
    if (is_blank(*ret_secret)) {
        mem_free(*ret_secret);
        *ret_secret = NULL;
        return fail(error, "is empty", "", "");
    }
    return 0;
}

static int fail_read(struct openclaw_error *error, int rc)
{
    switch (rc) {
    case -ENOMEM:
        return fail_memory(error);
    case -ENOENT:
        return fail(error, "is not there", "", "");
    case -EFBIG:
        return fail(error, "is too large for a secret", "", "");
    case -EINVAL:
        return fail(error, "is not a regular file", "", "");
    case -EMLINK:
        return fail(error, "has hard links: a file with secrets may have one name only", "", "");
    case -EACCES:
        return fail(error, "cannot be read, or others may read or change it: chmod 600", "", "");
    default:
        return fail(error, "", "cannot be read: ", strerror(-rc));
    }
}

static size_t bytes_max(const json_t *entry)
{
    json_int_t most = json_integer_value(json_object_get(entry, "maxBytes"));

    return most > 0 && most <= 20 * (json_int_t)OPENCLAW_SECRET_FILE_BYTES_MAX
               ? (size_t)most
               : OPENCLAW_SECRET_FILE_BYTES_MAX;
}

static int get_file(const struct openclaw_secrets *with, const struct ref *ref, const json_t *entry,
                    char **ret_secret, char *ret_origin, struct openclaw_error *error)
{
    const char *name = text_member(entry, "path"), *mode = text_member(entry, "mode"), *start;
    char path[OPENCLAW_PATH_MAX], *text = NULL, *secret = NULL;
    bool home = name && name[0] == '~' && (name[1] == '/' || name[1] == '\0');
    size_t len = 0, room = 0;
    int n, rc;

    n = !name ? -1
              : snprintf(path, sizeof(path), "%s%s", home && with->home ? with->home : "",
                         home ? name + 1 : name);
    if (n < 0 || (size_t)n >= sizeof(path) || path[0] != '/')
        return fail(error, ref->provider, " needs an absolute path in secrets.providers", "");
    rc = with->fs->read(with->fs->ud, path, bytes_max(entry), OPENCLAW_FS_PRIVATE, &text, &len);
    if (rc < 0) {
        rc = fail_read(error, rc);
    } else {
        room = len;
        start = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
        len -= (size_t)(start - text);
        rc = mode && strcmp(mode, "singleValue") == 0
                 ? pick_whole(start, len, ref->id, &secret, error)
                 : pick_from_json(start, len, ref->id, &secret, error);
    }
    wipe_free(text, room);
    if (rc < 0) {
        memcpy(error->path, path, strlen(path) + 1);
        return rc;
    }
    n = snprintf(ret_origin, OPENCLAW_SECRET_ORIGIN_MAX, "file %s", path);
    if (n >= OPENCLAW_SECRET_ORIGIN_MAX)
        memcpy(ret_origin + OPENCLAW_SECRET_ORIGIN_MAX - 4, "...", 4);
    *ret_secret = secret;
    return 0;
}

/* ---- any ---- */

static int get_reference(const struct openclaw_secrets *with, const struct ref *ref,
                         char **ret_secret, char *ret_origin, struct openclaw_error *error)
{
    const json_t *entry = NULL;
    int rc;

    if (strcmp(ref->source, "exec") == 0)
        return fail(error,
                    "a secret reference of source exec would start a program, which this "
                    "plugin never does: use source env or file",
                    "", "");
    if (strcmp(ref->source, "store") == 0)
        return fail(error,
                    "a secret reference of source store can be read by the host only: use "
                    "source env or file",
                    "", "");
    rc = find_provider(with->config, ref, &entry, error);
    if (rc < 0)
        return rc;
    return strcmp(ref->source, "env") == 0
               ? get_env(with, ref, entry, ret_secret, ret_origin, error)
               : get_file(with, ref, entry, ret_secret, ret_origin, error);
}

int openclaw_secret_get(const struct openclaw_secrets *with, const json_t *input, char **ret_secret,
                        char *ret_origin, struct openclaw_error *ret_error)
{
    char name[ENV_NAME_BYTES_MAX + 1];
    struct ref ref = {"env", NULL, name};
    const char *text;
    size_t len;

    if (!input || json_is_null(input)) {
        fail(ret_error, "nothing is configured", "", "");
        return OPENCLAW_E_MISSING;
    }
    if (json_is_object(input) && is_reference(with->config, input, &ref))
        return get_reference(with, &ref, ret_secret, ret_origin, ret_error);
    if (!json_is_string(input))
        return fail(ret_error,
                    "a secret must be text or an object {source, provider, id} with the "
                    "source env, file, exec or store",
                    "", "");
    text = json_string_value(input);
    text += strspn(text, SPACE);
    for (len = strlen(text); len > 0 && strchr(SPACE, text[len - 1]); len--)
        ;
    if (len == 0) {
        fail(ret_error, "nothing is configured", "", "");
        return OPENCLAW_E_MISSING;
    }
    if (is_template(text, len, name)) {
        ref.provider = default_provider(with->config, "env");
        return get_reference(with, &ref, ret_secret, ret_origin, ret_error);
    }
    *ret_secret = mem_text_n(text, len);
    if (!*ret_secret)
        return fail_memory(ret_error);
    snprintf(ret_origin, OPENCLAW_SECRET_ORIGIN_MAX, "text");
    return 0;
}
