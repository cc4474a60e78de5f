/*
 * Small tools of the simulator: memory, a growing buffer, clocks, hashes, path matching.
 *
 * The simulator is a test tool: memory that cannot be had ends the process with a message, so no
 * function below reports it. Nothing here knows about HTTP or providers.
 */
#ifndef CLAWMEDIA_SIM_UTIL_H
#define CLAWMEDIA_SIM_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_TEXT_MAX 8192 /* longest line made by sim_buf_printf */

struct sim_buf {
    unsigned char *data;
    size_t len;
    size_t cap;
};

/* Zeroed memory; free with free(). */
void *sim_alloc(size_t bytes);
void *sim_realloc(void *p, size_t bytes);
char *sim_strdup(const char *s);

/* Copies at most size - 1 bytes of src and always ends dst. */
void sim_copy_text(char *dst, size_t size, const char *src);

void sim_buf_add(struct sim_buf *b, const void *data, size_t len);
void sim_buf_printf(struct sim_buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_buf_be16(struct sim_buf *b, uint32_t v);
void sim_buf_be32(struct sim_buf *b, uint32_t v);
void sim_buf_be64(struct sim_buf *b, uint64_t v);
void sim_buf_free(struct sim_buf *b);

int64_t sim_now_ms(void); /* monotonic */
int64_t sim_wall_s(void);

/* FNV-1a, 64 bits: the seed of a picture from its prompt. */
uint64_t sim_hash_text(const char *text);
uint64_t sim_hash_mix(uint64_t seed, uint64_t more);

/* CRC-64/XZ of more bytes; start with 0. "123456789" gives 11051210869376104954. */
uint64_t sim_crc64(uint64_t crc, const void *data, size_t len);

/* Whole text is a decimal number within the bounds: 0, else -1 and *ret untouched. */
int sim_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret);

/* "1280x720" within the bounds: 0, else -1 and outputs untouched. */
int sim_parse_size(const char *text, int max_side, int *ret_w, int *ret_h);

/*
 * Does a path match a pattern? "=/a" only /a; a pattern with * ? [ is a glob in which * stays
 * within one path segment; any other pattern matches itself and everything below it.
 */
bool sim_path_matches(const char *pattern, const char *path);

#endif
