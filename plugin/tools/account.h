/* account.h - shared by the files of the tool `account` only. */
#ifndef TOOLS_ACCOUNT_H
#define TOOLS_ACCOUNT_H

#include "tools/tool.h"

/* account_status.c */
void account_status(struct call *call);

/* {"image":{"provider","why","model","model_from"}, "edit":.., "video":..}; new, NULL without
 * memory. */
json_t *account_defaults(const struct config *config);

/*
 * The provider that the argument names, in ret_id; NULL when it names none. -1 with err when there
 * is no such entry at all; one that cannot be used is one.
 */
int account_wanted(struct call *call, const char **ret_id, struct err *err);

/* Nothing at all is configured: answers with where to get a key and where to put it. */
void account_setup(struct call *call, int32_t status);

/* account_check.c: asks all providers, or the one that the argument names, side by side. */
void account_check(struct call *call);

/* account_ask.c: "credits", "usage" */
void account_ask(struct call *call, const char *action);
/* Asks that provider, whose id call->told keeps for `done`, or ends the call. */
void account_send(struct call *call, const struct config_provider *provider, const char *action,
                  int64_t timeout_ms, engine_asked_fn *done);

/* account_login.c: login, finish_login, logout, switch */
void account_login(struct call *call);
void account_finish_login(struct call *call);
void account_logout(struct call *call, int then_login);

/*
 * account_key.c: set_key and remove_key where a service keeps its key in a file of its own; 1: this
 * one does not, and nothing was answered. And set_default of its ratio.
 */
int account_key(struct call *call, int removes);
void account_ratio(struct call *call);

#endif
