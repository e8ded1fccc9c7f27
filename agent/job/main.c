/** kedge-agent-job: one request on standard input, one result on standard output, and nothing left behind. */
#include "agent/job/kinds.h"
#include "agent/job/private.h"
#include "agent/job/supervise.h"
#include "shared/base/own.h"
#include "shared/os/clock.h"
#include "shared/os/program.h"

#include <errno.h>
#include <stdio.h>

enum {
    AG_SETTINGS_ARENA = 256 * 1024,
    AG_REQUEST_ARENA = AG_JOB_REQUEST_MAX + 1024 * 1024,
    AG_MARGIN_MS = 200, /* the work ends a little before the deadline, so that the answer still says why */
};

static const char ag_description[] =
    "kedge-agent starts it for everything that touches registries, Helm or containers. It reads one request as JSON from standard "
    "input, does it, writes one result as JSON to standard output and ends; nothing that it started survives it.";

/** What the child needs of its parent. */
struct ag_call {
    const struct ag_settings *settings;
    const struct ag_job_request *request;
    const char *private_directory;
    struct kd_mono deadline;
};

static void ag_say(const struct ag_job_result *result, struct kd_buf *out)
{
    ag_job_result_encode(result, out);
    if (!out->overflow)
        return;
    const struct ag_job_result too_large = { .error = { KD_TOO_LARGE, KD_STR("the result is larger than a result may be") } };
    kd_buf_reset(out);
    ag_job_result_encode(&too_large, out);
}

static void ag_say_failure(const struct kd_err *err, struct kd_buf *out)
{
    const struct ag_job_result failed = { .error = { (int)err->code, kd_str(err->story) } };
    ag_say(&failed, out);
}

/** How each registry is reached, for images. */
static enum kd_code ag_read_registries(struct ag_task *task, struct kd_err *err)
{
    const struct ag_settings *settings = task->settings;
    size_t n = settings->registries.n;
    struct ag_registry_access *rows = kd_arena_alloc(task->arena, n * sizeof *rows);
    enum kd_code code = rows ? KD_OK : kd_fail(err, KD_INTERNAL, 0, "out of memory");
    for (size_t i = 0; i < n && code == KD_OK; i++) {
        const struct ag_settings_registry *from = &settings->registries.v[i];
        rows[i] = (struct ag_registry_access){ .host = from->host, .username = from->username, .plain_http = from->plain_http };
        code = ag_secret_read(from->password_file, task->arena, &rows[i].password, err);
    }
    task->host.registries.v = rows;
    task->host.registries.n = code == KD_OK ? n : 0;
    return code;
}

static enum kd_code ag_task_open(const struct ag_call *call, struct ag_task *task, struct kd_err *err)
{
    static const char *const runtimes[] = { [AG_RUNTIME_PODMAN] = "podman" };
    const struct ag_settings *settings = call->settings;
    const struct {
        char *ret;
        const char *below;
    } directories[] = { { task->rendering, "content/rendering" }, { task->blobs, "content/blobs" }, { task->files, "files" } };
    task->settings = settings;
    task->request = call->request;
    task->private_directory = call->private_directory;
    task->runtime = ag_runtime_of(kd_str(runtimes[settings->runtime]));
    for (size_t i = 0; i < KD_COUNT(directories); i++)
        if (snprintf(directories[i].ret, AG_DIRECTORY_MAX, "%s/%s", settings->state_directory.p, directories[i].below) >=
            AG_DIRECTORY_MAX)
            return kd_fail(err, KD_INVALID, 0, "state.directory is too long");
    task->host = (struct ag_host){ .project = call->request->project,
                                   .node = settings->cluster,
                                   .socket = settings->podman_socket,
                                   .files_dir = kd_str(task->files),
                                   .default_registry = settings->podman_default_registry,
                                   .deadline = call->deadline };
    return ag_read_registries(task, err);
}

/** In the child. */
static void ag_task_run(void *ctx, struct kd_buf *out)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_TASK_ARENA);
    struct ag_task task = { .arena = &arena };
    struct ag_job_result result = { .ok = false };
    struct kd_err err = { 0 };
    if (ag_task_open(ctx, &task, &err) != KD_OK) {
        ag_say_failure(&err, out);
        return;
    }
    ag_kind_run(&task, &result);
    ag_say(&result, out);
}

static enum kd_code ag_read_request(struct kd_arena *arena, struct ag_job_request *ret, struct kd_err *err)
{
    KD_AUTO(kd_buf_clear) struct kd_buf text = KD_BUF(AG_JOB_REQUEST_MAX);
    char piece[65536];
    ssize_t n;
    while ((n = read(STDIN_FILENO, piece, sizeof piece)) != 0) {
        if (n < 0 && errno != EINTR)
            return kd_fail(err, KD_INTERNAL, errno, "read the request");
        if (n > 0)
            kd_buf_add(&text, (struct kd_str){ piece, (size_t)n });
        if (text.overflow)
            return kd_fail(err, KD_TOO_LARGE, 0, "the request has more than %d bytes", AG_JOB_REQUEST_MAX);
    }
    return ag_job_request_decode(kd_buf_str(&text), arena, ret, err);
}

static enum kd_code ag_job_run(const struct ag_settings *settings, struct kd_buf *out, struct kd_err *err)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_REQUEST_ARENA);
    KD_AUTO(ag_private_remove) struct ag_private private = AG_PRIVATE;
    struct ag_job_request request;
    int64_t begin_us = kd_mono_now().us;
    enum kd_code code = ag_read_request(&arena, &request, err);
    if (code == KD_OK)
        code = ag_private_make(settings->run_directory.p, &private, err);
    if (code != KD_OK)
        return code;
    int64_t limit_us = (int64_t)(request.deadline_ms > 86400000 ? 86400000 : request.deadline_ms) * 1000;
    int64_t margin_us = limit_us > 10 * AG_MARGIN_MS * 1000 ? AG_MARGIN_MS * 1000 : 0;
    struct ag_call call = { settings, &request, private.path, { begin_us + limit_us - margin_us } };
    const struct ag_supervised supervised = { .work = ag_task_run,
                                              .ctx = &call,
                                              .limit_us = limit_us,
                                              .data_bytes = settings->job_memory_bytes,
                                              .answer_bytes = AG_JOB_RESULT_MAX };
    return ag_supervise(&supervised, out, err);
}

int main(int argc, char **argv)
{
    KD_AUTO(kd_arena_clear) struct kd_arena arena = KD_ARENA(AG_SETTINGS_ARENA);
    KD_AUTO(kd_buf_clear) struct kd_buf out = KD_BUF(AG_JOB_RESULT_MAX);
    struct kd_settings table = ag_settings_table;
    table.program = "kedge-agent-job";
    const struct kd_program program = { .settings = &table,
                                        .summary = "does one job for kedge-agent",
                                        .description = ag_description,
                                        .config = "/etc/kedge/agent.conf" };
    struct kd_program_call call;
    struct ag_settings settings;
    struct kd_err err = { 0 };
    int status = 0;
    if (!kd_program_begin(&program, argc, argv, &arena, &settings, &call, &status))
        return status;
    ag_confine();
    if (ag_job_run(&settings, &out, &err) != KD_OK) {
        kd_buf_reset(&out);
        ag_say_failure(&err, &out);
    }
    kd_buf_add_char(&out, '\n');
    (void)fwrite(out.p, 1, out.n, stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
