/*
 * test_tools_account.c - the tool account inside the whole plugin: the table of what is configured,
 * what providers say about keys, defaults that are stored, and keys that never show up anywhere.
 */
#include "engine_rig.h"

#include "base/mem.h"
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    if (!rig)
        return -1;
    rig_open(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    mem_fail_after(0, 0);
    unsetenv("OPENCLAW_MEDIA_IMAGE_MODEL");
    rig_close(*state);
    free(*state);
    return 0;
}

/* Five providers on the raw server, one of them broken; names say what each does. */
static void configure_five(struct rig *rig)
{
    char text[1200];
    unsigned port = rig->server.port;

    snprintf(text, sizeof(text),
             "{ good: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '" RIG_KEY "' },"
             "  wrong: { baseUrl: 'http://127.0.0.1:%u/v1/', apiKey: 'sk-rig-wrong-0001' },"
             "  none: { baseUrl: 'http://127.0.0.1:%u/none/v1', apiKey: '" RIG_KEY "' },"
             "  page: { baseUrl: 'http://127.0.0.1:%u/page/v1', apiKey: 'short' },"
             "  broken: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '${RIG_NO_SUCH_KEY}' } }",
             port, port, port, port, port);
    rig_configure(rig, text);
}

static json_t *ask(struct rig *rig, const char *args)
{
    return side_ask(&rig->a, "account", args, NULL, "c");
}

static const json_t *row_of(const json_t *json, const char *id)
{
    const json_t *row;
    size_t index;

    json_array_foreach(json_object_get(json, "providers"), index, row)
        if (strcmp(text_at(row, "id"), id) == 0)
            return row;
    fail_msg("no row for %s", id);
    return NULL;
}

static void status_is_a_true_table(void **state)
{
    struct rig *rig = *state;
    const json_t *row;
    json_t *json;

    configure_five(rig);
    side_open(&rig->a, "s");
    json = ask(rig, "{\"action\":\"status\"}");
    assert_string_equal(text_at(json, "status"), "ok");
    assert_int_equal(json_array_size(json_object_get(json, "providers")), 5);
    row = row_of(json, "good");
    assert_true(json_is_true(json_object_get(row, "configured")));
    assert_string_equal(text_at(row, "key"), "\xE2\x80\xA6" "cdef");
    assert_non_null(strstr(text_at(row, "key_source"), "models.providers.good.apiKey in "));
    assert_non_null(strstr(text_at(row, "key_source"), rig->config));
    assert_int_equal(json_array_size(json_object_get(row, "default_for")), 3);
    row = row_of(json, "page");
    assert_null(json_object_get(row, "key")); /* too short to show any of it */
    assert_null(json_object_get(row, "default_for"));
    row = row_of(json, "broken");
    assert_true(json_is_false(json_object_get(row, "configured")));
    assert_non_null(strstr(text_at(row, "reason"), "RIG_NO_SUCH_KEY"));
    assert_string_equal(text_at(row, "file"), rig->config);
    assert_string_equal(text_at(row, "place"), "models.providers.broken");
    assert_string_equal(text_at(json, "defaults.image.provider"), "good");
    assert_string_equal(text_at(json, "defaults.image.why"), "first");
    assert_string_equal(text_at(json, "defaults.image.model"), "gpt-image-1.5");
    assert_string_equal(text_at(json, "config.state"), "ok");
    assert_non_null(strstr(text_at(json, "message"), "4 of 5"));
    json_decref(json);
    json = ask(rig, "{\"provider\":\"broken\"}");
    assert_int_equal(json_array_size(json_object_get(json, "providers")), 1);
    json_decref(json);
    json = ask(rig, "{\"provider\":\"god\"}");
    assert_string_equal(text_at(json, "error.field"), "provider");
    assert_non_null(strstr(text_at(json, "error.text"), "nearest: good"));
    json_decref(json);
    assert_int_equal(rig->checks, 0);
    side_end(&rig->a);
}

/* What status calls the default model is what a request then plans with. */
static void status_tells_the_models_that_are_used(void **state)
{
    static const char *const kinds[] = {"image", "video"};
    struct rig *rig = *state;
    char text[400], path[64];

    snprintf(text, sizeof(text),
             "{ sim: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '" RIG_KEY "',"
             "         models: [{ id: 'my-image-model' }, { id: 'my-video-model' }] } }",
             rig->server.port);
    rig_configure(rig, text);
    side_open(&rig->a, "s");
    for (int round = 0; round < 2; round++) {
        json_t *json = ask(rig, "{}");

        for (size_t i = 0; i < 2; i++) {
            json_t *plan = side_ask(&rig->a, i ? "generate_video" : "generate_image",
                                    "{\"prompt\":\"x\",\"dry_run\":true}", NULL, "c");

            snprintf(path, sizeof(path), "defaults.%s.model", kinds[i]);
            assert_string_equal(text_at(json, path), text_at(plan, "model"));
            json_decref(plan);
        }
        assert_string_equal(text_at(json, "defaults.image.model"),
                            round ? "from-env" : "my-image-model");
        assert_string_equal(text_at(json, "defaults.image.model_from"),
                            round ? "environment" : "provider");
        json_decref(json);
        setenv("OPENCLAW_MEDIA_IMAGE_MODEL", "from-env", 1);
    }
    side_end(&rig->a);
}

static void broken_edits_are_told_with_their_place(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    side_open(&rig->a, "s");
    rig_configure(rig, "\n {\n  sim: [,] }");
    json = ask(rig, "{}");
    assert_string_equal(text_at(json, "status"), "ok");
    assert_string_equal(text_at(json, "config.state"), "broken, the last good one is in use");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "config"), "line")),
                     3);
    assert_true(json_is_integer(json_object_get(json_object_get(json, "config"), "column")));
    assert_true(json_is_true(json_object_get(row_of(json, "sim"), "configured")));
    assert_non_null(strstr(text_at(json, "message"), "line 3"));
    json_decref(json);
    side_end(&rig->a);
    /* A new process has no last good one. */
    side_open(&rig->a, "s");
    json = ask(rig, "{}");
    assert_string_equal(text_at(json, "error.kind"), "config");
    assert_string_equal(text_at(json, "config.state"), "broken");
    json_decref(json);
    side_end(&rig->a);
}

static void nothing_configured_is_guidance(void **state)
{
    static const char *const actions[] = {"status", "check"};
    struct rig *rig = *state;
    char args[64];

    rig_configure(rig, "{}");
    side_open(&rig->a, "s");
    for (size_t i = 0; i < 2; i++) {
        json_t *json;

        snprintf(args, sizeof(args), "{\"action\":\"%s\"}", actions[i]);
        json = ask(rig, args);
        assert_non_null(strstr(text_at(json, "message"), rig->config));
        assert_non_null(strstr(text_at(json, "message"), "apiKey"));
        assert_non_null(strstr(text_at(json, "message"), "Do not paste keys"));
        json_decref(json);
    }
    side_end(&rig->a);
}

/* ---- check ---- */

static void check_tells_what_each_provider_says(void **state)
{
    static const struct {
        const char *id, *key, *kind;
    } expected[] = {
        {"good", "accepted", ""},      {"wrong", "refused", "auth"},
        {"none", "cannot_tell", "not_found"}, {"page", "cannot_tell", "answer"},
        {"broken", "unusable", "config"},
    };
    struct rig *rig = *state;
    json_t *json;

    configure_five(rig);
    side_open(&rig->a, "s");
    json = ask(rig, "{\"action\":\"check\"}");
    assert_int_equal(rig->checks, 4);
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        const json_t *row = row_of(json, expected[i].id);

        assert_string_equal(text_at(row, "key"), expected[i].key);
        assert_string_equal(text_at(row, "kind"), expected[i].kind);
        assert_int_equal(!*expected[i].kind, !*text_at(row, "advice"));
    }
    assert_int_equal(json_integer_value(json_object_get(row_of(json, "good"), "models")), 2);
    assert_non_null(strstr(text_at(json, "message"), "1 of 5"));
    assert_non_null(strstr(text_at(json, "message"), "wrong (the key is refused)"));
    json_decref(json);
    json = ask(rig, "{\"action\":\"check\",\"provider\":\"wrong\"}");
    assert_int_equal(json_array_size(json_object_get(json, "providers")), 1);
    assert_int_equal(rig->checks, 5);
    json_decref(json);
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");
    side_end(&rig->a);
}

static void configure_one(struct rig *rig, const char *where)
{
    char text[300];

    snprintf(text, sizeof(text),
             "{ sim: { baseUrl: 'http://127.0.0.1:%u/%s/v1', apiKey: '" RIG_KEY "' } }",
             rig->server.port, where);
    rig_configure(rig, text);
}

static void check_is_bounded_and_not_repeated(void **state)
{
    struct rig *rig = *state;
    json_t *json;
    int64_t began;

    configure_one(rig, "hold");
    side_open(&rig->a, "s");
    began = rig->a.fake->now_ms;
    json = ask(rig, "{\"action\":\"check\"}");
    assert_string_equal(text_at(row_of(json, "sim"), "key"), "unavailable");
    assert_non_null(strstr(text_at(row_of(json, "sim"), "text"), "15 s"));
    assert_in_range(rig->a.fake->now_ms - began, 14000, 16000);
    json_decref(json);
    configure_one(rig, "down");
    json = ask(rig, "{\"action\":\"check\"}");
    assert_string_equal(text_at(row_of(json, "sim"), "key"), "unavailable");
    assert_string_equal(text_at(row_of(json, "sim"), "kind"), "unavailable");
    assert_int_equal(rig->checks, 2);
    json_decref(json);
    side_end(&rig->a);
}

static int is_asked(void *ud)
{
    return ((struct rig *)ud)->checks > 0;
}

/* The call, the instance, or both end while the provider thinks. */
static void check_may_end_early(void **state)
{
    struct rig *rig = *state;

    configure_one(rig, "hold");
    for (int way = 0; way < 4; way++) {
        uint64_t id;

        rig->checks = 0;
        side_open(&rig->a, "s");
        id = side_call(&rig->a, "account", "{\"action\":\"check\"}", NULL, "c");
        assert_int_equal(rig_run(rig, is_asked, rig), 0);
        if (way == 0 || way == 1) {
            assert_int_equal(rig->a.inst->cancel(rig->a.inst->self, id), AHP_OK);
            assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_CANCELLED);
        }
        if (way == 1)
            rig_pass(rig, 20000);
        if (way == 3) {
            side_destroy(&rig->a);
            continue;
        }
        side_stop(&rig->a);
        if (way == 2)
            assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_SHUTDOWN);
        side_destroy(&rig->a);
    }
}

/* ---- defaults ---- */

static void defaults_file(const struct rig *rig, char ret_path[400])
{
    snprintf(ret_path, 400, "%s/s/defaults.json", rig->dir);
}

static void write_defaults(const struct rig *rig, const char *text)
{
    char path[400], other[410];
    FILE *file;

    defaults_file(rig, path);
    snprintf(other, sizeof(other), "%s.test", path);
    file = fopen(other, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(other, path), 0);
}

static void read_defaults(const struct rig *rig, char *ret_text, size_t size)
{
    char path[400];
    FILE *file;

    defaults_file(rig, path);
    file = fopen(path, "re");
    assert_non_null(file);
    ret_text[fread(ret_text, 1, size - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
}

static void expect_plan(struct rig *rig, const char *tool, const char *provider, const char *model)
{
    json_t *json =
        side_ask(&rig->a, tool, "{\"prompt\":\"x\",\"dry_run\":true}", NULL, "c");

    assert_string_equal(text_at(json, "provider"), provider);
    assert_string_equal(text_at(json, "model"), model);
    json_decref(json);
}

static void expect_ok(struct rig *rig, const char *args, const char *message)
{
    json_t *json = ask(rig, args);

    assert_string_equal(text_at(json, "status"), "ok");
    if (!strstr(text_at(json, "message"), message))
        fail_msg("%s: %s", args, text_at(json, "message"));
    json_decref(json);
}

static void defaults_are_used_and_survive(void **state)
{
    struct rig *rig = *state;
    struct stat st;
    char path[400];

    configure_five(rig);
    side_open(&rig->a, "s");
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"none\"}", "none is the default");
    expect_plan(rig, "generate_image", "none", "gpt-image-1.5");
    expect_ok(rig, "{\"action\":\"set_default\",\"model\":\"m1\",\"kind\":\"image\"}", "m1");
    expect_ok(rig,
              "{\"action\":\"set_default\",\"provider\":\"page\",\"model\":\"v1\",\"kind\":\"video\"}",
              "page with v1");
    expect_plan(rig, "generate_image", "none", "m1");
    expect_plan(rig, "generate_video", "page", "v1");
    defaults_file(rig, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    side_end(&rig->a);
    side_open(&rig->a, "s");
    expect_plan(rig, "generate_image", "none", "m1");
    expect_plan(rig, "generate_video", "page", "v1");
    /* A model belongs to its provider. */
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"good\"}", "good");
    expect_plan(rig, "generate_image", "good", "gpt-image-1.5");
    expect_plan(rig, "generate_video", "good", "sora-2");
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"page\",\"kind\":\"video\"}", "videos");
    expect_plan(rig, "generate_video", "page", "v1");
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"\",\"kind\":\"video\"}", "forgotten");
    expect_plan(rig, "generate_video", "good", "sora-2");
    setenv("OPENCLAW_MEDIA_PROVIDER", "wrong", 1);
    json_t *json = ask(rig, "{\"action\":\"set_default\",\"provider\":\"none\"}");
    assert_non_null(strstr(text_at(json, "warning"), "OPENCLAW_MEDIA_PROVIDER"));
    json_decref(json);
    expect_plan(rig, "generate_image", "wrong", "gpt-image-1.5");
    unsetenv("OPENCLAW_MEDIA_PROVIDER");
    side_end(&rig->a);
    side_open(&rig->a, "s");
    expect_plan(rig, "generate_image", "none", "m1");
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"\"}", "forgotten");
    expect_plan(rig, "generate_image", "good", "gpt-image-1.5");
    side_end(&rig->a);
}

static void default_mistakes_are_told(void **state)
{
    static const struct {
        const char *args, *field, *text;
    } wrong[] = {
        {"{\"action\":\"set_default\"}", "provider", "needs a provider"},
        {"{\"action\":\"set_default\",\"provider\":\"wrnog\"}", "provider", "nearest: wrong"},
        {"{\"action\":\"set_default\",\"provider\":\"broken\"}", "provider", "RIG_NO_SUCH_KEY"},
        {"{\"action\":\"set_default\",\"model\":\"m\"}", "kind", "kind is missing"},
        {"{\"action\":\"set_default\",\"model\":\"\",\"kind\":\"image\"}", "model", "empty"},
        {"{\"action\":\"set_default\",\"model\":\"m\",\"kind\":\"picture\"}", "kind", "image, edit"},
        {"{\"action\":\"set_default\",\"provider\":\"\",\"model\":\"m\",\"kind\":\"image\"}", "model",
         "no model"},
        {"{\"action\":\"dance\"}", "action", "status, check"},
    };
    struct rig *rig = *state;
    char path[400];

    configure_five(rig);
    side_open(&rig->a, "s");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        json_t *json = ask(rig, wrong[i].args);

        assert_string_equal(text_at(json, "error.field"), wrong[i].field);
        if (!strstr(text_at(json, "error.text"), wrong[i].text))
            fail_msg("%s: %s", wrong[i].args, text_at(json, "error.text"));
        json_decref(json);
    }
    defaults_file(rig, path);
    assert_int_equal(access(path, F_OK), -1);
    side_end(&rig->a);
}

static void a_broken_defaults_file_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "{\n \"providers\": {\"all\": \"none\"\n", "[]", "{\"providers\":{\"all\":5}}",
        "{\"models\":{\"good\":\"m\"}}", "",
    };
    struct rig *rig = *state;
    char path[400], after[400];

    configure_five(rig);
    side_open(&rig->a, "s");
    defaults_file(rig, path);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        json_t *json;

        write_defaults(rig, texts[i]);
        json = ask(rig, "{\"action\":\"set_default\",\"provider\":\"good\"}");
        assert_string_equal(text_at(json, "error.kind"), "config");
        assert_non_null(strstr(text_at(json, "error.text"), path));
        json_decref(json);
        read_defaults(rig, after, sizeof(after));
        assert_string_equal(after, texts[i]);
        /* Whom to pay is not guessed. */
        json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, "c");
        assert_non_null(strstr(text_at(json, "error.text"), path));
        json_decref(json);
        json = ask(rig, "{}");
        assert_int_equal(json_array_size(json_object_get(json, "providers")), 5);
        assert_non_null(strstr(text_at(json, "warning"), path));
        json_decref(json);
    }
    assert_int_equal(rig->spends, 0);
    /* Members of a later version stay. */
    write_defaults(rig, "{\"later\":{\"x\":1},\"providers\":{\"all\":\"none\"}}");
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"good\"}", "good");
    read_defaults(rig, after, sizeof(after));
    assert_non_null(strstr(after, "later"));
    /* One that is no longer configured is said to be the reason. */
    write_defaults(rig, "{\"providers\":{\"all\":\"gone\"}}");
    json_t *json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, "c");
    assert_non_null(strstr(text_at(json, "error.text"), "set_default"));
    json_decref(json);
    side_end(&rig->a);
}

static void a_folder_that_cannot_be_written(void **state)
{
    struct rig *rig = *state;
    char path[420];
    json_t *json;

    configure_five(rig);
    side_open(&rig->a, "s");
    defaults_file(rig, path);
    strncat(path, ".new", sizeof(path) - strlen(path) - 1);
    assert_int_equal(mkdir(path, 0700), 0); /* root may write anywhere else */
    json = ask(rig, "{\"action\":\"set_default\",\"provider\":\"good\"}");
    assert_string_equal(text_at(json, "error.kind"), "io");
    assert_non_null(strstr(text_at(json, "error.text"), "defaults.json"));
    json_decref(json);
    assert_int_equal(rmdir(path), 0);
    side_end(&rig->a);
}

/* Stop waits for what is being written; nobody is told twice, and the choice is on disk. */
static void stop_waits_for_a_default(void **state)
{
    struct rig *rig = *state;
    uint64_t id;

    configure_five(rig);
    side_open(&rig->a, "s");
    id = side_call(&rig->a, "account", "{\"action\":\"set_default\",\"provider\":\"none\"}", NULL, "c");
    side_stop(&rig->a);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_SHUTDOWN);
    side_destroy(&rig->a);
    side_open(&rig->a, "s");
    expect_plan(rig, "generate_image", "none", "gpt-image-1.5");
    (void)side_call(&rig->a, "account", "{\"action\":\"set_default\",\"provider\":\"good\"}", NULL,
                    "c");
    side_destroy(&rig->a);
}

/* ---- keys ---- */

static void keys_in_arguments_are_refused_and_not_shown(void **state)
{
    static const char *const keys[] = {
        "sk-proj-AbCd1234EfGh5678",         "0123456789abcdef0123456789abcdef",
        "Bearer abcdef0123456789xyz",       "AIzaSyA1234567890abcdefghijk",
        "6f1c2d3e-4a5b-6c7d-8e9f-0a1b2c3d4e5f", RIG_KEY,
        "short-known-key", /* is configured */
    };
    static const char *const shapes[] = {
        "{\"action\":\"set_key\",\"key\":\"%s\"}",
        "{\"action\":\"set_key\",\"key_env\":\"%s\"}",
        "{\"action\":\"set_key\",\"key_file\":\"%s\"}",
        "{\"action\":\"set_key\",\"provider\":\"%s\"}",
        "{\"action\":\"set_default\",\"kind\":\"image\",\"model\":\"%s\"}",
        "{\"action\":\"%s\"}",
        "{\"action\":\"set_key\",\"provider\":[\"%s\"]}",
        "{\"action\":\"set_key\",\"%s\":1}",
        "{\"action\":\"set_key\",\"key\":{\"value\":\"%s\"}}",
        "{\"action\":\"set_key\" \"%s\"}",
        "{\"action\":\"check\",\"provider\":\"%s\"}",
    };
    struct rig *rig = *state;
    char args[300], text[300];

    snprintf(text, sizeof(text),
             "{ sim: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '" RIG_KEY "' },"
             "  two: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: 'short-known-key' } }",
             rig->server.port, rig->server.port);
    rig_configure(rig, text);
    side_open(&rig->a, "s");
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        for (size_t j = 0; j < sizeof(shapes) / sizeof(*shapes); j++) {
            const struct fake_end *end;
            size_t len = strcspn(shapes[j], "%");

            snprintf(args, sizeof(args), "%.*s%s%s", (int)len, shapes[j], keys[i],
                     shapes[j] + len + 2);
            end = side_end_of(&rig->a, side_call(&rig->a, "account", args, NULL, "c"));
            assert_int_equal(end->status, AHP_RESULT_ERROR);
            if (strstr(end->json, keys[i]))
                fail_msg("%s gave %s", args, end->json);
            assert_false(side_logged(&rig->a, keys[i]));
        }
    }
    assert_int_equal(rig->checks, 0);
    side_end(&rig->a);
}

static void set_key_tells_where_the_key_goes(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    side_open(&rig->a, "s");
    json = ask(rig, "{\"action\":\"set_key\",\"provider\":\"sim\",\"key_env\":\"MY_RELAY_KEY\"}");
    assert_string_equal(text_at(json, "error.kind"), "invalid");
    assert_non_null(strstr(text_at(json, "message"), "models.providers.sim.apiKey"));
    assert_non_null(strstr(text_at(json, "message"), "\"apiKey\": \"${MY_RELAY_KEY}\""));
    assert_non_null(strstr(text_at(json, "message"), rig->config));
    json_decref(json);
    json = ask(rig, "{\"action\":\"set_key\",\"key_env\":\"no name\"}");
    assert_string_equal(text_at(json, "error.field"), "key_env");
    json_decref(json);
    json = ask(rig, "{\"action\":\"remove_key\",\"provider\":\"sim\"}");
    assert_non_null(strstr(text_at(json, "message"), "comes from models.providers.sim.apiKey in "));
    json_decref(json);
    side_end(&rig->a);
}

static void what_looks_like_a_key(void **state)
{
    static const char *const no[] = {
        "",
        "openai",
        "gpt-image-1.5",
        "gpt-image-2-2026-04-21",
        "doubao-seedream-4-0-250828",
        "stable_diffusion_xl_turbo_v1_0",
        "models/veo-3.1-generate-preview",
        "black-forest-labs/flux-1.1-pro-ultra",
        "a red boat on a quiet lake at 5 o'clock",
        "OPENAI_API_KEY",
        "/home/me/.openclaw/secrets/relay2.txt",
        "key-frame-animation",
        "sk-", "ask-me", "desk-pictures-of-2024-and-2025",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
        if (text_looks_like_key(no[i]))
            fail_msg("\"%s\" is no key", no[i]);
    assert_false(text_looks_like_key(NULL));
    assert_true(text_looks_like_key("it is sk-proj-0123456789abcdef, please"));
    assert_true(text_looks_like_key("{\"k\":\"gsk_0123456789abcdef\"}"));
}

/* Every allocation failing in turn: each call ends once, with the table or with an error. */
static void memory_may_run_out_anywhere(void **state)
{
    static const char *const calls[] = {
        "{}", "{\"action\":\"check\"}", "{\"action\":\"set_default\",\"provider\":\"none\"}",
        "{\"action\":\"set_default\",\"kind\":\"video\",\"model\":\"m\"}",
        "{\"action\":\"set_key\",\"provider\":\"good\"}",
    };
    struct rig *rig = *state;

    configure_five(rig);
    side_open(&rig->a, "s");
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        int ended_well = 0;

        for (long nth = 1; nth < 200 && ended_well < 3; nth++) {
            ahp_call call = fake_host_call(rig->a.fake, "account", calls[i], NULL, "c");
            const struct fake_end *end;
            int32_t rc;

            mem_fail_after(nth, 0);
            rc = rig->a.inst->call(rig->a.inst->self, &call);
            mem_fail_after(0, 0);
            if (rc == AHP_E_NOMEM)
                continue;
            assert_int_equal(rc, AHP_OK);
            end = side_end_of(&rig->a, call.id);
            ended_well = end->status == AHP_RESULT_OK ? ended_well + 1 : 0;
        }
        if (i < 4)
            assert_true(ended_well > 0);
    }
    side_end(&rig->a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(status_is_a_true_table, setup, teardown),
        cmocka_unit_test_setup_teardown(status_tells_the_models_that_are_used, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_edits_are_told_with_their_place, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_configured_is_guidance, setup, teardown),
        cmocka_unit_test_setup_teardown(check_tells_what_each_provider_says, setup, teardown),
        cmocka_unit_test_setup_teardown(check_is_bounded_and_not_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(check_may_end_early, setup, teardown),
        cmocka_unit_test_setup_teardown(defaults_are_used_and_survive, setup, teardown),
        cmocka_unit_test_setup_teardown(default_mistakes_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_defaults_file_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_waits_for_a_default, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_in_arguments_are_refused_and_not_shown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(set_key_tells_where_the_key_goes, setup, teardown),
        cmocka_unit_test(what_looks_like_a_key),
        cmocka_unit_test_setup_teardown(memory_may_run_out_anywhere, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
