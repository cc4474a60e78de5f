/*
 * The base64 spill. The first byte chooses how the text is cut, the second how much text is
 * allowed; in the rest a byte from 0xE0 on stands for a long run of letters, so that small inputs
 * reach runs. The same text whole and in pieces must give the same calls and the same text; a text
 * without a run must come out as it went in.
 */
#include "fuzz.h"

#include "media/spill.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX 81920u

struct seen {
    uint64_t calls;
    size_t bytes;
    char *data;
    unsigned opened;
    unsigned closed;
};

static void note(struct seen *seen, uint64_t what)
{
    seen->calls = (seen->calls ^ what) * UINT64_C(0x100000001B3) + 1;
}

static int on_open(void *ud, unsigned number, struct err *err)
{
    struct seen *seen = ud;

    (void)err;
    FUZZ_CHECK(number == seen->opened && seen->opened == seen->closed);
    seen->opened++;
    note(seen, number);
    return 0;
}

static int on_write(void *ud, const void *data, size_t len, struct err *err)
{
    struct seen *seen = ud;

    (void)err;
    FUZZ_CHECK(len > 0 && seen->opened == seen->closed + 1);
    note(seen, len);
    FUZZ_CHECK(seen->bytes + len <= TEXT_BYTES_MAX);
    memcpy(seen->data + seen->bytes, data, len);
    seen->bytes += len;
    return 0;
}

static int on_close(void *ud, unsigned number, int complete, struct err *err)
{
    struct seen *seen = ud;

    (void)err;
    FUZZ_CHECK(number == seen->closed);
    seen->closed++;
    note(seen, (uint64_t)complete);
    return 0;
}

/* 0 with the text kept, or -1. */
static int run(const char *text, size_t len, size_t step, size_t text_max, struct seen *seen,
               struct spill **ret_spill, const char **ret_kept, size_t *ret_kept_len)
{
    struct spill_sink sink = {on_open, on_write, on_close, seen};
    struct err err = {0};
    unsigned blobs;
    int rc = 0;

    char *exact;

    FUZZ_CHECK(spill_new(&sink, text_max, ret_spill) == 0);
    step = step < len + 1 ? step : len + 1;
    exact = malloc(step); /* no slack behind a piece */
    FUZZ_CHECK(exact != NULL);
    for (size_t at = 0; rc == 0 && at < len; at += step) {
        size_t piece = len - at < step ? len - at : step;

        memcpy(exact + step - piece, text + at, piece);
        rc = spill_feed(*ret_spill, exact + step - piece, piece, &err);
    }
    free(exact);
    if (rc == 0)
        rc = spill_finish(*ret_spill, ret_kept, ret_kept_len, &blobs, &err);
    if (rc) {
        FUZZ_CHECK(err.kind == ERR_LIMIT && err.text[0]);
        return -1;
    }
    FUZZ_CHECK(blobs == seen->opened && blobs == seen->closed && blobs <= LIMIT_BLOBS);
    FUZZ_CHECK(*ret_kept_len <= text_max && (*ret_kept)[*ret_kept_len] == '\0');
    return 0;
}

static size_t expand(const uint8_t *data, size_t size, char *ret_text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = 0;

    for (size_t i = 0; i < size && len < TEXT_BYTES_MAX; i++) {
        size_t count = data[i] < 0xE0 ? 0 : (size_t)(data[i] - 0xDF) * 255;

        if (!count)
            ret_text[len++] = (char)data[i];
        for (size_t n = 0; n < count && len < TEXT_BYTES_MAX; n++)
            ret_text[len++] = letters[(n * 7 + i) & 63];
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = {0};
    struct seen cut = {0};
    struct spill *one;
    struct spill *two;
    const char *kept_one;
    const char *kept_two;
    size_t len_one = 0;
    size_t len_two = 0;
    size_t text_max;
    size_t len;
    char *text;
    int rc;

    if (size < 2)
        return 0;
    text = malloc(TEXT_BYTES_MAX);
    whole.data = malloc(TEXT_BYTES_MAX);
    cut.data = malloc(TEXT_BYTES_MAX);
    FUZZ_CHECK(text != NULL && whole.data != NULL && cut.data != NULL);
    len = expand(data + 2, size - 2, text);
    text_max = (size_t)data[1] << 10;
    rc = run(text, len, len + 1, text_max, &whole, &one, &kept_one, &len_one);
    FUZZ_CHECK(run(text, len, (size_t)data[0] % 97 + 1, text_max, &cut, &two, &kept_two,
                   &len_two) == rc);
    if (rc == 0) {
        FUZZ_CHECK(whole.calls == cut.calls && whole.bytes == cut.bytes);
        FUZZ_CHECK(memcmp(whole.data, cut.data, whole.bytes) == 0);
        FUZZ_CHECK(len_one == len_two && memcmp(kept_one, kept_two, len_one) == 0);
        FUZZ_CHECK(len_one + whole.bytes <= len + LIMIT_BLOBS * sizeof(SPILL_MARK));
        if (!whole.opened)
            FUZZ_CHECK(len_one == len && memcmp(kept_one, text, len) == 0);
    }
    spill_free(one);
    spill_free(two);
    free(whole.data);
    free(cut.data);
    free(text);
    return 0;
}
