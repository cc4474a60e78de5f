/*
 * deliver.c - ahp.deliver/1: passes offers to the owner, on the plugin's stack, and brings the
 * owner's receipts to the plugin, from the top level. A receipt is copied into one block.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct receipt_item {
    struct item item;
    struct ahp_uv *h;
    ahp_receipt receipt;
};

int32_t ahp_uv_offer(void *ctx, const ahp_delivery *delivery)
{
    struct ahp_uv *h = ctx;

    h->end.stats.offers++;
    if (h->owner.offer == NULL || !(h->owner.deliver_flags & AHP_DELIVER_READY))
        return AHP_E_UNSUPPORTED;
    if (delivery == NULL || delivery->key.len == 0 || delivery->key.len > AHP_KEY_BYTES_MAX)
        return AHP_E_INVALID;
    return h->owner.offer(h->owner.ud, delivery);
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

void ahp_uv_receipt_run(struct receipt_item *it, int drop)
{
    struct ahp_uv *h = it->h;
    uint64_t t;

    h->receipts_count--;
    /* after stopped() the plugin has let go of everything; it offers again after a restart */
    if (!drop && !h->stopped && (h->phase == PHASE_STARTED || h->phase == PHASE_STOPPING)) {
        h->end.stats.receipts++;
        t = ahp_uv_enter(h);
        h->inst->receipt(h->inst->self, &it->receipt);
        ahp_uv_leave(h, AHP_UV_KIND_RECEIPT, t);
    }
    free(it);
}
