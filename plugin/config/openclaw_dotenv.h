/* The host's .env files: the format of the npm package dotenv 17, and the host's filter on names.
 */
#ifndef CONFIG_OPENCLAW_DOTENV_H
#define CONFIG_OPENCLAW_DOTENV_H

#include <stddef.h>
#include <jansson.h>

#define OPENCLAW_DOTENV_BYTES_MAX (1024u * 1024u) /* the host's; the caller enforces it */

/* An object of strings, for openclaw_env_add_take; lines that mean nothing are skipped, as there.
 * text is UTF-8 with a NUL at text[len] (as struct openclaw_fs gives it). NULL without memory, or
 * if text is not UTF-8 or contains a NUL. */
json_t *openclaw_dotenv_parse(const char *text, size_t len);

#endif
