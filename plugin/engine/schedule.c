/*
 * schedule.c - when a job is next looked at: one heap, one host timer. Also how long to wait:
 * between two questions about a job, after a failure, and between requests to one account.
 *
 * Asking: a first time near the shortest duration seen or known for such a job (a quarter of the
 * typical one when that is all we know). Then, while it is likely to end, in steps of a quarter of
 * the time that is left up to the typical duration, but at most ASK_MS. When it has taken half as
 * long again as typical nobody knows: steps of a tenth of the time already waited.
 */
#include "engine/engine_private.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BACKOFF_MAX_MS 60000
/* A little less than the five seconds at which the scripts asked that this replaces. */
#define ASK_MS 4000
#define HEAP_ROOM 64

/* The next free moment of one account: requests of all its jobs keep a distance. */
struct account_pace {
    UT_hash_handle hh;
    char *account;
    double next_ms;
};

static void heap_put(struct engine *engine, size_t index, struct job *job)
{
    engine->heap[index] = job;
    job->heap_index = index;
}

static void heap_up(struct engine *engine, size_t index)
{
    struct job *job = engine->heap[index];

    while (index > 0 && engine->heap[(index - 1) / 2]->due_ms > job->due_ms) {
        heap_put(engine, index, engine->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_put(engine, index, job);
}

static void heap_down(struct engine *engine, size_t index)
{
    struct job *job = engine->heap[index];

    for (;;) {
        size_t child = 2 * index + 1;

        if (child >= engine->heap_count)
            break;
        if (child + 1 < engine->heap_count &&
            engine->heap[child + 1]->due_ms < engine->heap[child]->due_ms)
            child++;
        if (engine->heap[child]->due_ms >= job->due_ms)
            break;
        heap_put(engine, index, engine->heap[child]);
        index = child;
    }
    heap_put(engine, index, job);
}

static void arm(struct engine *engine)
{
    if (engine->closing)
        return;
    if (engine->heap_count)
        engine->env->loop->timer_at(engine->due_timer, engine->heap[0]->due_ms);
    else
        engine->env->loop->timer_off(engine->due_timer);
}

void schedule_off(struct job *job)
{
    struct engine *engine = job->engine;
    size_t index = job->heap_index;
    struct job *last;

    if (index == SIZE_MAX)
        return;
    job->heap_index = SIZE_MAX;
    last = engine->heap[--engine->heap_count];
    if (last != job) {
        heap_put(engine, index, last);
        heap_down(engine, index);
        heap_up(engine, last->heap_index);
    }
    arm(engine);
}

/* A job that cannot be put into the heap would be forgotten, so its place is there before it is. */
int schedule_room(struct engine *engine, size_t jobs)
{
    size_t room = engine->heap_room ? engine->heap_room : HEAP_ROOM;
    struct job **heap;

    if (jobs <= engine->heap_room)
        return 0;
    while (room < jobs)
        room *= 2;
    heap = mem_grow(engine->heap, room * sizeof(struct job *));
    if (!heap)
        return -1;
    engine->heap = heap;
    engine->heap_room = room;
    return 0;
}

void schedule_at(struct job *job, int64_t due_ms)
{
    struct engine *engine = job->engine;

    schedule_off(job);
    job->due_ms = due_ms;
    engine->heap[engine->heap_count++] = job;
    heap_up(engine, engine->heap_count - 1);
    arm(engine);
}

void schedule_in(struct job *job, int64_t delay_ms)
{
    schedule_at(job, env_now_ms(job->engine->env) + (delay_ms > 0 ? delay_ms : 0));
}

/* Reserves the account's next free moment and says when it is. */
static int64_t pace(struct engine *engine, const char *account, int64_t now_ms)
{
    struct account_pace *found;
    double at;

    HASH_FIND_STR(engine->paces, account, found);
    if (!found) {
        found = mem_alloc(sizeof(*found));
        if (!found)
            return now_ms;
        found->account = mem_text(account);
        if (!found->account) {
            mem_free(found);
            return now_ms;
        }
        HASH_ADD_KEYPTR(hh, engine->paces, found->account, strlen(found->account), found);
        if (!HASH_TOOK(found)) {
            mem_free(found->account);
            mem_free(found);
            return now_ms;
        }
    }
    at = found->next_ms > (double)now_ms ? found->next_ms : (double)now_ms;
    found->next_ms = at + 1000.0 / PACE_PER_SECOND;
    return (int64_t)at;
}

/* How many jobs are begun in one turn, so that a crowd of due ones does not hold the loop. */
#define JOBS_A_TURN 32

void schedule_tick(void *ud)
{
    struct engine *engine = ud;
    int64_t now = env_now_ms(engine->env);

    for (int i = 0; i < JOBS_A_TURN && engine->heap_count && engine->heap[0]->due_ms <= now; i++) {
        struct job *job = engine->heap[0];
        int64_t slot = now;

        if (job->row->state < JOB_FETCHING && !job->unrecorded && !job->paced)
            slot = pace(engine, job->row->provider, now);
        if (slot > now) {
            job->paced = 1; /* this moment is reserved for it */
            schedule_at(job, slot);
            continue;
        }
        job->paced = 0;
        schedule_off(job);
        job_run(job);
    }
    arm(engine);
}

static int64_t jitter(int64_t ms)
{
    uint16_t random = 0x8000;

    /* A tenth either way, so that jobs begun together drift apart. Without entropy: none. */
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        return ms;
    return ms - ms / 10 + ms * random / (5 * 65536);
}

int64_t schedule_backoff_ms(unsigned tries)
{
    int64_t ms = tries < 6 ? (int64_t)1000 << tries : BACKOFF_MAX_MS;

    return jitter(ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

int64_t schedule_poll_ms(const struct provider_times *times, int64_t elapsed_ms, int first)
{
    int64_t ceiling = times->ceiling_ms ? times->ceiling_ms : 60000;
    int64_t wait;

    if (first && times->shortest_ms > elapsed_ms)
        wait = times->shortest_ms - elapsed_ms;
    else if (times->typical_ms > elapsed_ms)
        wait = (times->typical_ms - elapsed_ms) / 4;
    else
        wait = elapsed_ms / 10;
    if (!first && wait > ASK_MS && elapsed_ms < times->typical_ms * 3 / 2)
        wait = ASK_MS;
    wait = jitter(wait);
    if (wait > ceiling && !first)
        wait = ceiling;
    return wait < times->floor_ms ? times->floor_ms : wait;
}

void schedule_done(struct engine *engine)
{
    struct account_pace *pace;
    struct account_pace *next;

    HASH_ITER(hh, engine->paces, pace, next) {
        HASH_DEL(engine->paces, pace);
        mem_free(pace->account);
        mem_free(pace);
    }
    mem_free(engine->heap);
    engine->heap = NULL;
}

void job_times(const struct job *job, struct provider_times *ret_times)
{
    json_t *plan = json_loads(job->row->plan ? job->row->plan : "{}", 0, NULL);
    const json_t *times = json_object_get(plan, "times");

    ret_times->shortest_ms = json_integer_value(json_object_get(times, "shortest_ms"));
    ret_times->typical_ms = json_integer_value(json_object_get(times, "typical_ms"));
    ret_times->floor_ms = json_integer_value(json_object_get(times, "floor_ms"));
    ret_times->ceiling_ms = json_integer_value(json_object_get(times, "ceiling_ms"));
    ret_times->deadline_ms = json_integer_value(json_object_get(times, "deadline_ms"));
    json_decref(plan);
}
