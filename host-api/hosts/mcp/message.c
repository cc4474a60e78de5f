/*
 * message.c - see message.h.
 */
#include <stdlib.h>
#include <string.h>

#include "message.h"

static const char *const names[REVISION_COUNT] = {
    [REVISION_2024_11_05] = "2024-11-05", [REVISION_2025_03_26] = "2025-03-26",
    [REVISION_2025_06_18] = "2025-06-18", [REVISION_2025_11_25] = "2025-11-25",
    [REVISION_2026_07_28] = "2026-07-28",
};

const char *revision_name(enum revision revision)
{
    return names[revision];
}

enum revision revision_of(const char *name)
{
    int i;

    for (i = REVISION_NONE + 1; name != NULL && i < REVISION_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return (enum revision)i;
    return REVISION_NONE;
}

json_t *revision_names(void)
{
    json_t *list = json_array();
    int i;

    for (i = REVISION_COUNT - 1; i > REVISION_NONE; i--)
        json_array_append_new(list, json_string(names[i]));
    return list;
}

/* The code of an escape "\uXXXX", -1 for anything else. */
static int unit_at(const char *at, const char *end)
{
    int code = 0;

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        const char *digit = strchr("00112233445566778899aAbBcCdDeEfF", at[i]);

        if (at[i] == '\0' || digit == NULL)
            return -1;
        code = code * 16 + (int)(digit - "00112233445566778899aAbBcCdDeEfF") / 2;
    }
    return code;
}

/* Bytes of the escape at `at`; *ret_is_letter is 0 when it is half a pair or NUL. */
static size_t escape_bytes(const char *at, const char *end, int *ret_is_letter)
{
    int code = unit_at(at, end);
    int low;

    *ret_is_letter = 1;
    if (code < 0)
        return end - at > 1 ? 2 : 1;
    if (code >= 0xD800 && code <= 0xDBFF) {
        low = unit_at(at + 6, end);
        if (low >= 0xDC00 && low <= 0xDFFF)
            return 12;
    }
    *ret_is_letter = code != 0 && (code < 0xD800 || code > 0xDFFF);
    return 6;
}

/*
 * Clients in JavaScript and Python send half a surrogate pair as it is, where a prompt was cut; it
 * is no letter, and jansson refuses the message with it. Such places become U+FFFD, in place. 1
 * when there are any.
 */
static int mend(char *text, size_t len)
{
    const char *end = text + len;
    char *at = memchr(text, '\\', len);
    int is_letter, found = 0;

    while (at != NULL) {
        size_t bytes = escape_bytes(at, end, &is_letter);

        if (!is_letter)
            memcpy(at, "\\ufffd", 6);
        found |= !is_letter;
        at += bytes;
        at = memchr(at, '\\', (size_t)(end - at));
    }
    return found;
}

static json_t *parse_mended(const char *text, size_t len)
{
    char *copy = malloc(len);
    json_t *value = NULL;

    if (copy == NULL)
        return NULL;
    memcpy(copy, text, len);
    if (mend(copy, len))
        value = json_loadb(copy, len, JSON_DECODE_ANY, NULL);
    free(copy);
    return value;
}

int message_parse(const char *text, size_t len, json_t **ret_value)
{
    size_t blanks = 0;

    while (blanks < len && (text[blanks] == ' ' || text[blanks] == '\t' || text[blanks] == '\r'))
        blanks++;
    if (blanks == len)
        return 1;
    *ret_value = json_loadb(text, len, JSON_DECODE_ANY, NULL);
    if (*ret_value == NULL)
        *ret_value = parse_mended(text, len);
    return 0;
}

static void broken(struct message *m, int code, const char *why)
{
    m->kind = MESSAGE_BROKEN;
    m->code = code;
    m->why = why;
}

void message_read(json_t *value, struct message *ret_message)
{
    struct message *m = ret_message;
    json_t *id, *method, *params;

    memset(m, 0, sizeof(*m));
    if (value == NULL) {
        broken(m, CODE_PARSE, "this is not JSON in UTF-8");
        return;
    }
    if (!json_is_object(value)) {
        broken(m, CODE_REQUEST, "a message is one JSON object");
        return;
    }
    id = json_object_get(value, "id");
    method = json_object_get(value, "method");
    params = json_object_get(value, "params");
    if (json_is_string(id) || json_is_integer(id))
        m->id = id;
    if (!json_is_string(json_object_get(value, "jsonrpc")) ||
        strcmp(json_string_value(json_object_get(value, "jsonrpc")), "2.0") != 0) {
        broken(m, CODE_REQUEST, "jsonrpc must be \"2.0\"");
        return;
    }
    if (method == NULL && (json_object_get(value, "result") || json_object_get(value, "error"))) {
        m->kind = MESSAGE_RESPONSE;
        m->result = json_object_get(value, "result");
        return;
    }
    if (!json_is_string(method)) {
        broken(m, CODE_REQUEST, "method must be a text");
        return;
    }
    m->method = json_string_value(method);
    if (id != NULL && m->id == NULL) {
        broken(m, CODE_REQUEST, "id must be a text or an integer");
        return;
    }
    m->kind = m->id != NULL ? MESSAGE_REQUEST : MESSAGE_NOTIFICATION;
    if (params != NULL && !json_is_object(params)) {
        broken(m, m->id != NULL ? CODE_PARAMS : CODE_REQUEST, "params must be an object");
        return;
    }
    m->params = params;
}

json_t *message_meta(const struct message *m)
{
    return json_object_get(m->params, "_meta");
}

int message_revision(const struct message *m, enum revision *ret_revision, const char **ret_why)
{
    json_t *meta = message_meta(m);
    json_t *named = json_object_get(meta, META_REVISION);
    enum revision revision;

    if (meta != NULL && !json_is_object(meta)) {
        *ret_why = "_meta must be an object";
        return CODE_PARAMS;
    }
    if (named == NULL) {
        if (json_object_get(meta, META_CLIENT) != NULL) {
            *ret_why = "_meta lacks " META_REVISION;
            return CODE_PARAMS;
        }
        *ret_revision = REVISION_NONE;
        return 0;
    }
    if (!json_is_string(named)) {
        *ret_why = META_REVISION " must be a text";
        return CODE_PARAMS;
    }
    revision = revision_of(json_string_value(named));
    if (revision <= REVISION_HANDSHAKE_LAST) {
        *ret_why = revision == REVISION_NONE ? "Unsupported protocol version"
                                             : "Unsupported protocol version: it begins with "
                                               "initialize, not with _meta";
        return CODE_REVISION;
    }
    if (!json_is_object(json_object_get(meta, META_CLIENT))) {
        *ret_why = "_meta lacks " META_CLIENT;
        return CODE_PARAMS;
    }
    *ret_revision = revision;
    return 0;
}
