/*
 * spill.h - takes the base64 out of a text that streams by. A run of at least LIMIT_SPILL_RUN
 * base64 letters (in a JSON string, a data URL, HTML, Markdown or bare) is decoded into a sink and
 * stands in the text as SPILL_MARK and its number: `{"b64_json":"clawmedia-blob:0"}`. What is left
 * is small and goes to an ordinary parser. Memory: the kept text, one run's start of
 * LIMIT_SPILL_RUN letters and one piece of about 64 KiB on its way to the sink.
 *
 * Letters are those of RFC 4648 section 4; the url-safe alphabet is not taken. Inside a run JSON
 * escapes count as what they stand for ("\/", "\u002f", "\u002b", "\u003d"). One line break, raw or
 * escaped, with blanks around it, is skipped where the line before it has at least 32 letters; so
 * words of prose in front of a run stay words. A run ends at the first other byte. White space
 * between a run and the quote that follows it is dropped, all other bytes are kept as they came.
 *
 * Padding is demanded, '=' only at the end. A run whose length or padding is wrong is reported as
 * incomplete to the sink; the text keeps its mark. However the text is cut into pieces, the sink
 * sees the same calls with the same bytes.
 */
#ifndef MEDIA_SPILL_H
#define MEDIA_SPILL_H

#include "base/err.h"

#include <stddef.h>

#define SPILL_MARK "clawmedia-blob:"

struct spill;

/*
 * Where decoded bytes go. Each returns 0, or -1 to stop it all with *err filled. open and close
 * come in pairs, except that nothing more is called once a function of the spill has failed, nor
 * by spill_free: what is open then, its owner ends. Pieces are of about 64 KiB, the last one
 * shorter.
 */
struct spill_sink {
    int (*open)(void *ud, unsigned number, struct err *err);
    int (*write)(void *ud, const void *data, size_t len, struct err *err);
    int (*close)(void *ud, unsigned number, int complete, struct err *err);
    void *ud;
};

/*
 * `text_max` bounds the text that is kept (ERR_LIMIT), LIMIT_BLOBS the number of runs (ERR_LIMIT).
 * The sink is copied. -1: no memory.
 */
int spill_new(const struct spill_sink *sink, size_t text_max, struct spill **ret_spill);

/* After a failure every further call fails with the same error. */
int spill_feed(struct spill *spill, const char *data, size_t len, struct err *err);

/*
 * The end of the text, once. The text ends in NUL, belongs to the spill and lives until spill_free.
 * *ret_blobs is the number of runs, incomplete ones included.
 */
int spill_finish(struct spill *spill, const char **ret_text, size_t *ret_len, unsigned *ret_blobs,
                 struct err *err);
void spill_free(struct spill *spill);

#endif
