/** What every kind of job is given. Used by the files of this folder only. */
#ifndef AG_JOB_TASK_H
#define AG_JOB_TASK_H

#include "agent/job/kept.h"
#include "agent/jobs/settings.h"
#include "agent/runtime/runtime.h"
#include "shared/registry/cache.h"

enum {
    AG_TASK_ARENA = 192 * 1024 * 1024, /* renderings of all applications of one observe, what was found */
    AG_DIRECTORY_MAX = 3000,           /* bytes of a directory's path */
};

struct ag_task {
    const struct ag_settings *settings;
    const struct ag_job_request *request;
    const char *private_directory;
    const struct ag_runtime *runtime;
    struct kd_arena *arena; /* for all that the answer needs */
    struct ag_host host;
    char rendering[AG_DIRECTORY_MAX], blobs[AG_DIRECTORY_MAX], files[AG_DIRECTORY_MAX]; /* below state.directory */
};

/** Fetches the chart, renders it and keeps the rendering, unless one is kept under the application's key already. */
KD_MUST_CHECK enum kd_code ag_render(const struct ag_task *task, const struct ag_job_app *app, struct ag_kept *ret,
                                     struct kd_err *err);

/** Fetches the application's chart into the content cache, from the registry's mirror first where there is one. */
KD_MUST_CHECK enum kd_code ag_fetch_chart(const struct ag_task *task, const struct ag_job_app *app, struct kd_cache_entry *ret,
                                          struct kd_err *err);

/** Runs `helm template` on the chart's archive; documents lie in the task's arena. KD_INVALID: Helm refuses chart or values. */
KD_MUST_CHECK enum kd_code ag_helm_template(const struct ag_task *task, const struct ag_job_app *app, const char *archive,
                                            struct kd_strs *ret, struct kd_err *err);

/** The first line of a file (a password) in the arena, terminated; empty for path "". */
KD_MUST_CHECK enum kd_code ag_secret_read(struct kd_str path, struct kd_arena *arena, struct kd_str *ret, struct kd_err *err);

#endif
