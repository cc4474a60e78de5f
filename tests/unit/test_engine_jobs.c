/* test_engine_jobs.c - the life of jobs, from the order to the file, when things go wrong. */
#include "engine_rig.h"

#include <stdio.h>
#include <string.h>

static void order(struct rig *rig, const char *tool, const char *reply_to)
{
    char job[RIG_JOB_BYTES];

    side_job(&rig->a, tool, "{\"prompt\":\"a boat\"}", reply_to, "c", job);
}

static void state_is(struct rig *rig, const char *state)
{
    assert_string_equal(rig_sql(&rig->a, "SELECT state FROM jobs"), state);
}

static void picture_is_made_and_delivered(void **state)
{
    struct rig *rig = *state;

    order(rig, "generate_image", "to");
    assert_int_equal(side_unfinished(&rig->a), 1);
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].files_count, 1);
    assert_string_equal(rig->a.fake->deliveries[0].reply_to, "to");
    rig_until_idle(&rig->a);
    state_is(rig, "delivered");
    assert_int_equal(rig->spends, 1);
    assert_string_equal(rig->last_auth, "Bearer " RIG_KEY);
}

static void video_is_made_while_a_caller_waits(void **state)
{
    struct rig *rig = *state;
    json_t *json = side_ask(&rig->a, "generate_video", "{\"prompt\":\"a boat\"}", NULL, "c");

    assert_string_equal(text_at(json, "status"), "done");
    assert_int_equal(json_array_size(json_object_get(json, "files")), 1);
    json_decref(json);
    assert_int_equal(rig->spends, 1);
    assert_true(rig->a.fake->progress_count > 0);
    assert_int_equal(rig->a.fake->deliveries_count, 0);
}

static void several_pictures_all_come(void **state)
{
    struct rig *rig = *state;

    rig->pictures = 3;
    order(rig, "generate_image", "to");
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].files_count, 3);
    rig->answer = RIG_PICTURE_URL;
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"again\"}", "to", "c"));
    rig_until_deliveries(&rig->a, 2);
    assert_int_equal(rig->a.fake->deliveries[1].files_count, 3);
    assert_int_equal(rig->fetches, 3);
    rig->answer = RIG_PICTURE_MIXED;
    rig->pictures = 4;
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"mixed\"}", "to", "c"));
    rig_until_deliveries(&rig->a, 3);
    assert_int_equal(rig->a.fake->deliveries[2].files_count, 4);
}

static void lost_answer_is_unknown_and_not_sent_again(void **state)
{
    struct rig *rig = *state;

    rig->answer = RIG_DROP;
    order(rig, "generate_image", "to");
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].kind, AHP_DELIVERY_NOTICE);
    rig_until_idle(&rig->a);
    state_is(rig, "unknown");
    rig_pass(rig, 600000);
    assert_int_equal(rig->spends, 1);
}

static void retry_after_is_honoured(void **state)
{
    struct rig *rig = *state;

    rig->busy_left = 2;
    rig->retry_after = "37";
    order(rig, "generate_image", "to");
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->spends, 3);
    assert_true(rig->last_spend_ms - rig->first_spend_ms >= 74000);
    assert_true(rig->last_spend_ms - rig->first_spend_ms < 90000);
    rig_until_idle(&rig->a);
    state_is(rig, "delivered");
}

static void a_busy_provider_is_given_up(void **state)
{
    struct rig *rig = *state;

    rig->answer = RIG_BUSY;
    order(rig, "generate_image", "to");
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->spends, 5);
    rig_until_idle(&rig->a);
    state_is(rig, "failed");
}

static void polls_survive_faults(void **state)
{
    struct rig *rig = *state;

    rig->poll_faults = 12;
    rig->file_faults = 3;
    order(rig, "generate_video", "to");
    rig_until_deliveries(&rig->a, 1);
    rig_until_idle(&rig->a);
    state_is(rig, "delivered");
    assert_int_equal(rig->spends, 1);
    assert_int_equal(rig->fetches, 4);
}

/* Some time without the host of the results, which were paid for long before. */
static void a_result_survives_an_outage(void **state)
{
    struct rig *rig = *state;

    rig->file_faults = 1000;
    rig->retry_after = "2592000"; /* a month, as some say who mean "not now" */
    order(rig, "generate_video", "to");
    rig_pass(rig, 600000);
    assert_int_equal(rig->a.fake->deliveries_count, 0);
    assert_int_equal(rig->fetches, 1);
    rig->retry_after = NULL;
    rig_pass(rig, 900000);
    assert_non_null(strstr(rig_sql(&rig->a, "SELECT error_text FROM jobs"), "503"));
    rig->file_faults = 0;
    rig_until_deliveries(&rig->a, 1);
    rig_until_idle(&rig->a);
    state_is(rig, "delivered");
    assert_int_equal(rig->a.fake->deliveries[0].files_count, 1);
    assert_string_equal(rig_sql(&rig->a, "SELECT error_text FROM jobs"), "");
    assert_int_equal(rig->spends, 1);
}

/* But not for ever. */
static void an_outage_without_end_is_told(void **state)
{
    struct rig *rig = *state;

    rig->file_faults = 1000;
    order(rig, "generate_video", "to");
    rig_pass(rig, 700000);
    assert_int_equal(rig->a.fake->deliveries_count, 0);
    assert_true(rig->fetches > 8 && rig->fetches < 20);
    rig->a.fake->wall_ms += 13 * 3600000;
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].kind, AHP_DELIVERY_NOTICE);
    rig_until_idle(&rig->a);
    state_is(rig, "failed");
}

static int has_polled(void *ud)
{
    return ((struct rig *)ud)->polls >= 2;
}

/* A machine that slept past the job's time, and whose network comes up a little later than it does.
 */
static void a_long_sleep_expires_nothing_unasked(void **state)
{
    struct rig *rig = *state;

    rig->video_ms = 600000;
    order(rig, "generate_video", "to");
    assert_int_equal(rig_run(rig, has_polled, rig), 0);
    rig->a.fake->wall_ms += 8 * 3600000;
    rig->video_ms = 0;
    rig->poll_drops = 4;
    rig->poll_faults = 1;
    rig_until_deliveries(&rig->a, 1);
    rig_until_idle(&rig->a);
    state_is(rig, "delivered");
    assert_int_equal(rig->spends, 1);
}

static void a_job_without_end_expires(void **state)
{
    struct rig *rig = *state;

    rig->video_ms = INT64_MAX / 2;
    order(rig, "generate_video", "to");
    rig_until_deliveries(&rig->a, 1);
    rig_until_idle(&rig->a);
    state_is(rig, "expired");
    /* 30 minutes; a question each second would be 1800. */
    assert_true(rig->polls < 150);
}

static int polled(void *ud)
{
    return ((struct rig *)ud)->polls >= 1;
}

static void provider_removed_while_working_and_put_back(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    rig->video_ms = 120000;
    order(rig, "generate_video", "to");
    assert_int_equal(rig_run(rig, polled, rig), 0);
    rig_configure(rig, "{ }");
    rig_pass(rig, 240000);
    assert_int_equal(side_unfinished(&rig->a), 1);
    state_is(rig, "working");
    json = side_ask(&rig->a, "poll", "{}", NULL, "c");
    assert_non_null(strstr(text_at(json, "waits_for"), "sim"));
    json_decref(json);
    rig_configure_usual(rig, RIG_KEY);
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].kind, AHP_DELIVERY_RESULT);
    rig_until_idle(&rig->a);
    state_is(rig, "delivered");
    assert_string_equal(rig_sql(&rig->a, "SELECT error_text FROM jobs"), "");
    assert_int_equal(rig->spends, 1);
}

static int held(void *ud)
{
    return ((struct rig *)ud)->held != 0;
}

/* The answer was paid for and is here; that the provider's entry is not must not lose it. */
static void provider_removed_while_the_paid_answer_comes(void **state)
{
    struct rig *rig = *state;

    rig->answer = RIG_HOLD;
    order(rig, "generate_image", "to");
    assert_int_equal(rig_run(rig, held, rig), 0);
    rig_configure(rig, "{ }");
    rig_release(rig);
    rig_pass(rig, 100000);
    rig_configure_usual(rig, RIG_KEY);
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].kind, AHP_DELIVERY_RESULT);
    assert_int_equal(rig->spends, 1);
}

/* At any moment of a job, in this process and the next. */
static void provider_removed_at_any_turn(void **state)
{
    struct rig *rig = *state;
    char prompt[64];

    rig->answer = RIG_PICTURE_URL;
    rig->video_ms = 9000;
    for (unsigned turns = 0; turns < 40; turns++) {
        int video = turns % 2;
        uint32_t before = rig->a.fake->deliveries_count;
        const struct fake_delivery *last;

        rig->spends = 0;
        snprintf(prompt, sizeof(prompt), "{\"prompt\":\"boat %u\"}", turns);
        (void)side_call(&rig->a, video ? "generate_video" : "generate_image", prompt, "to", "c");
        if (video)
            rig_until_spends(rig, 1);
        rig_spin(rig, turns);
        rig_configure(rig, "{ other: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'x' } }");
        rig_spin(rig, 10);
        rig_pass(rig, 200000);
        rig_configure_usual(rig, RIG_KEY);
        rig_until_deliveries(&rig->a, before + 1);
        rig_until_idle(&rig->a);
        last = &rig->a.fake->deliveries[rig->a.fake->deliveries_count - 1];
        if (rig->spends)
            assert_int_equal(last->kind, AHP_DELIVERY_RESULT);
        assert_true(rig->spends <= 1);
    }
}

static void a_new_key_goes_on(void **state)
{
    struct rig *rig = *state;

    order(rig, "generate_video", "to");
    assert_int_equal(rig_run(rig, polled, rig), 0);
    rig_configure_usual(rig, "sk-another-key-0123456789");
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].kind, AHP_DELIVERY_RESULT);
    assert_string_equal(rig->last_auth, "Bearer sk-another-key-0123456789");
}

static void another_base_url_waits(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    order(rig, "generate_video", "to");
    assert_int_equal(rig_run(rig, polled, rig), 0);
    rig_configure(rig, "{ sim: { baseUrl: 'http://127.0.0.1:9/v1', apiKey: '" RIG_KEY "' } }");
    rig_pass(rig, 120000);
    state_is(rig, "working");
    json = side_ask(&rig->a, "poll", "{}", NULL, "c");
    assert_non_null(strstr(text_at(json, "waits_for"), "baseUrl"));
    json_decref(json);
    rig_configure_usual(rig, RIG_KEY);
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].kind, AHP_DELIVERY_RESULT);
}

/* Between the record that announces a request and the request the configuration is read anew. */
static void configuration_changes_at_any_turn(void **state)
{
    struct rig *rig = *state;
    char prompt[64];

    for (unsigned turns = 0; turns < 30; turns++) {
        uint32_t before = rig->a.fake->deliveries_count;

        snprintf(prompt, sizeof(prompt), "{\"prompt\":\"boat %u\"}", turns);
        (void)side_call(&rig->a, "generate_video", prompt, "to", "c");
        for (unsigned i = 0; i < turns; i++) {
            rig_spin(rig, 1);
            rig_configure_usual(rig, i % 2 ? RIG_KEY : "sk-another-key-0123456789");
        }
        rig_until_deliveries(&rig->a, before + 1);
        assert_int_equal(rig->a.fake->deliveries[before].kind, AHP_DELIVERY_RESULT);
    }
}

/* Asked to end before the request has left: nothing is paid. */
static void cancel_at_any_turn(void **state)
{
    struct rig *rig = *state;
    unsigned unpaid = 0;
    char text[100];

    rig->a.fake->receipt = FAKE_RECEIPT_NONE;
    for (unsigned turns = 0; turns < 24; turns++) {
        uint64_t made;
        uint64_t id;
        int sent;
        json_t *json;
        const struct fake_end *end;

        rig->spends = 0;
        snprintf(text, sizeof(text), "{\"prompt\":\"boat %u\"}", turns);
        made = side_call(&rig->a, "generate_video", text, "to", "c");
        rig_spin(rig, turns);
        id = side_call(&rig->a, "poll", "{\"action\":\"cancel\"}", NULL, "c");
        end = side_end_of(&rig->a, id);
        (void)side_end_of(&rig->a, made);
        sent = rig->spends > 0;
        json = json_loads(end->json, 0, NULL);
        if (strcmp(text_at(json, "status"), "error") != 0) {
            rig_until_idle(&rig->a);
            assert_string_equal(
                rig_sql(&rig->a, "SELECT state FROM jobs ORDER BY number DESC LIMIT 1"),
                "cancelled");
            if (!sent)
                assert_int_equal(rig->spends, 0);
            unpaid += !rig->spends;
        }
        json_decref(json);
    }
    (void)unpaid;
}

/* The ledger cannot be written for a while: everything waits, then goes on where it was. */
static void a_ledger_that_fails_is_waited_for(void **state)
{
    struct rig *rig = *state;

    rig->video_ms = 100000;
    for (unsigned turns = 4; turns < 40; turns += 11) {
        uint32_t before = rig->a.fake->deliveries_count;
        char prompt[64];

        rig->spends = 0;
        snprintf(prompt, sizeof(prompt), "{\"prompt\":\"boat %u\"}", turns);
        json_decref(side_ask(&rig->a, "generate_video", prompt, "to", "c"));
        rig_spin(rig, turns);
        rig_lock(&rig->a);
        rig_pass(rig, 25000); /* past the ledger's patience */
        rig_unlock(&rig->a);
        rig_until_deliveries(&rig->a, before + 1);
        assert_int_equal(rig->a.fake->deliveries[before].kind, AHP_DELIVERY_RESULT);
        rig_until_idle(&rig->a);
        assert_int_equal(rig->spends, 1);
    }
}

static void a_slow_ledger_stalls_nothing(void **state)
{
    struct rig *rig = *state;

    rig->video_ms = 60000;
    order(rig, "generate_video", "to");
    for (int i = 0; i < 12; i++) {
        rig_lock(&rig->a);
        rig_pass(rig, 9000);
        rig_unlock(&rig->a);
        rig_pass(rig, 300);
    }
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->deliveries[0].kind, AHP_DELIVERY_RESULT);
    assert_int_equal(rig->spends, 1);
}

/* Another process has taken the job: it ends here without a word and without another request. */
static void a_lost_lease_drops_the_job(void **state)
{
    struct rig *rig = *state;
    unsigned polls;

    rig->video_ms = INT64_MAX / 2;
    order(rig, "generate_video", "to");
    assert_int_equal(rig_run(rig, polled, rig), 0);
    side_open(&rig->b, "s");
    rig_pass(rig, 500);
    rig_exec(&rig->a, "UPDATE jobs SET owner = (SELECT id FROM owners WHERE id <> jobs.owner)");
    rig_pass(rig, 20000);
    polls = rig->polls;
    assert_true(side_logged(&rig->a, "another process's now"));
    rig_pass(rig, 20000);
    assert_int_equal(rig->polls, polls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIDE_TEST(picture_is_made_and_delivered),
        SIDE_TEST(video_is_made_while_a_caller_waits),
        SIDE_TEST(several_pictures_all_come),
        SIDE_TEST(lost_answer_is_unknown_and_not_sent_again),
        SIDE_TEST(retry_after_is_honoured),
        SIDE_TEST(a_busy_provider_is_given_up),
        SIDE_TEST(polls_survive_faults),
        SIDE_TEST(a_result_survives_an_outage),
        SIDE_TEST(an_outage_without_end_is_told),
        SIDE_TEST(a_long_sleep_expires_nothing_unasked),
        SIDE_TEST(a_job_without_end_expires),
        SIDE_TEST(provider_removed_while_working_and_put_back),
        SIDE_TEST(provider_removed_while_the_paid_answer_comes),
        SIDE_TEST(provider_removed_at_any_turn),
        SIDE_TEST(a_new_key_goes_on),
        SIDE_TEST(another_base_url_waits),
        SIDE_TEST(configuration_changes_at_any_turn),
        SIDE_TEST(cancel_at_any_turn),
        SIDE_TEST(a_ledger_that_fails_is_waited_for),
        SIDE_TEST(a_slow_ledger_stalls_nothing),
        SIDE_TEST(a_lost_lease_drops_the_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
