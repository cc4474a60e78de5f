/*
 * transfer.c - one libcurl easy handle for one hop: every option it gets, and the two callbacks
 * that guard where it connects and how often it sends.
 *
 * A request that SPENDS leaves at most once. libcurl 7.88 repeats a request by itself in these
 * cases, read in its source: (1) Curl_retry_request: a reused connection ended before the first
 * byte of an answer; hence FRESH_CONNECT. (2) the same, HTTP/2 refused the stream, and the fall
 * back from HTTP/2 to 1.1; hence HTTP/1.1. (3) 417 after "Expect: 100-continue"; hence no Expect.
 * (4) 401 and 407 with negotiated authentication; none is configured. Whatever was overlooked ends
 * in on_request, which libcurl calls before every sending and which lets a spending one pass once.
 *
 * Addresses: the names are pinned with CURLOPT_RESOLVE to what names.c found and the policy let
 * pass. A pin replaces an older one for the same host and port, in 7.88 as in later versions.
 * libcurl takes it up in the same call that begins the transfer, so pins of different calls do not
 * meet. Behind that are two more checks: on_open_socket connects only to an address of this hop,
 * on_request looks at the address of the connection, which may be an older, reused one. libcurl's
 * own resolver, which would be a thread, is barred by on_resolve.
 */
#include "net/inner.h"

#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES_FILE (256L * 1024)
#define BUFFER_BYTES_TEXT (32L * 1024)
#define KEEPALIVE_S       30L

static int is_pinned(const struct hop *hop, const struct address *address)
{
    for (size_t i = 0; i < hop->addresses_count; i++)
        if (address_equal(&hop->addresses[i], address))
            return 1;
    return 0;
}

static curl_socket_t on_open_socket(void *ud, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct hop *hop = ud;
    struct address address;

    (void)purpose;
    if (address_of(&to->addr, &address) || !is_pinned(hop, &address)) {
        /* In a repetition by libcurl the pin may be another call's by now: nothing is wrong then,
           but what was checked for this one is gone. */
        net_hop_verdict(hop, hop->sends ? HTTP_LOST : HTTP_REFUSED,
                        "%s: an address that was not checked", hop->call->target.host);
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
}

/* libcurl asks this before it would start its own lookup; addresses it reads by itself. */
static int on_resolve(void *resolver, void *reserved, void *ud)
{
    const struct hop *hop = ud;
    struct address address;

    (void)resolver;
    (void)reserved;
    return address_parse(hop->proxy ? hop->proxy->host : hop->call->target.host, &address) != 0;
}

static int on_request(void *ud, char *remote, char *local, int remote_port, int local_port)
{
    struct hop *hop = ud;
    struct address address;

    (void)local;
    (void)remote_port;
    (void)local_port;
    if (hop->sends > 0 && hop->call->request->effect == HTTP_SPENDS) {
        net_hop_verdict(hop, HTTP_LOST, "%s: the connection ended before the answer",
                        hop->call->target.host);
        return CURL_PREREQFUNC_ABORT;
    }
    if (!hop->proxy && !hop->may_private &&
        (address_parse(remote, &address) || address_is_private(&address))) {
        net_hop_verdict(hop, HTTP_REFUSED, "%s: its address is private", hop->call->target.host);
        return CURL_PREREQFUNC_ABORT;
    }
    hop->sends++;
    hop->moved_ms = env_now_ms(hop->call->net->env);
    return CURL_PREREQFUNC_OK;
}

/* "+host:port:address,address": the plus lets libcurl forget it after a minute. */
static int pin(struct hop *hop)
{
    const struct target *target = &hop->call->target;
    const char *host = hop->proxy ? hop->proxy->host : target->host;
    unsigned port = hop->proxy ? hop->proxy->port : target->port;
    char text[INET6_ADDRSTRLEN];
    struct address numeric;
    struct buf line;

    if (address_parse(host, &numeric) == 0)
        return 0; /* libcurl reads it as it is; an IPv6 one could not be written here */
    buf_init(&line, 2048);
    if (buf_format(&line, "+%s:%u:", host, port))
        goto fail;
    for (size_t i = 0; i < hop->addresses_count; i++) {
        int is6 = hop->addresses[i].family == AF_INET6;

        if (address_format(&hop->addresses[i], text, sizeof(text)) ||
            buf_format(&line, is6 ? "%s[%s]" : "%s%s", i ? "," : "", text))
            goto fail;
    }
    hop->pins = curl_slist_append(NULL, line.data);
    buf_done(&line);
    return hop->pins ? 0 : -1;
fail:
    buf_done(&line);
    return -1;
}

#define SET(option, value) (void)(code = code ? code : curl_easy_setopt(easy, option, value))

static CURLcode set_connection(struct hop *hop, CURL *easy)
{
    const struct net *net = hop->call->net;
    int spends = hop->call->request->effect == HTTP_SPENDS;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (net->ca_file)
        SET(CURLOPT_CAINFO, net->ca_file);
    if (net->is_ca_file) /* libcurl keeps what it has parsed only if one file has them all */
        SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_PROXY, hop->proxy ? hop->proxy->url : ""); /* "": nor from the environment */
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_RESOLVE, hop->pins);
    SET(CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
    SET(CURLOPT_RESOLVER_START_DATA, hop);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, hop);
    SET(CURLOPT_PREREQFUNCTION, on_request);
    SET(CURLOPT_PREREQDATA, hop);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)LIMIT_CONNECT_MS);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
    SET(CURLOPT_HTTP_VERSION, (long)(spends ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    SET(CURLOPT_FRESH_CONNECT, spends ? 1L : 0L);
    SET(CURLOPT_BUFFERSIZE,
        hop->call->request->answer == HTTP_ANSWER_TEXT ? BUFFER_BYTES_TEXT : BUFFER_BYTES_FILE);
    return code;
}

/* After the body, whose options choose a method of their own. */
static CURLcode set_method(struct hop *hop, CURL *easy)
{
    const struct http_request *request = hop->call->request;
    CURLcode code = CURLE_OK;

    if (strcmp(request->method, "HEAD") == 0)
        SET(CURLOPT_NOBODY, 1L);
    else
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    return code;
}

int transfer_new(struct hop *hop)
{
    CURLcode code = CURLE_OK;
    CURL *easy = curl_easy_init();

    if (!easy)
        return -1;
    hop->easy = easy;
    if (pin(hop) || request_headers(hop) || set_connection(hop, easy))
        return -1;
    SET(CURLOPT_PRIVATE, hop);
    SET(CURLOPT_ERRORBUFFER, hop->curl_text);
    SET(CURLOPT_URL, hop->call->target.url);
    SET(CURLOPT_USERAGENT, "clawmedia/" CLAWMEDIA_VERSION);
    SET(CURLOPT_HTTPHEADER, hop->headers);
    if (code || body_apply(hop) || set_method(hop, easy) || answer_apply(hop))
        return -1;
    return 0;
}

void transfer_free(struct hop *hop)
{
    struct net *net = hop->call->net;

    driver_remove(hop);
    if (hop->easy) {
        net->inside++;
        curl_easy_cleanup(hop->easy);
        net->inside--;
        hop->easy = NULL;
    }
    curl_mime_free(hop->mime);
    hop->mime = NULL;
    request_wipe(hop->headers);
    hop->headers = NULL;
    curl_slist_free_all(hop->pins);
    hop->pins = NULL;
}

uint64_t transfer_moved(const struct hop *hop)
{
    curl_off_t up = 0;

    if (hop->easy)
        curl_easy_getinfo(hop->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    return (uint64_t)up + hop->header_bytes + hop->bytes_received;
}

int transfer_is_waiting(const struct hop *hop)
{
    curl_off_t up = 0;
    curl_off_t whole = -1;

    if (hop->sends == 0 || hop->header_bytes > 0)
        return 0;
    curl_easy_getinfo(hop->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(hop->easy, CURLINFO_CONTENT_LENGTH_UPLOAD_T, &whole);
    return whole <= 0 || up >= whole;
}
