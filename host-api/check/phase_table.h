/*
 * phase_table.h - every function of the ABI: who calls it, on which thread, in which phases of the
 * instance's life. One table in code: the shim checks calls by it, and ahp-phase-table prints it as
 * the table in doc/abi.md. A new function of the ABI is a new row here.
 *
 * A row: FN(tag, interface, name, side, thread, phases).
 * - side: HOST: the host offers it, the plugin calls. PLUGIN: the plugin offers it, the host calls,
 *   and only while the plugin is not running (R1).
 * - thread: LOOP or ANY (R2).
 * - phases: AHP_IN_ bits in which the call is legal.
 */
#ifndef AHP_PHASE_TABLE_H
#define AHP_PHASE_TABLE_H

#include <stdint.h>

/* PHASE(tag, bit, column head, meaning): the phases of an instance's life, in order. */
#define AHP_PHASES(PHASE)                                                                          \
    PHASE(CREATE, 1u, "create", "inside create")                                                   \
    PHASE(CREATED, 2u, "created", "create has returned, start was not called yet")                 \
    PHASE(START, 4u, "start", "inside start")                                                      \
    PHASE(RUNNING, 8u, "running", "start has succeeded")                                           \
    PHASE(STOPPING, 16u, "stopping", "from stop on, stop included")                                \
    PHASE(STOPPED, 32u, "stopped", "the plugin has called stopped")                                \
    PHASE(BROKEN, 64u, "broken", "start has failed; only destroy is left")                         \
    PHASE(DESTROY, 128u, "destroy", "inside destroy")

#define AHP_PHASE_ENUM(tag, bit, head, meaning) AHP_IN_##tag = (bit),
enum ahp_phase { AHP_PHASES(AHP_PHASE_ENUM) };
#undef AHP_PHASE_ENUM

#define AHP_IN_ALWAYS 255u
#define AHP_IN_WORK (AHP_IN_START | AHP_IN_RUNNING | AHP_IN_STOPPING)
#define AHP_IN_CALLBACKS (AHP_IN_RUNNING | AHP_IN_STOPPING)
#define AHP_IN_READABLE (AHP_IN_CREATED | AHP_IN_RUNNING | AHP_IN_STOPPING)
#define AHP_IN_FREES (AHP_IN_WORK | AHP_IN_STOPPED | AHP_IN_BROKEN | AHP_IN_DESTROY)

#define AHP_PHASE_TABLE(FN)                                                                        \
    FN(ENTRY, "entry", "ahp_entry_1", PLUGIN, ANY, AHP_IN_ALWAYS)                                  \
    FN(CREATE, "entry", "create", PLUGIN, LOOP, AHP_IN_CREATE)                                     \
    FN(TOOLS, "inst", "tools", PLUGIN, LOOP, AHP_IN_READABLE)                                      \
    FN(START, "inst", "start", PLUGIN, LOOP, AHP_IN_CREATED)                                       \
    FN(CALL, "inst", "call", PLUGIN, LOOP, AHP_IN_READABLE | AHP_IN_STOPPED)                       \
    FN(CANCEL, "inst", "cancel", PLUGIN, LOOP, AHP_IN_CALLBACKS)                                   \
    FN(RECEIPT, "inst", "receipt", PLUGIN, LOOP, AHP_IN_CALLBACKS)                                 \
    FN(STOP, "inst", "stop", PLUGIN, LOOP, AHP_IN_RUNNING)                                         \
    FN(DESTROY, "inst", "destroy", PLUGIN, LOOP,                                                   \
       AHP_IN_READABLE | AHP_IN_STOPPED | AHP_IN_BROKEN)                                           \
    FN(INST_EXT, "inst", "ext", PLUGIN, LOOP, AHP_IN_READABLE | AHP_IN_STOPPED | AHP_IN_BROKEN)    \
    FN(UNFINISHED, "ahp.jobs/1", "unfinished", PLUGIN, LOOP, AHP_IN_RUNNING)                       \
    FN(WATCH_FN, "ahp.loop/1", "ahp_watch_fn", PLUGIN, LOOP, AHP_IN_CALLBACKS)                     \
    FN(TIMER_FN, "ahp.loop/1", "ahp_timer_fn of a timer", PLUGIN, LOOP, AHP_IN_CALLBACKS)          \
    FN(DEFER_FN, "ahp.loop/1", "ahp_timer_fn of defer", PLUGIN, LOOP, AHP_IN_CALLBACKS)            \
    FN(WORK_FN, "ahp.work/1", "ahp_work_fn", PLUGIN, ANY, AHP_IN_WORK | AHP_IN_BROKEN)             \
    FN(WORK_DONE_FN, "ahp.work/1", "ahp_work_done_fn", PLUGIN, LOOP,                               \
       AHP_IN_CALLBACKS | AHP_IN_BROKEN)                                                           \
    FN(ANSWER_FN, "ahp.approval/1", "ahp_answer_fn", PLUGIN, LOOP, AHP_IN_CALLBACKS)               \
    FN(HOST_EXT, "host", "ext", HOST, LOOP, AHP_IN_ALWAYS & ~(uint32_t)AHP_IN_DESTROY)             \
    FN(LOG, "host", "log", HOST, ANY, AHP_IN_ALWAYS)                                               \
    FN(LOG_ON, "host", "log_on", HOST, ANY, AHP_IN_ALWAYS)                                         \
    FN(STOPPED, "host", "stopped", HOST, LOOP, AHP_IN_STOPPING)                                    \
    FN(NOW_MS, "ahp.loop/1", "now_ms", HOST, LOOP, AHP_IN_ALWAYS)                                  \
    FN(WALL_MS, "ahp.loop/1", "wall_ms", HOST, LOOP, AHP_IN_ALWAYS)                                \
    FN(WATCH_NEW, "ahp.loop/1", "watch_new", HOST, LOOP, AHP_IN_WORK)                              \
    FN(WATCH_MOD, "ahp.loop/1", "watch_mod", HOST, LOOP, AHP_IN_WORK)                              \
    FN(WATCH_FREE, "ahp.loop/1", "watch_free", HOST, LOOP, AHP_IN_FREES)                           \
    FN(TIMER_NEW, "ahp.loop/1", "timer_new", HOST, LOOP, AHP_IN_WORK)                              \
    FN(TIMER_AT, "ahp.loop/1", "timer_at", HOST, LOOP, AHP_IN_WORK)                                \
    FN(TIMER_OFF, "ahp.loop/1", "timer_off", HOST, LOOP, AHP_IN_FREES)                             \
    FN(TIMER_FREE, "ahp.loop/1", "timer_free", HOST, LOOP, AHP_IN_FREES)                           \
    FN(DEFER, "ahp.loop/1", "defer", HOST, LOOP, AHP_IN_WORK)                                      \
    FN(DEFER_FREE, "ahp.loop/1", "defer_free", HOST, LOOP, AHP_IN_FREES)                           \
    FN(COMPLETE, "ahp.calls/1", "complete", HOST, LOOP, AHP_IN_CALLBACKS)                          \
    FN(PROGRESS, "ahp.calls/1", "progress", HOST, LOOP, AHP_IN_CALLBACKS)                          \
    FN(RESCAN, "ahp.calls/1", "rescan", HOST, LOOP, AHP_IN_WORK)                                   \
    FN(OFFER, "ahp.deliver/1", "offer", HOST, LOOP, AHP_IN_START | AHP_IN_RUNNING)                 \
    FN(RUN, "ahp.work/1", "run", HOST, LOOP, AHP_IN_WORK)                                          \
    FN(ON_LOOP, "ahp.check/1", "on_loop", HOST, ANY, AHP_IN_ALWAYS)                                \
    FN(ASK, "ahp.approval/1", "ask", HOST, LOOP, AHP_IN_RUNNING)                                   \
    FN(ASK_FREE, "ahp.approval/1", "ask_free", HOST, LOOP, AHP_IN_FREES)

#define AHP_SIDE_HOST 0u
#define AHP_SIDE_PLUGIN 1u
#define AHP_THREAD_LOOP 0u
#define AHP_THREAD_ANY 1u

#define AHP_FN_ENUM(tag, interface, name, side, thread, phases) AHP_FN_##tag,
enum ahp_fn { AHP_PHASE_TABLE(AHP_FN_ENUM) AHP_FN_COUNT };
#undef AHP_FN_ENUM

struct ahp_fn_row {
    const char *interface;
    const char *name;
    uint32_t side;
    uint32_t thread;
    uint32_t phases;
};

extern const struct ahp_fn_row ahp_fn_table[AHP_FN_COUNT];

/* The head of a phase's column, such as "running". */
const char *ahp_phase_name(uint32_t phase);

#endif
