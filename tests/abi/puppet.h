/*
 * puppet.h - a plugin and a shim for tests of the shim: every slot of the plugin behaves well
 * unless a test hangs its own function into it. One of everything, static: a test program runs one
 * at a time.
 */
#ifndef TESTS_PUPPET_H
#define TESTS_PUPPET_H

#include <ahp/jobs.h>

#include "ahp_shim.h"
#include "fake_host.h"

struct puppet {
    ahp_entry entry;
    ahp_inst inst; /* what create hands out; slots may be replaced */
    ahp_jobs jobs;
    ahp_tool tool;
    const ahp_tool *tools[2];
    uint32_t tools_count;

    const ahp_host *host;
    const ahp_loop *loop;
    const ahp_calls *calls;
    const ahp_deliver *deliver;
    const ahp_work *work;
    const ahp_check *check;

    /* Hooks; NULL: nothing happens. */
    int32_t (*in_create)(const ahp_text *config, ahp_inst **ret_inst, ahp_err *ret_err);
    int32_t (*in_start)(ahp_err *ret_err);
    int32_t (*in_call)(const ahp_call *call);
    int32_t (*in_cancel)(uint64_t call_id);
    int32_t (*in_receipt)(const ahp_receipt *receipt);
    void (*in_stop)(int64_t deadline_ms); /* default: stopped() */
    void (*in_destroy)(void);
    void (*in_callback)(void); /* watch, timer, deferred, done */
    void (*in_work)(void);     /* fn, off the loop's thread */

    ahp_watch *watch;
    ahp_timer *timer;
    ahp_deferred *deferred;
    uint32_t callbacks;
    uint32_t last_events;
    int64_t unfinished;
};

extern struct puppet puppet;
extern struct fake_host *fake;
extern ahp_inst *inst; /* the shim's, or NULL */
extern ahp_err create_err;

/*
 * For cmocka. Set-up: a fresh puppet and fake host, nothing created yet. Tear-down: destroys what
 * is left and demands that all reports were expected.
 */
int puppet_setup(void **state);
int puppet_teardown(void **state);

int32_t puppet_create(void);  /* through the shim; ends in the phase "created" */
void puppet_running(void);    /* create and start, both demanded to succeed */
void puppet_destroy(void);

/* Callbacks of the puppet, for the ABI's handles. */
void puppet_on_watch(void *ud, uint32_t events);
void puppet_on_timer(void *ud);
void puppet_on_fn(void *item);
void puppet_on_done(void *item, int32_t cancelled);

/* Handles in puppet.watch and so on; demanded to succeed. */
void puppet_watch_new(int32_t fd);
void puppet_timer_new(void);

ahp_text text(const char *string);
ahp_delivery delivery(const char *key);
ahp_receipt receipt(const char *key, int32_t outcome);
ahp_result result(int32_t status);

/* Demands that `item` was reported since the last call of expect, and nothing else was. */
void expect(uint32_t item);
void expect_two(uint32_t item, uint32_t other);
/* Demands that nothing was. */
void expect_nothing(void);
/* Demands that the whole program has seen each item from first to last. */
void expect_all_seen(uint32_t first, uint32_t last);
/* Whether the text of the last report contains `words`. */
int reported(const char *words);

#endif
