/*
 * parcel.c - see parcel.h. The order of work: a look whether the message is there, media one after
 * the other in steps, the message. Names: the key with ':' as '=' (no '=' can be in a key); a key
 * too long for a file name keeps its beginning and gets a hash of the whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "parcel.h"
#include "text.h"

#define KEY_NAME_BYTES_MAX  200
#define FILE_NAME_BYTES_MAX 180

struct media {
    char *source;
    char *name;   /* as offered */
    char *target; /* absolute */
    char *mime;
    char *handle;
    uint64_t bytes;
};

struct parcel {
    char *dir;
    char *media_dir;
    char *file;  /* <key>.json */
    char *final; /* its whole path, or the one in held/ */
    char *key;
    char *reply_to;
    char *conversation;
    char *job;
    char *text;
    int32_t kind;
    uint32_t attempt;
    int is_held;
    struct media *media;
    uint32_t media_count;

    uint32_t at; /* the file being copied */
    int from;
    int to;
    char *part;
    unsigned char *bytes; /* PARCEL_STEP_BYTES */
    int is_begun;
    enum parcel_end end;
    char error[240];
};

/* ---- small things ---- */

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *fmt, ...)
{
    va_list ap;
    char *text;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : text;
}

static char *copy_text(ahp_text text)
{
    return strndup(text.ptr != NULL ? text.ptr : "", text.ptr != NULL ? text.len : 0);
}

static char *copy_str(const char *text)
{
    return strdup(text != NULL ? text : "");
}

static char *key_name(const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    char *name = strdup(key);
    char *longer;
    char *p;

    if (name == NULL)
        return NULL;
    for (p = name; *p != '\0'; p++) {
        hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
        if (*p == ':' || *p == '/')
            *p = '=';
    }
    if (name[0] == '.') /* neither hidden nor a way up */
        name[0] = '~';
    if (strlen(name) <= KEY_NAME_BYTES_MAX)
        return name;
    longer = format("%.*s~%016" PRIx64, KEY_NAME_BYTES_MAX - 20, name, hash);
    free(name);
    return longer;
}

static int name_is_taken(const struct parcel *p, uint32_t index, const char *name)
{
    uint32_t i;

    for (i = 0; i < index; i++)
        if (strcmp(strrchr(p->media[i].target, '/') + 1, name) == 0)
            return 1;
    return 0;
}

/* A file name for the media folder: the last part of the offered one, nothing that is special. */
static char *media_name(const struct parcel *p, uint32_t index, const char *offered)
{
    const char *slash = strrchr(offered, '/');
    char clean[FILE_NAME_BYTES_MAX];
    char *name;
    uint32_t i;

    if (slash != NULL)
        offered = slash + 1;
    text_clean(offered, strlen(offered), clean, sizeof(clean));
    if (clean[0] == '.')
        clean[0] = '_';
    if (clean[0] == '\0')
        snprintf(clean, sizeof(clean), "file-%u", (unsigned)index + 1);
    name = strdup(clean);
    /* as many tries as there are names before it, and one more: one of them is free */
    for (i = 0; name != NULL && name_is_taken(p, index, name); i++) {
        free(name);
        name = format("%u-%s", (unsigned)(index + 1 + i), clean);
    }
    return name;
}

int parcel_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    close(fd);
    return rc;
}

static int finish(struct parcel *p, enum parcel_end end, const char *what, int error)
{
    p->end = end;
    if (what != NULL)
        snprintf(p->error, sizeof(p->error), "%s: %s", what, strerror(error));
    return 1;
}

static void now_text(char *ret_text, size_t size)
{
    time_t now = time(NULL);
    struct tm tm;

    if (gmtime_r(&now, &tm) == NULL || strftime(ret_text, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(ret_text, size, "1970-01-01T00:00:00Z");
}

/* ---- set-up ---- */

static int media_init(struct parcel *p, uint32_t i, const ahp_file *file)
{
    struct media *m = &p->media[i];
    char *name;

    m->source = copy_str(file->path);
    m->name = copy_str(file->name);
    m->mime = copy_str(file->mime);
    m->handle = file->handle != NULL ? strdup(file->handle) : NULL;
    m->bytes = file->bytes;
    if (m->source == NULL || m->name == NULL || m->mime == NULL)
        return -1;
    name = media_name(p, i, m->name[0] != '\0' ? m->name : m->source);
    m->target = name != NULL ? format("%s/%s", p->media_dir, name) : NULL;
    free(name);
    return m->target != NULL ? 0 : -1;
}

struct parcel *parcel_new(const char *dir, const ahp_delivery *delivery, int is_held)
{
    struct parcel *p;
    char *name;
    uint32_t i;

    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->from = -1;
    p->to = -1;
    p->is_held = is_held;
    p->kind = delivery->kind;
    p->attempt = delivery->attempt;
    p->dir = strdup(dir);
    p->key = copy_text(delivery->key);
    p->reply_to = copy_text(delivery->reply_to);
    p->conversation = copy_text(delivery->conversation);
    p->job = copy_text(delivery->job_id);
    p->text = copy_text(delivery->text);
    name = p->key != NULL ? key_name(p->key) : NULL;
    if (name != NULL) {
        p->file = format("%s.json", name);
        p->final = format("%s/%s%s.json", dir, is_held ? "held/" : "", name);
        p->media_dir = format("%s/media/%s", dir, name);
    }
    free(name);
    p->media = calloc(delivery->files_count + 1, sizeof(*p->media));
    p->bytes = malloc(PARCEL_STEP_BYTES);
    if (p->dir == NULL || p->key == NULL || p->reply_to == NULL || p->conversation == NULL ||
        p->job == NULL || p->text == NULL || p->file == NULL || p->final == NULL ||
        p->media_dir == NULL || p->media == NULL || p->bytes == NULL)
        goto fail;
    for (i = 0; i < delivery->files_count; i++) {
        p->media_count = i + 1;
        if (media_init(p, i, delivery->files[i]) != 0)
            goto fail;
    }
    return p;
fail:
    parcel_free(p);
    return NULL;
}

void parcel_free(struct parcel *p)
{
    uint32_t i;

    if (p == NULL)
        return;
    if (p->from >= 0)
        close(p->from);
    if (p->to >= 0)
        close(p->to);
    if (p->part != NULL)
        unlink(p->part);
    for (i = 0; i < p->media_count; i++) {
        free(p->media[i].source);
        free(p->media[i].name);
        free(p->media[i].target);
        free(p->media[i].mime);
        free(p->media[i].handle);
    }
    free(p->media);
    free(p->bytes);
    free(p->part);
    free(p->dir);
    free(p->media_dir);
    free(p->file);
    free(p->final);
    free(p->key);
    free(p->reply_to);
    free(p->conversation);
    free(p->job);
    free(p->text);
    free(p);
}

/* ---- the work ---- */

static int make_dir(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -1;
}

static int begin(struct parcel *p)
{
    char *plain = format("%s/%s", p->dir, p->file);
    char *parent = format("%s/media", p->dir);
    int rc = 0;

    if (plain == NULL || parent == NULL)
        rc = finish(p, PARCEL_FAILED, "outbox", ENOMEM);
    else if (access(plain, F_OK) == 0)
        rc = finish(p, PARCEL_REPEAT, NULL, 0);
    else if (p->media_count > 0 && (make_dir(parent) != 0 || make_dir(p->media_dir) != 0 ||
                                    parcel_sync_dir(parent) != 0 || parcel_sync_dir(p->dir) != 0))
        rc = finish(p, PARCEL_FAILED, p->media_dir, errno);
    if (rc == 0 && p->media_count > 0)
        parcel_sweep(p->media_dir); /* an earlier try of this delivery */
    p->is_begun = 1;
    free(plain);
    free(parent);
    return rc;
}

static int media_begin(struct parcel *p, struct media *m)
{
    p->from = open(m->source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (p->from < 0) {
        int gone = errno == ENOENT || errno == ENOTDIR || errno == EACCES;

        return finish(p, gone ? PARCEL_GONE : PARCEL_FAILED, m->source, errno);
    }
    p->part = format("%s.%ld.part", m->target, (long)getpid());
    if (p->part == NULL)
        return finish(p, PARCEL_FAILED, "outbox", ENOMEM);
    p->to = open(p->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (p->to < 0)
        return finish(p, PARCEL_FAILED, p->part, errno);
    return 0;
}

static int media_end(struct parcel *p, struct media *m)
{
    struct stat st;
    int to = p->to;

    if (fstat(to, &st) != 0 || fsync(to) != 0)
        return finish(p, PARCEL_FAILED, p->part, errno);
    p->to = -1;
    if (close(to) != 0)
        return finish(p, PARCEL_FAILED, p->part, errno);
    if (m->bytes != 0 && (uint64_t)st.st_size != m->bytes)
        return finish(p, PARCEL_GONE, "the file's length is not as announced", EIO);
    m->bytes = (uint64_t)st.st_size;
    if (rename(p->part, m->target) != 0)
        return finish(p, PARCEL_FAILED, m->target, errno);
    free(p->part);
    p->part = NULL;
    close(p->from);
    p->from = -1;
    p->at++;
    return 0;
}

static int media_copy(struct parcel *p, struct media *m)
{
    ssize_t n = read(p->from, p->bytes, PARCEL_STEP_BYTES);
    size_t done = 0;

    if (n < 0)
        return errno == EINTR ? 0 : finish(p, PARCEL_GONE, m->source, errno);
    if (n == 0)
        return media_end(p, m);
    while (done < (size_t)n) {
        ssize_t w = write(p->to, p->bytes + done, (size_t)n - done);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return finish(p, PARCEL_FAILED, p->part, w < 0 ? errno : EIO);
        done += (size_t)w;
    }
    return 0;
}

static json_t *media_json(const struct media *m)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:I}", "path", m->target, "name", m->name, "mime",
                          m->mime, "bytes", (json_int_t)m->bytes);

    if (o != NULL && m->handle != NULL)
        json_object_set_new(o, "handle", json_string(m->handle));
    return o;
}

static char *message(const struct parcel *p)
{
    json_t *files = json_array();
    json_t *o;
    char now[32];
    char *text;
    uint32_t i;

    for (i = 0; i < p->media_count; i++)
        json_array_append_new(files, media_json(&p->media[i]));
    now_text(now, sizeof(now));
    o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:i, s:s}", "key", p->key, "reply_to",
                  p->reply_to, "conversation", p->conversation, "job", p->job, "kind",
                  p->kind == AHP_DELIVERY_NOTICE ? "notice" : "result", "text", p->text, "files",
                  files, "attempt", (int)p->attempt, "delivered_at", now);
    text = o != NULL ? json_dumps(o, JSON_INDENT(2)) : NULL;
    json_decref(o);
    return text;
}

static int write_whole(const char *path, const char *text)
{
    size_t len = strlen(text);
    size_t done = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc = -1;

    if (fd < 0)
        return -1;
    while (done < len) {
        ssize_t n = write(fd, text + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            goto out;
        done += (size_t)n;
    }
    rc = fsync(fd);
out:
    if (close(fd) != 0)
        rc = -1;
    return rc;
}

/* Gives the file its final name unless there is one already. 0, or -1 with errno. */
static int name_finally(const char *from, const char *to)
{
    if (link(from, to) == 0)
        return unlink(from);
    if (errno != EPERM && errno != EOPNOTSUPP)
        return -1;
    return rename(from, to); /* a file system without links */
}

/* The last step: all files are in place; the message makes the delivery visible. */
static int publish(struct parcel *p)
{
    char *text = message(p);
    char *held = format("%s/held", p->dir);
    const char *folder = p->is_held ? held : p->dir;
    int rc;

    if (text == NULL || held == NULL) /* also: a text that is not UTF-8 */
        rc = finish(p, PARCEL_FAILED, "the message cannot be written as JSON", EINVAL);
    else if (p->media_count > 0 && parcel_sync_dir(p->media_dir) != 0)
        rc = finish(p, PARCEL_FAILED, p->media_dir, errno);
    else if (p->is_held && make_dir(held) != 0)
        rc = finish(p, PARCEL_FAILED, held, errno);
    else if ((p->part = format("%s.%ld.part", p->final, (long)getpid())) == NULL)
        rc = finish(p, PARCEL_FAILED, "outbox", ENOMEM);
    else if (write_whole(p->part, text) != 0)
        rc = finish(p, PARCEL_FAILED, p->part, errno);
    else if (name_finally(p->part, p->final) != 0)
        rc = errno == EEXIST ? finish(p, PARCEL_REPEAT, NULL, 0)
                             : finish(p, PARCEL_FAILED, p->final, errno);
    else {
        free(p->part);
        p->part = NULL;
        rc = parcel_sync_dir(folder) == 0 ? finish(p, PARCEL_WRITTEN, NULL, 0)
                                          : finish(p, PARCEL_FAILED, folder, errno);
    }
    free(text);
    free(held);
    return rc;
}

int parcel_step(struct parcel *p)
{
    struct media *m;

    if (!p->is_begun)
        return begin(p);
    if (p->at == p->media_count)
        return publish(p);
    m = &p->media[p->at];
    if (p->from < 0)
        return media_begin(p, m);
    return media_copy(p, m);
}

/* For a file system without links. */
static enum parcel_end release_copy(const char *held, const char *final)
{
    json_t *o = json_load_file(held, 0, NULL);
    char *text = o != NULL ? json_dumps(o, JSON_INDENT(2)) : NULL;
    char *part = format("%s.%ld.part", final, (long)getpid());
    enum parcel_end end = PARCEL_FAILED;

    if (text != NULL && part != NULL && write_whole(part, text) == 0 && rename(part, final) == 0)
        end = PARCEL_WRITTEN;
    free(part);
    free(text);
    json_decref(o);
    return end;
}

enum parcel_end parcel_release(const char *dir, const char *file)
{
    char *held = format("%s/held/%s", dir, file);
    char *final = format("%s/%s", dir, file);
    enum parcel_end end = PARCEL_FAILED;

    if (held != NULL && final != NULL) {
        /* another host on this folder may have released and settled it: then held/ has it no
         * more */
        if (access(final, F_OK) == 0)
            end = PARCEL_REPEAT;
        else if (link(held, final) == 0)
            end = PARCEL_WRITTEN;
        else if (errno == EEXIST)
            end = PARCEL_REPEAT;
        else if (errno == EPERM || errno == EOPNOTSUPP)
            end = release_copy(held, final);
        if (end != PARCEL_FAILED && parcel_sync_dir(dir) != 0)
            end = PARCEL_FAILED;
    }
    free(held);
    free(final);
    return end;
}

void parcel_settle(const char *dir, ahp_text key)
{
    char *copy = copy_text(key);
    char *name = copy != NULL ? key_name(copy) : NULL;
    char *held = name != NULL ? format("%s/held/%s.json", dir, name) : NULL;

    if (held != NULL)
        unlink(held); /* when that fails the receipt is said once more, which is harmless */
    free(held);
    free(name);
    free(copy);
}

void parcel_note_repeat(const char *dir, const char *key, uint32_t attempt)
{
    char *path = format("%s/repeats.log", dir);
    char now[32];
    FILE *f;

    now_text(now, sizeof(now));
    f = path != NULL ? fopen(path, "ae") : NULL;
    if (f != NULL) {
        fprintf(f, "%s %s attempt=%u\n", now, key, (unsigned)attempt);
        fclose(f);
    }
    free(path);
}

enum parcel_end parcel_end_get(const struct parcel *p)
{
    return p->end;
}

const char *parcel_error(const struct parcel *p)
{
    return p->error;
}

const char *parcel_key(const struct parcel *p)
{
    return p->key;
}

const char *parcel_job(const struct parcel *p)
{
    return p->job;
}

const char *parcel_reply_to(const struct parcel *p)
{
    return p->reply_to;
}

const char *parcel_picture(const struct parcel *p)
{
    uint32_t i;

    for (i = 0; i < p->media_count; i++)
        if (strncmp(p->media[i].mime, "image/", 6) == 0)
            return p->media[i].target;
    return NULL;
}

const char *parcel_file(const struct parcel *p)
{
    return p->file;
}
