/*
 * result.h - arguments in, results out: JSON as text, for "call" and "jobs".
 */
#ifndef CLI_RESULT_H
#define CLI_RESULT_H

#include <stddef.h>

#include <ahp/calls.h>

#define RESULT_NOT_JSON    (-1)
#define RESULT_NOT_WRITTEN (-2) /* errno says why */

/*
 * The JSON object that the argument names: itself, "-" for standard input, "@file". Read, checked,
 * malloc'ed. On failure NULL and a sentence in ret_error.
 */
char *args_read(const char *arg, char *ret_error, size_t error_size);

/* Writes the result as one line on standard output; a result without JSON gets a small object. */
int result_print(const ahp_result *result);

/* What the result says to people: its error's message, or its message. malloc'ed, or NULL. */
char *result_words(const ahp_result *result);

#endif
