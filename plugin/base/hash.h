/*
 * hash.h - uthash, tamed: by itself it ends the process when it gets no memory. Include this, never
 * uthash.h. After every HASH_ADD ask HASH_TOOK whether the item is in the table.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/mem.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) mem_alloc(size)
#define uthash_free(block, size) mem_free(block)
#include <uthash.h>

#define HASH_TOOK(item) ((item)->hh.tbl != NULL)

#endif
