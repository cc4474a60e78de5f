/*
 * driver.c - libcurl's multi socket interface and c-ares on ahp.loop/1. libcurl's socket callback
 * drives watches, its timer callback is only noted; after each entry the one timer of the room is
 * set to the earliest of what libcurl, c-ares and our deadlines (check.c) want. Everything else
 * waits for the pump, one deferred call.
 *
 * The identity of a watch is the watch, not the fd: a number that libcurl or c-ares closes and gets
 * again within one call gets a new watch. Handles are added and removed only while net->inside is
 * 0. An error of the multi ends its transfers (driver_rebuild), not the process.
 */
#include "net/inner.h"

#include <pthread.h>
#include <utlist.h>

/* Idle connections kept for the next request. */
#define CONNECTIONS_IDLE 64

static void after_entry(struct net *net);

/* ---- watches ---- */

struct watch *driver_find(struct net *net, int fd)
{
    struct watch *watch;

    HASH_FIND_INT(net->watches, &fd, watch);
    return watch;
}

void driver_unwatch(struct watch *watch)
{
    if (!watch)
        return;
    HASH_DEL(watch->net->watches, watch);
    watch->net->env->loop->watch_free(watch->handle);
    mem_free(watch);
}

static void on_ready(void *ud, uint32_t events)
{
    struct watch *watch = ud;
    struct net *net = watch->net;
    int fd = watch->fd;
    int bits = 0;

    /* An error shows best in the call that reads or writes: what came before it is not lost. */
    if (events & AHP_IO_ERR)
        events |= watch->events;
    if (watch->is_name) {
        names_process(net, events & AHP_IO_IN ? fd : -1, events & AHP_IO_OUT ? fd : -1);
    } else if (net->multi) {
        bits = (events & AHP_IO_IN ? CURL_CSELECT_IN : 0) |
               (events & AHP_IO_OUT ? CURL_CSELECT_OUT : 0);
        net->inside++;
        if (curl_multi_socket_action(net->multi, fd, bits, &net->running))
            net->is_broken = 1;
        net->inside--;
    }
    after_entry(net);
}

int driver_watch(struct net *net, struct watch *old, int fd, uint32_t events, int is_name,
                 struct watch **ret_watch)
{
    const ahp_loop *loop = net->env->loop;
    struct watch *watch = old;

    if (net->is_closing)
        return -1;
    if (watch) {
        if (watch->events != events && loop->watch_mod(watch->handle, events) < 0)
            return -1;
        watch->events = events;
        return 0;
    }
    driver_unwatch(driver_find(net, fd)); /* of a file that is long closed */
    watch = mem_alloc(sizeof(*watch));
    if (!watch)
        return -1;
    watch->net = net;
    watch->fd = fd;
    watch->events = events;
    watch->is_name = is_name;
    HASH_ADD_INT(net->watches, fd, watch);
    if (!HASH_TOOK(watch)) {
        mem_free(watch);
        return -1;
    }
    if (loop->watch_new(net->env->host->ctx, fd, events, &watch->handle, on_ready, watch) < 0) {
        HASH_DEL(net->watches, watch);
        mem_free(watch);
        return -1;
    }
    *ret_watch = watch;
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *socket_ud)
{
    struct net *net = ud;
    struct watch *watch = driver_find(net, fd);
    struct watch *fresh = NULL;
    uint32_t events =
        (what & CURL_POLL_IN ? AHP_IO_IN : 0u) | (what & CURL_POLL_OUT ? AHP_IO_OUT : 0u);

    (void)easy;
    if (watch != socket_ud) /* of an earlier file of that number, or c-ares has it now */
        watch = NULL;
    if (what == CURL_POLL_REMOVE) {
        driver_unwatch(watch);
        return 0;
    }
    if (driver_watch(net, watch, fd, events, 0, &fresh)) {
        /* A transfer that nobody wakes would hang: the pump ends them all and starts afresh. */
        net->is_broken = 1;
        return -1;
    }
    if (fresh)
        curl_multi_assign(net->multi, fd, fresh);
    return 0;
}

/* ---- the timer and the pump ---- */

static int on_curl_timer(CURLM *multi, long timeout_ms, void *ud)
{
    struct net *net = ud;

    (void)multi;
    if (!net->is_closing)
        net->curl_ms = timeout_ms < 0 ? NET_NEVER : env_now_ms(net->env) + timeout_ms;
    return 0;
}

static void on_pump(void *ud)
{
    struct net *net = ud;

    net->pump = NULL;
    net_pump(net);
}

void driver_pump_soon(struct net *net)
{
    if (net->is_closing || net->pump || net->is_pump_due)
        return;
    if (env_defer(net->env, &net->pump, on_pump, net)) {
        net->pump = NULL;
        net->is_pump_due = 1;
        driver_arm(net);
    }
}

static void on_timer(void *ud)
{
    struct net *net = ud;
    int64_t now_ms = env_now_ms(net->env);

    net->armed_ms = NET_NEVER;
    if (net->curl_ms <= now_ms) {
        net->curl_ms = NET_NEVER;
        driver_kick(net);
    }
    if (net->names_ms <= now_ms)
        names_process(net, -1, -1);
    if (net->check_ms <= now_ms)
        check_all(net);
    if (net->is_pump_due) {
        net->is_pump_due = 0;
        net_pump(net);
    }
    driver_arm(net);
}

void driver_arm(struct net *net)
{
    int64_t at_ms = net->curl_ms;

    if (net->is_closing)
        return;
    if (net->names_ms < at_ms)
        at_ms = net->names_ms;
    if (net->check_ms < at_ms)
        at_ms = net->check_ms;
    if (net->is_pump_due)
        at_ms = 0;
    if (at_ms == net->armed_ms)
        return;
    net->armed_ms = at_ms;
    if (at_ms == NET_NEVER)
        net->env->loop->timer_off(net->timer);
    else
        net->env->loop->timer_at(net->timer, at_ms);
}

void driver_check_by(struct net *net, int64_t at_ms)
{
    if (at_ms < net->check_ms)
        net->check_ms = at_ms;
}

static void after_entry(struct net *net)
{
    if (net->is_broken || (unsigned)net->running != net->added_count)
        driver_pump_soon(net);
    driver_arm(net);
}

/* ---- the multi ---- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static CURLcode library_code;

/* Never undone: the library stays in the process, and others in it may use libcurl as well. */
static void library_start(void)
{
    library_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int multi_make(struct net *net)
{
    CURLM *multi = curl_multi_init();

    if (!multi)
        return -1;
    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, net) ||
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) ||
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, net) ||
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_IDLE) ||
        curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX)) {
        curl_multi_cleanup(multi);
        return -1;
    }
    net->multi = multi;
    net->running = 0;
    net->added_count = 0;
    net->curl_ms = NET_NEVER;
    return 0;
}

static void multi_drop(struct net *net)
{
    struct watch *watch;
    struct watch *next;

    if (net->multi) {
        net->inside++;
        curl_multi_cleanup(net->multi);
        net->inside--;
        net->multi = NULL;
    }
    HASH_ITER(hh, net->watches, watch, next)
    if (!watch->is_name)
        driver_unwatch(watch);
    net->curl_ms = NET_NEVER;
}

int driver_open(struct net *net)
{
    pthread_once(&library_once, library_start);
    if (library_code)
        return -1;
    net->armed_ms = NET_NEVER;
    net->names_ms = NET_NEVER;
    net->check_ms = NET_NEVER;
    if (net->env->loop->timer_new(net->env->host->ctx, &net->timer, on_timer, net) < 0) {
        net->timer = NULL;
        return -1;
    }
    return multi_make(net);
}

void driver_close(struct net *net)
{
    struct watch *watch;
    struct watch *next;

    multi_drop(net);
    HASH_ITER(hh, net->watches, watch, next)
    driver_unwatch(watch);
    net->env->loop->timer_free(net->timer);
    if (net->pump)
        net->env->loop->defer_free(net->pump);
}

int driver_add(struct hop *hop)
{
    struct net *net = hop->call->net;
    CURLMcode code;

    if (net->is_broken || (!net->multi && multi_make(net)))
        return -1;
    net->inside++;
    code = curl_multi_add_handle(net->multi, hop->easy);
    net->inside--;
    if (code)
        return -1;
    hop->is_added = 1;
    net->added_count++;
    net->running++; /* as the next entry will report */
    return 0;
}

void driver_remove(struct hop *hop)
{
    struct net *net = hop->call->net;

    if (!hop->is_added)
        return;
    hop->is_added = 0;
    net->inside++;
    curl_multi_remove_handle(net->multi, hop->easy);
    net->inside--;
    net->added_count--;
    if (!hop->is_reaped)
        net->running--;
}

void driver_kick(struct net *net)
{
    if (!net->multi || net->inside)
        return;
    net->inside++;
    if (curl_multi_socket_action(net->multi, CURL_SOCKET_TIMEOUT, 0, &net->running))
        net->is_broken = 1;
    net->inside--;
    after_entry(net);
}

void driver_reap(struct net *net)
{
    CURLMsg *message;
    int left;

    while (net->multi && (message = curl_multi_info_read(net->multi, &left))) {
        struct hop *hop = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&hop);
        hop->is_reaped = 1;
        hop->is_finished = 1;
        hop->code = message->data.result;
    }
}

void driver_rebuild(struct net *net)
{
    multi_drop(net);
    net->is_broken = 0;
    if (multi_make(net))
        env_log(net->env, AHP_LOG_ERROR, LOG_NET, "net: out of memory");
}
