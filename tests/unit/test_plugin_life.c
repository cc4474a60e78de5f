/* test_plugin_life.c - an instance's life: every way to begin and to end it, whatever is under way.
 */
#include "engine_rig.h"

#include <stdio.h>
#include <string.h>

static void create_and_destroy(void **state)
{
    struct rig *rig = *state;

    side_create(&rig->a, "s");
    side_destroy(&rig->a);
    side_open(&rig->a, "s");
    side_destroy(&rig->a);
    side_open(&rig->a, "s");
    side_end(&rig->a);
}

static void create_refuses_a_bad_configuration(void **state)
{
    static const char *const texts[] = {"[]", "{", "{\"nonsense\":1}", "{\"state_dir\":5}",
                                        "{\"resume\":1}"};
    struct rig *rig = *state;

    (void)rig;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct fake_host *fake = fake_host_new();
        ahp_text text = {texts[i], strlen(texts[i])};
        ahp_err err = {.size = sizeof(err)};
        ahp_inst *inst = NULL;
        const ahp_entry *entry = ahp_entry_1();

        assert_int_equal(entry->create(&fake->host, &text, &inst, &err), AHP_E_INVALID);
        assert_int_equal(err.code, AHP_E_INVALID);
        assert_int_not_equal(err.text[0], 0);
        assert_null(inst);
        fake_host_free(fake);
    }
}

static void create_refuses_a_host_without_loop(void **state)
{
    struct fake_host *fake = fake_host_new();
    ahp_err err = {.size = sizeof(err)};
    ahp_inst *inst = NULL;

    (void)state;
    fake->has_loop = 0;
    assert_int_equal(ahp_entry_1()->create(&fake->host, NULL, &inst, &err), AHP_E_VERSION);
    assert_non_null(strstr(err.text, AHP_LOOP_1));
    fake_host_free(fake);
}

/* Each host call that may fail, failing once: start says so or all is well. */
static void start_survives_a_host_without_memory(void **state)
{
    struct rig *rig = *state;
    int failed = 0;

    for (uint32_t nth = 1; nth < 20; nth++) {
        ahp_err err = {.size = sizeof(err)};

        side_create(&rig->a, "s");
        rig->a.fake->fail_at = rig->a.fake->host_calls + nth;
        if (rig->a.inst->start(rig->a.inst->self, &err) == 0)
            rig_spin(rig, 3);
        else
            failed++;
        side_destroy(&rig->a);
    }
    assert_true(failed > 2);
}

static void stop_ends_a_waiting_call_with_its_job(void **state)
{
    struct rig *rig = *state;
    const struct fake_end *end;
    json_t *json;
    uint64_t id;

    side_open(&rig->a, "s");
    rig->video_ms = 3600000;
    id = side_call(&rig->a, "generate_video", "{\"prompt\":\"x\"}", NULL, "c");
    rig_until_spends(rig, 1);
    rig_spin(rig, 20);
    side_stop(&rig->a);
    end = fake_host_end(rig->a.fake, id);
    assert_non_null(end);
    assert_int_equal(end->status, AHP_RESULT_SHUTDOWN);
    assert_int_equal(strncmp(end->job_id, "job_", 4), 0);
    json = json_loads(end->json, 0, NULL);
    assert_string_equal(text_at(json, "status"), "shutdown");
    assert_string_equal(text_at(json, "job"), end->job_id);
    json_decref(json);
    side_destroy(&rig->a);
}

static int held(void *ud)
{
    return ((struct rig *)ud)->held != 0;
}

/* A paid answer is worth waiting for, and what it brought is stored before stopped(). */
static void stop_waits_for_a_paid_answer(void **state)
{
    struct rig *rig = *state;

    side_open(&rig->a, "s");
    rig->answer = RIG_HOLD;
    (void)side_end_of(&rig->a,
                      side_call(&rig->a, "generate_image", "{\"prompt\":\"x\"}", "to", "c"));
    assert_int_equal(rig_run(rig, held, rig), 0);
    rig->a.inst->stop(rig->a.inst->self, rig->a.fake->now_ms + 5000);
    rig_spin(rig, 50);
    assert_int_equal(rig->a.fake->stopped, 0);
    rig_release(rig);
    rig_spin(rig, 50);
    fake_host_advance(rig->a.fake, 100);
    rig_spin(rig, 5);
    assert_int_equal(rig->a.fake->stopped, 1);
    side_destroy(&rig->a);
    /* The picture is on disk; another process delivers it without asking the provider again. */
    side_open(&rig->a, "s");
    rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].files_count, 1);
    rig_until_idle(&rig->a);
    assert_int_equal(rig->spends, 1);
    side_end(&rig->a);
}

static void stop_gives_up_at_its_deadline_and_the_job_is_unknown(void **state)
{
    struct rig *rig = *state;

    side_open(&rig->a, "s");
    rig->answer = RIG_HOLD;
    (void)side_end_of(&rig->a,
                      side_call(&rig->a, "generate_image", "{\"prompt\":\"x\"}", "to", "c"));
    assert_int_equal(rig_run(rig, held, rig), 0);
    side_stop(&rig->a);
    side_destroy(&rig->a);
    rig->answer = RIG_PICTURE_BASE64;
    side_open(&rig->a, "s");
    rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].kind, AHP_DELIVERY_NOTICE);
    rig_until_idle(&rig->a);
    assert_string_equal(rig_sql(&rig->a, "SELECT state FROM jobs"), "unknown");
    assert_int_equal(rig->spends, 1);
    side_end(&rig->a);
}

/*
 * Destroy without stop after each number of turns of a job's life: nothing may be used after it was
 * freed, nothing may leak, and the next instance brings the job to its end, paying once.
 */
static void destroy_at_every_turn(struct rig *rig, const char *tool, const char *reply_to,
                                  int use_stop)
{
    unsigned turns = 0;
    int ended = 0;

    while (!ended) {
        char folder[32];

        snprintf(folder, sizeof(folder), "%s-%d-%d-%u", tool, reply_to != NULL, use_stop, turns);
        rig->spends = 0;
        rig->video_ms = 0;
        side_open(&rig->a, folder);
        rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
        (void)side_call(&rig->a, tool, "{\"prompt\":\"a boat\"}", reply_to, "c");
        (void)side_call(&rig->a, "poll", "{\"action\":\"wait\"}", NULL, "c");
        (void)side_call(&rig->a, tool, "{\"prompt\":\"a boat\",\"reference_images\":[\"last\"]}",
                        NULL, "c");
        for (unsigned i = 0; i < turns; i++) {
            rig_spin(rig, 1);
            if (i % 3 == 2)
                fake_host_advance(rig->a.fake, 700);
        }
        ended = rig->a.fake->deliveries_count || turns > 45;
        if (use_stop)
            side_stop(&rig->a);
        side_destroy(&rig->a);
        side_open(&rig->a, folder);
        rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
        rig_until_idle(&rig->a);
        assert_true(rig->spends <= 1);
        assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs WHERE open"), "0");
        /* Unknown is the truth when the answer was still out; then no second job was begun either.
         */
        assert_string_equal(rig_sql(&rig->a,
                                    "SELECT group_concat(state || coalesce(error_text, '')) FROM "
                                    "jobs WHERE state NOT IN ('done','delivered','unknown')"),
                            "");
        side_end(&rig->a);
        turns++;
    }
}

static void destroy_any_time(void **state)
{
    destroy_at_every_turn(*state, "generate_image", "to", 0);
    destroy_at_every_turn(*state, "generate_image", NULL, 0);
    destroy_at_every_turn(*state, "generate_video", "to", 0);
}

static void stop_any_time(void **state)
{
    destroy_at_every_turn(*state, "generate_image", "to", 1);
    destroy_at_every_turn(*state, "generate_video", NULL, 1);
}

static void calls_are_refused_after_stop(void **state)
{
    struct rig *rig = *state;
    ahp_call call;

    side_open(&rig->a, "s");
    rig->a.inst->stop(rig->a.inst->self, rig->a.fake->now_ms + 5000);
    call = fake_host_call(rig->a.fake, "poll", "{}", NULL, "c");
    assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_E_STATE);
    assert_int_equal(rig->a.inst->cancel(rig->a.inst->self, 1), AHP_E_STALE);
    rig_spin(rig, 5);
    side_destroy(&rig->a);
}

static void two_instances_share_a_folder(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    side_open(&rig->a, "s");
    side_open(&rig->b, "s");
    rig->a.fake->receipt = rig->b.fake->receipt = AHP_RECEIPT_DELIVERED;
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"one\"}", "to", "c");
    json_decref(json);
    json = side_ask(&rig->b, "generate_image", "{\"prompt\":\"two\"}", "to", "c");
    json_decref(json);
    rig_until_idle(&rig->a);
    rig_until_idle(&rig->b);
    assert_int_equal(rig->a.fake->deliveries_count + rig->b.fake->deliveries_count, 2);
    assert_int_equal(rig->spends, 2);
    /* Each sees the other's job, and a duplicate of it is no new one. */
    json = side_ask(&rig->b, "generate_image", "{\"prompt\":\"one\"}", "to", "c");
    assert_string_equal(text_at(json, "status"), "delivered");
    json_decref(json);
    assert_int_equal(rig->spends, 2);
    side_end(&rig->b);
    side_end(&rig->a);
}

static void one_takes_over_from_the_other(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    side_open(&rig->a, "s");
    side_open(&rig->b, "s");
    rig->b.fake->receipt = AHP_RECEIPT_DELIVERED;
    json = side_ask(&rig->a, "generate_video", "{\"prompt\":\"one\"}", "to", "c");
    json_decref(json);
    rig_pass(rig, 5000);
    side_destroy(&rig->a);
    rig_until_deliveries(&rig->b, 1);
    rig_until_idle(&rig->b);
    assert_int_equal(rig->spends, 1);
    side_end(&rig->b);
}

static void two_instances_on_two_folders(void **state)
{
    struct rig *rig = *state;

    side_open(&rig->a, "one");
    side_open(&rig->b, "two");
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"same\"}", NULL, "c"));
    json_decref(side_ask(&rig->b, "generate_image", "{\"prompt\":\"same\"}", NULL, "c"));
    assert_int_equal(rig->spends, 2);
    side_end(&rig->a);
    side_end(&rig->b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(create_and_destroy),
        RIG_TEST(create_refuses_a_bad_configuration),
        RIG_TEST(create_refuses_a_host_without_loop),
        RIG_TEST(start_survives_a_host_without_memory),
        RIG_TEST(stop_ends_a_waiting_call_with_its_job),
        RIG_TEST(stop_waits_for_a_paid_answer),
        RIG_TEST(stop_gives_up_at_its_deadline_and_the_job_is_unknown),
        RIG_TEST(calls_are_refused_after_stop),
        RIG_TEST(destroy_any_time),
        RIG_TEST(stop_any_time),
        RIG_TEST(two_instances_share_a_folder),
        RIG_TEST(one_takes_over_from_the_other),
        RIG_TEST(two_instances_on_two_folders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
