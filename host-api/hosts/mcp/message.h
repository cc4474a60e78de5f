/*
 * message.h - one JSON-RPC 2.0 message: what it is, its parts, and what is wrong with it. No I/O,
 * and nothing of MCP but the names of its revisions and of what requests carry in `_meta`.
 *
 * Facts: JSON-RPC 2.0, sections 4 to 6; "Base protocol" and "Versioning" of MCP's revisions
 * 2024-11-05 to 2026-07-28.
 */
#ifndef MCP_MESSAGE_H
#define MCP_MESSAGE_H

#include <stddef.h>

#include <jansson.h>

/* In the order in which they were published. The last is the first without a handshake. */
enum revision {
    REVISION_NONE,
    REVISION_2024_11_05,
    REVISION_2025_03_26,
    REVISION_2025_06_18,
    REVISION_2025_11_25,
    REVISION_2026_07_28,
    REVISION_COUNT
};

#define REVISION_HANDSHAKE_LAST REVISION_2025_11_25

const char *revision_name(enum revision revision);
enum revision revision_of(const char *name); /* REVISION_NONE: not known here */
json_t *revision_names(void);                /* a new array, the newest first */

/* Codes of errors. */
#define CODE_PARSE              (-32700)
#define CODE_REQUEST            (-32600)
#define CODE_METHOD             (-32601)
#define CODE_PARAMS             (-32602)
#define CODE_INTERNAL           (-32603)
#define CODE_NO_RESOURCE        (-32002) /* until 2025-11-25; CODE_PARAMS since */
#define CODE_CAPABILITY_MISSING (-32021)
#define CODE_REVISION           (-32022)

#define META_PREFIX   "io.modelcontextprotocol/"
#define META_REVISION META_PREFIX "protocolVersion"
#define META_CLIENT   META_PREFIX "clientCapabilities"
#define META_SERVER   META_PREFIX "serverInfo"
#define META_LISTEN   META_PREFIX "subscriptionId"
#define META_TASK     META_PREFIX "related-task"

#define EXTENSION_TASKS META_PREFIX "tasks"

enum message_kind { MESSAGE_BROKEN, MESSAGE_REQUEST, MESSAGE_NOTIFICATION, MESSAGE_RESPONSE };

struct message {
    enum message_kind kind;
    json_t *id;         /* text or integer; NULL where there is none that could be used */
    const char *method; /* of requests and notifications */
    json_t *params;     /* an object, or NULL */
    json_t *result;     /* of responses; NULL: the other side answered with an error */
    int code;           /* of what is broken */
    const char *why;
};

/*
 * Parses a line. 1: it holds nothing but blanks. 0: *ret_value is new; NULL: it is not JSON. Half a
 * surrogate pair or a NUL in a text is read as U+FFFD.
 */
int message_parse(const char *text, size_t len, json_t **ret_value);

/* What a value is as a message. Everything in *ret_message is borrowed from it. */
void message_read(json_t *value, struct message *ret_message);

/* The request's `_meta`, or NULL. */
json_t *message_meta(const struct message *m);

/*
 * Which revision a request without handshake is of. 0: *ret_revision is set, REVISION_NONE when the
 * request does not say. Else the code of the error, and *ret_why.
 */
int message_revision(const struct message *m, enum revision *ret_revision, const char **ret_why);

#endif
