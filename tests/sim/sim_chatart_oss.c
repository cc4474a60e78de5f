/*
 * The storage host of provider "chatart": temporary credentials, and PUT of one object with the
 * header form of signature version 4, checked byte for byte; answers as object storage gives them.
 */
#include "sim_chatart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nettle/hmac.h>
#include <nettle/sha2.h>

#define SKEW_S_MAX 900
#define URI_MAX    2048
#define SCHEME     "OSS4-HMAC-SHA256"

static void hex(const uint8_t *raw, char out[65])
{
    for (size_t i = 0; i < SHA256_DIGEST_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

static void refuse_xml(struct sim_request *r, unsigned status, const char *code,
                       const char *message)
{
    char text[1024];
    struct sim_body *b = sim_body_new();

    snprintf(text, sizeof text,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n  <Code>%s</Code>\n"
             "  <Message>%s</Message>\n  <RequestId>SIM%llX</RequestId>\n</Error>\n",
             code, message, (unsigned long long)r->sim->ids);
    sim_body_add_text(b, text);
    sim_answer_body_take(r, status, "application/xml", b);
}

void chatart_upload_policy(struct sim_request *r)
{
    char id[64], secret[64], token[64], until[32], origin[64];
    unsigned long long n = ++r->sim->ids;
    time_t end = (time_t)(sim_wall_s() + r->settings.chatart_policy_s);
    struct tm tm;

    snprintf(id, sizeof id, "STS.Sim%06llX", n);
    snprintf(secret, sizeof secret, "SimSecret%llX",
             (unsigned long long)sim_hash_mix(n, (uint64_t)r->sim->started_ms));
    snprintf(token, sizeof token, "SimToken%llX==", n);
    gmtime_r(&end, &tm);
    strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_object_set_new(r->sim->chatart->credentials, id,
                        json_pack("{s:s,s:s,s:I}", "secret", secret, "token", token, "until",
                                  (json_int_t)end));
    chatart_origin(r, origin, sizeof origin);
    chatart_answer_take(
        r, json_pack("{s:{s:s,s:s,s:s,s:s,s:s,s:s,s:o}}", "Credentials", "AccessKeyId", id,
                     "AccessKeySecret", secret, "SecurityToken", token, "Expiration", until,
                     "region", "oss-" CHATART_REGION, "bucket", CHATART_BUCKET, "ossShowDomain",
                     json_sprintf("%s/oss/" CHATART_BUCKET "/", origin)));
}

/* Undoes percent-encoding, then does it again the one right way. */
static int canonical_uri(const char *path, char *out, size_t size)
{
    size_t n = 0;

    for (const char *p = path; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '%') {
            char two[3] = {p[1], p[1] ? p[2] : '\0', '\0'}, *end;
            c = (unsigned char)strtol(two, &end, 16);
            if (end != two + 2)
                return -1;
            p += 2;
        }
        if (n + 4 > size)
            return -1;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            strchr("-_.~/", c))
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, 4, "%%%02X", c);
    }
    out[n] = '\0';
    return 0;
}

static void sign(const char *secret, const char *date, const char *text, char out[65])
{
    const char *steps[] = {date, CHATART_REGION, "oss", "aliyun_v4_request", text};
    char start[96];
    uint8_t key[SHA256_DIGEST_SIZE];
    struct hmac_sha256_ctx h;

    snprintf(start, sizeof start, "aliyun_v4%s", secret);
    hmac_sha256_set_key(&h, strlen(start), (const uint8_t *)start);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        hmac_sha256_update(&h, strlen(steps[i]), (const uint8_t *)steps[i]);
        hmac_sha256_digest(&h, sizeof key, key);
        hmac_sha256_set_key(&h, sizeof key, key);
    }
    hex(key, out);
}

/* The canonical request's hash over the headers that were really sent. */
static int request_hash(struct sim_request *r, json_t *headers, char out[65])
{
    char uri[URI_MAX];
    const char *name;
    json_t *value, *signed_ones = json_object();
    struct sim_buf b = {0};
    struct sha256_ctx hash;
    uint8_t raw[SHA256_DIGEST_SIZE];

    if (canonical_uri(r->path + strlen("/oss"), uri, sizeof uri) != 0) {
        json_decref(signed_ones);
        return -1;
    }
    json_object_foreach(headers, name, value)
    {
        if (strncmp(name, "x-oss-", 6) == 0 || strcmp(name, "content-type") == 0 ||
            strcmp(name, "content-md5") == 0)
            json_object_set(signed_ones, name, value);
    }
    sim_buf_printf(&b, "PUT\n%s\n\n", uri);
    char *sorted = json_dumps(signed_ones, JSON_SORT_KEYS | JSON_COMPACT);
    json_t *in_order = json_loads(sorted, 0, NULL); /* jansson keeps the order it reads */
    json_object_foreach(in_order, name, value)
        sim_buf_printf(&b, "%s:%s\n", name, json_string_value(value));
    sim_buf_printf(&b, "\n\nUNSIGNED-PAYLOAD");
    free(sorted);
    json_decref(in_order);
    json_decref(signed_ones);
    sha256_init(&hash);
    sha256_update(&hash, b.len, b.data);
    sha256_digest(&hash, sizeof raw, raw);
    hex(raw, out);
    sim_buf_free(&b);
    return 0;
}

static const char *header(const json_t *headers, const char *name)
{
    const char *v = json_string_value(json_object_get(headers, name));
    return v ? v : "";
}

/* NULL when the request is signed well, else the code of the error. */
static const char *check(struct sim_request *r, json_t *headers)
{
    char id[64], date[16], want[320], hash[65], scope[96], text[384], signature[65];
    const char *authorization = header(headers, "authorization");
    const char *stamp = header(headers, "x-oss-date");
    struct tm tm = {0};

    if (sscanf(authorization, SCHEME " Credential=%63[^/]/%15[0-9]/", id, date) != 2)
        return "AccessDenied";
    json_t *c = json_object_get(r->sim->chatart->credentials, id);
    if (!c)
        return "InvalidAccessKeyId";
    if (strcmp(header(headers, "x-oss-security-token"),
               json_string_value(json_object_get(c, "token"))) != 0)
        return "InvalidSecurityToken";
    if (json_integer_value(json_object_get(c, "until")) <= sim_wall_s())
        return "SecurityTokenExpired";
    const char *end = strptime(stamp, "%Y%m%dT%H%M%SZ", &tm);
    if (!end || *end || strncmp(stamp, date, 8) != 0 || strlen(date) != 8)
        return "InvalidArgument";
    if (llabs((long long)timegm(&tm) - (long long)sim_wall_s()) > SKEW_S_MAX)
        return "RequestTimeTooSkewed";
    if (strcmp(header(headers, "x-oss-content-sha256"), "UNSIGNED-PAYLOAD") != 0 ||
        request_hash(r, headers, hash) != 0)
        return "InvalidArgument";
    snprintf(scope, sizeof scope, "%s/%s/oss/aliyun_v4_request", date, CHATART_REGION);
    snprintf(text, sizeof text, SCHEME "\n%s\n%s\n%s", stamp, scope, hash);
    sign(json_string_value(json_object_get(c, "secret")), date, text, signature);
    snprintf(want, sizeof want, SCHEME " Credential=%s/%s,Signature=%s", id, scope, signature);
    return strcmp(want, authorization) == 0 ? NULL : "SignatureDoesNotMatch";
}

void chatart_oss_put(struct sim_request *r)
{
    char key[URI_MAX], text[32];
    json_t *headers = sim_request_headers_raw(r);
    const char *wrong = check(r, headers);
    uint64_t crc = r->body_crc64;

    json_decref(headers);
    if (wrong) {
        refuse_xml(r, 403, wrong, "The request is refused.");
        return;
    }
    (void)canonical_uri(r->path + strlen("/oss/"), key, sizeof key);
    snprintf(text, sizeof text, "%llu", (unsigned long long)crc);
    json_object_set_new(
        r->sim->chatart->objects, key,
        json_pack("{s:I,s:s,s:s,s:s,s:s,s:i,s:i}", "bytes", (json_int_t)r->body_bytes, "sha256",
                  r->body_sha256, "crc64", text, "type",
                  r->body_sniff.type ? r->body_sniff.type : "", "content_type",
                  sim_request_header(r, "Content-Type") ? sim_request_header(r, "Content-Type")
                                                        : "",
                  "width", r->body_sniff.width, "height", r->body_sniff.height));
    sim_answer_body_take(r, 200, "", sim_body_new());
    sim_answer_header(r, "ETag", "\"SIM\"");
    sim_answer_header(r, "x-oss-request-id", "SIM");
    if (strcmp(r->settings.chatart_crc, "wrong") == 0)
        snprintf(text, sizeof text, "%llu", (unsigned long long)(crc ^ 1));
    if (strcmp(r->settings.chatart_crc, "none") != 0)
        sim_answer_header(r, "x-oss-hash-crc64ecma", text);
}

bool chatart_is_upload(struct sim_request *r, const char *url, const json_t **ret_object)
{
    char start[96];

    chatart_origin(r, start, sizeof start - 5);
    strncat(start, "/oss/", sizeof start - strlen(start) - 1);
    if (strncmp(url, start, strlen(start)) != 0)
        return false;
    *ret_object = json_object_get(r->sim->chatart->objects, url + strlen(start));
    return true;
}
