/*
 * config_view [CREATE_TEXT] [--variable NAME]...: what the plugin makes of the configuration that
 * it finds, as JSON on the standard output: for the comparison with the real host. It shows keys,
 * so it is for files that a test wrote.
 */
#include "base/mem.h"
#include "config/config.h"
#include "unit/mini_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *view_provider(const struct config_provider *provider)
{
    json_t *headers = json_array();

    for (size_t i = 0; i < provider->account.headers_count; i++)
        json_array_append_new(headers,
                              json_pack("{s:s, s:s, s:s}", "name",
                                        provider->account.headers[i].name, "format",
                                        provider->account.headers[i].value, "value",
                                        provider->peer.secrets[i].value));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:O?, s:O?}", "id", provider->account.id,
                     "base_url", provider->account.base_url, "key",
                     provider->peer.secrets[0].value, "key_source", provider->key_source,
                     "headers", headers, "models", provider->account.models, "settings",
                     provider->account.settings);
}

static json_t *view(struct config *config, int argc, char **argv)
{
    json_t *providers = json_array(), *problems = json_array();
    json_t *variables = json_object();
    const struct config_provider *provider;
    const struct config_problem *problem;

    for (size_t i = 0; (provider = config_provider_at(config, i)); i++)
        json_array_append_new(providers, view_provider(provider));
    for (size_t i = 0; (problem = config_problem_at(config, i)); i++)
        json_array_append_new(problems,
                              json_pack("{s:s, s:s, s:s?, s:b}", "id", problem->id, "reason",
                                        problem->reason, "key_source", problem->key_source,
                                        "incomplete", problem->is_incomplete));
    for (int i = 1; i + 1 < argc; i++) {
        const char *source = "", *value;

        if (strcmp(argv[i], "--variable") != 0)
            continue;
        value = config_variable(config, argv[i + 1], &source);
        json_object_set_new(variables, argv[i + 1],
                            value ? json_pack("[s, s]", value, source) : json_null());
    }
    return json_pack("{s:o, s:o, s:o}", "providers", providers, "problems", problems, "variables",
                     variables);
}

int main(int argc, char **argv)
{
    const char *given = argc > 1 && argv[1][0] == '{' ? argv[1] : "{}";
    ahp_text text = {given, strlen(given)};
    struct config *config = NULL;
    struct mini_host mini;
    struct err err = {.kind = ERR_NONE};
    json_t *out;
    int rc;

    if (mini_init(&mini, 0))
        return 2;
    if (config_open(&mini.env, &text, &config, &err)) {
        fprintf(stderr, "%s\n", err.text);
        env_done(&mini.env);
        return 2;
    }
    rc = config_refresh(config, &err);
    out = view(config, argc, argv);
    json_object_set_new(out, "file", json_string(config_file(config)));
    json_object_set_new(out, "error", rc ? json_string(err.text) : json_null());
    if (config_root(config))
        json_object_set(out, "root", (json_t *)config_root(config));
    rc = json_dumpf(out, stdout, JSON_COMPACT);
    json_decref(out);
    config_close(config);
    env_done(&mini.env);
    return rc ? 1 : 0;
}
