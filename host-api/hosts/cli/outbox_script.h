/*
 * outbox_script.h - the list of answers of --outbox-script, for tests: one line an offer.
 */
#ifndef CLI_OUTBOX_SCRIPT_H
#define CLI_OUTBOX_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#define OUTBOX_SCRIPT_LINES_MAX 10000

enum outbox_action {
    OUTBOX_DELIVER,
    OUTBOX_LATER,
    OUTBOX_HELD,
    OUTBOX_REFUSED,
    OUTBOX_UNKNOWN,
    OUTBOX_UNKNOWN_WRITTEN,
    OUTBOX_LOST,
    OUTBOX_BUSY /* the offer itself is refused with AHP_E_LIMIT */
};

struct outbox_script;

/* Reads the file; on failure NULL and the reason in ret_error. */
struct outbox_script *outbox_script_open(const char *path, char *ret_error, size_t error_size);

/* The next line; OUTBOX_DELIVER when there is none left. */
enum outbox_action outbox_script_next(struct outbox_script *s, int64_t *ret_ms);

void outbox_script_free(struct outbox_script *s);

#endif
