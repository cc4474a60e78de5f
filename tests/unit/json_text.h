/* json_text.h - JSON that a test wrote itself. */
#ifndef TESTS_JSON_TEXT_H
#define TESTS_JSON_TEXT_H

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Any value; fails where the text is none. */
static inline json_t *json_own(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);

    if (!value)
        fail_msg("the test's own JSON: %s: %s", text, error.text);
    return value;
}

#endif
