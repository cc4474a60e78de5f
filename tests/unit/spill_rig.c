/* spill_rig.c - see spill_rig.h. */
#include "spill_rig.h"

#include <nettle/base64.h>

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

void seen_done(struct seen *seen)
{
    for (unsigned i = 0; i < LIMIT_BLOBS; i++)
        free(seen->data[i]);
    memset(seen, 0, sizeof(*seen));
}

struct spill_sink seen_sink(struct seen *seen)
{
    return (struct spill_sink){sink_open, sink_write, sink_close, seen};
}

struct spill *spill_over(struct seen *seen, size_t text_max)
{
    struct spill_sink sink = seen_sink(seen);
    struct spill *spill;

    assert_int_equal(spill_new(&sink, text_max, &spill), 0);
    return spill;
}

uint32_t input_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

void input_add_n(struct input *input, const char *data, size_t len)
{
    if (input->len + len + 1 > input->room) {
        input->room = (input->len + len + 1) * 2;
        input->data = realloc(input->data, input->room);
        assert_non_null(input->data);
    }
    memcpy(input->data + input->len, data, len);
    input->len += len;
    input->data[input->len] = '\0';
}

void input_add(struct input *input, const char *data)
{
    input_add_n(input, data, strlen(data));
}

void input_clear(struct input *input)
{
    input->len = 0;
    input->data[0] = '\0';
}

void input_done(struct input *input)
{
    free(input->data);
    memset(input, 0, sizeof(*input));
}

unsigned char *input_random(size_t len, uint32_t seed)
{
    unsigned char *bytes = malloc(len + 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)input_next(&seed);
    return bytes;
}

char *input_base64(const unsigned char *bytes, size_t len)
{
    size_t room = BASE64_ENCODE_RAW_LENGTH(len);
    char *text = malloc(room + 1);

    assert_non_null(text);
    base64_encode_raw(text, len, bytes);
    text[room] = '\0';
    return text;
}

void spill_cut(const struct input *input, const char *expected, size_t step, struct seen *seen)
{
    struct spill *spill = spill_over(seen, 1u << 20);
    struct err err = {0};
    uint32_t seed = 7;
    const char *text;
    size_t len;
    unsigned blobs;
    size_t at = 0;

    while (at < input->len) {
        size_t piece = step ? step : input_next(&seed) % 300 + 1;
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

const size_t spill_steps[SPILL_STEPS] = {1, 2, 3, 5, 7, 64, 1000, 4096, 65536, SIZE_MAX, 0};

void spill_all_cuts(const struct input *input, const char *expected, struct seen *ret_seen)
{
    uint64_t calls = 0;

    for (size_t i = 0; i < SPILL_STEPS; i++) {
        struct seen seen = {.keep = 1};

        spill_cut(input, expected, spill_steps[i], &seen);
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
