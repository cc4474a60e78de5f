/* The JSON5 reader: see json5.h for the language and its few meant differences.
 *
 * One loop over the states of the grammar, and a fixed stack of the open arrays and objects, so
 * depth costs no C stack. A container is attached to its parent when it opens: the root owns
 * everything, the stack only borrows, and giving up is one json_decref.
 *
 * Not here: characters and tokens (json5_scan.c), reading files, $include and ${VAR}.
 */
#include "config/json5.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "config/json5_scan.h"

enum state {
    AT_VALUE,    /* a value must follow */
    AT_ELEMENT,  /* a value or the end of the array */
    AT_KEY,      /* a key or the end of the object */
    AT_COLON,    /* the colon behind a key */
    AFTER_VALUE, /* a comma or the end of the container */
    AT_END       /* nothing but space */
};

struct reader {
    struct json5_scan scan;
    enum state state;
    json_t *root;                  /* owned */
    json_t *open[JSON5_DEPTH_MAX]; /* borrowed from root */
    size_t depth;
    struct json5_token key, value; /* apart, because a key waits while its value is read */
};

static json_t *make_number(double number)
{
    /* 2^63 is a double, the largest int64_t is not */
    bool fits = number >= -0x1p63 && number < 0x1p63 && !(number == 0 && signbit(number));

    if (fits && (double)(json_int_t)number == number)
        return json_integer((json_int_t)number);
    return json_real(number);
}

/* Takes value. */
static int attach(struct reader *r, json_t *value)
{
    json_t *parent;
    int rc;

    if (r->depth == 0) {
        r->root = value;
        return 0;
    }
    parent = r->open[r->depth - 1];
    if (json_is_array(parent))
        rc = json_array_append_new(parent, value);
    else
        rc = json_object_setn_new_nocheck(parent, r->key.used ? r->key.bytes : "", r->key.used,
                                          value);
    return rc < 0 ? json5_scan_fail_memory(&r->scan) : 0;
}

static void after_value(struct reader *r)
{
    r->state = r->depth == 0 ? AT_END : AFTER_VALUE;
}

static int open_container(struct reader *r)
{
    bool array = r->scan.c == '[';
    json_t *value;
    int rc;

    if (r->depth == JSON5_DEPTH_MAX) {
        char text[80];

        snprintf(text, sizeof(text), "found '%c', expected at most %d levels of nesting",
                 (int)r->scan.c, JSON5_DEPTH_MAX);
        return json5_scan_fail_at(&r->scan, JSON5_E_DEPTH, r->scan.place, text);
    }
    value = array ? json_array() : json_object();
    if (!value)
        return json5_scan_fail_memory(&r->scan);
    rc = attach(r, value);
    if (rc < 0)
        return rc;
    r->open[r->depth++] = value;
    r->state = array ? AT_ELEMENT : AT_KEY;
    json5_scan_advance(&r->scan);
    return 0;
}

static void close_container(struct reader *r)
{
    r->depth--;
    after_value(r);
    json5_scan_advance(&r->scan);
}

static bool starts_number(const struct json5_scan *s)
{
    return json5_scan_is_digit(s) || s->c == '+' || s->c == '-' || s->c == '.' || s->c == 'I' ||
           s->c == 'N';
}

static int read_scalar(struct reader *r, json_t **ret_value)
{
    struct json5_scan *s = &r->scan;
    json_t *value = NULL;
    double number;
    int rc;

    if (s->c == '"' || s->c == '\'') {
        rc = json5_scan_string(s, &r->value);
        if (rc == 0)
            value = json_stringn_nocheck(r->value.used ? r->value.bytes : "", r->value.used);
    } else if (s->c == 'n') {
        rc = json5_scan_word(s, "null");
        value = json_null();
    } else if (s->c == 't') {
        rc = json5_scan_word(s, "true");
        value = json_true();
    } else if (s->c == 'f') {
        rc = json5_scan_word(s, "false");
        value = json_false();
    } else if (starts_number(s)) {
        rc = json5_scan_number(s, &r->value, &number);
        if (rc == 0)
            value = make_number(number);
    } else {
        rc = json5_scan_fail(s, r->state == AT_ELEMENT ? "a value or ']'" : "a value");
    }
    if (rc < 0)
        return rc;
    if (!value)
        return json5_scan_fail_memory(s);
    *ret_value = value;
    return 0;
}

static int read_value(struct reader *r)
{
    json_t *value = NULL;
    int rc;

    if (r->scan.c == '{' || r->scan.c == '[')
        return open_container(r);
    rc = read_scalar(r, &value);
    if (rc == 0)
        rc = attach(r, value);
    if (rc == 0)
        after_value(r);
    return rc;
}

static int read_key(struct reader *r)
{
    struct json5_scan *s = &r->scan;
    int rc;

    if (s->c == '"' || s->c == '\'')
        rc = json5_scan_string(s, &r->key);
    else
        rc = json5_scan_identifier(s, &r->key);
    if (rc == 0)
        r->state = AT_COLON;
    return rc;
}

static int read_separator(struct reader *r)
{
    bool array = json_is_array(r->open[r->depth - 1]);

    if (r->scan.c == (array ? (uint32_t)']' : (uint32_t)'}')) {
        close_container(r);
        return 0;
    }
    if (r->scan.c != ',')
        return json5_scan_fail(&r->scan, array ? "',' or ']'" : "',' or '}'");
    r->state = array ? AT_ELEMENT : AT_KEY;
    json5_scan_advance(&r->scan);
    return 0;
}

static int read_document(struct reader *r)
{
    int rc;

    while ((rc = json5_scan_space(&r->scan)) == 0) {
        switch (r->state) {
        case AT_ELEMENT:
            if (r->scan.c == ']')
                close_container(r);
            else
                rc = read_value(r);
            break;
        case AT_VALUE:
            rc = read_value(r);
            break;
        case AT_KEY:
            if (r->scan.c == '}')
                close_container(r);
            else
                rc = read_key(r);
            break;
        case AT_COLON:
            if (r->scan.c != ':')
                return json5_scan_fail(&r->scan, "':' behind the key");
            r->state = AT_VALUE;
            json5_scan_advance(&r->scan);
            break;
        case AFTER_VALUE:
            rc = read_separator(r);
            break;
        case AT_END:
            return r->scan.c == JSON5_SCAN_END
                       ? 0
                       : json5_scan_fail(&r->scan, "nothing behind the value");
        }
        if (rc < 0)
            break;
    }
    return rc;
}

int json5_parse(const char *text, size_t len, json_t **ret_value, struct json5_error *ret_error)
{
    struct reader r = {.state = AT_VALUE};
    int rc = json5_scan_start(&r.scan, text, len, ret_error);

    if (rc == 0)
        rc = read_document(&r);
    if (rc == 0)
        *ret_value = r.root;
    else
        json_decref(r.root);
    json5_token_free(&r.key);
    json5_token_free(&r.value);
    json5_scan_stop(&r.scan);
    return rc;
}
