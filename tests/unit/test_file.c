/** Files: bounded reading, atomic writing, private directories, trees that are removed without following links. */
#include "shared/base/own.h"
#include "shared/os/file.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static char top[64];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(top, sizeof top, "/tmp/kedge-test-file-XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return kd_tree_remove(top, NULL) == KD_OK && access(top, F_OK) != 0 ? 0 : -1;
}

/** A path below the test's directory; one of four that live at the same time. */
static const char *at(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", top, name);
    return path;
}

static void test_write_then_read(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(100);
    struct kd_err err = { 0 };
    struct stat info;
    assert_ok(kd_file_write(at("a"), KD_STR("first"), 0600, &err), err);
    assert_ok(kd_file_write(at("a"), KD_STR("second"), 0640, &err), err);
    assert_ok(kd_file_read(at("a"), &text, &err), err);
    assert_str(kd_buf_str(&text), "second");
    assert_int_equal(stat(at("a"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    assert_int_equal(info.st_nlink, 1);
}

static void test_no_leftovers(void **state)
{
    (void)state;
    struct kd_err err = { 0 };
    assert_ok(kd_dir_make(at("only"), &err), err);
    assert_ok(kd_file_write(at("only/a"), KD_STR("x"), 0600, &err), err);
    assert_ok(kd_dir_make(at("only/dir"), &err), err);
    assert_int_equal(kd_file_write(at("only/dir"), KD_STR("x"), 0600, &err), KD_INTERNAL);
    assert_int_equal(unlink(at("only/a")), 0);
    assert_int_equal(rmdir(at("only/dir")), 0);
    assert_int_equal(rmdir(at("only")), 0); /* fails if a temporary file were left */
}

static void test_write_replaces_a_link(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(100);
    struct kd_err err = { 0 };
    assert_ok(kd_file_write(at("victim"), KD_STR("kept"), 0600, &err), err);
    assert_int_equal(symlink("victim", at("link")), 0);
    assert_ok(kd_file_write(at("link"), KD_STR("new"), 0600, &err), err);
    assert_ok(kd_file_read(at("victim"), &text, &err), err);
    assert_str(kd_buf_str(&text), "kept");
}

static void test_read_refuses(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf four = KD_BUF(4), five = KD_BUF(5);
    struct kd_err err = { 0 };
    assert_ok(kd_file_write(at("five"), KD_STR("12345"), 0600, &err), err);
    assert_int_equal(kd_file_read(at("five"), &four, &err), KD_TOO_LARGE);
    assert_ok(kd_file_read(at("five"), &five, &err), err);
    assert_int_equal(kd_file_read(at("none"), &five, &err), KD_NOT_FOUND);
    assert_int_equal(err.sys, ENOENT);
    assert_non_null(strstr(err.story, "none"));
    assert_int_equal(kd_file_read(top, &five, &err), KD_INTERNAL);
    assert_int_equal(kd_file_write(at("no/such/dir"), KD_STR("x"), 0600, &err), KD_NOT_FOUND);
}

static void test_dir_make(void **state)
{
    (void)state;
    struct kd_err err = { 0 };
    struct stat info;
    assert_ok(kd_dir_make(at("x/y/z"), &err), err);
    assert_ok(kd_dir_make(at("x/y/z"), &err), err);
    assert_int_equal(stat(at("x/y"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_ok(kd_file_write(at("x/f"), KD_STR(""), 0600, &err), err);
    assert_int_equal(kd_dir_make(at("x/f"), &err), KD_INTERNAL);
    assert_int_equal(kd_dir_make(at("x/f/g"), &err), KD_INTERNAL);
    assert_int_equal(err.sys, ENOTDIR);
}

static void test_tree_remove(void **state)
{
    (void)state;
    struct kd_err err = { 0 };
    assert_ok(kd_dir_make(at("outside"), &err), err);
    assert_ok(kd_file_write(at("outside/f"), KD_STR("x"), 0600, &err), err);
    assert_ok(kd_dir_make(at("tree/a/b"), &err), err);
    assert_ok(kd_file_write(at("tree/a/b/f"), KD_STR("x"), 0400, &err), err);
    assert_int_equal(symlink("../outside", at("tree/link")), 0);
    assert_int_equal(symlink("tree", at("link-to-tree")), 0);
    assert_ok(kd_tree_remove(at("link-to-tree"), &err), err);
    assert_int_equal(access(at("tree/a/b/f"), F_OK), 0);
    assert_ok(kd_tree_remove(at("tree"), &err), err);
    assert_int_equal(access(at("tree"), F_OK), -1);
    assert_int_equal(access(at("outside/f"), F_OK), 0);
    assert_ok(kd_tree_remove(at("tree"), &err), err);
}

static void test_tree_depth_is_bounded(void **state)
{
    (void)state;
    struct kd_err err = { 0 };
    int depth = 0, fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (; depth < 300; depth++) {
        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        (void)close(fd);
        fd = next;
    }
    (void)close(fd);
    assert_int_equal(kd_tree_remove(at("d"), &err), KD_INTERNAL);
    assert_int_equal(err.sys, ELOOP);
    /* by hand: the upper half is moved away, then each half is short enough */
    char path[1024] = "";
    (void)snprintf(path, sizeof path, "%s", top);
    for (int i = 0; i < 150; i++)
        (void)snprintf(path + strlen(path), sizeof path - strlen(path), "/d");
    assert_int_equal(rename(path, at("half")), 0);
    assert_ok(kd_tree_remove(at("d"), &err), err);
    assert_ok(kd_tree_remove(at("half"), &err), err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_then_read),
        cmocka_unit_test(test_no_leftovers),
        cmocka_unit_test(test_write_replaces_a_link),
        cmocka_unit_test(test_read_refuses),
        cmocka_unit_test(test_dir_make),
        cmocka_unit_test(test_tree_remove),
        cmocka_unit_test(test_tree_depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
