/*
 * ahp_shim.h - the checking shim: stands between a host and an instance, passes every call on, and
 * reports each breach of the ABI's rules by either side with a numbered item.
 *
 * The shim owns its wrappers; they end with destroy of the wrapped instance. It allocates with
 * malloc, opens nothing and starts nothing. On in every test; a host may offer it as a switch.
 *
 * What is reported is not passed on when the other side could not bear it (a dead handle, a foreign
 * thread, a wrong phase, a struct that is too short, any entry under the plugin's own stack but a
 * callback): the caller then gets the code that the contract names. Everything else is passed on.
 *
 * Borrowed arguments (R5) are passed as copies that are overwritten and freed when the call
 * returns, so a pointer that was kept shows up under the address sanitizer. Extensions that the
 * shim does not know are hidden from both sides, since their functions would get a wrapper's
 * handle.
 *
 * What it cannot see: use of an instance or of its ahp_host after destroy (the sanitizer can), and
 * handles that never were handles.
 */
#ifndef AHP_SHIM_H
#define AHP_SHIM_H

#include <ahp/ahp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The host's breaches. Numbers are stable; new ones are added at the end of their group. */
#define AHP_SHIM_HOST_REENTERED 100        /* R1: entered the plugin while it was running */
#define AHP_SHIM_HOST_TIMER_INLINE 101     /* R1: timer_at ran the callback itself */
#define AHP_SHIM_HOST_DEFER_INLINE 102     /* R1: defer ran the callback itself */
#define AHP_SHIM_HOST_WORK_INLINE 103      /* R1: run called fn or done itself */
#define AHP_SHIM_HOST_RECEIPT_INLINE 104   /* R1: the receipt came before offer had returned */
#define AHP_SHIM_HOST_WRONG_THREAD 105     /* R2: not on the loop's thread */
#define AHP_SHIM_HOST_PHASE 106            /* not legal in this phase, such as start twice */
#define AHP_SHIM_HOST_CALL_ID 107          /* a call id that is 0 or was used before */
#define AHP_SHIM_HOST_COMPLETE_REFUSED 108 /* R3: complete of an open call was refused */
#define AHP_SHIM_HOST_COMPLETE_STALE 109   /* R3: complete of no open call was not AHP_E_STALE */
#define AHP_SHIM_HOST_STRUCT 110           /* R4: a struct shorter than 1.0 has it, or absurd */
#define AHP_SHIM_HOST_SLOT 111             /* a slot that 1.0 requires is NULL */
#define AHP_SHIM_HOST_TEXT 112             /* a text without bytes, or longer than allowed */
#define AHP_SHIM_HOST_ARGUMENT 113         /* another argument out of its range */
#define AHP_SHIM_HOST_RESULT 114           /* a result that is neither 0 nor negative, or absurd */
#define AHP_SHIM_HOST_OUTPUT_TOUCHED 115   /* an output was written although the call failed */
#define AHP_SHIM_HOST_OUTPUT_MISSING 116   /* success without the output */
#define AHP_SHIM_HOST_AFTER_FREE 117       /* a callback of a handle that was freed */
#define AHP_SHIM_HOST_TIMER_EARLY 118      /* a timer ran before its deadline */
#define AHP_SHIM_HOST_TIMER_UNARMED 119    /* a timer ran that was not armed, or twice */
#define AHP_SHIM_HOST_DEFER_TWICE 120      /* a deferred call ran twice */
#define AHP_SHIM_HOST_WATCH_TWICE 121      /* accepted a second watch of one fd */
#define AHP_SHIM_HOST_EVENTS 122           /* reported events that do not exist */
#define AHP_SHIM_HOST_CLOCK 123            /* now_ms ran backwards */
#define AHP_SHIM_HOST_NEEDS 124            /* created a plugin without what it needs */
#define AHP_SHIM_HOST_EXT_CHANGED 125      /* ext answered the same id differently */
#define AHP_SHIM_HOST_NOT_READY 126        /* accepted an offer without AHP_DELIVER_READY */
#define AHP_SHIM_HOST_RECEIPT_KEY 127      /* a receipt whose key no delivery can have */
#define AHP_SHIM_HOST_RECEIPT_CHANGED 128  /* a second final receipt that contradicts the first */
#define AHP_SHIM_HOST_WORK_TWICE 129       /* fn or done ran twice */
#define AHP_SHIM_HOST_WORK_CANCELLED 130   /* `cancelled` does not say whether fn ran */
#define AHP_SHIM_HOST_WORK_MISSING 131     /* destroy with work whose done never came */
#define AHP_SHIM_HOST_ANSWER_INLINE 132    /* R1: ask called back before it returned */
#define AHP_SHIM_HOST_ANSWER_TWICE 133     /* a question was answered twice */

/* The plugin's breaches. */
#define AHP_SHIM_PLUGIN_WRONG_THREAD 200    /* R2: a [loop] function from elsewhere, such as work */
#define AHP_SHIM_PLUGIN_PHASE 201           /* not legal in this phase, such as a watch in create */
#define AHP_SHIM_PLUGIN_COMPLETE_TWICE 202  /* R3: a call was completed twice */
#define AHP_SHIM_PLUGIN_COMPLETE_UNKNOWN 203 /* R3: a call that never was */
#define AHP_SHIM_PLUGIN_COMPLETE_REFUSED 204 /* R3: a call that was refused */
#define AHP_SHIM_PLUGIN_STOPPED_OPEN 205    /* R3: stopped with calls that were not completed */
#define AHP_SHIM_PLUGIN_STOPPED_HOLDS 206   /* stopped with live watches, timers, deferreds, work */
#define AHP_SHIM_PLUGIN_STOP_LATE 207       /* not stopped although the deadline has passed */
#define AHP_SHIM_PLUGIN_STRUCT 208          /* R4: a struct shorter than 1.0 has it, or absurd */
#define AHP_SHIM_PLUGIN_SLOT 209            /* a slot that 1.0 requires is NULL */
#define AHP_SHIM_PLUGIN_TEXT 210            /* a text without bytes, or longer than allowed */
#define AHP_SHIM_PLUGIN_ARGUMENT 211        /* another argument out of its range */
#define AHP_SHIM_PLUGIN_RESULT 212          /* a result that is neither 0 nor negative, or absurd */
#define AHP_SHIM_PLUGIN_OUTPUT_TOUCHED 213  /* an output was written although the call failed */
#define AHP_SHIM_PLUGIN_OUTPUT_MISSING 214  /* success without the output, failure without reason */
#define AHP_SHIM_PLUGIN_AFTER_FREE 215      /* a handle was used after it had ended */
#define AHP_SHIM_PLUGIN_WATCH_TWICE 216     /* a second watch of one fd */
#define AHP_SHIM_PLUGIN_LEAK_WATCHES 217    /* destroy left watches */
#define AHP_SHIM_PLUGIN_LEAK_TIMERS 218     /* destroy left timers */
#define AHP_SHIM_PLUGIN_LEAK_DEFERRED 219   /* destroy left deferred calls */
#define AHP_SHIM_PLUGIN_TOOL 220            /* a tool lacks name, title, summary or schema */
#define AHP_SHIM_PLUGIN_TOOLS_CHANGED 221   /* another tool list without rescan */
#define AHP_SHIM_PLUGIN_ACCEPTED 222        /* accepted a call before start or after stop */
#define AHP_SHIM_PLUGIN_CANCEL 223          /* cancel's answer does not fit the call's state */
#define AHP_SHIM_PLUGIN_KEY 224             /* a delivery key: empty, too long, wrong alphabet */
#define AHP_SHIM_PLUGIN_OFFER_HELD 225      /* offered what the host holds in its own queue */
#define AHP_SHIM_PLUGIN_OFFER_DELIVERED 226 /* offered what was delivered */
#define AHP_SHIM_PLUGIN_LOG 227             /* a log line that is not one, or of a wrong level */
#define AHP_SHIM_PLUGIN_LEAK_QUESTIONS 228  /* destroy left questions */
#define AHP_SHIM_PLUGIN_QUESTION_OPEN 229   /* completed a call whose question is not answered */

/*
 * Called for each breach, after it was logged through the host with AHP_LOG_HOST_MISBEHAVES or
 * AHP_LOG_PLUGIN_MISBEHAVES. `item` is one of the AHP_SHIM_ numbers. May abort the process. [any]
 */
typedef void ahp_shim_report_fn(void *ud, int32_t level, uint32_t item, const char *text);

/*
 * As entry->create, with the shim in between: the plugin gets a wrapped host, the caller gets a
 * wrapped instance. Everything create() may return; AHP_E_VERSION also for an entry, a host or an
 * instance that is shorter than 1.0 or lacks a slot, AHP_E_UNSUPPORTED for a plugin that needs an
 * extension which the shim does not know. The calling thread is from here on the loop's. `host`
 * must stay until destroy has returned. `report` may be NULL: then breaches are only logged.
 */
int32_t ahp_shim_create(const ahp_entry *entry, const ahp_host *host, const ahp_text *config,
                        ahp_inst **ret_inst, ahp_err *ret_err, ahp_shim_report_fn *report,
                        void *ud);

#ifdef __cplusplus
}
#endif

#endif
