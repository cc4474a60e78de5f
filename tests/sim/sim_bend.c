/*
 * What each fault does to an answer. Called once the answer is made (a fault with `charged`) or in
 * place of making one; the fault's own fields say how much, how long, where to.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOUBLED_MAX (64u << 20) /* bodies that fit are sent twice by `duplicate` */

/* The answer's bytes so far as one text; the caller frees. */
static char *body_text(struct sim_answer *a, size_t max, size_t *ret_len)
{
    struct sim_body *b = sim_answer_bytes(a);
    uint64_t size = sim_body_size(b);
    size_t len = size < max ? (size_t)size : max;
    char *text = sim_alloc(len + 1);
    size_t at = 0, n;

    while (at < len && (n = sim_body_read(b, at, text + at, len - at)) > 0)
        at += n;
    *ret_len = at;
    return text;
}

static void replace_body(struct sim_request *r, const char *type, struct sim_body *body)
{
    unsigned status = r->answer.status ? r->answer.status : 200;
    sim_answer_clear(&r->answer);
    sim_answer_body_take(r, status, type, body);
}

/* Every value becomes one of another kind; names stay. */
static json_t *twisted(const json_t *v, int depth)
{
    const char *key;
    json_t *member, *copy;

    if (depth > 64)
        return json_null();
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        copy = json_object();
        json_object_foreach((json_t *)v, key, member)
            json_object_set_new(copy, key, twisted(member, depth + 1));
        return copy;
    case JSON_ARRAY:
        return json_pack("{s:s}", "0", "this was a list");
    case JSON_STRING:
        return json_integer(17);
    case JSON_INTEGER:
    case JSON_REAL:
        return json_string("a number stood here");
    default:
        return json_array();
    }
}

static void bend_types(struct sim_request *r)
{
    json_t *odd = r->answer.json ? twisted(r->answer.json, 0)
                                 : json_pack("{s:i,s:{s:s},s:[],s:s}", "id", 17, "data", "0",
                                             "not a list", "error", "created", "never");
    unsigned status = r->answer.status ? r->answer.status : 200;
    sim_answer_clear(&r->answer);
    sim_answer_json_take(r, status, odd);
}

static void bend_malformed(struct sim_request *r)
{
    size_t len;
    char *text = body_text(&r->answer, 4096, &len);
    struct sim_body *b = sim_body_new();

    sim_body_add_bytes(b, text, len / 2);
    sim_body_add_text(b, ",]\x01 \"and so");
    free(text);
    replace_body(r, "application/json", b);
}

static void bend_duplicate(struct sim_request *r)
{
    size_t len;
    char *text = body_text(&r->answer, DOUBLED_MAX, &len);
    struct sim_body *b = sim_body_new();
    char type[sizeof r->answer.content_type];

    sim_copy_text(type, sizeof type, r->answer.content_type);
    sim_body_add_bytes(b, text, len);
    sim_body_add_bytes(b, text, len);
    free(text);
    replace_body(r, type, b);
}

static void bend_made_up(struct sim_request *r)
{
    const struct sim_fault *f = r->fault;
    struct sim_body *b = sim_body_new();

    if (f->kind == SIM_F_HUGE_BODY) {
        sim_body_add_text(b, "{\"data\":\"");
        sim_body_add_repeat(b, 'a', (uint64_t)f->bytes);
        sim_body_add_text(b, "\"}");
    } else if (f->kind == SIM_F_DEEP_NESTING) {
        sim_body_add_text(b, "{\"data\":");
        sim_body_add_repeat(b, '[', (uint64_t)f->bytes);
        sim_body_add_repeat(b, ']', (uint64_t)f->bytes);
        sim_body_add_text(b, "}");
    } else {
        sim_body_add_text(b, f->body ? f->body : "");
    }
    sim_answer_clear(&r->answer);
    sim_answer_body_take(r, (unsigned)f->status,
                         f->content_type[0] ? f->content_type : "application/json", b);
}

static void bend_status(struct sim_request *r)
{
    const struct sim_fault *f = r->fault;
    unsigned status = (unsigned)f->status;
    char number[24];

    sim_answer_clear(&r->answer);
    if (f->kind == SIM_F_REDIRECT) {
        sim_answer_body_take(r, status, "text/plain", sim_body_new());
        sim_answer_header(r, "Location", f->to);
    } else {
        sim_refuse(r, status,
                   f->kind == SIM_F_RATE_LIMIT ? "rate_limit_exceeded" : "fault_asked_for", NULL,
                   f->kind == SIM_F_RATE_LIMIT ? "Rate limit reached, please slow down."
                                               : "The server had an error on request.");
    }
    if (f->retry_after_s >= 0) {
        snprintf(number, sizeof number, "%lld", (long long)f->retry_after_s);
        sim_answer_header(r, "Retry-After", number);
    }
    if (f->retry_after_ms >= 0) {
        snprintf(number, sizeof number, "%lld", (long long)f->retry_after_ms);
        sim_answer_header(r, "retry-after-ms", number);
    }
}

static void bend_sending(struct sim_request *r)
{
    const struct sim_fault *f = r->fault;
    struct sim_answer *a = &r->answer;
    uint64_t size;

    switch (f->kind) {
    case SIM_F_DELAY:
        a->delay_ms += f->ms;
        break;
    case SIM_F_SLOW_DRIP:
        a->drip_bytes = f->bytes > 0 ? (uint64_t)f->bytes : 1;
        a->drip_ms = f->ms > 0 ? f->ms : 1;
        break;
    case SIM_F_TRUNCATE:
        size = sim_body_size(sim_answer_bytes(a));
        a->cut_bytes = f->bytes >= 0 && (uint64_t)f->bytes < size ? (uint64_t)f->bytes : size / 2;
        break;
    case SIM_F_WRONG_TYPE:
        sim_copy_text(a->content_type, sizeof a->content_type,
                      f->content_type[0] ? f->content_type : "text/html; charset=utf-8");
        break;
    case SIM_F_EMPTY:
        replace_body(r, a->content_type[0] ? a->content_type : "application/json", sim_body_new());
        break;
    default:
        break;
    }
}

void sim_bend_answer(struct sim_request *r)
{
    const struct sim_fault *f = r->fault;
    struct sim_answer *a = &r->answer;

    switch (f->kind) {
    case SIM_F_DROP_AFTER_ACCEPT:
        a->ending = SIM_DROP;
        break;
    case SIM_F_RESET:
        a->ending = SIM_RESET;
        break;
    case SIM_F_HANG:
        a->ending = SIM_HANG;
        a->delay_ms = f->ms;
        break;
    case SIM_F_ENDLESS_HEADER:
        a->ending = SIM_ENDLESS;
        a->endless_bytes = (uint64_t)f->bytes;
        break;
    case SIM_F_STATUS:
    case SIM_F_RATE_LIMIT:
    case SIM_F_REDIRECT:
        bend_status(r);
        break;
    case SIM_F_HUGE_BODY:
    case SIM_F_DEEP_NESTING:
    case SIM_F_BODY:
        bend_made_up(r);
        break;
    case SIM_F_MALFORMED_JSON:
        bend_malformed(r);
        break;
    case SIM_F_WRONG_TYPES:
        bend_types(r);
        break;
    case SIM_F_DUPLICATE:
        bend_duplicate(r);
        break;
    default:
        bend_sending(r);
        break;
    }
}
