/*
 * The log of requests, the counters, and waiting for requests.
 *
 * A request is written down when it is whole, before anything spoils its answer. The newest
 * SIM_LOG_MAX entries are kept in a ring; the counters go on. Keys are never written: the
 * account's name stands for them, and headers that carry secrets are hidden (sim_http.c).
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#define ECHO_TEXT_MAX  4096 /* longer texts in the echo of a body are shortened */
#define ECHO_DEPTH_MAX 32

struct log_entry {
    uint64_t n;
    int64_t at_ms;
    char method[16];
    char *path;
    json_t *more; /* everything that is only shown */
    unsigned status;
    bool spends;
    const char *ended;
};

struct sim_log {
    struct log_entry *ring[SIM_LOG_MAX];
    uint64_t count; /* entries ever written; entry n sits in slot (n - 1) % SIM_LOG_MAX */
    uint64_t submissions;
    uint64_t charges;
};

struct sim_log *sim_log_new(void)
{
    return sim_alloc(sizeof(struct sim_log));
}

static void entry_free(struct log_entry *e)
{
    if (!e)
        return;
    free(e->path);
    json_decref(e->more);
    free(e);
}

void sim_log_free(struct sim_log *log)
{
    for (size_t i = 0; i < SIM_LOG_MAX; i++)
        entry_free(log->ring[i]);
    free(log);
}

void sim_log_clear(struct sim *sim)
{
    /* Numbers go on, so that a request in flight does not write into another one's entry. */
    for (size_t i = 0; i < SIM_LOG_MAX; i++) {
        entry_free(sim->log->ring[i]);
        sim->log->ring[i] = NULL;
    }
    sim->log->submissions = 0;
    sim->log->charges = 0;
}

static json_t *shortened(const json_t *text)
{
    size_t len = json_string_length(text);
    char start[65];
    size_t keep = 64;

    /* Cut between characters, not inside one. */
    while (keep > 0 && ((unsigned char)json_string_value(text)[keep] & 0xc0) == 0x80)
        keep--;
    memcpy(start, json_string_value(text), keep);
    start[keep] = '\0';
    return json_sprintf("%s... (%zu bytes)", start, len);
}

static json_t *echo(const json_t *v, int depth)
{
    const char *key;
    json_t *member, *copy;
    size_t i;

    if (depth > ECHO_DEPTH_MAX)
        return json_string("(deeper than the log shows)");
    if (json_is_string(v) && json_string_length(v) > ECHO_TEXT_MAX)
        return shortened(v);
    if (json_is_object(v)) {
        copy = json_object();
        json_object_foreach((json_t *)v, key, member)
            json_object_set_new(copy, key,
                                strcmp(key, "accessKey") == 0 ? json_string("(hidden)")
                                                               : echo(member, depth + 1));
        return copy;
    }
    if (json_is_array(v)) {
        copy = json_array();
        json_array_foreach(v, i, member) json_array_append_new(copy, echo(member, depth + 1));
        return copy;
    }
    return json_copy((json_t *)v);
}

static json_t *parts_json(const struct sim_request *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->part_count; i++) {
        const struct sim_part *p = &r->parts[i];
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:s,s:I,s:s,s:s?,s:i,s:i,s:b}", "name", p->name,
                                        "filename", p->filename, "content_type", p->content_type,
                                        "bytes", (json_int_t)p->bytes, "sha256", p->sha256,
                                        "sniffed", p->sniff.type, "width", p->sniff.width, "height",
                                        p->sniff.height, "alpha", p->sniff.alpha));
    }
    return list;
}

static json_t *more_json(struct sim_request *r)
{
    char number[32];
    json_t *o = json_object();

    json_object_set_new(o, "provider", json_string(r->provider ? r->provider->name : "none"));
    json_object_set_new(o, "account",
                        json_string(r->account ? sim_account_name(r->account) : "none"));
    json_object_set_new(o, "charged", json_boolean(r->charged));
    json_object_set_new(o, "headers", sim_request_headers_json(r));
    json_object_set_new(o, "query", sim_request_query_json(r));
    json_object_set_new(o, "bytes_in", json_integer((json_int_t)r->body_bytes));
    if (r->job[0])
        json_object_set_new(o, "job", json_string(r->job));
    const char *text = sim_request_field(r, "model", number, sizeof number);
    if (text)
        json_object_set_new(o, "model", json_string(text));
    text = sim_request_field(r, "prompt", number, sizeof number);
    if (text)
        json_object_set_new(o, "prompt", json_string(text));
    if (r->fields)
        json_object_set_new(o, "fields", echo(r->fields, 0));
    if (r->multipart)
        json_object_set_new(o, "parts", parts_json(r));
    if (r->body_sha256[0])
        json_object_set_new(o, "body_sha256", json_string(r->body_sha256));
    if (r->body_broken)
        json_object_set_new(o, "body_broken", json_true());
    json_object_set_new(o, "fault",
                        r->fault ? json_string(sim_fault_name(r->fault->kind)) : json_null());
    return o;
}

static bool wait_counts(const struct sim_request *w, const char *method, const char *path,
                        bool spends)
{
    return (!w->wait_method[0] || strcmp(w->wait_method, method) == 0) &&
           sim_path_matches(w->wait_path, path) && (!w->wait_spends || spends);
}

void sim_log_add(struct sim_request *r)
{
    struct sim_log *log = r->sim->log;
    struct log_entry *e = sim_alloc(sizeof *e);
    struct log_entry **slot = &log->ring[log->count % SIM_LOG_MAX];

    e->n = ++log->count;
    e->at_ms = sim_now_ms() - r->sim->started_ms;
    sim_copy_text(e->method, sizeof e->method, r->method);
    e->path = sim_strdup(r->path);
    e->spends = r->route && (r->route->flags & SIM_SPENDS) &&
                (!r->provider->pays || r->provider->pays(r));
    e->more = more_json(r);
    e->status = r->answer.ending == SIM_SEND ? r->answer.status : 0;
    entry_free(*slot);
    *slot = e;
    r->log_n = e->n;
    log->submissions += e->spends;
    log->charges += r->charged;
    for (struct sim_request *w = r->sim->parked; w; w = w->park_next) {
        if (w->waiting && w->wait_left > 0 && wait_counts(w, e->method, e->path, e->spends) &&
            --w->wait_left == 0)
            w->due_ms = 0; /* the next turn wakes it */
    }
}

static struct log_entry *entry_at(struct sim_log *log, uint64_t n)
{
    struct log_entry *e = log->ring[(n - 1) % SIM_LOG_MAX];
    return e && e->n == n ? e : NULL;
}

void sim_log_end(struct sim_request *r, const char *how)
{
    struct log_entry *e = r->log_n ? entry_at(r->sim->log, r->log_n) : NULL;
    if (e)
        e->ended = how;
}

json_t *sim_log_totals(struct sim *sim)
{
    const struct sim_log *log = sim->log;
    return json_pack("{s:I,s:I,s:o,s:o}", "submissions", (json_int_t)log->submissions, "charges",
                     (json_int_t)log->charges, "credits", sim_accounts_json(sim, false), "polls",
                     sim_polls_json(sim));
}

static uint64_t first_kept(const struct sim_log *log)
{
    return log->count > SIM_LOG_MAX ? log->count - SIM_LOG_MAX + 1 : 1;
}

json_t *sim_log_json(struct sim_request *r)
{
    struct sim_log *log = r->sim->log;
    const char *path = sim_request_query(r, "path"), *method = sim_request_query(r, "method");
    const char *spends = sim_request_query(r, "spends"), *since = sim_request_query(r, "since");
    int64_t from = 0;
    json_t *list = json_array();

    if (since)
        (void)sim_parse_int(since, 0, INT64_MAX, &from);
    for (uint64_t n = first_kept(log); n <= log->count; n++) {
        struct log_entry *e = entry_at(log, n);
        if (!e || (int64_t)n <= from || (path && !sim_path_matches(path, e->path)) ||
            (method && strcmp(method, e->method) != 0) || (spends && *spends == '1' && !e->spends))
            continue;
        json_t *o =
            json_pack("{s:I,s:I,s:s,s:s,s:i,s:b,s:s}", "n", (json_int_t)n, "at_ms",
                      (json_int_t)e->at_ms, "method", e->method, "path", e->path, "status",
                      (int)e->status, "spends", e->spends, "ended", e->ended ? e->ended : "open");
        json_object_update(o, e->more);
        json_array_append_new(list, o);
    }
    json_t *all = sim_log_totals(r->sim);
    json_object_set_new(all, "requests", list);
    return all;
}

void sim_log_wait(struct sim_request *r)
{
    struct sim_log *log = r->sim->log;
    const char *path = sim_request_query(r, "path"), *method = sim_request_query(r, "method");
    const char *spends = sim_request_query(r, "spends"), *text;
    int64_t count = 1, timeout_ms = 10000;

    if ((text = sim_request_query(r, "count")) && sim_parse_int(text, 0, 1000000, &count) != 0)
        count = -1;
    if ((text = sim_request_query(r, "timeout_ms")) &&
        sim_parse_int(text, 0, 600000, &timeout_ms) != 0)
        timeout_ms = -1;
    if (count < 0 || timeout_ms < 0) {
        sim_refuse(r, 400, "bad_wait", NULL, "count or timeout_ms is not a number in its bounds");
        return;
    }
    sim_copy_text(r->wait_path, sizeof r->wait_path, path ? path : "/");
    sim_copy_text(r->wait_method, sizeof r->wait_method, method ? method : "");
    r->wait_spends = spends && *spends == '1';
    r->wait_left = count;
    for (uint64_t n = first_kept(log); n <= log->count && r->wait_left > 0; n++) {
        struct log_entry *e = entry_at(log, n);
        if (e && wait_counts(r, e->method, e->path, e->spends))
            r->wait_left--;
    }
    r->waiting = true;
    if (r->wait_left > 0)
        sim_park(r, sim_now_ms() + timeout_ms, true);
    else
        sim_log_wait_end(r);
}

void sim_log_wait_end(struct sim_request *r)
{
    bool there = r->wait_left <= 0;
    r->waiting = false;
    sim_answer_json_take(
        r, there ? 200 : 408,
        json_pack("{s:b,s:I}", "reached", there, "missing", (json_int_t)r->wait_left));
}
