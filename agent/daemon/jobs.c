/** Child processes by libuv: a request goes in, a result comes out, and nothing of it stays. */
#include "agent/daemon/jobs.h"

#include "shared/base/own.h"
#include "shared/base/utf8.h"
#include "shared/os/process.h"

#include <signal.h>
#include <stdio.h>

enum {
    AG_GRACE_MS = 5000,                 /* milliseconds after its deadline: a job ends itself by then */
    AG_KILL_MS = 300,                   /* milliseconds between asking and killing */
    AG_TAIL_MAX = 2048,                 /* bytes of standard error that are kept */
    AG_READ_BYTES = 4096,               /* bytes read at once */
    AG_RESULT_ARENA = 16 * 1024 * 1024, /* bytes for a decoded result */
    AG_PIECES = 3,                      /* process, output, errors: all closed before a job has ended */
};

struct ag_job {
    struct ag_job *next;
    struct ag_jobs *jobs;
    uint64_t id;
    pid_t pid; /* of its process group, 0 once it has ended */
    uv_process_t process;
    uv_pipe_t input, output, errors;
    uv_timer_t timer;
    uv_write_t write;
    struct kd_buf request, result, tail;
    int open;         /* what still reads or runs */
    int handles;      /* handles that libuv still knows */
    int64_t code;     /* exit code */
    int signal;       /* that ended it */
    bool asked, late; /* to end; its deadline is over */
    bool too_much;    /* output */
};

struct ag_jobs {
    uv_loop_t *loop;
    struct ag_jobs_options options;
    struct ag_job *list;
    char read[AG_READ_BYTES]; /* one read at a time, on the loop's thread */
    bool stopping;
    void (*idle)(void *ctx);
    void *idle_ctx;
};

struct ag_jobs *ag_jobs_open(uv_loop_t *loop, const struct ag_jobs_options *options)
{
    struct ag_jobs *jobs = calloc(1, sizeof *jobs);
    if (!jobs)
        return NULL;
    jobs->loop = loop;
    jobs->options = *options;
    return jobs;
}

struct ag_jobs *ag_jobs_close(struct ag_jobs *jobs)
{
    free(jobs);
    return NULL;
}

/* ---- ends ---- */

static void ag_job_unlink(struct ag_job *job)
{
    struct ag_job **at = &job->jobs->list;
    while (*at && *at != job)
        at = &(*at)->next;
    if (*at)
        *at = job->next;
}

static void ag_handle_closed(uv_handle_t *handle)
{
    struct ag_job *job = handle->data;
    if (--job->handles > 0)
        return;
    kd_buf_clear(&job->request);
    kd_buf_clear(&job->result);
    kd_buf_clear(&job->tail);
    free(job);
}

static void ag_handle_close(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, ag_handle_closed);
}

/** The last line that it wrote to standard error. */
static struct kd_str ag_job_tail(const struct ag_job *job)
{
    struct kd_str text = kd_str_trim(kd_buf_str(&job->tail)), last = text;
    while (text.n)
        last = kd_str_cut(&text, '\n');
    return kd_utf8_is_valid(last) ? kd_utf8_head(last, 200) : KD_STR("(not text)");
}

static void ag_job_judge(const struct ag_job *job, struct kd_arena *arena, struct ag_job_result *ret)
{
    struct kd_err err = { 0 };
    struct kd_str text = kd_str_trim(kd_buf_str(&job->result));
    if (job->late)
        (void)kd_fail(&err, KD_TIMEOUT, 0, "the job did not end in time and was killed");
    else if (job->too_much)
        (void)kd_fail(&err, KD_INTERNAL, 0, "the job wrote more than %d bytes", AG_JOB_RESULT_MAX);
    else if (text.n == 0 && job->signal)
        (void)kd_fail(&err, KD_INTERNAL, 0, "the job was ended by signal %d: %.*s", job->signal, KD_ARG(ag_job_tail(job)));
    else if (text.n == 0)
        (void)kd_fail(&err, KD_INTERNAL, 0, "the job ended with %d: %.*s", (int)job->code, KD_ARG(ag_job_tail(job)));
    else if (ag_job_result_decode(text, arena, ret, &err) == KD_OK)
        return;
    else
        err.code = KD_INTERNAL; /* whatever is wrong with it: the next one may be right */
    *ret = (struct ag_job_result){ .error = { (int)err.code, kd_arena_copy(arena, kd_str(err.story)) } };
}

/** What outlived its job became a child of this process: it ends now. */
static void ag_strays_end(const struct ag_jobs *jobs)
{
    pid_t keep[64];
    size_t n = 0;
    for (const struct ag_job *job = jobs->list; job && n < KD_COUNT(keep); job = job->next)
        if (job->pid)
            keep[n++] = job->pid;
    (void)kd_process_end_strays(keep, n);
}

static void ag_job_finish(struct ag_job *job)
{
    struct ag_jobs *jobs = job->jobs;
    ag_job_unlink(job);
    ag_handle_close(&job->timer);
    ag_handle_close(&job->input);
    ag_strays_end(jobs);
    if (!jobs->stopping) {
        KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_RESULT_ARENA);
        struct ag_job_result result = { 0 };
        ag_job_judge(job, &arena, &result);
        jobs->options.ended(jobs->options.ctx, job->id, &result);
    } else if (!jobs->list) {
        jobs->idle(jobs->idle_ctx);
    }
}

/** One of process, output and errors is done. */
static void ag_job_part_done(struct ag_job *job, void *handle)
{
    if (uv_is_closing(handle))
        return;
    ag_handle_close(handle);
    if (--job->open == 0)
        ag_job_finish(job);
}

static void ag_group_kill(struct ag_job *job)
{
    if (job->pid > 1)
        (void)kill(-job->pid, SIGKILL);
}

static void ag_on_exit(uv_process_t *process, int64_t code, int signal)
{
    struct ag_job *job = process->data;
    job->code = code;
    job->signal = signal;
    ag_group_kill(job); /* the group outlives its first process; nothing of it may hold the pipes open */
    job->pid = 0;
    ag_strays_end(job->jobs);
    ag_job_part_done(job, process);
}

static void ag_on_timer(uv_timer_t *timer)
{
    struct ag_job *job = timer->data;
    job->late = !job->asked;
    ag_group_kill(job);
}

/* ---- pipes ---- */

static void ag_on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret)
{
    struct ag_job *job = handle->data;
    (void)wanted;
    *ret = uv_buf_init(job->jobs->read, AG_READ_BYTES);
}

static void ag_on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct ag_job *job = stream->data;
    if (n < 0) {
        ag_job_part_done(job, stream);
        return;
    }
    kd_buf_add(&job->result, (struct kd_str){ buf->base, (size_t)n });
    if (job->result.overflow && !job->too_much) {
        job->too_much = true;
        ag_group_kill(job);
    }
}

/** Only the end is kept. */
static void ag_on_errors(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct ag_job *job = stream->data;
    if (n < 0) {
        ag_job_part_done(job, stream);
        return;
    }
    struct kd_str piece = { buf->base, (size_t)n };
    if (piece.n > AG_TAIL_MAX)
        piece = (struct kd_str){ piece.p + piece.n - AG_TAIL_MAX, AG_TAIL_MAX };
    size_t over = job->tail.n + piece.n > AG_TAIL_MAX ? job->tail.n + piece.n - AG_TAIL_MAX : 0;
    if (over) {
        memmove(job->tail.p, job->tail.p + over, job->tail.n - over);
        job->tail.n -= over;
    }
    kd_buf_add(&job->tail, piece);
}

static void ag_on_written(uv_write_t *write, int status)
{
    struct ag_job *job = write->data;
    (void)status; /* a job that does not read its request says why in its result */
    kd_buf_clear(&job->request);
    ag_handle_close(&job->input);
}

/* ---- starting ---- */

static int ag_job_spawn(struct ag_job *job)
{
    const struct ag_jobs_options *options = &job->jobs->options;
    const char *argv[] = { options->program, "--config", options->config, NULL };
    uv_stdio_container_t stdio[] = {
        { .flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&job->input },
        { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&job->output },
        { .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&job->errors },
    };
    uv_process_options_t process = {
        .exit_cb = ag_on_exit,
        .file = options->program,
        .args = (char **)(uintptr_t)argv,
        .flags = UV_PROCESS_DETACHED, /* a process group of its own */
        .stdio = stdio,
        .stdio_count = KD_COUNT(stdio),
    };
    return uv_spawn(job->jobs->loop, &job->process, &process);
}

static void ag_job_init(struct ag_job *job)
{
    uv_loop_t *loop = job->jobs->loop;
    (void)uv_pipe_init(loop, &job->input, 0);
    (void)uv_pipe_init(loop, &job->output, 0);
    (void)uv_pipe_init(loop, &job->errors, 0);
    (void)uv_timer_init(loop, &job->timer);
    job->process.data = job->input.data = job->output.data = job->errors.data = job->timer.data = job->write.data = job;
    job->handles = 5;
    job->open = AG_PIECES;
    job->result = (struct kd_buf)KD_BUF(AG_JOB_RESULT_MAX);
    job->tail = (struct kd_buf)KD_BUF(AG_TAIL_MAX);
}

static enum kd_code ag_job_failed_start(struct ag_job *job, int why, struct kd_err *err)
{
    ag_handle_close(&job->process);
    ag_handle_close(&job->input);
    ag_handle_close(&job->output);
    ag_handle_close(&job->errors);
    ag_handle_close(&job->timer);
    return kd_fail(err, KD_UNAVAILABLE, why, "start '%s': %s", job->jobs->options.program, uv_strerror(why));
}

enum kd_code ag_jobs_start(struct ag_jobs *jobs, uint64_t id, struct kd_buf *request, int64_t deadline_us, struct kd_err *err)
{
    struct ag_job *job = jobs->stopping ? NULL : calloc(1, sizeof *job);
    if (!job)
        return kd_fail(err, KD_UNAVAILABLE, 0, "no job can be started now");
    job->jobs = jobs;
    job->id = id;
    ag_job_init(job);
    int failed = ag_job_spawn(job);
    if (failed)
        return ag_job_failed_start(job, failed, err);
    job->pid = job->process.pid;
    job->request = KD_TAKE(*request, (struct kd_buf)KD_BUF(0));
    job->next = jobs->list;
    jobs->list = job;
    uv_buf_t bytes = uv_buf_init(job->request.p, (unsigned)job->request.n);
    (void)uv_write(&job->write, (uv_stream_t *)&job->input, &bytes, 1, ag_on_written);
    (void)uv_read_start((uv_stream_t *)&job->output, ag_on_room, ag_on_output);
    (void)uv_read_start((uv_stream_t *)&job->errors, ag_on_room, ag_on_errors);
    (void)uv_timer_start(&job->timer, ag_on_timer, (uint64_t)(deadline_us / 1000) + AG_GRACE_MS, AG_KILL_MS);
    return KD_OK;
}

static void ag_job_ask(struct ag_job *job)
{
    job->asked = true;
    (void)uv_process_kill(&job->process, SIGTERM);
    (void)uv_timer_start(&job->timer, ag_on_timer, AG_KILL_MS, AG_KILL_MS);
}

void ag_jobs_kill(struct ag_jobs *jobs, uint64_t id)
{
    for (struct ag_job *job = jobs->list; job; job = job->next)
        if (job->id == id)
            ag_job_ask(job);
}

void ag_jobs_stop(struct ag_jobs *jobs, void (*idle)(void *ctx), void *ctx)
{
    jobs->stopping = true;
    jobs->idle = idle;
    jobs->idle_ctx = ctx;
    for (struct ag_job *job = jobs->list; job; job = job->next)
        ag_job_ask(job);
    if (!jobs->list)
        idle(ctx);
}
