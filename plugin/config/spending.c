/* spending.c - the settings `confirm` and `limits`, which the schema has checked. */
#include "config/config_private.h"

#include <stdio.h>
#include <string.h>

static void read_confirm(const json_t *confirm, struct config_spending *out)
{
    const json_t *above = json_is_object(confirm) ? json_object_get(confirm, "above") : confirm;
    const char *currency = json_string_value(json_object_get(confirm, "currency"));

    if (!confirm || (json_is_string(confirm) && strcmp(json_string_value(confirm), "never") == 0))
        return;
    out->asks = 1;
    if (json_is_number(above))
        out->above = json_number_value(above);
    if (currency)
        snprintf(out->currency, sizeof(out->currency), "%s", currency);
}

static double limit_of(const json_t *limits, const char *name)
{
    const json_t *limit = json_object_get(limits, name);

    return limit ? json_number_value(limit) : -1;
}

void config_spending(const struct config *config, struct config_spending *ret_spending)
{
    const json_t *limits = config_setting(config, "limits");
    const char *currency = json_string_value(json_object_get(limits, "currency"));
    struct config_spending out = {.above = -1};

    read_confirm(config_setting(config, "confirm"), &out);
    out.day = limit_of(limits, "day");
    out.conversation = limit_of(limits, "conversation");
    if (currency)
        snprintf(out.limits_currency, sizeof(out.limits_currency), "%s", currency);
    *ret_spending = out;
}
