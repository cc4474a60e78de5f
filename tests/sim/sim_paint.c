/*
 * Painting: what the simulator's pictures show, and JPEG coding of it.
 *
 * A picture is a slanted gradient of 32 shades with a shaded disc and a few dots on it, all in 64
 * colours chosen by the seed. Rows are made from runs, so that a large picture is quick to make and
 * packs small: ten thousand jobs must not keep the simulator busy.
 */
#include "sim_media.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define DOTS 5

static void shade(unsigned char to[3], const unsigned char a[3], const unsigned char b[3], int step,
                  int steps)
{
    for (int i = 0; i < 3; i++)
        to[i] = (unsigned char)((a[i] * (steps - step) + b[i] * step) / steps);
}

static void pick_colour(uint64_t seed, unsigned n, int low, int span, unsigned char to[3])
{
    uint64_t h = sim_hash_mix(seed, n);
    for (int i = 0; i < 3; i++)
        to[i] = (unsigned char)(low + (int)((h >> (i * 16)) % (unsigned)span));
}

void sim_paint_init(struct sim_painting *p, int width, int height, uint64_t seed)
{
    unsigned char a[3], b[3], c[3], d[3];

    p->width = width;
    p->height = height;
    p->seed = seed;
    pick_colour(seed, 1, 0, 160, a);
    pick_colour(seed, 2, 90, 166, b);
    pick_colour(seed, 3, 120, 136, c);
    pick_colour(seed, 4, 0, 120, d);
    for (int i = 0; i < 32; i++) {
        shade(p->palette[i], a, b, i, 31);
        shade(p->palette[32 + i], c, d, i, 31);
    }
}

/* The part of row y inside the disc, as [*ret_from, *ret_to); false when there is none. */
static bool disc_run(int64_t cx, int64_t cy, int64_t radius, int y, int width, int *ret_from,
                     int *ret_to)
{
    int64_t dy = y - cy;
    int64_t left = radius * radius - dy * dy;
    int64_t half = 0;

    if (left < 0)
        return false;
    for (int64_t bit = 1 << 13; bit; bit >>= 1) {
        if ((half + bit) * (half + bit) <= left)
            half += bit;
    }
    int64_t from = cx - half, to = cx + half + 1;
    if (from < 0)
        from = 0;
    if (to > width)
        to = width;
    if (from >= to)
        return false;
    *ret_from = (int)from;
    *ret_to = (int)to;
    return true;
}

void sim_paint_row(const struct sim_painting *p, int y, int phase, unsigned char *row)
{
    int64_t side = p->width < p->height ? p->width : p->height;
    uint64_t h = sim_hash_mix(p->seed, 5);
    int64_t slant = (int64_t)(h % 3) * p->width / 4;
    int64_t span = p->width + slant;
    int64_t shift = slant * y / p->height;
    int from, to;

    for (int band = 0; band < 32; band++) {
        int64_t x0 = span * band / 32 - slant + shift, x1 = span * (band + 1) / 32 - slant + shift;
        if (band == 31)
            x1 = p->width;
        x0 = x0 < 0 || band == 0 ? 0 : x0;
        x1 = x1 > p->width ? p->width : x1;
        if (x0 < x1)
            memset(row + x0, band, (size_t)(x1 - x0));
    }
    int64_t radius = side / 5 + (int64_t)((h >> 8) % (uint64_t)(side / 8 + 1));
    int64_t cx = p->width / 4 + (int64_t)phase * p->width / 2000 +
                 (int64_t)((h >> 20) % (uint64_t)(p->width / 4 + 1));
    int64_t cy = p->height / 3 + (int64_t)((h >> 32) % (uint64_t)(p->height / 3 + 1));
    if (disc_run(cx, cy, radius, y, p->width, &from, &to)) {
        int64_t depth = (y - cy + radius) * 27 / (2 * radius + 1);
        memset(row + from, 32 + (int)depth, (size_t)(to - from));
    }
    for (unsigned i = 0; i < DOTS; i++) {
        uint64_t g = sim_hash_mix(p->seed, 6 + i);
        if (disc_run((int64_t)(g % (uint64_t)p->width), (int64_t)((g >> 20) % (uint64_t)p->height),
                     side / 40 + (int64_t)((g >> 40) % (uint64_t)(side / 30 + 1)), y, p->width,
                     &from, &to))
            memset(row + from, (int)(59 + i), (size_t)(to - from));
    }
}

struct jpeg_guard {
    struct jpeg_error_mgr base; /* first: libjpeg sees only this */
    jmp_buf back;
};

static void jpeg_gave_up(j_common_ptr info)
{
    struct jpeg_guard *g = (struct jpeg_guard *)info->err;
    (*info->err->output_message)(info);
    longjmp(g->back, 1);
}

static void jpeg_write(struct jpeg_compress_struct *c, const struct sim_painting *p, int phase,
                       unsigned char *row, unsigned char *rgb)
{
    c->image_width = (JDIMENSION)p->width;
    c->image_height = (JDIMENSION)p->height;
    c->input_components = 3;
    c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, 75, TRUE);
    c->dct_method = JDCT_IFAST;
    jpeg_start_compress(c, TRUE);
    for (int y = 0; y < p->height; y++) {
        sim_paint_row(p, y, phase, row);
        for (int x = 0; x < p->width; x++)
            memcpy(rgb + 3 * x, p->palette[row[x]], 3);
        jpeg_write_scanlines(c, &rgb, 1);
    }
    jpeg_finish_compress(c);
}

void sim_jpeg_add(const struct sim_painting *p, int phase, struct sim_buf *out)
{
    struct jpeg_compress_struct c;
    struct jpeg_guard guard;
    unsigned char *data = NULL;
    unsigned long len = 0;
    unsigned char *row = sim_alloc((size_t)p->width * 4);

    c.err = jpeg_std_error(&guard.base);
    guard.base.error_exit = jpeg_gave_up;
    if (setjmp(guard.back)) {
        fputs("clawmedia-sim: libjpeg refused a picture\n", stderr);
        exit(3);
    }
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, &len);
    jpeg_write(&c, p, phase, row, row + p->width);
    jpeg_destroy_compress(&c);
    sim_buf_add(out, data, len);
    free(data);
    free(row);
}
