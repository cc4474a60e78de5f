/*
 * Finding the route of a request, and running it.
 *
 * Providers' routes start with a version segment ("/v1/..."). A base path in front of it is
 * accepted ("/relay/v1/..."), a doubled version ("/v1/v1/...") is not: that is a client's mistake
 * which real servers answer with 404.
 */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <microhttpd.h>

static const struct sim_provider *const providers[] = {&sim_control, &sim_media_provider,
                                                       &sim_libtv, &sim_nexu, &sim_openai,
                                                       &sim_plume, &sim_chatart};
#define PROVIDERS (sizeof providers / sizeof providers[0])

/* Compares segment by segment; {name} takes one non-empty segment, a last * all the rest. */
static bool pattern_matches(const char *pattern, const char *path,
                            char args[SIM_ARGS_MAX][SIM_ID_MAX])
{
    size_t n = 0;

    memset(args, 0, SIM_ARGS_MAX * sizeof args[0]);
    while (*pattern) {
        if (*pattern == '*' && pattern[1] == '\0')
            return *path != '\0';
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t len = strcspn(path, "/");
        if (len == 0 || len >= SIM_ID_MAX || n == SIM_ARGS_MAX)
            return false;
        memcpy(args[n], path, len);
        args[n++][len] = '\0';
        path += len;
        pattern += strcspn(pattern, "}") + 1;
    }
    return *path == '\0';
}

static bool find_among(struct sim_request *r, const char *path)
{
    for (size_t p = 0; p < PROVIDERS; p++) {
        for (size_t i = 0; i < providers[p]->route_count; i++) {
            const struct sim_route *route = &providers[p]->routes[i];
            if (strcmp(route->method, r->method) == 0 &&
                pattern_matches(route->pattern, path, r->args)) {
                r->provider = providers[p];
                r->route = route;
                return true;
            }
        }
    }
    return false;
}

/* Where the first version segment ("/v1/", "/v2/") starts; the path itself without one. */
static const char *versioned_part(const char *path)
{
    for (const char *p = path; (p = strstr(p, "/v")) != NULL; p++) {
        if (p[2] >= '1' && p[2] <= '9' && p[3] == '/')
            return p;
    }
    return path;
}

void sim_route_find(struct sim_request *r)
{
    /* A base that ends in a slash, met by a path that begins with one. */
    if (!find_among(r, r->path + (strncmp(r->path, "//", 2) == 0)))
        (void)find_among(r, versioned_part(r->path));
}

void sim_refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                const char *format, ...)
{
    char message[1024];
    const struct sim_provider *p = r->provider ? r->provider : &sim_openai;
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    /* A quoted piece of the request may be cut inside a character, or be no text at all. */
    json_t *check = json_string(message);
    for (char *c = message; !check && *c; c++) {
        if (*c & 0x80)
            *c = '?';
    }
    json_decref(check);
    p->refuse(r, status, code, param, message);
}

/* "sim-image@image_mode=url": the settings after @ are for this request only. */
static bool model_settings(struct sim_request *r)
{
    char number[32], err[256];
    const char *model = sim_request_field(r, "model", number, sizeof number);
    const char *at = model ? strchr(model, '@') : NULL;

    r->model[0] = '\0';
    if (!model)
        return true;
    size_t len = at ? (size_t)(at - model) : strlen(model);
    len = len < sizeof r->model ? len : 0;
    memcpy(r->model, model, len);
    r->model[len] = '\0';
    if (at && sim_settings_apply_text(&r->settings, at + 1, err, sizeof err) != 0) {
        sim_refuse(r, 400, "bad_settings", "model", "%s", err);
        return false;
    }
    return true;
}

void sim_route_run(struct sim_request *r)
{
    if (!r->route) {
        sim_refuse(r, 404, "unknown_url", NULL, "Invalid URL (%s %.200s)", r->method, r->path);
        return;
    }
    r->settings = r->sim->settings;
    if (!(r->route->flags & SIM_OPEN)) {
        r->account = r->provider->authorise(r);
        if (!r->account)
            return;
        sim_account_settings(r->account, &r->settings);
    }
    if (r->body_broken) {
        sim_refuse(r, 400, "bad_body", NULL, "We could not parse the body of your request.");
        return;
    }
    if (!(r->route->flags & SIM_UNTRACKED) && !model_settings(r))
        return;
    r->route->handle(r);
}
