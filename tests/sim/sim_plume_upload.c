/*
 * POST /api/open/upload: one part "file", stored on the media host. The bytes are measured and
 * hashed, not kept: what is served under the new address is a picture of the same size.
 */
#include "sim_plume.h"

#include <stdio.h>
#include <string.h>

static bool check_part(struct sim_request *r, const struct sim_part *p)
{
    const char *why = NULL;

    if (!p)
        why = "is required";
    else if (p->bytes > PLUME_BYTES_MAX)
        why = "exceeds 20 MB";
    else if (!p->sniff.type || strncmp(p->sniff.type, "image/", 6) != 0)
        why = "unsupported format";
    else if (r->settings.strict && strcmp(p->sniff.type, p->content_type) != 0)
        why = "corrupted";
    if (why)
        sim_refuse(r, 400, "VALIDATION_ERROR", "file", "%s", why);
    return !why;
}

void plume_upload(struct sim_request *r)
{
    const struct sim_part *p = sim_request_part(r, "file");
    struct sim_media_spec spec = {.kind = SIM_PNG, .width = 64, .height = 64};
    char stem[SIM_ID_MAX], name[SIM_ID_MAX], path[160], url[PLUME_URL_MAX];

    if (!check_part(r, p))
        return;
    if (p->sniff.width > 0 && p->sniff.width <= SIM_SIDE_MAX && p->sniff.height > 0 &&
        p->sniff.height <= SIM_SIDE_MAX) {
        spec.width = p->sniff.width;
        spec.height = p->sniff.height;
    }
    if (strcmp(p->sniff.type, "image/jpeg") == 0)
        spec.kind = SIM_JPEG;
    spec.seed = sim_hash_text(p->sha256);
    snprintf(stem, sizeof stem, "plume-up-%06llx", (unsigned long long)++r->sim->ids);
    sim_file_new(r->sim, &spec, stem, name);
    snprintf(path, sizeof path, "/open/u_77/2026/03/%s", name + strlen("plume-up-"));
    plume_url(r, path, url, sizeof url);
    plume_answer_take(r, 201, "CREATED",
                      json_pack("{s:s,s:s,s:I,s:i,s:i}", "file_key", path + 1, "file_url", url,
                                "file_size", (json_int_t)p->bytes, "width", p->sniff.width,
                                "height", p->sniff.height));
}
