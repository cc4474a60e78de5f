/* base/: memory, buffers, errors. */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void buf_stops_at_its_bound(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, 10);
    assert_int_equal(buf_add(&buf, "12345678", 8), 0);
    assert_int_equal(buf_add(&buf, "901", 3), BUF_TOO_LARGE);
    assert_int_equal(buf_format(&buf, "%d", 42), 0);
    assert_string_equal(buf.data, "1234567842");
    assert_int_equal(buf_text(&buf, "x"), BUF_TOO_LARGE);
    buf_done(&buf);
}

static void nth_allocation_fails(void **state)
{
    struct arena arena = {0};

    (void)state;
    mem_fail_after(2, 0);
    char *first = mem_text("a");
    assert_non_null(first);
    assert_null(mem_text("b"));
    char *third = mem_text("c");
    assert_non_null(third);
    mem_fail_after(1, 1);
    assert_null(arena_text(&arena, "d"));
    assert_null(mem_alloc(1));
    assert_true(arena.failed);
    mem_fail_after(0, 0);
    arena_done(&arena);
    assert_string_equal(arena_format(&arena, "%s-%d", "n", 7), "n-7");
    assert_non_null(arena_alloc(&arena, 100000));
    arena_done(&arena);
    mem_free(first);
    mem_free(third);
}

static void long_errors_end_at_a_character(void **state)
{
    struct err err;
    char text[LIMIT_ERR_TEXT + 40];

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xE4\xB8\xAD", 4);
        assert_int_equal(err_set(&err, ERR_IO, "%s", text), -1);
        size_t len = strlen(err.text);
        assert_int_equal((len - shift) % 3, 0);
        assert_true(len > LIMIT_ERR_TEXT - 6);
    }
    assert_int_equal(err_field(&err, "size", "%s", "bad"), -1);
    assert_string_equal(err.field, "size");
    assert_int_equal(err_kind_by_name(err_kind_name(ERR_LOST)), ERR_LOST);
    assert_int_equal(err_kind_by_name("nonsense"), ERR_INTERNAL);
}

/* What comes of a text, as JSON again; "" when it is not read. */
static void reads(const char *text, size_t len, const char *want, enum json_fault want_fault)
{
    enum json_fault fault;
    json_t *json = json_read(text, len, &fault);
    char *got = json ? json_dumps(json, JSON_COMPACT) : NULL;

    if (strcmp(got ? got : "", want) != 0 || fault != want_fault)
        fail_msg("%.*s: %s, fault %d", (int)len, text, got ? got : "(none)", (int)fault);
    free(got);
    json_decref(json);
}

static void foreign_json_is_mended(void **state)
{
    static const char *const rows[][2] = {
        {"{\"a\":[1,-2.5,true,null,\"\\ud83d\\ude00\"]}",
         "{\"a\":[1,-2.5,true,null,\"\xF0\x9F\x98\x80\"]}"},
        {"\xEF\xBB\xBF{}", "{}"},
        {"[\"\\ud83d\"]", "[\"\xEF\xBF\xBD\"]"},
        {"[\"\\ud83dx\\ude00\"]", "[\"\xEF\xBF\xBDx\xEF\xBF\xBD\"]"},
        {"[\"\\ud83d\\ud83d\\ude00\"]", "[\"\xEF\xBF\xBD\xF0\x9F\x98\x80\"]"},
        {"[\"\\\\ud83d\",\"\\ud83d\"]", "[\"\\\\ud83d\",\"\xEF\xBF\xBD\"]"},
        {"{\"a\\u0000b\":\"c\\u0000\"}", "{\"a\xEF\xBF\xBD"
                                         "b\":\"c\xEF\xBF\xBD\"}"},
        {"[\"\xE4\xB8\",\"\xFF\xE4\xB8\xAD\"]", "[\"??\",\"?\xE4\xB8\xAD\"]"},
        {"[\"\xED\xA0\xBD\"]", "[\"???\"]"},
        {"[\"a\nb\tc\x01\"]", "[\"a\\nb\\tc  \"]"},
        {"[\"\\d \\u12 \\\"\"]", "[\"\\\\d \\\\u12 \\\"\"]"},
        {"[NaN,Infinity,-Infinity,\"NaN\"]", "[null,null,null,\"NaN\"]"},
        {"[12345678901234567890,1]", "[\"12345678901234567890\",1]"},
        {"[-12345678901234567890,0.12345678901234567890,NaN]",
         "[\"-12345678901234567890\",0.12345678901234568,null]"},
        {"{\"a\":1,}", ""},
        {"{\"a\":\"\\ud83d\",}", ""},
        {"{\"a\":\"\\ud83d", ""},
        {"<html>", ""},
        {"\"", ""},
        {"[\"\\", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        reads(rows[i][0], strlen(rows[i][0]), rows[i][1],
              *rows[i][1] ? JSON_FAULT_NONE : JSON_FAULT_BROKEN);
    reads("[\"a\0b\"]\0", 8, "[\"a  b\"]", JSON_FAULT_NONE);
}

/* Counted before it is parsed: parsed, it would take eighty times the room. */
static void foreign_json_is_bounded(void **state)
{
    size_t len = 2 * LIMIT_JSON_VALUES;
    char *text = mem_alloc(len + 4);
    char deep[2 * LIMIT_JSON_DEPTH + 4];
    json_t *json;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < len; i += 2)
        memcpy(text + i, i ? ",0" : "[0", 2);
    text[len] = ']';
    json = json_read(text, len + 1, NULL);
    assert_int_equal(json_array_size(json), LIMIT_JSON_VALUES);
    json_decref(json);
    text[len] = ',';
    memcpy(text + len + 1, "0]", 2);
    reads(text, len + 3, "", JSON_FAULT_BOUNDS);
    mem_free(text);
    memset(deep, '[', LIMIT_JSON_DEPTH);
    memset(deep + LIMIT_JSON_DEPTH, ']', LIMIT_JSON_DEPTH);
    json = json_read(deep, 2 * LIMIT_JSON_DEPTH, NULL);
    assert_int_equal(json_array_size(json), 1);
    json_decref(json);
    memset(deep, '[', LIMIT_JSON_DEPTH + 1);
    reads(deep, LIMIT_JSON_DEPTH + 1, "", JSON_FAULT_BOUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_stops_at_its_bound),
        cmocka_unit_test(nth_allocation_fails),
        cmocka_unit_test(long_errors_end_at_a_character),
        cmocka_unit_test(foreign_json_is_mended),
        cmocka_unit_test(foreign_json_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
