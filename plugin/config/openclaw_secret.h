/* A secret field of the host's configuration: literal text, "$NAME" or "${NAME}", or an object
 * {source, provider, id}. Sources env and file are read as the host reads them; exec and store are
 * refused with what to use instead, because they need a child process or the host's own database.
 */
#ifndef CONFIG_OPENCLAW_SECRET_H
#define CONFIG_OPENCLAW_SECRET_H

#include <jansson.h>

#include "config/openclaw_env.h"
#include "config/openclaw_file.h"

#define OPENCLAW_SECRET_FILE_BYTES_MAX (1024u * 1024u) /* the host's default */
#define OPENCLAW_SECRET_ORIGIN_MAX     256

/* What a reference is looked up in; all borrowed. */
struct openclaw_secrets {
    const json_t *config; /* loaded and expanded: its member "secrets" is used */
    const struct openclaw_env *env;
    const struct openclaw_fs *fs;
    const char *home; /* for "~/" in a provider's path; may be NULL */
};

/* Finds the secret's text. 0 and *ret_secret, which the caller gives to mem_free_secret;
 * ret_origin (OPENCLAW_SECRET_ORIGIN_MAX bytes) says where it came from, for people: "text",
 * "variable NAME (SOURCE)", "file PATH".
 * OPENCLAW_E_MISSING: input is NULL, null or blank, so nothing is configured. OPENCLAW_E_INVALID: a
 * reference that leads nowhere, ret_error says why; it never holds any of the secret. */
int openclaw_secret_get(const struct openclaw_secrets *with, const json_t *input, char **ret_secret,
                        char *ret_origin, struct openclaw_error *ret_error);

#endif
