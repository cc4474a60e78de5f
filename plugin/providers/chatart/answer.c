/*
 * answer.c - reading the service's envelope {"code","message","data"}: codes come as numbers or as
 * text, with HTTP 200 for most mistakes. What a code means is in the catalogue.
 */
#include "providers/chatart/chatart.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LETTERS_MAX 240
#define CODE_OK 200

/* The keys that the catalogue may name: an error keeps a pointer to one. */
static const char *static_advice(const char *name)
{
    static const char *const all[] = {"chatart.login", "chatart.busy",  "chatart.credits",
                                      "chatart.plan",  "chatart.later", "chatart.trouble",
                                      "chatart.words"};

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (strcmp(all[i], name) == 0)
            return all[i];
    return NULL;
}

int64_t chatart_number(const json_t *value)
{
    const char *text = json_string_value(value);
    char *end;
    long long number;

    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_real(value))
        return json_real_value(value) >= 0 && json_real_value(value) < 1e15
                   ? (int64_t)json_real_value(value)
                   : -1;
    if (!text || !*text)
        return -1;
    errno = 0;
    number = strtoll(text, &end, 10);
    return errno || *end || number < 0 ? -1 : number;
}

const char *chatart_clean(struct arena *arena, const char *text)
{
    size_t len = 0;
    size_t letters = 0;
    char *copy;

    while (text[len] && letters < TEXT_LETTERS_MAX) {
        len++;
        while (((unsigned char)text[len] & 0xC0) == 0x80)
            len++;
        letters++;
    }
    copy = arena_text_n(arena, text, len);
    for (char *at = copy; at && *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    return copy ? copy : "";
}

const json_t *chatart_payload(const json_t *envelope)
{
    const json_t *data = json_object_get(envelope, "data");

    return data ? data : envelope;
}

/* The code of an envelope that is no success. */
static enum chatart_answer refused(const json_t *envelope, const json_t *catalog,
                                   struct arena *arena, int64_t *ret_pause_ms, struct err *err)
{
    char *code = json_word(arena, json_object_get(envelope, "code"));
    const json_t *rule = code ? json_object_get(json_object_get(catalog, "codes"), code) : NULL;
    const char *text = json_text(envelope, "message");
    enum err_kind kind = rule ? err_kind_by_name(json_text(rule, "kind")) : ERR_ANSWER;

    if (!*text)
        text = json_text(envelope, "msg");
    /* What it says of words that it does not like are the words themselves. */
    if (kind == ERR_MODERATED)
        err_set(err, kind, "ChatArt will not make this (code %s)", code);
    else
        err_set(err, kind, "ChatArt: %s (code %s)",
                *text ? chatart_clean(arena, text) : "no reason", code ? code : "none");
    err_advise(err, static_advice(json_text(rule, "advice")));
    *ret_pause_ms = json_int(rule, "pause_ms", 0);
    return kind == ERR_UNAVAILABLE || kind == ERR_RATE_LIMITED || kind == ERR_BUSY ? ANSWER_TROUBLE
                                                                                : ANSWER_REFUSED;
}

static enum chatart_answer bad_status(const struct http_reply *reply, struct err *err)
{
    int status = reply->status;

    if (status == 401 || status == 403) {
        err_set(err, ERR_AUTH, "ChatArt: HTTP %d", status);
        err_advise(err, "chatart.login");
        return ANSWER_REFUSED;
    }
    if (status == 429 || status == 408 || status >= 500) {
        err_set(err, status == 429 ? ERR_RATE_LIMITED : ERR_UNAVAILABLE, "ChatArt: HTTP %d",
                status);
        return ANSWER_TROUBLE;
    }
    err_set(err, status == 404 || status == 410 ? ERR_NOT_FOUND : ERR_INVALID, "ChatArt: HTTP %d",
            status);
    return ANSWER_REFUSED;
}

static enum chatart_answer no_answer(const struct http_reply *reply, struct err *err)
{
    const char *why = reply->error && *reply->error ? reply->error : "there was no answer";

    switch (reply->outcome) {
    case HTTP_REFUSED:
        err_set(err, ERR_REFUSED, "%s", why);
        return ANSWER_REFUSED;
    case HTTP_TOO_LARGE:
        err_set(err, ERR_LIMIT, "%s", why);
        return ANSWER_REFUSED;
    case HTTP_SINK:
        err_set(err, ERR_IO, "%s", why);
        return ANSWER_TROUBLE;
    case HTTP_CANCELLED:
        err_set(err, ERR_CANCELLED, "%s", why);
        return ANSWER_TROUBLE;
    default:
        err_set(err, ERR_UNAVAILABLE, "%s", why);
        return ANSWER_TROUBLE;
    }
}

enum chatart_answer chatart_answer_read(const struct http_reply *reply, const json_t *catalog,
                                        struct arena *arena, json_t **ret_json,
                                        int64_t *ret_pause_ms, struct err *ret_err)
{
    enum json_fault fault;
    json_t *json;
    enum chatart_answer answer;

    *ret_json = NULL;
    *ret_pause_ms = reply->retry_after_ms > 0 ? reply->retry_after_ms : 0;
    if (reply->outcome != HTTP_ANSWERED)
        return no_answer(reply, ret_err);
    if (reply->status < 200 || reply->status > 299)
        return bad_status(reply, ret_err);
    json = json_read(reply->text, reply->text_len, &fault);
    if (fault == JSON_FAULT_NOMEM) {
        err_nomem(ret_err);
        return ANSWER_TROUBLE;
    }
    if (!json_is_object(json)) {
        json_decref(json);
        err_set(ret_err, ERR_ANSWER, "ChatArt's answer is no JSON object (HTTP %d)", reply->status);
        return ANSWER_ODD;
    }
    if (chatart_number(json_object_get(json, "code")) == CODE_OK) {
        *ret_json = json;
        return ANSWER_DATA;
    }
    if (!json_object_get(json, "code")) {
        json_decref(json);
        err_set(ret_err, ERR_ANSWER, "ChatArt's answer has no code (HTTP %d)", reply->status);
        return ANSWER_ODD;
    }
    answer = refused(json, catalog, arena, ret_pause_ms, ret_err);
    json_decref(json);
    return answer;
}
