/*
 * parcel_sweep.c - half-written files of processes that were killed: "<name>.<pid>.part" whose
 * process is gone. A number that another program has by now keeps its file until the next sweep.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parcel.h"

/* The process that wrote it, or 0 when the name is not of such a file. */
static long writer_of(const char *name)
{
    const char *suffix = strrchr(name, '.');
    const char *digits = suffix;
    char *end;
    long pid;

    if (suffix == NULL || strcmp(suffix, ".part") != 0)
        return 0;
    while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    if (digits == suffix || digits == name || digits[-1] != '.')
        return 0;
    pid = strtol(digits, &end, 10);
    return end == suffix ? pid : 0;
}

void parcel_sweep(const char *dir)
{
    DIR *list = opendir(dir);
    const struct dirent *entry;

    if (list == NULL)
        return;
    while ((entry = readdir(list)) != NULL) {
        long pid = writer_of(entry->d_name);

        if (pid > 0 && pid != (long)getpid() && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            unlinkat(dirfd(list), entry->d_name, 0);
    }
    closedir(list);
}
