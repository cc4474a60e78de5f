/*
 * probe_plugin.h - what the two parts of the probe plugin share: probe_plugin.c, the instance and
 * its tools, and probe_jobs.c, the jobs of the tool `deliver` with their offers and receipts.
 */
#ifndef HOST_PROBE_PLUGIN_H
#define HOST_PROBE_PLUGIN_H

#include <jansson.h>

#include <ahp/calls.h>
#include <ahp/deliver.h>
#include <ahp/jobs.h>
#include <ahp/loop.h>

#define PATH_BYTES_MAX 4096

struct plugin {
    ahp_inst inst;
    ahp_jobs jobs_ext;
    const ahp_host *host;
    const ahp_loop *loop;
    const ahp_calls *calls;
    const ahp_deliver *deliver;
    char state_dir[PATH_BYTES_MAX];
    struct sleeper *sleepers;
    struct job *jobs;
    int jobs_count;
    int numbers; /* of jobs, so far */
    int is_stopping;
    ahp_timer *leaked;
};

ahp_text probe_text(const char *text);
void probe_complete(struct plugin *p, uint64_t id, int32_t status, const char *json,
                    const char *job);
int64_t probe_number(const json_t *args, const char *name, int64_t or_else);
/* 1 if the test has put that file into the state folder. */
int probe_is_told(const struct plugin *p, const char *what);

int32_t tool_deliver(struct plugin *p, const ahp_call *call, json_t *args);
int32_t jobs_receipt(struct plugin *p, const ahp_receipt *receipt);
/* The jobs that an earlier process left open; to be offered again. */
void jobs_load(struct plugin *p);
/* Forgets all; their files stay. */
void jobs_release(struct plugin *p);

#endif
