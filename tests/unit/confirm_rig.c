/* confirm_rig.c - see confirm_rig.h. */
#include "confirm_rig.h"

#include <stdio.h>
#include <string.h>

int confirm_setup(void **state)
{
    struct rig *rig;

    if (rig_setup(state))
        return -1;
    rig = *state;
    rig->a.fake = fake_host_new();
    rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
    rig->video_ms = 1000;
    return 0;
}

void confirm_configure(struct rig *rig, const char *settings)
{
    char text[1200];

    snprintf(
        text, sizeof(text),
        "{ sim: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '%s' } } }, plugins: { entries: { "
        "clawmedia: { config: { providers: { sim: { prices: { "
        "cheap: { each: 0.25, currency: 'USD' }, dear: { each: 3, currency: 'USD' }, "
        "yuan: { each: 0.5, currency: 'CNY' } } } }, %s } } }",
        rig->server.port, RIG_KEY, settings);
    rig_configure(rig, text);
}

struct rig *confirm_begin(void **state, const char *settings)
{
    struct rig *rig = *state;

    confirm_configure(rig, settings);
    side_open(&rig->a, "s");
    return rig;
}

void confirm_move(struct rig *rig, const char *price)
{
    char text[400];

    snprintf(text, sizeof(text),
             "{ sim: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'k-123456789' } } }, "
             "plugins: { entries: { clawmedia: { config: { confirm: 'always', providers: "
             "{ sim: { prices: { %s } } } } } }",
             price);
    rig_configure(rig, text);
}

void confirm_token(struct rig *rig, const char *tool, const char *args,
                   char ret_token[CONFIRM_TOKEN_BYTES])
{
    unsigned spends = rig->spends;
    json_t *json = side_ask(&rig->a, tool, args, "to", "c");

    assert_string_equal(text_at(json, "status"), "needs_confirmation");
    snprintf(ret_token, CONFIRM_TOKEN_BYTES, "%s", text_at(json, "confirm"));
    assert_int_equal(strncmp(ret_token, "ok_", 3), 0);
    assert_int_equal(rig->spends, spends);
    json_decref(json);
}

const char *confirm_with(const char *args, const char *token)
{
    static char text[512];

    snprintf(text, sizeof(text), "{\"confirm\":\"%s\",%s", token, args + 1);
    return text;
}

void confirm_refused(struct rig *rig, const char *tool, const char *args, const char *conversation)
{
    unsigned spends = rig->spends;
    json_t *json = side_ask(&rig->a, tool, args, "to", conversation);

    if (strcmp(text_at(json, "error.field"), "confirm") != 0 ||
        !strstr(text_at(json, "message"), "not for this call"))
        fail_msg("%s: %s", args, rig->a.fake->ends[rig->a.fake->ends_count - 1].json);
    rig_pass(rig, 100);
    assert_int_equal(rig->spends, spends);
    json_decref(json);
}

uint64_t confirm_question(struct rig *rig, const char *args, uint32_t questions)
{
    uint64_t id = side_call(&rig->a, "generate_image", args, "to", "c");

    rig_spin(rig, 20);
    assert_int_equal(rig->a.fake->questions_count, questions);
    assert_null(fake_host_end(rig->a.fake, id));
    assert_int_equal(rig->spends, 0);
    return id;
}
