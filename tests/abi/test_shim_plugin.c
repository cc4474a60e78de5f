/*
 * test_shim_plugin.c - a plugin that misbehaves, in each way there is a number for.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "puppet.h"

static int pipe_fds[2];

static int pipe_setup(void **state)
{
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    return puppet_setup(state);
}

static int pipe_teardown(void **state)
{
    int rc = puppet_teardown(state);

    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    return rc;
}

static uint64_t call_open(void)
{
    ahp_call call = fake_host_call(fake, "pull", "{}", "chat", "room");

    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    return call.id;
}

static int32_t complete(uint64_t id)
{
    ahp_result made = result(AHP_RESULT_OK);

    return puppet.calls->complete(puppet.host->ctx, id, &made);
}

static void behaves(void **state)
{
    uint64_t id;

    (void)state;
    puppet_running();
    id = call_open();
    assert_int_equal(complete(id), AHP_OK);
    assert_string_equal(fake_host_end(fake, id)->json, "{}");
    puppet_watch_new(pipe_fds[0]);
    puppet_timer_new();
    assert_int_equal(puppet.loop->timer_at(puppet.timer, fake->now_ms + 5), AHP_OK);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    (void)fake_host_advance(fake, 5);
    assert_int_equal(puppet.callbacks, 2);
    puppet.loop->watch_free(puppet.watch);
    puppet.loop->timer_free(puppet.timer);
    puppet.loop->watch_free(NULL);
    puppet.loop->timer_free(NULL);
    puppet.loop->defer_free(NULL);
    inst->stop(inst->self, fake->now_ms + 5000);
    assert_int_equal(fake->stopped, 1);
    puppet_destroy();
    expect_nothing();
}

/* --- R2, phases ------------------------------------------------------------------------------- */

static void log_and_defer(void)
{
    ahp_deferred *deferred;

    puppet.host->log(puppet.host->ctx, AHP_LOG_INFO, 1, "from work", 9);
    assert_int_equal(puppet.check->on_loop(puppet.host->ctx), 0);
    assert_int_equal(
        puppet.loop->defer(puppet.host->ctx, &deferred, puppet_on_timer, &puppet), AHP_E_INVALID);
}

static void wrong_thread(void **state)
{
    (void)state;
    puppet_running();
    puppet.in_work = log_and_defer;
    assert_int_equal(puppet.check->on_loop(puppet.host->ctx), 1);
    assert_int_equal(
        puppet.work->run(puppet.host->ctx, &puppet, puppet_on_fn, puppet_on_done), AHP_OK);
    (void)fake_host_turn(fake, 0);
    assert_int_equal(puppet.callbacks, 1);
    expect(AHP_SHIM_PLUGIN_WRONG_THREAD);
}

static int32_t watch_in_create(const ahp_text *config, ahp_inst **ret_inst, ahp_err *ret_err)
{
    (void)config;
    (void)ret_err;
    *ret_inst = &puppet.inst;
    assert_int_equal(puppet.loop->watch_new(puppet.host->ctx, pipe_fds[0], AHP_IO_IN,
                                            &puppet.watch, puppet_on_watch, &puppet),
                     AHP_E_STATE);
    return AHP_OK;
}

static void phase_in_create(void **state)
{
    (void)state;
    puppet.in_create = watch_in_create;
    assert_int_equal(puppet_create(), AHP_OK);
    expect(AHP_SHIM_PLUGIN_PHASE);
    assert_int_equal(fake->watches_live, 0);
}

static int32_t fail_with_watch(const ahp_text *config, ahp_inst **ret_inst, ahp_err *ret_err)
{
    (void)watch_in_create(config, ret_inst, ret_err);
    ret_err->code = AHP_E_FAILED;
    (void)snprintf(ret_err->text, sizeof(ret_err->text), "no");
    return AHP_E_FAILED;
}

static void failing_create_touches_and_watches(void **state)
{
    (void)state;
    puppet.in_create = fail_with_watch;
    assert_int_equal(puppet_create(), AHP_E_FAILED);
    assert_null(inst);
    assert_string_equal(create_err.text, "no");
    assert_int_equal(fake->watches_live, 0);
    expect_two(AHP_SHIM_PLUGIN_PHASE, AHP_SHIM_PLUGIN_OUTPUT_TOUCHED);
}

static int32_t fail_silently(const ahp_text *config, ahp_inst **ret_inst, ahp_err *ret_err)
{
    (void)config;
    (void)ret_inst;
    (void)ret_err;
    return AHP_E_NOMEM;
}

static int32_t succeed_with_nothing(const ahp_text *config, ahp_inst **ret_inst, ahp_err *ret_err)
{
    (void)config;
    (void)ret_inst;
    (void)ret_err;
    return AHP_OK;
}

static void outputs_missing(void **state)
{
    (void)state;
    puppet.in_create = fail_silently;
    assert_int_equal(puppet_create(), AHP_E_NOMEM);
    expect(AHP_SHIM_PLUGIN_OUTPUT_MISSING);
    puppet.in_create = succeed_with_nothing;
    assert_int_equal(puppet_create(), AHP_E_FAILED);
    expect(AHP_SHIM_PLUGIN_OUTPUT_MISSING);
}

static void stopped_twice(int64_t deadline_ms)
{
    (void)deadline_ms;
    puppet.host->stopped(puppet.host->ctx);
    puppet.host->stopped(puppet.host->ctx);
}

static void stopped_again(void **state)
{
    (void)state;
    puppet_running();
    puppet.in_stop = stopped_twice;
    inst->stop(inst->self, fake->now_ms + 10);
    assert_int_equal(fake->stopped, 1);
    expect(AHP_SHIM_PLUGIN_PHASE);
}

static void complete_in_destroy(void)
{
    assert_int_equal(complete(1), AHP_E_STATE);
}

static void calls_host_in_destroy(void **state)
{
    (void)state;
    puppet_running();
    (void)call_open();
    puppet.in_destroy = complete_in_destroy;
    puppet_destroy();
    expect(AHP_SHIM_PLUGIN_PHASE);
}

/* --- R3 --------------------------------------------------------------------------------------- */

static int32_t refuse(const ahp_call *call)
{
    (void)call;
    return AHP_E_LIMIT;
}

static int32_t complete_and_refuse(const ahp_call *call)
{
    assert_int_equal(complete(call->id), AHP_OK);
    return AHP_E_LIMIT;
}

static void completes_wrongly(void **state)
{
    ahp_call call;
    uint64_t id;

    (void)state;
    puppet_running();
    id = call_open();
    assert_int_equal(complete(id), AHP_OK);
    assert_int_equal(complete(id), AHP_E_STALE);
    expect(AHP_SHIM_PLUGIN_COMPLETE_TWICE);
    assert_int_equal(complete(id + 99), AHP_E_STALE);
    expect(AHP_SHIM_PLUGIN_COMPLETE_UNKNOWN);
    puppet.in_call = complete_and_refuse;
    call = fake_host_call(fake, "pull", NULL, NULL, NULL);
    assert_int_equal(inst->call(inst->self, &call), AHP_E_LIMIT);
    expect(AHP_SHIM_PLUGIN_COMPLETE_REFUSED);
}

/* A host that takes the call's end although the call was refused is a second culprit. */
static void completes_after_refusal(void **state)
{
    ahp_call call;

    (void)state;
    puppet_running();
    puppet.in_call = refuse;
    call = fake_host_call(fake, "pull", NULL, NULL, NULL);
    assert_int_equal(inst->call(inst->self, &call), AHP_E_LIMIT);
    (void)complete(call.id);
    expect_two(AHP_SHIM_PLUGIN_COMPLETE_REFUSED, AHP_SHIM_HOST_COMPLETE_STALE);
}

static void stops_with_all_open(void **state)
{
    (void)state;
    puppet_running();
    (void)call_open();
    puppet_timer_new();
    inst->stop(inst->self, fake->now_ms + 10);
    expect_two(AHP_SHIM_PLUGIN_STOPPED_OPEN, AHP_SHIM_PLUGIN_STOPPED_HOLDS);
    puppet.in_destroy = NULL;
    puppet_destroy();
    expect(AHP_SHIM_PLUGIN_LEAK_TIMERS);
}

static void never_stop(int64_t deadline_ms)
{
    (void)deadline_ms;
}

static void stops_late(void **state)
{
    (void)state;
    puppet_running();
    puppet.in_stop = never_stop;
    inst->stop(inst->self, fake->now_ms + 10);
    (void)fake_host_advance(fake, 10);
    expect_nothing();
    (void)fake_host_advance(fake, 1);
    puppet_destroy();
    expect(AHP_SHIM_PLUGIN_STOP_LATE);
}

static void leaks(void **state)
{
    (void)state;
    puppet_running();
    puppet_watch_new(pipe_fds[0]);
    assert_int_equal(
        puppet.loop->defer(puppet.host->ctx, &puppet.deferred, puppet_on_timer, &puppet), AHP_OK);
    puppet_destroy();
    expect_two(AHP_SHIM_PLUGIN_LEAK_WATCHES, AHP_SHIM_PLUGIN_LEAK_DEFERRED);
    assert_int_equal(fake->watches_live + fake->deferred_live, 0); /* given back all the same */
}

static int32_t accept(const ahp_call *call)
{
    (void)call;
    return AHP_OK;
}

static void accepts_too_early_and_too_late(void **state)
{
    ahp_call call = fake_host_call(fake, "pull", NULL, NULL, NULL);

    (void)state;
    assert_int_equal(puppet_create(), AHP_OK);
    puppet.in_call = accept;
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    expect(AHP_SHIM_PLUGIN_ACCEPTED);
    assert_int_equal(inst->start(inst->self, NULL), AHP_OK);
    assert_int_equal(complete(call.id), AHP_OK);
    inst->stop(inst->self, fake->now_ms + 10);
    call = fake_host_call(fake, "pull", NULL, NULL, NULL);
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    expect(AHP_SHIM_PLUGIN_ACCEPTED);
}

static int32_t cancel_yes(uint64_t id)
{
    (void)id;
    return AHP_OK;
}

static void cancels_wrongly(void **state)
{
    (void)state;
    puppet_running();
    assert_int_equal(inst->cancel(inst->self, call_open()), AHP_E_STALE);
    expect(AHP_SHIM_PLUGIN_CANCEL);
    puppet.in_cancel = cancel_yes;
    assert_int_equal(inst->cancel(inst->self, 4711), AHP_OK);
    expect(AHP_SHIM_PLUGIN_CANCEL);
}

/* --- R4, arguments ---------------------------------------------------------------------------- */

static void short_structs(void **state)
{
    ahp_result made = result(AHP_RESULT_OK);
    ahp_delivery offered = delivery("k");
    uint64_t id;

    (void)state;
    puppet_running();
    id = call_open();
    made.size = 0;
    assert_int_equal(puppet.calls->complete(puppet.host->ctx, id, &made), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_STRUCT);
    offered.size = 24;
    assert_int_equal(puppet.deliver->offer(puppet.host->ctx, &offered), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_STRUCT);
    puppet.jobs.size = 4;
    assert_null(inst->ext(inst->self, AHP_JOBS_1));
    expect(AHP_SHIM_PLUGIN_STRUCT);
}

static void missing_slot(void **state)
{
    (void)state;
    puppet.inst.cancel = NULL;
    assert_int_equal(puppet_create(), AHP_E_VERSION);
    assert_null(inst);
    expect(AHP_SHIM_PLUGIN_SLOT);
}

static void bad_texts(void **state)
{
    ahp_result made = result(AHP_RESULT_OK);
    uint64_t id;

    (void)state;
    puppet_running();
    id = call_open();
    made.json = text("[1]");
    assert_int_equal(puppet.calls->complete(puppet.host->ctx, id, &made), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_TEXT);
    made.json = text("{\"a\":\"\xff\"}");
    assert_int_equal(puppet.calls->complete(puppet.host->ctx, id, &made), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_TEXT);
    made.json.ptr = NULL;
    assert_int_equal(puppet.calls->complete(puppet.host->ctx, id, &made), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_TEXT);
    assert_int_equal(complete(id), AHP_OK);
}

static void bad_arguments(void **state)
{
    ahp_result made = result(99);
    ahp_watch *watch = NULL;

    (void)state;
    puppet_running();
    (void)puppet.calls->complete(puppet.host->ctx, call_open(), &made);
    expect(AHP_SHIM_PLUGIN_ARGUMENT);
    assert_int_equal(puppet.loop->watch_new(puppet.host->ctx, -1, AHP_IO_IN, &watch,
                                            puppet_on_watch, &puppet),
                     AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_ARGUMENT);
    assert_int_equal(puppet.loop->timer_new(puppet.host->ctx, NULL, puppet_on_timer, &puppet),
                     AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_ARGUMENT);
    puppet.calls->progress(puppet.host->ctx, 1, 1001, "x", 1);
    expect(AHP_SHIM_PLUGIN_ARGUMENT);
    assert_null(puppet.host->ext(puppet.host->ctx, NULL));
    expect(AHP_SHIM_PLUGIN_ARGUMENT);
}

static int32_t answer_seven(const ahp_receipt *given)
{
    (void)given;
    return 7;
}

static void bad_results(void **state)
{
    ahp_receipt given = receipt("k", AHP_RECEIPT_DELIVERED);
    const ahp_jobs *jobs;

    (void)state;
    puppet_running();
    puppet.in_receipt = answer_seven;
    assert_int_equal(inst->receipt(inst->self, &given), AHP_E_FAILED);
    expect(AHP_SHIM_PLUGIN_RESULT);
    jobs = inst->ext(inst->self, AHP_JOBS_1);
    puppet.unfinished = 3;
    assert_int_equal(jobs->unfinished(inst->self), 3);
    puppet.unfinished = -5;
    assert_int_equal(jobs->unfinished(inst->self), -1);
    expect(AHP_SHIM_PLUGIN_RESULT);
}

static void bad_log(void **state)
{
    static char line[AHP_LOG_BYTES_MAX + 1];

    (void)state;
    puppet_running();
    memset(line, 'x', sizeof(line));
    puppet.host->log(puppet.host->ctx, AHP_LOG_INFO, 1, line, AHP_LOG_BYTES_MAX);
    expect_nothing();
    puppet.host->log(puppet.host->ctx, AHP_LOG_INFO, 1, line, sizeof(line));
    expect(AHP_SHIM_PLUGIN_LOG);
    puppet.host->log(puppet.host->ctx, AHP_LOG_INFO, 1, "a\nb", 3);
    expect(AHP_SHIM_PLUGIN_LOG);
    puppet.host->log(puppet.host->ctx, AHP_LOG_HOST_MISBEHAVES, 1, "a", 1);
    expect(AHP_SHIM_PLUGIN_LOG);
}

/* --- handles ---------------------------------------------------------------------------------- */

static void uses_after_free(void **state)
{
    (void)state;
    puppet_running();
    puppet_watch_new(pipe_fds[0]);
    puppet.loop->watch_free(puppet.watch);
    assert_int_equal(puppet.loop->watch_mod(puppet.watch, AHP_IO_OUT), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_AFTER_FREE);
    puppet.loop->watch_free(puppet.watch);
    expect(AHP_SHIM_PLUGIN_AFTER_FREE);
    puppet_timer_new();
    puppet.loop->timer_free(puppet.timer);
    assert_int_equal(puppet.loop->timer_at(puppet.timer, 0), AHP_E_INVALID);
    expect(AHP_SHIM_PLUGIN_AFTER_FREE);
    assert_int_equal(
        puppet.loop->defer(puppet.host->ctx, &puppet.deferred, puppet_on_timer, &puppet), AHP_OK);
    (void)fake_host_turn(fake, 0);
    assert_int_equal(puppet.callbacks, 1);
    puppet.loop->defer_free(puppet.deferred); /* it has run */
    expect(AHP_SHIM_PLUGIN_AFTER_FREE);
}

static void watches_twice(void **state)
{
    ahp_watch *second = NULL;

    (void)state;
    puppet_running();
    puppet_watch_new(pipe_fds[0]);
    assert_int_equal(puppet.loop->watch_new(puppet.host->ctx, pipe_fds[0], AHP_IO_IN, &second,
                                            puppet_on_watch, &puppet),
                     AHP_E_EXISTS);
    assert_null(second);
    expect(AHP_SHIM_PLUGIN_WATCH_TWICE);
    puppet.loop->watch_free(puppet.watch);
    puppet_watch_new(pipe_fds[0]); /* after the free it is a new watch */
    puppet.loop->watch_free(puppet.watch);
}

/* --- tools, deliveries ------------------------------------------------------------------------ */

static void bad_tools(void **state)
{
    const ahp_tool *const *tools = NULL;
    uint32_t count = 0;

    (void)state;
    puppet_running();
    assert_int_equal(inst->tools(inst->self, &tools, &count), AHP_OK);
    assert_int_equal(count, 1);
    puppet.tool.summary = "Pulls two.";
    assert_int_equal(inst->tools(inst->self, &tools, &count), AHP_OK);
    expect(AHP_SHIM_PLUGIN_TOOLS_CHANGED);
    puppet.calls->rescan(puppet.host->ctx);
    puppet.tools_count = 2;
    assert_int_equal(inst->tools(inst->self, &tools, &count), AHP_OK);
    expect(AHP_SHIM_PLUGIN_TOOL); /* two of one name */
    puppet.calls->rescan(puppet.host->ctx);
    puppet.tools_count = 1;
    puppet.tool.name = "Pull it";
    assert_int_equal(inst->tools(inst->self, &tools, &count), AHP_E_FAILED);
    expect(AHP_SHIM_PLUGIN_TOOL);
    puppet.tool.name = "pull";
    puppet.tool.input_schema = NULL;
    assert_int_equal(inst->tools(inst->self, &tools, &count), AHP_E_FAILED);
    expect(AHP_SHIM_PLUGIN_TOOL);
}

static void bad_keys(void **state)
{
    char name[AHP_KEY_BYTES_MAX + 2];
    const char *bad[] = {"", "no space", "umlaut\xc3\xa4", name};
    ahp_delivery offered;

    (void)state;
    memset(name, 'k', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    puppet_running();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        offered = delivery(bad[i]);
        assert_int_equal(puppet.deliver->offer(puppet.host->ctx, &offered), AHP_E_INVALID);
        expect(AHP_SHIM_PLUGIN_KEY);
    }
    offered = delivery(name + 1);
    assert_int_equal(puppet.deliver->offer(puppet.host->ctx, &offered), AHP_OK);
}

static void offers_again(void **state)
{
    ahp_delivery offered = delivery("a:1");
    ahp_receipt given;

    (void)state;
    puppet_running();
    assert_int_equal(puppet.deliver->offer(puppet.host->ctx, &offered), AHP_OK);
    given = receipt("a:1", AHP_RECEIPT_LATER);
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    (void)puppet.deliver->offer(puppet.host->ctx, &offered);
    expect_nothing();
    given = receipt("a:1", AHP_RECEIPT_HELD);
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    (void)puppet.deliver->offer(puppet.host->ctx, &offered);
    expect(AHP_SHIM_PLUGIN_OFFER_HELD);
    given = receipt("a:1", AHP_RECEIPT_DELIVERED);
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    (void)puppet.deliver->offer(puppet.host->ctx, &offered);
    expect(AHP_SHIM_PLUGIN_OFFER_DELIVERED);
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK); /* a repeat is harmless */
    expect_nothing();
}

static void all_seen(void **state)
{
    (void)state;
    expect_all_seen(AHP_SHIM_PLUGIN_WRONG_THREAD, AHP_SHIM_PLUGIN_LOG);
}

#define WITH_PIPE(test) cmocka_unit_test_setup_teardown(test, pipe_setup, pipe_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PIPE(behaves),
        WITH_PIPE(wrong_thread),
        WITH_PIPE(phase_in_create),
        WITH_PIPE(failing_create_touches_and_watches),
        WITH_PIPE(outputs_missing),
        WITH_PIPE(stopped_again),
        WITH_PIPE(calls_host_in_destroy),
        WITH_PIPE(completes_wrongly),
        WITH_PIPE(completes_after_refusal),
        WITH_PIPE(stops_with_all_open),
        WITH_PIPE(stops_late),
        WITH_PIPE(leaks),
        WITH_PIPE(accepts_too_early_and_too_late),
        WITH_PIPE(cancels_wrongly),
        WITH_PIPE(short_structs),
        WITH_PIPE(missing_slot),
        WITH_PIPE(bad_texts),
        WITH_PIPE(bad_arguments),
        WITH_PIPE(bad_results),
        WITH_PIPE(bad_log),
        WITH_PIPE(uses_after_free),
        WITH_PIPE(watches_twice),
        WITH_PIPE(bad_tools),
        WITH_PIPE(bad_keys),
        WITH_PIPE(offers_again),
        cmocka_unit_test(all_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
