/*
 * options.h - the command line as one struct. Texts point into argv.
 */
#ifndef MCP_OPTIONS_H
#define MCP_OPTIONS_H

#include <stdint.h>

#define EXIT_DONE  0
#define EXIT_USAGE 2
#define EXIT_HOST  3

/* Most folders of --allow. */
#define ALLOW_MAX 16

/* Many clients end a request after 60 s. */
#define WAIT_MS_DEFAULT 45000

struct options {
    const char *plugin;
    const char *config;
    const char *state;
    const char *allow[ALLOW_MAX];
    int allow_count;
    const char *conversation;
    const char *locale;
    const char *log;
    int64_t wait_ms; /* 0: as long as it takes */
    int everybody;   /* the jobs of all conversations */
    int no_work;
    int check;
    int verbose;
};

/* Fills `ret_options`, or says on stderr (stdout for --help and --version) why the program ends
 * here. 0: go on; else the program ends with *ret_exit. */
int options_parse(int argc, char **argv, struct options *ret_options, int *ret_exit);

#endif
