/*
 * line.h - what is done to a mask along one line of pixels. Both directions of a mask use these:
 * columns are turned into lines first. Edges are replicated. `room` is working space of
 * LINE_ROOM(n) bytes.
 */
#ifndef IMAGING_LINE_H
#define IMAGING_LINE_H

#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

#define LINE_ROOM(n) ((size_t)(n) + 2u * LIMIT_IMAGING_GROW_PX + 2u)

/* The greatest (grow_px > 0) or least (< 0) value within |grow_px| pixels. */
void line_grow(uint8_t *line, int n, int grow_px, uint8_t *room);

/* How line_blur spreads: three passes of a box come close to a Gaussian and end for certain. */
struct line_box {
    int radius;     /* of whole pixels; the one beyond counts partly */
    uint32_t inner; /* weights, in 1/2^24 */
    uint32_t outer;
};

void line_box_init(struct line_box *box, double sigma_px);

/* Pixels further away than this have no influence. */
int line_box_reach(const struct line_box *box);

/* `stride` is the distance of two pixels of the line, for one band of several. */
void line_blur(uint8_t *line, int n, int stride, const struct line_box *box, uint8_t *room);

#endif
