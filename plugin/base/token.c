/*
 * token.c - see token.h. A token is "ok_" and 24 bytes in Crockford's base32, lower case: the
 * minute of its issue, a nonce, 16 bytes of the MAC.
 */
#include "base/token.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "confirm.key"
#define PREFIX "ok_"
#define MINUTE_MS 60000
#define MAC_BYTES 16
#define TOKEN_BYTES (4 + 4 + MAC_BYTES)
#define LETTERS ((TOKEN_BYTES * 8 + 4) / 5)
#define TRIES 3

_Static_assert(sizeof(PREFIX) + LETTERS <= TOKEN_TEXT_MAX, "a token's text fits");

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* 0, 1: there is none that can be used, -1 with errno. */
static int read_key(const char *path, uint8_t *bytes, size_t size)
{
    uint8_t text[sizeof(((struct token_key *)0)->bytes) + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    ssize_t len;

    if (fd < 0)
        return errno == ENOENT ? 1 : -1;
    len = read(fd, text, sizeof(text));
    if (len >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 077) != 0)
        len = 0; /* others could have read it: another one */
    close(fd);
    if (len < 0)
        return -1;
    if ((size_t)len == size)
        memcpy(bytes, text, size);
    explicit_bzero(text, sizeof(text));
    return (size_t)len == size ? 0 : 1;
}

/* A new file of its own beside it. 0, -1 with errno. */
static int write_key(const char *path, size_t size)
{
    uint8_t bytes[sizeof(((struct token_key *)0)->bytes)];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    ssize_t len = -1;

    if (fd < 0)
        return -1;
    if (getrandom(bytes, size, 0) == (ssize_t)size)
        len = write(fd, bytes, size);
    explicit_bzero(bytes, sizeof(bytes));
    if (close(fd) == 0 && len == (ssize_t)size)
        return 0;
    unlink(path);
    return -1;
}

/* Puts a key there. The first of several processes wins; a broken file gives way. */
static int place_key(const char *path, size_t size)
{
    uint8_t ignored[sizeof(((struct token_key *)0)->bytes)];
    uint32_t random;
    char *beside;
    int rc = -1;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return -1;
    beside = mem_format("%s.%08x", path, (unsigned)random);
    if (!beside) {
        errno = ENOMEM;
        return -1;
    }
    if (write_key(beside, size) == 0) {
        rc = link(beside, path);
        if (rc && errno == EEXIST)
            rc = read_key(path, ignored, size) == 1 ? rename(beside, path) : 0;
        unlink(beside);
    }
    explicit_bzero(ignored, sizeof(ignored));
    mem_free(beside);
    return rc;
}

int token_key_load(const char *dir, struct token_key *key, struct err *err)
{
    char *path;
    int rc = 1;

    if (key->is_loaded)
        return 0;
    path = mem_format("%s/" FILE_NAME, dir);
    if (!path)
        return err_nomem(err);
    for (int i = 0; rc == 1 && i < TRIES; i++) {
        rc = read_key(path, key->bytes, sizeof(key->bytes));
        if (rc == 1 && place_key(path, sizeof(key->bytes)))
            rc = -1;
    }
    if (rc)
        err_set(err, ERR_IO, "cannot read or make %.200s: %s", path,
                rc < 0 ? strerror(errno) : "its rights do not stay as they are set");
    key->is_loaded = rc == 0;
    mem_free(path);
    return rc ? -1 : 0;
}

static void put_number(uint8_t *to, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(number >> (24 - 8 * i));
}

static void make_bytes(const struct token_key *key, const uint8_t *subject, uint32_t minute,
                       uint32_t nonce, uint8_t *ret_bytes)
{
    static const uint8_t purpose[] = "clawmedia confirm 1";
    struct hmac_sha256_ctx ctx;

    put_number(ret_bytes, minute);
    put_number(ret_bytes + 4, nonce);
    hmac_sha256_set_key(&ctx, sizeof(key->bytes), key->bytes);
    hmac_sha256_update(&ctx, sizeof(purpose), purpose);
    hmac_sha256_update(&ctx, TOKEN_SUBJECT_BYTES, subject);
    hmac_sha256_update(&ctx, 8, ret_bytes);
    hmac_sha256_digest(&ctx, MAC_BYTES, ret_bytes + 8);
    explicit_bzero(&ctx, sizeof(ctx));
}

static void write_text(const uint8_t *bytes, char *ret_text)
{
    unsigned bits = 0;
    unsigned held = 0;
    char *to = ret_text + sizeof(PREFIX) - 1;

    memcpy(ret_text, PREFIX, sizeof(PREFIX));
    for (size_t i = 0; i < TOKEN_BYTES; i++) {
        held = (held << 8 | bytes[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            *to++ = alphabet[held >> (bits - 5) & 31];
    }
    if (bits)
        *to++ = alphabet[held << (5 - bits) & 31];
    *to = '\0';
}

/* The first `count` bytes that the letters stand for; those of a proper token only. */
static int read_number(const char *letters, size_t skip, uint32_t *ret_number)
{
    uint64_t bits = 0;
    size_t first = skip * 8 / 5;
    size_t last = ((skip + 4) * 8 + 4) / 5;

    for (size_t i = first; i < last; i++) {
        const char *at = letters[i] ? strchr(alphabet, letters[i]) : NULL;

        if (!at)
            return -1;
        bits = bits << 5 | (uint64_t)(at - alphabet);
    }
    *ret_number = (uint32_t)(bits >> (last * 5 - (skip + 4) * 8));
    return 0;
}

void token_make(const struct token_key *key, const uint8_t subject[TOKEN_SUBJECT_BYTES],
                int64_t wall_ms, uint32_t nonce, char ret_text[TOKEN_TEXT_MAX])
{
    uint8_t bytes[TOKEN_BYTES];

    make_bytes(key, subject, (uint32_t)(wall_ms / MINUTE_MS), nonce, bytes);
    write_text(bytes, ret_text);
}

int token_check(const struct token_key *key, const uint8_t subject[TOKEN_SUBJECT_BYTES],
                int64_t wall_ms, const char *text)
{
    const char *letters = text + sizeof(PREFIX) - 1;
    uint8_t bytes[TOKEN_BYTES];
    char expected[TOKEN_TEXT_MAX];
    uint32_t minute;
    uint32_t nonce;
    int64_t age_ms;

    if (strnlen(text, TOKEN_TEXT_MAX) != sizeof(PREFIX) - 1 + LETTERS ||
        read_number(letters, 0, &minute) || read_number(letters, 4, &nonce))
        return -1;
    make_bytes(key, subject, minute, nonce, bytes);
    write_text(bytes, expected);
    if (!memeql_sec(expected, text, sizeof(PREFIX) + LETTERS))
        return -1;
    /* A clock that was set back a little makes a token no older than new. */
    age_ms = wall_ms - (int64_t)minute * MINUTE_MS;
    return age_ms >= -MINUTE_MS && age_ms < TOKEN_LIFE_MS ? 0 : -1;
}
