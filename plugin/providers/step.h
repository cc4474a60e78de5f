/*
 * step.h - how a turn of an adapter's machine over the job's flow may end, the same for all of
 * them. `flow.at` names the state in which the flow is saved; `done`, `fail` and `unknown` are
 * ends, and what an end was stands beside it as {kind, text, field, advice}, so that it can be told
 * again.
 *
 * Each returns 0, or -1 when there was no memory for the flow: the step then is step_nomem's.
 */
#ifndef PROVIDERS_STEP_H
#define PROVIDERS_STEP_H

#include "providers/provider.h"

/* The flow stands where it stood, so the turn may come again. */
void step_nomem(struct provider_step *step);

/* STEP_FAIL or STEP_UNKNOWN for good. The error is in the step; that it can be kept is not certain.
 */
void step_end(struct provider_turn *turn, struct provider_step *step, enum provider_step_kind kind);

/* A failure that may pass: the same again from `at`, after the longer one of the two pauses. */
int step_again(struct provider_turn *turn, struct provider_step *step, const char *at,
               int64_t pause_ms);
int step_wait(struct provider_turn *turn, struct provider_step *step, const char *at);
/* The request in the step goes out; rc is that of making it, other than 0 for want of memory. */
int step_send(struct provider_turn *turn, struct provider_step *step, enum provider_phase phase,
              const char *at, int rc);

int step_is_end(const char *at);
/* The end that the flow holds, `fail` or `unknown`, once more. */
void step_repeat(struct provider_turn *turn, struct provider_step *step);

/* What the flow knows for every step: its `job`, and its `cost` in that currency. */
void step_known(struct provider_turn *turn, struct provider_step *step, const char *currency);

/* Why an exchange failed, in the words of net/, else these. */
const char *step_reason(const struct provider_turn *turn, const char *otherwise);

/* What kind of error a missing or refused answer is, and what a status says without words. */
enum err_kind step_kind_of_outcome(enum http_outcome outcome, enum err_kind otherwise);
enum err_kind step_kind_of_status(int status);

/* For provider.can: is it one of these? */
int step_is_one_of(const char *what, const char *const *all, size_t count);

#endif
