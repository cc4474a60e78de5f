/* test_embed.c - the plugin carries what the files of manifests/ say, less the white space. */
#include "base/embed.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json_t *source(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), CM_SOURCE_DIR "/manifests/%s", name);
    return json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
}

static void each_says_what_its_source_says(void **state)
{
    size_t count = 0;

    (void)state;
    for (const struct embed_file *file = embed_files; file->name; file++, count++) {
        json_t *theirs = source(file->name);
        json_t *ours = json_loadb(file->text, file->size, JSON_REJECT_DUPLICATES, NULL);
        char *compact = json_dumps(theirs, JSON_COMPACT);

        assert_non_null(theirs);
        if (!json_equal(ours, theirs))
            fail_msg("%s: not what the source says", file->name);
        assert_int_equal(strlen(file->text), file->size);
        /* Compact, but for how an escape is spelt. */
        if (file->size > strlen(compact) + strlen(compact) / 50)
            fail_msg("%s: %zu bytes, compact are %zu", file->name, file->size, strlen(compact));
        free(compact);
        json_decref(ours);
        json_decref(theirs);
    }
    assert_true(count > 0);
}

static void a_member_is_found_alone(void **state)
{
    (void)state;
    for (const struct embed_file *file = embed_files; file->name; file++) {
        json_t *whole = source(file->name);
        const char *key;
        json_t *value;

        json_object_foreach(whole, key, value) {
            json_t *parsed = NULL;
            json_t *again;
            char *text = NULL;

            assert_int_equal(embed_member(file->name, key, &parsed), 0);
            assert_int_equal(embed_member_text(file->name, key, &text), 0);
            again = json_loads(text, JSON_DECODE_ANY, NULL);
            if (!json_equal(parsed, value) || !json_equal(again, value))
                fail_msg("%s: %s is not found", file->name, key);
            mem_free(text);
            json_decref(parsed);
            json_decref(again);
        }
        json_decref(whole);
    }
}

static void no_member_is_found_where_none_is(void **state)
{
    /* Too long, too short, inside of another one, no file. */
    static const char *const none[][2] = {
        {"tools/poll.json", "titles"}, {"tools/poll.json", "titl"}, {"tools/poll.json", ""},
        {"tools/poll.json", "properties"}, {"tools/none.json", "title"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        json_t *json = (json_t *)&none;
        char *text = (char *)&none;

        assert_int_equal(embed_member(none[i][0], none[i][1], &json), 0);
        assert_null(json);
        assert_int_equal(embed_member_text(none[i][0], none[i][1], &text), 0);
        assert_null(text);
    }
}

static void a_file_is_parsed_once(void **state)
{
    json_t *first = embed_json("messages/en.json");
    json_t *second = embed_json("messages/en.json");

    (void)state;
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_null(embed_json("messages/xx.json"));
    json_decref(first);
    json_decref(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_says_what_its_source_says),
        cmocka_unit_test(a_member_is_found_alone),
        cmocka_unit_test(no_member_is_found_where_none_is),
        cmocka_unit_test(a_file_is_parsed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
