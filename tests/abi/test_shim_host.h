/*
 * test_shim_host.h - what the two halves of the test of misbehaving hosts share.
 */
#ifndef TESTS_TEST_SHIM_HOST_H
#define TESTS_TEST_SHIM_HOST_H

#include "puppet.h"

extern int pipe_fds[2];

/* What a replaced slot was given, for a later misuse. */
extern void *kept_ud;
extern ahp_watch_fn *kept_watch_fn;
extern ahp_timer_fn *kept_timer_fn;
extern ahp_work_fn *kept_fn;
extern ahp_work_done_fn *kept_done;
extern ahp_loop good; /* the slots before they were replaced */

int host_setup(void **state);
int host_teardown(void **state);
ahp_call call_made(void);

/* Runs `hook` while the plugin is on the stack. */
void inside(void (*hook)(void));

/* Slots that keep what they are given and are good otherwise. */
int32_t watch_new_kept(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                       ahp_watch_fn *cb, void *ud);
int32_t timer_new_kept(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud);
int32_t defer_kept(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud);
int32_t run_kept(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done);

/* What the plugin does. */
void arm_now(void);
void defer_now(void);
void run_now(void);
void offer_now(void);

/* The tests of the second half. */
void watch_after_free(void **state);
void timer_after_free(void **state);
void timer_early_and_unarmed(void **state);
void deferred_twice(void **state);
void watch_twice(void **state);
void bad_events(void **state);
void clock_backwards(void **state);
void ext_changes(void **state);
void offers_and_receipts(void **state);
void lost_is_final(void **state);
void receipt_of_unknown_key(void **state);
void accepts_without_ready(void **state);
void work_twice(void **state);
void work_cancelled(void **state);
void work_missing(void **state);

#endif
