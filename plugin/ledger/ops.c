/*
 * ops.c - what each operation does to the tables. Every function here runs inside a transaction and
 * a savepoint of its own (op_run), answers with a result, and leaves nothing behind when that is
 * LEDGER_FAILED. All that can fail, memory for the answer included, fails before the commit.
 */
#include "base/mem.h"
#include "ledger/store.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_MAX 20
#define DAY_MS      (24 * 3600 * INT64_C(1000))

const char *op_name(enum op_kind kind)
{
    static const char *const names[OP_KINDS] = {
        [OP_ACCEPT] = "accept", [OP_RECORD] = "record", [OP_SCAN] = "scan",
        [OP_CLAIM] = "claim",   [OP_CANCEL] = "cancel", [OP_FIND] = "find",
        [OP_UPLOADS] = "uploads",
        [OP_BATCH] = "batch",
        [OP_AFFORD] = "afford",
    };

    return names[kind];
}

void op_reset(struct op *op)
{
    for (size_t i = 0; i < op->jobs_count; i++)
        ledger_job_free(op->jobs[i]);
    mem_free(op->jobs);
    op->jobs = NULL;
    op->jobs_count = 0;
    memset(&op->history, 0, sizeof(op->history));
    memset(&op->batch_counts, 0, sizeof(op->batch_counts));
    memset(&op->err, 0, sizeof(op->err));
    op->unfinished = 0;
    op->flags = 0;
    op->created = 0;
    for (size_t i = 0; i < op->keys_count; i++) {
        mem_free(op->urls[i]);
        op->urls[i] = NULL;
    }
}

void op_free(struct op *op)
{
    if (!op)
        return;
    op_reset(op);
    ledger_job_free(op->job);
    mem_free(op->id);
    mem_free(op->key);
    mem_free(op->file);
    mem_free(op->host);
    mem_free(op->conversation);
    mem_free(op->job_kind);
    mem_free(op->batch);
    for (size_t i = 0; i < op->keys_count; i++)
        mem_free(op->keys[i]);
    mem_free(op);
}

static void bind_text(sqlite3_stmt *stmt, int index, const char *text)
{
    sqlite3_bind_text(stmt, index, text, -1, SQLITE_STATIC); /* NULL binds NULL */
}

/* Room for `count` jobs in the answer. */
static int answer_room(struct op *op, size_t count)
{
    op->jobs = mem_alloc(count * sizeof(struct ledger_job *));
    return op->jobs ? 0 : err_nomem(&op->err);
}

/* Adds the job of a statement that gives at most one. 1, 0: none, -1. */
static int answer_job(struct ledger *ledger, struct op *op, sqlite3_stmt *stmt)
{
    struct ledger_job *job;
    int rc = store_read_job(ledger, stmt, &job, &op->err);

    if (rc > 0)
        op->jobs[op->jobs_count++] = job;
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc;
}

static int answer_job_by(struct ledger *ledger, struct op *op, enum stmt which, const char *text)
{
    sqlite3_stmt *stmt = store_stmt(ledger, which);

    bind_text(stmt, 1, text);
    return answer_job(ledger, op, stmt);
}

/* The upload that goes with a record; the times of others may be over by now. */
static int store_upload(struct ledger *ledger, struct op *op)
{
    const struct ledger_job *job = op->job;
    char *account;
    int rc = -1;

    if (!job->upload_key || !job->upload_url)
        return 0;
    account = mem_format("%s/%s", job->provider, job->account ? job->account : "");
    if (!account)
        return err_nomem(&op->err);
    sqlite3_bind_int64(store_stmt(ledger, STMT_UPLOADS_DROP), 1, job->updated_ms);
    if (store_run(ledger, STMT_UPLOADS_DROP, &op->err) == 0) {
        sqlite3_stmt *stmt = store_stmt(ledger, STMT_UPLOAD_PUT);

        bind_text(stmt, 1, account);
        bind_text(stmt, 2, job->upload_key);
        bind_text(stmt, 3, job->upload_url);
        sqlite3_bind_int64(stmt, 4, job->upload_until_ms);
        rc = store_run(ledger, STMT_UPLOAD_PUT, &op->err);
    }
    mem_free(account);
    return rc;
}

/* Files and deliveries that go with a job's row. */
static int store_parts(struct ledger *ledger, struct op *op)
{
    const struct ledger_job *job = op->job;
    sqlite3_stmt *stmt;

    for (size_t i = 0; i < job->files_count; i++) {
        stmt = store_stmt(ledger, STMT_FILE_INSERT);
        if (row_bind(stmt, &table_files, &job->files[i]))
            return err_nomem(&op->err);
        bind_text(stmt, (int)table_files.fields_count + 1, job->id);
        if (store_run(ledger, STMT_FILE_INSERT, &op->err))
            return -1;
    }
    for (size_t i = 0; i < job->deliveries_count; i++) {
        stmt = store_stmt(ledger, STMT_DELIVERY_PUT);
        if (row_bind(stmt, &table_deliveries, &job->deliveries[i]))
            return err_nomem(&op->err);
        bind_text(stmt, (int)table_deliveries.fields_count + 1, job->id);
        if (store_run(ledger, STMT_DELIVERY_PUT, &op->err))
            return -1;
        if (sqlite3_changes(ledger->db) != 1)
            return err_set(&op->err, ERR_INTERNAL, "delivery key %.80s belongs to another job",
                           job->deliveries[i].key);
    }
    return store_upload(ledger, op);
}

static int compare_ms(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static int read_history(struct ledger *ledger, struct op *op)
{
    sqlite3_stmt *stmt = store_stmt(ledger, STMT_HISTORY);
    int64_t took_ms[HISTORY_MAX];
    uint32_t count = 0;
    int rc;

    bind_text(stmt, 1, op->job->provider);
    bind_text(stmt, 2, op->job->kind);
    bind_text(stmt, 3, op->job->model);
    while (count < HISTORY_MAX && (rc = store_step(ledger, stmt, &op->err)) != 0) {
        if (rc < 0)
            return -1;
        took_ms[count++] = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    if (count == 0)
        return 0;
    qsort(took_ms, count, sizeof(took_ms[0]), compare_ms);
    op->history.count = count;
    op->history.shortest_ms = took_ms[0];
    op->history.median_ms = took_ms[count / 2];
    return 0;
}

/* One limit. `spent` is a statement with its bindings. */
static int check_limit(struct ledger *ledger, struct op *op, sqlite3_stmt *spent, const char *name,
                       double limit)
{
    const struct ledger_job *job = op->job;
    int counts = job->cost_estimate >= 0 && job->currency &&
                 strcmp(job->currency, op->budget.currency) == 0;
    double more = counts ? job->cost_estimate : 0;
    double sum = 0;
    int rc = store_step(ledger, spent, &op->err);

    if (rc > 0)
        sum = sqlite3_column_double(spent, 0);
    sqlite3_reset(spent);
    sqlite3_clear_bindings(spent);
    if (rc < 0)
        return -1;
    /* Amounts like 0.1 have no exact sum. */
    if (counts ? sum + more <= limit + 1e-9 : sum < limit)
        return 0;
    if (counts)
        return err_field(&op->err, name, "%.10g + %.10g > %.10g %s", sum, more, limit,
                         op->budget.currency);
    return err_field(&op->err, name, "%.10g >= %.10g %s", sum, limit, op->budget.currency);
}

static int check_budget(struct ledger *ledger, struct op *op)
{
    const struct ledger_budget *budget = &op->budget;
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!op->has_budget)
        return 0;
    if (budget->day >= 0) {
        stmt = store_stmt(ledger, STMT_SPENT_DAY);
        bind_text(stmt, 1, budget->currency);
        sqlite3_bind_int64(stmt, 2, op->now_ms - DAY_MS);
        rc = check_limit(ledger, op, stmt, "day", budget->day);
    }
    if (rc == 0 && budget->conversation >= 0) {
        stmt = store_stmt(ledger, STMT_SPENT_CONVERSATION);
        bind_text(stmt, 1, budget->currency);
        bind_text(stmt, 2, op->job->conversation);
        rc = check_limit(ledger, op, stmt, "conversation", budget->conversation);
    }
    if (rc && op->err.kind == ERR_INVALID)
        op->err.kind = ERR_BUDGET;
    return rc;
}

static enum ledger_result run_afford(struct ledger *ledger, struct op *op)
{
    return check_budget(ledger, op) ? LEDGER_FAILED : LEDGER_OK;
}

/* A job that is stored in a file without a name is forgotten with the process, paid or not. */
static int check_place(struct ledger *ledger, struct op *op)
{
    int has_moved = 0;

    if (sqlite3_file_control(ledger->db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) == SQLITE_OK &&
        has_moved)
        return err_set(&op->err, ERR_IO,
                       "the ledger %.200s was removed or replaced while it is in use: nothing new is "
                       "begun until the program that uses it is started again",
                       ledger->path);
    return 0;
}

static enum ledger_result run_accept(struct ledger *ledger, struct op *op)
{
    sqlite3_stmt *stmt;
    int rc;

    if (check_place(ledger, op) || answer_room(op, 1) || read_history(ledger, op))
        return LEDGER_FAILED;
    if (op->key) {
        stmt = store_stmt(ledger, STMT_JOB_BY_DEDUP);
        bind_text(stmt, 1, op->key);
        sqlite3_bind_int(stmt, 2, (int)op->dedup);
        sqlite3_bind_int64(stmt, 3, op->now_ms - DEDUP_WINDOW_MS);
        sqlite3_bind_int64(stmt, 4, op->now_ms - DEDUP_HOST_MS);
        rc = answer_job(ledger, op, stmt);
        if (rc != 0)
            return rc < 0 ? LEDGER_FAILED : LEDGER_OK;
    }
    if (op->job->resubmit_of) {
        rc = answer_job_by(ledger, op, STMT_JOB_BY_RESUBMIT, op->job->resubmit_of);
        if (rc != 0)
            return rc < 0 ? LEDGER_FAILED : LEDGER_TAKEN;
    }
    rc = answer_job_by(ledger, op, STMT_JOB_BY_ID, op->job->id);
    if (rc != 0) {
        if (rc > 0)
            err_set(&op->err, ERR_INTERNAL, "the job id %s is in use already", op->job->id);
        return LEDGER_FAILED;
    }
    if (check_budget(ledger, op))
        return LEDGER_FAILED;
    stmt = store_stmt(ledger, STMT_JOB_INSERT);
    if (row_bind(stmt, &table_jobs, op->job)) {
        err_nomem(&op->err);
        return LEDGER_FAILED;
    }
    bind_text(stmt, (int)table_jobs.fields_count + 1, op->take ? ledger->owner.id : "");
    if (store_run(ledger, STMT_JOB_INSERT, &op->err) || store_parts(ledger, op) ||
        answer_job_by(ledger, op, STMT_JOB_BY_ID, op->job->id) <= 0)
        return LEDGER_FAILED;
    op->created = 1;
    return LEDGER_OK;
}

/*
 * Who holds a job: 1 with ret_held 0 nobody, 1 this ledger, 2 somebody who lives; 0: no such job.
 * "Lives" is a row in owners; owner_sweep has been here before.
 */
static int read_holder(struct ledger *ledger, struct op *op, const char *id, int *ret_held)
{
    sqlite3_stmt *stmt = store_stmt(ledger, STMT_JOB_OWN);
    const char *owner;
    int rc;

    bind_text(stmt, 1, id);
    rc = store_step(ledger, stmt, &op->err);
    if (rc > 0) {
        owner = (const char *)sqlite3_column_text(stmt, 0);
        if (owner && strcmp(owner, ledger->owner.id) == 0)
            *ret_held = 1;
        else
            *ret_held = sqlite3_column_int(stmt, 1) ? 2 : 0;
        sqlite3_reset(stmt);
    }
    sqlite3_clear_bindings(stmt);
    return rc;
}

static enum ledger_result run_record(struct ledger *ledger, struct op *op)
{
    sqlite3_stmt *stmt = store_stmt(ledger, STMT_JOB_UPDATE);
    int held;
    int rc;

    if (row_bind(stmt, &table_jobs, op->job)) {
        err_nomem(&op->err);
        return LEDGER_FAILED;
    }
    bind_text(stmt, (int)table_jobs.fields_count + 1, ledger->owner.id);
    sqlite3_bind_int(stmt, (int)table_jobs.fields_count + 2, op->release);
    rc = store_step(ledger, stmt, &op->err);
    if (rc > 0)
        op->flags = (uint32_t)sqlite3_column_int64(stmt, 0);
    if (sqlite3_reset(stmt) != SQLITE_OK && rc >= 0)
        rc = err_set(&op->err, ERR_INTERNAL, "ledger: %.200s", sqlite3_errmsg(ledger->db));
    sqlite3_clear_bindings(stmt);
    if (rc < 0)
        return LEDGER_FAILED;
    if (rc > 0)
        return store_parts(ledger, op) ? LEDGER_FAILED : LEDGER_OK;
    rc = read_holder(ledger, op, op->job->id, &held);
    return rc < 0 ? LEDGER_FAILED : rc == 0 ? LEDGER_NOT_FOUND : LEDGER_LOST;
}

static int take_job(struct ledger *ledger, struct op *op, const char *id)
{
    sqlite3_stmt *stmt = store_stmt(ledger, STMT_JOB_LEASE);

    bind_text(stmt, 1, id);
    bind_text(stmt, 2, ledger->owner.id);
    return store_run(ledger, STMT_JOB_LEASE, &op->err);
}

static int count_unfinished(struct ledger *ledger, struct op *op)
{
    sqlite3_stmt *stmt = store_stmt(ledger, STMT_UNFINISHED);
    int rc;

    bind_text(stmt, 1, op->host);
    sqlite3_bind_int(stmt, 2, op->can_deliver);
    rc = store_step(ledger, stmt, &op->err);
    if (rc > 0)
        op->unfinished = sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc > 0 ? 0 : -1;
}

static enum ledger_result run_scan(struct ledger *ledger, struct op *op)
{
    char(*ids)[LIMIT_ID] = mem_alloc(op->limit * sizeof(ids[0]));
    enum ledger_result result = LEDGER_FAILED;
    sqlite3_stmt *stmt;
    size_t count = 0;
    int rc = 0;

    if (!ids) {
        err_nomem(&op->err);
        return LEDGER_FAILED;
    }
    if (answer_room(op, op->limit))
        goto out;
    /* First all ids: a statement that looks at an index must not see it change. */
    stmt = store_stmt(ledger, STMT_SCAN);
    bind_text(stmt, 1, op->host);
    sqlite3_bind_int(stmt, 2, op->can_deliver);
    sqlite3_bind_int64(stmt, 3, (int64_t)op->limit);
    while (count < op->limit && (rc = store_step(ledger, stmt, &op->err)) > 0) {
        const char *id = (const char *)sqlite3_column_text(stmt, 0);

        memcpy(ids[count++], id ? id : "", id ? strnlen(id, LIMIT_ID - 1) : 0);
    }
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    if (rc < 0)
        goto out;
    for (size_t i = 0; i < count; i++)
        if (take_job(ledger, op, ids[i]) || answer_job_by(ledger, op, STMT_JOB_BY_ID, ids[i]) < 0)
            goto out;
    if (count_unfinished(ledger, op) == 0)
        result = LEDGER_OK;
out:
    mem_free(ids);
    return result;
}

static enum ledger_result run_claim(struct ledger *ledger, struct op *op)
{
    int held = 0;
    int rc;

    if (answer_room(op, 1))
        return LEDGER_FAILED;
    rc = op->id ? answer_job_by(ledger, op, STMT_JOB_BY_ID, op->id)
                : answer_job_by(ledger, op, STMT_JOB_BY_KEY, op->key);
    if (rc <= 0)
        return rc < 0 ? LEDGER_FAILED : LEDGER_NOT_FOUND;
    if (read_holder(ledger, op, op->jobs[0]->id, &held) < 0)
        return LEDGER_FAILED;
    if (held == 2)
        return LEDGER_TAKEN;
    if (held == 0 && take_job(ledger, op, op->jobs[0]->id))
        return LEDGER_FAILED;
    return LEDGER_OK;
}

static enum ledger_result run_cancel(struct ledger *ledger, struct op *op)
{
    int rc;

    if (answer_room(op, 1))
        return LEDGER_FAILED;
    bind_text(store_stmt(ledger, STMT_JOB_CANCEL), 1, op->id);
    if (store_run(ledger, STMT_JOB_CANCEL, &op->err))
        return LEDGER_FAILED;
    rc = answer_job_by(ledger, op, STMT_JOB_BY_ID, op->id);
    return rc < 0 ? LEDGER_FAILED : rc == 0 ? LEDGER_NOT_FOUND : LEDGER_OK;
}

/* The terms that are asked for, and only those, so that each query finds its index. */
static sqlite3_stmt *prepare_find(struct ledger *ledger, struct op *op)
{
    sqlite3_str *rest = sqlite3_str_new(NULL);
    sqlite3_stmt *stmt = NULL;
    char *text;
    char *sql;
    int rc = SQLITE_NOMEM;

    sqlite3_str_appendall(rest, "WHERE 1");
    if (op->id)
        sqlite3_str_appendall(rest, " AND jobs.id = ?1");
    if (op->file)
        sqlite3_str_appendall(rest, " AND jobs.id = (SELECT job FROM files WHERE handle = ?2)");
    if (op->conversation)
        sqlite3_str_appendall(rest, " AND conversation = ?3");
    if (op->job_kind)
        sqlite3_str_appendall(rest, " AND +kind = ?4");
    if (op->with_files)
        sqlite3_str_appendall(rest, " AND EXISTS (SELECT 1 FROM files WHERE job = jobs.id)");
    if (op->only_open)
        sqlite3_str_appendall(rest, " AND state IN ('planned','uploading','submitting','working',"
                                    "'fetching','ready','delivering')");
    if (op->only_unsettled)
        sqlite3_str_appendall(rest, " AND state IN ('planned','uploading','submitting','working',"
                                    "'fetching','ready','delivering','expired','unknown')");
    if (op->no_items)
        sqlite3_str_appendall(rest, " AND batch_index = 0");
    if (op->batch)
        sqlite3_str_appendall(rest, " AND jobs.number IN (SELECT max(number) FROM jobs WHERE"
                                    " batch = ?6 AND batch_index > ?7 GROUP BY batch_index)"
                                    " ORDER BY batch_index LIMIT ?5");
    else
        sqlite3_str_appendall(rest, " ORDER BY created_ms DESC, jobs.number DESC LIMIT ?5");
    text = sqlite3_str_finish(rest);
    sql = text ? row_select_sql(&table_jobs, text) : NULL;
    sqlite3_free(text);
    if (sql)
        rc = sqlite3_prepare_v2(ledger->db, sql, -1, &stmt, NULL);
    sqlite3_free(sql);
    if (rc != SQLITE_OK) {
        store_fail(ledger, rc, &op->err);
        return NULL;
    }
    bind_text(stmt, 1, op->id); /* out of range when that term is not there: harmless */
    bind_text(stmt, 2, op->file);
    bind_text(stmt, 3, op->conversation);
    bind_text(stmt, 4, op->job_kind);
    sqlite3_bind_int64(stmt, 5, (int64_t)op->limit);
    bind_text(stmt, 6, op->batch);
    sqlite3_bind_int64(stmt, 7, op->batch_after);
    return stmt;
}

static enum ledger_result run_find(struct ledger *ledger, struct op *op)
{
    sqlite3_stmt *stmt = prepare_find(ledger, op);
    int rc = -1;

    if (!stmt)
        return LEDGER_FAILED;
    if (answer_room(op, op->limit) == 0) {
        rc = 1;
        while (rc > 0 && op->jobs_count < op->limit) {
            rc = store_read_job(ledger, stmt, &op->jobs[op->jobs_count], &op->err);
            if (rc > 0)
                op->jobs_count++;
        }
    }
    sqlite3_finalize(stmt);
    return rc < 0 ? LEDGER_FAILED : LEDGER_OK;
}

static enum ledger_result run_uploads(struct ledger *ledger, struct op *op)
{
    for (size_t i = 0; i < op->keys_count; i++) {
        sqlite3_stmt *stmt = store_stmt(ledger, STMT_UPLOAD_GET);
        int rc;

        bind_text(stmt, 1, op->host);
        bind_text(stmt, 2, op->keys[i]);
        sqlite3_bind_int64(stmt, 3, op->now_ms);
        rc = store_step(ledger, stmt, &op->err);
        if (rc > 0)
            op->urls[i] = mem_text((const char *)sqlite3_column_text(stmt, 0));
        if (rc > 0 && !op->urls[i])
            rc = err_nomem(&op->err);
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
        if (rc < 0)
            return LEDGER_FAILED;
    }
    return LEDGER_OK;
}

static enum ledger_result run_batch(struct ledger *ledger, struct op *op)
{
    sqlite3_stmt *stmt = store_stmt(ledger, STMT_BATCH);
    int rc;

    bind_text(stmt, 1, op->batch);
    rc = store_step(ledger, stmt, &op->err);
    if (rc > 0) {
        op->batch_counts.items = (uint32_t)sqlite3_column_int64(stmt, 0);
        op->batch_counts.open = (uint32_t)sqlite3_column_int64(stmt, 1);
        op->batch_counts.failed = (uint32_t)sqlite3_column_int64(stmt, 2);
    }
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc > 0 ? LEDGER_OK : LEDGER_FAILED;
}

typedef enum ledger_result run_fn(struct ledger *ledger, struct op *op);

void op_run(struct ledger *ledger, struct op *op)
{
    static run_fn *const runs[OP_KINDS] = {
        [OP_ACCEPT] = run_accept, [OP_RECORD] = run_record, [OP_SCAN] = run_scan,
        [OP_CLAIM] = run_claim,   [OP_CANCEL] = run_cancel, [OP_FIND] = run_find,
        [OP_UPLOADS] = run_uploads,
        [OP_BATCH] = run_batch,
        [OP_AFFORD] = run_afford,
    };
    struct err err;

    op_reset(op);
    op->result = LEDGER_FAILED;
    if (store_run(ledger, STMT_SAVEPOINT, &op->err))
        return;
    op->result = runs[op->kind](ledger, op);
    if (op->result == LEDGER_FAILED) {
        err = op->err;
        op_reset(op);
        op->err = err;
        if (!sqlite3_get_autocommit(ledger->db))
            store_run(ledger, STMT_UNDO, NULL);
    }
    /* Some errors end the whole transaction; batch.c looks at that. */
    if (!sqlite3_get_autocommit(ledger->db) && store_run(ledger, STMT_RELEASE, &err)) {
        op->err = err;
        op->result = LEDGER_FAILED;
    }
}
