/*
 * env.h - what an instance was lent by its host, behind a few names: clocks, log, work. One struct
 * an instance, made in plugin.c, passed by pointer; the rest of the plugin includes no host header
 * for these. The log is scrubbed here of every secret that the configuration has named.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <ahp/approval.h>
#include <ahp/calls.h>
#include <ahp/deliver.h>
#include <ahp/loop.h>
#include <ahp/work.h>

#include <stdint.h>

/* Numbers of log lines, stable for those who filter by them. */
enum log_item {
    LOG_START = 100,
    LOG_STOP,
    LOG_CONFIG,
    LOG_JOB_STATE = 200,
    LOG_JOB_TAKEN,
    LOG_JOB_LOST_LEASE,
    LOG_JOB_UNKNOWN_WORD,
    LOG_JOB_RETRY,
    LOG_NET = 300,
    LOG_LEDGER = 400,
    LOG_LEDGER_BUSY,
    LOG_DELIVERY = 500,
    LOG_DELIVERY_RECEIPT,
    LOG_MEDIA = 600,
    LOG_INTERNAL = 900,
};

struct env {
    const ahp_host *host;
    const ahp_loop *loop;
    const ahp_calls *calls;
    const ahp_deliver *deliver;
    const ahp_work *work; /* NULL when the host has none */
    const ahp_approval *approval; /* the same */
    struct env_secret *secrets;
    struct env_item *items; /* work in slices that has not run yet */
    int ending;             /* nobody is to be told of anything any more */
};

/* 0, or -1 with nothing taken when an extension is missing; plugin.c then names it. */
int env_init(struct env *env, const ahp_host *host);
void env_done(struct env *env);

/* The instance ends: so does work that waits for its turn on the loop, done(item, 1) inside this
 * call. */
void env_cancel_work(struct env *env);

int64_t env_now_ms(const struct env *env);  /* monotonic */
int64_t env_wall_ms(const struct env *env); /* since 1970, for what is stored */

/* One line; texts of secrets and anything after "Bearer " or "sk-" are replaced by "***". */
void env_log(const struct env *env, int32_t level, enum log_item item, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* From here on this value never reaches the log. Short values (under 6 bytes) are not scrubbed. */
int env_secret_add(struct env *env, const char *value);

/* Replaces secrets in text with "***", in place. */
void env_scrub(const struct env *env, char *text);

/*
 * Runs fn(item) off the loop where the host can and will, else in a turn of its own on the loop,
 * then done(item, cancelled) on the loop. done always follows, never before env_work has returned;
 * with cancelled = 1 for what env_cancel_work found waiting. -1: not queued.
 */
int env_work(struct env *env, void *item, ahp_work_fn *fn, ahp_work_done_fn *done);

/* ahp.loop/1's defer, -1 when it fails. */
int env_defer(struct env *env, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud);

/* Random letters of a handle: prefix and `letters` of Crockford's base32, lower case. */
int env_handle(char *ret_text, size_t size, const char *prefix, unsigned letters);

#endif
