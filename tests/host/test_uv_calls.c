/*
 * test_uv_calls.c - calls on libuv: nothing is answered inline, every accepted call ends once,
 * stale ids miss, limits hold, and a callback that takes too long is named.
 */
#include <poll.h>
#include <string.h>
#include <time.h>

#include <uv.h>

#include "calls_rig.h"

static int32_t complete_inside(struct probe *p, const ahp_call *call)
{
    char path[] = "/tmp/a";
    char json[] = "{\"a\":1}";
    ahp_file file = {.size = sizeof(file), .path = path, .name = "a", .mime = "text/plain"};
    const ahp_file *files[] = {&file};
    ahp_result result = {.size = sizeof(result), .status = AHP_RESULT_PENDING_JOB};

    result.json.ptr = json;
    result.json.len = strlen(json);
    result.job_id.ptr = "job_1";
    result.job_id.len = 5;
    result.files = files;
    result.files_count = 1;
    assert_int_equal(p->calls->complete(p->host->ctx, call->id, &result), AHP_OK);
    memset(path, 'x', sizeof(path)); /* what the host has kept must be its own */
    memset(json, 'x', sizeof(json));
    return AHP_OK;
}

static void test_complete_inside_call(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    uint64_t id = 0;

    p->on_call = complete_inside;
    assert_int_equal(call_begin(p, &s, &id), AHP_OK);
    assert_int_equal(s.count, 0); /* not before ahp_uv_call has returned */
    bench_until(*state, &s.done);
    assert_int_equal(s.count, 1);
    assert_true(s.id == id && id != 0);
    assert_int_equal(s.status, AHP_RESULT_PENDING_JOB);
    assert_string_equal(s.json, "{\"a\":1}");
    assert_string_equal(s.job, "job_1");
    assert_int_equal(s.files, 1);
    assert_string_equal(s.path, "/tmp/a");
    probe_finish(p);
}

static int32_t refuse(struct probe *p, const ahp_call *call)
{
    (void)p;
    (void)call;
    return AHP_E_NOT_FOUND;
}

static void test_refused_call_has_no_end(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};

    p->on_call = refuse;
    assert_int_equal(call_begin(p, &s, NULL), AHP_E_NOT_FOUND);
    bench_turns(*state, 3);
    assert_int_equal(s.count, 0);
    probe_finish(p);
}

static void test_stale_ids_miss(void **state)
{
    struct probe *p = call_probe(*state, 0); /* the shim would stop a stale id before the host */
    struct seen s = {0};
    struct seen t = {0};
    ahp_result result = {.size = sizeof(result)};
    uint64_t first = 0;
    uint64_t second = 0;

    p->on_call = call_keep;
    assert_int_equal(call_begin(p, &s, &first), AHP_OK);
    /* Results that are not well-formed change nothing. */
    assert_int_equal(p->calls->complete(p->host->ctx, first, NULL), AHP_E_INVALID);
    for (int i = 0; i < 4; i++) {
        static const ahp_file *const no_file[1];
        ahp_result bad = {.size = i == 0 ? 8 : sizeof(bad), .json.len = i == 1 ? 2 : 0,
                          .files = i == 2 ? NULL : no_file, .files_count = i >= 2 ? 1 : 0};

        assert_int_equal(p->calls->complete(p->host->ctx, first, &bad), AHP_E_INVALID);
    }
    call_end(p, first, AHP_RESULT_OK, "{}");
    assert_int_equal(p->calls->complete(p->host->ctx, first, &result), AHP_E_STALE);
    bench_until(*state, &s.done);
    assert_int_equal(call_begin(p, &t, &second), AHP_OK);
    assert_true(first != second); /* the same slot, another generation */
    assert_int_equal(p->calls->complete(p->host->ctx, first, &result), AHP_E_STALE);
    assert_int_equal(p->calls->complete(p->host->ctx, 0, &result), AHP_E_STALE);
    assert_int_equal(p->calls->complete(p->host->ctx, UINT64_MAX, &result), AHP_E_STALE);
    assert_int_equal(ahp_uv_cancel(p->h, first), AHP_E_STALE);
    assert_int_equal(p->items[AHP_UV_ITEM_STALE_CALL], 4);
    call_end(p, second, AHP_RESULT_ERROR, "{\"error\":{}}");
    bench_until(*state, &t.done);
    assert_int_equal(t.status, AHP_RESULT_ERROR);
    assert_int_equal(s.count + t.count, 2);
    probe_finish(p);
}

static void test_result_too_large_ends_the_call(void **state)
{
    static char large[AHP_RESULT_BYTES_MAX + 1];
    struct probe *p = call_probe(*state, 0);
    struct seen s = {0};
    ahp_result result = {.size = sizeof(result)};

    memset(large, ' ', sizeof(large));
    p->on_call = call_keep;
    assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
    result.json.ptr = large;
    result.json.len = sizeof(large);
    assert_int_equal(p->calls->complete(p->host->ctx, open_ids[0], &result), AHP_OK);
    assert_int_equal(p->items[AHP_UV_ITEM_BIG_RESULT], 1);
    bench_until(*state, &s.done);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.status, AHP_RESULT_ERROR);
    assert_int_equal(p->calls->complete(p->host->ctx, open_ids[0], &result), AHP_E_STALE);
    probe_finish(p);
}

static void test_limits_of_a_call(void **state)
{
    static char text[AHP_ARGS_BYTES_MAX + 1];
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    ahp_call call = call_make();
    struct seen s = {0};
    const struct {
        ahp_text *field;
        size_t bytes_max;
    } fields[] = {
        {&call.conversation, AHP_CONVERSATION_BYTES_MAX},
        {&call.caller, AHP_CALLER_BYTES_MAX},
        {&call.locale, AHP_LOCALE_BYTES_MAX},
        {&call.reply_to, AHP_REPLY_TO_BYTES_MAX},
        {&call.dedup_key, AHP_KEY_BYTES_MAX},
        {&call.workspace, AHP_FOLDER_BYTES_MAX},
        {&call.output_dir, AHP_FOLDER_BYTES_MAX},
    };
    size_t i;

    memset(text, 'x', sizeof(text));
    text[0] = '/';
    p->on_call = call_keep;
    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        fields[i].field->ptr = text;
        fields[i].field->len = fields[i].bytes_max + 1;
        assert_int_equal(ahp_uv_call(p->h, &call, NULL, call_on_result, NULL, &s), AHP_E_INVALID);
        assert_int_equal(p->items[AHP_UV_ITEM_BAD_CALL], i + 1);
        fields[i].field->len--;
    }
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, call_on_result, NULL, &s), AHP_OK);
    call_end(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    probe_finish(p);
}

static void test_progress_keeps_the_newest(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    char longest[600];
    size_t i;

    p->on_call = call_keep;
    assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
    p->calls->progress(p->host->ctx, open_ids[0], 100, "one", 3);
    p->calls->progress(p->host->ctx, open_ids[0], 200, "two", 3);
    assert_int_equal(s.progress, 0); /* the owner hears of it from the top level */
    bench_turns(*state, 1);
    assert_int_equal(s.progress, 1);
    assert_int_equal(s.permille, 200);
    assert_string_equal(s.text, "two");
    for (i = 0; i < sizeof(longest); i += 3)
        memcpy(longest + i, "\xE5\x9B\xBE", 3);
    p->calls->progress(p->host->ctx, open_ids[0], -1, longest, sizeof(longest));
    bench_turns(*state, 1);
    assert_int_equal(s.permille, -1);
    assert_int_equal(strlen(s.text) % 3, 0); /* no character is cut in two */
    p->calls->progress(p->host->ctx, open_ids[0], 999, "late", 4);
    call_end(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    assert_int_equal(s.count, 1);
    probe_finish(p);
}

static int32_t complete_cancelled(struct probe *p, uint64_t id)
{
    call_end(p, id, AHP_RESULT_CANCELLED, "{}");
    return AHP_OK;
}

static void test_cancel(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    uint64_t id;

    p->on_call = call_keep;
    p->on_cancel = complete_cancelled;
    assert_int_equal(call_begin(p, &s, &id), AHP_OK);
    assert_int_equal(ahp_uv_cancel(p->h, id), AHP_OK);
    assert_int_equal(s.count, 0);
    bench_until(*state, &s.done);
    assert_int_equal(s.status, AHP_RESULT_CANCELLED);
    probe_finish(p);
}

static int32_t nested_rc;

static int32_t call_from_inside(struct probe *p, const ahp_delivery *delivery)
{
    struct seen s = {0};

    (void)delivery;
    nested_rc = call_begin(p, &s, NULL);
    return AHP_E_LIMIT;
}

/* The owner's mistake: entering the plugin from a function that the plugin has called. */
static void test_owner_cannot_reenter(void **state)
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};

    nested_rc = 0;
    p->on_offer = call_from_inside;
    p->on_call = call_offers;
    assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
    assert_int_equal(nested_rc, AHP_E_STATE);
    bench_until(*state, &s.done);
    probe_finish(p);
}

static int64_t cpu_ns(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Of the processor, not of the clock: somebody else may have it in between. */
static int32_t compute_on_the_loop(struct probe *p, const ahp_call *call)
{
    int64_t until = cpu_ns() + 15000000;

    while (cpu_ns() < until)
        ;
    call_end(p, call->id, AHP_RESULT_OK, "{}");
    return AHP_OK;
}

static int32_t wait_on_the_loop(struct probe *p, const ahp_call *call)
{
    (void)poll(NULL, 0, 15);
    call_end(p, call->id, AHP_RESULT_OK, "{}");
    return AHP_OK;
}

static void check_slow(void **state, int32_t (*on_call)(struct probe *p, const ahp_call *call))
{
    struct probe *p = call_probe(*state, AHP_UV_CHECK);
    struct ahp_uv_stats stats;
    struct seen s = {0};

    p->on_call = on_call;
    assert_int_equal(call_begin(p, &s, NULL), AHP_OK);
    bench_until(*state, &s.done);
    ahp_uv_stats_get(p->h, &stats);
    assert_int_equal(p->items[AHP_UV_ITEM_SLOW], 1);
    assert_true(stats.callbacks_slow >= 1);
    assert_int_equal(stats.kind_max, AHP_UV_KIND_CALL);
    assert_true(stats.ns_max >= 15000000 && stats.ns_p999 >= 15000000);
    assert_true(stats.ns_p999 <= stats.ns_max);
    probe_finish(p);
}

static void test_slow_computation_is_named(void **state)
{
    check_slow(state, compute_on_the_loop);
}

static void test_slow_wait_is_named(void **state)
{
    check_slow(state, wait_on_the_loop);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        CASE(test_complete_inside_call),
        CASE(test_refused_call_has_no_end),
        CASE(test_stale_ids_miss),
        CASE(test_result_too_large_ends_the_call),
        CASE(test_limits_of_a_call),
        CASE(test_progress_keeps_the_newest),
        CASE(test_cancel),
        CASE(test_owner_cannot_reenter),
        CASE(test_slow_computation_is_named),
        CASE(test_slow_wait_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
