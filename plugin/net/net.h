/*
 * net.h - carries out HTTP exchanges on the host's loop. libcurl's multi socket interface drives
 * the transfers, c-ares the name lookups; no thread, no blocking call. The only room that includes
 * curl/ or ares.h.
 *
 * What is decided here: which addresses may be reached, redirects, limits, timeouts, credentials.
 * What is not: retries (the engine's, because they must survive a restart) and the meaning of
 * answers (the adapters').
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "base/env.h"
#include "base/err.h"
#include "base/http.h"

struct net;
struct net_call;

/* "key" -> its value. Values never appear in an error text or a log line. */
struct net_secret {
    const char *name;
    const char *value;
};

/*
 * Who is asked. Origins ("https://api.example.com", "http://127.0.0.1:8089": scheme, host, port if
 * not the scheme's own) that the user configured for this provider: only these get secrets, and
 * only these may have private addresses. allowed_hosts are further host names for which the
 * configuration permits private addresses, without secrets.
 */
struct net_peer {
    const char *const *origins;
    size_t origins_count;
    const char *const *allowed_hosts;
    size_t allowed_hosts_count;
    const struct net_secret *secrets;
    size_t secrets_count;
};

/*
 * Takes the body of a successful (2xx) answer instead of memory. All NULL: kept in memory up to
 * LIMIT_TEXT_BYTES. Bodies of other answers always go to memory, at most 64 KiB of them.
 */
struct net_sink {
    int (*begin)(void *ud, const struct http_reply *head); /* 0; -1 ends it with HTTP_SINK */
    int (*write)(void *ud, const void *data, size_t len);
    void *ud;
};

/*
 * The end of an exchange; never called before net_send has returned. reply lives for the call. It
 * may call net_send and net_cancel (of others), as sinks may.
 */
typedef void net_done_fn(void *ud, const struct http_reply *reply);

/* Proxy settings; NULL or "": none. Formats as curl's CURLOPT_PROXY. */
struct net_options {
    const char *http_proxy;
    const char *https_proxy;
    const char *no_proxy;
    const char *ca_file; /* NULL: the system's */
};

int net_open(struct env *env, const struct net_options *options, struct net **ret_net,
             struct err *err);

/*
 * Ends every exchange inside this call and frees all: with HTTP_CANCELLED, or with its own outcome
 * when that was known already and only done was due. net_send fails in these done callbacks. Calls
 * nothing of the host but *_free and log, so destroy may call it. Not from inside a callback of
 * this room.
 */
void net_close(struct net *net);

/*
 * Starts an exchange. request and peer are copied as far as they are needed. `sink` may be NULL.
 * On success done follows exactly once. Failure (-1, err) means that nothing was started:
 * ERR_NOMEM, ERR_LIMIT, ERR_INVALID for a request that makes no sense, ERR_IO for a file that
 * cannot be read, ERR_CANCELLED while the net is being closed. Policy refusals come through done.
 * peer NULL: a stranger, nothing private and no secrets.
 *
 * A GET or HEAD that READS follows redirects: at most LIMIT_REDIRECTS, each hop checked, secrets
 * only to the peer's origins, and to other origins no header but Accept and Range; not from https
 * to http once a secret was sent. For all others a redirect is an answer.
 *
 * A request that SPENDS is sent at most once, on a connection of its own, in HTTP/1.1. The others
 * may be repeated by libcurl on a fresh connection when a reused one turns out to be dead.
 *
 * Beyond LIMIT_TRANSFERS, and LIMIT_TRANSFERS_PER_ORIGIN, exchanges wait for their turn; timeout_ms
 * counts from there. A transfer that stands still for LIMIT_STALL_MS ends, except that with a
 * timeout_ms the server may think for as long as that before the first byte of its answer.
 * file_bytes_max 0 means LIMIT_VIDEO_BYTES.
 */
int net_send(struct net *net, const struct http_request *request, const struct net_peer *peer,
             const struct net_sink *sink, net_done_fn *done, void *ud, struct net_call **ret_call,
             struct err *err);

/*
 * Ends one exchange early: done does not follow, and the call is gone. Says whether a byte of the
 * request may have left. NULL is ignored.
 */
int net_cancel(struct net_call *call);

/* Bytes so far of the body going out or coming in, and the announced total (0: not known). */
void net_progress(const struct net_call *call, uint64_t *ret_bytes, uint64_t *ret_total);

/* How many exchanges are open. */
size_t net_count(const struct net *net);

/* "scheme://host[:port]" of a URL, lower case, default ports left out. -1: not an http(s) URL; -2:
 * no memory. */
int net_origin(const char *url, char *ret_origin, size_t size);

#endif
