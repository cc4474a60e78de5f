/* test_words.c - what people read: both languages say the same things, and nothing says a secret.
 */
#include "mini_host.h"

#include "base/embed.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/words.h"
#include "ledger/ledger.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json_t *messages(const char *name)
{
    for (const struct embed_file *file = embed_files; file->name; file++)
        if (strcmp(file->name, name) == 0)
            return json_loadb(file->text, file->size, JSON_REJECT_DUPLICATES, NULL);
    return NULL;
}

/* Every "{name}" of one text is in the other. */
static void same_places(const char *key, const char *text, const char *other)
{
    while ((text = strchr(text, '{'))) {
        char place[64];
        size_t len = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_") + 2;

        if (text[len - 1] != '}' || len == 2) {
            text++; /* an example of JSON in the words */
            continue;
        }
        assert_true(len < sizeof(place));
        memcpy(place, text, len);
        place[len] = '\0';
        if (!strstr(other, place))
            fail_msg("%s: %s is in one language only", key, place);
        text += len;
    }
}

static void both_languages_say_the_same(void **state)
{
    json_t *en = messages("messages/en.json");
    json_t *zh = messages("messages/zh.json");
    const char *key;
    json_t *text;

    (void)state;
    assert_non_null(en);
    assert_non_null(zh);
    json_object_foreach(en, key, text) {
        const char *other = json_string_value(json_object_get(zh, key));

        if (!other)
            fail_msg("%s is missing in Chinese", key);
        same_places(key, json_string_value(text), other);
        same_places(key, other, json_string_value(text));
    }
    json_object_foreach(zh, key, text)
        if (!json_object_get(en, key))
            fail_msg("%s is missing in English", key);
    json_decref(en);
    json_decref(zh);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, 1 << 20);

    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

/* The literal keys of these calls exist; those that are built are in keys_that_are_built. */
static unsigned check_source(const char *path)
{
    static const char *const calls[] = {"result_note(", "words_text("};
    char *text = read_file(path);
    unsigned checked = 0;

    for (size_t i = 0; i < 2; i++) {
        for (const char *at = text; (at = strstr(at, calls[i]));) {
            const char *end = strchr(at, ';');
            const char *values = strstr(at, "json_pack(");
            const char *quote = at;

            if (values && values < end)
                end = values; /* what fills the places is no key */

            /* The key is the first literal; "a" : "b" gives two. */
            while ((quote = strchr(quote, '"')) && quote < end) {
                char key[64];
                size_t len = strcspn(quote + 1, "\"");
                const char *before = quote - 1;

                while (before > at && (*before == ' ' || *before == '\n'))
                    before--;
                snprintf(key, sizeof(key), "%.*s", (int)len, quote + 1);
                if ((*before == ',' || *before == '?' || *before == ':') && !strchr(key, '{') &&
                    (words_has(WORDS_EN, key) || !checked || *before != ',')) {
                    if (!words_has(WORDS_EN, key))
                        fail_msg("%s uses \"%s\", which there is not", path, key);
                    checked++;
                }
                quote += len + 2;
                if (*before == ',' && strchr(" \n,)", *quote))
                    break;
            }
            at += strlen(calls[i]);
        }
    }
    free(text);
    return checked;
}

static void keys_in_the_code_exist(void **state)
{
    static const char *const folders[] = {"plugin/tools", "plugin/engine"};
    unsigned checked = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char path[1024];
        struct dirent *entry;
        DIR *dir;

        snprintf(path, sizeof(path), CM_SOURCE_DIR "/%s", folders[i]);
        dir = opendir(path);
        assert_non_null(dir);
        while ((entry = readdir(dir))) {
            size_t len = strlen(entry->d_name);

            if (len < 3 || strcmp(entry->d_name + len - 2, ".c") != 0)
                continue;
            snprintf(path, sizeof(path), CM_SOURCE_DIR "/%s/%s", folders[i], entry->d_name);
            checked += check_source(path);
        }
        closedir(dir);
    }
    assert_true(checked > 10);
}

static void must_have(const char *format, const char *a, const char *b)
{
    char key[100];

    if (b)
        snprintf(key, sizeof(key), "%s.%s.%s", format, a, b);
    else
        snprintf(key, sizeof(key), "%s.%s", format, a);
    if (!words_has(WORDS_EN, key))
        fail_msg("there is no \"%s\"", key);
}

static void keys_that_are_built_exist(void **state)
{
    static const char *const kinds[] = {"image", "video"};
    static const char *const amounts[] = {"one", "many", "part"};

    (void)state;
    for (int i = ERR_NONE + 1; i < ERR_KINDS; i++)
        must_have("advice", err_kind_name((enum err_kind)i), NULL);
    for (int i = 0; i < JOB_STATES; i++) {
        if (i == JOB_FAILED || i == JOB_CANCELLED || i == JOB_EXPIRED || i == JOB_UNKNOWN)
            must_have("notice", job_state_name((enum job_state)i), NULL);
        else
            must_have("state", job_state_name((enum job_state)i), NULL);
    }
    must_have("state", "held", NULL);
    must_have("done", "cancelled", NULL);
    must_have("result", "cancelled", NULL);
    must_have("state", "maybe_delivered", NULL);
    for (int i = 0; i < 2; i++) {
        must_have("submitted", kinds[i], NULL);
        must_have("pending", kinds[i], NULL);
        for (int j = 0; j < 3; j++) {
            must_have("done", kinds[i], amounts[j]);
            must_have("result", kinds[i], amounts[j]);
        }
    }
}

static void language_is_chosen(void **state)
{
    (void)state;
    assert_int_equal(words_choose("zh-CN", "a boat"), WORDS_ZH);
    assert_int_equal(words_choose("ZH", NULL), WORDS_ZH);
    assert_int_equal(words_choose("en-GB", "一艘船"), WORDS_EN);
    assert_int_equal(words_choose("fr", NULL), WORDS_EN);
    assert_int_equal(words_choose(NULL, "一艘船"), WORDS_ZH);
    assert_int_equal(words_choose("", "draw 船 please"), WORDS_ZH);
    assert_int_equal(words_choose(NULL, "un café, ça va"), WORDS_EN);
    assert_int_equal(words_choose(NULL, "ボートを描く"), WORDS_ZH); /* its Han letters decide */
    assert_int_equal(words_choose(NULL, "\xE4\xB8"), WORDS_EN);
    assert_int_equal(words_choose(NULL, NULL), WORDS_EN);
}

static void places_are_filled(void **state)
{
    json_t *values =
        json_pack("{s:s, s:i, s:s}", "job", "job_1{eta}", "seconds", 5, "eta", ", soon");
    char *text = words_text(WORDS_EN, "pending.image", values);

    (void)state;
    /* What is filled in is not filled in again. */
    assert_string_equal(text, "The picture is still being made (job job_1{eta}), soon.");
    mem_free(text);
    text = words_text(WORDS_EN, "pending.image", NULL);
    assert_non_null(strstr(text, "{job}"));
    mem_free(text);
    text = words_text(WORDS_ZH, "no.such.key", values);
    assert_string_equal(text, "no.such.key");
    mem_free(text);
    json_decref(values);
}

static void scrubbed(struct env *env, const char *from, const char *to)
{
    char text[512];

    snprintf(text, sizeof(text), "%s", from);
    env_scrub(env, text);
    assert_string_equal(text, to);
}

static void secrets_are_scrubbed(void **state)
{
    struct mini_host mini;

    (void)state;
    assert_int_equal(mini_init(&mini, 0), 0);
    assert_int_equal(env_secret_add(&mini.env, "s3cret"), 0);
    assert_int_equal(env_secret_add(&mini.env, "s3cret-and-longer"), 0);
    assert_int_equal(env_secret_add(&mini.env, "abc"), 0); /* too short to be looked for */
    assert_int_equal(env_secret_add(&mini.env, "******"), 0);
    scrubbed(&mini.env, "s3cret", "***");
    scrubbed(&mini.env, "xs3cretxs3crets3cret", "x***x******");
    scrubbed(&mini.env, "s3cret-and-longer!", "***!");
    scrubbed(&mini.env, "an abc", "an abc");
    scrubbed(&mini.env, "Authorization: Bearer abcdefgh12345678.", "Authorization: Bearer ***");
    scrubbed(&mini.env, "Bearer short", "Bearer short");
    scrubbed(&mini.env, "key sk-proj-0123456789abcdefXYZ is wrong", "key sk-*** is wrong");
    scrubbed(&mini.env, "\"sk-0123456789abcdef0\"", "\"sk-***\"");
    scrubbed(&mini.env, "/home/me/desk-pictures-of-the-holiday/tmp/images/a.png",
             "/home/me/desk-pictures-of-the-holiday/tmp/images/a.png");
    scrubbed(&mini.env, "/srv/task-workspace/tmp/images/generated-1.png",
             "/srv/task-workspace/tmp/images/generated-1.png");
    scrubbed(&mini.env, "", "");
    env_done(&mini.env);
}

static char logged[2000];

static void keep_line(void *ctx, int32_t level, uint32_t item, const char *text, size_t len)
{
    (void)ctx;
    (void)level;
    (void)item;
    snprintf(logged, sizeof(logged), "%.*s", (int)len, text);
}

static int32_t wanted(void *ctx, int32_t level)
{
    (void)ctx;
    (void)level;
    return 1;
}

/* A secret anywhere around the place where a line is cut is gone, and the line is UTF-8. */
static void log_lines_are_scrubbed_before_they_are_cut(void **state)
{
    struct mini_host mini;
    char text[1100];

    (void)state;
    assert_int_equal(mini_init(&mini, 0), 0);
    mini.host.log = keep_line;
    mini.host.log_on = wanted;
    assert_int_equal(env_secret_add(&mini.env, "TOPSECRETVALUE"), 0);
    for (size_t at = 1000; at < 1030; at++) {
        memset(text, 'x', sizeof(text));
        memcpy(text + at, "TOPSECRETVALUE", 15);
        env_log(&mini.env, AHP_LOG_INFO, LOG_START, "%s", text);
        assert_null(strstr(logged, "TOP"));
        assert_true(strlen(logged) < 1024);
    }
    env_log(&mini.env, AHP_LOG_INFO, LOG_START, "two\nlines \xE4\xB8 %.4s", "一二");
    assert_string_equal(logged, "two lines ?? 一");
    env_done(&mini.env);
}

static void texts_are_mended(void **state)
{
    static const struct {
        const char *from;
        const char *to;
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"一艘船", "一艘船"},
        {"一\xE8\x89", "一"},          /* cut at the end */
        {"\xF0\x9F\x98", ""},
        {"a\xE8\x89 b", "a?? b"},      /* cut in the middle */
        {"\xFF\xFEx", "??x"},
        {"\xC0\xAFx", "??x"},          /* not the shortest form */
        {"\xED\xA0\x80z", "???z"},     /* a surrogate */
        {"x\x80", "x?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[64];

        snprintf(text, sizeof(text), "%s", rows[i].from);
        utf8_mend(text);
        assert_string_equal(text, rows[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_languages_say_the_same),
        cmocka_unit_test(keys_in_the_code_exist),
        cmocka_unit_test(keys_that_are_built_exist),
        cmocka_unit_test(language_is_chosen),
        cmocka_unit_test(places_are_filled),
        cmocka_unit_test(secrets_are_scrubbed),
        cmocka_unit_test(log_lines_are_scrubbed_before_they_are_cut),
        cmocka_unit_test(texts_are_mended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
