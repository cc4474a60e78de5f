/* words.c - see words.h. */
#include "base/words.h"

#include "base/buf.h"
#include "base/embed.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX 8192

static const char *const tags[] = {[WORDS_EN] = "en", [WORDS_ZH] = "zh"};

/* CJK ideographs, the ranges that Chinese prompts are written in, by their UTF-8 lead bytes. */
static int has_han(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        unsigned long code;

        if (*at < 0xE3 || *at > 0xE9 || !at[1] || !at[2])
            continue;
        code = (unsigned long)(*at & 0x0F) << 12 | (unsigned long)(at[1] & 0x3F) << 6 |
               (unsigned long)(at[2] & 0x3F);
        if (code >= 0x3400 && code <= 0x9FFF)
            return 1;
    }
    return 0;
}

enum words_language words_choose(const char *locale, const char *sample)
{
    if (locale && *locale)
        return strncasecmp(locale, "zh", 2) == 0 ? WORDS_ZH : WORDS_EN;
    return sample && has_han(sample) ? WORDS_ZH : WORDS_EN;
}

const char *words_tag(enum words_language language)
{
    return tags[language];
}

static json_t *messages(enum words_language language)
{
    char name[32];

    snprintf(name, sizeof(name), "messages/%s.json", tags[language]);
    return embed_json(name);
}

static int add_value(struct buf *buf, const json_t *value)
{
    if (json_is_string(value))
        return buf_text(buf, json_string_value(value));
    if (json_is_integer(value))
        return buf_format(buf, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return buf_format(buf, "%.4g", json_real_value(value));
    return 0;
}

static int fill(struct buf *buf, const char *text, const json_t *values)
{
    const char *open;

    while ((open = strchr(text, '{'))) {
        const char *close = strchr(open, '}');
        char name[64];
        size_t len = close ? (size_t)(close - open - 1) : 0;
        const json_t *value = NULL;

        if (buf_add(buf, text, (size_t)(open - text)))
            return -1;
        if (close && len < sizeof(name)) {
            memcpy(name, open + 1, len);
            name[len] = '\0';
            value = json_object_get(values, name);
        }
        if (!value) {
            if (buf_add(buf, "{", 1))
                return -1;
            text = open + 1;
            continue;
        }
        if (add_value(buf, value))
            return -1;
        text = close + 1;
    }
    return buf_text(buf, text);
}

char *words_text(enum words_language language, const char *key, const json_t *values)
{
    json_t *own = messages(language);
    json_t *english = NULL;
    const char *text = json_string_value(json_object_get(own, key));
    struct buf buf;
    char *filled = NULL;

    if (!text) {
        english = messages(WORDS_EN);
        text = json_string_value(json_object_get(english, key));
    }
    buf_init(&buf, TEXT_MAX);
    if (fill(&buf, text ? text : key, values) == 0)
        filled = buf_take(&buf);
    buf_done(&buf);
    json_decref(own);
    json_decref(english);
    return filled;
}

char *words_advice(enum words_language language, const struct err *err)
{
    char key[80];

    snprintf(key, sizeof(key), "advice.%s", err->advice ? err->advice : err_kind_name(err->kind));
    return words_text(language, key, NULL);
}

char *words_sentence(const char *text)
{
    static const char *const stops[] = {".", "!", "?", "…", "。", "！", "？"};
    size_t len = text ? strlen(text) : 0;

    for (size_t i = 0; i < sizeof(stops) / sizeof(*stops); i++)
        if (len >= strlen(stops[i]) && strcmp(text + len - strlen(stops[i]), stops[i]) == 0)
            return mem_text(text);
    return mem_format("%s%s", len ? text : "",
                      !len ? "" : (unsigned char)text[len - 1] < 0x80 ? "." : "。");
}

int words_has(enum words_language language, const char *key)
{
    json_t *own = messages(language);
    int has = json_is_string(json_object_get(own, key));

    json_decref(own);
    return has;
}
