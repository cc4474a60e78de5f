/*
 * options.c - reads argv with getopt_long. Says what is wrong in one sentence and where help is.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define TIMEOUT_S_MAX (100.0 * 24 * 3600)

enum {
    OPT_PLUGIN = 1000,
    OPT_CONFIG,
    OPT_STATE,
    OPT_WORKSPACE,
    OPT_OUTBOX,
    OPT_OUTBOX_SCRIPT,
    OPT_CONVERSATION,
    OPT_REPLY_TO,
    OPT_LOCALE,
    OPT_TIMEOUT,
    OPT_JSON,
    OPT_ALL,
    OPT_BACKGROUND,
    OPT_UNTIL_IDLE,
    OPT_YES,
    OPT_NO_PREVIEW,
    OPT_NO_WORK,
    OPT_CHECK,
    OPT_NO_CHECK,
    OPT_STATS,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"plugin", required_argument, NULL, OPT_PLUGIN},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"state", required_argument, NULL, OPT_STATE},
    {"workspace", required_argument, NULL, OPT_WORKSPACE},
    {"outbox", required_argument, NULL, OPT_OUTBOX},
    {"outbox-script", required_argument, NULL, OPT_OUTBOX_SCRIPT},
    {"conversation", required_argument, NULL, OPT_CONVERSATION},
    {"reply-to", required_argument, NULL, OPT_REPLY_TO},
    {"locale", required_argument, NULL, OPT_LOCALE},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"json", no_argument, NULL, OPT_JSON},
    {"all", no_argument, NULL, OPT_ALL},
    {"background", no_argument, NULL, OPT_BACKGROUND},
    {"until-idle", no_argument, NULL, OPT_UNTIL_IDLE},
    {"yes", no_argument, NULL, OPT_YES},
    {"no-preview", no_argument, NULL, OPT_NO_PREVIEW},
    {"no-work", no_argument, NULL, OPT_NO_WORK},
    {"check", no_argument, NULL, OPT_CHECK},
    {"no-check", no_argument, NULL, OPT_NO_CHECK},
    {"stats", no_argument, NULL, OPT_STATS},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static int usage(int *ret_exit, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int usage(int *ret_exit, const char *fmt, ...)
{
    va_list ap;

    fputs("agent-host: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs("\nTry 'agent-host --help'.\n", stderr);
    *ret_exit = CLI_EXIT_USAGE;
    return -1;
}

static int parse_seconds(const char *text, int64_t *ret_ms)
{
    char *end;
    double seconds;

    errno = 0;
    seconds = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(seconds > 0 && seconds <= TIMEOUT_S_MAX))
        return -1;
    *ret_ms = (int64_t)(seconds * 1000.0);
    if (*ret_ms < 1)
        *ret_ms = 1;
    return 0;
}

/* Options that only store a text or set a switch. 1: it was one of them. */
static int parse_simple(struct options *o, int c)
{
    const char **text = NULL;
    int *flag = NULL;

    switch (c) {
    case OPT_PLUGIN:
        text = &o->plugin;
        break;
    case OPT_CONFIG:
        text = &o->config;
        break;
    case OPT_STATE:
        text = &o->state;
        break;
    case OPT_WORKSPACE:
        text = &o->workspace;
        break;
    case OPT_OUTBOX:
        text = &o->outbox;
        break;
    case OPT_OUTBOX_SCRIPT:
        text = &o->outbox_script;
        break;
    case OPT_CONVERSATION:
        text = &o->conversation;
        break;
    case OPT_REPLY_TO:
        text = &o->reply_to;
        break;
    case OPT_LOCALE:
        text = &o->locale;
        break;
    case OPT_JSON:
        flag = &o->json;
        break;
    case OPT_ALL:
        flag = &o->all;
        break;
    case OPT_BACKGROUND:
        flag = &o->background;
        break;
    case OPT_UNTIL_IDLE:
        flag = &o->until_idle;
        break;
    case OPT_YES:
        flag = &o->yes;
        break;
    case OPT_NO_PREVIEW:
        flag = &o->no_preview;
        break;
    case OPT_NO_WORK:
        flag = &o->no_work;
        break;
    case OPT_CHECK:
        flag = &o->check;
        break;
    case OPT_STATS:
        flag = &o->stats;
        break;
    case 'v':
        flag = &o->verbose;
        break;
    default:
        return 0;
    }
    if (text != NULL)
        *text = optarg;
    else
        *flag = 1;
    return 1;
}

static int parse_command(struct options *o, int argc, char **argv, int *ret_exit)
{
    const char *name;
    int left;

    if (optind >= argc)
        return usage(ret_exit, "a command is missing: tools, call, run or jobs");
    name = argv[optind++];
    left = argc - optind;
    if (strcmp(name, "call") == 0) {
        o->command = COMMAND_CALL;
        if (left < 1 || left > 2)
            return usage(ret_exit, "'call' takes a tool's name and its arguments as one JSON text");
        o->tool = argv[optind];
        o->args = left == 2 ? argv[optind + 1] : "{}";
        return 0;
    }
    if (strcmp(name, "tools") == 0)
        o->command = COMMAND_TOOLS;
    else if (strcmp(name, "run") == 0)
        o->command = COMMAND_RUN;
    else if (strcmp(name, "jobs") == 0)
        o->command = COMMAND_JOBS;
    else
        return usage(ret_exit, "there is no command '%s'", name);
    if (left > 0)
        return usage(ret_exit, "'%s' takes no '%s'", name, argv[optind]);
    return 0;
}

static int check_together(const struct options *o, int *ret_exit)
{
    if (o->outbox_script != NULL && o->outbox == NULL)
        return usage(ret_exit, "--outbox-script needs --outbox");
    if (o->reply_to != NULL && o->outbox == NULL)
        return usage(ret_exit, "--reply-to needs --outbox: nothing else here can deliver");
    if (o->until_idle && o->command != COMMAND_RUN)
        return usage(ret_exit, "--until-idle goes with 'run'");
    if ((o->background || o->reply_to != NULL) && o->command != COMMAND_CALL)
        return usage(ret_exit, "--background and --reply-to go with 'call'");
    if (o->yes && o->command != COMMAND_CALL)
        return usage(ret_exit, "--yes goes with 'call'");
    if (o->conversation[0] == '\0')
        return usage(ret_exit, "--conversation is empty");
    return 0;
}

int options_parse(int argc, char **argv, struct options *ret_options, int *ret_exit)
{
    struct options o;
    int c;

    memset(&o, 0, sizeof(o));
    o.program = argc > 0 ? argv[0] : "agent-host";
    o.conversation = "cli";
    while ((c = getopt_long(argc, argv, "hv", long_options, NULL)) != -1) {
        if (parse_simple(&o, c))
            continue;
        switch (c) {
        case OPT_NO_CHECK:
            o.check = 0;
            break;
        case OPT_TIMEOUT:
            if (parse_seconds(optarg, &o.timeout_ms) != 0)
                return usage(ret_exit, "--timeout: '%s' is not a number of seconds", optarg);
            break;
        case 'h':
            help_print();
            *ret_exit = CLI_EXIT_DONE;
            return -1;
        case OPT_VERSION:
            puts("agent-host " CLAWMEDIA_VERSION);
            *ret_exit = CLI_EXIT_DONE;
            return -1;
        default: /* getopt has said what is wrong */
            fputs("Try 'agent-host --help'.\n", stderr);
            *ret_exit = CLI_EXIT_USAGE;
            return -1;
        }
    }
    if (parse_command(&o, argc, argv, ret_exit) != 0 || check_together(&o, ret_exit) != 0)
        return -1;
    *ret_options = o;
    return 0;
}
