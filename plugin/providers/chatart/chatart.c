/*
 * chatart.c - the adapter itself: one flat machine over the job's flow.
 *
 *     start --file not there yet--> policy -> put --+--> start (next file)
 *       \--all files there--> submit --accepted--> wait --poll--> poll --+--> done
 *                             ^ |                    ^-----working-------+--> fail
 *                             | +--no answer, or one without sense--> unknown
 *                             +--one of several is made, the next is wanted
 *
 * The service makes one a task. Several are made one after the other, since it may refuse a task
 * while another is worked on; when that comes to an end early, what is made is the result, and the
 * error says why it is not all. A cancelled job waits for the one being worked on, which is paid
 * for, and asks for no other.
 *
 * `flow.at` names the state in which the flow was saved, which is before its request is sent. A
 * process that is told it `resumed` in `submit` cannot know whether it was carried out: `unknown`.
 * Everything else may be asked again; uploads that were finished are in flow.uploads and are not
 * repeated.
 *
 * The temporary credential for uploads lives in turn->secrets, serves all files of the job while it
 * is valid, and is fetched anew after a restart. Nothing of it is in the flow.
 *
 * Flow: at, uploads {key: url}, put {key, url}, skew_ms, job, word, empty, made, tries, cost, spent
 * (of those made before), urls, and in an end its {kind, text, field, advice}.
 */
#include "providers/chatart/chatart.h"

#include "providers/step.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CREDENTIAL_MARGIN_MS 60000
#define CREDENTIAL_USUAL_MS (15 * 60000)
#define EMPTY_MAX 5 /* answers "done" that name no result, before it is believed */
#define SIGN_IN_AGAIN_MS 60000
#define TRIES_MAX (LIMIT_SUBMITS - 1) /* of a further task; past the engine's own all would be lost */
#define ID_BYTES_MAX 256            /* of a task; they are some ten letters */
#define WORD_BYTES_MAX 64           /* of a state that nobody knows */
#define RESULTS_BYTES_MAX 49152u    /* of a flow: what is past it cannot be saved */

struct machine {
    struct provider_turn *turn;
    struct provider_step *step;
    const json_t *catalog;
};

static int set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

static void fail_nomem(struct machine *machine)
{
    step_nomem(machine->step);
}

/* The first addresses in what names results: an object of videos, a list of pictures. */
static void collect(struct machine *machine, const json_t *message)
{
    struct provider_step *step = machine->step;
    size_t count = json_is_array(message) ? json_array_size(message) : 1;
    size_t bytes = 0;

    for (size_t i = 0; i < step->results_count; i++)
        bytes += strlen(step->results[i].url);
    for (size_t i = 0; i < count && step->results_count < LIMIT_FILES; i++) {
        const json_t *row = json_is_array(message) ? json_array_get(message, i) : message;
        const char *url = json_is_string(row) ? json_string_value(row) : json_text(row, "url");
        struct provider_result *result = &step->results[step->results_count];

        if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
            continue;
        if (strlen(url) >= LIMIT_URL || bytes + strlen(url) > RESULTS_BYTES_MAX)
            continue;
        bytes += strlen(url);
        result->blob = -1;
        result->url = arena_text(machine->turn->arena, url);
        if (!result->url)
            return;
        step->results_count++;
    }
}

/* An end with all that was made, and the error in the step if that is not all. */
static void done(struct machine *machine)
{
    machine->step->kind = STEP_DONE;
    machine->step->results_count = 0;
    collect(machine, json_object_get(machine->turn->flow, "urls"));
    if (machine->turn->arena->failed || set(machine->turn->flow, "at", json_string("done")))
        fail_nomem(machine);
}

static void end(struct machine *machine, enum provider_step_kind kind)
{
    step_end(machine->turn, machine->step, kind);
    if (json_int(machine->turn->flow, "made", 0) > 0)
        done(machine);
}

/* No further one is wanted: what is made is all. */
static int is_enough(const struct machine *machine)
{
    return machine->turn->cancelled && json_int(machine->turn->flow, "made", 0) > 0;
}

static void enough(struct machine *machine)
{
    err_set(&machine->step->error, ERR_CANCELLED, "cancelled after %lld of %lld",
            (long long)json_int(machine->turn->flow, "made", 0),
            (long long)json_int(machine->turn->request, "count", 1));
    end(machine, STEP_FAIL);
}

static void fail_for_now(struct machine *machine, const char *at, int64_t pause_ms)
{
    json_t *flow = machine->turn->flow;
    int starts = strcmp(at, "start") == 0;
    int64_t tries = json_int(flow, "tries", 0) + starts;

    if (starts && is_enough(machine))
        enough(machine);
    else if (json_int(flow, "made", 0) > 0 && tries > TRIES_MAX)
        end(machine, STEP_FAIL);
    else if (step_again(machine->turn, machine->step, at, pause_ms) == 0 &&
             set(flow, "tries", json_integer(tries)))
        fail_nomem(machine);
}

static void sent(struct machine *machine, int rc, const char *at, enum provider_phase phase)
{
    step_send(machine->turn, machine->step, phase, at, rc);
}

/* ---- uploads ---- */

static int has_credential(const struct provider_turn *turn)
{
    const json_t *policy = json_object_get(turn->secrets, "policy");

    return policy && json_int(policy, "until_ms", 0) > turn->now_ms + CREDENTIAL_MARGIN_MS;
}

/* The first input whose file is not there yet, or NULL. */
static const json_t *missing_input(const struct provider_turn *turn)
{
    const json_t *uploads = json_object_get(turn->flow, "uploads");
    size_t index;
    json_t *input;

    json_array_foreach(json_object_get(turn->request, "inputs"), index, input)
        if (*json_text(input, "path") && !*json_text(uploads, json_text(input, "key")))
            return input;
    return NULL;
}

/* What comes next of uploads and submit. */
static void begin(struct machine *machine)
{
    struct provider_turn *turn = machine->turn;
    struct provider_step *step = machine->step;
    const json_t *input = missing_input(turn);
    char *url = NULL;
    int rc;

    if (is_enough(machine)) {
        enough(machine);
    } else if (!turn->account->signed_in) {
        err_set(&step->error, ERR_AUTH, "ChatArt wants a login first");
        err_advise(&step->error, "chatart.login");
        end(machine, STEP_FAIL);
    } else if (!input) {
        rc = chatart_request_submit(turn, machine->catalog, &step->request);
        sent(machine, rc, "submit", PHASE_SUBMIT);
    } else if (!has_credential(turn)) {
        rc = chatart_request_policy(turn, machine->catalog, &step->request);
        sent(machine, rc, "policy", PHASE_UPLOAD);
    } else {
        rc = chatart_request_put(turn, machine->catalog, input, &step->request, &url, &step->error);
        rc = rc || set(turn->flow, "put",
                       json_pack("{s:s,s:s}", "key", json_text(input, "key"), "url", url));
        sent(machine, rc, "put", PHASE_UPLOAD);
    }
}

/* "2026-07-01T09:12:44Z"; 0 when it is none. */
static int64_t parse_time_ms(const char *text)
{
    struct tm parts = {0};
    int year, month, day, hour, minute, second;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) != 6)
        return 0;
    parts.tm_year = year - 1900;
    parts.tm_mon = month - 1;
    parts.tm_mday = day;
    parts.tm_hour = hour;
    parts.tm_min = minute;
    parts.tm_sec = second;
    return (int64_t)timegm(&parts) * 1000;
}

/* Texts of a credential become parts of addresses and headers. */
static int is_plain(const char *text, const char *more)
{
    if (!*text)
        return 0;
    for (; *text; text++)
        if (!((*text >= '0' && *text <= '9') || (*text >= 'A' && *text <= 'Z') ||
              (*text >= 'a' && *text <= 'z') || strchr(more, *text)))
            return 0;
    return 1;
}

static int keep_credential(struct machine *machine, const json_t *given)
{
    const char *region = json_text(given, "region");
    int64_t until = parse_time_ms(json_text(given, "Expiration"));

    if (strncmp(region, "oss-", 4) == 0)
        region += 4;
    if (!is_plain(region, "-") || !is_plain(json_text(given, "bucket"), "-") ||
        !is_plain(json_text(given, "AccessKeyId"), ".-_") ||
        !is_plain(json_text(given, "AccessKeySecret"), "+/=-_.") ||
        !is_plain(json_text(given, "SecurityToken"), "+/=-_.~%"))
        return err_set(&machine->step->error, ERR_ANSWER,
                       "ChatArt's permission to upload is incomplete");
    if (until <= 0)
        until = machine->turn->now_ms + CREDENTIAL_USUAL_MS;
    if (set(machine->turn->secrets, "policy",
            json_pack("{s:s,s:s,s:s,s:s,s:s,s:I}", "id", json_text(given, "AccessKeyId"), "secret",
                      json_text(given, "AccessKeySecret"), "token",
                      json_text(given, "SecurityToken"), "bucket", json_text(given, "bucket"),
                      "region", region, "until_ms", (json_int_t)until)))
        return err_nomem(&machine->step->error);
    return 0;
}

static void policy_answered(struct machine *machine)
{
    struct provider_turn *turn = machine->turn;
    struct err *error = &machine->step->error;
    int64_t pause_ms;
    json_t *json;
    enum chatart_answer answer = chatart_answer_read(turn->reply, machine->catalog, turn->arena,
                                                     &json, &pause_ms, error);

    if (answer == ANSWER_TROUBLE) {
        fail_for_now(machine, "start", pause_ms);
    } else if (answer != ANSWER_DATA) {
        end(machine, STEP_FAIL);
    } else if (keep_credential(machine,
                               json_object_get(chatart_payload(json), "Credentials"))) {
        if (error->kind == ERR_NOMEM)
            fail_nomem(machine);
        else
            end(machine, STEP_FAIL);
    } else if (!has_credential(turn)) {
        err_set(error, ERR_ANSWER, "ChatArt's permission to upload had run out when it came");
        fail_for_now(machine, "start", 0);
    } else {
        begin(machine);
    }
    json_wipe(json);
    json_decref(json);
}

/* The storage service's own word for what is wrong, from its XML; "" without. */
static void xml_word(const struct http_reply *reply, const char *tag, char *ret_word, size_t size)
{
    const char *at = reply->text ? strstr(reply->text, tag) : NULL;
    size_t len;

    ret_word[0] = '\0';
    if (!at)
        return;
    at += strlen(tag);
    len = strcspn(at, "<");
    if (len < size && len < 64) {
        memcpy(ret_word, at, len);
        ret_word[len] = '\0';
    }
}

static void put_refused(struct machine *machine)
{
    const struct http_reply *reply = machine->turn->reply;
    struct err *error = &machine->step->error;
    char code[64];
    char server[64];
    int skewed, stale;

    xml_word(reply, "<Code>", code, sizeof(code));
    xml_word(reply, "<ServerTime>", server, sizeof(server));
    skewed = strcmp(code, "RequestTimeTooSkewed") == 0;
    stale = strcmp(code, "SecurityTokenExpired") == 0 ||
            strcmp(code, "InvalidSecurityToken") == 0 || strcmp(code, "InvalidAccessKeyId") == 0;
    err_set(error, ERR_UNAVAILABLE, "the upload was refused: HTTP %d %s", reply->status,
            is_plain(code, "") ? code : "");
    if (skewed && parse_time_ms(server) > 0 &&
        set(machine->turn->flow, "skew_ms",
            json_integer(parse_time_ms(server) - machine->turn->now_ms))) {
        fail_nomem(machine);
        return;
    }
    if (stale)
        json_object_del(machine->turn->secrets, "policy");
    if (skewed || stale || reply->status >= 500 || reply->status == 408 || reply->status == 429 ||
        strcmp(code, "BadRequest") == 0)
        fail_for_now(machine, "start", reply->retry_after_ms > 0 ? reply->retry_after_ms : 0);
    else
        end(machine, STEP_FAIL);
}

static void put_answered(struct machine *machine)
{
    struct provider_turn *turn = machine->turn;
    struct provider_step *step = machine->step;
    const struct http_reply *reply = turn->reply;
    const json_t *put = json_object_get(turn->flow, "put");
    json_t *uploads = json_object_get(turn->flow, "uploads");
    char *key = arena_text(turn->arena, json_text(put, "key"));
    char *url = arena_text(turn->arena, json_text(put, "url"));
    int64_t keep_ms = json_int(json_object_get(machine->catalog, "storage"), "keep_ms", 0);

    if (reply->outcome != HTTP_ANSWERED) {
        err_set(&step->error, ERR_UNAVAILABLE, "the upload failed: %s",
                reply->error ? reply->error : "no reason is known");
        if (reply->outcome == HTTP_REFUSED || reply->outcome == HTTP_TOO_LARGE)
            end(machine, STEP_FAIL);
        else
            fail_for_now(machine, "start", 0);
        return;
    }
    if (reply->status != 200) {
        put_refused(machine);
        return;
    }
    if (reply->crc64 == HTTP_CRC64_DIFFERS) {
        err_set(&step->error, ERR_UNAVAILABLE, "the file arrived damaged at ChatArt's storage");
        fail_for_now(machine, "start", 0);
        return;
    }
    if (!uploads && (!(uploads = json_object()) || set(turn->flow, "uploads", uploads)))
        uploads = NULL;
    if (!key || !url || !uploads || set(uploads, key, json_string(url))) {
        fail_nomem(machine);
        return;
    }
    json_object_del(turn->flow, "put");
    begin(machine);
    step->uploaded_key = key;
    step->uploaded_url = url;
    step->uploaded_keep_ms = keep_ms;
}

/* ---- submit ---- */

static void lost(struct machine *machine)
{
    const struct http_reply *reply = machine->turn->reply;
    struct err *error = &machine->step->error;

    if (reply->outcome == HTTP_ANSWERED)
        err_set(error, ERR_ANSWER, "the request was sent, but the answer (HTTP %d) makes no sense",
                reply->status);
    else
        err_set(error, ERR_LOST, "the request was sent, but %s",
                reply->error ? reply->error : "its answer was lost");
    end(machine, STEP_UNKNOWN);
}

static void accepted(struct machine *machine, const json_t *json)
{
    struct provider_turn *turn = machine->turn;
    char *job = json_word(turn->arena, json_object_get(chatart_payload(json), "question_id"));

    if (!job || !*job || strlen(job) > ID_BYTES_MAX) {
        lost(machine);
        return;
    }
    if (set(turn->flow, "job", json_string(job)) || set(turn->flow, "at", json_string("wait"))) {
        err_nomem(&machine->step->error);
        end(machine, STEP_UNKNOWN);
        return;
    }
    machine->step->provider_job = job;
    machine->step->kind = STEP_WAIT;
}

/* Did a gateway give up waiting, so that the request may still be carried out? */
static int is_unsure(const struct http_reply *reply)
{
    return reply->status == 408 ||
           (reply->status >= 500 && !(reply->status == 503 && reply->retry_after_ms >= 0));
}

static void submit_answered(struct machine *machine)
{
    struct provider_turn *turn = machine->turn;
    const struct http_reply *reply = turn->reply;
    struct http_reply whole = *reply;
    struct err *error = &machine->step->error;
    int64_t pause_ms;
    json_t *json;
    enum chatart_answer answer;

    if (reply->outcome == HTTP_NOT_SENT || (reply->outcome != HTTP_ANSWERED && !reply->sent)) {
        int refused = reply->outcome == HTTP_REFUSED;

        err_set(error, refused ? ERR_REFUSED : ERR_UNAVAILABLE, "%s",
                reply->error ? reply->error : "it could not be sent");
        if (refused)
            end(machine, STEP_FAIL);
        else
            fail_for_now(machine, "start", 0);
        return;
    }
    /* Where only the end of the transfer is missing, the answer is all there. */
    if (reply->outcome == HTTP_TRUNCATED && reply->status / 100 == 2)
        whole.outcome = HTTP_ANSWERED;
    if (whole.outcome != HTTP_ANSWERED || is_unsure(reply)) {
        lost(machine);
        return;
    }
    answer = chatart_answer_read(&whole, machine->catalog, turn->arena, &json, &pause_ms, error);
    if (answer == ANSWER_DATA)
        accepted(machine, json);
    else if (answer == ANSWER_ODD || error->kind == ERR_NOMEM)
        lost(machine);
    else if (answer == ANSWER_TROUBLE && pause_ms > 0)
        fail_for_now(machine, "start", pause_ms); /* it said that it takes none just now */
    else
        end(machine, STEP_FAIL);
    json_decref(json);
}

/* ---- poll ---- */

/* One is made: the end, or the next one, unless a person only wanted a look. */
static void made_one(struct machine *machine)
{
    static const char *const of_task[] = {"job", "word", "empty", "tries"};
    struct provider_turn *turn = machine->turn;
    int64_t made = json_int(turn->flow, "made", 0) + 1;
    int more = made < json_int(turn->request, "count", 1);

    if (set(turn->flow, "made", json_integer(made)) ||
        set(turn->flow, "spent",
            json_real(json_number_value(json_object_get(turn->flow, "cost"))))) {
        fail_nomem(machine);
        return;
    }
    for (size_t i = 0; more && i < sizeof(of_task) / sizeof(*of_task); i++)
        json_object_del(turn->flow, of_task[i]);
    if (more && !turn->recheck) {
        machine->step->results_count = 0;
        begin(machine);
    } else if (more) {
        err_set(&machine->step->error, ERR_EXPIRED, "the others were not asked for any more");
        end(machine, STEP_FAIL);
    } else {
        done(machine);
    }
}

static void finished(struct machine *machine, const json_t *data)
{
    struct provider_turn *turn = machine->turn;
    struct provider_step *step = machine->step;
    json_t *cost = json_object_get(data, "cost_credit");
    double spent = json_number_value(json_object_get(turn->flow, "spent"));
    json_t *urls = json_array();
    int64_t empty = json_int(turn->flow, "empty", 0) + 1;
    int failed = !urls;
    size_t before;

    collect(machine, json_object_get(turn->flow, "urls"));
    before = step->results_count;
    collect(machine, json_object_get(data, "message"));
    for (size_t i = 0; i < step->results_count; i++)
        failed |= json_array_append_new(urls, json_string(step->results[i].url));
    if (json_is_number(cost) || chatart_number(cost) >= 0)
        failed |= set(turn->flow, "cost",
                      json_real(spent + (json_is_number(cost) ? json_number_value(cost)
                                                              : (double)chatart_number(cost))));
    if (failed || turn->arena->failed) {
        json_decref(urls);
        fail_for_now(machine, "wait", 0);
        err_nomem(&step->error);
        return;
    }
    if (step->results_count > before) {
        if (set(turn->flow, "urls", urls))
            fail_nomem(machine);
        else
            made_one(machine);
        return;
    }
    json_decref(urls);
    step->results_count = 0;
    if (empty >= EMPTY_MAX) {
        err_set(&step->error, ERR_ANSWER, "ChatArt says it is finished, but names no result");
        end(machine, STEP_FAIL);
    } else if (step_wait(turn, step, "wait") == 0 &&
               set(turn->flow, "empty", json_integer(empty))) {
        fail_nomem(machine);
    }
}

static void failed_there(struct machine *machine, const json_t *data)
{
    static const char *const members[] = {"error", "real_error", "output_message"};
    struct err *error = &machine->step->error;
    const char *text = "";

    for (size_t i = 0; !*text && i < sizeof(members) / sizeof(*members); i++)
        text = json_text(data, members[i]);
    if (json_list_within(json_object_get(machine->catalog, "moderation_words"), text)) {
        err_set(error, ERR_MODERATED, "ChatArt: %s", chatart_clean(machine->turn->arena, text));
        err_advise(error, "chatart.words");
    } else {
        err_set(error, ERR_UNAVAILABLE, "ChatArt could not make it: %s",
                *text ? chatart_clean(machine->turn->arena, text) : "no reason is given");
        err_advise(error, "chatart.trouble");
    }
    end(machine, STEP_FAIL);
}

static void working(struct machine *machine, const json_t *state)
{
    struct provider_turn *turn = machine->turn;
    char *word = json_word(turn->arena, state);

    if (!word || !*word)
        word = arena_text(turn->arena, "(none)");
    else if (strlen(word) > WORD_BYTES_MAX)
        word = arena_text(turn->arena, "(long)");
    machine->step->kind = STEP_WAIT;
    if (word && strcmp(word, "0") != 0 && strcmp(word, "init") != 0 &&
        strcmp(word, json_text(turn->flow, "word")) != 0) {
        machine->step->unknown_word = word;
        if (set(turn->flow, "word", json_string(word)))
            fail_nomem(machine);
    }
    if (set(turn->flow, "at", json_string("wait")))
        fail_nomem(machine);
}

static void poll_answered(struct machine *machine)
{
    struct provider_turn *turn = machine->turn;
    struct err *error = &machine->step->error;
    int64_t pause_ms;
    json_t *json;
    enum chatart_answer answer = chatart_answer_read(turn->reply, machine->catalog, turn->arena,
                                                     &json, &pause_ms, error);
    const json_t *data = chatart_payload(json);
    int64_t state;

    if (answer == ANSWER_REFUSED && error->kind == ERR_AUTH) {
        /* It is paid for: who logs in again still gets it. */
        fail_for_now(machine, "wait", SIGN_IN_AGAIN_MS);
    } else if (answer == ANSWER_REFUSED) {
        end(machine, STEP_FAIL);
    } else if (answer != ANSWER_DATA || !json_is_object(data)) {
        if (answer == ANSWER_DATA)
            err_set(error, ERR_ANSWER, "ChatArt's answer says nothing about the task");
        fail_for_now(machine, "wait", pause_ms);
    } else {
        state = chatart_number(json_object_get(data, "status"));
        if (state == 1)
            finished(machine, data);
        else if (state == 2)
            failed_there(machine, data);
        else
            working(machine, json_object_get(data, "status"));
    }
    json_decref(json);
}

/* ---- turns ---- */

static void repeat(struct machine *machine, const char *at)
{
    int is_done = strcmp(at, "done") == 0;

    if (!is_done || *json_text(machine->turn->flow, "kind"))
        step_repeat(machine->turn, machine->step);
    if (is_done)
        done(machine);
}

static void go(struct machine *machine, const char *at)
{
    struct provider_turn *turn = machine->turn;
    int polls = strcmp(at, "wait") == 0 || strcmp(at, "poll") == 0;
    int rc;

    if (turn->reply && strcmp(at, "policy") == 0) {
        policy_answered(machine);
    } else if (turn->reply && strcmp(at, "put") == 0) {
        put_answered(machine);
    } else if (turn->reply && strcmp(at, "submit") == 0) {
        submit_answered(machine);
    } else if (turn->reply && polls) {
        poll_answered(machine);
    } else if (strcmp(at, "submit") == 0 && turn->resumed) {
        err_set(&machine->step->error, ERR_LOST,
                "the program ended while the request was under way; it may have been carried out");
        end(machine, STEP_UNKNOWN);
    } else if (polls) {
        rc = chatart_request_poll(turn, machine->catalog, &machine->step->request);
        sent(machine, rc, "poll", PHASE_POLL);
    } else {
        begin(machine);
    }
}

static void next(struct provider_turn *turn, struct provider_step *ret_step)
{
    struct machine machine = {.turn = turn, .step = ret_step};
    const char *at = json_text(turn->flow, "at");
    json_t *catalog;

    memset(ret_step, 0, sizeof(*ret_step));
    ret_step->progress = -1;
    if (json_int(turn->flow, "made", 0) > 0)
        ret_step->progress = (int32_t)(1000 * json_int(turn->flow, "made", 0) /
                                       json_int(turn->request, "count", 1));
    ret_step->cost = -1;
    if (strcmp(json_text(turn->request, "wire"), "login") == 0) {
        chatart_login_next(turn, ret_step);
        return;
    }
    catalog = chatart_catalog(&ret_step->error);
    machine.catalog = catalog;
    if (step_is_end(at)) {
        repeat(&machine, at);
    } else if (!catalog && turn->reply && strcmp(at, "submit") == 0) {
        end(&machine, STEP_UNKNOWN);
    } else if (!catalog) {
        fail_nomem(&machine);
    } else {
        go(&machine, at);
    }
    step_known(turn, ret_step, "credits");
    json_decref(catalog);
}

static int can(const struct provider_account *account, const char *what)
{
    static const char *const all[] = {
        "generate_image",           "generate_image/reference",     "edit_image/edit",
        "generate_video/text",      "generate_video/image",         "generate_video/reference",
        "generate_video/extend",    "character_replace/full_scene", "character_replace/body_only",
    };

    (void)account;
    return step_is_one_of(what, all, sizeof(all) / sizeof(*all));
}

const struct provider provider_chatart = {
    .name = "chatart",
    .can = can,
    .plan = chatart_plan,
    .next = next,
    .models = chatart_models,
    .check = chatart_check,
    .checked = chatart_checked,
    .ask = chatart_ask,
    .told = chatart_told,
};
