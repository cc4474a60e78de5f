/*
 * account_key.c - the key of a service that keeps it in a file of its own tools, which they and we
 * share: stored there from a variable, taken out of it, and the default ratio beside it. The key
 * itself is in no argument, and in no answer but for its last letters.
 */
#include "tools/account.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define TAIL       4
#define PATH_BYTES 4096

static const char *arg(const struct call *call, const char *name)
{
    return json_text(call->args, name);
}

static void answer(struct call *call, const char *words, const char *tail, const char *ratio)
{
    const char *id = arg(call, "provider");
    json_t *json = json_pack("{s:s}", "status", "ok");
    char path[PATH_BYTES] = "";

    (void)config_credential_path(call_config(call), id, path, sizeof(path));
    if (json)
        result_note(json, call, words,
                    json_pack("{s:s, s:s, s:s, s:s}", "provider", id, "tail", tail, "file", path,
                              "ratio", ratio));
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}

static void key_changed(void *ud, int changed, const struct err *err)
{
    struct call *call = ud;
    int removes = strcmp(arg(call, "action"), "remove_key") == 0;

    if (call_back(call))
        return;
    if (err)
        call_fail(call, err);
    else
        answer(call, !removes  ? "account.key.stored"
                     : changed ? "account.key.gone"
                               : "account.key.none",
               call->told, "");
}

int account_key(struct call *call, int removes)
{
    struct config *config = call_config(call);
    const char *name = arg(call, "key_env");
    const char *key = NULL;
    size_t len = 0;
    struct err err;
    int rc;

    if (!removes && !*name)
        return 1; /* how it is done is told elsewhere */
    config_refresh(config, &err);
    if (!removes) {
        key = config_variable(config, name, NULL);
        len = key ? strlen(key) : 0;
    }
    snprintf(call->told, sizeof(call->told), "%s", len > 2 * TAIL ? key + len - TAIL : "");
    /* No variable: still asked, for services that keep no key in a file. */
    rc = config_credential_member(config, arg(call, "provider"), "key",
                                  removes ? NULL
                                  : key   ? key
                                          : "",
                                  key_changed, call, &err);
    if (rc == CONFIG_MEMBER_NONE)
        return 1;
    if (rc < 0 && !removes && !key)
        err_field(&err, "key_env", "there is no variable %.100s", name);
    if (rc < 0)
        call_fail(call, &err);
    else
        call_begin(call);
    return 0;
}

static void ratio_changed(void *ud, int changed, const struct err *err)
{
    struct call *call = ud;

    (void)changed;
    if (call_back(call))
        return;
    if (err)
        call_fail(call, err);
    else
        answer(call, "account.ratio.stored", "", arg(call, "aspect_ratio"));
}

void account_ratio(struct call *call)
{
    const char *ratio = arg(call, "aspect_ratio");
    size_t left = strspn(ratio, "0123456789");
    size_t right = ratio[left] == ':' ? strspn(ratio + left + 1, "0123456789") : 0;
    struct err err;
    int rc = CONFIG_MEMBER_NONE;

    if (left && left < 3 && right && right < 3 && !ratio[left + 1 + right])
        rc = config_credential_member(call_config(call), arg(call, "provider"), "video_ratio",
                                      ratio, ratio_changed, call, &err);
    if (rc == CONFIG_MEMBER_NONE)
        err_field(&err, "aspect_ratio",
                  "aspect_ratio is a default of libtv and nexu only, of the form 16:9");
    if (rc)
        call_fail(call, &err);
    else
        call_begin(call);
}
