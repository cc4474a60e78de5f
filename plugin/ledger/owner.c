/*
 * owner.c - who works on jobs, and who is dead.
 *
 * An owner is a row in `owners` and an open, locked file owners/<id>.lock. A job is held when
 * jobs.owner names a row of `owners`; a job whose owner has no row is free, so that a death costs
 * one deleted row however many jobs it frees. Ids are random and never used again.
 *
 * The lock ends with the process, at once and whatever it died of; so a free lock is a sure sign.
 * It is flock(), bound to the open file and not to the process, so that two instances in one
 * process are two owners. (A child that was forked and runs no other program keeps its parent's
 * lock alive; then only silence tells.) A process that lives but has been silent for longer than
 * its lease, by the wall clock, loses it too, but only after somebody has watched it stay silent
 * for GRACE_MS of his own time: after a suspend, or when the clock is set, all leases look over at
 * once, and the living must get a chance to renew.
 */
#include "base/mem.h"
#include "ledger/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define GRACE_MS   (LEASE_RENEW_MS + 2000)
#define LOCK_TRIES 8
#define STRAYS_MAX 256 /* names looked at in one go */

static int owner_row_is(struct ledger *ledger, const char *id, int64_t *ret_until_ms,
                        struct err *err)
{
    sqlite3_stmt *stmt = store_stmt(ledger, STMT_OWNER_GET);
    int rc;

    sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    rc = store_step(ledger, stmt, err);
    if (rc > 0) {
        *ret_until_ms = sqlite3_column_int64(stmt, 0);
        sqlite3_reset(stmt);
    }
    sqlite3_clear_bindings(stmt);
    return rc;
}

static char *lock_path(const struct ledger *ledger, const char *id)
{
    return mem_format("%s/owners/%s.lock", ledger->dir, id);
}

/* Lock files whose row went with a process that died before it could remove them. */
static void remove_strays(struct ledger *ledger)
{
    char *path = mem_format("%s/owners", ledger->dir);
    DIR *folder = path ? opendir(path) : NULL;
    struct dirent *entry;
    int left = STRAYS_MAX;

    mem_free(path);
    while (folder && left-- > 0 && (entry = readdir(folder))) {
        char id[LIMIT_ID];
        size_t len = strlen(entry->d_name);
        int64_t until_ms;
        int fd;

        if (len < 6 || len - 5 >= sizeof(id) || strcmp(entry->d_name + len - 5, ".lock") != 0)
            continue;
        memcpy(id, entry->d_name, len - 5);
        id[len - 5] = '\0';
        if (store_prepare(ledger, NULL) || owner_row_is(ledger, id, &until_ms, NULL) != 0)
            continue;
        fd = openat(dirfd(folder), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
        close(fd);
    }
    if (folder)
        closedir(folder);
}

int owner_init(struct ledger *ledger, struct err *err)
{
    struct owner *owner = &ledger->owner;

    remove_strays(ledger);
    for (int tries = 0; tries < LOCK_TRIES; tries++) {
        struct stat status;

        if (env_handle(owner->id, sizeof(owner->id), "own_", 12))
            return err_set(err, ERR_IO, "no random numbers: %s", strerror(errno));
        owner->lock_path = lock_path(ledger, owner->id);
        if (!owner->lock_path)
            return err_nomem(err);
        owner->lock_fd = open(owner->lock_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (owner->lock_fd < 0)
            return err_set(err, ERR_IO, "cannot make %.200s: %s", owner->lock_path,
                           strerror(errno));
        /* Between open and flock somebody may have taken it for a stray. */
        if (flock(owner->lock_fd, LOCK_EX | LOCK_NB) == 0 && fstat(owner->lock_fd, &status) == 0 &&
            status.st_nlink > 0)
            return 0;
        if (errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL)
            return err_set(err, ERR_IO, "cannot lock %.200s: %s; use a folder on a local disk",
                           owner->lock_path, strerror(errno));
        close(owner->lock_fd);
        owner->lock_fd = -1;
        mem_free(owner->lock_path);
        owner->lock_path = NULL;
    }
    return err_set(err, ERR_BUSY, "cannot lock a file in %.200s/owners", ledger->dir);
}

int owner_touch(struct ledger *ledger, int64_t wall_ms, int renew, struct err *err)
{
    struct owner *owner = &ledger->owner;
    int64_t until_ms = 0;
    sqlite3_stmt *stmt;
    int rc = owner_row_is(ledger, owner->id, &until_ms, err);

    if (rc < 0)
        return -1;
    /* A lease that ends too late comes from a clock that was set back. */
    if (rc > 0 && !renew && until_ms - wall_ms > LEASE_MS - LEASE_RENEW_MS &&
        until_ms - wall_ms <= LEASE_MS)
        return 0;
    stmt = store_stmt(ledger, STMT_OWNER_PUT);
    sqlite3_bind_text(stmt, 1, owner->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, ledger->env->host->name ? ledger->env->host->name : "", -1,
                      SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, getpid());
    sqlite3_bind_int64(stmt, 4, owner->started_ms);
    sqlite3_bind_int64(stmt, 5, wall_ms + LEASE_MS);
    return store_run(ledger, STMT_OWNER_PUT, err);
}

/* True when a lease has been over, unchanged, for all of GRACE_MS. */
static int has_lapsed(struct owner *owner, const char *id, int64_t until_ms, int64_t wall_ms,
                      int64_t mono_ms)
{
    struct watched *slot = &owner->watched[0];

    if (until_ms >= wall_ms)
        return 0;
    for (size_t i = 0; i < OWNERS_WATCHED_MAX; i++) {
        struct watched *watched = &owner->watched[i];

        if (strcmp(watched->id, id) == 0) {
            if (watched->until_ms == until_ms)
                return mono_ms - watched->since_ms >= GRACE_MS;
            slot = watched;
            break;
        }
        if (watched->id[0] == '\0' || (slot->id[0] != '\0' && watched->since_ms < slot->since_ms))
            slot = watched;
    }
    memset(slot->id, 0, sizeof(slot->id));
    memcpy(slot->id, id, strnlen(id, LIMIT_ID - 1));
    slot->until_ms = until_ms;
    slot->since_ms = mono_ms;
    return 0;
}

/* -1: it lives, or nobody can tell. Else it died; ret_fd is its lock, now ours, or -1. */
static int find_dead(struct ledger *ledger, const char *id, int64_t until_ms, int64_t wall_ms,
                     int64_t mono_ms, int *ret_fd)
{
    char *path = lock_path(ledger, id);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;

    mem_free(path);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *ret_fd = fd;
        return 0;
    }
    if (fd >= 0)
        close(fd);
    *ret_fd = -1;
    return has_lapsed(&ledger->owner, id, until_ms, wall_ms, mono_ms) ? 0 : -1;
}

int owner_sweep(struct ledger *ledger, int64_t wall_ms, int64_t mono_ms, struct err *err)
{
    struct owner *owner = &ledger->owner;
    sqlite3_stmt *stmt = store_stmt(ledger, STMT_OWNER_OTHERS);
    int rc;

    sqlite3_bind_text(stmt, 1, owner->id, -1, SQLITE_STATIC);
    while (owner->swept_count < OWNERS_SWEPT_MAX && (rc = store_step(ledger, stmt, err)) != 0) {
        const char *id;
        int fd;

        if (rc < 0)
            return -1;
        id = (const char *)sqlite3_column_text(stmt, 0);
        if (!id || strlen(id) >= LIMIT_ID ||
            find_dead(ledger, id, sqlite3_column_int64(stmt, 1), wall_ms, mono_ms, &fd))
            continue;
        memcpy(owner->swept[owner->swept_count], id, strlen(id) + 1);
        owner->swept_fds[owner->swept_count++] = fd;
    }
    sqlite3_reset(stmt);
    for (size_t i = 0; i < owner->swept_count; i++) {
        sqlite3_bind_text(store_stmt(ledger, STMT_OWNER_DELETE), 1, owner->swept[i], -1,
                          SQLITE_STATIC);
        if (store_run(ledger, STMT_OWNER_DELETE, err))
            return -1;
    }
    return 0;
}

void owner_swept(struct ledger *ledger, int committed)
{
    struct owner *owner = &ledger->owner;

    for (size_t i = 0; i < owner->swept_count; i++) {
        char *path;

        if (owner->swept_fds[i] < 0)
            continue;
        path = committed ? lock_path(ledger, owner->swept[i]) : NULL;
        if (path)
            unlink(path);
        mem_free(path);
        close(owner->swept_fds[i]);
    }
    owner->swept_count = 0;
}

void owner_done(struct ledger *ledger)
{
    struct owner *owner = &ledger->owner;

    if (!owner->lock_path)
        return;
    /* Without a batch there is no row. If it stays: the free lock says the same. */
    if (ledger->prepared) {
        sqlite3_bind_text(store_stmt(ledger, STMT_OWNER_DELETE), 1, owner->id, -1, SQLITE_STATIC);
        store_run(ledger, STMT_OWNER_DELETE, NULL);
    }
    unlink(owner->lock_path);
    close(owner->lock_fd);
    mem_free(owner->lock_path);
    owner->lock_path = NULL;
}
