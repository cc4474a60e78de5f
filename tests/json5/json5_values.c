/* The C half of the JSON5 differential test: reads documents, each as a 32-bit little-endian byte
 * count and its bytes, from argv[1], and writes to argv[2] one line for each:
 *
 *   ok VALUE                      VALUE as below
 *   err CODE LINE COLUMN TEXT
 *
 * VALUE: n t f; d and 16 hex digits of the double; s and the UTF-8 in hex; [V,V]; {hex:V,hex:V}.
 * Keys come in the order JavaScript gives them: array indices by size, then the rest as written.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/json5.h"

#define DOCUMENT_BYTES_MAX (16u * 1024u * 1024u)

struct member {
    const char *key;
    size_t key_len, position;
    uint64_t index; /* UINT64_MAX: not an array index */
    json_t *value;
};

static uint64_t array_index(const char *key, size_t len)
{
    uint64_t index = 0;

    if (len == 0 || len > 10 || (key[0] == '0' && len > 1))
        return UINT64_MAX;
    for (size_t i = 0; i < len; i++) {
        if (key[i] < '0' || key[i] > '9')
            return UINT64_MAX;
        index = index * 10 + (uint64_t)(key[i] - '0');
    }
    return index < UINT32_MAX ? index : UINT64_MAX;
}

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left, *b = right;

    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return a->position < b->position ? -1 : a->position > b->position;
}

static void put_hex(FILE *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        fprintf(out, "%02x", (unsigned)(unsigned char)bytes[i]);
}

static void put_value(FILE *out, json_t *value);

static void put_object(FILE *out, json_t *object)
{
    size_t n = json_object_size(object), i = 0;
    struct member *members = calloc(n + 1, sizeof(*members));
    const char *key;
    size_t key_len;
    json_t *value;

    if (!members)
        exit(2);
    json_object_keylen_foreach(object, key, key_len, value)
    {
        members[i] = (struct member){key, key_len, i, array_index(key, key_len), value};
        i++;
    }
    qsort(members, n, sizeof(*members), compare_members);
    fputc('{', out);
    for (i = 0; i < n; i++) {
        if (i > 0)
            fputc(',', out);
        put_hex(out, members[i].key, members[i].key_len);
        fputc(':', out);
        put_value(out, members[i].value);
    }
    fputc('}', out);
    free(members);
}

static void put_value(FILE *out, json_t *value)
{
    double number;
    uint64_t bits;

    switch (json_typeof(value)) {
    case JSON_NULL:
        fputc('n', out);
        break;
    case JSON_TRUE:
        fputc('t', out);
        break;
    case JSON_FALSE:
        fputc('f', out);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        number = json_number_value(value);
        memcpy(&bits, &number, sizeof(bits));
        fprintf(out, "d%016" PRIx64, bits);
        break;
    case JSON_STRING:
        fputc('s', out);
        put_hex(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_ARRAY:
        fputc('[', out);
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i > 0)
                fputc(',', out);
            put_value(out, json_array_get(value, i));
        }
        fputc(']', out);
        break;
    case JSON_OBJECT:
        put_object(out, value);
        break;
    }
}

/* 1: a document, 0: the end, -1: a broken file. *text is reused, *room its size. */
static int read_document(FILE *in, char **text, size_t *room, size_t *ret_len)
{
    unsigned char count[4];
    size_t got = fread(count, 1, sizeof(count), in), len;

    if (got != sizeof(count))
        return got == 0 && feof(in) ? 0 : -1;
    len = count[0] | (size_t)count[1] << 8 | (size_t)count[2] << 16 | (size_t)count[3] << 24;
    if (len > DOCUMENT_BYTES_MAX)
        return -1;
    if (len > *room || !*text) {
        free(*text);
        *room = len + 1;
        *text = malloc(*room);
        if (!*text)
            return -1;
    }
    if (fread(*text, 1, len, in) != len)
        return -1;
    *ret_len = len;
    return 1;
}

int main(int argc, char **argv)
{
    char *text = NULL;
    size_t room = 0, len;
    FILE *in, *out;
    int rc;

    if (argc != 3)
        return 2;
    in = fopen(argv[1], "rbe");
    out = fopen(argv[2], "wbe");
    if (!in || !out)
        return 2;
    while ((rc = read_document(in, &text, &room, &len)) == 1) {
        struct json5_error error;
        json_t *value = NULL;
        int code = json5_parse(text, len, &value, &error);

        if (code == 0) {
            fputs("ok ", out);
            put_value(out, value);
            fputc('\n', out);
            json_decref(value);
        } else {
            fprintf(out, "err %d %zu %zu %s\n", code, error.line, error.column, error.text);
        }
    }
    free(text);
    fclose(in);
    return fclose(out) == 0 && rc == 0 ? 0 : 2;
}
