/*
 * answer.c - what an answer of Plume says. Every field may be of any kind or absent: a status as
 * text, data that is null, a result that is an object, a text that holds one, or a text that holds
 * none have all been met. All addresses are collected, in the order in which the published client
 * looks for its one.
 */
#include "providers/plume/plume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_MAX 500

void plume_answer_read(const struct http_reply *reply, struct plume_answer *ret_answer)
{
    struct plume_answer out = {.status = reply->status, .succeeded = -1, .code = "", .message = ""};
    const json_t *success;

    if (reply->text_len)
        out.json = json_read(reply->text, reply->text_len, NULL);
    if (!json_is_object(out.json)) {
        json_decref(out.json);
        out.json = NULL;
    }
    success = json_object_get(out.json, "success");
    if (json_is_boolean(success))
        out.succeeded = json_is_true(success);
    out.code = json_text(out.json, "code");
    out.message = json_text(out.json, "message");
    out.data = json_object_get(out.json, "data");
    if (!json_is_object(out.data))
        out.data = NULL;
    *ret_answer = out;
}

void plume_answer_done(struct plume_answer *answer)
{
    json_decref(answer->json);
    answer->json = NULL;
}

/* Goes into a path and into names: letters, digits, "-" and "_". */
static int is_id(const char *text)
{
    size_t len = strlen(text);

    for (const char *c = text; *c; c++)
        if (!((*c >= '0' && *c <= '9') || ((*c | 32) >= 'a' && (*c | 32) <= 'z') || *c == '-' ||
              *c == '_'))
            return 0;
    return len > 0 && len <= PLUME_TASK_ID_MAX;
}

const char *plume_answer_task(struct arena *arena, const struct plume_answer *answer)
{
    const json_t *id = json_object_get(answer->data, "id");

    if (json_is_integer(id))
        return json_integer_value(id) >= 0
                   ? arena_format(arena, "%lld", (long long)json_integer_value(id))
                   : NULL;
    return json_is_string(id) && is_id(json_string_value(id))
               ? arena_text(arena, json_string_value(id))
               : NULL;
}

int plume_answer_state(const struct plume_answer *answer, int64_t *ret_state)
{
    const json_t *status = json_object_get(answer->data, "status");
    const char *text = json_string_value(status);
    char *end;

    if (!status || json_is_null(status)) {
        *ret_state = 0;
        return 0;
    }
    if (json_is_integer(status)) {
        *ret_state = json_integer_value(status);
        return 0;
    }
    if (json_is_real(status) && json_real_value(status) >= 0 && json_real_value(status) < 1000) {
        *ret_state = (int64_t)json_real_value(status);
        return (double)*ret_state < json_real_value(status) ? -1 : 0;
    }
    if (!text || *text < '0' || *text > '9' || strlen(text) > 3)
        return -1;
    *ret_state = strtol(text, &end, 10);
    return *end ? -1 : 0;
}

/* ---- results ---- */

struct collect {
    const struct provider_turn *turn;
    struct plume_results *out;
    size_t bytes; /* of the addresses so far; what is past the bound could not be saved */
    int failed;
};

static void take(struct collect *collect, const json_t *value)
{
    const char *url = json_string_value(value);
    struct plume_results *out = collect->out;

    if (!url || !*url || collect->failed)
        return;
    for (size_t i = 0; i < out->count; i++)
        if (strcmp(out->urls[i], url) == 0)
            return;
    if (!plume_may_use(collect->turn->account, url)) {
        out->refused++;
    } else if (out->count < LIMIT_FILES &&
               collect->bytes + strlen(url) + 4 <= PLUME_RESULTS_BYTES_MAX) {
        collect->bytes += strlen(url) + 4;
        out->urls[out->count] = arena_text(collect->turn->arena, url);
        collect->failed |= !out->urls[out->count++];
    }
}

/* The first member of these that is a text: others of the same thing are smaller copies of it. */
static void take_first(struct collect *collect, const json_t *object, const char *const *names)
{
    for (; *names; names++)
        if (json_string_length(json_object_get(object, *names))) {
            take(collect, json_object_get(object, *names));
            return;
        }
}

static void collect_pictures(struct collect *collect, const json_t *result)
{
    static const char *const at_top[] = {"imageUrl", "url", NULL};
    static const char *const in_data[] = {"file", "imageUrl", "url", NULL};
    size_t index;
    json_t *item;

    take_first(collect, result, at_top);
    json_array_foreach(json_object_get(result, "imageUrls"), index, item) take(collect, item);
    json_array_foreach(json_object_get(result, "parts"), index, item)
        take_first(collect, item, at_top);
    take_first(collect, json_object_get(result, "data"), in_data);
}

/* Without their covers, which are pictures beside them. */
static void collect_videos(struct collect *collect, const json_t *result)
{
    size_t index;
    json_t *part;

    json_array_foreach(json_object_get(result, "parts"), index, part)
        take(collect, json_object_get(part, "videoUrl"));
}

/* `result` may be a text that holds the object. New, or NULL. */
static json_t *result_of(const struct plume_answer *answer)
{
    json_t *result = json_object_get(answer->data, "result");

    if (json_is_string(result))
        return json_read(json_string_value(result), json_string_length(result), NULL);
    return json_incref(result);
}

int plume_answer_results(const struct provider_turn *turn, const struct plume_answer *answer,
                         struct plume_results *ret_results)
{
    struct collect collect = {.turn = turn, .out = ret_results};
    json_t *result = result_of(answer);

    memset(ret_results, 0, sizeof(*ret_results));
    collect_videos(&collect, result);
    if (!ret_results->count && !ret_results->refused)
        collect_pictures(&collect, result);
    json_decref(result);
    return collect.failed ? -1 : 0;
}

/* ---- reasons ---- */

static const char *reason_text(const json_t *result)
{
    const char *text = json_text(result, "message");
    const json_t *error = json_object_get(result, "error");

    if (!*text)
        text = json_is_object(error) ? json_text(error, "message") : json_text(result, "error");
    return text;
}

char *plume_answer_reason(struct arena *arena, const struct plume_answer *answer)
{
    json_t *result = result_of(answer);
    const json_t *raw = json_object_get(answer->data, "result");
    const char *text = "";
    char *dumped = NULL;
    char *clean;

    if (json_is_string(raw) && !json_is_object(result))
        text = json_string_value(raw);
    else if (json_is_object(result))
        text = reason_text(result);
    if (!*text && json_is_object(result) && json_object_size(result))
        text = dumped = json_dumps(result, JSON_COMPACT);
    if (text && strlen(text) > REASON_MAX)
        clean = provider_clean(arena, text, REASON_MAX);
    else
        clean = text ? provider_clean(arena, text, strlen(text)) : NULL;
    free(dumped);
    json_decref(result);
    return clean;
}
