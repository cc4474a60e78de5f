/*
 * ledger_host.h - a small host for the ledger's tests: virtual clocks, turns by hand, work either
 * absent or on a real thread that is joined within its turn. And short ways to call the ledger and
 * wait for its answer.
 */
#ifndef TESTS_LEDGER_HOST_H
#define TESTS_LEDGER_HOST_H

#include "base/env.h"
#include "ledger/ledger.h"

struct ledger_host {
    ahp_host host;
    ahp_loop loop;
    ahp_calls calls;
    ahp_deliver deliver;
    ahp_work work;
    struct env env;
    int has_work;
    int refuses_work; /* run answers AHP_E_LIMIT */
    int cancels_work; /* done comes with cancelled = 1 */
    int64_t now_ms;
    int64_t wall_ms;
    struct ahp_timer *timers;
    struct ahp_deferred *deferred;
    struct host_work *works;
    double longest_us; /* turn so far, real time */
    int warnings;
    char last_warning[512];
};

/* `name` is the host's name; the env is made with it. */
void host_init(struct ledger_host *host, const char *name, int has_work);
void host_done(struct ledger_host *host); /* fails when a timer or deferred call is left */
int host_turn(struct ledger_host *host);  /* how many callbacks ran */
void host_advance(struct ledger_host *host, int64_t ms); /* both clocks, then a turn */

/* What an operation answered; `job` and `jobs` are copies. */
struct answer {
    int called;
    int order; /* of all answers so far */
    enum ledger_result result;
    struct ledger_job *jobs[300];
    size_t jobs_count;
    int created;
    struct ledger_history history;
    uint32_t flags;
    int64_t unfinished;
    struct err err;
};

void answer_done(struct answer *answer);
void answer_wait(struct ledger_host *host, struct answer *answer); /* fails when it never comes */

void on_accept(void *ud, enum ledger_result result, const struct ledger_job *job, int created,
               const struct ledger_history *history, const struct err *err);
void on_record(void *ud, enum ledger_result result, uint32_t flags, const struct err *err);
void on_scan(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
             size_t jobs_count, int64_t unfinished, const struct err *err);
void on_claim(void *ud, enum ledger_result result, const struct ledger_job *job,
              const struct err *err);
void on_find(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
             size_t jobs_count, const struct err *err);

/* A folder of the test's own; removed with all in it by folder_remove. */
char *folder_make(void);
void folder_remove(char *folder);
char *folder_file(const char *folder, const char *name); /* freed by the caller */

/* One ledger that runs in a folder of its own; cmocka set-up and tear-down, *state is the fixture.
 */
struct ledger_fixture {
    char *folder;
    char *path; /* of its file */
    struct ledger_host host;
    struct ledger *ledger;
};

int ledger_set_up(void **state);
int ledger_tear_down(void **state);

/* A job with most fields set, open, planned, of conversation "c1". Texts are constants. */
struct ledger_job job_make(const char *id);

/* Opens and starts; fails the test when that fails. */
struct ledger *open_started(struct ledger_host *host, const char *folder);
/* Calls, waits, and gives the result; *answer may be NULL. */
enum ledger_result do_accept(struct ledger_host *host, struct ledger *ledger,
                             const struct ledger_job *job, int take, struct answer *answer);
enum ledger_result do_record(struct ledger_host *host, struct ledger *ledger,
                             const struct ledger_job *job, int release, struct answer *answer);
enum ledger_result do_scan(struct ledger_host *host, struct ledger *ledger, const char *name,
                           int can_deliver, size_t max, struct answer *answer);
enum ledger_result do_claim(struct ledger_host *host, struct ledger *ledger, const char *id,
                            const char *key, struct answer *answer);

#endif
