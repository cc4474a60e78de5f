/*
 * Provider "plume": the path table, the key check, the envelope, and the two small routes.
 *
 * Every answer is {"success","code","message","data"}. The HTTP status that goes with a code is not
 * published; the setting plume_http gives each code a likely one, or 200 to all of them.
 */
#include "sim_plume.h"

#include <stdio.h>
#include <string.h>

#define CODE_BY_STATUS(number, word)                                                               \
    {                                                                                              \
        .status = number, .code = word                                                             \
    }

/* Faults and the shared parts of the simulator know a status, not Plume's codes. */
static const struct {
    unsigned status;
    const char *code;
} codes[] = {
    CODE_BY_STATUS(401, "UNAUTHORIZED"),
    CODE_BY_STATUS(402, "INSUFFICIENT_CREDITS"),
    CODE_BY_STATUS(403, "FORBIDDEN"),
    CODE_BY_STATUS(404, "NOT_FOUND"),
    CODE_BY_STATUS(409, "CONCURRENT_MODIFICATION"),
    CODE_BY_STATUS(429, "TOO_MANY_REQUESTS"),
    CODE_BY_STATUS(502, "UPLOAD_FAILED"),
};

static const char *code_of(unsigned status)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].status == status)
            return codes[i].code;
    }
    return status >= 500 ? "INTERNAL_ERROR" : "VALIDATION_ERROR";
}

static unsigned status_of(const struct sim_request *r, unsigned status)
{
    return strcmp(r->settings.plume_http, "ok") == 0 ? 200 : status;
}

/* Plume's own codes are capitals; a word of the shared parts becomes the code of the status. */
void plume_refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                  const char *message)
{
    bool own = code[0] >= 'A' && code[0] <= 'Z';
    json_t *o;

    if (strcmp(code, "insufficient_quota") == 0 && status == 429)
        status = 402;
    o = json_pack("{s:b,s:s,s:s,s:n}", "success", 0, "code", own ? code : code_of(status),
                  "message", message, "data");
    if (param)
        json_object_set_new(o, "error", json_pack("{s:{s:s}}", "details", param, message));
    if (strcmp(r->settings.plume_odd, "no_success") == 0)
        json_object_del(o, "success");
    sim_answer_json_take(r, status_of(r, status), o);
}

void plume_answer_take(struct sim_request *r, unsigned status, const char *code, json_t *data)
{
    sim_answer_json_take(
        r, status_of(r, status),
        json_pack("{s:b,s:s,s:s,s:o}", "success", 1, "code", code, "message", "ok", "data", data));
}

void plume_url(struct sim_request *r, const char *path, char *url, size_t size)
{
    if (r->settings.media_base[0])
        snprintf(url, size, "%s%s%s%s", r->settings.media_base, PLUME_MEDIA, path,
                 r->settings.plume_query);
    else
        snprintf(url, size, "http://127.0.0.1:%u%s%s%s", (unsigned)r->sim->port, PLUME_MEDIA, path,
                 r->settings.plume_query);
}

static struct sim_account *authorise(struct sim_request *r)
{
    const char *value = sim_request_header(r, "Authorization");
    struct sim_account *a = NULL;
    struct sim_settings s = r->settings;

    if (value && strncmp(value, "Bearer ", 7) == 0 && strlen(value + 7) < SIM_KEY_MAX)
        a = sim_account_by_key(r->sim, value + 7);
    if (!a) {
        plume_refuse(r, 401, "UNAUTHORIZED", NULL, "API key is missing or wrong");
        return NULL;
    }
    sim_account_settings(a, &s);
    if (strcmp(s.plume_account, "disabled") == 0) {
        plume_refuse(r, 403, "FORBIDDEN", NULL, "API key is disabled");
        return NULL;
    }
    return a;
}

static void get_validate(struct sim_request *r)
{
    plume_answer_take(r, 200, "SUCCESS", json_pack("{s:b,s:s}", "valid", 1, "user_id", "u_77"));
}

static void post_describe(struct sim_request *r)
{
    const char *url = json_string_value(json_object_get(r->fields, "image_url"));

    if (!plume_knows_url(r, url)) {
        plume_refuse(r, 400, "VALIDATION_ERROR", "image_url", "image_url is not a known picture");
        return;
    }
    plume_answer_take(r, 200, "SUCCESS",
                      json_pack("{s:s,s:s,s:i}", "description", "shapes on a coloured ground",
                                "model", "sim-vl", "tokens_used", 412));
}

/* Literal paths come before patterns that would take them for an id. */
static const struct sim_route routes[] = {
    {"POST", "/api/open/tasks", SIM_SPENDS, plume_task_create},
    {"GET", "/api/open/tasks/batch", 0, plume_task_batch},
    {"GET", "/api/open/tasks/{id}", 0, plume_task_get},
    {"POST", "/api/open/upload", 0, plume_upload},
    {"POST", "/api/open/describe", 0, post_describe},
    {"GET", "/api/open/validate", 0, get_validate},
    {"GET", PLUME_MEDIA "/r/{id}/{name}", SIM_OPEN, plume_result_file},
    {"GET", PLUME_MEDIA "/open/u_77/2026/03/{name}", SIM_OPEN, plume_upload_file},
};

const struct sim_provider sim_plume = {
    .name = "plume",
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .authorise = authorise,
    .refuse = plume_refuse,
};
