/*
 * config_home.h - for the tests of config/: a home folder of the test's own, without any variable
 * that moves things, and the files in it.
 */
#ifndef TESTS_CONFIG_HOME_H
#define TESTS_CONFIG_HOME_H

#include "config/config.h"
#include "mini_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HOME_FILE ".openclaw/openclaw.json"

struct home {
    char path[64];
    char cwd[4096]; /* before the test */
    struct mini_host mini;
    struct config *config;
    struct err err;
};

/* cmocka setup and teardown; *state is the struct home. */
int home_make(void **state);
int home_remove(void **state);

/* A file below the home, with its folders; "@" in the text stands for the home. */
void home_put(const struct home *home, const char *name, const char *text);
void home_put_mode(const struct home *home, const char *name, const char *text, unsigned mode);
void home_drop(const struct home *home, const char *name);
char *home_path(const struct home *home, const char *name); /* for free() */

/* Opens and refreshes; fails the test if either fails. `given` is create's text or NULL. */
void home_open(struct home *home, const char *given);
/* Opens, and gives what config_refresh gives. */
int home_try(struct home *home, const char *given);
void home_close(struct home *home);

#endif
