/* json_schema.h - a small validator for the tests that hold catalogues against their schemas. */
#ifndef TESTS_JSON_SCHEMA_H
#define TESTS_JSON_SCHEMA_H

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The part of JSON Schema that the schema uses; a word it does not know fails. */
static inline void schema_validate(const json_t *schema, const json_t *value,
                                   const char *where)
{
    static const char *const types[] = {"object", "array", "string", "integer", "real",
                                        "boolean", "boolean", "null"};
    const json_t *type = json_object_get(schema, "type");
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *more = json_object_get(schema, "additionalProperties");
    const char *is = types[json_typeof(value)];
    const char *key;
    size_t index;
    json_t *item;
    char at[300];

    json_object_foreach((json_t *)schema, key, item)
        if (!strstr(" type properties additionalProperties required items enum minItems minimum "
                    "$schema title description ",
                    key))
            fail_msg("%s: unknown word %s", where, key);
    if (type && strcmp(json_string_value(type), is) != 0 &&
        !(strcmp(json_string_value(type), "number") == 0 && json_is_number(value)))
        fail_msg("%s is %s, not %s", where, is, json_string_value(type));
    json_array_foreach(json_object_get(schema, "required"), index, item)
        if (!json_object_get(value, json_string_value(item)))
            fail_msg("%s has no %s", where, json_string_value(item));
    if (json_object_get(schema, "enum")) {
        int found = 0;

        json_array_foreach(json_object_get(schema, "enum"), index, item)
            found |= json_equal(item, value);
        if (!found)
            fail_msg("%s is none of its words", where);
    }
    if (json_object_get(schema, "minimum"))
        assert_true(json_number_value(value) >=
                    json_number_value(json_object_get(schema, "minimum")));
    if (json_object_get(schema, "minItems"))
        assert_true((json_int_t)json_array_size(value) >=
                    json_integer_value(json_object_get(schema, "minItems")));
    json_array_foreach((json_t *)value, index, item) {
        snprintf(at, sizeof(at), "%.200s/%zu", where, index);
        schema_validate(json_object_get(schema, "items"), item, at);
    }
    json_object_foreach((json_t *)value, key, item) {
        const json_t *own = json_object_get(properties, key);

        snprintf(at, sizeof(at), "%.200s/%.80s", where, key);
        if (!own && json_is_false(more))
            fail_msg("%s is unknown", at);
        schema_validate(own ? own : json_is_object(more) ? more : NULL, item, at);
    }
}

#endif
