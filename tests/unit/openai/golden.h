/*
 * golden.h - what the tests of the openai adapter share: reading the golden files, an account made of
 * a case, and one conversation whose flow goes through text after every step, as in the ledger.
 */
#ifndef OPENAI_GOLDEN_H
#define OPENAI_GOLDEN_H

#include "providers/provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct http_header golden_headers[] = {{"Authorization", "Bearer {{key}}"}};

static inline json_t *golden_load(const char *name)
{
    char path[LIMIT_PATH];
    json_error_t error;
    json_t *json;

    snprintf(path, sizeof(path), "%s/%s", CM_SOURCE_DIR, name);
    json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%s line %d: %s", path, error.line, error.text);
    return json;
}

static inline const char *golden_text(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : otherwise;
}

static inline void golden_account(const json_t *row, struct provider_account *ret_account)
{
    *ret_account = (struct provider_account){
        .id = "openai",
        .base_url = golden_text(row, "base", "https://api.openai.com/v1"),
        .headers = golden_headers,
        .headers_count = 1,
        .settings = json_object_get(row, "settings"),
        .models = json_object_get(row, "models"),
    };
}

/*
 * jansson's memory. Its reader of texts (2.14) does not look whether its buffer could grow, and goes
 * on with a letter missing; nobody can see that from outside. The buffer's sizes are 16 times a
 * power of two, so these never fail here; everything else does.
 */
static inline void *golden_alloc(size_t size)
{
    return size >= 32 && (size & (size - 1)) == 0 ? calloc(1, size) : mem_alloc(size);
}

struct talk {
    struct provider_account account;
    struct provider_plan plan;
    json_t *flow;
    struct arena arena;
    struct provider_step step;
};

static inline int talk_open(struct talk *talk, const json_t *row, struct err *err)
{
    static const char *const prompt = "{\"prompt\":\"a paper boat\"}";
    json_t *args = json_object_get(row, "args");
    json_t *own = args ? json_incref(args) : json_loads(prompt, 0, NULL);
    const char *tool = golden_text(row, "tool", "generate_image");
    int rc;

    memset(talk, 0, sizeof(*talk));
    golden_account(row, &talk->account);
    rc = provider_openai.plan(&talk->account, tool, own, &talk->plan, err);
    json_decref(own);
    if (rc == 0)
        talk->flow = json_object();
    return rc;
}

static inline void talk_next(struct talk *talk, const struct http_reply *reply, int resumed)
{
    struct provider_turn turn = {
        .account = &talk->account,
        .request = talk->plan.request,
        .flow = talk->flow,
        .reply = reply,
        .job_id = "job_test",
        .now_ms = 1790000000000,
        .resumed = resumed,
        .arena = &talk->arena,
    };

    arena_done(&talk->arena);
    provider_openai.next(&turn, &talk->step);
}

/* As another process would find it. */
static inline void talk_reload(struct talk *talk)
{
    char *text = json_dumps(talk->flow, JSON_COMPACT);

    assert_non_null(text);
    assert_true(strlen(text) < LIMIT_FLOW_BYTES);
    assert_null(strstr(text, "Bearer"));
    json_decref(talk->flow);
    talk->flow = json_loads(text, 0, NULL);
    assert_non_null(talk->flow);
    mem_free(text);
}

static inline void talk_close(struct talk *talk)
{
    provider_plan_done(&talk->plan);
    json_decref(talk->flow);
    arena_done(&talk->arena);
}

static inline struct http_reply golden_reply(const char *text, size_t len)
{
    return (struct http_reply){
        .outcome = HTTP_ANSWERED,
        .status = 200,
        .content_type = "",
        .request_id = "",
        .retry_after_ms = -1,
        .length = -1,
        .text = text,
        .text_len = len,
        .error = "the connection broke",
    };
}

#endif
