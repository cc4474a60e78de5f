/* See json5_scan.h. One code point of look-ahead; the whole text is checked to be UTF-8 before the
 * first one, so decoding cannot fail later. What is a token and what is not follows the npm package
 * json5 2.2.3 to the letter, error places included. Turning text into doubles is libc's work,
 * which characters a key may have json5_ident.c's.
 */
#include "config/json5_scan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <unistr.h>

#include "base/mem.h"
#include "config/json5_ident.h"

#define NOT_HEX        UINT32_C(0xffffffff)
#define REPLACEMENT    UINT32_C(0xfffd)
#define TOKEN_ROOM_MIN 64u

/* Whether showing it helps: not so for marks, controls and odd spaces. */
static bool is_visible(uint32_t c)
{
    return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_N |
                                                   UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_S);
}

static void describe(uint32_t c, char *text, size_t size)
{
    uint8_t glyph[8] = {0};
    int n;

    if (c == JSON5_SCAN_END) {
        snprintf(text, size, "the end of the text");
    } else if (c == '\n' || c == '\r') {
        snprintf(text, size, "the end of the line");
    } else if (c == ' ') {
        snprintf(text, size, "a space");
    } else if (c > ' ' && c < 0x7f) {
        snprintf(text, size, "'%c'", (int)c);
    } else if (is_visible(c) && (n = u8_uctomb(glyph, c, sizeof(glyph) - 1)) > 0) {
        snprintf(text, size, "'%.*s' (U+%04" PRIX32 ")", n, (const char *)glyph, c);
    } else {
        snprintf(text, size, "U+%04" PRIX32, c);
    }
}

int json5_scan_fail_at(struct json5_scan *s, int code, struct json5_place place, const char *text)
{
    s->error->line = place.line;
    s->error->column = place.column;
    snprintf(s->error->text, sizeof(s->error->text), "%s", text);
    return code;
}

/* The code point in hand is not what the grammar wants. */
int json5_scan_fail(struct json5_scan *s, const char *expected)
{
    char found[40], text[sizeof(s->error->text)];

    describe(s->c, found, sizeof(found));
    snprintf(text, sizeof(text), "found %s, expected %s", found, expected);
    return json5_scan_fail_at(s, JSON5_E_SYNTAX, s->place, text);
}

int json5_scan_fail_memory(struct json5_scan *s)
{
    return json5_scan_fail_at(s, JSON5_E_MEMORY, s->place, "out of memory");
}

static void decode(struct json5_scan *s)
{
    ucs4_t c;

    if (s->next == s->end) {
        s->c = JSON5_SCAN_END;
        return;
    }
    s->next += u8_mbtouc_unsafe(&c, s->next, (size_t)(s->end - s->next));
    s->c = c;
}

void json5_scan_advance(struct json5_scan *s)
{
    if (s->c == '\n') {
        s->place.line++;
        s->place.column = 1;
    } else if (s->c != JSON5_SCAN_END) {
        s->place.column++;
    }
    decode(s);
}

/* ---- tokens ---- */

static int token_reserve(struct json5_scan *s, struct json5_token *t, size_t more)
{
    size_t room = t->room < TOKEN_ROOM_MIN ? TOKEN_ROOM_MIN : t->room;
    char *bytes;

    if (more > JSON5_TOKEN_BYTES_MAX - t->used) {
        char text[80];

        snprintf(text, sizeof(text), "a string or number of more than %u bytes",
                 JSON5_TOKEN_BYTES_MAX);
        return json5_scan_fail_at(s, JSON5_E_TOO_BIG, s->place, text);
    }
    if (t->room - t->used >= more)
        return 0;
    while (room - t->used < more)
        room *= 2;
    bytes = mem_grow(t->bytes, room);
    if (!bytes)
        return json5_scan_fail_memory(s);
    t->bytes = bytes;
    t->room = room;
    return 0;
}

static int token_put(struct json5_scan *s, struct json5_token *t, uint32_t c)
{
    int rc = token_reserve(s, t, 4);

    if (rc == 0) /* four bytes hold any code point, so this gives 1 to 4 */
        t->used += (size_t)u8_uctomb((uint8_t *)t->bytes + t->used, c, 4);
    return rc;
}

/* Ends what high waits for: nothing came that completes it. */
static int token_settle(struct json5_scan *s, struct json5_token *t)
{
    if (t->high == 0)
        return 0;
    t->high = 0;
    return token_put(s, t, REPLACEMENT);
}

/* Like token_put, for one UTF-16 unit or code point of a string: joins surrogate pairs, which
 * may come as two escapes, even with a line continuation between them. */
static int token_put_unit(struct json5_scan *s, struct json5_token *t, uint32_t c)
{
    int rc;

    if (t->high != 0 && c >= 0xdc00 && c <= 0xdfff) {
        c = 0x10000 + ((t->high - 0xd800) << 10) + (c - 0xdc00);
        t->high = 0;
        return token_put(s, t, c);
    }
    rc = token_settle(s, t);
    if (rc < 0)
        return rc;
    if (c >= 0xd800 && c <= 0xdbff) {
        t->high = c;
        return 0;
    }
    return token_put(s, t, c >= 0xdc00 && c <= 0xdfff ? REPLACEMENT : c);
}

static void token_clear(struct json5_token *t)
{
    t->used = 0;
    t->high = 0;
}

/* ---- space and comments ---- */

static bool is_line_end(uint32_t c)
{
    return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029;
}

static bool is_space(uint32_t c)
{
    switch (c) {
    case '\t':
    case '\v':
    case '\f':
    case ' ':
    case 0x00a0:
    case 0x1680:
    case 0x202f:
    case 0x205f:
    case 0x3000:
    case 0xfeff:
        return true;
    default:
        return is_line_end(c) || (c >= 0x2000 && c <= 0x200a);
    }
}

static int skip_comment(struct json5_scan *s)
{
    json5_scan_advance(s); /* the slash */
    if (s->c == '/') {
        while (s->c != JSON5_SCAN_END && !is_line_end(s->c))
            json5_scan_advance(s);
        return 0;
    }
    if (s->c != '*')
        return json5_scan_fail(s, "'/' or '*' to make a comment");
    json5_scan_advance(s);
    for (;;) {
        bool star = s->c == '*';

        if (s->c == JSON5_SCAN_END)
            return json5_scan_fail(s, "'*/' to end the comment");
        json5_scan_advance(s);
        if (star && s->c == '/') {
            json5_scan_advance(s);
            return 0;
        }
    }
}

int json5_scan_space(struct json5_scan *s)
{
    int rc = 0;

    while (rc == 0 && (is_space(s->c) || s->c == '/')) {
        if (s->c == '/')
            rc = skip_comment(s);
        else
            json5_scan_advance(s);
    }
    return rc;
}

/* ---- strings and keys ---- */

static uint32_t hex_digit(uint32_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return NOT_HEX;
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static int read_hex(struct json5_scan *s, int digits, uint32_t *ret_c)
{
    uint32_t c = 0;

    for (; digits > 0; digits--) {
        uint32_t digit = hex_digit(s->c);

        if (digit == NOT_HEX)
            return json5_scan_fail(s, "a hexadecimal digit of the escape");
        c = c * 16 + digit;
        json5_scan_advance(s);
    }
    *ret_c = c;
    return 0;
}

/* Behind the backslash in a string. */
static int read_escape(struct json5_scan *s, struct json5_token *t)
{
    static const char names[] = "bfnrtv", values[] = "\b\f\n\r\t\v";
    uint32_t c = s->c;
    const char *name;
    int rc;

    if (c == JSON5_SCAN_END)
        return json5_scan_fail(s, "the rest of the escape");
    if (c >= '1' && c <= '9')
        return json5_scan_fail(s, "an escape other than a digit from 1 to 9");
    json5_scan_advance(s);
    if (is_line_end(c)) { /* a line continuation: nothing */
        if (c == '\r' && s->c == '\n')
            json5_scan_advance(s);
        return 0;
    }
    if (c == 'x' || c == 'u') {
        rc = read_hex(s, c == 'x' ? 2 : 4, &c);
        return rc < 0 ? rc : token_put_unit(s, t, c);
    }
    if (c == '0') {
        if (is_digit(s->c))
            return json5_scan_fail(s, "no digit behind \\0");
        return token_put_unit(s, t, 0);
    }
    name = c < 0x80 && c != 0 ? strchr(names, (int)c) : NULL;
    return token_put_unit(s, t, name ? (uint32_t)values[name - names] : c);
}

int json5_scan_string(struct json5_scan *s, struct json5_token *t)
{
    uint32_t quote = s->c;
    int rc = 0;

    token_clear(t);
    json5_scan_advance(s);
    while (rc == 0 && s->c != quote) {
        if (s->c == JSON5_SCAN_END || s->c == '\n' || s->c == '\r')
            return json5_scan_fail(s, quote == '"' ? "'\"' to end the string"
                                                   : "\"'\" to end the string");
        if (s->c == '\\') {
            json5_scan_advance(s);
            rc = read_escape(s, t);
        } else {
            rc = token_put_unit(s, t, s->c);
            json5_scan_advance(s);
        }
    }
    if (rc == 0)
        rc = token_settle(s, t);
    if (rc == 0)
        json5_scan_advance(s);
    return rc;
}

int json5_scan_identifier(struct json5_scan *s, struct json5_token *t)
{
    bool (*allowed)(uint32_t) = json5_ident_starts;
    int rc = 0;

    token_clear(t);
    while (rc == 0) {
        struct json5_place place = s->place;
        bool escaped = s->c == '\\';
        uint32_t c = s->c;

        if (escaped) {
            json5_scan_advance(s);
            if (s->c != 'u')
                return json5_scan_fail(s, "'u' and four hexadecimal digits");
            json5_scan_advance(s);
            rc = read_hex(s, 4, &c);
            if (rc < 0)
                break;
            if (!allowed(c))
                return json5_scan_fail_at(
                    s, JSON5_E_SYNTAX, place,
                    "found an escape for a character that a key without quotes "
                    "cannot have here, expected a letter, '$' or '_'");
        } else if (c == JSON5_SCAN_END || !allowed(c)) {
            if (allowed == json5_ident_starts)
                return json5_scan_fail(s, "a key or '}'");
            break;
        } else {
            json5_scan_advance(s);
        }
        rc = token_put(s, t, c);
        allowed = json5_ident_continues;
    }
    return rc;
}

/* ---- numbers and words ---- */

static int put_and_advance(struct json5_scan *s, struct json5_token *t)
{
    int rc = token_put(s, t, s->c);

    if (rc == 0)
        json5_scan_advance(s);
    return rc;
}

static int put_digits(struct json5_scan *s, struct json5_token *t)
{
    int rc = 0;

    while (rc == 0 && is_digit(s->c))
        rc = put_and_advance(s, t);
    return rc;
}

static int put_hex_number(struct json5_scan *s, struct json5_token *t)
{
    int rc = put_and_advance(s, t); /* the x */

    if (rc == 0 && hex_digit(s->c) == NOT_HEX)
        return json5_scan_fail(s, "a hexadecimal digit");
    while (rc == 0 && hex_digit(s->c) != NOT_HEX)
        rc = put_and_advance(s, t);
    return rc;
}

static int put_exponent(struct json5_scan *s, struct json5_token *t)
{
    int rc = put_and_advance(s, t); /* the e */

    if (rc == 0 && (s->c == '+' || s->c == '-'))
        rc = put_and_advance(s, t);
    if (rc == 0 && !is_digit(s->c))
        return json5_scan_fail(s, "a digit of the exponent");
    return rc < 0 ? rc : put_digits(s, t);
}

/* The number's text, without its sign, in a form that strtod knows. */
static int put_number(struct json5_scan *s, struct json5_token *t)
{
    bool leading_point = s->c == '.', zero = s->c == '0';
    int rc = put_and_advance(s, t);

    if (rc == 0 && zero && (s->c == 'x' || s->c == 'X'))
        return put_hex_number(s, t);
    if (rc == 0 && leading_point && !is_digit(s->c))
        return json5_scan_fail(s, "a digit behind the decimal point");
    if (rc == 0 && !zero) /* a digit behind 0 is left for the grammar to refuse */
        rc = put_digits(s, t);
    if (rc == 0 && !leading_point && s->c == '.') {
        rc = put_and_advance(s, t);
        if (rc == 0)
            rc = put_digits(s, t);
    }
    if (rc == 0 && (s->c == 'e' || s->c == 'E'))
        rc = put_exponent(s, t);
    return rc;
}

int json5_scan_word(struct json5_scan *s, const char *word)
{
    for (; *word; word++) {
        char expected[24];

        if (s->c != (uint32_t)*word) {
            snprintf(expected, sizeof(expected), "'%s'", word);
            return json5_scan_fail(s, expected);
        }
        json5_scan_advance(s);
    }
    return 0;
}

bool json5_scan_is_digit(const struct json5_scan *s)
{
    return is_digit(s->c);
}

int json5_scan_number(struct json5_scan *s, struct json5_token *t, double *ret_number)
{
    struct json5_place place = s->place;
    bool minus = s->c == '-';
    double number = INFINITY;
    int rc;

    if (s->c == '-' || s->c == '+')
        json5_scan_advance(s);
    token_clear(t);
    if (s->c == 'I' || s->c == 'N') {
        rc = json5_scan_word(s, s->c == 'I' ? "Infinity" : "NaN");
    } else if (s->c == '.' || is_digit(s->c)) {
        rc = put_number(s, t);
        if (rc == 0)
            rc = token_put(s, t, 0); /* strtod wants its end */
        if (rc == 0)
            number = strtod_l(t->bytes, NULL, s->c_locale);
    } else {
        rc = json5_scan_fail(s, "a number behind the sign");
    }
    if (rc < 0)
        return rc;
    if (!isfinite(number))
        return json5_scan_fail_at(s, JSON5_E_NOT_FINITE, place,
                                  "found Infinity, NaN or a number too large, "
                                  "expected a finite number");
    *ret_number = minus ? -number : number;
    return 0;
}

/* ---- start and stop ---- */

static int check_encoding(struct json5_scan *s)
{
    const uint8_t *bad = u8_check(s->next, (size_t)(s->end - s->next)), *end = s->end;
    char text[80];

    if (!bad)
        return 0;
    s->end = bad;
    for (decode(s); s->c != JSON5_SCAN_END;)
        json5_scan_advance(s);
    s->end = end;
    snprintf(text, sizeof(text), "found byte 0x%02X, expected UTF-8", (unsigned)*bad);
    return json5_scan_fail_at(s, JSON5_E_ENCODING, s->place, text);
}

int json5_scan_start(struct json5_scan *s, const char *text, size_t len, struct json5_error *error)
{
    int rc;

    *s = (struct json5_scan){.place = {1, 1}, .error = error};
    s->next = (const uint8_t *)(len ? text : "");
    s->end = s->next + len;
    /* glibc keeps the "C" locale in static storage: this neither allocates nor fails there */
    s->c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (s->c_locale == (locale_t)0)
        return json5_scan_fail_memory(s);
    rc = check_encoding(s);
    if (rc == 0)
        decode(s);
    return rc;
}

void json5_scan_stop(struct json5_scan *s)
{
    if (s->c_locale != (locale_t)0)
        freelocale(s->c_locale);
    s->c_locale = (locale_t)0;
}

void json5_token_free(struct json5_token *t)
{
    mem_free(t->bytes);
    *t = (struct json5_token){0};
}
