/* account_rig.h - what the tests of the tool account share: five providers, and its answer's rows.
 */
#ifndef TESTS_ACCOUNT_RIG_H
#define TESTS_ACCOUNT_RIG_H

#include "engine_rig.h"

/* Five providers on the raw server, one of them broken; names say what each does. */
void account_configure(struct rig *rig);
json_t *ask_account(struct rig *rig, const char *args);
const json_t *account_row(const json_t *json, const char *id);

#endif
