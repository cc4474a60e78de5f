/*
 * check.c - does the provider accept the key? Asked by GET /models, the one question that all of
 * them know, that needs the key, and that costs nothing. An answer that is no list of models says
 * nothing about the key: a page of some proxy comes with 200, too.
 */
#include "providers/openai/openai.h"

#include <string.h>

int openai_check(const struct provider_account *account, struct arena *arena,
                 struct http_request *ret_request)
{
    struct http_request *request = ret_request;
    size_t count = 0;

    memset(request, 0, sizeof(*request));
    request->effect = HTTP_READS;
    request->answer = HTTP_ANSWER_TEXT;
    request->method = "GET";
    request->url = openai_url_api(arena, account->base_url, "/models", "");
    request->headers[count++] = (struct http_header){"Accept", "application/json"};
    for (size_t i = 0; i < account->headers_count && count < LIMIT_HEADERS; i++)
        request->headers[count++] = account->headers[i];
    request->headers_count = count;
    return request->url ? 0 : -1;
}

/* Models in a list of them, or -1 when it is none. */
static int64_t count_models(const json_t *json)
{
    const json_t *list = json_is_array(json) ? json : json_object_get(json, "data");

    if (!list)
        list = json_object_get(json, "models");
    return json_is_array(list) ? (int64_t)json_array_size(list) : -1;
}

static void no_answer(const struct http_reply *reply, struct provider_check *ret_check)
{
    const char *why = reply->error ? reply->error : "there was no answer";

    ret_check->verdict = KEY_UNAVAILABLE;
    err_set(&ret_check->error, reply->outcome == HTTP_REFUSED ? ERR_REFUSED : ERR_UNAVAILABLE, "%s",
            why);
}

static void read_status(const struct http_reply *reply, const json_t *json, const json_t *catalog,
                        struct arena *arena, struct provider_check *ret_check)
{
    struct err *error = &ret_check->error;

    openai_error_status(reply, json, catalog, arena, error);
    error->field[0] = '\0'; /* whatever it names, it is no argument of ours */
    if (reply->status == 401 || reply->status == 403) {
        ret_check->verdict = KEY_REFUSED;
        if (error->kind != ERR_CREDITS)
            error->kind = ERR_AUTH;
    } else if (reply->status == 404 || reply->status == 405) {
        ret_check->verdict = KEY_UNTOLD;
        err_set(error, ERR_NOT_FOUND,
                "HTTP %d: it has no list of models, so whether the key is accepted cannot be told",
                reply->status);
    } else {
        ret_check->verdict = KEY_UNAVAILABLE;
        if (error->kind == ERR_INVALID)
            error->kind = ERR_ANSWER;
    }
}

void openai_checked(const struct http_reply *reply, struct provider_check *ret_check)
{
    struct arena arena = {0};
    struct err err;
    json_t *json = NULL;
    json_t *catalog = NULL;
    int partial = 0;
    enum openai_body body;

    memset(ret_check, 0, sizeof(*ret_check));
    ret_check->models = -1;
    if (reply->outcome != HTTP_ANSWERED) {
        no_answer(reply, ret_check);
        return;
    }
    catalog = openai_catalog(&err);
    body = openai_body_parse(reply, &json, &partial);
    if (!catalog || body == BODY_NOMEM) {
        ret_check->verdict = KEY_UNAVAILABLE;
        err_nomem(&ret_check->error);
    } else if (reply->status < 200 || reply->status > 299) {
        read_status(reply, json, catalog, &arena, ret_check);
    } else if (openai_error_inside(json, catalog, &arena, 0, &err)) {
        /* Relays tell of a wrong key with 200, too. */
        ret_check->verdict = err.kind == ERR_AUTH ? KEY_REFUSED : KEY_UNTOLD;
        ret_check->error = err;
    } else if (count_models(json) >= 0) {
        ret_check->verdict = KEY_ACCEPTED;
        ret_check->models = count_models(json);
    } else {
        ret_check->verdict = KEY_UNTOLD;
        err_set(&ret_check->error, ERR_ANSWER,
                "HTTP %d, but no list of models: does baseUrl lack its path, such as /v1?",
                reply->status);
    }
    json_decref(json);
    json_decref(catalog);
    arena_done(&arena);
}
