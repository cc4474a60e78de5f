/*
 * bench_wire.c - the plugin's net/ and media/ on a real loop, without engine and ledger: what one
 * transfer costs. One exchange a run, so that the memory figure is that exchange's own; prints one
 * line of JSON: the time until the last byte was written, as the curl command counts it, and until
 * the disk has it, which publishing a file waits for. Nothing is published: it is no picture.
 *
 *   bench_wire download URL DIR
 *   bench_wire upload URL FILE
 *   bench_wire base64 URL DIR     the answer's base64, decoded, into DIR
 *   bench_wire decode MEGABYTES   the decoder alone, from memory to nowhere
 */
#include "base/env.h"
#include "media/media.h"
#include "media/spill.h"
#include "net/net.h"
#include "poll_host.h"
#include "raw_server.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOUND_MS 60000

struct run {
    const char *dir;
    struct media_part *part;
    struct spill *spill;
    struct err err;
    uint64_t bytes; /* that came out at the end */
    int done;
    int failed;
};

static int fail(struct run *run, const char *text)
{
    fprintf(stderr, "bench_wire: %s\n", text);
    run->failed = 1;
    return -1;
}

static int file_begin(void *ud, const struct http_reply *head)
{
    struct run *run = ud;

    (void)head;
    return media_part_open(run->dir, "bench", LIMIT_VIDEO_BYTES, &run->part, &run->err);
}

static int file_write(void *ud, const void *data, size_t len)
{
    struct run *run = ud;

    return media_part_write(run->part, data, len, &run->err);
}

static int blob_open(void *ud, unsigned number, struct err *err)
{
    struct run *run = ud;

    (void)number;
    if (!run->dir)
        return 0;
    return media_part_open(run->dir, "bench", LIMIT_VIDEO_BYTES, &run->part, err);
}

static int blob_write(void *ud, const void *data, size_t len, struct err *err)
{
    struct run *run = ud;

    run->bytes += len;
    return run->dir ? media_part_write(run->part, data, len, err) : 0;
}

static int blob_close(void *ud, unsigned number, int complete, struct err *err)
{
    (void)ud;
    (void)number;
    return complete ? 0 : err_set(err, ERR_ANSWER, "incomplete base64");
}

static int text_begin(void *ud, const struct http_reply *head)
{
    struct run *run = ud;
    struct spill_sink sink = {blob_open, blob_write, blob_close, run};

    (void)head;
    return spill_new(&sink, LIMIT_TEXT_BYTES, &run->spill);
}

static int text_write(void *ud, const void *data, size_t len)
{
    struct run *run = ud;

    return spill_feed(run->spill, data, len, &run->err);
}

static void ended(void *ud, const struct http_reply *reply)
{
    struct run *run = ud;
    const char *text;
    size_t len;
    unsigned blobs;

    run->done = 1;
    if (reply->outcome != HTTP_ANSWERED || reply->status != 200)
        fail(run, reply->outcome == HTTP_SINK ? run->err.text
                  : reply->error              ? reply->error
                                              : "not status 200");
    else if (run->spill && (spill_finish(run->spill, &text, &len, &blobs, &run->err) || blobs != 1))
        fail(run, "there was no base64 in the answer");
    if (run->bytes == 0)
        run->bytes = reply->bytes_sent > reply->bytes_received ? reply->bytes_sent
                                                               : reply->bytes_received;
}

static int is_done(void *ud)
{
    return ((struct run *)ud)->done;
}

/* The disk has it all: what publishing a file waits for, and the curl command does not. */
static void sync_part(const struct run *run)
{
    char path[1024];
    int fd;

    if (!run->part)
        return;
    snprintf(path, sizeof(path), "%s/bench.part", run->dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fdatasync(fd);
        close(fd);
    }
}

static void report(const struct run *run, int64_t from)
{
    int64_t ended = raw_now_ns();

    sync_part(run);
    printf("{\"seconds\":%.6f,\"durable_seconds\":%.6f,\"bytes\":%" PRIu64 ",\"peak_kib\":%ld}\n",
           (double)(ended - from) / 1e9, (double)(raw_now_ns() - from) / 1e9, run->bytes,
           raw_peak_kib());
}

static int exchange(struct run *run, const struct http_request *request,
                    const struct net_sink *sink)
{
    struct poll_host *host = poll_host_new();
    const char *origins[1];
    struct net_peer peer = {.origins = origins, .origins_count = 1};
    struct net_call *call;
    struct net *net;
    struct env env;
    struct err err;
    char origin[256];
    int64_t from;

    if (!host || env_init(&env, poll_host_ahp(host)) || net_open(&env, NULL, &net, &err))
        return fail(run, "no loop or no net");
    if (net_origin(request->url, origin, sizeof(origin)))
        return fail(run, "not a URL");
    origins[0] = origin;
    from = raw_now_ns();
    if (net_send(net, request, &peer, sink, ended, run, &call, &err))
        fail(run, err.text);
    else if (poll_host_run(host, BOUND_MS, is_done, run))
        fail(run, "not done in time");
    if (!run->failed)
        report(run, from);
    net_close(net);
    spill_free(run->spill);
    media_part_abandon(run->part);
    env_done(&env);
    poll_host_free(host);
    return run->failed ? -1 : 0;
}

static int decode(struct run *run, size_t megabytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct spill_sink sink = {blob_open, blob_write, blob_close, run};
    size_t len = 1u << 20;
    char *letters = malloc(len);
    const char *text;
    size_t text_len;
    unsigned blobs;
    int64_t from;

    if (!letters || spill_new(&sink, LIMIT_TEXT_BYTES, &run->spill))
        return fail(run, "no memory");
    for (size_t i = 0; i < len; i++)
        letters[i] = alphabet[(i * 37) & 63];
    from = raw_now_ns();
    for (size_t i = 0; i < megabytes && !run->failed; i++)
        if (spill_feed(run->spill, letters, len, &run->err))
            fail(run, run->err.text);
    if (!run->failed && spill_finish(run->spill, &text, &text_len, &blobs, &run->err))
        fail(run, run->err.text);
    if (!run->failed)
        report(run, from);
    spill_free(run->spill);
    free(letters);
    return run->failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct http_request request = {.effect = HTTP_READS, .method = "GET"};
    struct net_sink sink = {0};
    struct run run = {0};

    if (argc == 3 && strcmp(argv[1], "decode") == 0)
        return decode(&run, strtoul(argv[2], NULL, 10)) ? 1 : 0;
    if (argc != 4) {
        fputs("use: bench_wire download|upload|base64 URL PATH, or decode MEGABYTES\n", stderr);
        return 2;
    }
    sink.ud = &run;
    request.url = argv[2];
    if (strcmp(argv[1], "upload") == 0) {
        request.effect = HTTP_WRITES;
        request.method = "PUT";
        request.body_path = argv[3];
        return exchange(&run, &request, NULL) ? 1 : 0;
    }
    run.dir = argv[3];
    if (strcmp(argv[1], "base64") == 0) {
        request.answer = HTTP_ANSWER_MEDIA;
        sink.begin = text_begin;
        sink.write = text_write;
    } else {
        request.answer = HTTP_ANSWER_FILE;
        request.file_bytes_max = LIMIT_VIDEO_BYTES;
        sink.begin = file_begin;
        sink.write = file_write;
    }
    return exchange(&run, &request, &sink) ? 1 : 0;
}
