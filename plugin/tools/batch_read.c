/*
 * batch_read.c - a manifest's file becomes items. It may be some MiB and lie on a slow disk, so it
 * is read and parsed off the loop; where it is, and whether it may be read, is settled before.
 */
#include "tools/batch.h"

#include "base/mem.h"
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The item of an env_work, so it outlives its call. */
struct reading {
    struct call *call;
    batch_read_fn *done;
    char path[LIMIT_PATH];
    json_t *items;
    struct err err;
};

/* Off the loop: touches nothing but its item. */
static void read_file(void *item)
{
    struct reading *it = item;
    char *text = mem_alloc(LIMIT_ARGS_BYTES + 1);
    ssize_t got = -1;
    size_t len = 0;
    int fd = -1;

    if (!text) {
        err_nomem(&it->err);
        return;
    }
    fd = open(it->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    while (fd >= 0 && len <= LIMIT_ARGS_BYTES &&
           ((got = read(fd, text + len, LIMIT_ARGS_BYTES + 1 - len)) > 0 ||
            (got < 0 && errno == EINTR)))
        len += got > 0 ? (size_t)got : 0;
    if (fd < 0 || got < 0)
        err_set(&it->err, ERR_IO, "%s cannot be read: %s", it->path, strerror(errno));
    else if (len > LIMIT_ARGS_BYTES)
        err_set(&it->err, ERR_LIMIT, "%s is larger than %u MiB", it->path, LIMIT_ARGS_BYTES >> 20);
    else
        it->items = batch_manifest(text, len, &it->err);
    if (fd >= 0)
        close(fd);
    mem_free(text);
}

static void was_read(void *item, int32_t cancelled)
{
    struct reading *it = item;
    struct call *call = it->call;

    if (call_back(call)) {
        json_decref(it->items);
        mem_free(it);
        return;
    }
    if (!it->items && cancelled && it->err.kind == ERR_NONE)
        err_set(&it->err, ERR_CANCELLED, "the host is shutting down");
    if (!it->items && !it->err.field[0])
        snprintf(it->err.field, sizeof(it->err.field), "manifest");
    it->done(call, it->items, &it->err);
    mem_free(it);
}

void batch_read(struct call *call, const char *path, batch_read_fn *done)
{
    const char *roots[CONFIG_ROOTS_MAX];
    size_t count = config_roots(call_config(call), call->workspace, call->output_dir, roots);
    struct reading *it = mem_alloc(sizeof(*it));
    struct err err;
    int rc;

    if (!it)
        rc = err_nomem(&err);
    else if ((rc = media_text_find(path, roots, count, it->path, &err)) != 0)
        snprintf(err.field, sizeof(err.field), "manifest");
    if (rc == 0) {
        it->call = call;
        it->done = done;
        if (env_work(call_env(call), it, read_file, was_read) == 0) {
            call_begin(call);
            return;
        }
        err_nomem(&err);
    }
    mem_free(it);
    done(call, NULL, &err);
}
