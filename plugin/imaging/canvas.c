/*
 * canvas.c - a picture on a larger canvas, and the mask that says what is new. The picture's own
 * pixels are copied, transparent ones too; what is around them is filled: not at all, with a
 * colour, with the nearest pixel, with the picture mirrored at its edges, or with the picture
 * itself, enlarged to cover the canvas and blurred. The blurred one is made small and enlarged
 * again, which nobody sees, so that its cost does not depend on the canvas.
 */
#include "imaging/line.h"
#include "imaging/work.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define BACK_SIDE 512 /* of the small blurred picture */
#define BLUR_PX 24.0

struct canvas {
    int bands;
    int *columns; /* of the canvas: which column of the picture, for edge and mirror */
    struct picture back; /* the blurred one, in the canvas's size */
    uint8_t *mask_row;
    uint8_t *back_rows;
    uint8_t *source_row;
};

static void canvas_free(void *own)
{
    struct canvas *canvas = own;

    picture_close(&canvas->back);
    mem_free(canvas->columns);
    mem_free(canvas->mask_row);
    mem_free(canvas->back_rows);
    mem_free(canvas->source_row);
    mem_free(canvas);
}

/* Where pixel i of the canvas comes from, in a line of n pixels that begins at `begin`. */
static int source_of(enum imaging_fill fill, int i, int begin, int n)
{
    int at = i - begin;

    if (at >= 0 && at < n)
        return at;
    if (fill != IMAGING_FILL_MIRROR)
        return at < 0 ? 0 : n - 1;
    at %= 2 * n; /* the mirrored picture repeats, edges doubled */
    if (at < 0)
        at += 2 * n;
    return at < n ? at : 2 * n - 1 - at;
}

static VipsImage *step(VipsImage *from, int rc, VipsImage *made)
{
    g_object_unref(from);
    return rc ? NULL : made;
}

/* The picture without transparency, scaled to cover width x height. NULL: the reason is libvips's.
 */
static VipsImage *small_back(VipsImage *from, int width, int height)
{
    double scale = fmax((double)width / from->Xsize, (double)height / from->Ysize);
    VipsImage *image = from;
    VipsImage *made = NULL;
    VipsArrayDouble *white = vips_array_double_newv(3, 255.0, 255.0, 255.0);
    int rc;

    g_object_ref(image);
    if (image->Bands == 4) {
        rc = vips_flatten(image, &made, "background", white, NULL);
        image = step(image, rc, made);
    }
    vips_area_unref(VIPS_AREA(white));
    if (image) {
        rc = vips_resize(image, &made, scale, NULL);
        image = step(image, rc, made);
    }
    if (image) {
        /* Rounding may leave it a pixel short. */
        rc = vips_gravity(image, &made, VIPS_COMPASS_DIRECTION_CENTRE, width, height, "extend",
                          VIPS_EXTEND_COPY, NULL);
        image = step(image, rc, made);
    }
    return image;
}

static int blur_small(struct sheet *sheet, double sigma_px, struct err *err)
{
    size_t stride = (size_t)sheet->width * 3;
    uint8_t *room = mem_grow(NULL, LINE_ROOM(BACK_SIDE));
    struct line_box box;

    if (!room)
        return err_nomem(err);
    line_box_init(&box, sigma_px);
    for (size_t c = 0; c < 3; c++) {
        for (int y = 0; y < sheet->height; y++)
            line_blur(sheet_row(sheet, y) + c, sheet->width, 3, &box, room);
        for (int x = 0; x < sheet->width; x++)
            line_blur(sheet->data + (size_t)x * 3 + c, sheet->height, (int)stride, &box, room);
    }
    mem_free(room);
    return 0;
}

/* The picture lies in its sheet by now: the background is made in one go, as it is small. */
static int stage_back(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    struct canvas *canvas = work->own;
    struct picture *back = &canvas->back;
    int longer =
        work->result.width > work->result.height ? work->result.width : work->result.height;
    double part = longer > BACK_SIDE ? (double)BACK_SIDE / longer : 1;
    int width = (int)fmax(1, floor(work->result.width * part));
    int height = (int)fmax(1, floor(work->result.height * part));
    VipsImage *image = small_back(work->picture.image, width, height);

    if (!image)
        return picture_vips_error(err, ERR_INVALID, "the background cannot be made");
    *back = (struct picture){.image = image, .turn = 1, .bands = 3, .width = width,
                             .height = height};
    for (int y = 0, rc = 1; rc > 0;) {
        rc = picture_load_slice(back, job->output, &y, err);
        if (rc < 0)
            return -1;
    }
    if (blur_small(&back->sheet, fmax((job->blur_px > 0 ? job->blur_px : BLUR_PX) * part, 1), err))
        return -1;
    return picture_scale(back, work->result.width, work->result.height, err);
}

static void fill_row(struct imaging_work *work, const uint8_t *source, const uint8_t *back,
                     uint8_t *out)
{
    const struct canvas *canvas = work->own;
    const struct imaging_job *job = work->job;
    const int is_solid = job->fill == IMAGING_FILL_SOLID;
    const uint8_t solid[4] = {is_solid ? job->colour.red : 0, is_solid ? job->colour.green : 0,
                              is_solid ? job->colour.blue : 0, is_solid ? job->colour.alpha : 0};
    size_t from = (size_t)work->picture.bands;
    size_t to = (size_t)canvas->bands;

    for (int x = 0; x < work->result.width; x++) {
        const uint8_t *pixel = back ? back + (size_t)x * 3 : solid;
        int opaque = back != NULL;

        if (source) {
            pixel = source + (size_t)canvas->columns[x] * from;
            opaque = from == 3;
        }
        memcpy(out, pixel, 3);
        if (to == 4)
            out[3] = opaque ? 255 : pixel[3];
        out += to;
    }
}

static void own_row(struct imaging_work *work, const uint8_t *source, uint8_t *out)
{
    const struct canvas *canvas = work->own;
    size_t from = (size_t)work->picture.bands;
    size_t to = (size_t)canvas->bands;

    out += (size_t)work->job->left * to;
    for (int x = 0; x < work->picture.width; x++) {
        memcpy(out, source, from < to ? from : to);
        if (to == 4 && from == 3)
            out[3] = 255;
        source += from;
        out += to;
    }
}

static int stage_rows(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    struct canvas *canvas = work->own;
    int n = picture_slice(work->result.width, work->y, work->result.height);
    int copies = job->fill == IMAGING_FILL_EDGE || job->fill == IMAGING_FILL_MIRROR;
    int is_blur = job->fill == IMAGING_FILL_BLUR;

    if (is_blur && picture_rows(&canvas->back, work->y, n, canvas->back_rows, err))
        return -1;
    for (int i = 0; i < n; i++) {
        int y = work->y + i;
        int own = y >= job->top && y < job->top + work->picture.height;

        if ((own || copies) &&
            picture_rows(&work->picture, source_of(job->fill, y, job->top, work->picture.height), 1,
                         canvas->source_row, err))
            return -1;
        fill_row(work, copies ? canvas->source_row : NULL,
                 is_blur ? canvas->back_rows + (size_t)i * (size_t)work->result.width * 3 : NULL,
                 work->rows[0]);
        if (own)
            own_row(work, canvas->source_row, work->rows[0]);
        if (png_out_row(work->out, work->rows[0], err))
            return -1;
    }
    work->y += n;
    return work->y < work->result.height;
}

/* What is new is 255 whatever the feather does; it only reaches into the picture. */
static int stage_mask(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    struct canvas *canvas = work->own;
    int n = picture_slice(work->result.width, work->y, work->result.height);
    uint8_t *row = canvas->mask_row;

    for (int i = 0; i < n; i++) {
        int y = work->y + i;

        memset(row, 255, (size_t)work->result.width);
        if (y >= job->top && y < job->top + work->picture.height) {
            if (work->mask.data)
                memcpy(row + job->left, sheet_row(&work->mask, y) + job->left,
                       (size_t)work->picture.width);
            else
                memset(row + job->left, 0, (size_t)work->picture.width);
        }
        for (int x = 0; x < work->result.width; x++)
            work->result.masked_pixels += row[x] > 0;
        if (png_out_row(work->out_mask, row, err))
            return -1;
    }
    work->y += n;
    return work->y < work->result.height;
}

/* Only a feathered one needs all of it at once. */
static int stage_soft_mask(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;

    if (sheet_open(&work->mask, job->output, work->result.width, work->result.height, 1, err))
        return -1;
    memset(work->mask.data, 255, work->mask.bytes);
    for (int y = job->top; y < job->top + work->picture.height; y++)
        memset(sheet_row(&work->mask, y) + job->left, 0, (size_t)work->picture.width);
    return 0;
}

static int check(const struct imaging_job *job, struct err *err)
{
    if (job->left < 0 || job->top < 0 || job->right < 0 || job->bottom < 0)
        return err_field(err, "left", "a canvas grows by 0 pixels or more on each side; to cut "
                         "something off is no outpainting");
    if (!job->left && !job->top && !job->right && !job->bottom)
        return err_field(err, "left", "no side was given by which the canvas is to grow");
    if (job->left > LIMIT_IMAGING_SIDE || job->top > LIMIT_IMAGING_SIDE ||
        job->right > LIMIT_IMAGING_SIDE || job->bottom > LIMIT_IMAGING_SIDE)
        return err_field(err, "left", "a side of a canvas has at most %d pixels",
                         LIMIT_IMAGING_SIDE);
    return 0;
}

static int has_alpha(const struct imaging_work *work)
{
    return work->picture.bands == 4 || work->job->fill == IMAGING_FILL_TRANSPARENT ||
           (work->job->fill == IMAGING_FILL_SOLID && work->job->colour.alpha < 255);
}

static int allocate(struct imaging_work *work, struct canvas *canvas, struct err *err)
{
    const struct imaging_job *job = work->job;
    size_t width = (size_t)work->result.width;
    size_t rows = (size_t)picture_slice(work->result.width, 0, work->result.height);

    work->rows[0] = mem_grow(NULL, width * (size_t)canvas->bands);
    canvas->mask_row = mem_grow(NULL, width);
    canvas->columns = mem_grow(NULL, width * sizeof(*canvas->columns));
    canvas->source_row = mem_grow(NULL, (size_t)work->picture.width * 4);
    if (job->fill == IMAGING_FILL_BLUR)
        canvas->back_rows = mem_grow(NULL, rows * width * 3);
    if (!work->rows[0] || !canvas->mask_row || !canvas->columns || !canvas->source_row ||
        (job->fill == IMAGING_FILL_BLUR && !canvas->back_rows))
        return err_nomem(err);
    for (int x = 0; x < work->result.width; x++)
        canvas->columns[x] = source_of(job->fill, x, job->left, work->picture.width);
    return 0;
}

static void list_stages(struct imaging_work *work)
{
    const struct imaging_job *job = work->job;

    /* Filled with a colour, or not at all, it streams. */
    if (job->fill == IMAGING_FILL_SOLID || job->fill == IMAGING_FILL_TRANSPARENT)
        work_stage(work, stage_turn_picture);
    else
        work_stage(work, stage_load_picture);
    if (job->fill == IMAGING_FILL_BLUR)
        work_stage(work, stage_back);
    work_stage(work, stage_rows);
    if (job->output_mask && job->feather_px > 0) {
        work_stage(work, stage_soft_mask);
        work_stage(work, stage_blur_rows);
        work_stage(work, stage_blur_columns);
    }
    if (job->output_mask)
        work_stage(work, stage_mask);
    work_stage(work, stage_finish);
}

int canvas_open(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    struct canvas *canvas = mem_alloc(sizeof(*canvas));
    int64_t width;
    int64_t height;

    work->own = canvas;
    work->own_free = canvas_free;
    if (!canvas)
        return err_nomem(err);
    if (check(job, err) || work_open_picture(work, err))
        return -1;
    width = (int64_t)work->picture.width + job->left + job->right;
    height = (int64_t)work->picture.height + job->top + job->bottom;
    if (width > LIMIT_IMAGING_SIDE || height > LIMIT_IMAGING_SIDE ||
        width * height > (int64_t)LIMIT_IMAGING_PIXELS)
        return err_field(err, "left", "the canvas would be %lld x %lld pixels, more than can be "
                         "worked on here", (long long)width, (long long)height);
    canvas->bands = has_alpha(work) ? 4 : 3;
    if (work_open_output(work, (int)width, (int)height, canvas->bands, &work->picture, err) ||
        allocate(work, canvas, err))
        return -1;
    if (job->output_mask && png_out_open(job->output_mask, (int)width, (int)height, 1, NULL, 0,
                                         &work->out_mask, err))
        return -1;
    list_stages(work);
    return 0;
}
