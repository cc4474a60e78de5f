/*
 * Control, the setting half: settings, accounts, faults, jobs ended by hand. Each POST either takes
 * effect as a whole or changes nothing and says what is wrong with it.
 */
#include "sim.h"

#include <string.h>

#define WHY_MAX 256

static bool is_post(const struct sim_request *r)
{
    return strcmp(r->method, "POST") == 0;
}

void sim_control_settings(struct sim_request *r)
{
    char why[WHY_MAX];
    if (is_post(r) && sim_settings_apply(&r->sim->settings, r->fields, why, sizeof why) != 0)
        sim_refuse(r, 400, "bad_settings", NULL, "%s", why);
    else
        sim_answer_json_take(r, 200, sim_settings_json(&r->sim->settings));
}

void sim_control_accounts(struct sim_request *r)
{
    char why[WHY_MAX];
    if (is_post(r) && sim_account_apply(r->sim, r->fields, why, sizeof why) != 0)
        sim_refuse(r, 400, "bad_account", NULL, "%s", why);
    else
        sim_answer_json_take(r, 200, sim_accounts_json(r->sim, true));
}

void sim_control_faults(struct sim_request *r)
{
    char why[WHY_MAX];
    if (strcmp(r->method, "DELETE") == 0)
        sim_faults_clear(r->sim);
    if (is_post(r) && sim_faults_add(r->sim, r->fields, why, sizeof why) != 0)
        sim_refuse(r, 400, "bad_fault", NULL, "%s", why);
    else
        sim_answer_json_take(r, 200, json_pack("{s:o}", "faults", sim_faults_json(r->sim)));
}

void sim_control_job(struct sim_request *r)
{
    char why[WHY_MAX];
    struct sim_job *j = sim_job_find(r->sim, r->args[0]);
    if (!j)
        sim_refuse(r, 404, "not_found", NULL, "no such job");
    else if (sim_job_apply(j, r->fields, why, sizeof why) != 0)
        sim_refuse(r, 400, "bad_job", NULL, "%s", why);
    else
        sim_answer_json_take(r, 200, json_pack("{s:b}", "ok", 1));
}
