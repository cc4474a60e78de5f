/*
 * shim.h - inside the checking shim: its state and what its files call of each other.
 *
 * One `struct shim` an instance. It is what the plugin sees as ahp_host.ctx and what the host sees
 * as ahp_inst.self. The state belongs to the loop's thread; what may be called from any thread
 * reads only members that never change after create.
 */
#ifndef SHIM_H
#define SHIM_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <ahp/approval.h>
#include <ahp/calls.h>
#include <ahp/check.h>
#include <ahp/deliver.h>
#include <ahp/jobs.h>
#include <ahp/loop.h>
#include <ahp/work.h>

/* Without memory an element is simply not in the hash; the default would end the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#include "ahp_shim.h"
#include "phase_table.h"

/* Ended handles, calls and keys are remembered, to tell a second use from a first. */
#define SHIM_ENDED_HANDLES_MAX 256u
#define SHIM_ENDED_CALLS_MAX 4096u
#define SHIM_KEYS_MAX 4096u
#define SHIM_STRUCT_BYTES_MAX 65536u
#define SHIM_TOOLS_MAX 256u
#define SHIM_TEXT_BYTES_MAX (64u * 1024u * 1024u)

/* The bytes of a struct up to the last field that 1.0 has; later tails do not count. */
#define SIZE_1_0(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

enum shim_kind { SHIM_WATCH, SHIM_TIMER, SHIM_DEFERRED, SHIM_WORK, SHIM_QUESTION, SHIM_KIND_COUNT };

/* What the plugin holds as ahp_watch, ahp_timer, ahp_deferred or ahp_asked; and the item of
 * work. */
struct shim_handle {
    uint32_t magic;
    uint32_t kind;
    uint32_t live;
    uint32_t armed; /* timer */
    int32_t fd;     /* watch */
    _Atomic uint32_t ran;    /* work: fn was called */
    _Atomic uint32_t orphan; /* work: the instance is gone */
    int64_t deadline_ms;     /* timer */
    uint64_t call_id;        /* question */
    struct shim *shim;
    void *inner;
    void *ud;
    union {
        ahp_watch_fn *watch;
        ahp_timer_fn *timer;
        ahp_work_fn *work;
        ahp_answer_fn *answer;
    } fn;
    ahp_work_done_fn *done;
    struct shim_handle *prev, *next;
    UT_hash_handle hh; /* watch: by fd */
};

enum shim_call_state { SHIM_CALL_OPEN, SHIM_CALL_COMPLETED, SHIM_CALL_REFUSED };

struct shim_call {
    uint64_t id;
    uint32_t state;
    struct shim_call *prev, *next; /* among the ended */
    UT_hash_handle hh;
};

struct shim_key {
    int32_t outcome; /* AHP_RECEIPT_, or -1 before any */
    UT_hash_handle hh;
    char key[];
};

struct shim {
    const ahp_entry *entry;
    const ahp_host *host; /* the real one */
    ahp_inst *inst;       /* the real one */
    ahp_shim_report_fn *report;
    void *report_ud;
    pthread_t thread;

    ahp_host outer_host;
    ahp_inst outer_inst;
    ahp_jobs outer_jobs;
    ahp_deliver outer_deliver; /* its flags follow the real ones */
    const ahp_loop *loop;
    const ahp_calls *calls;
    const ahp_deliver *deliver;
    const ahp_work *work;
    const ahp_check *check;
    const ahp_approval *approval;
    const ahp_jobs *jobs;

    uint32_t phase;   /* AHP_IN_ */
    uint32_t depth;   /* how often the plugin is on the stack */
    uint32_t in_work; /* an ahp_work_fn is on this thread's stack */
    int host_fn;      /* the host's function on the stack (enum ahp_fn), or AHP_FN_COUNT */
    int64_t last_now_ms;
    int64_t stop_deadline_ms; /* INT64_MAX: none that could be kept */

    struct shim_handle *handles; /* live ones */
    struct shim_handle *ended;
    uint32_t live_count[SHIM_KIND_COUNT];
    uint32_t ended_count;
    struct shim_handle *watch_by_fd;

    struct shim_call *call_by_id;
    struct shim_call *calls_ended;
    uint32_t calls_ended_count;
    uint32_t calls_open_count;
    struct shim_key *key_by_text;

    const ahp_tool *const *tools;
    uint64_t tools_hash;
    uint32_t tools_known;
};

/* --- shim_core.c: accusing, entering and leaving ---------------------------------------------- */

/* Logs and reports a breach; the item tells whose. [any] */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void shim_accuse(const struct shim *shim, uint32_t item, const char *format, ...);

/* The host enters the plugin through fn. 0: enter, and shim_leave afterwards. Negative: do not. */
int32_t shim_enter(struct shim *shim, enum ahp_fn fn);
void shim_leave(struct shim *shim);

/*
 * The plugin calls the host's function fn. 0: pass it on, and shim_host_end(shim, *ret_before)
 * afterwards. Negative: do not.
 */
int32_t shim_host_begin(struct shim *shim, enum ahp_fn fn, int *ret_before);
void shim_host_end(struct shim *shim, int before);

/* Every int32_t of the ABI is 0 or negative. Returns rc, or AHP_E_FAILED for nonsense. */
int32_t shim_result(const struct shim *shim, enum ahp_fn fn, int32_t rc);

int32_t shim_on_loop(const struct shim *shim);

/* The host's clock, watched: it must not run backwards. */
int64_t shim_now_ms(struct shim *shim);

/* --- shim_lend.c: arguments, checked and lent ------------------------------------------------- */

/* Copies that live for one call. Start from {NULL, 0}. */
struct shim_loan {
    struct shim_block *blocks;
    int failed; /* no memory for a copy: the originals are passed instead */
};

/* An exact-size copy, or NULL. Copies of texts do not end in NUL. */
void *shim_lend_bytes(struct shim_loan *loan, const void *bytes, size_t len);
void shim_lend_text(struct shim_loan *loan, ahp_text *text);
const char *shim_lend_string(struct shim_loan *loan, const char *string);
const ahp_file *const *shim_lend_files(struct shim_loan *loan, const ahp_file *const *files,
                                       uint32_t count);
/* Overwrites all copies, then frees them: who kept a pointer reads rubbish. */
void shim_lend_end(struct shim_loan *loan);

/* Whose arguments are looked at, and in what. */
struct shim_subject {
    const struct shim *shim;
    enum ahp_fn fn;
    uint32_t side; /* AHP_SIDE_ of who is accused */
};

/* 1 if good. All of these accuse by themselves. */
int32_t shim_check_size(const struct shim_subject *about, const char *what, uint32_t size,
                        size_t bytes_min);
int32_t shim_check_text(const struct shim_subject *about, const char *what, const ahp_text *text,
                        size_t bytes_max);
int32_t shim_check_utf8(const struct shim_subject *about, const char *what, const ahp_text *text,
                        size_t bytes_max);
int32_t shim_check_object(const struct shim_subject *about, const char *what,
                          const ahp_text *json, size_t bytes_max);
int32_t shim_check_files(const struct shim_subject *about, const ahp_file *const *files,
                         uint32_t count);
void shim_check_argument(const struct shim_subject *about, int good, const char *what);
int32_t shim_check_slots(const struct shim *shim, uint32_t item, const char *what,
                         const void *table, size_t first, size_t last);
int32_t shim_utf8_is_valid(const char *text, size_t len);

/* --- shim_handles.c --------------------------------------------------------------------------- */

/* A live handle, counted; NULL without memory. */
struct shim_handle *shim_handle_new(struct shim *shim, enum shim_kind kind, void *ud);
/* Ends a handle but remembers it for a while. */
void shim_handle_end(struct shim_handle *handle);
/*
 * The same for a call of fn, unless an argument is missing, which is accused. NULL: the call ends
 * with *ret_rc.
 */
struct shim_handle *shim_handle_begin(struct shim *shim, enum ahp_fn fn, enum shim_kind kind,
                                      int is_complete, void *ud, int32_t *ret_rc);
/* What an output holds before a call that makes a handle: neither NULL nor a handle. */
extern const char shim_untouched_mark;
#define SHIM_UNTOUCHED ((void *)(uintptr_t)&shim_untouched_mark)
/*
 * Judges what the host has answered to such a call, its rc and its output; ends the handle unless
 * that is AHP_OK. Returns what the plugin is to be told.
 */
int32_t shim_handle_made(struct shim_handle *handle, enum ahp_fn fn, int32_t rc, void *inner);
/* The plugin's handle if it is alive and of that kind, else NULL, accused. */
struct shim_handle *shim_handle_use(void *handle, enum shim_kind kind, enum ahp_fn fn);
/*
 * Ends the plugin's handle so that the host can be told to free it; shim_host_end afterwards. NULL:
 * there is nothing to tell, accused where it is wrong.
 */
struct shim_handle *shim_handle_free(void *handle, enum shim_kind kind, enum ahp_fn fn,
                                     int *ret_before);
/* 1: the one callback of a handle came when it had ended, accused; `what`: "a timer ran". */
int shim_handle_is_late(const struct shim_handle *handle, uint32_t item_twice, const char *what);
/* Reports what lives on after destroy, gives it back to the host, frees all memory of handles. */
void shim_handles_done(struct shim *shim);

/* --- the wrappers ----------------------------------------------------------------------------- */

void shim_inst_init(struct shim *shim);      /* shim_inst.c */
void shim_host_init(struct shim *shim);      /* shim_host.c */
void shim_host_learn(struct shim *shim);      /* shim_host.c: its extensions, checked */
extern const ahp_loop shim_loop_table;       /* shim_loop.c */
extern const ahp_work shim_work_table;       /* shim_work.c */
extern const ahp_calls shim_calls_table;     /* shim_calls.c */
extern const ahp_approval shim_approval_table; /* shim_approval.c */
void shim_approval_completed(struct shim *shim, uint64_t call_id); /* shim_approval.c */
int32_t shim_inst_call(void *self, const ahp_call *call);      /* shim_calls.c */
int32_t shim_inst_cancel(void *self, uint64_t call_id);        /* shim_calls.c */
void shim_calls_done(struct shim *shim);                       /* shim_calls.c */
int32_t shim_deliver_offer(void *ctx, const ahp_delivery *delivery);   /* shim_deliver.c */
int32_t shim_inst_receipt(void *self, const ahp_receipt *receipt);     /* shim_deliver.c */
void shim_deliver_done(struct shim *shim);                             /* shim_deliver.c */
int32_t shim_inst_tools(void *self, const ahp_tool *const **ret_tools,
                        uint32_t *ret_count); /* shim_tools.c */

/* Frees the shim itself (shim_core.c). */
void shim_free(struct shim *shim);

#endif
