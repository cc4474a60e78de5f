/* clean.c - a provider's own words made fit for a log, a result and a chat. */
#include "providers/provider.h"

#include <string.h>

#define WORDS_MAX 300 /* of the provider's text that we keep */

/* Bytes of the character at `text`, 0 for what is no UTF-8. */
static size_t utf8_len(const unsigned char *text, size_t len)
{
    size_t need = text[0] < 0x80                         ? 1
                  : text[0] >= 0xC2 && text[0] <= 0xDF ? 2
                  : text[0] >= 0xE0 && text[0] <= 0xEF ? 3
                  : text[0] >= 0xF0 && text[0] <= 0xF4 ? 4
                                                         : 0;

    if (!need || need > len)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
        return 0;
    return need;
}

static int is_key_letter(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_' ||
           c == '*' || c == '.';
}

char *provider_clean(struct arena *arena, const char *text, size_t len)
{
    char *out = arena_alloc(arena, WORDS_MAX + 8);
    size_t at = 0;
    size_t i = 0;

    if (!out)
        return NULL;
    while (i < len && at < WORDS_MAX) {
        size_t letter = utf8_len((const unsigned char *)text + i, len - i);

        if (len - i > 6 && strncmp(text + i, "sk-", 3) == 0 &&
            (!i || !is_key_letter(text[i - 1]))) {
            memcpy(out + at, "***", 3);
            at += 3;
            while (i < len && is_key_letter(text[i]))
                i++;
        } else if (!letter) {
            out[at++] = '?';
            i++;
        } else if ((unsigned char)text[i] <= ' ' || text[i] == 0x7F) {
            if (at && out[at - 1] != ' ')
                out[at++] = ' ';
            i++;
        } else if (at + letter > WORDS_MAX) {
            break;
        } else {
            memcpy(out + at, text + i, letter);
            at += letter;
            i += letter;
        }
    }
    while (at && out[at - 1] == ' ')
        at--;
    out[at] = '\0';
    if (i < len && at > 3)
        memcpy(out + at, "...", 4);
    return out;
}
