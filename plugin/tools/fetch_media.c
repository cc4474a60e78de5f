/*
 * fetch_media.c - media that somebody else's text holds or names becomes files of ours. Base64 is
 * taken out of the text first, off the loop and in constant memory; what is left, and the files
 * that came of it, is an order to the provider "web", whose job does the rest.
 */
#include "tools/tool.h"

#include "base/json.h"
#include "base/mem.h"
#include "media/media.h"
#include "media/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define READ_BYTES 65536
#define STEM_BYTES 40

/* One text on its way through the spill. The item of an env_work, so it outlives its call. */
struct fetching {
    struct call *call;
    char *dir;
    char stem[STEM_BYTES];
    const char *text; /* of the call's arguments, copied; or NULL */
    size_t text_len;
    char path[LIMIT_PATH]; /* or this file */
    struct spill *spill;
    struct media_part *parts[LIMIT_BLOBS];
    int is_broken[LIMIT_BLOBS];
    unsigned blobs;
    struct err err;
};

static void fetching_free(struct fetching *it)
{
    spill_free(it->spill);
    for (size_t i = 0; i < LIMIT_BLOBS; i++)
        media_part_abandon(it->parts[i]);
    mem_free((char *)(uintptr_t)it->text);
    mem_free(it->dir);
    mem_free(it);
}

/* ---- off the loop ---- */

static int blob_open(void *ud, unsigned number, struct err *err)
{
    struct fetching *it = ud;
    char stem[STEM_BYTES + 12];

    if (number >= LIMIT_BLOBS)
        return err_set(err, ERR_LIMIT, "the text holds more than %d files", LIMIT_BLOBS);
    snprintf(stem, sizeof(stem), "%s-%u", it->stem, number + 1);
    it->blobs = number + 1;
    return media_part_open(it->dir, stem, LIMIT_VIDEO_BYTES, &it->parts[number], err);
}

static int blob_write(void *ud, const void *data, size_t len, struct err *err)
{
    struct fetching *it = ud;

    return media_part_write(it->parts[it->blobs - 1], data, len, err);
}

static int blob_close(void *ud, unsigned number, int complete, struct err *err)
{
    struct fetching *it = ud;

    (void)err;
    if (!complete) {
        media_part_abandon(it->parts[number]);
        it->parts[number] = NULL;
        it->is_broken[number] = 1;
    }
    return 0;
}

static int feed_file(struct fetching *it)
{
    char *piece = mem_alloc(READ_BYTES);
    int fd = open(it->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t got = 0;
    int rc = 0;

    if (!piece)
        rc = err_nomem(&it->err);
    else if (fd < 0)
        rc = err_set(&it->err, ERR_IO, "%s cannot be opened: %s", it->path, strerror(errno));
    while (rc == 0 && ((got = read(fd, piece, READ_BYTES)) > 0 || (got < 0 && errno == EINTR)))
        if (got > 0)
            rc = spill_feed(it->spill, piece, (size_t)got, &it->err);
    if (rc == 0 && got < 0)
        rc = err_set(&it->err, ERR_IO, "%s cannot be read: %s", it->path, strerror(errno));
    if (fd >= 0)
        close(fd);
    mem_free(piece);
    return rc;
}

static void take_apart(void *item)
{
    struct fetching *it = item;
    struct spill_sink sink = {blob_open, blob_write, blob_close, it};

    if (spill_new(&sink, LIMIT_TEXT_BYTES, &it->spill))
        err_nomem(&it->err);
    else if (it->text)
        spill_feed(it->spill, it->text, it->text_len, &it->err);
    else
        feed_file(it);
}

/* ---- on it ---- */

static void ordered(void *ud, const struct ledger_job *job, int created, const struct err *err)
{
    struct call *call = ud;
    const json_t *seconds = json_object_get(call->args, "wait_seconds");

    if (!job && call->parts)
        media_parts_sweep(call->parts);
    if (call_ordered(call, job, created, err))
        return;
    call_wait(call, seconds ? json_integer_value(seconds) * 1000 : -1);
}

/* Its job will end the call, or the call has ended. */
static void order(struct call *call, const json_t *args)
{
    const struct config_provider *provider = config_provider_by_id(call_config(call), "web");
    struct provider_plan plan = {0};
    struct engine_order order = {
        .tool = call->tool->name,
        .provider = provider,
        .plan = &plan,
        .conversation = call->conversation,
        .caller = call->caller,
        .locale = call_locale(call),
        .output_dir = call->output_dir,
        .again = 1,
    };
    struct err err;
    int rc = provider->adapter->plan(&provider->account, call->tool->name, args, &plan, &err);

    if (rc == 0)
        rc = engine_order(call_engine(call), &order, ordered, call, &err);
    if (rc && call->parts)
        media_parts_sweep(call->parts);
    if (rc == 0)
        call_begin(call);
    else
        call_fail(call, &err);
    provider_plan_done(&plan);
}

/* The parts stay on disk as they are; a job takes them over by their paths. */
static json_t *leave_parts(struct fetching *it)
{
    json_t *files = json_array();

    for (unsigned i = 0; i < it->blobs && i < LIMIT_BLOBS; i++) {
        char *path = mem_format("%s/%s-%u", it->dir, it->stem, i + 1);

        json_array_append_new(files, it->is_broken[i] || !path ? json_null() : json_string(path));
        mem_free(path);
        media_part_leave(it->parts[i]);
        it->parts[i] = NULL;
    }
    return files;
}

static void taken_apart(void *item, int32_t cancelled)
{
    struct fetching *it = item;
    struct call *call = it->call;
    const char *text;
    unsigned blobs;
    size_t len;
    json_t *args;

    if (call_back(call)) {
        fetching_free(it);
        return;
    }
    if (it->err.kind == ERR_NONE && cancelled)
        err_set(&it->err, ERR_CANCELLED, "the host is shutting down");
    if (it->err.kind == ERR_NONE)
        spill_finish(it->spill, &text, &len, &blobs, &it->err);
    if (it->err.kind != ERR_NONE) {
        call_fail(call, &it->err);
        fetching_free(it);
        return;
    }
    call->parts = mem_format("%s/%s", it->dir, it->stem);
    args = json_pack("{s:o?, s:s?}", "text", json_stringn(text, len), "parts", call->parts);
    if (!call->parts || !args) {
        err_nomem(&it->err);
        call_fail(call, &it->err);
    } else if (!json_is_string(json_object_get(args, "text"))) {
        err_field(&it->err, "source", "this is no UTF-8 text");
        call_fail(call, &it->err);
    } else {
        json_object_set_new(args, "files", leave_parts(it));
        order(call, args);
    }
    json_decref(args);
    fetching_free(it);
}

static int is_one_url(const char *text)
{
    return (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0) &&
           !text[strcspn(text, " \t\r\n<>\"")];
}

static int find_file(const struct call *call, const char *path, char ret_path[LIMIT_PATH],
                     struct err *err)
{
    const char *roots[CONFIG_ROOTS_MAX];
    size_t count = config_roots(call_config(call), call->workspace, call->output_dir, roots);

    if (media_text_find(path, roots, count, ret_path, err) == 0)
        return 0;
    snprintf(err->field, sizeof(err->field), "path");
    return -1;
}

static void start(struct call *call, const char *source, const char *path)
{
    struct fetching *it = mem_alloc(sizeof(*it));
    struct err err = {.kind = ERR_NONE};
    int rc = -1;

    if (it && source) {
        it->text_len = strlen(source);
        it->text = mem_text(source);
    }
    if (!it || (source && !it->text))
        err_nomem(&err);
    else if (env_handle(it->stem, sizeof(it->stem), "fetched-", 8))
        err_set(&err, ERR_IO, "the system gave no random number for a file's name");
    else if (source || find_file(call, path, it->path, &err) == 0)
        rc = 0;
    if (rc == 0 && !(it->dir = config_output_dir(call_config(call), call->output_dir, "image")))
        rc = err_nomem(&err);
    if (rc == 0) {
        it->call = call;
        if (env_work(call_env(call), it, take_apart, taken_apart) == 0) {
            call_begin(call);
            return;
        }
        err_nomem(&err);
    }
    if (it)
        fetching_free(it);
    call_fail(call, &err);
}

static void run(struct call *call)
{
    const char *source = json_string_value(json_object_get(call->args, "source"));
    const char *path = json_string_value(json_object_get(call->args, "path"));
    struct err err;
    json_t *args;

    if (!source == !path) {
        err_field(&err, "source", source ? "give source or path, not both"
                                         : "give source (a URL or a text) or path (a file)");
        call_fail(call, &err);
        return;
    }
    config_refresh(call_config(call), &err); /* which hosts are allowed; a broken file stays aside */
    if (!source || !is_one_url(source)) {
        start(call, source, path);
        return;
    }
    args = json_pack("{s:s}", "url", source);
    order(call, args);
    json_decref(args);
}

const struct tool tool_fetch_media = {"fetch_media", run};
