/*
 * json.h - reading JSON that may be of any shape: what a provider answers, what a person wrote. Texts
 * compare without regard to case. Beside jansson's own names; only json_word and json_whole_copy
 * allocate. Any thread.
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
int json_list_within(const json_t *list, const char *text); /* one of the list is inside text */
const char *json_find_word(const char *text, size_t len, const char *word); /* NULL: not there */
char *json_word(struct arena *arena, const json_t *value); /* text or number as text, or NULL */
json_t *json_whole_copy(const json_t *value);  /* deep and whole, or NULL */
int json_is_nomem(const json_error_t *error);  /* of a text that could not be loaded */

/* Overwrites every text in it; names and structure stay. NULL is ignored. */
void json_wipe(json_t *value);

#endif
