/*
 * run_batch.c - a list of pictures and videos as one order. Two passes over the items, a few at a
 * time: first every one is only planned, so that mistakes and the estimate are known before
 * anything is paid, and the batch gets its name; then each becomes a job of its own, and at last
 * the whole becomes one, which is what is waited for, delivered and polled. An item that succeeded
 * in an earlier run of the same manifest is found, not made again.
 */
#include "tools/batch.h"

#include "base/json.h"
#include "base/mem.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 16        /* inner calls that look something up */
#define A_TURN 8          /* begun in one turn of the loop */
#define NAMED_BYTES 65536 /* that go into the name in one turn: well under a millisecond */
#define NAMED_MISTAKES 20 /* in a result */
#define LOGIN_BYTES 64

enum pass {
    PASS_PLAN,
    PASS_NAME,
    PASS_ORDER,
};

struct batch {
    struct call *call;
    json_t *items;    /* as written, null once planned: thousands freed at once hold the loop */
    json_t *vars;     /* of all */
    json_t *planned;  /* per item {"tool","args"}, or null: makes no sense, or is ordered */
    json_t *invalid;  /* [{"index","ok":false,"error","field"?}] */
    char name[24];
    struct sha256_ctx naming;
    enum pass pass;
    size_t next;      /* index of the item that is next in this pass, from 0 */
    struct call *inner[AT_ONCE];
    size_t inner_count;
    unsigned made;    /* items that became new jobs */
    double cost;
    int cost_unknown; /* some */
    char currency[8];
    int currencies;   /* more than one */
    const char *dedup_key; /* of a confirmed batch: its token */
    char login[LOGIN_BYTES]; /* the account that has to be signed in to first */
    ahp_deferred *turn;
    int in_turn;
};

/* A process that ends with its answer must not begin what it cannot see through. */
static int is_held(const struct call *call)
{
    return (call->flags & AHP_CALL_ONE_SHOT) && (call->reply_to || (call->flags & AHP_CALL_DETACH));
}

static int flag(const struct call *call, const char *name)
{
    return json_is_true(json_object_get(call->args, name));
}

/* ---- the end of it ---- */

static void leave(struct batch *it, const struct call *inner)
{
    for (size_t i = 0; i < it->inner_count; i++) {
        if (it->inner[i] == inner) {
            it->inner[i] = it->inner[--it->inner_count];
            return;
        }
    }
}

void batch_close(struct call *call)
{
    struct batch *it = call->batch;

    if (!it)
        return;
    call->batch = NULL;
    if (call->batch_index) {
        leave(it, call);
        return;
    }
    for (size_t i = 0; i < it->inner_count; i++)
        it->inner[i]->batch = NULL; /* it orders nothing any more */
    call_env(call)->loop->defer_free(it->turn);
    json_decref(it->items);
    json_decref(it->vars);
    json_decref(it->planned);
    json_decref(it->invalid);
    mem_free(it);
}

/* ---- what is told ---- */

static void note_invalid(struct batch *it, size_t number, const char *text, const char *field)
{
    json_t *row = json_pack("{s:I, s:b, s:s}", "index", (json_int_t)number, "ok", 0, "error", text);

    if (field && *field)
        json_object_set_new(row, "field", json_string(field));
    json_array_append_new(it->invalid, row);
}

static json_t *few(const json_t *rows)
{
    json_t *some = json_array();

    for (size_t i = 0; i < json_array_size(rows) && i < NAMED_MISTAKES; i++)
        json_array_append(some, json_array_get(rows, i));
    return some;
}

static int plan_whole(const struct batch *it, struct provider_plan *ret_plan);

static void answer_plan(struct batch *it)
{
    struct call *call = it->call;
    struct provider_plan plan = {0};
    int is_planned = plan_whole(it, &plan) == 0;
    json_t *json = json_pack("{s:s, s:I}", "status", "plan", "items",
                             (json_int_t)json_array_size(it->items));
    json_t *values = json_pack("{s:I, s:I, s:f, s:s}", "items",
                               (json_int_t)json_array_size(it->items), "invalid",
                               (json_int_t)json_array_size(it->invalid), "amount", it->cost,
                               "currency", it->currency);
    int known = !it->cost_unknown && !it->currencies;
    char *cost = words_text(call->language, known ? "plan.cost" : "plan.cost.unknown", values);

    if (json && json_array_size(it->invalid))
        json_object_set_new(json, "invalid", few(it->invalid));
    if (json && known)
        json_object_set_new(json, "cost_estimate", json_pack("{s:f, s:s}", "amount", it->cost,
                                                             "currency", it->currency));
    json_object_set_new(values, "cost", json_string(cost ? cost : ""));
    if (json)
        result_note(json, call,
                    json_array_size(it->invalid) ? "plan.batch.invalid" : "plan.batch",
                    json_incref(values));
    if (json && is_planned)
        confirm_note(call, config_provider_by_id(call_config(call), "web"), &plan, json);
    provider_plan_done(&plan);
    json_decref(values);
    mem_free(cost);
    call_answer_take(call, json ? AHP_RESULT_OK : AHP_RESULT_ERROR, json, NULL);
}

static void fail_invalid(struct batch *it)
{
    const json_t *first = json_array_get(it->invalid, 0);
    struct err err;

    err_field(&err, "items",
              "item %lld: %s (%zu of %zu items make no sense; nothing was sent; with "
              "continue_on_error the others are made)",
              (long long)json_int(first, "index", 0), json_text(first, "error"),
              json_array_size(it->invalid), json_array_size(it->items));
    call_fail(it->call, &err);
}

/* ---- the whole ---- */

static void ordered(void *ud, const struct ledger_job *job, int created, const struct err *err)
{
    struct call *call = ud;
    const json_t *seconds = json_object_get(call->args, "wait_seconds");

    if (call_ordered(call, job, created, err))
        return;
    if (call->reply_to || (call->flags & AHP_CALL_DETACH))
        call_answer_take(call, AHP_RESULT_PENDING_JOB, result_of_job(call, job), job);
    else
        call_wait(call, seconds ? json_integer_value(seconds) * 1000 : -1);
}

/* -1 without memory. */
static int plan_whole(const struct batch *it, struct provider_plan *ret_plan)
{
    const json_t *args = it->call->args;

    memset(ret_plan, 0, sizeof(*ret_plan));
    ret_plan->kind = "batch";
    ret_plan->files = 1;
    ret_plan->cost = it->cost_unknown || it->currencies ? -1 : it->cost;
    snprintf(ret_plan->prefix, sizeof(ret_plan->prefix), "batch");
    snprintf(ret_plan->model, sizeof(ret_plan->model), "%s", it->name);
    snprintf(ret_plan->currency, sizeof(ret_plan->currency), "%s", it->currency);
    ret_plan->changed = json_array();
    ret_plan->request =
        json_pack("{s:s?, s:I, s:b, s:O}", "manifest",
                  json_string_value(json_object_get(args, "manifest")), "count",
                  (json_int_t)(json_array_size(it->items) - json_array_size(it->invalid)),
                  "continue_on_error", flag(it->call, "continue_on_error"), "invalid", it->invalid);
    return ret_plan->request && ret_plan->changed ? 0 : -1;
}

static void order_whole(struct batch *it)
{
    struct call *call = it->call;
    struct provider_plan plan;
    struct engine_order order = {
        .tool = call->tool->name,
        .provider = config_provider_by_id(call_config(call), "web"),
        .plan = &plan,
        .conversation = call->conversation,
        .caller = call->caller,
        .locale = call_locale(call),
        .reply_to = call->reply_to,
        .reply_to_len = call->reply_to_len,
        .dedup_key = it->dedup_key,
        .output_dir = call->output_dir,
        .dedup_text = it->name,
        /* With something new in it a whole of its own that tells of it; a token names one whole. */
        .again = it->made > 0 && !it->dedup_key,
        .batch = it->name,
    };
    struct err err;

    order.hold = is_held(call);
    order.stops = !flag(call, "continue_on_error");
    order.batch_items = (unsigned)(json_array_size(it->items) - json_array_size(it->invalid));
    if (plan_whole(it, &plan))
        err_nomem(&err);
    else if (engine_order(call_engine(call), &order, ordered, call, &err) == 0)
        err.kind = ERR_NONE;
    if (err.kind == ERR_NONE)
        call_begin(call);
    else
        call_fail(call, &err);
    provider_plan_done(&plan);
}

/* ---- the items ---- */

static void go_on(struct batch *it);

/*
 * The same items, in the same conversation, are the same batch: a digest of the conversation and of
 * the JSON array of what is planned, which is written piece by piece, as thousands take their time.
 */
static int name_some(struct batch *it)
{
    const char *conversation = it->call->conversation;
    size_t count = json_array_size(it->planned);
    uint8_t digest[SHA256_DIGEST_SIZE];

    if (it->next == 0) {
        sha256_init(&it->naming);
        sha256_update(&it->naming, strlen(conversation) + 1, (const uint8_t *)conversation);
    }
    for (size_t bytes = 0; it->next < count && bytes < NAMED_BYTES; it->next++) {
        char *text = json_dumps(json_array_get(it->planned, it->next),
                                JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

        if (!text)
            return -1;
        bytes += strlen(text);
        sha256_update(&it->naming, 1, (const uint8_t *)(it->next ? "," : "["));
        sha256_update(&it->naming, strlen(text), (const uint8_t *)text);
        free(text);
    }
    if (it->next < count)
        return 0;
    sha256_update(&it->naming, 1, (const uint8_t *)"]");
    sha256_digest(&it->naming, sizeof(digest), digest);
    snprintf(it->name, sizeof(it->name), "batch-%02x%02x%02x%02x%02x%02x", digest[0], digest[1],
             digest[2], digest[3], digest[4], digest[5]);
    return 0;
}

static void confirm(struct batch *it);

static void confirmed(struct call *call, json_t *args)
{
    json_decref(args);
    confirm(call->batch);
}

/* One yes for all items; they are not asked for one by one. */
static void confirm(struct batch *it)
{
    struct call *call = it->call;
    struct provider_plan plan;
    struct err err;

    if (plan_whole(it, &plan)) {
        provider_plan_done(&plan);
        err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    plan.files = (unsigned)(json_array_size(it->items) - json_array_size(it->invalid));
    if (confirm_pass(call, config_provider_by_id(call_config(call), "web"), &plan,
                            call->args, confirmed, &it->dedup_key)) {
        it->pass = PASS_ORDER;
        it->next = 0;
        go_on(it);
    }
    provider_plan_done(&plan);
}

static void pass_over(struct batch *it)
{
    const struct config_provider *login = config_provider_by_id(call_config(it->call), it->login);
    struct call *call = it->call;

    if (it->pass == PASS_ORDER) {
        order_whole(it);
        return;
    }
    if (flag(call, "dry_run")) {
        answer_plan(it);
    } else if (json_array_size(it->invalid) && (!flag(call, "continue_on_error") ||
               json_array_size(it->invalid) == json_array_size(it->items))) {
        fail_invalid(it);
    } else if (login && !login->account.signed_in) {
        login_begin(call, login, 1);
    } else {
        confirm(it);
    }
}

static void add_cost(struct batch *it, const json_t *json)
{
    const json_t *cost = json_object_get(json, "cost_estimate");
    const char *currency = json_text(cost, "currency");

    if (!cost) {
        it->cost_unknown = 1;
        return;
    }
    it->cost += json_number_value(json_object_get(cost, "amount"));
    if (!*it->currency)
        snprintf(it->currency, sizeof(it->currency), "%s", currency);
    else if (strcmp(it->currency, currency) != 0)
        it->currencies = 1;
}

/* One link for all items, before any of them is ordered. */
static void note_login(struct batch *it, const char *id)
{
    const struct config_provider *provider = config_provider_by_id(call_config(it->call), id);

    if (!it->login[0] && provider && !provider->account.signed_in)
        snprintf(it->login, sizeof(it->login), "%s", id);
}

void batch_answer_take(struct call *call, int32_t status, json_t *json)
{
    struct batch *it = call->batch;
    const json_t *error = json_object_get(json, "error");
    size_t number = call->batch_index;

    if (!it) {
        json_decref(json);
        return;
    }
    leave(it, call);
    call->batch = NULL;
    if (status == AHP_RESULT_ERROR && !json_object_get(json, "job")) {
        note_invalid(it, number, json_text(error, "text"), json_text(error, "field"));
        json_array_set_new(it->planned, number - 1, json_null());
    } else if (strcmp(json_text(json, "status"), "login_needed") == 0) {
        note_invalid(it, number, json_text(json, "message"), NULL); /* signed out meanwhile */
    } else if (it->pass == PASS_PLAN) {
        add_cost(it, json);
        note_login(it, json_text(json, "provider"));
    } else if (strcmp(json_text(json, "status"), "submitted") == 0) {
        it->made++;
    }
    json_decref(json);
    if (status != AHP_RESULT_SHUTDOWN)
        go_on(it);
}

int batch_of_order(const struct call *call, struct engine_order *order, struct err *err)
{
    if (!call->batch_index)
        return 0;
    if (!call->batch)
        return err_set(err, ERR_CANCELLED, "the batch that it belongs to was cancelled");
    order->batch = call->batch->name;
    order->batch_index = call->batch_index;
    order->concurrency =
        (unsigned)json_int(call->batch->call->args, "concurrency", 0);
    order->stops = !flag(call->batch->call, "continue_on_error");
    order->hold = is_held(call->batch->call);
    return 0;
}

/* The arguments of an item in this pass; NULL: there is nothing to do for it. */
static json_t *args_of(struct batch *it, size_t index, const char **ret_tool)
{
    json_t *args = NULL;
    struct err err;

    if (it->pass == PASS_ORDER) {
        const json_t *planned = json_array_get(it->planned, index);

        *ret_tool = json_text(planned, "tool");
        return json_incref(json_object_get(planned, "args"));
    }
    if (batch_item_args(json_array_get(it->items, index), it->vars, index + 1, ret_tool, &args,
                        &err)) {
        note_invalid(it, index + 1, err.text, err.field);
        json_array_append_new(it->planned, json_null());
        return NULL;
    }
    json_array_append_new(it->planned, json_pack("{s:s, s:o}", "tool", *ret_tool, "args",
                                                 json_deep_copy(args)));
    json_object_set_new(args, "dry_run", json_true());
    return args;
}

static void begin(struct batch *it, size_t index)
{
    const char *tool;
    json_t *args = args_of(it, index, &tool);
    struct call *inner = args ? call_inner(it->call, tool, args) : NULL;

    json_array_set_new(it->pass == PASS_ORDER ? it->planned : it->items, index, json_null());
    if (!args)
        return;
    if (!inner) {
        note_invalid(it, index + 1, "out of memory", NULL);
        return;
    }
    inner->batch = it;
    inner->batch_index = (uint32_t)index + 1;
    it->inner[it->inner_count++] = inner;
    call_start(inner);
}

static void turn(void *ud)
{
    struct batch *it = ud;
    struct err err;

    it->turn = NULL;
    if (it->pass == PASS_NAME && name_some(it)) {
        err_nomem(&err);
        call_fail(it->call, &err);
        return;
    }
    it->in_turn = 1;
    for (int i = 0; it->pass != PASS_NAME && i < A_TURN && it->next < json_array_size(it->items) &&
                    it->inner_count < AT_ONCE; i++)
        begin(it, it->next++);
    it->in_turn = 0;
    go_on(it);
}

/* Never inline: an answer may come while its call is being begun. */
static void go_on(struct batch *it)
{
    int is_over = it->next >= json_array_size(it->items) && it->inner_count == 0;
    struct err err;

    if (it->turn || it->in_turn || it->call->ended)
        return;
    if (is_over && it->pass == PASS_ORDER && it->call->pending)
        return; /* the whole is being ordered */
    if (is_over && it->pass == PASS_PLAN) {
        it->pass = PASS_NAME;
        it->next = 0;
        is_over = 0;
    }
    if (is_over) {
        pass_over(it);
        return;
    }
    if (it->next < json_array_size(it->items) && it->inner_count < AT_ONCE &&
        env_defer(call_env(it->call), &it->turn, turn, it)) {
        err_nomem(&err);
        call_fail(it->call, &err);
    }
}

/* ---- arguments ---- */

/* Items in the arguments are texts: JSON objects, or prompts. */
static json_t *read_items(const json_t *list, struct err *err)
{
    json_t *items = json_array();
    const json_t *text;
    size_t index;

    json_array_foreach((json_t *)list, index, text) {
        const char *at = json_string_value(text) + strspn(json_string_value(text), " \t\r\n");
        json_error_t broken = {.text = "out of memory"};
        json_t *item = *at == '{' ? json_loads(at, 0, &broken)
                                  : json_pack("{s:s}", "prompt", json_string_value(text));

        if (!item) {
            json_decref(items);
            err_field(err, "items", "item %zu is no JSON: column %d: %.*s", index + 1,
                      broken.column, json_reason_len(broken.text), broken.text);
            return NULL;
        }
        json_array_append_new(items, item);
    }
    return items;
}

static int take_vars(const struct call *call, json_t **ret_vars, struct err *err)
{
    const char *text = json_string_value(json_object_get(call->args, "vars"));
    json_error_t broken;
    json_t *vars = text ? json_loads(text, 0, &broken) : json_object();

    if (json_is_object(vars)) {
        *ret_vars = vars;
        return 0;
    }
    if (!vars)
        return text ? err_field(err, "vars", "vars must be a JSON object as text: %.*s",
                                json_reason_len(broken.text), broken.text)
                    : err_nomem(err);
    json_decref(vars);
    return err_field(err, "vars", "vars must be a JSON object as text: it is no object");
}

/* The language of the first words that are not English, if nothing else told it. */
static void hear_items(struct call *call, const json_t *items)
{
    for (size_t i = 0; !call->language_told && i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);

        call->language = words_choose(NULL, json_string_value(json_object_get(item, "prompt")));
        call->language_told = call->language != WORDS_EN;
    }
    call->language_told = 1;
}

/* `items_take` is NULL with err. */
static void begin_with(struct call *call, json_t *items_take, const struct err *err)
{
    struct batch *it = call->batch;
    int is_file = json_object_get(call->args, "manifest") != NULL;
    struct err why;

    it->items = items_take;
    if (items_take && json_array_size(items_take) > 0) {
        hear_items(call, items_take);
        go_on(it);
        return;
    }
    if (items_take)
        err_field(&why, is_file ? "manifest" : "items", "there are no items in it");
    call_fail(call, items_take ? &why : err);
}

static void run(struct call *call)
{
    const char *manifest = json_string_value(json_object_get(call->args, "manifest"));
    const json_t *list = json_object_get(call->args, "items");
    struct batch *it = mem_alloc(sizeof(*it));
    struct err err = {.kind = ERR_NONE};

    if (!it) {
        err_nomem(&err);
        call_fail(call, &err);
        return;
    }
    it->call = call;
    call->batch = it;
    it->planned = json_array();
    it->invalid = json_array();
    if (!it->planned || !it->invalid)
        err_nomem(&err);
    else if (!manifest == !list)
        err_field(&err, "manifest", manifest ? "give manifest or items, not both"
                                             : "give manifest (a file) or items");
    else
        take_vars(call, &it->vars, &err);
    if (err.kind != ERR_NONE)
        call_fail(call, &err);
    else if (manifest)
        batch_read(call, manifest, begin_with);
    else
        begin_with(call, read_items(list, &err), &err);
}

const struct tool tool_run_batch = {"run_batch", run};
