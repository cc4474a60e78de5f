/*
 * error.c - what went wrong, by either door: {"error":{"code","user_message"}} from the gateway,
 * {"code","message","data"} from the personal API, where also a 200 may say it. Both have been seen
 * with `error` as a text, null or a list, with pages of HTML, and with nothing at all.
 */
#include "providers/libtv/libtv.h"

#include "providers/step.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int of_kind(const json_t *lists, const char *kind, const char *code, const char *text)
{
    const json_t *list = json_object_get(lists, kind);

    return json_list_within(json_object_get(list, "codes"), code) ||
           json_list_within(json_object_get(list, "texts"), text);
}

/* The advice that fits better than the kind's own. */
static const char *advice_of(enum err_kind kind, const char *code, const char *text)
{
    if (kind == ERR_AUTH &&
        (strstr(code, "expired") || json_find_word(text, strlen(text), "expired")))
        return "libtv.expired";
    if (kind == ERR_AUTH)
        return "libtv.key";
    if (kind == ERR_CREDITS)
        return "libtv.uses";
    if (kind == ERR_NOT_FOUND)
        return "libtv.session";
    return NULL;
}

void libtv_error_words(const json_t *catalog, const char *code, const char *text,
                       enum err_kind otherwise, struct err *ret_err)
{
    static const char *const kinds[] = {"moderated",   "credits",   "auth",   "rate_limited",
                                        "unavailable", "not_found", "invalid"};
    const json_t *lists = json_object_get(catalog, "error_words");
    enum err_kind kind = otherwise;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (of_kind(lists, kinds[i], code, text)) {
            kind = err_kind_by_name(kinds[i]);
            break;
        }
    err_set(ret_err, kind, "%s", *text ? text : *code ? code : "the service gives no reason");
    err_advise(ret_err, advice_of(kind, code, text));
}

/* ---- replies ---- */

/* Code and words of an error, wherever this answer keeps them. */
static void read_words(struct arena *arena, const json_t *json, const char **ret_code,
                       const char **ret_text)
{
    const json_t *error = json_object_get(json, "error");
    const json_t *from = json_is_object(error) ? error : json;
    char *code = json_word(arena, json_object_get(from, "code"));
    const char *text = json_text(from, "user_message");

    if (!*text)
        text = json_text(from, "message");
    if (!*text && json_is_string(error))
        text = json_string_value(error);
    if (!*text)
        text = json_text(json, "message");
    *ret_code = code ? code : "";
    *ret_text = provider_clean(arena, text, strlen(text));
    if (!*ret_text)
        *ret_text = "";
}

/* The first words of an answer that is no JSON, without tags. */
static const char *page_words(struct arena *arena, const struct http_reply *reply)
{
    size_t len = reply->text_len < 2048 ? reply->text_len : 2048;
    char *out = arena_alloc(arena, len + 1);
    char *clean;
    size_t at = 0;
    int tag = 0;

    for (size_t i = 0; out && i < len; i++) {
        if (reply->text[i] == '<')
            tag = 1;
        if (!tag)
            out[at++] = reply->text[i];
        else if (reply->text[i] == '>') {
            tag = 0;
            out[at++] = ' ';
        }
    }
    clean = out ? provider_clean(arena, out, at) : NULL;
    return clean ? clean : "";
}

static void read_status(const struct http_reply *reply, const json_t *json, const json_t *catalog,
                        struct arena *arena, struct err *ret_err)
{
    enum err_kind kind = step_kind_of_status(reply->status);
    const char *code = "";
    const char *text = "";

    if (json)
        read_words(arena, json, &code, &text);
    else
        text = page_words(arena, reply);
    libtv_error_words(catalog, code, text, kind, ret_err);
    /* A status that says it all is not overruled by a looser word. */
    if (ret_err->kind != ERR_MODERATED && ret_err->kind != ERR_CREDITS && kind != ERR_INVALID) {
        ret_err->kind = kind;
        err_advise(ret_err, advice_of(kind, code, text));
    }
    if (!*text && !*code)
        err_set(ret_err, kind, "HTTP %d without a reason", reply->status);
}

/* The envelope's own code, when it is none by which it says that all is well. */
static int is_bad(const json_t *code)
{
    const char *text = json_string_value(code);

    if (json_is_integer(code))
        return json_integer_value(code) != 0 && json_integer_value(code) != 200;
    return text && *text && strcmp(text, "0") != 0 && strcmp(text, "200") != 0 &&
           strcasecmp(text, "success") != 0 && strcasecmp(text, "ok") != 0;
}

const json_t *libtv_data(const json_t *json)
{
    const json_t *data = json_object_get(json, "data");

    return json_is_object(data) ? data : json;
}

int libtv_answer(const struct http_reply *reply, const json_t *catalog, struct arena *arena,
                 json_t **ret_json, struct err *ret_err)
{
    json_t *json = reply->text_len ? json_read(reply->text, reply->text_len, NULL) : NULL;
    const char *code;
    const char *text;

    *ret_json = json;
    if (reply->status < 200 || reply->status > 299) {
        read_status(reply, json, catalog, arena, ret_err);
        return 0;
    }
    if (!json_is_object(json)) {
        err_set(ret_err, ERR_ANSWER, "the answer (HTTP %d) makes no sense", reply->status);
        return 0;
    }
    if (is_bad(json_object_get(json, "code")) || json_is_object(json_object_get(json, "error")) ||
        json_string_length(json_object_get(json, "error"))) {
        const json_t *number = json_object_get(json, "code");
        int status = json_is_integer(number) && json_integer_value(number) >= 400 &&
                             json_integer_value(number) < 600
                         ? (int)json_integer_value(number)
                         : 0;

        read_words(arena, json, &code, &text);
        libtv_error_words(catalog, code, text,
                          status ? step_kind_of_status(status) : ERR_UNAVAILABLE, ret_err);
        return 0;
    }
    return 1;
}
