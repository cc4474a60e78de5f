/*
 * calls.h - "ahp.calls/1": tool calls and their results. The host starts a call with ahp_inst.call
 * and the plugin ends it with ahp_calls.complete. All functions are [loop].
 */
#ifndef AHP_CALLS_H
#define AHP_CALLS_H

#include "ahp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AHP_CALLS_1 "ahp.calls/1"

/* What the host can and cannot do for this call. Unknown flags are ignored. */
#define AHP_CALL_NO_LATE_DELIVERY 1u /* nothing can reach this caller after the answer */
#define AHP_CALL_ONE_SHOT 2u         /* this process ends soon after the answer */
#define AHP_CALL_DETACH 4u           /* answer with the job's handle at once */
#define AHP_CALL_OPERATOR 8u         /* the host's owner asks: all conversations' jobs are theirs */

/* Longest texts that a plugin must take; a host may not send longer ones. */
#define AHP_REPLY_TO_BYTES_MAX 4096u
#define AHP_KEY_BYTES_MAX 256u
#define AHP_ARGS_BYTES_MAX (4u * 1024u * 1024u)
#define AHP_CONVERSATION_BYTES_MAX 4096u
#define AHP_CALLER_BYTES_MAX 1024u
#define AHP_LOCALE_BYTES_MAX 64u
#define AHP_TOOL_NAME_BYTES_MAX 64u
#define AHP_FOLDER_BYTES_MAX 4000u
#define AHP_FOLDERS_BYTES_MAX (64u * 1024u)

/*
 * The longest json of a result. A result's job_id has at most AHP_KEY_BYTES_MAX bytes, and it names
 * at most AHP_FILES_MAX files.
 */
#define AHP_RESULT_BYTES_MAX (8u * 1024u * 1024u)

typedef struct ahp_call {
    uint32_t size;
    uint32_t flags; /* AHP_CALL_ */
    uint64_t id;    /* made by the host: never 0, never twice for one instance */
    ahp_text tool;
    ahp_text args;       /* a JSON object; none is read as {} */
    int64_t deadline_ms; /* on the loop's clock; answer by then, at least with a handle; 0: none */

    /*
     * The same key with the same conversation, tool and arguments, within 24 hours, means the same
     * request again (a retry): no second job is started. One key a wish of the user's; not a bare
     * tool-use id, which may repeat. None: the plugin makes one from the other three and the
     * files that the arguments name.
     */
    ahp_text dedup_key;

    /*
     * Where a later result goes: the host's own bytes, valid after a restart, stored as they are
     * and never parsed. None: nothing can be delivered for this call.
     */
    ahp_text reply_to;
    /*
     * Stable key of the chat; "the last picture" means the last in here. Hosts of several channels
     * begin it with the channel's name and a slash ("telegram/...").
     */
    ahp_text conversation;
    ahp_text caller;       /* who asks, for logs and limits; may be none */
    ahp_text locale;       /* BCP 47, such as "zh-CN"; none: the plugin looks at the request */

    /*
     * Folders of the one who asks, where a host serves several: absolute paths; none, or a struct
     * that ends before: those of the instance. Relative names in the arguments are names in the
     * workspace; what is in it may be read for this call, and the workspace of another call may
     * not. Files that the call leads to are written under output_dir, also when a later process
     * finishes them.
     */
    ahp_text workspace;
    ahp_text output_dir;

    /*
     * Folders whose files this call may name, beside those that the plugin's own settings allow: a
     * JSON array of absolute paths. For callers that bring folders of their own along.
     */
    ahp_text folders;
} ahp_call;

/* How a call ended. */
#define AHP_RESULT_OK 0          /* done; json is the result */
#define AHP_RESULT_ERROR 1       /* it failed; json has an "error" object */
#define AHP_RESULT_CANCELLED 2   /* cancel() was faster; job_id, if there is one, goes on */
#define AHP_RESULT_SHUTDOWN 3    /* the instance stops; job_id, if there is one, goes on later */
#define AHP_RESULT_PENDING_JOB 4 /* job_id works on; the result is delivered or can be asked for */
#define AHP_RESULT_UNKNOWN 5     /* the request may or may not have been carried out */

typedef struct ahp_result {
    uint32_t size;
    int32_t status;  /* AHP_RESULT_ */
    ahp_text json;   /* a JSON object for the model; small: files are named, never contained */
    ahp_text job_id; /* none when there is no job */
    const ahp_file *const *files; /* the files that json names, for hosts that attach them */
    uint32_t files_count;
    uint32_t reserved; /* 0 */
} ahp_result;

/* Host side; a plugin gets it from ahp_host.ext(ctx, AHP_CALLS_1). */
typedef struct ahp_calls {
    uint32_t size;
    uint32_t reserved; /* 0 */

    /*
     * Ends a call. Legal any time after it was accepted, even inside call(), until stopped(). The
     * host copies what it keeps and acts on it from its top level (R1). For an open call and a
     * well-formed result this always ends the call and returns 0: past a limit or without memory
     * the host itself ends it with AHP_RESULT_ERROR. AHP_E_STALE: no such call is open; that is a
     * plugin's mistake and changes nothing. AHP_E_INVALID: no result, or not a well-formed one.
     */
    int32_t (*complete)(void *ctx, uint64_t call_id, const ahp_result *result);

    /*
     * A hint for people that an open call is alive: permille done (-1: not known) and one line of
     * text, which a host may cut. Lossy; may go backwards. Ignored for a call that is not open.
     */
    void (*progress)(void *ctx, uint64_t call_id, int32_t permille, const char *text, size_t len);

    /*
     * The tool list has changed: the host calls ahp_inst.tools again, later. Legal from start until
     * stopped().
     */
    void (*rescan)(void *ctx);
} ahp_calls;

#ifdef __cplusplus
}
#endif

#endif
