/*
 * names.c - host names become addresses, by c-ares on the host's loop: no thread, no blocking
 * lookup. Calls that ask for the same name at the same time share one lookup. Answers are kept for
 * as long as DNS says, at most CACHE_MS_MAX; names from the hosts file are read each time. What an
 * address may be used for is judged anew for each call, never here.
 *
 * c-ares reads resolv.conf only when a channel is made, so a channel that is idle and older than
 * CHANNEL_MS_MAX is replaced before the next lookup: a machine that moved to another network
 * recovers.
 */
#include "net/inner.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>
#include <utlist.h>

#define CACHE_MS_MAX    60000
#define CACHE_NAMES_MAX 256
#define CHANNEL_MS_MAX  60000
#define QUERY_MS                                                                                   \
    2500 /* first wait for one server; c-ares doubles it in each of QUERY_TRIES rounds */
#define QUERY_TRIES 3

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_code;

static void library_start(void)
{
    library_code = ares_library_init(ARES_LIB_INIT_ALL);
}

static void socket_state(void *ud, ares_socket_t fd, int readable, int writable)
{
    struct net *net = ud;
    struct watch *watch = driver_find(net, fd);
    uint32_t events = (readable ? AHP_IO_IN : 0u) | (writable ? AHP_IO_OUT : 0u);

    if (watch && !watch->is_name)
        watch = NULL; /* libcurl closed that number without a word; driver_watch replaces it */
    if (events == 0)
        driver_unwatch(watch);
    else
        driver_watch(net, watch, fd, events, 1, &watch); /* without one the query times out */
}

static int channel_make(struct net *net)
{
    struct ares_options options = {
        .timeout = QUERY_MS,
        .tries = QUERY_TRIES,
        .sock_state_cb = socket_state,
        .sock_state_cb_data = net,
    };

    if (net->has_channel)
        ares_destroy(net->channel);
    net->has_channel = 0;
    if (ares_init_options(&net->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB))
        return -1;
    net->has_channel = 1;
    net->channel_ms = env_now_ms(net->env);
    return 0;
}

int names_open(void)
{
    pthread_once(&library_once, library_start);
    return library_code == ARES_SUCCESS ? 0 : -1;
}

static void lookup_free(struct lookup *lookup)
{
    HASH_DEL(lookup->net->lookups, lookup);
    mem_free(lookup->host);
    mem_free(lookup);
}

void names_close(struct net *net)
{
    struct lookup *lookup;
    struct lookup *next;

    if (net->has_channel)
        ares_destroy(net->channel); /* ends what is pending: note_answer runs for each */
    net->has_channel = 0;
    HASH_ITER(hh, net->lookups, lookup, next)
    lookup_free(lookup);
}

/* c-ares's callback: maybe inside ares_getaddrinfo, so it only records. */
static void note_answer(void *ud, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *lookup = ud;
    struct net *net = lookup->net;
    int64_t keep_ms = CACHE_MS_MAX;

    (void)timeouts;
    lookup->pending = 0;
    lookup->status = status;
    net->lookups_pending--;
    if (info) {
        for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
            if (lookup->addresses_count == LIMIT_ADDRESSES)
                break;
            if (address_of(node->ai_addr, &lookup->addresses[lookup->addresses_count]) == 0)
                lookup->addresses_count++;
            if (keep_ms > (int64_t)node->ai_ttl * 1000)
                keep_ms = node->ai_ttl > 0 ? (int64_t)node->ai_ttl * 1000 : 0;
        }
        ares_freeaddrinfo(info);
    }
    if (lookup->addresses_count == 0)
        keep_ms = 0;
    if (net->is_closing)
        return;
    lookup->expires_ms = env_now_ms(net->env) + keep_ms;
    if (lookup->hops) {
        net->names_due = 1;
        driver_pump_soon(net);
    }
}

/* Room for one more name: what has expired goes, and when all are fresh, any idle one. */
static void make_room(struct net *net)
{
    int64_t now_ms = env_now_ms(net->env);
    struct lookup *lookup;
    struct lookup *next;

    if (HASH_COUNT(net->lookups) < CACHE_NAMES_MAX)
        return;
    HASH_ITER(hh, net->lookups, lookup, next)
    if (!lookup->pending && !lookup->hops && lookup->expires_ms <= now_ms)
        lookup_free(lookup);
    HASH_ITER(hh, net->lookups, lookup, next)
    {
        if (HASH_COUNT(net->lookups) < CACHE_NAMES_MAX)
            return;
        if (!lookup->pending && !lookup->hops)
            lookup_free(lookup);
    }
}

static struct lookup *lookup_start(struct net *net, const char *host)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int64_t now_ms = env_now_ms(net->env);
    struct lookup *lookup;

    if (!net->has_channel ||
        (net->lookups_pending == 0 && now_ms - net->channel_ms > CHANNEL_MS_MAX))
        if (channel_make(net))
            return NULL;
    make_room(net);
    lookup = mem_alloc(sizeof(*lookup));
    if (!lookup)
        return NULL;
    lookup->net = net;
    lookup->host = mem_text(host);
    if (!lookup->host) {
        mem_free(lookup);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, net->lookups, lookup->host, strlen(lookup->host), lookup);
    if (!HASH_TOOK(lookup)) {
        mem_free(lookup->host);
        mem_free(lookup);
        return NULL;
    }
    lookup->pending = 1;
    net->lookups_pending++;
    ares_getaddrinfo(net->channel, host, NULL, &hints, note_answer, lookup);
    return lookup;
}

/* When c-ares wants to be called next. */
static void note_timeout(struct net *net)
{
    struct timeval wait;

    net->names_ms = NET_NEVER;
    if (net->lookups_pending && ares_timeout(net->channel, NULL, &wait))
        net->names_ms =
            env_now_ms(net->env) + (int64_t)wait.tv_sec * 1000 + wait.tv_usec / 1000 + 1;
}

int names_ask(struct hop *hop, const char *host)
{
    struct net *net = hop->call->net;
    struct lookup *lookup;

    HASH_FIND(hh, net->lookups, host, strlen(host), lookup);
    if (lookup && !lookup->pending && !lookup->hops && lookup->expires_ms <= env_now_ms(net->env)) {
        lookup_free(lookup);
        lookup = NULL;
    }
    if (!lookup) {
        lookup = lookup_start(net, host);
        if (!lookup)
            return -1;
        note_timeout(net);
    }
    hop->lookup = lookup;
    if (!lookup->pending)
        return 1;
    DL_APPEND(lookup->hops, hop);
    return 0;
}

void names_leave(struct hop *hop)
{
    if (hop->prev)
        DL_DELETE(hop->lookup->hops, hop);
    hop->prev = NULL;
    hop->next = NULL;
    hop->lookup = NULL;
}

void names_deliver(struct net *net)
{
    struct lookup *lookup;
    struct lookup *next;

    if (!net->names_due)
        return;
    net->names_due = 0;
    /* net_call_named neither starts nor frees a lookup: pump() begins new calls only afterwards. */
    HASH_ITER(hh, net->lookups, lookup, next)
    {
        if (lookup->pending)
            continue;
        while (lookup->hops) {
            struct hop *hop = lookup->hops;

            DL_DELETE(lookup->hops, hop);
            hop->prev = NULL;
            hop->next = NULL;
            net_call_named(hop);
        }
    }
}

void names_process(struct net *net, int read_fd, int write_fd)
{
    if (!net->has_channel)
        return;
    ares_process_fd(net->channel, read_fd < 0 ? ARES_SOCKET_BAD : read_fd,
                    write_fd < 0 ? ARES_SOCKET_BAD : write_fd);
    note_timeout(net);
}
