/*
 * Reading a request's body while it arrives: JSON whole, forms through libmicrohttpd's post
 * processor (text parts into `fields`, file parts hashed and measured, never kept whole), anything
 * else hashed, and looked at by its first bytes.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>
#include <nettle/sha2.h>

#define POST_BUFFER_BYTES (64 * 1024)

enum form_kind { FORM_NONE, FORM_JSON, FORM_POST, FORM_RAW };

struct sim_form {
    enum form_kind kind;
    struct MHD_PostProcessor *post;
    struct sim_buf json;
    struct sha256_ctx hash; /* of the raw body, or of the file part in hand */
    struct sim_part *part;  /* the file part in hand */
    struct sim_buf head;    /* its first bytes */
    char text_name[96];     /* the text part in hand */
    struct sim_buf text;
    bool text_open;
    bool too_much;
};

static void hex_digest(struct sha256_ctx *hash, char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[SHA256_DIGEST_SIZE];

    sha256_digest(hash, sizeof raw, raw);
    for (size_t i = 0; i < sizeof raw; i++) {
        hex[2 * i] = digits[raw[i] >> 4];
        hex[2 * i + 1] = digits[raw[i] & 15];
    }
    hex[64] = '\0';
}

static void file_end(struct sim_request *r)
{
    struct sim_form *f = r->form;
    if (!f->part)
        return;
    hex_digest(&f->hash, f->part->sha256);
    sim_sniff(f->head.data, f->head.len, &f->part->sniff);
    sim_buf_free(&f->head);
    f->part = NULL;
}

/* A name that occurs twice becomes a list. */
static void text_end(struct sim_request *r)
{
    struct sim_form *f = r->form;
    if (!f->text_open)
        return;
    json_t *value = json_stringn(f->text.data ? (const char *)f->text.data : "", f->text.len);
    if (!value)
        value = json_sprintf("(not UTF-8, %zu bytes)", f->text.len);
    json_t *old = json_object_get(r->fields, f->text_name);
    if (json_is_array(old))
        json_array_append_new(old, value);
    else if (old)
        json_object_set_new(r->fields, f->text_name, json_pack("[O,o]", old, value));
    else if (json_object_set_new(r->fields, f->text_name, value) != 0)
        r->body_broken = true;
    sim_buf_free(&f->text);
    f->text_open = false;
}

static void copy_clean(char *dst, size_t size, const char *src)
{
    json_t *check = json_string(src);
    sim_copy_text(dst, size, check ? src : "(not UTF-8)");
    /* A cut may have split a character. */
    json_t *cut = json_string(dst);
    if (!cut)
        sim_copy_text(dst, size, "(long)");
    json_decref(cut);
    json_decref(check);
}

static void file_start(struct sim_request *r, const char *name, const char *filename,
                       const char *type)
{
    struct sim_form *f = r->form;
    if (r->part_count >= SIM_PARTS_MAX) {
        f->too_much = true;
        return;
    }
    r->parts = sim_realloc(r->parts, (r->part_count + 1) * sizeof *r->parts);
    f->part = &r->parts[r->part_count++];
    memset(f->part, 0, sizeof *f->part);
    copy_clean(f->part->name, sizeof f->part->name, name);
    copy_clean(f->part->filename, sizeof f->part->filename, filename ? filename : "");
    copy_clean(f->part->content_type, sizeof f->part->content_type, type ? type : "");
    sha256_init(&f->hash);
}

static void file_data(struct sim_form *f, const char *data, size_t size)
{
    if (!f->part)
        return;
    f->part->bytes += size;
    sha256_update(&f->hash, size, (const uint8_t *)data);
    if (f->head.len < SIM_HEAD_BYTES) {
        size_t room = SIM_HEAD_BYTES - f->head.len;
        sim_buf_add(&f->head, data, size < room ? size : room);
    }
}

/* libmicrohttpd may begin a part with an empty call and then say offset 0 again. (So an empty part
 * followed by a part of the same name and file name reads as one.) */
static bool is_begun(const struct sim_request *r, const char *name, const char *filename)
{
    const struct sim_form *f = r->form;
    if (filename)
        return f->part && f->part->bytes == 0 && strcmp(f->part->name, name) == 0 &&
               strcmp(f->part->filename, filename) == 0;
    return f->text_open && f->text.len == 0 && strcmp(f->text_name, name) == 0;
}

static enum MHD_Result on_part(void *ud, enum MHD_ValueKind kind, const char *name,
                               const char *filename, const char *type, const char *encoding,
                               const char *data, uint64_t offset, size_t size)
{
    struct sim_request *r = ud;
    struct sim_form *f = r->form;
    (void)kind;
    (void)encoding;

    if (!name)
        name = "";
    /* Only a file name makes a file part; the content type alone does not (as servers do it). */
    if (offset == 0 && !(size > 0 && is_begun(r, name, filename))) {
        file_end(r);
        text_end(r);
        if (filename) {
            file_start(r, name, filename, type);
        } else {
            copy_clean(f->text_name, sizeof f->text_name, name);
            f->text_open = true;
        }
    }
    if (filename) {
        file_data(f, data, size);
    } else if (f->text.len + size > SIM_FIELD_MAX) {
        f->too_much = true;
    } else {
        sim_buf_add(&f->text, data, size);
    }
    return f->too_much ? MHD_NO : MHD_YES;
}

void sim_form_start(struct sim_request *r)
{
    const char *type = sim_request_header(r, "Content-Type");
    struct sim_form *f = sim_alloc(sizeof *f);

    r->form = f;
    if (type && strncasecmp(type, "multipart/form-data", 19) == 0) {
        r->multipart = true;
        r->fields = json_object();
        f->kind = FORM_POST;
    } else if (type && strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0) {
        r->fields = json_object();
        f->kind = FORM_POST;
    } else if (!type || strcasestr(type, "json")) {
        f->kind = FORM_JSON;
    } else {
        f->kind = FORM_RAW;
        sha256_init(&f->hash);
    }
    if (f->kind == FORM_POST) {
        f->post = MHD_create_post_processor(r->conn, POST_BUFFER_BYTES, on_part, r);
        if (!f->post)
            r->body_broken = true;
    }
}

int sim_form_feed(struct sim_request *r, const char *data, size_t len)
{
    struct sim_form *f = r->form;

    r->body_bytes += len;
    if (f->kind == FORM_JSON) {
        if (f->json.len + len > SIM_BODY_BYTES_MAX)
            return -1;
        sim_buf_add(&f->json, data, len);
    } else if (f->kind == FORM_RAW) {
        sha256_update(&f->hash, len, (const uint8_t *)data);
        r->body_crc64 = sim_crc64(r->body_crc64, data, len);
        if (f->head.len < SIM_HEAD_BYTES) {
            size_t room = SIM_HEAD_BYTES - f->head.len;
            sim_buf_add(&f->head, data, len < room ? len : room);
        }
    } else if (f->post && !r->body_broken && MHD_post_process(f->post, data, len) != MHD_YES) {
        r->body_broken = true;
    }
    return f->too_much ? -1 : 0;
}

void sim_form_end(struct sim_request *r)
{
    struct sim_form *f = r->form;

    if (f->post && MHD_destroy_post_processor(f->post) != MHD_YES)
        r->body_broken = true;
    f->post = NULL;
    file_end(r);
    text_end(r);
    if (f->kind == FORM_RAW && r->body_bytes > 0) {
        hex_digest(&f->hash, r->body_sha256);
        sim_sniff(f->head.data, f->head.len, &r->body_sniff);
        sim_buf_free(&f->head);
    }
    if (f->kind == FORM_JSON && f->json.len > 0) {
        r->fields = json_loadb((const char *)f->json.data, f->json.len, JSON_DECODE_ANY, NULL);
        if (!r->fields)
            r->body_broken = true;
        sim_buf_free(&f->json);
    }
}

void sim_form_free(struct sim_request *r)
{
    struct sim_form *f = r->form;
    if (!f)
        return;
    if (f->post)
        MHD_destroy_post_processor(f->post);
    sim_buf_free(&f->json);
    sim_buf_free(&f->head);
    sim_buf_free(&f->text);
    free(f);
    free(r->parts);
    json_decref(r->fields);
    r->form = NULL;
}

const char *sim_request_field(struct sim_request *r, const char *name, char *buf, size_t size)
{
    const json_t *v = json_is_object(r->fields) ? json_object_get(r->fields, name) : NULL;

    if (json_is_string(v))
        return json_string_value(v);
    if (json_is_integer(v))
        snprintf(buf, size, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        snprintf(buf, size, "%g", json_real_value(v));
    else if (json_is_boolean(v))
        snprintf(buf, size, "%s", json_is_true(v) ? "true" : "false");
    else
        return NULL;
    return buf;
}

const struct sim_part *sim_request_part(struct sim_request *r, const char *name)
{
    for (size_t i = 0; i < r->part_count; i++) {
        if (strcmp(r->parts[i].name, name) == 0)
            return &r->parts[i];
    }
    return NULL;
}
