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
    (void)url;
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
    response = MHD_create_response_from_buffer(6, (void *)(uintptr_t) "secure", MHD_RESPMEM_PERSISTENT);
    rc = MHD_queue_response(connection, 200, response);
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
    daemon_tls = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, 0, NULL, NULL, answer,
                                  NULL, MHD_OPTION_SOCK_ADDR, &in, MHD_OPTION_HTTPS_MEM_KEY, tls_key,
                                  MHD_OPTION_HTTPS_MEM_CERT, tls_cert, MHD_OPTION_END);
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
    struct http_request request = {.effect = HTTP_SPENDS, .method = "POST", .body = "{}", .body_len = 2};
    struct net *net;
    struct err err;

    snprintf(url, sizeof(url), "https://%s:%u", host, port);
    request.url = url;
    memset(ending, 0, sizeof(*ending));
    ending->fx = fx;
    assert_int_equal(net_open(&fx->env, &options, &net, &err), 0);
    assert_int_equal(net_send(net, &request, &peer, NULL, fx_net_done, ending, &ending->call, &err), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(certificates_are_checked, fx_setup, fx_teardown),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
