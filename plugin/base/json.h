/*
 * json.h - reading JSON that may be of any shape: what a provider answers, what a person wrote.
 * Texts compare without regard to case. Beside jansson's own names; only json_word, json_whole_copy
 * and json_read allocate. Any thread.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/mem.h"

#include <jansson.h>
#include <stdint.h>

const char *json_text(const json_t *object, const char *key); /* "" when it is no text */
int64_t json_int(const json_t *object, const char *key, int64_t otherwise);
int json_has_type(const json_t *value, const char *type); /* as JSON Schema names them */
int json_list_has(const json_t *list, const char *text);
/* One of the list is in the text's first LIMIT_JSON_WORDS bytes. */
int json_list_within(const json_t *list, const char *text);
const char *json_find_word(const char *text, size_t len, const char *word); /* NULL: not there */
char *json_word(struct arena *arena, const json_t *value); /* text or number as text, or NULL */
json_t *json_whole_copy(const json_t *value);  /* deep and whole, or NULL */
/* Letters of an error's text that say what is wrong, without what stands near: that may be a key.
 */
int json_reason_len(const char *text);
int json_is_nomem(const json_error_t *error);  /* of a text that could not be loaded */

enum json_fault {
    JSON_FAULT_NONE,
    JSON_FAULT_BROKEN,
    JSON_FAULT_BOUNDS, /* deeper than LIMIT_JSON_DEPTH, or more than LIMIT_JSON_VALUES: not parsed */
    JSON_FAULT_NOMEM,
};

/*
 * What a service answers. Texts and numbers in it that JSON has no place for are mended (half a
 * surrogate pair, bytes that are no UTF-8, NaN, an integer past 64 bits, which becomes a text); a
 * mistake of structure is BROKEN. New, or NULL with *ret_fault, which may be NULL.
 */
json_t *json_read(const char *text, size_t len, enum json_fault *ret_fault);

/* The same for what our own host or user hands over: mended, but of any size. */
json_t *json_read_own(const char *text, size_t len);

/* Overwrites every text in it; names and structure stay. NULL is ignored. */
void json_wipe(json_t *value);

#endif
