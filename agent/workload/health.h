/** Health: what runs of a plan, told from what Podman reports. Pure. */
#ifndef AG_WORKLOAD_HEALTH_H
#define AG_WORKLOAD_HEALTH_H

#include "agent/workload/plan.h"

/** A container as Podman lists it, with its labels kedge.*. */
enum ag_seen_state { AG_SEEN_CREATED, AG_SEEN_RUNNING, AG_SEEN_STOPPING, AG_SEEN_ENDED, AG_SEEN_OTHER };
struct ag_seen {
    struct kd_str id, name;
    struct kd_str pod_id, pod_name; /* "" for a plain container */
    struct kd_str uid, deployment, app, namespace, release, object, hash;
    uint64_t ordinal;
    uint64_t attempt; /* of a Job: 0 for the first one */
    uint64_t grace_s; /* how long it may take to stop */
    enum ag_seen_state state;
    int64_t exit_code; /* where ended */
    bool out_of_memory;
    bool infra;     /* holds a pod's namespaces */
    bool hook;      /* made for a hook */
    bool publishes; /* has host ports */
};

struct ag_seens {
    struct ag_seen *v;
    size_t n;
};

/** The same words as enum ag_found of agent/jobs/job.h. */
enum ag_health_state {
    AG_HEALTH_RUNNING,
    AG_HEALTH_DEGRADED,
    AG_HEALTH_DOWN,
    AG_HEALTH_FAILED,
    AG_HEALTH_DIFFERS,
    AG_HEALTH_GONE,
};

enum { AG_HEALTH_MESSAGE_MAX = 512 /* bytes */ };

struct ag_health {
    enum ag_health_state state;
    uint64_t ready, total; /* pods; a completed Job is ready */
    char message[AG_HEALTH_MESSAGE_MAX + 1];
};

/** `seen`: the containers of this application (whatever their hash). */
void ag_health_of(const struct ag_plan *plan, const struct ag_seens *seen, struct ag_health *ret);

#endif
