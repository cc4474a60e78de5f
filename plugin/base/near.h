/* near.h - which of the words that are allowed a mistyped one was meant to be. */
#ifndef BASE_NEAR_H
#define BASE_NEAR_H

#include <stddef.h>

#define NEAR_BYTES_MAX 40 /* longer words are near nothing */

/*
 * 1 when candidate is near enough to be meant, and nearer than *best, which it then sets; *best
 * starts as NEAR_BYTES_MAX.
 */
int near_word(const char *given, const char *candidate, size_t *best);

#endif
