/*
 * schema.c - the database file: where it is, how it is opened, its tables and their versions.
 *
 * The file is for operators too: `sqlite3 clawmedia.db .schema` shows the comments below. It is
 * never deleted, emptied or recreated here; what cannot be read is an error that names it. No file
 * of the database is ever opened but through SQLite: closing it would drop SQLite's locks.
 */
#include "base/mem.h"
#include "ledger/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "clawmedia.db"
/* Only in create, which may wait: about 5 s in all. */
#define OPEN_BUSY_MS   100
#define OPEN_AGAIN_MS  5
#define OPEN_TRIES     50
#define APPLICATION_ID 0x636c776d /* "clwm", for file(1) and against other people's files */
#define TEXT_OF(x)     #x
#define NUMBER_TEXT(x) TEXT_OF(x)

/* The nth script brings a ledger from version n to n + 1. Never edited, only added to. */
/* clang-format off */
static const char *const migrations[] = {
    "CREATE TABLE owners (\n"
    "  -- Who works on jobs. Who is not listed holds nothing, whatever jobs.owner says.\n"
    "  id TEXT PRIMARY KEY,           -- its lock file is owners/<id>.lock\n"
    "  host TEXT NOT NULL,            -- the agent host it runs in\n"
    "  pid INTEGER NOT NULL,\n"
    "  started_ms INTEGER NOT NULL,\n"
    "  until_ms INTEGER NOT NULL      -- end of its lease, since 1970; renewed while it lives\n"
    ") STRICT, WITHOUT ROWID;\n"

    "CREATE TABLE jobs (\n"
    "  number INTEGER PRIMARY KEY,    -- order of acceptance\n"
    "  id TEXT NOT NULL UNIQUE,\n"
    "  owner TEXT NOT NULL DEFAULT '',  -- who works on it, see owners; '': nobody\n"
    "  state TEXT NOT NULL CHECK (state IN ('planned','uploading','submitting','working',\n"
    "    'fetching','ready','delivering','delivered','done','failed','cancelled','expired',\n"
    "    'unknown','undeliverable')),\n"
    "  open INTEGER NOT NULL CHECK (open IN (0, 1)),  -- 1: there is something to do\n"
    "  flags INTEGER NOT NULL,        -- 1: delivers by itself, 2: somebody asked for its end\n"
    "  progress INTEGER NOT NULL,     -- permille, -1: not known\n"
    "  tries INTEGER NOT NULL,        -- failed tries of the current step\n"
    "  created_ms INTEGER NOT NULL,\n"
    "  updated_ms INTEGER NOT NULL,\n"
    "  submitted_ms INTEGER NOT NULL, -- all times since 1970, 0: none\n"
    "  due_ms INTEGER NOT NULL,\n"
    "  deadline_ms INTEGER NOT NULL,\n"
    "  ended_ms INTEGER NOT NULL,\n"
    "  tool TEXT NOT NULL,\n"
    "  kind TEXT NOT NULL,\n"
    "  provider TEXT NOT NULL,\n"
    "  account TEXT,                  -- a fingerprint, never a key\n"
    "  model TEXT,\n"
    "  conversation TEXT,\n"
    "  caller TEXT,\n"
    "  locale TEXT,\n"
    "  host TEXT,                     -- the agent host it came through\n"
    "  reply_to BLOB,                 -- that host's own bytes\n"
    "  dedup_key TEXT,\n"
    "  resubmit_of TEXT,              -- the job of unknown fate that it repeats\n"
    "  provider_job TEXT,\n"
    "  error_kind TEXT,\n"
    "  error_text TEXT,\n"
    "  advice TEXT,\n"
    "  cost_estimate REAL,\n"
    "  cost REAL,\n"
    "  currency TEXT,\n"
    "  request TEXT NOT NULL,         -- JSON\n"
    "  plan TEXT,                     -- JSON\n"
    "  flow TEXT                      -- JSON\n"
    ") STRICT;\n"

    "CREATE TABLE files (\n"
    "  handle TEXT NOT NULL UNIQUE,\n"
    "  number INTEGER NOT NULL,\n"
    "  path TEXT NOT NULL,\n"
    "  mime TEXT,\n"
    "  url TEXT,\n"
    "  width INTEGER NOT NULL,\n"
    "  height INTEGER NOT NULL,\n"
    "  bytes INTEGER NOT NULL,\n"
    "  duration_ms INTEGER NOT NULL,\n"
    "  job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,\n"
    "  PRIMARY KEY (job, number)\n"
    ") STRICT;\n"

    "CREATE TABLE deliveries (\n"
    "  key TEXT NOT NULL PRIMARY KEY,\n"
    "  state TEXT NOT NULL CHECK (state IN ('pending','offered','held','done',\n"
    "    'unknown','refused')),\n"
    "  kind INTEGER NOT NULL,         -- 0: a result, 1: words only\n"
    "  attempts INTEGER NOT NULL,\n"
    "  next_ms INTEGER NOT NULL,      -- when to offer it\n"
    "  text TEXT,\n"
    "  host_ref TEXT,                 -- the channel's message id\n"
    "  error TEXT,\n"
    "  job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE\n"
    ") STRICT;\n"

    "CREATE INDEX deliveries_job ON deliveries(job);\n"
    "-- All that the search for free jobs looks at, so that it reads no rows.\n"
    "CREATE INDEX jobs_open ON jobs(owner, due_ms, state, flags, host, open, id) WHERE open = 1;\n"
    "CREATE INDEX jobs_conversation ON jobs(conversation, created_ms);\n"
    "CREATE INDEX jobs_created ON jobs(created_ms);\n"
    "CREATE INDEX jobs_dedup ON jobs(dedup_key, created_ms) WHERE dedup_key IS NOT NULL;\n"
    "CREATE UNIQUE INDEX jobs_resubmit ON jobs(resubmit_of)\n"
    "  WHERE resubmit_of IS NOT NULL AND state <> 'failed';\n"
    "CREATE INDEX jobs_history ON jobs(provider, kind, model, ended_ms)\n"
    "  WHERE submitted_ms > 0 AND ended_ms > submitted_ms\n"
    "  AND state NOT IN ('failed','cancelled','expired','unknown');\n"
    "PRAGMA application_id = " NUMBER_TEXT(APPLICATION_ID) ";\n",

    "CREATE TABLE uploads (\n"
    "  -- Local files that a provider has already, so that they are not sent again.\n"
    "  account TEXT NOT NULL,         -- provider and fingerprint\n"
    "  key TEXT NOT NULL,             -- which bytes: device, inode, size and times\n"
    "  url TEXT NOT NULL,\n"
    "  until_ms INTEGER NOT NULL,     -- how long it is believed to be there, since 1970\n"
    "  PRIMARY KEY (account, key)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE INDEX uploads_until ON uploads(until_ms);\n",

    "ALTER TABLE jobs ADD COLUMN batch TEXT;  -- what it is an item of, or the whole of\n"
    "ALTER TABLE jobs ADD COLUMN batch_index INTEGER NOT NULL DEFAULT 0; -- of an item, from 1\n"
    "CREATE INDEX jobs_batch ON jobs(batch, batch_index, number, state) WHERE batch IS NOT NULL;\n",
};
/* clang-format on */

#define VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

/*
 * synchronous = FULL: in WAL mode NORMAL would not sync at a commit, and a power cut could take
 * back "this request is about to be sent", which is the one thing that keeps it from being paid
 * twice. wal_autocheckpoint = 0: the automatic one runs inside some unlucky commit; batch.c does it
 * when there is nothing else to do. temp_store: no files outside the ledger's folder.
 */
static const char *const settings =
    "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -2048;"
    "PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = OFF;"
    "PRAGMA journal_size_limit = 4194304;";

int store_fail(const struct ledger *ledger, int rc, struct err *err)
{
    const char *path = ledger->path;
    const char *why = ledger->db ? sqlite3_errmsg(ledger->db) : sqlite3_errstr(rc);

    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return err_nomem(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_BUSY, "another process holds the ledger %.200s", path);
    case SQLITE_FULL:
        return err_set(err, ERR_IO,
                       "no space for the ledger %.200s: free space on that disk; nothing of this "
                       "step was stored",
                       path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(
            err, ERR_IO,
            "the ledger %.200s is damaged (%.80s) and was left as it is: restore it from "
            "a backup, or move it and its -wal file away to start with an empty one",
            path, why);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return err_set(err, ERR_IO,
                       "the ledger %.200s cannot be opened for writing (%.80s): check "
                       "the rights of the file and its folder",
                       path, why);
    case SQLITE_IOERR:
        return err_set(err, ERR_IO,
                       "the ledger %.200s cannot be read or written (%.80s, error %d): "
                       "check that disk",
                       path, why, rc);
    default:
        return err_set(err, ERR_INTERNAL, "ledger %.200s: %.120s (error %d)", path, why, rc);
    }
}

static int run_script(struct ledger *ledger, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(ledger->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : store_fail(ledger, rc, err);
}

static int read_number(struct ledger *ledger, const char *sql, int *ret_number, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(ledger->db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *ret_number = sqlite3_column_int(stmt, 0);
        sqlite3_finalize(stmt);
        return 0;
    }
    store_fail(ledger, rc, err);
    sqlite3_finalize(stmt);
    return -1;
}

/* Not ours, or from a later version: refused before anything is written to it. */
static int check_version(struct ledger *ledger, int *ret_version, struct err *err)
{
    int application = 0;
    int version = 0;

    if (read_number(ledger, "PRAGMA user_version", &version, err) ||
        read_number(ledger, "PRAGMA application_id", &application, err))
        return -1;
    if (application != 0 && application != APPLICATION_ID)
        return err_set(err, ERR_CONFIG, "%.200s is some other program's database, not a ledger",
                       ledger->path);
    if (version > VERSION || version < 0)
        return err_set(
            err, ERR_CONFIG,
            "the ledger %.200s has version %d, this program knows versions up to %d: use "
            "the newer program, or another state folder",
            ledger->path, version, VERSION);
    *ret_version = version;
    return 0;
}

static int migrate(struct ledger *ledger, struct err *err)
{
    char sql[40];
    int version;

    if (check_version(ledger, &version, err))
        return -1;
    if (version == VERSION)
        return 0;
    if (run_script(ledger, "BEGIN IMMEDIATE", err))
        return -1;
    /* Again, under the lock: another process may have been faster. */
    if (check_version(ledger, &version, err))
        goto undo;
    for (; version < VERSION; version++)
        if (run_script(ledger, migrations[version], err))
            goto undo;
    sqlite3_snprintf(sizeof(sql), sql, "PRAGMA user_version = %d", VERSION);
    if (run_script(ledger, sql, err) || run_script(ledger, "COMMIT", err))
        goto undo;
    return 0;
undo:
    sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
    return -1;
}

/* Sets to WAL, and finds out whether that worked: it answers with the mode that is. */
static int use_log(struct ledger *ledger, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(ledger->db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);
    int is_wal = 0;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        is_wal = sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
    else
        store_fail(ledger, rc, err);
    sqlite3_finalize(stmt);
    if (rc == SQLITE_ROW && !is_wal)
        return err_set(err, ERR_IO,
                       "the file system of %.200s cannot share memory between processes, which the "
                       "ledger needs: use a folder on a local disk",
                       ledger->path);
    return is_wal ? 0 : -1;
}

static int make_folder(const char *path, struct err *err)
{
    char part[LIMIT_PATH];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(part))
        return err_set(err, ERR_CONFIG, "the ledger's folder has no usable name: \"%.80s\"", path);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0700) && errno != EEXIST)
            return err_set(err, ERR_IO, "cannot make the ledger's folder %.200s: %s", part,
                           strerror(errno));
        part[i] = path[i];
    }
    return 0;
}

static int on_commit(void *ud, sqlite3 *db, const char *name, int pages)
{
    struct ledger *ledger = ud;

    (void)db;
    (void)name;
    ledger->log_pages = pages;
    return SQLITE_OK;
}

/*
 * SQLite does not call its busy handler where waiting could be a deadlock, and the change to WAL is
 * such a place: when several processes open a new ledger at once, it has to be tried again.
 */
static int set_up(struct ledger *ledger, struct err *err)
{
    struct err busy;
    int version;

    sqlite3_busy_timeout(ledger->db, OPEN_BUSY_MS);
    sqlite3_db_config(ledger->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    for (int tries = 1;; tries++) {
        if (check_version(ledger, &version, &busy) == 0 && use_log(ledger, &busy) == 0 &&
            run_script(ledger, settings, &busy) == 0 && migrate(ledger, &busy) == 0)
            return 0;
        if (busy.kind != ERR_BUSY || tries >= OPEN_TRIES)
            return err_set(err, busy.kind, "%s", busy.text);
        sqlite3_sleep(OPEN_AGAIN_MS);
    }
}

int schema_open(struct ledger *ledger, struct err *err)
{
    struct stat status;
    char *owners = mem_format("%s/owners", ledger->dir);
    int rc;

    ledger->path = mem_format("%s/" FILE_NAME, ledger->dir);
    if (!owners || !ledger->path || strlen(ledger->path) >= LIMIT_PATH - 64) {
        mem_free(owners);
        return ledger->path && owners
                   ? err_set(err, ERR_CONFIG, "the path of the ledger is too long")
                   : err_nomem(err);
    }
    rc = make_folder(owners, err);
    mem_free(owners);
    if (rc)
        return -1;
    /* NOMUTEX: one thread at a time, see store.h. */
    rc = sqlite3_open_v2(ledger->path, &ledger->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                             SQLITE_OPEN_EXRESCODE,
                         NULL);
    if (rc != SQLITE_OK)
        return store_fail(ledger, rc, err);
    /* Prompts and addresses: for the user alone. The -wal and -shm files take over these rights. */
    if (stat(ledger->path, &status) == 0 && (status.st_mode & 077) && chmod(ledger->path, 0600))
        return err_set(err, ERR_IO, "cannot make %.200s private: %s", ledger->path,
                       strerror(errno));
    if (set_up(ledger, err))
        return -1;
    sqlite3_wal_hook(ledger->db, on_commit, ledger);
    return 0;
}
