/*
 * policy.c - see policy.h. URLs are parsed by libcurl's own parser, so that what was checked is
 * what is fetched; the result is put together again from its checked parts and only that text is
 * used.
 *
 * Addresses: IPv4 by a table of what is not public. IPv6 the other way round: only 2000::/3 and
 * 64:ff9b::/96 can be public, less what the table takes out. An IPv6 address that carries an IPv4
 * one (mapped, NAT64, 6to4) is as private as that one.
 */
#include "net/policy.h"

#include "base/limits.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct range {
    unsigned char bytes[16];
    unsigned bits;
};

static const struct range private4[] = {
    {{0}, 8},                 /* RFC 791: this network; 0.0.0.0 reaches this machine */
    {{10}, 8},                /* RFC 1918 */
    {{100, 64}, 10},          /* RFC 6598: carrier NAT; has Alibaba's metadata 100.100.100.200 */
    {{127}, 8},               /* RFC 1122: loopback */
    {{168, 63, 129, 16}, 32}, /* Azure's metadata and wire server, outside every private range */
    {{169, 254}, 16},         /* RFC 3927: link-local; has most clouds' metadata */
    {{172, 16}, 12},          /* RFC 1918 */
    {{192, 0, 0}, 24},        /* RFC 6890: protocol assignments; has Oracle's metadata */
    {{192, 0, 2}, 24},        /* RFC 5737: documentation */
    {{192, 88, 99}, 24},      /* RFC 7526: 6to4 relays, withdrawn */
    {{192, 168}, 16},         /* RFC 1918 */
    {{198, 18}, 15},          /* RFC 2544: benchmarks */
    {{198, 51, 100}, 24},     /* RFC 5737 */
    {{203, 0, 113}, 24},      /* RFC 5737 */
    {{224}, 4},               /* RFC 5771: multicast */
    {{240}, 4},               /* RFC 1112: reserved; has 255.255.255.255 */
};

static const struct range private6[] = {
    {{0x20, 0x01}, 23},             /* RFC 2928: Teredo, ORCHID, benchmarks */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* RFC 3849: documentation */
    {{0x3f, 0xff}, 20},             /* RFC 9637: documentation */
};

static const struct range global6 = {{0x20}, 3};
static const struct range mapped6 = {{[10] = 0xff, [11] = 0xff}, 96};
static const struct range nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96}; /* RFC 6052 */
static const struct range sixto4 = {{0x20, 0x02}, 16};            /* RFC 3056 */

static int in_range(const unsigned char *bytes, const struct range *range)
{
    unsigned whole = range->bits / 8;
    unsigned rest = range->bits % 8;

    if (memcmp(bytes, range->bytes, whole) != 0)
        return 0;
    return rest == 0 || ((bytes[whole] ^ range->bytes[whole]) >> (8 - rest)) == 0;
}

static int is_private4(const unsigned char *bytes)
{
    for (size_t i = 0; i < sizeof(private4) / sizeof(private4[0]); i++)
        if (in_range(bytes, &private4[i]))
            return 1;
    return 0;
}

int address_is_private(const struct address *address)
{
    const unsigned char *bytes = address->bytes;

    if (address->family == AF_INET)
        return is_private4(bytes);
    if (address->family != AF_INET6)
        return 1;
    if (in_range(bytes, &mapped6) || in_range(bytes, &nat64))
        return is_private4(bytes + 12);
    if (in_range(bytes, &sixto4))
        return is_private4(bytes + 2);
    if (!in_range(bytes, &global6))
        return 1;
    for (size_t i = 0; i < sizeof(private6) / sizeof(private6[0]); i++)
        if (in_range(bytes, &private6[i]))
            return 1;
    return 0;
}

int address_parse(const char *text, struct address *ret_address)
{
    struct address address = {.family = AF_INET};

    if (inet_pton(AF_INET, text, address.bytes) != 1) {
        address.family = AF_INET6;
        if (inet_pton(AF_INET6, text, address.bytes) != 1)
            return -1;
    }
    *ret_address = address;
    return 0;
}

int address_format(const struct address *address, char *ret_text, size_t size)
{
    return inet_ntop(address->family, address->bytes, ret_text, (socklen_t)size) ? 0 : -1;
}

int address_of(const struct sockaddr *from, struct address *ret_address)
{
    struct address address = {.family = from->sa_family};

    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, from, sizeof(in));
        memcpy(address.bytes, &in.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, from, sizeof(in6));
        memcpy(address.bytes, &in6.sin6_addr, 16);
    } else {
        return -1;
    }
    *ret_address = address;
    return 0;
}

int address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == AF_INET ? 4 : 16) == 0;
}

static int has_suffix(const char *host, const char *suffix)
{
    size_t len = strlen(host);
    size_t suffix_len = strlen(suffix);

    return len >= suffix_len && strcasecmp(host + len - suffix_len, suffix) == 0;
}

int host_is_local(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || has_suffix(host, ".localhost") ||
           has_suffix(host, ".local") || has_suffix(host, ".internal") ||
           has_suffix(host, ".home.arpa") || (!strchr(host, '.') && !strchr(host, ':'));
}

/* ---- URLs ---- */

/* After IDN only these can be a name in DNS; the underscore is used by some buckets. */
static int is_host_name(const char *host)
{
    size_t len = strlen(host);

    return len > 0 && len <= 253 && host[0] != '.' && !strstr(host, "..") &&
           strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == len;
}

static enum target_fault fault_of(CURLUcode code)
{
    switch (code) {
    case CURLUE_OK:
        return TARGET_OK;
    case CURLUE_OUT_OF_MEMORY:
        return TARGET_NOMEM;
    case CURLUE_UNSUPPORTED_SCHEME:
        return TARGET_SCHEME;
    case CURLUE_USER_NOT_ALLOWED:
        return TARGET_USER;
    case CURLUE_BAD_HOSTNAME:
    case CURLUE_BAD_IPV6:
    case CURLUE_LACKS_IDN:
        return TARGET_HOST;
    default:
        return TARGET_BROKEN;
    }
}

static enum target_fault take_scheme(CURLU *parts, struct target *target)
{
    char *scheme = NULL;
    enum target_fault fault = fault_of(curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0));

    if (fault)
        return fault;
    if (strcasecmp(scheme, "https") == 0)
        target->is_https = 1;
    else if (strcasecmp(scheme, "http") != 0)
        fault = TARGET_SCHEME;
    curl_free(scheme);
    return fault;
}

static enum target_fault take_host(CURLU *parts, struct target *target)
{
    char *host = NULL;
    char *zone = NULL;
    enum target_fault fault = TARGET_OK;
    size_t len;

    if (curl_url_get(parts, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK) {
        curl_free(zone);
        return TARGET_HOST;
    }
    fault = fault_of(curl_url_get(parts, CURLUPART_HOST, &host, CURLU_PUNYCODE));
    if (fault)
        return fault;
    len = strlen(host);
    if (host[0] == '[' && len > 2)
        target->host = mem_text_n(host + 1, len - 2);
    else
        target->host = mem_text_n(host, len > 1 && host[len - 1] == '.' ? len - 1 : len);
    curl_free(host);
    if (!target->host)
        return TARGET_NOMEM;
    for (char *at = target->host; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    if (address_parse(target->host, &target->address) == 0)
        target->is_numeric = 1;
    else if (!is_host_name(target->host))
        return TARGET_HOST;
    return TARGET_OK;
}

static enum target_fault take_port(CURLU *parts, struct target *target)
{
    char *port = NULL;
    enum target_fault fault =
        fault_of(curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT));

    if (fault)
        return fault;
    target->port = (unsigned)strtoul(port, NULL, 10);
    curl_free(port);
    return target->port > 0 && target->port <= 65535 ? TARGET_OK : TARGET_BROKEN;
}

/* Writes the checked host back, so that the URL text holds nothing that was not looked at. */
static enum target_fault put_together(CURLU *parts, struct target *target)
{
    int is6 = target->is_numeric && target->address.family == AF_INET6;
    char *bracketed = mem_format(is6 ? "[%s]" : "%s", target->host);
    char *url = NULL;
    enum target_fault fault;

    if (!bracketed)
        return TARGET_NOMEM;
    fault = fault_of(curl_url_set(parts, CURLUPART_HOST, bracketed, 0));
    if (!fault)
        fault = fault_of(curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0));
    if (!fault)
        fault = fault_of(curl_url_get(parts, CURLUPART_URL, &url, CURLU_NO_DEFAULT_PORT));
    if (!fault) {
        target->url = mem_text(url);
        if (target->port == (target->is_https ? 443u : 80u))
            target->origin = mem_format("http%s://%s", target->is_https ? "s" : "", bracketed);
        else
            target->origin =
                mem_format("http%s://%s:%u", target->is_https ? "s" : "", bracketed, target->port);
        if (!target->url || !target->origin)
            fault = TARGET_NOMEM;
    }
    curl_free(url);
    mem_free(bracketed);
    return fault;
}

enum target_fault target_parse(const char *url, struct target *ret_target)
{
    struct target target = {0};
    CURLU *parts = curl_url();
    enum target_fault fault;

    if (!parts)
        return TARGET_NOMEM;
    fault =
        fault_of(curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_URLENCODE));
    if (!fault)
        fault = take_scheme(parts, &target);
    if (!fault)
        fault = take_host(parts, &target);
    if (!fault)
        fault = take_port(parts, &target);
    if (!fault)
        fault = put_together(parts, &target);
    curl_url_cleanup(parts);
    if (fault)
        target_done(&target);
    else
        *ret_target = target;
    return fault;
}

void target_done(struct target *target)
{
    mem_free(target->url);
    mem_free(target->host);
    mem_free(target->origin);
    memset(target, 0, sizeof(*target));
}

/* ---- no_proxy ---- */

/* One entry, such as "10.0.0.0/8". */
static int covers_range(const char *entry, const struct target *target)
{
    char text[64];
    const char *slash = strchr(entry, '/');
    struct address address;
    struct range range;
    unsigned long bits;
    char *end;

    if (!target->is_numeric)
        return 0;
    snprintf(text, sizeof(text), "%.*s", (int)(slash ? slash - entry : (long)strlen(entry)), entry);
    if (address_parse(text, &address) || address.family != target->address.family)
        return 0;
    if (!slash)
        return address_equal(&address, &target->address);
    bits = strtoul(slash + 1, &end, 10);
    if (*end || end == slash + 1 || bits > (address.family == AF_INET ? 32u : 128u))
        return 0;
    memcpy(range.bytes, address.bytes, sizeof(range.bytes));
    range.bits = (unsigned)bits;
    return in_range(target->address.bytes, &range);
}

static int covers(const char *entry, const struct target *target)
{
    size_t host_len = strlen(target->host);
    size_t len;

    if (strcmp(entry, "*") == 0 || covers_range(entry, target))
        return 1;
    if (*entry == '.')
        entry++;
    len = strlen(entry);
    if (len == 0 || target->is_numeric || len > host_len)
        return 0;
    return strcasecmp(target->host + host_len - len, entry) == 0 &&
           (len == host_len || target->host[host_len - len - 1] == '.');
}

int no_proxy_covers(const char *list, const struct target *target)
{
    char entry[256];

    while (list && *list) {
        size_t len = strcspn(list, ", \t");

        if (len > 0 && len < sizeof(entry)) {
            memcpy(entry, list, len);
            entry[len] = '\0';
            if (covers(entry, target))
                return 1;
        }
        list += len;
        list += strspn(list, ", \t");
    }
    return 0;
}
