/*
 * poll_host.h - a real host for unit tests: ahp.loop/1 on poll(2) and the system's clocks. It keeps
 * the rules that hosts must keep (nothing is called back from inside a call of the plugin, freed
 * handles are silent even when their event is harvested already, one watch an fd) and counts what
 * is alive. The clock can be put forward, so that timeouts need no waiting.
 *
 * Calls and deliveries are refused: tests of tools have another host.
 */
#ifndef TESTS_POLL_HOST_H
#define TESTS_POLL_HOST_H

#include <ahp/loop.h>

#include <stddef.h>
#include <stdint.h>

struct poll_host;

struct poll_host *poll_host_new(void);

/* The number of watches, timers and deferred calls that were still alive: a leak of the plugin. */
size_t poll_host_free(struct poll_host *host);

const ahp_host *poll_host_ahp(struct poll_host *host);
const ahp_loop *poll_host_loop(struct poll_host *host);

/* Turns the loop until until(ud) is not 0: 0, or -1 when bound_ms of real time have passed. */
int poll_host_run(struct poll_host *host, int64_t bound_ms, int (*until)(void *ud), void *ud);

/* Turns the loop until nothing happens for quiet_ms. */
void poll_host_settle(struct poll_host *host, int quiet_ms);

void poll_host_skip(struct poll_host *host, int64_t ms);     /* puts now_ms forward */
void poll_host_set_wall(struct poll_host *host, int64_t ms); /* fixes wall_ms; 0: the real one */

size_t poll_host_alive(const struct poll_host *host);

/* The nth call from now of watch_new, watch_mod, timer_new or defer fails; 0: none. */
void poll_host_fail_after(struct poll_host *host, long n);
void poll_host_exempt(struct poll_host *host, int is_exempt); /* for the test's own calls */
long poll_host_calls(const struct poll_host *host);

/* From here on only what destroy may call is legal: anything else ends the program. */
void poll_host_only_free(struct poll_host *host, int is_ending);

/* Everything that was logged so far, as lines. */
const char *poll_host_log(const struct poll_host *host);

#endif
