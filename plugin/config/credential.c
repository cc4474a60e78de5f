/*
 * credential.c - the file in which the own tools of a built-in account keep its secrets: written after
 * a login, removed after a logout. Another program reads it, too, so it is always whole: a new file,
 * synced, renamed. Nothing of its content is ever in an error.
 */
#include "config/config_private.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BYTES_MAX 65536

int config_credential_path(const struct config *config, const char *id, char *ret_path, size_t size)
{
    json_t *spec = config_builtin_spec(id);
    int rc = spec ? config_builtin_file(config, config->load, spec, ret_path, size) : -1;

    json_decref(spec);
    return rc;
}

static int path_of(const struct config *config, const char *id, char *ret_path, size_t size,
                   struct err *err)
{
    if (config_credential_path(config, id, ret_path, size) == 0)
        return 0;
    return err_set(err, ERR_CONFIG, "%s keeps its login in no file", id);
}

/* A file that is no JSON object may still be dear to somebody. */
static void set_aside(const char *path)
{
    json_t *there = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    char *aside = json_is_object(there) ? NULL : mem_format("%s.damaged", path);

    if (aside)
        (void)rename(path, aside); /* when there is none, too */
    mem_free(aside);
    json_wipe(there);
    json_decref(there);
}

int config_credential_save(struct config *config, const char *id, const json_t *members,
                           struct err *err)
{
    char path[OPENCLAW_PATH_MAX];
    char *text;
    int rc = -1;

    if (path_of(config, id, path, sizeof(path), err))
        return -1;
    text = json_dumps(members, JSON_INDENT(2));
    if (!text)
        err_nomem(err);
    else if (strlen(text) > BYTES_MAX)
        err_set(err, ERR_LIMIT, "%s would be larger than 64 KiB", path);
    else {
        set_aside(path);
        rc = file_replace(path, text, strlen(text), 0600, err);
    }
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

/* What the catalogue says of a secret or setting that is kept in a file, or NULL. */
static const json_t *find_member(const json_t *spec, const char *name)
{
    static const char *const lists[] = {"secrets", "settings"};
    const json_t *item;
    size_t index;

    if (json_is_true(json_object_get(spec, "login")))
        return NULL;
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        json_array_foreach(json_object_get(spec, lists[i]), index, item)
            if (strcmp(json_text(item, "name"), name) == 0 && *json_text(item, "member"))
                return item;
    return NULL;
}

/* The file with one member changed; CONFIG_MEMBER_NOTHING when it had none to take out. */
static int change_member(struct config *config, const char *id, const char *member,
                         const char *value, struct err *err)
{
    char path[OPENCLAW_PATH_MAX];
    json_error_t why;
    json_t *json;
    int rc = 0;

    if (path_of(config, id, path, sizeof(path), err))
        return -1;
    json = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!json && json_error_code(&why) == json_error_cannot_open_file)
        json = json_object();
    if (!json_is_object(json))
        rc = err_set(err, ERR_CONFIG, "%s is no JSON object, and is left as it is", path);
    else if (!value && !json_object_get(json, member))
        rc = CONFIG_MEMBER_NOTHING;
    else if (value ? json_object_set_new(json, member, json_string(value))
                   : json_object_del(json, member))
        rc = err_nomem(err);
    if (rc == 0)
        rc = config_credential_save(config, id, json, err);
    json_wipe(json);
    json_decref(json);
    return rc;
}

int config_credential_member(struct config *config, const char *id, const char *name,
                             const char *value, struct err *err)
{
    json_t *spec = config_builtin_spec(id);
    const json_t *item = find_member(spec, name);
    const char *prefix = json_text(item, "prefix");
    int rc;

    if (!item || !json_object_get(spec, "file"))
        rc = CONFIG_MEMBER_NONE;
    else if (value && (strncmp(value, prefix, strlen(prefix)) != 0 || !*value ||
                       value[strcspn(value, " \t\r\n")]))
        rc = err_set(err, ERR_INVALID, "Invalid API Key format: keys of %s start with %s", id, prefix);
    else
        rc = change_member(config, id, json_text(item, "member"), value, err);
    json_decref(spec);
    return rc;
}

int config_credential_remove(struct config *config, const char *id, struct err *err)
{
    char path[OPENCLAW_PATH_MAX];

    if (path_of(config, id, path, sizeof(path), err))
        return -1;
    if (unlink(path) && errno != ENOENT && errno != ENOTDIR)
        return err_set(err, ERR_IO, "cannot remove %s: %s", path, strerror(errno));
    return 0;
}

void config_device_name(const struct config *config, const char *id, char *ret_name, size_t size)
{
    json_t *spec = config_builtin_spec(id);
    const json_t *device = json_object_get(spec, "device");
    const char *own = config_variable(config, json_text(device, "variable"), NULL);
    struct sha256_ctx context;
    struct utsname machine = {.nodename = ""};
    uint8_t digest[SHA256_DIGEST_SIZE];
    char digits[17];

    (void)uname(&machine);
    sha256_init(&context);
    sha256_update(&context, strlen(machine.nodename) + 1, (const uint8_t *)machine.nodename);
    sha256_update(&context, strlen(machine.machine) + 1, (const uint8_t *)machine.machine);
    sha256_update(&context, strlen(config->home) + 1, (const uint8_t *)config->home);
    sha256_digest(&context, sizeof(digest), digest);
    for (size_t i = 0; i < 8; i++)
        snprintf(digits + 2 * i, 3, "%02x", digest[i]);
    if (own)
        snprintf(ret_name, size, "%s", own);
    else
        snprintf(ret_name, size, "%s%s", json_text(device, "prefix"), digits);
    json_decref(spec);
}
