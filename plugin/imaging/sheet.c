/* sheet.c - see sheet.h. */
#include "imaging/sheet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file without a name in the folder of `beside`, or -1 with errno. */
static int nameless(const char *beside)
{
    char path[LIMIT_PATH + sizeof(".XXXXXX")];
    char folder[LIMIT_PATH];
    char *slash;
    int fd;

    if (strlen(beside) >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(folder, beside, strlen(beside) + 1);
    slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    fd = open(slash ? folder : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    /* A file system without them. */
    snprintf(path, sizeof(path), "%s.XXXXXX", beside);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int map_file(struct sheet *sheet, const char *beside)
{
    int fd = nameless(beside);
    int error;
    void *data;

    if (fd < 0)
        return errno;
    error = posix_fallocate(fd, 0, (off_t)sheet->bytes);
    if (!error) {
        data = mmap(NULL, sheet->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
            error = errno;
        else
            sheet->data = data;
    }
    close(fd);
    return error;
}

int sheet_open(struct sheet *ret_sheet, const char *beside, int width, int height, int bands,
               struct err *err)
{
    struct sheet sheet = {.width = width, .height = height, .bands = bands};
    void *data;
    int error;

    sheet.bytes = (size_t)width * (size_t)height * (size_t)bands;
    if (sheet.bytes > LIMIT_IMAGING_MEMORY) {
        error = map_file(&sheet, beside);
        if (error)
            return err_set(err, ERR_IO, "%zu MiB of working space cannot be had (%s) beside %s",
                           sheet.bytes >> 20, strerror(error), beside);
    } else {
        data = mmap(NULL, sheet.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (data == MAP_FAILED)
            return err_nomem(err);
        sheet.data = data;
    }
    *ret_sheet = sheet;
    return 0;
}

void sheet_close(struct sheet *sheet)
{
    if (sheet->data)
        munmap(sheet->data, sheet->bytes);
    sheet->data = NULL;
}
