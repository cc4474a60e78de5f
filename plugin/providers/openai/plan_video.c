/*
 * plan_video.c - what is particular to videos: seconds, size in the three ways in which families
 * want it, first and last frame, references.
 */
#include "providers/openai/openai.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of equally near ones the shorter: it never costs more than was asked for. */
static double nearest_seconds(const json_t *list, double asked)
{
    double best = 0;
    size_t index;
    json_t *item;

    json_array_foreach((json_t *)list, index, item) {
        double value = json_number_value(item);

        if (best <= 0 || fabs(value - asked) < fabs(best - asked))
            best = value;
    }
    return best;
}

static int add_seconds(struct openai_planner *planner)
{
    const json_t *list = json_object_get(planner->entry, "seconds");
    const json_t *value = json_object_get(planner->args, "seconds");
    const char *field = json_text(planner->wire, "seconds");
    double asked = json_number_value(value);
    double used = asked;
    char allowed[120];
    char text[32];

    if (!json_is_number(value) || !*field)
        return 0;
    if (!(asked > 0) || asked > 36000)
        return err_field(planner->err, "seconds", "seconds must be more than 0");
    if (json_array_size(list)) {
        used = nearest_seconds(list, asked);
        if (fabs(used - asked) > 3 && (used > asked * 2 || used < asked / 2)) {
            openai_join_list(list, allowed, sizeof(allowed));
            return err_field(planner->err, "seconds", "seconds %g is not one of %s for %s", asked,
                             allowed, planner->model);
        }
        if (used != asked)
            openai_note(planner, "seconds", json_integer((json_int_t)used),
                        "the nearest length that this model makes");
    } else if (used != floor(used)) {
        used = fmax(1, floor(used));
        openai_note(planner, "seconds", json_integer((json_int_t)used), "whole seconds only");
    }
    planner->seconds = used;
    snprintf(text, sizeof(text), "%d", (int)used);
    openai_put(planner, field,
               strcmp(json_text(planner->wire, "seconds_type"), "string") == 0
                   ? json_string(text)
                   : json_integer((json_int_t)used));
    return 0;
}

/* "720p", "1080P", "4K": the shorter side; 0 for anything else. */
static int short_side(const char *resolution)
{
    char *end;
    long side;

    if (strcasecmp(resolution, "4K") == 0)
        return 2160;
    if (strcasecmp(resolution, "2K") == 0)
        return 1440;
    if (strcasecmp(resolution, "1K") == 0)
        return 1080;
    side = strtol(resolution, &end, 10);
    return end != resolution && strcasecmp(end, "p") == 0 && side >= 120 && side <= 4320 ? (int)side
                                                                                         : 0;
}

static void make_size(double ratio, int side, char *ret_size, size_t size)
{
    double width = ratio >= 1 ? side * ratio : side;
    double height = ratio >= 1 ? side : side / ratio;

    snprintf(ret_size, size, "%dx%d", (int)(round(width / 2) * 2), (int)(round(height / 2) * 2));
}

static void put_size(struct openai_planner *planner, const char *size)
{
    int width;
    int height;

    if (strcmp(json_text(planner->wire, "size_style"), "width_height") == 0 &&
        openai_parse_size(size, &width, &height) == 0) {
        openai_put(planner, "width", json_integer(width));
        openai_put(planner, "height", json_integer(height));
    } else {
        const char *field = json_text(planner->wire, "size");

        openai_put(planner, *field ? field : "size", json_string(size));
    }
}

/* Models with a list of sizes: what was asked for, else what suits the picture to start from. */
static int listed_size(struct openai_planner *planner, const char *size, double ratio,
                       const char *ratio_field, int side)
{
    const json_t *sizes = json_object_get(planner->entry, "sizes");
    double slim = ratio > 1 ? ratio : 1 / ratio;
    double area = side ? side * slim * side : 0;
    const char *used;
    char allowed[200];
    int width;
    int height;

    if (*size && json_list_has(sizes, size)) {
        put_size(planner, size);
        return 0;
    }
    openai_join_list(sizes, allowed, sizeof(allowed));
    if (*size && openai_parse_size(size, &width, &height))
        return err_field(planner->err, "size", "size \"%.40s\" is not one of %s", size, allowed);
    if (*size) {
        ratio = (double)width / height;
        area = (double)width * height;
    }
    used = openai_nearest_size(sizes, ratio, area > 0 ? area : 1280.0 * 720.0);
    if (!used)
        return err_field(planner->err, *size ? "size" : ratio_field,
                         "%s makes no video of that shape; it makes %s", planner->model, allowed);
    openai_parse_size(used, &width, &height);
    if (*size)
        openai_note(planner, "size", json_string(used), "the nearest size that this model makes");
    else if (fabs(log((double)width / height / ratio)) > 0.02 && *ratio_field)
        openai_note(planner, ratio_field, json_string(used),
                    "the nearest size that this model makes");
    if (side && (width < height ? width : height) != side)
        openai_note(planner, "resolution", json_string(used),
                    "the nearest size that this model makes");
    put_size(planner, used);
    return 0;
}

static int add_size(struct openai_planner *planner, const json_t *picture)
{
    const char *size = json_text(planner->args, "size");
    const char *ratio_text = json_text(planner->args, "aspect_ratio");
    const char *resolution = json_text(planner->args, "resolution");
    int asked = *ratio_text && strcasecmp(ratio_text, "auto") != 0;
    int side = short_side(resolution);
    double ratio = 16.0 / 9;
    char made[32];

    if (asked && openai_parse_ratio(ratio_text, &ratio))
        return err_field(planner->err, "aspect_ratio",
                         "aspect_ratio \"%.40s\" is not of the form 16:9", ratio_text);
    if (strcasecmp(size, "auto") == 0)
        size = "";
    if (json_is_array(json_object_get(planner->entry, "sizes"))) {
        int64_t width = json_int(picture, "width", 0);
        int64_t height = json_int(picture, "height", 0);

        snprintf(made, sizeof(made), "%lldx%lld", (long long)width, (long long)height);
        if (!*size && !asked && !side &&
            json_is_true(json_object_get(planner->entry, "reference_exact")) &&
            json_list_has(json_object_get(planner->entry, "sizes"), made))
            size = made; /* no other would be taken with it */
        if (*size && asked)
            openai_note(planner, "aspect_ratio", json_null(), "the size says it already");
        if (!*size && !asked && width > 0 && height > 0)
            return listed_size(planner, size, width > height ? 16.0 / 9 : 9.0 / 16, "", side);
        return *size || asked || side ? listed_size(planner, size, ratio, "aspect_ratio", side) : 0;
    }
    if (*size)
        put_size(planner, size);
    else if (strcmp(json_text(planner->wire, "size_style"), "ratio") != 0 && (asked || side)) {
        make_size(ratio, side ? side : 720, made, sizeof(made));
        put_size(planner, made);
        return 0;
    }
    if (asked && *json_text(planner->wire, "ratio"))
        openai_put(planner, json_text(planner->wire, "ratio"), json_string(ratio_text));
    if (*resolution && *json_text(planner->wire, "resolution"))
        openai_put(planner, json_text(planner->wire, "resolution"), json_string(resolution));
    return 0;
}

/* Some models refuse a picture that is not exactly as large as the video, after taking the order.
 */
static int check_exact(struct openai_planner *planner, const json_t *picture)
{
    int64_t have_width = json_int(picture, "width", 0);
    int64_t have_height = json_int(picture, "height", 0);
    const char *size = json_text(planner->body, "size");
    int width = 720;
    int height = 1280;
    char sizes[200];

    if (!json_is_true(json_object_get(planner->entry, "reference_exact")) || !have_width ||
        (*size && openai_parse_size(size, &width, &height)) ||
        (have_width == width && have_height == height))
        return 0;
    openai_join_list(json_object_get(planner->entry, "sizes"), sizes, sizeof(sizes));
    return err_field(planner->err, "first_frame",
                     "%s takes a picture of exactly the video's size, %dx%d; this one is %lldx%lld. "
                     "Use a picture of one of %s (generate_image makes such with size), or another "
                     "model",
                     planner->model, width, height, (long long)have_width, (long long)have_height,
                     sizes);
}

static int add_frames(struct openai_planner *planner, const json_t **ret_first)
{
    const json_t *first = json_object_get(planner->args, "first_frame");
    const json_t *last = json_object_get(planner->args, "last_frame");
    const json_t *references = json_object_get(planner->args, "reference_images");
    const char *mode = json_text(planner->args, "mode");
    int64_t max = json_int(planner->entry, "references_max", LIMIT_FILES);
    size_t count = json_array_size(references);

    if (strcmp(mode, "text") == 0 && (json_is_object(first) || json_is_object(last) || count))
        return err_field(planner->err, "mode", "mode \"text\" takes no pictures; use \"auto\"");
    if (strcmp(mode, "image") == 0 && !json_is_object(first))
        return err_field(planner->err, "first_frame", "mode \"image\" needs a first_frame");
    if (strcmp(mode, "reference") == 0 && !count)
        return err_field(planner->err, "reference_images", "mode \"reference\" needs one");
    if (*mode && strcmp(mode, "text") != 0 && strcmp(mode, "image") != 0 &&
        strcmp(mode, "reference") != 0 && strcmp(mode, "auto") != 0)
        return err_field(planner->err, "mode",
                         "mode \"%.40s\" is not one of auto, text, image, reference here", mode);
    if (json_is_object(last) && max < LIMIT_FILES)
        return err_field(planner->err, "last_frame", "%s takes no last_frame", planner->model);
    if (count + (size_t)json_is_object(first) > (size_t)max)
        return err_field(planner->err, count ? "reference_images" : "first_frame",
                         "%s takes at most %lld pictures", planner->model, (long long)max);
    if (json_is_object(first) && openai_add_input(planner, "first_frame", first, "first"))
        return -1;
    if (json_is_object(last) && openai_add_input(planner, "last_frame", last, "last"))
        return -1;
    for (size_t i = 0; i < count; i++)
        if (openai_add_input(planner, "reference_images", json_array_get(references, i),
                             "reference"))
            return -1;
    *ret_first = json_is_object(first) ? first : json_array_get(references, 0);
    return 0;
}

int openai_plan_video(struct openai_planner *planner)
{
    const json_t *first = NULL;

    if (add_seconds(planner) || add_frames(planner, &first) || add_size(planner, first) ||
        check_exact(planner, first))
        return -1;
    openai_pass(planner, "sound", json_text(planner->wire, "sound"));
    openai_pass(planner, "fps", "fps");
    openai_pass(planner, "seed", "seed");
    openai_pass(planner, "preset", "preset");
    return 0;
}
