/*
 * paths.c - see paths.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "common.h"
#include "paths.h"

char *path_config(const struct options *o)
{
    json_t *object = json_object();
    char *text = NULL;

    if (path_set(object, "config_file", o->config) == 0 &&
        path_set(object, "state_dir", o->state) == 0 &&
        path_set(object, "workspace", o->workspace) == 0 &&
        /* Only `run` lives long enough for what other processes left. */
        json_object_set_new(object, "resume", json_boolean(o->command == COMMAND_RUN)) == 0 &&
        (o->locale == NULL ||
         json_object_set_new(object, "locale", json_string(o->locale)) == 0))
        text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

int path_make_dirs(const char *path)
{
    char *copy = strdup(path);
    char *p;
    int rc = 0;

    if (copy == NULL)
        return -ENOMEM;
    for (p = copy + 1; rc == 0; p++) {
        int at_end = *p == '\0';

        if (*p != '/' && !at_end)
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            rc = -errno;
        if (at_end)
            break;
        *p = '/';
    }
    free(copy);
    return rc;
}
