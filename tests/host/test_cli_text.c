/*
 * test_cli_text.c - agent-host's text helpers and its table: what must never reach a terminal, and
 * widths.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table.h"
#include "text.h"

static void clean(const char *text, size_t size, const char *want)
{
    char out[64];

    assert_true(size <= sizeof(out));
    assert_int_equal(text_clean(text, strlen(text), out, size), strlen(want));
    assert_string_equal(out, want);
}

static void test_clean(void **state)
{
    (void)state;
    clean("a red boat", 64, "a red boat");
    clean("a\x1b[31mb\r\nc\x7f", 64, "a [31mb  c ");
    clean("\xC2\x9B"
          "31m",
          64, " 31m"); /* CSI in one character */
    clean("\xC3\xA9\xE5\x9B\xBE\xF0\x9F\x9A\xA4", 64, "\xC3\xA9\xE5\x9B\xBE\xF0\x9F\x9A\xA4");
    clean("a\xE5\x9B", 64, "a  ");    /* cut short */
    clean("\xC0\x80\xFF", 64, "   "); /* never UTF-8 */
    clean("abcdef", 4, "abc");
    clean("ab\xE5\x9B\xBE", 4, "ab"); /* whole characters only */
}

static void cut(const char *text, int columns, const char *want)
{
    char copy[64];

    memcpy(copy, text, strlen(text) + 1);
    text_cut(copy, sizeof(copy), columns);
    assert_string_equal(copy, want);
    assert_true(text_columns(copy) <= columns);
}

static void test_cut(void **state)
{
    char full[] = "abc";

    (void)state;
    assert_int_equal(text_columns("\xE5\x9B\xBE"
                                  "a"),
                     3);
    cut("abcdef", 6, "abcdef");
    cut("abcdef", 5, "abcd\xE2\x80\xA6");
    cut("abcdefghij", 1, "\xE2\x80\xA6");
    cut("abcdef", 0, "");
    cut("\xE5\x9B\xBE\xE5\x9B\xBE\xE5\x9B\xBE", 4, "\xE5\x9B\xBE\xE2\x80\xA6");
    cut("\xE5\x9B\xBE\xE5\x9B\xBE\xE5\x9B\xBE", 5, "\xE5\x9B\xBE\xE5\x9B\xBE\xE2\x80\xA6");
    text_cut(full, sizeof(full), 2); /* no room for the mark */
    assert_string_equal(full, "a");
}

static void test_durations(void **state)
{
    char text[32];

    (void)state;
    text_elapsed(-5, text, sizeof(text));
    assert_string_equal(text, "0:00");
    text_elapsed(754999, text, sizeof(text));
    assert_string_equal(text, "12:34");
    text_elapsed(3661000, text, sizeof(text));
    assert_string_equal(text, "1:01:01");
    text_age(119, text, sizeof(text));
    assert_string_equal(text, "119 s");
    text_age(120, text, sizeof(text));
    assert_string_equal(text, "2 min");
    text_age(7200, text, sizeof(text));
    assert_string_equal(text, "2 h");
    text_age(9 * 86400, text, sizeof(text));
    assert_string_equal(text, "9 d");
}

static void quote(const char *text, const char *want)
{
    char *quoted = text_quote(text);

    assert_string_equal(quoted, want);
    free(quoted);
}

static void test_quote(void **state)
{
    (void)state;
    quote("/a/b-c.d_1", "/a/b-c.d_1");
    quote("", "''");
    quote("a b", "'a b'");
    quote("it's $x", "'it'\\''s $x'");
}

#define RED_BOAT "\xE4\xB8\x80\xE5\x8F\xAA\xE7\xBA\xA2\xE8\x88\xB9"
#define DOTS     "\xE2\x80\xA6"

static const char *const head[] = {"JOB", "STATE", "MODEL", "NONE", "DETAIL"};
static const char *const rows[][5] = {
    {"job_1", "working 40%", "provider/model-with-a-name", NULL, RED_BOAT " on a lake, far away"},
    {"job_2", "failed", "m\x1b[31m", "", NULL},
};

/* What a terminal of that width gets; the caller frees it. */
static char *print_table(int width)
{
    struct table *t = table_new(5, 2);
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(t);
    assert_non_null(f);
    assert_int_equal(table_add(t, head), 0);
    assert_int_equal(table_add(t, rows[0]), 0);
    assert_int_equal(table_add(t, rows[1]), 0);
    table_print(t, f, width);
    fclose(f);
    table_free(t);
    return text;
}

static void table(int width, const char *want)
{
    char *text = print_table(width);

    assert_string_equal(text, want);
    free(text);
}

static void test_table(void **state)
{
    char *text;
    char *line;
    char *rest;
    int width;

    (void)state;
    table(0, "JOB    STATE        MODEL                       DETAIL\n"
             "job_1  working 40%  provider/model-with-a-name  " RED_BOAT " on a lake, far away\n"
             "job_2  failed       m [31m\n");
    table(66, "JOB    STATE        MODEL             DETAIL\n"
              "job_1  working 40%  provider/model-" DOTS "  " RED_BOAT " on a lake, far away\n"
              "job_2  failed       m [31m\n");
    table(40, "JOB    STATE        DETAIL\n"
              "job_1  working 40%  " RED_BOAT " on a lake," DOTS "\n"
              "job_2  failed\n");
    for (width = 30; width <= 100; width++) {
        text = print_table(width);
        rest = text;
        while ((line = strsep(&rest, "\n")) != NULL)
            assert_in_range(text_columns(line), 0, width);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_table),
    };

    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
