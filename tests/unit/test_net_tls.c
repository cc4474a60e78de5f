/* TLS is always verified: against the system's authorities, or those of the configured file. */
#include "net_fixture.h"
#include "net_tls_cert.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum MHD_Result answer(void *ud, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_len, void **state)
{
    struct MHD_Response *response;
    enum MHD_Result rc;

    (void)ud;
    (void)method;
    (void)version;
    (void)data;
    if (!*state) {
        *state = connection;
        return MHD_YES;
    }
    if (*data_len) {
        *data_len = 0;
        return MHD_YES;
    }
    response =
        MHD_create_response_from_buffer(6, (void *)(uintptr_t) "secure", MHD_RESPMEM_PERSISTENT);
    if (strcmp(url, "/down") == 0)
        MHD_add_response_header(response, "Location", "http://localhost:1/");
    rc = MHD_queue_response(connection, strcmp(url, "/down") == 0 ? 302 : 200, response);
    MHD_destroy_response(response);
    return rc;
}

static char ca_path[64];
static struct MHD_Daemon *daemon_tls;
static unsigned port;

static int setup(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    FILE *file;
    int fd;

    (void)state;
    daemon_tls = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL,
                                  answer, NULL, MHD_OPTION_SOCK_ADDR, &in, MHD_OPTION_HTTPS_MEM_KEY,
                                  tls_key, MHD_OPTION_HTTPS_MEM_CERT, tls_cert, MHD_OPTION_END);
    if (!daemon_tls)
        return -1;
    port = MHD_get_daemon_info(daemon_tls, MHD_DAEMON_INFO_BIND_PORT)->port;
    snprintf(ca_path, sizeof(ca_path), "/tmp/test_net_tls.XXXXXX");
    fd = mkstemp(ca_path);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return -1;
    fputs(tls_cert, file);
    return fclose(file);
}

static int teardown(void **state)
{
    (void)state;
    MHD_stop_daemon(daemon_tls);
    unlink(ca_path);
    return 0;
}

static void get(struct fixture *fx, const char *host, const char *ca_file, struct ending *ending)
{
    struct net_options options = {.ca_file = ca_file};
    char url[96];
    const char *origins[] = {url};
    struct net_peer peer = {.origins = origins, .origins_count = 1};
    struct http_request request = {
        .effect = HTTP_SPENDS, .method = "POST", .body = "{}", .body_len = 2};
    struct net *net;
    struct err err;

    snprintf(url, sizeof(url), "https://%s:%u", host, port);
    request.url = url;
    memset(ending, 0, sizeof(*ending));
    ending->fx = fx;
    assert_int_equal(net_open(&fx->env, &options, &net, &err), 0);
    assert_int_equal(net_send(net, &request, &peer, NULL, fx_net_done, ending, &ending->call, &err),
                     0);
    fx_wait(ending);
    net_close(net);
}

static void certificates_are_checked(void **state)
{
    struct fixture *fx = *state;
    struct ending ending;

    get(fx, "localhost", ca_path, &ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_string_equal(ending.text, "secure");
    ending_done(&ending);
    /* Nobody we know vouches for it. */
    get(fx, "localhost", NULL, &ending);
    assert_int_equal(ending.outcome, HTTP_NOT_SENT);
    assert_false(ending.sent);
    assert_non_null(strstr(ending.error, "certificate"));
    ending_done(&ending);
    /* It is somebody else's. */
    get(fx, "127.0.0.1", ca_path, &ending);
    assert_int_equal(ending.outcome, HTTP_NOT_SENT);
    assert_false(ending.sent);
    ending_done(&ending);
}

/* What a secret was sent for over TLS is not continued in the open. */
static void no_way_down(void **state)
{
    struct fixture *fx = *state;
    struct net_options options = {.ca_file = ca_path};
    char origin[64];
    char url[96];
    const char *origins[] = {origin, "http://localhost:1"};
    const struct net_secret secrets[] = {{"key", "s3cr3t-value"}};
    struct net_peer peer = {
        .origins = origins, .origins_count = 2, .secrets = secrets, .secrets_count = 1};
    struct http_request request = {.effect = HTTP_READS, .method = "GET", .url = url};
    struct net *net;
    struct err err;

    snprintf(origin, sizeof(origin), "https://localhost:%u", port);
    snprintf(url, sizeof(url), "%s/down", origin);
    assert_int_equal(net_open(&fx->env, &options, &net, &err), 0);
    for (int i = 0; i < 2; i++) {
        struct ending ending = {.fx = fx};

        request.headers[0] = (struct http_header){"X-Key", i ? "{{key}}" : "nothing secret"};
        request.headers_count = 1;
        assert_int_equal(
            net_send(net, &request, &peer, NULL, fx_net_done, &ending, &ending.call, &err), 0);
        fx_wait(&ending);
        /* Without a secret it is tried: nobody listens there. */
        assert_int_equal(ending.outcome, i ? HTTP_REFUSED : HTTP_LOST);
        ending_done(&ending);
    }
    net_close(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(certificates_are_checked, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(no_way_down, fx_setup, fx_teardown),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
