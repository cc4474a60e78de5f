/*
 * calls_rig.h - calls into a probe: a call's end as its caller sees it, and the ways of answering
 * that the tests of calls, of answers and of the end have in common.
 */
#ifndef HOST_CALLS_RIG_H
#define HOST_CALLS_RIG_H

#include "probe.h"

#define CALLS_MAX 8

/* What the caller has heard. */
struct seen {
    int count; /* of ends */
    int done;
    uint64_t id;
    int32_t status;
    char json[64];
    char job[32];
    char path[32];
    uint32_t files;
    int progress;
    int32_t permille;
    char text[300];
};

/* The calls that call_keep has left open, in order; none after call_probe. */
extern uint64_t open_ids[CALLS_MAX];
extern int open_count;

/* A probe that runs. */
struct probe *call_probe(struct bench *b, uint32_t flags);

/* One call of the probe's tool; its end goes to s. What ahp_uv_call returns. */
int32_t call_begin(struct probe *p, struct seen *s, uint64_t *ret_id);
ahp_call call_make(void);
void call_on_result(void *ud, uint64_t id, const ahp_result *result);
void call_on_progress(void *ud, uint64_t id, int32_t permille, const char *text);

/* The probe ends a call. */
void call_end(struct probe *p, uint64_t id, int32_t status, const char *json);

/* For probe.on_call: leaves it open; offers the delivery k:1, whose answer is on_offer's, and ends
 * it. */
int32_t call_keep(struct probe *p, const ahp_call *call);
int32_t call_offers(struct probe *p, const ahp_call *call);

/* For probe.on_stop: never says that it has stopped. */
void stop_never(struct probe *p);

#endif
