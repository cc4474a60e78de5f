/* media/spill: base64 out of a text that streams, however it is cut. Nettle is the reference. */
#include "base/mem.h"
#include "media/spill.h"

#include <nettle/base64.h>

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A sink that remembers: bytes, ends, and a checksum over the calls themselves. */
struct seen {
    unsigned opened;
    unsigned closed;
    int complete[LIMIT_BLOBS];
    unsigned char *data[LIMIT_BLOBS];
    size_t len[LIMIT_BLOBS];
    size_t pieces;
    uint64_t calls; /* the order and length of everything */
    int keep;
    int fail_open;
    int fail_write;
    int fail_close;
};

static void note(struct seen *seen, uint64_t what)
{
    seen->calls = (seen->calls ^ what) * UINT64_C(0x100000001B3);
}

static int sink_open(void *ud, unsigned number, struct err *err)
{
    struct seen *seen = ud;

    if (seen->fail_open)
        return err_set(err, ERR_IO, "no file");
    assert_int_equal(number, seen->opened);
    assert_int_equal(seen->opened, seen->closed);
    seen->opened++;
    note(seen, 1);
    return 0;
}

static int sink_write(void *ud, const void *data, size_t len, struct err *err)
{
    struct seen *seen = ud;
    unsigned number = seen->opened - 1;

    assert_true(len > 0);
    if (seen->fail_write)
        return err_set(err, ERR_IO, "full");
    if (seen->keep) {
        seen->data[number] = realloc(seen->data[number], seen->len[number] + len);
        assert_non_null(seen->data[number]);
        memcpy(seen->data[number] + seen->len[number], data, len);
    }
    seen->len[number] += len;
    seen->pieces++;
    note(seen, len << 2);
    return 0;
}

static int sink_close(void *ud, unsigned number, int complete, struct err *err)
{
    struct seen *seen = ud;

    if (seen->fail_close)
        return err_set(err, ERR_IO, "not closed");
    assert_int_equal(number + 1, seen->opened);
    seen->complete[number] = complete;
    seen->closed++;
    note(seen, 2u + (unsigned)complete);
    return 0;
}

static void seen_done(struct seen *seen)
{
    for (unsigned i = 0; i < LIMIT_BLOBS; i++)
        free(seen->data[i]);
    memset(seen, 0, sizeof(*seen));
}

static struct spill *spill_over(struct seen *seen, size_t text_max)
{
    struct spill_sink sink = {sink_open, sink_write, sink_close, seen};
    struct spill *spill;

    assert_int_equal(spill_new(&sink, text_max, &spill), 0);
    return spill;
}

/* Small and repeatable; quality does not matter. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* A text that grows, for building inputs and expectations. */
struct text {
    char *data;
    size_t len;
    size_t room;
};

static void add_n(struct text *text, const char *data, size_t len)
{
    if (text->len + len + 1 > text->room) {
        text->room = (text->len + len + 1) * 2;
        text->data = realloc(text->data, text->room);
        assert_non_null(text->data);
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

static void add(struct text *text, const char *data)
{
    add_n(text, data, strlen(data));
}

static void text_clear(struct text *text)
{
    text->len = 0;
    text->data[0] = '\0';
}

static void text_done(struct text *text)
{
    free(text->data);
    memset(text, 0, sizeof(*text));
}

static unsigned char *random_bytes(size_t len, uint32_t seed)
{
    unsigned char *bytes = malloc(len + 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)next_random(&seed);
    return bytes;
}

static char *encode(const unsigned char *bytes, size_t len)
{
    size_t room = BASE64_ENCODE_RAW_LENGTH(len);
    char *text = malloc(room + 1);

    assert_non_null(text);
    base64_encode_raw(text, len, bytes);
    text[room] = '\0';
    return text;
}

/* Feeds in pieces of `step` bytes (0: random ones) and checks what comes out against `expected`. */
static void run_cut(const struct text *input, const char *expected, size_t step, struct seen *seen)
{
    struct spill *spill = spill_over(seen, 1u << 20);
    struct err err = {0};
    uint32_t seed = 7;
    const char *text;
    size_t len;
    unsigned blobs;
    size_t at = 0;

    while (at < input->len) {
        size_t piece = step ? step : next_random(&seed) % 300 + 1;
        char *copy;

        if (piece > input->len - at)
            piece = input->len - at;
        /* A block of its own, so that a sanitizer sees a read past the piece. */
        copy = malloc(piece);
        assert_non_null(copy);
        memcpy(copy, input->data + at, piece);
        assert_int_equal(spill_feed(spill, copy, piece, &err), 0);
        free(copy);
        at += piece;
    }
    assert_int_equal(spill_finish(spill, &text, &len, &blobs, &err), 0);
    assert_int_equal(len, strlen(expected));
    assert_string_equal(text, expected);
    assert_int_equal(blobs, seen->opened);
    assert_int_equal(blobs, seen->closed);
    spill_free(spill);
}

static const size_t steps[] = {1, 2, 3, 5, 7, 64, 1000, 4096, 65536, SIZE_MAX, 0};

static void all_cuts(const struct text *input, const char *expected, struct seen *ret_seen)
{
    uint64_t calls = 0;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct seen seen = {.keep = 1};

        run_cut(input, expected, steps[i], &seen);
        if (i == 0) {
            calls = seen.calls;
            *ret_seen = seen;
            continue;
        }
        assert_true(seen.calls == calls);
        for (unsigned n = 0; n < seen.opened; n++) {
            assert_int_equal(seen.len[n], ret_seen->len[n]);
            assert_memory_equal(seen.data[n], ret_seen->data[n], seen.len[n]);
            assert_int_equal(seen.complete[n], ret_seen->complete[n]);
        }
        seen_done(&seen);
    }
}

/* One input text of one blob: bytes as given, complete, and this text left. */
static void expect_blob(const struct text *input, const char *expected, const unsigned char *bytes,
                        size_t len)
{
    struct seen seen;

    all_cuts(input, expected, &seen);
    assert_int_equal(seen.opened, 1);
    assert_int_equal(seen.complete[0], 1);
    assert_int_equal(seen.len[0], len);
    assert_memory_equal(seen.data[0], bytes, len);
    seen_done(&seen);
}

static void expect_incomplete(const struct text *input, const char *expected)
{
    struct seen seen;

    all_cuts(input, expected, &seen);
    assert_int_equal(seen.opened, 1);
    assert_int_equal(seen.complete[0], 0);
    seen_done(&seen);
}

static void expect_kept(const struct text *input)
{
    struct seen seen;

    all_cuts(input, input->data ? input->data : "", &seen);
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
            unsigned char *bytes = random_bytes(len, (uint32_t)(i * 3 + len));
            char *base64 = encode(bytes, len);
            struct text input = {0};
            struct text expected = {0};

            add(&input, around[i][0]);
            add(&input, base64);
            add(&input, around[i][1]);
            add(&expected, around[i][0]);
            add(&expected, SPILL_MARK "0");
            add(&expected, around[i][1]);
            expect_blob(&input, expected.data, bytes, len);
            text_done(&input);
            text_done(&expected);
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
        unsigned char *bytes = random_bytes(len + round % 3, (uint32_t)round);
        char *base64;
        struct text input = {0};

        if (round % 4 == 3)
            memset(bytes, 0xFF, len); /* "////": escapes alone */
        base64 = encode(bytes, len + round % 3);
        add(&input, "{\"b64_json\": \"");
        for (const char *at = base64; *at; at++) {
            if (*at == '+')
                add(&input, plus[round % 3]);
            else if (*at == '/')
                add(&input, slash[round % 4]);
            else if (*at == '=')
                add(&input, pad[round / 2 % 3]);
            else if (round > 16 && *at == 'A')
                add(&input, "\\u0041");
            else
                add_n(&input, at, 1);
        }
        add(&input, "\"}");
        expect_blob(&input, "{\"b64_json\": \"" SPILL_MARK "0\"}", bytes, len + round % 3);
        text_done(&input);
        free(base64);
        free(bytes);
    }
}

static void lines(void **state)
{
    static const char *const breaks[] = {"\n", "\r\n", "\\n", "\\r\\n", "\\u000a", "\r", " \n  ",
                                         "\\r\n\t"};
    static const size_t widths[] = {32, 60, 64, 70, 75, 76, 77, 1000};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        for (size_t w = 0; w < 8; w++) {
            size_t len = 6000 + w;
            unsigned char *bytes = random_bytes(len, (uint32_t)(i + w));
            char *base64 = encode(bytes, len);
            size_t base64_len = strlen(base64);
            struct text input = {0};

            add(&input, "{\"a\":\"");
            for (size_t at = 0; at < base64_len; at += widths[w]) {
                size_t line = base64_len - at < widths[w] ? base64_len - at : widths[w];

                add_n(&input, base64 + at, line);
                add(&input, breaks[i]); /* after the last line too */
            }
            add(&input, "\"}");
            expect_blob(&input, "{\"a\":\"" SPILL_MARK "0\"}", bytes, len);
            text_done(&input);
            free(base64);
            free(bytes);
        }
    }
}

/* What stands around bare base64 is not swallowed with it. */
static void words_stay_words(void **state)
{
    unsigned char *bytes = random_bytes(6000, 5);
    char *base64 = encode(bytes, 6000);
    struct text input = {0};

    (void)state;
    add(&input, "Here is the picture\n");
    for (size_t at = 0; at < strlen(base64); at += 80) {
        add_n(&input, base64 + at, 80);
        add(&input, "\n");
    }
    add(&input, "\nEnjoy it and ask again");
    expect_blob(&input, "Here is the picture\n" SPILL_MARK "0\n\nEnjoy it and ask again", bytes,
                6000);
    text_clear(&input);
    add(&input, "0123456789abcdef0123456789abcdef0123456789abcdef ");
    add(&input, base64);
    add(&input, " 0123456789abcdef0123456789abcdef0123456789abcdef\n");
    expect_blob(&input, "0123456789abcdef0123456789abcdef0123456789abcdef " SPILL_MARK
                "0 0123456789abcdef0123456789abcdef0123456789abcdef\n", bytes, 6000);
    text_done(&input);
    free(base64);
    free(bytes);
}

static void short_runs_stay(void **state)
{
    unsigned char *bytes = random_bytes(3069 + 3, 9); /* 4096 letters */
    char *base64 = encode(bytes, 3072);
    struct text input = {0};

    (void)state;
    assert_int_equal(strlen(base64), LIMIT_SPILL_RUN);
    add(&input, "{\"k\":\"");
    add_n(&input, base64, LIMIT_SPILL_RUN - 1);
    add(&input, "\",\"l\":\"\\u002b\\/\\u12\\u123x\\\\\\\"\\n\\");
    expect_kept(&input);
    text_clear(&input);
    add(&input, "{\"k\":\"");
    add(&input, base64);
    add(&input, "\"}");
    expect_blob(&input, "{\"k\":\"" SPILL_MARK "0\"}", bytes, 3072);
    /* A long text of short words and lines of words is no run. */
    text_clear(&input);
    for (int i = 0; i < 3000; i++)
        add(&input, i % 9 ? "word and/or a+b " : "line\n");
    expect_kept(&input);
    /* Url-safe letters end a run. */
    text_clear(&input);
    for (int i = 0; i < 300; i++)
        add(&input, "abcdefghijklmnopqrstuvwxyz0123456789-_");
    expect_kept(&input);
    text_clear(&input);
    expect_kept(&input);
    text_done(&input);
    free(base64);
    free(bytes);
}

static void broken_ends(void **state)
{
    static const char *const ends[][2] = {
        /* after letters of whole fours: what follows, and what is left of it */
        {"A", ""}, {"AA", ""}, {"AAA", ""}, {"AA=", ""}, {"A===", ""}, {"=", ""}, {"====", ""},
        {"AAA==", ""}, {"AA===", ""}, {"AA==AAAA", ""}, {"AA=A", ""}, {"AAA=AAA=", ""},
        {"AA\\u003d", ""}, {"AB==", ""}, {"AAB=", ""}, {"A=\"", "\""}, {"AA=\n", ""},
        {"AA= =", " ="},
    };
    unsigned char *bytes = random_bytes(6000, 3);
    char *base64 = encode(bytes, 6000);

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct text input = {0};
        struct text expected = {0};

        add(&input, "x:");
        add(&input, base64);
        add(&input, ends[i][0]);
        add(&expected, "x:" SPILL_MARK "0");
        add(&expected, ends[i][1]);
        expect_incomplete(&input, expected.data);
        text_done(&input);
        text_done(&expected);
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
        size_t len = 3072 + next_random(&seed) % 400;
        unsigned char *bytes = random_bytes(len, seed);
        char *base64 = encode(bytes, len);
        size_t base64_len = strlen(base64);
        struct base64_decode_ctx ctx;
        struct text input = {0};
        struct seen seen = {.keep = 1};
        uint8_t *decoded = malloc(len + 8);
        size_t decoded_len = len + 8;
        int good;

        assert_non_null(decoded);
        if (round % 3 == 1)
            base64[base64_len - 1 - next_random(&seed) % 4] = "A=B+"[next_random(&seed) % 4];
        if (round % 3 == 2 && base64_len > LIMIT_SPILL_RUN + 4)
            base64_len -= next_random(&seed) % 4;
        add_n(&input, base64, base64_len);
        base64_decode_init(&ctx);
        good = base64_decode_update(&ctx, &decoded_len, decoded, base64_len, base64) &&
               base64_decode_final(&ctx);
        run_cut(&input, SPILL_MARK "0", 0, &seen);
        assert_int_equal(seen.complete[0], good);
        if (good) {
            assert_int_equal(seen.len[0], decoded_len);
            assert_memory_equal(seen.data[0], decoded, decoded_len);
        }
        seen_done(&seen);
        text_done(&input);
        free(decoded);
        free(base64);
        free(bytes);
    }
}

static void many_blobs(void **state)
{
    unsigned char *bytes = random_bytes(4000, 1);
    char *base64 = encode(bytes, 4000);
    struct text input = {0};
    struct text expected = {0};
    struct seen seen;
    struct spill *spill;
    struct err err;
    char mark[64];

    (void)state;
    for (unsigned i = 0; i < LIMIT_BLOBS; i++) {
        add(&input, "{\"b64_json\":\"");
        add(&input, base64);
        add(&input, "\"},");
        snprintf(mark, sizeof(mark), "{\"b64_json\":\"%s%u\"},", SPILL_MARK, i);
        add(&expected, mark);
    }
    all_cuts(&input, expected.data, &seen);
    assert_int_equal(seen.opened, LIMIT_BLOBS);
    for (unsigned i = 0; i < LIMIT_BLOBS; i++) {
        assert_int_equal(seen.len[i], 4000);
        assert_memory_equal(seen.data[i], bytes, 4000);
    }
    seen_done(&seen);
    /* One more is too many, and stays an error. */
    add(&input, base64);
    spill = spill_over(&seen, 1u << 20);
    assert_int_equal(spill_feed(spill, input.data, input.len, &err), -1);
    assert_int_equal(err.kind, ERR_LIMIT);
    memset(&err, 0, sizeof(err));
    assert_int_equal(spill_feed(spill, "x", 1, &err), -1);
    assert_int_equal(err.kind, ERR_LIMIT);
    spill_free(spill);
    seen_done(&seen);
    text_done(&input);
    text_done(&expected);
    free(base64);
    free(bytes);
}

/* The bound counts what is kept, at every cut; a candidate on its way out does not count. */
static void text_is_bounded(void **state)
{
    unsigned char *bytes = random_bytes(60000, 2);
    char *base64 = encode(bytes, 60000);
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        for (size_t extra = 0; extra < 2; extra++) {
            struct text input = {0};
            struct seen seen = {0};
            struct spill *spill = spill_over(&seen, 1000);
            const char *text;
            size_t len;
            unsigned blobs;
            size_t step = steps[i] ? steps[i] : 11;
            int rc = 0;

            for (size_t n = 0; n < 1000 - strlen(SPILL_MARK "0") + extra; n++)
                add(&input, ".");
            add(&input, base64);
            for (size_t at = 0; rc == 0 && at < input.len; at += step)
                rc = spill_feed(spill, input.data + at,
                                input.len - at < step ? input.len - at : step, &err);
            if (rc == 0)
                rc = spill_finish(spill, &text, &len, &blobs, &err);
            assert_int_equal(rc, extra ? -1 : 0);
            if (extra)
                assert_int_equal(err.kind, ERR_LIMIT);
            spill_free(spill);
            /* A short candidate past the bound is text after all. */
            seen_done(&seen);
            spill = spill_over(&seen, 1000);
            rc = 0;
            for (size_t at = 0; rc == 0 && at < 1000 + extra; at += step)
                rc = spill_feed(spill, base64 + at,
                                1000 + extra - at < step ? 1000 + extra - at : step, &err);
            if (rc == 0)
                rc = spill_finish(spill, &text, &len, &blobs, &err);
            assert_int_equal(rc, extra ? -1 : 0);
            spill_free(spill);
            text_done(&input);
        }
    }
    free(base64);
    free(bytes);
}

static void sink_may_give_up(void **state)
{
    unsigned char *bytes = random_bytes(200000, 2);
    char *base64 = encode(bytes, 200000);
    const char *text = NULL;
    size_t len;
    unsigned blobs;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct seen seen = {.fail_open = i == 0, .fail_write = i == 1, .fail_close = i == 2};
        struct spill *spill = spill_over(&seen, 1000);
        struct err err = {0};
        int rc = spill_feed(spill, base64, strlen(base64), &err);

        if (i < 2)
            assert_int_equal(rc, -1);
        assert_int_equal(spill_finish(spill, &text, &len, &blobs, &err), -1);
        assert_int_equal(err.kind, ERR_IO);
        assert_null(text);
        spill_free(spill);
    }
    /* Freed in the middle of a run: the sink hears nothing more. */
    struct seen seen = {0};
    struct spill *spill = spill_over(&seen, 1000);

    assert_int_equal(spill_feed(spill, base64, 100000, NULL), 0);
    assert_int_equal(seen.opened, 1);
    spill_free(spill);
    assert_int_equal(seen.closed, 0);
    spill_free(NULL);
    free(base64);
    free(bytes);
}

static void memory_may_fail(void **state)
{
    unsigned char *bytes = random_bytes(9000, 2);
    char *base64 = encode(bytes, 9000);
    struct text input = {0};
    int failures = 0;

    (void)state;
    for (int i = 0; i < 2000; i++)
        add(&input, "some words. ");
    add(&input, base64);
    for (long n = 1;; n++) {
        struct seen seen = {0};
        struct spill_sink sink = {sink_open, sink_write, sink_close, &seen};
        struct spill *spill = NULL;
        struct err err = {0};
        const char *text;
        size_t len;
        unsigned blobs;
        int rc;

        mem_fail_after(n, 0);
        rc = spill_new(&sink, 1u << 20, &spill);
        if (rc == 0) {
            rc = spill_feed(spill, input.data, input.len, &err);
            if (rc == 0)
                rc = spill_finish(spill, &text, &len, &blobs, &err);
            if (rc)
                assert_int_equal(err.kind, ERR_NOMEM);
        }
        mem_fail_after(0, 0);
        spill_free(spill);
        if (rc == 0)
            break;
        failures++;
    }
    assert_true(failures >= 2);
    text_done(&input);
    free(base64);
    free(bytes);
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
        cmocka_unit_test(many_blobs),
        cmocka_unit_test(text_is_bounded),
        cmocka_unit_test(sink_may_give_up),
        cmocka_unit_test(memory_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
