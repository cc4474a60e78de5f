/*
 * Files the simulator serves: made on demand from their description, kept by name until a reset.
 * Also the open helpers under /media/: making any file by query, redirecting, swallowing uploads.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct sim_file {
    char name[SIM_ID_MAX];
    struct sim_media_spec spec;
    UT_hash_handle hh;
};

void sim_file_new(struct sim *sim, const struct sim_media_spec *spec, const char *stem,
                  char name[SIM_ID_MAX])
{
    struct sim_file *f = sim_alloc(sizeof *f), *old = NULL;

    snprintf(f->name, sizeof f->name, "%.50s.%s", stem, sim_media_extension(spec->kind));
    f->spec = *spec;
    HASH_FIND_STR(sim->files, f->name, old);
    if (old) {
        HASH_DEL(sim->files, old);
        free(old);
    }
    HASH_ADD_STR(sim->files, name, f);
    sim_copy_text(name, SIM_ID_MAX, f->name);
}

int sim_file_spec(struct sim *sim, const char *name, struct sim_media_spec *ret)
{
    struct sim_file *f = NULL;
    HASH_FIND_STR(sim->files, name, f);
    if (!f)
        return -1;
    *ret = f->spec;
    return 0;
}

static void answer_media(struct sim_request *r, const struct sim_media_spec *spec)
{
    struct sim_body *b = sim_body_new();
    sim_body_add_media_take(b, sim_media_make(spec), false);
    sim_answer_body_take(r, 200, sim_media_type(spec->kind), b);
}

void sim_file_answer(struct sim_request *r, const char *name)
{
    struct sim_file *f = NULL;
    HASH_FIND_STR(r->sim->files, name, f);
    if (f)
        answer_media(r, &f->spec);
    else
        sim_refuse(r, 404, "not_found", NULL, "No such file.");
}

const char *sim_origin(struct sim_request *r)
{
    if (r->settings.media_base[0])
        sim_copy_text(r->origin, sizeof r->origin, r->settings.media_base);
    else
        snprintf(r->origin, sizeof r->origin, "http://127.0.0.1:%u", (unsigned)r->sim->port);
    return r->origin;
}

void sim_file_url(struct sim_request *r, const char *name, const char *query, char *url,
                  size_t size)
{
    snprintf(url, size, "%s/media/%s%s", sim_origin(r), name, query);
}

void sim_files_reset(struct sim *sim)
{
    struct sim_file *f, *next;
    HASH_ITER(hh, sim->files, f, next)
    {
        HASH_DEL(sim->files, f);
        free(f);
    }
}

static void get_file(struct sim_request *r)
{
    sim_file_answer(r, r->args[0]);
}

static int kind_by_name(const char *name, enum sim_media_kind *ret)
{
    const char *dot = strrchr(name, '.');
    if (dot && strcmp(dot, ".png") == 0)
        *ret = SIM_PNG;
    else if (dot && (strcmp(dot, ".jpg") == 0 || strcmp(dot, ".jpeg") == 0))
        *ret = SIM_JPEG;
    else if (dot && strcmp(dot, ".mp4") == 0)
        *ret = SIM_MP4;
    else
        return -1;
    return 0;
}

/* GET /media/make/NAME.ext?size=WxH&bytes=N&seconds=S&prompt=TEXT */
static void get_made(struct sim_request *r)
{
    struct sim_media_spec spec = {.width = 64, .height = 64, .seconds = 1};
    const char *size = sim_request_query(r, "size"), *bytes = sim_request_query(r, "bytes");
    const char *seconds = sim_request_query(r, "seconds"), *prompt = sim_request_query(r, "prompt");
    int64_t n = 0, s = 1;

    if (kind_by_name(r->args[0], &spec.kind) != 0 ||
        (size && sim_parse_size(size, SIM_SIDE_MAX, &spec.width, &spec.height) != 0) ||
        (bytes && sim_parse_int(bytes, 0, INT64_C(64) << 30, &n) != 0) ||
        (seconds && sim_parse_int(seconds, 1, SIM_SECONDS_MAX, &s) != 0)) {
        sim_refuse(r, 400, "bad_request", NULL, "name, size, bytes or seconds is out of bounds");
        return;
    }
    spec.bytes = (uint64_t)n;
    spec.seconds = (int)s;
    spec.seed = sim_hash_text(prompt ? prompt : r->args[0]);
    answer_media(r, &spec);
}

/* GET /media/redirect?to=URL&status=302 */
static void get_redirect(struct sim_request *r)
{
    const char *to = sim_request_query(r, "to"), *text = sim_request_query(r, "status");
    int64_t status = 302;

    if (!to || (text && sim_parse_int(text, 300, 399, &status) != 0)) {
        sim_refuse(r, 400, "bad_request", NULL, "to is missing, or status is not 300 to 399");
        return;
    }
    sim_answer_body_take(r, (unsigned)status, "text/plain", sim_body_new());
    sim_answer_header(r, "Location", to);
}

/* Any upload: told how long it was, and its SHA-256 unless it was JSON or a form. */
static void swallow(struct sim_request *r)
{
    sim_answer_json_take(r, 200,
                         json_pack("{s:I,s:s,s:i}", "bytes", (json_int_t)r->body_bytes, "sha256",
                                   r->body_sha256, "parts", (int)r->part_count));
}

static void refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                   const char *message)
{
    (void)param;
    sim_answer_json_take(r, status, json_pack("{s:s,s:s}", "error", code, "message", message));
}

static const struct sim_route routes[] = {
    {"GET", "/media/redirect", SIM_OPEN, get_redirect},
    {"GET", "/media/make/{name}", SIM_OPEN, get_made},
    {"POST", "/media/sink", SIM_OPEN, swallow},
    {"PUT", "/media/sink", SIM_OPEN, swallow},
    {"GET", "/media/{name}", SIM_OPEN, get_file},
    {"GET", "/v1/files/{name}", SIM_OPEN, get_file},
};

const struct sim_provider sim_media_provider = {
    .name = "media",
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .refuse = refuse,
};
