/*
 * approval.h - "ahp.approval/1", optional: the host asks a person before a plugin does what needs a
 * yes, such as spending money. Host side; a plugin gets it from ahp_host.ext(ctx, AHP_APPROVAL_1).
 * All functions are [loop].
 *
 * A question belongs to an open call, which stays open meanwhile; what was answered is good for
 * that call alone. The plugin does nothing of what it asks about before the answer is
 * AHP_APPROVAL_ALLOWED. A host that does not offer this, or answers ask with AHP_E_UNSUPPORTED,
 * leaves the asking to the plugin, which then answers the call with what it would do and how to say
 * yes to it. Any other refusal fails the call.
 */
#ifndef AHP_APPROVAL_H
#define AHP_APPROVAL_H

#include "ahp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AHP_APPROVAL_1 "ahp.approval/1"

/* Longest texts of a question; a host may show less of them, but the amount always. */
#define AHP_APPROVAL_TITLE_BYTES_MAX 256u
#define AHP_APPROVAL_TEXT_BYTES_MAX 8192u
#define AHP_APPROVAL_WORD_BYTES_MAX 256u /* of amount, currency and target */

/* What a person said. An unknown value means DENIED. */
#define AHP_APPROVAL_ALLOWED 0   /* for this call, once */
#define AHP_APPROVAL_DENIED 1
#define AHP_APPROVAL_TIMED_OUT 2 /* nobody said anything by the deadline */

typedef struct ahp_question {
    uint32_t size;
    uint32_t reserved;     /* 0 */
    uint64_t call_id;      /* the open call it belongs to */
    int64_t deadline_ms;   /* on the loop's clock: an answer, if only TIMED_OUT, comes by then */
    ahp_text title;        /* one line: what would be done */
    ahp_text text;         /* the plan in the user's language, maybe of several lines */
    ahp_text amount;       /* a decimal number such as "0.25"; none: it is not known */
    ahp_text currency;     /* what the amount is in, such as "USD"; none without an amount */
    ahp_text target;       /* who gets it and for what, such as "myservice / some-model" */
    ahp_text conversation; /* as it came with the call */
} ahp_question;

/* A question that was not answered yet. */
typedef struct ahp_asked ahp_asked;

typedef void ahp_answer_fn(void *ud, int32_t answer);

typedef struct ahp_approval {
    uint32_t size;
    uint32_t reserved; /* 0 */

    /*
     * Asks. 0: exactly one cb(ud, answer) follows, never before ask has returned (R1), unless
     * ask_free comes first; the handle is the host's and ends by itself just before it. Legal from
     * start until stop, for a call that is open. AHP_E_UNSUPPORTED: nobody can be asked in this
     * call. AHP_E_LIMIT: too many questions at once. AHP_E_INVALID: no such call is open, or no
     * well-formed question. AHP_E_NOMEM.
     */
    int32_t (*ask)(void *ctx, const ahp_question *question, ahp_asked **ret_asked,
                   ahp_answer_fn *cb, void *ud);

    /*
     * Takes back a question that was not answered: no callback follows, and the host stops showing
     * it where it can. Due before its call is completed; legal until destroy returns. NULL is
     * ignored.
     */
    void (*ask_free)(ahp_asked *asked);
} ahp_approval;

#ifdef __cplusplus
}
#endif

#endif
