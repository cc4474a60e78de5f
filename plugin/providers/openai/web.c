/*
 * web.c - the provider that is nobody: media that a text names or holds, wherever it lies. It asks
 * no service and costs nothing; it is an adapter so that fetching is a job like any other, with the
 * ledger, the address policy and the delivery of all jobs. Finding media in a text is what this
 * adapter's neighbours do with answers, so it is done here.
 *
 * The plan's arguments are the text with its base64 taken out (media/spill.h), `files` with the
 * path of each run in its place (null for a broken one), `parts` with what these paths begin with,
 * and `url` when the text is one address. The request is {"results": [{"url"} or {"file"} or
 * {"base64"}], "parts"}.
 */
#include "providers/openai/openai.h"

#include <stdio.h>
#include <string.h>

static int can(const struct provider_account *account, const char *what)
{
    (void)account;
    return strcmp(what, "fetch_media") == 0;
}

/* As the request keeps it; NULL for what only makes sense at a provider, or without memory. */
static json_t *result_json(const struct provider_account *account, const json_t *files,
                           const struct provider_result *result)
{
    json_t *file;

    if (result->url)
        return strncmp(result->url, account->base_url, strlen(account->base_url)) == 0
                   ? NULL
                   : json_pack("{s:s}", "url", result->url);
    if (result->base64)
        return json_pack("{s:s}", "base64", result->base64);
    file = json_array_get(files, (size_t)result->blob);
    return json_is_string(file) ? json_pack("{s:O}", "file", file) : NULL;
}

static int find(const struct provider_account *account, const json_t *args, json_t *results,
                struct arena *arena, struct err *err)
{
    const json_t *files = json_object_get(args, "files");
    const char *text = json_text(args, "text");
    struct http_reply reply = {.outcome = HTTP_ANSWERED, .status = 200, .content_type = "",
                               .request_id = "", .retry_after_ms = -1, .length = -1, .text = text,
                               .text_len = strlen(text), .blobs = (unsigned)json_array_size(files)};
    json_t *request = json_pack("{s:s}", "kind", "media");
    struct provider_turn turn = {.account = account, .request = request, .reply = &reply,
                                 .job_id = "", .arena = arena};
    json_t *catalog = openai_catalog(err);
    struct openai_reading *reading = arena_alloc(arena, sizeof(*reading));
    int rc = -1;

    if (!request || !reading || !catalog || openai_read(&turn, catalog, reading)) {
        err_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < reading->results_count; i++) {
        json_t *one = result_json(account, files, &reading->results[i]);

        if (one)
            json_array_append_new(results, one);
    }
    rc = 0;
out:
    json_decref(request);
    json_decref(catalog);
    return rc;
}

static int plan(const struct provider_account *account, const char *tool, const json_t *args,
                struct provider_plan *ret_plan, struct err *err)
{
    json_t *results = json_array();
    struct arena arena = {0};
    int rc;

    (void)tool;
    if (json_object_get(args, "url"))
        rc = json_array_append_new(results,
                                   json_pack("{s:s}", "url", json_text(args, "url")))
                 ? err_nomem(err)
                 : 0;
    else
        rc = find(account, args, results, &arena, err);
    arena_done(&arena);
    if (rc == 0 && json_array_size(results) == 0)
        rc = err_field(err, "source",
                       "there is no picture, video or sound in this text: no address of one, no "
                       "Markdown or HTML that shows one, no base64");
    if (rc) {
        json_decref(results);
        return -1;
    }
    memset(ret_plan, 0, sizeof(*ret_plan));
    ret_plan->files = (unsigned)json_array_size(results);
    ret_plan->request = json_pack("{s:o, s:O*}", "results", results, "parts",
                                  json_object_get(args, "parts"));
    ret_plan->changed = json_array();
    ret_plan->kind = "media";
    snprintf(ret_plan->prefix, sizeof(ret_plan->prefix), "fetched");
    ret_plan->cost = 0;
    snprintf(ret_plan->currency, sizeof(ret_plan->currency), "USD");
    if (!ret_plan->request || !ret_plan->changed) {
        provider_plan_done(ret_plan);
        return err_nomem(err);
    }
    return 0;
}

static void next(struct provider_turn *turn, struct provider_step *ret_step)
{
    size_t index;
    json_t *one;

    memset(ret_step, 0, sizeof(*ret_step));
    ret_step->kind = STEP_DONE;
    ret_step->cost = -1;
    ret_step->progress = -1;
    if (json_object_get(turn->request, "parts"))
        ret_step->parts = arena_text(turn->arena, json_text(turn->request, "parts"));
    json_array_foreach(json_object_get(turn->request, "results"), index, one) {
        struct provider_result *result = &ret_step->results[ret_step->results_count];

        if (ret_step->results_count == LIMIT_FILES)
            break;
        result->blob = -1;
        if (json_object_get(one, "url"))
            result->url = arena_text(turn->arena, json_text(one, "url"));
        else if (json_object_get(one, "file"))
            result->file = arena_text(turn->arena, json_text(one, "file"));
        else
            result->base64 = arena_text(turn->arena, json_text(one, "base64"));
        ret_step->results_count++;
    }
}

static json_t *models(const struct provider_account *account)
{
    (void)account;
    return json_array();
}

const struct provider provider_web = {
    .name = "web",
    .can = can,
    .plan = plan,
    .next = next,
    .models = models,
};
