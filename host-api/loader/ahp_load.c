/*
 * ahp_load.c - loads a plugin's file through libltdl, once, for the life of the process.
 *
 * libltdl 2.4.7 has habits this file works around, all measured: it says "file not found" for a
 * file that exists but does not link; it binds lazily, so a missing function shows only when it is
 * called; two spellings of one path give two handles; its error text is process-wide and may be
 * stale. So the path is resolved first, the file is known by device and inode, and one
 * dlopen(RTLD_NOW) goes before: it binds every symbol while a failure can still be told, in the
 * linker's own words.
 *
 * The table of loaded files is this process's memory of what is resident, hence static. It only
 * grows, up to MODULES_MAX; nothing is ever unloaded.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <ltdl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ahp_err_fill.h"
#include "ahp_load.h"

#define MODULES_MAX 64u

#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__)
#define DEEPBIND RTLD_DEEPBIND
#else
#define DEEPBIND 0
#endif

struct module {
    dev_t dev;
    ino_t ino;
    char *path;
    const ahp_entry *entry;
};

static struct module modules[MODULES_MAX];
static uint32_t modules_count;
static int ltdl_ready;

/*
 * A path whose file was replaced since it was loaded counts as loaded: libltdl would hand out the
 * old handle anyway, and an update needs a new process.
 */
static const struct module *module_find(const char *path, const struct stat *st)
{
    for (uint32_t i = 0; i < modules_count; i++) {
        if ((modules[i].dev == st->st_dev && modules[i].ino == st->st_ino) ||
            strcmp(modules[i].path, path) == 0)
            return &modules[i];
    }
    return NULL;
}

static const char *ltdl_words(void)
{
    const char *words = lt_dlerror();

    return words == NULL ? "libltdl gives no reason" : words;
}

static int32_t ltdl_open(const char *path, lt_dlhandle *ret_handle, ahp_err *ret_err)
{
    lt_dladvise advise;
    lt_dlhandle handle = NULL;

    if (!ltdl_ready) {
        if (lt_dlinit() != 0)
            return ahp_err_fill(ret_err, AHP_E_FAILED, "libltdl does not start: %s", ltdl_words());
        ltdl_ready = 1;
    }
    (void)lt_dlerror(); /* drops what an earlier success may have left */
    if (lt_dladvise_init(&advise) != 0)
        return ahp_err_fill(ret_err, AHP_E_NOMEM, "libltdl: %s", ltdl_words());
    if (lt_dladvise_local(&advise) == 0 && lt_dladvise_resident(&advise) == 0)
        handle = lt_dlopenadvise(path, advise);
    if (handle == NULL)
        (void)ahp_err_fill(ret_err, AHP_E_FAILED, "%.150s: %s", path, ltdl_words());
    lt_dladvise_destroy(&advise);
    if (handle == NULL)
        return AHP_E_FAILED;
    *ret_handle = handle;
    return AHP_OK;
}

/* The linker's message starts with the path; the caller's copy of it would only push it out. */
static int32_t bind_now(const char *path, uint32_t flags, void **ret_probe, ahp_err *ret_err)
{
    const char *words;
    void *probe;

    (void)dlerror();
    /* where symbols are looked for is settled here: libltdl's own dlopen only adds a reference */
    probe = dlopen(path, RTLD_NOW | RTLD_LOCAL | ((flags & AHP_LOAD_DEEPBIND) ? DEEPBIND : 0));
    if (probe != NULL) {
        *ret_probe = probe;
        return AHP_OK;
    }
    words = dlerror();
    if (words == NULL)
        return ahp_err_fill(ret_err, AHP_E_FAILED, "%.150s: does not load", path);
    if (strlen(words) >= sizeof(ret_err->text) && strncmp(words, path, strlen(path)) == 0)
        words += strlen(path) + (words[strlen(path)] == ':');
    return ahp_err_fill(ret_err, AHP_E_FAILED, "%s", words);
}

static int32_t entry_find(lt_dlhandle handle, const char *path, const ahp_entry **ret_entry,
                          ahp_err *ret_err)
{
    void *symbol = lt_dlsym(handle, AHP_ENTRY_NAME);
    ahp_entry_fn *function;
    const ahp_entry *entry;

    if (symbol == NULL)
        return ahp_err_fill(ret_err, AHP_E_VERSION,
                            "%.150s: has no symbol %s, so it is no plugin for ABI major %u", path,
                            AHP_ENTRY_NAME, (unsigned)AHP_MAJOR);
    /* ISO C has no cast from an object pointer to a function pointer; POSIX promises equal form. */
    memcpy(&function, &symbol, sizeof(function));
    entry = function();
    if (entry == NULL)
        return ahp_err_fill(ret_err, AHP_E_FAILED, "%.150s: %s() returned NULL", path,
                            AHP_ENTRY_NAME);
    *ret_entry = entry;
    return AHP_OK;
}

/* Takes over `path` on success. */
static int32_t module_load_take(char *path, const struct stat *st, uint32_t flags,
                                const ahp_entry **ret_entry, ahp_err *ret_err)
{
    const ahp_entry *entry = NULL;
    lt_dlhandle handle = NULL;
    void *probe = NULL;
    int32_t rc;

    if (modules_count == MODULES_MAX)
        return ahp_err_fill(ret_err, AHP_E_LIMIT, "%u plugins are loaded, the limit is %u",
                            modules_count, MODULES_MAX);
    rc = bind_now(path, flags, &probe, ret_err);
    if (rc != AHP_OK)
        return rc;
    rc = ltdl_open(path, &handle, ret_err);
    if (rc == AHP_OK)
        rc = entry_find(handle, path, &entry, ret_err);
    /* libltdl's resident handle keeps the file mapped; without one it goes with the probe. */
    (void)dlclose(probe);
    if (rc != AHP_OK)
        return rc;
    modules[modules_count].dev = st->st_dev;
    modules[modules_count].ino = st->st_ino;
    modules[modules_count].path = path;
    modules[modules_count].entry = entry;
    modules_count++;
    *ret_entry = entry;
    return AHP_OK;
}

int32_t ahp_load(const char *path, const ahp_entry **ret_entry, ahp_err *ret_err)
{
    return ahp_load_with(path, 0, ret_entry, ret_err);
}

int32_t ahp_load_with(const char *path, uint32_t flags, const ahp_entry **ret_entry,
                      ahp_err *ret_err)
{
    const struct module *known;
    const ahp_entry *entry = NULL;
    struct stat st;
    char *real = NULL;
    int32_t rc;

    if (path == NULL || path[0] == '\0')
        return ahp_err_fill(ret_err, AHP_E_INVALID, "no path of a plugin was given");
    real = realpath(path, NULL);
    if (real == NULL || stat(real, &st) != 0) {
        int error = errno;

        rc = error == ENOENT || error == ENOTDIR ? AHP_E_NOT_FOUND : AHP_E_FAILED;
        (void)ahp_err_fill(ret_err, rc, "%.150s: %s", path, strerror(error));
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = ahp_err_fill(ret_err, AHP_E_FAILED, "%.150s: is not a file", real);
        goto out;
    }
    known = module_find(real, &st);
    if (known != NULL) {
        entry = known->entry;
    } else {
        rc = module_load_take(real, &st, flags, &entry, ret_err);
        if (rc != AHP_OK)
            goto out;
        real = NULL;
    }
    rc = ahp_entry_check(entry, NULL, ret_err);
    if (rc == AHP_OK)
        *ret_entry = entry;
out:
    free(real);
    return rc;
}
