/* Any bytes as an answer to the plume adapter. The first byte chooses what it answers (a task, a
 * question, an upload), status and outcome; the rest is the body. Beside what the sanitizers see:
 *   - after an answer of 2xx a task is never asked for again;
 *   - DONE has results, all of them on Plume's own host, and says the same again;
 *   - the flow can be stored.
 */
#include "base/mem.h"
#include "fuzz.h"
#include "providers/provider.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct http_header headers[] = {{"Authorization", "Bearer {{key}}"}};
static const char *const hosts[] = {"pics.useplume.app"};
static const struct provider_account account = {
    .id = "plume",
    .base_url = "https://design.useplume.app",
    .headers = headers,
    .headers_count = 1,
    .result_hosts = hosts,
    .result_hosts_count = 1,
};

static void turn_once(struct provider_plan *plan, json_t *flow, struct arena *arena,
                      const struct http_reply *reply, struct provider_step *ret_step)
{
    struct provider_turn turn = {.account = &account, .request = plan->request, .flow = flow,
                                 .reply = reply,      .job_id = "j",            .arena = arena};

    provider_plume.next(&turn, ret_step);
}

static void check_step(const struct provider_step *step, const struct http_reply *reply, int at)
{
    FUZZ_CHECK(step->results_count <= LIMIT_FILES);
    FUZZ_CHECK((step->kind == STEP_DONE) == (step->results_count > 0));
    /* Only an upload leads to a request at once. */
    FUZZ_CHECK(step->kind != STEP_SEND || at == 2);
    if (step->kind == STEP_FAIL || step->kind == STEP_UNKNOWN)
        FUZZ_CHECK(step->error.kind != ERR_NONE && step->error.text[0]);
    if (at == 0 && step->kind == STEP_FAIL && step->retry)
        FUZZ_CHECK(reply->status >= 400 || strstr(reply->text, "CONCURRENT_MODIFICATION"));
    for (size_t i = 0; i < step->results_count; i++) {
        FUZZ_CHECK(step->results[i].blob < 0 && !step->results[i].base64 && !step->results[i].auth);
        FUZZ_CHECK(strncasecmp(step->results[i].url, "https://pics.useplume.app", 25) == 0);
    }
    if (step->uploaded_url)
        FUZZ_CHECK(strncasecmp(step->uploaded_url, "https://pics.useplume.app", 25) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const accepted = "{\"success\":true,\"data\":{\"id\":1}}";
    static const int statuses[] = {200, 201, 400, 401, 409, 500, 502, 200};
    unsigned choice = size ? data[0] : 0;
    int at = (int)(choice % 3); /* a task, a question, an upload */
    json_t *args = json_pack("{s:s,s:{s:s,s:s,s:s}}", "prompt", "p", "image", "path", "/a.png",
                             "mime", "image/png", "key", "k");
    struct http_reply reply = {.status = 200, .content_type = "", .retry_after_ms = -1,
                               .text = accepted, .text_len = strlen(accepted)};
    struct provider_plan plan = {0};
    struct provider_step step;
    struct arena arena = {0};
    json_t *flow = json_object();
    size_t count;
    char *text;

    if (at != 2)
        json_object_del(args, "image");
    FUZZ_CHECK(provider_plume.plan(&account, at == 2 ? "edit_image" : "generate_image", args, &plan,
                                   NULL) == 0);
    turn_once(&plan, flow, &arena, NULL, &step);
    if (at == 1) {
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
    turn_once(&plan, flow, &arena, &reply, &step);
    check_step(&step, &reply, at);
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
