/*
 * What is asked for in a request for a Plume task, checked category by category, and its price.
 *
 * The published client checks nothing but the category, so what the service refuses is known only
 * from its documents. The setting `strict` turns the enumerations and the rule on addresses off;
 * what makes a task impossible (no prompt, no picture) is refused in any case.
 */
#include "sim_plume.h"

#include <stdio.h>
#include <string.h>

#define SECONDS_MAX 30
#define SECONDS_VEO 6
#define SHORT_SIDE  720
#define SIDE_1K     1024

static const char *const modes_banana = "|text_to_image|image_to_image|multi_image_blend|";
static const char *const modes_seedream = "|text_to_image|image_to_image|";
static const char *const modes_veo = "|text_to_video|image_to_video|";
static const char *const modes_seedance =
    "|text_to_video|first_frame|first_last_frame|universal_reference|";
static const char *const ratios_image = "|21:9|16:9|4:3|3:2|1:1|9:16|3:4|2:3|5:4|4:5|";

static bool refuse_field(struct sim_request *r, const char *field, const char *why)
{
    sim_refuse(r, 400, "VALIDATION_ERROR", field, "content.%s %s", field, why);
    return false;
}

static bool among(const char *list, const char *word)
{
    char marked[64];
    snprintf(marked, sizeof marked, "|%.60s|", word);
    return *word && !strchr(word, '|') && strstr(list, marked) != NULL;
}

static const char *text_of(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

/* How many pictures are named; -1 with the answer set. Empty slots are allowed for veo. */
static int count_urls(struct sim_request *r, const struct plume_order *o)
{
    const json_t *list = json_object_get(o->content, "imageUrls"), *item;
    bool slots = strcmp(o->category, "veo") == 0;
    int n = 0;
    size_t i;

    if (list && (!json_is_array(list) || (slots && json_array_size(list) > PLUME_SLOTS))) {
        refuse_field(r, "imageUrls", "has to be a list of addresses");
        return -1;
    }
    json_array_foreach(list, i, item)
    {
        const char *url = json_string_value(item);
        if (slots && url && !*url)
            continue;
        if (!url || (r->settings.strict && !plume_knows_url(r, url))) {
            refuse_field(r, "imageUrls", "has an address that is neither uploaded nor a result");
            return -1;
        }
        n++;
    }
    return n;
}

static bool check_mode(struct sim_request *r, struct plume_order *o, const char *modes)
{
    o->mode = text_of(o->content, "processing_mode");
    if (!among(modes, o->mode))
        return refuse_field(r, "processing_mode", "is none of the category's");
    if (!*text_of(o->content, "prompt"))
        return refuse_field(r, "prompt", "is required");
    return true;
}

/* Picks the sides of a picture of this ratio whose longer one is `side`. */
static void sides(const char *ratio, int side, struct plume_order *o)
{
    int w = 1, h = 1;

    if (sscanf(ratio, "%2d:%2d", &w, &h) != 2 || w < 1 || h < 1)
        w = h = 1;
    o->width = w >= h ? side : side * w / h;
    o->height = h >= w ? side : side * h / w;
}

static bool read_image(struct sim_request *r, struct plume_order *o, bool banana)
{
    const json_t *config = json_object_get(o->content, "generationConfig");
    const json_t *image = json_object_get(config, "imageConfig");
    const char *size = text_of(image, "image_size"), *ratio = text_of(image, "aspectRatio");
    int n, twice = 2;

    if (!check_mode(r, o, banana ? modes_banana : modes_seedream) || (n = count_urls(r, o)) < 0)
        return false;
    bool blend = strcmp(o->mode, "multi_image_blend") == 0;
    bool text = strcmp(o->mode, "text_to_image") == 0;
    if (n < (text ? 0 : blend ? 2 : 1))
        return refuse_field(r, "imageUrls", "has too few pictures for the mode");
    if (banana && !config)
        return refuse_field(r, "generationConfig", "is required");
    if (r->settings.strict &&
        ((*size && !among("|1K|2K|4K|", size)) || (*ratio && !among(ratios_image, ratio))))
        return refuse_field(r, "generationConfig", "has an unknown size or ratio");
    if (strcmp(size, "2K") == 0)
        twice = 3;
    else if (strcmp(size, "4K") == 0)
        twice = 4;
    o->price = (banana ? (text ? 10 : blend ? 20 : 15) : (text ? 15 : 20)) * twice / 2;
    sides(*ratio ? ratio : "1:1", twice == 4 ? SIM_SIDE_MAX : SIDE_1K * twice / 2, o);
    return true;
}

static bool read_remove(struct sim_request *r, struct plume_order *o)
{
    int n = count_urls(r, o);

    if (n < 0)
        return false;
    if (n != 1)
        return refuse_field(r, "imageUrls", "has to name one picture");
    if (r->settings.strict && json_object_size(o->content) != 1)
        return refuse_field(r, "imageUrls", "is all that this category takes");
    o->mode = "";
    o->price = 5;
    sides("1:1", SIDE_1K, o);
    return true;
}

static bool read_veo(struct sim_request *r, struct plume_order *o)
{
    const json_t *config = json_object_get(o->content, "videoConfig");
    const json_t *seconds = json_object_get(config, "durationSeconds");
    const char *ratio = text_of(config, "aspectRatio");
    int n;

    if (!check_mode(r, o, modes_veo) || (n = count_urls(r, o)) < 0)
        return false;
    if (n == 0 && strcmp(o->mode, "image_to_video") == 0)
        return refuse_field(r, "imageUrls", "has no picture");
    if (strcmp(text_of(config, "model"), "veo3.1-fast") != 0)
        return refuse_field(r, "videoConfig", "names an unknown model");
    if (r->settings.strict && !among("|16:9|9:16|", ratio))
        return refuse_field(r, "videoConfig", "has an unknown ratio");
    o->seconds = seconds ? json_integer_value(seconds) : SECONDS_VEO;
    if (o->seconds < 1 || o->seconds > SECONDS_MAX)
        return refuse_field(r, "videoConfig", "has an unknown durationSeconds");
    o->price = r->settings.plume_price_veo;
    sides(ratio, SHORT_SIDE, o);
    return true;
}

static bool read_seedance(struct sim_request *r, struct plume_order *o)
{
    static const struct {
        const char *model;
        int64_t seconds, price;
    } models[] = {{"seedance2-5s", 5, 40}, {"seedance2-10s", 10, 72}, {"seedance2-15s", 15, 100}};
    const json_t *config = json_object_get(o->content, "videoConfig");
    const char *ratio = text_of(config, "aspectRatio");
    int n;

    if (!check_mode(r, o, modes_seedance) || (n = count_urls(r, o)) < 0)
        return false;
    if (n < (strcmp(o->mode, "text_to_video") == 0      ? 0
             : strcmp(o->mode, "first_last_frame") == 0 ? 2
                                                        : 1))
        return refuse_field(r, "imageUrls", "has too few pictures for the mode");
    if (r->settings.strict && *ratio && !among("|16:9|9:16|1:1|4:3|3:4|21:9|", ratio))
        return refuse_field(r, "videoConfig", "has an unknown ratio");
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        if (strcmp(text_of(config, "model"), models[i].model) != 0)
            continue;
        o->seconds = models[i].seconds;
        o->price = models[i].price;
        sides(*ratio ? ratio : "9:16", SHORT_SIDE, o);
        return true;
    }
    return refuse_field(r, "videoConfig", "names an unknown model");
}

bool plume_order_read(struct sim_request *r, struct plume_order *o)
{
    const json_t *type = json_object_get(r->fields, "type");

    memset(o, 0, sizeof *o);
    o->category = text_of(r->fields, "category");
    o->content = json_object_get(r->fields, "content");
    if (!json_is_integer(type) || json_integer_value(type) != 2) {
        sim_refuse(r, 400, "VALIDATION_ERROR", "type", "type has to be 2");
        return false;
    }
    if (!json_is_object(o->content)) {
        sim_refuse(r, 400, "VALIDATION_ERROR", "content", "content is required");
        return false;
    }
    if (among("|Banana2|BananaPro|", o->category))
        return read_image(r, o, true);
    if (strcmp(o->category, "seedream") == 0)
        return read_image(r, o, false);
    if (among("|remove-bg|remove-watermark|", o->category))
        return read_remove(r, o);
    o->video = true;
    if (strcmp(o->category, "veo") == 0)
        return read_veo(r, o);
    if (strcmp(o->category, "seedance2") == 0)
        return read_seedance(r, o);
    sim_refuse(r, 400, "VALIDATION_ERROR", "category", "category '%.60s' is unknown", o->category);
    return false;
}
