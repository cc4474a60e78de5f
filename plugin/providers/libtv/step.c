/*
 * step.c - what the machine's states share: reading and keeping the flow, the ways a step may end,
 * the reading of an answer. It decides nothing about what comes next.
 */
#include "providers/libtv/machine.h"

#include "providers/step.h"

#include <string.h>

int libtv_flow_set(struct machine *machine, const char *key, json_t *value)
{
    return json_object_set_new(machine->turn->flow, key, value);
}

const char *libtv_flow_text(const struct machine *machine, const char *key)
{
    return json_text(machine->turn->flow, key);
}

int64_t libtv_flow_int(const struct machine *machine, const char *key, int64_t otherwise)
{
    return json_int(machine->turn->flow, key, otherwise);
}

int libtv_flow_is_at(const struct machine *machine, const char *at)
{
    return strcmp(libtv_flow_text(machine, "at"), at) == 0;
}

/* ---- ends of a turn ---- */

void libtv_step_nomem(struct machine *machine)
{
    step_nomem(machine->step);
}

void libtv_step_end(struct machine *machine, enum provider_step_kind kind)
{
    step_end(machine->turn, machine->step, kind);
}

void libtv_step_retry(struct machine *machine, const char *at)
{
    step_again(machine->turn, machine->step, at, 0);
}

void libtv_step_wait(struct machine *machine, const char *at)
{
    memset(&machine->step->error, 0, sizeof(machine->step->error));
    step_wait(machine->turn, machine->step, at);
}

/* ---- sending ---- */

void libtv_step_send(struct machine *machine, const char *at, enum provider_phase phase, int rc)
{
    if (rc && machine->step->error.kind != ERR_NOMEM)
        libtv_step_end(machine, STEP_FAIL);
    else
        step_send(machine->turn, machine->step, phase, at, rc);
}

/* Only what is numbered can be asked for from a number on. */
void libtv_step_ask(struct machine *machine, const char *at, const char *session)
{
    struct provider_step *step = machine->step;
    int64_t base = json_is_true(json_object_get(machine->turn->flow, "seq"))
                       ? libtv_flow_int(machine, "base", 0)
                       : 0;

    libtv_step_send(machine, at, PHASE_POLL,
         libtv_request_messages(machine->turn, machine->catalog, session, base, &step->request,
                                &step->error));
}

/* Did net/ fail, or the service for a while? Then the same is tried again. 1: dealt with. */
static int passes(struct machine *machine, const char *again)
{
    const struct http_reply *reply = machine->reply;
    struct err *error = &machine->step->error;

    if (reply->outcome == HTTP_ANSWERED)
        return 0;
    err_set(error, step_kind_of_outcome(reply->outcome, ERR_UNAVAILABLE), "%s",
            reply->error && *reply->error ? reply->error : "there was no answer");
    if (reply->outcome == HTTP_REFUSED || reply->outcome == HTTP_TOO_LARGE)
        libtv_step_end(machine, STEP_FAIL);
    else
        libtv_step_retry(machine, again);
    return 1;
}

static int is_passing(const struct machine *machine)
{
    int status = machine->reply->status;
    enum err_kind kind = machine->step->error.kind;

    if (kind == ERR_MODERATED || kind == ERR_CREDITS)
        return 0;
    return status >= 500 || status == 429 || status == 408 || status == 425 ||
           (status < 300 &&
            (kind == ERR_ANSWER || kind == ERR_UNAVAILABLE || kind == ERR_RATE_LIMITED));
}

/* The content of a good answer, or NULL with the step filled: again from `again`, or the end. */
json_t *libtv_step_read(struct machine *machine, const char *again)
{
    json_t *json = NULL;

    if (passes(machine, again))
        return NULL;
    if (libtv_answer(machine->reply, machine->catalog, machine->turn->arena, &json,
                     &machine->step->error))
        return json;
    json_decref(json);
    if (is_passing(machine))
        libtv_step_retry(machine, again);
    else
        libtv_step_end(machine, STEP_FAIL);
    return NULL;
}

/* Session and project of an answer to POST session. 0, or -1 with the error. */
int libtv_take_session(struct machine *machine, const json_t *json, int needs_project)
{
    const json_t *data = libtv_data(json);
    const char *session = json_text(data, "sessionId");
    const char *project = json_text(data, "projectUuid");
    const char *known = libtv_flow_text(machine, "session");
    struct err *error = &machine->step->error;
    int has_project = libtv_is_name(project);

    if (!libtv_is_name(session) || (needs_project && !has_project))
        return err_set(error, ERR_ANSWER, "the answer lacks %s%s%s",
                       libtv_is_name(session) ? "" : "sessionId",
                       libtv_is_name(session) || has_project ? "" : ", ",
                       has_project ? "" : "projectUuid");
    if (*known && strcmp(known, session) != 0)
        return err_set(error, ERR_ANSWER, "the answer is about another session");
    if ((!*known && libtv_flow_set(machine, "session", json_string(session))) ||
        (has_project && libtv_flow_set(machine, "project", json_string(project))))
        return err_nomem(error);
    return 0;
}

/* ---- messages ---- */

/* The list of an answer's messages; NULL when it has none. */
json_t *libtv_messages_of(const json_t *json)
{
    json_t *list = json_object_get(libtv_data(json), "messages");

    return json_is_array(list) || json_is_null(list) ? list : NULL;
}

int libtv_step_scan(struct machine *machine, const json_t *json, struct libtv_scan *ret_scan)
{
    const struct provider_turn *turn = machine->turn;

    memset(ret_scan, 0, sizeof(*ret_scan));
    ret_scan->account = turn->account;
    ret_scan->catalog = machine->catalog;
    ret_scan->messages = libtv_messages_of(json);
    ret_scan->uploads = json_object_get(turn->flow, "uploads");
    ret_scan->text = machine->message;
    ret_scan->full = json_is_true(json_object_get(turn->request, "full"));
    ret_scan->base = libtv_flow_int(machine, "base", -1);
    ret_scan->own = libtv_flow_int(machine, "own", 0);
    ret_scan->arena = turn->arena;
    return libtv_scan(ret_scan);
}
