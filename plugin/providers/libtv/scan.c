/*
 * scan.c - what a session's messages say about one turn of ours.
 *
 * A session may hold earlier turns, later ones, and ones of other people with the same key.
 * Messages have places: their `seq`, or where they stand in the list when there is none. Ours is
 * the message of the user with our very words, behind what was there before; the turn is what
 * follows up to the next message of the user. A tool's answer belongs to the turn whose agent
 * called it, wherever it stands.
 *
 * A result is an address in a tool's answer or in the agent's words that libtv_url_is_result knows
 * and that is none that a user put there. What failed is told in three shapes of tools' answers, or
 * in the agent's last words. The caller decides when all of it is there.
 */
#include "providers/libtv/libtv.h"

#include <string.h>

#define CALLS_MAX 64 /* of one turn's tool calls that are told apart */

struct calls {
    const char *ids[CALLS_MAX];
    size_t count;
};

struct look {
    struct libtv_scan *scan;
    size_t from;  /* the first message behind ours */
    size_t until; /* the next one of a user, or the end */
    int any_calls; /* there are tool calls at all */
    struct calls own;
    struct calls others; /* of later turns */
};

static const char *role_of(const json_t *message)
{
    return json_text(message, "role");
}

static int is_role(const json_t *message, const char *role)
{
    return strcmp(role_of(message), role) == 0;
}

/* Without numbers the list is always a whole one. */
static int64_t place_of(const json_t *message, size_t index, int has_seq)
{
    return has_seq ? json_int(message, "seq", 0) : (int64_t)index + 1;
}

static int all_numbered(const json_t *messages)
{
    const json_t *message;
    size_t index;
    size_t numbered = 0;
    size_t objects = 0;

    json_array_foreach((json_t *)messages, index, message) {
        objects += json_is_object(message);
        numbered += json_is_integer(json_object_get(message, "seq"));
    }
    return objects > 0 && numbered == objects;
}

/* ---- which turn is ours ---- */

static size_t trimmed(const char **at)
{
    size_t len;

    *at += strspn(*at, " \t\r\n");
    len = strlen(*at);
    while (len && strchr(" \t\r\n", (*at)[len - 1]))
        len--;
    return len;
}

static int is_text(const char *a, const char *b)
{
    size_t a_len = trimmed(&a);

    return a_len == trimmed(&b) && memcmp(a, b, a_len) == 0;
}

/*
 * Our message: its known place; else, behind what was there before, the first with our words, or
 * when nobody looked before, the last. No such words: the service changed them, so any of the
 * user's.
 */
static void find_own(struct look *look)
{
    struct libtv_scan *scan = look->scan;
    const json_t *message;
    size_t index;
    size_t other = 0; /* 1 + index */
    size_t own = 0;

    json_array_foreach((json_t *)scan->messages, index, message) {
        int64_t place = place_of(message, index, scan->has_seq);
        int first = scan->base >= 0;

        if (!is_role(message, "user") || place <= scan->base)
            continue;
        if (scan->own > 0) {
            own = place == scan->own ? index + 1 : own;
            continue;
        }
        if (is_text(json_text(message, "content"), scan->text))
            own = own && first ? own : index + 1;
        else
            other = other && first ? other : index + 1;
    }
    scan->found = own > 0;
    look->from = own ? own : other;
    if (look->from)
        scan->own = place_of(json_array_get(scan->messages, look->from - 1), look->from - 1,
                             scan->has_seq);
    else /* not even that: all behind what was there before */
        json_array_foreach((json_t *)scan->messages, index, message)
            if (place_of(message, index, scan->has_seq) <= scan->base)
                look->from = index + 1;
    look->until = json_array_size(scan->messages);
    for (index = look->until; index > look->from; index--)
        if (is_role(json_array_get(scan->messages, index - 1), "user"))
            look->until = index - 1;
}

static void add_calls(struct calls *calls, const json_t *message)
{
    const json_t *call;
    size_t index;

    json_array_foreach(json_object_get(message, "toolCalls"), index, call)
        if (calls->count < CALLS_MAX && *json_text(call, "id"))
            calls->ids[calls->count++] = json_text(call, "id");
}

static int has_call(const struct calls *calls, const char *id)
{
    for (size_t i = 0; i < calls->count; i++)
        if (strcmp(calls->ids[i], id) == 0)
            return 1;
    return 0;
}

/* Does one of this turn's calls wait for its tool? Only told where tools name their calls. */
static int is_pending(const struct look *look)
{
    const json_t *message;
    size_t answered = 0;
    size_t index;

    json_array_foreach((json_t *)look->scan->messages, index, message)
        if (is_role(message, "tool") && has_call(&look->own, json_text(message, "toolCallId")))
            answered++;
    return answered < look->own.count;
}

static void find_calls(struct look *look)
{
    const json_t *message;
    size_t index;

    json_array_foreach((json_t *)look->scan->messages, index, message) {
        if (index >= look->from && index < look->until)
            add_calls(&look->own, message);
        else
            add_calls(&look->others, message);
    }
    look->any_calls = look->own.count || look->others.count;
}

/* Is a message behind ours one of this turn? */
static int is_ours(const struct look *look, size_t index, const json_t *message)
{
    const char *id = json_text(message, "toolCallId");

    if (index < look->from || !json_is_object(message))
        return 0;
    if (!is_role(message, "tool") || !*id)
        return index < look->until;
    if (has_call(&look->own, id))
        return 1;
    /* Called before what we see, by an earlier turn; unless calls are not shown here at all. */
    return !look->any_calls && index < look->until;
}

/* ---- addresses ---- */

/* The user's own addresses come back in the agent's words; they are no results. */
static int is_given(const struct look *look, const char *url)
{
    const struct libtv_scan *scan = look->scan;
    const json_t *message;
    const json_t *upload;
    const char *key;
    size_t index;

    json_object_foreach((json_t *)scan->uploads, key, upload)
        if (json_is_string(upload) && strcmp(json_string_value(upload), url) == 0)
            return 1;
    if (strstr(scan->text, url))
        return 1;
    json_array_foreach((json_t *)scan->messages, index, message)
        if (is_role(message, "user") && strstr(json_text(message, "content"), url))
            return 1;
    return 0;
}

/* An address of another turn's tool, repeated in this one's words. */
static int is_others(const struct look *look, const char *url)
{
    const json_t *message;
    size_t index;

    json_array_foreach((json_t *)look->scan->messages, index, message)
        if (is_role(message, "tool") && !is_ours(look, index, message) &&
            strstr(json_text(message, "content"), url))
            return 1;
    return 0;
}

static void add_url(struct look *look, const char *text, size_t len)
{
    struct libtv_scan *scan = look->scan;
    char *url;

    if (scan->urls_count >= LIMIT_FILES || len >= LIBTV_URL_MAX)
        return;
    url = arena_text_n(scan->arena, text, len);
    if (!url || !libtv_url_is_result(scan->account, scan->catalog, url) || is_given(look, url))
        return;
    for (size_t i = 0; i < scan->urls_count; i++)
        if (strcmp(scan->urls[i], url) == 0)
            return;
    scan->urls[scan->urls_count++] = url;
}

static void add_said_urls(struct look *look, const char *content)
{
    const struct libtv_scan *scan = look->scan;
    const char *at = content;

    /* First what is cheap to find out: a text of many addresses must not hold up the loop. */
    while (scan->urls_count < LIMIT_FILES && (at = strcasestr(at, "http"))) {
        size_t len = libtv_url_len(at, strnlen(at, LIBTV_URL_MAX));
        char *url = len < LIBTV_URL_MAX ? arena_text_n(scan->arena, at, len) : NULL;

        if (url && libtv_url_is_result(scan->account, scan->catalog, url) && !is_others(look, url))
            add_url(look, at, len);
        at += len ? len : 1;
    }
}

/* ---- tools' answers ---- */

static void add_list(struct look *look, const json_t *list)
{
    const json_t *item;
    size_t index;

    json_array_foreach((json_t *)list, index, item) {
        const char *preview = json_text(item, "previewPath");
        const char *full = json_text(item, "url");
        const char *url = *full && (look->scan->full || !*preview) ? full : preview;

        add_url(look, url, strlen(url));
    }
}

static void fail(struct look *look, const json_t *reason)
{
    struct libtv_scan *scan = look->scan;
    const char *text = json_string_value(reason);

    if (json_is_object(reason))
        text = *json_text(reason, "message") ? json_text(reason, "message")
                                             : json_text(reason, "text");
    scan->failed = 1;
    scan->reason = provider_clean(scan->arena, text ? text : "", text ? strlen(text) : 0);
}

static void read_tool(struct look *look, const char *content)
{
    const json_t *failed = json_object_get(libtv_own(look->scan->catalog), "failed");
    json_t *json = json_read(content, strlen(content), NULL);
    const json_t *result = json_object_get(json, "task_result");
    const json_t *error = json_object_get(json, "error");

    add_list(look, json_object_get(result, "images"));
    add_list(look, json_object_get(result, "videos"));
    if (json_list_has(failed, json_text(result, "status")))
        fail(look, json_object_get(result, "error"));
    else if (json_is_true(json_object_get(json, "isError")))
        fail(look, json_array_get(json_object_get(json, "content"), 0));
    else if (!result && (json_string_length(error) || json_is_object(error)))
        fail(look, error);
    json_decref(json);
}

/* ---- the whole ---- */

static void read_turn(struct look *look)
{
    struct libtv_scan *scan = look->scan;
    const json_t *message;
    size_t index;

    json_array_foreach((json_t *)scan->messages, index, message) {
        const char *content = json_text(message, "content");

        if (!is_ours(look, index, message))
            continue;
        scan->said++;
        if (is_role(message, "tool")) {
            read_tool(look, content);
            scan->closed = 0;
        } else if (is_role(message, "assistant")) {
            int calls = json_array_size(json_object_get(message, "toolCalls")) > 0;

            add_said_urls(look, content);
            scan->closed = !calls && *content;
            if (*content)
                scan->words = provider_clean(scan->arena, content, strlen(content));
        }
    }
}

int libtv_scan(struct libtv_scan *scan)
{
    struct look look = {.scan = scan};
    const json_t *said = json_object_get(libtv_own(scan->catalog), "said_failed");
    const json_t *message;
    size_t index;

    scan->words = "";
    scan->has_seq = all_numbered(scan->messages);
    scan->last = scan->base > 0 ? scan->base : 0;
    json_array_foreach((json_t *)scan->messages, index, message)
        if (place_of(message, index, scan->has_seq) > scan->last)
            scan->last = place_of(message, index, scan->has_seq);
    find_own(&look);
    find_calls(&look);
    read_turn(&look);
    scan->pending = is_pending(&look);
    if (scan->closed && !scan->failed && !scan->urls_count && scan->words &&
        json_list_within(said, scan->words)) {
        scan->failed = 1;
        scan->reason = scan->words;
    }
    return scan->arena->failed ? -1 : 0;
}
