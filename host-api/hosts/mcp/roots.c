/*
 * roots.c - the folders that a client works in, which its calls may name files from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

#define ROOTS_MAX 32

static void write_id(const struct server *s, char *ret_id, size_t size)
{
    snprintf(ret_id, size, "roots-%d", s->roots_asked);
}

void roots_ask(struct server *s)
{
    char id[32];

    s->roots_asked++;
    write_id(s, id, sizeof(id));
    send_take(s, json_pack("{s:s, s:s, s:s}", "jsonrpc", "2.0", "id", id, "method", "roots/list"));
}

int roots_is_answer(const struct server *s, const struct message *m)
{
    char id[32];

    write_id(s, id, sizeof(id));
    return s->roots_asked > 0 && json_is_string(m->id) &&
           strcmp(json_string_value(m->id), id) == 0;
}

json_t *roots_read(const json_t *result)
{
    json_t *paths = json_array();
    json_t *root;
    size_t i;

    json_array_foreach(json_object_get(result, "roots"), i, root) {
        const char *uri = json_string_value(json_object_get(root, "uri"));
        char *path = uri != NULL ? content_path(uri) : NULL;

        if (path != NULL && i < ROOTS_MAX)
            json_array_append_new(paths, json_string(path));
        free(path);
    }
    return paths;
}

void roots_answered(struct server *s, const struct message *m)
{
    json_decref(s->roots);
    s->roots = roots_read(m->result);
}
