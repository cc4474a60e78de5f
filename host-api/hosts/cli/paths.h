/*
 * paths.h - the configuration text made of the paths in the options, and folders.
 * What is returned is malloc'ed and the caller's.
 */
#ifndef CLI_PATHS_H
#define CLI_PATHS_H

#include "options.h"

/* The JSON text that create() gets. NULL: no memory. */
char *path_config(const struct options *o);

/* mkdir -p. 0, or a negative errno. */
int path_make_dirs(const char *path);

#endif
