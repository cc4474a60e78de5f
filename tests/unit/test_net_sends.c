/*
 * A request that may cost money leaves at most once, whatever the other end does; and the outcome
 * says whether it may have arrived. The server hangs up at every nasty moment and counts what
 * reached it.
 */
#include "net_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct http_request spend(struct fixture *fx)
{
    struct http_request request = fx_get(fx, "/v1/images");

    request.effect = HTTP_SPENDS;
    request.method = "POST";
    request.body = "{\"prompt\":\"a boat\"}";
    request.body_len = strlen(request.body);
    request.headers[0] = (struct http_header){"Content-Type", "application/json"};
    request.headers_count = 1;
    return request;
}

static void nobody_listens(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = spend(fx);
    struct ending ending;

    server_stop_listening(&fx->server);
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.outcome, HTTP_NOT_SENT);
    assert_false(ending.sent);
    ending_done(&ending);
}

static void it_is_never_accepted(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = spend(fx);
    struct ending ending;

    /* The kernel takes the connection and the bytes; then the listener goes. */
    poll_host_loop(fx->host)->watch_free(fx->server.watch);
    fx->server.watch = NULL;
    fx_start(fx, &ending, &request, NULL, NULL);
    poll_host_settle(fx->host, 100);
    assert_false(ending.done);
    server_stop_listening(&fx->server);
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_LOST);
    assert_true(ending.sent);
    ending_done(&ending);
}

/* Each way to hang up: once, and the connection must not be tried again. */
static void hang_up_case(struct fixture *fx, const char *name, enum http_outcome outcome)
{
    struct http_request request = spend(fx);
    struct ending ending;

    fx->server.accepted = 0;
    fx->server.requests = 0;
    fx_run(fx, &ending, &request, NULL);
    /* A reset may come before the first byte could leave; then that is what must be said. */
    if (ending.outcome == HTTP_NOT_SENT && fx->server.on_accept)
        assert_int_equal(fx->server.carried, 0);
    else if (ending.outcome != outcome)
        fail_msg("%s: outcome %d (%s)", name, (int)ending.outcome, ending.error);
    assert_int_equal(ending.sent, ending.outcome != HTTP_NOT_SENT);
    poll_host_settle(fx->host, 50);
    if (fx->server.accepted != 1)
        fail_msg("%s: %u connections", name, fx->server.accepted);
    assert_true(fx->server.requests <= 1);
    ending_done(&ending);
}

static const char *last_words;

static void say_and_close(struct server_conn *conn)
{
    conn_send(conn, last_words);
    conn_end(conn);
}

static void it_hangs_up(void **state)
{
    static const struct {
        const char *name, *words;
        enum http_outcome outcome;
    } said[] = {
        {"half a head", "HTTP/1.1 200 OK\r\nContent-Le", HTTP_LOST},
        {"100 and no more", "HTTP/1.1 100 Continue\r\n\r\n", HTTP_LOST},
        {"no HTTP", "220 mail.example.com ESMTP\r\n", HTTP_LOST},
        {"only a head", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", HTTP_TRUNCATED},
        {"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", HTTP_TRUNCATED},
        {"half a chunked body",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", HTTP_TRUNCATED},
    };
    struct fixture *fx = *state;

    fx->server.on_accept = conn_reset;
    hang_up_case(fx, "reset at accept", HTTP_LOST);
    fx->server.on_accept = conn_close;
    hang_up_case(fx, "closed at accept", HTTP_LOST);
    fx->server.on_accept = NULL;
    fx->server.on_head = conn_close;
    hang_up_case(fx, "closed after the head", HTTP_LOST);
    fx->server.on_head = conn_reset;
    hang_up_case(fx, "reset after the head", HTTP_LOST);
    fx->server.on_head = NULL;
    fx->server.on_request = conn_close;
    hang_up_case(fx, "closed after the request", HTTP_LOST);
    fx->server.on_request = conn_reset;
    hang_up_case(fx, "reset after the request", HTTP_LOST);
    fx->server.on_request = say_and_close;
    for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
        last_words = said[i].words;
        hang_up_case(fx, said[i].name, said[i].outcome);
    }
}

/* Answers the first request of a connection and hangs up in the second: a stale pooled connection.
 */
static void once_a_connection(struct server_conn *conn)
{
    if (conn->number == 1 && conn->server->requests > 1)
        conn_close(conn);
    else
        conn_reply(conn, 200, "", "ok");
}

static void a_reused_connection_that_dies(void **state)
{
    struct fixture *fx = *state;
    struct http_request read = fx_get(fx, "/");
    struct http_request request = spend(fx);
    struct ending ending;

    /* What libcurl does by itself with a request that may be repeated: the test can see it. */
    fx->server.on_request = once_a_connection;
    fx_run(fx, &ending, &read, NULL);
    assert_int_equal(fx->server.accepted, 1);
    ending_done(&ending);
    fx_run(fx, &ending, &read, NULL);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(fx->server.accepted, 2);
    assert_int_equal(fx->server.requests, 3);
    ending_done(&ending);

    /* A spending one does not use the pooled connection, and is not repeated when its own dies. */
    fx->server.on_request = conn_close;
    fx->server.requests = 0;
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.outcome, HTTP_LOST);
    assert_int_equal(fx->server.accepted, 3);
    assert_int_equal(fx->server.requests, 1);
    ending_done(&ending);
}

static char seen_expect[64];

static void reply_417(struct server_conn *conn)
{
    const char *expect = conn_header(conn, "expect");

    snprintf(seen_expect, sizeof(seen_expect), "%s", expect ? expect : "");
    conn_reply(conn, 417, "", "no");
}

static void reply_401(struct server_conn *conn)
{
    conn_reply(conn, 401, "WWW-Authenticate: NTLM\r\nWWW-Authenticate: Negotiate\r\n", "who?");
}

static void statuses_that_invite_a_repeat(void **state)
{
    static char large[2 * 1024 * 1024];
    struct fixture *fx = *state;
    struct http_request request = spend(fx);
    struct ending ending;

    memset(large, 'x', sizeof(large));
    request.body = large;
    request.body_len = sizeof(large);
    fx->server.on_request = reply_417;
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.status, 417);
    assert_int_equal(fx->server.requests, 1);
    assert_string_equal(seen_expect, "");
    ending_done(&ending);
    fx->server.on_request = reply_401;
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.status, 401);
    assert_int_equal(fx->server.requests, 2);
    ending_done(&ending);
}

/* A spending request by TLS, to the server, which speaks none. */
static void start_tls(struct fixture *fx, struct ending *ending)
{
    struct http_request request = spend(fx);
    char url[64];
    const char *origins[] = {url};
    struct net_peer peer = {.origins = origins, .origins_count = 1};

    snprintf(url, sizeof(url), "https://127.0.0.1:%u", fx->server.port);
    request.url = url;
    fx_start(fx, ending, &request, &peer, NULL);
}

static void tls_that_fails_is_not_sent(void **state)
{
    struct fixture *fx = *state;
    struct ending ending;

    last_words = "220 mail.example.com ESMTP\r\n";
    fx->server.on_accept = say_and_close;
    start_tls(fx, &ending);
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_NOT_SENT);
    assert_false(ending.sent);
    ending_done(&ending);
}

static int has_request(void *ud)
{
    struct server *server = ud;

    return server->requests > 0;
}

static void times_out_case(struct fixture *fx, int64_t timeout_ms, int64_t skip_ms, int ends)
{
    struct http_request request = spend(fx);
    struct ending ending;

    request.timeout_ms = timeout_ms;
    fx->server.requests = 0;
    fx_start(fx, &ending, &request, NULL, NULL);
    assert_int_equal(poll_host_run(fx->host, BOUND_MS, has_request, &fx->server), 0);
    for (int64_t at_ms = 0; at_ms < skip_ms; at_ms += 10000) {
        poll_host_skip(fx->host, 10000);
        poll_host_settle(fx->host, 5);
    }
    assert_int_equal(ending.done, ends);
    if (ends) {
        assert_int_equal(ending.outcome, HTTP_LOST);
        assert_true(ending.sent);
    } else {
        assert_true(net_cancel(ending.call));
    }
    assert_int_equal(fx->server.requests, 1);
    ending_done(&ending);
}

/* A server that thinks for minutes is not a stall when the request said how long it may take. */
static void silence_before_the_answer(void **state)
{
    struct fixture *fx = *state;

    times_out_case(fx, 0, LIMIT_STALL_MS + 20000, 1);
    times_out_case(fx, 300000, LIMIT_STALL_MS + 20000, 0);
    times_out_case(fx, 300000, 300000, 1);
}

static void a_connection_that_never_comes(void **state)
{
    struct fixture *fx = *state;
    struct ending ending;

    /* The server says nothing: connected, but never ready to send. */
    start_tls(fx, &ending);
    poll_host_settle(fx->host, 100);
    assert_false(ending.done);
    poll_host_skip(fx->host, LIMIT_CONNECT_MS + 1);
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_NOT_SENT);
    assert_false(ending.sent);
    ending_done(&ending);
}

/* ---- cancelling ---- */

static void send_slowly(struct server_conn *conn)
{
    conn_send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome");
}

static void cancel_before_anything(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = spend(fx);
    struct ending ending;
    struct ending queued[LIMIT_TRANSFERS_PER_ORIGIN + 2];

    /* In the turn of net_send: the connection is on its way, nothing is sent. */
    fx_start(fx, &ending, &request, NULL, NULL);
    assert_false(net_cancel(ending.call));
    poll_host_settle(fx->host, 20);
    assert_int_equal(ending.done, 0);
    assert_int_equal(fx->server.requests, 0);
    /* Waiting for a turn. */
    for (size_t i = 0; i < LIMIT_TRANSFERS_PER_ORIGIN + 2; i++)
        fx_start(fx, &queued[i], &request, NULL, NULL);
    assert_false(net_cancel(queued[LIMIT_TRANSFERS_PER_ORIGIN + 1].call));
    assert_false(net_cancel(queued[0].call)); /* lets the next one begin */
    poll_host_settle(fx->host, 50);
    assert_int_equal(fx->server.requests, LIMIT_TRANSFERS_PER_ORIGIN);
    for (size_t i = 1; i < LIMIT_TRANSFERS_PER_ORIGIN + 1; i++) {
        assert_int_equal(queued[i].done, 0);
        assert_true(net_cancel(queued[i].call));
    }
    assert_int_equal(net_count(fx->net), 0);
    net_cancel(NULL);
}

static void cancel_in_the_middle(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = spend(fx);
    struct sink_record record = {.cancel_at = 2};
    struct net_sink sink = sink_to(&record);
    struct ending ending;

    fx->server.on_request = send_slowly;
    fx_start(fx, &ending, &request, NULL, NULL);
    poll_host_settle(fx->host, 50);
    assert_true(net_cancel(ending.call));
    poll_host_settle(fx->host, 20);
    assert_int_equal(ending.done, 0);

    /* From inside the sink, that is from inside libcurl. */
    fx_start(fx, &ending, &request, NULL, &sink);
    record.ending = &ending;
    poll_host_settle(fx->host, 50);
    assert_int_equal(record.begun, 1);
    assert_int_equal(record.bytes, 4);
    assert_int_equal(ending.done, 0);
    assert_int_equal(net_count(fx->net), 0);
    ending_done(&ending);
}

static void cancel_after_the_end(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = {
        .effect = HTTP_SPENDS, .method = "POST", .url = "ftp://x.example/"};
    struct ending ending;

    /* Refused, and its done is due: it must not come any more. */
    fx_start(fx, &ending, &request, NULL, NULL);
    assert_false(net_cancel(ending.call));
    poll_host_settle(fx->host, 20);
    assert_int_equal(ending.done, 0);
    assert_int_equal(net_count(fx->net), 0);
}

static void cancel_during_the_lookup(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = spend(fx);
    struct ending ending[2];

    request.url = "http://slow.example.invalid/";
    fx_start(fx, &ending[0], &request, NULL, NULL);
    fx_start(fx, &ending[1], &request, NULL, NULL);
    assert_false(net_cancel(ending[0].call));
    /* The other one still gets the result of the lookup that both shared. */
    poll_host_settle(fx->host, 100);
    if (!ending[1].done)
        poll_host_skip(fx->host, LIMIT_CONNECT_MS + 1);
    fx_wait(&ending[1]);
    assert_int_equal(ending[1].outcome, HTTP_NOT_SENT);
    assert_int_equal(ending[0].done, 0);
    ending_done(&ending[1]);
}

static void close_ends_all(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = spend(fx);
    struct http_request other = spend(fx);
    struct http_request refused = {
        .effect = HTTP_READS, .method = "GET", .url = "ftp://x.example/"};
    struct ending endings[LIMIT_TRANSFERS_PER_ORIGIN + 3];
    size_t count = sizeof(endings) / sizeof(endings[0]);
    struct err err;

    fx->server.on_request = send_slowly;
    other.url = "http://slow.example.invalid/";
    fx_start(fx, &endings[0], &other, NULL, NULL);
    for (size_t i = 1; i < count - 1; i++)
        fx_start(fx, &endings[i], &request, NULL, NULL);
    poll_host_run(fx->host, BOUND_MS, has_request, &fx->server);
    fx_start(fx, &endings[count - 1], &refused, NULL, NULL);
    poll_host_only_free(fx->host, 1);
    net_close(fx->net);
    poll_host_only_free(fx->host, 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(endings[i].done, 1);
        if (i == count - 1)
            assert_int_equal(endings[i].outcome, HTTP_REFUSED); /* it had ended before */
        else if (i > 0)
            assert_int_equal(endings[i].outcome, HTTP_CANCELLED);
        ending_done(&endings[i]);
    }
    assert_true(endings[1].sent);
    assert_false(endings[count - 2].sent); /* it was waiting */
    assert_int_equal(net_open(&fx->env, NULL, &fx->net, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, fx_setup, fx_teardown)
        T(nobody_listens),
        T(it_is_never_accepted),
        T(it_hangs_up),
        T(a_reused_connection_that_dies),
        T(statuses_that_invite_a_repeat),
        T(tls_that_fails_is_not_sent),
        T(silence_before_the_answer),
        T(a_connection_that_never_comes),
        T(cancel_before_anything),
        T(cancel_in_the_middle),
        T(cancel_after_the_end),
        T(cancel_during_the_lookup),
        T(close_ends_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
