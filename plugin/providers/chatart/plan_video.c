/*
 * plan_video.c - videos from text, from a first and last frame or from references, the extension of
 * one, and character replacement. Which of the service's ways of taking pictures is meant follows
 * from what is given and what the model lists:
 *
 *   frames      one or two: the way "frames"; one alone also "single", then "references"
 *   references  three or more, or mode "reference": "references", up to nine
 *               one or two: one is "single" where listed, else "references", else (one) "frames"
 */
#include "providers/chatart/chatart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const json_t *wire_of(const struct chatart_planner *planner, const char *name)
{
    return json_object_get(json_object_get(planner->catalog, "wire"), name);
}

static const json_t *rules_of(const struct chatart_planner *planner, const char *mode)
{
    return json_object_get(json_object_get(planner->model, "modes"), mode);
}

/* The service's spelling: "4k", not "2160p". */
static const char *spelled(const char *resolution)
{
    return strcasecmp(resolution, "2160p") == 0 || strcmp(resolution, "2160") == 0 ? "4k"
                                                                                   : resolution;
}

static int add_resolution(struct chatart_planner *planner, const json_t *rules,
                          const char **ret_used)
{
    const json_t *list = json_object_get(rules, "resolutions");
    const char *asked = json_text(planner->args, "resolution");
    const char *usual = json_text(json_object_get(planner->catalog, "defaults"), "resolution");

    if (*asked)
        return chatart_one_of(planner, "resolution", spelled(asked), list, ret_used);
    *ret_used = json_list_has(list, usual) ? usual : json_string_value(json_array_get(list, 0));
    chatart_note(planner, "resolution", json_string(*ret_used), "none was asked for");
    return 0;
}

/* The nearest length there is. */
static int64_t add_seconds(struct chatart_planner *planner, const json_t *rules)
{
    const json_t *list = json_object_get(rules, "seconds");
    const json_t *asked = json_object_get(planner->args, "seconds");
    int64_t used = json_integer_value(json_array_get(list, 0));
    size_t index;
    json_t *item;

    json_array_foreach((json_t *)list, index, item)
        if (json_is_number(asked) &&
            fabs((double)json_integer_value(item) - json_number_value(asked)) <
                fabs((double)used - json_number_value(asked)))
            used = json_integer_value(item);
    if (!json_is_number(asked))
        chatart_note(planner, "seconds", json_integer(used), "none was asked for");
    else if (fabs((double)used - json_number_value(asked)) > 1e-6)
        chatart_note(planner, "seconds", json_integer(used), "the nearest length there is");
    return used;
}

static int add_ratio(struct chatart_planner *planner, const json_t *rules)
{
    const json_t *list = json_object_get(rules, "ratios");
    const char *asked = json_text(planner->args, "aspect_ratio");
    const char *used;

    if (!*asked || strcasecmp(asked, "auto") == 0)
        return 0;
    if (!list) {
        chatart_drop(planner, "aspect_ratio", "what it is made from decides its shape");
        return 0;
    }
    if (chatart_one_of(planner, "aspect_ratio", asked, list, &used))
        return -1;
    chatart_word(planner, "ratio", used);
    chatart_put(planner, "ratio", json_string(used));
    return 0;
}

static void add_model(struct chatart_planner *planner)
{
    chatart_put(planner, "gpt_type", json_string(json_text(planner->model, "code")));
    chatart_put(planner, "original_model", json_string(json_text(planner->model, "code")));
}

static void set_cost(struct chatart_planner *planner, const char *resolution, int64_t seconds)
{
    int64_t each = json_int(json_object_get(planner->model, "prices"), resolution, -1);
    int64_t per = json_int(planner->model, "price_seconds", 1);
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)seconds);
    chatart_word(planner, "seconds", text);
    chatart_word(planner, "resolution", resolution);

    planner->cost = each < 0 ? -1 : (double)each * (double)seconds / (double)per;
}

/* 1 unless the user wants it silent. */
static int wants_sound(const struct chatart_planner *planner)
{
    return !json_is_false(json_object_get(planner->args, "sound"));
}

static int refuse_files(struct chatart_planner *planner, const char *const *fields,
                        const char *mode)
{
    for (; *fields; fields++) {
        const json_t *value = json_object_get(planner->args, *fields);

        if (json_is_object(value) || json_array_size(value))
            return err_field(planner->err, *fields, "mode \"%s\" takes no %s", mode, *fields);
    }
    return 0;
}

static int plan_text(struct chatart_planner *planner)
{
    static const char *const none[] = {"first_frame", "last_frame", "reference_images",
                                       "video",       "audio",      NULL};
    const char *resolution;
    const json_t *rules;
    int64_t seconds;

    if (refuse_files(planner, none, "text") || chatart_choose_model(planner, "text", "text") ||
        chatart_add_prompt(planner, "prompt", 1))
        return -1;
    rules = rules_of(planner, "text");
    if (add_resolution(planner, rules, &resolution) || add_ratio(planner, rules))
        return -1;
    seconds = add_seconds(planner, rules);
    chatart_word(planner, "sort", "text");
    chatart_put(planner, "video_id", json_string(json_text(wire_of(planner, "video_ids"), "text")));
    chatart_put(planner, "function_mode",
                json_string(json_text(wire_of(planner, "ways"), "single")));
    chatart_put(planner, "quality", json_string(resolution));
    chatart_put(planner, "duration", json_integer(seconds));
    chatart_put(planner, "sound", json_integer(wants_sound(planner)));
    set_cost(planner, resolution, seconds);
    return 0;
}

/* How this model takes these pictures; NULL: not at all. */
static const char *way_for(const struct chatart_planner *planner, size_t frames, size_t references,
                           const char *mode)
{
    const json_t *ways = json_object_get(rules_of(planner, mode), "ways");

    if (frames) {
        if (json_list_has(ways, "frames"))
            return "frames";
        if (frames == 1 && json_list_has(ways, "single"))
            return "single";
        return frames == 1 && json_list_has(ways, "references") ? "references" : NULL;
    }
    if (references == 1 && json_list_has(ways, "single"))
        return "single";
    if (json_list_has(ways, "references"))
        return "references";
    return references == 1 && json_list_has(ways, "frames") ? "frames" : NULL;
}

static int add_pictures(struct chatart_planner *planner, const json_t *first, const json_t *last,
                        const json_t *references)
{
    size_t max = (size_t)json_int(planner->catalog, "references_max", 1);

    if (json_array_size(references) > max)
        return err_field(planner->err, "reference_images", "at most %zu pictures are taken", max);
    if (first && chatart_add_input(planner, "first_frame", first, "image"))
        return -1;
    if (last && chatart_add_input(planner, "last_frame", last, "image"))
        return -1;
    for (size_t i = 0; i < json_array_size(references); i++)
        if (chatart_add_input(planner, "reference_images", json_array_get(references, i), "image"))
            return -1;
    return 0;
}

static int check_pictures(struct chatart_planner *planner, const json_t *first, const json_t *last,
                          size_t references, const char *mode)
{
    static const char *const none[] = {"video", "audio", NULL};

    if (refuse_files(planner, none, mode))
        return -1;
    if (last && !first)
        return err_field(planner->err, "first_frame", "last_frame needs a first_frame, too");
    if (first && references)
        return err_field(planner->err, "reference_images",
                         "either first and last frame, or reference_images, not both");
    if (!first && !references)
        return err_field(planner->err,
                         strcmp(mode, "reference") == 0 ? "reference_images" : "first_frame",
                         "mode \"%s\" needs a picture", mode);
    return 0;
}

static int plan_pictures(struct chatart_planner *planner, const char *asked_mode)
{
    const json_t *first = json_object_get(planner->args, "first_frame");
    const json_t *last = json_object_get(planner->args, "last_frame");
    const json_t *references = json_object_get(planner->args, "reference_images");
    size_t count = json_array_size(references);
    int many = !first && (strcmp(asked_mode, "reference") == 0 || count >= 3);
    const char *mode = many ? "reference" : "image";
    const char *resolution;
    const json_t *entry;
    const json_t *rules;
    const char *way;
    int64_t seconds;

    if (check_pictures(planner, first, last, count, mode))
        return -1;
    /* One picture to refer to is what "single" means for models without the other way. */
    entry = chatart_model(planner->catalog, "video", json_text(planner->args, "model"));
    if (many && count == 1 && entry &&
        !json_object_get(json_object_get(entry, "modes"), "reference")) {
        many = 0;
        mode = "image";
    }
    if (chatart_choose_model(planner, first ? "start" : "reference", mode))
        return -1;
    way = way_for(planner, first ? 1 + (last != NULL) : 0, count, mode);
    if (!way)
        return err_field(planner->err, last ? "last_frame" : "reference_images",
                         "%s does not take %s", json_text(planner->model, "name"),
                         last ? "a last_frame" : "so many pictures");
    rules = rules_of(planner, mode);
    if (chatart_add_prompt(planner, "prompt", many) ||
        add_resolution(planner, rules, &resolution) || add_ratio(planner, rules) ||
        add_pictures(planner, first, last, references))
        return -1;
    seconds = add_seconds(planner, rules);
    if (many && json_is_true(json_object_get(planner->args, "sound")))
        chatart_note(planner, "sound", json_false(), "not with several references");
    chatart_word(planner, "sort", mode);
    chatart_put(planner, "video_id", json_string(json_text(wire_of(planner, "video_ids"), mode)));
    chatart_put(planner, "function_mode", json_string(json_text(wire_of(planner, "ways"), way)));
    chatart_put(planner, "quality", json_string(resolution));
    chatart_put(planner, "duration", json_sprintf("%lld", (long long)seconds));
    chatart_put(planner, "sound", many ? json_false() : json_integer(wants_sound(planner)));
    set_cost(planner, resolution, seconds);
    return 0;
}

/* The source's height says it, as far as the model goes. */
static const char *extend_quality(const json_t *rules, int64_t height)
{
    static const int steps[] = {1080, 720, 540, 360};
    const json_t *list = json_object_get(rules, "resolutions");
    const char *best = json_string_value(json_array_get(list, 0));
    char name[16];

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        snprintf(name, sizeof(name), "%dp", steps[i]);
        if (height < steps[i] && steps[i] != 360)
            continue;
        for (size_t n = 0; n < json_array_size(list); n++)
            if (strcmp(json_string_value(json_array_get(list, n)), name) == 0)
                return json_string_value(json_array_get(list, n));
    }
    return best;
}

static int plan_extend(struct chatart_planner *planner)
{
    static const char *const none[] = {"first_frame", "last_frame", "reference_images", "audio",
                                       NULL};
    const json_t *video = json_object_get(planner->args, "video");
    int64_t height = json_int(video, "height", 0);
    const char *quality;
    const json_t *rules;
    int64_t seconds;

    if (!video)
        return err_field(planner->err, "video", "mode \"extend\" needs the video to make longer");
    if (refuse_files(planner, none, "extend") || chatart_choose_model(planner, "extend", "extend"))
        return -1;
    rules = rules_of(planner, "extend");
    chatart_drop(planner, "resolution", "the video that is made longer decides it");
    chatart_drop(planner, "aspect_ratio", "the video that is made longer decides it");
    if (chatart_add_prompt(planner, "prompt", 0) ||
        chatart_add_input(planner, "video", video, "video"))
        return -1;
    seconds = add_seconds(planner, rules);
    chatart_word(planner, "sort", "extend");
    chatart_put(planner, "video_id",
                json_string(json_text(wire_of(planner, "video_ids"), "extend")));
    chatart_put(planner, "function_mode",
                json_string(json_text(wire_of(planner, "ways"), "single")));
    chatart_put(planner, "duration", json_integer(seconds));
    chatart_put(planner, "sound", json_integer(wants_sound(planner)));
    if (height > 0) { /* of an address it is not known; the service looks itself */
        quality = extend_quality(rules, height);
        chatart_put(planner, "quality", json_string(quality));
        set_cost(planner, quality, seconds);
    }
    return 0;
}

/* What "auto" comes to. */
static const char *mode_of(const struct chatart_planner *planner)
{
    const char *mode = json_text(planner->args, "mode");

    if (*mode && strcmp(mode, "auto") != 0)
        return mode;
    if (json_object_get(planner->args, "audio"))
        return "lip_sync";
    if (json_object_get(planner->args, "video"))
        return json_object_get(planner->args, "first_frame") ? "animate" : "extend";
    if (json_object_get(planner->args, "first_frame") ||
        json_object_get(planner->args, "last_frame") ||
        json_array_size(json_object_get(planner->args, "reference_images")))
        return "image";
    return "text";
}

int chatart_plan_video(struct chatart_planner *planner)
{
    const char *mode = mode_of(planner);
    int rc;

    planner->kind = planner->wire = "video";
    planner->list = "image_url";
    planner->prefix = "generated-video";
    chatart_drop(planner, "session", "ChatArt has no sessions");
    if (strcmp(mode, "text") == 0)
        rc = plan_text(planner);
    else if (strcmp(mode, "image") == 0 || strcmp(mode, "reference") == 0)
        rc = plan_pictures(planner, mode);
    else if (strcmp(mode, "extend") == 0)
        rc = plan_extend(planner);
    else
        rc = err_field(planner->err, "mode",
                       "ChatArt offers no \"%.40s\" that is known to work; it has text, image, "
                       "reference and extend%s",
                       mode,
                       strcmp(mode, "animate") == 0 ? ", and character_replace for a motion video"
                                                    : "");
    if (rc == 0)
        add_model(planner);
    return rc;
}

int chatart_plan_replace(struct chatart_planner *planner)
{
    const json_t *picture = json_object_get(planner->args, "character_image");
    const json_t *video = json_object_get(planner->args, "motion_video");
    const char *mode = json_text(planner->args, "mode");
    const json_t *rule = json_object_get(json_object_get(planner->catalog, "input"), "video");
    const char *wire_mode;
    const char *resolution;
    double seconds = json_number_value(json_object_get(video, "seconds"));

    if (!*mode)
        mode = "full_scene";
    wire_mode = json_text(wire_of(planner, "character_modes"), mode);
    planner->kind = "character";
    planner->wire = "video";
    planner->list = "image_url";
    planner->prefix = "replaced-video";
    chatart_drop(planner, "prompt", "ChatArt takes no words here");
    if (chatart_choose_model(planner, mode, mode) ||
        chatart_add_input(planner, "character_image", picture, "image") ||
        chatart_add_input(planner, "motion_video", video, "video") ||
        add_resolution(planner, rules_of(planner, mode), &resolution))
        return -1;
    /* The price goes by the second: what cannot be measured cannot be ordered. */
    if (!*json_text(video, "path"))
        return err_field(planner->err, "motion_video",
                         "motion_video must be a local file: its length decides the price");
    if (seconds < 1 || seconds > (double)json_int(rule, "seconds_max", 600))
        return err_field(planner->err, "motion_video",
                         "motion_video is %.1f s long; 1 to %lld s are taken", seconds,
                         (long long)json_int(rule, "seconds_max", 600));
    chatart_put(planner, "video_id",
                json_string(json_text(wire_of(planner, "video_ids"), "character")));
    chatart_word(planner, "sort", mode);
    chatart_put(planner, "mode", json_string(wire_mode));
    chatart_put(planner, "duration", json_integer((json_int_t)floor(seconds)));
    chatart_put(planner, "quality", json_string(resolution));
    add_model(planner);
    set_cost(planner, resolution, (int64_t)floor(seconds));
    return 0;
}
