/*
 * loop.c - ahp.loop/1: watches and timers on libuv, and the clocks.
 *
 * Watches. A watch has its own uv_poll_t. Changes are only noted; they are applied in libuv's
 * prepare phase, just before it sleeps. That makes a burst of changes cost one, and lets the fd be
 * looked at first: libuv aborts the process when it is asked to poll a closed fd or a plain file,
 * which is what a plugin leaves behind that closes an fd and forgets the watch. Final-on-free rests
 * on two things: uv_poll_stop blanks the fd's entries in the batch that libuv has in hand, and the
 * watch is marked freed, which the callback checks. The memory goes in uv's close callback.
 *
 * Timers. One uv_timer_t each. libuv serves a timer that is set for "now" inside the same pass over
 * the timers, for ever if need be; so a time that has passed goes to the top-level queue instead.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "internal.h"

/* Further away than any plugin means (35 years); keeps libuv's sums from overflowing. */
#define TIMER_MS_MAX (INT64_C(1) << 40)

struct ahp_watch {
    uv_poll_t poll;
    struct ahp_uv *h;
    int fd;
    uint32_t wanted;  /* AHP_IO_ bits the plugin asked for */
    uint32_t applied; /* what libuv polls for */
    int is_dirty;
    int freed;
    ahp_watch_fn *cb;
    void *ud;
    UT_hash_handle hh;
    struct ahp_watch *prev; /* in h->dirty */
    struct ahp_watch *next;
};

struct ahp_timer {
    uv_timer_t timer;
    struct ahp_uv *h;
    struct item due;
    ahp_timer_fn *cb;
    void *ud;
    struct ahp_timer *prev;
    struct ahp_timer *next;
};

static int64_t loop_now_ms(void *ctx)
{
    (void)ctx;
    return (int64_t)(uv_hrtime() / 1000000);
}

int64_t ahp_uv_now_ms(const struct ahp_uv *h)
{
    (void)h;
    return loop_now_ms(NULL);
}

static int64_t loop_wall_ms(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
        return 0;
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- watches ---- */

static void on_prepare(uv_prepare_t *prepare);

static void dirty_add(struct ahp_watch *watch)
{
    if (watch->is_dirty)
        return;
    watch->is_dirty = 1;
    DL_APPEND(watch->h->dirty, watch);
    uv_prepare_start(&watch->h->prepare, on_prepare);
}

static void dirty_remove(struct ahp_watch *watch)
{
    if (!watch->is_dirty)
        return;
    watch->is_dirty = 0;
    DL_DELETE(watch->h->dirty, watch);
    if (watch->h->dirty == NULL)
        uv_prepare_stop(&watch->h->prepare);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct ahp_watch *watch = poll->data;
    struct ahp_uv *h = watch->h;
    uint32_t seen = 0;
    uint64_t t;

    if (watch->freed || watch->wanted == 0)
        return;
    if (status < 0) {
        /* libuv stops the handle after an error; the ABI's watch goes on while the error lasts */
        watch->applied = 0;
        dirty_add(watch);
        seen = AHP_IO_ERR | (watch->wanted & (AHP_IO_IN | AHP_IO_OUT));
    } else {
        if (events & UV_READABLE)
            seen |= AHP_IO_IN;
        if (events & UV_WRITABLE)
            seen |= AHP_IO_OUT;
        /* the plugin may have narrowed the watch since this batch was harvested */
        seen &= watch->wanted;
        /* only asked for when errors alone are watched; libuv adds it to every error then */
        if (events & UV_PRIORITIZED)
            seen |= AHP_IO_ERR;
    }
    if (seen == 0)
        return;
    if (!ahp_uv_may_call_back(h)) {
        uv_poll_stop(&watch->poll); /* level-triggered: it would spin until the instance goes */
        return;
    }
    t = ahp_uv_enter(h);
    watch->cb(watch->ud, seen);
    ahp_uv_leave(h, AHP_UV_KIND_WATCH, t);
}

/* True if libuv can be given the fd: open, and not something that epoll refuses. */
static int fd_pollable(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static void watch_apply(struct ahp_watch *watch)
{
    struct ahp_uv *h = watch->h;
    int bits = 0;

    if (watch->wanted == watch->applied)
        return;
    watch->applied = 0;
    if (watch->wanted == 0) {
        uv_poll_stop(&watch->poll);
        return;
    }
    if (watch->wanted & AHP_IO_IN)
        bits |= UV_READABLE;
    if (watch->wanted & AHP_IO_OUT)
        bits |= UV_WRITABLE;
    if (bits == 0) /* errors only: polls without asking for data, see on_poll */
        bits = UV_PRIORITIZED;
    if (!fd_pollable(watch->fd) || uv_poll_start(&watch->poll, bits, on_poll) != 0) {
        ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_DEAD_FD,
                   "fd %d was closed or replaced while it is still watched", watch->fd);
        uv_poll_stop(&watch->poll);
        return;
    }
    watch->applied = watch->wanted;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct ahp_uv *h = prepare->data;

    while (h->dirty != NULL) {
        struct ahp_watch *watch = h->dirty;

        dirty_remove(watch);
        watch_apply(watch);
    }
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct ahp_watch *watch = handle->data;
    struct ahp_uv *h = watch->h;

    free(watch);
    ahp_uv_handle_closed(h);
}

static int32_t watch_new(void *ctx, int32_t fd, uint32_t events, ahp_watch **ret_watch,
                         ahp_watch_fn *cb, void *ud)
{
    struct ahp_uv *h = ctx;
    struct ahp_watch *watch;

    if (fd < 0 || cb == NULL || ret_watch == NULL)
        return AHP_E_INVALID;
    if (h->phase == PHASE_GONE)
        return AHP_E_STATE;
    HASH_FIND_INT(h->watches, &fd, watch);
    if (watch != NULL)
        return AHP_E_EXISTS;
    if (h->watches_count >= AHP_UV_WATCHES_MAX)
        return AHP_E_LIMIT;
    watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return AHP_E_NOMEM;
    switch (uv_poll_init(h->loop, &watch->poll, fd)) {
    case 0:
        break;
    case UV_ENOMEM:
        free(watch);
        return AHP_E_NOMEM;
    case UV_EEXIST: /* another user of this loop */
        free(watch);
        return AHP_E_EXISTS;
    default:
        free(watch);
        return AHP_E_INVALID;
    }
    ahp_uv_handle_added(h, (uv_handle_t *)&watch->poll);
    watch->poll.data = watch;
    watch->h = h;
    watch->fd = fd;
    watch->wanted = events & (AHP_IO_IN | AHP_IO_OUT | AHP_IO_ERR);
    watch->cb = cb;
    watch->ud = ud;
    HASH_ADD_INT(h->watches, fd, watch);
    if (++h->watches_count > h->end.stats.watches_peak)
        h->end.stats.watches_peak = h->watches_count;
    if (watch->wanted != 0)
        dirty_add(watch);
    *ret_watch = watch;
    return AHP_OK;
}

static int32_t watch_mod(ahp_watch *watch, uint32_t events)
{
    watch->wanted = events & (AHP_IO_IN | AHP_IO_OUT | AHP_IO_ERR);
    if (watch->wanted == watch->applied)
        dirty_remove(watch);
    else
        dirty_add(watch);
    return AHP_OK;
}

static void watch_free(ahp_watch *watch)
{
    if (watch == NULL)
        return;
    watch->freed = 1;
    dirty_remove(watch);
    HASH_DEL(watch->h->watches, watch);
    watch->h->watches_count--;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

/* ---- timers ---- */

void ahp_uv_timer_run(struct ahp_timer *timer)
{
    struct ahp_uv *h = timer->h;
    uint64_t t;

    if (!ahp_uv_may_call_back(h))
        return;
    t = ahp_uv_enter(h);
    timer->cb(timer->ud); /* may free the timer */
    ahp_uv_leave(h, AHP_UV_KIND_TIMER, t);
}

static void on_timer(uv_timer_t *handle)
{
    ahp_uv_timer_run(handle->data);
}

static int32_t timer_new(void *ctx, ahp_timer **ret_timer, ahp_timer_fn *cb, void *ud)
{
    struct ahp_uv *h = ctx;
    struct ahp_timer *timer;

    if (ret_timer == NULL || cb == NULL)
        return AHP_E_INVALID;
    if (h->phase == PHASE_GONE)
        return AHP_E_STATE;
    if (h->timers_count >= AHP_UV_TIMERS_MAX)
        return AHP_E_LIMIT;
    timer = calloc(1, sizeof(*timer));
    if (timer == NULL)
        return AHP_E_NOMEM;
    if (uv_timer_init(h->loop, &timer->timer) != 0) {
        free(timer);
        return AHP_E_FAILED;
    }
    ahp_uv_handle_added(h, (uv_handle_t *)&timer->timer);
    timer->timer.data = timer;
    timer->h = h;
    timer->due.kind = ITEM_TIMER;
    timer->due.owner = timer;
    timer->cb = cb;
    timer->ud = ud;
    DL_APPEND(h->timers, timer);
    if (++h->timers_count > h->end.stats.timers_peak)
        h->end.stats.timers_peak = h->timers_count;
    *ret_timer = timer;
    return AHP_OK;
}

static void timer_off(ahp_timer *timer)
{
    uv_timer_stop(&timer->timer);
    ahp_uv_queue_remove(timer->h, &timer->due);
}

static int32_t timer_at(ahp_timer *timer, int64_t deadline_ms)
{
    struct ahp_uv *h = timer->h;
    int64_t wait_ms;

    timer_off(timer);
    if (deadline_ms <= loop_now_ms(h)) {
        ahp_uv_queue_add(h, &timer->due);
        return AHP_OK;
    }
    /* libuv counts from the start of this turn, which lies behind now */
    wait_ms = deadline_ms - (int64_t)uv_now(h->loop);
    if (wait_ms < 1)
        wait_ms = 1;
    if (wait_ms > TIMER_MS_MAX)
        wait_ms = TIMER_MS_MAX;
    return uv_timer_start(&timer->timer, on_timer, (uint64_t)wait_ms, 0) == 0 ? AHP_OK
                                                                              : AHP_E_FAILED;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct ahp_timer *timer = handle->data;
    struct ahp_uv *h = timer->h;

    free(timer);
    ahp_uv_handle_closed(h);
}

static void timer_free(ahp_timer *timer)
{
    if (timer == NULL)
        return;
    timer_off(timer);
    DL_DELETE(timer->h->timers, timer);
    timer->h->timers_count--;
    uv_close((uv_handle_t *)&timer->timer, on_timer_closed);
}

/* ---- set-up and end ---- */

int32_t ahp_uv_loop_init(struct ahp_uv *h)
{
    if (uv_prepare_init(h->loop, &h->prepare) != 0)
        return AHP_E_FAILED;
    h->prepare.data = h;
    ahp_uv_handle_added(h, (uv_handle_t *)&h->prepare);
    return AHP_OK;
}

void ahp_uv_loop_sweep(struct ahp_uv *h)
{
    struct ahp_watch *watch;
    struct ahp_watch *watch_next;
    struct ahp_timer *timer;
    struct ahp_timer *timer_next;

    h->end.watches_live = h->watches_count;
    h->end.timers_live = h->timers_count;
    HASH_ITER(hh, h->watches, watch, watch_next)
    {
        ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_LEAK,
                   "destroy() left the watch of fd %d behind", watch->fd);
        watch_free(watch);
    }
    if (h->timers_count > 0)
        ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_LEAK,
                   "destroy() left %u timers behind", (unsigned)h->timers_count);
    DL_FOREACH_SAFE(h->timers, timer, timer_next)
    timer_free(timer);
}

const ahp_loop ahp_uv_loop_vtable = {
    .size = sizeof(ahp_loop),
    .now_ms = loop_now_ms,
    .wall_ms = loop_wall_ms,
    .watch_new = watch_new,
    .watch_mod = watch_mod,
    .watch_free = watch_free,
    .timer_new = timer_new,
    .timer_at = timer_at,
    .timer_off = timer_off,
    .timer_free = timer_free,
    .defer = ahp_uv_defer,
    .defer_free = ahp_uv_defer_free,
};
