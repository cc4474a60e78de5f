/* net_server.c - see net_server.h. */
#include "net_server.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

unsigned char server_pattern(uint64_t at)
{
    return (unsigned char)(at * 31 + (at >> 13));
}

uint64_t server_sum(uint64_t sum, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        sum = sum * 1099511628211u + bytes[i];
    return sum;
}

static void conn_watch(struct server_conn *conn)
{
    int writes = conn->out_at < conn->out_len || conn->stream_left;

    poll_host_exempt(conn->server->host, 1);
    poll_host_loop(conn->server->host)
        ->watch_mod(conn->watch, (conn->is_deaf ? 0 : AHP_IO_IN) | (writes ? AHP_IO_OUT : 0));
    poll_host_exempt(conn->server->host, 0);
}

void conn_close(struct server_conn *conn)
{
    struct server *server = conn->server;

    DL_DELETE(server->conns, conn);
    server->open--;
    poll_host_loop(server->host)->watch_free(conn->watch);
    close(conn->fd);
    free(conn->in);
    free(conn->out);
    free(conn);
}

void conn_reset(struct server_conn *conn)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    conn_close(conn);
}

void conn_end(struct server_conn *conn)
{
    conn->close_after = 1;
    conn_watch(conn);
}

void conn_send_bytes(struct server_conn *conn, const void *data, size_t len)
{
    char *grown = realloc(conn->out, conn->out_len + len);

    if (!grown)
        abort();
    memcpy(grown + conn->out_len, data, len);
    conn->out = grown;
    conn->out_len += len;
    conn_watch(conn);
}

void conn_send(struct server_conn *conn, const char *text)
{
    conn_send_bytes(conn, text, strlen(text));
}

void conn_reply(struct server_conn *conn, int status, const char *headers, const char *body)
{
    char head[1024];

    snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", status,
             strlen(body), headers);
    conn_send(conn, head);
    conn_send(conn, body);
}

void conn_stream(struct server_conn *conn, uint64_t bytes)
{
    conn->stream_left = bytes;
    conn->stream_at = 0;
    conn_watch(conn);
}

const char *conn_header(const struct server_conn *conn, const char *name)
{
    static char value[8192];
    size_t name_len = strlen(name);
    const char *at = conn->in;

    while ((at = strstr(at, "\r\n")) && at < conn->in + conn->head_len) {
        const char *end;

        at += 2;
        if (strncasecmp(at, name, name_len) != 0 || at[name_len] != ':')
            continue;
        at += name_len + 1;
        at += strspn(at, " ");
        end = strstr(at, "\r\n");
        if (!end)
            return NULL;
        snprintf(value, sizeof(value), "%.*s", (int)(end - at), at);
        return value;
    }
    return NULL;
}

const char *conn_path(const struct server_conn *conn)
{
    static char path[8192];
    const char *at = strchr(conn->in, ' ');
    size_t len = at ? strcspn(at + 1, " ") : 0;

    snprintf(path, sizeof(path), "%.*s", (int)len, at ? at + 1 : "");
    return path;
}

static void write_some(struct server_conn *conn)
{
    static unsigned char block[256 * 1024];
    ssize_t sent;

    if (conn->out_at < conn->out_len) {
        sent = send(conn->fd, conn->out + conn->out_at, conn->out_len - conn->out_at, MSG_NOSIGNAL);
        if (sent > 0)
            conn->out_at += (size_t)sent;
        if (conn->out_at == conn->out_len)
            conn->out_at = conn->out_len = 0;
        return;
    }
    if (conn->stream_left) {
        size_t len = conn->stream_left < sizeof(block) ? (size_t)conn->stream_left : sizeof(block);

        for (size_t i = 0; i < len; i++)
            block[i] = server_pattern(conn->stream_at + i);
        sent = send(conn->fd, block, len, MSG_NOSIGNAL);
        if (sent > 0) {
            conn->stream_at += (uint64_t)sent;
            conn->stream_left -= (uint64_t)sent;
        }
    }
}

static void next_request(struct server_conn *conn)
{
    conn->in_len = 0;
    conn->head_len = 0;
    conn->body_want = 0;
    conn->body_seen = 0;
    conn->body_sum = 0;
}

/* 1 when the callback may have closed it. */
static int take_bytes(struct server_conn *conn, const char *data, size_t len)
{
    struct server *server = conn->server;
    unsigned number = conn->number;
    size_t keep = SERVER_KEEP_BYTES - 1 - conn->in_len;
    size_t before = conn->in_len;
    struct server_conn *same;
    int had_head = conn->head_len > 0;
    char *end;

    if (keep > len)
        keep = len;
    memcpy(conn->in + conn->in_len, data, keep);
    conn->in_len += keep;
    conn->in[conn->in_len] = '\0';
    if (!had_head) {
        const char *length;

        end = strstr(conn->in, "\r\n\r\n");
        if (!end)
            return 0;
        conn->head_len = (size_t)(end - conn->in) + 4;
        length = conn_header(conn, "content-length");
        conn->body_want = length ? strtoull(length, NULL, 10) : 0;
        data += conn->head_len - before;
        len -= conn->head_len - before;
    }
    conn->body_seen += len;
    conn->body_sum = server_sum(conn->body_sum, data, len);
    if (!had_head && server->on_head) {
        server->on_head(conn);
        DL_FOREACH(server->conns, same)
        if (same->number == number)
            break;
        if (!same)
            return 1;
    }
    if (conn->body_seen >= conn->body_want) {
        server->requests++;
        if (server->on_request)
            server->on_request(conn);
        DL_FOREACH(server->conns, same)
        if (same->number == number)
            break;
        if (!same)
            return 1;
        next_request(conn);
    }
    return 0;
}

static void on_conn(void *ud, uint32_t events)
{
    static char block[256 * 1024];
    struct server_conn *conn = ud;
    ssize_t got;

    if (events & AHP_IO_OUT)
        write_some(conn);
    if ((events & (AHP_IO_IN | AHP_IO_ERR))) {
        got = recv(conn->fd, block, conn->is_deaf ? 1 : sizeof(block), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && (events & AHP_IO_ERR))) {
            conn_close(conn);
            return;
        }
        if (got > 0) {
            if (conn->in_len == 0 && conn->body_seen == 0)
                conn->server->carried++;
            if (take_bytes(conn, block, (size_t)got))
                return;
        }
    }
    if (conn->close_after && conn->out_at == conn->out_len && !conn->stream_left) {
        conn_close(conn);
        return;
    }
    conn_watch(conn);
}

static void on_accept(void *ud, uint32_t events)
{
    struct server *server = ud;
    struct server_conn *conn;
    int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    conn = calloc(1, sizeof(*conn));
    if (!conn || !(conn->in = calloc(1, SERVER_KEEP_BYTES)))
        abort();
    conn->server = server;
    conn->fd = fd;
    conn->number = ++server->accepted;
    if (++server->open > server->open_max)
        server->open_max = server->open;
    DL_APPEND(server->conns, conn);
    poll_host_exempt(server->host, 1);
    if (poll_host_loop(server->host)
            ->watch_new(server->host ? poll_host_ahp(server->host)->ctx : NULL, fd, AHP_IO_IN,
                        &conn->watch, on_conn, conn) < 0)
        abort();
    poll_host_exempt(server->host, 0);
    if (server->on_accept)
        server->on_accept(conn);
}

static unsigned bind_loopback(int fd, int family)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = family == AF_INET ? sizeof(in) : sizeof(in6);
    struct sockaddr *to = family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;

    if (bind(fd, to, len) != 0 || getsockname(fd, to, &len) != 0)
        return 0;
    return ntohs(family == AF_INET ? in.sin_port : in6.sin6_port);
}

int server_open(struct server *server, struct poll_host *host, int family)
{
    memset(server, 0, sizeof(*server));
    server->host = host;
    server->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->fd < 0)
        return -1;
    server->port = bind_loopback(server->fd, family);
    if (!server->port || listen(server->fd, 512) != 0 ||
        poll_host_loop(host)->watch_new(poll_host_ahp(host)->ctx, server->fd, AHP_IO_IN,
                                        &server->watch, on_accept, server) < 0) {
        close(server->fd);
        return -1;
    }
    return 0;
}

void server_stop_listening(struct server *server)
{
    if (server->fd < 0)
        return;
    poll_host_loop(server->host)->watch_free(server->watch);
    close(server->fd);
    server->fd = -1;
}

void server_close(struct server *server)
{
    server_stop_listening(server);
    while (server->conns)
        conn_close(server->conns);
}
