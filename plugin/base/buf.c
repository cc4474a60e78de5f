/* buf.c - see buf.h. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct buf *buf, size_t max)
{
    memset(buf, 0, sizeof(*buf));
    buf->max = max;
}

void buf_done(struct buf *buf)
{
    mem_free(buf->data);
    buf_init(buf, buf->max);
}

static int reserve(struct buf *buf, size_t more)
{
    size_t room = buf->room ? buf->room : 256;
    char *data;

    if (more > buf->max || buf->len > buf->max - more)
        return BUF_TOO_LARGE;
    if (buf->len + more + 1 <= buf->room)
        return 0;
    while (room < buf->len + more + 1)
        room *= 2;
    data = mem_grow(buf->data, room);
    if (!data)
        return -1;
    buf->data = data;
    buf->room = room;
    return 0;
}

int buf_add(struct buf *buf, const void *data, size_t len)
{
    int rc = reserve(buf, len);

    if (rc)
        return rc;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return 0;
}

int buf_text(struct buf *buf, const char *text)
{
    return buf_add(buf, text, strlen(text));
}

int buf_format(struct buf *buf, const char *format, ...)
{
    va_list args;
    int len;
    int rc;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return -1;
    rc = reserve(buf, (size_t)len);
    if (rc)
        return rc;
    va_start(args, format);
    vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
    return 0;
}

char *buf_take(struct buf *buf)
{
    char *data = buf->data;

    buf_init(buf, buf->max);
    return data;
}
