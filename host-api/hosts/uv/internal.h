/*
 * internal.h - what the files of the libuv host share. Nothing outside this folder includes it.
 *
 * One queue holds everything that waits for the loop's top level: deferred calls, timers whose time
 * had passed when they were set, results and progress for the owner, receipts for the plugin, and
 * the steps of closing. It is drained in libuv's check phase, after the input and output of a turn;
 * items that are queued while it drains wait for the next turn (their seq is above the limit), so
 * nothing can starve the loop.
 */
#ifndef AHP_UV_INTERNAL_H
#define AHP_UV_INTERNAL_H

#include <stdatomic.h>

#include <ahp/check.h>
#include <ahp/jobs.h>
#include <ahp/loop.h>
#include <ahp/work.h>
#include <uthash.h>
#include <utlist.h>

#include "ahp_uv.h"

enum item_kind {
    ITEM_DEFER,
    ITEM_TIMER,
    ITEM_RESULT,
    ITEM_PROGRESS,
    ITEM_RECEIPT,
    ITEM_ANSWER,
    ITEM_RESCAN,
    ITEM_CLOSE
};

struct item {
    enum item_kind kind;
    int queued;
    uint64_t seq;
    void *owner; /* the struct that this item is embedded in */
    struct item *prev;
    struct item *next;
};

enum phase {
    PHASE_EMPTY,
    PHASE_CREATED,
    PHASE_BROKEN, /* start has failed */
    PHASE_STARTED,
    PHASE_STOPPING,
    PHASE_WORK,
    PHASE_GONE
};

/* Time spent in callbacks: 32 steps an octave, so a value is known to about 3 %. */
#define HIST_STEPS   32u
#define HIST_BUCKETS (HIST_STEPS * 40u)

struct call_slot;
struct receipt_item;

/* What the loop's thread has had of the system, up to a moment. */
struct usage {
    int64_t cpu_us;
    long waits; /* how often it gave up its processor by itself; < 0: not known */
};

struct ahp_uv {
    uv_loop_t *loop;
    struct ahp_uv_owner owner;
    uv_thread_t thread;
    enum phase phase;
    int depth;        /* 1 while the plugin is running */
    struct usage entered; /* what this thread had used by then */
    uint32_t handles; /* uv handles that are not closed yet */

    ahp_host host;
    ahp_deliver deliver;
    ahp_inst *inst;
    const ahp_jobs *jobs;

    uv_prepare_t prepare; /* applies changed watches */
    uv_check_t check;     /* drains the queue */
    uv_idle_t idle;       /* keeps poll from sleeping while the queue holds something */
    uv_timer_t stop_timer;
    uv_timer_t receipts_timer; /* for the first of receipts_again */

    struct item *queue;
    uint64_t seq;
    uint32_t deferred_count;
    uint32_t receipts_count;
    struct receipt_item *receipts_again; /* not taken, to be given again */
    int64_t receipts_due_ms;             /* when receipts_timer fires */
    struct item rescan_item;
    struct item close_item;

    struct ahp_watch *watches; /* uthash by fd */
    struct ahp_watch *dirty;
    uint32_t watches_count;
    struct ahp_timer *timers;
    uint32_t timers_count;

    struct call_slot **slots;
    struct call_slot *slots_free;
    uint32_t slots_count;
    uint32_t calls_open;

    struct work_item *work;
    uint32_t work_count;

    struct ahp_asked *asked; /* questions without an answer that has arrived */
    uint32_t asked_count;
    uint64_t asked_last;

    int stopped;
    int late;
    int64_t stop_timeout_ms;
    ahp_uv_closed_fn *closed_fn;
    void *closed_ud;
    struct ahp_uv_end end;

    uint32_t hist[HIST_BUCKETS];
};

extern const ahp_loop ahp_uv_loop_vtable;
extern const ahp_calls ahp_uv_calls_vtable;
extern const ahp_work ahp_uv_work_vtable;
extern const ahp_check ahp_uv_check_vtable;
extern const ahp_approval ahp_uv_approval_vtable;

/* host.c */
void ahp_uv_log(struct ahp_uv *h, int32_t level, uint32_t item, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void ahp_uv_handle_added(struct ahp_uv *h, uv_handle_t *handle);
void ahp_uv_handle_closed(struct ahp_uv *h); /* may free h */
int ahp_uv_may_call_back(const struct ahp_uv *h); /* of watches, timers and deferred calls */

/* close.c */
void ahp_uv_close_step(struct ahp_uv *h);
void ahp_uv_stopped(void *ctx); /* ahp_host.stopped */

/* queue.c */
int32_t ahp_uv_queue_init(struct ahp_uv *h);
void ahp_uv_queue_add(struct ahp_uv *h, struct item *item);
void ahp_uv_queue_remove(struct ahp_uv *h, struct item *item);
void ahp_uv_queue_close(struct ahp_uv *h); /* gives out results, drops the rest */
int32_t ahp_uv_defer(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud);
void ahp_uv_defer_free(ahp_deferred *deferred);

/* loop.c */
int32_t ahp_uv_loop_init(struct ahp_uv *h);
void ahp_uv_timer_run(struct ahp_timer *timer);
void ahp_uv_loop_sweep(struct ahp_uv *h); /* frees what the plugin left */

/* calls.c */
void ahp_uv_result_run(struct call_slot *slot);
void ahp_uv_progress_run(struct call_slot *slot);
void ahp_uv_calls_end(struct ahp_uv *h); /* ends open calls with SHUTDOWN */
void ahp_uv_calls_free(struct ahp_uv *h);

/* deliver.c */
int32_t ahp_uv_deliver_init(struct ahp_uv *h);
void ahp_uv_deliver_close(struct ahp_uv *h); /* drops the receipts that wait */
int32_t ahp_uv_offer(void *ctx, const ahp_delivery *delivery);
void ahp_uv_receipt_run(struct receipt_item *receipt, int drop);

/* ask.c */
void ahp_uv_answer_run(struct ahp_asked *asked);
void ahp_uv_ask_sweep(struct ahp_uv *h); /* frees what the plugin left */

/* work.c */
void ahp_uv_work_cancel(struct ahp_uv *h);

/* stats.c: every entry into the plugin goes between these two */
uint64_t ahp_uv_enter(struct ahp_uv *h);
void ahp_uv_leave(struct ahp_uv *h, enum ahp_uv_kind kind, uint64_t entered_ns);

#endif
