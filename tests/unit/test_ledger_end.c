/*
 * ledger/: the end in stop. The file is closed off the loop where the host can, what was queued is
 * in it, and destroy may come at any moment.
 */
#include "ledger_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static void on_ended(void *ud)
{
    ++*(int *)ud;
}

/* A write-ahead log stands beside a ledger that is open. */
static int is_open(struct ledger_fixture *f)
{
    char *log = folder_file(f->folder, "clawmedia.db-wal");
    int found = access(log, F_OK) == 0;

    free(log);
    return found;
}

static void queue(struct ledger_fixture *f, const char *id, struct answer *answer)
{
    struct ledger_job job = job_make(id);
    struct ledger_accept accept = {.job = &job, .take = 1, .now_ms = f->host.wall_ms};

    assert_int_equal(ledger_accept(f->ledger, &accept, on_accept, answer), 0);
}

/* The next owner finds the job, which nobody holds. */
static void check_stored(struct ledger_fixture *f, const char *id, const struct answer *answer)
{
    assert_int_equal(answer->called, 0);
    f->ledger = open_started(&f->host, f->folder);
    assert_int_equal(do_claim(&f->host, f->ledger, id, NULL, NULL), LEDGER_OK);
}

static void finish(struct ledger_fixture *f, int *ended)
{
    for (int turns = 0; !*ended && turns < 10; turns++)
        host_turn(&f->host);
    assert_int_equal(*ended, 1);
    assert_false(is_open(f));
    assert_null(f->host.timers);
    ledger_close(f->ledger);
}

static void the_end_is_off_the_loop(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer a = {0};
    int ended = 0;

    queue(f, "job_1", &a);
    ledger_end(f->ledger, on_ended, &ended);
    assert_int_equal(ended, 0);
    assert_true(is_open(f));
    finish(f, &ended);
    check_stored(f, "job_1", &a);
}

/* Neither a batch that a worker has, nor what was queued behind it, is lost. */
static void a_batch_under_way_goes_first(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer a = {0};
    struct answer b = {0};
    int ended = 0;

    queue(f, "job_1", &a);
    while (!f->host.works)
        host_turn(&f->host);
    queue(f, "job_2", &b);
    ledger_end(f->ledger, on_ended, &ended);
    assert_int_equal(ended, 0);
    finish(f, &ended);
    check_stored(f, "job_1", &a);
    assert_int_equal(do_claim(&f->host, f->ledger, "job_2", NULL, NULL), LEDGER_OK);
}

/* Of a host without workers, one that has no room, and one that takes work and gives it back. */
static void every_host_sees_the_end(void **state)
{
    struct ledger_fixture *f = *state;

    for (int kind = 0; kind < 3; kind++) {
        const char *id = kind == 0 ? "job_1" : kind == 1 ? "job_2" : "job_3";
        struct answer a = {0};
        int ended = 0;

        f->host.env.work = kind == 0 ? NULL : &f->host.work;
        f->host.refuses_work = kind == 1;
        f->host.cancels_work = kind == 2;
        queue(f, id, &a);
        ledger_end(f->ledger, on_ended, &ended);
        finish(f, &ended);
        f->host.refuses_work = f->host.cancels_work = 0;
        check_stored(f, id, &a);
    }
}

static void destroy_may_come_first(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer a = {0};
    int ended = 0;

    f->host.env.work = NULL;
    queue(f, "job_1", &a);
    ledger_end(f->ledger, on_ended, &ended);
    env_cancel_work(&f->host.env);
    assert_int_equal(ended, 0);
    ledger_close(f->ledger);
    assert_false(is_open(f));
    check_stored(f, "job_1", &a);
}

/* The host broke its promise that all work is over: the worker's end is the ledger's. */
static void destroy_may_find_a_worker(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer a = {0};
    int ended = 0;

    queue(f, "job_1", &a);
    ledger_end(f->ledger, on_ended, &ended);
    ledger_close(f->ledger);
    assert_true(is_open(f));
    while (host_turn(&f->host))
        ;
    assert_int_equal(ended, 0);
    assert_false(is_open(f));
    check_stored(f, "job_1", &a);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, ledger_set_up, ledger_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_end_is_off_the_loop),
        CASE(a_batch_under_way_goes_first),
        CASE(every_host_sees_the_end),
        CASE(destroy_may_come_first),
        CASE(destroy_may_find_a_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
