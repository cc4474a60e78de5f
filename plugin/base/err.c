/* err.c - see err.h. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[ERR_KINDS] = {
    [ERR_NONE] = "none",
    [ERR_INVALID] = "invalid",
    [ERR_CONFIG] = "config",
    [ERR_AUTH] = "auth",
    [ERR_CREDITS] = "credits",
    [ERR_MODERATED] = "moderated",
    [ERR_RATE_LIMITED] = "rate_limited",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_EXPIRED] = "expired",
    [ERR_REFUSED] = "refused",
    [ERR_LOST] = "lost",
    [ERR_ANSWER] = "answer",
    [ERR_LIMIT] = "limit",
    [ERR_IO] = "io",
    [ERR_NOMEM] = "nomem",
    [ERR_BUSY] = "busy",
    [ERR_CANCELLED] = "cancelled",
    [ERR_INTERNAL] = "internal",
};

/* A cut in the middle of a character would make the text invalid JSON. */
static void cut_clean(char *text)
{
    size_t len = strlen(text);
    size_t back = 0;

    while (back < len && back < 4 && ((unsigned char)text[len - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back < len) {
        unsigned char lead = (unsigned char)text[len - 1 - back];
        size_t need = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;

        if (back < need)
            text[len - 1 - back] = '\0';
    }
}

static void fill(struct err *err, enum err_kind kind, const char *field, const char *format,
                 va_list args)
{
    char text[LIMIT_ERR_TEXT];

    /* Through a buffer of its own: an argument may be err->text itself. */
    if (vsnprintf(text, sizeof(text), format, args) >= (int)sizeof(text))
        cut_clean(text);
    memset(err, 0, sizeof(*err));
    err->kind = kind;
    snprintf(err->field, sizeof(err->field), "%s", field);
    memcpy(err->text, text, sizeof(text));
}

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    va_list args;

    if (!err)
        return -1;
    va_start(args, format);
    fill(err, kind, "", format, args);
    va_end(args);
    return -1;
}

int err_field(struct err *err, const char *field, const char *format, ...)
{
    va_list args;

    if (!err)
        return -1;
    va_start(args, format);
    fill(err, ERR_INVALID, field, format, args);
    va_end(args);
    return -1;
}

int err_nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

const char *err_kind_name(enum err_kind kind)
{
    return (unsigned)kind < ERR_KINDS ? names[kind] : names[ERR_INTERNAL];
}

enum err_kind err_kind_by_name(const char *name)
{
    for (int i = 0; i < ERR_KINDS; i++)
        if (name && strcmp(name, names[i]) == 0)
            return (enum err_kind)i;
    return ERR_INTERNAL;
}
