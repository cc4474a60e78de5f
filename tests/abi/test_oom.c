/*
 * test_oom.c - the shim without memory: one life of an instance, run again and again with the nth
 * allocation failing, alone and with all after it, until none fails any more. Nothing may crash,
 * leak or be blamed on a side that behaves; what the shim cannot check then goes unchecked.
 *
 * malloc and calloc of everything linked in here are wrapped by the linker; the fake host reports a
 * failure as AHP_E_NOMEM, or records with realloc and strndup, which do not fail here.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "puppet.h"

#define ROUNDS_MAX 500u

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static uint32_t fail_at; /* 0: none */
static int fail_from_there;
static uint32_t allocations;

static int fails(void)
{
    allocations++;
    return fail_at != 0 &&
           (allocations == fail_at || (fail_from_there && allocations > fail_at));
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

static void life(int fd)
{
    static const ahp_file boat = {sizeof(boat), 0, "/tmp/b.png", "b.png", "image/png", NULL, 3};
    static const ahp_file *const files[] = {&boat};
    ahp_call call = fake_host_call(fake, "pull", "{}", "chat", "room");
    ahp_result made = result(AHP_RESULT_OK);
    ahp_delivery offered = delivery("k:1");
    ahp_receipt given = receipt("k:1", AHP_RECEIPT_DELIVERED);
    void *ctx;

    if (puppet_create() != AHP_OK || inst->start(inst->self, NULL) != AHP_OK)
        return;
    ctx = puppet.host->ctx;
    made.files = offered.files = files;
    made.files_count = offered.files_count = 1;
    puppet.host->log(ctx, AHP_LOG_INFO, 1, "line", 4);
    (void)inst->ext(inst->self, AHP_JOBS_1);
    if (inst->call(inst->self, &call) == AHP_OK)
        assert_int_equal(puppet.calls->complete(ctx, call.id, &made), AHP_OK);
    if (puppet.deliver->offer(ctx, &offered) == AHP_OK)
        assert_int_equal(inst->receipt(inst->self, &given), AHP_OK);
    if (puppet.loop->watch_new(ctx, fd, AHP_IO_IN, &puppet.watch, puppet_on_watch, &puppet) ==
        AHP_OK)
        puppet.loop->watch_free(puppet.watch);
    if (puppet.loop->timer_new(ctx, &puppet.timer, puppet_on_timer, &puppet) == AHP_OK) {
        assert_int_equal(puppet.loop->timer_at(puppet.timer, fake->now_ms), AHP_OK);
        puppet.loop->timer_free(puppet.timer);
    }
    if (puppet.loop->defer(ctx, &puppet.deferred, puppet_on_timer, &puppet) == AHP_OK)
        puppet.loop->defer_free(puppet.deferred);
    inst->stop(inst->self, fake->now_ms + 5);
    assert_int_equal(fake->stopped, 1);
}

static uint32_t rounds(int persistent)
{
    uint32_t round;
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    for (round = 1; round < ROUNDS_MAX; round++) {
        uint32_t used;

        assert_int_equal(puppet_setup(NULL), 0);
        allocations = 0;
        fail_from_there = persistent;
        fail_at = round;
        life(fds[0]);
        used = allocations;
        fail_at = 0;
        assert_int_equal(puppet_teardown(NULL), 0); /* nobody was accused, nothing is left */
        if (used < round)
            break;
    }
    (void)close(fds[0]);
    (void)close(fds[1]);
    return round;
}

static void one_fails(void **state)
{
    uint32_t count = rounds(0);

    (void)state;
    assert_in_range(count, 30, ROUNDS_MAX - 1); /* it did fail, and it came to an end */
}

static void all_from_there_fail(void **state)
{
    uint32_t count = rounds(1);

    (void)state;
    assert_in_range(count, 30, ROUNDS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_fails),
        cmocka_unit_test(all_from_there_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
