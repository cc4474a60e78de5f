/*
 * record.c - the small file that an adapter wants other programs of its service to find, such as
 * the address of the last result. Written off the loop when the files of a job are here and before
 * they are delivered: a new file, rename. It is a courtesy: when it fails, the log says so and the
 * job goes on. A job that is taken up again before it is READY writes it once more.
 */
#include "engine/engine_private.h"

#include "base/crash.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_MAX 32

struct recording {
    struct job *job;
    job_then_fn *then;
    char *path;
    char *text;
    struct err err;
};

static void recording_free(struct recording *it)
{
    mem_free(it->path);
    free(it->text);
    mem_free(it);
}

/*
 * Hosts of chats begin a conversation's key with the channel's name and a slash; "" for others. It
 * becomes part of a file's name, so it has to look like one.
 */
static void channel_of(const char *conversation, char *ret_channel)
{
    size_t len = conversation ? strcspn(conversation, "/") : 0;

    ret_channel[0] = '\0';
    if (!len || len > CHANNEL_MAX || !conversation[len])
        return;
    for (size_t i = 0; i < len; i++)
        if (!((conversation[i] >= '0' && conversation[i] <= '9') ||
              ((conversation[i] | 32) >= 'a' && (conversation[i] | 32) <= 'z') ||
              conversation[i] == '-' || conversation[i] == '_'))
            return;
    memcpy(ret_channel, conversation, len);
    ret_channel[len] = '\0';
}

/* Off the loop: touches nothing but its item. */
static void write_file(void *item)
{
    struct recording *it = item;

    file_replace(it->path, it->text, strlen(it->text), 0600, &it->err);
}

static void written(void *item, int32_t cancelled)
{
    struct recording *it = item;
    struct job *job = it->job;
    struct engine *engine = job->engine;
    job_then_fn *then = it->then;

    crash_point("noted", job->row->id);
    if (it->err.kind != ERR_NONE)
        env_log(engine->env, AHP_LOG_WARN, LOG_MEDIA, "%s: %s", job->row->id, it->err.text);
    recording_free(it);
    if (job_back(job))
        return;
    if (cancelled) {
        schedule_in(job, 1000); /* fetch_start finds all files there and comes here again */
        engine_idle_check(engine);
    } else {
        then(job);
    }
}

static struct recording *recording_new(struct job *job, const struct provider *adapter)
{
    const struct ledger_job *row = job->row;
    char channel[CHANNEL_MAX + 1];
    struct provider_record facts = {
        .channel = channel,
        .kind = row->kind,
        .task = row->provider_job ? row->provider_job : "",
        .url = row->files[0].url ? row->files[0].url : "",
        .path = row->files[0].path,
        .now_ms = env_wall_ms(job->engine->env),
    };
    struct recording *it = mem_alloc(sizeof(*it));
    struct arena arena = {0};
    const char *name = NULL;
    json_t *json;

    channel_of(row->conversation, channel);
    json = adapter->record(&facts, &arena, &name);
    if (it && json && name) {
        it->path = mem_format("%s/%s", config_media_dir(job->engine->config), name);
        it->text = json_dumps(json, JSON_COMPACT);
    }
    json_decref(json);
    arena_done(&arena);
    if (it && it->path && it->text)
        return it;
    if (it)
        recording_free(it);
    return NULL;
}

int record_start(struct job *job, job_then_fn *then)
{
    struct err err;
    const struct config_provider *provider = job_provider(job, &err);
    struct recording *it;

    if (!provider || !provider->adapter->record || !job->row->files_count)
        return 0;
    it = recording_new(job, provider->adapter);
    if (!it)
        return 0;
    it->job = job;
    it->then = then;
    job->busy = BUSY_FILE;
    if (env_work(job->engine->env, it, write_file, written) == 0)
        return 1;
    job->busy = BUSY_NOT;
    recording_free(it);
    return 0;
}
