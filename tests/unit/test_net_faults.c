/*
 * Every allocation of a whole exchange fails once, then all after it; then every call of the host
 * that can fail does. Each time the exchange ends exactly once or is refused, nothing leaks, and
 * the same net carries out the next exchange. libcurl's allocations are walked as well: the test
 * gives it the same failing allocator before anything else starts it.
 */
#include "base/mem.h"
#include "net_fixture.h"

#include <ares.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails_theirs; /* the allocations of the libraries count too */

static void *lib_alloc(size_t size)
{
    return fails_theirs ? mem_alloc(size) : malloc(size);
}

static void *lib_grow(void *old, size_t size)
{
    return fails_theirs ? mem_grow(old, size) : realloc(old, size);
}

static char *lib_copy(const char *text)
{
    return fails_theirs ? mem_text(text) : strdup(text);
}

static void *lib_zeroed(size_t count, size_t size)
{
    return fails_theirs ? mem_alloc(count * size) : calloc(count, size);
}

static char file_path[64];

static void reply_or_redirect(struct server_conn *conn)
{
    if (strcmp(conn_path(conn), "/first") == 0)
        conn_reply(conn, 302, "Location: /second\r\n", "");
    else
        conn_reply(conn, 200, "Content-Type: text/plain\r\n", "hello");
}

/* One exchange with all that it can have. 1 when it was answered. */
static int exchange(struct fixture *fx, int number)
{
    char by_name[64];
    const char *origins[] = {fx->base, by_name};
    const char *hosts[] = {"localhost"};
    const struct net_secret secrets[] = {{"key", "s3cr3t-value"}};
    struct net_peer peer = {origins, 2, hosts, 1, secrets, 1};
    struct http_request request = fx_get(fx, "/first");
    struct ending ending = {.fx = fx};
    struct err err;
    char url[96];
    int rc;

    snprintf(by_name, sizeof(by_name), "http://localhost:%u", fx->server.port);
    request.headers[0] = (struct http_header){"Authorization", "Bearer {{key}}"};
    request.headers_count = 1;
    if (number == 1) {
        snprintf(url, sizeof(url), "%s/second", by_name);
        request.url = url;
        request.method = "POST";
        request.effect = HTTP_SPENDS;
        request.parts[0] = (struct http_part){.name = "a", .text = "b"};
        request.parts[1] = (struct http_part){.name = "f", .path = file_path, .filename = "f.txt"};
        request.parts_count = 2;
    } else if (number == 2) {
        request.method = "PUT";
        request.body_path = file_path;
        request.effect = HTTP_WRITES;
    } else if (number == 3) {
        request.url = "ftp://example.com/";
    }
    rc = net_send(fx->net, &request, &peer, NULL, fx_net_done, &ending, &ending.call, &err);
    if (rc) {
        assert_int_equal(err.kind, ERR_NOMEM);
        assert_int_equal(net_count(fx->net), 0);
        return 0;
    }
    fx_wait(&ending);
    assert_int_equal(net_count(fx->net), 0);
    if (ending.outcome == HTTP_NOT_SENT)
        assert_false(ending.sent);
    ending_done(&ending);
    return ending.outcome == HTTP_ANSWERED || ending.outcome == HTTP_REFUSED;
}

static void walk_memory(int number, int for_good, int with_theirs)
{
    struct fixture fx;
    struct net *fresh;
    struct err err;
    long n = 1;
    int clean = 0;

    fx_open(&fx);
    fx.server.on_request = reply_or_redirect;
    /* Warm, so that what the libraries make once is not in the walk. */
    assert_true(exchange(&fx, number));
    for (; !clean && n < 5000; n++) {
        long before;

        /* A net of its own: its making is walked, too. */
        net_close(fx.net);
        fx.net = NULL;
        fails_theirs = with_theirs;
        before = mem_count();
        mem_fail_after(n, for_good);
        if (net_open(&fx.env, NULL, &fresh, &err) == 0) {
            fx.net = fresh;
            exchange(&fx, number);
            clean = mem_count() - before < n;
        } else {
            assert_int_equal(err.kind, ERR_NOMEM);
        }
        mem_fail_after(0, 0);
        fails_theirs = 0;
        if (!fx.net)
            assert_int_equal(net_open(&fx.env, NULL, &fx.net, &err), 0);
        if (!exchange(&fx, number))
            fail_msg("exchange %d does not work after failure %ld", number, n);
    }
    assert_true(clean);
    print_message("exchange %d: %ld allocations\n", number, n - 2);
    assert_true(n > 10);
    fx_close(&fx);
}

static void our_memory(void **state)
{
    (void)state;
    for (int number = 0; number < 4; number++) {
        walk_memory(number, 0, 0);
        walk_memory(number, 1, 0);
    }
}

static void the_libraries_memory_too(void **state)
{
    (void)state;
    for (int number = 0; number < 4; number++) {
        walk_memory(number, 0, 1);
        walk_memory(number, 1, 1);
    }
}

static void the_hosts_calls(void **state)
{
    (void)state;
    for (int number = 0; number < 4; number++) {
        int clean = 0;

        for (long n = 1; !clean && n < 200; n++) {
            struct fixture fx;
            struct err err;
            struct net *fresh;
            long before;

            fx_open(&fx);
            fx.server.on_request = reply_or_redirect;
            net_close(fx.net);
            fx.net = NULL;
            before = poll_host_calls(fx.host);
            poll_host_fail_after(fx.host, n);
            if (net_open(&fx.env, NULL, &fresh, &err) == 0) {
                fx.net = fresh;
                exchange(&fx, number);
                clean = poll_host_calls(fx.host) - before < n;
            }
            poll_host_fail_after(fx.host, 0);
            if (!fx.net)
                assert_int_equal(net_open(&fx.env, NULL, &fx.net, &err), 0);
            assert_true(exchange(&fx, number));
            fx_close(&fx);
        }
        assert_true(clean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_memory),
        cmocka_unit_test(the_libraries_memory_too),
        cmocka_unit_test(the_hosts_calls),
    };
    FILE *file;
    int rc;
    int fd;

    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, lib_alloc, free, lib_grow, lib_copy, lib_zeroed))
        return 1;
    if (ares_library_init_mem(ARES_LIB_INIT_ALL, lib_alloc, free, lib_grow))
        return 1;
    snprintf(file_path, sizeof(file_path), "/tmp/test_net_faults.XXXXXX");
    fd = mkstemp(file_path);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return 1;
    fputs("some text", file);
    fclose(file);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file_path);
    return rc;
}
