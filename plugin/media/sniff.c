/*
 * sniff.c - what kind of file some bytes are, from their beginning alone. A table of signatures,
 * each with a function that has the last word where the signature is weak or shared. Names the
 * type, never a dimension; probe.c reads those.
 *
 * Sources of the signatures: RFC 2083 (PNG), ITU-T T.81 (JPEG), the GIF89a and WebP container
 * specifications, ISO/IEC 14496-12 and 23008-12 (ftyp brands, as registered at mp4ra.org), RFC 8794
 * and RFC 9559 (EBML, Matroska), RFC 3533 (Ogg), ISO/IEC 11172-3 (MPEG audio frames), id3.org.
 */
#include "media/media.h"

#include "media/probe.h"

#include <string.h>

struct type {
    enum media_kind kind;
    const char *mime;
    const char *extension;
};

static const struct type types[] = {
    [TYPE_PNG] = {MEDIA_IMAGE, "image/png", "png"},
    [TYPE_JPEG] = {MEDIA_IMAGE, "image/jpeg", "jpg"},
    [TYPE_GIF] = {MEDIA_IMAGE, "image/gif", "gif"},
    [TYPE_WEBP] = {MEDIA_IMAGE, "image/webp", "webp"},
    [TYPE_BMP] = {MEDIA_IMAGE, "image/bmp", "bmp"},
    [TYPE_AVIF] = {MEDIA_IMAGE, "image/avif", "avif"},
    [TYPE_HEIC] = {MEDIA_IMAGE, "image/heic", "heic"},
    [TYPE_MP4] = {MEDIA_VIDEO, "video/mp4", "mp4"},
    [TYPE_MOV] = {MEDIA_VIDEO, "video/quicktime", "mov"},
    [TYPE_WEBM] = {MEDIA_VIDEO, "video/webm", "webm"},
    [TYPE_MKV] = {MEDIA_VIDEO, "video/x-matroska", "mkv"},
    [TYPE_M4A] = {MEDIA_AUDIO, "audio/mp4", "m4a"},
    [TYPE_WEBM_AUDIO] = {MEDIA_AUDIO, "audio/webm", "webm"},
    [TYPE_MKA] = {MEDIA_AUDIO, "audio/x-matroska", "mka"},
    [TYPE_WAV] = {MEDIA_AUDIO, "audio/wav", "wav"},
    [TYPE_MP3] = {MEDIA_AUDIO, "audio/mpeg", "mp3"},
    [TYPE_OGG] = {MEDIA_AUDIO, "audio/ogg", "ogg"},
    [TYPE_FLAC] = {MEDIA_AUDIO, "audio/flac", "flac"},
};

void type_fill(enum media_type type, struct media_facts *facts)
{
    facts->kind = types[type].kind;
    facts->mime = types[type].mime;
    facts->extension = types[type].extension;
}

int type_is_extension(const char *text)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].extension && strcmp(types[i].extension, text) == 0)
            return 1;
    return 0;
}

static int has(const unsigned char *data, size_t len, size_t at, const void *text, size_t text_len)
{
    return at <= len && len - at >= text_len && memcmp(data + at, text, text_len) == 0;
}

/* "BM" is two letters of English: the size of the second header must be one that exists. */
static int is_bmp(const unsigned char *data, size_t len)
{
    static const uint32_t sizes[] = {12, 16, 40, 52, 56, 64, 108, 124};

    if (!has(data, len, 0, "BM", 2) || len < 30)
        return 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (get_le32(data + 14) == sizes[i])
            return 1;
    return 0;
}

static int brand_is(const unsigned char *p, const char *const *brands)
{
    for (; *brands; brands++)
        if (memcmp(p, *brands, 4) == 0)
            return 1;
    return 0;
}

/* The major brand decides; a general one ("mif1") lets the compatible brands decide. */
static enum media_type type_of_ftyp(const unsigned char *data, size_t len)
{
    static const char *const avif[] = {"avif", "avis", NULL};
    static const char *const heic[] = {"heic", "heix", "hevc", "hevx", "heim", "heis", "hevm",
                                       "hevs", NULL};
    static const char *const audio[] = {"M4A ", "M4B ", "M4P ", NULL};
    static const char *const still[] = {"mif1", "msf1", "miaf", NULL};
    size_t end = get_be32(data);

    if (brand_is(data + 8, avif))
        return TYPE_AVIF;
    if (brand_is(data + 8, heic))
        return TYPE_HEIC;
    if (memcmp(data + 8, "qt  ", 4) == 0)
        return TYPE_MOV;
    if (brand_is(data + 8, audio))
        return TYPE_M4A;
    if (!brand_is(data + 8, still))
        return TYPE_MP4;
    if (end > len)
        end = len;
    for (size_t at = 16; at + 4 <= end; at += 4)
        if (brand_is(data + at, avif))
            return TYPE_AVIF;
    return TYPE_HEIC;
}

/* ISO base media, or QuickTime from before it had ftyp. */
static int is_boxes(const unsigned char *data, size_t len, enum media_type *ret_type)
{
    static const char *const old[] = {"moov", "mdat", "wide", "pnot", NULL};

    if (len < 16)
        return 0;
    if (memcmp(data + 4, "ftyp", 4) == 0) {
        if (get_be32(data) < 16)
            return 0;
        *ret_type = type_of_ftyp(data, len);
        return 1;
    }
    if (!brand_is(data + 4, old) || (get_be32(data) < 8 && get_be32(data) > 1))
        return 0;
    *ret_type = TYPE_MOV;
    return 1;
}

static int is_riff(const unsigned char *data, size_t len, enum media_type *ret_type)
{
    int riff = has(data, len, 0, "RIFF", 4) || has(data, len, 0, "RF64", 4);

    if (riff && has(data, len, 8, "WEBP", 4))
        *ret_type = TYPE_WEBP;
    else if (riff && has(data, len, 8, "WAVE", 4))
        *ret_type = TYPE_WAV;
    else
        return 0;
    return 1;
}

/* EBML: the DocType element (0x4282) stands within the header, a text of one-byte length. */
static int is_ebml(const unsigned char *data, size_t len, enum media_type *ret_type)
{
    size_t end = len < 256 ? len : 256;

    if (!has(data, len, 0, "\x1A\x45\xDF\xA3", 4))
        return 0;
    for (size_t at = 4; at + 3 <= end; at++) {
        if (!has(data, end, at, "\x42\x82", 2))
            continue;
        if (has(data, end, at + 3, "webm", 4))
            *ret_type = TYPE_WEBM;
        else if (has(data, end, at + 3, "matroska", 8))
            *ret_type = TYPE_MKV;
        else
            continue;
        return 1;
    }
    return 0;
}

/* Bytes of the MPEG audio layer III frame whose header is at p, 0: it is none. */
static size_t mp3_frame(const unsigned char *p)
{
    static const uint16_t kbits_1[] = {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224,
                                       256, 320, 0};
    static const uint16_t kbits_2[] = {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144,
                                       160, 0};
    static const uint16_t rates[] = {44100, 48000, 32000, 0};
    unsigned version = p[1] >> 3 & 3; /* 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5 */
    uint32_t rate = rates[p[2] >> 2 & 3];
    uint32_t kbits = version == 3 ? kbits_1[p[2] >> 4] : kbits_2[p[2] >> 4];

    if (p[0] != 0xFF || (p[1] & 0xE0) != 0xE0 || version == 1 || (p[1] >> 1 & 3) != 1)
        return 0;
    if (!rate || !kbits)
        return 0;
    rate >>= version == 3 ? 0 : version == 2 ? 1 : 2;
    return (version == 3 ? 144000u : 72000u) * kbits / rate + (p[2] >> 1 & 1);
}

/* A sync word alone is weak: a second frame must follow where it should. */
static int is_mp3(const unsigned char *data, size_t len)
{
    size_t frame;

    if (has(data, len, 0, "ID3", 3) && len >= 10 && data[3] < 0xFF && data[4] < 0xFF)
        return 1;
    if (len < 4)
        return 0;
    frame = mp3_frame(data);
    return frame && frame + 4 <= len && mp3_frame(data + frame);
}

static int type_of(const unsigned char *data, size_t len, enum media_type *ret_type)
{
    if (has(data, len, 0, "\x89PNG\r\n\x1A\n", 8))
        *ret_type = TYPE_PNG;
    else if (has(data, len, 0, "\xFF\xD8\xFF", 3))
        *ret_type = TYPE_JPEG;
    else if (has(data, len, 0, "GIF87a", 6) || has(data, len, 0, "GIF89a", 6))
        *ret_type = TYPE_GIF;
    else if (has(data, len, 0, "OggS", 4))
        *ret_type = TYPE_OGG;
    else if (has(data, len, 0, "fLaC", 4))
        *ret_type = TYPE_FLAC;
    else if (is_bmp(data, len))
        *ret_type = TYPE_BMP;
    else if (is_mp3(data, len))
        *ret_type = TYPE_MP3;
    else
        return is_riff(data, len, ret_type) || is_boxes(data, len, ret_type) ||
               is_ebml(data, len, ret_type);
    return 1;
}

int sniff_type(const void *data, size_t len, enum media_type *ret_type)
{
    return type_of(data, len, ret_type) ? 0 : -1;
}

int media_sniff(const void *data, size_t len, struct media_facts *ret_facts)
{
    struct media_facts facts = {0};
    enum media_type type;

    if (sniff_type(data, len, &type))
        return -1;
    type_fill(type, &facts);
    *ret_facts = facts;
    return 0;
}
