/* engine_provider.h - the provider of engine_rig.h. */
#ifndef TESTS_ENGINE_PROVIDER_H
#define TESTS_ENGINE_PROVIDER_H

#include "engine_rig.h"

#include <stdlib.h>

/* What a rig cannot do without. */
static inline void *sure(void *block)
{
    if (!block)
        abort();
    return block;
}

/* On rig->net, with the files that it hands out; rig_open and rig_close call these. */
void provider_open(struct rig *rig);
void provider_close(struct rig *rig);

#endif
