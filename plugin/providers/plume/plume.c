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

#include <stdio.h>
#include <string.h>

#define CURRENCY "credits"

int plume_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

/* The flow stands where it stood, so the turn may come again. */
void plume_fail_nomem(struct plume_machine *machine)
{
    machine->step->kind = STEP_FAIL;
    machine->step->retry = 1;
    err_nomem(&machine->step->error);
}

/* An end, kept in the flow as well where there is memory. The error is already in the step. */
void plume_end(struct plume_machine *machine, enum provider_step_kind kind)
{
    const struct err *error = &machine->step->error;
    json_t *flow = machine->turn->flow;

    machine->step->kind = kind;
    machine->step->retry = 0;
    if (plume_set(flow, "kind", json_string(err_kind_name(error->kind))) == 0 &&
        plume_set(flow, "text", json_string(error->text)) == 0 &&
        plume_set(flow, "field", json_string(error->field)) == 0 &&
        plume_set(flow, "advice", json_string(error->advice ? error->advice : "")) == 0)
        plume_set(flow, "at", json_string(kind == STEP_UNKNOWN ? "unknown" : "fail"));
}

/* The same request may work later; the flow goes back to where it comes from. */
void plume_fail_for_now(struct plume_machine *machine, const char *at)
{
    struct provider_step *step = machine->step;

    step->kind = STEP_FAIL;
    step->retry = 1;
    if (machine->reply && machine->reply->retry_after_ms > 0)
        step->not_before_ms = machine->reply->retry_after_ms;
    if (plume_set(machine->turn->flow, "at", json_string(at)))
        plume_fail_nomem(machine);
}

/* Why an exchange failed, in the words of net/. */
const char *plume_reason(const struct plume_machine *machine, const char *otherwise)
{
    const char *text = machine->reply->error;
    char *clean = text && *text ? provider_clean(machine->turn->arena, text, strlen(text)) : NULL;

    return clean ? clean : otherwise;
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
    struct provider_step *step = machine->step;

    if (rc || plume_set(machine->turn->flow, "at", json_string(at))) {
        plume_fail_nomem(machine);
        return;
    }
    step->kind = STEP_SEND;
    step->phase = phase;
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
                plume_reason(machine, "no answer"));
        plume_fail_for_now(machine, "upload");
    } else {
        err_set(error,
                reply->outcome == HTTP_CANCELLED   ? ERR_CANCELLED
                : reply->outcome == HTTP_TOO_LARGE ? ERR_LIMIT
                : reply->outcome == HTTP_SINK      ? ERR_IO
                                                   : ERR_REFUSED,
                "the upload failed: %s", plume_reason(machine, "a redirect"));
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

void plume_wait(struct plume_machine *machine)
{
    struct provider_step *step = machine->step;

    step->kind = STEP_WAIT;
    step->not_before_ms = machine->reply->retry_after_ms > 0 ? machine->reply->retry_after_ms : 0;
    if (plume_set(machine->turn->flow, "at", json_string("wait")))
        plume_fail_nomem(machine);
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
    const char *why = plume_reason(machine, "no reason is known");

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
        unknown(machine,
                reply->outcome == HTTP_SINK        ? ERR_IO
                : reply->outcome == HTTP_TOO_LARGE ? ERR_LIMIT
                : reply->outcome == HTTP_CANCELLED ? ERR_CANCELLED
                                                   : ERR_LOST,
                why);
    }
}

/* ---- a turn ---- */

/* The step of a flow that has come to its end. */
static void repeat(struct plume_machine *machine, const char *at)
{
    struct provider_step *step = machine->step;
    json_t *flow = machine->turn->flow;
    struct plume_results results = {.count = 0};
    size_t index;
    json_t *row;

    if (strcmp(at, "done") != 0) {
        step->kind = strcmp(at, "unknown") == 0 ? STEP_UNKNOWN : STEP_FAIL;
        err_set(&step->error, err_kind_by_name(json_text(flow, "kind")), "%s",
                json_text(flow, "text"));
        snprintf(step->error.field, sizeof(step->error.field), "%s", json_text(flow, "field"));
        err_advise(&step->error, plume_error_advice(json_text(flow, "advice")));
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

/* Texts of the flow may go when it is written next; a step's live as long as the turn. */
static void add_known(struct plume_machine *machine)
{
    struct provider_step *step = machine->step;
    const json_t *flow = machine->turn->flow;
    const json_t *cost = json_object_get(flow, "cost");

    if (!step->provider_job && *json_text(flow, "job"))
        step->provider_job = arena_text(machine->turn->arena, json_text(flow, "job"));
    if (json_is_number(cost)) {
        step->cost = json_number_value(cost);
        step->currency = CURRENCY;
    }
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
    if (strcmp(at, "done") == 0 || strcmp(at, "fail") == 0 || strcmp(at, "unknown") == 0)
        repeat(&machine, at);
    else if (!catalog && turn->reply && strcmp(at, "submit") == 0)
        plume_end(&machine, STEP_UNKNOWN); /* nothing can be read, and it must not be sent again */
    else if (!catalog)
        plume_fail_nomem(&machine);
    else if (turn->reply)
        take_reply(&machine, at);
    else
        act(&machine, at);
    add_known(&machine);
    json_decref(catalog);
}

/* The service has no way to drop a task. */
static int cancel(struct provider_turn *turn, struct http_request *ret_request)
{
    (void)turn;
    (void)ret_request;
    return -1;
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
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (strcmp(all[i], what) == 0)
            return 1;
    return 0;
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
    .cancel = cancel,
    .record = record,
    .models = plume_catalog_models,
    .check = plume_request_check,
    .checked = plume_checked,
};
