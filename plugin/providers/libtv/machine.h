/*
 * machine.h - one turn of the adapter's machine, as libtv.c, step.c and after.c share it. See
 * libtv.c for the states.
 */
#ifndef LIBTV_MACHINE_H
#define LIBTV_MACHINE_H

#include "providers/libtv/libtv.h"

struct machine {
    struct provider_turn *turn;
    struct provider_step *step;
    const struct http_reply *reply;
    json_t *catalog;
    const json_t *backend;
    const char *message;
};

/* ---- step.c ---- */

int libtv_flow_set(struct machine *machine, const char *key, json_t *value);
const char *libtv_flow_text(const struct machine *machine, const char *key);
int64_t libtv_flow_int(const struct machine *machine, const char *key, int64_t otherwise);
int libtv_flow_is_at(const struct machine *machine, const char *at);

/* Ends of a turn. The error is in the step already, where there is one. */
void libtv_step_nomem(struct machine *machine); /* the flow stands, so the turn may come again */
void libtv_step_end(struct machine *machine, enum provider_step_kind kind);
void libtv_step_retry(struct machine *machine, const char *at); /* the same may work later, from `at` */
void libtv_step_wait(struct machine *machine, const char *at);
void libtv_step_send(struct machine *machine, const char *at, enum provider_phase phase, int rc);
/* Asks for the messages that came after what was there before. */
void libtv_step_ask(struct machine *machine, const char *at, const char *session);

/* The content of a good answer, new; or NULL with the step filled: again from `again`, or the end.
 */
json_t *libtv_step_read(struct machine *machine, const char *again);
json_t *libtv_messages_of(const json_t *json); /* borrowed; NULL when there is no such list */
int libtv_step_scan(struct machine *machine, const json_t *json, struct libtv_scan *ret_scan);
/* Session and project of an answer to POST session into the flow. 0, or -1 with the error. */
int libtv_take_session(struct machine *machine, const json_t *json, int needs_project);

/* ---- after.c ---- */

void libtv_find(struct machine *machine); /* the error in the step says what became of the submit */
void libtv_submit_answered(struct machine *machine);
void libtv_tasks_answered(struct machine *machine);
void libtv_find_answered(struct machine *machine);
void libtv_poll_answered(struct machine *machine);
void libtv_show_results(struct machine *machine);

#endif
