/*
 * keyish.c - does a text look like a key? Models put keys where they do not belong; what looks like
 * one is neither taken nor shown again. Meant to hit the forms that are in use (a known beginning,
 * a UUID, a long run of letters and digits) and to leave model names, paths and ids alone.
 */
#include "tools/tool.h"

#include <string.h>
#include <strings.h>

#define RUN_MIN 20 /* letters and digits in a row */
#define KEY_MIN 12 /* behind a known beginning */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_word(char c)
{
    return is_digit(c) || is_letter(c) || c == '_' || c == '-';
}

static int has_known_beginning(const char *text)
{
    static const char *const known[] = {"sk-",  "sk_",   "pk-",  "xai-", "gsk_", "r8_",
                                        "AIza", "ghp_",  "key-", "ak-",  "hf_",  "nvapi-",
                                        "fc-",  "eyJ"};
    const char *end = text;

    while (is_word(*end) || *end == '.')
        end++;
    if (end - text < KEY_MIN)
        return 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strncmp(text, known[i], strlen(known[i])) == 0)
            return strpbrk(text, "0123456789") != NULL && strpbrk(text, "0123456789") < end;
    return 0;
}

static int is_uuid(const char *text)
{
    for (size_t i = 0; i < 36; i++) {
        int is_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash ? text[i] != '-' : !is_digit(text[i]) && !strchr("abcdefABCDEF", text[i]))
            return 0;
        if (!text[i])
            return 0;
    }
    return 1;
}

/* Letters and digits mixed, longer than any word. */
static int is_long_run(const char *text)
{
    size_t digits = 0, letters = 0;

    for (; is_digit(*text) || is_letter(*text); text++) {
        digits += is_digit(*text) != 0;
        letters += is_letter(*text) != 0;
    }
    return digits >= 2 && letters >= 2 && digits + letters >= RUN_MIN;
}

int text_looks_like_key(const char *text)
{
    if (!text)
        return 0;
    for (const char *at = text; *at; at++) {
        if (at != text && is_word(at[-1]))
            continue; /* only where a word begins */
        if (has_known_beginning(at) || is_uuid(at) || is_long_run(at))
            return 1;
        if (strncasecmp(at, "bearer ", 7) == 0 && strlen(at) >= 7 + KEY_MIN)
            return 1;
    }
    /* Runs that begin behind a dash or underscore are words of their own. */
    for (const char *at = text; *at; at++)
        if ((at == text || at[-1] == '-' || at[-1] == '_') && is_long_run(at))
            return 1;
    return 0;
}
