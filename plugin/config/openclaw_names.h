/* Names of environment variables that the host's own files may not set, by where they stand. */
#ifndef CONFIG_OPENCLAW_NAMES_H
#define CONFIG_OPENCLAW_NAMES_H

#include <stdbool.h>

/* Whether the configuration's env.vars may not set it: names that change what programs run, where
 * they look or whom they trust. Case does not matter, here and below. */
bool openclaw_name_is_dangerous(const char *name);

/* Whether a .env in the working directory may not set it: the dangerous ones, those that steer the
 * host itself, and those of credentials and addresses, because whoever wrote the folder's contents
 * is not trusted with them. */
bool openclaw_name_is_protected(const char *name);

#endif
