/*
 * openai.h - what the files of this adapter share. Nothing here is called from outside; the adapter
 * itself is `provider_openai` of provider.h.
 *
 * A plan's request, which next() reads and nothing else writes:
 *   kind       "image" or "video"
 *   body       the provider's own fields, `extra` already merged
 *   inputs     [{"role":"image|mask|first|last|reference", "path" or "url", "mime"}]
 *   wire       paths and field names, after family, host and the user's dialect
 *   timeout_ms of the submit
 */
#ifndef OPENAI_OPENAI_H
#define OPENAI_OPENAI_H

#include "base/buf.h"
#include "base/json.h"
#include "providers/provider.h"

/* catalog.c */

/* The catalogue of manifests/providers/openai.json; new, or NULL with *err filled. */
json_t *openai_catalog(struct err *err);

/* The entry of a name or alias (a vendor prefix and a date suffix are looked past), else "*". */
const json_t *openai_catalog_model(const json_t *catalog, const char *name, const char *kind);

/* Family, host and dialect merged; new, or NULL without memory. */
json_t *openai_catalog_wire(const json_t *catalog, const struct provider_account *account,
                            const json_t *entry, const char *kind);

/* "image", "video" or NULL, by the words in a model's name. */
const char *openai_catalog_kind(const json_t *catalog, const char *model);

/* The name of one row of account->models, or NULL. */
const char *openai_account_model(const json_t *row);

json_t *openai_catalog_models(const struct provider_account *account);

/* url.c */

/* Base and a path of the catalogue; "^" in front: from the origin. {id} is put in encoded. */
char *openai_url_api(struct arena *arena, const char *base, const char *path, const char *id);

/*
 * What a reference in an answer means: absolute ones as they are, "/v1/x" from the origin when the
 * base has that prefix, other ones from the base. NULL: no usable http(s) address, or no memory.
 */
char *openai_url_join(struct arena *arena, const char *base, const char *ref, size_t len);
int openai_url_same_origin(const char *a, const char *b);
int openai_url_host_is(const char *url, const char *host);

/* Of the path's extension: 'i' for pictures, 'v' for videos, 0 for others. */
int openai_url_media(const char *url, size_t len);

/* plan.c, plan_image.c, plan_video.c */
struct openai_planner {
    const struct provider_account *account;
    const json_t *args;
    const json_t *entry;
    const json_t *wire;
    json_t *body;
    json_t *inputs;
    json_t *changed;
    const char *kind;
    const char *model;
    int edit;
    unsigned files;
    double seconds; /* of a video, 0: not said */
    int failed;     /* no memory somewhere */
    struct err *err;
};

int openai_plan(const struct provider_account *account, const char *tool, const json_t *args,
                struct provider_plan *ret_plan, struct err *err);
int openai_plan_image(struct openai_planner *planner);
int openai_plan_video(struct openai_planner *planner);

/* Takes `value`; a NULL counts as no memory. */
void openai_put(struct openai_planner *planner, const char *field, json_t *value);
/* Takes `used`. */
void openai_note(struct openai_planner *planner, const char *field, json_t *used, const char *why);
/* Is a field that not every provider knows wanted by this one? */
int openai_knows(const struct openai_planner *planner, const char *field);
/* Sends a field that is known, drops it with a note otherwise. */
void openai_pass(struct openai_planner *planner, const char *arg, const char *field);
/* Appends one file with its checks; `field` is what an error names. */
int openai_add_input(struct openai_planner *planner, const char *field, const json_t *file,
                     const char *role);
/* The text of the allowed values, for errors. */
void openai_join_list(const json_t *list, char *ret_text, size_t size);

/* "1024x1536" and "16:9"; 0 or -1. */
int openai_parse_size(const char *text, int *ret_width, int *ret_height);
int openai_parse_ratio(const char *text, double *ret_ratio);
/* The size of the list whose ratio is nearest, NULL when none is within half as much again. */
const char *openai_nearest_size(const json_t *sizes, double ratio, double area);

/* request.c */
int openai_request_submit(struct provider_turn *turn, struct http_request *ret_request,
                          struct err *err);
int openai_request_poll(struct provider_turn *turn, struct http_request *ret_request,
                        struct err *err);

/* body.c */
enum openai_body {
    BODY_JSON,
    BODY_TEXT,
    BODY_EMPTY,
    BODY_OPEN,  /* events without their last one */
    BODY_DEEP,  /* past LIMIT_JSON_DEPTH or LIMIT_JSON_VALUES */
    BODY_NOMEM,
};

/*
 * What kind of body it is. A JSON text that ends early is closed at its last whole value, with
 * *ret_partial = 1. Owns *ret_json on BODY_JSON.
 */
enum openai_body openai_body_parse(const struct http_reply *reply, json_t **ret_json,
                                   int *ret_partial);

/* answer.c */
enum openai_state {
    STATE_NONE,
    STATE_PENDING,
    STATE_DONE,
    STATE_FAILED,
    STATE_CANCELLED,
    STATE_EXPIRED,
    STATE_MODERATED,
    STATE_STRANGE, /* a word that nobody knows */
};

struct openai_reading {
    enum openai_body body;
    int partial;
    enum openai_state state;
    const char *word;
    const char *job;      /* NULL: none */
    int job_sure;         /* it stood under a key that only jobs have, or next to a state */
    const char *poll_url; /* absolute, on the provider's own origin, or NULL */
    int poll_foreign;     /* there was one, elsewhere */
    int32_t progress;
    double cost;
    struct err error;     /* ERR_NONE: the answer tells of none */
    struct provider_result results[LIMIT_FILES];
    size_t results_count;
};

/* Everything that an answer says. -1 without memory. */
int openai_read(const struct provider_turn *turn, const json_t *catalog,
                struct openai_reading *ret_reading);

/* media.c: results in an answer */
struct openai_collect {
    const struct provider_turn *turn;
    const json_t *reading; /* the catalogue's */
    const json_t *wire;
    int video;
    int all; /* of every kind and certainty, not the likeliest ones of one kind */
    struct openai_reading *out;
};

void openai_collect_json(struct openai_collect *collect, const json_t *root);
void openai_collect_text(struct openai_collect *collect, const char *text, size_t len);
/* 1 when it became a result or already was one. */
int openai_take_url(struct openai_collect *collect, const char *text, size_t len,
                    const char *mime);
int openai_take_base64(struct openai_collect *collect, const char *text, size_t len,
                       const char *mime);

/* check.c: whether the key is accepted */
int openai_check(const struct provider_account *account, struct arena *arena,
                 struct http_request *ret_request);
void openai_checked(const struct http_reply *reply, struct provider_check *ret_check);

/* error.c */

/* What a reply that is no success means. `json` may be NULL. */
void openai_error_status(const struct http_reply *reply, const json_t *json,
                         const json_t *catalog, struct arena *arena, struct err *ret_err);

/* An error inside a 2xx answer: 1 and *ret_err, or 0. `failed`: the state already said so. */
int openai_error_inside(const json_t *json, const json_t *catalog, struct arena *arena, int failed,
                        struct err *ret_err);

#endif
