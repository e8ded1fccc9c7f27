/** The kinds of jobs, a row each: what it needs to be asked with, and what does it. */
#ifndef AG_JOB_KINDS_H
#define AG_JOB_KINDS_H

#include "agent/job/task.h"

/** Does what the request asks for and fills *ret (rows and texts lie in the task's arena, or live as long as the program). */
void ag_kind_run(struct ag_task *task, struct ag_job_result *ret);

#endif
