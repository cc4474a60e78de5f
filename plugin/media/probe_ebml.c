/*
 * probe_ebml.c - WebM and Matroska: duration and the sides of the first picture track, from Info
 * and Tracks of the segment. Those stand before the first cluster in nearly every file; clusters
 * of known size are stepped over, one of unknown size (a live recording) ends the search.
 *
 * Sources: RFC 8794 (EBML), RFC 9559 (Matroska; the element numbers below are its section 5).
 */
#include "media/probe.h"

#include <string.h>

#define ID_SEGMENT 0x18538067u
#define ID_INFO 0x1549A966u
#define ID_SCALE 0x2AD7B1u
#define ID_DURATION 0x4489u
#define ID_TRACKS 0x1654AE6Bu
#define ID_TRACK 0xAEu
#define ID_TRACK_TYPE 0x83u
#define ID_VIDEO 0xE0u
#define ID_PIXEL_WIDTH 0xB0u
#define ID_PIXEL_HEIGHT 0xBAu
#define ID_DISPLAY_WIDTH 0x54B0u
#define ID_DISPLAY_HEIGHT 0x54BAu
#define ID_DISPLAY_UNIT 0x54B2u

#define TRACK_VIDEO 1
#define TRACK_AUDIO 2
#define SCALE_DEFAULT 1000000u /* ns of one tick */
#define DURATION_MS_MAX 3.2e11 /* ten years: a longer one is a broken header */

struct element {
    uint32_t id;
    int unknown; /* its size; end is then that of its parent */
    uint64_t at; /* of the contents */
    uint64_t end;
};

struct mkv {
    struct reader *r;
    int has_info;
    int has_tracks;
    int has_video;
    int has_audio;
    uint64_t scale;
    double duration;
    uint64_t type; /* of the track being read */
    uint64_t pixel[2];
    uint64_t display[2];
    uint64_t unit;
    uint32_t width; /* of the first picture track */
    uint32_t height;
};

typedef int element_fn(struct mkv *mkv, const struct element *element);

/* The element at `at` within `end`: its number and its size, both of variable length. */
static int element_get(struct reader *r, uint64_t at, uint64_t end, struct element *ret_element)
{
    const unsigned char *p;
    size_t len = end - at < 12 ? (size_t)(end - at) : 12;
    size_t id_len = 1;
    size_t size_len = 1;
    uint64_t size;
    uint64_t ones;
    int rc = reader_get(r, at, len, &p);

    if (rc)
        return rc;
    while (id_len <= 4 && !(p[0] & 0x80u >> (id_len - 1)))
        id_len++;
    if (id_len > 4 || id_len >= len)
        return PROBE_BROKEN;
    ret_element->id = 0;
    for (size_t i = 0; i < id_len; i++)
        ret_element->id = ret_element->id << 8 | p[i];
    p += id_len;
    len -= id_len;
    while (size_len <= 8 && !(p[0] & 0x80u >> (size_len - 1)))
        size_len++;
    if (size_len > 8 || size_len > len)
        return PROBE_BROKEN;
    size = p[0] & (0xFFu >> size_len);
    for (size_t i = 1; i < size_len; i++)
        size = size << 8 | p[i];
    ones = (UINT64_C(1) << (7 * size_len)) - 1;
    ret_element->at = at + id_len + size_len;
    ret_element->unknown = size == ones;
    if (size == ones)
        size = end - ret_element->at;
    if (size > end - ret_element->at)
        return end == r->size ? PROBE_SHORT : PROBE_BROKEN;
    ret_element->end = ret_element->at + size;
    return 0;
}

static int each_element(struct mkv *mkv, const struct element *parent, element_fn *fn)
{
    struct element element;
    uint64_t at = parent->at;

    while (at < parent->end) {
        int rc = element_get(mkv->r, at, parent->end, &element);

        if (rc == 0)
            rc = fn(mkv, &element);
        if (rc)
            return rc;
        at = element.end;
    }
    return 0;
}

static int read_uint(struct mkv *mkv, const struct element *element, uint64_t *ret_value)
{
    const unsigned char *p;
    size_t len = (size_t)(element->end - element->at);
    uint64_t value = 0;
    int rc;

    if (element->end - element->at > 8)
        return PROBE_BROKEN;
    rc = reader_get(mkv->r, element->at, len, &p);
    if (rc)
        return rc;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | p[i];
    *ret_value = value;
    return 0;
}

/* IEEE 754, 4 or 8 bytes, as this machine has them too. */
static int read_float(struct mkv *mkv, const struct element *element, double *ret_value)
{
    uint64_t bits = 0;
    int rc = read_uint(mkv, element, &bits);

    if (rc)
        return rc;
    if (element->end - element->at == 4) {
        uint32_t half = (uint32_t)bits;
        float value;

        memcpy(&value, &half, sizeof(value));
        *ret_value = (double)value;
    } else if (element->end - element->at == 8) {
        memcpy(ret_value, &bits, sizeof(*ret_value));
    } else if (element->end != element->at) {
        return PROBE_BROKEN;
    }
    return 0;
}

static int in_info(struct mkv *mkv, const struct element *element)
{
    if (element->id == ID_SCALE)
        return read_uint(mkv, element, &mkv->scale);
    return element->id == ID_DURATION ? read_float(mkv, element, &mkv->duration) : 0;
}

static int in_video(struct mkv *mkv, const struct element *element)
{
    switch (element->id) {
    case ID_PIXEL_WIDTH:
        return read_uint(mkv, element, &mkv->pixel[0]);
    case ID_PIXEL_HEIGHT:
        return read_uint(mkv, element, &mkv->pixel[1]);
    case ID_DISPLAY_WIDTH:
        return read_uint(mkv, element, &mkv->display[0]);
    case ID_DISPLAY_HEIGHT:
        return read_uint(mkv, element, &mkv->display[1]);
    case ID_DISPLAY_UNIT:
        return read_uint(mkv, element, &mkv->unit);
    default:
        return 0;
    }
}

static int in_track(struct mkv *mkv, const struct element *element)
{
    if (element->id == ID_TRACK_TYPE)
        return read_uint(mkv, element, &mkv->type);
    return element->id == ID_VIDEO ? each_element(mkv, element, in_video) : 0;
}

static int in_tracks(struct mkv *mkv, const struct element *element)
{
    const uint64_t *sides;
    int rc;

    if (element->id != ID_TRACK)
        return 0;
    mkv->type = 0;
    mkv->unit = 0;
    memset(mkv->pixel, 0, sizeof(mkv->pixel));
    memset(mkv->display, 0, sizeof(mkv->display));
    rc = each_element(mkv, element, in_track);
    if (rc)
        return rc;
    if (mkv->type == TRACK_AUDIO)
        mkv->has_audio = 1;
    if (mkv->type != TRACK_VIDEO || mkv->has_video)
        return 0;
    mkv->has_video = 1;
    /* Unit 0 is pixels; the others tell a ratio or centimetres. */
    sides = mkv->unit == 0 && mkv->display[0] && mkv->display[1] ? mkv->display : mkv->pixel;
    if (sides[0] > UINT32_MAX || sides[1] > UINT32_MAX)
        return PROBE_BROKEN;
    mkv->width = (uint32_t)sides[0];
    mkv->height = (uint32_t)sides[1];
    return 0;
}

static int read_segment(struct mkv *mkv, const struct element *segment)
{
    struct element element;
    uint64_t at = segment->at;

    while (at < segment->end && !(mkv->has_info && mkv->has_tracks)) {
        int rc = element_get(mkv->r, at, segment->end, &element);

        if (rc)
            return rc;
        if (element.unknown)
            break;
        if (element.id == ID_INFO) {
            mkv->has_info = 1;
            rc = each_element(mkv, &element, in_info);
        } else if (element.id == ID_TRACKS) {
            mkv->has_tracks = 1;
            rc = each_element(mkv, &element, in_tracks);
        }
        if (rc)
            return rc;
        at = element.end;
    }
    return 0;
}

int probe_ebml(struct reader *r, enum media_type type, struct media_facts *facts)
{
    struct mkv mkv = {.r = r, .scale = SCALE_DEFAULT};
    struct element element;
    uint64_t at = 0;
    double ms;
    int rc;

    do {
        rc = at < r->size ? element_get(r, at, r->size, &element) : PROBE_SHORT;
        if (rc)
            return rc;
        at = element.end;
    } while (element.id != ID_SEGMENT);
    rc = read_segment(&mkv, &element);
    if (rc)
        return rc;
    if (!mkv.has_video && !mkv.has_audio)
        return PROBE_BROKEN;
    ms = mkv.duration * ((double)mkv.scale / 1e6);
    if (ms > 0 && ms < DURATION_MS_MAX) /* false for a NaN too */
        facts->duration_ms = (int64_t)(ms + 0.5);
    if (!mkv.has_video) {
        type_fill(type == TYPE_WEBM ? TYPE_WEBM_AUDIO : TYPE_MKA, facts);
        return 0;
    }
    facts->width = mkv.width;
    facts->height = mkv.height;
    return 0;
}
