/*
 * catalog.c - manifests/providers/openai.json: which models there are, and how each kind of relay
 * wants to be spoken to. Shared by all who need it, so whatever is built from it is built of
 * copies.
 *
 * The wire of a job is merged from: family or image defaults, the host's own ways, the user's
 * `dialect`. Later ones win, field by field.
 */
#include "providers/openai/openai.h"

#include "base/embed.h"

#include <string.h>
#include <strings.h>

#define FILE_NAME "providers/openai.json"

json_t *openai_catalog(struct err *err)
{
    json_t *catalog = embed_json(FILE_NAME);

    if (!catalog)
        err_nomem(err); /* that it is there and sound the tests have seen */
    return catalog;
}

/* "gpt-image-2-2026-04-21" is gpt-image-2 of that day. */
static int is_dated(const char *name, const char *known)
{
    size_t len = strlen(known);

    if (strncasecmp(name, known, len) != 0 || name[len] != '-')
        return 0;
    name += len + 1;
    return strlen(name) == 10 && strspn(name, "0123456789-") == 10 && name[4] == '-';
}

const json_t *openai_catalog_model(const json_t *catalog, const char *name, const char *kind)
{
    const char *slash = strrchr(name, '/');
    const json_t *any = NULL;
    size_t index;
    json_t *entry;

    if (slash)
        name = slash + 1;
    json_array_foreach(json_object_get(catalog, "models"), index, entry) {
        const char *known = json_text(entry, "name");

        if (strcmp(json_text(entry, "kind"), kind) != 0)
            continue;
        if (strcmp(known, "*") == 0)
            any = entry;
        else if (strcasecmp(known, name) == 0 || is_dated(name, known) ||
                 json_list_has(json_object_get(entry, "aliases"), name))
            return entry;
    }
    return any;
}

const char *openai_catalog_kind(const json_t *catalog, const char *model)
{
    const json_t *hints = json_object_get(catalog, "name_hints");
    const char *slash = strrchr(model, '/');
    size_t index;
    json_t *entry;

    json_array_foreach(json_object_get(catalog, "models"), index, entry)
        if (strcasecmp(json_text(entry, "name"), slash ? slash + 1 : model) == 0)
            return strcmp(json_text(entry, "kind"), "video") == 0 ? "video" : "image";
    if (json_list_within(json_object_get(hints, "video"), model))
        return "video";
    if (json_list_within(json_object_get(hints, "image"), model))
        return "image";
    return NULL;
}

const char *openai_account_model(const json_t *row)
{
    const char *name = json_string_value(row);

    if (!name)
        name = json_text(row, "id");
    if (!*name)
        name = json_text(row, "name");
    return *name ? name : NULL;
}

json_t *openai_catalog_wire(const json_t *catalog, const struct provider_account *account,
                            const json_t *entry, const char *kind)
{
    const json_t *families = json_object_get(catalog, "families");
    const json_t *dialect = json_object_get(account->settings, "dialect");
    const json_t *own = NULL;
    const json_t *start;
    const char *family = json_text(account->settings, "video_family");
    const char *host;
    json_t *value;
    json_t *wire;

    json_object_foreach(json_object_get(catalog, "hosts"), host, value)
        if (openai_url_host_is(account->base_url, host))
            own = value;
    if (!*family)
        family = json_text(own, "video_family");
    if (!*family)
        family = json_text(entry, "family");
    if (!*family)
        family = "A";
    if (strcmp(kind, "image") == 0) {
        start = json_object_get(catalog, "image_wire");
        own = json_object_get(own, "image_wire");
    } else {
        start = json_object_get(families, family);
        if (!start)
            start = json_object_get(families, "A");
        own = json_object_get(own, "video_wire");
    }
    wire = json_whole_copy(start);
    if (!wire || (json_is_object(own) && json_object_update(wire, (json_t *)own)) ||
        (json_is_object(dialect) && json_object_update(wire, (json_t *)dialect))) {
        json_decref(wire);
        return NULL;
    }
    return wire;
}

/* What of an entry interests somebody who chooses a model. */
static json_t *describe(const json_t *catalog, const json_t *entry, const char *name,
                        const char *kind, int configured)
{
    static const char *const copied[] = {"typical_ms", "retention_ms", "price", "ends"};
    static const char *const limits[] = {"sizes",   "seconds",     "qualities",      "backgrounds",
                                         "formats", "n_max",       "references_max", "size_rule",
                                         "styles",  "prompt_chars"};
    json_t *times = json_object_get(json_object_get(catalog, "times"), kind);
    json_t *row = json_object();
    json_t *bounds = json_object();
    json_t *value;
    int failed = json_object_set_new(row, "name", json_string(name)) |
                 json_object_set_new(row, "kind", json_string(kind)) |
                 json_object_set_new(row, "configured", json_boolean(configured));

    value = json_object_get(times, "typical_ms");
    if (value)
        failed |= json_object_set(row, "typical_ms", value);
    for (size_t i = 0; i < sizeof(copied) / sizeof(*copied); i++)
        if ((value = json_object_get(entry, copied[i])))
            failed |= json_object_set_new(row, copied[i], json_whole_copy(value));
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        if ((value = json_object_get(entry, limits[i])))
            failed |= json_object_set_new(bounds, limits[i], json_whole_copy(value));
    failed |= json_object_set_new(row, "limits", bounds);
    if (!failed)
        return row;
    json_decref(row);
    return NULL;
}

static int listed(const json_t *rows, const char *name)
{
    size_t index;
    json_t *row;

    json_array_foreach((json_t *)rows, index, row)
        if (strcasecmp(json_text(row, "name"), name) == 0)
            return 1;
    return 0;
}

json_t *openai_catalog_models(const struct provider_account *account)
{
    json_t *catalog = openai_catalog(NULL);
    json_t *rows = json_array();
    int failed = !catalog || !rows;
    const char *name;
    const char *kind;
    size_t index;
    json_t *row;

    json_array_foreach((json_t *)account->models, index, row) {
        name = openai_account_model(row);
        kind = name ? openai_catalog_kind(catalog, name) : NULL;
        if (kind && !listed(rows, name))
            failed |= json_array_append_new(
                rows, describe(catalog, openai_catalog_model(catalog, name, kind), name, kind, 1));
    }
    json_array_foreach(json_object_get(catalog, "models"), index, row) {
        name = json_text(row, "name");
        if (strcmp(name, "*") != 0 && !listed(rows, name))
            failed |= json_array_append_new(
                rows, describe(catalog, row, name, json_text(row, "kind"), 0));
    }
    json_decref(catalog);
    if (!failed)
        return rows;
    json_decref(rows);
    return NULL;
}
