/*
 * fake_host.c - the recording side of the fake host: log, calls, deliveries, extensions.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_loop.h"

#define START_NOW_MS INT64_C(1000000)
#define START_WALL_MS INT64_C(1800000000000)

/* A test cannot go on without memory. */
static void *grown(void *array, uint32_t count, size_t size)
{
    void *bigger = realloc(array, (count + 1u) * size);

    if (bigger == NULL)
        abort();
    memset((char *)bigger + count * size, 0, size);
    return bigger;
}

static char *copied(const char *text, size_t len)
{
    char *copy = strndup(len == 0 ? "" : text, len);

    if (copy == NULL)
        abort();
    return copy;
}

static char *copied_text(ahp_text text)
{
    return copied(text.ptr, text.len);
}

static uint32_t copied_files(char *paths[FAKE_FILES_MAX], const ahp_file *const *files,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count && i < FAKE_FILES_MAX; i++)
        paths[i] = copied(files[i]->path, strlen(files[i]->path));
    return count;
}

static void files_free(char *paths[FAKE_FILES_MAX])
{
    for (uint32_t i = 0; i < FAKE_FILES_MAX; i++)
        free(paths[i]);
}

/* log is [any]: one lock around the one list that other threads may grow. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void host_log(void *ctx, int32_t level, uint32_t item, const char *text, size_t len)
{
    struct fake_host *fake = ctx;

    (void)pthread_mutex_lock(&log_lock);
    fake->logs = grown(fake->logs, fake->logs_count, sizeof(*fake->logs));
    fake->logs[fake->logs_count].level = level;
    fake->logs[fake->logs_count].item = item;
    fake->logs[fake->logs_count].text = copied(text, len);
    if (fake->log_to_stderr)
        fprintf(stderr, "[%d/%u] %s\n", (int)level, (unsigned)item,
                fake->logs[fake->logs_count].text);
    fake->logs_count++;
    (void)pthread_mutex_unlock(&log_lock);
}

static int32_t host_log_on(void *ctx, int32_t level)
{
    return level >= ((struct fake_host *)ctx)->log_level;
}

static void host_stopped(void *ctx)
{
    ((struct fake_host *)ctx)->stopped++;
}

static const void *host_ext(void *ctx, const char *id)
{
    struct fake_host *fake = ctx;

    if (strcmp(id, AHP_LOOP_1) == 0)
        return fake->has_loop ? &fake->loop : NULL;
    if (strcmp(id, AHP_CALLS_1) == 0)
        return fake->has_calls ? &fake->calls : NULL;
    if (strcmp(id, AHP_DELIVER_1) == 0)
        return fake->has_deliver ? &fake->deliver : NULL;
    if (strcmp(id, AHP_WORK_1) == 0)
        return fake->has_work ? &fake->work : NULL;
    if (strcmp(id, AHP_CHECK_1) == 0)
        return fake->has_check ? &fake->check : NULL;
    if (strcmp(id, AHP_APPROVAL_1) == 0)
        return fake->has_approval ? &fake->approval : NULL;
    return NULL;
}

static int32_t complete(void *ctx, uint64_t call_id, const ahp_result *result)
{
    struct fake_host *fake = ctx;
    struct fake_end *end;

    if (call_id == 0 || call_id > fake->next_call_id || fake_host_end(fake, call_id) != NULL)
        return AHP_E_STALE;
    fake->ends = grown(fake->ends, fake->ends_count, sizeof(*fake->ends));
    end = &fake->ends[fake->ends_count++];
    end->call_id = call_id;
    end->status = result->status;
    end->json = copied_text(result->json);
    end->job_id = copied_text(result->job_id);
    end->files_count = copied_files(end->files, result->files, result->files_count);
    return AHP_OK;
}

static void progress(void *ctx, uint64_t call_id, int32_t permille, const char *text, size_t len)
{
    struct fake_host *fake = ctx;
    struct fake_progress *entry;

    fake->progress = grown(fake->progress, fake->progress_count, sizeof(*fake->progress));
    entry = &fake->progress[fake->progress_count++];
    entry->call_id = call_id;
    entry->permille = permille;
    entry->text = copied(text, len);
}

static void rescan(void *ctx)
{
    ((struct fake_host *)ctx)->rescans++;
}

static int32_t offer(void *ctx, const ahp_delivery *delivery)
{
    struct fake_host *fake = ctx;
    struct fake_delivery *entry;

    if ((fake->deliver.flags & AHP_DELIVER_READY) == 0)
        return AHP_E_UNSUPPORTED;
    if (fake->offer_result != AHP_OK)
        return fake->offer_result;
    fake->deliveries = grown(fake->deliveries, fake->deliveries_count, sizeof(*fake->deliveries));
    entry = &fake->deliveries[fake->deliveries_count++];
    entry->attempt = delivery->attempt;
    entry->kind = delivery->kind;
    entry->key = copied_text(delivery->key);
    entry->reply_to = copied_text(delivery->reply_to);
    entry->conversation = copied_text(delivery->conversation);
    entry->job_id = copied_text(delivery->job_id);
    entry->text = copied_text(delivery->text);
    entry->files_count = copied_files(entry->files, delivery->files, delivery->files_count);
    return AHP_OK;
}

static int32_t ask(void *ctx, const ahp_question *question, ahp_asked **ret_asked,
                   ahp_answer_fn *cb, void *ud)
{
    struct fake_host *fake = ctx;
    struct fake_question *entry;

    if (fake->ask_result != AHP_OK)
        return fake->ask_result;
    fake->questions = grown(fake->questions, fake->questions_count, sizeof(void *));
    entry = grown(NULL, 0, sizeof(*entry));
    fake->questions[fake->questions_count++] = entry;
    entry->call_id = question->call_id;
    entry->deadline_ms = question->deadline_ms;
    entry->title = copied_text(question->title);
    entry->text = copied_text(question->text);
    entry->amount = copied_text(question->amount);
    entry->currency = copied_text(question->currency);
    entry->target = copied_text(question->target);
    entry->conversation = copied_text(question->conversation);
    entry->fake = fake;
    entry->cb = cb;
    entry->ud = ud;
    *ret_asked = (ahp_asked *)(void *)entry;
    return AHP_OK;
}

static void ask_free(ahp_asked *asked)
{
    struct fake_question *entry = (struct fake_question *)(void *)asked;

    if (entry == NULL)
        return;
    if (entry->over)
        abort();
    entry->over = entry->taken_back = 1;
}

void fake_host_answer(struct fake_host *fake, uint32_t index, int32_t answer)
{
    struct fake_question *entry = fake->questions[index];

    if (entry->over)
        abort();
    entry->over = 1;
    entry->cb(entry->ud, answer);
}

static _Thread_local int is_loop_thread;

static int32_t on_loop(void *ctx)
{
    (void)ctx;
    return is_loop_thread;
}

struct fake_host *fake_host_new(void)
{
    struct fake_host *fake = calloc(1, sizeof(*fake));
    struct fake_loop *loop = calloc(1, sizeof(*loop));

    if (fake == NULL || loop == NULL)
        abort();
    is_loop_thread = 1;
    fake->impl = loop;
    fake->has_loop = fake->has_calls = fake->has_deliver = fake->has_work = fake->has_check = 1;
    fake->now_ms = START_NOW_MS;
    fake->wall_ms = START_WALL_MS;
    fake->real_wait_ms = 50;
    fake->receipt = FAKE_RECEIPT_NONE;
    fake->host.size = sizeof(fake->host);
    fake->host.minor = AHP_MINOR;
    fake->host.ctx = fake;
    fake->host.name = "fake-host";
    fake->host.version = "1";
    fake->host.ext = host_ext;
    fake->host.log = host_log;
    fake->host.log_on = host_log_on;
    fake->host.stopped = host_stopped;
    fake->calls.size = sizeof(fake->calls);
    fake->calls.complete = complete;
    fake->calls.progress = progress;
    fake->calls.rescan = rescan;
    fake->deliver.size = sizeof(fake->deliver);
    fake->deliver.flags = AHP_DELIVER_READY | AHP_DELIVER_DROPS_REPEATS;
    fake->deliver.repeat_window_ms = AHP_REPEAT_WINDOW_MS_MIN;
    fake->deliver.offer = offer;
    fake->check.size = sizeof(fake->check);
    fake->check.on_loop = on_loop;
    fake->approval.size = sizeof(fake->approval);
    fake->approval.ask = ask;
    fake->approval.ask_free = ask_free;
    fake_loop_init(fake);
    return fake;
}

void fake_host_free(struct fake_host *fake)
{
    if (fake == NULL)
        return;
    fake_loop_done(fake);
    for (uint32_t i = 0; i < fake->ends_count; i++) {
        free(fake->ends[i].json);
        free(fake->ends[i].job_id);
        files_free(fake->ends[i].files);
    }
    for (uint32_t i = 0; i < fake->progress_count; i++)
        free(fake->progress[i].text);
    for (uint32_t i = 0; i < fake->deliveries_count; i++) {
        free(fake->deliveries[i].key);
        free(fake->deliveries[i].reply_to);
        free(fake->deliveries[i].conversation);
        free(fake->deliveries[i].job_id);
        free(fake->deliveries[i].text);
        files_free(fake->deliveries[i].files);
    }
    for (uint32_t i = 0; i < fake->logs_count; i++)
        free(fake->logs[i].text);
    for (uint32_t i = 0; i < fake->questions_count; i++) {
        free(fake->questions[i]->title);
        free(fake->questions[i]->text);
        free(fake->questions[i]->amount);
        free(fake->questions[i]->currency);
        free(fake->questions[i]->target);
        free(fake->questions[i]->conversation);
        free(fake->questions[i]);
    }
    free(fake->questions);
    free(fake->ends);
    free(fake->progress);
    free(fake->deliveries);
    free(fake->logs);
    free(fake->impl);
    free(fake);
}

uint32_t fake_host_advance(struct fake_host *fake, int64_t ms)
{
    fake->now_ms += ms;
    fake->wall_ms += ms;
    return fake_host_turn(fake, 0);
}

int fake_host_run(struct fake_host *fake, uint32_t turns_max, int (*done)(void *ud), void *ud)
{
    for (uint32_t i = 0; i < turns_max; i++) {
        int64_t next_ms;

        if (done(ud))
            return 1;
        if (fake_host_turn(fake, 0) > 0)
            continue;
        /* Real descriptors get real time before the clock jumps over their answer. */
        if (fake->watches_live > 0 && fake_host_turn(fake, fake->real_wait_ms) > 0)
            continue;
        if (fake->deferred_live > 0 || fake->work_live > 0)
            continue;
        next_ms = fake_host_next_ms(fake);
        if (next_ms == INT64_MAX && fake->watches_live == 0)
            break;
        if (next_ms != INT64_MAX && next_ms > fake->now_ms)
            (void)fake_host_advance(fake, next_ms - fake->now_ms);
    }
    return done(ud);
}

static ahp_text text_of(const char *string)
{
    ahp_text text = {string, string == NULL ? 0 : strlen(string)};

    return text;
}

ahp_call fake_host_call(struct fake_host *fake, const char *tool, const char *args,
                        const char *reply_to, const char *conversation)
{
    ahp_call call = {.size = sizeof(call)};

    call.id = ++fake->next_call_id;
    call.tool = text_of(tool);
    call.args = text_of(args);
    call.reply_to = text_of(reply_to);
    call.conversation = text_of(conversation);
    return call;
}

const struct fake_end *fake_host_end(const struct fake_host *fake, uint64_t call_id)
{
    for (uint32_t i = 0; i < fake->ends_count; i++) {
        if (fake->ends[i].call_id == call_id)
            return &fake->ends[i];
    }
    return NULL;
}

uint32_t fake_host_log_items(const struct fake_host *fake, uint32_t item)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < fake->logs_count; i++)
        count += fake->logs[i].item == item;
    return count;
}

uint32_t fake_host_log_levels(const struct fake_host *fake, int32_t level)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < fake->logs_count; i++)
        count += fake->logs[i].level >= level;
    return count;
}
