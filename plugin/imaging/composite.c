/*
 * composite.c - puts an edit back where it belongs, and shows where that would be. Both walk the
 * picture, the mask and the other side together, row by row. Where the mask is 0 the picture's
 * bytes are copied, whatever the formulas would give.
 */
#include "imaging/work.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* Shapes that differ by more than this part were made from another section of the picture. */
#define SHAPE_TOLERANCE 0.03

/* What is walked besides work->picture and work->other. */
struct blend {
    struct picture mask;
};

static void blend_free(void *own)
{
    struct blend *blend = own;

    picture_close(&blend->mask);
    mem_free(blend);
}

static int blend_new(struct imaging_work *work, struct blend **ret_blend, struct err *err)
{
    struct blend *blend = mem_alloc(sizeof(*blend));

    if (!blend)
        return err_nomem(err);
    work->own = blend;
    work->own_free = blend_free;
    *ret_blend = blend;
    return 0;
}

/* value * part / 255, rounded, for a sum of two such products */
static uint8_t mix(uint32_t a, uint32_t b, uint32_t part)
{
    return (uint8_t)((a * (255 - part) + b * part + 127) / 255);
}

/* Between two colours that may be transparent: each counts as much as it is opaque. */
static void mix_alpha(uint8_t *out, const uint8_t *a, const uint8_t *b, uint32_t part)
{
    uint32_t weight_a = a[3] * (255 - part);
    uint32_t weight_b = b[3] * part;
    uint32_t whole = weight_a + weight_b;

    memcpy(out, a, 3);
    for (int c = 0; c < 3 && whole; c++)
        out[c] = (uint8_t)((a[c] * weight_a + b[c] * weight_b + whole / 2) / whole);
    out[3] = (uint8_t)((whole + 127) / 255);
}

/* `in` has 3 or 4 bands; the copy has `bands`. */
static inline void spread(uint8_t *out, const uint8_t *in, int in_bands, int bands)
{
    memcpy(out, in, 3);
    if (bands == 4)
        out[3] = in_bands == 4 ? in[3] : 255;
}

static void composite_row(struct imaging_work *work, const uint8_t *picture, const uint8_t *mask,
                          const uint8_t *other, uint8_t *out)
{
    const struct blend *blend = work->own;
    int bands = work->result.has_alpha ? 4 : 3;

    for (int x = 0; x < work->picture.width; x++) {
        uint8_t part = mask[(size_t)x * (size_t)blend->mask.bands];
        uint8_t a[4];
        uint8_t b[4];

        spread(a, picture + (size_t)x * (size_t)work->picture.bands, work->picture.bands, bands);
        spread(b, other + (size_t)x * (size_t)work->other.bands, work->other.bands, bands);
        if (part == 0)
            memcpy(out, a, (size_t)bands);
        else if (part == 255)
            memcpy(out, b, (size_t)bands);
        else if (bands == 4)
            mix_alpha(out, a, b, part);
        else
            for (int c = 0; c < 3; c++)
                out[c] = mix(a[c], b[c], part);
        work->result.masked_pixels += part > 0;
        out += bands;
    }
}

static void preview_row(struct imaging_work *work, const uint8_t *picture, const uint8_t *mask,
                        uint8_t *out)
{
    const struct imaging_colour *tint = &work->job->colour;
    const struct blend *blend = work->own;
    const uint8_t paint[3] = {tint->red, tint->green, tint->blue};
    size_t bands = (size_t)work->picture.bands;

    for (int x = 0; x < work->picture.width; x++) {
        uint32_t part = mask[(size_t)x * (size_t)blend->mask.bands];

        work->result.masked_pixels += part > 0;
        part = (part * tint->alpha + 127) / 255;
        memcpy(out, picture, bands);
        for (int c = 0; c < 3 && part; c++)
            out[c] = mix(picture[c], paint[c], part);
        /* What is to be changed shows, even where the picture itself does not. */
        if (bands == 4 && part > out[3])
            out[3] = (uint8_t)part;
        out += bands;
        picture += bands;
    }
}

/* The dearest of those that are walked together says how far. */
static int slice_of_all(const struct imaging_work *work)
{
    int n = picture_slice_of(&work->picture, work->y);
    int mask = picture_slice_of(&((struct blend *)work->own)->mask, work->y);
    int other = work->other.image ? picture_slice_of(&work->other, work->y) : n;

    n = mask < n ? mask : n;
    return other < n ? other : n;
}

static int stage_blend(struct imaging_work *work, struct err *err)
{
    const struct picture *picture = &work->picture;
    const struct picture *mask = &((struct blend *)work->own)->mask;
    const struct picture *other = &work->other;
    int n = slice_of_all(work);
    size_t width = (size_t)picture->width;
    size_t row = width * (size_t)picture->bands;
    size_t mask_row = width * (size_t)mask->bands;
    size_t other_row = other->image ? width * (size_t)other->bands : 0;

    if (picture_rows(picture, work->y, n, work->rows[0], err) ||
        picture_rows(mask, work->y, n, work->rows[1], err))
        return -1;
    if (other->image && picture_rows(other, work->y, n, work->rows[2], err))
        return -1;
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)i;
        uint8_t *line = work->mask.data; /* one row of the output */

        if (other->image)
            composite_row(work, work->rows[0] + at * row, work->rows[1] + at * mask_row,
                          work->rows[2] + at * other_row, line);
        else
            preview_row(work, work->rows[0] + at * row, work->rows[1] + at * mask_row, line);
        if (png_out_row(work->out, line, err))
            return -1;
    }
    work->y += n;
    return work->y < picture->height;
}

/* Buffers for a walk; one row of the output lies in work->mask. */
static int walk_rows(struct imaging_work *work, struct err *err)
{
    const struct picture *picture = &work->picture;
    const struct picture *mask = &((struct blend *)work->own)->mask;

    if (work_rows(work, 0, picture->width, picture->bands, picture->height, err) ||
        work_rows(work, 1, picture->width, mask->bands, picture->height, err))
        return -1;
    if (work->other.image &&
        work_rows(work, 2, picture->width, work->other.bands, picture->height, err))
        return -1;
    return sheet_open(&work->mask, work->job->output, picture->width, 1, 4, err);
}

/* Once all lie as they are displayed: sizes and colours of the result become the picture's. */
static int stage_composite(struct imaging_work *work, struct err *err)
{
    struct picture *other = &work->other;
    const struct picture *picture = &work->picture;

    if (other->width != picture->width || other->height != picture->height) {
        work->result.was_scaled = 1;
        if (picture_scale(other, picture->width, picture->height, err))
            return -1;
    }
    if (picture_match(other, picture, err) || walk_rows(work, err))
        return -1;
    return work_open_output(work, picture->width, picture->height,
                            picture->bands == 4 || other->bands == 4 ? 4 : 3, picture, err);
}

int composite_open(struct imaging_work *work, struct err *err)
{
    struct picture *other = &work->other;
    struct blend *blend = NULL;
    double shape;

    if (blend_new(work, &blend, err) || work_open_picture(work, err) ||
        work_open_mask(work, &blend->mask, err) ||
        picture_open(other, work->job->result, "result", PICTURE_AS_STORED, NULL, err))
        return -1;
    shape = ((double)other->width / other->height) /
            ((double)work->picture.width / work->picture.height);
    if (fabs(shape - 1) > SHAPE_TOLERANCE)
        return err_field(err, "result",
                         "the result is %d x %d pixels and the picture %d x %d: they "
                         "have not the same shape, so one cannot be laid over the other",
                         other->width, other->height, work->picture.width, work->picture.height);
    work->result.source_width = other->width;
    work->result.source_height = other->height;
    work_stage(work, stage_turn_picture);
    work_stage(work, stage_turn_other);
    work_stage(work, stage_composite);
    work_stage(work, stage_blend);
    work_stage(work, stage_finish);
    return 0;
}

static int stage_preview(struct imaging_work *work, struct err *err)
{
    const struct picture *picture = &work->picture;

    if (walk_rows(work, err))
        return -1;
    return work_open_output(work, picture->width, picture->height, picture->bands, NULL, err);
}

int preview_open(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    struct picture_size size = {IMAGING_CONTAIN, job->width, job->height};
    struct blend *blend = NULL;

    if (blend_new(work, &blend, err) ||
        picture_open(&work->picture, job->picture, "picture", PICTURE_SRGB, &size, err) ||
        work_open_mask(work, &blend->mask, err))
        return -1;
    work->result.source_width = work->picture.file_width;
    work->result.source_height = work->picture.file_height;
    if (picture_scale(&blend->mask, work->picture.width, work->picture.height, err))
        return -1;
    work_stage(work, stage_turn_picture);
    work_stage(work, stage_preview);
    work_stage(work, stage_blend);
    work_stage(work, stage_finish);
    return 0;
}
