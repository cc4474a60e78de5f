/*
 * media.c - finds the results in a JSON answer. Known places come first: what stands in containers
 * such as data, output or videos; then an object's own base64 or address; then whatever lies
 * deeper; texts are searched last. Keys that name previews, inputs and the like are passed over.
 * All results are kept in their order, each once; an address that we sent ourselves is no result.
 */
#include "providers/openai/openai.h"

#include "media/spill.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Base64 that is short enough to have stayed in the text is at least a tiny picture's header. */
#define BASE64_LETTERS_MIN 8

static int add(struct openai_collect *collect, const struct provider_result *result)
{
    struct openai_reading *out = collect->out;

    for (size_t i = 0; i < out->results_count; i++) {
        const struct provider_result *known = &out->results[i];

        if (known->blob == result->blob &&
            (known->url == result->url ||
             (known->url && result->url && strcmp(known->url, result->url) == 0)) &&
            (known->base64 == result->base64 ||
             (known->base64 && result->base64 && strcmp(known->base64, result->base64) == 0)))
            return 1;
    }
    if (out->results_count < LIMIT_FILES)
        out->results[out->results_count++] = *result;
    return 1;
}

static const char *copy_mime(struct openai_collect *collect, const char *mime, size_t len)
{
    if (!mime || len < 3 || len >= LIMIT_MIME)
        return NULL;
    return arena_text_n(collect->turn->arena, mime, len);
}

/* The number of a file that stands for base64 here, -1 for none. */
static int blob_number(const struct openai_collect *collect, const char *text, size_t len)
{
    size_t mark = strlen(SPILL_MARK);
    unsigned number = 0;
    size_t i;

    if (len <= mark || strncmp(text, SPILL_MARK, mark) != 0)
        return -1;
    for (i = mark; i < len && text[i] >= '0' && text[i] <= '9' && number < LIMIT_BLOBS; i++)
        number = number * 10 + (unsigned)(text[i] - '0');
    return i == len && number < collect->turn->reply->blobs && number < LIMIT_BLOBS ? (int)number
                                                                                   : -1;
}

static int is_base64(const char *text, size_t len)
{
    size_t letters = 0;
    size_t pads = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '\r' || c == '\n' || c == ' ')
            continue;
        if (c == '=') {
            pads++;
            continue;
        }
        if (pads || !((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '+' ||
                      c == '/' || c == '-' || c == '_'))
            return 0;
        letters++;
    }
    return letters >= BASE64_LETTERS_MIN && letters % 4 != 1 && pads <= 2 &&
           (!pads || (letters + pads) % 4 == 0);
}

static void trim(const char **text, size_t *len)
{
    while (*len && (unsigned char)**text <= ' ') {
        (*text)++;
        (*len)--;
    }
    while (*len && (unsigned char)(*text)[*len - 1] <= ' ')
        (*len)--;
}

int openai_take_base64(struct openai_collect *collect, const char *text, size_t len,
                       const char *mime)
{
    struct provider_result result = {.blob = -1};
    size_t mime_len = mime ? strlen(mime) : 0;

    trim(&text, &len);
    if (len > 5 && strncasecmp(text, "data:", 5) == 0) {
        const char *comma = memchr(text, ',', len < 200 ? len : 200);

        if (!comma || comma - text < 12 || strncasecmp(comma - 7, ";base64", 7) != 0)
            return 0;
        mime = text + 5;
        mime_len = strcspn(mime, ";,");
        if (strncasecmp(mime, "image/", 6) != 0 && strncasecmp(mime, "video/", 6) != 0 &&
            strncasecmp(mime, "application/octet-stream", 24) != 0)
            return 0;
        len -= (size_t)(comma + 1 - text);
        text = comma + 1;
    }
    trim(&text, &len);
    result.blob = blob_number(collect, text, len);
    if (result.blob < 0) {
        if (!is_base64(text, len))
            return 0;
        result.base64 = arena_text_n(collect->turn->arena, text, len);
        if (!result.base64)
            return 0;
    }
    result.mime_hint = copy_mime(collect, mime, mime_len);
    return add(collect, &result);
}

/* "&amp;" of HTML, in place. */
static void unescape(char *text)
{
    char *at;

    while ((at = strstr(text, "&amp;")))
        memmove(at + 1, at + 5, strlen(at + 5) + 1);
}

static int is_input(const struct openai_collect *collect, const char *url)
{
    size_t index;
    json_t *input;

    json_array_foreach(json_object_get(collect->turn->request, "inputs"), index, input)
        if (strcmp(json_text(input, "url"), url) == 0)
            return 1;
    return 0;
}

int openai_take_url(struct openai_collect *collect, const char *text, size_t len, const char *mime)
{
    const char *base = collect->turn->account->base_url;
    struct arena *arena = collect->turn->arena;
    struct provider_result result = {.blob = -1};
    char *copy;

    trim(&text, &len);
    if (len > 5 && strncasecmp(text, "data:", 5) == 0)
        return openai_take_base64(collect, text, len, mime);
    if (blob_number(collect, text, len) >= 0)
        return openai_take_base64(collect, text, len, mime);
    if (!len || len >= LIMIT_URL)
        return 0;
    copy = arena_text_n(arena, text, len);
    if (!copy)
        return 0;
    if (is_input(collect, copy))
        return 0;
    unescape(copy);
    if (!strstr(copy, "://") && *copy != '/' && !openai_url_media(copy, strlen(copy)))
        return 0;
    result.url = openai_url_join(arena, base, copy, strlen(copy));
    if (!result.url || is_input(collect, result.url))
        return 0;
    if (collect->video && openai_url_media(result.url, strlen(result.url)) == 'i')
        return 0; /* a still of the video */
    result.auth = openai_url_same_origin(result.url, base);
    result.mime_hint = copy_mime(collect, mime, mime ? strlen(mime) : 0);
    return add(collect, &result);
}

static int is_ignored(const struct openai_collect *collect, const char *key)
{
    return json_list_within(json_object_get(collect->reading, "ignored"), key) ||
           (collect->video &&
            json_list_within(json_object_get(collect->reading, "ignored_in_video"), key));
}

static const char *mime_of(const json_t *object)
{
    static const char *const keys[] = {"media_type", "mime_type", "mimeType", "content_type",
                                       "output_format"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (*json_text(object, keys[i]))
            return json_text(object, keys[i]);
    return NULL;
}

/* What a string or a list of strings at some place may be. */
enum place {
    PLACE_OTHER,  /* nothing */
    PLACE_VESSEL, /* an address, a data URL, a mark */
    PLACE_URL,
    PLACE_BASE64, /* base64 without anything else, too */
};

static void walk(struct openai_collect *collect, const json_t *value, enum place place);

static void take_text(struct openai_collect *collect, const json_t *value, enum place place,
                      const char *mime)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (place == PLACE_BASE64)
        openai_take_base64(collect, text, len, mime);
    else if (place == PLACE_URL)
        openai_take_url(collect, text, len, mime);
    else if (place == PLACE_VESSEL &&
             (strncasecmp(text, "http", 4) == 0 || strncasecmp(text, "data:", 5) == 0 ||
              strncmp(text, SPILL_MARK, strlen(SPILL_MARK)) == 0 ||
              (*text == '/' && openai_url_media(text, len))))
        openai_take_url(collect, text, len, mime);
}

/* The first of the keys that gives something. */
static int take_own(struct openai_collect *collect, const json_t *object, const char *list,
                    enum place place)
{
    const json_t *keys = json_object_get(collect->reading, list);
    size_t before = collect->out->results_count;
    size_t index;
    json_t *key;

    json_array_foreach((json_t *)keys, index, key) {
        const char *name = json_string_value(key);
        const json_t *value = json_object_get(object, name);

        if (!value || is_ignored(collect, name))
            continue;
        if (json_is_string(value))
            take_text(collect, value, place, mime_of(object));
        else
            walk(collect, value, place);
        if (collect->out->results_count > before)
            return 1;
    }
    return 0;
}

static void walk_object(struct openai_collect *collect, const json_t *object)
{
    const json_t *vessels = json_object_get(collect->reading, "containers");
    size_t before = collect->out->results_count;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
        if (json_list_has(vessels, key) && !is_ignored(collect, key)) {
            if (json_is_string(value))
                take_text(collect, value, PLACE_VESSEL, mime_of(object));
            else
                walk(collect, value, PLACE_VESSEL);
        }
    if (collect->out->results_count > before || take_own(collect, object, "base64", PLACE_BASE64) ||
        take_own(collect, object, "urls", PLACE_URL))
        return;
    json_object_foreach((json_t *)object, key, value)
        if (!json_list_has(vessels, key) && !is_ignored(collect, key))
            walk(collect, value, PLACE_OTHER);
}

/* The depth was bounded before the text was parsed. */
static void walk(struct openai_collect *collect, const json_t *value, enum place place)
{
    size_t index;
    json_t *item;

    if (json_is_object(value))
        walk_object(collect, value);
    json_array_foreach((json_t *)value, index, item) {
        if (json_is_string(item))
            take_text(collect, item, place, NULL);
        else
            walk(collect, item, place);
    }
}

static void search_texts(struct openai_collect *collect, const json_t *value)
{
    const char *key;
    size_t index;
    json_t *item;

    if (json_is_string(value))
        openai_collect_text(collect, json_string_value(value), json_string_length(value));
    json_array_foreach((json_t *)value, index, item)
        search_texts(collect, item);
    json_object_foreach((json_t *)value, key, item)
        if (!is_ignored(collect, key))
            search_texts(collect, item);
}

void openai_collect_json(struct openai_collect *collect, const json_t *root)
{
    walk(collect, root, PLACE_VESSEL);
    if (!collect->out->results_count)
        search_texts(collect, root);
}
