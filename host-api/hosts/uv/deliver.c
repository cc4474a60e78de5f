/*
 * deliver.c - ahp.deliver/1: passes offers to the owner, on the plugin's stack, and brings the
 * owner's receipts to the plugin, from the top level. A receipt is copied into one block. One that
 * the plugin does not take waits in receipts_again, with a delay that doubles, until it is given
 * again or the instance goes.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct receipt_item {
    struct item item;
    struct ahp_uv *h;
    ahp_receipt receipt;
    int64_t again_in_ms; /* the last delay */
    int64_t again_at_ms;
    struct receipt_item *prev;
    struct receipt_item *next;
};

int32_t ahp_uv_offer(void *ctx, const ahp_delivery *delivery)
{
    struct ahp_uv *h = ctx;

    h->end.stats.offers++;
    if (h->owner.offer == NULL || !(h->deliver.flags & AHP_DELIVER_READY))
        return AHP_E_UNSUPPORTED;
    if (delivery == NULL || delivery->key.len == 0 || delivery->key.len > AHP_KEY_BYTES_MAX)
        return AHP_E_INVALID;
    return h->owner.offer(h->owner.ud, delivery);
}

void ahp_uv_deliver_set(struct ahp_uv *h, uint32_t deliver_flags)
{
    h->deliver.flags = h->owner.offer != NULL ? deliver_flags : 0;
}

static ahp_text put(char **at, ahp_text text)
{
    ahp_text copy = {NULL, 0};

    if (text.ptr == NULL)
        return copy;
    copy.ptr = *at;
    copy.len = text.len;
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

int32_t ahp_uv_receipt(struct ahp_uv *h, const ahp_receipt *receipt)
{
    struct receipt_item *it;
    char *at;

    if (h->phase != PHASE_STARTED && h->phase != PHASE_STOPPING)
        return AHP_E_STATE;
    if (h->receipts_count >= AHP_UV_RECEIPTS_MAX)
        return AHP_E_LIMIT;
    it = calloc(1, sizeof(*it) + receipt->key.len + receipt->host_ref.len + receipt->error.len + 3);
    if (it == NULL)
        return AHP_E_NOMEM;
    at = (char *)(it + 1);
    it->item.kind = ITEM_RECEIPT;
    it->item.owner = it;
    it->h = h;
    it->receipt.size = sizeof(it->receipt);
    it->receipt.outcome = receipt->outcome;
    it->receipt.delay_ms = receipt->delay_ms;
    it->receipt.key = put(&at, receipt->key);
    it->receipt.host_ref = put(&at, receipt->host_ref);
    it->receipt.error = put(&at, receipt->error);
    h->receipts_count++;
    ahp_uv_queue_add(h, &it->item);
    return AHP_OK;
}

static void on_again(uv_timer_t *timer);

static void arm_again(struct ahp_uv *h)
{
    const struct receipt_item *it;
    int64_t first_ms = INT64_MAX;
    int64_t now_ms;

    if (h->receipts_again == NULL)
        return;
    DL_FOREACH(h->receipts_again, it)
    if (it->again_at_ms < first_ms)
        first_ms = it->again_at_ms;
    uv_update_time(h->loop);
    now_ms = ahp_uv_now_ms(h);
    h->receipts_due_ms = first_ms;
    uv_timer_start(&h->receipts_timer, on_again,
                   first_ms > now_ms ? (uint64_t)(first_ms - now_ms) : 0, 0);
}

static void on_again(uv_timer_t *timer)
{
    struct ahp_uv *h = timer->data;
    int64_t now_ms = ahp_uv_now_ms(h);
    struct receipt_item *it;
    struct receipt_item *next;

    DL_FOREACH_SAFE(h->receipts_again, it, next)
    {
        if (it->again_at_ms > now_ms)
            continue;
        DL_DELETE(h->receipts_again, it);
        ahp_uv_queue_add(h, &it->item);
    }
    arm_again(h);
}

static void give_again(struct receipt_item *it)
{
    struct ahp_uv *h = it->h;

    it->again_in_ms = it->again_in_ms == 0 ? AHP_UV_RECEIPT_AGAIN_MS_MIN : 2 * it->again_in_ms;
    if (it->again_in_ms > AHP_UV_RECEIPT_AGAIN_MS_MAX)
        it->again_in_ms = AHP_UV_RECEIPT_AGAIN_MS_MAX;
    it->again_at_ms = ahp_uv_now_ms(h) + it->again_in_ms;
    DL_APPEND(h->receipts_again, it);
    if (!uv_is_active((uv_handle_t *)&h->receipts_timer) ||
        it->again_at_ms < h->receipts_due_ms)
        arm_again(h);
}

static void receipt_free(struct receipt_item *it)
{
    it->h->receipts_count--;
    free(it);
}

void ahp_uv_receipt_run(struct receipt_item *it, int drop)
{
    struct ahp_uv *h = it->h;
    int32_t code;
    uint64_t t;

    /* after stopped() the plugin has let go of everything; it offers again after a restart */
    if (drop || h->stopped || (h->phase != PHASE_STARTED && h->phase != PHASE_STOPPING)) {
        receipt_free(it);
        return;
    }
    h->end.stats.receipts++;
    t = ahp_uv_enter(h);
    code = h->inst->receipt(h->inst->self, &it->receipt);
    ahp_uv_leave(h, AHP_UV_KIND_RECEIPT, t);
    if (code < 0 && code != AHP_E_STALE) {
        if (h->phase == PHASE_STARTED && code != AHP_E_DEAD)
            give_again(it);
        else
            receipt_free(it); /* not taken: after a restart */
        return;
    }
    if (h->owner.receipt_taken != NULL)
        h->owner.receipt_taken(h->owner.ud, &it->receipt, code < 0 ? code : AHP_OK);
    receipt_free(it);
}

int32_t ahp_uv_deliver_init(struct ahp_uv *h)
{
    if (uv_timer_init(h->loop, &h->receipts_timer) != 0)
        return AHP_E_FAILED;
    h->receipts_timer.data = h;
    ahp_uv_handle_added(h, (uv_handle_t *)&h->receipts_timer);
    return AHP_OK;
}

void ahp_uv_deliver_close(struct ahp_uv *h)
{
    struct receipt_item *it;
    struct receipt_item *next;

    DL_FOREACH_SAFE(h->receipts_again, it, next)
    {
        DL_DELETE(h->receipts_again, it);
        receipt_free(it);
    }
}
