/*
 * cmd_tools.c - "tools": what the plugin offers, as a table or with --json in full.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "app.h"
#include "table.h"

static const struct {
    uint32_t flag;
    const char *word;
} flags[] = {
    {AHP_TOOL_READ_ONLY, "read_only"},       {AHP_TOOL_IDEMPOTENT, "idempotent"},
    {AHP_TOOL_LONG_RUNNING, "long_running"}, {AHP_TOOL_DELIVERS_LATER, "delivers_later"},
    {AHP_TOOL_OPEN_WORLD, "open_world"},     {AHP_TOOL_DESTRUCTIVE, "destructive"},
    {AHP_TOOL_JOBS, "jobs"},
};

static json_t *flags_json(uint32_t bits)
{
    json_t *array = json_array();
    size_t i;

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (bits & flags[i].flag)
            json_array_append_new(array, json_string(flags[i].word));
    return array;
}

/* A schema as JSON; what does not parse is shown as text, since showing it is what is asked for. */
static json_t *schema_json(const char *text)
{
    json_t *schema = json_loads(text, 0, NULL);

    return schema != NULL ? schema : json_string(text);
}

static json_t *tool_json(const ahp_tool *tool)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", tool->name, "title", tool->title,
                          "summary", tool->summary, "flags", flags_json(tool->flags),
                          "input_schema", schema_json(tool->input_schema));

    if (o != NULL && tool->output_schema != NULL)
        json_object_set_new(o, "output_schema", schema_json(tool->output_schema));
    if (o != NULL && tool->timeout_ms_default > 0)
        json_object_set_new(o, "timeout_ms_default", json_integer(tool->timeout_ms_default));
    return o;
}

static void print_json(const ahp_tool *const *tools, uint32_t count)
{
    json_t *array = json_array();
    char *text;
    uint32_t i;

    for (i = 0; i < count; i++)
        json_array_append_new(array, tool_json(tools[i]));
    text = json_dumps(array, JSON_INDENT(2));
    if (text != NULL)
        puts(text);
    free(text);
    json_decref(array);
}

/* The first sentence is what fits on a line. */
static void first_sentence(const char *summary, char *ret_text, size_t size)
{
    size_t len = strcspn(summary, "\n");
    const char *stop = strstr(summary, ". ");

    if (stop != NULL && (size_t)(stop - summary) < len)
        len = (size_t)(stop - summary) + 1;
    snprintf(ret_text, size, "%.*s", (int)len, summary);
}

static void print_table(const ahp_tool *const *tools, uint32_t count)
{
    const char *head[] = {"TOOL", "DOES"};
    struct table *t = table_new(2, -1);
    uint32_t i;

    if (t == NULL)
        return;
    table_add(t, head);
    for (i = 0; i < count; i++) {
        char summary[512];
        const char *row[2];

        first_sentence(tools[i]->summary, summary, sizeof(summary));
        row[0] = tools[i]->name;
        row[1] = summary;
        table_add(t, row);
    }
    table_print(t, stdout, table_width(stdout));
    table_free(t);
}

static int tools_begin(struct app *app)
{
    const ahp_tool *const *tools;
    uint32_t count;

    if (ahp_uv_tools(app->host, &tools, &count) < 0) {
        app_fail(app, "the plugin does not tell its tools");
        return CLI_EXIT_HOST + 1;
    }
    if (app->options->json)
        print_json(tools, count);
    else
        print_table(tools, count);
    if (fflush(stdout) != 0) {
        app_fail(app, "standard output: %s", strerror(errno));
        return CLI_EXIT_HOST + 1;
    }
    return CLI_EXIT_DONE + 1;
}

const struct command_ops command_tools = {
    .begin = tools_begin,
};
