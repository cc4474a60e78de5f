/*
 * help.c - the text of --help, in the order of a manual page.
 */
#include <stdio.h>

#include "options.h"

static const char *const parts[] = {
    "NAME\n"
    "  agent-host - run an agent host plugin's tools from the command line\n"
    "\n"
    "SYNOPSIS\n"
    "  agent-host [OPTION...] tools [--json]\n"
    "  agent-host [OPTION...] call TOOL [JSON | - | @FILE]\n"
    "  agent-host [OPTION...] run [--until-idle]\n"
    "  agent-host [OPTION...] jobs [--all] [--json]\n"
    "\n"
    "COMMANDS\n"
    "  tools   List the plugin's tools; with --json everything about them, schemas included.\n"
    "  call    Call one tool. The arguments are one JSON object: as text, '-' to read them from\n"
    "          standard input, '@FILE' to read them from a file. Prints the result as one line of\n"
    "          JSON on standard output. Without --background or --reply-to it waits for the end.\n"
    "  run     Carry on with unfinished jobs and deliver results. With --until-idle it ends when\n"
    "          there is nothing left that this host could do, else when it is interrupted.\n"
    "  jobs    List jobs, of all conversations; with --all also those that have ended well.\n"
    "\n",
    "OPTIONS\n"
    "  --plugin FILE        The plugin. Default: $AHP_PLUGIN, else clawmedia.so beside this "
    "program\n"
    "                       or where the package clawmedia has it.\n"
    "  --config FILE        Configuration file for the plugin.\n"
    "  --state DIR          Where the plugin keeps its jobs.\n"
    "  --workspace DIR      Where the plugin reads and saves files.\n"
    "  --outbox DIR         Deliver results into this folder: one JSON file a delivery, files "
    "beside\n"
    "                       it under media/. Each delivery key is written once; repeats are noted\n"
    "                       in repeats.log.\n"
    "  --conversation KEY   The chat that a call belongs to (default: cli).\n"
    "  --reply-to TEXT      Where the result goes later; kept in the delivery as it is. Needs "
    "--outbox.\n"
    "  --background         Answer with the job's handle at once. With --outbox and no --reply-to "
    "the\n"
    "                       conversation is the reply address.\n"
    "  --yes                Say yes to what the plugin asks before it spends money. Without it a\n"
    "                       person is asked where standard input and standard error are a\n"
    "                       terminal; else the answer tells how to confirm.\n"
    "  --locale TAG         Language of texts for people, such as zh-CN.\n"
    "  --timeout SECONDS    call: answer by then, at least with a handle. run: give up after "
    "that.\n"
    "  --no-preview         Show no small previews of finished pictures. They are shown where\n"
    "                       standard output and standard error are a terminal and\n"
    "                       agent-host-preview is installed.\n"
    "  --no-work            Lend the plugin no threads: the process stays single-threaded.\n"
    "  --check, --no-check  Check every call between host and plugin against the ABI (default: "
    "no).\n"
    "                       A breach is logged and the exit code is 3.\n"
    "  --stats              At the end, one line of JSON with figures on standard error.\n"
    "  -v, --verbose        Show all of the plugin's log, not only warnings and errors.\n"
    "  -h, --help           This text.\n"
    "  --version            The version.\n"
    "\n",
    "TESTING\n"
    "  --outbox-script FILE  Answer offers from a list, one line an offer; when it ends, deliver.\n"
    "                        Lines: deliver | later MS | held MS | refused | unknown |\n"
    "                        unknown-written | lost | busy. 'held' is delivered after MS.\n"
    "\n"
    "EXIT STATUS\n"
    "  0  done, or submitted and going on in the background\n"
    "  1  the tool answered with an error, was cancelled or its outcome is unknown; run gave up\n"
    "  2  usage\n"
    "  3  the plugin or the host failed\n"
    "  130, 143  interrupted before there was a job to come back to\n"
    "\n"
    "SIGNALS\n"
    "  Ctrl-C or SIGTERM ends the program within 5 seconds. Jobs stay in the plugin's store, and\n"
    "  the way to resume is printed. A second one ends it at once; jobs are kept then, too.\n"
    "\n"
    "ENVIRONMENT\n"
    "  AHP_PLUGIN  the plugin, see --plugin\n"
    "  NO_COLOR    no colours on the terminal, and no previews\n"
    "  TERM=dumb   plain lines instead of a live one, and no previews\n"
    "  COLORTERM   truecolor or 24bit: previews in more than 256 colours\n"
    "\n",
    "EXAMPLES\n"
    "  agent-host tools\n"
    "  agent-host call generate_image '{\"prompt\": \"a red boat\"}'\n"
    "  echo '{\"prompt\": \"a red boat\"}' | agent-host call generate_image - | jq -r "
    ".files[].path\n"
    "  agent-host --outbox out --background call generate_video @request.json\n"
    "  agent-host --outbox out run --until-idle\n",
};

void help_print(void)
{
    size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        fputs(parts[i], stdout);
}
