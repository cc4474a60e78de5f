/*
 * png_out.c - see png_out.h. libpng reports trouble by longjmp; every call into it is in a function
 * of this file that sets the mark first and keeps nothing in local variables across it.
 */
#include "imaging/png_out.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Pictures that people will look at once: half of the best level's time for a few percent more. */
#define LEVEL_PICTURE 4
#define LEVEL_MASK 6
#define BUFFER_BYTES 65536u

struct png_out {
    png_structp png;
    png_infop info;
    int fd;
    int error; /* errno of a write */
    char words[120];
    char part[LIMIT_PATH];
    char path[LIMIT_PATH];
    size_t used;
    uint8_t buffer[BUFFER_BYTES];
};

static int drain(struct png_out *out)
{
    size_t at = 0;

    while (at < out->used) {
        ssize_t n = write(out->fd, out->buffer + at, out->used - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            out->error = errno;
            return -1;
        }
        at += (size_t)n;
    }
    out->used = 0;
    return 0;
}

static void on_bytes(png_structp png, png_bytep data, size_t len)
{
    struct png_out *out = png_get_io_ptr(png);

    while (len) {
        size_t room = BUFFER_BYTES - out->used;
        size_t part = len < room ? len : room;

        memcpy(out->buffer + out->used, data, part);
        out->used += part;
        data += part;
        len -= part;
        if (out->used == BUFFER_BYTES && drain(out))
            png_error(png, "write");
    }
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void on_error(png_structp png, png_const_charp words)
{
    struct png_out *out = png_get_error_ptr(png);

    snprintf(out->words, sizeof(out->words), "%s", words);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp words)
{
    (void)png;
    (void)words;
}

static int failed(const struct png_out *out, struct err *err)
{
    if (out->error)
        return err_set(err, ERR_IO, "cannot be written (%s): %s", strerror(out->error), out->path);
    return err_set(err, ERR_IO, "cannot be written (libpng: %s): %s", out->words, out->path);
}

static int begin(struct png_out *out, int width, int height, int bands, const void *profile,
                 size_t profile_len)
{
    static const int types[] = {0, PNG_COLOR_TYPE_GRAY, 0, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGBA};

    if (setjmp(png_jmpbuf(out->png)))
        return -1;
    png_set_write_fn(out->png, out, on_bytes, on_flush);
    /* Our own limits hold already, and they are higher than libpng's of a million a side. */
    png_set_user_limits(out->png, LIMIT_IMAGING_SIDE, LIMIT_IMAGING_SIDE);
    png_set_IHDR(out->png, out->info, (png_uint_32)width, (png_uint_32)height, 8, types[bands],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(out->png, bands == 1 ? LEVEL_MASK : LEVEL_PICTURE);
    png_set_filter(out->png, PNG_FILTER_TYPE_BASE, bands == 1 ? PNG_FILTER_NONE : PNG_FILTER_SUB);
    if (profile) {
        /* A profile that libpng finds fault with is left out; the pixels are what matters. */
        png_set_benign_errors(out->png, 1);
        png_set_iCCP(out->png, out->info, "icc", PNG_COMPRESSION_TYPE_BASE, profile,
                     (png_uint_32)profile_len);
    }
    png_write_info(out->png, out->info);
    return 0;
}

int png_out_open(const char *path, int width, int height, int bands, const void *profile,
                 size_t profile_len, struct png_out **ret_out, struct err *err)
{
    struct png_out *out = mem_alloc(sizeof(*out));

    if (!out)
        return err_nomem(err);
    out->fd = -1;
    if (snprintf(out->path, sizeof(out->path), "%s", path) >= (int)sizeof(out->path) - 8) {
        mem_free(out);
        return err_set(err, ERR_LIMIT, "the path of the output is longer than %d bytes",
                       LIMIT_PATH - 9);
    }
    snprintf(out->part, sizeof(out->part), "%.*s.part", LIMIT_PATH - 8, path);
    out->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, out, on_error, on_warning);
    out->info = out->png ? png_create_info_struct(out->png) : NULL;
    if (!out->info) {
        png_out_abandon(out);
        return err_nomem(err);
    }
    unlink(out->part);
    out->fd = open(out->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (out->fd < 0)
        out->error = errno;
    if (out->fd < 0 || begin(out, width, height, bands, profile, profile_len)) {
        failed(out, err);
        png_out_abandon(out);
        return -1;
    }
    *ret_out = out;
    return 0;
}

int png_out_row(struct png_out *out, const uint8_t *row, struct err *err)
{
    if (setjmp(png_jmpbuf(out->png)))
        return failed(out, err);
    png_write_row(out->png, row);
    return 0;
}

static int finish(struct png_out *out)
{
    if (setjmp(png_jmpbuf(out->png)))
        return -1;
    png_write_end(out->png, NULL);
    return 0;
}

int png_out_finish_take(struct png_out *out, struct err *err)
{
    int rc = finish(out) || drain(out);

    if (!rc && fdatasync(out->fd) && errno != EINVAL) {
        out->error = errno;
        rc = -1;
    }
    if (!rc && rename(out->part, out->path)) {
        out->error = errno;
        rc = -1;
    }
    if (rc) {
        failed(out, err);
        png_out_abandon(out);
        return -1;
    }
    close(out->fd);
    png_destroy_write_struct(&out->png, &out->info);
    mem_free(out);
    return 0;
}

void png_out_abandon(struct png_out *out)
{
    if (!out)
        return;
    if (out->fd >= 0) {
        unlink(out->part);
        close(out->fd);
    }
    if (out->png)
        png_destroy_write_struct(&out->png, &out->info);
    mem_free(out);
}
