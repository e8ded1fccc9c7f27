/** libpod: exactly those calls of Podman's REST API that Kedge needs, over its Unix socket.
 *
 *  An answer counts only after its body was read: pulls report their failure inside a success. Every failure tells in the story
 *  what was to be done and what Podman said. One connection is kept; a handle belongs to one thread. */
#ifndef AG_RUNTIME_LIBPOD_H
#define AG_RUNTIME_LIBPOD_H

#include "agent/runtime/runtime.h"
#include "agent/workload/health.h"

struct ag_libpod;

/** Opens a handle; connects to nothing yet. Calls end at host->deadline with KD_TIMEOUT. */
KD_MUST_CHECK enum kd_code ag_libpod_open(const struct ag_host *host, struct ag_libpod **ret, struct kd_err *err);
struct ag_libpod *ag_libpod_close(struct ag_libpod *pod);
void ag_libpod_closep(struct ag_libpod **pod);

/** Milliseconds until the deadline, at least 1. */
int64_t ag_libpod_left_ms(const struct ag_libpod *pod);

/** All containers of the host's project, also those that have ended; `app` not "": of applications of this name only. */
KD_MUST_CHECK enum kd_code ag_libpod_list(struct ag_libpod *pod, struct kd_str app, struct kd_arena *arena, struct ag_seens *ret,
                                          struct kd_err *err);

/** All pods of the host's project, each as if it were its own container: also those that have no containers. */
KD_MUST_CHECK enum kd_code ag_libpod_list_pods(struct ag_libpod *pod, struct kd_arena *arena, struct ag_seens *ret,
                                               struct kd_err *err);

/** Whether the kernel ended the container for its memory; false where that cannot be told. */
bool ag_libpod_is_out_of_memory(struct ag_libpod *pod, struct kd_str id);

/** Creates a container or a pod; `name` is for messages. KD_NOT_FOUND: the image is not there (of containers); the project's network
 *  is made where it is missing. */
KD_MUST_CHECK enum kd_code ag_libpod_create_container(struct ag_libpod *pod, struct kd_str name, struct kd_str body,
                                                      struct kd_err *err);
KD_MUST_CHECK enum kd_code ag_libpod_create_pod(struct ag_libpod *pod, struct kd_str name, struct kd_str body, struct kd_err *err);

/** Podman's message where a container of a pod does not start hides why the pod itself does not (a busy port). Starts the pod's own
 *  container alone; where that fails, *err becomes its reason. */
void ag_libpod_explain(struct ag_libpod *pod, struct kd_str pod_name, struct kd_err *err);

KD_MUST_CHECK enum kd_code ag_libpod_start(struct ag_libpod *pod, struct kd_str name, struct kd_err *err);

/** Waits until the container has ended. */
KD_MUST_CHECK enum kd_code ag_libpod_wait(struct ag_libpod *pod, struct kd_str name, int64_t *ret_exit_code, struct kd_err *err);

/** Stops politely (the stop signal, then after grace_s the end), and removes it with its anonymous volumes. Not there: KD_OK.
 *  wait_ms: KD_TIMEOUT after so long; Podman goes on by itself then. 0: wait as long as the deadline allows. */
KD_MUST_CHECK enum kd_code ag_libpod_remove_container(struct ag_libpod *pod, struct kd_str name, uint64_t grace_s, int64_t wait_ms,
                                                      struct kd_err *err);
KD_MUST_CHECK enum kd_code ag_libpod_remove_pod(struct ag_libpod *pod, struct kd_str name, uint64_t grace_s, int64_t wait_ms,
                                                struct kd_err *err);

struct ag_seen_volume {
    struct kd_str name, uid, app;
    bool keep;
};

struct ag_seen_volumes {
    struct ag_seen_volume *v;
    size_t n;
};

/** All volumes of the host's project. */
KD_MUST_CHECK enum kd_code ag_libpod_list_volumes(struct ag_libpod *pod, struct kd_arena *arena, struct ag_seen_volumes *ret,
                                                  struct kd_err *err);
KD_MUST_CHECK enum kd_code ag_libpod_create_volume(struct ag_libpod *pod, struct kd_str name, struct kd_str body,
                                                   struct kd_err *err);
KD_MUST_CHECK enum kd_code ag_libpod_remove_volume(struct ag_libpod *pod, struct kd_str name, struct kd_err *err);

/** Removes the project's network if nothing uses it; says nothing. */
void ag_libpod_drop_network(struct ag_libpod *pod);

/** KD_OK: it is there; KD_NOT_FOUND: it is not. */
KD_MUST_CHECK enum kd_code ag_libpod_has_image(struct ag_libpod *pod, struct kd_str image, struct kd_err *err);

/** Pulls an image with the credentials of its registry (host->registries). */
KD_MUST_CHECK enum kd_code ag_libpod_pull(struct ag_libpod *pod, struct kd_str image, struct kd_err *err);

#endif
