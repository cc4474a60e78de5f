/*
 * plan.c - from a tool's arguments to a normalised request: the model, what both kinds share, input
 * files, `extra`, times and price. Values that a model does not have become the nearest one it has,
 * and `changed` says so; where nothing is near it is ERR_INVALID. Prompts are never touched. Models
 * that the catalogue does not know are believed: their fields pass as they are.
 */
#include "providers/openai/openai.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void openai_put(struct openai_planner *planner, const char *field, json_t *value)
{
    if (json_object_set_new(planner->body, field, value))
        planner->failed = 1;
}

void openai_note(struct openai_planner *planner, const char *field, json_t *used, const char *why)
{
    planner->failed |= provider_note(planner->changed, planner->args, field, used, why) != 0;
}

int openai_knows(const struct openai_planner *planner, const char *field)
{
    const json_t *fields = json_object_get(planner->entry, "fields");

    return json_list_has(fields, "*") || json_list_has(fields, field) ||
           json_list_has(json_object_get(planner->wire, "fields"), field);
}

void openai_pass(struct openai_planner *planner, const char *arg, const char *field)
{
    json_t *value = json_object_get(planner->args, arg);

    if (!value || json_is_null(value))
        return;
    if (openai_knows(planner, arg) && *field)
        openai_put(planner, field, json_whole_copy(value));
    else
        openai_note(planner, arg, json_null(), "this model has no such setting");
}

void openai_join_list(const json_t *list, char *ret_text, size_t size)
{
    size_t len = 0;
    size_t index;
    json_t *item;

    ret_text[0] = '\0';
    json_array_foreach((json_t *)list, index, item) {
        const char *comma = index ? ", " : "";
        int more = 0;

        if (json_is_string(item))
            more = snprintf(ret_text + len, size - len, "%s%s", comma, json_string_value(item));
        else if (json_is_number(item))
            more = snprintf(ret_text + len, size - len, "%s%g", comma, json_number_value(item));
        if (more < 0 || (size_t)more >= size - len)
            return;
        len += (size_t)more;
    }
}

int openai_parse_size(const char *text, int *ret_width, int *ret_height)
{
    char *end;
    long width = strtol(text, &end, 10);
    long height;

    if (end == text || (*end != 'x' && *end != 'X' && *end != '*'))
        return -1;
    text = end + 1;
    height = strtol(text, &end, 10);
    if (end == text || *end || width < 1 || height < 1 || width > 65535 || height > 65535)
        return -1;
    *ret_width = (int)width;
    *ret_height = (int)height;
    return 0;
}

int openai_parse_ratio(const char *text, double *ret_ratio)
{
    char *end;
    double width = strtod(text, &end);
    double height;

    if (end == text || (*end != ':' && *end != '/'))
        return -1;
    text = end + 1;
    height = strtod(text, &end);
    if (end == text || *end || !(width > 0) || !(height > 0) || width > 1e4 || height > 1e4)
        return -1;
    *ret_ratio = width / height;
    return 0;
}

const char *openai_nearest_size(const json_t *sizes, double ratio, double area)
{
    const char *best = NULL;
    double best_off = log(1.5);
    double best_area = 0;
    size_t index;
    json_t *item;
    int width;
    int height;

    json_array_foreach((json_t *)sizes, index, item) {
        double off;
        double area_off;

        if (!json_is_string(item) || openai_parse_size(json_string_value(item), &width, &height))
            continue;
        off = fabs(log((double)width / height / ratio));
        area_off = area > 0 ? fabs(log((double)width * height / area)) : 0;
        if (off > log(1.5))
            continue;
        if (!best || off < best_off - 1e-6 || (off < best_off + 1e-6 && area_off < best_area)) {
            best = json_string_value(item);
            best_off = off;
            best_area = area_off;
        }
    }
    return best;
}

/* The file itself, and what must be true of it for this model. */
int openai_add_input(struct openai_planner *planner, const char *field, const json_t *file,
                     const char *role)
{
    const json_t *mimes = json_object_get(planner->entry, "reference_mimes");
    const char *path = json_text(file, "path");
    const char *url = json_text(file, "url");
    const char *mime = json_text(file, "mime");
    const char *bound = strcmp(role, "mask") == 0 ? "mask_bytes_max" : "reference_bytes_max";
    int64_t bytes = json_int(file, "bytes", 0);
    int64_t bytes_max = json_int(planner->entry, bound, LIMIT_INPUT_BYTES);
    json_t *row;
    char allowed[200];

    if (!*path && !*url)
        return err_field(planner->err, field, "%s: neither a file nor an address", field);
    if (*path && *mime && mimes && !json_list_has(mimes, mime)) {
        openai_join_list(mimes, allowed, sizeof(allowed));
        return err_field(planner->err, field, "%s is %s; %s takes %s", field, mime, planner->model,
                         allowed);
    }
    if (bytes > bytes_max)
        return err_field(planner->err, field, "%s has %lld bytes; %s takes at most %lld", field,
                         (long long)bytes, planner->model, (long long)bytes_max);
    row = json_object();
    planner->failed |= json_object_set_new(row, "role", json_string(role)) != 0;
    if (*path)
        planner->failed |= json_object_set_new(row, "path", json_string(path)) != 0;
    else
        planner->failed |= json_object_set_new(row, "url", json_string(url)) != 0;
    if (*mime)
        planner->failed |= json_object_set_new(row, "mime", json_string(mime)) != 0;
    planner->failed |= json_array_append_new(planner->inputs, row) != 0;
    return 0;
}

/* Asked for, else configured, else the account's first of that kind, else the catalogue's. */
static int choose_model(struct openai_planner *planner, const json_t *catalog)
{
    const json_t *settings = planner->account->settings;
    const json_t *defaults = json_object_get(catalog, "defaults");
    const char *slot = strcmp(planner->kind, "video") == 0 ? "video"
                       : planner->edit                     ? "edit"
                                                           : "image";
    const char *model = json_text(planner->args, "model");
    const char *name;
    size_t index;
    json_t *row;

    if (!*model && strcmp(slot, "video") == 0)
        model = json_text(settings, "video_model");
    if (!*model && planner->edit)
        model = json_text(settings, "edit_model");
    if (!*model && strcmp(slot, "video") != 0)
        model = json_text(settings, "image_model");
    if (!*model) {
        json_array_foreach((json_t *)planner->account->models, index, row) {
            const char *kind;

            name = openai_account_model(row);
            kind = name ? openai_catalog_kind(catalog, name) : NULL;
            if (kind && strcmp(kind, planner->kind) == 0) {
                model = name;
                break;
            }
        }
        if (!*model)
            model = json_text(defaults, slot);
        openai_note(planner, "model", json_string(model), "no model was asked for or configured");
    }
    planner->entry = openai_catalog_model(catalog, model, planner->kind);
    name = json_text(planner->entry, "name");
    if (json_list_has(json_object_get(planner->entry, "aliases"), model)) {
        openai_note(planner, "model", json_string(name), "another name of the same model");
        model = name;
    }
    if (strlen(model) >= sizeof(((struct provider_plan *)0)->model))
        return err_field(planner->err, "model", "model: the name is too long");
    planner->model = model;
    openai_put(planner, "model", json_string(model));
    return 0;
}

/* Letters, not bytes. */
static size_t count_letters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static int add_prompt(struct openai_planner *planner)
{
    const char *prompt = json_text(planner->args, "prompt");
    int64_t letters_max = json_int(planner->entry, "prompt_chars", 0);
    size_t letters = count_letters(prompt);

    if (!*prompt)
        return err_field(planner->err, "prompt", "prompt: there is none");
    if (letters_max > 0 && letters > (size_t)letters_max)
        return err_field(planner->err, "prompt", "prompt has %zu letters; %s takes at most %lld",
                         letters, planner->model, (long long)letters_max);
    openai_put(planner, "prompt", json_string(prompt));
    return 0;
}

static int64_t setting(const json_t *first, const char *name, const json_t *then, const char *other,
                       const json_t *last)
{
    int64_t value = json_int(first, name, -1);

    if (value < 0)
        value = json_int(then, other, -1);
    if (value < 0)
        value = json_int(last, other, 0);
    return value;
}

static void fill_times(const struct openai_planner *planner, const json_t *catalog,
                       struct provider_times *ret_times)
{
    const json_t *settings = planner->account->settings;
    const json_t *times = json_object_get(json_object_get(catalog, "times"), planner->kind);
    const json_t *typical = json_object_get(settings, "typical_seconds");

    ret_times->typical_ms = setting(NULL, "", planner->entry, "typical_ms", times);
    if (json_is_number(typical) && json_number_value(typical) >= 0 &&
        json_number_value(typical) < 1e7)
        ret_times->typical_ms = (int64_t)(json_number_value(typical) * 1000);
    ret_times->floor_ms = setting(settings, "poll_floor_ms", planner->entry, "floor_ms", times);
    ret_times->ceiling_ms =
        setting(settings, "poll_ceiling_ms", planner->entry, "ceiling_ms", times);
    ret_times->deadline_ms = setting(settings, "deadline_ms", planner->entry, "deadline_ms", times);
    if (ret_times->ceiling_ms < ret_times->floor_ms)
        ret_times->ceiling_ms = ret_times->floor_ms;
}

/* {"each": per file, "second": per second, "currency"}, the user's own before the catalogue's. */
static void fill_price(const struct openai_planner *planner, struct provider_plan *plan)
{
    const json_t *own = json_object_get(planner->account->settings, "prices");
    const json_t *price = json_object_get(own, planner->model);
    const json_t *each;
    const json_t *second;
    const char *currency;

    if (!price)
        price = json_object_get(planner->entry, "price");
    each = json_object_get(price, "each");
    second = json_object_get(price, "second");
    plan->cost = -1;
    if (!json_is_number(each) && !(json_is_number(second) && planner->seconds > 0))
        return;
    currency = json_text(price, "currency");
    plan->cost = (json_number_value(each) + json_number_value(second) * planner->seconds) *
                 planner->files;
    snprintf(plan->currency, sizeof(plan->currency), "%s", *currency ? currency : "USD");
}

/* What the body asks for, as far as a file can show it. */
static void fill_expect(const struct openai_planner *planner, struct provider_expect *expect)
{
    const json_t *body = planner->body;
    const char *size = json_text(body, "size");
    const char *ratio = json_text(body, "aspect_ratio");
    int width = (int)json_int(body, "width", 0);
    int height = (int)json_int(body, "height", 0);

    expect->seconds = planner->seconds;
    if ((width > 0 && height > 0) || openai_parse_size(size, &width, &height) == 0) {
        expect->width = (uint32_t)width;
        expect->height = (uint32_t)height;
    } else if (openai_parse_ratio(*ratio ? ratio : size, &expect->ratio)) {
        expect->ratio = 0;
    }
}

static int finish(struct openai_planner *planner, const json_t *catalog,
                  struct provider_plan *ret_plan)
{
    const json_t *times = json_object_get(json_object_get(catalog, "times"), planner->kind);
    json_t *extra = json_object_get(planner->args, "extra");
    const char *setting_name =
        strcmp(planner->kind, "video") == 0 ? "video_timeout_ms" : "image_timeout_ms";
    const char *model;
    struct provider_plan plan = {0};

    if (json_is_object(extra) && json_object_update(planner->body, extra))
        planner->failed = 1;
    model = json_text(planner->body, "model");
    snprintf(plan.model, sizeof(plan.model), "%s", *model ? model : planner->model);
    plan.kind = planner->kind;
    snprintf(plan.prefix, sizeof(plan.prefix), "%s",
             strcmp(plan.kind, "video") == 0 ? "generated-video"
             : planner->edit                 ? "edited"
                                             : "generated");
    plan.files = planner->files;
    fill_times(planner, catalog, &plan.times);
    fill_price(planner, &plan);
    fill_expect(planner, &plan.expect);
    plan.request = json_object();
    planner->failed |= json_object_set_new(plan.request, "kind", json_string(plan.kind)) |
                       json_object_set(plan.request, "body", planner->body) |
                       json_object_set(plan.request, "inputs", planner->inputs) |
                       json_object_set(plan.request, "wire", (json_t *)planner->wire) |
                       json_object_set_new(plan.request, "timeout_ms",
                                           json_integer(setting(planner->account->settings,
                                                                setting_name, planner->entry,
                                                                "timeout_ms", times)));
    if (planner->failed) {
        json_decref(plan.request);
        return err_nomem(planner->err);
    }
    plan.changed = json_incref(planner->changed);
    *ret_plan = plan;
    return 0;
}

int openai_plan(const struct provider_account *account, const char *tool, const json_t *args,
                struct provider_plan *ret_plan, struct err *err)
{
    struct openai_planner planner = {.account = account, .args = args, .err = err, .files = 1};
    int video = strcmp(tool, "generate_video") == 0;
    json_t *catalog = openai_catalog(err);
    int rc = -1;

    if (!catalog)
        return -1;
    planner.kind = video ? "video" : "image";
    planner.edit = strcmp(tool, "edit_image") == 0;
    if (!video && !planner.edit && strcmp(tool, "generate_image") != 0) {
        err_field(err, "provider", "an OpenAI-compatible provider has no %s", tool);
        goto out;
    }
    planner.body = json_object();
    planner.inputs = json_array();
    planner.changed = json_array();
    planner.failed = !planner.body || !planner.inputs || !planner.changed;
    if (choose_model(&planner, catalog))
        goto out;
    planner.wire = openai_catalog_wire(catalog, account, planner.entry, planner.kind);
    planner.failed |= !planner.wire;
    if (add_prompt(&planner))
        goto out;
    if (video ? openai_plan_video(&planner) : openai_plan_image(&planner))
        goto out;
    rc = finish(&planner, catalog, ret_plan);
out:
    if (rc && planner.failed)
        err_nomem(err);
    json_decref((json_t *)planner.wire);
    json_decref(planner.body);
    json_decref(planner.inputs);
    json_decref(planner.changed);
    json_decref(catalog);
    return rc;
}
