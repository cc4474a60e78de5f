/* The life of what config/ has read: every kind of change, broken edits, and too little memory. */
#include "config_home.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONE(key) "{ models: { providers: { x: { baseUrl: 'https://x/v1', apiKey: " key " } } } }"

static const char *key(const struct home *home)
{
    const struct config_provider *provider = config_provider_by_id(home->config, "x");

    return provider ? provider->peer.secrets[0].value : NULL;
}

static void refresh(struct home *home, const char *expected)
{
    if (config_refresh(home->config, &home->err))
        fail_msg("config_refresh: %s", home->err.text);
    if (expected)
        assert_string_equal(key(home), expected);
    else
        assert_null(key(home));
}

static void refuse(struct home *home, const char *name, const char *text, const char *kept)
{
    for (int i = 0; i < 2; i++) { /* the second time from memory */
        assert_int_equal(config_refresh(home->config, &home->err), -1);
        assert_int_equal(home->err.kind, ERR_CONFIG);
        if (!strstr(home->err.text, name) || !strstr(home->err.text, text))
            fail_msg("\"%s\" and \"%s\" should be in: %s", name, text, home->err.text);
        assert_string_equal(key(home), kept);
    }
}

static void test_edit(void **state)
{
    struct home *home = *state;
    const struct config_provider *before;

    home_open(home, NULL);
    assert_null(config_provider_at(home->config, 0));
    home_put(home, HOME_FILE, ONE("'sk-one'"));
    refresh(home, "sk-one");
    before = config_provider_at(home->config, 0);
    refresh(home, "sk-one");
    assert_ptr_equal(before, config_provider_at(home->config, 0)); /* nothing was read again */
    home_put(home, HOME_FILE, ONE("'sk-two!'"));
    refresh(home, "sk-two!");
    home_put(home, HOME_FILE, "{\n  models: ]\n}");
    refuse(home, "openclaw.json", "line 2, column 11", "sk-two!");
    home_put(home, HOME_FILE, "{ plugins: { entries: { clawmedia: { config: { bogus: 1 } } } } }");
    refuse(home, "openclaw.json", "bogus", "sk-two!");
    home_put(home, HOME_FILE, ONE("'sk-three'"));
    refresh(home, "sk-three");
    home_drop(home, HOME_FILE);
    refresh(home, NULL);
    home_put(home, HOME_FILE, ONE("'sk-four'"));
    refresh(home, "sk-four");
}

static void test_parts(void **state)
{
    struct home *home = *state;

    home_put(home, HOME_FILE, "{ models: { $include: 'parts/models.json' } }");
    home_put(home, ".openclaw/parts/models.json", "{ providers: { $include: 'more.json' } }");
    home_put(home, ".openclaw/parts/more.json",
             "{ x: { baseUrl: 'https://x', apiKey: 'sk-one' } }");
    home_open(home, NULL);
    assert_string_equal(key(home), "sk-one");
    home_put(home, ".openclaw/parts/more.json", "{ x: { baseUrl: 'https://x', apiKey: 'sk-2' } }");
    refresh(home, "sk-2");
    home_put(home, ".openclaw/parts/more.json", "{ x: ");
    refuse(home, "more.json", "line 1, column 6", "sk-2");
    home_drop(home, ".openclaw/parts/more.json");
    refuse(home, "models.json", "not there", "sk-2");
    home_put(home, ".openclaw/parts/more.json", "{ x: { baseUrl: 'https://x', apiKey: 'sk-3' } }");
    refresh(home, "sk-3");
}

static void test_sources(void **state)
{
    struct home *home = *state;

    home_put(home, HOME_FILE, ONE("'${CM_KEY}'"));
    home_open(home, NULL);
    assert_null(key(home));
    home_put(home, ".openclaw/.env", "CM_KEY=dot");
    refresh(home, "dot");
    home_put(home, ".env", "CM_KEY=folder");
    refresh(home, "folder");
    assert_int_equal(setenv("CM_KEY", "process", 1), 0);
    refresh(home, "process");
    unsetenv("CM_KEY"); /* at the end of a turn: jobs go on with what they had */
    refresh(home, "process");
    home_drop(home, ".env");
    refresh(home, "dot");
}

static void test_secret_file(void **state)
{
    struct home *home = *state;

    home_put(home, HOME_FILE,
             "{ models: { providers: { x: { baseUrl: 'https://x', apiKey: { source: 'file', "
             "provider: 'f', id: 'value' } } } }, secrets: { providers: { f: { source: 'file', "
             "path: '@/key', mode: 'singleValue' } } } }");
    home_open(home, NULL);
    assert_null(key(home));
    assert_non_null(strstr(config_problem_at(home->config, 0)->reason, "is not there"));
    home_put(home, "key", "sk-one\n");
    refresh(home, "sk-one");
    home_put(home, "key", "sk-two\n");
    refresh(home, "sk-two");
    home_put_mode(home, "key", "sk-two\n", 0644);
    refresh(home, NULL);
    assert_non_null(strstr(config_problem_at(home->config, 0)->reason, "chmod 600"));
    home_put(home, "key", "sk-three\n");
    refresh(home, "sk-three");
}

/* Every allocation fails once: no leak, no half-made state, and the next try succeeds. */
static void test_memory(void **state)
{
    struct home *home = *state;
    long n;

    assert_int_equal(setenv("CM_KEY", "sk-env-1234567", 1), 0);
    home_put(home, HOME_FILE,
             "{ models: { providers: { x: { baseUrl: 'https://x', apiKey: '${CM_KEY}', headers: { "
             "'X-A': { source: 'file', provider: 'f', id: '/k' } } }, y: { apiKey: '$NOPE' } } }, "
             "secrets: { providers: { f: { source: 'file', path: '@/keys' } } }, skills: { "
             "$include: 'skills.json' } }");
    home_put(home, ".openclaw/skills.json", "{ entries: { s: { apiKey: '${CM_OTHER}' } } }");
    home_put(home, ".openclaw/.env", "CM_OTHER=\"a\\nb\"\n");
    home_put(home, "keys", "{\"k\":\"sk-header\"}");
    for (n = 1; n < 2000; n++) {
        struct config *config = NULL;
        long before = mem_count();
        int rc, is_over;

        mem_fail_after(n, 0);
        rc = config_open(&home->mini.env, NULL, &config, &home->err);
        if (rc == 0)
            rc = config_refresh(config, &home->err);
        mem_fail_after(0, 0);
        is_over = mem_count() - before < n;
        if (rc) {
            assert_int_equal(home->err.kind, ERR_NOMEM);
            if (config) {
                assert_int_equal(config_refresh(config, &home->err), 0);
                assert_non_null(config_provider_by_id(config, "x"));
            }
        } else {
            if (!config_provider_by_id(config, "x"))
                fail_msg("allocation %ld: %s", n,
                         config_problem_at(config, 0) ? config_problem_at(config, 0)->reason : "");
            assert_non_null(config_problem_at(config, 0));
        }
        config_close(config);
        if (is_over)
            break;
    }
    assert_in_range(n, 50, 1999);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, home_make, home_remove)
    static const struct CMUnitTest tests[] = {
        TEST(test_edit),        TEST(test_parts),  TEST(test_sources),
        TEST(test_secret_file), TEST(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
