/*
 * check.c - the ends that time sets, all on the host's clock: no connection within LIMIT_CONNECT_MS
 * (name lookup, TCP and TLS together), the request's own timeout, and a stall. While the server
 * thinks (everything is sent, no byte of an answer is here) only a request without a timeout of its
 * own can stall: making a picture may take minutes without a byte. A file has to bring a little
 * more than a byte now and then. Activity is sampled every SAMPLE_MS, not noted with each byte, so
 * a stall ends a transfer after LIMIT_STALL_MS and at most SAMPLE_MS more.
 */
#include "net/inner.h"

#include <utlist.h>

#define SAMPLE_MS (LIMIT_STALL_MS / 6)

void check_start(struct hop *hop)
{
    struct net_call *call = hop->call;
    int64_t now_ms = env_now_ms(call->net->env);
    int64_t timeout_ms = call->request->timeout_ms;

    if (!call->is_started)
        call->started_ms = now_ms;
    call->is_started = 1;
    hop->connect_by_ms = now_ms + LIMIT_CONNECT_MS;
    hop->moved_ms = now_ms;
    driver_check_by(call->net, hop->connect_by_ms);
    if (timeout_ms > 0)
        driver_check_by(call->net, call->started_ms + timeout_ms);
}

static void overdue(struct hop *hop, const char *what)
{
    enum http_outcome outcome = hop->sends == 0      ? HTTP_NOT_SENT
                                : hop->is_head_whole ? HTTP_TRUNCATED
                                                     : HTTP_LOST;

    net_hop_verdict(hop, outcome, "%s: %s", hop->call->target.host, what);
}

/*
 * What counts as movement. A file that comes by single bytes would hold its place for days; an
 * answer in text may well be kept alive by single blanks.
 */
static uint64_t least_bytes(const struct hop *hop)
{
    return hop->is_head_whole && hop->call->request->answer == HTTP_ANSWER_FILE ? LIMIT_STALL_BYTES
                                                                                : 1;
}

/* When to look again, or 0 when it has a verdict now. */
static int64_t check(struct hop *hop, int64_t now_ms)
{
    const struct net_call *call = hop->call;
    int64_t whole_ms = call->request->timeout_ms;
    int64_t by_ms = whole_ms > 0 ? call->started_ms + whole_ms : NET_NEVER;
    uint64_t moved;

    if (by_ms <= now_ms) {
        overdue(hop, "no whole answer in the time it was given");
        return 0;
    }
    if (hop->sends == 0) {
        if (hop->connect_by_ms <= now_ms) {
            overdue(hop, "no connection in time");
            return 0;
        }
        return by_ms < hop->connect_by_ms ? by_ms : hop->connect_by_ms;
    }
    moved = transfer_moved(hop);
    if (moved >= hop->moved_bytes + least_bytes(hop) ||
        (whole_ms > 0 && transfer_is_waiting(hop))) {
        hop->moved_bytes = moved;
        hop->moved_ms = now_ms;
    }
    if (hop->moved_ms + LIMIT_STALL_MS <= now_ms) {
        overdue(hop, "the transfer stood still for too long");
        return 0;
    }
    return by_ms < now_ms + SAMPLE_MS ? by_ms : now_ms + SAMPLE_MS;
}

void check_all(struct net *net)
{
    int64_t now_ms = env_now_ms(net->env);
    struct net_call *call;

    net->check_ms = NET_NEVER;
    DL_FOREACH(net->live, call)
    {
        int64_t at_ms;

        if (call->hop->is_finished || call->hop->has_verdict)
            continue;
        at_ms = check(call->hop, now_ms);
        if (at_ms) {
            driver_check_by(net, at_ms);
        } else {
            call->hop->is_finished = 1;
            driver_pump_soon(net);
        }
    }
}
