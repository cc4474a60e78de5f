/*
 * spill.c - see spill.h.
 *
 * The text is read as symbols: a byte or a JSON escape, each a base64 letter, padding, blank, line
 * break, quote or something else. Three states:
 *
 *   TEXT  everything is kept. The letters since `run_at` are a candidate: they stand in the kept
 *         text and, as values, in `letters`. At LIMIT_SPILL_RUN of them the kept text is cut back
 *         to `run_at`, gets the mark, and RUN begins with those letters.
 *   RUN   letters are decoded. A gap (line break and blanks) is held back, because only what
 *         follows it says whether it belongs to the run.
 *   TAIL  the run is closed; white space is held back until something else follows.
 *
 * Only the inner loop of RUN (decode_many) is written for speed: four letters become three bytes by
 * four table lookups. The tables live in the spill, so that the file has no mutable globals.
 */
#include "media/spill.h"

#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* A line break continues a run only after so many letters: more than words, less than lines. */
#define LINE_LETTERS_MIN 32
#define GAP_BYTES_MAX 64
/* "\u002f" */
#define ESCAPE_BYTES 6
/* The longest candidate as it stands in the text: all letters escaped, all gaps full. */
#define CANDIDATE_BYTES_MAX                                                                        \
    (LIMIT_SPILL_RUN * ESCAPE_BYTES + (LIMIT_SPILL_RUN / LINE_LETTERS_MIN + 1) * GAP_BYTES_MAX)
/* A multiple of 3, so that pieces do not depend on how the text was cut. */
#define PIECE_BYTES (3u * 22u * 1024u)
/* decode_many stores 8 bytes of which 6 count. */
#define PIECE_SLACK 2

/* Symbols below 64 are the values of letters. */
enum symbol {
    SYM_PAD = 64,
    SYM_BLANK,
    SYM_CR,
    SYM_LF,
    SYM_QUOTE,
    SYM_BACKSLASH,
    SYM_OTHER,
};

/* In the entries of `quads`: no letter. */
#define QUAD_BAD 0x80000000u

enum state { TEXT, RUN, TAIL };

struct spill {
    struct spill_sink sink;
    enum state state;
    int failed;
    struct err err;
    struct buf text;
    size_t text_max;
    unsigned blobs;

    size_t run_at; /* where the candidate begins in text */
    size_t count;  /* letters of the candidate; 0: there is none */
    size_t line;   /* letters since the last gap */
    size_t gap_len;
    unsigned gap_breaks;
    int gap_cr; /* the gap's last symbol was a CR: an LF belongs to it */
    char gap[GAP_BYTES_MAX]; /* its bytes, in RUN and TAIL; in TEXT they are in the text already */

    size_t escape_len; /* of an escape that is not complete yet */
    char escape[ESCAPE_BYTES];

    uint32_t quad; /* letters that wait to be four */
    unsigned quad_len;
    unsigned pads;
    int broken;

    size_t piece_len;
    unsigned char piece[PIECE_BYTES + PIECE_SLACK];
    unsigned char letters[LIMIT_SPILL_RUN];
    unsigned char symbols[256];
    uint32_t quads[4][256];
};

static void make_tables(struct spill *s)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    memset(s->symbols, SYM_OTHER, sizeof(s->symbols));
    for (unsigned i = 0; i < 256; i++)
        for (unsigned place = 0; place < 4; place++)
            s->quads[place][i] = QUAD_BAD;
    for (unsigned i = 0; i < 64; i++) {
        unsigned char c = (unsigned char)alphabet[i];

        s->symbols[c] = (unsigned char)i;
        for (unsigned place = 0; place < 4; place++)
            s->quads[place][c] = i << (18 - 6 * place);
    }
    s->symbols['='] = SYM_PAD;
    s->symbols[' '] = SYM_BLANK;
    s->symbols['\t'] = SYM_BLANK;
    s->symbols['\r'] = SYM_CR;
    s->symbols['\n'] = SYM_LF;
    s->symbols['"'] = SYM_QUOTE;
    s->symbols['\''] = SYM_QUOTE;
    s->symbols['\\'] = SYM_BACKSLASH;
}

int spill_new(const struct spill_sink *sink, size_t text_max, struct spill **ret_spill)
{
    struct spill *s = mem_alloc(sizeof(*s));

    if (!s)
        return -1;
    s->sink = *sink;
    s->text_max = text_max < SIZE_MAX / 4 ? text_max : SIZE_MAX / 4;
    buf_init(&s->text, s->text_max + CANDIDATE_BYTES_MAX);
    make_tables(s);
    *ret_spill = s;
    return 0;
}

void spill_free(struct spill *s)
{
    if (!s)
        return;
    buf_done(&s->text);
    mem_free(s);
}

/* ---- kept text ---- */

static int text_too_long(struct spill *s)
{
    return err_set(&s->err, ERR_LIMIT, "the answer holds more than %zu bytes of text besides its "
                   "media", s->text_max);
}

static int keep(struct spill *s, const void *data, size_t len)
{
    int rc = buf_add(&s->text, data, len);

    if (rc == BUF_TOO_LARGE)
        return text_too_long(s);
    return rc ? err_nomem(&s->err) : 0;
}

/* What is certain to be kept may not pass the bound; a candidate may still go to the sink. */
static int check_kept(struct spill *s)
{
    return (s->count ? s->run_at : s->text.len) > s->text_max ? text_too_long(s) : 0;
}

/* ---- decoding ---- */

static int flush(struct spill *s)
{
    size_t len = s->piece_len;

    s->piece_len = 0;
    return len ? s->sink.write(s->sink.ud, s->piece, len, &s->err) : 0;
}

static int decode_one(struct spill *s, unsigned value)
{
    s->line++;
    s->quad = s->quad << 6 | value;
    if (++s->quad_len < 4)
        return 0;
    s->piece[s->piece_len++] = (unsigned char)(s->quad >> 16);
    s->piece[s->piece_len++] = (unsigned char)(s->quad >> 8);
    s->piece[s->piece_len++] = (unsigned char)s->quad;
    s->quad = 0;
    s->quad_len = 0;
    return s->piece_len == PIECE_BYTES ? flush(s) : 0;
}

static uint32_t quad_at(const struct spill *s, const unsigned char *p)
{
    return s->quads[0][p[0]] | s->quads[1][p[1]] | s->quads[2][p[2]] | s->quads[3][p[3]];
}

/* Decodes raw letters by eights and fours up to the first other byte; *at moves on. */
static int decode_many(struct spill *s, const unsigned char **at, const unsigned char *end)
{
    const unsigned char *p = *at;

    for (;;) {
        unsigned char *out = s->piece + s->piece_len;
        unsigned char *out_end = s->piece + PIECE_BYTES;
        const unsigned char *from = p;

        while (end - p >= 8 && out_end - out >= 6) {
            uint32_t a = quad_at(s, p);
            uint32_t b = quad_at(s, p + 4);
            uint64_t six;

            if ((a | b) & QUAD_BAD)
                break;
            six = htobe64((uint64_t)a << 40 | (uint64_t)b << 16);
            memcpy(out, &six, sizeof(six));
            p += 8;
            out += 6;
        }
        if (end - p >= 4 && out_end - out >= 3) {
            uint32_t a = quad_at(s, p);

            if (!(a & QUAD_BAD)) {
                *out++ = (unsigned char)(a >> 16);
                *out++ = (unsigned char)(a >> 8);
                *out++ = (unsigned char)a;
                p += 4;
            }
        }
        s->piece_len = (size_t)(out - s->piece);
        s->line += (size_t)(p - from);
        *at = p;
        if (s->piece_len == PIECE_BYTES) {
            if (flush(s))
                return -1;
        } else if (p == from) {
            return 0;
        }
    }
}

/* ---- the states ---- */

/* Whether a gap may go on with this symbol; counts it when it may. */
static int gap_takes(struct spill *s, unsigned symbol, size_t raw_len)
{
    int is_break = symbol == SYM_CR || (symbol == SYM_LF && !s->gap_cr);

    if (symbol != SYM_BLANK && symbol != SYM_CR && symbol != SYM_LF)
        return 0;
    if (s->line < LINE_LETTERS_MIN || s->gap_len + raw_len > GAP_BYTES_MAX ||
        (is_break && s->gap_breaks))
        return 0;
    s->gap_len += raw_len;
    s->gap_breaks += (unsigned)is_break;
    s->gap_cr = symbol == SYM_CR;
    return 1;
}

static void gap_forget(struct spill *s)
{
    s->gap_len = 0;
    s->gap_breaks = 0;
    s->gap_cr = 0;
}

/* TEXT: a symbol whose bytes stand in the text from `at` on. */
static void candidate_symbol(struct spill *s, unsigned symbol, size_t at, size_t raw_len)
{
    if (symbol < 64) {
        if (s->count && s->gap_len && !s->gap_breaks)
            s->count = 0; /* blanks alone do not join two words */
        if (!s->count)
            s->run_at = at;
        if (!s->count || s->gap_len) {
            s->line = 0;
            gap_forget(s);
        }
        s->letters[s->count++] = (unsigned char)symbol;
        s->line++;
    } else if (s->count && !gap_takes(s, symbol, raw_len)) {
        s->count = 0;
        gap_forget(s);
    }
}

static int run_open(struct spill *s)
{
    char mark[sizeof(SPILL_MARK) + 12];
    size_t line = s->line;

    if (s->blobs == LIMIT_BLOBS)
        return err_set(&s->err, ERR_LIMIT, "the answer holds more than %d media files",
                       LIMIT_BLOBS);
    snprintf(mark, sizeof(mark), "%s%u", SPILL_MARK, s->blobs);
    s->text.len = s->run_at;
    if (keep(s, mark, strlen(mark)))
        return -1;
    s->count = 0;
    if (check_kept(s) || s->sink.open(s->sink.ud, s->blobs, &s->err))
        return -1;
    s->blobs++;
    s->state = RUN;
    s->quad = 0;
    s->quad_len = 0;
    s->pads = 0;
    s->broken = 0;
    for (size_t i = 0; i < LIMIT_SPILL_RUN; i++)
        if (decode_one(s, s->letters[i]))
            return -1;
    s->line = line;
    return 0;
}

static int run_close(struct spill *s)
{
    int complete = 0;

    if (s->quad_len == 0) {
        complete = s->pads == 0;
    } else if (s->quad_len == 2) {
        s->piece[s->piece_len++] = (unsigned char)(s->quad >> 4);
        complete = s->pads == 2 && (s->quad & 0xF) == 0;
    } else if (s->quad_len == 3) {
        s->piece[s->piece_len++] = (unsigned char)(s->quad >> 10);
        s->piece[s->piece_len++] = (unsigned char)(s->quad >> 2);
        complete = s->pads == 1 && (s->quad & 0x3) == 0;
    }
    s->state = TAIL;
    if (flush(s))
        return -1;
    return s->sink.close(s->sink.ud, s->blobs - 1, complete && !s->broken, &s->err);
}

static int text_symbol(struct spill *s, unsigned symbol, const char *raw, size_t raw_len)
{
    size_t at = s->text.len;

    if (keep(s, raw, raw_len))
        return -1;
    candidate_symbol(s, symbol, at, raw_len);
    if (s->count == LIMIT_SPILL_RUN)
        return run_open(s);
    return check_kept(s);
}

static int tail_symbol(struct spill *s, unsigned symbol, const char *raw, size_t raw_len)
{
    int is_space = symbol == SYM_BLANK || symbol == SYM_CR || symbol == SYM_LF;

    if (is_space && s->gap_len + raw_len <= GAP_BYTES_MAX) {
        memcpy(s->gap + s->gap_len, raw, raw_len);
        s->gap_len += raw_len;
        return 0;
    }
    if (symbol != SYM_QUOTE && keep(s, s->gap, s->gap_len))
        return -1;
    gap_forget(s);
    s->state = TEXT;
    return text_symbol(s, symbol, raw, raw_len);
}

static int run_symbol(struct spill *s, unsigned symbol, const char *raw, size_t raw_len)
{
    size_t gap_at = s->gap_len;

    if (symbol < 64 && (!s->gap_len || s->gap_breaks)) {
        if (s->gap_len) {
            gap_forget(s);
            s->line = 0;
        }
        if (!s->pads)
            return s->broken ? 0 : decode_one(s, symbol);
        s->broken = 1; /* letters after padding */
        return 0;
    }
    if (symbol == SYM_PAD && (!s->gap_len || s->gap_breaks)) {
        gap_forget(s);
        if (s->pads < 3)
            s->pads++;
        return 0;
    }
    if (!s->pads && gap_takes(s, symbol, raw_len)) {
        memcpy(s->gap + gap_at, raw, raw_len);
        return 0;
    }
    if (run_close(s))
        return -1;
    return tail_symbol(s, symbol, raw, raw_len);
}

static int take_symbol(struct spill *s, unsigned symbol, const char *raw, size_t raw_len)
{
    if (s->state == RUN)
        return run_symbol(s, symbol, raw, raw_len);
    if (s->state == TAIL)
        return tail_symbol(s, symbol, raw, raw_len);
    return text_symbol(s, symbol, raw, raw_len);
}

/* ---- escapes ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static unsigned short_escape(const struct spill *s, char c)
{
    switch (c) {
    case '/':
        return s->symbols['/'];
    case 'n':
        return SYM_LF;
    case 'r':
        return SYM_CR;
    case 't':
        return SYM_BLANK;
    case '"':
        return SYM_QUOTE;
    default:
        return SYM_OTHER;
    }
}

static int escape_end(struct spill *s, unsigned symbol)
{
    size_t len = s->escape_len;

    s->escape_len = 0;
    /* An escaped backslash begins no escape. */
    return take_symbol(s, symbol == SYM_BACKSLASH ? SYM_OTHER : symbol, s->escape, len);
}

/* The next byte after a backslash; *ret_used is 0 when it does not belong to the escape. */
static int escape_byte(struct spill *s, char c, int *ret_used)
{
    unsigned code = 0;

    if (s->escape_len >= 2 && hex_digit(c) < 0) {
        *ret_used = 0;
        return escape_end(s, SYM_OTHER);
    }
    *ret_used = 1;
    s->escape[s->escape_len++] = c;
    if (s->escape_len == 2)
        return c == 'u' ? 0 : escape_end(s, short_escape(s, c));
    if (s->escape_len < ESCAPE_BYTES)
        return 0;
    for (size_t i = 2; i < ESCAPE_BYTES; i++)
        code = code << 4 | (unsigned)hex_digit(s->escape[i]);
    return escape_end(s, code < 128 ? s->symbols[code] : SYM_OTHER);
}

/* ---- feeding ---- */

/* TEXT: keeps raw bytes up to a backslash or the letter that makes the candidate a run. */
static int text_many(struct spill *s, const char **at, const char *end)
{
    const char *from = *at;
    const char *p = from;

    while (p < end && s->count < LIMIT_SPILL_RUN) {
        unsigned symbol = s->symbols[(unsigned char)*p];

        if (symbol == SYM_BACKSLASH)
            break;
        candidate_symbol(s, symbol, s->text.len + (size_t)(p - from), 1);
        p++;
    }
    *at = p;
    if (keep(s, from, (size_t)(p - from)))
        return -1;
    return s->count == LIMIT_SPILL_RUN ? run_open(s) : check_kept(s);
}

static int run_many(struct spill *s, const char **at, const char *end)
{
    const unsigned char *p = (const unsigned char *)*at;
    int rc = decode_many(s, &p, (const unsigned char *)end);

    *at = (const char *)p;
    return rc;
}

static int feed(struct spill *s, const char *p, const char *end)
{
    int used;

    while (p < end) {
        if (s->escape_len) {
            if (escape_byte(s, *p, &used))
                return -1;
            p += used;
            continue;
        }
        if (s->state == TEXT && text_many(s, &p, end))
            return -1;
        if (p < end && s->state == RUN && !s->quad_len && !s->gap_len && !s->pads &&
            run_many(s, &p, end))
            return -1;
        if (p == end)
            break;
        if (*p == '\\') {
            s->escape[0] = '\\';
            s->escape_len = 1;
        } else if (take_symbol(s, s->symbols[(unsigned char)*p], p, 1)) {
            return -1;
        }
        p++;
    }
    return 0;
}

static int failed(struct spill *s, struct err *err)
{
    s->failed = 1;
    if (err)
        *err = s->err;
    return -1;
}

int spill_feed(struct spill *s, const char *data, size_t len, struct err *err)
{
    if (s->failed || (len && feed(s, data, data + len)))
        return failed(s, err);
    return 0;
}

int spill_finish(struct spill *s, const char **ret_text, size_t *ret_len, unsigned *ret_blobs,
                 struct err *err)
{
    if (s->failed)
        return failed(s, err);
    if (s->escape_len && escape_end(s, SYM_OTHER))
        return failed(s, err);
    if (s->state == RUN && run_close(s))
        return failed(s, err);
    s->count = 0;
    if (check_kept(s))
        return failed(s, err);
    assert(s->text.len <= s->text_max);
    *ret_text = s->text.data ? s->text.data : "";
    *ret_len = s->text.len;
    *ret_blobs = s->blobs;
    return 0;
}
