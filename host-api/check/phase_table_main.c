/*
 * phase_table_main.c - ahp-phase-table: prints the phase table as Markdown, for doc/abi.md. A test
 * compares its output with what the document contains.
 */
#include <stdio.h>

#include "phase_table.h"

static const uint32_t phases[] = {
#define BIT(tag, bit, head, meaning) AHP_IN_##tag,
    AHP_PHASES(BIT)
#undef BIT
};

static void print_side(uint32_t side, const char *heading)
{
    printf("\n%s\n\n| interface | function | thread |", heading);
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
        printf(" %s |", ahp_phase_name(phases[i]));
    printf("\n|---|---|---|");
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
        printf("---|");
    printf("\n");
    for (int fn = 0; fn < (int)AHP_FN_COUNT; fn++) {
        const struct ahp_fn_row *row = &ahp_fn_table[fn];

        if (row->side != side)
            continue;
        printf("| %s | `%s` | %s |", row->interface, row->name,
               row->thread == AHP_THREAD_ANY ? "any" : "loop");
        for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
            printf(" %s |", (row->phases & phases[i]) != 0 ? "x" : "");
        printf("\n");
    }
}

int main(void)
{
    printf("| phase | meaning |\n|---|---|\n");
#define LINE(tag, bit, head, meaning) printf("| %s | %s |\n", head, meaning);
    AHP_PHASES(LINE)
#undef LINE
    print_side(AHP_SIDE_PLUGIN, "What the plugin offers and the host calls:");
    print_side(AHP_SIDE_HOST, "What the host offers and the plugin calls:");
    return ferror(stdout) || fflush(stdout) != 0 ? 1 : 0;
}
