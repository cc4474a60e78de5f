/*
 * batch.c - the queue becomes transactions.
 *
 *   op queued -> wake (a timer that is due: the next turn of the loop, so all ops of this turn are
 *   in) -> cut: up to LIMIT_LEDGER_BATCH ops become the batch -> submit: env_work runs it off the
 *   loop where the host can -> done: callbacks in the order of the calls -> wake, if more came.
 *
 * One batch at a time. When another process holds the write lock the same batch is tried again by
 * the timer; nobody waits inside SQLite. A batch is all or nothing on disk; within it an op that
 * fails is undone alone (ops.c).
 *
 * The write-ahead log is moved into the database when there is nothing else to do, or when it has
 * grown past LOG_PAGES_FORCE, as a batch of its own: done by SQLite inside a commit it would hold
 * up whoever committed.
 */
#include "base/crash.h"
#include "base/mem.h"
#include "ledger/store.h"

#include <string.h>
#include <utlist.h>

#define BACKOFF_MS_MIN  2
#define BACKOFF_MS_MAX  50
#define LOG_PAGES_FORCE 1024 /* 4 MiB, where SQLite itself would do it */
#define CLOSE_BUSY_MS   2000 /* for another writer, at the end */

static void arm(struct ledger *ledger, int64_t at_ms)
{
    if (ledger->started && !ledger->closing)
        ledger->env->loop->timer_at(ledger->wake, at_ms);
}

void batch_wake(struct ledger *ledger)
{
    if (ledger->started && !ledger->batch->in_flight && !ledger->batch->busy)
        arm(ledger, env_now_ms(ledger->env));
}

/* Takes ops out of the queue, or makes a batch without any: to move the log, to renew the lease. */
static void cut(struct ledger *ledger)
{
    struct batch *batch = ledger->batch;

    batch->count = 0;
    batch->takes = 0;
    batch->busy = batch->failed = 0;
    batch->busy_tries = 0;
    /* In close SQLite does it, when this is the last connection. */
    batch->checkpoint = !ledger->closing && ledger->log_pages >= ledger->checkpoint_at &&
                        (!ledger->queue || ledger->log_pages >= LOG_PAGES_FORCE);
    if (batch->checkpoint)
        return;
    /* Alone, so that another writer holds up no reader of ours for its sake. */
    batch->writes = batch->renew =
        !ledger->closing && ledger->renew_due && env_now_ms(ledger->env) >= ledger->renew_at_ms;
    if (batch->renew)
        return;
    while (ledger->queue && batch->count < LIMIT_LEDGER_BATCH) {
        struct op *op = ledger->queue;

        DL_DELETE(ledger->queue, op);
        DL_APPEND(batch->ops, op);
        batch->count++;
        batch->writes |= op->kind != OP_FIND && op->kind != OP_UPLOADS &&
                         op->kind != OP_BATCH && op->kind != OP_AFFORD;
        batch->takes |= op->kind == OP_SCAN || op->kind == OP_CLAIM;
    }
}

/* The kinds of ops that are in it, for the names of kill points. */
static void name_batch(struct batch *batch)
{
    unsigned seen = 0;
    struct op *op;

    batch->names[0] = '\0';
    DL_FOREACH(batch->ops, op) {
        size_t len = strlen(batch->names);

        if (!(seen & 1u << op->kind))
            sqlite3_snprintf((int)(sizeof(batch->names) - len), batch->names + len, "%s%s",
                             len ? "," : "", op_name(op->kind));
        seen |= 1u << op->kind;
    }
    if (!seen)
        sqlite3_snprintf(sizeof(batch->names), batch->names, "lease");
}

static int run_ops(struct ledger *ledger, struct err *err)
{
    struct op *op;

    DL_FOREACH(ledger->batch->ops, op) {
        op_run(ledger, op);
        /* Busy hits all alike; and when space runs out SQLite has undone everything by itself. */
        if (op->result == LEDGER_FAILED &&
            (op->err.kind == ERR_BUSY || sqlite3_get_autocommit(ledger->db))) {
            *err = op->err;
            return -1;
        }
    }
    return 0;
}

static int transaction(struct ledger *ledger, struct err *err)
{
    struct batch *batch = ledger->batch;
    sqlite3_int64 before = sqlite3_total_changes64(ledger->db);
    int changed;

    if (store_prepare(ledger, err) ||
        store_run(ledger, batch->writes ? STMT_BEGIN_WRITE : STMT_BEGIN, err))
        return -1;
    /* In close the lease is about to end, and the clock may not be asked. */
    if (batch->writes && !ledger->closing && owner_touch(ledger, batch->wall_ms, batch->renew, err))
        goto undo;
    if (batch->takes && owner_sweep(ledger, batch->wall_ms, batch->mono_ms, err))
        goto undo;
    if (run_ops(ledger, err))
        goto undo;
    changed = sqlite3_total_changes64(ledger->db) != before;
    if (changed) {
        name_batch(batch);
        crash_point("commit-before", batch->names);
    }
    if (store_run(ledger, STMT_COMMIT, err))
        goto undo;
    if (changed) {
        ledger->commits++;
        crash_point("commit-after", batch->names);
    }
    owner_swept(ledger, 1);
    return 0;
undo:
    if (!sqlite3_get_autocommit(ledger->db))
        store_run(ledger, STMT_ROLLBACK, NULL);
    owner_swept(ledger, 0);
    return -1;
}

static void move_log(struct ledger *ledger)
{
    int pages = 0;
    int moved = 0;

    sqlite3_wal_checkpoint_v2(ledger->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
    /* All of it moved: the next writer starts at its front. Else a reader stands in the way. */
    if (pages <= moved)
        ledger->log_pages = 0;
    ledger->checkpoint_at = ledger->log_pages + LEDGER_LOG_PAGES;
}

static void fail_all(struct batch *batch, const struct err *err)
{
    struct op *op;

    DL_FOREACH(batch->ops, op) {
        op_reset(op);
        op->result = LEDGER_FAILED;
        op->err = *err;
    }
}

/* On some thread of the host, or on the loop: touches the batch and the connection only. */
static void run(void *item)
{
    struct batch *batch = item;
    struct err err = {0};

    if (!batch->ledger)
        return;
    batch->busy = 0;
    batch->failed = 0;
    if (batch->checkpoint)
        move_log(batch->ledger);
    if ((!batch->ops && !batch->renew) || transaction(batch->ledger, &err) == 0)
        return;
    batch->busy = err.kind == ERR_BUSY;
    batch->failed = !batch->busy;
    batch->err = err;
    if (batch->failed)
        fail_all(batch, &err);
}

static void answer(struct op *op)
{
    const struct err *err = op->result == LEDGER_FAILED ? &op->err : NULL;
    const struct ledger_job *job = op->jobs_count ? op->jobs[0] : NULL;
    const struct ledger_job *const *jobs = (const struct ledger_job *const *)op->jobs;

    switch (op->kind) {
    case OP_ACCEPT:
        op->done.accept(op->ud, op->result, job, op->created, &op->history, err);
        return;
    case OP_RECORD:
        op->done.record(op->ud, op->result, op->flags, err);
        return;
    case OP_SCAN:
        op->done.scan(op->ud, op->result, jobs, op->jobs_count, op->unfinished, err);
        return;
    case OP_CLAIM:
    case OP_CANCEL:
        op->done.claim(op->ud, op->result, job, err);
        return;
    case OP_FIND:
        op->done.find(op->ud, op->result, jobs, op->jobs_count, err);
        return;
    case OP_UPLOADS:
        op->done.uploads(op->ud, op->result, (const char *const *)op->urls, err);
        return;
    case OP_BATCH:
        op->done.batch(op->ud, op->result, &op->batch_counts, err);
        return;
    case OP_AFFORD:
        op->done.afford(op->ud, op->result, err);
        return;
    case OP_KINDS:
        return;
    }
}

static void drop_ops(struct ledger *ledger, int answers)
{
    struct batch *batch = ledger->batch;
    struct op *op;

    while ((op = batch->ops)) {
        DL_DELETE(batch->ops, op);
        ledger->pending--;
        if (answers)
            answer(op);
        op_free(op);
    }
    batch->count = 0;
}

/* Another process writes: again soon, or the end of patience. */
static int put_off(struct ledger *ledger)
{
    struct batch *batch = ledger->batch;
    int64_t now_ms = env_now_ms(ledger->env);
    int64_t backoff_ms = BACKOFF_MS_MAX;

    if (batch->renew) {
        ledger->renew_at_ms = now_ms + BACKOFF_MS_MAX;
        batch->busy = 0;
        arm(ledger, ledger->queue ? now_ms : ledger->renew_at_ms);
        return 1;
    }
    if (batch->busy_tries == 0)
        batch->busy_since_ms = now_ms;
    if (now_ms - batch->busy_since_ms < LEDGER_BUSY_MS) {
        if (batch->busy_tries < 5 && (BACKOFF_MS_MIN << batch->busy_tries) < BACKOFF_MS_MAX)
            backoff_ms = BACKOFF_MS_MIN << batch->busy_tries;
        batch->busy_tries++;
        arm(ledger, now_ms + backoff_ms);
        return 1;
    }
    err_set(&batch->err, ERR_BUSY,
            "another process has been writing to the ledger %.200s for %d s: end what holds it",
            ledger->path, LEDGER_BUSY_MS / 1000);
    fail_all(batch, &batch->err);
    batch->busy = 0;
    batch->failed = 1;
    return 0;
}

static void done(void *item, int32_t cancelled)
{
    struct batch *batch = item;
    struct ledger *ledger = batch->ledger;

    batch->in_flight = 0;
    if (!ledger) {
        mem_free(batch);
        return;
    }
    if (ledger->closing) {
        if (!ledger->ended)
            ledger_close(ledger);
        else if (!cancelled || ledger->env->work)
            batch_end(ledger);
        return;
    }
    /* A worker that has no room for us; the loop always has. Without workers it is env_done. */
    if (cancelled && !ledger->env->work)
        return;
    if (cancelled)
        run(batch);
    if (batch->busy && put_off(ledger))
        return;
    if (batch->failed)
        env_log(ledger->env, batch->err.kind == ERR_BUSY ? AHP_LOG_WARN : AHP_LOG_ERROR,
                batch->err.kind == ERR_BUSY ? LOG_LEDGER_BUSY : LOG_LEDGER, "%s", batch->err.text);
    if (batch->renew)
        ledger->renew_due = 0;
    drop_ops(ledger, 1);
    if (ledger->queue || ledger->renew_due || ledger->log_pages >= ledger->checkpoint_at)
        batch_wake(ledger);
}

static void submit(struct ledger *ledger)
{
    struct batch *batch = ledger->batch;

    batch->wall_ms = ledger->wall_ms = env_wall_ms(ledger->env);
    batch->mono_ms = env_now_ms(ledger->env);
    batch->in_flight = 1;
    if (env_work(ledger->env, batch, run, done)) {
        run(batch);
        done(batch, 0);
    }
}

void batch_wake_turn(void *ud)
{
    struct ledger *ledger = ud;

    if (ledger->batch->in_flight)
        return;
    if (!ledger->batch->ops)
        cut(ledger);
    if (ledger->batch->ops || ledger->batch->renew || ledger->batch->checkpoint)
        submit(ledger);
    else if (ledger->renew_due)
        arm(ledger, ledger->renew_at_ms);
}

/* Nobody waits for the answers of these any more. */
static void drop_reads(struct op **list)
{
    struct op *op;
    struct op *next;

    DL_FOREACH_SAFE(*list, op, next) {
        if (op->kind == OP_ACCEPT || op->kind == OP_RECORD || op->kind == OP_CANCEL)
            continue;
        DL_DELETE(*list, op);
        op_free(op);
    }
}

/* The last words go into the file, and it is closed. Takes its time: for a worker, or for destroy.
 */
static void end(void *item)
{
    struct batch *batch = item;
    struct ledger *ledger = batch->ledger;
    struct err first = {0};

    if (!ledger || !ledger->owner.lock_path)
        return;
    sqlite3_busy_timeout(ledger->db, CLOSE_BUSY_MS);
    drop_reads(&batch->ops);
    drop_reads(&ledger->queue);
    if (!batch->ops)
        cut(ledger);
    while (batch->ops) {
        run(batch);
        if ((batch->busy || batch->failed) && !first.kind)
            first = batch->err;
        if (batch->busy) /* waited long enough */
            break;
        drop_ops(ledger, 0);
        cut(ledger);
    }
    drop_ops(ledger, 0);
    owner_done(ledger);
    store_close(ledger);
    batch->err = first;
}

static void tell_of_end(struct ledger *ledger)
{
    if (ledger->batch->err.kind)
        env_log(ledger->env, AHP_LOG_ERROR, LOG_LEDGER, "last steps were not stored: %s",
                ledger->batch->err.text);
}

static void end_done(void *item, int32_t cancelled)
{
    struct batch *batch = item;
    struct ledger *ledger = batch->ledger;
    ledger_ended_fn *ended = ledger ? ledger->ended : NULL;

    batch->in_flight = 0;
    if (!ledger) {
        mem_free(batch);
        return;
    }
    if (!ended) { /* ledger_close came in between */
        ledger_close(ledger);
        return;
    }
    ledger->ended = NULL;
    if (cancelled && !ledger->env->work) /* destroy, which closes what is open */
        return;
    if (cancelled)
        end(batch);
    tell_of_end(ledger);
    ended(ledger->ended_ud);
}

void batch_end(struct ledger *ledger)
{
    struct batch *batch = ledger->batch;

    batch->wall_ms = ledger->wall_ms = env_wall_ms(ledger->env);
    batch->mono_ms = env_now_ms(ledger->env);
    batch->in_flight = 1;
    if (env_work(ledger->env, batch, end, end_done)) {
        end(batch);
        end_done(batch, 0);
    }
}

void batch_finish(struct ledger *ledger)
{
    end(ledger->batch);
    tell_of_end(ledger);
}
