/*
 * chatart.h - what the files of this adapter share. Nothing here is called from outside; the
 * adapter itself is `provider_chatart` of provider.h. Every fact about the service (addresses,
 * codes, models, prices) is in manifests/providers/chatart.json; the one about signatures is in
 * oss.h.
 *
 * A plan's request, which next() reads and nothing else writes:
 *   wire       "image" or "video": which pair of addresses
 *   body       the service's own fields, without the list of files
 *   list       the field that takes the files' addresses, in the order of `inputs`
 *   inputs     [{"path","key","mime"} or {"url"}]
 *   timeout_ms of every exchange but the upload
 * That of a login: wire "login", device, timeout_ms.
 */
#ifndef CHATART_CHATART_H
#define CHATART_CHATART_H

#include "base/json.h"
#include "providers/provider.h"

/* catalog.c */

/* The catalogue; new, or NULL with *err filled. */
json_t *chatart_catalog(struct err *err);

/* The model of that kind ("image", "video", "character") by name or alias, or NULL. */
const json_t *chatart_model(const json_t *catalog, const char *kind, const char *name);
json_t *chatart_models(const struct provider_account *account);

/* plan.c, plan_image.c, plan_video.c */
struct chatart_planner {
    const struct provider_account *account;
    const json_t *catalog;
    const json_t *args;
    const json_t *model;
    const char *kind;   /* of models */
    const char *prefix; /* of file names */
    const char *wire;
    const char *list;
    json_t *body;
    json_t *inputs;
    json_t *uploads;
    json_t *changed;
    json_t *words; /* provider_plan.words */
    double cost;    /* of one */
    unsigned count; /* made one after the other */
    int failed; /* no memory somewhere */
    struct err *err;
};

int chatart_plan(const struct provider_account *account, const char *tool, const json_t *args,
                 struct provider_plan *ret_plan, struct err *err);
int chatart_plan_image(struct chatart_planner *planner, int edit);
int chatart_plan_video(struct chatart_planner *planner);
int chatart_plan_replace(struct chatart_planner *planner);

/* The model asked for, else the one of `slot` in the defaults; it must have `mode`, unless NULL. */
int chatart_choose_model(struct chatart_planner *planner, const char *slot, const char *mode);
/* Takes `value`; a NULL counts as no memory. */
void chatart_put(struct chatart_planner *planner, const char *field, json_t *value);
/* A value for the page on which the user confirms. */
void chatart_word(struct chatart_planner *planner, const char *name, const char *text);
/* Takes `used`. */
void chatart_note(struct chatart_planner *planner, const char *field, json_t *used,
                  const char *why);
/* Arguments that mean nothing here: said in `changed`. */
void chatart_drop(struct chatart_planner *planner, const char *field, const char *why);
/* One file, checked: `kind` is "image" or "video". */
int chatart_add_input(struct chatart_planner *planner, const char *field, const json_t *file,
                      const char *kind);
int chatart_add_prompt(struct chatart_planner *planner, const char *field, int required);
/* One of a list, by name without regard to case; *ret_used is the list's own text. */
int chatart_one_of(struct chatart_planner *planner, const char *field, const char *asked,
                   const json_t *list, const char **ret_used);

/* request.c: each 0, or -1 without memory */
int chatart_request_submit(struct provider_turn *turn, const json_t *catalog,
                           struct http_request *ret_request);
int chatart_request_poll(struct provider_turn *turn, const json_t *catalog,
                         struct http_request *ret_request);
int chatart_request_policy(struct provider_turn *turn, const json_t *catalog,
                           struct http_request *ret_request);
/* The upload of an input; *ret_url is where it will be found. -1 with *err. */
int chatart_request_put(struct provider_turn *turn, const json_t *catalog, const json_t *input,
                        struct http_request *ret_request, char **ret_url, struct err *err);
/* A call with the account's headers; body NULL: an empty POST. */
int chatart_request_call(const struct provider_account *account, struct arena *arena,
                         enum http_effect effect, const char *method, const char *path,
                         const json_t *body, int64_t timeout_ms, struct http_request *ret_request);

/* answer.c */
enum chatart_answer {
    ANSWER_DATA,    /* *ret_json is the whole envelope, owned by the caller */
    ANSWER_REFUSED, /* a code of the service, or a status that refuses: *ret_err, nothing was done */
    ANSWER_TROUBLE, /* it may work later: *ret_err */
    ANSWER_ODD,     /* no sense in it: *ret_err */
};

/* What an exchange brought. *ret_pause_ms: the pause that its code wants, 0: none. */
enum chatart_answer chatart_answer_read(const struct http_reply *reply, const json_t *catalog,
                                        struct arena *arena, json_t **ret_json,
                                        int64_t *ret_pause_ms, struct err *ret_err);
const json_t *chatart_payload(const json_t *envelope);
/* A number or a text as a number; -1 when it is neither. */
int64_t chatart_number(const json_t *value);
/* One line of somebody else's text, bounded, without control characters. */
const char *chatart_clean(struct arena *arena, const char *text);

/* oss.c */
#define OSS_SIGNATURE_BYTES 65

struct oss_put {
    const char *key_id;
    const char *secret;
    const char *token;
    const char *bucket;
    const char *region; /* without "oss-" */
    const char *object; /* raw */
    const char *mime;
    const char *time; /* 20260105T080910Z */
};

/* "/bucket/key" with all but A-Za-z0-9-_.~/ as %XX; NULL without memory. */
char *oss_canonical_uri(struct arena *arena, const struct oss_put *put);
/* Hex of the canonical request's SHA-256, and of the signature. 0, or -1 without memory. */
int oss_sign(struct arena *arena, const struct oss_put *put, char ret_request[OSS_SIGNATURE_BYTES],
             char ret_signature[OSS_SIGNATURE_BYTES]);
/* The Authorization header; NULL without memory. */
char *oss_authorization(struct arena *arena, const struct oss_put *put);
/* A name that no other file has: folder of the day, 16 random-looking digits, a plain base name. */
char *oss_object(struct arena *arena, const char *prefix, const char *path, const char *salt,
                 int64_t now_ms);
/* 20260105T080910Z of a wall clock. */
void oss_time(int64_t now_ms, char ret_text[20]);

/* login.c */
void chatart_login_next(struct provider_turn *turn, struct provider_step *ret_step);
int chatart_login_plan(const struct provider_account *account, const json_t *args,
                       const json_t *catalog, struct provider_plan *ret_plan, struct err *err);

/* account.c */
int chatart_check(const struct provider_account *account, struct arena *arena,
                  struct http_request *ret_request);
void chatart_checked(const struct http_reply *reply, struct provider_check *ret_check);
int chatart_ask(const struct provider_account *account, const char *action, const json_t *args,
                struct arena *arena, struct http_request *ret_request, struct err *err);
void chatart_told(const struct provider_account *account, const char *action, const json_t *args,
                  const struct http_reply *reply, json_t **ret_facts, struct err *ret_err);

#endif
