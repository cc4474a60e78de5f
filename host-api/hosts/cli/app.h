/*
 * app.h - what all commands share: the loop, the instance, signals, the time limit and the end.
 *
 * A command is begun once the instance is ready and hears of every turn of the loop. It ends the
 * program with app_end, which stops and destroys the instance; app_run returns after that.
 */
#ifndef CLI_APP_H
#define CLI_APP_H

#include <stdatomic.h>

#include <uv.h>

#include <ahp_uv.h>

#include "ask.h"
#include "options.h"
#include "outbox.h"
#include "preview.h"
#include "term.h"

/* The time that stop() gets. */
#define APP_STOP_MS 5000

struct app {
    const struct options *options;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t limit;
    struct term *term;
    struct preview *preview; /* NULL: none are shown */
    struct outbox *outbox;
    struct ask *ask; /* NULL: nobody can be asked */
    struct ahp_uv *host;
    const char *reply_to; /* effective: --reply-to or what stands for it */
    uint64_t call_id;     /* of the one open call, or 0 */
    atomic_uint breaches;
    int signal; /* the first one that came, or 0 */
    int exit_code;
    int is_ending;
    int is_closed;
    struct ahp_uv_end end;
};

struct command_ops {
    int needs_start;
    /* 0, or the program's exit code plus 1. The instance is ready. */
    int (*begin)(struct app *app);
    void (*on_turn)(struct app *app);   /* from the top level, after each turn; may be NULL */
    void (*on_limit)(struct app *app);  /* --timeout has passed; may be NULL */
    void (*on_signal)(struct app *app); /* ending has begun; may be NULL */
};

extern const struct command_ops command_tools;
extern const struct command_ops command_call;
extern const struct command_ops command_run;
extern const struct command_ops command_jobs;

/* Runs the command to its end; the program's exit code. */
int app_run(const struct options *options, const struct command_ops *ops);

/* Begins the end, once; the first exit code stays. */
void app_end(struct app *app, int exit_code);

/* Says "agent-host: ..." as an error. */
void app_fail(struct app *app, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Starts --timeout, counted from now, plus a margin. */
void app_limit_start(struct app *app, int64_t ms);

/* How to carry on with jobs, with the options of this run. */
void app_say_resume(struct app *app, const char *job);

#endif
