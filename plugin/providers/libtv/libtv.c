/*
 * libtv.c - the adapter itself: one flat machine over the job's flow.
 *
 *     start --> status --> upload... --> bind --> look --> submit --> wait <--> poll --> done
 *                                                            |
 *            no answer to the submit, or one without sense:  +--> tasks --> find --> wait
 *                                                                   \---------\----> unknown
 *     any --refused, failed--> fail
 *
 * What of the way to the submit is still to do is seen from what the flow knows: `checked` (a gateway
 * key has uses left), `uploads`, `session`, `base` (the place of the last message before ours, so that
 * nothing of an earlier turn is ever taken for ours). The personal API lets a session be made without
 * a message; so its name is known before anything is paid, and an answer that is lost can be asked
 * for. The gateway may count any such request as a use: there the message goes along at once, and a
 * lost answer is looked for among the key's tasks. A message of exactly our words in the session is
 * the proof that it was accepted; without the proof the job is `unknown`, and never sent again.
 *
 * `at` names the state in which the flow was saved, which is before its request is sent. `done`,
 * `fail` and `unknown` are ends; next() repeats them, but a recheck goes on from `unknown` where there
 * is somebody to ask.
 *
 * A turn has ended when the agent spoke last and called no tool, or when nothing was added for
 * QUIET_MAX questions: clips and storyboards come before the film, and a tool that failed may be
 * called again.
 *
 * Flow: at, checked, way (of the upload), uploads{key: url}, session, project, base, own, seq, sent_ms,
 * finds, candidates[], said, quiet, words, urls[], and in an end its {kind, text, advice}.
 */
#include "providers/libtv/libtv.h"

#include <stdio.h>
#include <string.h>

#define QUIET_MAX      2 /* questions without anything new, once there is something */
#define FINDS_MAX      2 /* looks for a message whose answer was lost */
#define CANDIDATES_MAX 3 /* tasks that may be the lost one */

struct machine {
    struct provider_turn *turn;
    struct provider_step *step;
    const struct http_reply *reply;
    json_t *catalog;
    const json_t *backend;
    const char *message;
};

static int set(struct machine *machine, const char *key, json_t *value)
{
    return json_object_set_new(machine->turn->flow, key, value);
}

static const char *flow_text(const struct machine *machine, const char *key)
{
    return json_text(machine->turn->flow, key);
}

static int64_t flow_int(const struct machine *machine, const char *key, int64_t otherwise)
{
    return json_int(machine->turn->flow, key, otherwise);
}

static int is_at(const struct machine *machine, const char *at)
{
    return strcmp(flow_text(machine, "at"), at) == 0;
}

/* ---- ends of a turn ---- */

/* The flow stands where it stood, so the turn may come again. */
static void fail_nomem(struct machine *machine)
{
    machine->step->kind = STEP_FAIL;
    machine->step->retry = 1;
    err_nomem(&machine->step->error);
}

/* An end, kept in the flow as well where there is memory. The error is already in the step. */
static void end(struct machine *machine, enum provider_step_kind kind)
{
    const struct err *error = &machine->step->error;

    machine->step->kind = kind;
    machine->step->retry = 0;
    if (set(machine, "kind", json_string(err_kind_name(error->kind))) == 0 &&
        set(machine, "text", json_string(error->text)) == 0)
        set(machine, "at", json_string(kind == STEP_UNKNOWN ? "unknown" : "fail"));
}

/* The same request may work later; the flow goes back to where it comes from. */
static void fail_for_now(struct machine *machine, const char *at)
{
    struct provider_step *step = machine->step;

    step->kind = STEP_FAIL;
    step->retry = 1;
    if (machine->reply && machine->reply->retry_after_ms > 0)
        step->not_before_ms = machine->reply->retry_after_ms;
    if (set(machine, "at", json_string(at)))
        fail_nomem(machine);
}

static void wait(struct machine *machine, const char *at)
{
    struct provider_step *step = machine->step;

    step->kind = STEP_WAIT;
    if (machine->reply && machine->reply->retry_after_ms > 0)
        step->not_before_ms = machine->reply->retry_after_ms;
    memset(&step->error, 0, sizeof(step->error));
    if (set(machine, "at", json_string(at)))
        fail_nomem(machine);
}

/* ---- sending ---- */

static void send(struct machine *machine, const char *at, enum provider_phase phase, int rc)
{
    struct provider_step *step = machine->step;

    if (rc && step->error.kind == ERR_NOMEM) {
        fail_nomem(machine);
    } else if (rc) {
        end(machine, STEP_FAIL);
    } else if (set(machine, "at", json_string(at))) {
        fail_nomem(machine);
    } else {
        step->kind = STEP_SEND;
        step->phase = phase;
    }
}

static const json_t *missing_upload(const struct machine *machine)
{
    const json_t *uploads = json_object_get(machine->turn->flow, "uploads");
    const json_t *input;
    size_t index;

    json_array_foreach(json_object_get(machine->turn->request, "inputs"), index, input)
        if (!*json_text(input, "url") && !*json_text(uploads, json_text(input, "key")))
            return input;
    return NULL;
}

static void send_submit(struct machine *machine)
{
    struct provider_step *step = machine->step;
    const char *session = flow_text(machine, "session");
    int rc = libtv_request_session(machine->turn, machine->catalog, *session ? session : NULL,
                                   machine->message, &step->request, &step->error);

    if (rc == 0 && set(machine, "sent_ms", json_integer(machine->turn->now_ms)))
        rc = err_nomem(&step->error);
    send(machine, "submit", PHASE_SUBMIT, rc);
}

/* What comes next on the way to the submit. */
static void go_on(struct machine *machine)
{
    struct provider_turn *turn = machine->turn;
    struct provider_step *step = machine->step;
    const json_t *input = missing_upload(machine);
    const char *wanted = json_text(turn->request, "session");

    if (*wanted && !*flow_text(machine, "session") && set(machine, "session", json_string(wanted))) {
        fail_nomem(machine);
    } else if (*json_text(machine->backend, "status") &&
               !json_is_true(json_object_get(turn->flow, "checked"))) {
        send(machine, "status", PHASE_SUBMIT,
             libtv_request_status(turn, machine->catalog, &step->request, &step->error));
    } else if (input) {
        send(machine, "upload", PHASE_UPLOAD,
             libtv_request_upload(turn, machine->catalog, input,
                                  (size_t)flow_int(machine, "way", 0), &step->request,
                                  &step->error));
    } else if (!*flow_text(machine, "session") &&
               json_is_true(json_object_get(machine->backend, "bind_first"))) {
        send(machine, "bind", PHASE_SUBMIT,
             libtv_request_session(turn, machine->catalog, NULL, NULL, &step->request,
                                   &step->error));
    } else if (*flow_text(machine, "session") && flow_int(machine, "base", -1) < 0) {
        send(machine, "look", PHASE_SUBMIT,
             libtv_request_messages(turn, machine->catalog, flow_text(machine, "session"), 0,
                                    &step->request, &step->error));
    } else {
        send_submit(machine);
    }
}

/* Only what is numbered can be asked for from a number on. */
static void ask_messages(struct machine *machine, const char *at, const char *session)
{
    struct provider_step *step = machine->step;
    int64_t base = json_is_true(json_object_get(machine->turn->flow, "seq"))
                       ? flow_int(machine, "base", 0)
                       : 0;

    send(machine, at, PHASE_POLL,
         libtv_request_messages(machine->turn, machine->catalog, session, base, &step->request,
                                &step->error));
}

/* The submit may have been carried out: is its message there? The error says what happened to it. */
static void find(struct machine *machine)
{
    struct provider_step *step = machine->step;
    const char *session = flow_text(machine, "session");
    const char *candidate =
        json_string_value(json_array_get(json_object_get(machine->turn->flow, "candidates"), 0));

    if (*step->error.text && set(machine, "lost", json_string(step->error.text))) {
        fail_nomem(machine);
        return;
    }
    if (*session)
        ask_messages(machine, "find", session);
    else if (candidate)
        ask_messages(machine, "find", candidate);
    else if (*json_text(machine->backend, "tasks"))
        send(machine, "tasks", PHASE_POLL,
             libtv_request_tasks(machine->turn, machine->catalog, &step->request, &step->error));
    else
        end(machine, STEP_UNKNOWN);
}

static void give_up_finding(struct machine *machine)
{
    struct err *error = &machine->step->error;
    const char *lost = flow_text(machine, "lost");

    json_object_del(machine->turn->flow, "candidates");
    err_set(error, ERR_LOST, "%s; the service shows no trace of the message",
            *lost ? lost : "the answer was lost");
    end(machine, STEP_UNKNOWN);
}

/* ---- answers on the way to the submit ---- */

/* Did net/ fail, or the service for a while? Then the same is tried again. 1: dealt with. */
static int passes(struct machine *machine, const char *again)
{
    const struct http_reply *reply = machine->reply;
    struct err *error = &machine->step->error;

    if (reply->outcome == HTTP_ANSWERED)
        return 0;
    err_set(error,
            reply->outcome == HTTP_REFUSED     ? ERR_REFUSED
            : reply->outcome == HTTP_SINK      ? ERR_IO
            : reply->outcome == HTTP_TOO_LARGE ? ERR_LIMIT
            : reply->outcome == HTTP_CANCELLED ? ERR_CANCELLED
                                               : ERR_UNAVAILABLE,
            "%s", reply->error && *reply->error ? reply->error : "there was no answer");
    if (reply->outcome == HTTP_REFUSED || reply->outcome == HTTP_TOO_LARGE)
        end(machine, STEP_FAIL);
    else
        fail_for_now(machine, again);
    return 1;
}

static int is_passing(const struct machine *machine)
{
    int status = machine->reply->status;
    enum err_kind kind = machine->step->error.kind;

    if (kind == ERR_MODERATED || kind == ERR_CREDITS)
        return 0;
    return status >= 500 || status == 429 || status == 408 || status == 425 ||
           (status < 300 && (kind == ERR_ANSWER || kind == ERR_UNAVAILABLE || kind == ERR_RATE_LIMITED));
}

/* The content of a good answer, or NULL with the step filled: again from `again`, or the end. */
static json_t *read_answer(struct machine *machine, const char *again)
{
    json_t *json = NULL;

    if (passes(machine, again))
        return NULL;
    if (libtv_answer(machine->reply, machine->catalog, machine->turn->arena, &json,
                     &machine->step->error))
        return json;
    json_decref(json);
    if (is_passing(machine))
        fail_for_now(machine, again);
    else
        end(machine, STEP_FAIL);
    return NULL;
}

static void status_answered(struct machine *machine)
{
    struct err *error = &machine->step->error;
    json_t *json = read_answer(machine, "start");
    json_t *facts;

    if (!json)
        return;
    facts = libtv_key_facts(json);
    if (!facts) {
        err_set(error, ERR_ANSWER, "the key's status lacks remaining_uses and max_uses");
        end(machine, STEP_FAIL);
    } else if (json_int(facts, "remaining_uses", 0) <= 0) {
        err_set(error, ERR_CREDITS, "Free trial uses exhausted");
        err_advise(error, "libtv.uses");
        end(machine, STEP_FAIL);
    } else if (set(machine, "checked", json_true())) {
        fail_nomem(machine);
    } else {
        go_on(machine);
    }
    json_decref(facts);
    json_decref(json);
}

/* Another path, where this one is not there. 1: dealt with. */
static int tries_other_way(struct machine *machine)
{
    int64_t way = flow_int(machine, "way", 0) + 1;

    if (machine->reply->outcome != HTTP_ANSWERED ||
        (machine->reply->status != 404 && machine->reply->status != 405) ||
        (size_t)way >= json_array_size(json_object_get(machine->backend, "uploads")))
        return 0;
    if (set(machine, "way", json_integer(way)))
        fail_nomem(machine);
    else
        go_on(machine);
    return 1;
}

static void upload_answered(struct machine *machine)
{
    struct provider_step *step = machine->step;
    struct provider_turn *turn = machine->turn;
    const json_t *input = missing_upload(machine);
    json_t *uploads = json_object_get(turn->flow, "uploads");
    const char *url;
    json_t *json;

    if (tries_other_way(machine))
        return;
    json = read_answer(machine, "start");
    if (!json)
        return;
    url = json_text(libtv_data(json), "url");
    if (!input || !*url || strlen(url) >= LIMIT_URL || url[strcspn(url, " \t\r\n\"<>")]) {
        err_set(&step->error, ERR_ANSWER, "Upload failed: no URL returned");
        end(machine, STEP_FAIL);
    } else {
        const char *key = json_text(input, "key");

        step->uploaded_key = arena_text(turn->arena, key);
        step->uploaded_url = arena_text(turn->arena, url);
        step->uploaded_keep_ms = json_int(libtv_own(machine->catalog), "upload_keep_ms", 0);
        if (!json_is_object(uploads)) {
            uploads = json_object();
            if (json_object_set_new(turn->flow, "uploads", uploads))
                uploads = NULL;
        }
        if (turn->arena->failed || json_object_set_new(uploads, key, json_string(url)))
            fail_nomem(machine);
        else
            go_on(machine);
    }
    json_decref(json);
}

/* Session and project of an answer to POST session. 0, or -1 with the error. */
static int take_session(struct machine *machine, const json_t *json, int needs_project)
{
    const json_t *data = libtv_data(json);
    const char *session = json_text(data, "sessionId");
    const char *project = json_text(data, "projectUuid");
    const char *known = flow_text(machine, "session");
    struct err *error = &machine->step->error;
    int has_project = libtv_is_name(project);

    if (!libtv_is_name(session) || (needs_project && !has_project))
        return err_set(error, ERR_ANSWER, "the answer lacks %s%s%s",
                       libtv_is_name(session) ? "" : "sessionId",
                       libtv_is_name(session) || has_project ? "" : ", ",
                       has_project ? "" : "projectUuid");
    if (*known && strcmp(known, session) != 0)
        return err_set(error, ERR_ANSWER, "the answer is about another session");
    if ((!*known && set(machine, "session", json_string(session))) ||
        (has_project && set(machine, "project", json_string(project))))
        return err_nomem(error);
    return 0;
}

static void bind_answered(struct machine *machine)
{
    json_t *json = read_answer(machine, "start");

    if (!json)
        return;
    if (take_session(machine, json, 1) == 0)
        go_on(machine);
    else if (machine->step->error.kind == ERR_NOMEM)
        fail_nomem(machine);
    else
        end(machine, STEP_FAIL);
    json_decref(json);
}

/* ---- messages ---- */

/* The list of an answer's messages; NULL when it has none. */
static json_t *messages_of(const json_t *json)
{
    json_t *list = json_object_get(libtv_data(json), "messages");

    return json_is_array(list) || json_is_null(list) ? list : NULL;
}

static int scan(struct machine *machine, const json_t *json, struct libtv_scan *ret_scan)
{
    const struct provider_turn *turn = machine->turn;

    memset(ret_scan, 0, sizeof(*ret_scan));
    ret_scan->account = turn->account;
    ret_scan->catalog = machine->catalog;
    ret_scan->messages = messages_of(json);
    ret_scan->uploads = json_object_get(turn->flow, "uploads");
    ret_scan->text = machine->message;
    ret_scan->full = json_is_true(json_object_get(turn->request, "full"));
    ret_scan->base = flow_int(machine, "base", -1);
    ret_scan->own = flow_int(machine, "own", 0);
    ret_scan->arena = turn->arena;
    return libtv_scan(ret_scan);
}

static void look_answered(struct machine *machine)
{
    json_t *json = read_answer(machine, "start");
    struct libtv_scan before;

    if (!json)
        return;
    if (!messages_of(json)) {
        err_set(&machine->step->error, ERR_ANSWER, "the answer lacks messages");
        fail_for_now(machine, "start");
    } else if (scan(machine, json, &before) || set(machine, "base", json_integer(before.last)) ||
               set(machine, "seq", json_boolean(before.has_seq))) {
        fail_nomem(machine);
    } else {
        go_on(machine);
    }
    json_decref(json);
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
        end(machine, STEP_FAIL);
    else if (is_unsure(status))
        find(machine);
    else if (status == 429 || status == 503)
        fail_for_now(machine, "start");
    else
        end(machine, STEP_FAIL);
}

static void submit_told(struct machine *machine)
{
    struct err *error = &machine->step->error;
    json_t *json = NULL;

    if (!libtv_answer(machine->reply, machine->catalog, machine->turn->arena, &json, error)) {
        if (machine->reply->status > 299)
            submit_refused(machine);
        else if (error->kind == ERR_ANSWER)
            find(machine);
        else /* it says no, with a 200 */
            end(machine, STEP_FAIL);
    } else if (take_session(machine, json, 0) == 0) {
        wait(machine, "wait");
    } else {
        find(machine);
    }
    json_decref(json);
}

static void submit_answered(struct machine *machine)
{
    const struct http_reply *reply = machine->reply;
    struct err *error = &machine->step->error;
    const char *why = reply->error && *reply->error ? reply->error : "no reason is known";

    if (reply->outcome == HTTP_NOT_SENT) {
        err_set(error, ERR_UNAVAILABLE, "%s", why);
        fail_for_now(machine, "start");
    } else if (reply->outcome == HTTP_REFUSED) {
        err_set(error, ERR_REFUSED, "%s", why);
        end(machine, STEP_FAIL);
    } else if (reply->outcome == HTTP_ANSWERED) {
        submit_told(machine);
    } else {
        err_set(error, ERR_LOST, "the request was sent, but %s", why);
        find(machine);
    }
}

/* ---- after a lost answer ---- */

static int is_newer(const struct machine *machine, const json_t *task)
{
    /* Times are ISO 8601 in UTC, whose order is that of their letters. */
    int64_t sent_s = flow_int(machine, "sent_ms", 0) / 1000 - 120;
    const char *created = json_text(task, "created_at");
    char limit[40];
    int64_t days = sent_s / 86400;
    int64_t left = sent_s % 86400;
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);

    snprintf(limit, sizeof(limit), "%04d-%02d-%02dT%02d:%02d:%02d",
             (int)(yoe + era * 400 + (month <= 2)), month, (int)(doy - (153 * mp + 2) / 5 + 1),
             (int)(left / 3600), (int)(left / 60 % 60), (int)(left % 60));
    return !*created || strncmp(created, limit, strlen(limit)) >= 0;
}

/* The gateway's tasks may carry sessions' names: those whose time fits are looked into. */
static void tasks_answered(struct machine *machine)
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
            is_newer(machine, task) && !json_list_has(found, id))
            failed |= json_array_append_new(found, json_string(id));
    }
    memset(&machine->step->error, 0, sizeof(machine->step->error));
    if (failed) {
        json_decref(found);
        fail_nomem(machine);
    } else if (json_array_size(found)) {
        if (set(machine, "candidates", found))
            fail_nomem(machine);
        else
            find(machine);
    } else if (flow_int(machine, "finds", 0) + 1 < FINDS_MAX) {
        json_decref(found);
        set(machine, "finds", json_integer(flow_int(machine, "finds", 0) + 1));
        wait(machine, "tasks");
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
    int64_t finds = flow_int(machine, "finds", 0) + 1;

    memset(&machine->step->error, 0, sizeof(machine->step->error));
    if (json_array_size(candidates) > 1) {
        json_array_remove(candidates, 0);
        find(machine);
        return;
    }
    json_object_del(machine->turn->flow, "candidates");
    if (finds >= FINDS_MAX)
        give_up_finding(machine);
    else if (set(machine, "finds", json_integer(finds)))
        fail_nomem(machine);
    else
        wait(machine, "find");
}

static void find_answered(struct machine *machine)
{
    json_t *json = NULL;
    const json_t *candidates = json_object_get(machine->turn->flow, "candidates");
    const char *name = flow_text(machine, "session");
    struct libtv_scan seen = {0};

    if (machine->reply->outcome != HTTP_ANSWERED ||
        !libtv_answer(machine->reply, machine->catalog, machine->turn->arena, &json,
                      &machine->step->error) ||
        !messages_of(json)) {
        not_found(machine);
    } else if (scan(machine, json, &seen)) {
        fail_nomem(machine);
    } else if (!seen.found) {
        not_found(machine);
    } else {
        if (!*name)
            name = json_string_value(json_array_get(candidates, 0));
        if ((!*flow_text(machine, "session") && set(machine, "session", json_string(name))) ||
            set(machine, "own", json_integer(seen.own)))
            fail_nomem(machine);
        else
            wait(machine, "wait");
        json_object_del(machine->turn->flow, "candidates");
    }
    json_decref(json);
}

/* ---- questions ---- */

static void add_results(struct machine *machine)
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
    if (machine->turn->arena->failed)
        fail_nomem(machine);
}

static void done(struct machine *machine, const struct libtv_scan *seen)
{
    json_t *urls = json_array();
    int failed = !urls;

    for (size_t i = 0; i < seen->urls_count; i++)
        failed |= json_array_append_new(urls, json_string(seen->urls[i]));
    if (failed) {
        json_decref(urls);
        fail_nomem(machine);
    } else if (set(machine, "urls", urls) || set(machine, "at", json_string("done"))) {
        fail_nomem(machine);
    } else {
        add_results(machine);
    }
}

/* Past its time: it may still be finished, so the flow stays where a recheck can go on. */
static int is_late(struct machine *machine)
{
    int64_t deadline_ms = json_int(machine->turn->request, "deadline_ms", 0);
    int64_t until_ms = flow_int(machine, "until_ms", flow_int(machine, "sent_ms", 0) + deadline_ms);
    const char *words = flow_text(machine, "words");

    if (!deadline_ms || !flow_int(machine, "sent_ms", 0) || machine->turn->now_ms < until_ms)
        return 0;
    err_set(&machine->step->error, ERR_EXPIRED, "not finished %lld minutes after it was sent%s%s",
            (long long)((machine->turn->now_ms - flow_int(machine, "sent_ms", 0)) / 60000),
            *words ? "; the service's last words: " : "", words);
    err_advise(&machine->step->error, "libtv.late");
    machine->step->kind = STEP_FAIL;
    set(machine, "at", json_string("wait"));
    return 1;
}

static void judge(struct machine *machine, const struct libtv_scan *seen)
{
    struct err *error = &machine->step->error;
    int64_t said = (int64_t)seen->said;
    int64_t quiet = said == flow_int(machine, "said", -1) ? flow_int(machine, "quiet", 0) + 1 : 0;
    int is_over = seen->closed || quiet >= QUIET_MAX;

    if (set(machine, "said", json_integer(said)) || set(machine, "quiet", json_integer(quiet)) ||
        set(machine, "own", json_integer(seen->own)) ||
        (seen->found && set(machine, "words", json_string(seen->words)))) {
        fail_nomem(machine);
    } else if (seen->urls_count && is_over) {
        done(machine, seen);
    } else if (seen->failed && is_over) {
        const char *why = seen->reason && *seen->reason ? seen->reason : "it gives no reason";

        libtv_error_words(machine->catalog, "", why, ERR_UNAVAILABLE, error);
        end(machine, STEP_FAIL);
    } else if (!is_late(machine)) {
        wait(machine, "wait");
    }
}

static void poll_answered(struct machine *machine)
{
    json_t *json = read_answer(machine, "wait");
    struct libtv_scan seen;

    if (!json) {
        if (machine->step->retry && is_late(machine))
            machine->step->retry = 0;
        return;
    }
    if (!messages_of(json)) {
        err_set(&machine->step->error, ERR_ANSWER, "the answer lacks messages");
        fail_for_now(machine, "wait");
    } else if (scan(machine, json, &seen)) {
        fail_for_now(machine, "wait");
    } else {
        judge(machine, &seen);
    }
    json_decref(json);
}

/* ---- the whole ---- */

/* The step of a flow that has come to its end. */
static void repeat(struct machine *machine)
{
    struct provider_step *step = machine->step;

    if (is_at(machine, "done")) {
        add_results(machine);
        return;
    }
    step->kind = is_at(machine, "unknown") ? STEP_UNKNOWN : STEP_FAIL;
    err_set(&step->error, err_kind_by_name(flow_text(machine, "kind")), "%s",
            flow_text(machine, "text"));
}

static void answered(struct machine *machine)
{
    static const struct {
        const char *at;
        void (*go)(struct machine *machine);
    } states[] = {
        {"status", status_answered}, {"upload", upload_answered}, {"bind", bind_answered},
        {"look", look_answered},     {"submit", submit_answered}, {"tasks", tasks_answered},
        {"find", find_answered},     {"poll", poll_answered},
    };

    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
        if (is_at(machine, states[i].at)) {
            states[i].go(machine);
            return;
        }
    err_set(&machine->step->error, ERR_INTERNAL, "an answer that nobody asked for");
    end(machine, STEP_FAIL);
}

static void ask(struct machine *machine)
{
    if (is_at(machine, "submit") && machine->turn->resumed) {
        err_set(&machine->step->error, ERR_LOST,
                "the program ended while the request was under way");
        find(machine);
    } else if (is_at(machine, "tasks") || is_at(machine, "find")) {
        find(machine);
    } else if (is_at(machine, "wait") || is_at(machine, "poll")) {
        ask_messages(machine, "poll", flow_text(machine, "session"));
    } else {
        go_on(machine);
    }
}

static void next(struct provider_turn *turn, struct provider_step *ret_step)
{
    struct machine machine = {.turn = turn, .step = ret_step, .reply = turn->reply};
    const json_t *uploads = json_object_get(turn->flow, "uploads");

    memset(ret_step, 0, sizeof(*ret_step));
    ret_step->progress = -1;
    ret_step->cost = -1;
    machine.catalog = libtv_catalog(&ret_step->error);
    if (machine.catalog)
        machine.message = libtv_message(turn->arena, machine.catalog, turn->request, uploads);
    if (!machine.message) {
        /* The flow stands: a submit whose answer goes unread is found again by its message. */
        fail_nomem(&machine);
        json_decref(machine.catalog);
        return;
    }
    machine.backend = libtv_backend(machine.catalog, turn->account);
    if (is_at(&machine, "done") || is_at(&machine, "fail") || is_at(&machine, "unknown"))
        repeat(&machine);
    else if (turn->reply)
        answered(&machine);
    else
        ask(&machine);
    if (*flow_text(&machine, "session"))
        ret_step->provider_job = arena_text(turn->arena, flow_text(&machine, "session"));
    json_decref(machine.catalog);
}

/* Neither door has a way to drop what was asked for. */
static int cancel(struct provider_turn *turn, struct http_request *ret_request)
{
    (void)turn;
    (void)ret_request;
    return -1;
}

const struct provider provider_libtv = {
    .name = "libtv",
    .can = libtv_can,
    .plan = libtv_plan,
    .next = next,
    .cancel = cancel,
    .models = libtv_models,
    .check = libtv_check,
    .checked = libtv_checked,
};
