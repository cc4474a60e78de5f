/* Whole exchanges with a raw server on the same loop: what arrives, what is answered, who ends
 * when. */
#include "net_fixture.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned count_tasks(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void reply_hello(struct server_conn *conn)
{
    conn_reply(conn, 200, "Content-Type: text/plain\r\nX-Request-Id: req-7\r\n", "hello");
}

static void a_get_is_answered(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/v1/x?y=1");
    struct ending ending;

    fx->server.on_request = reply_hello;
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(ending.status, 200);
    assert_string_equal(ending.text, "hello");
    assert_string_equal(ending.content_type, "text/plain");
    assert_string_equal(ending.request_id, "req-7");
    assert_int_equal(ending.length, 5);
    assert_int_equal(ending.retry_after_ms, -1);
    assert_true(ending.sent);
    assert_int_equal(net_count(fx->net), 0);
    ending_done(&ending);
}

static char seen_agent[256];
static char seen_key[256];
static char seen_path[256];
static char seen_type[256];
static char seen_host[256];

static void note(char *into, const char *value)
{
    snprintf(into, 256, "%s", value ? value : "(none)");
}

static void note_request(struct server_conn *conn)
{
    note(seen_agent, conn_header(conn, "user-agent"));
    note(seen_key, conn_header(conn, "authorization"));
    note(seen_path, conn_path(conn));
    note(seen_type, conn_header(conn, "content-type"));
    note(seen_host, conn_header(conn, "host"));
    conn_reply(conn, 200, "", "");
}

static void headers_and_secrets_go_to_the_own_origin(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/a?b=c");
    struct ending ending;

    fx->server.on_request = note_request;
    request.headers[0] = (struct http_header){"Authorization", "Bearer {{key}}!"};
    request.headers_count = 1;
    fx_run(fx, &ending, &request, NULL);
    assert_string_equal(seen_key, "Bearer s3cr3t-value!");
    assert_string_equal(seen_path, "/a?b=c");
    assert_string_equal(seen_agent, "clawmedia/" CLAWMEDIA_VERSION);
    assert_string_equal(seen_type, "(none)");
    ending_done(&ending);
}

static void secrets_stay_at_home(void **state)
{
    static const char *const hosts[] = {"127.0.0.1"};
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/a");
    struct net_peer peer = fx_peer(fx);
    const char *origins[] = {"https://api.example.com"};
    struct ending ending;

    fx->server.on_request = note_request;
    peer.origins = origins;
    peer.allowed_hosts = hosts;
    peer.allowed_hosts_count = 1;
    request.headers[0] = (struct http_header){"Authorization", "Bearer {{key}}"};
    request.headers[1] = (struct http_header){"Content-Type", "x/y"};
    request.headers_count = 2;
    fx_run(fx, &ending, &request, &peer);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_string_equal(seen_key, "(none)");
    assert_string_equal(seen_type, "x/y");
    ending_done(&ending);
}

static void a_private_address_is_refused(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/secret-path?signature=abc");
    struct net_peer stranger = {0};
    struct ending ending;
    char url[64];

    fx_run(fx, &ending, &request, &stranger);
    assert_int_equal(ending.outcome, HTTP_REFUSED);
    assert_false(ending.sent);
    assert_non_null(strstr(ending.error, "127.0.0.1"));
    assert_null(strstr(ending.error, "signature"));
    ending_done(&ending);
    snprintf(url, sizeof(url), "http://localhost:%u/", fx->server.port);
    request.url = url;
    fx_run(fx, &ending, &request, &stranger);
    assert_int_equal(ending.outcome, HTTP_REFUSED);
    ending_done(&ending);
    snprintf(url, sizeof(url), "http://[::ffff:127.0.0.1]:%u/", fx->server.port);
    fx_run(fx, &ending, &request, &stranger);
    assert_int_equal(ending.outcome, HTTP_REFUSED);
    ending_done(&ending);
    assert_int_equal(fx->server.accepted, 0);
}

static void schemes_and_user_names_are_refused(void **state)
{
    static const char *const urls[] = {"ftp://example.com/", "file:///etc/passwd",
                                       "http://me:pw@example.com/"};
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        request.url = urls[i];
        fx_run(fx, &ending, &request, NULL);
        assert_int_equal(ending.outcome, HTTP_REFUSED);
        assert_null(strstr(ending.error, "pw"));
        ending_done(&ending);
    }
}

static void senseless_requests_are_not_started(void **state)
{
    struct fixture *fx = *state;
    struct net_peer peer = fx_peer(fx);
    struct http_request good = fx_get(fx, "/");
    struct http_request bad[8];
    struct net_call *call = NULL;
    struct err err;
    static char long_url[LIMIT_URL + 32];

    for (size_t i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].url = "not a url";
    bad[1].method = "GET\r\nX: y";
    bad[2].headers[0] = (struct http_header){"X-Evil", "a\r\nb: c"};
    bad[2].headers_count = 1;
    bad[3].headers[0] = (struct http_header){"X-Key", "{{nobody}}"};
    bad[3].headers_count = 1;
    bad[4].body = "x";
    bad[4].body_path = "/dev/null";
    bad[5].headers_count = LIMIT_HEADERS + 1;
    memset(long_url, 'a', sizeof(long_url) - 1);
    memcpy(long_url, "http://", 7);
    bad[6].url = long_url;
    bad[7].body_path = "/dev/zero";
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(net_send(fx->net, &bad[i], &peer, NULL, fx_net_done, NULL, &call, &err),
                         -1);
        assert_null(call);
        assert_true(err.kind == ERR_INVALID || err.kind == ERR_LIMIT || err.kind == ERR_IO);
    }
    assert_int_equal(net_count(fx->net), 0);
}

static void a_name_needs_no_thread(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    char url[64];
    const char *origins[] = {url};
    struct net_peer peer = {.origins = origins, .origins_count = 1};
    struct ending ending;

    fx->server.on_request = note_request;
    snprintf(url, sizeof(url), "http://localhost:%u", fx->server.port);
    request.url = url;
    assert_int_equal(count_tasks(), 1);
    fx_start(fx, &ending, &request, &peer, NULL);
    assert_int_equal(count_tasks(), 1);
    fx_wait(&ending);
    assert_int_equal(count_tasks(), 1);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_string_equal(seen_host, url + strlen("http://"));
    ending_done(&ending);
}

/* The connection is on its way when net_send returns: no turn of the loop lies between. */
static void the_first_packet_leaves_at_once(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;
    fd_set ready;
    struct timeval wait = {.tv_sec = 5};

    fx->server.on_request = reply_hello;
    fx_start(fx, &ending, &request, NULL, NULL);
    FD_ZERO(&ready);
    FD_SET(fx->server.fd, &ready);
    assert_int_equal(select(fx->server.fd + 1, &ready, NULL, NULL, &wait), 1);
    fx_wait(&ending);
    ending_done(&ending);
}

static void ipv6_works(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct server server;
    char url[64];
    const char *origins[] = {url};
    struct net_peer peer = {.origins = origins, .origins_count = 1};
    struct ending ending;

    if (server_open(&server, fx->host, AF_INET6)) {
        print_message("no IPv6 loopback here\n");
        skip();
    }
    server.on_request = reply_hello;
    snprintf(url, sizeof(url), "http://[::1]:%u", server.port);
    request.url = url;
    fx_run(fx, &ending, &request, &peer);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    ending_done(&ending);
    server_close(&server);
}

static void an_unknown_name_is_not_sent(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = {
        .effect = HTTP_SPENDS, .method = "POST", .url = "http://nobody.invalid/", .body = ""};
    struct ending ending;

    fx_start(fx, &ending, &request, NULL, NULL);
    /* Here a resolver may answer, be silent or not exist: time decides for the last two. */
    poll_host_settle(fx->host, 200);
    if (!ending.done)
        poll_host_skip(fx->host, LIMIT_CONNECT_MS + 1);
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_NOT_SENT);
    assert_false(ending.sent);
    assert_non_null(strstr(ending.error, "nobody.invalid"));
    ending_done(&ending);
}

static void reply_by_path(struct server_conn *conn)
{
    struct fixture *fx = conn->server->ud;
    char header[512];
    const char *path = conn_path(conn);

    note(seen_key, conn_header(conn, "authorization"));
    if (strcmp(path, "/end") == 0) {
        conn_reply(conn, 200, "", "there");
    } else if (strncmp(path, "/hop/", 5) == 0) {
        snprintf(header, sizeof(header), "Location: /hop/%d\r\n", atoi(path + 5) + 1);
        conn_reply(conn, 302, header, "moved");
    } else if (strcmp(path, "/home") == 0) {
        conn_reply(conn, 307, "Location: end\r\n", "");
    } else if (strcmp(path, "/private") == 0) {
        conn_reply(conn, 302, "Location: http://169.254.169.254/latest/\r\n", "");
    } else if (strcmp(path, "/file") == 0) {
        conn_reply(conn, 302, "Location: file:///etc/passwd\r\n", "");
    } else if (strcmp(path, "/name") == 0) {
        snprintf(header, sizeof(header), "Location: http://localhost:%u/end\r\n", fx->server.port);
        conn_reply(conn, 301, header, "");
    } else {
        conn_reply(conn, 404, "", "");
    }
}

static void redirects_are_followed_and_checked(void **state)
{
    static const char *const hosts[] = {"localhost"};
    struct fixture *fx = *state;
    struct net_peer peer = fx_peer(fx);
    struct http_request request = fx_get(fx, "/home");
    struct ending ending;

    fx->server.on_request = reply_by_path;
    request.headers[0] = (struct http_header){"Authorization", "Bearer {{key}}"};
    request.headers_count = 1;
    fx_run(fx, &ending, &request, &peer);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_string_equal(ending.text, "there");
    assert_string_equal(seen_key, "Bearer s3cr3t-value");
    ending_done(&ending);

    /* Another origin of the same machine: reached when allowed, but without the key. */
    peer.allowed_hosts = hosts;
    peer.allowed_hosts_count = 1;
    request.url = fx_get(fx, "/name").url;
    fx_run(fx, &ending, &request, &peer);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_string_equal(ending.text, "there");
    assert_string_equal(seen_key, "(none)");
    ending_done(&ending);
    peer.allowed_hosts_count = 0;
    fx_run(fx, &ending, &request, &peer);
    assert_int_equal(ending.outcome, HTTP_REFUSED);
    ending_done(&ending);

    request.url = fx_get(fx, "/private").url;
    fx_run(fx, &ending, &request, &peer);
    assert_int_equal(ending.outcome, HTTP_REFUSED);
    ending_done(&ending);
    request.url = fx_get(fx, "/file").url;
    fx_run(fx, &ending, &request, &peer);
    assert_int_equal(ending.outcome, HTTP_REFUSED);
    ending_done(&ending);

    fx->server.requests = 0;
    request.url = fx_get(fx, "/hop/0").url;
    fx_run(fx, &ending, &request, &peer);
    assert_int_equal(ending.outcome, HTTP_REFUSED);
    assert_int_equal(fx->server.requests, LIMIT_REDIRECTS + 1);
    ending_done(&ending);
}

static void only_reads_follow_redirects(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/home");
    struct ending ending;

    fx->server.on_request = reply_by_path;
    request.method = "POST";
    request.effect = HTTP_SPENDS;
    request.body = "{}";
    request.body_len = 2;
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(ending.status, 307);
    assert_int_equal(fx->server.requests, 1);
    ending_done(&ending);
}

static void the_environment_is_not_read(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;

    /* A test may set it; the plugin must not look. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    fx->server.on_request = reply_hello;
    fx_run(fx, &ending, &request, NULL);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    ending_done(&ending);
}

static void a_proxy_is_asked(void **state)
{
    struct fixture *fx = *state;
    struct net_options options = {0};
    char proxy[64];
    struct net *net;
    struct err err;
    struct http_request request = fx_get(fx, "/");
    struct net_peer stranger = {0};
    struct ending ending = {.fx = fx};

    snprintf(proxy, sizeof(proxy), "http://localhost:%u", fx->server.port);
    options.http_proxy = proxy;
    options.no_proxy = "direct.invalid";
    assert_int_equal(net_open(&fx->env, &options, &net, &err), 0);
    fx->server.on_request = note_request;
    request.url = "http://far.example/thing";
    assert_int_equal(
        net_send(net, &request, &stranger, NULL, fx_net_done, &ending, &ending.call, &err), 0);
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_string_equal(seen_path, "http://far.example/thing");
    ending_done(&ending);

    request.url = "http://10.1.2.3/thing";
    ending = (struct ending){.fx = fx};
    assert_int_equal(
        net_send(net, &request, &stranger, NULL, fx_net_done, &ending, &ending.call, &err), 0);
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_REFUSED);
    ending_done(&ending);
    net_close(net);
    options.http_proxy = "http://user:pass@:nonsense";
    assert_int_equal(net_open(&fx->env, &options, &net, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_null(strstr(err.text, "pass"));
}

static void two_nets_live_side_by_side(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct net_peer peer = fx_peer(fx);
    struct ending first;
    struct ending second = {.fx = fx};
    struct net *other;
    struct err err;

    fx->server.on_request = reply_hello;
    assert_int_equal(net_open(&fx->env, NULL, &other, &err), 0);
    fx_start(fx, &first, &request, NULL, NULL);
    assert_int_equal(
        net_send(other, &request, &peer, NULL, fx_net_done, &second, &second.call, &err), 0);
    fx_wait(&first);
    fx_wait(&second);
    assert_int_equal(first.outcome, HTTP_ANSWERED);
    assert_int_equal(second.outcome, HTTP_ANSWERED);
    ending_done(&first);
    ending_done(&second);
    net_close(other);
    fx_run(fx, &first, &request, NULL);
    assert_int_equal(first.outcome, HTTP_ANSWERED);
    ending_done(&first);
}

#define MANY 1000

static unsigned many_left;

static void many_done(void *ud, const struct http_reply *reply)
{
    int *outcome = ud;

    *outcome = (int)reply->outcome * 1000 + reply->status;
    many_left--;
}

static int none_left(void *ud)
{
    (void)ud;
    return many_left == 0;
}

static void a_thousand_wait_their_turn(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct net_peer peer = fx_peer(fx);
    static int outcomes[MANY];
    struct net_call *call;
    struct err err;

    fx->server.on_request = reply_hello;
    many_left = MANY;
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(
            net_send(fx->net, &request, &peer, NULL, many_done, &outcomes[i], &call, &err), 0);
    assert_int_equal(net_count(fx->net), MANY);
    assert_int_equal(poll_host_run(fx->host, 60000, none_left, NULL), 0);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(outcomes[i], HTTP_ANSWERED * 1000 + 200);
    assert_int_equal(fx->server.requests, MANY);
    assert_true(fx->server.open_max <= LIMIT_TRANSFERS_PER_ORIGIN);
    assert_int_equal(net_count(fx->net), 0);
}

#define ORIGINS 10

/* Servers that take requests and never answer: what is open at once is the limit, no more, no less.
 */
static void all_origins_share_a_limit(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    static struct server servers[ORIGINS];
    static struct ending endings[ORIGINS][LIMIT_TRANSFERS_PER_ORIGIN + 8];
    struct net_peer peer = {0};
    const char *origins[1];
    char url[64];
    unsigned open = 0;

    peer.origins = origins;
    peer.origins_count = 1;
    origins[0] = url;
    request.url = url;
    for (size_t i = 0; i < ORIGINS; i++) {
        assert_int_equal(server_open(&servers[i], fx->host, AF_INET), 0);
        snprintf(url, sizeof(url), "http://127.0.0.1:%u", servers[i].port);
        for (size_t k = 0; k < LIMIT_TRANSFERS_PER_ORIGIN + 8; k++)
            fx_start(fx, &endings[i][k], &request, &peer, NULL);
    }
    poll_host_settle(fx->host, 50);
    for (size_t i = 0; i < ORIGINS; i++) {
        assert_true(servers[i].open <= LIMIT_TRANSFERS_PER_ORIGIN);
        open += servers[i].open;
    }
    assert_int_equal(open, LIMIT_TRANSFERS);
    /* A turn that is given back goes to one who waited elsewhere. */
    for (size_t k = 0; k < LIMIT_TRANSFERS_PER_ORIGIN; k++)
        net_cancel(endings[0][k].call);
    poll_host_settle(fx->host, 50);
    assert_true(servers[ORIGINS - 1].open > 0);
    for (size_t i = 0; i < ORIGINS; i++)
        for (size_t k = i == 0 ? LIMIT_TRANSFERS_PER_ORIGIN : 0; k < LIMIT_TRANSFERS_PER_ORIGIN + 8;
             k++)
            net_cancel(endings[i][k].call);
    assert_int_equal(net_count(fx->net), 0);
    for (size_t i = 0; i < ORIGINS; i++)
        server_close(&servers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, fx_setup, fx_teardown)
        T(a_get_is_answered),
        T(headers_and_secrets_go_to_the_own_origin),
        T(secrets_stay_at_home),
        T(a_private_address_is_refused),
        T(schemes_and_user_names_are_refused),
        T(senseless_requests_are_not_started),
        T(a_name_needs_no_thread),
        T(the_first_packet_leaves_at_once),
        T(ipv6_works),
        T(an_unknown_name_is_not_sent),
        T(redirects_are_followed_and_checked),
        T(only_reads_follow_redirects),
        T(the_environment_is_not_read),
        T(a_proxy_is_asked),
        T(two_nets_live_side_by_side),
        T(a_thousand_wait_their_turn),
        T(all_origins_share_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
