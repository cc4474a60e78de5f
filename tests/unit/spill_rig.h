/*
 * spill_rig.h - what the tests of media/spill share: a sink that remembers, texts that grow, and
 * one text in every kind of pieces.
 */
#ifndef TESTS_SPILL_RIG_H
#define TESTS_SPILL_RIG_H

#include "media/spill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A sink that remembers: bytes, ends, and a checksum over the calls themselves. */
struct seen {
    unsigned opened;
    unsigned closed;
    int complete[LIMIT_BLOBS];
    unsigned char *data[LIMIT_BLOBS];
    size_t len[LIMIT_BLOBS];
    size_t pieces;
    uint64_t calls; /* the order and length of everything */
    int keep;
    int fail_open;
    int fail_write;
    int fail_close;
};

struct spill_sink seen_sink(struct seen *seen);
struct spill *spill_over(struct seen *seen, size_t text_max);
void seen_done(struct seen *seen);

/* A text that grows, for building inputs and expectations. */
struct input {
    char *data;
    size_t len;
    size_t room;
};

void input_add(struct input *input, const char *data);
void input_add_n(struct input *input, const char *data, size_t len);
void input_clear(struct input *input);
void input_done(struct input *input);

/* Small and repeatable; quality does not matter. */
uint32_t input_next(uint32_t *seed);
/* Both are to be freed. */
unsigned char *input_random(size_t len, uint32_t seed);
char *input_base64(const unsigned char *bytes, size_t len);

#define SPILL_STEPS 11
extern const size_t spill_steps[SPILL_STEPS]; /* 0: pieces of random length */

/* Feeds in pieces of `step` bytes and checks what comes out against `expected`. */
void spill_cut(const struct input *input, const char *expected, size_t step, struct seen *seen);
/* All steps, which must make the very same calls; *ret_seen is the first one's. */
void spill_all_cuts(const struct input *input, const char *expected, struct seen *ret_seen);

#endif
