/*
 * after.c - from the answer to a submit on: what it means, where a lost one is looked for, and when
 * a turn of the session is over.
 */
#include "providers/libtv/machine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define QUIET_MAX      2 /* questions without anything new, once there is something */
#define FINDS_MAX      2 /* looks for a message whose answer was lost */
#define CANDIDATES_MAX 3 /* tasks that may be the lost one */
#define CLOCKS_APART_S 120
/* The same while a tool that was called has not answered, or after one that failed was not given
 * up. */
#define QUIET_PENDING_MAX 20
#define QUIET_FAILED_MAX  5

/* The submit may have been carried out: is its message there? The error says what happened to it.
 */
void libtv_find(struct machine *machine)
{
    struct provider_step *step = machine->step;
    const char *session = libtv_flow_text(machine, "session");
    const char *candidate =
        json_string_value(json_array_get(json_object_get(machine->turn->flow, "candidates"), 0));

    if (*step->error.text && libtv_flow_set(machine, "lost", json_string(step->error.text))) {
        libtv_step_nomem(machine);
        return;
    }
    if (*session)
        libtv_step_ask(machine, "find", session);
    else if (candidate)
        libtv_step_ask(machine, "find", candidate);
    else if (*json_text(machine->backend, "tasks"))
        libtv_step_send(machine, "tasks", PHASE_POLL,
             libtv_request_tasks(machine->turn, machine->catalog, &step->request, &step->error));
    else
        libtv_step_end(machine, STEP_UNKNOWN);
}

static void give_up_finding(struct machine *machine)
{
    struct err *error = &machine->step->error;
    const char *lost = libtv_flow_text(machine, "lost");

    json_object_del(machine->turn->flow, "candidates");
    err_set(error, ERR_LOST, "%s; the service shows no trace of the message",
            *lost ? lost : "the answer was lost");
    libtv_step_end(machine, STEP_UNKNOWN);
}

/* ---- the submit ---- */

/* Did a gateway give up waiting, so that the request may still be carried out? */
static int is_unsure(int status)
{
    return status == 408 || status == 499 || status == 500 || status == 502 || status == 504 ||
           status == 520 || status == 522 || status == 524;
}

static void submit_refused(struct machine *machine)
{
    struct err *error = &machine->step->error;
    int status = machine->reply->status;

    if (error->kind == ERR_MODERATED || error->kind == ERR_CREDITS)
        libtv_step_end(machine, STEP_FAIL);
    else if (is_unsure(status))
        libtv_find(machine);
    else if (status == 429 || status == 503)
        libtv_step_retry(machine, "start");
    else
        libtv_step_end(machine, STEP_FAIL);
}

static void submit_told(struct machine *machine)
{
    struct err *error = &machine->step->error;
    json_t *json = NULL;

    if (!libtv_answer(machine->reply, machine->catalog, machine->turn->arena, &json, error)) {
        if (machine->reply->status > 299)
            submit_refused(machine);
        else if (error->kind == ERR_ANSWER)
            libtv_find(machine);
        else /* it says no, with a 200 */
            libtv_step_end(machine, STEP_FAIL);
    } else if (libtv_take_session(machine, json, 0) == 0) {
        libtv_step_wait(machine, "wait");
    } else {
        libtv_find(machine);
    }
    json_decref(json);
}

void libtv_submit_answered(struct machine *machine)
{
    const struct http_reply *reply = machine->reply;
    struct err *error = &machine->step->error;
    const char *why = reply->error && *reply->error ? reply->error : "no reason is known";

    if (reply->outcome == HTTP_NOT_SENT) {
        err_set(error, ERR_UNAVAILABLE, "%s", why);
        libtv_step_retry(machine, "start");
    } else if (reply->outcome == HTTP_REFUSED) {
        err_set(error, ERR_REFUSED, "%s", why);
        libtv_step_end(machine, STEP_FAIL);
    } else if (reply->outcome == HTTP_ANSWERED) {
        submit_told(machine);
    } else {
        err_set(error, ERR_LOST, "the request was sent, but %s", why);
        libtv_find(machine);
    }
}

/* ---- after a lost answer ---- */

/* Not begun long before our message was sent; clocks may differ. */
static int is_newer(const struct machine *machine, const json_t *task)
{
    time_t since = (time_t)(libtv_flow_int(machine, "sent_ms", 0) / 1000 - CLOCKS_APART_S);
    const char *created = json_text(task, "created_at");
    struct tm parts;
    char limit[40];

    /* ISO 8601 in UTC, whose order is that of its letters. */
    if (!*created || !gmtime_r(&since, &parts) ||
        !strftime(limit, sizeof(limit), "%Y-%m-%dT%H:%M:%S", &parts))
        return 1;
    return strncmp(created, limit, strlen(limit)) >= 0;
}

/* The same words asked for twice: a session that is known to be the other's. */
static int is_anothers(const struct machine *machine, const char *session)
{
    const struct provider_turn *turn = machine->turn;

    return turn->is_anothers && turn->is_anothers(turn->anothers_ud, session);
}

/* The gateway's tasks may carry sessions' names: those whose time fits are looked into. */
void libtv_tasks_answered(struct machine *machine)
{
    json_t *json = NULL;
    json_t *found = json_array();
    const json_t *task;
    size_t index;
    int failed = !found;

    if (machine->reply->outcome == HTTP_ANSWERED)
        libtv_answer(machine->reply, machine->catalog, machine->turn->arena, &json,
                     &machine->step->error);
    json_array_foreach(json_object_get(json, "tasks"), index, task) {
        const char *id = json_text(task, "id");

        if (json_array_size(found) < CANDIDATES_MAX && libtv_is_name(id) &&
            is_newer(machine, task) && !is_anothers(machine, id) && !json_list_has(found, id))
            failed |= json_array_append_new(found, json_string(id));
    }
    memset(&machine->step->error, 0, sizeof(machine->step->error));
    if (failed) {
        json_decref(found);
        libtv_step_nomem(machine);
    } else if (json_array_size(found)) {
        if (libtv_flow_set(machine, "candidates", found))
            libtv_step_nomem(machine);
        else
            libtv_find(machine);
    } else if (libtv_flow_int(machine, "finds", 0) + 1 < FINDS_MAX) {
        json_decref(found);
        if (libtv_flow_set(machine, "finds", json_integer(libtv_flow_int(machine, "finds", 0) + 1)))
            libtv_step_nomem(machine);
        else
            libtv_step_wait(machine, "tasks");
    } else {
        json_decref(found);
        give_up_finding(machine);
    }
    json_decref(json);
}

/* Nothing here: the next candidate, the same later, or the end. */
static void not_found(struct machine *machine)
{
    json_t *candidates = json_object_get(machine->turn->flow, "candidates");
    int64_t finds = libtv_flow_int(machine, "finds", 0) + 1;

    memset(&machine->step->error, 0, sizeof(machine->step->error));
    if (json_array_size(candidates) > 1) {
        json_array_remove(candidates, 0);
        libtv_find(machine);
        return;
    }
    json_object_del(machine->turn->flow, "candidates");
    if (finds >= FINDS_MAX)
        give_up_finding(machine);
    else if (libtv_flow_set(machine, "finds", json_integer(finds)))
        libtv_step_nomem(machine);
    else
        libtv_step_wait(machine, "find");
}

void libtv_find_answered(struct machine *machine)
{
    json_t *json = NULL;
    const char *name = libtv_flow_text(machine, "session");
    const char *candidate =
        json_string_value(json_array_get(json_object_get(machine->turn->flow, "candidates"), 0));
    struct libtv_scan seen = {0};

    if (machine->reply->outcome != HTTP_ANSWERED ||
        !libtv_answer(machine->reply, machine->catalog, machine->turn->arena, &json,
                      &machine->step->error) ||
        !libtv_messages_of(json)) {
        not_found(machine);
    } else if (libtv_step_scan(machine, json, &seen)) {
        libtv_step_nomem(machine);
    } else if (!seen.found || (!*name && (!candidate || is_anothers(machine, candidate)))) {
        not_found(machine);
    } else {
        if (!*name)
            name = candidate;
        if ((!*libtv_flow_text(machine, "session") &&
             libtv_flow_set(machine, "session", json_string(name))) ||
            libtv_flow_set(machine, "own", json_integer(seen.own)))
            libtv_step_nomem(machine);
        else
            libtv_step_wait(machine, "wait");
        json_object_del(machine->turn->flow, "candidates");
    }
    json_decref(json);
}

/* ---- questions ---- */

void libtv_show_results(struct machine *machine)
{
    struct provider_step *step = machine->step;
    const json_t *url;
    size_t index;

    json_array_foreach(json_object_get(machine->turn->flow, "urls"), index, url) {
        if (step->results_count >= LIMIT_FILES)
            break;
        step->results[step->results_count++] = (struct provider_result){
            .blob = -1, .url = arena_text(machine->turn->arena, json_string_value(url))};
    }
    step->kind = STEP_DONE;
    step->any_kind = 1;
    if (*json_text(machine->backend, "canvas") && *libtv_flow_text(machine, "project"))
        step->page = libtv_url_api(machine->turn->arena, "", json_text(machine->backend, "canvas"),
                                   libtv_flow_text(machine, "project"));
    if (machine->turn->arena->failed)
        libtv_step_nomem(machine);
}

static void done(struct machine *machine, const struct libtv_scan *seen)
{
    json_t *urls = json_array();
    int failed = !urls;

    for (size_t i = 0; i < seen->urls_count; i++)
        failed |= json_array_append_new(urls, json_string(seen->urls[i]));
    if (failed) {
        json_decref(urls);
        libtv_step_nomem(machine);
    } else if (libtv_flow_set(machine, "urls", urls) ||
               libtv_flow_set(machine, "at", json_string("done"))) {
        libtv_step_nomem(machine);
    } else {
        libtv_show_results(machine);
    }
}

static void judge(struct machine *machine, const struct libtv_scan *seen)
{
    struct err *error = &machine->step->error;
    int64_t said = (int64_t)seen->said;
    int64_t quiet =
        said == libtv_flow_int(machine, "said", -1) ? libtv_flow_int(machine, "quiet", 0) + 1 : 0;
    int64_t quiet_max = seen->pending ? QUIET_PENDING_MAX : QUIET_MAX;
    int is_over;

    if (!seen->urls_count && quiet_max < QUIET_FAILED_MAX)
        quiet_max = QUIET_FAILED_MAX;
    is_over = seen->closed || quiet >= quiet_max;

    if (libtv_flow_set(machine, "said", json_integer(said)) ||
        libtv_flow_set(machine, "quiet", json_integer(quiet)) ||
        libtv_flow_set(machine, "own", json_integer(seen->own)) ||
        (seen->found && libtv_flow_set(machine, "words", json_string(seen->words)))) {
        libtv_step_nomem(machine);
    } else if (seen->urls_count && is_over) {
        done(machine, seen);
    } else if (seen->failed && is_over) {
        const char *why = seen->reason && *seen->reason ? seen->reason : "it gives no reason";

        libtv_error_words(machine->catalog, "", why, ERR_UNAVAILABLE, error);
        libtv_step_end(machine, STEP_FAIL);
    } else {
        libtv_step_wait(machine, "wait");
    }
}

void libtv_poll_answered(struct machine *machine)
{
    json_t *json = libtv_step_read(machine, "wait");
    struct libtv_scan seen;

    if (!json)
        return;
    if (!libtv_messages_of(json)) {
        err_set(&machine->step->error, ERR_ANSWER, "the answer lacks messages");
        libtv_step_retry(machine, "wait");
    } else if (libtv_step_scan(machine, json, &seen)) {
        libtv_step_retry(machine, "wait");
    } else {
        judge(machine, &seen);
    }
    json_decref(json);
}
