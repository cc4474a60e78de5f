/*
 * The simulator's core: the structures its parts share, and what each part offers the others.
 *
 * One thread, one event loop (sim_main.c). A request travels: sim_http.c collects it (sim_form.c
 * reads its body), sim_route.c finds its route in the providers' tables, sim_fault.c may pick a
 * fault for it, the provider's handler fills `answer`, sim_bend.c spoils the answer when a fault
 * asks for it, sim_log.c writes it down, sim_http.c sends it. A request that has to wait is parked
 * (sim_park.c).
 *
 * A provider is one file (or a few) with a routing table and a way to shape errors; see
 * sim_openai.c. Providers never touch libmicrohttpd.
 */
#ifndef CLAWMEDIA_SIM_H
#define CLAWMEDIA_SIM_H

#include <jansson.h>

#include "sim_body.h"
#include "sim_media.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_PostProcessor;
struct sim;
struct sim_request;

#define SIM_ID_MAX         64
#define SIM_KEY_MAX        256
#define SIM_ARGS_MAX       2
#define SIM_LOG_MAX        50000               /* older entries are forgotten, counters are not */
#define SIM_HEAD_BYTES     (256 * 1024)        /* of each uploaded file kept for a look inside */
#define SIM_BODY_BYTES_MAX (512 * 1024 * 1024) /* of JSON held in memory */
#define SIM_PARTS_MAX      64
#define SIM_FIELD_MAX      (1024 * 1024) /* of one text part */

/* ---- settings (sim_settings.c) ---- */

struct sim_settings {
    char image_mode[24];
    char video_mode[24];
    char video_words[24];
    char video_edge[24];
    char content_mode[24];
    char video_size[24];
    char plume_result[24];
    char plume_end[24];
    char plume_odd[24];
    char plume_http[24];
    char plume_account[24];
    char plume_query[64];
    char media_base[128];
    char chatart_approval[24];
    char chatart_pending[24];
    char chatart_state[24];
    char chatart_code[24];
    char chatart_crc[24];
    int64_t chatart_login_polls;
    int64_t chatart_policy_s;
    int64_t chatart_interval_ms;
    int64_t image_bytes;
    int64_t image_delay_ms;
    int64_t image_partials;
    int64_t video_ms;
    int64_t video_bytes;
    int64_t video_seconds;
    int64_t video_delay_ms;
    int64_t price_image;
    int64_t price_video;
    int64_t strict;
    char libtv_mode[24];
    char libtv_session[24];
    char libtv_uploads[24];
    char libtv_tasks[24];
    char libtv_expires[40];
    int64_t libtv_count;
    int64_t libtv_gap_ms;
    int64_t libtv_seq;
    int64_t price_libtv;
    int64_t plume_text;
    int64_t plume_count;
    int64_t plume_poster;
    int64_t plume_price_veo;
};

void sim_settings_init(struct sim_settings *s);
/* All or nothing; on failure -1 and err names the setting and what it takes. */
int sim_settings_apply(struct sim_settings *s, const json_t *object, char *err, size_t err_size);
/* The same for "name=value,name=value". */
int sim_settings_apply_text(struct sim_settings *s, const char *list, char *err, size_t err_size);
json_t *sim_settings_json(const struct sim_settings *s);

/* ---- accounts, jobs, files (sim_state.c, sim_files.c) ---- */

struct sim_account;
struct sim_account *sim_account_put(struct sim *sim, const char *key, const char *name);
struct sim_account *sim_account_by_key(struct sim *sim, const char *key);
const char *sim_account_name(const struct sim_account *a);
int64_t sim_account_credits(const struct sim_account *a);
json_t *sim_accounts_json(struct sim *sim, bool full);
/* POST /_sim/accounts: 0, or -1 with err. */
int sim_account_apply(struct sim *sim, const json_t *object, char *err, size_t err_size);
/* Lays the account's own settings over s. */
void sim_account_settings(const struct sim_account *a, struct sim_settings *s);
/* Uses of a key: generations charged so far, and what is left. */
void sim_account_uses(const struct sim_account *a, int64_t *ret_used, int64_t *ret_left);
/* Takes credits for an accepted generation; false when there are too few (answer is then set). */
bool sim_charge(struct sim_request *r, int64_t price);

enum sim_job_state { SIM_QUEUED, SIM_RUNNING, SIM_DONE, SIM_FAILED };

struct sim_job {
    char id[SIM_ID_MAX];
    const char *family; /* the provider's word for the kind of job */
    struct sim_account *account;
    char *model;
    char *prompt;
    int width;
    int height;
    int64_t seconds;
    int64_t price; /* where a task tells it */
    int64_t created_s;
    int64_t created_ms;
    int64_t duration_ms; /* -1: ends only by hand */
    int64_t ended_s;
    bool by_status_url; /* seen at its status_url only */
    bool by_hand;       /* state was set by POST /_sim/jobs/{id} */
    enum sim_job_state hand_state;
    char error_code[64];
    char error_text[256];
    char from[SIM_ID_MAX];        /* remixed from */
    int64_t cost;                 /* charged for it, where the provider tells */
    char file[SIM_ID_MAX];        /* name under /media/ */
    struct sim_settings settings; /* as they were when the job was accepted */
    int64_t polls;
    int64_t downloads;
    struct sim_job *next; /* in order of creation; kept by sim_state.c */
    void *index;
};

/* A new job of the request's account and settings; charged already. The prefix starts the id. */
struct sim_job *sim_job_new(struct sim_request *r, const char *family, const char *prefix);
/* The same with a whole id, which must be new. */
struct sim_job *sim_job_named(struct sim_request *r, const char *family, const char *id);
struct sim_job *sim_job_find(struct sim *sim, const char *id);
enum sim_job_state sim_job_look(struct sim_job *j, int *ret_percent);
void sim_job_delete(struct sim *sim, struct sim_job *j);
struct sim_job *sim_job_first(struct sim *sim);
json_t *sim_jobs_json(struct sim *sim);
json_t *sim_polls_json(struct sim *sim);
/* POST /_sim/jobs/{id}: 0, or -1 with err. */
int sim_job_apply(struct sim_job *j, const json_t *object, char *err, size_t err_size);

/* Makes a file reachable under /media/NAME and /v1/files/NAME; writes the name. */
void sim_file_new(struct sim *sim, const struct sim_media_spec *spec, const char *stem,
                  char name[SIM_ID_MAX]);
/* How a file is made: 0, or -1 when there is none of that name. */
int sim_file_spec(struct sim *sim, const char *name, struct sim_media_spec *ret);
/* Answers with a file by name; 404 when there is none. */
void sim_file_answer(struct sim_request *r, const char *name);
/* Where absolute addresses begin: the setting media_base, or this server. */
const char *sim_origin(struct sim_request *r);
/* Absolute address of a file: the setting media_base, or this server. */
void sim_file_url(struct sim_request *r, const char *name, const char *query, char *url,
                  size_t size);
void sim_state_reset(struct sim *sim);
void sim_files_reset(struct sim *sim);
extern const struct sim_provider sim_media_provider;

/* ---- routes (sim_route.c) ---- */

#define SIM_SPENDS    1u /* a paid generation */
#define SIM_OPEN      2u /* needs no account */
#define SIM_UNTRACKED 4u /* control: not logged, no faults */

struct sim_route {
    const char *method;
    const char *pattern; /* "/v1/videos/{id}"; {…} fills args in order; a last * takes the rest */
    unsigned flags;
    void (*handle)(struct sim_request *r);
};

struct sim_provider {
    const char *name;
    const struct sim_route *routes;
    size_t route_count;
    /* Finds the account; on failure fills the answer and returns NULL. NULL when all is open. */
    struct sim_account *(*authorise)(struct sim_request *r);
    /* Fills the answer with an error in the provider's own shape. param may be NULL. */
    void (*refuse)(struct sim_request *r, unsigned status, const char *code, const char *param,
                   const char *message);
    /* Of a SIM_SPENDS route: is this request one that is paid for? NULL: all are. */
    bool (*pays)(const struct sim_request *r);
};

/* Finds provider, route and args for the request's method and path; leaves NULL when unknown. */
void sim_route_find(struct sim_request *r);
/* Runs the route: account, settings, handler. */
void sim_route_run(struct sim_request *r);
void sim_refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ---- a request and its answer ---- */

struct sim_part { /* a file part of a multipart body */
    char name[64];
    char filename[128];
    char content_type[96];
    uint64_t bytes;
    char sha256[65];
    struct sim_sniff sniff;
};

struct sim_form;

enum sim_ending { SIM_SEND, SIM_DROP, SIM_RESET, SIM_HANG, SIM_ENDLESS };

struct sim_answer {
    unsigned status;
    char content_type[96];
    json_t *json;          /* the document the body holds, if it is one */
    struct sim_body *body; /* owned; built from json at sending when NULL */
    json_t *headers;       /* name to text, or NULL */
    enum sim_ending ending;
    int64_t delay_ms;       /* before the first byte */
    uint64_t cut_bytes;     /* send only so many, then close; UINT64_MAX: all */
    uint64_t drip_bytes;    /* send so many a step ... */
    int64_t drip_ms;        /* ... and wait so long between steps; 0: no drip */
    uint64_t endless_bytes; /* of header in SIM_ENDLESS */
};

void sim_answer_json_take(struct sim_request *r, unsigned status, json_t *json);
void sim_answer_body_take(struct sim_request *r, unsigned status, const char *type,
                          struct sim_body *body);
void sim_answer_header(struct sim_request *r, const char *name, const char *value);
/* Empties the answer, so that another can be made. */
void sim_answer_clear(struct sim_answer *a);
/* The bytes of the answer; owned by the answer. */
struct sim_body *sim_answer_bytes(struct sim_answer *a);

struct sim_fault;

struct sim_request {
    struct sim *sim;
    struct MHD_Connection *conn;
    const char *method; /* libmicrohttpd's, valid as long as the request */
    char *path;
    const struct sim_provider *provider;
    const struct sim_route *route;
    char args[SIM_ARGS_MAX][SIM_ID_MAX];
    struct sim_account *account;
    struct sim_settings settings;
    struct sim_fault *fault; /* owned copy, or NULL */
    struct sim_form *form;
    json_t *fields; /* JSON body (any kind), or an object of text parts; NULL without either */
    struct sim_part *parts;
    size_t part_count;
    uint64_t body_bytes;
    char body_sha256[65]; /* of a body that is neither JSON nor a form; else "" */
    uint64_t body_crc64;  /* CRC-64/XZ of such a body */
    struct sim_sniff body_sniff;
    bool multipart;
    bool body_broken; /* JSON or multipart that cannot be read */
    struct sim_answer answer;
    int64_t started_ms;
    uint64_t log_n; /* 0: not in the log */
    bool charged;
    char job[SIM_ID_MAX];
    char model[96]; /* without a settings suffix */
    bool ran;       /* the answer is made */
    /* parking (sim_park.c) */
    bool parked;
    bool watched;
    bool gone; /* the peer hung up while parked */
    int64_t due_ms;
    struct sim_request *park_prev, *park_next;
    uint64_t sent_raw;
    int64_t drip_next_ms;
    char origin[160];
    /* a wait for log entries (sim_log.c) */
    bool waiting;
    char wait_method[16];
    char wait_path[256];
    bool wait_spends;
    int64_t wait_left;
};

const char *sim_request_query(struct sim_request *r, const char *name);
const char *sim_request_header(struct sim_request *r, const char *name);
json_t *sim_request_headers_json(struct sim_request *r); /* secrets hidden */
json_t *sim_request_headers_raw(struct sim_request *r);  /* names in lower case, nothing hidden */
json_t *sim_request_query_json(struct sim_request *r);
/* A member of fields as text: a string, or a number or boolean printed; NULL without. */
const char *sim_request_field(struct sim_request *r, const char *name, char *buf, size_t size);
const struct sim_part *sim_request_part(struct sim_request *r, const char *name);

/* ---- form (sim_form.c) ---- */

void sim_form_start(struct sim_request *r);
int sim_form_feed(struct sim_request *r, const char *data, size_t len); /* -1: too large */
void sim_form_end(struct sim_request *r);
void sim_form_free(struct sim_request *r);

/* ---- faults (sim_fault.c, sim_bend.c) ---- */

enum sim_fault_kind {
    SIM_F_DROP_AFTER_ACCEPT,
    SIM_F_RESET,
    SIM_F_DELAY,
    SIM_F_STATUS,
    SIM_F_RATE_LIMIT,
    SIM_F_SLOW_DRIP,
    SIM_F_TRUNCATE,
    SIM_F_WRONG_TYPE,
    SIM_F_DUPLICATE,
    SIM_F_HUGE_BODY,
    SIM_F_MALFORMED_JSON,
    SIM_F_WRONG_TYPES,
    SIM_F_DEEP_NESTING,
    SIM_F_ENDLESS_HEADER,
    SIM_F_REDIRECT,
    SIM_F_EMPTY,
    SIM_F_HANG,
    SIM_F_BODY,
    SIM_F_KINDS
};

struct sim_fault {
    int64_t id;
    char method[16]; /* "*": any */
    char path[256];
    int64_t nth;   /* first matching call it strikes; 0: every */
    int64_t count; /* calls it strikes; -1: without end */
    enum sim_fault_kind kind;
    bool charged;    /* the request is processed (and charged) before the fault shows */
    bool at_headers; /* reset only: before the body is read */
    int64_t status;
    int64_t retry_after_s;  /* -1: header not sent */
    int64_t retry_after_ms; /* -1: header not sent */
    int64_t ms;
    int64_t bytes;
    char to[1024];
    char content_type[96];
    char *body; /* owned */
    int64_t seen;
    int64_t fired;
    struct sim_fault *next;
};

/* Replaces or extends the list from JSON; 0, or -1 with err and nothing changed. */
int sim_faults_add(struct sim *sim, const json_t *list, char *err, size_t err_size);
json_t *sim_faults_json(struct sim *sim);
void sim_faults_clear(struct sim *sim);
/* Counts the call in every matching fault; a copy of the one that strikes, or NULL. */
struct sim_fault *sim_fault_pick(struct sim *sim, const char *method, const char *path);
void sim_fault_free(struct sim_fault *f);
const char *sim_fault_name(enum sim_fault_kind kind);
/* Makes or spoils the answer as the request's fault asks. */
void sim_bend_answer(struct sim_request *r);

/* ---- log (sim_log.c) ---- */

struct sim_log;
struct sim_log *sim_log_new(void);
void sim_log_free(struct sim_log *log);
void sim_log_clear(struct sim *sim);
/* The request is whole: writes it down, counts it, wakes waits it satisfies. */
void sim_log_add(struct sim_request *r);
/* What became of it: "sent", "closed" (on purpose) or "gone" (the peer hung up). */
void sim_log_end(struct sim_request *r, const char *how);
json_t *sim_log_json(struct sim_request *r); /* filters from the query */
json_t *sim_log_totals(struct sim *sim);
/* GET /_sim/wait: counts what is there; parks the request when more is needed. */
void sim_log_wait(struct sim_request *r);
void sim_log_wait_end(struct sim_request *r);

/* ---- parking (sim_park.c) ---- */

#define SIM_NEVER INT64_MAX

/* Takes the request out of the loop until due_ms, a wake, or the peer's hang-up. */
void sim_park(struct sim_request *r, int64_t due_ms, bool watch_peer);
void sim_park_wake(struct sim_request *r);
/* Wakes all that are due; how long until the next, in ms (-1: none). */
int64_t sim_park_turn(struct sim *sim);
void sim_park_wake_all(struct sim *sim);
/* An event on a parked request's socket. */
void sim_park_event(struct sim_request *r, uint32_t events);
/* Turns the parked request's socket over to an endless header. */
void sim_park_endless(struct sim_request *r);
/* Breaks the TCP connection with a reset. */
void sim_park_reset(struct sim_request *r);

/* ---- http (sim_http.c) ---- */

int sim_http_start(struct sim *sim, uint16_t port);
void sim_http_stop(struct sim *sim);

/* ---- the whole ---- */

struct sim {
    struct MHD_Daemon *daemon;
    int epoll_fd;
    uint16_t port;
    bool stopping;
    int64_t started_ms;
    char start_key[SIM_KEY_MAX];
    int64_t start_credits;
    struct sim_settings start_settings;
    struct sim_settings settings;
    struct sim_log *log;
    struct sim_account *accounts;
    struct sim_job_index *jobs;
    struct sim_file *files;
    struct sim_fault *faults;
    int64_t fault_ids;
    uint64_t ids; /* of jobs and files */
    struct sim_chatart *chatart;
    struct sim_request *parked;
    struct sim_request *waiting_head;
    struct sim_libtv *libtv; /* or NULL (sim_libtv.c) */
    size_t requests_open;
};

extern const struct sim_provider sim_control;
extern const struct sim_provider sim_openai;
extern const struct sim_provider sim_libtv; /* the personal API */
extern const struct sim_provider sim_nexu;  /* its gateway */

void sim_libtv_reset(struct sim *sim);
extern const struct sim_provider sim_chatart;
/* Forgets logins, temporary credentials and uploads (sim_chatart.c). */
void sim_chatart_reset(struct sim *sim);
void sim_chatart_free(struct sim *sim);
/* /_sim/chatart: what there is; approve, refuse, end a login. */
void sim_chatart_control(struct sim_request *r);
extern const struct sim_provider sim_plume;

/* Second half of the control routes (sim_control_set.c). */
void sim_control_settings(struct sim_request *r);
void sim_control_accounts(struct sim_request *r);
void sim_control_faults(struct sim_request *r);
void sim_control_job(struct sim_request *r);

#endif
