/* Any bytes as an answer to the chatart adapter. The first byte chooses where in a job (policy, put,
 * submit, poll, a login's two questions), status and outcome; the rest is the body. Beside what the
 * sanitizers see:
 *   - the step is a legal one, and a submit is sent again only after an answer that says so;
 *   - DONE has results, or is a login's with its credential, and says the same again;
 *   - the flow can be stored, and nothing of a credential is in it.
 */
#include "base/json.h"
#include "base/mem.h"
#include "fuzz.h"
#include "providers/provider.h"

#include <stdlib.h>
#include <string.h>

enum place { AT_POLICY, AT_PUT, AT_SUBMIT, AT_POLL, AT_INIT, AT_TOKEN, PLACES };

static const struct http_header headers[] = {{"Xskill-Authorization", "Bearer {{key}}"}};
static const struct provider_account account = {
    .id = "f",
    .base_url = "https://api.example",
    .headers = headers,
    .headers_count = 1,
    .signed_in = 1,
};

#define POLICY                                                                                     \
    "{\"code\":200,\"data\":{\"Credentials\":{\"AccessKeyId\":\"a\",\"AccessKeySecret\":"          \
    "\"TOPSECRET\",\"SecurityToken\":\"t\",\"region\":\"oss-r\",\"bucket\":\"b\"}}}"
#define INIT                                                                                       \
    "{\"code\":200,\"data\":{\"identity_id\":\"d\",\"verification_uri\":\"https://a/\","         \
    "\"token_endpoint\":\"https://a/t\"}}"

struct talk {
    struct provider_plan plan;
    struct provider_step step;
    struct arena arena;
    json_t *flow;
    json_t *secrets;
};

static void turn_once(struct talk *talk, const struct http_reply *reply)
{
    struct provider_turn turn = {.account = &account, .request = talk->plan.request,
                                 .flow = talk->flow,  .secrets = talk->secrets,
                                 .reply = reply,      .job_id = "j",
                                 .now_ms = 1767600550000, .arena = &talk->arena};

    json_decref(talk->step.credential);
    provider_chatart.next(&turn, &talk->step);
}

static void hear(struct talk *talk, const char *text)
{
    struct http_reply reply = {.status = 200, .content_type = "", .retry_after_ms = -1, .sent = 1,
                               .text = text,  .text_len = strlen(text)};

    turn_once(talk, &reply);
}

/* Brings the job to where the answer is awaited. */
static void go_to(struct talk *talk, enum place place)
{
    json_t *args = place >= AT_INIT ? json_pack("{s:s}", "device", "d")
                   : place < AT_SUBMIT
                       ? json_pack("{s:s, s:{s:s, s:s, s:s}}", "prompt", "p", "image", "path", "/a.png",
                                   "mime", "image/png", "key", "k")
                       : json_pack("{s:s}", "prompt", "p");
    const char *tool = place >= AT_INIT    ? "account"
                       : place < AT_SUBMIT ? "edit_image"
                                           : "generate_image";

    FUZZ_CHECK(provider_chatart.plan(&account, tool, args, &talk->plan, NULL) == 0);
    turn_once(talk, NULL);
    if (place == AT_PUT)
        hear(talk, POLICY);
    if (place == AT_POLL)
        hear(talk, "{\"code\":200,\"data\":{\"question_id\":\"q\"}}");
    if (place == AT_TOKEN)
        hear(talk, INIT);
    if (place == AT_POLL || place == AT_TOKEN)
        turn_once(talk, NULL);
    FUZZ_CHECK(talk->step.kind == STEP_SEND);
    json_decref(args);
}

static void check_step(const struct talk *talk, const struct http_reply *reply, enum place place)
{
    const struct provider_step *step = &talk->step;
    char *flow = json_dumps(talk->flow, 0);

    FUZZ_CHECK(flow && strlen(flow) < LIMIT_FLOW_BYTES);
    FUZZ_CHECK(!strstr(flow, "TOPSECRET") || memmem(reply->text, reply->text_len, "TOPSECRET", 9));
    free(flow);
    FUZZ_CHECK(step->kind != STEP_SEND || place < AT_SUBMIT);
    FUZZ_CHECK((step->credential != NULL) == (step->kind == STEP_DONE && place == AT_TOKEN) ||
               (place == AT_TOKEN && reply->status == 404));
    if (step->credential)
        FUZZ_CHECK(*json_text(step->credential, "api_key") &&
                   *json_text(step->credential, "identity_id"));
    if (place == AT_POLL)
        FUZZ_CHECK((step->kind == STEP_DONE) == (step->results_count > 0));
    if (step->kind == STEP_FAIL || step->kind == STEP_UNKNOWN)
        FUZZ_CHECK(step->error.kind != ERR_NONE && step->error.text[0]);
    if (place == AT_SUBMIT && step->kind == STEP_FAIL && step->retry)
        FUZZ_CHECK(reply->status >= 400 || step->not_before_ms > 0);
    for (size_t i = 0; i < step->results_count; i++)
        FUZZ_CHECK(step->results[i].url && strncmp(step->results[i].url, "http", 4) == 0 &&
                   strlen(step->results[i].url) < LIMIT_URL && step->results[i].blob == -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 202, 400, 404, 429, 500, 503, 403};
    unsigned choice = size ? data[0] : 0;
    enum place place = (enum place)((choice & 7) % PLACES);
    struct http_reply reply = {.content_type = "", .retry_after_ms = -1, .sent = 1, .error = "e"};
    struct talk talk = {.flow = json_object(), .secrets = json_object()};
    char *text = mem_text_n(size ? (const char *)data + 1 : "", size ? size - 1 : 0);
    size_t count;

    FUZZ_CHECK(text);
    go_to(&talk, place);
    reply.text = text;
    reply.text_len = size ? size - 1 : 0;
    reply.status = statuses[choice >> 3 & 7];
    reply.outcome = choice & 64 ? HTTP_TRUNCATED : HTTP_ANSWERED;
    reply.crc64 = choice & 128 ? HTTP_CRC64_DIFFERS : HTTP_CRC64_UNTOLD;
    turn_once(&talk, &reply);
    check_step(&talk, &reply, place);
    mem_free(text);
    reply.text = NULL;
    count = talk.step.results_count;
    if (talk.step.kind == STEP_DONE) {
        turn_once(&talk, NULL);
        FUZZ_CHECK(talk.step.kind == STEP_DONE && talk.step.results_count == count);
    }
    json_decref(talk.step.credential);
    arena_done(&talk.arena);
    json_decref(talk.flow);
    json_decref(talk.secrets);
    provider_plan_done(&talk.plan);
    return 0;
}
