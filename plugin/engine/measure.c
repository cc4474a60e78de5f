/*
 * measure.c - what came against what was asked for. Providers take a size or a length as a wish;
 * the file itself says what it became, and a difference is told once: as an entry of `changed`, and
 * as one sentence to the user.
 */
#include "engine/engine_private.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Rounding to even sizes and to whole frames is no difference that anybody asked about. */
#define RATIO_OFF_MAX 0.025
#define SECONDS_OFF_MAX 0.75

void measure_ratio_text(double ratio, char *ret_text, size_t size)
{
    static const int known[][2] = {{1, 1},  {16, 9}, {9, 16}, {4, 3}, {3, 4}, {3, 2},
                                   {2, 3},  {5, 4},  {4, 5},  {21, 9}, {9, 21}, {2, 1}, {1, 2}};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (fabs(ratio * known[i][1] / known[i][0] - 1) <= RATIO_OFF_MAX) {
            snprintf(ret_text, size, "%d:%d", known[i][0], known[i][1]);
            return;
        }
    }
    if (ratio >= 1)
        snprintf(ret_text, size, "%.2f:1", ratio);
    else
        snprintf(ret_text, size, "1:%.2f", 1 / ratio);
}

static int note(struct job *job, json_t *changed, const char *field, const char *asked,
                const char *used)
{
    json_t *values = json_pack("{s:s, s:s}", "asked", asked, "used", used);
    char *why = words_text(job_language(job), "measured", values);
    int rc = why ? json_array_append_new(changed,
                                         json_pack("{s:s, s:s, s:s, s:s, s:b}", "field", field,
                                                   "asked", asked, "used", used, "why", why,
                                                   "measured", 1))
                 : -1;

    mem_free(why);
    json_decref(values);
    return rc;
}

/* 1 when something was noted. */
static int compare(struct job *job, const json_t *expects, const struct ledger_file *file,
                   json_t *changed)
{
    double width = (double)json_int(expects, "width", 0);
    double height = (double)json_int(expects, "height", 0);
    double ratio = json_number_value(json_object_get(expects, "ratio"));
    double seconds = json_number_value(json_object_get(expects, "seconds"));
    double is = file->height ? (double)file->width / file->height : 0;
    double took = (double)file->duration_ms / 1000.0;
    char asked[40];
    char used[40];
    int noted = 0;

    if (is > 0 && width > 0 && height > 0 &&
        (file->width != (uint32_t)width || file->height != (uint32_t)height)) {
        snprintf(asked, sizeof(asked), "%.0fx%.0f", width, height);
        snprintf(used, sizeof(used), "%ux%u", file->width, file->height);
        noted |= note(job, changed, "size", asked, used) == 0;
    } else if (is > 0 && ratio > 0 && fabs(is / ratio - 1) > RATIO_OFF_MAX) {
        measure_ratio_text(ratio, asked, sizeof(asked));
        measure_ratio_text(is, used, sizeof(used));
        noted |= note(job, changed, "aspect_ratio", asked, used) == 0;
    }
    if (took > 0 && seconds > 0 && fabs(took - seconds) > SECONDS_OFF_MAX) {
        snprintf(asked, sizeof(asked), "%g s", seconds);
        snprintf(used, sizeof(used), "%.1f s", took);
        noted |= note(job, changed, "seconds", asked, used) == 0;
    }
    return noted;
}

void measure_check(struct job *job)
{
    struct ledger_job *row = job->row;
    json_t *plan = json_loads(row->plan ? row->plan : "{}", 0, NULL);
    const json_t *expects = json_object_get(plan, "expects");
    json_t *changed = json_object_get(plan, "changed");
    int noted = 0;
    char *text;

    if (!json_is_array(changed)) {
        changed = json_array();
        json_object_set_new(plan, "changed", changed);
    }
    /* What was put back into the original has the original's size, as it should. */
    if (json_object_get(plan, "restore"))
        expects = NULL;
    for (size_t i = 0; expects && i < row->files_count && !noted; i++)
        noted = compare(job, expects, &row->files[i], changed);
    text = noted ? json_dumps(plan, JSON_COMPACT) : NULL;
    if (text && job_text(&row->plan, text))
        env_log(job->engine->env, AHP_LOG_WARN, LOG_INTERNAL, "%s: no memory for what was measured",
                row->id);
    free(text);
    json_decref(plan);
}

char *measure_words(const struct ledger_job *row)
{
    json_t *plan = json_loads(row->plan ? row->plan : "{}", 0, NULL);
    char *text = mem_text("");
    size_t index;
    json_t *one;

    json_array_foreach(json_object_get(plan, "changed"), index, one) {
        char *longer;

        if (!json_is_true(json_object_get(one, "measured")))
            continue;
        longer = mem_format("%s %s", text ? text : "", json_text(one, "why"));
        mem_free(text);
        text = longer;
    }
    json_decref(plan);
    return text;
}

void files_words(const struct ledger_job *row, json_t *values)
{
    json_t *plan = json_loads(row->plan ? row->plan : "{}", 0, NULL);

    json_object_set_new(values, "files", json_integer(json_int(plan, "files", 1)));
    json_decref(plan);
}
