/*
 * test_layout.c - today's headers against the frozen copy. Numbers are compared at compile time,
 * texts when it runs.
 */
#include <stdio.h>
#include <string.h>

#include <ahp/approval.h>
#include <ahp/calls.h>
#include <ahp/check.h>
#include <ahp/deliver.h>
#include <ahp/jobs.h>
#include <ahp/loop.h>
#include <ahp/work.h>

#if UINTPTR_MAX != UINT64_MAX
#error "the frozen numbers are those of 64-bit systems"
#endif

#define STRUCT(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type);
#define FIELD(type, name, at, bytes)                                                               \
    _Static_assert(offsetof(type, name) == (at) && sizeof(((type *)0)->name) == (bytes),           \
                   #type "." #name);
#define VALUE(name, value) _Static_assert((name) == (value), #name);
#define TEXT(name, value)
#include "layout_1_0.h"
#undef STRUCT
#undef FIELD
#undef VALUE
#undef TEXT

#define STRUCT(type, bytes)
#define FIELD(type, name, at, bytes)
#define VALUE(name, value)
#define TEXT(name, value) {#name, name, value},
static const struct {
    const char *name;
    const char *now;
    const char *frozen;
} texts[] = {
#include "layout_1_0.h"
};

int main(void)
{
    int failures = 0;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i].now, texts[i].frozen) != 0) {
            fprintf(stderr, "%s is \"%s\", 1.0 has \"%s\"\n", texts[i].name, texts[i].now,
                    texts[i].frozen);
            failures++;
        }
    }
    return failures == 0 ? 0 : 1;
}
