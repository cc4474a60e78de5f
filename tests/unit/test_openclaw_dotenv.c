/* The corners of the .env format that people meet; tests/json5/ compares many more with the host's
 * own package. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "config/openclaw_dotenv.h"

static void expect(const char *text, const char *name, const char *value)
{
    json_t *values = openclaw_dotenv_parse(text, strlen(text));
    const char *got = json_string_value(json_object_get(values, name));

    assert_non_null(values);
    if (value ? !got || strcmp(got, value) != 0 : got != NULL)
        fail_msg("%s: %s is %s, expected %s", text, name, got ? got : "absent",
                 value ? value : "absent");
    json_decref(values);
}

static void test_lines(void **state)
{
    (void)state;
    expect("A=1\nB=2\n", "A", "1");
    expect("A=1\r\nB=2", "B", "2");
    expect("A=1\rB=2", "B", "2");
    expect("\xef\xbb\xbf"
           "A=1",
           "A", "1");
    expect("  export A = 1  ", "A", "1");
    expect("export = 1", "export", "1");
    expect("A: 1", "A", "1");
    expect("A:1", "A", NULL);
    expect("# A=1", "A", NULL);
    expect("A=1\nA=2", "A", "2");
    expect("A=\nB=2", "A", "");
    expect("A=\nB=2", "B", "2");
    expect("A\nB=2", "A", NULL);
    expect("a.b=1", "a.b", NULL);
    expect("1A=1", "1A", NULL);
}

static void test_values(void **state)
{
    (void)state;
    expect("A=one two # c", "A", "one two");
    expect("A=one#c", "A", "one");
    expect("A='one # two' # c", "A", "one # two");
    expect("A=\"a\\nb\"", "A", "a\nb");
    expect("A='a\\nb'", "A", "a\\nb");
    expect("A=`it's \"so\"`", "A", "it's \"so\"");
    expect("A=\"two\nlines\"\nB=2", "A", "two\nlines");
    expect("A=\"two\nlines\"\nB=2", "B", "2");
    expect("A='a' b", "A", "'a' b");
    expect("A='open", "A", "'open");
    expect("A='a\\'b'", "A", "a\\'b");
    expect("A=${B}", "A", "${B}");
    expect("A=b=c", "A", "b=c");
}

static void test_refused(void **state)
{
    (void)state;
    assert_null(openclaw_dotenv_parse("A=\xff", 3));
    assert_null(openclaw_dotenv_parse("A=1\0B=2", 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("openclaw_dotenv", tests, NULL, NULL);
}
