/*
 * contact.c - many pictures on one: a grid of square places, filled row of places by row of places,
 * so that memory holds one such row and one picture. A picture is never enlarged, and lies in the
 * middle of its place; transparent parts show the sheet's white. One that cannot be read leaves a
 * grey field, and the others are shown all the same.
 */
#include "imaging/work.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define CELL_PX 256
#define GAP_PX 8
#define WHITE 255
#define GREY 192

struct contact {
    int cell;
    int columns;
    int at; /* the picture that is being shown */
    int y;  /* its next row */
};

/* The band of one row of places is work->mask, 3 bands. */
static int band_height(const struct contact *contact)
{
    return contact->cell + GAP_PX;
}

static uint8_t *place(struct imaging_work *work, int row)
{
    const struct contact *contact = work->own;
    int x = GAP_PX + contact->at % contact->columns * (contact->cell + GAP_PX);

    return sheet_row(&work->mask, GAP_PX + row) + (size_t)x * 3;
}

static void show_missing(struct imaging_work *work)
{
    const struct contact *contact = work->own;

    for (int y = 0; y < contact->cell; y++)
        memset(place(work, y), GREY, (size_t)contact->cell * 3);
    work->result.unreadable++;
}

static int show_slice(struct imaging_work *work, struct contact *contact, struct err *err)
{
    const struct picture *picture = &work->picture;
    int n = picture_slice_of(picture, contact->y);
    size_t bands = (size_t)picture->bands;

    if (picture_rows(picture, contact->y, n, work->rows[0], err))
        return -1;
    for (int i = 0; i < n; i++) {
        const uint8_t *from = work->rows[0] + (size_t)i * (size_t)picture->width * bands;
        uint8_t *to = place(work, (contact->cell - picture->height) / 2 + contact->y + i) +
                      (size_t)((contact->cell - picture->width) / 2) * 3;

        for (int x = 0; x < picture->width; x++) {
            uint32_t alpha = bands == 4 ? from[3] : 255;

            for (int c = 0; c < 3; c++)
                to[c] = (uint8_t)((from[c] * alpha + WHITE * (255 - alpha) + 127) / 255);
            from += bands;
            to += 3;
        }
    }
    contact->y += n;
    return contact->y < picture->height;
}

/* A slice of one picture: 1 more of it, 0 it is shown. */
static int show(struct imaging_work *work, struct contact *contact, struct err *err)
{
    struct picture_size size = {IMAGING_CONTAIN, contact->cell, contact->cell};
    struct picture *picture = &work->picture;

    if (!picture->image) {
        contact->y = 0;
        if (picture_open(picture, work->job->pictures[contact->at], "pictures", PICTURE_SRGB, &size,
                         err))
            return -1;
        return 1;
    }
    if (picture->turn > 1) {
        int rc = picture_load_slice(picture, work->job->output, &contact->y, err);

        if (rc == 0)
            contact->y = 0;
        return rc < 0 ? rc : 1;
    }
    return show_slice(work, contact, err);
}

static int write_band(struct imaging_work *work, struct err *err)
{
    for (int y = 0; y < work->mask.height; y++)
        if (png_out_row(work->out, sheet_row(&work->mask, y), err))
            return -1;
    memset(work->mask.data, WHITE, work->mask.bytes);
    return 0;
}

static int stage_show(struct imaging_work *work, struct err *err)
{
    struct contact *contact = work->own;
    struct err why;
    int rc = show(work, contact, &why);

    if (rc > 0)
        return 1;
    picture_close(&work->picture);
    if (rc < 0)
        show_missing(work);
    contact->at++;
    if (contact->at % contact->columns == 0 || contact->at == (int)work->job->pictures_count)
        if (write_band(work, err))
            return -1;
    return contact->at < (int)work->job->pictures_count;
}

/* The last gap. */
static int stage_edge(struct imaging_work *work, struct err *err)
{
    for (int y = 0; y < GAP_PX; y++)
        if (png_out_row(work->out, sheet_row(&work->mask, y), err))
            return -1;
    return 0;
}

int contact_open(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    int count = (int)job->pictures_count;
    struct contact *contact;
    int rows;
    int width;

    if (!count)
        return err_field(err, "pictures", "no pictures were given");
    work->own = contact = mem_alloc(sizeof(*contact));
    work->own_free = mem_free;
    if (!contact)
        return err_nomem(err);
    contact->cell = job->cell_px ? job->cell_px : CELL_PX;
    contact->columns = job->columns ? job->columns : (int)ceil(sqrt(count));
    if (contact->columns > count)
        contact->columns = count;
    rows = (count + contact->columns - 1) / contact->columns;
    width = GAP_PX + contact->columns * (contact->cell + GAP_PX);
    if (width > LIMIT_IMAGING_SIDE || rows * band_height(contact) + GAP_PX > LIMIT_IMAGING_SIDE)
        return err_field(err, "columns", "%d pictures of %d pixels in %d columns are more than "
                         "fits on a sheet", count, contact->cell, contact->columns);
    if (sheet_open(&work->mask, job->output, width, band_height(contact), 3, err) ||
        work_rows(work, 0, contact->cell, 4, contact->cell, err) ||
        work_open_output(work, width, rows * band_height(contact) + GAP_PX, 3, NULL, err))
        return -1;
    memset(work->mask.data, WHITE, work->mask.bytes);
    work_stage(work, stage_show);
    work_stage(work, stage_edge);
    work_stage(work, stage_finish);
    return 0;
}
