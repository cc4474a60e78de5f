/* store.c - statements, prepared once and kept, and the reading of jobs. See store.h. */
#include "ledger/store.h"

#include "base/mem.h"

#include <string.h>

/* A list is read in steps of so many records. */
#define LIST_STEP 4

/* Words of job.c's ends, in the order of enum job_state from JOB_DELIVERED on. */
#define ENDS "('delivered','done','failed','cancelled','expired','unknown','undeliverable')"

/* Jobs that `?1`, a host that can deliver when ?2, could go on with. */
#define FITS                                                                                       \
    "(state IN ('planned','uploading','submitting','working','fetching')"                          \
    " OR (state = 'ready' AND (flags & 1) = 0)"                                                    \
    " OR (?2 AND (host IS NULL OR host = '' OR host = ?1)))"

/* What a job took, or may take; the whole of a batch is no more than its items. */
#define PAID                                                                                       \
    "CASE WHEN batch IS NOT NULL AND batch_index = 0 THEN 0 WHEN cost IS NOT NULL THEN cost"       \
    " WHEN state = 'failed' THEN 0"                                                                \
    " WHEN state = 'cancelled' AND submitted_ms = 0 THEN 0 ELSE coalesce(cost_estimate, 0) END"

/* Statements without a list of columns. */
static const char *const texts[STMT_COUNT] = {
    [STMT_BEGIN] = "BEGIN",
    [STMT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
    [STMT_SAVEPOINT] = "SAVEPOINT op",
    [STMT_RELEASE] = "RELEASE op",
    [STMT_UNDO] = "ROLLBACK TO op",
    [STMT_OWNER_GET] = "SELECT until_ms FROM owners WHERE id = ?1",
    [STMT_OWNER_PUT] = "INSERT INTO owners(id, host, pid, started_ms, until_ms)"
                       " VALUES(?1, ?2, ?3, ?4, ?5)"
                       " ON CONFLICT(id) DO UPDATE SET until_ms = excluded.until_ms",
    [STMT_OWNER_DELETE] = "DELETE FROM owners WHERE id = ?1",
    [STMT_OWNER_OTHERS] = "SELECT id, until_ms FROM owners WHERE id <> ?1",
    [STMT_JOB_LEASE] = "UPDATE jobs SET owner = ?2 WHERE id = ?1",
    [STMT_JOB_OWN] = "SELECT owner, owner IN (SELECT id FROM owners) FROM jobs WHERE id = ?1",
    [STMT_JOB_CANCEL] = "UPDATE jobs SET flags = flags | 2 WHERE id = ?1 AND state NOT IN " ENDS,
    /* Terms as in the index jobs_history, or it is not used. */
    [STMT_HISTORY] = "SELECT ended_ms - submitted_ms FROM jobs"
                     " WHERE provider = ?1 AND kind = ?2 AND model IS ?3"
                     " AND submitted_ms > 0 AND ended_ms > submitted_ms"
                     " AND state NOT IN ('failed','cancelled','expired','unknown')"
                     " ORDER BY ended_ms DESC LIMIT 20",
    [STMT_BATCH] = "SELECT count(*), ifnull(sum(state NOT IN " ENDS "), 0),"
                   " ifnull(sum(state IN ('failed','cancelled','expired','unknown')), 0) FROM ("
                   "SELECT state, max(number) FROM jobs WHERE batch = ?1 AND batch_index > 0"
                   " GROUP BY batch_index)",
    [STMT_SPENT_DAY] = "SELECT total(" PAID ") FROM jobs WHERE currency = ?1 AND created_ms > ?2",
    [STMT_SPENT_CONVERSATION] = "SELECT total(" PAID ") FROM jobs"
                                " WHERE currency = ?1 AND conversation = ?2",
    [STMT_UPLOAD_GET] = "SELECT url FROM uploads WHERE account = ?1 AND key = ?2 AND until_ms > ?3",
    [STMT_UPLOAD_PUT] = "INSERT INTO uploads(account, key, url, until_ms) VALUES(?1, ?2, ?3, ?4)"
                        " ON CONFLICT(account, key) DO UPDATE SET url = excluded.url,"
                        " until_ms = excluded.until_ms",
    [STMT_UPLOADS_DROP] = "DELETE FROM uploads WHERE until_ms <= ?1",
    /*
     * The owners of open jobs come from one step down the index for each, not from a look at every
     * job: with 10,000 jobs of our own and none to take this stays a handful of lookups.
     */
    [STMT_SCAN] = "WITH RECURSIVE holder(id) AS ("
                  " SELECT min(owner) FROM jobs WHERE open = 1 UNION ALL"
                  " SELECT (SELECT min(owner) FROM jobs WHERE open = 1 AND owner > holder.id)"
                  " FROM holder WHERE holder.id IS NOT NULL)"
                  " SELECT id FROM jobs WHERE open = 1"
                  " AND owner IN (SELECT id FROM holder WHERE id IS NOT NULL"
                  " AND id NOT IN (SELECT id FROM owners))"
                  " AND " FITS " ORDER BY due_ms LIMIT ?3",
    [STMT_UNFINISHED] = "SELECT count(*) FROM jobs WHERE open = 1 AND (" FITS
                        " OR owner IN (SELECT id FROM owners))",
};

/* Those with one: how it is made, and what follows it. */
static const struct {
    enum stmt stmt;
    const struct table *table;
    const char *rest;
} selects[] = {
    {STMT_JOB_BY_ID, &table_jobs, "WHERE id = ?1"},
    {STMT_JOB_BY_KEY, &table_jobs, "WHERE id = (SELECT job FROM deliveries WHERE key = ?1)"},
    {STMT_JOB_BY_DEDUP, &table_jobs,
     "WHERE dedup_key = ?1 AND ((?2 = 1 AND created_ms > ?4)"
     " OR (?2 <> 1 AND state NOT IN ('failed','cancelled','expired')"
     " AND (?2 = 2 OR created_ms > ?3 OR state NOT IN " ENDS ")))"
     " ORDER BY created_ms DESC, jobs.number DESC LIMIT 1"},
    {STMT_JOB_BY_RESUBMIT, &table_jobs, "WHERE resubmit_of = ?1 AND state <> 'failed'"},
    {STMT_FILES_OF, &table_files, "WHERE job = ?1 ORDER BY number"},
    {STMT_DELIVERIES_OF, &table_deliveries, "WHERE job = ?1 ORDER BY rowid"},
};

static int prepare(struct ledger *ledger, enum stmt stmt, const char *sql, struct err *err)
{
    int rc;

    if (ledger->stmts[stmt])
        return 0;
    rc = sql ? sqlite3_prepare_v3(ledger->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &ledger->stmts[stmt], NULL)
             : SQLITE_NOMEM;
    return rc == SQLITE_OK ? 0 : store_fail(ledger, rc, err);
}

static int prepare_freed(struct ledger *ledger, enum stmt stmt, char *sql, struct err *err)
{
    int rc = prepare(ledger, stmt, sql, err);

    sqlite3_free(sql);
    return rc;
}

/*
 * The one update of a job: the wish to cancel stays once it is there, and the row is only touched
 * while this owner holds it. Two parameters follow the fields: owner, and whether to let go.
 */
static char *update_sql(void)
{
    int next = (int)table_jobs.fields_count + 1;
    int flags = row_field_number(&table_jobs, "flags");
    char *rest = sqlite3_mprintf(", flags = ?%d | (flags & 2),"
                                 " owner = CASE WHEN ?%d THEN '' ELSE owner END"
                                 " WHERE id = ?1 AND owner = ?%d RETURNING flags",
                                 flags, next + 1, next);
    char *sql = rest ? row_update_sql(&table_jobs, rest) : NULL;

    sqlite3_free(rest);
    return sql;
}

int store_prepare(struct ledger *ledger, struct err *err)
{
    if (ledger->prepared)
        return 0;
    for (int i = 0; i < STMT_COUNT; i++)
        if (texts[i] && prepare(ledger, (enum stmt)i, texts[i], err))
            return -1;
    for (size_t i = 0; i < sizeof(selects) / sizeof(selects[0]); i++)
        if (prepare_freed(ledger, selects[i].stmt,
                          row_select_sql(selects[i].table, selects[i].rest), err))
            return -1;
    if (prepare_freed(ledger, STMT_JOB_INSERT, row_insert_sql(&table_jobs, "owner", ""), err) ||
        prepare_freed(ledger, STMT_JOB_UPDATE, update_sql(), err) ||
        prepare_freed(ledger, STMT_FILE_INSERT,
                      row_insert_sql(&table_files, "job", "ON CONFLICT(job, number) DO NOTHING"),
                      err) ||
        prepare_freed(ledger, STMT_DELIVERY_PUT,
                      row_insert_sql(&table_deliveries, "job",
                                     "ON CONFLICT(key) DO UPDATE SET state = excluded.state,"
                                     " kind = excluded.kind, attempts = excluded.attempts,"
                                     " next_ms = excluded.next_ms, text = excluded.text,"
                                     " host_ref = excluded.host_ref, error = excluded.error"
                                     " WHERE job = excluded.job"),
                      err))
        return -1;
    ledger->prepared = 1;
    return 0;
}

void store_close(struct ledger *ledger)
{
    for (int i = 0; i < STMT_COUNT; i++) {
        sqlite3_finalize(ledger->stmts[i]);
        ledger->stmts[i] = NULL;
    }
    sqlite3_close(ledger->db);
    ledger->db = NULL;
}

sqlite3_stmt *store_stmt(struct ledger *ledger, enum stmt stmt)
{
    sqlite3_reset(ledger->stmts[stmt]);
    sqlite3_clear_bindings(ledger->stmts[stmt]);
    return ledger->stmts[stmt];
}

int store_step(struct ledger *ledger, sqlite3_stmt *stmt, struct err *err)
{
    int rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE)
        store_fail(ledger, rc, err);
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? 0 : -1;
}

int store_run(struct ledger *ledger, enum stmt stmt, struct err *err)
{
    int rc = store_step(ledger, ledger->stmts[stmt], err);

    sqlite3_clear_bindings(ledger->stmts[stmt]);
    return rc < 0 ? -1 : 0;
}

/* Room for one more record behind `count`, zeroed. */
static void *list_next(const struct table *table, void **list, size_t count)
{
    char *grown = *list;

    if (count % LIST_STEP == 0) {
        grown = mem_grow(*list, (count + LIST_STEP) * table->record_bytes);
        if (!grown)
            return NULL;
        *list = grown;
    }
    memset(grown + count * table->record_bytes, 0, table->record_bytes);
    return grown + count * table->record_bytes;
}

int store_read_list(struct ledger *ledger, sqlite3_stmt *stmt, const struct table *table,
                    void **ret_list, size_t *ret_count, struct err *err)
{
    void *record;
    int rc;

    while ((rc = store_step(ledger, stmt, err)) > 0) {
        record = list_next(table, ret_list, *ret_count);
        if (!record)
            rc = err_nomem(err);
        else
            (*ret_count)++;
        if (rc < 0 || row_read(stmt, table, record, err)) {
            sqlite3_reset(stmt);
            return -1;
        }
    }
    return rc;
}

/* The files or deliveries of a job. */
static int read_parts(struct ledger *ledger, enum stmt which, const struct table *table,
                      const char *id, void **ret_list, size_t *ret_count, struct err *err)
{
    sqlite3_stmt *stmt = store_stmt(ledger, which);
    int rc = sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);

    rc = rc == SQLITE_OK ? store_read_list(ledger, stmt, table, ret_list, ret_count, err)
                         : store_fail(ledger, rc, err);
    sqlite3_clear_bindings(stmt);
    return rc;
}

int store_read_job(struct ledger *ledger, sqlite3_stmt *stmt, struct ledger_job **ret_job,
                   struct err *err)
{
    struct ledger_job *job;
    void *files = NULL;
    void *deliveries = NULL;
    int rc = store_step(ledger, stmt, err);

    if (rc <= 0)
        return rc;
    job = mem_alloc(sizeof(*job));
    if (!job) {
        sqlite3_reset(stmt);
        return err_nomem(err);
    }
    rc = row_read(stmt, &table_jobs, job, err);
    if (rc == 0)
        rc = read_parts(ledger, STMT_FILES_OF, &table_files, job->id, &files, &job->files_count,
                        err);
    job->files = files;
    if (rc == 0)
        rc = read_parts(ledger, STMT_DELIVERIES_OF, &table_deliveries, job->id, &deliveries,
                        &job->deliveries_count, err);
    job->deliveries = deliveries;
    if (rc < 0) {
        sqlite3_reset(stmt);
        ledger_job_free(job);
        return -1;
    }
    *ret_job = job;
    return 1;
}
