/*
 * test_tools_keys.c - the file in which a service's own tools keep their key, changed by the
 * account tool: off the loop, one change after the other, and whatever happens to who asked.
 */
#include "engine_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "mgk_rig-0123456789abcdef"
#define SET_KEY "{\"action\":\"set_key\",\"provider\":\"nexu\",\"key_env\":\"RIG_NEXU_KEY\"}"
#define REMOVE_KEY "{\"action\":\"remove_key\",\"provider\":\"nexu\"}"
#define SET_RATIO "{\"action\":\"set_default\",\"provider\":\"libtv\",\"aspect_ratio\":\"9:16\"}"

static int setup(void **state)
{
    struct rig *rig;

    if (rig_setup(state))
        return -1;
    rig = *state;
    rig_configure(rig, "{}");
    setenv("NEXU_HOME", rig->dir, 1);
    setenv("RIG_NEXU_KEY", KEY, 1);
    return 0;
}

static int teardown(void **state)
{
    unsetenv("NEXU_HOME");
    unsetenv("RIG_NEXU_KEY");
    return rig_teardown(state);
}

/* The file's members; NULL when there is none. */
static json_t *kept(const struct rig *rig)
{
    char path[400];

    snprintf(path, sizeof(path), "%s/libtv.json", rig->dir);
    return json_load_file(path, 0, NULL);
}

static void expect_kept(const struct rig *rig, const char *key, const char *ratio)
{
    json_t *json = kept(rig);

    assert_string_equal(text_at(json, "apiKey"), key);
    assert_string_equal(text_at(json, "videoRatio"), ratio);
    json_decref(json);
}

/* Two changes to one file, asked for in one turn: none on the loop's thread, and both are in it. */
static void changes_are_written_in_turn(void **state)
{
    struct rig *rig = *state;
    uint64_t key, ratio;

    side_open(&rig->a, "s");
    key = side_call(&rig->a, "account", SET_KEY, NULL, "c");
    ratio = side_call(&rig->a, "account", SET_RATIO, NULL, "c");
    assert_null(kept(rig)); /* neither is on disk before a worker has had its turn */
    assert_int_equal(side_end_of(&rig->a, key)->status, AHP_RESULT_OK);
    assert_int_equal(side_end_of(&rig->a, ratio)->status, AHP_RESULT_OK);
    expect_kept(rig, KEY, "9:16");
    key = side_call(&rig->a, "account", REMOVE_KEY, NULL, "c");
    expect_kept(rig, KEY, "9:16");
    assert_non_null(strstr(side_end_of(&rig->a, key)->json, "taken out"));
    expect_kept(rig, "", "9:16");
    key = side_call(&rig->a, "account", REMOVE_KEY, NULL, "c");
    assert_null(strstr(side_end_of(&rig->a, key)->json, "taken out"));
    side_end(&rig->a);
}

/* Who asked may be gone, and so may the instance: what was begun is written. */
static void what_was_begun_is_written(void **state)
{
    struct rig *rig = *state;
    uint64_t id;

    side_open(&rig->a, "s");
    id = side_call(&rig->a, "account", SET_KEY, NULL, "c");
    assert_int_equal(rig->a.inst->cancel(rig->a.inst->self, id), AHP_OK);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_CANCELLED);
    id = side_call(&rig->a, "account", SET_RATIO, NULL, "c");
    side_stop(&rig->a);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_SHUTDOWN);
    side_destroy(&rig->a);
    expect_kept(rig, KEY, "9:16");
    side_open(&rig->a, "s");
    (void)side_call(&rig->a, "account", REMOVE_KEY, NULL, "c");
    side_destroy(&rig->a);
    expect_kept(rig, "", "9:16");
}

static int32_t no_room(void *ctx, void *item, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    (void)ctx;
    (void)item;
    (void)fn;
    (void)done;
    return AHP_E_LIMIT;
}

/* A host whose workers have no room: the same on the loop, in a turn of its own. */
static void without_workers_as_well(void **state)
{
    struct rig *rig = *state;
    uint64_t key, ratio;

    side_open(&rig->a, "s");
    rig->a.fake->work.run = no_room;
    key = side_call(&rig->a, "account", SET_KEY, NULL, "c");
    ratio = side_call(&rig->a, "account", SET_RATIO, NULL, "c");
    assert_null(kept(rig));
    assert_int_equal(side_end_of(&rig->a, key)->status, AHP_RESULT_OK);
    assert_int_equal(side_end_of(&rig->a, ratio)->status, AHP_RESULT_OK);
    expect_kept(rig, KEY, "9:16");
    (void)side_call(&rig->a, "account", REMOVE_KEY, NULL, "c");
    (void)side_call(&rig->a, "account", REMOVE_KEY, NULL, "c");
    side_destroy(&rig->a);
    expect_kept(rig, "", "9:16");
}

static void a_folder_that_cannot_be_made(void **state)
{
    struct rig *rig = *state;
    char path[400];
    json_t *json;

    snprintf(path, sizeof(path), "%s/openclaw.json", rig->dir); /* a file */
    setenv("NEXU_HOME", path, 1);
    side_open(&rig->a, "s");
    json = side_ask(&rig->a, "account", SET_KEY, NULL, "c");
    assert_string_equal(text_at(json, "error.kind"), "io");
    assert_null(strstr(text_at(json, "error.text"), KEY));
    json_decref(json);
    side_end(&rig->a);
}

/* Every allocation failing in turn: each call ends once, and the file is whole or as it was. */
static void memory_may_run_out_anywhere(void **state)
{
    static const char *const calls[] = {SET_KEY, SET_RATIO, REMOVE_KEY};
    struct rig *rig = *state;

    side_open(&rig->a, "s");
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        int32_t status = AHP_RESULT_ERROR;
        int over = 0;

        for (long nth = 1; !over; nth++) {
            uint64_t id;

            over = side_call_starved(&rig->a, "account", calls[i], NULL, nth, 0, &id);
            if (id)
                status = side_end_of(&rig->a, id)->status;
        }
        assert_int_equal(status, AHP_RESULT_OK);
    }
    expect_kept(rig, "", "9:16");
    side_end(&rig->a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_are_written_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_begun_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(without_workers_as_well, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_made, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_may_run_out_anywhere, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
