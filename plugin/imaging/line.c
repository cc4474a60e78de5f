/*
 * line.c - see line.h. A Gaussian is replaced by three boxes of equal variance, whose width need
 * not be odd: the pixel on either side counts with a part of a weight ("extended box blur":
 * Gwosdek, Grewenig, Bruhn, Weickert, "Theoretical foundations of Gaussian convolution by extended
 * box filtering", 2011). The cost does not depend on the width, and beyond line_box_reach a mask of
 * 0 stays exactly 0, which a composite relies on.
 */
#include "imaging/line.h"

#include <math.h>
#include <string.h>

#define ONE (1u << 24)

static void maximum(uint8_t *restrict out, const uint8_t *restrict other, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = out[i] > other[i] ? out[i] : other[i];
}

/* out[i] = max(out[i], out[i + by]) for rising i. Chunks that do not overlap, so that it
 * vectorises. */
static void maximum_ahead(uint8_t *out, size_t by, size_t n)
{
    while (n) {
        size_t part = n < by ? n : by;

        maximum(out, out + by, part);
        out += part;
        n -= part;
    }
}

/* Windows that double: after each round room[i] is the greatest of `len` pixels from i on. */
static void line_max(uint8_t *line, int n, int reach_px, uint8_t *room)
{
    size_t reach = (size_t)reach_px;
    size_t whole = 2 * reach + 1;
    size_t count = (size_t)n;
    size_t padded = count + 2 * reach;
    size_t len = 1;

    memset(room, line[0], reach);
    memcpy(room + reach, line, count);
    memset(room + reach + count, line[n - 1], reach);
    while (len * 2 <= whole) {
        maximum_ahead(room, len, padded - len);
        padded -= len;
        len *= 2;
    }
    memcpy(line, room, count);
    maximum(line, room + (whole - len), count);
}

static void flip_values(uint8_t *line, int n)
{
    for (int i = 0; i < n; i++)
        line[i] = (uint8_t)(255 - line[i]);
}

void line_grow(uint8_t *line, int n, int grow_px, uint8_t *room)
{
    if (grow_px > 0) {
        line_max(line, n, grow_px, room);
    } else if (grow_px < 0) {
        flip_values(line, n);
        line_max(line, n, -grow_px, room);
        flip_values(line, n);
    }
}

void line_box_init(struct line_box *box, double sigma_px)
{
    double s = sigma_px * sigma_px / 3;
    double l = floor((sqrt(12 * s + 1) - 1) / 2);
    double a = (2 * l + 1) * (l * (l + 1) - 3 * s) / (6 * (s - (l + 1) * (l + 1)));
    double width = 2 * (l + a) + 1;

    box->radius = (int)l;
    box->inner = (uint32_t)(ONE / width);
    box->outer = (ONE - (2 * (uint32_t)box->radius + 1) * box->inner) / 2;
}

int line_box_reach(const struct line_box *box)
{
    return 3 * (box->radius + (box->outer > 0));
}

static inline uint8_t at(const uint8_t *line, int n, int i)
{
    return line[i < 0 ? 0 : i >= n ? n - 1 : i];
}

/* One box over `in`, which has no stride. The sum never exceeds 255 * 2^24 and half of 2^24. */
static void box_pass(const uint8_t *in, uint8_t *out, int n, int stride, const struct line_box *box)
{
    int radius = box->radius;
    uint32_t sum = 0;

    for (int i = -radius; i <= radius; i++)
        sum += at(in, n, i);
    for (int i = 0; i < n; i++) {
        uint32_t sides = (uint32_t)at(in, n, i - radius - 1) + at(in, n, i + radius + 1);

        out[(size_t)i * (size_t)stride] =
            (uint8_t)((sum * box->inner + sides * box->outer + ONE / 2) >> 24);
        sum += at(in, n, i + radius + 1);
        sum -= at(in, n, i - radius);
    }
}

void line_blur(uint8_t *line, int n, int stride, const struct line_box *box, uint8_t *room)
{
    for (int pass = 0; pass < 3; pass++) {
        for (int i = 0; i < n; i++)
            room[i] = line[(size_t)i * (size_t)stride];
        box_pass(room, line, n, stride, box);
    }
}
