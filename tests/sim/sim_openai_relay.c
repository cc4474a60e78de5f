/*
 * Videos, families B and C: relays' addresses under which a JSON task is created and looked at.
 *
 * B (/v1/video/generations): {"task_id","status"}, result in `url`; with video_mode data_wrapped
 * all in {"code","message","data"}. C (/v1/videos/generations, /v2/video/generations): {"id",...},
 * result in `video.url`. Bodies differ from relay to relay; the fields known here are read, the
 * others only logged.
 */
#include "sim_openai.h"

#include <stdio.h>
#include <string.h>

#define URL_MAX 512

static bool is_family_b(const char *path)
{
    return strstr(path, "/v1/video/") != NULL;
}

/* The duration under any of its names, as number or text; 5 without. */
static bool read_duration(struct sim_request *r, int64_t *ret)
{
    static const char *const names[] = {"duration", "seconds"};
    char buf[32];

    *ret = 5;
    for (size_t i = 0; i < 2; i++) {
        const char *text = sim_request_field(r, names[i], buf, sizeof buf);
        if (text && sim_parse_int(text, 1, SIM_SECONDS_MAX, ret) != 0) {
            sim_refuse(r, 400, "invalid_value", names[i], "Invalid value for '%s'.", names[i]);
            return false;
        }
    }
    return true;
}

static bool read_sides(struct sim_request *r, int *ret_w, int *ret_h)
{
    char buf[32];
    const char *size = sim_request_field(r, "size", buf, sizeof buf);
    const json_t *w = json_object_get(r->fields, "width"),
                 *h = json_object_get(r->fields, "height");

    *ret_w = 1280;
    *ret_h = 720;
    if (size && sim_parse_size(size, SIM_SIDE_MAX, ret_w, ret_h) != 0) {
        sim_refuse(r, 400, "invalid_value", "size", "Invalid value for 'size'.");
        return false;
    }
    if (!w && !h)
        return true;
    if (!json_is_integer(w) || !json_is_integer(h) || json_integer_value(w) < 1 ||
        json_integer_value(w) > SIM_SIDE_MAX || json_integer_value(h) < 1 ||
        json_integer_value(h) > SIM_SIDE_MAX) {
        sim_refuse(r, 400, "invalid_value", "width",
                   "'width' and 'height' have to be whole numbers.");
        return false;
    }
    *ret_w = (int)json_integer_value(w);
    *ret_h = (int)json_integer_value(h);
    return true;
}

static json_t *wrapped(const struct sim_job *j, json_t *o)
{
    if (strcmp(j->settings.video_mode, "data_wrapped") != 0)
        return o;
    return json_pack("{s:s,s:s,s:o}", "code", "success", "message", "", "data", o);
}

static json_t *task_json(struct sim_request *r, struct sim_job *j)
{
    bool b = is_family_b(r->path);
    char url[URL_MAX];
    int percent;
    enum sim_job_state state = sim_job_look(j, &percent);
    json_t *o = json_pack("{s:s,s:s,s:s,s:i}", b ? "task_id" : "id", j->id, "model", j->model,
                          "status", openai_word(j, state), "progress", percent);

    sim_file_url(r, j->file, "", url, sizeof url);
    if (state == SIM_FAILED)
        json_object_set_new(
            o, "error", json_pack("{s:s,s:s}", "code", j->error_code, "message", j->error_text));
    if (state == SIM_DONE && b) {
        json_object_set_new(o, "url", json_string(url));
        json_object_set_new(o, "format", json_string("mp4"));
    } else if (state == SIM_DONE) {
        json_object_set_new(o, "video",
                            json_pack("{s:s,s:I,s:s}", "url", url, "duration",
                                      (json_int_t)j->seconds, "content_type", "video/mp4"));
    }
    return o;
}

void openai_relay_create(struct sim_request *r)
{
    bool b = is_family_b(r->path);
    const char *prompt = json_string_value(json_object_get(r->fields, "prompt"));
    int width, height;
    int64_t seconds;

    if (!prompt || !*prompt || !r->model[0]) {
        sim_refuse(r, 400, "missing_required_parameter", prompt && *prompt ? "model" : "prompt",
                   "'prompt' and 'model' are required.");
        return;
    }
    if (!read_duration(r, &seconds) || !read_sides(r, &width, &height))
        return;
    struct sim_job *j =
        openai_job_new(r, b ? "relay_b" : "relay_c", b ? "task_" : "gen_", width, height, seconds);
    if (!j)
        return;
    if (strcmp(j->settings.video_mode, "instant") == 0)
        j->duration_ms = 0;
    sim_answer_json_take(r, 200, wrapped(j, task_json(r, j)));
    r->answer.delay_ms += j->settings.video_delay_ms;
}

void openai_relay_get(struct sim_request *r)
{
    const char *id = r->args[0][0] ? r->args[0] : sim_request_query(r, "generation_id");
    struct sim_job *j = openai_job_poll(r, id ? id : "");
    if (!j)
        return;
    if (strcmp(j->family, is_family_b(r->path) ? "relay_b" : "relay_c") != 0)
        sim_refuse(r, 404, "not_found", "id", "There is no such task here.");
    else
        sim_answer_json_take(r, 200, wrapped(j, task_json(r, j)));
}
