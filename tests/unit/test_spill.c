/*
 * media/spill: base64 out of a text that streams, however it is cut: what is taken for it and what
 * is not. Nettle is the reference.
 */
#include "spill_rig.h"

#include <nettle/base64.h>

/* One input text of one blob: bytes as given, complete, and this text left. */
static void expect_blob(const struct input *input, const char *expected, const unsigned char *bytes,
                        size_t len)
{
    struct seen seen;

    spill_all_cuts(input, expected, &seen);
    assert_int_equal(seen.opened, 1);
    assert_int_equal(seen.complete[0], 1);
    assert_int_equal(seen.len[0], len);
    assert_memory_equal(seen.data[0], bytes, len);
    seen_done(&seen);
}

static void expect_incomplete(const struct input *input, const char *expected)
{
    struct seen seen;

    spill_all_cuts(input, expected, &seen);
    assert_int_equal(seen.opened, 1);
    assert_int_equal(seen.complete[0], 0);
    seen_done(&seen);
}

static void expect_kept(const struct input *input)
{
    struct seen seen;

    spill_all_cuts(input, input->data ? input->data : "", &seen);
    assert_int_equal(seen.opened, 0);
    seen_done(&seen);
}

static void every_surrounding(void **state)
{
    static const char *const around[][2] = {
        {"{\"data\":[{\"b64_json\":\"", "\"}]}"},
        {"{\"output\":\"data:image/png;base64,", "\"}"},
        {"{\"url\":\"data:image\\/png;base64,", "\"}"},
        {"<html><img class=\"x\" src=\"data:image/png;base64,", "\"></html>"},
        {"{\"content\":\"![picture](data:image/png;base64,", ")\\nDone.\"}"},
        {"{\"content\":\"Here:\\n", "\"}"},
        {"Here is your picture:\n\n", ""},
        {"path/like/this and words ", ""},
        {"", ""},
        {"\\\\", "\\\\"},
        {"caf\xC3\xA9 \\u00e9\\u4e2d", "-_"},
        {"{\"nested\":\"{\\\"b64\\\":\\\"", "\\\"}\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        for (size_t len = 9000; len < 9003; len++) {
            unsigned char *bytes = input_random(len, (uint32_t)(i * 3 + len));
            char *base64 = input_base64(bytes, len);
            struct input input = {0};
            struct input expected = {0};

            input_add(&input, around[i][0]);
            input_add(&input, base64);
            input_add(&input, around[i][1]);
            input_add(&expected, around[i][0]);
            input_add(&expected, SPILL_MARK "0");
            input_add(&expected, around[i][1]);
            expect_blob(&input, expected.data, bytes, len);
            input_done(&input);
            input_done(&expected);
            free(base64);
            free(bytes);
        }
    }
}

/* Each letter may be escaped, as PHP, Go and .NET do. */
static void escapes_inside(void **state)
{
    static const char *const plus[] = {"+", "\\u002b", "\\u002B"};
    static const char *const slash[] = {"/", "\\/", "\\u002f", "\\u002F"};
    static const char *const pad[] = {"=", "\\u003d", "\\u003D"};
    size_t len = 8001 + 1; /* one padding letter or two */

    (void)state;
    for (size_t round = 0; round < 24; round++) {
        unsigned char *bytes = input_random(len + round % 3, (uint32_t)round);
        char *base64;
        struct input input = {0};

        if (round % 4 == 3)
            memset(bytes, 0xFF, len); /* "////": escapes alone */
        base64 = input_base64(bytes, len + round % 3);
        input_add(&input, "{\"b64_json\": \"");
        for (const char *at = base64; *at; at++) {
            if (*at == '+')
                input_add(&input, plus[round % 3]);
            else if (*at == '/')
                input_add(&input, slash[round % 4]);
            else if (*at == '=')
                input_add(&input, pad[round / 2 % 3]);
            else if (round > 16 && *at == 'A')
                input_add(&input, "\\u0041");
            else
                input_add_n(&input, at, 1);
        }
        input_add(&input, "\"}");
        expect_blob(&input, "{\"b64_json\": \"" SPILL_MARK "0\"}", bytes, len + round % 3);
        input_done(&input);
        free(base64);
        free(bytes);
    }
}

static void lines(void **state)
{
    static const char *const breaks[] = {"\n",      "\r\n", "\\n",   "\\r\\n",
                                         "\\u000a", "\r",   " \n  ", "\\r\n\t"};
    static const size_t widths[] = {32, 60, 64, 70, 75, 76, 77, 1000};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        for (size_t w = 0; w < 8; w++) {
            size_t len = 6000 + w;
            unsigned char *bytes = input_random(len, (uint32_t)(i + w));
            char *base64 = input_base64(bytes, len);
            size_t base64_len = strlen(base64);
            struct input input = {0};

            input_add(&input, "{\"a\":\"");
            for (size_t at = 0; at < base64_len; at += widths[w]) {
                size_t line = base64_len - at < widths[w] ? base64_len - at : widths[w];

                input_add_n(&input, base64 + at, line);
                input_add(&input, breaks[i]); /* after the last line too */
            }
            input_add(&input, "\"}");
            expect_blob(&input, "{\"a\":\"" SPILL_MARK "0\"}", bytes, len);
            input_done(&input);
            free(base64);
            free(bytes);
        }
    }
}

/* What stands around bare base64 is not swallowed with it. */
static void words_stay_words(void **state)
{
    unsigned char *bytes = input_random(6000, 5);
    char *base64 = input_base64(bytes, 6000);
    struct input input = {0};

    (void)state;
    input_add(&input, "Here is the picture\n");
    for (size_t at = 0; at < strlen(base64); at += 80) {
        input_add_n(&input, base64 + at, 80);
        input_add(&input, "\n");
    }
    input_add(&input, "\nEnjoy it and ask again");
    expect_blob(&input, "Here is the picture\n" SPILL_MARK "0\n\nEnjoy it and ask again", bytes,
                6000);
    input_clear(&input);
    input_add(&input, "0123456789abcdef0123456789abcdef0123456789abcdef ");
    input_add(&input, base64);
    input_add(&input, " 0123456789abcdef0123456789abcdef0123456789abcdef\n");
    expect_blob(&input,
                "0123456789abcdef0123456789abcdef0123456789abcdef " SPILL_MARK
                "0 0123456789abcdef0123456789abcdef0123456789abcdef\n",
                bytes, 6000);
    input_done(&input);
    free(base64);
    free(bytes);
}

static void short_runs_stay(void **state)
{
    unsigned char *bytes = input_random(3069 + 3, 9); /* 4096 letters */
    char *base64 = input_base64(bytes, 3072);
    struct input input = {0};

    (void)state;
    assert_int_equal(strlen(base64), LIMIT_SPILL_RUN);
    input_add(&input, "{\"k\":\"");
    input_add_n(&input, base64, LIMIT_SPILL_RUN - 1);
    input_add(&input, "\",\"l\":\"\\u002b\\/\\u12\\u123x\\\\\\\"\\n\\");
    expect_kept(&input);
    input_clear(&input);
    input_add(&input, "{\"k\":\"");
    input_add(&input, base64);
    input_add(&input, "\"}");
    expect_blob(&input, "{\"k\":\"" SPILL_MARK "0\"}", bytes, 3072);
    /* A long text of short words and lines of words is no run. */
    input_clear(&input);
    for (int i = 0; i < 3000; i++)
        input_add(&input, i % 9 ? "word and/or a+b " : "line\n");
    expect_kept(&input);
    /* Url-safe letters end a run. */
    input_clear(&input);
    for (int i = 0; i < 300; i++)
        input_add(&input, "abcdefghijklmnopqrstuvwxyz0123456789-_");
    expect_kept(&input);
    input_clear(&input);
    expect_kept(&input);
    input_done(&input);
    free(base64);
    free(bytes);
}

static void broken_ends(void **state)
{
    static const char *const ends[][2] = {
        /* after letters of whole fours: what follows, and what is left of it */
        {"A", ""},      {"AA", ""},       {"AAA", ""},       {"AA=", ""},   {"A===", ""},
        {"=", ""},      {"====", ""},     {"AAA==", ""},     {"AA===", ""}, {"AA==AAAA", ""},
        {"AA=A", ""},   {"AAA=AAA=", ""}, {"AA\\u003d", ""}, {"AB==", ""},  {"AAB=", ""},
        {"A=\"", "\""}, {"AA=\n", ""},    {"AA= =", " ="},
    };
    unsigned char *bytes = input_random(6000, 3);
    char *base64 = input_base64(bytes, 6000);

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct input input = {0};
        struct input expected = {0};

        input_add(&input, "x:");
        input_add(&input, base64);
        input_add(&input, ends[i][0]);
        input_add(&expected, "x:" SPILL_MARK "0");
        input_add(&expected, ends[i][1]);
        expect_incomplete(&input, expected.data);
        input_done(&input);
        input_done(&expected);
    }
    free(base64);
    free(bytes);
}

/* Nettle judges the same letters and padding as we do. */
static void agrees_with_nettle(void **state)
{
    uint32_t seed = 99;

    (void)state;
    for (int round = 0; round < 400; round++) {
        size_t len = 3072 + input_next(&seed) % 400;
        unsigned char *bytes = input_random(len, seed);
        char *base64 = input_base64(bytes, len);
        size_t base64_len = strlen(base64);
        struct base64_decode_ctx ctx;
        struct input input = {0};
        struct seen seen = {.keep = 1};
        uint8_t *decoded = malloc(len + 8);
        size_t decoded_len = len + 8;
        int good;

        assert_non_null(decoded);
        if (round % 3 == 1)
            base64[base64_len - 1 - input_next(&seed) % 4] = "A=B+"[input_next(&seed) % 4];
        if (round % 3 == 2 && base64_len > LIMIT_SPILL_RUN + 4)
            base64_len -= input_next(&seed) % 4;
        input_add_n(&input, base64, base64_len);
        base64_decode_init(&ctx);
        good = base64_decode_update(&ctx, &decoded_len, decoded, base64_len, base64) &&
               base64_decode_final(&ctx);
        spill_cut(&input, SPILL_MARK "0", 0, &seen);
        assert_int_equal(seen.complete[0], good);
        if (good) {
            assert_int_equal(seen.len[0], decoded_len);
            assert_memory_equal(seen.data[0], decoded, decoded_len);
        }
        seen_done(&seen);
        input_done(&input);
        free(decoded);
        free(base64);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_surrounding),
        cmocka_unit_test(escapes_inside),
        cmocka_unit_test(lines),
        cmocka_unit_test(words_stay_words),
        cmocka_unit_test(short_runs_stay),
        cmocka_unit_test(broken_ends),
        cmocka_unit_test(agrees_with_nettle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
