/* test_engine_deliver.c - one message a job: every receipt, at every moment. */
#include "engine_rig.h"

#include <stdio.h>
#include <string.h>

/* Receipts come when a test sends them. */
static int setup(void **state)
{
    if (rig_setup_side(state))
        return -1;
    ((struct rig *)*state)->a.fake->receipt = FAKE_RECEIPT_NONE;
    return 0;
}

static char key[300];

/* A picture that is offered; its delivery's key is in `key`. */
static void offered(struct rig *rig)
{
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"a boat\"}", "to", "c"));
    rig_until_deliveries(&rig->a, 1);
    snprintf(key, sizeof(key), "%s", rig->a.fake->deliveries[0].key);
    assert_int_equal(strncmp(key, "clawmedia:job_", 14), 0);
}

static void states_are(struct rig *rig, const char *job, const char *delivery)
{
    rig_pass(rig, 100);
    assert_string_equal(rig_sql(&rig->a, "SELECT state FROM jobs"), job);
    assert_string_equal(rig_sql(&rig->a, "SELECT state FROM deliveries ORDER BY key DESC LIMIT 1"),
                        delivery);
}

static const char *redeliver(struct rig *rig)
{
    static char text[300];
    json_t *json = side_ask(&rig->a, "poll", "{\"action\":\"redeliver\"}", NULL, "c");

    snprintf(text, sizeof(text), "%s", text_at(json, "error.text"));
    json_decref(json);
    return text;
}

static void delivered_is_the_end(void **state)
{
    struct rig *rig = *state;

    offered(rig);
    assert_int_equal(side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0), AHP_OK);
    states_are(rig, "delivered", "done");
    rig_until_idle(&rig->a);
    /* Repeats change nothing. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0), AHP_OK);
    rig_pass(rig, 5000);
    assert_int_equal(side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0), AHP_OK);
    rig_pass(rig, 5000);
    states_are(rig, "delivered", "done");
    assert_string_equal(rig_sql(&rig->a, "SELECT owner FROM jobs"), "");
    assert_int_equal(rig->a.fake->deliveries_count, 1);
}

static void later_waits_as_long_as_it_says(void **state)
{
    struct rig *rig = *state;
    int64_t from;

    offered(rig);
    from = rig->a.fake->now_ms;
    side_receipt(&rig->a, key, AHP_RECEIPT_LATER, 45000);
    rig_until_deliveries(&rig->a, 2);
    assert_true(rig->a.fake->now_ms - from >= 45000);
    assert_true(rig->a.fake->now_ms - from < 46000);
    assert_string_equal(rig->a.fake->deliveries[1].key, key);
    assert_int_equal(rig->a.fake->deliveries[1].attempt, 2);
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
}

static void refused_can_be_sent_again_under_another_key(void **state)
{
    struct rig *rig = *state;

    offered(rig);
    side_receipt(&rig->a, key, AHP_RECEIPT_REFUSED, 0);
    states_are(rig, "undeliverable", "refused");
    rig_until_idle(&rig->a);
    assert_string_equal(redeliver(rig), "");
    rig_until_deliveries(&rig->a, 2);
    assert_string_not_equal(rig->a.fake->deliveries[1].key, key);
    snprintf(key, sizeof(key), "%s", rig->a.fake->deliveries[1].key);
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
    /* What has arrived gets another key. */
    rig_until_idle(&rig->a);
    assert_string_equal(redeliver(rig), "");
    rig_until_deliveries(&rig->a, 3);
    assert_string_not_equal(rig->a.fake->deliveries[2].key, key);
    /* A late repeat for the first one, while the second is being recorded and offered. */
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    side_receipt(&rig->a, rig->a.fake->deliveries[2].key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
    assert_int_equal(rig->spends, 1);
}

static void held_is_not_offered_again(void **state)
{
    struct rig *rig = *state;

    offered(rig);
    side_receipt(&rig->a, key, AHP_RECEIPT_HELD, 0);
    /* Nothing is left to do here, and a person's impatience does not make two messages. */
    rig_until_idle(&rig->a);
    states_are(rig, "delivering", "held");
    assert_non_null(strstr(redeliver(rig), "queue"));
    rig_pass(rig, 3600000);
    assert_int_equal(rig->a.fake->deliveries_count, 1);
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
    rig_until_idle(&rig->a);
    rig_pass(rig, 3000);
    assert_string_equal(rig_sql(&rig->a, "SELECT owner FROM jobs"), "");
}

/* HELD and its final receipt in one turn: the second comes while the first is being stored. */
static void held_and_delivered_at_once(void **state)
{
    struct rig *rig = *state;

    for (unsigned turns = 0; turns < 8; turns++) {
        char args[64];
        char *its;

        snprintf(args, sizeof(args), "{\"prompt\":\"boat %u\"}", turns);
        json_decref(side_ask(&rig->a, "generate_image", args, "to", "c"));
        rig_until_deliveries(&rig->a, turns + 1);
        its = rig->a.fake->deliveries[turns].key;
        side_receipt(&rig->a, its, AHP_RECEIPT_HELD, 0);
        rig_spin(rig, turns);
        side_receipt(&rig->a, its, AHP_RECEIPT_DELIVERED, 0);
        side_receipt(&rig->a, its, AHP_RECEIPT_DELIVERED, 0);
        rig_pass(rig, 3000);
        assert_string_equal(
            rig_sql(&rig->a, "SELECT count(*) FROM jobs WHERE state <> 'delivered'"), "0");
    }
    assert_int_equal(rig->a.fake->deliveries_count, 8);
}

static void held_then_delivered_after_a_restart(void **state)
{
    struct rig *rig = *state;

    offered(rig);
    side_receipt(&rig->a, key, AHP_RECEIPT_HELD, 0);
    rig_until_idle(&rig->a);
    side_end(&rig->a);
    side_open(&rig->a, "s");
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
    assert_int_equal(rig->a.fake->deliveries_count, 0);
}

/* The final receipt comes while the ledger cannot be written: it is not given twice, so it is kept.
 */
static void a_receipt_outlasts_a_busy_ledger(void **state)
{
    struct rig *rig = *state;

    offered(rig);
    side_receipt(&rig->a, key, AHP_RECEIPT_HELD, 0);
    rig_until_idle(&rig->a);
    rig_pass(rig, 5000);
    rig_lock(&rig->a);
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    rig_pass(rig, 40000);
    rig_unlock(&rig->a);
    rig_pass(rig, 40000);
    states_are(rig, "delivered", "done");
}

/* Another process has the job just then, such as one that was asked about it. */
static void a_receipt_waits_for_who_has_the_job(void **state)
{
    struct rig *rig = *state;
    char take[200];

    offered(rig);
    side_receipt(&rig->a, key, AHP_RECEIPT_HELD, 0);
    rig_until_idle(&rig->a);
    snprintf(take, sizeof(take), "UPDATE jobs SET owner = (SELECT id FROM owners WHERE id <> '%s')",
             rig_sql(&rig->a, "SELECT id FROM owners"));
    side_open(&rig->b, "s");
    rig_pass(rig, 500);
    rig_exec(&rig->a, take);
    assert_int_equal(side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0), AHP_OK);
    rig_pass(rig, 3000);
    rig_exec(&rig->a, "UPDATE jobs SET owner = ''");
    rig_pass(rig, 60000);
    states_are(rig, "delivered", "done");
}

static void unknown_is_offered_again_to_a_host_that_drops_repeats(void **state)
{
    struct rig *rig = *state;

    offered(rig);
    side_receipt(&rig->a, key, AHP_RECEIPT_UNKNOWN, 0);
    rig_until_deliveries(&rig->a, 2);
    assert_string_equal(rig->a.fake->deliveries[1].key, key);
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
}

static void unknown_is_left_to_a_person_elsewhere(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    side_end(&rig->a);
    rig->a.fake = fake_host_new();
    rig->a.fake->deliver.flags = AHP_DELIVER_READY;
    side_open(&rig->a, "s");
    offered(rig);
    side_receipt(&rig->a, key, AHP_RECEIPT_UNKNOWN, 0);
    rig_until_idle(&rig->a);
    rig_pass(rig, 3600000);
    assert_int_equal(rig->a.fake->deliveries_count, 1);
    states_are(rig, "delivering", "unknown");
    json = side_ask(&rig->a, "poll", "{}", NULL, "c");
    assert_non_null(strstr(text_at(json, "next"), "redeliver"));
    json_decref(json);
    assert_string_equal(redeliver(rig), "");
    rig_until_deliveries(&rig->a, 2);
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
}

/* The host will never know: nothing is offered that could tell, and a person's wish has a new key.
 */
static void lost_is_left_to_a_person(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    offered(rig);
    side_receipt(&rig->a, key, AHP_RECEIPT_LOST, 0);
    rig_until_idle(&rig->a);
    states_are(rig, "delivering", "unknown");
    rig_pass(rig, 3600000);
    assert_int_equal(rig->a.fake->deliveries_count, 1);
    json = side_ask(&rig->a, "poll", "{}", NULL, "c");
    assert_non_null(strstr(text_at(json, "next"), "redeliver"));
    json_decref(json);
    assert_string_equal(redeliver(rig), "");
    rig_until_deliveries(&rig->a, 2);
    assert_string_not_equal(rig->a.fake->deliveries[1].key, key);
    side_receipt(&rig->a, key, AHP_RECEIPT_LOST, 0); /* a repeat, for the first */
    side_receipt(&rig->a, rig->a.fake->deliveries[1].key, AHP_RECEIPT_DELIVERED, 0);
    rig_until_idle(&rig->a);
    assert_string_equal(rig_sql(&rig->a, "SELECT state FROM jobs"), "delivered");
    assert_int_equal(rig->spends, 1);
}

/* The same at the last of many tries: what the host settled is not mistaken for what was given up.
 */
static void lost_at_the_last_try(void **state)
{
    struct rig *rig = *state;

    offered(rig);
    for (uint32_t tries = 1; tries < 8; tries++) {
        side_receipt(&rig->a, key, AHP_RECEIPT_UNKNOWN, 0);
        rig_until_deliveries(&rig->a, tries + 1);
    }
    side_receipt(&rig->a, key, AHP_RECEIPT_LOST, 0);
    rig_until_idle(&rig->a);
    states_are(rig, "delivering", "unknown");
    assert_string_equal(redeliver(rig), "");
    rig_until_deliveries(&rig->a, 9);
    assert_string_not_equal(rig->a.fake->deliveries[8].key, key);
}

static void a_host_that_never_says_is_asked_again(void **state)
{
    struct rig *rig = *state;

    offered(rig);
    rig_until_deliveries(&rig->a, 2);
    assert_string_equal(rig->a.fake->deliveries[1].key, key);
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
}

/* Refusals of the offer itself: tried with growing pauses, then undeliverable; a late receipt wins.
 */
static void refused_offers_end(struct rig *rig, int32_t code)
{
    int64_t from;

    rig->a.fake->offer_result = code;
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"a boat\"}", "to", "c"));
    rig_until_spends(rig, 1);
    from = rig->a.fake->now_ms;
    rig_until_idle(&rig->a);
    assert_true(rig->a.fake->now_ms - from > 60000);
    states_are(rig, "undeliverable", "refused");
    assert_string_equal(rig_sql(&rig->a, "SELECT attempts FROM deliveries"), "8");
    snprintf(key, sizeof(key), "%s", rig_sql(&rig->a, "SELECT key FROM deliveries"));
}

static void offers_are_refused_for_now(void **state)
{
    struct rig *rig = *state;

    refused_offers_end(rig, AHP_E_LIMIT);
    rig->a.fake->offer_result = AHP_OK;
    rig_pass(rig, 3000);
    assert_string_equal(redeliver(rig), "");
    rig_until_deliveries(&rig->a, 1);
    assert_string_equal(rig->a.fake->deliveries[0].key, key); /* nobody said never */
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
}

/* A fate that is still not known after the last try stays so: it may have arrived. */
static void a_late_receipt_mends_unknown(void **state)
{
    struct rig *rig = *state;

    rig->a.fake->receipt = AHP_RECEIPT_UNKNOWN;
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"a boat\"}", "to", "c"));
    rig_until_spends(rig, 1);
    rig_until_idle(&rig->a);
    states_are(rig, "delivering", "unknown");
    assert_string_equal(rig_sql(&rig->a, "SELECT attempts FROM deliveries"), "8");
    side_receipt(&rig->a, rig->a.fake->deliveries[0].key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
}

static void a_late_receipt_mends_undeliverable(void **state)
{
    struct rig *rig = *state;

    rig->a.fake->receipt = AHP_RECEIPT_LATER;
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"a boat\"}", "to", "c"));
    rig_until_spends(rig, 1);
    rig_until_idle(&rig->a);
    states_are(rig, "undeliverable", "refused");
    side_receipt(&rig->a, rig->a.fake->deliveries[0].key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
}

/* A video is given up after some seconds. */
static void expire_soon(struct rig *rig)
{
    char providers[400];

    /* The braces close what the rig has opened. */
    snprintf(providers, sizeof(providers),
             "{ sim: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '%s' } } }, plugins: { entries: { "
             "clawmedia: { config: { providers: { sim: { deadline_ms: 9000, typical_seconds: 4 } } } } }",
             rig->server.port, RIG_KEY);
    rig_configure(rig, providers);
}

/*
 * A job expired and was told of; it is being asked about once more when the host says what became
 * of those words. The job goes on, and its video arrives.
 */
static void a_notices_receipt_does_not_end_a_second_look(void **state)
{
    static const int32_t outcomes[] = {AHP_RECEIPT_DELIVERED, AHP_RECEIPT_HELD, AHP_RECEIPT_LATER,
                                       AHP_RECEIPT_LOST};
    struct rig *rig = *state;
    uint32_t told = 0;

    expire_soon(rig);
    for (unsigned i = 0; i < 16; i++) {
        char args[64];
        uint64_t id;

        rig->video_ms = 7 * 24 * 3600 * (int64_t)1000;
        snprintf(args, sizeof(args), "{\"prompt\":\"boat %u\",\"seconds\":4}", i);
        json_decref(side_ask(&rig->a, "generate_video", args, "to", "c"));
        rig_until_deliveries(&rig->a, ++told);
        snprintf(key, sizeof(key), "%s", rig->a.fake->deliveries[told - 1].key);
        assert_int_equal(rig->a.fake->deliveries[told - 1].kind, AHP_DELIVERY_NOTICE);
        id = side_call(&rig->a, "poll", "{\"action\":\"recover\"}", NULL, "c");
        rig_spin(rig, i / 4 * 3);
        side_receipt(&rig->a, key, outcomes[i % 4], 0);
        rig_spin(rig, 20);
        rig->video_ms = 0;
        rig_until_deliveries(&rig->a, ++told);
        assert_int_equal(rig->a.fake->deliveries[told - 1].kind, AHP_DELIVERY_RESULT);
        side_receipt(&rig->a, rig->a.fake->deliveries[told - 1].key, AHP_RECEIPT_DELIVERED, 0);
        (void)side_end_of(&rig->a, id);
        rig_pass(rig, 90000);
        assert_string_equal(
            rig_sql(&rig->a, "SELECT count(*) FROM jobs WHERE state <> 'delivered'"), "0");
    }
    assert_int_equal(rig->spends, 16);
}

/* The second look found it working, and then it was not finished again: that is told, too. */
static void a_second_end_is_told(void **state)
{
    struct rig *rig = *state;

    rig->video_ms = 7 * 24 * 3600 * (int64_t)1000;
    expire_soon(rig);
    json_decref(side_ask(&rig->a, "generate_video", "{\"prompt\":\"boat\"}", "to", "c"));
    for (uint32_t told = 1; told < 4; told++) {
        rig_until_deliveries(&rig->a, told);
        assert_int_equal(rig->a.fake->deliveries[told - 1].kind, AHP_DELIVERY_NOTICE);
        side_receipt(&rig->a, rig->a.fake->deliveries[told - 1].key, AHP_RECEIPT_DELIVERED, 0);
        states_are(rig, "expired", "done");
        json_decref(side_ask(&rig->a, "poll", "{\"action\":\"recover\"}", NULL, "c"));
    }
    assert_string_equal(rig_sql(&rig->a, "SELECT count(DISTINCT key) FROM deliveries"), "3");
}

/* Words that could not be delivered yet when there are newer ones are not delivered any more. */
static void a_second_end_overtakes_the_first(void **state)
{
    struct rig *rig = *state;

    rig->video_ms = 7 * 24 * 3600 * (int64_t)1000;
    expire_soon(rig);
    json_decref(side_ask(&rig->a, "generate_video", "{\"prompt\":\"boat\"}", "to", "c"));
    rig_until_deliveries(&rig->a, 1);
    snprintf(key, sizeof(key), "%s", rig->a.fake->deliveries[0].key);
    (void)side_call(&rig->a, "poll", "{\"action\":\"recover\"}", NULL, "c");
    rig_spin(rig, 20);
    side_receipt(&rig->a, key, AHP_RECEIPT_LATER, 1000);
    rig_until_deliveries(&rig->a, 2);
    assert_string_not_equal(rig->a.fake->deliveries[1].key, key);
    side_receipt(&rig->a, rig->a.fake->deliveries[1].key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "expired", "done");
    assert_string_equal(rig_sql(&rig->a, "SELECT state FROM deliveries ORDER BY key LIMIT 1"),
                        "refused");
    rig_pass(rig, 90000);
    assert_int_equal(rig->a.fake->deliveries_count, 2);
}

static void offers_are_unsupported_by_a_ready_host(void **state)
{
    refused_offers_end(*state, AHP_E_UNSUPPORTED);
}

static void an_offer_that_exists_waits_for_its_receipt(void **state)
{
    struct rig *rig = *state;

    rig->a.fake->offer_result = AHP_E_EXISTS;
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"a boat\"}", "to", "c"));
    rig_pass(rig, 60000);
    snprintf(key, sizeof(key), "%s", rig_sql(&rig->a, "SELECT key FROM deliveries"));
    assert_string_equal(rig_sql(&rig->a, "SELECT attempts FROM deliveries"), "1");
    side_receipt(&rig->a, key, AHP_RECEIPT_DELIVERED, 0);
    states_are(rig, "delivered", "done");
}

static void foreign_keys_are_stale(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(side_receipt(&rig->a, "other:thing:1", AHP_RECEIPT_DELIVERED, 0), AHP_E_STALE);
    assert_int_equal(side_receipt(&rig->a, "clawmedia:", AHP_RECEIPT_DELIVERED, 0), AHP_E_STALE);
    assert_int_equal(side_receipt(&rig->a, "clawmedia:nocolon", AHP_RECEIPT_DELIVERED, 0),
                     AHP_E_STALE);
    /* Shaped like ours: whether there is such a job the ledger has to say. */
    assert_int_equal(side_receipt(&rig->a, "clawmedia:job_00000000:1", AHP_RECEIPT_DELIVERED, 0),
                     AHP_OK);
    rig_pass(rig, 3000);
    assert_true(side_logged(&rig->a, "was not used"));
    assert_int_equal(rig->a.breaches, 0); /* harmless by contract */
}

/* Not one of the other host's kind: it is left to a host of its own. */
static void another_kind_of_host_leaves_it(void **state)
{
    struct rig *rig = *state;

    rig->a.fake->offer_result = AHP_E_LIMIT;
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"a boat\"}", "to", "c"));
    rig_pass(rig, 2000);
    side_end(&rig->a);
    rig->a.fake = fake_host_new();
    rig->a.fake->host.name = "other-host";
    side_open(&rig->a, "s");
    rig_pass(rig, 100000);
    assert_int_equal(side_unfinished(&rig->a), 0);
    assert_int_equal(rig->a.fake->deliveries_count, 0);
    side_end(&rig->a);
    side_open(&rig->a, "s");
    rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
    rig_until_deliveries(&rig->a, 1);
    rig_until_idle(&rig->a);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(delivered_is_the_end),
        TEST(later_waits_as_long_as_it_says),
        TEST(refused_can_be_sent_again_under_another_key),
        TEST(held_is_not_offered_again),
        TEST(held_and_delivered_at_once),
        TEST(held_then_delivered_after_a_restart),
        TEST(a_receipt_outlasts_a_busy_ledger),
        TEST(a_receipt_waits_for_who_has_the_job),
        TEST(unknown_is_offered_again_to_a_host_that_drops_repeats),
        TEST(unknown_is_left_to_a_person_elsewhere),
        TEST(lost_is_left_to_a_person),
        TEST(lost_at_the_last_try),
        TEST(a_host_that_never_says_is_asked_again),
        TEST(offers_are_refused_for_now),
        TEST(a_late_receipt_mends_unknown),
        TEST(a_late_receipt_mends_undeliverable),
        TEST(a_notices_receipt_does_not_end_a_second_look),
        TEST(a_second_end_is_told),
        TEST(a_second_end_overtakes_the_first),
        TEST(offers_are_unsupported_by_a_ready_host),
        TEST(an_offer_that_exists_waits_for_its_receipt),
        TEST(foreign_keys_are_stale),
        TEST(another_kind_of_host_leaves_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
