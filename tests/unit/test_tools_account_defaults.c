/*
 * test_tools_account_defaults.c - defaults that the tool account stores: used, kept, told when they
 * are wrong, and never overwritten where they are not understood.
 */
#include "account_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    json_t *json = side_ask(&rig->a, tool, "{\"prompt\":\"x\",\"dry_run\":true}", NULL, "c");

    assert_string_equal(text_at(json, "provider"), provider);
    assert_string_equal(text_at(json, "model"), model);
    json_decref(json);
}

static void expect_ok(struct rig *rig, const char *args, const char *message)
{
    json_t *json = ask_account(rig, args);

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

    account_configure(rig);
    side_open(&rig->a, "s");
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"none\"}", "none is the default");
    expect_plan(rig, "generate_image", "none", "gpt-image-1.5");
    expect_ok(rig, "{\"action\":\"set_default\",\"model\":\"m1\",\"kind\":\"image\"}", "m1");
    expect_ok(
        rig,
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
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"page\",\"kind\":\"video\"}",
              "videos");
    expect_plan(rig, "generate_video", "page", "v1");
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"\",\"kind\":\"video\"}",
              "forgotten");
    expect_plan(rig, "generate_video", "good", "sora-2");
    setenv("OPENCLAW_MEDIA_PROVIDER", "wrong", 1);
    json_t *json = ask_account(rig, "{\"action\":\"set_default\",\"provider\":\"none\"}");
    assert_non_null(strstr(text_at(json, "warning"), "OPENCLAW_MEDIA_PROVIDER"));
    json_decref(json);
    expect_plan(rig, "generate_image", "wrong", "gpt-image-1.5");
    unsetenv("OPENCLAW_MEDIA_PROVIDER");
    side_end(&rig->a);
    side_open(&rig->a, "s");
    expect_plan(rig, "generate_image", "none", "m1");
    expect_ok(rig, "{\"action\":\"set_default\",\"provider\":\"\"}", "forgotten");
    expect_plan(rig, "generate_image", "good", "gpt-image-1.5");
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
        {"{\"action\":\"set_default\",\"model\":\"m\",\"kind\":\"picture\"}", "kind",
         "image, edit"},
        {"{\"action\":\"set_default\",\"provider\":\"\",\"model\":\"m\",\"kind\":\"image\"}",
         "model", "no model"},
        {"{\"action\":\"dance\"}", "action", "status, check"},
    };
    struct rig *rig = *state;
    char path[400];

    account_configure(rig);
    side_open(&rig->a, "s");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        json_t *json = ask_account(rig, wrong[i].args);

        assert_string_equal(text_at(json, "error.field"), wrong[i].field);
        if (!strstr(text_at(json, "error.text"), wrong[i].text))
            fail_msg("%s: %s", wrong[i].args, text_at(json, "error.text"));
        json_decref(json);
    }
    defaults_file(rig, path);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_broken_defaults_file_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "{\n \"providers\": {\"all\": \"none\"\n", "[]", "{\"providers\":{\"all\":5}}",
        "{\"models\":{\"good\":\"m\"}}",           "",
    };
    struct rig *rig = *state;
    char path[400], after[400];

    account_configure(rig);
    side_open(&rig->a, "s");
    defaults_file(rig, path);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        json_t *json;

        write_defaults(rig, texts[i]);
        json = ask_account(rig, "{\"action\":\"set_default\",\"provider\":\"good\"}");
        assert_string_equal(text_at(json, "error.kind"), "config");
        assert_non_null(strstr(text_at(json, "error.text"), path));
        json_decref(json);
        read_defaults(rig, after, sizeof(after));
        assert_string_equal(after, texts[i]);
        /* Whom to pay is not guessed. */
        json = side_ask(&rig->a, "generate_image", "{\"prompt\":\"x\"}", NULL, "c");
        assert_non_null(strstr(text_at(json, "error.text"), path));
        json_decref(json);
        json = ask_account(rig, "{}");
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
}

static void a_folder_that_cannot_be_written(void **state)
{
    struct rig *rig = *state;
    char path[420];
    json_t *json;

    account_configure(rig);
    side_open(&rig->a, "s");
    defaults_file(rig, path);
    strncat(path, ".new", sizeof(path) - strlen(path) - 1);
    assert_int_equal(mkdir(path, 0700), 0); /* root may write anywhere else */
    json = ask_account(rig, "{\"action\":\"set_default\",\"provider\":\"good\"}");
    assert_string_equal(text_at(json, "error.kind"), "io");
    assert_non_null(strstr(text_at(json, "error.text"), "defaults.json"));
    json_decref(json);
    assert_int_equal(rmdir(path), 0);
}

/* Stop waits for what is being written; nobody is told twice, and the choice is on disk. */
static void stop_waits_for_a_default(void **state)
{
    struct rig *rig = *state;
    uint64_t id;

    account_configure(rig);
    side_open(&rig->a, "s");
    id = side_call(&rig->a, "account", "{\"action\":\"set_default\",\"provider\":\"none\"}", NULL,
                   "c");
    side_stop(&rig->a);
    assert_int_equal(side_end_of(&rig->a, id)->status, AHP_RESULT_SHUTDOWN);
    side_destroy(&rig->a);
    side_open(&rig->a, "s");
    expect_plan(rig, "generate_image", "none", "gpt-image-1.5");
    (void)side_call(&rig->a, "account", "{\"action\":\"set_default\",\"provider\":\"good\"}", NULL,
                    "c");
    side_destroy(&rig->a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(defaults_are_used_and_survive),
        RIG_TEST(default_mistakes_are_told),
        RIG_TEST(a_broken_defaults_file_is_left_alone),
        RIG_TEST(a_folder_that_cannot_be_written),
        RIG_TEST(stop_waits_for_a_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
