/*
 * options.h - the command line as one struct. Texts point into argv.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdint.h>

/* Exit codes; part of the program's contract. */
#define CLI_EXIT_DONE  0
#define CLI_EXIT_TOOL  1
#define CLI_EXIT_USAGE 2
#define CLI_EXIT_HOST  3

enum command { COMMAND_TOOLS, COMMAND_CALL, COMMAND_RUN, COMMAND_JOBS };

struct options {
    const char *program; /* as it was called */
    enum command command;
    const char *plugin;
    const char *config;
    const char *state;
    const char *workspace;
    const char *outbox;
    const char *outbox_script;
    const char *conversation;
    const char *reply_to;
    const char *locale;
    const char *tool;   /* call */
    const char *args;   /* call: JSON, "-" or "@file" */
    int64_t timeout_ms; /* 0: none */
    int json;
    int all;
    int background;
    int until_idle;
    int yes;
    int no_preview;
    int no_work;
    int check;
    int verbose;
    int stats;
};

/* Fills `ret_options`, or says on stderr (stdout for --help and --version) why the program ends
 * here. 0: go on; else the program ends with *ret_exit. */
int options_parse(int argc, char **argv, struct options *ret_options, int *ret_exit);

/* The long help, on stdout. */
void help_print(void);

#endif
