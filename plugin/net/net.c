/*
 * net.c - the life of a room and of an exchange: accepted, waiting (queue.c), a hop with its name
 * lookup (names.c) and transfer (transfer.c), maybe further hops, the end. See inner.h for the rules
 * that all files keep.
 *
 * net_send begins at once when there is room, so that the first packet leaves in the turn in which it
 * was asked for; everything that ends does so in the pump, so that done never comes inside net_send.
 */
#include "net/inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

static void call_free(struct net_call *call);

/* ---- verdicts and ends ---- */

void net_hop_verdict(struct hop *hop, enum http_outcome outcome, const char *format, ...)
{
    va_list args;

    if (hop->has_verdict)
        return;
    hop->has_verdict = 1;
    hop->verdict = outcome;
    va_start(args, format);
    vsnprintf(hop->error, sizeof(hop->error), format, args);
    va_end(args);
    env_scrub(hop->call->net->env, hop->error);
}

/* The hop gives back all but its answer. */
static void hop_release(struct hop *hop)
{
    if (hop->sends)
        hop->call->was_sent = 1;
    names_leave(hop);
    transfer_free(hop);
}

static void hop_free(struct hop *hop)
{
    if (!hop)
        return;
    hop_release(hop);
    buf_done(&hop->text);
    mem_free(hop);
}

static struct hop *hop_new(struct net_call *call)
{
    struct hop *hop = mem_alloc(sizeof(*hop));

    if (!hop)
        return NULL;
    hop->call = call;
    hop->length = -1;
    hop->retry_after_ms = -1;
    buf_init(&hop->text, LIMIT_TEXT_BYTES);
    call->hop = hop;
    return hop;
}

/* Its done callback is due; the pump calls it. */
static void call_end(struct net_call *call)
{
    struct net *net = call->net;

    if (call->hop)
        hop_release(call->hop);
    queue_leave(call);
    body_close(call);
    call->phase = PHASE_ENDED;
    DL_APPEND(net->ended, call);
    driver_pump_soon(net);
}

static void call_fail(struct net_call *call, enum http_outcome outcome, const char *what)
{
    if (call->hop)
        net_hop_verdict(call->hop, outcome, "%s: %s", call->target.host, what);
    call_end(call);
}

/* ---- one hop ---- */

/* Which of the addresses may be connected to. 0, or -1 when none is left. */
static int choose_addresses(struct hop *hop, const struct address *addresses, size_t count)
{
    for (size_t i = 0; i < count && hop->addresses_count < LIMIT_ADDRESSES; i++)
        if (hop->may_private || hop->proxy || !address_is_private(&addresses[i]))
            hop->addresses[hop->addresses_count++] = addresses[i];
    return hop->addresses_count > 0 ? 0 : -1;
}

static void hop_connect(struct hop *hop, const struct address *addresses, size_t count)
{
    struct net_call *call = hop->call;

    if (choose_addresses(hop, addresses, count)) {
        call_fail(call, HTTP_REFUSED, "its address is private");
        return;
    }
    if (transfer_new(hop) || driver_add(hop)) {
        call_fail(call, HTTP_NOT_SENT, "out of memory");
        return;
    }
    call->had_secret |= hop->has_secret;
}

void net_call_named(struct hop *hop)
{
    struct lookup *lookup = hop->lookup;

    hop->lookup = NULL;
    if (lookup->addresses_count > 0) {
        hop_connect(hop, lookup->addresses, lookup->addresses_count);
        return;
    }
    net_hop_verdict(hop, HTTP_NOT_SENT, "%s: no address (%s)", lookup->host,
                    ares_strerror(lookup->status));
    call_end(hop->call);
}

static const struct proxy *choose_proxy(const struct net_call *call)
{
    const struct net *net = call->net;
    const struct proxy *proxy = call->target.is_https ? &net->proxy_https : &net->proxy_http;

    return proxy->url && !no_proxy_covers(net->no_proxy, &call->target) ? proxy : NULL;
}

/* It has its turn. */
static void call_begin(struct net_call *call)
{
    const struct target *target = &call->target;
    struct hop *hop = hop_new(call);
    const char *host = target->host;
    struct address address;

    if (!hop) {
        call_end(call);
        return;
    }
    hop->proxy = choose_proxy(call);
    hop->may_private = request_may_private(call, target);
    check_start(hop);
    if (hop->proxy) {
        /* The proxy looks the name up, so only what the name itself says can be judged here. */
        if (!hop->may_private && (target->is_numeric ? address_is_private(&target->address)
                                                     : host_is_local(target->host))) {
            call_fail(call, HTTP_REFUSED, "its address is private");
            return;
        }
        host = hop->proxy->host;
    }
    if (address_parse(host, &address) == 0) {
        hop_connect(hop, &address, 1);
        return;
    }
    switch (names_ask(hop, host)) {
    case 0:
        break;
    case 1:
        net_call_named(hop);
        break;
    default:
        call_fail(call, HTTP_NOT_SENT, "out of memory");
    }
}

static void begin_waiting(struct net *net)
{
    struct net_call *call;

    while (!net->is_broken && (call = queue_next(net)))
        call_begin(call);
    driver_kick(net);
    driver_arm(net);
}

/* ---- redirects ---- */

static int is_redirect(const struct net_call *call)
{
    const struct http_request *request = call->request;
    int status = call->hop->status;

    return call->hop->verdict == HTTP_ANSWERED && request->effect == HTTP_READS &&
           (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0) &&
           (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

static const char *redirect_fault(const struct net_call *call, enum target_fault fault,
                                  const struct target *next)
{
    if (call->redirects >= LIMIT_REDIRECTS)
        return "too many redirects";
    if (fault)
        return "a redirect to something that is not fetched";
    if (call->had_secret && call->target.is_https && !next->is_https)
        return "a redirect from https to http";
    return NULL;
}

/* 1: it goes on at another place, or has ended there; 0: the answer is what it is. */
static int call_redirect(struct net_call *call)
{
    struct target next = {0};
    enum target_fault fault;
    const char *refused;
    char *url = NULL;

    if (!is_redirect(call) || call->net->is_closing)
        return 0;
    curl_easy_getinfo(call->hop->easy, CURLINFO_REDIRECT_URL, &url);
    if (!url)
        return 0;
    fault = strlen(url) > LIMIT_URL ? TARGET_BROKEN : target_parse(url, &next);
    refused = fault == TARGET_NOMEM ? "out of memory" : redirect_fault(call, fault, &next);
    if (refused) {
        call->hop->has_verdict = 0;
        target_done(&next);
        call_fail(call, fault == TARGET_NOMEM ? HTTP_TRUNCATED : HTTP_REFUSED, refused);
        return 1;
    }
    hop_free(call->hop);
    call->hop = NULL;
    queue_leave(call);
    target_done(&call->target);
    call->target = next;
    call->redirects++;
    call->is_abroad = !request_is_own(call, next.origin);
    if (queue_add(call))
        call_end(call);
    return 1;
}

/* ---- the pump ---- */

static void finish(struct net_call *call)
{
    if (call->is_cancelled) {
        call_free(call);
        return;
    }
    answer_outcome(call->hop);
    if (!call_redirect(call))
        call_end(call);
}

static void finish_all(struct net *net)
{
    struct net_call *call;
    struct net_call *next;

    DL_FOREACH_SAFE(net->live, call, next)
        if (call->hop && call->hop->is_finished)
            finish(call);
}

static void deliver(struct net_call *call)
{
    struct http_reply reply = {
        .outcome = call->was_sent ? HTTP_LOST : HTTP_NOT_SENT, /* without memory for a hop */
        .content_type = "",
        .request_id = "",
        .text = "",
        .retry_after_ms = -1,
        .length = -1,
        .error = "out of memory",
    };

    DL_DELETE(call->net->ended, call);
    call->phase = PHASE_GONE;
    if (call->hop) {
        answer_reply(call->hop, &reply);
    } else if (call->net->is_closing) {
        reply.outcome = HTTP_CANCELLED;
        reply.error = "cancelled";
    }
    reply.sent = call->was_sent;
    if (reply.outcome == HTTP_NOT_SENT && reply.sent)
        reply.outcome = HTTP_LOST; /* an earlier hop was sent */
    call->done(call->ud, &reply);
    call_free(call);
}

/* Only those that have ended by now: done may start others that end at once. */
static void deliver_all(struct net *net)
{
    struct net_call *call;
    size_t due = 0;

    DL_COUNT(net->ended, call, due);
    while (due-- > 0 && net->ended)
        deliver(net->ended);
}

/* The multi failed: what was in it ends, and the next transfers get a new one. */
static void give_up_transfers(struct net *net)
{
    struct net_call *call;

    env_log(net->env, AHP_LOG_WARN, LOG_NET, "net: %u transfers had to be given up",
            net->added_count);
    DL_FOREACH(net->live, call) {
        struct hop *hop = call->hop;

        if (!hop || !hop->is_added || hop->is_finished)
            continue;
        hop->is_finished = 1;
        hop->code = CURLE_OUT_OF_MEMORY;
        net_hop_verdict(hop,
                        hop->sends == 0      ? HTTP_NOT_SENT
                        : hop->is_head_whole ? HTTP_TRUNCATED
                                             : HTTP_LOST,
                        "%s: out of memory", call->target.host);
    }
    finish_all(net);
    driver_rebuild(net);
}

void net_pump(struct net *net)
{
    driver_reap(net);
    if (net->is_broken)
        give_up_transfers(net);
    names_deliver(net);
    finish_all(net);
    begin_waiting(net);
    deliver_all(net);
    if (net->ended)
        driver_pump_soon(net);
    driver_arm(net);
}

/* ---- life ---- */

static int copy_proxy(struct proxy *proxy, const char *text, struct err *err)
{
    CURLU *parts;
    char *host = NULL;
    char *port = NULL;
    char *scheme = NULL;
    int rc = -1;

    if (!text || !*text)
        return 0;
    parts = curl_url();
    if (!parts)
        return err_nomem(err);
    if (curl_url_set(parts, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) ||
        curl_url_get(parts, CURLUPART_HOST, &host, CURLU_PUNYCODE) ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0)) {
        /* The text is not shown: it may hold a password. */
        err_set(err, ERR_CONFIG, "the proxy's URL is not well-formed");
        goto out;
    }
    /* Names of targets are the proxy's business: socks5h and socks4a, never a lookup here. */
    if (strcmp(scheme, "socks5") == 0 || strcmp(scheme, "socks4") == 0) {
        curl_free(scheme);
        scheme = NULL;
        if (curl_url_set(parts, CURLUPART_SCHEME, strncmp(text, "socks5", 6) ? "socks4a" : "socks5h",
                         CURLU_NON_SUPPORT_SCHEME) ||
            curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0))
            goto nomem;
    }
    proxy->port = 1080; /* libcurl's own default for a proxy */
    if (strcmp(scheme, "https") == 0)
        proxy->port = 443;
    if (curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK)
        proxy->port = (unsigned)strtoul(port, NULL, 10);
    curl_free(port);
    port = NULL;
    if (curl_url_get(parts, CURLUPART_URL, &port, CURLU_NON_SUPPORT_SCHEME))
        goto nomem;
    proxy->url = mem_text(port);
    proxy->host = host[0] == '[' ? mem_text_n(host + 1, strlen(host) - 2) : mem_text(host);
    if (!proxy->url || !proxy->host)
        goto nomem;
    rc = 0;
    goto out;
nomem:
    err_nomem(err);
out:
    curl_free(host);
    curl_free(port);
    curl_free(scheme);
    curl_url_cleanup(parts);
    return rc;
}

static int copy_options(struct net *net, const struct net_options *options, struct err *err)
{
    if (!options)
        return 0;
    if (copy_proxy(&net->proxy_http, options->http_proxy, err) ||
        copy_proxy(&net->proxy_https, options->https_proxy, err))
        return -1;
    net->no_proxy = mem_text(options->no_proxy);
    net->ca_file = mem_text(options->ca_file);
    if ((options->no_proxy && !net->no_proxy) || (options->ca_file && !net->ca_file))
        return err_nomem(err);
    return 0;
}

/* Whether the authorities that libcurl was built to use are in a file that is here. */
static int has_ca_file(void)
{
    CURL *easy = curl_easy_init();
    char *path = NULL;
    int has = 0;

    if (easy && curl_easy_getinfo(easy, CURLINFO_CAINFO, &path) == CURLE_OK && path)
        has = access(path, R_OK) == 0;
    curl_easy_cleanup(easy);
    return has;
}

static void net_free(struct net *net)
{
    names_close(net);
    driver_close(net);
    mem_free_secret(net->proxy_http.url);
    mem_free_secret(net->proxy_https.url);
    mem_free(net->proxy_http.host);
    mem_free(net->proxy_https.host);
    mem_free(net->no_proxy);
    mem_free(net->ca_file);
    mem_free(net);
}

int net_open(struct env *env, const struct net_options *options, struct net **ret_net,
             struct err *err)
{
    struct net *net = mem_alloc(sizeof(*net));

    if (!net)
        return err_nomem(err);
    net->env = env;
    if (copy_options(net, options, err))
        goto fail;
    if (driver_open(net) || names_open()) {
        err_nomem(err);
        goto fail;
    }
    net->is_ca_file = net->ca_file || has_ca_file();
    *ret_net = net;
    return 0;
fail:
    net->is_closing = 1;
    net_free(net);
    return -1;
}

void net_close(struct net *net)
{
    struct net_call *call;

    if (!net)
        return;
    net->is_closing = 1;
    driver_reap(net);
    finish_all(net); /* an answer that is here is not thrown away */
    while ((call = net->live)) {
        if (call->is_cancelled)
            call_free(call);
        else
            call_fail(call, HTTP_CANCELLED, "cancelled");
    }
    while (net->origins)
        call_end(net->origins->waiting);
    while (net->ended)
        deliver(net->ended);
    net_free(net);
}

/* ---- exchanges ---- */

static void call_free(struct net_call *call)
{
    queue_leave(call);
    hop_free(call->hop);
    request_done(call);
    if (!call->is_cancelled)
        call->net->count--;
    mem_free(call);
}

static const char *fault_text(enum target_fault fault)
{
    switch (fault) {
    case TARGET_SCHEME:
        return "only http and https URLs are fetched";
    case TARGET_USER:
        return "a URL with a user name in it is not fetched";
    default:
        return "a URL with such a host is not fetched";
    }
}

/* The URL, and what follows from it. 0 with the call waiting or ended, or -1. */
static int call_place(struct net_call *call, const char *url, struct err *err)
{
    enum target_fault fault = target_parse(url, &call->target);

    if (fault == TARGET_NOMEM)
        return err_nomem(err);
    if (fault == TARGET_BROKEN)
        return err_field(err, "url", "not a URL");
    if (fault) {
        if (!hop_new(call))
            return err_nomem(err);
        net_hop_verdict(call->hop, HTTP_REFUSED, "%s", fault_text(fault));
        call_end(call);
        return 0;
    }
    if (request_check_secrets(call, err))
        return -1;
    return queue_add(call) ? err_nomem(err) : 0;
}

int net_send(struct net *net, const struct http_request *request, const struct net_peer *peer,
             const struct net_sink *sink, net_done_fn *done, void *ud, struct net_call **ret_call,
             struct err *err)
{
    struct net_call *call;

    if (net->is_closing)
        return err_set(err, ERR_CANCELLED, "the network part is being closed");
    if (net->count >= LIMIT_JOBS)
        return err_set(err, ERR_LIMIT, "more than %d exchanges at once", LIMIT_JOBS);
    call = mem_alloc(sizeof(*call));
    if (!call)
        return err_nomem(err);
    call->net = net;
    call->phase = PHASE_GONE;
    call->done = done;
    call->ud = ud;
    if (sink)
        call->sink = *sink;
    net->count++;
    if (request_copy(call, request, peer, err) || call_place(call, request->url, err)) {
        call_free(call);
        return -1;
    }
    *ret_call = call;
    if (net->inside)
        driver_pump_soon(net);
    else
        begin_waiting(net);
    return 0;
}

int net_cancel(struct net_call *call)
{
    struct net *net;
    int was_sent;

    if (!call)
        return 0;
    net = call->net;
    was_sent = call->was_sent || (call->hop && call->hop->sends > 0);
    if (call->phase == PHASE_ENDED)
        DL_DELETE(net->ended, call);
    if (net->inside && call->hop && call->hop->is_added) {
        /* Inside a sink: its callbacks do no more, and the pump frees it. */
        call->is_cancelled = 1;
        net->count--;
        net_hop_verdict(call->hop, HTTP_CANCELLED, "cancelled");
        call->hop->is_finished = 1;
    } else {
        call_free(call);
    }
    driver_pump_soon(net); /* its turn may be another's */
    return was_sent;
}

void net_progress(const struct net_call *call, uint64_t *ret_bytes, uint64_t *ret_total)
{
    const struct hop *hop = call->hop;
    curl_off_t up = 0;
    curl_off_t whole = 0;

    *ret_bytes = 0;
    *ret_total = 0;
    if (!hop || !hop->easy)
        return;
    if (hop->header_bytes > 0) {
        *ret_bytes = hop->bytes_received;
        *ret_total = hop->length > 0 ? (uint64_t)hop->length : 0;
        return;
    }
    curl_easy_getinfo(hop->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(hop->easy, CURLINFO_CONTENT_LENGTH_UPLOAD_T, &whole);
    *ret_bytes = (uint64_t)up;
    *ret_total = whole > 0 ? (uint64_t)whole : 0;
}

size_t net_count(const struct net *net)
{
    return net->count;
}

int net_origin(const char *url, char *ret_origin, size_t size)
{
    struct target target;
    size_t len;
    int rc = -1;

    if (target_parse(url, &target))
        return -1;
    len = strlen(target.origin);
    if (len < size) {
        memcpy(ret_origin, target.origin, len + 1);
        rc = 0;
    }
    target_done(&target);
    return rc;
}
