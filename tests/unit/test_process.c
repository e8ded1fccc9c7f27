/** Child processes: how they end, what they get, what they may not do, and that nothing of them is left. */
#include "shared/base/own.h"
#include "shared/os/clock.h"
#include "shared/os/process.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LONG_US (60 * KD_US_PER_S) /* never reached where a test is right */

/** Runs a shell script; what it wrote is in `out`. */
static enum kd_code shell(const char *script, struct kd_buf *out, struct kd_process_end *ret_end, struct kd_err *err)
{
    const char *const argv[] = { "sh", "-c", script, NULL };
    const struct kd_process process = { .argv = argv, .out = out, .limit_us = LONG_US };
    return kd_process_run(&process, ret_end, err);
}

/** True once the process is gone, also as a zombie; it is given a while. */
static bool is_gone(pid_t pid)
{
    for (int i = 0; i < 1000; i++) {
        if (kill(pid, 0) != 0 && errno == ESRCH)
            return true;
        (void)usleep(10000);
    }
    return false;
}

static pid_t pid_in(const struct kd_buf *out)
{
    uint64_t pid = 0;
    assert_true(kd_str_u64(kd_str_trim(kd_buf_str(out)), &pid));
    return (pid_t)pid;
}

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        enum kd_code code;
        int exit, signal;
        const char *story;
    } rows[] = {
        { "echo hello", KD_OK, 0, 0, "" },
        { "exit 3", KD_INTERNAL, 3, 0, "'sh' ended with 3" },
        { "echo one >&2; echo two >&2; exit 1", KD_INTERNAL, 1, 0, "'sh' ended with 1: two" },
        { "printf '\\377' >&2; exit 1", KD_INTERNAL, 1, 0, "'sh' ended with 1: (not text)" },
        { "kill -9 $$", KD_INTERNAL, 0, 9, "'sh' was ended by signal 9" },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(100);
        struct kd_process_end end = { -1, -1 };
        struct kd_err err = { 0 };
        assert_int_equal(shell(rows[i].script, &out, &end, &err), rows[i].code);
        assert_int_equal(end.code, rows[i].exit);
        assert_int_equal(end.signal, rows[i].signal);
        assert_string_equal(err.story, rows[i].story);
    }
}

static void test_input_and_output(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf big = KD_BUF(4 << 20), out = KD_BUF(4 << 20);
    struct kd_err err = { 0 };
    for (int i = 0; i < 200000; i++)
        kd_buf_printf(&big, "line %d\n", i);
    const char *const argv[] = { "cat", NULL };
    const struct kd_process process = { .argv = argv, .input = kd_buf_str(&big), .out = &out, .limit_us = LONG_US };
    assert_ok(kd_process_run(&process, NULL, &err), err);
    assert_true(kd_str_eq(kd_buf_str(&big), kd_buf_str(&out)));
}

static void test_environment_and_directory(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1000);
    struct kd_err err = { 0 };
    const char *const argv[] = { "/bin/sh", "-c", "env | grep -v -e ^PWD -e ^_ -e ^SHLVL; pwd", NULL };
    const char *const env[] = { "A=b", "PATH=/usr/bin:/bin", NULL };
    const struct kd_process process = { .argv = argv, .env = env, .cwd = "/usr", .out = &out, .limit_us = LONG_US };
    assert_ok(kd_process_run(&process, NULL, &err), err);
    assert_str(kd_buf_str(&out), "A=b\nPATH=/usr/bin:/bin\n/usr\n");
}

static void test_not_started(void **state)
{
    (void)state;
    static const struct {
        const char *program, *cwd;
        enum kd_code code;
    } rows[] = {
        { "no-such-program", NULL, KD_NOT_FOUND },
        { "/no/such/program", NULL, KD_NOT_FOUND },
        { "/etc/passwd", NULL, KD_NOT_FOUND }, /* not executable */
        { "true", "/no/such/directory", KD_NOT_FOUND },
    };
    for (size_t i = 0; i < KD_COUNT(rows); i++) {
        const char *const argv[] = { rows[i].program, NULL };
        const struct kd_process process = { .argv = argv, .cwd = rows[i].cwd, .limit_us = LONG_US };
        struct kd_err err = { 0 };
        assert_int_equal(kd_process_run(&process, NULL, &err), rows[i].code);
        assert_non_null(strstr(err.story, rows[i].program));
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* none of them is left to be reaped */
    assert_int_equal(errno, ECHILD);
}

static void test_time_is_bounded(void **state)
{
    (void)state;
    struct kd_process_end end = { 0 };
    struct kd_err err = { 0 };
    const char *const argv[] = { "sh", "-c", "echo started >&2; exec sleep 600", NULL };
    const struct kd_process process = { .argv = argv, .limit_us = KD_US_PER_S / 5 };
    assert_int_equal(kd_process_run(&process, &end, &err), KD_TIMEOUT);
    assert_int_equal(end.signal, SIGKILL);
    assert_string_equal(err.story, "'sh' did not end within 0.2 s: started");
}

static void test_output_is_bounded(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(100000);
    struct kd_err err = { 0 };
    assert_int_equal(shell("yes", &out, NULL, &err), KD_TOO_LARGE);
    KD_AUTO(kd_buf_clear) struct kd_buf exact = KD_BUF(4);
    assert_ok(shell("printf 1234", &exact, NULL, &err), err);
    assert_int_equal(shell("printf 5", &exact, NULL, &err), KD_TOO_LARGE);
}

/** A child that writes errors without end is stopped by the time, and only the last ones are kept. */
static void test_errors_are_bounded(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf errors = KD_BUF(10);
    struct kd_err err = { 0 };
    const char *const endless[] = { "sh", "-c", "yes >&2", NULL };
    struct kd_process process = { .argv = endless, .errors = &errors, .limit_us = KD_US_PER_S / 5 };
    assert_int_equal(kd_process_run(&process, NULL, &err), KD_TIMEOUT);
    assert_true(errors.n <= 10);
    const char *const counting[] = { "sh", "-c", "printf 0123456789 >&2; sleep 0.05; printf abc >&2", NULL };
    process = (struct kd_process){ .argv = counting, .errors = &errors, .limit_us = LONG_US };
    kd_buf_reset(&errors);
    assert_ok(kd_process_run(&process, NULL, &err), err);
    assert_str(kd_buf_str(&errors), "3456789abc");
}

static void test_limits(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1000);
    struct kd_err err = { 0 };
    const char *const argv[] = { "sh", "-c", "ulimit -d; ulimit -c; ulimit -f; grep NoNewPrivs /proc/self/status", NULL };
    const struct kd_process process = {
        .argv = argv, .out = &out, .limit_us = LONG_US, .data_bytes = 64 << 20, .file_bytes = 1 << 20
    };
    assert_ok(kd_process_run(&process, NULL, &err), err);
    assert_str(kd_buf_str(&out), "65536\n0\n2048\nNoNewPrivs:\t1\n");
}

/** Descriptors and ignored or blocked signals of ours do not reach the child. */
static void test_nothing_is_inherited(void **state)
{
    (void)state;
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(1000);
    struct kd_err err = { 0 };
    sigset_t usr1, old;
    int fd = open("/", O_RDONLY | O_DIRECTORY); /* without O_CLOEXEC */
    int high = dup2(fd, 200);
    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &usr1, &old);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_ok(shell("ls /proc/self/fd | tr '\\n' ' '; while read -r key value; do case $key in SigBlk:|SigIgn:) "
                    "echo $key $((0x$value & 0x7fffffff));; esac; done </proc/self/status",
                    &out, NULL, &err),
              err);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    (void)close(fd);
    (void)close(high);
    /* 3 is the directory itself; above the first 31 signals are some that the C library keeps to itself */
    assert_str(kd_buf_str(&out), "0 1 2 3 SigBlk: 0\nSigIgn: 0\n");
}

/** Does something in a process of its own, which adopts orphans; returns what it returned. */
static int in_adopting_process(int (*body)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        kd_process_adopt();
        _exit(body());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/** One process stays in the group, one leaves it: neither survives. */
static int run_with_strays(void)
{
    struct kd_buf out = KD_BUF(100);
    struct kd_err err = { 0 };
    if (shell("sleep 600 </dev/null >/dev/null 2>&1 & setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $!", &out, NULL, &err) !=
        KD_OK)
        return 1;
    bool gone = is_gone(pid_in(&out));
    kd_buf_clear(&out);
    return gone && waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : 2;
}

static void test_nothing_survives(void **state)
{
    (void)state;
    assert_int_equal(in_adopting_process(run_with_strays), 0);
}

/** end_strays spares what it is told to keep. */
static int end_strays_but_one(void)
{
    pid_t kept = fork();
    if (kept == 0) {
        (void)pause();
        _exit(0);
    }
    pid_t stray = fork();
    if (stray == 0) {
        (void)pause();
        _exit(0);
    }
    int ended = kd_process_end_strays(&kept, 1);
    bool good = ended == 1 && kill(stray, 0) != 0 && kill(kept, 0) == 0;
    return good && kd_process_end_strays(NULL, 0) == 1 ? 0 : 1;
}

static void test_strays(void **state)
{
    (void)state;
    assert_int_equal(in_adopting_process(end_strays_but_one), 0);
}

/** When the one who started it is killed, the child dies too. */
static void test_dies_with_its_parent(void **state)
{
    (void)state;
    int pipe_fds[2];
    char text[32] = "";
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t parent = fork();
    if (parent == 0) {
        char script[64];
        (void)snprintf(script, sizeof script, "echo $$ >/proc/%d/fd/%d; exec sleep 600", (int)getpid(), pipe_fds[1]);
        (void)shell(script, NULL, NULL, NULL);
        _exit(0);
    }
    assert_true(read(pipe_fds[0], text, sizeof text - 1) > 0);
    (void)kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    uint64_t child = 0;
    assert_true(kd_str_u64(kd_str_trim(kd_str(text)), &child));
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)child);
    ssize_t n = 1;
    for (int i = 0; i < 1000 && n > 0; i++) { /* a zombie has an empty command line: nobody may be there to reap it */
        KD_AUTO(kd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? 0 : read(fd, text, sizeof text);
        if (n > 0)
            (void)usleep(10000);
    }
    assert_true(n <= 0);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static void test_find(void **state)
{
    (void)state;
    char path[64], small[4];
    assert_true(kd_process_find("sh", path, sizeof path));
    assert_int_equal(access(path, X_OK), 0);
    assert_true(kd_process_find("/bin/sh", path, sizeof path));
    assert_string_equal(path, "/bin/sh");
    assert_false(kd_process_find("sh", small, sizeof small));
    assert_false(kd_process_find("no-such-program", path, sizeof path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_input_and_output),
        cmocka_unit_test(test_environment_and_directory),
        cmocka_unit_test(test_not_started),
        cmocka_unit_test(test_time_is_bounded),
        cmocka_unit_test(test_output_is_bounded),
        cmocka_unit_test(test_errors_are_bounded),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_nothing_is_inherited),
        cmocka_unit_test(test_nothing_survives),
        cmocka_unit_test(test_strays),
        cmocka_unit_test(test_dies_with_its_parent),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
