/*
 * outbox_script.c - see outbox_script.h. '#' begins a comment; empty lines are skipped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outbox_script.h"

struct line {
    enum outbox_action action;
    int64_t ms;
};

struct outbox_script {
    struct line *lines;
    size_t count;
    size_t at;
};

static const struct {
    const char *word;
    enum outbox_action action;
    int has_ms;
} words[] = {
    {"deliver", OUTBOX_DELIVER, 0}, {"later", OUTBOX_LATER, 1},
    {"held", OUTBOX_HELD, 1},       {"refused", OUTBOX_REFUSED, 0},
    {"unknown", OUTBOX_UNKNOWN, 0}, {"unknown-written", OUTBOX_UNKNOWN_WRITTEN, 0},
    {"lost", OUTBOX_LOST, 0},       {"busy", OUTBOX_BUSY, 0},
};

static int parse_line(const char *text, struct line *ret_line)
{
    char word[32];
    long long ms = 0;
    char rest;
    int n = sscanf(text, "%31s %lld %c", word, &ms, &rest);
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i].word) != 0)
            continue;
        if (n != (words[i].has_ms ? 2 : 1) || ms < 0)
            return -1;
        ret_line->action = words[i].action;
        ret_line->ms = ms;
        return 0;
    }
    return -1;
}

static int add_line(struct outbox_script *s, const struct line *line)
{
    struct line *lines;

    if (s->count >= OUTBOX_SCRIPT_LINES_MAX)
        return -1;
    lines = realloc(s->lines, (s->count + 1) * sizeof(*lines));
    if (lines == NULL)
        return -1;
    s->lines = lines;
    s->lines[s->count++] = *line;
    return 0;
}

struct outbox_script *outbox_script_open(const char *path, char *ret_error, size_t error_size)
{
    struct outbox_script *s = calloc(1, sizeof(*s));
    FILE *f = fopen(path, "re");
    char text[256];
    unsigned number = 0;

    if (s == NULL || f == NULL) {
        snprintf(ret_error, error_size, "%s: %s", path, strerror(f == NULL ? errno : ENOMEM));
        goto fail;
    }
    while (fgets(text, sizeof(text), f) != NULL) {
        struct line line;

        number++;
        text[strcspn(text, "#\n")] = '\0';
        if (text[strspn(text, " \t\r")] == '\0')
            continue;
        if (parse_line(text, &line) != 0 || add_line(s, &line) != 0) {
            snprintf(ret_error, error_size, "%s: line %u is not an answer: '%s'", path, number,
                     text);
            goto fail;
        }
    }
    fclose(f);
    return s;
fail:
    if (f != NULL)
        fclose(f);
    outbox_script_free(s);
    return NULL;
}

enum outbox_action outbox_script_next(struct outbox_script *s, int64_t *ret_ms)
{
    if (s == NULL || s->at >= s->count)
        return OUTBOX_DELIVER;
    *ret_ms = s->lines[s->at].ms;
    return s->lines[s->at++].action;
}

void outbox_script_free(struct outbox_script *s)
{
    if (s == NULL)
        return;
    free(s->lines);
    free(s);
}
