/* Answers: limits, sinks, waiting times, broken and huge headers, downloads of any size. */
#include "net_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *headers;
static const char *body;
static int status;

static void reply_as_told(struct server_conn *conn)
{
    conn_reply(conn, status, headers, body);
}

static void ask(struct fixture *fx, struct ending *ending)
{
    struct http_request request = fx_get(fx, "/");

    fx->server.on_request = reply_as_told;
    fx_run(fx, ending, &request, NULL);
}

static void waiting_times(void **state)
{
    static const struct {
        const char *headers;
        int64_t wait_ms;
    } cases[] = {
        {"", -1},
        {"Retry-After: 7\r\n", 7000},
        {"Retry-After: 0\r\n", 0},
        {"retry-after: 1.5\r\n", 1500},
        {"Retry-After: -3\r\n", -1},
        {"Retry-After: soon\r\n", -1},
        {"Retry-After: 99999999999999999999\r\n", 30 * 24 * 3600 * INT64_C(1000)},
        {"Retry-After: Sat, 21 Nov 2026 10:00:30 GMT\r\n", 30000},
        {"Retry-After: Saturday, 21-Nov-26 10:00:30 GMT\r\n", 30000},
        {"Retry-After: Sat, 21 Nov 2026 09:00:00 GMT\r\n", 0},
        {"Retry-After: 9\r\nRetry-After-Ms: 250\r\n", 250},
        {"retry-after-ms: 250\r\nretry-after: 9\r\n", 250},
        {"retry-after-ms: x\r\nretry-after: 9\r\n", 9000},
    };
    struct fixture *fx = *state;
    struct ending ending;

    poll_host_set_wall(fx->host, INT64_C(1795255200) * 1000); /* 2026-11-21 10:00:00 UTC */
    status = 429;
    body = "slow down";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        headers = cases[i].headers;
        ask(fx, &ending);
        assert_int_equal(ending.outcome, HTTP_ANSWERED);
        assert_int_equal(ending.status, 429);
        assert_string_equal(ending.text, "slow down");
        if (ending.retry_after_ms != cases[i].wait_ms)
            fail_msg("%s: %lld", cases[i].headers, (long long)ending.retry_after_ms);
        ending_done(&ending);
    }
}

static void empty_bodies(void **state)
{
    struct fixture *fx = *state;
    struct ending ending;

    headers = "";
    body = "";
    status = 204;
    ask(fx, &ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(ending.status, 204);
    assert_string_equal(ending.text, "");
    ending_done(&ending);
}

static void reply_early(struct server_conn *conn)
{
    conn_send(conn, "HTTP/1.1 100 Continue\r\nX-Request-Id: wrong\r\n\r\n"
                    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Request-Id\r\n\r\n"
                    "5\r\nhello\r\n0\r\nX-Request-Id: late\r\n\r\n");
}

static void answers_before_the_answer(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;

    fx->server.on_request = reply_early;
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(ending.status, 200);
    assert_string_equal(ending.text, "hello");
    assert_string_equal(ending.request_id, "");
    assert_int_equal(ending.length, -1);
    ending_done(&ending);
}

static void endless_lines(struct server_conn *conn)
{
    static char lines[LIMIT_HEADER_BYTES + 4096];

    for (size_t i = 0; i + 32 < sizeof(lines); i += 32)
        memcpy(lines + i, "X-Filler: aaaaaaaaaaaaaaaaaaaa\r\n", 32);
    conn_send(conn, "HTTP/1.1 200 OK\r\n");
    conn_send(conn, lines);
}

static void one_long_line(struct server_conn *conn)
{
    static char line[200 * 1024];

    memset(line, 'a', sizeof(line) - 1);
    conn_send(conn, "HTTP/1.1 200 OK\r\nX: ");
    conn_send(conn, line);
}

static void endless_continues(struct server_conn *conn)
{
    for (int i = 0; i < 4000; i++)
        conn_send(conn, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void large_trailer(struct server_conn *conn)
{
    conn_send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n");
    for (int i = 0; i < 4000; i++)
        conn_send(conn, "X-Filler: aaaaaaaaaaaaaaaaaaaa\r\n");
    conn_send(conn, "\r\n");
}

static void headers_have_a_limit(void **state)
{
    static void (*const ways[])(struct server_conn *) = {endless_lines, one_long_line,
                                                         endless_continues, large_trailer};
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        fx->server.on_request = ways[i];
        fx_run(fx, &ending, &request, NULL);
        if (ending.outcome != HTTP_TOO_LARGE)
            fail_msg("way %zu: %d %s", i, (int)ending.outcome, ending.error);
        assert_true(ending.sent);
        ending_done(&ending);
    }
}

static uint64_t stream_bytes;
static int says_length;
static int stream_status;

static void reply_stream(struct server_conn *conn)
{
    char head[128];

    if (says_length)
        snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %llu\r\n\r\n", stream_status,
                 (unsigned long long)stream_bytes);
    else
        snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nConnection: close\r\n\r\n", stream_status);
    conn_send(conn, head);
    conn_stream(conn, stream_bytes);
    if (!says_length)
        conn_end(conn);
}

static void texts_have_a_limit(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;

    fx->server.on_request = reply_stream;
    stream_status = 200;
    for (says_length = 0; says_length < 2; says_length++) {
        stream_bytes = LIMIT_TEXT_BYTES;
        fx_run(fx, &ending, &request, NULL);
        assert_int_equal(ending.outcome, HTTP_ANSWERED);
        assert_int_equal(ending.text_len, LIMIT_TEXT_BYTES);
        ending_done(&ending);
        stream_bytes = LIMIT_TEXT_BYTES + 1;
        fx_run(fx, &ending, &request, NULL);
        assert_int_equal(ending.outcome, HTTP_TOO_LARGE);
        ending_done(&ending);
    }
    /* Of an error only the beginning is kept; the status is what matters. */
    stream_status = 500;
    stream_bytes = 10 * 1024 * 1024;
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(ending.status, 500);
    assert_int_equal(ending.text_len, 64 * 1024);
    ending_done(&ending);
}

static void files_pass_through(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct sink_record record = {0};
    struct net_sink sink = sink_to(&record);
    struct ending ending;
    long before_kb;

    request.answer = HTTP_ANSWER_FILE;
    fx->server.on_request = reply_stream;
    stream_status = 200;
    says_length = 1;
    stream_bytes = 1024 * 1024; /* warms up */
    fx_fetch(fx, &ending, &request, &sink);
    ending_done(&ending);
    before_kb = fx_peak_kb();
    record = (struct sink_record){0};
    stream_bytes = 256u * 1024 * 1024;
    fx_fetch(fx, &ending, &request, &sink);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(record.begun, 1);
    assert_int_equal(record.status, 200);
    assert_int_equal(record.length, stream_bytes);
    assert_int_equal(record.bytes, stream_bytes);
    assert_int_equal(ending.bytes_received, stream_bytes);
    assert_false(record.wrong);
    assert_string_equal(ending.text, "");
    assert_true(fx_peak_kb() - before_kb < 4096);
    ending_done(&ending);
}

static void files_have_a_limit(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct sink_record record = {0};
    struct net_sink sink = sink_to(&record);
    struct ending ending;

    request.answer = HTTP_ANSWER_FILE;
    request.file_bytes_max = 100000;
    fx->server.on_request = reply_stream;
    stream_status = 200;
    stream_bytes = 100001;
    says_length = 1;
    fx_fetch(fx, &ending, &request, &sink);
    assert_int_equal(ending.outcome, HTTP_TOO_LARGE);
    assert_int_equal(record.begun, 0);
    ending_done(&ending);
    says_length = 0;
    fx_fetch(fx, &ending, &request, &sink);
    assert_int_equal(ending.outcome, HTTP_TOO_LARGE);
    assert_true(record.bytes <= 100000);
    ending_done(&ending);
}

static void a_sink_may_give_up(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct sink_record record = {.begin_fails = 1};
    struct net_sink sink = sink_to(&record);
    struct ending ending;

    request.answer = HTTP_ANSWER_FILE;
    fx->server.on_request = reply_stream;
    stream_status = 200;
    stream_bytes = 1000000;
    says_length = 1;
    fx_fetch(fx, &ending, &request, &sink);
    assert_int_equal(ending.outcome, HTTP_SINK);
    assert_int_equal(record.bytes, 0);
    ending_done(&ending);
    record = (struct sink_record){.fail_at = 500000};
    fx_fetch(fx, &ending, &request, &sink);
    assert_int_equal(ending.outcome, HTTP_SINK);
    ending_done(&ending);
    /* An error answer is for people and goes to memory, not into the file. */
    record = (struct sink_record){0};
    stream_status = 403;
    stream_bytes = 10;
    fx_fetch(fx, &ending, &request, &sink);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(record.begun, 0);
    assert_int_equal(ending.text_len, 10);
    ending_done(&ending);
}

static struct server_conn *dripping;

static void stop_in_the_middle(struct server_conn *conn)
{
    dripping = conn;
    conn_send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome");
}

static int has_begun(void *ud)
{
    const struct sink_record *record = ud;

    return record->bytes > 0;
}

/* A byte now and then is no file on its way: it would hold its place for days. */
static void a_drip_ends_it(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct sink_record record = {0};
    struct net_sink sink = sink_to(&record);
    struct ending ending;

    request.answer = HTTP_ANSWER_FILE;
    fx->server.on_request = stop_in_the_middle;
    fx_start(fx, &ending, &request, NULL, &sink);
    assert_int_equal(poll_host_run(fx->host, BOUND_MS, has_begun, &record), 0);
    for (int i = 0; i < 2 * LIMIT_STALL_MS / 10000 && !ending.done; i++) {
        conn_send(dripping, "x");
        poll_host_skip(fx->host, 10000);
        poll_host_settle(fx->host, 5);
    }
    assert_true(ending.done);
    assert_int_equal(ending.outcome, HTTP_TRUNCATED);
    assert_non_null(strstr(ending.error, "stood still"));
    ending_done(&ending);
}

static void a_stall_ends_it(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct sink_record record = {0};
    struct net_sink sink = sink_to(&record);
    struct ending ending;
    uint64_t bytes;
    uint64_t total;

    request.timeout_ms = 3600 * 1000; /* does not help once the answer has begun */
    request.answer = HTTP_ANSWER_FILE;
    fx->server.on_request = stop_in_the_middle;
    fx_start(fx, &ending, &request, NULL, &sink);
    assert_int_equal(poll_host_run(fx->host, BOUND_MS, has_begun, &record), 0);
    net_progress(ending.call, &bytes, &total);
    assert_int_equal(bytes, 4);
    assert_int_equal(total, 1000);
    for (int i = 0; i < LIMIT_STALL_MS / 10000 + 2; i++) {
        assert_true(i > LIMIT_STALL_MS / 10000 - 2 || !ending.done);
        poll_host_skip(fx->host, 10000);
        poll_host_settle(fx->host, 5);
    }
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_TRUNCATED);
    ending_done(&ending);
}

static void a_head_has_no_body(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;

    request.method = "HEAD";
    request.answer = HTTP_ANSWER_FILE;
    request.file_bytes_max = 10;
    headers = "";
    body = "";
    status = 200;
    fx->server.on_request = stop_in_the_middle;
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(ending.length, 1000);
    assert_int_equal(ending.text_len, 0);
    ending_done(&ending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, fx_setup, fx_teardown)
        T(waiting_times),        T(empty_bodies),       T(answers_before_the_answer),
        T(headers_have_a_limit), T(texts_have_a_limit), T(files_pass_through),
        T(files_have_a_limit),   T(a_sink_may_give_up), T(a_stall_ends_it),
        T(a_drip_ends_it),
        T(a_head_has_no_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
