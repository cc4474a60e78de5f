/*
 * embed.c - the built-in JSON files, each parsed at its first use. What is kept is never changed nor
 * freed again (the library stays loaded), so it is the same for all instances; when two of them come
 * first at once, one copy is dropped. Without memory nothing is kept.
 */
#include "base/embed.h"

#include <stdatomic.h>
#include <string.h>

#define FILES_MAX 64 /* later ones are parsed at each use */

json_t *embed_json(const char *name)
{
    static _Atomic(json_t *) kept[FILES_MAX];
    json_t *expected = NULL;
    json_t *json;
    size_t i = 0;

    while (embed_files[i].name && strcmp(embed_files[i].name, name) != 0)
        i++;
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
