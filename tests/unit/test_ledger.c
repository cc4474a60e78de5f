/* ledger/: what each operation does and answers. */
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
#include <sys/stat.h>

static void find(struct ledger_fixture *f, const struct ledger_query *query, struct answer *answer)
{
    assert_int_equal(ledger_find(f->ledger, query, on_find, answer), 0);
    answer_wait(&f->host, answer);
    assert_int_equal(answer->result, LEDGER_OK);
}

static void a_job_comes_back_as_it_was(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer accepted = {0};
    struct answer found = {0};
    struct ledger_job job = job_make("job_1");
    struct ledger_job *back;

    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, &accepted), LEDGER_OK);
    assert_int_equal(accepted.created, 1);
    job.state = JOB_READY;
    job.progress = 1000;
    job.tries = 3;
    job.updated_ms = 11;
    job.submitted_ms = 12;
    job.due_ms = 13;
    job.deadline_ms = 14;
    job.ended_ms = 15;
    job.account = (char *)"fp";
    job.caller = (char *)"me";
    job.locale = (char *)"zh-CN";
    job.plan = (char *)"{}";
    job.flow = (char *)"{\"s\":1}";
    job.provider_job = (char *)"p9";
    job.error_kind = ERR_RATE_LIMITED;
    job.error_text = (char *)"slow";
    job.advice = (char *)"wait";
    job.cost = 0.5;
    job.currency = (char *)"USD";
    job.files = (struct ledger_file[]){
        {"img_2", 2, (char *)"/b.png", (char *)"image/png", NULL, 4, 5, 0, 77},
        {"img_1", 1, (char *)"/a.png", (char *)"image/png", (char *)"https://x/a", 4, 5, 9000,
         UINT64_C(5000000000)}};
    job.files_count = 2;
    job.deliveries = (struct ledger_delivery[]){
        {(char *)"job_1:r", DELIVERY_OFFERED, 1, 2, 99, (char *)"done", (char *)"m1", (char *)"e"}};
    job.deliveries_count = 1;
    assert_int_equal(do_record(&f->host, f->ledger, &job, 0, NULL), LEDGER_OK);
    find(f, &(struct ledger_query){.id = "job_1", .limit = 1}, &found);
    assert_int_equal(found.jobs_count, 1);
    back = found.jobs[0];
    assert_int_equal(back->state, JOB_READY);
    assert_int_equal(back->flags, LEDGER_JOB_DELIVERS);
    assert_int_equal(back->progress, 1000);
    assert_int_equal(back->tries, 3);
    assert_int_equal(back->updated_ms + back->submitted_ms + back->due_ms + back->deadline_ms +
                         back->ended_ms,
                     65);
    assert_string_equal(back->account, "fp");
    assert_string_equal(back->locale, "zh-CN");
    assert_string_equal(back->flow, "{\"s\":1}");
    assert_int_equal(back->error_kind, ERR_RATE_LIMITED);
    assert_string_equal(back->advice, "wait");
    assert_true(back->cost > 0.49 && back->cost_estimate < 0.26);
    assert_int_equal(back->reply_to_len, 3);
    assert_memory_equal(back->reply_to, "a\0b", 3);
    assert_null(back->dedup_key);
    assert_int_equal(back->files_count, 2);
    assert_string_equal(back->files[0].handle, "img_1");
    assert_true(back->files[0].bytes == UINT64_C(5000000000));
    assert_int_equal(back->files[0].duration_ms, 9000);
    assert_null(back->files[1].url);
    assert_int_equal(back->deliveries_count, 1);
    assert_int_equal(back->deliveries[0].state, DELIVERY_OFFERED);
    assert_string_equal(back->deliveries[0].host_ref, "m1");
    /* The same file and delivery again: one row each, the delivery as it is now. */
    job.deliveries[0].state = DELIVERY_DONE;
    assert_int_equal(do_record(&f->host, f->ledger, &job, 0, NULL), LEDGER_OK);
    answer_done(&found);
    find(f, &(struct ledger_query){.file = "img_2", .limit = 1}, &found);
    assert_int_equal(found.jobs_count, 1);
    assert_int_equal(found.jobs[0]->files_count, 2);
    assert_int_equal(found.jobs[0]->deliveries[0].state, DELIVERY_DONE);
    answer_done(&found);
    answer_done(&accepted);
}

static enum ledger_result accept_key(struct ledger_fixture *f, const char *id, const char *key,
                                     int by_host, struct answer *answer)
{
    struct ledger_job job = job_make(id);
    struct ledger_accept accept = {.job = &job,
                                   .take = 1,
                                   .dedup_key = key,
                                   .dedup = by_host ? DEDUP_HOST : DEDUP_OWN,
                                   .now_ms = f->host.wall_ms};

    job.created_ms = f->host.wall_ms;
    answer_done(answer);
    assert_int_equal(ledger_accept(f->ledger, &accept, on_accept, answer), 0);
    answer_wait(&f->host, answer);
    return answer->result;
}

static void end_as(struct ledger_fixture *f, const char *id, enum job_state end)
{
    struct ledger_job job = job_make(id);

    job.created_ms = f->host.wall_ms;
    job.state = end;
    job.open = 0;
    assert_int_equal(do_record(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
}

static void the_same_key_is_the_same_job(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer a = {0};

    assert_int_equal(accept_key(f, "job_1", "k", 0, &a), LEDGER_OK);
    assert_int_equal(a.created, 1);
    /* Not ended: however long ago. */
    f->host.wall_ms += 10 * DEDUP_WINDOW_MS;
    assert_int_equal(accept_key(f, "job_2", "k", 0, &a), LEDGER_OK);
    assert_int_equal(a.created, 0);
    assert_string_equal(a.jobs[0]->id, "job_1");
    assert_string_equal(a.jobs[0]->dedup_key, "k");
    /* Ended long after it began: a new one. Its twin within the window: the same. */
    end_as(f, "job_1", JOB_DONE);
    assert_int_equal(accept_key(f, "job_3", "k", 0, &a), LEDGER_OK);
    assert_int_equal(a.created, 1);
    end_as(f, "job_3", JOB_UNKNOWN);
    f->host.wall_ms += DEDUP_WINDOW_MS - 1;
    assert_int_equal(accept_key(f, "job_4", "k", 0, &a), LEDGER_OK);
    assert_int_equal(a.created, 0);
    assert_string_equal(a.jobs[0]->id, "job_3");
    f->host.wall_ms += 1;
    assert_int_equal(accept_key(f, "job_5", "k", 0, &a), LEDGER_OK);
    assert_int_equal(a.created, 1);
    /* What came to nothing does not stand in the way, but for the host's own key. */
    end_as(f, "job_5", JOB_FAILED);
    assert_int_equal(accept_key(f, "job_6", "k", 0, &a), LEDGER_OK);
    assert_int_equal(a.created, 1);
    assert_int_equal(accept_key(f, "job_7", "host", 1, &a), LEDGER_OK);
    end_as(f, "job_7", JOB_FAILED);
    f->host.wall_ms += 10 * DEDUP_WINDOW_MS;
    assert_int_equal(accept_key(f, "job_8", "host", 1, &a), LEDGER_OK);
    assert_int_equal(a.created, 0);
    assert_string_equal(a.jobs[0]->id, "job_7");
    f->host.wall_ms += DEDUP_HOST_MS;
    assert_int_equal(accept_key(f, "job_9", "host", 1, &a), LEDGER_OK);
    assert_int_equal(a.created, 1);
    answer_done(&a);
}

static void a_job_is_repeated_once(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer a = {0};
    struct ledger_job job = job_make("job_2");

    job.resubmit_of = (char *)"job_1";
    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
    memcpy(job.id, "job_3", 6);
    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, &a), LEDGER_TAKEN);
    assert_string_equal(a.jobs[0]->id, "job_2");
    answer_done(&a);
    end_as(f, "job_2", JOB_FAILED);
    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
}

static void history_is_of_what_succeeded(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer a = {0};
    struct ledger_job job;
    char id[LIMIT_ID];

    for (int i = 0; i < 25; i++) {
        snprintf(id, sizeof(id), "job_%d", i);
        job = job_make(id);
        assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
        job.state = i == 24 ? JOB_FAILED : JOB_DONE;
        job.open = 0;
        job.submitted_ms = 100000 * (i + 1);
        job.ended_ms = job.submitted_ms + 1000 * (i + 1);
        assert_int_equal(do_record(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
    }
    job = job_make("job_next");
    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, &a), LEDGER_OK);
    assert_int_equal(a.history.count, 20); /* numbers 5 to 24 of the 24 good ones */
    assert_int_equal(a.history.shortest_ms, 5000);
    assert_int_equal(a.history.median_ms, 15000);
    answer_done(&a);
    job = job_make("job_other");
    job.model = NULL;
    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, &a), LEDGER_OK);
    assert_int_equal(a.history.count, 0);
    answer_done(&a);
}

static void cancel_reaches_the_holder(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job job = job_make("job_1");
    struct answer a = {0};

    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
    assert_int_equal(ledger_cancel(f->ledger, "job_1", on_claim, &a), 0);
    answer_wait(&f->host, &a);
    assert_int_equal(a.result, LEDGER_OK);
    assert_int_equal(a.jobs[0]->flags, LEDGER_JOB_DELIVERS | LEDGER_JOB_CANCEL);
    answer_done(&a);
    /* The holder does not know yet; its record must not wipe the wish out. */
    assert_int_equal(do_record(&f->host, f->ledger, &job, 0, &a), LEDGER_OK);
    assert_int_equal(a.flags, LEDGER_JOB_DELIVERS | LEDGER_JOB_CANCEL);
    answer_done(&a);
    assert_int_equal(ledger_cancel(f->ledger, "job_9", on_claim, &a), 0);
    answer_wait(&f->host, &a);
    assert_int_equal(a.result, LEDGER_NOT_FOUND);
    answer_done(&a);
    end_as(f, "job_1", JOB_DONE);
}

static void listing_is_newest_first_and_filtered(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job job;
    struct answer a = {0};
    char id[LIMIT_ID];
    struct ledger_file file = {.handle = "img_1", .number = 1, .path = (char *)"/x"};

    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof(id), "job_%d", i);
        job = job_make(id);
        job.created_ms += i / 2; /* pairs within one millisecond: the later accepted is newer */
        job.conversation = (char *)(i % 2 ? "c1" : "c2");
        job.kind = (char *)(i < 3 ? "image" : "video");
        if (i == 1) {
            job.files = &file;
            job.files_count = 1;
            job.state = JOB_DONE;
        }
        assert_int_equal(do_accept(&f->host, f->ledger, &job, 0, NULL), LEDGER_OK);
    }
    find(f, &(struct ledger_query){.limit = 4}, &a);
    assert_int_equal(a.jobs_count, 4);
    assert_string_equal(a.jobs[0]->id, "job_5");
    assert_string_equal(a.jobs[3]->id, "job_2");
    answer_done(&a);
    find(f, &(struct ledger_query){.conversation = "c1", .limit = 9}, &a);
    assert_int_equal(a.jobs_count, 3);
    assert_string_equal(a.jobs[2]->id, "job_1");
    answer_done(&a);
    find(f, &(struct ledger_query){.conversation = "c1", .only_open = 1, .limit = 9}, &a);
    assert_int_equal(a.jobs_count, 2);
    answer_done(&a);
    find(f, &(struct ledger_query){.conversation = "c1", .with_files = 1, .limit = 1}, &a);
    assert_int_equal(a.jobs_count, 1);
    assert_string_equal(a.jobs[0]->files[0].handle, "img_1");
    answer_done(&a);
    find(f, &(struct ledger_query){.conversation = "c2", .kind = "video", .limit = 9}, &a);
    assert_int_equal(a.jobs_count, 1);
    assert_string_equal(a.jobs[0]->id, "job_4");
    answer_done(&a);
    find(f, &(struct ledger_query){.id = "job_0", .conversation = "c1", .limit = 9}, &a);
    assert_int_equal(a.jobs_count, 0);
    answer_done(&a);
}

static void a_failing_op_fails_alone(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job one = job_make("job_1");
    struct ledger_job two = job_make("job_2");
    struct ledger_job bad = job_make("job_3");
    struct answer a[4] = {{0}};
    struct ledger_accept accept = {.job = &one, .take = 1};
    uint64_t commits;

    assert_int_equal(do_accept(&f->host, f->ledger, &two, 1, NULL), LEDGER_OK);
    commits = f->ledger->commits;
    assert_int_equal(ledger_accept(f->ledger, &accept, on_accept, &a[0]), 0);
    accept.job = &bad;
    bad.files = (struct ledger_file[]){{"img_1", 1, NULL, NULL, NULL, 0, 0, 0, 0}}; /* no path */
    bad.files_count = 1;
    assert_int_equal(ledger_accept(f->ledger, &accept, on_accept, &a[1]), 0);
    two.tries = 7;
    assert_int_equal(ledger_record(f->ledger, &two, 0, on_record, &a[2]), 0);
    assert_int_equal(ledger_find(f->ledger, &(struct ledger_query){.limit = 9}, on_find, &a[3]), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(a[i].called, 0); /* never before the call has returned */
    assert_true(ledger_is_busy(f->ledger));
    answer_wait(&f->host, &a[3]);
    assert_false(ledger_is_busy(f->ledger));
    assert_int_equal(a[0].result, LEDGER_OK);
    assert_int_equal(a[1].result, LEDGER_FAILED);
    assert_int_equal(a[1].err.kind, ERR_INTERNAL);
    assert_int_equal(a[2].result, LEDGER_OK);
    assert_int_equal(a[3].jobs_count, 2); /* job_3 is not there, its row neither */
    assert_true(a[0].order < a[1].order && a[1].order < a[2].order && a[2].order < a[3].order);
    assert_int_equal(f->ledger->commits - commits, 1);
    for (int i = 0; i < 4; i++)
        answer_done(&a[i]);
}

static void what_one_turn_gathers_is_one_commit(void **state)
{
    struct ledger_fixture *f = *state;
    struct answer *a = calloc(300, sizeof(*a));
    uint64_t commits = f->ledger->commits;
    char id[LIMIT_ID];

    assert_non_null(a);
    for (int i = 0; i < 300; i++) {
        struct ledger_job job;
        struct ledger_accept accept = {.job = &job, .take = 1};

        snprintf(id, sizeof(id), "job_%d", i);
        job = job_make(id);
        assert_int_equal(ledger_accept(f->ledger, &accept, on_accept, &a[i]), 0);
    }
    answer_wait(&f->host, &a[0]);
    assert_int_equal(f->ledger->commits - commits, 1);
    assert_int_equal(a[LIMIT_LEDGER_BATCH - 1].called, 1);
    assert_int_equal(a[LIMIT_LEDGER_BATCH].called, 0);
    answer_wait(&f->host, &a[299]);
    assert_int_equal(f->ledger->commits - commits,
                     (300 + LIMIT_LEDGER_BATCH - 1) / LIMIT_LEDGER_BATCH);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(a[i].result, LEDGER_OK);
        answer_done(&a[i]);
    }
    free(a);
}

static void close_stores_what_is_queued(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job job = job_make("job_1");
    struct ledger_accept accept = {.job = &job, .take = 1};
    struct answer a = {0};
    struct answer found = {0};

    /* In the queue, and once more with the batch handed to the loop but not run. */
    for (int turns = 0; turns < 2; turns++) {
        f->host.env.work = NULL;
        memcpy(job.id, turns ? "job_2" : "job_1", 6);
        assert_int_equal(ledger_accept(f->ledger, &accept, on_accept, &a), 0);
        if (turns)
            host_turn(&f->host);
        assert_int_equal(a.called, 0);
        ledger_close(f->ledger);
        while (host_turn(&f->host))
            ;
        assert_int_equal(a.called, 0);
        f->ledger = open_started(&f->host, f->folder);
        find(f, &(struct ledger_query){.id = job.id, .limit = 1}, &found);
        assert_int_equal(found.jobs_count, 1);
        answer_done(&found);
        assert_int_equal(do_claim(&f->host, f->ledger, job.id, NULL, NULL), LEDGER_OK);
    }
}

/* The host ends the work first, and then the instance. */
static void a_cancelled_batch_is_stored_by_close(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job job = job_make("job_1");
    struct ledger_accept accept = {.job = &job, .take = 1};
    struct answer a = {0};

    f->host.env.work = NULL;
    assert_int_equal(ledger_accept(f->ledger, &accept, on_accept, &a), 0);
    host_turn(&f->host);
    env_done(&f->host.env);
    assert_int_equal(a.called, 0);
    ledger_close(f->ledger);
    assert_int_equal(a.called, 0);
    f->ledger = open_started(&f->host, f->folder);
    assert_int_equal(do_claim(&f->host, f->ledger, "job_1", NULL, NULL), LEDGER_OK);
}

/* With large rows a look at every open job would read the whole file, every two seconds. */
static void looking_for_jobs_reads_no_rows(void **state)
{
    struct ledger_fixture *f = *state;
    enum stmt stmts[] = {STMT_SCAN, STMT_UNFINISHED};
    struct err err;

    assert_int_equal(store_prepare(f->ledger, &err), 0);
    for (size_t i = 0; i < 2; i++) {
        char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s",
                                    sqlite3_sql(f->ledger->stmts[stmts[i]]));
        sqlite3_stmt *plan;
        int steps = 0;

        assert_int_equal(sqlite3_prepare_v2(f->ledger->db, sql, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(plan, 3);

            if (strstr(step, " jobs ")) {
                assert_non_null(strstr(step, "USING COVERING INDEX jobs_open"));
                steps++;
            }
        }
        assert_true(steps > 0);
        sqlite3_finalize(plan);
        sqlite3_free(sql);
    }
}

static void operations_wait_for_the_start(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job job = job_make("job_1");
    struct ledger_accept accept = {.job = &job, .take = 1};
    struct answer a = {0};
    struct err err;

    ledger_close(f->ledger);
    assert_int_equal(ledger_open(&f->host.env, f->folder, &f->ledger, &err), 0);
    assert_int_equal(ledger_accept(f->ledger, &accept, on_accept, &a), 0);
    host_advance(&f->host, 1000);
    assert_int_equal(a.called, 0);
    assert_int_equal(ledger_start(f->ledger, &err), 0);
    answer_wait(&f->host, &a);
    assert_int_equal(a.result, LEDGER_OK);
    answer_done(&a);
}

static void works_without_workers(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job job = job_make("job_1");

    f->host.refuses_work = 1;
    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
    f->host.refuses_work = 0;
    f->host.cancels_work = 1;
    assert_int_equal(do_record(&f->host, f->ledger, &job, 0, NULL), LEDGER_OK);
    f->host.cancels_work = 0;
    f->host.env.work = NULL;
    job.tries = 2;
    assert_int_equal(do_record(&f->host, f->ledger, &job, 0, NULL), LEDGER_OK);
}

static void files_are_private(void **state)
{
    struct ledger_fixture *f = *state;
    const char *names[] = {"clawmedia.db", "clawmedia.db-wal", "owners"};
    struct stat status;

    for (size_t i = 0; i < 3; i++) {
        char *path = folder_file(f->folder, names[i]);

        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 077, 0);
        free(path);
    }
}

static void the_log_is_moved_when_there_is_time(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_job job = job_make("job_1");
    char *request = calloc(1, 100001);
    char *path = folder_file(f->folder, "clawmedia.db-wal");
    struct stat status;

    assert_non_null(request);
    job.request = memset(request, 'x', 100000);
    assert_int_equal(do_accept(&f->host, f->ledger, &job, 1, NULL), LEDGER_OK);
    for (int i = 0; i < 200; i++) {
        request[0] = (char)('a' + i % 26);
        job.tries++;
        job.flow = (char *)(i % 2 ? "{\"a\":1}" : "{}");
        assert_int_equal(do_record(&f->host, f->ledger, &job, 0, NULL), LEDGER_OK);
    }
    /* 20 MB went through it. */
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size < 6 * 1024 * 1024);
    free(path);
    free(request);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ledger_set_up, ledger_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_job_comes_back_as_it_was),
        T(the_same_key_is_the_same_job),
        T(a_job_is_repeated_once),
        T(history_is_of_what_succeeded),
        T(cancel_reaches_the_holder),
        T(listing_is_newest_first_and_filtered),
        T(a_failing_op_fails_alone),
        T(what_one_turn_gathers_is_one_commit),
        T(close_stores_what_is_queued),
        T(a_cancelled_batch_is_stored_by_close),
        T(looking_for_jobs_reads_no_rows),
        T(operations_wait_for_the_start),
        T(works_without_workers),
        T(files_are_private),
        T(the_log_is_moved_when_there_is_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
