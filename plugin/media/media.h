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
 * webm, mkv; mp3, wav, m4a, ogg, flac). -1: none of these.
 */
int media_sniff(const void *data, size_t len, struct media_facts *ret_facts);

/*
 * The same for an open file, with dimensions (as displayed) and duration where its headers tell
 * them: bounded reads, no decoding. An mp4 or webm with sound alone is audio. Needs neither loop
 * nor memory. ERR_ANSWER: not a media file, headers that make no sense, or a file that ends before
 * its own headers say so. ERR_IO.
 */
int media_probe(int fd, struct media_facts *ret_facts, struct err *err);

/* A local file that a user names as input. */
struct media_input {
    char path[LIMIT_PATH]; /* real path, symbolic links resolved */
    /*
     * Names these very bytes: device, inode, size, time of change. A file that is written to, or
     * replaced, gets another one; reading it all to find out would hold up the loop.
     */
    char key[112];
    struct media_facts facts;
};

/*
 * Resolves `path` (relative: to roots[0]; "~/" to $HOME; a file:// URL of this machine), demands
 * that it lies inside one of the roots, that it is a regular file of at most LIMIT_INPUT_BYTES,
 * and probes it. Roots are resolved too; one that does not exist allows nothing. ERR_REFUSED names
 * the roots and is the answer for everything outside of them, there or not; ERR_NOT_FOUND;
 * ERR_INVALID (with an empty field: the caller knows which argument it was) for a folder, an
 * empty, too large or unknown file; ERR_IO.
 */
int media_input_open(const char *path, const char *const *roots, size_t roots_count,
                     struct media_input *ret_input, struct err *err);

/* The same for a text that media is looked for in: of any type, not probed. Its real path. */
int media_text_find(const char *path, const char *const *roots, size_t roots_count,
                    char ret_path[LIMIT_PATH], struct err *err);

/* mkdir -p. ERR_IO, ERR_LIMIT. */
int media_folder_make(const char *dir, struct err *err);

/*
 * Makes the folder and says whether a result can be saved there: it may be written to, and the disk
 * has MEDIA_ROOM_BYTES left, which is more than a picture is as a rule. For before something is
 * paid. ERR_IO with the system's words, ERR_LIMIT.
 */
#define MEDIA_ROOM_BYTES (16u * 1024u * 1024u)
int media_folder_check(const char *dir, struct err *err);

/* A file being written. */
struct media_part;

/*
 * Creates "<dir>/<stem>.part" (folders are made, 0755; an old .part of that name is replaced, and
 * whoever still writes that one can no longer publish it). `stem` is "<prefix>-<job>-<n>": no
 * slash, no leading dot, at most MEDIA_STEM_MAX bytes, else ERR_INTERNAL. ERR_IO with the path and
 * the system's words, ERR_LIMIT for a path past LIMIT_PATH, ERR_NOMEM.
 */
#define MEDIA_STEM_MAX 200
int media_part_open(const char *dir, const char *stem, uint64_t bytes_max,
                    struct media_part **ret_part, struct err *err);

/*
 * Opens what a killed process left complete: "<dir>/<stem>.part", or the file that was already
 * renamed. To be published like any other; nothing can be written to it, and a renamed one stays
 * where it is even when publishing fails: it may be a user's. ERR_NOT_FOUND.
 */
int media_part_adopt(const char *dir, const char *stem, struct media_part **ret_part,
                     struct err *err);

/*
 * Appends. ERR_LIMIT past bytes_max, ERR_IO (a full disk says so). After a failure every further
 * call fails alike and the part can only be abandoned; publishing it gives the same error.
 */
int media_part_write(struct media_part *part, const void *data, size_t len, struct err *err);
uint64_t media_part_bytes(const struct media_part *part);

/* What the published file is. All pointers end with the call. */
typedef void media_published_fn(void *ud, const struct media_facts *facts, const char *path,
                                const struct err *err);

/*
 * Ends the file: probes it, demands `kind` (MEDIA_UNKNOWN: any), syncs it and renames it to
 * "<dir>/<stem>.<extension>", replacing a file of that name; the folder is synced too. The slow
 * part runs through env_work; done follows, never inline, exactly once: facts and path with err
 * NULL, or err with facts and path NULL. The part belongs to this call from here on; when it fails
 * the .part is removed. ERR_ANSWER: not media, broken or of another kind; ERR_IO; ERR_BUSY:
 * somebody else has begun the same file anew; ERR_CANCELLED: the instance ended first, and the
 * .part was left, for media_part_adopt.
 *
 * -1 when nothing can be queued (no memory): done does not follow, and the part is still the
 * caller's to abandon.
 */
int media_part_publish_take(struct media_part *part, struct env *env, enum media_kind kind,
                            media_published_fn *done, void *ud, struct err *err)
    __attribute__((warn_unused_result));

/* Gives up: the .part is removed. NULL is ignored. */
void media_part_abandon(struct media_part *part);

/* Lets go of a complete .part that stays, for media_part_adopt. NULL is ignored. */
void media_part_leave(struct media_part *part);

/* Removes the "<path>*.part" files, a folder and the beginning of names in it, that nobody wants
 * now. */
void media_parts_sweep(const char *path);

#endif
