/*
 * entry_check.c - does this entry, and the instance it made, fit this host? Reads an entry or a
 * host field by field, each only after its size was seen to cover it, so that a short or foreign
 * struct is refused and never read past its end. Every refusal names what was needed and what there
 * is.
 */
#include <string.h>

#include "ahp_err_fill.h"
#include "ahp_load.h"

#define ID_BYTES_MAX 64u
#define NEEDS_MAX 64u

static int id_is_valid(const char *id)
{
    size_t len = strnlen(id, ID_BYTES_MAX + 1);

    return len >= 1 && len <= ID_BYTES_MAX &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

/* What does not depend on a host. The major comes first: the rest of the layout hangs on it. */
static int32_t check_shape(const ahp_entry *entry, ahp_err *ret_err)
{
    if (entry == NULL)
        return ahp_err_fill(ret_err, AHP_E_FAILED, "%s() returned NULL", AHP_ENTRY_NAME);
    if (!AHP_IN(entry, major))
        return ahp_err_fill(ret_err, AHP_E_VERSION,
                            "the plugin's entry has %u bytes, at least %zu are needed",
                            (unsigned)entry->size, sizeof(ahp_entry));
    if (entry->major != AHP_MAJOR)
        return ahp_err_fill(ret_err, AHP_E_VERSION,
                            "the plugin was built for ABI major %u, this host speaks major %u",
                            (unsigned)entry->major, (unsigned)AHP_MAJOR);
    if (!AHP_IN(entry, create))
        return ahp_err_fill(ret_err, AHP_E_VERSION,
                            "the plugin's entry has %u bytes, ABI %u.0 has %zu",
                            (unsigned)entry->size, (unsigned)AHP_MAJOR, sizeof(ahp_entry));
    if (entry->id == NULL || !id_is_valid(entry->id))
        return ahp_err_fill(ret_err, AHP_E_FAILED,
                            "the plugin's id is \"%.80s\", [a-z0-9_-]{1,64} is needed",
                            entry->id == NULL ? "(NULL)" : entry->id);
    if (entry->version == NULL || entry->needs == NULL || entry->wants == NULL ||
        entry->create == NULL)
        return ahp_err_fill(ret_err, AHP_E_FAILED,
                            "plugin \"%s\" has NULL for %s, which ABI %u.0 requires", entry->id,
                            entry->version == NULL ? "version"
                            : entry->needs == NULL ? "needs"
                            : entry->wants == NULL ? "wants"
                                                   : "create",
                            (unsigned)AHP_MAJOR);
    return AHP_OK;
}

static int32_t check_needs(const ahp_entry *entry, const ahp_host *host, ahp_err *ret_err)
{
    for (uint32_t i = 0; entry->needs[i] != NULL; i++) {
        if (i == NEEDS_MAX)
            return ahp_err_fill(ret_err, AHP_E_FAILED,
                                "plugin \"%s\" lists more than %u needs: is the list NULL-ended?",
                                entry->id, NEEDS_MAX);
        if (host->ext(host->ctx, entry->needs[i]) == NULL)
            return ahp_err_fill(ret_err, AHP_E_VERSION,
                                "plugin \"%s\" needs extension \"%s\"; host \"%s\" (ABI %u.%u) "
                                "does not have it",
                                entry->id, entry->needs[i], host->name, (unsigned)AHP_MAJOR,
                                (unsigned)host->minor);
    }
    return AHP_OK;
}

int32_t ahp_entry_check(const ahp_entry *entry, const ahp_host *host, ahp_err *ret_err)
{
    uint32_t host_minor = AHP_MINOR;
    int32_t rc = check_shape(entry, ret_err);

    if (rc != AHP_OK)
        return rc;
    if (host != NULL) {
        if (!AHP_IN(host, stopped))
            return ahp_err_fill(ret_err, AHP_E_VERSION,
                                "the host's table has %u bytes, ABI %u.0 has %zu",
                                (unsigned)host->size, (unsigned)AHP_MAJOR, sizeof(ahp_host));
        host_minor = host->minor;
    }
    if (entry->minor_needed > host_minor)
        return ahp_err_fill(ret_err, AHP_E_VERSION,
                            "plugin \"%s\" needs a host of ABI %u.%u, this host has %u.%u",
                            entry->id, (unsigned)AHP_MAJOR, (unsigned)entry->minor_needed,
                            (unsigned)AHP_MAJOR, (unsigned)host_minor);
    return host == NULL ? AHP_OK : check_needs(entry, host, ret_err);
}

int32_t ahp_inst_check(const ahp_inst *inst, ahp_err *ret_err)
{
    if (inst == NULL)
        return ahp_err_fill(ret_err, AHP_E_FAILED, "the plugin's create gave no instance");
    if (!AHP_IN(inst, ext))
        return ahp_err_fill(ret_err, AHP_E_VERSION,
                            "the plugin's instance has %u bytes, ABI %u.0 has %zu",
                            (unsigned)inst->size, (unsigned)AHP_MAJOR, sizeof(ahp_inst));
    if (inst->tools == NULL || inst->start == NULL || inst->call == NULL || inst->cancel == NULL ||
        inst->receipt == NULL || inst->stop == NULL || inst->destroy == NULL || inst->ext == NULL)
        return ahp_err_fill(ret_err, AHP_E_FAILED,
                            "the plugin's instance has NULL for a function that ABI %u.0 requires",
                            (unsigned)AHP_MAJOR);
    return AHP_OK;
}
