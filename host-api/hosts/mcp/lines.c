/*
 * lines.c - see lines.h. A line that lies in one piece in what was read is handed over where it is;
 * only beginnings without an end are kept.
 */
#include <stdlib.h>
#include <string.h>

#include "lines.h"

#define KEEP_BYTES_MIN 4096u

/* A buffer that has grown past this is given back once its line is done. */
#define KEEP_BYTES_IDLE (256u * 1024u)

void lines_init(struct lines *l, size_t line_bytes_max)
{
    memset(l, 0, sizeof(*l));
    l->line_bytes_max = line_bytes_max;
}

void lines_done(struct lines *l)
{
    free(l->bytes);
    lines_init(l, l->line_bytes_max);
}

static int keep(struct lines *l, const char *bytes, size_t len)
{
    size_t size = l->size > 0 ? l->size : KEEP_BYTES_MIN;
    char *larger;

    while (size < l->len + len)
        size *= 2;
    if (size > l->size) {
        larger = realloc(l->bytes, size);
        if (larger == NULL)
            return -1;
        l->bytes = larger;
        l->size = size;
    }
    if (len > 0)
        memcpy(l->bytes + l->len, bytes, len);
    l->len += len;
    return 0;
}

static void forget(struct lines *l)
{
    l->len = 0;
    if (l->size > KEEP_BYTES_IDLE) {
        free(l->bytes);
        l->bytes = NULL;
        l->size = 0;
    }
}

/* Of the line that these bytes go on with. 1: they are of no use. */
static int is_too_long(struct lines *l, size_t len, line_fn *fn, void *ud)
{
    if (l->is_skipping)
        return 1;
    if (l->len + len <= l->line_bytes_max)
        return 0;
    l->is_skipping = 1;
    forget(l);
    fn(ud, NULL, 0);
    return 1;
}

int lines_push(struct lines *l, const char *bytes, size_t len, line_fn *fn, void *ud)
{
    while (len > 0) {
        const char *end = memchr(bytes, '\n', len);
        size_t part = end != NULL ? (size_t)(end - bytes) : len;

        if (!is_too_long(l, part, fn, ud)) {
            if ((end == NULL || l->len > 0) && keep(l, bytes, part) != 0)
                return -1;
            if (end != NULL && l->len > 0)
                fn(ud, l->bytes, l->len);
            else if (end != NULL)
                fn(ud, bytes, part);
        }
        if (end == NULL)
            return 0;
        l->is_skipping = 0;
        forget(l);
        bytes += part + 1;
        len -= part + 1;
    }
    return 0;
}

void lines_end(struct lines *l, line_fn *fn, void *ud)
{
    if (!l->is_skipping && l->len > 0)
        fn(ud, l->bytes, l->len);
    l->is_skipping = 0;
    forget(l);
}
