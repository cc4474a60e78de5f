/* Any bytes into json5_parse. Beside what the sanitizers see:
 *   - a failure says what and where, and leaves the output alone;
 *   - a value written as JSON reads back as the same;
 *   - what jansson reads as JSON, this reads as JSON5.
 */
#include <stdlib.h>
#include <string.h>

#include "config/json5.h"
#include "fuzz.h"

static char *spell(json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));

    FUZZ_CHECK(text);
    return text;
}

/* Compares texts: json_equal of jansson 2.14 looks keys up without their length, so it does not
 * find one with a NUL in it, and it does not look at the order. */
static void check_round_trip(json_t *value)
{
    char *text = spell(value), *text_again;
    struct json5_error error;
    json_t *again = NULL;

    FUZZ_CHECK(json5_parse(text, strlen(text), &again, &error) == 0);
    text_again = spell(again);
    FUZZ_CHECK(strcmp(text, text_again) == 0);
    json_decref(again);
    free(text_again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *untouched = json_null(), *value = untouched, *strict;
    struct json5_error error = {0};
    json_error_t ignored;
    int rc = json5_parse((const char *)data, size, &value, &error);

    if (rc == 0) {
        FUZZ_CHECK(value);
        check_round_trip(value);
        json_decref(value);
        return 0;
    }
    FUZZ_CHECK(rc >= JSON5_E_MEMORY && value == untouched);
    FUZZ_CHECK(error.line >= 1 && error.column >= 1);
    FUZZ_CHECK(memchr(error.text, '\0', sizeof(error.text)) && error.text[0] != '\0');
    if (memchr(data, '\0', size)) /* where jansson takes the text to end */
        return 0;
    strict = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &ignored);
    FUZZ_CHECK(!strict || rc == JSON5_E_DEPTH || rc == JSON5_E_TOO_BIG);
    json_decref(strict);
    return 0;
}
