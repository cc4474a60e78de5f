/*
 * inputs.c - what a caller means by a picture: a path, an address, a handle, or "last". Local files
 * are checked here, before anything is planned or paid.
 */
#include "tools/tool.h"

#include "base/limits.h"
#include "base/mem.h"
#include "media/media.h"

#include <string.h>
#include <strings.h>

#define SESSIONS_LOOKED_AT 20 /* the last session is among the last so many jobs, or is not meant */

/* One resolving call: walks the fields, one reference after the other. */
struct resolving {
    struct call *call;
    const char *const *fields;
    size_t field;
    size_t index; /* in a list */
    json_t *args; /* deep copy, being filled */
    inputs_done_fn *done;
};

static void walk(struct resolving *it);

static void end(struct resolving *it, const struct err *err)
{
    struct call *call = it->call;
    inputs_done_fn *done = it->done;
    json_t *args = err ? NULL : it->args;

    if (err)
        json_decref(it->args);
    call->resolving = NULL;
    mem_free(it);
    done(call, args, err);
}

void inputs_drop(struct call *call)
{
    if (!call->resolving)
        return;
    json_decref(call->resolving->args);
    mem_free(call->resolving);
    call->resolving = NULL;
}

static const char *field_name(const struct resolving *it)
{
    return it->fields[it->field];
}

static int is_video_field(const struct resolving *it)
{
    return strcmp(field_name(it), "video") == 0 || strcmp(field_name(it), "motion_video") == 0;
}

static int is_session_field(const struct resolving *it)
{
    return strcmp(field_name(it), "session") == 0;
}

/* Puts the resolved value in the place of its text. */
static int put(struct resolving *it, json_t *value)
{
    json_t *place = json_object_get(it->args, field_name(it));

    return json_is_array(place) ? json_array_set_new(place, it->index, value)
                                : json_object_set_new(it->args, field_name(it), value);
}

/* Where this call's files may lie: the configured folders, and what it brings along. */
static size_t roots_of(const struct call *call,
                       const char *ret_roots[CONFIG_ROOTS_MAX + LIMIT_FOLDERS])
{
    size_t count =
        config_roots(call_config(call), call->workspace, call->output_dir, ret_roots);
    const json_t *folder;
    size_t index;

    json_array_foreach(call->folders, index, folder) {
        const char *path = json_string_value(folder);

        if (path && path[0] == '/' && index < LIMIT_FOLDERS)
            ret_roots[count++] = path;
    }
    return count;
}

/*
 * `folder` is NULL, or where `path` is known to be from a job that the caller may see: it need not
 * be among the caller's own then, as when another agent has taken the conversation over.
 */
static int put_file(struct resolving *it, const char *path, const char *folder, struct err *err)
{
    const char *roots[CONFIG_ROOTS_MAX + LIMIT_FOLDERS + 1];
    size_t count = roots_of(it->call, roots);
    struct media_input input;
    json_t *value;

    if (folder)
        roots[count++] = folder;
    if (media_input_open(path, roots, count, &input, err)) {
        if (!err->field[0] && strlen(field_name(it)) < sizeof(err->field))
            memcpy(err->field, field_name(it), strlen(field_name(it)) + 1);
        return -1;
    }
    if (input.facts.kind != (is_video_field(it) ? MEDIA_VIDEO : MEDIA_IMAGE) &&
        strcmp(field_name(it), "audio") != 0)
        return err_field(err, field_name(it), "%s must be a %s; this is %s: %s", field_name(it),
                         is_video_field(it) ? "video" : "picture", input.facts.mime, path);
    value = json_pack("{s:s, s:s, s:i, s:i, s:f, s:I, s:s}", "path", input.path, "mime",
                      input.facts.mime, "width", (int)input.facts.width, "height",
                      (int)input.facts.height, "seconds", (double)input.facts.duration_ms / 1000.0,
                      "bytes", (json_int_t)input.facts.bytes, "key", input.key);
    if (!value || put(it, value))
        return err_nomem(err);
    return 0;
}

static int put_made(struct resolving *it, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = mem_text_n(path, slash && slash > path ? (size_t)(slash - path) : 1);
    int rc = folder ? put_file(it, path, folder, err) : err_nomem(err);

    mem_free(folder);
    return rc;
}

static int is_last(const char *text)
{
    return strcasecmp(text, "last") == 0;
}

/* The newest job at the provider that the call names. */
static const struct ledger_job *last_session(const struct resolving *it,
                                             const struct ledger_job *const *jobs, size_t count)
{
    const char *provider = json_string_value(json_object_get(it->call->args, "provider"));

    for (size_t i = 0; provider && i < count; i++)
        if (jobs[i]->provider_job && strcmp(jobs[i]->provider, provider) == 0)
            return jobs[i];
    return NULL;
}

/* "session": what the provider knows the conversation by, and whose it is. */
static int put_session(struct resolving *it, const struct ledger_job *job, struct err *err)
{
    json_t *value;

    if (!job || !job->provider_job || !call_may_see(it->call, job))
        return err_field(err, field_name(it),
                         job ? "that job has no session to go on with"
                             : "there is no such job in this conversation");
    value = json_pack("{s:s, s:s}", "id", job->provider_job, "provider", job->provider);
    return !value || put(it, value) ? err_nomem(err) : 0;
}

static void looked_up(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                      size_t jobs_count, const struct err *err)
{
    struct resolving *it = ud;
    const json_t *place;
    const char *wanted;
    const struct ledger_file *file = NULL;
    struct err why;

    if (call_back(it->call))
        return; /* inputs_drop has been here, or will be */
    place = json_object_get(it->args, field_name(it));
    wanted = json_string_value(json_is_array(place) ? json_array_get(place, it->index) : place);
    if (result != LEDGER_OK) {
        end(it, err);
        return;
    }
    if (is_session_field(it)) {
        const struct ledger_job *job = is_last(wanted) ? last_session(it, jobs, jobs_count)
                                       : jobs_count    ? jobs[0]
                                                       : NULL;

        if (put_session(it, job, &why)) {
            end(it, &why);
            return;
        }
        it->index++;
        walk(it);
        return;
    }
    if (jobs_count && jobs[0]->files_count && call_may_see(it->call, jobs[0])) {
        file = &jobs[0]->files[0];
        for (size_t i = 0; i < jobs[0]->files_count; i++)
            if (strcmp(jobs[0]->files[i].handle, wanted) == 0)
                file = &jobs[0]->files[i];
    }
    if (!file) {
        if (is_last(wanted))
            err_field(&why, field_name(it), "there is no %s in this conversation yet",
                      is_video_field(it) ? "video" : "picture");
        else
            err_field(&why, field_name(it), "there is no file \"%.40s\" in this conversation",
                      wanted);
        end(it, &why);
        return;
    }
    if (put_made(it, file->path, &why)) {
        end(it, &why);
        return;
    }
    it->index++;
    walk(it);
}

static int is_handle(const char *text)
{
    return strncmp(text, "img_", 4) == 0 || strncmp(text, "vid_", 4) == 0 ||
           strncmp(text, "aud_", 4) == 0;
}

/* Named by a path: what is there may be another picture next time. */
static int put_path(struct resolving *it, const char *path, struct err *err)
{
    struct call *call = it->call;
    const json_t *place;
    const char *key;
    char *keys;

    if (put_file(it, path, NULL, err))
        return -1;
    place = json_object_get(it->args, field_name(it));
    place = json_is_array(place) ? json_array_get(place, it->index) : place;
    key = json_string_value(json_object_get(place, "key"));
    keys = mem_format("%s %s", call->input_keys ? call->input_keys : "", key ? key : "");
    if (!keys)
        return err_nomem(err);
    mem_free(call->input_keys);
    call->input_keys = keys;
    return 0;
}

/* 1: the answer comes later, through looked_up. */
static int resolve_one(struct resolving *it, const char *text, struct err *err)
{
    struct ledger_query query = {.limit = 1};
    json_t *value;

    if (is_session_field(it) && strncmp(text, "job_", 4) != 0 && !is_last(text))
        return 0; /* a provider's own name: only that provider can tell whether it is one */
    if (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0) {
        value = json_pack("{s:s}", "url", text);
        return !value || put(it, value) ? err_nomem(err) : 0;
    }
    if (strncasecmp(text, "data:", 5) == 0)
        return err_field(err, field_name(it),
                         "%s must be a path, URL, handle or \"last\"; data URLs are not taken, save "
                         "the picture to a file first",
                         field_name(it));
    if (!is_handle(text) && strncmp(text, "job_", 4) != 0 && !is_last(text))
        return put_path(it, text, err);
    if (is_last(text) && is_session_field(it)) {
        query.conversation = it->call->conversation ? it->call->conversation : "";
        query.limit = SESSIONS_LOOKED_AT;
    } else if (is_last(text)) {
        query.conversation = it->call->conversation ? it->call->conversation : "";
        query.kind = is_video_field(it) ? "video" : "image";
        query.with_files = 1;
    } else if (is_handle(text)) {
        query.file = text;
    } else {
        query.id = text;
    }
    if (engine_find(call_engine(it->call), &query, looked_up, it))
        return err_nomem(err);
    call_begin(it->call);
    return 1;
}

static void walk(struct resolving *it)
{
    struct err err;

    for (; field_name(it); it->field++, it->index = 0) {
        json_t *place = json_object_get(it->args, field_name(it));
        size_t count = json_is_array(place) ? json_array_size(place) : place ? 1 : 0;

        for (; it->index < count; it->index++) {
            const json_t *text = json_is_array(place) ? json_array_get(place, it->index) : place;
            int rc = resolve_one(it, json_string_value(text), &err);

            if (rc > 0)
                return;
            if (rc < 0) {
                end(it, &err);
                return;
            }
        }
    }
    end(it, NULL);
}

void inputs_resolve(struct call *call, const char *const *fields, inputs_done_fn *done)
{
    struct resolving *it = mem_alloc(sizeof(*it));
    struct err err;

    if (it)
        it->args = json_deep_copy(call->args);
    if (!it || !it->args) {
        mem_free(it);
        err_nomem(&err);
        done(call, NULL, &err);
        return;
    }
    it->call = call;
    it->fields = fields;
    it->done = done;
    call->resolving = it;
    walk(it);
}
