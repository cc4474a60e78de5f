/* media/input: what a path resolves to decides, and nothing is told about what lies outside. */
#include "media/media.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const unsigned char gif[] = "GIF89a\3\0\2\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2L\1\0;";

static char base[64]; /* real path of a fresh folder */
static char inside[128];
static char second[128];
static const char *roots[2];

static void write_file(const char *folder, const char *name, const void *bytes, size_t len)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

static int set_up(void **state)
{
    char path[512];

    (void)state;
    snprintf(base, sizeof(base), "/tmp/cm-input-XXXXXX");
    if (!mkdtemp(base))
        return -1;
    snprintf(inside, sizeof(inside), "%s/work", base);
    snprintf(second, sizeof(second), "%s/second", base);
    snprintf(path, sizeof(path), "%s/work-not", base);
    if (mkdir(inside, 0755) || mkdir(second, 0755) || mkdir(path, 0755))
        return -1;
    roots[0] = inside;
    roots[1] = second;
    write_file(inside, "a.gif", gif, sizeof(gif) - 1);
    write_file(inside, "a b%\xC3\xA9.gif", gif, sizeof(gif) - 1);
    write_file(inside, "text", "plain text here", 15);
    write_file(inside, "empty", "", 0);
    write_file(inside, "short.gif", gif, 9);
    write_file(second, "b.png", gif, sizeof(gif) - 1);
    write_file(path, "c.gif", gif, sizeof(gif) - 1);
    write_file(base, "secret.gif", gif, sizeof(gif) - 1);
    snprintf(path, sizeof(path), "%s/link-in", inside);
    if (symlink("../second/b.png", path))
        return -1;
    snprintf(path, sizeof(path), "%s/link-out", inside);
    if (symlink("../secret.gif", path))
        return -1;
    snprintf(path, sizeof(path), "%s/link-up", inside);
    if (symlink("..", path))
        return -1;
    snprintf(path, sizeof(path), "%s/loop", inside);
    if (symlink("loop", path))
        return -1;
    snprintf(path, sizeof(path), "%s/pipe", inside);
    if (mkfifo(path, 0644))
        return -1;
    snprintf(path, sizeof(path), "%s/large", inside);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, (off_t)LIMIT_INPUT_BYTES + 1))
        return -1;
    close(fd);
    return setenv("HOME", second, 1);
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", base);
    return system(command);
}

static void expect_open(const char *path, const char *folder, const char *name)
{
    struct media_input input;
    struct err err;
    char expected[512];

    if (media_input_open(path, roots, 2, &input, &err))
        fail_msg("%s: %s", path, err.text);
    snprintf(expected, sizeof(expected), "%s/%s", folder, name);
    assert_string_equal(input.path, expected);
    assert_string_equal(input.facts.mime, "image/gif");
    assert_int_equal(input.facts.width, 3);
}

static void expect_error(const char *path, enum err_kind kind, const char *word)
{
    struct media_input input = {.path = "untouched"};
    struct err err;

    if (media_input_open(path, roots, 2, &input, &err) == 0)
        fail_msg("%s was opened as %s", path, input.path);
    if (err.kind != kind || !strstr(err.text, word))
        fail_msg("%s: %s \"%s\"", path, err_kind_name(err.kind), err.text);
    assert_string_equal(input.path, "untouched");
}

static const char *under(const char *prefix, const char *folder, const char *rest)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s%s%s", prefix, folder, rest);
    return path;
}

static void opens(void **state)
{
    (void)state;
    expect_open("a.gif", inside, "a.gif");
    expect_open("./../work//a.gif", inside, "a.gif");
    expect_open(under("", inside, "/a.gif"), inside, "a.gif");
    expect_open(under("", second, "/b.png"), second, "b.png");
    expect_open("link-in", second, "b.png");
    expect_open("~/b.png", second, "b.png");
    expect_open("~/../work/a.gif", inside, "a.gif");
    expect_open(under("file://", inside, "/a.gif"), inside, "a.gif");
    expect_open(under("FILE://localhost", inside, "/a%20b%25%c3%A9.gif"), inside,
                "a b%\xC3\xA9.gif");
    expect_open("a b%\xC3\xA9.gif", inside, "a b%\xC3\xA9.gif");
}

static void refuses(void **state)
{
    (void)state;
    expect_error("../secret.gif", ERR_REFUSED, inside);
    expect_error("../secret.gif", ERR_REFUSED, second);
    expect_error("link-out", ERR_REFUSED, inside);
    expect_error("link-up/secret.gif", ERR_REFUSED, inside);
    expect_error("/etc/passwd", ERR_REFUSED, inside);
    expect_error(under("file://", base, "/secret.gif"), ERR_REFUSED, inside);
    expect_error(under("file://", inside, "/%2e%2e/secret.gif"), ERR_REFUSED, inside);
    /* "work-not" begins like "work" and is another folder. */
    expect_error("../work-not/c.gif", ERR_REFUSED, inside);
    /* Not there, but outside: the same answer as for what is there. */
    expect_error("../nothing.gif", ERR_REFUSED, inside);
    expect_error("/etc/nothing/at/all", ERR_REFUSED, inside);
    expect_error("/nothing", ERR_REFUSED, inside);
    expect_error("link-up/nothing", ERR_REFUSED, inside);
    expect_error("/", ERR_REFUSED, inside);
}

static void says_what_is_wrong(void **state)
{
    char *longest = malloc(LIMIT_PATH + 21);

    (void)state;
    assert_non_null(longest);
    memset(longest, 'x', LIMIT_PATH + 20);
    longest[LIMIT_PATH + 20] = '\0';
    expect_error("", ERR_INVALID, "empty");
    expect_error("empty", ERR_INVALID, "empty");
    expect_error("nothing.gif", ERR_NOT_FOUND, "nothing.gif");
    expect_error("a.gif/x", ERR_NOT_FOUND, "a.gif/x");
    expect_error("nowhere/../../x", ERR_NOT_FOUND, "nowhere");
    expect_error("loop", ERR_IO, "loop");
    expect_error(".", ERR_INVALID, "folder");
    expect_error("pipe", ERR_INVALID, "regular");
    expect_error("text", ERR_INVALID, "plain text");
    expect_error("short.gif", ERR_INVALID, "cut off");
    expect_error("large", ERR_INVALID, "256 MiB");
    expect_error(longest, ERR_INVALID, "longer");
    expect_error("file://elsewhere/x", ERR_INVALID, "this machine");
    expect_error("file:///a%zz", ERR_INVALID, "%");
    expect_error("file:///a%00", ERR_INVALID, "%");
    expect_error("file:///a%4", ERR_INVALID, "%");
    memcpy(longest, "file:///", 8);
    expect_error(longest, ERR_INVALID, "longer");
    unsetenv("HOME");
    expect_error("~/b.png", ERR_INVALID, "HOME");
    setenv("HOME", second, 1);
    free(longest);
}

static void roots_decide(void **state)
{
    struct media_input input;
    struct err err;
    const char *one = "/nowhere/at/all";
    const char *slash = "/";
    const char *home = "~/../work";

    (void)state;
    assert_int_equal(media_input_open("a.gif", NULL, 0, &input, &err), -1);
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_int_equal(media_input_open(under("", inside, "/a.gif"), &one, 1, &input, &err), -1);
    assert_int_equal(err.kind, ERR_REFUSED);
    assert_int_equal(media_input_open(under("", inside, "/a.gif"), &slash, 1, &input, &err), 0);
    assert_int_equal(media_input_open("a.gif", &home, 1, &input, &err), 0);
    assert_int_equal(media_input_open("a.gif", &home, 1, &input, NULL), 0);
    assert_int_equal(media_input_open("b.gif", &home, 1, &input, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens),
        cmocka_unit_test(refuses),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(roots_decide),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
