/*
 * request.c - what is sent: calls of the service with the account's headers, and the upload of a
 * file to its storage, which gets nothing of the account but a temporary credential.
 */
#include "providers/chatart/chatart.h"

#include <stdlib.h>
#include <string.h>

static char *dump(struct arena *arena, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    char *copy = text ? arena_text(arena, text) : NULL;

    free(text);
    return copy;
}

int chatart_request_call(const struct provider_account *account, struct arena *arena,
                         enum http_effect effect, const char *method, const char *path,
                         const json_t *body, int64_t timeout_ms, struct http_request *ret_request)
{
    struct http_request *request = ret_request;

    memset(request, 0, sizeof(*request));
    request->effect = effect;
    request->answer = HTTP_ANSWER_TEXT;
    request->method = method;
    request->timeout_ms = timeout_ms;
    request->url = arena_format(arena, "%s%s", account->base_url, path);
    for (size_t i = 0; i < account->headers_count && i < LIMIT_HEADERS; i++)
        request->headers[i] = account->headers[i];
    request->headers_count =
        account->headers_count < LIMIT_HEADERS ? account->headers_count : LIMIT_HEADERS;
    if (body) {
        request->body = dump(arena, body);
        request->body_len = request->body ? strlen(request->body) : 0;
    }
    return request->url && (!body || request->body) ? 0 : -1;
}

static const char *wire_path(const struct provider_turn *turn, const json_t *catalog,
                             const char *what)
{
    const json_t *wire = json_object_get(catalog, "wire");

    return json_text(json_object_get(wire, json_text(turn->request, "wire")), what);
}

static int64_t timeout_of(const struct provider_turn *turn)
{
    return json_int(turn->request, "timeout_ms", 60000);
}

int chatart_request_submit(struct provider_turn *turn, const json_t *catalog,
                           struct http_request *ret_request)
{
    const json_t *uploads = json_object_get(turn->flow, "uploads");
    json_t *body = json_whole_copy(json_object_get(turn->request, "body"));
    json_t *list = json_array();
    int failed = !body || !list;
    size_t index;
    json_t *input;
    int rc;

    json_array_foreach(json_object_get(turn->request, "inputs"), index, input) {
        const char *url = json_text(input, "url");

        if (!*url)
            url = json_text(uploads, json_text(input, "key"));
        failed |= json_array_append_new(list, json_string(url));
    }
    failed |= json_object_set_new(body, json_text(turn->request, "list"), list);
    rc = failed ? -1
                : chatart_request_call(turn->account, turn->arena, HTTP_SPENDS, "POST",
                                       wire_path(turn, catalog, "submit"), body, timeout_of(turn),
                                       ret_request);
    json_decref(body);
    return rc;
}

/* Anything that is not plain in a query, as %XX. */
static char *encoded(struct arena *arena, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_alloc(arena, strlen(text) * 3 + 1);
    size_t len = 0;

    for (; out && *text; text++) {
        if (strchr(plain, *text)) {
            out[len++] = *text;
            continue;
        }
        out[len++] = '%';
        out[len++] = digits[(unsigned char)*text >> 4];
        out[len++] = digits[(unsigned char)*text & 15];
    }
    return out;
}

/* The id goes along twice, in the query and in a body: servers were written for either. */
int chatart_request_poll(struct provider_turn *turn, const json_t *catalog,
                         struct http_request *ret_request)
{
    const char *job = json_text(turn->flow, "job");
    char *id = encoded(turn->arena, job);
    char *path = id ? arena_format(turn->arena, "%s?question_id=%s",
                                   wire_path(turn, catalog, "poll"), id)
                    : NULL;
    json_t *body = json_pack("{s:s}", "question_id", job);
    int rc = path && body ? chatart_request_call(turn->account, turn->arena, HTTP_READS, "GET",
                                                 path, body, timeout_of(turn), ret_request)
                          : -1;

    json_decref(body);
    return rc;
}

int chatart_request_policy(struct provider_turn *turn, const json_t *catalog,
                           struct http_request *ret_request)
{
    return chatart_request_call(turn->account, turn->arena, HTTP_READS, "POST",
                                json_text(json_object_get(catalog, "wire"), "policy"), NULL,
                                timeout_of(turn), ret_request);
}

/* The bucket's own address, without a slash at its end. */
static char *bucket_url(struct provider_turn *turn, const json_t *catalog, const char *bucket,
                        const char *region)
{
    const char *own = json_text(turn->account->settings, "storage_url");
    const char *form = json_text(json_object_get(catalog, "storage"), "url");
    char *url;

    if (*own) /* one host for all buckets: the bucket is part of the path there */
        return arena_format(turn->arena, "%s/%s", own, bucket);
    url = arena_alloc(turn->arena, strlen(form) + strlen(bucket) + strlen(region) + 1);
    for (char *at = url; url && *form; at += strlen(at)) {
        const char *from = form;
        size_t len = 1;

        if (strncmp(form, "{bucket}", 8) == 0 || strncmp(form, "{region}", 8) == 0) {
            from = form[1] == 'b' ? bucket : region;
            len = strlen(from);
            form += 8;
        } else {
            form++;
        }
        memcpy(at, from, len);
        at[len] = '\0';
    }
    return url;
}

static void add_header(struct http_request *request, const char *name, const char *value)
{
    request->headers[request->headers_count++] = (struct http_header){name, value};
}

int chatart_request_put(struct provider_turn *turn, const json_t *catalog, const json_t *input,
                        struct http_request *ret_request, char **ret_url, struct err *err)
{
    const json_t *storage = json_object_get(catalog, "storage");
    const json_t *policy = json_object_get(turn->secrets, "policy");
    char now[20];
    struct oss_put put = {
        .key_id = json_text(policy, "id"),
        .secret = json_text(policy, "secret"),
        .token = json_text(policy, "token"),
        .bucket = json_text(policy, "bucket"),
        .region = json_text(policy, "region"),
        .mime = json_text(input, "mime"),
        .time = now,
    };
    struct http_request *request = ret_request;
    const char *shown = json_text(json_object_get(storage, "public"), put.bucket);
    char *where = bucket_url(turn, catalog, put.bucket, put.region);
    char *authorization;
    char *uri;

    oss_time(turn->now_ms + json_int(turn->flow, "skew_ms", 0), now);
    put.object = oss_object(turn->arena, json_text(storage, "prefix"), json_text(input, "path"),
                            turn->job_id, turn->now_ms);
    uri = put.object ? oss_canonical_uri(turn->arena, &put) : NULL;
    authorization = put.object ? oss_authorization(turn->arena, &put) : NULL;
    memset(request, 0, sizeof(*request));
    request->effect = HTTP_WRITES;
    request->answer = HTTP_ANSWER_TEXT;
    request->method = "PUT";
    request->body_path = arena_text(turn->arena, json_text(input, "path"));
    request->crc64_header = "x-oss-hash-crc64ecma";
    if (uri && where) {
        const char *key = uri + 1 + strlen(put.bucket); /* "/chat-skill-upload/..." */

        request->url = arena_format(turn->arena, "%s%s", where, key);
        *ret_url = arena_format(turn->arena, "%s%s", *shown ? shown : where, key);
    }
    add_header(request, "Content-Type", arena_text(turn->arena, put.mime));
    add_header(request, "x-oss-date", arena_text(turn->arena, now));
    add_header(request, "x-oss-content-sha256", "UNSIGNED-PAYLOAD");
    add_header(request, "x-oss-security-token", arena_text(turn->arena, put.token));
    add_header(request, "Authorization", authorization);
    return turn->arena->failed ? err_nomem(err) : 0;
}
