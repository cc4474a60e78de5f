/*
 * plan.c - from a tool's arguments to a normalised request: what all kinds share. Credits are at
 * stake, so what a model does not have is refused here, before anything is uploaded; only what is
 * plainly meant (another name of a model, a length between two that exist) is put right, and
 * `changed` says so. Prompts are never touched.
 */
#include "providers/chatart/chatart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void chatart_put(struct chatart_planner *planner, const char *field, json_t *value)
{
    if (json_object_set_new(planner->body, field, value))
        planner->failed = 1;
}

void chatart_note(struct chatart_planner *planner, const char *field, json_t *used,
                  const char *why)
{
    planner->failed |= provider_note(planner->changed, planner->args, field, used, why) != 0;
}

void chatart_word(struct chatart_planner *planner, const char *name, const char *text)
{
    if (json_object_set_new(planner->words, name, json_string(text)))
        planner->failed = 1;
}

void chatart_drop(struct chatart_planner *planner, const char *field, const char *why)
{
    json_t *value = json_object_get(planner->args, field);

    if (value && !json_is_null(value))
        chatart_note(planner, field, json_null(), why);
}

/* The allowed values as one text, cut at the end of the buffer. */
static void join(const json_t *list, char *ret_text, size_t size)
{
    size_t len = 0;
    size_t index;
    json_t *item;

    ret_text[0] = '\0';
    json_array_foreach((json_t *)list, index, item) {
        int more = json_is_string(item)
                       ? snprintf(ret_text + len, size - len, "%s%s", index ? ", " : "",
                                  json_string_value(item))
                       : snprintf(ret_text + len, size - len, "%s%lld", index ? ", " : "",
                                  (long long)json_integer_value(item));

        if (more < 0 || (size_t)more >= size - len)
            return;
        len += (size_t)more;
    }
}

int chatart_one_of(struct chatart_planner *planner, const char *field, const char *asked,
                   const json_t *list, const char **ret_used)
{
    char allowed[160];
    size_t index;
    json_t *item;

    json_array_foreach((json_t *)list, index, item)
        if (json_is_string(item) && strcasecmp(json_string_value(item), asked) == 0) {
            *ret_used = json_string_value(item);
            return 0;
        }
    join(list, allowed, sizeof(allowed));
    return err_field(planner->err, field, "%s \"%.40s\" is not one that %s makes here: %s", field,
                     asked, json_text(planner->model, "name"), allowed);
}

/* Names of the models of the kind that have the mode, but for `without` (may be NULL). */
static void able_names(const struct chatart_planner *planner, const char *mode,
                       const json_t *without, char *ret_text, size_t size)
{
    json_t *names = json_array();
    size_t index;
    json_t *entry;

    json_array_foreach(json_object_get(planner->catalog, "models"), index, entry)
        if (entry != without && strcmp(json_text(entry, "kind"), planner->kind) == 0 &&
            (!mode || json_object_get(json_object_get(entry, "modes"), mode)))
            json_array_append_new(names, json_string(json_text(entry, "name")));
    join(names, ret_text, size);
    json_decref(names);
}

/* The user's own choice for that kind where it can do this, else the catalogue's. */
static const char *settings_model(const struct chatart_planner *planner, const char *slot,
                                  const char *mode)
{
    const char *own = json_text(planner->account->settings,
                                strcmp(planner->kind, "video") == 0 ? "video_model"
                                : strcmp(slot, "edit") == 0         ? "edit_model"
                                                                    : "image_model");
    const json_t *model = *own ? chatart_model(planner->catalog, planner->kind, own) : NULL;

    if (model && (!mode || json_object_get(json_object_get(model, "modes"), mode)))
        return own;
    return json_text(json_object_get(planner->catalog, "defaults"), slot);
}

int chatart_choose_model(struct chatart_planner *planner, const char *slot, const char *mode)
{
    const char *asked = json_text(planner->args, "model");
    const char *own = settings_model(planner, slot, mode);
    const char *wanted = *asked ? asked : own;
    const char *name;
    char allowed[240];

    planner->model = chatart_model(planner->catalog, planner->kind, wanted);
    able_names(planner, mode, NULL, allowed, sizeof(allowed));
    if (!planner->model)
        return err_field(planner->err, "model", "model \"%.60s\" is none of ChatArt's here: %s",
                         wanted, allowed);
    name = json_text(planner->model, "name");
    if (mode && !json_object_get(json_object_get(planner->model, "modes"), mode))
        return err_field(planner->err, "model", "%s cannot do \"%s\"; these can: %s", name, mode,
                         allowed);
    if (!*asked && own == json_text(json_object_get(planner->catalog, "defaults"), slot))
        chatart_note(planner, "model", json_string(name), "no model was asked for or configured");
    else if (*asked && strcmp(asked, name) != 0)
        chatart_note(planner, "model", json_string(name), "another name of the same model");
    able_names(planner, mode, planner->model, allowed, sizeof(allowed));
    chatart_word(planner, "others", *allowed ? allowed : "-");
    return 0;
}

int chatart_add_prompt(struct chatart_planner *planner, const char *field, int required)
{
    const char *prompt = json_text(planner->args, "prompt");

    if (!*prompt && required)
        return err_field(planner->err, "prompt", "prompt: there is none");
    if (*prompt)
        chatart_put(planner, field, json_string(prompt));
    return 0;
}

int chatart_add_input(struct chatart_planner *planner, const char *field, const json_t *file,
                      const char *kind)
{
    const json_t *rules = json_object_get(json_object_get(planner->catalog, "input"), kind);
    const json_t *mimes = json_object_get(rules, "mimes");
    const char *path = json_text(file, "path");
    const char *url = json_text(file, "url");
    const char *mime = json_text(file, "mime");
    int64_t bytes_max = json_int(rules, "bytes_max", LIMIT_INPUT_BYTES);
    char allowed[160];
    json_t *row;

    if (!*path && !*url)
        return err_field(planner->err, field, "%s: neither a file nor an address", field);
    if (*path && !json_list_has(mimes, mime)) {
        join(mimes, allowed, sizeof(allowed));
        return err_field(planner->err, field, "%s is %s; ChatArt takes %s", field,
                         *mime ? mime : "of an unknown type", allowed);
    }
    if (json_int(file, "bytes", 0) > bytes_max)
        return err_field(planner->err, field, "%s has %lld bytes; at most %lld are taken", field,
                         (long long)json_int(file, "bytes", 0), (long long)bytes_max);
    if (json_array_size(planner->uploads) >= LIMIT_UPLOADS)
        return err_field(planner->err, field, "more than %d files", LIMIT_UPLOADS);
    row = json_object();
    if (*path) {
        const char *key = json_text(file, "key");

        planner->failed |= json_object_set_new(row, "path", json_string(path)) |
                           json_object_set_new(row, "mime", json_string(mime)) |
                           json_object_set_new(row, "key", json_string(*key ? key : path));
        planner->failed |= json_array_append_new(planner->uploads, json_string(*key ? key : path));
    } else {
        planner->failed |= json_object_set_new(row, "url", json_string(url));
    }
    planner->failed |= json_array_append_new(planner->inputs, row);
    return 0;
}

static int64_t setting(const struct chatart_planner *planner, const char *own, const json_t *times,
                       const char *name)
{
    int64_t value = json_int(planner->account->settings, own, -1);

    return value >= 0 ? value : json_int(times, name, 0);
}

static void fill_times(const struct chatart_planner *planner, const json_t *times,
                       struct provider_times *ret_times)
{
    const json_t *typical = json_object_get(planner->account->settings, "typical_seconds");

    ret_times->shortest_ms =
        json_int(planner->model, "shortest_ms", json_int(times, "shortest_ms", 0));
    ret_times->typical_ms =
        json_int(planner->model, "typical_ms", json_int(times, "typical_ms", 0));
    if (json_is_number(typical) && json_number_value(typical) >= 0 &&
        json_number_value(typical) < 1e7) {
        ret_times->typical_ms = (int64_t)(json_number_value(typical) * 1000);
        ret_times->shortest_ms = 0;
    }
    ret_times->floor_ms = setting(planner, "poll_floor_ms", times, "floor_ms");
    ret_times->ceiling_ms = setting(planner, "poll_ceiling_ms", times, "ceiling_ms");
    ret_times->deadline_ms = setting(planner, "deadline_ms", times, "deadline_ms") * planner->count;
    ret_times->rounds = planner->count;
    if (ret_times->ceiling_ms < ret_times->floor_ms)
        ret_times->ceiling_ms = ret_times->floor_ms;
}

/* What the files must show: a ratio that was chosen, a length where it is not that of an input. */
static void fill_expect(const struct chatart_planner *planner, struct provider_expect *ret_expect)
{
    static const char *const timed[] = {"text", "image", "reference"};
    const char *sort = json_text(planner->words, "sort");
    int width, height;

    if (sscanf(json_text(planner->words, "ratio"), "%d:%d", &width, &height) == 2 && height > 0)
        ret_expect->ratio = (double)width / height;
    for (size_t i = 0; i < sizeof(timed) / sizeof(*timed); i++)
        if (strcmp(planner->kind, "video") == 0 && strcmp(sort, timed[i]) == 0)
            ret_expect->seconds = strtod(json_text(planner->words, "seconds"), NULL);
}

static int finish(struct chatart_planner *planner, struct provider_plan *ret_plan)
{
    static const char *const shown[] = {"resolution", "quality", "ratio", "seconds"};
    const json_t *times =
        json_object_get(json_object_get(planner->catalog, "times"), planner->kind);
    json_t *extra = json_object_get(planner->args, "extra");
    struct provider_plan plan = {0};
    char count[16];

    if (json_is_object(extra) && json_object_update(planner->body, extra))
        planner->failed = 1;
    chatart_word(planner, "page", planner->kind);
    snprintf(count, sizeof(count), "%u", planner->count);
    chatart_word(planner, "count", count);
    for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
        if (!json_object_get(planner->words, shown[i]))
            chatart_word(planner, shown[i], "-");
    snprintf(plan.model, sizeof(plan.model), "%s", json_text(planner->model, "name"));
    snprintf(plan.prefix, sizeof(plan.prefix), "%s", planner->prefix);
    snprintf(plan.currency, sizeof(plan.currency), "%s", json_text(planner->catalog, "currency"));
    plan.kind = strcmp(planner->wire, "image") == 0 ? "image" : "video";
    plan.files = planner->count;
    plan.cost = planner->cost < 0 ? -1 : planner->cost * planner->count;
    fill_times(planner, times, &plan.times);
    fill_expect(planner, &plan.expect);
    plan.request = json_object();
    planner->failed |=
        json_object_set_new(plan.request, "wire", json_string(planner->wire)) |
        json_object_set(plan.request, "body", planner->body) |
        json_object_set_new(plan.request, "list", json_string(planner->list)) |
        json_object_set(plan.request, "inputs", planner->inputs) |
        json_object_set_new(plan.request, "count", json_integer(planner->count)) |
        json_object_set_new(plan.request, "timeout_ms",
                            json_integer(json_int(times, "timeout_ms", 60000)));
    if (planner->failed) {
        json_decref(plan.request);
        return err_nomem(planner->err);
    }
    plan.changed = json_incref(planner->changed);
    plan.words = json_incref(planner->words);
    plan.uploads = json_incref(planner->uploads);
    *ret_plan = plan;
    return 0;
}

/* What no kind has; said rather than silently lost. */
static int common(struct chatart_planner *planner)
{
    static const char *const none[] = {"background", "format", "seed", "style", "fps", "preset"};
    int64_t count = json_int(planner->args, "count", 1);
    int64_t most = json_int(planner->catalog, "count_max", 1);

    if (*json_text(planner->args, "size"))
        return err_field(planner->err, "size",
                         "ChatArt takes no size in pixels: use aspect_ratio and resolution");
    if (count < 1 || count > most)
        return err_field(planner->err, "count", "ChatArt makes 1 to %lld in one call",
                         (long long)most);
    planner->count = (unsigned)count;
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        chatart_drop(planner, none[i], "ChatArt has no such setting");
    return 0;
}

int chatart_plan(const struct provider_account *account, const char *tool, const json_t *args,
                 struct provider_plan *ret_plan, struct err *err)
{
    struct chatart_planner planner = {.account = account, .args = args, .cost = -1, .count = 1,
                                      .err = err};
    json_t *catalog = chatart_catalog(err);
    int rc;

    if (!catalog)
        return -1;
    planner.catalog = catalog;
    if (strcmp(tool, "account") == 0) {
        rc = chatart_login_plan(account, args, catalog, ret_plan, err);
        json_decref(catalog);
        return rc;
    }
    planner.body = json_object();
    planner.inputs = json_array();
    planner.uploads = json_array();
    planner.changed = json_array();
    planner.words = json_object();
    planner.failed =
        !planner.words || !planner.body || !planner.inputs || !planner.uploads || !planner.changed;
    rc = common(&planner);
    if (rc == 0 && strcmp(tool, "generate_image") == 0)
        rc = chatart_plan_image(&planner, 0);
    else if (rc == 0 && strcmp(tool, "edit_image") == 0)
        rc = chatart_plan_image(&planner, 1);
    else if (rc == 0 && strcmp(tool, "generate_video") == 0)
        rc = chatart_plan_video(&planner);
    else if (rc == 0 && strcmp(tool, "character_replace") == 0)
        rc = chatart_plan_replace(&planner);
    else if (rc == 0)
        rc = err_field(err, "provider", "ChatArt has no %s", tool);
    if (rc == 0)
        rc = finish(&planner, ret_plan);
    if (rc && planner.failed)
        err_nomem(err);
    json_decref(planner.body);
    json_decref(planner.inputs);
    json_decref(planner.uploads);
    json_decref(planner.changed);
    json_decref(planner.words);
    json_decref(catalog);
    return rc;
}
