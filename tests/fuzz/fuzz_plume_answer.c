/* Any bytes as an answer to the plume adapter. The first byte chooses what it answers (a task, a
 * question, an upload), status and outcome; the rest is the body. Beside what the sanitizers see:
 *   - after an answer of 2xx a task is never asked for again;
 *   - DONE has results, all of them on Plume's own host.
 */
#include "fuzz_provider.h"

#include <string.h>
#include <strings.h>

enum place { AT_TASK, AT_POLL, AT_UPLOAD, PLACES };

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

static void check_step(const struct fuzz_job *job, const struct http_reply *reply, int at)
{
    const struct provider_step *step = &job->step;

    FUZZ_CHECK((step->kind == STEP_DONE) == (step->results_count > 0));
    /* Only an upload leads to a request at once. */
    FUZZ_CHECK(step->kind != STEP_SEND || at == AT_UPLOAD);
    if (at == AT_TASK && step->kind == STEP_FAIL && step->retry)
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
    static const int statuses[] = {200, 201, 400, 401, 409, 500, 502, 200};
    unsigned choice = size ? data[0] : 0;
    enum place at = (enum place)(choice % PLACES);
    struct http_reply reply = fuzz_reply(data, size);
    struct fuzz_job job;

    if (at == AT_UPLOAD)
        fuzz_begin(&job, &provider_plume, &account, "edit_image",
                   json_pack("{s:s,s:{s:s,s:s,s:s}}", "prompt", "p", "image", "path", "/a.png",
                             "mime", "image/png", "key", "k"));
    else
        fuzz_begin(&job, &provider_plume, &account, "generate_image",
                   json_pack("{s:s}", "prompt", "p"));
    if (at == AT_POLL) {
        fuzz_hear(&job, "{\"success\":true,\"data\":{\"id\":1}}");
        fuzz_turn(&job, NULL);
    }
    reply.status = statuses[choice >> 2 & 7];
    reply.outcome = choice & 32 ? HTTP_TRUNCATED : HTTP_ANSWERED;
    fuzz_answer(&job, &reply, check_step, (int)at);
    fuzz_end(&job);
    return 0;
}
