/* base/: memory, buffers, errors. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_stops_at_its_bound),
        cmocka_unit_test(nth_allocation_fails),
        cmocka_unit_test(long_errors_end_at_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
