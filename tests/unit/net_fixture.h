/* net_fixture.h - a host, a server, a net and its exchanges: what the tests of net/ start from. */
#ifndef TESTS_NET_FIXTURE_H
#define TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/env.h"
#include "net/net.h"
#include "net_server.h"

#define BOUND_MS 20000 /* of real time, for anything that is waited for */

struct fixture {
    struct poll_host *host;
    struct env env;
    struct net *net;
    struct server server;
    char base[64]; /* "http://127.0.0.1:port" */
};

/* The end of one exchange, copied. */
struct ending {
    struct fixture *fx;
    struct net_call *call;
    int done;
    enum http_outcome outcome;
    int sent;
    int status;
    int64_t retry_after_ms;
    int64_t length;
    enum http_crc64 crc64;
    uint64_t bytes_received;
    char content_type[160];
    char request_id[128];
    char error[LIMIT_ERR_TEXT];
    char *text;
    size_t text_len;
};

struct sink_record {
    struct ending *ending; /* for sinks that cancel */
    int begun;
    int status;
    int64_t length;
    uint64_t bytes;
    uint64_t sum;
    int wrong; /* differs from server_pattern */
    int begin_fails;
    uint64_t fail_at; /* write fails from this byte on; 0: never */
    uint64_t cancel_at;
};

void fx_open(struct fixture *fx);
void fx_close(struct fixture *fx); /* fails the test when something is left alive */

int fx_setup(void **state); /* *state = struct fixture */
int fx_teardown(void **state);

/* A READS GET to base + path, unless changed afterwards. url points to a static ring of buffers. */
struct http_request fx_get(struct fixture *fx, const char *path);
struct net_peer
fx_peer(struct fixture *fx); /* its origin is the server's, secret key=s3cr3t-value */

/* Starts it with that peer (NULL: the fixture's); fails the test when net_send refuses. */
void fx_start(struct fixture *fx, struct ending *ending, const struct http_request *request,
              const struct net_peer *peer, const struct net_sink *sink);
void fx_wait(struct ending *ending);
void fx_run(struct fixture *fx, struct ending *ending, const struct http_request *request,
            const struct net_peer *peer);
/* To the fixture's peer, the answer to a file. */
void fx_fetch(struct fixture *fx, struct ending *ending, const struct http_request *request,
              const struct net_sink *sink);
void ending_done(struct ending *ending);

long fx_peak_kb(void); /* of this process's memory, so far */

struct net_sink sink_to(struct sink_record *record);

void fx_net_done(void *ud, const struct http_reply *reply);

#endif
