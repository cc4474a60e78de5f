/*
 * picture.h - a picture file as 8-bit rows, RGB or RGBA, oriented as it is displayed. The header is
 * judged before anything is decoded; pixels are computed when rows are asked for, in the thread
 * that asks, so that libvips starts no thread. Rows are asked for from top to bottom, once each,
 * unless the picture lies in a sheet (picture_load_slice).
 */
#ifndef IMAGING_PICTURE_H
#define IMAGING_PICTURE_H

#include "imaging/sheet.h"
#include "media/imaging.h"

#include <vips/vips.h>

enum picture_colours {
    PICTURE_AS_STORED, /* RGB values untouched, the profile kept: for pictures that are edited */
    PICTURE_SRGB,      /* converted, for pictures that are looked at */
};

struct picture {
    VipsImage *image; /* NULL: not open. Not oriented yet while `turn` > 1 */
    struct sheet sheet; /* what `image` shows once the picture is loaded */
    int width;       /* as displayed, after scaling */
    int height;
    int bands;       /* 3 or 4 */
    int has_profile; /* that speaks of the values as they are */
    int turn;        /* EXIF orientation that is still to be applied; 1: none */
    int file_width;  /* as displayed, before scaling */
    int file_height;
    int row_cost; /* pixels that are worked on for each row: more than width where it is scaled down */
};

/* How large a picture is wanted; all 0: as it is. */
struct picture_size {
    enum imaging_fit fit;
    int width;
    int height;
};

/* `field` names the argument in errors. ERR_INVALID, ERR_LIMIT, ERR_IO, ERR_NOMEM. */
int picture_open(struct picture *ret_picture, const char *path, const char *field,
                 enum picture_colours colours, const struct picture_size *size, struct err *err);
void picture_close(struct picture *picture); /* may be closed already */

/* Scales what has been opened, and not been read, to exactly width x height; `turn` must be 1. */
int picture_scale(struct picture *picture, int width, int height, struct err *err);

/* Converts from its own colours (sRGB if it names none) to those of `like`. */
int picture_match(struct picture *picture, const struct picture *like, struct err *err);

/* The profile of its values, or NULL: they are sRGB as far as anyone knows. Lives as `image`. */
const void *picture_profile(const struct picture *picture, size_t *ret_len);

/* Rows y to y + n - 1 into `out`, bands * width bytes each. */
int picture_rows(const struct picture *picture, int y, int n, uint8_t *out, struct err *err);

/*
 * Brings the picture into a sheet, oriented: the next rows from *y on, which begins as 0. 1: more
 * to do; 0: loaded, rows may be asked for in any order.
 */
int picture_load_slice(struct picture *picture, const char *beside, int *y, struct err *err);

/* How many rows from y on make a slice of some milliseconds; never more than at y = 0. */
int picture_slice(int width, int y, int height);
int picture_slice_of(const struct picture *picture, int y);

/* The last words of libvips, and clears them. For errors of the calls that this file does not make.
 */
int picture_vips_error(struct err *err, enum err_kind kind, const char *what);

#endif
