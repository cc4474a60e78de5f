/*
 * schema.c - the flat part of JSON Schema that our tools use: one object, plain types, enum,
 * bounds, required, never unknown members. The point is the message: field, what was given, what is
 * allowed, and the nearest valid value.
 */
#include "tools/tool.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/near.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIVEN_MAX 60
#define HIDDEN "something that looks like a key"

/* What was given, short enough to be shown, unless it had better not be. */
static void show(const json_t *value, char ret_text[GIVEN_MAX])
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    if (text_looks_like_key(text)) {
        snprintf(ret_text, GIVEN_MAX, HIDDEN);
        free(text);
        return;
    }
    snprintf(ret_text, GIVEN_MAX, "%s", text ? text : "?");
    if (text && strlen(text) >= GIVEN_MAX)
        memcpy(ret_text + GIVEN_MAX - 4, "...", 4);
    free(text);
}

static int unknown_member(const json_t *properties, const char *name, const json_t *value,
                          struct err *err)
{
    const char *nearest = NULL;
    size_t best = NEAR_BYTES_MAX;
    const char *known;
    json_t *ignored;
    struct buf all;

    if (text_looks_like_key(name))
        return err_set(err, ERR_INVALID,
                       "an argument's name looks like a key; keys are never given in a call");
    if (json_is_string(value) && text_looks_like_key(json_string_value(value)))
        return err_field(err, name,
                         "there is no argument \"%.40s\", and what it holds looks like a key: keys "
                         "are never given in a call, see the tool account",
                         name);
    buf_init(&all, LIMIT_ERR_TEXT / 2);
    json_object_foreach((json_t *)properties, known, ignored) {
        if (near_word(name, known, &best))
            nearest = known;
        if (buf_format(&all, "%s%s", all.len ? ", " : "", known))
            break;
    }
    if (nearest)
        err_field(err, name, "there is no argument \"%.40s\"; did you mean \"%s\"?", name, nearest);
    else
        err_field(err, name, "there is no argument \"%.40s\"; allowed are %s", name,
                  all.data ? all.data : "none");
    buf_done(&all);
    return -1;
}

static int check_enum(const json_t *allowed, const char *name, const json_t *value,
                      struct err *err)
{
    const char *text = json_string_value(value);
    const char *nearest = NULL;
    size_t best = NEAR_BYTES_MAX;
    const json_t *one;
    size_t index;
    struct buf all;

    buf_init(&all, LIMIT_ERR_TEXT / 2);
    json_array_foreach((json_t *)allowed, index, one) {
        if (strcmp(json_string_value(one), text) == 0) {
            buf_done(&all);
            return 0;
        }
        if (near_word(text, json_string_value(one), &best))
            nearest = json_string_value(one);
        if (buf_format(&all, "%s%s", index ? ", " : "", json_string_value(one)))
            break;
    }
    if (text_looks_like_key(text))
        text = HIDDEN;
    err_field(err, name, "%s cannot be \"%.40s\"; allowed are %s%s%s%s", name, text,
              all.data ? all.data : "", nearest ? " (nearest: " : "", nearest ? nearest : "",
              nearest ? ")" : "");
    buf_done(&all);
    return -1;
}

/* Mends a value of a near-by type; NULL when there is nothing to mend it to. A new reference. */
static json_t *mend(const char *type, const json_t *value)
{
    const char *text = json_string_value(value);
    char *end;

    if (strcmp(type, "array") == 0 && text)
        return json_pack("[O]", value);
    if (strcmp(type, "string") == 0 && json_is_integer(value)) {
        char number[32];

        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        return json_string(number);
    }
    if (strcmp(type, "integer") == 0 && json_is_real(value) &&
        json_real_value(value) > -1e15 && json_real_value(value) < 1e15 &&
        (double)(json_int_t)json_real_value(value) == json_real_value(value))
        return json_integer((json_int_t)json_real_value(value));
    if (!text || !*text)
        return NULL;
    if (strcmp(type, "boolean") == 0)
        return strcmp(text, "true") == 0    ? json_true()
               : strcmp(text, "false") == 0 ? json_false()
                                            : NULL;
    if (strcmp(type, "integer") == 0) {
        long long number = strtoll(text, &end, 10);

        return *end ? NULL : json_integer(number);
    }
    if (strcmp(type, "number") == 0) {
        double number = strtod(text, &end);

        return *end ? NULL : json_real(number);
    }
    return NULL;
}

static int check_bounds(const json_t *schema, const char *name, const json_t *value,
                        struct err *err)
{
    const json_t *least = json_object_get(schema, "minimum");
    const json_t *most = json_object_get(schema, "maximum");
    const json_t *longest = json_object_get(schema, "maxLength");
    const json_t *items = json_object_get(schema, "maxItems");
    double number = json_number_value(value);

    if (json_is_number(value) && ((least && number < json_number_value(least)) ||
                                  (most && number > json_number_value(most))))
        return err_field(err, name, "%s is %.10g; allowed is %.10g to %.10g", name, number,
                         least ? json_number_value(least) : 0,
                         most ? json_number_value(most) : 1e15);
    if (longest && json_string_length(value) > (size_t)json_integer_value(longest))
        return err_field(err, name, "%s has %zu bytes; at most %lld are allowed", name,
                         json_string_length(value), (long long)json_integer_value(longest));
    if (items && json_array_size(value) > (size_t)json_integer_value(items))
        return err_field(err, name, "%s has %zu entries; at most %lld are allowed", name,
                         json_array_size(value), (long long)json_integer_value(items));
    return 0;
}

static int check_items(const json_t *schema, const char *name, const json_t *value,
                       struct err *err)
{
    const char *type =
        json_string_value(json_object_get(json_object_get(schema, "items"), "type"));
    const json_t *one;
    size_t index;
    char given[GIVEN_MAX];

    json_array_foreach((json_t *)value, index, one) {
        if (!type || json_has_type(one, type))
            continue;
        show(one, given);
        return err_field(err, name, "%s[%zu] is %s; it must be a %s", name, index, given, type);
    }
    return 0;
}

static int check_member(const json_t *schema, json_t *args, const char *name, json_t *value,
                        struct err *err)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    const json_t *allowed = json_object_get(schema, "enum");
    char given[GIVEN_MAX];

    if (!json_has_type(value, type)) {
        json_t *mended = mend(type, value);

        show(value, given);
        if (!mended)
            return err_field(err, name, "%s is %s; it must be of type %s", name, given, type);
        if (json_object_set_new(args, name, mended))
            return err_nomem(err);
        value = json_object_get(args, name);
    }
    if (allowed && check_enum(allowed, name, value, err))
        return -1;
    if (json_is_array(value) && check_items(schema, name, value, err))
        return -1;
    return check_bounds(schema, name, value, err);
}

/*
 * Models read every schema in every turn. What they need not know beforehand stands in
 * input_checks: bounds, which the error tells, and rare arguments, which the skills' references
 * tell of.
 */
int schema_join(json_t *schema, const json_t *checks)
{
    json_t *properties = json_object_get(schema, "properties");
    const char *name;
    json_t *check;

    json_object_foreach((json_t *)checks, name, check) {
        json_t *known = json_object_get(properties, name);

        if (known ? json_object_update(known, check)
                  : json_object_set(properties, name, check))
            return -1;
    }
    return 0;
}

int schema_check(const json_t *schema, json_t *args, struct err *err)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    const json_t *name_json;
    const char *name;
    json_t *value;
    size_t index;
    void *next;

    /* Members that are null were left out, as far as their sender is concerned. */
    json_object_foreach_safe(args, next, name, value) {
        if (json_is_null(value))
            json_object_del(args, name);
        else if (!json_object_get(properties, name))
            return unknown_member(properties, name, value, err);
    }
    json_object_foreach((json_t *)properties, name, value) {
        json_t *given = json_object_get(args, name);

        if (given && check_member(value, args, name, given, err))
            return -1;
    }
    json_array_foreach((json_t *)required, index, name_json) {
        name = json_string_value(name_json);
        value = json_object_get(args, name);
        if (!value || (json_is_string(value) && !json_string_length(value)))
            return err_field(err, name, "%s is missing; it is required", name);
    }
    return 0;
}
