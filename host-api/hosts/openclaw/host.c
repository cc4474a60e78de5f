/*
 * host.c - the life of one host: the instance on Node's loop, the lists of what waits for
 * JavaScript, and the way down. See internal.h.
 */
#include <stdlib.h>
#include <string.h>

#include <ahp_load.h>
#include <utlist.h>

#include "internal.h"

/* ---- [inside]: what the plugin hands over on its own stack ---- */

static void on_log(void *ud, int32_t level, uint32_t item, const char *text, size_t len)
{
    struct host *h = ud;
    struct log_line *line;

    if (len > AHP_LOG_BYTES_MAX)
        len = AHP_LOG_BYTES_MAX;
    line = malloc(sizeof(*line) + len + 1);
    if (line != NULL) {
        line->level = level;
        line->item = item;
        memcpy(line->text, text, len);
        line->text[len] = '\0';
    }
    uv_mutex_lock(&h->mutex);
    if (line == NULL || h->logs_count >= AHP_NODE_LOGS_MAX) {
        h->logs_lost++;
        free(line);
    } else {
        DL_APPEND(h->logs, line);
        h->logs_count++;
    }
    if (h->is_awake)
        (void)uv_async_send(&h->wake);
    uv_mutex_unlock(&h->mutex);
}

static int32_t on_log_on(void *ud, int32_t level)
{
    const struct host *h = ud;

    return level > AHP_LOG_DEBUG || h->wants_debug;
}

static int32_t on_offer(void *ud, const ahp_delivery *delivery)
{
    struct host *h = ud;
    struct offer *offer;
    int32_t rc;

    if (h->offers_count >= AHP_NODE_OFFERS_MAX)
        return AHP_E_LIMIT;
    rc = offer_new(delivery, &offer);
    if (rc != AHP_OK)
        return rc;
    DL_APPEND(h->offers, offer);
    h->offers_count++;
    (void)uv_async_send(&h->wake);
    return AHP_OK;
}

/* ---- into JavaScript ---- */

/* The exception's text as a log line, since nobody above could catch it. */
static void log_exception(struct host *h)
{
    napi_value thrown = NULL, text = NULL;
    char line[512] = "a callback threw: ";
    size_t len = strlen(line), more = 0;

    if (napi_get_and_clear_last_exception(h->env, &thrown) != napi_ok ||
        napi_coerce_to_string(h->env, thrown, &text) != napi_ok ||
        napi_get_value_string_utf8(h->env, text, line + len, sizeof(line) - len, &more) != napi_ok)
        (void)napi_get_and_clear_last_exception(h->env, &thrown);
    on_log(h, AHP_LOG_ERROR, 0, line, len + more);
}

void host_enter(struct host *h, napi_ref function, size_t argc, const napi_value *argv)
{
    napi_value callee = NULL, global = NULL, ignored = NULL;

    if (h->env == NULL || function == NULL ||
        napi_get_reference_value(h->env, function, &callee) != napi_ok || callee == NULL ||
        napi_get_global(h->env, &global) != napi_ok)
        return;
    if (napi_make_callback(h->env, h->context, global, callee, argc, argv, &ignored) ==
            napi_pending_exception &&
        function != h->on_log)
        log_exception(h);
    else
        (void)napi_get_and_clear_last_exception(h->env, &ignored);
}

static void run_logs(struct host *h)
{
    struct log_line *logs, *line, *next;
    uint32_t lost;

    uv_mutex_lock(&h->mutex);
    logs = h->logs;
    lost = h->logs_lost;
    h->logs = NULL;
    h->logs_count = 0;
    h->logs_lost = 0;
    uv_mutex_unlock(&h->mutex);
    DL_FOREACH_SAFE(logs, line, next)
    {
        napi_handle_scope scope;

        if (h->env != NULL && napi_open_handle_scope(h->env, &scope) == napi_ok) {
            napi_value argv[] = {value_number(h->env, line->level),
                                 value_number(h->env, line->item),
                                 value_string(h->env, line->text)};

            host_enter(h, h->on_log, 3, argv);
            (void)napi_close_handle_scope(h->env, scope);
        }
        free(line);
    }
    if (lost > 0) {
        static const char text[] = "log lines were lost: too many at once";

        on_log(h, AHP_LOG_WARN, 0, text, sizeof(text) - 1);
    }
}

static void run_offers(struct host *h)
{
    struct offer *offers = h->offers, *offer, *next;

    h->offers = NULL;
    h->offers_count = 0;
    DL_FOREACH_SAFE(offers, offer, next)
    {
        napi_handle_scope scope;

        /* after stop nothing is sent any more: the plugin offers it again after a restart */
        if (h->env != NULL && h->on_stopped == NULL &&
            napi_open_handle_scope(h->env, &scope) == napi_ok) {
            napi_value argv[] = {value_delivery(h->env, &offer->delivery)};

            host_enter(h, h->on_delivery, 1, argv);
            (void)napi_close_handle_scope(h->env, scope);
        }
        free(offer);
    }
}

static void on_wake(uv_async_t *wake)
{
    struct host *h = wake->data;

    run_logs(h);
    run_offers(h);
}

/* ---- the way down ---- */

static void references_drop(struct host *h)
{
    napi_ref *const all[] = {&h->on_delivery, &h->on_log, &h->on_stopped, &h->self};

    for (size_t i = 0; h->env != NULL && i < sizeof(all) / sizeof(all[0]); i++) {
        if (*all[i] != NULL)
            (void)napi_delete_reference(h->env, *all[i]);
        *all[i] = NULL;
    }
    if (h->env != NULL && h->context != NULL)
        (void)napi_async_destroy(h->env, h->context);
    h->context = NULL;
}

static void host_free(struct host *h)
{
    struct log_line *line, *next;

    DL_FOREACH_SAFE(h->logs, line, next)
    free(line);
    uv_mutex_destroy(&h->mutex);
    free(h->name);
    free(h->version);
    free(h);
}

static void on_wake_closed(uv_handle_t *handle)
{
    struct host *h = handle->data;
    napi_handle_scope scope;

    run_offers(h);
    run_logs(h);
    if (h->env != NULL && napi_open_handle_scope(h->env, &scope) == napi_ok) {
        napi_value argv[] = {value_end(h->env, &h->end)};

        host_enter(h, h->on_stopped, 1, argv);
        references_drop(h);
        (void)napi_close_handle_scope(h->env, scope);
    }
    h->has_ended = 1;
    if (!h->is_wrapped)
        host_free(h);
}

static void on_uv_closed(void *ud, const struct ahp_uv_end *end)
{
    struct host *h = ud;

    h->end = *end;
    h->uv = NULL;
    uv_mutex_lock(&h->mutex);
    h->is_awake = 0;
    uv_mutex_unlock(&h->mutex);
    uv_close((uv_handle_t *)&h->wake, on_wake_closed);
}

int32_t host_stop(struct host *h, int64_t timeout_ms)
{
    if (h->uv == NULL)
        return AHP_E_STATE;
    return ahp_uv_close(h->uv, timeout_ms, on_uv_closed, h);
}

void host_unwrapped(struct host *h)
{
    h->is_wrapped = 0;
    h->env = NULL; /* only the end of the environment finds a host that has not ended */
    if (h->has_ended)
        host_free(h);
}

void host_call_begins(struct host *h)
{
    if (h->calls_open++ == 0)
        uv_ref((uv_handle_t *)&h->wake);
}

void host_call_ends(struct host *h)
{
    if (--h->calls_open == 0)
        uv_unref((uv_handle_t *)&h->wake);
}

/* ---- the way up ---- */

static int32_t instance_open(struct host *h, const struct host_options *options, ahp_err *ret_err)
{
    const ahp_entry *entry;
    int32_t rc = ahp_load_with(options->plugin, AHP_LOAD_DEEPBIND, &entry, ret_err);

    if (rc == AHP_OK)
        rc = ahp_uv_create(h->uv, entry, &options->config, ret_err);
    if (rc == AHP_OK)
        rc = ahp_uv_start(h->uv, ret_err);
    return rc;
}

static int32_t uv_open(struct host *h, uv_loop_t *loop, const struct host_options *options)
{
    struct ahp_uv_owner owner = {
        .name = h->name,
        .version = h->version,
        .flags = AHP_UV_WORK | AHP_UV_UNREF | (options->check ? AHP_UV_CHECK : 0),
        .repeat_window_ms = options->repeat_window_ms,
        .file_bytes_max = (uint64_t)options->file_bytes_max,
        .ud = h,
        .log = on_log,
        .log_on = on_log_on,
    };

    if (options->delivers) {
        owner.deliver_flags =
            AHP_DELIVER_READY | (options->drops_repeats ? AHP_DELIVER_DROPS_REPEATS : 0);
        owner.offer = on_offer;
    }
    return ahp_uv_open(loop, &owner, &h->uv);
}

static struct host *host_new(napi_env env, const struct host_options *options)
{
    struct host *h = calloc(1, sizeof(*h));

    if (h == NULL)
        return NULL;
    h->env = env;
    h->wake.data = h;
    h->wants_debug = options->debug;
    h->name = strdup(options->name);
    h->version = strdup(options->version);
    if (h->name == NULL || h->version == NULL || uv_mutex_init(&h->mutex) != 0) {
        free(h->name);
        free(h->version);
        free(h);
        return NULL;
    }
    return h;
}

static int32_t context_new(struct host *h)
{
    napi_value name = NULL;

    if (napi_create_string_utf8(h->env, "ahp.host", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_async_init(h->env, NULL, name, &h->context) != napi_ok)
        return AHP_E_FAILED;
    return AHP_OK;
}

int32_t host_open(napi_env env, const struct host_options *options, struct host **ret_host,
                  ahp_err *ret_err)
{
    uv_loop_t *loop = NULL;
    struct host *h;
    int32_t rc;

    if (napi_get_uv_event_loop(env, &loop) != napi_ok)
        return AHP_E_FAILED;
    h = host_new(env, options);
    if (h == NULL)
        return AHP_E_NOMEM;
    if (uv_async_init(loop, &h->wake, on_wake) != 0) {
        host_free(h);
        return AHP_E_FAILED;
    }
    uv_unref((uv_handle_t *)&h->wake);
    h->is_awake = 1;
    rc = context_new(h);
    if (rc == AHP_OK)
        rc = uv_open(h, loop, options);
    if (rc != AHP_OK) {
        h->is_awake = 0;
        uv_close((uv_handle_t *)&h->wake, on_wake_closed);
        return rc;
    }
    rc = instance_open(h, options, ret_err);
    if (rc != AHP_OK) {
        (void)host_stop(h, 0);
        return rc;
    }
    *ret_host = h;
    return AHP_OK;
}
