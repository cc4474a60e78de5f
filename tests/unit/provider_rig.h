/*
 * provider_rig.h - what the tests of the adapters share: the golden files, and one conversation
 * with an adapter, without a network. A test says what was answered and looks at the step that
 * follows.
 *
 * Between two steps the flow goes through text, as in the ledger (talk_next alone leaves that out),
 * and what is written so is looked through for credentials, after the last step too. The secrets
 * stay in memory, as in the engine.
 */
#ifndef TESTS_PROVIDER_RIG_H
#define TESTS_PROVIDER_RIG_H

#include "providers/provider.h"
#include "unit/json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- golden files and JSON ---- */

/* A file of the source tree, named from its root. Fails where it cannot be read. */
json_t *golden_load(const char *name);
/* Each case of a file of at least so many. */
void golden_rows(const char *file, size_t rows_min,
                 void (*check)(const char *name, const json_t *row));
/*
 * Each case with each allocation failing in turn, that one alone and all from there on: n counts up
 * until `one` says that it did not come so far, by its return of 1. There is much to walk.
 */
void golden_walk(const char *file, int (*one)(const json_t *row, long n, int for_good));
const char *golden_text(const json_t *object, const char *key, const char *otherwise);
/* Fails, with both texts, where the two differ. Both NULL are the same. */
void golden_same(const char *name, const json_t *got, const json_t *want);
/* The names of the changed fields, and that each says why; NULL wants none. */
void golden_check_changed(const char *name, const json_t *changed, const json_t *want);
/* An error against "kind", "has", "hasnt", "field" and "advice" of a case. */
void golden_check_error(const char *name, const struct err *err, const json_t *want);

/*
 * What a plan made of a case: 1 when the case has an "error", which it must be then (of the kind
 * ERR_INVALID where none is said), 0 when it is to go on. Fails where the two do not agree.
 */
int golden_refused(const char *name, int rc, const struct err *err, const json_t *row);

/* An answer of 200 that came whole; the text is borrowed. */
struct http_reply golden_reply(const char *text, size_t len);
/* A case's "reply": outcome, status, body or text, retry_after_ms. *ret_text is to be freed. */
struct http_reply golden_reply_of(const json_t *row, char **ret_text);
/* "send", "wait", ...: the words of the golden files. */
const char *golden_step_name(enum provider_step_kind kind);

/* NULL where there is none. */
const char *golden_header(const struct http_request *request, const char *name);

/* The group setup of these programs: jansson's memory can fail too. */
int golden_setup(void **state);

/* ---- one conversation ---- */

struct talk {
    const struct provider *provider;
    struct provider_account account;
    struct provider_plan plan;
    json_t *flow;
    json_t *secrets;
    int64_t now_ms; /* 2026-09-21T14:13:20Z, unless a test sets it */
    int recheck;
    int cancelled;
    struct arena arena;
    struct provider_step step;
};

/*
 * Plans. 0, or -1 with *err and nothing to close. Without memory behind a plan that was made: 0,
 * and flow is NULL.
 */
int talk_open(struct talk *talk, const struct provider *provider,
              const struct provider_account *account, const char *tool, const json_t *args,
              struct err *err);
void talk_close(struct talk *talk);

/*
 * Opens by a case and makes the first step, with the nth allocation failing; a plan that is refused
 * must say so. 1 when it did not come so far. Without a flow there is nothing to look at or to
 * close.
 */
int talk_starved(struct talk *talk,
                 int (*open)(struct talk *talk, const json_t *row, struct err *err),
                 const json_t *row, long n, int for_good);

/* The next step with the flow as it is. */
void talk_next(struct talk *talk, const struct http_reply *reply, int resumed);
/* The next step as another process would make it. */
void talk_turn(struct talk *talk, const struct http_reply *reply, int resumed);

/* The three things that can happen; the first two to what was sent. */
void talk_hear(struct talk *talk, int status, const char *text);
void talk_lose(struct talk *talk, enum http_outcome outcome);
void talk_wake(struct talk *talk);

#endif
