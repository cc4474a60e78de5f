/* Secret fields: literal text, variables, files, and every way a reference can lead nowhere. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/openclaw_secret.h"
#include "unit/json_text.h"

static char file[64];

static int make_file(void **state)
{
    int fd;

    (void)state;
    snprintf(file, sizeof(file), "/tmp/clawmedia-test-XXXXXX");
    fd = mkstemp(file); /* mode 0600 */
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file);
}

static void put(const char *text)
{
    FILE *out = fopen(file, "wbe");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
    assert_int_equal(fclose(out), 0);
}

static const char *lookup(void *ud, const char *name)
{
    (void)ud;
    if (strcmp(name, "KEY_A") == 0)
        return "sk-aaaa";
    return strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static json_t *make_config(const char *mode)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "{\"secrets\":{\"providers\":{"
             "\"vault\":{\"source\":\"file\",\"path\":\"%s\"%s},"
             "\"some\":{\"source\":\"env\",\"allowlist\":[\"EMPTY\"]},"
             "\"nowhere\":{\"source\":\"file\",\"path\":\"keys.json\"}}}}",
             file, mode);
    return json_own(text);
}

static int ask(const char *mode, const char *input_text, char **ret_secret, char *ret_origin,
               struct openclaw_error *error)
{
    json_t *config = make_config(mode), *input = json_own(input_text);
    struct openclaw_env env;
    struct openclaw_secrets with = {config, &env, &openclaw_fs_system, "/nonexistent"};
    int rc;

    openclaw_env_init(&env, lookup, NULL);
    rc = openclaw_secret_get(&with, input, ret_secret, ret_origin, error);
    openclaw_env_done(&env);
    json_decref(config);
    json_decref(input);
    return rc;
}

static void expect_mode(const char *mode, const char *input, const char *secret, const char *origin)
{
    char got_origin[OPENCLAW_SECRET_ORIGIN_MAX], *got = NULL;
    struct openclaw_error error;

    if (ask(mode, input, &got, got_origin, &error) != 0)
        fail_msg("%s: %s %s", input, error.path, error.text);
    assert_string_equal(got, secret);
    assert_string_equal(got_origin, origin);
    free(got);
}

static void expect(const char *input, const char *secret, const char *origin)
{
    expect_mode("", input, secret, origin);
}

static void refuse_mode(const char *mode, const char *input, int code, const char *why)
{
    char origin[OPENCLAW_SECRET_ORIGIN_MAX], *got = NULL;
    struct openclaw_error error = {.text = ""};

    assert_int_equal(ask(mode, input, &got, origin, &error), code);
    assert_null(got);
    if (!strstr(error.text, why))
        fail_msg("%s: got: %s\nexpected: %s", input, error.text, why);
    assert_null(strstr(error.text, "sk-"));
}

static void refuse(const char *input, const char *why)
{
    refuse_mode("", input, OPENCLAW_E_INVALID, why);
}

static void test_text(void **state)
{
    (void)state;
    expect("\"sk-literal\"", "sk-literal", "text");
    expect("\"  sk literal\\n\"", "sk literal", "text");
    expect("\"$lower\"", "$lower", "text");
    expect("\"x${KEY_A}\"", "x${KEY_A}", "text");
    refuse_mode("", "null", OPENCLAW_E_MISSING, "nothing is configured");
    refuse_mode("", "\" \\t\"", OPENCLAW_E_MISSING, "nothing is configured");
    refuse("5", "must be text or an object");
    refuse("{\"source\":\"env\"}", "must be text or an object");
    refuse("{\"source\":\"cloud\",\"provider\":\"default\",\"id\":\"A\"}", "must be text");
    refuse("{\"source\":\"env\",\"provider\":\"default\",\"id\":\"KEY_A\",\"x\":1}",
           "must be text");
}

static void test_env(void **state)
{
    static const char from[] = "variable KEY_A (environment)";

    (void)state;
    expect("\"$KEY_A\"", "sk-aaaa", from);
    expect("\" ${KEY_A} \"", "sk-aaaa", from);
    expect("{\"source\":\"env\",\"provider\":\"default\",\"id\":\"KEY_A\"}", "sk-aaaa", from);
    expect("{\"source\":\"env\",\"id\":\"KEY_A\"}", "sk-aaaa", from);
    refuse("\"$UNSET\"", "UNSET is not set in the environment, or is empty");
    refuse("\"${EMPTY}\"", "EMPTY is not set in the environment, or is empty");
    refuse("{\"source\":\"env\",\"provider\":\"default\",\"id\":\"key_a\"}", "capital letter");
    refuse("{\"source\":\"env\",\"provider\":\"some\",\"id\":\"KEY_A\"}", "allowlist");
    refuse("{\"source\":\"env\",\"provider\":\"other\",\"id\":\"KEY_A\"}", "no secret provider");
    refuse("{\"source\":\"env\",\"provider\":\"vault\",\"id\":\"KEY_A\"}", "another source");
    refuse("{\"source\":\"env\",\"provider\":\"Bad\",\"id\":\"KEY_A\"}", "lower-case letter");
}

static void test_file_json(void **state)
{
    char from[128];

    (void)state;
    snprintf(from, sizeof(from), "file %s", file);
    put("\xef\xbb\xbf{\"a\":{\"b~c/"
        "d\":\"sk-1\"},\"l\":[\"x\",\"sk-2\"],\"\":\"sk-3\",\"n\":5,\"e\":\"\"}");
    expect("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/a/b~0c~1d\"}", "sk-1", from);
    expect("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/l/1\"}", "sk-2", from);
    expect("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/\"}", "sk-3", from);
    refuse("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/a/b\"}", "has no text at /a/b");
    refuse("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/l/01\"}", "has no text at");
    refuse("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/l/2\"}", "has no text at");
    refuse("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/a/b~2\"}", "has no text at");
    refuse("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"a\"}", "has no text at a");
    refuse("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/n\"}", "has no text at /n");
    refuse("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/e\"}", "has no text at /e");
    put("[\"sk-1\"]");
    refuse("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/0\"}",
           "does not hold a JSON object");
    put("{\"a\": sk-secret}");
    refuse("{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/a\"}", "is not valid JSON");
    refuse("{\"source\":\"file\",\"provider\":\"default\",\"id\":\"/a\"}", "no secret provider");
    refuse("{\"source\":\"file\",\"provider\":\"nowhere\",\"id\":\"/a\"}", "absolute path");
}

static void test_file_single_value(void **state)
{
    static const char mode[] = ",\"mode\":\"singleValue\"";
    static const char input[] = "{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"value\"}";
    char from[128];

    (void)state;
    snprintf(from, sizeof(from), "file %s", file);
    put("sk-one\r\n");
    expect_mode(mode, input, "sk-one", from);
    put("sk-two\n\n");
    expect_mode(mode, input, "sk-two\n", from);
    put("sk-three");
    expect_mode(mode, input, "sk-three", from);
    refuse_mode(mode, "{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/a\"}",
                OPENCLAW_E_INVALID, "needs the id");
    put("\n");
    refuse_mode(mode, input, OPENCLAW_E_INVALID, "is empty");
}

static void test_file_safety(void **state)
{
    static const char input[] = "{\"source\":\"file\",\"provider\":\"vault\",\"id\":\"/a\"}";
    char second[80];

    (void)state;
    put("{\"a\":\"sk-1\"}");
    assert_int_equal(chmod(file, 0640), 0);
    refuse(input, "others may read or change it");
    assert_int_equal(chmod(file, 0600), 0);
    snprintf(second, sizeof(second), "%s-2", file);
    assert_int_equal(link(file, second), 0);
    refuse(input, "hard links");
    assert_int_equal(unlink(second), 0);
    refuse_mode(",\"maxBytes\":5", input, OPENCLAW_E_INVALID, "too large");
    expect_mode("", input, "sk-1", (snprintf(second, sizeof(second), "file %s", file), second));
}

static void test_other_sources(void **state)
{
    (void)state;
    refuse("{\"source\":\"exec\",\"provider\":\"default\",\"id\":\"a\"}", "use source env or file");
    refuse("{\"source\":\"store\",\"provider\":\"default\",\"id\":\"a\"}",
           "use source env or file");
}

int main(void)
{
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_file, remove_file)
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_text),        FILE_TEST(test_env),
        FILE_TEST(test_file_json),   FILE_TEST(test_file_single_value),
        FILE_TEST(test_file_safety), FILE_TEST(test_other_sources),
    };

    return cmocka_run_group_tests_name("openclaw_secret", tests, NULL, NULL);
}
