/*
 * What LibTV's agent says, by the setting libtv_mode. Every message is made once, when somebody
 * looks after its time has come, and keeps its place and number from then on.
 */
#include "sim_libtv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX   2048
#define IMAGE_SIDE 96

static bool mode_is(const struct libtv_generation *g, const char *word)
{
    return strcmp(g->job->settings.libtv_mode, word) == 0;
}

static json_t *say(struct sim_request *r, struct libtv_session *s, const char *role,
                   const char *content)
{
    char id[SIM_ID_MAX];
    json_t *m = json_object();

    snprintf(id, sizeof id, "m-%lld", (long long)++s->seq);
    json_object_set_new(m, "id", json_string(id));
    if (r->settings.libtv_seq)
        json_object_set_new(m, "seq", json_integer(s->seq));
    json_object_set_new(m, "role", json_string(role));
    json_object_set_new(m, "content", content ? json_string(content) : json_null());
    json_array_append_new(s->messages, m);
    return m;
}

/* The agent speaks and calls a tool; the tool's answer belongs to its generation's newest call. */
static void say_calling(struct sim_request *r, struct libtv_session *s, const char *content)
{
    char call[SIM_ID_MAX];

    snprintf(call, sizeof call, "call-%lld", (long long)s->seq + 1);
    json_t *m = say(r, s, "assistant", content);
    json_object_set_new(m, "toolCalls", json_pack("[{s:s}]", "id", call));
    if (s->speaking)
        memcpy(s->speaking->call, call, sizeof call);
}

static void say_tool_take(struct sim_request *r, struct libtv_session *s, json_t *content)
{
    const char *call = s->speaking && s->speaking->call[0] ? s->speaking->call : NULL;
    char *text = json_dumps(content, JSON_COMPACT | JSON_PRESERVE_ORDER);
    size_t i = json_array_size(s->messages);

    while (i > 0 && !call)
        call = json_string_value(json_object_get(
            json_array_get(json_object_get(json_array_get(s->messages, --i), "toolCalls"), 0),
            "id"));
    json_t *m = say(r, s, "tool", text);
    if (call)
        json_object_set_new(m, "toolCallId", json_string(call));
    free(text);
    json_decref(content);
}

/* Makes a result file and writes its address. */
static void make_result(struct sim_request *r, const struct sim_job *j, bool image,
                        const char *suffix, char url[LIBTV_URL_MAX])
{
    struct sim_media_spec spec = {.kind = image ? SIM_PNG : SIM_MP4, .width = 64, .height = 36};
    char stem[SIM_ID_MAX], name[SIM_ID_MAX];

    snprintf(stem, sizeof stem, "%.40s%.16s", j->id, suffix);
    if (image)
        spec.width = spec.height = IMAGE_SIDE;
    else if (j->settings.video_size[0])
        (void)sim_parse_size(j->settings.video_size, SIM_SIDE_MAX, &spec.width, &spec.height);
    spec.seconds = j->settings.video_seconds ? (int)j->settings.video_seconds : 1;
    spec.bytes = image ? (uint64_t)j->settings.image_bytes : (uint64_t)j->settings.video_bytes;
    spec.seed = sim_hash_text(j->prompt) + sim_hash_text(suffix);
    sim_file_new(r->sim, &spec, stem, name);
    snprintf(url, LIBTV_URL_MAX, "%s/sd-gen-save-img/2026/04/%s", sim_origin(r), name);
}

static json_t *success(json_t *images, json_t *videos)
{
    return json_pack("{s:{s:s,s:o,s:o}}", "task_result", "status", "success", "images",
                     images ? images : json_null(), "videos", videos ? videos : json_null());
}

/* A tool's answer with so many results; adds their addresses to the session's. */
static void tool_results(struct sim_request *r, struct libtv_session *s, struct libtv_generation *g,
                         bool image, int64_t from, int64_t to)
{
    json_t *images = NULL, *videos = NULL;
    char url[LIBTV_URL_MAX], full[LIBTV_URL_MAX], suffix[32];

    if (image || mode_is(g, "mixed")) {
        make_result(r, g->job, true, "-still", url);
        images = json_pack("[{s:s}]", "previewPath", url);
        json_array_append_new(s->urls, json_string(url));
    }
    if (!image)
        videos = json_array();
    for (int64_t i = from; !image && i < to; i++) {
        snprintf(suffix, sizeof suffix, "-%lld_full", (long long)i + 1);
        make_result(r, g->job, false, suffix, full);
        snprintf(suffix, sizeof suffix, "-%lld", (long long)i + 1);
        make_result(r, g->job, false, suffix, url);
        json_array_append_new(videos, json_pack("{s:s,s:s}", "previewPath", url, "url", full));
        json_array_append_new(s->urls, json_string(url));
    }
    say_tool_take(r, s, success(images, videos));
}

static const char *newest_url(const struct libtv_session *s)
{
    const char *url = json_string_value(json_array_get(s->urls, json_array_size(s->urls) - 1));
    return url ? url : "";
}

/* ---- the beginning ---- */

void libtv_script_history(struct sim_request *r, struct libtv_session *s)
{
    struct sim_job old = {.id = "old", .prompt = (char *)"an older wish", .settings = r->settings};
    char url[LIBTV_URL_MAX], text[TEXT_MAX];

    snprintf(old.id, sizeof old.id, "old_%.36s", s->id);
    say(r, s, "user", "an older wish, video ratio 16:9");
    say_calling(r, s, "Working on it.");
    make_result(r, &old, false, "-1", url);
    json_array_append_new(s->urls, json_string(url));
    say_tool_take(r, s, success(NULL, json_pack("[{s:s}]", "previewPath", url)));
    snprintf(text, sizeof text, "Finished: %s (6 s)", url);
    say(r, s, "assistant", text);
}

/* The agent repeats the addresses it was given. */
static void echo_uploads(struct sim_request *r, struct libtv_session *s, const char *text)
{
    char line[TEXT_MAX];

    for (const char *at = text; (at = strstr(at, "http")) != NULL; at++) {
        size_t len = strcspn(at, " ,\n");
        if (len < LIBTV_URL_MAX && memmem(at, len, "/claw/", 6)) {
            snprintf(line, sizeof line, "I will use your reference %.*s for this.", (int)len, at);
            say(r, s, "assistant", line);
        }
    }
}

/* Everything a reader has to put up with. */
static void say_oddities(struct sim_request *r, struct libtv_session *s)
{
    say(r, s, "assistant", NULL);
    json_object_del(say(r, s, "assistant", ""), "content");
    say(r, s, "tool", "not JSON at all");
    say(r, s, "tool", "[1,2]");
    say(r, s, "tool", "{\"task_result\":{\"images\":17,\"videos\":[null,{\"previewPath\":5}]}}");
    say(r, s, "observer", "https://libtv-res.liblib.art/claw/not/a-result.mp4");
    json_array_append_new(s->messages, json_string("not even an object"));
    s->seq++;
}

void libtv_script_begin(struct sim_request *r, struct libtv_session *s, struct libtv_generation *g)
{
    s->speaking = g;
    say(r, s, "user", g->text);
    if (mode_is(g, "echo"))
        echo_uploads(r, s, g->text);
    if (mode_is(g, "odd"))
        say_oddities(r, s);
    if (!mode_is(g, "tool") && !mode_is(g, "said"))
        say_calling(r, s, "Working on it.");
    if (mode_is(g, "retry")) {
        say_tool_take(r, s, json_pack("{s:s}", "error", "model busy"));
        say_calling(r, s, "That did not work, I try again.");
    }
}

/* ---- the end ---- */

static void end_failed(struct sim_request *r, struct libtv_session *s, struct libtv_generation *g)
{
    const char *why = g->job->error_text[0] ? g->job->error_text : "content rejected";

    if (mode_is(g, "said")) {
        say(r, s, "assistant", "视频生成失败：内容未通过审核。");
        return;
    }
    if (mode_is(g, "error"))
        say_tool_take(r, s, json_pack("{s:s}", "error", "model busy"));
    else if (mode_is(g, "is_error"))
        say_tool_take(r, s,
                      json_pack("{s:b,s:[{s:s,s:s}]}", "isError", 1, "content", "type", "text",
                                "text", "insufficient membership"));
    else
        say_tool_take(r, s,
                      json_pack("{s:{s:s,s:s,s:n,s:n}}", "task_result", "status", "failed", "error",
                                why, "images", "videos"));
    if (!mode_is(g, "error")) /* that one ends without another word */
        say(r, s, "assistant", "I am sorry, this could not be made.");
}

static void say_foreign(struct sim_request *r, struct libtv_session *s)
{
    say_tool_take(r, s,
                  success(NULL, json_pack("[{s:s}]", "previewPath",
                                          "https://media.example.com/sd-gen-save-img/x.mp4")));
    say_calling(r, s, "Here: https://medeo-res.liblib.art/sd-gen-save-img/2026/04/x.mp4");
}

static void end_done(struct sim_request *r, struct libtv_session *s, struct libtv_generation *g)
{
    char text[TEXT_MAX], url[LIBTV_URL_MAX];
    int64_t count = g->job->settings.libtv_count;

    if (mode_is(g, "foreign") || mode_is(g, "foreign_only"))
        say_foreign(r, s);
    if (mode_is(g, "foreign_only")) {
        say(r, s, "assistant", "Done.");
        return;
    }
    if (mode_is(g, "assistant") || mode_is(g, "punctuated")) {
        make_result(r, g->job, false, "-1", url);
        json_array_append_new(s->urls, json_string(url));
    } else {
        tool_results(r, s, g, mode_is(g, "image"), g->clips, count);
    }
    if (mode_is(g, "tool"))
        return;
    if (mode_is(g, "punctuated"))
        snprintf(text, sizeof text, "视频做好了：%s。", newest_url(s));
    else
        snprintf(text, sizeof text, "Finished: %s (6 s)", newest_url(s));
    say(r, s, "assistant", text);
}

/* Clips before the last: one every libtv_gap_ms. */
static void show_clips(struct sim_request *r, struct libtv_session *s, struct libtv_generation *g)
{
    const struct sim_settings *set = &g->job->settings;

    while (g->clips + 1 < set->libtv_count &&
           sim_now_ms() - g->job->created_ms >= set->libtv_gap_ms * (g->clips + 1)) {
        tool_results(r, s, g, false, g->clips, g->clips + 1);
        say_calling(r, s, "One clip is there, the next is being made.");
        g->clips++;
    }
}

void libtv_script_look(struct sim_request *r, struct libtv_session *s, struct libtv_generation *g)
{
    static const char *const failing[] = {"error", "is_error", "task_failed", "said"};
    int percent;
    enum sim_job_state state = sim_job_look(g->job, &percent);

    if (g->ended || mode_is(g, "never"))
        return;
    s->speaking = g;
    if (mode_is(g, "steps"))
        show_clips(r, s, g);
    if (state < SIM_DONE)
        return;
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        if (mode_is(g, failing[i]))
            state = SIM_FAILED;
    }
    g->ended = true;
    if (state == SIM_FAILED)
        end_failed(r, s, g);
    else
        end_done(r, s, g);
}
