/*
 * embed.c - the built-in JSON files, each parsed at its first use. What is kept is never changed
 * nor freed again (the library stays loaded), so it is the same for all instances; when two of them
 * come first at once, one copy is dropped. Without memory nothing is kept.
 *
 * A start needs little of each file and parsing all of them would be most of its time, so single
 * members are found in the text. That is simple because the text is known: sound, as the tests have
 * seen, and without white space, as cmake/embed.cmake makes it.
 */
#include "base/embed.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>

#define FILES_MAX 64 /* later ones are parsed at each use */

static size_t find(const char *name)
{
    size_t i = 0;

    while (embed_files[i].name && strcmp(embed_files[i].name, name) != 0)
        i++;
    return i;
}

json_t *embed_json(const char *name)
{
    static _Atomic(json_t *) kept[FILES_MAX];
    json_t *expected = NULL;
    json_t *json;
    size_t i = find(name);

    if (!embed_files[i].name)
        return NULL;
    json = i < FILES_MAX ? atomic_load(&kept[i]) : NULL;
    if (json)
        return json_incref(json);
    json = json_loadb(embed_files[i].text, embed_files[i].size, JSON_REJECT_DUPLICATES, NULL);
    if (!json || i >= FILES_MAX)
        return json;
    if (atomic_compare_exchange_strong(&kept[i], &expected, json))
        return json_incref(json);
    json_decref(json);
    return json_incref(expected);
}

/* The comma or bracket that ends the member or value that begins at `at`. */
static const char *end_of(const char *at)
{
    unsigned depth = 0;

    for (; *at; at++) {
        if (*at == '"') {
            at++;
            while (*(at += strcspn(at, "\"\\")) == '\\')
                at += 2;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (depth == 0 && (*at == ',' || *at == '}' || *at == ']')) {
            break;
        } else if (*at == '}' || *at == ']') {
            depth--;
        }
    }
    return at;
}

/* Where the member's value stands; NULL: nowhere. */
static const char *find_member(const char *name, const char *key, size_t *ret_len)
{
    const char *at = embed_files[find(name)].text;
    size_t len = strlen(key);

    while (at && (*at == '{' || *at == ',')) {
        const char *begin = at + 1;

        at = end_of(begin);
        if (*begin == '"' && strncmp(begin + 1, key, len) == 0 &&
            strncmp(begin + 1 + len, "\":", 2) == 0) {
            begin += len + 3;
            *ret_len = (size_t)(at - begin);
            return begin;
        }
    }
    return NULL;
}

int embed_member(const char *name, const char *key, json_t **ret_json)
{
    size_t len = 0;
    const char *text = find_member(name, key, &len);
    json_t *json =
        text ? json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL) : NULL;

    if (text && !json)
        return -1;
    *ret_json = json;
    return 0;
}

int embed_member_text(const char *name, const char *key, char **ret_text)
{
    size_t len = 0;
    const char *text = find_member(name, key, &len);
    char *copy = text ? mem_text_n(text, len) : NULL;

    if (text && !copy)
        return -1;
    *ret_text = copy;
    return 0;
}
