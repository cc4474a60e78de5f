/*
 * phase_table.c - the rows of phase_table.h as data.
 */
#include "phase_table.h"

#define ROW(tag, interface, name, side, thread, phases)                                            \
    {interface, name, AHP_SIDE_##side, AHP_THREAD_##thread, (phases)},
const struct ahp_fn_row ahp_fn_table[AHP_FN_COUNT] = {AHP_PHASE_TABLE(ROW)};
#undef ROW

const char *ahp_phase_name(uint32_t phase)
{
#define NAME(tag, bit, head, meaning)                                                              \
    case AHP_IN_##tag:                                                                             \
        return head;
    switch (phase) {
        AHP_PHASES(NAME)
    default:
        return "?";
    }
#undef NAME
}
