/*
 * plan.c - from a tool's arguments to a request. The service takes its wishes from the words alone,
 * so what is asked for beside them and cannot be said in one line is dropped, and `changed` says
 * so; the words themselves are never touched.
 */
#include "providers/libtv/libtv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct planner {
    const struct provider_account *account;
    const json_t *catalog;
    const json_t *args;
    const json_t *entry; /* of the catalogue's models */
    const char *kind;
    json_t *request;
    json_t *inputs;
    json_t *uploads;
    json_t *changed;
    int failed; /* no memory somewhere */
    struct err *err;
};

static void put(struct planner *planner, const char *name, json_t *value)
{
    planner->failed |= json_object_set_new(planner->request, name, value) != 0;
}

static void note(struct planner *planner, const char *field, json_t *used, const char *why)
{
    planner->failed |= provider_note(planner->changed, planner->args, field, used, why) != 0;
}

static const json_t *model_of(const json_t *catalog, const char *kind)
{
    const json_t *entry;
    size_t index;

    json_array_foreach(json_object_get(catalog, "models"), index, entry)
        if (strcmp(json_text(entry, "kind"), kind) == 0)
            return entry;
    return NULL;
}

/* ---- files ---- */

static int add_file(struct planner *planner, const char *field, const json_t *file,
                    const char *role)
{
    const char *url = json_text(file, "url");
    const char *mime = json_text(file, "mime");
    const char *key = json_text(file, "key");
    int64_t bytes_max = json_int(planner->entry, "reference_bytes_max", 0);
    int64_t bytes = json_int(file, "bytes", 0);
    json_t *row;

    if (*url) {
        row = json_pack("{s:s, s:s}", "role", role, "url", url);
        planner->failed |= json_array_append_new(planner->inputs, row) != 0;
        return 0;
    }
    if (strncmp(mime, "image/", 6) != 0 && strncmp(mime, "video/", 6) != 0) {
        err_field(planner->err, field,
                  "Unsupported file type: %s is %s; only pictures and videos are taken", field, mime);
        err_advise(planner->err, "libtv.type");
        return -1;
    }
    if (bytes > bytes_max) {
        err_field(planner->err, field, "File too large: %s has %.1f MB; at most %lld MB are taken",
                  field, (double)bytes / 1048576, (long long)(bytes_max / 1048576));
        err_advise(planner->err, "libtv.size");
        return -1;
    }
    row = json_pack("{s:s, s:s, s:s, s:s}", "role", role, "path", json_text(file, "path"), "mime",
                    mime, "key", key);
    planner->failed |= json_array_append_new(planner->inputs, row) != 0;
    if (!json_list_has(planner->uploads, key))
        planner->failed |= json_array_append_new(planner->uploads, json_string(key)) != 0;
    return 0;
}

static int add_files(struct planner *planner)
{
    static const char *const fields[][2] = {
        {"image", "image"}, {"first_frame", "first"}, {"last_frame", "last"},
        {"reference_images", "reference"}, {"video", "video"},
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        const json_t *value = json_object_get(planner->args, fields[i][0]);
        size_t count = json_is_array(value) ? json_array_size(value) : json_is_object(value);

        for (size_t n = 0; n < count; n++)
            if (add_file(planner, fields[i][0],
                         json_is_array(value) ? json_array_get(value, n) : value, fields[i][1]))
                return -1;
    }
    if (json_array_size(planner->inputs) > LIMIT_UPLOADS)
        return err_field(planner->err, "reference_images", "more than %d files in one message",
                         LIMIT_UPLOADS);
    return 0;
}

/* ---- what is said beside the words ---- */

/* Values of several places, the one that counts first; one that makes no sense does not count. */
static const char *usual_ratio(const struct planner *planner)
{
    const json_t *values = json_object_get(planner->account->settings, "video_ratio");
    const json_t *value;
    size_t index;

    json_array_foreach((json_t *)values, index, value)
        if (libtv_is_ratio(json_string_value(value)))
            return json_string_value(value);
    return json_text(libtv_own(planner->catalog), "ratio");
}

/* In a video always one line, in a picture only when it was asked for. */
static int add_ratio(struct planner *planner)
{
    const char *asked = json_text(planner->args, "aspect_ratio");
    const char *ratio = asked;
    int is_video = strcmp(planner->kind, "video") == 0;

    if (strcasecmp(asked, "auto") == 0)
        ratio = asked = "";
    if (*asked && !libtv_is_ratio(asked))
        return err_field(planner->err, "aspect_ratio",
                         "aspect_ratio \"%.40s\" is not of the form 16:9", asked);
    if (!*ratio && is_video)
        ratio = usual_ratio(planner);
    if (libtv_names_ratio(planner->catalog, json_text(planner->args, "prompt"))) {
        if (*asked)
            note(planner, "aspect_ratio", json_null(), "the words name a ratio already");
        return 0;
    }
    if (*ratio)
        put(planner, "ratio", json_string(ratio));
    return 0;
}

static void add_hint(struct planner *planner)
{
    const json_t *backend = libtv_backend(planner->catalog, planner->account);
    const char *hint = json_text(backend, "model_hint");

    if (*hint && json_is_true(json_object_get(planner->account->settings, "model_hint")))
        put(planner, "hint", json_string(hint));
}

/* What has no line of its own has to stand in the words, where only the user puts things. */
static void drop_others(struct planner *planner)
{
    static const char *const fields[] = {"seconds", "size", "resolution", "sound", "quality",
                                         "background", "format", "count", "seed", "style", "fps",
                                         "preset", "extra"};

    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        const json_t *value = json_object_get(planner->args, fields[i]);

        if (value && !json_is_null(value) &&
            !(strcmp(fields[i], "count") == 0 && json_integer_value(value) == 1))
            note(planner, fields[i], json_null(),
                 "this service takes its wishes from the words alone: say it there");
    }
}

static int add_session(struct planner *planner)
{
    const json_t *session = json_object_get(planner->args, "session");
    const char *name =
        json_is_object(session) ? json_text(session, "id") : json_string_value(session);
    const char *provider = json_text(session, "provider");

    if (!name)
        return 0;
    if (json_is_string(session) && strcmp(name, "new_project") == 0) {
        put(planner, "new_project", json_true());
        return 0;
    }
    if (*provider && strcmp(provider, planner->account->id) != 0)
        return err_field(planner->err, "session",
                         "this session belongs to provider %s, not to %s: keys of one are never sent "
                         "to the other",
                         provider, planner->account->id);
    if (!libtv_is_name(name))
        return err_field(planner->err, "session",
                         "session: neither a job of this conversation nor the name of a session");
    put(planner, "session", json_string(name));
    return 0;
}

/* ---- the plan ---- */

static int64_t setting(const struct planner *planner, const char *name, const char *other)
{
    const json_t *times =
        json_object_get(json_object_get(planner->catalog, "times"), planner->kind);
    int64_t own = json_int(planner->account->settings, name, -1);

    return own >= 0 ? own : json_int(times, other, 0);
}

static void fill_plan(struct planner *planner, const char *tool, struct provider_plan *plan)
{
    const json_t *price =
        json_object_get(libtv_backend(planner->catalog, planner->account), "price");
    const json_t *typical = json_object_get(planner->account->settings, "typical_seconds");
    int is_video = strcmp(planner->kind, "video") == 0;

    plan->kind = planner->kind;
    plan->files = 1;
    snprintf(plan->model, sizeof(plan->model), "%s", json_text(planner->entry, "name"));
    snprintf(plan->prefix, sizeof(plan->prefix), "%s",
             is_video                            ? "generated-video"
             : strcmp(tool, "edit_image") == 0 ? "edited"
                                                 : "generated");
    plan->times.typical_ms = setting(planner, "", "typical_ms");
    if (json_is_number(typical) && json_number_value(typical) >= 0 &&
        json_number_value(typical) < 1e7)
        plan->times.typical_ms = (int64_t)(json_number_value(typical) * 1000);
    plan->times.floor_ms = setting(planner, "poll_floor_ms", "floor_ms");
    plan->times.ceiling_ms = setting(planner, "poll_ceiling_ms", "ceiling_ms");
    plan->times.deadline_ms = setting(planner, "deadline_ms", "deadline_ms");
    if (plan->times.ceiling_ms < plan->times.floor_ms)
        plan->times.ceiling_ms = plan->times.floor_ms;
    plan->cost = price ? json_number_value(json_object_get(price, "each")) : -1;
    snprintf(plan->currency, sizeof(plan->currency), "%s", json_text(price, "currency"));
    put(planner, "timeout_ms", json_integer(setting(planner, "", "timeout_ms")));
    plan->request = planner->request;
    plan->changed = planner->changed;
    plan->uploads = planner->uploads;
}

/* The only one that needs a look at mode: what cannot be asked of this service at all. */
static int check_tool(const struct planner *planner, const char *tool)
{
    const char *operation = json_text(planner->args, "operation");
    const char *mode = json_text(planner->args, "mode");
    char what[64];

    if (strcmp(tool, "edit_image") == 0 && *operation)
        snprintf(what, sizeof(what), "edit_image/%.40s", operation);
    else if (strcmp(tool, "generate_video") == 0 && *mode && strcmp(mode, "auto") != 0)
        snprintf(what, sizeof(what), "generate_video/%.40s", mode);
    else
        snprintf(what, sizeof(what), "%.60s", tool);
    if (!libtv_can(planner->account, what))
        return err_field(planner->err, strcmp(tool, "edit_image") == 0 ? "operation" : "mode",
                         "%s does not make %s", planner->account->id, what);
    if (json_object_get(planner->args, "audio"))
        return err_field(planner->err, "audio", "%s takes pictures and videos only",
                         planner->account->id);
    if (!*json_text(planner->args, "prompt"))
        return err_field(planner->err, "prompt", "prompt: there is none");
    return 0;
}

int libtv_plan(const struct provider_account *account, const char *tool, const json_t *args,
               struct provider_plan *ret_plan, struct err *err)
{
    json_t *catalog = libtv_catalog(err);
    struct planner planner = {.account = account, .catalog = catalog, .args = args, .err = err};
    struct provider_plan plan = {0};
    const char *model = json_text(args, "model");
    int rc = -1;

    if (!catalog)
        return -1;
    planner.kind = strcmp(tool, "generate_video") == 0 ? "video" : "image";
    planner.entry = model_of(catalog, planner.kind);
    planner.request = json_object();
    planner.inputs = json_array();
    planner.uploads = json_array();
    planner.changed = json_array();
    if (check_tool(&planner, tool) || add_files(&planner) || add_ratio(&planner) ||
        add_session(&planner))
        goto out;
    if (*model && strcasecmp(model, json_text(planner.entry, "name")) != 0)
        note(&planner, "model", json_string(json_text(planner.entry, "name")),
             "this service takes the model from the words alone: name it there");
    add_hint(&planner);
    drop_others(&planner);
    put(&planner, "kind", json_string(planner.kind));
    put(&planner, "prompt", json_string(json_text(args, "prompt")));
    put(&planner, "inputs", json_incref(planner.inputs));
    if (json_is_true(json_object_get(account->settings, "full_file")))
        put(&planner, "full", json_true());
    fill_plan(&planner, tool, &plan);
    rc = planner.failed ? err_nomem(err) : 0;
out:
    if (rc == 0) {
        *ret_plan = plan;
    } else {
        json_decref(planner.request);
        json_decref(planner.uploads);
        json_decref(planner.changed);
    }
    json_decref(planner.inputs);
    json_decref(catalog);
    return rc;
}
