/* fit.c - a picture in another size: first frames, thumbnails. */
#include "imaging/work.h"

static int stage_open(struct imaging_work *work, struct err *err)
{
    return work_open_output(work, work->picture.width, work->picture.height, work->picture.bands,
                            NULL, err);
}

int fit_open(struct imaging_work *work, struct err *err)
{
    const struct imaging_job *job = work->job;
    struct picture_size size = {job->fit, job->width, job->height};

    if (job->width < 1 || job->height < 1)
        return err_field(err, "width", "no size was given");
    if (picture_open(&work->picture, job->picture, "picture", PICTURE_SRGB, &size, err))
        return -1;
    work->result.source_width = work->picture.file_width;
    work->result.source_height = work->picture.file_height;
    work->result.was_scaled = work->picture.file_width != work->picture.width ||
                              work->picture.file_height != work->picture.height;
    work_stage(work, stage_turn_picture);
    work_stage(work, stage_open);
    work_stage(work, stage_copy_picture);
    work_stage(work, stage_finish);
    return 0;
}
