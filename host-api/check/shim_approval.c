/*
 * shim_approval.c - "ahp.approval/1": questions of open calls and their answers. A question is a
 * handle like a deferred call: it ends by itself just before its one answer, or with ask_free.
 */
#include <stdlib.h>

#include "shim.h"

static void on_answer(void *ud, int32_t answer)
{
    struct shim_handle *handle = ud;
    struct shim *shim = handle->shim;

    if (shim_handle_is_late(handle, AHP_SHIM_HOST_ANSWER_TWICE, "a question was answered"))
        return;
    if (answer < AHP_APPROVAL_ALLOWED || answer > AHP_APPROVAL_TIMED_OUT)
        shim_accuse(shim, AHP_SHIM_HOST_ARGUMENT, "ahp_answer_fn: there is no answer %d",
                    (int)answer);
    if (shim_enter(shim, AHP_FN_ANSWER_FN) != AHP_OK)
        return;
    atomic_store(&handle->ran, 1u);
    shim_handle_end(handle);
    handle->fn.answer(handle->ud, answer);
    shim_leave(shim);
}

static int question_is_sound(struct shim *shim, const ahp_question *question)
{
    struct shim_subject about = {shim, AHP_FN_ASK, AHP_SIDE_PLUGIN};
    struct shim_call *call = NULL;

    if (!shim_check_size(&about, "ahp_question", question->size,
                         SIZE_1_0(ahp_question, conversation)))
        return 0;
    HASH_FIND(hh, shim->call_by_id, &question->call_id, sizeof(question->call_id), call);
    shim_check_argument(&about, call != NULL && call->state == SHIM_CALL_OPEN,
                        "its call is not open");
    shim_check_argument(&about, question->title.len > 0, "a question has no title");
    shim_check_argument(&about, question->currency.len == 0 || question->amount.len > 0,
                        "a currency without an amount");
    return shim_check_utf8(&about, "title", &question->title, AHP_APPROVAL_TITLE_BYTES_MAX) &&
           shim_check_utf8(&about, "text", &question->text, AHP_APPROVAL_TEXT_BYTES_MAX) &&
           shim_check_utf8(&about, "amount", &question->amount, AHP_APPROVAL_WORD_BYTES_MAX) &&
           shim_check_utf8(&about, "currency", &question->currency, AHP_APPROVAL_WORD_BYTES_MAX) &&
           shim_check_utf8(&about, "target", &question->target, AHP_APPROVAL_WORD_BYTES_MAX) &&
           shim_check_utf8(&about, "conversation", &question->conversation,
                           AHP_CONVERSATION_BYTES_MAX);
}

static const ahp_question *question_lend(struct shim_loan *loan, const ahp_question *question)
{
    ahp_question *copy = shim_lend_bytes(loan, question, question->size);

    if (copy == NULL)
        return question;
    shim_lend_text(loan, &copy->title);
    shim_lend_text(loan, &copy->text);
    shim_lend_text(loan, &copy->amount);
    shim_lend_text(loan, &copy->currency);
    shim_lend_text(loan, &copy->target);
    shim_lend_text(loan, &copy->conversation);
    return copy;
}

static int32_t ask(void *ctx, const ahp_question *question, ahp_asked **ret_asked,
                   ahp_answer_fn *cb, void *ud)
{
    struct shim *shim = ctx;
    struct shim_loan loan = {NULL, 0};
    struct shim_handle *handle;
    ahp_asked *inner = SHIM_UNTOUCHED;
    int32_t rc;
    int before;

    rc = shim_host_begin(shim, AHP_FN_ASK, &before);
    if (rc != AHP_OK)
        return rc;
    rc = AHP_E_INVALID;
    if (question == NULL || ret_asked == NULL || cb == NULL) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_ARGUMENT, "ask: question, ret_asked or cb is NULL");
        goto out;
    }
    if (!question_is_sound(shim, question))
        goto out;
    rc = AHP_E_NOMEM;
    handle = shim_handle_new(shim, SHIM_QUESTION, ud);
    if (handle == NULL)
        goto out;
    handle->fn.answer = cb;
    handle->call_id = question->call_id;
    rc = shim_result(shim, AHP_FN_ASK,
                     shim->approval->ask(shim->host->ctx, question_lend(&loan, question), &inner,
                                         on_answer, handle));
    shim_lend_end(&loan);
    rc = shim_handle_made(handle, AHP_FN_ASK, rc, inner);
    if (rc != AHP_OK)
        goto out;
    *ret_asked = (ahp_asked *)(void *)handle;
out:
    shim_host_end(shim, before);
    return rc;
}

static void ask_free(ahp_asked *asked)
{
    int before;
    struct shim_handle *handle =
        shim_handle_free(asked, SHIM_QUESTION, AHP_FN_ASK_FREE, &before);

    if (handle == NULL)
        return;
    handle->shim->approval->ask_free(handle->inner);
    shim_host_end(handle->shim, before);
}

void shim_approval_completed(struct shim *shim, uint64_t call_id)
{
    const struct shim_handle *handle;

    if (shim->live_count[SHIM_QUESTION] == 0)
        return;
    DL_FOREACH(shim->handles, handle) {
        if (handle->kind == SHIM_QUESTION && handle->call_id == call_id)
            shim_accuse(shim, AHP_SHIM_PLUGIN_QUESTION_OPEN,
                        "complete: call %llu has a question that is not answered",
                        (unsigned long long)call_id);
    }
}

const ahp_approval shim_approval_table = {
    .size = sizeof(ahp_approval),
    .ask = ask,
    .ask_free = ask_free,
};
