/*
 * offer.c - copies a delivery into one block, structs first and then the texts, so that it can wait
 * for the loop's top level.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static ahp_text put(char **at, ahp_text text)
{
    ahp_text copy = {NULL, 0};

    if (text.ptr == NULL)
        return copy;
    copy.ptr = *at;
    copy.len = text.len;
    memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

static const char *put_string(char **at, const char *text)
{
    char *start = *at;
    size_t bytes;

    if (text == NULL)
        return NULL;
    bytes = strlen(text) + 1;
    memcpy(start, text, bytes);
    *at += bytes;
    return start;
}

static size_t string_bytes(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

int32_t offer_new(const ahp_delivery *delivery, struct offer **ret_offer)
{
    uint32_t count = AHP_HAS(delivery, files) ? delivery->files_count : 0;
    size_t bytes = sizeof(struct offer) + count * (sizeof(ahp_file) + sizeof(ahp_file *));
    struct offer *offer;
    ahp_delivery *to;
    ahp_file *files;
    char *at;

    if (count > AHP_NODE_FILES_MAX)
        return AHP_E_LIMIT;
    bytes += delivery->key.len + delivery->reply_to.len + delivery->conversation.len +
             delivery->job_id.len + delivery->text.len;
    for (uint32_t i = 0; i < count; i++) {
        const ahp_file *file = delivery->files[i];

        bytes += string_bytes(file->path) + string_bytes(file->name) + string_bytes(file->mime) +
                 string_bytes(file->handle);
    }
    offer = calloc(1, bytes);
    if (offer == NULL)
        return AHP_E_NOMEM;
    files = (ahp_file *)(void *)(offer + 1);
    offer->files = (const ahp_file **)(void *)(files + count);
    at = (char *)(void *)(offer->files + count);
    to = &offer->delivery;
    to->size = sizeof(*to);
    to->attempt = delivery->attempt;
    to->kind = delivery->kind;
    to->key = put(&at, delivery->key);
    to->reply_to = put(&at, delivery->reply_to);
    to->conversation = put(&at, delivery->conversation);
    to->job_id = put(&at, delivery->job_id);
    to->text = put(&at, delivery->text);
    for (uint32_t i = 0; i < count; i++) {
        files[i].size = sizeof(files[i]);
        files[i].path = put_string(&at, delivery->files[i]->path);
        files[i].name = put_string(&at, delivery->files[i]->name);
        files[i].mime = put_string(&at, delivery->files[i]->mime);
        files[i].handle = put_string(&at, delivery->files[i]->handle);
        files[i].bytes = delivery->files[i]->bytes;
        offer->files[i] = &files[i];
    }
    to->files = count > 0 ? offer->files : NULL;
    to->files_count = count;
    *ret_offer = offer;
    return AHP_OK;
}
