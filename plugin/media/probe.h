/*
 * probe.h - inside media/: the types that sniff.c knows, and a reader for file headers. A reader
 * never reads past the file's end and counts what it does, so that no file, however built, costs
 * more than PROBE_FILLS system calls and PROBE_READS looks.
 */
#ifndef MEDIA_PROBE_H
#define MEDIA_PROBE_H

#include "media/media.h"

#include <stddef.h>
#include <stdint.h>

enum media_type {
    TYPE_PNG,
    TYPE_JPEG,
    TYPE_GIF,
    TYPE_WEBP,
    TYPE_BMP,
    TYPE_AVIF,
    TYPE_HEIC,
    TYPE_MP4,
    TYPE_MOV,
    TYPE_WEBM,
    TYPE_MKV,
    TYPE_M4A,
    TYPE_WEBM_AUDIO,
    TYPE_MKA,
    TYPE_WAV,
    TYPE_MP3,
    TYPE_OGG,
    TYPE_FLAC,
};

int sniff_type(const void *data, size_t len, enum media_type *ret_type);
int type_is_extension(const char *text); /* one that files of ours get */
void type_fill(enum media_type type, struct media_facts *facts);

/* A 256 MiB PNG in chunks of 8 KiB, its writers' habit, takes 32768; each is a system call. */
#define PROBE_FILLS 131072u
/* Rows of a fragment's sample table are looked at one by one. */
#define PROBE_READS 4194304u
#define PROBE_WINDOW MEDIA_SNIFF_BYTES

/* What a header's reader answers. */
#define PROBE_BROKEN (-1) /* not what the format says, or past a bound above */
#define PROBE_SHORT (-2)  /* the file ends before its format says it does */
#define PROBE_IO (-3)     /* the system failed, see reader.error */

struct reader {
    int fd;
    int error; /* errno of PROBE_IO */
    uint64_t size;
    uint32_t reads;
    uint32_t fills;
    uint64_t window_at;
    size_t window_len;
    unsigned char window[PROBE_WINDOW];
};

/* Exactly `len` bytes (at most PROBE_WINDOW) at `at`, valid until the next read. 0 or PROBE_. */
int reader_get(struct reader *reader, uint64_t at, size_t len, const unsigned char **ret_bytes);

static inline uint16_t get_be16(const unsigned char *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t get_be64(const unsigned char *p)
{
    return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

static inline uint32_t get_le16(const unsigned char *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static inline uint32_t get_le24(const unsigned char *p)
{
    return (uint32_t)p[2] << 16 | get_le16(p);
}

static inline uint32_t get_le32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | get_le24(p);
}

/* Each fills in what it finds, and may correct the type: a video file without a picture. */
int probe_still(struct reader *reader, enum media_type type, struct media_facts *facts);
int probe_wav(struct reader *reader, struct media_facts *facts);
int probe_boxes(struct reader *reader, enum media_type type, struct media_facts *facts);
int probe_ebml(struct reader *reader, enum media_type type, struct media_facts *facts);

#endif
