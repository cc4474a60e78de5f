/*
 * answer.c - everything that one answer says: state, job id, address to ask at, progress, price,
 * error, results. Each is looked for on its own, in any nesting and with any types, so that one
 * strange member spoils no other. What it means for the job is decided in openai.c.
 */
#include "providers/openai/openai.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define STATES_MAX 4  /* state words looked at in one answer */
#define ID_BYTES_MAX 400

struct reader {
    const struct provider_turn *turn;
    const json_t *reading;
    const json_t *wire;
    struct openai_reading *out;
    int video;
    const char *states[STATES_MAX];
    size_t states_count;
    const json_t *job_in; /* the object that the job's id stood in */
};

/* "TASK_STATUS_SUCCEEDED" as "succeeded", and '-', ' ', '_' are one. */
static int same_word(const char *known, const char *word)
{
    const char *mark = strstr(word, "STATUS_");

    if (mark)
        word = mark + 7;
    for (; *known && *word; known++, word++) {
        int a = strchr(" -_", *known) ? '_' : *known | 32;
        int b = strchr(" -_", *word) ? '_' : *word | 32;

        if (a != b)
            return 0;
    }
    return *known == *word;
}

static int in_list(const json_t *list, const char *word)
{
    size_t index;
    json_t *item;

    json_array_foreach((json_t *)list, index, item)
        if (json_is_string(item) && same_word(json_string_value(item), word))
            return 1;
    return 0;
}

static enum openai_state state_of(const struct reader *reader, const char *word)
{
    static const struct {
        const char *list;
        enum openai_state state;
    } lists[] = {
        {"pending", STATE_PENDING},     {"done", STATE_DONE},       {"failed", STATE_FAILED},
        {"cancelled", STATE_CANCELLED}, {"expired", STATE_EXPIRED}, {"moderated", STATE_MODERATED},
    };

    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        if (in_list(json_object_get(json_object_get(reader->wire, "words"), lists[i].list), word))
            return lists[i].state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        if (in_list(json_object_get(reader->reading, lists[i].list), word))
            return lists[i].state;
    return STATE_STRANGE;
}

static int is_ignored(const struct reader *reader, const char *key)
{
    return json_list_within(json_object_get(reader->reading, "ignored"), key);
}

/* State words from the outside in; `lists`: inside lists, too. */
static void find_states(struct reader *reader, const json_t *value, int lists)
{
    const json_t *keys = json_object_get(reader->reading, "states");
    const char *key;
    size_t index;
    json_t *item;

    json_array_foreach((json_t *)keys, index, item) {
        const json_t *found = json_object_get(value, json_string_value(item));
        char *word;

        if (reader->states_count >= STATES_MAX)
            return;
        word = json_word(reader->turn->arena, found);
        /* A number is a state only for those whose dialect names it. */
        if (!word || !*word ||
            (!json_is_string(found) && state_of(reader, word) == STATE_STRANGE))
            continue;
        reader->states[reader->states_count++] = word;
        break;
    }
    json_object_foreach((json_t *)value, key, item)
        if (json_is_object(item) || (lists && json_is_array(item)))
            if (!is_ignored(reader, key))
                find_states(reader, item, lists);
    if (lists)
        json_array_foreach((json_t *)value, index, item)
            find_states(reader, item, lists);
}

/* Relays wrap a task's state in their own: the least finished of them is the truth. */
static void read_state(struct reader *reader, const json_t *json)
{
    static const enum openai_state order[] = {STATE_FAILED,  STATE_MODERATED, STATE_CANCELLED,
                                              STATE_EXPIRED, STATE_PENDING,   STATE_STRANGE,
                                              STATE_DONE};
    struct openai_reading *out = reader->out;

    find_states(reader, json, 0);
    if (!reader->states_count)
        find_states(reader, json, 1);
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++)
        for (size_t k = 0; k < reader->states_count; k++)
            if (state_of(reader, reader->states[k]) == order[i] && out->state == STATE_NONE) {
                out->state = order[i];
                out->word = provider_clean(reader->turn->arena, reader->states[k],
                                               strnlen(reader->states[k], 60));
            }
}

static int usable_id(const char *id)
{
    size_t len = strlen(id);

    if (!len || len > ID_BYTES_MAX || strspn(id, ".") == len)
        return 0;
    for (const char *c = id; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7F)
            return 0;
    return 1;
}

/* Outside in; in one object a text goes before a number. 1 when found. */
static int find_id(struct reader *reader, const json_t *value, const char *list)
{
    const json_t *keys = json_object_get(reader->reading, list);
    const char *key;
    size_t index;
    json_t *item;

    for (int numbers = 0; numbers < 2 && json_is_object(value); numbers++)
        json_array_foreach((json_t *)keys, index, item) {
            const json_t *found = json_object_get(value, json_string_value(item));
            char *id;

            if (numbers ? !json_is_integer(found) : !json_is_string(found))
                continue;
            id = json_word(reader->turn->arena, found);
            if (!id || !usable_id(id))
                continue;
            reader->out->job = id;
            reader->job_in = value;
            reader->out->job_sure = strcmp(json_string_value(item), "id") != 0;
            return 1;
        }
    json_object_foreach((json_t *)value, key, item)
        if (!is_ignored(reader, key) && find_id(reader, item, list))
            return 1;
    json_array_foreach((json_t *)value, index, item)
        if (find_id(reader, item, list))
            return 1;
    return 0;
}

static void read_job(struct reader *reader, const json_t *json)
{
    static const char *const finals[] = {"data", "choices", "images", "output", "outputs"};
    struct openai_reading *out = reader->out;

    if (!find_id(reader, json, "job_ids") && !find_id(reader, json, "trace_ids"))
        return;
    if (out->job_sure || out->poll_url || out->state != STATE_NONE)
        return;
    /* A chat's or a finished answer's own number is nothing that can be asked about. */
    for (size_t i = 0; i < sizeof(finals) / sizeof(*finals); i++)
        if (json_object_get(json, finals[i]) && (reader->job_in == json || !reader->video))
            out->job = NULL;
}

static void take_poll_url(struct reader *reader, const char *text)
{
    const char *base = reader->turn->account->base_url;
    char *url = openai_url_join(reader->turn->arena, base, text, strlen(text));

    if (url && openai_url_same_origin(url, base))
        reader->out->poll_url = url;
    else if (url)
        reader->out->poll_foreign = 1;
}

static void find_poll_url(struct reader *reader, const json_t *value)
{
    const json_t *keys = json_object_get(reader->reading, "status_urls");
    const char *key;
    size_t index;
    json_t *item;

    json_array_foreach((json_t *)keys, index, item)
        if (!reader->out->poll_url && *json_text(value, json_string_value(item)))
            take_poll_url(reader, json_text(value, json_string_value(item)));
    item = json_object_get(json_object_get(value, "urls"), "get");
    if (!reader->out->poll_url && json_string_length(item))
        take_poll_url(reader, json_string_value(item));
    json_object_foreach((json_t *)value, key, item)
        if (!reader->out->poll_url && !is_ignored(reader, key))
            find_poll_url(reader, item);
    json_array_foreach((json_t *)value, index, item)
        if (!reader->out->poll_url)
            find_poll_url(reader, item);
}

/* 0-100, "42%", or a fraction of one; permille, -1 for anything else. */
static int32_t permille_of(const json_t *value)
{
    double number = json_number_value(value);
    const char *text = json_string_value(value);

    if (text) {
        if (strspn(text, "0123456789") == 0 || strlen(text) > 8)
            return -1;
        number = 0;
        for (const char *c = text; *c >= '0' && *c <= '9'; c++)
            number = number * 10 + (*c - '0');
    } else if (!json_is_number(value)) {
        return -1;
    } else if (json_is_real(value) && number > 0 && number < 1) {
        number *= 100;
    }
    if (!(number >= 0) || number > 1e6)
        return -1;
    return number > 100 ? 1000 : (int32_t)lround(number * 10);
}

static const json_t *inside(const json_t *json, size_t index)
{
    static const char *const names[] = {"data", "output", "result", "task", "video", "response"};

    if (json_is_array(json))
        json = json_array_get(json, 0);
    if (index == 0)
        return json;
    json = json_object_get(json, names[index - 1]);
    return json_is_array(json) ? json_array_get(json, 0) : json;
}

#define INSIDES 7

static void read_numbers(struct reader *reader, const json_t *json)
{
    struct openai_reading *out = reader->out;

    for (size_t i = 0; i < INSIDES; i++) {
        const json_t *part = inside(json, i);
        const json_t *usage = json_object_get(part, "usage");
        const json_t *cost = json_object_get(usage, "cost");
        const json_t *ticks = json_object_get(usage, "cost_in_usd_ticks");

        if (out->progress < 0)
            out->progress = permille_of(json_object_get(part, "progress"));
        if (out->cost < 0 && json_is_number(cost) && json_number_value(cost) >= 0)
            out->cost = json_number_value(cost);
        else if (out->cost < 0 && json_is_number(ticks) && json_number_value(ticks) >= 0)
            out->cost = json_number_value(ticks) / 1e10;
        if (json_is_false(json_object_get(part, "respect_moderation")))
            out->state = STATE_MODERATED;
    }
}

static void read_error(struct reader *reader, const json_t *json, const json_t *catalog)
{
    struct openai_reading *out = reader->out;
    struct arena *arena = reader->turn->arena;

    switch (out->state) {
    case STATE_FAILED:
        openai_error_inside(json, catalog, arena, 1, &out->error);
        break;
    case STATE_MODERATED:
        openai_error_inside(json, catalog, arena, 1, &out->error);
        out->error.kind = ERR_MODERATED;
        break;
    case STATE_EXPIRED:
        openai_error_inside(json, catalog, arena, 1, &out->error);
        out->error.kind = ERR_EXPIRED;
        break;
    case STATE_CANCELLED:
        openai_error_inside(json, catalog, arena, 1, &out->error);
        out->error.kind = ERR_CANCELLED;
        break;
    default:
        openai_error_inside(json, catalog, arena, 0, &out->error);
        break;
    }
}

int openai_read(const struct provider_turn *turn, const json_t *catalog,
                struct openai_reading *ret_reading)
{
    struct openai_reading *out = ret_reading;
    const json_t *wire = json_object_get(turn->request, "wire");
    const json_t *reading = json_object_get(catalog, "reading");
    struct reader reader = {.turn = turn, .reading = reading, .wire = wire, .out = out};
    struct openai_collect collect = {.turn = turn, .reading = reading, .wire = wire, .out = out};
    json_t *json = NULL;

    memset(out, 0, sizeof(*out));
    out->progress = -1;
    out->cost = -1;
    collect.video = strcmp(json_text(turn->request, "kind"), "video") == 0;
    reader.video = collect.video;
    collect.all = strcmp(json_text(turn->request, "kind"), "media") == 0;
    out->body = openai_body_parse(turn->reply, &json, &out->partial);
    if (out->body == BODY_NOMEM)
        return -1;
    if (out->body == BODY_JSON) {
        read_state(&reader, json);
        find_poll_url(&reader, json);
        read_job(&reader, json);
        read_numbers(&reader, json);
        read_error(&reader, json, catalog);
        openai_collect_json(&collect, json);
    } else if (out->body == BODY_TEXT) {
        const char *text = turn->reply->text;
        size_t len = turn->reply->text_len;

        /* A line of prose has only letters too; base64 that people pass on has no blanks. */
        if ((collect.all && memchr(text, ' ', len)) ||
            !openai_take_base64(&collect, text, len, NULL))
            openai_collect_text(&collect, text, len);
    }
    json_decref(json);
    return turn->arena->failed ? -1 : 0;
}
