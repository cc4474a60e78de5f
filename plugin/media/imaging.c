/*
 * imaging.c - see imaging.h: the queue of picture jobs, and the opening of the module.
 *
 * The module is opened in two halves. Loading libvips and the libraries behind it takes tens of
 * milliseconds, so a dlopen off the loop does that, binds every symbol and has the true reason when
 * it fails. libltdl, which is not thread-safe and shared with hosts, then opens the same file on
 * the loop: all is mapped already, so it only adds its own, lasting, reference.
 *
 * The static pointer is this process's memory that the module is there. A failure is not
 * remembered: once the package is installed, the next picture finds it.
 */
#include "media/imaging.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <ltdl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#define MODULE_NAME "clawmedia-imaging"
#define PACKAGE "install the package clawmedia-imaging"

struct task {
    struct task *prev;
    struct task *next;
    struct imaging *imaging; /* NULL once it is gone */
    struct imaging_job job;
    struct arena arena; /* what the job points to */
    imaging_done_fn *done;
    void *ud;

    char path[LIMIT_PATH]; /* of the module */
    void *probe;           /* dlopen's */
    const struct imaging_module *module;
    struct imaging_work *work;
    int rc; /* of the last slice: as imaging_module.step */
    struct imaging_result result;
    struct err err;
};

struct imaging {
    struct env *env;
    struct task *queue;
    struct task *running;
    unsigned count;
    int is_stopping;
    int *gone; /* told to finish, when a callback frees all */
};

static const struct imaging_module *opened;
static const char *given_path;

void imaging_set_module(const char *path)
{
    given_path = path;
    opened = NULL;
}

/* Beside the plugin: "clawmedia<tail>.so" goes with "clawmedia-imaging<tail>.so" if there is one.
 */
static void find_module(char *ret_path)
{
    static const char stem[] = "clawmedia";
    const char *name;
    Dl_info self;
    int folder;

    if (given_path) {
        snprintf(ret_path, LIMIT_PATH, "%s", given_path);
        return;
    }
    snprintf(ret_path, LIMIT_PATH, "%s.so", MODULE_NAME);
    if (!dladdr(&opened, &self) || !self.dli_fname || !strchr(self.dli_fname, '/'))
        return;
    name = strrchr(self.dli_fname, '/') + 1;
    folder = (int)(name - self.dli_fname);
    if (strncmp(name, stem, strlen(stem)) == 0) {
        snprintf(ret_path, LIMIT_PATH, "%.*s%s%s", folder, self.dli_fname, MODULE_NAME,
                 name + strlen(stem));
        if (access(ret_path, R_OK) == 0)
            return;
    }
    snprintf(ret_path, LIMIT_PATH, "%.*s%s.so", folder, self.dli_fname, MODULE_NAME);
}

/* On any thread: maps it and all it needs. */
static void bind_module(struct task *task)
{
    const char *words;

    task->probe = dlopen(task->path, RTLD_NOW | RTLD_LOCAL);
    if (task->probe)
        return;
    words = dlerror();
    if (access(task->path, F_OK))
        err_set(&task->err, ERR_CONFIG, "masks, canvases and previews need a part that is not "
                "installed here: " PACKAGE " (looked for %s)", task->path);
    else
        err_set(&task->err, ERR_CONFIG, "masks, canvases and previews need a part that does not "
                "load: " PACKAGE " anew, or libvips42 (%.240s)", words ? words : "dlopen");
}

static int check_module(const struct imaging_module *module, const char *path, struct err *err)
{
    if (module && module->abi == IMAGING_ABI && strcmp(module->version, CLAWMEDIA_VERSION) == 0)
        return 0;
    return err_set(err, ERR_CONFIG, "%s is of version %s and this is %s: " PACKAGE " of the same "
                   "version", path, module ? module->version : "?", CLAWMEDIA_VERSION);
}

/* On the loop: what bind_module mapped is made to stay. */
static int open_module(struct task *task)
{
    const struct imaging_module *module = NULL;
    imaging_entry_fn *entry;
    lt_dlhandle handle = NULL;
    lt_dladvise advise;
    void *symbol;

    if (lt_dlinit() || lt_dladvise_init(&advise))
        return err_set(&task->err, ERR_CONFIG, "libltdl does not start");
    if (lt_dladvise_local(&advise) == 0 && lt_dladvise_resident(&advise) == 0)
        handle = lt_dlopenadvise(task->path, advise);
    lt_dladvise_destroy(&advise);
    symbol = handle ? lt_dlsym(handle, IMAGING_ENTRY) : NULL;
    if (symbol) {
        /* ISO C has no cast from an object pointer to a function pointer. */
        memcpy(&entry, &symbol, sizeof(entry));
        module = entry();
    }
    if (check_module(module, task->path, &task->err))
        return -1;
    opened = module;
    return 0;
}

static void task_free(struct task *task)
{
    if (task->work)
        task->module->close(task->work);
    if (task->probe)
        dlclose(task->probe);
    arena_done(&task->arena);
    mem_free(task);
}

/* A slice, on any thread. */
static void turn(void *item)
{
    struct task *task = item;

    if (!task->module)
        bind_module(task);
    else if (!task->work)
        task->rc = task->module->open(&task->job, &task->work, &task->err) ? -1 : 1;
    else
        task->rc = task->module->step(task->work, &task->result, &task->err);
}

static void turned(void *item, int32_t cancelled);

static int submit(struct task *task)
{
    task->module = opened;
    if (!opened)
        find_module(task->path);
    return env_work(task->imaging->env, task, turn, turned);
}

static int fail(struct task *task, enum err_kind kind, const char *text)
{
    task->rc = -1;
    return err_set(&task->err, kind, "%s", text);
}

/* What waits longest, if nothing runs: -1 when it cannot begin and is `running` all the same. */
static int begin(struct imaging *imaging)
{
    struct task *task = imaging->queue;

    if (imaging->running || !task)
        return 0;
    DL_DELETE(imaging->queue, task);
    imaging->running = task;
    task->rc = 1;
    if (imaging->is_stopping)
        return fail(task, ERR_CANCELLED, "the work on this picture was ended with the host");
    return submit(task) ? fail(task, ERR_NOMEM, "out of memory") : 0;
}

/* Ends the running task, and those behind it that cannot begin. Not from inside of imaging_run. */
static void finish(struct imaging *imaging)
{
    int is_gone = 0;

    imaging->gone = &is_gone;
    do {
        struct task *task = imaging->running;
        struct imaging_result result = task->result;
        struct err err = task->err;
        imaging_done_fn *done = task->done;
        void *ud = task->ud;
        int rc = task->rc;

        imaging->running = NULL;
        imaging->count--;
        task_free(task);
        done(ud, rc < 0 ? NULL : &result, rc < 0 ? &err : NULL);
        if (is_gone)
            return;
    } while (begin(imaging));
    imaging->gone = NULL;
}

/* On the loop, after each slice. */
static void turned(void *item, int32_t cancelled)
{
    struct task *task = item;

    if (!task->imaging) {
        task_free(task);
        return;
    }
    if (cancelled || task->imaging->is_stopping)
        fail(task, ERR_CANCELLED, "the work on this picture was ended with the host");
    else if (!task->module)
        task->rc = task->probe && open_module(task) == 0 ? 1 : -1;
    if (task->rc == 1 && submit(task))
        fail(task, ERR_NOMEM, "out of memory");
    else if (task->rc == 1)
        return;
    finish(task->imaging);
}

int imaging_new(struct env *env, struct imaging **ret_imaging)
{
    struct imaging *imaging = mem_alloc(sizeof(*imaging));

    if (!imaging)
        return -1;
    imaging->env = env;
    *ret_imaging = imaging;
    return 0;
}

static int copy_job(struct task *task, const struct imaging_job *job)
{
    struct arena *arena = &task->arena;
    struct imaging_job *copy = &task->job;
    struct imaging_region *regions;
    const char **pictures;

    *copy = *job;
    copy->picture = job->picture ? arena_text(arena, job->picture) : NULL;
    copy->mask = job->mask ? arena_text(arena, job->mask) : NULL;
    copy->result = job->result ? arena_text(arena, job->result) : NULL;
    copy->output = job->output ? arena_text(arena, job->output) : NULL;
    copy->output_mask = job->output_mask ? arena_text(arena, job->output_mask) : NULL;
    regions = arena_alloc(arena, (job->regions_count + 1) * sizeof(*regions));
    pictures = arena_alloc(arena, (job->pictures_count + 1) * sizeof(*pictures));
    if (!regions || !pictures)
        return -1;
    for (size_t i = 0; i < job->regions_count; i++)
        regions[i] = job->regions[i];
    for (size_t i = 0; i < job->pictures_count; i++)
        pictures[i] = arena_text(arena, job->pictures[i]);
    copy->regions = regions;
    copy->pictures = pictures;
    return arena->failed ? -1 : 0;
}

int imaging_run(struct imaging *imaging, const struct imaging_job *job, imaging_done_fn *done,
                void *ud, struct err *err)
{
    struct task *task;

    if (imaging->is_stopping)
        return err_set(err, ERR_CANCELLED, "the host is ending");
    if (imaging->count >= LIMIT_IMAGING_QUEUE)
        return err_set(err, ERR_LIMIT, "%d pictures are being worked on already: try again later",
                       LIMIT_IMAGING_QUEUE);
    if (job->regions_count > LIMIT_IMAGING_REGIONS)
        return err_field(err, "regions", "at most %d regions can be given", LIMIT_IMAGING_REGIONS);
    if (job->pictures_count > LIMIT_IMAGING_PICTURES)
        return err_field(err, "pictures", "at most %d pictures fit on a sheet",
                         LIMIT_IMAGING_PICTURES);
    task = mem_alloc(sizeof(*task));
    if (!task)
        return err_nomem(err);
    task->imaging = imaging;
    task->done = done;
    task->ud = ud;
    if (copy_job(task, job)) {
        task_free(task);
        return err_nomem(err);
    }
    DL_APPEND(imaging->queue, task);
    imaging->count++;
    if (begin(imaging)) {
        imaging->running = NULL;
        imaging->count--;
        task_free(task);
        return err_nomem(err);
    }
    return 0;
}

void imaging_stop(struct imaging *imaging)
{
    imaging->is_stopping = 1; /* the slice that runs now is the last */
}

void imaging_free(struct imaging *imaging)
{
    struct task *task;

    if (!imaging)
        return;
    if (imaging->gone)
        *imaging->gone = 1;
    while ((task = imaging->queue)) {
        DL_DELETE(imaging->queue, task);
        task_free(task);
    }
    if (imaging->running)
        imaging->running->imaging = NULL;
    mem_free(imaging);
}
