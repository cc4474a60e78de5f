/*
 * test_tools_chatart.c - what a chat reads right after an order: the estimated time in ChatArt's
 * own words, by model. The service is nobody: a raw server that knows none of its addresses.
 */
#include "engine_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    struct rig *rig;
    char base[64];

    if (rig_setup(state))
        return -1;
    rig = *state;
    snprintf(base, sizeof(base), "http://127.0.0.1:%u", (unsigned)rig->server.port);
    setenv("CHATART_API_BASE", base, 1);
    setenv("CHATARTPRO_API_KEY", RIG_KEY, 1);
    setenv("CHATARTPRO_UID", "rig-identity", 1);
    return 0;
}

static int teardown(void **state)
{
    unsetenv("CHATART_API_BASE");
    unsetenv("CHATARTPRO_API_KEY");
    unsetenv("CHATARTPRO_UID");
    return rig_teardown(state);
}

static void the_estimated_time_is_told(void **state)
{
    static const struct {
        const char *tool, *args, *words;
    } cases[] = {
        {"generate_video", "{\"prompt\":\"a\",\"model\":\"Seedance 2.0 Fast\"}",
         "roughly 5-10 minutes"},
        {"generate_video", "{\"prompt\":\"a\",\"model\":\"Kling V3\"}", "roughly 3-5 minutes"},
        {"generate_image", "{\"prompt\":\"a\"}", "roughly 30-60 seconds"},
    };
    struct rig *rig = *state;

    rig_configure(rig, "{}");
    side_open(&rig->a, "s");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *json = side_ask(&rig->a, cases[i].tool, cases[i].args, "chat", "c");

        assert_string_equal(text_at(json, "status"), "submitted");
        assert_string_equal(text_at(json, "provider"), "chatart");
        if (!strstr(text_at(json, "message"), cases[i].words))
            fail_msg("%s", text_at(json, "message"));
        json_decref(json);
    }
    side_end(&rig->a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_estimated_time_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
