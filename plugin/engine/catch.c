/*
 * catch.c - where the body of an answer goes: base64 out of it into files, or all of it into one.
 * Files are "<prefix>-<job>-<n>.part" in the folder of the job's kind, so a later process finds
 * what this one left.
 */
#include "engine/engine_private.h"

#include "base/mem.h"

#include <string.h>

char *catch_stem(const struct job *job, uint32_t number)
{
    json_t *plan = json_loads(job->row->plan ? job->row->plan : "{}", 0, NULL);
    const char *prefix = json_string_value(json_object_get(plan, "prefix"));
    char *stem = mem_format("%s-%s-%u", prefix ? prefix : job->row->kind,
                            job->row->id + strlen("job_"), number);

    json_decref(plan);
    return stem;
}

static uint64_t bytes_max(const struct job *job)
{
    return strcmp(job->row->kind, "image") == 0 ? LIMIT_IMAGE_BYTES : LIMIT_VIDEO_BYTES;
}

static int part_open(struct job *job, unsigned slot, uint32_t number, struct err *err)
{
    char *stem = catch_stem(job, number);
    int rc;

    if (!stem)
        return err_nomem(err);
    rc = media_part_open(job->dir, stem, bytes_max(job), &job->catch.parts[slot], err);
    mem_free(stem);
    return rc;
}

static int blob_open(void *ud, unsigned number, struct err *err)
{
    struct job *job = ud;

    if (number >= LIMIT_BLOBS)
        return err_set(err, ERR_LIMIT, "the answer holds more than %d files", LIMIT_BLOBS);
    job->catch.open = number;
    return part_open(job, number, number + 1, err);
}

static int blob_write(void *ud, const void *data, size_t len, struct err *err)
{
    struct job *job = ud;

    return media_part_write(job->catch.parts[job->catch.open], data, len, err);
}

/* A run that is no proper base64 is kept out; whether that matters the adapter's choice shows. */
static int blob_close(void *ud, unsigned number, int complete, struct err *err)
{
    struct job *job = ud;

    (void)err;
    if (!complete) {
        media_part_abandon(job->catch.parts[number]);
        job->catch.parts[number] = NULL;
        job->catch.broken[number] = 1;
    }
    return 0;
}

static int text_begin(void *ud, const struct http_reply *head)
{
    struct job *job = ud;
    struct spill_sink sink = {blob_open, blob_write, blob_close, job};

    (void)head;
    if (spill_new(&sink, LIMIT_TEXT_BYTES, &job->catch.spill))
        return err_nomem(&job->catch.err);
    return 0;
}

static int text_write(void *ud, const void *data, size_t len)
{
    struct job *job = ud;

    return spill_feed(job->catch.spill, data, len, &job->catch.err);
}

static int file_begin(void *ud, const struct http_reply *head)
{
    struct job *job = ud;

    if (head->length > 0 && (uint64_t)head->length > bytes_max(job))
        return err_set(&job->catch.err, ERR_LIMIT,
                       "the file is larger than the %llu MiB that are allowed",
                       (unsigned long long)(bytes_max(job) >> 20));
    return part_open(job, 0, job->fetching, &job->catch.err);
}

static int file_write(void *ud, const void *data, size_t len)
{
    struct job *job = ud;

    return media_part_write(job->catch.parts[0], data, len, &job->catch.err);
}

const struct net_sink *catch_sink(struct job *job, enum http_answer answer,
                                  struct net_sink *ret_sink)
{
    /* What an earlier try left behind is of no use to this one. */
    catch_drop(job);
    memset(&job->catch.err, 0, sizeof(job->catch.err));
    ret_sink->ud = job;
    switch (answer) {
    case HTTP_ANSWER_MEDIA:
        ret_sink->begin = text_begin;
        ret_sink->write = text_write;
        return ret_sink;
    case HTTP_ANSWER_FILE:
        ret_sink->begin = file_begin;
        ret_sink->write = file_write;
        return ret_sink;
    case HTTP_ANSWER_TEXT:
        break;
    }
    return NULL;
}

int catch_finish(struct job *job, struct http_reply *reply, struct err *err)
{
    int answered = reply->outcome == HTTP_ANSWERED || reply->outcome == HTTP_TRUNCATED;

    if (reply->outcome == HTTP_SINK && job->catch.err.kind != ERR_NONE) {
        *err = job->catch.err;
        return -1;
    }
    if (!job->catch.spill || !answered)
        return 0;
    return spill_finish(job->catch.spill, &reply->text, &reply->text_len, &reply->blobs, err);
}

void catch_read(struct job *job)
{
    spill_free(job->catch.spill);
    job->catch.spill = NULL;
}

void catch_drop(struct job *job)
{
    catch_read(job);
    for (size_t i = 0; i < LIMIT_BLOBS; i++) {
        media_part_abandon(job->catch.parts[i]);
        job->catch.parts[i] = NULL;
        job->catch.broken[i] = 0;
    }
}

void catch_leave(struct job *job)
{
    for (size_t i = 0; i < LIMIT_BLOBS; i++) {
        media_part_leave(job->catch.parts[i]);
        job->catch.parts[i] = NULL;
    }
}

void catch_sweep(const struct job *job)
{
    char *stem = job->taken_up ? catch_stem(job, 0) : NULL;
    char *path = NULL;

    if (stem) {
        stem[strlen(stem) - 1] = '\0'; /* the number goes: "<prefix>-<job>-" */
        path = mem_format("%s/%s", job->dir, stem);
    }
    if (path)
        media_parts_sweep(path);
    if (job->turn && job->turn->step.parts)
        media_parts_sweep(job->turn->step.parts);
    mem_free(path);
    mem_free(stem);
}
