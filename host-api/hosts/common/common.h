/*
 * common.h - what the host programs share beside the loop: where files are, and texts for the ABI.
 * What is returned as char * is malloc'ed and the caller's.
 */
#ifndef HOSTS_COMMON_H
#define HOSTS_COMMON_H

#include <jansson.h>

#include <ahp/ahp.h>

/* The path made absolute, without symbolic links as far as it exists. NULL: no memory or no cwd. */
char *path_absolute(const char *path);

/*
 * `named`, $AHP_PLUGIN, the file beside this program, or where the plugin's package has it.
 * NULL: there is none.
 */
char *path_plugin(const char *named);

/* The first of these places, as seen from this program's folder, that can be read. NULL: none
 * can. */
char *path_from_program(const char *const *places, size_t count);

/* Puts the path, made absolute, into `object`; a NULL path puts nothing. 0 or -1. */
int path_set(json_t *object, const char *key, const char *path);

/* Borrows it; {NULL, 0} for NULL. */
ahp_text text_of(const char *text);

#endif
