/* Any bytes as an answer to the openai adapter. The first byte chooses picture or video, submit or
 * poll, status and outcome; the rest is the body. Beside what the sanitizers see:
 *   - the step is a legal one, and a submit is never sent again after an answer of 2xx;
 *   - DONE has results, each of exactly one kind.
 */
#include "fuzz_provider.h"

#include <string.h>
#include <strings.h>

enum place { AT_SUBMIT, AT_POLL };

static const struct http_header headers[] = {{"Authorization", "Bearer {{key}}"}};
static const struct provider_account account = {
    .id = "f",
    .base_url = "https://api.example/v1",
    .headers = headers,
    .headers_count = 1,
};

static void check_step(const struct fuzz_job *job, const struct http_reply *reply, int at)
{
    const struct provider_step *step = &job->step;

    FUZZ_CHECK(step->kind != STEP_SEND);
    FUZZ_CHECK((step->kind == STEP_DONE) == (step->results_count > 0));
    FUZZ_CHECK(step->progress >= -1 && step->progress <= 1000);
    if (at == AT_SUBMIT && step->kind == STEP_FAIL && step->retry)
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
    static const int statuses[] = {200, 202, 400, 429, 500, 503, 302, 0};
    unsigned choice = size ? data[0] : 0;
    enum place at = choice & 2 ? AT_POLL : AT_SUBMIT;
    struct http_reply reply = fuzz_reply(data, size);
    struct fuzz_job job;

    fuzz_begin(&job, &provider_openai, &account, choice & 1 ? "generate_video" : "generate_image",
               json_pack("{s:s,s:s}", "prompt", "p", "model", "m"));
    if (at == AT_POLL) {
        fuzz_hear(&job, "{\"id\":\"job\",\"status\":\"queued\"}");
        fuzz_turn(&job, NULL);
    }
    reply.status = statuses[choice >> 2 & 7];
    reply.outcome = choice & 32 ? HTTP_TRUNCATED : HTTP_ANSWERED;
    reply.blobs = choice >> 6;
    fuzz_answer(&job, &reply, check_step, (int)at);
    fuzz_end(&job);
    return 0;
}
