/** The parent of a job's work: a pipe for the answer, a limit, and the end of all that is left. */
#include "agent/job/supervise.h"

#include "shared/base/own.h"
#include "shared/os/clock.h"
#include "shared/os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* gcc says it one way, clang the other; the sanitizer's own memory would count as data. */
#if defined(__SANITIZE_ADDRESS__)
#define AG_LIMITS_DATA 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define AG_LIMITS_DATA 0
#endif
#endif
#ifndef AG_LIMITS_DATA
#define AG_LIMITS_DATA 1
#endif

struct ag_worker {
    pid_t pid;
    int answer, stop; /* owned: what it says; signals that ask for the end */
};

void ag_confine(void)
{
    const struct rlimit none = { 0, 0 };
    pid_t parent = getppid();
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* the daemon ended before it could be noticed */
    kd_process_adopt();
}

static void ag_stop_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
}

static bool ag_write_all(int fd, struct kd_str text)
{
    while (text.n) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            text = (struct kd_str){ text.p + n, text.n - (size_t)n };
    }
    return true;
}

/** The child: limits, the work, the answer. */
_Noreturn static void ag_worker_main(const struct ag_supervised *supervised, pid_t parent, int answer)
{
    const struct rlimit data = { (rlim_t)supervised->data_bytes, (rlim_t)supervised->data_bytes };
    struct kd_buf out = KD_BUF(supervised->answer_bytes);
    sigset_t stop;
    ag_stop_signals(&stop);
    (void)sigprocmask(SIG_UNBLOCK, &stop, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || (AG_LIMITS_DATA && supervised->data_bytes && setrlimit(RLIMIT_DATA, &data) != 0))
        _exit(1);
    supervised->work(supervised->ctx, &out);
    bool said = !out.overflow && ag_write_all(answer, kd_buf_str(&out));
    kd_buf_clear(&out);
    exit(said ? 0 : 1);
}

static bool ag_worker_start(const struct ag_supervised *supervised, struct ag_worker *ret)
{
    int fds[2];
    sigset_t stop;
    ag_stop_signals(&stop);
    (void)sigprocmask(SIG_BLOCK, &stop, NULL);
    ret->stop = signalfd(-1, &stop, SFD_CLOEXEC);
    if (ret->stop < 0 || pipe2(fds, O_CLOEXEC) != 0)
        return false;
    ret->answer = fds[0];
    pid_t parent = getpid();
    ret->pid = fork();
    if (ret->pid == 0)
        ag_worker_main(supervised, parent, fds[1]);
    (void)close(fds[1]);
    return ret->pid > 0;
}

/** One piece of the answer; false at its end. */
static bool ag_read_answer(int fd, struct kd_buf *out)
{
    char piece[16384];
    ssize_t n = read(fd, piece, sizeof piece);
    if (n > 0)
        kd_buf_add(out, (struct kd_str){ piece, (size_t)n });
    return n > 0 || (n < 0 && errno == EINTR);
}

/** Until the answer is whole (KD_OK) or the time is over. */
static enum kd_code ag_watch(const struct ag_worker *worker, int64_t limit_us, struct kd_buf *out, struct kd_err *err)
{
    int64_t until = kd_mono_now().us + limit_us;
    for (;;) {
        struct pollfd fds[] = { { .fd = worker->answer, .events = POLLIN }, { .fd = worker->stop, .events = POLLIN } };
        int64_t left_ms = (until - kd_mono_now().us + 999) / 1000;
        if (left_ms <= 0)
            return kd_fail(err, KD_TIMEOUT, 0, "the job did not end within %lld s", (long long)(limit_us / KD_US_PER_S));
        int n = poll(fds, KD_COUNT(fds), left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (n > 0 && fds[1].revents)
            return kd_fail(err, KD_TIMEOUT, 0, "the job was stopped");
        if (n > 0 && fds[0].revents && !ag_read_answer(worker->answer, out))
            return KD_OK;
    }
}

/** Ends what is left. Where nothing is, this costs one call. */
static void ag_end_strays(void)
{
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        ;
    if (pid == 0)
        (void)kd_process_end_strays(NULL, 0);
}

static enum kd_code ag_worker_end(const struct ag_worker *worker, enum kd_code code, struct kd_err *err)
{
    int status = 0;
    if (code != KD_OK)
        (void)kill(worker->pid, SIGKILL);
    while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
        ;
    ag_end_strays();
    if (code != KD_OK)
        return code;
    if (WIFSIGNALED(status))
        return kd_fail(err, KD_INTERNAL, 0, "the job crashed (signal %d)", WTERMSIG(status));
    return status == 0 ? KD_OK : kd_fail(err, KD_INTERNAL, 0, "the job ended with %d and without an answer", WEXITSTATUS(status));
}

enum kd_code ag_supervise(const struct ag_supervised *supervised, struct kd_buf *out, struct kd_err *err)
{
    struct ag_worker worker = { .pid = -1, .answer = -1, .stop = -1 };
    enum kd_code code = KD_OK;
    if (!ag_worker_start(supervised, &worker))
        code = kd_fail(err, KD_INTERNAL, errno, "start the job");
    else
        code = ag_worker_end(&worker, ag_watch(&worker, supervised->limit_us, out, err), err);
    kd_closep(&worker.answer);
    kd_closep(&worker.stop);
    return code;
}
