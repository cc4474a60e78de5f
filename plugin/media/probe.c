/*
 * probe.c - facts about an open file: its type from the first bytes, then the headers' reader for
 * that type. Here are the reader and the simple formats; boxes (probe_box.c) and EBML
 * (probe_ebml.c) have files of their own. Nothing is decoded. Where a format says how long the
 * file must be, a shorter file is an error: it was cut off on its way.
 *
 * Called off the loop too (publishing): no host call, no allocation, no log.
 */
#include "media/probe.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A side of 2^24 and more is a broken header, whatever the format. */
#define SIDE_MAX 0xFFFFFFu

static int fill_window(struct reader *r, uint64_t at)
{
    size_t want = r->size - at < PROBE_WINDOW ? (size_t)(r->size - at) : PROBE_WINDOW;

    if (r->fills++ >= PROBE_FILLS)
        return PROBE_BROKEN;
    r->window_at = at;
    r->window_len = 0;
    while (r->window_len < want) {
        ssize_t got = pread(r->fd, r->window + r->window_len, want - r->window_len,
                            (off_t)(at + r->window_len));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            r->error = errno;
            return PROBE_IO;
        }
        if (got == 0)
            return PROBE_SHORT; /* became shorter under our hands */
        r->window_len += (size_t)got;
    }
    return 0;
}

int reader_get(struct reader *r, uint64_t at, size_t len, const unsigned char **ret_bytes)
{
    int rc;

    if (at > r->size || r->size - at < len)
        return PROBE_SHORT;
    if (len > PROBE_WINDOW || r->reads++ >= PROBE_READS)
        return PROBE_BROKEN;
    if (at < r->window_at || at - r->window_at > r->window_len ||
        r->window_len - (size_t)(at - r->window_at) < len) {
        rc = fill_window(r, at);
        if (rc)
            return rc;
    }
    *ret_bytes = r->window + (size_t)(at - r->window_at);
    return 0;
}

/* IHDR, then every chunk's head up to IEND. */
static int probe_png(struct reader *r, struct media_facts *facts)
{
    const unsigned char *p;
    uint64_t at = 8;
    int rc = reader_get(r, at, 16, &p);

    if (rc)
        return rc;
    if (get_be32(p) != 13 || memcmp(p + 4, "IHDR", 4) != 0)
        return PROBE_BROKEN;
    facts->width = get_be32(p + 8);
    facts->height = get_be32(p + 12);
    for (;;) {
        uint32_t len;

        rc = reader_get(r, at, 8, &p);
        if (rc)
            return rc;
        len = get_be32(p);
        if (len > INT32_MAX)
            return PROBE_BROKEN;
        at += 12 + (uint64_t)len;
        if (memcmp(p + 4, "IEND", 4) == 0)
            return at > r->size ? PROBE_SHORT : 0;
    }
}

/* Segments up to the frame header, SOF0 to SOF15 without DHT, JPG and DAC. */
static int probe_jpeg(struct reader *r, struct media_facts *facts)
{
    const unsigned char *p;
    uint64_t at = 2;

    for (;;) {
        unsigned marker;
        int rc = reader_get(r, at, 2, &p);

        if (rc)
            return rc;
        if (p[0] != 0xFF)
            return PROBE_BROKEN;
        marker = p[1];
        if (marker == 0xFF) { /* fill bytes are allowed before a marker */
            at++;
            continue;
        }
        at += 2;
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7))
            continue;
        if (marker == 0xD8 || marker == 0xD9 || marker == 0xDA || marker == 0)
            return PROBE_BROKEN; /* pixels before their size */
        rc = reader_get(r, at, 7, &p);
        if (rc)
            return rc;
        if (get_be16(p) < 2)
            return PROBE_BROKEN;
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 &&
            marker != 0xCC) {
            facts->height = get_be16(p + 3);
            facts->width = get_be16(p + 5);
            return 0;
        }
        at += get_be16(p);
    }
}

static int probe_webp(struct reader *r, struct media_facts *facts)
{
    const unsigned char *p;
    int rc = reader_get(r, 0, 30, &p);

    if (rc)
        return rc;
    if ((uint64_t)get_le32(p + 4) + 8 > r->size)
        return PROBE_SHORT;
    if (memcmp(p + 12, "VP8X", 4) == 0) {
        facts->width = get_le24(p + 24) + 1;
        facts->height = get_le24(p + 27) + 1;
    } else if (memcmp(p + 12, "VP8L", 4) == 0 && p[20] == 0x2F) {
        uint32_t bits = get_le32(p + 21);

        facts->width = (bits & 0x3FFF) + 1;
        facts->height = (bits >> 14 & 0x3FFF) + 1;
    } else if (memcmp(p + 12, "VP8 ", 4) == 0 && memcmp(p + 23, "\x9D\x01\x2A", 3) == 0) {
        facts->width = get_le16(p + 26) & 0x3FFF;
        facts->height = get_le16(p + 28) & 0x3FFF;
    } else {
        return PROBE_BROKEN;
    }
    return 0;
}

static int probe_gif(struct reader *r, struct media_facts *facts)
{
    const unsigned char *p;
    int rc = reader_get(r, 0, 13, &p);

    if (rc)
        return rc;
    facts->width = get_le16(p + 6);
    facts->height = get_le16(p + 8);
    return 0;
}

static int probe_bmp(struct reader *r, struct media_facts *facts)
{
    const unsigned char *p;
    int rc = reader_get(r, 0, 26, &p);
    int32_t height;

    if (rc)
        return rc;
    if (get_le32(p + 14) <= 16) {
        facts->width = get_le16(p + 18);
        facts->height = get_le16(p + 20);
        return 0;
    }
    height = (int32_t)get_le32(p + 22); /* negative: rows from the top */
    if (height == INT32_MIN)
        return PROBE_BROKEN;
    facts->width = get_le32(p + 18);
    facts->height = (uint32_t)(height < 0 ? -height : height);
    return 0;
}

int probe_still(struct reader *r, enum media_type type, struct media_facts *facts)
{
    switch (type) {
    case TYPE_PNG:
        return probe_png(r, facts);
    case TYPE_JPEG:
        return probe_jpeg(r, facts);
    case TYPE_WEBP:
        return probe_webp(r, facts);
    case TYPE_GIF:
        return probe_gif(r, facts);
    default:
        return probe_bmp(r, facts);
    }
}

/* "fmt " tells bytes a second, "data" how many. Its size is often wrong: written to a pipe. */
int probe_wav(struct reader *r, struct media_facts *facts)
{
    const unsigned char *p;
    uint64_t at = 12;
    uint32_t rate = 0;

    for (;;) {
        uint32_t len;
        int rc = reader_get(r, at, 8, &p);

        if (rc)
            return rc;
        len = get_le32(p + 4);
        at += 8;
        if (memcmp(p, "data", 4) == 0) {
            uint64_t bytes = r->size - at < len ? r->size - at : len;

            if (rate)
                facts->duration_ms = (int64_t)(bytes * 1000 / rate);
            return rate ? 0 : PROBE_BROKEN;
        }
        if (memcmp(p, "fmt ", 4) == 0) {
            rc = reader_get(r, at, 16, &p);
            if (rc)
                return rc;
            rate = get_le32(p + 8);
        }
        at += (uint64_t)len + (len & 1);
    }
}

static int probe_type(struct reader *r, enum media_type type, struct media_facts *facts)
{
    type_fill(type, facts);
    switch (type) {
    case TYPE_PNG:
    case TYPE_JPEG:
    case TYPE_GIF:
    case TYPE_WEBP:
    case TYPE_BMP:
        return probe_still(r, type, facts);
    case TYPE_AVIF:
    case TYPE_HEIC:
    case TYPE_MP4:
    case TYPE_MOV:
    case TYPE_M4A:
        return probe_boxes(r, type, facts);
    case TYPE_WEBM:
    case TYPE_MKV:
    case TYPE_WEBM_AUDIO:
    case TYPE_MKA:
        return probe_ebml(r, type, facts);
    case TYPE_WAV:
        return probe_wav(r, facts);
    default:
        return 0; /* sound whose headers do not tell more */
    }
}

/* What else it is, in words: an error page instead of a picture is the usual case. */
static const char *guess(const unsigned char *p, size_t len)
{
    while (len && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
        len--;
    }
    if (!len)
        return "it is empty";
    if (*p == '<')
        return "it looks like a web page or XML";
    if (*p == '{' || *p == '[')
        return "it looks like JSON";
    for (size_t i = 0; i < len && i < 64; i++)
        if (p[i] < 0x20 && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
            return "its first bytes are of no type known here";
    return "it looks like plain text";
}

static int dimensions_bad(const struct media_facts *facts)
{
    int any = facts->width || facts->height;

    if (facts->kind == MEDIA_IMAGE || (facts->kind == MEDIA_VIDEO && any))
        return !facts->width || !facts->height || facts->width > SIDE_MAX ||
               facts->height > SIDE_MAX;
    return 0;
}

int media_probe(int fd, struct media_facts *ret_facts, struct err *err)
{
    struct reader r;
    struct media_facts facts = {0};
    const unsigned char *start = NULL;
    enum media_type type;
    struct stat st;
    size_t len;
    int rc;

    if (fstat(fd, &st) != 0)
        return err_set(err, ERR_IO, "the file cannot be looked at: %s", strerror(errno));
    r.fd = fd;
    r.error = 0;
    r.size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
    r.reads = 0;
    r.fills = 0;
    r.window_at = 0;
    r.window_len = 0;
    len = r.size < MEDIA_SNIFF_BYTES ? (size_t)r.size : MEDIA_SNIFF_BYTES;
    rc = reader_get(&r, 0, len, &start);
    if (rc == 0) {
        if (sniff_type(start, len, &type))
            return err_set(err, ERR_ANSWER, "this is no picture, video or sound file: %s",
                           guess(start, len));
        rc = probe_type(&r, type, &facts);
    }
    if (rc == PROBE_IO)
        return err_set(err, ERR_IO, "the file cannot be read: %s", strerror(r.error));
    if (rc == PROBE_SHORT)
        return err_set(err, ERR_ANSWER, "this %s file is cut off: it ends before its own headers "
                       "say so (%llu bytes)", facts.extension ? facts.extension : "media",
                       (unsigned long long)r.size);
    if (rc || dimensions_bad(&facts))
        return err_set(err, ERR_ANSWER, "this %s file is broken: its headers make no sense",
                       facts.extension);
    facts.bytes = r.size;
    *ret_facts = facts;
    return 0;
}
