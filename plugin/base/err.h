/*
 * err.h - why something failed: one kind that code may branch on, one sentence for people. Three
 * origins are kept apart by their kinds: the caller's arguments (INVALID), what this machine lacks
 * (CONFIG, IO, NOMEM, LIMIT, INTERNAL), and the service at the other end (all others).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/limits.h"

/* Stored in the ledger and shown in results by name; the order is not part of that. */
enum err_kind {
    ERR_NONE = 0,
    ERR_INVALID,      /* an argument; `field` names it */
    ERR_CONFIG,       /* the configuration lacks something or is broken */
    ERR_AUTH,         /* the key was not accepted */
    ERR_CREDITS,      /* nothing left to pay with */
    ERR_MODERATED,    /* the provider will not make that; never tried again */
    ERR_RATE_LIMITED,
    ERR_UNAVAILABLE,  /* the provider or the way to it */
    ERR_NOT_FOUND,
    ERR_EXPIRED,      /* too late: the job's time is over, or its result is gone */
    ERR_REFUSED,      /* our own policy: an address, a path, a redirect */
    ERR_LOST,         /* sent, but the answer never came: it may have been carried out */
    ERR_ANSWER,       /* the provider's answer makes no sense */
    ERR_LIMIT,
    ERR_IO,
    ERR_NOMEM,
    ERR_BUSY,         /* somebody else holds it just now */
    ERR_CANCELLED,
    ERR_DENIED,       /* a person was asked for a yes and did not give it */
    ERR_BUDGET,       /* it would pass a configured limit of spending */
    ERR_INTERNAL,     /* a mistake of ours */
    ERR_KINDS
};

struct err {
    enum err_kind kind;
    const char *advice; /* static, or NULL: "advice.<this>" fits better than the kind's own words */
    char field[64]; /* of INVALID */
    char text[LIMIT_ERR_TEXT];
};

/* Fill *err, unless it is NULL, and return -1 so that `return err_set(...)` reads well. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int err_field(struct err *err, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int err_nomem(struct err *err);
void err_advise(struct err *err, const char *advice); /* of an err that was set */

const char *err_kind_name(enum err_kind kind);   /* "rate_limited" */
enum err_kind err_kind_by_name(const char *name); /* ERR_INTERNAL for an unknown one */

#endif
