/* See openclaw_dotenv.h. The package defines the format by one regular expression; what follows is
 * that expression's meaning, its odd corners included: space may span lines, so a value may stand
 * on the line below; a quoted value may contain line ends; and where behind a closing quote
 * anything but a comment follows, the quotes are part of a plain value that ends at '#' or the
 * line's end.
 */
#include "config/openclaw_dotenv.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

#include "base/mem.h"

/* The length of the white space at p (that of JavaScript), or 0. p ends in a NUL. */
static size_t space_at(const char *p)
{
    static const char *const wide[] = {"\xc2\xa0",     "\xef\xbb\xbf", "\xe1\x9a\x80",
                                       "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
                                       "\xe2\x81\x9f", "\xe3\x80\x80"};

    if (*p == ' ' || (*p >= '\t' && *p <= '\r'))
        return 1;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        if (strncmp(p, wide[i], strlen(wide[i])) == 0)
            return strlen(wide[i]);
    if (strncmp(p, "\xe2\x80", 2) == 0 && (uint8_t)p[2] >= 0x80 && (uint8_t)p[2] <= 0x8a)
        return 3; /* U+2000 to U+200A */
    return 0;
}

static const char *skip_space(const char *p)
{
    size_t len;

    while ((len = space_at(p)) > 0)
        p += len;
    return p;
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

/* Whether only space, perhaps over several lines, and a comment stand between p and a line's end;
 * then *ret_end is that line's end. */
static bool is_tail(const char *p, const char **ret_end)
{
    const char *last = NULL;

    for (;;) {
        size_t len;

        if (*p == '\n' || *p == '\0')
            last = p;
        len = space_at(p);
        if (len == 0)
            break;
        p += len;
    }
    if (*p == '#')
        last = p + strcspn(p, "\n");
    *ret_end = last;
    return last != NULL;
}

/* A value in quotes at p. It ends at the first quote without a backslash before it; if no proper
 * tail follows there, at the last one before that where one does, backslash or not. */
static bool quoted_value(const char *p, const char **ret_close, const char **ret_end)
{
    const char quote = *p, *q = p + 1;

    while (*q && *q != quote)
        q += *q == '\\' && q[1] == quote ? 2 : 1;
    for (; q > p; q--) {
        if (*q == quote && is_tail(q + 1, ret_end)) {
            *ret_close = q;
            return true;
        }
    }
    return false;
}

/* The value behind the sign at p, without the space around it. */
static void find_value(const char *p, const char **ret_start, size_t *ret_len, const char **ret_end)
{
    const char *start = skip_space(p), *close, *end;
    size_t len;

    if ((*start == '\'' || *start == '"' || *start == '`') &&
        quoted_value(start, &close, ret_end)) {
        *ret_start = start;
        *ret_len = (size_t)(close + 1 - start);
        return;
    }
    end = p + strcspn(p, "#\n");
    if (end == p) /* nothing: but the tail may reach further */
        start = p;
    else if (start > end)
        start = end;
    *ret_start = start;
    for (p = close = start; p < end;) { /* cut the space off the end */
        len = space_at(p);
        p += len ? len : 1;
        if (!len)
            close = p;
    }
    *ret_len = (size_t)(close - start);
    if (!is_tail(end, ret_end))
        *ret_end = end; /* cannot be: end is at '#', a line's end or the text's */
}

/* Behind the key at p: the sign, and *ret_value behind it. */
static bool find_sign(const char *p, const char **ret_value)
{
    const char *sign = skip_space(p);
    size_t len;

    if (*sign == '=') {
        *ret_value = sign + 1;
        return true;
    }
    len = *p == ':' ? space_at(p + 1) : 0;
    *ret_value = p + 1 + len;
    return len > 0;
}

/* The key at p, after an "export" that is one. */
static bool find_key(const char *p, const char **ret_key, size_t *ret_len, const char **ret_value)
{
    const char *key = strncmp(p, "export", 6) == 0 && space_at(p + 6) ? skip_space(p + 6) : p;

    for (;;) {
        size_t len = 0;

        while (is_key_char(key[len]))
            len++;
        if (len > 0 && find_sign(key + len, ret_value)) {
            *ret_key = key;
            *ret_len = len;
            return true;
        }
        if (key == p)
            return false;
        key = p; /* "export" is the key itself */
    }
}

static bool is_portable(const char *key, size_t len)
{
    if (key[0] >= '0' && key[0] <= '9')
        return false;
    for (size_t i = 0; i < len; i++)
        if (key[i] == '.' || key[i] == '-')
            return false;
    return !(len == 9 && memcmp(key, "__proto__", 9) == 0);
}

static int put_value(json_t *values, const char *key, size_t key_len, const char *start, size_t len)
{
    bool escapes = len > 0 && start[0] == '"';
    char *text = mem_alloc(len + 1);
    size_t used = 0;
    json_t *value;

    if (!text)
        return -1;
    if (len >= 2 && strchr("'\"`", start[0]) && start[len - 1] == start[0]) {
        start++;
        len -= 2;
    }
    for (size_t i = 0; i < len; i++) {
        if (escapes && start[i] == '\\' && i + 1 < len &&
            (start[i + 1] == 'n' || start[i + 1] == 'r'))
            text[used++] = start[++i] == 'n' ? '\n' : '\r';
        else
            text[used++] = start[i];
    }
    value = json_stringn(text, used);
    explicit_bzero(text, used);
    mem_free(text);
    return json_object_setn_new_nocheck(values, key, key_len, value);
}

/* Line ends as one LF each. */
static char *copy_lines(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 4); /* space_at may look 3 bytes ahead */
    size_t used = 0;

    if (!copy)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
            continue;
        copy[used++] = text[i] == '\r' ? '\n' : text[i];
    }
    memset(copy + used, 0, 4);
    return copy;
}

json_t *openclaw_dotenv_parse(const char *text, size_t len)
{
    char *copy = NULL;
    json_t *values = NULL;

    if (memchr(text, '\0', len) || u8_check((const uint8_t *)text, len))
        return NULL;
    copy = copy_lines(text, len);
    values = copy ? json_object() : NULL;
    for (const char *line = copy; values && line && *line;) {
        const char *key, *start, *value, *end = line;
        size_t key_len, value_len;

        if (find_key(skip_space(line), &key, &key_len, &value)) {
            find_value(value, &start, &value_len, &end);
            if (is_portable(key, key_len) &&
                put_value(values, key, key_len, start, value_len) < 0) {
                json_decref(values);
                values = NULL;
            }
        }
        line = strchr(end, '\n');
        if (line)
            line++;
    }
    if (copy)
        explicit_bzero(copy, strlen(copy));
    mem_free(copy);
    return values;
}
