/*
 * ask.c - see ask.h. The terminal stays in its mode, so it hands over whole lines. libuv opens it
 * once more for itself: what the shell shares with us is not made non-blocking.
 */
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "app.h"
#include "ask.h"
#include "text.h"

#define LINE_BYTES_MAX 256

struct ask {
    struct app *app;
    uv_tty_t tty;
    uv_timer_t timer;
    uint64_t question; /* 0: none is open */
    int handles;
    int has_tty;
    char line[LINE_BYTES_MAX];
};

int ask_is_possible(const struct app *app)
{
    return app->options->yes || (isatty(STDIN_FILENO) && isatty(STDERR_FILENO));
}

static void rest(struct ask *ask)
{
    ask->question = 0;
    uv_timer_stop(&ask->timer);
    if (ask->has_tty)
        uv_read_stop((uv_stream_t *)&ask->tty);
}

/* Not called inside of ask or ask_over. */
static void answer(struct ask *ask, int32_t what)
{
    uint64_t question = ask->question;

    rest(ask);
    term_live_begin(ask->app->term, ask->app->options->tool);
    if (ask->app->host != NULL)
        (void)ahp_uv_answer(ask->app->host, question, what);
}

static int is_yes(const char *line, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
        len--;
    while (len > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    return (len == 1 && (*line == 'y' || *line == 'Y')) ||
           (len == 3 && (memcmp(line, "yes", 3) == 0 || memcmp(line, "Yes", 3) == 0 ||
                         memcmp(line, "YES", 3) == 0));
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_buf)
{
    struct ask *ask = handle->data;

    (void)wanted;
    *ret_buf = uv_buf_init(ask->line, sizeof(ask->line));
}

static void on_line(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct ask *ask = stream->data;

    if (len == 0 || ask->question == 0)
        return;
    answer(ask, len > 0 && is_yes(buf->base, (size_t)len) ? AHP_APPROVAL_ALLOWED
                                                           : AHP_APPROVAL_DENIED);
}

static void on_deadline(uv_timer_t *timer)
{
    struct ask *ask = timer->data;

    if (ask->question == 0)
        return;
    term_say(ask->app->term, "no answer in time");
    answer(ask, AHP_APPROVAL_TIMED_OUT);
}

static void say_question(struct ask *ask, const ahp_question *q)
{
    struct term *term = ask->app->term;

    term_live_end(term);
    term_say(term, "%.*s", (int)q->title.len, q->title.len > 0 ? q->title.ptr : "");
    if (q->text.len > 0)
        term_say(term, "  %.*s", (int)q->text.len, q->text.ptr);
    if (q->amount.len > 0)
        term_say(term, "  amount: %.*s %.*s", (int)q->amount.len, q->amount.ptr,
                 (int)q->currency.len, q->currency.len > 0 ? q->currency.ptr : "");
    else
        term_say(term, "  amount: not known");
    if (q->target.len > 0)
        term_say(term, "  to: %.*s", (int)q->target.len, q->target.ptr);
    if (q->conversation.len > 0)
        term_say(term, "  conversation: %.*s", (int)q->conversation.len, q->conversation.ptr);
}

int32_t ask_begin(struct ask *ask, uint64_t question_id, const ahp_question *question)
{
    struct app *app = ask->app;
    int64_t left_ms = question->deadline_ms - ahp_uv_now_ms(app->host);

    if (ask->question != 0)
        return AHP_E_LIMIT;
    if (app->options->yes) {
        say_question(ask, question);
        term_say(app->term, "approved by --yes");
        term_live_begin(app->term, app->options->tool);
        return ahp_uv_answer(app->host, question_id, AHP_APPROVAL_ALLOWED);
    }
    if (!ask->has_tty || uv_read_start((uv_stream_t *)&ask->tty, on_room, on_line) != 0)
        return AHP_E_UNSUPPORTED;
    (void)tcflush(STDIN_FILENO, TCIFLUSH); /* what was typed before is no answer to this */
    ask->question = question_id;
    say_question(ask, question);
    term_prompt(app->term, "Go on? [y/N] ");
    uv_update_time(&app->loop);
    uv_timer_start(&ask->timer, on_deadline, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
    return AHP_OK;
}

void ask_over(struct ask *ask, uint64_t question_id)
{
    if (ask->question != question_id)
        return;
    rest(ask);
    term_prompt(ask->app->term, "\n");
}

struct ask *ask_open(struct app *app)
{
    struct ask *ask = calloc(1, sizeof(*ask));

    if (ask == NULL)
        return NULL;
    ask->app = app;
    uv_timer_init(&app->loop, &ask->timer);
    ask->timer.data = ask;
    ask->handles = 1;
    if (!app->options->yes && uv_tty_init(&app->loop, &ask->tty, STDIN_FILENO, 1) == 0) {
        ask->tty.data = ask;
        ask->has_tty = 1;
        ask->handles++;
    }
    return ask;
}

static void on_closed(uv_handle_t *handle)
{
    struct ask *ask = handle->data;

    if (--ask->handles == 0)
        free(ask);
}

void ask_close(struct ask *ask)
{
    if (ask == NULL)
        return;
    if (ask->has_tty)
        uv_close((uv_handle_t *)&ask->tty, on_closed);
    uv_close((uv_handle_t *)&ask->timer, on_closed);
}
