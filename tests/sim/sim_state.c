/*
 * What the simulator remembers for providers: accounts with credits, and jobs.
 *
 * An account's key appears in no answer and no log; the account's name stands for it. A job's state
 * is computed from the clock when somebody looks, so ten thousand waiting jobs cost nothing.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct sim_account {
    char key[SIM_KEY_MAX];
    char name[64];
    int64_t credits;
    int64_t credits_status; /* HTTP status when credits run out */
    json_t *settings;       /* or NULL */
    int64_t charges;
    UT_hash_handle hh;
};

struct sim_job_index {
    struct sim_job *job;
    UT_hash_handle hh;
};

struct sim_account *sim_account_put(struct sim *sim, const char *key, const char *name)
{
    struct sim_account *a = sim_account_by_key(sim, key);
    if (!a) {
        a = sim_alloc(sizeof *a);
        sim_copy_text(a->key, sizeof a->key, key);
        a->credits = sim->start_credits;
        a->credits_status = 429;
        HASH_ADD_STR(sim->accounts, key, a);
    }
    if (name)
        sim_copy_text(a->name, sizeof a->name, name);
    else if (!a->name[0])
        snprintf(a->name, sizeof a->name, "account-%u", HASH_COUNT(sim->accounts));
    return a;
}

struct sim_account *sim_account_by_key(struct sim *sim, const char *key)
{
    struct sim_account *a = NULL;
    HASH_FIND_STR(sim->accounts, key, a);
    return a;
}

const char *sim_account_name(const struct sim_account *a)
{
    return a->name;
}

int64_t sim_account_credits(const struct sim_account *a)
{
    return a->credits;
}

json_t *sim_accounts_json(struct sim *sim, bool full)
{
    json_t *o = json_object();
    for (struct sim_account *a = sim->accounts; a; a = a->hh.next) {
        json_object_set_new(o, a->name,
                            full
                                ? json_pack("{s:I,s:I,s:I,s:O?}", "credits", (json_int_t)a->credits,
                                            "charges", (json_int_t)a->charges, "credits_status",
                                            (json_int_t)a->credits_status, "settings", a->settings)
                                : json_integer(a->credits));
    }
    return o;
}

int sim_account_apply(struct sim *sim, const json_t *object, char *err, size_t err_size)
{
    const char *key = NULL, *name = NULL;
    json_int_t credits = -1, status = 0;
    json_t *settings = NULL;
    json_error_t why;
    struct sim_settings trial = sim->settings;

    if (json_unpack_ex((json_t *)object, &why, JSON_STRICT, "{s:s,s?s,s?I,s?I,s?o}", "key", &key,
                       "name", &name, "credits", &credits, "credits_status", &status, "settings",
                       &settings) != 0) {
        snprintf(err, err_size, "%s", why.text);
        return -1;
    }
    if (!*key || strlen(key) >= SIM_KEY_MAX ||
        (name && (strstr(name, key) || strlen(name) >= sizeof sim->accounts->name))) {
        snprintf(err, err_size, "key is empty, too long or part of the name, or name is too long");
        return -1;
    }
    if (status && (status < 400 || status > 599)) {
        snprintf(err, err_size, "credits_status takes 400 to 599");
        return -1;
    }
    if (settings && sim_settings_apply(&trial, settings, err, err_size) != 0)
        return -1;
    struct sim_account *a = sim_account_put(sim, key, name);
    if (credits >= 0)
        a->credits = credits;
    if (status)
        a->credits_status = status;
    if (settings) {
        json_decref(a->settings);
        a->settings = json_incref(settings);
    }
    return 0;
}

void sim_account_settings(const struct sim_account *a, struct sim_settings *s)
{
    char err[256];
    if (a->settings) /* checked when they were set */
        (void)sim_settings_apply(s, a->settings, err, sizeof err);
}

void sim_account_uses(const struct sim_account *a, int64_t *ret_used, int64_t *ret_left)
{
    *ret_used = a->charges;
    *ret_left = a->credits;
}

bool sim_charge(struct sim_request *r, int64_t price)
{
    struct sim_account *a = r->account;

    if (a->credits < price) {
        sim_refuse(r, (unsigned)a->credits_status, "insufficient_quota", NULL,
                   "You exceeded your current quota, please check your plan and billing details.");
        return false;
    }
    a->credits -= price;
    a->charges++;
    r->charged = true;
    return true;
}

static char *field_copy(struct sim_request *r, const char *name)
{
    char number[32];
    const char *text = sim_request_field(r, name, number, sizeof number);
    return sim_strdup(text ? text : "");
}

struct sim_job *sim_job_new(struct sim_request *r, const char *family, const char *prefix)
{
    char id[SIM_ID_MAX];

    snprintf(id, sizeof id, "%s%06llx", prefix, (unsigned long long)++r->sim->ids);
    return sim_job_named(r, family, id);
}

struct sim_job *sim_job_named(struct sim_request *r, const char *family, const char *id)
{
    struct sim *sim = r->sim;
    struct sim_job *j = sim_alloc(sizeof *j);
    struct sim_job_index *x = sim_alloc(sizeof *x);

    sim_copy_text(j->id, sizeof j->id, id);
    j->family = family;
    j->account = r->account;
    j->settings = r->settings;
    j->model = sim_strdup(r->model);
    j->prompt = field_copy(r, "prompt");
    j->created_s = sim_wall_s();
    j->created_ms = sim_now_ms();
    j->duration_ms = r->settings.video_ms;
    sim_copy_text(r->job, sizeof r->job, j->id);
    x->job = j;
    HASH_ADD_KEYPTR(hh, sim->jobs, j->id, strlen(j->id), x);
    return j;
}

struct sim_job *sim_job_find(struct sim *sim, const char *id)
{
    struct sim_job_index *x = NULL;
    HASH_FIND_STR(sim->jobs, id, x);
    return x ? x->job : NULL;
}

struct sim_job *sim_job_first(struct sim *sim)
{
    /* uthash keeps the order of insertion; `next` is filled in for the walk. */
    struct sim_job *first = NULL, **tail = &first;
    for (struct sim_job_index *x = sim->jobs; x; x = x->hh.next) {
        *tail = x->job;
        x->job->next = NULL;
        tail = &x->job->next;
    }
    return first;
}

static void job_fail(struct sim_job *j, const char *code, const char *text)
{
    if (j->error_code[0])
        return;
    sim_copy_text(j->error_code, sizeof j->error_code, code);
    sim_copy_text(j->error_text, sizeof j->error_text, text);
}

/* Where the clock, or a hand, says the job is. */
static enum sim_job_state job_state(struct sim_job *j, int *ret_percent)
{
    int64_t age = sim_now_ms() - j->created_ms;

    *ret_percent = 0;
    if (j->by_hand) {
        *ret_percent = j->hand_state == SIM_DONE ? 100 : j->hand_state == SIM_RUNNING ? 50 : 0;
        return j->hand_state;
    }
    if (j->duration_ms < 0 || strcmp(j->settings.video_mode, "never") == 0) {
        *ret_percent = j->polls > 1 ? 42 : 0;
        return j->polls > 1 ? SIM_RUNNING : SIM_QUEUED;
    }
    if (age < j->duration_ms) {
        *ret_percent = (int)(age * 100 / j->duration_ms);
        return *ret_percent < 20 ? SIM_QUEUED : SIM_RUNNING;
    }
    *ret_percent = 100;
    if (strcmp(j->settings.video_mode, "failed") == 0) {
        job_fail(j, "video_generation_failed", "The video could not be made.");
        return SIM_FAILED;
    }
    if (strcmp(j->settings.video_mode, "moderated") == 0) {
        job_fail(j, "moderation_blocked", "Your request was blocked by our moderation system.");
        return SIM_FAILED;
    }
    return SIM_DONE;
}

enum sim_job_state sim_job_look(struct sim_job *j, int *ret_percent)
{
    enum sim_job_state state = job_state(j, ret_percent);
    if (state >= SIM_DONE && !j->ended_s)
        j->ended_s = sim_wall_s();
    return state;
}

static void job_free(struct sim_job *j)
{
    free(j->model);
    free(j->prompt);
    free(j);
}

void sim_job_delete(struct sim *sim, struct sim_job *j)
{
    struct sim_job_index *x = NULL;
    HASH_FIND_STR(sim->jobs, j->id, x);
    if (!x)
        return;
    HASH_DEL(sim->jobs, x);
    free(x);
    job_free(j);
}

static const char *const state_names[] = {"queued", "in_progress", "completed", "failed"};

json_t *sim_jobs_json(struct sim *sim)
{
    json_t *list = json_array();
    int percent;
    for (struct sim_job *j = sim_job_first(sim); j; j = j->next) {
        enum sim_job_state state = sim_job_look(j, &percent);
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s,s:s,s:i,s:s,s:s,s:I,s:I}", "id", j->id, "family",
                            j->family, "account", j->account->name, "status", state_names[state],
                            "progress", percent, "model", j->model, "prompt", j->prompt, "polls",
                            (json_int_t)j->polls, "downloads", (json_int_t)j->downloads));
    }
    return list;
}

json_t *sim_polls_json(struct sim *sim)
{
    json_t *o = json_object();
    for (struct sim_job_index *x = sim->jobs; x; x = x->hh.next)
        json_object_set_new(o, x->job->id, json_integer(x->job->polls));
    return o;
}

int sim_job_apply(struct sim_job *j, const json_t *object, char *err, size_t err_size)
{
    const char *status = NULL, *code = "video_generation_failed", *text = "The video failed.";
    json_error_t why;

    if (json_unpack_ex((json_t *)object, &why, JSON_STRICT, "{s:s,s?s,s?s}", "status", &status,
                       "code", &code, "message", &text) != 0) {
        snprintf(err, err_size, "%s", why.text);
        return -1;
    }
    if (strlen(code) >= sizeof j->error_code || strlen(text) >= sizeof j->error_text) {
        snprintf(err, err_size, "code or message is too long");
        return -1;
    }
    for (int i = SIM_QUEUED; i <= SIM_FAILED; i++) {
        if (strcmp(status, state_names[i]) != 0)
            continue;
        j->by_hand = true;
        j->hand_state = (enum sim_job_state)i;
        if (i == SIM_FAILED)
            job_fail(j, code, text);
        return 0;
    }
    snprintf(err, err_size, "status takes queued, in_progress, completed or failed");
    return -1;
}

void sim_state_reset(struct sim *sim)
{
    sim_libtv_reset(sim);
    struct sim_job_index *x, *x_next;
    HASH_ITER(hh, sim->jobs, x, x_next)
    {
        HASH_DEL(sim->jobs, x);
        job_free(x->job);
        free(x);
    }
    struct sim_account *a, *a_next;
    HASH_ITER(hh, sim->accounts, a, a_next)
    {
        HASH_DEL(sim->accounts, a);
        json_decref(a->settings);
        free(a);
    }
    sim_chatart_reset(sim);
    if (sim->start_key[0])
        sim_account_put(sim, sim->start_key, "default");
}
