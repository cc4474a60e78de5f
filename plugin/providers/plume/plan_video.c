/*
 * plan_video.c - what is particular to videos. veo has three fixed slots for pictures (first, last,
 * reference), empty texts where there is none, and says its seconds. seedance2 has a list without
 * gaps, a mode for each use of it, and its seconds in the model's name; with frames it takes the
 * ratio from them, unless the user named one.
 */
#include "providers/plume/plume.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define VEO_SECONDS_MAX 60

struct pictures {
    const json_t *first;
    const json_t *last;
    const json_t *references;
};

static int add_slots(struct plume_planner *planner, const struct pictures *pictures)
{
    const json_t *reference = json_array_get(pictures->references, 0);

    if (json_array_size(pictures->references) > 1)
        return err_field(planner->err, "reference_images", "veo takes one reference picture");
    if (!pictures->first && !pictures->last && !reference)
        return 0;
    if (plume_add_picture(planner, "first_frame", pictures->first) ||
        plume_add_picture(planner, "last_frame", pictures->last) ||
        plume_add_picture(planner, "reference_images", reference))
        return -1;
    return 0;
}

static int plan_veo(struct plume_planner *planner, const struct pictures *pictures)
{
    const json_t *seconds = json_object_get(planner->args, "seconds");
    double wanted = json_is_number(seconds)
                        ? json_number_value(seconds)
                        : (double)json_int(planner->entry, "seconds_default", 6);
    const char *ratio;
    json_t *config;

    if (!(wanted >= 1 && wanted <= VEO_SECONDS_MAX))
        return err_field(planner->err, "seconds", "seconds: veo takes 1 to %d", VEO_SECONDS_MAX);
    if (fabs(wanted - round(wanted)) > 1e-9)
        plume_note(planner, "seconds", json_integer((json_int_t)round(wanted)), "whole seconds");
    if (add_slots(planner, pictures) ||
        plume_set_mode(planner,
                       plume_count_pictures(planner) ? "image_to_video" : "text_to_video") ||
        plume_choose_ratio(planner, &ratio))
        return -1;
    if (!*ratio)
        ratio = json_text(planner->entry, "ratio");
    config = json_object();
    plume_put(planner, config, "model", json_string(json_text(planner->entry, "wire_model")));
    plume_put(planner, config, "aspectRatio", json_string(ratio));
    plume_put(planner, config, "durationSeconds", json_integer((json_int_t)round(wanted)));
    plume_put(planner, planner->content, "videoConfig", config);
    return 0;
}

/* An argument beats what the model's name says, as in the published client. */
static int seedance_seconds(struct plume_planner *planner, int *ret_seconds)
{
    const json_t *asked = json_object_get(planner->args, "seconds");
    const json_t *allowed = json_object_get(planner->entry, "seconds");
    const char *model = json_text(planner->args, "model");
    double wanted = (double)json_int(planner->entry, "seconds_default", 5);
    size_t index;
    json_t *item;
    int named;

    if (sscanf(model, "seedance2-%4ds", &named) == 1)
        wanted = named;
    if (json_is_number(asked))
        wanted = json_number_value(asked);
    json_array_foreach((json_t *)allowed, index,
                       item) if (fabs(wanted - json_number_value(item)) < 1e-9)
    {
        *ret_seconds = (int)json_integer_value(item);
        return 0;
    }
    return err_field(planner->err, json_is_number(asked) ? "seconds" : "model",
                     "seedance2 makes 5, 10 or 15 seconds");
}

static int add_list(struct plume_planner *planner, const struct pictures *pictures)
{
    int64_t most = json_int(planner->entry, "references_max", 1);
    size_t index;
    json_t *file;

    if ((pictures->first || pictures->last) && json_array_size(pictures->references))
        return err_field(planner->err, "reference_images",
                         "seedance2 takes either frames or reference pictures");
    if (pictures->last && !pictures->first)
        return err_field(planner->err, "first_frame",
                         "seedance2 takes a last_frame only after a first_frame");
    if ((int64_t)json_array_size(pictures->references) > most)
        return err_field(planner->err, "reference_images", "seedance2 takes at most %lld",
                         (long long)most);
    if ((pictures->first && plume_add_picture(planner, "first_frame", pictures->first)) ||
        (pictures->last && plume_add_picture(planner, "last_frame", pictures->last)))
        return -1;
    json_array_foreach((json_t *)pictures->references, index,
                       file) if (plume_add_picture(planner, "reference_images", file)) return -1;
    return 0;
}

static int plan_seedance(struct plume_planner *planner, const struct pictures *pictures)
{
    const json_t *prices = json_object_get(planner->entry, "seconds_credits");
    int seconds = 0;
    const char *ratio;
    char text[32];
    json_t *config;

    if (seedance_seconds(planner, &seconds) || add_list(planner, pictures) ||
        plume_set_mode(planner, pictures->last                     ? "first_last_frame"
                                : pictures->first                  ? "first_frame"
                                : json_array_size(planner->inputs) ? "universal_reference"
                                                                   : "text_to_video") ||
        plume_choose_ratio(planner, &ratio))
        return -1;
    snprintf(text, sizeof(text), "%d", seconds);
    planner->cost = (double)json_int(prices, text, -1);
    snprintf(text, sizeof(text), "seedance2-%ds", seconds);
    config = json_object();
    plume_put(planner, config, "model", json_string(text));
    if (!*ratio && strncmp(planner->mode, "first_", 6) != 0)
        ratio = json_text(planner->entry, "ratio");
    if (*ratio)
        plume_put(planner, config, "aspectRatio", json_string(ratio));
    plume_put(planner, planner->content, "videoConfig", config);
    return 0;
}

/* The tool's own word for what is wanted against what was given. */
static int check_mode(struct plume_planner *planner, const struct pictures *pictures)
{
    static const char *const absent[] = {"video", "audio", "session"};
    const char *mode = json_text(planner->args, "mode");
    int frames = pictures->first || pictures->last;
    int references = json_array_size(pictures->references) > 0;

    for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++)
        if (json_object_get(planner->args, absent[i]))
            return err_field(planner->err, absent[i],
                             "%s: Plume makes videos of words and pictures", absent[i]);
    if (strcmp(mode, "extend") == 0 || strcmp(mode, "animate") == 0 ||
        strcmp(mode, "lip_sync") == 0)
        return err_field(planner->err, "mode", "mode: Plume has no %s", mode);
    if (strcmp(mode, "text") == 0 && (frames || references))
        return err_field(planner->err, "mode", "mode: text goes without pictures");
    if (strcmp(mode, "image") == 0 && !frames)
        return err_field(planner->err, "first_frame", "first_frame: there is none");
    if (strcmp(mode, "reference") == 0 && !references)
        return err_field(planner->err, "reference_images", "reference_images: there is none");
    return 0;
}

int plume_plan_video(struct plume_planner *planner)
{
    static const char *const unknown_settings[] = {"resolution", "sound",  "fps",
                                                   "seed",       "preset", NULL};
    struct pictures pictures = {
        .first = json_object_get(planner->args, "first_frame"),
        .last = json_object_get(planner->args, "last_frame"),
        .references = json_object_get(planner->args, "reference_images"),
    };

    if (check_mode(planner, &pictures))
        return -1;
    plume_drop(planner, unknown_settings);
    return strcmp(json_text(planner->entry, "name"), "veo") == 0
               ? plan_veo(planner, &pictures)
               : plan_seedance(planner, &pictures);
}
