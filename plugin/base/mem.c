/* mem.c - see mem.h. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef CLAWMEDIA_TEST_HOOKS
static long count;
static long fail_at;
static int fail_for_good;

void mem_fail_after(long n, int for_good)
{
    fail_at = n > 0 ? count + n : 0;
    fail_for_good = for_good;
}

long mem_count(void)
{
    return count;
}

static int fails(void)
{
    count++;
    return fail_at > 0 && (count == fail_at || (fail_for_good && count > fail_at));
}
#else
static int fails(void)
{
    return 0;
}
#endif

void *mem_alloc(size_t size)
{
    return fails() ? NULL : calloc(1, size ? size : 1);
}

void *mem_grow(void *old, size_t size)
{
    return fails() ? NULL : realloc(old, size ? size : 1);
}

char *mem_text_n(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (copy && len)
        memcpy(copy, text, len);
    return copy;
}

char *mem_text(const char *text)
{
    return text ? mem_text_n(text, strlen(text)) : NULL;
}

char *mem_format(const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        return NULL;
    text = mem_alloc((size_t)len + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void mem_free(void *block)
{
    free(block);
}

void mem_free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* Chunks grow from this; one larger block gets a chunk of its own. */
#define ARENA_CHUNK 4096u

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t size;
    max_align_t data[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->chunks;
    size_t need = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    size_t room;
    char *block;

    if (need < size)
        goto fail;
    if (!chunk || chunk->size - chunk->used < need) {
        room = need > ARENA_CHUNK ? need : ARENA_CHUNK;
        chunk = mem_alloc(sizeof(*chunk) + room);
        if (!chunk)
            goto fail;
        chunk->size = room;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    block = (char *)chunk->data + chunk->used;
    chunk->used += need;
    return block;
fail:
    arena->failed = 1;
    return NULL;
}

char *arena_text_n(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (copy && len)
        memcpy(copy, text, len);
    return copy;
}

char *arena_text(struct arena *arena, const char *text)
{
    return text ? arena_text_n(arena, text, strlen(text)) : NULL;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (!text) {
        arena->failed = 1;
        return NULL;
    }
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void arena_done(struct arena *arena)
{
    struct arena_chunk *chunk;

    while ((chunk = arena->chunks)) {
        arena->chunks = chunk->next;
        mem_free(chunk);
    }
    arena->failed = 0;
}
