/*
 * content.c - a plugin's result as a client gets it: structured content, a short text with what a
 * model needs to go on, links to the files, and a preview of pictures for those who asked for one.
 *
 * Files are named, not sent: they lie on the machine that the client is on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nettle/base64.h>

#include "server.h"

/* A preview's file, and those of one result together. */
#define PREVIEW_BYTES_MAX  (200u * 1024u)
#define PREVIEWS_BYTES_MAX (1024u * 1024u)

/* ---- URIs ---- */

static int is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("/-._~", c) != NULL;
}

char *content_uri(const char *path)
{
    static const char hex[] = "0123456789ABCDEF";
    char *uri = malloc(strlen(path) * 3 + sizeof("file://"));
    char *at = uri;

    if (uri == NULL)
        return NULL;
    memcpy(at, "file://", 7);
    at += 7;
    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;

        if (is_plain(*path)) {
            *at++ = *path;
        } else {
            *at++ = '%';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    *at = '\0';
    return uri;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

char *content_path(const char *uri)
{
    char *path, *at;

    if (strncmp(uri, "file://", 7) != 0)
        return NULL;
    uri += 7;
    if (strncmp(uri, "localhost/", 10) == 0)
        uri += 9;
    if (uri[0] != '/')
        return NULL;
    path = strdup(uri);
    if (path == NULL)
        return NULL;
    for (at = path; *uri != '\0'; uri++) {
        int high = uri[0] == '%' ? hex_value(uri[1]) : -1;
        int low = high >= 0 ? hex_value(uri[2]) : -1;

        if (low < 0) {
            *at++ = *uri;
            continue;
        }
        if (high == 0 && low == 0) {
            free(path);
            return NULL;
        }
        *at++ = (char)(high * 16 + low);
        uri += 2;
    }
    *at = '\0';
    return path;
}

json_t *content_link(const char *path, const char *name, const char *mime, uint64_t bytes)
{
    char *uri = content_uri(path);
    json_t *link = json_pack("{s:s, s:s, s:s*, s:I}", "uri", uri != NULL ? uri : "", "name",
                             name != NULL ? name : path, "mimeType", mime, "size",
                             (json_int_t)bytes);

    free(uri);
    return link;
}

/* ---- bytes ---- */

static char *read_file(const char *path, size_t bytes_max, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct stat st;
    char *bytes = NULL;
    size_t len = 0;
    ssize_t n = 0;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > bytes_max)
        goto out;
    bytes = malloc((size_t)st.st_size + 1);
    while (bytes != NULL && len < (size_t)st.st_size &&
           (n = read(fd, bytes + len, (size_t)st.st_size - len)) > 0)
        len += (size_t)n;
    *ret_len = len;
out:
    close(fd);
    if (n < 0) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

json_t *content_base64(const char *path, size_t bytes_max)
{
    size_t len = 0;
    char *bytes = read_file(path, bytes_max, &len);
    char *text = bytes != NULL ? malloc(BASE64_ENCODE_RAW_LENGTH(len) + 1) : NULL;
    json_t *value = NULL;

    if (text != NULL) {
        base64_encode_raw(text, len, (const uint8_t *)bytes);
        value = json_stringn(text, BASE64_ENCODE_RAW_LENGTH(len));
    }
    free(text);
    free(bytes);
    return value;
}

/* ---- what a result says ---- */

static const char *text_in(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static json_t *structured(const ahp_result *result)
{
    static const char *const words[] = {"done",     "failed",    "cancelled",
                                        "shutdown", "submitted", "unknown"};
    json_t *value = result->json.len > 0
                        ? json_loadb(result->json.ptr, result->json.len, 0, NULL)
                        : NULL;

    if (json_is_object(value))
        return value;
    json_decref(value); /* a plugin that ends a call without words */
    value = json_object();
    json_object_set_new(value, "status",
                        json_string(result->status >= AHP_RESULT_OK &&
                                            result->status <= AHP_RESULT_UNKNOWN
                                        ? words[result->status]
                                        : "unknown"));
    if (result->job_id.len > 0)
        json_object_set_new(value, "job", json_stringn(result->job_id.ptr, result->job_id.len));
    return value;
}

/* The sentence for people, and what a model needs: handle, state, paths. */
static void write_words(FILE *out, const struct request *r, const ahp_result *result,
                        const json_t *value)
{
    const json_t *error = json_object_get(value, "error");
    const struct tool *jobs = tools_of_jobs(r->server);
    const char *message = text_in(value, "message");
    const char *status = text_in(value, "status");
    const char *advice = text_in(error, "advice");
    int goes_on = result->status == AHP_RESULT_PENDING_JOB ||
                  result->status == AHP_RESULT_SHUTDOWN;
    uint32_t i;

    if (message == NULL)
        message = json_is_string(error) ? json_string_value(error) : text_in(error, "message");
    if (message == NULL)
        message = text_in(error, "text");
    fputs(message != NULL ? message : status != NULL ? status : "done", out);
    if (advice != NULL && (message == NULL || strstr(message, advice) == NULL))
        fprintf(out, "\n%s", advice);
    if (result->job_id.len > 0)
        fprintf(out, "\n%.*s: %s", (int)result->job_id.len, result->job_id.ptr,
                status != NULL ? status : "?");
    if (result->job_id.len > 0 && goes_on && jobs != NULL)
        fprintf(out, "; it goes on by itself, ask for it with the tool %s", jobs->name);
    for (i = 0; i < result->files_count; i++)
        fprintf(out, "\n%s (%s, %llu bytes)", result->files[i]->path,
                result->files[i]->mime != NULL ? result->files[i]->mime : "?",
                (unsigned long long)result->files[i]->bytes);
}

static json_t *words_of(const struct request *r, const ahp_result *result, const json_t *value)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    json_t *block = NULL;

    if (out == NULL)
        return NULL;
    write_words(out, r, result, value);
    if (fclose(out) == 0)
        block = json_pack("{s:s, s:s%}", "type", "text", "text", text, len);
    free(text);
    return block;
}

static void add_files(const struct request *r, const ahp_result *result, json_t *content)
{
    size_t left = PREVIEWS_BYTES_MAX;
    uint32_t i;

    for (i = 0; i < result->files_count; i++) {
        const ahp_file *file = result->files[i];
        json_t *link = content_link(file->path, file->name, file->mime, file->bytes);
        json_t *data;

        json_object_set_new(link, "type", json_string("resource_link"));
        if (r->revision >= REVISION_2025_06_18)
            json_array_append(content, link);
        json_decref(link);
        if (!r->wants_preview || file->mime == NULL || strncmp(file->mime, "image/", 6) != 0 ||
            file->bytes >= PREVIEW_BYTES_MAX || file->bytes > left)
            continue;
        data = content_base64(file->path, PREVIEW_BYTES_MAX);
        if (data == NULL)
            continue;
        left -= (size_t)file->bytes;
        json_array_append_new(content, json_pack("{s:s, s:o, s:s}", "type", "image", "data", data,
                                                 "mimeType", file->mime));
    }
}

/* A result that is neither a job nor files is all in its JSON: also for clients that look at the
 * text only, and for those that know of no structured content. */
static void add_json(const struct request *r, const ahp_result *result, const json_t *value,
                     json_t *content)
{
    char *text;

    if (r->revision >= REVISION_2025_06_18 && (result->job_id.len > 0 || result->files_count > 0))
        return;
    text = json_dumps(value, DUMP_FLAGS);
    if (text != NULL)
        json_array_append_new(content, json_pack("{s:s, s:s}", "type", "text", "text", text));
    free(text);
}

json_t *content_of_result(const struct request *r, const ahp_result *result)
{
    json_t *value = structured(result);
    json_t *content = json_array();
    json_t *words = words_of(r, result, value);
    int is_error = result->status != AHP_RESULT_OK && result->status != AHP_RESULT_PENDING_JOB;

    if (words != NULL)
        json_array_append_new(content, words);
    add_files(r, result, content);
    add_json(r, result, value, content);
    if (r->revision < REVISION_2025_06_18) {
        json_decref(value);
        return json_pack("{s:o, s:b}", "content", content, "isError", is_error);
    }
    return json_pack("{s:o, s:o, s:b}", "content", content, "structuredContent", value, "isError",
                     is_error);
}
