/*
 * test_engine_memory.c - a whole picture job and a whole video job, again and again, with another
 * allocation of the plugin failing each time, once or for a while: nothing crashes, nothing leaks
 * (the address sanitizer looks), every accepted call ends once (the checking shim looks), nothing
 * is paid twice, and in the end the ledger tells the truth.
 */
#include "engine_rig.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS_MAX 15 /* of one walk; it takes larger steps when there is more to walk */
#define DENSE_RUNS  100

struct plan {
    const char *tool;
    const char *reply_to;
    enum rig_answer answer;
    int for_good; /* all allocations from there on fail, for some turns */
};

static int has_ended(struct rig *rig, uint64_t id)
{
    return fake_host_end(rig->a.fake, id) != NULL;
}

static int create(struct rig *rig)
{
    ahp_err err = {.size = sizeof(err)};
    int rc;

    rig->a.fake = fake_host_new();
    rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
    rc = side_try_create(&rig->a, "s", &err);
    if (rc == 0)
        return rig->a.inst->start(rig->a.inst->self, &err);
    fake_host_free(rig->a.fake);
    rig->a.fake = NULL;
    return rc;
}

/* One life with the nth allocation failing. 1: it did not get that far. */
static int one_life(const struct plan *plan, long nth)
{
    struct rig rig;
    int refused = 1;
    uint64_t id = 0;
    long before;
    int done;

    rig_open(&rig);
    rig.answer = plan->answer;
    rig.video_ms = 4000;
    before = mem_count();
    mem_fail_after(nth, plan->for_good);
    if (create(&rig) == 0) {
        ahp_call call = fake_host_call(rig.a.fake, plan->tool, "{\"prompt\":\"a boat\"}",
                                       plan->reply_to, "c");

        refused = rig.a.inst->call(rig.a.inst->self, &call) != AHP_OK;
        id = call.id;
        rig_spin(&rig, 15);
        if (plan->for_good) {
            rig_pass(&rig, 3000);
            mem_fail_after(0, 0);
        }
        for (int i = 0; i < 400 && !refused && !has_ended(&rig, id); i++)
            rig_pass(&rig, 500);
        if (!refused && !has_ended(&rig, id))
            fail_msg("allocation %ld: the call did not end", nth);
        for (int i = 0; i < 400 && side_unfinished(&rig.a) != 0; i++)
            rig_pass(&rig, 500);
        side_stop(&rig.a);
    }
    done = mem_count() - before < nth;
    mem_fail_after(0, 0);
    if (rig.a.inst)
        side_destroy(&rig.a);
    /* The next process ends what is left. */
    side_open(&rig.a, "s");
    rig.a.fake->receipt = AHP_RECEIPT_DELIVERED;
    for (int i = 0; i < 1000 && side_unfinished(&rig.a) != 0; i++)
        rig_pass(&rig, 500);
    assert_string_equal(rig_sql(&rig.a, "SELECT count(*) FROM jobs WHERE open"), "0");
    assert_true(rig.spends <= 1);
    if (rig.spends)
        assert_string_equal(rig_sql(&rig.a, "SELECT count(*) FROM jobs WHERE state IN "
                                            "('done','delivered','unknown')"),
                            "1");
    if (plan->reply_to && rig.spends)
        assert_string_equal(rig_sql(&rig.a, "SELECT count(*) FROM deliveries"), "1");
    side_end(&rig.a);
    rig_close(&rig);
    return done;
}

static void walk(const struct plan *plan)
{
    time_t end = time(NULL) + SECONDS_MAX;
    long step = 1;
    long nth = 1;
    int runs = 0;

    while (!one_life(plan, nth) && time(NULL) < end) {
        runs++;
        /* Every one of creation and call, then larger strides. */
        if (runs > DENSE_RUNS)
            step = 1 + nth / 20;
        nth += step;
    }
    print_message("[ WALKED   ] %s: %d lives, up to allocation %ld\n", plan->tool, runs, nth);
    assert_true(runs > 20);
}

static void a_picture_for_a_chat(void **state)
{
    const struct plan plan = {"generate_image", "to", RIG_PICTURE_BASE64, 0};

    (void)state;
    walk(&plan);
}

static void a_picture_for_a_chat_and_no_memory_for_a_while(void **state)
{
    const struct plan plan = {"generate_image", "to", RIG_PICTURE_BASE64, 1};

    (void)state;
    walk(&plan);
}

static void a_video_that_a_caller_waits_for(void **state)
{
    const struct plan plan = {"generate_video", NULL, RIG_PICTURE_BASE64, 0};

    (void)state;
    walk(&plan);
}

static void a_video_for_a_chat_and_no_memory_for_a_while(void **state)
{
    const struct plan plan = {"generate_video", "to", RIG_PICTURE_BASE64, 1};

    (void)state;
    walk(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_for_a_chat),
        cmocka_unit_test(a_picture_for_a_chat_and_no_memory_for_a_while),
        cmocka_unit_test(a_video_that_a_caller_waits_for),
        cmocka_unit_test(a_video_for_a_chat_and_no_memory_for_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
