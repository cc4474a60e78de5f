/* The lexical half of the JSON5 reader, private to json5.c: code points with their places, space
 * and comments, and the tokens' bytes. Every function that returns int32-like int gives 0 or one
 * of JSON5_E_* with *error filled; after a failure the scanner is only good for freeing. */
#ifndef CONFIG_JSON5_SCAN_H
#define CONFIG_JSON5_SCAN_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/json5.h"

#define JSON5_SCAN_END UINT32_C(0xffffffff) /* the end of the text: no code point */

/* A token's bytes, UTF-8. high is a high surrogate that waits for its other half, or 0. */
struct json5_token {
    char *bytes;
    size_t used, room;
    uint32_t high;
};

struct json5_place {
    size_t line, column;
};

struct json5_scan {
    const uint8_t *next, *end; /* behind c */
    uint32_t c;                /* the code point at place, or JSON5_SCAN_END */
    struct json5_place place;
    locale_t c_locale; /* numbers are written with a point, whatever the host's locale */
    struct json5_error *error;
};

/* Checks that all of text is UTF-8 and stands on its first code point. text and error must
 * outlive the scanner. Pair with _stop, also after a failure. */
int json5_scan_start(struct json5_scan *s, const char *text, size_t len, struct json5_error *error);
void json5_scan_stop(struct json5_scan *s);
void json5_token_free(struct json5_token *t);

void json5_scan_advance(struct json5_scan *s);
bool json5_scan_is_digit(const struct json5_scan *s);

int json5_scan_fail_at(struct json5_scan *s, int code, struct json5_place place, const char *text);
/* The code point in hand is not what the grammar wants. */
int json5_scan_fail(struct json5_scan *s, const char *expected);
int json5_scan_fail_memory(struct json5_scan *s);

/* Each stands on the token's first code point and ends behind its last. */
int json5_scan_space(struct json5_scan *s);
int json5_scan_word(struct json5_scan *s, const char *word);
int json5_scan_string(struct json5_scan *s, struct json5_token *t);
int json5_scan_identifier(struct json5_scan *s, struct json5_token *t);
/* Sign, number or Infinity or NaN; t is scratch. *ret_number is finite. */
int json5_scan_number(struct json5_scan *s, struct json5_token *t, double *ret_number);

#endif
