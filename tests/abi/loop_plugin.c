/*
 * loop_plugin.c - a plugin that examines its host's loop. Its one tool, "examine_loop", takes the
 * host's ahp.loop/1 through what hosts get wrong: callbacks that free themselves, a sibling and the
 * next in the batch, an fd number used again inside one batch, timers and deferred calls that must
 * not run inline. The answer is {"ok":true}, or an error that names the first thing that was wrong.
 * Any host can be examined so: load it and call the tool.
 *
 * The steps run one after the other, each from a timer; `step_fn` of the step at hand says after a
 * while whether what should have happened has, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ahp/calls.h>
#include <ahp/loop.h>

#define STEP_MS 30
#define TRIO 3u

/* What a callback gets: which of the three it belongs to. */
struct tag {
    struct probe *probe;
    uint32_t which;
};

struct probe {
    ahp_inst inst;
    const ahp_host *host;
    const ahp_loop *loop;
    const ahp_calls *calls;
    uint64_t call_id;
    ahp_timer *step_timer;
    size_t step;
    int inside; /* a host function is on the stack */
    char fault[160];

    ahp_watch *watches[TRIO];
    ahp_timer *timers[TRIO];
    ahp_deferred *deferred[TRIO];
    int fds[TRIO][2];
    uint32_t ran[TRIO];
    uint32_t ran_total;
    int64_t due_ms;
    int64_t ran_ms;
    uint32_t seen;
    struct tag tags[TRIO];
};

static void fault(struct probe *probe, const char *what)
{
    if (probe->fault[0] == '\0')
        (void)snprintf(probe->fault, sizeof(probe->fault), "step %zu: %s", probe->step, what);
}

static void demand(struct probe *probe, int good, const char *what)
{
    if (!good)
        fault(probe, what);
}

static void note(struct tag *tag, const char *kind)
{
    if (tag->probe->inside)
        fault(tag->probe, kind);
    tag->probe->ran[tag->which]++;
    tag->probe->ran_total++;
    tag->probe->ran_ms = tag->probe->loop->now_ms(tag->probe->host->ctx);
}

static void begin(struct probe *probe)
{
    memset(probe->ran, 0, sizeof(probe->ran));
    probe->ran_total = 0;
    probe->seen = 0;
    probe->due_ms = probe->loop->now_ms(probe->host->ctx);
}

/* --- deferred calls --------------------------------------------------------------------------- */

static void on_deferred(void *ud)
{
    struct tag *tag = ud;
    struct probe *probe = tag->probe;

    note(tag, "defer ran its callback inline");
    probe->deferred[tag->which] = NULL;
    if (tag->which == 0) { /* the next one in line goes */
        probe->loop->defer_free(probe->deferred[1]);
        probe->deferred[1] = NULL;
    }
}

static void deferred_begin(struct probe *probe)
{
    for (uint32_t i = 0; i < TRIO; i++) {
        probe->inside = 1;
        demand(probe,
               probe->loop->defer(probe->host->ctx, &probe->deferred[i], on_deferred,
                                  &probe->tags[i]) == AHP_OK,
               "defer failed");
        probe->inside = 0;
    }
}

static void deferred_end(struct probe *probe)
{
    demand(probe, probe->ran[0] == 1 && probe->ran[2] == 1, "a deferred call did not run once");
    demand(probe, probe->ran[1] == 0, "a deferred call ran although it was cancelled");
}

/* --- timers ----------------------------------------------------------------------------------- */

static void timer_make(struct probe *probe, uint32_t which, ahp_timer_fn *cb, int64_t after_ms)
{
    probe->inside = 1;
    demand(probe,
           probe->loop->timer_new(probe->host->ctx, &probe->timers[which], cb,
                                  &probe->tags[which]) == AHP_OK &&
               probe->loop->timer_at(probe->timers[which], probe->due_ms + after_ms) == AHP_OK,
           "timer_new or timer_at failed");
    probe->inside = 0;
}

static void timers_gone(struct probe *probe)
{
    for (uint32_t i = 0; i < TRIO; i++) {
        probe->loop->timer_free(probe->timers[i]);
        probe->timers[i] = NULL;
    }
}

/* Whichever of the three comes first frees all, itself included. */
static void on_timer_frees_all(void *ud)
{
    struct tag *tag = ud;

    note(tag, "timer_at ran the callback inline");
    timers_gone(tag->probe);
}

static void timers_free_begin(struct probe *probe)
{
    for (uint32_t i = 0; i < TRIO; i++)
        timer_make(probe, i, on_timer_frees_all, -1000);
}

static void one_end(struct probe *probe)
{
    demand(probe, probe->ran_total != 0, "no callback came");
    demand(probe, probe->ran_total == 1, "a callback came after its handle was freed");
}

static void on_timer_again(void *ud)
{
    struct tag *tag = ud;
    struct probe *probe = tag->probe;

    note(tag, "timer_at ran the callback inline");
    demand(probe, probe->ran_ms >= probe->due_ms, "a timer was early");
    if (tag->which != 0)
        return;
    probe->loop->timer_off(probe->timers[1]); /* due in the same batch */
    if (probe->ran[0] < 3) {
        probe->inside = 1; /* the time has passed, but not under this stack */
        (void)probe->loop->timer_at(probe->timers[0], probe->due_ms);
        probe->inside = 0;
    }
}

static void timers_again_begin(struct probe *probe)
{
    probe->due_ms += 5;
    timer_make(probe, 0, on_timer_again, 0);
    timer_make(probe, 1, on_timer_again, 1000);
    demand(probe, probe->loop->timer_at(probe->timers[1], probe->due_ms) == AHP_OK, "re-arming");
}

/* Timer 1 may be first in the batch; off after that is too late, and fine. */
static void timers_again_end(struct probe *probe)
{
    demand(probe, probe->ran[0] == 3, "a timer re-armed in its callback did not come");
    demand(probe, probe->ran[1] <= 1, "a one-shot timer came twice");
    timers_gone(probe);
}

static void on_timer_never(void *ud)
{
    note(ud, "timer_at ran the callback inline");
}

static void timers_off_begin(struct probe *probe)
{
    timer_make(probe, 0, on_timer_never, 5);
    timer_make(probe, 1, on_timer_never, -5);
    probe->loop->timer_off(probe->timers[0]);
    probe->loop->timer_off(probe->timers[1]);
}

static void timers_off_end(struct probe *probe)
{
    demand(probe, probe->ran_total == 0, "a timer came that was off");
    timers_gone(probe);
}

/* --- watches ---------------------------------------------------------------------------------- */

static void watch_make(struct probe *probe, uint32_t which, ahp_watch_fn *cb, uint32_t events)
{
    probe->inside = 1;
    demand(probe,
           probe->loop->watch_new(probe->host->ctx, probe->fds[which][0], events,
                                  &probe->watches[which], cb, &probe->tags[which]) == AHP_OK,
           "watch_new failed");
    probe->inside = 0;
}

static void pipe_make(struct probe *probe, uint32_t which, int with_byte)
{
    demand(probe, pipe2(probe->fds[which], O_CLOEXEC | O_NONBLOCK) == 0, "pipe2 failed");
    if (with_byte)
        demand(probe, write(probe->fds[which][1], "x", 1) == 1, "write failed");
}

static void watch_gone(struct probe *probe, uint32_t which)
{
    probe->loop->watch_free(probe->watches[which]);
    probe->watches[which] = NULL;
    for (int end = 0; end < 2; end++) {
        if (probe->fds[which][end] >= 0)
            (void)close(probe->fds[which][end]);
        probe->fds[which][end] = -1;
    }
}

static void watches_gone(struct probe *probe)
{
    for (uint32_t i = 0; i < TRIO; i++)
        watch_gone(probe, i);
}

static void on_watch_frees_all(void *ud, uint32_t events)
{
    struct tag *tag = ud;

    (void)events;
    note(tag, "watch_new ran the callback inline");
    watches_gone(tag->probe);
}

static void watches_free_begin(struct probe *probe)
{
    for (uint32_t i = 0; i < TRIO; i++) {
        pipe_make(probe, i, 1);
        watch_make(probe, i, on_watch_frees_all, AHP_IO_IN);
    }
}

/* The new owner of an old number: called for its own byte at the latest. */
static void on_watch_reads(void *ud, uint32_t events)
{
    struct tag *tag = ud;
    struct probe *probe = tag->probe;
    char byte;

    note(tag, "watch_new ran the callback inline");
    probe->seen |= events;
    if (read(probe->fds[tag->which][0], &byte, 1) == 1)
        demand(probe, byte == 'y', "a watch saw bytes of another pipe");
    else
        probe->ran[tag->which]--; /* nothing was ready: allowed, and does not count */
}

/* Frees the two others and gives the number of one of them to a new pipe, all in one batch. */
static void on_watch_reuses(void *ud, uint32_t events)
{
    struct tag *tag = ud;
    struct probe *probe = tag->probe;
    uint32_t other = (tag->which + 1) % TRIO;
    int number = probe->fds[other][0];

    (void)events;
    note(tag, "watch_new ran the callback inline");
    demand(probe, probe->ran_total == 1, "a watch ran that this batch had freed");
    watches_gone(probe);
    pipe_make(probe, other, 0);
    if (probe->fds[other][0] != number) {
        demand(probe, dup3(probe->fds[other][0], number, O_CLOEXEC) == number, "dup3 failed");
        (void)close(probe->fds[other][0]);
        probe->fds[other][0] = number;
    }
    memset(probe->ran, 0, sizeof(probe->ran));
    watch_make(probe, other, on_watch_reads, AHP_IO_IN);
    demand(probe, write(probe->fds[other][1], "y", 1) == 1, "write failed");
}

static void reuse_begin(struct probe *probe)
{
    for (uint32_t i = 0; i < TRIO; i++) {
        pipe_make(probe, i, 1);
        watch_make(probe, i, on_watch_reuses, AHP_IO_IN);
    }
}

static void reuse_end(struct probe *probe)
{
    demand(probe, probe->ran[0] + probe->ran[1] + probe->ran[2] == 1,
           "a watch on a number used again was not called for its byte");
    watches_gone(probe);
}

static void paused_begin(struct probe *probe)
{
    ahp_watch *second = NULL;

    pipe_make(probe, 0, 0);
    watch_make(probe, 0, on_watch_reads, AHP_IO_IN);
    demand(probe,
           probe->loop->watch_new(probe->host->ctx, probe->fds[0][0], AHP_IO_IN, &second,
                                  on_watch_reads, &probe->tags[1]) == AHP_E_EXISTS,
           "a second watch of one fd was not AHP_E_EXISTS");
    demand(probe, second == NULL, "watch_new failed, but wrote its output");
    demand(probe, probe->loop->watch_mod(probe->watches[0], 0) == AHP_OK, "watch_mod failed");
    demand(probe, write(probe->fds[0][1], "y", 1) == 1, "write failed");
}

static void paused_end(struct probe *probe)
{
    demand(probe, probe->ran[0] == 0, "a paused watch read");
    demand(probe, probe->loop->watch_mod(probe->watches[0], AHP_IO_IN) == AHP_OK,
           "watch_mod failed");
}

static void resumed_end(struct probe *probe)
{
    demand(probe, probe->ran[0] == 1 && (probe->seen & AHP_IO_IN) != 0,
           "a resumed watch was not called");
    watches_gone(probe);
}

static void on_watch_hangup(void *ud, uint32_t events)
{
    struct tag *tag = ud;

    note(tag, "watch_new ran the callback inline");
    tag->probe->seen |= events;
    watch_gone(tag->probe, tag->which);
}

static void hangup_begin(struct probe *probe)
{
    pipe_make(probe, 0, 0);
    watch_make(probe, 0, on_watch_hangup, AHP_IO_IN);
    (void)close(probe->fds[0][1]);
    probe->fds[0][1] = -1;
}

static void hangup_end(struct probe *probe)
{
    demand(probe, probe->ran[0] == 1 && (probe->seen & (AHP_IO_IN | AHP_IO_ERR)) != 0,
           "the end of a pipe was not reported");
    watches_gone(probe);
}

/* The other order: the fd is closed before its watch is freed. */
static void closed_begin(struct probe *probe)
{
    pipe_make(probe, 0, 0);
    watch_make(probe, 0, on_watch_hangup, AHP_IO_IN);
    (void)close(probe->fds[0][0]);
    probe->fds[0][0] = -1;
    watch_gone(probe, 0);
    pipe_make(probe, 0, 0);
    watch_make(probe, 0, on_watch_reads, AHP_IO_IN);
    demand(probe, write(probe->fds[0][1], "y", 1) == 1, "write failed");
}

/* --- steps ------------------------------------------------------------------------------------ */

typedef void step_fn(struct probe *probe);

static void nothing(struct probe *probe)
{
    (void)probe;
}

static const struct {
    step_fn *begin;
    step_fn *end;
} steps[] = {
    {deferred_begin, deferred_end},         /* 0 */
    {timers_free_begin, one_end},           /* 1 */
    {timers_again_begin, timers_again_end}, /* 2 */
    {timers_off_begin, timers_off_end},     /* 3 */
    {watches_free_begin, one_end},          /* 4 */
    {reuse_begin, reuse_end},               /* 5 */
    {paused_begin, paused_end},             /* 6 */
    {nothing, resumed_end},                 /* 7 */
    {hangup_begin, hangup_end},             /* 8 */
    {closed_begin, resumed_end},            /* 9 */
};

static void everything_gone(struct probe *probe)
{
    timers_gone(probe);
    watches_gone(probe);
    for (uint32_t i = 0; i < TRIO; i++) {
        probe->loop->defer_free(probe->deferred[i]);
        probe->deferred[i] = NULL;
    }
}

static void answer(struct probe *probe, int32_t status)
{
    ahp_result result = {.size = sizeof(result), .status = status};
    char json[256] = "{\"ok\":true}";
    uint64_t call_id = probe->call_id;

    if (status != AHP_RESULT_OK)
        (void)snprintf(json, sizeof(json), "{\"ok\":false,\"error\":{\"message\":\"%s\"}}",
                       probe->fault);
    probe->call_id = 0;
    result.json.ptr = json;
    result.json.len = strlen(json);
    (void)probe->calls->complete(probe->host->ctx, call_id, &result);
}

static void step_begin(struct probe *probe)
{
    begin(probe);
    steps[probe->step].begin(probe);
    (void)probe->loop->timer_at(probe->step_timer, probe->due_ms + STEP_MS);
}

static void on_step(void *ud)
{
    struct probe *probe = ud;

    steps[probe->step].end(probe);
    if (probe->fault[0] != '\0') {
        everything_gone(probe);
        answer(probe, AHP_RESULT_ERROR);
    } else if (++probe->step == sizeof(steps) / sizeof(steps[0])) {
        answer(probe, AHP_RESULT_OK);
    } else {
        step_begin(probe);
    }
}

/* --- the instance ----------------------------------------------------------------------------- */

static int32_t probe_tools(void *self, const ahp_tool *const **ret_tools, uint32_t *ret_count)
{
    static const ahp_tool tool = {
        .size = sizeof(tool),
        .name = "examine_loop",
        .title = "Examine the loop",
        .summary = "Examines the event loop of the host.",
        .input_schema = "{\"type\":\"object\"}",
    };
    static const ahp_tool *const list[] = {&tool};

    (void)self;
    *ret_tools = list;
    *ret_count = 1;
    return AHP_OK;
}

static int32_t probe_start(void *self, ahp_err *ret_err)
{
    struct probe *probe = self;
    int32_t rc = probe->loop->timer_new(probe->host->ctx, &probe->step_timer, on_step, probe);

    if (rc != AHP_OK && ret_err != NULL) {
        ret_err->code = rc;
        (void)snprintf(ret_err->text, sizeof(ret_err->text), "no timer");
    }
    return rc;
}

static int32_t probe_call(void *self, const ahp_call *call)
{
    struct probe *probe = self;

    if (probe->step_timer == NULL)
        return AHP_E_STATE;
    if (probe->call_id != 0)
        return AHP_E_LIMIT;
    probe->call_id = call->id;
    probe->step = 0;
    probe->fault[0] = '\0';
    step_begin(probe);
    return AHP_OK;
}

static int32_t probe_cancel(void *self, uint64_t call_id)
{
    struct probe *probe = self;

    return call_id != 0 && call_id == probe->call_id ? AHP_OK : AHP_E_STALE;
}

static int32_t probe_receipt(void *self, const struct ahp_receipt *receipt)
{
    (void)self;
    (void)receipt;
    return AHP_E_STALE;
}

static void probe_stop(void *self, int64_t deadline_ms)
{
    struct probe *probe = self;

    (void)deadline_ms;
    everything_gone(probe);
    probe->loop->timer_free(probe->step_timer);
    probe->step_timer = NULL;
    if (probe->call_id != 0)
        answer(probe, AHP_RESULT_SHUTDOWN);
    probe->host->stopped(probe->host->ctx);
}

static void probe_destroy(void *self)
{
    struct probe *probe = self;

    everything_gone(probe);
    probe->loop->timer_free(probe->step_timer);
    free(probe);
}

static const void *probe_ext(void *self, const char *id)
{
    (void)self;
    (void)id;
    return NULL;
}

static int32_t probe_create(const ahp_host *host, const ahp_text *config, ahp_inst **ret_inst,
                            ahp_err *ret_err)
{
    static const ahp_inst slots = {
        .size = sizeof(slots),
        .tools = probe_tools,
        .start = probe_start,
        .call = probe_call,
        .cancel = probe_cancel,
        .receipt = probe_receipt,
        .stop = probe_stop,
        .destroy = probe_destroy,
        .ext = probe_ext,
    };
    struct probe *probe = calloc(1, sizeof(*probe));

    (void)config;
    if (probe == NULL) {
        if (ret_err != NULL)
            ret_err->code = AHP_E_NOMEM;
        return AHP_E_NOMEM;
    }
    probe->inst = slots;
    probe->inst.self = probe;
    probe->host = host;
    probe->loop = host->ext(host->ctx, AHP_LOOP_1);
    probe->calls = host->ext(host->ctx, AHP_CALLS_1);
    for (uint32_t i = 0; i < TRIO; i++) {
        probe->tags[i].probe = probe;
        probe->tags[i].which = i;
        probe->fds[i][0] = probe->fds[i][1] = -1;
    }
    *ret_inst = &probe->inst;
    return AHP_OK;
}

const ahp_entry *ahp_entry_1(void)
{
    static const char *const needs[] = {AHP_LOOP_1, AHP_CALLS_1, NULL};
    static const char *const wants[] = {NULL};
    static const ahp_entry entry = {
        .size = sizeof(entry),
        .major = AHP_MAJOR,
        .minor = AHP_MINOR,
        .id = "examiner",
        .version = "1.0",
        .needs = needs,
        .wants = wants,
        .create = probe_create,
    };

    return &entry;
}
