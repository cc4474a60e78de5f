/* catalog.c - manifests/providers/libtv.json: what each door is like, what can be asked for. */
#include "providers/libtv/libtv.h"

#include "base/embed.h"

#include <string.h>

json_t *libtv_catalog(struct err *err)
{
    json_t *catalog = embed_json("providers/libtv.json");

    if (!catalog)
        err_nomem(err); /* that it is there and sound the tests have seen */
    return catalog;
}

const json_t *libtv_own(const json_t *catalog)
{
    return json_object_get(catalog, "libtv");
}

const json_t *libtv_backend(const json_t *catalog, const struct provider_account *account)
{
    return json_object_get(json_object_get(libtv_own(catalog), "backends"), account->id);
}

int libtv_can(const struct provider_account *account, const char *what)
{
    json_t *catalog = libtv_catalog(NULL);
    int can = json_list_has(json_object_get(libtv_own(catalog), "can"), what);

    (void)account;
    json_decref(catalog);
    return can;
}

json_t *libtv_models(const struct provider_account *account)
{
    json_t *catalog = libtv_catalog(NULL);
    const json_t *price =
        json_object_get(catalog ? libtv_backend(catalog, account) : NULL, "price");
    json_t *rows = json_array();
    int failed = !catalog || !rows;
    const json_t *entry;
    size_t index;

    json_array_foreach(json_object_get(catalog, "models"), index, entry) {
        json_t *row = json_pack("{s:s, s:s, s:b, s:O, s:{s:O, s:O}}", "name",
                                json_text(entry, "name"), "kind", json_text(entry, "kind"),
                                "configured", 1, "typical_ms", json_object_get(entry, "typical_ms"),
                                "limits", "references_max",
                                json_object_get(entry, "references_max"), "reference_bytes_max",
                                json_object_get(entry, "reference_bytes_max"));

        if (price)
            failed |= json_object_set_new(row, "price", json_whole_copy(price));
        failed |= json_array_append_new(rows, row);
    }
    json_decref(catalog);
    if (!failed)
        return rows;
    json_decref(rows);
    return NULL;
}
