/*
 * Family A answers as relays bend them: where the finished object keeps the result's address, and
 * create calls that answer with the video itself, as chat text, link or base64.
 */
#include "sim_openai.h"

#include <stdio.h>
#include <string.h>

#define URL_MAX 512

/* Odd but met: links that are not the result in front of the one that is. */
static void add_edge(struct sim_request *r, struct sim_job *j, json_t *o, const char *url)
{
    char other[URL_MAX];

    sim_file_url(r, j->file, "?thumbnail.png", other, sizeof other);
    if (strcmp(j->settings.video_edge, "thumbnail_first") == 0) {
        json_t *more = json_pack("{s:s,s:s}", "thumbnail_url", other, "cover", other);
        json_object_update_missing(more, o);
        json_object_clear(o);
        json_object_update(o, more);
        json_decref(more);
    } else if (strcmp(j->settings.video_edge, "two_keys") == 0) {
        json_object_set_new(o, "video_url", json_string(url));
    } else if (strcmp(j->settings.video_edge, "nested_id") == 0) {
        json_object_set_new(o, "input", json_pack("{s:s,s:s}", "id", "not_the_job", "url", other));
    }
}

void openai_shape_result(struct sim_request *r, struct sim_job *j, json_t *o)
{
    char url[URL_MAX];
    const char *mode = j->settings.video_mode;

    if (strcmp(mode, "openai") == 0 || strcmp(mode, "data_wrapped") == 0)
        return;
    sim_file_url(r, j->file, "", url, sizeof url);
    if (strcmp(mode, "relative") == 0)
        snprintf(url, sizeof url, "/v1/files/%s", j->file);
    if (strcmp(mode, "nested") == 0)
        json_object_set_new(
            o, "output",
            json_pack("{s:[{s:s,s:s}]}", "videos", "type", "video/mp4", "video_url", url));
    else
        json_object_set_new(o, "url", json_string(url));
    add_edge(r, j, o, url);
}

static void answer_chat(struct sim_request *r, const char *before, const char *url,
                        const char *after)
{
    char text[URL_MAX + 64];
    snprintf(text, sizeof text, "%s%s%s", before, url, after);
    sim_answer_json_take(r, 200,
                         json_pack("{s:s,s:[{s:i,s:{s:s,s:s},s:s}]}", "object", "chat.completion",
                                   "choices", "index", 0, "message", "role", "assistant", "content",
                                   text, "finish_reason", "stop"));
}

static void answer_base64(struct sim_request *r, struct sim_job *j, const char *before,
                          const char *after)
{
    struct sim_media_spec spec;
    struct sim_body *b = sim_body_new();

    sim_body_add_text(b, before);
    if (sim_file_spec(r->sim, j->file, &spec) == 0)
        sim_body_add_media_take(b, sim_media_make(&spec), true);
    sim_body_add_text(b, after);
    sim_answer_body_take(r, 200, "application/json", b);
}

bool openai_shape_at_once(struct sim_request *r, struct sim_job *j)
{
    char url[URL_MAX];
    const char *mode = j->settings.video_mode;
    bool html = strcmp(mode, "html") == 0, markdown = strcmp(mode, "markdown") == 0;
    bool link = strcmp(mode, "data_url") == 0, b64 = strcmp(mode, "b64") == 0;

    if (strcmp(mode, "instant") == 0)
        j->duration_ms = 0; /* completed; the ordinary object says so */
    if (!html && !markdown && !link && !b64)
        return false;
    j->duration_ms = 0;
    sim_file_url(r, j->file, "", url, sizeof url);
    if (html)
        answer_chat(r, "<video controls src=\"", url, "\"></video>");
    else if (markdown)
        answer_chat(r, "![video](", url, ")");
    else if (link)
        answer_base64(r, j, "{\"output\":\"data:video/mp4;base64,", "\"}");
    else
        answer_base64(r, j, "{\"data\":[{\"b64_json\":\"", "\"}]}");
    return true;
}
