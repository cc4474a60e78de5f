/*
 * plugin.c - the one exported symbol and an instance's life: create opens files, start begins to
 * work, stop lets go of the loop, destroy frees. What a call means is tools/' business, what a job
 * is the engine's.
 */
#include "base/env.h"
#include "base/mem.h"
#include "config/config.h"
#include "engine/engine.h"
#include "ledger/ledger.h"
#include "net/net.h"
#include "tools/tool.h"

#include <ahp/jobs.h>

#include <stdio.h>
#include <string.h>

enum phase {
    PHASE_CREATED,
    PHASE_STARTED,
    PHASE_STOPPING,
    PHASE_STOPPED,
};

struct instance {
    ahp_inst inst;
    struct env env;
    struct config *config;
    struct ledger *ledger;
    struct net *net;
    struct engine *engine;
    struct toolbox *box;
    enum phase phase;
};

static int32_t tell(ahp_err *ret_err, int32_t code, const char *text)
{
    if (ret_err && AHP_IN(ret_err, text)) {
        ret_err->code = code;
        snprintf(ret_err->text, sizeof(ret_err->text), "%.*s", (int)sizeof(ret_err->text) - 1,
                 text);
    }
    return code;
}

static int32_t code_of(const struct err *err)
{
    switch (err->kind) {
    case ERR_NOMEM:
        return AHP_E_NOMEM;
    case ERR_INVALID:
        return AHP_E_INVALID;
    default:
        return AHP_E_FAILED;
    }
}

static int32_t inst_tools(void *self, const ahp_tool *const **ret_tools, uint32_t *ret_count)
{
    struct instance *it = self;

    *ret_tools = toolbox_list(it->box, ret_count);
    return AHP_OK;
}

static int32_t inst_start(void *self, ahp_err *ret_err)
{
    struct instance *it = self;
    struct net_options options = {0};
    struct err err;

    if (it->phase != PHASE_CREATED)
        return tell(ret_err, AHP_E_STATE, "start was called before");
    config_net_options(it->config, &options);
    if (net_open(&it->env, &options, &it->net, &err) || ledger_start(it->ledger, &err) ||
        engine_open(&it->env, it->config, it->ledger, it->net, &it->engine, &err) ||
        engine_start(it->engine, &err))
        return tell(ret_err, code_of(&err), err.text);
    toolbox_bind(it->box, it->engine);
    it->phase = PHASE_STARTED;
    env_log(&it->env, AHP_LOG_INFO, LOG_START, "clawmedia %s: state in %s, configuration %s",
            CLAWMEDIA_VERSION, config_state_dir(it->config), config_file(it->config));
    return AHP_OK;
}

static int32_t inst_call(void *self, const struct ahp_call *call)
{
    struct instance *it = self;

    return it->phase == PHASE_STARTED ? toolbox_call(it->box, call) : AHP_E_STATE;
}

static int32_t inst_cancel(void *self, uint64_t call_id)
{
    struct instance *it = self;

    return it->phase == PHASE_STARTED ? toolbox_cancel(it->box, call_id) : AHP_E_STALE;
}

static int32_t inst_receipt(void *self, const struct ahp_receipt *receipt)
{
    struct instance *it = self;

    if (it->phase != PHASE_STARTED && it->phase != PHASE_STOPPING)
        return AHP_E_STATE;
    return engine_receipt(it->engine, receipt);
}

/* Everything that uses the loop goes before the host is told. */
static void let_go(struct instance *it)
{
    /* The net ends its exchanges without asking the host for anything; the engine hears of it. */
    engine_halt(it->engine);
    net_close(it->net);
    engine_close(it->engine);
    it->engine = NULL;
    it->net = NULL;
}

static void ledger_is_ended(void *ud)
{
    struct instance *it = ud;

    ledger_close(it->ledger);
    it->ledger = NULL;
    env_log(&it->env, AHP_LOG_INFO, LOG_STOP, "stopped");
    it->env.host->stopped(it->env.host->ctx);
}

static void engine_is_done(void *ud)
{
    struct instance *it = ud;

    it->phase = PHASE_STOPPED;
    let_go(it);
    ledger_end(it->ledger, ledger_is_ended, it);
}

static void inst_stop(void *self, int64_t deadline_ms)
{
    struct instance *it = self;

    if (it->phase != PHASE_STARTED)
        return;
    it->phase = PHASE_STOPPING;
    toolbox_stop(it->box);
    engine_stop(it->engine, deadline_ms, engine_is_done, it);
}

static void inst_destroy(void *self)
{
    struct instance *it = self;

    engine_halt(it->engine);
    env_cancel_work(&it->env);
    /* Calls hold watches of the engine, so they go before it. */
    toolbox_close(it->box);
    let_go(it);
    ledger_close(it->ledger);
    config_close(it->config);
    env_done(&it->env);
    mem_free(it);
}

static int64_t jobs_unfinished(void *self)
{
    struct instance *it = self;

    return it->engine ? engine_unfinished(it->engine) : -1;
}

static const void *inst_ext(void *self, const char *id)
{
    static const ahp_jobs jobs = {sizeof(jobs), 0, jobs_unfinished};

    (void)self;
    return strcmp(id, AHP_JOBS_1) == 0 ? &jobs : NULL;
}

static int32_t create(const ahp_host *host, const ahp_text *config, ahp_inst **ret_inst,
                      ahp_err *ret_err)
{
    struct instance *it;
    struct err err;

    if (!host || !AHP_HAS(host, stopped) || !ret_inst)
        return tell(ret_err, AHP_E_INVALID, "the host's table lacks members of version 1.0");
    it = mem_alloc(sizeof(*it));
    if (!it)
        return tell(ret_err, AHP_E_NOMEM, "out of memory");
    if (env_init(&it->env, host)) {
        mem_free(it);
        return tell(ret_err, AHP_E_VERSION,
                    "clawmedia needs " AHP_LOOP_1 ", " AHP_CALLS_1 " and " AHP_DELIVER_1
                    " of the host, complete; one of them is missing");
    }
    if (config_open(&it->env, config, &it->config, &err) ||
        ledger_open(&it->env, config_state_dir(it->config), &it->ledger, &err) ||
        toolbox_open(&it->env, it->config, &it->box, &err)) {
        int32_t code = tell(ret_err, code_of(&err), err.text);

        inst_destroy(it);
        return code;
    }
    if (config_refresh(it->config, &err))
        env_log(&it->env, AHP_LOG_WARN, LOG_CONFIG, "%s", err.text);
    it->inst.size = sizeof(it->inst);
    it->inst.self = it;
    it->inst.tools = inst_tools;
    it->inst.start = inst_start;
    it->inst.call = inst_call;
    it->inst.cancel = inst_cancel;
    it->inst.receipt = inst_receipt;
    it->inst.stop = inst_stop;
    it->inst.destroy = inst_destroy;
    it->inst.ext = inst_ext;
    *ret_inst = &it->inst;
    return AHP_OK;
}

static const char *const needs[] = {AHP_LOOP_1, AHP_CALLS_1, AHP_DELIVER_1, NULL};
static const char *const wants[] = {AHP_WORK_1, AHP_APPROVAL_1, NULL};

static const ahp_entry entry = {
    .size = sizeof(ahp_entry),
    .major = AHP_MAJOR,
    .minor = AHP_MINOR,
    .minor_needed = 0,
    .id = "clawmedia",
    .version = CLAWMEDIA_VERSION,
    .needs = needs,
    .wants = wants,
    .create = create,
};

AHP_EXPORT const ahp_entry *ahp_entry_1(void)
{
    return &entry;
}
