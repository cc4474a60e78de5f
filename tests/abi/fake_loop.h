/*
 * fake_loop.h - the event loop of the fake host; fake_host.c and fake_loop.c share it.
 */
#ifndef TESTS_FAKE_LOOP_H
#define TESTS_FAKE_LOOP_H

#include <utlist.h>

#include "fake_host.h"

struct ahp_watch {
    struct fake_host *fake;
    int32_t fd;
    uint32_t events;
    ahp_watch_fn *cb;
    void *ud;
    int dead;
    struct ahp_watch *prev, *next;
};

struct ahp_timer {
    struct fake_host *fake;
    int64_t deadline_ms;
    uint64_t order;
    uint64_t armed_in_turn;
    int armed;
    int dead;
    ahp_timer_fn *cb;
    void *ud;
    struct ahp_timer *prev, *next;
};

struct ahp_deferred {
    struct fake_host *fake;
    uint64_t turn;
    ahp_timer_fn *cb;
    void *ud;
    struct ahp_deferred *prev, *next;
};

struct fake_work {
    void *item;
    ahp_work_fn *fn;
    ahp_work_done_fn *done;
    struct fake_work *prev, *next;
};

struct fake_loop {
    struct ahp_watch *watches;
    struct ahp_watch *watches_dead; /* freed at the end of a turn: a batch may name them */
    struct ahp_timer *timers;
    struct ahp_timer *timers_dead;
    struct ahp_deferred *deferred;
    struct fake_work *work;
    uint64_t turn;
    uint64_t order;
};

/* Fills the tables of ahp.loop/1 and ahp.work/1. */
void fake_loop_init(struct fake_host *fake);
void fake_loop_done(struct fake_host *fake);

#endif
