/*
 * Provider "libtv" and its gateway "nexu": the path tables, the key checks, the error shapes, the
 * key's status, projects, uploads, and the hosts from which results and uploads are fetched.
 */
#include "sim_libtv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECT_PREFIX  "sk-libtv-"
#define GATEWAY_PREFIX "mgk_"

bool libtv_is_gateway(const struct sim_request *r)
{
    return strcmp(r->provider->name, "nexu") == 0;
}

void libtv_answer_take(struct sim_request *r, json_t *data)
{
    if (!libtv_is_gateway(r))
        data = json_pack("{s:i,s:s,s:o}", "code", 0, "message", "success", "data", data);
    sim_answer_json_take(r, 200, data);
}

void libtv_uuid(struct sim *sim, bool dashes, char ret[SIM_ID_MAX])
{
    uint64_t a = sim_hash_mix(++sim->ids, 1), b = sim_hash_mix(sim->ids, 2);
    const char *format = dashes ? "%08x-%04x-4%03x-8%03x-%04x%08x" : "%08x%04x4%03x8%03x%04x%08x";

    snprintf(ret, SIM_ID_MAX, format, (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff,
             (unsigned)a & 0xfff, (unsigned)(b >> 52), (unsigned)(b >> 32) & 0xffff, (unsigned)b);
}

struct libtv_owner *libtv_owner_of(struct sim_request *r)
{
    struct libtv_owner *o;

    if (!r->sim->libtv)
        r->sim->libtv = sim_alloc(sizeof *r->sim->libtv);
    for (o = r->sim->libtv->owners; o; o = o->next) {
        if (o->account == r->account)
            return o;
    }
    o = sim_alloc(sizeof *o);
    o->account = r->account;
    libtv_uuid(r->sim, false, o->project);
    o->next = r->sim->libtv->owners;
    r->sim->libtv->owners = o;
    return o;
}

void sim_libtv_reset(struct sim *sim)
{
    if (!sim->libtv)
        return;
    for (struct libtv_session *s = sim->libtv->sessions, *next; s; s = next) {
        next = s->next;
        for (struct libtv_generation *g = s->generations, *after; g; g = after) {
            after = g->next;
            free(g->text);
            free(g);
        }
        json_decref(s->messages);
        json_decref(s->urls);
        free(s);
    }
    for (struct libtv_owner *o = sim->libtv->owners, *next; o; o = next) {
        next = o->next;
        free(o);
    }
    free(sim->libtv);
    sim->libtv = NULL;
}

/* ---- errors and keys ---- */

static void refuse_direct(struct sim_request *r, unsigned status, const char *code,
                          const char *param, const char *message)
{
    (void)param;
    if (strcmp(code, "insufficient_quota") == 0)
        message = "积分不足";
    sim_answer_json_take(
        r, status, json_pack("{s:i,s:s,s:n}", "code", (int)status, "message", message, "data"));
}

static void refuse_gateway(struct sim_request *r, unsigned status, const char *code,
                           const char *param, const char *message)
{
    json_t *details = NULL;

    (void)param;
    if (strcmp(code, "insufficient_quota") == 0) {
        int64_t used, left;
        sim_account_uses(r->account, &used, &left);
        status = 403;
        code = "quota_exceeded";
        message = "Free trial uses exhausted";
        details = json_pack("{s:I,s:I}", "used_count", (json_int_t)used, "max_uses",
                            (json_int_t)(used + left));
    }
    sim_answer_json_take(r, status,
                         json_pack("{s:{s:s,s:s,s:o*}}", "error", "code", code, "user_message",
                                   message, "details", details));
}

static struct sim_account *by_key(struct sim_request *r, const char *key, const char *prefix)
{
    if (!key || strncmp(key, prefix, strlen(prefix)) != 0 || strlen(key) >= SIM_KEY_MAX)
        return NULL;
    return sim_account_by_key(r->sim, key);
}

static struct sim_account *authorise_direct(struct sim_request *r)
{
    const char *value = sim_request_header(r, "Authorization");
    struct sim_account *a = NULL;

    if (sim_request_header(r, "X-API-KEY")) {
        sim_refuse(r, 400, "two_credentials", NULL, "X-API-KEY has no business here.");
        return NULL;
    }
    if (value && strncasecmp(value, "Bearer ", 7) == 0)
        a = by_key(r, value + 7, DIRECT_PREFIX);
    if (!a)
        sim_refuse(r, 401, "invalid_key", NULL, "accessKey 不存在或无效");
    return a;
}

static struct sim_account *authorise_gateway(struct sim_request *r)
{
    struct sim_account *a;

    if (sim_request_header(r, "Authorization")) {
        sim_refuse(r, 400, "two_credentials", NULL, "Authorization has no business here.");
        return NULL;
    }
    a = by_key(r, sim_request_header(r, "X-API-KEY"), GATEWAY_PREFIX);
    if (!a)
        sim_refuse(r, 401, "invalid_api_key", NULL, "Invalid API Key");
    return a;
}

/* ---- the small routes ---- */

static void get_key_status(struct sim_request *r)
{
    int64_t used, left;

    sim_account_uses(r->account, &used, &left);
    json_t *o = json_pack("{s:I,s:I}", "remaining_uses", (json_int_t)left, "max_uses",
                          (json_int_t)(used + left));
    if (r->settings.libtv_expires[0])
        json_object_set_new(o, "expires_at", json_string(r->settings.libtv_expires));
    sim_answer_json_take(r, 200, o);
}

static void change_project(struct sim_request *r)
{
    struct libtv_owner *o = libtv_owner_of(r);
    libtv_uuid(r->sim, false, o->project);
    libtv_answer_take(r, json_pack("{s:s}", "projectUuid", o->project));
}

static const char *extension_of(const char *type)
{
    const char *slash = strchr(type, '/');
    if (strcmp(type, "image/jpeg") == 0)
        return "jpg";
    return slash ? slash + 1 : "bin";
}

/* The key may also come as a part of the form, but only the same one. */
static bool part_key_agrees(struct sim_request *r)
{
    const char *part = json_string_value(json_object_get(r->fields, "accessKey"));
    return !part || sim_account_by_key(r->sim, part) == r->account;
}

static void upload(struct sim_request *r)
{
    const struct sim_part *p = sim_request_part(r, "file");
    char url[LIBTV_URL_MAX], id[SIM_ID_MAX];
    const char *which = r->settings.libtv_uploads;
    bool plain = strcmp(r->path + strlen(r->path) - 8, "i/upload") == 0; /* /openapi/upload */

    if (!libtv_is_gateway(r) &&
        (strcmp(which, plain ? "file" : "plain") == 0 || strcmp(which, "none") == 0)) {
        sim_refuse(r, 404, "not_found", NULL, "not found");
        return;
    }
    if (!part_key_agrees(r)) {
        sim_refuse(r, 401, "invalid_key", NULL, "accessKey 不存在或无效");
    } else if (!p || p->bytes == 0) {
        sim_refuse(r, 400, "bad_request", "file", "file is missing or empty");
    } else if (p->bytes > (uint64_t)LIBTV_UPLOAD_MAX) {
        sim_refuse(r, 413, "file_too_large", "file", "File too large");
    } else if (r->settings.strict &&
               (!p->sniff.type || (strncmp(p->sniff.type, "image/", 6) != 0 &&
                                   strncmp(p->sniff.type, "video/", 6) != 0))) {
        sim_refuse(r, 415, "unsupported_type", "file", "Unsupported file type");
    } else {
        libtv_uuid(r->sim, true, id);
        snprintf(url, sizeof url, "%s/claw/%s/%s.%s", sim_origin(r), libtv_owner_of(r)->project, id,
                 p->sniff.type ? extension_of(p->sniff.type) : "bin");
        libtv_answer_take(r, json_pack("{s:s}", "url", url));
    }
}

/* ---- results and uploads, fetched without a key ---- */

static void get_result(struct sim_request *r)
{
    char url[LIBTV_URL_MAX];

    if (strcmp(r->settings.content_mode, "redirect") != 0) {
        sim_file_answer(r, r->args[0]);
        return;
    }
    snprintf(url, sizeof url, "http://localhost:%u/media/%s", (unsigned)r->sim->port, r->args[0]);
    sim_answer_body_take(r, 302, "text/plain", sim_body_new());
    sim_answer_header(r, "Location", url);
}

static void get_upload(struct sim_request *r)
{
    struct sim_media_spec spec = {.kind = SIM_PNG, .width = 64, .height = 64};
    const char *dot = strrchr(r->args[1], '.');
    struct sim_body *b = sim_body_new();

    if (dot && strcmp(dot, ".mp4") == 0) {
        spec.kind = SIM_MP4;
        spec.seconds = 1;
    }
    sim_body_add_media_take(b, sim_media_make(&spec), false);
    sim_answer_body_take(r, 200, sim_media_type(spec.kind), b);
}

static const struct sim_route direct_routes[] = {
    {"POST", "/openapi/session/change-project", 0, change_project},
    {"POST", "/openapi/session", SIM_SPENDS, libtv_session_post},
    {"GET", "/openapi/session/{id}", 0, libtv_session_get},
    {"POST", "/openapi/file/upload", 0, upload},
    {"POST", "/openapi/upload", 0, upload},
    {"GET", "/sd-gen-save-img/2026/04/{name}", SIM_OPEN, get_result},
    {"GET", "/claw/{project}/{name}", SIM_OPEN, get_upload},
};

const struct sim_provider sim_libtv = {
    .name = "libtv",
    .routes = direct_routes,
    .route_count = sizeof direct_routes / sizeof direct_routes[0],
    .authorise = authorise_direct,
    .refuse = refuse_direct,
    .pays = libtv_session_pays,
};

static const struct sim_route gateway_routes[] = {
    {"GET", "/api/v1/key/status", 0, get_key_status},
    {"GET", "/api/v1/tasks", 0, libtv_tasks},
    {"POST", "/libtv/v1/session/change-project", 0, change_project},
    {"POST", "/libtv/v1/session", SIM_SPENDS, libtv_session_post},
    {"GET", "/libtv/v1/session/{id}", 0, libtv_session_get},
    {"GET", "/libtv/v1/session/{id}/results", 0, libtv_session_results},
    {"POST", "/libtv/v1/upload", 0, upload},
};

const struct sim_provider sim_nexu = {
    .name = "nexu",
    .routes = gateway_routes,
    .route_count = sizeof gateway_routes / sizeof gateway_routes[0],
    .authorise = authorise_gateway,
    .refuse = refuse_gateway,
    .pays = libtv_session_pays,
};
