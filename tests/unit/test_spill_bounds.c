/* media/spill at its bounds: many blobs, much text, a sink that gives up, no memory. */
#include "base/mem.h"
#include "spill_rig.h"

static void many_blobs(void **state)
{
    unsigned char *bytes = input_random(4000, 1);
    char *base64 = input_base64(bytes, 4000);
    struct input input = {0};
    struct input expected = {0};
    struct seen seen;
    struct spill *spill;
    struct err err;
    char mark[64];

    (void)state;
    for (unsigned i = 0; i < LIMIT_BLOBS; i++) {
        input_add(&input, "{\"b64_json\":\"");
        input_add(&input, base64);
        input_add(&input, "\"},");
        snprintf(mark, sizeof(mark), "{\"b64_json\":\"%s%u\"},", SPILL_MARK, i);
        input_add(&expected, mark);
    }
    spill_all_cuts(&input, expected.data, &seen);
    assert_int_equal(seen.opened, LIMIT_BLOBS);
    for (unsigned i = 0; i < LIMIT_BLOBS; i++) {
        assert_int_equal(seen.len[i], 4000);
        assert_memory_equal(seen.data[i], bytes, 4000);
    }
    seen_done(&seen);
    /* One more is too many, and stays an error. */
    input_add(&input, base64);
    spill = spill_over(&seen, 1u << 20);
    assert_int_equal(spill_feed(spill, input.data, input.len, &err), -1);
    assert_int_equal(err.kind, ERR_LIMIT);
    memset(&err, 0, sizeof(err));
    assert_int_equal(spill_feed(spill, "x", 1, &err), -1);
    assert_int_equal(err.kind, ERR_LIMIT);
    spill_free(spill);
    seen_done(&seen);
    input_done(&input);
    input_done(&expected);
    free(base64);
    free(bytes);
}

/* What becomes of a text in pieces of `step` when so much of it may be kept. */
static int spill_bounded(const char *text, size_t len, size_t step, size_t text_max,
                         struct err *err)
{
    struct seen seen = {0};
    struct spill *spill = spill_over(&seen, text_max);
    const char *kept;
    size_t kept_len;
    unsigned blobs;
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < len; at += step)
        rc = spill_feed(spill, text + at, len - at < step ? len - at : step, err);
    if (rc == 0)
        rc = spill_finish(spill, &kept, &kept_len, &blobs, err);
    spill_free(spill);
    seen_done(&seen);
    return rc;
}

/* The bound counts what is kept, at every cut; a candidate on its way out does not count. */
static void text_is_bounded(void **state)
{
    unsigned char *bytes = input_random(60000, 2);
    char *base64 = input_base64(bytes, 60000);

    (void)state;
    for (size_t i = 0; i < SPILL_STEPS; i++) {
        size_t step = spill_steps[i] ? spill_steps[i] : 11;

        for (size_t extra = 0; extra < 2; extra++) {
            struct input input = {0};
            struct err err = {0};

            for (size_t n = 0; n < 1000 - strlen(SPILL_MARK "0") + extra; n++)
                input_add(&input, ".");
            input_add(&input, base64);
            assert_int_equal(spill_bounded(input.data, input.len, step, 1000, &err),
                             extra ? -1 : 0);
            assert_int_equal(err.kind, extra ? ERR_LIMIT : ERR_NONE);
            /* A short candidate past the bound is text after all. */
            assert_int_equal(spill_bounded(base64, 1000 + extra, step, 1000, &err), extra ? -1 : 0);
            input_done(&input);
        }
    }
    free(base64);
    free(bytes);
}

static void sink_may_give_up(void **state)
{
    unsigned char *bytes = input_random(200000, 2);
    char *base64 = input_base64(bytes, 200000);
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
    unsigned char *bytes = input_random(9000, 2);
    char *base64 = input_base64(bytes, 9000);
    struct input input = {0};
    int failures = 0;

    (void)state;
    for (int i = 0; i < 2000; i++)
        input_add(&input, "some words. ");
    input_add(&input, base64);
    for (long n = 1;; n++) {
        struct seen seen = {0};
        struct spill_sink sink = seen_sink(&seen);
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
    input_done(&input);
    free(base64);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_blobs),
        cmocka_unit_test(text_is_bounded),
        cmocka_unit_test(sink_may_give_up),
        cmocka_unit_test(memory_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
