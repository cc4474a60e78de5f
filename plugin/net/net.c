/*
 * net.c - the room's interface: its life, and how exchanges enter and leave early. See inner.h for
 * the rules that all files keep.
 *
 * net_send begins at once when there is room, so that the first packet leaves in the turn in which
 * it was asked for.
 */
#include "net/inner.h"

#include <string.h>
#include <unistd.h>
#include <utlist.h>

static int copy_options(struct net *net, const struct net_options *options, struct err *err)
{
    if (!options)
        return 0;
    if (proxy_set(&net->proxy_http, options->http_proxy, err) ||
        proxy_set(&net->proxy_https, options->https_proxy, err))
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
    proxy_done(&net->proxy_http);
    proxy_done(&net->proxy_https);
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
    net_finish_all(net); /* an answer that is here is not thrown away */
    while ((call = net->live)) {
        if (call->is_cancelled)
            net_call_free(call);
        else
            net_call_fail(call, HTTP_CANCELLED, "cancelled");
    }
    while (net->origins)
        net_call_end(net->origins->waiting);
    while (net->ended)
        net_deliver(net->ended);
    net_free(net);
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
        if (!net_hop_new(call))
            return err_nomem(err);
        net_hop_verdict(call->hop, HTTP_REFUSED, "%s", fault_text(fault));
        net_call_end(call);
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
        net_call_free(call);
        return -1;
    }
    *ret_call = call;
    if (net->inside)
        driver_pump_soon(net);
    else
        net_begin_waiting(net);
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
        net_call_free(call);
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

    switch (target_parse(url, &target)) {
    case TARGET_OK:
        break;
    case TARGET_NOMEM:
        return -2;
    default:
        return -1;
    }
    len = strlen(target.origin);
    if (len < size) {
        memcpy(ret_origin, target.origin, len + 1);
        rc = 0;
    }
    target_done(&target);
    return rc;
}
