/*
 * json_read.c - JSON from foreign pens. What is wrong with it is wrong with one text or number in
 * it, as a rule: half of a surrogate pair where somebody cut a prompt in JavaScript, bytes that are
 * no UTF-8 where it was cut elsewhere, a line break as it is, NaN, a number of twenty digits. The
 * rest of such an answer may be paid for, so that one place is mended and the others are read.
 *
 * Strict first: only a text that no parser takes is touched. Structure is never mended here.
 *
 * A parsed value takes up to 250 bytes for each 3 of the text, and a parser holds up the loop, so
 * what comes from outside is counted before it is parsed.
 */
#include "base/json.h"

#include "base/limits.h"

#include <stdint.h>
#include <string.h>
#include <unistr.h>

#define REPLACEMENT "\\ufffd"
#define DIGITS_MAX 18 /* that a 64-bit integer has room for, whatever they are */

/* 1: no deeper and no longer than our limits. Braces in strings count for nothing. */
static int is_bounded(const char *text, size_t len)
{
    size_t values = 0;
    int in_string = 0;
    int depth = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = 0;
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > LIMIT_JSON_DEPTH)
                return 0;
        } else if (c == ',') {
            values++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        if (values > LIMIT_JSON_VALUES)
            return 0;
    }
    return 1;
}

/* ---- mending ---- */

struct mending {
    const char *at;
    const char *end;
    char *out; /* has room for twice the text */
};

static void put(struct mending *m, const char *text, size_t len)
{
    memcpy(m->out, text, len);
    m->out += len;
}

static void copy(struct mending *m, size_t len)
{
    put(m, m->at, len);
    m->at += len;
}

/* The code of "\uXXXX" at `at`, -1 for anything else. */
static int unit_at(const struct mending *m, const char *at)
{
    int code = 0;

    if (m->end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int digit = at[i] >= '0' && at[i] <= '9'              ? at[i] - '0'
                    : (at[i] | 32) >= 'a' && (at[i] | 32) <= 'f' ? (at[i] | 32) - 'a' + 10
                                                                 : -1;

        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

static void mend_escape(struct mending *m)
{
    int code = unit_at(m, m->at);

    if (code >= 0xD800 && code <= 0xDBFF) {
        int low = unit_at(m, m->at + 6);

        if (low >= 0xDC00 && low <= 0xDFFF) {
            copy(m, 12);
            return;
        }
    }
    if (code == 0 || (code >= 0xD800 && code <= 0xDFFF)) {
        put(m, REPLACEMENT, 6);
        m->at += 6;
    } else if (code > 0) {
        copy(m, 6);
    } else if (m->end - m->at > 1 && m->at[1] && strchr("\"\\/bfnrt", m->at[1])) {
        copy(m, 2);
    } else {
        put(m, "\\\\", 2); /* it stands for itself */
        m->at++;
    }
}

/* One byte or character of a string. */
static void mend_letter(struct mending *m)
{
    unsigned char c = (unsigned char)*m->at;
    size_t left = (size_t)(m->end - m->at);
    ucs4_t code;
    int len;

    if (c == '\\') {
        mend_escape(m);
    } else if (c < 0x20) {
        put(m, c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : "  ", 2);
        m->at++;
    } else if (c < 0x80) {
        copy(m, 1);
    } else {
        len = u8_mbtoucr(&code, (const uint8_t *)m->at, left < 4 ? left : 4);
        if (len > 0) {
            copy(m, (size_t)len);
        } else {
            put(m, "?", 1);
            m->at++;
        }
    }
}

/* Numbers that no number has room for become texts: mostly they are names of something. */
static void mend_number(struct mending *m)
{
    size_t len = 0;
    size_t digits;

    while (m->at + len < m->end && m->at[len] && strchr("0123456789+-.eE", m->at[len]))
        len++;
    digits = *m->at == '-' ? len - 1 : len;
    if (digits <= DIGITS_MAX || memchr(m->at, '.', len) || memchr(m->at, 'e', len) ||
        memchr(m->at, 'E', len)) {
        copy(m, len);
        return;
    }
    put(m, "\"", 1);
    copy(m, len);
    put(m, "\"", 1);
}

/* What is no number but stands where one would. 1: dealt with. */
static int mend_no_number(struct mending *m)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        size_t len = strlen(words[i]);

        if ((size_t)(m->end - m->at) >= len && memcmp(m->at, words[i], len) == 0) {
            put(m, "null", 4);
            m->at += len;
            return 1;
        }
    }
    return 0;
}

/* New, for mem_free_secret; NULL without memory. */
static char *mended(const char *text, size_t len)
{
    char *out = mem_alloc(2 * len + 16);
    struct mending m = {.at = text, .end = text + len, .out = out};
    int in_string = 0;

    if (!out)
        return NULL;
    while (m.at < m.end) {
        if (*m.at == '"') {
            in_string = !in_string;
            copy(&m, 1);
        } else if (in_string) {
            mend_letter(&m);
        } else if (*m.at == '\0') {
            m.at++;
        } else if ((*m.at == '-' || (*m.at >= '0' && *m.at <= '9')) && !mend_no_number(&m)) {
            mend_number(&m);
        } else if (!mend_no_number(&m) && m.at < m.end) {
            copy(&m, 1);
        }
    }
    *m.out = '\0';
    return out;
}

/* ---- reading ---- */

static json_t *read_any(const char *text, size_t len, int *ret_nomem)
{
    json_error_t error = {0};
    json_t *json = json_loadb(text, len, 0, &error);
    char *better;

    if (json)
        return json;
    *ret_nomem = json_is_nomem(&error);
    if (*ret_nomem || json_error_code(&error) == json_error_premature_end_of_input)
        return NULL;
    better = mended(text, len);
    *ret_nomem = !better;
    if (!better)
        return NULL;
    json = json_loadb(better, strlen(better), 0, &error);
    *ret_nomem = !json && json_is_nomem(&error);
    mem_free_secret(better);
    return json;
}

json_t *json_read(const char *text, size_t len, enum json_fault *ret_fault)
{
    int nomem = 0;
    json_t *json = NULL;
    enum json_fault fault = JSON_FAULT_BOUNDS;

    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    if (is_bounded(text, len)) {
        json = read_any(text, len, &nomem);
        fault = json ? JSON_FAULT_NONE : nomem ? JSON_FAULT_NOMEM : JSON_FAULT_BROKEN;
    }
    if (ret_fault)
        *ret_fault = fault;
    return json;
}

json_t *json_read_own(const char *text, size_t len)
{
    int nomem;

    return read_any(text, len, &nomem);
}
