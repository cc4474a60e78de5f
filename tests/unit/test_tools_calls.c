/* test_tools_calls.c - what callers may say, and what they are told. */
#include "engine_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void mistakes_name_field_and_choice(void **state)
{
    static const struct {
        const char *tool;
        const char *args;
        const char *field;
        const char *text;
    } rows[] = {
        {"generate_image", "{\"prompt\"}", "", "no JSON object"},
        {"generate_image", "{1:2}", "", "no JSON object"},
        {"generate_image", "", "prompt", "missing"},
        {"generate_image", "{}", "prompt", "missing"},
        {"generate_image", "{\"prompt\":\"\"}", "prompt", "missing"},
        {"generate_image", "{\"prompt\":\"x\",\"promt\":1}", "promt", "did you mean \"prompt\""},
        {"generate_image", "{\"prompt\":\"x\",\"zzzzzz\":1}", "zzzzzz", "allowed are"},
        {"generate_image", "{\"prompt\":[1]}", "prompt", "must be of type string"},
        {"generate_image", "{\"prompt\":\"x\",\"count\":0}", "count", "allowed is 1"},
        {"generate_image", "{\"prompt\":\"x\",\"count\":\"two\"}", "count", "type integer"},
        {"generate_image", "{\"prompt\":\"x\",\"count\":1.5}", "count", "type integer"},
        {"generate_image", "{\"prompt\":\"x\",\"reference_images\":[1]}", "reference_images",
         "[0] is 1"},
        {"generate_image", "{\"prompt\":\"x\",\"extra\":\"[]\"}", "extra", "no object"},
        {"generate_image", "{\"prompt\":\"x\",\"extra\":\"{\"}", "extra", "JSON object"},
        {"generate_image", "{\"prompt\":\"x\",\"provider\":\"sym\"}", "provider", "sim"},
        {"generate_image", "{\"prompt\":\"x\",\"reference_images\":[\"/etc/passwd\"]}",
         "reference_images", "/etc/passwd"},
        {"generate_image", "{\"prompt\":\"x\",\"reference_images\":[\"last\"]}", "reference_images",
         "no picture in this conversation"},
        {"generate_image", "{\"prompt\":\"x\",\"reference_images\":[\"img_00000000\"]}",
         "reference_images", "no file"},
        {"generate_image",
         "{\"prompt\":\"x\",\"reference_images\":[\"data:image/png;base64,AAAA\"]}",
         "reference_images", "data URLs"},
        {"generate_video", "{\"prompt\":\"x\",\"mode\":\"imgae\"}", "mode", "nearest: image"},
        {"generate_video", "{\"prompt\":\"x\",\"seconds\":61}", "seconds", "allowed is 1 to 60"},
        {"generate_video", "{\"prompt\":\"x\",\"seconds\":\"nan\"}", "seconds", "type number"},
        {"poll", "{\"action\":\"stautus\"}", "action", "nearest: status"},
        {"poll", "{\"job\":\"job_nothere\"}", "job", "no job"},
        {"poll", "{}", "", "no jobs"},
        /* Cut inside of a character, the message is still there. */
        {"generate_video",
         "{\"prompt\":\"x\",\"mode\":\"一二三四五六七八九十一二三四五六七八九十\"}", "mode",
         "allowed are"},
        {"generate_image",
         "{\"prompt\":\"x\",\"count\":\"x一二三四五六七八九十一二三四五六七八九十\"}", "count",
         "type integer"},
        {"poll", "{\"job\":\"job_一二三四五六七八九十一二三四五六七八九十\"}", "job", "no job"},
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t id = side_call(&rig->a, rows[i].tool, rows[i].args, "to", "c");
        const struct fake_end *end = side_end_of(&rig->a, id);
        json_t *json = json_loads(end->json, 0, NULL);

        if (!strstr(text_at(json, "error.text"), rows[i].text) ||
            strcmp(text_at(json, "error.field"), rows[i].field) != 0)
            fail_msg("%s: %s", rows[i].args, end->json);
        assert_int_equal(end->status, AHP_RESULT_ERROR);
        json_decref(json);
    }
    assert_int_equal(rig->spends, 0);
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");
}

static void harmless_slips_are_mended(void **state)
{
    struct rig *rig = *state;
    json_t *json = side_ask(&rig->a, "generate_image",
                            "{\"prompt\":\"x\",\"count\":\"2\",\"dry_run\":\"true\","
                            "\"reference_images\":null,\"quality\":null}",
                            "to", "c");

    assert_string_equal(text_at(json, "status"), "plan");
    assert_int_equal(json_integer_value(json_object_get(json, "files")), 2);
    json_decref(json);
    json = side_ask(&rig->a, "generate_video",
                    "{\"prompt\":\"x\",\"seconds\":\"4\",\"dry_run\":true}", NULL, NULL);
    assert_string_equal(text_at(json, "status"), "plan");
    assert_non_null(strstr(text_at(json, "message"), "Nothing was sent"));
    json_decref(json);
    assert_int_equal(rig->spends, 0);
}

static void wait_seconds_is_a_bound(void **state)
{
    struct rig *rig = *state;
    const struct fake_end *end;
    int64_t from = rig->a.fake->now_ms;

    end = side_end_of(&rig->a, side_call(&rig->a, "generate_video",
                                         "{\"prompt\":\"x\",\"wait_seconds\":0}", NULL, "c"));
    assert_int_equal(end->status, AHP_RESULT_PENDING_JOB);
    assert_int_equal(strncmp(end->job_id, "job_", 4), 0);
    assert_true(rig->a.fake->now_ms - from < 2000);
    from = rig->a.fake->now_ms;
    end = side_end_of(&rig->a, side_call(&rig->a, "poll",
                                         "{\"action\":\"wait\",\"wait_seconds\":7}", NULL, "c"));
    assert_int_equal(end->status, AHP_RESULT_PENDING_JOB);
    assert_true(rig->a.fake->now_ms - from >= 7000 && rig->a.fake->now_ms - from < 9000);
    end = side_end_of(&rig->a, side_call(&rig->a, "poll", "{\"action\":\"wait\"}", NULL, "c"));
    assert_int_equal(end->status, AHP_RESULT_OK);
    assert_int_equal(end->files_count, 1);
    assert_int_equal(rig->spends, 1);
}

static void the_deadline_is_kept(void **state)
{
    struct rig *rig = *state;
    ahp_call call = fake_host_call(rig->a.fake, "generate_video", "{\"prompt\":\"x\"}", NULL, "c");
    const struct fake_end *end;

    call.deadline_ms = rig->a.fake->now_ms + 10000;
    assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_OK);
    end = side_end_of(&rig->a, call.id);
    assert_int_equal(end->status, AHP_RESULT_PENDING_JOB);
    assert_int_equal(strncmp(end->job_id, "job_", 4), 0);
    assert_true(rig->a.fake->now_ms <= call.deadline_ms);
}

static void cancel_ends_the_call_and_not_the_job(void **state)
{
    struct rig *rig = *state;

    for (unsigned turns = 0; turns < 16; turns++) {
        const struct fake_end *end;
        char args[64];
        uint64_t id;

        snprintf(args, sizeof(args), "{\"prompt\":\"x%u\"}", turns);
        id = side_call(&rig->a, "generate_video", args, NULL, "c");
        rig_spin(rig, turns);
        assert_int_equal(rig->a.inst->cancel(rig->a.inst->self, id), AHP_OK);
        end = side_end_of(&rig->a, id);
        assert_int_equal(end->status, AHP_RESULT_CANCELLED);
        assert_int_equal(rig->a.inst->cancel(rig->a.inst->self, id), AHP_E_STALE);
    }
    rig_pass(rig, 3000);
    rig_until_idle(&rig->a);
    assert_string_equal(rig_sql(&rig->a, "SELECT group_concat(DISTINCT state) FROM jobs"), "done");
}

static void same_again_is_the_same_job(void **state)
{
    static const struct {
        const char *args, *conversation;
    } others[] = {{"{\"prompt\":\"a boat!\"}", "c"},
                  {"{\"prompt\":\"a boat\"}", "other"},
                  {"{\"prompt\":\"a boat\",\"again\":true}", "c"}};
    struct rig *rig = *state;
    char first[RIG_JOB_BYTES];
    char job[RIG_JOB_BYTES];
    json_t *json;

    side_job(&rig->a, "generate_video", "{\"prompt\":\"a boat\"}", "to", "c", first);
    json = side_ask(&rig->a, "generate_video", "{ \"prompt\" : \"a boat\" }", "to", "c");
    assert_string_equal(text_at(json, "job"), first);
    assert_non_null(strstr(text_at(json, "message"), "Nothing was paid twice"));
    json_decref(json);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        side_job(&rig->a, "generate_video", others[i].args, "to", others[i].conversation, job);
        assert_string_not_equal(job, first);
    }
    rig_until_spends(rig, 4);
    rig_until_deliveries(&rig->a, 4);
    rig_pass(rig, 200000);
    assert_int_equal(rig->spends, 4);
    /* Long after, the same words are a new wish. */
    side_job(&rig->a, "generate_video", "{\"prompt\":\"a boat\"}", "to", "c", job);
    assert_string_not_equal(job, first);
}

/* Its scope is conversation, tool and arguments; `again` does not make a retry a further wish. */
static void the_hosts_key_names_one_wish(void **state)
{
    static const struct {
        const char *args;
        int is_new;
    } calls[] = {
        {"{\"prompt\":\"a\"}", 1},
        {"{\"prompt\":\"a\"}", 0},
        {"{\"prompt\":\"b\"}", 1},
        {"{\"prompt\":\"a\",\"again\":true}", 1},
        {"{\"prompt\":\"a\",\"again\":true}", 0},
        {"{\"prompt\":\"a\"}", 0},
    };
    struct rig *rig = *state;
    unsigned spends = 0;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        ahp_call call =
            fake_host_call(rig->a.fake, "generate_image", calls[i].args, "to", "c");

        call.dedup_key.ptr = "turn-17";
        call.dedup_key.len = 7;
        assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_OK);
        assert_non_null(side_end_of(&rig->a, call.id));
        rig_pass(rig, 400000);
        spends += (unsigned)calls[i].is_new;
        assert_int_equal(rig->spends, spends);
    }
}

static void two_at_once_are_one(void **state)
{
    struct rig *rig = *state;
    uint64_t ids[5];
    char job[40] = "";

    for (int i = 0; i < 5; i++)
        ids[i] =
            side_call(&rig->a, "generate_image", "{\"prompt\":\"x\"}", i % 2 ? "to" : NULL, "c");
    for (int i = 0; i < 5; i++) {
        const struct fake_end *end = side_end_of(&rig->a, ids[i]);

        if (i)
            assert_string_equal(end->job_id, job);
        snprintf(job, sizeof(job), "%s", end->job_id);
    }
    assert_int_equal(rig->spends, 1);
}

static void detached_calls_return_at_once(void **state)
{
    struct rig *rig = *state;
    ahp_call call = fake_host_call(rig->a.fake, "generate_video", "{\"prompt\":\"x\"}", NULL, "c");
    const struct fake_end *end;

    call.flags = AHP_CALL_DETACH;
    assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_OK);
    end = side_end_of(&rig->a, call.id);
    assert_int_equal(end->status, AHP_RESULT_PENDING_JOB);
    rig_until_idle(&rig->a);
    assert_string_equal(rig_sql(&rig->a, "SELECT state FROM jobs"), "done");
}

static void others_jobs_are_not_there(void **state)
{
    struct rig *rig = *state;
    char job[40];
    char handle[40];
    char args[200];
    ahp_call call;
    json_t *json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, "mine");

    snprintf(job, sizeof(job), "%s", text_at(json, "job"));
    snprintf(handle, sizeof(handle), "%s",
             text_at(json_array_get(json_object_get(json, "files"), 0), "handle"));
    json_decref(json);
    for (int i = 0; i < 6; i++) {
        static const char *const formats[] = {
            "{\"job\":\"%s\"}", "{\"job\":\"%s\",\"action\":\"cancel\"}",
            "{\"job\":\"%s\",\"action\":\"resubmit\"}", "{\"job\":\"%s\",\"action\":\"redeliver\"}",
            "{\"job\":\"%s\",\"action\":\"wait\"}", "{}"};

        snprintf(args, sizeof(args), formats[i], job);
        json = side_ask(&rig->a, "poll", args, NULL, i % 2 ? "theirs" : NULL);
        if (strcmp(text_at(json, "error.kind"), "invalid") != 0)
            assert_string_equal(text_at(json, "error.kind"), "not_found");
        json_decref(json);
    }
    json = side_ask(&rig->a, "poll", "{\"action\":\"list\"}", NULL, "theirs");
    assert_int_equal(json_array_size(json_object_get(json, "jobs")), 0);
    json_decref(json);
    for (int i = 0; i < 3; i++) {
        const char *names[] = {"last", handle, job};

        snprintf(args, sizeof(args), "{\"prompt\":\"y\",\"reference_images\":[\"%s\"]}", names[i]);
        json = side_ask(&rig->a, "generate_image", args, NULL, "theirs");
        assert_string_equal(text_at(json, "error.field"), "reference_images");
        json_decref(json);
    }
    assert_int_equal(rig->spends, 1);
    /* The owner's own, and the operator's. */
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"y\",\"reference_images\":[\"last\"]}",
                    NULL, "mine");
    assert_string_equal(text_at(json, "status"), "done");
    json_decref(json);
    call = fake_host_call(rig->a.fake, "poll", "{\"action\":\"list\"}", NULL, "operator");
    call.flags = AHP_CALL_OPERATOR;
    assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_OK);
    json = json_loads(side_end_of(&rig->a, call.id)->json, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(json, "jobs")), 2);
    json_decref(json);
}

/* A caller without a conversation has one of its own: that of all such callers. */
static void no_conversation_is_one_too(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, NULL));
    json = side_ask(&rig->a, "poll", "{}", NULL, NULL);
    assert_string_equal(text_at(json, "status"), "done");
    json_decref(json);
    json = side_ask(&rig->a, "poll", "{\"action\":\"list\"}", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(json, "jobs")), 1);
    json_decref(json);
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"y\",\"reference_images\":[\"last\"]}",
                    NULL, NULL);
    assert_string_equal(text_at(json, "status"), "done");
    json_decref(json);
}

/* An agent with folders of its own, of several behind one host: "<dir>/<agent>" and media/ in it.
 */
static uint64_t call_of_agent(struct rig *rig, const char *agent, const char *args, uint32_t flags,
                              const char *conversation)
{
    ahp_call call = fake_host_call(rig->a.fake, "generate_image", args,
                                   flags & AHP_CALL_ONE_SHOT ? "to" : NULL, conversation);
    char workspace[300], output[320];

    snprintf(workspace, sizeof(workspace), "%s/%s", rig->dir, agent);
    snprintf(output, sizeof(output), "%s/media", workspace);
    call.flags = flags;
    call.workspace.ptr = workspace;
    call.workspace.len = strlen(workspace);
    call.output_dir.ptr = output;
    call.output_dir.len = strlen(output);
    assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_OK);
    return call.id;
}

static void agent_gets(struct rig *rig, const char *agent, const char *reference, const char *error)
{
    char args[512], start[320];
    const char *path;
    json_t *json;

    snprintf(args, sizeof(args), "{\"prompt\":\"x\",\"again\":true,\"reference_images\":[\"%s\"]}",
             reference);
    json = json_loads(side_end_of(&rig->a, call_of_agent(rig, agent, args, 0, "c"))->json, 0, NULL);
    if (error) {
        assert_string_equal(text_at(json, "error.field"), "reference_images");
        if (!strstr(text_at(json, "error.text"), error))
            fail_msg("%s: %s", reference, text_at(json, "error.text"));
    } else {
        snprintf(start, sizeof(start), "%s/%s/media/images/", rig->dir, agent);
        path = json_string_value(
            json_object_get(json_array_get(json_object_get(json, "files"), 0), "path"));
        assert_non_null(path);
        assert_memory_equal(path, start, strlen(start));
    }
    json_decref(json);
}

static void calls_bring_their_folders(void **state)
{
    struct rig *rig = *state;
    char path[320], theirs[340], like[340];
    FILE *f;

    snprintf(path, sizeof(path), "%s/ada", rig->dir);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(theirs, sizeof(theirs), "%s/in.png", path);
    f = fopen(theirs, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(rig->png, 1, rig->png_len, f), rig->png_len);
    fclose(f);
    snprintf(path, sizeof(path), "%s/bob", rig->dir);
    assert_int_equal(mkdir(path, 0755), 0);

    agent_gets(rig, "ada", "in.png", NULL);
    agent_gets(rig, "ada", theirs, NULL);
    agent_gets(rig, "bob", "in.png", "there is no file");
    agent_gets(rig, "bob", "../ada/in.png", "may only be read");
    agent_gets(rig, "bob", theirs, "may only be read");
    /* What was made in a conversation is of the conversation, whoever answers there now. */
    agent_gets(rig, "bob", "last", NULL);

    /* Another process finishes it, without a word of where. */
    side_end_of(&rig->a,
                call_of_agent(rig, "ada", "{\"prompt\":\"later\"}", AHP_CALL_ONE_SHOT, "c"));
    side_end(&rig->a);
    side_open(&rig->a, "s");
    rig_until_deliveries(&rig->a, 1);
    snprintf(like, sizeof(like), "%s/ada/media/images/", rig->dir);
    snprintf(theirs, sizeof(theirs), "%s",
             rig_sql(&rig->a, "SELECT path FROM files JOIN jobs ON jobs.id = job ORDER BY "
                              "jobs.number DESC LIMIT 1"));
    assert_memory_equal(theirs, like, strlen(like));
}

static void unknown_jobs_can_be_sent_again_by_a_person(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    rig->answer = RIG_DROP;
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, "c");
    assert_string_equal(text_at(json, "status"), "unknown");
    json_decref(json);
    rig->answer = RIG_PICTURE_BASE64;
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, "c");
    assert_string_equal(text_at(json, "status"), "unknown");
    json_decref(json);
    assert_int_equal(rig->spends, 1);
    json = side_ask(&rig->a, "poll", "{\"action\":\"resubmit\"}", NULL, "c");
    assert_string_equal(text_at(json, "status"), "submitted");
    json_decref(json);
    rig_until_idle(&rig->a);
    assert_int_equal(rig->spends, 2);
}

static void providers_words_are_scrubbed(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    rig->answer = RIG_REFUSE;
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, "c");
    assert_string_equal(text_at(json, "status"), "failed");
    assert_non_null(strstr(text_at(json, "error.text"), "bad prompt for"));
    json_decref(json);
    json_decref(side_ask(&rig->a, "generate_image", "{\"prompt\":\"y\"}", "to", "c"));
    rig_until_deliveries(&rig->a, 1);
    assert_null(strstr(rig_sql(&rig->a, "SELECT group_concat(error_text) FROM jobs"), RIG_KEY));
}

static void nothing_configured_says_how_to(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    rig_configure(rig, "{}");
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, "c");
    assert_string_equal(text_at(json, "error.kind"), "config");
    assert_non_null(strstr(text_at(json, "error.text"), "models.providers"));
    json_decref(json);
    rig_configure(rig, "{ broken");
    json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, "c");
    assert_string_equal(text_at(json, "error.kind"), "config");
    assert_non_null(strstr(text_at(json, "error.text"), "openclaw.json"));
    json_decref(json);
}

static void the_language_is_the_users(void **state)
{
    struct rig *rig = *state;
    ahp_call call = fake_host_call(rig->a.fake, "generate_video", "{\"prompt\":\"x\"}", "to", "c");
    json_t *json;

    call.locale.ptr = "zh-CN";
    call.locale.len = 5;
    assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_OK);
    json = json_loads(side_end_of(&rig->a, call.id)->json, 0, NULL);
    assert_null(strstr(text_at(json, "message"), "Your video"));
    assert_int_not_equal(text_at(json, "message")[0], 0);
    json_decref(json);
}

static void too_many_calls_are_refused(void **state)
{
    struct rig *rig = *state;
    unsigned accepted = 0;
    int32_t rc = AHP_OK;

    rig_lock(&rig->a);
    while (accepted < 5000) {
        ahp_call call = fake_host_call(rig->a.fake, "poll", "{}", NULL, "c");

        rc = rig->a.inst->call(rig->a.inst->self, &call);
        if (rc)
            break;
        accepted++;
    }
    assert_int_equal(rc, AHP_E_LIMIT);
    assert_int_equal(accepted, 4096);
    rig_unlock(&rig->a);
    rig_pass(rig, 2000);
    assert_int_equal(rig->a.fake->ends_count, 4096);
}

static void unknown_tools_are_refused(void **state)
{
    struct rig *rig = *state;
    ahp_call call = fake_host_call(rig->a.fake, "generate", "{}", NULL, "c");

    assert_int_equal(rig->a.inst->call(rig->a.inst->self, &call), AHP_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIDE_TEST(mistakes_name_field_and_choice),
        SIDE_TEST(harmless_slips_are_mended),
        SIDE_TEST(wait_seconds_is_a_bound),
        SIDE_TEST(the_deadline_is_kept),
        SIDE_TEST(cancel_ends_the_call_and_not_the_job),
        SIDE_TEST(same_again_is_the_same_job),
        SIDE_TEST(the_hosts_key_names_one_wish),
        SIDE_TEST(two_at_once_are_one),
        SIDE_TEST(detached_calls_return_at_once),
        SIDE_TEST(others_jobs_are_not_there),
        SIDE_TEST(no_conversation_is_one_too),
        SIDE_TEST(calls_bring_their_folders),
        SIDE_TEST(unknown_jobs_can_be_sent_again_by_a_person),
        SIDE_TEST(providers_words_are_scrubbed),
        SIDE_TEST(nothing_configured_says_how_to),
        SIDE_TEST(the_language_is_the_users),
        SIDE_TEST(too_many_calls_are_refused),
        SIDE_TEST(unknown_tools_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
