/* bench_server.c - raw_server as a program: prints its port, ends when standard input ends. */
#include "raw_server.h"

#include <stdio.h>
#include <unistd.h>

int main(void)
{
    int port = raw_server_start();
    char byte;

    if (port < 0)
        return 1;
    printf("%d\n", port);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
