/*
 * HTTP: one libmicrohttpd daemon on loopback, driven by the loop of sim_main.c.
 *
 * It collects a request, has it run once it is whole, and carries out how the answer ends: sent
 * (late, slowly, cut short), dropped, reset, never given. A handler that parked its request is
 * entered again here when the park ends.
 */
#include "sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#define CONNECTIONS_MAX  12000
#define CONNECTION_BYTES (128 * 1024) /* buffer of one connection: headers, and body in passing */
#define LISTEN_BACKLOG   4096
#define SEND_STEP        (128 * 1024)

/* ---- making an answer ---- */

void sim_answer_clear(struct sim_answer *a)
{
    json_decref(a->json);
    json_decref(a->headers);
    sim_body_free(a->body);
    memset(a, 0, sizeof *a);
    a->cut_bytes = UINT64_MAX;
}

void sim_answer_json_take(struct sim_request *r, unsigned status, json_t *json)
{
    sim_answer_clear(&r->answer);
    r->answer.status = status;
    r->answer.json = json;
    sim_copy_text(r->answer.content_type, sizeof r->answer.content_type, "application/json");
}

void sim_answer_body_take(struct sim_request *r, unsigned status, const char *type,
                          struct sim_body *body)
{
    sim_answer_clear(&r->answer);
    r->answer.status = status;
    r->answer.body = body;
    sim_copy_text(r->answer.content_type, sizeof r->answer.content_type, type);
}

void sim_answer_header(struct sim_request *r, const char *name, const char *value)
{
    if (!r->answer.headers)
        r->answer.headers = json_object();
    json_object_set_new(r->answer.headers, name, json_string(value));
}

struct sim_body *sim_answer_bytes(struct sim_answer *a)
{
    if (!a->body) {
        char *text = a->json ? json_dumps(a->json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        a->body = sim_body_new();
        if (text)
            sim_body_add_text(a->body, text);
        free(text);
    }
    return a->body;
}

/* ---- reading a request ---- */

const char *sim_request_query(struct sim_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->conn, MHD_GET_ARGUMENT_KIND, name);
}

const char *sim_request_header(struct sim_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
}

static bool is_secret(const char *name)
{
    static const char *const words[] = {"auth", "key", "token", "cookie", "secret", "sign"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasestr(name, words[i]) && strcasecmp(name, "idempotency-key") != 0)
            return true;
    }
    return false;
}

static enum MHD_Result collect(void *ud, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
    json_t *v = is_secret(name) ? json_string("(hidden)") : json_string(value ? value : "");
    (void)kind;
    json_object_set_new((json_t *)ud, name, v ? v : json_string("(not UTF-8)"));
    return MHD_YES;
}

json_t *sim_request_headers_json(struct sim_request *r)
{
    json_t *o = json_object();
    MHD_get_connection_values(r->conn, MHD_HEADER_KIND, collect, o);
    return o;
}

static enum MHD_Result collect_raw(void *ud, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    char lower[128];
    size_t i = 0;
    (void)kind;

    for (; name[i] && i < sizeof lower - 1; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    lower[i] = '\0';
    json_object_set_new((json_t *)ud, lower, json_string(value ? value : ""));
    return MHD_YES;
}

json_t *sim_request_headers_raw(struct sim_request *r)
{
    json_t *o = json_object();
    MHD_get_connection_values(r->conn, MHD_HEADER_KIND, collect_raw, o);
    return o;
}

json_t *sim_request_query_json(struct sim_request *r)
{
    json_t *o = json_object();
    MHD_get_connection_values(r->conn, MHD_GET_ARGUMENT_KIND, collect, o);
    return o;
}

/* ---- sending ---- */

static ssize_t send_more(void *ud, uint64_t pos, char *buf, size_t max)
{
    struct sim_request *r = ud;
    struct sim_answer *a = &r->answer;

    if (r->sim->stopping || r->gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (pos >= a->cut_bytes)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (max > a->cut_bytes - pos)
        max = (size_t)(a->cut_bytes - pos);
    if (a->drip_ms > 0) {
        int64_t now = sim_now_ms();
        if (now < r->drip_next_ms) {
            sim_park(r, r->drip_next_ms, false);
            return 0;
        }
        r->drip_next_ms = now + a->drip_ms;
        if (max > a->drip_bytes)
            max = (size_t)a->drip_bytes;
    }
    size_t n = sim_body_read(a->body, pos, buf, max);
    return n > 0 ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

static enum MHD_Result send_answer(struct sim_request *r)
{
    struct sim_answer *a = &r->answer;
    uint64_t size = sim_body_size(sim_answer_bytes(a));
    struct MHD_Response *response;
    enum MHD_Result rc;
    const char *name;
    json_t *value;

    if (size == 0)
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    else
        response = MHD_create_response_from_callback(size, SEND_STEP, send_more, r, NULL);
    if (!response)
        return MHD_NO;
    if (a->content_type[0])
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->content_type);
    json_object_foreach(a->headers, name, value)
        MHD_add_response_header(response, name, json_string_value(value));
    rc = MHD_queue_response(r->conn, a->status, response);
    MHD_destroy_response(response);
    return rc;
}

/* Starts the way the answer ends; libmicrohttpd closes the connection on MHD_NO. */
static enum MHD_Result end_request(struct sim_request *r)
{
    struct sim_answer *a = &r->answer;

    switch (a->ending) {
    case SIM_DROP:
        return MHD_NO;
    case SIM_RESET:
        sim_park_reset(r);
        return MHD_NO;
    case SIM_HANG:
        sim_park(r, sim_now_ms() + a->delay_ms, true);
        return MHD_YES;
    case SIM_ENDLESS:
        sim_park_endless(r);
        return MHD_YES;
    case SIM_SEND:
        break;
    }
    if (a->delay_ms > 0) {
        sim_park(r, sim_now_ms() + a->delay_ms, true);
        a->delay_ms = 0;
        return MHD_YES;
    }
    return send_answer(r);
}

static enum MHD_Result run_request(struct sim_request *r)
{
    bool tracked = !r->route || !(r->route->flags & SIM_UNTRACKED);

    sim_form_end(r);
    r->ran = true;
    if (!r->fault || r->fault->charged)
        sim_route_run(r);
    if (r->fault)
        sim_bend_answer(r);
    if (tracked)
        sim_log_add(r);
    if (r->parked) /* a wait: its answer comes when it ends */
        return MHD_YES;
    return end_request(r);
}

/* Entered again after a park. */
static enum MHD_Result resume_request(struct sim_request *r)
{
    if (r->gone || r->sim->stopping)
        return MHD_NO;
    if (r->waiting) {
        sim_log_wait_end(r);
        return end_request(r);
    }
    if (r->answer.ending != SIM_SEND) /* hung long enough, or the header is all sent */
        return MHD_NO;
    return end_request(r);
}

static void start_request(struct sim_request *r)
{
    sim_answer_clear(&r->answer);
    r->started_ms = sim_now_ms();
    sim_route_find(r);
    if (!r->route || !(r->route->flags & SIM_UNTRACKED))
        r->fault = sim_fault_pick(r->sim, r->method, r->path);
    sim_form_start(r);
}

static enum MHD_Result on_access(void *ud, struct MHD_Connection *conn, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *data_bytes, void **state)
{
    struct sim_request *r = *state;
    (void)ud;
    (void)url;
    (void)version;

    if (r->sim->stopping) /* nothing may park any more */
        return MHD_NO;
    if (!r->conn) {
        r->conn = conn;
        r->method = method;
        start_request(r);
        if (r->fault && r->fault->kind == SIM_F_RESET && r->fault->at_headers) {
            sim_bend_answer(r);
            sim_log_add(r);
            r->ran = true;
            return end_request(r);
        }
        return MHD_YES;
    }
    if (*data_bytes > 0) {
        int rc = sim_form_feed(r, data, *data_bytes);
        *data_bytes = 0;
        return rc == 0 ? MHD_YES : MHD_NO;
    }
    return r->ran ? resume_request(r) : run_request(r);
}

/* The raw path, before libmicrohttpd decodes it: made here, completed in on_access. */
static void *on_uri(void *ud, const char *uri, struct MHD_Connection *conn)
{
    struct sim_request *r = sim_alloc(sizeof *r);
    size_t len = strcspn(uri, "?");
    (void)conn;

    r->sim = ud;
    r->path = sim_alloc(len + 1);
    memcpy(r->path, uri, len);
    json_t *check = json_string(r->path);
    if (!check)
        sim_copy_text(r->path, len + 1, "(not UTF-8)");
    json_decref(check);
    r->sim->requests_open++;
    return r;
}

static void on_completed(void *ud, struct MHD_Connection *conn, void **state,
                         enum MHD_RequestTerminationCode how)
{
    struct sim_request *r = *state;
    (void)ud;
    (void)conn;

    if (!r)
        return;
    if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        sim_log_end(r, "sent");
    else if (r->gone || (r->answer.ending == SIM_SEND && r->answer.cut_bytes == UINT64_MAX))
        sim_log_end(r, "gone");
    else
        sim_log_end(r, "closed");
    r->sim->requests_open--;
    sim_form_free(r);
    sim_fault_free(r->fault);
    sim_answer_clear(&r->answer);
    free(r->path);
    free(r);
    *state = NULL;
}

int sim_http_start(struct sim *sim, uint16_t port)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port)};

    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sim->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, port, NULL, NULL, on_access, sim,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&where, MHD_OPTION_URI_LOG_CALLBACK, on_uri, sim,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, sim, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)LISTEN_BACKLOG,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (!sim->daemon)
        return -1;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(sim->daemon, MHD_DAEMON_INFO_BIND_PORT);
    sim->port = info ? info->port : port;
    return 0;
}

void sim_http_stop(struct sim *sim)
{
    sim->stopping = true;
    sim_park_wake_all(sim);
    MHD_run(sim->daemon);
    MHD_stop_daemon(sim->daemon);
    sim->daemon = NULL;
}
