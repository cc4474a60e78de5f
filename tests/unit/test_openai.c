/*
 * What the openai adapter sends: each case of openai/requests.json is a tool's arguments and the
 * exact request, or the error. And the models listed.
 */
#include "base/mem.h"
#include "unit/openai_rig.h"

static void put(json_t *object, const char *key, const char *text)
{
    if (text)
        assert_int_equal(json_object_set_new(object, key, json_string(text)), 0);
}

/* The body as JSON; files inside it as FILE(path,mime). */
static json_t *body_of(const struct http_request *request)
{
    char text[65536] = "";
    size_t len = 0;
    json_t *json;

    for (size_t i = 0; i < request->parts_count; i++) {
        const struct http_part *part = &request->parts[i];

        if (part->path)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "FILE(%s,%s)", part->path,
                                    part->mime);
        else
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", part->text);
        assert_true(len < sizeof(text));
    }
    json = json_loads(request->parts_count ? text : request->body, 0, NULL);
    assert_non_null(json);
    return json;
}

static json_t *parts_of(const struct http_request *request)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < request->parts_count; i++) {
        const struct http_part *part = &request->parts[i];
        json_t *row = json_object();

        put(row, "name", part->name);
        put(row, "text", part->text);
        put(row, "path", part->path);
        put(row, "filename", part->filename);
        put(row, "mime", part->mime);
        json_array_append_new(rows, row);
    }
    return rows;
}

static void check_request(const char *name, const struct http_request *request, const json_t *want)
{
    json_t *json = json_object_get(want, "json");
    json_t *parts = json_object_get(want, "parts");
    json_t *got;

    assert_string_equal(request->method, golden_text(want, "method", "POST"));
    assert_string_equal(request->url, golden_text(want, "url", ""));
    assert_int_equal(request->effect, HTTP_SPENDS);
    assert_int_equal(request->answer, HTTP_ANSWER_MEDIA);
    assert_true(request->timeout_ms > 0);
    assert_string_equal(golden_header(request, "Authorization"), "Bearer {{key}}");
    assert_string_equal(golden_header(request, "Accept"), "application/json");
    if (json) {
        assert_string_equal(golden_header(request, "Content-Type"), "application/json");
        assert_true(request->body ? request->body_len == strlen(request->body)
                                  : request->parts_joined);
        got = body_of(request);
        golden_same(name, got, json);
        json_decref(got);
    } else {
        assert_null(request->body);
        assert_false(request->parts_joined);
        assert_null(golden_header(request, "Content-Type"));
        got = parts_of(request);
        golden_same(name, got, parts);
        json_decref(got);
    }
}

static void check_plan(const char *name, const struct provider_plan *plan, const json_t *want)
{
    const json_t *cost = json_object_get(want, "cost");

    golden_check_changed(name, plan->changed, json_object_get(want, "changed"));
    if (json_object_get(want, "model"))
        assert_string_equal(plan->model, golden_text(want, "model", ""));
    assert_string_equal(plan->prefix, golden_text(want, "prefix", plan->prefix));
    if (json_object_get(want, "files"))
        assert_int_equal(plan->files, json_integer_value(json_object_get(want, "files")));
    if (json_object_get(want, "typical_ms"))
        assert_int_equal(plan->times.typical_ms,
                         json_integer_value(json_object_get(want, "typical_ms")));
    if (json_object_get(want, "inputs"))
        golden_same(name, json_object_get(plan->request, "inputs"),
                    json_object_get(want, "inputs"));
    assert_true(cost ? plan->cost > json_number_value(cost) - 1e-9 &&
                           plan->cost < json_number_value(cost) + 1e-9
                     : plan->cost < 0);
    assert_true(plan->times.floor_ms > 0 && plan->times.ceiling_ms >= plan->times.floor_ms &&
                plan->times.deadline_ms > plan->times.ceiling_ms);
}

static void check_row(const char *name, const json_t *row)
{
    struct err err = {0};
    struct talk talk;
    int rc = openai_open(&talk, row, &err);

    if (golden_refused(name, rc, &err, row))
        return;
    check_plan(name, &talk.plan, row);
    talk_next(&talk, NULL, 0);
    assert_int_equal(talk.step.kind, STEP_SEND);
    assert_int_equal(talk.step.phase, PHASE_SUBMIT);
    check_request(name, &talk.step.request, json_object_get(row, "request"));
    talk_close(&talk);
}

static void requests_are_golden(void **state)
{
    (void)state;
    golden_rows("tests/unit/openai/requests.json", 31, check_row);
}

static void models_are_listed(void **state)
{
    json_t *models = json_pack("[{s:s},s,s,{s:s}]", "id", "seedance-pro", "gpt-5", "vendor/flux-2",
                               "id", "gpt-image-1");
    struct provider_account account = {.base_url = "https://x.example/v1", .models = models};
    json_t *rows = provider_openai.models(&account);

    (void)state;
    assert_non_null(rows);
    assert_string_equal(golden_text(json_array_get(rows, 0), "name", ""), "seedance-pro");
    assert_string_equal(golden_text(json_array_get(rows, 0), "kind", ""), "video");
    assert_string_equal(golden_text(json_array_get(rows, 1), "name", ""), "vendor/flux-2");
    assert_string_equal(golden_text(json_array_get(rows, 1), "kind", ""), "image");
    assert_string_equal(golden_text(json_array_get(rows, 2), "name", ""), "gpt-image-1");
    assert_true(json_is_true(json_object_get(json_array_get(rows, 2), "configured")));
    assert_int_equal(json_array_size(rows), 10);
    assert_non_null(json_object_get(json_object_get(json_array_get(rows, 2), "limits"), "sizes"));
    json_decref(rows);
    json_decref(models);
}

/* One order with the nth allocation failing; 1 when it did not come so far. */
static int plan_without_memory(const json_t *row, long n, int for_good)
{
    struct talk talk;
    int over = talk_starved(&talk, openai_open, row, n, for_good);

    if (!talk.flow)
        return over;
    if (talk.step.kind == STEP_SEND)
        check_request(golden_text(row, "name", "?"), &talk.step.request,
                      json_object_get(row, "request"));
    else
        assert_int_equal(talk.step.error.kind, ERR_NOMEM);
    talk_close(&talk);
    return over;
}

/* Those of jansson too: a clear error, or the very same request. */
static void plan_survives_without_memory(void **state)
{
    (void)state;
    golden_walk("tests/unit/openai/requests.json", plan_without_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_golden),
        cmocka_unit_test(models_are_listed),
        cmocka_unit_test(plan_survives_without_memory),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
