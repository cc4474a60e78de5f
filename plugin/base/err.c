/* err.c - see err.h. */
#include "base/err.h"

#include "base/utf8.h"

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
    [ERR_DENIED] = "denied",
    [ERR_BUDGET] = "budget",
    [ERR_INTERNAL] = "internal",
};

static void fill(struct err *err, enum err_kind kind, const char *field, const char *format,
                 va_list args)
{
    char text[LIMIT_ERR_TEXT];

    /* Through a buffer of its own: an argument may be err->text itself. */
    vsnprintf(text, sizeof(text), format, args);
    /* Cut here or by a precision in the format, and often quoting others: it must stay text. */
    utf8_mend(text);
    memset(err, 0, sizeof(*err));
    err->kind = kind;
    snprintf(err->field, sizeof(err->field), "%s", field);
    utf8_mend(err->field);
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

void err_advise(struct err *err, const char *advice)
{
    if (err)
        err->advice = advice;
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
