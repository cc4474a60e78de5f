/*
 * poll.c - what the answer to a question about a task means. A question READS, so whatever is odd
 * is asked again until the deadline: the task may have been paid for. Only what the service says of
 * the key or of the task itself is final.
 */
#include "providers/plume/plume.h"

#include "providers/step.h"

#include <stdio.h>
#include <string.h>

enum { STATE_SUCCESS = 3, STATE_FAILED, STATE_TIMEOUT, STATE_CANCELLED };

void plume_show(struct plume_machine *machine, const struct plume_results *results)
{
    struct provider_step *step = machine->step;

    step->kind = STEP_DONE;
    for (size_t i = 0; i < results->count; i++) {
        step->results[i] = (struct provider_result){.blob = -1, .url = results->urls[i]};
        step->results_count = i + 1;
    }
}

static void succeeded(struct plume_machine *machine)
{
    struct provider_turn *turn = machine->turn;
    struct plume_results results;
    json_t *rows = json_array();
    int failed = !rows || plume_answer_results(turn, &machine->answer, &results);

    for (size_t i = 0; !failed && i < results.count; i++)
        failed = json_array_append_new(rows, json_string(results.urls[i]));
    if (failed) {
        json_decref(rows);
        plume_fail_nomem(machine);
        plume_set(turn->flow, "at", json_string("wait"));
        return;
    }
    if (!results.count) {
        json_decref(rows);
        err_set(&machine->step->error, results.refused ? ERR_REFUSED : ERR_ANSWER,
                results.refused
                    ? "task %s is finished, but its result lies on a host that is not Plume's"
                    : "task %s is finished, but it names no result",
                json_text(turn->flow, "job"));
        err_advise(&machine->step->error, PLUME_ADVICE_LOOK);
        plume_end(machine, STEP_FAIL);
    } else if (plume_set(turn->flow, "results", rows) ||
               plume_set(turn->flow, "at", json_string("done"))) {
        plume_fail_nomem(machine);
    } else {
        plume_show(machine, &results);
    }
}

static void ended_otherwise(struct plume_machine *machine, int64_t state)
{
    const char *job = json_text(machine->turn->flow, "job");
    char *words = plume_answer_reason(machine->turn->arena, &machine->answer);
    struct err *error = &machine->step->error;
    const char *colon = words && *words ? ": " : "";
    enum err_kind kind = state == STATE_TIMEOUT     ? ERR_EXPIRED
                         : state == STATE_CANCELLED ? ERR_CANCELLED
                         : state == STATE_FAILED    ? ERR_UNAVAILABLE
                                                    : ERR_ANSWER;

    if (words && plume_error_is_moderated(machine->catalog, words))
        kind = ERR_MODERATED;
    words = words ? words : "";
    if (state > STATE_CANCELLED)
        err_set(error, kind, "task %s ended with the unknown status %lld%s%s", job,
                (long long)state, colon, words);
    else
        err_set(error, kind, "task %s %s%s%s", job,
                state == STATE_FAILED    ? "failed"
                : state == STATE_TIMEOUT ? "took too long at Plume and was given up there"
                                         : "was cancelled at Plume",
                colon, words);
    if (kind == ERR_ANSWER || kind == ERR_EXPIRED)
        err_advise(error, PLUME_ADVICE_LOOK);
    plume_end(machine, STEP_FAIL);
}

/* Said once: it is what somebody needs who has to find out why a job does not end. */
static void note_word(struct plume_machine *machine)
{
    const json_t *status = json_object_get(machine->answer.data, "status");
    const char *word = json_word(machine->turn->arena, status);
    char *clean = provider_clean(machine->turn->arena, word ? word : "?", word ? strlen(word) : 1);

    if (!clean || strcmp(json_text(machine->turn->flow, "word"), clean) == 0)
        return;
    if (plume_set(machine->turn->flow, "word", json_string(clean)) == 0)
        machine->step->unknown_word = clean;
}

static void told(struct plume_machine *machine)
{
    int64_t state;

    plume_keep_cost(machine);
    if (!machine->answer.data) {
        err_set(&machine->step->error, ERR_ANSWER, "the answer says nothing about the task");
        plume_fail_for_now(machine, "wait");
    } else if (plume_answer_state(&machine->answer, &state)) {
        note_word(machine);
        plume_wait(machine);
    } else if (state < STATE_SUCCESS) {
        plume_wait(machine);
    } else if (state == STATE_SUCCESS) {
        succeeded(machine);
    } else {
        ended_otherwise(machine, state);
    }
}

/* 1: asking again cannot help. What is odd in any other way is asked again until the deadline. */
static int is_final(const struct plume_machine *machine, const struct err *error)
{
    int status = machine->reply->status;

    if (error->kind == ERR_AUTH || error->kind == ERR_NOT_FOUND || error->kind == ERR_CREDITS)
        return 1;
    return error->kind == ERR_INVALID && status != 409;
}

void plume_poll_answered(struct plume_machine *machine)
{
    const struct http_reply *reply = machine->reply;
    const struct plume_answer *answer = &machine->answer;
    struct err *error = &machine->step->error;
    const char *why = step_reason(machine->turn, "no answer");

    if (reply->outcome == HTTP_REFUSED || reply->outcome == HTTP_TOO_LARGE) {
        err_set(error, reply->outcome == HTTP_REFUSED ? ERR_REFUSED : ERR_LIMIT, "%s", why);
        plume_end(machine, STEP_FAIL);
    } else if (reply->outcome != HTTP_ANSWERED) {
        err_set(error,
                reply->outcome == HTTP_CANCELLED ? ERR_CANCELLED
                : reply->outcome == HTTP_SINK    ? ERR_IO
                                                 : ERR_UNAVAILABLE,
                "%s", why);
        plume_fail_for_now(machine, "wait");
    } else if (answer->json && answer->succeeded != 0 && reply->status / 100 == 2) {
        told(machine);
    } else if (!answer->json && reply->status / 100 == 2) {
        err_set(error, ERR_ANSWER, "the answer about the task makes no sense");
        plume_fail_for_now(machine, "wait");
    } else {
        plume_error_read(reply, answer, machine->turn->arena, error);
        if (is_final(machine, error))
            plume_end(machine, STEP_FAIL);
        else
            plume_fail_for_now(machine, "wait");
    }
}
