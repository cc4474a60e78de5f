/* near.c - see near.h. */
#include "base/near.h"

#include <string.h>

/* Edit distance, bounded by NEAR_BYTES_MAX; longer words are far. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NEAR_BYTES_MAX + 1];
    size_t len_a = strlen(a);
    size_t len_b = strlen(b);

    if (len_a > NEAR_BYTES_MAX || len_b > NEAR_BYTES_MAX)
        return NEAR_BYTES_MAX;
    for (size_t j = 0; j <= len_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= len_a; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= len_b; j++) {
            size_t above = row[j];
            size_t best = corner + (a[i - 1] != b[j - 1]);

            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            corner = above;
            row[j] = best;
        }
    }
    return row[len_b];
}

int near_word(const char *given, const char *candidate, size_t *best)
{
    size_t far = distance(given, candidate);

    if (far >= *best || far > 1 + strlen(candidate) / 3)
        return 0;
    *best = far;
    return 1;
}
