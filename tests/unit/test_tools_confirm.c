/*
 * test_tools_confirm.c - money is spent after a yes: the same call with the token of its first
 * answer, and nothing else; and when a yes is needed.
 */
#include "confirm_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void the_same_call_with_the_token_runs_once(void **state)
{
    struct rig *rig = confirm_begin(state, "confirm: 'always'");
    char token[64];
    char first[40];
    char second[40];
    json_t *json;

    json = side_ask(&rig->a, "generate_image", BOAT, "to", "c");
    assert_string_equal(text_at(json, "status"), "needs_confirmation");
    assert_string_equal(text_at(json, "model"), "cheap");
    assert_string_equal(text_at(json, "cost_estimate.currency"), "USD");
    assert_non_null(strstr(text_at(json, "message"), "for about 0.25 USD"));
    assert_non_null(strstr(text_at(json, "message"), "Shall I go on?"));
    snprintf(token, sizeof(token), "%s", text_at(json, "confirm"));
    json_decref(json);
    rig_pass(rig, 1000);
    assert_int_equal(rig->spends, 0);
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");

    side_job(&rig->a, "generate_image", confirm_with(BOAT, token), "to", "c", first);
    rig_until_deliveries(&rig->a, 1);
    /* Long after our own window for repeats: the token still means the one job. */
    rig_pass(rig, 5 * MINUTE_MS);
    side_job(&rig->a, "generate_image", confirm_with(BOAT, token), "to", "c", second);
    assert_string_equal(first, second);
    assert_int_equal(rig->spends, 1);
    /* In another order, with another bound on waiting: the same request. */
    json = side_ask(
        &rig->a, "generate_image",
        confirm_with("{\"model\":\"cheap\",\"wait_seconds\":0,\"prompt\":\"a boat\"}", token), "to",
        "c");
    assert_string_equal(text_at(json, "job"), first);
    json_decref(json);
    assert_int_equal(rig->spends, 1);
}

static void anything_else_does_not_run(void **state)
{
    struct rig *rig = confirm_begin(state, "confirm: 'always'");
    char token[64];
    char changed[72];

    confirm_token(rig, "generate_image", BOAT, token);
    confirm_refused(rig, "generate_image",
                    confirm_with("{\"prompt\":\"a boat!\",\"model\":\"cheap\"}", token), "c");
    confirm_refused(rig, "generate_image",
                    confirm_with("{\"prompt\":\"a boat\",\"model\":\"dear\"}", token), "c");
    confirm_refused(rig, "generate_image", confirm_with("{\"prompt\":\"a boat\"}", token), "c");
    confirm_refused(rig, "generate_image",
                    confirm_with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"count\":2}", token),
                    "c");
    confirm_refused(
        rig, "generate_image",
        confirm_with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", token), "c");
    confirm_refused(rig, "generate_image", confirm_with(BOAT, token), "other");
    confirm_refused(rig, "generate_image", confirm_with(BOAT, token), NULL);
    confirm_refused(rig, "generate_video", confirm_with(BOAT, token), "c");
    for (size_t i = 0; token[i]; i++) {
        memcpy(changed, token, sizeof(token));
        changed[i] = changed[i] == '7' ? '8' : '7';
        confirm_refused(rig, "generate_image", confirm_with(BOAT, changed), "c");
    }
    snprintf(changed, sizeof(changed), "%s7", token);
    confirm_refused(rig, "generate_image", confirm_with(BOAT, changed), "c");
    token[strlen(token) - 1] = '\0';
    confirm_refused(rig, "generate_image", confirm_with(BOAT, token), "c");
    confirm_refused(rig, "generate_image", confirm_with(BOAT, "yes"), "c");
    assert_int_equal(rig->spends, 0);
}

static void a_token_ends_after_fifteen_minutes(void **state)
{
    struct rig *rig = confirm_begin(state, "confirm: 'always'");
    char token[64];
    char job[40];

    confirm_token(rig, "generate_image", BOAT, token);
    rig_pass(rig, 13 * MINUTE_MS);
    side_job(&rig->a, "generate_image", confirm_with(BOAT, token), "to", "c", job);
    rig_until_spends(rig, 1);
    confirm_token(rig, "generate_image", "{\"prompt\":\"b\",\"model\":\"cheap\"}", token);
    rig_pass(rig, 15 * MINUTE_MS + 1000);
    confirm_refused(rig, "generate_image",
                    confirm_with("{\"prompt\":\"b\",\"model\":\"cheap\"}", token), "c");
}

static void another_price_needs_another_yes(void **state)
{
    struct rig *rig = confirm_begin(state, "confirm: 'always'");
    char token[64];

    confirm_token(rig, "generate_image", BOAT, token);
    confirm_configure(rig, "confirm: 'always', default_provider: 'sim'");
    confirm_move(rig, "cheap: { each: 25, currency: 'USD' }");
    confirm_refused(rig, "generate_image", confirm_with(BOAT, token), "c");
}

static void the_token_survives_a_restart(void **state)
{
    struct rig *rig = confirm_begin(state, "confirm: 'always'");
    struct stat status;
    char path[400];
    char token[64];
    char first[40];
    char second[40];

    confirm_token(rig, "generate_image", BOAT, token);
    snprintf(path, sizeof(path), "%s/confirm.key", rig->a.state);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(status.st_size, 32);
    side_destroy(&rig->a); /* no stop: as a crash */
    side_open(&rig->a, "s");
    side_job(&rig->a, "generate_image", confirm_with(BOAT, token), "to", "c", first);
    rig_until_spends(rig, 1);
    side_destroy(&rig->a);
    side_open(&rig->a, "s");
    side_job(&rig->a, "generate_image", confirm_with(BOAT, token), "to", "c", second);
    assert_string_equal(first, second);
    rig_until_idle(&rig->a);
    assert_int_equal(rig->spends, 1);
    /* A key that others could read, or half a key, is made anew: old tokens end. */
    confirm_token(rig, "generate_image", "{\"prompt\":\"b\",\"model\":\"cheap\"}", token);
    side_destroy(&rig->a);
    assert_int_equal(truncate(path, 7), 0);
    side_open(&rig->a, "s");
    confirm_refused(rig, "generate_image",
                    confirm_with("{\"prompt\":\"b\",\"model\":\"cheap\"}", token), "c");
    side_destroy(&rig->a);
    assert_int_equal(chmod(path, 0644), 0);
    side_open(&rig->a, "s");
    confirm_token(rig, "generate_image", BOAT, token);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void asked_twice_at_once_is_one_purchase(void **state)
{
    struct rig *rig = confirm_begin(state, "confirm: 'always'");
    char one[64];
    char other[64];
    char first[40];
    char second[40];

    rig_pass(rig, MINUTE_MS - rig->a.fake->wall_ms % MINUTE_MS + 1);
    confirm_token(rig, "generate_image", BOAT, one);
    confirm_token(rig, "generate_image", BOAT, other);
    assert_string_equal(one, other);
    /* Once more is a wish of its own, and so is the next once more. */
    confirm_token(rig, "generate_image",
                  "{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", one);
    confirm_token(rig, "generate_image",
                  "{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", other);
    assert_string_not_equal(one, other);
    side_job(&rig->a, "generate_image",
             confirm_with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", one), "to",
             "c", first);
    side_job(&rig->a, "generate_image",
             confirm_with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", one), "to",
             "c", second);
    assert_string_equal(first, second);
    side_job(&rig->a, "generate_image",
             confirm_with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", other),
             "to", "c", second);
    assert_string_not_equal(first, second);
    rig_until_spends(rig, 2);
}

static void the_setting_says_when(void **state)
{
    static const struct {
        const char *settings;
        const char *model;
        int asks;
    } rows[] = {
        {"confirm: 'never'", "dear", 0},
        {"default_provider: 'sim'", "dear", 0},
        {"confirm: 'always'", "cheap", 1},
        {"confirm: 2.5", "cheap", 0},
        {"confirm: 0.25", "cheap", 0}, /* above it, not from it on */
        {"confirm: 2.5", "dear", 1},
        {"confirm: 2.5", "yuan", 0}, /* whatever it is in */
        {"confirm: 2.5", "unpriced", 1},
        {"confirm: { above: 2.5, currency: 'USD' }", "cheap", 0},
        {"confirm: { above: 2.5, currency: 'USD' }", "dear", 1},
        {"confirm: { above: 2.5, currency: 'USD' }", "yuan", 1},
        {"confirm: { above: 2.5, currency: 'USD' }", "unpriced", 1},
        {"confirm: { above: 2.5 }", "yuan", 0},
    };
    struct rig *rig = confirm_begin(state, "confirm: 'always'");

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char args[200];
        json_t *json;

        confirm_configure(rig, rows[i].settings);
        snprintf(args, sizeof(args), "{\"prompt\":\"%zu\",\"model\":\"%s\",\"dry_run\":true}", i,
                 rows[i].model);
        json = side_ask(&rig->a, "generate_image", args, "to", "c");
        assert_string_equal(text_at(json, "status"), "plan");
        if (json_is_true(json_object_get(json, "needs_confirmation")) != rows[i].asks)
            fail_msg("%s, %s: dry_run", rows[i].settings, rows[i].model);
        json_decref(json);
        snprintf(args, sizeof(args), "{\"prompt\":\"%zu\",\"model\":\"%s\"}", i, rows[i].model);
        json = side_ask(&rig->a, "generate_image", args, "to", "c");
        if ((strcmp(text_at(json, "status"), "needs_confirmation") == 0) != rows[i].asks)
            fail_msg("%s, %s: %s", rows[i].settings, rows[i].model, text_at(json, "status"));
        json_decref(json);
    }
}

static void a_wrong_setting_is_told(void **state)
{
    static const struct {
        const char *settings;
        const char *text;
    } rows[] = {
        {"confirm: 'alwyas'", "none of never/always"},
        {"confirm: true", "must be of type string, number or object"},
        {"confirm: -1", "at least 0"},
        {"confirm: {}", "lacks \"above\""},
        {"confirm: { above: '2' }", "must be of type number"},
        {"confirm: { above: 2, curency: 'USD' }", "did you mean \"currency\""},
        {"limits: { day: 2 }", "lacks \"currency\""},
    };
    struct rig *rig = confirm_begin(state, "confirm: 'always'");

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        json_t *json;

        confirm_configure(rig, rows[i].settings);
        json = side_ask(&rig->a, "account", "{}", NULL, NULL);
        if (!side_logged(&rig->a, rows[i].text) && !strstr(text_at(json, "message"), rows[i].text))
            fail_msg("%s: %s", rows[i].settings,
                     rig->a.fake->ends[rig->a.fake->ends_count - 1].json);
        json_decref(json);
    }
}

static void a_dry_run_needs_no_yes_but_says_so(void **state)
{
    struct rig *rig = confirm_begin(state, "confirm: 'always'");
    char token[64];
    char job[40];
    json_t *json =
        side_ask(&rig->a, "generate_image",
                 "{\"prompt\":\"a boat\",\"model\":\"cheap\",\"dry_run\":true}", "to", "c");

    assert_string_equal(text_at(json, "status"), "plan");
    assert_true(json_is_true(json_object_get(json, "needs_confirmation")));
    snprintf(token, sizeof(token), "%s", text_at(json, "confirm"));
    json_decref(json);
    /* Who has seen the plan need not see it again. */
    side_job(&rig->a, "generate_image", confirm_with(BOAT, token), "to", "c", job);
    rig_until_spends(rig, 1);
}

static void sending_again_needs_a_yes(void **state)
{
    struct rig *rig = confirm_begin(state, "confirm: 'never'");
    char args[200];
    char token[64];
    char job[40];
    char again[40];
    char third[40];

    rig->answer = RIG_DROP;
    side_job(&rig->a, "generate_image", BOAT, "to", "c", job);
    rig_until_deliveries(&rig->a, 1);
    rig->answer = RIG_PICTURE_BASE64;
    confirm_configure(rig, "confirm: 'always'");
    snprintf(args, sizeof(args), "{\"job\":\"%s\",\"action\":\"resubmit\"}", job);
    confirm_token(rig, "poll", args, token);
    confirm_refused(rig, "generate_image", confirm_with(BOAT, token), "c");
    side_job(&rig->a, "poll", confirm_with(args, token), "to", "c", again);
    assert_string_not_equal(job, again);
    rig_until_spends(rig, 2);
    side_job(&rig->a, "poll", confirm_with(args, token), "to", "c", third);
    assert_string_equal(again, third);
    rig_until_idle(&rig->a);
    assert_int_equal(rig->spends, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIRM_TEST(the_same_call_with_the_token_runs_once),
        CONFIRM_TEST(anything_else_does_not_run),
        CONFIRM_TEST(a_token_ends_after_fifteen_minutes),
        CONFIRM_TEST(another_price_needs_another_yes),
        CONFIRM_TEST(the_token_survives_a_restart),
        CONFIRM_TEST(asked_twice_at_once_is_one_purchase),
        CONFIRM_TEST(the_setting_says_when),
        CONFIRM_TEST(a_wrong_setting_is_told),
        CONFIRM_TEST(a_dry_run_needs_no_yes_but_says_so),
        CONFIRM_TEST(sending_again_needs_a_yes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
