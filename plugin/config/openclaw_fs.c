/* The machine's files behind struct openclaw_fs. A file is opened once and judged by its
 * descriptor, so it cannot be exchanged between check and reading. */
#include "config/openclaw_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static int check_file(int fd, size_t bytes_max, unsigned checks, struct stat *ret_stat)
{
    if (fstat(fd, ret_stat) < 0)
        return -errno;
    if (!S_ISREG(ret_stat->st_mode))
        return -EINVAL;
    if (ret_stat->st_size < 0 || (unsigned long long)ret_stat->st_size > bytes_max)
        return -EFBIG;
    if ((checks & (OPENCLAW_FS_ONE_LINK | OPENCLAW_FS_PRIVATE)) && ret_stat->st_nlink > 1)
        return -EMLINK;
    if ((checks & OPENCLAW_FS_PRIVATE) &&
        (ret_stat->st_uid != geteuid() || (ret_stat->st_mode & (S_IRWXG | S_IRWXO)) != 0))
        return -EACCES;
    return 0;
}

/* Up to room bytes; a file that has grown meanwhile is too big rather than cut short. */
static int read_all(int fd, char *text, size_t room, size_t *ret_len)
{
    size_t len = 0;

    for (;;) {
        ssize_t n = read(fd, text + len, room - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
        if (len == room)
            return -EFBIG;
    }
    *ret_len = len;
    return 0;
}

static int system_read(void *ud, const char *path, size_t bytes_max, unsigned checks,
                       char **ret_text, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char *text = NULL;
    size_t room;
    int rc;

    (void)ud;
    if (fd < 0)
        return -errno;
    rc = check_file(fd, bytes_max, checks, &st);
    if (rc < 0)
        goto out;
    room = (size_t)st.st_size + 1;
    text = mem_alloc(room);
    rc = text ? read_all(fd, text, room, ret_len) : -ENOMEM;
    if (rc < 0)
        goto out;
    text[*ret_len] = '\0';
    *ret_text = text;
    text = NULL;
out:
    mem_free(text);
    close(fd);
    return rc;
}

static int system_resolve(void *ud, const char *path, char *ret_path)
{
    char *real = realpath(path, NULL);
    size_t len;
    int rc = 0;

    (void)ud;
    if (!real)
        return -errno;
    len = strlen(real);
    if (len < OPENCLAW_PATH_MAX)
        memcpy(ret_path, real, len + 1);
    else
        rc = -ENAMETOOLONG;
    free(real);
    return rc;
}

const struct openclaw_fs openclaw_fs_system = {system_read, system_resolve, NULL};
