/*
 * test_guard.c - structs that end at the edge of an unmapped page: who reads past the size that the
 * other side wrote does not pass this test, he crashes in it (R4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "ahp_load.h"
#include "puppet.h"

struct guarded {
    char *pages;
    size_t page_bytes;
};

/*
 * A copy of the first `keep` bytes, right before the page that cannot be touched. Structs keep
 * their alignment of 8: the loops below go in such steps.
 */
static void *guarded_new(struct guarded *guarded, const void *bytes, size_t keep)
{
    char *at;

    guarded->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    guarded->pages = mmap(NULL, 2 * guarded->page_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(guarded->pages != MAP_FAILED);
    assert_int_equal(
        mprotect(guarded->pages + guarded->page_bytes, guarded->page_bytes, PROT_NONE), 0);
    at = guarded->pages + guarded->page_bytes - keep;
    memcpy(at, bytes, keep);
    return at;
}

static void guarded_free(struct guarded *guarded)
{
    assert_int_equal(munmap(guarded->pages, 2 * guarded->page_bytes), 0);
}

static void has_tells_without_touching(void **state)
{
    struct guarded guarded;
    ahp_host *host;

    (void)state;
    fake->host.size = offsetof(ahp_host, log_on);
    host = guarded_new(&guarded, &fake->host, offsetof(ahp_host, log_on));
    assert_true(AHP_HAS(host, ext));
    assert_true(AHP_HAS(host, log));
    assert_false(AHP_HAS(host, log_on));
    assert_false(AHP_IN(host, log_on));
    assert_false(AHP_HAS(host, stopped));
    host->log = NULL;
    assert_true(AHP_IN(host, log));
    assert_false(AHP_HAS(host, log));
    guarded_free(&guarded);
}

static void plugin_refuses_a_short_host(void **state)
{
    struct guarded guarded;
    const ahp_entry *entry = NULL;
    ahp_inst *made = NULL;
    ahp_err err = {.size = sizeof(err)};
    ahp_host *host;

    (void)state;
    assert_int_equal(ahp_load(ABI_PLUGIN, &entry, &err), AHP_OK);
    fake->host.size = offsetof(ahp_host, stopped);
    host = guarded_new(&guarded, &fake->host, fake->host.size);
    assert_int_equal(entry->create(host, NULL, &made, &err), AHP_E_VERSION);
    assert_null(made);
    assert_non_null(strstr(err.text, "shorter"));
    assert_int_equal(ahp_entry_check(entry, host, &err), AHP_E_VERSION);
    assert_non_null(strstr(err.text, "56 bytes"));
    assert_non_null(strstr(err.text, "64"));
    guarded_free(&guarded);
}

static void shim_refuses_a_short_host(void **state)
{
    struct guarded guarded;
    ahp_err err = {.size = sizeof(err)};
    ahp_host *host;

    (void)state;
    for (uint32_t size = 8; size < sizeof(ahp_host); size += 8) {
        fake->host.size = size;
        host = guarded_new(&guarded, &fake->host, size);
        assert_int_equal(
            ahp_shim_create(&puppet.entry, host, NULL, &inst, &err, NULL, NULL), AHP_E_VERSION);
        assert_null(inst);
        guarded_free(&guarded);
    }
}

static void short_entries_are_refused(void **state)
{
    struct guarded guarded;
    ahp_err err = {.size = sizeof(err)};
    ahp_entry *entry;

    (void)state;
    for (uint32_t size = 8; size < sizeof(ahp_entry); size += 8) {
        puppet.entry.size = size;
        entry = guarded_new(&guarded, &puppet.entry, size);
        assert_int_equal(ahp_entry_check(entry, NULL, &err), AHP_E_VERSION);
        assert_int_equal(ahp_shim_create(entry, &fake->host, NULL, &inst, &err, NULL, NULL),
                         AHP_E_VERSION);
        guarded_free(&guarded);
    }
}

static ahp_inst *short_inst;
static uint32_t destroyed;

static int32_t create_short(const ahp_text *config, ahp_inst **ret_inst, ahp_err *ret_err)
{
    (void)config;
    (void)ret_err;
    *ret_inst = short_inst;
    return AHP_OK;
}

static void count_destroy(void)
{
    destroyed++;
}

/* An instance that lacks slots is destroyed where it can be, and never used. */
static void short_instances_are_refused(void **state)
{
    struct guarded guarded;

    (void)state;
    puppet.in_create = create_short;
    puppet.in_destroy = count_destroy;
    for (uint32_t size = 8; size < sizeof(ahp_inst); size += 8) {
        destroyed = 0;
        puppet.inst.size = size;
        short_inst = guarded_new(&guarded, &puppet.inst, size);
        assert_int_equal(puppet_create(), AHP_E_VERSION);
        expect(AHP_SHIM_PLUGIN_STRUCT);
        assert_int_equal(destroyed, AHP_IN(&puppet.inst, destroy));
        guarded_free(&guarded);
    }
}

/* Short arguments in both directions, and texts that end at the edge without a NUL. */
static void short_arguments_are_refused(void **state)
{
    ahp_call call = fake_host_call(fake, "pull", "{}", "chat", "room");
    ahp_result made = result(AHP_RESULT_OK);
    struct guarded guarded;
    struct guarded words;

    (void)state;
    puppet_running();
    for (uint32_t size = 8; size < offsetof(ahp_call, locale) + sizeof(ahp_text); size += 8) {
        call.size = size;
        assert_int_equal(inst->call(inst->self, guarded_new(&guarded, &call, size)), AHP_E_INVALID);
        expect(AHP_SHIM_HOST_STRUCT);
        guarded_free(&guarded);
    }
    call.size = sizeof(call);
    call.args.ptr = guarded_new(&words, "{\"a\":1}", 7);
    call.args.len = 7;
    assert_int_equal(inst->call(inst->self, guarded_new(&guarded, &call, sizeof(call))), AHP_OK);
    guarded_free(&guarded);
    for (uint32_t size = 8; size < offsetof(ahp_result, reserved); size += 8) {
        made.size = size;
        assert_int_equal(puppet.calls->complete(puppet.host->ctx, call.id,
                                                guarded_new(&guarded, &made, size)),
                         AHP_E_INVALID);
        expect(AHP_SHIM_PLUGIN_STRUCT);
        guarded_free(&guarded);
    }
    made.size = sizeof(made);
    made.json = call.args;
    assert_int_equal(puppet.calls->complete(puppet.host->ctx, call.id, &made), AHP_OK);
    assert_string_equal(fake_host_end(fake, call.id)->json, "{\"a\":1}");
    guarded_free(&words);
}

/* A struct from a later version is longer: nobody minds. */
static void longer_structs_are_fine(void **state)
{
    struct {
        ahp_call call;
        uint64_t of_a_later_version[4];
    } longer = {.call = fake_host_call(fake, "pull", "{}", NULL, NULL)};

    (void)state;
    fake->host.minor = 7;
    puppet_running();
    longer.call.size = sizeof(longer);
    assert_int_equal(inst->call(inst->self, &longer.call), AHP_OK);
    expect_nothing();
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, puppet_setup, puppet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(has_tells_without_touching),  WITH(plugin_refuses_a_short_host),
        WITH(shim_refuses_a_short_host),   WITH(short_entries_are_refused),
        WITH(short_instances_are_refused), WITH(short_arguments_are_refused),
        WITH(longer_structs_are_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
