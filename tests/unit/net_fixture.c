/* net_fixture.c - see net_fixture.h. */
#include "net_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fx_open(struct fixture *fx)
{
    struct err err;

    memset(fx, 0, sizeof(*fx));
    fx->host = poll_host_new();
    assert_non_null(fx->host);
    assert_int_equal(env_init(&fx->env, poll_host_ahp(fx->host)), 0);
    assert_int_equal(server_open(&fx->server, fx->host, AF_INET), 0);
    fx->server.ud = fx;
    snprintf(fx->base, sizeof(fx->base), "http://127.0.0.1:%u", fx->server.port);
    assert_int_equal(net_open(&fx->env, NULL, &fx->net, &err), 0);
}

void fx_close(struct fixture *fx)
{
    poll_host_only_free(fx->host, 1);
    net_close(fx->net);
    poll_host_only_free(fx->host, 0);
    server_close(&fx->server);
    env_done(&fx->env);
    assert_int_equal(poll_host_free(fx->host), 0);
}

int fx_setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof(*fx));

    if (!fx)
        return -1;
    fx_open(fx);
    *state = fx;
    return 0;
}

int fx_teardown(void **state)
{
    fx_close(*state);
    free(*state);
    return 0;
}

struct http_request fx_get(struct fixture *fx, const char *path)
{
    static char urls[8][512];
    static unsigned at;
    char *url = urls[at++ % 8];
    struct http_request request = {.effect = HTTP_READS, .method = "GET"};

    snprintf(url, sizeof(urls[0]), "%s%s", fx->base, path);
    request.url = url;
    return request;
}

struct net_peer fx_peer(struct fixture *fx)
{
    static const struct net_secret secrets[] = {{"key", "s3cr3t-value"}};
    static const char *origins[1];
    struct net_peer peer = {
        .origins = origins, .origins_count = 1, .secrets = secrets, .secrets_count = 1};

    origins[0] = fx->base;
    return peer;
}

void fx_net_done(void *ud, const struct http_reply *reply)
{
    struct ending *ending = ud;

    ending->done++;
    ending->outcome = reply->outcome;
    ending->sent = reply->sent;
    ending->status = reply->status;
    ending->retry_after_ms = reply->retry_after_ms;
    ending->length = reply->length;
    ending->crc64 = reply->crc64;
    ending->bytes_received = reply->bytes_received;
    snprintf(ending->content_type, sizeof(ending->content_type), "%s", reply->content_type);
    snprintf(ending->request_id, sizeof(ending->request_id), "%s", reply->request_id);
    snprintf(ending->error, sizeof(ending->error), "%s", reply->error ? reply->error : "");
    if ((reply->error == NULL) != (reply->outcome == HTTP_ANSWERED))
        ending->done = 99;
    free(ending->text);
    ending->text = malloc(reply->text_len + 1);
    if (!ending->text)
        abort();
    memcpy(ending->text, reply->text, reply->text_len + 1);
    ending->text_len = reply->text_len;
}

void fx_start(struct fixture *fx, struct ending *ending, const struct http_request *request,
              const struct net_peer *peer, const struct net_sink *sink)
{
    struct net_peer own = fx_peer(fx);
    struct err err = {0};
    int rc;

    memset(ending, 0, sizeof(*ending));
    ending->fx = fx;
    rc = net_send(fx->net, request, peer ? peer : &own, sink, fx_net_done, ending, &ending->call,
                  &err);
    if (rc)
        print_error("net_send: %s\n", err.text);
    assert_int_equal(rc, 0);
    assert_int_equal(ending->done, 0);
}

static int is_done(void *ud)
{
    const struct ending *ending = ud;

    return ending->done;
}

void fx_wait(struct ending *ending)
{
    assert_int_equal(poll_host_run(ending->fx->host, BOUND_MS, is_done, ending), 0);
    assert_int_equal(ending->done, 1);
}

void fx_run(struct fixture *fx, struct ending *ending, const struct http_request *request,
            const struct net_peer *peer)
{
    fx_start(fx, ending, request, peer, NULL);
    fx_wait(ending);
}

void fx_fetch(struct fixture *fx, struct ending *ending, const struct http_request *request,
              const struct net_sink *sink)
{
    fx_start(fx, ending, request, NULL, sink);
    fx_wait(ending);
}

long fx_peak_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "re");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    fclose(file);
    return kb;
}

void ending_done(struct ending *ending)
{
    free(ending->text);
    ending->text = NULL;
}

static int sink_begin(void *ud, const struct http_reply *head)
{
    struct sink_record *record = ud;

    record->begun++;
    record->status = head->status;
    record->length = head->length;
    return record->begin_fails ? -1 : 0;
}

static int sink_write(void *ud, const void *data, size_t len)
{
    struct sink_record *record = ud;
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i += 97)
        record->wrong |= bytes[i] != server_pattern(record->bytes + i);
    record->bytes += len;
    record->sum = server_sum(record->sum, data, len);
    if (record->cancel_at && record->bytes >= record->cancel_at) {
        record->cancel_at = 0;
        net_cancel(record->ending->call);
        return 0;
    }
    return record->fail_at && record->bytes >= record->fail_at ? -1 : 0;
}

struct net_sink sink_to(struct sink_record *record)
{
    struct net_sink sink = {.begin = sink_begin, .write = sink_write, .ud = record};

    return sink;
}
