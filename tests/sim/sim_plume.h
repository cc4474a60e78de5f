/*
 * What the files of the Plume provider share.
 *
 * Source of every shape: the published plume-image skill, version 2.1.0, its scripts and documents.
 * What those do not say (HTTP statuses, the price of veo, what a server refuses) is assumed, and is
 * a setting where an adapter might come to depend on it.
 */
#ifndef CLAWMEDIA_SIM_PLUME_H
#define CLAWMEDIA_SIM_PLUME_H

#include "sim.h"

#define PLUME_URL_MAX   512
#define PLUME_MEDIA     "/pics" /* stands for the host pics.useplume.app */
#define PLUME_BYTES_MAX (20u << 20)
#define PLUME_SLOTS     3 /* of veo's imageUrls */

/* A checked request for a task. */
struct plume_order {
    const char *category;
    const json_t *content;
    const char *mode; /* "" for the remove categories */
    bool video;
    int width;
    int height;
    int64_t seconds;
    int64_t price;
};

void plume_refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                  const char *message);
/* The success envelope around data. */
void plume_answer_take(struct sim_request *r, unsigned status, const char *code, json_t *data);
/* Address of a file on the media host, "path" from its first slash. */
void plume_url(struct sim_request *r, const char *path, char *url, size_t size);

/* Reads and checks the body; false: the answer is set. */
bool plume_order_read(struct sim_request *r, struct plume_order *o);
/* False unless the address is one that this server gave out; may be NULL. */
bool plume_knows_url(struct sim_request *r, const char *url);

void plume_task_create(struct sim_request *r);
void plume_task_get(struct sim_request *r);
void plume_task_batch(struct sim_request *r);
void plume_upload(struct sim_request *r);
void plume_result_file(struct sim_request *r);
void plume_upload_file(struct sim_request *r);

/* Puts the results of a job that is accepted among the served files. */
void plume_files_new(struct sim_request *r, struct sim_job *j, const struct plume_order *o);
/* Member `result` of an ended task: an object, a text or null, as the settings ask. */
json_t *plume_result(struct sim_request *r, struct sim_job *j, int status);

#endif
