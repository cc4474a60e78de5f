/*
 * receipt.c - receipts on their way to their jobs. The host may answer while the job is being
 * stored, or days later when it is not in memory: then the job is claimed from the ledger first.
 */
#include "engine/engine_private.h"

#include "base/mem.h"

#include <string.h>
#include <utlist.h>

#define RECEIPT_TEXT_MAX 1024
#define WAITING_MAX 4096 /* receipts whose jobs are not here; the host keeps what is beyond */

struct receipt_copy {
    struct receipt_copy *prev;
    struct receipt_copy *next;
    struct engine *engine;
    ahp_receipt receipt;
    char *key;
    char *host_ref;
    char *error;
    int again; /* its job could not be claimed: tried again with the next scan */
};

static void receipt_free(struct receipt_copy *copy)
{
    if (!copy)
        return;
    mem_free(copy->key);
    mem_free(copy->host_ref);
    mem_free(copy->error);
    mem_free(copy);
}

static char *copy_text(ahp_text *ret_text, const ahp_text *text)
{
    size_t len = text->len < RECEIPT_TEXT_MAX ? text->len : RECEIPT_TEXT_MAX;
    char *copy = mem_text_n(text->ptr, text->ptr ? len : 0);

    ret_text->ptr = copy;
    ret_text->len = text->ptr ? len : 0;
    return copy;
}

static struct receipt_copy *receipt_copy_new(struct engine *engine, const ahp_receipt *receipt)
{
    struct receipt_copy *copy = mem_alloc(sizeof(*copy));

    if (!copy)
        return NULL;
    copy->engine = engine;
    copy->receipt.size = sizeof(copy->receipt);
    copy->receipt.outcome = receipt->outcome;
    copy->receipt.delay_ms = receipt->delay_ms;
    copy->key = copy_text(&copy->receipt.key, &receipt->key);
    copy->host_ref = copy_text(&copy->receipt.host_ref, &receipt->host_ref);
    copy->error = copy_text(&copy->receipt.error, &receipt->error);
    if (!copy->key || !copy->host_ref || !copy->error) {
        receipt_free(copy);
        return NULL;
    }
    return copy;
}

/* 1: a record follows. */
static int apply_take(struct job *job, struct receipt_copy *copy)
{
    int acted;

    if (job->busy == BUSY_RECORD) {
        DL_APPEND(job->receipts, copy);
        return 1;
    }
    acted = deliver_receipt(job, &copy->receipt);
    receipt_free(copy);
    return acted;
}

int receipt_next(struct job *job)
{
    struct receipt_copy *copy = job->receipts;

    DL_DELETE(job->receipts, copy);
    return apply_take(job, copy);
}

void receipts_drop(struct job *job)
{
    struct receipt_copy *copy;

    while ((copy = job->receipts)) {
        DL_DELETE(job->receipts, copy);
        receipt_free(copy);
    }
}

/* "clawmedia:<job>:<n>": the job's id is in the key, so that no look-up is needed to tell. */
static int job_of_key(const ahp_text *key, char *ret_id, size_t size)
{
    static const char prefix[] = "clawmedia:";
    const char *from;
    const char *colon;

    if (!key->ptr || key->len <= sizeof(prefix) - 1 || memcmp(key->ptr, prefix, sizeof(prefix) - 1))
        return -1;
    from = key->ptr + sizeof(prefix) - 1;
    colon = memchr(from, ':', key->len - (sizeof(prefix) - 1));
    if (!colon || (size_t)(colon - from) >= size)
        return -1;
    memcpy(ret_id, from, (size_t)(colon - from));
    ret_id[colon - from] = '\0';
    return 0;
}

static void claimed(void *ud, enum ledger_result result, const struct ledger_job *row,
                    const struct err *err)
{
    struct receipt_copy *copy = ud;
    struct engine *engine = copy->engine;
    struct job *job = NULL;

    if (result == LEDGER_OK) {
        job = job_by_id(engine, row->id);
        if (!job)
            job = engine_take_up(engine, row);
    }
    /*
     * A host gives its final receipt once: a full disk, a moment without memory or another process
     * that has the job just now must not lose it.
     */
    if (result == LEDGER_FAILED || result == LEDGER_TAKEN || (result == LEDGER_OK && !job)) {
        copy->again = 1;
        return;
    }
    DL_DELETE(engine->receipts, copy);
    if (job) {
        apply_take(job, copy);
        return;
    }
    env_log(engine->env, AHP_LOG_INFO, LOG_DELIVERY_RECEIPT, "receipt for %s was not used: %s",
            copy->key, err ? err->text : "no such delivery");
    receipt_free(copy);
}

/* The receipt is in engine->receipts and stays there until the job is here. */
static void claim(struct receipt_copy *copy, const char *id)
{
    copy->again = ledger_claim(copy->engine->ledger, id, NULL, claimed, copy) != 0;
}

void receipts_pass_on(struct job *job)
{
    struct receipt_copy *copy;

    while ((copy = job->receipts)) {
        DL_DELETE(job->receipts, copy);
        DL_APPEND(job->engine->receipts, copy);
        claim(copy, job->row->id);
    }
}

void receipts_again(struct engine *engine)
{
    char id[LIMIT_ID];
    struct receipt_copy *copy;

    DL_FOREACH(engine->receipts, copy)
        if (copy->again && job_of_key(&copy->receipt.key, id, sizeof(id)) == 0)
            claim(copy, id);
}

int32_t engine_receipt(struct engine *engine, const ahp_receipt *receipt)
{
    char id[LIMIT_ID];
    ahp_receipt whole = {.size = sizeof(whole), .outcome = receipt->outcome, .key = receipt->key};
    struct receipt_copy *copy;
    struct receipt_copy *other;
    size_t waiting;
    struct job *job;

    if (job_of_key(&receipt->key, id, sizeof(id)))
        return AHP_E_STALE;
    if (AHP_IN(receipt, delay_ms))
        whole.delay_ms = receipt->delay_ms;
    if (AHP_IN(receipt, host_ref))
        whole.host_ref = receipt->host_ref;
    if (AHP_IN(receipt, error))
        whole.error = receipt->error;
    job = job_by_id(engine, id);
    if (job && job->busy != BUSY_RECORD) {
        deliver_receipt(job, &whole); /* at once, so that it cannot be lost for want of memory */
        return AHP_OK;
    }
    copy = receipt_copy_new(engine, &whole);
    if (!copy)
        return AHP_E_NOMEM;
    if (job) {
        DL_APPEND(job->receipts, copy);
        return AHP_OK;
    }
    DL_COUNT(engine->receipts, other, waiting);
    if (waiting >= WAITING_MAX) {
        receipt_free(copy);
        return AHP_E_LIMIT;
    }
    DL_APPEND(engine->receipts, copy);
    claim(copy, id);
    return AHP_OK;
}

void receipt_done(struct engine *engine)
{
    struct receipt_copy *copy;

    while ((copy = engine->receipts)) {
        DL_DELETE(engine->receipts, copy);
        receipt_free(copy);
    }
}
