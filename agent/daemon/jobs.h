/** Jobs as processes: kedge-agent-job gets a request on standard input and answers with one bounded result. */
#ifndef AG_DAEMON_JOBS_H
#define AG_DAEMON_JOBS_H

#include <uv.h>

#include "agent/jobs/job.h"
#include "shared/base/time.h"

struct ag_jobs;

struct ag_jobs_options {
    const char *program; /* path of kedge-agent-job */
    const char *config;  /* its --config */
    /** Each job that was started ends once; the result lives for the call. Any function of this header may be called from it. */
    void (*ended)(void *ctx, uint64_t id, const struct ag_job_result *result);
    void *ctx;
};

/** The texts of the options must outlive it. NULL when out of memory. */
struct ag_jobs *ag_jobs_open(uv_loop_t *loop, const struct ag_jobs_options *options);

/** Starts a job; takes over the memory of the request. What still runs `deadline` plus a grace time from now is killed with all that
 *  it started. KD_UNAVAILABLE: it could not be started, and `ended` is not called. */
KD_MUST_CHECK enum kd_code ag_jobs_start(struct ag_jobs *jobs, uint64_t id, struct kd_buf *request, int64_t deadline_us,
                                         struct kd_err *err);

/** Asks a job to end now, and kills it soon if it does not. */
void ag_jobs_kill(struct ag_jobs *jobs, uint64_t id);

/** Ends all jobs; `idle` is called when none runs any more, at once if none does. No `ended` is called from now on. */
void ag_jobs_stop(struct ag_jobs *jobs, void (*idle)(void *ctx), void *ctx);

/** After `idle`, and after the loop has run once more. Takes NULL, returns NULL. */
struct ag_jobs *ag_jobs_close(struct ag_jobs *jobs);

#endif
