/*
 * Control: the routes under /_sim/ through which tests steer and question the simulator. They need
 * no account, are not logged and meet no faults. The setting half is in sim_control_set.c.
 */
#include "sim.h"

static void get_health(struct sim_request *r)
{
    sim_answer_json_take(r, 200,
                         json_pack("{s:b,s:i,s:I,s:I}", "ok", 1, "port", (int)r->sim->port,
                                   "uptime_ms", (json_int_t)(sim_now_ms() - r->sim->started_ms),
                                   "requests_open", (json_int_t)r->sim->requests_open));
}

static void get_log(struct sim_request *r)
{
    sim_answer_json_take(r, 200, sim_log_json(r));
}

static void get_totals(struct sim_request *r)
{
    sim_answer_json_take(r, 200, sim_log_totals(r->sim));
}

static void get_jobs(struct sim_request *r)
{
    sim_answer_json_take(r, 200, json_pack("{s:o}", "jobs", sim_jobs_json(r->sim)));
}

static void post_reset(struct sim_request *r)
{
    struct sim *sim = r->sim;
    sim_log_clear(sim);
    sim_faults_clear(sim);
    sim_state_reset(sim);
    sim_files_reset(sim);
    sim->settings = sim->start_settings;
    sim_answer_json_take(r, 200, json_pack("{s:b}", "ok", 1));
}

static void refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                   const char *message)
{
    (void)param;
    sim_answer_json_take(r, status, json_pack("{s:s,s:s}", "error", code, "message", message));
}

#define CONTROL (SIM_OPEN | SIM_UNTRACKED)

static const struct sim_route routes[] = {
    {"GET", "/_sim/health", CONTROL, get_health},
    {"GET", "/_sim/log", CONTROL, get_log},
    {"GET", "/_sim/totals", CONTROL, get_totals},
    {"GET", "/_sim/jobs", CONTROL, get_jobs},
    {"POST", "/_sim/jobs/{id}", CONTROL, sim_control_job},
    {"GET", "/_sim/wait", CONTROL, sim_log_wait},
    {"POST", "/_sim/reset", CONTROL, post_reset},
    {"GET", "/_sim/settings", CONTROL, sim_control_settings},
    {"POST", "/_sim/settings", CONTROL, sim_control_settings},
    {"GET", "/_sim/chatart", CONTROL, sim_chatart_control},
    {"POST", "/_sim/chatart", CONTROL, sim_chatart_control},
    {"GET", "/_sim/accounts", CONTROL, sim_control_accounts},
    {"POST", "/_sim/accounts", CONTROL, sim_control_accounts},
    {"GET", "/_sim/faults", CONTROL, sim_control_faults},
    {"POST", "/_sim/faults", CONTROL, sim_control_faults},
    {"DELETE", "/_sim/faults", CONTROL, sim_control_faults},
};

const struct sim_provider sim_control = {
    .name = "control",
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .refuse = refuse,
};
