/*
 * chatart_rig.h - conversations with the chatart adapter, at 2026-01-05T08:09:10Z, the moment of
 * the signature's vector.
 */
#ifndef TESTS_CHATART_RIG_H
#define TESTS_CHATART_RIG_H

#include "unit/provider_rig.h"

#include "providers/chatart/chatart.h"

#define CHAT_NOW_MS 1767600550000

struct provider_account chat_account(void);
/* talk_open with that account. */
int chat_open(struct talk *talk, const char *tool, const json_t *args, struct err *err);
/* Plans, which must go well, and makes the first step; the arguments as text. */
void chat_begin(struct talk *talk, const char *tool, const char *args);
/* A picture of words, up to its submit. */
void chat_submit(struct talk *talk);
/* The same, accepted as q_1, up to the first question about it. */
void chat_to_poll(struct talk *talk);

#endif
