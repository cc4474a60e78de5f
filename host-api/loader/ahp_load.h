/*
 * ahp_load.h - finds, loads and checks a plugin for a host; a library that hosts link.
 *
 * Loading goes through libltdl with the "local" and "resident" advice: the plugin's symbols stay
 * its own, and it is never unloaded. libltdl keeps process-wide state and is not thread-safe: call
 * these functions from one thread.
 */
#ifndef AHP_LOAD_H
#define AHP_LOAD_H

#include <ahp/ahp.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Loads the file at `path` (made absolute and free of symbolic links first), looks up
 * AHP_ENTRY_NAME, and checks the entry against what a host of AHP_MAJOR.AHP_MINOR can do. The same
 * file again, also under another spelling of its path, gives the same entry. The entry is valid for
 * the life of the process. ret_err gets the true reason: the dynamic linker's own words for a file
 * that exists but does not load, both values for a version that does not fit. A file that has
 * replaced one which was loaded under the same path counts as that one: an update needs a new
 * process. AHP_E_NOT_FOUND: no such file; AHP_E_VERSION: the entry does not fit, or there is none;
 * AHP_E_LIMIT: 64 files are loaded; AHP_E_INVALID: no path; AHP_E_FAILED: it does not load.
 */
int32_t ahp_load(const char *path, const ahp_entry **ret_entry, ahp_err *ret_err);

/*
 * The plugin and the libraries that come with it find their symbols among themselves first, and
 * only then in the program. For programs that export libraries of their own, as Node does OpenSSL,
 * zlib and c-ares: without it the plugin's libraries would be bound to those. Needs glibc;
 * elsewhere, and in a build with the address sanitizer, which cannot, it is ignored.
 */
#define AHP_LOAD_DEEPBIND 1u

/* ahp_load with AHP_LOAD_ flags. A file that is loaded already stays as it was loaded first. */
int32_t ahp_load_with(const char *path, uint32_t flags, const ahp_entry **ret_entry,
                      ahp_err *ret_err);

/*
 * The check of ahp_load alone, for entries that were linked in, and the extensions: every id in
 * entry->needs must be one that host->ext answers. `host` may be NULL: then needs is not looked at.
 * AHP_E_VERSION, and ret_err names what was needed and what there is; AHP_E_FAILED: the entry is
 * NULL or holds what no entry may hold.
 */
int32_t ahp_entry_check(const ahp_entry *entry, const ahp_host *host, ahp_err *ret_err);

/*
 * The same for what ahp_entry.create returned: all of ABI 1.0 lies inside it and every slot is set.
 * AHP_E_VERSION: it is shorter; AHP_E_FAILED: it or a slot is NULL. The instance cannot be used
 * then, not even destroyed.
 */
int32_t ahp_inst_check(const ahp_inst *inst, ahp_err *ret_err);

#ifdef __cplusplus
}
#endif

#endif
