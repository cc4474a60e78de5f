/* ledger/: who works on a job, when owners die, fall silent or come back. */
#include "ledger_host.h"

#include "ledger/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Two instances in one process, each with a host of its own. */
struct fixture {
    char *folder;
    struct ledger_host hosts[2];
    struct ledger *ledgers[2];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->folder = folder_make();
    for (int i = 0; i < 2; i++) {
        host_init(&f->hosts[i], "gateway", i);
        f->ledgers[i] = open_started(&f->hosts[i], f->folder);
        host_turn(&f->hosts[i]);
        host_turn(&f->hosts[i]);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        ledger_close(f->ledgers[i]);
        host_done(&f->hosts[i]);
    }
    folder_remove(f->folder);
    free(f);
    return 0;
}

static enum ledger_result accept_by(struct fixture *f, int who, const struct ledger_job *job,
                                    int take)
{
    return do_accept(&f->hosts[who], f->ledgers[who], job, take, NULL);
}

static size_t scan_by(struct fixture *f, int who, size_t max, int64_t *ret_unfinished)
{
    struct answer a = {0};
    size_t count;

    assert_int_equal(do_scan(&f->hosts[who], f->ledgers[who], "gateway", 1, max, &a), LEDGER_OK);
    count = a.jobs_count;
    if (ret_unfinished)
        *ret_unfinished = a.unfinished;
    answer_done(&a);
    return count;
}

static enum ledger_result record_by(struct fixture *f, int who, const struct ledger_job *job,
                                    int release)
{
    return do_record(&f->hosts[who], f->ledgers[who], job, release, NULL);
}

static enum ledger_result claim_by(struct fixture *f, int who, const char *id)
{
    return do_claim(&f->hosts[who], f->ledgers[who], id, NULL, NULL);
}

static size_t count_locks(const char *folder)
{
    char *path = folder_file(folder, "owners");
    DIR *owners = opendir(path);
    size_t count = 0;
    struct dirent *entry;

    assert_non_null(owners);
    while ((entry = readdir(owners)))
        count += entry->d_name[0] != '.';
    closedir(owners);
    free(path);
    return count;
}

static void one_holds_a_job(void **state)
{
    struct fixture *f = *state;
    struct ledger_job job = job_make("job_1");
    struct answer a = {0};
    int64_t unfinished;

    assert_int_equal(accept_by(f, 0, &job, 1), LEDGER_OK);
    assert_int_equal(scan_by(f, 1, 9, &unfinished), 0);
    assert_int_equal(unfinished, 1);
    assert_int_equal(scan_by(f, 0, 9, &unfinished), 0); /* its own it has already */
    assert_int_equal(unfinished, 1);
    assert_int_equal(do_claim(&f->hosts[1], f->ledgers[1], "job_1", NULL, &a), LEDGER_TAKEN);
    assert_string_equal(a.jobs[0]->id, "job_1");
    answer_done(&a);
    assert_int_equal(record_by(f, 1, &job, 0), LEDGER_LOST);
    assert_int_equal(claim_by(f, 0, "job_1"), LEDGER_OK);
    assert_int_equal(claim_by(f, 1, "job_9"), LEDGER_NOT_FOUND);

    job.deliveries = (struct ledger_delivery[]){{.key = (char *)"job_1:r"}};
    job.deliveries_count = 1;
    assert_int_equal(record_by(f, 0, &job, 1), LEDGER_OK);
    assert_int_equal(record_by(f, 0, &job, 0), LEDGER_LOST); /* given back is given back */
    assert_int_equal(do_claim(&f->hosts[1], f->ledgers[1], NULL, "job_1:r", NULL), LEDGER_OK);
    assert_int_equal(record_by(f, 0, &job, 0), LEDGER_LOST);
    assert_int_equal(record_by(f, 1, &job, 0), LEDGER_OK);
    memcpy(job.id, "job_8", 6);
    job.deliveries_count = 0;
    assert_int_equal(record_by(f, 1, &job, 0), LEDGER_NOT_FOUND);
}

static void close_gives_back(void **state)
{
    struct fixture *f = *state;
    struct ledger_job job = job_make("job_1");

    assert_int_equal(accept_by(f, 0, &job, 1), LEDGER_OK);
    ledger_close(f->ledgers[0]);
    f->ledgers[0] = NULL;
    assert_int_equal(count_locks(f->folder), 1);
    assert_int_equal(scan_by(f, 1, 9, NULL), 1);
}

static void scan_takes_what_is_due_first_and_fits(void **state)
{
    struct fixture *f = *state;
    struct ledger_job job;
    struct answer a = {0};
    char id[LIMIT_ID];

    for (int i = 0; i < 9; i++) {
        snprintf(id, sizeof(id), "job_%d", i);
        job = job_make(id);
        job.due_ms = 100 - i;
        if (i >= 4)
            job.state = JOB_READY;
        if (i == 5)
            job.host = (char *)"other";
        if (i == 6)
            job.host = NULL;
        if (i == 7) {
            job.host = (char *)"other"; /* nothing to deliver: for whoever comes */
            job.flags = 0;
        }
        if (i == 8)
            job.open = 0;
        assert_int_equal(accept_by(f, 0, &job, 0), LEDGER_OK);
    }
    /* A host that cannot deliver: 0 to 3 and 7. */
    assert_int_equal(do_scan(&f->hosts[1], f->ledgers[1], "gateway", 0, 2, &a), LEDGER_OK);
    assert_int_equal(a.jobs_count, 2);
    assert_string_equal(a.jobs[0]->id, "job_7");
    assert_string_equal(a.jobs[1]->id, "job_3");
    assert_int_equal(a.unfinished, 5);
    answer_done(&a);
    /* One that can: the rest of these, 4 and 6. The count has those that the other one holds. */
    assert_int_equal(do_scan(&f->hosts[0], f->ledgers[0], "gateway", 1, 99, &a), LEDGER_OK);
    assert_int_equal(a.jobs_count, 5);
    assert_string_equal(a.jobs[0]->id, "job_6");
    assert_int_equal(a.unfinished, 7);
    answer_done(&a);
    /* 4 and 6 count even for who cannot deliver, while somebody alive is on them. */
    assert_int_equal(do_scan(&f->hosts[1], f->ledgers[1], NULL, 0, 0, &a), LEDGER_OK);
    assert_int_equal(a.unfinished, 7);
    answer_done(&a);
}

static void the_silent_lose_only_what_is_taken(void **state)
{
    struct fixture *f = *state;
    struct ledger_job one = job_make("job_1");
    struct ledger_job two = job_make("job_2");

    two.due_ms = 1;
    assert_int_equal(accept_by(f, 0, &one, 1), LEDGER_OK);
    assert_int_equal(accept_by(f, 0, &two, 1), LEDGER_OK);
    /* The second one's time goes on; the first one does nothing. */
    host_advance(&f->hosts[1], LEASE_MS + 1);
    assert_int_equal(scan_by(f, 1, 9, NULL), 0); /* over, but is it silent? */
    host_advance(&f->hosts[1], LEASE_RENEW_MS + 1999);
    assert_int_equal(scan_by(f, 1, 9, NULL), 0);
    host_advance(&f->hosts[1], 1);
    assert_int_equal(scan_by(f, 1, 1, NULL), 1); /* job_1 */
    /* It is back: job_1 is gone, job_2 still its own. */
    f->hosts[0].wall_ms = f->hosts[1].wall_ms;
    f->hosts[0].now_ms = f->hosts[1].now_ms;
    assert_int_equal(record_by(f, 0, &one, 0), LEDGER_LOST);
    assert_int_equal(record_by(f, 0, &two, 0), LEDGER_OK);
    assert_int_equal(claim_by(f, 1, "job_2"), LEDGER_TAKEN);
    assert_int_equal(claim_by(f, 0, "job_1"), LEDGER_TAKEN);
}

/* A suspend or a clock that was set: every lease looks over, and nobody loses a thing. */
static void a_jump_of_the_clock_takes_nothing(void **state)
{
    struct fixture *f = *state;
    struct ledger_job job = job_make("job_1");

    assert_int_equal(accept_by(f, 0, &job, 1), LEDGER_OK);
    for (int i = 0; i < 2; i++)
        f->hosts[i].wall_ms += 3600 * 1000;
    assert_int_equal(scan_by(f, 1, 9, NULL), 0);
    for (int i = 0; i < 10; i++) {
        host_advance(&f->hosts[0], LEASE_SCAN_MS);
        host_turn(&f->hosts[0]);
        host_advance(&f->hosts[1], LEASE_SCAN_MS);
        assert_int_equal(scan_by(f, 1, 9, NULL), 0);
    }
    assert_int_equal(record_by(f, 0, &job, 0), LEDGER_OK);
}

static void the_lease_is_renewed(void **state)
{
    struct fixture *f = *state;
    struct ledger_job job = job_make("job_1");

    assert_int_equal(accept_by(f, 0, &job, 1), LEDGER_OK);
    for (int i = 0; i < 30; i++) {
        for (int who = 0; who < 2; who++) {
            host_advance(&f->hosts[who], LEASE_RENEW_MS);
            host_turn(&f->hosts[who]);
            host_turn(&f->hosts[who]);
        }
        assert_int_equal(scan_by(f, 1, 9, NULL), 0);
    }
}

static void strays_are_removed(void **state)
{
    struct fixture *f = *state;
    char *stray = folder_file(f->folder, "owners/own_gone.lock");
    int fd = open(stray, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct ledger *third;

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(count_locks(f->folder), 3);
    third = open_started(&f->hosts[0], f->folder);
    assert_int_equal(count_locks(f->folder), 3);
    assert_int_equal(access(stray, F_OK), -1);
    ledger_close(third);
    assert_int_equal(count_locks(f->folder), 2);
    free(stray);
}

/*
 * Another process: takes job_1 and says so; for each byte that comes it records the job and answers
 * with the result. Its own clock stands still.
 */
static void child_main(const char *folder, int in, int out)
{
    struct ledger_host host;
    struct ledger_job job = job_make("job_1");
    struct ledger *ledger;
    char byte = 'r';

    host_init(&host, "gateway", 0);
    ledger = open_started(&host, folder);
    if (do_accept(&host, ledger, &job, 1, NULL) != LEDGER_OK)
        _exit(3);
    for (;;) {
        if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
            _exit(4);
        byte = (char)('a' - (int)do_record(&host, ledger, &job, 0, NULL));
    }
}

struct child {
    pid_t pid;
    int to;
    int from;
};

static struct child child_start(const char *folder)
{
    struct child child;
    int down[2];
    int up[2];

    assert_int_equal(pipe2(down, O_CLOEXEC), 0);
    assert_int_equal(pipe2(up, O_CLOEXEC), 0);
    child.pid = fork();
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        close(down[1]);
        close(up[0]);
        child_main(folder, down[0], up[1]);
        _exit(5);
    }
    close(down[0]);
    close(up[1]);
    child.to = down[1];
    child.from = up[0];
    return child;
}

static char child_says(const struct child *child)
{
    char byte = 0;

    assert_int_equal(read(child->from, &byte, 1), 1);
    return byte;
}

static void child_end(struct child *child)
{
    int status;

    kill(child->pid, SIGKILL);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    close(child->to);
    close(child->from);
}

static void the_killed_are_dead_at_once(void **state)
{
    char *folder = folder_make();
    struct child child = child_start(folder);
    struct ledger_host host;
    struct ledger *ledger;
    struct answer a = {0};

    (void)state;
    assert_int_equal(child_says(&child), 'r');
    host_init(&host, "gateway", 1);
    ledger = open_started(&host, folder);
    assert_int_equal(do_scan(&host, ledger, "gateway", 1, 9, &a), LEDGER_OK);
    assert_int_equal(a.jobs_count, 0);
    assert_int_equal(do_claim(&host, ledger, "job_1", NULL, NULL), LEDGER_TAKEN);
    child_end(&child);
    answer_done(&a);
    assert_int_equal(do_claim(&host, ledger, "job_1", NULL, NULL), LEDGER_OK);
    assert_int_equal(count_locks(folder), 1);
    ledger_close(ledger);
    host_done(&host);
    folder_remove(folder);
}

static void the_stopped_lose_their_jobs(void **state)
{
    char *folder = folder_make();
    struct child child = child_start(folder);
    struct ledger_host host;
    struct ledger *ledger;
    struct answer a = {0};
    int status;

    (void)state;
    assert_int_equal(child_says(&child), 'r');
    assert_int_equal(kill(child.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(child.pid, &status, WUNTRACED), child.pid);
    assert_true(WIFSTOPPED(status));
    host_init(&host, "gateway", 0);
    ledger = open_started(&host, folder);
    for (int i = 0; a.jobs_count == 0; i++) {
        assert_true(i * LEASE_SCAN_MS < 2 * LEASE_MS);
        answer_done(&a);
        host_advance(&host, LEASE_SCAN_MS);
        assert_int_equal(do_scan(&host, ledger, "gateway", 1, 9, &a), LEDGER_OK);
    }
    assert_string_equal(a.jobs[0]->id, "job_1");
    assert_int_equal(count_locks(folder), 2); /* it lives, so its lock stays */
    assert_int_equal(kill(child.pid, SIGCONT), 0);
    assert_int_equal(write(child.to, "x", 1), 1);
    assert_int_equal(child_says(&child), 'a' - (int)LEDGER_LOST);
    assert_int_equal(do_record(&host, ledger, a.jobs[0], 0, &(struct answer){0}), LEDGER_OK);
    answer_done(&a);
    child_end(&child);
    ledger_close(ledger);
    host_done(&host);
    folder_remove(folder);
}

#define CROWD      6
#define CROWD_KEYS 20

/* One of many that open a new ledger at the same instant and all ask for the same jobs. */
static int crowd_main(const char *folder, int gate, int number)
{
    struct ledger_host host;
    struct ledger *ledger;
    struct answer answers[CROWD_KEYS];
    char byte;
    int made = 0;

    memset(answers, 0, sizeof(answers));
    host_init(&host, "gateway", 0);
    if (read(gate, &byte, 1) != 0)
        return 100;
    /* Not open_started: a failed assertion would leave the child as one more test runner. */
    if (ledger_open(&host.env, folder, &ledger, NULL) || ledger_start(ledger, NULL))
        return 103;
    for (int i = 0; i < CROWD_KEYS; i++) {
        char id[LIMIT_ID];
        char key[LIMIT_ID];
        struct ledger_job job;
        struct ledger_accept accept = {.job = &job, .take = 1, .dedup_key = key};

        snprintf(id, sizeof(id), "job_%d_%d", number, i);
        snprintf(key, sizeof(key), "k%d", i);
        job = job_make(id);
        accept.now_ms = host.wall_ms;
        if (ledger_accept(ledger, &accept, on_accept, &answers[i]))
            return 101;
        /* Time goes on as it really does: others need some to finish their turn. */
        while (!answers[i].called) {
            poll(NULL, 0, 1);
            host_advance(&host, 1);
        }
        if (answers[i].result != LEDGER_OK)
            return 102;
        made += answers[i].created;
        answer_done(&answers[i]);
    }
    ledger_close(ledger);
    host_done(&host);
    return made;
}

static void a_crowd_makes_each_job_once(void **state)
{
    char *folder = folder_make();
    struct ledger_host host;
    struct ledger *ledger;
    pid_t pids[CROWD];
    struct answer a = {0};
    int gate[2];
    int made = 0;

    (void)state;
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    for (int i = 0; i < CROWD; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            close(gate[1]);
            _exit(crowd_main(folder, gate[0], i));
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < CROWD; i++) {
        int status;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= CROWD_KEYS);
        made += WEXITSTATUS(status);
    }
    assert_int_equal(made, CROWD_KEYS);
    assert_int_equal(count_locks(folder), 0);
    host_init(&host, "gateway", 0);
    ledger = open_started(&host, folder);
    assert_int_equal(do_scan(&host, ledger, "gateway", 1, 99, &a), LEDGER_OK);
    assert_int_equal(a.jobs_count, CROWD_KEYS);
    assert_int_equal(a.unfinished, CROWD_KEYS);
    answer_done(&a);
    ledger_close(ledger);
    host_done(&host);
    folder_remove(folder);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(one_holds_a_job),
        T(close_gives_back),
        T(scan_takes_what_is_due_first_and_fits),
        T(the_silent_lose_only_what_is_taken),
        T(a_jump_of_the_clock_takes_nothing),
        T(the_lease_is_renewed),
        T(strays_are_removed),
        cmocka_unit_test(the_killed_are_dead_at_once),
        cmocka_unit_test(the_stopped_lose_their_jobs),
        cmocka_unit_test(a_crowd_makes_each_job_once),
    };

    /* Bounded, whatever a child does. */
    alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
