/*
 * engine_private.h - shared by the files of engine/ only.
 *
 * How a job moves: job_run (it is due) -> turn_take (ask the adapter) -> record (make it durable)
 * -> send -> reply -> turn_take ... -> fetch (files) -> deliver. Between two of these a job is
 * either waiting for one thing (`busy`) or standing in the scheduler's heap. Nothing that the
 * outside world could notice happens before the record that announces it is durable.
 */
#ifndef ENGINE_ENGINE_PRIVATE_H
#define ENGINE_ENGINE_PRIVATE_H

#include "base/hash.h"
#include "engine/engine.h"
#include "media/imaging.h"
#include "media/media.h"
#include "media/spill.h"

struct job;
struct account_pace;
struct receipt_copy;
struct acting;
struct ordering;
struct asking;
struct batch_room;
struct restoring;
struct summing;

/* Set in ledger_job.flags before a request that may spend goes out, cleared with its answer. */
#define JOB_SENT 256u

/* What a job is waiting for. */
enum job_busy {
    BUSY_NOT = 0,
    BUSY_RECORD, /* the ledger */
    BUSY_NET,    /* an answer */
    BUSY_FILE,   /* a file that is being published */
    BUSY_RECEIPT,/* the host */
};

typedef void job_then_fn(struct job *job);

/* One conversation turn with the adapter: lives from next() until its step is done with. */
struct turn {
    struct arena arena;
    struct provider_step step;
};

/* What catches the body of an answer. */
struct catch {
    struct spill *spill;                     /* of HTTP_ANSWER_MEDIA */
    struct media_part *parts[LIMIT_BLOBS];   /* one a blob; [0] of HTTP_ANSWER_FILE */
    int broken[LIMIT_BLOBS];                 /* a blob that was no proper base64 */
    unsigned open;                           /* the blob being written */
    struct err err;                          /* why the body was not taken */
};

struct job {
    UT_hash_handle hh; /* by row->id */
    struct engine *engine;
    struct ledger_job *row;
    char *dir; /* where its files go */
    enum job_busy busy;
    job_then_fn *then; /* after the record under way */
    int release;       /* the record under way gives the lease back */
    int unrecorded;    /* the last record failed and is to be tried again, before anything else */
    int dropped;       /* not ours any more: to be freed when nothing is under way */
    int rechecks;      /* a person wanted a look, and it is not over */
    size_t told;       /* deliveries made when the provider last said that it works */
    unsigned overdue;  /* answers past its deadline that said "not yet" */
    int word_logged;   /* an unknown state word was logged once */
    int64_t due_ms;    /* monotonic */
    int taken_up;      /* of an earlier or other process */
    int paced;         /* due_ms is a moment reserved at its account */
    size_t heap_index; /* SIZE_MAX: not in the heap */
    struct turn *turn;
    struct net_call *call;
    int spending;      /* the call may cost money */
    struct catch catch;
    uint32_t fetching; /* the number of the file being fetched */
    unsigned failed;   /* bits of the numbers that could not be had */
    size_t files_recorded;
    struct restoring *restoring; /* the file being fetched, while it gets pixels back */
    struct err fetch_err; /* the first file that could not be had */
    struct receipt_copy *receipts; /* came while a record was under way */
    struct batch_room *room; /* of its batch, while it is under way */
    int room_waits;
    struct summing *summing; /* of a whole batch */
    json_t *secrets; /* the adapter's, of this process only */
    struct http_reply *kept;       /* a paid answer that could not be read yet */
    struct arena kept_arena;
};

struct engine {
    struct env *env;
    struct config *config;
    struct ledger *ledger;
    struct net *net;
    struct imaging *imaging;
    struct job *jobs; /* hash: all that this process holds */
    struct job **heap;
    size_t heap_count;
    size_t heap_room;
    struct account_pace *paces;
    ahp_timer *due_timer;
    ahp_timer *scan_timer;
    ahp_timer *stop_timer;
    struct receipt_copy *receipts; /* waiting for their jobs to be read */
    int64_t stop_by_ms;
    int scanning;
    int scan_again;
    int64_t unfinished;
    struct engine_watch *watches;
    ahp_timer *watch_timer;
    ahp_deferred *watch_pass;
    int watch_passing;
    int stopping;
    int closing;
    int late; /* the time for stopping is over */
    struct acting *actings;
    struct ordering *orderings;
    struct asking *askings;
    struct batch_room *rooms; /* hash by the batch's name */
    engine_stopped_fn *stopped;
    void *stopped_ud;
    ahp_deferred *stop_deferred;
};

/* job.c */
int job_state_allowed(enum job_state from, enum job_state to);
void job_set_state(struct job *job, enum job_state state);
struct job *job_new(struct engine *engine, const struct ledger_job *row);
struct job *job_by_id(struct engine *engine, const char *id);
/* A job with nothing under way that stands in no heap is put into it, for its due time. */
void job_rest(struct job *job);
int job_tell(struct job *job); /* adds the words about how it ended, if any are owed; -1: no memory */
void job_free(struct job *job);
/*
 * What a callback of something that was waited for begins with: it is over. 1: the job must not be
 * touched any more, as the engine closes or the job was given up meanwhile, and is freed.
 */
int job_back(struct job *job);
/*
 * Adds a file that is here, with facts whose url it takes on success, under a new handle. -1
 * without memory.
 */
int job_add_file(struct job *job, const struct ledger_file *facts, const char *path,
                 const char *mime, const char *prefix);
void job_forget(struct job *job); /* gives up what is under way here; the ledger keeps it */
void job_record(struct job *job, int release, job_then_fn *then);
int job_text(char **at, const char *text); /* replaces a text of a row; NULL clears it */
/* Ends the job with an error, tells the user if there is a way, and records it. */
void job_end(struct job *job, enum job_state state, const struct err *err);
const struct config_provider *job_provider(struct job *job, struct err *err);
enum words_language job_language(const struct job *job);
size_t job_count(const struct engine *engine);

/* run.c */
void job_run(struct job *job);
/* The first step, before the job is stored; -1: err, and nothing may be sent. */
int turn_first(struct job *job, struct err *err);
void turn_go(struct job *job); /* does what the stored first step says */
int turn_again(struct job *job); /* asks without a reply; -1: it cannot be asked now, and waits */
void turn_keep_drop(struct job *job); /* of the answer that was kept */
void turn_free(struct job *job);
void job_send(struct job *job, const struct http_request *request, net_done_fn *done);

/* catch.c */
const struct net_sink *catch_sink(struct job *job, enum http_answer answer,
                                  struct net_sink *ret_sink);
int catch_finish(struct job *job, struct http_reply *reply, struct err *err);
void catch_read(struct job *job); /* the answer's text was read: its buffers go, the files stay */
void catch_drop(struct job *job);
void catch_leave(struct job *job); /* files of a whole answer stay for who goes on with the job */
void catch_sweep(const struct job *job); /* what an earlier process or a tool left, and nobody took */
char *catch_stem(const struct job *job, uint32_t number); /* mem_free */

/* fetch.c */
void fetch_start(struct job *job);
/* The file being fetched is complete; facts and path end with the call. */
void fetch_have(struct job *job, const struct media_facts *facts, const char *path);
void fetch_finish(struct job *job); /* files are here: tell the user, or be done */

/* record.c: a file for other programs of the service; 1: `then` follows, 0: there is none to write
 */
int record_start(struct job *job, job_then_fn *then);

/* restore.c: 1 when the picture first gets the original's pixels back, and fetch_have follows. */
int restore_begin(struct job *job, const struct media_facts *facts, const char *path);
void restore_drop(struct job *job);

/* schedule.c */
void schedule_at(struct job *job, int64_t due_ms);
void schedule_in(struct job *job, int64_t delay_ms);
void schedule_off(struct job *job);
void schedule_tick(void *ud);
int schedule_room(struct engine *engine, size_t jobs); /* so that schedule_at cannot fail */
int64_t schedule_backoff_ms(unsigned tries);
int64_t schedule_poll_ms(const struct provider_times *times, int64_t elapsed_ms, int first);
void schedule_done(struct engine *engine);
void job_times(const struct job *job, struct provider_times *ret_times);

/* deliver.c */
/* In the place of words that are not delivered yet. -1: no memory. */
int deliver_add(struct job *job, int32_t kind, const char *text);
struct ledger_delivery *deliver_open(struct job *job);
void deliver_run(struct job *job);
/* The host is done with its key: what is sent again needs a new one. */
int deliver_is_settled(const struct job *job, const struct ledger_delivery *delivery);
int deliver_receipt(struct job *job, const ahp_receipt *receipt); /* 1: a record follows */
void deliver_overdue(struct job *job); /* no receipt for too long */
void deliver_begin(struct job *job); /* the files are here: makes the words, and delivers */

/* receipt.c */
int receipt_next(struct job *job);      /* applies one that waited; 1: a record follows */
void receipts_pass_on(struct job *job); /* its lease goes: they claim it anew */
void receipts_drop(struct job *job);
void receipts_again(struct engine *engine); /* those whose job could not be claimed */
void receipt_done(struct engine *engine);

/* act.c */
void act_cancel(struct job *job);
/* Part of its results is made: its adapter ends it, not a wish alone. */
int act_has_made(const struct job *job);
void act_ask_provider(struct job *job);
void act_done(struct engine *engine);

/* order.c */
void order_done(struct engine *engine);

/* measure.c: notes in the plan how the files differ from what was asked for */
void measure_check(struct job *job);
/* "16:9" for what is near a ratio that people name, else "1.91:1". */
void measure_ratio_text(double ratio, char *ret_text, size_t size);

/* batch.c */
int batch_is_whole(const struct job *job);
void batch_run(struct job *job);    /* of a whole batch */
int batch_enter(struct job *job);   /* -1: no room yet; it is run again when there is */
void batch_leave(struct job *job);  /* it takes no more room */
void batch_drop(struct job *job);   /* of a whole batch, which goes */

/* ask.c: ends them all, without a word to who asked */
void ask_stop(struct engine *engine);

/* watch.c */
void watch_changed(struct engine *engine, const struct job *job);
void watch_done(struct engine *engine);

/* engine.c */
void engine_scan_soon(struct engine *engine);
/*
 * A job of an earlier or other process whose lease is ours now: goes on where its row says. NULL:
 * no memory, and the lease was given back.
 */
struct job *engine_take_up(struct engine *engine, const struct ledger_job *row);
void engine_idle_check(struct engine *engine);

#endif
