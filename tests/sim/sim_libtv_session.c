/*
 * LibTV's sessions: a message in, the list of messages out, the results of a session, the list of
 * tasks. What the agent says is in sim_libtv_script.c.
 */
#include "sim_libtv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANVAS "https://www.liblib.tv/canvas?projectId="

static const char *message_of(const struct sim_request *r)
{
    const char *text = json_string_value(json_object_get(r->fields, "message"));
    return text && *text ? text : NULL;
}

/* Only a message makes something. */
bool libtv_session_pays(const struct sim_request *r)
{
    return json_is_object(r->fields) && message_of(r);
}

static struct libtv_session *session_new(struct sim_request *r)
{
    struct libtv_owner *owner = libtv_owner_of(r);
    const char *mode = r->settings.libtv_session;

    if (strcmp(mode, "default") == 0 && owner->usual)
        return owner->usual;
    struct libtv_session *s = sim_alloc(sizeof *s);
    libtv_uuid(r->sim, true, s->id);
    sim_copy_text(s->project, sizeof s->project, owner->project);
    s->owner = owner;
    s->messages = json_array();
    s->urls = json_array();
    s->next = r->sim->libtv->sessions;
    r->sim->libtv->sessions = s;
    if (strcmp(mode, "default") == 0)
        owner->usual = s;
    if (strcmp(mode, "history") == 0)
        libtv_script_history(r, s);
    return s;
}

static struct libtv_session *session_find(struct sim_request *r, const char *id)
{
    struct libtv_owner *owner = libtv_owner_of(r);

    for (struct libtv_session *s = r->sim->libtv->sessions; s; s = s->next) {
        if (s->owner == owner && strcmp(s->id, id) == 0)
            return s;
    }
    sim_refuse(r, 404, "not_found", NULL, libtv_is_gateway(r) ? "not found" : "会话不存在或无效");
    return NULL;
}

static void generation_new(struct sim_request *r, struct libtv_session *s, const char *text)
{
    struct libtv_generation *g = sim_alloc(sizeof *g), **tail = &s->generations;

    g->job = sim_job_new(r, "libtv", "gen_");
    free(g->job->prompt);
    g->job->prompt = sim_strdup(text);
    g->text = sim_strdup(text);
    while (*tail)
        tail = &(*tail)->next;
    *tail = g;
    libtv_script_begin(r, s, g);
}

void libtv_session_post(struct sim_request *r)
{
    const char *id = json_string_value(json_object_get(r->fields, "sessionId"));
    const char *text = message_of(r);
    char url[LIBTV_URL_MAX];

    if (!json_is_object(r->fields)) {
        sim_refuse(r, 400, "bad_request", NULL, "the body is no object");
        return;
    }
    struct libtv_session *s = id && *id ? session_find(r, id) : session_new(r);
    if (!s || (text && !sim_charge(r, r->settings.price_libtv)))
        return;
    if (text)
        generation_new(r, s, text);
    snprintf(url, sizeof url, CANVAS "%s", s->project);
    libtv_answer_take(r, json_pack("{s:s,s:s,s:s}", "projectUuid", s->project, "sessionId", s->id,
                                   "projectUrl", url));
    r->answer.delay_ms += r->settings.video_delay_ms;
}

static void look(struct sim_request *r, struct libtv_session *s)
{
    for (struct libtv_generation *g = s->generations; g; g = g->next) {
        g->job->polls += !g->ended;
        libtv_script_look(r, s, g);
        sim_copy_text(r->job, sizeof r->job, g->job->id);
    }
}

void libtv_session_get(struct sim_request *r)
{
    struct libtv_session *s = session_find(r, r->args[0]);
    const char *after = sim_request_query(r, "afterSeq");
    json_t *list, *m;
    int64_t seq = 0;
    size_t i;

    if (!s)
        return;
    if (after && sim_parse_int(after, 0, INT64_MAX, &seq) != 0) {
        sim_refuse(r, 400, "bad_request", "afterSeq", "afterSeq is no number");
        return;
    }
    look(r, s);
    list = json_array();
    json_array_foreach(s->messages, i, m)
    {
        if ((int64_t)i + 1 > seq)
            json_array_append(list, m);
    }
    if (libtv_is_gateway(r) && json_array_size(list) == 0) {
        json_decref(list);
        list = json_null();
    }
    libtv_answer_take(r, json_pack("{s:o}", "messages", list));
}

void libtv_session_results(struct sim_request *r)
{
    struct libtv_session *s = session_find(r, r->args[0]);

    if (!s)
        return;
    look(r, s);
    sim_answer_json_take(r, 200, json_pack("{s:O}", "urls", s->urls));
}

static json_t *time_json(int64_t at_s)
{
    char text[32];
    time_t t = (time_t)at_s;
    struct tm tm;

    if (!at_s || !gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return json_null();
    return json_string(text);
}

static json_t *task_json(struct sim_request *r, struct libtv_session *s, struct libtv_generation *g)
{
    static const char *const words[] = {"pending", "rendering", "completed", "failed"};
    int percent;
    enum sim_job_state state = sim_job_look(g->job, &percent);
    const char *id = strcmp(r->settings.libtv_tasks, "task") == 0 ? g->job->id : s->id;
    const json_t *url = json_array_get(s->urls, json_array_size(s->urls) - 1);

    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:s?,s:s?}", "id", id, "status", words[state], "backend",
                     "libtv", "created_at", time_json(g->job->created_s), "completed_at",
                     time_json(g->job->ended_s), "video_url",
                     state == SIM_DONE ? json_string_value(url) : NULL, "error_message",
                     state == SIM_FAILED ? g->job->error_text : NULL);
}

void libtv_tasks(struct sim_request *r)
{
    struct libtv_owner *owner = libtv_owner_of(r);
    json_t *list = json_array();

    for (struct libtv_session *s = r->sim->libtv->sessions; s; s = s->next) {
        if (s->owner != owner)
            continue;
        look(r, s);
        for (struct libtv_generation *g = s->generations; g; g = g->next)
            json_array_append_new(list, task_json(r, s, g));
    }
    sim_answer_json_take(r, 200, json_pack("{s:o}", "tasks", list));
}
