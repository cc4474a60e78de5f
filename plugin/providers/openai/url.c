/*
 * url.c - addresses. An origin is scheme, host and port; the key may only go to the provider's own.
 * Anything with user information, blanks, quotes or control characters is no address here.
 */
#include "providers/openai/openai.h"

#include <string.h>
#include <strings.h>

struct split {
    int https;
    const char *host;
    size_t host_len;
    unsigned port;
    size_t origin_len; /* of the text up to the path */
};

static int split_url(const char *url, size_t len, struct split *ret_split)
{
    struct split out = {0};
    size_t at;
    size_t end;
    size_t colon;

    if (len >= 8 && strncasecmp(url, "https://", 8) == 0)
        out.https = 1;
    else if (len < 7 || strncasecmp(url, "http://", 7) != 0)
        return -1;
    at = out.https ? 8 : 7;
    for (end = at; end < len && !strchr("/?#", url[end]); end++)
        if (url[end] == '@' || (unsigned char)url[end] <= ' ' || (unsigned char)url[end] >= 0x7F)
            return -1;
    colon = end;
    if (at < end && url[at] == '[') {
        const char *bracket = memchr(url + at, ']', end - at);

        if (!bracket)
            return -1;
        colon = (size_t)(bracket - url) + 1;
        if (colon < end && url[colon] != ':')
            return -1;
    } else {
        const char *found = memchr(url + at, ':', end - at);

        colon = found ? (size_t)(found - url) : end;
    }
    out.port = out.https ? 443 : 80;
    if (colon + 1 < end) {
        out.port = 0;
        for (size_t i = colon + 1; i < end; i++) {
            if (url[i] < '0' || url[i] > '9' || out.port > 6553)
                return -1;
            out.port = out.port * 10 + (unsigned)(url[i] - '0');
        }
    }
    out.host = url + at;
    out.host_len = colon - at;
    out.origin_len = end;
    *ret_split = out;
    return out.host_len ? 0 : -1;
}

int openai_url_same_origin(const char *a, const char *b)
{
    struct split sa;
    struct split sb;

    return split_url(a, strlen(a), &sa) == 0 && split_url(b, strlen(b), &sb) == 0 &&
           sa.https == sb.https && sa.port == sb.port && sa.host_len == sb.host_len &&
           strncasecmp(sa.host, sb.host, sa.host_len) == 0;
}

int openai_url_host_is(const char *url, const char *host)
{
    struct split split;

    return split_url(url, strlen(url), &split) == 0 && split.host_len == strlen(host) &&
           strncasecmp(split.host, host, split.host_len) == 0;
}

/* Letters beyond ASCII become %XX; NULL for what cannot stand in an address. */
static char *encode(struct arena *arena, const char *text, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t more = 0;
    size_t at = 0;
    char *out;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= ' ' || c == 0x7F || c == '"' || c == '<' || c == '>' || c == '\\')
            return NULL;
        if (c > 0x7F)
            more += 2;
    }
    if (len + more >= LIMIT_URL)
        return NULL;
    out = arena_alloc(arena, len + more + 1);
    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c > 0x7F) {
            out[at++] = '%';
            out[at++] = hex[c >> 4];
            out[at++] = hex[c & 15];
        } else {
            out[at++] = (char)c;
        }
    }
    return out;
}

char *openai_url_join(struct arena *arena, const char *base, const char *ref, size_t len)
{
    struct split root;
    struct split own;
    size_t prefix_len;
    char *path;
    char *url;

    if (!len || len >= LIMIT_URL || split_url(base, strlen(base), &root) != 0)
        return NULL;
    if (split_url(ref, len, &own) == 0)
        return encode(arena, ref, len);
    path = encode(arena, ref, len);
    if (!path)
        return NULL;
    prefix_len = strlen(base) - root.origin_len;
    if (strncmp(path, "//", 2) == 0)
        url = arena_format(arena, "%s:%s", root.https ? "https" : "http", path);
    else if (path[0] == '/' && prefix_len &&
             strncmp(path, base + root.origin_len, prefix_len) == 0 && path[prefix_len] == '/')
        url = arena_format(arena, "%.*s%s", (int)root.origin_len, base, path);
    else if (path[0] == '/')
        url = arena_format(arena, "%s%s", base, path);
    else if (strcspn(path, ":") < strcspn(path, "/?#"))
        return NULL; /* another scheme */
    else
        url = arena_format(arena, "%s/%s", base, path);
    return url && split_url(url, strlen(url), &own) == 0 && strlen(url) < LIMIT_URL ? url : NULL;
}

char *openai_url_api(struct arena *arena, const char *base, const char *path, const char *id)
{
    static const char hex[] = "0123456789ABCDEF";
    const char *slot = strstr(path, "{id}");
    size_t base_len = strlen(base);
    struct split root;
    char *safe;
    size_t at = 0;

    if (path[0] == '^') {
        if (split_url(base, base_len, &root) != 0)
            return NULL;
        base_len = root.origin_len;
        path++;
    }
    if (!slot)
        return arena_format(arena, "%.*s%s", (int)base_len, base, path);
    safe = arena_alloc(arena, 3 * strlen(id) + 1);
    if (!safe)
        return NULL;
    for (const char *c = id; *c; c++) {
        unsigned char byte = (unsigned char)*c;

        if ((byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z') ||
            strchr("-._~", byte)) {
            safe[at++] = *c;
        } else {
            safe[at++] = '%';
            safe[at++] = hex[byte >> 4];
            safe[at++] = hex[byte & 15];
        }
    }
    return arena_format(arena, "%.*s%.*s%s%s", (int)base_len, base, (int)(slot - path), path, safe,
                        slot + 4);
}

int openai_url_media(const char *url, size_t len)
{
    static const char *const pictures[] = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif"};
    static const char *const videos[] = {".mp4", ".webm", ".mov", ".m4v", ".mkv"};
    size_t end = 0;

    while (end < len && url[end] != '?' && url[end] != '#')
        end++;
    for (size_t i = 0; i < sizeof(pictures) / sizeof(*pictures); i++) {
        size_t ext = strlen(pictures[i]);

        if (end > ext && strncasecmp(url + end - ext, pictures[i], ext) == 0)
            return 'i';
    }
    for (size_t i = 0; i < sizeof(videos) / sizeof(*videos); i++) {
        size_t ext = strlen(videos[i]);

        if (end > ext && strncasecmp(url + end - ext, videos[i], ext) == 0)
            return 'v';
    }
    return 0;
}
