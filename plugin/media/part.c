/*
 * part.c - files that are being written: "<stem>.part" first, the final name only once the bytes
 * are checked and durable. A part holds its folder open, so that a folder that is moved or
 * replaced meanwhile changes nothing. The name is ours only while it leads to the inode that we
 * opened: another process that begins the same file anew takes the name, and then neither
 * publishing nor abandoning touches it.
 *
 * Bytes are written on the loop and left to the kernel, which begins to store them when it likes.
 * Nothing here asks it to hurry: sync_file_range waits when the disk has much to do, for tens of
 * milliseconds, and the loop with it. The sync that a result needs is a part of publishing.
 *
 * publish_work may run on another thread: it touches its part only, takes no memory and logs
 * nothing.
 */
#include "media/media.h"

#include "base/mem.h"
#include "media/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PART_SUFFIX ".part"
/* Stem, and ".part" or "." and an extension. */
#define NAME_SIZE (MEDIA_STEM_MAX + 16)

struct media_part {
    int fd;
    int dir_fd;
    int is_found;  /* it had its final name already: whatever it is, it stays */
    unsigned made; /* folders that were made: their names have to be synced too */
    uint64_t bytes;
    uint64_t bytes_max;
    dev_t dev;
    ino_t ino;
    char dir[LIMIT_PATH];
    char stem[MEDIA_STEM_MAX + 1];
    char part_name[NAME_SIZE];

    /* of publishing */
    enum media_kind kind;
    media_published_fn *done;
    void *ud;
    struct media_facts facts;
    char path[LIMIT_PATH + NAME_SIZE];
    struct err err; /* also of a failed write */
};

/* The system's words, with advice where there is some. A long path may cut off what follows it. */
static int io_error(struct err *err, int error, const char *doing, const char *dir,
                    const char *name)
{
    const char *slash = *name ? "/" : "";

    if (error == ENOSPC || error == EDQUOT)
        return err_set(err, ERR_IO, "the disk is full (%s). Free some space or choose another "
                       "folder, then ask again. Cannot %s %s%s%s", strerror(error), doing, dir,
                       slash, name);
    if (error == EACCES || error == EPERM || error == EROFS)
        return err_set(err, ERR_IO, "%s: cannot %s %s%s%s. Make the folder writable or choose "
                       "another one", strerror(error), doing, dir, slash, name);
    return err_set(err, ERR_IO, "%s: cannot %s %s%s%s", strerror(error), doing, dir, slash, name);
}

static int kind_is_wrong(const struct media_part *part)
{
    return part->kind != MEDIA_UNKNOWN && part->kind != part->facts.kind;
}

static const char *kind_name(enum media_kind kind)
{
    return kind == MEDIA_IMAGE ? "a picture" : kind == MEDIA_VIDEO ? "a video" : "sound";
}

/* mkdir -p; counts what it made. */
static int make_folders(const char *dir, unsigned *ret_made, struct err *err)
{
    char path[LIMIT_PATH];
    size_t len = strlen(dir);

    memcpy(path, dir, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        if (path[i - 1] == '/')
            continue;
        path[i] = '\0';
        if (mkdir(path, 0755) == 0)
            ++*ret_made;
        else if (errno != EEXIST && !(i < len && (errno == EACCES || errno == EROFS)))
            return io_error(err, errno, "make the folder", path, "");
        if (i < len)
            path[i] = '/';
    }
    return 0;
}

int media_folder_make(const char *dir, struct err *err)
{
    unsigned made = 0;

    if (strlen(dir) >= LIMIT_PATH)
        return err_set(err, ERR_LIMIT, "the path of a folder is longer than %d bytes",
                       LIMIT_PATH - 1);
    return make_folders(dir, &made, err);
}

int media_folder_check(const char *dir, struct err *err)
{
    struct statvfs disk;

    if (media_folder_make(dir, err))
        return -1;
    if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0)
        return io_error(err, errno, "write into", dir, "");
    /* Some network file systems tell no sizes. */
    if (statvfs(dir, &disk) == 0 && disk.f_blocks > 0 &&
        (uint64_t)disk.f_bavail * disk.f_frsize < MEDIA_ROOM_BYTES)
        return io_error(err, ENOSPC, "save results in", dir, "");
    return 0;
}

static int stem_is_wrong(const char *stem)
{
    return !*stem || *stem == '.' || strlen(stem) > MEDIA_STEM_MAX || strchr(stem, '/') != NULL;
}

/* Opens folder and file; whatever was opened is in the part, also when it fails. */
static int part_create(struct media_part *part, struct err *err)
{
    struct stat st;

    if (make_folders(part->dir, &part->made, err))
        return -1;
    part->dir_fd = open(part->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (part->dir_fd < 0)
        return io_error(err, errno, "open the folder", part->dir, "");
    /* A name of its own inode: a process that still writes the old one cannot spoil it. */
    if (unlinkat(part->dir_fd, part->part_name, 0) != 0 && errno != ENOENT)
        return io_error(err, errno, "replace", part->dir, part->part_name);
    part->fd = openat(part->dir_fd, part->part_name,
                      O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (part->fd < 0)
        return io_error(err, errno, "create", part->dir, part->part_name);
    if (fstat(part->fd, &st) != 0) {
        int error = errno;

        unlinkat(part->dir_fd, part->part_name, 0);
        return io_error(err, error, "create", part->dir, part->part_name);
    }
    part->dev = st.st_dev;
    part->ino = st.st_ino;
    return 0;
}

static void part_free(struct media_part *part)
{
    if (part->fd >= 0)
        close(part->fd);
    if (part->dir_fd >= 0)
        close(part->dir_fd);
    mem_free(part);
}

int media_part_open(const char *dir, const char *stem, uint64_t bytes_max,
                    struct media_part **ret_part, struct err *err)
{
    struct media_part *part;

    if (stem_is_wrong(stem) || !*dir)
        return err_set(err, ERR_INTERNAL, "no name for a file: \"%s\"", stem);
    /* The final path must fit too. */
    if (strlen(dir) + 1 + strlen(stem) + sizeof(PART_SUFFIX) + 8 > LIMIT_PATH)
        return err_set(err, ERR_LIMIT, "the path of the folder for results is too long");
    part = mem_alloc(sizeof(*part));
    if (!part)
        return err_nomem(err);
    part->fd = -1;
    part->dir_fd = -1;
    part->bytes_max = bytes_max;
    memcpy(part->dir, dir, strlen(dir) + 1);
    memcpy(part->stem, stem, strlen(stem) + 1);
    for (size_t len = strlen(dir); len > 1 && part->dir[len - 1] == '/'; len--)
        part->dir[len - 1] = '\0';
    snprintf(part->part_name, sizeof(part->part_name), "%s" PART_SUFFIX, stem);
    if (part_create(part, err)) {
        part_free(part);
        return -1;
    }
    *ret_part = part;
    return 0;
}

/* Opens an existing file of the part's folder under `name`. 1: there is none. */
static int part_reopen(struct media_part *part, const char *name, struct err *err)
{
    struct stat st;

    snprintf(part->part_name, sizeof(part->part_name), "%s", name);
    part->fd = openat(part->dir_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (part->fd < 0 && errno == ENOENT)
        return 1;
    if (part->fd < 0 || fstat(part->fd, &st) != 0)
        return io_error(err, errno, "open", part->dir, name);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, "%s/%s is not a file", part->dir, name);
    part->dev = st.st_dev;
    part->ino = st.st_ino;
    part->bytes = (uint64_t)st.st_size;
    part->bytes_max = part->bytes;
    return 0;
}

/* The name of "<stem>.<extension>" that we may have given; users put files beside ours. */
static int find_published(const struct media_part *part, char ret_name[NAME_SIZE])
{
    size_t len = strlen(part->stem);
    int fd = openat(part->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    int found = 0;

    if (!list) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    while (!found && (entry = readdir(list))) {
        if (strncmp(entry->d_name, part->stem, len) != 0 || entry->d_name[len] != '.' ||
            strlen(entry->d_name) >= NAME_SIZE || !type_is_extension(entry->d_name + len + 1))
            continue;
        memcpy(ret_name, entry->d_name, strlen(entry->d_name) + 1);
        found = 1;
    }
    closedir(list);
    return found;
}

int media_part_adopt(const char *dir, const char *stem, struct media_part **ret_part,
                     struct err *err)
{
    struct media_part *part;
    char name[NAME_SIZE];
    int rc;

    if (stem_is_wrong(stem) || strlen(dir) >= LIMIT_PATH)
        return err_set(err, ERR_INTERNAL, "no name for a file: \"%s\"", stem);
    part = mem_alloc(sizeof(*part));
    if (!part)
        return err_nomem(err);
    part->fd = -1;
    memcpy(part->dir, dir, strlen(dir) + 1);
    memcpy(part->stem, stem, strlen(stem) + 1);
    snprintf(name, sizeof(name), "%s" PART_SUFFIX, stem);
    part->dir_fd = open(part->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = part->dir_fd < 0 ? 1 : part_reopen(part, name, err);
    if (rc == 1 && part->dir_fd >= 0 && find_published(part, name)) {
        part->is_found = 1;
        rc = part_reopen(part, name, err);
    }
    if (rc == 1)
        rc = err_set(err, ERR_NOT_FOUND,
                     "%s/%s is gone; it was not complete when the process ended", dir, stem);
    if (rc) {
        part_free(part);
        return -1;
    }
    *ret_part = part;
    return 0;
}

uint64_t media_part_bytes(const struct media_part *part)
{
    return part->bytes;
}

static int part_write(struct media_part *part, const char *data, size_t len)
{
    if (part->bytes_max - part->bytes < len)
        return err_set(&part->err, ERR_LIMIT, "the file is larger than %llu bytes, the most that "
                       "is taken", (unsigned long long)part->bytes_max);
    while (len) {
        ssize_t put = write(part->fd, data, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return io_error(&part->err, errno, "write", part->dir, part->part_name);
        data += put;
        len -= (size_t)put;
        part->bytes += (uint64_t)put;
    }
    return 0;
}

int media_part_write(struct media_part *part, const void *data, size_t len, struct err *err)
{
    if (part->err.kind == ERR_NONE && part_write(part, data, len) == 0)
        return 0;
    if (err)
        *err = part->err;
    return -1;
}

/* Whether the name still leads to our file. */
static int name_is_ours(const struct media_part *part)
{
    struct stat st;

    return fstatat(part->dir_fd, part->part_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_dev == part->dev && st.st_ino == part->ino;
}

static void part_remove(struct media_part *part)
{
    if (!part->is_found && name_is_ours(part))
        unlinkat(part->dir_fd, part->part_name, 0);
}

void media_part_abandon(struct media_part *part)
{
    if (!part)
        return;
    part_remove(part);
    part_free(part);
}

void media_part_leave(struct media_part *part)
{
    if (part)
        part_free(part);
}

/* ---- publishing ---- */

/* Some file systems cannot sync a folder and need not. */
static int sync_folder(int fd)
{
    return fsync(fd) != 0 && errno != EINVAL && errno != EROFS ? -1 : 0;
}

/* The folder, and the parents of folders that were made for it. */
static int sync_folders(const struct media_part *part)
{
    int fd = part->dir_fd;
    int rc = sync_folder(fd);

    for (unsigned i = 0; rc == 0 && i < part->made; i++) {
        int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd != part->dir_fd)
            close(fd);
        if (up < 0)
            return 0; /* a parent that may not be read was not made here */
        fd = up;
        rc = sync_folder(fd);
    }
    if (fd != part->dir_fd) {
        int error = errno;

        close(fd);
        errno = error;
    }
    return rc;
}

static int publish(struct media_part *part)
{
    char name[NAME_SIZE];

    if (part->err.kind != ERR_NONE)
        return -1;
    if (media_probe(part->fd, &part->facts, &part->err))
        return -1;
    if (kind_is_wrong(part))
        return err_set(&part->err, ERR_ANSWER, "%s was asked for, but what came is %s (%s)",
                       kind_name(part->kind), kind_name(part->facts.kind), part->facts.mime);
    if (part->is_found)
        memcpy(name, part->part_name, sizeof(name));
    else
        snprintf(name, sizeof(name), "%s.%s", part->stem, part->facts.extension);
    snprintf(part->path, sizeof(part->path), "%s/%s", strcmp(part->dir, "/") ? part->dir : "",
             name);
    if (fsync(part->fd) != 0)
        return io_error(&part->err, errno, "store", part->dir, part->part_name);
    if (!name_is_ours(part))
        return err_set(&part->err, ERR_BUSY, "%s/%s was begun anew by somebody else", part->dir,
                       part->part_name);
    if (renameat(part->dir_fd, part->part_name, part->dir_fd, name) != 0)
        return io_error(&part->err, errno, "rename a file to", part->dir, name);
    if (sync_folders(part)) {
        int error = errno;

        if (!part->is_found)
            unlinkat(part->dir_fd, name, 0);
        return io_error(&part->err, error, "store the name of", part->dir, name);
    }
    return 0;
}

static void publish_work(void *item)
{
    struct media_part *part = item;

    if (publish(part))
        part_remove(part);
}

static void publish_done(void *item, int32_t cancelled)
{
    struct media_part *part = item;

    /* The bytes may be paid for and come no second time: the .part stays, to be adopted. */
    if (cancelled)
        err_set(&part->err, ERR_CANCELLED, "stopped before the file was complete");
    if (part->err.kind == ERR_NONE)
        part->done(part->ud, &part->facts, part->path, NULL);
    else
        part->done(part->ud, NULL, NULL, &part->err);
    part_free(part);
}

int media_part_publish_take(struct media_part *part, struct env *env, enum media_kind kind,
                            media_published_fn *done, void *ud, struct err *err)
{
    part->kind = kind;
    part->done = done;
    part->ud = ud;
    if (env_work(env, part, publish_work, publish_done))
        return err_nomem(err);
    return 0;
}

void media_parts_sweep(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *stem = slash ? slash + 1 : path;
    size_t stem_len = strlen(stem);
    size_t suffix_len = strlen(PART_SUFFIX);
    char dir[LIMIT_PATH];
    DIR *list;
    const struct dirent *entry;
    int fd;

    if (stem_is_wrong(stem) || snprintf(dir, sizeof(dir), "%.*s", (int)(stem - path), path) >=
                                   (int)sizeof(dir))
        return;
    fd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    list = fdopendir(fd);
    if (!list) {
        close(fd);
        return;
    }
    while ((entry = readdir(list))) {
        size_t len = strlen(entry->d_name);

        if (len >= stem_len + suffix_len && strncmp(entry->d_name, stem, stem_len) == 0 &&
            strcmp(entry->d_name + len - suffix_len, PART_SUFFIX) == 0)
            unlinkat(dirfd(list), entry->d_name, 0);
    }
    closedir(list);
}
