/*
 * result.c - what the model gets to read: small JSON with a status, a handle, facts of the files
 * and one sentence for the user in the user's language. Never base64, never a secret.
 */
#include "tools/tool.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ETA_SECONDS_MS 120000 /* from here on people count in minutes */

int32_t result_status(const struct ledger_job *job)
{
    switch (job->state) {
    case JOB_DELIVERED:
    case JOB_DONE:
    case JOB_UNDELIVERABLE:
        return AHP_RESULT_OK;
    case JOB_UNKNOWN:
        return AHP_RESULT_UNKNOWN;
    case JOB_CANCELLED:
        return AHP_RESULT_CANCELLED;
    case JOB_FAILED:
    case JOB_EXPIRED:
        return AHP_RESULT_ERROR;
    default:
        return AHP_RESULT_PENDING_JOB;
    }
}

int result_note(json_t *result, const struct call *call, const char *key, json_t *values_take)
{
    char *text = words_text(call->language, key, values_take);
    int rc = text ? json_object_set_new(result, "message", json_string(text)) : -1;

    mem_free(text);
    json_decref(values_take);
    return rc;
}

static json_t *files_of(const struct ledger_job *job)
{
    json_t *files = json_array();

    for (size_t i = 0; i < job->files_count; i++) {
        const struct ledger_file *file = &job->files[i];
        json_t *one = json_pack("{s:s, s:s, s:s, s:I}", "handle", file->handle, "path", file->path,
                                "mime", file->mime, "bytes", (json_int_t)file->bytes);

        if (file->width) {
            json_object_set_new(one, "width", json_integer(file->width));
            json_object_set_new(one, "height", json_integer(file->height));
        }
        if (file->duration_ms)
            json_object_set_new(one, "seconds", json_real((double)file->duration_ms / 1000.0));
        /* A long address is the provider's business; the file is here. */
        if (file->url && strlen(file->url) <= 200)
            json_object_set_new(one, "url", json_string(file->url));
        json_array_append_new(files, one);
    }
    return files;
}

/* The usual time of all that is asked for, in rounds one after the other. */
static json_int_t typical_of(const json_t *times)
{
    return json_int(times, "typical_ms", 0) * json_int(times, "rounds", 1);
}

/* ", usually within about 60 s", ", usually within about 4 minutes", or "". */
static json_t *eta_of(const struct call *call, const struct ledger_job *job)
{
    json_t *plan = json_loads(job->plan ? job->plan : "{}", 0, NULL);
    json_int_t typical = typical_of(json_object_get(plan, "times"));
    json_t *values = json_pack("{s:I, s:I}", "seconds", (typical + 999) / 1000, "minutes",
                               (typical + 59999) / 60000);
    char *text = NULL;
    json_t *eta;

    if (typical)
        text = words_text(call->language, typical < ETA_SECONDS_MS ? "eta" : "eta.minutes", values);
    eta = json_string(text ? text : "");
    mem_free(text);
    json_decref(values);
    json_decref(plan);
    return eta;
}

static const char *delivery_word(const struct ledger_job *job)
{
    const struct ledger_delivery *last =
        job->deliveries_count ? &job->deliveries[job->deliveries_count - 1] : NULL;

    if (job->state == JOB_DELIVERING && last && last->state == DELIVERY_UNKNOWN)
        return "maybe_delivered";
    if (job->state == JOB_DELIVERING && last && last->state == DELIVERY_HELD)
        return "held";
    return job_state_name(job->state);
}

/* From the plan's times: the usual span of minutes, for adapters that speak of it. */
static void add_minutes(json_t *values, const struct ledger_job *job)
{
    json_t *plan = json_loads(job->plan ? job->plan : "{}", 0, NULL);
    const json_t *times = json_object_get(plan, "times");
    json_int_t typical = typical_of(times);
    json_int_t least = json_int(times, "shortest_ms", 0) * json_int(times, "rounds", 1);
    json_int_t most = 2 * typical - least;

    if (least > 0 && least < typical) {
        json_object_set_new(values, "minutes", json_sprintf("%lld-%lld", (least + 30000) / 60000,
                                                            (most + 30000) / 60000));
        json_object_set_new(values, "eta_seconds",
                            json_sprintf("%lld-%lld", least / 1000, most / 1000));
    }
    json_decref(plan);
}

/* The key with the adapter's name in front where it has words of its own and they can be filled. */
static const char *own_key(const struct call *call, const struct ledger_job *job, const char *key,
                           const json_t *values, char *ret_own, size_t size)
{
    const struct config_provider *provider =
        config_provider_by_id(call_config(call), job->provider);

    if (!provider || !json_object_get(values, "minutes"))
        return key;
    snprintf(ret_own, size, "%s.%s", provider->adapter->name, key);
    return words_has(call->language, ret_own) ? ret_own : key;
}

/* One more sentence, where the files are not what was asked for. */
static void add_measured(json_t *result, const struct ledger_job *job)
{
    char *measured = measure_words(job);
    const char *message = json_string_value(json_object_get(result, "message"));
    char *both = measured && *measured && message ? mem_format("%s%s", message, measured) : NULL;

    if (both)
        json_object_set_new(result, "message", json_string(both));
    mem_free(both);
    mem_free(measured);
}

/* What was changed: by the adapter before, and by the provider as the files show. */
static void add_changed(json_t *result, const struct call *call, const struct ledger_job *job)
{
    json_t *plan = json_loads(job->plan ? job->plan : "{}", 0, NULL);
    json_t *changed = json_object_get(plan, "changed");
    size_t index;
    json_t *one;

    if (!json_array_size(changed))
        changed = call->changed;
    json_array_foreach(changed, index, one)
        json_object_del(one, "measured");
    if (json_array_size(changed))
        json_object_set(result, "changed", changed);
    if (json_object_get(plan, "page"))
        json_object_set(result, "page", json_object_get(plan, "page"));
    json_decref(plan);
}

/* Which sentence fits the job's state, and what to do next if anything. */
static void add_words(json_t *result, const struct call *call, const struct ledger_job *job)
{
    const struct ledger_delivery *last =
        job->deliveries_count ? &job->deliveries[job->deliveries_count - 1] : NULL;
    const char *why = job->state == JOB_UNDELIVERABLE && last && last->error ? last->error
                                                                             : job->error_text;
    char *sentence = words_sentence(why);
    char key[64];
    char own[96];
    json_t *values =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:o}", "job", job->id, "provider", job->provider,
                  "error", sentence ? sentence : "", "advice", job->advice ? job->advice : "", "count",
                  (json_int_t)job->files_count, "path",
                  job->files_count ? job->files[0].path : "", "eta", eta_of(call, job));

    batch_words(job, values);
    files_words(job, values);
    if (job->state == JOB_DONE && job->error_kind == ERR_CANCELLED)
        snprintf(key, sizeof(key), "done.cancelled");
    else if (job->state == JOB_DONE)
        snprintf(key, sizeof(key), "done.%s.%s", job->kind,
                 job->error_kind != ERR_NONE ? "part" : job->files_count > 1 ? "many" : "one");
    else if (job->state >= JOB_FAILED && job->state <= JOB_UNKNOWN)
        snprintf(key, sizeof(key), "notice.%s", job_state_name(job->state));
    else if (job->state < JOB_READY && call->created)
        snprintf(key, sizeof(key), "%s.%s", call->reply_to ? "submitted" : "pending", job->kind);
    else
        snprintf(key, sizeof(key), "state.%s", delivery_word(job));
    mem_free(sentence);
    add_minutes(values, job);
    result_note(result, call, own_key(call, job, key, values, own, sizeof(own)), values);
    if (job->state == JOB_DONE)
        add_measured(result, job);
    if (job->state < JOB_READY && !(job->flags & LEDGER_JOB_DELIVERS))
        json_object_set_new(result, "next", json_string("poll with action wait"));
    else if (job->state == JOB_UNDELIVERABLE || strcmp(delivery_word(job), "maybe_delivered") == 0)
        json_object_set_new(result, "next", json_string("poll with action redeliver"));
}

static json_t *date_of(int64_t wall_ms)
{
    time_t at = (time_t)(wall_ms / 1000);
    char text[32] = "";
    struct tm tm;

    if (gmtime_r(&at, &tm))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

static const char *status_word(const struct call *call, const struct ledger_job *job)
{
    if (job->state < JOB_READY && call->created)
        return "submitted";
    return job_state_name(job->state);
}

json_t *result_of_job(const struct call *call, const struct ledger_job *job)
{
    json_t *result = json_pack("{s:s, s:s}", "status", status_word(call, job), "job", job->id);

    if (!result)
        return NULL;
    if (job->files_count)
        json_object_set_new(result, "files", files_of(job));
    if (job->model && *job->model)
        json_object_set_new(result, "model", json_string(job->model));
    if (job->batch) {
        json_t *batch = json_object();

        batch_words(job, batch);
        json_object_del(batch, "path");
        json_object_set_new(result, "batch", batch);
    } else {
        json_object_set_new(result, "provider", json_string(job->provider));
    }
    if (job->cost >= 0)
        json_object_set_new(result, "cost", json_pack("{s:f, s:s}", "amount", job->cost, "currency",
                                                      job->currency ? job->currency : "USD"));
    else if (job->cost_estimate >= 0)
        json_object_set_new(result, "cost_estimate",
                            json_pack("{s:f, s:s}", "amount", job->cost_estimate, "currency",
                                      job->currency ? job->currency : "USD"));
    if (job->state < JOB_READY && job->progress >= 0)
        json_object_set_new(result, "progress", json_real((double)job->progress / 1000.0));
    add_changed(result, call, job);
    if (job->error_kind != ERR_NONE && job->state != JOB_CANCELLED)
        json_object_set_new(result, "error",
                            json_pack("{s:s, s:s, s:s}", "kind", err_kind_name(job->error_kind),
                                      "text", job->error_text ? job->error_text : "", "advice",
                                      job->advice ? job->advice : ""));
    else if (job->error_text && job->state < JOB_READY)
        json_object_set_new(result, "waits_for", json_string(job->error_text));
    if (call->tool == &tool_poll) { /* whoever asks has lost sight of when it began */
        json_object_set_new(result, "created_at", date_of(job->created_ms));
        json_object_set_new(result, "updated_at", date_of(job->updated_ms));
    }
    add_words(result, call, job);
    return result;
}

/* Of a limit the ledger tells the sum only; the words for it, or NULL. */
static char *budget_words(const struct call *call, const struct err *err)
{
    json_t *values;
    char key[80];
    char *text;

    if (err->kind != ERR_BUDGET)
        return NULL;
    values = json_pack("{s:s}", "sum", err->text);
    snprintf(key, sizeof(key), "budget.%s", err->field);
    text = words_text(call->language, key, values);
    json_decref(values);
    return text;
}

json_t *result_of_error(const struct call *call, const struct err *err)
{
    char *advice = words_advice(call->language, err);
    char *words = budget_words(call, err);
    const char *text = words ? words : err->text;
    json_t *result = json_pack("{s:s, s:{s:s, s:s, s:s}, s:s}", "status", "error", "error", "kind",
                               err_kind_name(err->kind), "text", text, "advice",
                               advice ? advice : "", "message", text);

    mem_free(words);
    if (result && err->field[0])
        json_object_set_new(json_object_get(result, "error"), "field", json_string(err->field));
    mem_free(advice);
    return result;
}

json_t *result_row(const struct ledger_job *job, int64_t now_ms)
{
    const struct ledger_delivery *last =
        job->deliveries_count ? &job->deliveries[job->deliveries_count - 1] : NULL;
    int is_batch = job->batch && !job->batch_index; /* which has none of its own */
    json_t *row = json_pack("{s:s, s:s, s:s, s:s*, s:s?, s:I}", "job", job->id, "state",
                            job_state_name(job->state), "kind", job->kind, "provider",
                            is_batch ? NULL : job->provider, "model", job->model, "age_seconds",
                            (json_int_t)((now_ms - job->created_ms) / 1000));
    json_t *plan;

    if (!row)
        return NULL;
    plan = json_loads(job->plan ? job->plan : "{}", 0, NULL);
    if (json_object_get(plan, "label"))
        json_object_set(row, "prompt", json_object_get(plan, "label"));
    json_decref(plan);
    if (job->progress >= 0 && job->state < JOB_READY)
        json_object_set_new(row, "progress", json_real((double)job->progress / 1000.0));
    if (job->files_count)
        json_object_set_new(row, "files", files_of(job));
    if (job->error_text && job->state != JOB_CANCELLED)
        json_object_set_new(row, "detail", json_string(job->error_text));
    if (last)
        json_object_set_new(row, "delivery", json_string(delivery_state_name(last->state)));
    return row;
}
