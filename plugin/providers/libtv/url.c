/*
 * url.c - addresses: where to ask, and which of the addresses in a message may be results. The
 * latter are letters from outside that end in a download, so nothing is guessed: an https address
 * on the very host that the catalogue names, or one on the account's own origin where that was put
 * elsewhere.
 */
#include "providers/libtv/libtv.h"

#include <string.h>
#include <strings.h>

char *libtv_url_api(struct arena *arena, const char *base, const char *path, const char *id)
{
    const char *place = strstr(path, "{id}");
    size_t len = strlen(base);

    while (len && base[len - 1] == '/')
        len--;
    while (*path == '/' && path[1] == '/')
        path++;
    if (!place)
        return arena_format(arena, "%.*s%s", (int)len, base, path);
    return arena_format(arena, "%.*s%.*s%s%s", (int)len, base, (int)(place - path), path, id,
                        place + 4);
}

int libtv_is_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= LIBTV_SESSION_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

/* Bytes of "scheme://authority", 0 when it is no http(s) address. */
static size_t origin_len(const char *url)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0  ? 8
                    : strncasecmp(url, "http://", 7) == 0 ? 7
                                                          : 0;

    return scheme ? scheme + strcspn(url + scheme, "/?#") : 0;
}

/* The part between "://" and a port. */
static const char *host_of(const char *url, size_t origin, size_t *ret_len)
{
    const char *host = strstr(url, "://") + 3;
    const char *end = url + origin;

    *ret_len = (size_t)(end - host);
    if (*host == '[')
        return host; /* with its brackets, which no name has */
    *ret_len = strcspn(host, ":/?#");
    return host;
}

static int is_listed(const struct provider_account *account, const char *host, size_t len)
{
    for (size_t i = 0; i < account->result_hosts_count; i++)
        if (strlen(account->result_hosts[i]) == len &&
            strncasecmp(account->result_hosts[i], host, len) == 0)
            return 1;
    return 0;
}

static int is_known_origin(const struct provider_account *account, const char *url, size_t origin)
{
    size_t base = origin_len(account->base_url);
    size_t len;
    const char *host = host_of(url, origin, &len);

    /* An account whose base was put elsewhere has its host in the list, too. */
    if (base == origin && strncasecmp(url, account->base_url, origin) == 0) {
        const char *bare = *host == '[' ? host + 1 : host;

        return is_listed(account, bare, *host == '[' ? strcspn(bare, "]") : len);
    }
    return strncasecmp(url, "https://", 8) == 0 && 8 + len == origin &&
           is_listed(account, host, len);
}

/* Nothing in it that a server or a library might read as another path. */
static int is_plain_path(const char *path)
{
    for (const char *at = path; *at && *at != '?' && *at != '#'; at++) {
        if (strncmp(at, "/.", 2) == 0 || *at == '\\' || *at == '@')
            return 0;
        if (*at == '%' && (strncasecmp(at, "%2e", 3) == 0 || strncasecmp(at, "%2f", 3) == 0 ||
                           strncasecmp(at, "%5c", 3) == 0 || strncmp(at, "%00", 3) == 0))
            return 0;
    }
    return path[strcspn(path, " \t\r\n")] == '\0';
}

int libtv_url_is_result(const struct provider_account *account, const json_t *catalog,
                        const char *url)
{
    size_t origin = origin_len(url);
    const char *path = url + origin;
    const json_t *start;
    size_t index;

    if (!origin || strlen(url) >= LIBTV_URL_MAX || !is_known_origin(account, url, origin) ||
        !is_plain_path(path))
        return 0;
    json_array_foreach(json_object_get(libtv_own(catalog), "result_paths"), index, start) {
        size_t len = json_string_length(start);

        if (strncmp(path, json_string_value(start), len) == 0 && path[len] && path[len] != '?' &&
            path[len] != '#')
            return 1;
    }
    return 0;
}

/* ---- the end of an address in running text ---- */

/* Marks of Chinese writing that end an address: U+3000..303F, U+FF00..FF65, quotes of U+2018..201F.
 */
static int is_wide_mark(const unsigned char *at, size_t left)
{
    if (left < 3)
        return 0;
    if (at[0] == 0xE3 && at[1] == 0x80)
        return 1;
    if (at[0] == 0xEF && (at[1] == 0xBC || (at[1] == 0xBD && at[2] <= 0xA5)))
        return 1;
    return at[0] == 0xE2 && at[1] == 0x80 && at[2] >= 0x98 && at[2] <= 0x9F;
}

/* Where a known kind of file ends that is followed at once by words; 0: nowhere. */
static size_t file_end(const char *text, size_t len)
{
    static const char *const ends[] = {".mp4", ".mov", ".webm", ".png", ".jpg", ".jpeg", ".webp",
                                       ".gif"};

    for (size_t i = 0; i < len; i++)
        for (size_t e = 0; text[i] == '.' && e < sizeof(ends) / sizeof(*ends); e++) {
            size_t end = i + strlen(ends[e]);

            if (end < len && strncasecmp(text + i, ends[e], strlen(ends[e])) == 0 &&
                ((unsigned char)text[end] & 0x80))
                return end;
        }
    return 0;
}

size_t libtv_url_len(const char *text, size_t len)
{
    size_t end = 0;
    size_t file;

    while (end < len && (unsigned char)text[end] > ' ' && text[end] != 0x7F &&
           !strchr("\"'<>)]}`|\\^", text[end]) &&
           !is_wide_mark((const unsigned char *)text + end, len - end))
        end++;
    file = file_end(text, end);
    if (file)
        end = file;
    while (end && strchr(".,;:!?*_~", text[end - 1]))
        end--;
    return end;
}
