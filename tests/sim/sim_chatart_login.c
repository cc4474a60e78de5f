/*
 * Login of provider "chatart": a device asks for a link, a person approves on the page (here: a
 * control call, or after a number of looks), the device's next look brings the account.
 */
#include "sim_chatart.h"

#include <stdio.h>
#include <string.h>

#define MEMBER 348812

void chatart_login_init(struct sim_request *r)
{
    char origin[64], code[16];
    const char *device = json_string_value(json_object_get(r->fields, "identity_id"));

    if (!device || !*device || strlen(device) >= SIM_ID_MAX) {
        chatart_refuse(r, 200, "4003", NULL, "Required parameter cannot be null");
        return;
    }
    unsigned long long n = ++r->sim->ids;
    snprintf(code, sizeof code, "QK%02llX-%04llX", n / 65536 % 256, n % 65536);
    json_object_set_new(
        r->sim->chatart->logins, device,
        json_pack("{s:s,s:s,s:i,s:s}", "code", code, "state", "open", "polls", 0, "key",
                  r->sim->start_key));
    chatart_origin(r, origin, sizeof origin);
    chatart_answer_take(
        r, json_pack("{s:s,s:o,s:o,s:o,s:f,s:i}", "identity_id", device, "verification_uri",
                     json_sprintf("%s/skill/authorize", origin), "verification_uri_complete",
                     json_sprintf("%s/skill/authorize?code=%s", origin, code), "token_endpoint",
                     json_sprintf("%s/web/xskill/token", origin), "interval",
                     (double)r->settings.chatart_interval_ms / 1000.0, "expires_in", 600));
}

static void approved(struct sim_request *r, const char *device, const char *key)
{
    const char *mode = r->settings.chatart_approval;
    struct sim_account *a = sim_account_by_key(r->sim, key);
    bool no_key = strcmp(mode, "no_key") == 0, no_identity = strcmp(mode, "no_identity") == 0;
    bool numbers = strcmp(mode, "numbers") == 0;

    json_object_del(r->sim->chatart->unbound, device);
    json_t *data = json_pack(
        "{s:o,s:s,s:s,s:s,s:[s],s:s,s:s,s:s,s:s,s:s,s:I,s:s}", "member_id",
        json_integer(MEMBER), "uid", "348812", "identity_id", no_identity ? "" : device, "api_key",
        no_key ? "" : key, "api_keys", key, "email", "lin@example.com", "name", "Lin", "team_id",
        "", "role", "", "charge_type", "pro", "remain_credit",
        (json_int_t)(a ? sim_account_credits(a) : 0), "token", "");
    if (numbers) { /* nothing says that these are texts */
        json_object_set_new(data, "member_id", json_string("348812"));
        json_object_set_new(data, "remain_credit", json_null());
    }
    chatart_answer_take(r, data);
    if (strcmp(mode, "code_text") == 0)
        json_object_set_new(r->answer.json, "code", json_string("200"));
}

static void still_open(struct sim_request *r)
{
    if (strcmp(r->settings.chatart_pending, "code") == 0)
        chatart_refuse(r, 200, "10099", NULL, "waiting for authorization");
    else
        sim_answer_json_take(r, strcmp(r->settings.chatart_pending, "500") == 0 ? 500 : 202,
                             json_object());
}

void chatart_login_token(struct sim_request *r)
{
    const char *device = json_string_value(json_object_get(r->fields, "identity_id"));
    json_t *login = device ? json_object_get(r->sim->chatart->logins, device) : NULL;

    if (!login) {
        sim_answer_json_take(r, 404, json_pack("{s:s}", "message", "unknown device"));
        return;
    }
    json_t *polls = json_object_get(login, "polls");
    json_integer_set(polls, json_integer_value(polls) + 1);
    const char *state = json_string_value(json_object_get(login, "state"));
    bool enough = r->settings.chatart_login_polls >= 0 &&
                  json_integer_value(polls) > r->settings.chatart_login_polls;

    if (strcmp(state, "refuse") == 0)
        sim_answer_json_take(r, 403, json_pack("{s:s}", "message", "access denied"));
    else if (strcmp(state, "expire") == 0)
        sim_answer_json_take(r, 410, json_pack("{s:s}", "message", "expired"));
    else if (strcmp(state, "forget") == 0)
        sim_answer_json_take(r, 404, json_pack("{s:s}", "message", "unknown device"));
    else if (strcmp(state, "session") == 0)
        chatart_refuse(r, 200, "10007", NULL, "session expired");
    else if (strcmp(state, "approve") == 0 || enough)
        approved(r, device, json_string_value(json_object_get(login, "key")));
    else
        still_open(r);
}

void chatart_login_page(struct sim_request *r)
{
    struct sim_body *b = sim_body_new();
    sim_body_add_text(b, "<!doctype html><title>Authorize</title>"
                         "<p>POST /_sim/chatart {\"do\":\"approve\"}</p>\n");
    sim_answer_body_take(r, 200, "text/html", b);
}

void chatart_unbind(struct sim_request *r)
{
    const char *identity = sim_request_header(r, "Identity-Id");

    json_object_set_new(r->sim->chatart->unbound, identity, json_true());
    chatart_answer_take(r, json_true());
}
