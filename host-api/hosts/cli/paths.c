/*
 * paths.c - see paths.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <uv.h>

#include "paths.h"

static char *join(const char *dir, const char *name)
{
    size_t bytes = strlen(dir) + strlen(name) + 2;
    char *path = malloc(bytes);

    if (path != NULL)
        snprintf(path, bytes, "%s/%s", dir, name);
    return path;
}

char *path_absolute(const char *path)
{
    char cwd[PATH_MAX];
    char *real = realpath(path, NULL);

    if (real != NULL)
        return real;
    if (path[0] == '/')
        return strdup(path);
    if (getcwd(cwd, sizeof(cwd)) == NULL)
        return NULL;
    return join(cwd, path);
}

char *path_plugin(const struct options *o)
{
    static const char *const places[] = {"clawmedia.so", "../lib/ahp/clawmedia.so"};
    const char *named = o->plugin != NULL ? o->plugin : getenv("AHP_PLUGIN");
    char self[PATH_MAX];
    size_t size = sizeof(self);
    char *slash;
    size_t i;

    if (named != NULL && named[0] != '\0')
        return path_absolute(named);
    if (uv_exepath(self, &size) != 0 || (slash = strrchr(self, '/')) == NULL)
        return NULL;
    *slash = '\0';
    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char *path = join(self, places[i]);

        if (path != NULL && access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static int set_path(json_t *object, const char *key, const char *path)
{
    char *absolute;
    int rc;

    if (path == NULL)
        return 0;
    absolute = path_absolute(path);
    if (absolute == NULL)
        return -1;
    rc = json_object_set_new(object, key, json_string(absolute));
    free(absolute);
    return rc;
}

char *path_config(const struct options *o)
{
    json_t *object = json_object();
    char *text = NULL;

    if (set_path(object, "config_file", o->config) == 0 &&
        set_path(object, "state_dir", o->state) == 0 &&
        set_path(object, "workspace", o->workspace) == 0 &&
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
