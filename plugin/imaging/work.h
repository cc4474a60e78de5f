/*
 * work.h - one operation in progress: a list of stages, each run slice by slice until it says that
 * it is through. A stage keeps its place in `y`, which is 0 when it begins. What an operation opens
 * it puts into the work, whose end closes it, however that end comes.
 */
#ifndef IMAGING_WORK_H
#define IMAGING_WORK_H

#include "imaging/picture.h"
#include "imaging/png_out.h"
#include "imaging/sheet.h"
#include "media/imaging.h"

/* 1: call again, 0: through, -1: failed. */
typedef int stage_fn(struct imaging_work *work, struct err *err);

#define STAGES_MAX 16

struct imaging_work {
    const struct imaging_job *job;
    stage_fn *stages[STAGES_MAX];
    size_t stages_count;
    size_t stage;
    int y;

    struct picture picture;
    struct picture other; /* a result or a mask file */
    struct sheet mask;    /* 1 band */
    struct sheet alpha;   /* of a mask file, 1 band */
    int alpha_min;
    int negate; /* the mask is to be turned around before it is refined */

    struct png_out *out;
    struct png_out *out_mask;
    uint8_t *rows[3]; /* of a slice; work_rows */
    void *own;        /* of one operation */
    void (*own_free)(void *own);

    struct imaging_result result;
};

void work_stage(struct imaging_work *work, stage_fn *stage);

/* Space for a slice of rows of so many bytes in rows[i]: 0, or -1 with ERR_NOMEM. */
int work_rows(struct imaging_work *work, int i, int width, int bands, int height,
              struct err *err);

/* Opens work->picture as stored, and says its size in the result. */
int work_open_picture(struct imaging_work *work, struct err *err);

/* Opens work->other, which must be the canonical mask of work->picture. */
int work_open_mask(struct imaging_work *work, struct picture *mask, struct err *err);

/* Opens `out`, and says its size in the result. `like`: whose colours it has, or NULL. */
int work_open_output(struct imaging_work *work, int width, int height, int bands,
                     const struct picture *like, struct err *err);

/* Stages that several operations share. */
int stage_load_picture(struct imaging_work *work, struct err *err); /* into its sheet */
int stage_turn_picture(struct imaging_work *work, struct err *err); /* only if it lies askew */
int stage_turn_other(struct imaging_work *work, struct err *err);
int stage_copy_picture(struct imaging_work *work, struct err *err); /* picture -> out */
int stage_finish(struct imaging_work *work, struct err *err);       /* out and out_mask */

/* refine.c: negate, grow, feather work->mask, then write it as `output`. */
void refine_stages(struct imaging_work *work);
int stage_blur_rows(struct imaging_work *work, struct err *err);
int stage_blur_columns(struct imaging_work *work, struct err *err);

/* Each checks the job, opens what it needs, and lists its stages. */
int mask_file_open(struct imaging_work *work, struct err *err);
int mask_regions_open(struct imaging_work *work, struct err *err);
int mask_object_open(struct imaging_work *work, struct err *err);
int mask_alpha_open(struct imaging_work *work, struct err *err);
int canvas_open(struct imaging_work *work, struct err *err);
int composite_open(struct imaging_work *work, struct err *err);
int preview_open(struct imaging_work *work, struct err *err);
int fit_open(struct imaging_work *work, struct err *err);
int contact_open(struct imaging_work *work, struct err *err);

#endif
