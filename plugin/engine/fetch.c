/*
 * fetch.c - brings the results of a finished job to disk, one after the other. Which files are
 * there is in the ledger by number, so that a restart goes on with the next one. Base64 that came
 * with the answer is on disk already as a .part; addresses are downloaded.
 *
 * One missing file of several does not lose the others: what can be had is delivered, and the words
 * say what is missing and where it is.
 */
#include "engine/engine_private.h"

#include "base/crash.h"
#include "base/mem.h"
#include "base/words.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <string.h>

#define FETCH_SLOWLY 10 /* times the longest usual pause, once the usual tries are over */

static void fetch_next(struct job *job);

/* Base64 comes first by its own number, so that addresses and blobs of one answer never collide. */
static uint32_t number_of(const struct provider_step *step, size_t index)
{
    const struct provider_result *result = &step->results[index];
    uint32_t blobs = 0;

    for (size_t i = 0; i < step->results_count; i++)
        if (step->results[i].blob >= 0 && (uint32_t)step->results[i].blob + 1 > blobs)
            blobs = (uint32_t)step->results[i].blob + 1;
    return result->blob >= 0 ? (uint32_t)result->blob + 1 : blobs + (uint32_t)index + 1;
}

static int have(const struct job *job, uint32_t number)
{
    for (size_t i = 0; i < job->row->files_count; i++)
        if (job->row->files[i].number == number)
            return 1;
    return 0;
}

static enum media_kind kind_of(const struct job *job)
{
    if (strcmp(job->row->kind, "media") == 0 || (job->turn && job->turn->step.any_kind))
        return MEDIA_UNKNOWN;
    return strcmp(job->row->kind, "video") == 0 ? MEDIA_VIDEO : MEDIA_IMAGE;
}

/* Which result the file under way belongs to. */
static const struct provider_result *current(const struct job *job)
{
    const struct provider_step *step = &job->turn->step;

    for (size_t i = 0; i < step->results_count; i++)
        if (number_of(step, i) == job->fetching)
            return &step->results[i];
    return NULL;
}

/* An address without what follows "?": it may be signed, and the ledger keeps no credentials. */
static char *plain_url(const char *url)
{
    return url ? mem_text_n(url, strcspn(url, "?#")) : NULL;
}

static const char *handle_prefix(enum media_kind kind)
{
    return kind == MEDIA_VIDEO ? "vid_" : kind == MEDIA_AUDIO ? "aud_" : "img_";
}

static int add_file(struct job *job, const struct media_facts *facts, const char *path)
{
    const struct provider_result *result = current(job);
    struct ledger_file file = {
        .number = job->fetching,
        .url = result && !result->auth ? plain_url(result->url) : NULL,
        .width = facts->width,
        .height = facts->height,
        .duration_ms = facts->duration_ms,
        .bytes = facts->bytes,
    };

    if (job_add_file(job, &file, path, facts->mime, handle_prefix(facts->kind)) == 0)
        return 0;
    mem_free(file.url);
    return -1;
}

void fetch_finish(struct job *job)
{
    struct ledger_job *row = job->row;

    if (!(row->flags & LEDGER_JOB_DELIVERS)) {
        job_set_state(job, JOB_DONE);
        row->open = 0;
        job_record(job, 1, NULL);
        return;
    }
    deliver_begin(job);
}

static void all_here(struct job *job)
{
    measure_check(job);
    job_set_state(job, JOB_READY);
    fetch_finish(job);
}

/* The whole job: nothing left to bring. */
static void finish(struct job *job)
{
    struct ledger_job *row = job->row;
    struct err err = job->fetch_err;

    catch_drop(job);
    catch_sweep(job);
    turn_free(job);
    if (!row->files_count && strcmp(row->kind, "login") != 0) {
        if (err.kind == ERR_NONE)
            err_set(&err, ERR_ANSWER, "the provider says it is done but names no result");
        if (kind_of(job) == MEDIA_UNKNOWN && err.kind == ERR_ANSWER)
            err_advise(&err, "fetch");
        job_end(job, JOB_FAILED, &err);
        return;
    }
    env_scrub(job->engine->env, err.text); /* part of it may be a provider's own words */
    if (err.kind != ERR_NONE && job_text(&row->error_text, err.text) == 0)
        row->error_kind = err.kind;
    if (!record_start(job, all_here))
        all_here(job);
}

static void file_failed(struct job *job, const struct err *err)
{
    const struct provider_result *result = current(job);
    char *url = result && !result->auth && result->url ? mem_text(result->url) : NULL;

    env_log(job->engine->env, AHP_LOG_WARN, LOG_MEDIA, "%s: file %u: %s", job->row->id,
            job->fetching, err->text);
    if (err->kind == ERR_NOMEM && job->row->tries < LIMIT_RETRIES) {
        schedule_in(job, schedule_backoff_ms(job->row->tries++));
        return; /* fetch_start begins with this file again */
    }
    if (job->fetch_err.kind == ERR_NONE) {
        /* It may be paid for: the user gets the address even if we could not use it. */
        if (url && strlen(url) < LIMIT_ERR_TEXT / 2)
            err_set(&job->fetch_err, err->kind, "%s (%s)", err->text, url);
        else
            job->fetch_err = *err;
        if (url && err->kind != ERR_REFUSED)
            err_advise(&job->fetch_err, "link");
    }
    mem_free(url);
    job->row->tries = 0;
    job->failed |= 1u << (job->fetching & 31);
    fetch_next(job);
}

static void published(void *ud, const struct media_facts *facts, const char *path,
                      const struct err *err)
{
    struct job *job = ud;

    if (job_back(job))
        return; /* the file is there; the next process finds it */
    if (!facts && err->kind == ERR_CANCELLED) {
        schedule_in(job, 1000); /* the host dropped the work; what was written is adopted */
        engine_idle_check(job->engine);
        return;
    }
    if (facts)
        crash_point("published", job->row->id);
    if (!facts) {
        file_failed(job, err);
        return;
    }
    if (!restore_begin(job, facts, path))
        fetch_have(job, facts, path);
}

void fetch_have(struct job *job, const struct media_facts *facts, const char *path)
{
    if (add_file(job, facts, path)) {
        struct err nomem;

        err_nomem(&nomem);
        file_failed(job, &nomem);
        return;
    }
    job->row->tries = 0;
    if (job->row->error_kind == ERR_NONE)
        job_text(&job->row->error_text, NULL); /* what it waited for is there */
    fetch_next(job);
}

/* Takes the part out of *part, unless it could not be begun. */
static void publish(struct job *job, struct media_part **part)
{
    struct media_part *taken = *part;
    struct err err;

    job->busy = BUSY_FILE;
    if (media_part_publish_take(taken, job->engine->env, kind_of(job), published, job, &err) == 0) {
        *part = NULL;
        return;
    }
    job->busy = BUSY_NOT;
    file_failed(job, &err); /* still where it was, for the next try */
}

/*
 * Whether there is hope. An answer that breaks off or cannot be stored costs its bytes each time;
 * one that does not come costs nothing, and what it would bring is paid for.
 */
static int may_try_again(const struct job *job, const struct http_reply *reply)
{
    const struct ledger_job *row = job->row;
    int came = reply->outcome == HTTP_TRUNCATED || reply->outcome == HTTP_SINK;
    int64_t since_ms = env_wall_ms(job->engine->env) - row->ended_ms;

    return row->tries < LIMIT_RETRIES ||
           (!came && row->ended_ms && since_ms >= 0 && since_ms < LIMIT_FETCH_MS);
}

/* When: as it is asked for, within reason; else after less and less. */
static int64_t fetch_wait_ms(const struct job *job, const struct http_reply *reply)
{
    unsigned tries = job->row->tries;
    int64_t wait_ms = schedule_backoff_ms(tries);

    if (tries >= LIMIT_RETRIES)
        wait_ms *= FETCH_SLOWLY;
    if (reply->retry_after_ms > wait_ms || (reply->retry_after_ms > 0 && tries < LIMIT_RETRIES))
        wait_ms = reply->retry_after_ms;
    return wait_ms < LIMIT_RETRY_AFTER_MS ? wait_ms : LIMIT_RETRY_AFTER_MS;
}

/* A download that did not work out; tried again while there is hope. */
static void download_failed(struct job *job, const struct http_reply *reply)
{
    struct ledger_job *row = job->row;
    struct err err;
    int passing = reply->outcome != HTTP_ANSWERED || reply->status >= 500 || reply->status == 429 ||
                  reply->status == 408;
    enum err_kind kind = ERR_UNAVAILABLE;

    if (reply->outcome == HTTP_ANSWERED) {
        if (reply->status == 404 || reply->status == 410)
            kind = ERR_EXPIRED;
        else if (reply->status == 401 || reply->status == 403)
            kind = ERR_AUTH;
        err_set(&err, kind, "the result could not be downloaded: HTTP status %d", reply->status);
    } else if (reply->outcome == HTTP_REFUSED || reply->outcome == HTTP_TOO_LARGE) {
        passing = 0;
        err_set(&err, reply->outcome == HTTP_REFUSED ? ERR_REFUSED : ERR_LIMIT,
                "the result was not downloaded: %s", reply->error);
    } else if (reply->outcome == HTTP_SINK && job->catch.err.kind != ERR_NONE) {
        passing = job->catch.err.kind == ERR_IO || job->catch.err.kind == ERR_NOMEM;
        err = job->catch.err;
    } else {
        err_set(&err, ERR_UNAVAILABLE, "the result could not be downloaded: %s", reply->error);
    }
    catch_drop(job);
    if (passing && may_try_again(job, reply)) {
        int64_t wait = fetch_wait_ms(job, reply);

        if (row->tries++ >= LIMIT_RETRIES)
            job_text(&row->error_text, err.text); /* people who ask see what it waits for */
        row->due_ms = env_wall_ms(job->engine->env) + wait;
        env_log(job->engine->env, AHP_LOG_INFO, LOG_JOB_RETRY, "%s: try %u again in %lld ms: %s",
                row->id, row->tries, (long long)wait, err.text);
        schedule_in(job, wait);
        job_record(job, 0, NULL);
        return;
    }
    file_failed(job, &err);
}

static void downloaded(void *ud, const struct http_reply *reply)
{
    struct job *job = ud;

    job->call = NULL;
    job->busy = BUSY_NOT;
    if (reply->outcome == HTTP_CANCELLED || job->engine->closing)
        return;
    if (reply->outcome == HTTP_ANSWERED && reply->status / 100 == 2 && job->catch.parts[0])
        publish(job, &job->catch.parts[0]);
    else
        download_failed(job, reply);
    engine_idle_check(job->engine);
}

/* Where results of this provider may come from; copies, as the configuration may be read anew. */
static void allow_hosts(struct job *job, const struct config_provider *provider,
                        struct http_request *request)
{
    size_t count = provider ? provider->account.result_hosts_count : 0;
    const char **hosts = arena_alloc(&job->turn->arena, (count + 1) * sizeof(*hosts));

    for (size_t i = 0; hosts && i < count; i++)
        hosts[i] = arena_text(&job->turn->arena, provider->account.result_hosts[i]);
    request->hosts = hosts;
    request->hosts_count = count;
}

static void download(struct job *job, const struct provider_result *result)
{
    struct http_request request = {.effect = HTTP_READS, .answer = HTTP_ANSWER_FILE,
                                   .method = "GET", .url = result->url};
    struct err err;
    const struct config_provider *provider = job_provider(job, &err);

    request.file_bytes_max = kind_of(job) == MEDIA_IMAGE ? LIMIT_IMAGE_BYTES : LIMIT_VIDEO_BYTES;
    allow_hosts(job, provider, &request);
    /* Copies: job_send may read the configuration anew. */
    for (size_t i = 0; result->auth && provider && i < provider->account.headers_count; i++) {
        const struct http_header *header = &provider->account.headers[i];

        request.headers[i].name = arena_text(&job->turn->arena, header->name);
        request.headers[i].value = arena_text(&job->turn->arena, header->value);
        request.headers_count = i + 1;
    }
    if (job->turn->arena.failed) {
        job->turn->arena.failed = 0;
        err_nomem(&err);
        file_failed(job, &err);
        return;
    }
    job_send(job, &request, downloaded);
}

/* Short base64 that stayed in the answer's text. */
static void write_base64(struct job *job, const char *text)
{
    struct base64_decode_ctx ctx;
    uint8_t *data = mem_alloc(BASE64_DECODE_LENGTH(strlen(text)));
    size_t len = BASE64_DECODE_LENGTH(strlen(text));
    char *stem = catch_stem(job, job->fetching);
    struct media_part *part = NULL;
    struct err err;

    base64_decode_init(&ctx);
    if (!data || !stem)
        err_nomem(&err);
    else if (!base64_decode_update(&ctx, &len, data, strlen(text), text) ||
             !base64_decode_final(&ctx))
        err_set(&err, ERR_ANSWER, "the provider's base64 is damaged");
    else if (media_part_open(job->dir, stem, LIMIT_IMAGE_BYTES, &part, &err) == 0 &&
             media_part_write(part, data, len, &err) == 0)
        err.kind = ERR_NONE;
    mem_free(data);
    mem_free(stem);
    if (part && err.kind == ERR_NONE)
        publish(job, &part);
    else
        file_failed(job, &err);
    media_part_abandon(part);
}

/* The .part, or even the finished file, of a process that ended before it could say so. */
static void adopt(struct job *job, struct media_part **part)
{
    char *stem = catch_stem(job, job->fetching);
    struct err err;

    if (!stem)
        err_nomem(&err);
    else if (media_part_adopt(job->dir, stem, part, &err) == 0)
        err.kind = ERR_NONE;
    mem_free(stem);
    if (*part)
        publish(job, part);
    else
        file_failed(job, &err);
}

/* A part that a tool left, under its own name. */
static void adopt_file(struct job *job, const char *file)
{
    const char *slash = strrchr(file, '/');
    char *dir = slash ? mem_text_n(file, (size_t)(slash - file)) : NULL;
    struct media_part *part = NULL;
    struct err err;

    if (!dir)
        err_nomem(&err);
    else if (media_part_adopt(dir, slash + 1, &part, &err) == 0)
        err.kind = ERR_NONE;
    mem_free(dir);
    if (part)
        publish(job, &part);
    else
        file_failed(job, &err);
    media_part_abandon(part);
}

static void fetch_one(struct job *job, const struct provider_result *result)
{
    struct err err;

    if (result->file) {
        adopt_file(job, result->file);
        return;
    }

    if (result->url) {
        download(job, result);
        return;
    }
    if (result->base64) {
        write_base64(job, result->base64);
        return;
    }
    if (result->blob >= 0 && result->blob < LIMIT_BLOBS && job->catch.parts[result->blob]) {
        publish(job, &job->catch.parts[result->blob]);
        return;
    }
    if (result->blob >= 0 && result->blob < LIMIT_BLOBS && job->catch.broken[result->blob]) {
        err_set(&err, ERR_ANSWER, "the provider's base64 is damaged");
        file_failed(job, &err);
        return;
    }
    if (result->blob < 0 || result->blob >= LIMIT_BLOBS) {
        err_set(&err, ERR_INTERNAL, "the adapter names a result that cannot be");
        file_failed(job, &err);
        return;
    }
    adopt(job, &job->catch.parts[result->blob]);
}

static void fetch_next(struct job *job)
{
    struct provider_step *step = &job->turn->step;

    /* What came with the answer goes first: a download begins with no files open. */
    for (size_t i = 0; i < 2 * step->results_count; i++) {
        size_t index = i % step->results_count;
        uint32_t number = number_of(step, index);

        if ((step->results[index].url != NULL) != (i >= step->results_count) ||
            have(job, number) || (job->failed & (1u << (number & 31))))
            continue;
        /* What is here already is made durable before the next one is begun. */
        if (job->row->files_count != job->files_recorded) {
            job->files_recorded = job->row->files_count;
            job_record(job, 0, fetch_next);
            return;
        }
        job->fetching = number;
        fetch_one(job, &step->results[index]);
        return;
    }
    finish(job);
}

void fetch_start(struct job *job)
{
    struct err err;

    job->files_recorded = job->row->files_count;
    if (!job->turn && turn_again(job))
        return;
    if (job->turn->step.kind == STEP_FAIL) {
        err = job->turn->step.error;
        job_end(job, JOB_FAILED, &err);
        return;
    }
    if (job->turn->step.kind == STEP_DONE && job->fetch_err.kind == ERR_NONE) {
        job->fetch_err = job->turn->step.error;
        job->fetch_err.advice = NULL; /* may end with the turn, and there are results */
    }
    if (job->turn->step.kind != STEP_DONE) {
        err_set(&err, ERR_INTERNAL, "the adapter forgot where the results are");
        job_end(job, JOB_FAILED, &err);
        return;
    }
    fetch_next(job);
}
