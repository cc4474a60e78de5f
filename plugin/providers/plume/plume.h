/*
 * plume.h - what the files of this adapter share. Nothing here is called from outside; the adapter
 * itself is `provider_plume` of provider.h.
 *
 * Source of every foreign fact: the published plume-image skill 2.1.0, its scripts and documents.
 *
 * A plan's request, which next() reads and nothing else writes:
 *   kind    "image" or "video"
 *   body    what is posted: category, type, content without its imageUrls, maybe title and others
 *   inputs  what becomes imageUrls, in order: {"path","mime","key"}, {"url"}, or {} for an empty
 * slot
 */
#ifndef PLUME_PLUME_H
#define PLUME_PLUME_H

#include "base/json.h"
#include "providers/provider.h"

#define PLUME_TASK_ID_MAX       64
#define PLUME_UPLOAD_URL_MAX    1024   /* of an uploaded picture; all of a job fit into its flow */
#define PLUME_RESULTS_BYTES_MAX 32768u /* of the addresses of results in a flow */

/* catalog.c */

/* The catalogue of manifests/providers/plume.json; new, or NULL with *err filled. */
json_t *plume_catalog(struct err *err);

/* A category by its name or another name for it, in letters of any case; NULL: there is none. */
const json_t *plume_catalog_category(const json_t *catalog, const char *name);

/* An entry's mode by its name, or NULL. */
const json_t *plume_catalog_mode(const json_t *entry, const char *name);

json_t *plume_catalog_models(const struct provider_account *account);

/* plan.c, plan_image.c, plan_video.c */
struct plume_planner {
    const struct provider_account *account;
    const char *tool;
    const json_t *args;
    const json_t *catalog;
    const json_t *entry; /* the category */
    const char *mode;    /* of processing; NULL: the category has none on the wire */
    json_t *body;
    json_t *content; /* borrowed: in body */
    json_t *inputs;
    json_t *changed;
    double cost;
    int failed; /* no memory somewhere */
    struct err *err;
};

int plume_plan(const struct provider_account *account, const char *tool, const json_t *args,
               struct provider_plan *ret_plan, struct err *err);
int plume_plan_image(struct plume_planner *planner);
int plume_plan_video(struct plume_planner *planner);

/* Both take the value; a NULL counts as no memory. */
void plume_put(struct plume_planner *planner, json_t *object, const char *field, json_t *value);
void plume_note(struct plume_planner *planner, const char *field, json_t *used, const char *why);

/* A row for every argument of a NULL-ended list that is there: Plume has no such thing. */
void plume_drop(struct plume_planner *planner, const char *const *fields);

/* Appends one picture with its checks; `field` is what an error names, NULL file: an empty slot. */
int plume_add_picture(struct plume_planner *planner, const char *field, const json_t *file);
size_t plume_count_pictures(const struct plume_planner *planner);

/*
 * The ratio to send: asked for in so many words or as a size, the nearest that there is; "" where
 * nothing was asked, *ret_ratio is static or of the catalogue. -1: err.
 */
int plume_choose_ratio(struct plume_planner *planner, const char **ret_ratio);

/* Takes the mode, from `extra` if it is there; with its prompt and its number of pictures. */
int plume_set_mode(struct plume_planner *planner, const char *mode);

/* request.c */
int plume_request_upload(struct provider_turn *turn, const json_t *catalog, const json_t *input,
                         struct http_request *ret_request, struct err *err);
int plume_request_submit(struct provider_turn *turn, const json_t *catalog,
                         struct http_request *ret_request, struct err *err);
int plume_request_poll(struct provider_turn *turn, const json_t *catalog,
                       struct http_request *ret_request, struct err *err);
int plume_request_check(const struct provider_account *account, struct arena *arena,
                        struct http_request *ret_request);

/* May this address be given to Plume, or fetched as a result? */
int plume_may_use(const struct provider_account *account, const char *url);

/* answer.c */

/* The envelope of an answer. Texts are the document's, "" when they are not there. */
struct plume_answer {
    json_t *json;  /* owned, an object; NULL: the body is none */
    int status;    /* of HTTP */
    int succeeded; /* 1, 0, or -1: it does not say */
    const char *code;
    const char *message;
    const json_t *data; /* an object, or NULL */
};

void plume_answer_read(const struct http_reply *reply, struct plume_answer *ret_answer);
void plume_answer_done(struct plume_answer *answer);

/* A task's id as text, checked to be fit for a path; NULL: there is none, or no memory. */
const char *plume_answer_task(struct arena *arena, const struct plume_answer *answer);

/* 0 without one; -1: it is no number. */
int plume_answer_state(const struct plume_answer *answer, int64_t *ret_state);

/* Where the results of an ended task are: those that may be fetched, and how many others. */
struct plume_results {
    const char *urls[LIMIT_FILES];
    size_t count;
    size_t refused;
};

int plume_answer_results(const struct provider_turn *turn, const struct plume_answer *answer,
                         struct plume_results *ret_results); /* -1: no memory */

/* Why a task failed, in its own words; NULL without memory. */
char *plume_answer_reason(struct arena *arena, const struct plume_answer *answer);

/* plume.c: one turn of the machine */
struct plume_machine {
    struct provider_turn *turn;
    struct provider_step *step;
    const struct http_reply *reply;
    const json_t *catalog;
    struct plume_answer answer;
};

int plume_set(json_t *object, const char *key, json_t *value); /* takes the value */
/* Ends of a turn, as step.h has them. */
void plume_fail_nomem(struct plume_machine *machine);
void plume_end(struct plume_machine *machine, enum provider_step_kind kind);
void plume_fail_for_now(struct plume_machine *machine, const char *at);
void plume_wait(struct plume_machine *machine);
void plume_keep_cost(struct plume_machine *machine);

/* poll.c */
void plume_poll_answered(struct plume_machine *machine);
void plume_show(struct plume_machine *machine, const struct plume_results *results);

/* check.c */
void plume_checked(const struct http_reply *reply, struct provider_check *ret_check);

/* error.c */
#define PLUME_ADVICE_LOST "lost"
#define PLUME_ADVICE_LOOK "plume.look"

/* What a refusal means; 1 when the same may work later. */
int plume_error_read(const struct http_reply *reply, const struct plume_answer *answer,
                     struct arena *arena, struct err *ret_err);

/* Does the refusal say that a picture's address is not good (any more)? */
int plume_error_is_about_pictures(const struct plume_answer *answer);

/* A reason that means: not these words. */
int plume_error_is_moderated(const json_t *catalog, const char *text);

#endif
