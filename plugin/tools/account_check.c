/*
 * account_check.c - asks providers whether they accept their keys: all at once, each bounded in
 * time, one row each. What an answer means is the adapter's business; this only counts and words
 * it.
 */
#include "tools/account.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define CHECK_MS 15000
#define CHECK_MS_MIN 1000
#define MARGIN_MS 1000 /* answer a little before the host gives up on the call */
#define BAD_MAX 320

struct probe {
    struct checking *checking;
    const struct provider *adapter;
    json_t *row; /* borrowed: it is in rows */
};

/* Lives with its call: see checking_drop. */
struct checking {
    struct call *call;
    json_t *rows;
    struct probe *probes;
    size_t waiting;
};

void checking_drop(struct call *call)
{
    if (!call->checking)
        return;
    json_decref(call->checking->rows);
    mem_free(call->checking->probes);
    mem_free(call->checking);
    call->checking = NULL;
}

static void add_error(const struct call *call, json_t *row, const struct err *err)
{
    char *advice = words_advice(call->language, err);

    json_object_set_new(row, "kind", json_string(err_kind_name(err->kind)));
    json_object_set_new(row, "text", json_string(err->text));
    json_object_set_new(row, "advice", json_string(advice ? advice : ""));
    mem_free(advice);
}

static void fill(const struct call *call, json_t *row, const struct provider_check *check)
{
    static const char *const words[] = {[KEY_ACCEPTED] = "accepted",
                                        [KEY_REFUSED] = "refused",
                                        [KEY_UNTOLD] = "cannot_tell",
                                        [KEY_UNAVAILABLE] = "unavailable"};

    json_object_set_new(row, "key", json_string(words[check->verdict]));
    if (check->verdict != KEY_ACCEPTED)
        add_error(call, row, &check->error);
    else if (check->models >= 0)
        json_object_set_new(row, "models", json_integer(check->models));
    if (check->facts)
        json_object_update_missing(row, check->facts);
    json_decref(check->facts);
}

/* "beta (the key is refused), gamma (cannot be reached)", in the user's language. */
static void list_bad(const struct checking *it, char ret_text[BAD_MAX], size_t *ret_accepted)
{
    json_t *row;
    size_t index, len = 0;

    ret_text[0] = '\0';
    json_array_foreach(it->rows, index, row) {
        const char *word = json_string_value(json_object_get(row, "key"));
        char key[64];
        char *text;

        if (!word || strcmp(word, "accepted") == 0) {
            *ret_accepted += word != NULL;
            continue;
        }
        snprintf(key, sizeof(key), "account.key.is.%s", word);
        text = words_text(it->call->language, key, NULL);
        if (len < BAD_MAX - 1)
            len += (size_t)snprintf(ret_text + len, BAD_MAX - len, "%s%s (%s)", len ? ", " : "",
                                    json_string_value(json_object_get(row, "id")),
                                    text ? text : word);
        mem_free(text);
    }
    if (len >= BAD_MAX)
        memcpy(ret_text + BAD_MAX - 4, "...", 4);
}

static void finish(struct checking *it)
{
    struct call *call = it->call;
    json_t *json = json_pack("{s:s, s:O}", "status", "ok", "providers", it->rows);
    size_t accepted = 0;
    char bad[BAD_MAX];

    list_bad(it, bad, &accepted);
    if (json)
        result_note(json, call, *bad ? "account.check.bad" : "account.check",
                    json_pack("{s:I, s:I, s:s}", "accepted", (json_int_t)accepted, "count",
                              (json_int_t)json_array_size(it->rows), "bad", bad));
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}

static void answered(void *ud, const struct http_reply *reply)
{
    struct probe *probe = ud;
    struct checking *it = probe->checking;
    struct provider_check check;

    if (call_back(it->call))
        return;
    probe->adapter->checked(reply, &check);
    fill(it->call, probe->row, &check);
    if (--it->waiting == 0)
        finish(it);
}

static int64_t time_for(const struct call *call)
{
    int64_t left = call->deadline_ms - env_now_ms(call_env(call)) - MARGIN_MS;

    if (!call->deadline_ms || left > CHECK_MS)
        return CHECK_MS;
    return left < CHECK_MS_MIN ? CHECK_MS_MIN : left;
}

static void ask(struct checking *it, struct probe *probe, const struct config_provider *provider)
{
    struct call *call = it->call;
    struct http_request request;
    struct arena arena = {0};
    struct err err;
    int rc;

    probe->checking = it;
    probe->adapter = provider->adapter;
    if (!provider->account.signed_in)
        rc = err_set(&err, ERR_AUTH, "a login comes first: action login");
    else if (!provider->adapter->check)
        rc = err_set(&err, ERR_NOT_FOUND, "this provider cannot be asked");
    else if (provider->adapter->check(&provider->account, &arena, &request))
        rc = err_nomem(&err);
    else
        rc = engine_ask(call_engine(call), provider->account.id, &request, time_for(call),
                        answered, probe, &err);
    if (rc) {
        json_object_set_new(probe->row, "key", json_string("cannot_tell"));
        add_error(call, probe->row, &err);
    } else {
        call_begin(call);
        it->waiting++;
    }
    arena_done(&arena);
}

static struct checking *checking_new(struct call *call, size_t count)
{
    struct checking *it = mem_alloc(sizeof(*it));

    if (!it)
        return NULL;
    it->call = call;
    it->rows = json_array();
    it->probes = mem_alloc(count * sizeof(*it->probes));
    call->checking = it;
    if (it->rows && it->probes)
        return it;
    checking_drop(call);
    return NULL;
}

static void add_problems(struct checking *it, const char *only)
{
    const struct config *config = call_config(it->call);
    const struct config_problem *problem;
    struct err err;

    for (size_t i = 0; (problem = config_problem_at(config, i)); i++) {
        json_t *row;

        if (only && strcmp(only, problem->id) != 0)
            continue;
        row = json_pack("{s:s, s:s}", "id", problem->id, "key", "unusable");
        err_set(&err, ERR_CONFIG, "%s", problem->reason);
        if (row)
            add_error(it->call, row, &err);
        json_array_append_new(it->rows, row);
    }
}

void account_check(struct call *call)
{
    const struct config *config = call_config(call);
    const struct config_provider *provider;
    struct checking *it;
    const char *only;
    size_t count = 0;
    struct err err;
    int is_broken = config_refresh(call_config(call), &err) != 0;

    if (is_broken && !config_root(config)) {
        call_fail(call, &err);
        return;
    }
    if (!config_provider_at(config, 0) && !config_problem_at(config, 0)) {
        account_setup(call, AHP_RESULT_ERROR);
        return;
    }
    if (account_wanted(call, &only, &err)) {
        call_fail(call, &err);
        return;
    }
    while (config_provider_at(config, count))
        count++;
    it = checking_new(call, count);
    if (!it) {
        err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    for (size_t i = 0; (provider = config_provider_at(config, i)); i++) {
        if (only && strcmp(only, provider->account.id) != 0)
            continue;
        it->probes[i].row = json_pack("{s:s}", "id", provider->account.id);
        if (json_array_append_new(it->rows, it->probes[i].row) == 0)
            ask(it, &it->probes[i], provider);
    }
    add_problems(it, only);
    if (it->waiting == 0)
        finish(it);
}
