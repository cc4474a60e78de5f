/*
 * roots.c - the folders that a client works in, which its calls may name files from, beside those
 * of --allow. With a handshake the client is asked for them once and whenever they change. Without
 * one there is nothing to remember: a call that names a file elsewhere is answered with the
 * question, and comes again with the answer. Without --allow the first root is the workspace, where
 * results go, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "server.h"

#define ROOTS_MAX 32

/* So that /tmp fits behind it. */
#define ROOT_BYTES_MAX (AHP_FOLDER_BYTES_MAX - 8u)

static void write_id(const struct server *s, char *ret_id, size_t size)
{
    snprintf(ret_id, size, "roots-%d", s->roots_asked);
}

/* The roots are known, or will never be: what waited for them goes on. */
static void release(struct server *s)
{
    struct request *r;

    uv_timer_stop(&s->patience);
    do {
        DL_FOREACH(s->requests, r)
            if (r->waits_for_roots)
                break;
        if (r != NULL) {
            r->waits_for_roots = 0;
            calls_tool(r); /* which may end it, and others */
        }
    } while (r != NULL);
}

static void on_patience(uv_timer_t *timer)
{
    struct server *s = timer->data;

    if (s->roots == NULL)
        s->roots = json_array();
    release(s);
}

void roots_ask(struct server *s)
{
    char id[32];

    s->roots_asked++;
    uv_timer_start(&s->patience, on_patience, ROOTS_MS, 0);
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

        if (path != NULL && i < ROOTS_MAX && strlen(path) <= ROOT_BYTES_MAX)
            json_array_append_new(paths, json_string(path));
        free(path);
    }
    return paths;
}

void roots_answered(struct server *s, const struct message *m)
{
    json_decref(s->roots);
    s->roots = roots_read(m->result);
    release(s);
}

/* ---- for a call ---- */

static int is_below(const char *path, const json_t *folders)
{
    const json_t *folder;
    size_t i;

    json_array_foreach((json_t *)folders, i, folder) {
        const char *its = json_string_value(folder);
        size_t len = json_string_length(folder);

        if (strncmp(path, its, len) == 0 && (path[len] == '/' || path[len] == '\0'))
            return 1;
    }
    return 0;
}

/* 1 when a text in there is the path of something that --allow does not cover. */
static int names_more(const json_t *value, const json_t *folders)
{
    const char *name;
    json_t *member;
    size_t i;

    if (json_is_string(value))
        return json_string_value(value)[0] == '/' && !is_below(json_string_value(value), folders);
    json_array_foreach((json_t *)value, i, member)
        if (names_more(member, folders))
            return 1;
    json_object_foreach((json_t *)value, name, member)
        if (names_more(member, folders))
            return 1;
    return 0;
}

int roots_settle(struct request *r, const struct tool *tool, const json_t *args)
{
    const struct server *s = r->server;
    const json_t *answers = json_object_get(r->params, "inputResponses");
    /* for what it reads, or for where its results go */
    int is_needed = names_more(args, s->allowed) ||
                    (s->options->allow_count == 0 && (tool->flags & AHP_TOOL_LONG_RUNNING) != 0);

    if (r->revision <= REVISION_HANDSHAKE_LAST) {
        r->waits_for_roots = s->has_roots && s->roots == NULL && is_needed;
        if (r->waits_for_roots && !uv_is_active((uv_handle_t *)&r->server->patience))
            uv_timer_start(&r->server->patience, on_patience, ROOTS_MS, 0);
        return r->waits_for_roots;
    }
    if (answers != NULL && r->roots == NULL)
        r->roots = roots_read(json_object_get(answers, "roots"));
    if (!r->has_roots || answers != NULL || !is_needed)
        return 0;
    request_answer_take(r, json_pack("{s:s, s:{s:{s:s, s:{}}}}", "resultType", "input_required",
                                     "inputRequests", "roots", "method", "roots/list", "params"));
    return 1;
}

static const json_t *roots_of(const struct request *r)
{
    return r->revision > REVISION_HANDSHAKE_LAST ? r->roots : r->server->roots;
}

const char *roots_workspace(const struct request *r)
{
    if (r->server->options->allow_count > 0)
        return NULL;
    return json_string_value(json_array_get(roots_of(r), 0));
}

char *roots_folders(const struct request *r)
{
    const struct server *s = r->server;
    json_t *all = json_copy(s->allowed);
    const json_t *more = roots_of(r);
    char *text;

    if (more != NULL)
        json_array_extend(all, (json_t *)more);
    text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return text;
}
