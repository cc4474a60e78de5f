/*
 * shim_host.c - the ahp_host that the plugin gets, and what of the host's extensions is usable.
 */
#include <string.h>

#include "shim.h"

#define LOG_LEVEL_OF_PLUGIN_MAX AHP_LOG_ERROR

struct known_ext {
    const char *id;
    size_t first; /* byte of the first slot */
    size_t last;  /* byte of the last slot of 1.0 */
};

enum known {
    KNOWN_LOOP,
    KNOWN_CALLS,
    KNOWN_DELIVER,
    KNOWN_WORK,
    KNOWN_CHECK,
    KNOWN_APPROVAL,
    KNOWN_COUNT
};

static const struct known_ext known_exts[KNOWN_COUNT] = {
    {AHP_LOOP_1, offsetof(ahp_loop, now_ms), offsetof(ahp_loop, defer_free)},
    {AHP_CALLS_1, offsetof(ahp_calls, complete), offsetof(ahp_calls, rescan)},
    {AHP_DELIVER_1, offsetof(ahp_deliver, offer), offsetof(ahp_deliver, offer)},
    {AHP_WORK_1, offsetof(ahp_work, run), offsetof(ahp_work, run)},
    {AHP_CHECK_1, offsetof(ahp_check, on_loop), offsetof(ahp_check, on_loop)},
    {AHP_APPROVAL_1, offsetof(ahp_approval, ask), offsetof(ahp_approval, ask_free)},
};

/* [any]: reads only what never changes after create. */
static void host_log(void *ctx, int32_t level, uint32_t item, const char *text, size_t len)
{
    const struct shim *shim = ctx;
    struct shim_loan loan = {NULL, 0};
    const char *lent;

    if (text == NULL && len > 0) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_LOG, "log: the text is NULL");
        return;
    }
    if (level < AHP_LOG_DEBUG || level > LOG_LEVEL_OF_PLUGIN_MAX)
        shim_accuse(shim, AHP_SHIM_PLUGIN_LOG, "log: level %d", (int)level);
    if (len > AHP_LOG_BYTES_MAX)
        shim_accuse(shim, AHP_SHIM_PLUGIN_LOG, "log: a line of %zu bytes, the limit is %u", len,
                    (unsigned)AHP_LOG_BYTES_MAX);
    else if (len > 0 && (memchr(text, '\n', len) != NULL || memchr(text, '\0', len) != NULL ||
                         !shim_utf8_is_valid(text, len)))
        shim_accuse(shim, AHP_SHIM_PLUGIN_LOG, "log: not one line of UTF-8");
    lent = shim_lend_bytes(&loan, text, len);
    shim->host->log(shim->host->ctx, level, item, lent == NULL ? text : lent, len);
    shim_lend_end(&loan);
}

static int32_t host_log_on(void *ctx, int32_t level)
{
    const struct shim *shim = ctx;
    int32_t rc = shim->host->log_on(shim->host->ctx, level);

    if (rc != 0 && rc != 1)
        shim_accuse(shim, AHP_SHIM_HOST_RESULT, "log_on: returned %d, 0 or 1 are the answers",
                    (int)rc);
    return rc;
}

static int32_t check_on_loop(void *ctx)
{
    const struct shim *shim = ctx;
    int32_t rc = shim->check->on_loop(shim->host->ctx);

    if (rc != shim_on_loop(shim))
        shim_accuse(shim, AHP_SHIM_HOST_RESULT, "on_loop: returned %d %s the loop's thread",
                    (int)rc, shim_on_loop(shim) ? "on" : "off");
    return rc;
}

static void host_stopped(void *ctx)
{
    struct shim *shim = ctx;
    const uint32_t *live = shim->live_count;
    int before;

    if (shim_host_begin(shim, AHP_FN_STOPPED, &before) != AHP_OK)
        return;
    if (shim->calls_open_count > 0)
        shim_accuse(shim, AHP_SHIM_PLUGIN_STOPPED_OPEN, "stopped: %u calls were not completed (R3)",
                    (unsigned)shim->calls_open_count);
    if (live[SHIM_WATCH] + live[SHIM_TIMER] + live[SHIM_DEFERRED] + live[SHIM_WORK] +
            live[SHIM_QUESTION] >
        0)
        shim_accuse(shim, AHP_SHIM_PLUGIN_STOPPED_HOLDS,
                    "stopped: holds %u watches, %u timers, %u deferred calls, %u pieces of work, "
                    "%u questions",
                    (unsigned)live[SHIM_WATCH], (unsigned)live[SHIM_TIMER],
                    (unsigned)live[SHIM_DEFERRED], (unsigned)live[SHIM_WORK],
                    (unsigned)live[SHIM_QUESTION]);
    if (shim->loop != NULL && shim_now_ms(shim) > shim->stop_deadline_ms)
        shim_accuse(shim, AHP_SHIM_PLUGIN_STOP_LATE, "stopped: the deadline was %lld",
                    (long long)shim->stop_deadline_ms);
    shim->phase = AHP_IN_STOPPED;
    shim->host->stopped(shim->host->ctx);
    shim_host_end(shim, before);
}

/* --- extensions ------------------------------------------------------------------------------- */

static int known_find(const char *id)
{
    for (int i = 0; i < (int)KNOWN_COUNT; i++) {
        if (strcmp(known_exts[i].id, id) == 0)
            return i;
    }
    return KNOWN_COUNT;
}

static const void *known_inner(const struct shim *shim, int known)
{
    switch (known) {
    case KNOWN_LOOP:
        return shim->loop;
    case KNOWN_CALLS:
        return shim->calls;
    case KNOWN_DELIVER:
        return shim->deliver;
    case KNOWN_WORK:
        return shim->work;
    case KNOWN_APPROVAL:
        return shim->approval;
    default:
        return shim->check;
    }
}

static const ahp_check check_table = {.size = sizeof(ahp_check), .on_loop = check_on_loop};

static const void *known_outer(const struct shim *shim, int known)
{
    switch (known) {
    case KNOWN_LOOP:
        return &shim_loop_table;
    case KNOWN_CALLS:
        return &shim_calls_table;
    case KNOWN_DELIVER:
        return &shim->outer_deliver;
    case KNOWN_WORK:
        return &shim_work_table;
    case KNOWN_APPROVAL:
        return &shim_approval_table;
    default:
        return &check_table;
    }
}

static const void *host_ext(void *ctx, const char *id)
{
    struct shim *shim = ctx;
    struct shim_loan loan = {NULL, 0};
    const char *lent;
    const void *inner;
    int known;
    int before;

    if (id == NULL) {
        shim_accuse(shim, AHP_SHIM_PLUGIN_ARGUMENT, "ext: the id is NULL");
        return NULL;
    }
    if (shim_host_begin(shim, AHP_FN_HOST_EXT, &before) != AHP_OK)
        return NULL;
    lent = shim_lend_string(&loan, id);
    inner = shim->host->ext(shim->host->ctx, lent == NULL ? id : lent);
    shim_lend_end(&loan);
    shim_host_end(shim, before);
    known = known_find(id);
    if (known == KNOWN_COUNT)
        return NULL; /* its functions would get the shim as their ctx */
    if (known_inner(shim, known) == NULL)
        return NULL; /* there was none, or none that can be used */
    if (inner != known_inner(shim, known))
        shim_accuse(shim, AHP_SHIM_HOST_EXT_CHANGED, "ext: %s is another one now", id);
    return known_outer(shim, known);
}

/* The host's table of that id if it can be used, else NULL. */
static const void *learn(const struct shim *shim, enum known known)
{
    const struct known_ext *ext = &known_exts[known];
    struct shim_subject by_host = {shim, AHP_FN_HOST_EXT, AHP_SIDE_HOST};
    const void *table = shim->host->ext(shim->host->ctx, ext->id);
    uint32_t size;

    if (table == NULL)
        return NULL;
    memcpy(&size, table, sizeof(size));
    if (!shim_check_size(&by_host, ext->id, size, ext->last + sizeof(void (*)(void))) ||
        !shim_check_slots(shim, AHP_SHIM_HOST_SLOT, ext->id, table, ext->first, ext->last))
        return NULL;
    return table;
}

void shim_host_learn(struct shim *shim)
{
    shim->loop = learn(shim, KNOWN_LOOP);
    shim->calls = learn(shim, KNOWN_CALLS);
    shim->deliver = learn(shim, KNOWN_DELIVER);
    shim->work = learn(shim, KNOWN_WORK);
    shim->check = learn(shim, KNOWN_CHECK);
    shim->approval = learn(shim, KNOWN_APPROVAL);
    if (shim->deliver != NULL) {
        shim->outer_deliver.size = sizeof(ahp_deliver);
        shim->outer_deliver.flags = shim->deliver->flags;
        shim->outer_deliver.repeat_window_ms = shim->deliver->repeat_window_ms;
        shim->outer_deliver.file_bytes_max = shim->deliver->file_bytes_max;
        shim->outer_deliver.offer = shim_deliver_offer;
        if ((shim->deliver->flags & AHP_DELIVER_DROPS_REPEATS) != 0 &&
            shim->deliver->repeat_window_ms < AHP_REPEAT_WINDOW_MS_MIN)
            shim_accuse(shim, AHP_SHIM_HOST_ARGUMENT,
                        "ahp.deliver/1: drops repeats, but remembers them for %lld ms only",
                        (long long)shim->deliver->repeat_window_ms);
    }
}

void shim_host_init(struct shim *shim)
{
    ahp_host *outer = &shim->outer_host;

    outer->size = sizeof(*outer);
    outer->minor = AHP_MINOR; /* the slots that this table has */
    if (outer->minor > shim->host->minor)
        outer->minor = shim->host->minor;
    outer->ctx = shim;
    outer->name = shim->host->name;
    outer->version = shim->host->version;
    outer->ext = host_ext;
    outer->log = host_log;
    outer->log_on = host_log_on;
    outer->stopped = host_stopped;
}
