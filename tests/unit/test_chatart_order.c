/*
 * What the chatart adapter plans and sends: each case of chatart/requests.json is a tool's
 * arguments and the exact submit, or the field of the error. The catalogue behind it, and the same
 * without memory.
 */
#include "unit/chatart_rig.h"

static int open_row(struct talk *talk, const json_t *row, struct err *err)
{
    return chat_open(talk, golden_text(row, "tool", ""), json_object_get(row, "args"), err);
}

static void check_submit(struct talk *talk, const char *name, const json_t *row)
{
    json_t *uploads = json_object();
    const char *wire = json_text(talk->plan.request, "wire");
    size_t index;
    json_t *key;
    json_t *body;
    char url[256];

    json_array_foreach(talk->plan.uploads, index, key) {
        snprintf(url, sizeof(url), "https://files.chatartpro.com/u/%s", json_string_value(key) + 2);
        json_object_set_new(uploads, json_string_value(key), json_string(url));
    }
    json_object_set_new(talk->flow, "uploads", uploads);
    talk_wake(talk);
    if (talk->step.kind != STEP_SEND)
        fail_msg("%s: %s", name, talk->step.error.text);
    assert_int_equal(talk->step.phase, PHASE_SUBMIT);
    assert_int_equal(talk->step.request.effect, HTTP_SPENDS);
    assert_string_equal(talk->step.request.method, "POST");
    assert_string_equal(talk->step.request.url,
                        strcmp(wire, "image") == 0
                            ? "https://api.chatartpro.com/web/art/create"
                            : "https://api.chatartpro.com/web/video/generate-video");
    for (size_t i = 0; i < talk->account.headers_count; i++)
        assert_string_equal(golden_header(&talk->step.request, talk->account.headers[i].name),
                            talk->account.headers[i].value);
    body = json_loads(talk->step.request.body, 0, NULL);
    golden_same(name, body, json_object_get(row, "body"));
    json_decref(body);
}

static void check_row(const char *name, const json_t *row)
{
    struct talk talk;
    struct err err = {0};
    int rc = open_row(&talk, row, &err);

    if (golden_refused(name, rc, &err, row))
        return;
    golden_check_changed(name, talk.plan.changed, json_object_get(row, "changed"));
    if (talk.plan.cost != json_number_value(json_object_get(row, "cost")))
        fail_msg("%s: costs %g", name, talk.plan.cost);
    assert_string_equal(talk.plan.currency, "credits");
    assert_string_equal(talk.plan.model, golden_text(row, "model", talk.plan.model));
    assert_string_equal(talk.plan.prefix, golden_text(row, "prefix", talk.plan.prefix));
    check_submit(&talk, name, row);
    talk_close(&talk);
}

static void requests_are_golden(void **state)
{
    (void)state;
    golden_rows("tests/unit/chatart/requests.json", 70, check_row);
}

/* ---- the catalogue ---- */

static void catalogue_is_whole(void **state)
{
    json_t *catalog = golden_load("manifests/providers/chatart.json");
    json_t *wire = json_object_get(catalog, "wire");
    const char *name;
    size_t index;
    json_t *model;
    json_t *mode;

    (void)state;
    json_array_foreach(json_object_get(catalog, "models"), index, model) {
        const char *kind = golden_text(model, "kind", "");
        json_t *prices = json_object_get(model, "prices");
        size_t n;
        json_t *text;

        assert_true(*golden_text(model, "code", ""));
        assert_true(json_int(model, "typical_ms", 0) > 0);
        json_array_foreach(json_object_get(model, "ratios"), n, text)
            assert_true(
                json_int(json_object_get(wire, "picture_scales"), json_string_value(text), 0) > 0);
        json_array_foreach(json_object_get(model, "resolutions"), n, text) {
            assert_true(json_int(json_object_get(wire, "image_definitions"),
                                 json_string_value(text), 0) > 0);
            if (!json_object_get(model, "qualities"))
                assert_true(json_int(prices, json_string_value(text), 0) > 0);
        }
        json_object_foreach(json_object_get(model, "modes"), name, mode)
            json_array_foreach(json_object_get(mode, "resolutions"), n, text)
                assert_true(json_int(prices, json_string_value(text), 0) > 0);
        json_array_foreach(json_object_get(model, "aliases"), n, text)
            assert_ptr_equal(chatart_model(catalog, kind, json_string_value(text)), model);
    }
    json_decref(catalog);
}

static void models_are_listed(void **state)
{
    struct provider_account account = {.base_url = "https://h"};
    json_t *rows = provider_chatart.models(&account);

    (void)state;
    assert_int_equal(json_array_size(rows), 13);
    json_decref(rows);
}

/* ---- without memory ---- */

/* One order with the nth allocation failing; 1 when it did not come so far. */
static int plan_without_memory(const json_t *row, long n, int for_good)
{
    struct talk talk;
    int over = talk_starved(&talk, open_row, row, n, for_good);

    if (!talk.flow)
        return over;
    if (talk.step.kind != STEP_SEND) {
        assert_int_equal(talk.step.kind, STEP_FAIL);
        assert_true(talk.step.retry);
    }
    talk_close(&talk);
    return over;
}

/* Those of jansson too: a clear error, or the very same request. */
static void plan_and_submit_survive_without_memory(void **state)
{
    (void)state;
    golden_walk("tests/unit/chatart/requests.json", plan_without_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_golden),
        cmocka_unit_test(catalogue_is_whole),
        cmocka_unit_test(models_are_listed),
        cmocka_unit_test(plan_and_submit_survive_without_memory),
    };

    return cmocka_run_group_tests(tests, golden_setup, NULL);
}
