/*
 * png_out.h - a PNG file written row by row through libpng: "<path>.part" until png_out_finish,
 * which makes it durable and renames it. 8 bits a band; 1 band is grey, 3 RGB, 4 RGBA.
 */
#ifndef IMAGING_PNG_OUT_H
#define IMAGING_PNG_OUT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct png_out; /* NULL: not open */

/* `profile`: an ICC profile to be stored with it, or NULL. */
int png_out_open(const char *path, int width, int height, int bands, const void *profile,
                 size_t profile_len, struct png_out **ret_out, struct err *err);
int png_out_row(struct png_out *out, const uint8_t *row, struct err *err);

/* After the last row. Whatever it answers, the object is gone. */
int png_out_finish_take(struct png_out *out, struct err *err);

/* Removes what was written. NULL is ignored. */
void png_out_abandon(struct png_out *out);

#endif
