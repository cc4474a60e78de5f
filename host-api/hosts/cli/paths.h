/*
 * paths.h - where files are: absolute paths, the plugin, and the configuration text made of them.
 * What is returned is malloc'ed and the caller's.
 */
#ifndef CLI_PATHS_H
#define CLI_PATHS_H

#include "options.h"

/* The path made absolute, without symbolic links as far as it exists. NULL: no memory or no cwd. */
char *path_absolute(const char *path);

/* --plugin, $AHP_PLUGIN, or the file beside this program. NULL: there is none. */
char *path_plugin(const struct options *o);

/* The JSON text that create() gets. NULL: no memory. */
char *path_config(const struct options *o);

/* mkdir -p. 0, or a negative errno. */
int path_make_dirs(const char *path);

#endif
