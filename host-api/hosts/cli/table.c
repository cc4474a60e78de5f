/*
 * table.c - see table.h.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "table.h"
#include "text.h"

#define CELL_BYTES_MAX      1024
#define LAST_COLUMN_MIN     30 /* before the flexible one has any */
#define FLEXIBLE_COLUMN_MIN 8
#define CUT_COLUMN_MIN      8 /* a terminal that has not even this breaks the line */

struct table {
    int columns;
    int flexible;
    size_t rows;
    char **cells;
};

struct table *table_new(int columns, int flexible)
{
    struct table *t = calloc(1, sizeof(*t));

    if (t != NULL) {
        t->columns = columns;
        t->flexible = flexible;
    }
    return t;
}

int table_add(struct table *t, const char *const *cells)
{
    size_t count = (t->rows + 1) * (size_t)t->columns;
    char **larger = realloc(t->cells, count * sizeof(*larger));
    int i;

    if (larger == NULL)
        return -1;
    t->cells = larger;
    for (i = 0; i < t->columns; i++) {
        char clean[CELL_BYTES_MAX];
        char *copy;

        text_clean(cells[i] != NULL ? cells[i] : "", cells[i] != NULL ? strlen(cells[i]) : 0, clean,
                   sizeof(clean));
        copy = malloc(strlen(clean) + 1 + TEXT_CUT_BYTES);
        if (copy != NULL)
            memcpy(copy, clean, strlen(clean) + 1);
        t->cells[t->rows * (size_t)t->columns + (size_t)i] = copy;
    }
    t->rows++;
    return 0;
}

static char *cell(const struct table *t, size_t row, int column)
{
    return t->cells[row * (size_t)t->columns + (size_t)column];
}

/* 0: there is nothing in it but a head. */
static int column_width(const struct table *t, int column)
{
    int width = 0;
    int is_used = t->rows == 1;
    size_t row;

    for (row = 0; row < t->rows; row++) {
        const char *text = cell(t, row, column);
        int w = text != NULL ? text_columns(text) : 0;

        if (w > width)
            width = w;
        if (w > 0 && row > 0)
            is_used = 1;
    }
    return is_used ? width : 0;
}

/* The flexible column gives way to the last one, and is left out when nothing of it could be
 * read. */
static void make_room(const struct table *t, int *widths, int width_max)
{
    int last = widths[t->columns - 1];
    int room = width_max - (last < LAST_COLUMN_MIN ? last : LAST_COLUMN_MIN);
    int i;

    for (i = 0; i < t->columns - 1; i++)
        room -= widths[i] > 0 && i != t->flexible ? widths[i] + 2 : 0;
    room -= 2;
    if (widths[t->flexible] > room)
        widths[t->flexible] = room >= FLEXIBLE_COLUMN_MIN ? room : 0;
}

static void print_row(const struct table *t, FILE *to, size_t row, const int *widths, int width_max)
{
    char empty[1 + TEXT_CUT_BYTES] = "";
    int at = 0;
    int blanks = 0; /* not printed at the end of a line */
    int i;

    for (i = 0; i < t->columns; i++) {
        char *text = cell(t, row, i);
        int left = width_max - at;

        if (widths[i] == 0)
            continue;
        if (text == NULL)
            text = empty;
        if (i < t->columns - 1)
            left = widths[i];
        else if (left < CUT_COLUMN_MIN)
            left = CUT_COLUMN_MIN;
        if (width_max > 0)
            text_cut(text, strlen(text) + 1 + TEXT_CUT_BYTES, left);
        if (text[0] != '\0') {
            fprintf(to, "%*s%s", blanks, "", text);
            blanks = 0;
        }
        blanks += widths[i] - text_columns(text) + 2;
        at += widths[i] + 2;
    }
    fputc('\n', to);
}

void table_print(const struct table *t, FILE *to, int width_max)
{
    int widths[TABLE_COLUMNS_MAX];
    size_t row;
    int i;

    for (i = 0; i < t->columns; i++)
        widths[i] = column_width(t, i);
    if (width_max > 0 && t->flexible >= 0)
        make_room(t, widths, width_max);
    for (row = 0; row < t->rows; row++)
        print_row(t, to, row, widths, width_max);
}

void table_free(struct table *t)
{
    size_t i;

    if (t == NULL)
        return;
    for (i = 0; i < t->rows * (size_t)t->columns; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

int table_width(FILE *to)
{
    struct winsize size;

    if (!isatty(fileno(to)) || ioctl(fileno(to), TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}
