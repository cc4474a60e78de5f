/*
 * policy.h - URLs, addresses and where a request may go. Pure: no input or output. Private means
 * every address that is not plainly a host of the public internet; the table in policy.c lists the
 * ranges with the RFC that reserves them.
 */
#ifndef NET_POLICY_H
#define NET_POLICY_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
    int family; /* AF_INET, AF_INET6 */
    unsigned char bytes[16];
};

/* A URL taken apart and put together again; texts are from mem_text. */
struct target {
    char *url;    /* normalised, without fragment */
    char *host;   /* lower case, ASCII; an IPv6 address without brackets */
    char *origin; /* scheme://host[:port] */
    unsigned port;
    int is_https;
    int is_numeric;
    struct address address; /* when numeric */
};

enum target_fault {
    TARGET_OK,
    TARGET_NOMEM,
    TARGET_BROKEN, /* not a URL */
    TARGET_SCHEME, /* neither http nor https */
    TARGET_USER,   /* has a user name or password */
    TARGET_HOST,   /* a host name that nothing public has: odd letters, an IPv6 zone; also letters
                      beyond ASCII, unless the process has a UTF-8 locale: write them as xn-- */
};

/* *ret_target stays as it was unless the answer is TARGET_OK. */
enum target_fault target_parse(const char *url, struct target *ret_target);
void target_done(struct target *target);

int address_parse(const char *text, struct address *ret_address); /* 0 or -1 */
int address_format(const struct address *address, char *ret_text, size_t size);
int address_of(const struct sockaddr *from, struct address *ret_address); /* 0 or -1 */
int address_equal(const struct address *a, const struct address *b);
int address_is_private(const struct address *address);

/* Names that mean this machine or this network wherever they are resolved. */
int host_is_local(const char *host);

/* Whether a no_proxy list (names, .suffixes, addresses, address/bits, "*") covers the target. */
int no_proxy_covers(const char *list, const struct target *target);

#endif
