/*
 * test_tools_fetch.c - fetch_media inside the whole plugin: whatever becomes of an order, no half
 * of a file stays behind in the folder of results.
 */
#include "engine_rig.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The folder of pictures. */
#define RESULTS "out/images"

static int setup(void **state)
{
    char path[300];

    if (rig_setup(state))
        return -1;
    snprintf(path, sizeof(path), "%s/out", ((struct rig *)*state)->dir);
    setenv("MEDIA_GENERATION_OUTPUT_ROOT", path, 1);
    return 0;
}

static int teardown(void **state)
{
    unsetenv("MEDIA_GENERATION_OUTPUT_ROOT");
    return rig_teardown(state);
}

/* The files in the folder of pictures that end like this. */
static unsigned files_of(const struct rig *rig, const char *suffix)
{
    char path[400];
    const struct dirent *entry;
    unsigned count = 0;
    DIR *list;

    snprintf(path, sizeof(path), "%s/" RESULTS, rig->dir);
    list = opendir(path);
    while (list && (entry = readdir(list))) {
        size_t len = strlen(entry->d_name);

        count += len > strlen(suffix) && strcmp(entry->d_name + len - strlen(suffix), suffix) == 0;
    }
    if (list)
        closedir(list);
    return count;
}

/* An answer with a picture in base64 long enough to become a file, and a `signature`. */
static char *with_picture(const struct rig *rig, const char *signature)
{
    size_t size = strlen(rig->png_base64) + strlen(signature) + 200;
    char *args = malloc(size);

    assert_non_null(args);
    assert_true(strlen(rig->png_base64) >= 4096);
    snprintf(args, size,
             "{\"source\":\"{\\\"data\\\":[{\\\"b64_json\\\":\\\"%s\\\"}],"
             "\\\"signature\\\":\\\"%s\\\"}\"}",
             rig->png_base64, signature);
    return args;
}

static void check_one_picture(struct rig *rig, const char *signature)
{
    char *args = with_picture(rig, signature);
    json_t *json;

    side_open(&rig->a, "s");
    json = side_ask(&rig->a, "fetch_media", args, NULL, "c");
    assert_string_equal(text_at(json, "status"), "done");
    assert_int_equal(files_of(rig, ".png"), 1);
    assert_int_equal(files_of(rig, ".part"), 0);
    json_decref(json);
    free(args);
}

static void a_picture_becomes_a_file(void **state)
{
    check_one_picture(*state, "");
}

/* What only looks like a file is taken out of the text as well, and is nobody's result. */
static void what_is_no_result_goes(void **state)
{
    char noise[6001];

    memset(noise, 'A', 6000);
    noise[6000] = '\0';
    check_one_picture(*state, noise);
}

/* The ledger takes no job; who asked may have left before it says so. */
static void a_refused_order_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    char *args = with_picture(rig, "");
    json_t *json;
    uint64_t id;

    side_open(&rig->a, "s");
    rig_exec(&rig->a, "CREATE TRIGGER no BEFORE INSERT ON jobs BEGIN "
                      "SELECT RAISE(ABORT, 'no room'); END");
    json = side_ask(&rig->a, "fetch_media", args, NULL, "c");
    assert_string_equal(text_at(json, "status"), "error");
    assert_int_equal(files_of(rig, ".part"), 0);
    json_decref(json);
    rig_lock(&rig->a); /* so that the order is still under way when its call ends */
    id = side_call(&rig->a, "fetch_media", args, NULL, "c");
    for (int turns = 0; turns < 1000 && !files_of(rig, ".part"); turns++)
        rig_spin(rig, 1);
    rig_spin(rig, 5);
    assert_int_equal(files_of(rig, ".part"), 1);
    assert_int_equal(rig->a.inst->cancel(rig->a.inst->self, id), AHP_OK);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_CANCELLED);
    rig_unlock(&rig->a);
    rig_pass(rig, 10000);
    assert_int_equal(files_of(rig, ".part"), 0);
    side_end(&rig->a);
    free(args);
}

/* Every allocation failing in turn: the call ends once, and no half of a file stays. */
static void memory_may_run_out_anywhere(void **state)
{
    struct rig *rig = *state;
    int32_t status = AHP_RESULT_ERROR;
    int over = 0;
    long nth;

    side_open(&rig->a, "s");
    for (nth = 1; !over; nth++) {
        char own[32];
        char *args;
        uint64_t id;

        snprintf(own, sizeof(own), "%ld", nth); /* an order of its own */
        args = with_picture(rig, own);
        over = side_call_starved(&rig->a, "fetch_media", args, NULL, nth, 20, &id);
        free(args);
        if (!id)
            continue;
        status = side_end_of(&rig->a, id)->status;
        rig_until_idle(&rig->a);
        if (files_of(rig, ".part"))
            fail_msg("a half of a file stayed after allocation %ld failed", nth);
    }
    assert_int_equal(status, AHP_RESULT_OK);
    assert_true(nth > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_picture_becomes_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_result_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_order_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_may_run_out_anywhere, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
