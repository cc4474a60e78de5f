/*
 * account_login.c - login, finish_login, logout, switch. A login is a job like others: it survives
 * a restart, it is noticed in the background when a person has approved it, and with a reply
 * address the chat is told. The call that begins it ends as soon as there is a link to open. No key
 * passes through here; the engine hands what a login brings to config/.
 */
#include "tools/account.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define LINK_MS 20000   /* until there is a link */
#define FINISH_MS 15000 /* that finish_login waits by itself */
#define UNBIND_MS 20000
#define NAMES_MAX 400

/* ---- words ---- */

/* "a · b · c" of the models of one kind. */
static void join_names(const json_t *models, const char *kind, char ret_text[NAMES_MAX])
{
    size_t len = 0;
    size_t index;
    json_t *row;

    ret_text[0] = '\0';
    json_array_foreach((json_t *)models, index, row) {
        const char *own = json_string_value(json_object_get(row, "kind"));
        const char *name = json_string_value(json_object_get(row, "name"));

        if (own && name && strcmp(own, kind) == 0 && len < NAMES_MAX - 1)
            len += (size_t)snprintf(ret_text + len, NAMES_MAX - len, "%s%s", len ? " · " : "",
                                    name);
    }
}

/* The adapter's own words where it has some. */
static void note(json_t *json, const struct call *call, const struct config_provider *provider,
                 const char *key, json_t *values_take)
{
    char own[80];

    snprintf(own, sizeof(own), "%s.%s", provider->adapter->name, key);
    result_note(json, call, words_has(call->language, own) ? own : key, values_take);
}

static json_t *values_of(const struct config_provider *provider, const char *link)
{
    json_t *models = provider->adapter->models(&provider->account);
    char videos[NAMES_MAX];
    char images[NAMES_MAX];
    char characters[NAMES_MAX];
    json_t *values;

    join_names(models, "video", videos);
    join_names(models, "image", images);
    join_names(models, "character", characters);
    values = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "provider", provider->account.id, "link",
                       link, "videos", videos, "images", images, "characters", characters,
                       "source", provider->key_source);
    json_decref(models);
    return values;
}

static void answer_words(struct call *call, const struct config_provider *provider,
                         const char *status, const char *key)
{
    json_t *json = json_pack("{s:s, s:s}", "status", status, "provider", provider->account.id);

    if (json)
        note(json, call, provider, key, values_of(provider, ""));
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}

/* ---- which account ---- */

static const struct config_provider *whose(struct call *call, struct err *err)
{
    const struct config *config = call_config(call);
    const char *wanted = json_string_value(json_object_get(call->args, "provider"));
    const struct config_provider *provider = NULL;
    const char *how;

    if (config_refresh(call_config(call), err) && !config_root(config))
        return NULL;
    if (wanted && *wanted) {
        provider = config_provider_choose(config, wanted, &how, err);
        if (provider && !config_provider_logs_in(provider->account.id)) {
            err_field(err, "provider", "%s has no login; its key is part of the configuration",
                      provider->account.id);
            provider = NULL;
        }
        return provider;
    }
    for (size_t i = 0; (provider = config_provider_at(config, i)); i++)
        if (config_provider_logs_in(provider->account.id))
            return provider;
    if ((provider = config_login_at(config, 0)))
        return provider;
    err_set(err, ERR_CONFIG, "there is no account that is logged in to");
    return NULL;
}

/* ---- the job ---- */

static char *link_of(const struct ledger_job *job)
{
    json_t *flow = json_loads(job->flow ? job->flow : "{}", 0, NULL);
    const char *link = json_string_value(json_object_get(flow, "link"));
    char *copy = link ? mem_text(link) : NULL;

    json_decref(flow);
    return copy;
}

static void answer_link(struct call *call, const struct ledger_job *job, const char *link)
{
    const struct config_provider *provider =
        config_provider_by_id(call_config(call), job->provider);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "status",
                             call->login_needed ? "login_needed" : "login", "provider",
                             job->provider, "job", job->id, "link", link, "next",
                             job->reply_to ? "send the message to the user; the end of the login "
                                             "is told by itself"
                                           : "send the message to the user; then account with "
                                             "action finish_login");

    if (json && provider)
        note(json, call, provider,
             call->login_needed ? "login.needed"
             : call->login_next ? "login.switch"
                                : "login.link",
             values_of(provider, link));
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, job);
}

static void answer_end(struct call *call, const struct ledger_job *job)
{
    call_answer_take(call, result_status(job), result_of_job(call, job), job);
}

static int is_over(const struct ledger_job *job)
{
    return engine_state_ended(job->state) || job->state == JOB_DELIVERING;
}

static void link_seen(void *ud, const struct engine_sight *sight, const struct err *err)
{
    struct call *call = ud;
    char *link;

    (void)err;
    if (!sight->job)
        return;
    link = link_of(sight->job);
    if (is_over(sight->job))
        answer_end(call, sight->job);
    else if (link)
        answer_link(call, sight->job, link);
    mem_free(link);
}

static void end_seen(void *ud, const struct engine_sight *sight, const struct err *err)
{
    struct call *call = ud;

    (void)err;
    if (sight->job && is_over(sight->job))
        answer_end(call, sight->job);
}

static void link_late(void *ud)
{
    struct call *call = ud;
    struct err err;

    if (call->ended)
        return;
    err_set(&err, ERR_UNAVAILABLE, "there is no link to log in with yet; ask again in a moment");
    call_fail(call, &err);
}

static void still_waiting(void *ud)
{
    struct call *call = ud;
    json_t *json;

    if (call->ended)
        return;
    json = json_pack("{s:s, s:s, s:s}", "status", "waiting", "job", call->job, "link", call->told);
    if (json)
        result_note(json, call, "login.waiting", json_pack("{s:s}", "link", call->told));
    call_answer_take(call, AHP_RESULT_PENDING_JOB, json, NULL);
}

static void follow(struct call *call, engine_watch_fn *seen, void (*late)(void *), int64_t ms)
{
    struct env *env = call_env(call);
    struct err err;

    if (engine_watch(call_engine(call), call->job, seen, call, &call->watch) ||
        env->loop->timer_new(env->host->ctx, &call->timer, late, call)) {
        err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    env->loop->timer_at(call->timer, env_now_ms(env) + ms);
}

static int order_login(struct call *call, const struct config_provider *provider, int again,
                       struct err *err);

static void ordered(void *ud, const struct ledger_job *job, int created, const struct err *err)
{
    struct call *call = ud;
    const struct config_provider *provider;
    struct err why;

    if (call_ordered(call, job, created, err))
        return;
    /* One that has just ended is not the one that is wanted now. */
    if (!created && is_over(job)) {
        provider = config_provider_by_id(call_config(call), job->provider);
        if (!provider)
            err_set(&why, ERR_CONFIG, "provider \"%s\" is not configured any more", job->provider);
        if (!provider || order_login(call, provider, 1, &why))
            call_fail(call, &why);
        return;
    }
    if (!created)
        engine_take(call_engine(call), job->id);
    follow(call, link_seen, link_late, LINK_MS);
}

static int order_login(struct call *call, const struct config_provider *provider, int again,
                       struct err *err)
{
    struct engine_order order = {
        .tool = "account",
        .provider = provider,
        .conversation = call->conversation,
        .caller = call->caller,
        .locale = call_locale(call),
        .reply_to = call->reply_to,
        .reply_to_len = call->reply_to_len,
        .again = again,
    };
    struct provider_plan plan = {0};
    char device[80];
    json_t *args;
    char *same = mem_format("login %s", provider->account.id);
    int rc;

    config_device_name(call_config(call), provider->account.id, device, sizeof(device));
    args = json_pack("{s:s}", "device", device);
    order.plan = &plan;
    order.dedup_text = same;
    rc = !args || !same ? err_nomem(err)
                        : provider->adapter->plan(&provider->account, "account", args, &plan, err);
    if (rc == 0)
        rc = engine_order(call_engine(call), &order, ordered, call, err);
    if (rc == 0)
        call_begin(call);
    provider_plan_done(&plan);
    json_decref(args);
    mem_free(same);
    return rc;
}

void login_begin(struct call *call, const struct config_provider *provider, int needed)
{
    struct err err;

    call->login_needed = needed;
    if (order_login(call, provider, 0, &err))
        call_fail(call, &err);
}

void account_login(struct call *call)
{
    struct err err;
    const struct config_provider *provider = whose(call, &err);

    if (!provider)
        call_fail(call, &err);
    else if (provider->account.signed_in)
        answer_words(call, provider, "ok", "login.already");
    else
        login_begin(call, provider, 0);
}

/* ---- finish_login ---- */

static void login_found(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                        size_t jobs_count, const struct err *err)
{
    struct call *call = ud;
    const struct ledger_job *job = jobs_count ? jobs[0] : NULL;
    const struct config_provider *provider;
    struct err why;
    char *link;

    if (call_back(call))
        return;
    if (result != LEDGER_OK) {
        call_fail(call, err);
        return;
    }
    provider = whose(call, &why);
    /* A login that was given back since is none. */
    if (!job || !call_may_see(call, job) ||
        (is_over(job) && result_status(job) == AHP_RESULT_OK && provider &&
         !provider->account.signed_in)) {
        if (!provider)
            call_fail(call, &why);
        else
            answer_words(call, provider, provider->account.signed_in ? "ok" : "none",
                         provider->account.signed_in ? "login.already" : "login.none");
        return;
    }
    snprintf(call->job, sizeof(call->job), "%s", job->id);
    if (is_over(job)) {
        answer_end(call, job);
        return;
    }
    link = link_of(job);
    snprintf(call->told, sizeof(call->told), "%s", link ? link : "");
    mem_free(link);
    engine_take(call_engine(call), job->id);
    follow(call, end_seen, still_waiting, FINISH_MS);
}

void account_finish_login(struct call *call)
{
    struct ledger_query query = {.kind = "login", .limit = 1};
    struct err err;

    query.conversation = call->flags & AHP_CALL_OPERATOR ? NULL
                         : call->conversation            ? call->conversation
                                                         : "";
    if (engine_find(call_engine(call), &query, login_found, call)) {
        err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    call_begin(call);
}

/* ---- logout, switch ---- */

/* It was not got by a login here, so none is given back. */
static void fail_elsewhere(struct call *call, const struct config_provider *provider)
{
    json_t *values = values_of(provider, "");
    char *text = words_text(call->language, "login.elsewhere", values);
    struct err err;

    err_set(&err, ERR_CONFIG, "%s", text ? text : provider->key_source);
    err_advise(&err, "elsewhere");
    mem_free(text);
    json_decref(values);
    call_fail(call, &err);
}

static void forgotten(void *ud, int changed, const struct err *why)
{
    struct call *call = ud;
    const char *id = call->told;
    struct config *config = call_config(call);
    const struct config_provider *provider;
    struct err err;

    (void)changed;
    if (call_back(call))
        return;
    if (why) {
        call_fail(call, why);
        return;
    }
    if (config_refresh(config, &err) && !config_root(config)) {
        call_fail(call, &err);
        return;
    }
    provider = config_provider_by_id(config, id);
    if (!provider) {
        err_set(&err, ERR_CONFIG, "provider \"%s\" is not configured any more", id);
        call_fail(call, &err);
    } else if (call->login_next && !provider->account.signed_in) {
        if (order_login(call, provider, 1, &err))
            call_fail(call, &err);
    } else {
        answer_words(call, provider, "ok",
                     provider->account.signed_in ? "login.elsewhere" : "logout.done");
    }
}

static void forget(struct call *call)
{
    struct err err;

    if (config_credential_remove(call_config(call), call->told, forgotten, call, &err))
        call_fail(call, &err);
    else
        call_begin(call);
}

static void unbound(void *ud, const struct http_reply *reply)
{
    struct call *call = ud;
    const struct config_provider *provider;
    struct err err = {.kind = ERR_NONE};
    json_t *facts = NULL;

    if (call_back(call))
        return;
    provider = config_provider_by_id(call_config(call), call->told);
    if (provider)
        provider->adapter->told(&provider->account, "unbind", NULL, reply, &facts, &err);
    json_decref(facts);
    /* A key that is not accepted any more is as good as given back. */
    if (!facts && provider && err.kind != ERR_AUTH)
        call_fail(call, &err);
    else
        forget(call);
}

void account_logout(struct call *call, int then_login)
{
    char path[4096];
    struct err err;
    const struct config_provider *provider = whose(call, &err);

    call->login_next = then_login;
    if (!provider) {
        call_fail(call, &err);
        return;
    }
    if (!provider->account.signed_in) {
        if (then_login)
            login_begin(call, provider, 0);
        else
            answer_words(call, provider, "ok", "logout.none");
        return;
    }
    if (config_credential_path(call_config(call), provider->account.id, path, sizeof(path)) ||
        strcmp(path, provider->key_source) != 0) {
        fail_elsewhere(call, provider);
        return;
    }
    account_send(call, provider, "unbind", UNBIND_MS, unbound);
}
