/*
 * Generations of provider "chatart": pictures, videos of four kinds and character replacement;
 * their states and histories. Requests are checked as far as the service's own client shows what
 * it takes; what differs is refused with the service's code for a wrong parameter.
 */
#include "sim_chatart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCES_MAX 14
#define URL_MAX        512
#define SIDE_PIXELS    256 /* pictures of K come K times this wide: real, and quickly painted */

static void wrong(struct sim_request *r, const char *what)
{
    sim_refuse(r, 200, "4000", NULL, "Parameter error: %s", what);
}

static bool check_upload(struct sim_request *r, const char *url, const char *kind)
{
    const json_t *object;

    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        wrong(r, "a URL is none");
        return false;
    }
    if (!chatart_is_upload(r, url, &object))
        return true;
    const char *type = json_string_value(json_object_get(object, "type"));
    if (!object)
        sim_refuse(r, 200, "4004", NULL, "There is no such file.");
    else if (strncmp(type, kind, strlen(kind)) != 0)
        wrong(r, "a file is of the wrong kind");
    else
        return true;
    return false;
}

/* A list of URLs, min to max of them; kinds is one letter a URL, the last for all further ones. */
static bool check_urls(struct sim_request *r, const char *name, size_t min, size_t max,
                       const char *kinds)
{
    json_t *list = json_object_get(r->fields, name), *url;
    size_t i, n = json_array_size(list);

    if (!json_is_array(list) || n < min || n > max) {
        wrong(r, name);
        return false;
    }
    json_array_foreach(list, i, url)
    {
        char kind = kinds[i < strlen(kinds) ? i : strlen(kinds) - 1];
        if (!json_is_string(url)) {
            wrong(r, name);
            return false;
        }
        if (!check_upload(r, json_string_value(url), kind == 'v' ? "video/" : "image/"))
            return false;
    }
    return true;
}

static const char *text_of(struct sim_request *r, const char *name)
{
    return json_string_value(json_object_get(r->fields, name));
}

/* Whole numbers come as numbers or as text. */
static int64_t number_of(struct sim_request *r, const char *name, int64_t missing)
{
    char buf[32];
    int64_t n = missing;
    const char *text = sim_request_field(r, name, buf, sizeof buf);

    if (text && sim_parse_int(text, INT64_MIN, INT64_MAX, &n) != 0)
        return -1;
    return json_object_get(r->fields, name) && !text ? -1 : n;
}

static void accept_job(struct sim_request *r, const char *family, const char *prefix,
                       const struct sim_media_spec *spec, const char *model, const char *prompt,
                       int64_t cost)
{
    if (!sim_charge(r, cost))
        return;
    sim_copy_text(r->model, sizeof r->model, model);
    struct sim_job *j = sim_job_new(r, family, prefix);
    struct sim_media_spec s = *spec;
    free(j->prompt);
    j->prompt = sim_strdup(prompt ? prompt : "");
    j->cost = cost;
    s.seed = sim_hash_text(j->prompt);
    if (r->settings.video_size[0])
        (void)sim_parse_size(r->settings.video_size, SIM_SIDE_MAX, &s.width, &s.height);
    if (s.kind == SIM_MP4 && r->settings.video_seconds)
        s.seconds = (int)r->settings.video_seconds;
    s.bytes = (uint64_t)(s.kind == SIM_MP4 ? r->settings.video_bytes : r->settings.image_bytes);
    sim_file_new(r->sim, &s, j->id, j->file);
    chatart_answer_take(r, json_pack("{s:s}", "question_id", j->id));
    r->answer.delay_ms +=
        s.kind == SIM_MP4 ? r->settings.video_delay_ms : r->settings.image_delay_ms;
}

/* ---- pictures ---- */

void chatart_art_create(struct sim_request *r)
{
    static const int ratios[][2] = {{1, 1}, {9, 16}, {16, 9}, {3, 4}, {4, 3},
                                    {3, 2}, {2, 3},  {5, 4},  {4, 5}};
    int64_t style = number_of(r, "style", -1), scene = number_of(r, "scene_id", -1);
    int64_t scale = number_of(r, "picture_scale", -1);
    int64_t definition = number_of(r, "image_definition", -1);
    const char *model = text_of(r, "gpt_type"), *prompt = text_of(r, "description");
    bool edit = style == 0 && scene == 13;

    if (!edit && !(style == 10 && scene == 4)) {
        wrong(r, "style, scene_id");
        return;
    }
    if (!model || !prompt || !*prompt || !json_is_object(json_object_get(r->fields, "content")) ||
        !json_is_string(json_object_get(r->fields, "gen_content"))) {
        sim_refuse(r, 200, "4003", NULL, "Required parameter cannot be null");
        return;
    }
    if (!check_urls(r, "reference_image", edit ? 1 : 0, edit ? REFERENCES_MAX : 0, "i"))
        return;
    int64_t cost = chatart_price_image(model, definition, text_of(r, "quality"), scale);
    if (cost < 0 || number_of(r, "picture_counts", -1) != 1) {
        wrong(r, "gpt_type, image_definition, quality, picture_scale, picture_counts");
        return;
    }
    static const int sides[] = {1, 2, 4, 3};
    int side = SIDE_PIXELS * sides[definition - 1];
    int w = ratios[scale - 1][0], h = ratios[scale - 1][1];
    struct sim_media_spec spec = {.kind = SIM_PNG,
                                  .width = w >= h ? side : side * w / h,
                                  .height = w >= h ? side * h / w : side};
    accept_job(r, "chatart_art", "q_", &spec, model, prompt, cost);
}

/* ---- videos ---- */

static unsigned mode_of(const char *video_id, const char *function)
{
    if (!function)
        return 0;
    if (strcmp(video_id, "101") == 0)
        return strcmp(function, "single_image") == 0 ? CHATART_TEXT : 0;
    if (strcmp(video_id, "103") == 0)
        return strcmp(function, "single_image") == 0 ? CHATART_EXTEND : 0;
    if (strcmp(video_id, "102") != 0)
        return 0;
    if (strcmp(function, "single_image") == 0)
        return CHATART_SINGLE;
    if (strcmp(function, "first_last_frames") == 0)
        return CHATART_FRAMES;
    return strcmp(function, "omni_reference") == 0 ? CHATART_OMNI : 0;
}

static bool check_inputs(struct sim_request *r, unsigned mode)
{
    switch (mode) {
    case CHATART_TEXT:
        return check_urls(r, "image_url", 0, 0, "i");
    case CHATART_SINGLE:
        return check_urls(r, "image_url", 1, 1, "i");
    case CHATART_FRAMES:
        return check_urls(r, "image_url", 1, 2, "i");
    case CHATART_OMNI:
        return check_urls(r, "image_url", 1, 9, "i");
    default:
        return check_urls(r, "image_url", 1, 1, "v");
    }
}

/* "480p", "4k" to lines. */
static int lines_of(const char *quality)
{
    int n = atoi(quality);
    return strcmp(quality, "4k") == 0 ? 2160 : n > 0 ? n : 480;
}

static void video_spec(const char *quality, const char *ratio, int64_t seconds,
                       struct sim_media_spec *ret)
{
    int w = 16, h = 9, lines = lines_of(quality) / 4;

    if (ratio && sscanf(ratio, "%d:%d", &w, &h) != 2) {
        w = 16;
        h = 9;
    }
    *ret = (struct sim_media_spec){.kind = SIM_MP4, .seconds = (int)seconds};
    ret->width = (w >= h ? lines * w / h : lines) & ~1;
    ret->height = (w >= h ? lines : lines * h / w) & ~1;
}

static void replace_create(struct sim_request *r, const char *model)
{
    const char *mode = text_of(r, "mode"), *quality = text_of(r, "quality");
    int64_t seconds = number_of(r, "duration", -1);
    struct sim_media_spec spec;

    if (!check_urls(r, "image_url", 2, 2, "iv"))
        return;
    int64_t cost =
        mode && quality ? chatart_price_replace(model, mode, quality, seconds) : -1;
    if (cost < 0 || !json_is_integer(json_object_get(r->fields, "duration"))) {
        wrong(r, "mode, gpt_type, quality, duration");
        return;
    }
    video_spec(quality, NULL, seconds > SIM_SECONDS_MAX ? SIM_SECONDS_MAX : seconds, &spec);
    accept_job(r, "chatart_video", "v_", &spec, model, mode, cost);
}

void chatart_video_create(struct sim_request *r)
{
    const char *id = text_of(r, "video_id"), *model = text_of(r, "gpt_type");
    const char *original = text_of(r, "original_model"), *quality = text_of(r, "quality");
    const char *ratio = text_of(r, "ratio"), *prompt = text_of(r, "prompt");
    int64_t seconds = number_of(r, "duration", 5), sound = number_of(r, "sound", -1);
    struct sim_media_spec spec;

    if (!id || !model || !original) {
        sim_refuse(r, 200, "4003", NULL, "Required parameter cannot be null");
        return;
    }
    if (strcmp(model, original) != 0) {
        wrong(r, "original_model");
        return;
    }
    if (strcmp(id, "104") == 0) {
        replace_create(r, model);
        return;
    }
    unsigned mode = mode_of(id, text_of(r, "function_mode"));
    if (!mode || (mode == CHATART_TEXT && (!prompt || !*prompt)) ||
        (sound != 0 && sound != 1 && !json_is_boolean(json_object_get(r->fields, "sound")))) {
        wrong(r, "video_id, function_mode, prompt, sound");
        return;
    }
    if (!check_inputs(r, mode))
        return;
    int64_t cost = chatart_price_video(model, mode, quality ? quality : "720p", seconds, ratio);
    if (cost < 0) {
        wrong(r, "gpt_type, quality, duration, ratio");
        return;
    }
    video_spec(quality ? quality : "720p", ratio, seconds, &spec);
    accept_job(r, "chatart_video", "v_", &spec, model, prompt, cost);
}

/* ---- states ---- */

static json_t *state_json(const struct sim_job *j, int status)
{
    const char *mode = j->settings.chatart_state;

    if (strcmp(mode, "text") == 0)
        return json_sprintf("%d", status);
    if (strcmp(mode, "odd") == 0 && status == 0)
        return j->polls % 2 ? json_integer(3) : json_string("init");
    return json_integer(status);
}

static void answer_state(struct sim_request *r, const char *family)
{
    char buf[32], url[URL_MAX];
    const char *id = sim_request_query(r, "question_id");
    int percent;

    if (!id)
        id = sim_request_field(r, "question_id", buf, sizeof buf);
    if (!id)
        id = sim_request_field(r, "create_id", buf, sizeof buf);
    if (!id || !*id) {
        sim_refuse(r, 200, "4003", NULL, "Required parameter cannot be null");
        return;
    }
    struct sim_job *j = sim_job_find(r->sim, id);
    if (!j || j->account != r->account || strcmp(j->family, family) != 0) {
        sim_refuse(r, 200, "4004", NULL, "task not found");
        return;
    }
    sim_copy_text(r->job, sizeof r->job, j->id);
    j->polls++;
    enum sim_job_state state = sim_job_look(j, &percent);
    bool art = strcmp(family, "chatart_art") == 0;
    bool no_url = strcmp(j->settings.chatart_state, "no_url") == 0;
    json_t *message = json_object();
    sim_file_url(r, j->file, "", url, sizeof url);
    if (state == SIM_DONE && !no_url)
        json_object_set_new(message, "url", json_string(url));
    if (state == SIM_DONE && art)
        json_object_set_new(message, "status", json_integer(1));
    if (art)
        message = state == SIM_DONE ? json_pack("[o]", message)
                                    : (json_decref(message), json_array());
    const char *error = state == SIM_FAILED ? j->error_text : "";
    json_t *data =
        json_pack("{s:s,s:o,s:o,s:s,s:s,s:s}", "question_id", j->id, "status",
                  state_json(j, state == SIM_DONE ? 1 : state == SIM_FAILED ? 2 : 0), "message",
                  message, "error", error, "real_error", "", "output_message", "");
    if (strcmp(j->settings.chatart_state, "bare") != 0)
        json_object_set_new(data, "cost_credit", json_integer(j->cost));
    chatart_answer_take(r, data);
}

void chatart_art_state(struct sim_request *r)
{
    answer_state(r, "chatart_art");
}

void chatart_video_state(struct sim_request *r)
{
    answer_state(r, "chatart_video");
}

/* ---- histories ---- */

static json_t *history_entry(struct sim_request *r, struct sim_job *j, bool art)
{
    char url[URL_MAX];
    int percent;
    enum sim_job_state state = sim_job_look(j, &percent);
    int status = state == SIM_FAILED ? 2 : state == SIM_QUEUED ? 0 : 1;
    json_t *files = json_array();

    sim_file_url(r, j->file, "", url, sizeof url);
    if (state == SIM_DONE)
        json_array_append_new(files, json_pack("{s:i,s:s}", "status", 1, "url", url));
    else if (state != SIM_FAILED)
        json_array_append_new(files, json_pack("{s:i,s:s}", "status", 0, "url", ""));
    return json_pack("{s:s,s:I,s:i,s:o,s:s,s:s}", "id", j->id, "create_at",
                     (json_int_t)j->created_s, art ? "is_drawing" : "status", status,
                     art ? "pic_url" : "file", files, "error_message",
                     state == SIM_FAILED ? j->error_text : "", "comment", "");
}

/* Page numbers come as text, in the body of a GET. */
static void answer_history(struct sim_request *r, const char *family)
{
    json_t *all = json_array(), *page_list = json_array();
    const char *page_text = text_of(r, "page"), *per_text = text_of(r, "per_page");
    int64_t page = 1, per = 20;

    if (!page_text || !per_text || sim_parse_int(page_text, 1, 100000, &page) != 0 ||
        sim_parse_int(per_text, 1, 100, &per) != 0) {
        json_decref(all);
        json_decref(page_list);
        wrong(r, "page, per_page");
        return;
    }
    for (struct sim_job *j = sim_job_first(r->sim); j; j = j->next) {
        if (j->account == r->account && strcmp(j->family, family) == 0)
            json_array_insert_new(all, 0,
                                  history_entry(r, j, strcmp(family, "chatart_art") == 0));
    }
    size_t total = json_array_size(all);
    for (size_t i = (size_t)((page - 1) * per); i < total && i < (size_t)(page * per); i++)
        json_array_append(page_list, json_array_get(all, i));
    json_decref(all);
    chatart_answer_take(r, json_pack("{s:I,s:I,s:I,s:o}", "current_page", (json_int_t)page,
                                     "per_page", (json_int_t)per, "total", (json_int_t)total,
                                     "data", page_list));
}

void chatart_art_history(struct sim_request *r)
{
    answer_history(r, "chatart_art");
}

void chatart_video_history(struct sim_request *r)
{
    answer_history(r, "chatart_video");
}
