/*
 * test_tools_account.c - the tool account inside the whole plugin: the table of what is configured,
 * what providers say about keys, and keys that never show up anywhere.
 */
#include "account_rig.h"

#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void status_is_a_true_table(void **state)
{
    struct rig *rig = *state;
    const json_t *row;
    json_t *json;

    account_configure(rig);
    side_open(&rig->a, "s");
    json = ask_account(rig, "{\"action\":\"status\"}");
    assert_string_equal(text_at(json, "status"), "ok");
    assert_int_equal(json_array_size(json_object_get(json, "providers")), 5);
    row = account_row(json, "good");
    assert_true(json_is_true(json_object_get(row, "configured")));
    assert_string_equal(text_at(row, "key"), "\xE2\x80\xA6"
                                             "cdef");
    assert_non_null(strstr(text_at(row, "key_source"), "models.providers.good.apiKey in "));
    assert_non_null(strstr(text_at(row, "key_source"), rig->config));
    assert_int_equal(json_array_size(json_object_get(row, "default_for")), 3);
    row = account_row(json, "page");
    assert_null(json_object_get(row, "key")); /* too short to show any of it */
    assert_null(json_object_get(row, "default_for"));
    row = account_row(json, "broken");
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
    json = ask_account(rig, "{\"provider\":\"broken\"}");
    assert_int_equal(json_array_size(json_object_get(json, "providers")), 1);
    json_decref(json);
    json = ask_account(rig, "{\"provider\":\"god\"}");
    assert_string_equal(text_at(json, "error.field"), "provider");
    assert_non_null(strstr(text_at(json, "error.text"), "nearest: good"));
    json_decref(json);
    assert_int_equal(rig->checks, 0);
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
        json_t *json = ask_account(rig, "{}");

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
}

static void broken_edits_are_told_with_their_place(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    side_open(&rig->a, "s");
    rig_configure(rig, "\n {\n  sim: [,] }");
    json = ask_account(rig, "{}");
    assert_string_equal(text_at(json, "status"), "ok");
    assert_string_equal(text_at(json, "config.state"), "broken, the last good one is in use");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "config"), "line")),
                     3);
    assert_true(json_is_integer(json_object_get(json_object_get(json, "config"), "column")));
    assert_true(json_is_true(json_object_get(account_row(json, "sim"), "configured")));
    assert_non_null(strstr(text_at(json, "message"), "line 3"));
    json_decref(json);
    side_end(&rig->a);
    /* A new process has no last good one. */
    side_open(&rig->a, "s");
    json = ask_account(rig, "{}");
    assert_string_equal(text_at(json, "error.kind"), "config");
    assert_string_equal(text_at(json, "config.state"), "broken");
    json_decref(json);
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
        json = ask_account(rig, args);
        assert_non_null(strstr(text_at(json, "message"), rig->config));
        assert_non_null(strstr(text_at(json, "message"), "apiKey"));
        assert_non_null(strstr(text_at(json, "message"), "Do not paste keys"));
        json_decref(json);
    }
}

/* ---- check ---- */

static void check_tells_what_each_provider_says(void **state)
{
    static const struct {
        const char *id, *key, *kind;
    } expected[] = {
        {"good", "accepted", ""},
        {"wrong", "refused", "auth"},
        {"none", "cannot_tell", "not_found"},
        {"page", "cannot_tell", "answer"},
        {"broken", "unusable", "config"},
    };
    struct rig *rig = *state;
    json_t *json;

    account_configure(rig);
    side_open(&rig->a, "s");
    json = ask_account(rig, "{\"action\":\"check\"}");
    assert_int_equal(rig->checks, 4);
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        const json_t *row = account_row(json, expected[i].id);

        assert_string_equal(text_at(row, "key"), expected[i].key);
        assert_string_equal(text_at(row, "kind"), expected[i].kind);
        assert_int_equal(!*expected[i].kind, !*text_at(row, "advice"));
    }
    assert_int_equal(json_integer_value(json_object_get(account_row(json, "good"), "models")), 2);
    assert_non_null(strstr(text_at(json, "message"), "1 of 5"));
    assert_non_null(strstr(text_at(json, "message"), "wrong (the key is refused)"));
    json_decref(json);
    json = ask_account(rig, "{\"action\":\"check\",\"provider\":\"wrong\"}");
    assert_int_equal(json_array_size(json_object_get(json, "providers")), 1);
    assert_int_equal(rig->checks, 5);
    json_decref(json);
    assert_string_equal(rig_sql(&rig->a, "SELECT count(*) FROM jobs"), "0");
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
    json = ask_account(rig, "{\"action\":\"check\"}");
    assert_string_equal(text_at(account_row(json, "sim"), "key"), "unavailable");
    assert_non_null(strstr(text_at(account_row(json, "sim"), "text"), "15 s"));
    assert_in_range(rig->a.fake->now_ms - began, 14000, 16000);
    json_decref(json);
    configure_one(rig, "down");
    json = ask_account(rig, "{\"action\":\"check\"}");
    assert_string_equal(text_at(account_row(json, "sim"), "key"), "unavailable");
    assert_string_equal(text_at(account_row(json, "sim"), "kind"), "unavailable");
    assert_int_equal(rig->checks, 2);
    json_decref(json);
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

/* ---- keys ---- */

static void keys_in_arguments_are_refused_and_not_shown(void **state)
{
    static const char *const keys[] = {
        "sk-proj-AbCd1234EfGh5678",
        "0123456789abcdef0123456789abcdef",
        "Bearer abcdef0123456789xyz",
        "AIzaSyA1234567890abcdefghijk",
        "6f1c2d3e-4a5b-6c7d-8e9f-0a1b2c3d4e5f",
        RIG_KEY,
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
}

static void set_key_tells_where_the_key_goes(void **state)
{
    struct rig *rig = *state;
    json_t *json;

    side_open(&rig->a, "s");
    json = ask_account(
        rig, "{\"action\":\"set_key\",\"provider\":\"sim\",\"key_env\":\"MY_RELAY_KEY\"}");
    assert_string_equal(text_at(json, "error.kind"), "invalid");
    assert_non_null(strstr(text_at(json, "message"), "models.providers.sim.apiKey"));
    assert_non_null(strstr(text_at(json, "message"), "\"apiKey\": \"${MY_RELAY_KEY}\""));
    assert_non_null(strstr(text_at(json, "message"), rig->config));
    json_decref(json);
    json = ask_account(rig, "{\"action\":\"set_key\",\"key_env\":\"no name\"}");
    assert_string_equal(text_at(json, "error.field"), "key_env");
    json_decref(json);
    json = ask_account(rig, "{\"action\":\"remove_key\",\"provider\":\"sim\"}");
    assert_non_null(strstr(text_at(json, "message"), "comes from models.providers.sim.apiKey in "));
    json_decref(json);
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
        "sk-",
        "ask-me",
        "desk-pictures-of-2024-and-2025",
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
        "{}",
        "{\"action\":\"check\"}",
        "{\"action\":\"set_default\",\"provider\":\"none\"}",
        "{\"action\":\"set_default\",\"kind\":\"video\",\"model\":\"m\"}",
        "{\"action\":\"set_key\",\"provider\":\"good\"}",
    };
    struct rig *rig = *state;

    account_configure(rig);
    side_open(&rig->a, "s");
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        int32_t status = AHP_RESULT_ERROR;
        int over = 0;
        long nth;

        for (nth = 1; !over; nth++) {
            uint64_t id;

            over = side_call_starved(&rig->a, "account", calls[i], NULL, nth, 0, &id);
            if (id)
                status = side_end_of(&rig->a, id)->status;
        }
        assert_true(nth > 5);
        assert_int_equal(status, i < 4 ? AHP_RESULT_OK : AHP_RESULT_ERROR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(status_is_a_true_table),
        RIG_TEST(status_tells_the_models_that_are_used),
        RIG_TEST(broken_edits_are_told_with_their_place),
        RIG_TEST(nothing_configured_is_guidance),
        RIG_TEST(check_tells_what_each_provider_says),
        RIG_TEST(check_is_bounded_and_not_repeated),
        RIG_TEST(check_may_end_early),
        RIG_TEST(keys_in_arguments_are_refused_and_not_shown),
        RIG_TEST(set_key_tells_where_the_key_goes),
        cmocka_unit_test(what_looks_like_a_key),
        RIG_TEST(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
