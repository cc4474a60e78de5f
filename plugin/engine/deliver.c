/*
 * deliver.c - brings words and files to the chat, exactly once.
 *
 * A delivery's key is in the ledger before it is first offered. OFFERED is recorded before the
 * offer, so after a crash the same key is offered again and a host that drops repeats makes it one
 * message; with a host that does not, it is `unknown` and only a person has it sent again.
 * DELIVERED is recorded on the receipt, never on the offer.
 */
#include "engine/engine_private.h"

#include "base/crash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/words.h"

#include <stdio.h>
#include <string.h>

/* A host that never answers an offer: after this it counts as UNKNOWN. */
#define RECEIPT_WAIT_MS (10 * 60 * 1000)
/* So many of a conversation's newest jobs are looked at for whether a result needs its label. */
#define OTHERS_MAX 16

struct ledger_delivery *deliver_open(struct job *job)
{
    struct ledger_job *row = job->row;

    for (size_t i = 0; i < row->deliveries_count; i++)
        if (row->deliveries[i].state == DELIVERY_PENDING ||
            row->deliveries[i].state == DELIVERY_OFFERED)
            return &row->deliveries[i];
    return NULL;
}

/* Words about an end are not true any more once there is another, or a result. */
static void overtake(struct job *job)
{
    struct ledger_delivery *stale;

    while ((stale = deliver_open(job)))
        stale->state = stale->state == DELIVERY_OFFERED ? DELIVERY_UNKNOWN : DELIVERY_REFUSED;
}

int deliver_add(struct job *job, int32_t kind, const char *text)
{
    struct ledger_job *row = job->row;
    struct ledger_delivery *deliveries;
    struct ledger_delivery *delivery;

    deliveries = mem_grow(row->deliveries, (row->deliveries_count + 1) * sizeof(*deliveries));
    if (!deliveries)
        return -1;
    row->deliveries = deliveries;
    delivery = &deliveries[row->deliveries_count];
    memset(delivery, 0, sizeof(*delivery));
    delivery->key = mem_format("clawmedia:%s:%zu", row->id, row->deliveries_count + 1);
    delivery->text = mem_text(text);
    delivery->kind = kind;
    delivery->next_ms = env_wall_ms(job->engine->env);
    if (!delivery->key || !delivery->text) {
        mem_free(delivery->key);
        mem_free(delivery->text);
        return -1;
    }
    overtake(job);
    row->deliveries_count++;
    return 0;
}

/* "result.image.one", with the adapter's name and a dot in front where it has words of its own. */
static char *words_key(const struct job *job)
{
    const struct ledger_job *row = job->row;
    const struct config_provider *provider =
        config_provider_by_id(job->engine->config, row->provider);
    const char *which = row->error_kind != ERR_NONE ? "part"
                        : row->files_count > 1      ? "many"
                                                    : "one";
    char *own = provider ? mem_format("%s.result.%s.%s", provider->adapter->name, row->kind, which)
                         : NULL;

    if (row->error_kind == ERR_CANCELLED) {
        mem_free(own);
        return mem_text("result.cancelled");
    }
    if (own && words_has(job_language(job), own))
        return own;
    mem_free(own);
    return mem_format("result.%s.%s", row->kind, which);
}

static int drops_repeats(const struct job *job)
{
    return (job->engine->env->deliver->flags & AHP_DELIVER_DROPS_REPEATS) != 0;
}

int deliver_is_settled(const struct job *job, const struct ledger_delivery *delivery)
{
    switch (delivery->state) {
    case DELIVERY_DONE:
        return 1;
    case DELIVERY_REFUSED:
        return delivery->attempts < LIMIT_DELIVERY_TRIES;
    case DELIVERY_UNKNOWN:
        /* Such a host would have been asked again until the last try, had it not said LOST. */
        return drops_repeats(job) && delivery->attempts < LIMIT_DELIVERY_TRIES;
    default:
        return 0;
    }
}

/* One more sentence: where all of it can be looked at. */
static char *page_words(const struct job *job)
{
    json_t *plan = json_loads(job->row->plan ? job->row->plan : "{}", 0, NULL);
    const char *page = json_text(plan, "page");
    json_t *values = json_pack("{s:s}", "page", page);
    char *text = *page ? words_text(job_language(job), "result.page", values) : NULL;

    json_decref(values);
    json_decref(plan);
    return text;
}

/* Both are taken; without memory the first stays as it is. */
static char *add_words(char *text, char *more)
{
    char *both = text && more && *more ? mem_format("%s%s", text, more) : NULL;

    mem_free(more);
    if (!both)
        return text;
    mem_free(text);
    return both;
}

static char *deliver_words(const struct job *job)
{
    const struct ledger_job *row = job->row;
    static const struct ledger_file none; /* of a login */
    const struct ledger_file *file = row->files_count ? &row->files[0] : &none;
    char *key;
    char size[32] = "";
    char ratio[32] = "";
    json_t *values;
    char *text;

    if (file->width)
        snprintf(size, sizeof(size), "%u×%u", file->width, file->height);
    values = json_pack("{s:s, s:s, s:s?, s:I, s:s, s:f, s:s?}", "job", row->id, "provider",
                       row->provider, "model", row->model,
                       "count", (json_int_t)row->files_count, "size", size, "seconds",
                       (double)file->duration_ms / 1000.0, "error", row->error_text);
    if (file->height)
        measure_ratio_text((double)file->width / file->height, ratio, sizeof(ratio));
    json_object_set_new(values, "ratio", json_string(ratio));
    json_object_set_new(values, "url", json_string(file->url ? file->url : ""));
    json_object_set_new(values, "cost", json_real(row->cost >= 0 ? row->cost : row->cost_estimate));
    json_object_set_new(values, "currency", json_string(row->currency ? row->currency : ""));
    batch_words(job->row, values);
    files_words(job->row, values);
    key = words_key(job);
    text = key ? words_text(job_language(job), key, values) : NULL;
    text = add_words(text, measure_words(row));
    text = add_words(text, page_words(job));
    mem_free(key);
    json_decref(values);
    return text;
}

/* Which of several requests it is about. */
static char *add_label(const struct job *job, char *text_take)
{
    json_t *plan = json_loads(job->row->plan ? job->row->plan : "{}", 0, NULL);
    const char *label = json_text(plan, "label");
    json_t *values = json_pack("{s:s, s:s?}", "label", label, "text", text_take);
    char *text = *label && text_take ? words_text(job_language(job), "labelled", values) : NULL;

    json_decref(values);
    json_decref(plan);
    if (!text)
        return text_take;
    mem_free(text_take);
    return text;
}

/* Was this job of the same conversation under way while ours was? */
static int is_beside(const struct ledger_job *row, const struct ledger_job *other)
{
    return strcmp(row->id, other->id) != 0 &&
           (!engine_state_ended(other->state) || other->ended_ms >= row->created_ms);
}

static void begin(struct job *job, int labelled)
{
    char *words = deliver_words(job);

    if (labelled)
        words = add_label(job, words);
    if (!words || deliver_add(job, AHP_DELIVERY_RESULT, words)) {
        mem_free(words);
        schedule_in(job, 1000);
        return;
    }
    mem_free(words);
    job->row->due_ms = env_wall_ms(job->engine->env);
    job_record(job, 0, deliver_run);
}

static void others_known(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                         size_t jobs_count, const struct err *err)
{
    struct job *job = ud;
    int labelled = 0;

    (void)err;
    if (job_back(job))
        return;
    for (size_t i = 0; result == LEDGER_OK && i < jobs_count; i++) {
        labelled |= is_beside(job->row, jobs[i]);
        /* Its request had no words that told the language: that of the chat's newest that had some.
         */
        if (!job->row->locale && jobs[i]->locale && job_text(&job->row->locale, jobs[i]->locale))
            env_log(job->engine->env, AHP_LOG_WARN, LOG_INTERNAL, "%s: no memory for its language",
                    job->row->id);
    }
    begin(job, labelled);
}

void deliver_begin(struct job *job)
{
    struct ledger_query query = {
        .conversation = job->row->conversation, .limit = OTHERS_MAX, .no_items = 1};

    if (!query.conversation || !*query.conversation) {
        begin(job, 0);
        return;
    }
    job->busy = BUSY_RECORD;
    if (ledger_find(job->engine->ledger, &query, others_known, job)) {
        job->busy = BUSY_NOT;
        schedule_in(job, 1000);
    }
}

/* May this process deliver it? It was asked for through such a host, and that one is ready. */
static int deliverable(const struct job *job)
{
    const struct env *env = job->engine->env;

    return (env->deliver->flags & AHP_DELIVER_READY) && job->row->host &&
           strcmp(job->row->host, env->host->name) == 0;
}

static ahp_text as_text(const char *text)
{
    ahp_text piece = {text, text ? strlen(text) : 0};

    return piece;
}

static int32_t offer(struct job *job, const struct ledger_delivery *delivery)
{
    const struct ledger_job *row = job->row;
    struct env *env = job->engine->env;
    ahp_file files[LIMIT_FILES];
    const ahp_file *pointers[LIMIT_FILES];
    uint32_t count = 0;
    ahp_delivery it = {.size = sizeof(it)};

    memset(files, 0, sizeof(files));
    for (size_t i = 0; delivery->kind == AHP_DELIVERY_RESULT && i < row->files_count; i++) {
        const char *slash = strrchr(row->files[i].path, '/');

        if (count == LIMIT_FILES)
            break;
        files[count].size = sizeof(files[count]);
        files[count].path = row->files[i].path;
        files[count].name = slash ? slash + 1 : row->files[i].path;
        files[count].mime = row->files[i].mime;
        files[count].handle = row->files[i].handle;
        files[count].bytes = row->files[i].bytes;
        pointers[count] = &files[count];
        count++;
    }
    it.attempt = delivery->attempts;
    it.kind = delivery->kind;
    it.files = pointers;
    it.files_count = count;
    it.key = as_text(delivery->key);
    it.reply_to.ptr = row->reply_to;
    it.reply_to.len = row->reply_to_len;
    it.conversation = as_text(row->conversation);
    it.job_id = as_text(row->id);
    it.text = as_text(delivery->text);
    return env->deliver->offer(env->host->ctx, &it);
}

static void noted(void *ud, enum ledger_result result, uint32_t flags, const struct err *err)
{
    struct engine *engine = ud;

    (void)flags;
    if (result == LEDGER_FAILED)
        env_log(engine->env, AHP_LOG_WARN, LOG_LEDGER, "a receipt is stored later: %s", err->text);
    engine_idle_check(engine);
}

/*
 * Words about a job that is asked about once more: what became of them changes nothing of what it
 * is busy with, and is stored beside that; without memory with its next record.
 */
static void note(struct job *job)
{
    struct engine *engine = job->engine;

    if (ledger_record(engine->ledger, job->row, 0, noted, engine))
        env_log(engine->env, AHP_LOG_WARN, LOG_LEDGER, "%s: a receipt is stored later",
                job->row->id);
}

static int goes_on(const struct job *job)
{
    return job->row->state < JOB_READY;
}

/* The end of a delivery, and of its job when that waited for it. */
static void settle(struct job *job, struct ledger_delivery *delivery, enum delivery_state state)
{
    struct ledger_job *row = job->row;

    delivery->state = state;
    if (goes_on(job)) {
        note(job);
        return;
    }
    /* Given up after the last try, and it arrived all the same. */
    if (row->state == JOB_UNDELIVERABLE && state == DELIVERY_DONE)
        job_set_state(job, JOB_DELIVERING);
    if (row->state == JOB_DELIVERING && delivery->kind == AHP_DELIVERY_RESULT) {
        if (state == DELIVERY_DONE)
            job_set_state(job, JOB_DELIVERED);
        else if (state == DELIVERY_REFUSED)
            job_set_state(job, JOB_UNDELIVERABLE);
    }
    row->open = deliver_open(job) != NULL;
    schedule_off(job);
    job_record(job, !row->open, row->open ? deliver_run : NULL);
}

static void offer_later(struct job *job, struct ledger_delivery *delivery, int64_t delay_ms)
{
    if (delivery->attempts >= LIMIT_DELIVERY_TRIES) {
        settle(job, delivery, DELIVERY_REFUSED);
        return;
    }
    if (delay_ms <= 0)
        delay_ms = schedule_backoff_ms(delivery->attempts);
    delivery->state = DELIVERY_PENDING;
    delivery->next_ms = env_wall_ms(job->engine->env) + delay_ms;
    if (goes_on(job)) {
        note(job);
        return;
    }
    job->row->due_ms = delivery->next_ms;
    schedule_in(job, delay_ms);
    job_record(job, 0, NULL);
}

static void offer_now(struct job *job)
{
    struct ledger_delivery *delivery = deliver_open(job);
    int32_t rc;

    if (!delivery || delivery->state != DELIVERY_OFFERED)
        return;
    if (job->engine->stopping) {
        /* Announced, but offers are not taken any more: the next process must not think it was. */
        delivery->state = DELIVERY_PENDING;
        delivery->attempts--;
        job_record(job, 1, NULL);
        return;
    }
    crash_point("offer", delivery->key);
    rc = offer(job, delivery);
    crash_point("offered", delivery->key);
    env_log(job->engine->env, AHP_LOG_DEBUG, LOG_DELIVERY, "%s offered, try %u: %d", delivery->key,
            delivery->attempts, rc);
    if (rc == AHP_OK || rc == AHP_E_EXISTS) {
        job->busy = BUSY_RECEIPT;
        schedule_in(job, RECEIPT_WAIT_MS);
        return;
    }
    /* This host cannot, another process of it may. One that says it can is asked again later. */
    if (rc == AHP_E_UNSUPPORTED && !deliverable(job)) {
        delivery->state = DELIVERY_PENDING;
        delivery->attempts--;
        job_record(job, 1, NULL);
        return;
    }
    if (job_text(&delivery->error, "the host did not take it"))
        delivery->error = NULL;
    offer_later(job, delivery, 0);
}

void deliver_run(struct job *job)
{
    struct ledger_delivery *delivery;
    int64_t wait;

    if (job_tell(job)) {
        schedule_in(job, 1000);
        return;
    }
    delivery = deliver_open(job);
    if (!delivery) {
        /* A job that ended, or whose words could not be made for want of memory. */
        if (job->row->state == JOB_READY) {
            fetch_finish(job);
            return;
        }
        job->row->open = 0;
        job_record(job, 1, NULL);
        return;
    }
    if (!deliverable(job) || job->engine->stopping) {
        job_record(job, 1, NULL); /* for a process that can */
        return;
    }
    if (delivery->state == DELIVERY_OFFERED && !drops_repeats(job)) {
        settle(job, delivery, DELIVERY_UNKNOWN);
        return;
    }
    wait = delivery->state == DELIVERY_PENDING
               ? delivery->next_ms - env_wall_ms(job->engine->env)
               : 0;
    if (wait > 0) {
        schedule_in(job, wait);
        return;
    }
    delivery->state = DELIVERY_OFFERED;
    delivery->attempts++;
    if (delivery->kind == AHP_DELIVERY_RESULT && job->row->state != JOB_DELIVERING)
        job_set_state(job, JOB_DELIVERING);
    job_record(job, 0, offer_now);
}

static struct ledger_delivery *by_key(struct job *job, const ahp_text *key)
{
    for (size_t i = 0; i < job->row->deliveries_count; i++) {
        struct ledger_delivery *delivery = &job->row->deliveries[i];

        if (strlen(delivery->key) == key->len && memcmp(delivery->key, key->ptr, key->len) == 0)
            return delivery;
    }
    return NULL;
}

static void keep_words(struct job *job, char **at, const ahp_text *text)
{
    char *copy;

    if (!text->len)
        return;
    copy = mem_text_n(text->ptr, text->len < 1024 ? text->len : 1024);
    if (!copy)
        return;
    env_scrub(job->engine->env, copy);
    utf8_mend(copy);
    mem_free(*at);
    *at = copy;
}

int deliver_receipt(struct job *job, const ahp_receipt *receipt)
{
    struct ledger_delivery *delivery = by_key(job, &receipt->key);

    if (!delivery || delivery->state == DELIVERY_DONE) {
        /* A repeat, or of another job's life: harmless. */
        job_rest(job);
        return 0;
    }
    crash_point("receipt", delivery->key);
    if (job->busy == BUSY_RECEIPT)
        job->busy = BUSY_NOT;
    if (!goes_on(job))
        schedule_off(job);
    if ((receipt->outcome == AHP_RECEIPT_REFUSED || receipt->outcome == AHP_RECEIPT_LOST) &&
        delivery->attempts == LIMIT_DELIVERY_TRIES)
        delivery->attempts--; /* settled by the host, not given up: see deliver_is_settled() */
    keep_words(job, &delivery->host_ref, &receipt->host_ref);
    keep_words(job, &delivery->error, &receipt->error);
    env_log(job->engine->env, AHP_LOG_INFO, LOG_DELIVERY_RECEIPT, "%s: receipt %d", delivery->key,
            receipt->outcome);
    switch (receipt->outcome) {
    case AHP_RECEIPT_DELIVERED:
        settle(job, delivery, DELIVERY_DONE);
        break;
    case AHP_RECEIPT_HELD:
        settle(job, delivery, DELIVERY_HELD);
        break;
    case AHP_RECEIPT_LATER:
        offer_later(job, delivery, receipt->delay_ms);
        break;
    case AHP_RECEIPT_REFUSED:
        settle(job, delivery, DELIVERY_REFUSED);
        break;
    case AHP_RECEIPT_LOST:
        settle(job, delivery, DELIVERY_UNKNOWN);
        break;
    default:
        /* After the last try it is still not known: "undeliverable" would be a claim. */
        if (drops_repeats(job) && delivery->attempts < LIMIT_DELIVERY_TRIES)
            offer_later(job, delivery, 0);
        else
            settle(job, delivery, DELIVERY_UNKNOWN);
        break;
    }
    return !goes_on(job);
}

void deliver_overdue(struct job *job)
{
    struct ledger_delivery *delivery = deliver_open(job);
    ahp_receipt receipt = {.size = sizeof(receipt), .outcome = AHP_RECEIPT_UNKNOWN};

    if (!delivery)
        return;
    env_log(job->engine->env, AHP_LOG_WARN, LOG_DELIVERY_RECEIPT,
            "%s: the host has not said for %d minutes whether it was delivered", delivery->key,
            RECEIPT_WAIT_MS / 60000);
    receipt.key = as_text(delivery->key);
    deliver_receipt(job, &receipt);
}
