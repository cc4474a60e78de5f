/*
 * Plume tasks: create, look at one, look at several. A task is a job of the simulator; what an
 * ended one shows is in sim_plume_result.c.
 */
#include "sim_plume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ID  48213
#define BATCH_MAX 100

enum { INITIALIZED = 1, PROCESSING, SUCCESS, FAILED, TIMEOUT, CANCELLED, NEWER = 9 };

static int ended_status(const struct sim_job *j)
{
    static const struct {
        const char *word;
        int status;
    } ends[] = {{"success", SUCCESS}, {"failed", FAILED},       {"failed_text", FAILED},
                {"timeout", TIMEOUT}, {"cancelled", CANCELLED}, {"unknown", NEWER}};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (strcmp(ends[i].word, j->settings.plume_end) == 0)
            return ends[i].status;
    }
    return SUCCESS;
}

static int status_of(struct sim_job *j)
{
    int percent;
    switch (sim_job_look(j, &percent)) {
    case SIM_QUEUED:
        return INITIALIZED;
    case SIM_RUNNING:
        return PROCESSING;
    case SIM_FAILED:
        return FAILED;
    default:
        return ended_status(j);
    }
}

static json_t *id_json(const struct sim_job *j)
{
    int64_t n;
    if (sim_parse_int(j->id, 0, INT64_MAX, &n) == 0)
        return json_integer((json_int_t)n);
    return json_string(j->id);
}

static bool odd_is(const struct sim_job *j, const char *word)
{
    return strcmp(j->settings.plume_odd, word) == 0;
}

/* The object of 4.2, or what the setting plume_odd makes of it. */
static json_t *task_json(struct sim_request *r, struct sim_job *j)
{
    int status = status_of(j);

    if (odd_is(j, "data_null"))
        return json_null();
    json_t *o = json_pack("{s:o,s:s,s:i,s:i,s:o,s:I}", "id", id_json(j), "category", j->model,
                          "type", 2, "status", status, "result",
                          status >= SUCCESS ? plume_result(r, j, status) : json_null(),
                          "credits_cost", (json_int_t)j->price);
    if (odd_is(j, "status_text"))
        json_object_set_new(o, "status", json_string(status >= SUCCESS ? "success" : "processing"));
    else if (odd_is(j, "status_number_text"))
        json_object_set_new(o, "status", json_sprintf("%d", status));
    else if (odd_is(j, "no_status"))
        json_object_del(o, "status");
    return o;
}

static void answer_created(struct sim_request *r, struct sim_job *j)
{
    json_t *o =
        json_pack("{s:o,s:i,s:I,s:s,s:s}", "id", id_json(j), "status", INITIALIZED, "credits_cost",
                  (json_int_t)j->price, "category", j->model, "created_at", "2026-03-18T09:12:44Z");
    json_object_set(o, "title", json_object_get(r->fields, "title"));
    if (odd_is(j, "created_null")) {
        json_decref(o);
        o = json_null();
    }
    plume_answer_take(r, 201, "CREATED", o);
    r->answer.delay_ms += j->settings.video_delay_ms;
}

void plume_task_create(struct sim_request *r)
{
    struct plume_order o;
    char id[SIM_ID_MAX];

    if (!plume_order_read(r, &o))
        return;
    if (strcmp(r->settings.plume_account, "none") == 0) {
        sim_refuse(r, 404, "CREDITS_ACCOUNT_NOT_FOUND", NULL, "credit account not found");
        return;
    }
    if (!sim_charge(r, o.price))
        return;
    sim_copy_text(r->model, sizeof r->model, o.category);
    long long number = FIRST_ID + (long long)++r->sim->ids;
    snprintf(id, sizeof id, strcmp(r->settings.plume_odd, "id_text") == 0 ? "t_%lld" : "%lld",
             number);
    struct sim_job *j = sim_job_named(r, "plume", id);
    const char *prompt = json_string_value(json_object_get(o.content, "prompt"));
    free(j->prompt);
    j->prompt = sim_strdup(prompt ? prompt : "");
    j->width = o.width;
    j->height = o.height;
    j->seconds = o.seconds;
    j->price = o.price;
    plume_files_new(r, j, &o);
    answer_created(r, j);
}

static struct sim_job *own_job(struct sim_request *r, const char *id)
{
    struct sim_job *j = sim_job_find(r->sim, id);
    if (!j || j->account != r->account || strcmp(j->family, "plume") != 0)
        return NULL;
    return j;
}

void plume_task_get(struct sim_request *r)
{
    struct sim_job *j = own_job(r, r->args[0]);

    if (!j) {
        sim_refuse(r, 404, "NOT_FOUND", NULL, "task '%.64s' not found", r->args[0]);
        return;
    }
    j->polls++;
    sim_copy_text(r->job, sizeof r->job, j->id);
    if (odd_is(j, "not_object"))
        sim_answer_json_take(r, 200, json_pack("[s]", "a list where an object should be"));
    else
        plume_answer_take(r, 200, "SUCCESS", task_json(r, j));
}

/* ?ids=1,2,3: unknown ids are left out. */
void plume_task_batch(struct sim_request *r)
{
    const char *ids = sim_request_query(r, "ids");
    json_t *list = json_array();
    char *copy = sim_strdup(ids ? ids : ""), *rest = copy, *id;

    while ((id = strsep(&rest, ",")) != NULL && json_array_size(list) < BATCH_MAX) {
        struct sim_job *j = own_job(r, id);
        if (!j)
            continue;
        j->polls++;
        json_array_append_new(list, task_json(r, j));
    }
    free(copy);
    if (ids) {
        plume_answer_take(r, 200, "SUCCESS", list);
    } else {
        json_decref(list);
        sim_refuse(r, 400, "VALIDATION_ERROR", "ids", "ids is required");
    }
}
