/* test_engine_schedule.c - which state may follow which, when jobs are looked at, and how often. */
#include "engine_rig.h"

#include "engine/engine_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The table of engine.h and DESIGN.md, written down a second time. */
static void every_pair_of_states(void **state)
{
    static const char *const follows[JOB_STATES] = {
        [JOB_PLANNED] = "uploading submitting working failed cancelled expired",
        [JOB_UPLOADING] = "submitting working failed cancelled expired",
        [JOB_SUBMITTING] = "working fetching failed cancelled unknown expired",
        [JOB_WORKING] = "fetching submitting failed cancelled unknown expired",
        [JOB_FETCHING] = "ready failed expired",
        [JOB_READY] = "delivering done undeliverable",
        [JOB_DELIVERING] = "delivered undeliverable",
        [JOB_DELIVERED] = "delivering",
        [JOB_DONE] = "",
        [JOB_FAILED] = "",
        [JOB_CANCELLED] = "",
        [JOB_EXPIRED] = "working",
        [JOB_UNKNOWN] = "working",
        [JOB_UNDELIVERABLE] = "delivering",
    };

    (void)state;
    for (int from = 0; from < JOB_STATES; from++) {
        for (int to = 0; to < JOB_STATES; to++) {
            char words[200];
            char word[40];
            int may;

            snprintf(words, sizeof(words), " %s ", follows[from]);
            snprintf(word, sizeof(word), " %s ", job_state_name((enum job_state)to));
            may = from == to || strstr(words, word) != NULL;
            if (job_state_allowed((enum job_state)from, (enum job_state)to) != may)
                fail_msg("%s -> %s", job_state_name((enum job_state)from),
                         job_state_name((enum job_state)to));
        }
    }
}

static void backoff_grows_to_its_bound(void **state)
{
    (void)state;
    for (unsigned tries = 0; tries < 40; tries++) {
        int64_t want = tries < 6 ? (int64_t)1000 << tries : 60000;
        int64_t ms = schedule_backoff_ms(tries);

        if (want > 60000)
            want = 60000;
        assert_true(ms >= want - want / 10 && ms <= want + want / 10);
    }
}

static void polls_keep_floor_and_ceiling(void **state)
{
    struct provider_times times = {
        .shortest_ms = 30000, .typical_ms = 90000, .floor_ms = 5000, .ceiling_ms = 20000};
    int64_t before = 0;

    (void)state;
    /* The first near the shortest, whatever the ceiling says about two questions. */
    for (int i = 0; i < 50; i++) {
        int64_t first = schedule_poll_ms(&times, 0, 1);

        assert_true(first >= 27000 && first <= 33000);
    }
    for (int64_t elapsed = 0; elapsed < 1800000; elapsed += 500) {
        int64_t wait = schedule_poll_ms(&times, elapsed, 0);

        assert_true(wait >= times.floor_ms && wait <= times.ceiling_ms);
    }
    /* The moment of the next question never goes back as time passes, but for the jitter. */
    for (int64_t elapsed = 0; elapsed < 600000; elapsed += 1000) {
        int64_t next = elapsed + schedule_poll_ms(&times, elapsed, 0);

        assert_true(next > elapsed);
        assert_true(next >= before - 5000);
        before = next;
    }
    /* Nothing is known: still no division by it, and no storm. */
    memset(&times, 0, sizeof(times));
    assert_true(schedule_poll_ms(&times, 0, 1) >= 0);
    assert_true(schedule_poll_ms(&times, 10000000, 0) <= 60000);
}

static double uniform(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return (double)(*seed >> 8) / (double)(1u << 24);
}

struct figures {
    double polls;
    double delay_ms;
};

/* Jobs that last duration ms: questions asked, and how late the end was noticed. */
static struct figures asked(int64_t duration_ms, const struct provider_times *times)
{
    struct figures figures = {0};
    int64_t now = 0;
    int first = 1;

    do {
        now += schedule_poll_ms(times, now, first);
        first = 0;
        figures.polls++;
    } while (now < duration_ms);
    figures.delay_ms = (double)(now - duration_ms);
    return figures;
}

/*
 * With the history that the ledger keeps (the shortest and the median of the last twenty), against
 * a question each five seconds: fewer questions, and no later on average.
 */
static void adaptive_beats_a_fixed_interval(void **state)
{
    static const int64_t medians_ms[] = {3000,  5000,   10000,  20000,  45000,
                                         90000, 180000, 300000, 600000};
    struct figures all = {0};
    struct figures all_fixed = {0};
    unsigned seed = 42;

    (void)state;
    for (size_t m = 0; m < sizeof(medians_ms) / sizeof(*medians_ms); m++) {
        int64_t median = medians_ms[m];
        struct provider_times times = {.shortest_ms = median * 8 / 10,
                                       .typical_ms = median,
                                       .floor_ms = 2000,
                                       .ceiling_ms = 20000};
        struct figures mine = {0};
        struct figures fixed = {0};
        const int runs = 2000;

        for (int i = 0; i < runs; i++) {
            int64_t duration =
                (int64_t)((double)median * (0.8 + 0.2 * uniform(&seed) + 0.3 * uniform(&seed) *
                                                                             uniform(&seed)));
            struct figures one = asked(duration, &times);
            int64_t polls = (duration + 4999) / 5000;

            mine.polls += one.polls / runs;
            mine.delay_ms += one.delay_ms / runs;
            fixed.polls += (double)polls / runs;
            fixed.delay_ms += (double)(polls * 5000 - duration) / runs;
        }
        print_message(
            "[ FIGURES  ] %3lld s: %.1f polls, %.1f s late; each 5 s: %.1f polls, %.1f s\n",
            (long long)median / 1000, mine.polls, mine.delay_ms / 1000, fixed.polls,
            fixed.delay_ms / 1000);
        all.polls += mine.polls;
        all.delay_ms += mine.delay_ms;
        all_fixed.polls += fixed.polls;
        all_fixed.delay_ms += fixed.delay_ms;
        assert_true(mine.delay_ms < fixed.delay_ms);
        assert_true(mine.polls <= fixed.polls + (median < 20000 ? 1.5 : 0));
    }
    assert_true(all.polls < all_fixed.polls / 2);
    assert_true(all.delay_ms < all_fixed.delay_ms);
}

/* Without any history a question is never later than a small part of what was waited for. */
static void delay_stays_a_part_of_the_duration(void **state)
{
    struct provider_times times = {.typical_ms = 30000, .floor_ms = 2000, .ceiling_ms = 15000};

    (void)state;
    for (int64_t duration = 30000; duration <= 600000; duration += 777) {
        struct figures one = asked(duration, &times);

        assert_true(one.delay_ms <= (double)duration / 5 + 2500);
        assert_true(one.polls <= 16 + (double)duration / 6000);
    }
}

/* ---- the heap, on a timer that only remembers ---- */

static int64_t armed_ms;
static int64_t the_time_ms;
static unsigned ran;
static int64_t last_due_ms;

static int32_t timer_at(ahp_timer *timer, int64_t deadline_ms)
{
    (void)timer;
    armed_ms = deadline_ms;
    return 0;
}

static void timer_off(ahp_timer *timer)
{
    (void)timer;
    armed_ms = -1;
}

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return the_time_ms;
}

#define CROWD 500

static void the_heap_gives_the_earliest(void **state)
{
    ahp_loop loop = {.size = sizeof(loop), .now_ms = now_ms, .timer_at = timer_at,
                     .timer_off = timer_off};
    ahp_host host = {.size = sizeof(host)};
    struct env env = {.host = &host, .loop = &loop};
    struct engine engine = {.env = &env};
    struct job *jobs = calloc(CROWD, sizeof(*jobs));
    unsigned seed = 7;

    (void)state;
    assert_non_null(jobs);
    armed_ms = -1;
    assert_int_equal(schedule_room(&engine, CROWD), 0);
    for (size_t i = 0; i < CROWD; i++) {
        jobs[i].engine = &engine;
        jobs[i].heap_index = SIZE_MAX;
    }
    for (int step = 0; step < 20000; step++) {
        struct job *job = &jobs[(size_t)(uniform(&seed) * CROWD) % CROWD];
        int64_t least = INT64_MAX;

        if (uniform(&seed) < 0.3)
            schedule_off(job);
        else
            schedule_at(job, (int64_t)(uniform(&seed) * 1000));
        if (step % 50)
            continue;
        for (size_t i = 0; i < CROWD; i++) {
            if (jobs[i].heap_index == SIZE_MAX)
                continue;
            assert_ptr_equal(engine.heap[jobs[i].heap_index], &jobs[i]);
            if (jobs[i].due_ms < least)
                least = jobs[i].due_ms;
        }
        assert_int_equal(armed_ms, least == INT64_MAX ? -1 : least);
    }
    /* Drawn one by one they come in order. */
    last_due_ms = -1;
    while (engine.heap_count) {
        struct job *job = engine.heap[0];

        assert_true(job->due_ms >= last_due_ms);
        last_due_ms = job->due_ms;
        schedule_off(job);
        ran++;
    }
    assert_int_equal(armed_ms, -1);
    assert_true(ran > 100);
    schedule_done(&engine);
    free(jobs);
}

/* Many jobs of one account that all become due together: their requests keep a distance. */
static void many_jobs_of_one_account_keep_a_distance(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    const unsigned jobs = 60;
    int64_t from;

    (void)state;
    assert_non_null(rig);
    rig_open(rig);
    side_open(&rig->a, "s");
    rig->a.fake->receipt = AHP_RECEIPT_DELIVERED;
    rig->video_ms = INT64_MAX / 2;
    for (unsigned i = 0; i < jobs; i++) {
        char args[64];

        snprintf(args, sizeof(args), "{\"prompt\":\"boat %u\"}", i);
        json_decref(side_ask(&rig->a, "generate_video", args, "to", "c"));
    }
    rig_until_spends(rig, jobs);
    side_end(&rig->a);
    /* The next process finds them all due by its clock. */
    side_create(&rig->a, "s");
    rig->a.fake->wall_ms += 600000;
    rig->polls = 0;
    side_start(&rig->a);
    from = rig->a.fake->now_ms;
    while (rig->polls < jobs)
        rig_pass(rig, 1);
    /* 20 a second. */
    assert_true(rig->a.fake->now_ms - from >= (int64_t)(jobs - 1) * 50);
    assert_true(rig->a.fake->now_ms - from < 20000);
    assert_int_equal(rig->spends, jobs);
    side_end(&rig->a);
    rig_close(rig);
    free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_states),
        cmocka_unit_test(backoff_grows_to_its_bound),
        cmocka_unit_test(polls_keep_floor_and_ceiling),
        cmocka_unit_test(adaptive_beats_a_fixed_interval),
        cmocka_unit_test(delay_stays_a_part_of_the_duration),
        cmocka_unit_test(the_heap_gives_the_earliest),
        cmocka_unit_test(many_jobs_of_one_account_keep_a_distance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
