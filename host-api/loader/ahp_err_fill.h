/*
 * ahp_err_fill.h - writes the reason of a failed set-up call. Shared by the loader, the shim and
 * hosts of this tree; not part of the ABI. Respects the size that the err's owner wrote (R4) and
 * always ends the text in NUL. Returns `code`, so that a failure is one statement.
 */
#ifndef AHP_ERR_FILL_H
#define AHP_ERR_FILL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <ahp/ahp.h>

#if defined(__GNUC__)
__attribute__((format(printf, 3, 0)))
#endif
static inline int32_t ahp_err_vfill(ahp_err *err, int32_t code, const char *format, va_list args)
{
    if (err == NULL || !AHP_IN(err, code))
        return code;
    err->code = code;
    if (err->size > offsetof(ahp_err, text)) {
        size_t room = (size_t)err->size - offsetof(ahp_err, text);

        if (room > sizeof(err->text))
            room = sizeof(err->text);
        if (vsnprintf(err->text, room, format, args) < 0)
            err->text[0] = '\0';
    }
    return code;
}

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static inline int32_t ahp_err_fill(ahp_err *err, int32_t code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)ahp_err_vfill(err, code, format, args);
    va_end(args);
    return code;
}

#endif
