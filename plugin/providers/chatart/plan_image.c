/*
 * plan_image.c - pictures: from text, and from one to fourteen others. Both are the same call with
 * other constants; the picture to be edited comes first in the list.
 */
#include "providers/chatart/chatart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The model's ratio that is nearest to a picture's own shape. */
static const char *nearest_ratio(const json_t *list, const json_t *picture)
{
    double width = (double)json_int(picture, "width", 0);
    double height = (double)json_int(picture, "height", 0);
    double best_off = 1e9;
    const char *best = "1:1";
    size_t index;
    json_t *item;

    if (width < 1 || height < 1)
        return best;
    json_array_foreach((json_t *)list, index, item) {
        int w, h;
        double off;

        if (sscanf(json_string_value(item), "%d:%d", &w, &h) != 2 || w < 1 || h < 1)
            continue;
        off = fabs(log(width / height * h / w));
        if (off < best_off) {
            best_off = off;
            best = json_string_value(item);
        }
    }
    return best;
}

static int add_ratio(struct chatart_planner *planner, const json_t *picture)
{
    const json_t *list = json_object_get(planner->model, "ratios");
    const json_t *scales =
        json_object_get(json_object_get(planner->catalog, "wire"), "picture_scales");
    const char *asked = json_text(planner->args, "aspect_ratio");
    const char *used;

    if (*asked && strcasecmp(asked, "auto") != 0) {
        if (chatart_one_of(planner, "aspect_ratio", asked, list, &used))
            return -1;
    } else {
        used = nearest_ratio(list, picture);
        chatart_note(planner, "aspect_ratio", json_string(used),
                     picture ? "nearest to the picture's own shape" : "none was asked for");
    }
    chatart_word(planner, "ratio", used);
    chatart_put(planner, "picture_scale", json_integer(json_int(scales, used, 0)));
    return 0;
}

static int add_quality(struct chatart_planner *planner, const char **ret_used)
{
    const json_t *list = json_object_get(planner->model, "qualities");
    const char *asked = json_text(planner->args, "quality");

    *ret_used = "";
    if (!list) {
        chatart_drop(planner, "quality", "this model has one quality only");
        return 0;
    }
    if (strcasecmp(asked, "standard") == 0)
        asked = "medium";
    else if (strcasecmp(asked, "hd") == 0)
        asked = "high";
    else if (!*asked || strcasecmp(asked, "auto") == 0)
        asked = json_text(planner->model, "quality_default");
    if (chatart_one_of(planner, "quality", asked, list, ret_used))
        return -1;
    if (strcmp(json_text(planner->args, "quality"), *ret_used) != 0)
        chatart_note(planner, "quality", json_string(*ret_used), "what this model calls it");
    chatart_word(planner, "quality", *ret_used);
    chatart_put(planner, "quality", json_string(*ret_used));
    return 0;
}

static int add_resolution(struct chatart_planner *planner)
{
    const json_t *list = json_object_get(planner->model, "resolutions");
    const json_t *numbers =
        json_object_get(json_object_get(planner->catalog, "wire"), "image_definitions");
    const json_t *prices = json_object_get(planner->model, "prices");
    const char *asked = json_text(planner->args, "resolution");
    const char *used = json_string_value(json_array_get(list, 0));
    const char *quality;

    if (*asked && chatart_one_of(planner, "resolution", asked, list, &used))
        return -1;
    if (!*asked)
        chatart_note(planner, "resolution", json_string(used), "the model's smallest");
    if (add_quality(planner, &quality))
        return -1;
    if (*quality)
        prices = json_object_get(prices, quality);
    planner->cost = (double)json_int(prices, used, -1);
    chatart_word(planner, "resolution", used);
    chatart_put(planner, "image_definition", json_integer(json_int(numbers, used, 0)));
    return 0;
}

static int add_pictures(struct chatart_planner *planner, const json_t *image,
                        const json_t *references)
{
    int64_t max = json_int(planner->model, "references_max", 0);
    size_t count = json_array_size(references) + (image != NULL);

    if (count > (size_t)max)
        return err_field(planner->err, "reference_images", "%s takes at most %lld pictures",
                         json_text(planner->model, "name"), (long long)max);
    if (image && chatart_add_input(planner, "image", image, "image"))
        return -1;
    for (size_t i = 0; i < json_array_size(references); i++)
        if (chatart_add_input(planner, "reference_images", json_array_get(references, i), "image"))
            return -1;
    return 0;
}

int chatart_plan_image(struct chatart_planner *planner, int edit)
{
    const json_t *wire = json_object_get(planner->catalog, "wire");
    const json_t *image = json_object_get(planner->args, "image");
    const json_t *references = json_object_get(planner->args, "reference_images");
    const char *operation = json_text(planner->args, "operation");
    const json_t *first = image ? image : json_array_get(references, 0);
    const json_t *style;

    if (edit && *operation && strcmp(operation, "edit") != 0)
        return err_field(planner->err, "operation",
                         "ChatArt has no \"%.40s\"; it edits by words (operation \"edit\")",
                         operation);
    if (edit && !image)
        return err_field(planner->err, "image", "image: there is none to edit");
    planner->kind = planner->wire = "image";
    planner->list = "reference_image";
    planner->prefix = edit ? "edited" : "generated";
    chatart_word(planner, "sort", first ? "edit" : "draw");
    if (chatart_choose_model(planner, first ? "edit" : "image", NULL) ||
        chatart_add_prompt(planner, "description", 1) || add_ratio(planner, first) ||
        add_resolution(planner) || add_pictures(planner, edit ? image : NULL, references))
        return -1;
    style = json_object_get(json_object_get(wire, "styles"), first ? "edit" : "text");
    chatart_put(planner, "style", json_integer(json_int(style, "style", 0)));
    chatart_put(planner, "scene_id", json_integer(json_int(style, "scene_id", 0)));
    chatart_put(planner, "gen_content", json_string(""));
    chatart_put(planner, "content", json_pack("{s:s,s:s}", "text", "", "site_url", ""));
    chatart_put(planner, "picture_counts", json_integer(1));
    chatart_put(planner, "gpt_type", json_string(json_text(planner->model, "code")));
    return 0;
}
