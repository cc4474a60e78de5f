/*
 * ahp.h - the agent host plugin ABI, core part.
 *
 * A plugin is a shared object with one exported function, ahp_entry_1(). A host loads it, checks
 * the entry it returns, creates instances and lends each of them its event loop, its timers and its
 * message delivery. Everything beyond this header is an extension found by its id text
 * ("ahp.loop/1"), one header an extension.
 *
 * Five rules hold for every function of this ABI; the text of a function says only what is special.
 *
 *  R1  One stack. No host function calls into the plugin before it returns, and the host enters the
 *      plugin only from the top level of its loop: the plugin is never entered while it is running.
 *  R2  One thread. Everything is called on the loop's thread, [loop], except what is marked [any].
 *  R3  Exactly one end. What was accepted ends exactly once; what was refused never started.
 *  R4  Size first. A struct starts with `size`, set by whoever allocated it to sizeof(the struct)
 * as it was compiled. Released structs grow only at the tail, so a field is read through AHP_IN or
 *      AHP_HAS. Arrays cross as arrays of pointers, so that elements may grow. A change of meaning
 *      is a new id. The one exception is ahp_text, frozen for ever.
 *  R5  Borrowed unless said. Arguments live until the call returns; what must be kept is copied. No
 *      memory is allocated on one side and freed on the other.
 *
 * Text is UTF-8 with a length and need not end in NUL; `const char *` members do end in NUL.
 * Results are 0 (AHP_OK) or a negative AHP_E_ code; an unknown negative value means AHP_E_FAILED.
 * Outputs are untouched when a call fails. A process that forks must not use an instance in the
 * child. The host ignores SIGPIPE. Hosts never unload a plugin: an update needs a new process.
 *
 * C99 and C++17; needs stdint.h and stddef.h only. doc/abi.md is the contract in prose.
 */
#ifndef AHP_AHP_H
#define AHP_AHP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of these headers. The major number is in the entry's name, see AHP_ENTRY_NAME. */
#define AHP_MAJOR 1u
#define AHP_MINOR 0u

/* The symbol a host looks up. A new major version is a new symbol. */
#define AHP_ENTRY_NAME "ahp_entry_1"

#if defined(_WIN32)
#define AHP_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define AHP_EXPORT __attribute__((visibility("default")))
#else
#define AHP_EXPORT
#endif

/* True if `field` lies inside the struct that p points to, by the size its allocator wrote (R4). */
#define AHP_IN(p, field)                                                                           \
    ((size_t)((const char *)&(p)->field - (const char *)(p)) + sizeof((p)->field) <=               \
     (size_t)(p)->size)

/* True if `field` lies inside the struct and is neither NULL nor 0. */
#define AHP_HAS(p, field) (AHP_IN(p, field) && (p)->field)

/* Result codes. A function's text names the codes it may return beyond AHP_E_FAILED. */
#define AHP_OK 0
#define AHP_E_FAILED (-1)      /* it went wrong; a text says how where there is one */
#define AHP_E_NOMEM (-2)       /* no memory; nothing has changed */
#define AHP_E_INVALID (-3)     /* the caller broke the contract; nothing has changed */
#define AHP_E_STATE (-4)       /* not allowed in this phase (doc/abi.md, phase table) */
#define AHP_E_EXISTS (-5)      /* there is one already */
#define AHP_E_NOT_FOUND (-6)   /* there is none of that name */
#define AHP_E_LIMIT (-7)       /* a named limit would be passed */
#define AHP_E_STALE (-8)       /* that id has ended, or never was */
#define AHP_E_UNSUPPORTED (-9) /* this side does not offer that */
#define AHP_E_DEAD (-10)       /* the instance found itself broken; only destroy is left */
#define AHP_E_VERSION (-11)    /* versions or required extensions do not fit */

/* The longest line of log(). A host may cut longer ones. */
#define AHP_LOG_BYTES_MAX 4096u

/* The most files that one result or one delivery names. */
#define AHP_FILES_MAX 1024u

/* A piece of UTF-8 text or bytes. {NULL, 0} is "none". Frozen: it has no size field. */
typedef struct ahp_text {
    const char *ptr;
    size_t len;
} ahp_text;

/*
 * The reason a set-up call failed. The caller sets size and passes a pointer, or NULL when it does
 * not want to know. Filled only on failure; text always ends in NUL and holds no secret.
 */
typedef struct ahp_err {
    uint32_t size;
    int32_t code;
    char text[240];
} ahp_err;

/* Levels of ahp_host.log. The last two accuse: they are what the checking shim reports with. */
#define AHP_LOG_DEBUG 0
#define AHP_LOG_INFO 1
#define AHP_LOG_WARN 2
#define AHP_LOG_ERROR 3
#define AHP_LOG_HOST_MISBEHAVES 4
#define AHP_LOG_PLUGIN_MISBEHAVES 5

/* A file that one side made and the other may read. It stays where it is; nobody takes it over. */
typedef struct ahp_file {
    uint32_t size;
    uint32_t reserved;  /* 0 */
    const char *path;   /* absolute */
    const char *name;   /* what to call it in front of people, such as "boat.png" */
    const char *mime;   /* such as "image/png", from the bytes, not from the name */
    const char *handle; /* the plugin's short name for it, such as "img_8k2f9q"; may be NULL */
    uint64_t bytes;
} ahp_file;

/*
 * What the host lends an instance. Valid from create until destroy has returned. Every member is
 * set in version 1.0. `ctx` goes first into every call that takes no other handle.
 */
typedef struct ahp_host {
    uint32_t size;
    uint32_t minor; /* AHP_MINOR of the host */
    void *ctx;
    const char *name;    /* the host's stable name, such as "agent-host"; part of its reply routes */
    const char *version; /* for logs only */

    /*
     * The extension of that id, or NULL. The same answer for as long as the instance lives. Legal
     * from create until destroy is called. The table is the host's and lives as long as ahp_host.
     */
    const void *(*ext)(void *ctx, const char *id);

    /*
     * Takes one finished line of text (no newline, no secret, at most AHP_LOG_BYTES_MAX bytes).
     * `item` is a stable number that names the event (0: none). Never fails, never blocks. [any]
     */
    void (*log)(void *ctx, int32_t level, uint32_t item, const char *text, size_t len);

    /* 1 if lines of that level are wanted, else 0: lets a plugin not build text for nothing.
     * [any] */
    int32_t (*log_on)(void *ctx, int32_t level);

    /*
     * The plugin's answer to stop(): all calls have been completed, all watches, timers and
     * deferred calls are freed, no work is outstanding. Once, inside stop() or after it; after it
     * the plugin calls nothing but what destroy may. The host then calls destroy from its top
     * level.
     */
    void (*stopped)(void *ctx);
} ahp_host;

/* Flags of a tool. A host ignores flags that it does not know. */
#define AHP_TOOL_READ_ONLY 1u      /* changes nothing anywhere */
#define AHP_TOOL_IDEMPOTENT 2u     /* the same call again changes nothing more */
#define AHP_TOOL_LONG_RUNNING 4u   /* may take minutes when nothing can be delivered later */
#define AHP_TOOL_DELIVERS_LATER 8u /* with a reply address it answers at once and delivers later */
#define AHP_TOOL_OPEN_WORLD 16u    /* talks to services outside the host */
#define AHP_TOOL_DESTRUCTIVE 32u   /* may remove something that the user made */
#define AHP_TOOL_JOBS 64u         /* looks at and acts on jobs, as jobs.h describes */

/* One tool. It and its texts live as long as the list that named them, see ahp_inst.tools. */
typedef struct ahp_tool {
    uint32_t size;
    uint32_t flags;            /* AHP_TOOL_ */
    const char *name;          /* [a-z0-9_]{1,64} */
    const char *title;         /* for people */
    const char *summary;       /* for the model: what it does and when not to use it */
    const char *input_schema;  /* JSON Schema of an object, as JSON text */
    const char *output_schema; /* the same for the result, or NULL */
    int64_t timeout_ms_default; /* how long a host that waits should wait; 0: no opinion */
} ahp_tool;

struct ahp_call;    /* calls.h */
struct ahp_receipt; /* deliver.h */

/*
 * An instance, made by create and owned by the plugin until destroy. `self` goes first into every
 * call. A slot that 1.0 lists is set; slots of later versions may be NULL, for ever.
 */
typedef struct ahp_inst {
    uint32_t size;
    uint32_t reserved; /* 0 */
    void *self;

    /*
     * The tools, as an array of pointers. The list and its texts stay as they are until the plugin
     * asks for a rescan (calls.h); the host then calls this again. The old list stays valid until
     * the next tools() returns. Legal from create until stopped(), but not after start has failed.
     * AHP_E_NOMEM.
     */
    int32_t (*tools)(void *self, const ahp_tool *const **ret_tools, uint32_t *ret_count);

    /*
     * From here on the instance may watch, wait and talk to the network. It resumes what an earlier
     * process left unfinished. Once. On failure the instance can only be destroyed. AHP_E_NOMEM,
     * AHP_E_LIMIT (the host gave no more handles).
     */
    int32_t (*start)(void *self, ahp_err *ret_err);

    /*
     * Begins a tool call. 0: accepted, exactly one complete() with call->id follows (R3), maybe
     * before call() returns. Negative: refused, none follows. AHP_E_STATE before start or after
     * stop; AHP_E_NOT_FOUND: no such tool; AHP_E_INVALID; AHP_E_LIMIT; AHP_E_DEAD.
     */
    int32_t (*call)(void *self, const struct ahp_call *call);

    /*
     * Asks that an accepted call end soon. A wish, not an end: complete() still follows, with
     * AHP_RESULT_CANCELLED or with the result that was faster. It never ends a job: one that the
     * call has begun goes on, and the result names it. Ending a job is a tool's business. Legal
     * from start until stopped(). AHP_E_STALE: no such call is open.
     */
    int32_t (*cancel)(void *self, uint64_t call_id);

    /*
     * The fate of an accepted offer (deliver.h). 0: the plugin has it and will make it durable, or
     * it is a repeat and harmless. AHP_E_STALE: the key is not known; forget it. Any other code:
     * not taken; say it again later, also after a restart. Legal from start until stopped().
     */
    int32_t (*receipt)(void *self, const struct ahp_receipt *receipt);

    /*
     * No new calls from here. Open calls are completed (AHP_RESULT_SHUTDOWN when unfinished), jobs
     * stay in the plugin's store, then host->stopped() is called, by deadline_ms on the clock of
     * ahp.loop/1 at the latest. Once, after start. The host keeps turning its loop meanwhile.
     */
    void (*stop)(void *self, int64_t deadline_ms);

    /*
     * Frees the instance, at any time after create, from the loop's top level. Calls nothing of the
     * host but the *_free functions, timer_off, the clocks, log, log_on and on_loop. Nothing of the
     * instance is valid after it.
     */
    void (*destroy)(void *self);

    /*
     * The plugin's side of an extension ("ahp.jobs/1"), or NULL. The same answer each time; the
     * table is the plugin's and lives until destroy. Legal from create until destroy.
     */
    const void *(*ext)(void *self, const char *id);
} ahp_inst;

/*
 * What the entry returns: static data, valid for ever. `needs` and `wants` are NULL-ended lists of
 * extension ids, never NULL themselves.
 */
typedef struct ahp_entry {
    uint32_t size;
    uint32_t major;        /* AHP_MAJOR of the headers it was built with */
    uint32_t minor;        /* AHP_MINOR of the headers it was built with */
    uint32_t minor_needed; /* the least host minor it can work with */
    const char *id;        /* such as "clawmedia": [a-z0-9_-]{1,64} */
    const char *version;
    const char *const *needs; /* a host without one of these must refuse, naming it */
    const char *const *wants; /* the plugin does better with these */

    /*
     * Builds an instance. `config` is a JSON object as text, or none; its members are the plugin's
     * own. May query extensions and open files; no watch, timer or network yet. On failure nothing
     * stays behind and ret_err says why. AHP_E_VERSION, AHP_E_INVALID, AHP_E_NOMEM.
     */
    int32_t (*create)(const ahp_host *host, const ahp_text *config, ahp_inst **ret_inst,
                      ahp_err *ret_err);
} ahp_entry;

/*
 * The plugin's one export. Pure: no input or output, the same pointer every time, callable from any
 * thread and any number of times. [any]
 */
typedef const ahp_entry *ahp_entry_fn(void);
AHP_EXPORT const ahp_entry *ahp_entry_1(void);

#ifdef __cplusplus
}
#endif

#endif
