/*
 * Pictures: POST /v1/images/generations, and the answer that generations and edits share, in all
 * shapes that are met in the wild (setting image_mode).
 */
#include "sim_openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX 512

static bool mode_is(const struct sim_request *r, const char *mode)
{
    return strcmp(r->settings.image_mode, mode) == 0;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* A whole number given as JSON number or, in a form, as text. */
static bool read_number(struct sim_request *r, const char *name, int64_t min, int64_t max,
                        int64_t *ret)
{
    char buf[32];
    const char *text = sim_request_field(r, name, buf, sizeof buf);
    bool kind_ok = r->multipart || !text || json_is_integer(json_object_get(r->fields, name));

    if (!text)
        return true;
    if (!kind_ok || sim_parse_int(text, min, max, ret) != 0) {
        sim_refuse(r, 400, "invalid_value", name,
                   "Invalid value for '%s': a number from %lld to %lld.", name, (long long)min,
                   (long long)max);
        return false;
    }
    return true;
}

/* A text; without it the default. The result lives as long as the request. */
static bool read_text(struct sim_request *r, const char *name, const char *missing,
                      const char **ret)
{
    const json_t *v = json_object_get(r->fields, name);

    *ret = missing;
    if (!v || json_is_null(v))
        return true;
    if (!json_is_string(v)) {
        sim_refuse(r, 400, "invalid_type", name, "Invalid type for '%s': expected a string.", name);
        return false;
    }
    *ret = json_string_value(v);
    return true;
}

static bool read_format(struct sim_request *r, struct openai_picture *p)
{
    if (strcmp(p->format, "png") == 0) {
        p->spec.kind = SIM_PNG;
    } else if (strcmp(p->format, "jpeg") == 0) {
        p->spec.kind = SIM_JPEG;
    } else {
        sim_refuse(r, 400, "invalid_value", "output_format",
                   "Invalid value '%.40s': this server makes 'png' and 'jpeg'.", p->format);
        return false;
    }
    if (strcmp(p->background, "transparent") == 0 && p->spec.kind != SIM_PNG) {
        sim_refuse(r, 400, "invalid_value", "background",
                   "Transparent background needs output_format 'png' or 'webp'.");
        return false;
    }
    p->spec.transparent = strcmp(p->background, "transparent") == 0;
    return true;
}

static bool read_size(struct sim_request *r, struct openai_picture *p)
{
    p->spec.width = p->spec.height = 1024;
    if (strcmp(p->size_text, "auto") == 0)
        return true;
    if (sim_parse_size(p->size_text, SIM_SIDE_MAX, &p->spec.width, &p->spec.height) != 0) {
        sim_refuse(r, 400, "invalid_value", "size", "Invalid size '%.40s'.", p->size_text);
        return false;
    }
    return true;
}

static bool read_response_format(struct sim_request *r, struct openai_picture *p)
{
    const char *want;

    if (!read_text(r, "response_format", "", &want))
        return false;
    if (*want && r->settings.strict && starts(r->model, "gpt-image")) {
        sim_refuse(r, 400, "unknown_parameter", "response_format",
                   "Unknown parameter: 'response_format'.");
        return false;
    }
    if (*want && strcmp(want, "url") != 0 && strcmp(want, "b64_json") != 0) {
        sim_refuse(r, 400, "invalid_value", "response_format", "Expected 'url' or 'b64_json'.");
        return false;
    }
    sim_copy_text(p->want, sizeof p->want, want);
    return true;
}

bool openai_picture_read(struct sim_request *r, struct openai_picture *p)
{
    char buf[32];

    memset(p, 0, sizeof *p);
    if (!json_is_object(r->fields)) {
        sim_refuse(r, 400, "bad_body", NULL, "The body has to be a JSON object or a form.");
        return false;
    }
    if (starts(r->model, "no-such")) {
        sim_refuse(r, 404, "model_not_found", "model", "The model '%s' does not exist.", r->model);
        return false;
    }
    p->count = 1;
    p->partials = r->settings.image_partials;
    if (!read_text(r, "prompt", "", &p->prompt) || !read_text(r, "size", "auto", &p->size_text) ||
        !read_text(r, "quality", "auto", &p->quality) ||
        !read_text(r, "output_format", "png", &p->format) ||
        !read_text(r, "background", "auto", &p->background) ||
        !read_number(r, "n", 1, OPENAI_OUTPUTS_MAX, &p->count) ||
        !read_number(r, "partial_images", 0, 3, &p->partials) || !read_size(r, p) ||
        !read_format(r, p) || !read_response_format(r, p))
        return false;
    if (!*p->prompt) {
        sim_refuse(r, 400, "missing_required_parameter", "prompt",
                   "Missing required parameter: 'prompt'.");
        return false;
    }
    const char *stream = sim_request_field(r, "stream", buf, sizeof buf);
    p->stream = stream && strcmp(stream, "true") == 0;
    p->spec.seed = sim_hash_text(p->prompt);
    p->spec.bytes = (uint64_t)r->settings.image_bytes;
    return true;
}

static struct sim_media_spec nth_spec(const struct openai_picture *p, int64_t i)
{
    struct sim_media_spec spec = p->spec;
    spec.seed = sim_hash_mix(spec.seed, (uint64_t)i);
    return spec;
}

/* Puts picture i among the served files; writes the name. */
static void publish(struct sim_request *r, const struct openai_picture *p, int64_t i, char *name)
{
    char stem[40];
    struct sim_media_spec spec = nth_spec(p, i);
    snprintf(stem, sizeof stem, "img_%06llx", (unsigned long long)++r->sim->ids);
    sim_file_new(r->sim, &spec, stem, name);
}

static json_t *usage(const struct openai_picture *p)
{
    int in = 16, out = (int)p->count * 1056;
    return json_pack("{s:i,s:i,s:i,s:{s:i,s:i},s:{s:i,s:i}}", "total_tokens", in + out,
                     "input_tokens", in, "output_tokens", out, "input_tokens_details",
                     "text_tokens", in, "image_tokens", 0, "output_tokens_details", "image_tokens",
                     out, "text_tokens", 0);
}

/* What stands around data[] in a real answer. */
static json_t *envelope(const struct openai_picture *p)
{
    char size[24];
    snprintf(size, sizeof size, "%dx%d", p->spec.width, p->spec.height);
    return json_pack("{s:I,s:s,s:s,s:s,s:s,s:o}", "created", (json_int_t)sim_wall_s(), "background",
                     p->spec.transparent ? "transparent" : "opaque", "output_format", p->format,
                     "quality", strcmp(p->quality, "auto") ? p->quality : "high", "size", size,
                     "usage", usage(p));
}

/* Adds the document to the body without its closing brace, so that more members can follow. */
static void add_open_object(struct sim_body *b, json_t *o_take)
{
    char *text = json_dumps(o_take, JSON_COMPACT);
    sim_body_add_bytes(b, text, strlen(text) - 1);
    free(text);
    json_decref(o_take);
}

static void add_base64(struct sim_body *b, const struct openai_picture *p, int64_t i)
{
    struct sim_media_spec spec = nth_spec(p, i);
    sim_body_add_media_take(b, sim_media_make(&spec), true);
}

static void answer_b64(struct sim_request *r, const struct openai_picture *p)
{
    struct sim_body *b = sim_body_new();

    add_open_object(b, envelope(p));
    sim_body_add_text(b, ",\"data\":[");
    for (int64_t i = 0; i < p->count; i++) {
        sim_body_add_text(b, i ? ",{\"b64_json\":\"" : "{\"b64_json\":\"");
        add_base64(b, p, i);
        sim_body_add_text(b, "\"}");
    }
    sim_body_add_text(b, "]}");
    sim_answer_body_take(r, 200, "application/json", b);
}

/* One picture as base64 between two texts. */
static void answer_around(struct sim_request *r, const struct openai_picture *p, const char *before,
                          const char *after)
{
    struct sim_body *b = sim_body_new();
    sim_body_add_text(b, before);
    add_base64(b, p, 0);
    sim_body_add_text(b, after);
    sim_answer_body_take(r, 200, "application/json", b);
}

/* data[] of url or path members, and of pictures nested elsewhere. */
static void answer_links(struct sim_request *r, const struct openai_picture *p)
{
    json_t *list = json_array();
    char name[SIM_ID_MAX], url[URL_MAX];

    for (int64_t i = 0; i < p->count; i++) {
        publish(r, p, i, name);
        bool local = mode_is(r, "relative") || mode_is(r, "path");
        if (local)
            snprintf(url, sizeof url, "/v1/files/%s", name);
        else
            sim_file_url(r, name, mode_is(r, "signed_url") ? "?sig=abc%2Fdef&expires=3600" : "",
                         url, sizeof url);
        json_array_append_new(list, json_pack("{s:s}", mode_is(r, "path") ? "path" : "url", url));
    }
    if (mode_is(r, "nested")) {
        sim_answer_json_take(r, 200,
                             json_pack("{s:i,s:s,s:{s:s,s:o}}", "code", 0, "message", "ok",
                                       "result", "state", "done", "outputs", list));
        return;
    }
    json_t *all = envelope(p);
    json_object_set_new(all, "data", list);
    sim_answer_json_take(r, 200, all);
}

/* Chat-shaped answers, or the bare text, with one link a picture. */
static void answer_text(struct sim_request *r, const struct openai_picture *p)
{
    struct sim_buf text = {0};
    char name[SIM_ID_MAX], url[URL_MAX];
    bool html = starts(r->settings.image_mode, "html");

    for (int64_t i = 0; i < p->count; i++) {
        publish(r, p, i, name);
        sim_file_url(r, name, "", url, sizeof url);
        sim_buf_printf(&text, html ? "<p><img alt=\"image\" src=\"%s\"></p>\n" : "![image](%s)\n",
                       url);
    }
    sim_buf_add(&text, "", 1);
    if (mode_is(r, "html_raw") || mode_is(r, "markdown_raw")) {
        struct sim_body *b = sim_body_new();
        sim_body_add_text(b, (const char *)text.data);
        sim_answer_body_take(r, 200, html ? "text/html; charset=utf-8" : "text/markdown", b);
    } else {
        sim_answer_json_take(r, 200,
                             json_pack("{s:s,s:[{s:i,s:{s:s,s:s},s:s}]}", "object",
                                       "chat.completion", "choices", "index", 0, "message", "role",
                                       "assistant", "content", (const char *)text.data,
                                       "finish_reason", "stop"));
    }
    sim_buf_free(&text);
}

static void add_event(struct sim_body *b, const struct openai_picture *p, const char *what,
                      int64_t index, bool partial)
{
    char line[200];
    json_t *o = envelope(p);
    const char *family = p->edit ? "image_edit" : "image_generation";

    json_object_set_new(o, "created_at", json_integer((json_int_t)sim_wall_s()));
    json_object_del(o, "created");
    if (partial) {
        json_object_del(o, "usage");
        json_object_set_new(o, "partial_image_index", json_integer((json_int_t)index));
    }
    snprintf(line, sizeof line, "%s.%s", family, what);
    json_object_set_new(o, "type", json_string(line));
    snprintf(line, sizeof line, "event: %s.%s\ndata: ", family, what);
    sim_body_add_text(b, line);
    add_open_object(b, o);
    sim_body_add_text(b, ",\"b64_json\":\"");
    add_base64(b, p, partial ? 100 + index : index);
    sim_body_add_text(b, "\"}\n\n");
}

static void answer_events(struct sim_request *r, const struct openai_picture *p)
{
    struct sim_body *b = sim_body_new();

    for (int64_t i = 0; i < p->partials; i++)
        add_event(b, p, "partial_image", i, true);
    for (int64_t i = 0; i < p->count; i++)
        add_event(b, p, "completed", i, false);
    sim_body_add_text(b, "data: [DONE]\n\n");
    sim_answer_body_take(r, 200, "text/event-stream", b);
}

void openai_picture_answer(struct sim_request *r, const struct openai_picture *p)
{
    char before[64];

    if (mode_is(r, "moderated")) {
        sim_refuse(r, 400, "moderation_blocked", NULL,
                   "Your request was rejected by the safety system.");
        return;
    }
    if (!sim_charge(r, r->settings.price_image * p->count))
        return;
    if (p->stream || mode_is(r, "sse")) {
        answer_events(r, p);
    } else if (mode_is(r, "markdown") || mode_is(r, "html") || mode_is(r, "markdown_raw") ||
               mode_is(r, "html_raw")) {
        answer_text(r, p);
    } else if (mode_is(r, "data_url")) {
        snprintf(before, sizeof before, "{\"output\":\"data:%s;base64,",
                 sim_media_type(p->spec.kind));
        answer_around(r, p, before, "\"}");
    } else if (mode_is(r, "top_b64")) {
        answer_around(r, p, "{\"b64_json\":\"", "\"}");
    } else if (mode_is(r, "b64") && strcmp(p->want, "url") != 0) {
        answer_b64(r, p);
    } else {
        answer_links(r, p);
    }
    r->answer.delay_ms += r->settings.image_delay_ms;
}

void openai_images_generate(struct sim_request *r)
{
    struct openai_picture p;

    if (r->multipart) {
        sim_refuse(r, 415, "unsupported_content_type", NULL,
                   "This address takes application/json.");
        return;
    }
    if (openai_picture_read(r, &p))
        openai_picture_answer(r, &p);
}
