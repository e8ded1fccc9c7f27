/** Child processes: what is set up between fork and exec, the wait for the end, and the end of everything below. */
#include "shared/os/process.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"
#include "shared/os/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    KD_TAIL_MAX = 4096,   /* bytes of standard error kept for the story */
    KD_DRAIN_MAX = 64,    /* reads at once from one pipe */
    KD_ROUNDS_MAX = 100,  /* rounds of killing what appears while others die */
    KD_EXEC_FAILED = 127, /* exit code of a child that could not become the program; errno comes by the pipe */
};

/** One end is the child's, the other ours. */
struct kd_pipe {
    int ours, childs;
};

struct kd_running {
    pid_t pid;
    int pidfd;
    struct kd_pipe out, errors, exec; /* exec: says why the program did not start; closed by a successful exec */
    int input;
};

static void kd_running_clear(struct kd_running *r)
{
    int fds[] = { r->pidfd, r->out.ours, r->out.childs, r->errors.ours, r->errors.childs, r->exec.ours, r->exec.childs, r->input };
    for (size_t i = 0; i < KD_COUNT(fds); i++)
        kd_closep(&fds[i]);
}

/* ---- before ---- */

bool kd_process_find(const char *name, char *ret, size_t cap)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 && kd_str_copy(kd_str(name), ret, cap);
    const char *path = getenv("PATH");
    struct kd_str rest = kd_str(path ? path : "/usr/local/bin:/usr/bin:/bin");
    while (rest.n) {
        struct kd_str dir = kd_str_cut(&rest, ':');
        int n = dir.n ? snprintf(ret, cap, "%.*s/%s", KD_ARG(dir), name) : -1;
        if (n > 0 && (size_t)n < cap && access(ret, X_OK) == 0)
            return true;
    }
    return false;
}

static bool kd_pipe_open(struct kd_pipe *ret)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    *ret = (struct kd_pipe){ fds[0], fds[1] };
    return fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0;
}

/** The input lies in memory, so that nobody waits for anybody however large it is. */
static int kd_input_open(struct kd_str input)
{
    KD_AUTO(kd_closep) int fd = memfd_create("input", MFD_CLOEXEC);
    while (fd >= 0 && input.n) {
        ssize_t n = write(fd, input.p, input.n);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            input = (struct kd_str){ input.p + n, input.n - (size_t)n };
    }
    return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 ? KD_TAKE(fd, -1) : -1;
}

/* ---- in the child: only what is safe between fork and exec ---- */

static bool kd_child_limit(int resource, uint64_t bytes)
{
    struct rlimit limit = { bytes, bytes };
    return setrlimit((__rlimit_resource_t)resource, &limit) == 0;
}

static bool kd_child_limits(const struct kd_process *process)
{
    return kd_child_limit(RLIMIT_CORE, 0) && (!process->data_bytes || kd_child_limit(RLIMIT_DATA, process->data_bytes)) &&
           (!process->file_bytes || kd_child_limit(RLIMIT_FSIZE, process->file_bytes));
}

static void kd_child_signals(void)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/** The pipe that tells of a failed exec becomes descriptor 3; everything above it is closed. */
static bool kd_child_fds(const struct kd_running *r)
{
    return dup2(r->input, 0) == 0 && dup2(r->out.childs, 1) == 1 && dup2(r->errors.childs, 2) == 2 &&
           (r->exec.childs == 3 || dup3(r->exec.childs, 3, O_CLOEXEC) == 3) && syscall(SYS_close_range, 4U, ~0U, 0U) == 0;
}

_Noreturn static void kd_child(const struct kd_process *process, const struct kd_running *r, const char *path, pid_t parent)
{
    int tell = r->exec.childs;
    kd_child_signals();
    bool ok = setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
              prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && (!process->cwd || chdir(process->cwd) == 0);
    if (ok && (ok = kd_child_fds(r)))
        tell = 3;
    if (ok && kd_child_limits(process))
        (void)execve(path, (char *const *)(uintptr_t)process->argv,
                     process->env ? (char *const *)(uintptr_t)process->env : environ);
    int why = errno;
    if (write(tell, &why, sizeof why) < 0)
        _exit(KD_EXEC_FAILED);
    _exit(KD_EXEC_FAILED);
}

/* ---- start ---- */

static enum kd_code kd_start_fail(const struct kd_process *process, int why, struct kd_err *err)
{
    return kd_fail(err, why == ENOENT ? KD_NOT_FOUND : KD_INTERNAL, why, "start '%s'", process->argv[0]);
}

static bool kd_start_open(const struct kd_process *process, struct kd_running *r)
{
    r->input = kd_input_open(process->input);
    return r->input >= 0 && kd_pipe_open(&r->out) && kd_pipe_open(&r->errors) && kd_pipe_open(&r->exec);
}

static void kd_start_close_childs(struct kd_running *r)
{
    int *fds[] = { &r->out.childs, &r->errors.childs, &r->exec.childs, &r->input };
    for (size_t i = 0; i < KD_COUNT(fds); i++) {
        kd_closep(fds[i]);
        *fds[i] = -1;
    }
}

/** Waits until the child is the program, or has said why not. Returns that errno, 0 for success. */
static int kd_start_wait(const struct kd_running *r)
{
    int why = 0;
    struct pollfd one = { .fd = r->exec.ours, .events = POLLIN };
    while (poll(&one, 1, -1) < 0 && errno == EINTR)
        ;
    return read(r->exec.ours, &why, sizeof why) == (ssize_t)sizeof why ? why : 0;
}

static enum kd_code kd_start(const struct kd_process *process, struct kd_running *r, struct kd_err *err)
{
    char path[PATH_MAX];
    if (!kd_process_find(process->argv[0], path, sizeof path))
        return kd_start_fail(process, ENOENT, err);
    if (!kd_start_open(process, r))
        return kd_start_fail(process, errno, err);
    pid_t parent = getpid();
    r->pid = fork();
    if (r->pid == 0)
        kd_child(process, r, path, parent);
    if (r->pid < 0)
        return kd_start_fail(process, errno, err);
    (void)setpgid(r->pid, r->pid); /* both sides do it: whoever comes first */
    kd_start_close_childs(r);
    r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    int why = r->pidfd < 0 ? errno : kd_start_wait(r);
    if (!why)
        return KD_OK;
    (void)kill(r->pid, SIGKILL);
    (void)waitpid(r->pid, NULL, 0);
    return kd_start_fail(process, why, err);
}

/* ---- while it runs ---- */

/** Keeps the last bytes only. */
static void kd_tail_add(struct kd_buf *tail, struct kd_str s)
{
    if (s.n > tail->max)
        s = (struct kd_str){ s.p + (s.n - tail->max), tail->max };
    if (tail->n + s.n > tail->max) {
        size_t drop = tail->n + s.n - tail->max;
        memmove(tail->p, tail->p + drop, tail->n - drop);
        tail->n -= drop;
    }
    kd_buf_add(tail, s);
}

/** Takes what is there, but not for ever from a child that writes without end. Closes the pipe at its end. */
static void kd_drain(int *fd, struct kd_buf *to, bool as_tail)
{
    char chunk[16384];
    for (int i = 0; i < KD_DRAIN_MAX && *fd >= 0; i++) {
        ssize_t n = read(*fd, chunk, sizeof chunk);
        if (n < 0)
            return;
        if (n == 0) {
            kd_closep(fd);
            *fd = -1;
        } else if (to && as_tail) {
            kd_tail_add(to, (struct kd_str){ chunk, (size_t)n });
        } else if (to) {
            kd_buf_add(to, (struct kd_str){ chunk, (size_t)n });
        }
    }
}

static int kd_wait_ms(struct kd_mono until)
{
    int64_t left = (until.us - kd_mono_now().us + 999) / 1000;
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/** Until it has ended (KD_OK) or must be ended. */
static enum kd_code kd_watch(const struct kd_process *process, struct kd_running *r, struct kd_buf *errors)
{
    struct kd_mono until = { kd_mono_now().us + process->limit_us };
    for (;;) {
        struct pollfd fds[] = {
            { .fd = r->pidfd, .events = POLLIN },
            { .fd = r->out.ours, .events = POLLIN },
            { .fd = r->errors.ours, .events = POLLIN },
        };
        int n = poll(fds, KD_COUNT(fds), kd_wait_ms(until));
        if (n < 0 && errno != EINTR)
            return KD_INTERNAL;
        kd_drain(&r->out.ours, process->out, false);
        kd_drain(&r->errors.ours, errors, true);
        if (process->out && process->out->overflow)
            return KD_TOO_LARGE;
        if (n > 0 && fds[0].revents)
            return KD_OK;
        if (kd_wait_ms(until) == 0)
            return KD_TIMEOUT;
    }
}

/* ---- after ---- */

static bool kd_is_adopting(void)
{
    int adopting = 0;
    return prctl(PR_GET_CHILD_SUBREAPER, &adopting) == 0 && adopting;
}

/** Kills the group and reaps the child; processes that left the group are killed where this process adopts them. */
static int kd_end(const struct kd_running *r)
{
    int status = 0;
    (void)kill(-r->pid, SIGKILL); /* before the child is reaped: its id cannot have been given to another group yet */
    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (kd_is_adopting())
        (void)kd_process_end_strays(NULL, 0);
    return status;
}

/** The last line that is not empty. */
static struct kd_str kd_last_line(struct kd_str text)
{
    struct kd_str last = { NULL, 0 };
    while (text.n) {
        struct kd_str line = kd_str_trim(kd_str_cut(&text, '\n'));
        if (line.n)
            last = line;
    }
    return kd_utf8_is_valid(last) ? kd_utf8_head(last, KD_STORY_MAX / 2) : KD_STR("(not text)");
}

static enum kd_code kd_judge(const struct kd_process *process, enum kd_code code, int status, struct kd_str errors,
                             struct kd_err *err)
{
    const char *name = process->argv[0];
    struct kd_str why = kd_last_line(errors);
    const char *colon = why.n ? ": " : "";
    if (code == KD_TIMEOUT)
        return kd_fail(err, code, 0, "'%s' did not end within %.9g s%s%.*s", name, (double)process->limit_us / (double)KD_US_PER_S,
                       colon, KD_ARG(why));
    if (code == KD_TOO_LARGE)
        return kd_fail(err, code, 0, "'%s' wrote more than %zu bytes", name, process->out->max);
    if (code != KD_OK)
        return kd_fail(err, code, 0, "'%s' could not be watched", name);
    if (WIFSIGNALED(status))
        return kd_fail(err, KD_INTERNAL, 0, "'%s' was ended by signal %d%s%.*s", name, WTERMSIG(status), colon, KD_ARG(why));
    if (WEXITSTATUS(status) != 0)
        return kd_fail(err, KD_INTERNAL, 0, "'%s' ended with %d%s%.*s", name, WEXITSTATUS(status), colon, KD_ARG(why));
    return KD_OK;
}

enum kd_code kd_process_run(const struct kd_process *process, struct kd_process_end *ret_end, struct kd_err *err)
{
    KD_AUTO(kd_running_clear)
    struct kd_running r = { .pidfd = -1, .out = { -1, -1 }, .errors = { -1, -1 }, .exec = { -1, -1 }, .input = -1 };
    KD_AUTO(kd_buf_clear) struct kd_buf tail = KD_BUF(KD_TAIL_MAX);
    struct kd_buf *errors = process->errors ? process->errors : &tail;
    enum kd_code code = kd_start(process, &r, err);
    if (code != KD_OK)
        return code;
    code = kd_watch(process, &r, errors);
    int status = kd_end(&r);
    kd_drain(&r.out.ours, process->out, false);
    kd_drain(&r.errors.ours, errors, true);
    if (code == KD_OK && process->out && process->out->overflow)
        code = KD_TOO_LARGE;
    if (ret_end)
        *ret_end = (struct kd_process_end){ WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                                            WIFSIGNALED(status) ? WTERMSIG(status) : 0 };
    return kd_judge(process, code, status, kd_buf_str(errors), err);
}

/* ---- everything below ---- */

void kd_process_adopt(void)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static bool kd_is_kept(pid_t pid, const pid_t *keep, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (keep[i] == pid)
            return true;
    return false;
}

/** The parent in /proc/PID/stat: the second word behind the last ')', for a program's name may contain anything. */
static pid_t kd_parent_of(const char *pid)
{
    char path[64], text[512];
    (void)snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    KD_AUTO(kd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strrchr(text, ')');
    return at && at[1] == ' ' && at[2] && at[3] == ' ' ? (pid_t)strtol(at + 4, NULL, 10) : -1;
}

/** Kills the children that are there now; returns how many. Those that are dead already are counted too: they are to be reaped. */
static int kd_kill_children(const pid_t *keep, size_t n)
{
    DIR *proc = opendir("/proc");
    pid_t self = getpid();
    int count = 0;
    for (const struct dirent *entry; proc && (entry = readdir(proc));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 1 || kd_is_kept(pid, keep, n) || kd_parent_of(entry->d_name) != self)
            continue;
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        count++;
    }
    if (proc)
        (void)closedir(proc);
    return count;
}

int kd_process_end_strays(const pid_t *keep, size_t n)
{
    int total = 0;
    for (int round = 0; round < KD_ROUNDS_MAX; round++) {
        int count = kd_kill_children(keep, n);
        if (count == 0)
            break;
        total += count;
    }
    return total;
}
