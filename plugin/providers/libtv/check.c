/*
 * check.c - is the key accepted? The gateway tells, and how much is left. The personal API has no
 * such question: a session that cannot exist is asked for, and what matters is whether the key or
 * the session is what it does not know.
 */
#include "providers/libtv/libtv.h"

#include <string.h>

#define NO_SESSION "00000000-0000-0000-0000-000000000000"

int libtv_check(const struct provider_account *account, struct arena *arena,
                struct http_request *ret_request)
{
    json_t *catalog = libtv_catalog(NULL);
    const json_t *backend = catalog ? libtv_backend(catalog, account) : NULL;
    const char *path = json_text(backend, "status");

    memset(ret_request, 0, sizeof(*ret_request));
    ret_request->effect = HTTP_READS;
    ret_request->answer = HTTP_ANSWER_TEXT;
    ret_request->method = "GET";
    ret_request->headers[ret_request->headers_count++] =
        (struct http_header){"Accept", "application/json"};
    for (size_t i = 0; i < account->headers_count && ret_request->headers_count < LIMIT_HEADERS;
         i++)
        ret_request->headers[ret_request->headers_count++] = account->headers[i];
    ret_request->secret_prefix = arena_text(arena, json_text(backend, "key_prefix"));
    if (backend && ret_request->secret_prefix)
        ret_request->url = libtv_url_api(arena, account->base_url,
                                         *path ? path : json_text(backend, "messages"), NO_SESSION);
    json_decref(catalog);
    return ret_request->url ? 0 : -1;
}

json_t *libtv_key_facts(const json_t *json)
{
    const json_t *left = json_object_get(json, "remaining_uses");
    const json_t *most = json_object_get(json, "max_uses");
    json_t *facts;

    if (!json_is_integer(left) || !json_is_integer(most))
        return NULL;
    facts = json_pack("{s:I, s:I}", "remaining_uses", json_integer_value(left), "max_uses",
                      json_integer_value(most));
    if (facts && *json_text(json, "expires_at"))
        json_object_set_new(facts, "expires_at", json_string(json_text(json, "expires_at")));
    return facts;
}

static void judge(const struct http_reply *reply, const json_t *json, int is_well,
                  struct provider_check *ret_check)
{
    struct err *error = &ret_check->error;
    /* The envelope, which only the personal API has: it knew the key and not the session. */
    int is_enveloped = json_is_integer(json_object_get(json, "code"));

    ret_check->facts = is_well ? libtv_key_facts(json) : NULL;
    if (ret_check->facts && json_int(ret_check->facts, "remaining_uses", 0) <= 0) {
        ret_check->verdict = KEY_REFUSED;
        err_set(error, ERR_CREDITS, "Free trial uses exhausted");
        err_advise(error, "libtv.uses");
    } else if (ret_check->facts || (is_well && json_is_object(json_object_get(json, "data"))) ||
               (is_enveloped && error->kind == ERR_NOT_FOUND)) {
        ret_check->verdict = KEY_ACCEPTED;
        memset(error, 0, sizeof(*error));
    } else if (is_well) {
        ret_check->verdict = KEY_UNTOLD;
        err_set(error, ERR_ANSWER, "HTTP %d, but it says nothing about the key", reply->status);
    } else if (error->kind == ERR_AUTH || error->kind == ERR_CREDITS) {
        ret_check->verdict = KEY_REFUSED;
    } else if (error->kind == ERR_NOT_FOUND) {
        ret_check->verdict = KEY_UNTOLD;
    } else {
        ret_check->verdict = KEY_UNAVAILABLE;
        if (error->kind == ERR_INVALID)
            error->kind = ERR_ANSWER;
    }
}

void libtv_checked(const struct http_reply *reply, struct provider_check *ret_check)
{
    struct arena arena = {0};
    json_t *catalog = NULL;
    json_t *json = NULL;
    int is_well;

    memset(ret_check, 0, sizeof(*ret_check));
    ret_check->models = -1;
    ret_check->verdict = KEY_UNAVAILABLE;
    if (reply->outcome != HTTP_ANSWERED) {
        err_set(&ret_check->error,
                reply->outcome == HTTP_REFUSED ? ERR_REFUSED : ERR_UNAVAILABLE, "%s",
                reply->error ? reply->error : "there was no answer");
        return;
    }
    catalog = libtv_catalog(&ret_check->error);
    if (catalog) {
        is_well = libtv_answer(reply, catalog, &arena, &json, &ret_check->error);
        judge(reply, json, is_well, ret_check);
    }
    json_decref(json);
    json_decref(catalog);
    arena_done(&arena);
}
