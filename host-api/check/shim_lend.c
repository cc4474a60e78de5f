/*
 * shim_lend.c - looks at arguments and lends copies of them.
 *
 * Each copy is a heap block of exactly the argument's size, without a NUL behind it, and is
 * overwritten and freed when the call returns: a kept pointer (R5) or a read past a text's end
 * shows up at once under the address sanitizer, and as rubbish without it.
 */
#include <stdlib.h>
#include <string.h>

#include "shim.h"

struct shim_block {
    struct shim_block *next;
    size_t len;
    max_align_t bytes[];
};

void *shim_lend_bytes(struct shim_loan *loan, const void *bytes, size_t len)
{
    struct shim_block *block = malloc(sizeof(*block) + len);

    if (block == NULL) {
        loan->failed = 1;
        return NULL;
    }
    block->len = len;
    block->next = loan->blocks;
    loan->blocks = block;
    if (len > 0)
        memcpy(block->bytes, bytes, len);
    return block->bytes;
}

void shim_lend_text(struct shim_loan *loan, ahp_text *text)
{
    void *copy;

    if (text->ptr == NULL)
        return;
    copy = shim_lend_bytes(loan, text->ptr, text->len);
    if (copy != NULL)
        text->ptr = copy;
}

const char *shim_lend_string(struct shim_loan *loan, const char *string)
{
    return string == NULL ? NULL : shim_lend_bytes(loan, string, strlen(string) + 1);
}

const ahp_file *const *shim_lend_files(struct shim_loan *loan, const ahp_file *const *files,
                                       uint32_t count)
{
    const ahp_file **copies;

    if (files == NULL || count == 0)
        return files;
    copies = shim_lend_bytes(loan, files, sizeof(*copies) * count);
    if (copies == NULL)
        return files;
    for (uint32_t i = 0; i < count; i++) {
        ahp_file *copy = shim_lend_bytes(loan, files[i], files[i]->size);

        if (copy == NULL)
            return files;
        copy->path = shim_lend_string(loan, copy->path);
        copy->name = shim_lend_string(loan, copy->name);
        copy->mime = shim_lend_string(loan, copy->mime);
        copy->handle = shim_lend_string(loan, copy->handle);
        copies[i] = copy;
    }
    return copies;
}

void shim_lend_end(struct shim_loan *loan)
{
    while (loan->blocks != NULL) {
        struct shim_block *block = loan->blocks;

        loan->blocks = block->next;
        memset(block->bytes, 0xdd, block->len);
        free(block);
    }
}

static uint32_t item_of(const struct shim_subject *about, uint32_t host_item, uint32_t plugin_item)
{
    return about->side == AHP_SIDE_HOST ? host_item : plugin_item;
}

int32_t shim_check_size(const struct shim_subject *about, const char *what, uint32_t size,
                        size_t bytes_min)
{
    if (size >= bytes_min && size <= SHIM_STRUCT_BYTES_MAX)
        return 1;
    shim_accuse(about->shim, item_of(about, AHP_SHIM_HOST_STRUCT, AHP_SHIM_PLUGIN_STRUCT),
                "%s: %s says it has %u bytes, ABI 1.0 has %zu (R4)", ahp_fn_table[about->fn].name,
                what, (unsigned)size, bytes_min);
    return 0;
}

int32_t shim_check_text(const struct shim_subject *about, const char *what, const ahp_text *text,
                        size_t bytes_max)
{
    uint32_t item = item_of(about, AHP_SHIM_HOST_TEXT, AHP_SHIM_PLUGIN_TEXT);

    if (text->ptr == NULL && text->len > 0) {
        shim_accuse(about->shim, item, "%s: %s is NULL and %zu bytes long",
                    ahp_fn_table[about->fn].name, what, text->len);
        return 0;
    }
    if (text->len > bytes_max) {
        shim_accuse(about->shim, item, "%s: %s has %zu bytes, the limit is %zu",
                    ahp_fn_table[about->fn].name, what, text->len, bytes_max);
        return 0;
    }
    return 1;
}

/* Well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629). */
int32_t shim_utf8_is_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t i = 0; i < len;) {
        unsigned char lead = p[i];
        size_t more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;

        if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || more > len - i - 1)
            return 0;
        if (more > 0 && (p[i + 1] < low || p[i + 1] > high))
            return 0;
        for (size_t k = 2; k <= more; k++) {
            if ((p[i + k] & 0xc0) != 0x80)
                return 0;
        }
        i += more + 1;
    }
    return 1;
}

int32_t shim_check_utf8(const struct shim_subject *about, const char *what, const ahp_text *text,
                        size_t bytes_max)
{
    if (!shim_check_text(about, what, text, bytes_max))
        return 0;
    if (shim_utf8_is_valid(text->ptr, text->len))
        return 1;
    shim_accuse(about->shim, item_of(about, AHP_SHIM_HOST_TEXT, AHP_SHIM_PLUGIN_TEXT),
                "%s: %s is not UTF-8", ahp_fn_table[about->fn].name, what);
    return 0;
}

/* The braces only: parsing is the receiver's task. */
int32_t shim_check_object(const struct shim_subject *about, const char *what, const ahp_text *json,
                          size_t bytes_max)
{
    size_t from = 0;
    size_t to = json->len;

    if (!shim_check_utf8(about, what, json, bytes_max))
        return 0;
    while (from < to && strchr(" \t\r\n", json->ptr[from]) != NULL && json->ptr[from] != '\0')
        from++;
    while (to > from && strchr(" \t\r\n", json->ptr[to - 1]) != NULL && json->ptr[to - 1] != '\0')
        to--;
    if (to - from >= 2 && json->ptr[from] == '{' && json->ptr[to - 1] == '}')
        return 1;
    shim_accuse(about->shim, item_of(about, AHP_SHIM_HOST_TEXT, AHP_SHIM_PLUGIN_TEXT),
                "%s: %s is not a JSON object", ahp_fn_table[about->fn].name, what);
    return 0;
}

void shim_check_argument(const struct shim_subject *about, int good, const char *what)
{
    if (!good)
        shim_accuse(about->shim, item_of(about, AHP_SHIM_HOST_ARGUMENT, AHP_SHIM_PLUGIN_ARGUMENT),
                    "%s: %s", ahp_fn_table[about->fn].name, what);
}

int32_t shim_check_files(const struct shim_subject *about, const ahp_file *const *files,
                         uint32_t count)
{
    if (count == 0)
        return 1;
    if (files == NULL || count > AHP_FILES_MAX) {
        shim_check_argument(about, 0, "files is NULL, or files_count is absurd");
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const ahp_file *file = files[i];

        if (file == NULL) {
            shim_check_argument(about, 0, "a file is NULL");
            return 0;
        }
        if (!shim_check_size(about, "ahp_file", file->size, SIZE_1_0(ahp_file, bytes)))
            return 0;
        shim_check_argument(about, file->path != NULL && file->path[0] == '/',
                            "a file's path is not absolute");
        shim_check_argument(about, file->name != NULL && file->mime != NULL,
                            "a file has no name or no mime");
    }
    return 1;
}

int32_t shim_check_slots(const struct shim *shim, uint32_t item, const char *what,
                         const void *table, size_t first, size_t last)
{
    for (size_t at = first; at <= last; at += sizeof(void (*)(void))) {
        void (*slot)(void);

        memcpy(&slot, (const char *)table + at, sizeof(slot));
        if (slot == NULL) {
            shim_accuse(shim, item, "%s: the slot at byte %zu is NULL, ABI 1.0 requires it", what,
                        at);
            return 0;
        }
    }
    return 1;
}
