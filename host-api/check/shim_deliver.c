/*
 * shim_deliver.c - offers and receipts. Remembers the keys offered in this process and what became
 * of them; a key from before a restart is one that only the plugin's store knows.
 */
#include <stdlib.h>
#include <string.h>

#include "shim.h"

#define NO_OUTCOME (-1)

static struct shim_key *key_find(struct shim *shim, const ahp_text *text)
{
    struct shim_key *key = NULL;

    HASH_FIND(hh, shim->key_by_text, text->ptr, text->len, key);
    return key;
}

/* The hash keeps the order of insertion: its head is the oldest. */
static void key_add(struct shim *shim, const ahp_text *text)
{
    struct shim_key *key = malloc(sizeof(*key) + text->len);

    if (key == NULL)
        return; /* one check less */
    memset(key, 0, sizeof(*key));
    memcpy(key->key, text->ptr, text->len);
    key->outcome = NO_OUTCOME;
    HASH_ADD_KEYPTR(hh, shim->key_by_text, key->key, text->len, key);
    if (key->hh.tbl == NULL) {
        free(key);
        return;
    }
    if (HASH_COUNT(shim->key_by_text) > SHIM_KEYS_MAX) {
        struct shim_key *oldest = shim->key_by_text;

        HASH_DEL(shim->key_by_text, oldest);
        free(oldest);
    }
}

void shim_deliver_done(struct shim *shim)
{
    struct shim_key *key;
    struct shim_key *next;

    HASH_ITER(hh, shim->key_by_text, key, next) {
        HASH_DEL(shim->key_by_text, key);
        free(key);
    }
}

static int key_is_valid(const ahp_text *key)
{
    if (key->ptr == NULL || key->len == 0 || key->len > AHP_KEY_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < key->len; i++) {
        char c = key->ptr[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == ':' || c == '.' || c == '_' || c == '-'))
            return 0;
    }
    return 1;
}

/* --- offer ------------------------------------------------------------------------------------ */

static int delivery_is_sound(const struct shim_subject *about, const ahp_delivery *delivery)
{
    if (!key_is_valid(&delivery->key)) {
        shim_accuse(about->shim, AHP_SHIM_PLUGIN_KEY,
                    "offer: a key of %zu bytes; 1 to %u of [A-Za-z0-9:._-] are allowed",
                    delivery->key.len, (unsigned)AHP_KEY_BYTES_MAX);
        return 0;
    }
    shim_check_argument(about, delivery->attempt >= 1, "attempt counts from 1");
    shim_check_argument(about,
                        delivery->kind == AHP_DELIVERY_RESULT ||
                            delivery->kind == AHP_DELIVERY_NOTICE,
                        "no such kind");
    return shim_check_text(about, "reply_to", &delivery->reply_to, AHP_REPLY_TO_BYTES_MAX) &&
           shim_check_utf8(about, "conversation", &delivery->conversation,
                           AHP_CONVERSATION_BYTES_MAX) &&
           shim_check_utf8(about, "job_id", &delivery->job_id, AHP_KEY_BYTES_MAX) &&
           shim_check_utf8(about, "text", &delivery->text, AHP_DELIVERY_TEXT_BYTES_MAX) &&
           shim_check_files(about, delivery->files, delivery->files_count);
}

static const ahp_delivery *delivery_lend(struct shim_loan *loan, const ahp_delivery *delivery)
{
    ahp_delivery *copy = shim_lend_bytes(loan, delivery, delivery->size);

    if (copy == NULL)
        return delivery;
    shim_lend_text(loan, &copy->key);
    shim_lend_text(loan, &copy->reply_to);
    shim_lend_text(loan, &copy->conversation);
    shim_lend_text(loan, &copy->job_id);
    shim_lend_text(loan, &copy->text);
    copy->files = shim_lend_files(loan, copy->files, copy->files_count);
    return loan->failed ? delivery : copy;
}

int32_t shim_deliver_offer(void *ctx, const ahp_delivery *delivery)
{
    struct shim *shim = ctx;
    struct shim_subject about = {shim, AHP_FN_OFFER, AHP_SIDE_PLUGIN};
    struct shim_loan loan = {NULL, 0};
    struct shim_key *key;
    int32_t rc;
    int before;

    rc = shim_host_begin(shim, AHP_FN_OFFER, &before);
    if (rc != AHP_OK)
        return rc;
    rc = AHP_E_INVALID;
    if (delivery == NULL || !shim_check_size(&about, "ahp_delivery", delivery->size,
                                             SIZE_1_0(ahp_delivery, files)))
        goto out;
    if (!delivery_is_sound(&about, delivery))
        goto out;
    key = key_find(shim, &delivery->key);
    if (key != NULL && key->outcome == AHP_RECEIPT_HELD)
        shim_accuse(shim, AHP_SHIM_PLUGIN_OFFER_HELD, "offer: the host holds %.*s already",
                    (int)delivery->key.len, delivery->key.ptr);
    if (key != NULL && key->outcome == AHP_RECEIPT_DELIVERED)
        shim_accuse(shim, AHP_SHIM_PLUGIN_OFFER_DELIVERED, "offer: %.*s was delivered",
                    (int)delivery->key.len, delivery->key.ptr);
    if (key == NULL) /* before the call: its receipt may come inline, from a host that misbehaves */
        key_add(shim, &delivery->key);
    rc = shim_result(
        shim, AHP_FN_OFFER,
        shim->deliver->offer(shim->host->ctx, delivery_lend(&loan, delivery)));
    shim_lend_end(&loan);
    if (rc == AHP_OK && (shim->deliver->flags & AHP_DELIVER_READY) == 0)
        shim_accuse(shim, AHP_SHIM_HOST_NOT_READY, "offer: accepted without AHP_DELIVER_READY");
out:
    shim_host_end(shim, before);
    return rc;
}

/* --- receipt ---------------------------------------------------------------------------------- */

static int receipt_is_sound(const struct shim_subject *about, const ahp_receipt *receipt)
{
    if (!key_is_valid(&receipt->key)) {
        shim_accuse(about->shim, AHP_SHIM_HOST_RECEIPT_KEY, "receipt: no valid key");
        return 0;
    }
    shim_check_argument(
        about, receipt->outcome >= AHP_RECEIPT_DELIVERED && receipt->outcome <= AHP_RECEIPT_LOST,
        "no such outcome");
    shim_check_argument(about, receipt->delay_ms >= 0, "delay_ms is negative");
    return shim_check_utf8(about, "host_ref", &receipt->host_ref, AHP_REPLY_TO_BYTES_MAX) &&
           shim_check_utf8(about, "error", &receipt->error, SHIM_TEXT_BYTES_MAX);
}

static const ahp_receipt *receipt_lend(struct shim_loan *loan, const ahp_receipt *receipt)
{
    ahp_receipt *copy = shim_lend_bytes(loan, receipt, receipt->size);

    if (copy == NULL)
        return receipt;
    shim_lend_text(loan, &copy->key);
    shim_lend_text(loan, &copy->host_ref);
    shim_lend_text(loan, &copy->error);
    return loan->failed ? receipt : copy;
}

static int is_final(int32_t outcome)
{
    return outcome == AHP_RECEIPT_DELIVERED || outcome == AHP_RECEIPT_REFUSED ||
           outcome == AHP_RECEIPT_LOST;
}

int32_t shim_inst_receipt(void *self, const ahp_receipt *receipt)
{
    struct shim *shim = self;
    struct shim_subject about = {shim, AHP_FN_RECEIPT, AHP_SIDE_HOST};
    struct shim_loan loan = {NULL, 0};
    struct shim_key *key;
    int known;
    int is_awaited;
    int32_t rc;

    if (!shim_on_loop(shim))
        return shim_enter(shim, AHP_FN_RECEIPT);
    if (receipt == NULL || !shim_check_size(&about, "ahp_receipt", receipt->size,
                                            SIZE_1_0(ahp_receipt, error)))
        return AHP_E_INVALID;
    if (!receipt_is_sound(&about, receipt))
        return AHP_E_INVALID;
    rc = shim_enter(shim, AHP_FN_RECEIPT);
    if (rc != AHP_OK)
        return rc;
    key = key_find(shim, &receipt->key);
    known = key != NULL;
    is_awaited = known && !is_final(key->outcome);
    if (known && is_final(key->outcome) && is_final(receipt->outcome) &&
        key->outcome != receipt->outcome)
        shim_accuse(shim, AHP_SHIM_HOST_RECEIPT_CHANGED,
                    "receipt: %d for a key that had %d, both are final", (int)receipt->outcome,
                    (int)key->outcome);
    if (known && !is_final(key->outcome))
        key->outcome = receipt->outcome;
    rc = shim->inst->receipt(shim->inst->self, receipt_lend(&loan, receipt));
    shim_leave(shim);
    shim_lend_end(&loan);
    rc = shim_result(shim, AHP_FN_RECEIPT, rc);
    if (rc == AHP_E_STALE && is_awaited) /* for any other key it means: forget it */
        shim_accuse(shim, AHP_SHIM_PLUGIN_RESULT,
                    "receipt: the plugin does not know a key that it offered");
    return rc;
}
