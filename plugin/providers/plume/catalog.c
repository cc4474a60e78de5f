/*
 * catalog.c - manifests/providers/plume.json: the categories of Plume, what people call them, what
 * each takes, costs and how long it lasts. Shared by all who need it, so whatever is built from it
 * is built of copies.
 */
#include "providers/plume/plume.h"

#include "base/embed.h"

#include <string.h>
#include <strings.h>

#define FILE_NAME "providers/plume.json"

json_t *plume_catalog(struct err *err)
{
    json_t *catalog = embed_json(FILE_NAME);

    if (!catalog)
        err_nomem(err); /* that it is there and sound the tests have seen */
    return catalog;
}

const json_t *plume_catalog_category(const json_t *catalog, const char *name)
{
    size_t index;
    json_t *entry;

    json_array_foreach(
        json_object_get(catalog, "models"), index,
        entry) if (strcasecmp(json_text(entry, "name"), name) == 0 ||
                   json_list_has(json_object_get(entry, "aliases"), name)) return entry;
    return NULL;
}

const json_t *plume_catalog_mode(const json_t *entry, const char *name)
{
    size_t index;
    json_t *mode;

    json_array_foreach(json_object_get(entry, "modes"), index,
                       mode) if (strcmp(json_text(mode, "name"), name) == 0) return mode;
    return NULL;
}

static int copy(json_t *to, const char *as, const json_t *from, const char *name)
{
    const json_t *value = json_object_get(from, name);

    return value ? json_object_set_new(to, as, json_whole_copy(value)) : 0;
}

/* {"text_to_image": 10, ...} in credits, or {"5": 40, ...} by seconds; NULL where none is known. */
static json_t *prices(const json_t *entry)
{
    const json_t *by_seconds = json_object_get(entry, "seconds_credits");
    json_t *all = by_seconds ? json_whole_copy(by_seconds) : json_object();
    int failed = !all;
    size_t index;
    json_t *mode;

    json_array_foreach(json_object_get(entry, "modes"), index,
                       mode) if (json_object_get(mode, "credits")) failed |=
        copy(all, json_text(mode, "name"), mode, "credits");
    if (!failed && json_object_size(all))
        failed |= json_object_set_new(all, "currency", json_string("credits"));
    if (!failed)
        return all;
    json_decref(all);
    return NULL;
}

static json_t *describe(const json_t *catalog, const json_t *entry)
{
    static const char *const limits[] = {"resolutions", "ratios", "seconds", "references_max"};
    const json_t *times =
        json_object_get(json_object_get(catalog, "times"), json_text(entry, "kind"));
    json_t *row = json_object();
    json_t *bounds = json_object();
    json_t *modes = json_array();
    json_t *price = prices(entry);
    size_t index;
    json_t *mode;
    int failed = copy(row, "name", entry, "name") | copy(row, "kind", entry, "kind") |
                 copy(row, "aliases", entry, "aliases") | !price;

    failed |= copy(row, "typical_ms", times, "typical_ms");
    failed |= copy(row, "typical_ms", entry, "typical_ms");
    failed |= copy(row, "deadline_ms", times, "deadline_ms");
    failed |= copy(row, "deadline_ms", entry, "deadline_ms");
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        failed |= copy(bounds, limits[i], entry, limits[i]);
    json_array_foreach(json_object_get(entry, "modes"), index, mode) failed |=
        json_array_append_new(modes, json_string(json_text(mode, "name")));
    failed |= json_object_set_new(bounds, "modes", modes);
    failed |= json_object_set_new(row, "limits", bounds);
    if (!failed && json_object_size(price))
        failed |= json_object_set(row, "price", price);
    json_decref(price);
    if (!failed)
        return row;
    json_decref(row);
    return NULL;
}

json_t *plume_catalog_models(const struct provider_account *account)
{
    json_t *catalog = plume_catalog(NULL);
    json_t *rows = json_array();
    int failed = !catalog || !rows;
    size_t index;
    json_t *entry;

    (void)account;
    json_array_foreach(json_object_get(catalog, "models"), index, entry) failed |=
        json_array_append_new(rows, describe(catalog, entry));
    json_decref(catalog);
    if (!failed)
        return rows;
    json_decref(rows);
    return NULL;
}
