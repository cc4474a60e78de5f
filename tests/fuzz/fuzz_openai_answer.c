/* Any bytes as an answer to the openai adapter. The first byte chooses picture or video, submit or
 * poll, status and outcome; the rest is the body. Beside what the sanitizers see:
 *   - the step is a legal one, and a submit is never sent again after an answer of 2xx;
 *   - DONE has results, each of exactly one kind, and says the same again;
 *   - the flow can be stored.
 */
#include "base/mem.h"
#include "fuzz.h"
#include "providers/provider.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct http_header headers[] = {{"Authorization", "Bearer {{key}}"}};
static const struct provider_account account = {
    .id = "f",
    .base_url = "https://api.example/v1",
    .headers = headers,
    .headers_count = 1,
};

static void turn_once(struct provider_plan *plan, json_t *flow, struct arena *arena,
                      const struct http_reply *reply, struct provider_step *ret_step)
{
    struct provider_turn turn = {.account = &account, .request = plan->request, .flow = flow,
                                 .reply = reply,      .job_id = "j",            .arena = arena};

    provider_openai.next(&turn, ret_step);
}

static void check_step(const struct provider_step *step, const struct http_reply *reply, int polls)
{
    FUZZ_CHECK(step->kind != STEP_SEND);
    FUZZ_CHECK(step->results_count <= LIMIT_FILES);
    FUZZ_CHECK((step->kind == STEP_DONE) == (step->results_count > 0));
    FUZZ_CHECK(step->progress >= -1 && step->progress <= 1000);
    if (step->kind == STEP_FAIL || step->kind == STEP_UNKNOWN)
        FUZZ_CHECK(step->error.kind != ERR_NONE && step->error.text[0]);
    if (!polls && step->kind == STEP_FAIL && step->retry)
        FUZZ_CHECK(reply->status >= 300 || reply->outcome == HTTP_NOT_SENT);
    for (size_t i = 0; i < step->results_count; i++) {
        const struct provider_result *one = &step->results[i];

        FUZZ_CHECK((one->blob >= 0) + (one->base64 != NULL) + (one->url != NULL) == 1);
        FUZZ_CHECK(one->blob < (int)reply->blobs);
        if (one->url)
            FUZZ_CHECK(strncasecmp(one->url, "http", 4) == 0 && strlen(one->url) < LIMIT_URL);
        if (one->auth)
            FUZZ_CHECK(strncasecmp(one->url, "https://api.example", 19) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const accepted = "{\"id\":\"job\",\"status\":\"queued\"}";
    static const int statuses[] = {200, 202, 400, 429, 500, 503, 302, 0};
    unsigned choice = size ? data[0] : 0;
    int polls = (choice & 2) != 0;
    json_t *args = json_pack("{s:s,s:s}", "prompt", "p", "model", "m");
    struct http_reply reply = {.status = 200, .content_type = "", .retry_after_ms = -1,
                               .text = accepted, .text_len = strlen(accepted)};
    struct provider_plan plan = {0};
    struct provider_step step;
    struct arena arena = {0};
    json_t *flow = json_object();
    size_t count;
    char *text;

    FUZZ_CHECK(provider_openai.plan(&account, choice & 1 ? "generate_video" : "generate_image", args,
                                    &plan, NULL) == 0);
    turn_once(&plan, flow, &arena, NULL, &step);
    if (polls) {
        turn_once(&plan, flow, &arena, &reply, &step);
        turn_once(&plan, flow, &arena, NULL, &step);
    }
    FUZZ_CHECK(step.kind == STEP_SEND);
    text = mem_text_n(size ? (const char *)data + 1 : "", size ? size - 1 : 0);
    FUZZ_CHECK(text);
    reply.text = text;
    reply.text_len = size ? size - 1 : 0;
    reply.status = statuses[choice >> 2 & 7];
    reply.outcome = choice & 32 ? HTTP_TRUNCATED : HTTP_ANSWERED;
    reply.blobs = choice >> 6;
    turn_once(&plan, flow, &arena, &reply, &step);
    check_step(&step, &reply, polls);
    count = step.results_count;
    mem_free(text);
    text = json_dumps(flow, 0);
    FUZZ_CHECK(text && strlen(text) < LIMIT_FLOW_BYTES);
    free(text);
    if (step.kind == STEP_DONE) {
        turn_once(&plan, flow, &arena, NULL, &step);
        FUZZ_CHECK(step.kind == STEP_DONE && step.results_count == count);
    }
    arena_done(&arena);
    json_decref(flow);
    json_decref(args);
    provider_plan_done(&plan);
    return 0;
}
