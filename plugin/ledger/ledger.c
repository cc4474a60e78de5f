/*
 * ledger.c - the embedded ledger's face: it opens and closes, and turns each call into an op in the
 * queue. What becomes of ops: batch.c (transactions), ops.c (what each does), owner.c (leases),
 * store.c and row.c (statements and records), schema.c (the file).
 */
#include "ledger/ledger.h"

#include "base/mem.h"
#include "ledger/store.h"

#include <string.h>
#include <utlist.h>

/* What destroy may wait for another process, in all. */

static void renew_turn(void *ud)
{
    struct ledger *ledger = ud;

    ledger->renew_due = 1;
    ledger->env->loop->timer_at(ledger->renew, env_now_ms(ledger->env) + LEASE_RENEW_MS);
    batch_wake(ledger);
}

int ledger_open(struct env *env, const char *dir, struct ledger **ret_ledger, struct err *err)
{
    struct ledger *ledger = mem_alloc(sizeof(*ledger));

    if (!ledger)
        return err_nomem(err);
    ledger->env = env;
    ledger->owner.lock_fd = -1;
    ledger->batch = mem_alloc(sizeof(*ledger->batch));
    ledger->dir = mem_text(dir);
    ledger->checkpoint_at = LEDGER_LOG_PAGES;
    if (!ledger->batch || !ledger->dir) {
        err_nomem(err);
        goto fail;
    }
    ledger->batch->ledger = ledger;
    if (schema_open(ledger, err) || owner_init(ledger, err))
        goto fail;
    sqlite3_busy_timeout(ledger->db, 0);
    *ret_ledger = ledger;
    return 0;
fail:
    ledger_close(ledger);
    return -1;
}

int ledger_start(struct ledger *ledger, struct err *err)
{
    const ahp_loop *loop = ledger->env->loop;
    void *ctx = ledger->env->host->ctx;

    if (loop->timer_new(ctx, &ledger->wake, batch_wake_turn, ledger) < 0 ||
        loop->timer_new(ctx, &ledger->renew, renew_turn, ledger) < 0)
        return err_nomem(err);
    ledger->started = 1;
    ledger->owner.started_ms = env_wall_ms(ledger->env);
    /* The first write puts the owner's row there; from then on it has to be kept. */
    loop->timer_at(ledger->renew, env_now_ms(ledger->env) + LEASE_RENEW_MS);
    if (ledger->queue)
        batch_wake(ledger);
    return 0;
}

static void let_go(struct ledger *ledger)
{
    const ahp_loop *loop = ledger->env->loop;

    if (ledger->wake)
        loop->timer_free(ledger->wake);
    if (ledger->renew)
        loop->timer_free(ledger->renew);
    ledger->wake = ledger->renew = NULL;
    ledger->closing = 1;
}

void ledger_end(struct ledger *ledger, ledger_ended_fn *ended, void *ud)
{
    let_go(ledger);
    ledger->ended = ended;
    ledger->ended_ud = ud;
    if (!ledger->batch->in_flight)
        batch_end(ledger);
}

void ledger_close(struct ledger *ledger)
{
    struct op *op;
    struct op *next;

    if (!ledger)
        return;
    let_go(ledger);
    ledger->ended = NULL;
    /* A worker still has the connection, though the host promised otherwise: its end closes. */
    if (ledger->batch && ledger->batch->in_flight && ledger->env->work)
        return;
    if (ledger->owner.lock_path)
        batch_finish(ledger);
    store_close(ledger);
    if (ledger->batch && ledger->batch->in_flight)
        ledger->batch->ledger = NULL; /* waits in the env's list; its end frees it */
    else
        mem_free(ledger->batch);
    DL_FOREACH_SAFE(ledger->queue, op, next) {
        op_free(op);
    }
    mem_free(ledger->path);
    mem_free(ledger->dir);
    mem_free(ledger);
}

int ledger_is_busy(const struct ledger *ledger)
{
    return ledger->pending > 0 || ledger->batch->in_flight;
}

static struct op *op_new(enum op_kind kind, void *ud)
{
    struct op *op = mem_alloc(sizeof(*op));

    if (op) {
        op->kind = kind;
        op->ud = ud;
    }
    return op;
}

/* Copies a text argument that may be NULL. */
static int op_text(char **ret_copy, const char *text)
{
    if (!text)
        return 0;
    *ret_copy = mem_text(text);
    return *ret_copy ? 0 : -1;
}

static int op_queue(struct ledger *ledger, struct op *op)
{
    if (ledger->pending >= LIMIT_LEDGER_OPS) {
        op_free(op);
        return -1;
    }
    DL_APPEND(ledger->queue, op);
    ledger->pending++;
    batch_wake(ledger);
    return 0;
}

int ledger_accept(struct ledger *ledger, const struct ledger_accept *accept, ledger_accept_fn *done,
                  void *ud)
{
    struct op *op = op_new(OP_ACCEPT, ud);

    if (!op)
        return -1;
    op->done.accept = done;
    op->take = accept->take;
    op->dedup = accept->dedup;
    op->now_ms = accept->now_ms;
    op->has_budget = accept->budget != NULL;
    if (accept->budget)
        op->budget = *accept->budget;
    if (ledger_job_copy(accept->job, &op->job) || op_text(&op->key, accept->dedup_key))
        goto fail;
    if (accept->dedup_key) {
        mem_free(op->job->dedup_key);
        op->job->dedup_key = mem_text(accept->dedup_key);
        if (!op->job->dedup_key)
            goto fail;
    }
    return op_queue(ledger, op);
fail:
    op_free(op);
    return -1;
}

int ledger_record(struct ledger *ledger, const struct ledger_job *job, int release,
                  ledger_record_fn *done, void *ud)
{
    struct op *op = op_new(OP_RECORD, ud);

    if (!op)
        return -1;
    op->done.record = done;
    op->release = release;
    if (ledger_job_copy(job, &op->job)) {
        op_free(op);
        return -1;
    }
    return op_queue(ledger, op);
}

int ledger_scan(struct ledger *ledger, const struct ledger_scan *scan, ledger_scan_fn *done,
                void *ud)
{
    struct op *op = op_new(OP_SCAN, ud);

    if (!op)
        return -1;
    op->done.scan = done;
    op->can_deliver = scan->can_deliver != 0;
    op->limit = scan->jobs_max < LIMIT_LEDGER_SCAN ? scan->jobs_max : LIMIT_LEDGER_SCAN;
    if (op_text(&op->host, scan->host)) {
        op_free(op);
        return -1;
    }
    return op_queue(ledger, op);
}

static int queue_by_name(struct ledger *ledger, enum op_kind kind, const char *id, const char *key,
                         ledger_claim_fn *done, void *ud)
{
    struct op *op = op_new(kind, ud);

    if (!op)
        return -1;
    op->done.claim = done;
    if (op_text(&op->id, id) || op_text(&op->key, key)) {
        op_free(op);
        return -1;
    }
    return op_queue(ledger, op);
}

int ledger_claim(struct ledger *ledger, const char *id, const char *delivery_key,
                 ledger_claim_fn *done, void *ud)
{
    return queue_by_name(ledger, OP_CLAIM, id, delivery_key, done, ud);
}

int ledger_cancel(struct ledger *ledger, const char *id, ledger_claim_fn *done, void *ud)
{
    return queue_by_name(ledger, OP_CANCEL, id, NULL, done, ud);
}

int ledger_find(struct ledger *ledger, const struct ledger_query *query, ledger_find_fn *done,
                void *ud)
{
    struct op *op = op_new(OP_FIND, ud);

    if (!op)
        return -1;
    op->done.find = done;
    op->with_files = query->with_files;
    op->only_open = query->only_open;
    op->only_unsettled = query->only_unsettled;
    op->no_items = query->no_items;
    op->batch_after = query->batch_after;
    op->limit = query->limit < LIMIT_LIST ? query->limit : LIMIT_LIST;
    if (op_text(&op->id, query->id) || op_text(&op->file, query->file) ||
        op_text(&op->conversation, query->conversation) || op_text(&op->job_kind, query->kind) ||
        op_text(&op->batch, query->batch)) {
        op_free(op);
        return -1;
    }
    return op_queue(ledger, op);
}

int ledger_uploads(struct ledger *ledger, const char *provider, const char *account,
                   const char *const *keys, size_t keys_count, int64_t now_ms,
                   ledger_uploads_fn *done, void *ud)
{
    struct op *op = keys_count <= LIMIT_UPLOADS ? op_new(OP_UPLOADS, ud) : NULL;

    if (!op)
        return -1;
    op->done.uploads = done;
    op->now_ms = now_ms;
    op->host = mem_format("%s/%s", provider, account ? account : "");
    if (!op->host)
        goto fail;
    for (size_t i = 0; i < keys_count; i++) {
        op->keys[i] = mem_text(keys[i]);
        op->keys_count = i + 1;
        if (!op->keys[i])
            goto fail;
    }
    return op_queue(ledger, op);
fail:
    op_free(op);
    return -1;
}

int ledger_batch(struct ledger *ledger, const char *batch, ledger_batch_fn *done, void *ud)
{
    struct op *op = op_new(OP_BATCH, ud);

    if (!op)
        return -1;
    op->done.batch = done;
    if (op_text(&op->batch, batch)) {
        op_free(op);
        return -1;
    }
    return op_queue(ledger, op);
}

int ledger_afford(struct ledger *ledger, const struct ledger_budget *budget,
                  const char *conversation, double cost, const char *currency, int64_t now_ms,
                  ledger_afford_fn *done, void *ud)
{
    struct ledger_job job = {
        .conversation = (char *)(uintptr_t)conversation,
        .currency = (char *)(uintptr_t)currency,
        .cost_estimate = cost,
    };
    struct op *op = op_new(OP_AFFORD, ud);

    if (!op)
        return -1;
    op->done.afford = done;
    op->has_budget = 1;
    op->budget = *budget;
    op->now_ms = now_ms;
    if (ledger_job_copy(&job, &op->job)) {
        op_free(op);
        return -1;
    }
    return op_queue(ledger, op);
}
