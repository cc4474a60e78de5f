/*
 * server.c - the process: loop, plugin, log, signals, and the end. See server.h.
 *
 * The end begins with the end of standard input, a signal, or a failure. Open calls are then ended
 * by the plugin, which keeps their jobs; their answers get a moment to go out.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ahp_load.h>

#include "common.h"
#include "server.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP};

#define CAUGHT (sizeof(caught) / sizeof(caught[0]))

/* ---- log ---- */

static const char *level_word(int32_t level)
{
    static const char *const words[] = {"debug", "info", "warning", "error", "host misbehaves",
                                        "plugin misbehaves"};

    return level >= 0 && level < (int32_t)(sizeof(words) / sizeof(words[0])) ? words[level] : "?";
}

/* One write a line: it may come from any thread. A pipe that nobody empties is not waited for. */
static void on_log(void *ud, int32_t level, uint32_t item, const char *text, size_t len)
{
    struct server *s = ud;
    struct pollfd ready = {.fd = s->log_fd, .events = POLLOUT};
    char line[AHP_LOG_BYTES_MAX]; /* not more than what a pipe takes in one piece */
    int n;

    (void)item;
    if (level < AHP_LOG_WARN && !s->options->verbose)
        return;
    n = snprintf(line, sizeof(line), "agent-host-mcp: %s: %.*s", level_word(level), (int)len, text);
    if (n >= (int)sizeof(line))
        n = (int)sizeof(line) - 1;
    line[n] = '\n';
    if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0)
        if (write(s->log_fd, line, (size_t)n + 1) < 0)
            return; /* there is nowhere to say so */
}

void server_say(struct server *s, int32_t level, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    on_log(s, level, 0, text, strlen(text));
}

static int32_t on_log_on(void *ud, int32_t level)
{
    struct server *s = ud;

    return level >= AHP_LOG_WARN || s->options->verbose;
}

static void on_breach(void *ud, int32_t level, uint32_t item, const char *text)
{
    struct server *s = ud;

    (void)level;
    (void)item;
    (void)text; /* the shim has logged it */
    atomic_fetch_add(&s->breaches, 1);
}

static void on_rescan(void *ud)
{
    struct server *s = ud;
    struct request *r;

    if (tools_load(s) != 0)
        return;
    if (s->revision != REVISION_NONE)
        send_notification_take(s, "notifications/tools/list_changed", NULL);
    for (r = s->requests; r != NULL; r = r->next)
        if (r->is_listening && r->wants_tools_changed)
            send_notification_take(s, "notifications/tools/list_changed",
                                   json_pack("{s:{s:O}}", "_meta", META_LISTEN, r->id));
}

/* ---- the end ---- */

static void on_closed(void *ud, const struct ahp_uv_end *end)
{
    struct server *s = ud;

    s->end = *end;
    s->host = NULL;
    s->is_closed = 1;
}

void server_end(struct server *s, int exit_code)
{
    if (s->is_ending)
        return;
    s->is_ending = 1;
    s->exit_code = exit_code;
    if (s->wire != NULL)
        wire_stop(s->wire);
    dispatch_end(s);
    if (s->host == NULL || ahp_uv_close(s->host, STOP_MS, on_closed, s) != AHP_OK)
        s->is_closed = 1;
}

static void on_wire_end(void *ud, const char *why)
{
    struct server *s = ud;

    if (why != NULL)
        server_say(s, AHP_LOG_WARN, "the client is gone: %s", why);
    server_end(s, EXIT_DONE);
}

/* A client that has closed our input sends SIGTERM next: it hurries an end that has begun
 * already. */
static void on_signal(uv_signal_t *handle, int signum)
{
    struct server *s = handle->data;

    (void)signum;
    server_end(s, EXIT_DONE);
}

static void on_flush(uv_timer_t *timer)
{
    (void)timer; /* it only wakes the loop up */
}

/* What was answered last goes out, or the client does not want it. */
static void flush(struct server *s)
{
    if (s->wire == NULL || wire_waiting(s->wire) == 0)
        return;
    uv_update_time(&s->loop);
    uv_timer_start(&s->flush, on_flush, FLUSH_MS, 0);
    while (wire_waiting(s->wire) > 0 && uv_is_active((uv_handle_t *)&s->flush))
        uv_run(&s->loop, UV_RUN_ONCE);
    uv_timer_stop(&s->flush);
}

/* ---- set-up ---- */

/* What create() gets: the first allowed folder is the workspace, where results are saved, too. */
static char *config_text(const struct options *o)
{
    json_t *config = json_object();
    char *text = NULL;

    if (path_set(config, "config_file", o->config) == 0 &&
        path_set(config, "state_dir", o->state) == 0 &&
        path_set(config, "workspace", o->allow_count > 0 ? o->allow[0] : NULL) == 0 &&
        json_object_set_new(config, "resume", json_true()) == 0 &&
        (o->locale == NULL ||
         json_object_set_new(config, "locale", json_string(o->locale)) == 0))
        text = json_dumps(config, JSON_COMPACT);
    json_decref(config);
    return text;
}

static int open_instance(struct server *s)
{
    char *path = path_plugin(s->options->plugin);
    char *config = config_text(s->options);
    ahp_err err = {.size = sizeof(err)};
    ahp_text text = text_of(config);
    int rc = -1;

    if (path == NULL || config == NULL)
        server_say(s, AHP_LOG_ERROR, "%s",
                   path == NULL ? "no plugin: name one with --plugin or in $AHP_PLUGIN"
                                : "no memory for the configuration");
    else if (ahp_load(path, &s->entry, &err) != AHP_OK)
        server_say(s, AHP_LOG_ERROR, "%s", err.text);
    else if (ahp_uv_create(s->host, s->entry, &text, &err) != AHP_OK ||
             ahp_uv_start(s->host, &err) != AHP_OK)
        server_say(s, AHP_LOG_ERROR, "%s: %s", s->entry->id,
                   err.text[0] != '\0' ? err.text : "no instance could be started");
    else
        rc = tools_load(s) == 0 && s->allowed != NULL ? 0 : -1;
    free(path);
    free(config);
    return rc;
}

static json_t *allowed(const struct options *o)
{
    json_t *paths = json_array();
    int i;

    for (i = 0; i < o->allow_count; i++) {
        char *path = path_absolute(o->allow[i]);

        if (path != NULL)
            json_array_append_new(paths, json_string(path));
        free(path);
    }
    return paths;
}

static int open_all(struct server *s)
{
    const struct options *o = s->options;
    const struct ahp_uv_owner owner = {
        .name = "agent-host-mcp",
        .version = CLAWMEDIA_VERSION,
        .flags = (o->no_work ? 0 : AHP_UV_WORK) | (o->check ? AHP_UV_CHECK : 0),
        .ud = s,
        .log = on_log,
        .log_on = on_log_on,
        .breach = on_breach,
        .rescan = on_rescan,
    };
    const char *why = NULL;

    if (o->log != NULL) {
        s->log_fd = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (s->log_fd < 0) {
            s->log_fd = STDERR_FILENO;
            server_say(s, AHP_LOG_ERROR, "--log: %s cannot be written", o->log);
            return EXIT_USAGE;
        }
    }
    s->allowed = allowed(o);
    if (ahp_uv_open(&s->loop, &owner, &s->host) != AHP_OK) {
        server_say(s, AHP_LOG_ERROR, "the host could not be set up");
        return EXIT_HOST;
    }
    if (open_instance(s) != 0)
        return EXIT_HOST;
    s->wire = wire_open(&s->loop, dispatch_line, on_wire_end, s, &why);
    if (s->wire == NULL) {
        server_say(s, AHP_LOG_ERROR, "%s", why);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static void open_handles(struct server *s)
{
    size_t i;

    uv_timer_init(&s->loop, &s->beat);
    uv_timer_init(&s->loop, &s->flush);
    uv_timer_init(&s->loop, &s->patience);
    s->patience.data = s;
    s->beat.data = s;
    for (i = 0; i < CAUGHT; i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], on_signal, caught[i]);
    }
}

static void close_handles(struct server *s)
{
    size_t i;

    wire_close(s->wire);
    uv_close((uv_handle_t *)&s->beat, NULL);
    uv_close((uv_handle_t *)&s->flush, NULL);
    uv_close((uv_handle_t *)&s->patience, NULL);
    for (i = 0; i < CAUGHT; i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    wire_free(s->wire);
}

static int final_code(struct server *s)
{
    const struct ahp_uv_end *e = &s->end;
    unsigned leaks = e->calls_open + e->watches_live + e->timers_live + e->deferred_live;
    unsigned breaches = atomic_load(&s->breaches);

    if (!s->options->check || (breaches == 0 && leaks == 0 && !e->stop_late))
        return s->exit_code;
    server_say(s, AHP_LOG_ERROR, "host and plugin broke %u rules of their contract; see above",
               breaches + (leaks > 0) + e->stop_late);
    return EXIT_HOST;
}

int server_run(const struct options *options)
{
    struct server s;
    int rc;

    memset(&s, 0, sizeof(s));
    s.options = options;
    s.log_fd = STDERR_FILENO;
    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&s.loop) != 0) {
        server_say(&s, AHP_LOG_ERROR, "no event loop");
        return EXIT_HOST;
    }
    open_handles(&s);
    rc = open_all(&s);
    if (rc != EXIT_DONE)
        server_end(&s, rc);
    while (!s.is_closed) {
        if (atomic_load(&s.breaches) > 0) /* what follows a breach means nothing */
            server_end(&s, EXIT_HOST);
        uv_run(&s.loop, UV_RUN_ONCE);
    }
    flush(&s);
    rc = final_code(&s);
    dispatch_free(&s);
    tools_free(&s);
    close_handles(&s);
    uv_loop_close(&s.loop);
    json_decref(s.roots);
    json_decref(s.allowed);
    if (s.log_fd != STDERR_FILENO)
        close(s.log_fd);
    return rc;
}
