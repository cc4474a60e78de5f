/*
 * The media factory: real PNG, JPEG and MP4 files made from a short description.
 *
 * The same description always gives the same bytes. A file is three runs: a head, one unit
 * repeated any number of times, and a tail; so a picture or video padded to gigabytes costs no
 * memory. The padding sits in places the formats provide for it (private PNG chunks, JPEG
 * application segments, an MP4 `free` box in front of the samples), so the file stays valid and
 * one that lost its end is broken.
 */
#ifndef CLAWMEDIA_SIM_MEDIA_H
#define CLAWMEDIA_SIM_MEDIA_H

#include "sim_util.h"

#define SIM_SIDE_MAX    4096
#define SIM_SECONDS_MAX 60

enum sim_media_kind { SIM_PNG, SIM_JPEG, SIM_MP4 };

struct sim_media_spec {
    enum sim_media_kind kind;
    bool transparent; /* PNG only: the background lets through */
    int width;
    int height;
    int seconds;    /* MP4 only */
    uint64_t seed;  /* decides colours and shapes */
    uint64_t bytes; /* pad the file to about this size; 0: as small as it is */
};

struct sim_media {
    struct sim_buf head;
    struct sim_buf unit;
    uint64_t unit_count;
    struct sim_buf tail;
    unsigned refs;
};

/* Makes the file, or takes it from the small cache. Drop it with sim_media_unref(). */
struct sim_media *sim_media_make(const struct sim_media_spec *spec);
void sim_media_unref(struct sim_media *m);
void sim_media_cache_clear(void);

uint64_t sim_media_size(const struct sim_media *m);

/* Copies up to max bytes from the offset; returns how many (0 only at the end). */
size_t sim_media_read(const struct sim_media *m, uint64_t offset, void *buf, size_t max);

const char *sim_media_type(enum sim_media_kind kind);      /* "image/png" */
const char *sim_media_extension(enum sim_media_kind kind); /* "png" */

/* What uploaded bytes are, told by their first bytes. */
struct sim_sniff {
    const char *type; /* "image/png", ..., or NULL when unknown */
    int width;        /* 0 when not known */
    int height;
    bool alpha;
};
void sim_sniff(const unsigned char *data, size_t len, struct sim_sniff *ret);

/* ---- between the parts of the factory ---- */

#define SIM_PAINT_COLOURS 64

struct sim_painting {
    unsigned char palette[SIM_PAINT_COLOURS][3];
    int width;
    int height;
    uint64_t seed;
};

void sim_paint_init(struct sim_painting *p, int width, int height, uint64_t seed);

/* One row of palette indices; phase (0..999) moves the shapes, for video. Index 0..31: background.
 */
void sim_paint_row(const struct sim_painting *p, int y, int phase, unsigned char *row);

/* Adds one whole JPEG file to out. */
void sim_jpeg_add(const struct sim_painting *p, int phase, struct sim_buf *out);

/* 64 KiB of noise that no compressor shrinks; lives as long as the process. */
#define SIM_NOISE_BYTES 65536
const unsigned char *sim_noise(void);

void sim_mp4_make(const struct sim_media_spec *spec, struct sim_media *m);

#endif
