/*
 * plume.c - the adapter itself: one flat machine over the job's flow.
 *
 *     start --> upload --answer--> (next upload) --> submit --answer: task--> wait --> poll --+-->
 * done
 *                 ^------------------------------------/                       ^-----pending--+
 *     any --refused, failed--> fail            submit --no answer, or none with sense--> unknown
 *
 * `flow.at` names the state in which the flow was saved, which is before its request is sent. So a
 * process that is told it `resumed` in `submit` cannot know whether it was carried out: `unknown`.
 * An upload or a question is simply made again. `done`, `fail` and `unknown` are ends; next()
 * repeats them for ever.
 *
 * The submit SPENDS, and the service knows no idempotency key. Only its own word that nothing was
 * done, or a connection that never came to be, makes a FAIL of it; a gateway's words make UNKNOWN.
 * A remembered address that the service does not want any more is uploaded once again: that refusal
 * is the service's own, and nothing was made.
 *
 * Flow: at, uploads {key: address}, mine {key: true} uploaded by this job, file (the key under
 * way), renewed, job, cost, word, results [address], and in an end its {kind, text, field, advice}.
 */
#include "providers/plume/plume.h"

#include "providers/step.h"

#include <stdio.h>
#include <string.h>

#define CURRENCY "credits"

int plume_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

void plume_fail_nomem(struct plume_machine *machine)
{
    step_nomem(machine->step);
}

void plume_end(struct plume_machine *machine, enum provider_step_kind kind)
{
    step_end(machine->turn, machine->step, kind);
}

void plume_fail_for_now(struct plume_machine *machine, const char *at)
{
    step_again(machine->turn, machine->step, at, 0);
}

void plume_wait(struct plume_machine *machine)
{
    step_wait(machine->turn, machine->step, "wait");
}

/* ---- sending ---- */

/* The first local picture whose address is not known; NULL: all are. */
static const json_t *next_upload(const struct plume_machine *machine)
{
    const json_t *known = json_object_get(machine->turn->flow, "uploads");
    size_t index;
    json_t *input;

    json_array_foreach(json_object_get(machine->turn->request, "inputs"), index, input)
    {
        const char *key = json_text(input, "key");

        if (*key && !*json_text(known, key))
            return input;
    }
    return NULL;
}

static void send(struct plume_machine *machine, enum provider_phase phase, const char *at, int rc)
{
    step_send(machine->turn, machine->step, phase, at, rc);
}

/* What comes before there is a task: an upload, or else the request for it. */
static void go_on(struct plume_machine *machine)
{
    struct provider_step *step = machine->step;
    struct provider_turn *turn = machine->turn;
    const json_t *input = next_upload(machine);

    if (!input) {
        send(machine, PHASE_SUBMIT, "submit",
             plume_request_submit(turn, machine->catalog, &step->request, &step->error));
        return;
    }
    if (plume_set(turn->flow, "file", json_string(json_text(input, "key"))))
        plume_fail_nomem(machine);
    else
        send(machine, PHASE_UPLOAD, "upload",
             plume_request_upload(turn, machine->catalog, input, &step->request, &step->error));
}

static void ask(struct plume_machine *machine)
{
    struct provider_step *step = machine->step;

    send(machine, PHASE_POLL, "poll",
         plume_request_poll(machine->turn, machine->catalog, &step->request, &step->error));
}

/* ---- upload ---- */

static int put(json_t *flow, const char *table, const char *key, json_t *value)
{
    json_t *object = json_object_get(flow, table);

    if (json_is_object(object))
        return plume_set(object, key, value);
    object = json_object();
    if (plume_set(object, key, value) == 0)
        return plume_set(flow, table, object);
    json_decref(object);
    return -1;
}

static void uploaded(struct plume_machine *machine)
{
    struct provider_turn *turn = machine->turn;
    struct provider_step *step = machine->step;
    const char *url = json_text(machine->answer.data, "file_url");
    char *key = arena_text(turn->arena, json_text(turn->flow, "file"));

    if (!plume_may_use(turn->account, url) || strlen(url) > PLUME_UPLOAD_URL_MAX) {
        err_set(&step->error, *url ? ERR_REFUSED : ERR_ANSWER,
                *url ? "the picture was uploaded to an address that is not Plume's"
                     : "the answer to the upload names no address");
        plume_end(machine, STEP_FAIL);
        return;
    }
    step->uploaded_url = arena_text(turn->arena, url);
    if (!key || !step->uploaded_url || put(turn->flow, "uploads", key, json_string(url)) ||
        put(turn->flow, "mine", key, json_true())) {
        plume_fail_nomem(machine);
        return;
    }
    step->uploaded_key = key;
    step->uploaded_keep_ms = json_int(json_object_get(machine->catalog, "uploads"), "keep_ms", 0);
    go_on(machine);
}

/* An upload costs nothing and may be repeated, unless the service does not want this very file. */
static void upload_answered(struct plume_machine *machine)
{
    const struct http_reply *reply = machine->reply;
    struct err *error = &machine->step->error;

    if (reply->outcome == HTTP_ANSWERED && reply->status / 100 == 2 &&
        machine->answer.succeeded != 0 && machine->answer.json) {
        uploaded(machine);
    } else if (reply->outcome == HTTP_ANSWERED && reply->status / 100 != 3) {
        int again = plume_error_read(reply, &machine->answer, machine->turn->arena, error);

        if (again || error->kind == ERR_UNAVAILABLE || error->kind == ERR_ANSWER)
            plume_fail_for_now(machine, "upload");
        else
            plume_end(machine, STEP_FAIL);
    } else if (reply->outcome == HTTP_NOT_SENT || reply->outcome == HTTP_LOST ||
               reply->outcome == HTTP_TRUNCATED) {
        err_set(error, ERR_UNAVAILABLE, "the upload did not arrive: %s",
                step_reason(machine->turn, "no answer"));
        plume_fail_for_now(machine, "upload");
    } else {
        err_set(error, step_kind_of_outcome(reply->outcome, ERR_REFUSED), "the upload failed: %s",
                step_reason(machine->turn, "a redirect"));
        plume_end(machine, STEP_FAIL);
    }
}

/* ---- submit ---- */

void plume_keep_cost(struct plume_machine *machine)
{
    const json_t *cost = json_object_get(machine->answer.data, "credits_cost");

    if (json_is_number(cost) && json_number_value(cost) >= 0)
        plume_set(machine->turn->flow, "cost", json_real(json_number_value(cost)));
}

static void unknown(struct plume_machine *machine, enum err_kind kind, const char *why)
{
    err_set(&machine->step->error, kind, "the request was sent, but %s", why);
    err_advise(&machine->step->error, PLUME_ADVICE_LOST);
    plume_end(machine, STEP_UNKNOWN);
}

/* Paid: whatever goes wrong from here on, the task is never asked for a second time. */
static void accepted(struct plume_machine *machine)
{
    struct provider_step *step = machine->step;
    json_t *flow = machine->turn->flow;
    const char *task = plume_answer_task(machine->turn->arena, &machine->answer);

    plume_keep_cost(machine);
    if (!task) {
        unknown(machine, ERR_ANSWER, "the answer names no task");
    } else if (plume_set(flow, "job", json_string(task)) ||
               plume_set(flow, "at", json_string("wait"))) {
        err_nomem(&step->error);
        plume_end(machine, STEP_UNKNOWN);
    } else {
        step->provider_job = task;
        plume_wait(machine);
    }
}

/* Addresses of earlier uploads may be gone there; 1: they are forgotten, and sent again. */
static int renew(struct plume_machine *machine)
{
    json_t *flow = machine->turn->flow;
    json_t *known = json_object_get(flow, "uploads");
    const json_t *mine = json_object_get(flow, "mine");
    const char *key;
    json_t *url;
    void *next;
    int any = 0;

    if (!plume_error_is_about_pictures(&machine->answer) || json_object_get(flow, "renewed") ||
        plume_set(flow, "renewed", json_true()))
        return 0;
    json_object_foreach_safe(known, next, key, url) if (!json_object_get(mine, key))
    {
        json_object_del(known, key);
        any = 1;
    }
    return any;
}

/* Gateways answer in JSON as well, but not in the service's envelope. */
static int is_own_word(const struct plume_answer *answer)
{
    return answer->json && (answer->succeeded == 0 || *answer->code);
}

/* Only the service itself can say that nothing was done; it says so in its envelope. */
static void submit_refused(struct plume_machine *machine)
{
    const struct http_reply *reply = machine->reply;
    struct err *error = &machine->step->error;
    int again;

    if (renew(machine)) {
        go_on(machine);
        return;
    }
    again = plume_error_read(reply, &machine->answer, machine->turn->arena, error);
    if (again) {
        plume_fail_for_now(machine, "start");
    } else if (!is_own_word(&machine->answer) && (reply->status >= 500 || reply->status == 408)) {
        err_advise(error, PLUME_ADVICE_LOST);
        plume_end(machine, STEP_UNKNOWN);
    } else {
        plume_end(machine, STEP_FAIL);
    }
}

static void submit_answered(struct plume_machine *machine)
{
    const struct http_reply *reply = machine->reply;
    struct err *error = &machine->step->error;
    const struct plume_answer *answer = &machine->answer;
    const char *why = step_reason(machine->turn, "no reason is known");

    if (reply->outcome == HTTP_NOT_SENT) {
        err_set(error, ERR_UNAVAILABLE, "%s", why);
        plume_fail_for_now(machine, "start");
    } else if (reply->outcome == HTTP_REFUSED) {
        err_set(error, ERR_REFUSED, "%s", why);
        plume_end(machine, STEP_FAIL);
    } else if (answer->json && (answer->succeeded == 0 || reply->status >= 400)) {
        submit_refused(machine);
    } else if (answer->json && reply->status / 100 == 2) {
        accepted(machine);
    } else if (reply->outcome == HTTP_ANSWERED && reply->status >= 400) {
        submit_refused(machine);
    } else if (reply->outcome == HTTP_ANSWERED) {
        unknown(machine, ERR_ANSWER,
                reply->text_len ? "the answer makes no sense" : "the answer is empty");
    } else {
        unknown(machine, step_kind_of_outcome(reply->outcome, ERR_LOST), why);
    }
}

/* ---- a turn ---- */

/* The step of a flow that has come to its end. */
static void repeat(struct plume_machine *machine, const char *at)
{
    const json_t *flow = machine->turn->flow;
    struct plume_results results = {.count = 0};
    size_t index;
    json_t *row;

    if (strcmp(at, "done") != 0) {
        step_repeat(machine->turn, machine->step);
        return;
    }
    json_array_foreach(json_object_get(flow, "results"), index,
                       row) if (results.count < LIMIT_FILES) results.urls[results.count++] =
        arena_text(machine->turn->arena, json_string_value(row));
    if (machine->turn->arena->failed)
        plume_fail_nomem(machine);
    else
        plume_show(machine, &results);
}

static void take_reply(struct plume_machine *machine, const char *at)
{
    plume_answer_read(machine->reply, &machine->answer);
    if (strcmp(at, "upload") == 0)
        upload_answered(machine);
    else if (strcmp(at, "submit") == 0)
        submit_answered(machine);
    else
        plume_poll_answered(machine);
    plume_answer_done(&machine->answer);
}

static void act(struct plume_machine *machine, const char *at)
{
    if (strcmp(at, "submit") == 0 && machine->turn->resumed) {
        err_set(&machine->step->error, ERR_LOST,
                "the program ended while the request was under way; it may have been carried out");
        plume_end(machine, STEP_UNKNOWN);
    } else if (strcmp(at, "wait") == 0 || strcmp(at, "poll") == 0) {
        ask(machine);
    } else {
        go_on(machine);
    }
}

static void next(struct provider_turn *turn, struct provider_step *ret_step)
{
    char at[16];
    struct plume_machine machine = {.turn = turn, .step = ret_step, .reply = turn->reply};
    json_t *catalog;

    memset(ret_step, 0, sizeof(*ret_step));
    ret_step->progress = -1;
    ret_step->cost = -1;
    /* A copy: the flow's own text goes when `at` is written. */
    snprintf(at, sizeof(at), "%s", json_text(turn->flow, "at"));
    catalog = plume_catalog(&ret_step->error);
    machine.catalog = catalog;
    if (step_is_end(at))
        repeat(&machine, at);
    else if (!catalog && turn->reply && strcmp(at, "submit") == 0)
        plume_end(&machine, STEP_UNKNOWN); /* nothing can be read, and it must not be sent again */
    else if (!catalog)
        plume_fail_nomem(&machine);
    else if (turn->reply)
        take_reply(&machine, at);
    else
        act(&machine, at);
    step_known(turn, ret_step, CURRENCY);
    json_decref(catalog);
}

static int can(const struct provider_account *account, const char *what)
{
    static const char *const all[] = {"generate_image",
                                      "generate_image/reference",
                                      "edit_image/edit",
                                      "generate_video/text",
                                      "generate_video/image",
                                      "generate_video/reference",
                                      "edit_image/remove_background",
                                      "edit_image/remove_watermark"};

    (void)account;
    return step_is_one_of(what, all, sizeof(all) / sizeof(*all));
}

/*
 * last_result_<channel>.json: where the skill's own tools look for "the last picture". It knows no
 * conversations, so it is written for them and never read here: our "last" is of the ledger.
 */
static json_t *record(const struct provider_record *record, struct arena *arena,
                      const char **ret_path)
{
    *ret_path = arena_format(arena, "plume/last_result%s%s.json", *record->channel ? "_" : "",
                             record->channel);
    if (!*ret_path)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:f}", "task_id", record->task, "result_url",
                     record->url, "local_file", record->path, "media_type", record->kind,
                     "created_at", (double)record->now_ms / 1000.0);
}

const struct provider provider_plume = {
    .name = "plume",
    .can = can,
    .plan = plume_plan,
    .next = next,
    .record = record,
    .models = plume_catalog_models,
    .check = plume_request_check,
    .checked = plume_checked,
};
