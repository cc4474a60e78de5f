/*
 * batch.h - what the files of run_batch share. A batch is many calls in one: each item becomes a
 * call of its own tool, with that tool's schema, inputs and plan, whose answer goes to the batch.
 */
#ifndef TOOLS_BATCH_H
#define TOOLS_BATCH_H

#include "tools/tool.h"

/* batch_items.c */

/* The items of a text: a JSON array, or JSON lines. New, or NULL with err. */
json_t *batch_manifest(const char *text, size_t len, struct err *err);

/*
 * batch_read.c: a file's items, read off the loop. `items_take` is NULL with err; an array may be
 * empty. Not called when the call has ended meanwhile.
 */
typedef void batch_read_fn(struct call *call, json_t *items_take, const struct err *err);
void batch_read(struct call *call, const char *path, batch_read_fn *done);

/* A text with its variables filled in; mem_free. NULL without memory or past LIMIT_PROMPT_BYTES. */
char *batch_fill(const char *text, const json_t *vars);

/*
 * What an item asks for: the tool (static) and its arguments (new). `number` counts from 1. -1: it
 * makes no sense, and why.
 */
int batch_item_args(const json_t *item, const json_t *vars, size_t number, const char **ret_tool,
                    json_t **ret_args, struct err *err);

#endif
