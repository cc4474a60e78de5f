/*
 * input.c - a local file that a user names: where it really is, whether it may be read, what it is.
 * A path is judged by what it resolves to, never by how it is spelled, and compared with the
 * resolved roots component by component. Outside the roots every answer is the same refusal, so
 * that nobody learns which files exist there. Messages end with the path, since a long one cuts
 * off what follows.
 */
#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The path of a file:// URL of this machine (RFC 8089). */
static int path_of_url(const char *url, char *ret_path, struct err *err)
{
    const char *at = url + strlen("file://");
    size_t len = 0;

    if (strncasecmp(at, "localhost/", 10) == 0)
        at += strlen("localhost");
    if (*at != '/')
        return err_set(err, ERR_INVALID, "a file:// URL must name a file of this machine, such as "
                       "file:///home/me/picture.png");
    for (; *at; at++) {
        char c = *at;

        if (c == '%') {
            int high = hex_value(at[1]);
            int low = high < 0 ? -1 : hex_value(at[2]);

            if (low < 0 || (high == 0 && low == 0))
                return err_set(err, ERR_INVALID, "this file:// URL has a broken %% sequence");
            c = (char)(high << 4 | low);
            at += 2;
        }
        if (len + 1 >= LIMIT_PATH)
            return err_set(err, ERR_INVALID, "the path is longer than %d bytes", LIMIT_PATH - 1);
        ret_path[len++] = c;
    }
    ret_path[len] = '\0';
    return 0;
}

/* "~" and "~/x"; other users' homes are not looked up. Other paths are taken as they are. */
static int expand_home(const char *path, char *ret_path, struct err *err)
{
    const char *home = "";
    int len;

    if (path[0] == '~' && (path[1] == '/' || path[1] == '\0')) {
        home = getenv("HOME");
        if (!home || *home != '/')
            return err_set(err, ERR_INVALID, "\"~\" has no meaning here: HOME is not set. Write "
                           "the whole path");
        path++;
    }
    len = snprintf(ret_path, LIMIT_PATH, "%s%s", home, path);
    if (len < 0 || len >= LIMIT_PATH)
        return err_set(err, ERR_INVALID, "the path is longer than %d bytes", LIMIT_PATH - 1);
    return 0;
}

/* An absolute path, not resolved yet. */
static int absolute(const char *path, const char *root, char *ret_path, struct err *err)
{
    char expanded[LIMIT_PATH];
    char base[LIMIT_PATH];
    int len;

    if (!*path)
        return err_set(err, ERR_INVALID, "the path is empty");
    if (strncasecmp(path, "file://", 7) == 0) {
        if (path_of_url(path, expanded, err))
            return -1;
    } else if (expand_home(path, expanded, err)) {
        return -1;
    }
    if (expanded[0] == '/') {
        memcpy(ret_path, expanded, strlen(expanded) + 1);
        return 0;
    }
    if (expand_home(root, base, err))
        return -1;
    len = snprintf(ret_path, LIMIT_PATH, "%s/%s", base, expanded);
    if (len < 0 || len >= LIMIT_PATH)
        return err_set(err, ERR_INVALID, "the path is longer than %d bytes", LIMIT_PATH - 1);
    return 0;
}

static int resolve(const char *path, char *ret_real)
{
    char *real = realpath(path, NULL);
    int rc = -1;

    if (!real)
        return -1;
    if (strlen(real) < LIMIT_PATH) {
        memcpy(ret_real, real, strlen(real) + 1);
        rc = 0;
    } else {
        errno = ENAMETOOLONG;
    }
    free(real);
    return rc;
}

static int is_inside(const char *real, const char *root)
{
    size_t len = strlen(root);

    if (strcmp(root, "/") == 0)
        return 1;
    return strncmp(real, root, len) == 0 && (real[len] == '/' || real[len] == '\0');
}

static int is_allowed(const char *real, const char *const *roots, size_t roots_count)
{
    char expanded[LIMIT_PATH];
    char root[LIMIT_PATH];

    for (size_t i = 0; i < roots_count; i++)
        if (expand_home(roots[i], expanded, NULL) == 0 && resolve(expanded, root) == 0 &&
            is_inside(real, root))
            return 1;
    return 0;
}

static int refused(const char *path, const char *const *roots, size_t roots_count,
                   struct err *err)
{
    char list[LIMIT_ERR_TEXT];
    size_t len = 0;

    list[0] = '\0';
    for (size_t i = 0; i < roots_count && len < sizeof(list); i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", roots[i]);
    if (!roots_count)
        return err_set(err, ERR_REFUSED, "no folder is allowed for input files");
    return err_set(err, ERR_REFUSED, "files may only be read from these folders: %s. Copy it there "
                   "first: %s", list, path);
}

/* What does not resolve is judged by the deepest part of its path that does. */
static int not_there(const char *path, const char *full, int error, const char *const *roots,
                     size_t roots_count, struct err *err)
{
    char parent[LIMIT_PATH];
    char real[LIMIT_PATH];
    char *slash;

    memcpy(parent, full, strlen(full) + 1);
    while ((slash = strrchr(parent, '/'))) {
        slash[slash == parent] = '\0';
        if (resolve(parent, real) == 0)
            break;
        if (slash == parent)
            return refused(path, roots, roots_count, err);
    }
    if (!slash || !is_allowed(real, roots, roots_count))
        return refused(path, roots, roots_count, err);
    if (error == ENOENT || error == ENOTDIR) {
        err_set(err, ERR_NOT_FOUND, "there is no file %s", path);
        err_advise(err, "file");
        return -1;
    }
    return err_set(err, ERR_IO, "cannot be found (%s): %s", strerror(error), path);
}

static int look_at(int fd, const char *path, struct media_input *input, struct err *err)
{
    struct err why;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_set(err, ERR_IO, "cannot be looked at (%s): %s", strerror(errno), path);
    if (S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "this is a folder, not a file: %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "this is no regular file: %s", path);
    if (st.st_size == 0)
        return err_set(err, ERR_INVALID, "this file is empty: %s", path);
    if (st.st_size > (off_t)LIMIT_INPUT_BYTES)
        return err_set(err, ERR_INVALID, "this file is larger than %u MiB, the most that is sent: "
                       "%s", LIMIT_INPUT_BYTES >> 20, path);
    snprintf(input->key, sizeof(input->key), "%llx-%llx-%llx-%llx.%lx-%llx.%lx",
             (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
             (unsigned long long)st.st_size, (unsigned long long)st.st_mtim.tv_sec,
             (unsigned long)st.st_mtim.tv_nsec, (unsigned long long)st.st_ctim.tv_sec,
             (unsigned long)st.st_ctim.tv_nsec);
    if (media_probe(fd, &input->facts, &why))
        return err_set(err, why.kind == ERR_ANSWER ? ERR_INVALID : why.kind, "%s: %s",
                       why.text, path);
    return 0;
}

/* The real path, if it lies inside a root. */
static int locate(const char *path, const char *const *roots, size_t roots_count,
                  char ret_path[LIMIT_PATH], struct err *err)
{
    char full[LIMIT_PATH];

    if (!roots_count)
        return refused(path, roots, roots_count, err);
    if (absolute(path, roots[0], full, err))
        return -1;
    if (resolve(full, ret_path))
        return not_there(path, full, errno, roots, roots_count, err);
    return is_allowed(ret_path, roots, roots_count) ? 0 : refused(path, roots, roots_count, err);
}

int media_text_find(const char *path, const char *const *roots, size_t roots_count,
                    char ret_path[LIMIT_PATH], struct err *err)
{
    struct stat st;

    if (locate(path, roots, roots_count, ret_path, err))
        return -1;
    if (stat(ret_path, &st) != 0)
        return err_set(err, ERR_IO, "cannot be looked at (%s): %s", strerror(errno), path);
    if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > (off_t)LIMIT_INPUT_BYTES)
        return err_set(err, ERR_INVALID, "this is no file with a text of up to %u MiB: %s",
                       LIMIT_INPUT_BYTES >> 20, path);
    return 0;
}

int media_input_open(const char *path, const char *const *roots, size_t roots_count,
                     struct media_input *ret_input, struct err *err)
{
    struct media_input input = {0};
    int fd;
    int rc;

    if (locate(path, roots, roots_count, input.path, err))
        return -1;
    /* O_NONBLOCK: a named pipe must not make us wait for its writer. */
    fd = open(input.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot be opened (%s): %s",
                       strerror(errno), path);
    rc = look_at(fd, path, &input, err);
    close(fd);
    if (rc)
        return -1;
    *ret_input = input;
    return 0;
}
