/*
 * libtv.c - the adapter itself: one flat machine over the job's flow.
 *
 *     start --> status --> upload... --> move --> bind --> look --> submit --> wait <--> poll -->
 * done
 *                                                            |
 *            no answer to the submit, or one without sense:  +--> tasks --> find --> wait
 *                                                                   \---------\----> unknown
 *     any --refused, failed--> fail
 *
 * What of the way to the submit is still to do is seen from what the flow knows: `checked` (a
 * gateway key has uses left), `uploads`, `session`, `base` (the place of the last message before
 * ours, so that nothing of an earlier turn is ever taken for ours). The personal API lets a session
 * be made without a message; so its name is known before anything is paid, and an answer that is
 * lost can be asked for. The gateway may count any such request as a use: there the message goes
 * along at once, and a lost answer is looked for among the key's tasks. A message of exactly our
 * words in the session is the proof that it was accepted; without the proof the job is `unknown`,
 * and never sent again.
 *
 * `at` names the state in which the flow was saved, which is before its request is sent. `done`,
 * `fail` and `unknown` are ends; next() repeats them, but a recheck goes on from `unknown` where
 * there is somebody to ask.
 *
 * A turn has ended when the agent spoke last and called no tool, or when nothing was added for
 * some questions: clips and storyboards come before the film, and a tool that failed may be called
 * again.
 *
 * Flow: at, checked, way (of the upload), uploads{key: url}, moved, session, project, base, own,
 * seq, sent_ms, finds, candidates[], said, quiet, words, urls[], and in an end its {kind, text,
 * field, advice}.
 */
#include "providers/libtv/machine.h"

#include "providers/step.h"

#include <string.h>

/* ---- the way to the submit ---- */

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
    struct provider_turn *turn = machine->turn;
    struct provider_step *step = machine->step;
    const char *session = libtv_flow_text(machine, "session");
    int rc;

    /* Anew: an upload's address may have come with this very turn. */
    machine->message = libtv_message(turn->arena, machine->catalog, turn->request,
                                     json_object_get(turn->flow, "uploads"));
    if (!machine->message) {
        libtv_step_nomem(machine);
        return;
    }
    rc = libtv_request_session(machine->turn, machine->catalog, *session ? session : NULL,
                                   machine->message, &step->request, &step->error);

    if (rc == 0 && libtv_flow_set(machine, "sent_ms", json_integer(machine->turn->now_ms)))
        rc = err_nomem(&step->error);
    libtv_step_send(machine, "submit", PHASE_SUBMIT, rc);
}

/* What comes next on the way to the submit. */
static void go_on(struct machine *machine)
{
    struct provider_turn *turn = machine->turn;
    struct provider_step *step = machine->step;
    const json_t *input = missing_upload(machine);
    const char *wanted = json_text(turn->request, "session");

    if (*wanted && !*libtv_flow_text(machine, "session") &&
        libtv_flow_set(machine, "session", json_string(wanted))) {
        libtv_step_nomem(machine);
    } else if (*json_text(machine->backend, "status") &&
               !json_is_true(json_object_get(turn->flow, "checked"))) {
        libtv_step_send(machine, "status", PHASE_SUBMIT,
             libtv_request_status(turn, machine->catalog, &step->request, &step->error));
    } else if (input) {
        libtv_step_send(machine, "upload", PHASE_UPLOAD,
             libtv_request_upload(turn, machine->catalog, input,
                                  (size_t)libtv_flow_int(machine, "way", 0), &step->request,
                                  &step->error));
    } else if (json_is_true(json_object_get(turn->request, "new_project")) &&
               !*libtv_flow_text(machine, "moved")) {
        libtv_step_send(
            machine, "move", PHASE_SUBMIT,
            libtv_request_project(turn, machine->catalog, &step->request, &step->error));
    } else if (!*libtv_flow_text(machine, "session") &&
               json_is_true(json_object_get(machine->backend, "bind_first"))) {
        libtv_step_send(machine, "bind", PHASE_SUBMIT,
             libtv_request_session(turn, machine->catalog, NULL, NULL, &step->request,
                                   &step->error));
    } else if (*libtv_flow_text(machine, "session") && libtv_flow_int(machine, "base", -1) < 0) {
        libtv_step_send(machine, "look", PHASE_SUBMIT,
             libtv_request_messages(turn, machine->catalog, libtv_flow_text(machine, "session"), 0,
                                    &step->request, &step->error));
    } else {
        send_submit(machine);
    }
}

/* ---- answers on that way ---- */

static void status_answered(struct machine *machine)
{
    struct err *error = &machine->step->error;
    json_t *json = libtv_step_read(machine, "start");
    json_t *facts;

    if (!json)
        return;
    facts = libtv_key_facts(json);
    if (!facts) {
        err_set(error, ERR_ANSWER, "the key's status lacks remaining_uses and max_uses");
        libtv_step_end(machine, STEP_FAIL);
    } else if (json_int(facts, "remaining_uses", 0) <= 0) {
        err_set(error, ERR_CREDITS, "Free trial uses exhausted");
        err_advise(error, "libtv.uses");
        libtv_step_end(machine, STEP_FAIL);
    } else if (libtv_flow_set(machine, "checked", json_true())) {
        libtv_step_nomem(machine);
    } else {
        go_on(machine);
    }
    json_decref(facts);
    json_decref(json);
}

/* Another path, where this one is not there. 1: dealt with. */
static int tries_other_way(struct machine *machine)
{
    int64_t way = libtv_flow_int(machine, "way", 0) + 1;

    if (machine->reply->outcome != HTTP_ANSWERED ||
        (machine->reply->status != 404 && machine->reply->status != 405) ||
        (size_t)way >= json_array_size(json_object_get(machine->backend, "uploads")))
        return 0;
    if (libtv_flow_set(machine, "way", json_integer(way)))
        libtv_step_nomem(machine);
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
    json = libtv_step_read(machine, "start");
    if (!json)
        return;
    url = json_text(libtv_data(json), "url");
    if (!input || !*url || strlen(url) >= LIBTV_URL_MAX || url[strcspn(url, " \t\r\n\"<>")]) {
        err_set(&step->error, ERR_ANSWER, "Upload failed: no URL returned");
        libtv_step_end(machine, STEP_FAIL);
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
            libtv_step_nomem(machine);
        else
            go_on(machine);
    }
    json_decref(json);
}

/* The key is moved to another project; sessions made from now on belong to that. */
static void move_answered(struct machine *machine)
{
    json_t *json = libtv_step_read(machine, "start");
    const char *project = json_text(libtv_data(json), "projectUuid");

    if (!json)
        return;
    if (!libtv_is_name(project)) {
        err_set(&machine->step->error, ERR_ANSWER, "the answer lacks projectUuid");
        libtv_step_end(machine, STEP_FAIL);
    } else if (libtv_flow_set(machine, "moved", json_string(project))) {
        libtv_step_nomem(machine);
    } else {
        go_on(machine);
    }
    json_decref(json);
}

static void bind_answered(struct machine *machine)
{
    json_t *json = libtv_step_read(machine, "start");

    if (!json)
        return;
    if (libtv_take_session(machine, json, 1) == 0)
        go_on(machine);
    else if (machine->step->error.kind == ERR_NOMEM)
        libtv_step_nomem(machine);
    else
        libtv_step_end(machine, STEP_FAIL);
    json_decref(json);
}

static void look_answered(struct machine *machine)
{
    json_t *json = libtv_step_read(machine, "start");
    struct libtv_scan before;

    if (!json)
        return;
    if (!libtv_messages_of(json)) {
        err_set(&machine->step->error, ERR_ANSWER, "the answer lacks messages");
        libtv_step_retry(machine, "start");
    } else if (libtv_step_scan(machine, json, &before) ||
               libtv_flow_set(machine, "base", json_integer(before.last)) ||
               libtv_flow_set(machine, "seq", json_boolean(before.has_seq))) {
        libtv_step_nomem(machine);
    } else {
        go_on(machine);
    }
    json_decref(json);
}

/* ---- the whole ---- */

/* The step of a flow that has come to its end. */
static void repeat(struct machine *machine)
{
    if (libtv_flow_is_at(machine, "done"))
        libtv_show_results(machine);
    else
        step_repeat(machine->turn, machine->step);
}

static void answered(struct machine *machine)
{
    static const struct {
        const char *at;
        void (*go)(struct machine *machine);
    } states[] = {
        {"status", status_answered},     {"upload", upload_answered},
        {"move", move_answered},         {"bind", bind_answered},
        {"look", look_answered},         {"submit", libtv_submit_answered},
        {"tasks", libtv_tasks_answered}, {"find", libtv_find_answered},
        {"poll", libtv_poll_answered},
    };

    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
        if (libtv_flow_is_at(machine, states[i].at)) {
            states[i].go(machine);
            return;
        }
    err_set(&machine->step->error, ERR_INTERNAL, "an answer that nobody asked for");
    libtv_step_end(machine, STEP_FAIL);
}

static void ask(struct machine *machine)
{
    if (libtv_flow_is_at(machine, "submit") && machine->turn->resumed) {
        err_set(&machine->step->error, ERR_LOST,
                "the program ended while the request was under way");
        libtv_find(machine);
    } else if (libtv_flow_is_at(machine, "tasks") || libtv_flow_is_at(machine, "find")) {
        libtv_find(machine);
    } else if (libtv_flow_is_at(machine, "wait") || libtv_flow_is_at(machine, "poll")) {
        libtv_step_ask(machine, "poll", libtv_flow_text(machine, "session"));
    } else {
        go_on(machine);
    }
}

/* What could not be found may have come up since. */
static void look_again(struct machine *machine)
{
    json_object_del(machine->turn->flow, "finds");
    libtv_find(machine);
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
        libtv_step_nomem(&machine);
        json_decref(machine.catalog);
        return;
    }
    machine.backend = libtv_backend(machine.catalog, turn->account);
    if (libtv_flow_is_at(&machine, "unknown") && turn->recheck)
        look_again(&machine);
    else if (step_is_end(libtv_flow_text(&machine, "at")))
        repeat(&machine);
    else if (turn->reply)
        answered(&machine);
    else
        ask(&machine);
    if (*libtv_flow_text(&machine, "session"))
        ret_step->provider_job = arena_text(turn->arena, libtv_flow_text(&machine, "session"));
    json_decref(machine.catalog);
}

const struct provider provider_libtv = {
    .name = "libtv",
    .can = libtv_can,
    .plan = libtv_plan,
    .next = next,
    .models = libtv_models,
    .check = libtv_check,
    .checked = libtv_checked,
};
