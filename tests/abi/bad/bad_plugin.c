/*
 * bad_plugin.c - plugins that are wrong in one way each; BAD_ names it. Everything else is right.
 */
#include <stdio.h>

#include <ahp/calls.h>
#include <ahp/loop.h>

#ifdef BAD_UNRESOLVED
extern int ahp_test_function_that_nobody_has(void);
#endif

static int32_t create(const ahp_host *host, const ahp_text *config, ahp_inst **ret_inst,
                      ahp_err *ret_err)
{
    (void)host;
    (void)config;
    (void)ret_inst;
#ifdef BAD_UNRESOLVED
    return ahp_test_function_that_nobody_has();
#endif
    if (ret_err != NULL) {
        ret_err->code = AHP_E_FAILED;
        (void)snprintf(ret_err->text, sizeof(ret_err->text), "the disk is full");
    }
    return AHP_E_FAILED;
}

#ifdef BAD_NO_ENTRY
AHP_EXPORT const ahp_entry *another_entry(void);
#define ahp_entry_1 another_entry
#endif

const ahp_entry *ahp_entry_1(void)
{
#ifdef BAD_NEEDS
    static const char *const needs[] = {AHP_LOOP_1, "org.example.moon/3", NULL};
#else
    static const char *const needs[] = {AHP_LOOP_1, NULL};
#endif
    static const char *const wants[] = {NULL};
    static ahp_entry entry = {
        .size = sizeof(entry),
        .major = AHP_MAJOR,
        .minor = AHP_MINOR,
        .id = "bad",
        .version = "1.0",
        .needs = needs,
        .wants = wants,
        .create = create,
    };

#ifdef BAD_MAJOR
    entry.major = 2;
#endif
#ifdef BAD_MINOR
    entry.minor = entry.minor_needed = 9;
#endif
#ifdef BAD_SHORT
    entry.size = (uint32_t)offsetof(ahp_entry, create);
#endif
#ifdef BAD_ID
    entry.id = "Bad Id";
#endif
#ifdef BAD_SLOT
    entry.wants = NULL;
#endif
#ifdef BAD_NULL
    return NULL;
#endif
    return &entry;
}
