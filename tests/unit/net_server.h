/*
 * net_server.h - a raw HTTP/1.1 server on the same loop as what is tested, on 127.0.0.1 or ::1. It
 * understands just enough to know where a request ends; what is answered, byte for byte and however
 * wrong, is up to the test's callbacks.
 */
#ifndef TESTS_NET_SERVER_H
#define TESTS_NET_SERVER_H

#include "poll_host.h"

#include <stddef.h>
#include <stdint.h>

#define SERVER_KEEP_BYTES (256u * 1024u) /* of a request that on_request can see */

struct server_conn;

struct server {
    struct poll_host *host;
    int fd;
    ahp_watch *watch;
    unsigned port;
    unsigned accepted; /* connections so far */
    unsigned carried;  /* connections that brought a byte */
    unsigned requests; /* whole requests */
    unsigned open;
    unsigned open_max;
    struct server_conn *conns;

    /* Each may be NULL. on_accept before anything is read, on_head when the header is whole. */
    void (*on_accept)(struct server_conn *conn);
    void (*on_head)(struct server_conn *conn);
    void (*on_request)(struct server_conn *conn);
    void *ud;
};

struct server_conn {
    struct server *server;
    struct server_conn *prev;
    struct server_conn *next;
    ahp_watch *watch;
    int fd;
    unsigned number; /* of this connection, from 1 */
    int is_deaf;     /* nothing is read any more */
    char *in;        /* the request so far, at most SERVER_KEEP_BYTES of it; ends in NUL */
    size_t in_len;
    size_t head_len; /* 0: the header is not whole */
    uint64_t body_want;
    uint64_t body_seen;
    uint64_t body_sum; /* of all its bytes, see server_sum */
    char *out;
    size_t out_len;
    size_t out_at;
    uint64_t stream_left; /* bytes of server_pattern after `out` */
    uint64_t stream_at;
    int close_after;
};

int server_open(struct server *server, struct poll_host *host, int family);
void server_close(struct server *server);
void server_stop_listening(struct server *server); /* the port refuses connections from here */

void conn_send(struct server_conn *conn, const char *text);
void conn_send_bytes(struct server_conn *conn, const void *data, size_t len);
/* 200 with that body; keeps the connection. */
void conn_reply(struct server_conn *conn, int status, const char *headers, const char *body);
void conn_stream(struct server_conn *conn, uint64_t bytes);
void conn_end(struct server_conn *conn);   /* closes when all is sent */
void conn_reset(struct server_conn *conn); /* at once, with RST; conn is gone */
void conn_close(struct server_conn *conn); /* at once; conn is gone */

/* The value of a request header in lower or upper case, in a static buffer; NULL: none. */
const char *conn_header(const struct server_conn *conn, const char *name);
/* The path, in a static buffer. */
const char *conn_path(const struct server_conn *conn);

unsigned char server_pattern(uint64_t at);
uint64_t server_sum(uint64_t sum, const void *data, size_t len);

#endif
