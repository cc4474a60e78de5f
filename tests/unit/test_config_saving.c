/* The small files that config/ writes: one after the other, each told once, and none lost at the end. */
#include "config_home.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct told {
    struct home *home;
    int calls;
    int nomem; /* the number of the call that told of it */
};

static void on_saved(void *ud, int changed, const struct err *err);

static void save(struct told *told, const char *key)
{
    json_t *members = json_pack("{s:s}", "access_key", key);

    assert_int_equal(config_credential_save(told->home->config, "libtv", members, on_saved, told,
                                            &told->home->err), 0);
    json_decref(members);
}

static void on_saved(void *ud, int changed, const struct err *err)
{
    struct told *told = ud;

    told->calls++;
    if (err) {
        assert_int_equal(changed, -1);
        assert_int_equal(err->kind, ERR_NOMEM);
        told->nomem = told->calls;
        told->home->mini.fail_defer = 0;
        save(told, "added");
    }
}

static void holds(const struct home *home, const char *key)
{
    char path[4096];
    json_t *json;

    assert_int_equal(config_credential_path(home->config, "libtv", path, sizeof(path)), 0);
    json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "access_key")), key);
    json_decref(json);
}

static void test_order(void **state)
{
    struct told told = {.home = *state};

    home_open(told.home, NULL);
    save(&told, "first");
    save(&told, "second");
    assert_true(config_is_saving(told.home->config));
    assert_int_equal(mini_turn(&told.home->mini), 1);
    assert_int_equal(told.calls, 1);
    holds(told.home, "first");
    assert_int_equal(mini_turn(&told.home->mini), 1);
    assert_int_equal(told.calls, 2);
    holds(told.home, "second");
    assert_false(config_is_saving(told.home->config));
}

/* The second cannot begin; who hears of that adds a third, which is begun once. */
static void test_added_while_told(void **state)
{
    struct told told = {.home = *state};

    home_open(told.home, NULL);
    save(&told, "first");
    save(&told, "second");
    told.home->mini.fail_defer = 1;
    assert_int_equal(mini_turn(&told.home->mini), 1);
    assert_int_equal(told.calls, 2);
    assert_int_equal(told.nomem, 2);
    holds(told.home, "first");
    assert_int_equal(mini_turn(&told.home->mini), 1);
    assert_int_equal(told.calls, 3);
    holds(told.home, "added");
    assert_int_equal(mini_turn(&told.home->mini), 0);
    assert_false(config_is_saving(told.home->config));
}

/* What was begun is written, and nobody is told. */
static void test_end(void **state)
{
    struct told told = {.home = *state};

    home_open(told.home, NULL);
    save(&told, "first");
    save(&told, "second");
    env_cancel_work(&told.home->mini.env);
    assert_int_equal(told.calls, 0);
    holds(told.home, "second");
    assert_int_equal(mini_turn(&told.home->mini), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, home_make, home_remove)
    static const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_added_while_told),
        TEST(test_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
