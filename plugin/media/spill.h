/*
 * spill.h - takes the base64 out of a text that streams by. A run of at least LIMIT_SPILL_RUN base64
 * letters (in a JSON string, a data URL, HTML, Markdown or bare) is decoded into a sink and stands
 * in the text as SPILL_MARK and its number: `{"b64_json":"clawmedia-blob:0"}`. What is left is small
 * and goes to an ordinary parser. Memory: the kept text, and one run's start of LIMIT_SPILL_RUN.
 *
 * Inside a run "\/" counts as "/", and escaped or raw line breaks and spaces are skipped. A run ends
 * at the first other byte. A run whose length or padding is wrong is reported as incomplete to the
 * sink; the text keeps its mark.
 */
#ifndef MEDIA_SPILL_H
#define MEDIA_SPILL_H

#include "base/err.h"

#include <stddef.h>

#define SPILL_MARK "clawmedia-blob:"

struct spill;

/* Where decoded bytes go. Each returns 0, or -1 to stop it all with *err filled. */
struct spill_sink {
    int (*open)(void *ud, unsigned number, struct err *err);
    int (*write)(void *ud, const void *data, size_t len, struct err *err);
    int (*close)(void *ud, unsigned number, int complete, struct err *err);
    void *ud;
};

/* `text_max` bounds the text that is kept (ERR_LIMIT), LIMIT_BLOBS the number of runs. */
int spill_new(const struct spill_sink *sink, size_t text_max, struct spill **ret_spill);
int spill_feed(struct spill *spill, const char *data, size_t len, struct err *err);

/* The end of the text. The text belongs to the spill and lives until spill_free. */
int spill_finish(struct spill *spill, const char **ret_text, size_t *ret_len, unsigned *ret_blobs,
                 struct err *err);
void spill_free(struct spill *spill);

#endif
