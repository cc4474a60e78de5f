/* poll_host.c - see poll_host.h. Freed handles are unlinked at once and their memory at the turn's
 * end. */
#include "poll_host.h"

#include <ahp/calls.h>
#include <ahp/deliver.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WATCHES_MAX 4096
#define LOG_BYTES   65536

struct ahp_watch {
    struct poll_host *host;
    struct ahp_watch *next; /* of those to be freed */
    size_t slot;
    int fd;
    uint32_t events;
    ahp_watch_fn *cb;
    void *ud;
    int dead;
};

struct ahp_timer {
    struct poll_host *host;
    struct ahp_timer *next;
    int armed;
    int64_t deadline_ms;
    ahp_timer_fn *cb;
    void *ud;
    int dead;
};

struct ahp_deferred {
    struct poll_host *host;
    struct ahp_deferred *next;
    ahp_timer_fn *cb;
    void *ud;
    int dead;
};

struct poll_host {
    ahp_host ahp;
    ahp_loop loop;
    ahp_calls calls;
    ahp_deliver deliver;
    ahp_watch *watches[WATCHES_MAX];
    size_t watches_count;
    ahp_watch *dead_watches;
    ahp_timer *timers;
    ahp_deferred *deferred;
    size_t deferred_count;
    int64_t skipped_ms;
    int64_t wall_ms;
    long fallible;
    long fail_at;
    int is_exempt;
    int is_ending;
    char log[LOG_BYTES];
    size_t log_len;
};

static int64_t clock_ms(clockid_t id)
{
    struct timespec at;

    clock_gettime(id, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static int fails(struct poll_host *host)
{
    if (host->is_ending)
        abort();
    if (host->is_exempt)
        return 0;
    host->fallible++;
    return host->fail_at && host->fallible == host->fail_at;
}

static int64_t now_ms(void *ctx)
{
    struct poll_host *host = ctx;

    if (host->is_ending)
        abort();
    return clock_ms(CLOCK_MONOTONIC) + host->skipped_ms;
}

static int64_t wall_ms(void *ctx)
{
    struct poll_host *host = ctx;

    return host->wall_ms ? host->wall_ms : clock_ms(CLOCK_REALTIME);
}

static int32_t watch_new(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                         ahp_watch_fn *cb, void *ud)
{
    struct poll_host *host = ctx;
    ahp_watch *watch;

    if (fails(host))
        return AHP_E_NOMEM;
    if (host->watches_count == WATCHES_MAX)
        return AHP_E_LIMIT;
    for (size_t i = 0; i < host->watches_count; i++)
        if (host->watches[i]->fd == fd)
            return AHP_E_EXISTS;
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return AHP_E_NOMEM;
    watch->host = host;
    watch->fd = fd;
    watch->events = events;
    watch->cb = cb;
    watch->ud = ud;
    watch->slot = host->watches_count;
    host->watches[host->watches_count++] = watch;
    *ret_watch = watch;
    return 0;
}

static int32_t watch_mod(ahp_watch *watch, uint32_t events)
{
    if (fails(watch->host))
        return AHP_E_NOMEM;
    watch->events = events;
    return 0;
}

static void watch_free(ahp_watch *watch)
{
    struct poll_host *host;

    if (!watch)
        return;
    if (watch->dead)
        abort(); /* freed twice */
    host = watch->host;
    host->watches[watch->slot] = host->watches[--host->watches_count];
    host->watches[watch->slot]->slot = watch->slot;
    watch->dead = 1;
    watch->next = host->dead_watches;
    host->dead_watches = watch;
}

static int32_t timer_new(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    struct poll_host *host = ctx;
    ahp_timer *timer;

    if (fails(host))
        return AHP_E_NOMEM;
    timer = calloc(1, sizeof(*timer));
    if (!timer)
        return AHP_E_NOMEM;
    timer->host = host;
    timer->cb = cb;
    timer->ud = ud;
    timer->next = host->timers;
    host->timers = timer;
    *ret_timer = timer;
    return 0;
}

static int32_t timer_at(ahp_timer *timer, int64_t deadline_ms)
{
    if (timer->host->is_ending)
        abort();
    timer->armed = 1;
    timer->deadline_ms = deadline_ms;
    return 0;
}

static void timer_off(ahp_timer *timer)
{
    timer->armed = 0;
}

static void timer_free(ahp_timer *timer)
{
    if (!timer)
        return;
    if (timer->dead)
        abort();
    timer->armed = 0;
    timer->dead = 1;
}

static int32_t defer(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    struct poll_host *host = ctx;
    ahp_deferred *deferred;
    ahp_deferred **at;

    if (fails(host))
        return AHP_E_NOMEM;
    deferred = calloc(1, sizeof(*deferred));
    if (!deferred)
        return AHP_E_NOMEM;
    deferred->host = host;
    deferred->cb = cb;
    deferred->ud = ud;
    for (at = &host->deferred; *at; at = &(*at)->next)
        ;
    *at = deferred;
    host->deferred_count++;
    *ret_deferred = deferred;
    return 0;
}

static void defer_free(ahp_deferred *deferred)
{
    if (deferred->dead)
        abort();
    deferred->dead = 1;
    deferred->host->deferred_count--;
}

static const void *ext(void *ctx, const char *id)
{
    struct poll_host *host = ctx;

    if (strcmp(id, AHP_LOOP_1) == 0)
        return &host->loop;
    if (strcmp(id, AHP_CALLS_1) == 0)
        return &host->calls;
    if (strcmp(id, AHP_DELIVER_1) == 0)
        return &host->deliver;
    return NULL;
}

static void log_line(void *ctx, int32_t level, uint32_t item, const char *text, size_t len)
{
    struct poll_host *host = ctx;

    (void)level;
    (void)item;
    if (host->log_len + len + 2 > sizeof(host->log))
        return;
    memcpy(host->log + host->log_len, text, len);
    host->log_len += len;
    host->log[host->log_len++] = '\n';
    host->log[host->log_len] = '\0';
}

static int32_t log_on(void *ctx, int32_t level)
{
    (void)ctx;
    (void)level;
    return 1;
}

static void stopped(void *ctx)
{
    (void)ctx;
}

static int32_t complete(void *ctx, uint64_t call_id, const ahp_result *result)
{
    (void)ctx;
    (void)call_id;
    (void)result;
    return AHP_E_STALE;
}

static void progress(void *ctx, uint64_t call_id, int32_t permille, const char *text, size_t len)
{
    (void)ctx;
    (void)call_id;
    (void)permille;
    (void)text;
    (void)len;
}

static void rescan(void *ctx)
{
    (void)ctx;
}

static int32_t offer(void *ctx, const ahp_delivery *delivery)
{
    (void)ctx;
    (void)delivery;
    return AHP_E_UNSUPPORTED;
}

struct poll_host *poll_host_new(void)
{
    struct poll_host *host = calloc(1, sizeof(*host));

    if (!host)
        return NULL;
    host->ahp = (ahp_host){
        .size = sizeof(host->ahp),
        .minor = AHP_MINOR,
        .ctx = host,
        .name = "poll-host",
        .version = "1",
        .ext = ext,
        .log = log_line,
        .log_on = log_on,
        .stopped = stopped,
    };
    host->loop = (ahp_loop){
        .size = sizeof(host->loop),
        .now_ms = now_ms,
        .wall_ms = wall_ms,
        .watch_new = watch_new,
        .watch_mod = watch_mod,
        .watch_free = watch_free,
        .timer_new = timer_new,
        .timer_at = timer_at,
        .timer_off = timer_off,
        .timer_free = timer_free,
        .defer = defer,
        .defer_free = defer_free,
    };
    host->calls = (ahp_calls){
        .size = sizeof(host->calls),
        .complete = complete,
        .progress = progress,
        .rescan = rescan,
    };
    host->deliver = (ahp_deliver){.size = sizeof(host->deliver), .offer = offer};
    return host;
}

const ahp_host *poll_host_ahp(struct poll_host *host)
{
    return &host->ahp;
}

const ahp_loop *poll_host_loop(struct poll_host *host)
{
    return &host->loop;
}

static void bury(struct poll_host *host)
{
    ahp_watch *watch;

    while ((watch = host->dead_watches)) {
        host->dead_watches = watch->next;
        free(watch);
    }
    for (ahp_timer **at = &host->timers; *at;) {
        ahp_timer *timer = *at;

        if (timer->dead) {
            *at = timer->next;
            free(timer);
        } else {
            at = &timer->next;
        }
    }
    for (ahp_deferred **at = &host->deferred; *at;) {
        ahp_deferred *deferred = *at;

        if (deferred->dead) {
            *at = deferred->next;
            free(deferred);
        } else {
            at = &deferred->next;
        }
    }
}

static int wait_ms(struct poll_host *host, int at_most_ms)
{
    int64_t now = now_ms(host);

    if (host->deferred_count)
        return 0;
    for (ahp_timer *timer = host->timers; timer; timer = timer->next) {
        int64_t left = timer->deadline_ms - now;

        if (timer->armed && left < at_most_ms)
            at_most_ms = left > 0 ? (int)left : 0;
    }
    return at_most_ms;
}

static int run_io(struct poll_host *host, int timeout_ms)
{
    static struct pollfd polled[WATCHES_MAX];
    static ahp_watch *batch[WATCHES_MAX];
    size_t count = host->watches_count;
    int happened = 0;

    for (size_t i = 0; i < count; i++) {
        ahp_watch *watch = host->watches[i];

        batch[i] = watch;
        polled[i].fd = watch->events ? watch->fd : -1;
        polled[i].events = (short)((watch->events & AHP_IO_IN ? POLLIN : 0) |
                                   (watch->events & AHP_IO_OUT ? POLLOUT : 0));
        polled[i].revents = 0;
    }
    if (poll(polled, (nfds_t)count, timeout_ms) <= 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t events = (polled[i].revents & POLLIN ? AHP_IO_IN : 0u) |
                          (polled[i].revents & POLLOUT ? AHP_IO_OUT : 0u) |
                          (polled[i].revents & (POLLERR | POLLHUP | POLLNVAL) ? AHP_IO_ERR : 0u);

        if (!events || batch[i]->dead)
            continue;
        happened++;
        batch[i]->cb(batch[i]->ud, events);
    }
    return happened;
}

static int run_timers(struct poll_host *host)
{
    int64_t now = now_ms(host);
    int happened = 0;

    for (ahp_timer *timer = host->timers; timer; timer = timer->next) {
        if (!timer->armed || timer->dead || timer->deadline_ms > now)
            continue;
        timer->armed = 0;
        happened++;
        timer->cb(timer->ud);
    }
    return happened;
}

static int run_deferred(struct poll_host *host)
{
    ahp_deferred *last = NULL;
    int happened = 0;

    /* Those that are here now; what they defer runs in the next turn. */
    for (ahp_deferred *deferred = host->deferred; deferred; deferred = deferred->next)
        last = deferred;
    for (ahp_deferred *deferred = host->deferred; deferred; deferred = deferred->next) {
        if (!deferred->dead) {
            ahp_timer_fn *cb = deferred->cb;
            void *ud = deferred->ud;

            defer_free(deferred);
            happened++;
            cb(ud);
        }
        if (deferred == last)
            break;
    }
    return happened;
}

static int turn(struct poll_host *host, int at_most_ms)
{
    int happened = run_io(host, wait_ms(host, at_most_ms));

    happened += run_timers(host);
    happened += run_deferred(host);
    bury(host);
    return happened;
}

int poll_host_run(struct poll_host *host, int64_t bound_ms, int (*until)(void *ud), void *ud)
{
    int64_t end_ms = clock_ms(CLOCK_MONOTONIC) + bound_ms;

    while (!until(ud)) {
        if (clock_ms(CLOCK_MONOTONIC) >= end_ms)
            return -1;
        turn(host, 20);
    }
    return 0;
}

void poll_host_settle(struct poll_host *host, int quiet_ms)
{
    while (turn(host, quiet_ms) > 0)
        ;
}

size_t poll_host_alive(const struct poll_host *host)
{
    size_t alive = host->watches_count + host->deferred_count;

    for (const ahp_timer *timer = host->timers; timer; timer = timer->next)
        alive += !timer->dead;
    return alive;
}

size_t poll_host_free(struct poll_host *host)
{
    size_t alive = poll_host_alive(host);

    while (host->watches_count)
        watch_free(host->watches[0]);
    for (ahp_timer *timer = host->timers; timer; timer = timer->next)
        timer->dead = 1;
    for (ahp_deferred *deferred = host->deferred; deferred; deferred = deferred->next)
        deferred->dead = 1;
    bury(host);
    free(host);
    return alive;
}

void poll_host_skip(struct poll_host *host, int64_t ms)
{
    host->skipped_ms += ms;
}

void poll_host_set_wall(struct poll_host *host, int64_t ms)
{
    host->wall_ms = ms;
}

void poll_host_fail_after(struct poll_host *host, long n)
{
    host->fail_at = n > 0 ? host->fallible + n : 0;
}

void poll_host_exempt(struct poll_host *host, int is_exempt)
{
    host->is_exempt = is_exempt;
}

void poll_host_only_free(struct poll_host *host, int is_ending)
{
    host->is_ending = is_ending;
}

long poll_host_calls(const struct poll_host *host)
{
    return host->fallible;
}

const char *poll_host_log(const struct poll_host *host)
{
    return host->log;
}
