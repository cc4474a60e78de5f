/*
 * What the openai adapter makes of answers: each case of openai/answers.json is a reply and the
 * step that follows. Every flow goes through text between two steps. Then the same replies cut
 * short, with values of wrong types, and without memory: nothing of it may crash or invent a
 * result.
 */
#include "base/mem.h"
#include "unit/openai_rig.h"

struct sample {
    const json_t *row;
    char *text;
    size_t len;
    struct http_reply reply;
};

static void sample_open(struct sample *sample, const json_t *row)
{
    const json_t *reply = json_object_get(row, "reply");

    sample->row = row;
    sample->reply = golden_reply_of(row, &sample->text);
    sample->len = sample->reply.text_len;
    sample->reply.content_type = golden_text(reply, "type", "");
    sample->reply.blobs = (unsigned)json_integer_value(json_object_get(reply, "blobs"));
}

/* Up to the request that the sample answers. */
static int begin(struct talk *talk, const struct sample *sample)
{
    static const char *const accepted = "{\"id\":\"%s\",\"status\":\"queued\"}";
    char text[200];
    struct http_reply reply;
    struct err err;

    if (openai_open(talk, sample->row, &err) || !talk->flow)
        return -1;
    talk_next(talk, NULL, 0);
    if (talk->step.kind != STEP_SEND)
        return -1;
    if (strcmp(golden_text(sample->row, "at", ""), "poll") != 0)
        return 0;
    snprintf(text, sizeof(text), accepted,
             golden_text(json_object_get(sample->row, "reply"), "job", "job_1"));
    reply = golden_reply(text, strlen(text));
    talk_next(talk, &reply, 0);
    if (talk->step.kind != STEP_WAIT)
        return -1;
    talk_next(talk, NULL, 0);
    return talk->step.kind == STEP_SEND && talk->step.phase == PHASE_POLL ? 0 : -1;
}

static void check_result(const char *name, const struct provider_result *got, const json_t *want)
{
    const json_t *blob = json_object_get(want, "blob");
    const char *url = golden_text(want, "url", "");

    assert_int_equal(got->blob, blob ? json_integer_value(blob) : -1);
    if (strcmp(got->url ? got->url : "", url) != 0)
        fail_msg("%s: %s, not %s", name, got->url, url);
    assert_string_equal(got->base64 ? got->base64 : "", golden_text(want, "base64", ""));
    assert_int_equal(got->auth, json_is_true(json_object_get(want, "auth")));
    if (json_object_get(want, "mime"))
        assert_string_equal(got->mime_hint, golden_text(want, "mime", ""));
}

static void check_results(const char *name, const struct provider_step *step, const json_t *want)
{
    const json_t *results = json_object_get(want, "results");

    if (step->results_count != json_array_size(results))
        fail_msg("%s: %zu results, first %s", name, step->results_count, step->results[0].url);
    for (size_t i = 0; i < step->results_count; i++)
        check_result(name, &step->results[i], json_array_get(results, i));
}

static void check_step(const char *name, const struct provider_step *step, const json_t *want)
{
    const json_t *progress = json_object_get(want, "progress");
    const json_t *pause = json_object_get(want, "not_before");
    const json_t *cost = json_object_get(want, "cost");

    if (strcmp(golden_step_name(step->kind), golden_text(want, "step", "")) != 0)
        fail_msg("%s: %s, not %s; %s", name, golden_step_name(step->kind),
                 golden_text(want, "step", ""), step->error.text);
    check_results(name, step, want);
    if (step->kind == STEP_FAIL || step->kind == STEP_UNKNOWN)
        golden_check_error(name, &step->error, want);
    else
        assert_int_equal(step->error.kind, ERR_NONE);
    if (step->retry != json_is_true(json_object_get(want, "retry")))
        fail_msg("%s: retry %d", name, step->retry);
    if (progress)
        assert_int_equal(step->progress, json_integer_value(progress));
    assert_int_equal(step->not_before_ms, json_integer_value(pause));
    if (cost ? !(step->cost > json_number_value(cost) - 1e-9 &&
                 step->cost < json_number_value(cost) + 1e-9)
             : step->cost >= 0)
        fail_msg("%s: cost %g", name, step->cost);
    if (json_object_get(want, "job"))
        assert_string_equal(step->provider_job, golden_text(want, "job", ""));
    assert_string_equal(step->unknown_word ? step->unknown_word : "",
                        golden_text(want, "word", ""));
}

/* What comes after the step, twice, as if in another process each time. */
static void check_after(struct talk *talk, const char *name, const json_t *want)
{
    enum provider_step_kind kind = talk->step.kind;
    int retry = talk->step.retry;
    enum err_kind error = talk->step.error.kind;
    int was_poll = json_object_get(talk->flow, "job") || json_object_get(talk->flow, "poll_url");

    for (int again = 0; again < 2; again++) {
        talk_turn(talk, NULL, again);
        if (kind == STEP_DONE) {
            assert_int_equal(talk->step.kind, STEP_DONE);
            check_results(name, &talk->step, want);
        } else if (kind == STEP_WAIT || retry) {
            if (again && !was_poll) {
                assert_int_equal(talk->step.kind, STEP_UNKNOWN);
                assert_int_equal(talk->step.error.kind, ERR_LOST);
                return;
            }
            assert_int_equal(talk->step.kind, STEP_SEND);
            assert_int_equal(talk->step.phase, was_poll ? PHASE_POLL : PHASE_SUBMIT);
            assert_int_equal(talk->step.request.effect, was_poll ? HTTP_READS : HTTP_SPENDS);
            if (was_poll)
                assert_string_equal(talk->step.request.method, "GET");
            if (json_object_get(want, "poll"))
                assert_string_equal(talk->step.request.url, golden_text(want, "poll", ""));
        } else {
            assert_int_equal(talk->step.kind, kind);
            assert_int_equal(talk->step.error.kind, error);
            assert_int_equal(talk->step.retry, 0);
        }
    }
}

static void check_row(const char *name, const json_t *row)
{
    const json_t *want = json_object_get(row, "expect");
    struct sample sample;
    struct talk talk;

    sample_open(&sample, row);
    if (begin(&talk, &sample))
        fail_msg("%s: does not begin: %s", name, talk.step.error.text);
    talk_turn(&talk, &sample.reply, 0);
    check_step(name, &talk.step, want);
    check_after(&talk, name, want);
    talk_close(&talk);
    mem_free(sample.text);
}

static void answers_are_golden(void **state)
{
    (void)state;
    golden_rows("tests/unit/openai/answers.json", 101, check_row);
}

/* A result must be one that stands in the whole answer, or the family's own place for it. */
static int is_honest(const struct sample *sample, const struct provider_result *result)
{
    const json_t *wanted = json_object_get(json_object_get(sample->row, "expect"), "results");
    const char *tail = result->url ? strrchr(result->url, '/') : NULL;
    char mark[40];
    size_t index;
    json_t *want;

    if (result->url && strstr(result->url, "/content"))
        return 1;
    json_array_foreach(wanted, index, want)
        if (result->url && strcmp(result->url, golden_text(want, "url", "")) == 0)
            return 1;
    if (result->url)
        return tail && strstr(sample->text, tail) != NULL;
    if (result->base64)
        return strstr(sample->text, result->base64) != NULL;
    snprintf(mark, sizeof(mark), "clawmedia-blob:%d", result->blob);
    return strstr(sample->text, mark) != NULL;
}

static void try_reply(const struct sample *sample, const struct http_reply *reply, int strict)
{
    struct talk talk;

    assert_int_equal(begin(&talk, sample), 0);
    talk_next(&talk, reply, 0);
    if (talk.step.kind == STEP_DONE) {
        assert_true(talk.step.results_count > 0);
        for (size_t i = 0; strict && i < talk.step.results_count; i++)
            if (!is_honest(sample, &talk.step.results[i]))
                fail_msg("%s: %.*s: invents %s", golden_text(sample->row, "name", "?"),
                         (int)reply->text_len, reply->text, talk.step.results[i].url);
    } else if (talk.step.kind == STEP_SEND) {
        fail_msg("%s: sends at once", golden_text(sample->row, "name", "?"));
    }
    talk_close(&talk);
}

/* Cut after every byte; strict where a cut address would be seen. */
static void cut_row(const char *name, const json_t *row)
{
    struct sample sample;
    char *copy;

    (void)name;
    sample_open(&sample, row);
    for (size_t len = 0; len < sample.len && len < 700; len++) {
        struct http_reply reply = sample.reply;

        copy = mem_text_n(sample.text, len); /* so that the sanitizer sees the end */
        reply.text = copy;
        reply.text_len = len;
        try_reply(&sample, &reply, strchr("{[", sample.text[0]) != NULL);
        reply.outcome = HTTP_TRUNCATED;
        try_reply(&sample, &reply, 1);
        mem_free(copy);
    }
    mem_free(sample.text);
}

static void cut_answers_invent_nothing(void **state)
{
    (void)state;
    golden_rows("tests/unit/openai/answers.json", 1, cut_row);
}

static json_t *wrong_value(int which)
{
    switch (which) {
    case 0: return json_null();
    case 1: return json_true();
    case 2: return json_integer(-7);
    case 3: return json_real(1e300);
    case 4: return json_string("");
    case 5: return json_string("x");
    case 6: return json_array();
    case 7: return json_object();
    case 8: return json_pack("[s,i,n,{s:s}]", "a", 1, "id", "z");
    case 9: return json_pack("{s:{s:s}}", "url", "id", "z");
    case 10: return json_string("clawmedia-blob:99999999999999999999");
    default: return NULL;
    }
}

/* Puts each wrong value in each place in turn, then the right one back. */
static void spoil(const struct sample *sample, json_t *root, json_t *at)
{
    const char *key;
    void *iter;
    json_t *inner;

    for (size_t i = 0; i < json_array_size(at) + json_object_size(at); i++) {
        json_t *old;

        iter = json_object_iter(at);
        for (size_t k = 0; iter && k < i; k++)
            iter = json_object_iter_next(at, iter);
        key = iter ? json_object_iter_key(iter) : NULL;
        inner = key ? json_object_get(at, key) : json_array_get(at, i);
        old = json_incref(inner);
        for (int which = 0; (inner = wrong_value(which)); which++) {
            struct http_reply reply = sample->reply;
            char *text;

            if (key)
                json_object_set_new(at, key, inner);
            else
                json_array_set_new(at, i, inner);
            text = json_dumps(root, JSON_COMPACT);
            reply.text = text;
            reply.text_len = strlen(text);
            try_reply(sample, &reply, 1);
            mem_free(text);
        }
        if (key)
            json_object_set(at, key, old);
        else
            json_array_set(at, i, old);
        spoil(sample, root, old);
        json_decref(old);
    }
}

static void spoil_row(const char *name, const json_t *row)
{
    json_t *body = json_deep_copy(json_object_get(json_object_get(row, "reply"), "body"));
    struct sample sample;

    (void)name;
    sample_open(&sample, row);
    if (body)
        spoil(&sample, body, body);
    json_decref(body);
    mem_free(sample.text);
}

static void wrong_types_invent_nothing(void **state)
{
    (void)state;
    golden_rows("tests/unit/openai/answers.json", 1, spoil_row);
}

/* One reply with the nth allocation failing; 1 when the conversation did not come so far. */
static int try_without_memory(const json_t *row, long n, int for_good)
{
    struct sample sample;
    const char *name = golden_text(row, "name", "?");
    const json_t *want = json_object_get(row, "expect");
    int polls = strcmp(golden_text(row, "at", ""), "poll") == 0;
    struct talk talk;
    long before;
    int over;

    sample_open(&sample, row);
    assert_int_equal(begin(&talk, &sample), 0);
    before = mem_count();
    mem_fail_after(n, for_good);
    talk_next(&talk, &sample.reply, 0);
    over = mem_count() < before + n;
    mem_fail_after(0, 0);
    if (talk.step.error.kind == ERR_NOMEM) {
        /* What may have cost money is never sent again. */
        assert_true(talk.step.kind == STEP_FAIL || talk.step.kind == STEP_UNKNOWN);
        if (!polls && sample.reply.status >= 200 && sample.reply.status < 300)
            assert_int_equal(talk.step.kind, STEP_UNKNOWN);
    } else if (talk.step.kind == STEP_DONE) {
        check_results(name, &talk.step, want);
    } else if (!over && (polls ? talk.step.kind == STEP_FAIL && talk.step.retry
                               : talk.step.kind == STEP_UNKNOWN)) {
        /* jansson blames the text for memory that ended; what follows is careful all the same */
    } else if (strcmp(golden_step_name(talk.step.kind), golden_text(want, "step", "")) != 0) {
        fail_msg("%s, allocation %ld: %s, not %s; %s", name, n, golden_step_name(talk.step.kind),
                 golden_text(want, "step", ""), talk.step.error.text);
    }
    talk_close(&talk);
    mem_free(sample.text);
    return over;
}

static void answers_survive_without_memory(void **state)
{
    (void)state;
    golden_walk("tests/unit/openai/answers.json", try_without_memory);
}

static void process_ends_while_submitting(void **state)
{
    json_t *row = json_pack("{s:s}", "tool", "generate_image");
    struct err err;
    struct talk talk;

    (void)state;
    assert_int_equal(openai_open(&talk, row, &err), 0);
    talk_next(&talk, NULL, 1); /* ended before anything was said */
    assert_int_equal(talk.step.kind, STEP_SEND);
    talk_turn(&talk, NULL, 1);
    assert_int_equal(talk.step.kind, STEP_UNKNOWN);
    assert_int_equal(talk.step.error.kind, ERR_LOST);
    talk_close(&talk);
    json_decref(row);
}

/* The base was configured anew between two polls: the key goes only there. */
static void poll_address_follows_the_account(void **state)
{
    static const char *const text =
        "{\"id\":\"j\",\"status\":\"queued\",\"status_url\":\"https://api.openai.com/v1/s/j\"}";
    json_t *row = json_pack("{s:s}", "tool", "generate_video");
    struct http_reply reply = golden_reply(text, strlen(text));
    struct err err;
    struct talk talk;

    (void)state;
    assert_int_equal(openai_open(&talk, row, &err), 0);
    talk_next(&talk, NULL, 0);
    talk_next(&talk, &reply, 0);
    assert_int_equal(talk.step.kind, STEP_WAIT);
    talk_next(&talk, NULL, 0);
    assert_string_equal(talk.step.request.url, "https://api.openai.com/v1/s/j");
    talk.account.base_url = "https://other.example/v1";
    talk_next(&talk, NULL, 1);
    assert_string_equal(talk.step.request.url, "https://other.example/v1/videos/j");
    assert_null(provider_openai.cancel); /* no family has a way */
    talk_close(&talk);
    json_decref(row);
}

/* Sixteen results with long addresses: the flow stays below its bound. */
static void flow_is_bounded(void **state)
{
    json_t *row = json_pack("{s:s}", "tool", "generate_image");
    json_t *list = json_array();
    char *url = mem_alloc(7001);
    struct http_reply reply;
    struct err err;
    struct talk talk;
    char *text;
    json_t *body;

    (void)state;
    memset(url, 'a', 7000);
    memcpy(url, "https://c.example/", 18);
    for (int i = 0; i < 20; i++) {
        url[20] = (char)('a' + i);
        json_array_append_new(list, json_pack("{s:s}", "url", url));
    }
    body = json_pack("{s:o}", "data", list);
    text = json_dumps(body, 0);
    reply = golden_reply(text, strlen(text));
    assert_int_equal(openai_open(&talk, row, &err), 0);
    talk_next(&talk, NULL, 0);
    talk_next(&talk, &reply, 0);
    assert_int_equal(talk.step.kind, STEP_DONE);
    assert_true(talk.step.results_count >= 6 && talk.step.results_count <= LIMIT_FILES);
    talk_close(&talk);
    json_decref(body);
    json_decref(row);
    mem_free(text);
    mem_free(url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_golden),
        cmocka_unit_test(process_ends_while_submitting),
        cmocka_unit_test(poll_address_follows_the_account),
        cmocka_unit_test(flow_is_bounded),
        cmocka_unit_test(cut_answers_invent_nothing),
        cmocka_unit_test(wrong_types_invent_nothing),
        cmocka_unit_test(answers_survive_without_memory),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
