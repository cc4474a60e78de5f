/*
 * ledger.h - the store of jobs: what makes a paid job survive a crash. The engine speaks to it in
 * whole operations; this header knows no SQL, so that another store can stand behind it (the other
 * files of this folder are the embedded one, on SQLite; store.h says how they hang together).
 *
 * Every operation is asynchronous: it copies its arguments and returns; its callback runs later on
 * the loop, never before the call has returned, when the outcome is durable. Operations of one
 * ledger take effect in the order in which they were called. All that gather in one turn share one
 * transaction, and with it one sync to disk.
 *
 * Several processes, and several instances in a process, may open one ledger. A job is worked on
 * only under a lease. The ledger renews its owner's lease by itself; an owner that died (its lock
 * file is free) loses its jobs at once to whoever takes them. One that lives but was silent loses
 * them too, when its LEASE_MS are over and whoever comes has seen it stay silent for a renewal's
 * time more: after a suspend everybody's lease looks over, and nobody shall lose a job by that. Its
 * own records then answer LEDGER_LOST; jobs that nobody has taken meanwhile are still its own.
 *
 * When another process is writing, operations wait for it without holding up the loop, for
 * LEDGER_BUSY_MS, then fail with ERR_BUSY. An operation that fails is undone alone; what fails for
 * all (no space, a broken disk) fails every operation of its transaction.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "base/env.h"
#include "base/err.h"
#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

struct ledger;

/* Where a job is. Stored by name; in the order of time. Which pairs are allowed: engine/job.c. */
enum job_state {
    JOB_PLANNED,
    JOB_UPLOADING,
    JOB_SUBMITTING, /* the request that spends may be on its way */
    JOB_WORKING,    /* the provider has it */
    JOB_FETCHING,   /* the provider is done; its files are coming */
    JOB_READY,      /* the files are here, nobody has been told */
    JOB_DELIVERING,
    /* From here on: ends. */
    JOB_DELIVERED,
    JOB_DONE, /* asked for by a caller that waited: nothing to deliver */
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_EXPIRED,
    JOB_UNKNOWN, /* sent, answer lost: maybe paid, never sent again by itself */
    JOB_UNDELIVERABLE,
    JOB_STATES
};

const char *job_state_name(enum job_state state);
int job_state_by_name(const char *name, enum job_state *ret_state);

/* What a message to the chat has come to. */
enum delivery_state {
    DELIVERY_PENDING, /* to be offered at next_ms */
    DELIVERY_OFFERED, /* offered; the receipt is not there yet */
    DELIVERY_HELD,    /* in the host's own queue */
    DELIVERY_DONE,
    DELIVERY_UNKNOWN, /* may have arrived */
    DELIVERY_REFUSED, /* never: by the host, or after the last try */
    DELIVERY_STATES
};

const char *delivery_state_name(enum delivery_state state);

/* One saved file of a job. */
struct ledger_file {
    char handle[LIMIT_ID]; /* "img_8k2f9q3m"; unique in the ledger */
    uint32_t number;       /* from 1, unique in the job */
    char *path;
    char *mime;
    char *url; /* where it came from, without credentials; or NULL */
    uint32_t width;
    uint32_t height;
    int64_t duration_ms;
    uint64_t bytes;
};

struct ledger_delivery {
    char *key; /* unique; stable from before its first offer */
    enum delivery_state state;
    int32_t kind; /* AHP_DELIVERY_ */
    uint32_t attempts;
    int64_t next_ms; /* wall clock */
    char *text;      /* the words */
    char *host_ref;
    char *error;
};

#define LEDGER_JOB_DELIVERS 1u /* the result goes to reply_to by itself */
#define LEDGER_JOB_CANCEL 2u   /* somebody asked for its end; set by ledger_cancel */

/*
 * A job as the ledger keeps it. Texts may be NULL unless said. Times are wall-clock ms, 0: none.
 * A ledger_job that a callback hands over lives for the callback; ledger_job_copy keeps it.
 */
struct ledger_job {
    char id[LIMIT_ID]; /* "job_7k2f9q3m" */
    enum job_state state;
    uint32_t flags;
    int32_t open;     /* 1: some process has to do something about it */
    int32_t progress; /* permille, -1: not known */
    uint32_t tries;   /* failed tries of the current step */
    int64_t created_ms;
    int64_t updated_ms;
    int64_t submitted_ms;
    int64_t due_ms;      /* when to do the next thing */
    int64_t deadline_ms; /* when the provider's time is over */
    int64_t ended_ms;    /* when the provider was known to be done, or the job failed */
    char *tool;          /* never NULL */
    char *kind;          /* "image" or "video"; never NULL */
    char *provider;      /* never NULL */
    char *account;       /* a fingerprint of the key in use at the start, never the key */
    char *model;
    char *conversation;
    char *caller;
    char *locale;
    char *host; /* ahp_host.name of the process it came through; only such a host can deliver it */
    char *reply_to;
    size_t reply_to_len;
    char *dedup_key;
    char *resubmit_of;  /* the unknown job that it repeats */
    char *batch;        /* what it belongs to: an item, or with batch_index 0 the whole; or NULL */
    uint32_t batch_index; /* of an item, from 1 */
    char *request;      /* JSON: what the adapter planned; never NULL */
    char *plan;         /* JSON: changes, estimate, poll times; for results */
    char *flow;         /* JSON: the adapter's state */
    char *provider_job; /* the provider's own id, for people */
    enum err_kind error_kind;
    char *error_text;
    char *advice;
    double cost_estimate; /* < 0: not known */
    double cost;          /* what the provider said it took; < 0: not known */
    char *currency;

    struct ledger_file *files;
    size_t files_count;
    struct ledger_delivery *deliveries;
    size_t deliveries_count;

    /* An upload to be remembered with the next record (see ledger_uploads); never read back. */
    char *upload_key;
    char *upload_url;
    int64_t upload_until_ms;
};

/* Every text and list of a copy is a block of its own from mem.h: a holder may replace one. */
int ledger_job_copy(const struct ledger_job *job, struct ledger_job **ret_job);
void ledger_job_free(struct ledger_job *job);

/* How an operation ended. */
enum ledger_result {
    LEDGER_OK = 0,
    LEDGER_FAILED = -1,    /* err says why; nothing was changed */
    LEDGER_LOST = -2,      /* the job is another process's now; nothing was changed */
    LEDGER_NOT_FOUND = -3,
    LEDGER_TAKEN = -4,     /* a living process works on it */
};

/*
 * Opens the ledger in folder `dir` (made, 0700), brings its tables up to date, and takes an owner
 * identity. Blocks for file access: only from create. ERR_IO, ERR_CONFIG for a ledger of a newer
 * version; each names the path.
 */
int ledger_open(struct env *env, const char *dir, struct ledger **ret_ledger, struct err *err);

/*
 * From here on the lease is renewed and operations run. Before it operations queue. ERR_NOMEM: the
 * host gave no timers; the ledger can only be closed.
 */
int ledger_start(struct ledger *ledger, struct err *err);

/*
 * The end in stop: from here on no operation is queued, and none calls back. Stores what accepts,
 * records and cancels are still queued, gives its leases back and closes the file, all of it off
 * the loop where the host can; for another writer it waits up to 2 s in all. ended(ud) follows on
 * the loop, maybe inside this call; then only ledger_close is left, which finds nothing to wait
 * for. Not called if ledger_close, or env_cancel_work where the host has no workers, comes first.
 */
typedef void ledger_ended_fn(void *ud);
void ledger_end(struct ledger *ledger, ledger_ended_fn *ended, void *ud);

/*
 * Frees all. What ledger_end would have done is done in this call if it was not: blocks for file
 * access then, only from destroy. Never from a callback of an operation. NULL is ignored.
 */
void ledger_close(struct ledger *ledger);

/* True while an operation has not called back, or a worker of the host is at the file. */
int ledger_is_busy(const struct ledger *ledger);

/* Past durations of finished jobs of one provider, model and kind: submit to known end. */
struct ledger_history {
    uint32_t count;
    int64_t shortest_ms;
    int64_t median_ms;
};

/* How long a dedup key makes two jobs the same. */
enum ledger_dedup {
    DEDUP_OWN,  /* while the job has not ended, and DEDUP_WINDOW_MS after its start */
    DEDUP_HOST, /* DEDUP_HOST_MS */
    DEDUP_EVER, /* as long as the job is in the ledger */
};

/*
 * How much may be spent, in one currency; < 0: no such limit. What jobs took is counted, or their
 * estimates where that was not told; nothing for those that failed or were never sent. A new job
 * whose own estimate is not in that currency is refused when a limit is reached already.
 */
struct ledger_budget {
    char currency[8];
    double day;          /* in the 24 hours before now_ms, by all conversations */
    double conversation; /* ever, by the job's conversation */
};

struct ledger_accept {
    const struct ledger_job *job; /* with its id; state PLANNED, or SUBMITTING with flow set */
    int take;                     /* 1: this process works on it from now */
    const char *dedup_key;        /* NULL: none, always a new job */
    enum ledger_dedup dedup;
    int64_t now_ms;
    const struct ledger_budget *budget; /* NULL: none */
};

/*
 * The functions below return 0, and the callback follows; or -1 (no memory, or LIMIT_LEDGER_OPS are
 * queued), and none does. In a callback `err` is NULL unless the result is LEDGER_FAILED; `job`,
 * jobs and err live for the callback.
 */

/*
 * ERR_IO when the ledger's file has lost its name: what is stored there dies with the process.
 *
 * Stores a new job, unless one with the same dedup_key is known: with DEDUP_OWN one that is not
 * ended or that began within DEDUP_WINDOW_MS; but for DEDUP_HOST not if it ended as failed,
 * cancelled or expired. `job` is the stored one, with files and deliveries; created tells which.
 * resubmit_of is unique: LEDGER_TAKEN and the earlier repeat when that job was repeated already,
 * and the repeat did not fail. Past the budget: LEDGER_FAILED with ERR_BUDGET, the limit's name in
 * its field, and the sum in its text; a repeat is never refused for that. The key is stored as the
 * job's dedup_key; without one the job's own is, for others to find.
 */
typedef void ledger_accept_fn(void *ud, enum ledger_result result, const struct ledger_job *job,
                              int created, const struct ledger_history *history,
                              const struct err *err);
int ledger_accept(struct ledger *ledger, const struct ledger_accept *accept, ledger_accept_fn *done,
                  void *ud);

/*
 * Stores the whole present state of a job that this process holds: its row, files not stored yet
 * (by number) and its deliveries (by key), in one transaction. `flags` tells what the store knows
 * by now (LEDGER_JOB_CANCEL), which a record never takes away. `release` gives the lease back with
 * it. id, created_ms, dedup_key and resubmit_of stay as they were accepted, and so does a file that
 * is stored already.
 */
typedef void ledger_record_fn(void *ud, enum ledger_result result, uint32_t flags,
                              const struct err *err);
int ledger_record(struct ledger *ledger, const struct ledger_job *job, int release,
                  ledger_record_fn *done, void *ud);

struct ledger_scan {
    /*
     * Jobs past FETCHING are taken only if they came through this host, or through none, and it can
     * deliver now. READY without LEDGER_JOB_DELIVERS has nothing to deliver: anyone takes it.
     */
    const char *host;
    int can_deliver;
    int64_t now_ms;
    size_t jobs_max; /* up to LIMIT_LEDGER_SCAN; when so many come there may be more: scan again */
};

/*
 * Takes leases of open jobs that nobody alive holds, oldest due first, and counts what is left to
 * do: open jobs that `host` could work on or that a living process, this one included, works on.
 */
typedef void ledger_scan_fn(void *ud, enum ledger_result result,
                            const struct ledger_job *const *jobs, size_t jobs_count,
                            int64_t unfinished, const struct err *err);
int ledger_scan(struct ledger *ledger, const struct ledger_scan *scan, ledger_scan_fn *done,
                void *ud);

/*
 * Takes the lease of one job, by its id or by the key of one of its deliveries, open or not.
 * LEDGER_NOT_FOUND, LEDGER_TAKEN (job is what is stored). OK also when this process holds it.
 */
typedef void ledger_claim_fn(void *ud, enum ledger_result result, const struct ledger_job *job,
                             const struct err *err);
int ledger_claim(struct ledger *ledger, const char *id, const char *delivery_key,
                 ledger_claim_fn *done, void *ud);

/*
 * Asks whoever holds the job to end it: sets LEDGER_JOB_CANCEL, unless it has ended. LEDGER_OK with
 * the job, LEDGER_NOT_FOUND. The holder learns it from its next record or claim.
 */
int ledger_cancel(struct ledger *ledger, const char *id, ledger_claim_fn *done, void *ud);

struct ledger_query {
    const char *id;           /* one job */
    const char *file;         /* or the job of one file handle */
    const char *conversation; /* jobs of this conversation only; NULL: of all */
    const char *kind;         /* or NULL */
    int with_files;           /* only jobs that have files */
    int only_open;            /* only jobs that have not ended */
    int only_unsettled;       /* those, and jobs that expired or whose fate is unknown */
    int no_items;             /* not those that are items of a batch */
    const char *batch;        /* items of this batch only, the newest of each index, by index */
    uint32_t batch_after;     /* with batch: of higher indexes only */
    size_t limit;             /* at most LIMIT_LIST */
};

/* Reads, newest first. Nothing found is LEDGER_OK with no jobs. */
typedef void ledger_find_fn(void *ud, enum ledger_result result,
                            const struct ledger_job *const *jobs, size_t jobs_count,
                            const struct err *err);
int ledger_find(struct ledger *ledger, const struct ledger_query *query, ledger_find_fn *done,
                void *ud);

/*
 * Addresses of files that this account has already: `urls` has one for each of the keys (at most
 * LIMIT_UPLOADS), NULL where none is known or its time is over. An account is provider and account
 * of a job. ledger_record stores what upload_key and its neighbours say.
 */
typedef void ledger_uploads_fn(void *ud, enum ledger_result result, const char *const *urls,
                               const struct err *err);
int ledger_uploads(struct ledger *ledger, const char *provider, const char *account,
                   const char *const *keys, size_t keys_count, int64_t now_ms,
                   ledger_uploads_fn *done, void *ud);

/*
 * How far the items of a batch are. Of several jobs with one index the newest counts. `items` of
 * them have been accepted.
 */
struct ledger_batch {
    uint32_t items;
    uint32_t open;
    uint32_t failed; /* failed, cancelled, expired or of unknown fate */
};
typedef void ledger_batch_fn(void *ud, enum ledger_result result, const struct ledger_batch *batch,
                             const struct err *err);
int ledger_batch(struct ledger *ledger, const char *batch, ledger_batch_fn *done, void *ud);

/*
 * Would a job of that cost (< 0: not known) pass the budget now? LEDGER_OK: no; LEDGER_FAILED with
 * ERR_BUDGET as ledger_accept has it. It promises nothing: only ledger_accept holds the budget.
 */
typedef void ledger_afford_fn(void *ud, enum ledger_result result, const struct err *err);
int ledger_afford(struct ledger *ledger, const struct ledger_budget *budget,
                  const char *conversation, double cost, const char *currency, int64_t now_ms,
                  ledger_afford_fn *done, void *ud);

#endif
