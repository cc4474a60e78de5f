/*
 * common.c - see common.h.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "common.h"

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

char *path_from_program(const char *const *places, size_t count)
{
    char self[PATH_MAX];
    size_t size = sizeof(self);
    char *slash;
    size_t i;

    if (uv_exepath(self, &size) != 0 || (slash = strrchr(self, '/')) == NULL)
        return NULL;
    *slash = '\0';
    for (i = 0; i < count; i++) {
        char *path = join(self, places[i]);

        if (path != NULL && access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

char *path_plugin(const char *named)
{
    static const char *const places[] = {"clawmedia.so", HOSTS_PLUGIN_PLACE};

    if (named == NULL)
        named = getenv("AHP_PLUGIN");
    if (named != NULL && named[0] != '\0')
        return path_absolute(named);
    return path_from_program(places, sizeof(places) / sizeof(places[0]));
}

int path_set(json_t *object, const char *key, const char *path)
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

ahp_text text_of(const char *text)
{
    ahp_text t = {text, text != NULL ? strlen(text) : 0};

    return t;
}
