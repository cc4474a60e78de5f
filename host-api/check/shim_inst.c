/*
 * shim_inst.c - the ahp_inst that the host gets: the life of the instance, phase by phase.
 */
#include <string.h>

#include "ahp_err_fill.h"
#include "shim.h"

static int32_t inst_start(void *self, ahp_err *ret_err)
{
    struct shim *shim = self;
    ahp_err err = {sizeof(err), 1, {0}};
    int32_t rc = shim_enter(shim, AHP_FN_START);

    if (rc != AHP_OK)
        return ahp_err_fill(ret_err, rc, "start: not allowed in this phase");
    shim->phase = AHP_IN_START;
    rc = shim->inst->start(shim->inst->self, &err);
    shim_leave(shim);
    rc = shim_result(shim, AHP_FN_START, rc);
    shim->phase = rc == AHP_OK ? AHP_IN_RUNNING : AHP_IN_BROKEN;
    if (rc == AHP_OK) {
        if (err.code != 1)
            shim_accuse(shim, AHP_SHIM_PLUGIN_OUTPUT_TOUCHED, "start: a reason, but success");
        return AHP_OK;
    }
    if (err.code == 1 || memchr(err.text, '\0', sizeof(err.text)) == NULL || err.text[0] == '\0') {
        shim_accuse(shim, AHP_SHIM_PLUGIN_OUTPUT_MISSING, "start: failed without a reason");
        err.text[sizeof(err.text) - 1] = '\0';
    }
    return ahp_err_fill(ret_err, rc, "%s", err.text);
}

static void inst_stop(void *self, int64_t deadline_ms)
{
    struct shim *shim = self;

    if (shim_enter(shim, AHP_FN_STOP) != AHP_OK)
        return;
    shim->phase = AHP_IN_STOPPING;
    /* A deadline that has passed already is a hurry, not a promise that could be broken. */
    if (shim->loop != NULL && deadline_ms > shim_now_ms(shim))
        shim->stop_deadline_ms = deadline_ms;
    shim->inst->stop(shim->inst->self, deadline_ms);
    shim_leave(shim);
}

static void inst_destroy(void *self)
{
    struct shim *shim = self;

    if (shim_enter(shim, AHP_FN_DESTROY) != AHP_OK)
        return;
    if (shim->phase == AHP_IN_STOPPING && shim->loop != NULL &&
        shim_now_ms(shim) > shim->stop_deadline_ms)
        shim_accuse(shim, AHP_SHIM_PLUGIN_STOP_LATE, "not stopped by %lld",
                    (long long)shim->stop_deadline_ms);
    if (shim->live_count[SHIM_WORK] > 0)
        shim_accuse(shim, AHP_SHIM_HOST_WORK_MISSING,
                    "destroy: %u pieces of work were not brought to their done",
                    (unsigned)shim->live_count[SHIM_WORK]);
    shim->phase = AHP_IN_DESTROY;
    shim->inst->destroy(shim->inst->self);
    shim_leave(shim);
    shim_free(shim);
}

static int64_t jobs_unfinished(void *self)
{
    struct shim *shim = self;
    int64_t count;

    if (shim_enter(shim, AHP_FN_UNFINISHED) != AHP_OK)
        return -1;
    count = shim->jobs->unfinished(shim->inst->self);
    shim_leave(shim);
    if (count < -1)
        shim_accuse(shim, AHP_SHIM_PLUGIN_RESULT, "unfinished: returned %lld", (long long)count);
    return count < -1 ? -1 : count;
}

static const void *inst_ext(void *self, const char *id)
{
    struct shim *shim = self;
    struct shim_subject by_plugin = {shim, AHP_FN_INST_EXT, AHP_SIDE_PLUGIN};
    struct shim_loan loan = {NULL, 0};
    const char *lent;
    const void *table;
    uint32_t size;

    if (id == NULL) {
        shim_accuse(shim, AHP_SHIM_HOST_ARGUMENT, "ext: the id is NULL");
        return NULL;
    }
    if (shim_enter(shim, AHP_FN_INST_EXT) != AHP_OK)
        return NULL;
    lent = shim_lend_string(&loan, id);
    table = shim->inst->ext(shim->inst->self, lent == NULL ? id : lent);
    shim_leave(shim);
    shim_lend_end(&loan);
    if (table == NULL || strcmp(id, AHP_JOBS_1) != 0)
        return NULL; /* an unknown one's functions would get the shim as their self */
    memcpy(&size, table, sizeof(size));
    if (!shim_check_size(&by_plugin, AHP_JOBS_1, size, SIZE_1_0(ahp_jobs, unfinished)) ||
        !shim_check_slots(shim, AHP_SHIM_PLUGIN_SLOT, AHP_JOBS_1, table,
                          offsetof(ahp_jobs, unfinished), offsetof(ahp_jobs, unfinished)))
        return NULL;
    shim->jobs = table;
    return &shim->outer_jobs;
}

void shim_inst_init(struct shim *shim)
{
    ahp_inst *outer = &shim->outer_inst;

    outer->size = sizeof(*outer);
    outer->self = shim;
    outer->tools = shim_inst_tools;
    outer->start = inst_start;
    outer->call = shim_inst_call;
    outer->cancel = shim_inst_cancel;
    outer->receipt = shim_inst_receipt;
    outer->stop = inst_stop;
    outer->destroy = inst_destroy;
    outer->ext = inst_ext;
    shim->outer_jobs.size = sizeof(shim->outer_jobs);
    shim->outer_jobs.unfinished = jobs_unfinished;
}
