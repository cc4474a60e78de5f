/*
 * test_instances.c - the example plugin, loaded as a host loads it, under the shim: several
 * instances in one process, of one file and of two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ahp_load.h"
#include "ahp_shim.h"
#include "fake_host.h"

struct side {
    struct fake_host *fake;
    ahp_inst *inst;
    uint64_t call_id;
    uint32_t breaches;
};

static void on_report(void *ud, int32_t level, uint32_t item, const char *words)
{
    struct side *side = ud;

    (void)level;
    print_message("%u: %s\n", (unsigned)item, words);
    side->breaches++;
}

static void side_start(struct side *side, const char *path)
{
    ahp_err err = {.size = sizeof(err)};
    const ahp_entry *entry = NULL;

    memset(side, 0, sizeof(*side));
    side->fake = fake_host_new();
    assert_int_equal(ahp_load(path, &entry, &err), AHP_OK);
    assert_int_equal(ahp_entry_check(entry, &side->fake->host, &err), AHP_OK);
    assert_int_equal(ahp_shim_create(entry, &side->fake->host, NULL, &side->inst, &err, on_report,
                                     side),
                     AHP_OK);
    assert_int_equal(side->inst->start(side->inst->self, &err), AHP_OK);
}

static void side_call(struct side *side, const char *args)
{
    ahp_call call = fake_host_call(side->fake, "echo", args, NULL, NULL);

    assert_int_equal(side->inst->call(side->inst->self, &call), AHP_OK);
    side->call_id = call.id;
}

static int is_answered(void *ud)
{
    const struct side *side = ud;

    return fake_host_end(side->fake, side->call_id) != NULL;
}

static void side_end(struct side *side)
{
    side->inst->stop(side->inst->self, side->fake->now_ms + 5000);
    assert_int_equal(side->fake->stopped, 1);
    side->inst->destroy(side->inst->self);
    assert_int_equal(side->breaches, 0);
    assert_int_equal(side->fake->timers_live, 0);
    fake_host_free(side->fake);
}

static void two_instances(const char *one_path, const char *two_path)
{
    struct side one;
    struct side two;

    side_start(&one, one_path);
    side_start(&two, two_path);
    side_call(&one, "{\"n\":1}");
    side_call(&two, "{\"n\":2}");
    assert_true(fake_host_run(two.fake, 10, is_answered, &two));
    assert_null(fake_host_end(one.fake, one.call_id));
    assert_string_equal(fake_host_end(two.fake, two.call_id)->json, "{\"n\":2}");
    side_end(&two); /* one goes, the other stays */
    assert_true(fake_host_run(one.fake, 10, is_answered, &one));
    assert_string_equal(fake_host_end(one.fake, one.call_id)->json, "{\"n\":1}");
    side_end(&one);
}

static void of_one_file(void **state)
{
    (void)state;
    two_instances(ABI_PLUGIN, ABI_PLUGIN);
}

static void of_two_files(void **state)
{
    (void)state;
    two_instances(ABI_PLUGIN, ABI_TWIN);
}

static void refuses_and_cancels(void **state)
{
    struct side side;
    ahp_call call;

    (void)state;
    side_start(&side, ABI_PLUGIN);
    call = fake_host_call(side.fake, "sing", "{}", NULL, NULL);
    assert_int_equal(side.inst->call(side.inst->self, &call), AHP_E_NOT_FOUND);
    side_call(&side, NULL);
    call = fake_host_call(side.fake, "echo", "{}", NULL, NULL);
    assert_int_equal(side.inst->call(side.inst->self, &call), AHP_E_LIMIT);
    assert_int_equal(side.inst->cancel(side.inst->self, call.id), AHP_E_STALE);
    assert_int_equal(side.inst->cancel(side.inst->self, side.call_id), AHP_OK);
    assert_int_equal(fake_host_end(side.fake, side.call_id)->status, AHP_RESULT_CANCELLED);
    side_call(&side, "{}");
    side_end(&side); /* the open call is shut down first */
}

/* The fake host's own loop, with the shim as second judge. */
static void fake_loop_is_sound(void **state)
{
    struct side side;
    ahp_call call;

    (void)state;
    side_start(&side, ABI_EXAMINER);
    call = fake_host_call(side.fake, "examine_loop", "{}", NULL, NULL);
    assert_int_equal(side.inst->call(side.inst->self, &call), AHP_OK);
    side.call_id = call.id;
    side.fake->real_wait_ms = 1;
    assert_true(fake_host_run(side.fake, 1000, is_answered, &side));
    assert_string_equal(fake_host_end(side.fake, side.call_id)->json, "{\"ok\":true}");
    /* Step 6 asks for a second watch of one fd on purpose. */
    assert_int_equal(side.breaches, 1);
    assert_int_equal(fake_host_log_items(side.fake, AHP_SHIM_PLUGIN_WATCH_TWICE), 1);
    side.breaches = 0;
    side_end(&side);
}

static void host_without_timers(void **state)
{
    struct fake_host *fake = fake_host_new();
    ahp_err err = {.size = sizeof(err)};
    const ahp_entry *entry = NULL;
    ahp_inst *inst = NULL;

    (void)state;
    assert_int_equal(ahp_load(ABI_PLUGIN, &entry, &err), AHP_OK);
    assert_int_equal(ahp_shim_create(entry, &fake->host, NULL, &inst, &err, NULL, NULL), AHP_OK);
    fake->fail_at = fake->host_calls + 1;
    assert_int_equal(inst->start(inst->self, &err), AHP_E_NOMEM);
    assert_string_equal(err.text, "the host gave no timer");
    inst->destroy(inst->self);
    assert_int_equal(fake_host_log_levels(fake, AHP_LOG_HOST_MISBEHAVES), 0);
    fake_host_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_one_file),
        cmocka_unit_test(of_two_files),
        cmocka_unit_test(refuses_and_cancels),
        cmocka_unit_test(fake_loop_is_sound),
        cmocka_unit_test(host_without_timers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
