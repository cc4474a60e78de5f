/* json.c - see json.h. */
#include "base/json.h"

#include "base/limits.h"

#include <string.h>
#include <strings.h>

const char *json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

int64_t json_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);

    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_real(value) && json_real_value(value) >= -9e15 && json_real_value(value) <= 9e15)
        return (int64_t)json_real_value(value);
    return otherwise;
}

int json_has_type(const json_t *value, const char *type)
{
    if (strcmp(type, "string") == 0)
        return json_is_string(value);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value);
    if (strcmp(type, "number") == 0)
        return json_is_number(value);
    if (strcmp(type, "boolean") == 0)
        return json_is_boolean(value);
    if (strcmp(type, "array") == 0)
        return json_is_array(value);
    return json_is_object(value);
}

int json_list_has(const json_t *list, const char *text)
{
    size_t index;
    json_t *item;

    json_array_foreach((json_t *)list, index, item)
        if (json_is_string(item) && strcasecmp(json_string_value(item), text) == 0)
            return 1;
    return 0;
}

const char *json_find_word(const char *text, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    for (size_t i = 0; word_len && i + word_len <= len; i++)
        if (strncasecmp(text + i, word, word_len) == 0)
            return text + i;
    return NULL;
}

int json_list_within(const json_t *list, const char *text)
{
    size_t len = strnlen(text, LIMIT_JSON_WORDS);
    size_t index;
    json_t *item;

    json_array_foreach((json_t *)list, index, item)
        if (json_is_string(item) && json_find_word(text, len, json_string_value(item)))
            return 1;
    return 0;
}

char *json_word(struct arena *arena, const json_t *value)
{
    if (json_is_string(value))
        return arena_text(arena, json_string_value(value));
    if (json_is_integer(value))
        return arena_format(arena, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return arena_format(arena, "%.17g", json_real_value(value));
    return NULL;
}

json_t *json_whole_copy(const json_t *value)
{
    json_t *copy = json_deep_copy(value);

    /* jansson's copies may lack what there was no memory for. */
    if (copy && json_equal(copy, value))
        return copy;
    json_decref(copy);
    return NULL;
}

int json_reason_len(const char *text)
{
    const char *near = strstr(text, " near ");

    return (int)(near ? (size_t)(near - text) : strlen(text));
}

int json_is_nomem(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    /* jansson does not name every allocation that failed. */
    return code == json_error_out_of_memory || code == json_error_unknown;
}

void json_wipe(json_t *value)
{
    json_t *member;
    const char *key;
    size_t index;

    if (json_is_string(value))
        explicit_bzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
    json_object_foreach(value, key, member)
        json_wipe(member);
    json_array_foreach(value, index, member)
        json_wipe(member);
}
