/** Apply: makes what Podman runs of one application equal to its plan, and runs its hooks. */
#ifndef AG_RUNTIME_APPLY_H
#define AG_RUNTIME_APPLY_H

#include "agent/runtime/libpod.h"

/** `seen`: the containers of this application, before. Only what differs is touched; what is stopped is started; what a failed
 *  attempt made is removed again. Failures are libpod's, the story names the object. */
KD_MUST_CHECK enum kd_code ag_apply(const struct ag_host *host, const struct ag_job_app *app, const struct ag_plan *plan,
                                    const struct ag_seens *seen, struct ag_libpod *pod, struct kd_arena *arena, struct kd_err *err);

#endif
