/*
 * The media factory: PNG and JPEG files with padding, the cache, reading by offset, and telling
 * what uploaded bytes are. See sim_media.h for the shape of a file; sim_mp4.c makes the videos.
 */
#include "sim_media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#define CACHE_FILES              16
#define PNG_SIGNATURE_AND_HEADER 33 /* 8 bytes and the IHDR chunk */
#define PNG_CHUNK_COST           12 /* length, name, CRC */
#define PNG_UNIT_BYTES           (SIM_NOISE_BYTES * 16)
#define JPEG_UNIT_BYTES          65535

static struct {
    struct sim_media_spec spec;
    struct sim_media *media;
} cache[CACHE_FILES];
static unsigned cache_next;

const unsigned char *sim_noise(void)
{
    static unsigned char noise[SIM_NOISE_BYTES];
    static bool made;

    if (!made) {
        for (size_t i = 0; i < SIM_NOISE_BYTES; i += 8) {
            uint64_t h = sim_hash_mix(0x6e6f697365, i);
            memcpy(noise + i, &h, 8);
        }
        made = true;
    }
    return noise;
}

static void noise_add(struct sim_buf *b, size_t len)
{
    while (len > 0) {
        size_t n = len < SIM_NOISE_BYTES ? len : SIM_NOISE_BYTES;
        sim_buf_add(b, sim_noise(), n);
        len -= n;
    }
}

/* CRC-32 as the PNG specification defines it; only padding needs it, libpng does the rest. */
static uint32_t png_crc(const unsigned char *data, size_t len)
{
    static uint32_t table[256];
    uint32_t crc = 0xffffffffu;

    if (!table[1]) {
        for (uint32_t n = 0; n < 256; n++) {
            uint32_t c = n;
            for (int k = 0; k < 8; k++)
                c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
            table[n] = c;
        }
    }
    for (size_t i = 0; i < len; i++)
        crc = table[(crc ^ data[i]) & 0xff] ^ (crc >> 8);
    return crc ^ 0xffffffffu;
}

/* A private, ancillary chunk of noise that decoders skip. */
static void png_padding_add(struct sim_buf *b, size_t data_bytes)
{
    sim_buf_be32(b, (uint32_t)data_bytes);
    size_t start = b->len;
    sim_buf_add(b, "noIs", 4);
    noise_add(b, data_bytes);
    sim_buf_be32(b, png_crc(b->data + start, b->len - start));
}

static void png_draw(const struct sim_media_spec *spec, struct sim_buf *out)
{
    struct sim_painting p;
    png_image image;
    size_t w = (size_t)spec->width, h = (size_t)spec->height;
    unsigned char *pixels = sim_alloc(w * h);
    unsigned char map[SIM_PAINT_COLOURS][4];

    sim_paint_init(&p, spec->width, spec->height, spec->seed);
    for (size_t y = 0; y < h; y++)
        sim_paint_row(&p, (int)y, 0, pixels + y * w);
    for (int i = 0; i < SIM_PAINT_COLOURS; i++) {
        memcpy(map[i], p.palette[i], 3);
        map[i][3] = spec->transparent && i < 32 ? 0 : 255;
    }
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = (png_uint_32)w;
    image.height = (png_uint_32)h;
    image.format = PNG_FORMAT_RGBA_COLORMAP;
    image.flags = PNG_IMAGE_FLAG_FAST;
    image.colormap_entries = SIM_PAINT_COLOURS;
    png_alloc_size_t len = PNG_IMAGE_PNG_SIZE_MAX(image);
    unsigned char *data = sim_alloc(len);
    if (!png_image_write_to_memory(&image, data, &len, 0, pixels, 0, map)) {
        fprintf(stderr, "clawmedia-sim: libpng refused a picture: %s\n", image.message);
        exit(3);
    }
    sim_buf_add(out, data, len);
    free(data);
    free(pixels);
}

static void png_make(const struct sim_media_spec *spec, struct sim_media *m)
{
    struct sim_buf plain = {0};

    png_draw(spec, &plain);
    sim_buf_add(&m->head, plain.data, PNG_SIGNATURE_AND_HEADER);
    sim_buf_add(&m->tail, plain.data + PNG_SIGNATURE_AND_HEADER,
                plain.len - PNG_SIGNATURE_AND_HEADER);
    if (spec->bytes >= plain.len + PNG_CHUNK_COST) {
        uint64_t room = spec->bytes - plain.len;
        uint64_t unit = PNG_UNIT_BYTES + PNG_CHUNK_COST;
        m->unit_count = room / unit;
        uint64_t rest = room % unit;
        if (rest >= PNG_CHUNK_COST)
            png_padding_add(&m->head, (size_t)rest - PNG_CHUNK_COST);
        if (m->unit_count > 0)
            png_padding_add(&m->unit, PNG_UNIT_BYTES);
    }
    sim_buf_free(&plain);
}

/* An application segment of `bytes` in all, marker included; 4 to 65537 of them. */
static void jpeg_padding_add(struct sim_buf *b, size_t bytes)
{
    sim_buf_be16(b, 0xffef);
    sim_buf_be16(b, (uint32_t)bytes - 2);
    noise_add(b, bytes - 4);
}

static void jpeg_make(const struct sim_media_spec *spec, struct sim_media *m)
{
    struct sim_buf plain = {0};
    struct sim_painting p;

    sim_paint_init(&p, spec->width, spec->height, spec->seed);
    sim_jpeg_add(&p, 0, &plain);
    /* SOI and the JFIF segment stay in front. */
    size_t front = 4 + (size_t)(plain.data[4] << 8 | plain.data[5]);
    sim_buf_add(&m->head, plain.data, front);
    sim_buf_add(&m->tail, plain.data + front, plain.len - front);
    if (spec->bytes >= plain.len + 4) {
        uint64_t room = spec->bytes - plain.len;
        m->unit_count = room / JPEG_UNIT_BYTES;
        size_t rest = (size_t)(room % JPEG_UNIT_BYTES);
        if (rest >= 4)
            jpeg_padding_add(&m->head, rest);
        if (m->unit_count > 0)
            jpeg_padding_add(&m->unit, JPEG_UNIT_BYTES);
    }
    sim_buf_free(&plain);
}

static bool same_spec(const struct sim_media_spec *a, const struct sim_media_spec *b)
{
    return a->kind == b->kind && a->transparent == b->transparent && a->width == b->width &&
           a->height == b->height && a->seconds == b->seconds && a->seed == b->seed &&
           a->bytes == b->bytes;
}

struct sim_media *sim_media_make(const struct sim_media_spec *spec)
{
    for (unsigned i = 0; i < CACHE_FILES; i++) {
        if (cache[i].media && same_spec(&cache[i].spec, spec)) {
            cache[i].media->refs++;
            return cache[i].media;
        }
    }
    struct sim_media *m = sim_alloc(sizeof *m);
    switch (spec->kind) {
    case SIM_PNG:
        png_make(spec, m);
        break;
    case SIM_JPEG:
        jpeg_make(spec, m);
        break;
    case SIM_MP4:
        sim_mp4_make(spec, m);
        break;
    }
    m->refs = 2;
    sim_media_unref(cache[cache_next].media);
    cache[cache_next].media = m;
    cache[cache_next].spec = *spec;
    cache_next = (cache_next + 1) % CACHE_FILES;
    return m;
}

void sim_media_unref(struct sim_media *m)
{
    if (!m || --m->refs > 0)
        return;
    sim_buf_free(&m->head);
    sim_buf_free(&m->unit);
    sim_buf_free(&m->tail);
    free(m);
}

void sim_media_cache_clear(void)
{
    for (unsigned i = 0; i < CACHE_FILES; i++) {
        sim_media_unref(cache[i].media);
        cache[i].media = NULL;
    }
}

uint64_t sim_media_size(const struct sim_media *m)
{
    return m->head.len + m->unit.len * m->unit_count + m->tail.len;
}

static size_t copy_run(const struct sim_buf *run, uint64_t offset, unsigned char *to, size_t max)
{
    size_t left = run->len - (size_t)offset;
    size_t n = left < max ? left : max;
    memcpy(to, run->data + offset, n);
    return n;
}

size_t sim_media_read(const struct sim_media *m, uint64_t offset, void *buf, size_t max)
{
    unsigned char *to = buf;
    size_t done = 0;
    uint64_t middle = m->unit.len * m->unit_count;

    while (done < max) {
        uint64_t at = offset + done;
        size_t n = 0;
        if (at < m->head.len)
            n = copy_run(&m->head, at, to + done, max - done);
        else if ((at -= m->head.len) < middle)
            n = copy_run(&m->unit, at % m->unit.len, to + done, max - done);
        else if ((at -= middle) < m->tail.len)
            n = copy_run(&m->tail, at, to + done, max - done);
        if (n == 0)
            break;
        done += n;
    }
    return done;
}

const char *sim_media_type(enum sim_media_kind kind)
{
    static const char *const types[] = {"image/png", "image/jpeg", "video/mp4"};
    return types[kind];
}

const char *sim_media_extension(enum sim_media_kind kind)
{
    static const char *const extensions[] = {"png", "jpg", "mp4"};
    return extensions[kind];
}

static int be16_at(const unsigned char *p)
{
    return p[0] << 8 | p[1];
}

static void sniff_jpeg(const unsigned char *data, size_t len, struct sim_sniff *ret)
{
    size_t at = 2;

    ret->type = "image/jpeg";
    while (at + 9 < len && data[at] == 0xff) {
        int marker = data[at + 1];
        bool frame =
            marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
        if (frame) {
            ret->height = be16_at(data + at + 5);
            ret->width = be16_at(data + at + 7);
            return;
        }
        at += 2 + (size_t)be16_at(data + at + 2);
    }
}

void sim_sniff(const unsigned char *data, size_t len, struct sim_sniff *ret)
{
    memset(ret, 0, sizeof *ret);
    if (len >= PNG_SIGNATURE_AND_HEADER && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) {
        ret->type = "image/png";
        /* Sides above 65535 do not occur in what the simulator accepts. */
        ret->width = be16_at(data + 18);
        ret->height = be16_at(data + 22);
        ret->alpha = (data[25] & 4) != 0 || memmem(data, len, "tRNS", 4) != NULL;
    } else if (len >= 4 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff) {
        sniff_jpeg(data, len, ret);
    } else if (len >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0) {
        ret->type = "image/webp";
    } else if (len >= 10 && (memcmp(data, "GIF87a", 6) == 0 || memcmp(data, "GIF89a", 6) == 0)) {
        ret->type = "image/gif";
        ret->width = data[6] | data[7] << 8;
        ret->height = data[8] | data[9] << 8;
    } else if (len >= 12 && memcmp(data + 4, "ftyp", 4) == 0) {
        ret->type = "video/mp4";
    }
}
