/*
 * tools.c - tools/list: what the plugin says of its tools, as the protocol has it. What differs by
 * revision is left out for clients that would not know it.
 */
#include <stdlib.h>
#include <string.h>

#include "server.h"

static const char preview_words[] =
    "Also return pictures of less than 200 KB inline, as a preview";

static json_t *annotations(const ahp_tool *tool)
{
    json_t *a = json_pack("{s:b, s:b, s:b, s:b}", "readOnlyHint",
                          (tool->flags & AHP_TOOL_READ_ONLY) != 0, "destructiveHint",
                          (tool->flags & AHP_TOOL_DESTRUCTIVE) != 0, "idempotentHint",
                          (tool->flags & AHP_TOOL_IDEMPOTENT) != 0, "openWorldHint",
                          (tool->flags & AHP_TOOL_OPEN_WORLD) != 0);

    if (tool->title != NULL)
        json_object_set_new(a, "title", json_string(tool->title));
    return a;
}

/* Ours beside the plugin's, where results can name files. */
static void add_preview(struct tool *t, json_t *properties)
{
    static const uint32_t makes_files =
        AHP_TOOL_LONG_RUNNING | AHP_TOOL_DELIVERS_LATER | AHP_TOOL_JOBS;

    if ((t->flags & makes_files) == 0 || !json_is_object(properties) ||
        json_object_get(properties, "preview") != NULL)
        return;
    t->takes_preview = 1;
    json_object_set_new(
        properties, "preview",
        json_pack("{s:s, s:s}", "type", "boolean", "description", preview_words));
}

static int load_tool(const struct server *s, const ahp_tool *from, struct tool *t)
{
    json_t *input = json_loads(from->input_schema != NULL ? from->input_schema : "", 0, NULL);
    json_t *properties = json_object_get(input, "properties");
    json_t *wait = json_object_get(properties, "wait_seconds");

    if (!json_is_object(input)) {
        json_decref(input);
        return -1;
    }
    t->flags = from->flags;
    t->takes_wait = json_is_object(wait);
    if (t->takes_wait && s->options->wait_ms > 0)
        json_object_set_new(wait, "default", json_integer(s->options->wait_ms / 1000));
    add_preview(t, properties);
    t->as_listed = json_pack("{s:s, s:s*, s:s, s:o, s:o}", "name", from->name, "title", from->title,
                             "description", from->summary != NULL ? from->summary : "",
                             "inputSchema", input, "annotations", annotations(from));
    if (AHP_HAS(from, output_schema))
        t->output_schema = json_loads(from->output_schema, 0, NULL);
    t->name = json_string_value(json_object_get(t->as_listed, "name"));
    return t->name != NULL ? 0 : -1;
}

void tools_free(struct server *s)
{
    while (s->tools_count > 0) {
        struct tool *t = &s->tools[--s->tools_count];

        json_decref(t->as_listed);
        json_decref(t->output_schema);
    }
    free(s->tools);
    s->tools = NULL;
}

int tools_load(struct server *s)
{
    const ahp_tool *const *list;
    uint32_t count, i;

    tools_free(s);
    if (ahp_uv_tools(s->host, &list, &count) != AHP_OK)
        return -1;
    s->tools = calloc(count > 0 ? count : 1, sizeof(struct tool));
    for (i = 0; s->tools != NULL && i < count; i++) {
        s->tools_count = i + 1;
        if (load_tool(s, list[i], &s->tools[i]) != 0) {
            server_say(s, AHP_LOG_ERROR, "%s: its schema is of no use", list[i]->name);
            return -1;
        }
    }
    return s->tools != NULL ? 0 : -1;
}

const struct tool *tools_find(const struct server *s, const char *name)
{
    size_t i;

    for (i = 0; name != NULL && i < s->tools_count; i++)
        if (strcmp(s->tools[i].name, name) == 0)
            return &s->tools[i];
    return NULL;
}

const struct tool *tools_of_jobs(const struct server *s)
{
    size_t i;

    for (i = 0; i < s->tools_count; i++)
        if (s->tools[i].flags & AHP_TOOL_JOBS)
            return &s->tools[i];
    return NULL;
}

static json_t *listed(const struct request *r, const struct tool *t)
{
    json_t *one = json_copy(t->as_listed);

    if (r->revision < REVISION_2025_03_26)
        json_object_del(one, "annotations");
    if (r->revision < REVISION_2025_06_18)
        json_object_del(one, "title");
    else if (t->output_schema != NULL)
        json_object_set(one, "outputSchema", t->output_schema);
    if (r->revision == REVISION_2025_11_25 && (t->flags & AHP_TOOL_LONG_RUNNING) != 0 &&
        tools_of_jobs(r->server) != NULL)
        json_object_set_new(one, "execution", json_pack("{s:s}", "taskSupport", "optional"));
    return one;
}

void tools_list(struct request *r)
{
    const struct server *s = r->server;
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < s->tools_count; i++)
        json_array_append_new(list, listed(r, &s->tools[i]));
    request_answer_list_take(r, json_pack("{s:o}", "tools", list));
}
