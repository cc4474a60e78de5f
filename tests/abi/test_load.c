/*
 * test_load.c - the loader on real files: what it refuses, in which words, and what it knows again.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ahp_load.h"
#include "fake_host.h"

static ahp_err err;

static const ahp_entry *load(const char *path, int32_t rc_wanted)
{
    const ahp_entry *const untouched = (const ahp_entry *)(const void *)&err;
    const ahp_entry *entry = untouched;
    int32_t rc;

    memset(&err, 0, sizeof(err));
    err.size = sizeof(err);
    rc = ahp_load(path, &entry, &err);
    if (rc != rc_wanted)
        print_message("%s: %d, %s\n", path, (int)rc, err.text);
    assert_int_equal(rc, rc_wanted);
    if (rc == AHP_OK)
        return entry;
    assert_ptr_equal(entry, untouched);
    assert_int_equal(err.code, rc);
    return NULL;
}

static void demand_words(const char *words)
{
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.text, words);
}

/* Two of one name: what was needed and what there is. */
static void refused(const char *file, int32_t rc, const char *needed, const char *there_is)
{
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/%s", ABI_BAD_DIR, file);
    (void)load(path, rc);
    demand_words(needed);
    demand_words(there_is);
}

static void refuses_entries(void **state)
{
    (void)state;
    refused("bad_major.so", AHP_E_VERSION, "major 2", "major 1");
    refused("bad_minor.so", AHP_E_VERSION, "1.9", "1.0");
    refused("bad_short.so", AHP_E_VERSION, "48 bytes", "56");
    refused("bad_id.so", AHP_E_FAILED, "Bad Id", "[a-z0-9_-]{1,64}");
    refused("bad_slot.so", AHP_E_FAILED, "wants", "1.0");
    refused("bad_null.so", AHP_E_FAILED, AHP_ENTRY_NAME, "NULL");
    refused("bad_no_entry.so", AHP_E_VERSION, AHP_ENTRY_NAME, "major 1");
}

/* The linker's own words, where libltdl says "file not found". */
static void refuses_what_does_not_link(void **state)
{
    (void)state;
    refused("bad_unresolved.so", AHP_E_FAILED, "undefined symbol",
            "ahp_test_function_that_nobody_has");
}

static void refuses_files(void **state)
{
    char path[] = "/tmp/ahp-load-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "no library\n", 11), 11);
    (void)close(fd);
    (void)load(path, AHP_E_FAILED);
    demand_words(path);
    demand_words("file too short");
    assert_int_equal(unlink(path), 0);
    (void)load(path, AHP_E_NOT_FOUND);
    demand_words("No such file");
    (void)load("/", AHP_E_FAILED);
    demand_words("not a file");
    (void)load("", AHP_E_INVALID);
    (void)load(NULL, AHP_E_INVALID);
    /* No extension is guessed. */
    {
        char stem[4096];

        (void)snprintf(stem, sizeof(stem), "%s", ABI_PLUGIN);
        stem[strlen(stem) - 3] = '\0';
        (void)load(stem, AHP_E_NOT_FOUND);
    }
}

static void knows_a_file_again(void **state)
{
    char dir[] = "/tmp/ahp-load-XXXXXX";
    char link_path[64];
    char spelled[4200];
    const char *name = strrchr(ABI_PLUGIN, '/') + 1;
    const ahp_entry *entry;
    const ahp_entry *twin;

    (void)state;
    entry = load(ABI_PLUGIN, AHP_OK);
    assert_ptr_equal(load(ABI_PLUGIN, AHP_OK), entry);
    (void)snprintf(spelled, sizeof(spelled), "%.*s/./%s", (int)(name - 1 - ABI_PLUGIN), ABI_PLUGIN,
                   name);
    assert_ptr_equal(load(spelled, AHP_OK), entry);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(link_path, sizeof(link_path), "%s/other-name.so", dir);
    assert_int_equal(symlink(ABI_PLUGIN, link_path), 0);
    assert_ptr_equal(load(link_path, AHP_OK), entry);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(rmdir(dir), 0);
    /* A hard link has another real path; only device and inode tell. */
    (void)snprintf(spelled, sizeof(spelled), "%s.hard-link.%ld", ABI_PLUGIN, (long)getpid());
    assert_int_equal(link(ABI_PLUGIN, spelled), 0);
    assert_ptr_equal(load(spelled, AHP_OK), entry);
    assert_int_equal(unlink(spelled), 0);
    /* A second file is a second library, with its own static data. */
    twin = load(ABI_TWIN, AHP_OK);
    assert_ptr_not_equal(twin, entry);
    assert_string_equal(twin->id, entry->id);
}

static void file_copy(const char *from, const char *to)
{
    char bytes[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    ssize_t len;

    assert_true(in >= 0 && out >= 0);
    while ((len = read(in, bytes, sizeof(bytes))) > 0)
        assert_int_equal(write(out, bytes, (size_t)len), len);
    assert_int_equal(len, 0);
    (void)close(in);
    (void)close(out);
}

/* An update over a loaded plugin: the process keeps what it has, and is not given half of each. */
static void keeps_what_was_replaced(void **state)
{
    char dir[] = "/tmp/ahp-load-XXXXXX";
    char path[64];
    char newer[64];
    const ahp_entry *entry;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/plugin.so", dir);
    (void)snprintf(newer, sizeof(newer), "%s/newer.so", dir);
    file_copy(ABI_PLUGIN, path);
    entry = load(path, AHP_OK);
    file_copy(ABI_BAD_DIR "/bad_create.so", newer);
    assert_int_equal(rename(newer, path), 0);
    assert_ptr_equal(load(path, AHP_OK), entry);
    assert_string_equal(entry->id, "echo");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void stays_resident_and_local(void **state)
{
    void *handle;

    (void)state;
    (void)load(ABI_PLUGIN, AHP_OK);
    handle = dlopen(ABI_PLUGIN, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(handle);
    (void)dlclose(handle);
    assert_null(dlsym(RTLD_DEFAULT, AHP_ENTRY_NAME));
}

static void checks_needs(void **state)
{
    struct fake_host *fake = fake_host_new();
    const ahp_entry *entry;

    (void)state;
    entry = load(ABI_BAD_DIR "/bad_needs.so", AHP_OK);
    assert_int_equal(ahp_entry_check(entry, &fake->host, &err), AHP_E_VERSION);
    demand_words("org.example.moon/3");
    demand_words("fake-host");
    entry = load(ABI_PLUGIN, AHP_OK);
    assert_int_equal(ahp_entry_check(entry, &fake->host, &err), AHP_OK);
    fake->has_calls = 0;
    assert_int_equal(ahp_entry_check(entry, &fake->host, &err), AHP_E_VERSION);
    demand_words("ahp.calls/1");
    assert_int_equal(ahp_entry_check(NULL, NULL, NULL), AHP_E_FAILED);
    fake_host_free(fake);
}

static void checks_instances(void **state)
{
    struct fake_host *fake = fake_host_new();
    const ahp_entry *entry = load(ABI_PLUGIN, AHP_OK);
    ahp_inst *inst = NULL;
    ahp_inst copy;

    (void)state;
    assert_int_equal(entry->create(&fake->host, NULL, &inst, &err), AHP_OK);
    assert_int_equal(ahp_inst_check(inst, &err), AHP_OK);
    copy = *inst;
    copy.size = (uint32_t)offsetof(ahp_inst, ext);
    assert_int_equal(ahp_inst_check(&copy, &err), AHP_E_VERSION);
    demand_words("72 bytes");
    copy = *inst;
    copy.receipt = NULL;
    assert_int_equal(ahp_inst_check(&copy, &err), AHP_E_FAILED);
    assert_int_equal(ahp_inst_check(NULL, NULL), AHP_E_FAILED);
    inst->destroy(inst->self);
    fake_host_free(fake);
}

static void hands_on_the_reason_of_create(void **state)
{
    struct fake_host *fake = fake_host_new();
    const ahp_entry *entry = load(ABI_BAD_DIR "/bad_create.so", AHP_OK);
    ahp_inst *inst = NULL;

    (void)state;
    assert_int_equal(entry->create(&fake->host, NULL, &inst, &err), AHP_E_FAILED);
    assert_null(inst);
    assert_string_equal(err.text, "the disk is full");
    fake_host_free(fake);
}

/* A caller from a time when ahp_err was shorter gets what fits, still ending in NUL. */
static void fills_a_short_err(void **state)
{
    struct {
        uint32_t size;
        int32_t code;
        char text[8];
        char after;
    } shorter = {16, 0, {0}, 'x'};
    const ahp_entry *entry = NULL;

    (void)state;
    assert_int_equal(ahp_load("/nowhere/at/all.so", &entry, (ahp_err *)(void *)&shorter),
                     AHP_E_NOT_FOUND);
    assert_int_equal(shorter.code, AHP_E_NOT_FOUND);
    assert_string_equal(shorter.text, "/nowher");
    assert_int_equal(shorter.after, 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_entries),
        cmocka_unit_test(refuses_what_does_not_link),
        cmocka_unit_test(refuses_files),
        cmocka_unit_test(knows_a_file_again),
        cmocka_unit_test(keeps_what_was_replaced),
        cmocka_unit_test(stays_resident_and_local),
        cmocka_unit_test(checks_needs),
        cmocka_unit_test(checks_instances),
        cmocka_unit_test(hands_on_the_reason_of_create),
        cmocka_unit_test(fills_a_short_err),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
