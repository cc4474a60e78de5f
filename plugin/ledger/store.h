/*
 * store.h - what the files of the embedded ledger share.
 *
 * Who touches what: the connection, its statements and the owner belong to whoever runs a batch,
 * which is a worker of the host or the loop, never both: between batch_submit and batch_done the
 * loop leaves them alone. The queue belongs to the loop. A batch changes hands with its ops.
 */
#ifndef LEDGER_STORE_H
#define LEDGER_STORE_H

#include "ledger/ledger.h"
#include "ledger/row.h"

#include <sqlite3.h>

#define LEDGER_LOG_PAGES                                                                           \
    256 /* of the write-ahead log, 1 MiB: then it is moved when there is time */
#define OWNERS_WATCHED_MAX 16
#define OWNERS_SWEPT_MAX   16

enum op_kind { OP_ACCEPT, OP_RECORD, OP_SCAN, OP_CLAIM, OP_CANCEL, OP_FIND, OP_UPLOADS, OP_BATCH,
               OP_AFFORD, OP_KINDS };

/* One operation: copied arguments, then its outcome. */
struct op {
    struct op *prev;
    struct op *next;
    enum op_kind kind;
    union {
        ledger_accept_fn *accept;
        ledger_record_fn *record;
        ledger_scan_fn *scan;
        ledger_claim_fn *claim; /* CLAIM and CANCEL */
        ledger_find_fn *find;
        ledger_uploads_fn *uploads;
        ledger_batch_fn *batch;
        ledger_afford_fn *afford;
    } done;
    void *ud;

    struct ledger_job *job; /* ACCEPT, RECORD */
    char *id;
    char *key; /* dedup key or delivery key */
    char *file;
    char *host;
    char *conversation;
    char *job_kind;
    int take;
    enum ledger_dedup dedup;
    int has_budget;
    struct ledger_budget budget;
    int release;
    int can_deliver;
    int with_files;
    int only_open;
    int only_unsettled;
    int no_items;
    char *batch;
    uint32_t batch_after;
    size_t limit;
    int64_t now_ms;

    enum ledger_result result;
    struct err err;
    struct ledger_job **jobs;
    size_t jobs_count;
    struct ledger_history history;
    struct ledger_batch batch_counts;
    int64_t unfinished;
    uint32_t flags;
    int created;

    /* UPLOADS: of `host`, which is the account's name here; keys and what was found, one for one */
    char *keys[LIMIT_UPLOADS];
    char *urls[LIMIT_UPLOADS];
    size_t keys_count;
};

/* The ops of one transaction. A block of its own: a host may end the item after the ledger. */
struct batch {
    struct ledger *ledger; /* NULL: the ledger is gone, the batch only waits for its end */
    struct op *ops;
    size_t count;
    int in_flight;
    int writes;     /* needs the write lock */
    int takes;      /* looks at other owners */
    int renew;      /* instead of ops: renews the lease */
    int checkpoint; /* instead of ops: moves the log into the database */
    int64_t wall_ms;
    int64_t mono_ms;
    int busy; /* nothing was done: another process writes */
    int64_t busy_since_ms;
    unsigned busy_tries;
    int failed; /* the transaction as a whole failed, for the log */
    struct err err;
    char names[96]; /* of its ops, for kill points */
};

enum stmt {
    STMT_BEGIN,
    STMT_BEGIN_WRITE,
    STMT_COMMIT,
    STMT_ROLLBACK,
    STMT_SAVEPOINT,
    STMT_RELEASE,
    STMT_UNDO,
    STMT_OWNER_GET,
    STMT_OWNER_PUT,
    STMT_OWNER_DELETE,
    STMT_OWNER_OTHERS,
    STMT_JOB_INSERT,
    STMT_JOB_UPDATE,
    STMT_JOB_BY_ID,
    STMT_JOB_BY_KEY,
    STMT_JOB_BY_DEDUP,
    STMT_JOB_BY_RESUBMIT,
    STMT_JOB_LEASE,
    STMT_JOB_OWN,
    STMT_JOB_CANCEL,
    STMT_FILES_OF,
    STMT_FILE_INSERT,
    STMT_DELIVERIES_OF,
    STMT_DELIVERY_PUT,
    STMT_HISTORY,
    STMT_BATCH,
    STMT_SPENT_DAY,
    STMT_SPENT_CONVERSATION,
    STMT_UPLOAD_GET,
    STMT_UPLOAD_PUT,
    STMT_UPLOADS_DROP,
    STMT_SCAN,
    STMT_UNFINISHED,
    STMT_COUNT
};

/* Somebody whose lease looks over but whose process lives: a clock that jumped, or a stopped one.
 */
struct watched {
    char id[LIMIT_ID];
    int64_t until_ms;
    int64_t since_ms; /* monotonic */
};

struct owner {
    char id[LIMIT_ID];
    char *lock_path;
    int lock_fd;
    int64_t until_ms; /* as stored */
    int64_t started_ms;
    struct watched watched[OWNERS_WATCHED_MAX];
    char swept[OWNERS_SWEPT_MAX][LIMIT_ID]; /* whose lock files go after the commit */
    int swept_fds[OWNERS_SWEPT_MAX];
    size_t swept_count;
};

struct ledger {
    struct env *env;
    char *dir;
    char *path;
    sqlite3 *db;
    sqlite3_stmt *stmts[STMT_COUNT];
    int prepared;
    struct owner owner;
    int log_pages;     /* of the write-ahead log, after the last commit */
    int checkpoint_at; /* pages at which it is moved next */
    uint64_t commits;  /* that changed something */

    struct op *queue;
    size_t pending; /* ops that have not called back */
    struct batch *batch;
    ahp_timer *wake;
    ahp_timer *renew;
    int started;
    int renew_due;
    int64_t renew_at_ms; /* not before; when another process was writing */
    int closing;
    ledger_ended_fn *ended; /* of ledger_end, until it was called */
    void *ended_ud;
    int64_t wall_ms; /* the clock as last seen: destroy may not ask */
};

/* schema.c */
int schema_open(struct ledger *ledger, struct err *err);
/* The statements, if they are not there yet: by the first batch, which is not on the loop. */
int store_prepare(struct ledger *ledger, struct err *err);
void store_close(struct ledger *ledger); /* nothing, the second time */
/* Fills err from the result code of sqlite; -1. */
int store_fail(const struct ledger *ledger, int rc, struct err *err);
/* A statement, reset and without bindings. */
sqlite3_stmt *store_stmt(struct ledger *ledger, enum stmt stmt);
/* 1: a row, 0: the end, -1. The statement is reset unless there is a row. */
int store_step(struct ledger *ledger, sqlite3_stmt *stmt, struct err *err);
/* Steps a statement that gives no row. */
int store_run(struct ledger *ledger, enum stmt stmt, struct err *err);
/* All rows as records. */
int store_read_list(struct ledger *ledger, sqlite3_stmt *stmt, const struct table *table,
                    void **ret_list, size_t *ret_count, struct err *err);
/* The row that the statement gives, with files and deliveries. 1, 0: none, -1. */
int store_read_job(struct ledger *ledger, sqlite3_stmt *stmt, struct ledger_job **ret_job,
                   struct err *err);

/* owner.c */
int owner_init(struct ledger *ledger, struct err *err); /* the lock file and the row; in create */
/* In a transaction that writes: the row is there and lasts; rewritten when `renew` or half over. */
int owner_touch(struct ledger *ledger, int64_t wall_ms, int renew, struct err *err);
/* In a transaction that writes: removes the rows of the dead. Whoever is left in owners lives. */
int owner_sweep(struct ledger *ledger, int64_t wall_ms, int64_t mono_ms, struct err *err);
/* After that transaction: the lock files of the dead, gone or let go. */
void owner_swept(struct ledger *ledger, int committed);
void owner_done(struct ledger *ledger);

/* ops.c: runs one op inside a transaction; fills its outcome. */
void op_run(struct ledger *ledger, struct op *op);
void op_reset(struct op *op); /* forgets an outcome */
void op_free(struct op *op);
const char *op_name(enum op_kind kind);

/* batch.c */
void batch_wake(struct ledger *ledger);   /* something is queued */
void batch_wake_turn(void *ledger);       /* the timer's callback */
void batch_end(struct ledger *ledger);    /* off the loop: all that is queued, then the file is closed */
void batch_finish(struct ledger *ledger); /* the same in this call */

#endif
