/*
 * main.c - agent-host-mcp: one plugin's tools for one MCP client, over standard input and output.
 */
#include "options.h"
#include "server.h"

int main(int argc, char **argv)
{
    struct options options;
    int exit_code;

    if (options_parse(argc, argv, &options, &exit_code) != 0)
        return exit_code;
    return server_run(&options);
}
