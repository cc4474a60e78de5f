/* Any bytes into the MCP server's reader, as a client's input. Beside what the sanitizers see:
 *   - however the bytes are cut into pieces, the same lines come out, none of them with a line
 * break, none longer than allowed;
 *   - every line is one of the four kinds of message, and its parts fit the kind;
 *   - what is broken has one of the error codes of JSON-RPC.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lines.h"
#include "message.h"

#define BYTES_MAX 200u

struct seen {
    uint64_t hash;
    size_t count;
    size_t longest;
};

static void on_line(void *ud, const char *text, size_t len)
{
    struct seen *seen = ud;
    size_t i;

    seen->count++;
    seen->hash = seen->hash * 31 + (text ? 7 : 3);
    for (i = 0; text && i < len; i++)
        seen->hash = (seen->hash ^ (uint8_t)text[i]) * 1099511628211u;
    FUZZ_CHECK(!text || !memchr(text, '\n', len));
    if (len > seen->longest)
        seen->longest = len;
}

static struct seen read_in_pieces(const uint8_t *data, size_t size, size_t piece)
{
    struct seen seen = {0};
    struct lines lines;
    size_t at, len;

    lines_init(&lines, BYTES_MAX);
    for (at = 0; at < size; at += len) {
        len = size - at < piece ? size - at : piece;
        FUZZ_CHECK(lines_push(&lines, (const char *)data + at, len, on_line, &seen) == 0);
    }
    lines_end(&lines, on_line, &seen);
    lines_done(&lines);
    FUZZ_CHECK(seen.longest <= BYTES_MAX);
    return seen;
}

static void check_era(const struct message *m)
{
    enum revision revision = REVISION_COUNT;
    const char *why = NULL;
    int code = message_revision(m, &revision, &why);

    FUZZ_CHECK(code == 0 ? revision < REVISION_COUNT : why && revision == REVISION_COUNT);
    FUZZ_CHECK(code == 0 || code == CODE_PARAMS || code == CODE_REVISION);
    FUZZ_CHECK(code != 0 || revision == REVISION_NONE || revision > REVISION_HANDSHAKE_LAST);
}

static void read_message(void *ud, const char *text, size_t len)
{
    json_t *value = NULL;
    struct message m;

    (void)ud;
    if (!text || message_parse(text, len, &value) != 0)
        return;
    message_read(value, &m);
    FUZZ_CHECK(!m.id || json_is_string(m.id) || json_is_integer(m.id));
    switch (m.kind) {
    case MESSAGE_BROKEN:
        FUZZ_CHECK(m.why && (m.code == CODE_PARAMS || m.code == CODE_REQUEST ||
                             (m.code == CODE_PARSE && !value)));
        break;
    case MESSAGE_REQUEST:
        FUZZ_CHECK(m.id && m.method && (!m.params || json_is_object(m.params)));
        check_era(&m);
        break;
    case MESSAGE_NOTIFICATION:
        FUZZ_CHECK(!m.id && m.method);
        break;
    case MESSAGE_RESPONSE:
        FUZZ_CHECK(!m.method);
        break;
    }
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = read_in_pieces(data, size, size + 1);
    size_t piece;
    struct lines lines;

    for (piece = 1; piece <= 64; piece *= 4) {
        struct seen again = read_in_pieces(data, size, piece);

        FUZZ_CHECK(again.hash == whole.hash && again.count == whole.count);
    }
    lines_init(&lines, size + 1);
    FUZZ_CHECK(lines_push(&lines, (const char *)data, size, read_message, NULL) == 0);
    lines_end(&lines, read_message, NULL);
    lines_done(&lines);
    return 0;
}
