/*
 * test_tools_confirm_limits.c - limits of a day and of a conversation: what counts, what no limit
 * can count, and that nobody is asked for what cannot be.
 */
#include "confirm_rig.h"

#include <stdio.h>
#include <string.h>

/* Ends as an error of that field; nothing was sent. */
static void check_over(struct rig *rig, const char *args, const char *conversation,
                       const char *field, const char *sum)
{
    unsigned spends = rig->spends;
    json_t *json = side_ask(&rig->a, "generate_image", args, NULL, conversation);

    if (strcmp(text_at(json, "error.kind"), "budget") != 0 ||
        strcmp(text_at(json, "error.field"), field) != 0 || !strstr(text_at(json, "message"), sum))
        fail_msg("%s: %s", args, rig->a.fake->ends[rig->a.fake->ends_count - 1].json);
    assert_int_equal(rig->spends, spends);
    json_decref(json);
}

static void check_done(struct rig *rig, const char *args, const char *conversation)
{
    json_t *json = side_ask(&rig->a, "generate_image", args, NULL, conversation);

    assert_string_equal(text_at(json, "status"), "done");
    json_decref(json);
}

static void limits_hold(void **state)
{
    struct rig *rig =
        confirm_begin(state, "limits: { day: 1, conversation: 0.5, currency: 'USD' }");

    check_done(rig, "{\"prompt\":\"1\",\"model\":\"cheap\"}", "c");
    check_done(rig, "{\"prompt\":\"2\",\"model\":\"cheap\"}", "c");
    check_over(rig, "{\"prompt\":\"3\",\"model\":\"cheap\"}", "c", "conversation",
               "0.5 + 0.25 > 0.5 USD");
    /* A repeat of what was paid is no spending. */
    check_done(rig, "{\"prompt\":\"2\",\"model\":\"cheap\"}", "c");
    check_done(rig, "{\"prompt\":\"3\",\"model\":\"cheap\"}", "d");
    check_over(rig, "{\"prompt\":\"4\",\"model\":\"dear\"}", "e", "day", "0.75 + 3 > 1 USD");
    check_done(rig, "{\"prompt\":\"5\",\"model\":\"cheap\"}", "e");
    check_over(rig, "{\"prompt\":\"6\",\"model\":\"cheap\"}", "f", "day", "1 + 0.25 > 1 USD");
    assert_int_equal(rig->spends, 4);
    /* What failed has cost nothing; what it really took goes before the estimate. */
    rig_exec(&rig->a, "UPDATE jobs SET state = 'failed' WHERE number = 1");
    rig_exec(&rig->a, "UPDATE jobs SET cost = 0.75 WHERE number = 2");
    check_over(rig, "{\"prompt\":\"7\",\"model\":\"cheap\"}", "f", "day", "1.25 + 0.25 > 1 USD");
    rig_exec(&rig->a, "UPDATE jobs SET cost = 0.01 WHERE number = 2");
    check_done(rig, "{\"prompt\":\"7\",\"model\":\"cheap\"}", "f");
    /* A day later the day's limit is whole again, the conversation's is not. */
    rig_exec(&rig->a, "UPDATE jobs SET created_ms = created_ms - 86400001");
    check_done(rig, "{\"prompt\":\"8\",\"model\":\"cheap\"}", "f");
    check_over(rig, "{\"prompt\":\"9\",\"model\":\"cheap\"}", "f", "conversation", "USD");
}

static void what_no_limit_can_count_needs_a_yes(void **state)
{
    struct rig *rig = confirm_begin(state, "limits: { day: 1, currency: 'USD' }");
    char token[64];

    confirm_token(rig, "generate_image", "{\"prompt\":\"1\",\"model\":\"yuan\"}", token);
    confirm_token(rig, "generate_image", "{\"prompt\":\"1\"}", token);
    check_done(rig, confirm_with("{\"prompt\":\"1\"}", token), "c");
    for (int i = 0; i < 4; i++) {
        char args[100];

        snprintf(args, sizeof(args), "{\"prompt\":\"x%d\",\"model\":\"cheap\"}", i);
        check_done(rig, args, "c");
    }
    /* And nothing at all when the limit is reached: nobody is asked for what cannot be. */
    check_over(rig, "{\"prompt\":\"2\"}", "c", "day", "1 >= 1 USD");
}

static void nobody_is_asked_past_a_limit(void **state)
{
    struct rig *rig = *state;
    char token[64];
    uint64_t id;

    rig->a.fake->has_approval = 1;
    confirm_begin(state, "confirm: 'always', limits: { day: 1, currency: 'USD' }");
    check_over(rig, "{\"prompt\":\"1\",\"model\":\"dear\"}", "c", "day", "0 + 3 > 1 USD");
    assert_int_equal(rig->a.fake->questions_count, 0);
    id = confirm_question(rig, BOAT, 1);
    fake_host_answer(rig->a.fake, 0, AHP_APPROVAL_ALLOWED);
    side_end_of(&rig->a, id);
    rig_until_deliveries(&rig->a, 1);
    /* What is spent between the question and the yes counts as well. */
    side_destroy(&rig->a);
    side_open(&rig->a, "s");
    confirm_token(rig, "generate_image", "{\"prompt\":\"2\",\"model\":\"cheap\"}", token);
    rig_exec(&rig->a, "UPDATE jobs SET cost = 0.9");
    check_over(rig, confirm_with("{\"prompt\":\"2\",\"model\":\"cheap\"}", token), "c", "day",
               "0.9 + 0.25 > 1 USD");
}

static void several_at_once_stay_below_the_limit(void **state)
{
    struct rig *rig = confirm_begin(state, "limits: { day: 1, currency: 'USD' }");
    unsigned refused = 0;
    uint64_t ids[12];

    for (int i = 0; i < 12; i++) {
        char args[100];

        snprintf(args, sizeof(args), "{\"prompt\":\"%d\",\"model\":\"cheap\"}", i);
        ids[i] = side_call(&rig->a, "generate_image", args, NULL, "c");
    }
    for (int i = 0; i < 12; i++)
        refused += side_end_of(&rig->a, ids[i])->status == AHP_RESULT_ERROR;
    assert_int_equal(refused, 8);
    assert_int_equal(rig->spends, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIRM_TEST(limits_hold),
        CONFIRM_TEST(what_no_limit_can_count_needs_a_yes),
        CONFIRM_TEST(nobody_is_asked_past_a_limit),
        CONFIRM_TEST(several_at_once_stay_below_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
