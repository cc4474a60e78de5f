/*
 * plan.c - from a tool's arguments to a normalised request: the category, what pictures and videos
 * share, `extra`, times and price. Prompts are never touched. What Plume has not is dropped and
 * `changed` says so; what would make the task impossible is ERR_INVALID before anything is sent,
 * because the service's own refusal may come after minutes.
 */
#include "providers/plume/plume.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TYPE_POLLED 2 /* the only type of task that is published */

void plume_put(struct plume_planner *planner, json_t *object, const char *field, json_t *value)
{
    if (json_object_set_new(object, field, value))
        planner->failed = 1;
}

void plume_note(struct plume_planner *planner, const char *field, json_t *used, const char *why)
{
    planner->failed |= provider_note(planner->changed, planner->args, field, used, why) != 0;
}

void plume_drop(struct plume_planner *planner, const char *const *fields)
{
    for (; *fields; fields++) {
        const json_t *value = json_object_get(planner->args, *fields);

        if (value && !json_is_null(value))
            plume_note(planner, *fields, json_null(), "Plume has no such setting here");
    }
}

/* ---- pictures ---- */

static int check_file(struct plume_planner *planner, const char *field, const json_t *file)
{
    const json_t *uploads = json_object_get(planner->catalog, "uploads");
    int64_t bytes_max = json_int(uploads, "bytes_max", LIMIT_INPUT_BYTES);
    int64_t bytes = json_int(file, "bytes", 0);

    if (!json_list_has(json_object_get(uploads, "mimes"), json_text(file, "mime")))
        return err_field(planner->err, field, "%s is %s; Plume takes JPEG, PNG, WebP and GIF",
                         field, json_text(file, "mime"));
    if (bytes > bytes_max)
        return err_field(planner->err, field, "%s has %lld bytes; Plume takes at most %lld (20 MB)",
                         field, (long long)bytes, (long long)bytes_max);
    return 0;
}

int plume_add_picture(struct plume_planner *planner, const char *field, const json_t *file)
{
    static const char *const kept[] = {"path", "mime", "key"};
    const char *url = json_text(file, "url");
    json_t *row = json_object();
    int rc = 0;

    if (*url && !plume_may_use(planner->account, url))
        rc = err_field(planner->err, field,
                       "%s: Plume takes addresses of its own pictures only; save the picture to a "
                       "file and name that",
                       field);
    else if (*url)
        plume_put(planner, row, "url", json_string(url));
    else if (file && !*json_text(file, "path"))
        rc = err_field(planner->err, field, "%s: neither a file nor an address", field);
    else if (file)
        rc = check_file(planner, field, file);
    for (size_t i = 0; rc == 0 && file && !*url && i < 3; i++)
        plume_put(planner, row, kept[i], json_string(json_text(file, kept[i])));
    if (rc)
        json_decref(row);
    else
        planner->failed |= json_array_append_new(planner->inputs, row) != 0;
    return rc;
}

size_t plume_count_pictures(const struct plume_planner *planner)
{
    size_t count = 0;
    size_t index;
    json_t *row;

    json_array_foreach(planner->inputs, index, row) count += json_object_size(row) > 0;
    return count;
}

/* ---- ratio ---- */

/* "16:9" and "1024x768"; 0 or -1. */
static int read_sides(const char *text, double *ret_ratio)
{
    unsigned width, height;
    char between, rest;

    if (sscanf(text, "%5u%c%5u%c", &width, &between, &height, &rest) != 3 ||
        !strchr(":/xX*", between) || !width || !height)
        return -1;
    *ret_ratio = (double)width / height;
    return 0;
}

/* The nearest of the list, however far it is: a picture of another shape is still one. */
static const char *nearest_ratio(const json_t *list, double ratio)
{
    const char *best = NULL;
    double best_off = 0;
    size_t index;
    json_t *item;

    json_array_foreach((json_t *)list, index, item)
    {
        double off;

        if (read_sides(json_string_value(item), &off))
            continue;
        off = fabs(log(off / ratio));
        if (!best || off < best_off - 1e-9) {
            best = json_string_value(item);
            best_off = off;
        }
    }
    return best;
}

int plume_choose_ratio(struct plume_planner *planner, const char **ret_ratio)
{
    const json_t *list = json_object_get(planner->entry, "ratios");
    const char *asked = json_text(planner->args, "aspect_ratio");
    const char *field = *asked ? "aspect_ratio" : "size";
    double ratio;

    if (!*asked)
        asked = json_text(planner->args, "size");
    *ret_ratio = "";
    if (!*asked || strcmp(asked, "auto") == 0)
        return 0;
    if (read_sides(asked, &ratio))
        return err_field(planner->err, field,
                         strcmp(field, "size") == 0 ? "size: \"%.40s\" is not like 1024x1536"
                                                    : "aspect_ratio: \"%.40s\" is not like 16:9",
                         asked);
    *ret_ratio = nearest_ratio(list, ratio);
    if (strcmp(*ret_ratio, asked) != 0)
        plume_note(planner, field, json_string(*ret_ratio), "the nearest ratio that Plume has");
    return 0;
}

/* ---- mode ---- */

static size_t pictures_needed(const json_t *mode)
{
    return (size_t)json_int(mode, "pictures", 0);
}

int plume_set_mode(struct plume_planner *planner, const char *mode)
{
    const char *asked = json_text(json_object_get(planner->args, "extra"), "processing_mode");
    const char *name = json_text(planner->entry, "name");
    const char *prompt = json_text(planner->args, "prompt");
    const json_t *entry;

    if (*asked)
        mode = asked;
    entry = plume_catalog_mode(planner->entry, mode);
    if (!entry)
        return err_field(planner->err, "extra", "processing_mode: %s has no \"%.40s\"", name, mode);
    if (!*prompt)
        return err_field(planner->err, "prompt", "prompt: there is none");
    if (plume_count_pictures(planner) < pictures_needed(entry))
        return err_field(planner->err,
                         strcmp(planner->tool, "generate_video") == 0 ? "first_frame"
                                                                      : "reference_images",
                         "%s of %s needs %zu picture(s)", mode, name, pictures_needed(entry));
    planner->mode = json_text(entry, "name");
    plume_put(planner, planner->content, "processing_mode", json_string(planner->mode));
    plume_put(planner, planner->content, "prompt", json_string(prompt));
    return 0;
}

/* ---- category ---- */

static void join_names(const json_t *catalog, const char *kind, char *ret_text, size_t size)
{
    size_t len = 0;
    size_t index;
    json_t *entry;

    ret_text[0] = '\0';
    json_array_foreach(json_object_get(catalog, "models"), index, entry)
    {
        int more = 0;

        if (!kind || strcmp(json_text(entry, "kind"), kind) == 0)
            more = snprintf(ret_text + len, size - len, "%s%s", len ? ", " : "",
                            json_text(entry, "name"));
        if (more < 0 || (size_t)more >= size - len)
            return;
        len += (size_t)more;
    }
}

/* Which slot of the catalogue's defaults the call is about. */
static const char *slot_of(const struct plume_planner *planner)
{
    const char *operation = json_text(planner->args, "operation");

    if (strcmp(planner->tool, "generate_video") == 0)
        return "video";
    if (strcmp(planner->tool, "generate_image") == 0)
        return json_array_size(json_object_get(planner->args, "reference_images")) ? "edit"
                                                                                   : "image";
    return *operation && strcmp(operation, "edit") != 0 ? operation : "edit";
}

/* Asked for, else configured, else the catalogue's. */
static const char *wanted_model(struct plume_planner *planner, const char *slot)
{
    const json_t *settings = planner->account->settings;
    const char *usual = json_text(json_object_get(planner->catalog, "defaults"), slot);
    const char *model = json_text(planner->args, "model");

    /* An operation is a category of its own, whatever else is the default. */
    if (strncmp(slot, "remove_", 7) == 0) {
        const json_t *entry = *model ? plume_catalog_category(planner->catalog, model) : NULL;

        if (*model && (!entry || strcmp(json_text(entry, "name"), usual) != 0))
            plume_note(planner, "model", json_string(usual), "it alone does this operation");
        return usual;
    }
    if (!*model && strcmp(slot, "video") == 0)
        model = json_text(settings, "video_model");
    if (!*model && strcmp(slot, "edit") == 0)
        model = json_text(settings, "edit_model");
    if (!*model && strcmp(slot, "video") != 0)
        model = json_text(settings, "image_model");
    if (!*model) {
        model = usual;
        plume_note(planner, "model", json_string(model), "no model was asked for or configured");
    }
    return model;
}

static int choose_category(struct plume_planner *planner)
{
    const char *slot = slot_of(planner);
    const char *kind = strcmp(slot, "video") == 0 ? "video" : "image";
    const char *model = wanted_model(planner, slot);
    const char *name;
    char allowed[200];

    planner->entry = plume_catalog_category(planner->catalog, model);
    name = json_text(planner->entry, "name");
    if (!planner->entry && strncasecmp(model, "seedance2-", 10) == 0) {
        /* The name on the wire says how long it is; plan_video.c reads that. */
        planner->entry = plume_catalog_category(planner->catalog, "seedance2");
        name = json_text(planner->entry, "name");
    }
    if (!planner->entry) {
        join_names(planner->catalog, kind, allowed, sizeof(allowed));
        return err_field(planner->err, "model", "model: Plume has no \"%.60s\"; it has %s", model,
                         allowed);
    }
    if (strcmp(json_text(planner->entry, "kind"), kind) != 0) {
        join_names(planner->catalog, kind, allowed, sizeof(allowed));
        return err_field(planner->err, "model", "model: %s does not make %s; these do: %s", name,
                         strcmp(kind, "video") == 0 ? "videos" : "pictures", allowed);
    }
    if (strncmp(name, "remove-", 7) == 0 && strcmp(planner->tool, "edit_image") != 0)
        return err_field(planner->err, "model", "model: %s is an operation of edit_image", name);
    if (strcmp(name, model) != 0 && strncasecmp(model, "seedance2-", 10) != 0 &&
        *json_text(planner->args, "model"))
        plume_note(planner, "model", json_string(name), "another name of the same category");
    plume_put(planner, planner->body, "category", json_string(name));
    return 0;
}

/* ---- the rest ---- */

/* Members of a task go beside the content, all others into it. */
static int add_extra(struct plume_planner *planner)
{
    static const char *const beside[] = {"title", "project_id", "widget_mapping"};
    json_t *extra = json_object_get(planner->args, "extra");
    const char *name;
    json_t *value;

    json_object_foreach(extra, name, value)
    {
        json_t *place = planner->content;

        if (strcmp(name, "category") == 0 || strcmp(name, "type") == 0)
            return err_field(planner->err, "extra", "extra: %s is not to be set there", name);
        if (strcmp(name, "imageUrls") == 0)
            return err_field(planner->err, "extra", "extra: name pictures in their own arguments");
        if (strcmp(name, "processing_mode") == 0)
            continue; /* plume_set_mode has read it */
        for (size_t i = 0; i < 3; i++)
            if (strcmp(name, beside[i]) == 0)
                place = planner->body;
        plume_put(planner, place, name, json_whole_copy(value));
    }
    return 0;
}

static int64_t time_of(const struct plume_planner *planner, const char *name)
{
    const json_t *times = json_object_get(json_object_get(planner->catalog, "times"),
                                          json_text(planner->entry, "kind"));
    int64_t value = json_int(planner->account->settings, name, -1);

    if (strncmp(name, "poll_", 5) == 0)
        name += 5;
    if (value < 0)
        value = json_int(planner->entry, name, -1);
    return value < 0 ? json_int(times, name, 0) : value;
}

static void fill_times(const struct plume_planner *planner, struct provider_times *ret_times)
{
    const json_t *typical = json_object_get(planner->account->settings, "typical_seconds");

    ret_times->typical_ms = time_of(planner, "typical_ms");
    if (json_is_number(typical) && json_number_value(typical) >= 0 &&
        json_number_value(typical) < 1e7)
        ret_times->typical_ms = (int64_t)(json_number_value(typical) * 1000);
    ret_times->floor_ms = time_of(planner, "poll_floor_ms");
    ret_times->ceiling_ms = time_of(planner, "poll_ceiling_ms");
    ret_times->deadline_ms = time_of(planner, "deadline_ms");
    if (ret_times->ceiling_ms < ret_times->floor_ms)
        ret_times->ceiling_ms = ret_times->floor_ms;
}

/* The user's own before the catalogue's. */
static void fill_price(const struct plume_planner *planner, struct provider_plan *plan)
{
    const json_t *price =
        json_object_get(json_object_get(planner->account->settings, "prices"), plan->model);
    const json_t *each = json_object_get(price, "each");
    const char *currency = json_text(price, "currency");

    plan->cost = json_is_number(each) ? json_number_value(each) : planner->cost;
    if (plan->cost >= 0)
        snprintf(plan->currency, sizeof(plan->currency), "%s", *currency ? currency : "credits");
}

/* The keys of the local files; a file that is named twice is sent once. */
static json_t *uploads_of(struct plume_planner *planner)
{
    json_t *keys = json_array();
    size_t index;
    json_t *row;

    planner->failed |= !keys;
    json_array_foreach(planner->inputs, index, row)
    {
        const char *key = json_text(row, "key");

        if (*key && !json_list_has(keys, key))
            planner->failed |= json_array_append_new(keys, json_string(key)) != 0;
    }
    return keys;
}

static int finish(struct plume_planner *planner, struct provider_plan *ret_plan)
{
    struct provider_plan plan = {.files = 1};
    int video = strcmp(json_text(planner->entry, "kind"), "video") == 0;

    plan.kind = video ? "video" : "image";
    snprintf(plan.model, sizeof(plan.model), "%s", json_text(planner->entry, "name"));
    snprintf(plan.prefix, sizeof(plan.prefix), "%s",
             video                                      ? "generated-video"
             : strcmp(planner->tool, "edit_image") == 0 ? "edited"
                                                        : "generated");
    fill_times(planner, &plan.times);
    fill_price(planner, &plan);
    plan.request = json_object();
    plume_put(planner, plan.request, "kind", json_string(plan.kind));
    planner->failed |= json_object_set(plan.request, "body", planner->body) != 0;
    planner->failed |= json_object_set(plan.request, "inputs", planner->inputs) != 0;
    plan.uploads = uploads_of(planner);
    if (planner->failed) {
        json_decref(plan.request);
        json_decref(plan.uploads);
        return err_nomem(planner->err);
    }
    plan.changed = json_incref(planner->changed);
    *ret_plan = plan;
    return 0;
}

int plume_plan(const struct provider_account *account, const char *tool, const json_t *args,
               struct provider_plan *ret_plan, struct err *err)
{
    struct plume_planner planner = {
        .account = account, .tool = tool, .args = args, .err = err, .cost = -1};
    int video = strcmp(tool, "generate_video") == 0;
    int rc = -1;
    json_t *catalog;

    if (!video && strcmp(tool, "generate_image") != 0 && strcmp(tool, "edit_image") != 0)
        return err_field(err, "provider", "Plume has no %s", tool);
    catalog = plume_catalog(err);
    if (!catalog)
        return -1;
    planner.catalog = catalog;
    planner.body = json_object();
    planner.inputs = json_array();
    planner.changed = json_array();
    planner.content = json_object();
    planner.failed = !planner.body || !planner.inputs || !planner.changed || !planner.content;
    if (choose_category(&planner) ||
        (video ? plume_plan_video(&planner) : plume_plan_image(&planner)) || add_extra(&planner))
        goto out;
    plume_put(&planner, planner.body, "content", json_incref(planner.content));
    plume_put(&planner, planner.body, "type", json_integer(TYPE_POLLED));
    rc = finish(&planner, ret_plan);
out:
    if (rc && planner.failed)
        err_nomem(err);
    json_decref(planner.content);
    json_decref(planner.body);
    json_decref(planner.inputs);
    json_decref(planner.changed);
    json_decref(catalog);
    return rc;
}
