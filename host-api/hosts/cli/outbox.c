/*
 * outbox.c - see outbox.h. Entries stand in a list in the order of their offers; the first one that
 * waits is written. Receipts go out through ahp_uv_receipt, which queues them, so offer may answer
 * at once without entering the plugin.
 */
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <utlist.h>

#include "common.h"
#include "outbox.h"
#include "outbox_script.h"
#include "parcel.h"
#include "paths.h"
#include "text.h"

enum entry_state { ENTRY_WAITING, ENTRY_WRITING, ENTRY_HOLDING };

struct entry {
    uv_work_t req;
    uv_timer_t timer; /* HOLDING */
    struct outbox *b;
    struct parcel *parcel;
    enum entry_state state;
    enum outbox_action action;
    int64_t held_ms;
    uint32_t attempt;
    struct entry *prev;
    struct entry *next;
};

struct outbox {
    uv_loop_t *loop;
    uv_idle_t idle; /* steps of the parcel being written, without work */
    char *dir;
    int use_work;
    struct outbox_script *script;
    struct term *term;
    struct preview *preview; /* NULL: none are shown */
    outbox_receipt_fn *receipt_fn;
    void *ud;
    struct entry *entries;
    uint32_t entries_count;
    struct entry *writing;
    struct outbox_counts counts;
    int is_stopping; /* the instance is going: nothing is released or begun any more */
    atomic_int is_closing;
    uint32_t handles; /* that must be closed before the memory goes */
};

static void send_receipt(struct outbox *b, ahp_text key, int32_t outcome, int64_t delay_ms,
                         const char *host_ref, const char *error)
{
    ahp_receipt receipt = {
        .size = sizeof(receipt), .outcome = outcome, .key = key, .delay_ms = delay_ms};

    if (host_ref != NULL)
        receipt.host_ref = text_of(host_ref);
    if (error != NULL)
        receipt.error = text_of(error);
    b->receipt_fn(b->ud, &receipt);
}

static void maybe_free(struct outbox *b)
{
    if (!atomic_load(&b->is_closing) || b->handles > 0 || b->entries != NULL)
        return;
    outbox_script_free(b->script);
    free(b->dir);
    free(b);
}

static void entry_free(struct entry *e)
{
    struct outbox *b = e->b;

    DL_DELETE(b->entries, e);
    b->entries_count--;
    parcel_free(e->parcel);
    free(e);
    maybe_free(b);
}

static void write_next(struct outbox *b);

/* ---- the end of a parcel ---- */

static void said_delivered(struct entry *e)
{
    struct outbox *b = e->b;
    char *words = NULL;

    b->counts.delivered++;
    if (asprintf(&words, "delivered %s to %s: %s/%s", parcel_job(e->parcel),
                 parcel_reply_to(e->parcel), b->dir, parcel_file(e->parcel)) >= 0)
        preview_show(b->preview, b->term, parcel_picture(e->parcel), words);
    free(words);
}

static void on_held_closed(uv_handle_t *handle)
{
    struct entry *e = handle->data;

    entry_free(e);
}

static void on_held(uv_timer_t *timer)
{
    struct entry *e = timer->data;

    if (parcel_release(e->b->dir, parcel_file(e->parcel)) != PARCEL_FAILED) {
        said_delivered(e);
        send_receipt(e->b, text_of(parcel_key(e->parcel)), AHP_RECEIPT_DELIVERED, 0,
                     parcel_file(e->parcel), NULL);
    }
    uv_close((uv_handle_t *)timer, on_held_closed);
}

static void hold(struct entry *e)
{
    send_receipt(e->b, text_of(parcel_key(e->parcel)), AHP_RECEIPT_HELD, 0, NULL, NULL);
    e->state = ENTRY_HOLDING;
    uv_timer_init(e->b->loop, &e->timer);
    e->timer.data = e;
    if (!e->b->is_stopping)
        uv_timer_start(&e->timer, on_held, (uint64_t)e->held_ms, 0);
}

static void end_written(struct entry *e)
{
    ahp_text key = text_of(parcel_key(e->parcel));

    if (e->action == OUTBOX_HELD) {
        hold(e);
        return;
    }
    said_delivered(e);
    if (e->action == OUTBOX_UNKNOWN_WRITTEN)
        send_receipt(e->b, key, AHP_RECEIPT_UNKNOWN, 0, NULL, "the script says so");
    else
        send_receipt(e->b, key, AHP_RECEIPT_DELIVERED, 0, parcel_file(e->parcel), NULL);
    entry_free(e);
}

static void end_entry(struct entry *e)
{
    struct outbox *b = e->b;
    const char *error = parcel_error(e->parcel);
    ahp_text key = text_of(parcel_key(e->parcel));

    switch (parcel_end_get(e->parcel)) {
    case PARCEL_WRITTEN:
        end_written(e);
        return;
    case PARCEL_REPEAT:
        b->counts.repeats++;
        parcel_note_repeat(b->dir, parcel_key(e->parcel), e->attempt);
        send_receipt(b, key, AHP_RECEIPT_DELIVERED, 0, parcel_file(e->parcel), NULL);
        break;
    case PARCEL_GONE:
        b->counts.refused++;
        term_log(b->term, AHP_LOG_WARN, error, strlen(error));
        send_receipt(b, key, AHP_RECEIPT_REFUSED, 0, NULL, error);
        break;
    case PARCEL_FAILED:
        b->counts.failed++;
        term_log(b->term, AHP_LOG_WARN, error, strlen(error));
        send_receipt(b, key, AHP_RECEIPT_LATER, OUTBOX_RETRY_MS, NULL, error);
        break;
    }
    entry_free(e);
}

/* ---- writing ---- */

static void on_write(uv_work_t *req)
{
    struct entry *e = req->data;

    while (!atomic_load(&e->b->is_closing) && parcel_step(e->parcel) == 0)
        ;
}

static void on_written(uv_work_t *req, int status)
{
    struct entry *e = req->data;
    struct outbox *b = e->b;

    b->writing = NULL;
    if (atomic_load(&b->is_closing) || status != 0) {
        entry_free(e); /* no receipt: the plugin offers again after its restart */
        return;
    }
    end_entry(e);
    write_next(b);
}

static void on_idle(uv_idle_t *idle)
{
    struct outbox *b = idle->data;
    struct entry *e = b->writing;

    if (parcel_step(e->parcel) == 0)
        return;
    uv_idle_stop(idle);
    b->writing = NULL;
    end_entry(e);
    write_next(b);
}

static void write_next(struct outbox *b)
{
    struct entry *e;

    if (b->writing != NULL || b->is_stopping)
        return;
    DL_FOREACH(b->entries, e)
    if (e->state == ENTRY_WAITING)
        break;
    if (e == NULL)
        return;
    e->state = ENTRY_WRITING;
    b->writing = e;
    e->req.data = e;
    if (!b->use_work || uv_queue_work(b->loop, &e->req, on_write, on_written) != 0)
        uv_idle_start(&b->idle, on_idle);
}

/* ---- offers ---- */

static int32_t offer_scripted(struct outbox *b, const ahp_delivery *delivery,
                              enum outbox_action action, int64_t ms)
{
    switch (action) {
    case OUTBOX_LATER:
        send_receipt(b, delivery->key, AHP_RECEIPT_LATER, ms, NULL, "the script says so");
        return AHP_OK;
    case OUTBOX_REFUSED:
        b->counts.refused++;
        send_receipt(b, delivery->key, AHP_RECEIPT_REFUSED, 0, NULL, "the script says so");
        return AHP_OK;
    case OUTBOX_UNKNOWN:
        send_receipt(b, delivery->key, AHP_RECEIPT_UNKNOWN, 0, NULL, "the script says so");
        return AHP_OK;
    case OUTBOX_LOST:
        send_receipt(b, delivery->key, AHP_RECEIPT_LOST, 0, NULL, "the script says so");
        return AHP_OK;
    case OUTBOX_BUSY:
        return AHP_E_LIMIT;
    default:
        return 1; /* goes on to be written */
    }
}

int32_t outbox_offer(struct outbox *b, const ahp_delivery *delivery)
{
    enum outbox_action action;
    int64_t ms = 0;
    struct entry *e;
    int32_t rc;

    DL_FOREACH(b->entries, e)
    {
        const char *key = parcel_key(e->parcel);

        if (strlen(key) == delivery->key.len && memcmp(key, delivery->key.ptr, strlen(key)) == 0)
            return AHP_E_EXISTS;
    }
    if (b->entries_count >= OUTBOX_PARCELS_MAX || b->is_stopping)
        return AHP_E_LIMIT;
    if (delivery->files_count > AHP_FILES_MAX || delivery->text.len > AHP_DELIVERY_TEXT_BYTES_MAX) {
        b->counts.refused++;
        send_receipt(b, delivery->key, AHP_RECEIPT_REFUSED, 0, NULL,
                     "more files or a longer text than a delivery may have");
        return AHP_OK;
    }
    action = outbox_script_next(b->script, &ms);
    rc = offer_scripted(b, delivery, action, ms);
    if (rc <= 0)
        return rc;
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return AHP_E_NOMEM;
    e->parcel = parcel_new(b->dir, delivery, action == OUTBOX_HELD);
    if (e->parcel == NULL) {
        free(e);
        return AHP_E_NOMEM;
    }
    e->b = b;
    e->action = action;
    e->held_ms = ms;
    e->attempt = delivery->attempt;
    DL_APPEND(b->entries, e);
    b->entries_count++;
    write_next(b);
    return AHP_OK;
}

int outbox_busy(const struct outbox *b)
{
    return b != NULL && b->entries != NULL;
}

void outbox_counts_get(const struct outbox *b, struct outbox_counts *ret_counts)
{
    *ret_counts = b->counts;
}

/* ---- begin and end ---- */

/* Says DELIVERED for a message that has been put in its place. */
static void say_released(struct outbox *b, const char *file)
{
    char path[4096];
    json_t *message;
    const char *key;

    snprintf(path, sizeof(path), "%s/%s", b->dir, file);
    message = json_load_file(path, 0, NULL);
    key = json_string_value(json_object_get(message, "key"));
    if (key != NULL)
        send_receipt(b, text_of(key), AHP_RECEIPT_DELIVERED, 0, file, NULL);
    json_decref(message);
}

static void release_held(struct outbox *b)
{
    char path[4096];
    struct dirent *d;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/held", b->dir);
    dir = opendir(path);
    if (dir == NULL)
        return;
    while ((d = readdir(dir)) != NULL) {
        const char *dot = strrchr(d->d_name, '.');

        if (dot == NULL || strcmp(dot, ".json") != 0)
            continue;
        switch (parcel_release(b->dir, d->d_name)) {
        case PARCEL_WRITTEN:
            b->counts.delivered++;
            say_released(b, d->d_name);
            break;
        case PARCEL_REPEAT:
            say_released(b, d->d_name);
            break;
        default:
            break;
        }
    }
    closedir(dir);
}

static void sweep(const struct outbox *b)
{
    char *held = NULL;

    parcel_sweep(b->dir);
    if (asprintf(&held, "%s/held", b->dir) >= 0)
        parcel_sweep(held);
    free(held);
}

struct outbox *outbox_open(uv_loop_t *loop, const char *dir, const char *script, int use_work,
                           struct term *term, struct preview *preview, char *ret_error,
                           size_t error_size, outbox_receipt_fn *receipt_fn, void *ud)
{
    struct outbox *b = calloc(1, sizeof(*b));
    int rc = path_make_dirs(dir);

    if (b == NULL)
        return NULL;
    if (rc != 0) {
        snprintf(ret_error, error_size, "%s: %s", dir, strerror(-rc));
        goto fail;
    }
    if (script != NULL) {
        b->script = outbox_script_open(script, ret_error, error_size);
        if (b->script == NULL)
            goto fail;
    }
    b->dir = path_absolute(dir);
    if (b->dir == NULL) {
        snprintf(ret_error, error_size, "%s: %s", dir, strerror(errno));
        goto fail;
    }
    b->loop = loop;
    b->use_work = use_work;
    b->term = term;
    b->preview = preview;
    b->receipt_fn = receipt_fn;
    b->ud = ud;
    uv_idle_init(loop, &b->idle);
    b->idle.data = b;
    b->handles = 1;
    sweep(b);
    return b;
fail:
    outbox_script_free(b->script);
    free(b->dir);
    free(b);
    return NULL;
}

void outbox_start(struct outbox *b)
{
    release_held(b);
}

void outbox_receipt_taken(struct outbox *b, const ahp_receipt *receipt)
{
    if (receipt->outcome == AHP_RECEIPT_DELIVERED)
        parcel_settle(b->dir, receipt->key);
}

static void on_idle_closed(uv_handle_t *handle)
{
    struct outbox *b = handle->data;

    b->handles--;
    maybe_free(b);
}

void outbox_stop(struct outbox *b)
{
    struct entry *e;

    if (b == NULL)
        return;
    b->is_stopping = 1;
    uv_idle_stop(&b->idle);
    DL_FOREACH(b->entries, e)
    if (e->state == ENTRY_HOLDING && !uv_is_closing((uv_handle_t *)&e->timer))
        uv_timer_stop(&e->timer);
}

void outbox_close(struct outbox *b)
{
    struct entry *e;
    struct entry *next;

    if (b == NULL)
        return;
    outbox_stop(b);
    atomic_store(&b->is_closing, 1);
    DL_FOREACH_SAFE(b->entries, e, next)
    {
        if (e->state == ENTRY_HOLDING) {
            if (!uv_is_closing((uv_handle_t *)&e->timer))
                uv_close((uv_handle_t *)&e->timer, on_held_closed);
        } else if (e->state == ENTRY_WAITING || !b->use_work) {
            entry_free(e);
        } /* else on_written frees it */
    }
    uv_close((uv_handle_t *)&b->idle, on_idle_closed);
}
