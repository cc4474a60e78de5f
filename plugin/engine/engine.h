/*
 * engine.h - the life of jobs: from an accepted order to a delivered file. It owns every decision
 * that must survive a crash; the ledger makes it durable, net/ and media/ do the work, adapters say
 * what to send. tools/ talks to it through this header.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/env.h"
#include "base/err.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "net/net.h"
#include "providers/provider.h"

struct engine;
struct imaging;

int engine_open(struct env *env, struct config *config, struct ledger *ledger, struct net *net,
                struct engine **ret_engine, struct err *err);

/* Takes up what an earlier process left, and looks for such jobs from time to time. */
int engine_start(struct engine *engine, struct err *err);

/*
 * No new orders; nothing new is sent. What is in flight may end until deadline_ms (monotonic): an
 * answer to a request that spends is worth waiting for. Then `done`, once, from the loop.
 */
typedef void engine_stopped_fn(void *ud);
void engine_stop(struct engine *engine, int64_t deadline_ms, engine_stopped_fn *done, void *ud);
/* Before the rest is torn down: what still calls back is not acted upon any more. NULL is ignored.
 */
void engine_halt(struct engine *engine);
void engine_close(struct engine *engine);

/* Jobs and deliveries that this host could still bring to an end; -1: not known yet. */
int64_t engine_unfinished(const struct engine *engine);

/* What a tool wants made. All borrowed; the plan's json is shared, not taken. */
struct engine_order {
    const char *tool;
    const struct config_provider *provider;
    const struct provider_plan *plan;
    const char *conversation;
    const char *caller;
    const char *locale;      /* "en" or "zh": of the words to the user; NULL: as the chat's others */
    const char *reply_to;    /* the result is delivered there; NULL: it is asked for */
    size_t reply_to_len;
    const char *dedup_key;   /* the host's; NULL: made from conversation, tool and arguments */
    const char *output_dir;  /* its files go there; NULL: as configured */
    const char *dedup_text;  /* canonical arguments, for our own key */
    const char *label;       /* the user's words, whose beginning tells it from others; or NULL */
    int again;               /* 1: a new job even if the same one is under way */
    int hold;                /* 1: store it, let another process do it */
    const char *resubmit_of;
    /* {"picture","mask"}: files whose pixels the result keeps outside of the mask; or NULL */
    const json_t *restore;
    const char *batch;       /* or NULL: what it is an item of, or with batch_index 0 the whole */
    uint32_t batch_index;    /* of an item, from 1 */
    unsigned concurrency;    /* of the batch: items under way at once; 0: a few */
    unsigned batch_items;    /* of a whole: how many it waits for */
    int stops;               /* of the batch: the first failure ends what has not begun */
    const struct ledger_budget *budget; /* NULL: it may cost what it will */
};

/* `job` lives for the call. created 0: the same request is under way already, this is its job. */
typedef void engine_ordered_fn(void *ud, const struct ledger_job *job, int created,
                               const struct err *err);
int engine_order(struct engine *engine, const struct engine_order *order, engine_ordered_fn *done,
                 void *ud, struct err *err);

/*
 * Follows one job until engine_unwatch: called soon with its present state, at every change, and at
 * least every second while it works. job NULL: it is not known (any more). Never inline. Works for
 * jobs that other processes hold, too.
 */
struct engine_watch;
struct engine_sight {
    const struct ledger_job *job;
    uint64_t bytes;       /* of the transfer under way, 0: none */
    uint64_t bytes_total; /* 0: not known */
    int is_here;          /* this process has it */
    int rechecking;       /* what engine_recheck began is under way in this process */
};
typedef void engine_watch_fn(void *ud, const struct engine_sight *sight, const struct err *err);
int engine_watch(struct engine *engine, const char *id, engine_watch_fn *seen, void *ud,
                 struct engine_watch **ret_watch);
void engine_unwatch(struct engine_watch *watch); /* NULL is ignored */

/* Work on pictures; lives as long as the engine. */
struct imaging *engine_imaging(struct engine *engine);

/* Reading, as the ledger's. */
int engine_find(struct engine *engine, const struct ledger_query *query, ledger_find_fn *done,
                void *ud);

int engine_afford(struct engine *engine, const struct ledger_budget *budget,
                  const char *conversation, const struct provider_plan *plan,
                  ledger_afford_fn *done, void *ud);

/* What a person may do about a job. err->kind INVALID: not in this state, and why. */
typedef void engine_acted_fn(void *ud, const struct ledger_job *job, const struct err *err);
int engine_cancel(struct engine *engine, const char *id, engine_acted_fn *done, void *ud);
int engine_redeliver(struct engine *engine, const char *id, engine_acted_fn *done, void *ud);
/*
 * Asks the provider now: about an unfinished job, and about one that expired or whose fate is
 * unknown, which then has some minutes more. Nothing is ever sent that could be paid for. `done`
 * comes when the question is under way.
 */
int engine_recheck(struct engine *engine, const char *id, engine_acted_fn *done, void *ud);

/*
 * A question to a provider that has nothing to do with a job: sent once, nothing of it is stored.
 * The request READS and is copied. `done` follows exactly once and never inline, at the latest
 * after timeout_ms, with reply->outcome HTTP_LOST then; it does not follow once the engine stops.
 * Every provider that config_provider_by_id knows may be asked. -1: nothing was sent.
 */
typedef void engine_asked_fn(void *ud, const struct http_reply *reply);
int engine_ask(struct engine *engine, const char *provider, const struct http_request *request,
               int64_t timeout_ms, engine_asked_fn *done, void *ud, struct err *err);

/* Somebody waits for this job: it goes on here unless another process is at it. */
void engine_take(struct engine *engine, const char *id);

/* ahp_inst.receipt. */
int32_t engine_receipt(struct engine *engine, const ahp_receipt *receipt);

/* " It is 512x512 instead of 1024x1024.", or "": how the files differ from what was asked for;
 * mem_free. */
char *measure_words(const struct ledger_job *row);

/* Adds files, how many were asked for, to the values of a sentence. */
void files_words(const struct ledger_job *row, json_t *values);

/* Adds items, ended and failed to the values of a sentence about a whole batch; others get nothing.
 */
void batch_words(const struct ledger_job *row, json_t *values);

/* 1 for states that nothing follows but a person's wish. */
int engine_state_ended(enum job_state state);

#endif
