/*
 * Name lookup against a DNS server of the test's own: the UDP path through the host's watches, how
 * long answers are kept, and what an answer that changes may and may not lead to. The test reaches
 * into the net only to tell c-ares the server's port.
 */
#include "net_fixture.h"

#include "net/inner.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct dns {
    struct poll_host *host;
    ahp_watch *watch;
    int fd;
    unsigned port;
    unsigned queries; /* for A records */
    int is_silent;
    uint32_t ttl_s;
    const char *addresses[4]; /* IPv4; NULL-ended */
};

static size_t put_answer(unsigned char *at, const char *address, uint32_t ttl_s)
{
    unsigned char record[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4};
    struct address parsed;

    assert_int_equal(address_parse(address, &parsed), 0);
    record[6] = (unsigned char)(ttl_s >> 24);
    record[7] = (unsigned char)(ttl_s >> 16);
    record[8] = (unsigned char)(ttl_s >> 8);
    record[9] = (unsigned char)ttl_s;
    memcpy(record + 12, parsed.bytes, 4);
    memcpy(at, record, sizeof(record));
    return sizeof(record);
}

static void on_query(void *ud, uint32_t events)
{
    struct dns *dns = ud;
    unsigned char packet[1024];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    ssize_t got = recvfrom(dns->fd, packet, 512, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
    size_t at = 12;
    int is_a;

    (void)events;
    if (got < 17)
        return;
    while (at < (size_t)got && packet[at])
        at += packet[at] + 1u;
    is_a = packet[at + 2] == 1;
    at += 5;
    dns->queries += is_a ? 1 : 0;
    if (dns->is_silent)
        return;
    packet[2] = 0x81;
    packet[3] = 0x80;
    memset(packet + 6, 0, 6);
    for (int i = 0; is_a && dns->addresses[i]; i++) {
        at += put_answer(packet + at, dns->addresses[i], dns->ttl_s);
        packet[7]++;
    }
    sendto(dns->fd, packet, at, 0, (struct sockaddr *)&from, from_len);
}

static void dns_open(struct dns *dns, struct fixture *fx)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(in);
    struct http_request request = fx_get(fx, "/");
    struct ending ending;
    struct net_peer stranger = {0};
    char servers[64];

    memset(dns, 0, sizeof(*dns));
    dns->host = fx->host;
    dns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(dns->fd >= 0);
    assert_int_equal(bind(dns->fd, (struct sockaddr *)&in, len), 0);
    assert_int_equal(getsockname(dns->fd, (struct sockaddr *)&in, &len), 0);
    dns->port = ntohs(in.sin_port);
    assert_int_equal(poll_host_loop(fx->host)->watch_new(poll_host_ahp(fx->host)->ctx, dns->fd,
                                                         AHP_IO_IN, &dns->watch, on_query, dns),
                     0);
    /* The first lookup makes the channel; localhost needs no server. */
    request.url = "http://localhost:1/";
    fx_run(fx, &ending, &request, &stranger);
    ending_done(&ending);
    snprintf(servers, sizeof(servers), "127.0.0.1:%u", dns->port);
    assert_int_equal(ares_set_servers_ports_csv(fx->net->channel, servers), ARES_SUCCESS);
}

static void dns_close(struct dns *dns)
{
    poll_host_loop(dns->host)->watch_free(dns->watch);
    close(dns->fd);
}

static void reply_ok(struct server_conn *conn)
{
    conn_reply(conn, 200, "", "ok");
}

static struct dns dns; /* of the test that runs */

static int setup(void **state)
{
    if (fx_setup(state))
        return -1;
    dns_open(&dns, *state);
    return 0;
}

static int teardown(void **state)
{
    dns_close(&dns);
    return fx_teardown(state);
}

static enum http_outcome get(struct fixture *fx, const char *url, int is_own)
{
    struct http_request request = fx_get(fx, "/");
    const char *origins[] = {url};
    struct net_peer peer = {.origins = origins, .origins_count = is_own ? 1 : 0};
    struct ending ending;

    request.url = url;
    fx_run(fx, &ending, &request, &peer);
    ending_done(&ending);
    return ending.outcome;
}

static void answers_are_kept_for_their_time(void **state)
{
    struct fixture *fx = *state;
    char url[96];

    fx->server.on_request = reply_ok;
    dns.addresses[0] = "127.0.0.1";
    dns.ttl_s = 5;
    snprintf(url, sizeof(url), "http://media.example:%u", fx->server.port);
    assert_int_equal(get(fx, url, 1), HTTP_ANSWERED);
    assert_int_equal(dns.queries, 1);
    assert_int_equal(get(fx, url, 1), HTTP_ANSWERED);
    assert_int_equal(dns.queries, 1);
    poll_host_skip(fx->host, 5001);
    assert_int_equal(get(fx, url, 1), HTTP_ANSWERED);
    assert_int_equal(dns.queries, 2);
    dns.ttl_s = 86400; /* kept for a minute at most */
    poll_host_skip(fx->host, 5001);
    assert_int_equal(get(fx, url, 1), HTTP_ANSWERED);
    assert_int_equal(dns.queries, 3);
    poll_host_skip(fx->host, 55000);
    assert_int_equal(get(fx, url, 1), HTTP_ANSWERED);
    assert_int_equal(dns.queries, 3);
}

static void one_lookup_serves_many(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending endings[10];
    char url[96];
    const char *origins[] = {url};
    struct net_peer peer = {.origins = origins, .origins_count = 1};

    fx->server.on_request = reply_ok;
    dns.addresses[0] = "127.0.0.1";
    dns.ttl_s = 0;
    snprintf(url, sizeof(url), "http://media.example:%u", fx->server.port);
    request.url = url;
    for (size_t i = 0; i < 10; i++)
        fx_start(fx, &endings[i], &request, &peer, NULL);
    for (size_t i = 0; i < 10; i++) {
        fx_wait(&endings[i]);
        assert_int_equal(endings[i].outcome, HTTP_ANSWERED);
        ending_done(&endings[i]);
    }
    assert_int_equal(dns.queries, 1);
}

static void private_answers_are_refused(void **state)
{
    static const char *const addresses[] = {"10.0.0.1", "127.0.0.1", "169.254.169.254", "0.0.0.0"};
    struct fixture *fx = *state;
    char url[96];

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        dns.addresses[0] = addresses[i];
        snprintf(url, sizeof(url), "http://name%zu.example:%u/", i, fx->server.port);
        assert_int_equal(get(fx, url, 0), HTTP_REFUSED);
    }
    assert_int_equal(fx->server.accepted, 0);
    dns.addresses[0] = NULL;
    assert_int_equal(get(fx, "http://nothing.example/", 0), HTTP_NOT_SENT);
}

/*
 * DNS rebinding by way of the connection pool: a connection to a private address, opened for the
 * provider, must not serve a stranger's URL of the same name, although the name is public by now.
 */
static void a_pooled_connection_is_judged_too(void **state)
{
    struct fixture *fx = *state;
    char url[96];

    fx->server.on_request = reply_ok;
    dns.addresses[0] = "127.0.0.1";
    dns.ttl_s = 1;
    snprintf(url, sizeof(url), "http://media.example:%u", fx->server.port);
    assert_int_equal(get(fx, url, 1), HTTP_ANSWERED);
    assert_int_equal(fx->server.requests, 1);
    poll_host_skip(fx->host, 1001);
    dns.addresses[0] = "93.184.215.14";
    assert_int_equal(get(fx, url, 0), HTTP_REFUSED);
    assert_int_equal(fx->server.requests, 1);
    assert_int_equal(dns.queries, 2);
}

static void a_silent_server_ends_in_time(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;

    dns.is_silent = 1;
    request.effect = HTTP_SPENDS;
    request.method = "POST";
    request.url = "http://media.example/";
    fx_start(fx, &ending, &request, NULL, NULL);
    poll_host_settle(fx->host, 50);
    assert_false(ending.done);
    assert_true(dns.queries > 0);
    poll_host_skip(fx->host, LIMIT_CONNECT_MS + 1);
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_NOT_SENT);
    ending_done(&ending);
}

/* Many names do not make a large cache. */
static void the_cache_has_a_limit(void **state)
{
    struct fixture *fx = *state;
    char url[96];

    dns.addresses[0] = "10.0.0.1";
    dns.ttl_s = 60;
    for (int i = 0; i < 400; i++) {
        snprintf(url, sizeof(url), "http://name%d.example/", i);
        assert_int_equal(get(fx, url, 0), HTTP_REFUSED);
    }
    assert_true(HASH_COUNT(fx->net->lookups) <= 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        T(answers_are_kept_for_their_time), T(one_lookup_serves_many),
        T(private_answers_are_refused),     T(a_pooled_connection_is_judged_too),
        T(a_silent_server_ends_in_time),    T(the_cache_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
