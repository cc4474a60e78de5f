/* env.c - see env.h. */
#include "base/env.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

/* Shorter ones would blank out ordinary words. */
#define SECRET_BYTES_MIN 6
#define LOG_LINE_BYTES 1024
/* Lines are scrubbed before they are cut, so that half a secret at the cut is found as well. */
#define LOG_BUILD_BYTES 8192
/* Keys that begin with "sk-" have at least so many letters after it. */
#define SK_LETTERS_MIN 16

struct env_secret {
    struct env_secret *next;
    size_t len;
    char *value;
};

/* One piece of work where the host has no ahp.work/1: fn in one turn, done in the same, later. */
struct env_item {
    struct env_item *prev;
    struct env_item *next;
    struct env *env;
    ahp_deferred *deferred;
    void *item;
    ahp_work_fn *fn;
    ahp_work_done_fn *done;
};

int env_init(struct env *env, const ahp_host *host)
{
    struct env fresh = {.host = host};

    fresh.loop = host->ext(host->ctx, AHP_LOOP_1);
    fresh.calls = host->ext(host->ctx, AHP_CALLS_1);
    fresh.deliver = host->ext(host->ctx, AHP_DELIVER_1);
    fresh.work = host->ext(host->ctx, AHP_WORK_1);
    if (!fresh.loop || !AHP_HAS(fresh.loop, defer_free) || !fresh.calls ||
        !AHP_HAS(fresh.calls, rescan) || !fresh.deliver || !AHP_HAS(fresh.deliver, offer))
        return -1;
    if (fresh.work && !AHP_HAS(fresh.work, run))
        fresh.work = NULL;
    fresh.approval = host->ext(host->ctx, AHP_APPROVAL_1);
    if (fresh.approval && !AHP_HAS(fresh.approval, ask_free))
        fresh.approval = NULL;
    *env = fresh;
    return 0;
}

void env_cancel_work(struct env *env)
{
    struct env_item *item;

    env->ending = 1;
    while ((item = env->items)) {
        DL_DELETE(env->items, item);
        env->loop->defer_free(item->deferred);
        item->done(item->item, 1);
        mem_free(item);
    }
}

void env_done(struct env *env)
{
    struct env_secret *secret;

    env_cancel_work(env);
    while ((secret = env->secrets)) {
        env->secrets = secret->next;
        mem_free_secret(secret->value);
        mem_free(secret);
    }
}

int64_t env_now_ms(const struct env *env)
{
    return env->loop->now_ms(env->host->ctx);
}

int64_t env_wall_ms(const struct env *env)
{
    return env->loop->wall_ms(env->host->ctx);
}

int env_secret_add(struct env *env, const char *value)
{
    struct env_secret *secret;
    struct env_secret **at;

    if (!value || strlen(value) < SECRET_BYTES_MIN)
        return 0;
    LL_FOREACH(env->secrets, secret)
        if (strcmp(secret->value, value) == 0)
            return 0;
    secret = mem_alloc(sizeof(*secret));
    if (!secret)
        return -1;
    secret->value = mem_text(value);
    if (!secret->value) {
        mem_free(secret);
        return -1;
    }
    secret->len = strlen(value);
    /* Longest first: one that begins with another must not be left with its tail showing. */
    at = &env->secrets;
    while (*at && (*at)->len > secret->len)
        at = &(*at)->next;
    secret->next = *at;
    *at = secret;
    return 0;
}

/* Cuts `len` bytes at `at` out of text and writes "***" there; the text never grows. */
static char *blank(char *at, size_t len)
{
    size_t stars = len < 3 ? len : 3;

    memset(at, '*', stars);
    memmove(at + stars, at + len, strlen(at + len) + 1);
    return at + stars;
}

static int is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

/* Keys that no configuration named, such as one that a provider echoes. */
static void scrub_bearer(char *text)
{
    char *at = text;

    while ((at = strstr(at, "Bearer "))) {
        char *from = at + 7;
        size_t len = strspn(from, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-_.+/=");

        at = len >= 8 ? blank(from, len) : from;
    }
}

/* Not inside of a word, and no slash: "desk-pictures/..." is a path that people need whole. */
static void scrub_sk(char *text)
{
    char *at = text;

    while ((at = strstr(at, "sk-"))) {
        char *from = at + 3;
        size_t len = 0;

        while (is_word(from[len]) || from[len] == '-')
            len++;
        at = len >= SK_LETTERS_MIN && (at == text || !is_word(at[-1])) ? blank(from, len) : from;
    }
}

void env_scrub(const struct env *env, char *text)
{
    struct env_secret *secret;

    LL_FOREACH(env->secrets, secret) {
        char *at = text;

        while ((at = strstr(at, secret->value)))
            at = blank(at, secret->len);
    }
    scrub_bearer(text);
    scrub_sk(text);
}

void env_log(const struct env *env, int32_t level, enum log_item item, const char *format, ...)
{
    char line[LOG_BUILD_BYTES];
    va_list args;
    int len;

    if (!env->host->log_on(env->host->ctx, level))
        return;
    va_start(args, format);
    len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len < 0)
        return;
    env_scrub(env, line);
    line[LOG_LINE_BYTES - 1] = '\0';
    utf8_mend(line);
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < 0x20)
            *at = ' ';
    env->host->log(env->host->ctx, level, (uint32_t)item, line, strlen(line));
}

static void item_turn(void *ud)
{
    struct env_item *item = ud;
    struct env *env = item->env;

    DL_DELETE(env->items, item);
    item->fn(item->item);
    item->done(item->item, 0);
    mem_free(item);
}

int env_work(struct env *env, void *data, ahp_work_fn *fn, ahp_work_done_fn *done)
{
    struct env_item *item;

    /* A host whose queue is full still has a loop. */
    if (env->work && env->work->run(env->host->ctx, data, fn, done) >= 0)
        return 0;
    item = mem_alloc(sizeof(*item));
    if (!item)
        return -1;
    item->env = env;
    item->item = data;
    item->fn = fn;
    item->done = done;
    if (env_defer(env, &item->deferred, item_turn, item)) {
        mem_free(item);
        return -1;
    }
    DL_APPEND(env->items, item);
    return 0;
}

int env_defer(struct env *env, ahp_deferred **ret_deferred, ahp_timer_fn *cb, void *ud)
{
    return env->loop->defer(env->host->ctx, ret_deferred, cb, ud) < 0 ? -1 : 0;
}

int env_handle(char *ret_text, size_t size, const char *prefix, unsigned letters)
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned char random[16];
    size_t len = strlen(prefix);

    if (letters > sizeof(random) || len + letters + 1 > size)
        return -1;
    if (getrandom(random, letters, 0) != (ssize_t)letters)
        return -1;
    memcpy(ret_text, prefix, len);
    for (unsigned i = 0; i < letters; i++)
        ret_text[len + i] = alphabet[random[i] & 31];
    ret_text[len + letters] = '\0';
    return 0;
}
