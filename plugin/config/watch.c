/*
 * watch.c - whether anything that a reading of the configuration depended on is different now:
 * files, also those that were not there, by their stat; variables of the process by a hash of their
 * value. A variable that has gone is no change: the host sets some for the length of a turn only,
 * and jobs that started with them go on after it.
 */
#include "config/config_private.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define WATCH_MAX 4096 /* files, and names; beyond it a file is read, but not watched */

static int same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* FNV-1a; never 0. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash ? hash : 1;
}

/* Room for one more; NULL without memory. */
static void *more(void *list, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room ? *room * 2 : 16;
    void *grown;

    if (count < *room)
        return list;
    grown = mem_grow(list, wanted * size);
    if (grown)
        *room = wanted;
    return grown;
}

void config_watch_file(struct config_watch *watch, const char *path)
{
    void *grown;
    char *copy;

    for (size_t i = 0; i < watch->files_count; i++)
        if (strcmp(watch->files[i].path, path) == 0)
            return;
    if (watch->files_count == WATCH_MAX)
        return;
    grown = more(watch->files, watch->files_count, &watch->files_room, sizeof(*watch->files));
    if (grown)
        watch->files = grown;
    copy = grown ? mem_text(path) : NULL;
    if (!copy) {
        watch->failed = 1;
        return;
    }
    memset(&watch->files[watch->files_count], 0, sizeof(*watch->files));
    watch->files[watch->files_count].path = copy;
    watch->files[watch->files_count].is_there =
        stat(path, &watch->files[watch->files_count].stat) == 0;
    watch->files_count++;
}

void config_watch_name(struct config_watch *watch, const char *name)
{
    const char *value = getenv(name);
    void *grown;
    char *copy;

    for (size_t i = 0; i < watch->names_count; i++)
        if (strcmp(watch->names[i].name, name) == 0)
            return;
    if (watch->names_count == WATCH_MAX)
        return;
    grown = more(watch->names, watch->names_count, &watch->names_room, sizeof(*watch->names));
    if (grown)
        watch->names = grown;
    copy = grown ? mem_text(name) : NULL;
    if (!copy) {
        watch->failed = 1;
        return;
    }
    watch->names[watch->names_count].name = copy;
    watch->names[watch->names_count].hash = value ? hash_of(value) : 0;
    watch->names_count++;
}

int config_watch_changed(const struct config_watch *watch)
{
    for (size_t i = 0; i < watch->files_count; i++) {
        struct stat now;
        int is_there = stat(watch->files[i].path, &now) == 0;

        if (is_there != watch->files[i].is_there ||
            (is_there && !same_file(&now, &watch->files[i].stat)))
            return 1;
    }
    for (size_t i = 0; i < watch->names_count; i++) {
        const char *value = getenv(watch->names[i].name);

        if (value && hash_of(value) != watch->names[i].hash)
            return 1;
    }
    return watch->failed;
}

void config_watch_done(struct config_watch *watch)
{
    for (size_t i = 0; i < watch->files_count; i++)
        mem_free(watch->files[i].path);
    for (size_t i = 0; i < watch->names_count; i++)
        mem_free(watch->names[i].name);
    mem_free(watch->files);
    mem_free(watch->names);
    memset(watch, 0, sizeof(*watch));
}

/* Noted before it is read: what is written meanwhile then shows as a change. */
static int watching_read(void *ud, const char *path, size_t bytes_max, unsigned checks,
                         char **ret_text, size_t *ret_len)
{
    struct config *config = ud;

    config_watch_file(&config->watch, path);
    return openclaw_fs_system.read(openclaw_fs_system.ud, path, bytes_max, checks, ret_text,
                                   ret_len);
}

static int watching_resolve(void *ud, const char *path, char *ret_path)
{
    (void)ud;
    return openclaw_fs_system.resolve(openclaw_fs_system.ud, path, ret_path);
}

void config_watch_fs(struct config *config)
{
    config->fs = (struct openclaw_fs){watching_read, watching_resolve, config};
}
