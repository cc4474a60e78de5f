/*
 * What the files of the LibTV provider share: chat sessions whose messages carry results.
 *
 * Two back ends stand before the same sessions: the personal API ("libtv": Bearer key, answers in
 * an envelope) and the gateway ("nexu": X-API-KEY, bare answers). A key is known to both here; each
 * back end refuses keys whose prefix belongs to the other, and two credentials in one request.
 *
 * A message of the user starts a generation: a job of the simulator (family "libtv"), charged at
 * once. What the agent then says (sim_libtv_script.c) is written into the session when somebody
 * looks at it, by the job's clock or hand.
 *
 * Source of the shapes: the published clients of both services, and public reports of failure
 * messages; see the README.
 */
#ifndef CLAWMEDIA_SIM_LIBTV_H
#define CLAWMEDIA_SIM_LIBTV_H

#include "sim.h"

#define LIBTV_URL_MAX     512
#define LIBTV_RESULTS_MAX 16
#define LIBTV_UPLOAD_MAX  (INT64_C(200) << 20)

struct libtv_owner { /* what an account has here */
    struct sim_account *account;
    char project[SIM_ID_MAX];
    struct libtv_session *usual; /* with the setting libtv_session=default; or NULL */
    struct libtv_owner *next;
};

struct libtv_generation {
    struct sim_job *job;
    char *text;    /* the user's message */
    char call[SIM_ID_MAX]; /* the newest call of a tool */
    int64_t clips; /* intermediate clips shown so far */
    bool ended;    /* everything is said */
    struct libtv_generation *next;
};

struct libtv_session {
    char id[SIM_ID_MAX];
    char project[SIM_ID_MAX];
    struct libtv_owner *owner;
    json_t *messages; /* as they are answered */
    json_t *urls;     /* of all results, for /results */
    int64_t seq;
    struct libtv_generation *generations;
    struct libtv_generation *speaking; /* whose messages are being written; NULL: of a history */
    struct libtv_session *next;
};

struct sim_libtv {
    struct libtv_owner *owners;
    struct libtv_session *sessions;
};

/* sim_libtv.c */
struct libtv_owner *libtv_owner_of(struct sim_request *r);
/* "3f0c6a1e-..." or, without dashes, 32 hex digits. */
void libtv_uuid(struct sim *sim, bool dashes, char ret[SIM_ID_MAX]);
/* Puts the answer into the back end's envelope, if it has one. */
void libtv_answer_take(struct sim_request *r, json_t *data);
bool libtv_is_gateway(const struct sim_request *r);

/* sim_libtv_session.c */
void libtv_session_post(struct sim_request *r);
void libtv_session_get(struct sim_request *r);
void libtv_session_results(struct sim_request *r);
void libtv_tasks(struct sim_request *r);
bool libtv_session_pays(const struct sim_request *r);

/* sim_libtv_script.c */
/* A turn that ended before: for sessions that begin with a history. */
void libtv_script_history(struct sim_request *r, struct libtv_session *s);
/* What is said at once when the message arrives, the message itself first. */
void libtv_script_begin(struct sim_request *r, struct libtv_session *s, struct libtv_generation *g);
/* What has been said since. */
void libtv_script_look(struct sim_request *r, struct libtv_session *s, struct libtv_generation *g);

#endif
