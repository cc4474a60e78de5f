/*
 * test_tools_confirm.c - money is spent after a yes: by the host's question, or by the same call with
 * the token of its first answer, and by nothing else.
 */
#include "engine_rig.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOAT "{\"prompt\":\"a boat\",\"model\":\"cheap\"}"
#define MINUTE_MS 60000

/* With prices of three models, and these further settings. */
static void configure(struct rig *rig, const char *settings)
{
    char text[1200];

    snprintf(text, sizeof(text),
             "{ sim: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '%s' } } }, plugins: { entries: { "
             "clawmedia: { config: { providers: { sim: { prices: { "
             "cheap: { each: 0.25, currency: 'USD' }, dear: { each: 3, currency: 'USD' }, "
             "yuan: { each: 0.5, currency: 'CNY' } } } }, %s } } }",
             rig->server.port, RIG_KEY, settings);
    rig_configure(rig, text);
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    if (!rig)
        return -1;
    rig_open(rig);
    rig->a.fake = fake_host_new();
    rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
    rig->video_ms = 1000;
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    assert_false(side_logged(&rig->a, RIG_KEY));
    side_end(&rig->a);
    rig_close(rig);
    free(rig);
    return 0;
}

static struct rig *begin(void **state, const char *settings)
{
    struct rig *rig = *state;

    configure(rig, settings);
    side_open(&rig->a, "s");
    return rig;
}

/* A token for these arguments; nothing was sent. */
static void token_for(struct rig *rig, const char *tool, const char *args, char *ret_token)
{
    unsigned spends = rig->spends;
    json_t *json = side_ask(&rig->a, tool, args, "to", "c");

    assert_string_equal(text_at(json, "status"), "needs_confirmation");
    snprintf(ret_token, 64, "%s", text_at(json, "confirm"));
    assert_int_equal(strncmp(ret_token, "ok_", 3), 0);
    assert_int_equal(rig->spends, spends);
    json_decref(json);
}

/* The arguments with the token put in. In a static buffer. */
static const char *with(const char *args, const char *token)
{
    static char text[512];

    snprintf(text, sizeof(text), "{\"confirm\":\"%s\",%s", token, args + 1);
    return text;
}

static void check_refused(struct rig *rig, const char *tool, const char *args,
                          const char *conversation)
{
    unsigned spends = rig->spends;
    json_t *json = side_ask(&rig->a, tool, args, "to", conversation);

    if (strcmp(text_at(json, "error.field"), "confirm") != 0 ||
        !strstr(text_at(json, "message"), "not for this call"))
        fail_msg("%s: %s", args, rig->a.fake->ends[rig->a.fake->ends_count - 1].json);
    rig_pass(rig, 100);
    assert_int_equal(rig->spends, spends);
    json_decref(json);
}

static void job_of(json_t *json, char *ret_job)
{
    assert_int_equal(strncmp(text_at(json, "job"), "job_", 4), 0);
    snprintf(ret_job, 40, "%s", text_at(json, "job"));
    json_decref(json);
}

static void the_same_call_with_the_token_runs_once(void **state)
{
    struct rig *rig = begin(state, "confirm: 'always'");
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

    job_of(side_ask(&rig->a, "generate_image", with(BOAT, token), "to", "c"), first);
    rig_until_deliveries(&rig->a, 1);
    /* Long after our own window for repeats: the token still means the one job. */
    rig_pass(rig, 5 * MINUTE_MS);
    job_of(side_ask(&rig->a, "generate_image", with(BOAT, token), "to", "c"), second);
    assert_string_equal(first, second);
    assert_int_equal(rig->spends, 1);
    /* In another order, with another bound on waiting: the same request. */
    json = side_ask(&rig->a, "generate_image", with(
                        "{\"model\":\"cheap\",\"wait_seconds\":0,\"prompt\":\"a boat\"}", token),
                    "to", "c");
    assert_string_equal(text_at(json, "job"), first);
    json_decref(json);
    assert_int_equal(rig->spends, 1);
}

static void anything_else_does_not_run(void **state)
{
    struct rig *rig = begin(state, "confirm: 'always'");
    char token[64];
    char changed[72];

    token_for(rig, "generate_image", BOAT, token);
    check_refused(rig, "generate_image", with("{\"prompt\":\"a boat!\",\"model\":\"cheap\"}", token),
                  "c");
    check_refused(rig, "generate_image", with("{\"prompt\":\"a boat\",\"model\":\"dear\"}", token), "c");
    check_refused(rig, "generate_image", with("{\"prompt\":\"a boat\"}", token), "c");
    check_refused(rig, "generate_image",
                  with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"count\":2}", token), "c");
    check_refused(rig, "generate_image",
                  with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", token), "c");
    check_refused(rig, "generate_image", with(BOAT, token), "other");
    check_refused(rig, "generate_image", with(BOAT, token), NULL);
    check_refused(rig, "generate_video", with(BOAT, token), "c");
    for (size_t i = 0; token[i]; i++) {
        memcpy(changed, token, sizeof(token));
        changed[i] = changed[i] == '7' ? '8' : '7';
        check_refused(rig, "generate_image", with(BOAT, changed), "c");
    }
    snprintf(changed, sizeof(changed), "%s7", token);
    check_refused(rig, "generate_image", with(BOAT, changed), "c");
    token[strlen(token) - 1] = '\0';
    check_refused(rig, "generate_image", with(BOAT, token), "c");
    check_refused(rig, "generate_image", with(BOAT, "yes"), "c");
    assert_int_equal(rig->spends, 0);
}

static void a_token_ends_after_fifteen_minutes(void **state)
{
    struct rig *rig = begin(state, "confirm: 'always'");
    char token[64];
    char job[40];

    token_for(rig, "generate_image", BOAT, token);
    rig_pass(rig, 13 * MINUTE_MS);
    job_of(side_ask(&rig->a, "generate_image", with(BOAT, token), "to", "c"), job);
    rig_until_spends(rig, 1);
    token_for(rig, "generate_image", "{\"prompt\":\"b\",\"model\":\"cheap\"}", token);
    rig_pass(rig, 15 * MINUTE_MS + 1000);
    check_refused(rig, "generate_image", with("{\"prompt\":\"b\",\"model\":\"cheap\"}", token), "c");
}

static void another_price_needs_another_yes(void **state)
{
    struct rig *rig = begin(state, "confirm: 'always'");
    char token[64];

    token_for(rig, "generate_image", BOAT, token);
    configure(rig, "confirm: 'always', default_provider: 'sim'");
    rig_configure(rig, "{ sim: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'k-123456789' } } }, "
                       "plugins: { entries: { clawmedia: { config: { confirm: 'always', providers: "
                       "{ sim: { prices: { cheap: { each: 25, currency: 'USD' } } } } } } }");
    check_refused(rig, "generate_image", with(BOAT, token), "c");
}

static void the_token_survives_a_restart(void **state)
{
    struct rig *rig = begin(state, "confirm: 'always'");
    struct stat status;
    char path[400];
    char token[64];
    char first[40];
    char second[40];

    token_for(rig, "generate_image", BOAT, token);
    snprintf(path, sizeof(path), "%s/confirm.key", rig->a.state);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(status.st_size, 32);
    side_destroy(&rig->a); /* no stop: as a crash */
    side_open(&rig->a, "s");
    job_of(side_ask(&rig->a, "generate_image", with(BOAT, token), "to", "c"), first);
    rig_until_spends(rig, 1);
    side_destroy(&rig->a);
    side_open(&rig->a, "s");
    job_of(side_ask(&rig->a, "generate_image", with(BOAT, token), "to", "c"), second);
    assert_string_equal(first, second);
    rig_until_idle(&rig->a);
    assert_int_equal(rig->spends, 1);
    /* A key that others could read, or half a key, is made anew: old tokens end. */
    token_for(rig, "generate_image", "{\"prompt\":\"b\",\"model\":\"cheap\"}", token);
    side_destroy(&rig->a);
    assert_int_equal(truncate(path, 7), 0);
    side_open(&rig->a, "s");
    check_refused(rig, "generate_image", with("{\"prompt\":\"b\",\"model\":\"cheap\"}", token), "c");
    side_destroy(&rig->a);
    assert_int_equal(chmod(path, 0644), 0);
    side_open(&rig->a, "s");
    token_for(rig, "generate_image", BOAT, token);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void asked_twice_at_once_is_one_purchase(void **state)
{
    struct rig *rig = begin(state, "confirm: 'always'");
    char one[64];
    char other[64];
    char first[40];
    char second[40];

    rig_pass(rig, MINUTE_MS - rig->a.fake->wall_ms % MINUTE_MS + 1);
    token_for(rig, "generate_image", BOAT, one);
    token_for(rig, "generate_image", BOAT, other);
    assert_string_equal(one, other);
    /* Once more is a wish of its own, and so is the next once more. */
    token_for(rig, "generate_image", "{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", one);
    token_for(rig, "generate_image", "{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", other);
    assert_string_not_equal(one, other);
    job_of(side_ask(&rig->a, "generate_image",
                    with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", one), "to", "c"),
           first);
    job_of(side_ask(&rig->a, "generate_image",
                    with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", one), "to", "c"),
           second);
    assert_string_equal(first, second);
    job_of(side_ask(&rig->a, "generate_image",
                    with("{\"prompt\":\"a boat\",\"model\":\"cheap\",\"again\":true}", other), "to",
                    "c"),
           second);
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
    struct rig *rig = begin(state, "confirm: 'always'");

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char args[200];
        json_t *json;

        configure(rig, rows[i].settings);
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
    struct rig *rig = begin(state, "confirm: 'always'");

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        json_t *json;

        configure(rig, rows[i].settings);
        json = side_ask(&rig->a, "account", "{}", NULL, NULL);
        if (!side_logged(&rig->a, rows[i].text) && !strstr(text_at(json, "message"), rows[i].text) &&
            !strstr(rig->a.fake->ends[rig->a.fake->ends_count - 1].json, "alwyas"))
            fail_msg("%s: %s", rows[i].settings,
                     rig->a.fake->ends[rig->a.fake->ends_count - 1].json);
        json_decref(json);
    }
}

static void a_dry_run_needs_no_yes_but_says_so(void **state)
{
    struct rig *rig = begin(state, "confirm: 'always'");
    char token[64];
    char job[40];
    json_t *json = side_ask(&rig->a, "generate_image",
                            "{\"prompt\":\"a boat\",\"model\":\"cheap\",\"dry_run\":true}", "to", "c");

    assert_string_equal(text_at(json, "status"), "plan");
    assert_true(json_is_true(json_object_get(json, "needs_confirmation")));
    snprintf(token, sizeof(token), "%s", text_at(json, "confirm"));
    json_decref(json);
    /* Who has seen the plan need not see it again. */
    job_of(side_ask(&rig->a, "generate_image", with(BOAT, token), "to", "c"), job);
    rig_until_spends(rig, 1);
}

static void sending_again_needs_a_yes(void **state)
{
    struct rig *rig = begin(state, "confirm: 'never'");
    char args[200];
    char token[64];
    char job[40];
    char again[40];
    char third[40];

    rig->answer = RIG_DROP;
    job_of(side_ask(&rig->a, "generate_image", BOAT, "to", "c"), job);
    rig_until_deliveries(&rig->a, 1);
    rig->answer = RIG_PICTURE_BASE64;
    configure(rig, "confirm: 'always'");
    snprintf(args, sizeof(args), "{\"job\":\"%s\",\"action\":\"resubmit\"}", job);
    token_for(rig, "poll", args, token);
    check_refused(rig, "generate_image", with(BOAT, token), "c");
    job_of(side_ask(&rig->a, "poll", with(args, token), "to", "c"), again);
    assert_string_not_equal(job, again);
    rig_until_spends(rig, 2);
    job_of(side_ask(&rig->a, "poll", with(args, token), "to", "c"), third);
    assert_string_equal(again, third);
    rig_until_idle(&rig->a);
    assert_int_equal(rig->spends, 2);
}

static uint64_t ask(struct rig *rig, const char *args, uint32_t questions);

/* ---- limits ---- */

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
        begin(state, "limits: { day: 1, conversation: 0.5, currency: 'USD' }");

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
    struct rig *rig = begin(state, "limits: { day: 1, currency: 'USD' }");
    char token[64];

    token_for(rig, "generate_image", "{\"prompt\":\"1\",\"model\":\"yuan\"}", token);
    token_for(rig, "generate_image", "{\"prompt\":\"1\"}", token);
    check_done(rig, with("{\"prompt\":\"1\"}", token), "c");
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
    begin(state, "confirm: 'always', limits: { day: 1, currency: 'USD' }");
    check_over(rig, "{\"prompt\":\"1\",\"model\":\"dear\"}", "c", "day", "0 + 3 > 1 USD");
    assert_int_equal(rig->a.fake->questions_count, 0);
    id = ask(rig, BOAT, 1);
    fake_host_answer(rig->a.fake, 0, AHP_APPROVAL_ALLOWED);
    side_end_of(&rig->a, id);
    rig_until_deliveries(&rig->a, 1);
    /* What is spent between the question and the yes counts as well. */
    side_destroy(&rig->a);
    side_open(&rig->a, "s");
    token_for(rig, "generate_image", "{\"prompt\":\"2\",\"model\":\"cheap\"}", token);
    rig_exec(&rig->a, "UPDATE jobs SET cost = 0.9");
    check_over(rig, with("{\"prompt\":\"2\",\"model\":\"cheap\"}", token), "c", "day",
               "0.9 + 0.25 > 1 USD");
}

static void several_at_once_stay_below_the_limit(void **state)
{
    struct rig *rig = begin(state, "limits: { day: 1, currency: 'USD' }");
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

/* ---- the host asks ---- */

static uint64_t ask(struct rig *rig, const char *args, uint32_t questions)
{
    uint64_t id = side_call(&rig->a, "generate_image", args, "to", "c");

    rig_spin(rig, 20);
    assert_int_equal(rig->a.fake->questions_count, questions);
    assert_null(fake_host_end(rig->a.fake, id));
    assert_int_equal(rig->spends, 0);
    return id;
}

static void the_host_is_asked(void **state)
{
    struct rig *rig = *state;
    const struct fake_question *question;
    const struct fake_end *end;
    json_t *json;
    uint64_t id;

    rig->a.fake->has_approval = 1;
    begin(state, "confirm: 'always'");
    json = side_ask(&rig->a, "generate_image",
                    "{\"prompt\":\"a boat\",\"model\":\"cheap\",\"dry_run\":true}", "to", "c");
    assert_null(json_object_get(json, "confirm")); /* the yes is not the model's */
    json_decref(json);

    id = ask(rig, BOAT, 1);
    question = rig->a.fake->questions[0];
    assert_true(question->call_id == id);
    assert_string_equal(question->title, "Make pictures with cheap at sim for about 0.25 USD");
    assert_string_equal(question->amount, "0.25");
    assert_string_equal(question->currency, "USD");
    assert_string_equal(question->target, "sim / cheap");
    assert_string_equal(question->conversation, "c");
    assert_non_null(strstr(question->text, "1 file(s)"));
    fake_host_answer(rig->a.fake, 0, AHP_APPROVAL_DENIED);
    end = side_end_of(&rig->a, id);
    assert_int_equal(end->status, AHP_RESULT_ERROR);
    assert_non_null(strstr(end->json, "\"denied\""));
    assert_non_null(strstr(end->json, "not approved"));

    id = ask(rig, BOAT, 2);
    fake_host_answer(rig->a.fake, 1, AHP_APPROVAL_TIMED_OUT);
    assert_non_null(strstr(side_end_of(&rig->a, id)->json, "in time"));
    id = ask(rig, BOAT, 3);
    fake_host_answer(rig->a.fake, 2, 77); /* what one does not know is a no */
    assert_non_null(strstr(side_end_of(&rig->a, id)->json, "not approved"));
    assert_int_equal(rig->a.breaches, 1);
    rig->a.breaches = 0;
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");

    id = ask(rig, "{\"prompt\":\"a boat\",\"extra\":\"{\\\"x\\\":1}\"}", 4);
    assert_string_equal(rig->a.fake->questions[3]->amount, "");
    assert_string_equal(rig->a.fake->questions[3]->currency, "");
    fake_host_answer(rig->a.fake, 3, AHP_APPROVAL_ALLOWED);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_PENDING_JOB);
    rig_until_spends(rig, 1);
    assert_non_null(strstr(rig->last_spend_body, "\"x\":1"));
    rig_until_deliveries(&rig->a, 1);
    assert_int_equal(rig->a.fake->questions_count, 4);
}

static void a_question_ends_with_its_call(void **state)
{
    struct rig *rig = *state;
    ahp_call call;
    uint64_t id;

    rig->a.fake->has_approval = 1;
    begin(state, "confirm: 'always'");
    id = ask(rig, BOAT, 1);
    assert_int_equal(rig->a.inst->cancel(rig->a.inst->self, id), AHP_OK);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_CANCELLED);
    assert_true(rig->a.fake->questions[0]->taken_back);
    /* It does not outlast the call's deadline. */
    call = fake_host_call(rig->a.fake, "generate_image", BOAT, "to", "c");
    call.deadline_ms = rig->a.fake->now_ms + 30000;
    assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_OK);
    rig_spin(rig, 20);
    assert_true(rig->a.fake->questions[1]->deadline_ms < call.deadline_ms);
    fake_host_answer(rig->a.fake, 1, AHP_APPROVAL_TIMED_OUT);
    /* Nor the instance; what was asked has left no trace. */
    id = ask(rig, BOAT, 3);
    side_stop(&rig->a);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_SHUTDOWN);
    assert_true(rig->a.fake->questions[2]->taken_back);
    side_destroy(&rig->a);
    rig->a.fake = fake_host_new();
    rig->a.fake->has_approval = 1;
    side_open(&rig->a, "s");
    ask(rig, BOAT, 1);
    side_destroy(&rig->a); /* the shim looks for questions that are left */
    side_open(&rig->a, "s");
    rig_pass(rig, 5000);
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");
    assert_int_equal(rig->spends, 0);
}

static void a_change_meanwhile_is_asked_again(void **state)
{
    struct rig *rig = *state;
    uint64_t id;

    rig->a.fake->has_approval = 1;
    begin(state, "confirm: { above: 1, currency: 'USD' }");
    id = ask(rig, "{\"prompt\":\"a boat\",\"model\":\"dear\"}", 1);
    configure(rig, "confirm: { above: 1, currency: 'USD' }, default_provider: 'sim'");
    fake_host_answer(rig->a.fake, 0, AHP_APPROVAL_ALLOWED);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_PENDING_JOB);
    rig_until_spends(rig, 1);
    rig->spends = 0;
    id = ask(rig, "{\"prompt\":\"two\",\"model\":\"yuan\"}", 2);
    rig_configure(rig, "{ sim: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'k-123456789' } } }, "
                       "plugins: { entries: { clawmedia: { config: { confirm: 'always', providers: "
                       "{ sim: { prices: { yuan: { each: 50, currency: 'CNY' } } } } } } }");
    fake_host_answer(rig->a.fake, 1, AHP_APPROVAL_ALLOWED);
    rig_spin(rig, 20);
    assert_int_equal(rig->a.fake->questions_count, 3);
    assert_string_equal(rig->a.fake->questions[2]->amount, "50");
    fake_host_answer(rig->a.fake, 2, AHP_APPROVAL_DENIED);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_ERROR);
    assert_int_equal(rig->spends, 0);
}

static void a_host_that_cannot_ask_now(void **state)
{
    struct rig *rig = *state;
    char token[64];
    char job[40];
    json_t *json;

    rig->a.fake->has_approval = 1;
    rig->a.fake->ask_result = AHP_E_UNSUPPORTED;
    begin(state, "confirm: 'always'");
    token_for(rig, "generate_image", BOAT, token);
    job_of(side_ask(&rig->a, "generate_image", with(BOAT, token), "to", "c"), job);
    rig_until_spends(rig, 1);
    /* Being busy is no way around a person. */
    rig->a.fake->ask_result = AHP_E_LIMIT;
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"b\"}", "to", "c");
    assert_string_equal(text_at(json, "error.kind"), "busy");
    assert_null(json_object_get(json, "confirm"));
    json_decref(json);
    assert_int_equal(rig->spends, 1);
}

/* Wherever memory ends, nothing is sent without a yes. */
static void memory_may_run_out_anywhere(void **state)
{
    struct rig *rig = *state;

    for (int asks = 0; asks < 2; asks++) {
        int ended_well = 0;

        rig->a.fake->has_approval = asks;
        begin(state, "confirm: 'always'");
        for (long nth = 1; nth < 300 && ended_well < 3; nth++) {
            ahp_call call = fake_host_call(rig->a.fake, "generate_image", BOAT, "to", "c");
            uint32_t before = rig->a.fake->questions_count;
            int32_t rc;

            mem_fail_after(nth, 0);
            rc = rig->a.inst->call(rig->a.inst->self, &call);
            mem_fail_after(0, 0);
            if (rc == AHP_E_NOMEM)
                continue;
            assert_int_equal(rc, AHP_OK);
            rig_spin(rig, 5);
            if (rig->a.fake->questions_count > before) {
                mem_fail_after(nth % 20 + 1, 0);
                fake_host_answer(rig->a.fake, before, AHP_APPROVAL_DENIED);
                mem_fail_after(0, 0);
                ended_well++;
            } else if (strstr(side_end_of(&rig->a, call.id)->json, "needs_confirmation")) {
                ended_well++;
            } else {
                ended_well = 0;
            }
            assert_non_null(side_end_of(&rig->a, call.id));
        }
        assert_true(ended_well > 0);
        assert_int_equal(rig->spends, 0);
        assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");
        if (!asks) {
            side_destroy(&rig->a);
            rig->a.fake = fake_host_new();
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_same_call_with_the_token_runs_once),
        TEST(anything_else_does_not_run),
        TEST(a_token_ends_after_fifteen_minutes),
        TEST(another_price_needs_another_yes),
        TEST(the_token_survives_a_restart),
        TEST(asked_twice_at_once_is_one_purchase),
        TEST(the_setting_says_when),
        TEST(a_wrong_setting_is_told),
        TEST(a_dry_run_needs_no_yes_but_says_so),
        TEST(sending_again_needs_a_yes),
        TEST(limits_hold),
        TEST(what_no_limit_can_count_needs_a_yes),
        TEST(nobody_is_asked_past_a_limit),
        TEST(several_at_once_stay_below_the_limit),
        TEST(the_host_is_asked),
        TEST(a_question_ends_with_its_call),
        TEST(a_change_meanwhile_is_asked_again),
        TEST(a_host_that_cannot_ask_now),
        TEST(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
