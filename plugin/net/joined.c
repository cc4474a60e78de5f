/*
 * joined.c - a body made of texts and local files, the files as data URLs (http.h, parts_joined):
 * so pictures travel inside JSON without ever being in memory. What stands at an offset of the body
 * is computed from the offset alone, which makes sending it again from the start trivial.
 */
#include "net/inner.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX_MAX (LIMIT_MIME + 32)

static size_t prefix_of(const struct http_part *part, char ret_text[PREFIX_MAX])
{
    int len = snprintf(ret_text, PREFIX_MAX, "data:%.*s;base64,", LIMIT_MIME,
                       part->mime ? part->mime : "application/octet-stream");

    return (size_t)len;
}

static uint64_t part_size(const struct http_part *part, const struct body_file *file)
{
    char prefix[PREFIX_MAX];

    if (!file)
        return part->text ? strlen(part->text) : 0;
    return prefix_of(part, prefix) + (file->size + 2) / 3 * 4;
}

static uint64_t joined_size(const struct net_call *call)
{
    uint64_t size = 0;
    size_t files = 0;

    for (size_t i = 0; i < call->request->parts_count; i++) {
        const struct http_part *part = &call->request->parts[i];

        size += part_size(part, part->path ? &call->files[files++] : NULL);
    }
    return size;
}

/* Encoded bytes of a file from `at` on; 0 when the file cannot be read as it was. */
static size_t read_base64(const struct body_file *file, uint64_t at, char *into, size_t want)
{
    uint8_t raw[3 * 1024];
    char encoded[4 * 1024];
    uint64_t group = at / 4;
    size_t skip = (size_t)(at % 4);
    uint64_t left = file->size - group * 3;
    size_t take = left < sizeof(raw) ? (size_t)left : sizeof(raw);
    size_t len;

    if (pread(file->fd, raw, take, (off_t)(group * 3)) != (ssize_t)take)
        return 0;
    len = BASE64_ENCODE_RAW_LENGTH(take);
    base64_encode_raw(encoded, take, raw);
    len -= skip;
    if (len > want)
        len = want;
    memcpy(into, encoded + skip, len);
    return len;
}

static size_t read_part(const struct http_part *part, const struct body_file *file, uint64_t at,
                        char *into, size_t want)
{
    char prefix[PREFIX_MAX];
    const char *text = part->text ? part->text : "";
    size_t len = file ? prefix_of(part, prefix) : strlen(text);

    if (file && at >= len)
        return read_base64(file, at - len, into, want);
    len -= (size_t)at;
    if (len > want)
        len = want;
    memcpy(into, (file ? prefix : text) + at, len);
    return len;
}

/* What stands at `at`, up to `want` bytes; 0 only when a file has changed. */
static size_t read_at(const struct net_call *call, uint64_t at, char *into, size_t want)
{
    size_t files = 0;

    for (size_t i = 0; i < call->request->parts_count; i++) {
        const struct http_part *part = &call->request->parts[i];
        const struct body_file *file = part->path ? &call->files[files++] : NULL;
        uint64_t size = part_size(part, file);

        if (at < size)
            return read_part(part, file, at, into, want);
        at -= size;
    }
    return 0;
}

static size_t on_read(char *into, size_t size, size_t count, void *ud)
{
    struct hop *hop = ud;
    size_t want = size * count;
    size_t done = 0;

    while (done < want && hop->joined_at < hop->joined_bytes) {
        size_t got = read_at(hop->call, hop->joined_at, into + done, want - done);

        if (got == 0) {
            net_hop_verdict(hop, HTTP_LOST, "a file changed while it was being sent");
            return CURL_READFUNC_ABORT;
        }
        hop->joined_at += got;
        done += got;
    }
    return done;
}

static int on_seek(void *ud, curl_off_t offset, int origin)
{
    struct hop *hop = ud;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > hop->joined_bytes)
        return CURL_SEEKFUNC_FAIL;
    hop->joined_at = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

#define SET(option, value) (void)(code = code ? code : curl_easy_setopt(easy, option, value))

CURLcode joined_apply(struct hop *hop)
{
    CURL *easy = hop->easy;
    CURLcode code = CURLE_OK;

    hop->joined_at = 0;
    hop->joined_bytes = joined_size(hop->call);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, NULL);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)hop->joined_bytes);
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, hop);
    SET(CURLOPT_SEEKFUNCTION, on_seek);
    SET(CURLOPT_SEEKDATA, hop);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    return code;
}
