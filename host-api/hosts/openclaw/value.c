/*
 * value.c - between the ABI's structs and JavaScript's values. A value that could not be made is
 * NULL and is left out of its object: Node-API fails here only without memory or while the process
 * ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

napi_value value_text(napi_env env, ahp_text text)
{
    napi_value value = NULL;

    if (text.ptr == NULL)
        (void)napi_get_null(env, &value);
    else
        (void)napi_create_string_utf8(env, text.ptr, text.len, &value);
    return value;
}

napi_value value_string(napi_env env, const char *text)
{
    ahp_text borrowed = {text, text == NULL ? 0 : strlen(text)};

    return value_text(env, borrowed);
}

napi_value value_number(napi_env env, double number)
{
    napi_value value = NULL;

    (void)napi_create_double(env, number, &value);
    return value;
}

void value_put(napi_env env, napi_value object, const char *name, napi_value value)
{
    if (object != NULL && value != NULL)
        (void)napi_set_named_property(env, object, name, value);
}

static napi_value object_new(napi_env env)
{
    napi_value object = NULL;

    (void)napi_create_object(env, &object);
    return object;
}

static napi_value array_new(napi_env env, uint32_t count)
{
    napi_value array = NULL;

    (void)napi_create_array_with_length(env, count, &array);
    return array;
}

napi_value value_files(napi_env env, const ahp_file *const *files, uint32_t count)
{
    napi_value array = array_new(env, count);

    for (uint32_t i = 0; array != NULL && i < count; i++) {
        napi_value one = object_new(env);

        value_put(env, one, "path", value_string(env, files[i]->path));
        value_put(env, one, "name", value_string(env, files[i]->name));
        value_put(env, one, "mime", value_string(env, files[i]->mime));
        value_put(env, one, "handle", value_string(env, files[i]->handle));
        value_put(env, one, "bytes", value_number(env, (double)files[i]->bytes));
        if (one != NULL)
            (void)napi_set_element(env, array, i, one);
    }
    return array;
}

napi_value value_delivery(napi_env env, const ahp_delivery *delivery)
{
    napi_value object = object_new(env);

    value_put(env, object, "key", value_text(env, delivery->key));
    value_put(env, object, "attempt", value_number(env, delivery->attempt));
    value_put(env, object, "kind", value_number(env, delivery->kind));
    value_put(env, object, "replyTo", value_text(env, delivery->reply_to));
    value_put(env, object, "conversation", value_text(env, delivery->conversation));
    value_put(env, object, "jobId", value_text(env, delivery->job_id));
    value_put(env, object, "text", value_text(env, delivery->text));
    value_put(env, object, "files", value_files(env, delivery->files, delivery->files_count));
    return object;
}

napi_value value_result(napi_env env, const ahp_result *result)
{
    napi_value object = object_new(env);

    value_put(env, object, "status", value_number(env, result->status));
    value_put(env, object, "json", value_text(env, result->json));
    value_put(env, object, "jobId", value_text(env, result->job_id));
    value_put(env, object, "files", value_files(env, result->files, result->files_count));
    return object;
}

napi_value value_tools(napi_env env, const ahp_tool *const *tools, uint32_t count)
{
    napi_value array = array_new(env, count);

    for (uint32_t i = 0; array != NULL && i < count; i++) {
        const ahp_tool *tool = tools[i];
        napi_value one = object_new(env);

        value_put(env, one, "name", value_string(env, tool->name));
        value_put(env, one, "title", value_string(env, tool->title));
        value_put(env, one, "summary", value_string(env, tool->summary));
        value_put(env, one, "inputSchema", value_string(env, tool->input_schema));
        value_put(env, one, "flags", value_number(env, tool->flags));
        if (AHP_IN(tool, timeout_ms_default))
            value_put(env, one, "timeoutMs", value_number(env, (double)tool->timeout_ms_default));
        if (one != NULL)
            (void)napi_set_element(env, array, i, one);
    }
    return array;
}

napi_value value_stats(napi_env env, const struct ahp_uv_stats *stats)
{
    const struct {
        const char *name;
        double number;
    } rows[] = {
        {"callbacks", (double)stats->callbacks},
        {"callbacksSlow", (double)stats->callbacks_slow},
        {"nsTotal", (double)stats->ns_total},
        {"nsMax", (double)stats->ns_max},
        {"nsP50", (double)stats->ns_p50},
        {"nsP99", (double)stats->ns_p99},
        {"nsP999", (double)stats->ns_p999},
        {"nsCreate", (double)stats->ns_create},
        {"nsStart", (double)stats->ns_start},
        {"callsAccepted", (double)stats->calls_accepted},
        {"callsRefused", (double)stats->calls_refused},
        {"callsEnded", (double)stats->calls_ended},
        {"offers", (double)stats->offers},
        {"receipts", (double)stats->receipts},
        {"workRun", (double)stats->work_run},
        {"watchesPeak", stats->watches_peak},
        {"timersPeak", stats->timers_peak},
    };
    napi_value object = object_new(env);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        value_put(env, object, rows[i].name, value_number(env, rows[i].number));
    value_put(env, object, "kindMax", value_string(env, ahp_uv_kind_name(stats->kind_max)));
    return object;
}

napi_value value_end(napi_env env, const struct ahp_uv_end *end)
{
    napi_value object = object_new(env);

    value_put(env, object, "stopLate", value_number(env, end->stop_late));
    value_put(env, object, "callsOpen", value_number(env, end->calls_open));
    value_put(env, object, "watchesLive", value_number(env, end->watches_live));
    value_put(env, object, "timersLive", value_number(env, end->timers_live));
    value_put(env, object, "deferredLive", value_number(env, end->deferred_live));
    value_put(env, object, "stats", value_stats(env, &end->stats));
    return object;
}

/* ---- from JavaScript ---- */

static bool wrong_type(napi_env env, const char *name, napi_valuetype want)
{
    static const struct {
        napi_valuetype type;
        const char *word;
    } words[] = {{napi_string, "string"},
                 {napi_number, "number"},
                 {napi_boolean, "boolean"},
                 {napi_function, "function"},
                 {napi_object, "object"}};
    const char *word = "value";
    char text[128];

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].type == want)
            word = words[i].word;
    (void)snprintf(text, sizeof(text), "%s must be a %s", name, word);
    (void)napi_throw_type_error(env, "AHP_E_INVALID", text);
    return false;
}

/* 1: there is a value of that type; 0: none; -1: an exception is pending. */
static int member(napi_env env, napi_value object, const char *name, napi_valuetype want,
                  napi_value *ret_value)
{
    napi_valuetype type;

    if (napi_get_named_property(env, object, name, ret_value) != napi_ok ||
        napi_typeof(env, *ret_value, &type) != napi_ok) {
        (void)wrong_type(env, "the argument", napi_object);
        return -1;
    }
    if (type == napi_undefined || type == napi_null)
        return 0;
    if (type == want)
        return 1;
    (void)wrong_type(env, name, want);
    return -1;
}

bool get_text(napi_env env, napi_value object, const char *name, char **ret_text_take,
              size_t *ret_len)
{
    napi_value value;
    size_t bytes = 0;
    char *text;
    int there = member(env, object, name, napi_string, &value);

    if (there <= 0)
        return there == 0;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &bytes) != napi_ok)
        return wrong_type(env, name, napi_string);
    if (bytes > AHP_NODE_TEXT_BYTES_MAX) {
        throw_code(env, AHP_E_INVALID, "a text is too long");
        return false;
    }
    text = malloc(bytes + 1);
    if (text == NULL) {
        throw_code(env, AHP_E_NOMEM, "no memory");
        return false;
    }
    (void)napi_get_value_string_utf8(env, value, text, bytes + 1, &bytes);
    *ret_text_take = text;
    if (ret_len != NULL)
        *ret_len = bytes;
    return true;
}

bool get_int(napi_env env, napi_value object, const char *name, int64_t *ret_number)
{
    napi_value value;
    int there = member(env, object, name, napi_number, &value);

    if (there > 0 && napi_get_value_int64(env, value, ret_number) != napi_ok)
        return wrong_type(env, name, napi_number);
    return there >= 0;
}

bool get_bool(napi_env env, napi_value object, const char *name, bool *ret_is)
{
    napi_value value;
    int there = member(env, object, name, napi_boolean, &value);

    if (there > 0 && napi_get_value_bool(env, value, ret_is) != napi_ok)
        return wrong_type(env, name, napi_boolean);
    return there >= 0;
}

bool get_function(napi_env env, napi_value object, const char *name, napi_ref *ret_function)
{
    napi_value value;
    int there = member(env, object, name, napi_function, &value);

    if (there > 0 && napi_create_reference(env, value, 1, ret_function) != napi_ok)
        return wrong_type(env, name, napi_function);
    return there >= 0;
}

void throw_code(napi_env env, int32_t code, const char *text)
{
    static const char *const names[] = {
        "AHP_OK",          "AHP_E_FAILED", "AHP_E_NOMEM",       "AHP_E_INVALID",
        "AHP_E_STATE",     "AHP_E_EXISTS", "AHP_E_NOT_FOUND",   "AHP_E_LIMIT",
        "AHP_E_STALE",     "AHP_E_UNSUPPORTED", "AHP_E_DEAD",   "AHP_E_VERSION",
    };
    int32_t count = (int32_t)(sizeof(names) / sizeof(names[0]));
    const char *name = code <= 0 && code > -count ? names[-code] : names[1];

    (void)napi_throw_error(env, name, text != NULL && text[0] != '\0' ? text : name);
}
