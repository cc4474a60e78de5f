/*
 * probe_box.c - ISO base media files (MP4, MOV, M4A, AVIF, HEIC): dimensions and duration, wherever
 * in the file they stand. Boxes are walked by their sizes; every level that is looked into has a
 * function of its own, so that depth is fixed and nothing recurses. A box may not reach past the
 * one it is in.
 *
 * Sources: ISO/IEC 14496-12 (boxes, fragments), ISO/IEC 23008-12 (ispe), Apple's QuickTime File
 * Format (files without ftyp, the track matrix). Width and height are those of display: of tkhd,
 * turned when its matrix turns by a quarter. Turned HEIC pictures (irot) keep their stored sides.
 */
#include "media/probe.h"

#include <string.h>

/* The last fragments of a file end latest; tracks may take turns. */
#define LAST_FRAGMENTS 4
/* Ten years: a longer duration is a broken header. */
#define SECONDS_MAX (10u * 366u * 86400u)

struct box {
    char name[4];
    uint64_t at; /* of the contents */
    uint64_t end;
};

struct track {
    uint32_t id;
    uint32_t scale;
    uint32_t width;
    uint32_t height;
    char handler[4];
    uint64_t duration; /* in `scale` */
};

struct movie {
    struct reader *r;
    int has_moov;
    int has_mdat;
    int has_audio;
    int has_video;
    uint32_t scale;
    uint64_t duration;     /* of mvhd, in `scale` */
    uint64_t duration_all; /* of mehd, in `scale` */
    uint64_t ms;
    struct track track; /* the one being read */
    struct track main;  /* the first with a picture, else the first with sound */
    uint32_t trex_id;   /* the one asked for and, then, its default sample duration */
    uint32_t trex_duration;
    uint64_t moofs[LAST_FRAGMENTS * 2]; /* a ring of where they begin and end */
    size_t moofs_count;
    uint64_t traf_base; /* of the fragment being read */
    uint64_t traf_sum;
    uint32_t traf_duration; /* default of its samples */
    int traf_main;
    uint32_t still_width; /* the largest ispe */
    uint32_t still_height;
};

typedef int box_fn(struct movie *m, const struct box *box);

static int is(const struct box *box, const char *type)
{
    return memcmp(box->name, type, 4) == 0;
}

/* The box at `at` within `end`. Past the end of the file is PROBE_SHORT, past its parent broken. */
static int box_get(struct reader *r, uint64_t at, uint64_t end, struct box *ret_box)
{
    const unsigned char *p;
    uint64_t size;
    uint64_t head = 8;
    int rc;

    if (end - at < 8)
        return end == r->size ? PROBE_SHORT : PROBE_BROKEN;
    rc = reader_get(r, at, 8, &p);
    if (rc)
        return rc;
    size = get_be32(p);
    memcpy(ret_box->name, p + 4, 4);
    if (size == 1) {
        head = 16;
        rc = reader_get(r, at, 16, &p);
        if (rc)
            return rc;
        size = get_be64(p + 8);
    } else if (size == 0) {
        size = end - at;
    }
    if (size < head)
        return PROBE_BROKEN;
    if (size > end - at)
        return end == r->size ? PROBE_SHORT : PROBE_BROKEN;
    ret_box->at = at + head;
    ret_box->end = at + size;
    return 0;
}

static int each_box(struct movie *m, uint64_t at, uint64_t end, box_fn *fn)
{
    struct box box;

    /* QuickTime ends some lists with four zero bytes. */
    while (at < end && end - at >= 8) {
        int rc = box_get(m->r, at, end, &box);

        if (rc)
            return rc == PROBE_SHORT ? PROBE_BROKEN : rc;
        rc = fn(m, &box);
        if (rc)
            return rc;
        at = box.end;
    }
    return 0;
}

/* `len` bytes of the contents from `skip` on. */
static int box_bytes(struct movie *m, const struct box *box, uint64_t skip, size_t len,
                     const unsigned char **ret_bytes)
{
    if (skip > box->end - box->at || box->end - box->at - skip < len)
        return PROBE_BROKEN;
    return reader_get(m->r, box->at + skip, len, ret_bytes);
}

static uint64_t to_ms(uint64_t duration, uint32_t scale)
{
    if (!scale || duration == UINT64_MAX || duration / scale > SECONDS_MAX)
        return 0;
    return duration / scale * 1000 + duration % scale * 1000 / scale;
}

/* mvhd and mdhd begin alike: time scale and duration after two dates, 32 or 64 bits wide. */
static int read_times(struct movie *m, const struct box *box, uint32_t *ret_scale,
                      uint64_t *ret_duration)
{
    const unsigned char *p;
    int rc = box_bytes(m, box, 0, 20, &p);

    if (rc)
        return rc;
    if (p[0] == 0) {
        *ret_scale = get_be32(p + 12);
        *ret_duration = get_be32(p + 16) == UINT32_MAX ? 0 : get_be32(p + 16);
        return 0;
    }
    rc = box_bytes(m, box, 20, 12, &p);
    if (rc)
        return rc;
    *ret_scale = get_be32(p);
    *ret_duration = get_be64(p + 4) == UINT64_MAX ? 0 : get_be64(p + 4);
    return 0;
}

static int read_tkhd(struct movie *m, const struct box *box)
{
    const unsigned char *p;
    int rc = box_bytes(m, box, 0, 84, &p);
    size_t matrix;

    if (rc)
        return rc;
    if (p[0] != 0) {
        rc = box_bytes(m, box, 0, 96, &p);
        if (rc)
            return rc;
    }
    matrix = p[0] ? 52 : 40;
    m->track.id = get_be32(p + (p[0] ? 20 : 12));
    m->track.width = get_be32(p + matrix + 36) >> 16;
    m->track.height = get_be32(p + matrix + 40) >> 16;
    if (get_be32(p + matrix) == 0 && get_be32(p + matrix + 16) == 0 &&
        get_be32(p + matrix + 4) != 0) {
        uint32_t width = m->track.width;

        m->track.width = m->track.height;
        m->track.height = width;
    }
    return 0;
}

static int in_mdia(struct movie *m, const struct box *box)
{
    const unsigned char *p;
    int rc;

    if (is(box, "mdhd"))
        return read_times(m, box, &m->track.scale, &m->track.duration);
    if (!is(box, "hdlr"))
        return 0;
    rc = box_bytes(m, box, 8, 4, &p);
    if (rc == 0)
        memcpy(m->track.handler, p, 4);
    return rc;
}

static int in_trak(struct movie *m, const struct box *box)
{
    if (is(box, "tkhd"))
        return read_tkhd(m, box);
    return is(box, "mdia") ? each_box(m, box->at, box->end, in_mdia) : 0;
}

static int read_trak(struct movie *m, const struct box *box)
{
    int rc;

    memset(&m->track, 0, sizeof(m->track));
    rc = each_box(m, box->at, box->end, in_trak);
    if (rc)
        return rc;
    if (memcmp(m->track.handler, "vide", 4) == 0) {
        if (!m->has_video)
            m->main = m->track;
        m->has_video = 1;
    } else if (memcmp(m->track.handler, "soun", 4) == 0) {
        if (!m->has_video && !m->has_audio)
            m->main = m->track;
        m->has_audio = 1;
    }
    return 0;
}

static int in_mvex(struct movie *m, const struct box *box)
{
    const unsigned char *p;
    int rc = 0;

    if (is(box, "mehd")) {
        rc = box_bytes(m, box, 0, 8, &p);
        if (rc == 0 && p[0] == 0) {
            m->duration_all = get_be32(p + 4);
        } else if (rc == 0) {
            rc = box_bytes(m, box, 4, 8, &p);
            if (rc == 0)
                m->duration_all = get_be64(p);
        }
    } else if (is(box, "trex")) {
        rc = box_bytes(m, box, 0, 16, &p);
        if (rc == 0 && get_be32(p + 4) == m->trex_id)
            m->trex_duration = get_be32(p + 12);
    }
    return rc;
}

static int find_mvex(struct movie *m, const struct box *box)
{
    return is(box, "mvex") ? each_box(m, box->at, box->end, in_mvex) : 0;
}

static int in_moov(struct movie *m, const struct box *box)
{
    if (is(box, "mvhd"))
        return read_times(m, box, &m->scale, &m->duration);
    return is(box, "trak") ? read_trak(m, box) : 0;
}

/* mvex may come before the tracks: it is read once the main track is known. */
static int read_moov(struct movie *m, const struct box *box)
{
    int rc = each_box(m, box->at, box->end, in_moov);

    if (rc)
        return rc;
    m->has_moov = 1;
    m->trex_id = m->main.id;
    return each_box(m, box->at, box->end, find_mvex);
}

static int read_tfhd(struct movie *m, const struct box *box)
{
    const unsigned char *p;
    uint32_t flags;
    uint64_t skip = 8;
    int rc = box_bytes(m, box, 0, 8, &p);

    if (rc)
        return rc;
    flags = get_be32(p) & 0xFFFFFF;
    m->traf_main = get_be32(p + 4) == m->main.id;
    m->traf_duration = m->trex_duration;
    if (!(flags & 0x8))
        return 0;
    skip += flags & 0x1 ? 8 : 0;
    skip += flags & 0x2 ? 4 : 0;
    rc = box_bytes(m, box, skip, 4, &p);
    if (rc == 0)
        m->traf_duration = get_be32(p);
    return rc;
}

static int read_trun(struct movie *m, const struct box *box)
{
    const unsigned char *p;
    uint32_t flags;
    uint32_t count;
    uint64_t skip = 8;
    uint64_t row = 0;
    int rc = box_bytes(m, box, 0, 8, &p);

    if (rc)
        return rc;
    flags = get_be32(p) & 0xFFFFFF;
    count = get_be32(p + 4);
    if (!(flags & 0x100)) {
        m->traf_sum += (uint64_t)count * m->traf_duration;
        return 0;
    }
    skip += flags & 0x1 ? 4 : 0;
    skip += flags & 0x4 ? 4 : 0;
    for (uint32_t bit = 0x100; bit <= 0x800; bit <<= 1)
        row += flags & bit ? 4 : 0;
    if (count > (box->end - box->at) / row)
        return PROBE_BROKEN;
    for (uint32_t i = 0; i < count; i++) {
        rc = box_bytes(m, box, skip + i * row, 4, &p);
        if (rc)
            return rc;
        m->traf_sum += get_be32(p);
    }
    return 0;
}

static int in_traf(struct movie *m, const struct box *box)
{
    const unsigned char *p;
    int rc;

    if (is(box, "tfhd"))
        return read_tfhd(m, box);
    if (is(box, "trun"))
        return m->traf_main ? read_trun(m, box) : 0;
    if (!is(box, "tfdt"))
        return 0;
    rc = box_bytes(m, box, 0, 8, &p);
    if (rc)
        return rc;
    if (p[0] == 0) {
        m->traf_base = get_be32(p + 4);
        return 0;
    }
    rc = box_bytes(m, box, 4, 8, &p);
    if (rc == 0)
        m->traf_base = get_be64(p);
    return rc;
}

static int in_moof(struct movie *m, const struct box *box)
{
    uint64_t ms;
    int rc;

    if (!is(box, "traf"))
        return 0;
    m->traf_base = 0;
    m->traf_sum = 0;
    m->traf_main = 0;
    rc = each_box(m, box->at, box->end, in_traf);
    if (rc || !m->traf_main || m->traf_base > UINT64_MAX - m->traf_sum)
        return rc;
    ms = to_ms(m->traf_base + m->traf_sum, m->main.scale);
    if (ms > m->ms)
        m->ms = ms;
    return 0;
}

static int in_ipco(struct movie *m, const struct box *box)
{
    const unsigned char *p;
    uint32_t width;
    uint32_t height;
    int rc;

    if (!is(box, "ispe"))
        return 0;
    rc = box_bytes(m, box, 4, 8, &p);
    if (rc)
        return rc;
    width = get_be32(p);
    height = get_be32(p + 4);
    if ((uint64_t)width * height > (uint64_t)m->still_width * m->still_height) {
        m->still_width = width;
        m->still_height = height;
    }
    return 0;
}

static int in_iprp(struct movie *m, const struct box *box)
{
    return is(box, "ipco") ? each_box(m, box->at, box->end, in_ipco) : 0;
}

static int in_meta(struct movie *m, const struct box *box)
{
    return is(box, "iprp") ? each_box(m, box->at, box->end, in_iprp) : 0;
}

/* The largest of ispe: tiles and thumbnails are smaller than the picture they belong to. */
static int read_meta(struct movie *m, const struct box *box)
{
    if (box->end - box->at < 4)
        return PROBE_BROKEN;
    return each_box(m, box->at + 4, box->end, in_meta); /* after version and flags */
}

static int is_printable(const struct box *box)
{
    for (size_t i = 0; i < sizeof(box->name); i++)
        if (box->name[i] < 0x20 || box->name[i] > 0x7E)
            return 0;
    return 1;
}

static int walk(struct movie *m, int still)
{
    struct box box = {0};
    uint64_t at = 0;

    while (m->r->size - at >= 8) {
        int rc = box_get(m->r, at, m->r->size, &box);

        /* What some tools append to a complete file is no box and does no harm. */
        if (m->has_mdat && (m->has_moov || still) && !is_printable(&box))
            break;
        if (rc)
            return rc;
        if (is(&box, "moov")) {
            rc = read_moov(m, &box);
        } else if (still && is(&box, "meta")) {
            rc = read_meta(m, &box);
        } else if (is(&box, "mdat")) {
            m->has_mdat = 1;
        } else if (is(&box, "moof")) {
            m->moofs[m->moofs_count % LAST_FRAGMENTS * 2] = box.at;
            m->moofs[m->moofs_count % LAST_FRAGMENTS * 2 + 1] = box.end;
            m->moofs_count++;
        }
        if (rc)
            return rc;
        at = box.end;
    }
    return 0;
}

int probe_boxes(struct reader *r, enum media_type type, struct media_facts *facts)
{
    struct movie m = {.r = r};
    int still = facts->kind == MEDIA_IMAGE;
    int rc = walk(&m, still);

    if (rc)
        return rc;
    if (!m.has_mdat || (!still && !m.has_moov))
        return PROBE_SHORT; /* cut off between two boxes */
    if (still) {
        facts->width = m.still_width ? m.still_width : m.main.width;
        facts->height = m.still_width ? m.still_height : m.main.height;
        return 0;
    }
    if (!m.has_video && !m.has_audio)
        return PROBE_BROKEN;
    m.ms = to_ms(m.duration, m.scale);
    if (to_ms(m.duration_all, m.scale) > m.ms)
        m.ms = to_ms(m.duration_all, m.scale);
    for (size_t i = 0; i < m.moofs_count && i < LAST_FRAGMENTS; i++) {
        rc = each_box(&m, m.moofs[i * 2], m.moofs[i * 2 + 1], in_moof);
        if (rc)
            return rc;
    }
    facts->duration_ms = (int64_t)m.ms;
    if (!m.has_video) {
        type_fill(TYPE_M4A, facts);
    } else if (type != TYPE_M4A) {
        facts->width = m.main.width;
        facts->height = m.main.height;
    }
    return 0;
}
