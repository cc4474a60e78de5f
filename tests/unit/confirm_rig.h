/*
 * confirm_rig.h - calls that need a yes: a rig whose provider has three models with prices, and the
 * ways in which a yes is asked for and refused.
 */
#ifndef TESTS_CONFIRM_RIG_H
#define TESTS_CONFIRM_RIG_H

#include "engine_rig.h"

/* cheap: 0.25 USD, dear: 3 USD, yuan: 0.5 CNY. */
#define BOAT      "{\"prompt\":\"a boat\",\"model\":\"cheap\"}"
#define MINUTE_MS 60000

#define CONFIRM_TOKEN_BYTES 64

/* cmocka set-up: a host that waits for its plugin, so that a test may say what it can. */
int confirm_setup(void **state);
#define CONFIRM_TEST(name) cmocka_unit_test_setup_teardown(name, confirm_setup, rig_teardown)

/* With the prices, and these further settings. */
void confirm_configure(struct rig *rig, const char *settings);
/* The same, and the plugin runs. */
struct rig *confirm_begin(void **state, const char *settings);
/* Another place, and another price of one model; everything needs a yes. */
void confirm_move(struct rig *rig, const char *price);

/* A token for these arguments; nothing was sent. */
void confirm_token(struct rig *rig, const char *tool, const char *args,
                   char ret_token[CONFIRM_TOKEN_BYTES]);
/* The arguments with the token put in. In a static buffer. */
const char *confirm_with(const char *args, const char *token);
/* The token in the arguments is not for this call; nothing was sent. */
void confirm_refused(struct rig *rig, const char *tool, const char *args, const char *conversation);
/* A picture; the host's question is the nth, and nothing happens before its answer. The call's id.
 */
uint64_t confirm_question(struct rig *rig, const char *args, uint32_t questions);

#endif
