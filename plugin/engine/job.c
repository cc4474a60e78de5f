/*
 * job.c - a job in memory: which states may follow which, the one function that sets a state, and
 * the one way to make it durable.
 *
 * States move forward only. The exceptions are a person's wishes: an undeliverable or delivered
 * result can be sent again, and the provider can be asked once more about what expired.
 */
#include "engine/engine_private.h"

#include "base/crash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After a record that failed: a full disk, or no memory. */
#define RECORD_AGAIN_MS 1000

#define TO(state) (1u << (state))

/* What may follow what. A state may always be recorded again as it is. */
static const unsigned allowed[JOB_STATES] = {
    [JOB_PLANNED] = TO(JOB_UPLOADING) | TO(JOB_SUBMITTING) | TO(JOB_WORKING) | TO(JOB_FAILED) |
                    TO(JOB_CANCELLED) | TO(JOB_EXPIRED),
    [JOB_UPLOADING] = TO(JOB_SUBMITTING) | TO(JOB_WORKING) | TO(JOB_FAILED) | TO(JOB_CANCELLED) |
                      TO(JOB_EXPIRED),
    [JOB_SUBMITTING] = TO(JOB_WORKING) | TO(JOB_FETCHING) | TO(JOB_FAILED) | TO(JOB_CANCELLED) |
                       TO(JOB_UNKNOWN) | TO(JOB_EXPIRED),
    [JOB_WORKING] = TO(JOB_FETCHING) | TO(JOB_SUBMITTING) | TO(JOB_FAILED) | TO(JOB_CANCELLED) |
                    TO(JOB_UNKNOWN) | TO(JOB_EXPIRED),
    [JOB_FETCHING] = TO(JOB_READY) | TO(JOB_FAILED) | TO(JOB_EXPIRED),
    [JOB_READY] = TO(JOB_DELIVERING) | TO(JOB_DONE) | TO(JOB_UNDELIVERABLE),
    [JOB_DELIVERING] = TO(JOB_DELIVERED) | TO(JOB_UNDELIVERABLE),
    [JOB_UNDELIVERABLE] = TO(JOB_DELIVERING),
    [JOB_DELIVERED] = TO(JOB_DELIVERING),
    [JOB_EXPIRED] = TO(JOB_WORKING),
    [JOB_UNKNOWN] = TO(JOB_WORKING),
};

int job_state_allowed(enum job_state from, enum job_state to)
{
    return from == to || (allowed[from] & TO(to)) != 0;
}

int engine_state_ended(enum job_state state)
{
    return state >= JOB_DELIVERED;
}

void job_set_state(struct job *job, enum job_state state)
{
    struct ledger_job *row = job->row;

    if (row->state == state)
        return;
    if (!job_state_allowed(row->state, state)) {
        /* Believed impossible: kept out of the ledger, and told. */
        env_log(job->engine->env, AHP_LOG_ERROR, LOG_INTERNAL, "%s: %s may not become %s", row->id,
                job_state_name(row->state), job_state_name(state));
        return;
    }
    env_log(job->engine->env, AHP_LOG_DEBUG, LOG_JOB_STATE, "%s: %s -> %s", row->id,
            job_state_name(row->state), job_state_name(state));
    row->state = state;
    crash_point("state", job_state_name(state));
}

int job_text(char **at, const char *text)
{
    char *copy = mem_text(text);

    if (text && !copy)
        return -1;
    mem_free(*at);
    *at = copy;
    return 0;
}

/* The folder that came with its call is in the plan: a later process and another one keep to it. */
static char *folder_of(const struct engine *engine, const struct ledger_job *row)
{
    json_t *plan = json_loads(row->plan ? row->plan : "{}", 0, NULL);
    char *dir = config_output_dir(
        engine->config, json_string_value(json_object_get(plan, "output_dir")), row->kind);

    json_decref(plan);
    return dir;
}

static void job_drop(struct job *job)
{
    ledger_job_free(job->row);
    restore_drop(job);
    mem_free(job->dir);
    mem_free(job);
}

struct job *job_new(struct engine *engine, const struct ledger_job *row)
{
    struct job *job = schedule_room(engine, job_count(engine) + 1) ? NULL : mem_alloc(sizeof(*job));

    if (!job)
        return NULL;
    job->engine = engine;
    job->heap_index = SIZE_MAX;
    job->dir = folder_of(engine, row);
    if (!job->dir || ledger_job_copy(row, &job->row)) {
        job_drop(job);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, engine->jobs, job->row->id, strlen(job->row->id), job);
    if (!HASH_TOOK(job)) {
        job_drop(job);
        return NULL;
    }
    return job;
}

struct job *job_by_id(struct engine *engine, const char *id)
{
    struct job *job;

    HASH_FIND_STR(engine->jobs, id, job);
    return job;
}

size_t job_count(const struct engine *engine)
{
    return HASH_COUNT(engine->jobs);
}

void job_free(struct job *job)
{
    HASH_DEL(job->engine->jobs, job);
    schedule_off(job);
    batch_leave(job);
    batch_drop(job);
    net_cancel(job->call);
    /* While fetching, base64 that was paid for is nowhere but in these files. */
    if (job->row->state == JOB_FETCHING && !job->call)
        catch_leave(job);
    catch_drop(job);
    turn_free(job);
    turn_keep_drop(job);
    receipts_drop(job);
    json_wipe(job->secrets);
    json_decref(job->secrets);
    job_drop(job);
}

/* A record or a published file still calls back: such a job is freed there. */
void job_forget(struct job *job)
{
    struct engine *engine = job->engine;

    schedule_off(job);
    if (job->busy == BUSY_RECORD || job->busy == BUSY_FILE) {
        job->dropped = 1;
        return;
    }
    job_free(job);
    engine_idle_check(engine);
}

int job_back(struct job *job)
{
    struct engine *engine = job->engine;

    job->busy = BUSY_NOT;
    if (engine->closing)
        return 1;
    if (!job->dropped)
        return 0;
    job_free(job);
    engine_idle_check(engine);
    return 1;
}

int job_add_file(struct job *job, const struct ledger_file *facts, const char *path,
                 const char *mime, const char *prefix)
{
    struct ledger_job *row = job->row;
    struct ledger_file *files = mem_grow(row->files, (row->files_count + 1) * sizeof(*files));
    struct ledger_file *file;

    if (!files)
        return -1;
    row->files = files;
    file = &files[row->files_count];
    *file = *facts;
    file->path = mem_text(path);
    file->mime = mem_text(mime);
    if (!file->path || !file->mime || env_handle(file->handle, sizeof(file->handle), prefix, 8)) {
        mem_free(file->path);
        mem_free(file->mime);
        return -1;
    }
    row->files_count++;
    return 0;
}

static void recorded(void *ud, enum ledger_result result, uint32_t flags, const struct err *err)
{
    struct job *job = ud;
    struct engine *engine = job->engine;
    job_then_fn *then = job->then;

    if (job_back(job))
        return;
    if (result == LEDGER_FAILED) {
        env_log(engine->env, AHP_LOG_ERROR, LOG_LEDGER, "%s could not be stored: %s", job->row->id,
                err->text);
        /* Nothing goes on before this is durable; the disk may have room again soon. */
        job->unrecorded = 1;
        schedule_in(job, RECORD_AGAIN_MS);
        return;
    }
    if (result != LEDGER_OK) {
        env_log(engine->env, AHP_LOG_WARN, LOG_JOB_LOST_LEASE,
                "%s is another process's now, its work here ends", job->row->id);
        job_forget(job);
        return;
    }
    job->then = NULL;
    job_text(&job->row->upload_key, NULL);
    job_text(&job->row->upload_url, NULL);
    job->row->flags |= flags & LEDGER_JOB_CANCEL;
    watch_changed(engine, job);
    if (job->release) {
        receipts_pass_on(job);
        job_forget(job);
        engine_scan_soon(engine);
        return;
    }
    while (job->receipts)
        if (receipt_next(job))
            return; /* what was to come next is overtaken */
    if (then)
        then(job);
    else if ((job->row->flags & LEDGER_JOB_CANCEL) && job->row->state < JOB_READY)
        act_cancel(job);
    job_rest(job);
    engine_idle_check(engine);
}

void job_rest(struct job *job)
{
    if (job->busy == BUSY_NOT && !job->dropped && job->heap_index == SIZE_MAX)
        schedule_in(job, job->row->due_ms - env_wall_ms(job->engine->env));
}

void job_record(struct job *job, int release, job_then_fn *then)
{
    job->row->updated_ms = env_wall_ms(job->engine->env);
    job->then = then;
    job->release = release;
    job->busy = BUSY_RECORD;
    job->unrecorded = 0;
    if (ledger_record(job->engine->ledger, job->row, release, recorded, job)) {
        job->busy = BUSY_NOT;
        job->unrecorded = 1;
        schedule_in(job, RECORD_AGAIN_MS);
    }
}

enum words_language job_language(const struct job *job)
{
    return words_choose(job->row->locale, NULL);
}

const struct config_provider *job_provider(struct job *job, struct err *err)
{
    const struct config_provider *provider;
    const char *account = job->row->account;
    struct err broken;

    /* A broken file leaves the last good state in place: good enough to go on with. */
    if (config_refresh(job->engine->config, &broken))
        env_log(job->engine->env, AHP_LOG_DEBUG, LOG_CONFIG, "%s", broken.text);
    provider = config_provider_by_id(job->engine->config, job->row->provider);
    if (!provider) {
        err_set(err, ERR_CONFIG, "provider \"%s\" is not in %s any more", job->row->provider,
                config_file(job->engine->config));
        return NULL;
    }
    /* Up to the dash it is the service's address, after it the key, which may be renewed. */
    if (account && strncmp(account, provider->fingerprint, strcspn(account, "-")) != 0) {
        err_set(err, ERR_CONFIG,
                "provider \"%s\" has another baseUrl now than when this job was sent",
                job->row->provider);
        return NULL;
    }
    return provider;
}

static char *notice_words(const struct job *job)
{
    char key[64];
    char *error = words_sentence(job->row->error_text);
    json_t *values = json_pack("{s:s, s:s?, s:s?, s:s}", "job", job->row->id, "error", error,
                               "advice", job->row->advice, "provider", job->row->provider);
    char *text;

    snprintf(key, sizeof(key), "notice.%s", job_state_name(job->row->state));
    text = words_text(job_language(job), key, values);
    json_decref(values);
    mem_free(error);
    return text;
}

/* Somebody who was told that it would come by itself has not heard yet that it will not. */
static int owes_words(const struct job *job)
{
    enum job_state state = job->row->state;

    return (job->row->flags & LEDGER_JOB_DELIVERS) && job->row->deliveries_count <= job->told &&
           (state == JOB_FAILED || state == JOB_EXPIRED || state == JOB_UNKNOWN);
}

int job_tell(struct job *job)
{
    char *words;
    int rc;

    if (!owes_words(job))
        return 0;
    words = notice_words(job);
    rc = words ? deliver_add(job, AHP_DELIVERY_NOTICE, words) : -1;
    mem_free(words);
    return rc;
}

void job_end(struct job *job, enum job_state state, const struct err *err)
{
    struct ledger_job *row = job->row;
    char *advice = words_advice(job_language(job), err);
    char scrubbed[LIMIT_ERR_TEXT];

    snprintf(scrubbed, sizeof(scrubbed), "%s", err->text);
    env_scrub(job->engine->env, scrubbed);
    net_cancel(job->call);
    job->call = NULL;
    catch_drop(job);
    catch_sweep(job);
    turn_free(job);
    job->rechecks = 0;
    job_set_state(job, state);
    row->error_kind = err->kind;
    row->ended_ms = env_wall_ms(job->engine->env);
    mem_free(row->advice);
    row->advice = advice;
    if (job_text(&row->error_text, scrubbed))
        env_log(job->engine->env, AHP_LOG_ERROR, LOG_INTERNAL, "%s: no memory for its error",
                row->id);
    env_log(job->engine->env, AHP_LOG_INFO, LOG_JOB_STATE, "%s ended as %s: %s", row->id,
            job_state_name(state), scrubbed);
    row->open = owes_words(job);
    if (job_tell(job))
        env_log(job->engine->env, AHP_LOG_ERROR, LOG_INTERNAL, "%s: no memory to tell of it",
                row->id);
    job_record(job, !row->open, row->open ? deliver_run : NULL);
}
