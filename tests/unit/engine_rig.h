/*
 * engine_rig.h - the whole plugin between a host and a provider, for tests of tools and engine: the
 * static core through ahp_entry_1, the checking shim, the scriptable host (virtual clocks) of
 * tests/abi, real SQLite in a folder of its own, real libcurl against the raw server of
 * net_server.h.
 *
 * The server has a loop of its own, turned in the same thread; its answers follow the few switches
 * below. Two hosts may stand side by side on one folder or on two.
 */
#ifndef TESTS_ENGINE_RIG_H
#define TESTS_ENGINE_RIG_H

#include "fake_host.h"
#include "net_server.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define RIG_KEY "sk-rig-0123456789abcdef"

const ahp_entry *ahp_entry_1(void);

struct rig;

struct side {
    struct rig *rig;
    struct fake_host *fake;
    ahp_inst *inst;
    unsigned breaches; /* of the ABI, by either side */
    char state[300];   /* the state folder */
    void *lock;        /* of rig_lock */
};

/* How the provider answers what costs money. */
enum rig_answer {
    RIG_PICTURE_BASE64,
    RIG_PICTURE_URL,
    RIG_PICTURE_MIXED, /* addresses and base64 in turn */
    RIG_HOLD,  /* no answer until rig_release */
    RIG_DROP,  /* reads it and hangs up */
    RIG_BUSY,  /* 429 */
    RIG_REFUSE /* 400 */
};

struct rig {
    char dir[256];
    char config[300];
    struct side a;
    struct side b;
    struct poll_host *net;
    struct server server;
    enum rig_answer answer;
    const char *retry_after; /* of RIG_BUSY and file_faults, or NULL */
    unsigned busy_left;      /* so many times RIG_BUSY, then a picture */
    unsigned pictures;       /* in an answer; 0: one */
    int64_t video_ms;        /* virtual time from submit to done */
    int64_t video_since_ms;
    unsigned poll_drops;  /* so many polls are hung up on */
    unsigned poll_faults; /* after them so many answer 503 */
    unsigned file_faults; /* so many downloads answer 503 */
    unsigned spends;
    unsigned polls;
    unsigned fetches;
    unsigned checks; /* GET /models */
    int64_t first_spend_ms; /* on a's clock */
    int64_t last_spend_ms;
    int64_t last_poll_ms;
    char last_spend_body[4096];
    char last_auth[200];
    unsigned held; /* the connection's number, 0: none */
    char *png;
    size_t png_len;
    char *png_base64;
    char *mp4;
    size_t mp4_len;
};

/* A fresh folder, a server, a configuration with the provider "sim"; no instance yet. */
void rig_open(struct rig *rig);
void rig_close(struct rig *rig); /* destroys what is left, demands no breach and no leaked handle */

/*
 * cmocka set-up and tear-down; *state is the rig. With a side: rig->a runs, and takes what it is
 * offered. The tear-down ends what runs on a, and the key must not have shown up in what a host
 * saw.
 */
int rig_setup(void **state);
int rig_setup_side(void **state);
int rig_teardown(void **state);
#define RIG_TEST(name)  cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
#define SIDE_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup_side, rig_teardown)

/* Writes models.providers as this text. */
void rig_configure(struct rig *rig, const char *providers);
void rig_configure_usual(struct rig *rig, const char *key);

/* `state` is the name of the state folder below rig->dir. */
void side_create(struct side *side, const char *state);
int side_try_create(struct side *side, const char *state, ahp_err *ret_err); /* may fail */
void side_start(struct side *side);
void side_open(struct side *side, const char *state); /* both */
void side_stop(struct side *side);                    /* until stopped(), which must come */
void side_destroy(struct side *side);
void side_end(struct side *side); /* stop and destroy */

/* The id of a call that must be accepted. */
uint64_t side_call(struct side *side, const char *tool, const char *args, const char *reply_to,
                   const char *conversation);
/*
 * A call with the nth allocation from its begin failing, up to so many turns after it: its id, or 0
 * when it was refused for want of memory. 1 when it did not come so far.
 */
int side_call_starved(struct side *side, const char *tool, const char *args, const char *reply_to,
                      long nth, unsigned turns, uint64_t *ret_id);
/* Runs until that call has ended. */
const struct fake_end *side_end_of(struct side *side, uint64_t id);
/* Both of them; the result's JSON is the caller's. */
json_t *side_ask(struct side *side, const char *tool, const char *args, const char *reply_to,
                 const char *conversation);
/* One whose answer must name a job: its handle. */
#define RIG_JOB_BYTES 40
void side_job(struct side *side, const char *tool, const char *args, const char *reply_to,
              const char *conversation, char ret_job[RIG_JOB_BYTES]);
int64_t side_unfinished(struct side *side);
int32_t side_receipt(struct side *side, const char *key, int32_t outcome, int64_t delay_ms);

/* Turns everything; time jumps to the next timer when nothing happens. 0, -1: that did not come. */
int rig_run(struct rig *rig, int (*until)(void *ud), void *ud);
/* The same without jumps, for so many turns. */
void rig_spin(struct rig *rig, unsigned turns);
/* Turns with jumps until both clocks are that much later. */
void rig_pass(struct rig *rig, int64_t ms);
void rig_release(struct rig *rig); /* answers what RIG_HOLD kept, with a picture */

/* Until that many deliveries, messages of the log, jobs not finished. */
void rig_until_deliveries(struct side *side, uint32_t count);
void rig_until_idle(struct side *side);
void rig_until_spends(struct rig *rig, unsigned count);

/* One value of the ledger, by an SQL query that gives one row; "" for NULL. In a static buffer. */
const char *rig_sql(struct side *side, const char *sql);

void rig_exec(struct side *side, const char *sql);
void rig_lock(struct side *side); /* as another process that writes and writes */
void rig_unlock(struct side *side);

/* Does any log line hold that text? */
int side_logged(const struct side *side, const char *text);

const char *text_at(const json_t *json, const char *path); /* "error.kind"; "" when it is none */

#endif
