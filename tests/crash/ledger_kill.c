/*
 * ledger_kill.c - a process that writes to the ledger is killed at every instant that has a name
 * (crash.h), and at moments between them. Whoever opens the ledger afterwards must find everything
 * that was called back, each step whole or not at all, and may go on at once.
 *
 * `ledger_kill work <folder>` is the process that dies; it writes a line for each answer it got.
 */
#include "unit/ledger_host.h"

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
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS       8
#define JOBS_A_ROUND 3
#define JOBS         (ROUNDS * JOBS_A_ROUND)

/* An answer, to be said aloud when it comes. */
struct said {
    int job;
    unsigned tries;
};

static struct said saids[JOBS][ROUNDS + 1];

static void say(const struct said *said, enum ledger_result result)
{
    char line[64];
    int len = snprintf(line, sizeof(line), "%d %u %d\n", said->job, said->tries, (int)result);

    /* One write: a line is said or not. */
    if (write(STDOUT_FILENO, line, (size_t)len) != len)
        _exit(7);
}

static void said_accept(void *ud, enum ledger_result result, const struct ledger_job *job,
                        int created, const struct ledger_history *history, const struct err *err)
{
    (void)job;
    (void)created;
    (void)history;
    (void)err;
    say(ud, result);
}

static void said_record(void *ud, enum ledger_result result, uint32_t flags, const struct err *err)
{
    (void)flags;
    (void)err;
    say(ud, result);
}

static struct ledger_job job_numbered(int number)
{
    char id[LIMIT_ID];

    snprintf(id, sizeof(id), "job_%d", number);
    return job_make(id);
}

/* The nth step of a job: a try more, one file more and one delivery, which must stay together. */
static void record_step(struct ledger *ledger, int number, unsigned tries)
{
    struct ledger_job job = job_numbered(number);
    struct ledger_file files[ROUNDS];
    struct ledger_delivery delivery = {.attempts = tries};
    char key[LIMIT_ID + 2];

    memset(files, 0, sizeof(files));
    for (unsigned i = 0; i < tries; i++) {
        snprintf(files[i].handle, sizeof(files[i].handle), "f_%d_%u", number, i);
        files[i].number = i + 1;
        files[i].path = (char *)"/tmp/file";
    }
    snprintf(key, sizeof(key), "%s:r", job.id);
    delivery.key = key;
    job.tries = tries;
    job.files = files;
    job.files_count = tries;
    job.deliveries = &delivery;
    job.deliveries_count = 1;
    saids[number][tries] = (struct said){number, tries};
    if (ledger_record(ledger, &job, 0, said_record, &saids[number][tries]))
        _exit(6);
}

static int work(const char *folder)
{
    struct ledger_host host;
    struct ledger *ledger;

    host_init(&host, "gateway", 1);
    ledger = open_started(&host, folder);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < JOBS_A_ROUND; i++) {
            int number = round * JOBS_A_ROUND + i;
            struct ledger_job job = job_numbered(number);
            struct ledger_accept accept = {.job = &job, .take = 1};

            saids[number][0] = (struct said){number, 0};
            if (ledger_accept(ledger, &accept, said_accept, &saids[number][0]))
                return 6;
        }
        for (int number = 0; number < round * JOBS_A_ROUND; number++)
            record_step(ledger, number, (unsigned)(round - number / JOBS_A_ROUND));
        if (round == ROUNDS - 1)
            break; /* what is queued now goes down in close */
        while (ledger_is_busy(ledger))
            host_advance(&host, 1000);
    }
    ledger_close(ledger);
    host_done(&host);
    return 0;
}

struct child {
    pid_t pid;
    int from;
};

static struct child child_start(const char *folder, long at, const char *log)
{
    struct child child;
    char number[24];
    int up[2];

    snprintf(number, sizeof(number), "%ld", at);
    assert_int_equal(pipe2(up, O_CLOEXEC), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        dup2(up[1], STDOUT_FILENO);
        if (at)
            setenv("CLAWMEDIA_CRASH_AT", number, 1);
        if (log)
            setenv("CLAWMEDIA_CRASH_LOG", log, 1);
        execl("/proc/self/exe", "ledger_kill", "work", folder, (char *)NULL);
        _exit(9);
    }
    close(up[1]);
    child.from = up[0];
    return child;
}

/* The highest step that was answered for each job; -1: none. Kills after `lines` lines, 0: never.
 */
static int child_listen(struct child *child, int lines, int (*steps)[JOBS])
{
    FILE *from = fdopen(child->from, "r");
    char line[64];
    int status;
    int heard = 0;

    assert_non_null(from);
    for (int i = 0; i < JOBS; i++)
        (*steps)[i] = -1;
    while (fgets(line, sizeof(line), from)) {
        char *end;
        long job = strtol(line, &end, 10);
        long tries = strtol(end, &end, 10);
        long result = strtol(end, &end, 10);

        assert_int_equal(result, LEDGER_OK);
        assert_true(job >= 0 && job < JOBS && tries > (*steps)[job]);
        (*steps)[job] = (int)tries;
        if (++heard == lines)
            kill(child->pid, SIGKILL);
    }
    fclose(from);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    return status;
}

static int on_row(void *ud, int columns, char **values, char **names)
{
    (void)names;
    assert_int_equal(columns, 1);
    assert_string_equal(values[0], "ok");
    ++*(int *)ud;
    return 0;
}

static void check_integrity(const char *folder)
{
    char *path = folder_file(folder, "clawmedia.db");
    sqlite3 *db;
    int rows = 0;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA integrity_check", on_row, &rows, NULL), SQLITE_OK);
    assert_int_equal(rows, 1);
    sqlite3_close(db);
    free(path);
}

/* What was answered is there, whole, and another process may go on with it at once. */
static void check_ledger(const char *folder, int (*steps)[JOBS])
{
    struct ledger_host host;
    struct ledger *ledger;

    host_init(&host, "gateway", 0);
    ledger = open_started(&host, folder);
    for (int i = 0; i < JOBS; i++) {
        struct ledger_job job = job_numbered(i);
        struct answer a = {0};

        do_claim(&host, ledger, job.id, NULL, &a);
        if (a.jobs_count == 0) {
            assert_int_equal(a.result, LEDGER_NOT_FOUND);
            assert_int_equal((*steps)[i], -1);
            continue;
        }
        assert_int_equal(a.result, LEDGER_OK);
        assert_true((int)a.jobs[0]->tries >= (*steps)[i]);
        assert_int_equal(a.jobs[0]->files_count, a.jobs[0]->tries);
        assert_int_equal(a.jobs[0]->deliveries_count, a.jobs[0]->tries > 0);
        if (a.jobs[0]->tries > 0)
            assert_int_equal(a.jobs[0]->deliveries[0].attempts, a.jobs[0]->tries);
        assert_int_equal(do_record(&host, ledger, a.jobs[0], 1, &(struct answer){0}), LEDGER_OK);
        answer_done(&a);
    }
    ledger_close(ledger);
    host_done(&host);
    check_integrity(folder);
}

static int count_lines(const char *path)
{
    FILE *log = fopen(path, "r");
    char line[300];
    int lines = 0;

    assert_non_null(log);
    while (fgets(line, sizeof(line), log))
        lines++;
    fclose(log);
    return lines;
}

static void killed_at_every_commit(void **state)
{
    char *folder = folder_make();
    char *log = folder_file(folder, "points");
    struct child child = child_start(folder, 0, log);
    int steps[JOBS];
    int points;

    (void)state;
    assert_int_equal(child_listen(&child, 0, &steps), 0);
    check_ledger(folder, &steps);
    points = count_lines(log);
    assert_true(points >= 2 * ROUNDS);
    free(log);
    folder_remove(folder);
    for (int at = 1; at <= points; at++) {
        int status;

        folder = folder_make();
        child = child_start(folder, at, NULL);
        status = child_listen(&child, 0, &steps);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        check_ledger(folder, &steps);
        folder_remove(folder);
    }
}

static void killed_between(void **state)
{
    (void)state;
    for (int lines = 1; lines < 60; lines += 4) {
        char *folder = folder_make();
        struct child child = child_start(folder, 0, NULL);
        int steps[JOBS];

        child_listen(&child, lines, &steps);
        check_ledger(folder, &steps);
        folder_remove(folder);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_commit),
        cmocka_unit_test(killed_between),
    };

    if (argc == 3 && strcmp(argv[1], "work") == 0)
        return work(argv[2]);
    unsetenv("CLAWMEDIA_CRASH_AT");
    unsetenv("CLAWMEDIA_CRASH_LOG");
    alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
