/*
 * smallest_plugin.c - a whole plugin: one tool, "echo", which answers its arguments a moment later,
 * from a timer of the host. One call is open at a time; a second is refused with AHP_E_LIMIT.
 */
#include <stdlib.h>
#include <string.h>

#include <ahp/calls.h>
#include <ahp/loop.h>

#define ANSWER_AFTER_MS 10
#define ARGS_BYTES_MAX 4096u

struct echo {
    ahp_inst inst;
    const ahp_host *host;
    const ahp_loop *loop;
    const ahp_calls *calls;
    ahp_timer *timer; /* from start to stop */
    uint64_t call_id; /* 0: no call is open */
    size_t args_len;
    char args[ARGS_BYTES_MAX];
};

static int32_t fail(ahp_err *ret_err, int32_t code, const char *why)
{
    if (ret_err != NULL && AHP_IN(ret_err, text)) {
        ret_err->code = code;
        ret_err->text[0] = '\0';
        strncat(ret_err->text, why, sizeof(ret_err->text) - 1);
    }
    return code;
}

static void answer(struct echo *echo, int32_t status, const char *json, size_t len)
{
    ahp_result result = {.size = sizeof(result), .status = status, .json = {json, len}};
    uint64_t call_id = echo->call_id;

    echo->call_id = 0;
    (void)echo->calls->complete(echo->host->ctx, call_id, &result);
}

static void on_timer(void *ud)
{
    struct echo *echo = ud;

    answer(echo, AHP_RESULT_OK, echo->args, echo->args_len);
}

static int32_t echo_tools(void *self, const ahp_tool *const **ret_tools, uint32_t *ret_count)
{
    static const ahp_tool tool = {
        .size = sizeof(tool),
        .flags = AHP_TOOL_READ_ONLY | AHP_TOOL_IDEMPOTENT,
        .name = "echo",
        .title = "Echo",
        .summary = "Answers its arguments.",
        .input_schema = "{\"type\":\"object\"}",
    };
    static const ahp_tool *const list[] = {&tool};

    (void)self;
    *ret_tools = list;
    *ret_count = 1;
    return AHP_OK;
}

static int32_t echo_start(void *self, ahp_err *ret_err)
{
    struct echo *echo = self;
    int32_t rc = echo->loop->timer_new(echo->host->ctx, &echo->timer, on_timer, echo);

    return rc == AHP_OK ? AHP_OK : fail(ret_err, rc, "the host gave no timer");
}

static int32_t echo_call(void *self, const ahp_call *call)
{
    struct echo *echo = self;
    int32_t rc;

    if (echo->timer == NULL)
        return AHP_E_STATE;
    if (call->tool.len != 4 || memcmp(call->tool.ptr, "echo", 4) != 0)
        return AHP_E_NOT_FOUND;
    if (echo->call_id != 0 || call->args.len > ARGS_BYTES_MAX)
        return AHP_E_LIMIT;
    rc = echo->loop->timer_at(echo->timer, echo->loop->now_ms(echo->host->ctx) + ANSWER_AFTER_MS);
    if (rc != AHP_OK)
        return rc;
    echo->args_len = call->args.len > 0 ? call->args.len : 2;
    memcpy(echo->args, call->args.len > 0 ? call->args.ptr : "{}", echo->args_len);
    echo->call_id = call->id;
    return AHP_OK;
}

static int32_t echo_cancel(void *self, uint64_t call_id)
{
    struct echo *echo = self;

    if (call_id == 0 || call_id != echo->call_id)
        return AHP_E_STALE;
    echo->loop->timer_off(echo->timer);
    answer(echo, AHP_RESULT_CANCELLED, "{}", 2);
    return AHP_OK;
}

static int32_t echo_receipt(void *self, const struct ahp_receipt *receipt)
{
    (void)self;
    (void)receipt;
    return AHP_E_STALE; /* nothing was ever offered */
}

static void echo_stop(void *self, int64_t deadline_ms)
{
    struct echo *echo = self;

    (void)deadline_ms;
    echo->loop->timer_free(echo->timer);
    echo->timer = NULL;
    if (echo->call_id != 0)
        answer(echo, AHP_RESULT_SHUTDOWN, "{}", 2);
    echo->host->stopped(echo->host->ctx);
}

static void echo_destroy(void *self)
{
    struct echo *echo = self;

    echo->loop->timer_free(echo->timer);
    free(echo);
}

static const void *echo_ext(void *self, const char *id)
{
    (void)self;
    (void)id;
    return NULL;
}

static int32_t echo_create(const ahp_host *host, const ahp_text *config, ahp_inst **ret_inst,
                           ahp_err *ret_err)
{
    static const ahp_inst slots = {
        .size = sizeof(slots),
        .tools = echo_tools,
        .start = echo_start,
        .call = echo_call,
        .cancel = echo_cancel,
        .receipt = echo_receipt,
        .stop = echo_stop,
        .destroy = echo_destroy,
        .ext = echo_ext,
    };
    struct echo *echo;

    (void)config;
    if (!AHP_IN(host, stopped)) /* R4: the one check that makes every member of 1.0 readable */
        return fail(ret_err, AHP_E_VERSION, "the host's table is shorter than ABI 1.0 has it");
    echo = calloc(1, sizeof(*echo));
    if (echo == NULL)
        return fail(ret_err, AHP_E_NOMEM, "no memory");
    echo->inst = slots;
    echo->inst.self = echo;
    echo->host = host;
    echo->loop = host->ext(host->ctx, AHP_LOOP_1);
    echo->calls = host->ext(host->ctx, AHP_CALLS_1);
    if (echo->loop == NULL || echo->calls == NULL) {
        free(echo);
        return fail(ret_err, AHP_E_VERSION, "the host lacks ahp.loop/1 or ahp.calls/1");
    }
    *ret_inst = &echo->inst;
    return AHP_OK;
}

const ahp_entry *ahp_entry_1(void)
{
    static const char *const needs[] = {AHP_LOOP_1, AHP_CALLS_1, NULL};
    static const char *const wants[] = {NULL};
    static const ahp_entry entry = {
        .size = sizeof(entry),
        .major = AHP_MAJOR,
        .minor = AHP_MINOR,
        .minor_needed = 0,
        .id = "echo",
        .version = "1.0",
        .needs = needs,
        .wants = wants,
        .create = echo_create,
    };

    return &entry;
}
