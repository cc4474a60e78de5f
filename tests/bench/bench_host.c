/*
 * bench_host.c - the plugin as a host sees it: clawmedia.so, loaded with libltdl, on a libuv loop.
 *
 *   bench_host load PLUGIN CONFIG
 *       load, create and start, each timed once: a process of its own per sample
 *   bench_host first-byte PLUGIN CONFIG SAMPLES
 *       from the call to the first byte at the provider, one call after the other, warm; CONFIG is
 *       made here, because the provider is a thread of this process
 *   bench_host jobs PLUGIN CONFIG JOBS HOLD_S
 *       so many detached video jobs, then HOLD_S seconds of watching them work; the provider is the
 *       simulator that CONFIG names, whose jobs must not end
 *
 * PLUGIN and CONFIG are a path and the JSON text given to create; in first-byte CONFIG is a folder.
 * Prints one line of JSON. Times are in ns.
 */
#include <ahp_load.h>
#include <ahp_uv.h>

#include "raw_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#define WARM_CALLS 20
#define STOP_MS 5000
#define CALLS_AT_ONCE 256
#define JOBS_BOUND_NS (INT64_C(240) * 1000000000)

struct bench {
    uv_loop_t loop;
    struct ahp_uv *host;
    int ended; /* calls */
    int failed;
    int open;
    int is_closed;
    int is_time;
    char last[512];
    struct ahp_uv_end end;
};

static void on_log(void *ud, int32_t level, uint32_t item, const char *text, size_t len)
{
    (void)ud;
    (void)item;
    if (level >= AHP_LOG_WARN && getenv("BENCH_LOG"))
        fprintf(stderr, "%.*s\n", (int)len, text);
}

static int32_t on_log_on(void *ud, int32_t level)
{
    (void)ud;
    return level >= AHP_LOG_WARN;
}

static int32_t on_offer(void *ud, const ahp_delivery *delivery)
{
    struct bench *b = ud;
    ahp_receipt receipt = {.size = sizeof(receipt), .outcome = AHP_RECEIPT_DELIVERED};

    receipt.key = delivery->key;
    return ahp_uv_receipt(b->host, &receipt);
}

static void on_closed(void *ud, const struct ahp_uv_end *end)
{
    struct bench *b = ud;

    b->end = *end;
    b->is_closed = 1;
}

static void on_result(void *ud, uint64_t call_id, const ahp_result *result)
{
    struct bench *b = ud;

    (void)call_id;
    b->ended++;
    b->open--;
    if (result->status != AHP_RESULT_OK && result->status != AHP_RESULT_PENDING_JOB) {
        b->failed++;
        snprintf(b->last, sizeof(b->last), "%.*s", (int)result->json.len, result->json.ptr);
    }
}

static int open_host(struct bench *b)
{
    struct ahp_uv_owner owner = {.name = "bench-host",
                                 .version = "1",
                                 .flags = getenv("BENCH_NO_WORK") ? 0 : AHP_UV_WORK,
                                 .deliver_flags = AHP_DELIVER_READY | AHP_DELIVER_DROPS_REPEATS,
                                 .repeat_window_ms = AHP_REPEAT_WINDOW_MS_MIN,
                                 .ud = b,
                                 .log = on_log,
                                 .log_on = on_log_on,
                                 .offer = on_offer};

    memset(b, 0, sizeof(*b));
    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&b->loop) || ahp_uv_open(&b->loop, &owner, &b->host) != AHP_OK) {
        fputs("bench_host: no host\n", stderr);
        return -1;
    }
    return 0;
}

static int open_plugin(struct bench *b, const char *path, const char *config, int64_t ret_ns[3])
{
    const ahp_entry *entry;
    ahp_err err = {.size = sizeof(err)};
    ahp_text text = {config, strlen(config)};
    int64_t t[4];
    int32_t rc;

    t[0] = raw_now_ns();
    rc = ahp_load(path, &entry, &err);
    t[1] = raw_now_ns();
    if (rc == AHP_OK)
        rc = ahp_uv_create(b->host, entry, &text, &err);
    t[2] = raw_now_ns();
    if (rc == AHP_OK)
        rc = ahp_uv_start(b->host, &err);
    t[3] = raw_now_ns();
    for (int i = 0; i < 3; i++)
        ret_ns[i] = t[i + 1] - t[i];
    if (rc != AHP_OK)
        fprintf(stderr, "bench_host: %s\n", err.text);
    return rc == AHP_OK ? 0 : -1;
}

static void close_host(struct bench *b)
{
    if (ahp_uv_close(b->host, STOP_MS, on_closed, b) != AHP_OK)
        return;
    while (!b->is_closed)
        uv_run(&b->loop, UV_RUN_ONCE);
}

static int call(struct bench *b, const char *tool, const char *args, uint32_t flags)
{
    ahp_call c = {.size = sizeof(c), .flags = flags};
    uint64_t id;
    int32_t rc;

    c.tool = (ahp_text){tool, strlen(tool)};
    c.args = (ahp_text){args, strlen(args)};
    if (!(flags & AHP_CALL_NO_LATE_DELIVERY))
        c.reply_to = (ahp_text){"bench", 5};
    rc = ahp_uv_call(b->host, &c, &id, on_result, NULL, b);
    if (rc == AHP_OK)
        b->open++;
    return rc == AHP_OK ? 0 : -1;
}

static void wait_ended(struct bench *b, int count)
{
    while (b->ended < count)
        uv_run(&b->loop, UV_RUN_ONCE);
}

/* ---- load ---- */

static int bench_load(const char *path, const char *config)
{
    struct bench b;
    int64_t ns[3];

    if (open_host(&b) || open_plugin(&b, path, config, ns))
        return 1;
    printf("{\"load\":%" PRId64 ",\"create\":%" PRId64 ",\"start\":%" PRId64 "}\n", ns[0], ns[1],
           ns[2]);
    close_host(&b);
    return 0;
}

/* ---- first byte ---- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int write_config(const char *dir, int port, char *ret_config, size_t size)
{
    char path[1024];
    FILE *f;

    snprintf(path, sizeof(path), "%s/openclaw.json", dir);
    f = fopen(path, "we");
    if (!f)
        return -1;
    fchmod(fileno(f), 0600);
    fprintf(f,
            "{models:{providers:{bench:{baseUrl:\"http://127.0.0.1:%d/v1\",apiKey:\"key\"}}}}",
            port);
    fclose(f);
    snprintf(ret_config, size,
             "{\"config_file\":\"%s\",\"state_dir\":\"%s/state\",\"workspace\":\"%s/files\"}",
             path, dir, dir);
    return 0;
}

static int bench_first_byte(const char *path, const char *dir, int samples)
{
    int64_t *taken = calloc((size_t)samples, sizeof(*taken));
    int port = raw_server_start();
    char config[4096];
    char args[256];
    int64_t whole = 0;
    int64_t ns[3];
    struct bench b;

    if (!taken || port < 0 || write_config(dir, port, config, sizeof(config)) || open_host(&b) ||
        open_plugin(&b, path, config, ns))
        return 1;
    for (int i = -WARM_CALLS; i < samples; i++) {
        int64_t from;

        snprintf(args, sizeof(args), "{\"prompt\":\"bench %d\",\"model\":\"bench-image\"}", i);
        from = raw_now_ns();
        if (call(&b, "generate_image", args, AHP_CALL_NO_LATE_DELIVERY))
            return 1;
        wait_ended(&b, i + WARM_CALLS + 1);
        if (i >= 0) {
            taken[i] = raw_server_first_byte_ns() - from;
            whole += raw_now_ns() - from;
        }
    }
    if (b.failed)
        fprintf(stderr, "bench_host: %d of the calls failed: %s\n", b.failed, b.last);
    qsort(taken, (size_t)samples, sizeof(*taken), compare);
    printf("{\"median\":%" PRId64 ",\"p99\":%" PRId64 ",\"whole\":%" PRId64 ",\"peak_kib\":%ld}\n",
           taken[samples / 2], taken[samples * 99 / 100], whole / samples, raw_peak_kib());
    close_host(&b);
    free(taken);
    return b.failed != 0;
}

/* ---- many jobs ---- */

static long rss_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void on_time(uv_timer_t *timer)
{
    ((struct bench *)timer->data)->is_time = 1;
}

static void turn_for(struct bench *b, uv_timer_t *timer, uint64_t ms)
{
    b->is_time = 0;
    uv_update_time(&b->loop);
    uv_timer_start(timer, on_time, ms, 0);
    while (!b->is_time)
        uv_run(&b->loop, UV_RUN_ONCE);
}

static int bench_jobs(const char *path, const char *config, int jobs, int hold_s)
{
    struct ahp_uv_stats held;
    struct rusage before_hold;
    struct rusage after_hold;
    uv_timer_t timer;
    char args[256];
    int64_t from;
    int64_t ns[3];
    long rss_idle;
    long rss_full;
    double accept_s;
    struct bench b;

    if (open_host(&b) || open_plugin(&b, path, config, ns))
        return 1;
    uv_timer_init(&b.loop, &timer);
    timer.data = &b;
    /* One job first: libraries, thread pool and caches are not what jobs add. */
    if (call(&b, "generate_video", "{\"prompt\":\"warm\",\"model\":\"bench-video\"}",
             AHP_CALL_DETACH))
        return 1;
    turn_for(&b, &timer, 1000);
    rss_idle = rss_kib();
    from = raw_now_ns();
    for (int i = 1; i < jobs;) {
        while (i < jobs && b.open < CALLS_AT_ONCE) {
            snprintf(args, sizeof(args), "{\"prompt\":\"job %d\",\"model\":\"bench-video\"}", i);
            if (call(&b, "generate_video", args, AHP_CALL_DETACH))
                return 1;
            i++;
        }
        uv_run(&b.loop, UV_RUN_ONCE);
        if (raw_now_ns() - from > JOBS_BOUND_NS)
            return 1;
    }
    wait_ended(&b, jobs);
    accept_s = (double)(raw_now_ns() - from) / 1e9;
    /* The parent asks the simulator when all are submitted, and makes the file "submitted" then. */
    printf("{\"accepted\":%d,\"failed\":%d,\"seconds\":%.3f}\n", b.ended, b.failed, accept_s);
    fflush(stdout);
    if (b.failed)
        fprintf(stderr, "bench_host: %s\n", b.last);
    while (access("submitted", F_OK) != 0) {
        if (raw_now_ns() - from > JOBS_BOUND_NS)
            return 1;
        turn_for(&b, &timer, 100);
    }
    getrusage(RUSAGE_SELF, &before_hold);
    turn_for(&b, &timer, (uint64_t)hold_s * 1000);
    getrusage(RUSAGE_SELF, &after_hold);
    rss_full = rss_kib();
    ahp_uv_stats_get(b.host, &held);
    printf("{\"rss_idle_kib\":%ld,\"rss_full_kib\":%ld,\"peak_kib\":%ld,\"callbacks\":%" PRIu64
           ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64
           ",\"max_kind\":\"%s\",\"slow\":%" PRIu64 ",\"hold_cpu_s\":%.3f}\n",
           rss_idle, rss_full, raw_peak_kib(), held.callbacks, held.ns_p50, held.ns_p99,
           held.ns_p999, held.ns_max, ahp_uv_kind_name(held.kind_max), held.callbacks_slow,
           (double)(after_hold.ru_utime.tv_sec - before_hold.ru_utime.tv_sec) +
               (double)(after_hold.ru_utime.tv_usec - before_hold.ru_utime.tv_usec) / 1e6 +
               (double)(after_hold.ru_stime.tv_sec - before_hold.ru_stime.tv_sec) +
               (double)(after_hold.ru_stime.tv_usec - before_hold.ru_stime.tv_usec) / 1e6);
    fflush(stdout);
    close_host(&b);
    return b.failed != 0;
}

static int number(const char *text)
{
    long n = strtol(text, NULL, 10);

    return n > 0 && n < 1000000 ? (int)n : 1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "load") == 0)
        return bench_load(argv[2], argv[3]);
    if (argc == 5 && strcmp(argv[1], "first-byte") == 0)
        return bench_first_byte(argv[2], argv[3], number(argv[4]));
    if (argc == 6 && strcmp(argv[1], "jobs") == 0)
        return bench_jobs(argv[2], argv[3], number(argv[4]), number(argv[5]));
    fputs("use: see the head of bench_host.c\n", stderr);
    return 2;
}
