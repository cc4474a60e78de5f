/*
 * chatart_rig.c - see chatart_rig.h.
 */
#include "chatart_rig.h"

struct provider_account chat_account(void)
{
    static const struct http_header headers[] = {
        {"Xskill-Authorization", "Bearer {{key}}"}, {"Identity-Id", "{{identity}}"},
        {"Content-Type", "application/json"},       {"Language", "EN"},
        {"Skill", "1"},                             {"App-Type", "2"},
    };

    return (struct provider_account){
        .id = "chatart",
        .base_url = "https://api.chatartpro.com",
        .headers = headers,
        .headers_count = sizeof(headers) / sizeof(*headers),
        .signed_in = 1,
    };
}

int chat_open(struct talk *talk, const char *tool, const json_t *args, struct err *err)
{
    struct provider_account account = chat_account();

    if (talk_open(talk, &provider_chatart, &account, tool, args, err))
        return -1;
    talk->now_ms = CHAT_NOW_MS;
    return 0;
}

void chat_begin(struct talk *talk, const char *tool, const char *args)
{
    json_t *json = json_own(args);
    struct err err;

    if (chat_open(talk, tool, json, &err))
        fail_msg("%s: %s", args, err.text);
    json_decref(json);
    talk_wake(talk);
}

void chat_submit(struct talk *talk)
{
    chat_begin(talk, "generate_image", "{\"prompt\":\"a\",\"model\":\"Nano Banana 2\"}");
    assert_int_equal(talk->step.kind, STEP_SEND);
    assert_int_equal(talk->step.phase, PHASE_SUBMIT);
}

void chat_to_poll(struct talk *talk)
{
    chat_submit(talk);
    talk_hear(talk, 200, "{\"code\":200,\"data\":{\"question_id\":\"q_1\"}}");
    assert_int_equal(talk->step.kind, STEP_WAIT);
    assert_string_equal(talk->step.provider_job, "q_1");
    talk_wake(talk);
    assert_int_equal(talk->step.kind, STEP_SEND);
    assert_int_equal(talk->step.phase, PHASE_POLL);
}
