/*
 * lines.h - bytes in, lines out: the framing of the stdio transport, a newline after each message.
 *
 * Memory is bounded: a line of more than LINE_BYTES_MAX bytes is told of once and skipped to its
 * end, and what follows is read as if nothing had been. It knows nothing of JSON.
 */
#ifndef MCP_LINES_H
#define MCP_LINES_H

#include <stddef.h>

/* Arguments may have AHP_ARGS_BYTES_MAX bytes, and escapes make them longer on the way. */
#define LINE_BYTES_MAX (8u * 1024u * 1024u)

struct lines {
    char *bytes; /* the beginning of a line whose end has not come yet */
    size_t len;
    size_t size;
    size_t line_bytes_max;
    int is_skipping;
};

/* A line without its end; it lives until this returns. text NULL: one that was too long. */
typedef void line_fn(void *ud, const char *text, size_t len);

void lines_init(struct lines *l, size_t line_bytes_max);
void lines_done(struct lines *l);

/* Gives every line that ends in these bytes to `fn`. 0, or -1 without memory: the rest is lost. */
int lines_push(struct lines *l, const char *bytes, size_t len, line_fn *fn, void *ud);

/* The stream is over: what is there without an end is a line, too. */
void lines_end(struct lines *l, line_fn *fn, void *ud);

#endif
