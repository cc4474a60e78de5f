/*
 * fuzz_provider.h - what the targets of the adapters' answers share: one job, brought to where the
 * answer is awaited, and the bytes as that answer. What must hold for every adapter is checked
 * here:
 *   - DONE says the same again;
 *   - a failure says what and why;
 *   - the flow can be stored.
 */
#ifndef FUZZ_FUZZ_PROVIDER_H
#define FUZZ_FUZZ_PROVIDER_H

#include "fuzz.h"
#include "providers/provider.h"

struct fuzz_job {
    const struct provider *provider;
    const struct provider_account *account;
    struct provider_plan plan;
    struct provider_step step;
    struct arena arena;
    json_t *flow;
    json_t *secrets;
};

/* Plans and makes the first step. Takes the arguments. */
void fuzz_begin(struct fuzz_job *job, const struct provider *provider,
                const struct provider_account *account, const char *tool, json_t *args);
void fuzz_turn(struct fuzz_job *job, const struct http_reply *reply);
/* An answer of 200. */
void fuzz_hear(struct fuzz_job *job, const char *text);

/* All but the first byte as the text of an answer; ret_reply->text is to be freed. */
struct http_reply fuzz_reply(const uint8_t *data, size_t size);
/* The step after the answer to `reply`, which it frees. */
void fuzz_answer(struct fuzz_job *job, struct http_reply *reply,
                 void (*check)(const struct fuzz_job *job, const struct http_reply *reply, int at),
                 int at);
void fuzz_end(struct fuzz_job *job);

#endif
