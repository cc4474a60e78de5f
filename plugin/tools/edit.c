/*
 * edit.c - what inpaint, outpaint and object need before anything is planned: a mask in the one
 * meaning that users know, a canvas, the form of the mask that goes to the provider, and for
 * dry_run a picture that shows it. Files lie in masks/ below the folder of results; their names are
 * made from the request, so that the same one asked again (after a confirmation, too) means the
 * same files.
 */
#include "tools/edit.h"

#include "base/mem.h"
#include "media/media.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#define PREVIEW_PX 1024
#define STEM_BYTES 8

enum stage {
    STAGE_MASK,    /* or the canvas with its mask */
    STAGE_PICTURE, /* a form that providers read */
    STAGE_ALPHA,
    STAGE_PREVIEW,
    STAGE_END,
};

struct editing {
    inputs_done_fn *done;
    json_t *args;
    json_t *restore;
    enum edit_operation operation;
    enum stage stage;
    char *base; /* of the files' paths */
    char *paths[STAGE_END];
    char *canvas;
    int width; /* of the picture as it is sent */
    int height;
    int is_turned;
    int shows; /* dry_run: there is a preview */
};

void edit_drop(struct call *call)
{
    struct editing *it = call->editing;

    if (!it)
        return;
    json_decref(it->args);
    json_decref(it->restore);
    mem_free(it->base);
    mem_free(it->canvas);
    for (size_t i = 0; i < STAGE_END; i++)
        mem_free(it->paths[i]);
    mem_free(it);
    call->editing = NULL;
}

const json_t *edit_restore(const struct call *call)
{
    return call->editing ? call->editing->restore : NULL;
}

void edit_show(const struct call *call, json_t *json)
{
    const struct editing *it = call->editing;

    if (!it || !it->shows)
        return;
    json_object_set_new(json, "mask", json_string(it->paths[STAGE_MASK]));
    json_object_set_new(json, "preview", json_string(it->paths[STAGE_PREVIEW]));
}

static void add_piece(struct sha256_ctx *ctx, const char *text)
{
    sha256_update(ctx, text ? strlen(text) + 1 : 1, (const uint8_t *)(text ? text : ""));
}

static const char *input_text(const json_t *args, const char *field, const char *key)
{
    return json_string_value(json_object_get(json_object_get(args, field), key));
}

/* "<results>/masks/<operation>-<hash>", its folder made. */
static int make_base(struct call *call, struct editing *it, struct err *err)
{
    static const char *const names[] = {NULL, "inpaint", "outpaint", "object"};
    char *dir = config_output_dir(call_config(call), call->output_dir, "image");
    char *masks = dir ? mem_format("%s/masks", dir) : NULL;
    char *canonical = call_canonical(call);
    uint8_t digest[STEM_BYTES];
    char hex[2 * STEM_BYTES + 1];
    struct sha256_ctx ctx;
    int rc = masks && canonical ? media_folder_make(masks, err) : err_nomem(err);

    if (rc == 0) {
        sha256_init(&ctx);
        add_piece(&ctx, canonical);
        add_piece(&ctx, input_text(it->args, "image", "key"));
        add_piece(&ctx, input_text(it->args, "mask", "key"));
        sha256_digest(&ctx, sizeof(digest), digest);
        for (size_t i = 0; i < sizeof(digest); i++)
            snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        it->base = mem_format("%s/%s-%s", masks, names[it->operation], hex);
        it->paths[STAGE_MASK] = mem_format("%s-mask.png", it->base ? it->base : "");
        it->paths[STAGE_PICTURE] = mem_format("%s-picture.png", it->base ? it->base : "");
        it->paths[STAGE_ALPHA] = mem_format("%s-alpha.png", it->base ? it->base : "");
        it->paths[STAGE_PREVIEW] = mem_format("%s-preview.png", it->base ? it->base : "");
        it->canvas = mem_format("%s-canvas.png", it->base ? it->base : "");
        if (!it->base || !it->canvas || !it->paths[STAGE_MASK] || !it->paths[STAGE_PICTURE] ||
            !it->paths[STAGE_ALPHA] || !it->paths[STAGE_PREVIEW])
            rc = err_nomem(err);
    }
    mem_free(canonical);
    mem_free(masks);
    mem_free(dir);
    return rc;
}

/* Ends the preparing; the rest of `it` stays for edit_restore and edit_show. */
static void finish(struct call *call, const struct err *err)
{
    struct editing *it = call->editing;
    json_t *args = it->args;

    it->args = NULL;
    if (err) {
        json_decref(args);
        args = NULL;
    }
    it->done(call, args, err);
}

/* A file that was made here, as inputs.c describes those of users. */
static json_t *describe(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = mem_text_n(path, (size_t)(slash - path));
    const char *roots[1] = {folder};
    struct media_input input;
    json_t *value = NULL;

    if (!folder)
        err_nomem(err);
    else if (media_input_open(path, roots, 1, &input, err) == 0) {
        value = json_pack("{s:s, s:s, s:i, s:i, s:f, s:I, s:s}", "path", input.path, "mime",
                          input.facts.mime, "width", (int)input.facts.width, "height",
                          (int)input.facts.height, "seconds", 0.0, "bytes",
                          (json_int_t)input.facts.bytes, "key", input.key);
        if (!value)
            err_nomem(err);
    }
    mem_free(folder);
    return value;
}

static int is_sent_as_it_is(const struct editing *it)
{
    const char *mime = input_text(it->args, "image", "mime");

    return !it->is_turned && (strcmp(mime, "image/png") == 0 || strcmp(mime, "image/jpeg") == 0 ||
                              strcmp(mime, "image/webp") == 0);
}

/* The picture that the mask belongs to, point by point. */
static const char *original(const struct editing *it)
{
    return it->operation == EDIT_OUTPAINT ? it->canvas : input_text(it->args, "image", "path");
}

static int put_results(struct editing *it, struct err *err)
{
    json_t *mask = describe(it->paths[STAGE_ALPHA], err);
    json_t *image = NULL;
    char size[32];
    int rc = -1;

    if (!mask)
        return -1;
    it->restore = json_pack("{s:s, s:s}", "picture", original(it), "mask", it->paths[STAGE_MASK]);
    if (it->operation == EDIT_OUTPAINT || !is_sent_as_it_is(it)) {
        image = describe(it->operation == EDIT_OUTPAINT ? it->canvas : it->paths[STAGE_PICTURE],
                         err);
        if (!image) {
            json_decref(mask);
            return -1;
        }
    }
    rc = json_object_set_new(it->args, "mask", mask);
    if (image)
        rc |= json_object_set_new(it->args, "image", image);
    /* What comes back is to be laid over the picture, so the same size is wanted. */
    if (!json_object_get(it->args, "size") && !json_object_get(it->args, "aspect_ratio") &&
        !json_object_get(it->args, "resolution")) {
        snprintf(size, sizeof(size), "%dx%d", it->width, it->height);
        rc |= json_object_set_new(it->args, "size", json_string(size));
    }
    return rc || !it->restore ? err_nomem(err) : 0;
}

static void fill_job(struct editing *it, struct imaging_job *job)
{
    switch (it->stage) {
    case STAGE_MASK:
        job->output = it->operation == EDIT_OUTPAINT ? it->canvas : it->paths[STAGE_MASK];
        job->output_mask = it->operation == EDIT_OUTPAINT ? it->paths[STAGE_MASK] : NULL;
        job->picture = input_text(it->args, "image", "path");
        job->mask = input_text(it->args, "mask", "path");
        return;
    case STAGE_PICTURE:
        *job = (struct imaging_job){.kind = IMAGING_FIT, .fit = IMAGING_STRETCH};
        job->picture = input_text(it->args, "image", "path");
        job->width = it->width;
        job->height = it->height;
        break;
    case STAGE_ALPHA:
        *job = (struct imaging_job){.kind = IMAGING_MASK_ALPHA};
        job->mask = it->paths[STAGE_MASK];
        break;
    case STAGE_PREVIEW:
        *job = (struct imaging_job){.kind = IMAGING_PREVIEW, .colour = {255, 0, 0, 128}};
        job->picture = original(it);
        job->mask = it->paths[STAGE_MASK];
        job->width = job->height = PREVIEW_PX;
        break;
    case STAGE_END:
        return;
    }
    job->output = it->paths[it->stage];
}

static void made(void *ud, const struct imaging_result *result, const struct err *err);

/* The stage that is next, or the end. */
static void go(struct call *call, struct imaging_job *job)
{
    struct editing *it = call->editing;
    struct err err;

    if (it->stage == STAGE_PICTURE && (it->operation == EDIT_OUTPAINT || is_sent_as_it_is(it)))
        it->stage = STAGE_ALPHA;
    if (it->stage == STAGE_PREVIEW && !json_is_true(json_object_get(it->args, "dry_run")))
        it->stage = STAGE_END;
    if (it->stage == STAGE_END) {
        finish(call, put_results(it, &err) ? &err : NULL);
        return;
    }
    fill_job(it, job);
    call_begin(call);
    if (imaging_run(engine_imaging(call_engine(call)), job, made, call, &err)) {
        call_back(call);
        finish(call, &err);
    }
}

/* The module speaks of its own arguments. */
static void rename_field(struct err *err)
{
    static const char *const names[][2] = {{"picture", "image"},
                                           {"regions", "region"},
                                           {"grow_px", "grow"},
                                           {"feather_px", "feather"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(err->field, names[i][0]) == 0)
            snprintf(err->field, sizeof(err->field), "%s", names[i][1]);
}

static void made(void *ud, const struct imaging_result *result, const struct err *err)
{
    struct call *call = ud;
    struct editing *it;
    struct imaging_job job = {0};
    struct err why;

    if (call_back(call))
        return;
    it = call->editing;
    if (err) {
        why = *err;
        rename_field(&why);
        finish(call, &why);
        return;
    }
    if (it->stage == STAGE_MASK) {
        it->width = result->width;
        it->height = result->height;
        it->is_turned = result->is_turned;
    }
    it->shows |= it->stage == STAGE_PREVIEW;
    it->stage++;
    go(call, &job);
}

int edit_prepare(struct call *call, json_t *args, inputs_done_fn *done)
{
    enum edit_operation operation = edit_operation_of(args);
    struct edit_regions regions;
    struct imaging_job job = {0};
    struct editing *it;
    struct err err;

    if (operation == EDIT_WHOLE)
        return 0;
    it = mem_alloc(sizeof(*it));
    if (!it) {
        json_decref(args);
        err_nomem(&err);
        done(call, NULL, &err);
        return 1;
    }
    call->editing = it;
    it->operation = operation;
    it->args = args;
    it->done = done;
    if (edit_job(args, operation, &job, &regions, &err) || make_base(call, it, &err))
        finish(call, &err);
    else
        go(call, &job);
    return 1;
}
