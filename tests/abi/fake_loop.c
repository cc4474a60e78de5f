/*
 * fake_loop.c - the fake host's loop: poll(2) on the watches, virtual time, and work on a thread
 * that lives within one turn. A handle freed inside a turn is parked until its end, so nothing in
 * the batch at hand points to freed memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fake_loop.h"

static int injected_failure(struct fake_host *fake)
{
    fake->host_calls++;
    if (fake->fail_at == 0)
        return 0;
    return fake->host_calls == fake->fail_at ||
           (fake->fail_from_there && fake->host_calls > fake->fail_at);
}

static int64_t now_ms(void *ctx)
{
    return ((struct fake_host *)ctx)->now_ms;
}

static int64_t wall_ms(void *ctx)
{
    return ((struct fake_host *)ctx)->wall_ms;
}

static int32_t watch_new(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                         ahp_watch_fn *cb, void *ud)
{
    struct fake_host *fake = ctx;
    ahp_watch *watch;

    if (injected_failure(fake))
        return AHP_E_NOMEM;
    if (fcntl(fd, F_GETFD) < 0)
        return AHP_E_INVALID;
    DL_FOREACH(fake->impl->watches, watch) {
        if (watch->fd == fd)
            return AHP_E_EXISTS;
    }
    watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return AHP_E_NOMEM;
    watch->fake = fake;
    watch->fd = fd;
    watch->events = events;
    watch->cb = cb;
    watch->ud = ud;
    DL_APPEND(fake->impl->watches, watch);
    fake->watches_live++;
    *ret_watch = watch;
    return AHP_OK;
}

static int32_t watch_mod(ahp_watch *watch, uint32_t events)
{
    watch->events = events;
    return AHP_OK;
}

static void watch_free(ahp_watch *watch)
{
    if (watch == NULL)
        return;
    DL_DELETE(watch->fake->impl->watches, watch);
    DL_APPEND(watch->fake->impl->watches_dead, watch);
    watch->dead = 1;
    watch->fake->watches_live--;
}

static int32_t timer_new(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    struct fake_host *fake = ctx;
    ahp_timer *timer;

    if (injected_failure(fake))
        return AHP_E_NOMEM;
    timer = calloc(1, sizeof(*timer));
    if (timer == NULL)
        return AHP_E_NOMEM;
    timer->fake = fake;
    timer->cb = cb;
    timer->ud = ud;
    DL_APPEND(fake->impl->timers, timer);
    fake->timers_live++;
    *ret_timer = timer;
    return AHP_OK;
}

static int32_t timer_at(ahp_timer *timer, int64_t deadline_ms)
{
    if (injected_failure(timer->fake))
        return AHP_E_NOMEM;
    timer->armed = 1;
    timer->deadline_ms = deadline_ms;
    timer->order = ++timer->fake->impl->order;
    timer->armed_in_turn = timer->fake->impl->turn;
    return AHP_OK;
}

static void timer_off(ahp_timer *timer)
{
    timer->armed = 0;
}

static void timer_free(ahp_timer *timer)
{
    if (timer == NULL)
        return;
    DL_DELETE(timer->fake->impl->timers, timer);
    DL_APPEND(timer->fake->impl->timers_dead, timer);
    timer->dead = 1;
    timer->armed = 0;
    timer->fake->timers_live--;
}

static int32_t defer(void *ctx, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    struct fake_host *fake = ctx;
    ahp_deferred *deferred;

    if (injected_failure(fake))
        return AHP_E_NOMEM;
    deferred = calloc(1, sizeof(*deferred));
    if (deferred == NULL)
        return AHP_E_NOMEM;
    deferred->fake = fake;
    deferred->turn = fake->impl->turn;
    deferred->cb = cb;
    deferred->ud = ud;
    DL_APPEND(fake->impl->deferred, deferred);
    fake->deferred_live++;
    *ret_deferred = deferred;
    return AHP_OK;
}

static void defer_free(ahp_deferred *deferred)
{
    if (deferred == NULL)
        return;
    DL_DELETE(deferred->fake->impl->deferred, deferred);
    deferred->fake->deferred_live--;
    free(deferred);
}

static int32_t run(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    struct fake_host *fake = ctx;
    struct fake_work *work;

    if (injected_failure(fake))
        return AHP_E_NOMEM;
    work = calloc(1, sizeof(*work));
    if (work == NULL)
        return AHP_E_NOMEM;
    work->item = item;
    work->fn = fn;
    work->done = done;
    DL_APPEND(fake->impl->work, work);
    fake->work_live++;
    return AHP_OK;
}

void fake_loop_init(struct fake_host *fake)
{
    fake->loop.size = sizeof(fake->loop);
    fake->loop.now_ms = now_ms;
    fake->loop.wall_ms = wall_ms;
    fake->loop.watch_new = watch_new;
    fake->loop.watch_mod = watch_mod;
    fake->loop.watch_free = watch_free;
    fake->loop.timer_new = timer_new;
    fake->loop.timer_at = timer_at;
    fake->loop.timer_off = timer_off;
    fake->loop.timer_free = timer_free;
    fake->loop.defer = defer;
    fake->loop.defer_free = defer_free;
    fake->work.size = sizeof(fake->work);
    fake->work.run = run;
}

/* --- turning ---------------------------------------------------------------------------------- */

static void bury(struct fake_loop *loop)
{
    ahp_watch *watch;
    ahp_watch *next_watch;
    ahp_timer *timer;
    ahp_timer *next_timer;

    DL_FOREACH_SAFE(loop->watches_dead, watch, next_watch) {
        free(watch);
    }
    DL_FOREACH_SAFE(loop->timers_dead, timer, next_timer) {
        free(timer);
    }
    loop->watches_dead = NULL;
    loop->timers_dead = NULL;
}

static uint32_t turn_watches(struct fake_host *fake, int wait_ms)
{
    nfds_t count = fake->watches_live;
    struct pollfd *fds = calloc(count == 0 ? 1 : count, sizeof(*fds));
    ahp_watch **owners = calloc(count == 0 ? 1 : count, sizeof(ahp_watch *));
    ahp_watch *watch;
    uint32_t ran = 0;
    nfds_t i = 0;
    int ready;

    if (fds == NULL || owners == NULL)
        abort();
    DL_FOREACH(fake->impl->watches, watch) {
        fds[i].fd = watch->fd;
        fds[i].events = (short)(((watch->events & AHP_IO_IN) != 0 ? POLLIN : 0) |
                                ((watch->events & AHP_IO_OUT) != 0 ? POLLOUT : 0));
        owners[i++] = watch;
    }
    do {
        ready = poll(fds, count, wait_ms);
    } while (ready < 0 && errno == EINTR);
    for (i = 0; ready > 0 && i < count; i++) {
        uint32_t events =
            ((fds[i].revents & POLLIN) != 0 ? AHP_IO_IN : 0u) |
            ((fds[i].revents & POLLOUT) != 0 ? AHP_IO_OUT : 0u) |
            ((fds[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? AHP_IO_ERR : 0u);

        if (events == 0 || owners[i]->dead)
            continue;
        ran++;
        owners[i]->cb(owners[i]->ud, events);
    }
    free(owners);
    free(fds);
    return ran;
}

/* The due timer that is first in time, then in order of arming; none that this turn has armed. */
static ahp_timer *timer_due(const struct fake_host *fake, uint64_t turn)
{
    ahp_timer *best = NULL;
    ahp_timer *timer;

    DL_FOREACH(fake->impl->timers, timer) {
        if (!timer->armed || timer->deadline_ms > fake->now_ms || timer->armed_in_turn >= turn)
            continue;
        if (best == NULL || timer->deadline_ms < best->deadline_ms ||
            (timer->deadline_ms == best->deadline_ms && timer->order < best->order))
            best = timer;
    }
    return best;
}

static uint32_t turn_timers(struct fake_host *fake, uint64_t turn)
{
    ahp_timer *timer;
    uint32_t ran = 0;

    while ((timer = timer_due(fake, turn)) != NULL) {
        timer->armed = 0;
        ran++;
        timer->cb(timer->ud);
    }
    return ran;
}

static uint32_t turn_deferred(struct fake_host *fake, uint64_t turn)
{
    uint32_t ran = 0;

    while (fake->impl->deferred != NULL && fake->impl->deferred->turn < turn) {
        ahp_deferred *deferred = fake->impl->deferred;
        ahp_timer_fn *cb = deferred->cb;
        void *ud = deferred->ud;

        defer_free(deferred);
        ran++;
        cb(ud);
    }
    return ran;
}

static void *work_thread(void *arg)
{
    struct fake_work *work = arg;

    work->fn(work->item);
    return NULL;
}

static uint32_t turn_work(struct fake_host *fake)
{
    struct fake_work *batch = fake->impl->work;
    uint32_t ran = 0;

    fake->impl->work = NULL;
    while (batch != NULL) {
        struct fake_work *work = batch;
        pthread_t thread;

        DL_DELETE(batch, work);
        if (pthread_create(&thread, NULL, work_thread, work) != 0)
            abort();
        (void)pthread_join(thread, NULL);
        fake->work_live--;
        ran++;
        work->done(work->item, 0);
        free(work);
    }
    return ran;
}

static uint32_t turn_receipts(struct fake_host *fake)
{
    uint32_t ran = 0;

    for (uint32_t i = 0; i < fake->deliveries_count; i++) {
        ahp_receipt receipt = {.size = sizeof(receipt)};

        if (fake->receipt == FAKE_RECEIPT_NONE || fake->inst == NULL ||
            fake->deliveries[i].answered)
            continue;
        fake->deliveries[i].answered = 1;
        receipt.outcome = fake->receipt;
        receipt.delay_ms = fake->receipt == AHP_RECEIPT_LATER ? fake->receipt_delay_ms : 0;
        receipt.key.ptr = fake->deliveries[i].key;
        receipt.key.len = strlen(fake->deliveries[i].key);
        ran++;
        (void)fake->inst->receipt(fake->inst->self, &receipt);
    }
    return ran;
}

uint32_t fake_host_turn(struct fake_host *fake, int wait_ms)
{
    uint64_t turn = ++fake->impl->turn;
    uint32_t ran;

    ran = turn_watches(fake, wait_ms);
    ran += turn_timers(fake, turn);
    ran += turn_deferred(fake, turn);
    ran += turn_work(fake);
    ran += turn_receipts(fake);
    bury(fake->impl);
    return ran;
}

int64_t fake_host_next_ms(const struct fake_host *fake)
{
    int64_t next_ms = INT64_MAX;
    const ahp_timer *timer;

    DL_FOREACH(fake->impl->timers, timer) {
        if (timer->armed && timer->deadline_ms < next_ms)
            next_ms = timer->deadline_ms;
    }
    return next_ms;
}

void fake_loop_done(struct fake_host *fake)
{
    while (fake->impl->watches != NULL)
        watch_free(fake->impl->watches);
    while (fake->impl->timers != NULL)
        timer_free(fake->impl->timers);
    while (fake->impl->deferred != NULL)
        defer_free(fake->impl->deferred);
    while (fake->impl->work != NULL) {
        struct fake_work *work = fake->impl->work;

        DL_DELETE(fake->impl->work, work);
        free(work);
    }
    bury(fake->impl);
}
