/* file.c - see file.h. */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t done = write(fd, data, len);

        if (done < 0 && errno != EINTR)
            return -1;
        if (done > 0) {
            data += done;
            len -= (size_t)done;
        }
    }
    return 0;
}

/* The folders above a file; `path` is as it was afterwards. */
static int make_folders(char *path, mode_t mode)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        int rc;

        *slash = '\0';
        rc = mkdir(path, mode);
        *slash = '/';
        /* A folder that may not be made but is there, or is not ours to see: open will tell. */
        if (rc && errno != EEXIST && errno != EACCES && errno != EROFS)
            return -1;
    }
    return 0;
}

static void sync_folder(char *path)
{
    char *slash = strrchr(path, '/');
    int fd;

    *slash = '\0';
    fd = open(*path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    if (fd >= 0) {
        (void)fsync(fd); /* some file systems cannot, and the file itself is synced */
        close(fd);
    }
}

int file_replace(const char *path, const char *data, size_t len, mode_t mode, struct err *err)
{
    char *temp = mem_format("%s.new-%ld", path, (long)getpid());
    int fd = -1;
    int error = 0;

    if (!temp)
        return err_nomem(err);
    if (make_folders(temp, mode & 044 ? 0755 : 0700) == 0) {
        unlink(temp); /* of a process of our number that ended here */
        fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    }
    if (fd < 0 || fchmod(fd, mode) || file_write_all(fd, data, len) || fsync(fd) ||
        rename(temp, path)) {
        error = errno;
        if (fd >= 0)
            unlink(temp);
    } else {
        sync_folder(temp);
    }
    if (fd >= 0)
        close(fd);
    mem_free(temp);
    return error ? err_set(err, ERR_IO, "cannot write %.300s: %s", path, strerror(error)) : 0;
}
