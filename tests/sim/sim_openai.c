/*
 * Provider "openai": everything that calls itself OpenAI-compatible. This file has the path table,
 * the key check, the error shape and the list of models.
 */
#include "sim_openai.h"

#include <string.h>

static const char *error_type(unsigned status, const char *code)
{
    if (strcmp(code, "insufficient_quota") == 0)
        return "insufficient_quota";
    if (status == 429)
        return "rate_limit_error";
    if (status == 401 || status == 403)
        return "authentication_error";
    return status >= 500 ? "server_error" : "invalid_request_error";
}

void openai_refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                   const char *message)
{
    sim_answer_json_take(r, status,
                         json_pack("{s:{s:s,s:s,s:s?,s:s}}", "error", "message", message, "type",
                                   error_type(status, code), "param", param, "code", code));
    sim_answer_header(r, "x-request-id", "req_sim");
}

static struct sim_account *authorise(struct sim_request *r)
{
    const char *value = sim_request_header(r, "Authorization");
    struct sim_account *a = NULL;

    if (!value || strncasecmp(value, "Bearer ", 7) != 0) {
        openai_refuse(r, 401, "missing_api_key", NULL,
                      "You didn't provide an API key. Send it in an Authorization header using "
                      "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).");
        return NULL;
    }
    if (strlen(value + 7) < SIM_KEY_MAX)
        a = sim_account_by_key(r->sim, value + 7);
    if (!a)
        openai_refuse(r, 401, "invalid_api_key", NULL, "Incorrect API key provided.");
    return a;
}

static void get_models(struct sim_request *r)
{
    static const char *const names[] = {"gpt-image-2", "gpt-image-1.5", "gpt-image-1", "dall-e-3",
                                        "sora-2",      "sora-2-pro",    "sim-image",   "sim-video"};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:i,s:s}", "id", names[i], "object", "model",
                                        "created", 1782893564, "owned_by", "clawmedia-sim"));
    sim_answer_json_take(r, 200, json_pack("{s:s,s:o}", "object", "list", "data", list));
}

/* Family A: /v1/videos. B: /v1/video/generations. C: one address for all. Literal paths come before
 * patterns that would take them for an id. */
static const struct sim_route routes[] = {
    {"GET", "/v1/models", 0, get_models},
    {"POST", "/v1/images/generations", SIM_SPENDS, openai_images_generate},
    {"POST", "/v1/images/edits", SIM_SPENDS, openai_images_edit},
    {"POST", "/v1/video/generations", SIM_SPENDS, openai_relay_create},
    {"GET", "/v1/video/generations/{id}", 0, openai_relay_get},
    {"POST", "/v1/videos/generations", SIM_SPENDS, openai_relay_create},
    {"GET", "/v1/videos/generations/{id}", 0, openai_relay_get},
    {"GET", "/v1/videos/generations", 0, openai_relay_get},
    {"POST", "/v2/video/generations", SIM_SPENDS, openai_relay_create},
    {"GET", "/v2/video/generations/{id}", 0, openai_relay_get},
    {"GET", "/v2/video/generations", 0, openai_relay_get},
    {"GET", "/v1/status/{id}", 0, openai_status_get},
    {"POST", "/v1/videos", SIM_SPENDS, openai_video_create},
    {"GET", "/v1/videos", 0, openai_video_list},
    {"GET", "/v1/videos/{id}", 0, openai_video_get},
    {"DELETE", "/v1/videos/{id}", 0, openai_video_delete},
    {"GET", "/v1/videos/{id}/content", 0, openai_video_content},
    {"POST", "/v1/videos/{id}/remix", SIM_SPENDS, openai_video_remix},
};

const struct sim_provider sim_openai = {
    .name = "openai",
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .authorise = authorise,
    .refuse = openai_refuse,
};
