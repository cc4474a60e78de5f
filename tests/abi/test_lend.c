/*
 * test_lend.c - borrowed means borrowed (R5): under the shim each side sees copies, and they are
 * gone when the call has returned. With the address sanitizer the memory itself is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "puppet.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#define IS_GONE(pointer) (__asan_address_is_poisoned(pointer) != 0)
#else
#define IS_GONE(pointer) ((pointer) != NULL) /* only the copying is seen without it */
#endif

#define KEPT_MAX 12

static const void *kept[KEPT_MAX];
static uint32_t kept_count;

static void keep(const void *pointer)
{
    assert_non_null(pointer);
    assert_true(kept_count < KEPT_MAX);
    kept[kept_count++] = pointer;
}

static void all_gone(const void *const *originals, uint32_t count)
{
    assert_int_equal(kept_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_ptr_not_equal(kept[i], originals[i]);
        assert_true(IS_GONE(kept[i]));
    }
    kept_count = 0;
}

static int32_t keep_call(const ahp_call *call)
{
    keep(call);
    keep(call->args.ptr);
    keep(call->reply_to.ptr);
    assert_memory_equal(call->args.ptr, "{}", 2);
#ifdef HAS_ASAN
    assert_true(IS_GONE(call->args.ptr + call->args.len)); /* no NUL to be found there */
#endif
    return AHP_OK;
}

static void plugin_keeps_a_call(void **state)
{
    ahp_call call = fake_host_call(fake, "pull", "{}", "chat", NULL);
    const void *originals[] = {&call, call.args.ptr, call.reply_to.ptr};

    (void)state;
    puppet_running();
    puppet.in_call = keep_call;
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    all_gone(originals, 3);
}

static int32_t keep_receipt(const ahp_receipt *given)
{
    keep(given->key.ptr);
    return AHP_OK;
}

static void plugin_keeps_a_receipt(void **state)
{
    ahp_receipt given = receipt("k", AHP_RECEIPT_DELIVERED);
    const void *originals[] = {given.key.ptr};

    (void)state;
    puppet_running();
    puppet.in_receipt = keep_receipt;
    assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    all_gone(originals, 1);
}

static int32_t keep_config(const ahp_text *config, ahp_inst **ret_inst, ahp_err *ret_err)
{
    (void)ret_err;
    keep(config->ptr);
    assert_memory_equal(config->ptr, "{\"a\":1}", config->len);
    *ret_inst = &puppet.inst;
    return AHP_OK;
}

static void plugin_keeps_the_configuration(void **state)
{
    ahp_text config = text("{\"a\":1}");
    const void *originals[] = {config.ptr};

    (void)state;
    puppet.in_create = keep_config;
    assert_int_equal(ahp_shim_create(&puppet.entry, &fake->host, &config, &inst, NULL, NULL, NULL),
                     AHP_OK);
    all_gone(originals, 1);
}

static int32_t keep_result(void *ctx, uint64_t call_id, const ahp_result *made)
{
    (void)ctx;
    (void)call_id;
    keep(made->json.ptr);
    keep(made->files);
    keep(made->files[0]);
    keep(made->files[0]->path);
    assert_string_equal(made->files[0]->path, "/tmp/boat.png");
    assert_null(made->files[0]->handle);
    return AHP_OK;
}

static const ahp_file boat = {
    .size = sizeof(boat),
    .path = "/tmp/boat.png",
    .name = "boat.png",
    .mime = "image/png",
    .bytes = 3,
};

static void host_keeps_a_result(void **state)
{
    static const ahp_file *const files[] = {&boat};
    ahp_call call = fake_host_call(fake, "pull", "{}", NULL, NULL);
    ahp_result made = result(AHP_RESULT_OK);
    const void *originals[] = {made.json.ptr, files, &boat, boat.path};

    (void)state;
    fake->calls.complete = keep_result;
    puppet_running();
    assert_int_equal(inst->call(inst->self, &call), AHP_OK);
    made.files = files;
    made.files_count = 1;
    assert_int_equal(puppet.calls->complete(puppet.host->ctx, call.id, &made), AHP_OK);
    all_gone(originals, 4);
}

static int32_t keep_delivery(void *ctx, const ahp_delivery *offered)
{
    (void)ctx;
    keep(offered->key.ptr);
    keep(offered->text.ptr);
    return AHP_OK;
}

static void host_keeps_a_delivery(void **state)
{
    ahp_delivery offered = delivery("k:1");
    const void *originals[] = {offered.key.ptr, offered.text.ptr};

    (void)state;
    fake->deliver.offer = keep_delivery;
    puppet_running();
    assert_int_equal(puppet.deliver->offer(puppet.host->ctx, &offered), AHP_OK);
    all_gone(originals, 2);
}

static void keep_log(void *ctx, int32_t level, uint32_t item, const char *words, size_t len)
{
    (void)ctx;
    (void)level;
    (void)item;
    (void)len;
    keep(words);
}

static void host_keeps_a_line(void **state)
{
    const char *line = "a line";
    const void *originals[] = {line};

    (void)state;
    fake->host.log = keep_log;
    puppet_running();
    puppet.host->log(puppet.host->ctx, AHP_LOG_INFO, 1, line, strlen(line));
    all_gone(originals, 1);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, puppet_setup, puppet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(plugin_keeps_a_call),
        WITH(plugin_keeps_a_receipt),
        WITH(plugin_keeps_the_configuration),
        WITH(host_keeps_a_result),
        WITH(host_keeps_a_delivery),
        WITH(host_keeps_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
