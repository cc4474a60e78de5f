/*
 * test_uv_calls.c - calls, receipts, work and the end on libuv: nothing is answered inline, every
 * accepted call ends once, stale ids miss, and an instance goes in order even when it does not
 * help.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ahp/check.h>
#include <uv.h>

#include "probe.h"

#define CALLS_MAX 8

struct seen {
    int count;
    int done;
    uint64_t id;
    int32_t status;
    char json[64];
    char job[32];
    char path[32];
    uint32_t files;
    int progress;
    int32_t permille;
    char text[300];
};

static ahp_call make_call(void)
{
    static const char tool[] = "probe";
    ahp_call call = {.size = sizeof(call)};

    call.tool.ptr = tool;
    call.tool.len = strlen(tool);
    call.conversation = call.tool;
    return call;
}

static void on_result(void *ud, uint64_t id, const ahp_result *result)
{
    struct seen *s = ud;

    s->count++;
    s->done = 1;
    s->id = id;
    s->status = result->status;
    s->files = result->files_count;
    snprintf(s->json, sizeof(s->json), "%s", result->json.ptr != NULL ? result->json.ptr : "");
    snprintf(s->job, sizeof(s->job), "%s", result->job_id.ptr != NULL ? result->job_id.ptr : "");
    if (result->files_count > 0)
        snprintf(s->path, sizeof(s->path), "%s", result->files[0]->path);
}

static void on_progress(void *ud, uint64_t id, int32_t permille, const char *text)
{
    struct seen *s = ud;

    (void)id;
    s->progress++;
    s->permille = permille;
    snprintf(s->text, sizeof(s->text), "%s", text);
}

static void complete(struct probe *p, uint64_t id, int32_t status, const char *json)
{
    ahp_result result = {.size = sizeof(result), .status = status};

    result.json.ptr = json;
    result.json.len = strlen(json);
    assert_int_equal(p->calls->complete(p->host->ctx, id, &result), AHP_OK);
}

static uint64_t open_ids[CALLS_MAX];
static int open_count;

static int32_t keep_open(struct probe *p, const ahp_call *call)
{
    (void)p;
    assert_true(open_count < CALLS_MAX);
    open_ids[open_count++] = call->id;
    return AHP_OK;
}

static struct probe *open_probe(struct bench *b, uint32_t flags)
{
    struct probe *p = probe_add(b, flags);

    open_count = 0;
    memset(open_ids, 0, sizeof(open_ids));
    probe_start(p);
    return p;
}

static void finish(struct probe *p)
{
    probe_close(p, 1000);
    assert_int_equal(p->breaches, 0);
    assert_int_equal(p->end.calls_open, 0);
}

/* ---- calls ---- */

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
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    ahp_call call = make_call();
    uint64_t id = 0;

    p->on_call = complete_inside;
    assert_int_equal(ahp_uv_call(p->h, &call, &id, on_result, on_progress, &s), AHP_OK);
    assert_int_equal(s.count, 0); /* not before ahp_uv_call has returned */
    bench_until(*state, &s.done);
    assert_int_equal(s.count, 1);
    assert_true(s.id == id && id != 0);
    assert_int_equal(s.status, AHP_RESULT_PENDING_JOB);
    assert_string_equal(s.json, "{\"a\":1}");
    assert_string_equal(s.job, "job_1");
    assert_int_equal(s.files, 1);
    assert_string_equal(s.path, "/tmp/a");
    finish(p);
}

static int32_t refuse(struct probe *p, const ahp_call *call)
{
    (void)p;
    (void)call;
    return AHP_E_NOT_FOUND;
}

static void test_refused_call_has_no_end(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    ahp_call call = make_call();

    p->on_call = refuse;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_E_NOT_FOUND);
    bench_turns(*state, 3);
    assert_int_equal(s.count, 0);
    finish(p);
}

static void test_stale_ids_miss(void **state)
{
    struct probe *p = open_probe(*state, 0); /* the shim would stop a stale id before the host */
    struct seen s = {0};
    struct seen t = {0};
    ahp_call call = make_call();
    ahp_result result = {.size = sizeof(result)};
    uint64_t first = 0;
    uint64_t second = 0;

    p->on_call = keep_open;
    assert_int_equal(ahp_uv_call(p->h, &call, &first, on_result, NULL, &s), AHP_OK);
    /* Results that are not well-formed change nothing. */
    assert_int_equal(p->calls->complete(p->host->ctx, first, NULL), AHP_E_INVALID);
    for (int i = 0; i < 4; i++) {
        static const ahp_file *const no_file[1];
        ahp_result bad = {.size = i == 0 ? 8 : sizeof(bad), .json.len = i == 1 ? 2 : 0,
                          .files = i == 2 ? NULL : no_file, .files_count = i >= 2 ? 1 : 0};

        assert_int_equal(p->calls->complete(p->host->ctx, first, &bad), AHP_E_INVALID);
    }
    complete(p, first, AHP_RESULT_OK, "{}");
    assert_int_equal(p->calls->complete(p->host->ctx, first, &result), AHP_E_STALE);
    bench_until(*state, &s.done);
    assert_int_equal(ahp_uv_call(p->h, &call, &second, on_result, NULL, &t), AHP_OK);
    assert_true(first != second); /* the same slot, another generation */
    assert_int_equal(p->calls->complete(p->host->ctx, first, &result), AHP_E_STALE);
    assert_int_equal(p->calls->complete(p->host->ctx, 0, &result), AHP_E_STALE);
    assert_int_equal(p->calls->complete(p->host->ctx, UINT64_MAX, &result), AHP_E_STALE);
    assert_int_equal(ahp_uv_cancel(p->h, first), AHP_E_STALE);
    assert_int_equal(p->items[AHP_UV_ITEM_STALE_CALL], 4);
    complete(p, second, AHP_RESULT_ERROR, "{\"error\":{}}");
    bench_until(*state, &t.done);
    assert_int_equal(t.status, AHP_RESULT_ERROR);
    assert_int_equal(s.count + t.count, 2);
    finish(p);
}

static void test_result_too_large_ends_the_call(void **state)
{
    static char large[AHP_RESULT_BYTES_MAX + 1];
    struct probe *p = open_probe(*state, 0);
    struct seen s = {0};
    ahp_call call = make_call();
    ahp_result result = {.size = sizeof(result)};

    memset(large, ' ', sizeof(large));
    p->on_call = keep_open;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_OK);
    result.json.ptr = large;
    result.json.len = sizeof(large);
    assert_int_equal(p->calls->complete(p->host->ctx, open_ids[0], &result), AHP_OK);
    assert_int_equal(p->items[AHP_UV_ITEM_BIG_RESULT], 1);
    bench_until(*state, &s.done);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.status, AHP_RESULT_ERROR);
    assert_int_equal(p->calls->complete(p->host->ctx, open_ids[0], &result), AHP_E_STALE);
    finish(p);
}

static void test_limits_of_a_call(void **state)
{
    static char text[AHP_ARGS_BYTES_MAX + 1];
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    ahp_call call = make_call();
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
    p->on_call = keep_open;
    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        fields[i].field->ptr = text;
        fields[i].field->len = fields[i].bytes_max + 1;
        assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_E_INVALID);
        assert_int_equal(p->items[AHP_UV_ITEM_BAD_CALL], i + 1);
        fields[i].field->len--;
    }
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_OK);
    complete(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    finish(p);
}

static void test_progress_keeps_the_newest(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    ahp_call call = make_call();
    char longest[600];
    size_t i;

    p->on_call = keep_open;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, on_progress, &s), AHP_OK);
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
    complete(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    assert_int_equal(s.count, 1);
    finish(p);
}

static int32_t complete_cancelled(struct probe *p, uint64_t id)
{
    complete(p, id, AHP_RESULT_CANCELLED, "{}");
    return AHP_OK;
}

static void test_cancel(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    ahp_call call = make_call();
    uint64_t id;

    p->on_call = keep_open;
    p->on_cancel = complete_cancelled;
    assert_int_equal(ahp_uv_call(p->h, &call, &id, on_result, NULL, &s), AHP_OK);
    assert_int_equal(ahp_uv_cancel(p->h, id), AHP_OK);
    assert_int_equal(s.count, 0);
    bench_until(*state, &s.done);
    assert_int_equal(s.status, AHP_RESULT_CANCELLED);
    finish(p);
}

static int32_t nested_rc;

static int32_t call_from_inside(struct probe *p, const ahp_delivery *delivery)
{
    ahp_call call = make_call();
    struct seen s = {0};

    (void)delivery;
    nested_rc = ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s);
    return AHP_E_LIMIT;
}

static int32_t offer_something(struct probe *p, const ahp_call *call)
{
    ahp_delivery delivery = {.size = sizeof(delivery), .attempt = 1};

    delivery.key.ptr = "k:1";
    delivery.key.len = 3;
    p->deliver->offer(p->host->ctx, &delivery);
    complete(p, call->id, AHP_RESULT_OK, "{}");
    return AHP_OK;
}

/* The owner's mistake: entering the plugin from a function that the plugin has called. */
static void test_owner_cannot_reenter(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    ahp_call call = make_call();

    nested_rc = 0;
    p->on_offer = call_from_inside;
    p->on_call = offer_something;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_OK);
    assert_int_equal(nested_rc, AHP_E_STATE);
    bench_until(*state, &s.done);
    finish(p);
}

/* ---- receipts ---- */

static int receipts;
static int32_t receipt_outcome;
static char receipt_key[32];

static int32_t on_receipt(struct probe *p, const ahp_receipt *receipt)
{
    (void)p;
    receipts++;
    receipt_outcome = receipt->outcome;
    snprintf(receipt_key, sizeof(receipt_key), "%.*s", (int)receipt->key.len, receipt->key.ptr);
    return AHP_OK;
}

static int32_t answer_at_once(struct probe *p, const ahp_delivery *delivery)
{
    ahp_receipt receipt = {.size = sizeof(receipt), .outcome = AHP_RECEIPT_DELIVERED};

    receipt.key = delivery->key;
    assert_int_equal(ahp_uv_receipt(p->h, &receipt), AHP_OK);
    assert_int_equal(receipts, 0);
    return AHP_OK;
}

static void test_receipt_never_inline(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    ahp_call call = make_call();

    receipts = 0;
    p->on_offer = answer_at_once;
    p->on_call = offer_something;
    p->on_receipt = on_receipt;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_OK);
    assert_int_equal(receipts, 0);
    bench_turns(*state, 1);
    assert_int_equal(receipts, 1);
    assert_int_equal(receipt_outcome, AHP_RECEIPT_DELIVERED);
    assert_string_equal(receipt_key, "k:1");
    finish(p);
}

static int receipts_refused; /* how many times to answer with receipt_code */
static int32_t receipt_code;
static int taken;
static int32_t taken_code;

static int32_t refuse_receipt(struct probe *p, const ahp_receipt *receipt)
{
    on_receipt(p, receipt);
    return receipts <= receipts_refused ? receipt_code : AHP_OK;
}

static void on_taken(struct probe *p, int32_t code)
{
    (void)p;
    taken++;
    taken_code = code;
}

static struct probe *offer_refused(struct bench *b, int count, int32_t code)
{
    struct probe *p = open_probe(b, AHP_UV_CHECK);
    static struct seen s;
    ahp_call call = make_call();

    receipts = taken = 0;
    receipts_refused = count;
    receipt_code = code;
    p->on_offer = answer_at_once;
    p->on_call = offer_something;
    p->on_receipt = refuse_receipt;
    p->on_receipt_taken = on_taken;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_OK);
    return p;
}

static void test_receipt_is_repeated_until_taken(void **state)
{
    struct probe *p = offer_refused(*state, 2, AHP_E_NOMEM);

    bench_until(*state, &taken);
    assert_int_equal(receipts, 3);
    assert_int_equal(taken_code, AHP_OK);
    assert_int_equal(receipt_outcome, AHP_RECEIPT_DELIVERED);
    assert_string_equal(receipt_key, "k:1");
    finish(p);
    assert_int_equal(taken, 1);
}

static int32_t look_at_ready(struct probe *p, const ahp_call *call)
{
    *(uint32_t *)p->ud = p->deliver->flags & AHP_DELIVER_READY;
    complete(p, call->id, AHP_RESULT_OK, "{}");
    return AHP_OK;
}

static void test_ready_may_change(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    ahp_call call = make_call();
    uint32_t seen_flags = 0;
    uint32_t flags[] = {AHP_DELIVER_READY, 0, AHP_DELIVER_READY};
    size_t i;

    p->ud = &seen_flags;
    p->on_call = look_at_ready;
    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        struct seen s = {0};

        ahp_uv_deliver_set(p->h, flags[i]);
        assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_OK);
        bench_until(*state, &s.done);
        assert_int_equal(seen_flags, flags[i]);
    }
    finish(p);
}

static void test_receipt_not_taken_is_dropped_at_the_end(void **state)
{
    struct probe *p = offer_refused(*state, 1000, AHP_E_FAILED);

    bench_turns(*state, 2);
    assert_true(receipts >= 1);
    finish(p);
    assert_int_equal(taken, 0);
}

/* ---- work ---- */

struct job {
    struct probe *p;
    const ahp_check *check;
    uv_sem_t go;
    int gated;
    int ran;
    int on_loop;
    int done;
    int cancelled;
};

static void job_run(void *item)
{
    struct job *j = item;

    if (j->gated)
        uv_sem_wait(&j->go);
    if (j->check != NULL)
        j->on_loop = j->check->on_loop(j->p->host->ctx);
    j->ran = 1;
}

static void job_done(void *item, int32_t cancelled)
{
    struct job *j = item;

    j->cancelled = cancelled;
    j->done = 1;
}

static void test_work(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK | AHP_UV_WORK);
    struct job j = {.p = p, .on_loop = 1};

    assert_non_null(p->work);
    j.check = p->host->ext(p->host->ctx, AHP_CHECK_1);
    assert_int_equal(j.check->on_loop(p->host->ctx), 1);
    assert_int_equal(p->work->run(p->host->ctx, &j, job_run, job_done), AHP_OK);
    assert_int_equal(j.done, 0);
    bench_until(*state, &j.done);
    assert_int_equal(j.ran, 1);
    assert_int_equal(j.on_loop, 0);
    assert_int_equal(j.cancelled, 0);
    finish(p);
}

static void test_no_work_unless_offered(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK);

    assert_null(p->work);
    finish(p);
}

static void never_stop(struct probe *p)
{
    (void)p;
}

static struct job *gated_job;

static void open_gate(uv_timer_t *timer)
{
    assert_int_equal(((struct probe *)timer->data)->destroyed, 0);
    uv_sem_post(&gated_job->go);
    uv_close((uv_handle_t *)timer, NULL);
}

/* A plugin that does not stop is destroyed after its deadline, but not before its work has ended.
 */
static void test_destroy_waits_for_running_work(void **state)
{
    struct bench *b = *state;
    struct probe *p = open_probe(b, AHP_UV_WORK);
    struct job j = {.p = p, .gated = 1};
    uv_timer_t timer;

    gated_job = &j;
    p->on_stop = never_stop;
    assert_int_equal(uv_sem_init(&j.go, 0), 0);
    assert_int_equal(p->work->run(p->host->ctx, &j, job_run, job_done), AHP_OK);
    assert_int_equal(uv_timer_init(&b->loop, &timer), 0);
    timer.data = p;
    assert_int_equal(uv_timer_start(&timer, open_gate, 10 + AHP_UV_STOP_GRACE_MS + 100, 0), 0);
    probe_close(p, 10);
    assert_int_equal(j.done, 1);
    assert_int_equal(p->end.stop_late, 1);
    assert_int_equal(p->items[AHP_UV_ITEM_LATE_STOP], 1);
    uv_sem_destroy(&j.go);
}

/* ---- the end ---- */

static void test_stop_deadline_ends_open_calls(void **state)
{
    struct probe *p = open_probe(*state, 0);
    struct seen s = {0};
    ahp_call call = make_call();
    uint64_t begun = uv_hrtime();

    p->on_call = keep_open;
    p->on_stop = never_stop;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, on_progress, &s), AHP_OK);
    probe_close(p, 50);
    assert_true((uv_hrtime() - begun) / 1000000 >= 50);
    assert_int_equal(p->end.stop_late, 1);
    assert_int_equal(p->end.calls_open, 1);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.status, AHP_RESULT_SHUTDOWN);
}

static void complete_and_stop(struct probe *p)
{
    complete(p, open_ids[0], AHP_RESULT_SHUTDOWN, "{\"job\":\"j\"}");
    p->host->stopped(p->host->ctx);
}

static void test_results_arrive_before_the_end(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    struct seen s = {0};
    ahp_call call = make_call();

    p->on_call = keep_open;
    p->on_stop = complete_and_stop;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_OK);
    finish(p);
    assert_int_equal(s.count, 1);
    assert_string_equal(s.json, "{\"job\":\"j\"}");
}

static void on_closed_only(void *ud, const struct ahp_uv_end *end)
{
    (void)end;
    *(int *)ud = 1;
}

static void on_log(void *ud, int32_t level, uint32_t item, const char *text, size_t len)
{
    (void)ud;
    (void)level;
    (void)item;
    (void)text;
    (void)len;
}

static void test_close_without_an_instance(void **state)
{
    struct bench *b = *state;
    struct ahp_uv_owner owner = {.name = "test", .log = on_log};
    struct ahp_uv *h;
    int closed = 0;

    assert_int_equal(ahp_uv_open(&b->loop, &owner, &h), AHP_OK);
    assert_int_equal(ahp_uv_close(h, 0, on_closed_only, &closed), AHP_OK);
    assert_int_equal(ahp_uv_close(h, 0, on_closed_only, &closed), AHP_E_STATE);
    bench_until(b, &closed);
}

static void test_close_without_start(void **state)
{
    struct probe *p = probe_add(*state, AHP_UV_CHECK);

    p->on_stop = never_stop; /* would be late, if it were asked */
    finish(p);
    assert_int_equal(p->end.stop_late, 0);
}

static void on_timer_unused(void *ud)
{
    (void)ud;
}

/* As in Node: what the plugin waits for does not keep the loop alive, but the end still comes. */
static void test_unref_lets_the_loop_end(void **state)
{
    struct bench *b = *state;
    struct probe *p = open_probe(b, AHP_UV_CHECK | AHP_UV_UNREF);
    ahp_timer *timer;

    assert_int_equal(p->loop->timer_new(p->host->ctx, &timer, on_timer_unused, p), AHP_OK);
    assert_int_equal(p->loop->timer_at(timer, p->loop->now_ms(p->host->ctx) + 1000000), AHP_OK);
    assert_int_equal(uv_run(&b->loop, UV_RUN_DEFAULT), 0); /* returns: nothing holds it */
    p->loop->timer_free(timer);
    probe_close(p, 1000);
    assert_int_equal(p->breaches, 0);
}

static int broken_callbacks;
static ahp_watch *broken_watch;
static ahp_timer *broken_timers[2];
static ahp_deferred *broken_deferred;

static void on_broken(void *ud)
{
    (void)ud;
    broken_callbacks++;
}

static void on_broken_watch(void *ud, uint32_t events)
{
    (void)ud;
    (void)events;
    broken_callbacks++;
}

/* Leaves something of every kind behind, all of it due. */
static int32_t start_and_fail(struct probe *p)
{
    const int *fds = p->ud;
    void *ctx = p->host->ctx;
    int i;

    assert_int_equal(p->loop->watch_new(ctx, fds[1], AHP_IO_OUT, &broken_watch, on_broken_watch, p),
                     AHP_OK);
    for (i = 0; i < 2; i++)
        assert_int_equal(p->loop->timer_new(ctx, &broken_timers[i], on_broken, p), AHP_OK);
    assert_int_equal(p->loop->timer_at(broken_timers[0], 0), AHP_OK);
    assert_int_equal(p->loop->timer_at(broken_timers[1], p->loop->now_ms(ctx) + 1), AHP_OK);
    assert_int_equal(p->loop->defer(ctx, &broken_deferred, on_broken, p), AHP_OK);
    return AHP_E_FAILED;
}

static void free_broken(struct probe *p)
{
    int i;

    p->loop->watch_free(broken_watch);
    for (i = 0; i < 2; i++)
        p->loop->timer_free(broken_timers[i]);
    p->loop->defer_free(broken_deferred);
}

static void on_past(uv_timer_t *timer)
{
    *(int *)timer->data = 1;
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_no_callback_after_a_failed_start(void **state)
{
    struct bench *b = *state;
    struct probe *p = probe_add(b, 0);
    ahp_err err = {.size = sizeof(err)};
    const ahp_tool *const *tools;
    uv_timer_t timer;
    uint32_t count;
    int past = 0;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    broken_callbacks = 0;
    p->ud = fds;
    p->on_start = start_and_fail;
    p->on_destroy = free_broken;
    assert_int_equal(ahp_uv_start(p->h, &err), AHP_E_FAILED);
    assert_int_equal(ahp_uv_tools(p->h, &tools, &count), AHP_E_STATE);
    assert_int_equal(uv_timer_init(&b->loop, &timer), 0);
    timer.data = &past;
    assert_int_equal(uv_timer_start(&timer, on_past, 20, 0), 0);
    bench_until(b, &past);
    assert_int_equal(broken_callbacks, 0);
    probe_close(p, 1000);
    assert_int_equal(broken_callbacks, 0);
    assert_int_equal(p->end.deferred_live + p->end.timers_live + p->end.watches_live, 0);
    close(fds[0]);
    close(fds[1]);
}

static int32_t fail_start(struct probe *p)
{
    (void)p;
    return AHP_E_FAILED;
}

static void test_failed_start_can_only_be_closed(void **state)
{
    struct probe *p = probe_add(*state, 0);
    ahp_call call = make_call();
    struct seen s = {0};
    ahp_err err = {.size = sizeof(err)};

    p->on_start = fail_start;
    assert_int_equal(ahp_uv_start(p->h, &err), AHP_E_FAILED);
    assert_int_equal(ahp_uv_start(p->h, &err), AHP_E_STATE);
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_E_STATE);
    probe_close(p, 1000);
}

static int32_t hold_the_loop(struct probe *p, const ahp_call *call)
{
    uint64_t until = uv_hrtime() + 15 * UINT64_C(1000000);

    while (uv_hrtime() < until)
        ;
    complete(p, call->id, AHP_RESULT_OK, "{}");
    return AHP_OK;
}

static void test_slow_callback_is_named(void **state)
{
    struct probe *p = open_probe(*state, AHP_UV_CHECK);
    struct ahp_uv_stats stats;
    struct seen s = {0};
    ahp_call call = make_call();

    p->on_call = hold_the_loop;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_OK);
    bench_until(*state, &s.done);
    ahp_uv_stats_get(p->h, &stats);
    assert_int_equal(p->items[AHP_UV_ITEM_SLOW], 1);
    assert_true(stats.callbacks_slow >= 1);
    assert_int_equal(stats.kind_max, AHP_UV_KIND_CALL);
    assert_true(stats.ns_max >= 15000000 && stats.ns_p999 >= 15000000);
    assert_true(stats.ns_p999 <= stats.ns_max);
    finish(p);
}

/* ---- questions ---- */

static ahp_asked *asked;
static uint64_t question_id;
static int32_t answers[4];
static int answers_count;
static int answered_inside; /* the host's answer is posted while it is asked */

static void on_answer(void *ud, int32_t answer)
{
    (void)ud;
    answers[answers_count++ % 4] = answer;
}

static int32_t host_asks(struct probe *p, uint64_t id, const ahp_question *question)
{
    assert_int_equal(question->amount.len, 4);
    assert_memory_equal(question->amount.ptr, "0.25", 4);
    question_id = id;
    if (answered_inside)
        assert_int_equal(ahp_uv_answer(p->h, id, AHP_APPROVAL_ALLOWED), AHP_OK);
    return AHP_OK;
}

static int32_t ask_in_call(struct probe *p, const ahp_call *call)
{
    ahp_question q = {.size = sizeof(q), .call_id = call->id};

    q.title = call->tool;
    q.amount.ptr = "0.25";
    q.amount.len = 4;
    asked = NULL;
    answers_count = 0;
    open_ids[0] = call->id;
    return p->approval->ask(p->host->ctx, &q, &asked, on_answer, p);
}

static struct probe *asking_probe(struct bench *b, struct seen *s, int inside)
{
    struct probe *p = open_probe(b, AHP_UV_CHECK);
    ahp_call call = make_call();

    answered_inside = inside;
    p->on_call = ask_in_call;
    p->on_ask = host_asks;
    assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, s), AHP_OK);
    assert_int_equal(answers_count, 0);
    return p;
}

static void test_questions_are_answered_once(void **state)
{
    struct seen s = {0};
    struct probe *p = asking_probe(*state, &s, 0);

    bench_turns(*state, 3);
    assert_int_equal(answers_count, 0);
    assert_int_equal(ahp_uv_answer(p->h, question_id + 1, AHP_APPROVAL_ALLOWED), AHP_E_STALE);
    assert_int_equal(ahp_uv_answer(p->h, question_id, AHP_APPROVAL_DENIED), AHP_OK);
    assert_int_equal(ahp_uv_answer(p->h, question_id, AHP_APPROVAL_ALLOWED), AHP_E_STALE);
    assert_int_equal(answers_count, 0);
    bench_turns(*state, 3);
    assert_int_equal(answers_count, 1);
    assert_int_equal(answers[0], AHP_APPROVAL_DENIED);
    assert_int_equal(ahp_uv_answer(p->h, question_id, AHP_APPROVAL_ALLOWED), AHP_E_STALE);
    complete(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    assert_int_equal(p->asks_over, 0);
    finish(p);
}

static void test_answer_inside_the_question(void **state)
{
    struct seen s = {0};
    struct probe *p = asking_probe(*state, &s, 1);

    bench_turns(*state, 3);
    assert_int_equal(answers_count, 1);
    assert_int_equal(answers[0], AHP_APPROVAL_ALLOWED);
    complete(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    finish(p);
}

static void test_questions_taken_back(void **state)
{
    struct seen s = {0};
    struct probe *p = asking_probe(*state, &s, 0);

    p->approval->ask_free(asked);
    assert_int_equal(p->asks_over, 1);
    assert_int_equal(ahp_uv_answer(p->h, question_id, AHP_APPROVAL_ALLOWED), AHP_E_STALE);
    complete(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    /* One whose answer is on its way: nothing comes any more, and the host knows already. */
    memset(&s, 0, sizeof(s));
    answered_inside = 1;
    {
        ahp_call call = make_call();

        assert_int_equal(ahp_uv_call(p->h, &call, NULL, on_result, NULL, &s), AHP_OK);
    }
    p->approval->ask_free(asked);
    bench_turns(*state, 3);
    assert_int_equal(answers_count, 0);
    assert_int_equal(p->asks_over, 1);
    complete(p, open_ids[0], AHP_RESULT_OK, "{}");
    bench_until(*state, &s.done);
    finish(p);
}

static void free_question(struct probe *p)
{
    p->approval->ask_free(asked);
}

static void test_question_open_at_the_end(void **state)
{
    struct seen s = {0};
    struct probe *p = asking_probe(*state, &s, 0);

    p->on_stop = NULL;
    p->on_destroy = free_question;
    probe_close(p, 20);
    assert_int_equal(p->end.questions_live, 0);
    assert_int_equal(p->asks_over, 1);
    assert_int_equal(s.status, AHP_RESULT_SHUTDOWN);
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
        CASE(test_receipt_never_inline),
        CASE(test_receipt_is_repeated_until_taken),
        CASE(test_receipt_not_taken_is_dropped_at_the_end),
        CASE(test_ready_may_change),
        CASE(test_work),
        CASE(test_no_work_unless_offered),
        CASE(test_destroy_waits_for_running_work),
        CASE(test_stop_deadline_ends_open_calls),
        CASE(test_results_arrive_before_the_end),
        CASE(test_close_without_an_instance),
        CASE(test_close_without_start),
        CASE(test_unref_lets_the_loop_end),
        CASE(test_failed_start_can_only_be_closed),
        CASE(test_no_callback_after_a_failed_start),
        CASE(test_slow_callback_is_named),
        CASE(test_questions_are_answered_once),
        CASE(test_answer_inside_the_question),
        CASE(test_questions_taken_back),
        CASE(test_question_open_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
