/* The configuration file and its parts: see openclaw_file.h.
 *
 * Each file that is being read has a link in a chain on the C stack; the chain is what a cycle is
 * found in and what bounds the depth. Values are built anew on the way out, as the host does, so a
 * "__proto__" key, which there sets a prototype instead of a member, is left out here too.
 *
 * Paths are compared twice, as the host does: as written, with "." and ".." taken away, and once
 * more after symbolic links.
 */
#include "config/openclaw_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/json5.h"

#define INCLUDE_KEY "$include"

/* A file that is being read, and the one that includes it. */
struct chain {
    const char *path;
    const struct chain *from;
    unsigned depth;
};

struct loader {
    const struct openclaw_fs *fs;
    const char *const *roots;
    size_t roots_count, files;
    char folder[OPENCLAW_PATH_MAX]; /* of the configuration file, "." and ".." taken away */
    struct openclaw_error *error;
};

static int load_part(struct loader *l, const struct chain *from, const json_t *include,
                     size_t nesting, json_t **ret_value);
static int process(struct loader *l, const struct chain *at, json_t *value, size_t nesting,
                   json_t **ret_value);

/* Appends; what does not fit is cut off. */
static void add(char *text, size_t size, const char *more)
{
    size_t used = strlen(text), len = strlen(more), room = size - used - 1;

    if (len > room)
        len = room;
    memcpy(text + used, more, len);
    text[used + len] = '\0';
}

static int fail(struct loader *l, const char *path, const char *what, const char *about)
{
    struct openclaw_error *e = l->error;

    e->line = e->column = 0;
    e->path[0] = e->text[0] = '\0';
    add(e->path, sizeof(e->path), path);
    add(e->text, sizeof(e->text), what);
    add(e->text, sizeof(e->text), about);
    return OPENCLAW_E_INVALID;
}

static int fail_memory(struct loader *l, const char *path)
{
    fail(l, path, "out of memory", "");
    return OPENCLAW_E_MEMORY;
}

static int fail_read(struct loader *l, const char *path, int rc, size_t bytes_max)
{
    char text[96];

    switch (rc) {
    case -ENOMEM:
        return fail_memory(l, path);
    case -EFBIG:
        snprintf(text, sizeof(text), "is larger than %zu bytes", bytes_max);
        return fail(l, path, text, "");
    case -EINVAL:
        return fail(l, path, "is not a regular file", "");
    case -EMLINK:
        return fail(l, path, "has hard links, which the host does not accept in a part", "");
    default:
        return fail(l, path, "cannot be read: ", strerror(-rc));
    }
}

/* ---- paths ---- */

int openclaw_path_join(const char *folder, const char *path, char *ret_path)
{
    char joined[2 * OPENCLAW_PATH_MAX];
    const char *part = joined, *next;
    size_t used = 0;
    int n;

    n = snprintf(joined, sizeof(joined), "%s/%s", path[0] == '/' ? "" : folder, path);
    if (n < 0 || (size_t)n >= sizeof(joined))
        return -1;
    for (; *part; part = next) {
        size_t len;

        while (*part == '/')
            part++;
        len = strcspn(part, "/");
        next = part + len;
        if (len == 0 || (len == 1 && part[0] == '.'))
            continue;
        if (len == 2 && part[0] == '.' && part[1] == '.') {
            while (used > 0 && ret_path[--used] != '/')
                ;
            continue;
        }
        if (used + 1 + len >= OPENCLAW_PATH_MAX)
            return -1;
        ret_path[used++] = '/';
        memcpy(ret_path + used, part, len);
        used += len;
    }
    if (used == 0)
        ret_path[used++] = '/';
    ret_path[used] = '\0';
    return 0;
}

/* The folder of an absolute, cleaned path. */
static void folder_of(const char *path, char *ret_folder)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash && slash > path ? (size_t)(slash - path) : 1;

    memcpy(ret_folder, path, len);
    ret_folder[len] = '\0';
}

static bool is_inside(const char *folder, const char *path)
{
    size_t len = strlen(folder);

    if (strcmp(folder, "/") == 0)
        return true;
    return strncmp(folder, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Whether path lies in one of the allowed folders; with real, in what they are after links. */
static bool is_allowed(struct loader *l, const char *path, bool real)
{
    for (size_t i = 0; i <= l->roots_count; i++) {
        const char *root = i == 0 ? l->folder : l->roots[i - 1];
        char cleaned[OPENCLAW_PATH_MAX], resolved[OPENCLAW_PATH_MAX];

        if (!root || root[0] != '/' || openclaw_path_join("", root, cleaned) < 0)
            continue;
        if (real && l->fs->resolve(l->fs->ud, cleaned, resolved) == 0)
            memcpy(cleaned, resolved, strlen(resolved) + 1);
        if (is_inside(cleaned, path))
            return true;
    }
    return false;
}

static int check_place(struct loader *l, const char *from, const char *path)
{
    char real[OPENCLAW_PATH_MAX];
    int rc;

    if (!is_allowed(l, path, false))
        return fail(l, from,
                    "includes a file outside the configuration's folder and outside "
                    "OPENCLAW_INCLUDE_ROOTS: ",
                    path);
    rc = l->fs->resolve(l->fs->ud, path, real);
    if (rc == -ENOENT || rc == -ENOTDIR) /* reading it says so */
        return 0;
    if (rc < 0)
        return fail_read(l, path, rc, OPENCLAW_INCLUDE_BYTES_MAX);
    if (!is_allowed(l, real, true))
        return fail(l, from,
                    "includes a link to a file outside the configuration's folder and outside "
                    "OPENCLAW_INCLUDE_ROOTS: ",
                    path);
    return 0;
}

/* ---- parts ---- */

static int fail_cycle(struct loader *l, const struct chain *from, const char *path)
{
    const struct chain *ring[OPENCLAW_INCLUDE_DEPTH_MAX + 2];
    size_t n = 0;

    for (const struct chain *c = from; c && n < OPENCLAW_INCLUDE_DEPTH_MAX + 2; c = c->from)
        ring[n++] = c;
    fail(l, from->path, "includes itself in the end: ", "");
    while (n > 0) {
        add(l->error->text, sizeof(l->error->text), ring[--n]->path);
        add(l->error->text, sizeof(l->error->text), " -> ");
    }
    add(l->error->text, sizeof(l->error->text), path);
    return OPENCLAW_E_INVALID;
}

/* Reads and parses; neither includes nor merges. 1: there is no such file. */
static int parse_file(struct loader *l, const char *path, size_t bytes_max, unsigned checks,
                      json_t **ret_value)
{
    struct json5_error where;
    char *text;
    size_t len;
    int rc = l->fs->read(l->fs->ud, path, bytes_max, checks, &text, &len);

    if (rc == -ENOENT)
        return 1;
    if (rc < 0)
        return fail_read(l, path, rc, bytes_max);
    rc = json5_parse(text, len, ret_value, &where);
    explicit_bzero(text, len); /* it may hold keys */
    mem_free(text);
    if (rc == 0)
        return 0;
    fail(l, path, where.text, "");
    l->error->line = where.line;
    l->error->column = where.column;
    return rc == JSON5_E_MEMORY ? OPENCLAW_E_MEMORY : OPENCLAW_E_INVALID;
}

static int load_part(struct loader *l, const struct chain *from, const json_t *include,
                     size_t nesting, json_t **ret_value)
{
    char folder[OPENCLAW_PATH_MAX], path[OPENCLAW_PATH_MAX];
    const char *name = json_string_value(include);
    struct chain at = {path, from, from->depth + 1};
    json_t *value;
    int rc;

    if (strlen(name) != json_string_length(include))
        return fail(l, from->path, "has an $include path with a NUL in it", "");
    folder_of(from->path, folder);
    if (json_string_length(include) >= OPENCLAW_PATH_MAX ||
        openclaw_path_join(folder, name, path) < 0)
        return fail(l, from->path, "has an $include path of 4096 characters or more", "");
    rc = check_place(l, from->path, path);
    if (rc < 0)
        return rc;
    for (const struct chain *c = from; c; c = c->from)
        if (strcmp(c->path, path) == 0)
            return fail_cycle(l, from, path);
    if (from->depth >= OPENCLAW_INCLUDE_DEPTH_MAX)
        return fail(l, from->path, "includes at more than 10 levels: ", name);
    if (++l->files > OPENCLAW_INCLUDES_MAX)
        return fail(l, from->path, "includes more than 1000 files in all: ", name);
    rc = parse_file(l, path, OPENCLAW_INCLUDE_BYTES_MAX, OPENCLAW_FS_ONE_LINK, &value);
    if (rc == 1)
        return fail(l, from->path, "includes a file that is not there: ", path);
    if (rc < 0)
        return rc;
    rc = process(l, &at, value, nesting, ret_value);
    json_decref(value);
    return rc;
}

static int load_parts(struct loader *l, const struct chain *at, json_t *include, size_t nesting,
                      json_t **ret_value)
{
    json_t *merged, *name;
    size_t i;

    if (json_is_string(include))
        return load_part(l, at, include, nesting, ret_value);
    if (!json_is_array(include))
        return fail(l, at->path, "has an $include that is neither a path nor an array of paths",
                    "");
    merged = json_object();
    json_array_foreach(include, i, name)
    {
        json_t *part, *next;
        int rc;

        if (!merged)
            break;
        rc = json_is_string(name)
                 ? load_part(l, at, name, nesting, &part)
                 : fail(l, at->path, "has an $include array with something else than a path", "");
        if (rc < 0) {
            json_decref(merged);
            return rc;
        }
        next = openclaw_merge(merged, part);
        json_decref(part);
        json_decref(merged);
        merged = next;
    }
    if (!merged)
        return fail_memory(l, at->path);
    *ret_value = merged;
    return 0;
}

/* ---- values ---- */

/* Every member but "$include" and "__proto__". */
static int process_members(struct loader *l, const struct chain *at, json_t *object, size_t nesting,
                           json_t **ret_value)
{
    json_t *result = json_object(), *value, *done;
    const char *key;
    size_t len;
    int rc = result ? 0 : fail_memory(l, at->path);

    json_object_keylen_foreach(object, key, len, value)
    {
        if (rc < 0)
            break;
        if ((len == 8 && memcmp(key, INCLUDE_KEY, 8) == 0) ||
            (len == 9 && memcmp(key, "__proto__", 9) == 0))
            continue;
        rc = process(l, at, value, nesting + 1, &done);
        if (rc == 0 && json_object_setn_new_nocheck(result, key, len, done) < 0)
            rc = fail_memory(l, at->path);
    }
    if (rc == 0)
        *ret_value = result;
    else
        json_decref(result);
    return rc;
}

static int process_object(struct loader *l, const struct chain *at, json_t *object, size_t nesting,
                          json_t **ret_value)
{
    json_t *include = json_object_get(object, INCLUDE_KEY), *included = NULL, *rest = NULL;
    int rc;

    if (!include)
        return process_members(l, at, object, nesting, ret_value);
    rc = load_parts(l, at, include, nesting, &included);
    if (rc < 0)
        return rc;
    if (json_object_size(object) == 1) {
        *ret_value = included;
        return 0;
    }
    if (!json_is_object(included))
        rc = fail(l, at->path, "has keys beside an $include whose content is not an object", "");
    if (rc == 0)
        rc = process_members(l, at, object, nesting, &rest);
    if (rc == 0) {
        json_t *merged = openclaw_merge(included, rest);

        if (merged)
            *ret_value = merged;
        else
            rc = fail_memory(l, at->path);
    }
    json_decref(included);
    json_decref(rest);
    return rc;
}

static int process_array(struct loader *l, const struct chain *at, json_t *array, size_t nesting,
                         json_t **ret_value)
{
    json_t *result = json_array(), *value, *done;
    int rc = result ? 0 : fail_memory(l, at->path);
    size_t i;

    json_array_foreach(array, i, value)
    {
        if (rc < 0)
            break;
        rc = process(l, at, value, nesting + 1, &done);
        if (rc == 0 && json_array_append_new(result, done) < 0)
            rc = fail_memory(l, at->path);
    }
    if (rc == 0)
        *ret_value = result;
    else
        json_decref(result);
    return rc;
}

static int process(struct loader *l, const struct chain *at, json_t *value, size_t nesting,
                   json_t **ret_value)
{
    if (nesting > JSON5_DEPTH_MAX)
        return fail(l, at->path, "nests too deep, together with what it includes", "");
    if (json_is_object(value))
        return process_object(l, at, value, nesting, ret_value);
    if (json_is_array(value))
        return process_array(l, at, value, nesting, ret_value);
    *ret_value = json_incref(value);
    return 0;
}

int openclaw_file_load(const struct openclaw_fs *fs, const char *path, const char *const *roots,
                       size_t roots_count, json_t **ret_config, struct openclaw_error *ret_error)
{
    struct loader l = {.fs = fs, .roots = roots, .roots_count = roots_count, .error = ret_error};
    char cleaned[OPENCLAW_PATH_MAX];
    struct chain at = {cleaned, NULL, 0};
    json_t *value;
    int rc;

    if (path[0] != '/' || openclaw_path_join("", path, cleaned) < 0)
        return fail(&l, "", "the configuration's path is not absolute or is too long", "");
    folder_of(cleaned, l.folder);
    rc = parse_file(&l, cleaned, OPENCLAW_FILE_BYTES_MAX, 0, &value);
    if (rc == 1) {
        fail(&l, cleaned, "is not there", "");
        return OPENCLAW_E_MISSING;
    }
    if (rc < 0)
        return rc;
    rc = process(&l, &at, value, 1, ret_config);
    json_decref(value);
    return rc;
}
