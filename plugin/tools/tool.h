/*
 * tool.h - what every tool shares: an open call with its checked arguments, and the ways to end it.
 * A tool knows no provider and no transport; it turns arguments into orders to the engine, and jobs
 * into words.
 */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include "base/env.h"
#include "base/err.h"
#include "base/token.h"
#include "base/words.h"
#include "config/config.h"
#include "engine/engine.h"

#include <jansson.h>

struct toolbox;
struct call;
struct resolving;
struct checking;
struct batch;
struct confirming;
struct editing;
struct recovering;

struct tool {
    const char *name; /* its schema is manifests/tools/<name>.json */
    /* Must end the call, now or later, with one of the call_ functions below. */
    void (*run)(struct call *call);
};

extern const struct tool tool_generate_image;
extern const struct tool tool_edit_image;
extern const struct tool tool_generate_video;
extern const struct tool tool_character_replace;
extern const struct tool tool_fetch_media;
extern const struct tool tool_run_batch;
extern const struct tool tool_poll;
extern const struct tool tool_list_models;
extern const struct tool tool_account;

/* One accepted call. Lives until it was ended and nothing that it started can call back. */
struct call {
    struct call *prev;
    struct call *next;
    struct toolbox *box;
    const struct tool *tool;
    uint64_t id;
    uint32_t flags;
    int64_t deadline_ms; /* monotonic; 0: none */
    json_t *args;        /* valid by the tool's schema */
    json_t *folders;     /* that it may read beside the configured ones, or NULL */
    char *conversation;  /* "": none */
    char *caller;
    char *reply_to;      /* NULL: nothing can be delivered */
    size_t reply_to_len;
    char *dedup_key;
    char *workspace;     /* the caller's own, absolute; NULL: ours */
    char *output_dir;    /* the same */
    enum words_language language;
    int language_told; /* by the host, the configuration or words; 0: as that of the chat's jobs */

    int ended;
    int pending; /* callbacks still to come */
    struct engine_watch *watch;
    struct resolving *resolving; /* inputs.c's, while it looks something up */
    char *input_keys; /* of the files that were named by a path: another content is another request */
    struct checking *checking;   /* account_check.c's, while it asks */
    struct recovering *recovering; /* recover.c's, while it looks at jobs */
    struct confirming *confirming; /* confirm.c's, from its question on */
    ahp_timer *timer;
    char job[LIMIT_ID]; /* once there is one */
    int created;        /* its job was made by this call */
    int login_needed;   /* it wanted something else, but a login comes first */
    int login_next;     /* after the logout that is under way */
    struct batch *batch;   /* run_batch.c's, of which this call is an item, or NULL */
    uint32_t batch_index;
    struct editing *editing; /* edit.c's, while pictures are prepared and what came of it */
    char *parts;         /* fetch_media.c's: "<folder>/<stem>" of files that no job has taken yet */
    json_t *notes;       /* to be told beside what the adapter changed, or NULL */
    json_t *changed;     /* to be told in the result, or NULL */
    json_t *last_json;   /* how the job was when it was last seen, or NULL */
    int32_t told_permille;
    char told[160];
};

/* What tools reach through their call. */
struct env *call_env(const struct call *call);
struct config *call_config(const struct call *call);
struct engine *call_engine(const struct call *call);
struct token_key *call_token_key(const struct call *call);

/* Ends the call. json is taken. */
void call_answer_take(struct call *call, int32_t status, json_t *json,
                      const struct ledger_job *job);
void call_fail(struct call *call, const struct err *err);

/*
 * Every asynchronous start counts a callback, and its callback first asks call_back: 1 when the
 * call has ended meanwhile and must not be touched again.
 */
void call_begin(struct call *call);
int call_back(struct call *call);

/*
 * What an engine_ordered_fn begins with: notes the job that there is, or ends the call. 1: there is
 * no more to be done.
 */
int call_ordered(struct call *call, const struct ledger_job *job, int created,
                 const struct err *err);

/* Follows call->job until it ends or wait_ms are over (< 0: no bound of its own), then answers. */
void call_wait(struct call *call, int64_t wait_ms);

/* Is this job the caller's to see? */
int call_may_see(const struct call *call, const struct ledger_job *job);

/*
 * generate.c: of err, which says that there is no such provider (`wanted`, or any when NULL): makes
 * it the configuration's mistake if that is broken, else how to set it up where that can be said.
 */
void call_tell_setup(const struct call *call, const char *wanted, const struct err *broken,
                     struct err *err);

/* Nothing told the language: that of this job is the better guess. */
void call_speak_as(struct call *call, const struct ledger_job *job);
/* For engine_order; NULL where nothing told it. */
const char *call_locale(const struct call *call);

/* args as json_dumps writes them with sorted keys, without what does not change the request. */
char *call_canonical(const struct call *call);

/*
 * inputs.c: replaces the pictures and files that args name under `fields` (texts, or lists of
 * texts) by what adapters take: {"path","mime","width","height","seconds","bytes","key"} or
 * {"url"}. Paths must lie in the configured roots; handles and "last" are looked up among the
 * caller's own results. `args` of done is a new reference, NULL on failure. May be inline.
 */
typedef void inputs_done_fn(struct call *call, json_t *args, const struct err *err);
void inputs_resolve(struct call *call, const char *const *fields, inputs_done_fn *done);
void inputs_drop(struct call *call); /* its call ends first */

/*
 * edit.c: makes what inpaint, outpaint and object send: canvas, mask in the form that providers
 * take, for dry_run a picture that shows the mask. 1: `done` follows (with the same reference to
 * args, or after its end with NULL); 0: the operation needs none of it. edit_restore: for
 * engine_order, or NULL. edit_show: adds the paths of mask and preview to a plan's answer.
 */
int edit_prepare(struct call *call, json_t *args, inputs_done_fn *done);
const json_t *edit_restore(const struct call *call);
void edit_show(const struct call *call, json_t *json);
void edit_drop(struct call *call); /* its call ends */

void checking_drop(struct call *call); /* account_check.c: its call ends */

/* recover.c: looks once more at all unfinished and expired jobs, then answers. */
void poll_recover(struct call *call);
void recovering_drop(struct call *call); /* its call ends */

/*
 * account_login.c: starts the login of that account as a job of its own, or finds the one under
 * way, and ends the call with its link as soon as there is one. `needed`: for a call that wanted
 * something else.
 */
void login_begin(struct call *call, const struct config_provider *provider, int needed);

/*
 * confirm.c: what every tool that spends asks between its plan and its order. 1: place the order;
 * with *ret_once not NULL that is its dedup key, and `again` of the arguments is settled. 0: do
 * not; the call was answered, or a person is being asked, and after a yes again(call, args), with a
 * new reference, shall come here once more with the plan made anew from args.
 */
typedef void confirm_again_fn(struct call *call, json_t *args);
int confirm_pass(struct call *call, const struct config_provider *provider,
                 const struct provider_plan *plan, json_t *args, confirm_again_fn *again,
                 const char **ret_once);
void confirm_drop(struct call *call); /* its call ends */

/* The configured limits for such an order: ret_budget, filled, or NULL when there are none. */
const struct ledger_budget *confirm_budget(const struct call *call,
                                           struct ledger_budget *ret_budget);

/* The plan as a result, for dry_run with the status "plan"; with what confirm_pass would want. */
json_t *confirm_plan(const struct call *call, const struct config_provider *provider,
                     const struct provider_plan *plan, const char *status);
/* Adds the latter to an answer to dry_run. 1: a yes is wanted. */
int confirm_note(const struct call *call, const struct config_provider *provider,
                 const struct provider_plan *plan, json_t *json);

/* keyish.c: 1 for what had better not be taken or shown. */
int text_looks_like_key(const char *text);

/*
 * run_batch.c: an item's answer goes to its batch, not to the host; its order is told of the batch;
 * the call that opened a batch ends.
 */
void batch_answer_take(struct call *call, int32_t status, json_t *json);
int batch_of_order(const struct call *call, struct engine_order *order, struct err *err);
void batch_close(struct call *call);

/* result.c */
json_t *result_of_job(const struct call *call, const struct ledger_job *job);
json_t *result_of_error(const struct call *call, const struct err *err);
int32_t result_status(const struct ledger_job *job);
int result_note(json_t *result, const struct call *call, const char *key, json_t *values_take);
json_t *result_row(const struct ledger_job *job, int64_t now_ms);

/*
 * schema.c: checks args against a tool's input_schema, mending what models get wrong harmlessly
 * (numbers and booleans as text, one text for a list). -1: err names the field, what was given,
 * unless it looks like a key, and what is allowed.
 */
int schema_check(const json_t *schema, json_t *args, struct err *err);
/*
 * Adds a manifest's input_checks to its input_schema: bounds of what that has, and arguments that
 * it does not announce. -1 without memory, then with a part of them.
 */
int schema_join(json_t *schema, const json_t *checks);

/* toolbox.c */
/*
 * A call of another tool on behalf of this one, for the same conversation, that nothing is
 * delivered of: NULL without memory. args is taken. It ends like any call; call_start begins it.
 */
struct call *call_inner(struct call *call, const char *tool, json_t *args_take);
void call_start(struct call *call);

int toolbox_open(struct env *env, struct config *config, struct toolbox **ret_box,
                 struct err *err);
/* Calls can be taken once there is an engine. */
void toolbox_bind(struct toolbox *box, struct engine *engine);
const ahp_tool *const *toolbox_list(const struct toolbox *box, uint32_t *ret_count);
int32_t toolbox_call(struct toolbox *box, const ahp_call *call);
int32_t toolbox_cancel(struct toolbox *box, uint64_t call_id);
void toolbox_stop(struct toolbox *box); /* ends all calls with SHUTDOWN */
void toolbox_close(struct toolbox *box);

#endif
