/* The host's deep merge, as openclaw_file.h describes it. Values are shared, not copied, wherever
 * they stay as they are; nothing here changes its arguments. Recursion is as deep as the values,
 * which json5_parse and the loader bound. */
#include <stdbool.h>
#include <string.h>

#include "config/openclaw_file.h"

static bool is_blocked(const char *key, size_t len)
{
    static const char *const blocked[] = {"__proto__", "constructor", "prototype"};

    for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++)
        if (strlen(blocked[i]) == len && memcmp(blocked[i], key, len) == 0)
            return true;
    return false;
}

static json_t *join(json_t *first, json_t *second)
{
    json_t *joined = json_copy(first);

    if (joined && json_array_extend(joined, second) < 0) {
        json_decref(joined);
        joined = NULL;
    }
    return joined;
}

/* What of an object goes into a merge: objects inside it are cleaned too, arrays are not. */
static json_t *clean(json_t *value)
{
    json_t *cleaned, *member;
    const char *key;
    size_t len;

    if (!json_is_object(value))
        return json_incref(value);
    cleaned = json_object();
    if (!cleaned)
        return NULL;
    json_object_keylen_foreach(value, key, len, member)
    {
        if (is_blocked(key, len))
            continue;
        if (json_object_setn_new_nocheck(cleaned, key, len, clean(member)) < 0) {
            json_decref(cleaned);
            return NULL;
        }
    }
    return cleaned;
}

json_t *openclaw_merge(json_t *base, json_t *override)
{
    json_t *merged, *value;
    const char *key;
    size_t len;

    if (json_is_array(base) && json_is_array(override))
        return join(base, override);
    if (!json_is_object(base) || !json_is_object(override))
        return json_incref(override);
    merged = clean(base);
    if (!merged)
        return NULL;
    json_object_keylen_foreach(override, key, len, value)
    {
        json_t *current, *next;

        if (is_blocked(key, len))
            continue;
        current = json_object_getn(merged, key, len);
        if (json_is_object(value) && !json_is_object(current))
            next = clean(value);
        else
            next = openclaw_merge(current, value);
        if (json_object_setn_new_nocheck(merged, key, len, next) < 0) {
            json_decref(merged);
            return NULL;
        }
    }
    return merged;
}
