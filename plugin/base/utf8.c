/* utf8.c - see utf8.h. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>
#include <unistr.h>

static int only_rest(const char *at)
{
    while (((unsigned char)*at & 0xC0) == 0x80)
        at++;
    return !*at;
}

void utf8_mend(char *text)
{
    const uint8_t *bad;
    char *from = text;

    while ((bad = u8_check((const uint8_t *)from, strlen(from)))) {
        char *at = text + ((const char *)bad - text);
        size_t left = strlen(at);

        /* A character that was cut: its lead byte and what is left of it. */
        if (left < 4 && ((unsigned char)*at & 0xC0) == 0xC0 &&
            only_rest(at + 1)) {
            *at = '\0';
            return;
        }
        *at = '?';
        from = at + 1;
    }
}
