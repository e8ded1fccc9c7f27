/** A job's private directory: mode 0700, removed at the end. What a killed job left behind is removed by the next one. */
#ifndef AG_JOB_PRIVATE_H
#define AG_JOB_PRIVATE_H

#include "shared/base/err.h"

#include <limits.h>

struct ag_private {
    char path[PATH_MAX];
    int lock; /* owned, -1: none; held while the job lives */
};
#define AG_PRIVATE                                                                                                                 \
    {                                                                                                                              \
        .lock = -1                                                                                                                 \
    }

/** Makes one below RUN_DIRECTORY/jobs and removes those that no living job holds. */
KD_MUST_CHECK enum kd_code ag_private_make(const char *run_directory, struct ag_private *ret, struct kd_err *err);

/** Removes it with all that is in it. For KD_AUTO; start from AG_PRIVATE. */
void ag_private_remove(struct ag_private *private);

#endif
