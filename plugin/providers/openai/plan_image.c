/*
 * plan_image.c - what is particular to pictures: sizes from ratios and resolutions, count, quality,
 * background, file format, references and mask.
 */
#include "providers/openai/openai.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Of "1K", "2K", "4K": the length of a square's side, 0 for anything else. */
static int square_side(const char *resolution)
{
    if (strcasecmp(resolution, "1K") == 0)
        return 1024;
    if (strcasecmp(resolution, "2K") == 0)
        return 2048;
    return strcasecmp(resolution, "4K") == 0 ? 4096 : 0;
}

static int obeys(const json_t *rule, int width, int height)
{
    int multiple = (int)json_int(rule, "multiple", 1);
    int longer = width > height ? width : height;
    int shorter = width > height ? height : width;

    return rule && multiple > 0 && width % multiple == 0 && height % multiple == 0 &&
           longer <= json_int(rule, "long_max", 0) &&
           shorter <= json_int(rule, "short_max", 0) &&
           longer <= shorter * json_int(rule, "ratio_max", 1);
}

/* The size of that ratio and about that area which a rule allows; 0, or -1 for too slim a ratio. */
static int fit_rule(const json_t *rule, double ratio, double area, char *ret_size, size_t size)
{
    double multiple = (double)json_int(rule, "multiple", 1);
    double ratio_max = (double)json_int(rule, "ratio_max", 1);
    double slim = ratio > 1 ? ratio : 1 / ratio;
    double longer;
    double shorter;

    if (slim > ratio_max * 1.5)
        return -1;
    if (slim > ratio_max)
        slim = ratio_max;
    longer = sqrt(area * slim);
    longer = fmin(longer, (double)json_int(rule, "long_max", 1024));
    longer = fmin(longer, (double)json_int(rule, "short_max", 1024) * slim);
    shorter = fmax(round(longer / slim / multiple) * multiple, multiple);
    longer = fmin(round(shorter * slim / multiple) * multiple, shorter * ratio_max);
    longer = fmin(longer, (double)json_int(rule, "long_max", 1024));
    snprintf(ret_size, size, "%dx%d", (int)(ratio > 1 ? longer : shorter),
             (int)(ratio > 1 ? shorter : longer));
    return 0;
}

static void put_size(struct openai_planner *planner, const char *size)
{
    const char *style = json_text(planner->wire, "size_style");
    int width;
    int height;

    if (strcmp(style, "width_height") == 0 && openai_parse_size(size, &width, &height) == 0) {
        openai_put(planner, "width", json_integer(width));
        openai_put(planner, "height", json_integer(height));
    } else {
        openai_put(planner, "size", json_string(size));
    }
}

static int refuse_size(struct openai_planner *planner, const char *field, const char *given)
{
    char allowed[240];

    openai_join_list(json_object_get(planner->entry, "sizes"), allowed, sizeof(allowed));
    return err_field(planner->err, field, "%s \"%.40s\" is nothing that %s makes; it makes %s",
                     field, given, planner->model, allowed);
}

/* A size that was asked for as such, or one that a ratio and a resolution stand for. */
static int known_size(struct openai_planner *planner, const char *size, const char *ratio_text,
                      int side)
{
    const json_t *sizes = json_object_get(planner->entry, "sizes");
    const json_t *rule = json_object_get(planner->entry, "size_rule");
    const char *field = *size ? "size" : "aspect_ratio";
    const char *given = *size ? size : ratio_text;
    double area = side ? (double)side * side : 1024.0 * 1024.0;
    double ratio = 1;
    char made[32];
    const char *used;
    int width = 0;
    int height = 0;

    if (*size && json_list_has(sizes, size)) {
        put_size(planner, size);
        return 0;
    }
    if (*size) {
        if (openai_parse_size(size, &width, &height))
            return refuse_size(planner, field, given);
        ratio = (double)width / height;
        area = (double)width * height;
    } else if (*ratio_text && openai_parse_ratio(ratio_text, &ratio)) {
        return refuse_size(planner, field, given);
    }
    if (*size && obeys(rule, width, height)) {
        put_size(planner, size);
        return 0;
    }
    used = openai_nearest_size(sizes, ratio, area);
    if (json_is_object(rule) && fit_rule(rule, ratio, area, made, sizeof(made)) == 0)
        used = made;
    if (!used)
        return refuse_size(planner, field, given);
    put_size(planner, used);
    openai_parse_size(used, &width, &height);
    if (*size || fabs(log((double)width / height / ratio)) > 0.02)
        openai_note(planner, field, json_string(used), "the nearest size that this model makes");
    if (side && !*size && (width > height ? width : height) < side * 9 / 10)
        openai_note(planner, "resolution", json_string(used),
                    "this model makes no larger pictures");
    return 0;
}

static int add_size(struct openai_planner *planner)
{
    const char *size = json_text(planner->args, "size");
    const char *ratio = json_text(planner->args, "aspect_ratio");
    const char *resolution = json_text(planner->args, "resolution");
    int auto_ratio = strcasecmp(ratio, "auto") == 0;
    double parsed;
    int side = square_side(resolution);

    if (strcasecmp(size, "auto") == 0 && *ratio && !auto_ratio)
        size = "";
    if (json_is_array(json_object_get(planner->entry, "sizes"))) {
        if (*resolution && !side)
            return err_field(planner->err, "resolution",
                             "resolution \"%.40s\" is not one of 1K, 2K, 4K", resolution);
        if (*size && *ratio && !auto_ratio)
            openai_note(planner, "aspect_ratio", json_null(), "the size says it already");
        if (auto_ratio)
            ratio = "";
        return *size || *ratio || side ? known_size(planner, size, ratio, side) : 0;
    }
    if (*ratio && !auto_ratio && openai_parse_ratio(ratio, &parsed))
        return err_field(planner->err, "aspect_ratio",
                         "aspect_ratio \"%.40s\" is not of the form 16:9", ratio);
    if (*size)
        put_size(planner, size);
    if (*ratio && !auto_ratio)
        openai_put(planner, json_text(planner->wire, "ratio"), json_string(ratio));
    if (*resolution)
        openai_put(planner, json_text(planner->wire, "resolution"), json_string(resolution));
    return 0;
}

/* A word out of a list; `aliases` maps other words to it. */
static int add_choice(struct openai_planner *planner, const char *field, const char *wire_field,
                      const json_t *list, const json_t *aliases)
{
    const char *value = json_text(planner->args, field);
    const char *other;
    char allowed[200];

    if (!*value)
        return 0;
    if (!list) {
        if (*wire_field)
            openai_put(planner, wire_field, json_string(value));
        else
            openai_note(planner, field, json_null(), "this provider has no such setting");
        return 0;
    }
    if (json_array_size(list) == 0) {
        openai_note(planner, field, json_null(), "this model has no such setting");
        return 0;
    }
    other = json_text(aliases, value);
    if (*other && !json_list_has(list, value)) {
        openai_note(planner, field, json_string(other), "the nearest that this model knows");
        value = other;
    }
    if (!json_list_has(list, value)) {
        openai_join_list(list, allowed, sizeof(allowed));
        return err_field(planner->err, field, "%s \"%.40s\" is not one of %s", field, value,
                         allowed);
    }
    openai_put(planner, wire_field, json_string(value));
    return 0;
}

static int add_looks(struct openai_planner *planner)
{
    const json_t *entry = planner->entry;
    const json_t *formats = json_object_get(entry, "formats");
    const char *format_field = json_text(planner->wire, "format");
    const char *format = json_text(planner->args, "format");
    const char *background = json_text(planner->args, "background");

    if (add_choice(planner, "quality", "quality", json_object_get(entry, "qualities"),
                   json_object_get(entry, "quality_aliases")) ||
        add_choice(planner, "background", "background", json_object_get(entry, "backgrounds"),
                   NULL))
        return -1;
    if (strcasecmp(format, "jpg") == 0 && *format_field && (!formats || json_array_size(formats)))
        openai_put(planner, format_field, json_string("jpeg"));
    else if (add_choice(planner, "format", format_field, formats, NULL))
        return -1;
    if (formats && json_array_size(formats) && strcmp(background, "transparent") == 0 &&
        strncasecmp(format, "jp", 2) == 0) {
        openai_put(planner, format_field, json_string("png"));
        openai_note(planner, "format", json_string("png"), "jpeg cannot be transparent");
    }
    if (!openai_knows(planner, "style"))
        openai_pass(planner, "style", "style");
    else if (add_choice(planner, "style", "style", json_object_get(entry, "styles"), NULL))
        return -1;
    openai_pass(planner, "seed", "seed");
    openai_pass(planner, "nsfw", "nsfw");
    return 0;
}

static void add_count(struct openai_planner *planner)
{
    int64_t count = json_int(planner->args, "count", 0);
    int64_t count_max = json_int(planner->entry, "n_max", LIMIT_FILES);

    if (count < 1)
        return;
    if (count > count_max) {
        openai_note(planner, "count", json_integer(count_max), "the most in one request");
        count = count_max;
    }
    planner->files = (unsigned)count;
    openai_put(planner, "n", json_integer(count));
}

/* A mask covers the first picture point by point. */
static int add_mask(struct openai_planner *planner, const json_t *first)
{
    const json_t *mask = json_object_get(planner->args, "mask");
    int64_t width = json_int(mask, "width", 0);
    int64_t height = json_int(mask, "height", 0);

    if (!json_is_object(mask))
        return 0;
    if (!first)
        return err_field(planner->err, "mask", "mask: there is no picture that it belongs to");
    if (width > 0 && json_int(first, "width", 0) > 0 &&
        (width != json_int(first, "width", 0) || height != json_int(first, "height", 0)))
        return err_field(planner->err, "mask", "mask is %lldx%lld; the picture is %lldx%lld",
                         (long long)width, (long long)height,
                         (long long)json_int(first, "width", 0),
                         (long long)json_int(first, "height", 0));
    return openai_add_input(planner, "mask", mask, "mask");
}

static int add_pictures(struct openai_planner *planner)
{
    static const char *const fields[] = {"image", "images", "reference_images"};
    int64_t max = json_int(planner->entry, "references_max", LIMIT_FILES);
    const json_t *first = NULL;
    int64_t count = 0;

    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        const json_t *value = json_object_get(planner->args, fields[i]);
        size_t rows = json_is_array(value) ? json_array_size(value) : json_is_object(value);

        for (size_t k = 0; k < rows; k++) {
            const json_t *file = json_is_array(value) ? json_array_get(value, k) : value;

            if (++count > max || count > LIMIT_FILES)
                return err_field(planner->err, fields[i], "%s takes at most %lld pictures",
                                 planner->model,
                                 (long long)(max < LIMIT_FILES ? max : LIMIT_FILES));
            if (openai_add_input(planner, fields[i], file, first ? "reference" : "image"))
                return -1;
            first = first ? first : file;
        }
    }
    if (planner->edit && !first)
        return err_field(planner->err, "image", "image: there is none to edit");
    return add_mask(planner, first);
}

int openai_plan_image(struct openai_planner *planner)
{
    const char *format = json_text(planner->wire, "response_format");

    add_count(planner);
    if (add_size(planner) || add_looks(planner) || add_pictures(planner))
        return -1;
    if (*format)
        openai_put(planner, "response_format", json_string(format));
    return 0;
}
