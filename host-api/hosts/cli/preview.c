/*
 * preview.c - see preview.h. Items stand in a list in the order in which they are shown; the first
 * one may be at work: a process, the pipe that it writes into, and the time it has. All three are
 * over, and closed, before the item is printed and the next one begun.
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <utlist.h>

#include "common.h"
#include "preview.h"

/* Less than this is no picture any more. */
#define COLUMNS_MIN 8
#define ROWS_MIN    4

/* Lines of the screen that are not the picture's: the words, the live line, the prompt. */
#define ROWS_OTHERS 3

/* Of the environment, for the program. */
#define VARIABLES_MAX 32

struct item {
    char *file;  /* NULL: only words */
    char *words; /* NULL: only the picture */
    struct item *prev;
    struct item *next;
};

struct preview {
    uv_loop_t *loop;
    struct term *term;
    char *program;
    struct item *items;
    unsigned items_count;
    uv_timer_t timer; /* the first item's: to its begin, and then to its limit */
    uv_process_t process;
    uv_pipe_t pipe;
    int handles; /* of process and pipe: open or being closed */
    int is_drawn;
    int is_stopped;
    char *bytes; /* PREVIEW_BYTES_MAX */
    size_t len;
};

static void next(struct preview *p);

static void item_free(struct item *item)
{
    free(item->file);
    free(item->words);
    free(item);
}

/* The first item leaves the list, with or without its picture. */
static void print_first(struct preview *p, size_t picture_len)
{
    struct item *item = p->items;

    DL_DELETE(p->items, item);
    p->items_count--;
    if (picture_len > 0)
        term_picture(p->term, p->bytes, picture_len);
    if (item->words != NULL)
        term_say(p->term, "%s", item->words);
    item_free(item);
}

/* ---- one picture ---- */

static void on_closed(uv_handle_t *handle)
{
    struct preview *p = handle->data;

    if (--p->handles > 0)
        return;
    print_first(p, p->is_drawn ? p->len : 0);
    next(p);
}

static void on_process_end(uv_process_t *process, int64_t status, int signum)
{
    struct preview *p = process->data;

    p->is_drawn = p->is_drawn && status == 0 && signum == 0;
    uv_timer_stop(&p->timer);
    uv_close((uv_handle_t *)process, on_closed);
}

static void give_up(struct preview *p)
{
    p->is_drawn = 0;
    if (!uv_is_closing((uv_handle_t *)&p->process)) /* else its number may be another's */
        (void)uv_process_kill(&p->process, SIGKILL);
}

/* What is slow once is so again, and the others' words are not to wait for it. */
static void on_limit(uv_timer_t *timer)
{
    struct preview *p = timer->data;

    p->is_stopped = 1;
    give_up(p);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_buf)
{
    struct preview *p = handle->data;

    (void)wanted;
    *ret_buf = uv_buf_init(p->bytes + p->len, (unsigned)(PREVIEW_BYTES_MAX - p->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct preview *p = stream->data;

    (void)buf;
    if (n >= 0) {
        p->len += (size_t)n;
        return;
    }
    if (n != UV_EOF) /* also: no room is left */
        give_up(p);
    uv_close((uv_handle_t *)stream, on_closed);
}

/* The grid of the terminal, as the program's arguments. -1: there is no room. */
static int describe(char *cells, char *cell, size_t size)
{
    struct winsize w;
    int columns;
    int rows;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0)
        return -1;
    columns = w.ws_col - 1 < PREVIEW_COLUMNS_MAX ? w.ws_col - 1 : PREVIEW_COLUMNS_MAX;
    rows = w.ws_row - ROWS_OTHERS < PREVIEW_ROWS_MAX ? w.ws_row - ROWS_OTHERS : PREVIEW_ROWS_MAX;
    if (columns < COLUMNS_MIN || rows < ROWS_MIN)
        return -1;
    snprintf(cells, size, "%dx%d", columns, rows);
    if (w.ws_xpixel / w.ws_col >= 4 && w.ws_ypixel / w.ws_row >= 4)
        snprintf(cell, size, "%dx%d", w.ws_xpixel / w.ws_col, w.ws_ypixel / w.ws_row);
    else
        snprintf(cell, size, "8x16");
    return 0;
}

static int is_known(const char *variable)
{
    /* What terminals are told apart by, and where libraries are. */
    static const char *const names[] = {
        "TERM",        "COLORTERM",     "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_NAME",
        "CTX_BACKEND", "TERMINAL_NAME", "VTE_VERSION",  "KONSOLE_VERSION",      "KITTY_WINDOW_ID",
        "MLTERM",      "NVIM",          "TMUX",         "WEZTERM_EXECUTABLE",   "WT_SESSION",
        "STY",         "LANG",          "LD_LIBRARY_PATH"};
    size_t len = strcspn(variable, "=");
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == len && memcmp(variable, names[i], len) == 0)
            return 1;
    return strncmp(variable, "LC_", 3) == 0;
}

/* The keys of providers are in the environment, too: a decoder of files from elsewhere gets
 * none. */
static void pick_variables(char *ret_env[VARIABLES_MAX + 1])
{
    size_t count = 0;
    char **at;

    for (at = environ; at != NULL && *at != NULL && count < VARIABLES_MAX; at++)
        if (is_known(*at))
            ret_env[count++] = *at;
    ret_env[count] = NULL;
}

/* 0: on_closed follows. */
static int start(struct preview *p, char *file)
{
    char cells[32];
    char cell[32];
    char *argv[] = {p->program, cells, cell, file, NULL};
    char *env[VARIABLES_MAX + 1];
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_IGNORE}};
    uv_process_options_t options = {.exit_cb = on_process_end,
                                    .file = p->program,
                                    .args = argv,
                                    .env = env,
                                    .stdio_count = 3,
                                    .stdio = stdio};
    int rc;

    if (describe(cells, cell, sizeof(cells)) != 0 || uv_pipe_init(p->loop, &p->pipe, 0) != 0)
        return -1;
    pick_variables(env);
    p->len = 0;
    p->pipe.data = p;
    p->process.data = p;
    p->handles = 2;
    stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    stdio[1].data.stream = (uv_stream_t *)&p->pipe;
    rc = uv_spawn(p->loop, &p->process, &options);
    p->is_drawn = rc == 0 && uv_read_start((uv_stream_t *)&p->pipe, on_room, on_read) == 0;
    if (!p->is_drawn)
        uv_close((uv_handle_t *)&p->pipe, on_closed);
    if (rc != 0) {
        uv_close((uv_handle_t *)&p->process, on_closed);
        return 0;
    }
    uv_update_time(p->loop);
    uv_timer_start(&p->timer, on_limit, PREVIEW_MS, 0);
    return 0;
}

static void on_begin(uv_timer_t *timer)
{
    struct preview *p = timer->data;

    if (start(p, p->items->file) != 0) {
        print_first(p, 0);
        next(p);
    }
}

/* Prints what needs no drawing, up to the first that does. That is begun from the loop's top level:
 * to start a process takes a moment, which is not the caller's. */
static void next(struct preview *p)
{
    while (p->handles == 0 && p->items != NULL && (p->is_stopped || p->items->file == NULL))
        print_first(p, 0);
    if (p->handles == 0 && p->items != NULL)
        uv_timer_start(&p->timer, on_begin, 0, 0);
}

void preview_show(struct preview *p, struct term *term, const char *file, const char *words)
{
    int is_now = p == NULL || (p->is_stopped && p->items == NULL);
    struct item *item = is_now ? NULL : calloc(1, sizeof(*item));

    if (item != NULL && words != NULL && (item->words = strdup(words)) == NULL) {
        free(item);
        item = NULL;
    }
    if (item == NULL) {
        if (words != NULL)
            term_say(term, "%s", words);
        return;
    }
    if (file != NULL && p->items_count < PREVIEW_WAITING_MAX)
        item->file = strdup(file);
    DL_APPEND(p->items, item);
    p->items_count++;
    next(p);
}

/* ---- begin and end ---- */

struct preview *preview_open(uv_loop_t *loop, struct term *term)
{
    static const char *const places[] = {"agent-host-preview", HOSTS_PREVIEW_PLACE};
    struct preview *p;

    if (!term_has_color(term) || !isatty(STDOUT_FILENO))
        return NULL;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->program = path_from_program(places, sizeof(places) / sizeof(places[0]));
    p->bytes = malloc(PREVIEW_BYTES_MAX);
    if (p->program == NULL || p->bytes == NULL) {
        free(p->program);
        free(p->bytes);
        free(p);
        return NULL;
    }
    p->loop = loop;
    p->term = term;
    uv_timer_init(loop, &p->timer);
    p->timer.data = p;
    return p;
}

int preview_busy(const struct preview *p)
{
    return p != NULL && p->items != NULL;
}

void preview_stop(struct preview *p)
{
    if (p == NULL || p->is_stopped)
        return;
    p->is_stopped = 1;
    uv_timer_stop(&p->timer);
    if (p->handles > 0)
        give_up(p);
    next(p);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct preview *p = handle->data;

    free(p->program);
    free(p->bytes);
    free(p);
}

void preview_close(struct preview *p)
{
    if (p == NULL)
        return;
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}
