/* test_embed.c - the plugin carries what the files of manifests/ say, less the white space. */
#include "base/embed.h"

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
        cmocka_unit_test(a_file_is_parsed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
