/*
 * probe.h - a plugin linked into the test, for looking at a host from inside: its instance does
 * nothing but run the test's own functions, and the host under it is always the one on libuv with
 * the checking shim in between.
 *
 * A test opens a bench (a loop), adds probes to it, gives them things to do in `on_start` and so
 * on, turns the loop until something is true, and closes the bench, which checks that the probes
 * were taken down, that nothing leaked and that nobody broke the ABI.
 */
#ifndef HOST_PROBE_H
#define HOST_PROBE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ahp/calls.h>
#include <ahp/deliver.h>
#include <ahp/loop.h>
#include <ahp/work.h>
#include <ahp_uv.h>

#define PROBES_MAX         4
#define PROBE_TURNS_MS_MAX 10000

struct probe {
    struct bench *bench;
    struct ahp_uv *h; /* NULL once closed */
    const ahp_host *host;
    const ahp_loop *loop;
    const ahp_calls *calls;
    const ahp_deliver *deliver;
    const ahp_work *work;
    const ahp_approval *approval;
    ahp_inst inst;

    /* The test's functions; NULL: the least that the ABI asks for. */
    int32_t (*on_start)(struct probe *p);
    int32_t (*on_call)(struct probe *p, const ahp_call *call);
    int32_t (*on_cancel)(struct probe *p, uint64_t id);
    int32_t (*on_receipt)(struct probe *p, const ahp_receipt *receipt);
    void (*on_stop)(struct probe *p);
    void (*on_destroy)(struct probe *p);
    int32_t (*on_offer)(struct probe *p, const ahp_delivery *delivery); /* the host's side */
    void (*on_receipt_taken)(struct probe *p, int32_t code);            /* the host's side */
    int32_t (*on_ask)(struct probe *p, uint64_t id, const ahp_question *question); /* too */
    void *ud;

    uint64_t asks_over; /* questions that were taken back */
    int inside; /* 1 while a function of the plugin runs */
    int destroyed;
    int closed;
    unsigned breaches;    /* of the shim */
    unsigned items[1000]; /* how often each log item came */
    struct ahp_uv_end end;
};

struct bench {
    uv_loop_t loop;
    struct probe probes[PROBES_MAX];
    int count;
};

/* cmocka set-up and tear-down; *state is the bench. */
int bench_open(void **state);
int bench_close(void **state);

/* Adds a probe with those AHP_UV_ flags; AHP_UV_CHECK is the usual one. Not started. */
struct probe *probe_add(struct bench *b, uint32_t flags);

/* Starts it, which runs on_start. */
void probe_start(struct probe *p);

/* Takes it down, turning the loop until it is gone. */
void probe_close(struct probe *p, int64_t timeout_ms);

/* The same, and nothing may be left of it or have been wrong. */
void probe_finish(struct probe *p);

/* Turns the loop until *flag is not 0; fails the test when that takes too long. */
void bench_until(struct bench *b, const int *flag);

/* Turns the loop n times without sleeping. */
void bench_turns(struct bench *b, int n);

#endif
