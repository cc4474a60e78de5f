/*
 * edit_args.c - see edit.h. A region is "x,y,width,height", numbers in pixels or each with "%",
 * several separated by ";". Older spellings are understood as well: rect:x:y:w:h, ellipse:x:y:w:h
 * and box:x1:y1:x2:y2, each with "-pct" behind its name for percent.
 */
#include "tools/edit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEATHER_PX 8.0
#define TOLERANCE 40.0
#define REGION_BYTES 96

enum edit_operation edit_operation_of(const json_t *args)
{
    static const char *const names[] = {NULL, "inpaint", "outpaint", "object"};
    const char *given = json_string_value(json_object_get(args, "operation"));

    for (int i = 1; given && i < 4; i++)
        if (strcmp(given, names[i]) == 0)
            return (enum edit_operation)i;
    return EDIT_WHOLE;
}

static double number(const json_t *args, const char *field, double otherwise)
{
    const json_t *value = json_object_get(args, field);

    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static int whole(const json_t *args, const char *field)
{
    return (int)fmax(-1e6, fmin(1e6, number(args, field, 0)));
}

static int is_true(const json_t *args, const char *field)
{
    return json_is_true(json_object_get(args, field));
}

static const char *word(const json_t *args, const char *field, const char *otherwise)
{
    const char *given = json_string_value(json_object_get(args, field));

    return given ? given : otherwise;
}

static int region_error(const char *given, struct err *err)
{
    return err_field(err, "region",
                     "region \"%.60s\" is not of the form x,y,width,height in pixels, "
                     "such as 100,80,300,200, or in percent, such as 25%%,10%%,50%%,40%%; "
                     "\"ellipse:\" before it makes it round",
                     given);
}

/* Four numbers, all in pixels or all in percent. */
static int four_numbers(const char *text, double *values, int *ret_percent)
{
    int percents = 0;

    for (int i = 0; i < 4; i++) {
        char *end;

        values[i] = strtod(text, &end);
        if (end == text || !isfinite(values[i]))
            return -1;
        text = end + strspn(end, " ");
        if (*text == '%') {
            percents++;
            text += 1 + strspn(text + 1, " ");
        }
        if (i < 3 ? (*text != ',' && *text != ':') : *text != '\0')
            return -1;
        text++;
    }
    *ret_percent = percents == 4;
    return percents == 0 || percents == 4 ? 0 : -1;
}

static int parse_region(const char *text, struct imaging_region *region)
{
    static const char *const shapes[] = {"rect", "ellipse", "box"};
    double values[4];
    int shape = 0;
    int percent = 0;
    int is_named_percent = 0;

    text += strspn(text, " ");
    for (int i = 0; i < 3; i++) {
        size_t len = strlen(shapes[i]);
        size_t more =
            strncmp(text, shapes[i], len) == 0 && strncmp(text + len, "-pct", 4) == 0 ? 4 : 0;

        if (strncmp(text, shapes[i], len) != 0 || text[len + more] != ':')
            continue;
        shape = i;
        is_named_percent = more != 0;
        text += len + more + 1;
        break;
    }
    if (four_numbers(text, values, &percent))
        return -1;
    region->shape = shape == 1 ? IMAGING_ELLIPSE : IMAGING_RECT;
    region->percent = percent || is_named_percent;
    region->x = values[0];
    region->y = values[1];
    region->width = shape == 2 ? values[2] - values[0] : values[2];
    region->height = shape == 2 ? values[3] - values[1] : values[3];
    return 0;
}

static int parse_regions(const char *text, struct imaging_job *job, struct edit_regions *regions,
                         struct err *err)
{
    char one[REGION_BYTES];

    while (*text) {
        size_t len = strcspn(text, ";");

        if (job->regions_count == LIMIT_IMAGING_REGIONS)
            return err_field(err, "region", "at most %d regions can be given",
                             LIMIT_IMAGING_REGIONS);
        if (len >= sizeof(one))
            return region_error(text, err);
        memcpy(one, text, len);
        one[len] = '\0';
        if (parse_region(one, &regions->list[job->regions_count++]))
            return region_error(one, err);
        text += len + (text[len] == ';');
    }
    job->regions = regions->list;
    return 0;
}

/* "#RRGGBB" or "#RRGGBBAA" */
static int parse_colour(const json_t *args, struct imaging_colour *ret_colour, struct err *err)
{
    const char *text = word(args, "color", "");
    size_t len = strlen(text);
    unsigned long value;
    char *end;

    if (!len)
        return 0;
    value = strtoul(text + 1, &end, 16);
    if (*text != '#' || (len != 7 && len != 9) ||
        strspn(text + 1, "0123456789abcdefABCDEF") != len - 1)
        return err_field(err, "color", "color \"%.20s\" is not of the form #RRGGBB or #RRGGBBAA",
                         text);
    if (len == 7)
        value = value << 8 | 255;
    *ret_colour = (struct imaging_colour){(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                                          (uint8_t)(value >> 8), (uint8_t)value};
    return 0;
}

static int object_job(const json_t *args, struct imaging_job *job)
{
    job->kind = IMAGING_MASK_OBJECT;
    job->select = strcmp(word(args, "select", "backdrop"), "alpha") == 0 ? IMAGING_BY_ALPHA
                                                                         : IMAGING_BY_BACKDROP;
    job->target_background = strcmp(word(args, "target", "object"), "background") == 0;
    job->tolerance = number(args, "tolerance", TOLERANCE);
    job->has_colour = json_object_get(args, "color") != NULL;
    job->largest_only = is_true(args, "largest");
    return 0;
}

static int outpaint_job(const json_t *args, struct imaging_job *job)
{
    static const char *const fills[] = {"transparent", "solid", "edge", "mirror", "blur"};
    const char *fill = word(args, "fill", "transparent");

    job->kind = IMAGING_CANVAS;
    job->left = whole(args, "left");
    job->top = whole(args, "top");
    job->right = whole(args, "right");
    job->bottom = whole(args, "bottom");
    for (int i = 0; i < 5; i++)
        if (strcmp(fill, fills[i]) == 0)
            job->fill = (enum imaging_fill)i;
    if (!json_object_get(args, "color"))
        job->colour = (struct imaging_colour){255, 255, 255, 255};
    return 0;
}

static int inpaint_job(const json_t *args, struct imaging_job *job, struct edit_regions *regions,
                       struct err *err)
{
    const char *region = word(args, "region", "");
    const json_t *mask = json_object_get(args, "mask");

    if (!mask && !*region)
        return err_field(err, "region",
                         "inpaint needs to know where: a region (x,y,width,height), or "
                         "a mask picture whose white or transparent part is to change");
    if (mask && *region)
        return err_field(err, "region", "give either a mask or a region, not both");
    if (mask && !json_object_get(mask, "path"))
        return err_field(err, "mask",
                         "a mask must be a file here: save it first (fetch_media), then "
                         "name its path or handle");
    job->kind = mask ? IMAGING_MASK_FILE : IMAGING_MASK_REGIONS;
    return mask ? 0 : parse_regions(region, job, regions, err);
}

int edit_job(const json_t *args, enum edit_operation operation, struct imaging_job *ret_job,
             struct edit_regions *regions, struct err *err)
{
    struct imaging_job job = {0};
    int rc;

    if (!json_object_get(json_object_get(args, "image"), "path"))
        return err_field(err, "image", "for this the picture must be a file here: save it first "
                         "(fetch_media), then name its path or handle");
    job.invert = is_true(args, "invert");
    job.grow_px = whole(args, "grow");
    job.feather_px = number(args, "feather", FEATHER_PX);
    if (operation == EDIT_INPAINT)
        rc = inpaint_job(args, &job, regions, err);
    else
        rc = operation == EDIT_OUTPAINT ? outpaint_job(args, &job) : object_job(args, &job);
    if (rc || parse_colour(args, &job.colour, err))
        return -1;
    *ret_job = job;
    return 0;
}
