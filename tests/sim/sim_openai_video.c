/*
 * Videos, family A (the Sora shape): create by JSON or multipart, look, list, fetch the content,
 * remix, delete. Also the parts the relay families share: making a job, looking at it.
 */
#include "sim_openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX      512
#define LIST_MAX     100
#define LIST_DEFAULT 20

static bool is_sora(const char *model)
{
    return strncmp(model, "sora", 4) == 0;
}

static bool one_of(const char *value, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(value, *list) == 0)
            return true;
    }
    return false;
}

const char *openai_word(const struct sim_job *j, enum sim_job_state state)
{
    static const char *const openai[] = {"queued", "in_progress", "completed", "failed"};
    static const char *const upper[] = {"NOT_START", "IN_PROGRESS", "SUCCESS", "FAILURE"};
    static const char *const plain[] = {"pending", "processing", "succeeded", "error"};

    if (strcmp(j->settings.video_words, "upper") == 0)
        return upper[state];
    return strcmp(j->settings.video_words, "plain") == 0 ? plain[state] : openai[state];
}

struct sim_job *openai_job_new(struct sim_request *r, const char *family, const char *prefix,
                               int width, int height, int64_t seconds)
{
    struct sim_media_spec spec = {.kind = SIM_MP4, .width = width, .height = height};

    if (!sim_charge(r, r->settings.price_video))
        return NULL;
    struct sim_job *j = sim_job_new(r, family, prefix);
    j->width = width;
    j->height = height;
    j->seconds = seconds;
    if (r->settings.video_size[0])
        (void)sim_parse_size(r->settings.video_size, SIM_SIDE_MAX, &spec.width, &spec.height);
    spec.seconds = (int)(r->settings.video_seconds ? r->settings.video_seconds : seconds);
    spec.seed = sim_hash_text(j->prompt);
    spec.bytes = (uint64_t)r->settings.video_bytes;
    sim_file_new(r->sim, &spec, j->id, j->file);
    return j;
}

static struct sim_job *find_job(struct sim_request *r, const char *id)
{
    struct sim_job *j = sim_job_find(r->sim, id);
    if (!j || j->account != r->account) {
        sim_refuse(r, 404, "not_found", "id", "Video with id '%.64s' not found.", id);
        return NULL;
    }
    sim_copy_text(r->job, sizeof r->job, j->id);
    return j;
}

struct sim_job *openai_job_poll(struct sim_request *r, const char *id)
{
    struct sim_job *j = find_job(r, id);
    if (j)
        j->polls++;
    return j;
}

static json_t *video_json(struct sim_request *r, struct sim_job *j)
{
    char size[24], seconds[24];
    int percent;
    enum sim_job_state state = sim_job_look(j, &percent);
    json_t *error = NULL;

    snprintf(size, sizeof size, "%dx%d", j->width, j->height);
    snprintf(seconds, sizeof seconds, "%lld", (long long)j->seconds);
    if (state == SIM_FAILED)
        error = json_pack("{s:s,s:s}", "code", j->error_code, "message", j->error_text);
    json_t *o =
        json_pack("{s:s,s:s,s:s,s:s,s:i,s:I,s:o?,s:o?,s:s,s:s,s:s,s:s?,s:o?}", "id", j->id,
                  "object", "video", "model", j->model, "status", openai_word(j, state), "progress",
                  percent, "created_at", (json_int_t)j->created_s, "completed_at",
                  j->ended_s ? json_integer((json_int_t)j->ended_s) : NULL, "expires_at",
                  j->ended_s ? json_integer((json_int_t)j->ended_s + 3600) : NULL, "prompt",
                  j->prompt, "size", size, "seconds", seconds, "remixed_from_video_id",
                  j->from[0] ? j->from : NULL, "error", error);
    if (state == SIM_DONE)
        openai_shape_result(r, j, o);
    return o;
}

static void answer_video(struct sim_request *r, struct sim_job *j)
{
    json_t *o = video_json(r, j);
    if (strcmp(j->settings.video_mode, "data_wrapped") == 0)
        o = json_pack("{s:i,s:s,s:o}", "code", 0, "message", "success", "data", o);
    sim_answer_json_take(r, 200, o);
}

/* Strict: the part is an image or video of a named type, and an image has the video's size. */
static bool check_reference(struct sim_request *r, int width, int height)
{
    static const char *const types[] = {"image/jpeg", "image/png", "image/webp", "video/mp4", NULL};
    const struct sim_part *p = sim_request_part(r, "input_reference");

    if (!p || !r->settings.strict)
        return true;
    if (!one_of(p->content_type, types) || !p->sniff.type ||
        strcmp(p->content_type, p->sniff.type) != 0) {
        sim_refuse(r, 400, "unsupported_file_mimetype", "input_reference",
                   "Invalid file 'input_reference': unsupported mimetype ('%s').", p->content_type);
        return false;
    }
    if (p->sniff.width && (p->sniff.width != width || p->sniff.height != height)) {
        sim_refuse(r, 400, "invalid_value", "input_reference",
                   "Inpaint image must match the requested width and height");
        return false;
    }
    return true;
}

static bool read_seconds(struct sim_request *r, int64_t *ret)
{
    static const char *const allowed[] = {"4", "8", "12", NULL};
    char buf[32];
    const char *text = sim_request_field(r, "seconds", buf, sizeof buf);
    bool strict = r->settings.strict && is_sora(r->model);

    *ret = 4;
    if (!text)
        return true;
    if (strict &&
        (!json_is_string(json_object_get(r->fields, "seconds")) || !one_of(text, allowed))) {
        sim_refuse(
            r, 400, "invalid_value", "seconds",
            "Invalid value for 'seconds': supported values are '4', '8' and '12' (strings).");
        return false;
    }
    if (sim_parse_int(text, 1, SIM_SECONDS_MAX, ret) != 0) {
        sim_refuse(r, 400, "invalid_value", "seconds", "Invalid value for 'seconds'.");
        return false;
    }
    return true;
}

static bool read_size(struct sim_request *r, int *ret_w, int *ret_h)
{
    static const char *const allowed[] = {"720x1280", "1280x720", "1024x1792", "1792x1024", NULL};
    char buf[32];
    const char *text = sim_request_field(r, "size", buf, sizeof buf);

    *ret_w = 720;
    *ret_h = 1280;
    if (!text)
        return true;
    if ((r->settings.strict && is_sora(r->model) && !one_of(text, allowed)) ||
        sim_parse_size(text, SIM_SIDE_MAX, ret_w, ret_h) != 0) {
        sim_refuse(r, 400, "invalid_value", "size", "Invalid value for 'size'.");
        return false;
    }
    return true;
}

static bool has_prompt(struct sim_request *r)
{
    const char *prompt = json_string_value(json_object_get(r->fields, "prompt"));
    if (prompt && *prompt)
        return true;
    sim_refuse(r, 400, "missing_required_parameter", "prompt",
               "Missing required parameter: 'prompt'.");
    return false;
}

static void answer_created(struct sim_request *r, struct sim_job *j)
{
    char url[URL_MAX];
    const char *mode = j->settings.video_mode;

    if (strcmp(mode, "status_url") == 0 || strcmp(mode, "status_path") == 0) {
        j->by_status_url = true;
        if (strcmp(mode, "status_url") == 0)
            snprintf(url, sizeof url, "http://127.0.0.1:%u/v1/status/%s", (unsigned)r->sim->port,
                     j->id);
        else
            snprintf(url, sizeof url, "/v1/status/%s", j->id);
        sim_answer_json_take(r, 200,
                             json_pack("{s:s,s:s,s:s}", "task_id", j->id, "status",
                                       openai_word(j, SIM_QUEUED), "status_url", url));
    } else if (!openai_shape_at_once(r, j)) {
        answer_video(r, j);
    }
    r->answer.delay_ms += j->settings.video_delay_ms;
}

void openai_video_create(struct sim_request *r)
{
    int width, height;
    int64_t seconds;

    if (!has_prompt(r))
        return;
    if (!r->model[0])
        sim_copy_text(r->model, sizeof r->model, "sora-2");
    if (strncmp(r->model, "no-such", 7) == 0) {
        sim_refuse(r, 404, "model_not_found", "model", "The model '%s' does not exist.", r->model);
        return;
    }
    if (!read_seconds(r, &seconds) || !read_size(r, &width, &height) ||
        !check_reference(r, width, height))
        return;
    struct sim_job *j = openai_job_new(r, "video", "video_", width, height, seconds);
    if (j)
        answer_created(r, j);
}

void openai_video_get(struct sim_request *r)
{
    struct sim_job *j = openai_job_poll(r, r->args[0]);
    if (!j)
        return;
    if (j->by_status_url)
        sim_refuse(r, 404, "not_found", "id", "This job is seen at its status_url only.");
    else
        answer_video(r, j);
}

void openai_status_get(struct sim_request *r)
{
    struct sim_job *j = openai_job_poll(r, r->args[0]);
    if (j)
        answer_video(r, j);
}

void openai_video_list(struct sim_request *r)
{
    const char *after = sim_request_query(r, "after"), *text = sim_request_query(r, "limit");
    json_t *list = json_array();
    const char *first = NULL, *last = NULL;
    int64_t limit = LIST_DEFAULT;
    bool more = false, started = after == NULL;

    if (text && sim_parse_int(text, 0, LIST_MAX, &limit) != 0)
        limit = LIST_DEFAULT;
    for (struct sim_job *j = sim_job_first(r->sim); j; j = j->next) {
        if (j->account != r->account || strcmp(j->family, "video") != 0)
            continue;
        if (started && (int64_t)json_array_size(list) == limit) {
            more = true;
            break;
        }
        if (started) {
            json_array_append_new(list, video_json(r, j));
            first = first ? first : j->id;
            last = j->id;
        } else {
            started = strcmp(after, j->id) == 0;
        }
    }
    sim_answer_json_take(r, 200,
                         json_pack("{s:s,s:o,s:s?,s:s?,s:b}", "object", "list", "data", list,
                                   "first_id", first, "last_id", last, "has_more", more));
}

void openai_video_content(struct sim_request *r)
{
    struct sim_job *j = find_job(r, r->args[0]);
    const char *variant = sim_request_query(r, "variant");
    char url[URL_MAX];
    int percent;

    if (!j)
        return;
    if (sim_job_look(j, &percent) != SIM_DONE) {
        sim_refuse(r, 409, "video_not_ready", "id", "Video is not ready yet.");
        return;
    }
    j->downloads++;
    if (variant && strcmp(variant, "video") != 0) {
        struct sim_body *b = sim_body_new();
        struct sim_media_spec spec = {.kind = SIM_JPEG,
                                      .width = j->width,
                                      .height = j->height,
                                      .seed = sim_hash_text(j->prompt)};
        sim_body_add_media_take(b, sim_media_make(&spec), false);
        sim_answer_body_take(r, 200, "image/jpeg", b);
    } else if (strcmp(j->settings.content_mode, "redirect") == 0) {
        sim_file_url(r, j->file, "?sig=abc", url, sizeof url);
        sim_answer_body_take(r, 302, "text/plain", sim_body_new());
        sim_answer_header(r, "Location", url);
    } else {
        sim_file_answer(r, j->file);
    }
}

void openai_video_remix(struct sim_request *r)
{
    struct sim_job *from = find_job(r, r->args[0]);
    int percent;

    if (!from || !has_prompt(r))
        return;
    if (sim_job_look(from, &percent) != SIM_DONE) {
        sim_refuse(r, 409, "video_not_ready", "id", "Video is not ready yet.");
        return;
    }
    sim_copy_text(r->model, sizeof r->model, from->model);
    struct sim_job *j =
        openai_job_new(r, "video", "video_", from->width, from->height, from->seconds);
    if (!j)
        return;
    sim_copy_text(j->from, sizeof j->from, from->id);
    answer_created(r, j);
}

void openai_video_delete(struct sim_request *r)
{
    struct sim_job *j = find_job(r, r->args[0]);
    int percent;

    if (!j)
        return;
    if (sim_job_look(j, &percent) < SIM_DONE) {
        sim_refuse(r, 409, "video_not_finished", "id", "Only finished videos can be deleted.");
        return;
    }
    sim_answer_json_take(
        r, 200, json_pack("{s:s,s:s,s:b}", "id", j->id, "object", "video.deleted", "deleted", 1));
    sim_job_delete(r->sim, j);
}
