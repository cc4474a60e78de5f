/*
 * ahp_uv.h - the host side of the ABI on somebody's libuv loop; a library that hosts link.
 *
 * One `struct ahp_uv` carries one instance. It lends the instance ahp.loop/1, ahp.calls/1,
 * ahp.deliver/1, ahp.check/1 and, if asked, ahp.work/1 and ahp.approval/1, keeps the table of open
 * calls, and takes the instance down in order. It knows nothing about what the tools do. The loop
 * stays its owner's: it is never run, stopped or closed here, so the same code serves a program of
 * its own and Node.
 *
 * The owner is called back from the loop's top level only, never while the plugin is running, so it
 * may call any function of this header from a callback. The exceptions are `log`, `log_on`,
 * `offer`, `ask`, `ask_over` and `breach`, marked [inside]: these run on the plugin's stack (log on
 * any thread) and may only copy what they are given. Everything else is for the loop's thread.
 *
 * Threads: none, unless AHP_UV_WORK is set and the plugin queues work; then libuv's pool starts.
 */
#ifndef AHP_UV_H
#define AHP_UV_H

#include <uv.h>

#include <ahp/ahp.h>
#include <ahp/approval.h>
#include <ahp/calls.h>
#include <ahp/deliver.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits; beyond them the plugin is answered with AHP_E_LIMIT. */
#define AHP_UV_WATCHES_MAX        65536u
#define AHP_UV_TIMERS_MAX         262144u
#define AHP_UV_DEFERRED_MAX       65536u
#define AHP_UV_CALLS_MAX          65535u
#define AHP_UV_WORK_MAX           1024u
#define AHP_UV_RECEIPTS_MAX       65536u
#define AHP_UV_QUESTIONS_MAX      1024u
#define AHP_UV_PROGRESS_BYTES_MAX 256u

/* A callback of the plugin that holds the loop for longer than this is named in the log, unless the
 * system gave the time to other programs: it neither computed for so long nor waited for
 * anything. */
#define AHP_UV_CALLBACK_BUDGET_MS 10

/* A receipt that the plugin did not take is repeated after so long, each time twice as long. */
#define AHP_UV_RECEIPT_AGAIN_MS_MIN 50
#define AHP_UV_RECEIPT_AGAIN_MS_MAX 60000

/* How long after its deadline a plugin may still answer stop() before it is destroyed anyway. */
#define AHP_UV_STOP_GRACE_MS 250

/* Log items of this library (ahp_host.log); the shim's begin at 1. */
#define AHP_UV_ITEM_SLOW       900u /* a callback passed its time budget */
#define AHP_UV_ITEM_DEAD_FD    901u /* a watched fd was closed without watch_free */
#define AHP_UV_ITEM_STALE_CALL 902u /* complete() for a call that is not open */
#define AHP_UV_ITEM_BIG_RESULT 903u /* a result beyond the limits of calls.h */
#define AHP_UV_ITEM_STOPPED    904u /* stopped() when stop() was not asked */
#define AHP_UV_ITEM_LATE_STOP  905u /* stop() was not answered by its deadline */
#define AHP_UV_ITEM_LEAK       906u /* something was alive after destroy() */
#define AHP_UV_ITEM_OPEN_CALL  907u /* a call was still open after destroy() */
#define AHP_UV_ITEM_BAD_CALL   908u /* ahp_uv_call was given a text beyond the limits of calls.h */

/* Where in the plugin time was spent. */
enum ahp_uv_kind {
    AHP_UV_KIND_CREATE,
    AHP_UV_KIND_START,
    AHP_UV_KIND_TOOLS,
    AHP_UV_KIND_CALL,
    AHP_UV_KIND_CANCEL,
    AHP_UV_KIND_RECEIPT,
    AHP_UV_KIND_WATCH,
    AHP_UV_KIND_TIMER,
    AHP_UV_KIND_DEFER,
    AHP_UV_KIND_WORK_DONE,
    AHP_UV_KIND_ANSWER,
    AHP_UV_KIND_UNFINISHED,
    AHP_UV_KIND_STOP,
    AHP_UV_KIND_DESTROY,
    AHP_UV_KIND_COUNT
};

/* Figures of one instance. Times are of single callbacks from the loop: create, start and destroy
 * are counted apart, since they happen once. */
struct ahp_uv_stats {
    uint64_t callbacks;
    uint64_t callbacks_slow; /* longer than AHP_UV_CALLBACK_BUDGET_MS, for any reason */
    uint64_t ns_total;
    uint64_t ns_max;
    uint64_t ns_p50; /* percentiles are exact to about 3 % */
    uint64_t ns_p99;
    uint64_t ns_p999;
    enum ahp_uv_kind kind_max; /* the kind that took ns_max */
    uint64_t ns_create;
    uint64_t ns_start;
    uint64_t ns_destroy;
    uint64_t calls_accepted;
    uint64_t calls_refused;
    uint64_t calls_ended;
    uint64_t offers;
    uint64_t receipts;
    uint64_t work_run;
    uint32_t watches_peak;
    uint32_t timers_peak;
};

/* What was found when the instance was taken down; all 0 for a plugin that behaves. */
struct ahp_uv_end {
    struct ahp_uv_stats stats;
    uint32_t stop_late; /* 1: stop() was not answered in time */
    uint32_t calls_open;
    uint32_t watches_live;
    uint32_t timers_live;
    uint32_t deferred_live;
    uint32_t questions_live;
};

#define AHP_UV_WORK  1u /* offer ahp.work/1 on libuv's thread pool */
#define AHP_UV_CHECK 2u /* put the checking shim between host and plugin */
#define AHP_UV_UNREF 4u /* watches and timers do not keep the loop alive (uv_unref) */

/* What the owner brings. Copied by ahp_uv_open; the texts must live as long as the ahp_uv. */
struct ahp_uv_owner {
    const char *name; /* the host's stable name */
    const char *version;
    uint32_t flags;         /* AHP_UV_ */
    uint32_t deliver_flags; /* AHP_DELIVER_ */
    int64_t repeat_window_ms;
    uint64_t file_bytes_max;
    void *ud;

    /* [inside] [any] As ahp_host.log and log_on. log is required; without log_on all is wanted. */
    void (*log)(void *ud, int32_t level, uint32_t item, const char *text, size_t len);
    int32_t (*log_on)(void *ud, int32_t level);

    /* [inside] As ahp_deliver.offer; answer later with ahp_uv_receipt. NULL: unsupported. */
    int32_t (*offer)(void *ud, const ahp_delivery *delivery);

    /*
     * [inside] As ahp_approval.ask; answer later, or at once, with ahp_uv_answer. Without it
     * ahp.approval/1 is not offered.
     */
    int32_t (*ask)(void *ud, uint64_t question_id, const ahp_question *question);

    /* [inside] The question was taken back before it was answered. May be NULL. */
    void (*ask_over)(void *ud, uint64_t question_id);

    /* [inside] The shim found a breach; it has been logged. May be NULL. */
    void (*breach)(void *ud, int32_t level, uint32_t item, const char *text);

    /* The tool list has changed. May be NULL. */
    void (*rescan)(void *ud);

    /*
     * The plugin is done with a receipt: 0, it has it, or AHP_E_STALE, it does not know the key.
     * Until then a host that must not lose it keeps it and posts it again after a restart. May be
     * NULL. The receipt lives until this returns.
     */
    void (*receipt_taken)(void *ud, const ahp_receipt *receipt, int32_t code);
};

/* The end of a call, exactly once for each accepted one. `result` lives until it returns; its texts
 * and file names end in NUL. */
typedef void ahp_uv_result_fn(void *ud, uint64_t call_id, const ahp_result *result);

/* The newest progress of an open call; older ones are dropped, not queued. */
typedef void ahp_uv_progress_fn(void *ud, uint64_t call_id, int32_t permille, const char *text);

/* The instance is gone and so are all uv handles; the ahp_uv is freed when this returns. */
typedef void ahp_uv_closed_fn(void *ud, const struct ahp_uv_end *end);

struct ahp_uv;

/* Makes a host without an instance on `loop`. AHP_E_INVALID, AHP_E_NOMEM, AHP_E_FAILED. */
int32_t ahp_uv_open(uv_loop_t *loop, const struct ahp_uv_owner *owner, struct ahp_uv **ret_host);

/*
 * Checks the entry (ahp_entry_check), creates the one instance and checks that (ahp_inst_check). On
 * failure the ahp_uv is as before. What these three return, AHP_E_STATE.
 */
int32_t ahp_uv_create(struct ahp_uv *h, const ahp_entry *entry, const ahp_text *config,
                      ahp_err *ret_err);

/* Starts the instance, once. After a failure only ahp_uv_close is left. */
int32_t ahp_uv_start(struct ahp_uv *h, ahp_err *ret_err);

/* The tools, borrowed until rescan or the end. AHP_E_STATE without an instance. */
int32_t ahp_uv_tools(struct ahp_uv *h, const ahp_tool *const **ret_tools, uint32_t *ret_count);

/* ahp_jobs.unfinished; -1: not known yet. AHP_E_UNSUPPORTED: the plugin has no ahp.jobs/1. */
int64_t ahp_uv_unfinished(struct ahp_uv *h);

/*
 * Begins a tool call. `call->id` and `call->size` are filled in here, the rest is as in calls.h;
 * longer texts than calls.h allows are AHP_E_INVALID, and the log names the field. 0: one call of
 * `result_fn` follows, never before this returns. Else none does: AHP_E_STATE unless it was started
 * and is not being closed, AHP_E_LIMIT, AHP_E_NOMEM, or what the plugin refused it with.
 * progress_fn and ret_id may be NULL.
 */
int32_t ahp_uv_call(struct ahp_uv *h, const ahp_call *call, uint64_t *ret_id,
                    ahp_uv_result_fn *result_fn, ahp_uv_progress_fn *progress_fn, void *ud);

/* A wish; the call's result still follows. AHP_E_STALE: it has ended already. */
int32_t ahp_uv_cancel(struct ahp_uv *h, uint64_t call_id);

/*
 * Posts a receipt for an accepted offer: copied, and given to the plugin from the top level on a
 * later turn. When the plugin answers neither 0 nor AHP_E_STALE it is given again later, for as
 * long as the instance runs; see receipt_taken. May be called [inside] offer. AHP_E_LIMIT,
 * AHP_E_NOMEM, AHP_E_STATE.
 */
int32_t ahp_uv_receipt(struct ahp_uv *h, const ahp_receipt *receipt);

/*
 * Changes the AHP_DELIVER_ flags, such as READY when a channel comes or goes. Without an `offer`
 * they stay 0.
 */
void ahp_uv_deliver_set(struct ahp_uv *h, uint32_t deliver_flags);

/*
 * Answers a question (AHP_APPROVAL_): the plugin hears it from the top level, on a later turn. May
 * be called [inside] ask. AHP_E_STALE: it was answered or taken back.
 */
int32_t ahp_uv_answer(struct ahp_uv *h, uint64_t question_id, int32_t answer);

/* 1 if nothing is queued for the next turn: no result, receipt or deferred call. */
int ahp_uv_quiet(const struct ahp_uv *h);

/* The clock that deadlines are on. */
int64_t ahp_uv_now_ms(const struct ahp_uv *h);

/*
 * Takes everything down: stop() with that deadline if the instance was started, the end of all
 * work, destroy(), release of what the plugin left behind, then `cb`. Open calls end with
 * AHP_RESULT_SHUTDOWN at the latest. The loop must be kept turning until cb has been called; cb is
 * never called before this returns. AHP_E_STATE: it is being closed already.
 */
int32_t ahp_uv_close(struct ahp_uv *h, int64_t timeout_ms, ahp_uv_closed_fn *cb, void *ud);

/* The figures so far. */
void ahp_uv_stats_get(const struct ahp_uv *h, struct ahp_uv_stats *ret_stats);

/* The name of a kind, such as "timer". */
const char *ahp_uv_kind_name(enum ahp_uv_kind kind);

#ifdef __cplusplus
}
#endif

#endif
