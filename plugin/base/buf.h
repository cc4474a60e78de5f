/* buf.h - bytes that grow up to a bound set at the start. Always ends in a NUL that len skips. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

struct buf {
    char *data; /* NULL while empty */
    size_t len;
    size_t room;
    size_t max; /* of len */
};

#define BUF_TOO_LARGE (-2)

void buf_init(struct buf *buf, size_t max);
void buf_done(struct buf *buf);

/* 0, -1 without memory, BUF_TOO_LARGE; the contents stay as they were when it fails. */
int buf_add(struct buf *buf, const void *data, size_t len);
int buf_text(struct buf *buf, const char *text);
int buf_format(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hands the bytes over; the buf is empty after it. The caller frees with mem_free. */
char *buf_take(struct buf *buf);

#endif
