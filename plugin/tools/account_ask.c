/*
 * account_ask.c - what is left and what was made: one question to one provider, its answer in the
 * adapter's members and one sentence. The provider is the one named, else the default if it can be
 * asked, else the first that can and is signed in.
 */
#include "tools/account.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define ASK_MS 20000

static int can_ask(const struct config_provider *provider)
{
    return provider && provider->adapter->ask && provider->account.signed_in;
}

static const struct config_provider *whom(struct call *call, struct err *err)
{
    const struct config *config = call_config(call);
    const char *wanted = json_string_value(json_object_get(call->args, "provider"));
    const struct config_provider *provider;
    const char *how;

    provider = config_provider_choose(config, wanted && *wanted ? wanted : NULL, &how, err);
    if (wanted && *wanted && !provider) {
        call_tell_setup(call, wanted, NULL, err);
        return NULL;
    }
    if (can_ask(provider))
        return provider;
    if (wanted && *wanted) {
        if (!provider->adapter->ask)
            err_field(err, "provider",
                      "%s does not tell what is left or what was made; its website does",
                      provider->account.id);
        else
            err_set(err, ERR_AUTH, "%s wants a login first: account with action login",
                    provider->account.id);
        return NULL;
    }
    for (size_t i = 0; (provider = config_provider_at(config, i)); i++)
        if (can_ask(provider))
            return provider;
    err_set(err, ERR_CONFIG, "there is no account that could be asked; some want a login first");
    return NULL;
}

static void answered(void *ud, const struct http_reply *reply)
{
    struct call *call = ud;
    const char *action = json_string_value(json_object_get(call->args, "action"));
    const struct config_provider *provider;
    struct err err = {.kind = ERR_NONE};
    json_t *facts = NULL;
    char key[40];

    if (call_back(call))
        return;
    /* Its id was kept: the configuration may have been read anew. */
    provider = config_provider_by_id(call_config(call), call->told);
    if (!provider)
        err_set(&err, ERR_CONFIG, "provider \"%s\" is not configured any more", call->told);
    else
        provider->adapter->told(&provider->account, action, call->args, reply, &facts, &err);
    if (!facts || json_object_set_new(facts, "status", json_string("ok")) ||
        json_object_set_new(facts, "provider", json_string(provider->account.id))) {
        json_decref(facts);
        if (err.kind == ERR_NONE)
            err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    snprintf(key, sizeof(key), "account.%s", action);
    result_note(facts, call, key,
                json_pack("{s:s, s:O?, s:I}", "provider", call->told, "credits",
                          json_object_get(facts, "credits"), "count",
                          (json_int_t)json_array_size(json_object_get(facts, "usage"))));
    call_answer_take(call, AHP_RESULT_OK, facts, NULL);
}

void account_send(struct call *call, const struct config_provider *provider, const char *action,
                  int64_t timeout_ms, engine_asked_fn *done)
{
    struct http_request request;
    struct arena arena = {0};
    struct err err;
    int rc;

    snprintf(call->told, sizeof(call->told), "%s", provider->account.id);
    rc = provider->adapter->ask(&provider->account, action, call->args, &arena, &request, &err);
    if (rc == 0)
        rc = engine_ask(call_engine(call), provider->account.id, &request, timeout_ms, done, call,
                        &err);
    arena_done(&arena);
    if (rc)
        call_fail(call, &err);
    else
        call_begin(call);
}

void account_ask(struct call *call, const char *action)
{
    const struct config_provider *provider;
    struct err err;

    if (config_refresh(call_config(call), &err) && !config_root(call_config(call))) {
        call_fail(call, &err);
        return;
    }
    provider = whom(call, &err);
    if (provider)
        account_send(call, provider, action, ASK_MS, answered);
    else
        call_fail(call, &err);
}
