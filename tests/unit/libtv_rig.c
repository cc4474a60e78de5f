/*
 * libtv_rig.c - see libtv_rig.h.
 */
#include "libtv_rig.h"

#include "base/mem.h"

static const struct http_header gate_headers[] = {{"X-API-KEY", "{{key}}"},
                                                  {"User-Agent", "LibTVSkill/1.0"}};
static const struct http_header direct_headers[] = {{"Authorization", "Bearer {{key}}"},
                                                    {"User-Agent", "LibTVSkill/1.0"}};
static const char *const hosts[] = {"libtv-res.liblib.art", "im.example.test"};

const char *const doors[2] = {"libtv", "nexu"};
const char *const door_bound =
    "{\"code\":0,\"message\":\"success\",\"data\":{\"sessionId\":\"s-1\",\"projectUuid\":\"p-1\"}}";
const char *const door_begun = "{\"sessionId\":\"s-1\",\"projectUuid\":\"p-1\"}";
const char *const door_uses = "{\"remaining_uses\":1,\"max_uses\":2}";
const char *const door_from_file = "{\"prompt\":\"move\",\"first_frame\":{\"path\":\"/w/"
                                   "a.png\",\"mime\":\"image/png\",\"bytes\":9,"
                                   "\"key\":\"k-a\"}}";

int door_is_gate(const struct talk *talk)
{
    return strcmp(talk->account.id, "nexu") == 0;
}

struct provider_account door_account(const char *id, const json_t *settings)
{
    int is_gate = strcmp(id, "nexu") == 0;

    return (struct provider_account){
        .id = id,
        .base_url = is_gate ? "https://seedance.nexu.io" : "https://im.liblib.tv",
        .headers = is_gate ? gate_headers : direct_headers,
        .headers_count = 2,
        .settings = settings,
        .signed_in = 1,
        .result_hosts = hosts,
        .result_hosts_count = 1,
    };
}

void door_open(struct talk *talk, const char *id, const char *tool, const char *args)
{
    struct provider_account account = door_account(id, NULL);
    json_t *json = json_own(args);
    struct err err;

    if (talk_open(talk, &provider_libtv, &account, tool, json, &err))
        fail_msg("%s: %s", args, err.text);
    json_decref(json);
}

void door_order(struct talk *talk, const char *id)
{
    door_open(talk, id, "generate_video", "{\"prompt\":\"a boat 16:9\"}");
    door_to_submit(talk);
}

/* L03, L04, L05: which key, in which header, to whom. */
void door_check(const struct talk *talk)
{
    const struct http_request *request = &talk->step.request;
    const char *base = talk->account.base_url;
    int is_gate = door_is_gate(talk);

    assert_int_equal(strncmp(request->url, base, strlen(base)), 0);
    assert_true(request->url[strlen(base)] == '/' && request->url[strlen(base) + 1] != '/');
    assert_int_equal(golden_header(request, "X-API-KEY") != NULL, is_gate);
    assert_int_equal(golden_header(request, "Authorization") != NULL, !is_gate);
    assert_string_equal(golden_header(request, "User-Agent"), "LibTVSkill/1.0");
    assert_string_equal(request->secret_prefix, is_gate ? "mgk_" : "sk-libtv-");
}

void door_sends(const struct talk *talk, const char *method, const char *path,
                enum http_effect effect)
{
    if (talk->step.kind != STEP_SEND)
        fail_msg("%s %s: step %d: %s", method, path, talk->step.kind, talk->step.error.text);
    door_check(talk);
    assert_string_equal(talk->step.request.method, method);
    assert_string_equal(talk->step.request.url + strlen(talk->account.base_url), path);
    assert_int_equal(talk->step.request.effect, effect);
}

void door_to_submit(struct talk *talk)
{
    talk_wake(talk);
    if (door_is_gate(talk)) {
        door_sends(talk, "GET", "/api/v1/key/status", HTTP_READS);
        talk_hear(talk, 200, door_uses);
        return;
    }
    door_sends(talk, "POST", "/openapi/session", HTTP_WRITES);
    talk_hear(talk, 200, door_bound);
    door_sends(talk, "GET", "/openapi/session/s-1", HTTP_READS);
    talk_hear(talk, 200, "{\"code\":0,\"data\":{\"messages\":[]}}");
}

void door_to_poll(struct talk *talk, const char *id)
{
    door_order(talk, id);
    door_sends(talk, "POST", door_is_gate(talk) ? "/libtv/v1/session" : "/openapi/session",
               HTTP_SPENDS);
    talk_hear(talk, 200, door_is_gate(talk) ? door_begun : door_bound);
    assert_int_equal(talk->step.kind, STEP_WAIT);
    assert_string_equal(talk->step.provider_job, "s-1");
    talk_wake(talk);
}

void door_hear(struct talk *talk, const char *messages)
{
    int is_gate = door_is_gate(talk);
    char *text = mem_format("%s{\"messages\":[{\"seq\":1,\"role\":\"user\",\"content\":\"a boat "
                            "16:9\"}%s%s]}%s",
                            is_gate ? "" : "{\"code\":0,\"data\":", *messages ? "," : "", messages,
                            is_gate ? "" : "}");

    door_sends(talk, "GET", is_gate ? "/libtv/v1/session/s-1" : "/openapi/session/s-1", HTTP_READS);
    talk_hear(talk, 200, text);
    mem_free(text);
}
