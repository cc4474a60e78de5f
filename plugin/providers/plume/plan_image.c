/*
 * plan_image.c - what is particular to pictures: modes, sizes, and the two operations.
 *
 * The wire, as the published client has it: Banana always says size and ratio, seedream says both
 * or neither, remove-* say nothing but the picture. Where nobody named them it is 2K and 9:16; for
 * a picture made from pictures the setting edit_ratio "source" leaves the ratio to the service.
 */
#include "providers/plume/plume.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const unknown_settings[] = {"quality", "background", "format",
                                               "seed",    "style",      NULL};

/* The longest side that a resolution stands for. */
static int side_of(const char *resolution)
{
    return strcmp(resolution, "4K") == 0 ? 4096 : strcmp(resolution, "2K") == 0 ? 2048 : 1024;
}

/* By its own name, or the one that a size in pixels comes nearest to; "" when nothing was asked. */
static const char *choose_resolution(struct plume_planner *planner)
{
    static const char *const all[] = {"1K", "2K", "4K"};
    const char *asked = json_text(planner->args, "resolution");
    const char *size = json_text(planner->args, "size");
    const char *best = "";
    double best_off = 0;
    long side;

    for (size_t i = 0; i < 3; i++)
        if (strcasecmp(asked, all[i]) == 0)
            return all[i];
    side = strtol(size, NULL, 10);
    size += strcspn(size, "xX*");
    if (*size && strtol(size + 1, NULL, 10) > side)
        side = strtol(size + 1, NULL, 10);
    for (size_t i = 0; side > 0 && i < 3; i++) {
        double off = fabs(log((double)side / side_of(all[i])));

        if (!*best || off < best_off) {
            best = all[i];
            best_off = off;
        }
    }
    return best;
}

static double credits(const struct plume_planner *planner, const char *resolution)
{
    const json_t *mode = plume_catalog_mode(planner->entry, planner->mode);
    const json_t *factor =
        json_object_get(json_object_get(planner->entry, "resolutions"), resolution);

    return floor((double)json_int(mode, "credits", 0) *
                 (json_is_number(factor) ? json_number_value(factor) : 1.0));
}

/* 9:16 unless the user named one, or may the service choose? */
static const char *usual_ratio(struct plume_planner *planner, int edit)
{
    const char *usual = json_text(planner->entry, "ratio");
    const char *asked = json_text(planner->args, "aspect_ratio");

    if (edit && (strcmp(json_text(planner->account->settings, "edit_ratio"), "source") == 0 ||
                 strcmp(asked, "auto") == 0))
        return "";
    plume_note(planner, "aspect_ratio", json_string(usual), "Plume's own where none is named");
    return usual;
}

static int add_config(struct plume_planner *planner)
{
    const json_t *modalities = json_object_get(planner->entry, "modalities");
    int edit = plume_count_pictures(planner) > 0;
    const char *resolution = choose_resolution(planner);
    const char *ratio;
    json_t *config, *image;

    if (plume_choose_ratio(planner, &ratio))
        return -1;
    if (!*ratio && !*resolution && strcmp(json_text(planner->entry, "config"), "asked") == 0) {
        planner->cost = credits(planner, "");
        return 0;
    }
    if (!*resolution)
        resolution = json_text(planner->entry, "resolution");
    if (!*ratio)
        ratio = usual_ratio(planner, edit);
    planner->cost = credits(planner, resolution);
    image = json_object();
    plume_put(planner, image, "image_size", json_string(resolution));
    if (*ratio)
        plume_put(planner, image, "aspectRatio", json_string(ratio));
    config = json_object();
    if (modalities)
        plume_put(planner, config, "responseModalities", json_whole_copy(modalities));
    plume_put(planner, config, "imageConfig", image);
    plume_put(planner, planner->content, "generationConfig", config);
    return 0;
}

static int add_references(struct plume_planner *planner)
{
    const json_t *list = json_object_get(planner->args, "reference_images");
    int64_t most = json_int(planner->entry, "references_max", 0);
    size_t index;
    json_t *file;

    json_array_foreach((json_t *)list, index,
                       file) if (plume_add_picture(planner, "reference_images", file)) return -1;
    if ((int64_t)json_array_size(planner->inputs) > most)
        return err_field(planner->err, "reference_images", "%s takes at most %lld picture(s)",
                         json_text(planner->entry, "name"), (long long)most);
    return 0;
}

static int plan_removal(struct plume_planner *planner)
{
    static const char *const useless[] = {
        "prompt", "reference_images", "aspect_ratio", "size", "resolution", "count", NULL};
    const json_t *modes = json_object_get(planner->entry, "modes");

    plume_drop(planner, useless);
    planner->cost = (double)json_int(json_array_get(modes, 0), "credits", 0);
    return 0;
}

int plume_plan_image(struct plume_planner *planner)
{
    const json_t *count = json_object_get(planner->args, "count");
    const json_t *image = json_object_get(planner->args, "image");

    plume_drop(planner, unknown_settings);
    if (strcmp(planner->tool, "edit_image") == 0 && !image)
        return err_field(planner->err, "image", "image: there is none");
    if (image && plume_add_picture(planner, "image", image))
        return -1;
    if (strncmp(json_text(planner->entry, "name"), "remove-", 7) == 0)
        return plan_removal(planner);
    if (json_integer_value(count) > 1)
        plume_note(planner, "count", json_integer(1), "Plume makes one picture a task");
    if (add_references(planner) ||
        plume_set_mode(planner, plume_count_pictures(planner) ? "image_to_image" : "text_to_image"))
        return -1;
    return add_config(planner);
}
