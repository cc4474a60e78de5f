/* Which code points a JSON5 key without quotes may be made of. */
#ifndef CONFIG_JSON5_IDENT_H
#define CONFIG_JSON5_IDENT_H

#include <stdbool.h>
#include <stdint.h>

/* Any code point, surrogates included (they are neither). Pure. */
bool json5_ident_starts(uint32_t c);
bool json5_ident_continues(uint32_t c);

#endif
