/*
 * text.c - see text.h. Widths come from the C library's wcwidth, so setlocale must have been
 * called.
 */
#define _XOPEN_SOURCE 700
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "text.h"

int text_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Bytes of the character at text, or 0 when it is none of UTF-8. */
static size_t utf8_len(const unsigned char *text, size_t len)
{
    size_t want = text[0] < 0x80 ? 1 : text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    size_t i;

    if (text[0] >= 0x80 && (text[0] < 0xC2 || text[0] > 0xF4))
        return 0;
    if (want > len)
        return 0;
    for (i = 1; i < want; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return want;
}

size_t text_clean(const char *text, size_t len, char *ret_text, size_t size)
{
    const unsigned char *from = (const unsigned char *)text;
    size_t at = 0;

    while (len > 0) {
        size_t n = utf8_len(from, len);
        /* C0 and DEL; C1, which in UTF-8 is C2 80 .. C2 9F; broken bytes */
        int bad = n == 0 || (n == 1 && (from[0] < 0x20 || from[0] == 0x7F)) ||
                  (n == 2 && from[0] == 0xC2 && from[1] < 0xA0);

        if (n == 0)
            n = 1;
        if (at + (bad ? 1 : n) >= size)
            break;
        if (bad)
            ret_text[at++] = ' ';
        else {
            memcpy(ret_text + at, from, n);
            at += n;
        }
        from += n;
        len -= n;
    }
    ret_text[at] = '\0';
    return at;
}

/* Columns of the character at text, and its bytes. */
static int char_columns(const char *text, size_t *ret_bytes)
{
    mbstate_t state;
    wchar_t wide;
    size_t n;
    int columns;

    memset(&state, 0, sizeof(state));
    n = mbrtowc(&wide, text, strlen(text), &state);
    if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
        *ret_bytes = 1;
        return 1;
    }
    *ret_bytes = n;
    columns = wcwidth(wide);
    return columns < 0 ? 1 : columns;
}

int text_columns(const char *text)
{
    int columns = 0;
    size_t n;

    while (*text != '\0') {
        columns += char_columns(text, &n);
        text += n;
    }
    return columns;
}

void text_cut(char *text, size_t size, int columns)
{
    const char *mark = text_is_utf8() ? "\xE2\x80\xA6" : "...";
    int mark_columns = text_is_utf8() ? 1 : 3;
    int at = 0;
    size_t n;
    char *p = text;

    if (text_columns(text) <= columns)
        return;
    while (*p != '\0') {
        int c = char_columns(p, &n);

        if (at + c > columns - mark_columns)
            break;
        at += c;
        p += n;
    }
    if (columns >= mark_columns && (size_t)(p - text) + strlen(mark) < size)
        memcpy(p, mark, strlen(mark) + 1);
    else
        *p = '\0';
}

void text_elapsed(int64_t ms, char *ret_text, size_t size)
{
    int64_t s = ms < 0 ? 0 : ms / 1000;

    if (s < 3600)
        snprintf(ret_text, size, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
    else
        snprintf(ret_text, size, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60,
                 s % 60);
}

void text_age(int64_t seconds, char *ret_text, size_t size)
{
    if (seconds < 0)
        seconds = 0;
    if (seconds < 120)
        snprintf(ret_text, size, "%" PRId64 " s", seconds);
    else if (seconds < 7200)
        snprintf(ret_text, size, "%" PRId64 " min", seconds / 60);
    else if (seconds < 48 * 3600)
        snprintf(ret_text, size, "%" PRId64 " h", seconds / 3600);
    else
        snprintf(ret_text, size, "%" PRId64 " d", seconds / 86400);
}

char *text_quote(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:@%+=,";
    size_t len = strlen(text);
    char *out;
    char *p;

    if (len > 0 && strspn(text, plain) == len)
        return strdup(text);
    out = malloc(4 * len + 3);
    if (out == NULL)
        return NULL;
    p = out;
    *p++ = '\'';
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            memcpy(p, "'\\''", 4);
            p += 4;
        } else {
            *p++ = *text;
        }
    }
    *p++ = '\'';
    *p = '\0';
    return out;
}
