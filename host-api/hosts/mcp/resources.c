/*
 * resources.c - the finished files of the plugin's jobs as resources, by what its tool of jobs
 * lists. Only what it lists can be read: a client's file:// URI is looked for there, never simply
 * opened.
 */
#include <stdlib.h>
#include <string.h>

#include "server.h"

/* Jobs with files that are looked at: the plugin's longest list. */
#define JOBS_MAX 100

/* Larger files are opened where they lie. Clients take some 10 MB in one message. */
#define READ_BYTES_MAX (6u * 1024u * 1024u)

static json_t *list_args(void)
{
    return json_pack("{s:s, s:b, s:i}", "action", "list", "files", 1, "limit", JOBS_MAX);
}

static json_t *jobs_in(const ahp_result *result, json_t **ret_root)
{
    *ret_root = json_loadb(result->json.ptr != NULL ? result->json.ptr : "", result->json.len, 0,
                           NULL);
    return result->status == AHP_RESULT_OK ? json_object_get(*ret_root, "jobs") : NULL;
}

/* The last part of a path. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

static void listed(struct request *r, const ahp_result *result)
{
    json_t *root, *job, *file;
    json_t *jobs = jobs_in(result, &root);
    json_t *list = json_array();
    size_t i, k;

    json_array_foreach(jobs, i, job) {
        json_array_foreach(json_object_get(job, "files"), k, file) {
            const char *path = json_string_value(json_object_get(file, "path"));

            if (path != NULL)
                json_array_append_new(
                    list, content_link(path, name_of(path),
                                       json_string_value(json_object_get(file, "mime")),
                                       (uint64_t)json_integer_value(
                                           json_object_get(file, "bytes"))));
        }
    }
    json_decref(root);
    request_answer_list_take(r, json_pack("{s:o}", "resources", list));
}

void resources_list(struct request *r)
{
    calls_jobs_take(r, list_args(), listed);
}

void resources_templates(struct request *r)
{
    request_answer_list_take(r, json_pack("{s:[]}", "resourceTemplates"));
}

/* The row of the file that is wanted, or NULL. */
static json_t *find(json_t *jobs, const char *path)
{
    json_t *job, *file;
    size_t i, k;

    json_array_foreach(jobs, i, job) {
        json_array_foreach(json_object_get(job, "files"), k, file) {
            const char *its = json_string_value(json_object_get(file, "path"));

            if (its != NULL && strcmp(its, path) == 0)
                return file;
        }
    }
    return NULL;
}

static void not_there(struct request *r, const char *uri)
{
    request_fail_data_take(
        r, r->revision > REVISION_HANDSHAKE_LAST ? CODE_PARAMS : CODE_NO_RESOURCE,
        "Resource not found", json_pack("{s:s}", "uri", uri));
}

static void found(struct request *r, const ahp_result *result)
{
    const char *uri = json_string_value(json_object_get(r->params, "uri"));
    char *path = content_path(uri);
    json_t *root;
    json_t *file = find(jobs_in(result, &root), path != NULL ? path : "");
    json_t *mime = json_object_get(file, "mime");
    json_t *blob = NULL;

    if (json_integer_value(json_object_get(file, "bytes")) > (json_int_t)READ_BYTES_MAX) {
        request_fail(r, CODE_INTERNAL, "the file is larger than %u MiB; open it where it lies",
                     READ_BYTES_MAX / (1024u * 1024u));
    } else {
        if (file != NULL)
            blob = content_base64(path, READ_BYTES_MAX);
        if (blob == NULL)
            not_there(r, uri);
        else
            request_answer_list_take(r, json_pack("{s:[{s:s, s:O*, s:o}]}", "contents", "uri", uri,
                                                  "mimeType", mime, "blob", blob));
    }
    free(path);
    json_decref(root);
}

void resources_read(struct request *r)
{
    if (!json_is_string(json_object_get(r->params, "uri")))
        request_fail(r, CODE_PARAMS, "uri must be a text");
    else
        calls_jobs_take(r, list_args(), found);
}
