/*
 * mask.c - canonical masks from files and from regions, and the form with alpha that some providers
 * take. A mask file says what to change by its alpha if any pixel is transparent at all, else by
 * its brightness: both habits are common, and no file follows both.
 */
#include "imaging/work.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* Shapes that differ by more than this part are two different pictures. */
#define SHAPE_TOLERANCE 0.01

/* How bright a colour is, as ITU-R BT.601 weighs it: what greyscale conversions of files do. */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((299u * rgb[0] + 587u * rgb[1] + 114u * rgb[2] + 500u) / 1000u);
}

/* mask file -> brightness in work->mask, alpha in work->alpha */
static int stage_split(struct imaging_work *work, struct err *err)
{
    const struct picture *file = &work->other;
    int n = picture_slice(file->width, work->y, file->height);
    size_t count = (size_t)n * (size_t)file->width;
    uint8_t *brightness;
    uint8_t *alpha = NULL;

    if (work->y == 0) {
        if (work_rows(work, 0, file->width, file->bands, file->height, err) ||
            sheet_open(&work->mask, work->job->output, file->width, file->height, 1, err))
            return -1;
        if (file->bands == 4 &&
            sheet_open(&work->alpha, work->job->output, file->width, file->height, 1, err))
            return -1;
        work->alpha_min = 255;
    }
    if (picture_rows(file, work->y, n, work->rows[0], err))
        return -1;
    brightness = sheet_row(&work->mask, work->y);
    if (work->alpha.data)
        alpha = sheet_row(&work->alpha, work->y);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *pixel = work->rows[0] + i * (size_t)file->bands;

        brightness[i] = luma(pixel);
        if (alpha) {
            alpha[i] = (uint8_t)(255 - pixel[3]);
            if (pixel[3] < work->alpha_min)
                work->alpha_min = pixel[3];
        }
    }
    work->y += n;
    return work->y < file->height;
}

static int stage_choose(struct imaging_work *work, struct err *err)
{
    (void)err;
    if (work->alpha.data && work->alpha_min < 255) {
        struct sheet brightness = work->mask;

        work->mask = work->alpha;
        work->alpha = brightness;
    }
    sheet_close(&work->alpha);
    picture_close(&work->other);
    return 0;
}

/* The mask in its own size becomes a picture to be read, its scaled copy the mask. */
static int begin_scale(struct imaging_work *work, struct err *err)
{
    struct picture *from = &work->other;
    struct picture made = {.bands = 1, .turn = 1};
    VipsImage *scaled = NULL;
    int rc;

    made.image = vips_image_new_from_memory(work->mask.data, work->mask.bytes, work->mask.width,
                                            work->mask.height, 1, VIPS_FORMAT_UCHAR);
    if (!made.image)
        return picture_vips_error(err, ERR_NOMEM, "out of memory");
    made.sheet = work->mask; /* lives as long as the picture that shows it */
    work->mask.data = NULL;
    *from = made;
    rc = vips_resize(from->image, &scaled, (double)work->picture.width / made.sheet.width, "vscale",
                     (double)work->picture.height / made.sheet.height, "kernel",
                     VIPS_KERNEL_LINEAR, NULL);
    if (rc)
        return picture_vips_error(err, ERR_INVALID, "this mask cannot be scaled");
    g_object_unref(from->image);
    from->image = scaled;
    rc = vips_embed(from->image, &scaled, 0, 0, work->picture.width, work->picture.height,
                    "extend", VIPS_EXTEND_COPY, NULL);
    if (rc)
        return picture_vips_error(err, ERR_INVALID, "this mask cannot be scaled");
    g_object_unref(from->image);
    from->image = scaled;
    work->result.was_scaled = 1;
    return sheet_open(&work->mask, work->job->output, work->picture.width, work->picture.height, 1,
                      err);
}

static int stage_scale(struct imaging_work *work, struct err *err)
{
    int n;

    if (work->y == 0) {
        if (work->mask.width == work->picture.width && work->mask.height == work->picture.height)
            return 0;
        if (begin_scale(work, err))
            return -1;
    }
    n = picture_slice(work->mask.width, work->y, work->mask.height);
    if (picture_rows(&work->other, work->y, n, sheet_row(&work->mask, work->y), err))
        return -1;
    work->y += n;
    return work->y < work->mask.height;
}

int mask_file_open(struct imaging_work *work, struct err *err)
{
    double shape;
    double wanted;

    if (work_open_picture(work, err) ||
        picture_open(&work->other, work->job->mask, "mask", PICTURE_AS_STORED, NULL, err))
        return -1;
    shape = (double)work->other.width / work->other.height;
    wanted = (double)work->picture.width / work->picture.height;
    if ((work->other.width != work->picture.width || work->other.height != work->picture.height) &&
        fabs(shape / wanted - 1) > SHAPE_TOLERANCE)
        return err_field(err, "mask", "the mask is %d x %d pixels, the picture %d x %d: make the "
                         "mask in the picture's size, or in its shape", work->other.width,
                         work->other.height, work->picture.width, work->picture.height);
    work->negate = work->job->invert != 0;
    work_stage(work, stage_turn_other);
    work_stage(work, stage_split);
    work_stage(work, stage_choose);
    work_stage(work, stage_scale);
    refine_stages(work);
    return 0;
}

/* A region in pixels, clipped; 0 when nothing of it is left. */
struct box {
    int left;
    int top;
    int right; /* the first column behind it */
    int bottom;
};

static int clamp(double x, int max)
{
    return x <= 0 ? 0 : x >= max ? max : (int)nearbyint(x); /* halves to even */
}

static void box_of(const struct imaging_region *region, int width, int height, struct box *ret_box)
{
    double across = region->percent ? width / 100.0 : 1;
    double down = region->percent ? height / 100.0 : 1;

    ret_box->left = clamp(region->x * across, width);
    ret_box->right = clamp((region->x + region->width) * across, width);
    ret_box->top = clamp(region->y * down, height);
    ret_box->bottom = clamp((region->y + region->height) * down, height);
}

/* The part of row y that lies in the ellipse, whose own size is not clipped. */
static void ellipse_row(const struct imaging_region *region, int width, int height, int y,
                        struct box *box)
{
    double across = region->percent ? width / 100.0 : 1;
    double down = region->percent ? height / 100.0 : 1;
    double half_width = region->width * across / 2;
    double half_height = region->height * down / 2;
    double centre = region->x * across + half_width;
    double away = (y + 0.5 - region->y * down - half_height) / half_height;
    double reach = away * away >= 1 ? 0 : half_width * sqrt(1 - away * away);

    /* A pixel belongs to it if its centre does. */
    box->left = clamp(ceil(centre - reach - 0.5), width);
    box->right = clamp(floor(centre + reach - 0.5) + 1, width);
}

static int stage_draw(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    const struct sheet *mask = &work->mask;
    int n = picture_slice(mask->width, work->y, mask->height);

    (void)err;
    for (int y = work->y; y < work->y + n; y++) {
        for (size_t i = 0; i < job->regions_count; i++) {
            struct box box;

            box_of(&job->regions[i], mask->width, mask->height, &box);
            if (y < box.top || y >= box.bottom)
                continue;
            if (job->regions[i].shape == IMAGING_ELLIPSE)
                ellipse_row(&job->regions[i], mask->width, mask->height, y, &box);
            if (box.right > box.left)
                memset(sheet_row(mask, y) + box.left, 255, (size_t)(box.right - box.left));
        }
    }
    work->y += n;
    return work->y < mask->height;
}

static int check_region(const struct imaging_region *region, int width, int height, struct err *err)
{
    struct box box;

    if (!isfinite(region->x) || !isfinite(region->y) || !isfinite(region->width) ||
        !isfinite(region->height) || region->width <= 0 || region->height <= 0)
        return err_field(err, "regions", "a region needs a width and a height above 0");
    box_of(region, width, height, &box);
    if (box.right <= box.left || box.bottom <= box.top)
        return err_field(err, "regions", "a region lies outside of the picture, which is %d x %d "
                         "pixels", width, height);
    return 0;
}

int mask_regions_open(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;

    if (!job->regions_count)
        return err_field(err, "regions", "no region was given");
    if (work_open_picture(work, err))
        return -1;
    for (size_t i = 0; i < job->regions_count; i++)
        if (check_region(&job->regions[i], work->picture.width, work->picture.height, err))
            return -1;
    if (sheet_open(&work->mask, job->output, work->picture.width, work->picture.height, 1, err))
        return -1;
    work->negate = job->invert != 0;
    work_stage(work, stage_draw);
    refine_stages(work);
    return 0;
}

/* White, with the mask turned around as alpha: what is transparent is to be changed. */
static int stage_alpha(struct imaging_work *work, struct err *err)
{
    const struct picture *mask = &work->other;
    int n = picture_slice_of(mask, work->y);

    if (picture_rows(mask, work->y, n, work->rows[0], err))
        return -1;
    for (int i = 0; i < n; i++) {
        const uint8_t *from = work->rows[0] + (size_t)i * (size_t)mask->width * (size_t)mask->bands;

        for (int x = 0; x < mask->width; x++) {
            uint8_t value = from[(size_t)x * (size_t)mask->bands];

            work->rows[1][4 * (size_t)x + 3] = (uint8_t)(255 - value);
            work->result.masked_pixels += value > 0;
        }
        if (png_out_row(work->out, work->rows[1], err))
            return -1;
    }
    work->y += n;
    return work->y < mask->height;
}

int mask_alpha_open(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    struct picture *mask = &work->other;

    if (work_open_mask(work, mask, err))
        return -1;
    work->result.source_width = mask->width;
    work->result.source_height = mask->height;
    if (job->width && job->height) {
        work->result.was_scaled = mask->width != job->width || mask->height != job->height;
        if (picture_scale(mask, job->width, job->height, err))
            return -1;
    }
    if (work_rows(work, 0, mask->width, mask->bands, mask->height, err))
        return -1;
    work->rows[1] = mem_grow(NULL, (size_t)mask->width * 4);
    if (!work->rows[1])
        return err_nomem(err);
    memset(work->rows[1], 255, (size_t)mask->width * 4);
    work_stage(work, stage_alpha);
    work_stage(work, stage_finish);
    return work_open_output(work, mask->width, mask->height, 4, NULL, err);
}
