/*
 * imaging.h - pictures that must be looked into: masks, canvases, composites, previews. The work is
 * done by clawmedia-imaging.so, which alone links libvips. The core opens it through libltdl when
 * the first picture needs it; without it (or without libvips) imaging_run's callback gets one error
 * that names the package to install, and everything else works.
 *
 * What a mask means, everywhere here: 8-bit grey, as large as the displayed picture, 255 = change,
 * 0 = keep, between = a soft edge. Pictures are taken as displayed: EXIF orientation is applied.
 * Every file made is a PNG, written as "<path>.part" and renamed when it is whole.
 *
 * Memory: pictures stream through in strips. What cannot stream (a turned picture, a mask that is
 * grown, a canvas that mirrors) lies in a nameless file beside the output once it is larger than
 * LIMIT_IMAGING_MEMORY. Formats that their decoders hold whole (WebP, GIF, HEIC, AVIF, progressive
 * JPEG, interlaced PNG) have the lower LIMIT_IMAGING_WHOLE_PIXELS, and are decoded in one slice.
 * Both limits are checked from the header.
 *
 * Threads: work goes through env_work in slices of some milliseconds, one picture at a time for
 * each instance. The module starts no thread, and avoids libvips's: pixels are pulled in the
 * calling thread, never by libvips's thread pool, and written by libpng. What is left
 * (libvips 8.14, measured in tests/imaging/test_module.py): to read WebP, and to enlarge a picture,
 * libvips copies something through its pool of a worker or two, which wait for more and end by
 * themselves after 15 s. The decoders of WebP, HEIC and AVIF start their own and join them before a
 * slice ends.
 */
#ifndef MEDIA_IMAGING_H
#define MEDIA_IMAGING_H

#include "base/env.h"
#include "base/err.h"
#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

enum imaging_kind {
    /*
     * mask -> output: canonical, for `picture`. The mask file may be any picture: if its alpha is
     * not opaque everywhere, transparent = change; else white = change. A size of the same shape is
     * scaled, another shape is refused. invert, then grow_px, then feather_px are applied.
     */
    IMAGING_MASK_FILE = 1,
    /* regions of `picture` united -> output, canonical; the same refinements. */
    IMAGING_MASK_REGIONS,
    /* `picture`'s object (or its background) -> output, canonical; the same refinements. */
    IMAGING_MASK_OBJECT,
    /* `mask`, canonical -> output: RGBA whose alpha is 255 - mask. Scaled to width x height if set.
     */
    IMAGING_MASK_ALPHA,
    /* `picture` on a larger canvas -> output, and output_mask: canonical, what is new. */
    IMAGING_CANVAS,
    /*
     * Where `mask` is 0 the pixels of `picture`, equal in every byte; where it is 255 those of
     * `result`; a mix between -> output. A result of the same shape but another size is scaled,
     * another shape is ERR_INVALID. The output keeps the picture's colour profile.
     */
    IMAGING_COMPOSITE,
    /* `picture` with what `mask` would change tinted -> output, at most width x height if set. */
    IMAGING_PREVIEW,
    /* `picture` -> output with width x height, as `fit` says; colours converted to sRGB. */
    IMAGING_FIT,
    /* pictures[] in a grid -> output. One that cannot be read is a grey field. */
    IMAGING_SHEET,
    IMAGING_KINDS
};

enum imaging_shape { IMAGING_RECT, IMAGING_ELLIPSE };

/* A part of the picture: covers width x height pixels from x, y. Clipped; wholly outside: refused.
 */
struct imaging_region {
    enum imaging_shape shape;
    int percent; /* x and width are percent of the picture's width, y and height of its height */
    double x;
    double y;
    double width;
    double height;
};

enum imaging_select {
    IMAGING_BY_BACKDROP, /* object: what differs from the backdrop colour by `tolerance` or more */
    IMAGING_BY_ALPHA,    /* object: alpha of at least `tolerance` */
};

enum imaging_fill {
    IMAGING_FILL_TRANSPARENT,
    IMAGING_FILL_SOLID,
    IMAGING_FILL_EDGE,
    IMAGING_FILL_MIRROR,
    IMAGING_FILL_BLUR,
};

enum imaging_fit {
    IMAGING_COVER,   /* exactly width x height, what stands over is cut off evenly */
    IMAGING_CONTAIN, /* the whole picture, at most width x height, never enlarged */
    IMAGING_STRETCH, /* exactly width x height */
};

struct imaging_colour {
    uint8_t red;
    uint8_t green;
    uint8_t blue;
    uint8_t alpha;
};

/* Only what a kind names above is read; all else stays 0. Paths are absolute. */
struct imaging_job {
    enum imaging_kind kind;
    const char *picture;
    const char *mask;
    const char *result;
    const char *output;      /* ends in ".png" */
    const char *output_mask; /* of a canvas */

    const struct imaging_region *regions; /* up to LIMIT_IMAGING_REGIONS */
    size_t regions_count;
    int invert;
    int grow_px;       /* what changes grows; negative: shrinks. LIMIT_IMAGING_GROW_PX */
    double feather_px; /* standard deviation of a Gaussian, up to LIMIT_IMAGING_FEATHER_PX */

    enum imaging_select select;
    int target_background;
    double tolerance; /* of a colour: distance in RGB, 0-442; of alpha: 1-255 */
    int corner_px;    /* side of the corners whose mean is the backdrop, if no colour is given; 8 */
    int has_colour;   /* `colour` is the backdrop */
    int largest_only; /* the object is the largest connected part */

    int left; /* pixels that a canvas adds */
    int top;
    int right;
    int bottom;
    enum imaging_fill fill;
    struct imaging_colour colour; /* of FILL_SOLID, of a backdrop, of a preview's tint */
    double blur_px;               /* of FILL_BLUR; 0: 24 */

    int width;
    int height;
    enum imaging_fit fit;

    const char *const *pictures; /* up to LIMIT_IMAGING_PICTURES */
    size_t pictures_count;
    int columns; /* 0: about as many as rows */
    int cell_px; /* side of a picture's place; 0: 256 */
};

struct imaging_result {
    int width; /* of output */
    int height;
    int has_alpha;
    int64_t masked_pixels;  /* of a mask that was made or used: those above 0 */
    int source_width;       /* of `picture`; of `result` for a composite; as displayed */
    int source_height;
    int is_turned; /* `picture` lies askew in its file: EXIF orientation */
    int was_scaled; /* a mask file or a result had another size and was scaled */
    int unreadable; /* of a contact sheet */
};

/* Ends with the call. Either result or err is NULL. */
typedef void imaging_done_fn(void *ud, const struct imaging_result *result, const struct err *err);

struct imaging;

/* [loop] -1: no memory. */
int imaging_new(struct env *env, struct imaging **ret_imaging);

/*
 * [loop] Queues a job, whose texts and arrays are copied. `done` follows on the loop, never inline,
 * exactly once, unless imaging_free came first. Errors: ERR_CONFIG (the module: its text names the
 * package), ERR_INVALID (a picture or argument that cannot be used; `field` is the name of the
 * job's member), ERR_LIMIT, ERR_IO, ERR_NOMEM, ERR_CANCELLED (imaging_stop, or the host ended).
 * -1 when it cannot be queued: ERR_NOMEM, ERR_LIMIT.
 */
int imaging_run(struct imaging *imaging, const struct imaging_job *job, imaging_done_fn *done,
                void *ud, struct err *err);

/* [loop] What waits or runs ends with ERR_CANCELLED soon, on the loop; nothing new is taken. */
void imaging_stop(struct imaging *imaging);

/* [loop] Nothing is called back any more; what runs is let go of when its slice ends. NULL is ok.
 */
void imaging_free(struct imaging *imaging);

/*
 * Another place for the module than beside the plugin. For programs that link the core without
 * being the plugin; `path` is kept.
 */
void imaging_set_module(const char *path);

/*
 * The other side: what clawmedia-imaging.so exports as IMAGING_ENTRY. It is of the same build as
 * the core: `abi` and `version` are compared, and another one is refused with an ERR_CONFIG.
 */
#define IMAGING_ENTRY "clawmedia_imaging_1"
#define IMAGING_ABI 1u

struct imaging_work;

struct imaging_module {
    uint32_t abi;
    uint32_t reserved;
    const char *version;

    /*
     * All three may run on any thread, one at a time for each work. The job and all it points to
     * live until close. step: 1 there is more to do, 0 done with *ret_result set, -1 failed; after
     * 0 or -1 only close follows. A close before that removes what was half written.
     */
    int (*open)(const struct imaging_job *job, struct imaging_work **ret_work, struct err *err);
    int (*step)(struct imaging_work *work, struct imaging_result *ret_result, struct err *err);
    void (*close)(struct imaging_work *work);
};

typedef const struct imaging_module *imaging_entry_fn(void);

#endif
