/* media/part: files appear whole under their final names, or not at all. */
#include "base/mem.h"
#include "media/media.h"
#include "media/spill.h"
#include "unit/mini_host.h"

#include <nettle/base64.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* A complete GIF of 3 by 2; its screen descriptor is all that the probe reads. */
static const unsigned char gif[] = "GIF89a\3\0\2\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2L\1\0;";
#define GIF_BYTES (sizeof(gif) - 1)

static char root[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/cm-part-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static void remove_tree(const char *path)
{
    DIR *list = opendir(path);
    struct dirent *entry;
    char child[1024];

    while (list && (entry = readdir(list))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
        if (unlink(child) != 0)
            remove_tree(child);
    }
    if (list)
        closedir(list);
    rmdir(path);
}

static int tear_down(void **state)
{
    (void)state;
    remove_tree(root);
    return 0;
}

static const char *at(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static int there(const char *name)
{
    struct stat st;

    return lstat(at(name), &st) == 0;
}

static int files_in(const char *dir)
{
    DIR *list = opendir(dir);
    struct dirent *entry;
    int count = 0;

    assert_non_null(list);
    while ((entry = readdir(list)))
        count += entry->d_name[0] != '.';
    closedir(list);
    return count;
}

static int open_fds(void)
{
    int count = files_in("/proc/self/fd");

    return count;
}

struct published {
    int calls;
    struct media_facts facts;
    char path[512];
    struct err err;
};

static void on_published(void *ud, const struct media_facts *facts, const char *path,
                         const struct err *err)
{
    struct published *published = ud;

    published->calls++;
    if (err) {
        assert_null(facts);
        assert_null(path);
        published->err = *err;
    } else {
        published->facts = *facts;
        snprintf(published->path, sizeof(published->path), "%s", path);
    }
}

static void put_file(const char *name, const char *text)
{
    FILE *file = fopen(at(name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct media_part *open_part(const char *dir, const char *stem)
{
    struct media_part *part = NULL;
    struct err err;

    if (media_part_open(dir, stem, LIMIT_IMAGE_BYTES, &part, &err))
        fail_msg("%s", err.text);
    return part;
}

static struct media_part *gif_part(const char *dir, const char *stem)
{
    struct media_part *part = open_part(dir, stem);
    struct err err;

    for (size_t i = 0; i < GIF_BYTES; i++)
        assert_int_equal(media_part_write(part, gif + i, 1, &err), 0);
    assert_int_equal(media_part_bytes(part), GIF_BYTES);
    return part;
}

static void publish(struct mini_host *mini, struct media_part *part, enum media_kind kind,
                    struct published *ret_published)
{
    struct err err;

    memset(ret_published, 0, sizeof(*ret_published));
    assert_int_equal(media_part_publish_take(part, &mini->env, kind, on_published, ret_published,
                                             &err), 0);
    assert_int_equal(ret_published->calls, 0);
    assert_int_equal(mini_turn(mini), 1);
    assert_int_equal(ret_published->calls, 1);
    assert_int_equal(mini_turn(mini), 0);
}

/* With work, without, and with a host whose queue is full. */
static void publishes(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct mini_host mini;
        struct published published;
        char dir[128];
        char content[64];
        struct stat st;
        int fds = open_fds();
        int fd;

        assert_int_equal(mini_init(&mini, way > 0), 0);
        mini.fail_work = way == 2;
        snprintf(dir, sizeof(dir), "%s/a%d//b/c/", root, way);
        publish(&mini, gif_part(dir, "boat-job_1-1"), MEDIA_IMAGE, &published);
        assert_int_equal(published.err.kind, ERR_NONE);
        assert_int_equal(mini.works, way == 1);
        snprintf(dir, sizeof(dir), "%s/a%d//b/c/boat-job_1-1.gif", root, way);
        assert_string_equal(published.path, dir);
        assert_string_equal(published.facts.mime, "image/gif");
        assert_int_equal(published.facts.width, 3);
        assert_int_equal(published.facts.height, 2);
        assert_int_equal(published.facts.bytes, GIF_BYTES);
        fd = open(published.path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(fd, content, sizeof(content)), GIF_BYTES);
        assert_memory_equal(content, gif, GIF_BYTES);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0644);
        close(fd);
        snprintf(dir, sizeof(dir), "%s/a%d/b/c", root, way);
        assert_int_equal(files_in(dir), 1);
        assert_int_equal(stat(dir, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0755);
        assert_int_equal(open_fds(), fds);
        env_done(&mini.env);
    }
}

static void replaces_what_is_there(void **state)
{
    struct mini_host mini;
    struct published published;

    (void)state;
    put_file("x-1.gif", "older");
    assert_int_equal(symlink("elsewhere", at("x-1.part")), 0);
    assert_int_equal(mini_init(&mini, 0), 0);
    publish(&mini, gif_part(root, "x-1"), MEDIA_UNKNOWN, &published);
    assert_int_equal(published.err.kind, ERR_NONE);
    assert_false(there("x-1.part"));
    assert_false(there("elsewhere"));
    assert_true(there("x-1.gif"));
    assert_int_equal(published.facts.bytes, GIF_BYTES);
    env_done(&mini.env);
}

static void refuses_what_it_is_not(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum media_kind kind;
        const char *word;
    } rows[] = {
        {"<html><body>no", 14, MEDIA_IMAGE, "web page"},
        {" {\"error\":1}", 12, MEDIA_IMAGE, "JSON"},
        {"", 0, MEDIA_UNKNOWN, "empty"},
        {"service unavailable", 19, MEDIA_VIDEO, "plain text"},
        {"\0\1\2\3\4\5", 6, MEDIA_VIDEO, "no type known"},
        {(const char *)gif, GIF_BYTES, MEDIA_VIDEO, "a video was asked for"},
        {(const char *)gif, 11, MEDIA_IMAGE, "cut off"},
    };
    struct mini_host mini;

    (void)state;
    assert_int_equal(mini_init(&mini, 0), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct media_part *part = open_part(root, "no-1");
        struct published published;
        struct err err;

        assert_int_equal(media_part_write(part, rows[i].bytes, rows[i].len, &err), 0);
        publish(&mini, part, rows[i].kind, &published);
        assert_int_equal(published.err.kind, ERR_ANSWER);
        if (!strstr(published.err.text, rows[i].word))
            fail_msg("\"%s\" lacks \"%s\"", published.err.text, rows[i].word);
        assert_int_equal(files_in(root), 0);
    }
    env_done(&mini.env);
}

static void abandons_and_sweeps(void **state)
{
    struct media_part *part = gif_part(root, "a-job_1-1");
    FILE *file;

    (void)state;
    assert_true(there("a-job_1-1.part"));
    media_part_abandon(part);
    media_part_abandon(NULL);
    assert_false(there("a-job_1-1.part"));
    for (int i = 0; i < 4; i++) {
        static const char *const names[] = {"a-job_1-1.part", "a-job_1-2.part", "a-job_2-1.part",
                                            "a-job_1-1.part.png"};

        file = fopen(at(names[i]), "w");
        assert_non_null(file);
        fclose(file);
    }
    media_parts_sweep(at("a-job_1-"));
    assert_false(there("a-job_1-1.part"));
    assert_false(there("a-job_1-2.part"));
    assert_true(there("a-job_2-1.part"));
    assert_true(there("a-job_1-1.part.png"));
    media_parts_sweep(at(""));
    media_parts_sweep(at(".a"));
    media_parts_sweep("/nowhere/at/all/a");
    assert_true(there("a-job_2-1.part"));
}

static void names_are_checked(void **state)
{
    static const char *const stems[] = {"", ".x", "a/b", "../x"};
    struct media_part *part;
    struct err err;
    char longest[MEDIA_STEM_MAX + 2];
    char *dir = malloc(LIMIT_PATH + 1);

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(media_part_open(root, stems[i], 10, &part, &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
    }
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(media_part_open(root, longest, 10, &part, &err), -1);
    longest[sizeof(longest) - 2] = '\0';
    assert_int_equal(media_part_open(root, longest, 10, &part, &err), 0);
    media_part_abandon(part);
    assert_non_null(dir);
    memset(dir, 'd', LIMIT_PATH);
    dir[0] = '/';
    dir[LIMIT_PATH] = '\0';
    assert_int_equal(media_part_open(dir, "x", 10, &part, &err), -1);
    assert_int_equal(err.kind, ERR_LIMIT);
    free(dir);
    fclose(fopen(at("file"), "w"));
    assert_int_equal(media_part_open(at("file"), "x", 10, &part, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_int_equal(media_part_open(at("file/below"), "x", 10, &part, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, strerror(ENOTDIR)));
}

static void too_many_bytes(void **state)
{
    struct mini_host mini;
    struct media_part *part;
    struct published published;
    struct err err;

    (void)state;
    assert_int_equal(mini_init(&mini, 0), 0);
    assert_int_equal(media_part_open(root, "x", GIF_BYTES, &part, &err), 0);
    assert_int_equal(media_part_write(part, gif, GIF_BYTES, &err), 0);
    assert_int_equal(media_part_write(part, "", 0, &err), 0);
    assert_int_equal(media_part_write(part, "1", 1, &err), -1);
    assert_int_equal(err.kind, ERR_LIMIT);
    memset(&err, 0, sizeof(err));
    assert_int_equal(media_part_write(part, "", 0, &err), -1);
    assert_int_equal(err.kind, ERR_LIMIT);
    publish(&mini, part, MEDIA_IMAGE, &published);
    assert_int_equal(published.err.kind, ERR_LIMIT);
    assert_int_equal(files_in(root), 0);
    env_done(&mini.env);
}

/* A file size limit of the process stands in for a full disk: write() fails in the middle. */
static void disk_refuses(void **state)
{
    struct media_part *part = open_part(root, "x");
    struct rlimit old;
    struct rlimit small;
    char block[8192] = {0};
    struct err err = {0};
    int rc = 0;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 20000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 4 && rc == 0; i++)
        rc = media_part_write(part, block, sizeof(block), &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, -1);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, strerror(EFBIG)));
    assert_non_null(strstr(err.text, "x.part"));
    assert_int_equal(media_part_write(part, "1", 1, &err), -1);
    media_part_abandon(part);
    assert_int_equal(files_in(root), 0);
}

#define CANNOT_MOUNT 77

/* In a child with a mount table of its own: a disk of 64 KiB. Returns the exit code. */
static int on_a_small_disk(void)
{
    struct media_part *part = NULL;
    struct err err = {0};
    char block[8192] = {0};
    int rc = 0;

    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", root, "tmpfs", 0, "size=64k") != 0)
        return CANNOT_MOUNT;
    if (media_part_open(root, "x", 1u << 20, &part, &err))
        return 1;
    for (int i = 0; i < 10 && rc == 0; i++)
        rc = media_part_write(part, block, sizeof(block), &err);
    if (rc == 0 || err.kind != ERR_IO || !strstr(err.text, "disk is full") ||
        !strstr(err.text, "Free some space"))
        return 2;
    media_part_abandon(part);
    return there("x.part") ? 3 : 0;
}

static void disk_is_full(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0)
        _exit(on_a_small_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT_MOUNT)
        skip(); /* neither root nor user namespaces */
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Somebody else takes the name: neither publishing nor abandoning touches the other's file. */
static void name_taken_over(void **state)
{
    struct mini_host mini;
    struct published published;
    struct media_part *first = gif_part(root, "x");
    struct media_part *second = gif_part(root, "x");

    (void)state;
    assert_int_equal(mini_init(&mini, 0), 0);
    publish(&mini, first, MEDIA_IMAGE, &published);
    assert_int_equal(published.err.kind, ERR_BUSY);
    assert_true(there("x.part"));
    assert_false(there("x.gif"));
    first = gif_part(root, "x");
    media_part_abandon(second);
    assert_true(there("x.part"));
    publish(&mini, first, MEDIA_IMAGE, &published);
    assert_int_equal(published.err.kind, ERR_NONE);
    assert_true(there("x.gif"));
    env_done(&mini.env);
}

/* The instance ends while the work waits. */
static void cancelled_by_the_end(void **state)
{
    struct mini_host mini;
    struct published published = {0};
    struct media_part *part = gif_part(root, "x");
    struct err err;

    (void)state;
    assert_int_equal(mini_init(&mini, 0), 0);
    assert_int_equal(media_part_publish_take(part, &mini.env, MEDIA_IMAGE, on_published,
                                             &published, &err), 0);
    env_done(&mini.env);
    assert_int_equal(published.calls, 1);
    assert_int_equal(published.err.kind, ERR_CANCELLED);
    assert_int_equal(mini_turn(&mini), 0);
    /* The next process takes it up. */
    assert_int_equal(media_part_adopt(root, "x", &part, &err), 0);
    media_part_abandon(part);
    assert_int_equal(files_in(root), 0);
}

/* After a crash the renamed file is looked for by its stem. What users put beside it is theirs. */
static void others_of_the_name_stay(void **state)
{
    struct mini_host mini;
    struct published published;
    struct media_part *part;
    struct err err;

    (void)state;
    assert_int_equal(mini_init(&mini, 0), 0);
    put_file("y.txt", "notes");
    put_file("y.gif.bak", "old");
    assert_int_equal(media_part_adopt(root, "y", &part, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    put_file("y.png", "no picture at all");
    assert_int_equal(media_part_adopt(root, "y", &part, &err), 0);
    publish(&mini, part, MEDIA_IMAGE, &published);
    assert_int_equal(published.err.kind, ERR_ANSWER);
    assert_true(there("y.txt") && there("y.gif.bak") && there("y.png"));
    /* Nor does one that is a picture get the ending that ours would have. */
    publish(&mini, gif_part(root, "z"), MEDIA_IMAGE, &published);
    assert_int_equal(renameat(AT_FDCWD, published.path, AT_FDCWD, at("z.png")), 0);
    assert_int_equal(media_part_adopt(root, "z", &part, &err), 0);
    publish(&mini, part, MEDIA_IMAGE, &published);
    assert_int_equal(published.err.kind, ERR_NONE);
    assert_string_equal(published.path, at("z.png"));
    assert_true(there("z.png") && !there("z.gif"));
    env_done(&mini.env);
}

/* Every allocation, then every host call, fails once: nothing stays behind, nothing hangs. */
static void memory_may_fail(void **state)
{
    struct mini_host mini;
    int failures = 0;
    int fds = open_fds();

    (void)state;
    assert_int_equal(mini_init(&mini, 0), 0);
    for (long n = 1;; n++) {
        struct media_part *part = NULL;
        struct published published = {0};
        struct err err = {0};
        int rc;

        mem_fail_after(n, 0);
        rc = media_part_open(root, "x", 1000, &part, &err);
        if (rc == 0)
            rc = media_part_write(part, gif, GIF_BYTES, &err);
        if (rc == 0)
            rc = media_part_publish_take(part, &mini.env, MEDIA_IMAGE, on_published, &published,
                                         &err);
        mem_fail_after(0, 0);
        if (rc) {
            assert_int_equal(err.kind, ERR_NOMEM);
            assert_int_equal(mini_turn(&mini), 0);
            assert_int_equal(published.calls, 0);
            media_part_abandon(part);
            failures++;
            assert_int_equal(files_in(root), 0);
            continue;
        }
        assert_int_equal(mini_turn(&mini), 1);
        assert_int_equal(published.calls, 1);
        assert_int_equal(published.err.kind, ERR_NONE);
        break;
    }
    assert_int_equal(failures, 2);
    mini.fail_defer = 1;
    struct media_part *part = gif_part(root, "y");
    struct err err;
    assert_int_equal(media_part_publish_take(part, &mini.env, MEDIA_IMAGE, on_published, NULL,
                                             &err), -1);
    assert_int_equal(err.kind, ERR_NOMEM);
    media_part_abandon(part);
    assert_false(there("y.part"));
    assert_int_equal(open_fds(), fds);
    env_done(&mini.env);
}

/* Spill and part together, as an answer with a picture in it is saved. */
struct saving {
    struct media_part *part;
    int complete;
    unsigned pieces;
};

static int save_open(void *ud, unsigned number, struct err *err)
{
    struct saving *saving = ud;
    char stem[32];

    snprintf(stem, sizeof(stem), "pic-%u", number);
    return media_part_open(root, stem, 64u << 20, &saving->part, err);
}

static int save_write(void *ud, const void *data, size_t len, struct err *err)
{
    struct saving *saving = ud;

    saving->pieces++;
    return media_part_write(saving->part, data, len, err);
}

static int save_close(void *ud, unsigned number, int complete, struct err *err)
{
    (void)number;
    (void)err;
    ((struct saving *)ud)->complete = complete;
    return 0;
}

static long peak_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* 60 MB, with the memory of a small one. */
static void large_picture_to_disk(void **state)
{
    struct saving saving = {0};
    struct spill_sink sink = {save_open, save_write, save_close, &saving};
    struct mini_host mini;
    struct published published;
    struct spill *spill;
    struct err err = {0};
    unsigned char block[3 * 4096] = {0};
    char letters[BASE64_ENCODE_RAW_LENGTH(sizeof(block))];
    const char *text;
    size_t len;
    unsigned blobs;
    long before;

    (void)state;
    assert_int_equal(mini_init(&mini, 1), 0);
    assert_int_equal(spill_new(&sink, 1000, &spill), 0);
    memcpy(block, gif, GIF_BYTES);
    base64_encode_raw(letters, sizeof(block), block);
    assert_int_equal(spill_feed(spill, "{\"b\":\"", 6, &err), 0);
    assert_int_equal(spill_feed(spill, letters, sizeof(letters), &err), 0);
    before = peak_kib();
    for (int i = 1; i < 5000; i++)
        if (spill_feed(spill, letters, sizeof(letters), &err))
            fail_msg("%s", err.text);
    assert_int_equal(spill_feed(spill, "\"}", 2, &err), 0);
    assert_int_equal(spill_finish(spill, &text, &len, &blobs, &err), 0);
    assert_string_equal(text, "{\"b\":\"" SPILL_MARK "0\"}");
    assert_int_equal(saving.complete, 1);
    assert_true(5000 * sizeof(block) / saving.pieces >= 60 * 1024);
    publish(&mini, saving.part, MEDIA_IMAGE, &published);
    assert_int_equal(published.err.kind, ERR_NONE);
    assert_int_equal(published.facts.bytes, 5000 * sizeof(block));
    assert_true(peak_kib() - before < 1024);
    spill_free(spill);
    env_done(&mini.env);
}

#define part_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        part_test(publishes),
        part_test(replaces_what_is_there),
        part_test(refuses_what_it_is_not),
        part_test(abandons_and_sweeps),
        part_test(names_are_checked),
        part_test(too_many_bytes),
        part_test(disk_refuses),
        part_test(disk_is_full),
        part_test(name_taken_over),
        part_test(cancelled_by_the_end),
        part_test(others_of_the_name_stay),
        part_test(memory_may_fail),
        part_test(large_picture_to_disk),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
