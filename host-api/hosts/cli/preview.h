/*
 * preview.h - small previews of finished pictures on the terminal, drawn by the program
 * agent-host-preview. It is started for each picture, one at a time, and does its work beside this
 * process: the loop never waits for it. Of the environment it gets what tells of the terminal, and
 * no keys. Where it is not installed, cannot read the picture or takes too long, the words are
 * shown alone, and nothing is said about it; after one that took too long no more are drawn.
 */
#ifndef CLI_PREVIEW_H
#define CLI_PREVIEW_H

#include <uv.h>

#include "term.h"

/* Character cells that a preview takes at most; a narrower terminal has narrower ones. */
#define PREVIEW_COLUMNS_MAX 40
#define PREVIEW_ROWS_MAX    12

/* Pictures that wait for their turn; of more only the words are shown. */
#define PREVIEW_WAITING_MAX 16u

/* Bytes that one may be for the terminal: one of pixels in base64 is about 320 KiB. */
#define PREVIEW_BYTES_MAX (1024u * 1024u)

/* How long drawing may take. */
#define PREVIEW_MS 5000

struct preview;

/* NULL: this terminal shows none (it is none, or has no colours), the program is not there, or
 * there is no memory. All functions take a NULL preview. */
struct preview *preview_open(uv_loop_t *loop, struct term *term);

/* Shows the picture and, below it, a line of words. Both may be NULL. What is shown keeps its
 * order; the words come in any case, at the latest with preview_stop. */
void preview_show(struct preview *p, struct term *term, const char *file, const char *words);

/* 1 while something waits to be shown. */
int preview_busy(const struct preview *p);

/* No more pictures from here on: what waits is shown without. */
void preview_stop(struct preview *p);

/* Not while it is busy. Memory goes when the loop has closed the handle. */
void preview_close(struct preview *p);

#endif
