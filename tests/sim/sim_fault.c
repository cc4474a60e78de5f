/*
 * The fault list: reading it, counting calls against it, choosing the one that strikes.
 * What a fault does to an answer is sim_bend.c's.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fault_type {
    const char *name;
    bool charged;  /* by default, is the request processed first? */
    int64_t bytes; /* default of "bytes" */
    int64_t ms;    /* default of "ms" */
    int64_t status;
};

static const struct fault_type types[SIM_F_KINDS] = {
    [SIM_F_DROP_AFTER_ACCEPT] = {"drop_after_accept", true, 0, 0, 0},
    [SIM_F_RESET] = {"reset", false, 0, 0, 0},
    [SIM_F_DELAY] = {"delay", true, 0, 500, 0},
    [SIM_F_STATUS] = {"status", false, 0, 0, 503},
    [SIM_F_RATE_LIMIT] = {"rate_limit", false, 0, 0, 429},
    [SIM_F_SLOW_DRIP] = {"slow_drip", true, 64, 20, 0},
    [SIM_F_TRUNCATE] = {"truncate", true, -1, 0, 0},
    [SIM_F_WRONG_TYPE] = {"wrong_type", true, 0, 0, 0},
    [SIM_F_DUPLICATE] = {"duplicate", true, 0, 0, 0},
    [SIM_F_HUGE_BODY] = {"huge_body", true, 256 << 20, 0, 200},
    [SIM_F_MALFORMED_JSON] = {"malformed_json", true, 0, 0, 0},
    [SIM_F_WRONG_TYPES] = {"wrong_types", true, 0, 0, 0},
    [SIM_F_DEEP_NESTING] = {"deep_nesting", true, 10000, 0, 200},
    [SIM_F_ENDLESS_HEADER] = {"endless_header", true, 64 << 20, 0, 0},
    [SIM_F_REDIRECT] = {"redirect", false, 0, 0, 302},
    [SIM_F_EMPTY] = {"empty", true, 0, 0, 0},
    [SIM_F_HANG] = {"hang", false, 0, 600000, 0},
    [SIM_F_BODY] = {"body", true, 0, 0, 200},
};

const char *sim_fault_name(enum sim_fault_kind kind)
{
    return types[kind].name;
}

void sim_fault_free(struct sim_fault *f)
{
    if (!f)
        return;
    free(f->body);
    free(f);
}

static int read_kind(struct sim_fault *f, const char *name)
{
    for (int i = 0; i < SIM_F_KINDS; i++) {
        if (strcmp(types[i].name, name) == 0) {
            f->kind = (enum sim_fault_kind)i;
            f->charged = types[i].charged;
            f->bytes = types[i].bytes;
            f->ms = types[i].ms;
            f->status = types[i].status;
            return 0;
        }
    }
    return -1;
}

static int read_route(struct sim_fault *f, const char *route)
{
    const char *space = strchr(route, ' ');

    if (!space || space == route || (size_t)(space - route) >= sizeof f->method ||
        strlen(space + 1) >= sizeof f->path ||
        (space[1] != '/' && space[1] != '=' && space[1] != '*'))
        return -1;
    memcpy(f->method, route, (size_t)(space - route));
    sim_copy_text(f->path, sizeof f->path, space + 1);
    return 0;
}

/* "nth" is a number from 1, or "every". */
static int read_nth(struct sim_fault *f, const json_t *nth, const json_t *count)
{
    f->nth = 1;
    f->count = 1;
    if (json_is_string(nth) && strcmp(json_string_value(nth), "every") == 0) {
        f->nth = 0;
        f->count = -1;
    } else if (json_is_integer(nth) && json_integer_value(nth) > 0) {
        f->nth = json_integer_value(nth);
    } else if (nth) {
        return -1;
    }
    if (json_is_integer(count) && json_integer_value(count) > 0)
        f->count = json_integer_value(count);
    else if (count)
        return -1;
    return 0;
}

static int read_fault(struct sim_fault *f, const json_t *o, char *err, size_t err_size)
{
    const char *route = NULL, *kind = NULL, *to = "", *type = "", *body = NULL, *at = "";
    json_t *nth = NULL, *count = NULL;
    json_int_t status = -1, bytes = -1, ms = -1;
    int charged = -1;
    json_error_t why;

    f->retry_after_s = f->retry_after_ms = -1;
    json_int_t after_s = -1, after_ms = -1;
    if (json_unpack_ex((json_t *)o, &why, JSON_STRICT,
                       "{s:s,s:s,s?o,s?o,s?I,s?I,s?I,s?I,s?I,s?s,s?s,s?s,s?s,s?b}", "route", &route,
                       "kind", &kind, "nth", &nth, "count", &count, "status", &status, "bytes",
                       &bytes, "ms", &ms, "retry_after", &after_s, "retry_after_ms", &after_ms,
                       "to", &to, "content_type", &type, "body", &body, "at", &at, "charged",
                       &charged) != 0) {
        snprintf(err, err_size, "%s", why.text);
        return -1;
    }
    if (read_kind(f, kind) != 0) {
        snprintf(err, err_size, "there is no fault kind \"%.60s\"", kind);
        return -1;
    }
    if (read_route(f, route) != 0 || read_nth(f, nth, count) != 0) {
        snprintf(err, err_size,
                 "route is \"METHOD /path\" (or \"* /path\"), nth a number from 1 or "
                 "\"every\", count a number from 1");
        return -1;
    }
    if ((status >= 0 && (status < 200 || status > 599)) || strlen(to) >= sizeof f->to ||
        strlen(type) >= sizeof f->content_type || bytes < -1 || ms < -1 || ms > 86400000) {
        snprintf(err, err_size, "status, bytes, ms, to or content_type is out of its bounds");
        return -1;
    }
    if (f->kind == SIM_F_REDIRECT && !*to) {
        snprintf(err, err_size, "redirect needs \"to\"");
        return -1;
    }
    f->status = status >= 0 ? status : f->status;
    f->bytes = bytes >= 0 ? bytes : f->bytes;
    f->ms = ms >= 0 ? ms : f->ms;
    f->retry_after_s = after_s;
    f->retry_after_ms = after_ms;
    if (f->kind == SIM_F_RATE_LIMIT && after_s < 0 && after_ms < 0)
        f->retry_after_s = 1;
    if (charged >= 0)
        f->charged = charged != 0;
    f->at_headers = strcmp(at, "headers") == 0;
    sim_copy_text(f->to, sizeof f->to, to);
    sim_copy_text(f->content_type, sizeof f->content_type, type);
    f->body = body ? sim_strdup(body) : NULL;
    return 0;
}

static void list_free(struct sim_fault *list)
{
    while (list) {
        struct sim_fault *next = list->next;
        sim_fault_free(list);
        list = next;
    }
}

int sim_faults_add(struct sim *sim, const json_t *list, char *err, size_t err_size)
{
    struct sim_fault *fresh = NULL, **tail = &fresh;
    size_t i;
    json_t *item;

    if (!json_is_array(list) && !json_is_object(list)) {
        snprintf(err, err_size, "faults are a JSON list, or one object");
        return -1;
    }
    size_t n = json_is_array(list) ? json_array_size(list) : 1;
    for (i = 0; i < n; i++) {
        item = json_is_array(list) ? json_array_get(list, i) : (json_t *)list;
        struct sim_fault *f = sim_alloc(sizeof *f);
        *tail = f;
        tail = &f->next;
        if (read_fault(f, item, err, err_size) != 0) {
            list_free(fresh);
            return -1;
        }
    }
    for (struct sim_fault *f = fresh; f; f = f->next)
        f->id = ++sim->fault_ids;
    for (tail = &sim->faults; *tail; tail = &(*tail)->next)
        ;
    *tail = fresh;
    return 0;
}

json_t *sim_faults_json(struct sim *sim)
{
    json_t *list = json_array();
    for (const struct sim_fault *f = sim->faults; f; f = f->next) {
        bool left = f->count < 0 || f->fired < f->count;
        json_array_append_new(
            list, json_pack("{s:I,s:o,s:s,s:I,s:I,s:I,s:I,s:b}", "id", (json_int_t)f->id, "route",
                            json_sprintf("%s %s", f->method, f->path), "kind", types[f->kind].name,
                            "nth", (json_int_t)f->nth, "count", (json_int_t)f->count, "seen",
                            (json_int_t)f->seen, "fired", (json_int_t)f->fired, "left", left));
    }
    return list;
}

void sim_faults_clear(struct sim *sim)
{
    list_free(sim->faults);
    sim->faults = NULL;
}

struct sim_fault *sim_fault_pick(struct sim *sim, const char *method, const char *path)
{
    struct sim_fault *hit = NULL;

    for (struct sim_fault *f = sim->faults; f; f = f->next) {
        if ((strcmp(f->method, "*") != 0 && strcmp(f->method, method) != 0) ||
            !sim_path_matches(f->path, path))
            continue;
        f->seen++;
        if (!hit && (f->nth == 0 || f->seen >= f->nth) && (f->count < 0 || f->fired < f->count))
            hit = f;
    }
    if (!hit)
        return NULL;
    hit->fired++;
    struct sim_fault *copy = sim_alloc(sizeof *copy);
    *copy = *hit;
    copy->next = NULL;
    copy->body = hit->body ? sim_strdup(hit->body) : NULL;
    return copy;
}
