/** Pods: making, starting and judging one pod of a plan. */
#ifndef AG_RUNTIME_PODS_H
#define AG_RUNTIME_PODS_H

#include "agent/runtime/libpod.h"

/** What is to be done with a pod, told from the containers that are there. */
enum ag_need {
    AG_NEED_NOTHING,
    AG_NEED_START, /* all is there, something is not started */
    AG_NEED_MAKE,  /* it is not there, or not whole, or a Job's attempt failed */
};

/** *ret_attempt: the number of the attempt that would be made (of a Job). */
enum ag_need ag_pod_need(const struct ag_pod *pod, const struct ag_seens *seen, uint64_t *ret_attempt);

/** Starts what is not started of a pod that is there; its init containers again where the pod itself was down. */
KD_MUST_CHECK enum kd_code ag_pod_start(struct ag_libpod *libpod, const struct ag_plan *plan, const struct ag_pod *pod,
                                        const struct ag_seens *seen, struct kd_err *err);

/** Creates and starts a pod; init containers run to their end in their order. Where that fails, nothing of it is left. */
KD_MUST_CHECK enum kd_code ag_pod_make_new(struct ag_libpod *libpod, const struct ag_plan *plan, const struct ag_pod *pod,
                                           uint64_t attempt, struct kd_err *err);

/** Waits until all its containers have ended: KD_OK where each ended with 0. */
KD_MUST_CHECK enum kd_code ag_pod_wait(struct ag_libpod *libpod, const struct ag_pod *pod, struct kd_err *err);

/** Removes a pod by its name. */
KD_MUST_CHECK enum kd_code ag_pod_remove(struct ag_libpod *libpod, const struct ag_pod *pod, uint64_t grace_s, struct kd_err *err);

/** The name of what stands for the pod in Podman: the pod, or its only container. */
struct kd_str ag_pod_thing(const struct ag_pod *pod);

#endif
