/*
 * mem.h - all memory of the plugin's own. In test builds the nth allocation from now can be made to
 * fail, once or for good, which is how the out-of-memory paths are walked.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

/* Each returns NULL when there is no memory. Sizes of 0 give a valid pointer. */
void *mem_alloc(size_t size); /* zeroed */
void *mem_grow(void *old, size_t size); /* as realloc; the old block stays when it fails */
char *mem_text(const char *text); /* copy; NULL for NULL */
char *mem_text_n(const char *text, size_t len); /* copy, NUL added */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_free(void *block);

/* Overwrites before it frees: for secrets. */
void mem_free_secret(char *text);

/*
 * An arena: blocks that end together. What an adapter builds for one step lives in one. A failed
 * allocation leaves the arena `failed`, so that a builder may check once, at its end.
 */
struct arena {
    struct arena_chunk *chunks;
    int failed;
};

void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for any type */
char *arena_text(struct arena *arena, const char *text);
char *arena_text_n(struct arena *arena, const char *text, size_t len);
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void arena_done(struct arena *arena); /* frees all; the arena is empty and usable again */

#ifdef CLAWMEDIA_TEST_HOOKS
/* The nth allocation from now fails (1: the next); 0: none. With `for_good` all later ones too. */
void mem_fail_after(long n, int for_good);
long mem_count(void); /* allocations so far */
#endif

#endif
