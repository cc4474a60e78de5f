/* work.c - see work.h: what the operations share. */
#include "imaging/work.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void work_stage(struct imaging_work *work, stage_fn *stage)
{
    assert(work->stages_count < STAGES_MAX);
    work->stages[work->stages_count++] = stage;
}

int work_rows(struct imaging_work *work, int i, int width, int bands, int height, struct err *err)
{
    size_t rows = (size_t)picture_slice(width, 0, height);
    uint8_t *grown = mem_grow(work->rows[i], rows * (size_t)width * (size_t)bands);

    if (!grown)
        return err_nomem(err);
    work->rows[i] = grown;
    return 0;
}

int work_open_picture(struct imaging_work *work, struct err *err)
{
    if (picture_open(&work->picture, work->job->picture, "picture", PICTURE_AS_STORED, NULL, err))
        return -1;
    work->result.source_width = work->picture.file_width;
    work->result.source_height = work->picture.file_height;
    return 0;
}

int work_open_mask(struct imaging_work *work, struct picture *mask, struct err *err)
{
    if (picture_open(mask, work->job->mask, "mask", PICTURE_AS_STORED, NULL, err))
        return -1;
    if (mask->turn > 1)
        return err_field(err, "mask", "this mask was not made here: its pixels lie on their side");
    if (work->job->picture && (mask->width != work->picture.file_width ||
                               mask->height != work->picture.file_height))
        return err_field(err, "mask", "the mask is %d x %d pixels and the picture %d x %d",
                         mask->width, mask->height, work->picture.file_width,
                         work->picture.file_height);
    return 0;
}

int work_open_output(struct imaging_work *work, int width, int height, int bands,
                     const struct picture *like, struct err *err)
{
    const void *profile = NULL;
    size_t profile_len = 0;

    if (!work->job->output)
        return err_field(err, "output", "no place for the result was given");
    if (like)
        profile = picture_profile(like, &profile_len);
    work->result.width = width;
    work->result.height = height;
    work->result.has_alpha = bands == 4;
    return png_out_open(work->job->output, width, height, bands, profile, profile_len, &work->out,
                        err);
}

int stage_load_picture(struct imaging_work *work, struct err *err)
{
    return picture_load_slice(&work->picture, work->job->output, &work->y, err);
}

int stage_turn_picture(struct imaging_work *work, struct err *err)
{
    return work->picture.turn > 1 ? stage_load_picture(work, err) : 0;
}

int stage_turn_other(struct imaging_work *work, struct err *err)
{
    if (work->other.turn <= 1)
        return 0;
    return picture_load_slice(&work->other, work->job->output, &work->y, err);
}

int stage_copy_picture(struct imaging_work *work, struct err *err)
{
    const struct picture *picture = &work->picture;
    int n = picture_slice_of(picture, work->y);

    if (work->y == 0 &&
        work_rows(work, 0, picture->width, picture->bands, picture->height, err))
        return -1;
    if (picture_rows(picture, work->y, n, work->rows[0], err))
        return -1;
    for (int i = 0; i < n; i++)
        if (png_out_row(work->out,
                        work->rows[0] + (size_t)i * (size_t)picture->width * (size_t)picture->bands,
                        err))
            return -1;
    work->y += n;
    return work->y < picture->height;
}

int stage_finish(struct imaging_work *work, struct err *err)
{
    struct png_out *out = work->out;

    if (work->out_mask) {
        struct png_out *mask = work->out_mask;

        work->out_mask = NULL;
        if (png_out_finish_take(mask, err))
            return -1;
    }
    work->out = NULL;
    return png_out_finish_take(out, err);
}
