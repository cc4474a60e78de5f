/*
 * Small tools of the simulator; see sim_util.h.
 */
#include "sim_util.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void out_of_memory(void)
{
    fputs("clawmedia-sim: out of memory\n", stderr);
    exit(3);
}

void *sim_alloc(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *sim_realloc(void *p, size_t bytes)
{
    void *fresh = realloc(p, bytes ? bytes : 1);
    if (!fresh)
        out_of_memory();
    return fresh;
}

char *sim_strdup(const char *s)
{
    char *copy = strdup(s);
    if (!copy)
        out_of_memory();
    return copy;
}

void sim_copy_text(char *dst, size_t size, const char *src)
{
    size_t len = strlen(src);
    if (len >= size)
        len = size - 1;
    memcpy(dst, src, len);
    dst[len] = '\0';
}

void sim_buf_add(struct sim_buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    if (b->cap - b->len < len) {
        size_t cap = b->cap ? b->cap * 2 : 256;
        while (cap - b->len < len)
            cap *= 2;
        b->data = sim_realloc(b->data, cap);
        b->cap = cap;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void sim_buf_printf(struct sim_buf *b, const char *format, ...)
{
    char line[SIM_TEXT_MAX];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof line) {
        fputs("clawmedia-sim: a line is longer than its limit\n", stderr);
        exit(3);
    }
    sim_buf_add(b, line, (size_t)n);
}

void sim_buf_be16(struct sim_buf *b, uint32_t v)
{
    unsigned char raw[2] = {(unsigned char)(v >> 8), (unsigned char)v};
    sim_buf_add(b, raw, sizeof raw);
}

void sim_buf_be32(struct sim_buf *b, uint32_t v)
{
    sim_buf_be16(b, v >> 16);
    sim_buf_be16(b, v & 0xffff);
}

void sim_buf_be64(struct sim_buf *b, uint64_t v)
{
    sim_buf_be32(b, (uint32_t)(v >> 32));
    sim_buf_be32(b, (uint32_t)v);
}

void sim_buf_free(struct sim_buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

int64_t sim_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t sim_wall_s(void)
{
    return (int64_t)time(NULL);
}

uint64_t sim_hash_text(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        h = (h ^ *p) * 0x100000001b3u;
    return h;
}

uint64_t sim_hash_mix(uint64_t seed, uint64_t more)
{
    uint64_t h = seed + 0x9e3779b97f4a7c15u * (more + 1);
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

uint64_t sim_crc64(uint64_t crc, const void *data, size_t len)
{
    static uint64_t table[256];
    const unsigned char *p = data;

    for (unsigned i = 0; table[255] == 0 && i < 256; i++) {
        uint64_t v = i;
        for (int bit = 0; bit < 8; bit++)
            v = (v >> 1) ^ (v & 1 ? 0xc96c5795d7870f42u : 0);
        table[i] = v;
    }
    crc = ~crc;
    while (len-- > 0)
        crc = table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
    return ~crc;
}

int sim_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || end == text || *end || v < min || v > max)
        return -1;
    *ret = v;
    return 0;
}

int sim_parse_size(const char *text, int max_side, int *ret_w, int *ret_h)
{
    const char *x = strchr(text, 'x');
    char left[16];
    int64_t w, h;

    if (!x || (size_t)(x - text) >= sizeof left)
        return -1;
    memcpy(left, text, (size_t)(x - text));
    left[x - text] = '\0';
    if (sim_parse_int(left, 1, max_side, &w) || sim_parse_int(x + 1, 1, max_side, &h))
        return -1;
    *ret_w = (int)w;
    *ret_h = (int)h;
    return 0;
}

bool sim_path_matches(const char *pattern, const char *path)
{
    if (*pattern == '=')
        return strcmp(pattern + 1, path) == 0;
    if (strpbrk(pattern, "*?["))
        return fnmatch(pattern, path, FNM_PATHNAME) == 0;
    size_t len = strlen(pattern);
    if (strncmp(pattern, path, len) != 0)
        return false;
    return len == 0 || path[len] == '\0' || path[len] == '/' || pattern[len - 1] == '/';
}
