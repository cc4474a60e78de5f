/*
 * The LibTV adapter, both doors. The tests go by the guard checklist of the services' facts: what is
 * sent where, what is added to the words, which addresses are results and whose, when a turn is over,
 * what a failure is, and what becomes of a lost answer. Every flow goes through text between two
 * steps, as in the ledger. Last, the same without memory.
 */
#include "unit/openai/golden.h"

#include "base/words.h"
#include "providers/libtv/libtv.h"

#define GATE   "https://seedance.nexu.io"
#define DIRECT "https://im.liblib.tv"
#define MEDIA  "https://libtv-res.liblib.art/sd-gen-save-img/"
#define CLAW   "https://libtv-res.liblib.art/claw/"

static const struct http_header gate_headers[] = {{"X-API-KEY", "{{key}}"},
                                                  {"User-Agent", "LibTVSkill/1.0"}};
static const struct http_header direct_headers[] = {{"Authorization", "Bearer {{key}}"},
                                                    {"User-Agent", "LibTVSkill/1.0"}};
static const char *const hosts[] = {"libtv-res.liblib.art", "im.example.test"};

static struct provider_account account_of(const char *id, const json_t *settings)
{
    int is_gate = strcmp(id, "nexu") == 0;

    return (struct provider_account){
        .id = id,
        .base_url = is_gate ? GATE : DIRECT,
        .headers = is_gate ? gate_headers : direct_headers,
        .headers_count = 2,
        .settings = settings,
        .signed_in = 1,
        .result_hosts = hosts,
        .result_hosts_count = 1,
    };
}

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);

    if (!json)
        fail_msg("%s: %s", error.text, text);
    return json;
}

static int plan(struct talk *talk, const char *id, const char *tool, const char *args,
                struct err *err)
{
    json_t *json = parse(args);
    int rc;

    memset(talk, 0, sizeof(*talk));
    talk->account = account_of(id, NULL);
    rc = provider_libtv.plan(&talk->account, tool, json, &talk->plan, err);
    json_decref(json);
    if (rc == 0)
        talk->flow = json_pack("{s:{}}", "uploads");
    return rc;
}

static int recheck;

static void next(struct talk *talk, const struct http_reply *reply, int resumed)
{
    struct provider_turn turn = {
        .account = &talk->account,
        .request = talk->plan.request,
        .flow = talk->flow,
        .reply = reply,
        .job_id = "job_test",
        .now_ms = 1790000000000, /* 2026-09-21T14:13:20Z */
        .resumed = resumed,
        .recheck = recheck,
        .arena = &talk->arena,
    };

    arena_done(&talk->arena);
    provider_libtv.next(&turn, &talk->step);
}

/* The answer to what was sent. */
static void say(struct talk *talk, int status, const char *text)
{
    struct http_reply reply = golden_reply(text, strlen(text));

    assert_int_equal(talk->step.kind, STEP_SEND);
    reply.status = status;
    talk_reload(talk);
    next(talk, &reply, 0);
}

static void fall(struct talk *talk, enum http_outcome outcome)
{
    struct http_reply reply = golden_reply("", 0);

    assert_int_equal(talk->step.kind, STEP_SEND);
    reply.outcome = outcome;
    reply.status = 0;
    talk_reload(talk);
    next(talk, &reply, 0);
}

static void wake(struct talk *talk)
{
    talk_reload(talk);
    next(talk, NULL, 0);
}

static const char *header(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->headers_count; i++)
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

/* L03, L04, L05: which key, in which header, to whom. Looked at in every request of every test. */
static void check_door(const struct talk *talk)
{
    const struct http_request *request = &talk->step.request;
    int is_gate = strcmp(talk->account.id, "nexu") == 0;

    assert_int_equal(strncmp(request->url, talk->account.base_url, strlen(talk->account.base_url)),
                     0);
    assert_true(request->url[strlen(talk->account.base_url)] == '/' &&
                request->url[strlen(talk->account.base_url) + 1] != '/');
    assert_int_equal(header(request, "X-API-KEY") != NULL, is_gate);
    assert_int_equal(header(request, "Authorization") != NULL, !is_gate);
    assert_string_equal(header(request, "User-Agent"), "LibTVSkill/1.0");
    assert_string_equal(request->secret_prefix, is_gate ? "mgk_" : "sk-libtv-");
}

static void sends(struct talk *talk, const char *method, const char *path, enum http_effect effect)
{
    if (talk->step.kind != STEP_SEND)
        fail_msg("%s %s: step %d: %s", method, path, talk->step.kind, talk->step.error.text);
    check_door(talk);
    assert_string_equal(talk->step.request.method, method);
    assert_string_equal(talk->step.request.url + strlen(talk->account.base_url), path);
    assert_int_equal(talk->step.request.effect, effect);
}

/* The message of the submit that is being sent; to be freed. */
static char *message_of(const struct talk *talk)
{
    json_t *body = parse(talk->step.request.body);
    char *text = mem_text(json_text(body, "message"));

    assert_int_equal(talk->step.request.effect, HTTP_SPENDS);
    json_decref(body);
    return text;
}

static const char *const bound =
    "{\"code\":0,\"message\":\"success\",\"data\":{\"sessionId\":\"s-1\",\"projectUuid\":\"p-1\"}}";
static const char *const begun = "{\"sessionId\":\"s-1\",\"projectUuid\":\"p-1\"}";
static const char *const status_ok = "{\"remaining_uses\":1,\"max_uses\":2}";

/* Up to the submit, with nothing said before. */
static void to_submit(struct talk *talk)
{
    next(talk, NULL, 0);
    if (strcmp(talk->account.id, "nexu") == 0) {
        sends(talk, "GET", "/api/v1/key/status", HTTP_READS);
        say(talk, 200, status_ok);
        return;
    }
    sends(talk, "POST", "/openapi/session", HTTP_WRITES);
    say(talk, 200, bound);
    sends(talk, "GET", "/openapi/session/s-1", HTTP_READS);
    say(talk, 200, "{\"code\":0,\"data\":{\"messages\":[]}}");
}

/* Up to the first question about the messages. */
static void to_poll(struct talk *talk, const char *id)
{
    struct err err;

    assert_int_equal(plan(talk, id, "generate_video", "{\"prompt\":\"a boat 16:9\"}", &err), 0);
    to_submit(talk);
    sends(talk, "POST", strcmp(id, "nexu") ? "/openapi/session" : "/libtv/v1/session", HTTP_SPENDS);
    say(talk, 200, strcmp(id, "nexu") ? bound : begun);
    assert_int_equal(talk->step.kind, STEP_WAIT);
    assert_string_equal(talk->step.provider_job, "s-1");
    wake(talk);
}

/* The messages in the form of the door, ours before them. */
static void hear(struct talk *talk, const char *messages)
{
    int is_gate = strcmp(talk->account.id, "nexu") == 0;
    char *text = mem_format("%s{\"messages\":[{\"seq\":1,\"role\":\"user\",\"content\":\"a boat "
                            "16:9\"}%s%s]}%s",
                            is_gate ? "" : "{\"code\":0,\"data\":", *messages ? "," : "", messages,
                            is_gate ? "" : "}");

    sends(talk, "GET", is_gate ? "/libtv/v1/session/s-1" : "/openapi/session/s-1", HTTP_READS);
    say(talk, 200, text);
    mem_free(text);
}

#define CALL(seq)  "{\"seq\":" seq ",\"role\":\"assistant\",\"content\":\"Working\",\"toolCalls\":[{\"id\":\"c" seq "\"}]}"
#define TOOL(seq, call, content) \
    "{\"seq\":" seq ",\"role\":\"tool\",\"toolCallId\":\"" call "\",\"content\":\"" content "\"}"
#define SAYS(seq, content) "{\"seq\":" seq ",\"role\":\"assistant\",\"content\":\"" content "\"}"
#define VIDEO(url) "{\\\"task_result\\\":{\\\"status\\\":\\\"success\\\",\\\"videos\\\":[{\\\"previewPath\\\":\\\"" url "\\\"}]}}"

static const char *const doors[] = {"libtv", "nexu"};

/* ---- words (L08, L09, L10) ---- */

static void check_message(const char *id, const char *args, const char *settings, const char *want)
{
    json_t *own = settings ? parse(settings) : NULL;
    json_t *json = parse(args);
    struct talk talk = {.account = account_of(id, own)};
    struct err err;
    char *text;

    if (provider_libtv.plan(&talk.account, "generate_video", json, &talk.plan, &err))
        fail_msg("%s: %s", args, err.text);
    talk.flow = json_pack("{s:{}}", "uploads");
    to_submit(&talk);
    text = message_of(&talk);
    assert_string_equal(text, want);
    mem_free(text);
    talk_close(&talk);
    json_decref(json);
    json_decref(own);
}

static void words_are_relayed(void **state)
{
    static const struct {
        const char *args, *settings, *want;
    } cases[] = {
        {"{\"prompt\":\"a boat\"}", NULL, "a boat, video ratio 16:9"},
        {"{\"prompt\":\" a  boat\\n\"}", NULL, " a  boat\n, video ratio 16:9"},
        {"{\"prompt\":\"a boat in 9:16 please\"}", NULL, "a boat in 9:16 please"},
        {"{\"prompt\":\"来一张16:9的图\"}", NULL, "来一张16:9的图"},
        {"{\"prompt\":\"比例9：16\"}", NULL, "比例9：16"},
        {"{\"prompt\":\"a clock showing 10:30\"}", NULL, "a clock showing 10:30, video ratio 16:9"},
        {"{\"prompt\":\"1920:1080\"}", NULL, "1920:1080, video ratio 16:9"},
        {"{\"prompt\":\"at 12:16:9\"}", NULL, "at 12:16:9, video ratio 16:9"},
        {"{\"prompt\":\"a\",\"aspect_ratio\":\"9:16\"}", NULL, "a, video ratio 9:16"},
        {"{\"prompt\":\"a 1:1\",\"aspect_ratio\":\"9:16\"}", NULL, "a 1:1"},
        {"{\"prompt\":\"a\"}", "{\"video_ratio\":[\"9:16\",\"4:3\"]}", "a, video ratio 9:16"},
        {"{\"prompt\":\"a\"}", "{\"video_ratio\":[\"wide\",\"160:9\",\"4:3\"]}", "a, video ratio 4:3"},
        {"{\"prompt\":\"a\"}", "{\"video_ratio\":[\"16:9 \"]}", "a, video ratio 16:9"},
        {"{\"prompt\":\"a\",\"aspect_ratio\":\"auto\"}", NULL, "a, video ratio 16:9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (size_t door = 0; door < 2; door++)
            check_message(doors[door], cases[i].args, cases[i].settings, cases[i].want);
}

static void model_is_hinted_at_the_gateway_only(void **state)
{
    static const char *const on = "{\"model_hint\":true}";
    static const char *const hint = ", video ratio 16:9, please use Seedance 2.0";
    static const char *const named[] = {"use Kling 3.0", "Wan2.6 boat", "用可灵做", "seedream", "a WAN film"};
    char args[200];
    char want[300];

    (void)state;
    check_message("nexu", "{\"prompt\":\"a boat\"}", NULL, "a boat, video ratio 16:9");
    snprintf(want, sizeof(want), "a boat%s", hint);
    check_message("nexu", "{\"prompt\":\"a boat\"}", on, want);
    check_message("libtv", "{\"prompt\":\"a boat\"}", on, "a boat, video ratio 16:9");
    snprintf(want, sizeof(want), "a swan lake%s", hint);
    check_message("nexu", "{\"prompt\":\"a swan lake\"}", on, want);
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++) {
        snprintf(args, sizeof(args), "{\"prompt\":\"%s\"}", named[i]);
        snprintf(want, sizeof(want), "%s, video ratio 16:9", named[i]);
        check_message("nexu", args, on, want);
    }
}

/* ---- files (L26) ---- */

static const char *const from_file =
    "{\"prompt\":\"move\",\"first_frame\":{\"path\":\"/w/a.png\",\"mime\":\"image/png\",\"bytes\":9,"
    "\"key\":\"k-a\"}}";

static void files_go_first(void **state)
{
    static const char *const answer = "{\"code\":0,\"data\":{\"url\":\"" CLAW "x/a.png\"}}";

    (void)state;
    for (size_t door = 0; door < 2; door++) {
        struct talk talk;
        struct err err;
        char *text;
        int is_gate = door == 1;

        assert_int_equal(plan(&talk, doors[door], "generate_video", from_file, &err), 0);
        assert_int_equal(json_array_size(talk.plan.uploads), 1);
        next(&talk, NULL, 0);
        if (is_gate)
            say(&talk, 200, status_ok);
        sends(&talk, "POST", is_gate ? "/libtv/v1/upload" : "/openapi/file/upload", HTTP_WRITES);
        assert_int_equal(talk.step.phase, PHASE_UPLOAD);
        assert_int_equal(talk.step.request.parts_count, 1);
        assert_string_equal(talk.step.request.parts[0].name, "file");
        assert_string_equal(talk.step.request.parts[0].path, "/w/a.png");
        if (!is_gate) {
            /* The other path, once, with the key in the form; and it is remembered. */
            say(&talk, 404, "<h1>Not Found</h1>");
            sends(&talk, "POST", "/openapi/upload", HTTP_WRITES);
            assert_int_equal(talk.step.request.parts_count, 2);
            assert_string_equal(talk.step.request.parts[0].name, "accessKey");
            assert_string_equal(talk.step.request.parts[0].text, "{{key}}");
            assert_int_equal(talk.step.request.parts[0].secret, 1);
            assert_int_equal(talk.step.request.parts[1].secret, 0);
        }
        say(&talk, 200, is_gate ? "{\"url\":\"" CLAW "x/a.png\"}" : answer);
        assert_string_equal(talk.step.uploaded_key, "k-a");
        assert_string_equal(talk.step.uploaded_url, CLAW "x/a.png");
        assert_true(talk.step.uploaded_keep_ms > 0);
        if (!is_gate) {
            say(&talk, 200, bound);
            say(&talk, 200, "{\"code\":0,\"data\":{\"messages\":null}}");
        }
        text = message_of(&talk);
        assert_string_equal(text, "move, first frame: " CLAW "x/a.png, video ratio 16:9");
        mem_free(text);
        talk_close(&talk);
    }
}

static void uploads_may_fail(void **state)
{
    static const char *const empty[] = {"{\"code\":0,\"data\":{}}", "{\"url\":\"\"}", "{\"url\":7}",
                                        "{\"url\":\"" CLAW "a b\"}"};
    struct talk talk;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
        assert_int_equal(plan(&talk, "libtv", "generate_video", from_file, &err), 0);
        next(&talk, NULL, 0);
        say(&talk, 200, empty[i]);
        assert_int_equal(talk.step.kind, STEP_FAIL);
        assert_int_equal(talk.step.retry, 0);
        talk_close(&talk);
    }
    /* Both paths are not there; a broken connection and a 502 are tried again. */
    assert_int_equal(plan(&talk, "libtv", "generate_video", from_file, &err), 0);
    next(&talk, NULL, 0);
    fall(&talk, HTTP_LOST);
    assert_true(talk.step.kind == STEP_FAIL && talk.step.retry);
    wake(&talk);
    say(&talk, 502, "bad");
    assert_true(talk.step.kind == STEP_FAIL && talk.step.retry);
    wake(&talk);
    say(&talk, 405, "");
    sends(&talk, "POST", "/openapi/upload", HTTP_WRITES);
    say(&talk, 404, "");
    assert_true(talk.step.kind == STEP_FAIL && !talk.step.retry);
    talk_close(&talk);
}

static void check_refused(const char *tool, const char *args, const char *field, const char *has)
{
    struct talk talk;
    struct err err = {0};

    if (plan(&talk, "nexu", tool, args, &err) == 0)
        fail_msg("%s was planned", args);
    assert_int_equal(err.kind, ERR_INVALID);
    assert_string_equal(err.field, field);
    if (!strstr(err.text, has))
        fail_msg("%s: %s", args, err.text);
}

static void refused_before_anything_is_sent(void **state)
{
    (void)state;
    check_refused("generate_video", "{\"prompt\":\"a\",\"first_frame\":{\"path\":\"/a\",\"mime\":\"text/plain\",\"bytes\":1,\"key\":\"k\"}}",
                  "first_frame", "Unsupported file type");
    check_refused("generate_video", "{\"prompt\":\"a\",\"video\":{\"path\":\"/a\",\"mime\":\"video/mp4\",\"bytes\":209715201,\"key\":\"k\"}}",
                  "video", "File too large");
    check_refused("generate_video", "{\"prompt\":\"a\",\"aspect_ratio\":\"wide\"}", "aspect_ratio", "16:9");
    check_refused("generate_video", "{\"prompt\":\"\"}", "prompt", "prompt");
    check_refused("generate_video", "{\"prompt\":\"a\",\"mode\":\"lip_sync\"}", "mode", "lip_sync");
    check_refused("edit_image", "{\"prompt\":\"a\",\"operation\":\"inpaint\"}", "operation", "inpaint");
    check_refused("generate_video", "{\"prompt\":\"a\",\"session\":\"../s\"}", "session", "session");
    check_refused("generate_video", "{\"prompt\":\"a\",\"session\":{\"id\":\"s\",\"provider\":\"libtv\"}}",
                  "session", "never sent");
}

/* ---- results (L15 - L18) ---- */

struct heard {
    const char *name;
    const char *messages;
    const char *urls[3];
    enum provider_step_kind kind;
};

static void results_are_found(void **state)
{
    static const struct heard cases[] = {
        {"nothing yet", "", {NULL}, STEP_WAIT},
        {"at work", CALL("2"), {NULL}, STEP_WAIT},
        {"done", CALL("2") "," TOOL("3", "c2", VIDEO(MEDIA "a.mp4")) "," SAYS("4", "Done: " MEDIA "a.mp4 (6 s)"),
         {MEDIA "a.mp4"}, STEP_DONE},
        {"agent only", SAYS("2", "看这里：" MEDIA "a.mp4。好了"), {MEDIA "a.mp4"}, STEP_DONE},
        {"punctuation", SAYS("2", "(" MEDIA "a.mp4). And `" MEDIA "b.png`, [" MEDIA "c.webm]"),
         {MEDIA "a.mp4", MEDIA "b.png", MEDIA "c.webm"}, STEP_DONE},
        {"twice", CALL("2") "," TOOL("3", "c2", VIDEO(MEDIA "a.mp4")) "," SAYS("4", MEDIA "b.png " MEDIA "a.mp4"),
         {MEDIA "a.mp4", MEDIA "b.png"}, STEP_DONE},
        {"other host", SAYS("2", "https://medeo-res.liblib.art/sd-gen-save-img/a.mp4"), {NULL}, STEP_WAIT},
        {"other host of a tool", CALL("2") "," TOOL("3", "c2", VIDEO("https://evil.example/sd-gen-save-img/a.mp4")) "," SAYS("4", "ok"),
         {NULL}, STEP_WAIT},
        {"other folder", SAYS("2", "https://libtv-res.liblib.art/other/a.mp4"), {NULL}, STEP_WAIT},
        {"plain HTTP", SAYS("2", "http://libtv-res.liblib.art/claw/a.mp4"), {NULL}, STEP_WAIT},
        {"a port", SAYS("2", "https://libtv-res.liblib.art:8443/claw/a.mp4"), {NULL}, STEP_WAIT},
        {"a user", SAYS("2", "https://libtv-res.liblib.art@evil.example/claw/a.mp4"), {NULL}, STEP_WAIT},
        {"dots", SAYS("2", "https://libtv-res.liblib.art/claw/../other/a.mp4"), {NULL}, STEP_WAIT},
        {"hidden dots", SAYS("2", "https://libtv-res.liblib.art/claw/%2e%2e/a.mp4"), {NULL}, STEP_WAIT},
        {"a look-alike", SAYS("2", "https://libtv-res.liblib.art.evil.example/claw/a.mp4"), {NULL}, STEP_WAIT},
        {"a user's message", "{\"seq\":2,\"role\":\"user\",\"content\":\"" MEDIA "a.mp4\"}", {NULL}, STEP_WAIT},
        {"odd shapes", "null,7,\"x\",{\"seq\":2,\"role\":\"tool\",\"content\":null},{\"seq\":3,\"role\":\"tool\",\"content\":\"[1]\"},"
                       "{\"seq\":4,\"role\":\"tool\",\"content\":\"{\\\"task_result\\\":{\\\"images\\\":null,\\\"videos\\\":[7,{}]}}\"},"
                       "{\"seq\":5,\"role\":5,\"content\":{}}",
         {NULL}, STEP_WAIT},
    };

    (void)state;
    for (size_t door = 0; door < 2; door++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
            struct talk talk;
            size_t count = 0;

            to_poll(&talk, doors[door]);
            hear(&talk, cases[i].messages);
            if (talk.step.kind != cases[i].kind)
                fail_msg("%s: step %d: %s", cases[i].name, talk.step.kind, talk.step.error.text);
            while (count < 3 && cases[i].urls[count])
                count++;
            assert_int_equal(talk.step.results_count, count);
            for (size_t n = 0; n < count; n++)
                assert_string_equal(talk.step.results[n].url, cases[i].urls[n]);
            if (talk.step.kind == STEP_DONE) {
                wake(&talk); /* as after a crash while fetching */
                assert_int_equal(talk.step.results_count, count);
            }
            talk_close(&talk);
        }
}

static void an_upload_is_no_result(void **state)
{
    struct talk talk;
    struct err err;

    (void)state;
    assert_int_equal(plan(&talk, "nexu", "generate_video", from_file, &err), 0);
    next(&talk, NULL, 0);
    say(&talk, 200, status_ok);
    say(&talk, 200, "{\"url\":\"" CLAW "up.png\"}");
    say(&talk, 200, begun);
    wake(&talk);
    say(&talk, 200, "{\"messages\":[" SAYS("2", "I use " CLAW "up.png now.") "]}");
    assert_int_equal(talk.step.kind, STEP_WAIT);
    wake(&talk);
    say(&talk, 200, "{\"messages\":[" SAYS("2", "I use " CLAW "up.png now.") ","
        SAYS("3", "Done: " CLAW "film.mp4") "]}");
    assert_int_equal(talk.step.kind, STEP_DONE);
    assert_int_equal(talk.step.results_count, 1);
    assert_string_equal(talk.step.results[0].url, CLAW "film.mp4");
    talk_close(&talk);
}

/* Only where the account's base was put elsewhere, there. */
static void results_of_another_base(void **state)
{
    struct provider_account account = account_of("libtv", NULL);
    json_t *catalog = libtv_catalog(NULL);

    (void)state;
    account.base_url = "http://im.example.test:8080";
    account.result_hosts_count = 2;
    assert_true(libtv_url_is_result(&account, catalog, "http://im.example.test:8080/claw/a.mp4"));
    assert_false(libtv_url_is_result(&account, catalog, "http://im.example.test:8081/claw/a.mp4"));
    assert_false(libtv_url_is_result(&account, catalog, "http://im.example.test/claw/a.mp4"));
    assert_true(libtv_url_is_result(&account, catalog, CLAW "a.mp4"));
    assert_false(libtv_url_is_result(&account, catalog, CLAW));
    json_decref(catalog);
}

/* ---- when a turn is over ---- */

static void clips_come_before_the_film(void **state)
{
    static const char *const clip = CALL("2") "," TOOL("3", "c2", VIDEO(MEDIA "clip.mp4"));
    static const char *const calls =
        CALL("2") "," TOOL("3", "c2", VIDEO(MEDIA "clip.mp4")) "," CALL("4");
    struct talk talk;

    (void)state;
    /* The tool has answered and nobody says more: over when nothing came for two questions. */
    to_poll(&talk, "nexu");
    for (int i = 0; i < 2; i++) {
        hear(&talk, clip);
        assert_int_equal(talk.step.kind, STEP_WAIT);
        wake(&talk);
    }
    hear(&talk, clip);
    assert_int_equal(talk.step.kind, STEP_DONE);
    talk_close(&talk);
    /* A second tool is at work: much longer. */
    to_poll(&talk, "libtv");
    for (int i = 0; i < 6; i++) {
        hear(&talk, calls);
        assert_int_equal(talk.step.kind, STEP_WAIT);
        wake(&talk);
    }
    hear(&talk, CALL("2") "," TOOL("3", "c2", VIDEO(MEDIA "clip.mp4")) "," CALL("4") ","
         TOOL("5", "c4", VIDEO(MEDIA "film.mp4")) "," SAYS("6", "Finished."));
    assert_int_equal(talk.step.kind, STEP_DONE);
    assert_int_equal(talk.step.results_count, 2);
    talk_close(&talk);
}

/* L24, and other people's turns in the same session. */
static void other_turns_are_not_ours(void **state)
{
    static const char *const args = "{\"prompt\":\"make it rain 1:1\",\"session\":\"s-9\"}";
    static const char *const before =
        "{\"code\":0,\"data\":{\"messages\":[{\"seq\":1,\"role\":\"user\",\"content\":\"make it rain 1:1\"},"
        SAYS("2", "Old: " MEDIA "old.mp4") "]}}";
    struct talk talk;
    struct err err;

    (void)state;
    assert_int_equal(plan(&talk, "libtv", "generate_video", args, &err), 0);
    next(&talk, NULL, 0);
    sends(&talk, "GET", "/openapi/session/s-9", HTTP_READS);
    say(&talk, 200, before);
    sends(&talk, "POST", "/openapi/session", HTTP_SPENDS);
    assert_non_null(strstr(talk.step.request.body, "\"sessionId\":\"s-9\""));
    say(&talk, 200, "{\"code\":0,\"data\":{\"sessionId\":\"s-9\",\"projectUuid\":\"p\"}}");
    wake(&talk);
    sends(&talk, "GET", "/openapi/session/s-9?afterSeq=2", HTTP_READS);
    /* A server that does not know afterSeq answers with everything. */
    say(&talk, 200, before);
    assert_int_equal(talk.step.kind, STEP_WAIT);
    wake(&talk);
    say(&talk, 200,
        "{\"code\":0,\"data\":{\"messages\":[{\"seq\":3,\"role\":\"user\",\"content\":\"another\"},"
        CALL("4") ",{\"seq\":5,\"role\":\"user\",\"content\":\"make it rain 1:1\"}," CALL("6") ","
        "{\"seq\":7,\"role\":\"user\",\"content\":\"a third\"}," TOOL("8", "c4", VIDEO(MEDIA "theirs.mp4")) ","
        TOOL("9", "c6", VIDEO(MEDIA "ours.mp4")) "," SAYS("10", "All: " MEDIA "third.mp4") "]}}");
    for (int i = 0; i < 3 && talk.step.kind == STEP_WAIT; i++) {
        wake(&talk);
        say(&talk, 200,
            "{\"code\":0,\"data\":{\"messages\":[{\"seq\":3,\"role\":\"user\",\"content\":\"another\"},"
            CALL("4") ",{\"seq\":5,\"role\":\"user\",\"content\":\"make it rain 1:1\"}," CALL("6") ","
            "{\"seq\":7,\"role\":\"user\",\"content\":\"a third\"}," TOOL("8", "c4", VIDEO(MEDIA "theirs.mp4")) ","
            TOOL("9", "c6", VIDEO(MEDIA "ours.mp4")) "," SAYS("10", "All: " MEDIA "third.mp4") "]}}");
    }
    assert_int_equal(talk.step.kind, STEP_DONE);
    assert_int_equal(talk.step.results_count, 1);
    assert_string_equal(talk.step.results[0].url, MEDIA "ours.mp4");
    talk_close(&talk);
}

static void a_new_project_first(void **state)
{
    struct talk talk;
    struct err err;

    (void)state;
    assert_int_equal(plan(&talk, "libtv", "generate_video", "{\"prompt\":\"a\",\"session\":\"new_project\"}", &err), 0);
    next(&talk, NULL, 0);
    sends(&talk, "POST", "/openapi/session/change-project", HTTP_WRITES);
    assert_string_equal(talk.step.request.body, "{}");
    say(&talk, 200, "{\"code\":0,\"data\":{\"projectUuid\":\"p-2\"}}");
    sends(&talk, "POST", "/openapi/session", HTTP_WRITES);
    talk_close(&talk);
    assert_int_equal(plan(&talk, "nexu", "generate_video", "{\"prompt\":\"a\",\"session\":\"new_project\"}", &err), 0);
    next(&talk, NULL, 0);
    say(&talk, 200, status_ok);
    sends(&talk, "POST", "/libtv/v1/session/change-project", HTTP_WRITES);
    say(&talk, 200, "{}");
    assert_int_equal(talk.step.kind, STEP_FAIL);
    assert_non_null(strstr(talk.step.error.text, "projectUuid"));
    talk_close(&talk);
}

/* ---- failures (L30, L29, L23, L22) ---- */

static void failures_are_recognised(void **state)
{
    static const struct {
        const char *messages;
        enum err_kind kind;
        const char *has;
    } cases[] = {
        {CALL("2") "," TOOL("3", "c2", "{\\\"error\\\":\\\"model busy\\\"}") "," SAYS("4", "Sorry."), ERR_UNAVAILABLE, "model busy"},
        {CALL("2") "," TOOL("3", "c2", "{\\\"isError\\\":true,\\\"content\\\":[{\\\"type\\\":\\\"text\\\",\\\"text\\\":\\\"insufficient membership\\\"}]}") "," SAYS("4", "Sorry."),
         ERR_CREDITS, "insufficient membership"},
        {CALL("2") "," TOOL("3", "c2", "{\\\"task_result\\\":{\\\"status\\\":\\\"failed\\\",\\\"error\\\":\\\"content rejected\\\",\\\"videos\\\":null}}") "," SAYS("4", "Sorry."),
         ERR_MODERATED, "content rejected"},
        {SAYS("2", "抱歉，视频生成失败，请重试"), ERR_UNAVAILABLE, "生成失败"},
        {CALL("2") "," TOOL("3", "c2", "{\\\"isError\\\":true}") "," SAYS("4", "Sorry."), ERR_UNAVAILABLE, "no reason"},
    };

    (void)state;
    for (size_t door = 0; door < 2; door++)
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
            struct talk talk;

            to_poll(&talk, doors[door]);
            hear(&talk, cases[i].messages);
            assert_int_equal(talk.step.kind, STEP_FAIL);
            assert_int_equal(talk.step.retry, 0);
            assert_int_equal(talk.step.error.kind, cases[i].kind);
            assert_non_null(strstr(talk.step.error.text, cases[i].has));
            wake(&talk);
            assert_int_equal(talk.step.kind, STEP_FAIL);
            assert_int_equal(talk.step.error.kind, cases[i].kind);
            talk_close(&talk);
        }
}

/* A tool that failed may be called again; a turn with a result has not failed. */
static void a_second_try_counts(void **state)
{
    static const char *const failed = CALL("2") "," TOOL("3", "c2", "{\\\"error\\\":\\\"busy\\\"}");
    struct talk talk;

    (void)state;
    to_poll(&talk, "libtv");
    for (int i = 0; i < 3; i++) {
        hear(&talk, failed);
        assert_int_equal(talk.step.kind, STEP_WAIT);
        wake(&talk);
    }
    hear(&talk, CALL("2") "," TOOL("3", "c2", "{\\\"error\\\":\\\"busy\\\"}") "," CALL("4") ","
         TOOL("5", "c4", VIDEO(MEDIA "a.mp4")) "," SAYS("6", "Done."));
    assert_int_equal(talk.step.kind, STEP_DONE);
    talk_close(&talk);
}

static void troubles_pass(void **state)
{
    (void)state;
    for (size_t door = 0; door < 2; door++) {
        static const struct {
            int status;
            const char *text;
        } passing[] = {{503, "{\"error\":{\"user_message\":\"Service temporarily unavailable\"}}"},
                       {503, "<h1>Gone</h1>"}, {500, ""}, {429, "{}"}, {408, ""}, {200, "not json"}, {200, ""},
                       {200, "{\"messages\":7}"}, {200, "{\"code\":0,\"data\":{}}"}, {200, "[]"}};
        struct talk talk;

        to_poll(&talk, doors[door]);
        for (size_t i = 0; i < sizeof(passing) / sizeof(*passing); i++) {
            say(&talk, passing[i].status, passing[i].text);
            if (talk.step.kind != STEP_FAIL || !talk.step.retry)
                fail_msg("%d %s: %d", passing[i].status, passing[i].text, talk.step.kind);
            if (strlen(talk.step.error.text) < 4)
                fail_msg("%d %s: %s", passing[i].status, passing[i].text, talk.step.error.text);
            wake(&talk);
        }
        for (int outcome = HTTP_NOT_SENT; outcome <= HTTP_TRUNCATED; outcome++) {
            fall(&talk, (enum http_outcome)outcome);
            assert_true(talk.step.kind == STEP_FAIL && talk.step.retry);
            wake(&talk);
        }
        hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_DONE);
        talk_close(&talk);
    }
}

static void refusals_end_it(void **state)
{
    static const struct {
        const char *door;
        int status;
        const char *text;
        enum err_kind kind;
        const char *has;
    } cases[] = {
        {"nexu", 401, "{\"error\":{\"code\":\"invalid_key\",\"user_message\":\"Invalid API Key\"}}", ERR_AUTH, "Invalid API Key"},
        {"nexu", 403, "{\"error\":{\"code\":\"quota_exceeded\",\"user_message\":\"Free trial uses exhausted\"}}", ERR_CREDITS, "exhausted"},
        {"nexu", 403, "{\"error\":{\"user_message\":\"Key expired\"}}", ERR_AUTH, "Key expired"},
        {"nexu", 404, "{\"error\":\"not found\"}", ERR_NOT_FOUND, "not found"},
        {"nexu", 404, "{\"error\":null}", ERR_NOT_FOUND, "404"},
        {"nexu", 401, "[1]", ERR_AUTH, "401"},
        {"nexu", 403, "<html><b>Denied</b></html>", ERR_AUTH, "Denied"},
        {"libtv", 401, "{\"code\":401,\"message\":\"accessKey 不存在或无效\",\"data\":null}", ERR_AUTH, "accessKey"},
        {"libtv", 404, "{\"code\":404,\"message\":\"会话不存在或无效\"}", ERR_NOT_FOUND, "会话"},
        {"libtv", 200, "{\"code\":401,\"message\":\"accessKey 不存在或无效\",\"data\":null}", ERR_AUTH, "accessKey"},
        {"libtv", 403, "", ERR_AUTH, "403"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct talk talk;

        to_poll(&talk, cases[i].door);
        say(&talk, cases[i].status, cases[i].text);
        if (talk.step.kind != STEP_FAIL || talk.step.retry || talk.step.error.kind != cases[i].kind)
            fail_msg("%s: %d, %s: %s", cases[i].text, talk.step.retry,
                     err_kind_name(talk.step.error.kind), talk.step.error.text);
        if (!strstr(talk.step.error.text, cases[i].has))
            fail_msg("%s: %s", cases[i].text, talk.step.error.text);
        assert_null(strpbrk(talk.step.error.text, "<>\n"));
        talk_close(&talk);
    }
}

static void a_used_up_key_sends_nothing(void **state)
{
    static const char *const answers[] = {"{\"remaining_uses\":0,\"max_uses\":2}",
                                          "{\"remaining_uses\":-1,\"max_uses\":2}",
                                          "{\"max_uses\":2}", "{\"remaining_uses\":\"2\",\"max_uses\":2}"};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        struct talk talk;
        struct err err;

        assert_int_equal(plan(&talk, "nexu", "generate_video", "{\"prompt\":\"a\"}", &err), 0);
        next(&talk, NULL, 0);
        say(&talk, 200, answers[i]);
        assert_true(talk.step.kind == STEP_FAIL && !talk.step.retry);
        assert_int_equal(talk.step.error.kind, i < 2 ? ERR_CREDITS : ERR_ANSWER);
        talk_close(&talk);
    }
}

/* ---- the submit (L11), and lost answers ---- */

static void an_answer_lacks_something(void **state)
{
    struct talk talk;
    struct err err;

    (void)state;
    /* Nothing is paid yet: told at once. */
    assert_int_equal(plan(&talk, "libtv", "generate_video", "{\"prompt\":\"a\"}", &err), 0);
    next(&talk, NULL, 0);
    say(&talk, 200, "{\"code\":0,\"data\":{\"sessionId\":\"s-1\"}}");
    assert_int_equal(talk.step.kind, STEP_FAIL);
    assert_non_null(strstr(talk.step.error.text, "projectUuid"));
    talk_close(&talk);
    assert_int_equal(plan(&talk, "libtv", "generate_video", "{\"prompt\":\"a\"}", &err), 0);
    next(&talk, NULL, 0);
    say(&talk, 200, "{\"code\":0,\"data\":{}}");
    assert_non_null(strstr(talk.step.error.text, "sessionId, projectUuid"));
    talk_close(&talk);
    /* Maybe paid, and no session: looked for, and never sent again. */
    assert_int_equal(plan(&talk, "nexu", "generate_video", "{\"prompt\":\"a\"}", &err), 0);
    to_submit(&talk);
    say(&talk, 200, "{\"projectUuid\":\"p\"}");
    sends(&talk, "GET", "/api/v1/tasks", HTTP_READS);
    talk_close(&talk);
    /* Another session than asked for is not taken for ours. */
    assert_int_equal(plan(&talk, "libtv", "generate_video", "{\"prompt\":\"a\"}", &err), 0);
    to_submit(&talk);
    say(&talk, 200, "{\"code\":0,\"data\":{\"sessionId\":\"s-2\",\"projectUuid\":\"p\"}}");
    sends(&talk, "GET", "/openapi/session/s-1", HTTP_READS);
    talk_close(&talk);
}

static void lose(struct talk *talk, int how)
{
    switch (how) {
    case 0:
        fall(talk, HTTP_LOST);
        break;
    case 1:
        fall(talk, HTTP_TRUNCATED);
        break;
    case 2:
        say(talk, 502, "<h1>Bad gateway</h1>");
        break;
    case 3:
        say(talk, 200, "");
        break;
    default: /* the process ended */
        talk_reload(talk);
        next(talk, NULL, 1);
        break;
    }
}

static void a_lost_answer_is_found_in_the_session(void **state)
{
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct talk talk;
        struct err err;

        assert_int_equal(plan(&talk, "libtv", "generate_video", "{\"prompt\":\"a boat 16:9\"}", &err), 0);
        to_submit(&talk);
        lose(&talk, how);
        hear(&talk, "");
        assert_int_equal(talk.step.kind, STEP_WAIT);
        wake(&talk);
        hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_DONE);
        talk_close(&talk);
    }
}

static void a_lost_answer_stays_lost(void **state)
{
    static const char *const none = "{\"code\":0,\"data\":{\"messages\":[]}}";

    (void)state;
    for (int how = 0; how < 5; how++) {
        struct talk talk;
        struct err err;

        assert_int_equal(plan(&talk, "libtv", "generate_video", "{\"prompt\":\"a boat 16:9\"}", &err), 0);
        to_submit(&talk);
        lose(&talk, how);
        say(&talk, 200, none);
        assert_int_equal(talk.step.kind, STEP_WAIT);
        wake(&talk);
        say(&talk, 200, none);
        assert_int_equal(talk.step.kind, STEP_UNKNOWN);
        wake(&talk);
        assert_int_equal(talk.step.kind, STEP_UNKNOWN);
        /* Somebody wants to know again, and it is there. */
        recheck = 1;
        wake(&talk);
        recheck = 0;
        hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_WAIT);
        wake(&talk);
        hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_DONE);
        talk_close(&talk);
    }
}

static void a_lost_answer_is_found_among_the_tasks(void **state)
{
    static const char *const tasks =
        "{\"tasks\":[{\"id\":\"old\",\"created_at\":\"2026-01-01T00:00:00Z\"},{\"id\":\"../x\"},7,"
        "{\"id\":\"other\",\"created_at\":\"2026-09-21T14:13:30Z\"},"
        "{\"id\":\"s-1\",\"created_at\":\"2026-09-21T14:13:21Z\"}]}";

    (void)state;
    for (int how = 0; how < 5; how++) {
        struct talk talk;
        struct err err;

        assert_int_equal(plan(&talk, "nexu", "generate_video", "{\"prompt\":\"a boat 16:9\"}", &err), 0);
        to_submit(&talk);
        lose(&talk, how);
        sends(&talk, "GET", "/api/v1/tasks", HTTP_READS);
        say(&talk, 200, tasks);
        sends(&talk, "GET", "/libtv/v1/session/other", HTTP_READS);
        say(&talk, 200, "{\"messages\":[{\"seq\":1,\"role\":\"user\",\"content\":\"a cat\"}]}");
        hear(&talk, "");
        assert_int_equal(talk.step.kind, STEP_WAIT);
        assert_string_equal(talk.step.provider_job, "s-1");
        wake(&talk);
        hear(&talk, SAYS("2", MEDIA "a.mp4"));
        assert_int_equal(talk.step.kind, STEP_DONE);
        talk_close(&talk);
        /* And when no task is ours. */
        assert_int_equal(plan(&talk, "nexu", "generate_video", "{\"prompt\":\"a boat 16:9\"}", &err), 0);
        to_submit(&talk);
        lose(&talk, how);
        say(&talk, 500, "x");
        assert_int_equal(talk.step.kind, STEP_WAIT);
        wake(&talk);
        say(&talk, 200, "{\"tasks\":[]}");
        assert_int_equal(talk.step.kind, STEP_UNKNOWN);
        assert_int_equal(talk.step.error.kind, ERR_LOST);
        talk_close(&talk);
    }
}

static void a_refused_submit(void **state)
{
    static const struct {
        int status;
        const char *text;
        int retry;
        enum err_kind kind;
    } cases[] = {
        {503, "{\"error\":{\"user_message\":\"Service temporarily unavailable\"}}", 1, ERR_UNAVAILABLE},
        {429, "{}", 1, ERR_RATE_LIMITED},
        {403, "{\"error\":{\"user_message\":\"Free trial uses exhausted\"}}", 0, ERR_CREDITS},
        {400, "{\"error\":{\"user_message\":\"prompt rejected\"}}", 0, ERR_MODERATED},
        {401, "{\"error\":{\"user_message\":\"Invalid API Key\"}}", 0, ERR_AUTH},
        {200, "{\"error\":{\"code\":\"quota_exceeded\",\"user_message\":\"no\"}}", 0, ERR_CREDITS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct talk talk;
        struct err err;

        assert_int_equal(plan(&talk, "nexu", "generate_video", "{\"prompt\":\"a\"}", &err), 0);
        to_submit(&talk);
        say(&talk, cases[i].status, cases[i].text);
        assert_int_equal(talk.step.kind, STEP_FAIL);
        assert_int_equal(talk.step.retry, cases[i].retry);
        assert_int_equal(talk.step.error.kind, cases[i].kind);
        wake(&talk);
        if (cases[i].retry)
            sends(&talk, "POST", "/libtv/v1/session", HTTP_SPENDS);
        talk_close(&talk);
    }
}

/* ---- the rest ---- */

static void plans_are_told(void **state)
{
    struct talk talk;
    struct err err;

    (void)state;
    assert_int_equal(plan(&talk, "nexu", "generate_video", "{\"prompt\":\"a\",\"seconds\":10,\"model\":\"Kling\"}", &err), 0);
    assert_int_equal(json_array_size(talk.plan.changed), 2);
    assert_true(talk.plan.cost == 1);
    assert_string_equal(talk.plan.currency, "use");
    assert_string_equal(talk.plan.kind, "video");
    assert_true(talk.plan.times.deadline_ms >= 3600000);
    talk_close(&talk);
    assert_int_equal(plan(&talk, "libtv", "generate_image", "{\"prompt\":\"a\",\"aspect_ratio\":\"1:1\"}", &err), 0);
    assert_true(talk.plan.cost < 0);
    assert_string_equal(talk.plan.kind, "image");
    to_submit(&talk);
    assert_non_null(strstr(talk.step.request.body, "\"a, image ratio 1:1\""));
    talk_close(&talk);
}

static void key_is_checked(void **state)
{
    static const struct {
        const char *door;
        int status;
        const char *text;
        enum provider_verdict verdict;
        int facts;
    } cases[] = {
        {"nexu", 200, "{\"remaining_uses\":1,\"max_uses\":2,\"expires_at\":\"2026-05-31T00:00:00Z\"}", KEY_ACCEPTED, 3},
        {"nexu", 200, "{\"remaining_uses\":0,\"max_uses\":2}", KEY_REFUSED, 2},
        {"nexu", 200, "{\"max_uses\":2}", KEY_UNTOLD, 0},
        {"nexu", 401, "{\"error\":{\"user_message\":\"Invalid API Key\"}}", KEY_REFUSED, 0},
        {"nexu", 403, "{\"error\":{\"user_message\":\"Key expired\"}}", KEY_REFUSED, 0},
        {"nexu", 503, "", KEY_UNAVAILABLE, 0},
        {"libtv", 404, "{\"code\":404,\"message\":\"会话不存在或无效\"}", KEY_ACCEPTED, 0},
        {"libtv", 200, "{\"code\":404,\"message\":\"会话不存在或无效\"}", KEY_ACCEPTED, 0},
        {"libtv", 401, "{\"code\":401,\"message\":\"accessKey 不存在或无效\"}", KEY_REFUSED, 0},
        {"libtv", 200, "{\"code\":401,\"message\":\"accessKey 不存在或无效\"}", KEY_REFUSED, 0},
        {"libtv", 404, "<h1>Not Found</h1>", KEY_UNTOLD, 0},
        {"libtv", 502, "x", KEY_UNAVAILABLE, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct talk talk = {.account = account_of(cases[i].door, NULL)};
        struct http_reply reply = golden_reply(cases[i].text, strlen(cases[i].text));
        struct provider_check check;

        assert_int_equal(provider_libtv.check(&talk.account, &talk.arena, &talk.step.request), 0);
        assert_int_equal(talk.step.request.effect, HTTP_READS);
        check_door(&talk);
        reply.status = cases[i].status;
        provider_libtv.checked(&reply, &check);
        if (check.verdict != cases[i].verdict)
            fail_msg("%s: verdict %d: %s", cases[i].text, check.verdict, check.error.text);
        assert_int_equal(json_object_size(check.facts), cases[i].facts);
        json_decref(check.facts);
        arena_done(&talk.arena);
    }
}

static void models_are_listed(void **state)
{
    struct provider_account account = account_of("nexu", NULL);
    json_t *rows = provider_libtv.models(&account);

    (void)state;
    assert_int_equal(json_array_size(rows), 2);
    assert_true(provider_libtv.can(&account, "generate_video/image"));
    assert_false(provider_libtv.can(&account, "edit_image/remove_background"));
    assert_ptr_equal(provider_by_name("libtv"), &provider_libtv);
    json_decref(rows);
}

/* ---- without memory ---- */

/* One whole job; which request is answered while memory ends. -1: there are not so many. */
static int step_without_memory(long n, int for_good, int which, int *ret_over)
{
    static const char *const answers[] = {
        "{\"code\":0,\"data\":{\"url\":\"" CLAW "x/a.png\"}}", NULL, "{\"code\":0,\"data\":{\"messages\":[]}}", NULL,
        "{\"code\":0,\"data\":{\"messages\":[{\"seq\":1,\"role\":\"user\",\"content\":\"move, first frame: " CLAW
        "x/a.png, video ratio 16:9\"}," SAYS("2", MEDIA "a.mp4") "]}}"};
    struct talk talk;
    struct err err;
    int spent = 0;
    int paid;

    assert_int_equal(plan(&talk, "libtv", "generate_video", from_file, &err), 0);
    next(&talk, NULL, 0);
    for (int i = 0; i < 5; i++) {
        const char *text = answers[i] ? answers[i] : bound;
        struct http_reply reply = golden_reply(text, strlen(text));
        long before = mem_count();

        if (talk.step.kind == STEP_WAIT)
            wake(&talk);
        assert_int_equal(talk.step.kind, STEP_SEND);
        paid = talk.step.request.effect == HTTP_SPENDS;
        spent += paid;
        if (i == which)
            mem_fail_after(n, for_good);
        next(&talk, &reply, 0);
        mem_fail_after(0, 0);
        if (i != which)
            continue;
        *ret_over = mem_count() < before + n;
        if (talk.arena.failed || (talk.step.kind == STEP_FAIL && talk.step.retry)) {
            /* The engine comes again with the flow it has; a submit was announced. */
            next(&talk, paid ? &reply : NULL, 0);
            if (paid && talk.step.kind == STEP_SEND)
                assert_int_not_equal(talk.step.request.effect, HTTP_SPENDS);
        }
        break;
    }
    assert_true(spent <= 1);
    talk_close(&talk);
    return 0;
}

static void nothing_is_lost_without_memory(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++)
        for (int for_good = 0; for_good < 2; for_good++) {
            int over = 0;

            for (long n = 1; !over; n++)
                step_without_memory(n, for_good, which, &over);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_relayed),
        cmocka_unit_test(model_is_hinted_at_the_gateway_only),
        cmocka_unit_test(files_go_first),
        cmocka_unit_test(uploads_may_fail),
        cmocka_unit_test(refused_before_anything_is_sent),
        cmocka_unit_test(results_are_found),
        cmocka_unit_test(an_upload_is_no_result),
        cmocka_unit_test(results_of_another_base),
        cmocka_unit_test(clips_come_before_the_film),
        cmocka_unit_test(other_turns_are_not_ours),
        cmocka_unit_test(a_new_project_first),
        cmocka_unit_test(failures_are_recognised),
        cmocka_unit_test(a_second_try_counts),
        cmocka_unit_test(troubles_pass),
        cmocka_unit_test(refusals_end_it),
        cmocka_unit_test(a_used_up_key_sends_nothing),
        cmocka_unit_test(an_answer_lacks_something),
        cmocka_unit_test(a_lost_answer_is_found_in_the_session),
        cmocka_unit_test(a_lost_answer_stays_lost),
        cmocka_unit_test(a_lost_answer_is_found_among_the_tasks),
        cmocka_unit_test(a_refused_submit),
        cmocka_unit_test(plans_are_told),
        cmocka_unit_test(key_is_checked),
        cmocka_unit_test(models_are_listed),
        cmocka_unit_test(nothing_is_lost_without_memory),
    };

    json_object_seed(1);
    json_set_alloc_funcs(golden_alloc, mem_free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
