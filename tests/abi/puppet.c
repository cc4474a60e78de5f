/*
 * puppet.c - see puppet.h.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "puppet.h"

#define REPORTS_MAX 16u
#define ITEMS_MAX 300u

struct puppet puppet;
struct fake_host *fake;
ahp_inst *inst;
ahp_err create_err;

static uint32_t reports[REPORTS_MAX];
static uint32_t reports_count;
static char last_text[512];
static uint8_t seen[ITEMS_MAX];
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_report(void *ud, int32_t level, uint32_t item, const char *words)
{
    (void)ud;
    (void)pthread_mutex_lock(&report_lock);
    assert_int_equal(level, item < 200 ? AHP_LOG_HOST_MISBEHAVES : AHP_LOG_PLUGIN_MISBEHAVES);
    if (reports_count < REPORTS_MAX)
        reports[reports_count++] = item;
    if (item < ITEMS_MAX)
        seen[item] = 1;
    (void)snprintf(last_text, sizeof(last_text), "%s", words);
    (void)pthread_mutex_unlock(&report_lock);
}

static void fail_with_reports(const char *wanted)
{
    for (uint32_t i = 0; i < reports_count; i++)
        print_message("reported: %u\n", (unsigned)reports[i]);
    print_message("last: %s\n", last_text);
    fail_msg("%s", wanted);
}

void expect_two(uint32_t item, uint32_t other)
{
    char wanted[64];

    (void)snprintf(wanted, sizeof(wanted), "wanted: %u and %u", (unsigned)item, (unsigned)other);
    if (reports_count != 2 || reports[0] != item || reports[1] != other)
        fail_with_reports(wanted);
    assert_true(fake_host_log_items(fake, item) > 0); /* logged through the host as well */
    reports_count = 0;
}

void expect(uint32_t item)
{
    char wanted[64];

    (void)snprintf(wanted, sizeof(wanted), "wanted: %u alone", (unsigned)item);
    if (reports_count != 1 || reports[0] != item)
        fail_with_reports(wanted);
    reports_count = 0;
}

void expect_nothing(void)
{
    if (reports_count != 0)
        fail_with_reports("wanted: nothing");
}

void expect_all_seen(uint32_t first, uint32_t last)
{
    for (uint32_t item = first; item <= last; item++) {
        if (!seen[item])
            fail_msg("no test provoked item %u", (unsigned)item);
    }
}

int reported(const char *words)
{
    return strstr(last_text, words) != NULL;
}

/* --- the plugin ------------------------------------------------------------------------------- */

void puppet_on_watch(void *ud, uint32_t events)
{
    assert_ptr_equal(ud, &puppet);
    puppet.callbacks++;
    puppet.last_events = events;
    if (puppet.in_callback != NULL)
        puppet.in_callback();
}

void puppet_on_timer(void *ud)
{
    puppet_on_watch(ud, 0);
}

void puppet_on_fn(void *item)
{
    (void)item;
    if (puppet.in_work != NULL)
        puppet.in_work();
}

void puppet_on_done(void *item, int32_t cancelled)
{
    (void)cancelled;
    puppet_on_watch(item, 0);
}

static int32_t on_tools(void *self, const ahp_tool *const **ret_tools, uint32_t *ret_count)
{
    (void)self;
    *ret_tools = puppet.tools;
    *ret_count = puppet.tools_count;
    return AHP_OK;
}

static int32_t on_start(void *self, ahp_err *ret_err)
{
    assert_ptr_equal(self, &puppet);
    return puppet.in_start == NULL ? AHP_OK : puppet.in_start(ret_err);
}

static int32_t on_call(void *self, const ahp_call *call)
{
    (void)self;
    return puppet.in_call == NULL ? AHP_OK : puppet.in_call(call);
}

static int32_t on_cancel(void *self, uint64_t call_id)
{
    (void)self;
    return puppet.in_cancel == NULL ? AHP_E_STALE : puppet.in_cancel(call_id);
}

static int32_t on_receipt(void *self, const ahp_receipt *receipt_given)
{
    (void)self;
    return puppet.in_receipt == NULL ? AHP_OK : puppet.in_receipt(receipt_given);
}

static void on_stop(void *self, int64_t deadline_ms)
{
    (void)self;
    if (puppet.in_stop != NULL)
        puppet.in_stop(deadline_ms);
    else
        puppet.host->stopped(puppet.host->ctx);
}

static void on_destroy(void *self)
{
    assert_ptr_equal(self, &puppet);
    if (puppet.in_destroy != NULL)
        puppet.in_destroy();
}

static int64_t on_unfinished(void *self)
{
    assert_ptr_equal(self, &puppet);
    return puppet.unfinished;
}

static const void *on_ext(void *self, const char *id)
{
    assert_ptr_equal(self, &puppet);
    return strcmp(id, AHP_JOBS_1) == 0 ? &puppet.jobs : NULL;
}

static int32_t on_create(const ahp_host *host, const ahp_text *config, ahp_inst **ret_inst,
                         ahp_err *ret_err)
{
    puppet.host = host;
    puppet.loop = host->ext(host->ctx, AHP_LOOP_1);
    puppet.calls = host->ext(host->ctx, AHP_CALLS_1);
    puppet.deliver = host->ext(host->ctx, AHP_DELIVER_1);
    puppet.work = host->ext(host->ctx, AHP_WORK_1);
    puppet.check = host->ext(host->ctx, AHP_CHECK_1);
    if (puppet.in_create != NULL)
        return puppet.in_create(config, ret_inst, ret_err);
    *ret_inst = &puppet.inst;
    return AHP_OK;
}

/* --- set-up ----------------------------------------------------------------------------------- */

int puppet_setup(void **state)
{
    static const char *const needs[] = {AHP_LOOP_1, AHP_CALLS_1, NULL};
    static const char *const wants[] = {NULL};

    (void)state;
    memset(&puppet, 0, sizeof(puppet));
    puppet.entry.size = sizeof(puppet.entry);
    puppet.entry.major = AHP_MAJOR;
    puppet.entry.minor = AHP_MINOR;
    puppet.entry.id = "puppet";
    puppet.entry.version = "1";
    puppet.entry.needs = needs;
    puppet.entry.wants = wants;
    puppet.entry.create = on_create;
    puppet.inst.size = sizeof(puppet.inst);
    puppet.inst.self = &puppet;
    puppet.inst.tools = on_tools;
    puppet.inst.start = on_start;
    puppet.inst.call = on_call;
    puppet.inst.cancel = on_cancel;
    puppet.inst.receipt = on_receipt;
    puppet.inst.stop = on_stop;
    puppet.inst.destroy = on_destroy;
    puppet.inst.ext = on_ext;
    puppet.jobs.size = sizeof(puppet.jobs);
    puppet.jobs.unfinished = on_unfinished;
    puppet.tool.size = sizeof(puppet.tool);
    puppet.tool.name = "pull";
    puppet.tool.title = "Pull";
    puppet.tool.summary = "Pulls a string.";
    puppet.tool.input_schema = "{\"type\":\"object\"}";
    puppet.tools[0] = &puppet.tool;
    puppet.tools[1] = &puppet.tool;
    puppet.tools_count = 1;
    fake = fake_host_new();
    inst = NULL;
    reports_count = 0;
    return 0;
}

int32_t puppet_create(void)
{
    int32_t rc;

    memset(&create_err, 0, sizeof(create_err));
    create_err.size = sizeof(create_err);
    rc = ahp_shim_create(&puppet.entry, &fake->host, NULL, &inst, &create_err, on_report, NULL);
    fake->inst = inst;
    return rc;
}

void puppet_running(void)
{
    assert_int_equal(puppet_create(), AHP_OK);
    assert_int_equal(inst->start(inst->self, NULL), AHP_OK);
}

void puppet_destroy(void)
{
    if (inst != NULL)
        inst->destroy(inst->self);
    inst = NULL;
    fake->inst = NULL;
}

int puppet_teardown(void **state)
{
    (void)state;
    puppet_destroy();
    fake_host_free(fake);
    fake = NULL;
    if (reports_count != 0)
        fail_with_reports("reports that no test expected");
    return 0;
}

void puppet_watch_new(int32_t fd)
{
    assert_int_equal(puppet.loop->watch_new(puppet.host->ctx, fd, AHP_IO_IN, &puppet.watch,
                                            puppet_on_watch, &puppet),
                     AHP_OK);
}

void puppet_timer_new(void)
{
    assert_int_equal(
        puppet.loop->timer_new(puppet.host->ctx, &puppet.timer, puppet_on_timer, &puppet), AHP_OK);
}

ahp_text text(const char *string)
{
    ahp_text made = {string, string == NULL ? 0 : strlen(string)};

    return made;
}

ahp_delivery delivery(const char *key)
{
    ahp_delivery made = {.size = sizeof(made), .attempt = 1, .key = text(key)};

    made.reply_to = text("chat");
    made.text = text("done");
    return made;
}

ahp_receipt receipt(const char *key, int32_t outcome)
{
    ahp_receipt made = {.size = sizeof(made), .outcome = outcome, .key = text(key)};

    return made;
}

ahp_result result(int32_t status)
{
    ahp_result made = {.size = sizeof(made), .status = status, .json = text("{}")};

    return made;
}
