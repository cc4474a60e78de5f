/*
 * credential.c - the file in which the own tools of a built-in account keep its secrets: written
 * after a login, removed after a logout, off the loop like all that saving.c does. Another program
 * reads it, too, so it is always whole: a new file, synced, renamed. Nothing of its content is ever
 * in an error.
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

/* One change on its way to the file. */
struct changing {
    char path[OPENCLAW_PATH_MAX];
    char *text;   /* the whole file, or NULL */
    char *member; /* or what is changed in it; NULL, too: the file goes */
    char *value;  /* of it; NULL: it is taken out */
};

static void changing_free(void *item)
{
    struct changing *it = item;

    mem_free_secret(it->text);
    mem_free(it->member);
    mem_free_secret(it->value);
    mem_free(it);
}

static struct changing *changing_new(const struct config *config, const char *id, struct err *err)
{
    struct changing *it = mem_alloc(sizeof(*it));

    if (!it) {
        err_nomem(err);
    } else if (config_credential_path(config, id, it->path, sizeof(it->path))) {
        err_set(err, ERR_CONFIG, "%s keeps its login in no file", id);
        changing_free(it);
        it = NULL;
    }
    return it;
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

/* The file as text, for mem_free_secret. */
static char *text_of(const json_t *members, struct err *err)
{
    char *text = json_dumps(members, JSON_INDENT(2));
    char *copy = mem_text(text);

    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    if (!copy)
        err_nomem(err);
    return copy;
}

/* Off the loop, as the two others. */
static int write_whole(void *item, struct err *err)
{
    const struct changing *it = item;
    size_t len = strlen(it->text);

    if (len > BYTES_MAX)
        return err_set(err, ERR_LIMIT, "%.300s would be larger than 64 KiB", it->path);
    set_aside(it->path);
    return file_replace(it->path, it->text, len, 0600, err) ? -1 : 1;
}

static int write_member(void *item, struct err *err)
{
    struct changing *it = item;
    json_error_t why;
    json_t *json = json_load_file(it->path, JSON_REJECT_DUPLICATES, &why);
    int rc;

    if (!json && json_error_code(&why) == json_error_cannot_open_file)
        json = json_object();
    if (!json_is_object(json))
        rc = err_set(err, ERR_CONFIG, "%.300s is no JSON object, and is left as it is", it->path);
    else if (!it->value && !json_object_get(json, it->member))
        rc = 0;
    else if (it->value ? json_object_set_new(json, it->member, json_string(it->value))
                       : json_object_del(json, it->member))
        rc = err_nomem(err);
    else if (!(it->text = text_of(json, err)))
        rc = -1;
    else
        rc = write_whole(it, err);
    json_wipe(json);
    json_decref(json);
    return rc;
}

static int remove_file(void *item, struct err *err)
{
    const struct changing *it = item;

    if (unlink(it->path) == 0)
        return 1;
    if (errno == ENOENT || errno == ENOTDIR)
        return 0;
    return err_set(err, ERR_IO, "cannot remove %.300s: %s", it->path, strerror(errno));
}

int config_credential_save(struct config *config, const char *id, const json_t *members,
                           config_saved_fn *done, void *ud, struct err *err)
{
    struct changing *it = changing_new(config, id, err);
    int rc = -1;

    if (!it)
        return -1;
    it->text = text_of(members, err);
    if (it->text)
        rc = config_saving_add(config, it, write_whole, changing_free, done, ud, err);
    if (rc)
        changing_free(it);
    return rc;
}

int config_credential_remove(struct config *config, const char *id, config_saved_fn *done, void *ud,
                             struct err *err)
{
    struct changing *it = changing_new(config, id, err);
    int rc = it ? config_saving_add(config, it, remove_file, changing_free, done, ud, err) : -1;

    if (rc && it)
        changing_free(it);
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

static int change_member(struct config *config, const char *id, const char *member,
                         const char *value, config_saved_fn *done, void *ud, struct err *err)
{
    struct changing *it = changing_new(config, id, err);
    int rc;

    if (!it)
        return -1;
    it->member = mem_text(member);
    it->value = mem_text(value);
    if (!it->member || !it->value != !value)
        rc = err_nomem(err);
    else
        rc = config_saving_add(config, it, write_member, changing_free, done, ud, err);
    if (rc)
        changing_free(it);
    return rc;
}

int config_credential_member(struct config *config, const char *id, const char *name,
                             const char *value, config_saved_fn *done, void *ud, struct err *err)
{
    json_t *spec = config_builtin_spec(id);
    const json_t *item = find_member(spec, name);
    const char *prefix = json_text(item, "prefix");
    int rc;

    if (!item || !json_object_get(spec, "file"))
        rc = CONFIG_MEMBER_NONE;
    else if (value && (strncmp(value, prefix, strlen(prefix)) != 0 || !*value ||
                       value[strcspn(value, " \t\r\n")]))
        rc = err_set(err, ERR_INVALID, "Invalid API Key format: keys of %s start with %s", id,
                     prefix);
    else
        rc = change_member(config, id, json_text(item, "member"), value, done, ud, err);
    json_decref(spec);
    return rc;
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
