/*
 * An answer's body; see sim_body.h. Reading keeps no state: any position can be read at any time,
 * base64 included, because four characters always stand for the same three bytes.
 */
#include "sim_body.h"

#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>

#define RAW_STEP 3072 /* bytes encoded at once; a multiple of three */

enum piece_kind { PIECE_BYTES, PIECE_MEDIA, PIECE_BASE64, PIECE_REPEAT };

struct piece {
    enum piece_kind kind;
    uint64_t size;
    struct sim_buf bytes;
    struct sim_media *media;
    char byte;
};

struct sim_body {
    struct piece *pieces;
    size_t count;
    uint64_t size;
};

struct sim_body *sim_body_new(void)
{
    return sim_alloc(sizeof(struct sim_body));
}

void sim_body_free(struct sim_body *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->count; i++) {
        sim_buf_free(&b->pieces[i].bytes);
        sim_media_unref(b->pieces[i].media);
    }
    free(b->pieces);
    free(b);
}

static struct piece *piece_new(struct sim_body *b, enum piece_kind kind, uint64_t size)
{
    b->pieces = sim_realloc(b->pieces, (b->count + 1) * sizeof *b->pieces);
    struct piece *p = &b->pieces[b->count++];
    memset(p, 0, sizeof *p);
    p->kind = kind;
    p->size = size;
    b->size += size;
    return p;
}

void sim_body_add_text(struct sim_body *b, const char *text)
{
    sim_body_add_bytes(b, text, strlen(text));
}

void sim_body_add_bytes(struct sim_body *b, const void *data, size_t len)
{
    sim_buf_add(&piece_new(b, PIECE_BYTES, len)->bytes, data, len);
}

void sim_body_add_media_take(struct sim_body *b, struct sim_media *m, bool base64)
{
    uint64_t size = sim_media_size(m);
    if (base64)
        piece_new(b, PIECE_BASE64, (size + 2) / 3 * 4)->media = m;
    else
        piece_new(b, PIECE_MEDIA, size)->media = m;
}

void sim_body_add_repeat(struct sim_body *b, char byte, uint64_t count)
{
    piece_new(b, PIECE_REPEAT, count)->byte = byte;
}

uint64_t sim_body_size(const struct sim_body *b)
{
    return b->size;
}

static size_t base64_read(const struct sim_media *m, uint64_t pos, char *buf, size_t max)
{
    unsigned char raw[RAW_STEP];
    char four[4];
    size_t skip = (size_t)(pos % 4);
    uint64_t offset = pos / 4 * 3;

    if (skip || max < 4) {
        size_t n = sim_media_read(m, offset, raw, 3);
        base64_encode_raw(four, n, raw);
        n = 4 - skip < max ? 4 - skip : max;
        memcpy(buf, four + skip, n);
        return n;
    }
    size_t want = max / 4 * 3;
    size_t n = sim_media_read(m, offset, raw, want < RAW_STEP ? want : RAW_STEP);
    base64_encode_raw(buf, n, raw);
    return BASE64_ENCODE_RAW_LENGTH(n);
}

static size_t piece_read(const struct piece *p, uint64_t pos, char *buf, size_t max)
{
    uint64_t left = p->size - pos;
    size_t n = left < max ? (size_t)left : max;

    switch (p->kind) {
    case PIECE_BYTES:
        memcpy(buf, p->bytes.data + pos, n);
        return n;
    case PIECE_MEDIA:
        return sim_media_read(p->media, pos, buf, n);
    case PIECE_BASE64:
        return base64_read(p->media, pos, buf, n);
    case PIECE_REPEAT:
        memset(buf, p->byte, n);
        return n;
    }
    return 0;
}

size_t sim_body_read(const struct sim_body *b, uint64_t pos, char *buf, size_t max)
{
    size_t done = 0;
    uint64_t start = 0;

    for (size_t i = 0; i < b->count && done < max; i++) {
        const struct piece *p = &b->pieces[i];
        while (done < max && pos + done < start + p->size)
            done += piece_read(p, pos + done - start, buf + done, max - done);
        start += p->size;
    }
    return done;
}
