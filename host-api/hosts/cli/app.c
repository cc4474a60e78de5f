/*
 * app.c - see app.h.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ahp/deliver.h>
#include <ahp_load.h>
#include <jansson.h>

#include "app.h"
#include "common.h"
#include "paths.h"
#include "text.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP};

static const struct command_ops *ops_of(struct app *app)
{
    return app->loop.data;
}

void app_fail(struct app *app, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    term_say(app->term, "agent-host: %s", text);
}

/* ---- what the instance's host asks for ---- */

static void on_log(void *ud, int32_t level, uint32_t item, const char *text, size_t len)
{
    struct app *app = ud;

    (void)item;
    if (level >= AHP_LOG_WARN || app->options->verbose)
        term_log(app->term, level, text, len);
}

static int32_t on_log_on(void *ud, int32_t level)
{
    struct app *app = ud;

    return level >= AHP_LOG_WARN || app->options->verbose;
}

static void on_breach(void *ud, int32_t level, uint32_t item, const char *text)
{
    struct app *app = ud;

    (void)level;
    (void)item;
    (void)text; /* the shim has logged it; turn_loop acts on it */
    atomic_fetch_add(&app->breaches, 1);
}

static int32_t on_offer(void *ud, const ahp_delivery *delivery)
{
    struct app *app = ud;

    return outbox_offer(app->outbox, delivery);
}

static void on_receipt(void *ud, const ahp_receipt *receipt)
{
    struct app *app = ud;

    /* refused only when the instance is going: it offers again after a restart */
    if (app->host != NULL)
        (void)ahp_uv_receipt(app->host, receipt);
}

static void on_receipt_taken(void *ud, const ahp_receipt *receipt, int32_t code)
{
    struct app *app = ud;

    (void)code; /* taken or not known to the plugin: settled in both cases */
    outbox_receipt_taken(app->outbox, receipt);
}

static int32_t on_ask(void *ud, uint64_t question_id, const ahp_question *question)
{
    struct app *app = ud;

    return ask_begin(app->ask, question_id, question);
}

static void on_ask_over(void *ud, uint64_t question_id)
{
    struct app *app = ud;

    ask_over(app->ask, question_id);
}

/* ---- signals, limit, end ---- */

static void on_signal(uv_signal_t *handle, int signum)
{
    struct app *app = handle->data;

    if (app->signal != 0)
        _exit(128 + signum);
    app->signal = signum;
    preview_stop(app->preview);
    app_end(app, 128 + signum);
    if (ops_of(app)->on_signal != NULL)
        ops_of(app)->on_signal(app);
}

static void on_limit(uv_timer_t *timer)
{
    struct app *app = timer->data;

    if (!app->is_ending && ops_of(app)->on_limit != NULL)
        ops_of(app)->on_limit(app);
}

void app_limit_start(struct app *app, int64_t ms)
{
    uv_update_time(&app->loop);
    uv_timer_start(&app->limit, on_limit, (uint64_t)ms, 0);
}

static void on_closed(void *ud, const struct ahp_uv_end *end)
{
    struct app *app = ud;

    app->end = *end;
    app->host = NULL;
    app->is_closed = 1;
}

void app_end(struct app *app, int exit_code)
{
    if (app->is_ending)
        return;
    app->is_ending = 1;
    app->exit_code = exit_code;
    outbox_stop(app->outbox);
    if (app->host == NULL || ahp_uv_close(app->host, APP_STOP_MS, on_closed, app) != AHP_OK)
        app->is_closed = 1;
}

static void say_option(char *line, size_t size, const char *name, const char *value)
{
    char *quoted = value != NULL ? text_quote(value) : NULL;
    size_t len = strlen(line);

    if (quoted != NULL)
        snprintf(line + len, size - len, " %s %s", name, quoted);
    free(quoted);
}

void app_say_resume(struct app *app, const char *job)
{
    const struct options *o = app->options;
    char line[1536] = "";

    char *program = text_quote(o->program);

    snprintf(line, sizeof(line), "%s", program != NULL ? program : "agent-host");
    free(program);
    say_option(line, sizeof(line), "--plugin", o->plugin);
    say_option(line, sizeof(line), "--config", o->config);
    say_option(line, sizeof(line), "--state", o->state);
    say_option(line, sizeof(line), "--workspace", o->workspace);
    say_option(line, sizeof(line), "--outbox", o->outbox);
    term_say(app->term, "to finish it: %s run --until-idle", line);
    if (job != NULL)
        term_say(app->term, "to ask:       %s call poll '{\"job\": \"%s\"}'", line, job);
}

/* ---- set-up ---- */

static int open_instance(struct app *app)
{
    const struct options *o = app->options;
    char *path = path_plugin(o->plugin);
    char *config = path_config(o);
    const ahp_entry *entry;
    ahp_err err = {.size = sizeof(err)};
    ahp_text text;
    int rc = -1;

    if (path == NULL) {
        app_fail(app, "no plugin: name one with --plugin or in $AHP_PLUGIN");
        goto out;
    }
    if (config == NULL) {
        app_fail(app, "no memory for the configuration");
        goto out;
    }
    if (ahp_load(path, &entry, &err) != AHP_OK) {
        app_fail(app, "%s", err.text);
        goto out;
    }
    text.ptr = config;
    text.len = strlen(config);
    if (ahp_uv_create(app->host, entry, &text, &err) < 0) {
        app_fail(app, "%s: %s", entry->id,
                 err.text[0] != '\0' ? err.text : "no instance could be created");
        goto out;
    }
    if (ops_of(app)->needs_start && ahp_uv_start(app->host, &err) < 0) {
        app_fail(app, "%s: %s", entry->id,
                 err.text[0] != '\0' ? err.text : "the instance could not be started");
        goto out;
    }
    rc = 0;
out:
    free(path);
    free(config);
    return rc;
}

static int open_outbox(struct app *app)
{
    const struct options *o = app->options;
    char error[512] = "no memory";

    if (o->outbox == NULL)
        return 0;
    app->outbox = outbox_open(&app->loop, o->outbox, o->outbox_script, !o->no_work, app->term,
                              app->preview, error, sizeof(error), on_receipt, app);
    if (app->outbox == NULL) {
        app_fail(app, "--outbox: %s", error);
        return -1;
    }
    return 0;
}

static int open_host(struct app *app)
{
    const struct options *o = app->options;
    struct ahp_uv_owner owner = {
        .name = "agent-host",
        .version = CLAWMEDIA_VERSION,
        .flags = (o->no_work ? 0 : AHP_UV_WORK) | (o->check ? AHP_UV_CHECK : 0),
        .ud = app,
        .log = on_log,
        .log_on = on_log_on,
        .breach = on_breach,
    };

    if (app->outbox != NULL) {
        owner.deliver_flags = AHP_DELIVER_READY | AHP_DELIVER_DROPS_REPEATS;
        owner.repeat_window_ms = 10 * 365 * INT64_C(86400000); /* as long as the folder is kept */
        owner.offer = on_offer;
        owner.receipt_taken = on_receipt_taken;
    }
    if (o->command == COMMAND_CALL && ask_is_possible(app) && (app->ask = ask_open(app)) != NULL) {
        owner.ask = on_ask;
        owner.ask_over = on_ask_over;
    }
    if (ahp_uv_open(&app->loop, &owner, &app->host) != AHP_OK) {
        app_fail(app, "the host could not be set up");
        return -1;
    }
    return 0;
}

static void open_loop_handles(struct app *app)
{
    size_t i;

    uv_timer_init(&app->loop, &app->limit);
    app->limit.data = app;
    for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
        uv_signal_init(&app->loop, &app->signals[i]);
        app->signals[i].data = app;
        /* one shot: the second signal ends the process even when a callback hangs */
        uv_signal_start_oneshot(&app->signals[i], on_signal, caught[i]);
    }
}

static void close_loop_handles(struct app *app)
{
    size_t i;

    outbox_close(app->outbox);
    preview_close(app->preview);
    ask_close(app->ask);
    term_close(app->term);
    uv_close((uv_handle_t *)&app->limit, NULL);
    for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        uv_close((uv_handle_t *)&app->signals[i], NULL);
    uv_run(&app->loop, UV_RUN_DEFAULT);
}

/* Not getrusage: its maximum is handed on by exec, so it would be that of whoever started us. */
static long rss_peak_kib(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long kib = 0;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kib;
}

static void print_stats(struct app *app)
{
    const struct ahp_uv_stats *s = &app->end.stats;
    struct outbox_counts c = {0, 0, 0, 0};
    json_t *o;
    char *text;

    if (app->outbox != NULL)
        outbox_counts_get(app->outbox, &c);
    o = json_pack("{s:{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:s}, s:{s:f, s:f, s:f}, "
                  "s:{s:I, s:I, s:I}, s:{s:I, s:I, s:i, s:i, s:i, s:i}, s:I, s:i, s:i, s:i, s:I}",
                  "callbacks", "count", (json_int_t)s->callbacks, "slow",
                  (json_int_t)s->callbacks_slow, "total_ms", (double)s->ns_total / 1e6, "p50_us",
                  (double)s->ns_p50 / 1e3, "p99_us", (double)s->ns_p99 / 1e3, "p999_us",
                  (double)s->ns_p999 / 1e3, "max_us", (double)s->ns_max / 1e3, "max_kind",
                  ahp_uv_kind_name(s->kind_max), "once", "create_ms", (double)s->ns_create / 1e6,
                  "start_ms", (double)s->ns_start / 1e6, "destroy_ms", (double)s->ns_destroy / 1e6,
                  "calls", "accepted", (json_int_t)s->calls_accepted, "refused",
                  (json_int_t)s->calls_refused, "ended", (json_int_t)s->calls_ended, "deliveries",
                  "offers", (json_int_t)s->offers, "receipts", (json_int_t)s->receipts, "delivered",
                  (int)c.delivered, "repeats", (int)c.repeats, "refused", (int)c.refused, "failed",
                  (int)c.failed, "work_run", (json_int_t)s->work_run, "watches_peak",
                  (int)s->watches_peak, "timers_peak", (int)s->timers_peak, "breaches",
                  (int)atomic_load(&app->breaches), "rss_peak_kib", (json_int_t)rss_peak_kib());
    text = o != NULL ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    if (text != NULL)
        fprintf(stderr, "%s\n", text);
    free(text);
    json_decref(o);
}

static int final_code(struct app *app)
{
    const struct ahp_uv_end *e = &app->end;
    int leaks = e->calls_open + e->watches_live + e->timers_live + e->deferred_live +
                    e->questions_live >
                0;

    if (app->options->check && (atomic_load(&app->breaches) > 0 || leaks || e->stop_late)) {
        fprintf(stderr, "agent-host: host and plugin broke %u rules of their contract; see above\n",
                (unsigned)atomic_load(&app->breaches) + (unsigned)leaks + e->stop_late);
        return CLI_EXIT_HOST;
    }
    return app->exit_code;
}

static void turn_loop(struct app *app)
{
    while (!app->is_closed || preview_busy(app->preview)) {
        if (atomic_load(&app->breaches) > 0) /* what follows a breach means nothing */
            app_end(app, CLI_EXIT_HOST);
        if (!app->is_ending && ops_of(app)->on_turn != NULL)
            ops_of(app)->on_turn(app);
        uv_run(&app->loop, UV_RUN_ONCE);
    }
}

int app_run(const struct options *options, const struct command_ops *ops)
{
    struct app app;
    int rc;

    memset(&app, 0, sizeof(app));
    app.options = options;
    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&app.loop) != 0) {
        fputs("agent-host: no event loop\n", stderr);
        return CLI_EXIT_HOST;
    }
    app.loop.data = (void *)(uintptr_t)ops;
    app.term = term_open(&app.loop);
    if (app.term == NULL) {
        uv_loop_close(&app.loop);
        fputs("agent-host: no memory\n", stderr);
        return CLI_EXIT_HOST;
    }
    open_loop_handles(&app);
    if (!options->no_preview && options->outbox_script == NULL &&
        (options->command == COMMAND_CALL || options->command == COMMAND_RUN))
        app.preview = preview_open(&app.loop, app.term);
    if (open_outbox(&app) != 0)
        app_end(&app, CLI_EXIT_USAGE);
    else if (open_host(&app) != 0 || open_instance(&app) != 0)
        app_end(&app, CLI_EXIT_HOST);
    else {
        if (app.outbox != NULL && ops->needs_start)
            outbox_start(app.outbox);
        rc = ops->begin(&app);
        if (rc != 0)
            app_end(&app, rc - 1);
    }
    turn_loop(&app);
    term_live_end(app.term);
    if (options->stats)
        print_stats(&app);
    rc = final_code(&app);
    close_loop_handles(&app);
    uv_loop_close(&app.loop);
    return rc;
}
