/* media/sniff and probe: files that ffmpeg makes, judged by ffprobe; then the same files spoilt. */
#include "media/media.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define PICTURE "-f lavfi -i testsrc=size=70x46:duration=1 -frames:v 1 "
#define VIDEO "-f lavfi -i testsrc=size=64x48:rate=10:duration=2.3 "
#define SOUND "-f lavfi -i sine=duration=1.5 "
#define VPX "-pix_fmt yuv420p -c:v libvpx -deadline realtime "
#define H264 "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 5 "

struct sample {
    const char *name;
    const char *args; /* of ffmpeg; NULL: made by hand */
    enum media_kind kind;
    const char *mime;
    const char *extension;
    int to_pipe;    /* written by way of a pipe: sizes are not known */
    int sized;      /* every shorter file is known to be cut off */
    int no_duration; /* not told by headers that are read here */
};

static const struct sample samples[] = {
    {"a.png", PICTURE, MEDIA_IMAGE, "image/png", "png", 0, 1, 0},
    {"a.jpg", PICTURE, MEDIA_IMAGE, "image/jpeg", "jpg", 0, 0, 0},
    {"lossy.webp", PICTURE "-c:v libwebp -quality 50", MEDIA_IMAGE, "image/webp", "webp", 0, 1, 0},
    {"lossless.webp", PICTURE "-c:v libwebp -lossless 1", MEDIA_IMAGE, "image/webp", "webp", 0, 1,
     0},
    {"alpha.webp", PICTURE "-pix_fmt yuva420p -c:v libwebp", MEDIA_IMAGE, "image/webp", "webp", 0,
     1, 0},
    {"a.gif", VIDEO, MEDIA_IMAGE, "image/gif", "gif", 0, 0, 0},
    {"a.bmp", PICTURE, MEDIA_IMAGE, "image/bmp", "bmp", 0, 0, 0},
    {"a.avif", PICTURE "-c:v libaom-av1 -cpu-used 8 -still-picture 1", MEDIA_IMAGE, "image/avif",
     "avif", 0, 1, 0},
    {"end.mp4", VIDEO H264, MEDIA_VIDEO, "video/mp4", "mp4", 0, 1, 0},
    {"front.mp4", VIDEO H264 "-movflags +faststart", MEDIA_VIDEO, "video/mp4", "mp4", 0, 1, 0},
    {"sound.mp4", VIDEO SOUND H264 "-c:a aac", MEDIA_VIDEO, "video/mp4", "mp4", 0,
     1, 0},
    {"wide.mp4", VIDEO H264 "-vf setsar=2/1", MEDIA_VIDEO, "video/mp4", "mp4", 0, 1, 0},
    {"empty_moov.mp4", VIDEO H264 "-movflags +frag_keyframe+empty_moov", MEDIA_VIDEO, "video/mp4",
     "mp4", 0, 0, 0},
    {"fragments.mp4", VIDEO H264 "-movflags +frag_keyframe", MEDIA_VIDEO, "video/mp4", "mp4", 0, 0,
     0},
    {"default_base.mp4", VIDEO SOUND H264 "-c:a aac -movflags +frag_keyframe+empty_moov+"
     "default_base_moof+separate_moof", MEDIA_VIDEO, "video/mp4", "mp4", 0, 0, 0},
    {"a.mov", VIDEO "-c:v mpeg4", MEDIA_VIDEO, "video/quicktime", "mov", 0, 1, 0},
    {"a.webm", VIDEO VPX, MEDIA_VIDEO, "video/webm", "webm", 0, 1, 0},
    {"wide.webm", VIDEO VPX "-vf setsar=2/1", MEDIA_VIDEO, "video/webm",
     "webm", 0, 1, 0},
    {"live.webm", VIDEO VPX "-f webm", MEDIA_VIDEO, "video/webm", "webm",
     1, 0, 1},
    {"a.mkv", VIDEO H264, MEDIA_VIDEO, "video/x-matroska", "mkv", 0, 1, 0},
    {"a.mka", SOUND "-c:a libopus -f matroska", MEDIA_AUDIO, "audio/x-matroska", "mka", 0, 1, 0},
    {"sound.webm", SOUND "-c:a libopus", MEDIA_AUDIO, "audio/webm", "webm", 0, 1, 0},
    {"a.wav", SOUND, MEDIA_AUDIO, "audio/wav", "wav", 0, 0, 0},
    {"pipe.wav", SOUND "-f wav", MEDIA_AUDIO, "audio/wav", "wav", 1, 0, 0},
    {"a.mp3", SOUND "-c:a libmp3lame", MEDIA_AUDIO, "audio/mpeg", "mp3", 0, 0, 1},
    {"bare.mp3", SOUND "-c:a libmp3lame -id3v2_version 0 -write_xing 0", MEDIA_AUDIO, "audio/mpeg",
     "mp3", 0, 0, 1},
    {"a.ogg", SOUND "-c:a libvorbis", MEDIA_AUDIO, "audio/ogg", "ogg", 0, 0, 1},
    {"a.flac", SOUND, MEDIA_AUDIO, "audio/flac", "flac", 0, 0, 1},
    {"a.m4a", SOUND "-c:a aac", MEDIA_AUDIO, "audio/mp4", "m4a", 0, 1, 0},
    {"plain.mp4", SOUND "-c:a aac", MEDIA_AUDIO, "audio/mp4", "m4a", 0, 1, 0},
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static char root[64];

static void path_of(const char *name, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/%s", root, name);
}

static int make_samples(void **state)
{
    char command[1024];

    (void)state;
    snprintf(root, sizeof(root), "/tmp/cm-probe-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    for (size_t i = 0; i < SAMPLES; i++) {
        snprintf(command, sizeof(command), "ffmpeg -nostdin -v error -y %s %s %s/%s",
                 samples[i].args, samples[i].to_pipe ? "pipe:1 >" : "", root, samples[i].name);
        if (system(command) != 0) {
            fprintf(stderr, "failed: %s\n", command);
            return -1;
        }
    }
    return 0;
}

static int remove_samples(void **state)
{
    char path[256];

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        path_of(samples[i].name, path, sizeof(path));
        unlink(path);
    }
    return rmdir(root);
}

/* One number that ffprobe tells, -1: none. */
static double ffprobe(const char *name, const char *entry, const char *stream)
{
    char command[512];
    char line[64] = "";
    FILE *pipe;

    snprintf(command, sizeof(command),
             "ffprobe -v error %s -show_entries %s -of default=nk=1:nw=1 %s/%s", stream, entry,
             root, name);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    if (!fgets(line, sizeof(line), pipe))
        line[0] = '\0';
    pclose(pipe);
    return line[0] >= '0' && line[0] <= '9' ? strtod(line, NULL) : -1;
}

static void agrees_with_ffprobe(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct media_facts facts;
        struct media_facts sniffed;
        struct err err = {0};
        struct stat st;
        char path[256];
        char start[MEDIA_SNIFF_BYTES];
        ssize_t len;
        int fd;

        path_of(s->name, path, sizeof(path));
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        if (media_probe(fd, &facts, &err))
            fail_msg("%s: %s", s->name, err.text);
        len = pread(fd, start, sizeof(start), 0);
        close(fd);
        if (facts.kind != s->kind || strcmp(facts.mime, s->mime) != 0 ||
            strcmp(facts.extension, s->extension) != 0)
            fail_msg("%s: %s .%s", s->name, facts.mime, facts.extension);
        assert_int_equal(facts.bytes, st.st_size);
        assert_int_equal(media_sniff(start, (size_t)len, &sniffed), 0);
        if (s->kind != MEDIA_AUDIO)
            assert_string_equal(sniffed.mime, s->mime);
        if (s->kind == MEDIA_AUDIO) {
            assert_int_equal(facts.width, 0);
        } else {
            double width = ffprobe(s->name, "stream=width", "-select_streams v:0");
            double height = ffprobe(s->name, "stream=height", "-select_streams v:0");

            if (strncmp(s->name, "wide.", 5) == 0)
                width *= 2; /* ffprobe tells stored sides, we those of display */
            if (facts.width != (uint32_t)width || facts.height != (uint32_t)height)
                fail_msg("%s: %ux%u, ffprobe says %gx%g", s->name, facts.width, facts.height,
                         width, height);
        }
        if (s->kind == MEDIA_IMAGE || s->no_duration) {
            assert_int_equal(facts.duration_ms, 0);
        } else {
            double ms = ffprobe(s->name, "format=duration", "") * 1000;
            double off = (double)facts.duration_ms - ms;

            if (off < -60 || off > 60)
                fail_msg("%s: %lld ms, ffprobe says %g", s->name, (long long)facts.duration_ms,
                         ms);
        }
    }
}

/* A file in memory, with len of the given bytes. */
static int memory_file(const unsigned char *bytes, size_t len)
{
    int fd = memfd_create("sample", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, 0), (ssize_t)len);
    return fd;
}

static unsigned char *load(const char *name, size_t *ret_len)
{
    char path[256];
    struct stat st;
    unsigned char *bytes;
    int fd;

    path_of(name, path, sizeof(path));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    bytes = malloc((size_t)st.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_len = (size_t)st.st_size;
    return bytes;
}

/* Either a clear error or facts that can be true. */
static int probe_some(const char *name, int fd)
{
    struct media_facts facts;
    struct err err = {0};

    if (media_probe(fd, &facts, &err)) {
        if (err.kind != ERR_ANSWER || !err.text[0])
            fail_msg("%s: kind %d \"%s\"", name, (int)err.kind, err.text);
        return -1;
    }
    assert_true(facts.kind != MEDIA_UNKNOWN);
    assert_true(facts.duration_ms >= 0);
    if (facts.kind == MEDIA_IMAGE)
        assert_true(facts.width && facts.height && facts.width < 1u << 24);
    return 0;
}

static void cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t len;
        unsigned char *bytes = load(samples[i].name, &len);
        int fd = memory_file(bytes, len);
        size_t step = 1;

        for (size_t left = len - 1;; left -= step) {
            assert_int_equal(ftruncate(fd, (off_t)left), 0);
            if (probe_some(samples[i].name, fd) == 0 && samples[i].sized)
                fail_msg("%s: good with %zu of %zu bytes", samples[i].name, left, len);
            step = left > 3000 ? 37 : 1;
            if (left < step)
                break;
        }
        close(fd);
        free(bytes);
    }
}

static void bits_flipped(void **state)
{
    uint32_t seed = 1;
    int good = 0;
    int bad = 0;

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t len;
        unsigned char *bytes = load(samples[i].name, &len);
        int fd = memory_file(bytes, len);

        for (int round = 0; round < 1500; round++) {
            size_t at[3];
            size_t flips = (size_t)(round % 3) + 1;

            for (size_t n = 0; n < flips; n++) {
                unsigned char spoilt;

                seed = seed * 1664525u + 1013904223u;
                at[n] = (seed >> 8) % (round % 2 ? len : len < 600 ? len : 600);
                if (round % 4 == 3) /* the end: where moov often is */
                    at[n] = len - 1 - at[n] % (len < 900 ? len : 900);
                spoilt = (unsigned char)(bytes[at[n]] ^ 1u << (seed >> 5 & 7));
                if (round % 5 == 0)
                    spoilt = 0xFF;
                assert_int_equal(pwrite(fd, &spoilt, 1, (off_t)at[n]), 1);
            }
            if (probe_some(samples[i].name, fd))
                bad++;
            else
                good++;
            for (size_t n = 0; n < flips; n++)
                assert_int_equal(pwrite(fd, bytes + at[n], 1, (off_t)at[n]), 1);
        }
        close(fd);
        free(bytes);
    }
    assert_true(good > 100 && bad > 100);
}

static void expect_sides(const unsigned char *bytes, size_t len, const char *mime, uint32_t width,
                         uint32_t height)
{
    struct media_facts facts;
    struct err err;
    int fd = memory_file(bytes, len);

    if (media_probe(fd, &facts, &err))
        fail_msg("%s: %s", mime, err.text);
    assert_string_equal(facts.mime, mime);
    assert_int_equal(facts.width, width);
    assert_int_equal(facts.height, height);
    close(fd);
}

/* What ffmpeg does not write: frame headers of other kinds, a large segment, fill bytes. */
static void jpeg_of_other_kinds(void **state)
{
    static const unsigned char lead[] = {0xFF, 0xD8, 0xFF, 0xFF, 0xFF, 0xE1, 0xFF, 0xFF};
    static const unsigned char kinds[] = {0xC1, 0xC2, 0xC9, 0xCF};
    size_t len;
    unsigned char *bytes = load("a.jpg", &len);
    size_t room = sizeof(lead) + 0xFFFD + len;
    unsigned char *other = calloc(1, room);
    unsigned char *sof;

    (void)state;
    assert_non_null(other);
    memcpy(other, lead, sizeof(lead));
    memcpy(other + sizeof(lead) + 0xFFFD, bytes + 2, len - 2);
    sof = memmem(other, room, "\xFF\xC0\x00\x11", 4);
    assert_non_null(sof);
    for (size_t i = 0; i < sizeof(kinds); i++) {
        sof[1] = kinds[i];
        expect_sides(other, room - 2, "image/jpeg", 70, 46);
    }
    free(other);
    free(bytes);
}

/* A quarter turn in the track's matrix, and a box with a 64-bit size in front of all others. */
static void turned_and_long(void **state)
{
    static const unsigned char turn[36] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF,
                                           0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                           0, 0, 0, 0, 0x40, 0, 0, 0};
    static const unsigned char wide[24] = {0, 0, 0, 1, 'f', 'r', 'e', 'e', 0, 0, 0, 0, 0, 0, 0, 24};
    size_t len;
    unsigned char *bytes = load("end.mp4", &len);
    unsigned char *longer = malloc(len + sizeof(wide));
    unsigned char *tkhd;
    size_t first;

    (void)state;
    assert_non_null(longer);
    memset(longer, 0xFF, len + sizeof(wide)); /* rubbish behind a complete file */
    memcpy(longer, bytes, len);
    expect_sides(longer, len + sizeof(wide), "video/mp4", 64, 48);
    first = (size_t)bytes[2] << 8 | bytes[3]; /* ftyp stays in front */
    memcpy(longer, bytes, first);
    memcpy(longer + first, wide, sizeof(wide));
    memcpy(longer + first + sizeof(wide), bytes + first, len - first);
    expect_sides(longer, len + sizeof(wide), "video/mp4", 64, 48);
    tkhd = memmem(longer, len + sizeof(wide), "tkhd", 4);
    assert_non_null(tkhd);
    memcpy(tkhd + 4 + 40, turn, sizeof(turn));
    expect_sides(longer, len + sizeof(wide), "video/mp4", 48, 64);
    free(longer);
    free(bytes);
}

/* A HEIC file's boxes: two tiles' sides and, larger, the picture's. */
static void heic_by_hand(void **state)
{
#define ISPE(w, h) 0, 0, 0, 20, 'i', 's', 'p', 'e', 0, 0, 0, 0, 0, 0, (w) >> 8, (w) & 0xFF, 0, 0,  \
                   (h) >> 8, (h) & 0xFF
    static const unsigned char heic[] = {
        0, 0, 0, 24, 'f', 't', 'y', 'p', 'm', 'i', 'f', '1', 0, 0, 0, 0, 'm', 'i', 'f', '1', 'h',
        'e', 'i', 'c', 0, 0, 0, 88, 'm', 'e', 't', 'a', 0, 0, 0, 0, 0, 0, 0, 76, 'i', 'p', 'r',
        'p', 0, 0, 0, 68, 'i', 'p', 'c', 'o', ISPE(512, 512), ISPE(4032, 3024), ISPE(320, 240),
        0, 0, 0, 12, 'm', 'd', 'a', 't', 1, 2, 3, 4,
    };
    struct media_facts facts;

    (void)state;
    expect_sides(heic, sizeof(heic), "image/heic", 4032, 3024);
    assert_int_equal(media_sniff(heic, sizeof(heic), &facts), 0);
    assert_string_equal(facts.extension, "heic");
}

static void what_is_no_media(void **state)
{
    static const char *const texts[] = {"BM is how this text begins, and it goes on for a while",
                                        "RIFF and raff, but no wave", "ID", "GIF88a", "<svg>",
                                        "\xFF\xFB\x90\x64 a sync word, then words", "\x89PNG"};
    struct media_facts facts = {.width = 7};
    char zeros[64] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(media_sniff(texts[i], strlen(texts[i]), &facts), -1);
    assert_int_equal(media_sniff(zeros, sizeof(zeros), &facts), -1);
    assert_int_equal(media_sniff("", 0, &facts), -1);
    assert_int_equal(facts.width, 7);
}

/* Files built to keep a reader busy: millions of empty chunks, boxes, segments. */
static void endless_headers(void **state)
{
    static const struct {
        const char *head;
        size_t head_len;
        const char *piece;
        size_t piece_len;
    } rows[] = {
        {"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\0\0\0\0\0\0\0\0", 33,
         "\0\0\0\0tEXt\0\0\0\0", 12},
        {"\0\0\0\x10" "ftypmp42\0\0\0\0", 16, "\0\0\0\10free", 8},
        {"\xFF\xD8", 2, "\xFF\xE1\0\2", 4},
        {"\x1A\x45\xDF\xA3\x87\x42\x82\x84webm\x18\x53\x80\x67\xFF", 17, "\xEC\x80", 2},
    };
    size_t room = 32u << 20;
    unsigned char *bytes = malloc(room);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd;

        memcpy(bytes, rows[i].head, rows[i].head_len);
        for (size_t at = rows[i].head_len; at + rows[i].piece_len <= room; at += rows[i].piece_len)
            memcpy(bytes + at, rows[i].piece, rows[i].piece_len);
        fd = memory_file(bytes, room);
        assert_int_equal(probe_some("endless", fd), -1);
        close(fd);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_ffprobe),
        cmocka_unit_test(cut_off),
        cmocka_unit_test(bits_flipped),
        cmocka_unit_test(jpeg_of_other_kinds),
        cmocka_unit_test(turned_and_long),
        cmocka_unit_test(heic_by_hand),
        cmocka_unit_test(what_is_no_media),
        cmocka_unit_test(endless_headers),
    };

    return cmocka_run_group_tests(tests, make_samples, remove_samples);
}
