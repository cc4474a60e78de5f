/*
 * edit.h - between edit.c and edit_args.c: the arguments of edit_image that speak of parts of a
 * picture, as a job for media/imaging.h.
 */
#ifndef TOOLS_EDIT_H
#define TOOLS_EDIT_H

#include "media/imaging.h"
#include "tools/tool.h"

enum edit_operation {
    EDIT_WHOLE, /* the picture is sent as it is */
    EDIT_INPAINT,
    EDIT_OUTPAINT,
    EDIT_OBJECT,
};

struct edit_regions {
    struct imaging_region list[LIMIT_IMAGING_REGIONS];
};

enum edit_operation edit_operation_of(const json_t *args);

/* All but paths. `regions` must live as long as the job. ERR_INVALID with the argument's name. */
int edit_job(const json_t *args, enum edit_operation operation, struct imaging_job *ret_job,
             struct edit_regions *regions, struct err *err);

#endif
