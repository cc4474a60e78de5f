/* picture.c - see picture.h. */
#include "imaging/picture.h"

#include "media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pixels of a slice: some milliseconds, for the slowest decoder too. */
#define SLICE_PIXELS 131072

int picture_slice(int width, int y, int height)
{
    int rows = SLICE_PIXELS / width;

    if (rows < 1)
        rows = 1;
    return rows < height - y ? rows : height - y;
}

int picture_slice_of(const struct picture *picture, int y)
{
    return picture_slice(picture->row_cost > picture->width ? picture->row_cost : picture->width, y,
                         picture->height);
}

int picture_vips_error(struct err *err, enum err_kind kind, const char *what)
{
    char *words = vips_error_buffer_copy();
    size_t len = strcspn(words, "\n");

    err_set(err, kind, "%s (%.*s)", what, (int)(len < 200 ? len : 200), len ? words : "libvips");
    g_free(words);
    return -1;
}

/* The reader of each type; nothing else of libvips is ever pointed at a file. */
static int start_reader(VipsSource *source, const struct media_facts *facts, int shrink,
                        VipsImage **ret_image)
{
    const char *type = facts->extension;
    const VipsAccess access = VIPS_ACCESS_SEQUENTIAL;
    const VipsFailOn fail_on = VIPS_FAIL_ON_ERROR;

    if (strcmp(type, "jpg") == 0)
        return vips_jpegload_source(source, ret_image, "access", access, "fail_on", fail_on,
                                    "shrink", shrink, NULL);
    if (strcmp(type, "png") == 0)
        return vips_pngload_source(source, ret_image, "access", access, "fail_on", fail_on, NULL);
    if (strcmp(type, "webp") == 0)
        return vips_webpload_source(source, ret_image, "access", access, "fail_on", fail_on, NULL);
    if (strcmp(type, "gif") == 0)
        return vips_gifload_source(source, ret_image, "access", access, "fail_on", fail_on, NULL);
    if (strcmp(type, "heic") == 0 || strcmp(type, "avif") == 0)
        return vips_heifload_source(source, ret_image, "access", access, "fail_on", fail_on, NULL);
    vips_error("imaging", "no reader for %s", facts->mime);
    return -1;
}

static int is_held_whole(const struct media_facts *facts, VipsImage *image)
{
    return (strcmp(facts->extension, "jpg") != 0 && strcmp(facts->extension, "png") != 0) ||
           vips_image_get_typeof(image, "interlaced") ||
           vips_image_get_typeof(image, "jpeg-multiscan");
}

static int check_pixels(int64_t width, int64_t height, uint32_t pixels_max, const char *field,
                        struct err *err)
{
    if (width < 1 || height < 1)
        return err_field(err, field, "this picture has no pixels");
    if (width > LIMIT_IMAGING_SIDE || height > LIMIT_IMAGING_SIDE ||
        width * height > (int64_t)pixels_max) {
        err_field(err, field, "a picture of %lld x %lld pixels is more than can be worked on "
                  "here: %u million pixels for its type", (long long)width, (long long)height,
                  pixels_max / 1000000u);
        if (err)
            err->kind = ERR_LIMIT;
        return -1;
    }
    return 0;
}

/* What the file says it is, before any decoder sees it. */
static int judge(int fd, const char *path, const char *field, struct media_facts *ret_facts,
                 struct err *err)
{
    struct err why;
    struct stat st;

    if (fstat(fd, &st))
        return err_set(err, ERR_IO, "cannot be looked at (%s): %s", strerror(errno), path);
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return err_field(err, field, "this is no file with a picture: %s", path);
    if (st.st_size > (off_t)LIMIT_IMAGE_BYTES)
        return err_field(err, field, "this file is larger than %u MiB: %s", LIMIT_IMAGE_BYTES >> 20,
                         path);
    if (media_probe(fd, ret_facts, &why))
        return err_field(err, field, "%.200s: %s", why.text, path);
    if (ret_facts->kind != MEDIA_IMAGE)
        return err_field(err, field, "this is %s, not a picture: %s", ret_facts->mime, path);
    if (ret_facts->width && ret_facts->height)
        return check_pixels(ret_facts->width, ret_facts->height, LIMIT_IMAGING_PIXELS, field, err);
    return 0;
}

/* Opens the file for its reader; `shrink` is for JPEG alone. */
static int read_header(const char *path, const char *field, int shrink,
                       struct media_facts *ret_facts, VipsImage **ret_image, struct err *err)
{
    VipsSource *source;
    VipsImage *image = NULL;
    char what[80];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rc = -1;

    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot be opened (%s): %s",
                       strerror(errno), path);
    if (judge(fd, path, field, ret_facts, err))
        goto out;
    if (lseek(fd, 0, SEEK_SET) < 0) {
        err_set(err, ERR_IO, "cannot be read (%s): %s", strerror(errno), path);
        goto out;
    }
    source = vips_source_new_from_descriptor(fd); /* which has its own copy of fd */
    if (!source) {
        picture_vips_error(err, ERR_IO, "cannot be read");
        goto out;
    }
    rc = start_reader(source, ret_facts, shrink, &image);
    g_object_unref(source); /* the image has its own reference */
    if (rc) {
        snprintf(what, sizeof(what), "this %s file cannot be read here", ret_facts->mime);
        picture_vips_error(err, ERR_INVALID, what);
        if (err)
            snprintf(err->field, sizeof(err->field), "%s", field);
        goto out;
    }
    rc = check_pixels(image->Xsize, image->Ysize,
                      is_held_whole(ret_facts, image) ? LIMIT_IMAGING_WHOLE_PIXELS
                                                      : LIMIT_IMAGING_PIXELS,
                      field, err);
    if (rc)
        g_object_unref(image);
    else
        *ret_image = image;
out:
    close(fd);
    return rc;
}

/* Puts what an operation made of *image in its place. `rc` is that operation's. */
static int take(VipsImage **image, int rc, VipsImage *made)
{
    if (rc)
        return -1;
    g_object_unref(*image);
    *image = made;
    return 0;
}

static int has_profile(VipsImage *image)
{
    return vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0;
}

static int is_rgb(VipsImage *image)
{
    VipsInterpretation kind = vips_image_guess_interpretation(image);

    return kind == VIPS_INTERPRETATION_sRGB || kind == VIPS_INTERPRETATION_RGB;
}

/* 8-bit RGB or RGBA, whatever the file holds; *ret_profile: its profile speaks of these values. */
static int normalise(VipsImage **image, enum picture_colours colours, int *ret_profile)
{
    VipsImage *made = NULL;
    int is_cmyk = vips_image_guess_interpretation(*image) == VIPS_INTERPRETATION_CMYK;
    int keeps = has_profile(*image) && colours == PICTURE_AS_STORED &&
                (is_rgb(*image) ||
                 vips_image_guess_interpretation(*image) == VIPS_INTERPRETATION_RGB16);
    int rc;

    if (is_cmyk || (colours == PICTURE_SRGB && has_profile(*image))) {
        rc = vips_icc_transform(*image, &made, "srgb", "embedded", TRUE, "input_profile",
                                is_cmyk ? "cmyk" : "srgb", NULL);
        /* A broken profile is no reason to refuse a picture: it is shown by its bare values. */
        if (take(image, rc, made))
            vips_error_clear();
    }
    if (!is_rgb(*image)) {
        rc = vips_colourspace(*image, &made, VIPS_INTERPRETATION_sRGB, NULL);
        if (take(image, rc, made))
            return -1;
    }
    if ((*image)->BandFmt != VIPS_FORMAT_UCHAR) {
        rc = vips_cast_uchar(*image, &made, NULL);
        if (take(image, rc, made))
            return -1;
    }
    if ((*image)->Bands > 4) {
        rc = vips_extract_band(*image, &made, 0, "n", 4, NULL);
        if (take(image, rc, made))
            return -1;
    }
    *ret_profile = keeps;
    return (*image)->Bands < 3 ? -1 : 0;
}

/* To exactly width x height. Transparent pixels have no colour that could bleed into others. */
static int resize(VipsImage **image, int width, int height)
{
    double across = (double)width / (*image)->Xsize;
    double down = (double)height / (*image)->Ysize;
    int has_alpha = (*image)->Bands == 4;
    VipsImage *made = NULL;
    int rc;

    if (width == (*image)->Xsize && height == (*image)->Ysize)
        return 0;
    if (has_alpha) {
        rc = vips_premultiply(*image, &made, NULL);
        if (take(image, rc, made))
            return -1;
    }
    rc = vips_resize(*image, &made, across, "vscale", down, NULL);
    if (take(image, rc, made))
        return -1;
    if (has_alpha) {
        rc = vips_unpremultiply(*image, &made, NULL);
        if (take(image, rc, made))
            return -1;
        rc = vips_cast_uchar(*image, &made, NULL);
        if (take(image, rc, made))
            return -1;
    }
    if ((*image)->Xsize != width || (*image)->Ysize != height) {
        rc = vips_embed(*image, &made, 0, 0, width, height, "extend", VIPS_EXTEND_COPY, NULL);
        return take(image, rc, made);
    }
    return 0;
}

static int at_least_one(double x)
{
    return x < 1 ? 1 : (int)lrint(x);
}

/* What a picture of width x height has to be scaled to, and cut down to. */
static void target(const struct picture_size *size, int width, int height, int *ret_scaled_width,
                   int *ret_scaled_height, int *ret_width, int *ret_height)
{
    double across = (double)size->width / width;
    double down = (double)size->height / height;
    double scale = size->fit == IMAGING_COVER ? fmax(across, down) : fmin(fmin(across, down), 1);

    *ret_scaled_width = *ret_width = size->width;
    *ret_scaled_height = *ret_height = size->height;
    if (size->fit == IMAGING_STRETCH)
        return;
    if (size->fit == IMAGING_CONTAIN || across < down)
        *ret_scaled_width = at_least_one(width * scale);
    if (size->fit == IMAGING_CONTAIN || down < across)
        *ret_scaled_height = at_least_one(height * scale);
    if (size->fit == IMAGING_CONTAIN) {
        *ret_width = *ret_scaled_width;
        *ret_height = *ret_scaled_height;
    }
}

/* Scales and cuts; sizes are as displayed, the pixels lie as in the file. */
static int cost(const struct picture *picture, int height)
{
    double pixels = (double)picture->file_width * picture->file_height / height;

    return pixels > SLICE_PIXELS ? SLICE_PIXELS : (int)pixels;
}

static int apply_size(struct picture *picture, const struct picture_size *size)
{
    int is_lying = picture->turn >= 5;
    int scaled[2];
    int end[2];
    VipsImage *made;
    int rc;

    target(size, picture->width, picture->height, &scaled[is_lying], &scaled[!is_lying],
           &end[is_lying], &end[!is_lying]);
    if (resize(&picture->image, scaled[0], scaled[1]))
        return -1;
    if (scaled[0] != end[0] || scaled[1] != end[1]) {
        rc = vips_extract_area(picture->image, &made, (scaled[0] - end[0]) / 2,
                               (scaled[1] - end[1]) / 2, end[0], end[1], NULL);
        if (take(&picture->image, rc, made))
            return -1;
    }
    picture->width = end[is_lying];
    picture->height = end[!is_lying];
    picture->row_cost = cost(picture, scaled[1]);
    return 0;
}

/* By how much a JPEG may be shrunk while it is decoded, and still be twice as large as wanted. */
static int shrink_factor(const struct picture *picture, const struct picture_size *size)
{
    int scaled_width;
    int scaled_height;
    int end_width;
    int end_height;
    int factor = 8;

    target(size, picture->width, picture->height, &scaled_width, &scaled_height, &end_width,
           &end_height);
    while (factor > 1 && (picture->width / factor < 2 * scaled_width ||
                          picture->height / factor < 2 * scaled_height))
        factor /= 2;
    return factor;
}

static void set_sizes(struct picture *picture)
{
    int is_lying = picture->turn >= 5;

    picture->width = is_lying ? picture->image->Ysize : picture->image->Xsize;
    picture->height = is_lying ? picture->image->Xsize : picture->image->Ysize;
}

int picture_open(struct picture *ret_picture, const char *path, const char *field,
                 enum picture_colours colours, const struct picture_size *size, struct err *err)
{
    struct picture picture = {0};
    struct media_facts facts;
    VipsImage *smaller;
    int factor;

    if (!path)
        return err_field(err, field, "no picture was given");
    if (read_header(path, field, 1, &facts, &picture.image, err))
        return -1;
    picture.turn = vips_image_get_orientation(picture.image);
    set_sizes(&picture);
    picture.file_width = picture.width;
    picture.file_height = picture.height;
    if (size && size->width && strcmp(facts.extension, "jpg") == 0) {
        factor = shrink_factor(&picture, size);
        if (factor > 1) {
            if (read_header(path, field, factor, &facts, &smaller, err)) {
                picture_close(&picture);
                return -1;
            }
            take(&picture.image, 0, smaller);
            set_sizes(&picture);
        }
    }
    if (normalise(&picture.image, colours, &picture.has_profile) ||
        (size && size->width && apply_size(&picture, size))) {
        picture_vips_error(err, ERR_INVALID, "this picture cannot be converted");
        picture_close(&picture);
        return -1;
    }
    picture.bands = picture.image->Bands;
    *ret_picture = picture;
    return 0;
}

void picture_close(struct picture *picture)
{
    if (picture->image)
        g_object_unref(picture->image);
    picture->image = NULL;
    sheet_close(&picture->sheet);
}

int picture_scale(struct picture *picture, int width, int height, struct err *err)
{
    if (resize(&picture->image, width, height))
        return picture_vips_error(err, ERR_INVALID, "this picture cannot be scaled");
    set_sizes(picture);
    picture->row_cost = cost(picture, height);
    return 0;
}

const void *picture_profile(const struct picture *picture, size_t *ret_len)
{
    const void *data = NULL;
    size_t len = 0;

    if (picture->has_profile &&
        vips_image_get_blob(picture->image, VIPS_META_ICC_NAME, &data, &len))
        vips_error_clear();
    *ret_len = data ? len : 0;
    return data;
}

int picture_match(struct picture *picture, const struct picture *like, struct err *err)
{
    size_t len;
    size_t other_len;
    const void *profile = picture_profile(picture, &len);
    const void *other = picture_profile(like, &other_len);
    VipsImage *made = NULL;
    int rc;

    if (len == other_len && (!len || memcmp(profile, other, len) == 0))
        return 0;
    if (!other) {
        rc = vips_icc_transform(picture->image, &made, "srgb", "embedded", TRUE, NULL);
    } else {
        rc = vips_icc_import(picture->image, &made, "embedded", TRUE, "input_profile", "srgb",
                             "pcs", VIPS_PCS_LAB, NULL);
        if (take(&picture->image, rc, made))
            return picture_vips_error(err, ERR_INVALID, "these colours cannot be converted");
        rc = vips_copy(picture->image, &made, NULL); /* metadata of a shared image is not ours */
        if (take(&picture->image, rc, made))
            return picture_vips_error(err, ERR_NOMEM, "out of memory");
        vips_image_set_blob_copy(picture->image, VIPS_META_ICC_NAME, other, other_len);
        rc = vips_icc_export(picture->image, &made, "pcs", VIPS_PCS_LAB, "depth", 8, NULL);
    }
    if (take(&picture->image, rc, made))
        return picture_vips_error(err, ERR_INVALID, "these colours cannot be converted");
    picture->has_profile = other != NULL;
    return 0;
}

int picture_rows(const struct picture *picture, int y, int n, uint8_t *out, struct err *err)
{
    VipsImage *image = picture->image;
    VipsRect want = {0, y, image->Xsize, n};
    VipsRegion *region = vips_region_new(image);
    const uint8_t *from;
    size_t bytes = (size_t)image->Xsize * (size_t)image->Bands;

    if (vips_region_prepare(region, &want)) {
        g_object_unref(region);
        return picture_vips_error(err, ERR_INVALID, "this picture is broken or cut short");
    }
    /* What it has may be more than the rows that it was asked for, never less. */
    from = region->data + (size_t)(y - region->valid.top) * (size_t)region->bpl;
    for (int i = 0; i < n; i++)
        memcpy(out + (size_t)i * bytes, from + (size_t)i * (size_t)region->bpl, bytes);
    g_object_unref(region);
    return 0;
}

/* What lies in the sheet becomes the image: any row, at any time, and the right way up. */
static int show_sheet(struct picture *picture, struct err *err)
{
    struct sheet *sheet = &picture->sheet;
    VipsImage *image = vips_image_new_from_memory(sheet->data, sheet->bytes, sheet->width,
                                                  sheet->height, sheet->bands, VIPS_FORMAT_UCHAR);
    const void *profile;
    VipsImage *made = NULL;
    size_t len;
    int rc;

    if (!image)
        return picture_vips_error(err, ERR_NOMEM, "out of memory");
    image->Type = VIPS_INTERPRETATION_sRGB;
    profile = picture_profile(picture, &len);
    if (profile)
        vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, profile, len);
    if (picture->turn > 1) {
        vips_image_set_int(image, VIPS_META_ORIENTATION, picture->turn);
        rc = vips_autorot(image, &made, NULL);
        if (take(&image, rc, made)) {
            g_object_unref(image);
            return picture_vips_error(err, ERR_INTERNAL, "a picture cannot be turned");
        }
    }
    take(&picture->image, 0, image);
    picture->turn = 1;
    picture->row_cost = 0;
    set_sizes(picture);
    return 0;
}

int picture_load_slice(struct picture *picture, const char *beside, int *y, struct err *err)
{
    VipsImage *image = picture->image;
    int n = picture_slice(picture->row_cost > image->Xsize ? picture->row_cost : image->Xsize, *y,
                          image->Ysize);

    if (!picture->sheet.data &&
        sheet_open(&picture->sheet, beside, image->Xsize, image->Ysize, image->Bands, err))
        return -1;
    if (picture_rows(picture, *y, n, sheet_row(&picture->sheet, *y), err))
        return -1;
    *y += n;
    if (*y < image->Ysize)
        return 1;
    return show_sheet(picture, err);
}
