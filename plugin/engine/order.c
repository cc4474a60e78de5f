/*
 * order.c - from a tool's order to a stored job. The first step is asked for before the job is
 * stored, so that the intent and "about to be sent" are one commit. Before that the ledger is asked
 * which of the order's local files the provider has already.
 */
#include "engine/engine_private.h"

#include "base/crash.h"
#include "base/mem.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* So many earlier jobs make a rule of their durations. */
#define HISTORY_MIN 3
#define LABEL_BYTES 48 /* of the words that tell a request from others */

struct ordering {
    struct ordering *prev;
    struct ordering *next;
    struct job *job;
    int hold;
    enum ledger_dedup dedup;
    char *key; /* what makes it the same as another; NULL: nothing */
    json_t *uploads; /* keys of its local files, or NULL */
    int has_budget;
    struct ledger_budget budget;
    engine_ordered_fn *done;
    void *ud;
};

static void ordering_free(struct ordering *ordering)
{
    if (!ordering)
        return;
    json_decref(ordering->uploads);
    mem_free(ordering->key);
    mem_free(ordering);
}

void order_done(struct engine *engine)
{
    struct ordering *ordering;

    while ((ordering = engine->orderings)) {
        DL_DELETE(engine->orderings, ordering);
        ordering_free(ordering);
    }
}

/*
 * What makes two orders the same request: conversation, tool and arguments, and the host's key when
 * it gave one. With that, `again` is part of the request: the host's own retry of such a call is no
 * further wish of the user's. Without it, `again` means that nothing is the same.
 */
static char *dedup_key(struct engine *engine, const struct engine_order *order)
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char index[16];
    const char *pieces[] = {order->conversation, order->tool, order->dedup_text,
                            order->dedup_key,
                            order->dedup_key && !order->batch ? engine->env->host->name : NULL,
                            order->batch_index ? order->batch : NULL, index,
                            order->dedup_key && order->again ? "again" : NULL};
    char *key = mem_alloc(5 + 2 * sizeof(digest) + 1);

    if (!key)
        return NULL;
    snprintf(index, sizeof(index), "%u", order->batch_index);
    sha256_init(&ctx);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        const char *piece = pieces[i] ? pieces[i] : "";

        /* With the NUL: "a" + "bc" is not "ab" + "c". */
        sha256_update(&ctx, strlen(piece) + 1, (const uint8_t *)piece);
    }
    sha256_digest(&ctx, sizeof(digest), digest);
    snprintf(key, 6, "%s", order->dedup_key ? "host:" : "own:");
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(key + strlen(key), 3, "%02x", digest[i]);
    return key;
}

/* The beginning of the user's words, on one line. */
static json_t *label_of(const char *text)
{
    char label[LABEL_BYTES + 8];
    size_t len = 0;

    while (*text && strchr(" \t\r\n", *text))
        text++;
    for (; *text && len < LABEL_BYTES; text++)
        label[len++] = (unsigned char)*text < ' ' ? ' ' : *text;
    while (len && *text && ((unsigned char)*text & 0xC0) == 0x80)
        text = ((unsigned char)label[--len] & 0xC0) == 0xC0 ? "..." : text;
    snprintf(label + len, sizeof(label) - len, "%s", *text ? "…" : "");
    return json_string(label);
}

static char *plan_text(const struct engine_order *order)
{
    const struct provider_plan *plan = order->plan;
    json_t *json = json_pack("{s:O?, s:s, s:s*, s:i, s:{s:I, s:I, s:I, s:I, s:I}}", "changed",
                             plan->changed, "prefix", plan->prefix, "output_dir",
                             order->output_dir, "files", (int)plan->files,
                             "times", "shortest_ms", (json_int_t)plan->times.shortest_ms,
                             "typical_ms", (json_int_t)plan->times.typical_ms, "floor_ms",
                             (json_int_t)plan->times.floor_ms, "ceiling_ms",
                             (json_int_t)plan->times.ceiling_ms, "deadline_ms",
                             (json_int_t)plan->times.deadline_ms);
    char *text;

    if (json && (plan->expect.width || plan->expect.ratio > 0 || plan->expect.seconds > 0))
        json_object_set_new(json, "expects",
                            json_pack("{s:I, s:I, s:f, s:f}", "width",
                                      (json_int_t)plan->expect.width, "height",
                                      (json_int_t)plan->expect.height, "ratio", plan->expect.ratio,
                                      "seconds", plan->expect.seconds));
    if (json && plan->times.rounds > 1)
        json_object_set_new(json_object_get(json, "times"), "rounds",
                            json_integer(plan->times.rounds));
    if (json && order->restore)
        json_object_set_new(json, "restore", json_deep_copy(order->restore));
    if (json && order->label && *order->label)
        json_object_set_new(json, "label", label_of(order->label));
    if (json && order->concurrency)
        json_object_set_new(json, "concurrency", json_integer(order->concurrency));
    if (json && order->batch_items)
        json_object_set_new(json, "items", json_integer(order->batch_items));
    if (json && order->stops)
        json_object_set_new(json, "stops", json_true());
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

/* What earlier jobs of the kind took is better than what the catalogue believes. */
static void use_history(struct job *job, const struct ledger_history *history)
{
    json_t *plan;
    json_t *times;
    char *text;

    if (!history || history->count < HISTORY_MIN)
        return;
    plan = json_loads(job->row->plan, 0, NULL);
    times = json_object_get(plan, "times");
    json_object_set_new(times, "shortest_ms", json_integer(history->shortest_ms));
    json_object_set_new(times, "typical_ms", json_integer(history->median_ms));
    text = plan ? json_dumps(plan, JSON_COMPACT) : NULL;
    if (text && job_text(&job->row->plan, text))
        env_log(job->engine->env, AHP_LOG_DEBUG, LOG_INTERNAL, "no memory for past durations");
    free(text);
    json_decref(plan);
}

static void accepted(void *ud, enum ledger_result result, const struct ledger_job *row, int created,
                     const struct ledger_history *history, const struct err *err)
{
    struct ordering *ordering = ud;
    struct job *job = ordering->job;
    struct engine *engine = job->engine;

    DL_DELETE(engine->orderings, ordering);
    job->busy = BUSY_NOT;
    if (result != LEDGER_OK || !created || ordering->hold || job->dropped) {
        int stored = result == LEDGER_OK || result == LEDGER_TAKEN;

        ordering->done(ordering->ud, stored ? row : NULL, created && stored, stored ? NULL : err);
        if (stored && created)
            engine_scan_soon(engine);
        job_free(job);
        ordering_free(ordering);
        engine_idle_check(engine);
        return;
    }
    if (engine->unfinished >= 0)
        engine->unfinished++;
    use_history(job, history);
    turn_go(job);
    ordering->done(ordering->ud, job->row, 1, NULL);
    ordering_free(ordering);
}

/* Takes the first step and stores the job. -1: nothing was stored. */
static int begin(struct ordering *ordering, struct err *err)
{
    struct job *job = ordering->job;
    struct engine *engine = job->engine;
    struct ledger_accept accept = {.dedup = ordering->dedup};

    /* Items begin when there is room for them, and the whole has no first step. */
    if (!ordering->hold && !job->row->batch && turn_first(job, err))
        return -1;
    accept.job = job->row;
    accept.take = !ordering->hold;
    accept.dedup_key = ordering->key;
    accept.budget = ordering->has_budget ? &ordering->budget : NULL;
    accept.now_ms = job->row->created_ms;
    job->busy = BUSY_RECORD;
    return ledger_accept(engine->ledger, &accept, accepted, ordering) ? err_nomem(err) : 0;
}

/* Tells that it came to nothing. */
static void refuse(struct ordering *ordering, const struct err *err)
{
    struct job *job = ordering->job;
    struct engine *engine = job->engine;

    DL_DELETE(engine->orderings, ordering);
    job_free(job);
    ordering->done(ordering->ud, NULL, 0, err);
    ordering_free(ordering);
    engine_idle_check(engine);
}

static void uploads_known(void *ud, enum ledger_result result, const char *const *urls,
                          const struct err *why)
{
    struct ordering *ordering = ud;
    struct job *job = ordering->job;
    json_t *known = json_object();
    json_t *flow = json_pack("{s:o}", "uploads", known);
    char *text = NULL;
    struct err err;
    size_t index;
    json_t *key;

    job->busy = BUSY_NOT;
    if (result != LEDGER_OK) {
        json_decref(flow);
        refuse(ordering, why);
        return;
    }
    json_array_foreach(ordering->uploads, index, key)
        if (urls[index])
            json_object_set_new(known, json_string_value(key), json_string(urls[index]));
    text = flow ? json_dumps(flow, JSON_COMPACT) : NULL;
    json_decref(flow);
    if (job->engine->stopping || job->dropped)
        err_set(&err, ERR_CANCELLED, "the host is shutting down");
    else if (!text || job_text(&job->row->flow, text))
        err_nomem(&err);
    else if (begin(ordering, &err) == 0)
        err.kind = ERR_NONE;
    free(text);
    if (err.kind != ERR_NONE)
        refuse(ordering, &err);
}

/* 0: uploads_known follows. */
static int ask_uploads(struct ordering *ordering, struct err *err)
{
    const struct ledger_job *row = ordering->job->row;
    const char *keys[LIMIT_UPLOADS];
    size_t count = json_array_size(ordering->uploads);

    if (count > LIMIT_UPLOADS)
        return err_set(err, ERR_LIMIT, "more than %d local files in one job", LIMIT_UPLOADS);
    for (size_t i = 0; i < count; i++)
        keys[i] = json_string_value(json_array_get(ordering->uploads, i));
    ordering->job->busy = BUSY_RECORD;
    if (ledger_uploads(ordering->job->engine->ledger, row->provider, row->account, keys, count,
                       row->created_ms, uploads_known, ordering))
        return err_nomem(err);
    return 0;
}

static struct job *job_from_order(struct engine *engine, const struct engine_order *order,
                                  const char *request, char *plan, char *key, struct err *err)
{
    struct ledger_job row = {
        .state = JOB_PLANNED,
        .flags = order->reply_to ? LEDGER_JOB_DELIVERS : 0,
        .open = 1,
        .progress = -1,
        .tool = (char *)order->tool,
        .kind = (char *)order->plan->kind,
        .provider = (char *)order->provider->account.id,
        .account = (char *)order->provider->fingerprint,
        .model = (char *)order->plan->model,
        .conversation = (char *)order->conversation,
        .caller = (char *)order->caller,
        .locale = (char *)order->locale,
        .host = (char *)engine->env->host->name,
        .reply_to = (char *)order->reply_to,
        .reply_to_len = order->reply_to_len,
        .dedup_key = key,
        .resubmit_of = (char *)order->resubmit_of,
        .batch = (char *)order->batch,
        .batch_index = order->batch_index,
        .request = (char *)request,
        .plan = plan,
        .flow = (char *)"{}",
        .cost_estimate = order->plan->cost,
        .cost = -1,
        .currency = order->plan->currency[0] ? (char *)order->plan->currency : NULL,
    };
    struct job *job;

    row.created_ms = env_wall_ms(engine->env);
    row.updated_ms = row.created_ms;
    row.due_ms = row.created_ms;
    if (env_handle(row.id, sizeof(row.id), "job_", 8)) {
        err_set(err, ERR_IO, "the system gave no random number for a job's name");
        return NULL;
    }
    job = job_new(engine, &row);
    if (!job)
        err_nomem(err);
    return job;
}

int engine_order(struct engine *engine, const struct engine_order *order, engine_ordered_fn *done,
                 void *ud, struct err *err)
{
    struct ordering *ordering = mem_alloc(sizeof(*ordering));
    char *request = json_dumps(order->plan->request, JSON_COMPACT);
    char *plan = plan_text(order);
    char *key = dedup_key(engine, order);
    struct job *job = NULL;
    int rc = -1;

    if (engine->stopping) {
        err_set(err, ERR_CANCELLED, "the host is shutting down");
        goto out;
    }
    if (job_count(engine) >= LIMIT_JOBS) {
        err_set(err, ERR_LIMIT, "%d jobs are under way; wait for one to end", LIMIT_JOBS);
        goto out;
    }
    if (!ordering || !request || !plan || !key) {
        err_nomem(err);
        goto out;
    }
    job = job_from_order(engine, order, request, plan, key, err);
    if (!job)
        goto out;
    ordering->job = job;
    ordering->hold = order->hold;
    ordering->dedup = order->batch_index ? DEDUP_EVER
                      : order->dedup_key ? DEDUP_HOST
                                         : DEDUP_OWN;
    if (!order->again || order->dedup_key) {
        ordering->key = key;
        key = NULL;
    }
    ordering->uploads = json_incref(order->plan->uploads);
    ordering->has_budget = order->budget != NULL;
    if (order->budget)
        ordering->budget = *order->budget;
    ordering->done = done;
    ordering->ud = ud;
    if (json_array_size(ordering->uploads) ? ask_uploads(ordering, err) : begin(ordering, err))
        goto out;
    DL_APPEND(engine->orderings, ordering);
    ordering = NULL;
    job = NULL;
    rc = 0;
out:
    if (job)
        job_free(job);
    ordering_free(ordering);
    mem_free(key);
    free(plan);
    free(request);
    return rc;
}
