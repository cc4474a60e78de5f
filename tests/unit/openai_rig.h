/* openai_rig.h - a conversation with the openai adapter, made of a case of its golden files. */
#ifndef TESTS_OPENAI_RIG_H
#define TESTS_OPENAI_RIG_H

#include "unit/provider_rig.h"

/* "base", "settings", "models" of the account, "tool" and "args" of the order; all may be left out.
 */
static inline int openai_open(struct talk *talk, const json_t *row, struct err *err)
{
    static const struct http_header headers[] = {{"Authorization", "Bearer {{key}}"}};
    const struct provider_account account = {
        .id = "openai",
        .base_url = golden_text(row, "base", "https://api.openai.com/v1"),
        .headers = headers,
        .headers_count = 1,
        .settings = json_object_get(row, "settings"),
        .models = json_object_get(row, "models"),
    };
    json_t *args = json_object_get(row, "args");
    json_t *own = args ? json_incref(args) : json_pack("{s:s}", "prompt", "a paper boat");
    int rc = talk_open(talk, &provider_openai, &account, golden_text(row, "tool", "generate_image"),
                       own, err);

    json_decref(own);
    return rc;
}

#endif
