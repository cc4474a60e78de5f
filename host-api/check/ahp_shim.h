/*
 * ahp_shim.h - the checking shim: stands between a host and an instance, passes every call on, and
 * reports each breach of the ABI's rules by either side with a numbered item.
 *
 * The shim owns its wrappers; they end with destroy of the wrapped instance. It allocates with
 * malloc, opens nothing and starts nothing. On in every test; a host may offer it as a switch.
 */
#ifndef AHP_SHIM_H
#define AHP_SHIM_H

#include <ahp/ahp.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Called for each breach, after it was logged through the host with AHP_LOG_HOST_MISBEHAVES or
 * AHP_LOG_PLUGIN_MISBEHAVES. `item` is one of the AHP_SHIM_ numbers. May abort the process. [any]
 */
typedef void ahp_shim_report_fn(void *ud, int32_t level, uint32_t item, const char *text);

/*
 * As entry->create, with the shim in between: the plugin gets a wrapped host, the caller gets a
 * wrapped instance. Everything create() may return.
 */
int32_t ahp_shim_create(const ahp_entry *entry, const ahp_host *host, const ahp_text *config,
                        ahp_inst **ret_inst, ahp_err *ret_err, ahp_shim_report_fn *report,
                        void *ud);

#ifdef __cplusplus
}
#endif

#endif
