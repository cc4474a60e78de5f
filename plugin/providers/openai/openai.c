/*
 * openai.c - the adapter itself: one flat machine over the job's flow.
 *
 *     start --submit--> submit --answer: results--------------------------> done
 *                         |  \--answer: job--> wait --poll--> poll --+--> done
 *                         |                      ^-------pending-----+
 *                         +--no answer, or one without sense--> unknown
 *     any --refused, failed--> fail
 *
 * `flow.at` names the state in which the flow was saved, which is before its request is sent. So a
 * process that is told it `resumed` in `submit` cannot know whether it was carried out: `unknown`.
 * In `poll` it asks again. `done`, `fail` and `unknown` are ends; next() repeats them for ever.
 * After a FAIL that may be retried the flow stands where the same request comes next: `start`, when
 * it is certain that nothing was carried out, or `wait`.
 *
 * The submit SPENDS. Only an answer that refuses it, or a connection that never came to be, makes a
 * FAIL of it; anything less certain is UNKNOWN. A poll READS, so whatever is odd may be repeated.
 *
 * Flow: at, job, poll_url, word, cost, results[{blob | url, auth | base64, mime}], and in an end
 * its {kind, text, field, advice}. No secret is in it.
 */
#include "providers/openai/openai.h"

#include "providers/step.h"

#include <stdio.h>
#include <string.h>

#define CURRENCY "USD"
#define RESULTS_BYTES_MAX 49152u /* of a flow: what is past it cannot be saved */

struct machine {
    struct provider_turn *turn;
    struct provider_step *step;
    const struct http_reply *reply;
    const json_t *catalog;
    int spent; /* the answer in hand says that the submit was carried out */
};

static int set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

/* The flow stands where it stood, so the turn may come again; but not once money was spent. */
static void fail_nomem(struct machine *machine)
{
    step_nomem(machine->step);
    if (machine->spent) {
        machine->step->kind = STEP_UNKNOWN;
        machine->step->retry = 0;
    }
}

static void end(struct machine *machine, enum provider_step_kind kind)
{
    step_end(machine->turn, machine->step, kind);
}

static void fail_for_now(struct machine *machine, const char *at)
{
    if (step_again(machine->turn, machine->step, at, 0))
        fail_nomem(machine);
}

static void send(struct machine *machine, enum provider_phase phase)
{
    struct provider_step *step = machine->step;
    int submits = phase == PHASE_SUBMIT;
    int rc = submits ? openai_request_submit(machine->turn, &step->request, &step->error)
                     : openai_request_poll(machine->turn, &step->request, &step->error);

    if (rc && step->error.kind != ERR_NOMEM)
        end(machine, STEP_FAIL);
    else
        step_send(machine->turn, step, phase, submits ? "submit" : "poll", rc);
}

static json_t *save_result(const struct provider_result *result)
{
    json_t *row = json_object();
    int failed = !row;

    if (result->blob >= 0)
        failed |= set(row, "blob", json_integer(result->blob));
    else if (result->url)
        failed |= set(row, "url", json_string(result->url)) |
                  set(row, "auth", json_boolean(result->auth));
    else
        failed |= set(row, "base64", json_string(result->base64));
    if (result->mime_hint &&
        json_object_set_new_nocheck(row, "mime", json_string(result->mime_hint)))
        json_object_del(row, "mime"); /* a hint that is no text is none */
    if (!failed)
        return row;
    json_decref(row);
    return NULL;
}

static void done(struct machine *machine, const struct openai_reading *reading)
{
    json_t *flow = machine->turn->flow;
    json_t *rows = json_array();
    size_t bytes = 0;
    int failed = !rows;

    for (size_t i = 0; i < reading->results_count && !failed; i++) {
        const struct provider_result *result = &reading->results[i];

        bytes += 160 + (result->url ? strlen(result->url) : 0) +
                 (result->base64 ? strlen(result->base64) : 0);
        if (bytes > RESULTS_BYTES_MAX)
            break;
        failed |= json_array_append_new(rows, save_result(result));
        machine->step->results[i] = *result;
        machine->step->results_count = i + 1;
    }
    if (failed) {
        json_decref(rows);
        fail_nomem(machine);
        return;
    }
    if (set(flow, "results", rows) || set(flow, "at", json_string("done")))
        fail_nomem(machine);
    else
        machine->step->kind = STEP_DONE;
}

/* The video of a finished job that names no address: at the place which the family has for it. */
static void done_with_content(struct machine *machine, const char *job)
{
    const struct provider_turn *turn = machine->turn;
    const char *path = json_text(json_object_get(turn->request, "wire"), "content");
    struct openai_reading reading = {.results_count = 1};
    struct provider_step *step = machine->step;

    if (!*path || !*job) {
        err_set(&step->error, ERR_ANSWER, "the job is finished, but the answer names no result");
        end(machine, STEP_FAIL);
        return;
    }
    reading.results[0].blob = -1;
    reading.results[0].auth = 1;
    reading.results[0].url = openai_url_api(turn->arena, turn->account->base_url, path, job);
    if (reading.results[0].url)
        done(machine, &reading);
    else
        fail_nomem(machine);
}

/* What is known from an answer whatever it means. 0, or -1 without memory. */
static int keep(struct machine *machine, const struct openai_reading *reading)
{
    struct provider_step *step = machine->step;
    struct provider_turn *turn = machine->turn;
    json_t *flow = turn->flow;

    if (reading->cost >= 0 && set(flow, "cost", json_real(reading->cost)))
        return -1;
    if (reading->cost >= 0) {
        step->cost = reading->cost;
        step->currency = CURRENCY;
    }
    step->progress = reading->progress;
    if (reading->state == STATE_STRANGE && strcmp(json_text(flow, "word"), reading->word) != 0) {
        step->unknown_word = reading->word;
        if (set(flow, "word", json_string(reading->word)))
            return -1;
    }
    return 0;
}

static void wait(struct machine *machine)
{
    if (step_wait(machine->turn, machine->step, "wait"))
        fail_nomem(machine);
}

/* May further questions be asked about this answer's job? */
static int can_ask(const struct machine *machine, const struct openai_reading *reading)
{
    const json_t *wire = json_object_get(machine->turn->request, "wire");

    return reading->poll_url || (reading->job && *json_text(wire, "poll"));
}

static void begin_waiting(struct machine *machine, const struct openai_reading *reading)
{
    json_t *flow = machine->turn->flow;

    if ((reading->job && set(flow, "job", json_string(reading->job))) ||
        (reading->poll_url && set(flow, "poll_url", json_string(reading->poll_url)))) {
        err_nomem(&machine->step->error);
        end(machine, STEP_UNKNOWN);
        return;
    }
    machine->step->provider_job = reading->job;
    wait(machine);
}

/* A 2xx to the submit that shows neither results nor a job. */
static void submit_without_sense(struct machine *machine, const struct openai_reading *reading)
{
    struct err *error = &machine->step->error;

    if (reading->body == BODY_JSON && !reading->partial && !reading->poll_foreign) {
        err_set(error, ERR_ANSWER, "the answer (HTTP %d) holds neither a result nor a job",
                machine->reply->status);
        end(machine, STEP_FAIL);
        return;
    }
    if (reading->poll_foreign)
        err_set(error, ERR_REFUSED,
                "the job was accepted, but its state is told by another server, which is not asked");
    else if (reading->partial)
        err_set(error, ERR_LOST, "the answer (HTTP %d) broke off; the request was carried out",
                machine->reply->status);
    else if (reading->body == BODY_DEEP)
        err_set(error, ERR_ANSWER,
                "the answer is nested deeper than %d or has more than %d values; the request was "
                "carried out",
                LIMIT_JSON_DEPTH, LIMIT_JSON_VALUES);
    else
        err_set(error, ERR_ANSWER,
                "the answer (HTTP %d) makes no sense; the request was carried out",
                machine->reply->status);
    end(machine, STEP_UNKNOWN);
}

static int is_over(enum openai_state state)
{
    return state == STATE_FAILED || state == STATE_CANCELLED || state == STATE_EXPIRED ||
           state == STATE_MODERATED;
}

static void submit_accepted(struct machine *machine)
{
    struct openai_reading reading;
    struct provider_step *step = machine->step;
    int asks;

    machine->spent = 1;
    if (openai_read(machine->turn, machine->catalog, &reading) || keep(machine, &reading)) {
        err_nomem(&step->error);
        end(machine, STEP_UNKNOWN);
        return;
    }
    asks = can_ask(machine, &reading);
    step->error = reading.error;
    if (is_over(reading.state) && !reading.partial)
        end(machine, STEP_FAIL);
    else if (reading.error.kind && !reading.results_count && !asks && !reading.partial)
        end(machine, STEP_FAIL);
    else if (asks && (reading.state == STATE_PENDING || reading.state == STATE_STRANGE ||
                      reading.partial))
        begin_waiting(machine, &reading);
    else if (reading.results_count)
        done(machine, &reading);
    else if (asks && reading.state == STATE_DONE && !reading.poll_url)
        done_with_content(machine, reading.job);
    else if (asks)
        begin_waiting(machine, &reading);
    else
        submit_without_sense(machine, &reading);
    if (step->kind == STEP_WAIT || step->kind == STEP_DONE)
        memset(&step->error, 0, sizeof(step->error));
    if (reading.job && step->kind == STEP_DONE)
        set(machine->turn->flow, "job", json_string(reading.job));
}

/* Did a gateway give up waiting, so that the request may still be carried out? */
static int is_unsure(int status)
{
    return status == 408 || status == 499 || status == 502 || status == 504 || status == 520 ||
           status == 522 || status == 524;
}

/* What a status and its words mean, into the step. */
static const struct err *read_refusal(struct machine *machine)
{
    json_t *json = NULL;
    int partial;

    openai_body_parse(machine->reply, &json, &partial);
    openai_error_status(machine->reply, json, machine->catalog, machine->turn->arena,
                        &machine->step->error);
    json_decref(json);
    return &machine->step->error;
}

static void submit_refused(struct machine *machine)
{
    const struct http_reply *reply = machine->reply;
    const struct err *error = read_refusal(machine);

    if (error->kind == ERR_MODERATED || error->kind == ERR_CREDITS)
        end(machine, STEP_FAIL);
    else if (is_unsure(reply->status))
        end(machine, STEP_UNKNOWN);
    else if (reply->status == 429 || (reply->status == 503 && reply->retry_after_ms >= 0))
        fail_for_now(machine, "start");
    else
        end(machine, STEP_FAIL);
}

static void submit_answered(struct machine *machine)
{
    const struct http_reply *reply = machine->reply;
    struct err *error = &machine->step->error;
    const char *why = step_reason(machine->turn, "no reason is known");

    if (reply->outcome == HTTP_NOT_SENT) {
        err_set(error, ERR_UNAVAILABLE, "%s", why);
        fail_for_now(machine, "start");
    } else if (reply->outcome == HTTP_REFUSED) {
        err_set(error, ERR_REFUSED, "%s", why);
        end(machine, STEP_FAIL);
    } else if (reply->status >= 300) {
        submit_refused(machine);
    } else if (reply->status >= 200 && reply->text_len &&
               (reply->outcome == HTTP_ANSWERED || reply->outcome == HTTP_TRUNCATED ||
                reply->outcome == HTTP_LOST || reply->outcome == HTTP_TOO_LARGE)) {
        submit_accepted(machine);
    } else {
        int is_empty = reply->outcome == HTTP_ANSWERED;

        err_set(error, step_kind_of_outcome(reply->outcome, is_empty ? ERR_ANSWER : ERR_LOST),
                "the request was sent, but %s", is_empty ? "the answer is empty" : why);
        end(machine, STEP_UNKNOWN);
    }
}

/* 401, 403, 404, 410 and their like do not get better by asking again. */
static void poll_refused(struct machine *machine)
{
    const struct http_reply *reply = machine->reply;
    const struct err *error = read_refusal(machine);

    if (error->kind != ERR_MODERATED &&
        (reply->status >= 500 || reply->status == 429 || reply->status == 408 ||
         reply->status == 409 || reply->status == 425))
        fail_for_now(machine, "wait");
    else
        end(machine, STEP_FAIL);
}

static void poll_told(struct machine *machine)
{
    struct openai_reading reading;
    struct provider_step *step = machine->step;

    if (openai_read(machine->turn, machine->catalog, &reading) || keep(machine, &reading)) {
        err_nomem(&step->error);
        fail_for_now(machine, "wait");
        return;
    }
    if (machine->reply->status == 202 && reading.state != STATE_DONE && !is_over(reading.state)) {
        wait(machine);
    } else if (reading.partial || reading.body != BODY_JSON) {
        /* A page, too: what a gateway shows while one waits is no result. */
        err_set(&step->error, ERR_ANSWER, "the answer about the job makes no sense");
        fail_for_now(machine, "wait");
    } else if (is_over(reading.state)) {
        step->error = reading.error;
        end(machine, STEP_FAIL);
    } else if (reading.state == STATE_PENDING || reading.state == STATE_STRANGE) {
        wait(machine);
    } else if (reading.results_count) {
        done(machine, &reading);
    } else if (reading.state == STATE_DONE) {
        done_with_content(machine, json_text(machine->turn->flow, "job"));
    } else if (reading.error.kind == ERR_RATE_LIMITED || reading.error.kind == ERR_UNAVAILABLE) {
        step->error = reading.error;
        fail_for_now(machine, "wait");
    } else if (reading.error.kind) {
        step->error = reading.error;
        end(machine, STEP_FAIL);
    } else if (reading.body == BODY_JSON && (reading.job || reading.progress >= 0)) {
        wait(machine);
    } else {
        err_set(&step->error, ERR_ANSWER, "the answer says nothing about the job");
        fail_for_now(machine, "wait");
    }
}

static void poll_answered(struct machine *machine)
{
    const struct http_reply *reply = machine->reply;
    struct err *error = &machine->step->error;
    const char *why = step_reason(machine->turn, "no answer");

    if (reply->outcome == HTTP_REFUSED || reply->outcome == HTTP_CANCELLED ||
        reply->outcome == HTTP_TOO_LARGE) {
        err_set(error, step_kind_of_outcome(reply->outcome, ERR_UNAVAILABLE), "%s", why);
        if (reply->outcome == HTTP_CANCELLED)
            fail_for_now(machine, "wait");
        else
            end(machine, STEP_FAIL);
    } else if (reply->outcome != HTTP_ANSWERED) {
        err_set(error, step_kind_of_outcome(reply->outcome, ERR_UNAVAILABLE), "%s", why);
        fail_for_now(machine, "wait");
    } else if (reply->status >= 200 && reply->status < 300) {
        poll_told(machine);
    } else {
        poll_refused(machine);
    }
}

/* The step of a flow that has come to its end. */
static void repeat(struct machine *machine, const char *at)
{
    struct provider_step *step = machine->step;
    struct arena *arena = machine->turn->arena;
    json_t *flow = machine->turn->flow;
    size_t index;
    json_t *row;

    if (strcmp(at, "done") != 0) {
        step_repeat(machine->turn, step);
        return;
    }
    step->kind = STEP_DONE;
    json_array_foreach(json_object_get(flow, "results"), index, row) {
        struct provider_result result = {.blob = (int)json_int(row, "blob", -1)};

        if (index >= LIMIT_FILES)
            break;
        if (*json_text(row, "url"))
            result.url = arena_text(arena, json_text(row, "url"));
        if (*json_text(row, "base64"))
            result.base64 = arena_text(arena, json_text(row, "base64"));
        if (*json_text(row, "mime"))
            result.mime_hint = arena_text(arena, json_text(row, "mime"));
        result.auth = json_is_true(json_object_get(row, "auth"));
        step->results[step->results_count++] = result;
    }
    if (arena->failed)
        fail_nomem(machine);
}

static void next(struct provider_turn *turn, struct provider_step *ret_step)
{
    const char *at = json_text(turn->flow, "at");
    struct machine machine = {.turn = turn, .step = ret_step, .reply = turn->reply};
    json_t *catalog = NULL;

    memset(ret_step, 0, sizeof(*ret_step));
    ret_step->progress = -1;
    ret_step->cost = -1;
    if (step_is_end(at)) {
        repeat(&machine, at);
        step_known(turn, ret_step, CURRENCY);
        return;
    }
    if (turn->reply) {
        catalog = openai_catalog(&ret_step->error);
        machine.catalog = catalog;
    }
    if (turn->reply && !catalog) {
        /* Nothing can be read: a poll may be repeated, a submit must not be. */
        if (strcmp(at, "wait") == 0 || strcmp(at, "poll") == 0)
            fail_for_now(&machine, "wait");
        else
            end(&machine, STEP_UNKNOWN);
    } else if (turn->reply && (strcmp(at, "wait") == 0 || strcmp(at, "poll") == 0)) {
        poll_answered(&machine);
    } else if (turn->reply) {
        submit_answered(&machine);
    } else if (strcmp(at, "submit") == 0 && turn->resumed) {
        err_set(&ret_step->error, ERR_LOST,
                "the program ended while the request was under way; it may have been carried out");
        end(&machine, STEP_UNKNOWN);
    } else {
        send(&machine, strcmp(at, "wait") == 0 || strcmp(at, "poll") == 0 ? PHASE_POLL
                                                                          : PHASE_SUBMIT);
    }
    step_known(turn, ret_step, CURRENCY);
    json_decref(catalog);
}

static int can(const struct provider_account *account, const char *what)
{
    static const char *const all[] = {"generate_image",      "generate_image/reference",
                                      "edit_image/edit",     "edit_image/inpaint",
                                      "edit_image/outpaint", "edit_image/object",
                                      "generate_video/text",
                                      "generate_video/image", "generate_video/reference"};

    (void)account;
    return step_is_one_of(what, all, sizeof(all) / sizeof(*all));
}

const struct provider provider_openai = {
    .name = "openai",
    .can = can,
    .plan = openai_plan,
    .next = next,
    .models = openai_catalog_models,
    .check = openai_check,
    .checked = openai_checked,
};
