/* test_engine_jobs.c - the life of jobs, from the order to the delivered file. */
#include "engine_rig.h"

#include <string.h>

static void picture_is_made_and_delivered(void **state)
{
    struct rig rig;
    json_t *json;

    (void)state;
    rig_open(&rig);
    rig.a.rig = &rig;
    side_open(&rig.a, "s");
    rig.a.fake->receipt = AHP_RECEIPT_DELIVERED;
    json = side_ask(&rig.a, "generate_image", "{\"prompt\":\"a boat\"}", "to", "c");
    assert_string_equal(text_at(json, "status"), "submitted");
    json_decref(json);
    rig_until_deliveries(&rig.a, 1);
    assert_int_equal(rig.a.fake->deliveries[0].files_count, 1);
    rig_until_idle(&rig.a);
    assert_string_equal(rig_sql(&rig.a, "SELECT state FROM jobs"), "delivered");
    assert_int_equal(rig.spends, 1);
    side_end(&rig.a);
    rig_close(&rig);
}

static void video_is_made_while_a_caller_waits(void **state)
{
    struct rig rig;
    json_t *json;

    (void)state;
    rig_open(&rig);
    side_open(&rig.a, "s");
    json = side_ask(&rig.a, "generate_video", "{\"prompt\":\"a boat\"}", NULL, "c");
    assert_string_equal(text_at(json, "status"), "done");
    assert_int_equal(json_array_size(json_object_get(json, "files")), 1);
    json_decref(json);
    assert_int_equal(rig.spends, 1);
    side_end(&rig.a);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picture_is_made_and_delivered),
        cmocka_unit_test(video_is_made_while_a_caller_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
