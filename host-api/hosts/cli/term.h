/*
 * term.h - what people see on standard error: lines that stay, and one live line at the bottom.
 *
 * On a terminal the live line shows label, text, time so far and a bar, redrawn in place and gone
 * at the end. Elsewhere (a file, a pipe, TERM=dumb) changes are printed as plain lines, at most one
 * a second. term_say and term_log may be called from any thread, the rest from the loop's.
 */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <uv.h>

struct term;

/* Standard error on that loop. NULL: no memory. */
struct term *term_open(uv_loop_t *loop);

/* Shows what is going on, from now on or from the last term_live_begin. permille -1: no bar. */
void term_live_begin(struct term *t, const char *label);
void term_live_set(struct term *t, int32_t permille, const char *text);
void term_live_end(struct term *t);

/* A line that stays: no prefix, control characters taken out, a newline. */
void term_say(struct term *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Bytes that draw a picture from the cursor on, no newline at their end: as they are, above the
 * live line. */
void term_picture(struct term *t, const char *bytes, size_t len);

/* A text without a newline behind it, for an answer to be typed after. */
void term_prompt(struct term *t, const char *text);

/* A line that stays, with control characters taken out, after "agent-host: " and the level. */
void term_log(struct term *t, int32_t level, const char *text, size_t len);

/* 1 if the live line is really live. */
int term_is_live(const struct term *t);

/* 1 if it is a terminal on which colours are wanted. */
int term_has_color(const struct term *t);

/* Milliseconds since term_live_begin. */
int64_t term_live_ms(const struct term *t);

/* Clears the live line; memory goes when the loop has closed the handle. */
void term_close(struct term *t);

#endif
