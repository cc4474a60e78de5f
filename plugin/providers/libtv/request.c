/*
 * request.c - the bytes of what is sent. The account's headers carry the key by reference, and only
 * to its own origin; a request of one door never names the other's header, because the headers are
 * the account's.
 */
#include "providers/libtv/libtv.h"

#include <stdlib.h>
#include <string.h>

#define FILE_TIMEOUT_MS 0 /* of an upload: only a stall ends it */

static void add_header(struct http_request *request, const char *name, const char *value)
{
    request->headers[request->headers_count++] = (struct http_header){.name = name, .value = value};
}

static int start(struct provider_turn *turn, const json_t *catalog, const char *method,
                 enum http_effect effect, const char *path, const char *id,
                 struct http_request *request, struct err *err)
{
    const struct provider_account *account = turn->account;
    const json_t *backend = libtv_backend(catalog, account);

    if (account->headers_count + 2 > LIMIT_HEADERS)
        return err_set(err, ERR_CONFIG, "provider %s has more than %d headers", account->id,
                       LIMIT_HEADERS - 2);
    for (size_t i = 0; i < account->headers_count; i++)
        request->headers[request->headers_count++] = account->headers[i];
    add_header(request, "Accept", "application/json");
    request->secret_prefix = arena_text(turn->arena, json_text(backend, "key_prefix"));
    request->effect = effect;
    request->answer = HTTP_ANSWER_TEXT;
    request->method = method;
    request->timeout_ms = json_int(turn->request, "timeout_ms", 60000);
    request->url = libtv_url_api(turn->arena, account->base_url, path, id);
    return request->url && request->secret_prefix ? 0 : err_nomem(err);
}

int libtv_request_status(struct provider_turn *turn, const json_t *catalog,
                         struct http_request *ret_request, struct err *err)
{
    const json_t *backend = libtv_backend(catalog, turn->account);

    return start(turn, catalog, "GET", HTTP_READS, json_text(backend, "status"), "", ret_request,
                 err);
}

int libtv_request_tasks(struct provider_turn *turn, const json_t *catalog,
                        struct http_request *ret_request, struct err *err)
{
    const json_t *backend = libtv_backend(catalog, turn->account);

    return start(turn, catalog, "GET", HTTP_READS, json_text(backend, "tasks"), "", ret_request,
                 err);
}

static const char *extension(const char *mime)
{
    const char *slash = strchr(mime, '/');

    if (strcmp(mime, "image/jpeg") == 0)
        return "jpg";
    if (strcmp(mime, "video/quicktime") == 0)
        return "mov";
    return slash && libtv_is_name(slash + 1) ? slash + 1 : "bin";
}

int libtv_request_upload(struct provider_turn *turn, const json_t *catalog, const json_t *input,
                         size_t way, struct http_request *ret_request, struct err *err)
{
    const json_t *backend = libtv_backend(catalog, turn->account);
    const char *path = json_string_value(json_array_get(json_object_get(backend, "uploads"), way));
    const char *part = json_text(backend, "upload_key_part");
    const char *mime = json_text(input, "mime");
    struct http_part *file;

    if (start(turn, catalog, "POST", HTTP_WRITES, path ? path : "", "", ret_request, err))
        return -1;
    ret_request->timeout_ms = FILE_TIMEOUT_MS;
    /* The path of the older client wants the key in the form, too. */
    if (way > 0 && *part)
        ret_request->parts[ret_request->parts_count++] = (struct http_part){
            .name = arena_text(turn->arena, part), .text = "{{key}}", .secret = 1};
    file = &ret_request->parts[ret_request->parts_count++];
    file->name = "file";
    file->path = arena_text(turn->arena, json_text(input, "path"));
    file->mime = arena_text(turn->arena, mime);
    file->filename = arena_format(turn->arena, "%s.%s", json_text(input, "role"), extension(mime));
    return turn->arena->failed ? err_nomem(err) : 0;
}

int libtv_request_project(struct provider_turn *turn, const json_t *catalog,
                          struct http_request *ret_request, struct err *err)
{
    const json_t *backend = libtv_backend(catalog, turn->account);

    if (start(turn, catalog, "POST", HTTP_WRITES, json_text(backend, "change_project"), "",
              ret_request, err))
        return -1;
    ret_request->body = "{}";
    ret_request->body_len = 2;
    add_header(ret_request, "Content-Type", "application/json");
    return 0;
}

int libtv_request_session(struct provider_turn *turn, const json_t *catalog, const char *session,
                          const char *message, struct http_request *ret_request, struct err *err)
{
    const json_t *backend = libtv_backend(catalog, turn->account);
    json_t *body = json_object();
    char *text = NULL;
    int rc = start(turn, catalog, "POST", message ? HTTP_SPENDS : HTTP_WRITES,
                   json_text(backend, "session"), "", ret_request, err);

    if (rc == 0 && ((session && json_object_set_new(body, "sessionId", json_string(session))) ||
                    (message && json_object_set_new(body, "message", json_string(message)))))
        rc = err_nomem(err);
    text = rc == 0 ? json_dumps(body, JSON_COMPACT) : NULL;
    if (text) {
        ret_request->body_len = strlen(text);
        ret_request->body = arena_text(turn->arena, text);
        add_header(ret_request, "Content-Type", "application/json");
    }
    if (rc == 0 && (!text || !ret_request->body))
        rc = err_nomem(err);
    free(text);
    json_decref(body);
    return rc;
}

int libtv_request_messages(struct provider_turn *turn, const json_t *catalog, const char *session,
                           int64_t after, struct http_request *ret_request, struct err *err)
{
    const json_t *backend = libtv_backend(catalog, turn->account);

    if (!libtv_is_name(session))
        return err_set(err, ERR_ANSWER, "the name of the session cannot be used");
    if (start(turn, catalog, "GET", HTTP_READS, json_text(backend, "messages"), session,
              ret_request, err))
        return -1;
    if (after > 0)
        ret_request->url = arena_format(turn->arena, "%s?afterSeq=%lld", ret_request->url,
                                        (long long)after);
    return ret_request->url ? 0 : err_nomem(err);
}
