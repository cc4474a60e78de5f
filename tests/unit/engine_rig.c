/* engine_rig.c - see engine_rig.h. */
#include "engine_rig.h"

#include "base/mem.h"
#include "engine_provider.h"
#include "fake_loop.h"

#include <ahp/jobs.h>
#include <ahp_shim.h>

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS_MAX 60000

/* ---- folders and configuration ---- */

void rig_configure(struct rig *rig, const char *providers)
{
    char other[310];
    FILE *file;

    /* A new file each time: another inode is a change whatever the clock's grain. */
    snprintf(other, sizeof(other), "%s.new", rig->config);
    file = sure(fopen(other, "we"));
    fprintf(file, "{ models: { providers: %s } }\n", providers);
    if (fclose(file) || rename(other, rig->config))
        abort();
}

void rig_configure_usual(struct rig *rig, const char *key)
{
    char text[400];

    snprintf(text, sizeof(text), "{ sim: { baseUrl: 'http://127.0.0.1:%u/v1', apiKey: '%s' } }",
             rig->server.port, key);
    rig_configure(rig, text);
}

void rig_open(struct rig *rig)
{
    const char *tmp = getenv("TMPDIR");

    memset(rig, 0, sizeof(*rig));
    rig->a.rig = rig->b.rig = rig;
    snprintf(rig->dir, sizeof(rig->dir), "%.200s/clawmedia-rig-XXXXXX", tmp ? tmp : "/tmp");
    sure(mkdtemp(rig->dir));
    snprintf(rig->config, sizeof(rig->config), "%s/openclaw.json", rig->dir);
    unsetenv("OPENCLAW_MEDIA_PROVIDER");
    unsetenv("OPENCLAW_MEDIA_IMAGE_MODEL");
    unsetenv("MEDIA_GENERATION_OUTPUT_ROOT");
    rig->net = sure(poll_host_new());
    provider_open(rig);
    rig_configure_usual(rig, RIG_KEY);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void rig_close(struct rig *rig)
{
    if (rig->a.inst)
        side_destroy(&rig->a);
    if (rig->b.inst)
        side_destroy(&rig->b);
    provider_close(rig);
    poll_host_free(rig->net);
    nftw(rig->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int rig_setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    if (!rig)
        return -1;
    rig_open(rig);
    *state = rig;
    return 0;
}

int rig_setup_side(void **state)
{
    struct rig *rig;

    if (rig_setup(state))
        return -1;
    rig = *state;
    side_open(&rig->a, "s");
    rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
    return 0;
}

/* Whatever happened: the key is nowhere. */
static void check_hidden(const struct side *side)
{
    assert_false(side_logged(side, RIG_KEY));
    for (uint32_t i = 0; i < side->fake->ends_count; i++)
        assert_null(strstr(side->fake->ends[i].json, RIG_KEY));
    for (uint32_t i = 0; i < side->fake->deliveries_count; i++)
        assert_null(strstr(side->fake->deliveries[i].text, RIG_KEY));
}

int rig_teardown(void **state)
{
    struct rig *rig = *state;

    mem_fail_after(0, 0);
    if (rig->a.inst) {
        check_hidden(&rig->a);
        side_end(&rig->a);
    }
    rig_close(rig);
    free(rig);
    return 0;
}

/* ---- hosts ---- */

static void on_breach(void *ud, int32_t level, uint32_t item, const char *text)
{
    struct side *side = ud;

    (void)level;
    side->breaches++;
    print_error("breach %u: %s\n", (unsigned)item, text);
    if (getenv("RIG_ABORT"))
        abort();
}

int side_try_create(struct side *side, const char *state, ahp_err *ret_err)
{
    struct rig *rig = side->rig;
    char text[1024];
    ahp_text config = {text, 0};
    int rc;

    if (!side->fake) {
        side->fake = fake_host_new();
        side->fake->log_to_stderr = getenv("RIG_LOG") != NULL;
    }
    snprintf(side->state, sizeof(side->state), "%s/%s", rig->dir, state);
    snprintf(text, sizeof(text),
             "{\"config_file\":\"%s\",\"state_dir\":\"%s\",\"workspace\":\"%s\",\"locale\":\"en\"}",
             rig->config, side->state, rig->dir);
    config.len = strlen(text);
    rc = ahp_shim_create(ahp_entry_1(), &side->fake->host, &config, &side->inst, ret_err, on_breach,
                         side);
    if (rc == 0)
        side->fake->inst = side->inst;
    return rc;
}

void side_create(struct side *side, const char *state)
{
    ahp_err err = {.size = sizeof(err)};

    if (side_try_create(side, state, &err))
        fail_msg("create: %s", err.text);
}

void side_start(struct side *side)
{
    ahp_err err = {.size = sizeof(err)};

    if (side->inst->start(side->inst->self, &err))
        fail_msg("start: %s", err.text);
}

void side_open(struct side *side, const char *state)
{
    side_create(side, state);
    side_start(side);
}

static int has_stopped(void *ud)
{
    return ((struct side *)ud)->fake->stopped > 0;
}

void side_stop(struct side *side)
{
    side->inst->stop(side->inst->self, side->fake->now_ms + 5000);
    assert_int_equal(rig_run(side->rig, has_stopped, side), 0);
}

/* A host brings all work to its end before destroy; what has not begun it may cancel. */
static void cancel_work(struct fake_host *fake)
{
    struct fake_work *work;

    while ((work = fake->impl->work)) {
        DL_DELETE(fake->impl->work, work);
        fake->work_live--;
        work->done(work->item, 1);
        free(work);
    }
}

void side_destroy(struct side *side)
{
    cancel_work(side->fake);
    side->inst->destroy(side->inst->self);
    side->inst = NULL;
    assert_int_equal(side->fake->watches_live, 0);
    assert_int_equal(side->fake->timers_live, 0);
    assert_int_equal(side->fake->deferred_live, 0);
    fake_host_free(side->fake);
    side->fake = NULL;
    assert_int_equal(side->breaches, 0);
}

void side_end(struct side *side)
{
    side_stop(side);
    side_destroy(side);
}

uint64_t side_call(struct side *side, const char *tool, const char *args, const char *reply_to,
                   const char *conversation)
{
    ahp_call call = fake_host_call(side->fake, tool, args, reply_to, conversation);

    assert_int_equal(side->inst->call(side->inst->self, &call), AHP_OK);
    return call.id;
}

int side_call_starved(struct side *side, const char *tool, const char *args, const char *reply_to,
                      long nth, unsigned turns, uint64_t *ret_id)
{
    ahp_call call = fake_host_call(side->fake, tool, args, reply_to, "c");
    long before = mem_count();
    int32_t rc;
    int over;

    mem_fail_after(nth, 0);
    rc = side->inst->call(side->inst->self, &call);
    rig_spin(side->rig, turns);
    over = mem_count() < before + nth;
    mem_fail_after(0, 0);
    *ret_id = rc == AHP_OK ? call.id : 0;
    if (rc != AHP_OK)
        assert_int_equal(rc, AHP_E_NOMEM);
    return over;
}

struct call_end {
    struct side *side;
    uint64_t id;
};

static int call_ended(void *ud)
{
    struct call_end *it = ud;

    return fake_host_end(it->side->fake, it->id) != NULL;
}

const struct fake_end *side_end_of(struct side *side, uint64_t id)
{
    struct call_end it = {side, id};

    assert_int_equal(rig_run(side->rig, call_ended, &it), 0);
    return fake_host_end(side->fake, id);
}

json_t *side_ask(struct side *side, const char *tool, const char *args, const char *reply_to,
                 const char *conversation)
{
    const struct fake_end *end =
        side_end_of(side, side_call(side, tool, args, reply_to, conversation));
    json_t *json = json_loads(end->json, 0, NULL);

    assert_non_null(json);
    return json;
}

void side_job(struct side *side, const char *tool, const char *args, const char *reply_to,
              const char *conversation, char ret_job[RIG_JOB_BYTES])
{
    json_t *json = side_ask(side, tool, args, reply_to, conversation);

    assert_int_equal(strncmp(text_at(json, "job"), "job_", 4), 0);
    snprintf(ret_job, RIG_JOB_BYTES, "%s", text_at(json, "job"));
    json_decref(json);
}

int64_t side_unfinished(struct side *side)
{
    const ahp_jobs *jobs = side->inst->ext(side->inst->self, AHP_JOBS_1);

    assert_non_null(jobs);
    return jobs->unfinished(side->inst->self);
}

int32_t side_receipt(struct side *side, const char *key, int32_t outcome, int64_t delay_ms)
{
    ahp_receipt receipt = {.size = sizeof(receipt), .outcome = outcome, .delay_ms = delay_ms};

    receipt.key.ptr = key;
    receipt.key.len = strlen(key);
    return side->inst->receipt(side->inst->self, &receipt);
}

/* ---- turning ---- */

static uint32_t turn(struct rig *rig, int wait_ms)
{
    uint32_t ran = 0;

    if (rig->a.fake)
        ran += fake_host_turn(rig->a.fake, wait_ms);
    if (rig->b.fake)
        ran += fake_host_turn(rig->b.fake, 0);
    poll_host_settle(rig->net, 0);
    return ran;
}

static int64_t next_jump(const struct rig *rig)
{
    int64_t jump = INT64_MAX;
    const struct side *sides[] = {&rig->a, &rig->b};

    for (int i = 0; i < 2; i++) {
        int64_t next = sides[i]->fake ? fake_host_next_ms(sides[i]->fake) : INT64_MAX;

        if (next != INT64_MAX && next - sides[i]->fake->now_ms < jump)
            jump = next - sides[i]->fake->now_ms;
    }
    return jump;
}

static void advance(struct rig *rig, int64_t ms)
{
    if (rig->a.fake)
        (void)fake_host_advance(rig->a.fake, ms);
    if (rig->b.fake)
        (void)fake_host_advance(rig->b.fake, ms);
}

int rig_run(struct rig *rig, int (*until)(void *ud), void *ud)
{
    unsigned quiet = 0;

    for (unsigned i = 0; i < ROUNDS_MAX; i++) {
        int64_t jump;

        if (until(ud))
            return 0;
        /* Server and client share this thread: only the last look before a jump need wait. */
        quiet = turn(rig, quiet < 2 ? 0 : 1) ? 0 : quiet + 1;
        if (quiet < 3)
            continue;
        jump = next_jump(rig);
        if (jump == INT64_MAX && quiet > 2000)
            return -1;
        if (jump != INT64_MAX && jump > 0)
            advance(rig, jump);
    }
    return -1;
}

void rig_spin(struct rig *rig, unsigned turns)
{
    while (turns--)
        turn(rig, 1);
}

struct moment {
    struct rig *rig;
    int64_t at_ms;
};

static int is_past(void *ud)
{
    struct moment *moment = ud;
    struct fake_host *fake = moment->rig->a.fake ? moment->rig->a.fake : moment->rig->b.fake;

    return fake->now_ms >= moment->at_ms;
}

void rig_pass(struct rig *rig, int64_t ms)
{
    struct fake_host *fake = rig->a.fake ? rig->a.fake : rig->b.fake;
    struct moment moment = {rig, fake->now_ms + ms};

    assert_int_equal(rig_run(rig, is_past, &moment), 0);
}

struct wanted {
    struct side *side;
    struct rig *rig;
    uint32_t count;
};

static int delivered(void *ud)
{
    struct wanted *it = ud;

    return it->side->fake->deliveries_count >= it->count;
}

void rig_until_deliveries(struct side *side, uint32_t count)
{
    struct wanted it = {side, side->rig, count};

    assert_int_equal(rig_run(side->rig, delivered, &it), 0);
}

static int is_idle(void *ud)
{
    return side_unfinished(ud) == 0;
}

void rig_until_idle(struct side *side)
{
    assert_int_equal(rig_run(side->rig, is_idle, side), 0);
}

static int spent(void *ud)
{
    struct wanted *it = ud;

    return it->rig->spends >= it->count;
}

void rig_until_spends(struct rig *rig, unsigned count)
{
    struct wanted it = {NULL, rig, count};

    assert_int_equal(rig_run(rig, spent, &it), 0);
}

/* ---- looking ---- */

const char *rig_sql(struct side *side, const char *sql)
{
    static char value[8192];
    char path[320];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    const unsigned char *text;

    snprintf(path, sizeof(path), "%s/clawmedia.db", side->state);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    value[0] = '\0';
    if (sqlite3_step(stmt) == SQLITE_ROW && (text = sqlite3_column_text(stmt, 0)))
        snprintf(value, sizeof(value), "%s", (const char *)text);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

static sqlite3 *open_ledger(struct side *side)
{
    char path[320];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/clawmedia.db", side->state);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    return db;
}

void rig_exec(struct side *side, const char *sql)
{
    sqlite3 *db = open_ledger(side);

    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

void rig_lock(struct side *side)
{
    side->lock = open_ledger(side);
    assert_int_equal(sqlite3_exec(side->lock, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
}

void rig_unlock(struct side *side)
{
    sqlite3_close(side->lock);
    side->lock = NULL;
}

int side_logged(const struct side *side, const char *text)
{
    for (uint32_t i = 0; i < side->fake->logs_count; i++)
        if (strstr(side->fake->logs[i].text, text))
            return 1;
    return 0;
}

const char *text_at(const json_t *json, const char *path)
{
    char name[64];
    const char *text;
    size_t len;

    while (*path) {
        len = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)len, path);
        json = json_object_get(json, name);
        path += len + (path[len] == '.');
    }
    text = json_string_value(json);
    return text ? text : "";
}
