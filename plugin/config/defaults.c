/*
 * defaults.c - what the account tool's set_default keeps in <state_dir>/defaults.json, which is
 * ours alone: the default provider, for all kinds or one, and the default models of single
 * providers.
 *
 *     {"providers": {"all": "a", "video": "b"}, "models": {"b": {"video": "m"}}}
 *
 * Read with the rest of the configuration and watched like it. A file that is broken is an error
 * that names it, and is not written to: choosing a provider fails until somebody has put it right,
 * because what the user chose is not known. Members that are not known are kept as they are.
 *
 * Written under a lock (two processes may share the folder): a new file, fsync, rename.
 */
#include "config/config_private.h"

#include "base/file.h"
#include "base/mem.h"
#include "config/json5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FILE_NAME "defaults.json"
#define TEMP_NAME "defaults.json.new"
#define LOCK_NAME "defaults.lock"
#define BYTES_MAX 65536u
#define ALL "all"

/* A change on its way to the file. */
struct changing {
    char *folder;
    char *kind, *provider, *model, *model_provider; /* of the change, each may be NULL */
    int clear;
};

static const char *const kind_names[] = {
    [CONFIG_MODEL_IMAGE] = "image",
    [CONFIG_MODEL_EDIT] = "edit",
    [CONFIG_MODEL_VIDEO] = "video",
};

const char *config_kind_name(enum config_model which)
{
    return kind_names[which];
}

/* ---- reading ---- */

static int is_texts(const json_t *value)
{
    const char *name;
    json_t *member;

    if (value && !json_is_object(value))
        return 0;
    json_object_foreach((json_t *)value, name, member)
        if (!json_string_length(member))
            return 0;
    return 1;
}

static int check_shape(const json_t *root, const char *path, struct err *err)
{
    const json_t *models = json_object_get(root, "models");
    const char *id;
    json_t *member;
    int is_sound = json_is_object(root) && is_texts(json_object_get(root, "providers")) &&
                   (!models || json_is_object(models));

    json_object_foreach((json_t *)models, id, member)
        is_sound = is_sound && is_texts(member);
    if (is_sound)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "%s does not hold what set_default writes; delete it to begin anew", path);
}

/* A new object, empty when there is no file. NULL: err; ERR_NOMEM says nothing about the file. */
static json_t *read_defaults(const struct openclaw_fs *fs, const char *path, struct err *err)
{
    struct json5_error broken;
    json_t *root = NULL;
    char *text = NULL;
    size_t len = 0;
    int rc = fs->read(fs->ud, path, BYTES_MAX, 0, &text, &len);

    if (rc == -ENOENT || rc == -ENOTDIR) {
        root = json_object();
        if (!root)
            err_nomem(err);
        return root;
    }
    if (rc == -ENOMEM) {
        err_nomem(err);
    } else if (rc < 0) {
        err_set(err, ERR_CONFIG, "%s cannot be used: %s", path,
                rc == -EFBIG    ? "it is larger than 64 KiB"
                : rc == -EINVAL ? "it is not a regular file"
                                : strerror(-rc));
    } else {
        rc = json5_parse(text, len, &root, &broken);
        if (rc == JSON5_E_MEMORY)
            err_nomem(err);
        else if (rc < 0)
            err_set(err, ERR_CONFIG, "%s, line %zu, column %zu: %s", path, broken.line,
                    broken.column, broken.text);
        else if (check_shape(root, path, err)) {
            json_decref(root);
            root = NULL;
        }
    }
    mem_free(text);
    return root;
}

int config_defaults_load(struct config *config, struct config_load *load, struct err *err)
{
    char *path = mem_format("%s/" FILE_NAME, config->state_dir);

    if (!path)
        return err_nomem(err);
    load->defaults = read_defaults(&config->fs, path, &load->defaults_broken);
    mem_free(path);
    return load->defaults || load->defaults_broken.kind != ERR_NOMEM ? 0 : err_nomem(err);
}

const struct err *config_defaults_broken(const struct config *config)
{
    return config->load->defaults_broken.kind == ERR_NONE ? NULL : &config->load->defaults_broken;
}

/* Of one kind; what is made from other pictures is a picture, where nothing else is said. */
static const char *of_kind(const json_t *texts, enum config_model which)
{
    const char *text = json_string_value(json_object_get(texts, kind_names[which]));

    if (!text && which == CONFIG_MODEL_EDIT)
        text = json_string_value(json_object_get(texts, kind_names[CONFIG_MODEL_IMAGE]));
    return text;
}

const char *config_default_provider(const struct config_load *load, const enum config_model *which)
{
    const json_t *providers = json_object_get(load->defaults, "providers");
    const char *id = which ? of_kind(providers, *which) : NULL;

    return id ? id : json_string_value(json_object_get(providers, ALL));
}

const char *config_default_model(const struct config_load *load, enum config_model which,
                                 const char *id)
{
    return of_kind(json_object_get(json_object_get(load->defaults, "models"), id), which);
}

/* ---- changing ---- */

/* The member of that name, made if need be; borrowed. NULL without memory. */
static json_t *member_of(json_t *object, const char *name)
{
    json_t *member = json_object_get(object, name);

    if (member)
        return member;
    json_object_set_new(object, name, json_object());
    return json_object_get(object, name);
}

static int apply(const struct changing *it, json_t *root)
{
    json_t *providers = member_of(root, "providers");
    json_t *models = member_of(root, "models");
    json_t *one;
    const char *id;
    void *next;

    if (!providers || !models)
        return -1;
    if (it->clear && !it->kind)
        json_object_clear(models);
    if ((it->clear || it->provider) && !it->kind)
        json_object_clear(providers);
    if (it->clear && it->kind) {
        json_object_del(providers, it->kind);
        json_object_foreach_safe(models, next, id, one)
            json_object_del(one, it->kind);
    }
    if (it->provider && json_object_set_new(providers, it->kind ? it->kind : ALL,
                                            json_string(it->provider)))
        return -1;
    if (!it->model)
        return 0;
    one = member_of(models, it->model_provider);
    return one ? json_object_set_new(one, it->kind, json_string(it->model)) : -1;
}

static int io_failed(const struct changing *it, const char *what, struct err *err)
{
    return err_set(err, ERR_IO, "cannot %s %s/" FILE_NAME ": %s", what, it->folder,
                   strerror(errno));
}

static int replace(const struct changing *it, int folder, const char *text, struct err *err)
{
    int fd = openat(folder, TEMP_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = -1;

    if (fd < 0)
        return io_failed(it, "write", err);
    if (fchmod(fd, 0600) == 0 && file_write_all(fd, text, strlen(text)) == 0 && fsync(fd) == 0)
        rc = renameat(folder, TEMP_NAME, folder, FILE_NAME);
    if (rc) {
        io_failed(it, "write", err);
        unlinkat(folder, TEMP_NAME, 0);
    } else if (fsync(folder) && errno != EINVAL && errno != EROFS) {
        rc = io_failed(it, "store the name of", err);
    }
    close(fd);
    return rc;
}

static int save_locked(const struct changing *it, int folder, struct err *err)
{
    char *path = mem_format("%s/" FILE_NAME, it->folder);
    json_t *root = path ? read_defaults(&openclaw_fs_system, path, err) : NULL;
    char *text = NULL;
    int rc = -1;

    if (!path)
        err_nomem(err);
    if (!root)
        goto out;
    if (apply(it, root) == 0)
        text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text)
        err_nomem(err);
    else if (strlen(text) > BYTES_MAX)
        err_set(err, ERR_LIMIT, "%s would be larger than 64 KiB", path);
    else
        rc = replace(it, folder, text, err);
out:
    free(text);
    json_decref(root);
    mem_free(path);
    return rc;
}

/* Off the loop: touches nothing but its item. */
static int save(void *item, struct err *err)
{
    const struct changing *it = item;
    int folder = open(it->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int lock = -1;
    int rc = -1;

    if (folder >= 0)
        lock = openat(folder, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0)
        io_failed(it, "write", err);
    else if (flock(lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        err_set(err, ERR_BUSY, "another process is just changing %s/" FILE_NAME, it->folder);
    else
        rc = save_locked(it, folder, err); /* also where the file system has no locks */
    if (lock >= 0)
        close(lock);
    if (folder >= 0)
        close(folder);
    return rc ? -1 : 1;
}

static void changing_free(void *item)
{
    struct changing *it = item;

    mem_free(it->folder);
    mem_free(it->kind);
    mem_free(it->provider);
    mem_free(it->model);
    mem_free(it->model_provider);
    mem_free(it);
}

int config_defaults_save(struct config *config, const struct config_default_change *change,
                         config_saved_fn *done, void *ud, struct err *err)
{
    struct changing *it = mem_alloc(sizeof(*it));
    int rc;

    if (!it)
        return err_nomem(err);
    it->folder = mem_text(config->state_dir);
    it->kind = mem_text(change->kind);
    it->provider = mem_text(change->provider);
    it->model = mem_text(change->model);
    it->model_provider = mem_text(change->model_provider);
    it->clear = change->clear;
    if (!it->folder || !it->kind != !change->kind || !it->provider != !change->provider ||
        !it->model != !change->model || !it->model_provider != !change->model_provider)
        rc = err_nomem(err);
    else
        rc = config_saving_add(config, it, save, changing_free, done, ud, err);
    if (rc)
        changing_free(it);
    return rc;
}
