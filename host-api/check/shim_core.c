/*
 * shim_core.c - the shim's life, how it accuses, and the two gates: the host entering the plugin
 * and the plugin calling the host. Which call is legal when comes from phase_table.h alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ahp_err_fill.h"
#include "shim.h"

#define ACCUSATION_BYTES_MAX 400u

void shim_accuse(const struct shim *shim, uint32_t item, const char *format, ...)
{
    int by_host = item < 200;
    int32_t level = by_host ? AHP_LOG_HOST_MISBEHAVES : AHP_LOG_PLUGIN_MISBEHAVES;
    char text[ACCUSATION_BYTES_MAX];
    va_list args;
    size_t head;

    (void)snprintf(text, sizeof(text), "%s misbehaves: ", by_host ? "the host" : "the plugin");
    head = strlen(text);
    va_start(args, format);
    (void)vsnprintf(text + head, sizeof(text) - head, format, args);
    va_end(args);
    if (shim->host != NULL && AHP_HAS(shim->host, log))
        shim->host->log(shim->host->ctx, level, item, text, strlen(text));
    if (shim->report != NULL)
        shim->report(shim->report_ud, level, item, text);
}

int32_t shim_on_loop(const struct shim *shim)
{
    return pthread_equal(pthread_self(), shim->thread) != 0;
}

static uint32_t reentry_item(enum ahp_fn fn, int host_fn)
{
    if (fn == AHP_FN_TIMER_FN && host_fn == AHP_FN_TIMER_AT)
        return AHP_SHIM_HOST_TIMER_INLINE;
    if (fn == AHP_FN_DEFER_FN && host_fn == AHP_FN_DEFER)
        return AHP_SHIM_HOST_DEFER_INLINE;
    if (fn == AHP_FN_WORK_DONE_FN && host_fn == AHP_FN_RUN)
        return AHP_SHIM_HOST_WORK_INLINE;
    if (fn == AHP_FN_RECEIPT && host_fn == AHP_FN_OFFER)
        return AHP_SHIM_HOST_RECEIPT_INLINE;
    if (fn == AHP_FN_ANSWER_FN && host_fn == AHP_FN_ASK)
        return AHP_SHIM_HOST_ANSWER_INLINE;
    return AHP_SHIM_HOST_REENTERED;
}

static int is_callback(enum ahp_fn fn)
{
    return fn == AHP_FN_WATCH_FN || fn == AHP_FN_TIMER_FN || fn == AHP_FN_DEFER_FN ||
           fn == AHP_FN_WORK_DONE_FN || fn == AHP_FN_ANSWER_FN;
}

int32_t shim_enter(struct shim *shim, enum ahp_fn fn)
{
    const struct ahp_fn_row *row = &ahp_fn_table[fn];

    if (row->thread == AHP_THREAD_LOOP && !shim_on_loop(shim)) {
        shim_accuse(shim, AHP_SHIM_HOST_WRONG_THREAD, "%s %s: not on the loop's thread (R2)",
                    row->interface, row->name);
        return AHP_E_INVALID;
    }
    if (shim->depth > 0 || shim->in_work > 0) {
        shim_accuse(shim, reentry_item(fn, shim->host_fn),
                    "%s %s: called while the plugin is running%s%s (R1)", row->interface, row->name,
                    shim->host_fn == AHP_FN_COUNT ? "" : ", inside ",
                    shim->host_fn == AHP_FN_COUNT ? "" : ahp_fn_table[shim->host_fn].name);
        if (!is_callback(fn))
            return AHP_E_STATE;
    } else if ((row->phases & shim->phase) == 0) {
        shim_accuse(shim, AHP_SHIM_HOST_PHASE, "%s %s: not legal in phase %s", row->interface,
                    row->name, ahp_phase_name(shim->phase));
        return AHP_E_STATE;
    }
    /* A plugin reads the flags from its copy of the table whenever it runs. */
    if (shim->deliver != NULL) {
        shim->outer_deliver.flags = shim->deliver->flags;
        shim->outer_deliver.repeat_window_ms = shim->deliver->repeat_window_ms;
        shim->outer_deliver.file_bytes_max = shim->deliver->file_bytes_max;
    }
    shim->depth++;
    return AHP_OK;
}

void shim_leave(struct shim *shim)
{
    shim->depth--;
}

int32_t shim_host_begin(struct shim *shim, enum ahp_fn fn, int *ret_before)
{
    const struct ahp_fn_row *row = &ahp_fn_table[fn];

    if (!shim_on_loop(shim) || shim->in_work > 0) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_WRONG_THREAD, "%s %s: called %s (R2)", row->interface,
                    row->name,
                    shim_on_loop(shim) ? "from an ahp_work_fn" : "not on the loop's thread");
        return AHP_E_INVALID;
    }
    if ((row->phases & shim->phase) == 0) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_PHASE, "%s %s: not legal in phase %s", row->interface,
                    row->name, ahp_phase_name(shim->phase));
        return AHP_E_STATE;
    }
    *ret_before = shim->host_fn;
    shim->host_fn = (int)fn;
    return AHP_OK;
}

void shim_host_end(struct shim *shim, int before)
{
    shim->host_fn = before;
}

int32_t shim_result(const struct shim *shim, enum ahp_fn fn, int32_t rc)
{
    const struct ahp_fn_row *row = &ahp_fn_table[fn];

    if (rc <= 0)
        return rc;
    shim_accuse(shim,
                row->side == AHP_SIDE_HOST ? AHP_SHIM_HOST_RESULT : AHP_SHIM_PLUGIN_RESULT,
                "%s %s: returned %d, which is neither 0 nor negative", row->interface, row->name,
                (int)rc);
    return AHP_E_FAILED;
}

int64_t shim_now_ms(struct shim *shim)
{
    int64_t now_ms = shim->loop->now_ms(shim->host->ctx);

    if (now_ms < shim->last_now_ms)
        shim_accuse(shim, AHP_SHIM_HOST_CLOCK, "now_ms ran backwards, from %lld to %lld",
                    (long long)shim->last_now_ms, (long long)now_ms);
    else
        shim->last_now_ms = now_ms;
    return now_ms;
}

void shim_free(struct shim *shim)
{
    if (shim == NULL)
        return;
    shim_handles_done(shim);
    shim_calls_done(shim);
    shim_deliver_done(shim);
    /* Rubbish instead of tables, for who calls an instance that is gone. */
    memset(shim, 0xdd, sizeof(*shim));
    free(shim);
}

/* --- create ----------------------------------------------------------------------------------- */

static int32_t check_sides(const struct shim *shim, ahp_err *ret_err)
{
    const ahp_entry *entry = shim->entry;
    const ahp_host *host = shim->host;
    struct shim_subject by_plugin = {shim, AHP_FN_ENTRY, AHP_SIDE_PLUGIN};
    struct shim_subject by_host = {shim, AHP_FN_CREATE, AHP_SIDE_HOST};

    if (!shim_check_size(&by_plugin, "ahp_entry", entry->size, SIZE_1_0(ahp_entry, create)))
        return ahp_err_fill(ret_err, AHP_E_VERSION, "the entry has %u bytes, ABI 1.0 has %zu",
                            (unsigned)entry->size, SIZE_1_0(ahp_entry, create));
    if (!shim_check_size(&by_host, "ahp_host", host->size, SIZE_1_0(ahp_host, stopped)))
        return ahp_err_fill(ret_err, AHP_E_VERSION,
                            "the host's table has %u bytes, ABI 1.0 has %zu", (unsigned)host->size,
                            SIZE_1_0(ahp_host, stopped));
    if (!shim_check_slots(shim, AHP_SHIM_HOST_SLOT, "ahp_host", host, offsetof(ahp_host, ext),
                          offsetof(ahp_host, stopped)) ||
        host->name == NULL || host->version == NULL)
        return ahp_err_fill(ret_err, AHP_E_VERSION, "the host's table lacks a slot of ABI 1.0");
    if (entry->major != AHP_MAJOR || entry->minor_needed > host->minor) {
        shim_accuse(shim, AHP_SHIM_HOST_NEEDS, "created a plugin that needs ABI %u.%u on %u.%u",
                    (unsigned)entry->major, (unsigned)entry->minor_needed, (unsigned)AHP_MAJOR,
                    (unsigned)host->minor);
        return ahp_err_fill(ret_err, AHP_E_VERSION,
                            "the plugin needs ABI %u.%u, the host has %u.%u",
                            (unsigned)entry->major, (unsigned)entry->minor_needed,
                            (unsigned)AHP_MAJOR, (unsigned)host->minor);
    }
    if (entry->id == NULL || entry->version == NULL || entry->needs == NULL ||
        entry->wants == NULL || entry->create == NULL) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_SLOT, "the entry has NULL where ABI 1.0 has none");
        return ahp_err_fill(ret_err, AHP_E_VERSION, "the entry has NULL where ABI 1.0 has none");
    }
    return AHP_OK;
}

static int32_t check_needs(struct shim *shim, ahp_err *ret_err)
{
    for (const char *const *id = shim->entry->needs; *id != NULL; id++) {
        if (shim->host->ext(shim->host->ctx, *id) == NULL) {
            shim_accuse(shim, AHP_SHIM_HOST_NEEDS, "created a plugin that needs %s without it",
                        *id);
            return ahp_err_fill(ret_err, AHP_E_VERSION,
                                "the plugin needs extension \"%s\", host \"%s\" has it not", *id,
                                shim->host->name);
        }
        if (shim->outer_host.ext(shim, *id) == NULL)
            return ahp_err_fill(ret_err, AHP_E_UNSUPPORTED,
                                "the plugin needs extension \"%s\", the checking shim does not "
                                "know it or refuses it",
                                *id);
    }
    return AHP_OK;
}

static int32_t check_inst(struct shim *shim, ahp_err *ret_err)
{
    struct shim_subject by_plugin = {shim, AHP_FN_CREATE, AHP_SIDE_PLUGIN};

    if (!shim_check_size(&by_plugin, "ahp_inst", shim->inst->size, SIZE_1_0(ahp_inst, ext)))
        return ahp_err_fill(ret_err, AHP_E_VERSION, "the instance has %u bytes, ABI 1.0 has %zu",
                            (unsigned)shim->inst->size, SIZE_1_0(ahp_inst, ext));
    if (!shim_check_slots(shim, AHP_SHIM_PLUGIN_SLOT, "ahp_inst", shim->inst,
                          offsetof(ahp_inst, tools), offsetof(ahp_inst, ext)))
        return ahp_err_fill(ret_err, AHP_E_VERSION, "the instance lacks a slot of ABI 1.0");
    return AHP_OK;
}

/* The one call that is not made through the instance. Its reason and its output are looked at. */
static int32_t create_inner(struct shim *shim, const ahp_text *config, ahp_err *ret_err)
{
    ahp_inst *const untouched = &shim->outer_inst;
    ahp_inst *inst = untouched;
    ahp_err err = {sizeof(err), 1, {0}};
    struct shim_subject by_host = {shim, AHP_FN_CREATE, AHP_SIDE_HOST};
    struct shim_loan loan = {NULL, 0};
    ahp_text lent = {NULL, 0};
    int32_t rc;

    if (config != NULL && config->len > 0) {
        if (!shim_check_object(&by_host, "config", config, SHIM_TEXT_BYTES_MAX))
            return ahp_err_fill(ret_err, AHP_E_INVALID, "the configuration is not a JSON object");
        lent = *config;
        shim_lend_text(&loan, &lent);
    }
    if (shim_enter(shim, AHP_FN_CREATE) != AHP_OK) {
        shim_lend_end(&loan);
        return ahp_err_fill(ret_err, AHP_E_STATE, "create: not from here");
    }
    rc = shim->entry->create(&shim->outer_host, config == NULL ? NULL : &lent, &inst, &err);
    shim_leave(shim);
    shim_lend_end(&loan);
    rc = shim_result(shim, AHP_FN_CREATE, rc);
    if (rc == AHP_OK && (inst == untouched || inst == NULL)) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_OUTPUT_MISSING, "create: success without an instance");
        return ahp_err_fill(ret_err, AHP_E_FAILED, "create: success without an instance");
    }
    if (rc == AHP_OK) {
        if (err.code != 1)
            shim_accuse(shim, AHP_SHIM_PLUGIN_OUTPUT_TOUCHED, "create: a reason, but success");
        shim->inst = inst;
        return AHP_OK;
    }
    if (inst != untouched)
        shim_accuse(shim, AHP_SHIM_PLUGIN_OUTPUT_TOUCHED, "create: failed, but wrote ret_inst");
    if (err.code == 1 || memchr(err.text, '\0', sizeof(err.text)) == NULL || err.text[0] == '\0') {
        shim_accuse(shim, AHP_SHIM_PLUGIN_OUTPUT_MISSING, "create: failed without a reason");
        err.text[sizeof(err.text) - 1] = '\0';
    }
    return ahp_err_fill(ret_err, rc, "%s", err.text);
}

int32_t ahp_shim_create(const ahp_entry *entry, const ahp_host *host, const ahp_text *config,
                        ahp_inst **ret_inst, ahp_err *ret_err, ahp_shim_report_fn *report,
                        void *ud)
{
    struct shim *shim;
    int32_t rc;

    if (entry == NULL || host == NULL)
        return ahp_err_fill(ret_err, AHP_E_INVALID, "the shim needs an entry and a host");
    shim = calloc(1, sizeof(*shim));
    if (shim == NULL)
        return ahp_err_fill(ret_err, AHP_E_NOMEM, "no memory for the checking shim");
    shim->entry = entry;
    shim->host = host;
    shim->report = report;
    shim->report_ud = ud;
    shim->thread = pthread_self();
    shim->phase = AHP_IN_CREATE;
    shim->host_fn = AHP_FN_COUNT;
    shim->last_now_ms = INT64_MIN;
    shim->stop_deadline_ms = INT64_MAX;
    rc = check_sides(shim, ret_err);
    if (rc != AHP_OK)
        goto fail;
    shim_host_init(shim);
    shim_host_learn(shim);
    rc = check_needs(shim, ret_err);
    if (rc == AHP_OK)
        rc = create_inner(shim, config, ret_err);
    if (rc != AHP_OK)
        goto fail;
    rc = check_inst(shim, ret_err);
    if (rc != AHP_OK) {
        if (AHP_HAS(shim->inst, destroy)) {
            shim->phase = AHP_IN_DESTROY;
            shim->inst->destroy(shim->inst->self);
        }
        goto fail;
    }
    shim_inst_init(shim);
    shim->phase = AHP_IN_CREATED;
    *ret_inst = &shim->outer_inst;
    return AHP_OK;
fail:
    shim_free(shim);
    return rc;
}
