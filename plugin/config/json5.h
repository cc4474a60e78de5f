/* The JSON5 reader: text in, jansson value out.
 *
 * The language is that of the npm package json5 2.2.3, which the OpenClaw host reads its
 * configuration with (https://spec.json5.org says what it is; where the package and the text
 * differ, the package decides). tests/json5/ compares the two on every build. Known and meant
 * differences, all of them caused by what a json_t can hold:
 *
 *   - Infinity, -Infinity, NaN and numbers that overflow to one of them are refused
 *     (JSON5_E_NOT_FINITE): jansson has no such number, and the host's own schema refuses them.
 *   - A surrogate escape without its partner becomes U+FFFD, which is what a JavaScript string
 *     turns it into as soon as it is written to a file, a header or a socket.
 *   - Text that is not UTF-8 is refused (JSON5_E_ENCODING); the host would silently put U+FFFD.
 *   - Nesting beyond JSON5_DEPTH_MAX is refused (JSON5_E_DEPTH), as is a string or number
 *     beyond JSON5_TOKEN_BYTES_MAX (JSON5_E_TOO_BIG).
 *
 * Numbers are IEEE doubles as in JavaScript: 9007199254740993 reads as ...992. One that is
 * integral and lies in [-2^63, 2^63) becomes a json_integer, so 1.0, 1e3 and 0x10 do too; every
 * other one, and -0, a json_real. Of equal keys the last one's value wins, in the first one's
 * place. Strings and keys may hold NUL: the jansson calls that take or give a length see the
 * whole of it, the others (json_equal among them) what is before it.
 */
#ifndef CONFIG_JSON5_H
#define CONFIG_JSON5_H

#include <stddef.h>
#include <jansson.h>

#define JSON5_DEPTH_MAX       256                  /* arrays and objects inside one another */
#define JSON5_TOKEN_BYTES_MAX (8u * 1024u * 1024u) /* one string, key or number, unescaped */

#define JSON5_E_SYNTAX     (-1)
#define JSON5_E_NOT_FINITE (-2)
#define JSON5_E_ENCODING   (-3)
#define JSON5_E_DEPTH      (-4)
#define JSON5_E_TOO_BIG    (-5)
#define JSON5_E_MEMORY     (-6)

struct json5_error {
    size_t line;    /* from 1; only LF ends a line, as in the host's own messages */
    size_t column;  /* from 1, in code points; one past the last for the end of the text */
    char text[160]; /* what was found and what was expected; at most one character is quoted */
};

/* Reads one document; text needs no terminator and may contain NUL. Any thread, no locale
 * dependence, no recursion over the text. On success 0 and *ret_value is a new reference; on
 * failure one of JSON5_E_*, *ret_error is filled and *ret_value is untouched. The caller bounds
 * len; time and memory are linear in it. */
int json5_parse(const char *text, size_t len, json_t **ret_value, struct json5_error *ret_error);

#endif
