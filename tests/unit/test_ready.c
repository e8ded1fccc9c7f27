/** Readiness: what a service manager receives, in both kinds of socket names, and how often it wants to hear of us. */
#include "shared/base/own.h"
#include "shared/base/str.h"
#include "shared/os/ready.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/** A manager's socket; `path` as in NOTIFY_SOCKET. */
static int manager_open(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(kd_str_copy(kd_str(path), at.sun_path, sizeof at.sun_path));
    if (path[0] == '@')
        at.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

static struct kd_str received(int fd)
{
    static char text[200];
    ssize_t n = recv(fd, text, sizeof text, 0);
    return (struct kd_str){ text, n < 0 ? 0 : (size_t)n };
}

static void check_words(int fd)
{
    static const struct {
        enum kd_ready what;
        const char *text;
    } rows[] = { { KD_READY_STARTED, "READY=1" }, { KD_READY_STOPPING, "STOPPING=1" }, { KD_READY_ALIVE, "WATCHDOG=1" } };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        assert_true(kd_ready_tell(rows[i].what));
        assert_str(received(fd), rows[i].text);
    }
    assert_true(kd_ready_tell(KD_READY_RELOADING));
    struct kd_str text = received(fd);
    assert_str(kd_str_cut(&text, '\n'), "RELOADING=1");
    assert_str(kd_str_cut(&text, '='), "MONOTONIC_USEC");
    uint64_t us = 0;
    assert_true(kd_str_u64(text, &us) && us > 0);
}

static void test_path(void **state)
{
    (void)state;
    char dir[] = "/tmp/kedge-test-ready-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/socket", dir);
    KD_AUTO(kd_closep) int fd = manager_open(path);
    check_words(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_false(kd_ready_tell(KD_READY_STARTED));
}

static void test_abstract(void **state)
{
    (void)state;
    char name[64];
    (void)snprintf(name, sizeof name, "@kedge-test-ready-%d", (int)getpid());
    KD_AUTO(kd_closep) int fd = manager_open(name);
    check_words(fd);
}

static void test_nobody(void **state)
{
    (void)state;
    char text[200];
    static const char *const bad[] = { "", "/", "relative", "vsock:2:1" };
    for (size_t i = 0; i < KD_COUNT(bad); i++) {
        (void)setenv("NOTIFY_SOCKET", bad[i], 1);
        assert_false(kd_ready_tell(KD_READY_STARTED));
    }
    memset(text, 'a', sizeof text);
    text[0] = '/';
    text[sizeof text - 1] = '\0';
    (void)setenv("NOTIFY_SOCKET", text, 1);
    assert_false(kd_ready_tell(KD_READY_STARTED));
    (void)unsetenv("NOTIFY_SOCKET");
    assert_false(kd_ready_tell(KD_READY_STARTED));
}

static void test_pace(void **state)
{
    (void)state;
    char own[32];
    (void)snprintf(own, sizeof own, "%d", (int)getpid());
    const struct {
        const char *us, *pid;
        int64_t pace;
    } rows[] = {
        { NULL, NULL, 0 },
        { "30000000", NULL, 15000000 },
        { "30000000", own, 15000000 },
        { "30000000", "1", 0 },
        { "soon", NULL, 0 },
        { "", NULL, 0 },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        (void)(rows[i].us ? setenv("WATCHDOG_USEC", rows[i].us, 1) : unsetenv("WATCHDOG_USEC"));
        (void)(rows[i].pid ? setenv("WATCHDOG_PID", rows[i].pid, 1) : unsetenv("WATCHDOG_PID"));
        assert_int_equal(kd_ready_pace_us(), rows[i].pace);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_abstract),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
