/*
 * internal.h - what the files of the Node-API host share: one `struct host` carries one instance of
 * a plugin on Node's own event loop, through ahp_uv. It knows nothing about what the tools do.
 *
 * Everything but `log` happens on the loop's thread. JavaScript is entered from the loop's top
 * level only, in the async context that open() was called in: what the plugin hands over on its own
 * stack (offers, log lines) waits in two lists for `wake`.
 *
 * A host is freed when both have let go of it: the loop (after stop) and the JavaScript object that
 * wraps it, which `self` keeps alive until then. When the environment goes first, as at the end of
 * a process, env becomes NULL and JavaScript is not entered any more.
 */
#ifndef AHP_NODE_INTERNAL_H
#define AHP_NODE_INTERNAL_H

#include <stdbool.h>

#define NAPI_VERSION 8
#include <node_api.h>
#include <uv.h>

#include <ahp_uv.h>

/* Limits of what waits for JavaScript; the plugin is told AHP_E_LIMIT, log lines are counted. */
#define AHP_NODE_OFFERS_MAX 1024u
#define AHP_NODE_LOGS_MAX   1024u
#define AHP_NODE_FILES_MAX  64u

/* Longest text that is taken from JavaScript: a call's arguments; calls.h bounds the others. */
#define AHP_NODE_TEXT_BYTES_MAX (AHP_ARGS_BYTES_MAX + 1u)

struct log_line {
    struct log_line *next;
    struct log_line *prev;
    int32_t level;
    uint32_t item;
    char text[];
};

/* A copy of a delivery in one block. */
struct offer {
    struct offer *next;
    struct offer *prev;
    ahp_delivery delivery;
    const ahp_file **files;
};

struct host {
    napi_env env; /* NULL once it is gone */
    napi_async_context context;
    napi_ref self;
    napi_ref on_delivery; /* may be NULL */
    napi_ref on_log;      /* may be NULL */
    napi_ref on_stopped;  /* from stop until it has been called */
    struct ahp_uv *uv;    /* NULL after it was closed */
    uv_async_t wake;
    uv_mutex_t mutex; /* guards logs, logs_count, logs_lost and is_awake */
    struct log_line *logs;
    uint32_t logs_count;
    uint32_t logs_lost;
    int is_awake; /* wake may be sent */
    int wants_debug;
    struct offer *offers;
    uint32_t offers_count;
    uint32_t calls_open;
    int has_ended;  /* the loop has let go */
    int is_wrapped; /* the JavaScript object has not */
    char *name;
    char *version;
    struct ahp_uv_end end;
};

/* ---- host.c ---- */

/* What open() was asked for; texts are borrowed. */
struct host_options {
    const char *plugin;
    const char *name;
    const char *version;
    ahp_text config;
    int64_t repeat_window_ms;
    int64_t file_bytes_max;
    bool delivers;
    bool drops_repeats;
    bool check;
    bool debug;
};

/*
 * A running instance. On failure nothing is left but what the loop still closes, and ret_err says
 * why. The references of `h` to JavaScript are the caller's to set, after it.
 */
int32_t host_open(napi_env env, const struct host_options *options, struct host **ret_host,
                  ahp_err *ret_err);

/* Begins to close; on_stopped is called, if set, when the loop has let go. AHP_E_STATE: it was. */
int32_t host_stop(struct host *h, int64_t timeout_ms);

/* The JavaScript object is gone. */
void host_unwrapped(struct host *h);

/* Keeps the process alive while a call is open; nothing else of a host does. */
void host_call_begins(struct host *h);
void host_call_ends(struct host *h);

/* Calls into JavaScript from the loop's top level; what it throws becomes a log line. */
void host_enter(struct host *h, napi_ref function, size_t argc, const napi_value *argv);

/* ---- offer.c ---- */

/* A copy for the list. AHP_E_NOMEM, AHP_E_LIMIT. */
int32_t offer_new(const ahp_delivery *delivery, struct offer **ret_offer);

/* ---- value.c: JavaScript values. Getters return false with a TypeError pending. ---- */

napi_value value_text(napi_env env, ahp_text text); /* null for none */
napi_value value_string(napi_env env, const char *text);
napi_value value_number(napi_env env, double number);
void value_put(napi_env env, napi_value object, const char *name, napi_value value);
napi_value value_files(napi_env env, const ahp_file *const *files, uint32_t count);
napi_value value_delivery(napi_env env, const ahp_delivery *delivery);
napi_value value_result(napi_env env, const ahp_result *result);
napi_value value_tools(napi_env env, const ahp_tool *const *tools, uint32_t count);
napi_value value_stats(napi_env env, const struct ahp_uv_stats *stats);
napi_value value_end(napi_env env, const struct ahp_uv_end *end);

/* Members of an object. Absent, undefined and null leave the output as it is. */
bool get_text(napi_env env, napi_value object, const char *name, char **ret_text_take,
              size_t *ret_len);
bool get_int(napi_env env, napi_value object, const char *name, int64_t *ret_number);
bool get_bool(napi_env env, napi_value object, const char *name, bool *ret_is);
bool get_function(napi_env env, napi_value object, const char *name, napi_ref *ret_function);

/* Throws an Error whose code is the name of `code`, such as "AHP_E_LIMIT". */
void throw_code(napi_env env, int32_t code, const char *text);

#endif
