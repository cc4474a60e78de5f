/*
 * cmd_run.c - "run": carries on with what an earlier process left, and delivers. With --until-idle
 * it asks the plugin after each turn of the loop how much is left, and ends when nothing is.
 */
#include <inttypes.h>
#include <stdio.h>

#include "app.h"

static void show(struct app *app, int64_t left)
{
    char text[96];

    if (left < 0)
        snprintf(text, sizeof(text), "looking");
    else
        snprintf(text, sizeof(text), "%" PRId64 " unfinished", left);
    term_live_set(app->term, -1, text);
}

static int run_begin(struct app *app)
{
    if (app->options->until_idle && ahp_uv_unfinished(app->host) == AHP_E_UNSUPPORTED) {
        app_fail(app, "this plugin cannot say when it is idle (it has no ahp.jobs/1)");
        return CLI_EXIT_HOST + 1;
    }
    if (app->options->timeout_ms > 0)
        app_limit_start(app, app->options->timeout_ms);
    term_live_begin(app->term, "run");
    return 0;
}

static void run_turn(struct app *app)
{
    int64_t left = ahp_uv_unfinished(app->host);

    if (left != AHP_E_UNSUPPORTED)
        show(app, left);
    if (app->options->until_idle && left == 0 && ahp_uv_quiet(app->host) &&
        !outbox_busy(app->outbox))
        app_end(app, CLI_EXIT_DONE);
}

static void run_limit(struct app *app)
{
    int64_t left = ahp_uv_unfinished(app->host);

    if (app->options->until_idle && left > 0)
        app_fail(app, "time is up with %" PRId64 " unfinished; they are kept", left);
    else
        app_fail(app, "time is up");
    app_end(app, app->options->until_idle ? CLI_EXIT_TOOL : CLI_EXIT_DONE);
}

static void run_signal(struct app *app)
{
    term_live_set(app->term, -1, "stopping; jobs are kept");
    if (!app->options->until_idle)
        app->exit_code = CLI_EXIT_DONE; /* the way a run without end is meant to end */
}

const struct command_ops command_run = {
    .needs_start = 1,
    .begin = run_begin,
    .on_turn = run_turn,
    .on_limit = run_limit,
    .on_signal = run_signal,
};
