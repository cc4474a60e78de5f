/*
 * crc64.h - CRC-64/XZ (ECMA-182, reflected, all ones before and after), the check that object
 * storage services give for what arrived. Pure; any thread.
 */
#ifndef BASE_CRC64_H
#define BASE_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* Of more bytes; start with 0. "123456789" gives 0x995dc9bbdf1939fa. */
uint64_t crc64_add(uint64_t crc, const void *data, size_t len);

#endif
