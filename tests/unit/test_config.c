/* What config/ makes of the host's files: places, keys and their sources, problems, choosing. */
#include "config_home.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY(key) "{ baseUrl: 'https://x.example/v1', apiKey: " key ", models: [] }"


static void assert_place(const struct home *home, const char *got, const char *name)
{
    char *path = home_path(home, name);

    assert_string_equal(got, path);
    free(path);
}

static void assert_output(const struct home *home, const char *given, const char *kind,
                          const char *name)
{
    char *got = config_output_dir(home->config, given, kind);

    assert_place(home, got, name);
    mem_free(got);
}

static void set(const struct home *home, const char *name, const char *value)
{
    char text[256];

    snprintf(text, sizeof(text), "%s%s", *value == '@' ? home->path : "",
             *value == '@' ? value + 1 : value);
    assert_int_equal(setenv(name, text, 1), 0);
}

static const char *key_of(const struct home *home, const char *id)
{
    const struct config_provider *provider = config_provider_by_id(home->config, id);

    return provider ? provider->peer.secrets[0].value : NULL;
}

static void test_places(void **state)
{
    struct home *home = *state;
    char *got;

    home_open(home, NULL);
    assert_place(home, config_file(home->config), HOME_FILE);
    assert_place(home, config_state_dir(home->config), ".openclaw/clawmedia");
    assert_output(home, NULL, "image", "tmp/images");
    set(home, "OPENCLAW_CONFIG", "~/skill.json");
    home_open(home, NULL);
    assert_place(home, config_file(home->config), "skill.json");
    set(home, "OPENCLAW_CONFIG_PATH", " ./a/../host.json ");
    home_open(home, NULL);
    assert_place(home, config_file(home->config), "host.json");
    home_open(home, "{\"config_file\":\"given.json\",\"state_dir\":\"s\",\"workspace\":\"w\"}");
    assert_place(home, config_file(home->config), "given.json");
    assert_place(home, config_state_dir(home->config), "s");
    assert_output(home, NULL, "image", "w/tmp/images");
    home_open(home, "{\"workspace\":\"w\",\"output_dir\":\"./o/p\"}");
    assert_output(home, NULL, "image", "o/p/images");
    got = config_output_dir(home->config, "/agent/out", "video");
    assert_string_equal(got, "/agent/out/videos");
    mem_free(got);
    unsetenv("OPENCLAW_CONFIG_PATH");
    unsetenv("OPENCLAW_CONFIG");
    set(home, "OPENCLAW_STATE_DIR", "@/st");
    set(home, "MEDIA_GENERATION_OUTPUT_ROOT", "out");
    home_open(home, "{\"output_dir\":\"other\"}");
    assert_place(home, config_file(home->config), "st/openclaw.json");
    assert_place(home, config_state_dir(home->config), "st/clawmedia");
    assert_output(home, NULL, "video", "out/videos");
    /* The user's word stands above a caller's. */
    assert_output(home, "/agent/out", "video", "out/videos");
}

static void test_home(void **state)
{
    static const char *const ignored[] = {"", "  ", "undefined", "null"};
    struct home *home = *state;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++) {
        set(home, "OPENCLAW_HOME", ignored[i]);
        home_open(home, NULL);
        assert_place(home, config_file(home->config), HOME_FILE);
    }
    set(home, "OPENCLAW_HOME", "~/h");
    home_open(home, NULL);
    assert_place(home, config_file(home->config), "h/.openclaw/openclaw.json");
    home_put(home, "h/.clawdbot/clawdbot.json", "{}");
    home_open(home, NULL);
    assert_place(home, config_file(home->config), "h/.clawdbot/clawdbot.json");
    unsetenv("OPENCLAW_HOME");
    unsetenv("HOME");
    set(home, "USERPROFILE", "@/u");
    home_open(home, NULL);
    assert_place(home, config_file(home->config), "u/.openclaw/openclaw.json");
    set(home, "HOME", "@");
}

/* Each form of a key, and what people are told about where it came from. */
static void test_key_sources(void **state)
{
    static const struct {
        const char *key, *value, *source;
    } rows[] = {
        {"'sk-literal-1234'", "sk-literal-1234",
         "models.providers.x.apiKey in @/.openclaw/openclaw.json"},
        {"'${CM_KEY}'", "sk-env-1234567", "variable CM_KEY (environment)"},
        {"'$CM_KEY'", "sk-env-1234567", "variable CM_KEY (environment)"},
        {"'${FROM_DOT}'", "sk-dot-1234567", "variable FROM_DOT (@/.openclaw/.env)"},
        {"'${FROM_VARS}'", "sk-vars-123456", "variable FROM_VARS (env.vars)"},
        {"'a-${CM_KEY}'", "a-sk-env-1234567",
         "models.providers.x.apiKey in @/.openclaw/openclaw.json"},
        {"{ source: 'env', provider: 'default', id: 'CM_KEY' }", "sk-env-1234567",
         "variable CM_KEY (environment)"},
        {"{ source: 'file', provider: 'f', id: '/k' }", "sk-file-123456", "file @/keys (/k)"},
    };
    struct home *home = *state;

    set(home, "CM_KEY", "sk-env-1234567");
    home_put(home, ".openclaw/.env", "FROM_DOT=sk-dot-1234567\n");
    home_put(home, "keys", "{\"k\":\"sk-file-123456\"}");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct config_provider *provider;
        char text[1024], scrubbed[64], source[256];
        const char *at = strchr(rows[i].source, '@');

        snprintf(text, sizeof(text),
                 "{ models: { providers: { x: { baseUrl: ' https://x.example/v1// ', apiKey: %s } "
                 "} }, env: { vars: { FROM_VARS: 'sk-vars-123456' } }, secrets: { providers: { f: "
                 "{ source: 'file', path: '~/keys', mode: 'json' } } } }",
                 rows[i].key);
        home_put(home, HOME_FILE, text);
        home_open(home, NULL);
        provider = config_provider_at(home->config, 0);
        if (!provider)
            fail_msg("%s: %s", rows[i].key, config_problem_at(home->config, 0)->reason);
        assert_string_equal(key_of(home, "x"), rows[i].value);
        assert_string_equal(provider->account.base_url, "https://x.example/v1");
        assert_string_equal(provider->account.headers[0].value, "Bearer {{key}}");
        assert_string_equal(provider->key_tail, rows[i].value + strlen(rows[i].value) - 4);
        snprintf(source, sizeof(source), "%.*s%s%s", at ? (int)(at - rows[i].source) : 200,
                 rows[i].source, at ? home->path : "", at ? at + 1 : "");
        assert_string_equal(provider->key_source, source);
        snprintf(scrubbed, sizeof(scrubbed), "x %s y", rows[i].value);
        env_scrub(&home->mini.env, scrubbed);
        assert_null(strstr(scrubbed, rows[i].value));
    }
}

/* None of these disturbs the good one, and each says what is wrong with it. */
static void test_problems(void **state)
{
    static const struct {
        const char *id, *reason, *source;
        int is_incomplete;
    } rows[] = {
        {"a-exec", "use source env or file", "secret reference exec:k", 0},
        {"b-store", "use source env or file", "secret reference store:K", 0},
        {"c-unset", "CM_OTHER is not set", "variable CM_OTHER", 0},
        {"d-address", "not an http or https address", NULL, 0},
        {"e-nokey", "it has no apiKey", NULL, 1},
        {"f-noaddress", "it has no baseUrl", NULL, 1},
        {"g-number", "it is not an object", NULL, 0},
        {"h-header", "headers.X-A: CM_OTHER is not set", "apiKey in ", 0},
        {"i-name", "no name that an HTTP header may have", "apiKey in ", 0},
        {"j-proxy", "request.proxy", NULL, 0},
        {"k-tls", "request.tls", NULL, 0},
        {"l-file", "no secret provider", "secret reference file:/x", 0},
        {"m-lines", "line end", "apiKey in ", 0},
        {"n-variable", "baseUrl refers to a variable", NULL, 0},
        {"o-query", "must end with a path", NULL, 0},
        {"p-fragment", "must end with a path", NULL, 0},
        {"q-user", "not an http or https address", NULL, 0},
    };
    struct home *home = *state;
    const struct config_problem *problem;
    const char *how;

    home_put(home, HOME_FILE,
             "{ models: { providers: { z: " ENTRY("'sk-good-key'") ","
             "'a-exec': " ENTRY("{ source: 'exec', provider: 'p', id: 'k' }") ","
             "'b-store': " ENTRY("{ source: 'store', provider: 'default', id: 'K' }") ","
             "'c-unset': " ENTRY("'${CM_OTHER}'") ","
             "'d-address': { baseUrl: 'ftp://x', apiKey: 'k' },"
             "'e-nokey': { baseUrl: 'https://x', apiKey: ' ' },"
             "'f-noaddress': { apiKey: 'k' }, 'g-number': 3,"
             "'h-header': { baseUrl: 'https://x', apiKey: 'k', headers: { 'X-A': '$CM_OTHER' } },"
             "'i-name': { baseUrl: 'https://x', apiKey: 'k', headers: { 'X A': '1' } },"
             "'j-proxy': { baseUrl: 'https://x', apiKey: 'k', request: { proxy: { mode: "
             "'explicit-proxy', url: 'http://p' } } },"
             "'k-tls': { baseUrl: 'https://x', apiKey: 'k', request: { tls: { ca: 'c' } } },"
             "'l-file': " ENTRY("{ source: 'file', provider: 'p', id: '/x' }") ","
             "'m-lines': " ENTRY("'a\\nb'") ","
             "'n-variable': { baseUrl: 'https://${CM_OTHER}/v1', apiKey: 'k' },"
             "'o-query': { baseUrl: 'https://x/v1?version=2', apiKey: 'k' },"
             "'p-fragment': { baseUrl: 'https://x/v1#', apiKey: 'k' },"
             "'q-user': { baseUrl: 'https://me:p\\x40s/s\\x40x/v1?k=w', apiKey: 'k' } } } }");
    home_open(home, NULL);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        problem = config_problem_at(home->config, i);
        assert_non_null(problem);
        assert_string_equal(problem->id, rows[i].id);
        if (!strstr(problem->reason, rows[i].reason))
            fail_msg("%s: %s", problem->id, problem->reason);
        assert_int_equal(problem->is_incomplete, rows[i].is_incomplete);
        if (rows[i].source)
            assert_non_null(strstr(problem->key_source, rows[i].source));
    }
    assert_null(config_problem_at(home->config, sizeof(rows) / sizeof(*rows)));
    /* Addresses are shown, what some write into them is not. */
    problem = config_problem_at(home->config, sizeof(rows) / sizeof(*rows) - 1);
    assert_string_equal(problem->base_url, "https://***@x/v1?***");
    problem = config_problem_at(home->config, 3);
    assert_string_equal(problem->base_url, "ftp://x");
    problem = config_problem_at(home->config, sizeof(rows) / sizeof(*rows) - 2);
    assert_string_equal(problem->base_url, "https://x/v1?***");
    assert_non_null(config_provider_at(home->config, 0));
    assert_null(config_provider_at(home->config, 1));
    assert_null(config_provider_choose(home->config, "a-exec", &how, &home->err));
    assert_int_equal(home->err.kind, ERR_INVALID);
    assert_non_null(strstr(home->err.text, "use source env or file"));
}

static void test_headers(void **state)
{
    struct home *home = *state;
    const struct config_provider *provider;

    set(home, "CM_KEY", "sk-env-1234567");
    home_put(home, HOME_FILE,
             "{ models: { providers: {"
             "a: { baseUrl: 'https://x', apiKey: 'k', headers: { 'X-A': '$CM_KEY', 'X-E': '' } },"
             "b: { baseUrl: 'https://x', headers: { authorization: 'Basic abc' } },"
             "c: { baseUrl: 'https://x', apiKey: 'k', request: { auth: { mode: 'header', "
             "headerName: 'X-Key', value: '$CM_KEY' }, headers: { 'X-B': '2' } } },"
             "d: { baseUrl: 'https://x', request: { auth: { mode: 'authorization-bearer', token: "
             "'tok' }, proxy: { mode: 'env-proxy' } } } } } }");
    home_open(home, NULL);
    provider = config_provider_by_id(home->config, "a");
    assert_int_equal(provider->account.headers_count, 2);
    assert_string_equal(provider->account.headers[1].name, "X-A");
    assert_string_equal(provider->account.headers[1].value, "{{header1}}");
    assert_string_equal(provider->peer.secrets[1].value, "sk-env-1234567");
    provider = config_provider_by_id(home->config, "b");
    assert_int_equal(provider->account.headers_count, 1);
    assert_string_equal(provider->account.headers[0].value, "{{key}}");
    assert_string_equal(key_of(home, "b"), "Basic abc");
    provider = config_provider_by_id(home->config, "c");
    assert_int_equal(provider->account.headers_count, 2);
    assert_string_equal(provider->account.headers[0].name, "X-Key");
    assert_string_equal(key_of(home, "c"), "sk-env-1234567");
    assert_string_equal(key_of(home, "d"), "tok");
}

static void test_choosing(void **state)
{
    struct home *home = *state;
    const struct config_provider *provider;
    const char *how;

    home_put(home, HOME_FILE,
             "{ models: { providers: { a: " ENTRY("'k'") ", b: " ENTRY("'k'") ", c: " ENTRY("'k'")
             " } }, agents: { defaults: { mediaModels: { image: 'b/org/m', video: { primary: "
             "'nobody/v' } } } }, skills: { entries: { 'media-generation': { env: { "
             "OPENCLAW_MEDIA_VIDEO_MODEL: 'vid' } } } } }");
    home_open(home, NULL);
    provider = config_provider_choose(home->config, NULL, &how, &home->err);
    assert_string_equal(provider->account.id, "a");
    assert_string_equal(how, "first");
    provider = config_provider_choose_for(home->config, CONFIG_MODEL_IMAGE, NULL, &how, &home->err);
    assert_string_equal(provider->account.id, "b");
    assert_string_equal(how, "host");
    assert_string_equal(config_model_for(home->config, CONFIG_MODEL_EDIT, provider), "org/m");
    assert_string_equal(config_model_for(home->config, CONFIG_MODEL_VIDEO, provider), "vid");
    provider = config_provider_choose_for(home->config, CONFIG_MODEL_VIDEO, NULL, &how, &home->err);
    assert_string_equal(provider->account.id, "a");
    assert_null(config_model_for(home->config, CONFIG_MODEL_IMAGE, provider));
    home_open(home, "{\"settings\":{\"default_provider\":\"c\",\"providers\":{\"b\":"
                    "{\"image_model\":\"own\"}}}}");
    provider = config_provider_choose_for(home->config, CONFIG_MODEL_IMAGE, NULL, &how, &home->err);
    assert_string_equal(provider->account.id, "c");
    assert_string_equal(how, "setting");
    provider = config_provider_by_id(home->config, "b");
    assert_null(config_model_for(home->config, CONFIG_MODEL_IMAGE, provider));
    set(home, "OPENCLAW_MEDIA_PROVIDER", "b");
    provider = config_provider_choose(home->config, NULL, &how, &home->err);
    assert_string_equal(how, "environment");
    provider = config_provider_choose(home->config, "a", &how, &home->err);
    assert_string_equal(how, "argument");
    assert_null(config_provider_choose(home->config, "none", &how, &home->err));
}

static void test_skills(void **state)
{
    struct home *home = *state;
    const char *source;

    set(home, "CM_KEY", "sk-env-1234567");
    home_put(home, HOME_FILE,
             "{ skills: { entries: { s: { env: { CM_KEY: 'no', CM_OTHER: 'yes', E: '' } }, "
             "off: { enabled: false, env: { CM_OTHER: 'no' } } } } }");
    home_open(home, NULL);
    assert_string_equal(config_skill_variable(home->config, "s", "CM_KEY", &source),
                        "sk-env-1234567");
    assert_string_equal(source, "environment");
    assert_string_equal(config_skill_variable(home->config, "s", "CM_OTHER", &source), "yes");
    assert_string_equal(source, "skills.entries");
    assert_null(config_skill_variable(home->config, "s", "E", NULL));
    assert_null(config_skill_variable(home->config, "off", "CM_OTHER", NULL));
    /* The key of a service whose own skill has one, unless that is off. */
    home_put(home, HOME_FILE, "{ skills: { entries: { 'plume-image': { apiKey: '$CM_KEY' } } } }");
    home_open(home, NULL);
    assert_non_null(config_provider_by_id(home->config, "plume"));
    assert_string_equal(config_provider_by_id(home->config, "plume")->peer.secrets[0].value,
                        "sk-env-1234567");
    home_put(home, HOME_FILE, "{ skills: { entries: { 'plume-image': { enabled: false, apiKey: "
                              "'$CM_KEY' } } } }");
    home_open(home, NULL);
    assert_null(config_provider_by_id(home->config, "plume"));
}

static void test_settings(void **state)
{
    static const char *const rows[][2] = {
        {"{ default_provder: 'x' }", "config has the unknown key \"default_provder\"; did you mean "
                                     "\"default_provider\"?"},
        {"{ zzzzzzzzzz: 1 }", "allowed are default_provider, input_dirs, built_in_tools, confirm, "
                              "limits, allowed_hosts, providers"},
        {"{ providers: { x: { image_modle: 'm' } } }", "config.providers.x has the unknown key"},
        {"{ providers: { x: { poll_floor_ms: '1' } } }",
         "config.providers.x.poll_floor_ms must be of type integer"},
        {"{ providers: { x: { poll_floor_ms: -1 } } }", "poll_floor_ms must be at least 0"},
        {"{ providers: { x: { video_family: 'D' } } }", "video_family is none of A, B, C"},
        {"{ providers: { x: { prices: { m: { each: true } } } } }",
         "config.providers.x.prices.m.each must be of type number"},
        {"{ input_dirs: ['/a', 3] }", "config.input_dirs[1] must be of type string"},
        {"{ input_dirs: ['a'] }", "absolute paths"},
        {"{ default_provider: '' }", "must not be empty"},
        {"[]", "config must be of type object"},
    };
    struct home *home = *state;
    const char *roots[CONFIG_ROOTS_MAX];
    char text[256];

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        snprintf(text, sizeof(text), "{ plugins: { entries: { clawmedia: { config: %s } } } }",
                 rows[i][0]);
        home_put(home, HOME_FILE, text);
        assert_int_equal(home_try(home, NULL), -1);
        assert_int_equal(home->err.kind, ERR_CONFIG);
        if (!strstr(home->err.text, rows[i][1]) || !strstr(home->err.text, home->path))
            fail_msg("%s: %s", rows[i][0], home->err.text);
    }
    home_put(home, HOME_FILE,
             "{ plugins: { entries: { clawmedia: { config: { input_dirs: ['/in'], "
             "default_provider: 'x', providers: { x: { image_model: 'm', prices: { m: { each: 1, "
             "currency: 'EUR' } }, typical_seconds: 1.5, dialect: { a: [1] } } } } } } } }");
    home_open(home, NULL);
    assert_string_equal(json_string_value(config_setting(home->config, "default_provider")), "x");
    assert_int_equal(config_roots(home->config, NULL, NULL, roots), 4);
    assert_place(home, roots[CONFIG_ROOT_OUTPUT], "tmp");
    assert_string_equal(roots[3], "/in");
    /* A caller's own folders take the place of ours. */
    assert_int_equal(config_roots(home->config, "/agent", "/agent/out", roots), 4);
    assert_string_equal(roots[CONFIG_ROOT_WORKSPACE], "/agent");
    assert_string_equal(roots[CONFIG_ROOT_OUTPUT], "/agent/out");
    assert_string_equal(roots[3], "/in");
}

static void test_given(void **state)
{
    static const char *const rows[] = {"[]",
                                       "{",
                                       "{\"config_flie\":\"x\"}",
                                       "{\"workspace\":3}",
                                       "{\"locale\":3}",
                                       "{\"resume\":1}",
                                       "{\"settings\":[]}",
                                       "{\"settings\":{\"default_provder\":\"x\"}}"};
    struct home *home = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        ahp_text text = {rows[i], strlen(rows[i])};

        assert_int_equal(config_open(&home->mini.env, &text, &home->config, &home->err), -1);
        assert_int_equal(home->err.kind, ERR_INVALID);
    }
}

static void test_proxies(void **state)
{
    struct home *home = *state;
    struct net_options options = {0};

    set(home, "https_proxy", "http://small:1");
    set(home, "ALL_PROXY", "http://all:2");
    set(home, "NO_PROXY", "localhost");
    home_open(home, NULL);
    config_net_options(home->config, &options);
    assert_string_equal(options.https_proxy, "http://small:1");
    assert_string_equal(options.http_proxy, "http://all:2");
    assert_string_equal(options.no_proxy, "localhost");
    home_put(home, HOME_FILE, "{ proxy: { proxyUrl: 'http://managed:3' } }");
    home_open(home, NULL);
    config_net_options(home->config, &options);
    assert_string_equal(options.https_proxy, "http://managed:3");
    home_put(home, HOME_FILE, "{ proxy: { enabled: false, proxyUrl: 'http://managed:3' } }");
    home_open(home, NULL);
    config_net_options(home->config, &options);
    assert_string_equal(options.https_proxy, "http://small:1");
}

/* What the folder's own .env may and may not set; each source's rank is in tests/config. */
static void test_working_folder(void **state)
{
    struct home *home = *state;
    const char *source;

    home_put(home, ".env", "OPENAI_API_KEY=no\nOPENCLAW_MEDIA_PROVIDER=no\nCM_OTHER=yes\n");
    home_put(home, ".config/openclaw/gateway.env", "CM_OTHER=no\nCM_KEY=gate\n");
    home_open(home, NULL);
    assert_null(config_variable(home->config, "OPENAI_API_KEY", NULL));
    assert_null(config_variable(home->config, "OPENCLAW_MEDIA_PROVIDER", NULL));
    assert_string_equal(config_variable(home->config, "CM_OTHER", &source), "yes");
    assert_place(home, source, ".env");
    assert_string_equal(config_variable(home->config, "CM_KEY", &source), "gate");
    home_put(home, ".openclaw/.env", "CM_OTHER=\xff\n");
    home_open(home, NULL); /* not UTF-8: passed over, with a line in the log */
    assert_string_equal(config_variable(home->config, "CM_OTHER", NULL), "yes");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, home_make, home_remove)
    static const struct CMUnitTest tests[] = {
        TEST(test_places),  TEST(test_home),   TEST(test_key_sources), TEST(test_problems),
        TEST(test_headers), TEST(test_choosing), TEST(test_skills),    TEST(test_settings),
        TEST(test_given),   TEST(test_proxies), TEST(test_working_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
