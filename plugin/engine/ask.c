/*
 * ask.c - a question to a provider beside all jobs, such as whether a key is accepted. No job,
 * nothing in the ledger, no second try: who asked may ask again. Bounded in time here, because a
 * transfer that waits for its turn has no bound of its own.
 */
#include "engine/engine_private.h"

#include "base/mem.h"

#include <stdio.h>
#include <utlist.h>

struct asking {
    struct asking *prev;
    struct asking *next;
    struct engine *engine;
    struct net_call *call;
    ahp_timer *timer;
    int64_t timeout_ms;
    engine_asked_fn *done;
    void *ud;
};

static void asking_free(struct asking *it)
{
    DL_DELETE(it->engine->askings, it);
    it->engine->env->loop->timer_free(it->timer);
    mem_free(it);
}

static void end(struct asking *it, const struct http_reply *reply)
{
    struct engine *engine = it->engine;
    engine_asked_fn *done = it->done;
    void *ud = it->ud;

    asking_free(it);
    if (!engine->stopping && !engine->closing)
        done(ud, reply);
}

static void answered(void *ud, const struct http_reply *reply)
{
    end(ud, reply);
}

static void time_over(void *ud)
{
    struct asking *it = ud;
    struct http_reply reply = {.outcome = HTTP_LOST, .retry_after_ms = -1, .length = -1};
    char text[64];

    snprintf(text, sizeof(text), "no answer within %lld s", (long long)(it->timeout_ms / 1000));
    reply.content_type = reply.request_id = "";
    reply.error = text;
    reply.sent = net_cancel(it->call);
    end(it, &reply);
}

int engine_ask(struct engine *engine, const char *provider, const struct http_request *request,
               int64_t timeout_ms, engine_asked_fn *done, void *ud, struct err *err)
{
    const struct config_provider *found = config_provider_by_id(engine->config, provider);
    struct asking *it;

    if (!found)
        return err_field(err, "provider", "provider \"%s\" is not configured", provider);
    if (engine->stopping)
        return err_set(err, ERR_CANCELLED, "the program is being stopped");
    it = mem_alloc(sizeof(*it));
    if (!it)
        return err_nomem(err);
    it->engine = engine;
    it->timeout_ms = timeout_ms;
    it->done = done;
    it->ud = ud;
    DL_APPEND(engine->askings, it);
    if (engine->env->loop->timer_new(engine->env->host->ctx, &it->timer, time_over, it)) {
        it->timer = NULL;
        asking_free(it);
        return err_set(err, ERR_NOMEM, "the host gave no timer");
    }
    if (net_send(engine->net, request, &found->peer, NULL, answered, it, &it->call, err)) {
        asking_free(it);
        return -1;
    }
    engine->env->loop->timer_at(it->timer, env_now_ms(engine->env) + timeout_ms);
    return 0;
}

void ask_stop(struct engine *engine)
{
    struct asking *it;

    while ((it = engine->askings)) {
        net_cancel(it->call);
        asking_free(it);
    }
}
