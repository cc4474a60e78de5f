/* crash.c - see crash.h. */
#include "base/crash.h"

#ifdef CLAWMEDIA_CRASH_HOOKS

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void crash_point(const char *name, const char *detail)
{
    static long count;
    const char *at = getenv("CLAWMEDIA_CRASH_AT");
    const char *log = getenv("CLAWMEDIA_CRASH_LOG");
    long number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);

    if (log) {
        char line[256];
        int len = snprintf(line, sizeof(line), "%ld %s %s\n", number, name, detail);
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

        if (fd >= 0) {
            if (write(fd, line, (size_t)len) != len)
                abort();
            close(fd);
        }
    }
    if (at && number == strtol(at, NULL, 10))
        raise(SIGKILL);
}

#else

/* ISO C wants a declaration in every file. */
typedef int crash_unused;

#endif
