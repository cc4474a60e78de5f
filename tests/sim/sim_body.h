/*
 * An answer's body as a list of pieces: text, a media file raw or as base64, one byte repeated.
 * It is produced piece by piece while it is sent, so its size costs no memory.
 */
#ifndef CLAWMEDIA_SIM_BODY_H
#define CLAWMEDIA_SIM_BODY_H

#include "sim_media.h"

struct sim_body;

struct sim_body *sim_body_new(void);
void sim_body_free(struct sim_body *b);
void sim_body_add_text(struct sim_body *b, const char *text);
void sim_body_add_bytes(struct sim_body *b, const void *data, size_t len);
/* Takes over the reference to the file. */
void sim_body_add_media_take(struct sim_body *b, struct sim_media *m, bool base64);
void sim_body_add_repeat(struct sim_body *b, char byte, uint64_t count);
uint64_t sim_body_size(const struct sim_body *b);

/* Copies up to max bytes from the position; how many (0 only at the end). */
size_t sim_body_read(const struct sim_body *b, uint64_t pos, char *buf, size_t max);

#endif
