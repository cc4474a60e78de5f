/* The C half of the .env comparison: documents from standard input, each as a 32-bit little-endian
 * byte count and its bytes; one line of JSON for each to standard output. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/openclaw_dotenv.h"

int main(void)
{
    unsigned char count[4];

    while (fread(count, 1, sizeof(count), stdin) == sizeof(count)) {
        size_t len = count[0] | (size_t)count[1] << 8 | (size_t)count[2] << 16;
        char *text = malloc(len + 1), *line;
        json_t *values;

        if (!text || fread(text, 1, len, stdin) != len)
            return 2;
        text[len] = '\0';
        values = openclaw_dotenv_parse(text, len);
        line = values ? json_dumps(values, JSON_COMPACT) : NULL;
        puts(line ? line : "null");
        free(line);
        json_decref(values);
        free(text);
    }
    return ferror(stdin) ? 2 : 0;
}
