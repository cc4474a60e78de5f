/*
 * media.h - files of pictures and videos: what kind of file some bytes are, and writing one safely.
 * A file is written as "<name>.part" in its final folder, checked, made durable, and renamed to its
 * name with the extension that its bytes ask for. Nothing unverified ever has a final name.
 */
#ifndef MEDIA_MEDIA_H
#define MEDIA_MEDIA_H

#include "base/env.h"
#include "base/err.h"
#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

enum media_kind {
    MEDIA_UNKNOWN = 0,
    MEDIA_IMAGE,
    MEDIA_VIDEO,
    MEDIA_AUDIO,
};

/* What a file is, from its bytes. 0 where it does not say. */
struct media_facts {
    enum media_kind kind;
    const char *mime;      /* static text, "image/png" */
    const char *extension; /* static text, "png" */
    uint32_t width;
    uint32_t height;
    int64_t duration_ms;
    uint64_t bytes;
};

/* How many leading bytes media_sniff wants to be sure. */
#define MEDIA_SNIFF_BYTES 4096

/*
 * Kind, type and extension from the first bytes (png, jpeg, webp, gif, avif, heic, bmp; mp4, mov,
 * webm, mkv; mp3, wav, m4a). -1: none of these.
 */
int media_sniff(const void *data, size_t len, struct media_facts *ret_facts);

/*
 * The same for an open file, with dimensions and duration where its headers tell them: bounded
 * reads, no decoding. ERR_ANSWER: not a media file, or broken headers. ERR_IO.
 */
int media_probe(int fd, struct media_facts *ret_facts, struct err *err);

/* A local file that a user names as input. */
struct media_input {
    char path[LIMIT_PATH]; /* real path, symbolic links resolved */
    struct media_facts facts;
};

/*
 * Resolves `path` (relative: to roots[0]; "~/" to home), demands that it lies inside one of the
 * roots, that it is a regular file of at most LIMIT_INPUT_BYTES, and probes it. ERR_REFUSED names
 * the roots, ERR_NOT_FOUND, ERR_INVALID.
 */
int media_input_open(const char *path, const char *const *roots, size_t roots_count,
                     struct media_input *ret_input, struct err *err);

/* A file being written. */
struct media_part;

/*
 * Creates "<dir>/<stem>.part" (folders are made, 0755; an old .part of that name is replaced).
 * `stem` is "<prefix>-<job>-<n>". ERR_IO with the path and the system's words.
 */
int media_part_open(const char *dir, const char *stem, uint64_t bytes_max,
                    struct media_part **ret_part, struct err *err);

/*
 * Opens what a killed process left complete: "<dir>/<stem>.part", or the file that was already
 * renamed. To be published like any other; nothing can be written to it. ERR_NOT_FOUND.
 */
int media_part_adopt(const char *dir, const char *stem, struct media_part **ret_part,
                     struct err *err);

/* Appends. ERR_LIMIT past bytes_max, ERR_IO (a full disk says so). */
int media_part_write(struct media_part *part, const void *data, size_t len, struct err *err);
uint64_t media_part_bytes(const struct media_part *part);

/* What the published file is; err is filled and facts are not when it failed. */
typedef void media_published_fn(void *ud, const struct media_facts *facts, const char *path,
                                const struct err *err);

/*
 * Ends the file: probes it, demands `kind` (MEDIA_UNKNOWN: any), syncs it and renames it to
 * "<dir>/<stem>.<extension>", replacing a file of that name; the folder is synced too. The slow part
 * runs through env_work; done follows, never inline. The part belongs to this call from here on,
 * whatever happens; when it fails the .part is removed.
 */
void media_part_publish_take(struct media_part *part, struct env *env, enum media_kind kind,
                             media_published_fn *done, void *ud);

/* Gives up: the .part is removed. NULL is ignored. */
void media_part_abandon(struct media_part *part);

/* Removes "<stem>*.part" files that a killed process left in dir. */
void media_parts_sweep(const char *dir, const char *stem);

#endif
