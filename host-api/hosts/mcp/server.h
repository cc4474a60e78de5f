/*
 * server.h - what the parts of the server share: the process's one client, its open requests, and
 * the ways to answer them.
 *
 * Life of a request: dispatch.c makes it, a method (tools.c, calls.c, tasks.c, resources.c) begins
 * it, and exactly one of request_answer_take, request_fail and request_drop ends and frees it. A
 * request that has begun a call of the plugin is ended by that call's result, however late; a
 * cancelled one is then dropped without a word.
 *
 * Eras: each request has a revision of its own. Those of 2026-07-28 say it themselves; the others
 * have that of the handshake. Both kinds may come over one connection.
 */
#ifndef MCP_SERVER_H
#define MCP_SERVER_H

#include <stdatomic.h>

#include <uv.h>

#include <ahp_uv.h>

#include "message.h"
#include "options.h"
#include "wire.h"

/* Open at once; a further one is answered with an error. */
#define REQUESTS_MAX 256u

/* Messages of one batch (revision 2025-03-26 has them). */
#define BATCH_MAX 64u

/* The time that stop() gets: clients wait some 4 s between closing our input and SIGKILL. */
#define STOP_MS  3000
#define FLUSH_MS 500

/* How long a client may keep a list, by its own measure. */
#define LIST_TTL_MS 60000

/* How long a client may take to tell its roots. */
#define ROOTS_MS 3000

/* A caller with a progress token hears something at least this often. */
#define BEAT_MS 5000

/* How numbers are written: enough for what people write, without the noise of the last bits. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

struct request;
struct batch;
struct tool;

struct server {
    const struct options *options;
    const ahp_entry *entry;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t beat;  /* progress */
    uv_timer_t flush; /* the last answers on their way */
    uv_timer_t patience; /* with a client that was asked for its roots */
    struct wire *wire;
    struct ahp_uv *host;
    int log_fd;
    json_t *allowed; /* the folders of --allow, absolute */
    atomic_uint breaches;

    struct tool *tools;
    size_t tools_count;

    /* the handshake, if there was one */
    enum revision revision; /* REVISION_NONE before it */
    int has_roots;
    int roots_asked; /* requests for them, so far: the number in the id of the latest */
    json_t *roots;   /* absolute paths; NULL: not known */

    struct request *requests;
    unsigned requests_count; /* without those that were cancelled */

    int is_ending;
    int is_closed;
    int exit_code;
    struct ahp_uv_end end;
};

typedef void request_result_fn(struct request *r, const ahp_result *result);

struct request {
    struct request *prev;
    struct request *next;
    struct server *server;
    json_t *id;
    json_t *params; /* an object, or NULL */
    enum revision revision;
    int has_tasks;  /* this client understands that a call becomes a task */
    int has_roots;  /* revision 2026-07-28: it can be asked for its roots on the way */
    struct batch *batch;
    int is_cancelled;
    int is_listening; /* subscriptions/listen */
    int wants_tools_changed;

    /* an open call of the plugin */
    uint64_t call_id; /* 0: none */
    request_result_fn *on_result;
    int wants_preview;
    int is_task;
    int waits_for_roots; /* with a handshake: they were asked for, and its arguments need them */
    json_t *roots; /* revision 2026-07-28: absolute paths that came with it, or NULL */
    json_t *token; /* of progress, or NULL */
    double progress;
    uint64_t told_ms;
    char words[AHP_UV_PROGRESS_BYTES_MAX];
};

/* server.c */
int server_run(const struct options *options);
void server_end(struct server *s, int exit_code);
void server_say(struct server *s, int32_t level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* dispatch.c */
void dispatch_line(void *ud, const char *text, size_t len); /* a line_fn; ud: the server */
void dispatch_end(struct server *s); /* ends the requests that nothing else will end */
void dispatch_free(struct server *s);
struct request *request_by_id(struct server *s, const json_t *id);

/* Ends the request with a result, an object. Taken, NULL is "no memory". */
void request_answer_take(struct request *r, json_t *result);
void request_answer_list_take(struct request *r, json_t *result); /* one that clients may keep */
void request_fail(struct request *r, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void request_fail_data_take(struct request *r, int code, const char *why, json_t *data);
void request_drop(struct request *r);
void send_notification_take(struct server *s, const char *method, json_t *params);
void send_take(struct server *s, json_t *message);
json_t *server_info(const struct server *s);

/* tools.c: the plugin's tools as this side knows them. Kept until they change. */
struct tool {
    const char *name; /* in `as_listed` */
    uint32_t flags;
    int takes_wait;    /* its arguments may have wait_seconds */
    int takes_preview; /* ours, not the plugin's */
    json_t *as_listed;
    json_t *output_schema;
};

int tools_load(struct server *s);
void tools_free(struct server *s);
const struct tool *tools_find(const struct server *s, const char *name);
const struct tool *tools_of_jobs(const struct server *s); /* AHP_TOOL_JOBS; NULL: there is none */
void tools_list(struct request *r);

/* calls.c */
void calls_tool(struct request *r); /* tools/call */
/* Begins a call of the plugin for the request; a refusal fails it. args is taken. */
void calls_begin_take(struct request *r, const char *tool, json_t *args, uint32_t flags,
                      int64_t wait_ms, request_result_fn *on_result);
/* The same with the tool of jobs; without one the request fails. */
void calls_jobs_take(struct request *r, json_t *args, request_result_fn *on_result);
void calls_cancel(struct server *s, const json_t *id);
void calls_beat(uv_timer_t *timer);

/* content.c */
json_t *content_of_result(const struct request *r, const ahp_result *result); /* CallToolResult */
json_t *content_link(const char *path, const char *name, const char *mime, uint64_t bytes);
char *content_uri(const char *path);       /* file:// */
char *content_path(const char *uri);       /* NULL: not such a URI */
json_t *content_base64(const char *path, size_t bytes_max); /* NULL: not readable, or longer */

/* tasks.c */
json_t *tasks_capability(const struct server *s, enum revision revision); /* NULL: none */
void tasks_get(struct request *r);
void tasks_cancel(struct request *r);
void tasks_update(struct request *r);
void tasks_result(struct request *r);
void tasks_list(struct request *r);
void tasks_create(struct request *r, const ahp_result *result); /* a call that became a job */

/* resources.c */
void resources_list(struct request *r);
void resources_templates(struct request *r);
void resources_read(struct request *r);

/* roots.c */
void roots_ask(struct server *s);
int roots_is_answer(const struct server *s, const struct message *m);
void roots_answered(struct server *s, const struct message *m);
/* 1: not now; it comes again, or calls_tool is called again, once the client has told its roots. */
int roots_settle(struct request *r, const struct tool *tool, const json_t *args);
/* Where the call works instead of in the instance's workspace, or NULL. */
const char *roots_workspace(const struct request *r);
char *roots_folders(const struct request *r); /* ahp_call.folders; malloc'ed */
json_t *roots_read(const json_t *result); /* of a ListRootsResult: absolute paths, a new array */

#endif
