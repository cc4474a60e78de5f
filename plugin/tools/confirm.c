/*
 * confirm.c - a person's yes before money is spent, for every tool alike: where the setting
 * `confirm` wants one, the host asks (ahp.approval/1), or the call is answered with the plan and a
 * token, and runs when it comes again, the same in all that matters, with that token.
 *
 * A token is bound to a subject: tool, conversation, arguments, and the plan that they lead to now,
 * price and inputs included. It is the dedup key of its job, so it buys one job at most, whoever
 * says it how often. Nothing is stored for it: it survives a restart. Where the host asks, no token
 * is ever given out: a model cannot answer for the person.
 */
#include "tools/tool.h"

#include "base/buf.h"
#include "base/mem.h"

#include <math.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define QUESTION_MS (10 * 60 * 1000) /* how long a person has for an answer */
#define DEADLINE_MARGIN_MS 500       /* and before the host gives up on the call */

struct confirming {
    ahp_asked *asked; /* NULL: answered */
    json_t *args;     /* for again */
    confirm_again_fn *again;
    uint8_t subject[TOKEN_SUBJECT_BYTES];
    int is_affordable; /* no limit stands in the way, as far as can be seen */
    int is_allowed;
};

/* Does the setting want a yes for this? */
static int is_wanted(const struct call *call, const struct provider_plan *plan)
{
    struct config_spending policy;
    int is_comparable;

    if (call->batch_index)
        return 0; /* the whole was asked for */
    config_spending(call_config(call), &policy);
    is_comparable = plan->cost >= 0 && (!policy.currency[0] ||
                                        strcmp(policy.currency, plan->currency) == 0);
    if (policy.asks && (policy.above < 0 || !is_comparable || plan->cost > policy.above))
        return 1;
    /* What a limit cannot count needs a yes, too. */
    return (policy.day >= 0 || policy.conversation >= 0) &&
           (plan->cost < 0 || strcmp(policy.limits_currency, plan->currency) != 0);
}

const struct ledger_budget *confirm_budget(const struct call *call,
                                           struct ledger_budget *ret_budget)
{
    struct config_spending policy;

    config_spending(call_config(call), &policy);
    if (policy.day < 0 && policy.conversation < 0)
        return NULL;
    memcpy(ret_budget->currency, policy.limits_currency, sizeof(ret_budget->currency));
    ret_budget->day = policy.day;
    ret_budget->conversation = policy.conversation;
    return ret_budget;
}

static void add_piece(struct sha256_ctx *ctx, const char *piece)
{
    /* With the NUL: "a" + "bc" is not "ab" + "c". */
    sha256_update(ctx, piece ? strlen(piece) + 1 : 1, (const uint8_t *)(piece ? piece : ""));
}

static int make_subject(const struct call *call, const struct config_provider *provider,
                        const struct provider_plan *plan, uint8_t *ret_subject)
{
    char *args = call_canonical(call);
    char *request = json_dumps(plan->request, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    struct sha256_ctx ctx;
    char cost[64];
    int rc = args && request ? 0 : -1;

    if (rc == 0) {
        snprintf(cost, sizeof(cost), "%.9g", plan->cost < 0 ? -1.0 : plan->cost);
        sha256_init(&ctx);
        add_piece(&ctx, call_env(call)->host->name);
        add_piece(&ctx, call->tool->name);
        add_piece(&ctx, call->conversation);
        add_piece(&ctx, args);
        add_piece(&ctx, json_is_true(json_object_get(call->args, "again")) ? "again" : "");
        add_piece(&ctx, provider->account.id);
        add_piece(&ctx, plan->model);
        add_piece(&ctx, cost);
        add_piece(&ctx, plan->currency);
        add_piece(&ctx, request);
        sha256_digest(&ctx, TOKEN_SUBJECT_BYTES, ret_subject);
    }
    free(request);
    mem_free(args);
    return rc;
}

static int make_token(const struct call *call, const uint8_t *subject, char *ret_token,
                      struct err *err)
{
    struct token_key *key = call_token_key(call);
    uint32_t nonce = 0;

    if (token_key_load(config_state_dir(call_config(call)), key, err))
        return -1;
    /* Once more and once more again are two wishes. */
    if (json_is_true(json_object_get(call->args, "again")) &&
        getrandom(&nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
        return err_set(err, ERR_IO, "the system gave no random number");
    token_make(key, subject, env_wall_ms(call_env(call)), nonce, ret_token);
    return 0;
}

/* 1 when the token that came with the call is for this; 0 when none came; -1. */
static int check_token(const struct call *call, const uint8_t *subject, struct err *err)
{
    const char *token = json_string_value(json_object_get(call->args, "confirm"));
    struct token_key *key = call_token_key(call);
    char *text;

    if (!token || !*token)
        return 0;
    if (token_key_load(config_state_dir(call_config(call)), key, err))
        return -1;
    if (token_check(key, subject, env_wall_ms(call_env(call)), token) == 0)
        return 1;
    text = words_text(call->language, "confirm.stale", NULL);
    err_field(err, "confirm", "%s", text ? text : "the confirmation is for another request");
    mem_free(text);
    return -1;
}

/* ---- what is told ---- */

/* "0.25", without an exponent and without zeros at its end. */
static void amount_text(double amount, char *ret_text, size_t size)
{
    size_t len;

    snprintf(ret_text, size, "%.6f", amount);
    len = strlen(ret_text);
    while (len > 1 && ret_text[len - 1] == '0')
        ret_text[--len] = '\0';
    if (len > 1 && ret_text[len - 1] == '.')
        ret_text[len - 1] = '\0';
}

/* Values for words: cost is a half sentence with its blank in front. */
static json_t *values_of(const struct call *call, const struct config_provider *provider,
                         const struct provider_plan *plan)
{
    char amount[64] = "";
    json_t *values;
    char *kind;
    char *cost;

    if (plan->cost >= 0)
        amount_text(plan->cost, amount, sizeof(amount));
    values = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "provider", provider->account.id, "model",
                       plan->model, "amount", amount, "currency", plan->currency, "tool",
                       call->tool->name, "count", (int)plan->files);
    cost = words_text(call->language, plan->cost >= 0 ? "plan.cost" : "plan.cost.unknown", values);
    kind = words_text(call->language,
                      strcmp(plan->kind, "video") == 0 ? "kind.video" : "kind.image", NULL);
    if (!values || !cost || !kind || json_object_set_new(values, "cost", json_string(cost)) ||
        json_object_set_new(values, "kind", json_string(kind))) {
        json_decref(values);
        values = NULL;
    }
    mem_free(cost);
    mem_free(kind);
    return values;
}

/* Words of a batch speak of items. */
static int is_batch(const struct provider_plan *plan)
{
    return strcmp(plan->kind, "batch") == 0;
}

int confirm_note(const struct call *call, const struct config_provider *provider,
                 const struct provider_plan *plan, json_t *json)
{
    uint8_t subject[TOKEN_SUBJECT_BYTES];
    char token[TOKEN_TEXT_MAX];

    if (!is_wanted(call, plan))
        return 0;
    json_object_set_new(json, "needs_confirmation", json_true());
    /* Where the host asks, the yes is not for the model to say. */
    if (!call_env(call)->approval && make_subject(call, provider, plan, subject) == 0 &&
        make_token(call, subject, token, NULL) == 0)
        json_object_set_new(json, "confirm", json_string(token));
    return 1;
}

json_t *confirm_plan(const struct call *call, const struct config_provider *provider,
                     const struct provider_plan *plan, const char *status)
{
    json_t *json = is_batch(plan)
                       ? json_pack("{s:s, s:s, s:i}", "status", status, "kind", plan->kind, "items",
                                   (int)plan->files)
                       : json_pack("{s:s, s:s, s:s, s:s, s:i}", "status", status, "kind",
                                   plan->kind, "provider", provider->account.id, "model",
                                   plan->model, "files", (int)plan->files);

    if (!json)
        return NULL;
    if (plan->cost >= 0)
        json_object_set_new(json, "cost_estimate", json_pack("{s:f, s:s}", "amount", plan->cost,
                                                             "currency", plan->currency));
    if (plan->times.typical_ms)
        json_object_set_new(json, "seconds_typical",
                            json_integer((plan->times.typical_ms *
                                              (plan->times.rounds ? plan->times.rounds : 1) + 999) /
                                         1000));
    if (json_array_size(plan->changed))
        json_object_set(json, "changed", plan->changed);
    result_note(json, call, confirm_note(call, provider, plan, json) ? "plan.confirm" : "plan",
                values_of(call, provider, plan));
    return json;
}

/* The adapter's own page, where it has one; NULL: none, or no memory. */
static char *own_page(const struct call *call, const struct config_provider *provider,
                      const struct provider_plan *plan)
{
    const char *name = provider->adapter->name;
    const char *page = json_string_value(json_object_get(plan->words, "page"));
    const char *sort = json_string_value(json_object_get(plan->words, "sort"));
    char key[80];
    json_t *values;
    char *text;

    snprintf(key, sizeof(key), "%s.confirm.%s", name, page ? page : "");
    if (!page || !sort || !words_has(call->language, key))
        return NULL;
    values = values_of(call, provider, plan);
    if (values && json_object_update_missing(values, plan->words) == 0) {
        char label[80];

        snprintf(label, sizeof(label), "%s.sort.%s", name, sort);
        text = words_text(call->language, label, NULL);
        json_object_set_new(values, "sort", json_string(text ? text : sort));
        mem_free(text);
    }
    text = values ? words_text(call->language, key, values) : NULL;
    json_decref(values);
    return text;
}

static void answer_token(struct call *call, const struct config_provider *provider,
                         const struct provider_plan *plan, const uint8_t *subject)
{
    char token[TOKEN_TEXT_MAX];
    struct err err;
    json_t *json;
    char *page;

    if (make_token(call, subject, token, &err)) {
        call_fail(call, &err);
        return;
    }
    json = confirm_plan(call, provider, plan, "needs_confirmation");
    if (json) {
        json_object_del(json, "needs_confirmation");
        json_object_set_new(json, "confirm", json_string(token));
        json_object_set_new(json, "expires_seconds", json_integer(TOKEN_LIFE_MS / 1000));
        result_note(json, call, is_batch(plan) ? "confirm.ask.batch" : "confirm.ask",
                    values_of(call, provider, plan));
        page = own_page(call, provider, plan);
        if (page)
            json_object_set_new(json, "message", json_string(page));
        mem_free(page);
        json_object_set_new(json, "next",
                            json_string("ask the user; after a yes, the same call with the same "
                                        "arguments and this confirm"));
    }
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}

/* ---- the host asks ---- */

static void answered(void *ud, int32_t answer)
{
    struct call *call = ud;
    struct confirming *it = call->confirming;
    const char *key = answer == AHP_APPROVAL_TIMED_OUT ? "confirm.timed_out" : "confirm.denied";
    struct err err;
    char *text;

    it->asked = NULL;
    if (answer == AHP_APPROVAL_ALLOWED) {
        it->is_allowed = 1;
        it->again(call, json_incref(it->args));
        return;
    }
    text = words_text(call->language, key, NULL);
    err_set(&err, ERR_DENIED, "%s", text ? text : key);
    mem_free(text);
    call_fail(call, &err);
}

static ahp_text text_of(const char *text)
{
    ahp_text out = {text, text ? strlen(text) : 0};

    return out;
}

/* AHP_OK: `answered` follows. */
static int32_t ask_host(struct call *call, const struct config_provider *provider,
                    const struct provider_plan *plan, struct confirming *it)
{
    struct env *env = call_env(call);
    ahp_question question = {.size = sizeof(question), .call_id = call->id};
    json_t *values = values_of(call, provider, plan);
    char *title = words_text(call->language,
                             is_batch(plan) ? "confirm.title.batch" : "confirm.title", values);
    char *page = own_page(call, provider, plan);
    char *text = page ? page
                      : words_text(call->language,
                                   is_batch(plan) ? "confirm.text.batch" : "confirm.text", values);
    char *target = is_batch(plan)
                       ? mem_text(call->tool->name)
                       : mem_format("%.100s / %.120s", provider->account.id, plan->model);
    const char *amount = json_string_value(json_object_get(values, "amount"));
    int32_t rc = AHP_E_NOMEM;

    question.deadline_ms = env_now_ms(env) + QUESTION_MS;
    if (call->deadline_ms && call->deadline_ms - DEADLINE_MARGIN_MS < question.deadline_ms)
        question.deadline_ms = call->deadline_ms - DEADLINE_MARGIN_MS;
    question.title = text_of(title);
    question.text = text_of(text);
    question.target = text_of(target);
    if (plan->cost >= 0) {
        question.amount = text_of(amount);
        question.currency = text_of(plan->currency[0] ? plan->currency : NULL);
    }
    question.conversation = text_of(call->conversation);
    if (values && title && text && target)
        rc = env->approval->ask(env->host->ctx, &question, &it->asked, answered, call);
    json_decref(values);
    mem_free(title);
    mem_free(text);
    mem_free(target);
    return rc;
}

void confirm_drop(struct call *call)
{
    struct confirming *it = call->confirming;

    call->confirming = NULL;
    if (!it)
        return;
    if (it->asked)
        call_env(call)->approval->ask_free(it->asked);
    json_decref(it->args);
    mem_free(it);
}

/* What the call is about: as it was, if it is the same. NULL: no memory. */
static struct confirming *hold(struct call *call, json_t *args, const uint8_t *subject,
                               confirm_again_fn *again)
{
    struct confirming *it = call->confirming;

    if (!it || memcmp(it->subject, subject, sizeof(it->subject)) != 0) {
        it = mem_alloc(sizeof(*it));
        if (!it)
            return NULL;
        memcpy(it->subject, subject, sizeof(it->subject));
    }
    json_incref(args);
    if (it != call->confirming)
        confirm_drop(call); /* of what is not the same any more */
    json_decref(it->args);
    it->args = args;
    it->again = again;
    call->confirming = it;
    return it;
}

/* ---- is there money left? ---- */

static void checked(void *ud, enum ledger_result result, const struct err *err)
{
    struct call *call = ud;
    struct confirming *it = call->confirming;

    if (call_back(call))
        return;
    if (result != LEDGER_OK) {
        call_fail(call, err);
        return;
    }
    it->is_affordable = 1;
    it->again(call, json_incref(it->args));
}

/* 1: nobody is to be asked now; the limits are looked at first, or the call was answered. */
static int check_limits(struct call *call, const struct provider_plan *plan,
                        const struct confirming *it)
{
    struct ledger_budget budget;
    struct err err;

    if (it->is_affordable || !confirm_budget(call, &budget))
        return 0;
    if (engine_afford(call_engine(call), &budget, call->conversation, plan, checked, call) == 0) {
        call_begin(call);
        return 1;
    }
    err_nomem(&err);
    call_fail(call, &err);
    return 1;
}

/* The host asks, or the caller has to. */
static void ask(struct call *call, const struct config_provider *provider,
                const struct provider_plan *plan, struct confirming *it)
{
    int32_t rc = AHP_E_UNSUPPORTED;
    struct err err;

    if (call_env(call)->approval)
        rc = ask_host(call, provider, plan, it);
    if (rc == AHP_OK)
        return;
    if (rc == AHP_E_UNSUPPORTED) {
        answer_token(call, provider, plan, it->subject);
        return;
    }
    if (rc == AHP_E_NOMEM)
        err_nomem(&err);
    else
        err_set(&err, ERR_BUSY, "nobody can be asked for a confirmation just now (%d)", (int)rc);
    call_fail(call, &err);
}

int confirm_pass(struct call *call, const struct config_provider *provider,
                 const struct provider_plan *plan, json_t *args, confirm_again_fn *again,
                 const char **ret_once)
{
    struct confirming *it = call->confirming;
    uint8_t subject[TOKEN_SUBJECT_BYTES];
    struct err err;
    int rc;

    *ret_once = NULL;
    if (call->batch_index)
        return 1; /* the batch was confirmed as a whole */
    if (make_subject(call, provider, plan, subject)) {
        err_nomem(&err);
        call_fail(call, &err);
        return 0;
    }
    /* A token is looked at even when none is needed any more: it still names its one job. */
    rc = check_token(call, subject, &err);
    if (rc < 0) {
        call_fail(call, &err);
        return 0;
    }
    *ret_once = rc ? json_string_value(json_object_get(call->args, "confirm")) : NULL;
    if (rc || !is_wanted(call, plan) ||
        (it && it->is_allowed && memcmp(it->subject, subject, sizeof(subject)) == 0))
        return 1;
    it = hold(call, args, subject, again);
    if (!it) {
        err_nomem(&err);
        call_fail(call, &err);
    } else if (!check_limits(call, plan, it)) {
        ask(call, provider, plan, it);
    }
    return 0;
}
