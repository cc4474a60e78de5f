/*
 * batch.c - jobs that belong together. An item is a job like any other, but it begins only when
 * there is room among those of its batch that are under way here. The whole is a job, too: it asks
 * nobody anything, looks at its items until the last has ended, writes the summary, and is what is
 * delivered.
 *
 * A batch is named by what it makes, so the same manifest again is the same batch: its items that
 * succeeded are found in the ledger and not made twice.
 */
#include "engine/engine_private.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_MS 1000     /* how often the whole looks at its items */
#define WAIT_MS 60000    /* an item without room is looked at again in case a wake-up was lost */
#define ITEMS_DEFAULT 4  /* under way at once */

/* ---- room ---- */

struct batch_room {
    UT_hash_handle hh;
    char *name;
    unsigned active;
    unsigned waiting;
    int has_failed; /* one of its items, here */
};

static unsigned most_of(const struct job *job, int *ret_stops)
{
    json_t *plan = json_loads(job->row->plan ? job->row->plan : "{}", 0, NULL);
    int64_t most = json_int(plan, "concurrency", ITEMS_DEFAULT);

    *ret_stops = json_is_true(json_object_get(plan, "stops"));
    json_decref(plan);
    return most < 1 ? 1 : (unsigned)most;
}

static struct batch_room *room_of(struct engine *engine, const char *name)
{
    struct batch_room *room;

    HASH_FIND_STR(engine->rooms, name, room);
    if (room)
        return room;
    room = mem_alloc(sizeof(*room));
    if (room)
        room->name = mem_text(name);
    if (!room || !room->name) {
        mem_free(room);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, engine->rooms, room->name, strlen(room->name), room);
    if (HASH_TOOK(room))
        return room;
    mem_free(room->name);
    mem_free(room);
    return NULL;
}

int batch_enter(struct job *job)
{
    struct batch_room *room;
    unsigned most;
    int stops;

    if (!job->row->batch_index || !job->row->batch || job->room)
        return 0;
    most = most_of(job, &stops);
    room = room_of(job->engine, job->row->batch);
    if (!room) {
        schedule_in(job, LOOK_MS);
        return -1;
    }
    /* What was begun before, in another process, goes on whatever room there is. */
    if (job->row->state == JOB_PLANNED && room->has_failed && stops) {
        act_cancel(job);
        return -1;
    }
    if (job->row->state == JOB_PLANNED && room->active >= most) {
        if (!job->room_waits)
            room->waiting++;
        job->room_waits = 1;
        schedule_in(job, WAIT_MS);
        return -1;
    }
    if (job->room_waits)
        room->waiting--;
    job->room_waits = 0;
    job->room = room;
    room->active++;
    return 0;
}

/* The one that has waited longest; ids say nothing of the order, indexes do. */
static struct job *next_waiting(struct engine *engine, const struct batch_room *room)
{
    struct job *best = NULL;

    for (struct job *job = engine->jobs; job; job = job->hh.next)
        if (job->room_waits && strcmp(job->row->batch, room->name) == 0 && job->busy == BUSY_NOT &&
            !job->dropped && (!best || job->row->batch_index < best->row->batch_index))
            best = job;
    return best;
}

/* Its last item has ended here, or one has failed: no need to wait for the next look. */
static void wake_whole(struct engine *engine, const char *name)
{
    for (struct job *job = engine->jobs; job && !engine->closing; job = job->hh.next)
        if (batch_is_whole(job) && job->busy == BUSY_NOT && !job->dropped &&
            job->row->state == JOB_WORKING && strcmp(job->row->batch, name) == 0)
            schedule_in(job, 0);
}

/* Nobody is in it or wants to be. */
static void room_close(struct engine *engine, struct batch_room *room)
{
    if (room->active || room->waiting)
        return;
    wake_whole(engine, room->name);
    HASH_DEL(engine->rooms, room);
    mem_free(room->name);
    mem_free(room);
}

/* The place goes to the next one at once: two that leave in one turn must not wake the same. */
static void hand_on(struct engine *engine, struct batch_room *room)
{
    struct job *next = room->waiting && !engine->closing ? next_waiting(engine, room) : NULL;
    unsigned most;
    int stops;

    if (!next)
        return;
    most = most_of(next, &stops);
    if (room->has_failed && stops) {
        schedule_in(next, 0); /* it gives up its place in the queue, and the next one hears of it */
        return;
    }
    if (room->active >= most)
        return;
    next->room_waits = 0;
    room->waiting--;
    next->room = room;
    room->active++;
    schedule_in(next, 0);
}

static int has_failed(const struct job *job)
{
    enum job_state state = job->row->state;

    return state == JOB_FAILED || state == JOB_EXPIRED || state == JOB_UNKNOWN;
}

void batch_leave(struct job *job)
{
    struct engine *engine = job->engine;
    struct batch_room *room = job->room;

    if (job->room_waits) {
        HASH_FIND_STR(engine->rooms, job->row->batch, room);
        job->room_waits = 0;
        room->waiting--;
    } else if (room) {
        job->room = NULL;
        room->active--;
        if (!room->has_failed && has_failed(job)) {
            room->has_failed = 1;
            wake_whole(engine, room->name);
        }
    }
    if (!room)
        return;
    hand_on(engine, room);
    room_close(engine, room);
}

/* ---- the whole ---- */

/* The summary being gathered, page by page, and then written off the loop. Outlives its job. */
struct summing {
    struct job *job; /* NULL: gone */
    json_t *rows;
    json_t *pictures; /* paths, for the contact sheet */
    uint32_t after;
    json_t *summary; /* with the rows; the worker's, which writes it and lets go of it */
    char path[LIMIT_PATH];
    uint64_t bytes;
    int writes; /* off the loop */
    struct err err;
};

int batch_is_whole(const struct job *job)
{
    return job->row->batch && !job->row->batch_index;
}

static void summing_free(struct summing *it)
{
    if (it->job)
        it->job->summing = NULL;
    json_decref(it->summary);
    json_decref(it->rows);
    json_decref(it->pictures);
    mem_free(it);
}

void batch_words(const struct ledger_job *row, json_t *values)
{
    json_t *flow, *plan;
    int64_t planned;

    if (!row->batch || row->batch_index)
        return;
    flow = json_loads(row->flow ? row->flow : "{}", 0, NULL);
    plan = json_loads(row->plan ? row->plan : "{}", 0, NULL);
    planned = json_int(plan, "items", 0); /* until it has looked at its items once */
    json_decref(plan);
    json_object_set_new(values, "items", json_integer(json_int(flow, "count", planned)));
    json_object_set_new(values, "ended", json_integer(json_int(flow, "ended", 0)));
    json_object_set_new(values, "failed", json_integer(json_int(flow, "failed", 0)));
    json_object_set_new(values, "path",
                        json_string(row->files_count ? row->files[0].path : ""));
    json_decref(flow);
}

void batch_drop(struct job *job)
{
    /* The ledger calls nobody back whose job is gone; a worker does. */
    if (job->summing && job->summing->writes)
        job->summing->job = NULL;
    else if (job->summing)
        summing_free(job->summing);
    job->summing = NULL;
}

static void look_in(struct job *job, int64_t delay_ms)
{
    if (job_back(job) == 0)
        schedule_in(job, delay_ms);
}

static void look_again(struct job *job)
{
    look_in(job, LOOK_MS);
}

static json_t *row_json(const struct ledger_job *row)
{
    json_t *files = json_array();
    json_t *json;
    int ok = row->state == JOB_DONE || row->state == JOB_DELIVERED;

    for (size_t i = 0; i < row->files_count; i++)
        json_array_append_new(files, json_pack("{s:s, s:s, s:s}", "handle", row->files[i].handle,
                                               "path", row->files[i].path, "mime",
                                               row->files[i].mime));
    json = json_pack("{s:I, s:b, s:s, s:s, s:s, s:s, s:s?, s:o}", "index",
                     (json_int_t)row->batch_index, "ok", ok, "state", job_state_name(row->state),
                     "job", row->id, "tool", row->tool, "provider", row->provider, "model",
                     row->model, "files", files);
    if (json && row->error_text)
        json_object_set_new(json, "error", json_string(row->error_text));
    if (json && row->cost >= 0)
        json_object_set_new(json, "cost", json_pack("{s:f, s:s}", "amount", row->cost, "currency",
                                                    row->currency ? row->currency : "USD"));
    return json;
}

/* Thousands of rows take their time to become a text, and to be freed. */
static void write_summary(void *item)
{
    struct summing *it = item;
    char *text = json_dumps(it->summary, JSON_INDENT(1));

    json_decref(it->summary);
    it->summary = NULL;
    if (!text) {
        err_nomem(&it->err);
        return;
    }
    it->bytes = strlen(text);
    if (file_replace(it->path, text, it->bytes, 0644, &it->err))
        err_set(&it->err, it->err.kind, "the summary of the batch: %s", it->err.text);
    free(text);
}

static void finish(struct job *job)
{
    job->row->ended_ms = env_wall_ms(job->engine->env);
    job->row->progress = 1000;
    job_set_state(job, JOB_FETCHING);
    job_set_state(job, JOB_READY);
    fetch_finish(job);
}

/* "<summary without .json>.png"; 0: too long. */
static int sheet_path(const struct summing *it, char ret_path[LIMIT_PATH])
{
    int len = snprintf(ret_path, LIMIT_PATH, "%.*s.png", (int)strlen(it->path) - 5, it->path);

    return len > 0 && len < LIMIT_PATH;
}

static void sheet_made(void *ud, const struct imaging_result *result, const struct err *err)
{
    struct summing *it = ud;
    struct job *job = it->job;
    struct ledger_file facts = {.number = (uint32_t)job->row->files_count + 1};
    char path[LIMIT_PATH];
    struct stat status;

    job->busy = BUSY_NOT;
    if (err) /* an addition: without the module a batch has its summary all the same */
        env_log(job->engine->env, AHP_LOG_INFO, LOG_MEDIA, "%s has no contact sheet: %s",
                job->row->id, err->text);
    if (result && sheet_path(it, path) && stat(path, &status) == 0) {
        facts.width = (uint32_t)result->width;
        facts.height = (uint32_t)result->height;
        facts.bytes = (uint64_t)status.st_size;
        job_add_file(job, &facts, path, "image/png", "img_");
    }
    summing_free(it);
    if (job->dropped)
        look_again(job);
    else
        finish(job);
}

/* 0: sheet_made follows. */
static int make_sheet(struct summing *it)
{
    const char *paths[LIMIT_IMAGING_PICTURES];
    char path[LIMIT_PATH];
    struct imaging_job sheet = {.kind = IMAGING_SHEET, .pictures = paths, .output = path};
    struct err err;
    json_t *one;
    size_t index;

    json_array_foreach(it->pictures, index, one)
        paths[sheet.pictures_count++] = json_string_value(one);
    if (sheet.pictures_count < 2 || !sheet_path(it, path))
        return -1;
    it->writes = 0; /* what imaging runs ends with it, without a word */
    it->job->busy = BUSY_FILE;
    if (imaging_run(it->job->engine->imaging, &sheet, sheet_made, it, &err) == 0)
        return 0;
    it->job->busy = BUSY_NOT;
    return -1;
}

/* A full disk may have room again; but somebody waits to hear. */
static void not_written(struct job *job, const struct err *err)
{
    env_log(job->engine->env, AHP_LOG_WARN, LOG_MEDIA, "%s: %s", job->row->id, err->text);
    if (job->row->tries < LIMIT_RETRIES)
        look_in(job, schedule_backoff_ms(job->row->tries++));
    else
        job_end(job, JOB_FAILED, err);
}

static void summary_written(void *item, int32_t cancelled)
{
    struct summing *it = item;
    struct job *job = it->job;
    struct ledger_file facts = {.number = 1, .bytes = it->bytes};
    struct err err;

    if (!job) {
        summing_free(it);
        return;
    }
    job->busy = BUSY_NOT;
    if (!job->dropped && it->err.kind != ERR_NONE) {
        err = it->err;
        summing_free(it);
        not_written(job, &err);
        return;
    }
    if (job->dropped || cancelled || job->row->files_count ||
        job_add_file(job, &facts, it->path, "application/json", "sum_")) {
        summing_free(it);
        look_again(job);
        return;
    }
    if (make_sheet(it) == 0)
        return;
    summing_free(it);
    finish(job);
}

/* What the items came to, and those that never became jobs. */
static int compose(struct job *job, struct summing *it)
{
    json_t *request = json_loads(job->row->request, 0, NULL);
    json_t *bad = json_object_get(request, "invalid");
    json_int_t ok = 0;
    size_t index;
    json_t *one;

    json_array_foreach(it->rows, index, one)
        ok += json_is_true(json_object_get(one, "ok"));
    json_array_foreach(bad, index, one)
        json_array_append(it->rows, one);
    it->summary = json_pack("{s:b, s:O?, s:I, s:I, s:s, s:s, s:O}", "ok",
                            ok == (json_int_t)json_array_size(it->rows), "manifest",
                            json_object_get(request, "manifest"), "count",
                            (json_int_t)json_array_size(it->rows), "succeeded", ok, "batch",
                            job->row->batch, "job", job->row->id, "results", it->rows);
    json_decref(it->rows);
    it->rows = NULL;
    json_decref(request);
    snprintf(it->path, sizeof(it->path), "%s/%s-%s.json", job->dir, job->row->batch,
             job->row->id + 4);
    return it->summary ? 0 : -1;
}

static void add_pictures(struct summing *it, const struct ledger_job *row)
{
    for (size_t i = 0; i < row->files_count; i++)
        if (strncmp(row->files[i].mime, "image/", 6) == 0 &&
            json_array_size(it->pictures) < LIMIT_IMAGING_PICTURES)
            json_array_append_new(it->pictures, json_string(row->files[i].path));
}

static int next_page(struct summing *it);

static void page(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                 size_t jobs_count, const struct err *err)
{
    struct summing *it = ud;
    struct job *job = it->job;

    for (size_t i = 0; result == LEDGER_OK && i < jobs_count; i++) {
        json_array_append_new(it->rows, row_json(jobs[i]));
        add_pictures(it, jobs[i]);
        it->after = jobs[i]->batch_index;
    }
    if (result == LEDGER_OK && !job->dropped) {
        if (jobs_count == LIMIT_LIST && next_page(it) == 0)
            return;
        if (jobs_count < LIMIT_LIST && compose(job, it) == 0) {
            it->writes = 1;
            if (env_work(job->engine->env, it, write_summary, summary_written) == 0)
                return;
        }
    } else if (err) {
        env_log(job->engine->env, AHP_LOG_WARN, LOG_LEDGER, "%s: %s", job->row->id, err->text);
    }
    summing_free(it);
    look_again(job);
}

static int next_page(struct summing *it)
{
    struct ledger_query query = {.batch = it->job->row->batch, .batch_after = it->after,
                                 .limit = LIMIT_LIST};

    return ledger_find(it->job->engine->ledger, &query, page, it);
}

static void sum_up(struct job *job)
{
    struct summing *it = mem_alloc(sizeof(*it));

    if (it) {
        it->rows = json_array();
        it->pictures = json_array();
    }
    if (!it || !it->rows || !it->pictures) {
        if (it)
            summing_free(it);
        look_again(job);
        return;
    }
    it->job = job;
    job->summing = it;
    job->busy = BUSY_FILE;
    if (next_page(it)) {
        summing_free(it);
        look_again(job);
    }
}

/*
 * The first failure ends those that have not begun, unless the batch goes on whatever happens; a
 * person's wish ends those that have, too.
 */
static void stop_items(struct job *whole)
{
    int all = (whole->row->flags & LEDGER_JOB_CANCEL) != 0;
    struct engine *engine = whole->engine;
    struct job *job;
    struct job *next;

    HASH_ITER(hh, engine->jobs, job, next)
    {
        if (job->row->batch_index && strcmp(job->row->batch, whole->row->batch) == 0 &&
            (all ? job->row->state < JOB_READY
                 : job->row->state == JOB_PLANNED && job->busy == BUSY_NOT) &&
            !(job->row->flags & LEDGER_JOB_CANCEL))
            act_cancel(job);
    }
}

static void counted(void *ud, enum ledger_result result, const struct ledger_batch *batch,
                    const struct err *err)
{
    struct job *job = ud;
    /* The plan is short; the request may name thousands of items that made no sense. */
    json_t *plan = json_loads(job->row->plan ? job->row->plan : "{}", 0, NULL);
    int64_t count = json_int(plan, "items", 0);
    int stops = json_is_true(json_object_get(plan, "stops"));
    json_t *flow;
    char *text;

    json_decref(plan);
    job->busy = BUSY_NOT;
    if (result != LEDGER_OK || job->dropped || job->engine->stopping) {
        if (err)
            env_log(job->engine->env, AHP_LOG_WARN, LOG_LEDGER, "%s: %s", job->row->id, err->text);
        look_again(job);
        return;
    }
    if ((batch->failed && stops) || (job->row->flags & LEDGER_JOB_CANCEL))
        stop_items(job);
    flow = json_pack("{s:I, s:I, s:I}", "count", (json_int_t)count, "ended",
                     (json_int_t)(batch->items - batch->open), "failed",
                     (json_int_t)(batch->failed));
    text = flow ? json_dumps(flow, JSON_COMPACT) : NULL;
    json_decref(flow);
    if (text && job_text(&job->row->flow, text) == 0 && count > 0)
        job->row->progress = (int32_t)(1000 * (int64_t)(batch->items - batch->open) / count);
    free(text);
    watch_changed(job->engine, job);
    if (batch->open)
        look_again(job);
    else
        sum_up(job);
}

void batch_run(struct job *job)
{
    if (job->row->state == JOB_PLANNED) {
        job->row->submitted_ms = env_wall_ms(job->engine->env);
        job_set_state(job, JOB_WORKING);
        job_record(job, 0, batch_run);
        return;
    }
    job->busy = BUSY_RECORD;
    if (ledger_batch(job->engine->ledger, job->row->batch, counted, job))
        look_again(job);
}
