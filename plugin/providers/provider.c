/* provider.c - which adapters there are, and the end of a plan. */
#include "providers/provider.h"

static const struct provider *const providers[] = {
    &provider_openai,
    &provider_chatart,
    &provider_plume,
    &provider_libtv,
};

const struct provider *provider_at(size_t index)
{
    return index < sizeof(providers) / sizeof(*providers) ? providers[index] : NULL;
}

void provider_plan_done(struct provider_plan *plan)
{
    if (!plan)
        return;
    json_decref(plan->request);
    json_decref(plan->changed);
    json_decref(plan->uploads);
    json_decref(plan->words);
    plan->request = NULL;
    plan->changed = NULL;
    plan->uploads = NULL;
    plan->words = NULL;
}

int provider_note(json_t *changed, const json_t *args, const char *field, json_t *used_take,
                  const char *why)
{
    json_t *asked = json_object_get(args, field);
    json_t *row = json_object();
    int failed = json_object_set_new(row, "field", json_string(field)) |
                 json_object_set(row, "asked", asked ? asked : json_null()) |
                 json_object_set_new(row, "used", used_take) |
                 json_object_set_new(row, "why", json_string(why));

    return json_array_append_new(changed, row) || failed ? -1 : 0;
}
