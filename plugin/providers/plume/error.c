/*
 * error.c - what went wrong, from Plume's code, the HTTP status and its own words. Statuses of
 * codes are not published, and the published client ignores them, so a code decides where there is
 * one; an answer without JSON comes from something in between, and there the status is all there
 * is.
 */
#include "providers/plume/plume.h"

#include <stdio.h>
#include <string.h>

enum again {
    NEVER,
    LATER, /* the service says that nothing was done */
};

static const struct {
    const char *code;
    enum err_kind kind;
    const char *advice;
    enum again again;
} codes[] = {
    {"VALIDATION_ERROR", ERR_INVALID, NULL, NEVER},
    {"UNAUTHORIZED", ERR_AUTH, "plume.key", NEVER},
    {"FORBIDDEN", ERR_AUTH, "plume.disabled", NEVER},
    {"NOT_FOUND", ERR_NOT_FOUND, "plume.task", NEVER},
    {"INSUFFICIENT_CREDITS", ERR_CREDITS, "plume.credits", NEVER},
    {"CREDITS_ACCOUNT_NOT_FOUND", ERR_CREDITS, "plume.account", NEVER},
    {"CONCURRENT_MODIFICATION", ERR_BUSY, NULL, LATER},
    {"UPLOAD_FAILED", ERR_UNAVAILABLE, "plume.upload", NEVER},
    {"INTERNAL_ERROR", ERR_UNAVAILABLE, "plume.internal", NEVER},
};

#define CODES (sizeof(codes) / sizeof(*codes))

/* Our arguments by what Plume calls them. */
static const struct {
    const char *theirs, *ours;
} fields[] = {
    {"prompt", "prompt"},
    {"imageUrls", "image"},
    {"aspectRatio", "aspect_ratio"},
    {"image_size", "resolution"},
    {"durationSeconds", "seconds"},
    {"category", "model"},
    {"file", "image"},
    {"processing_mode", "extra"},
};

static const char *code_of_status(int status)
{
    switch (status) {
    case 401:
        return "UNAUTHORIZED";
    case 402:
        return "INSUFFICIENT_CREDITS";
    case 403:
        return "FORBIDDEN";
    case 404:
        return "NOT_FOUND";
    default:
        return "";
    }
}

static enum err_kind kind_of_status(int status)
{
    if (status == 429)
        return ERR_RATE_LIMITED;
    if (status == 408 || status == 425 || status >= 500)
        return ERR_UNAVAILABLE;
    return status >= 400 ? ERR_INVALID : ERR_ANSWER;
}

static const json_t *details_of(const struct plume_answer *answer)
{
    return json_object_get(json_object_get(answer->json, "error"), "details");
}

/* "message (prompt: required; file: exceeds 20 MB)"; NULL without memory. */
static char *words_of(struct arena *arena, const struct http_reply *reply,
                      const struct plume_answer *answer)
{
    const char *message = answer->json ? answer->message : reply->text ? reply->text : "";
    char *details = arena_text(arena, "");
    char *text;
    const char *name;
    json_t *why;

    json_object_foreach((json_t *)details_of(answer), name, why)
    {
        const char *word = json_word(arena, why);

        if (details && word && strcmp(word, message) != 0)
            details = arena_format(arena, "%s%s%s: %s", details, *details ? "; " : "", name, word);
    }
    if (!details)
        return NULL;
    text = *details ? arena_format(arena, "%s (%s)", message, details) : arena_text(arena, message);
    return text ? provider_clean(arena, text, strlen(text)) : NULL;
}

static void name_field(const struct plume_answer *answer, struct err *err)
{
    const char *name;
    json_t *why;

    json_object_foreach((json_t *)details_of(answer), name,
                        why) for (size_t i = 0; i < sizeof(fields) / sizeof(*fields);
                                  i++) if (!err->field[0] && strcmp(fields[i].theirs, name) == 0)
        snprintf(err->field, sizeof(err->field), "%s", fields[i].ours);
}

int plume_error_read(const struct http_reply *reply, const struct plume_answer *answer,
                     struct arena *arena, struct err *ret_err)
{
    const char *code = *answer->code ? answer->code : code_of_status(reply->status);
    char *words = words_of(arena, reply, answer);
    char *shown = provider_clean(arena, code, strlen(code));
    enum err_kind kind = kind_of_status(reply->status);
    const char *advice = NULL;
    int again = kind == ERR_RATE_LIMITED;

    for (size_t i = 0; i < CODES; i++)
        if (strcmp(codes[i].code, code) == 0) {
            kind = codes[i].kind;
            advice = codes[i].advice;
            again = codes[i].again == LATER;
        }
    if (shown && *shown)
        err_set(ret_err, kind, words && *words ? "%s: %s" : "%s%s", shown, words ? words : "");
    else
        err_set(ret_err, kind, words && *words ? "HTTP %d: %s" : "HTTP %d%s", reply->status,
                words && *words ? words : " without a reason");
    err_advise(ret_err, advice);
    if (kind == ERR_INVALID)
        name_field(answer, ret_err);
    return again;
}

int plume_error_is_about_pictures(const struct plume_answer *answer)
{
    return strcmp(answer->code, "VALIDATION_ERROR") == 0 &&
           json_object_get(details_of(answer), "imageUrls") != NULL;
}

int plume_error_is_moderated(const json_t *catalog, const char *text)
{
    const json_t *words = json_object_get(json_object_get(catalog, "error_words"), "moderated");

    return json_list_within(json_object_get(words, "texts"), text);
}
