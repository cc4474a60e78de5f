/* test_tools_batch.c - a batch that is cancelled, stopped or cannot be summed up. */
#include "engine_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Whenever its call is cancelled: an item that is ordered after that would be paid for outside of
 * its batch, where the next run of the same items does not find it.
 */
static void a_cancelled_batch_orders_nothing_more(void **state)
{
    struct rig *rig = *state;
    struct side *side = &rig->a;
    char source[32];
    char args[512];
    unsigned ended = 0;

    json_decref(side_ask(side, "generate_image", "{\"prompt\":\"source\"}", NULL, "c"));
    snprintf(source, sizeof(source), "%s", rig_sql(side, "SELECT handle FROM files"));
    for (unsigned turns = 1; turns <= 40; turns++) {
        uint64_t id;

        snprintf(args, sizeof(args),
                 "{\"items\":[\"{\\\"prompt\\\":\\\"a%u\\\",\\\"reference_images\\\":[\\\"%s\\\"]}\","
                 "\"{\\\"prompt\\\":\\\"b%u\\\",\\\"reference_images\\\":[\\\"%s\\\"]}\"]}",
                 turns, source, turns, source);
        id = side_call(side, "run_batch", args, NULL, "c");
        rig_spin(rig, turns);
        ended += side->inst->cancel(side->inst->self, id) == AHP_OK;
        side_end_of(side, id);
        rig_until_idle(side);
    }
    assert_true(ended > 0);
    assert_string_equal(rig_sql(side, "SELECT count(*) FROM jobs WHERE batch IS NULL"), "1");
}

/* The item under way is let go of first: who waits for its place must not keep the room. */
static void a_batch_that_waits_can_be_stopped(void **state)
{
    struct rig *rig = *state;

    rig->video_ms = 3600000;
    side_call(&rig->a, "run_batch",
              "{\"concurrency\":1,\"items\":[\"{\\\"mode\\\":\\\"video\\\",\\\"prompt\\\":\\\"a\\\"}\","
              "\"{\\\"mode\\\":\\\"video\\\",\\\"prompt\\\":\\\"b\\\"}\","
              "\"{\\\"mode\\\":\\\"video\\\",\\\"prompt\\\":\\\"c\\\"}\"]}",
              NULL, "c");
    rig_until_spends(rig, 1);
    rig_pass(rig, 60000);
    assert_int_equal(rig->spends, 1);
}

/* Not one after the other, each with a transaction of its own, nor at the next look. */
static void the_first_failure_stops_all_at_once(void **state)
{
    struct rig *rig = *state;
    json_t *items = json_array();
    json_t *args = json_pack("{s:i, s:o}", "concurrency", 1, "items", items);
    char *text;

    for (int i = 0; i < 60; i++)
        json_array_append_new(items, json_sprintf("item %d", i));
    text = json_dumps(args, JSON_COMPACT);
    rig->answer = RIG_HOLD;
    side_call(&rig->a, "run_batch", text, NULL, "c");
    free(text);
    json_decref(args);
    for (int i = 0; i < 2000 && atoi(rig_sql(&rig->a, "SELECT count(*) FROM jobs")) < 61; i++)
        rig_spin(rig, 1);
    rig_pass(rig, 3000);
    rig_release(rig);
    rig->answer = RIG_REFUSE;
    for (int i = 0; i < 2000 && !*rig_sql(&rig->a, "SELECT max(id) FROM jobs "
                                                   "WHERE state = 'failed'"); i++)
        rig_spin(rig, 1);
    rig_pass(rig, 100);
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs WHERE state = 'cancelled'"),
                        "58");
    assert_int_equal(rig->spends, 2);
}

/* Under another name the same items would be paid for once more: this one is in ledgers already. */
static void a_batch_keeps_its_name(void **state)
{
    struct rig *rig = *state;

    json_decref(side_ask(&rig->a, "run_batch",
                         "{\"continue_on_error\":true,\"items\":[\"a\",\"{\\\"n\\\":\\\"x\\\"}\","
                         "\"{\\\"size\\\":\\\"1024x1024\\\",\\\"prompt\\\":\\\"b {index}\\\"}\"]}",
                         NULL, "c"));
    assert_string_equal(rig_sql(&rig->a, "SELECT batch FROM jobs WHERE batch_index = 0"),
                        "batch-fd69dfbe390e");
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs WHERE batch_index > 0"), "2");
}

/* The items have ended; somebody waits to hear of it. */
static void a_summary_that_cannot_be_written_ends_the_batch(void **state)
{
    struct rig *rig = *state;
    char path[300];
    json_t *json;
    int fd;

    snprintf(path, sizeof(path), "%s/tmp", rig->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    rig->answer = RIG_REFUSE;
    json = side_ask(&rig->a, "run_batch", "{\"items\":[\"a\"],\"continue_on_error\":true}",
                    "reply", "c");
    json_decref(json);
    rig_until_deliveries(&rig->a, 1);
    rig_until_idle(&rig->a);
    assert_non_null(strstr(rig->a.fake->deliveries[0].text, "summary"));
    assert_string_equal(rig_sql(&rig->a, "SELECT state FROM jobs WHERE batch_index = 0"), "failed");
}

#define batch_test(name) SIDE_TEST(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        batch_test(a_cancelled_batch_orders_nothing_more),
        batch_test(the_first_failure_stops_all_at_once),
        batch_test(a_batch_keeps_its_name),
        batch_test(a_batch_that_waits_can_be_stopped),
        batch_test(a_summary_that_cannot_be_written_ends_the_batch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
