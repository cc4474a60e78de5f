/*
 * addon.c - the Node-API surface: any plugin of the agent host ABI in a Node process.
 *
 *   open({plugin, name, version, config, delivers, dropsRepeats, repeatWindowMs, fileBytesMax,
 * check, debug, onDelivery(delivery), onLog(level, item, text)}) -> host, or throws host.tools() ->
 * [{name, title, summary, inputSchema, flags, timeoutMs}] host.call({tool, args, replyTo,
 * conversation, caller, locale, dedupKey, workspace, outputDir, flags, deadlineMs}, onEnd({status,
 * json, jobId, files}), onProgress(permille, text)) -> id, or throws host.cancel(id) -> whether the
 * call was open host.receipt({key, outcome, delayMs, hostRef, error}) host.unfinished() -> a count;
 * -1: not known (yet) host.stats() -> figures host.stop(timeoutMs, onStopped(end))
 *
 * Texts are strings, numbers are the ABI's, deadlineMs counts from now. Callbacks come from the
 * loop's top level, never before the function that they were given to has returned, in the async
 * context that open() was called in. A host does not keep the process alive; an open call and stop
 * do. There is no environment clean-up hook: a second one for the same image would end the process.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define ARGS_MAX 3u

/* Tells our objects from others. */
static const napi_type_tag host_tag = {0x6f1de3a2b94c4d07u, 0x9a35c1e87b2046fdu};

struct open_call {
    struct host *h;
    napi_ref on_end;
    napi_ref on_progress; /* may be NULL */
};

static void on_finalize(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    host_unwrapped(data);
}

/* The host of a method's `this`, or NULL with an exception. Missing arguments are undefined. */
static struct host *host_of(napi_env env, napi_callback_info info, napi_value *argv)
{
    size_t argc = ARGS_MAX;
    napi_value self = NULL;
    void *data = NULL;
    bool is_ours = false;

    if (napi_get_cb_info(env, info, &argc, argv, &self, NULL) != napi_ok ||
        napi_check_object_type_tag(env, self, &host_tag, &is_ours) != napi_ok || !is_ours ||
        napi_unwrap(env, self, &data) != napi_ok) {
        (void)napi_throw_type_error(env, "AHP_E_INVALID", "not called on a host");
        return NULL;
    }
    return data;
}

/* The same, for what needs the instance. */
static struct host *live_host_of(napi_env env, napi_callback_info info, napi_value *argv)
{
    struct host *h = host_of(env, info, argv);

    if (h != NULL && h->uv == NULL) {
        throw_code(env, AHP_E_STATE, "the host has been stopped");
        return NULL;
    }
    return h;
}

static napi_value on_tools(napi_env env, napi_callback_info info)
{
    napi_value argv[ARGS_MAX];
    struct host *h = live_host_of(env, info, argv);
    const ahp_tool *const *tools = NULL;
    uint32_t count = 0;
    int32_t rc;

    if (h == NULL)
        return NULL;
    rc = ahp_uv_tools(h->uv, &tools, &count);
    if (rc != AHP_OK) {
        throw_code(env, rc, "the plugin names no tools");
        return NULL;
    }
    return value_tools(env, tools, count);
}

/* ---- calls ---- */

static void open_call_free(struct open_call *call)
{
    if (call == NULL)
        return;
    if (call->h->env != NULL && call->on_end != NULL)
        (void)napi_delete_reference(call->h->env, call->on_end);
    if (call->h->env != NULL && call->on_progress != NULL)
        (void)napi_delete_reference(call->h->env, call->on_progress);
    free(call);
}

static void on_result(void *ud, uint64_t call_id, const ahp_result *result)
{
    struct open_call *call = ud;
    struct host *h = call->h;
    napi_handle_scope scope;

    (void)call_id;
    host_call_ends(h);
    if (h->env != NULL && napi_open_handle_scope(h->env, &scope) == napi_ok) {
        napi_value argv[] = {value_result(h->env, result)};

        host_enter(h, call->on_end, 1, argv);
        open_call_free(call);
        (void)napi_close_handle_scope(h->env, scope);
    } else {
        open_call_free(call);
    }
}

static void on_progress(void *ud, uint64_t call_id, int32_t permille, const char *text)
{
    struct open_call *call = ud;
    struct host *h = call->h;
    napi_handle_scope scope;

    (void)call_id;
    if (h->env == NULL || napi_open_handle_scope(h->env, &scope) != napi_ok)
        return;
    {
        napi_value argv[] = {value_number(h->env, permille), value_string(h->env, text)};

        host_enter(h, call->on_progress, 2, argv);
    }
    (void)napi_close_handle_scope(h->env, scope);
}

/* The function at argv[index]; absent is fine when it `may_miss`. */
static bool take_function(napi_env env, napi_value value, bool may_miss, napi_ref *ret_function)
{
    napi_valuetype type = napi_undefined;

    (void)napi_typeof(env, value, &type);
    if (may_miss && (type == napi_undefined || type == napi_null))
        return true;
    if (type == napi_function && napi_create_reference(env, value, 1, ret_function) == napi_ok)
        return true;
    (void)napi_throw_type_error(env, "AHP_E_INVALID", "a callback must be a function");
    return false;
}

struct call_texts {
    char *tool, *args, *reply_to, *conversation, *caller, *locale, *dedup_key;
    char *workspace, *output_dir;
};

static void call_texts_free(struct call_texts *texts)
{
    free(texts->tool);
    free(texts->args);
    free(texts->reply_to);
    free(texts->conversation);
    free(texts->caller);
    free(texts->locale);
    free(texts->dedup_key);
    free(texts->workspace);
    free(texts->output_dir);
}

static bool read_text(napi_env env, napi_value object, const char *name, char **ret_take,
                      ahp_text *ret_text)
{
    size_t len = 0;

    if (!get_text(env, object, name, ret_take, &len))
        return false;
    ret_text->ptr = *ret_take;
    ret_text->len = len;
    return true;
}

static bool read_call(napi_env env, struct host *h, napi_value request, struct call_texts *texts,
                      ahp_call *call)
{
    int64_t flags = 0, deadline_ms = 0;

    if (!read_text(env, request, "tool", &texts->tool, &call->tool) ||
        !read_text(env, request, "args", &texts->args, &call->args) ||
        !read_text(env, request, "replyTo", &texts->reply_to, &call->reply_to) ||
        !read_text(env, request, "conversation", &texts->conversation, &call->conversation) ||
        !read_text(env, request, "caller", &texts->caller, &call->caller) ||
        !read_text(env, request, "locale", &texts->locale, &call->locale) ||
        !read_text(env, request, "dedupKey", &texts->dedup_key, &call->dedup_key) ||
        !read_text(env, request, "workspace", &texts->workspace, &call->workspace) ||
        !read_text(env, request, "outputDir", &texts->output_dir, &call->output_dir) ||
        !get_int(env, request, "flags", &flags) ||
        !get_int(env, request, "deadlineMs", &deadline_ms))
        return false;
    call->flags = (uint32_t)flags;
    call->deadline_ms = deadline_ms > 0 ? ahp_uv_now_ms(h->uv) + deadline_ms : 0;
    return true;
}

static napi_value on_call(napi_env env, napi_callback_info info)
{
    napi_value argv[ARGS_MAX], id_value = NULL;
    struct host *h = live_host_of(env, info, argv);
    struct call_texts texts = {0};
    struct open_call *open = NULL;
    ahp_call call = {.size = sizeof(call)};
    uint64_t id = 0;
    int32_t rc;

    if (h == NULL || !read_call(env, h, argv[0], &texts, &call))
        goto out;
    open = calloc(1, sizeof(*open));
    if (open == NULL) {
        throw_code(env, AHP_E_NOMEM, "no memory");
        goto out;
    }
    open->h = h;
    if (!take_function(env, argv[1], false, &open->on_end) ||
        !take_function(env, argv[2], true, &open->on_progress))
        goto out;
    rc = ahp_uv_call(h->uv, &call, &id, on_result, open->on_progress != NULL ? on_progress : NULL,
                     open);
    if (rc != AHP_OK) {
        throw_code(env, rc, rc == AHP_E_NOT_FOUND ? "the plugin has no such tool"
                                                  : "the plugin did not take the call");
        goto out;
    }
    host_call_begins(h);
    open = NULL;
    (void)napi_create_bigint_uint64(env, id, &id_value);
out:
    open_call_free(open);
    call_texts_free(&texts);
    return id_value;
}

static napi_value on_cancel(napi_env env, napi_callback_info info)
{
    napi_value argv[ARGS_MAX], was_open = NULL;
    struct host *h = host_of(env, info, argv);
    bool lossless = false;
    uint64_t id = 0;

    if (h == NULL)
        return NULL;
    if (napi_get_value_bigint_uint64(env, argv[0], &id, &lossless) != napi_ok) {
        throw_code(env, AHP_E_INVALID, "a call's id is what call() returned");
        return NULL;
    }
    (void)napi_get_boolean(env, h->uv != NULL && ahp_uv_cancel(h->uv, id) == AHP_OK, &was_open);
    return was_open;
}

/* ---- deliveries ---- */

static napi_value on_receipt(napi_env env, napi_callback_info info)
{
    napi_value argv[ARGS_MAX];
    struct host *h = live_host_of(env, info, argv);
    char *key = NULL, *host_ref = NULL, *error = NULL;
    ahp_receipt receipt = {.size = sizeof(receipt)};
    int64_t outcome = AHP_RECEIPT_UNKNOWN;
    int32_t rc;

    if (h == NULL || !read_text(env, argv[0], "key", &key, &receipt.key) ||
        !read_text(env, argv[0], "hostRef", &host_ref, &receipt.host_ref) ||
        !read_text(env, argv[0], "error", &error, &receipt.error) ||
        !get_int(env, argv[0], "outcome", &outcome) ||
        !get_int(env, argv[0], "delayMs", &receipt.delay_ms))
        goto out;
    if (key == NULL || outcome < AHP_RECEIPT_DELIVERED || outcome > AHP_RECEIPT_LOST) {
        throw_code(env, AHP_E_INVALID, "a receipt needs a key and a known outcome");
        goto out;
    }
    receipt.outcome = (int32_t)outcome;
    rc = ahp_uv_receipt(h->uv, &receipt);
    if (rc != AHP_OK)
        throw_code(env, rc, "the receipt was not taken");
out:
    free(key);
    free(host_ref);
    free(error);
    return NULL;
}

/* ---- the rest ---- */

static napi_value on_unfinished(napi_env env, napi_callback_info info)
{
    napi_value argv[ARGS_MAX];
    struct host *h = live_host_of(env, info, argv);
    int64_t count;

    if (h == NULL)
        return NULL;
    count = ahp_uv_unfinished(h->uv);
    return value_number(env, count < 0 ? -1.0 : (double)count);
}

static napi_value on_stats(napi_env env, napi_callback_info info)
{
    napi_value argv[ARGS_MAX];
    struct host *h = host_of(env, info, argv);
    struct ahp_uv_stats stats;

    if (h == NULL)
        return NULL;
    if (h->uv == NULL)
        return value_stats(env, &h->end.stats);
    ahp_uv_stats_get(h->uv, &stats);
    return value_stats(env, &stats);
}

static napi_value on_stop(napi_env env, napi_callback_info info)
{
    napi_value argv[ARGS_MAX];
    struct host *h = live_host_of(env, info, argv);
    int64_t timeout_ms = 0;

    if (h == NULL)
        return NULL;
    if (h->on_stopped != NULL) {
        throw_code(env, AHP_E_STATE, "the host is being stopped already");
        return NULL;
    }
    if (napi_get_value_int64(env, argv[0], &timeout_ms) != napi_ok || timeout_ms < 0) {
        throw_code(env, AHP_E_INVALID, "stop needs a time in milliseconds");
        return NULL;
    }
    if (take_function(env, argv[1], false, &h->on_stopped))
        (void)host_stop(h, timeout_ms);
    return NULL;
}

struct open_texts {
    char *plugin, *name, *version, *config;
};

static bool read_options(napi_env env, napi_value object, struct open_texts *texts,
                         struct host_options *options)
{
    size_t len = 0;

    if (!get_text(env, object, "plugin", &texts->plugin, NULL) ||
        !get_text(env, object, "name", &texts->name, NULL) ||
        !get_text(env, object, "version", &texts->version, NULL) ||
        !get_text(env, object, "config", &texts->config, &len) ||
        !get_int(env, object, "repeatWindowMs", &options->repeat_window_ms) ||
        !get_int(env, object, "fileBytesMax", &options->file_bytes_max) ||
        !get_bool(env, object, "delivers", &options->delivers) ||
        !get_bool(env, object, "dropsRepeats", &options->drops_repeats) ||
        !get_bool(env, object, "check", &options->check) ||
        !get_bool(env, object, "debug", &options->debug))
        return false;
    if (texts->plugin == NULL || texts->name == NULL) {
        throw_code(env, AHP_E_INVALID, "open needs plugin and name");
        return false;
    }
    options->plugin = texts->plugin;
    options->name = texts->name;
    options->version = texts->version != NULL ? texts->version : "";
    options->config.ptr = texts->config;
    options->config.len = len;
    return true;
}

static void open_texts_free(struct open_texts *texts)
{
    free(texts->plugin);
    free(texts->name);
    free(texts->version);
    free(texts->config);
}

/* An object around nothing yet. */
static napi_value host_object(napi_env env)
{
    static const napi_property_descriptor methods[] = {
        {"tools", NULL, on_tools, NULL, NULL, NULL, napi_default_method, NULL},
        {"call", NULL, on_call, NULL, NULL, NULL, napi_default_method, NULL},
        {"cancel", NULL, on_cancel, NULL, NULL, NULL, napi_default_method, NULL},
        {"receipt", NULL, on_receipt, NULL, NULL, NULL, napi_default_method, NULL},
        {"unfinished", NULL, on_unfinished, NULL, NULL, NULL, napi_default_method, NULL},
        {"stats", NULL, on_stats, NULL, NULL, NULL, napi_default_method, NULL},
        {"stop", NULL, on_stop, NULL, NULL, NULL, napi_default_method, NULL},
    };
    napi_value object = NULL;

    if (napi_create_object(env, &object) != napi_ok ||
        napi_define_properties(env, object, sizeof(methods) / sizeof(methods[0]), methods) !=
            napi_ok ||
        napi_type_tag_object(env, object, &host_tag) != napi_ok)
        return NULL;
    return object;
}

static napi_value on_open(napi_env env, napi_callback_info info)
{
    size_t argc = 1;
    napi_value argument = NULL, object = NULL;
    struct open_texts texts = {0};
    struct host_options options = {0};
    napi_ref on_delivery = NULL, on_log = NULL;
    ahp_err err = {.size = sizeof(err)};
    struct host *h = NULL;
    int32_t rc;

    (void)napi_get_cb_info(env, info, &argc, &argument, NULL, NULL);
    if (!read_options(env, argument, &texts, &options) ||
        !get_function(env, argument, "onDelivery", &on_delivery) ||
        !get_function(env, argument, "onLog", &on_log))
        goto out;
    if (options.delivers && on_delivery == NULL) {
        throw_code(env, AHP_E_INVALID, "a host that delivers needs onDelivery");
        goto out;
    }
    rc = host_open(env, &options, &h, &err);
    if (rc != AHP_OK) {
        throw_code(env, rc, err.text);
        goto out;
    }
    object = host_object(env);
    h->is_wrapped =
        object != NULL && napi_wrap(env, object, h, on_finalize, NULL, NULL) == napi_ok;
    if (!h->is_wrapped || napi_create_reference(env, object, 1, &h->self) != napi_ok) {
        throw_code(env, AHP_E_FAILED, "Node made no object");
        (void)host_stop(h, 0);
        object = NULL;
        goto out;
    }
    h->on_delivery = on_delivery;
    h->on_log = on_log;
    on_delivery = on_log = NULL;
out:
    if (on_delivery != NULL)
        (void)napi_delete_reference(env, on_delivery);
    if (on_log != NULL)
        (void)napi_delete_reference(env, on_log);
    open_texts_free(&texts);
    return object;
}

/* the macro defines it, but not every version of the headers declares it first */
NAPI_MODULE_EXPORT int32_t node_api_module_get_api_version_v1(void);

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */)
{
    napi_value open = NULL;

    if (napi_create_function(env, "open", NAPI_AUTO_LENGTH, on_open, NULL, &open) == napi_ok)
        (void)napi_set_named_property(env, exports, "open", open);
    return exports;
}
