/*
 * term.c - see term.h. All output of a moment goes out in one write, so that a live line never
 * flickers and lines of several threads do not mix; the mutex keeps live line and lines apart.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ahp/ahp.h>

#include "term.h"
#include "text.h"

#define TEXT_BYTES_MAX  512
#define LINE_BYTES_MAX  4096
#define REDRAW_MS       100
#define PLAIN_MS        1000
#define BAR_COLUMNS     20
#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN     20

struct term {
    uv_timer_t timer;
    uv_mutex_t mutex;
    int is_tty;
    int is_color;
    int is_utf8;
    int on;    /* between begin and end */
    int drawn; /* the live line is on the screen */
    int changed;
    unsigned frame;
    uint64_t begun_ms;
    uint64_t printed_ms;
    int32_t permille;
    char label[TEXT_BYTES_MAX];
    char text[TEXT_BYTES_MAX];
};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void put(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, bytes, len);

        if (n <= 0)
            return; /* nobody listens: there is nowhere to say so */
        bytes += n;
        len -= (size_t)n;
    }
}

static int columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_DEFAULT;
    return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
}

/* Appends to a buffer of LINE_BYTES_MAX; what does not fit is left out. */
static void add(char *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(char *line, const char *fmt, ...)
{
    size_t len = strlen(line);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line + len, LINE_BYTES_MAX - len, fmt, ap);
    va_end(ap);
}

static void add_bar(const struct term *t, char *line, int width)
{
    int full = (int)((int64_t)t->permille * width / 1000);
    int i;

    if (t->is_color)
        add(line, "\x1b[36m");
    else if (!t->is_utf8)
        add(line, "[");
    for (i = 0; i < width; i++) {
        if (i == full && t->is_color)
            add(line, "\x1b[2m");
        add(line, "%s",
            t->is_utf8 ? (i < full || t->is_color ? "\xE2\x94\x81" : "\xC2\xB7")
                       : (i < full ? "#" : "-"));
    }
    if (t->is_color)
        add(line, "\x1b[0m");
    else if (!t->is_utf8)
        add(line, "]");
    add(line, " %3d%%", (int)(t->permille / 10));
}

/* label  text  0:12  bar: the text gives way first, then the bar. */
static void draw(struct term *t, char *line)
{
    static const char *const spinner[] = {
        "\xE2\xA0\x8B", "\xE2\xA0\x99", "\xE2\xA0\xB9", "\xE2\xA0\xB8", "\xE2\xA0\xBC",
        "\xE2\xA0\xB4", "\xE2\xA0\xA6", "\xE2\xA0\xA7", "\xE2\xA0\x87", "\xE2\xA0\x8F"};
    static const char *const ascii[] = {"|", "/", "-", "\\"};
    char label[TEXT_BYTES_MAX];
    char text[TEXT_BYTES_MAX];
    char elapsed[32];
    int left = columns() - 1; /* a full last column would wrap on some terminals */
    int bar = 0;

    memcpy(label, t->label, sizeof(label));
    memcpy(text, t->text, sizeof(text));
    text_elapsed((int64_t)(now_ms() - t->begun_ms), elapsed, sizeof(elapsed));
    left -= 2 + 2 + text_columns(elapsed);
    text_cut(label, sizeof(label), left > 10 ? left : 10);
    left -= text_columns(label);
    if (t->permille >= 0) {
        bar = BAR_COLUMNS;
        if (left - (bar + 9) < 24)
            bar = left - (8 + 9) >= 10 ? 8 : 0;
        if (bar > 0)
            left -= bar + 9;
    }
    if (left - 2 >= 8)
        text_cut(text, sizeof(text), left - 2);
    else
        text[0] = '\0';
    add(line, "\r\x1b[K");
    if (t->is_color)
        add(line, "\x1b[36m");
    add(line, "%s ", t->is_utf8 ? spinner[t->frame % 10] : ascii[t->frame % 4]);
    add(line, t->is_color ? "\x1b[0m\x1b[1m%s\x1b[0m" : "%s", label);
    if (text[0] != '\0')
        add(line, "  %s", text);
    add(line, t->is_color ? "  \x1b[2m%s\x1b[0m" : "  %s", elapsed);
    if (bar > 0) {
        add(line, "  ");
        add_bar(t, line, bar);
    }
    t->drawn = 1;
}

static void plain(struct term *t, char *line)
{
    char elapsed[32];

    text_elapsed((int64_t)(now_ms() - t->begun_ms), elapsed, sizeof(elapsed));
    add(line, "%s: %s (%s", t->label, t->text[0] != '\0' ? t->text : "working", elapsed);
    if (t->permille >= 0)
        add(line, ", %d%%", (int)(t->permille / 10));
    add(line, ")\n");
    t->changed = 0;
    t->printed_ms = now_ms();
}

static void on_timer(uv_timer_t *timer)
{
    struct term *t = timer->data;
    char line[LINE_BYTES_MAX] = "";

    uv_mutex_lock(&t->mutex);
    if (t->on && t->is_tty) {
        t->frame++;
        draw(t, line);
    } else if (t->on && t->changed && now_ms() - t->printed_ms >= PLAIN_MS) {
        plain(t, line);
    }
    put(line, strlen(line));
    uv_mutex_unlock(&t->mutex);
}

struct term *term_open(uv_loop_t *loop)
{
    struct term *t = calloc(1, sizeof(*t));
    const char *kind = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");

    if (t == NULL)
        return NULL;
    if (uv_mutex_init(&t->mutex) != 0) {
        free(t);
        return NULL;
    }
    uv_timer_init(loop, &t->timer);
    uv_unref((uv_handle_t *)&t->timer);
    t->timer.data = t;
    t->is_tty = isatty(STDERR_FILENO) && kind != NULL && kind[0] != '\0' &&
                strcmp(kind, "dumb") != 0;
    t->is_color = t->is_tty && (no_color == NULL || no_color[0] == '\0');
    t->is_utf8 = text_is_utf8();
    return t;
}

void term_live_begin(struct term *t, const char *label)
{
    char line[LINE_BYTES_MAX] = "";

    uv_mutex_lock(&t->mutex);
    t->on = 1;
    t->permille = -1;
    t->text[0] = '\0';
    t->begun_ms = now_ms();
    text_clean(label, strlen(label), t->label, sizeof(t->label));
    if (t->is_tty) {
        draw(t, line);
        put(line, strlen(line));
    }
    uv_mutex_unlock(&t->mutex);
    uv_timer_start(&t->timer, on_timer, REDRAW_MS, REDRAW_MS);
    if (!t->is_tty) /* runs only while a change waits for its second */
        uv_timer_stop(&t->timer);
}

void term_live_set(struct term *t, int32_t permille, const char *text)
{
    char clean[TEXT_BYTES_MAX];
    char line[LINE_BYTES_MAX] = "";

    text_clean(text, strlen(text), clean, sizeof(clean));
    uv_mutex_lock(&t->mutex);
    if (t->permille / 10 != permille / 10 || strcmp(t->text, clean) != 0)
        t->changed = 1;
    t->permille = permille;
    memcpy(t->text, clean, sizeof(t->text));
    if (!t->is_tty && t->on && t->changed) {
        uint64_t age = now_ms() - t->printed_ms;

        if (t->printed_ms == 0 || age >= PLAIN_MS)
            plain(t, line);
        else
            uv_timer_start(&t->timer, on_timer, PLAIN_MS - age, 0);
    }
    put(line, strlen(line));
    uv_mutex_unlock(&t->mutex);
}

void term_live_end(struct term *t)
{
    uv_mutex_lock(&t->mutex);
    if (t->drawn)
        put("\r\x1b[K", 4);
    t->on = 0;
    t->drawn = 0;
    t->changed = 0;
    uv_mutex_unlock(&t->mutex);
    uv_timer_stop(&t->timer);
}

int term_is_live(const struct term *t)
{
    return t->is_tty;
}

int term_has_color(const struct term *t)
{
    return t->is_color;
}

int64_t term_live_ms(const struct term *t)
{
    return (int64_t)(now_ms() - t->begun_ms);
}

/* One line above the live one. */
static void put_line(struct term *t, const char *prefix, const char *text)
{
    char line[LINE_BYTES_MAX] = "";

    uv_mutex_lock(&t->mutex);
    if (t->drawn)
        add(line, "\r\x1b[K");
    add(line, "%s%.*s\n", prefix, LINE_BYTES_MAX / 2, text);
    if (t->drawn && t->on)
        draw(t, line);
    put(line, strlen(line));
    uv_mutex_unlock(&t->mutex);
}

void term_say(struct term *t, const char *fmt, ...)
{
    char text[LINE_BYTES_MAX / 2];
    char clean[LINE_BYTES_MAX / 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    text_clean(text, strlen(text), clean, sizeof(clean));
    put_line(t, "", clean);
}

void term_picture(struct term *t, const char *bytes, size_t len)
{
    static const char after[] = "\x1b[0m\n";
    char line[LINE_BYTES_MAX] = "";

    uv_mutex_lock(&t->mutex);
    put(t->drawn ? "\r\x1b[K" : "\r", t->drawn ? 4 : 1);
    put(bytes, len);
    put(after, strlen(after));
    if (t->drawn && t->on)
        draw(t, line);
    put(line, strlen(line));
    uv_mutex_unlock(&t->mutex);
}

void term_prompt(struct term *t, const char *text)
{
    uv_mutex_lock(&t->mutex);
    put(text, strlen(text));
    uv_mutex_unlock(&t->mutex);
}

void term_log(struct term *t, int32_t level, const char *text, size_t len)
{
    /* accusations name the accused themselves */
    static const char *const prefixes[] = {
        "agent-host: debug: ", "agent-host: info: ", "agent-host: warning: ",
        "agent-host: error: ", "agent-host: ",       "agent-host: "};
    char clean[TEXT_BYTES_MAX * 2];

    if (level < AHP_LOG_DEBUG || level > AHP_LOG_PLUGIN_MISBEHAVES)
        level = AHP_LOG_ERROR;
    text_clean(text, len, clean, sizeof(clean));
    put_line(t, prefixes[level], clean);
}

static void on_closed(uv_handle_t *handle)
{
    struct term *t = handle->data;

    uv_mutex_destroy(&t->mutex);
    free(t);
}

void term_close(struct term *t)
{
    if (t == NULL)
        return;
    term_live_end(t);
    uv_close((uv_handle_t *)&t->timer, on_closed);
}
