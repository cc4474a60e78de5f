/*
 * answer.c - what comes back: header lines, the body on its way to the sink or to memory, and what
 * libcurl's code means for the question that matters, whether the request may have been carried
 * out.
 *
 * Only a request that never came as far as sending is NOT_SENT. An answer whose header was whole
 * but whose body ended early is TRUNCATED; anything between is LOST. A verdict that a callback of
 * ours left counts before libcurl's code, which then only says "aborted by a callback".
 */
#include "net/inner.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_MS_MAX (30 * 24 * 3600 * INT64_C(1000))

static int is_success(const struct hop *hop)
{
    return hop->status >= 200 && hop->status < 300;
}

static int uses_sink(const struct hop *hop)
{
    return is_success(hop) && hop->call->sink.write;
}

static size_t text_max(const struct hop *hop)
{
    return is_success(hop) ? LIMIT_TEXT_BYTES : NET_TEXT_BYTES_OTHER;
}

/* ---- header ---- */

/* "HTTP/1.1 200 OK": a new answer; those with 1xx come before the real one. */
static void begin_answer(struct hop *hop, const char *line, size_t len)
{
    const char *at = memchr(line, ' ', len);

    hop->status = 0;
    hop->is_chunked = 0;
    hop->length = -1;
    hop->retry_after_ms = -1;
    hop->is_retry_exact = 0;
    hop->content_type[0] = '\0';
    hop->request_id[0] = '\0';
    hop->crc64_text[0] = '\0';
    for (int i = 1; at && i <= 3 && at + i < line + len && isdigit((unsigned char)at[i]); i++)
        hop->status = hop->status * 10 + (at[i] - '0');
}

/* Digits and at most one fraction, in `unit_ms`; -1 when it is something else. */
static int64_t read_wait(const char *text, int64_t unit_ms)
{
    char *end;
    double value;

    if (!isdigit((unsigned char)*text))
        return -1;
    value = strtod(text, &end);
    if (*end || value < 0)
        return -1;
    value *= (double)unit_ms;
    return value > (double)RETRY_MS_MAX ? RETRY_MS_MAX : (int64_t)value;
}

static int64_t read_date(const struct hop *hop, const char *text)
{
    time_t at = curl_getdate(text, NULL);
    int64_t wait_ms;

    if (at == (time_t)-1)
        return -1;
    wait_ms = (int64_t)at * 1000 - env_wall_ms(hop->call->net->env);
    if (wait_ms < 0)
        return 0;
    return wait_ms > RETRY_MS_MAX ? RETRY_MS_MAX : wait_ms;
}

static void copy_value(char *into, size_t size, const char *value)
{
    size_t len = strlen(value);

    if (len >= size)
        len = size - 1;
    for (size_t i = 0; i < len; i++)
        into[i] = value[i] >= 0x20 && value[i] < 0x7f ? value[i] : '?';
    into[len] = '\0';
}

static void take_field(struct hop *hop, const char *name, const char *value)
{
    const char *crc64 = hop->call->request->crc64_header;

    if (crc64 && strcasecmp(name, crc64) == 0)
        copy_value(hop->crc64_text, sizeof(hop->crc64_text), value);
    if (strcasecmp(name, "content-type") == 0) {
        copy_value(hop->content_type, sizeof(hop->content_type), value);
    } else if (strcasecmp(name, "x-request-id") == 0) {
        copy_value(hop->request_id, sizeof(hop->request_id), value);
    } else if (strcasecmp(name, "content-length") == 0) {
        char *end;
        long long length = strtoll(value, &end, 10);

        if (isdigit((unsigned char)*value) && *end == '\0')
            hop->length = length;
    } else if (strcasecmp(name, "transfer-encoding") == 0) {
        hop->is_chunked = 1;
    } else if (strcasecmp(name, "retry-after-ms") == 0) {
        int64_t wait_ms = read_wait(value, 1);

        hop->is_retry_exact = wait_ms >= 0;
        if (wait_ms >= 0)
            hop->retry_after_ms = wait_ms;
    } else if (strcasecmp(name, "retry-after") == 0 && !hop->is_retry_exact) {
        hop->retry_after_ms = read_wait(value, 1000);
        if (hop->retry_after_ms < 0)
            hop->retry_after_ms = read_date(hop, value);
    }
}

/* Cuts "name: value" in two; long lines are none of those that are read here. */
static void read_field(struct hop *hop, const char *line, size_t len)
{
    char text[512];
    char *value;

    while (len > 0 && isspace((unsigned char)line[len - 1]))
        len--;
    if (len >= sizeof(text))
        return;
    memcpy(text, line, len);
    text[len] = '\0';
    value = strchr(text, ':');
    if (!value)
        return;
    *value++ = '\0';
    value += strspn(value, " \t");
    take_field(hop, text, value);
}

static int too_large(struct hop *hop, const char *what)
{
    net_hop_verdict(hop, HTTP_TOO_LARGE, "%s: %s", hop->call->target.host, what);
    return -1;
}

static uint64_t file_max(const struct hop *hop)
{
    uint64_t max = hop->call->request->file_bytes_max;

    return max ? max : LIMIT_VIDEO_BYTES;
}

static int end_of_head(struct hop *hop)
{
    struct net_call *call = hop->call;
    struct http_reply reply;

    hop->is_head_whole = 1;
    if (hop->is_chunked)
        hop->length = -1;
    if (!is_success(hop) || strcmp(call->request->method, "HEAD") == 0)
        return 0;
    if (call->request->answer == HTTP_ANSWER_FILE && hop->length >= 0 &&
        (uint64_t)hop->length > file_max(hop))
        return too_large(hop, "the file is larger than the limit");
    if (!call->sink.write && hop->length > (int64_t)LIMIT_TEXT_BYTES)
        return too_large(hop, "the answer is larger than the limit");
    if (call->sink.begin && uses_sink(hop)) {
        answer_reply(hop, &reply);
        if (call->sink.begin(call->sink.ud, &reply)) {
            net_hop_verdict(hop, HTTP_SINK, "the answer could not be taken");
            return -1;
        }
    }
    return 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *ud)
{
    struct hop *hop = ud;
    size_t len = size * count;

    if (hop->has_verdict)
        return 0;
    hop->header_bytes += len;
    if (hop->header_bytes > LIMIT_HEADER_BYTES) {
        too_large(hop, "the header of the answer is larger than the limit");
        return 0;
    }
    if (hop->is_head_whole)
        return len; /* a trailer */
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
        begin_answer(hop, line, len);
    else if (len <= 2 && hop->status >= 200)
        return end_of_head(hop) || hop->has_verdict ? 0 : len;
    else
        read_field(hop, line, len);
    return len;
}

/* ---- body ---- */

static int keep_text(struct hop *hop, const char *data, size_t len)
{
    size_t room = hop->text.max - hop->text.len;
    int rc;

    if (len > room && !is_success(hop)) {
        /* Enough is here to say what went wrong. */
        rc = buf_add(&hop->text, data, room);
        if (rc == 0)
            net_hop_verdict(hop, HTTP_ANSWERED, "%s", "");
        return -1;
    }
    rc = buf_add(&hop->text, data, len);
    if (rc == BUF_TOO_LARGE)
        too_large(hop, "the answer is larger than the limit");
    else if (rc)
        net_hop_verdict(hop, HTTP_TRUNCATED, "out of memory");
    return rc;
}

static size_t on_body(char *data, size_t size, size_t count, void *ud)
{
    struct hop *hop = ud;
    struct net_call *call = hop->call;
    size_t len = size * count;

    if (hop->has_verdict)
        return 0;
    hop->text.max = text_max(hop);
    hop->bytes_received += len;
    if (!uses_sink(hop))
        return keep_text(hop, data, len) ? 0 : len;
    if (call->request->answer == HTTP_ANSWER_FILE && hop->bytes_received > file_max(hop)) {
        too_large(hop, "the file is larger than the limit");
        return 0;
    }
    if (call->sink.write(call->sink.ud, data, len)) {
        net_hop_verdict(hop, HTTP_SINK, "the answer could not be taken");
        return 0;
    }
    return hop->has_verdict ? 0 : len; /* cancelled inside the sink */
}

int answer_apply(struct hop *hop)
{
    CURL *easy = hop->easy;

    return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) ||
                   curl_easy_setopt(easy, CURLOPT_HEADERDATA, hop) ||
                   curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) ||
                   curl_easy_setopt(easy, CURLOPT_WRITEDATA, hop)
               ? -1
               : 0;
}

/* ---- the end ---- */

/* libcurl's own words for failures before anything was sent: hosts and certificates, no URL. */
static const char *reason(const struct hop *hop)
{
    return hop->curl_text[0] ? hop->curl_text : curl_easy_strerror(hop->code);
}

void answer_outcome(struct hop *hop)
{
    const char *host = hop->call->target.host;
    curl_off_t up = 0;

    if (hop->easy)
        curl_easy_getinfo(hop->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    hop->bytes_sent = (uint64_t)up;
    if (hop->has_verdict)
        return;
    if (hop->code == CURLE_OK && hop->is_head_whole)
        net_hop_verdict(hop, HTTP_ANSWERED, "%s", "");
    else if (hop->sends == 0 &&
             (hop->code == CURLE_URL_MALFORMAT || hop->code == CURLE_UNSUPPORTED_PROTOCOL))
        net_hop_verdict(hop, HTTP_REFUSED, "%s: not a URL that can be fetched", host);
    else if (hop->sends == 0)
        net_hop_verdict(hop, HTTP_NOT_SENT, "%s: no connection (%s)", host, reason(hop));
    else if (hop->is_head_whole)
        net_hop_verdict(hop, HTTP_TRUNCATED, "%s: the answer ended early (%s)", host,
                        curl_easy_strerror(hop->code));
    else if (hop->code == CURLE_OUT_OF_MEMORY && hop->status)
        /* This is also how libcurl says that one line is longer than it can take. */
        net_hop_verdict(hop, HTTP_TOO_LARGE, "%s: the header of the answer is too large", host);
    else
        net_hop_verdict(hop, HTTP_LOST, "%s: the connection ended before the answer (%s)", host,
                        curl_easy_strerror(hop->code ? hop->code : CURLE_GOT_NOTHING));
}

/* Does what the answer says of the body's CRC-64 agree with what was sent? */
static enum http_crc64 compare_crc64(const struct hop *hop)
{
    const struct net_call *call = hop->call;
    char sent[24];

    if (!hop->crc64_text[0] || !call->request->body_path)
        return HTTP_CRC64_UNTOLD;
    snprintf(sent, sizeof(sent), "%llu", (unsigned long long)call->crc64);
    return strcmp(sent, hop->crc64_text) == 0 ? HTTP_CRC64_SAME : HTTP_CRC64_DIFFERS;
}

void answer_reply(struct hop *hop, struct http_reply *ret_reply)
{
    memset(ret_reply, 0, sizeof(*ret_reply));
    ret_reply->outcome = hop->verdict;
    ret_reply->status = hop->status;
    ret_reply->content_type = hop->content_type;
    ret_reply->request_id = hop->request_id;
    ret_reply->retry_after_ms = hop->retry_after_ms;
    ret_reply->length = hop->length;
    ret_reply->text = hop->text.data ? hop->text.data : "";
    ret_reply->text_len = hop->text.len;
    ret_reply->crc64 = compare_crc64(hop);
    ret_reply->bytes_sent = hop->bytes_sent;
    ret_reply->bytes_received = hop->bytes_received;
    ret_reply->error = hop->verdict == HTTP_ANSWERED ? NULL : hop->error;
}
