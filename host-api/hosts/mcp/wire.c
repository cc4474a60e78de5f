/*
 * wire.c - see wire.h. Pipes, sockets and terminals are libuv streams. A regular file cannot be
 * polled and never lets one wait long: it is read a piece a turn and written at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire.h"

/* Read at once, and all answered before it is looked at how much is waiting: small, since a short
 * request can have a long answer. */
#define READ_BYTES 8192u

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tty_t tty;
    uv_tcp_t tcp;
};

struct wire {
    union stream in;
    union stream out;
    uv_idle_t reader; /* of a regular file */
    int in_is_file;
    int out_is_file;
    int in_open;
    int out_open;
    int is_reading;
    int is_stopped;
    int is_over;
    size_t waiting;
    struct lines lines;
    line_fn *line;
    wire_end_fn *end;
    void *ud;
    char room[READ_BYTES];
};

struct sending {
    uv_write_t write;
    struct wire *wire;
    char *text;
    size_t len;
};

static void read_more(struct wire *w);

static void over(struct wire *w, const char *why)
{
    if (w->is_over)
        return;
    w->is_over = 1;
    wire_stop(w);
    w->end(w->ud, why);
}

/* ---- input ---- */

static void got(struct wire *w, ssize_t n)
{
    if (n > 0) {
        if (lines_push(&w->lines, w->room, (size_t)n, w->line, w->ud) != 0)
            over(w, "no memory for what the client sends");
    } else {
        lines_end(&w->lines, w->line, w->ud);
        over(w, n == 0 || n == UV_EOF ? NULL : uv_strerror((int)n));
    }
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_buf)
{
    struct wire *w = handle->data;

    (void)wanted;
    *ret_buf = uv_buf_init(w->room, sizeof(w->room));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct wire *w = stream->data;

    (void)buf;
    if (n == 0) /* no bytes have come */
        return;
    got(w, n);
    read_more(w);
}

static void on_file_turn(uv_idle_t *idle)
{
    struct wire *w = idle->data;
    ssize_t n = read(STDIN_FILENO, w->room, sizeof(w->room));

    if (n < 0 && errno == EINTR)
        return;
    got(w, n < 0 ? -errno : n);
    read_more(w);
}

/* Reads on, or not, by how much the client has left lying. */
static void read_more(struct wire *w)
{
    int wanted = !w->is_stopped && w->waiting < (w->is_reading ? WIRE_WAITING_HIGH
                                                               : WIRE_WAITING_LOW);

    if (wanted == w->is_reading)
        return;
    w->is_reading = wanted;
    if (w->in_is_file && wanted)
        uv_idle_start(&w->reader, on_file_turn);
    else if (w->in_is_file)
        uv_idle_stop(&w->reader);
    else if (wanted)
        uv_read_start(&w->in.stream, on_room, on_read);
    else
        uv_read_stop(&w->in.stream);
}

/* ---- output ---- */

static void on_written(uv_write_t *write, int status)
{
    struct sending *s = write->data;
    struct wire *w = s->wire;

    w->waiting -= s->len;
    free(s->text);
    free(s);
    if (status < 0 && status != UV_ECANCELED)
        over(w, uv_strerror(status));
    else
        read_more(w);
}

static void write_file(struct wire *w, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            over(w, strerror(errno));
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

void wire_send_take(struct wire *w, char *text)
{
    size_t len = strlen(text);
    struct sending *s;
    uv_buf_t buf;

    text[len++] = '\n'; /* in the place of the NUL */
    if (w->out_is_file) {
        write_file(w, text, len);
        free(text);
        return;
    }
    s = w->out_open && w->waiting + len <= WIRE_WAITING_MAX ? malloc(sizeof(*s)) : NULL;
    if (s == NULL) {
        free(text);
        over(w, "the client does not take its answers");
        return;
    }
    s->wire = w;
    s->text = text;
    s->len = len;
    s->write.data = s;
    buf = uv_buf_init(text, (unsigned)len);
    w->waiting += len;
    if (uv_write(&s->write, &w->out.stream, &buf, 1, on_written) != 0) {
        w->waiting -= len;
        free(text);
        free(s);
        over(w, "standard output is closed");
        return;
    }
    read_more(w);
}

size_t wire_waiting(const struct wire *w)
{
    return w->waiting;
}

/* ---- begin and end ---- */

static int open_stream(uv_loop_t *loop, union stream *s, int fd)
{
    switch (uv_guess_handle(fd)) {
    case UV_NAMED_PIPE:
        uv_pipe_init(loop, &s->pipe, 0);
        return uv_pipe_open(&s->pipe, fd);
    case UV_TCP:
        uv_tcp_init(loop, &s->tcp);
        return uv_tcp_open(&s->tcp, fd);
    case UV_TTY:
        return uv_tty_init(loop, &s->tty, fd, 0);
    default:
        return UV_EINVAL;
    }
}

static int is_file(int fd)
{
    uv_handle_type type = uv_guess_handle(fd);

    /* /dev/null and its like are "unknown" */
    return type == UV_FILE || (type == UV_UNKNOWN_HANDLE && fcntl(fd, F_GETFD) != -1);
}

struct wire *wire_open(uv_loop_t *loop, line_fn *line, wire_end_fn *end, void *ud,
                       const char **ret_why)
{
    struct wire *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        *ret_why = "no memory";
        return NULL;
    }
    lines_init(&w->lines, LINE_BYTES_MAX);
    w->line = line;
    w->end = end;
    w->ud = ud;
    w->in_is_file = is_file(STDIN_FILENO);
    w->out_is_file = is_file(STDOUT_FILENO);
    uv_idle_init(loop, &w->reader);
    w->reader.data = w;
    w->in_open = !w->in_is_file && open_stream(loop, &w->in, STDIN_FILENO) == 0;
    w->in.handle.data = w;
    w->out_open = !w->out_is_file && open_stream(loop, &w->out, STDOUT_FILENO) == 0;
    w->out.handle.data = w;
    if ((!w->in_is_file && !w->in_open) || (!w->out_is_file && !w->out_open)) {
        *ret_why = "standard input and output must be open: this is a server for a program, see "
                   "--help";
        wire_close(w);
        uv_run(loop, UV_RUN_NOWAIT);
        wire_free(w);
        return NULL;
    }
    read_more(w);
    return w;
}

void wire_stop(struct wire *w)
{
    w->is_stopped = 1;
    read_more(w);
}

void wire_close(struct wire *w)
{
    if (w == NULL)
        return;
    w->is_over = 1;
    w->is_stopped = 1;
    uv_close((uv_handle_t *)&w->reader, NULL);
    if (w->in_open)
        uv_close(&w->in.handle, NULL);
    if (w->out_open)
        uv_close(&w->out.handle, NULL);
    w->in_open = 0;
    w->out_open = 0;
}

void wire_free(struct wire *w)
{
    if (w == NULL)
        return;
    lines_done(&w->lines);
    free(w);
}
