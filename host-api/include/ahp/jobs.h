/*
 * jobs.h - "ahp.jobs/1", optional, plugin side: a host gets it from ahp_inst.ext(self, AHP_JOBS_1).
 * It tells a host that runs only while there is something to do when that is.
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
