/*
 * request.c - what is sent: an upload, a task, a question, the question about the key. The key goes
 * to the service's own address only; files travel as they are, streamed.
 *
 * Also which addresses may be used at all: those of the picture host, over HTTPS at its usual port;
 * or on the very origin of a base that was configured, if that is among the hosts.
 */
#include "providers/plume/plume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILENAME_MAX_BYTES 64
#define CHECK_MS           30000

/* ---- addresses ---- */

struct origin {
    int https;
    const char *host;
    size_t host_len;
    unsigned port;
    const char *rest;
};

static int split(const char *url, struct origin *ret)
{
    struct origin out = {.port = 443};
    char *end;

    if (strncasecmp(url, "https://", 8) == 0)
        out.https = 1;
    else if (strncasecmp(url, "http://", 7) != 0)
        return -1;
    out.host = url + (out.https ? 8 : 7);
    out.port = out.https ? 443 : 80;
    out.host_len = strcspn(out.host, ":/?#@\\ \t\r\n\"");
    out.rest = out.host + out.host_len;
    if (*out.rest == ':') {
        unsigned long port = strtoul(out.rest + 1, &end, 10);

        if (end == out.rest + 1 || out.rest[1] == '-' || out.rest[1] == '+' || port < 1 ||
            port > 65535)
            return -1;
        out.port = (unsigned)port;
        out.rest = end;
    }
    /* User information, and whatever else could be read in two ways. */
    if (!out.host_len || (*out.rest && !strchr("/?#", *out.rest)))
        return -1;
    for (const char *c = out.rest; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7F || strchr("\\\"<>", *c))
            return -1;
    *ret = out;
    return 0;
}

static int same_host(const struct origin *a, const char *host, size_t len)
{
    return a->host_len == len && strncasecmp(a->host, host, len) == 0;
}

int plume_may_use(const struct provider_account *account, const char *url)
{
    struct origin it, base;

    if (strlen(url) >= LIMIT_URL || split(url, &it))
        return 0;
    for (size_t i = 0; i < account->result_hosts_count; i++) {
        const char *host = account->result_hosts[i];

        if (!same_host(&it, host, strlen(host)))
            continue;
        if (it.https && it.port == 443)
            return 1;
        return split(account->base_url, &base) == 0 && it.https == base.https &&
               it.port == base.port && same_host(&it, base.host, base.host_len);
    }
    return 0;
}

/* ---- requests ---- */

static int start(struct arena *arena, const struct provider_account *account, const char *method,
                 const char *path, struct http_request *request, struct err *err)
{
    memset(request, 0, sizeof(*request));
    request->method = method;
    request->answer = HTTP_ANSWER_TEXT;
    request->url = arena_format(arena, "%s%s", account->base_url, path);
    for (size_t i = 0; i < account->headers_count && i + 2 < LIMIT_HEADERS; i++)
        request->headers[request->headers_count++] = account->headers[i];
    return request->url ? 0 : err_nomem(err);
}

static void add_header(struct http_request *request, const char *name, const char *value)
{
    request->headers[request->headers_count].name = name;
    request->headers[request->headers_count++].value = value;
}

/* The name of the file for the service's eyes: letters that need no escaping, and its true kind. */
static char *safe_name(struct arena *arena, const char *path, const char *mime)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const char *kind = strchr(mime, '/') ? strchr(mime, '/') + 1 : "bin";
    size_t len = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    char stem[FILENAME_MAX_BYTES + 1];
    size_t at = 0;

    for (size_t i = 0; i < len && at < FILENAME_MAX_BYTES; i++) {
        char c = name[i];

        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_')
            stem[at++] = c;
        else if (!at || stem[at - 1] != '_')
            stem[at++] = '_';
    }
    stem[at] = '\0';
    return arena_format(arena, "%s.%s", at ? stem : "picture",
                        strcmp(kind, "jpeg") == 0 ? "jpg" : kind);
}

int plume_request_upload(struct provider_turn *turn, const json_t *catalog, const json_t *input,
                         struct http_request *ret_request, struct err *err)
{
    const json_t *uploads = json_object_get(catalog, "uploads");
    struct http_part part = {.name = "file"};

    if (start(turn->arena, turn->account, "POST", "/api/open/upload", ret_request, err))
        return -1;
    part.path = arena_text(turn->arena, json_text(input, "path"));
    part.mime = arena_text(turn->arena, json_text(input, "mime"));
    part.filename = safe_name(turn->arena, json_text(input, "path"), json_text(input, "mime"));
    if (!part.path || !part.mime || !part.filename)
        return err_nomem(err);
    ret_request->effect = HTTP_WRITES;
    ret_request->timeout_ms = json_int(uploads, "timeout_ms", 0);
    ret_request->parts[ret_request->parts_count++] = part;
    return 0;
}

/* content.imageUrls: the addresses in the order of the inputs. NULL: no memory. */
static json_t *picture_urls(const struct provider_turn *turn)
{
    const json_t *known = json_object_get(turn->flow, "uploads");
    json_t *urls = json_array();
    int failed = !urls;
    size_t index;
    json_t *input;

    json_array_foreach(json_object_get(turn->request, "inputs"), index, input)
    {
        const char *key = json_text(input, "key");

        failed |= json_array_append_new(
            urls, json_string(*key ? json_text(known, key) : json_text(input, "url")));
    }
    if (!failed)
        return urls;
    json_decref(urls);
    return NULL;
}

int plume_request_submit(struct provider_turn *turn, const json_t *catalog,
                         struct http_request *ret_request, struct err *err)
{
    const json_t *times =
        json_object_get(json_object_get(catalog, "times"), json_text(turn->request, "kind"));
    json_t *body = json_whole_copy(json_object_get(turn->request, "body"));
    json_t *urls = picture_urls(turn);
    int failed = !body || !urls;
    char *text = NULL;
    int rc = -1;

    if (!failed && json_array_size(urls))
        failed = json_object_set(json_object_get(body, "content"), "imageUrls", urls);
    if (!failed)
        text = json_dumps(body, JSON_COMPACT);
    if (!text || start(turn->arena, turn->account, "POST", "/api/open/tasks", ret_request, err)) {
        err_nomem(err);
        goto out;
    }
    add_header(ret_request, "Content-Type", "application/json");
    ret_request->effect = HTTP_SPENDS;
    ret_request->timeout_ms = json_int(times, "timeout_ms", 0);
    ret_request->body = arena_text(turn->arena, text);
    ret_request->body_len = strlen(text);
    rc = ret_request->body ? 0 : err_nomem(err);
out:
    free(text);
    json_decref(urls);
    json_decref(body);
    return rc;
}

int plume_request_poll(struct provider_turn *turn, const json_t *catalog,
                       struct http_request *ret_request, struct err *err)
{
    char *path = arena_format(turn->arena, "/api/open/tasks/%s", json_text(turn->flow, "job"));

    if (!path || start(turn->arena, turn->account, "GET", path, ret_request, err))
        return err_nomem(err);
    ret_request->effect = HTTP_READS;
    ret_request->timeout_ms = json_int(catalog, "poll_timeout_ms", 0);
    return 0;
}

int plume_request_check(const struct provider_account *account, struct arena *arena,
                        struct http_request *ret_request)
{
    struct err err;

    if (start(arena, account, "GET", "/api/open/validate", ret_request, &err))
        return -1;
    ret_request->effect = HTTP_READS;
    ret_request->timeout_ms = CHECK_MS;
    return 0;
}
