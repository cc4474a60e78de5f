/*
 * The settings: one table says each one's name, kind, choices and bounds. They are set for the
 * whole simulator, for an account, or for one request by a suffix to its model name
 * ("sim-image@image_mode=url,image_bytes=2000000"); the later of these wins.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (INT64_C(64) << 30)

struct setting {
    const char *name;
    size_t offset;
    size_t size;         /* of a text; 0: a number */
    const char *choices; /* "|a|b|": a text must be one of these */
    int64_t min, max;
    const char *start; /* value at start */
};

#define AT(field) .name = #field, .offset = offsetof(struct sim_settings, field)
#define NUMBER(field, low, high, first)                                                            \
    {                                                                                              \
        AT(field), .min = low, .max = high, .start = first                                         \
    }
#define TEXT(field, list, first)                                                                   \
    {                                                                                              \
        AT(field), .size = sizeof(((struct sim_settings *)0)->field), .choices = list,             \
                   .start = first                                                                  \
    }

static const struct setting table[] = {
    TEXT(image_mode,
         "|b64|url|signed_url|relative|path|markdown|markdown_raw|html|html_raw|data_url|top_b64|"
         "nested|sse|moderated|",
         "b64"),
    NUMBER(image_bytes, 0, BYTES_MAX, "0"),
    NUMBER(image_delay_ms, 0, 86400000, "0"),
    NUMBER(image_partials, 0, 3, "0"),
    TEXT(video_mode,
         "|openai|url|relative|nested|status_url|status_path|data_wrapped|instant|html|markdown|"
         "data_url|b64|failed|moderated|never|",
         "openai"),
    TEXT(video_words, "|openai|upper|plain|", "openai"),
    TEXT(video_edge, "|none|thumbnail_first|two_keys|nested_id|", "none"),
    TEXT(content_mode, "|bytes|redirect|", "bytes"),
    TEXT(video_size, NULL, ""),
    NUMBER(video_ms, -1, 86400000, "200"),
    NUMBER(video_bytes, 0, BYTES_MAX, "0"),
    NUMBER(video_seconds, 0, SIM_SECONDS_MAX, "0"),
    NUMBER(video_delay_ms, 0, 86400000, "0"),
    NUMBER(price_image, 0, 1000000, "1"),
    NUMBER(price_video, 0, 1000000, "10"),
    NUMBER(strict, 0, 1, "1"),
    TEXT(media_base, NULL, ""),
    TEXT(libtv_mode,
         "|final|tool|assistant|punctuated|image|mixed|steps|echo|odd|foreign|foreign_only|error|"
         "is_error|task_failed|said|retry|never|",
         "final"),
    TEXT(libtv_session, "|new|default|history|", "new"),
    TEXT(libtv_uploads, "|both|file|plain|none|", "both"),
    TEXT(libtv_tasks, "|session|task|", "session"),
    TEXT(libtv_expires, NULL, "2099-12-31T00:00:00Z"),
    NUMBER(libtv_count, 1, 16, "1"),
    NUMBER(libtv_gap_ms, 0, 86400000, "100"),
    NUMBER(libtv_seq, 0, 1, "1"),
    NUMBER(price_libtv, 0, 1000000, "1"),
    TEXT(chatart_approval, "|full|no_key|no_identity|code_text|numbers|", "full"),
    TEXT(chatart_pending, "|202|code|500|", "202"),
    TEXT(chatart_state, "|number|text|odd|no_url|bare|", "number"),
    TEXT(chatart_code, "|number|text|", "number"),
    TEXT(chatart_crc, "|right|wrong|none|", "right"),
    NUMBER(chatart_login_polls, -1, 1000, "-1"),
    NUMBER(chatart_interval_ms, 0, 60000, "2000"),
    NUMBER(chatart_policy_s, -86400, 86400, "3600"),
    TEXT(plume_result,
         "|auto|parts|image_url|url|image_urls|parts_url|data_file|data_image_url|data_url|none|"
         "words|null|",
         "auto"),
    TEXT(plume_end, "|success|failed|failed_text|timeout|cancelled|unknown|", "success"),
    TEXT(plume_odd,
         "|none|data_null|created_null|status_text|status_number_text|no_status|duration_text|"
         "not_object|id_text|no_success|",
         "none"),
    TEXT(plume_http, "|codes|ok|", "codes"),
    TEXT(plume_account, "|ok|disabled|none|", "ok"),
    TEXT(plume_query, NULL, ""),
    NUMBER(plume_text, 0, 1, "0"),
    NUMBER(plume_count, 1, 4, "1"),
    NUMBER(plume_poster, 0, 1, "1"),
    NUMBER(plume_price_veo, 0, 1000000, "50"),
};
#define SETTINGS (sizeof table / sizeof table[0])

static const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

static int set_number(struct sim_settings *s, const struct setting *t, int64_t v, char *err,
                      size_t err_size)
{
    if (v < t->min || v > t->max) {
        snprintf(err, err_size, "%s takes a number from %lld to %lld", t->name, (long long)t->min,
                 (long long)t->max);
        return -1;
    }
    memcpy((char *)s + t->offset, &v, sizeof v);
    return 0;
}

static int set_text(struct sim_settings *s, const struct setting *t, const char *v, char *err,
                    size_t err_size)
{
    char marked[64];

    if (t->choices) {
        snprintf(marked, sizeof marked, "|%s|", v);
        if (!*v || strchr(v, '|') || !strstr(t->choices, marked)) {
            snprintf(err, err_size, "%s takes one of %s", t->name, t->choices);
            return -1;
        }
    }
    if (strlen(v) >= t->size) {
        snprintf(err, err_size, "%s takes at most %zu characters", t->name, t->size - 1);
        return -1;
    }
    sim_copy_text((char *)s + t->offset, t->size, v);
    return 0;
}

/* A value given as text, as on the command line. */
static int set_from_text(struct sim_settings *s, const char *name, const char *v, char *err,
                         size_t err_size)
{
    const struct setting *t = setting_find(name);
    int64_t n;

    if (!t) {
        snprintf(err, err_size, "there is no setting \"%.60s\"", name);
        return -1;
    }
    if (t->size)
        return set_text(s, t, v, err, err_size);
    if (strcmp(v, "true") == 0 || strcmp(v, "false") == 0)
        return set_number(s, t, *v == 't', err, err_size);
    if (sim_parse_int(v, INT64_MIN, INT64_MAX, &n) != 0) {
        snprintf(err, err_size, "%s takes a number", name);
        return -1;
    }
    return set_number(s, t, n, err, err_size);
}

void sim_settings_init(struct sim_settings *s)
{
    char err[256];

    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < SETTINGS; i++) {
        if (*table[i].start && set_from_text(s, table[i].name, table[i].start, err, sizeof err)) {
            fprintf(stderr, "clawmedia-sim: %s\n", err);
            exit(3);
        }
    }
}

static int set_from_json(struct sim_settings *s, const struct setting *t, const json_t *v,
                         char *err, size_t err_size)
{
    if (t->size && json_is_string(v))
        return set_text(s, t, json_string_value(v), err, err_size);
    if (!t->size && json_is_integer(v))
        return set_number(s, t, json_integer_value(v), err, err_size);
    if (!t->size && json_is_boolean(v))
        return set_number(s, t, json_is_true(v), err, err_size);
    snprintf(err, err_size, "%s takes %s", t->name, t->size ? "a text" : "a whole number");
    return -1;
}

int sim_settings_apply(struct sim_settings *s, const json_t *object, char *err, size_t err_size)
{
    struct sim_settings fresh = *s;
    const char *name;
    json_t *value;

    if (!json_is_object(object)) {
        snprintf(err, err_size, "settings are a JSON object");
        return -1;
    }
    json_object_foreach((json_t *)object, name, value)
    {
        const struct setting *t = setting_find(name);
        if (!t) {
            snprintf(err, err_size, "there is no setting \"%.60s\"", name);
            return -1;
        }
        if (set_from_json(&fresh, t, value, err, err_size) != 0)
            return -1;
    }
    *s = fresh;
    return 0;
}

int sim_settings_apply_text(struct sim_settings *s, const char *list, char *err, size_t err_size)
{
    struct sim_settings fresh = *s;
    char *copy = sim_strdup(list);
    char *rest = copy, *item;
    int rc = 0;

    while (rc == 0 && (item = strsep(&rest, ",")) != NULL) {
        char *value = strchr(item, '=');
        if (!value) {
            snprintf(err, err_size, "settings are given as name=value, not \"%.60s\"", item);
            rc = -1;
            break;
        }
        *value++ = '\0';
        rc = set_from_text(&fresh, item, value, err, err_size);
    }
    free(copy);
    if (rc == 0)
        *s = fresh;
    return rc;
}

json_t *sim_settings_json(const struct sim_settings *s)
{
    json_t *o = json_object();
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *at = (const char *)s + table[i].offset;
        if (table[i].size) {
            json_object_set_new(o, table[i].name, json_string(at));
        } else {
            int64_t v;
            memcpy(&v, at, sizeof v);
            json_object_set_new(o, table[i].name, json_integer(v));
        }
    }
    return o;
}
