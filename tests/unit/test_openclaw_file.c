/* The host's configuration file on real files in a folder of our own: $include, merging, limits,
 * and "${NAME}" with the values that the host itself gave for the same texts. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <ftw.h>
#include <cmocka.h>

#include "config/openclaw_env.h"
#include "config/openclaw_file.h"
#include "unit/json_text.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static char folder[64];

static char *in_folder(const char *name)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void put_file(const char *name, const char *text, size_t len)
{
    FILE *out = fopen(in_folder(name), "wbe");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static void put(const char *name, const char *text)
{
    put_file(name, text, strlen(text));
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/clawmedia-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    return mkdir(in_folder("sub"), 0700) == 0 && mkdir(in_folder("conf"), 0700) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Takes value. */
static void expect_json(json_t *value, const char *expected_text)
{
    json_t *expected = json_own(expected_text);

    if (!json_equal(value, expected)) {
        char *got = json_dumps(value, JSON_ENCODE_ANY);

        fail_msg("got %s, expected %s", got, expected_text);
    }
    json_decref(value);
    json_decref(expected);
}

static void expect(const char *text, const char *expected)
{
    struct openclaw_error error;
    json_t *value = NULL;

    put("conf/openclaw.json", text);
    if (openclaw_file_load(&openclaw_fs_system, in_folder("conf/openclaw.json"), NULL, 0, &value,
                           &error) != 0)
        fail_msg("%s: %s: %s", text, error.path, error.text);
    expect_json(value, expected);
}

/* name: the file the error must name; why: must be in its text. */
static void refuse(const char *text, const char *name, size_t line, size_t column, const char *why)
{
    struct openclaw_error error;
    json_t *value = NULL;

    put("conf/openclaw.json", text);
    assert_int_equal(openclaw_file_load(&openclaw_fs_system, in_folder("conf/openclaw.json"), NULL,
                                        0, &value, &error),
                     OPENCLAW_E_INVALID);
    assert_null(value);
    assert_string_equal(error.path, in_folder(name));
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
    if (!strstr(error.text, why))
        fail_msg("got: %s\nexpected: %s", error.text, why);
}

static void test_one_file(void **state)
{
    (void)state;
    expect("{a: 1, /* c */ b: ['x',],}", "{\"a\":1,\"b\":[\"x\"]}");
    expect("{__proto__: {a: 1}, b: {__proto__: 2}, constructor: 3}",
           "{\"b\":{},\"constructor\":3}");
    refuse("{\n  a: nul}", "conf/openclaw.json", 2, 9, "found '}', expected 'l'");
    refuse("{a: '\xff'}", "conf/openclaw.json", 1, 6, "found byte 0xFF, expected UTF-8");
}

static void test_missing_and_unreadable(void **state)
{
    struct openclaw_error error;
    json_t *value = NULL;

    (void)state;
    assert_int_equal(openclaw_file_load(&openclaw_fs_system, in_folder("conf/none.json"), NULL, 0,
                                        &value, &error),
                     OPENCLAW_E_MISSING);
    assert_string_equal(error.path, in_folder("conf/none.json"));
    assert_int_equal(
        openclaw_file_load(&openclaw_fs_system, in_folder("conf"), NULL, 0, &value, &error),
        OPENCLAW_E_INVALID);
    assert_string_equal(error.text, "is not a regular file");
    assert_int_equal(openclaw_file_load(&openclaw_fs_system, "conf", NULL, 0, &value, &error),
                     OPENCLAW_E_INVALID);
    assert_null(value);
}

static void test_include(void **state)
{
    (void)state;
    put("conf/list.json5", "[1, 2,]");
    put("conf/a.json5", "{x: {p: 1, l: [1]}, y: 'a'}");
    put("conf/b.json5", "{x: {q: 2, l: [2, 3]}, y: ['b'], n: {$include: './sub/c.json5'}}");
    assert_int_equal(mkdir(in_folder("conf/sub"), 0700), 0);
    put("conf/sub/c.json5", "{from: 'c', up: {$include: '../list.json5'}}");
    expect("{a: {$include: 'list.json5'}}", "{\"a\":[1,2]}");
    expect("{a: [{$include: './list.json5'}]}", "{\"a\":[[1,2]]}");
    expect("{$include: 'a.json5'}", "{\"x\":{\"p\":1,\"l\":[1]},\"y\":\"a\"}");
    expect("{$include: ['a.json5', 'b.json5']}",
           "{\"x\":{\"p\":1,\"q\":2,\"l\":[1,2,3]},\"y\":[\"b\"],"
           "\"n\":{\"from\":\"c\",\"up\":[1,2]}}");
    expect("{$include: 'a.json5', y: 'mine', x: {l: [9], p: {z: 1}}}",
           "{\"x\":{\"p\":{\"z\":1},\"l\":[1,9]},\"y\":\"mine\"}");
    expect("{$include: []}", "{}");
    expect("{$include: ['list.json5', 'list.json5']}", "[1,2,1,2]");
    expect("{$include: 'sub/../a.json5', y: {$include: 'list.json5'}}",
           "{\"x\":{\"p\":1,\"l\":[1]},\"y\":[1,2]}");
}

static void test_broken_include(void **state)
{
    char text[5000];

    (void)state;
    put("conf/bad.json5", "{\n a: 1 b}");
    put("conf/list.json5", "[1]");
    refuse("{$include: 1}", "conf/openclaw.json", 0, 0, "neither a path nor an array");
    refuse("{$include: ['list.json5', {}]}", "conf/openclaw.json", 0, 0, "something else");
    refuse("{$include: 'none.json5'}", "conf/openclaw.json", 0, 0, "that is not there");
    refuse("{$include: 'bad.json5'}", "conf/bad.json5", 2, 7, "expected ',' or '}'");
    refuse("{$include: 'list.json5', a: 1}", "conf/openclaw.json", 0, 0, "is not an object");
    refuse("{$include: 'a\\0b'}", "conf/openclaw.json", 0, 0, "NUL");
    refuse("{$include: '../x.json5'}", "conf/openclaw.json", 0, 0, "outside");
    refuse("{$include: '/etc/passwd'}", "conf/openclaw.json", 0, 0, "outside");
    memset(text, 'a', sizeof(text));
    memcpy(text, "{$include: '", 12);
    memcpy(text + sizeof(text) - 3, "'}", 3);
    refuse(text, "conf/openclaw.json", 0, 0, "4096");
}

static void test_cycle_and_depth(void **state)
{
    char name[32], text[64];

    (void)state;
    put("conf/one.json5", "{b: {$include: 'two.json5'}}");
    put("conf/two.json5", "[{$include: './one.json5'}]");
    refuse("{$include: 'one.json5'}", "conf/two.json5", 0, 0, "one.json5 -> ");
    refuse("{a: {$include: 'openclaw.json'}}", "conf/openclaw.json", 0, 0,
           "includes itself in the end: ");
    for (int i = 1; i <= 11; i++) {
        snprintf(name, sizeof(name), "conf/level%d.json5", i);
        snprintf(text, sizeof(text), i == 10 ? "{end: 1}" : "{$include: 'level%d.json5'}", i + 1);
        put(name, text);
    }
    expect("{$include: 'level1.json5'}", "{\"end\":1}");
    put("conf/level10.json5", "{$include: 'level11.json5'}");
    put("conf/level11.json5", "{end: 2}");
    refuse("{$include: 'level1.json5'}", "conf/level10.json5", 0, 0, "more than 10 levels");
}

static void test_links_and_roots(void **state)
{
    char root[256];
    const char *roots[] = {"relative", root};
    struct openclaw_error error;
    json_t *value = NULL;

    (void)state;
    snprintf(root, sizeof(root), "%s", in_folder("sub"));
    put("sub/shared.json5", "{s: 1}");
    assert_int_equal(symlink(in_folder("sub/shared.json5"), in_folder("conf/link.json5")), 0);
    refuse("{$include: 'link.json5'}", "conf/openclaw.json", 0, 0, "includes a link");
    assert_int_equal(openclaw_file_load(&openclaw_fs_system, in_folder("conf/openclaw.json"), roots,
                                        LENGTH(roots), &value, &error),
                     0);
    expect_json(value, "{\"s\":1}");
    put("conf/twice.json5", "{}");
    assert_int_equal(link(in_folder("conf/twice.json5"), in_folder("conf/again.json5")), 0);
    refuse("{$include: 'again.json5'}", "conf/again.json5", 0, 0, "hard links");
}

static void test_part_size(void **state)
{
    size_t len = OPENCLAW_INCLUDE_BYTES_MAX;
    char *text = malloc(len + 1);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', len + 1);
    text[0] = '1';
    put_file("conf/big.json5", text, len);
    expect("{a: {$include: 'big.json5'}}", "{\"a\":1}");
    put_file("conf/big.json5", text, len + 1);
    refuse("{a: {$include: 'big.json5'}}", "conf/big.json5", 0, 0, "larger than 2097152 bytes");
    free(text);
}

static void test_nesting_over_files(void **state)
{
    char text[3 * 200 + 32] = "";

    (void)state;
    memset(text, '[', 200);
    memset(text + 200, ']', 200);
    put("conf/deep.json5", text);
    expect("{$include: 'deep.json5'}", text);
    memset(text, '[', 200);
    snprintf(text + 200, sizeof(text) - 200, "{$include: 'deep.json5'}");
    memset(text + strlen(text), ']', 200);
    refuse(text, "conf/deep.json5", 0, 0, "nests too deep");
}

static void merge(const char *base, const char *override, const char *expected)
{
    json_t *a = json_own(base), *b = json_own(override);

    expect_json(openclaw_merge(a, b), expected);
    expect_json(a, base);
    expect_json(b, override);
}

static void test_merge(void **state)
{
    (void)state;
    merge("{\"a\":1}", "{\"a\":null,\"b\":2}", "{\"a\":null,\"b\":2}");
    merge("{\"a\":[1]}", "{\"a\":[[2]]}", "{\"a\":[1,[2]]}");
    merge("{\"a\":[1]}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
    merge("{\"a\":{\"b\":1}}", "{\"a\":2}", "{\"a\":2}");
    merge("[1]", "[2]", "[1,2]");
    merge("[1]", "2", "2");
    merge("{\"constructor\":1,\"a\":{\"prototype\":1,\"x\":[{\"prototype\":1}]}}",
          "{\"__proto__\":1,\"b\":{\"constructor\":2,\"y\":1}}",
          "{\"a\":{\"x\":[{\"prototype\":1}]},\"b\":{\"y\":1}}");
}

/* ---- variables ---- */

static const char *lookup(void *ud, const char *name)
{
    static const char *const table[][2] = {{"SET1", "val1"}, {"EMPTY", ""},  {"NESTED", "${SET1}"},
                                           {"_A9", "nine"},  {"BLANK", " "}, {"lower", "no"}};

    (void)ud;
    for (size_t i = 0; i < LENGTH(table); i++)
        if (strcmp(table[i][0], name) == 0)
            return table[i][1];
    return NULL;
}

static void note_missing(void *ud, const char *name, const char *where)
{
    char *notes = ud;
    size_t used = strlen(notes);

    snprintf(notes + used, 256 - used, "%s at %s;", name, where);
}

static void expect_expanded(const struct openclaw_env *env, const char *text, const char *expected,
                            const char *missing)
{
    json_t *value = json_own(text);
    char notes[256] = "";

    expect_json(openclaw_env_expand(value, env, note_missing, notes), expected);
    assert_string_equal(notes, missing);
    json_decref(value);
}

/* What the host made of the same strings. */
static void test_expansion(void **state)
{
    static const char *const table[][2] = {
        {"${SET1}", "val1"},
        {"pre-${SET1}-post", "pre-val1-post"},
        {"$${SET1}", "${SET1}"},
        {"$$${SET1}", "$${SET1}"},
        {"$SET1", "$SET1"},
        {"$$SET1", "$$SET1"},
        {"${lower}", "${lower}"},
        {"${A-B}", "${A-B}"},
        {"$${lower}", "$${lower}"},
        {"${SET1", "${SET1"},
        {"${}", "${}"},
        {"${9A}", "${9A}"},
        {"${SET1}${SET1}$", "val1val1$"},
        {"${NESTED}", "${SET1}"},
        {"${_A9}", "nine"},
        {"${${SET1}}", "${val1}"},
    };
    struct openclaw_env env;

    (void)state;
    openclaw_env_init(&env, lookup, NULL);
    for (size_t i = 0; i < LENGTH(table); i++) {
        json_t *text = json_string(table[i][0]);
        json_t *value = openclaw_env_expand(text, &env, NULL, NULL);

        assert_string_equal(json_string_value(value), table[i][1]);
        json_decref(text);
        json_decref(value);
    }
    expect_expanded(&env, "{\"${SET1}\":[\"${SET1}\",1,null,{\"a\":\"${SET1}\"}]}",
                    "{\"${SET1}\":[\"val1\",1,null,{\"a\":\"val1\"}]}", "");
    expect_expanded(&env, "{\"a\":{\"b c\":[0,\"${UNSET_X}\"]},\"h-1\":{\"d\":\"x${EMPTY}\"}}",
                    "{\"a\":{\"b c\":[0,\"${UNSET_X}\"]},\"h-1\":{\"d\":\"x${EMPTY}\"}}",
                    "UNSET_X at a[\"b c\"][1];EMPTY at h-1.d;");
    openclaw_env_done(&env);
}

static void test_sources(void **state)
{
    json_t *config = json_own(
        "{\"env\":{\"vars\":{\"SET1\":\"c\",\"EMPTY\":\"c\",\"BLANK\":\"c\",\"FILE\":\"c\","
        "\"OWN\":\"c\",\"REF\":\"${OWN}\",\"no-name\":\"c\",\"NUM\":1,\"SPACE\":\" \"}}}");
    const char *source = NULL;
    struct openclaw_env env;

    (void)state;
    openclaw_env_init(&env, lookup, NULL);
    assert_int_equal(
        openclaw_env_add_take(&env, "state/.env",
                              json_own("{\"FILE\":\"f\",\"SET1\":\"f\",\"EMPTY\":\"f\"}")),
        0);
    assert_int_equal(openclaw_env_from_config(&env, config), 0);
    assert_string_equal(openclaw_env_get(&env, "SET1", &source), "val1");
    assert_string_equal(source, "environment");
    assert_string_equal(openclaw_env_get(&env, "FILE", &source), "f");
    assert_string_equal(source, "state/.env");
    assert_string_equal(openclaw_env_get(&env, "OWN", &source), "c");
    assert_string_equal(source, "env.vars");
    assert_string_equal(openclaw_env_get(&env, "EMPTY", NULL), "c");
    assert_string_equal(openclaw_env_get(&env, "BLANK", NULL), "c");
    assert_null(openclaw_env_get(&env, "REF", NULL));
    assert_null(openclaw_env_get(&env, "NUM", NULL));
    assert_null(openclaw_env_get(&env, "SPACE", NULL));
    assert_null(openclaw_env_get(&env, "no-name", NULL));
    openclaw_env_done(&env);
    json_decref(config);
}

int main(void)
{
#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_one_file),        FILE_TEST(test_missing_and_unreadable),
        FILE_TEST(test_include),         FILE_TEST(test_broken_include),
        FILE_TEST(test_cycle_and_depth), FILE_TEST(test_links_and_roots),
        FILE_TEST(test_part_size),       FILE_TEST(test_nesting_over_files),
        cmocka_unit_test(test_merge),    cmocka_unit_test(test_expansion),
        cmocka_unit_test(test_sources),
    };

    return cmocka_run_group_tests_name("openclaw_file", tests, NULL, NULL);
}
