/*
 * calls.c - ahp.calls/1 and the table of open calls.
 *
 * An id is a generation above 16 bits of slot number; the generation is counted for the whole
 * process, so no id is ever made twice and a stale one misses. complete() copies the result and
 * queues it: the owner hears of it from the top level, after complete and call have returned.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define SLOT_BITS 16u

/* A result's copy in one block: structs first, then the texts. */
struct result_copy {
    ahp_result result;
    const ahp_file **files;
};

struct call_slot {
    struct ahp_uv *h;
    uint64_t id; /* 0: the slot is free */
    uint32_t index;
    struct call_slot *next_free;
    int is_open; /* accepted, and complete() has not come yet */
    struct result_copy *copy;
    int32_t copy_code; /* why there is no copy */
    struct item result_item;
    struct item progress_item;
    int32_t permille;
    char text[AHP_UV_PROGRESS_BYTES_MAX];
    ahp_uv_result_fn *result_fn;
    ahp_uv_progress_fn *progress_fn;
    void *ud;
};

static _Atomic uint64_t generation;

static struct call_slot *slot_find(struct ahp_uv *h, uint64_t call_id)
{
    uint32_t index = (uint32_t)(call_id & ((1u << SLOT_BITS) - 1));

    if (call_id == 0 || index >= h->slots_count || h->slots[index]->id != call_id)
        return NULL;
    return h->slots[index];
}

static struct call_slot *slot_add(struct ahp_uv *h)
{
    struct call_slot **slots;
    struct call_slot *slot;

    slot = calloc(1, sizeof(*slot));
    if (slot == NULL)
        return NULL;
    slots = realloc(h->slots, (h->slots_count + 1) * sizeof(struct call_slot *));
    if (slots == NULL) {
        free(slot);
        return NULL;
    }
    h->slots = slots;
    slot->h = h;
    slot->index = h->slots_count;
    slot->result_item.kind = ITEM_RESULT;
    slot->result_item.owner = slot;
    slot->progress_item.kind = ITEM_PROGRESS;
    slot->progress_item.owner = slot;
    h->slots[h->slots_count++] = slot;
    return slot;
}

static struct call_slot *slot_take(struct ahp_uv *h)
{
    struct call_slot *slot = h->slots_free;

    if (slot != NULL)
        h->slots_free = slot->next_free;
    else
        slot = slot_add(h);
    if (slot == NULL)
        return NULL;
    slot->id = ((atomic_fetch_add(&generation, 1) + 1) << SLOT_BITS) | slot->index;
    h->calls_open++;
    return slot;
}

static void slot_free(struct call_slot *slot)
{
    ahp_uv_queue_remove(slot->h, &slot->progress_item);
    ahp_uv_queue_remove(slot->h, &slot->result_item);
    free(slot->copy);
    slot->copy = NULL;
    slot->id = 0;
    slot->is_open = 0;
    slot->next_free = slot->h->slots_free;
    slot->h->slots_free = slot;
    slot->h->calls_open--;
}

/* ---- copying a result ---- */

static size_t text_bytes(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static const char *put(char **at, const char *text, size_t len)
{
    char *start = *at;

    if (text == NULL)
        return NULL;
    if (len > 0)
        memcpy(start, text, len);
    start[len] = '\0';
    *at += len + 1;
    return start;
}

static const char *put_str(char **at, const char *text)
{
    return put(at, text, text == NULL ? 0 : strlen(text));
}

static int32_t result_size(const ahp_result *from, size_t *ret_bytes)
{
    size_t bytes = sizeof(struct result_copy);
    uint32_t i;

    if (from->json.len > AHP_RESULT_BYTES_MAX || from->job_id.len > AHP_KEY_BYTES_MAX ||
        (AHP_HAS(from, files_count) && from->files_count > AHP_FILES_MAX))
        return AHP_E_LIMIT;
    bytes += from->json.len + 1 + from->job_id.len + 1;
    for (i = 0; AHP_HAS(from, files_count) && i < from->files_count; i++) {
        const ahp_file *file = from->files[i];

        bytes += sizeof(ahp_file *) + sizeof(ahp_file) + text_bytes(file->path) +
                 text_bytes(file->name) + text_bytes(file->mime) + text_bytes(file->handle);
    }
    if (bytes > 2 * (size_t)AHP_RESULT_BYTES_MAX)
        return AHP_E_LIMIT;
    *ret_bytes = bytes;
    return AHP_OK;
}

static int32_t result_copy(const ahp_result *from, struct result_copy **ret_copy)
{
    struct result_copy *copy;
    ahp_file *files;
    uint32_t files_count = AHP_HAS(from, files_count) ? from->files_count : 0;
    uint32_t i;
    size_t bytes;
    char *at;
    int32_t rc = result_size(from, &bytes);

    if (rc != AHP_OK)
        return rc;
    copy = calloc(1, bytes);
    if (copy == NULL)
        return AHP_E_NOMEM;
    files = (ahp_file *)(void *)(copy + 1);
    copy->files = (const ahp_file **)(void *)(files + files_count);
    at = (char *)(void *)(copy->files + files_count);
    copy->result.size = sizeof(copy->result);
    copy->result.status = from->status;
    copy->result.json.ptr = put(&at, from->json.ptr, from->json.len);
    copy->result.json.len = from->json.ptr == NULL ? 0 : from->json.len;
    copy->result.job_id.ptr = put(&at, from->job_id.ptr, from->job_id.len);
    copy->result.job_id.len = from->job_id.ptr == NULL ? 0 : from->job_id.len;
    for (i = 0; i < files_count; i++) {
        files[i].size = sizeof(files[i]);
        files[i].path = put_str(&at, from->files[i]->path);
        files[i].name = put_str(&at, from->files[i]->name);
        files[i].mime = put_str(&at, from->files[i]->mime);
        files[i].handle = put_str(&at, from->files[i]->handle);
        files[i].bytes = from->files[i]->bytes;
        copy->files[i] = &files[i];
    }
    copy->result.files = files_count > 0 ? copy->files : NULL;
    copy->result.files_count = files_count;
    *ret_copy = copy;
    return AHP_OK;
}

/* ---- what the plugin calls ---- */

/* All of 1.0 lies inside, and there is what it counts. */
static int result_is_valid(const ahp_result *result)
{
    if (result == NULL || !AHP_IN(result, reserved) ||
        (result->json.ptr == NULL && result->json.len > 0) ||
        (result->job_id.ptr == NULL && result->job_id.len > 0) ||
        (result->files == NULL && result->files_count > 0))
        return 0;
    for (uint32_t i = 0; i < result->files_count && i < AHP_FILES_MAX; i++)
        if (result->files[i] == NULL || !AHP_IN(result->files[i], bytes))
            return 0;
    return 1;
}

static int32_t calls_complete(void *ctx, uint64_t call_id, const ahp_result *result)
{
    struct ahp_uv *h = ctx;
    struct call_slot *slot = slot_find(h, call_id);
    int32_t rc;

    if (slot == NULL || !slot->is_open) {
        ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_STALE_CALL,
                   "complete() for call %llu, which is not open", (unsigned long long)call_id);
        return AHP_E_STALE;
    }
    if (!result_is_valid(result))
        return AHP_E_INVALID;
    rc = result_copy(result, &slot->copy);
    if (rc == AHP_E_LIMIT)
        ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_BIG_RESULT,
                   "the result of call %llu passes the limits of results",
                   (unsigned long long)call_id);
    slot->copy_code = rc; /* the call ends all the same */
    slot->is_open = 0;
    ahp_uv_queue_add(h, &slot->result_item);
    return AHP_OK;
}

/* The longest prefix of at most bytes_max bytes that does not cut a UTF-8 character. */
static size_t utf8_prefix(const char *text, size_t len, size_t bytes_max)
{
    if (len <= bytes_max)
        return len;
    len = bytes_max;
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

static void calls_progress(void *ctx, uint64_t call_id, int32_t permille, const char *text,
                           size_t len)
{
    struct ahp_uv *h = ctx;
    struct call_slot *slot = slot_find(h, call_id);

    if (slot == NULL || !slot->is_open || slot->progress_fn == NULL)
        return;
    slot->permille = permille < 0 ? -1 : permille > 1000 ? 1000 : permille;
    len = text == NULL ? 0 : utf8_prefix(text, len, sizeof(slot->text) - 1);
    if (len > 0)
        memcpy(slot->text, text, len);
    slot->text[len] = '\0';
    ahp_uv_queue_add(h, &slot->progress_item);
}

static void calls_rescan(void *ctx)
{
    struct ahp_uv *h = ctx;

    ahp_uv_queue_add(h, &h->rescan_item);
}

const ahp_calls ahp_uv_calls_vtable = {
    .size = sizeof(ahp_calls),
    .complete = calls_complete,
    .progress = calls_progress,
    .rescan = calls_rescan,
};

/* ---- from the queue ---- */

/* What a call ends with when its result could not be copied. */
static void result_lost(int32_t code, ahp_result *ret_result)
{
    const char *json =
        code == AHP_E_LIMIT
            ? "{\"status\":\"failed\",\"error\":{\"kind\":\"host\",\"message\":\"the result is "
              "larger than the host takes\"}}"
            : "{\"status\":\"failed\",\"error\":{\"kind\":\"host\",\"message\":\"the host has no "
              "memory for the result\"}}";

    memset(ret_result, 0, sizeof(*ret_result));
    ret_result->size = sizeof(*ret_result);
    ret_result->status = AHP_RESULT_ERROR;
    ret_result->json.ptr = json;
    ret_result->json.len = strlen(json);
}

void ahp_uv_result_run(struct call_slot *slot)
{
    struct ahp_uv *h = slot->h;
    struct result_copy *copy = slot->copy;
    ahp_uv_result_fn *fn = slot->result_fn;
    void *ud = slot->ud;
    uint64_t id = slot->id;
    ahp_result lost;

    result_lost(slot->copy_code, &lost);
    slot->copy = NULL;
    slot_free(slot);
    h->end.stats.calls_ended++;
    fn(ud, id, copy != NULL ? &copy->result : &lost);
    free(copy);
}

void ahp_uv_progress_run(struct call_slot *slot)
{
    char text[AHP_UV_PROGRESS_BYTES_MAX];

    memcpy(text, slot->text, sizeof(text));
    slot->progress_fn(slot->ud, slot->id, slot->permille, text);
}

/* ---- what the owner calls ---- */

static int call_is_valid(struct ahp_uv *h, const ahp_call *call)
{
    const struct {
        const char *name;
        size_t bytes;
        size_t bytes_max;
    } fields[] = {
        {"tool", call->tool.len, AHP_TOOL_NAME_BYTES_MAX},
        {"args", call->args.len, AHP_ARGS_BYTES_MAX},
        {"dedup_key", call->dedup_key.len, AHP_KEY_BYTES_MAX},
        {"reply_to", call->reply_to.len, AHP_REPLY_TO_BYTES_MAX},
        {"conversation", call->conversation.len, AHP_CONVERSATION_BYTES_MAX},
        {"caller", call->caller.len, AHP_CALLER_BYTES_MAX},
        {"locale", call->locale.len, AHP_LOCALE_BYTES_MAX},
        {"workspace", call->workspace.len, AHP_FOLDER_BYTES_MAX},
        {"output_dir", call->output_dir.len, AHP_FOLDER_BYTES_MAX},
        {"folders", call->folders.len, AHP_FOLDERS_BYTES_MAX},
    };
    size_t i;

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].bytes <= fields[i].bytes_max)
            continue;
        ahp_uv_log(h, AHP_LOG_ERROR, AHP_UV_ITEM_BAD_CALL,
                   "a call's %s has %zu bytes, at most %zu are allowed", fields[i].name,
                   fields[i].bytes, fields[i].bytes_max);
        return 0;
    }
    return call->tool.len > 0;
}

int32_t ahp_uv_call(struct ahp_uv *h, const ahp_call *call, uint64_t *ret_id,
                    ahp_uv_result_fn *result_fn, ahp_uv_progress_fn *progress_fn, void *ud)
{
    struct call_slot *slot;
    ahp_call copy = *call;
    uint64_t t;
    int32_t rc;

    if (h->phase != PHASE_STARTED || h->depth != 0)
        return AHP_E_STATE;
    if (result_fn == NULL || !call_is_valid(h, call))
        return AHP_E_INVALID;
    if (h->calls_open >= AHP_UV_CALLS_MAX)
        return AHP_E_LIMIT;
    slot = slot_take(h);
    if (slot == NULL)
        return AHP_E_NOMEM;
    slot->is_open = 1;
    slot->result_fn = result_fn;
    slot->progress_fn = progress_fn;
    slot->ud = ud;
    slot->permille = -1;
    copy.size = sizeof(copy);
    copy.id = slot->id;
    t = ahp_uv_enter(h);
    rc = h->inst->call(h->inst->self, &copy);
    ahp_uv_leave(h, AHP_UV_KIND_CALL, t);
    if (rc < 0) {
        h->end.stats.calls_refused++;
        slot_free(slot);
        return rc;
    }
    h->end.stats.calls_accepted++;
    if (ret_id != NULL)
        *ret_id = copy.id;
    return AHP_OK;
}

int32_t ahp_uv_cancel(struct ahp_uv *h, uint64_t call_id)
{
    struct call_slot *slot = slot_find(h, call_id);
    int32_t rc;
    uint64_t t;

    if (slot == NULL || !slot->is_open)
        return AHP_E_STALE;
    if ((h->phase != PHASE_STARTED && h->phase != PHASE_STOPPING) || h->depth != 0)
        return AHP_E_STATE;
    t = ahp_uv_enter(h);
    rc = h->inst->cancel(h->inst->self, call_id);
    ahp_uv_leave(h, AHP_UV_KIND_CANCEL, t);
    return rc;
}

/* ---- the end ---- */

void ahp_uv_calls_end(struct ahp_uv *h)
{
    static const ahp_result shutdown = {.size = sizeof(shutdown), .status = AHP_RESULT_SHUTDOWN};
    uint32_t i;

    for (i = 0; i < h->slots_count; i++) {
        struct call_slot *slot = h->slots[i];
        ahp_uv_result_fn *fn = slot->result_fn;
        void *ud = slot->ud;
        uint64_t id = slot->id;

        if (id == 0 || !slot->is_open)
            continue;
        h->end.calls_open++;
        ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_OPEN_CALL,
                   "call %llu was never completed", (unsigned long long)id);
        slot_free(slot);
        h->end.stats.calls_ended++;
        fn(ud, id, &shutdown);
    }
}

void ahp_uv_calls_free(struct ahp_uv *h)
{
    uint32_t i;

    for (i = 0; i < h->slots_count; i++) {
        free(h->slots[i]->copy);
        free(h->slots[i]);
    }
    free(h->slots);
    h->slots = NULL;
    h->slots_count = 0;
}
