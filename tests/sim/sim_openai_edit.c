/*
 * POST /v1/images/edits: multipart with image parts and an optional mask, and the JSON variant.
 *
 * With the setting `strict` it refuses what the real service refuses: parts typed
 * application/octet-stream, types that contradict the bytes, masks that are no PNG with an alpha
 * channel or differ in size from the first image.
 */
#include "sim_openai.h"

#include <stdio.h>
#include <string.h>

#include <nettle/base64.h>

#define IMAGES_MAX      16
#define IMAGE_BYTES_MAX (50u << 20)
#define MASK_BYTES_MAX  (4u << 20)
#define PEEK_CHARS      4096 /* of a data URL, decoded to see what it is; a multiple of four */

static bool is_image_name(const char *name)
{
    return strcmp(name, "image") == 0 || strncmp(name, "image[", 6) == 0;
}

static bool is_image_type(const char *type)
{
    return strcmp(type, "image/png") == 0 || strcmp(type, "image/jpeg") == 0 ||
           strcmp(type, "image/webp") == 0;
}

static bool check_type(struct sim_request *r, const struct sim_part *p)
{
    if (!is_image_type(p->content_type)) {
        sim_refuse(r, 400, "unsupported_file_mimetype", p->name,
                   "Invalid file '%s': unsupported mimetype ('%s'). Supported file formats are "
                   "'image/jpeg', 'image/png', and 'image/webp'.",
                   p->name, p->content_type);
        return false;
    }
    if (!p->sniff.type || strcmp(p->sniff.type, p->content_type) != 0) {
        sim_refuse(r, 400, "invalid_image_file", p->name,
                   "Invalid image file or mode for '%s', please check your image file.", p->name);
        return false;
    }
    if (p->bytes > IMAGE_BYTES_MAX) {
        sim_refuse(r, 413, "file_too_large", p->name, "File '%s' is larger than 50 MB.", p->name);
        return false;
    }
    return true;
}

static bool check_mask(struct sim_request *r, const struct sim_part *mask,
                       const struct sim_part *first)
{
    if (strcmp(mask->content_type, "image/png") != 0 || !mask->sniff.type ||
        strcmp(mask->sniff.type, "image/png") != 0 || mask->bytes > MASK_BYTES_MAX) {
        sim_refuse(r, 400, "invalid_mask", "mask", "The mask has to be a PNG of less than 4 MB.");
        return false;
    }
    if (!mask->sniff.alpha) {
        sim_refuse(r, 400, "invalid_mask_image_format", "mask",
                   "Invalid mask image format - mask image missing alpha channel.");
        return false;
    }
    if (first->sniff.width &&
        (mask->sniff.width != first->sniff.width || mask->sniff.height != first->sniff.height)) {
        sim_refuse(r, 400, "invalid_mask_size", "mask",
                   "Invalid mask size: it has to equal the size of the first image.");
        return false;
    }
    return true;
}

/* The first image of a multipart body, after checking all parts; NULL: the answer is set. */
static const struct sim_part *check_parts(struct sim_request *r)
{
    const struct sim_part *first = NULL, *mask = sim_request_part(r, "mask");
    size_t images = 0;

    for (size_t i = 0; i < r->part_count; i++) {
        const struct sim_part *p = &r->parts[i];
        if (!is_image_name(p->name))
            continue;
        if (r->settings.strict && !check_type(r, p))
            return NULL;
        first = first ? first : p;
        images++;
    }
    if (images == 0 || images > IMAGES_MAX) {
        sim_refuse(r, 400, images ? "too_many_images" : "missing_required_parameter", "image",
                   images ? "At most 16 images are taken."
                          : "Missing required parameter: 'image'.");
        return NULL;
    }
    if (mask && r->settings.strict && !check_mask(r, mask, first))
        return NULL;
    return first;
}

/* The start of a data URL's bytes; false when it is none. */
static bool peek_data_url(const char *url, struct sim_sniff *ret)
{
    struct base64_decode_ctx ctx;
    uint8_t raw[BASE64_DECODE_LENGTH(PEEK_CHARS)];
    size_t len = sizeof raw;
    const char *comma = strstr(url, ";base64,");

    if (strncmp(url, "data:image/", 11) != 0 || !comma)
        return false;
    comma += 8;
    size_t chars = strlen(comma);
    base64_decode_init(&ctx);
    if (!base64_decode_update(&ctx, &len, raw, chars < PEEK_CHARS ? chars : PEEK_CHARS, comma))
        return false;
    sim_sniff(raw, len, ret);
    return ret->type != NULL;
}

/* One {"image_url":...} or {"file_id":...}. */
static bool check_reference(struct sim_request *r, const json_t *ref, const char *param,
                            struct sim_sniff *ret)
{
    const char *url = json_string_value(json_object_get(ref, "image_url"));
    const char *id = json_string_value(json_object_get(ref, "file_id"));

    memset(ret, 0, sizeof *ret);
    if (json_object_size(ref) != 1 || (!url && !id)) {
        sim_refuse(r, 400, "invalid_value", param,
                   "Each image has exactly one of 'image_url' and 'file_id'.");
        return false;
    }
    if (id || strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0 ||
        peek_data_url(url, ret))
        return true;
    sim_refuse(r, 400, "invalid_value", param, "'image_url' is neither a URL nor a data URL.");
    return false;
}

static bool check_references(struct sim_request *r, struct sim_sniff *ret_first)
{
    const json_t *images = json_object_get(r->fields, "images");
    const json_t *mask = json_object_get(r->fields, "mask"), *ref;
    struct sim_sniff one;
    size_t i, n = json_array_size(images);

    if (n == 0 || n > IMAGES_MAX) {
        sim_refuse(r, 400, "missing_required_parameter", "images",
                   "'images' has to be a list of 1 to 16 images.");
        return false;
    }
    json_array_foreach(images, i, ref)
    {
        if (!check_reference(r, ref, "images", &one))
            return false;
        if (i == 0)
            *ret_first = one;
    }
    return !mask || check_reference(r, mask, "mask", &one);
}

void openai_images_edit(struct sim_request *r)
{
    struct openai_picture p;
    struct sim_sniff first = {0};

    if (!openai_picture_read(r, &p))
        return;
    if (r->multipart) {
        const struct sim_part *part = check_parts(r);
        if (!part)
            return;
        first = part->sniff;
    } else if (!check_references(r, &first)) {
        return;
    }
    /* Without a wish the result is as large as the first image. */
    if (strcmp(p.size_text, "auto") == 0 && first.width > 0 && first.width <= SIM_SIDE_MAX &&
        first.height > 0 && first.height <= SIM_SIDE_MAX) {
        p.spec.width = first.width;
        p.spec.height = first.height;
    }
    p.edit = true;
    p.spec.seed = sim_hash_mix(p.spec.seed, 0xed17);
    openai_picture_answer(r, &p);
}
