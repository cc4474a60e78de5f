/*
 * shim_calls.c - tool calls: begin, cancel, progress and the one end that each accepted call has
 * (R3). Ended calls are remembered for a while, so that a second end can be told from an unknown
 * id.
 */
#include <stdlib.h>

#include "shim.h"

static struct shim_call *call_find(struct shim *shim, uint64_t id)
{
    struct shim_call *call = NULL;

    HASH_FIND(hh, shim->call_by_id, &id, sizeof(id), call);
    return call;
}

static struct shim_call *call_add(struct shim *shim, uint64_t id)
{
    struct shim_call *call = calloc(1, sizeof(*call));

    if (call == NULL)
        return NULL;
    call->id = id;
    HASH_ADD(hh, shim->call_by_id, id, sizeof(call->id), call);
    if (call->hh.tbl == NULL) {
        free(call);
        return NULL;
    }
    shim->calls_open_count++;
    return call;
}

static void call_end(struct shim *shim, struct shim_call *call, enum shim_call_state state)
{
    if (call->state != SHIM_CALL_OPEN)
        return;
    call->state = state;
    shim->calls_open_count--;
    DL_APPEND(shim->calls_ended, call);
    if (++shim->calls_ended_count > SHIM_ENDED_CALLS_MAX) {
        struct shim_call *oldest = shim->calls_ended;

        DL_DELETE(shim->calls_ended, oldest);
        HASH_DEL(shim->call_by_id, oldest);
        shim->calls_ended_count--;
        free(oldest);
    }
}

void shim_calls_done(struct shim *shim)
{
    struct shim_call *call;
    struct shim_call *next;

    HASH_ITER(hh, shim->call_by_id, call, next) {
        HASH_DEL(shim->call_by_id, call);
        free(call);
    }
}

/* --- host to plugin --------------------------------------------------------------------------- */

static int folder_is_sound(const struct shim_subject *about, const char *what,
                           const ahp_text *folder)
{
    if (!shim_check_text(about, what, folder, AHP_FOLDER_BYTES_MAX))
        return 0;
    if (folder->len > 0)
        shim_check_argument(about, folder->ptr[0] == '/' && !memchr(folder->ptr, 0, folder->len),
                            "a folder is no absolute path");
    return 1;
}

static int call_is_sound(const struct shim_subject *about, const ahp_call *call)
{
    static const char absent[] = "";
    ahp_text args = call->args;

    if (args.ptr == NULL && args.len == 0)
        args.ptr = absent;
    shim_check_argument(about, call->deadline_ms >= 0, "deadline_ms is negative");
    return shim_check_utf8(about, "tool", &call->tool, AHP_TOOL_NAME_BYTES_MAX) &&
           shim_check_utf8(about, "args", &args, AHP_ARGS_BYTES_MAX) &&
           (args.len == 0 || shim_check_object(about, "args", &args, AHP_ARGS_BYTES_MAX)) &&
           shim_check_utf8(about, "dedup_key", &call->dedup_key, AHP_KEY_BYTES_MAX) &&
           shim_check_text(about, "reply_to", &call->reply_to, AHP_REPLY_TO_BYTES_MAX) &&
           shim_check_utf8(about, "conversation", &call->conversation,
                           AHP_CONVERSATION_BYTES_MAX) &&
           shim_check_utf8(about, "caller", &call->caller, AHP_CALLER_BYTES_MAX) &&
           shim_check_utf8(about, "locale", &call->locale, AHP_LOCALE_BYTES_MAX) &&
           (!AHP_IN(call, workspace) || folder_is_sound(about, "workspace", &call->workspace)) &&
           (!AHP_IN(call, output_dir) || folder_is_sound(about, "output_dir", &call->output_dir)) &&
           (!AHP_IN(call, folders) ||
            shim_check_utf8(about, "folders", &call->folders, AHP_FOLDERS_BYTES_MAX));
}

static const ahp_call *call_lend(struct shim_loan *loan, const ahp_call *call)
{
    ahp_call *copy = shim_lend_bytes(loan, call, call->size);

    if (copy == NULL)
        return call;
    shim_lend_text(loan, &copy->tool);
    shim_lend_text(loan, &copy->args);
    shim_lend_text(loan, &copy->dedup_key);
    shim_lend_text(loan, &copy->reply_to);
    shim_lend_text(loan, &copy->conversation);
    shim_lend_text(loan, &copy->caller);
    shim_lend_text(loan, &copy->locale);
    if (AHP_IN(call, workspace))
        shim_lend_text(loan, &copy->workspace);
    if (AHP_IN(call, output_dir))
        shim_lend_text(loan, &copy->output_dir);
    if (AHP_IN(call, folders))
        shim_lend_text(loan, &copy->folders);
    return loan->failed ? call : copy;
}

int32_t shim_inst_call(void *self, const ahp_call *call)
{
    struct shim *shim = self;
    struct shim_subject about = {shim, AHP_FN_CALL, AHP_SIDE_HOST};
    struct shim_loan loan = {NULL, 0};
    struct shim_call *entry;
    uint64_t id;
    int32_t rc;

    if (!shim_on_loop(shim))
        return shim_enter(shim, AHP_FN_CALL);
    if (call == NULL ||
        !shim_check_size(&about, "ahp_call", call->size, SIZE_1_0(ahp_call, locale)))
        return AHP_E_INVALID;
    id = call->id;
    if (id == 0 || call_find(shim, id) != NULL) {
        shim_accuse(shim, AHP_SHIM_HOST_CALL_ID, "call: id %llu %s", (unsigned long long)id,
                    id == 0 ? "is none" : "was used before");
        return AHP_E_INVALID;
    }
    if (!call_is_sound(&about, call))
        return AHP_E_INVALID;
    rc = shim_enter(shim, AHP_FN_CALL);
    if (rc != AHP_OK)
        return rc;
    entry = call_add(shim, id);
    if (entry == NULL) {
        shim_leave(shim);
        return AHP_E_NOMEM;
    }
    rc = shim->inst->call(shim->inst->self, call_lend(&loan, call));
    shim_leave(shim);
    shim_lend_end(&loan);
    rc = shim_result(shim, AHP_FN_CALL, rc);
    if (rc == AHP_OK) {
        /* Completed or not: a call before start or after stop is to be refused. */
        if (shim->phase != AHP_IN_RUNNING)
            shim_accuse(shim, AHP_SHIM_PLUGIN_ACCEPTED, "call: accepted in phase %s",
                        ahp_phase_name(shim->phase));
        return AHP_OK;
    }
    if (entry->state == SHIM_CALL_COMPLETED)
        shim_accuse(shim, AHP_SHIM_PLUGIN_COMPLETE_REFUSED,
                    "call: refused %llu with %d after completing it (R3)", (unsigned long long)id,
                    (int)rc);
    call_end(shim, entry, SHIM_CALL_REFUSED);
    return rc;
}

int32_t shim_inst_cancel(void *self, uint64_t call_id)
{
    struct shim *shim = self;
    const struct shim_call *call;
    int was_open;
    int32_t rc = shim_enter(shim, AHP_FN_CANCEL);

    if (rc != AHP_OK)
        return rc;
    call = call_find(shim, call_id);
    was_open = call != NULL && call->state == SHIM_CALL_OPEN;
    rc = shim->inst->cancel(shim->inst->self, call_id);
    shim_leave(shim);
    rc = shim_result(shim, AHP_FN_CANCEL, rc);
    if ((was_open && rc == AHP_E_STALE) || (!was_open && rc == AHP_OK))
        shim_accuse(shim, AHP_SHIM_PLUGIN_CANCEL, "cancel: answered %d for a call that is %s",
                    (int)rc, was_open ? "open" : "not open");
    return rc;
}

/* --- plugin to host --------------------------------------------------------------------------- */

static int result_is_sound(const struct shim_subject *about, const ahp_result *result)
{
    shim_check_argument(about,
                        result->status >= AHP_RESULT_OK && result->status <= AHP_RESULT_UNKNOWN,
                        "no such status");
    shim_check_argument(about,
                        result->status != AHP_RESULT_PENDING_JOB || result->job_id.len > 0,
                        "PENDING_JOB without job_id");
    return shim_check_object(about, "json", &result->json, AHP_RESULT_BYTES_MAX) &&
           shim_check_utf8(about, "job_id", &result->job_id, AHP_KEY_BYTES_MAX) &&
           shim_check_files(about, result->files, result->files_count);
}

static const ahp_result *result_lend(struct shim_loan *loan, const ahp_result *result)
{
    ahp_result *copy = shim_lend_bytes(loan, result, result->size);

    if (copy == NULL)
        return result;
    shim_lend_text(loan, &copy->json);
    shim_lend_text(loan, &copy->job_id);
    copy->files = shim_lend_files(loan, copy->files, copy->files_count);
    return loan->failed ? result : copy;
}

/* Accuses when the id cannot be completed. */
static int id_is_open(const struct shim *shim, uint64_t id, const struct shim_call *call)
{
    if (call == NULL)
        shim_accuse(shim, AHP_SHIM_PLUGIN_COMPLETE_UNKNOWN, "complete: there is no call %llu (R3)",
                    (unsigned long long)id);
    else if (call->state == SHIM_CALL_COMPLETED)
        shim_accuse(shim, AHP_SHIM_PLUGIN_COMPLETE_TWICE, "complete: %llu was completed (R3)",
                    (unsigned long long)id);
    else if (call->state == SHIM_CALL_REFUSED)
        shim_accuse(shim, AHP_SHIM_PLUGIN_COMPLETE_REFUSED, "complete: %llu was refused (R3)",
                    (unsigned long long)id);
    else
        return 1;
    return 0;
}

static int32_t complete(void *ctx, uint64_t call_id, const ahp_result *result)
{
    struct shim *shim = ctx;
    struct shim_subject about = {shim, AHP_FN_COMPLETE, AHP_SIDE_PLUGIN};
    struct shim_loan loan = {NULL, 0};
    struct shim_call *call;
    int was_open;
    int32_t rc;
    int before;

    rc = shim_host_begin(shim, AHP_FN_COMPLETE, &before);
    if (rc != AHP_OK)
        return rc;
    rc = AHP_E_INVALID;
    if (result == NULL ||
        !shim_check_size(&about, "ahp_result", result->size, SIZE_1_0(ahp_result, files_count)))
        goto out;
    call = call_find(shim, call_id);
    was_open = id_is_open(shim, call_id, call);
    if (!result_is_sound(&about, result))
        goto out;
    rc = shim_result(shim, AHP_FN_COMPLETE,
                     shim->calls->complete(shim->host->ctx, call_id, result_lend(&loan, result)));
    shim_lend_end(&loan);
    if (!was_open && rc != AHP_E_STALE)
        shim_accuse(shim, AHP_SHIM_HOST_COMPLETE_STALE,
                    "complete: answered %d for call %llu, which is not open", (int)rc,
                    (unsigned long long)call_id);
    if (was_open && (rc == AHP_E_STALE || rc == AHP_E_INVALID))
        shim_accuse(shim, AHP_SHIM_HOST_COMPLETE_REFUSED,
                    "complete: answered %d for call %llu, which is open", (int)rc,
                    (unsigned long long)call_id);
    if (was_open && rc == AHP_OK) {
        shim_approval_completed(shim, call_id);
        call_end(shim, call, SHIM_CALL_COMPLETED);
    }
out:
    shim_host_end(shim, before);
    return rc;
}

static void progress(void *ctx, uint64_t call_id, int32_t permille, const char *text, size_t len)
{
    struct shim *shim = ctx;
    struct shim_subject about = {shim, AHP_FN_PROGRESS, AHP_SIDE_PLUGIN};
    struct shim_loan loan = {NULL, 0};
    ahp_text line = {text, len};
    int before;

    if (shim_host_begin(shim, AHP_FN_PROGRESS, &before) != AHP_OK)
        return;
    shim_check_argument(&about, permille >= -1 && permille <= 1000, "permille is out of range");
    if (shim_check_utf8(&about, "text", &line, AHP_LOG_BYTES_MAX)) {
        shim_lend_text(&loan, &line);
        shim->calls->progress(shim->host->ctx, call_id, permille, line.ptr, len);
        shim_lend_end(&loan);
    }
    shim_host_end(shim, before);
}

static void rescan(void *ctx)
{
    struct shim *shim = ctx;
    int before;

    if (shim_host_begin(shim, AHP_FN_RESCAN, &before) != AHP_OK)
        return;
    shim->tools_known = 0;
    shim->calls->rescan(shim->host->ctx);
    shim_host_end(shim, before);
}

const ahp_calls shim_calls_table = {
    .size = sizeof(ahp_calls),
    .complete = complete,
    .progress = progress,
    .rescan = rescan,
};
