/*
 * check.c - whether the key is accepted: the service has a question for just that, which reads and
 * costs nothing.
 */
#include "providers/plume/plume.h"

#include <string.h>

void plume_checked(const struct http_reply *reply, struct provider_check *ret_check)
{
    struct arena arena = {0};
    struct plume_answer answer;
    const char *user;

    memset(ret_check, 0, sizeof(*ret_check));
    ret_check->models = -1;
    ret_check->verdict = KEY_UNAVAILABLE;
    if (reply->outcome != HTTP_ANSWERED) {
        err_set(&ret_check->error, reply->outcome == HTTP_REFUSED ? ERR_REFUSED : ERR_UNAVAILABLE,
                "%s", reply->error ? reply->error : "there was no answer");
        return;
    }
    plume_answer_read(reply, &answer);
    if (answer.json && answer.succeeded != 0 && reply->status / 100 == 2) {
        const json_t *valid = json_object_get(answer.data, "valid");

        user = json_word(&arena, json_object_get(answer.data, "user_id"));
        ret_check->verdict = json_is_true(valid)    ? KEY_ACCEPTED
                             : json_is_false(valid) ? KEY_REFUSED
                                                    : KEY_UNTOLD;
        if (json_is_true(valid) && user)
            ret_check->facts = json_pack("{s:s}", "user_id", user);
        if (!json_is_true(valid))
            err_set(&ret_check->error, json_is_false(valid) ? ERR_AUTH : ERR_ANSWER,
                    json_is_false(valid) ? "Plume says that the key is not valid"
                                         : "Plume does not say whether the key is valid");
    } else {
        plume_error_read(reply, &answer, &arena, &ret_check->error);
        ret_check->error.field[0] = '\0';
        if (ret_check->error.kind == ERR_AUTH)
            ret_check->verdict = KEY_REFUSED;
        else if (ret_check->error.kind == ERR_NOT_FOUND || ret_check->error.kind == ERR_INVALID)
            ret_check->verdict = KEY_UNTOLD;
    }
    plume_answer_done(&answer);
    arena_done(&arena);
}
