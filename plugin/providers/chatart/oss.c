/*
 * oss.c - signature version 4 of the object storage that ChatArt uploads go to, in its header form,
 * for a PUT of one object. Facts: the vendor's public description of signature V4; the test vector
 * in tests/unit/test_chatart_upload.c. The payload is not part of the signature (UNSIGNED-PAYLOAD),
 * so a file can be streamed.
 */
#include "providers/chatart/chatart.h"

#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SCHEME "OSS4-HMAC-SHA256"
#define KIND   "aliyun_v4_request"

#define STEM_BYTES_MAX 60
#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

static void to_hex(const uint8_t *raw, size_t len, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[raw[i] >> 4];
        ret_text[2 * i + 1] = digits[raw[i] & 15];
    }
    ret_text[2 * len] = '\0';
}

static void hash(const char *text, size_t len, uint8_t ret_raw[SHA256_DIGEST_SIZE])
{
    struct sha256_ctx context;

    sha256_init(&context);
    sha256_update(&context, len, (const uint8_t *)text);
    sha256_digest(&context, SHA256_DIGEST_SIZE, ret_raw);
}

char *oss_canonical_uri(struct arena *arena, const struct oss_put *put)
{
    char *raw = arena_format(arena, "/%s/%s", put->bucket, put->object);
    char *uri = raw ? arena_alloc(arena, strlen(raw) * 3 + 1) : NULL;
    size_t len = 0;

    for (const char *at = raw; uri && *at; at++) {
        if (strchr(PLAIN "~/", *at)) {
            uri[len++] = *at;
        } else {
            snprintf(uri + len, 4, "%%%02X", (unsigned char)*at);
            len += 3;
        }
    }
    return uri;
}

static char *canonical_request(struct arena *arena, const struct oss_put *put)
{
    char *uri = oss_canonical_uri(arena, put);

    return uri ? arena_format(arena,
                              "PUT\n%s\n\n"
                              "content-type:%s\n"
                              "x-oss-content-sha256:UNSIGNED-PAYLOAD\n"
                              "x-oss-date:%s\n"
                              "x-oss-security-token:%s\n"
                              "\n\nUNSIGNED-PAYLOAD",
                              uri, put->mime, put->time, put->token)
               : NULL;
}

/* secret -> date -> region -> service -> request -> the text that is signed */
static void sign(const char *start, const char *const *links, size_t count,
                 uint8_t ret_raw[SHA256_DIGEST_SIZE])
{
    struct hmac_sha256_ctx context;

    hmac_sha256_set_key(&context, strlen(start), (const uint8_t *)start);
    for (size_t i = 0; i < count; i++) {
        hmac_sha256_update(&context, strlen(links[i]), (const uint8_t *)links[i]);
        hmac_sha256_digest(&context, SHA256_DIGEST_SIZE, ret_raw);
        hmac_sha256_set_key(&context, SHA256_DIGEST_SIZE, ret_raw);
    }
    explicit_bzero(&context, sizeof(context));
}

int oss_sign(struct arena *arena, const struct oss_put *put, char ret_request[OSS_SIGNATURE_BYTES],
             char ret_signature[OSS_SIGNATURE_BYTES])
{
    char *canonical = canonical_request(arena, put);
    char *start = arena_format(arena, "aliyun_v4%s", put->secret);
    char *date = arena_text_n(arena, put->time, strcspn(put->time, "T"));
    uint8_t raw[SHA256_DIGEST_SIZE];
    char *text;

    if (!canonical || !start || !date)
        return -1;
    hash(canonical, strlen(canonical), raw);
    to_hex(raw, sizeof(raw), ret_request);
    text = arena_format(arena, SCHEME "\n%s\n%s/%s/oss/" KIND "\n%s", put->time, date, put->region,
                        ret_request);
    if (text) {
        const char *const links[] = {date, put->region, "oss", KIND, text};

        sign(start, links, sizeof(links) / sizeof(*links), raw);
        to_hex(raw, sizeof(raw), ret_signature);
    }
    explicit_bzero(start, strlen(start));
    return text ? 0 : -1;
}

char *oss_authorization(struct arena *arena, const struct oss_put *put)
{
    char request[OSS_SIGNATURE_BYTES];
    char signature[OSS_SIGNATURE_BYTES];

    if (oss_sign(arena, put, request, signature))
        return NULL;
    return arena_format(arena, SCHEME " Credential=%s/%.8s/%s/oss/" KIND ",Signature=%s",
                        put->key_id, put->time, put->region, signature);
}

void oss_time(int64_t now_ms, char ret_text[20])
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm parts;

    if (!gmtime_r(&now, &parts) || strftime(ret_text, 20, "%Y%m%dT%H%M%SZ", &parts) == 0)
        ret_text[0] = '\0';
}

char *oss_object(struct arena *arena, const char *prefix, const char *path, const char *salt,
                 int64_t now_ms)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *seed = arena_format(arena, "%s|%s|%lld", salt, path, (long long)now_ms);
    size_t len = strlen(name);
    char *stem;
    uint8_t raw[SHA256_DIGEST_SIZE];
    char digits[17];
    char day[20];

    if (len > STEM_BYTES_MAX) /* the end has the extension */
        name += len - STEM_BYTES_MAX;
    stem = arena_text(arena, name);
    if (!seed || !stem)
        return NULL;
    for (char *at = stem; *at; at++)
        if (!strchr(PLAIN, *at))
            *at = '_';
    hash(seed, strlen(seed), raw);
    to_hex(raw, 8, digits);
    oss_time(now_ms, day);
    return arena_format(arena, "%s/%.8s/%s_%s", prefix, day, digits, stem);
}
