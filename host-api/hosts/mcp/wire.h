/*
 * wire.h - standard input and output as a line of messages each, on the loop: nothing here blocks.
 *
 * A client that does not read holds up nobody but itself: past WIRE_WAITING_HIGH bytes that it has
 * not taken, its input is not read either, and past WIRE_WAITING_MAX it counts as gone.
 */
#ifndef MCP_WIRE_H
#define MCP_WIRE_H

#include <uv.h>

#include "lines.h"

#define WIRE_WAITING_HIGH (1024u * 1024u)
#define WIRE_WAITING_LOW  (256u * 1024u)
#define WIRE_WAITING_MAX  (64u * 1024u * 1024u)

struct wire;

/* The client is gone, once: `why` is NULL at the end of its input. */
typedef void wire_end_fn(void *ud, const char *why);

/* Takes descriptors 0 and 1. NULL and *ret_why when they are of no use. */
struct wire *wire_open(uv_loop_t *loop, line_fn *line, wire_end_fn *end, void *ud,
                       const char **ret_why);

/* Sends a message, which must hold no line break; the newline is added. malloc'ed; always taken. */
void wire_send_take(struct wire *w, char *text);

/* What the client has not taken yet, in bytes. */
size_t wire_waiting(const struct wire *w);

/* No more input. What is waiting still goes out. */
void wire_stop(struct wire *w);

/* Ends it; what is still waiting is dropped. The loop must turn until its handles are closed. */
void wire_close(struct wire *w);

/* After that. */
void wire_free(struct wire *w);

#endif
