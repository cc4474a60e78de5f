/*
 * A very small MP4 writer: one video track of JPEG pictures (sample entry `mp4v`, object type 0x6c,
 * which ISO/IEC 14496-1 gives to JPEG), two pictures a second.
 *
 * Order in the file: ftyp, moov, an optional `free` box as padding, mdat. Offsets are 64-bit
 * (`co64`), because the padding may be larger than 4 GiB. The samples come last on purpose: a file
 * that lost its end does not play.
 */
#include "sim_media.h"

#include <string.h>

#define FRAMES_A_SECOND 2
#define TIMESCALE       1000
#define FREE_HEADER     16 /* size word, name, 64-bit size */
#define MDAT_HEADER     8

/* Opens a box; the size word is filled in by box_end(). Returns where the box starts. */
static size_t box_start(struct sim_buf *b, const char name[4])
{
    size_t at = b->len;
    sim_buf_be32(b, 0);
    sim_buf_add(b, name, 4);
    return at;
}

static void box_end(struct sim_buf *b, size_t at)
{
    size_t size = b->len - at;
    for (int i = 0; i < 4; i++)
        b->data[at + (size_t)i] = (unsigned char)(size >> (24 - 8 * i));
}

static void zeros(struct sim_buf *b, size_t n)
{
    static const unsigned char none[64];
    sim_buf_add(b, none, n);
}

static void unity_matrix(struct sim_buf *b)
{
    static const uint32_t m[9] = {0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000};
    for (int i = 0; i < 9; i++)
        sim_buf_be32(b, m[i]);
}

static void add_mvhd(struct sim_buf *b, uint32_t duration)
{
    size_t at = box_start(b, "mvhd");
    sim_buf_be32(b, 0);
    zeros(b, 8); /* times of creation and change: not told */
    sim_buf_be32(b, TIMESCALE);
    sim_buf_be32(b, duration);
    sim_buf_be32(b, 0x10000); /* rate */
    sim_buf_be16(b, 0x100);   /* volume */
    zeros(b, 10);
    unity_matrix(b);
    zeros(b, 24);
    sim_buf_be32(b, 2); /* next track */
    box_end(b, at);
}

static void add_tkhd(struct sim_buf *b, const struct sim_media_spec *spec, uint32_t duration)
{
    size_t at = box_start(b, "tkhd");
    sim_buf_be32(b, 3); /* enabled, in movie */
    zeros(b, 8);
    sim_buf_be32(b, 1);
    zeros(b, 4);
    sim_buf_be32(b, duration);
    zeros(b, 16);
    unity_matrix(b);
    sim_buf_be32(b, (uint32_t)spec->width << 16);
    sim_buf_be32(b, (uint32_t)spec->height << 16);
    box_end(b, at);
}

static void add_headers_of_media(struct sim_buf *b, uint32_t duration)
{
    size_t at = box_start(b, "mdhd");
    sim_buf_be32(b, 0);
    zeros(b, 8);
    sim_buf_be32(b, TIMESCALE);
    sim_buf_be32(b, duration);
    sim_buf_be16(b, 0x55c4); /* language: und */
    zeros(b, 2);
    box_end(b, at);

    at = box_start(b, "hdlr");
    zeros(b, 8);
    sim_buf_add(b, "vide", 4);
    zeros(b, 12);
    sim_buf_add(b, "clawmedia-sim", 14);
    box_end(b, at);
}

static void add_esds(struct sim_buf *b)
{
    /* ES_Descriptor > DecoderConfigDescriptor (object type 0x6c, visual stream) > SLConfig. */
    static const unsigned char body[] = {0x03, 21, 0, 1, 0, 0x04, 13, 0x6c, 0x11, 0, 0, 0,
                                         0,    0,  0, 0, 0, 0,    0,  0,    0x06, 1, 2};
    size_t at = box_start(b, "esds");
    sim_buf_be32(b, 0);
    sim_buf_add(b, body, sizeof body);
    box_end(b, at);
}

static void add_stsd(struct sim_buf *b, const struct sim_media_spec *spec)
{
    size_t at = box_start(b, "stsd");
    sim_buf_be32(b, 0);
    sim_buf_be32(b, 1);
    size_t entry = box_start(b, "mp4v");
    zeros(b, 6);
    sim_buf_be16(b, 1);
    zeros(b, 16);
    sim_buf_be16(b, (uint32_t)spec->width);
    sim_buf_be16(b, (uint32_t)spec->height);
    sim_buf_be32(b, 0x480000); /* 72 dpi */
    sim_buf_be32(b, 0x480000);
    zeros(b, 4);
    sim_buf_be16(b, 1);
    zeros(b, 32);
    sim_buf_be16(b, 24);
    sim_buf_be16(b, 0xffff);
    add_esds(b);
    box_end(b, entry);
    box_end(b, at);
}

/* The sample table: equal durations, one chunk that starts at first_byte. */
static void add_stbl(struct sim_buf *b, const struct sim_media_spec *spec, const uint32_t *sizes,
                     uint32_t frames, uint64_t first_byte)
{
    size_t table = box_start(b, "stbl");
    add_stsd(b, spec);
    size_t at = box_start(b, "stts");
    sim_buf_be32(b, 0);
    sim_buf_be32(b, 1);
    sim_buf_be32(b, frames);
    sim_buf_be32(b, TIMESCALE / FRAMES_A_SECOND);
    box_end(b, at);
    at = box_start(b, "stsc");
    sim_buf_be32(b, 0);
    sim_buf_be32(b, 1);
    sim_buf_be32(b, 1);
    sim_buf_be32(b, frames);
    sim_buf_be32(b, 1);
    box_end(b, at);
    at = box_start(b, "stsz");
    sim_buf_be32(b, 0);
    sim_buf_be32(b, 0);
    sim_buf_be32(b, frames);
    for (uint32_t i = 0; i < frames; i++)
        sim_buf_be32(b, sizes[i]);
    box_end(b, at);
    at = box_start(b, "co64");
    sim_buf_be32(b, 0);
    sim_buf_be32(b, 1);
    sim_buf_be64(b, first_byte);
    box_end(b, at);
    box_end(b, table);
}

static void add_minf(struct sim_buf *b, const struct sim_media_spec *spec, const uint32_t *sizes,
                     uint32_t frames, uint64_t first_byte)
{
    size_t minf = box_start(b, "minf");
    size_t at = box_start(b, "vmhd");
    sim_buf_be32(b, 1);
    zeros(b, 8);
    box_end(b, at);
    size_t dinf = box_start(b, "dinf");
    at = box_start(b, "dref");
    sim_buf_be32(b, 0);
    sim_buf_be32(b, 1);
    size_t url = box_start(b, "url ");
    sim_buf_be32(b, 1); /* the samples are in this file */
    box_end(b, url);
    box_end(b, at);
    box_end(b, dinf);
    add_stbl(b, spec, sizes, frames, first_byte);
    box_end(b, minf);
}

static void add_front(struct sim_buf *b, const struct sim_media_spec *spec, const uint32_t *sizes,
                      uint32_t frames, uint64_t first_byte)
{
    uint32_t duration = frames * (TIMESCALE / FRAMES_A_SECOND);
    size_t at = box_start(b, "ftyp");
    sim_buf_add(b, "isom", 4);
    sim_buf_be32(b, 0x200);
    sim_buf_add(b, "isomiso2mp41", 12);
    box_end(b, at);

    size_t moov = box_start(b, "moov");
    add_mvhd(b, duration);
    size_t trak = box_start(b, "trak");
    add_tkhd(b, spec, duration);
    size_t mdia = box_start(b, "mdia");
    add_headers_of_media(b, duration);
    add_minf(b, spec, sizes, frames, first_byte);
    box_end(b, mdia);
    box_end(b, trak);
    box_end(b, moov);
}

void sim_mp4_make(const struct sim_media_spec *spec, struct sim_media *m)
{
    uint32_t sizes[SIM_SECONDS_MAX * FRAMES_A_SECOND];
    uint32_t frames = (uint32_t)spec->seconds * FRAMES_A_SECOND;
    struct sim_painting p;
    uint64_t padding = 0;

    sim_paint_init(&p, spec->width, spec->height, spec->seed);
    size_t mdat = box_start(&m->tail, "mdat");
    for (uint32_t i = 0; i < frames; i++) {
        size_t start = m->tail.len;
        sim_jpeg_add(&p, (int)(i * 1000 / frames), &m->tail);
        sizes[i] = (uint32_t)(m->tail.len - start);
    }
    box_end(&m->tail, mdat);

    /* The front has one length whatever the offset in it: make it once to learn that length. */
    add_front(&m->head, spec, sizes, frames, 0);
    size_t front = m->head.len;
    if (spec->bytes >= front + m->tail.len + FREE_HEADER)
        padding = spec->bytes - front - m->tail.len;
    sim_buf_free(&m->head);
    add_front(&m->head, spec, sizes, frames, front + padding + MDAT_HEADER);
    if (padding > 0) {
        sim_buf_be32(&m->head, 1);
        sim_buf_add(&m->head, "free", 4);
        sim_buf_be64(&m->head, padding);
        padding -= FREE_HEADER;
        sim_buf_add(&m->head, sim_noise(), (size_t)(padding % SIM_NOISE_BYTES));
        m->unit_count = padding / SIM_NOISE_BYTES;
        if (m->unit_count > 0)
            sim_buf_add(&m->unit, sim_noise(), SIM_NOISE_BYTES);
    }
}
