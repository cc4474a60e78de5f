/*
 * shim_tools.c - the tool list: its shape, and that it stays as it is until rescan.
 */
#include <string.h>

#include "shim.h"

#define TOOL_NAME_BYTES_MAX 64u
#define FNV_START 14695981039346656037u
#define FNV_PRIME 1099511628211u

static int name_is_valid(const char *name)
{
    size_t len = name == NULL ? 0 : strnlen(name, TOOL_NAME_BYTES_MAX + 1);

    return len >= 1 && len <= TOOL_NAME_BYTES_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

/* FNV-1a: tells whether texts changed, not more. */
static uint64_t hash_string(uint64_t hash, const char *string)
{
    if (string == NULL)
        return hash * FNV_PRIME;
    for (; *string != '\0'; string++)
        hash = (hash ^ (unsigned char)*string) * FNV_PRIME;
    return (hash ^ 0xffu) * FNV_PRIME;
}

static int tool_is_sound(const struct shim_subject *about, const ahp_tool *const *tools,
                         uint32_t at)
{
    const struct shim *shim = about->shim;
    const ahp_tool *tool = tools[at];
    ahp_text schema;

    if (tool == NULL) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_TOOL, "tools: number %u is NULL", (unsigned)at);
        return 0;
    }
    if (!shim_check_size(about, "ahp_tool", tool->size, SIZE_1_0(ahp_tool, timeout_ms_default)))
        return 0;
    if (!name_is_valid(tool->name)) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_TOOL, "tools: the name of number %u", (unsigned)at);
        return 0;
    }
    for (uint32_t i = 0; i < at; i++) {
        if (strcmp(tools[i]->name, tool->name) == 0)
            shim_accuse(shim, AHP_SHIM_PLUGIN_TOOL, "tools: there are two \"%s\"", tool->name);
    }
    if (tool->title == NULL || tool->summary == NULL || tool->input_schema == NULL) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_TOOL, "tools: \"%s\" lacks title, summary or schema",
                    tool->name);
        return 0;
    }
    schema.ptr = tool->input_schema;
    schema.len = strlen(tool->input_schema);
    if (!shim_check_object(about, "input_schema", &schema, SHIM_TEXT_BYTES_MAX))
        return 0;
    shim_check_argument(about, tool->timeout_ms_default >= 0, "timeout_ms_default is negative");
    return 1;
}

static uint64_t tools_hash(const ahp_tool *const *tools, uint32_t count)
{
    uint64_t hash = FNV_START ^ count;

    for (uint32_t i = 0; i < count; i++) {
        hash = hash_string(hash ^ tools[i]->flags, tools[i]->name);
        hash = hash_string(hash, tools[i]->title);
        hash = hash_string(hash, tools[i]->summary);
        hash = hash_string(hash, tools[i]->input_schema);
        hash = hash_string(hash, tools[i]->output_schema);
    }
    return hash;
}

/* A list that is not sound is not passed on. */
static int32_t tools_judge(struct shim *shim, const ahp_tool *const *tools, uint32_t count)
{
    struct shim_subject about = {shim, AHP_FN_TOOLS, AHP_SIDE_PLUGIN};
    uint64_t hash;

    if (count > SHIM_TOOLS_MAX || (tools == NULL && count > 0)) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_TOOL, "tools: a list of %u", (unsigned)count);
        return AHP_E_FAILED;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!tool_is_sound(&about, tools, i))
            return AHP_E_FAILED;
    }
    hash = tools_hash(tools, count);
    if (shim->tools_known && (shim->tools != tools || shim->tools_hash != hash))
        shim_accuse(shim, AHP_SHIM_PLUGIN_TOOLS_CHANGED, "tools: another list, without rescan");
    shim->tools = tools;
    shim->tools_hash = hash;
    shim->tools_known = 1;
    return AHP_OK;
}

int32_t shim_inst_tools(void *self, const ahp_tool *const **ret_tools, uint32_t *ret_count)
{
    static const ahp_tool *const untouched[1] = {NULL};
    struct shim *shim = self;
    const ahp_tool *const *tools = untouched;
    uint32_t count = UINT32_MAX;
    int32_t rc;

    if (ret_tools == NULL || ret_count == NULL) {
        shim_accuse(shim, AHP_SHIM_HOST_ARGUMENT, "tools: ret_tools or ret_count is NULL");
        return AHP_E_INVALID;
    }
    rc = shim_enter(shim, AHP_FN_TOOLS);
    if (rc != AHP_OK)
        return rc;
    rc = shim->inst->tools(shim->inst->self, &tools, &count);
    shim_leave(shim);
    rc = shim_result(shim, AHP_FN_TOOLS, rc);
    if (rc != AHP_OK && (tools != untouched || count != UINT32_MAX))
        shim_accuse(shim, AHP_SHIM_PLUGIN_OUTPUT_TOUCHED, "tools: failed, but wrote its outputs");
    if (rc == AHP_OK && (tools == untouched || count == UINT32_MAX)) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_OUTPUT_MISSING, "tools: success without the list");
        rc = AHP_E_FAILED;
    }
    if (rc == AHP_OK)
        rc = tools_judge(shim, tools, count);
    if (rc != AHP_OK)
        return rc;
    *ret_tools = tools;
    *ret_count = count;
    return AHP_OK;
}
