/*
 * restore.c - after an inpaint: outside of the mask the picture's own pixels are put back into the
 * result, which a provider gives back altered as a whole. The plan says from which files. What the
 * provider made stays beside it, under the name that every result has: should the process end
 * before the ledger knows of the new file, that is where the next one begins again.
 *
 * A result that cannot be laid over its picture is delivered as it is, and the words say why.
 */
#include "engine/engine_private.h"

#include "base/crash.h"
#include "base/mem.h"

#include <string.h>
#include <sys/stat.h>

struct restoring {
    struct media_facts facts; /* of what the provider made */
    char *path;
    char *output;
};

static void restoring_free(struct restoring *it)
{
    if (!it)
        return;
    mem_free(it->path);
    mem_free(it->output);
    mem_free(it);
}

void restore_drop(struct job *job)
{
    restoring_free(job->restoring);
    job->restoring = NULL;
}

static void keep_as_it_is(struct job *job, const struct err *err)
{
    struct restoring *it = job->restoring;

    env_log(job->engine->env, AHP_LOG_WARN, LOG_MEDIA, "%s: file %u: %s", job->row->id,
            job->fetching, err->text);
    if (job->fetch_err.kind == ERR_NONE)
        err_set(&job->fetch_err, err->kind, "the picture's own pixels could not be put back around "
                "the change: %s", err->text);
    job->restoring = NULL; /* the next file may need one of its own */
    fetch_have(job, &it->facts, it->path);
    restoring_free(it);
}

/* The host ends: what the provider made is adopted later, and this begins anew. */
static void put_off(struct job *job)
{
    restore_drop(job);
    schedule_in(job, 1000);
    engine_idle_check(job->engine);
}

static void restored(void *ud, const struct imaging_result *result, const struct err *err)
{
    struct job *job = ud;
    struct media_facts facts = {.kind = MEDIA_IMAGE, .mime = "image/png", .extension = "png"};
    struct restoring *it = job->restoring;
    struct stat st;

    if (job_back(job))
        return;
    if (err && err->kind == ERR_CANCELLED) {
        put_off(job);
        return;
    }
    if (err) {
        keep_as_it_is(job, err);
        return;
    }
    crash_point("restored", job->row->id);
    facts.width = (uint32_t)result->width;
    facts.height = (uint32_t)result->height;
    facts.bytes = stat(it->output, &st) == 0 ? (uint64_t)st.st_size : 0;
    job->restoring = NULL;
    fetch_have(job, &facts, it->output);
    restoring_free(it);
}

static int run(struct job *job, const json_t *files, struct err *err)
{
    struct restoring *it = job->restoring;
    struct imaging_job task = {
        .kind = IMAGING_COMPOSITE,
        .picture = json_string_value(json_object_get(files, "picture")),
        .mask = json_string_value(json_object_get(files, "mask")),
        .result = it->path,
        .output = it->output,
    };

    job->busy = BUSY_FILE;
    if (imaging_run(job->engine->imaging, &task, restored, job, err) == 0)
        return 0;
    job->busy = BUSY_NOT;
    return -1;
}

int restore_begin(struct job *job, const struct media_facts *facts, const char *path)
{
    json_t *plan = json_loads(job->row->plan ? job->row->plan : "{}", 0, NULL);
    const json_t *files = json_object_get(plan, "restore");
    const char *dot = strrchr(path, '.');
    struct restoring *it = NULL;
    struct err err;
    int begun = 0;

    if (!files || facts->kind != MEDIA_IMAGE)
        goto out;
    it = mem_alloc(sizeof(*it));
    if (!it)
        goto out; /* as it came is better than not at all */
    restore_drop(job);
    job->restoring = it;
    it->facts = *facts;
    it->path = mem_text(path);
    it->output = mem_format("%.*s-restored.png", dot ? (int)(dot - path) : (int)strlen(path), path);
    begun = 1;
    if (!it->path || !it->output) {
        restore_drop(job);
        begun = 0;
    } else if (run(job, files, &err)) {
        if (err.kind == ERR_CANCELLED)
            put_off(job);
        else
            keep_as_it_is(job, &err);
    }
out:
    json_decref(plan);
    return begun;
}
