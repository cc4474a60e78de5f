/* Every rule of the JSON5 grammar and every error with its place. What the host's own package says
 * to the same and to many more documents is compared in tests/json5/. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/json5.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static json_t *parse(const char *text, size_t len)
{
    struct json5_error error;
    json_t *value = NULL;
    int rc = json5_parse(text, len, &value, &error);

    if (rc != 0)
        fail_msg("%s: %zu:%zu: %s", text, error.line, error.column, error.text);
    assert_non_null(value);
    return value;
}

/* text, as JSON5, must be the value that json spells. */
static void expect_len(const char *text, size_t len, const char *json)
{
    json_error_t error;
    json_t *value = parse(text, len);
    json_t *expected = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

    if (!expected)
        fail_msg("the test's own JSON: %s: %s", json, error.text);
    if (!json_equal(value, expected)) {
        char *got = json_dumps(value, JSON_ENCODE_ANY);

        fail_msg("%s: got %s, expected %s", text, got, json);
    }
    json_decref(value);
    json_decref(expected);
}

static void expect(const char *text, const char *json)
{
    expect_len(text, strlen(text), json);
}

static void refuse_len(const char *text, size_t len, int code, size_t line, size_t column,
                       const char *why)
{
    static int marker;
    struct json5_error error = {0};
    json_t *value = (json_t *)(void *)&marker;
    int rc = json5_parse(text, len, &value, &error);

    if (rc == 0)
        fail_msg("%s: was read", text);
    assert_ptr_equal(value, &marker);
    if (rc != code || error.line != line || error.column != column || strcmp(error.text, why) != 0)
        fail_msg("%s: got %d %zu:%zu %s\nexpected %d %zu:%zu %s", text, rc, error.line,
                 error.column, error.text, code, line, column, why);
}

static void refuse(const char *text, size_t line, size_t column, const char *why)
{
    refuse_len(text, strlen(text), JSON5_E_SYNTAX, line, column, why);
}

static void test_words(void **state)
{
    (void)state;
    expect("null", "null");
    expect("true", "true");
    expect(" false ", "false");
    refuse("nul", 1, 4, "found the end of the text, expected 'l'");
    refuse("trUe", 1, 3, "found 'U', expected 'ue'");
    refuse("[falsy]", 1, 6, "found 'y', expected 'e'");
    refuse("nulla", 1, 5, "found 'a', expected nothing behind the value");
    refuse("undefined", 1, 1, "found 'u', expected a value");
}

static void test_space_and_comments(void **state)
{
    (void)state;
    expect("\t\v\f \n\r\xc2\xa0\xef\xbb\xbf\xe2\x80\xa8\xe2\x80\xa9 1", "1");
    expect("\xe1\x9a\x80\xe2\x80\x80\xe2\x80\x8a\xe2\x80\xaf\xe2\x81\x9f\xe3\x80\x80 1", "1");
    expect("// a\n1// b", "1");
    expect("// a\r1", "1");
    expect("// a\xe2\x80\xa8 1 // b\xe2\x80\xa9", "1");
    expect("/**/1/***/", "1");
    expect("/* * / // \n */ [/*a*/1/*b*/,/*c*/]//", "[1]");
    expect("{/**/a/**/:/**/1/**/,/**/}", "{\"a\":1}");
    refuse("/", 1, 2, "found the end of the text, expected '/' or '*' to make a comment");
    refuse("[1 / 2]", 1, 5, "found a space, expected '/' or '*' to make a comment");
    refuse("1\n/* x *", 2, 7, "found the end of the text, expected '*/' to end the comment");
    refuse("/*/ 1", 1, 6, "found the end of the text, expected '*/' to end the comment");
    /* U+0085 and U+200B are no space in JSON5 */
    refuse("\xc2\x85"
           "1",
           1, 1, "found U+0085, expected a value");
    refuse("\xe2\x80\x8b 1", 1, 1, "found U+200B, expected a value");
}

static void test_strings(void **state)
{
    (void)state;
    expect("''", "\"\"");
    expect("\"\"", "\"\"");
    expect("'a\"b'", "\"a\\\"b\"");
    expect("\"a'b\"", "\"a'b\"");
    expect("'\\b\\f\\n\\r\\t\\v\\0\\\\\\/\\'\\\"'", "\"\\b\\f\\n\\r\\t\\u000b\\u0000\\\\/'\\\"\"");
    expect("'\\a\\q\\ \\\xc3\xa9'", "\"aq \xc3\xa9\"");
    expect("'\\x41\\xe9\\x00'", "\"A\xc3\xa9\\u0000\"");
    expect("'\\u0041\\u00E9\\uffff'", "\"A\xc3\xa9\xef\xbf\xbf\"");
    expect("'a\\\nb\\\rc\\\r\nd\\\xe2\x80\xa8"
           "e\\\xe2\x80\xa9"
           "f'",
           "\"abcdef\"");
    expect("'a\\\n\\\rb'", "\"ab\"");
    expect("'\x01\t\x7f\xe2\x80\xa8'", "\"\\u0001\\t\x7f\xe2\x80\xa8\"");
    expect_len("'a\0b'", 5, "\"a\\u0000b\"");
    expect("'\xf0\x9f\x98\x80'", "\"\xf0\x9f\x98\x80\"");
}

static void test_surrogates(void **state)
{
    static const char joined[] = "\"\xf0\x9f\x98\x80\"", lone[] = "\"\xef\xbf\xbd\"";

    (void)state;
    expect("'\\uD83D\\uDE00'", joined);
    expect("'\\uD83D\\\n\\uDE00'", joined);
    expect("'\\uD83D'", lone);
    expect("'\\uDE00'", lone);
    expect("'\\uD83Dx\\uDE00'", "\"\xef\xbf\xbdx\xef\xbf\xbd\"");
    expect("'\\uD83D\\uD83D\\uDE00'", "\"\xef\xbf\xbd\xf0\x9f\x98\x80\"");
    expect("['\\uD83D','\\uDE00']", "[\"\xef\xbf\xbd\",\"\xef\xbf\xbd\"]");
    expect("{'\\uD83D':1}", "{\"\xef\xbf\xbd\":1}");
}

static void test_broken_strings(void **state)
{
    (void)state;
    refuse("'a", 1, 3, "found the end of the text, expected \"'\" to end the string");
    refuse("\"a'", 1, 4, "found the end of the text, expected '\"' to end the string");
    refuse("[\n 'a\n']", 2, 4, "found the end of the line, expected \"'\" to end the string");
    refuse("'a\rb'", 1, 3, "found the end of the line, expected \"'\" to end the string");
    refuse("'\\", 1, 3, "found the end of the text, expected the rest of the escape");
    refuse("'\\1'", 1, 3, "found '1', expected an escape other than a digit from 1 to 9");
    refuse("'\\9'", 1, 3, "found '9', expected an escape other than a digit from 1 to 9");
    refuse("'\\00'", 1, 4, "found '0', expected no digit behind \\0");
    refuse("'\\xg0'", 1, 4, "found 'g', expected a hexadecimal digit of the escape");
    refuse("'\\x0'", 1, 5, "found ''', expected a hexadecimal digit of the escape");
    refuse("'\\u{41}'", 1, 4, "found '{', expected a hexadecimal digit of the escape");
    refuse("'\\u004", 1, 7,
           "found the end of the text, expected a hexadecimal digit of the escape");
}

struct number {
    const char *text;
    double value;
    int integer;
};

static void test_numbers(void **state)
{
    static const struct number table[] = {
        {"0", 0, 1},
        {"-0", -0.0, 0}, /* jansson's integers have no -0 */
        {"+0", 0, 1},
        {"-0x0", -0.0, 0},
        {"1.0", 1, 1},
        {"1e3", 1000, 1},
        {"1E+3", 1000, 1},
        {"25e-1", 2.5, 0},
        {".5", 0.5, 0},
        {"-.5", -0.5, 0},
        {"+.5e1", 5, 1},
        {"5.", 5, 1},
        {"5.e1", 50, 1},
        {"0.25", 0.25, 0},
        {"0e9", 0, 1},
        {"0x1F", 31, 1},
        {"-0Xff", -255, 1},
        {"0x1e5", 0x1e5, 1},
        {"9007199254740993", 9007199254740992.0, 1},
        {"9223372036854774784", 9223372036854774784.0, 1},
        {"9223372036854775807", 9223372036854775808.0, 0}, /* beyond int64 once it is a double */
        {"-9223372036854775808", -9223372036854775808.0, 1},
        {"-9223372036854777856", -9223372036854777856.0, 0},
        {"12345678901234567890", 12345678901234567000.0, 0},
        {"0xFFFFFFFFFFFFFFFF", 18446744073709551616.0, 0},
        {"1e300", 1e300, 0},
        {"1.7976931348623157e308", 1.7976931348623157e308, 0},
        {"5e-324", 5e-324, 0},
        {"1e-400", 0, 1},
        {"-1e-400", -0.0, 0},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(table); i++) {
        json_t *value = parse(table[i].text, strlen(table[i].text));

        if (json_number_value(value) != table[i].value ||
            json_is_integer(value) != table[i].integer ||
            (!table[i].integer && signbit(json_real_value(value)) != signbit(table[i].value)))
            fail_msg("%s: got %.17g, type %d", table[i].text, json_number_value(value),
                     (int)json_typeof(value));
        json_decref(value);
    }
}

static void test_broken_numbers(void **state)
{
    static const char *const not_finite[] = {
        "Infinity", "+Infinity", "-Infinity", "NaN", "-NaN", "+NaN", "1e309", "-1e999999999",
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < LENGTH(not_finite); i++) {
        snprintf(text, sizeof(text), "{a:\n  %s}", not_finite[i]);
        refuse_len(text, strlen(text), JSON5_E_NOT_FINITE, 2, 3,
                   "found Infinity, NaN or a number too large, expected a finite number");
    }
    refuse("+", 1, 2, "found the end of the text, expected a number behind the sign");
    refuse("- 1", 1, 2, "found a space, expected a number behind the sign");
    refuse("--1", 1, 2, "found '-', expected a number behind the sign");
    refuse(".", 1, 2, "found the end of the text, expected a digit behind the decimal point");
    refuse(".e1", 1, 2, "found 'e', expected a digit behind the decimal point");
    refuse("1e", 1, 3, "found the end of the text, expected a digit of the exponent");
    refuse("1e+x", 1, 4, "found 'x', expected a digit of the exponent");
    refuse("0x", 1, 3, "found the end of the text, expected a hexadecimal digit");
    refuse("[0xg]", 1, 4, "found 'g', expected a hexadecimal digit");
    refuse("01", 1, 2, "found '1', expected nothing behind the value");
    refuse("[00]", 1, 3, "found '0', expected ',' or ']'");
    refuse("1.2.3", 1, 4, "found '.', expected nothing behind the value");
    refuse("1_000", 1, 2, "found '_', expected nothing behind the value");
    refuse("-Infinit", 1, 9, "found the end of the text, expected 'y'");
    refuse("Nan", 1, 3, "found 'n', expected 'N'");
}

static void test_keys(void **state)
{
    (void)state;
    expect("{a:1,$:2,_:3,$_9z:4}", "{\"a\":1,\"$\":2,\"_\":3,\"$_9z\":4}");
    expect("{null:1,Infinity:2}", "{\"null\":1,\"Infinity\":2}");
    expect("{'a b':1,\"\":2,'\\x41':3}", "{\"a b\":1,\"\":2,\"A\":3}");
    expect("{\\u0061b\\u0063:1}", "{\"abc\":1}");
    expect("{\\u0024\\u005f\\u200c:1}", "{\"$_\xe2\x80\x8c\":1}");
    expect("{\xc3\xbcn\xc3\xaf:1}", "{\"\xc3\xbcn\xc3\xaf\":1}"); /* Ll */
    expect("{\xe2\x85\xa0:1}", "{\"\xe2\x85\xa0\":1}");           /* Nl */
    expect("{a\xcc\x81\xe2\x80\xbf\xd9\xa0:1}",
           "{\"a\xcc\x81\xe2\x80\xbf\xd9\xa0\":1}");            /* Mn Pc Nd */
    expect("{a\xe2\x80\x8d:1}", "{\"a\xe2\x80\x8d\":1}");       /* a joiner */
    expect("{\xf0\x9d\x92\x9c:1}", "{\"\xf0\x9d\x92\x9c\":1}"); /* beyond the BMP */
    expect("{__proto__:{a:1},constructor:2}", "{\"__proto__\":{\"a\":1},\"constructor\":2}");
    expect("{a:1,b:2,a:3,'\\u0061':[4]}", "{\"a\":[4],\"b\":2}");
    refuse("{-a:1}", 1, 2, "found '-', expected a key or '}'");
    refuse("{1:1}", 1, 2, "found '1', expected a key or '}'");
    refuse("{a-b:1}", 1, 3, "found '-', expected ':' behind the key");
    refuse("{\xcc\x81:1}", 1, 2, "found U+0301, expected a key or '}'");
    refuse("{\\x61:1}", 1, 3, "found 'x', expected 'u' and four hexadecimal digits");
    refuse("{a\\", 1, 4, "found the end of the text, expected 'u' and four hexadecimal digits");
    refuse("{\\u00:1}", 1, 6, "found ':', expected a hexadecimal digit of the escape");
}

static void test_key_letters_are_those_of_the_host(void **state)
{
    static const char why[] = "found an escape for a character that a key without quotes cannot "
                              "have here, expected a letter, '$' or '_'";

    (void)state;
    refuse("{a:1,\n b\\u002d:1}", 2, 3, why);
    refuse("{\\u0030:1}", 1, 2, why);
    refuse("{\\u200c:1}", 1, 2, why);
    refuse("{\\uD835\\uDC9C:1}", 1, 2, why);
    refuse("{\\u0560:1}", 1, 2, why); /* a letter since Unicode 11 */
    refuse("{a\\u0560:1}", 1, 3, why);
    refuse("{\\u1cf2:1}", 1, 2, why); /* was a mark in Unicode 10 */
    expect("{a\\u1cf2:1}", "{\"a\xe1\xb3\xb2\":1}");
    refuse("{\\u212e:1}", 1, 2, why);              /* ID_Start, but no letter */
    expect("{\\u2e2f:1}", "{\"\xe2\xb8\xaf\":1}"); /* a letter, but not ID_Start */
}

static void test_nul_in_keys_and_values(void **state)
{
    json_t *value = parse("{'a\\0b':'c\\0d',a:1}", 19);
    json_t *member = json_object_getn(value, "a\0b", 3);

    (void)state;
    assert_int_equal(json_object_size(value), 2);
    assert_int_equal(json_string_length(member), 3);
    assert_memory_equal(json_string_value(member), "c\0d", 3);
    json_decref(value);
}

static void test_containers(void **state)
{
    (void)state;
    expect("[]", "[]");
    expect("{}", "{}");
    expect("[1,]", "[1]");
    expect("{a:1,}", "{\"a\":1}");
    expect("[[],{},[[1],],]", "[[],{},[[1]]]");
    expect("{a:{b:[{c:null}]}}", "{\"a\":{\"b\":[{\"c\":null}]}}");
    refuse("", 1, 1, "found the end of the text, expected a value");
    refuse(" \n// x", 2, 5, "found the end of the text, expected a value");
    refuse("]", 1, 1, "found ']', expected a value");
    refuse("[", 1, 2, "found the end of the text, expected a value or ']'");
    refuse("[,]", 1, 2, "found ',', expected a value or ']'");
    refuse("[1,,2]", 1, 4, "found ',', expected a value or ']'");
    refuse("[1 2]", 1, 4, "found '2', expected ',' or ']'");
    refuse("[1", 1, 3, "found the end of the text, expected ',' or ']'");
    refuse("[1}", 1, 3, "found '}', expected ',' or ']'");
    refuse("{", 1, 2, "found the end of the text, expected a key or '}'");
    refuse("{,}", 1, 2, "found ',', expected a key or '}'");
    refuse("{a}", 1, 3, "found '}', expected ':' behind the key");
    refuse("{a", 1, 3, "found the end of the text, expected ':' behind the key");
    refuse("{a:", 1, 4, "found the end of the text, expected a value");
    refuse("{a:}", 1, 4, "found '}', expected a value");
    refuse("{a:1 b:2}", 1, 6, "found 'b', expected ',' or '}'");
    refuse("{a:1,,}", 1, 6, "found ',', expected a key or '}'");
    refuse("{a:1]", 1, 5, "found ']', expected ',' or '}'");
    refuse("{}{}", 1, 3, "found '{', expected nothing behind the value");
}

static void test_places(void **state)
{
    (void)state;
    /* code points, not bytes and not UTF-16 units */
    refuse("['\xf0\x9f\x98\x80\xc3\xa9' x", 1, 7, "found 'x', expected ',' or ']'");
    /* only LF ends a line */
    refuse("\r\n\r\xe2\x80\xa8 x", 2, 4, "found 'x', expected a value");
    refuse("{\n  key: \xe2\x80\x9cvalue\xe2\x80\x9d\n}", 2, 8,
           "found '\xe2\x80\x9c' (U+201C), expected a value");
    refuse_len("\0", 1, JSON5_E_SYNTAX, 1, 1, "found U+0000, expected a value");
    refuse("[1\x07]", 1, 3, "found U+0007, expected ',' or ']'");
}

static void test_encoding(void **state)
{
    (void)state;
    refuse_len("{\n a: '\xc3\xa9\xff'}", 11, JSON5_E_ENCODING, 2, 7,
               "found byte 0xFF, expected UTF-8");
    refuse_len("'\xed\xa0\x80'", 5, JSON5_E_ENCODING, 1, 2, "found byte 0xED, expected UTF-8");
    refuse_len("// \xc3", 4, JSON5_E_ENCODING, 1, 4, "found byte 0xC3, expected UTF-8");
    refuse_len("'\xc0\x80'", 4, JSON5_E_ENCODING, 1, 2, "found byte 0xC0, expected UTF-8");
    refuse_len("x \xff", 3, JSON5_E_ENCODING, 1, 3, "found byte 0xFF, expected UTF-8");
}

static void test_depth(void **state)
{
    size_t deep = 100000;
    char *text = malloc(deep), why[80];
    json_t *value;

    (void)state;
    assert_non_null(text);
    memset(text, '[', deep);
    snprintf(why, sizeof(why), "found '[', expected at most %d levels of nesting", JSON5_DEPTH_MAX);
    refuse_len(text, deep, JSON5_E_DEPTH, 1, JSON5_DEPTH_MAX + 1, why);
    memset(text + JSON5_DEPTH_MAX, ']', JSON5_DEPTH_MAX);
    value = parse(text, (size_t)JSON5_DEPTH_MAX * 2);
    json_decref(value);
    free(text);
}

static void test_token_limit(void **state)
{
    size_t most = JSON5_TOKEN_BYTES_MAX, len = most + 8;
    char *text = malloc(len), why[80];
    struct json5_error error;
    json_t *value;

    (void)state;
    assert_non_null(text);
    memset(text, 'a', len);
    text[0] = text[most - 3] = '"'; /* four bytes are kept free for the next code point */
    value = parse(text, most - 2);
    assert_int_equal(json_string_length(value), most - 4);
    json_decref(value);
    text[most - 3] = 'a';
    snprintf(why, sizeof(why), "found a string or number of more than %u bytes",
             JSON5_TOKEN_BYTES_MAX);
    assert_int_equal(json5_parse(text, len, &value, &error), JSON5_E_TOO_BIG);
    assert_int_equal(error.line, 1);
    assert_non_null(strstr(error.text, "string or number of more than 8388608 bytes"));
    memset(text, '1', len);
    assert_int_equal(json5_parse(text, len, &value, &error), JSON5_E_TOO_BIG);
    free(text);
}

/* The text ends where len says, even in the middle of a token. */
static void test_no_terminator(void **state)
{
    static const char text[] = "{\"a\\u0041\": [1.5e2, true, 0x1F, /* c */ null]} // end";

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        struct json5_error error;
        char *exact = malloc(len + (len == 0));
        json_t *value;

        assert_non_null(exact);
        memcpy(exact, text, len);
        if (json5_parse(exact, len, &value, &error) == 0) {
            assert_true(len >= strlen("{\"a\\u0041\": [1.5e2, true, 0x1F, /* c */ null]}"));
            json_decref(value);
        } else {
            assert_true(error.line == 1 && error.column == len + 1);
        }
        free(exact);
    }
}

static unsigned allocations_left;

static void *limited_malloc(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return malloc(size);
}

static void test_out_of_memory(void **state)
{
    static const char text[] = "{a: [1, 2.5, 'x', {}, [true]], b: {c: null}, 'long key': -3}";
    struct json5_error error;
    json_t *value = NULL;
    unsigned n;
    int rc = JSON5_E_MEMORY;

    (void)state;
    json_object_seed(1); /* not to be part of the count */
    for (n = 0; rc != 0 && n < 1000; n++) {
        allocations_left = n;
        json_set_alloc_funcs(limited_malloc, free);
        rc = json5_parse(text, strlen(text), &value, &error);
        json_set_alloc_funcs(malloc, free);
        if (rc != 0) {
            assert_int_equal(rc, JSON5_E_MEMORY);
            assert_string_equal(error.text, "out of memory");
            assert_null(value);
        }
    }
    assert_true(n > 10 && rc == 0);
    json_decref(value);
}

/* In a host with a decimal comma 1.5 is still one and a half. */
static void test_locale(void **state)
{
    static const char *const commas[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};

    (void)state;
    for (size_t i = 0; i < LENGTH(commas); i++)
        if (setlocale(LC_NUMERIC, commas[i]))
            break;
    if (*localeconv()->decimal_point != ',')
        skip(); /* this machine has no such locale installed */
    expect("[1.5,.5]", "[1.5,0.5]");
    setlocale(LC_NUMERIC, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_space_and_comments),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_surrogates),
        cmocka_unit_test(test_broken_strings),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_broken_numbers),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_key_letters_are_those_of_the_host),
        cmocka_unit_test(test_nul_in_keys_and_values),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_token_limit),
        cmocka_unit_test(test_no_terminator),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_locale),
    };

    return cmocka_run_group_tests_name("json5", tests, NULL, NULL);
}
