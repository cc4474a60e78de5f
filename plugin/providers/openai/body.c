/*
 * body.c - from the text of an answer to JSON, whatever its shape: JSON, JSON that ends early,
 * server-sent events, or something else. base/json_read.c looks at depth and size first.
 */
#include "providers/openai/openai.h"

#include <string.h>
#include <strings.h>

#define ENDS_MAX (2 * LIMIT_FILES) /* events of a stream that each complete a picture */

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where a text that ends early can be cut after a whole value, and what closes it there. */
struct cut {
    size_t at;
    int depth; /* 0: the first value is whole */
    char open[LIMIT_JSON_DEPTH];
};

static void find_cut(const char *text, size_t len, struct cut *ret_cut)
{
    char open[LIMIT_JSON_DEPTH];
    int depth = 0;
    int in_string = 0;
    int value = 0; /* a string here is a value, no key */

    memset(ret_cut, 0, sizeof(*ret_cut));
    for (size_t i = 0; i < len; i++) {
        size_t at = 0;
        char c = text[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"') {
                in_string = 0;
                at = value ? i + 1 : 0;
            }
        } else if (c == '"') {
            in_string = 1;
            value = value || (depth && open[depth - 1] == '[');
        } else if (c == '{' || c == '[') {
            if (depth >= LIMIT_JSON_DEPTH)
                return;
            open[depth++] = c;
            value = 0;
            at = i + 1;
        } else if (c == '}' || c == ']') {
            if (!depth || open[depth - 1] != (c == '}' ? '{' : '['))
                return;
            depth--;
            at = i + 1;
        } else if (c == ':') {
            value = 1;
        } else if (c == ',') {
            value = 0;
            at = i;
        }
        if (at) {
            ret_cut->at = at;
            ret_cut->depth = depth;
            memcpy(ret_cut->open, open, sizeof(open));
            if (!depth)
                return;
        }
    }
}

static json_t *repair(const char *text, size_t len, int *ret_partial, int *ret_nomem)
{
    enum json_fault fault;
    struct buf buf;
    struct cut cut;
    json_t *json = NULL;

    find_cut(text, len, &cut);
    if (!cut.at)
        return NULL;
    buf_init(&buf, LIMIT_TEXT_BYTES + LIMIT_JSON_DEPTH);
    if (buf_add(&buf, text, cut.at))
        goto nomem;
    for (int i = cut.depth; i > 0; i--)
        if (buf_add(&buf, cut.open[i - 1] == '{' ? "}" : "]", 1))
            goto nomem;
    json = json_read(buf.data, buf.len, &fault);
    *ret_nomem = fault == JSON_FAULT_NOMEM;
    *ret_partial = json && cut.depth > 0;
    buf_done(&buf);
    return json;
nomem:
    *ret_nomem = 1;
    buf_done(&buf);
    return NULL;
}

/* What the events of a stream have told. */
struct events {
    json_t *ends;  /* events that complete a picture, in order */
    json_t *last;  /* the newest other one */
    json_t *error;
    struct buf words; /* of a chat that streams */
    int broken; /* one that could not be read */
    unsigned count;
    int nomem;
};

static void add_words(struct events *events, const json_t *event)
{
    size_t index;
    json_t *choice;

    json_array_foreach(json_object_get(event, "choices"), index, choice) {
        const char *text = json_text(json_object_get(choice, "delta"), "content");

        if (buf_text(&events->words, text) == -1)
            events->nomem = 1;
    }
}

static int says_error(const json_t *event)
{
    const json_t *error = json_object_get(event, "error");

    return json_is_object(error) ? json_object_size(error) > 0
                                 : json_string_length(error) > 0;
}

static void one_event(struct events *events, const char *data, size_t len)
{
    enum json_fault fault;
    json_t *event;
    const char *type;
    size_t type_len;

    if (!len)
        return;
    if (++events->count > LIMIT_JSON_VALUES) {
        events->broken = 1;
        return;
    }
    event = json_read(data, len, &fault);
    if (!event) {
        events->nomem |= fault == JSON_FAULT_NOMEM;
        events->broken |= *data == '{';
        return;
    }
    type = json_text(event, "type");
    type_len = strlen(type);
    if (says_error(event)) {
        json_decref(events->error);
        events->error = json_incref(event);
    } else if (json_find_word(type, type_len, "partial")) {
        /* a picture on its way */
    } else if (type_len >= 9 && strcasecmp(type + type_len - 9, "completed") == 0) {
        if (json_array_size(events->ends) < ENDS_MAX && json_array_append(events->ends, event))
            events->nomem = 1;
    } else if (json_is_object(event)) {
        add_words(events, event);
        json_decref(events->last);
        events->last = json_incref(event);
    }
    json_decref(event);
}

static int is_events(const struct http_reply *reply, const char *text, size_t len)
{
    if (reply->content_type && strncasecmp(reply->content_type, "text/event-stream", 17) == 0)
        return 1;
    if (len > 6 && strncmp(text, "event:", 6) == 0)
        return 1;
    if (len > 7 && strncmp(text, "data:", 5) == 0)
        return text[5] == '{' || (text[5] == ' ' && (text[6] == '{' || text[6] == '['));
    return 0;
}

/* Splits into events: "data:" lines up to an empty line. The last one needs no empty line. */
static void read_events(struct events *events, const char *text, size_t len)
{
    struct buf data;
    size_t at = 0;

    buf_init(&data, LIMIT_TEXT_BYTES);
    while (at < len) {
        size_t end = at;

        while (end < len && text[end] != '\n' && text[end] != '\r')
            end++;
        if (end == at) {
            one_event(events, data.data ? data.data : "", data.len);
            buf_done(&data);
        } else if (end - at >= 5 && strncmp(text + at, "data:", 5) == 0) {
            size_t from = at + 5 + (end - at > 5 && text[at + 5] == ' ');

            if ((data.len && buf_add(&data, "\n", 1) == -1) ||
                buf_add(&data, text + from, end - from) == -1)
                events->nomem = 1;
        }
        at = end + (end + 1 < len && text[end] == '\r' && text[end + 1] == '\n' ? 2 : 1);
    }
    one_event(events, data.data ? data.data : "", data.len);
    buf_done(&data);
}

static enum openai_body parse_events(const char *text, size_t len, json_t **ret_json,
                                     int *ret_partial)
{
    struct events events = {.ends = json_array()};
    json_t *json = NULL;

    buf_init(&events.words, LIMIT_TEXT_BYTES);
    events.nomem = !events.ends;
    read_events(&events, text, len);
    if (json_array_size(events.ends))
        json = json_incref(events.ends);
    else if (events.error)
        json = json_incref(events.error);
    else if (events.words.len) {
        json = json_pack("{s:s%}", "content", events.words.data, events.words.len);
        events.nomem |= !json;
    } else if (events.last)
        json = json_incref(events.last);
    buf_done(&events.words);
    json_decref(events.ends);
    json_decref(events.error);
    json_decref(events.last);
    if (events.nomem) {
        json_decref(json);
        return BODY_NOMEM;
    }
    *ret_json = json;
    *ret_partial |= events.broken;
    return json ? BODY_JSON : BODY_OPEN;
}

enum openai_body openai_body_parse(const struct http_reply *reply, json_t **ret_json,
                                   int *ret_partial)
{
    const char *text = reply->text ? reply->text : "";
    size_t len = reply->text ? reply->text_len : 0;
    enum json_fault fault;
    int nomem = 0;
    json_t *json;

    *ret_partial = reply->outcome != HTTP_ANSWERED;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        len -= 3;
    }
    while (len && is_blank(*text)) {
        text++;
        len--;
    }
    if (!len)
        return BODY_EMPTY;
    if (is_events(reply, text, len))
        return parse_events(text, len, ret_json, ret_partial);
    if (*text != '{' && *text != '[')
        return BODY_TEXT;
    json = json_read(text, len, &fault);
    if (fault == JSON_FAULT_BOUNDS)
        return BODY_DEEP;
    nomem = fault == JSON_FAULT_NOMEM;
    if (json)
        *ret_partial = 0;
    else if (!nomem)
        json = repair(text, len, ret_partial, &nomem);
    if (nomem) {
        json_decref(json);
        return BODY_NOMEM;
    }
    /* What should have been an object is no text for people: a poll must not trust it. */
    if (!json && *text == '{')
        *ret_partial = 1;
    *ret_json = json;
    return json ? BODY_JSON : BODY_TEXT;
}
