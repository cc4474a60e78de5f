/*
 * deliver.h - "ahp.deliver/1": messages that reach a chat after the call has been answered, with
 * receipts. All functions are [loop].
 *
 * A delivery has a key that the plugin has stored before the first offer. An accepted offer is
 * answered with ahp_inst.receipt, which may happen after a restart of both sides. What has neither
 * a final receipt (DELIVERED, REFUSED, LOST) nor HELD is offered again with the same key after a
 * restart, and the host drops what it has seen: each host says for how long it remembers.
 *
 * A host gives its receipt within AHP_RECEIPT_WITHIN_MS of the offer: a plugin may take a longer
 * silence for UNKNOWN. A host that is still busy then answers AHP_E_EXISTS to a repeat of the key.
 *
 * A person's "send again" uses the old key when that may not have arrived (no final receipt), so
 * that the host can drop a repeat, and a new key when the old one is settled.
 */
#ifndef AHP_DELIVER_H
#define AHP_DELIVER_H

#include "ahp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AHP_DELIVER_1 "ahp.deliver/1"

/* Hosts that drop repeats remember keys for at least this long: 7 days. */
#define AHP_REPEAT_WINDOW_MS_MIN (7 * 24 * 3600 * INT64_C(1000))

/* How long a host may take for a receipt before the plugin takes it for lost: 10 minutes. */
#define AHP_RECEIPT_WITHIN_MS (10 * 60 * INT64_C(1000))

/* Flags of ahp_deliver. READY may change while the instance runs: it is read at each offer. */
#define AHP_DELIVER_READY 1u         /* this host can deliver; without it offers are refused */
#define AHP_DELIVER_DROPS_REPEATS 2u /* a key that was delivered before is not delivered again */

/* The longest text of a delivery. It names at most AHP_FILES_MAX files. */
#define AHP_DELIVERY_TEXT_BYTES_MAX (1024u * 1024u)

/* What a delivery is. */
#define AHP_DELIVERY_RESULT 0 /* the result of a job, with its files */
#define AHP_DELIVERY_NOTICE 1 /* words only: a failure, a question, a partial state */

/* What became of an offer. */
#define AHP_RECEIPT_DELIVERED 0 /* durable on the channel's side; final */
#define AHP_RECEIPT_HELD 1      /* in the host's durable queue: do not offer again, one follows */
#define AHP_RECEIPT_LATER 2     /* not now: offer again after delay_ms */
#define AHP_RECEIPT_REFUSED 3   /* never; final */
#define AHP_RECEIPT_UNKNOWN 4   /* it may have arrived; an offer of the same key may tell */
#define AHP_RECEIPT_LOST 5      /* it may have arrived, and this host will never know; final */

typedef struct ahp_delivery {
    uint32_t size;
    uint32_t attempt; /* from 1 */
    int32_t kind;     /* AHP_DELIVERY_ */
    uint32_t files_count;
    ahp_text key;          /* stable; at most AHP_KEY_BYTES_MAX bytes of [A-Za-z0-9:._-] */
    ahp_text reply_to;     /* as it came with the call */
    ahp_text conversation; /* as it came with the call */
    ahp_text job_id;
    ahp_text text; /* the words, in the user's language */
    const ahp_file *const *files; /* borrowed (R5); the files on disk stay until the final receipt */
} ahp_delivery;

typedef struct ahp_receipt {
    uint32_t size;
    int32_t outcome;   /* AHP_RECEIPT_ */
    ahp_text key;
    int64_t delay_ms;  /* LATER: how long; 0: the plugin's own backoff */
    ahp_text host_ref; /* the channel's message id, or none */
    ahp_text error;    /* why not, for people and logs; no secret */
} ahp_receipt;

/* Host side; a plugin gets it from ahp_host.ext(ctx, AHP_DELIVER_1). */
typedef struct ahp_deliver {
    uint32_t size;
    uint32_t flags;           /* AHP_DELIVER_ */
    int64_t repeat_window_ms; /* how long keys are remembered, with DROPS_REPEATS */
    uint64_t file_bytes_max;  /* larger files cannot be sent; 0: not known */

    /*
     * Takes a delivery, which is borrowed until offer returns: 0 means that a receipt will follow,
     * never before that (R1).
     * Legal from start until stop. A delivery with too many files or too long a text is accepted
     * and gets the receipt REFUSED.
     * AHP_E_LIMIT: too many at once, try later. AHP_E_UNSUPPORTED: this host cannot deliver.
     * AHP_E_EXISTS: this key is being delivered already; its receipt will come. AHP_E_INVALID: not
     * a well-formed delivery. AHP_E_NOMEM: try later.
     */
    int32_t (*offer)(void *ctx, const ahp_delivery *delivery);
} ahp_deliver;

#ifdef __cplusplus
}
#endif

#endif
