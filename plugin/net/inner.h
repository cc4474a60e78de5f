/*
 * inner.h - what the files of this room share. One struct net an instance; one struct net_call an
 * exchange; one struct hop the part of it that exists only while it has its turn: a redirect gives
 * the call a new hop.
 *
 * A call is in exactly one place: waiting at its origin, live (name lookup or transfer), or ended
 * (its done callback is due). Callbacks of libcurl and c-ares only record; pump() acts, from the
 * top level. `net->inside` counts the curl calls on the stack: while it is not 0 no handle is added
 * or removed.
 */
#ifndef NET_INNER_H
#define NET_INNER_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "net/net.h"
#include "net/policy.h"

#include <ares.h>
#include <curl/curl.h>

#define NET_NEVER            INT64_MAX
#define NET_TEXT_BYTES_OTHER (64u * 1024u) /* kept of an answer that is not 2xx */

/* An fd that libcurl or c-ares wants watched. */
struct watch {
    struct net *net;
    ahp_watch *handle;
    int fd;
    uint32_t events;
    int is_name; /* c-ares's, else libcurl's */
    UT_hash_handle hh;
};

/* One name: being looked up while `pending`, then kept until expires_ms. */
struct lookup {
    struct net *net;
    char *host;
    int pending;
    int status; /* ARES_ */
    int64_t expires_ms;
    struct address addresses[LIMIT_ADDRESSES];
    size_t addresses_count;
    struct hop *hops; /* that wait for it */
    UT_hash_handle hh;
};

/* Who waits for a turn at one scheme://host:port. Exists while somebody waits or has one. */
struct origin {
    struct origin *prev; /* in net->ready: somebody waits and the origin has room */
    struct origin *next;
    int is_ready;
    unsigned live;
    struct net_call *waiting;
    UT_hash_handle hh;
    char text[];
};

struct proxy {
    char *url; /* NULL: none */
    char *host;
    unsigned port;
};

struct hop {
    struct hop *prev; /* in lookup->hops; NULL: in no list */
    struct hop *next;
    struct net_call *call;
    struct lookup *lookup;
    const struct proxy *proxy;

    struct address
        addresses[LIMIT_ADDRESSES]; /* that passed the policy; only these are connected to */
    size_t addresses_count;
    int may_private; /* the target may have a private address */
    int has_secret;

    CURL *easy;
    int is_added;
    struct curl_slist *headers;
    struct curl_slist *pins;
    curl_mime *mime;
    char curl_text[CURL_ERROR_SIZE];

    /* Times on the host's clock. */
    int64_t connect_by_ms;
    int64_t moved_ms;
    uint64_t moved_bytes; /* as they were at moved_ms */

    unsigned sends;  /* how often a request began to leave */
    int is_reaped;   /* libcurl has said how it ended */
    int is_finished; /* the pump ends it */
    CURLcode code;

    /* A verdict of ours from inside a callback; counts before libcurl's code. */
    int has_verdict;
    enum http_outcome verdict;
    char error[LIMIT_ERR_TEXT];

    int is_head_whole;
    int is_chunked;
    int status;
    size_t header_bytes;
    int64_t retry_after_ms;
    int is_retry_exact; /* retry-after-ms was there: it counts before Retry-After */
    int64_t length;
    char content_type[160];
    char request_id[128];
    char crc64_text[24]; /* decimal, "": not told */
    struct buf text;
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t joined_at; /* of a joined body: what was read of it */
    uint64_t joined_bytes;
};

struct body_file {
    int fd;
    uint64_t size;
    uint64_t at;
    struct net_call *call;
    const struct http_part *part; /* NULL: the whole body */
};

enum phase { PHASE_WAITING, PHASE_LIVE, PHASE_ENDED, PHASE_GONE };

struct net_call {
    struct net_call *prev;
    struct net_call *next;
    struct net *net;
    struct origin *origin; /* whose turn it has or waits for */
    struct hop *hop;
    enum phase phase;

    /* The request, copied into the arena; secrets apart, because they are wiped. */
    struct arena arena;
    struct http_request *request;
    const char **origins;
    size_t origins_count;
    const char **allowed_hosts;
    size_t allowed_hosts_count;
    struct net_secret *secrets;
    size_t secrets_count;
    struct body_file *files;
    size_t files_count;
    uint64_t crc64;    /* of the first crc64_at bytes of body_path, when the request asks for it */
    uint64_t crc64_at;

    struct net_sink sink;
    net_done_fn *done;
    void *ud;

    struct target target;
    unsigned redirects;
    int is_abroad;    /* a redirect led to an origin that is not the peer's */
    int had_secret;   /* a hop has carried one */
    int is_cancelled; /* inside a callback; no done follows */
    int was_sent;     /* a hop has begun to send */
    int is_started;
    int64_t started_ms; /* its first turn */
};

struct net {
    struct env *env;
    struct proxy proxy_http;
    struct proxy proxy_https;
    char *no_proxy;
    char *ca_file;
    int is_ca_file; /* one file has all authorities: reading them anew takes 20 ms a connection */

    CURLM *multi;
    int inside;
    int is_broken; /* the multi must be built anew */
    int is_closing;
    int running;

    ahp_timer *timer;
    int64_t armed_ms; /* what the timer is set to */
    int64_t curl_ms;  /* what libcurl, c-ares and our own deadlines want */
    int64_t names_ms;
    int64_t check_ms;
    ahp_deferred *pump;
    int is_pump_due; /* by the timer, since no deferred call was to be had */
    struct watch *watches;

    ares_channel channel;
    int has_channel;
    int64_t channel_ms; /* when it read its configuration */
    unsigned lookups_pending;
    int names_due; /* a lookup has ended that somebody waits for */
    struct lookup *lookups;

    struct origin *origins;
    struct origin *ready;
    struct net_call *live;
    struct net_call *ended;
    unsigned live_count;
    unsigned added_count;
    size_t count;
};

/* hop.c */
struct hop *net_hop_new(struct net_call *call); /* NULL: no memory */
void net_call_named(struct hop *hop);           /* its lookup has ended */
void net_call_end(struct net_call *call);       /* done is due; the pump calls it */
void net_call_fail(struct net_call *call, enum http_outcome outcome, const char *what);
void net_call_free(struct net_call *call);
void net_begin_waiting(struct net *net);
void net_finish_all(struct net *net);
void net_deliver(struct net_call *call);
void net_hop_verdict(struct hop *hop, enum http_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void net_pump(struct net *net);

/* queue.c */
int queue_add(struct net_call *call);
void queue_leave(struct net_call *call);      /* waiting or live: gives its place or turn back */
struct net_call *queue_next(struct net *net); /* the next that may begin, now live; NULL: none */

/* driver.c: libcurl and c-ares on the host's loop. */
int driver_open(struct net *net);
void driver_close(struct net *net);
int driver_add(struct hop *hop); /* starts the transfer; 0 or -1 */
void driver_remove(struct hop *hop);
void driver_kick(struct net *net);    /* lets libcurl begin what was added */
void driver_reap(struct net *net);    /* notes which transfers have finished */
void driver_rebuild(struct net *net); /* all transfers end; a fresh multi */
void driver_arm(struct net *net);
void driver_pump_soon(struct net *net);
int driver_watch(struct net *net, struct watch *old, int fd, uint32_t events, int is_name,
                 struct watch **ret_watch);
void driver_unwatch(struct watch *watch);
struct watch *driver_find(struct net *net, int fd);
void driver_check_by(struct net *net, int64_t at_ms);

/* proxy.c */
int proxy_set(struct proxy *proxy, const char *text, struct err *err); /* NULL or "": none */
void proxy_done(struct proxy *proxy);
const struct proxy *proxy_for(const struct net_call *call); /* NULL: none */

/* names.c */
int names_open(void); /* the library; the channel is made when it is first needed */
void names_close(struct net *net);
/* 1: hop->lookup has the result; 0: net_call_named follows from the pump; -1: without memory. */
int names_ask(struct hop *hop, const char *host);
void names_leave(struct hop *hop);
void names_deliver(struct net *net);
void names_process(struct net *net, int read_fd, int write_fd);

/* request.c: the copy of a request. */
int request_copy(struct net_call *call, const struct http_request *request,
                 const struct net_peer *peer, struct err *err);
void request_done(struct net_call *call);
int request_is_own(const struct net_call *call, const char *origin);
int request_may_go(const struct net_call *call, const struct target *target);
int request_may_private(const struct net_call *call, const struct target *target);
int request_check_secrets(const struct net_call *call, struct err *err);
int request_headers(struct hop *hop); /* fills hop->headers */
/* What a part without a file holds, its secret put in; NULL: it must not go there. Borrowed. */
const char *request_part_text(struct hop *hop, const struct http_part *part);
void request_wipe(struct curl_slist *list);

/* body.c */
int body_open(struct net_call *call, struct err *err);
void body_close(struct net_call *call);
int body_apply(struct hop *hop);

/* joined.c */
CURLcode joined_apply(struct hop *hop);

/* transfer.c: one easy handle. */
int transfer_new(struct hop *hop);
void transfer_free(struct hop *hop);
uint64_t transfer_moved(const struct hop *hop);
int transfer_is_waiting(const struct hop *hop); /* all sent, nothing of the answer here */

/* answer.c */
int answer_apply(struct hop *hop);
void answer_outcome(struct hop *hop); /* libcurl's code becomes a verdict */
void answer_reply(struct hop *hop, struct http_reply *ret_reply);

/* check.c: deadlines. */
void check_start(struct hop *hop);
void check_all(struct net *net);

#endif
