/*
 * module.c - clawmedia-imaging.so's only export, and the run of an operation's stages. libvips is
 * started by the first operation, with what it does not need switched off: readers that it calls
 * untrusted, its cache of operations (which would keep files open), its threads, its warnings on
 * the standard error stream. It is never shut down, since the module is never unloaded.
 *
 * What is process-wide about this: libvips itself, and GLib's handler for the log domain "VIPS". A
 * host that uses the same libvips.so for its own purposes shares them.
 */
#include "imaging/work.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int is_ready;

static void drop_message(const gchar *domain, GLogLevelFlags level, const gchar *message,
                         gpointer ud)
{
    (void)domain;
    (void)level;
    (void)message;
    (void)ud;
}

static void start_vips(void)
{
    g_log_set_handler("VIPS",
                      G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO |
                          G_LOG_LEVEL_DEBUG,
                      drop_message, NULL);
    if (vips_init("clawmedia"))
        return;
    vips_block_untrusted_set(TRUE);
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    vips_cache_set_max_mem(0);
    vips_cache_set_max_files(0);
    is_ready = 1;
}

static int check_job(const struct imaging_job *job, struct err *err)
{
    if (job->grow_px > LIMIT_IMAGING_GROW_PX || job->grow_px < -LIMIT_IMAGING_GROW_PX)
        return err_field(err, "grow_px", "a mask grows or shrinks by at most %d pixels",
                         LIMIT_IMAGING_GROW_PX);
    if (!(job->feather_px >= 0 && job->feather_px <= LIMIT_IMAGING_FEATHER_PX))
        return err_field(err, "feather_px", "a mask is feathered by 0 to %d pixels",
                         LIMIT_IMAGING_FEATHER_PX);
    if (!(job->blur_px >= 0 && job->blur_px <= LIMIT_IMAGING_FEATHER_PX))
        return err_field(err, "blur_px", "a background is blurred by 0 to %d pixels",
                         LIMIT_IMAGING_FEATHER_PX);
    if (job->width < 0 || job->height < 0 || job->width > LIMIT_IMAGING_SIDE ||
        job->height > LIMIT_IMAGING_SIDE ||
        (int64_t)job->width * job->height > (int64_t)LIMIT_IMAGING_PIXELS)
        return err_field(err, "width", "a picture of %d x %d pixels is more than can be made here",
                         job->width, job->height);
    if (job->regions_count > LIMIT_IMAGING_REGIONS)
        return err_field(err, "regions", "at most %d regions can be given", LIMIT_IMAGING_REGIONS);
    if (job->pictures_count > LIMIT_IMAGING_PICTURES || job->columns < 0 || job->cell_px < 0 ||
        job->columns > LIMIT_IMAGING_PICTURES || job->cell_px > LIMIT_IMAGING_CELL_PX)
        return err_field(err, "pictures", "a contact sheet holds at most %d pictures of %d pixels",
                         LIMIT_IMAGING_PICTURES, LIMIT_IMAGING_CELL_PX);
    return 0;
}

static void module_close(struct imaging_work *work)
{
    if (!work)
        return;
    png_out_abandon(work->out);
    png_out_abandon(work->out_mask);
    if (work->own)
        work->own_free(work->own);
    picture_close(&work->picture);
    picture_close(&work->other);
    sheet_close(&work->mask);
    sheet_close(&work->alpha);
    for (size_t i = 0; i < sizeof(work->rows) / sizeof(*work->rows); i++)
        mem_free(work->rows[i]);
    mem_free(work);
    /* What libvips keeps for this thread: it may be another one next time. */
    vips_thread_shutdown();
}

static int module_open(const struct imaging_job *job, struct imaging_work **ret_work,
                       struct err *err)
{
    typedef int open_fn(struct imaging_work *work, struct err *err);
    static open_fn *const operations[IMAGING_KINDS] = {
        [IMAGING_MASK_FILE] = mask_file_open,     [IMAGING_MASK_REGIONS] = mask_regions_open,
        [IMAGING_MASK_OBJECT] = mask_object_open, [IMAGING_MASK_ALPHA] = mask_alpha_open,
        [IMAGING_CANVAS] = canvas_open,           [IMAGING_COMPOSITE] = composite_open,
        [IMAGING_PREVIEW] = preview_open,         [IMAGING_FIT] = fit_open,
        [IMAGING_SHEET] = contact_open,
    };
    struct imaging_work *work;

    if (job->kind <= 0 || job->kind >= IMAGING_KINDS)
        return err_set(err, ERR_INTERNAL, "there is no such picture operation");
    pthread_once(&once, start_vips);
    if (!is_ready)
        return picture_vips_error(err, ERR_CONFIG, "libvips does not start");
    vips_error_clear();
    if (check_job(job, err))
        return -1;
    work = mem_alloc(sizeof(*work));
    if (!work)
        return err_nomem(err);
    work->job = job;
    if (operations[job->kind](work, err)) {
        module_close(work);
        return -1;
    }
    *ret_work = work;
    return 0;
}

static int module_step(struct imaging_work *work, struct imaging_result *ret_result,
                       struct err *err)
{
    int rc = work->stages[work->stage](work, err);

    if (rc == 0) {
        work->stage++;
        work->y = 0;
        rc = work->stage < work->stages_count;
        if (!rc)
            *ret_result = work->result;
    }
    vips_thread_shutdown();
    return rc;
}

static const struct imaging_module module = {
    .abi = IMAGING_ABI,
    .version = CLAWMEDIA_VERSION,
    .open = module_open,
    .step = module_step,
    .close = module_close,
};

__attribute__((visibility("default"))) const struct imaging_module *clawmedia_imaging_1(void);

const struct imaging_module *clawmedia_imaging_1(void)
{
    return &module;
}
