/*
 * jobs.h - "ahp.jobs/1", optional, plugin side: a host gets it from ahp_inst.ext(self, AHP_JOBS_1).
 * It tells a host that runs only while there is something to do when that is.
 *
 * And a convention, for hosts that show jobs to their users: a tool with the flag AHP_TOOL_JOBS
 * takes these arguments and answers so, beside whatever else it can do.
 *
 *   {"action": "list", "limit": N}     json has "jobs": rows with "job", "state", "age_seconds"
 * and, of what is finished, "files": rows with "path", "mime", "bytes". With "files": true only
 * those that have files. States that nothing follows: done, delivered, undeliverable, failed,
 * expired, unknown, cancelled.
 *   {"action": "wait", "job": ID, "wait_seconds": N}
 *                                      the result of the job, as the call that began it would have
 * got it; AHP_RESULT_PENDING_JOB when it works on after that time, at once for 0. json has
 * "created_at" and "updated_at", ISO 8601.
 *   {"action": "cancel", "job": ID}    ends the job, maybe later; AHP_RESULT_ERROR when it cannot
 * be.
 *
 * A result that is about a job has its id as job_id; one about a job that is not known has none.
 */
#ifndef AHP_JOBS_H
#define AHP_JOBS_H

#include "ahp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AHP_JOBS_1 "ahp.jobs/1"

typedef struct ahp_jobs {
    uint32_t size;
    uint32_t reserved; /* 0 */

    /*
     * How many jobs and deliveries this host could still bring to an end: those that another
     * process is working on count, those that wait for another host or for a person do not.
     * -1: not known yet, just after start. Cheap: it may be asked on every turn. [loop], from start
     * until stop.
     */
    int64_t (*unfinished)(void *self);
} ahp_jobs;

#ifdef __cplusplus
}
#endif

#endif
