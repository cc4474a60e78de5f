/*
 * outbox.h - the delivering side of this host: a folder that takes messages. Parcels are written
 * one at a time, on libuv's pool or, without it, in steps from the loop.
 *
 * Keys are remembered as long as their messages stay in the folder. Messages that were held when an
 * earlier process ended are put in their place once the instance has started, and their receipts
 * follow. A held message keeps its mark in held/ until the plugin has taken the receipt, so a kill
 * in between makes the next process repeat the receipt, never lose it.
 */
#ifndef CLI_OUTBOX_H
#define CLI_OUTBOX_H

#include <uv.h>

#include <ahp/deliver.h>

#include "preview.h"
#include "term.h"

/* More offers at once are answered with AHP_E_LIMIT. */
#define OUTBOX_PARCELS_MAX 64u

/* How soon to offer again when the folder could not be written. */
#define OUTBOX_RETRY_MS 5000

struct outbox;

struct outbox_counts {
    uint32_t delivered;
    uint32_t repeats;
    uint32_t refused;
    uint32_t failed;
};

/* Gives a receipt to the plugin, later: ahp_uv_receipt. */
typedef void outbox_receipt_fn(void *ud, const ahp_receipt *receipt);

/* Makes the folder if need be. On failure NULL and the reason in ret_error. Delivered pictures are
 * shown in `preview`, which may be NULL. */
struct outbox *outbox_open(uv_loop_t *loop, const char *dir, const char *script, int use_work,
                           struct term *term, struct preview *preview, char *ret_error,
                           size_t error_size, outbox_receipt_fn *receipt_fn, void *ud);

/* Releases what an earlier process held and sends the receipts; after the instance has started. */
void outbox_start(struct outbox *b);

/* As ahp_deliver.offer. */
int32_t outbox_offer(struct outbox *b, const ahp_delivery *delivery);

/* The plugin has taken a receipt, or does not know its key: it need not be said again. */
void outbox_receipt_taken(struct outbox *b, const ahp_receipt *receipt);

/* 1 while a parcel is on its way. */
int outbox_busy(const struct outbox *b);

void outbox_counts_get(const struct outbox *b, struct outbox_counts *ret_counts);

/*
 * Before the instance is taken down: nothing is begun or released from here on, since its receipt
 * would reach nobody. What a thread is writing may still be finished. NULL is ignored.
 */
void outbox_stop(struct outbox *b);

/* Breaks off what is unfinished. The loop must turn until all its handles are closed. */
void outbox_close(struct outbox *b);

#endif
