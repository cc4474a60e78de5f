/*
 * run.c - asks the adapter for the next step and carries it out.
 *
 * A request that spends is announced first: state SUBMITTING and the flag JOB_SENT are durable
 * before a byte leaves. A job that is found with that flag after a restart is told to its adapter
 * as `resumed`, and never simply sent again. The flag goes in the same record that stores what the
 * answer meant.
 */
#include "engine/engine_private.h"

#include "base/crash.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A provider that is gone from the configuration may come back: nothing paid for is given up. */
#define CONFIG_AGAIN_MS 30000
/* Past its deadline so many answers may still say that a job is not done, or nothing of use. */
#define OVERDUE_ANSWERS 2

void turn_free(struct job *job)
{
    if (!job->turn)
        return;
    json_wipe(job->turn->step.credential);
    json_decref(job->turn->step.credential);
    arena_done(&job->turn->arena);
    mem_free(job->turn);
    job->turn = NULL;
}

static json_t *parse(const char *text)
{
    return json_loads(text ? text : "{}", 0, NULL);
}

void turn_keep_drop(struct job *job)
{
    arena_done(&job->kept_arena);
    job->kept = NULL;
}

/* A paid answer that cannot be read now (no provider in the configuration, no memory) comes once.
 */
static void keep(struct job *job, const struct http_reply *reply)
{
    struct arena *arena = &job->kept_arena;
    struct http_reply *kept;

    if (reply == job->kept)
        return;
    kept = arena_alloc(arena, sizeof(*kept));
    if (kept) {
        *kept = *reply;
        kept->content_type = arena_text(arena, reply->content_type);
        kept->request_id = arena_text(arena, reply->request_id);
        kept->text = arena_text_n(arena, reply->text, reply->text_len);
        kept->error = arena_text(arena, reply->error);
    }
    if (arena->failed)
        turn_keep_drop(job);
    else
        job->kept = kept;
}

/* Headers may point into the configuration, which may be read anew before the request goes. */
static void own_headers(struct turn *turn)
{
    struct http_request *request = &turn->step.request;

    for (size_t i = 0; turn->step.kind == STEP_SEND && i < request->headers_count; i++) {
        request->headers[i].name = arena_text(&turn->arena, request->headers[i].name);
        request->headers[i].value = arena_text(&turn->arena, request->headers[i].value);
    }
}

/* What the step tells of an upload goes with the next record. */
static int take_upload(struct job *job, int64_t now_ms)
{
    const struct provider_step *step = &job->turn->step;
    struct ledger_job *row = job->row;

    if (!step->uploaded_key || !step->uploaded_url || step->uploaded_keep_ms <= 0)
        return 0;
    row->upload_until_ms = now_ms + step->uploaded_keep_ms;
    return job_text(&row->upload_key, step->uploaded_key) ||
           job_text(&row->upload_url, step->uploaded_url);
}

/* Only among the jobs of this process; one asked for by another is not told apart. */
static int is_anothers(void *ud, const char *provider_job)
{
    const struct job *job = ud;
    const struct ledger_job *row = job->row;

    for (const struct job *other = job->engine->jobs; other; other = other->hh.next)
        if (other != job && other->row->provider_job &&
            strcmp(other->row->provider_job, provider_job) == 0 &&
            strcmp(other->row->provider, row->provider) == 0 &&
            strcmp(other->row->request, row->request) == 0)
            return 1;
    return 0;
}

/* Asks the adapter; leaves the step in job->turn and the new flow in the row. */
static int turn_take(struct job *job, const struct http_reply *reply, struct err *err)
{
    struct ledger_job *row = job->row;
    const struct config_provider *provider = job_provider(job, err);
    struct provider_turn turn = {.reply = reply};
    json_t *request = NULL;
    char *flow = NULL;
    int rc = -1;

    if (!provider)
        return -1;
    turn_free(job);
    job->turn = mem_alloc(sizeof(*job->turn));
    request = parse(row->request);
    turn.flow = parse(row->flow);
    if (!job->secrets)
        job->secrets = json_object();
    if (!job->turn || !request || !turn.flow || !job->secrets) {
        err_nomem(err);
        goto out;
    }
    turn.account = &provider->account;
    turn.request = request;
    turn.secrets = job->secrets;
    turn.job_id = row->id;
    turn.is_anothers = is_anothers;
    turn.anothers_ud = job;
    turn.now_ms = env_wall_ms(job->engine->env);
    turn.recheck = job->rechecks;
    turn.cancelled = (row->flags & LEDGER_JOB_CANCEL) != 0;
    turn.resumed = !reply && (row->flags & JOB_SENT);
    turn.arena = &job->turn->arena;
    provider->adapter->next(&turn, &job->turn->step);
    own_headers(job->turn);
    flow = json_dumps(turn.flow, JSON_COMPACT);
    if (!flow || job->turn->arena.failed) {
        err_nomem(err);
        goto out;
    }
    if (strlen(flow) > LIMIT_FLOW_BYTES) {
        err_set(err, ERR_INTERNAL, "the state of this job grew past %d bytes", LIMIT_FLOW_BYTES);
        goto out;
    }
    if (job_text(&row->flow, flow) ||
        (job->turn->step.provider_job &&
         job_text(&row->provider_job, job->turn->step.provider_job)) ||
        take_upload(job, turn.now_ms)) {
        err_nomem(err);
        goto out;
    }
    rc = 0;
out:
    free(flow);
    json_decref(turn.flow);
    json_decref(request);
    if (rc)
        turn_free(job);
    return rc;
}

static void answered(void *ud, const struct http_reply *reply);

static void send_step(struct job *job)
{
    struct ledger_job *row = job->row;

    int spends = job->turn->step.request.effect == HTTP_SPENDS;

    /* Asked to end while this was being recorded: it was announced but not sent. */
    if ((row->flags & LEDGER_JOB_CANCEL) && (spends || !act_has_made(job))) {
        if (spends)
            row->flags &= ~JOB_SENT;
        if (!(row->flags & JOB_SENT)) {
            act_cancel(job);
            return;
        }
    }
    job_send(job, &job->turn->step.request, answered);
}

/* What is paid for may come with the answer, and only once: it must have a place to lie. */
static int no_room(const struct job *job, struct err *err)
{
    return job->turn->step.request.effect == HTTP_SPENDS && media_folder_check(job->dir, err);
}

/* What is announced before a request goes out. 1: it must be recorded first. */
static int announce(struct job *job)
{
    const struct provider_step *step = &job->turn->step;
    struct ledger_job *row = job->row;

    if (step->request.effect == HTTP_SPENDS) {
        row->flags |= JOB_SENT;
        if (!row->submitted_ms)
            row->submitted_ms = env_wall_ms(job->engine->env);
        job_set_state(job, JOB_SUBMITTING);
        return 1;
    }
    if (step->phase == PHASE_UPLOAD && row->state == JOB_PLANNED) {
        job_set_state(job, JOB_UPLOADING);
        return 1;
    }
    return step->phase != PHASE_POLL;
}

/*
 * Whether a job that the provider has accepted is asked for no more. Past the deadline an answer
 * may be older than the sleep in which it went by, and a machine that woke up may lack its network.
 */
static int is_over(struct job *job, const struct http_reply *reply, int64_t now)
{
    const struct ledger_job *row = job->row;

    if (!row->deadline_ms || now < row->deadline_ms)
        return 0;
    if (!reply || reply->outcome != HTTP_ANSWERED)
        return row->tries >= LIMIT_RETRIES;
    return job->overdue++ >= OVERDUE_ANSWERS;
}

static void step_wait(struct job *job, const struct http_reply *reply)
{
    struct ledger_job *row = job->row;
    struct provider_times times;
    int first = row->state != JOB_WORKING;
    int64_t now = env_wall_ms(job->engine->env);
    int64_t wait;
    struct err err;

    job_times(job, &times);
    if (!row->submitted_ms)
        row->submitted_ms = now;
    if (!row->deadline_ms && times.deadline_ms)
        row->deadline_ms = row->submitted_ms + times.deadline_ms;
    if (row->deadline_ms && now >= row->deadline_ms && row->state == JOB_WORKING) {
        if (!is_over(job, reply, now)) {
            row->tries = 0;
            schedule_in(job, times.floor_ms);
            turn_free(job);
            return;
        }
        err_set(&err, ERR_EXPIRED, "not finished %lld minutes after it was sent",
                (long long)((now - row->submitted_ms) / 60000));
        job_end(job, JOB_EXPIRED, &err);
        return;
    }
    job_set_state(job, JOB_WORKING);
    job->told = row->deliveries_count; /* words about an earlier end are past */
    row->tries = 0;
    if (job->turn->step.progress >= 0)
        row->progress = job->turn->step.progress;
    wait = schedule_poll_ms(&times, now - row->submitted_ms, first);
    if (wait < job->turn->step.not_before_ms)
        wait = job->turn->step.not_before_ms;
    if (wait > LIMIT_RETRY_AFTER_MS)
        wait = LIMIT_RETRY_AFTER_MS;
    row->due_ms = now + wait;
    schedule_in(job, wait);
    turn_free(job);
    job_record(job, 0, NULL);
}

/* A page is for the words of the result, which come later. */
static void keep_page(struct job *job, const char *page)
{
    json_t *plan = page ? parse(job->row->plan) : NULL;
    char *text = NULL;

    if (plan && json_object_set_new(plan, "page", json_string(page)) == 0)
        text = json_dumps(plan, JSON_COMPACT);
    if (text && job_text(&job->row->plan, text))
        env_log(job->engine->env, AHP_LOG_WARN, LOG_INTERNAL, "%s: no memory for its page",
                job->row->id);
    free(text);
    json_decref(plan);
}

static void step_done(struct job *job)
{
    struct provider_step *step = &job->turn->step;
    struct ledger_job *row = job->row;

    if (!row->ended_ms)
        row->ended_ms = env_wall_ms(job->engine->env);
    if (step->cost >= 0)
        row->cost = step->cost;
    if (step->currency && job_text(&row->currency, step->currency))
        env_log(job->engine->env, AHP_LOG_WARN, LOG_INTERNAL, "%s: no memory for its currency",
                row->id);
    keep_page(job, step->page);
    if (row->state == JOB_PLANNED || row->state == JOB_UPLOADING)
        job_set_state(job, JOB_WORKING);
    job_set_state(job, JOB_FETCHING);
    row->progress = 1000;
    row->tries = 0;
    job_record(job, 0, fetch_start);
}

static void credential_kept(void *ud, int changed, const struct err *err)
{
    struct job *job = ud;

    (void)changed;
    if (job_back(job))
        return;
    if (err)
        job_end(job, JOB_FAILED, err);
    else
        step_done(job);
}

/* Before the job says that it is done: what is asked twice may not be told twice. */
static void keep_credential(struct job *job)
{
    struct err err;

    job->busy = BUSY_FILE;
    if (config_credential_save(job->engine->config, job->row->provider, job->turn->step.credential,
                               credential_kept, job, &err) == 0)
        return;
    job->busy = BUSY_NOT;
    job_end(job, JOB_FAILED, &err);
}

/*
 * A failure that may pass. What the provider has accepted is asked for until its deadline; what was
 * not accepted is tried LIMIT_SUBMITS times more: somebody is waiting to hear.
 */
static int step_retry(struct job *job, const struct http_reply *reply)
{
    struct ledger_job *row = job->row;
    int64_t now = env_wall_ms(job->engine->env);
    int64_t wait = schedule_backoff_ms(row->tries);

    if (row->state == JOB_WORKING ? is_over(job, reply, now) : row->tries >= LIMIT_SUBMITS)
        return 0;
    if (reply && reply->retry_after_ms > 0)
        wait = reply->retry_after_ms;
    if (wait < job->turn->step.not_before_ms)
        wait = job->turn->step.not_before_ms;
    if (wait > LIMIT_RETRY_AFTER_MS)
        wait = LIMIT_RETRY_AFTER_MS;
    row->tries++;
    row->due_ms = now + wait;
    env_log(job->engine->env, AHP_LOG_INFO, LOG_JOB_RETRY, "%s: try %u again in %lld ms: %s",
            row->id, row->tries, (long long)wait, job->turn->step.error.text);
    schedule_in(job, wait);
    turn_free(job);
    job_record(job, 0, NULL);
    return 1;
}

static void step_fail(struct job *job, const struct http_reply *reply)
{
    struct err err = job->turn->step.error;

    if (job->turn->step.retry && step_retry(job, reply))
        return;
    if (job->turn->step.retry && job->row->state == JOB_WORKING) {
        job_end(job, JOB_EXPIRED, &err);
        return;
    }
    job_end(job, err.kind == ERR_EXPIRED ? JOB_EXPIRED : JOB_FAILED, &err);
}

/* Carries out the step in job->turn, whose flow is in the row already. */
static void step_do(struct job *job, const struct http_reply *reply)
{
    struct provider_step *step = &job->turn->step;
    struct err err;

    if (step->unknown_word && !job->word_logged) {
        job->word_logged = 1;
        env_log(job->engine->env, AHP_LOG_WARN, LOG_JOB_UNKNOWN_WORD,
                "%s: the provider says \"%s\", which is not known; taken as not done yet",
                job->row->id, step->unknown_word);
    }
    /* Asked to end, and nothing more was learned that would be lost by it. */
    if ((job->row->flags & LEDGER_JOB_CANCEL) &&
        (step->kind == STEP_WAIT || step->kind == STEP_SEND) && !act_has_made(job)) {
        if (step->kind == STEP_WAIT)
            act_ask_provider(job);
        err_set(&err, ERR_CANCELLED, "cancelled");
        job_end(job, JOB_CANCELLED, &err);
        return;
    }
    /* Nobody asked for it to be paid for: only for a look. */
    if (job->rechecks && step->kind == STEP_SEND && step->request.effect == HTTP_SPENDS) {
        err_set(&err, ERR_EXPIRED, "it was never accepted; resubmit sends it again");
        job_end(job, JOB_EXPIRED, &err);
        return;
    }
    if (step->kind != STEP_SEND)
        job->rechecks = 0;
    switch (step->kind) {
    case STEP_SEND:
        if (no_room(job, &err)) {
            job_end(job, JOB_FAILED, &err);
            return;
        }
        if (announce(job))
            job_record(job, 0, send_step);
        else
            send_step(job);
        return;
    case STEP_WAIT:
        step_wait(job, reply);
        return;
    case STEP_DONE:
        if (step->credential)
            keep_credential(job);
        else
            step_done(job);
        return;
    case STEP_FAIL:
        step_fail(job, reply);
        return;
    case STEP_UNKNOWN:
        err = step->error;
        job_end(job, JOB_UNKNOWN, &err);
        return;
    }
}

/* Nothing has left that might have cost something. */
static int is_unpaid(const struct ledger_job *row)
{
    return row->state < JOB_SUBMITTING ||
           (row->state == JOB_SUBMITTING && !(row->flags & JOB_SENT));
}

/* A turn that could not be taken: no memory, or no such provider just now. */
static void trouble(struct job *job, const struct err *err)
{
    struct ledger_job *row = job->row;
    int64_t now = env_wall_ms(job->engine->env);
    int64_t wait = err->kind == ERR_CONFIG ? CONFIG_AGAIN_MS : 1000;

    env_log(job->engine->env, AHP_LOG_WARN, LOG_JOB_RETRY, "%s waits: %s", row->id, err->text);
    job->rechecks = 0;
    if (err->kind == ERR_INTERNAL || (err->kind == ERR_CONFIG && is_unpaid(row))) {
        job_end(job, JOB_FAILED, err);
        return;
    }
    if (row->state == JOB_WORKING && row->deadline_ms && now >= row->deadline_ms) {
        job_end(job, JOB_EXPIRED, err);
        return;
    }
    schedule_in(job, wait);
    /* People who ask see what it waits for. */
    if (err->kind == ERR_CONFIG && (!row->error_text || strcmp(row->error_text, err->text) != 0) &&
        job_text(&row->error_text, err->text) == 0) {
        row->due_ms = now + wait;
        job_record(job, 0, NULL);
    }
}

int turn_again(struct job *job)
{
    struct err err;

    if (turn_take(job, NULL, &err) == 0)
        return 0;
    trouble(job, &err);
    return -1;
}

static void turn_and_do(struct job *job, const struct http_reply *reply)
{
    struct err err;

    if (turn_take(job, reply, &err)) {
        if (reply && (job->row->flags & JOB_SENT))
            keep(job, reply);
        trouble(job, &err);
        return;
    }
    if (job->row->error_kind == ERR_NONE && job->row->error_text)
        job_text(&job->row->error_text, NULL); /* what it waited for is there */
    if (reply || job->turn->step.kind != STEP_SEND)
        job->row->flags &= ~JOB_SENT;
    step_do(job, reply);
    turn_keep_drop(job);
}

static void answered(void *ud, const struct http_reply *reply)
{
    struct job *job = ud;
    struct http_reply whole = *reply;
    struct err err;

    crash_point("answer", job->row->id);
    job->call = NULL;
    job->busy = BUSY_NOT;
    job->spending = 0;
    if (reply->outcome == HTTP_CANCELLED || job->engine->closing)
        return; /* the net is closing; the ledger knows what was under way */
    if (catch_finish(job, &whole, &err)) {
        whole.outcome = HTTP_SINK;
        whole.error = err.text;
    }
    turn_and_do(job, &whole);
    catch_read(job);
    if (!job->turn || job->turn->step.kind != STEP_DONE)
        engine_idle_check(job->engine);
}

void job_send(struct job *job, const struct http_request *request, net_done_fn *done)
{
    const struct config_provider *provider;
    struct http_reply refused = {.outcome = HTTP_NOT_SENT, .content_type = "", .request_id = "",
                                 .retry_after_ms = -1, .length = -1, .text = ""};
    struct net_sink sink;
    const struct net_sink *use;
    struct err err = {.kind = ERR_NONE};

    if (job->engine->stopping) {
        /* Stays as recorded; who comes next finds out. Nothing was sent, so say so. */
        job->row->flags &= ~JOB_SENT;
        job_record(job, 1, NULL);
        return;
    }
    provider = job_provider(job, &err);
    if (!provider) {
        if (request->effect == HTTP_SPENDS)
            job->row->flags &= ~JOB_SENT;
        trouble(job, &err);
        return;
    }
    use = catch_sink(job, request->answer, &sink);
    job->busy = BUSY_NET;
    job->spending = request->effect == HTTP_SPENDS;
    if (net_send(job->engine->net, request, &provider->peer, use, done, job, &job->call,
                             &err) == 0) {
        crash_point("sent", job->row->id);
        watch_changed(job->engine, job);
        return;
    }
    refused.error = err.text;
    if (err.kind == ERR_REFUSED)
        refused.outcome = HTTP_REFUSED;
    done(job, &refused);
}

int turn_first(struct job *job, struct err *err)
{
    if (turn_take(job, NULL, err))
        return -1;
    if (job->turn->step.kind == STEP_FAIL) {
        *err = job->turn->step.error;
        return -1;
    }
    if (job->turn->step.kind == STEP_SEND) {
        if (no_room(job, err))
            return -1;
        announce(job);
    }
    return 0;
}

void turn_go(struct job *job)
{
    if (job->turn && job->turn->step.kind == STEP_SEND)
        send_step(job);
    else
        job_run(job);
}

void job_run(struct job *job)
{
    if (job->busy == BUSY_RECEIPT && !job->dropped) {
        deliver_overdue(job);
        return;
    }
    if (job->busy != BUSY_NOT || job->dropped)
        return;
    if (job->unrecorded) {
        job_record(job, job->release, job->then);
        return;
    }
    if (batch_is_whole(job) && job->row->state < JOB_READY) {
        if (!job->engine->stopping)
            batch_run(job);
        return;
    }
    if (job->row->state < JOB_READY && batch_enter(job))
        return;
    switch (job->row->state) {
    case JOB_PLANNED:
    case JOB_UPLOADING:
    case JOB_SUBMITTING:
    case JOB_WORKING:
        if (!job->engine->stopping)
            turn_and_do(job, job->kept);
        return;
    case JOB_FETCHING:
        if (!job->engine->stopping)
            fetch_start(job);
        return;
    default:
        deliver_run(job);
        return;
    }
}
