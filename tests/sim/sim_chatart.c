/*
 * Provider "chatart": its routes, the header check, the envelope, credits, and the control call
 * that plays the person in front of the login page. The rest is in sim_chatart_*.c.
 */
#include "sim_chatart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_OK 200

void chatart_origin(const struct sim_request *r, char *buf, size_t size)
{
    snprintf(buf, size, "http://127.0.0.1:%u", (unsigned)r->sim->port);
}

static json_t *code_json(const struct sim_request *r, int64_t code)
{
    if (strcmp(r->settings.chatart_code, "text") == 0)
        return json_sprintf("%lld", (long long)code);
    return json_integer(code);
}

void chatart_answer_take(struct sim_request *r, json_t *data)
{
    sim_answer_json_take(r, 200,
                         json_pack("{s:o,s:s,s:o}", "code", code_json(r, CODE_OK), "message",
                                   "success", "data", data));
}

/* The service has numbers; names come from the simulator's core. */
void chatart_refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                    const char *message)
{
    int64_t number = 4000;
    (void)param;

    if (strcmp(code, "insufficient_quota") == 0)
        number = 10058;
    else if (sim_parse_int(code, 1, 99999, &number) != 0)
        number = status == 404 ? 4004 : 4000;
    /* What the simulator's core or a fault refuses keeps its status. */
    if (number == 10058)
        status = 200;
    sim_answer_json_take(
        r, status, json_pack("{s:o,s:s}", "code", code_json(r, number), "message", message));
}

/* The headers every call has to bring, with the values the published client sends. */
static struct sim_account *authorise(struct sim_request *r)
{
    static const struct {
        const char *name, *value;
    } fixed[] = {{"Language", "EN"}, {"Skill", "1"}, {"App-Type", "2"}};
    const char *bearer = sim_request_header(r, "Xskill-Authorization");
    const char *identity = sim_request_header(r, "Identity-Id");
    struct sim_account *a = NULL;

    if (bearer && strncmp(bearer, "Bearer ", 7) == 0 && strlen(bearer + 7) < SIM_KEY_MAX)
        a = sim_account_by_key(r->sim, bearer + 7);
    if (!a || !identity || !*identity ||
        json_object_get(r->sim->chatart->unbound, identity) != NULL) {
        chatart_refuse(r, 200, "401", NULL, "Please log in again.");
        return NULL;
    }
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        const char *value = sim_request_header(r, fixed[i].name);
        if (!value || strcmp(value, fixed[i].value) != 0) {
            sim_refuse(r, 200, "4001", NULL, "header %s is missing or wrong", fixed[i].name);
            return NULL;
        }
    }
    return a;
}

static void credit(struct sim_request *r)
{
    chatart_answer_take(
        r, json_pack("{s:I}", "diamond", (json_int_t)sim_account_credits(r->account)));
}

static void short_url(struct sim_request *r)
{
    char origin[64];
    const char *url = json_string_value(json_object_get(r->fields, "longUrl"));

    if (!url) {
        chatart_refuse(r, 200, "4003", NULL, "Required parameter cannot be null");
        return;
    }
    chatart_origin(r, origin, sizeof origin);
    chatart_answer_take(r, json_pack("{s:o}", "shortUrl",
                                     json_sprintf("%s/media/redirect?to=%s", origin, url)));
}

/* ---- control ---- */

static json_t *login_named(struct sim *sim, const char *device, const char *code)
{
    const char *name;
    json_t *login, *only = NULL;

    if (device)
        return json_object_get(sim->chatart->logins, device);
    json_object_foreach(sim->chatart->logins, name, login)
    {
        if (!code || strcmp(code, json_string_value(json_object_get(login, "code"))) == 0)
            only = login;
    }
    return only;
}

static int control_apply(struct sim_request *r, char *err, size_t err_size)
{
    const char *what = NULL, *device = NULL, *code = NULL, *key = NULL, *name = NULL;
    json_error_t why;

    if (json_unpack_ex(r->fields, &why, JSON_STRICT, "{s:s,s?s,s?s,s?s,s?s}", "do", &what, "device",
                       &device, "code", &code, "key", &key, "name", &name) != 0) {
        snprintf(err, err_size, "%s", why.text);
        return -1;
    }
    json_t *login = login_named(r->sim, device, code);
    if (!login) {
        snprintf(err, err_size, "no login is going on");
        return -1;
    }
    if (strcmp(what, "approve") != 0 && strcmp(what, "refuse") != 0 &&
        strcmp(what, "expire") != 0 && strcmp(what, "forget") != 0 &&
        strcmp(what, "session") != 0) {
        snprintf(err, err_size, "do takes approve, refuse, expire, forget or session");
        return -1;
    }
    if (key) {
        (void)sim_account_put(r->sim, key, name);
        json_object_set_new(login, "key", json_string(key));
    }
    json_object_set_new(login, "state", json_string(what));
    return 0;
}

void sim_chatart_control(struct sim_request *r)
{
    char why[256];
    json_t *logins, *login;
    const char *device;

    if (strcmp(r->method, "POST") == 0 && control_apply(r, why, sizeof why) != 0) {
        sim_refuse(r, 400, "bad_login", NULL, "%s", why);
        return;
    }
    logins = json_object();
    json_object_foreach(r->sim->chatart->logins, device, login)
    {
        json_object_set_new(logins, device,
                            json_pack("{s:O,s:O,s:O}", "code", json_object_get(login, "code"),
                                      "state", json_object_get(login, "state"), "polls",
                                      json_object_get(login, "polls")));
    }
    sim_answer_json_take(
        r, 200,
        json_pack("{s:o,s:O,s:O,s:i}", "logins", logins, "objects", r->sim->chatart->objects,
                  "unbound", r->sim->chatart->unbound, "credentials",
                  (int)json_object_size(r->sim->chatart->credentials)));
}

void sim_chatart_free(struct sim *sim)
{
    struct sim_chatart *c = sim->chatart;

    if (!c)
        return;
    json_decref(c->logins);
    json_decref(c->credentials);
    json_decref(c->objects);
    json_decref(c->unbound);
    free(c);
    sim->chatart = NULL;
}

void sim_chatart_reset(struct sim *sim)
{
    sim_chatart_free(sim);
    struct sim_chatart *c = sim->chatart = sim_alloc(sizeof *c);
    c->logins = json_object();
    c->credentials = json_object();
    c->objects = json_object();
    c->unbound = json_object();
}

static const struct sim_route routes[] = {
    {"POST", "/web/xskill/init", SIM_OPEN, chatart_login_init},
    {"POST", "/web/xskill/token", SIM_OPEN, chatart_login_token},
    {"GET", "/skill/authorize", SIM_OPEN, chatart_login_page},
    {"POST", "/user/get-unbind-device", 0, chatart_unbind},
    {"POST", "/web/file/get-upload-policy", 0, chatart_upload_policy},
    {"PUT", "/oss/" CHATART_BUCKET "/*", SIM_OPEN, chatart_oss_put},
    {"POST", "/web/art/create", SIM_SPENDS, chatart_art_create},
    {"GET", "/web/art/get-draw-task", 0, chatart_art_state},
    {"GET", "/web/art/history", 0, chatart_art_history},
    {"POST", "/web/video/generate-video", SIM_SPENDS, chatart_video_create},
    {"GET", "/web/video/get-video-task", 0, chatart_video_state},
    {"GET", "/web/video/history", 0, chatart_video_history},
    {"POST", "/web/member/user-diamond", 0, credit},
    {"POST", "/v1/short_url/generate", 0, short_url},
};

const struct sim_provider sim_chatart = {
    .name = "chatart",
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .authorise = authorise,
    .refuse = chatart_refuse,
};
