/*
 * object.c - finds a picture's object: by alpha, or as what differs from the backdrop, whose colour
 * is given or is the mean of the four corners. The largest connected part (neighbours touch by a
 * side or a corner) is found in two walks over the rows: the first gives every run of marked pixels
 * a number and joins the numbers of runs that touch, the second drops the runs of all other parts.
 */
#include "imaging/work.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define CORNER_PX 8
#define TOLERANCE_COLOUR_MAX 442.0 /* black to white */

struct run {
    int left;
    int right; /* the last pixel */
    uint32_t number;
};

struct object {
    int backdrop[3];
    uint32_t *parent; /* of each run; a root is its own */
    uint32_t *area;   /* of a root: pixels of all its runs, at most LIMIT_IMAGING_PIXELS */
    uint32_t count;
    uint32_t room;
    uint32_t best;
    struct run *above; /* runs of the row before */
    struct run *here;
    int above_count;
};

static void object_free(void *own)
{
    struct object *object = own;

    mem_free(object->parent);
    mem_free(object->area);
    mem_free(object->above);
    mem_free(object->here);
    mem_free(object);
}

static int stage_backdrop(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    const struct picture *picture = &work->picture;
    struct object *object = work->own;
    int side = job->corner_px > 0 ? job->corner_px : CORNER_PX;
    int64_t sum[3] = {0};
    size_t bands = (size_t)picture->bands;

    if (side > picture->width)
        side = picture->width;
    if (side > picture->height)
        side = picture->height;
    if (work_rows(work, 0, picture->width, picture->bands, picture->height, err))
        return -1;
    for (int i = 0; i < 2 * side; i++) {
        int y = i < side ? i : picture->height - 2 * side + i;

        if (picture_rows(picture, y, 1, work->rows[0], err))
            return -1;
        for (int j = 0; j < 2 * side; j++) {
            int x = j < side ? j : picture->width - 2 * side + j;

            for (size_t c = 0; c < 3; c++)
                sum[c] += work->rows[0][(size_t)x * bands + c];
        }
    }
    for (int c = 0; c < 3; c++)
        object->backdrop[c] = (int)(sum[c] / (4 * (int64_t)side * side));
    return 0;
}

static int is_object(const struct imaging_job *job, const struct object *object,
                     const uint8_t *pixel, int bands)
{
    double square = 0;

    if (job->select == IMAGING_BY_ALPHA)
        return bands < 4 || pixel[3] >= job->tolerance;
    for (int c = 0; c < 3; c++)
        square += (pixel[c] - object->backdrop[c]) * (pixel[c] - object->backdrop[c]);
    return square >= job->tolerance * job->tolerance;
}

static int no_transparency(struct err *err)
{
    return err_field(err, "select",
                     "this picture has no transparency to tell its object by; select "
                     "by its backdrop colour");
}

static int stage_select(struct imaging_work *work, struct err *err)
{
    const struct picture *picture = &work->picture;
    int n = picture_slice(picture->width, work->y, picture->height);
    size_t count = (size_t)n * (size_t)picture->width;
    uint8_t *mask = sheet_row(&work->mask, work->y);
    size_t bands = (size_t)picture->bands;

    if (picture_rows(picture, work->y, n, work->rows[0], err))
        return -1;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *pixel = work->rows[0] + i * bands;

        mask[i] = is_object(work->job, work->own, pixel, picture->bands) ? 255 : 0;
        if (bands == 4 && pixel[3] < 255)
            work->alpha_min = pixel[3];
    }
    work->y += n;
    if (work->y < picture->height)
        return 1;
    if (work->job->select == IMAGING_BY_ALPHA && work->alpha_min == 255)
        return no_transparency(err);
    return 0;
}

static uint32_t root_of(struct object *object, uint32_t number)
{
    while (object->parent[number] != number) {
        object->parent[number] = object->parent[object->parent[number]];
        number = object->parent[number];
    }
    return number;
}

static void join(struct object *object, uint32_t a, uint32_t b)
{
    a = root_of(object, a);
    b = root_of(object, b);
    if (a == b)
        return;
    /* The lower number: parts that come first win a draw of their areas, too. */
    if (b < a) {
        uint32_t c = a;

        a = b;
        b = c;
    }
    object->parent[b] = a;
    object->area[a] += object->area[b];
}

static int add_run(struct object *object, uint32_t area, uint32_t *ret_number, struct err *err)
{
    if (object->count == object->room) {
        uint32_t room = object->room ? 2 * object->room : 4096;
        uint32_t *parent;
        uint32_t *areas;

        if (room > LIMIT_IMAGING_RUNS)
            return err_set(err, ERR_LIMIT, "the selection is torn into more than %u pieces: use a "
                           "higher tolerance, or do without the largest part",
                           LIMIT_IMAGING_RUNS);
        parent = mem_grow(object->parent, room * sizeof(*parent));
        if (!parent)
            return err_nomem(err);
        object->parent = parent;
        areas = mem_grow(object->area, room * sizeof(*areas));
        if (!areas)
            return err_nomem(err);
        object->area = areas;
        object->room = room;
    }
    object->parent[object->count] = object->count;
    object->area[object->count] = area;
    *ret_number = object->count++;
    return 0;
}

/* The next run of a row from x on: 0 if there is none. */
static int next_run(const uint8_t *row, int width, int *x, struct run *run)
{
    const uint8_t *found = *x < width ? memchr(row + *x, 255, (size_t)(width - *x)) : NULL;
    const uint8_t *end;

    if (!found)
        return 0;
    run->left = (int)(found - row);
    end = memchr(found, 0, (size_t)(width - run->left));
    run->right = end ? (int)(end - row) - 1 : width - 1;
    *x = run->right + 1;
    return 1;
}

static int number_row(struct imaging_work *work, int y, struct err *err)
{
    struct object *object = work->own;
    const uint8_t *row = sheet_row(&work->mask, y);
    struct run *swapped = object->above;
    int count = 0;
    int over = 0;
    int x = 0;

    while (next_run(row, work->mask.width, &x, &object->here[count])) {
        struct run *run = &object->here[count++];

        if (add_run(object, (uint32_t)(run->right - run->left + 1), &run->number, err))
            return -1;
        while (over < object->above_count && object->above[over].right + 1 < run->left)
            over++;
        for (int i = over; i < object->above_count && object->above[i].left <= run->right + 1; i++)
            join(object, object->above[i].number, run->number);
    }
    object->above = object->here;
    object->here = swapped;
    object->above_count = count;
    return 0;
}

static int stage_number(struct imaging_work *work, struct err *err)
{
    struct object *object = work->own;
    int n = picture_slice(work->mask.width, work->y, work->mask.height);

    for (int i = 0; i < n; i++)
        if (number_row(work, work->y + i, err))
            return -1;
    work->y += n;
    if (work->y < work->mask.height)
        return 1;
    for (uint32_t i = 0; i < object->count; i++)
        if (object->parent[i] == i && object->area[i] > object->area[object->best])
            object->best = i;
    object->count = 0; /* the next walk meets the runs in the same order */
    return 0;
}

static int stage_keep(struct imaging_work *work, struct err *err)
{
    struct object *object = work->own;
    int n = picture_slice(work->mask.width, work->y, work->mask.height);

    (void)err;
    for (int y = work->y; y < work->y + n; y++) {
        uint8_t *row = sheet_row(&work->mask, y);
        struct run run;
        int x = 0;

        while (next_run(row, work->mask.width, &x, &run))
            if (root_of(object, object->count++) != object->best)
                memset(row + run.left, 0, (size_t)(run.right - run.left + 1));
    }
    work->y += n;
    return work->y < work->mask.height;
}

static int check(const struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    int by_alpha = job->select == IMAGING_BY_ALPHA;

    if (by_alpha && work->picture.bands < 4)
        return no_transparency(err);
    if (by_alpha ? !(job->tolerance >= 1 && job->tolerance <= 255)
                 : !(job->tolerance > 0 && job->tolerance <= TOLERANCE_COLOUR_MAX))
        return err_field(err, "tolerance", "the tolerance is %g; allowed is %s", job->tolerance,
                         by_alpha ? "1 to 255" : "above 0 to 442");
    return 0;
}

int mask_object_open(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    struct object *object;
    int width;

    if (work_open_picture(work, err) || check(work, err))
        return -1;
    width = work->picture.width;
    work->alpha_min = 255;
    work->own = object = mem_alloc(sizeof(*object));
    work->own_free = object_free;
    if (!object)
        return err_nomem(err);
    object->backdrop[0] = job->colour.red;
    object->backdrop[1] = job->colour.green;
    object->backdrop[2] = job->colour.blue;
    object->above = mem_grow(NULL, ((size_t)width / 2 + 2) * sizeof(struct run));
    object->here = mem_grow(NULL, ((size_t)width / 2 + 2) * sizeof(struct run));
    if (!object->above || !object->here ||
        work_rows(work, 0, width, work->picture.bands, work->picture.height, NULL))
        return err_nomem(err);
    if (sheet_open(&work->mask, job->output, width, work->picture.height, 1, err))
        return -1;
    if (job->select == IMAGING_BY_BACKDROP && !job->has_colour) {
        work_stage(work, stage_load_picture); /* the lower corners come last */
        work_stage(work, stage_backdrop);
    } else {
        work_stage(work, stage_turn_picture);
    }
    work_stage(work, stage_select);
    if (job->largest_only) {
        work_stage(work, stage_number);
        work_stage(work, stage_keep);
    }
    work->negate = !job->invert != !job->target_background;
    refine_stages(work);
    return 0;
}
