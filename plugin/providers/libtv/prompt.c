/*
 * prompt.c - the message. The user's words go out as they are; behind them come the addresses of
 * what was uploaded for them, then at most two lines: the ratio and the model, each only when the
 * words name none. Words decide, not letters in them: "10:30" is a time, "swan" is no model.
 */
#include "providers/libtv/libtv.h"

#include "base/buf.h"
#include "base/words.h"

#include <string.h>
#include <strings.h>

#define MESSAGE_MAX (LIMIT_PROMPT_BYTES + LIMIT_UPLOADS * LIMIT_URL)

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of a colon, of either width; 0: none. */
static size_t colon_len(const char *at)
{
    if (*at == ':')
        return 1;
    return strncmp(at, "\xEF\xBC\x9A", 3) == 0 ? 3 : 0;
}

/* A colon of either width right before `at`. */
static int follows_colon(const char *text, const char *at)
{
    return (at > text && at[-1] == ':') || (at - text >= 3 && colon_len(at - 3) == 3);
}

/* One or two digits at `at`; how many. */
static size_t number_len(const char *at)
{
    size_t len = strspn(at, "0123456789");

    return len <= 2 ? len : 0;
}

static int is_listed(const json_t *ratios, const char *left, size_t left_len, const char *right,
                     size_t right_len)
{
    const json_t *ratio;
    size_t index;

    json_array_foreach((json_t *)ratios, index, ratio) {
        const char *known = json_string_value(ratio);

        if (json_string_length(ratio) == left_len + 1 + right_len &&
            memcmp(known, left, left_len) == 0 && known[left_len] == ':' &&
            memcmp(known + left_len + 1, right, right_len) == 0)
            return 1;
    }
    return 0;
}

int libtv_names_ratio(const json_t *catalog, const char *text)
{
    const json_t *ratios = json_object_get(libtv_own(catalog), "ratios");
    const char *at = text;

    while (*at) {
        const char *left = at;
        size_t left_len = number_len(at);
        size_t right_len;

        if (!is_digit(*at)) {
            at++;
            continue;
        }
        at += strspn(at, "0123456789");
        if (!left_len || follows_colon(text, left) || (left > text && left[-1] == '.') ||
            !colon_len(at))
            continue;
        at += colon_len(at);
        right_len = number_len(at);
        if (right_len && !colon_len(at + right_len) &&
            !(at[right_len] == '.' && is_digit(at[right_len + 1])) &&
            is_listed(ratios, left, left_len, at, right_len))
            return 1;
    }
    return 0;
}

int libtv_is_ratio(const char *text)
{
    size_t left = number_len(text);
    size_t right = left && text[left] == ':' ? number_len(text + left + 1) : 0;

    return right && text[left + 1 + right] == '\0';
}

static int is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

int libtv_names_model(const json_t *catalog, const char *text)
{
    const json_t *word;
    size_t index;

    json_array_foreach(json_object_get(libtv_own(catalog), "model_words"), index, word) {
        const char *name = json_string_value(word);
        const char *at = text;
        size_t len = strlen(name);

        while ((at = json_find_word(at, strlen(at), name))) {
            /* "Wan2.6" is it, "swan" and "wander" are not. */
            if (!is_letter(*name) || ((at == text || !is_letter(at[-1])) && !is_letter(at[len])))
                return 1;
            at += len;
        }
    }
    return 0;
}

/* "... {ratio} ..." */
static int add_line(struct buf *buf, const char *line, const char *ratio)
{
    const char *place = strstr(line, "{ratio}");

    if (!place)
        return buf_text(buf, line);
    return buf_add(buf, line, (size_t)(place - line)) || buf_text(buf, ratio) ||
           buf_text(buf, place + 7);
}

static int add_references(struct buf *buf, const json_t *catalog, const json_t *request,
                          const json_t *uploads, const char *prompt)
{
    const json_t *lines = json_object_get(json_object_get(libtv_own(catalog), "reference_lines"),
                                          words_tag(words_choose(NULL, prompt)));
    const json_t *input;
    size_t index;

    json_array_foreach(json_object_get(request, "inputs"), index, input) {
        const char *url = json_text(input, "url");

        if (!*url)
            url = json_text(uploads, json_text(input, "key"));
        if (!*url || strstr(prompt, url))
            continue;
        if (buf_text(buf, json_text(lines, json_text(input, "role"))) || buf_text(buf, url))
            return -1;
    }
    return 0;
}

char *libtv_message(struct arena *arena, const json_t *catalog, const json_t *request,
                    const json_t *uploads)
{
    const json_t *lines = json_object_get(libtv_own(catalog), "ratio_lines");
    const char *prompt = json_text(request, "prompt");
    const char *ratio = json_text(request, "ratio");
    const char *hint = json_text(request, "hint");
    char *message = NULL;
    struct buf buf;
    int failed;

    buf_init(&buf, MESSAGE_MAX);
    failed = buf_text(&buf, prompt) || add_references(&buf, catalog, request, uploads, prompt);
    if (!failed && *ratio && !libtv_names_ratio(catalog, prompt))
        failed = add_line(&buf, json_text(lines, json_text(request, "kind")), ratio);
    if (!failed && *hint && !libtv_names_model(catalog, prompt))
        failed = buf_text(&buf, hint);
    if (!failed)
        message = arena_text_n(arena, buf.data ? buf.data : "", buf.len);
    buf_done(&buf);
    return message;
}
