/*
 * login.c - the login as a job: the service gives a link, a person opens it and approves, the next
 * question brings the account. Nothing waits: between two questions the job is a row in the ledger.
 *
 *     start --init--> init --link--> wait --token--> token --+--> done (with the credential)
 *                                      ^---not yet-----------+--> fail
 *
 * An approval counts only with key and identity in it; everything that is neither that nor a plain
 * refusal means "not yet". The credential is never in the flow: a process that ends before it was
 * stored asks again.
 *
 * Flow: at, device, token_url, link (read by tools/account_login.c), pause_ms, said.
 */
#include "providers/chatart/chatart.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAUSE_MS_USUAL 2000
#define PAUSE_MS_MAX 60000
#define PAUSE_MS_TROUBLE 5000
#define DEVICE_BYTES_MAX 256

struct login {
    struct provider_turn *turn;
    struct provider_step *step;
    const json_t *catalog;
};

int chatart_login_plan(const struct provider_account *account, const json_t *args,
                       const json_t *catalog, struct provider_plan *ret_plan, struct err *err)
{
    const json_t *times = json_object_get(json_object_get(catalog, "times"), "login");
    const char *device = json_text(args, "device");
    struct provider_plan plan = {.kind = "login", .cost = -1};

    if (!*device)
        return err_set(err, ERR_INTERNAL, "a login needs a name for this device");
    plan.request = json_pack("{s:s, s:s, s:I}", "wire", "login", "device", device, "timeout_ms",
                             (json_int_t)json_int(times, "timeout_ms", 60000));
    if (!plan.request)
        return err_nomem(err);
    snprintf(plan.prefix, sizeof(plan.prefix), "login");
    plan.times.shortest_ms = json_int(times, "shortest_ms", 0);
    plan.times.typical_ms = json_int(times, "typical_ms", 0);
    plan.times.floor_ms = json_int(account->settings, "poll_floor_ms",
                                   json_int(times, "floor_ms", PAUSE_MS_USUAL));
    plan.times.ceiling_ms = json_int(account->settings, "poll_ceiling_ms",
                                     json_int(times, "ceiling_ms", PAUSE_MS_TROUBLE));
    plan.times.deadline_ms = json_int(times, "deadline_ms", 600000);
    *ret_plan = plan;
    return 0;
}

static int set(struct login *login, const char *key, json_t *value)
{
    return json_object_set_new(login->turn->flow, key, value);
}

static void fail_nomem(struct login *login)
{
    login->step->kind = STEP_FAIL;
    login->step->retry = 1;
    err_nomem(&login->step->error);
}

static void fail(struct login *login, enum err_kind kind, const char *text)
{
    err_set(&login->step->error, kind, "%s", text);
    err_advise(&login->step->error, "chatart.login");
    login->step->kind = STEP_FAIL;
    if (set(login, "at", json_string("fail")) || set(login, "text", json_string(text)) ||
        set(login, "kind", json_string(err_kind_name(kind))))
        fail_nomem(login);
}

static void wait(struct login *login, int64_t pause_ms)
{
    int64_t usual = json_int(login->turn->flow, "pause_ms", PAUSE_MS_USUAL);

    login->step->kind = STEP_WAIT;
    login->step->not_before_ms = pause_ms > usual ? pause_ms : usual;
    if (set(login, "at", json_string("wait")))
        fail_nomem(login);
}

/* Without the account's headers: there is no account yet. */
static void ask(struct login *login, const char *url, const char *at, enum provider_phase phase)
{
    struct provider_turn *turn = login->turn;
    const struct http_header type = {"Content-Type", "application/json"};
    struct provider_account nobody = {.base_url = url, .headers = &type, .headers_count = 1};
    const char *device = json_text(turn->flow, "device");
    json_t *body = json_pack("{s:s}", "identity_id",
                             *device ? device : json_text(turn->request, "device"));
    int rc = body ? chatart_request_call(&nobody, turn->arena, HTTP_READS, "POST", "", body,
                                         json_int(turn->request, "timeout_ms", 60000),
                                         &login->step->request)
                  : -1;

    json_decref(body);
    if (rc || set(login, "at", json_string(at))) {
        fail_nomem(login);
        return;
    }
    login->step->kind = STEP_SEND;
    login->step->phase = phase;
}

static int is_address(const char *text)
{
    if (strlen(text) >= LIMIT_URL)
        return 0;
    return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
}

static void init_answered(struct login *login)
{
    const struct http_reply *reply = login->turn->reply;
    json_t *json = reply->outcome == HTTP_ANSWERED && reply->status >= 200 && reply->status < 300
                       ? json_read(reply->text, reply->text_len, NULL)
                       : NULL;
    const json_t *data = json_object_get(json, "data");
    const char *device = json_text(data, "identity_id");
    const char *link = json_text(data, "verification_uri_complete");
    const char *token = json_text(data, "token_endpoint");
    const json_t *interval = json_object_get(data, "interval");
    double seconds = json_is_number(interval) ? json_number_value(interval) : 2;

    if (!*link)
        link = json_text(data, "verification_uri");
    if (!json) {
        err_set(&login->step->error, ERR_UNAVAILABLE, "ChatArt gave no link to log in with%s%s",
                reply->error ? ": " : "", reply->error ? reply->error : "");
        login->step->kind = STEP_FAIL;
        login->step->retry = 1;
        if (set(login, "at", json_string("start")))
            fail_nomem(login);
        return;
    }
    if (!*device || strlen(device) > DEVICE_BYTES_MAX || !is_address(link) || !is_address(token)) {
        fail(login, ERR_ANSWER, "ChatArt's answer to the login has no link in it");
    } else if (set(login, "device", json_string(device)) ||
               set(login, "token_url", json_string(token)) ||
               set(login, "link", json_string(link)) ||
               set(login, "pause_ms",
                   json_integer(seconds < 0 || seconds * 1000 > PAUSE_MS_MAX
                                    ? PAUSE_MS_USUAL
                                    : (json_int_t)(seconds * 1000)))) {
        fail_nomem(login);
    } else {
        wait(login, 0);
    }
    json_decref(json);
}

/* 2026-07-01T08:12:44.120000+00:00 */
static json_t *now_text(int64_t now_ms)
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm parts;
    char text[48] = "";

    if (gmtime_r(&now, &parts))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    return json_sprintf("%s.%06d+00:00", text, (int)(now_ms % 1000) * 1000);
}

/* What the published tools keep, under their names; key and identity as texts. */
static json_t *credential(const struct login *login, const json_t *data)
{
    static const char *const copied[] = {"email", "name",        "team_id",
                                         "role",  "charge_type", "token"};
    struct arena *arena = login->turn->arena;
    json_t *member = json_object_get(data, "member_id");
    json_t *credit = json_object_get(data, "remain_credit");
    const char *access = json_text(data, "access_token");
    const char *type = json_text(data, "token_type");
    json_t *out = json_object();
    int failed =
        json_object_set(out, "uid", member ? member : json_null()) |
        json_object_set_new(out, "api_key",
                            json_string(json_word(arena, json_object_get(data, "api_key"))));

    for (size_t i = 0; i < sizeof(copied) / sizeof(*copied); i++)
        failed |= json_object_set_new(out, copied[i], json_string(json_text(data, copied[i])));
    failed |= json_object_set(out, "remain_credit", credit ? credit : json_null());
    failed |= json_object_set_new(out, "created_at", now_text(login->turn->now_ms));
    failed |= json_object_set_new(
        out, "identity_id", json_string(json_word(arena, json_object_get(data, "identity_id"))));
    if (*access)
        failed |= json_object_set_new(out, "access_token", json_string(access)) |
                  json_object_set_new(out, "token_type", json_string(*type ? type : "Bearer"));
    if (!failed)
        return out;
    json_wipe(out);
    json_decref(out);
    return NULL;
}

static void approved(struct login *login, const json_t *data)
{
    const char *key = json_word(login->turn->arena, json_object_get(data, "api_key"));
    const char *identity = json_word(login->turn->arena, json_object_get(data, "identity_id"));

    if (!key || !*key || !identity || !*identity) {
        wait(login, 0); /* half an approval is none */
        return;
    }
    login->step->credential = credential(login, data);
    login->step->kind = STEP_DONE;
    if (!login->step->credential || set(login, "at", json_string("done"))) {
        json_decref(login->step->credential);
        login->step->credential = NULL;
        fail_nomem(login);
    }
}

static void done(struct login *login)
{
    login->step->kind = STEP_DONE;
    if (set(login, "at", json_string("done")))
        fail_nomem(login);
}

static void token_told(struct login *login)
{
    const struct http_reply *reply = login->turn->reply;
    json_t *json = json_read(reply->text, reply->text_len, NULL);
    char *code = json_word(login->turn->arena, json_object_get(json, "code"));
    const char *said = json_text(json, "message");

    if (code && strcmp(code, "200") == 0) {
        approved(login, json_object_get(json, "data"));
    } else if (code && json_list_has(json_object_get(login->catalog, "login_over"), code)) {
        fail(login, ERR_EXPIRED, "the login was not finished in time");
    } else {
        if (*said && set(login, "said", json_string(chatart_clean(login->turn->arena, said))))
            fail_nomem(login);
        else
            wait(login, 0);
    }
    json_wipe(json);
    json_decref(json);
}

static void token_answered(struct login *login)
{
    const struct http_reply *reply = login->turn->reply;
    int gone = reply->status == 404 || reply->status == 410;

    if (reply->outcome == HTTP_REFUSED)
        fail(login, ERR_REFUSED, reply->error ? reply->error : "the login's address is refused");
    else if (reply->outcome != HTTP_ANSWERED)
        wait(login, 0);
    else if (reply->status == 200)
        token_told(login);
    else if (gone && login->turn->account->signed_in)
        done(login); /* stored before a restart, and not to be had twice */
    else if (gone)
        fail(login, ERR_EXPIRED, "the login was not finished in time");
    else if (reply->status == 403)
        fail(login, ERR_AUTH, "the login was refused on its page");
    else if (reply->status == 429 || reply->status >= 500)
        wait(login, reply->retry_after_ms > 0 ? reply->retry_after_ms : PAUSE_MS_TROUBLE);
    else
        wait(login, 0);
}

static void go(struct login *login, const char *at)
{
    struct provider_turn *turn = login->turn;
    int waiting = strcmp(at, "wait") == 0 || strcmp(at, "token") == 0;

    if (strcmp(at, "done") == 0) {
        login->step->kind = STEP_DONE;
    } else if (strcmp(at, "fail") == 0) {
        login->step->kind = STEP_FAIL;
        err_set(&login->step->error, err_kind_by_name(json_text(turn->flow, "kind")), "%s",
                json_text(turn->flow, "text"));
        err_advise(&login->step->error, "chatart.login");
    } else if (turn->reply && waiting) {
        token_answered(login);
    } else if (turn->reply) {
        init_answered(login);
    } else if (waiting) {
        ask(login, json_text(turn->flow, "token_url"), "token", PHASE_POLL);
    } else {
        char *url = arena_format(turn->arena, "%s%s", turn->account->base_url,
                                 json_text(json_object_get(login->catalog, "wire"), "login"));

        ask(login, url ? url : "", "init", PHASE_UPLOAD);
    }
}

void chatart_login_next(struct provider_turn *turn, struct provider_step *ret_step)
{
    struct login login = {.turn = turn, .step = ret_step};
    json_t *catalog = chatart_catalog(&ret_step->error);

    login.catalog = catalog;
    if (catalog)
        go(&login, json_text(turn->flow, "at"));
    else
        fail_nomem(&login);
    json_decref(catalog);
}
