/*
 * options.c - reads argv with getopt_long. Says what is wrong in one sentence and where help is.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define WAIT_S_MAX 86400.0

enum {
    OPT_PLUGIN = 1000,
    OPT_CONFIG,
    OPT_STATE,
    OPT_ALLOW,
    OPT_CONVERSATION,
    OPT_LOCALE,
    OPT_LOG,
    OPT_WAIT,
    OPT_EVERYBODY,
    OPT_NO_WORK,
    OPT_CHECK,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"plugin", required_argument, NULL, OPT_PLUGIN},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"state", required_argument, NULL, OPT_STATE},
    {"allow", required_argument, NULL, OPT_ALLOW},
    {"conversation", required_argument, NULL, OPT_CONVERSATION},
    {"locale", required_argument, NULL, OPT_LOCALE},
    {"log", required_argument, NULL, OPT_LOG},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"everybody", no_argument, NULL, OPT_EVERYBODY},
    {"no-work", no_argument, NULL, OPT_NO_WORK},
    {"check", no_argument, NULL, OPT_CHECK},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "NAME\n"
    "  agent-host-mcp - an agent host plugin's tools for any MCP client, over stdio\n"
    "\n"
    "SYNOPSIS\n"
    "  agent-host-mcp [OPTION...]\n"
    "\n"
    "  An MCP client starts it and ends it by closing its standard input. It speaks revision\n"
    "  2026-07-28 of the Model Context Protocol and the ones with a handshake, 2024-11-05 to\n"
    "  2025-11-25. Jobs outlive it: the next one goes on with them.\n"
    "\n"
    "OPTIONS\n"
    "  --plugin FILE        The plugin. Default: $AHP_PLUGIN, else clawmedia.so beside this program\n"
    "                       or where the package clawmedia has it.\n"
    "  --config FILE        Configuration file for the plugin.\n"
    "  --state DIR          Where the plugin keeps its jobs.\n"
    "  --allow DIR          A folder whose files calls may name; again for more. Results are saved\n"
    "                       in tmp/ of the first one. A client's roots are allowed, too, and stand\n"
    "                       for the first one without --allow; without either it is the folder that\n"
    "                       the program is started in.\n"
    "  --wait SECONDS       Answer a call after so long with its job's handle (default: 45, since\n"
    "                       many clients end a call after 60; 0: wait for the end).\n"
    "  --conversation KEY   Whose jobs and files these are (default: mcp).\n"
    "  --everybody          Show the jobs and files of all conversations.\n"
    "  --locale TAG         Language of texts for people, such as zh-CN.\n"
    "  --log FILE           Log into this file instead of standard error.\n"
    "  --no-work            Lend the plugin no threads.\n"
    "  --check              Check every call between host and plugin against the ABI; the exit\n"
    "                       code is 3 after a breach.\n"
    "  -v, --verbose        Log everything, not only warnings and errors.\n"
    "  -h, --help           This text.\n"
    "  --version            The version.\n"
    "\n"
    "EXIT CODE\n"
    "  0 after the client has closed its end or a signal; 2 for wrong options; 3 when host or\n"
    "  plugin failed.\n";

static int usage(int *ret_exit, const char *what, const char *value)
{
    fprintf(stderr, "agent-host-mcp: %s%s\nTry 'agent-host-mcp --help'.\n", what, value);
    *ret_exit = EXIT_USAGE;
    return -1;
}

static int parse_wait(const char *text, int64_t *ret_ms)
{
    char *end;
    double seconds;

    errno = 0;
    seconds = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(seconds >= 0 && seconds <= WAIT_S_MAX))
        return -1;
    *ret_ms = (int64_t)(seconds * 1000.0);
    return 0;
}

/* Options that only store a text or set a switch. 1: it was one of them. */
static int parse_simple(struct options *o, int c)
{
    const struct {
        int option;
        const char **text;
        int *flag;
    } simple[] = {
        {OPT_PLUGIN, &o->plugin, NULL},
        {OPT_CONFIG, &o->config, NULL},
        {OPT_STATE, &o->state, NULL},
        {OPT_CONVERSATION, &o->conversation, NULL},
        {OPT_LOCALE, &o->locale, NULL},
        {OPT_LOG, &o->log, NULL},
        {OPT_EVERYBODY, NULL, &o->everybody},
        {OPT_NO_WORK, NULL, &o->no_work},
        {OPT_CHECK, NULL, &o->check},
        {'v', NULL, &o->verbose},
    };
    size_t i;

    for (i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
        if (simple[i].option != c)
            continue;
        if (simple[i].text != NULL)
            *simple[i].text = optarg;
        else
            *simple[i].flag = 1;
        return 1;
    }
    return 0;
}

int options_parse(int argc, char **argv, struct options *ret_options, int *ret_exit)
{
    struct options o;
    int c;

    memset(&o, 0, sizeof(o));
    o.conversation = "mcp";
    o.wait_ms = WAIT_MS_DEFAULT;
    while ((c = getopt_long(argc, argv, "hv", long_options, NULL)) != -1) {
        if (parse_simple(&o, c))
            continue;
        switch (c) {
        case OPT_ALLOW:
            if (o.allow_count == ALLOW_MAX)
                return usage(ret_exit, "too many --allow: ", optarg);
            o.allow[o.allow_count++] = optarg;
            break;
        case OPT_WAIT:
            if (parse_wait(optarg, &o.wait_ms) != 0)
                return usage(ret_exit, "--wait: not a number of seconds: ", optarg);
            break;
        case 'h':
            fputs(help, stdout);
            *ret_exit = EXIT_DONE;
            return -1;
        case OPT_VERSION:
            puts("agent-host-mcp " CLAWMEDIA_VERSION);
            *ret_exit = EXIT_DONE;
            return -1;
        default: /* getopt has said what is wrong */
            return usage(ret_exit, "the options are not understood", "");
        }
    }
    if (optind < argc)
        return usage(ret_exit, "there are no commands here: ", argv[optind]);
    if (o.conversation[0] == '\0')
        return usage(ret_exit, "--conversation is empty", "");
    *ret_options = o;
    return 0;
}
