/*
 * http.h - an HTTP exchange as data: what adapters build and read, what net/ carries out. Nothing
 * here does anything. All pointers of a request are borrowed; an adapter puts them into its step's
 * arena.
 *
 * Secrets travel by reference: a header value holds "{{key}}", and net/ puts the value in only when
 * the request goes to an origin that belongs to the provider.
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

/* May the request be sent again when its answer was lost? */
enum http_effect {
    HTTP_READS,  /* yes, freely */
    HTTP_WRITES, /* yes: the same again changes nothing more (upload, cancel) */
    HTTP_SPENDS, /* never by itself: it may have cost money */
};

struct http_header {
    const char *name;
    const char *value; /* may hold "{{name}}" of a secret */
};

/* A part of a multipart/form-data body: a text, or a local file that is streamed. */
struct http_part {
    const char *name;
    const char *text;     /* or NULL */
    const char *path;     /* or NULL; inside the allowed roots, checked by who built the request */
    const char *filename; /* with path */
    const char *mime;     /* with path: from the bytes */
    int secret;           /* 1: text is "{{name}}" of a secret, resolved at home and refused elsewhere */
};

/* What to do with the body of a successful answer. */
enum http_answer {
    HTTP_ANSWER_TEXT,  /* keep it in memory, at most LIMIT_TEXT_BYTES */
    HTTP_ANSWER_MEDIA, /* the same, but base64 in it goes to files (media/spill.h) */
    HTTP_ANSWER_FILE,  /* it is the file */
};

struct http_request {
    enum http_effect effect;
    enum http_answer answer;
    const char *method;
    const char *url;
    struct http_header headers[LIMIT_HEADERS];
    size_t headers_count;
    /* What every secret of this request begins with, or it is not sent at all; NULL: anything. */
    const char *secret_prefix;

    /* At most one kind of body: text, parts, or a file. */
    const char *body; /* with its Content-Type in headers */
    size_t body_len;
    const char *body_path;
    /* With body_path: the answer's header that tells the CRC-64 of what arrived; NULL: none. */
    const char *crc64_header;
    struct http_part parts[LIMIT_PARTS];
    size_t parts_count;
    /*
     * 1: the parts are no form; the body is their bytes one after another, a text as it is and a
     * file as "data:MIME;base64,...". So local files travel inside JSON without being held in
     * memory.
     */
    int parts_joined;

    /* Where it may go, after redirects too; a leading dot allows all below it. None: anywhere. */
    const char *const *hosts;
    size_t hosts_count;

    int64_t timeout_ms;     /* for the whole exchange; 0: only a stall ends it */
    uint64_t file_bytes_max; /* of HTTP_ANSWER_FILE */
};

/* How an exchange ended. What matters most is whether the request may have been carried out. */
enum http_outcome {
    HTTP_ANSWERED,  /* a complete answer, whatever its status */
    HTTP_NOT_SENT,  /* no byte of the request left: no name, no connection, no TLS */
    HTTP_LOST,      /* it may have arrived; there is no complete answer */
    HTTP_TRUNCATED, /* the answer began but its body ended early */
    HTTP_REFUSED,   /* our policy: address, scheme, redirect */
    HTTP_TOO_LARGE, /* past a limit of limits.h */
    HTTP_SINK,      /* the receiver of the body gave up; its own error says why */
    HTTP_CANCELLED,
};

/* What the answer said of the body's CRC-64, see http_request.crc64_header. */
enum http_crc64 {
    HTTP_CRC64_UNTOLD,
    HTTP_CRC64_SAME,
    HTTP_CRC64_DIFFERS,
};

struct http_reply {
    enum http_outcome outcome;
    int sent;                    /* 0: no byte of the request has left, whatever the outcome */
    int status;                  /* 0 when there was none */
    const char *content_type;    /* "" when there was none */
    const char *request_id;      /* x-request-id, or "" */
    int64_t retry_after_ms;      /* -1: none; Retry-After in seconds or as a date, retry-after-ms */
    int64_t length;              /* Content-Length, -1: none */
    const char *text;            /* the body kept in memory; ends in NUL */
    size_t text_len;
    unsigned blobs;              /* files made of base64 in the text, named by SPILL_MARK and number */
    enum http_crc64 crc64;
    uint64_t bytes_sent;         /* of the body */
    uint64_t bytes_received;
    const char *error;           /* one sentence unless outcome is HTTP_ANSWERED */
};

#endif
