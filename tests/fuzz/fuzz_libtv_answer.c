/* Any bytes as an answer to the libtv adapter. The first byte chooses where in a job, and at which
 * of the two doors, status and outcome; the rest is the body. Beside what the sanitizers see:
 *   - a message that costs money is not sent again after any answer but a refusal;
 *   - DONE has results, all of them on the service's own host.
 */
#include "fuzz_provider.h"

#include <string.h>
#include <strings.h>

enum place {
    AT_SESSION,    /* the personal API's session, before the message */
    AT_UPLOAD,     /* a file to it */
    AT_SEND,       /* the message to it */
    AT_TURN,       /* the messages of its session */
    AT_KEY,        /* the gateway's word about the key */
    AT_GATE_SEND,  /* the message to the gateway */
    AT_GATE_TURN,  /* the messages of its session */
    AT_GATE_TASKS, /* what the gateway has at all, after a lost answer */
};

static const struct http_header headers[] = {{"Authorization", "Bearer {{key}}"}};
static const char *const hosts[] = {"libtv-res.liblib.art"};
static const struct provider_account direct = {
    .id = "libtv",
    .base_url = "https://im.liblib.tv",
    .headers = headers,
    .headers_count = 1,
    .signed_in = 1,
    .result_hosts = hosts,
    .result_hosts_count = 1,
};
static const struct provider_account gate = {
    .id = "nexu",
    .base_url = "https://seedance.nexu.io",
    .headers = headers,
    .headers_count = 1,
    .signed_in = 1,
    .result_hosts = hosts,
    .result_hosts_count = 1,
};

static int is_message(enum place place)
{
    return place == AT_SEND || place == AT_GATE_SEND;
}

/* Brings the job to where the answer is awaited. */
static void go_to(struct fuzz_job *job, enum place place)
{
    int is_gate = place >= AT_KEY;
    json_t *args = json_pack("{s:s}", "prompt", "a boat");
    const char *begun = "{\"code\":0,\"data\":{\"sessionId\":\"s\",\"projectUuid\":\"p\"}}";

    if (place == AT_UPLOAD)
        json_object_set_new(args, "first_frame",
                            json_pack("{s:s, s:s, s:i, s:s}", "path", "/a.png", "mime", "image/png",
                                      "bytes", 9, "key", "k"));
    fuzz_begin(job, &provider_libtv, is_gate ? &gate : &direct, "generate_video", args);
    if (place == AT_SESSION || place == AT_UPLOAD || place == AT_KEY)
        return;
    if (is_gate) {
        fuzz_hear(job, "{\"remaining_uses\":1,\"max_uses\":2}");
    } else {
        fuzz_hear(job, begun);
        fuzz_hear(job, "{\"code\":0,\"data\":{\"messages\":[]}}");
    }
    if (is_message(place))
        return;
    if (place == AT_GATE_TASKS) {
        fuzz_hear(job, "");
        return;
    }
    fuzz_hear(job, is_gate ? "{\"sessionId\":\"s\",\"projectUuid\":\"p\"}" : begun);
    fuzz_turn(job, NULL);
}

static void check_step(const struct fuzz_job *job, const struct http_reply *reply, int at)
{
    const struct provider_step *step = &job->step;
    enum place place = (enum place)at;
    int is_paid = is_message(place) || place == AT_TURN || place >= AT_GATE_TURN;

    FUZZ_CHECK((step->kind == STEP_DONE) == (step->results_count > 0));
    FUZZ_CHECK(step->kind != STEP_SEND || !is_paid || step->request.effect != HTTP_SPENDS);
    if (is_message(place) && step->kind == STEP_FAIL && step->retry)
        FUZZ_CHECK(reply->status >= 300 || strstr(reply->text, "error") ||
                   strstr(reply->text, "code"));
    for (size_t i = 0; i < step->results_count; i++)
        FUZZ_CHECK(step->results[i].blob < 0 && !step->results[i].base64 &&
                   !step->results[i].auth &&
                   strncasecmp(step->results[i].url, "https://libtv-res.liblib.art/", 29) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 201, 400, 401, 403, 404, 429, 503};
    unsigned choice = size ? data[0] : 0;
    enum place place = (enum place)(choice & 7);
    struct http_reply reply = fuzz_reply(data, size);
    struct fuzz_job job;

    go_to(&job, place);
    reply.status = statuses[choice >> 3 & 7];
    reply.outcome = choice & 64 ? HTTP_TRUNCATED : HTTP_ANSWERED;
    fuzz_answer(&job, &reply, check_step, (int)place);
    fuzz_end(&job);
    return 0;
}
