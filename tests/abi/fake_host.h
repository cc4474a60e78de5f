/*
 * fake_host.h - a scriptable host for tests: virtual clocks, turns by hand, everything recorded.
 *
 * Time moves only when a test moves it (fake_host_advance) or when fake_host_run finds nothing else
 * to do. File descriptors are real and polled. Work runs on a real thread, joined within the turn,
 * so a run is deterministic and the rule "off the loop's thread" holds. All host extensions but
 * ahp.approval/1 are offered; a test changes that with a `has_` member before create, and makes the
 * host misbehave by replacing a slot of a table.
 */
#ifndef TESTS_FAKE_HOST_H
#define TESTS_FAKE_HOST_H

#include <ahp/approval.h>
#include <ahp/calls.h>
#include <ahp/check.h>
#include <ahp/deliver.h>
#include <ahp/loop.h>
#include <ahp/work.h>

#define FAKE_FILES_MAX 16

struct fake_end {
    uint64_t call_id;
    int32_t status;
    char *json;
    char *job_id; /* "" when there is none, as all texts here */
    uint32_t files_count;
    char *files[FAKE_FILES_MAX]; /* paths */
};

struct fake_progress {
    uint64_t call_id;
    int32_t permille;
    char *text;
};

struct fake_delivery {
    uint32_t attempt;
    int32_t kind;
    char *key;
    char *reply_to;
    char *conversation;
    char *job_id;
    char *text;
    uint32_t files_count;
    char *files[FAKE_FILES_MAX];
    int answered; /* a receipt was sent */
};

struct fake_question {
    uint64_t call_id;
    int64_t deadline_ms;
    char *title;
    char *text;
    char *amount;
    char *currency;
    char *target;
    char *conversation;
    int over; /* answered, or taken back */
    int taken_back;
    struct fake_host *fake;
    ahp_answer_fn *cb;
    void *ud;
};

struct fake_log {
    int32_t level;
    uint32_t item;
    char *text;
};

/* What offer and the turns after it do. */
#define FAKE_RECEIPT_NONE (-1) /* the test sends receipts itself */

struct fake_host {
    /* The tables that the plugin gets; slots may be replaced. */
    ahp_host host;
    ahp_loop loop;
    ahp_calls calls;
    ahp_deliver deliver;
    ahp_work work;
    ahp_check check;
    ahp_approval approval;
    int has_loop, has_calls, has_deliver, has_work, has_check, has_approval;

    int64_t now_ms;
    int64_t wall_ms;
    int real_wait_ms;     /* how long fake_host_run waits for fds before time jumps; 50 */
    int32_t log_level;    /* log_on's threshold; AHP_LOG_DEBUG */
    int log_to_stderr;    /* for a person who looks at a test */
    uint32_t fail_at;     /* the nth watch_new, timer_new, timer_at, defer, run fails; 0: none */
    int fail_from_there;  /* and all after it */
    int32_t offer_result; /* what offer answers; AHP_OK */
    int32_t receipt;      /* outcome sent on the next turn (AHP_RECEIPT_), or FAKE_RECEIPT_NONE */
    int64_t receipt_delay_ms;
    int32_t ask_result; /* what ask answers; AHP_OK */
    ahp_inst *inst; /* where receipts go; set by the test after create */

    /* What happened. Arrays grow; texts are copies. */
    struct fake_end *ends;
    struct fake_progress *progress;
    struct fake_delivery *deliveries;
    struct fake_log *logs;
    struct fake_question **questions; /* answered by fake_host_answer */
    uint32_t questions_count;
    uint32_t ends_count, progress_count, deliveries_count, logs_count;
    uint32_t rescans, stopped;
    uint32_t watches_live, timers_live, deferred_live, work_live;
    uint32_t host_calls; /* counted for fail_at */

    struct fake_loop *impl;
    uint64_t next_call_id;
};

struct fake_host *fake_host_new(void);
/* Frees all, live handles included; the counts above tell a test what was left. NULL is ignored. */
void fake_host_free(struct fake_host *fake);

/*
 * One turn: descriptors (waiting up to wait_ms of real time), due timers, deferred calls from
 * before this turn, work, receipts. Returns how many callbacks ran.
 */
uint32_t fake_host_turn(struct fake_host *fake, int wait_ms);

/* Moves both clocks, then makes one turn. */
uint32_t fake_host_advance(struct fake_host *fake, int64_t ms);

/* The earliest armed timer on now_ms, or INT64_MAX. */
int64_t fake_host_next_ms(const struct fake_host *fake);

/*
 * Turns until done(ud) is not 0; jumps to the next timer when nothing else happens. 1: done. 0:
 * that did not come within turns_max, or nothing is left that could bring it.
 */
int fake_host_run(struct fake_host *fake, uint32_t turns_max, int (*done)(void *ud), void *ud);

/* The size, a fresh id and the texts filled in; reply_to and conversation may be NULL. */
ahp_call fake_host_call(struct fake_host *fake, const char *tool, const char *args,
                        const char *reply_to, const char *conversation);

/* How call_id ended, or NULL while it is open. */
const struct fake_end *fake_host_end(const struct fake_host *fake, uint64_t call_id);

/* Answers the nth question, which must be open. */
void fake_host_answer(struct fake_host *fake, uint32_t index, int32_t answer);

/* The number of log lines with that item, or of that level or above. */
uint32_t fake_host_log_items(const struct fake_host *fake, uint32_t item);
uint32_t fake_host_log_levels(const struct fake_host *fake, int32_t level);

#endif
