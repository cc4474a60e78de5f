/*
 * libtv.h - what the files of this adapter share. Nothing here is called from outside; the adapter
 * itself is `provider_libtv` of provider.h.
 *
 * The service is an agent that one chats with: a message goes into a session, results come as
 * messages in it. It has two doors, each an account of its own: `libtv`, the personal API (answers
 * in an envelope {code, message, data}), and `nexu`, a gateway (bare answers, errors under
 * `error`). What differs between them is in the catalogue, libtv.backends.<account>.
 *
 * A plan's request, which next() reads and nothing else writes:
 *   kind       "image" or "video"
 *   prompt     the user's words, which are relayed as they are
 *   inputs     [{"role":"image|first|last|reference|video", "url" or "path", "key", "mime"}]
 *   ratio      the line to be added when the words name none; absent: no line
 *   hint       the model's line, to be added when the words name none; absent: no line
 *   session    to go on with; absent: a new one
 *   full       true: the full file where the answer has one beside the preview
 *   new_project  true: the key is moved to a new project first
 *   timeout_ms
 */
#ifndef LIBTV_LIBTV_H
#define LIBTV_LIBTV_H

#include "base/json.h"
#include "providers/provider.h"

#define LIBTV_URL_MAX     1536 /* of a result or an upload: many of them are kept in the flow */
#define LIBTV_SESSION_MAX 128 /* letters of a session's or project's name */

/* catalog.c */

/* The catalogue of manifests/providers/libtv.json; new, or NULL with *err filled. */
json_t *libtv_catalog(struct err *err);
/* What is particular to an account's door; never NULL for accounts of this adapter. */
const json_t *libtv_backend(const json_t *catalog, const struct provider_account *account);
const json_t *libtv_own(const json_t *catalog); /* catalog.libtv */
int libtv_can(const struct provider_account *account, const char *what);
json_t *libtv_models(const struct provider_account *account);

/* plan.c */
int libtv_plan(const struct provider_account *account, const char *tool, const json_t *args,
               struct provider_plan *ret_plan, struct err *err);

/* prompt.c */

/* Does the text name one of the ratios? A time of day does not. */
int libtv_names_ratio(const json_t *catalog, const char *text);
int libtv_names_model(const json_t *catalog, const char *text);
/* "W:H" with one or two digits each, and nothing else. */
int libtv_is_ratio(const char *text);
/* A request's message: its words, the references' addresses, at most two lines. NULL: no memory. */
char *libtv_message(struct arena *arena, const json_t *catalog, const json_t *request,
                    const json_t *uploads);

/* url.c */

/* Base and a path of the catalogue, joined by one slash; {id} is put in. NULL: no memory. */
char *libtv_url_api(struct arena *arena, const char *base, const char *path, const char *id);
/* May a result be there? Scheme, host and beginning of the path are exactly those known. */
int libtv_url_is_result(const struct provider_account *account, const json_t *catalog,
                        const char *url);
/* Where the address that starts at `text` ends, punctuation behind it not counted. */
size_t libtv_url_len(const char *text, size_t len);
/* Letters, digits, "-" and "_" only, not too many: fit for a path. */
int libtv_is_name(const char *text);

/* scan.c: what the messages of a session say about one turn of ours */
struct libtv_scan {
    /* in */
    const struct provider_account *account;
    const json_t *catalog;
    const json_t *messages; /* a list, or null */
    const json_t *uploads;  /* {key: address}: ours, so no results */
    const char *text;       /* our message */
    int full;
    int64_t base;           /* place of the last message before ours; -1: not known */
    int64_t own;            /* place of our message, 0: not seen yet */
    struct arena *arena;
    /* out */
    int found;              /* a message of exactly our words is there */
    int64_t last;           /* place of the last message */
    int has_seq;
    size_t said;            /* messages of this turn after ours */
    int closed;             /* the agent spoke last, and called no tool */
    int pending;            /* a tool was called and has not answered */
    int failed;
    const char *reason;     /* with failed */
    const char *words;      /* the agent's last, or "" */
    const char *urls[LIMIT_FILES];
    size_t urls_count;
};
/* 0, or -1 without memory. Whatever the shape of the messages. */
int libtv_scan(struct libtv_scan *scan);

/* error.c */

/* A reply to the letter: its JSON (new, or NULL), the error it tells of, 1 when it tells of none.
 */
int libtv_answer(const struct http_reply *reply, const json_t *catalog, struct arena *arena,
                 json_t **ret_json, struct err *ret_err);
/* An answer's content: inside the envelope, if it has one. Borrowed. */
const json_t *libtv_data(const json_t *json);
/* The kind that words tell of; `otherwise` when they tell nothing. Advice goes with it. */
void libtv_error_words(const json_t *catalog, const char *code, const char *text,
                       enum err_kind otherwise, struct err *ret_err);

/* request.c; 0, or -1 with *err */
int libtv_request_status(struct provider_turn *turn, const json_t *catalog,
                         struct http_request *ret_request, struct err *err);
int libtv_request_tasks(struct provider_turn *turn, const json_t *catalog,
                        struct http_request *ret_request, struct err *err);
/* `way`: which of the door's paths. */
int libtv_request_upload(struct provider_turn *turn, const json_t *catalog, const json_t *input,
                         size_t way, struct http_request *ret_request, struct err *err);
/* session NULL: a new one. message NULL: only make or bind it, which costs nothing. */
int libtv_request_session(struct provider_turn *turn, const json_t *catalog, const char *session,
                          const char *message, struct http_request *ret_request, struct err *err);
/* Moves the key to a new project, for all who use it. */
int libtv_request_project(struct provider_turn *turn, const json_t *catalog,
                          struct http_request *ret_request, struct err *err);
int libtv_request_messages(struct provider_turn *turn, const json_t *catalog, const char *session,
                           int64_t after, struct http_request *ret_request, struct err *err);

/* check.c: whether the key is accepted, and what a gateway's key has left */
int libtv_check(const struct provider_account *account, struct arena *arena,
                struct http_request *ret_request);
void libtv_checked(const struct http_reply *reply, struct provider_check *ret_check);
/* What an answer about a gateway's key says: {remaining_uses, max_uses, expires_at?}, new or NULL.
 */
json_t *libtv_key_facts(const json_t *json);

#endif
