/*
 * stats.c - how long the plugin holds the loop. Every entry into the plugin lies between
 * ahp_uv_enter and ahp_uv_leave, which also keep the "plugin is running" mark that R1 is checked
 * with. Durations go into a histogram with 32 steps an octave: constant memory, percentiles to 3 %.
 * All of them count there; in the log is named only what the plugin itself held: a processor, or
 * the loop while it waited for something. What the system gave to other programs meanwhile is not
 * its doing.
 */
#include <assert.h>
#include <sys/resource.h>

#include "internal.h"

static const char *const kind_names[AHP_UV_KIND_COUNT] = {
    "create", "start", "tools", "call",       "cancel", "receipt", "watch",
    "timer",  "defer", "work",  "answer",     "unfinished", "stop", "destroy",
};

const char *ahp_uv_kind_name(enum ahp_uv_kind kind)
{
    return (unsigned)kind < AHP_UV_KIND_COUNT ? kind_names[kind] : "?";
}

/* Values below HIST_STEPS have a bucket each; above, the leading bits after the top one count. */
static unsigned bucket_of(uint64_t ns)
{
    unsigned octave = 0;
    unsigned bucket;

    while (ns >= 2 * (uint64_t)HIST_STEPS) {
        ns >>= 1;
        octave++;
    }
    bucket = octave * HIST_STEPS + (unsigned)ns;
    return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(unsigned bucket)
{
    unsigned octave = bucket < 2 * HIST_STEPS ? 0 : bucket / HIST_STEPS - 1;

    return (((uint64_t)bucket - octave * HIST_STEPS + 1) << octave) - 1;
}

/* Of this thread; where the system does not tell it, every long callback is named. */
static void usage_now(struct usage *ret_usage)
{
#ifdef RUSAGE_THREAD
    struct rusage now;

    if (getrusage(RUSAGE_THREAD, &now) == 0) {
        ret_usage->cpu_us = ((int64_t)now.ru_utime.tv_sec + now.ru_stime.tv_sec) * 1000000 +
                            now.ru_utime.tv_usec + now.ru_stime.tv_usec;
        ret_usage->waits = now.ru_nvcsw;
        return;
    }
#endif
    ret_usage->cpu_us = 0;
    ret_usage->waits = -1;
}

static int is_own_doing(const struct ahp_uv *h)
{
    struct usage now;

    usage_now(&now);
    return now.waits < 0 || now.waits != h->entered.waits ||
           now.cpu_us - h->entered.cpu_us > AHP_UV_CALLBACK_BUDGET_MS * 1000;
}

uint64_t ahp_uv_enter(struct ahp_uv *h)
{
    assert(h->depth == 0);
    h->depth = 1;
    usage_now(&h->entered);
    return uv_hrtime();
}

static void count(struct ahp_uv *h, enum ahp_uv_kind kind, uint64_t ns)
{
    struct ahp_uv_stats *s = &h->end.stats;

    switch (kind) {
    case AHP_UV_KIND_CREATE:
        s->ns_create += ns;
        return;
    case AHP_UV_KIND_START:
        s->ns_start = ns;
        return;
    case AHP_UV_KIND_DESTROY:
        s->ns_destroy = ns;
        return;
    default:
        break;
    }
    s->callbacks++;
    s->ns_total += ns;
    h->hist[bucket_of(ns)]++;
    if (ns > s->ns_max) {
        s->ns_max = ns;
        s->kind_max = kind;
    }
    if (ns > AHP_UV_CALLBACK_BUDGET_MS * UINT64_C(1000000)) {
        s->callbacks_slow++;
        if (!is_own_doing(h))
            return;
        ahp_uv_log(h, AHP_LOG_WARN, AHP_UV_ITEM_SLOW,
                   "a %s callback held the loop for %llu ms (budget: %d ms)",
                   ahp_uv_kind_name(kind), (unsigned long long)(ns / 1000000),
                   AHP_UV_CALLBACK_BUDGET_MS);
    }
}

void ahp_uv_leave(struct ahp_uv *h, enum ahp_uv_kind kind, uint64_t entered_ns)
{
    assert(h->depth == 1);
    h->depth = 0;
    count(h, kind, uv_hrtime() - entered_ns);
}

static uint64_t percentile(const struct ahp_uv *h, uint64_t per_1000)
{
    uint64_t rank = (h->end.stats.callbacks * per_1000 + 999) / 1000;
    uint64_t seen = 0;
    unsigned i;

    if (rank == 0)
        return 0;
    for (i = 0; i < HIST_BUCKETS; i++) {
        seen += h->hist[i];
        if (seen >= rank)
            break;
    }
    /* the top of a bucket may lie above what was really seen */
    if (i >= HIST_BUCKETS - 1 || bucket_top(i) > h->end.stats.ns_max)
        return h->end.stats.ns_max;
    return bucket_top(i);
}

void ahp_uv_stats_get(const struct ahp_uv *h, struct ahp_uv_stats *ret_stats)
{
    *ret_stats = h->end.stats;
    ret_stats->ns_p50 = percentile(h, 500);
    ret_stats->ns_p99 = percentile(h, 990);
    ret_stats->ns_p999 = percentile(h, 999);
}
