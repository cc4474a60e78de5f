/*
 * smallest_host.c - a whole host: loads a plugin, calls one tool and prints the result.
 *
 *     smallest_host PLUGIN.so TOOL JSON
 *
 * Its loop is poll(2) over arrays of fixed size. Nothing is called back from inside a host function
 * (R1): complete() only notes the result, and main acts on it from the top level. A freed slot is
 * not used again before the turn is over, so a batch at hand never meets a newer handle.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ahp/calls.h>
#include <ahp/deliver.h>
#include <ahp/loop.h>

#include "ahp_load.h"

#define SLOTS_MAX 64
#define STOP_MS   5000

enum slot_state { SLOT_FREE, SLOT_LIVE, SLOT_DEAD /* free after this turn */ };

struct ahp_watch {
    enum slot_state state;
    int32_t fd;
    uint32_t events;
    ahp_watch_fn *cb;
    void *ud;
};
struct ahp_timer {
    enum slot_state state;
    int armed, is_due;
    int64_t at_ms;
    ahp_timer_fn *cb;
    void *ud;
};
struct ahp_deferred {
    enum slot_state state;
    int is_old;
    ahp_timer_fn *cb;
    void *ud;
};

static ahp_watch watches[SLOTS_MAX];
static ahp_timer timers[SLOTS_MAX];
static ahp_deferred deferreds[SLOTS_MAX];
static int is_answered, is_stopped, exit_code = 3;

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_ms(CLOCK_MONOTONIC);
}
static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return clock_ms(CLOCK_REALTIME);
}

static int32_t watch_new(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                         ahp_watch_fn *cb, void *ud)
{
    ahp_watch *slot = NULL;

    (void)ctx;
    for (int i = 0; i < SLOTS_MAX; i++) {
        if (watches[i].state == SLOT_LIVE && watches[i].fd == fd)
            return AHP_E_EXISTS;
        if (watches[i].state == SLOT_FREE)
            slot = &watches[i];
    }
    if (slot == NULL)
        return AHP_E_LIMIT;
    *slot = (ahp_watch){SLOT_LIVE, fd, events, cb, ud};
    *ret_watch = slot;
    return AHP_OK;
}

static int32_t watch_mod(ahp_watch *watch, uint32_t events)
{
    watch->events = events;
    return AHP_OK;
}
static void watch_free(ahp_watch *watch)
{
    if (watch != NULL)
        watch->state = SLOT_DEAD;
}

static int32_t timer_new(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    (void)ctx;
    for (int i = 0; i < SLOTS_MAX; i++) {
        if (timers[i].state == SLOT_FREE) {
            timers[i] = (ahp_timer){SLOT_LIVE, 0, 0, 0, cb, ud};
            *ret_timer = &timers[i];
            return AHP_OK;
        }
    }
    return AHP_E_LIMIT;
}

static int32_t timer_at(ahp_timer *timer, int64_t deadline_ms)
{
    timer->armed = 1;
    timer->is_due = 0; /* on the next turn at the earliest */
    timer->at_ms = deadline_ms;
    return AHP_OK;
}

static void timer_off(ahp_timer *timer)
{
    timer->armed = 0;
}
static void timer_free(ahp_timer *timer)
{
    if (timer != NULL)
        timer->state = SLOT_DEAD;
}

static int32_t defer(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    (void)ctx;
    for (int i = 0; i < SLOTS_MAX; i++) {
        if (deferreds[i].state == SLOT_FREE) {
            deferreds[i] = (ahp_deferred){SLOT_LIVE, 0, cb, ud};
            *ret_deferred = &deferreds[i];
            return AHP_OK;
        }
    }
    return AHP_E_LIMIT;
}

static void defer_free(ahp_deferred *deferred)
{
    if (deferred != NULL)
        deferred->state = SLOT_DEAD;
}

static void turn(void)
{
    struct pollfd fds[SLOTS_MAX];
    int64_t now = now_ms(NULL);
    int64_t wait_ms = 1000;

    for (int i = 0; i < SLOTS_MAX; i++) {
        const ahp_watch *watch = &watches[i];

        /* poll reports errors of every fd that it is given: a paused watch is left out */
        fds[i].fd = watch->state == SLOT_LIVE && watch->events != 0 ? watch->fd : -1;
        fds[i].events = (short)((watch->events & AHP_IO_IN ? POLLIN : 0) |
                                (watch->events & AHP_IO_OUT ? POLLOUT : 0));
        fds[i].revents = 0;
        if (timers[i].state == SLOT_LIVE && timers[i].armed && timers[i].at_ms - now < wait_ms)
            wait_ms = timers[i].at_ms > now ? timers[i].at_ms - now : 0;
        deferreds[i].is_old = deferreds[i].state == SLOT_LIVE;
        wait_ms = deferreds[i].is_old ? 0 : wait_ms;
    }
    (void)poll(fds, SLOTS_MAX, (int)wait_ms);
    now = now_ms(NULL);
    for (int i = 0; i < SLOTS_MAX; i++)
        timers[i].is_due = timers[i].armed && timers[i].at_ms <= now;
    for (int i = 0; i < SLOTS_MAX; i++) {
        short seen = fds[i].revents;

        if (seen != 0 && watches[i].state == SLOT_LIVE && watches[i].events != 0)
            watches[i].cb(watches[i].ud, (seen & POLLIN ? AHP_IO_IN : 0u) |
                                             (seen & POLLOUT ? AHP_IO_OUT : 0u) |
                                             (seen & ~(POLLIN | POLLOUT) ? AHP_IO_ERR : 0u));
    }
    for (int i = 0; i < SLOTS_MAX; i++) {
        if (timers[i].state == SLOT_LIVE && timers[i].armed && timers[i].is_due) {
            timers[i].armed = 0;
            timers[i].cb(timers[i].ud);
        }
    }
    for (int i = 0; i < SLOTS_MAX; i++) {
        if (deferreds[i].state == SLOT_LIVE && deferreds[i].is_old) {
            deferreds[i].state = SLOT_DEAD; /* the handle ends just before its callback */
            deferreds[i].cb(deferreds[i].ud);
        }
    }
    for (int i = 0; i < SLOTS_MAX; i++) {
        watches[i].state = watches[i].state == SLOT_DEAD ? SLOT_FREE : watches[i].state;
        timers[i].state = timers[i].state == SLOT_DEAD ? SLOT_FREE : timers[i].state;
        deferreds[i].state = deferreds[i].state == SLOT_DEAD ? SLOT_FREE : deferreds[i].state;
    }
}

static int32_t complete(void *ctx, uint64_t call_id, const ahp_result *result)
{
    (void)ctx;
    if (call_id != 1 || is_answered)
        return AHP_E_STALE;
    is_answered = 1;
    exit_code = result->status == AHP_RESULT_OK || result->status == AHP_RESULT_PENDING_JOB ? 0 : 1;
    printf("%.*s\n", (int)result->json.len, result->json.ptr);
    return AHP_OK;
}

static void progress(void *ctx, uint64_t id, int32_t permille, const char *text, size_t len)
{
    (void)ctx;
    (void)id;
    (void)permille;
    fprintf(stderr, "%.*s\n", (int)len, text);
}

static void rescan(void *ctx)
{
    (void)ctx;
}

static int32_t offer(void *ctx, const ahp_delivery *delivery)
{
    (void)ctx;
    (void)delivery;
    return AHP_E_UNSUPPORTED; /* no chat here: offered without AHP_DELIVER_READY */
}

static void host_log(void *ctx, int32_t level, uint32_t item, const char *text, size_t len)
{
    (void)ctx;
    if (level >= AHP_LOG_WARN)
        fprintf(stderr, "[%u] %.*s\n", (unsigned)item, (int)len, text);
}

static int32_t log_on(void *ctx, int32_t level)
{
    (void)ctx;
    return level >= AHP_LOG_WARN;
}
static void stopped(void *ctx)
{
    (void)ctx;
    is_stopped = 1;
}

static const void *ext(void *ctx, const char *id)
{
    static const ahp_loop loop = {sizeof(loop), 0,          now_ms,    wall_ms,  watch_new,
                                  watch_mod,    watch_free, timer_new, timer_at, timer_off,
                                  timer_free,   defer,      defer_free};
    static const ahp_calls calls = {sizeof(calls), 0, complete, progress, rescan};
    static const ahp_deliver deliver = {sizeof(deliver), 0, 0, 0, offer};

    (void)ctx;
    return strcmp(id, AHP_LOOP_1) == 0      ? (const void *)&loop
           : strcmp(id, AHP_CALLS_1) == 0   ? (const void *)&calls
           : strcmp(id, AHP_DELIVER_1) == 0 ? (const void *)&deliver
                                            : NULL;
}

int main(int argc, char **argv)
{
    static const ahp_host host = {.size = sizeof(host),
                                  .minor = AHP_MINOR,
                                  .name = "smallest-host",
                                  .version = "1.0",
                                  .ext = ext,
                                  .log = host_log,
                                  .log_on = log_on,
                                  .stopped = stopped};
    ahp_call call = {
        .size = sizeof(call), .id = 1, .flags = AHP_CALL_NO_LATE_DELIVERY | AHP_CALL_ONE_SHOT};
    ahp_err err = {.size = sizeof(err)};
    const ahp_entry *entry = NULL;
    ahp_inst *inst = NULL;
    int64_t deadline_ms;
    int32_t rc;

    if (argc != 4) {
        fprintf(stderr, "use: smallest_host PLUGIN.so TOOL JSON\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (ahp_load(argv[1], &entry, &err) != AHP_OK ||
        ahp_entry_check(entry, &host, &err) != AHP_OK ||
        entry->create(&host, NULL, &inst, &err) != AHP_OK ||
        ahp_inst_check(inst, &err) != AHP_OK) {
        fprintf(stderr, "smallest_host: %s\n", err.text);
        return 3;
    }
    if (inst->start(inst->self, &err) != AHP_OK) {
        fprintf(stderr, "smallest_host: %s\n", err.text);
        goto destroy;
    }
    call.tool = (ahp_text){argv[2], strlen(argv[2])};
    call.args = (ahp_text){argv[3], strlen(argv[3])};
    rc = inst->call(inst->self, &call);
    if (rc != AHP_OK)
        fprintf(stderr, "smallest_host: the call was refused with %d\n", (int)rc);
    while (rc == AHP_OK && !is_answered)
        turn();
    deadline_ms = now_ms(NULL) + STOP_MS;
    inst->stop(inst->self, deadline_ms);
    while (!is_stopped && now_ms(NULL) < deadline_ms)
        turn();
    if (!is_stopped)
        fprintf(stderr, "smallest_host: the plugin did not stop in time\n");
destroy:
    inst->destroy(inst->self);
    return exit_code;
}
