/*
 * The plume adapter. plume/requests.json: a tool's arguments and the exact body of the task, or the
 * error. plume/answers.json: a reply to a task, a question or an upload, and the step that follows.
 * Every flow goes through text between two steps, as in the ledger. Then the same without memory.
 */
#include "base/mem.h"
#include "unit/provider_rig.h"

static const struct http_header headers[] = {{"Authorization", "Bearer {{key}}"},
                                             {"User-Agent", "PlumeSkill/1.0"}};
static const char *const hosts[] = {"pics.useplume.app"};

static struct provider_account account_of(const json_t *row)
{
    return (struct provider_account){
        .id = "plume",
        .base_url = "https://design.useplume.app",
        .headers = headers,
        .headers_count = 2,
        .settings = json_object_get(row, "settings"),
        .signed_in = 1,
        .result_hosts = hosts,
        .result_hosts_count = 1,
    };
}

static int open_plume(struct talk *talk, const json_t *row, const char *tool, const json_t *args,
                      struct err *err)
{
    struct provider_account account = account_of(row);

    return talk_open(talk, &provider_plume, &account, tool, args, err);
}

/* ---- requests ---- */

/* Answers uploads with an address made of the file's key, until the task itself is to be sent. */
static size_t upload_all(struct talk *talk)
{
    size_t count = 0;

    while (talk->step.kind == STEP_SEND && talk->step.phase == PHASE_UPLOAD) {
        const struct http_request *request = &talk->step.request;
        const char *key = golden_text(talk->flow, "file", "");
        char text[300];

        assert_string_equal(request->url, "https://design.useplume.app/api/open/upload");
        assert_int_equal(request->effect, HTTP_WRITES);
        assert_int_equal(request->parts_count, 1);
        assert_string_equal(request->parts[0].name, "file");
        assert_string_equal(request->parts[0].filename,
                            strcmp(key, "k-a") == 0 ? "a.png" : "b_c.jpg");
        assert_null(golden_header(request, "Content-Type"));
        snprintf(text, sizeof(text),
                 "{\"success\":true,\"data\":{\"file_url\":\"https://pics.useplume.app/up/%s\"}}",
                 key);
        talk_hear(talk, 200, text);
        assert_non_null(talk->step.uploaded_key);
        assert_true(talk->step.uploaded_keep_ms > 0);
        count++;
    }
    return count;
}

static void check_plan(const char *name, const struct provider_plan *plan, const json_t *row)
{
    const json_t *cost = json_object_get(row, "cost");

    golden_check_changed(name, plan->changed, json_object_get(row, "changed"));
    golden_same(name, json_array_size(plan->uploads) ? plan->uploads : NULL,
                json_object_get(row, "uploads"));
    if (cost ? plan->cost != json_number_value(cost) : plan->cost >= 0)
        fail_msg("%s: costs %g", name, plan->cost);
    assert_string_equal(plan->currency, cost ? "credits" : "");
    if (json_object_get(row, "floor_ms"))
        assert_int_equal(plan->times.floor_ms,
                         json_integer_value(json_object_get(row, "floor_ms")));
    if (json_object_get(row, "deadline_ms"))
        assert_int_equal(plan->times.deadline_ms,
                         json_integer_value(json_object_get(row, "deadline_ms")));
    if (json_object_get(row, "typical_ms"))
        assert_int_equal(plan->times.typical_ms,
                         json_integer_value(json_object_get(row, "typical_ms")));
    assert_string_equal(plan->prefix, golden_text(row, "prefix", plan->prefix));
    assert_int_equal(plan->files, 1);
}

static void check_task(const char *name, const struct http_request *request, const json_t *want)
{
    json_t *got = json_loads(request->body, 0, NULL);

    assert_string_equal(request->url, "https://design.useplume.app/api/open/tasks");
    assert_string_equal(request->method, "POST");
    assert_int_equal(request->effect, HTTP_SPENDS);
    assert_string_equal(golden_header(request, "Authorization"), "Bearer {{key}}");
    assert_string_equal(golden_header(request, "Content-Type"), "application/json");
    assert_true(request->timeout_ms > 0);
    golden_same(name, got, want);
    json_decref(got);
}

static void check_order(const char *name, const json_t *row)
{
    struct err err = {0};
    struct talk talk;
    int rc = open_plume(&talk, row, golden_text(row, "tool", "generate_image"),
                        json_object_get(row, "args"), &err);

    if (golden_refused(name, rc, &err, row))
        return;
    check_plan(name, &talk.plan, row);
    talk_next(&talk, NULL, 0);
    assert_int_equal(upload_all(&talk), json_array_size(json_object_get(row, "uploads")));
    assert_int_equal(talk.step.kind, STEP_SEND);
    assert_int_equal(talk.step.phase, PHASE_SUBMIT);
    check_task(name, &talk.step.request, json_object_get(row, "body"));
    talk_close(&talk);
}

static void requests_are_golden(void **state)
{
    (void)state;
    golden_rows("tests/unit/plume/requests.json", 61, check_order);
}

/* ---- answers ---- */

/* Up to the request that the reply answers. */
static int begin(struct talk *talk, const json_t *row)
{
    static const char *const task = "{\"success\":true,\"data\":{\"id\":48213}}";
    const char *at = golden_text(row, "at", "");
    json_t *args = json_own(strcmp(at, "upload") == 0
                                    ? "{\"image\":{\"path\":\"/in/a.png\",\"mime\":\"image/png\","
                                      "\"bytes\":9,\"key\":\"k-a\"},\"operation\":"
                                      "\"remove_background\"}"
                                    : "{\"prompt\":\"p\"}");
    struct http_reply accepted = golden_reply(task, strlen(task));
    struct err err;
    int rc =
        open_plume(talk, row, strcmp(at, "upload") ? "generate_image" : "edit_image", args, &err);

    json_decref(args);
    if (rc)
        return -1;
    talk_next(talk, NULL, 0);
    if (strcmp(at, "poll") != 0)
        return talk->step.kind == STEP_SEND ? 0 : -1;
    talk_next(talk, &accepted, 0);
    if (talk->step.kind != STEP_WAIT)
        return -1;
    talk_next(talk, NULL, 0);
    return talk->step.kind == STEP_SEND && talk->step.phase == PHASE_POLL ? 0 : -1;
}

static void check_step(const char *name, const struct talk *talk, const json_t *row)
{
    const struct provider_step *step = &talk->step;
    const char *want = golden_text(row, "step", "");
    const json_t *urls = json_object_get(row, "urls");
    const json_t *cost = json_object_get(row, "cost");

    if (strcmp(want, "submit") == 0) {
        assert_int_equal(step->phase, PHASE_SUBMIT);
        assert_string_equal(step->uploaded_url, golden_text(row, "uploaded", ""));
        want = "send";
    }
    if (strcmp(golden_step_name(step->kind), want) != 0)
        fail_msg("%s: %s: %s", name, golden_step_name(step->kind), step->error.text);
    assert_int_equal(step->results_count, json_array_size(urls));
    for (size_t i = 0; i < step->results_count; i++) {
        assert_string_equal(step->results[i].url, json_string_value(json_array_get(urls, i)));
        assert_int_equal(step->results[i].auth, 0);
        assert_int_equal(step->results[i].blob, -1);
    }
    if (step->kind == STEP_FAIL || step->kind == STEP_UNKNOWN)
        golden_check_error(name, &step->error, row);
    if (step->retry != json_is_true(json_object_get(row, "retry")))
        fail_msg("%s: retry %d", name, step->retry);
    if (json_object_get(row, "job"))
        assert_string_equal(step->provider_job, golden_text(row, "job", ""));
    if (cost && step->cost != json_number_value(cost))
        fail_msg("%s: cost %g", name, step->cost);
    assert_int_equal(step->not_before_ms,
                     json_integer_value(json_object_get(row, "not_before")));
    assert_int_equal(step->unknown_word != NULL, json_is_true(json_object_get(row, "word")));
}

/* What comes after it, as if in another process; and after a crash of that one. */
static void check_after(struct talk *talk, const char *name, const json_t *row)
{
    enum provider_step_kind kind = talk->step.kind;
    int again = kind == STEP_WAIT || talk->step.retry;
    int has_task = json_object_get(talk->flow, "job") != NULL;
    const char *at = golden_text(row, "at", "");

    talk_turn(talk, NULL, 0);
    if (kind == STEP_SEND)
        return;
    if (!again) {
        assert_int_equal(talk->step.kind, kind);
        if (kind == STEP_DONE)
            assert_int_equal(talk->step.results_count,
                             json_array_size(json_object_get(row, "urls")));
        else
            golden_check_error(name, &talk->step.error, row);
        return;
    }
    assert_int_equal(talk->step.kind, STEP_SEND);
    assert_int_equal(talk->step.request.effect, has_task                     ? HTTP_READS
                                                : strcmp(at, "upload") == 0 ? HTTP_WRITES
                                                                            : HTTP_SPENDS);
    if (has_task && strcmp(at, "poll") == 0)
        assert_string_equal(talk->step.request.url,
                            "https://design.useplume.app/api/open/tasks/48213");
    talk_turn(talk, NULL, 1);
    assert_int_equal(talk->step.kind,
                     talk->step.request.effect == HTTP_SPENDS || !talk->step.request.url
                         ? STEP_UNKNOWN
                         : STEP_SEND);
}

static void check_answer(const char *name, const json_t *row)
{
    struct talk talk;
    char *text;
    struct http_reply reply = golden_reply_of(row, &text);

    assert_int_equal(begin(&talk, row), 0);
    talk_turn(&talk, &reply, 0);
    check_step(name, &talk, row);
    check_after(&talk, name, row);
    talk_close(&talk);
    mem_free(text);
}

static void answers_are_golden(void **state)
{
    (void)state;
    golden_rows("tests/unit/plume/answers.json", 101, check_answer);
}

/* A reply cut anywhere never makes a result that is not in it, and never sends a task twice. */
static void cut_answer(const char *name, const json_t *row)
{
    char *text;
    struct http_reply reply = golden_reply_of(row, &text);

    (void)name;
    for (size_t len = 0; len < reply.text_len && len < 400; len++) {
        char *cut = mem_text_n(text, len); /* so that the sanitizer sees the end */
        struct http_reply part = reply;
        struct talk talk;

        part.text = cut;
        part.text_len = len;
        assert_int_equal(begin(&talk, row), 0);
        talk_next(&talk, &part, 0);
        assert_true(talk.step.kind != STEP_DONE && talk.step.kind != STEP_SEND);
        if (strcmp(golden_text(row, "at", ""), "submit") == 0 && reply.status / 100 == 2)
            assert_true(talk.step.kind == STEP_UNKNOWN ||
                        strcmp(golden_text(row, "step", ""), "fail") == 0);
        talk_close(&talk);
        mem_free(cut);
    }
    mem_free(text);
}

static void cut_answers_invent_nothing(void **state)
{
    (void)state;
    golden_rows("tests/unit/plume/answers.json", 1, cut_answer);
}

/* ---- without memory ---- */

/* One answer with the nth allocation failing; 1 when it did not come so far. */
static int answer_without_memory(const json_t *row, long n, int for_good)
{
    char *text;
    struct http_reply reply = golden_reply_of(row, &text);
    int submits = strcmp(golden_text(row, "at", ""), "submit") == 0;
    struct talk talk;
    long before;
    int over;

    assert_int_equal(begin(&talk, row), 0);
    before = mem_count();
    mem_fail_after(n, for_good);
    talk_next(&talk, &reply, 0);
    over = mem_count() < before + n;
    mem_fail_after(0, 0);
    /* A task that was accepted is known, or it is unknown; it is not asked for again. */
    if (talk.step.kind == STEP_DONE && !talk.arena.failed)
        assert_true(talk.step.results_count > 0);
    if (submits && strcmp(golden_text(row, "step", ""), "wait") == 0 && !talk.arena.failed &&
        talk.step.kind == STEP_FAIL) {
        talk_next(&talk, NULL, 0);
        if (talk.step.phase != PHASE_POLL)
            fail_msg("%s, allocation %ld: would be paid for twice", golden_text(row, "name", "?"),
                     n);
    }
    talk_close(&talk);
    mem_free(text);
    return over;
}

static void nothing_is_lost_without_memory(void **state)
{
    (void)state;
    golden_walk("tests/unit/plume/answers.json", answer_without_memory);
}

/* ---- the rest ---- */

static void key_is_checked(void **state)
{
    static const struct {
        int status;
        const char *text;
        enum provider_verdict verdict;
    } cases[] = {
        {200, "{\"success\":true,\"data\":{\"valid\":true,\"user_id\":77}}", KEY_ACCEPTED},
        {200, "{\"success\":true,\"data\":{\"valid\":false}}", KEY_REFUSED},
        {200, "{\"success\":true,\"data\":null}", KEY_UNTOLD},
        {200, "{\"success\":false,\"code\":\"UNAUTHORIZED\"}", KEY_REFUSED},
        {401, "", KEY_REFUSED},
        {403, "{\"success\":false,\"code\":\"FORBIDDEN\"}", KEY_REFUSED},
        {404, "<p>", KEY_UNTOLD},
        {500, "{\"success\":false,\"code\":\"INTERNAL_ERROR\"}", KEY_UNAVAILABLE},
        {502, "bad", KEY_UNAVAILABLE},
        {200, "<p>", KEY_UNAVAILABLE},
    };
    struct provider_account account = account_of(NULL);
    struct arena arena = {0};
    struct http_request request;
    struct provider_check check;

    (void)state;
    assert_int_equal(provider_plume.check(&account, &arena, &request), 0);
    assert_string_equal(request.url, "https://design.useplume.app/api/open/validate");
    assert_int_equal(request.effect, HTTP_READS);
    arena_done(&arena);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct http_reply reply = golden_reply(cases[i].text, strlen(cases[i].text));

        reply.status = cases[i].status;
        provider_plume.checked(&reply, &check);
        assert_int_equal(check.verdict, cases[i].verdict);
        assert_int_equal(check.error.kind != ERR_NONE, check.verdict != KEY_ACCEPTED);
        assert_int_equal(check.facts != NULL, i == 0);
        json_decref(check.facts);
    }
}

static void record_is_the_skills_own(void **state)
{
    struct provider_record facts = {"feishu", "image", "48213", "https://pics.useplume.app/a.png",
                                    "/m/a.png", 1773824032118};
    struct arena arena = {0};
    const char *path = NULL;
    json_t *json = provider_plume.record(&facts, &arena, &path);

    (void)state;
    assert_string_equal(path, "plume/last_result_feishu.json");
    assert_string_equal(golden_text(json, "task_id", ""), "48213");
    assert_string_equal(golden_text(json, "result_url", ""), "https://pics.useplume.app/a.png");
    assert_string_equal(golden_text(json, "local_file", ""), "/m/a.png");
    assert_string_equal(golden_text(json, "media_type", ""), "image");
    assert_true(json_real_value(json_object_get(json, "created_at")) == 1773824032.118);
    assert_int_equal(json_object_size(json), 5);
    json_decref(json);
    facts.channel = "";
    json = provider_plume.record(&facts, &arena, &path);
    assert_string_equal(path, "plume/last_result.json");
    json_decref(json);
    arena_done(&arena);
}

static void all_categories_are_listed(void **state)
{
    static const char *const names[] = {"Banana2",  "BananaPro", "remove-bg", "remove-watermark",
                                        "seedream", "veo",       "seedance2"};
    struct provider_account account = account_of(NULL);
    json_t *rows = provider_plume.models(&account);

    (void)state;
    assert_int_equal(json_array_size(rows), 7);
    for (size_t i = 0; i < 7; i++) {
        const json_t *row = json_array_get(rows, i);

        assert_string_equal(golden_text(row, "name", ""), names[i]);
        assert_true(json_integer_value(json_object_get(row, "typical_ms")) > 0);
        assert_true(json_array_size(json_object_get(json_object_get(row, "limits"), "modes")) > 0);
        assert_int_equal(json_object_get(row, "price") != NULL, strcmp(names[i], "veo") != 0);
    }
    json_decref(rows);
    assert_int_equal(provider_plume.can(&account, "edit_image/remove_background"), 1);
    assert_int_equal(provider_plume.can(&account, "edit_image/inpaint"), 0);
    assert_int_equal(provider_plume.can(&account, "generate_video/lip_sync"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_golden),
        cmocka_unit_test(answers_are_golden),
        cmocka_unit_test(cut_answers_invent_nothing),
        cmocka_unit_test(nothing_is_lost_without_memory),
        cmocka_unit_test(key_is_checked),
        cmocka_unit_test(record_is_the_skills_own),
        cmocka_unit_test(all_categories_are_listed),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
