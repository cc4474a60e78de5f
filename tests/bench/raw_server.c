/* raw_server.c - see raw_server.h. */
#include "raw_server.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES (1024u * 1024u)
#define HEAD_BYTES_MAX 16384u

/* 1 x 1 pixel */
#define TINY_PNG \
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="

static char chunk[CHUNK_BYTES];
static atomic_int_fast64_t first_byte_ns;

int64_t raw_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* getrusage would count what the process was before exec, too. */
long raw_peak_kib(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long kib = 0;

    while (f && kib == 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

int64_t raw_server_first_byte_ns(void)
{
    return atomic_load(&first_byte_ns);
}

static int send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int send_filling(int fd, uint64_t bytes)
{
    while (bytes > 0) {
        size_t n = bytes < CHUNK_BYTES ? (size_t)bytes : CHUNK_BYTES;

        if (send_all(fd, chunk, n))
            return -1;
        bytes -= n;
    }
    return 0;
}

static void answer(int fd, const char *type, const char *before, uint64_t filling,
                   const char *after)
{
    char head[256];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %" PRIu64
                     "\r\nConnection: close\r\n\r\n",
                     type, (uint64_t)strlen(before) + filling + (uint64_t)strlen(after));

    if (send_all(fd, head, (size_t)n) == 0 && send_all(fd, before, strlen(before)) == 0 &&
        send_filling(fd, filling) == 0)
        (void)send_all(fd, after, strlen(after));
}

/* The request's head in `head`, ended by NUL; what came of the body is counted. -1: no request. */
static int read_head(int fd, char *head, uint64_t *ret_body_had)
{
    size_t len = 0;
    char *end;

    for (;;) {
        ssize_t n = recv(fd, head + len, HEAD_BYTES_MAX - 1 - len, 0);

        if (n <= 0)
            return -1;
        if (len == 0)
            atomic_store(&first_byte_ns, raw_now_ns());
        len += (size_t)n;
        head[len] = '\0';
        end = strstr(head, "\r\n\r\n");
        if (end)
            break;
        if (len == HEAD_BYTES_MAX - 1)
            return -1;
    }
    *ret_body_had = len - (size_t)(end + 4 - head);
    end[2] = '\0';
    return 0;
}

static uint64_t body_length(const char *head)
{
    const char *line = head;

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            return strtoull(line + 15, NULL, 10);
    }
    return 0;
}

/* The kernel throws the bytes away: this side is never what limits an upload. */
static int drop_body(int fd, uint64_t left)
{
    while (left > 0) {
        size_t want = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        ssize_t n = recv(fd, NULL, want, MSG_TRUNC);

        if (n <= 0)
            return -1;
        left -= (uint64_t)n;
    }
    return 0;
}

static void serve(int fd)
{
    char head[HEAD_BYTES_MAX];
    uint64_t had = 0;
    uint64_t whole;

    if (read_head(fd, head, &had))
        return;
    whole = body_length(head);
    if (whole > had && drop_body(fd, whole - had))
        return;
    if (strncmp(head, "GET /bytes/", 11) == 0)
        answer(fd, "video/mp4", "", strtoull(head + 11, NULL, 10), "");
    else if (strncmp(head, "GET /base64/", 12) == 0)
        answer(fd, "application/json", "{\"data\":[{\"b64_json\":\"",
               strtoull(head + 12, NULL, 10) / 4 * 4, "\"}]}");
    else if (strncmp(head, "PUT ", 4) == 0 || strncmp(head, "POST /sink", 10) == 0)
        answer(fd, "application/json", "{}", 0, "");
    else
        answer(fd, "application/json",
               "{\"created\":1,\"data\":[{\"b64_json\":\"" TINY_PNG "\"}]}", 0, "");
}

/* Waits for the client's end, so that no unread byte turns the close into a reset. */
static void hang_up(int fd)
{
    struct timeval bound = {.tv_sec = 2};
    char rest[256];

    shutdown(fd, SHUT_WR);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
    while (recv(fd, rest, sizeof(rest), 0) > 0)
        ;
    close(fd);
}

static void *serve_all(void *arg)
{
    int listener = (int)(intptr_t)arg;

    for (;;) {
        int on = 1;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        serve(fd);
        hang_up(fd);
    }
    return NULL;
}

int raw_server_start(void)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    pthread_t thread;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    /* Valid as base64, and not one letter over and over. */
    for (size_t i = 0; i < sizeof(chunk); i++)
        chunk[i] = alphabet[(i * 37) & 63];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&address, &size) ||
        pthread_create(&thread, NULL, serve_all, (void *)(intptr_t)fd)) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    pthread_detach(thread);
    return ntohs(address.sin_port);
}
