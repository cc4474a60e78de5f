/*
 * batch_items.c - from a manifest to the arguments of single calls: JSON or JSON lines, variables,
 * and the names that the media-generation skill's manifests use. An item that makes no sense is
 * kept with its reason; it never stops the others from being read.
 *
 * In every text "{name}" becomes the variable's value, "{name:03d}" a whole number with zeros in
 * front, "{{" and "}}" one brace. Everything else stays as it is, JSON in a text included: a brace
 * that begins no known name is a brace.
 */
#include "tools/batch.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX LIMIT_PROMPT_BYTES
#define NAME_BYTES_MAX 64

/* ---- variables ---- */

static int add_value(struct buf *out, const json_t *value, int width)
{
    char *text;
    int rc;

    if (json_is_string(value))
        return buf_text(out, json_string_value(value));
    if (json_is_integer(value))
        return buf_format(out, "%0*lld", width, (long long)json_integer_value(value));
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    rc = text ? buf_text(out, text) : -1;
    free(text);
    return rc;
}

/*
 * The variable that text[at], a brace, begins, and where its place ends; NULL when it is nothing
 * but a brace.
 */
static const json_t *variable_at(const char *text, const json_t *vars, const char **ret_end,
                                 int *ret_width)
{
    const char *close = strchr(text, '}');
    char name[NAME_BYTES_MAX];
    size_t len = close ? (size_t)(close - text) - 1 : 0;
    const char *colon;
    const json_t *value;
    char *end;
    long width = 0;

    if (!close || !len || len >= sizeof(name))
        return NULL;
    memcpy(name, text + 1, len);
    name[len] = '\0';
    colon = strchr(name, ':');
    if (colon) {
        name[colon - name] = '\0';
        width = colon[1] == '0' ? strtol(colon + 1, &end, 10) : -1;
        if (width < 1 || width > 20 || strcmp(end, "d") != 0)
            return NULL;
    }
    value = json_object_get(vars, name);
    if (!value || (colon && !json_is_integer(value)))
        return NULL;
    *ret_end = close + 1;
    *ret_width = (int)width;
    return value;
}

char *batch_fill(const char *text, const json_t *vars)
{
    struct buf out;
    char *filled = NULL;
    int rc = 0;

    buf_init(&out, TEXT_BYTES_MAX);
    while (rc == 0 && *text) {
        const char *end;
        int width;
        const json_t *value = *text == '{' ? variable_at(text, vars, &end, &width) : NULL;

        if ((text[0] == '{' || text[0] == '}') && text[1] == text[0]) {
            rc = buf_add(&out, text, 1);
            text += 2;
        } else if (value) {
            rc = add_value(&out, value, width);
            text = end;
        } else {
            rc = buf_add(&out, text++, 1);
        }
    }
    if (rc == 0)
        filled = out.len ? buf_take(&out) : mem_text("");
    buf_done(&out);
    return filled;
}

/* A copy with every text filled, but for a member "vars"; NULL without memory or past a limit. */
static json_t *fill_all(const json_t *value, const json_t *vars)
{
    json_t *copy;
    const char *key;
    json_t *member;
    size_t index;
    char *text;
    int rc = 0;

    if (json_is_string(value)) {
        text = batch_fill(json_string_value(value), vars);
        copy = json_string(text);
        mem_free(text);
        return copy;
    }
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach((json_t *)value, index, member)
            rc |= json_array_append_new(copy, fill_all(member, vars));
    } else if (json_is_object(value)) {
        copy = json_object();
        json_object_foreach((json_t *)value, key, member)
            if (strcmp(key, "vars") != 0)
                rc |= json_object_set_new(copy, key, fill_all(member, vars));
    } else {
        copy = json_whole_copy(value);
    }
    /* An item without a part of it would be another item. */
    if (rc) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

/* ---- one item ---- */

/* The skill's names of arguments, and ours; NULL: it has no meaning here. */
static const struct {
    const char *skill;
    const char *ours;
} names[] = {
    {"n", "count"},
    {"duration", "seconds"},
    {"image", "first_frame"}, /* of a video; of a picture it is a reference */
    {"input_reference", "first_frame"},
    {"reference_image", "reference_images"},
    {"extra_json", "extra"},
    {"consistent", NULL},
    {"reference_key", NULL},
    {"transport", NULL},
    {"download", NULL},
    {"print_json", NULL},
    {"timeout", NULL},
    {"poll_interval", NULL},
    {"max_polls", NULL},
    {"endpoint", NULL},
    {"status_endpoint_template", NULL},
    {"config", NULL},
    {"out_dir", NULL},
    {"prefix", NULL},
};

static int move(json_t *args, const char *from, const char *to)
{
    json_t *value = json_incref(json_object_get(args, from));
    int rc = 0;

    json_object_del(args, from);
    if (to && value && !json_is_null(value) && !json_object_get(args, to))
        rc = strcmp(to, "reference_images") == 0 && json_is_string(value)
                 ? json_object_set_new(args, to, json_pack("[O]", value))
                 : json_object_set(args, to, value);
    json_decref(value);
    return rc;
}

/* extra_json may be an object or a text; ours is a text. */
static int mend_extra(json_t *args)
{
    json_t *extra = json_object_get(args, "extra");
    char *text;
    int rc;

    if (!json_is_object(extra))
        return 0;
    text = json_dumps(extra, JSON_COMPACT);
    rc = text ? json_object_set_new(args, "extra", json_string(text)) : -1;
    free(text);
    return rc;
}

static int take_names(json_t *args, int is_video)
{
    int rc = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *to = names[i].ours;

        if (!json_object_get(args, names[i].skill))
            continue;
        if (to && !is_video && strcmp(to, "first_frame") == 0)
            to = "reference_images";
        /* "image" is a real argument of edit_image. */
        if (strcmp(names[i].skill, "image") == 0 && json_object_get(args, "operation"))
            continue;
        rc |= move(args, names[i].skill, to);
    }
    return rc | mend_extra(args);
}

static int choose_tool(json_t *args, const char **ret_tool, struct err *err)
{
    static const char *const tools[] = {"generate_image", "generate_video", "edit_image",
                                        "character_replace"};
    const char *mode = json_text(args, "mode");
    const char *tool = json_text(args, "tool");

    if (!*tool && strcmp(mode, "video") == 0)
        tool = "generate_video";
    else if (!*tool && (!*mode || strcmp(mode, "image") == 0))
        tool = json_object_get(args, "operation") ? "edit_image" : "generate_image";
    else if (!*tool)
        return err_field(err, "mode",
                         "mode is \"%.40s\"; allowed are image and video (or name the tool in "
                         "\"tool\")",
                         mode);
    if (strcmp(mode, "video") == 0 || strcmp(mode, "image") == 0)
        json_object_del(args, "mode");
    for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++) {
        if (strcmp(tool, tools[i]) == 0) {
            *ret_tool = tools[i];
            json_object_del(args, "tool");
            return 0;
        }
    }
    return err_field(err, "tool",
                     "tool is \"%.40s\"; allowed are generate_image, edit_image, generate_video and "
                     "character_replace",
                     tool);
}

/* What an item's texts are filled from: the batch's variables, its own, its number and mode. */
static json_t *variables(const json_t *item, const json_t *vars, size_t number)
{
    const json_t *own = json_object_get(item, "vars");
    const char *mode = json_text(item, "mode");
    json_t *all = json_object();
    int rc = all ? 0 : -1;

    if (vars)
        rc |= json_object_update(all, (json_t *)vars);
    if (own)
        rc |= json_object_update(all, (json_t *)own);
    if (!json_object_get(all, "index"))
        rc |= json_object_set_new(all, "index", json_integer((json_int_t)number));
    if (!json_object_get(all, "mode"))
        rc |= json_object_set_new(all, "mode", json_string(*mode ? mode : "image"));
    if (rc) {
        json_decref(all);
        return NULL;
    }
    return all;
}

int batch_item_args(const json_t *item, const json_t *vars, size_t number, const char **ret_tool,
                    json_t **ret_args, struct err *err)
{
    const json_t *own = json_object_get(item, "vars");
    json_t *all;
    json_t *args = NULL;
    int rc = -1;

    if (!json_is_object(item))
        return err_set(err, ERR_INVALID, "an item must be a JSON object");
    if (own && !json_is_object(own))
        return err_field(err, "vars", "vars of an item must be a JSON object");
    all = variables(item, vars, number);
    args = all ? fill_all(item, all) : NULL;
    if (!args)
        err_set(err, ERR_LIMIT, "a text of this item is longer than %u bytes with its variables "
                "filled in, or memory ran out", TEXT_BYTES_MAX);
    else if (choose_tool(args, ret_tool, err) == 0)
        rc = take_names(args, strcmp(*ret_tool, "generate_video") == 0) ? err_nomem(err) : 0;
    json_decref(all);
    if (rc)
        json_decref(args);
    else
        *ret_args = args;
    return rc;
}

/* ---- a manifest ---- */

static int add_line(json_t *items, const char *line, size_t len, size_t number, struct err *err)
{
    json_error_t broken;
    json_t *item;

    while (len && strchr(" \t\r", line[len - 1]))
        len--;
    if (!len)
        return 0;
    item = json_loadb(line, len, 0, &broken);
    if (!item)
        return err_set(err, ERR_INVALID, "line %zu of the manifest is no JSON: column %d: %.*s",
                       number, broken.column, json_reason_len(broken.text), broken.text);
    return json_array_append_new(items, item) ? err_nomem(err) : 0;
}

static json_t *read_lines(const char *text, size_t len, struct err *err)
{
    json_t *items = json_array();
    const char *end = text + len;
    int rc = items ? 0 : err_nomem(err);

    for (size_t number = 1; rc == 0 && text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));

        if (!stop)
            stop = end;
        rc = add_line(items, text, (size_t)(stop - text), number, err);
        text = stop + 1;
    }
    if (rc) {
        json_decref(items);
        return NULL;
    }
    return items;
}

json_t *batch_manifest(const char *text, size_t len, struct err *err)
{
    size_t start = 0;
    json_error_t broken;
    json_t *items;

    while (start < len && strchr(" \t\r\n", text[start]))
        start++;
    if (start == len || text[start] != '[') {
        items = read_lines(text, len, err);
    } else {
        items = json_loadb(text, len, 0, &broken);
        if (!items)
            err_set(err, ERR_INVALID, "the manifest is no JSON: line %d, column %d: %.*s",
                    broken.line, broken.column, json_reason_len(broken.text), broken.text);
    }
    if (items && json_array_size(items) > LIMIT_BATCH) {
        err_set(err, ERR_LIMIT, "the manifest has %zu items; %d are the most of one batch",
                json_array_size(items), LIMIT_BATCH);
        json_decref(items);
        return NULL;
    }
    return items;
}
