/** Files: the directories of a plan on this machine's disk. */
#ifndef AG_RUNTIME_FILES_H
#define AG_RUNTIME_FILES_H

#include "agent/workload/plan.h"

/** Makes the directories of a pod that are missing. `fresh`: its emptyDirs begin empty. */
KD_MUST_CHECK enum kd_code ag_files_make(const struct ag_plan *plan, const struct ag_pod *pod, bool fresh, struct kd_err *err);

/** Removes what is in the application's directory and belongs to no pod of the plan. */
KD_MUST_CHECK enum kd_code ag_files_sweep(const struct ag_plan *plan, struct kd_err *err);

/** Removes the directory of an application, and those above it (up to files_dir) that are empty then. `app` "": of the whole
 *  deployment. */
KD_MUST_CHECK enum kd_code ag_files_remove(struct kd_str files_dir, struct kd_str project, struct kd_str deployment,
                                           struct kd_str app, struct kd_err *err);

#endif
