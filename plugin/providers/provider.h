/*
 * provider.h - what an adapter is: pure functions that say what to send and what an answer means.
 * No curl, no store, no clock, no log, no file. The engine saves `flow` after every step and does
 * the sending, so a job can stop between any two steps and go on in another process.
 *
 * A step's texts live in the turn's arena; json_t outputs are owned by the receiver.
 */
#ifndef PROVIDERS_PROVIDER_H
#define PROVIDERS_PROVIDER_H

#include "base/err.h"
#include "base/http.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdint.h>

/* One configured account of a provider. Values of secrets are not in here: "{{key}}" stands for it.
 */
struct provider_account {
    const char *id;       /* its name in the configuration */
    const char *base_url; /* no slash at its end */
    const struct http_header *headers; /* configured ones, sent with every request of ours */
    size_t headers_count;
    const json_t *settings; /* the user's own settings for this provider, or NULL */
    const json_t *models;   /* models.providers.<id>.models, or NULL */
    int signed_in;          /* 0: a login is needed before anything else can be asked */
    /* Hosts that results may come from, ".example.com" with all below it; none: from anywhere. */
    const char *const *result_hosts;
    size_t result_hosts_count;
};

/* When to ask how a job is doing. All in ms. */
struct provider_times {
    int64_t shortest_ms; /* submit to done, at the least; 0: not known */
    int64_t typical_ms;  /* the same, as a rule */
    int64_t floor_ms;    /* never ask more often */
    int64_t ceiling_ms;  /* never wait longer between two questions */
    int64_t deadline_ms; /* give up so long after submitting; the job then is `expired` */
    unsigned rounds;     /* so many one after the other, each of that duration; 0: one */
};

/* What the results should be like, as it was sent; 0: not said. Measured against the files. */
struct provider_expect {
    uint32_t width;
    uint32_t height;
    double ratio; /* where the size was not said */
    double seconds;
};

/* What would be done: the answer to dry_run, and what a job starts with. */
struct provider_plan {
    json_t *request;     /* normalised; all that next() needs to know of the arguments */
    json_t *changed;     /* [{"field","asked","used","why"}], maybe empty */
    json_t *uploads;     /* "key" of every local file that has to be uploaded, or NULL */
    const char *kind;    /* "image" or "video", "login" for one; static */
    char model[128];
    char prefix[32];     /* of file names: "generated", "edited", "generated-video" */
    struct provider_times times;
    double cost;         /* < 0: not known */
    char currency[8];
    unsigned files;      /* how many results are expected */
    /*
     * For the adapter's own words of a confirmation, "<name>.confirm.<page>": {"page", "sort", and
     * the values of the places}, texts; "sort" is the rest of a key "<name>.sort.<...>". Or NULL.
     */
    json_t *words;
    struct provider_expect expect;
};

void provider_plan_done(struct provider_plan *plan);

/*
 * Adds to plan.changed that an argument is used as `used_take` (a NULL counts as no memory), and
 * why. -1 without memory.
 */
int provider_note(json_t *changed, const json_t *args, const char *field, json_t *used_take,
                  const char *why);

/*
 * What a provider says, as one line of valid UTF-8, bounded, without anything that looks like a
 * key. In the arena; NULL without memory.
 */
char *provider_clean(struct arena *arena, const char *text, size_t len);

enum provider_step_kind {
    STEP_SEND,    /* carry out `request`, call next with the reply */
    STEP_WAIT,    /* not done yet: call next (reply NULL) when it is time to ask again */
    STEP_DONE,    /* `results` are ready; asked again with no reply, it says the same again */
    STEP_FAIL,    /* `error` */
    STEP_UNKNOWN, /* maybe carried out, cannot be told; `error` */
};

/* In which part of the job's life a request belongs; the engine makes the job's state of it. */
enum provider_phase {
    PHASE_UPLOAD,
    PHASE_SUBMIT,
    PHASE_POLL,
};

/* One result. Exactly one of the four ways. */
struct provider_result {
    int blob;              /* number of a file that was base64 in this answer, or -1 */
    const char *base64;    /* a short one that stayed in the text, or NULL */
    const char *file;      /* folder and stem of a complete .part file of ours, or NULL */
    const char *url;       /* to be fetched, or NULL */
    int auth;              /* with url: our headers go along (to our own origin only) */
    const char *mime_hint; /* what the answer said, or NULL; the bytes decide */
};

struct provider_step {
    enum provider_step_kind kind;
    enum provider_phase phase;    /* with SEND */
    struct http_request request;  /* with SEND */
    int64_t not_before_ms;        /* with WAIT, or FAIL and retry: the pause asked for; 0: none */
    int32_t progress;             /* permille, -1: not known */
    struct provider_result results[LIMIT_FILES];
    size_t results_count;
    const char *provider_job;     /* once known */
    const char *unknown_word;     /* a state word that we do not know, to be logged once */
    /* An upload that succeeded: its file need not be sent again for so long; key NULL: none. */
    const char *uploaded_key;
    const char *uploaded_url;
    int64_t uploaded_keep_ms;
    /*
     * With DONE, of a job of kind "login": what the account's own file is to hold from now on; new.
     * It is stored before the job is done, and nowhere else. Such a job keeps in flow.link the
     * address that a person has to open.
     */
    json_t *credential;
    const char *parts;            /* with DONE: where the names of `file` begin; what is left goes */
    int any_kind;                 /* with DONE: pictures and videos together, as their bytes say */
    const char *page;             /* with DONE: where a person sees all of it, or NULL */
    double cost;                  /* what it really took, < 0: not told */
    const char *currency;
    struct err error;             /* with FAIL and UNKNOWN: kind, and the provider's own words; with
                                     DONE: why it is not all that was asked for */
    int retry;                    /* with FAIL: the same may work later; next without a reply repeats it */
};

/* One turn of the conversation with a provider. */
struct provider_turn {
    const struct provider_account *account;
    const json_t *request;          /* provider_plan.request */
    /*
     * {"uploads"} at first; changed by next, saved by the engine. A job whose results are ordered
     * one after the other keeps in flow.made how many are there: then a cancelled one does not end
     * before next says so, which waits for what is ordered, and says DONE with an error of
     * ERR_CANCELLED.
     */
    json_t *flow;
    json_t *secrets;                /* {} at first; in memory only, and wiped: nothing of it in flow */
    const struct http_reply *reply; /* to the last SEND; NULL: first turn, after WAIT, or resumed */
    const char *job_id;
    int64_t now_ms;                 /* wall clock */
    int recheck;                    /* 1: a person wants to know again: an end need not be one */
    int cancelled;                  /* 1: a person wants it to end: nothing more is to be ordered */
    int resumed;                    /* 1: the process ended while a request was under way; reply is NULL */
    /*
     * NULL, or 1 when that handle of the provider's is known to be another job's, of this account
     * and for the very same request: what looks like ours there is its.
     */
    int (*is_anothers)(void *ud, const char *provider_job);
    void *anothers_ud;
    struct arena *arena;
};

struct provider_model {
    const char *name;
    const char *kind; /* "image" or "video" */
};

/* What a provider says about a key. */
enum provider_verdict {
    KEY_ACCEPTED,
    KEY_REFUSED,
    KEY_UNTOLD,      /* it answers, but not about the key */
    KEY_UNAVAILABLE, /* no answer that says anything: try again later */
};

struct provider_check {
    enum provider_verdict verdict;
    int64_t models;   /* that the account may use, -1: not told */
    json_t *facts;    /* what else it told, for people: {name: value}, new; or NULL */
    struct err error; /* unless ACCEPTED */
};

/* A finished job, for other programs of the service. Texts are borrowed. */
struct provider_record {
    const char *channel; /* of the chat it belongs to, "" where it is not known */
    const char *kind;    /* "image" or "video" */
    const char *task;    /* the provider's own handle */
    const char *url;     /* of the first result */
    const char *path;    /* where it is here */
    int64_t now_ms;
};

struct provider {
    const char *name; /* "openai": the adapter, not the account */

    /*
     * 1 when it makes such things at all: a tool's name, or tool and mode or operation, such as
     * "edit_image/inpaint" or "generate_video/extend".
     */
    int (*can)(const struct provider_account *account, const char *what);

    /*
     * Checks the arguments (as the tools hand them over: schema-valid, local files resolved to
     * {"path","mime","width","height","seconds","bytes","key"}, others {"url"}) against what the
     * provider can do. ERR_INVALID with the field and what is allowed. `key` names the very bytes
     * of a file for plan.uploads: those that this account has already and still keeps are in
     * flow.uploads, {key: url}, when the first step is asked for.
     */
    int (*plan)(const struct provider_account *account, const char *tool, const json_t *args,
                struct provider_plan *ret_plan, struct err *err);

    /* The next step. Always fills *ret_step; a mistake of its own is STEP_FAIL with ERR_INTERNAL.
     */
    void (*next)(struct provider_turn *turn, struct provider_step *ret_step);

    /*
     * NULL, or: the request that asks the provider to drop the job, -1 when it has none in this
     * state. Its answer does not matter.
     */
    int (*cancel)(struct provider_turn *turn, struct http_request *ret_request);

    /*
     * NULL, or: a file that other programs of this service read, written when the results are here
     * and before they are delivered. Its content, new, and its path below the host's folder of
     * media in the arena; NULL: none. That it could not be written does the job no harm.
     */
    json_t *(*record)(const struct provider_record *record, struct arena *arena,
                      const char **ret_path);

    /* For list_models: an array of objects with name, kind, limits, typical time, price; new. */
    json_t *(*models)(const struct provider_account *account);

    /*
     * Both NULL, or: the request that finds out whether the key is accepted, which READS and costs
     * nothing, with its texts in the arena (-1: no memory); and what the reply to it means.
     */
    int (*check)(const struct provider_account *account, struct arena *arena,
                 struct http_request *ret_request);
    void (*checked)(const struct http_reply *reply, struct provider_check *ret_check);

    /*
     * Both NULL, or: a question about the account ("credits", "usage"; "unbind" ends the login of
     * this device), which costs nothing; and what the reply tells, for people: *ret_facts is a new
     * object, or NULL with *err.
     */
    int (*ask)(const struct provider_account *account, const char *action, const json_t *args,
               struct arena *arena, struct http_request *ret_request, struct err *err);
    void (*told)(const struct provider_account *account, const char *action, const json_t *args,
                 const struct http_reply *reply, json_t **ret_facts, struct err *ret_err);
};

extern const struct provider provider_openai;
extern const struct provider provider_chatart;
extern const struct provider provider_plume;
extern const struct provider provider_libtv;
extern const struct provider provider_web; /* behind fetch_media; no account is configured for it */

/* By index, NULL past the end. */
const struct provider *provider_at(size_t index);

#endif
