/*
 * result.c - see result.h. A result's own text is printed, not a re-serialised one, so that numbers
 * and order stay as the plugin wrote them; line breaks between its parts become blanks.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "result.h"

static char *read_all(FILE *f, size_t *ret_len)
{
    char *text = NULL;
    size_t len = 0;
    size_t size = 0;
    size_t n;

    do {
        if (len + 1 >= size) {
            char *larger;

            size = size == 0 ? 65536 : size * 2;
            larger = realloc(text, size);
            if (larger == NULL || len > AHP_ARGS_BYTES_MAX) {
                errno = larger == NULL ? ENOMEM : EFBIG;
                free(larger != NULL ? larger : text);
                return NULL;
            }
            text = larger;
        }
        n = fread(text + len, 1, size - len - 1, f);
        len += n;
    } while (n > 0);
    if (ferror(f)) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    *ret_len = len;
    return text;
}

static char *read_source(const char *arg, size_t *ret_len, char *ret_error, size_t error_size)
{
    const char *name = arg[0] == '@' ? arg + 1 : "standard input";
    FILE *f = stdin;
    char *text;

    if (arg[0] == '@')
        f = fopen(arg + 1, "re");
    text = f != NULL ? read_all(f, ret_len) : NULL;
    if (text == NULL)
        snprintf(ret_error, error_size, "%s: %s", name, strerror(errno));
    if (f != NULL && f != stdin)
        fclose(f);
    return text;
}

char *args_read(const char *arg, char *ret_error, size_t error_size)
{
    json_error_t e;
    json_t *value;
    char *text;
    size_t len;

    if (strcmp(arg, "-") == 0 || arg[0] == '@') {
        text = read_source(arg, &len, ret_error, error_size);
    } else {
        text = strdup(arg);
        len = strlen(arg);
    }
    if (text == NULL)
        return NULL;
    value = json_loadb(text, len, JSON_DECODE_ANY, &e);
    if (value == NULL || !json_is_object(value) || len > AHP_ARGS_BYTES_MAX) {
        if (value == NULL)
            snprintf(ret_error, error_size, "the arguments are not JSON: line %d, column %d: %s",
                     e.line, e.column, e.text);
        else if (!json_is_object(value))
            snprintf(ret_error, error_size, "the arguments must be one JSON object: {...}");
        else
            snprintf(ret_error, error_size, "the arguments are longer than %u bytes",
                     AHP_ARGS_BYTES_MAX);
        free(text);
        text = NULL;
    }
    json_decref(value);
    return text;
}

static const char *status_word(int32_t status)
{
    static const char *const words[] = {"done",     "failed",    "cancelled",
                                        "shutdown", "submitted", "unknown"};

    return status >= AHP_RESULT_OK && status <= AHP_RESULT_UNKNOWN ? words[status] : "unknown";
}

static int print_line(char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
    if (fwrite(text, 1, len, stdout) != len || fputc('\n', stdout) == EOF || fflush(stdout) != 0)
        return RESULT_NOT_WRITTEN;
    return 0;
}

/* For a plugin that ends a call without words: what the host knows. */
static char *own_words(const ahp_result *result)
{
    json_t *o = json_pack("{s:s}", "status", status_word(result->status));
    char *text;

    if (o != NULL && result->job_id.len > 0)
        json_object_set_new(o, "job", json_stringn(result->job_id.ptr, result->job_id.len));
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

int result_print(const ahp_result *result)
{
    json_t *value;
    char *text;
    int rc = RESULT_NOT_JSON;

    if (result->json.len == 0) {
        text = own_words(result);
        rc = text != NULL ? print_line(text, strlen(text)) : RESULT_NOT_WRITTEN;
        free(text);
        return rc;
    }
    value = json_loadb(result->json.ptr, result->json.len, 0, NULL);
    text = json_is_object(value) ? malloc(result->json.len) : NULL;
    if (text != NULL) {
        memcpy(text, result->json.ptr, result->json.len);
        rc = print_line(text, result->json.len);
    }
    free(text);
    json_decref(value);
    return rc;
}

char *result_words(const ahp_result *result)
{
    json_t *value =
        json_loadb(result->json.ptr != NULL ? result->json.ptr : "", result->json.len, 0, NULL);
    const json_t *error = json_object_get(value, "error");
    const char *words = json_string_value(json_object_get(error, "message"));
    char *copy;

    if (words == NULL)
        words = json_string_value(error);
    if (words == NULL)
        words = json_string_value(json_object_get(value, "message"));
    copy = words != NULL ? strdup(words) : NULL;
    json_decref(value);
    return copy;
}
