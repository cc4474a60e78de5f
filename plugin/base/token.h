/*
 * token.h - a short text that stands for one subject and for a while, without anything being
 * stored: when it was issued, and a MAC (HMAC-SHA256) over that and the subject, under a key that
 * this state folder keeps for itself. It is no secret: who has it can do nothing but repeat what it
 * stands for.
 */
#ifndef BASE_TOKEN_H
#define BASE_TOKEN_H

#include "base/err.h"

#include <stdint.h>

#define TOKEN_TEXT_MAX 48 /* with the NUL */
#define TOKEN_SUBJECT_BYTES 32
#define TOKEN_LIFE_MS (15 * 60 * 1000)

struct token_key {
    int is_loaded;
    uint8_t bytes[32];
};

/*
 * The key of folder `dir`, which must be there: read, or made (0600) when there is none or a broken
 * one. Processes that do so at once agree on one key. Does nothing when it is loaded. Touches one
 * small file: a call may do it.
 */
int token_key_load(const char *dir, struct token_key *key, struct err *err);

/*
 * Of one minute and nonce the same subject gets the same token, so that a question that is asked
 * twice at once has one answer.
 */
void token_make(const struct token_key *key, const uint8_t subject[TOKEN_SUBJECT_BYTES],
                int64_t wall_ms, uint32_t nonce, char ret_text[TOKEN_TEXT_MAX]);

/* 0: made with that key for that subject, at most TOKEN_LIFE_MS ago. -1: anything else. */
int token_check(const struct token_key *key, const uint8_t subject[TOKEN_SUBJECT_BYTES],
                int64_t wall_ms, const char *text);

#endif
