/*
 * settings.c - our own settings against manifests/schema/config.schema.json, which is also what the
 * host checks them with: the parts of JSON Schema that the file uses, and messages that say where,
 * what is allowed and what was probably meant.
 */
#include "config/config_private.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/embed.h"
#include "base/near.h"

#include <stdio.h>
#include <string.h>

#define SCHEMA "schema/config.schema.json"
#define PLACE_MAX 256
#define DEPTH_MAX 8 /* of the schema; deeper values cannot be valid */

struct check {
    char place[PLACE_MAX];
    struct err *err;
    unsigned depth;
};

static int check_value(struct check *check, const json_t *schema, const json_t *value);

static json_t *load_schema(struct err *err)
{
    for (const struct embed_file *file = embed_files; file->name; file++) {
        if (strcmp(file->name, SCHEMA) == 0) {
            json_t *schema = json_loadb(file->text, file->size, 0, NULL);

            if (!schema)
                err_nomem(err);
            return schema;
        }
    }
    err_set(err, ERR_INTERNAL, "%s is missing from the build", SCHEMA);
    return NULL;
}

static int fail(struct check *check, const char *what)
{
    return err_set(check->err, ERR_CONFIG, "%s %s", check->place, what);
}

static int unknown_member(struct check *check, const json_t *properties, const char *name)
{
    const char *nearest = NULL, *known;
    size_t best = NEAR_BYTES_MAX;
    json_t *ignored;
    struct buf all;

    buf_init(&all, LIMIT_ERR_TEXT / 2);
    json_object_foreach((json_t *)properties, known, ignored) {
        if (near_word(name, known, &best))
            nearest = known;
        if (buf_format(&all, "%s%s", all.len ? ", " : "", known))
            break;
    }
    if (nearest)
        err_set(check->err, ERR_CONFIG, "%s has the unknown key \"%.40s\"; did you mean \"%s\"?",
                check->place, name, nearest);
    else
        err_set(check->err, ERR_CONFIG, "%s has the unknown key \"%.40s\"; allowed are %s",
                check->place, name, all.data ? all.data : "none");
    buf_done(&all);
    return -1;
}

/* One type's name, or a list of them. */
static int has_any_type(const json_t *types, const json_t *value)
{
    const json_t *one;
    size_t index;

    if (json_is_string(types))
        return json_has_type(value, json_string_value(types));
    json_array_foreach((json_t *)types, index, one)
        if (json_has_type(value, json_string_value(one)))
            return 1;
    return !types;
}

static int wrong_type(struct check *check, const json_t *types)
{
    const char *type = json_string_value(types);
    char text[96] = "must be of type ";
    const json_t *one;
    size_t index;

    if (type)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.16s", type);
    json_array_foreach((json_t *)types, index, one)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.16s",
                 index == 0                             ? ""
                 : index + 1 == json_array_size(types) ? " or "
                                                        : ", ",
                 json_string_value(one));
    return fail(check, text);
}

static int check_enum(struct check *check, const json_t *allowed, const json_t *value)
{
    const json_t *one;
    size_t index;
    struct buf all;

    buf_init(&all, LIMIT_ERR_TEXT / 2);
    json_array_foreach((json_t *)allowed, index, one) {
        if (json_equal(one, value)) {
            buf_done(&all);
            return 0;
        }
        if (buf_format(&all, "%s%s", index ? ", " : "", json_string_value(one)))
            break;
    }
    err_set(check->err, ERR_CONFIG, "%s is none of %s", check->place, all.data ? all.data : "");
    buf_done(&all);
    return -1;
}

/* Of patterns only "^(one|other)$" is used: a choice of words beside values of other types. */
static int check_words(struct check *check, const char *pattern, const char *text)
{
    const char *word = pattern + strlen("^(");
    char allowed[96];

    while (*word && *word != ')') {
        size_t len = strcspn(word, "|)");

        if (strlen(text) == len && memcmp(word, text, len) == 0)
            return 0;
        word += len + (word[len] == '|');
    }
    snprintf(allowed, sizeof(allowed), "is a text and none of %.60s", pattern + strlen("^("));
    allowed[strcspn(allowed, ")")] = '\0';
    for (char *at = allowed; *at; at++)
        if (*at == '|')
            *at = '/';
    return fail(check, allowed);
}

static int check_bounds(struct check *check, const json_t *schema, const json_t *value)
{
    const json_t *least = json_object_get(schema, "minimum");
    const json_t *most = json_object_get(schema, "maximum");
    const json_t *items = json_object_get(schema, "maxItems");
    const json_t *pattern = json_object_get(schema, "pattern");
    const json_t *shortest = json_object_get(schema, "minLength");
    const json_t *longest = json_object_get(schema, "maxLength");
    double number = json_number_value(value);
    char text[96];

    if (pattern && json_is_string(value))
        return check_words(check, json_string_value(pattern), json_string_value(value));
    if (!json_is_number(value))
        least = most = NULL;
    if (least && number < json_number_value(least)) {
        snprintf(text, sizeof(text), "must be at least %.10g", json_number_value(least));
        return fail(check, text);
    }
    if (most && number > json_number_value(most)) {
        snprintf(text, sizeof(text), "must be at most %.10g", json_number_value(most));
        return fail(check, text);
    }
    if (items && json_array_size(value) > (size_t)json_integer_value(items)) {
        snprintf(text, sizeof(text), "has %zu entries; at most %lld are allowed",
                 json_array_size(value), (long long)json_integer_value(items));
        return fail(check, text);
    }
    if (shortest && json_string_length(value) < (size_t)json_integer_value(shortest))
        return fail(check, "must not be empty");
    if (longest && json_string_length(value) > (size_t)json_integer_value(longest))
        return fail(check, "is too long");
    return 0;
}

/* check_value one level down, with the member's name or number in the place. */
static int check_inside(struct check *check, const char *name, size_t index,
                        const json_t *schema, const json_t *value)
{
    size_t len = strlen(check->place);
    int rc;

    if (check->depth == DEPTH_MAX)
        return fail(check, "nests too deep");
    if (name)
        snprintf(check->place + len, sizeof(check->place) - len, ".%.60s", name);
    else
        snprintf(check->place + len, sizeof(check->place) - len, "[%zu]", index);
    check->depth++;
    rc = check_value(check, schema, value);
    check->depth--;
    check->place[len] = '\0';
    return rc;
}

static int check_object(struct check *check, const json_t *schema, const json_t *value)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const json_t *required = json_object_get(schema, "required");
    const json_t *member;
    const char *name;
    size_t index;

    json_array_foreach((json_t *)required, index, member) {
        if (!json_object_get(value, json_string_value(member)))
            return err_set(check->err, ERR_CONFIG, "%s lacks \"%.40s\"", check->place,
                           json_string_value(member));
    }
    json_object_foreach((json_t *)value, name, member) {
        const json_t *own = json_object_get(properties, name);

        if (!own && json_is_false(others))
            return unknown_member(check, properties, name);
        if (!own)
            own = others;
        if (json_is_object(own) && check_inside(check, name, 0, own, member))
            return -1;
    }
    return 0;
}

static int check_value(struct check *check, const json_t *schema, const json_t *value)
{
    const json_t *types = json_object_get(schema, "type");
    const json_t *allowed = json_object_get(schema, "enum");
    const json_t *items = json_object_get(schema, "items");
    const json_t *one;
    size_t index;

    if (!has_any_type(types, value))
        return wrong_type(check, types);
    if (allowed && check_enum(check, allowed, value))
        return -1;
    if (check_bounds(check, schema, value))
        return -1;
    if (json_is_object(value))
        return check_object(check, schema, value);
    json_array_foreach((json_t *)value, index, one)
        if (items && check_inside(check, NULL, index, items, one))
            return -1;
    return 0;
}

int config_settings_check(const json_t *settings, const char *place, struct err *err)
{
    struct check check = {.err = err};
    json_t *schema = load_schema(err);
    int rc;

    if (!schema)
        return -1;
    snprintf(check.place, sizeof(check.place), "%s", place);
    rc = check_value(&check, schema, settings);
    json_decref(schema);
    return rc;
}
