/*
 * act.c - what a person may do about a job: end it, or have its result sent again. Both work on
 * jobs that are not in memory: they are claimed first; one that a living process holds is asked
 * through the ledger.
 */
#include "engine/engine_private.h"

#include "base/json.h"
#include "base/mem.h"

#include <string.h>
#include <utlist.h>

/* Enough for a service that has finished meanwhile to be asked until it has said everything. */
#define RECHECK_MS (10 * 60 * 1000)

struct acting {
    struct acting *prev;
    struct acting *next;
    struct engine *engine;
    void (*act)(struct acting *acting, struct job *job);
    int cancel;
    engine_acted_fn *done;
    void *ud;
};

static void tell(struct acting *acting, const struct ledger_job *row, const struct err *err)
{
    DL_DELETE(acting->engine->actings, acting);
    acting->done(acting->ud, row, err);
    mem_free(acting);
}

void act_done(struct engine *engine)
{
    struct acting *acting;

    while ((acting = engine->actings)) {
        DL_DELETE(engine->actings, acting);
        mem_free(acting);
    }
}

static void unneeded(void *ud, const struct http_reply *reply)
{
    struct job *job = ud;

    (void)reply;
    (void)job;
}

/* Asks the provider to drop the job; what it answers changes nothing. */
void act_ask_provider(struct job *job)
{
    struct arena arena = {0};
    struct provider_turn turn = {.arena = &arena, .job_id = job->row->id};
    struct http_request request = {.effect = HTTP_WRITES};
    struct net_call *call = NULL;
    struct err err;
    const struct config_provider *provider = job_provider(job, &err);
    json_t *asked = json_loads(job->row->request, 0, NULL);

    turn.flow = json_loads(job->row->flow ? job->row->flow : "{}", 0, NULL);
    turn.request = asked;
    turn.now_ms = env_wall_ms(job->engine->env);
    if (provider && asked && turn.flow && provider->adapter->cancel) {
        turn.account = &provider->account;
        if (provider->adapter->cancel(&turn, &request) == 0 &&
            net_send(job->engine->net, &request, &provider->peer, NULL, unneeded, NULL, &call,
                     &err))
            env_log(job->engine->env, AHP_LOG_INFO, LOG_NET, "%s: cancel was not sent: %s",
                    job->row->id, err.text);
    }
    json_decref(asked);
    json_decref(turn.flow);
    arena_done(&arena);
}

int act_has_made(const struct job *job)
{
    json_t *flow = json_loads(job->row->flow ? job->row->flow : "{}", 0, NULL);
    int made = !flow || json_int(flow, "made", 0) > 0; /* without memory: nothing is given up */

    json_decref(flow);
    return made;
}

/* Where it stands, the next turn finds out what of it is still to be waited for. */
static void cancel_rest(struct job *job, int is_new)
{
    if (!is_new || job->spending || job->unrecorded)
        return;
    net_cancel(job->call);
    job->call = NULL;
    catch_drop(job);
    schedule_off(job);
    job->row->due_ms = env_wall_ms(job->engine->env);
    job_record(job, 0, NULL); /* a later process must not order more, either */
}

void act_cancel(struct job *job)
{
    int is_new = !(job->row->flags & LEDGER_JOB_CANCEL);
    struct err err;

    job->row->flags |= LEDGER_JOB_CANCEL;
    if (job->row->state == JOB_FETCHING)
        return; /* it is made, and paid for */
    if (batch_is_whole(job)) {
        if (job->busy == BUSY_NOT)
            schedule_in(job, 0); /* it ends its items, and then tells what became of them */
        return;
    }
    if (job->busy == BUSY_RECORD || job->busy == BUSY_FILE || job->spending)
        return; /* seen when that is over: a paid answer is not thrown away unread */
    if (job->row->flags & JOB_SENT) {
        /* An earlier process may have paid for it: first find out, then end it. */
        if (job->busy == BUSY_NOT)
            schedule_in(job, 0);
        return;
    }
    if (act_has_made(job)) {
        cancel_rest(job, is_new);
        return;
    }
    if (job->row->state == JOB_WORKING)
        act_ask_provider(job);
    net_cancel(job->call);
    job->call = NULL;
    job->busy = BUSY_NOT;
    err_set(&err, ERR_CANCELLED, "cancelled");
    job_end(job, JOB_CANCELLED, &err);
}

static void cancel_job(struct acting *acting, struct job *job)
{
    struct err err;

    if (job->row->state >= JOB_FETCHING) {
        err_set(&err, ERR_INVALID, "%s cannot be cancelled: it is %s", job->row->id,
                job_state_name(job->row->state));
        tell(acting, job->row, &err);
        return;
    }
    act_cancel(job);
    tell(acting, job->row, NULL);
}

static struct ledger_delivery *last_delivery(struct job *job)
{
    struct ledger_job *row = job->row;

    return row->deliveries_count ? &row->deliveries[row->deliveries_count - 1] : NULL;
}

/* Why this job's message cannot be sent again, or NULL. */
static const char *no_redelivery(struct job *job)
{
    if (!(job->row->flags & LEDGER_JOB_DELIVERS))
        return "it was asked for without a reply address: poll shows its files";
    if (!last_delivery(job))
        return "there is no result yet";
    if (deliver_open(job))
        return "it is being delivered just now";
    if (last_delivery(job)->state == DELIVERY_HELD)
        return "it waits in the channel's own queue";
    if (strcmp(job->row->host ? job->row->host : "", job->engine->env->host->name) != 0)
        return "it came through another host, which has to do it";
    return NULL;
}

static void redeliver_job(struct acting *acting, struct job *job)
{
    struct ledger_delivery *last = last_delivery(job);
    const char *why_not = no_redelivery(job);
    struct err err;

    if (why_not || job->busy != BUSY_NOT) {
        err_set(&err, ERR_INVALID, "%s cannot be sent again: %s", job->row->id,
                why_not ? why_not : "it is busy, try in a moment");
        tell(acting, job->row, &err);
        return;
    }
    /*
     * What the host has settled for good, whatever became of it, needs a new key. For the rest the
     * old key lets the host drop a repeat.
     */
    if (deliver_is_settled(job, last)) {
        if (deliver_add(job, last->kind, last->text)) {
            err_nomem(&err);
            tell(acting, job->row, &err);
            return;
        }
    } else {
        last->state = DELIVERY_PENDING;
        last->attempts = 0;
        last->next_ms = env_wall_ms(job->engine->env);
    }
    job->row->open = 1;
    job->row->due_ms = env_wall_ms(job->engine->env);
    job_record(job, 0, deliver_run);
    if (job->engine->unfinished >= 0)
        job->engine->unfinished++;
    tell(acting, job->row, NULL);
}

/* Why there is nothing to ask about this job, or NULL. */
static const char *no_recheck(const struct job *job)
{
    const struct ledger_job *row = job->row;

    if (batch_is_whole(job))
        return "it is a batch: its items are asked about by themselves";
    if (row->state == JOB_EXPIRED && !row->provider_job)
        return "the provider never accepted it";
    if (engine_state_ended(row->state) && job->busy == BUSY_RECORD)
        return "it is being stored just now, try in a moment";
    if (engine_state_ended(row->state) && row->state != JOB_EXPIRED && row->state != JOB_UNKNOWN)
        return "it has ended";
    return NULL;
}

static void recheck_job(struct acting *acting, struct job *job)
{
    struct ledger_job *row = job->row;
    int64_t now = env_wall_ms(job->engine->env);
    const char *why_not = no_recheck(job);
    struct err err;

    if (why_not) {
        err_set(&err, ERR_INVALID, "%s was not asked about: %s", row->id, why_not);
        tell(acting, row, &err);
        return;
    }
    if (row->state == JOB_EXPIRED || row->state == JOB_UNKNOWN) {
        job_set_state(job, JOB_WORKING);
        row->error_kind = ERR_NONE;
        job_text(&row->error_text, NULL);
        job_text(&row->advice, NULL);
        row->ended_ms = 0;
        row->tries = 0;
        row->deadline_ms = now + RECHECK_MS;
        row->due_ms = now;
        row->open = 1;
        job->rechecks = 1;
        if (job->engine->unfinished >= 0)
            job->engine->unfinished++;
        schedule_off(job); /* it does not wait any longer for what becomes of its words */
        job_record(job, 0, NULL);
    } else if (row->state == JOB_WORKING && job->busy == BUSY_NOT && !job->unrecorded) {
        job->rechecks = 1;
        row->tries = 0;
        schedule_in(job, 0);
    }
    tell(acting, row, NULL);
}

static void asked(void *ud, enum ledger_result result, const struct ledger_job *row,
                  const struct err *err)
{
    struct acting *acting = ud;
    struct err gone;

    if (result == LEDGER_FAILED) {
        tell(acting, NULL, err);
    } else if (!row) {
        err_set(&gone, ERR_NOT_FOUND, "there is no such job");
        tell(acting, NULL, &gone);
    } else {
        tell(acting, row, NULL);
    }
}

static void claimed(void *ud, enum ledger_result result, const struct ledger_job *row,
                    const struct err *err)
{
    struct acting *acting = ud;
    struct engine *engine = acting->engine;
    struct err why;
    struct job *job;

    if (result == LEDGER_TAKEN && acting->cancel) {
        if (ledger_cancel(engine->ledger, row->id, asked, acting)) {
            err_nomem(&why);
            tell(acting, NULL, &why);
        }
        return;
    }
    if (result != LEDGER_OK) {
        if (result == LEDGER_TAKEN)
            err_set(&why, ERR_BUSY, "another process is working on this job; ask it there");
        else if (result == LEDGER_NOT_FOUND)
            err_set(&why, ERR_NOT_FOUND, "there is no such job");
        else
            why = *err;
        tell(acting, NULL, &why);
        return;
    }
    job = job_by_id(engine, row->id);
    if (!job)
        job = engine_take_up(engine, row);
    if (!job) {
        err_nomem(&why);
        tell(acting, NULL, &why);
        return;
    }
    acting->act(acting, job);
}

static int act(struct engine *engine, const char *id, int cancel,
               void (*act_fn)(struct acting *acting, struct job *job), engine_acted_fn *done,
               void *ud)
{
    struct acting *acting = mem_alloc(sizeof(*acting));

    if (!acting)
        return -1;
    acting->engine = engine;
    acting->act = act_fn;
    acting->cancel = cancel;
    acting->done = done;
    acting->ud = ud;
    if (ledger_claim(engine->ledger, id, NULL, claimed, acting)) {
        mem_free(acting);
        return -1;
    }
    DL_APPEND(engine->actings, acting);
    return 0;
}

int engine_cancel(struct engine *engine, const char *id, engine_acted_fn *done, void *ud)
{
    return act(engine, id, 1, cancel_job, done, ud);
}

int engine_redeliver(struct engine *engine, const char *id, engine_acted_fn *done, void *ud)
{
    return act(engine, id, 0, redeliver_job, done, ud);
}

int engine_recheck(struct engine *engine, const char *id, engine_acted_fn *done, void *ud)
{
    return act(engine, id, 0, recheck_job, done, ud);
}

static void taken(void *ud, enum ledger_result result, const struct ledger_job *row,
                  const struct err *err)
{
    struct engine *engine = ud;

    (void)err;
    if (result != LEDGER_OK || engine->stopping || job_by_id(engine, row->id))
        return;
    engine_take_up(engine, row);
}

void engine_take(struct engine *engine, const char *id)
{
    if (!job_by_id(engine, id) && ledger_claim(engine->ledger, id, NULL, taken, engine))
        env_log(engine->env, AHP_LOG_INFO, LOG_JOB_TAKEN, "%s was not taken up: no memory", id);
}
