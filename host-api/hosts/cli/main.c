/*
 * main.c - agent-host, the reference host: one plugin, one command, one process.
 */
#include <locale.h>
#include <stddef.h>
#include <stdio.h>

#include "app.h"
#include "options.h"
#include "text.h"

int main(int argc, char **argv)
{
    static const struct command_ops *const commands[] = {
        [COMMAND_TOOLS] = &command_tools,
        [COMMAND_CALL] = &command_call,
        [COMMAND_RUN] = &command_run,
        [COMMAND_JOBS] = &command_jobs,
    };
    struct options options;
    int exit_code;

    /* only for the width of characters: numbers must stay as C writes them */
    setlocale(LC_CTYPE, "");
    if (!text_is_utf8())
        setlocale(LC_CTYPE, "C.UTF-8");
    if (options_parse(argc, argv, &options, &exit_code) != 0)
        return exit_code;
    return app_run(&options, commands[options.command]);
}
