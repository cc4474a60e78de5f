/*
 * refine.c - a mask is turned around, grown and feathered, in this order and wherever it came from:
 * growing always means that more of the picture changes. Rows are worked on where they lie, columns
 * in blocks that are turned into lines, so that both use line.c.
 */
#include "imaging/line.h"
#include "imaging/work.h"

#include "base/mem.h"

#include <string.h>

#define BLOCK_COLUMNS 64

typedef void line_fn(const struct imaging_job *job, uint8_t *line, int n, uint8_t *room);

static void grow(const struct imaging_job *job, uint8_t *line, int n, uint8_t *room)
{
    line_grow(line, n, job->grow_px, room);
}

static void blur(const struct imaging_job *job, uint8_t *line, int n, uint8_t *room)
{
    struct line_box box;

    line_box_init(&box, job->feather_px);
    line_blur(line, n, 1, &box, room);
}

static int along_rows(struct imaging_work *work, line_fn *fn, struct err *err)
{
    const struct sheet *mask = &work->mask;
    int n = picture_slice(mask->width, work->y, mask->height);
    uint8_t *room = mem_grow(NULL, LINE_ROOM(mask->width));

    if (!room)
        return err_nomem(err);
    for (int i = 0; i < n; i++)
        fn(work->job, sheet_row(mask, work->y + i), mask->width, room);
    mem_free(room);
    work->y += n;
    return work->y < mask->height;
}

/* Here `y` counts columns. */
static int along_columns(struct imaging_work *work, line_fn *fn, struct err *err)
{
    const struct sheet *mask = &work->mask;
    size_t height = (size_t)mask->height;
    int left = mask->width - work->y;
    int n = left < BLOCK_COLUMNS ? left : BLOCK_COLUMNS;
    uint8_t *lines = mem_grow(NULL, height * BLOCK_COLUMNS);
    uint8_t *room = mem_grow(NULL, LINE_ROOM(mask->height));

    if (!lines || !room) {
        mem_free(lines);
        mem_free(room);
        return err_nomem(err);
    }
    for (int y = 0; y < mask->height; y++) {
        const uint8_t *row = sheet_row(mask, y) + work->y;

        for (int i = 0; i < n; i++)
            lines[(size_t)i * height + (size_t)y] = row[i];
    }
    for (int i = 0; i < n; i++)
        fn(work->job, lines + (size_t)i * height, mask->height, room);
    for (int y = 0; y < mask->height; y++) {
        uint8_t *row = sheet_row(mask, y) + work->y;

        for (int i = 0; i < n; i++)
            row[i] = lines[(size_t)i * height + (size_t)y];
    }
    mem_free(lines);
    mem_free(room);
    work->y += n;
    return work->y < mask->width;
}

static int stage_negate(struct imaging_work *work, struct err *err)
{
    const struct sheet *mask = &work->mask;
    int n = picture_slice(mask->width, work->y, mask->height);
    uint8_t *at = sheet_row(mask, work->y);

    (void)err;
    for (size_t i = 0; i < (size_t)n * (size_t)mask->width; i++)
        at[i] = (uint8_t)(255 - at[i]);
    work->y += n;
    return work->y < mask->height;
}

static int stage_grow_rows(struct imaging_work *work, struct err *err)
{
    return along_rows(work, grow, err);
}

static int stage_grow_columns(struct imaging_work *work, struct err *err)
{
    return along_columns(work, grow, err);
}

int stage_blur_rows(struct imaging_work *work, struct err *err)
{
    return along_rows(work, blur, err);
}

int stage_blur_columns(struct imaging_work *work, struct err *err)
{
    return along_columns(work, blur, err);
}

static int stage_write(struct imaging_work *work, struct err *err)
{
    const struct sheet *mask = &work->mask;
    int n = picture_slice(mask->width, work->y, mask->height);

    for (int i = 0; i < n; i++) {
        const uint8_t *row = sheet_row(mask, work->y + i);

        for (int x = 0; x < mask->width; x++)
            work->result.masked_pixels += row[x] > 0;
        if (png_out_row(work->out, row, err))
            return -1;
    }
    work->y += n;
    if (work->y < mask->height)
        return 1;
    if (!work->result.masked_pixels)
        return err_field(err, "mask", "this mask marks nothing of the picture, so nothing would "
                         "change");
    return 0;
}

static int stage_open(struct imaging_work *work, struct err *err)
{
    return work_open_output(work, work->mask.width, work->mask.height, 1, NULL, err);
}

void refine_stages(struct imaging_work *work)
{
    if (work->negate)
        work_stage(work, stage_negate);
    if (work->job->grow_px) {
        work_stage(work, stage_grow_rows);
        work_stage(work, stage_grow_columns);
    }
    if (work->job->feather_px > 0) {
        work_stage(work, stage_blur_rows);
        work_stage(work, stage_blur_columns);
    }
    work_stage(work, stage_open);
    work_stage(work, stage_write);
    work_stage(work, stage_finish);
}
