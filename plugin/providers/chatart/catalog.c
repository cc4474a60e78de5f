/*
 * catalog.c - manifests/providers/chatart.json: finding a model, and telling of all. The catalogue
 * is shared by all who need it, so whatever is built from it is built of copies.
 */
#include "providers/chatart/chatart.h"

#include "base/embed.h"

#include <string.h>
#include <strings.h>

#define FILE_NAME "providers/chatart.json"

json_t *chatart_catalog(struct err *err)
{
    json_t *catalog = embed_json(FILE_NAME);

    if (!catalog)
        err_nomem(err); /* that it is there and sound the tests have seen */
    return catalog;
}

const json_t *chatart_model(const json_t *catalog, const char *kind, const char *name)
{
    size_t index;
    json_t *entry;

    json_array_foreach(json_object_get(catalog, "models"), index, entry)
        if (strcmp(json_text(entry, "kind"), kind) == 0 &&
            (strcasecmp(json_text(entry, "name"), name) == 0 ||
             json_list_has(json_object_get(entry, "aliases"), name)))
            return entry;
    return NULL;
}

/* What of an entry interests somebody who chooses a model. */
static json_t *describe(const json_t *catalog, const json_t *entry)
{
    static const char *const limits[] = {"ratios",    "resolutions",    "qualities",
                                         "modes",     "references_max", "sound"};
    json_t *row = json_object();
    json_t *bounds = json_object();
    json_t *value;
    int failed = json_object_set_new(row, "name", json_string(json_text(entry, "name"))) |
                 json_object_set_new(row, "kind", json_string(json_text(entry, "kind"))) |
                 json_object_set_new(row, "typical_ms",
                                     json_integer(json_int(entry, "typical_ms", 0)));

    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        if ((value = json_object_get(entry, limits[i])))
            failed |= json_object_set_new(bounds, limits[i], json_whole_copy(value));
    failed |= json_object_set_new(row, "limits", bounds);
    value = json_whole_copy(json_object_get(entry, "prices"));
    failed |= json_object_set_new(value, "currency", json_string(json_text(catalog, "currency")));
    if ((json_object_get(entry, "price_seconds")))
        failed |= json_object_set_new(value, "seconds",
                                      json_integer(json_int(entry, "price_seconds", 0)));
    failed |= json_object_set_new(row, "price", value);
    if (!failed)
        return row;
    json_decref(row);
    return NULL;
}

json_t *chatart_models(const struct provider_account *account)
{
    json_t *catalog = chatart_catalog(NULL);
    json_t *rows = json_array();
    int failed = !catalog || !rows;
    size_t index;
    json_t *entry;

    (void)account;
    json_array_foreach(json_object_get(catalog, "models"), index, entry)
        failed |= json_array_append_new(rows, describe(catalog, entry));
    json_decref(catalog);
    if (!failed)
        return rows;
    json_decref(rows);
    return NULL;
}
