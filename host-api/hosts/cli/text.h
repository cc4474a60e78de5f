/*
 * text.h - small text helpers for what people read: control characters out, columns counted,
 * durations and sizes in words, shell quoting.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Copies at most size-1 bytes of text, whole characters only, with everything that could move a
 * terminal's cursor made a blank. Returns the bytes copied. */
size_t text_clean(const char *text, size_t len, char *ret_text, size_t size);

/* Columns that the text takes on a terminal. */
int text_columns(const char *text);

/* Cuts the text in place so that it takes at most `columns`; a cut text ends in "…" or "..." if
 * that fits into the buffer's `size`: TEXT_CUT_BYTES more than the text always do. */
#define TEXT_CUT_BYTES 4
void text_cut(char *text, size_t size, int columns);

/* "0:07", "12:30", "3:05:00". */
void text_elapsed(int64_t ms, char *ret_text, size_t size);

/* "7 s", "12 min", "3 h", "9 d". */
void text_age(int64_t seconds, char *ret_text, size_t size);

/* The text as one word for a POSIX shell; the caller frees it. NULL: no memory. */
char *text_quote(const char *text);

/* 1 if the locale can show characters beyond ASCII. */
int text_is_utf8(void);

#endif
