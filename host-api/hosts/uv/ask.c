/*
 * ask.c - ahp.approval/1: passes questions to the owner, on the plugin's stack, and brings the
 * owner's answers to the plugin, from the top level. A question ends with its answer or with
 * ask_free; an answer that comes after that is dropped.
 */
#include <stdlib.h>

#include "internal.h"

struct ahp_asked {
    struct item item; /* queued once there is an answer */
    struct ahp_uv *h;
    uint64_t id;
    int32_t answer;
    ahp_answer_fn *cb;
    void *ud;
    struct ahp_asked *prev;
    struct ahp_asked *next;
};

static int32_t ask(void *ctx, const ahp_question *question, ahp_asked **ret_asked,
                   ahp_answer_fn *cb, void *ud)
{
    struct ahp_uv *h = ctx;
    struct ahp_asked *it;
    int32_t rc;

    if (question == NULL || ret_asked == NULL || cb == NULL)
        return AHP_E_INVALID;
    if (h->phase != PHASE_STARTED)
        return AHP_E_STATE;
    if (h->asked_count >= AHP_UV_QUESTIONS_MAX)
        return AHP_E_LIMIT;
    it = calloc(1, sizeof(*it));
    if (it == NULL)
        return AHP_E_NOMEM;
    it->item.kind = ITEM_ANSWER;
    it->item.owner = it;
    it->h = h;
    it->id = ++h->asked_last;
    it->cb = cb;
    it->ud = ud;
    /* before the owner hears of it: it may answer at once */
    DL_APPEND(h->asked, it);
    h->asked_count++;
    rc = h->owner.ask(h->owner.ud, it->id, question);
    if (rc != AHP_OK) {
        ahp_uv_queue_remove(h, &it->item);
        DL_DELETE(h->asked, it);
        h->asked_count--;
        free(it);
        return rc;
    }
    *ret_asked = it;
    return AHP_OK;
}

static void end(struct ahp_asked *it)
{
    DL_DELETE(it->h->asked, it);
    it->h->asked_count--;
    free(it);
}

static void ask_free(ahp_asked *asked)
{
    struct ahp_uv *h;
    uint64_t id;
    int is_answered;

    if (asked == NULL)
        return;
    h = asked->h;
    id = asked->id;
    is_answered = asked->item.queued;
    ahp_uv_queue_remove(h, &asked->item);
    end(asked);
    if (!is_answered && h->owner.ask_over != NULL)
        h->owner.ask_over(h->owner.ud, id);
}

int32_t ahp_uv_answer(struct ahp_uv *h, uint64_t question_id, int32_t answer)
{
    struct ahp_asked *it;

    DL_FOREACH(h->asked, it)
    if (it->id == question_id)
        break;
    if (it == NULL || it->item.queued)
        return AHP_E_STALE;
    it->answer = answer;
    ahp_uv_queue_add(h, &it->item);
    return AHP_OK;
}

void ahp_uv_answer_run(struct ahp_asked *it)
{
    struct ahp_uv *h = it->h;
    ahp_answer_fn *cb = it->cb;
    void *ud = it->ud;
    int32_t answer = it->answer;
    uint64_t t;

    end(it);
    t = ahp_uv_enter(h);
    cb(ud, answer);
    ahp_uv_leave(h, AHP_UV_KIND_ANSWER, t);
}

void ahp_uv_ask_sweep(struct ahp_uv *h)
{
    h->end.questions_live = h->asked_count;
    if (h->asked_count > 0)
        ahp_uv_log(h, AHP_LOG_PLUGIN_MISBEHAVES, AHP_UV_ITEM_LEAK,
                   "destroy() left %u questions behind", (unsigned)h->asked_count);
    while (h->asked != NULL) {
        ahp_uv_queue_remove(h, &h->asked->item);
        end(h->asked);
    }
}

const ahp_approval ahp_uv_approval_vtable = {
    .size = sizeof(ahp_approval),
    .ask = ask,
    .ask_free = ask_free,
};
