/* Request bodies: exact bytes, streamed files, memory that does not grow with them. */
#include "net_fixture.h"

#include <nettle/base64.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *seen; /* the whole body, of small requests */
static size_t seen_len;
static uint64_t seen_bytes;
static uint64_t seen_sum;
static char seen_line[64];
static char seen_type[256];
static char seen_length[64];

static void note_body(struct server_conn *conn)
{
    const char *value;

    seen_bytes = conn->body_seen;
    seen_sum = conn->body_sum;
    seen_len = conn->in_len - conn->head_len;
    free(seen);
    seen = calloc(1, seen_len + 1);
    if (!seen)
        abort();
    memcpy(seen, conn->in + conn->head_len, seen_len);
    snprintf(seen_line, sizeof(seen_line), "%.*s", (int)strcspn(conn->in, " "), conn->in);
    value = conn_header(conn, "content-type");
    snprintf(seen_type, sizeof(seen_type), "%s", value ? value : "(none)");
    value = conn_header(conn, "content-length");
    snprintf(seen_length, sizeof(seen_length), "%s", value ? value : "(none)");
    conn_reply(conn, 200, "", "ok");
}

static void make_file(char *path, size_t size, uint64_t bytes, const char *text)
{
    FILE *file;
    int fd;

    snprintf(path, size, "/tmp/test_net_body.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    if (text)
        fputs(text, file);
    for (uint64_t i = 0; i < bytes; i++)
        putc(server_pattern(i), file);
    assert_int_equal(fclose(file), 0);
}

static void texts(void **state)
{
    static const struct {
        const char *method;
        const char *body;
        const char *length;
    } cases[] = {
        {"POST", "{\"a\":1}", "7"}, {"PUT", "x", "1"},    {"PATCH", "yy", "2"},
        {"POST", NULL, "0"},        {"PUT", "", "0"},     {"DELETE", NULL, "(none)"},
        {"GET", NULL, "(none)"},    {"DELETE", "z", "1"},
    };
    struct fixture *fx = *state;
    struct ending ending;

    fx->server.on_request = note_body;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_request request = fx_get(fx, "/");

        request.effect = HTTP_WRITES;
        request.method = cases[i].method;
        request.body = cases[i].body;
        request.body_len = cases[i].body ? strlen(cases[i].body) : 0;
        fx_run(fx, &ending, &request, NULL);
        assert_int_equal(ending.outcome, HTTP_ANSWERED);
        assert_string_equal(seen_line, cases[i].method);
        assert_string_equal(seen, cases[i].body ? cases[i].body : "");
        assert_string_equal(seen_type, "(none)");
        assert_string_equal(seen_length, cases[i].length);
        ending_done(&ending);
    }
}

/* The request may be changed or freed as soon as net_send has returned. */
static void a_request_is_copied(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    char body[] = "a\0b";
    char type[] = "text/x";
    struct ending ending;

    fx->server.on_request = note_body;
    request.method = "POST";
    request.body = body;
    request.body_len = 3;
    request.headers[0] = (struct http_header){"Content-Type", type};
    request.headers_count = 1;
    fx_start(fx, &ending, &request, NULL, NULL);
    memset(body, '!', sizeof(body));
    memset(type, '!', sizeof(type));
    memset(&request, 0xee, sizeof(request));
    fx_wait(&ending);
    assert_int_equal(seen_len, 3);
    assert_memory_equal(seen, "a\0b", 3);
    assert_string_equal(seen_type, "text/x");
    ending_done(&ending);
}

static void parts(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;
    char path[64];
    char boundary[128];
    char *expected;

    make_file(path, sizeof(path), 0, "file contents");
    fx->server.on_request = note_body;
    request.effect = HTTP_SPENDS;
    request.method = "POST";
    request.parts[0] = (struct http_part){.name = "prompt", .text = "a boat\r\n\xE8\x88\xB9"};
    request.parts[1] = (struct http_part){
        .name = "image[]", .path = path, .filename = "my \"cat\".png", .mime = "image/png"};
    request.parts[2] = (struct http_part){.name = "n", .text = ""};
    request.parts_count = 3;
    fx_start(fx, &ending, &request, NULL, NULL);
    /* What was opened is sent, whatever happens to the name meanwhile. */
    assert_int_equal(unlink(path), 0);
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_int_equal(sscanf(seen_type, "multipart/form-data; boundary=%127s", boundary), 1);
    assert_true(asprintf(&expected,
                         "--%s\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n"
                         "a boat\r\n\xE8\x88\xB9\r\n"
                         "--%s\r\nContent-Disposition: form-data; name=\"image[]\"; "
                         "filename=\"my %%22cat%%22.png\"\r\n"
                         "Content-Type: image/png\r\n\r\nfile contents\r\n"
                         "--%s\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n\r\n"
                         "--%s--\r\n",
                         boundary, boundary, boundary, boundary) > 0);
    assert_string_equal(seen, expected);
    free(expected);
    ending_done(&ending);
}

static int try_send(struct fixture *fx, const struct http_request *request,
                    const struct net_peer *peer, struct err *err)
{
    struct ending ending = {0};
    struct net_call *call;

    return net_send(fx->net, request, peer, NULL, fx_net_done, &ending, &call, err);
}

/* A secret in a form is put in where it is announced, and only at home; of one kind only. */
static void secrets_in_parts(void **state)
{
    static const char *const elsewhere[] = {"https://api.example.com"};
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct net_peer peer = fx_peer(fx);
    struct ending ending;
    struct err err = {0};

    fx->server.on_request = note_body;
    request.effect = HTTP_WRITES;
    request.method = "POST";
    request.parts[0] = (struct http_part){.name = "accessKey", .text = "{{key}}", .secret = 1};
    request.parts[1] = (struct http_part){.name = "prompt", .text = "say {{key}}"};
    request.parts_count = 2;
    request.secret_prefix = "s3cr3t";
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_non_null(strstr(seen, "name=\"accessKey\"\r\n\r\ns3cr3t-value\r\n"));
    assert_non_null(strstr(seen, "name=\"prompt\"\r\n\r\nsay {{key}}\r\n"));
    ending_done(&ending);
    request.secret_prefix = "mgk_";
    assert_int_equal(try_send(fx, &request, &peer, &err), -1);
    assert_int_equal(err.kind, ERR_REFUSED);
    request.parts_count = 0;
    request.headers[0] = (struct http_header){"X-API-KEY", "{{key}}"};
    request.headers_count = 1;
    assert_int_equal(try_send(fx, &request, &peer, &err), -1);
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_null(strstr(err.text, "s3cr3t"));
    request.secret_prefix = NULL;
    request.headers_count = 0;
    request.parts_count = 1;
    peer.origins = elsewhere;
    assert_int_equal(try_send(fx, &request, &peer, &err), -1);
    assert_int_equal(fx->server.accepted, 1);
}

/* Files inside JSON as data URLs, for lengths around the groups and buffers they are encoded in. */
static void joined_parts(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 3071, 3072, 3073, 100000};
    struct fixture *fx = *state;
    struct ending ending;

    fx->server.on_request = note_body;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct http_request request = fx_get(fx, "/");
        size_t encoded_max = BASE64_ENCODE_RAW_LENGTH(sizes[i]) + 1;
        uint8_t *raw = calloc(1, sizes[i] + 1);
        char *encoded = calloc(1, encoded_max);
        char *expected;
        char path[64];
        FILE *file;

        for (size_t at = 0; at < sizes[i]; at++)
            raw[at] = server_pattern(at);
        base64_encode_raw(encoded, sizes[i], raw);
        make_file(path, sizeof(path), 0, "");
        file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(raw, 1, sizes[i], file), sizes[i]);
        fclose(file);
        request.effect = HTTP_SPENDS;
        request.method = "POST";
        request.headers[0] = (struct http_header){"Content-Type", "application/json"};
        request.headers_count = 1;
        request.parts_joined = 1;
        request.parts[0] = (struct http_part){.name = "", .text = "{\"image\":\""};
        request.parts[1] = (struct http_part){.name = "", .path = path, .mime = "image/png"};
        request.parts[2] = (struct http_part){.name = "", .text = "\"}"};
        request.parts_count = 3;
        fx_run(fx, &ending, &request, NULL);
        assert_int_equal(ending.outcome, HTTP_ANSWERED);
        assert_string_equal(seen_type, "application/json");
        assert_true(asprintf(&expected, "{\"image\":\"data:image/png;base64,%s\"}", encoded) > 0);
        assert_int_equal(seen_len, strlen(expected));
        assert_memory_equal(seen, expected, seen_len);
        unlink(path);
        free(expected);
        free(encoded);
        free(raw);
        ending_done(&ending);
    }
}

static void what_is_no_file(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct net_call *call = NULL;
    struct err err;
    char path[64];
    char link[80];

    make_file(path, sizeof(path), 0, "x");
    snprintf(link, sizeof(link), "%s.link", path);
    assert_int_equal(symlink(path, link), 0);
    request.method = "PUT";
    request.body_path = link;
    assert_int_equal(net_send(fx->net, &request, NULL, NULL, fx_net_done, NULL, &call, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    request.body_path = "/tmp";
    assert_int_equal(net_send(fx->net, &request, NULL, NULL, fx_net_done, NULL, &call, &err), -1);
    request.body_path = "/nowhere/at/all";
    assert_int_equal(net_send(fx->net, &request, NULL, NULL, fx_net_done, NULL, &call, &err), -1);
    assert_null(call);
    unlink(link);
    unlink(path);
}

static uint64_t pattern_sum(uint64_t bytes)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < bytes; i++) {
        unsigned char byte = server_pattern(i);

        sum = server_sum(sum, &byte, 1);
    }
    return sum;
}

static void upload(struct fixture *fx, const char *path, int as_part, const char *method)
{
    struct http_request request = fx_get(fx, "/");
    struct ending ending;

    request.effect = HTTP_WRITES;
    request.method = method;
    if (as_part) {
        request.parts[0] = (struct http_part){
            .name = "file", .path = path, .filename = "v.mp4", .mime = "video/mp4"};
        request.parts_count = 1;
    } else {
        request.body_path = path;
    }
    fx_start(fx, &ending, &request, NULL, NULL);
    fx_wait(&ending);
    assert_int_equal(ending.outcome, HTTP_ANSWERED);
    assert_string_equal(seen_line, method);
    ending_done(&ending);
}

static void large_files_stream(void **state)
{
    const uint64_t bytes = 64u * 1024 * 1024;
    struct fixture *fx = *state;
    char small[64];
    char large[64];
    long before_kb;

    fx->server.on_request = note_body;
    make_file(small, sizeof(small), 2 * 1024 * 1024, NULL);
    make_file(large, sizeof(large), bytes, NULL);
    upload(fx, small, 0, "PUT"); /* warms up */
    upload(fx, small, 1, "POST");
    before_kb = fx_peak_kb();
    upload(fx, large, 0, "PUT");
    assert_int_equal(seen_bytes, bytes);
    assert_int_equal(seen_sum, pattern_sum(bytes));
    upload(fx, large, 0, "POST");
    assert_int_equal(seen_bytes, bytes);
    upload(fx, large, 1, "POST");
    assert_true(seen_bytes > bytes && seen_bytes < bytes + 1000);
    assert_true(fx_peak_kb() - before_kb < 4096);
    unlink(small);
    unlink(large);
}

static void shorten(struct server_conn *conn)
{
    const char *path = conn->server->ud;

    if (path && truncate(path, 1000) != 0)
        abort();
}

static void a_file_that_shrinks(void **state)
{
    struct fixture *fx = *state;
    struct http_request request = fx_get(fx, "/");
    struct ending ending;
    char path[64];

    make_file(path, sizeof(path), 32u * 1024 * 1024, NULL);
    fx->server.on_head = shorten;
    fx->server.ud = path;
    request.effect = HTTP_SPENDS;
    request.method = "PUT";
    request.body_path = path;
    fx_run(fx, &ending, &request, NULL);
    assert_int_equal(ending.outcome, HTTP_LOST);
    assert_non_null(strstr(ending.error, "file"));
    ending_done(&ending);
    unlink(path);
}

static void drop_the_second(struct server_conn *conn)
{
    if (conn->number == 1 && conn->server->requests > 1)
        conn_close(conn);
    else
        note_body(conn);
}

/* A repeatable upload on a connection that turns out to be dead is sent again from its start. */
static void an_upload_is_rewound(void **state)
{
    const uint64_t bytes = 3u * 1024 * 1024;
    struct fixture *fx = *state;
    char path[64];

    make_file(path, sizeof(path), bytes, NULL);
    fx->server.on_request = drop_the_second;
    upload(fx, path, 0, "PUT");
    upload(fx, path, 0, "PUT");
    assert_int_equal(fx->server.accepted, 2);
    assert_int_equal(seen_bytes, bytes);
    assert_int_equal(seen_sum, pattern_sum(bytes));
    unlink(path);
}

static const char *told_crc64;

static void tell_crc64(struct server_conn *conn)
{
    if (conn->number == 1 && conn->server->requests > 1)
        conn_close(conn); /* what was read before is not counted twice */
    else
        conn_reply(conn, 200, told_crc64, "");
}

/* What the answer tells of the file's CRC-64 is compared with what was sent, also after a rewind.
 */
static void the_answers_crc64_is_compared(void **state)
{
    static const char mine[] = "123456789";
    static const struct {
        const char *header;
        const char *asked;
        enum http_crc64 found;
    } cases[] = {{"x-crc: 11051210869376104954\r\n", "X-CRC", HTTP_CRC64_SAME},
                 {"x-crc: 11051210869376104954\r\n", "x-crc", HTTP_CRC64_SAME},
                 {"x-crc: 11051210869376104955\r\n", "x-crc", HTTP_CRC64_DIFFERS},
                 {"x-crc: nonsense\r\n", "x-crc", HTTP_CRC64_DIFFERS},
                 {"", "x-crc", HTTP_CRC64_UNTOLD},
                 {"x-crc: 1\r\n", NULL, HTTP_CRC64_UNTOLD}};
    struct fixture *fx = *state;
    char path[64];
    FILE *f;

    make_file(path, sizeof(path), 1, NULL);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(mine, 1, 9, f), 9);
    assert_int_equal(fclose(f), 0);
    fx->server.on_request = tell_crc64;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_request request = fx_get(fx, "/");
        struct ending ending;

        told_crc64 = cases[i].header;
        request.effect = HTTP_WRITES;
        request.method = "PUT";
        request.body_path = path;
        request.crc64_header = cases[i].asked;
        fx_start(fx, &ending, &request, NULL, NULL);
        fx_wait(&ending);
        assert_int_equal(ending.outcome, HTTP_ANSWERED);
        assert_int_equal(ending.crc64, cases[i].found);
        ending_done(&ending);
    }
    unlink(path);
}

static int free_seen(void **state)
{
    free(seen);
    seen = NULL;
    return fx_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, fx_setup, free_seen)
        T(texts),
        T(a_request_is_copied),
        T(parts),
        T(secrets_in_parts),
        T(joined_parts),
        T(what_is_no_file),
        T(large_files_stream),
        T(a_file_that_shrinks),
        T(the_answers_crc64_is_compared),
        T(an_upload_is_rewound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
