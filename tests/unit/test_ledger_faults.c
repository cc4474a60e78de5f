/* ledger/: busy, full, damaged, of another version, without memory, and large. */
#include "ledger_host.h"

#include "base/mem.h"
#include "ledger/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int count_jobs(struct ledger_fixture *f)
{
    struct answer a = {0};
    int count;

    assert_int_equal(ledger_find(f->ledger, &(struct ledger_query){.limit = 99}, on_find, &a), 0);
    answer_wait(&f->host, &a);
    assert_int_equal(a.result, LEDGER_OK);
    count = (int)a.jobs_count;
    answer_done(&a);
    return count;
}

static void accept_async(struct ledger_fixture *f, const char *id, struct answer *answer)
{
    struct ledger_job job = job_make(id);
    struct ledger_accept accept = {.job = &job, .take = 1, .now_ms = f->host.wall_ms};

    assert_int_equal(ledger_accept(f->ledger, &accept, on_accept, answer), 0);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void another_writer_is_waited_for(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer a = {0};
    struct answer b = {0};
    sqlite3 *other;
    int64_t until_ms;

    assert_int_equal(count_jobs(f), 0);
    assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    accept_async(f, "job_1", &a);
    until_ms = f->host.now_ms + LEDGER_BUSY_MS - 1000;
    while (f->host.now_ms < until_ms)
        host_advance(&f->host, 10);
    assert_int_equal(a.called, 0);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    answer_wait(&f->host, &a);
    assert_int_equal(a.result, LEDGER_OK);
    answer_done(&a);
    /* Reading needs no lock; patience with a writer ends. */
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(count_jobs(f), 1);
    accept_async(f, "job_2", &a);
    answer_wait(&f->host, &a);
    assert_int_equal(a.result, LEDGER_FAILED);
    assert_int_equal(a.err.kind, ERR_BUSY);
    assert_non_null(strstr(a.err.text, f->path));
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    accept_async(f, "job_3", &b);
    answer_wait(&f->host, &b);
    assert_int_equal(b.result, LEDGER_OK);
    assert_int_equal(count_jobs(f), 2);
    sqlite3_close(other);
    answer_done(&a);
    answer_done(&b);
}

/* A disk that is full, as SQLite sees it; then there is room again. */
static void a_full_disk_is_an_answer(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job job = job_make("job_1");
    struct answer a = {0};
    char *large = calloc(1, 1000001);

    assert_non_null(large);
    memset(large, 'x', 1000000);
    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
    assert_int_equal(sqlite3_exec(f->ledger->db, "PRAGMA max_page_count = 100", NULL, NULL, NULL),
                     SQLITE_OK);
    job.flow = large;
    assert_int_equal(do_record(&f->host, f->ledger, &job, 0, &a), LEDGER_FAILED);
    assert_int_equal(a.err.kind, ERR_IO);
    assert_non_null(strstr(a.err.text, f->path));
    assert_non_null(strstr(a.err.text, "no space"));
    assert_int_equal(
        sqlite3_exec(f->ledger->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL), SQLITE_OK);
    answer_done(&a);
    assert_int_equal(do_record(&f->host, f->ledger, &job, 0, NULL), LEDGER_OK);
    free(large);
}

/* A write that fails on its way to the file, in the middle of a commit. */
static void a_failing_write_is_an_answer(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job job = job_make("job_1");
    struct rlimit old;
    struct rlimit small;
    struct answer a = {0};
    struct answer b = {0};
    char *large = calloc(1, 1000001);

    assert_non_null(large);
    memset(large, 'x', 1000000);
    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 200000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    /* The other one of the same transaction fails with it. */
    accept_async(f, "job_2", &b);
    job.flow = large;
    assert_int_equal(ledger_record(f->ledger, &job, 0, on_record, &a), 0);
    answer_wait(&f->host, &a);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(a.result, LEDGER_FAILED);
    assert_int_equal(b.result, LEDGER_FAILED);
    assert_int_equal(a.err.kind, ERR_IO);
    assert_non_null(strstr(a.err.text, f->path));
    assert_true(f->host.warnings > 0);
    assert_int_equal(count_jobs(f), 1);
    answer_done(&a);
    answer_done(&b);
    assert_int_equal(do_record(&f->host, f->ledger, &job, 0, NULL), LEDGER_OK);
    free(large);
}

/* Opens in vain; the file must be what it was, byte for byte. */
static void refuses(struct ledger_fixture *f, enum err_kind kind, const char *word)
{
    struct err err = {0};
    struct ledger *ledger = NULL;
    struct stat before;
    struct stat after;

    assert_int_equal(stat(f->path, &before), 0);
    assert_int_equal(ledger_open(&f->host.env, f->folder, &ledger, &err), -1);
    assert_null(ledger);
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, f->path) || !strstr(err.text, word))
        fail_msg("%s", err.text);
    assert_int_equal(stat(f->path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void close_ledger(struct ledger_fixture *f)
{
    ledger_close(f->ledger);
    f->ledger = NULL;
}

static void foreign_files_are_left_alone(void **state)
{
    struct ledger_fixture *f = *state;
    struct err err = {0};
    char *below;

    close_ledger(f);
    sql(f->path, "PRAGMA user_version = 99");
    refuses(f, ERR_CONFIG, "version 99");
    sql(f->path, "PRAGMA user_version = 1; PRAGMA application_id = 7");
    refuses(f, ERR_CONFIG, "other program");
    below = folder_file(f->path, "below");
    assert_int_equal(ledger_open(&f->host.env, below, &f->ledger, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    free(below);
}

/* Somebody tidied up: what is under way may end, but nothing is begun that a restart would forget.
 */
static void a_removed_ledger_takes_no_jobs(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job first = job_make("job_1");
    struct ledger_job second = job_make("job_2");
    struct answer a = {0};
    char *away = folder_file(f->folder, "away.db");

    assert_int_equal(do_accept(&f->host, f->ledger, &first, 1, NULL), LEDGER_OK);
    assert_int_equal(rename(f->path, away), 0);
    assert_int_equal(do_accept(&f->host, f->ledger, &second, 1, &a), LEDGER_FAILED);
    assert_int_equal(a.err.kind, ERR_IO);
    assert_non_null(strstr(a.err.text, "removed or replaced"));
    answer_done(&a);
    assert_int_equal(do_record(&f->host, f->ledger, &first, 0, NULL), LEDGER_OK);
    assert_int_equal(rename(away, f->path), 0);
    assert_int_equal(do_accept(&f->host, f->ledger, &second, 1, NULL), LEDGER_OK);
    free(away);
}

static void overwrite(const char *path, off_t at, size_t len)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char junk[512];

    assert_true(fd >= 0);
    memset(junk, 0x5a, sizeof(junk));
    for (size_t done = 0; done < len; done += sizeof(junk))
        assert_int_equal(pwrite(fd, junk, sizeof(junk), at + (off_t)done), sizeof(junk));
    close(fd);
}

static void damage_is_named_and_kept(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer a = {0};
    char id[LIMIT_ID];
    struct stat status;

    for (int i = 0; i < 200; i++) {
        struct ledger_job job;

        snprintf(id, sizeof(id), "job_%d", i);
        job = job_make(id);
        assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
    }
    close_ledger(f);
    /* Pages of the tables: it opens, and says so when it comes to them. */
    assert_int_equal(stat(f->path, &status), 0);
    overwrite(f->path, 24 * 4096, (size_t)status.st_size - 24 * 4096);
    f->ledger = open_started(&f->host, f->folder);
    assert_int_equal(do_scan(&f->host, f->ledger, "gateway", 1, 256, &a), LEDGER_FAILED);
    assert_int_equal(a.err.kind, ERR_IO);
    assert_non_null(strstr(a.err.text, f->path));
    assert_non_null(strstr(a.err.text, "damaged"));
    answer_done(&a);
    close_ledger(f);
    assert_int_equal(truncate(f->path, 3 * 4096), 0);
    refuses(f, ERR_IO, "damaged");
    overwrite(f->path, 0, 512);
    refuses(f, ERR_IO, "damaged");
}

/* Operations without memory. Copies in the callbacks would fail too, so these take none. */
struct outcome {
    int called;
    enum ledger_result result;
};

static void out_accept(void *ud, enum ledger_result result, const struct ledger_job *job,
                       int created, const struct ledger_history *history, const struct err *err)
{
    struct outcome *out = ud;

    (void)history;
    out->called++;
    out->result = result;
    assert_true(result == LEDGER_OK ? job && created : err && err->kind == ERR_NOMEM);
}

static void out_record(void *ud, enum ledger_result result, uint32_t flags, const struct err *err)
{
    struct outcome *out = ud;

    (void)flags;
    out->called++;
    out->result = result;
    assert_true(result == LEDGER_OK || result == LEDGER_NOT_FOUND || result == LEDGER_LOST ||
                (err && err->kind == ERR_NOMEM));
}

static void out_scan(void *ud, enum ledger_result result, const struct ledger_job *const *jobs,
                     size_t jobs_count, int64_t unfinished, const struct err *err)
{
    struct outcome *out = ud;

    (void)jobs;
    (void)unfinished;
    out->called++;
    out->result = result;
    assert_true(result == LEDGER_OK ? jobs_count <= 1 : err && err->kind == ERR_NOMEM);
}

/* One accept, record and scan with the nth allocation failing. 0: it was never reached. */
static int step_without_memory(struct ledger_fixture *f, long n, int for_good)
{
    struct ledger_file file = {.handle = "x", .number = 1, .path = (char *)"/x"};
    struct ledger_delivery delivery = {.state = DELIVERY_PENDING, .text = (char *)"words"};
    struct ledger_job job;
    struct ledger_accept accept = {.job = &job, .take = 0, .dedup_key = NULL};
    struct ledger_scan scan = {.host = "gateway", .can_deliver = 1, .jobs_max = 1};
    struct outcome outs[3] = {{0}};
    int queued[3];
    char id[LIMIT_ID + 20];
    char key[LIMIT_ID + 20];
    long before;

    snprintf(id, sizeof(id), "job_%d_%ld", for_good, n);
    job = job_make(id);
    snprintf(key, sizeof(key), "k_%d_%ld", for_good, n);
    snprintf(file.handle, sizeof(file.handle), "f_%d_%d", for_good, (int)n);
    delivery.key = key;
    accept.dedup_key = key;
    before = mem_count();
    mem_fail_after(n, for_good);
    queued[0] = ledger_accept(f->ledger, &accept, out_accept, &outs[0]) == 0;
    job.files = &file;
    job.files_count = 1;
    job.deliveries = &delivery;
    job.deliveries_count = 1;
    queued[1] = ledger_scan(f->ledger, &scan, out_scan, &outs[1]) == 0;
    queued[2] = ledger_record(f->ledger, &job, 1, out_record, &outs[2]) == 0;
    for (int turns = 0; ledger_is_busy(f->ledger); turns++) {
        assert_true(turns < 100);
        host_advance(&f->host, 1);
    }
    mem_fail_after(0, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outs[i].called, queued[i]);
    /* What was said is what is there. */
    if (outs[0].called) {
        struct answer a = {0};

        assert_int_equal(
            ledger_find(f->ledger, &(struct ledger_query){.id = id, .limit = 1}, on_find, &a), 0);
        answer_wait(&f->host, &a);
        assert_int_equal(a.jobs_count, outs[0].result == LEDGER_OK);
        if (a.jobs_count)
            assert_int_equal(a.jobs[0]->files_count, outs[2].called && outs[2].result == LEDGER_OK);
        answer_done(&a);
    }
    /* Put aside, so that the next scan finds one job at most. */
    assert_int_equal(sqlite3_exec(f->ledger->db, "UPDATE jobs SET open = 0", NULL, NULL, NULL),
                     SQLITE_OK);
    return mem_count() - before >= n;
}

static void every_allocation_may_fail(void **state)
{
    struct ledger_fixture *f = *state;

    for (int for_good = 0; for_good < 2; for_good++) {
        long n = 1;

        f->host.env.work = for_good ? NULL : f->host.env.work;
        while (step_without_memory(f, n, for_good))
            assert_true(++n < 2000);
        assert_true(n > 60);
    }
}

static void open_without_memory(void **state)
{
    struct ledger_fixture *f = *state;
    struct err err = {0};
    long n;

    close_ledger(f);
    for (n = 1; !f->ledger; n++) {
        assert_true(n < 100);
        mem_fail_after(n, 0);
        if (ledger_open(&f->host.env, f->folder, &f->ledger, &err))
            assert_int_equal(err.kind, ERR_NOMEM);
        mem_fail_after(0, 0);
    }
    assert_true(n > 4);
}

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void ten_thousand_jobs(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_host host;
    struct ledger *other;
    struct ledger_job job;
    struct answer a = {0};
    struct outcome out = {0};
    char id[LIMIT_ID];
    int64_t taken = 0;
    double from;

    f->host.env.work = NULL;
    for (int i = 0; i < 10000; i++) {
        struct ledger_accept accept = {.job = &job, .take = 1};

        snprintf(id, sizeof(id), "job_%d", i);
        job = job_make(id);
        job.due_ms = 7919 * i % 10007;
        assert_int_equal(ledger_accept(f->ledger, &accept, out_accept, &out), 0);
        while (i % LIMIT_LEDGER_BATCH == LIMIT_LEDGER_BATCH - 1 && i < 9000 &&
               ledger_is_busy(f->ledger))
            host_turn(&f->host);
    }
    while (ledger_is_busy(f->ledger))
        host_turn(&f->host);
    print_message("longest turn with %d accepts: %.0f us\n", LIMIT_LEDGER_BATCH,
                  f->host.longest_us);
    job.state = JOB_WORKING;
    from = now_us();
    assert_int_equal(do_record(&f->host, f->ledger, &job, 0, &a), LEDGER_OK);
    print_message("one record, with its sync: %.0f us\n", now_us() - from);
    answer_done(&a);
    from = now_us();
    assert_int_equal(do_scan(&f->host, f->ledger, "gateway", 1, LIMIT_LEDGER_SCAN, &a), LEDGER_OK);
    print_message("scan with nothing to take, 10000 open: %.0f us\n", now_us() - from);
    assert_int_equal(a.jobs_count, 0);
    assert_int_equal(a.unfinished, 10000);
    answer_done(&a);
    close_ledger(f);
    host_init(&host, "gateway", 0);
    other = open_started(&host, f->folder);
    do {
        answer_done(&a);
        assert_int_equal(do_scan(&host, other, "gateway", 1, LIMIT_LEDGER_SCAN, &a), LEDGER_OK);
        taken += (int64_t)a.jobs_count;
    } while (a.jobs_count == LIMIT_LEDGER_SCAN);
    answer_done(&a);
    assert_int_equal(taken, 10000);
    print_message("longest turn while 10000 are taken, %d a scan: %.0f us\n", LIMIT_LEDGER_SCAN,
                  host.longest_us);
    ledger_close(other);
    host_done(&host);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ledger_set_up, ledger_tear_down)
    const struct CMUnitTest tests[] = {
        T(another_writer_is_waited_for), T(a_full_disk_is_an_answer),
        T(a_failing_write_is_an_answer), T(foreign_files_are_left_alone),
        T(a_removed_ledger_takes_no_jobs),
        T(damage_is_named_and_kept),     T(every_allocation_may_fail),
        T(open_without_memory),          T(ten_thousand_jobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
