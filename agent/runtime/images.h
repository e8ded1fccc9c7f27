/** Images: what a plan needs is fetched before anything changes. */
#ifndef AG_RUNTIME_IMAGES_H
#define AG_RUNTIME_IMAGES_H

#include "agent/runtime/libpod.h"

/** Fetches one image as its container's imagePullPolicy asks for. */
KD_MUST_CHECK enum kd_code ag_image_fetch(struct ag_libpod *pod, const struct ag_container *container, struct kd_err *err);

/** Fetches all images of a plan, each once. */
KD_MUST_CHECK enum kd_code ag_images_fetch(struct ag_libpod *pod, const struct ag_plan *plan, struct kd_arena *arena,
                                           struct kd_err *err);

#endif
