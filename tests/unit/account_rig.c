/* account_rig.c - see account_rig.h. */
#include "account_rig.h"

#include <stdio.h>
#include <string.h>

void account_configure(struct rig *rig)
{
    char text[1200];
    unsigned port = rig->server.port;

    snprintf(text, sizeof(text),
             "{ good: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '" RIG_KEY "' },"
             "  wrong: { baseUrl: 'http://127.0.0.1:%u/v1/', apiKey: 'sk-rig-wrong-0001' },"
             "  none: { baseUrl: 'http://127.0.0.1:%u/none/v1', apiKey: '" RIG_KEY "' },"
             "  page: { baseUrl: 'http://127.0.0.1:%u/page/v1', apiKey: 'short' },"
             "  broken: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '${RIG_NO_SUCH_KEY}' } }",
             port, port, port, port, port);
    rig_configure(rig, text);
}

json_t *ask_account(struct rig *rig, const char *args)
{
    return side_ask(&rig->a, "account", args, NULL, "c");
}

const json_t *account_row(const json_t *json, const char *id)
{
    const json_t *row;
    size_t index;

    json_array_foreach(json_object_get(json, "providers"), index, row)
        if (strcmp(text_at(row, "id"), id) == 0)
            return row;
    fail_msg("no row for %s", id);
    return NULL;
}
