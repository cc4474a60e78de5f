/*
 * sheet.h - a plane of pixels with random access. Up to LIMIT_IMAGING_MEMORY it is memory; a larger
 * one is a nameless file beside the output, mapped, so that the kernel may put it out of memory.
 * Its space is reserved first: a full disk is an error of sheet_open, never a signal later.
 */
#ifndef IMAGING_SHEET_H
#define IMAGING_SHEET_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sheet {
    uint8_t *data; /* NULL: not open */
    size_t bytes;
    int width;
    int height;
    int bands;
};

/* `beside` is a path in the folder that a large one's file is made in. Pixels are 0. */
int sheet_open(struct sheet *ret_sheet, const char *beside, int width, int height, int bands,
               struct err *err);
void sheet_close(struct sheet *sheet); /* may be closed already */

static inline uint8_t *sheet_row(const struct sheet *sheet, int y)
{
    return sheet->data + (size_t)y * (size_t)sheet->width * (size_t)sheet->bands;
}

#endif
