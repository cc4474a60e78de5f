/* job_copy.c - the words for states, and copies of jobs. */
#include "ledger/ledger.h"

#include "base/mem.h"
#include "ledger/row.h"

#include <string.h>

static const char *const job_states[JOB_STATES] = {
    [JOB_PLANNED] = "planned",
    [JOB_UPLOADING] = "uploading",
    [JOB_SUBMITTING] = "submitting",
    [JOB_WORKING] = "working",
    [JOB_FETCHING] = "fetching",
    [JOB_READY] = "ready",
    [JOB_DELIVERING] = "delivering",
    [JOB_DELIVERED] = "delivered",
    [JOB_DONE] = "done",
    [JOB_FAILED] = "failed",
    [JOB_CANCELLED] = "cancelled",
    [JOB_EXPIRED] = "expired",
    [JOB_UNKNOWN] = "unknown",
    [JOB_UNDELIVERABLE] = "undeliverable",
};

static const char *const delivery_states[DELIVERY_STATES] = {
    [DELIVERY_PENDING] = "pending", [DELIVERY_OFFERED] = "offered", [DELIVERY_HELD] = "held",
    [DELIVERY_DONE] = "done",       [DELIVERY_UNKNOWN] = "unknown", [DELIVERY_REFUSED] = "refused",
};

const char *job_state_name(enum job_state state)
{
    return (unsigned)state < JOB_STATES ? job_states[state] : "?";
}

int job_state_by_name(const char *name, enum job_state *ret_state)
{
    for (int state = 0; state < JOB_STATES; state++) {
        if (strcmp(name, job_states[state]) == 0) {
            *ret_state = (enum job_state)state;
            return 0;
        }
    }
    return -1;
}

const char *delivery_state_name(enum delivery_state state)
{
    return (unsigned)state < DELIVERY_STATES ? delivery_states[state] : "?";
}

/* A list of records, zeroed first so that ledger_job_free can take a half-made one. */
static int copy_list(const struct table *table, void **ret_list, size_t *ret_count,
                     const void *from, size_t count)
{
    char *list;

    if (count == 0)
        return 0;
    list = mem_alloc(count * table->record_bytes);
    if (!list)
        return -1;
    *ret_list = list;
    *ret_count = count;
    for (size_t i = 0; i < count; i++)
        if (row_copy(table, list + i * table->record_bytes,
                     (const char *)from + i * table->record_bytes))
            return -1;
    return 0;
}

int ledger_job_copy(const struct ledger_job *job, struct ledger_job **ret_job)
{
    struct ledger_job *copy = mem_alloc(sizeof(*copy));
    void *files = NULL;
    void *deliveries = NULL;
    size_t files_count = 0;
    size_t deliveries_count = 0;
    int fails;

    if (!copy)
        return -1;
    fails = row_copy(&table_jobs, copy, job) ||
            copy_list(&table_files, &files, &files_count, job->files, job->files_count) ||
            copy_list(&table_deliveries, &deliveries, &deliveries_count, job->deliveries,
                      job->deliveries_count);
    copy->files = files;
    copy->files_count = files_count;
    copy->deliveries = deliveries;
    copy->deliveries_count = deliveries_count;
    if (!fails && job->upload_key && job->upload_url) {
        copy->upload_key = mem_text(job->upload_key);
        copy->upload_url = mem_text(job->upload_url);
        copy->upload_until_ms = job->upload_until_ms;
        fails = !copy->upload_key || !copy->upload_url;
    }
    if (fails) {
        ledger_job_free(copy);
        return -1;
    }
    *ret_job = copy;
    return 0;
}

void ledger_job_free(struct ledger_job *job)
{
    if (!job)
        return;
    for (size_t i = 0; i < job->files_count; i++)
        row_free(&table_files, &job->files[i]);
    for (size_t i = 0; i < job->deliveries_count; i++)
        row_free(&table_deliveries, &job->deliveries[i]);
    mem_free(job->files);
    mem_free(job->deliveries);
    mem_free(job->upload_key);
    mem_free(job->upload_url);
    row_free(&table_jobs, job);
    mem_free(job);
}
