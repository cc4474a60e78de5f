/*
 * error.c - what went wrong, from a status, a code and the provider's own words. The words decide
 * before the status does: some refuse a prompt with a 500, and an empty purse may be a 403 or 429.
 */
#include "providers/openai/openai.h"

#include "providers/step.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct words {
    const char *code;
    const char *type;
    const char *text;
    const char *param;
};

static void fill_blanks(struct words *words)
{
    words->code = words->code ? words->code : "";
    words->type = words->type ? words->type : "";
    words->text = words->text ? words->text : "";
    words->param = words->param ? words->param : "";
}

/* The first of some members that is a text or a number. */
static const char *first_of(struct arena *arena, const json_t *object, const char *const *keys)
{
    for (; *keys; keys++) {
        const char *text = json_word(arena, json_object_get(object, *keys));

        if (text && *text)
            return text;
    }
    return "";
}

static void read_object(struct arena *arena, const json_t *object, struct words *words)
{
    static const char *const codes[] = {"code", "err_code", "error_code", "failureCode",
                                        "status_code", NULL};
    static const char *const types[] = {"type", "status", NULL};
    static const char *const texts[] = {"message", "msg",         "detail",  "error_message",
                                        "error_msg", "err_msg",   "status_msg", "fail_reason",
                                        "failure_reason", "failure", "reason", "description",
                                        "error_description", NULL};
    static const char *const params[] = {"param", NULL};

    words->code = first_of(arena, object, codes);
    words->type = first_of(arena, object, types);
    words->text = first_of(arena, object, texts);
    words->param = first_of(arena, object, params);
}

/* A thing that tells of an error: an object, a text, or a list of either. */
static int read_error(struct arena *arena, const json_t *error, struct words *words)
{
    if (json_is_array(error))
        error = json_array_get(error, 0);
    if (json_is_object(error) && json_object_size(error)) {
        read_object(arena, error, words);
        if (!*words->text && json_is_object(json_object_get(error, "error")))
            return read_error(arena, json_object_get(error, "error"), words);
        return *words->text || (*words->code && strcmp(words->code, "0") != 0);
    }
    if (json_string_length(error)) {
        words->text = json_word(arena, error);
        return words->text != NULL;
    }
    return 0;
}

/* Members whose only use is to tell of an error. */
static int find_plain(struct arena *arena, const json_t *object, int wide, struct words *words)
{
    static const char *const keys[] = {"error", "errors", "err", "detail"};
    size_t count = wide ? 4 : 3; /* pictures may have a level of "detail" */
    const json_t *base = json_object_get(object, "base_resp");
    const json_t *code = json_object_get(object, "code");

    for (size_t i = 0; i < count; i++)
        if (read_error(arena, json_object_get(object, keys[i]), words)) {
            fill_blanks(words);
            if (!*words->code && json_is_string(code))
                words->code = json_word(arena, code);
            fill_blanks(words);
            return 1;
        }
    if (json_int(base, "status_code", 0) != 0)
        return read_error(arena, base, words);
    return 0;
}

/* A code that is none of those by which relays say that all is well. */
static int bad_code(const json_t *code)
{
    const char *text = json_string_value(code);

    if (json_is_integer(code))
        return json_integer_value(code) != 0 && json_integer_value(code) != 200 &&
               json_integer_value(code) != 201 && json_integer_value(code) != 202;
    return text && *text && strcasecmp(text, "success") != 0 && strcasecmp(text, "ok") != 0 &&
           strcmp(text, "0") != 0 && strcmp(text, "200") != 0;
}

/* `wide`: that there is an error is known, only its words are looked for. */
static int find_words(struct arena *arena, const json_t *json, int wide, struct words *words)
{
    static const char *const inner[] = {"data", "output", "result", "task", "video", "response"};

    if (json_is_array(json))
        json = json_array_get(json, 0);
    if (!json_is_object(json))
        return 0;
    if (find_plain(arena, json, wide, words))
        return 1;
    for (size_t i = 0; i < sizeof(inner) / sizeof(*inner); i++) {
        const json_t *part = json_object_get(json, inner[i]);

        if (json_is_array(part))
            part = json_array_get(part, 0);
        if (find_plain(arena, part, wide, words))
            return 1;
    }
    if (!wide && !bad_code(json_object_get(json, "code")))
        return 0;
    for (size_t i = 0; i < sizeof(inner) / sizeof(*inner); i++) {
        const json_t *part = json_object_get(json, inner[i]);

        if (json_is_object(part)) {
            read_object(arena, part, words);
            if (wide && *words->text)
                return 1;
        }
    }
    read_object(arena, json, words);
    return *words->text || *words->code;
}

static int of_kind(const json_t *lists, const char *kind, const struct words *words)
{
    const json_t *list = json_object_get(lists, kind);
    const json_t *codes = json_object_get(list, "codes");

    return json_list_within(codes, words->code) || json_list_within(codes, words->type) ||
           json_list_within(json_object_get(list, "texts"), words->text);
}

/* ERR_NONE when the words tell nothing. */
static enum err_kind kind_of_words(const json_t *catalog, const struct words *words)
{
    static const char *const kinds[] = {"moderated",    "credits",   "auth",
                                        "rate_limited", "not_found", "invalid"};
    const json_t *lists = json_object_get(catalog, "error_words");

    /* "Unknown parameter: 'moderation'" is about the parameter. */
    if (json_list_within(json_object_get(json_object_get(lists, "invalid"), "codes"),
                           words->code))
        return of_kind(lists, "moderated", &(struct words){.code = "", .type = "",
                                                           .text = words->text, .param = ""})
                   ? ERR_MODERATED
                   : ERR_INVALID;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (of_kind(lists, kinds[i], words))
            return err_kind_by_name(kinds[i]);
    return ERR_NONE;
}

/* Without tags: an error page of some proxy, its title at least. NULL without memory. */
static const char *page_words(struct arena *arena, const struct http_reply *reply)
{
    size_t len = reply->text ? reply->text_len : 0;
    const char *text = reply->text ? reply->text : "";
    char *out;
    size_t at = 0;
    int tag = 0;

    if (len > 4096)
        len = 4096;
    if (!json_find_word(text, len, "<html") && !json_find_word(text, len, "<!doctype"))
        return arena_text_n(arena, text, len);
    out = arena_alloc(arena, len + 1);
    for (size_t i = 0; out && i < len; i++) {
        if (text[i] == '<')
            tag = 1;
        if (!tag)
            out[at++] = text[i];
        if (text[i] == '>') {
            tag = 0;
            out[at++] = ' ';
        }
    }
    return out;
}

void openai_error_status(const struct http_reply *reply, const json_t *json, const json_t *catalog,
                         struct arena *arena, struct err *ret_err)
{
    struct words words = {0};
    enum err_kind by_status = step_kind_of_status(reply->status);
    enum err_kind kind;
    const char *text;
    char *clean;

    find_words(arena, json, 1, &words);
    fill_blanks(&words);
    kind = kind_of_words(catalog, &words);
    /* A status that says it all is not overruled by a looser word. */
    if (kind == ERR_NONE || (kind != ERR_MODERATED && kind != ERR_CREDITS &&
                             by_status != ERR_INVALID && by_status != ERR_UNAVAILABLE))
        kind = by_status;
    if (by_status == ERR_UNAVAILABLE && kind != ERR_MODERATED && kind != ERR_CREDITS)
        kind = by_status;
    text = *words.text   ? words.text
           : *words.code ? words.code
           : json        ? ""
                         : page_words(arena, reply);
    clean = text ? provider_clean(arena, text, strlen(text)) : NULL;
    if (!clean) {
        err_set(ret_err, kind, "HTTP %d", reply->status); /* no memory for the words */
        return;
    }
    err_set(ret_err, kind, *clean ? "HTTP %d: %s" : "HTTP %d%s", reply->status,
            *clean ? clean : " without a reason");
    clean = provider_clean(arena, words.param, strlen(words.param));
    if (kind == ERR_INVALID && clean && strlen(clean) < sizeof(ret_err->field))
        snprintf(ret_err->field, sizeof(ret_err->field), "%s", clean);
}

int openai_error_inside(const json_t *json, const json_t *catalog, struct arena *arena, int failed,
                        struct err *ret_err)
{
    struct words words = {0};
    enum err_kind kind;
    const char *text;
    char *clean;

    if (!find_words(arena, json, failed, &words) && !failed)
        return 0;
    fill_blanks(&words);
    kind = kind_of_words(catalog, &words);
    text = *words.text ? words.text : words.code;
    clean = provider_clean(arena, text, strlen(text));
    err_set(ret_err, kind == ERR_NONE ? ERR_UNAVAILABLE : kind, "%s",
            clean && *clean ? clean : "the provider gives no reason");
    if (*words.code && *words.text && strcmp(words.code, words.text) != 0 && clean)
        err_set(ret_err, ret_err->kind, "%s (%.60s)", clean,
                provider_clean(arena, words.code, strlen(words.code)));
    return 1;
}
