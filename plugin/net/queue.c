/*
 * queue.c - who may begin. At most LIMIT_TRANSFERS exchanges are live, LIMIT_TRANSFERS_PER_ORIGIN
 * of them at one origin; the others wait, first come first served at each origin, the origins in
 * turn. The queue is ours and not libcurl's, because a transfer that waits inside libcurl would
 * take its pinned addresses out of a cache that another exchange may have overwritten meanwhile.
 */
#include "net/inner.h"

#include <string.h>
#include <utlist.h>

static struct origin *origin_get(struct net *net, const char *text)
{
    size_t len = strlen(text);
    struct origin *origin;

    HASH_FIND(hh, net->origins, text, len, origin);
    if (origin)
        return origin;
    origin = mem_alloc(sizeof(*origin) + len + 1);
    if (!origin)
        return NULL;
    memcpy(origin->text, text, len + 1);
    HASH_ADD_KEYPTR(hh, net->origins, origin->text, len, origin);
    if (!HASH_TOOK(origin)) {
        mem_free(origin);
        return NULL;
    }
    return origin;
}

/* In or out of net->ready, or gone, as its counts demand. */
static void origin_settle(struct net *net, struct origin *origin)
{
    int is_ready = origin->waiting && origin->live < LIMIT_TRANSFERS_PER_ORIGIN;

    if (is_ready && !origin->is_ready)
        DL_APPEND(net->ready, origin);
    else if (!is_ready && origin->is_ready)
        DL_DELETE(net->ready, origin);
    origin->is_ready = is_ready;
    if (!origin->waiting && origin->live == 0) {
        HASH_DEL(net->origins, origin);
        mem_free(origin);
    }
}

int queue_add(struct net_call *call)
{
    struct origin *origin = origin_get(call->net, call->target.origin);

    if (!origin)
        return -1;
    DL_APPEND(origin->waiting, call);
    call->origin = origin;
    call->phase = PHASE_WAITING;
    origin_settle(call->net, origin);
    return 0;
}

void queue_leave(struct net_call *call)
{
    struct net *net = call->net;
    struct origin *origin = call->origin;

    if (call->phase == PHASE_WAITING) {
        DL_DELETE(origin->waiting, call);
    } else if (call->phase == PHASE_LIVE) {
        DL_DELETE(net->live, call);
        net->live_count--;
        origin->live--;
    } else {
        return;
    }
    call->phase = PHASE_GONE;
    call->origin = NULL;
    call->prev = NULL;
    call->next = NULL;
    origin_settle(net, origin);
}

struct net_call *queue_next(struct net *net)
{
    struct origin *origin = net->ready;
    struct net_call *call;

    if (!origin || net->live_count >= LIMIT_TRANSFERS)
        return NULL;
    call = origin->waiting;
    DL_DELETE(origin->waiting, call);
    origin->live++;
    net->live_count++;
    DL_APPEND(net->live, call);
    call->phase = PHASE_LIVE;
    DL_DELETE(net->ready, origin); /* to the end of the row */
    origin->is_ready = 0;
    origin_settle(net, origin);
    return call;
}
