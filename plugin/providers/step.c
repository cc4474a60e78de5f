/* step.c - see step.h. */
#include "providers/step.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

static int set(struct provider_turn *turn, const char *key, const char *text)
{
    return json_object_set_new(turn->flow, key, json_string(text));
}

static int go_to(struct provider_turn *turn, struct provider_step *step, const char *at)
{
    if (set(turn, "at", at) == 0)
        return 0;
    step_nomem(step);
    return -1;
}

void step_nomem(struct provider_step *step)
{
    step->kind = STEP_FAIL;
    step->retry = 1;
    err_nomem(&step->error);
}

void step_end(struct provider_turn *turn, struct provider_step *step, enum provider_step_kind kind)
{
    const struct err *error = &step->error;

    step->kind = kind;
    step->retry = 0;
    if (set(turn, "kind", err_kind_name(error->kind)) == 0 && set(turn, "text", error->text) == 0 &&
        set(turn, "field", error->field) == 0 &&
        set(turn, "advice", error->advice ? error->advice : "") == 0)
        set(turn, "at", kind == STEP_UNKNOWN ? "unknown" : "fail");
}

static void take_pause(const struct provider_turn *turn, struct provider_step *step)
{
    if (turn->reply && turn->reply->retry_after_ms > step->not_before_ms)
        step->not_before_ms = turn->reply->retry_after_ms;
}

int step_again(struct provider_turn *turn, struct provider_step *step, const char *at,
               int64_t pause_ms)
{
    step->kind = STEP_FAIL;
    step->retry = 1;
    step->not_before_ms = pause_ms;
    take_pause(turn, step);
    return go_to(turn, step, at);
}

int step_wait(struct provider_turn *turn, struct provider_step *step, const char *at)
{
    step->kind = STEP_WAIT;
    take_pause(turn, step);
    return go_to(turn, step, at);
}

int step_send(struct provider_turn *turn, struct provider_step *step, enum provider_phase phase,
              const char *at, int rc)
{
    if (rc) {
        step_nomem(step);
        return -1;
    }
    step->kind = STEP_SEND;
    step->phase = phase;
    return go_to(turn, step, at);
}

int step_is_end(const char *at)
{
    return strcmp(at, "done") == 0 || strcmp(at, "fail") == 0 || strcmp(at, "unknown") == 0;
}

void step_repeat(struct provider_turn *turn, struct provider_step *step)
{
    const json_t *flow = turn->flow;
    const char *advice = json_text(flow, "advice");

    step->kind = strcmp(json_text(flow, "at"), "unknown") == 0 ? STEP_UNKNOWN : STEP_FAIL;
    err_set(&step->error, err_kind_by_name(json_text(flow, "kind")), "%s", json_text(flow, "text"));
    snprintf(step->error.field, sizeof(step->error.field), "%s", json_text(flow, "field"));
    if (*advice)
        err_advise(&step->error, arena_text(turn->arena, advice));
}

void step_known(struct provider_turn *turn, struct provider_step *step, const char *currency)
{
    const json_t *cost = json_object_get(turn->flow, "cost");

    /* Copies: texts of the flow go when it is written next, a step's live as long as the turn. */
    if (!step->provider_job && *json_text(turn->flow, "job"))
        step->provider_job = arena_text(turn->arena, json_text(turn->flow, "job"));
    if (json_is_number(cost)) {
        step->cost = json_number_value(cost);
        step->currency = currency;
    }
}

const char *step_reason(const struct provider_turn *turn, const char *otherwise)
{
    const char *text = turn->reply->error;
    const char *clean = text && *text ? provider_clean(turn->arena, text, strlen(text)) : NULL;

    return clean ? clean : otherwise;
}

enum err_kind step_kind_of_outcome(enum http_outcome outcome, enum err_kind otherwise)
{
    return outcome == HTTP_REFUSED     ? ERR_REFUSED
           : outcome == HTTP_SINK      ? ERR_IO
           : outcome == HTTP_TOO_LARGE ? ERR_LIMIT
           : outcome == HTTP_CANCELLED ? ERR_CANCELLED
                                       : otherwise;
}

enum err_kind step_kind_of_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_AUTH;
    case 402:
        return ERR_CREDITS;
    case 404:
        return ERR_NOT_FOUND;
    case 410:
        return ERR_EXPIRED;
    case 408:
        return ERR_UNAVAILABLE;
    case 429:
        return ERR_RATE_LIMITED;
    default:
        return status >= 500 ? ERR_UNAVAILABLE : status >= 400 ? ERR_INVALID : ERR_ANSWER;
    }
}

int step_is_one_of(const char *what, const char *const *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i], what) == 0)
            return 1;
    return 0;
}
