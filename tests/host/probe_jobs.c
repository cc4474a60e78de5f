/*
 * probe_jobs.c - the jobs of the probe plugin: a job is a file probe-<n>.json in the state folder
 * until its final receipt, so an offer that one process did not bring to an end is made again by
 * the next.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe_plugin.h"

#define JOBS_MAX 64
#define RETRY_MS 30

struct job {
    struct plugin *p;
    int number;
    int repeat;
    int is_open; /* an offer waits for its receipt */
    uint32_t attempt;
    json_t *record; /* key, reply_to, conversation, text, file, bytes */
    ahp_timer *timer;
    struct job *next;
};

static void job_path(const struct job *j, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%.4000s/probe-%d.json", j->p->state_dir, j->number);
}

static void job_free(struct job *j)
{
    struct job **at = &j->p->jobs;

    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    j->p->jobs_count--;
    j->p->loop->timer_free(j->timer);
    json_decref(j->record);
    free(j);
}

static const char *field(const struct job *j, const char *name)
{
    const char *text = json_string_value(json_object_get(j->record, name));

    return text != NULL ? text : "";
}

static void on_offer_again(void *ud)
{
    struct job *j = ud;
    struct plugin *p = j->p;
    ahp_file file = {.size = sizeof(file),
                     .name = "data \xE5\x9B\xBE.bin",
                     .mime = "application/octet-stream",
                     .handle = "bin_1"};
    const ahp_file *files[] = {&file};
    ahp_delivery d = {.size = sizeof(d), .kind = AHP_DELIVERY_RESULT};
    char job_id[32];
    int32_t rc;

    if (j->is_open)
        return;
    snprintf(job_id, sizeof(job_id), "job_%d", j->number);
    file.path = field(j, "file");
    file.bytes = (uint64_t)probe_number(j->record, "bytes", 0);
    d.attempt = ++j->attempt;
    d.key = probe_text(field(j, "key"));
    d.reply_to = probe_text(field(j, "reply_to"));
    d.conversation = probe_text(field(j, "conversation"));
    d.job_id = probe_text(job_id);
    d.text = probe_text(field(j, "text"));
    d.files = files;
    d.files_count = 1;
    rc = p->deliver->offer(p->host->ctx, &d);
    if (rc == AHP_OK)
        j->is_open = 1;
    else if (rc == AHP_E_LIMIT)
        p->loop->timer_at(j->timer, p->loop->now_ms(p->host->ctx) + RETRY_MS);
    else
        p->host->log(p->host->ctx, AHP_LOG_INFO, 1, "offer refused", 13);
}

static struct job *job_new(struct plugin *p, int n, json_t *record)
{
    struct job *j = calloc(1, sizeof(*j));

    if (j == NULL || p->loop->timer_new(p->host->ctx, &j->timer, on_offer_again, j) != AHP_OK) {
        free(j);
        json_decref(record);
        return NULL;
    }
    j->p = p;
    j->number = n;
    j->record = record;
    j->repeat = (int)probe_number(record, "repeat", 0);
    j->next = p->jobs;
    p->jobs = j;
    p->jobs_count++;
    if (n > p->numbers)
        p->numbers = n;
    if (probe_number(record, "held", 0) == 0)
        p->loop->timer_at(j->timer, 0);
    return j;
}

static int make_file(const char *path, int64_t bytes)
{
    FILE *f = fopen(path, "we");
    char block[4096];

    memset(block, 'm', sizeof(block));
    while (f != NULL && bytes > 0) {
        size_t n = bytes < (int64_t)sizeof(block) ? (size_t)bytes : sizeof(block);

        if (fwrite(block, 1, n, f) != n)
            break;
        bytes -= (int64_t)n;
    }
    return f != NULL && fclose(f) == 0 && bytes == 0 ? 0 : -1;
}

int32_t tool_deliver(struct plugin *p, const ahp_call *call, json_t *args)
{
    char file[PATH_BYTES_MAX];
    char path[PATH_BYTES_MAX];
    char answer[96];
    char key[64];
    int64_t bytes = probe_number(args, "bytes", 10);
    const char *text = json_string_value(json_object_get(args, "text"));
    int n = p->numbers + 1;
    json_t *record;
    struct job *j;

    if (p->state_dir[0] == '\0' || p->jobs_count >= JOBS_MAX)
        return AHP_E_INVALID;
    snprintf(file, sizeof(file), "%.4000s/probe-%d.bin", p->state_dir, n);
    snprintf(key, sizeof(key), "probe:job_%d:1", n);
    if (make_file(file, bytes) != 0)
        return AHP_E_FAILED;
    record = json_pack("{s:s, s:s%, s:s%, s:s, s:s, s:I, s:I}", "key", key, "reply_to",
                       call->reply_to.len > 0 ? call->reply_to.ptr : "", call->reply_to.len,
                       "conversation", call->conversation.ptr, call->conversation.len, "text",
                       text != NULL ? text : "here it is", "file", file, "bytes", (json_int_t)bytes,
                       "repeat", (json_int_t)probe_number(args, "repeat", 0));
    j = record != NULL ? job_new(p, n, record) : NULL;
    if (j == NULL)
        return AHP_E_NOMEM;
    job_path(j, path, sizeof(path));
    if (json_dump_file(record, path, 0) != 0)
        return AHP_E_FAILED;
    snprintf(key, sizeof(key), "job_%d", n);
    snprintf(answer, sizeof(answer), "{\"status\":\"submitted\",\"job\":\"%s\"}", key);
    probe_complete(p, call->id, AHP_RESULT_PENDING_JOB, answer, key);
    return AHP_OK;
}

int32_t jobs_receipt(struct plugin *p, const ahp_receipt *receipt)
{
    struct job *j = p->jobs;
    char path[PATH_BYTES_MAX];
    int64_t now = p->loop->now_ms(p->host->ctx);

    while (j != NULL && (strlen(field(j, "key")) != receipt->key.len ||
                         memcmp(field(j, "key"), receipt->key.ptr, receipt->key.len) != 0))
        j = j->next;
    if (j == NULL)
        return AHP_E_STALE;
    switch (receipt->outcome) {
    case AHP_RECEIPT_HELD: /* not to be offered again, by a later process neither */
        json_object_set_new(j->record, "held", json_integer(1));
        job_path(j, path, sizeof(path));
        json_dump_file(j->record, path, 0);
        return AHP_OK;
    case AHP_RECEIPT_LATER:
    case AHP_RECEIPT_UNKNOWN: /* this host drops repeats */
        j->is_open = 0;
        p->loop->timer_at(j->timer, now + (receipt->delay_ms > 0 ? receipt->delay_ms : RETRY_MS));
        return AHP_OK;
    default:
        break;
    }
    if (probe_is_told(p, "no-receipts"))
        return AHP_E_FAILED;
    if (j->repeat > 0) {
        j->repeat--;
        j->is_open = 0;
        p->loop->timer_at(j->timer, now);
        return AHP_OK;
    }
    job_path(j, path, sizeof(path));
    unlink(path);
    job_free(j);
    return AHP_OK;
}

void jobs_load(struct plugin *p)
{
    char path[PATH_BYTES_MAX];
    DIR *dir = p->state_dir[0] != '\0' ? opendir(p->state_dir) : NULL;
    struct dirent *d;

    while (dir != NULL && (d = readdir(dir)) != NULL) {
        json_t *record;
        int n;
        char rest;

        if (sscanf(d->d_name, "probe-%d.jso%c", &n, &rest) != 2)
            continue;
        snprintf(path, sizeof(path), "%.3800s/%.255s", p->state_dir, d->d_name);
        record = json_load_file(path, 0, NULL);
        if (record != NULL)
            job_new(p, n, record);
    }
    if (dir != NULL)
        closedir(dir);
}

void jobs_release(struct plugin *p)
{
    while (p->jobs != NULL)
        job_free(p->jobs);
}
