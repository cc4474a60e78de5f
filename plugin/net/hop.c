/*
 * hop.c - what becomes of an exchange that was accepted: its turn, one hop or several, the end. A
 * hop chooses its addresses, makes its transfer and ends with a verdict; a redirect throws it away
 * and puts the call back into the queue. All ends meet in the pump, so that done never comes inside
 * net_send.
 */
#include "net/inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

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

struct hop *net_hop_new(struct net_call *call)
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
void net_call_end(struct net_call *call)
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

void net_call_fail(struct net_call *call, enum http_outcome outcome, const char *what)
{
    if (call->hop)
        net_hop_verdict(call->hop, outcome, "%s: %s", call->target.host, what);
    net_call_end(call);
}

void net_call_free(struct net_call *call)
{
    queue_leave(call);
    hop_free(call->hop);
    request_done(call);
    if (!call->is_cancelled)
        call->net->count--;
    mem_free(call);
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
        net_call_fail(call, HTTP_REFUSED, "its address is private");
        return;
    }
    if (transfer_new(hop) || driver_add(hop)) {
        net_call_fail(call, HTTP_NOT_SENT, "out of memory");
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
    net_call_end(hop->call);
}

/* It has its turn. */
static void call_begin(struct net_call *call)
{
    const struct target *target = &call->target;
    struct hop *hop = net_hop_new(call);
    const char *host = target->host;
    struct address address;

    if (!hop) {
        net_call_end(call);
        return;
    }
    hop->proxy = proxy_for(call);
    hop->may_private = request_may_private(call, target);
    check_start(hop);
    if (!request_may_go(call, target)) {
        net_call_fail(call, HTTP_REFUSED,
                      "this host is none that the provider's results come from");
        return;
    }
    if (hop->proxy) {
        /* The proxy looks the name up, so only what the name itself says can be judged here. */
        if (!hop->may_private && (target->is_numeric ? address_is_private(&target->address)
                                                     : host_is_local(target->host))) {
            net_call_fail(call, HTTP_REFUSED, "its address is private");
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
        net_call_fail(call, HTTP_NOT_SENT, "out of memory");
    }
}

void net_begin_waiting(struct net *net)
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
        net_call_fail(call, fault == TARGET_NOMEM ? HTTP_TRUNCATED : HTTP_REFUSED, refused);
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
        net_call_end(call);
    return 1;
}

/* ---- the pump ---- */

static void finish(struct net_call *call)
{
    if (call->is_cancelled) {
        net_call_free(call);
        return;
    }
    answer_outcome(call->hop);
    if (!call_redirect(call))
        net_call_end(call);
}

void net_finish_all(struct net *net)
{
    struct net_call *call;
    struct net_call *next;

    DL_FOREACH_SAFE(net->live, call, next)
    if (call->hop && call->hop->is_finished)
        finish(call);
}

void net_deliver(struct net_call *call)
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
    net_call_free(call);
}

/* Only those that have ended by now: done may start others that end at once. */
static void deliver_all(struct net *net)
{
    struct net_call *call;
    size_t due = 0;

    DL_COUNT(net->ended, call, due);
    while (due-- > 0 && net->ended)
        net_deliver(net->ended);
}

/* The multi failed: what was in it ends, and the next transfers get a new one. */
static void give_up_transfers(struct net *net)
{
    struct net_call *call;

    env_log(net->env, AHP_LOG_WARN, LOG_NET, "net: %u transfers had to be given up",
            net->added_count);
    DL_FOREACH(net->live, call)
    {
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
    net_finish_all(net);
    driver_rebuild(net);
}

void net_pump(struct net *net)
{
    driver_reap(net);
    if (net->is_broken)
        give_up_transfers(net);
    names_deliver(net);
    net_finish_all(net);
    net_begin_waiting(net);
    deliver_all(net);
    if (net->ended)
        driver_pump_soon(net);
    driver_arm(net);
}
