/*
 * words.h - what people read, in English and Chinese: templates from manifests/messages/<lang>.json
 * with "{name}" places. A key that a language lacks is taken from English.
 */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include "base/err.h"

#include <jansson.h>

enum words_language {
    WORDS_EN,
    WORDS_ZH,
};

/*
 * The language for a user: by a BCP 47 tag if there is one, else by the script of `sample` (the
 * prompt), else English. Each may be NULL.
 */
enum words_language words_choose(const char *locale, const char *sample);
const char *words_tag(enum words_language language); /* "en", "zh" */

/*
 * The text of `key` with its places filled from the object `values` (texts and numbers; may be
 * NULL). NULL without memory; for an unknown key the key itself. The caller frees with mem_free.
 */
char *words_text(enum words_language language, const char *key, const json_t *values);

/* What to do about an error, in that language; NULL without memory. The caller frees with mem_free.
 */
char *words_advice(enum words_language language, const struct err *err);

/*
 * The text with a full stop, if it has no end of its own: for a place in front of another sentence.
 * NULL and "" give "". NULL without memory. The caller frees with mem_free.
 */
char *words_sentence(const char *text);

/* 1 when that key exists in that very language: for the test that compares the files. */
int words_has(enum words_language language, const char *key);

#endif
