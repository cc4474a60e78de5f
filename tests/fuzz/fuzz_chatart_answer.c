/* Any bytes as an answer to the chatart adapter. The first byte chooses where in a job (policy,
 * put, submit, poll, a login's two questions), status and outcome; the rest is the body. Beside
 * what the sanitizers see:
 *   - the step is a legal one, and a submit is sent again only after an answer that says so;
 *   - DONE has results, or is a login's with its credential;
 *   - nothing of a credential is in the flow.
 */
#include "base/json.h"
#include "fuzz_provider.h"

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
    "{\"code\":200,\"data\":{\"identity_id\":\"d\",\"verification_uri\":\"https://a/\","           \
    "\"token_endpoint\":\"https://a/t\"}}"

/* Brings the job to where the answer is awaited. */
static void go_to(struct fuzz_job *job, enum place place)
{
    if (place >= AT_INIT)
        fuzz_begin(job, &provider_chatart, &account, "account", json_pack("{s:s}", "device", "d"));
    else if (place >= AT_SUBMIT)
        fuzz_begin(job, &provider_chatart, &account, "generate_image",
                   json_pack("{s:s}", "prompt", "p"));
    else
        fuzz_begin(job, &provider_chatart, &account, "edit_image",
                   json_pack("{s:s, s:{s:s, s:s, s:s}}", "prompt", "p", "image", "path", "/a.png",
                             "mime", "image/png", "key", "k"));
    if (place == AT_PUT)
        fuzz_hear(job, POLICY);
    if (place == AT_POLL)
        fuzz_hear(job, "{\"code\":200,\"data\":{\"question_id\":\"q\"}}");
    if (place == AT_TOKEN)
        fuzz_hear(job, INIT);
    if (place == AT_POLL || place == AT_TOKEN)
        fuzz_turn(job, NULL);
}

static void check_step(const struct fuzz_job *job, const struct http_reply *reply, int place)
{
    const struct provider_step *step = &job->step;
    char *flow = json_dumps(job->flow, 0);

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
    struct http_reply reply = fuzz_reply(data, size);
    struct fuzz_job job;

    go_to(&job, place);
    reply.status = statuses[choice >> 3 & 7];
    reply.outcome = choice & 64 ? HTTP_TRUNCATED : HTTP_ANSWERED;
    reply.crc64 = choice & 128 ? HTTP_CRC64_DIFFERS : HTTP_CRC64_UNTOLD;
    fuzz_answer(&job, &reply, check_step, (int)place);
    fuzz_end(&job);
    return 0;
}
