/** Things: what Podman stops and removes as one: a pod with all its containers, or a container that stands alone. */
#ifndef AG_RUNTIME_THINGS_H
#define AG_RUNTIME_THINGS_H

#include "agent/runtime/libpod.h"

struct ag_thing {
    struct kd_str name;
    bool is_pod;
    bool publishes, hook;
    struct kd_str uid, deployment, app, namespace, object;
    uint64_t ordinal, grace_s;
    bool doomed; /* to be removed */
};

struct ag_things {
    struct ag_thing *v;
    size_t n;
};

/** The things of a list of containers, in the arena; none is doomed yet. */
KD_MUST_CHECK enum kd_code ag_things_of(const struct ag_seens *seen, struct kd_arena *arena, struct ag_things *ret,
                                        struct kd_err *err);

/** Stops and removes one thing. wait_ms: as in libpod.h. */
KD_MUST_CHECK enum kd_code ag_thing_remove(struct ag_libpod *pod, const struct ag_thing *thing, int64_t wait_ms,
                                           struct kd_err *err);

/** Stops and removes all doomed things, several at once, so that they wait for their grace together. Tries all of them; the first
 *  failure is told. `ret_going` not NULL: waits a moment only; *ret_going says how many Podman still works on by itself. */
KD_MUST_CHECK enum kd_code ag_things_remove(const struct ag_host *host, struct ag_libpod *pod, const struct ag_things *things,
                                            size_t *ret_going, struct kd_err *err);

#endif
