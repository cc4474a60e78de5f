/*
 * What a Plume task shows when it has ended: the shapes in which result addresses come, the
 * reasons of failures, and the files themselves on the media host.
 */
#include "sim_plume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool shape_is(const struct sim_job *j, const char *word)
{
    return strcmp(j->settings.plume_result, word) == 0;
}

static bool is_video(const struct sim_job *j)
{
    return j->seconds > 0;
}

static void result_url(struct sim_request *r, const struct sim_job *j, const char *name, char *url)
{
    char path[160];
    snprintf(path, sizeof path, "/r/%s/%s", j->id, name);
    plume_url(r, path, url, PLUME_URL_MAX);
}

static json_t *picture_url(struct sim_request *r, const struct sim_job *j, int64_t i)
{
    char url[PLUME_URL_MAX], name[32];
    snprintf(name, sizeof name, "%lld.png", (long long)i);
    result_url(r, j, name, url);
    return json_string(url);
}

void plume_files_new(struct sim_request *r, struct sim_job *j, const struct plume_order *o)
{
    struct sim_media_spec spec = {.kind = o->video ? SIM_MP4 : SIM_PNG,
                                  .width = o->width,
                                  .height = o->height,
                                  .transparent = strcmp(o->category, "remove-bg") == 0,
                                  .seed = sim_hash_mix(sim_hash_text(j->prompt), r->sim->ids)};
    const struct sim_settings *s = &r->settings;
    char stem[SIM_ID_MAX];

    if (s->video_size[0])
        (void)sim_parse_size(s->video_size, SIM_SIDE_MAX, &spec.width, &spec.height);
    spec.bytes = (uint64_t)(o->video ? s->video_bytes : s->image_bytes);
    if (!o->video) {
        for (int64_t i = 0; i < s->plume_count; i++) {
            snprintf(stem, sizeof stem, "%.40s-%d", j->id, (int)i);
            sim_file_new(r->sim, &spec, stem, j->file);
            spec.seed = sim_hash_mix(spec.seed, 1);
        }
        return;
    }
    struct sim_media_spec poster = spec;
    poster.kind = SIM_JPEG;
    poster.bytes = 0;
    snprintf(stem, sizeof stem, "%.40s-poster", j->id);
    sim_file_new(r->sim, &poster, stem, j->file);
    spec.seconds = (int)(s->video_seconds ? s->video_seconds : o->seconds);
    snprintf(stem, sizeof stem, "%.40s-out", j->id);
    sim_file_new(r->sim, &spec, stem, j->file);
}

/* GET /pics/r/ID/NAME */
void plume_result_file(struct sim_request *r)
{
    char name[2 * SIM_ID_MAX];
    struct sim_job *j = sim_job_find(r->sim, r->args[0]);

    snprintf(name, sizeof name, "%s-%s", r->args[0], r->args[1]);
    if (j)
        j->downloads++;
    sim_file_answer(r, name);
}

/* GET /pics/open/u_77/2026/03/NAME: a picture of the size of the uploaded one. */
void plume_upload_file(struct sim_request *r)
{
    char name[SIM_ID_MAX + 16];
    snprintf(name, sizeof name, "plume-up-%s", r->args[0]);
    sim_file_answer(r, name);
}

bool plume_knows_url(struct sim_request *r, const char *url)
{
    static const char uploads[] = "/open/u_77/2026/03/";
    char base[PLUME_URL_MAX], name[SIM_ID_MAX];
    struct sim_media_spec spec;
    struct sim_settings kept = r->settings;

    r->settings.plume_query[0] = '\0';
    plume_url(r, "", base, sizeof base);
    r->settings = kept;
    if (!url || strncmp(url, base, strlen(base)) != 0)
        return false;
    const char *rest = url + strlen(base);
    if (strncmp(rest, uploads, sizeof uploads - 1) == 0) {
        snprintf(name, sizeof name, "plume-up-%.*s", (int)strcspn(rest + sizeof uploads - 1, "?"),
                 rest + sizeof uploads - 1);
    } else if (strncmp(rest, "/r/", 3) == 0 && strchr(rest + 3, '/')) {
        const char *slash = strchr(rest + 3, '/');
        snprintf(name, sizeof name, "%.*s-%.*s", (int)(slash - rest - 3), rest + 3,
                 (int)strcspn(slash + 1, "?"), slash + 1);
    } else {
        return false;
    }
    return sim_file_spec(r->sim, name, &spec) == 0;
}

static json_t *video_result(struct sim_request *r, const struct sim_job *j)
{
    char url[PLUME_URL_MAX], poster[PLUME_URL_MAX];

    result_url(r, j, "out.mp4", url);
    result_url(r, j, "poster.jpg", poster);
    if (shape_is(j, "url"))
        return json_pack("{s:s}", "url", url);
    json_t *part = json_pack("{s:s,s:I}", "videoUrl", url, "duration", (json_int_t)j->seconds);
    if (j->settings.plume_poster)
        json_object_set_new(part, "posterUrl", json_string(poster));
    if (strcmp(j->settings.plume_odd, "duration_text") == 0)
        json_object_set_new(part, "duration", json_sprintf("%llds", (long long)j->seconds));
    return json_pack("{s:[o]}", "parts", part);
}

/* {name:{...}} or {name:[...]} of all pictures. */
static json_t *pictures_list(struct sim_request *r, const struct sim_job *j, const char *list,
                             const char *member)
{
    json_t *all = json_array();
    for (int64_t i = 0; i < j->settings.plume_count; i++)
        json_array_append_new(all, member ? json_pack("{s:o}", member, picture_url(r, j, i))
                                          : picture_url(r, j, i));
    return json_pack("{s:o}", list, all);
}

static json_t *picture_result(struct sim_request *r, const struct sim_job *j)
{
    bool remove = strncmp(j->model, "remove-", 7) == 0;

    if (shape_is(j, "image_url"))
        return json_pack("{s:o}", "imageUrl", picture_url(r, j, 0));
    if (shape_is(j, "url"))
        return json_pack("{s:o}", "url", picture_url(r, j, 0));
    if (shape_is(j, "image_urls"))
        return pictures_list(r, j, "imageUrls", NULL);
    if (shape_is(j, "parts_url"))
        return pictures_list(r, j, "parts", "url");
    if (shape_is(j, "data_image_url"))
        return json_pack("{s:{s:o}}", "data", "imageUrl", picture_url(r, j, 0));
    if (shape_is(j, "data_url"))
        return json_pack("{s:{s:o}}", "data", "url", picture_url(r, j, 0));
    if (shape_is(j, "data_file") || (shape_is(j, "auto") && remove))
        return json_pack("{s:i,s:{s:o}}", "status", 200, "data", "file", picture_url(r, j, 0));
    return pictures_list(r, j, "parts", "imageUrl");
}

static json_t *reason(const struct sim_job *j)
{
    if (strcmp(j->settings.plume_end, "failed_text") == 0)
        return json_string("the executor gave up");
    if (j->error_code[0])
        return json_pack("{s:s,s:s}", "error", j->error_code, "message", j->error_text);
    return json_pack("{s:s,s:s}", "error", "content policy", "message",
                     "prompt rejected by the safety filter");
}

json_t *plume_result(struct sim_request *r, struct sim_job *j, int status)
{
    if (status == 4)
        return reason(j);
    if (status != 3 || shape_is(j, "null"))
        return json_null();
    if (shape_is(j, "words"))
        return json_string("done, see your gallery");
    if (shape_is(j, "none"))
        return json_pack("{s:[]}", "parts");
    json_t *o = is_video(j) ? video_result(r, j) : picture_result(r, j);
    if (!j->settings.plume_text)
        return o;
    char *text = json_dumps(o, JSON_COMPACT);
    json_t *wrapped = json_string(text);
    free(text);
    json_decref(o);
    return wrapped;
}
